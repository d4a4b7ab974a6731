"""The site: each page has a place, links and figures lead somewhere, commands of the tutorial and words of answers are those of the program."""

import ast
import doctest
import re
import shlex
from pathlib import Path

import pytest

from bids_app.cli import make_settings
from bids_app.simulated.cli import parser as simulate_parser
from docs.make import api, formulas, gallery, pages
from tests.pasted import blocks, lines

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / 'docs'


def test_every_page_has_its_place():
    written = {path.relative_to(REPOSITORY).as_posix() for path in DOCS.glob('*.md')}
    assert written <= set(pages.WRITTEN)
    assert len(pages.WRITTEN) == len(set(pages.WRITTEN))
    assert all(
        (REPOSITORY / path).is_file() for path in pages.WRITTEN if not path.startswith('examples/notebooks')
    )


def test_links_lead_to_pages_copies_or_words(tmp_path, monkeypatch):
    text = '[`x`](../bids_app/cli.py), [`y`](../bids_app/cli.py) [a](usage.md#x) [b](../examples/babs.yaml) [c](../bids_app/cli.py) [d](https://x.test) `[e](usage.md)`'
    found = pages.links(text, 'docs/start.md', tmp_path)
    assert (
        found
        == '`x`, `y` [a](usage.md#x) [b](files/examples/babs.yaml) c [d](https://x.test) `[e](usage.md)`'
    )
    assert (tmp_path / 'files/examples/babs.yaml').read_bytes() == (
        REPOSITORY / 'examples/babs.yaml'
    ).read_bytes()
    monkeypatch.setattr(pages, 'release', lambda: {'url': 'https://host.test/clbpe'})
    assert (
        pages.links('[c](../bids_app/cli.py)', 'docs/a.md', tmp_path)
        == '[c](https://host.test/clbpe/blob/main/bids_app/cli.py)'
    )
    assert pages.links('[r](../README.md)', 'examples/apptainer.md', tmp_path) == '[r](../index.md)'
    with pytest.raises(SystemExit, match=r'gone\.md does not exist'):
        pages.links('[a](gone.md)', 'docs/start.md', tmp_path)


def test_figures_of_pages_are_those_of_examples():
    known = {path.stem for path in pages.examples()}
    named = re.findall(
        r'<!-- figure: (\w+): .+? -->', ''.join(path.read_text() for path in DOCS.glob('*.md'))
    )
    assert set(named) == known
    assert pages.figures('<!-- figure: trial: arms -->', 'group.md') == '![arms](examples/trial.png)'


@pytest.mark.parametrize('name', ['functional', 'diffusion', 'group', 'expression', 'mediation', 'planning'])
def test_a_page_of_an_analysis_has_what_a_reader_needs(name):
    text = (DOCS / f'{name}.md').read_text()
    assert '## Pitfalls' in text
    assert '## References' in text
    assert '<!-- figure: ' in text


def test_an_example_is_a_page():
    text = gallery.page(REPOSITORY / 'examples/notebooks/trial.py', 'printed\n')
    assert text.startswith('# Compare the arms of a trial')
    assert '# %%' not in text
    assert text.count('```python') >= 8
    assert text.endswith('```text\nprinted\n```\n')


def test_docstrings_become_markdown():
    text = api.entry('tract_mean')
    assert '## tract_mean' in text
    assert 'clbpe.tract_mean(weights, values, where)' in text
    assert '- `weights`: (X, Y, Z) visitation P, not negative.' in text
    assert r'$\sum_v P(v) F(v) / \sum_v P(v)$' in text
    assert '>>> tract_mean(np.array' in text
    assert '[Find the tract between two regions, and its anisotropy](../examples/tract.md)' in text
    assert ':math:' not in ''.join(map(api.entry, api.clbpe.__all__))
    assert '``' not in re.sub('```', '', ''.join(map(api.entry, api.clbpe.__all__)))


@pytest.mark.slow
@pytest.mark.parametrize('name', api.clbpe.__all__)
def test_examples_of_the_interface_run_as_its_pages_show_them(name):
    blocks = re.findall(r'^```pycon\n(.*?)^```$', api.entry(name), re.DOTALL | re.MULTILINE)
    known = {}
    exec('\n'.join(re.findall('`((?:import|from) .*?)`', api.FIRST)), known)
    shown = doctest.DocTestParser().get_doctest('\n'.join(blocks), known, name, None, None)
    said = []
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(shown, out=said.append).failed == 0, (
        ''.join(said)
    )


def test_a_formula_keeps_its_primes():
    """The converter drops them, and a transpose with them."""
    shown = formulas.on_page_content(r'<span class="arithmatex">\(y_x&#39; C\)</span>')
    assert '&#x02032;' in shown
    assert '<math' in shown
    assert 'arithmatex' not in shown


def strings():
    """Return all text of the program, pieces of one message apart."""
    found = []
    for path in (p for part in ('clbpe', 'bids_app', 'pipelines') for p in (REPOSITORY / part).rglob('*.py')):
        found += [
            n.value
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.Constant) and isinstance(n.value, str)
        ]
    return found


def test_answers_are_to_what_the_program_says():
    headings = re.findall(r'^### (`.*)', (DOCS / 'faq.md').read_text(), re.MULTILINE)
    asked = [words for heading in headings for words in re.findall('`([^`]+)`', heading)]
    assert len(asked) >= 15
    said = strings()
    for words in asked:
        assert words == 'clbpe: command not found' or any(words in text for text in said), words


def test_the_tutorial_is_typed_as_written(tmp_path, monkeypatch):
    """The whole of it is run by ``scripts/accept --only tutorial``; here it is read as the program reads it."""
    simulate, *runs = (shlex.split(line) for block in blocks('docs/tutorial.md') for line in lines(block))
    made = simulate_parser().parse_args(simulate[1:])
    assert (simulate[0], made.trial, made.participants) == ('clbpe-simulate', True, 12)
    monkeypatch.chdir(tmp_path)
    (made.directory / 'code').mkdir(parents=True)
    (made.directory / 'code/trial.json').write_text('{}')
    settings = [make_settings(words[1:]) for words in runs]
    assert [each.level for each in settings] == ['participant', 'group', 'participant', 'group']
    assert {each.bids_dir.name for each in settings} == {made.directory.name}
    assert len({each.output_dir for each in settings}) == 1
    for each in settings:
        assert (each.group.trial or '').startswith(f'{made.directory}/code/') == (each.level == 'group')
        for name, path in each.derivatives:
            assert path.parts[-3:] == (made.directory.name, 'derivatives', name)
