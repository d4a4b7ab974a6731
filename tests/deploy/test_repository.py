"""What surrounds the code: workflows that call the scripts which continuous integration runs, forms, citation, changes."""

import ast
import configparser
import itertools
import json
import re
import subprocess
import sys
from importlib.metadata import metadata, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.deploy.test_files import NUMBER

REPOSITORY = Path(__file__).resolve().parents[2]
GITHUB = REPOSITORY / '.github'
SCHEMAS = {
    **dict.fromkeys(sorted((GITHUB / 'workflows').glob('*.yml')), 'github-workflows'),
    **dict.fromkeys(sorted((GITHUB / 'ISSUE_TEMPLATE').glob('[!c]*.yml')), 'github-issue-forms'),
    GITHUB / 'ISSUE_TEMPLATE/config.yml': 'github-issue-config',
    GITHUB / 'dependabot.yml': 'dependabot',
    REPOSITORY / 'CITATION.cff': 'citation-file-format',
}
BROUGHT = {'networkx', 'traits', 'markupsafe', 'threadpoolctl', 'packaging'}
"""What nipype, jinja2, nilearn and pytest cannot be without."""

RUN_HERE = (REPOSITORY / '.ci/run', REPOSITORY / '.ci/engines', *(REPOSITORY / 'tests').rglob('*.py'))


@pytest.mark.parametrize('schema', sorted(set(SCHEMAS.values())))
def test_a_file_of_the_repository_is_what_its_host_reads(schema):
    files = [path for path, own in SCHEMAS.items() if own == schema]
    assert all(path.is_file() for path in files)
    command = [
        sys.executable,
        '-m',
        'check_jsonschema',
        '--builtin-schema',
        f'vendor.{schema}',
        *map(str, files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


def steps():
    """Yield every step of every workflow with the name of the file."""
    for path in sorted((GITHUB / 'workflows').glob('*.yml')):
        for job in yaml.safe_load(path.read_text())['jobs'].values():
            for step in job['steps']:
                yield path.name, step


def test_workflows_run_scripts_that_run_here_too():
    lines = [(name, step['run']) for name, step in steps() if 'run' in step]
    assert {'tests.yml', 'docs.yml', 'container.yml', 'release.yml'} == {name for name, _ in lines}
    known = ''.join(path.read_text() for path in RUN_HERE if path != Path(__file__))
    for name, line in lines:
        script = re.fullmatch(r'(scripts/\w+)( --[\w-]+)*', line.strip())
        assert script, f'{name}: {line} is no script'
        assert (REPOSITORY / script[1]).stat().st_mode & 0o111
        assert script[1] in known, f'{script[1]} is run by nothing here'


def test_workflows_ask_for_no_more_than_they_need():
    for path in (GITHUB / 'workflows').glob('*.yml'):
        content = yaml.safe_load(path.read_text())
        assert content['permissions'] == {'contents': 'read'}, path.name
    for name, step in steps():
        assert 'uses' not in step or re.search(r'@v\d+$', step['uses']), f'{name}: {step["uses"]}'


def test_every_python_that_is_promised_is_tried():
    classifiers = re.findall(r'Python :: (3\.\d+)$', (REPOSITORY / 'setup.cfg').read_text(), re.MULTILINE)
    matrix = yaml.safe_load((GITHUB / 'workflows/tests.yml').read_text())['jobs']['tests']['strategy'][
        'matrix'
    ]
    assert set(classifiers) <= set(matrix['python'])


def test_citations_agree():
    citation = yaml.safe_load((REPOSITORY / 'CITATION.cff').read_text())
    archived = json.loads((REPOSITORY / '.zenodo.json').read_text())
    assert citation['version'] == NUMBER
    assert archived['title'] == citation['title']
    assert archived['creators'] == [{'name': author['name']} for author in citation['authors']]
    assert archived['license'] == citation['license']
    assert archived['keywords'] == citation['keywords']


def test_changes_have_the_form_of_a_changelog():
    headings = re.findall(r'^##+ .*', (REPOSITORY / 'CHANGES.md').read_text(), re.MULTILINE)
    assert headings[0] == '## [Unreleased]'
    for heading in headings[1:]:
        assert re.fullmatch(
            r'## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d|### (Added|Changed|Deprecated|Removed|Fixed|Security)',
            heading,
        ), heading


def imported(path):
    """Yield what a file of Python imports, at its top or later."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition('.')[0] for name in names)
            case ast.ImportFrom(module=str(name), level=0):
                yield name.partition('.')[0]


@pytest.mark.parametrize(
    ('folders', 'extras'),
    [(('clbpe', 'bids_app', 'pipelines'), ()), (('tests', 'benchmarks', 'docs'), ('test', 'docs'))],
)
def test_what_is_imported_is_declared(folders, extras):
    """Without the lock an environment has what setup.cfg names, and what that cannot be without."""
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / 'setup.cfg')
    lines = [
        parser['options']['install_requires'],
        *(parser['options.extras_require'][name] for name in extras),
    ]
    declared = {
        re.match(r'[\w-]+', word)[0].lower() for line in lines for word in line.split() if word[0].isalpha()
    }
    known = {
        name for name, owners in packages_distributions().items() if declared & {o.lower() for o in owners}
    }
    # before Python 3.12 nobody owns a module that is one compiled file
    known |= {name.replace('-', '_') for name in declared}
    known |= {
        'bids_app',
        'pipelines',
        'clbpe',
        'tests',
        'docs',
        'benchmarks',
        *BROUGHT,
        *sys.stdlib_module_names,
    }
    missing = {
        path.relative_to(REPOSITORY).as_posix(): unknown
        for folder in folders for path in (REPOSITORY / folder).rglob('*.py')
        if (unknown := set(imported(path)) - known)
    }  # fmt: skip
    assert missing == {}


def test_the_lock_serves_every_python_that_is_promised():
    """Debian 12 has 3.11.2: what is locked must not ask for a later one of the series."""
    promised = re.findall(r'Python :: (3\.\d+)$', (REPOSITORY / 'setup.cfg').read_text(), re.MULTILINE)
    lines = [(REPOSITORY / name).read_text() for name in ('requirements.txt', 'requirements-dev.txt')]
    names = re.findall(r'^([\w.-]+)==', ''.join(lines), re.MULTILINE)
    asked = {name: metadata(name)['Requires-Python'] or '' for name in names}
    assert len(asked) > 100
    refused = [
        (name, python)
        for name, need in asked.items()
        for python in promised
        if f'{python}.0' not in SpecifierSet(need)
    ]
    assert refused == []


def test_a_pin_from_above_has_its_reason_beside_it():
    lines = (
        (REPOSITORY / 'setup.cfg')
        .read_text()
        .split('install_requires =')[1]
        .split('[options.')[0]
        .splitlines()
    )
    for before, line in itertools.pairwise(lines):
        if '<' in line and not line.lstrip().startswith('#'):
            assert before.lstrip().startswith('#'), f'{line.strip()}: why?'


@pytest.mark.parametrize(
    'name', ['LICENSE', 'NOTICE', 'CONTRIBUTING.md', 'CODE_OF_CONDUCT.md', 'SECURITY.md', 'CHANGES.md', '.github/pull_request_template.md']
)  # fmt: skip
def test_what_people_look_for_is_there(name):
    assert len((REPOSITORY / name).read_text()) > 200
