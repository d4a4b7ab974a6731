"""The generated pages are current, and every option and link in the written ones exists."""

import ast
import fnmatch
import importlib.util
import json
import re
import shlex
from datetime import date
from pathlib import Path

import pytest

from bids_app.cli import build_parser
from bids_app.planning.cli import plan_parser
from bids_app.simulated.cli import parser as simulate_parser
from pipelines.errors import ParameterError
from tests.deploy.test_files import NUMBER
from tests.pasted import blocks, lines, part

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [*REPOSITORY.glob('*.md'), *(REPOSITORY / 'docs').glob('*.md')]


def load_generator():
    spec = importlib.util.spec_from_file_location('generate', REPOSITORY / 'docs' / 'generate.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = [
    'README.md',
    'badges.svg',
    'outputs.md',
    'parameters.md',
    'trial.schema.json',
    'functional.md',
    'diffusion.md',
    'group.md',
    'expression.md',
    'mediation.md',
    'trial.md',
    'report.md',
    'inputs.md',
    'reliability.md',
]


@pytest.mark.parametrize('name', GENERATED)
def test_generated_files_are_current(name):
    made = {path: make for path, make in load_generator().PAGES.items() if path.name == name}
    assert len(made) == 1
    for path, make in made.items():
        assert path.read_text(encoding='utf-8') == make(), 'run: python docs/generate.py'


@pytest.mark.parametrize('page', PAGES, ids=lambda p: p.name)
def test_links_and_options_exist(page):
    text = page.read_text()
    for target in re.findall(r'\]\((?!https?:|#)([^)#]+)', text):
        assert (page.parent / target).exists(), target
    actions = [*build_parser()._actions, *plan_parser()._actions, *simulate_parser()._actions]
    offered = {name for action in actions for name in action.option_strings}
    others = {
        '--layout',
        '--confounds',
        '--sloppy',
        '--out',
        '--only',
        '--no-deps',
        '--editable',
        '--output-spaces',
        '--help',
        '--level',
        *('--rm', '--network', '--user', '--tag', '--cleanenv', '--containall'),  # of engines of containers
        '--constraint',
    }
    for line in text.splitlines():
        if 'clbpe' in line or line.startswith('|'):
            assert set(re.findall(r'(?<![\w-])--[a-z][a-z-]+', line)) <= offered | others, line


def commands(page):
    """Yield the commands of a page as a shell reads them, of a container without what is the engine's."""
    for block in blocks(page.relative_to(REPOSITORY).as_posix()):
        for line in lines(block):
            if not line.startswith((*(f'{name} ' for name in PROGRAMS), 'docker run', 'apptainer run')):
                continue
            line = line.replace('clbpe ...', 'clbpe BIDS_DIR OUTPUT_DIR participant').replace('[options]', '')
            words = shlex.split(line, comments=True)
            yield words if words[0] in PROGRAMS else ['clbpe', *words[words.index('/data') :]]


PROGRAMS = {'clbpe': build_parser, 'clbpe-simulate': simulate_parser, 'clbpe-plan': plan_parser}
WITH_COMMANDS = [page for page in [*PAGES, *(REPOSITORY / 'examples').glob('*.md')] if list(commands(page))]


@pytest.mark.parametrize('page', WITH_COMMANDS, ids=lambda p: p.name)
def test_commands_are_read_by_the_program(page):
    for program, *words in commands(page):
        if words == ['--version']:
            continue
        assert PROGRAMS[program]().parse_args(words)


def test_pages_with_commands_are_seen():
    known = {
        'README.md',
        'start.md',
        'tutorial.md',
        'usage.md',
        'planning.md',
        'trial.md',
        'deploy.md',
        'apptainer.md',
    }
    assert known <= {page.name for page in WITH_COMMANDS}
    with pytest.raises(ParameterError, match='no-such-option'):
        PROGRAMS['clbpe']().parse_args(['/data', '/out', 'participant', '--no-such-option'])


