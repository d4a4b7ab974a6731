"""Committed tables are those that today's source makes; what changed, and how to make them anew, is told."""

import hashlib

import pytest

from tests.acceptance import made
from tests.acceptance.__main__ import TABLES, main

REGISTRY = made.read_registry()
MADE_BY_RUNS = sorted(made.STUDIES.glob('[!_]*.py'))


@pytest.mark.parametrize('table', REGISTRY)
def test_a_table_is_what_todays_source_makes(table):
    entry = REGISTRY[table]
    source = made.source_of(made.STUDIES / f'{entry["study"]}.py')
    changed = made.changed(entry, source)
    assert not changed, f'{table} was made before {", ".join(changed)} changed; run: {entry["command"]}'
    content = hashlib.sha256((made.GOLDEN / table).read_bytes()).hexdigest()
    assert content == entry['content'], f'{table} is not what the run wrote; run: {entry["command"]}'


def test_every_study_has_its_table_and_its_name():
    assert (
        {entry['study'] for entry in REGISTRY.values()} == {path.stem for path in MADE_BY_RUNS} == set(TABLES)
    )
    assert all(entry['command'] == f'scripts/accept --only {entry["study"]}' for entry in REGISTRY.values())


STUDY = 'from pipelines import first\n\n\ndef make():\n    return first.double(2) + first.LIMIT\n'
CODE = '''"""Text."""
import numpy as np
from scipy.stats import norm, t
from pipelines import other  # why
LIMIT = 3
"""What it limits."""


def double(x):
    """Return twice."""
    return other.add(x, x) + norm.ppf(0.5)


def unused(x):
    return x
'''
OTHER = 'def add(x, y):\n    return x + y\n\n\ndef power(x, y):\n    return x ** y\n'


@pytest.fixture
def repository(tmp_path):
    """Return a repository of a study and two modules it rests on."""
    for name, text in (('tests/study', STUDY), ('pipelines/first', CODE), ('pipelines/other', OTHER)):
        path = tmp_path / f'{name}.py'
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def told(repository, change):
    """Return what is named after a change."""
    study = repository / 'tests/study.py'
    before = made.source_of(study, repository)
    assert set(before.files) == {'tests/study.py', 'pipelines/first.py', 'pipelines/other.py'}
    change(repository / 'pipelines')
    entry = {'digest': before.digest, 'sources': before.files}
    return made.changed(entry, made.source_of(study, repository))


def edit(old, new, name='first', text=CODE):
    assert old in text
    return lambda folder: (folder / f'{name}.py').write_text(text.replace(old, new))


def move(folder):
    """Put everything into a module of its own, handed on from where it was."""
    (folder / 'first.py').write_text('from .second import double\nfrom .second import LIMIT\n')
    (folder / 'second.py').write_text(CODE.replace('from pipelines import other', 'from . import other'))


def rename(folder):
    edit('add(x, y)', 'total(x, y)', 'other', OTHER)(folder)
    edit('other.add', 'other.total')(folder)


@pytest.mark.parametrize(
    'change',
    [
        edit('Return twice', 'Return two times'),
        edit('# why', '# for this reason'),
        edit('other.add(x, x)', 'other.add(\n        x, x\n    )'),
        edit('import numpy as np', 'import pandas'),
        edit('What it limits', 'How far'),
        edit('def unused(x):\n    return x', 'def unused(x):\n    return x + 1'),
        move,
        rename,
    ],
)
def test_wording_place_and_name_make_no_table_old(repository, change):
    assert told(repository, change) == []


@pytest.mark.parametrize(
    ('change', 'names'),
    [
        (edit('LIMIT = 3', 'LIMIT = 4'), ['pipelines/first.py']),
        (edit('add(x, x)', 'add(x, x + 0)'), ['pipelines/first.py']),
        (edit('x + y', 'x - y', 'other', OTHER), ['pipelines/other.py']),
        (edit('other.add', 'other.power'), ['pipelines/other.py']),
        (edit('norm.ppf', 't.ppf'), ['pipelines/first.py']),
    ],
)
def test_another_computation_is_named(repository, change, names):
    assert told(repository, change) == names


def test_functions_that_change_places_are_told(repository):
    study = 'from pipelines import other\n\n\ndef make():\n    return other.add(2, 3), other.power(2, 3)\n'
    (repository / 'tests/study.py').write_text(study)
    before = made.source_of(repository / 'tests/study.py', repository)
    swapped = study.replace('add', 'each').replace('power', 'add').replace('each', 'power')
    (repository / 'tests/study.py').write_text(swapped)
    after = made.source_of(repository / 'tests/study.py', repository)
    assert made.changed({'digest': before.digest, 'sources': before.files}, after) == ['what is called where']


def test_names_are_listed_and_an_unknown_one_is_refused_with_the_list(capsys):
    assert main(['--list']) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in TABLES)
    with pytest.raises(SystemExit, match='2'):
        main(['--only', 'covrage'])
    refused = capsys.readouterr().err
    assert all(name in refused for name in ('covrage', *TABLES))