def test_blocks_of_code_say_what_they_are():
    """A browser colours them by that; those of JSON are JSON."""
    for page in PAGES:
        text = page.read_text()
        fences = re.findall(r'^ *```(\w*)$', text, re.MULTILINE)
        assert all(opened and not closed for opened, closed in zip(fences[::2], fences[1::2], strict=True)), (
            page.name
        )
        assert set(fences) <= {'', 'bash', 'json', 'python', 'text', 'tsv'}, page.name
        for block in re.findall(r'^ *```json\n(.*?)^ *```$', text, re.DOTALL | re.MULTILINE):
            assert json.loads(block), page.name


def test_tables_that_the_page_of_reports_names_are_written():
    written = set(re.findall(r'`group/([\w/]+\.tsv)`', (REPOSITORY / 'docs/outputs.md').read_text()))
    rows = part((REPOSITORY / 'docs/report.md').read_text(), 'The trial')
    named = re.findall(r'`([\w*]+\.tsv)`', rows)
    assert len(set(named)) >= 10
    for name in named:
        assert fnmatch.filter(written, name), name


def said(call):
    """Return the function and the arguments of a row, but for those that a page leaves out (``'...'``)."""
    given = [(None, value) for value in call.args] + [(word.arg, word.value) for word in call.keywords]
    return {
        (ast.unparse(call.func), name, ast.dump(value))
        for name, value in given
        if ast.unparse(value) != "'...'"
    }


def test_rows_shown_in_the_house_are_rows_of_the_program():
    shown = re.findall(
        r'^```python\n(.*?)^```$', (REPOSITORY / 'docs/house.md').read_text(), re.DOTALL | re.MULTILINE
    )
    folders = ('pipelines/terms', 'bids_app/outputs')
    trees = [
        ast.parse(path.read_text()) for folder in folders for path in (REPOSITORY / folder).rglob('*.py')
    ]
    rows = [said(node) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert len(shown) == 4
    for block in shown:
        asked = said(ast.parse(block).body[0].value)
        assert len(asked) >= 3
        assert any(asked <= row for row in rows), block


def cells(line):
    return [cell.strip() for cell in line.strip().strip('|').split('|')]


@pytest.mark.parametrize('heading', ['Of BOLD', 'Of diffusion'])
def test_the_comparison_has_no_empty_field_and_says_what_was_read(heading):
    text = (REPOSITORY / 'docs/comparison.md').read_text()
    head, _, *rows = map(cells, [line for line in part(text, heading).splitlines() if line.startswith('|')])
    assert head[1] == f'clbpe {NUMBER}'
    assert all(re.fullmatch(r'\[[\w-]+\]\(https://\S+\) [\w.]+', name) for name in head[2:])
    assert all(len(row) == len(head) and all(row) for row in rows)
    assert rows[-1][0] == 'state read'
    for state in rows[-1][2:]:
        found = re.fullmatch(r'(\d{4}-\d\d-\d\d), `[0-9a-f]{7}`', state)
        assert date.fromisoformat(found[1]) <= date.today()
    # where each program says so stands in a table of its own
    told = {
        cells(line)[0]: line for line in part(text, 'Where it stands').splitlines() if line.startswith('|')
    }
    for name in head[2:]:
        line = told[re.match(r'\[(.*?)\]', name)[1]]
        assert all(row[0] in line for row in rows[:-1] if row[0] != 'group statistics'), name
        assert 'group statistics' in line or 'no level of groups' in line


def test_walks_are_short():
    """A reader opens at most 15 files from a scan or a table to what is shown."""
    text = (REPOSITORY / 'docs' / 'house.md').read_text()
    walks = re.split(r'^### ', text.split('## Walks')[1].split('## How to add')[0], flags=re.MULTILINE)[1:]
    assert len(walks) == 4
    for walk in walks:
        files = re.findall(r'\]\(\.\./([^)]+\.py)\)', walk)
        assert 8 <= len(files) <= 15, walk.splitlines()[0]


def test_every_room_is_in_the_house():
    text = (REPOSITORY / 'docs' / 'house.md').read_text()
    rooms = [
        p
        for part in ('bids_app', 'pipelines')
        for p in (REPOSITORY / part).iterdir()
        if (p / '__init__.py').is_file()
    ]
    for room in rooms:
        assert f'](../{room.relative_to(REPOSITORY).as_posix()})' in text, room
