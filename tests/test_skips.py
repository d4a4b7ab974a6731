"""Where nothing may be skipped, a skipped test fails the run; elsewhere it does not."""

import os
import subprocess
import sys

import pytest

from .conftest import REPOSITORY

CASES = """
import pytest

def test_told():
    pytest.skip('no engine')

def test_on_the_list():
    pytest.skip('this Slurm enforces no memory (no cgroup version 1)')

def test_passes():
    pass
"""
MODULE = "import pytest\n\npytest.importorskip('no_such_module')\n"
SECTION = 'skipped, and nothing may be'


@pytest.mark.parametrize(
    ('strict', 'words', 'status', 'named'),
    [
        ('1', ['-n', '2'], 1, ['test_it.py::test_told: no engine', 'test_module.py: ']),
        ('1', ['-k', 'list or passes', '--ignore-glob', '*_module.py'], 0, []),
        ('', [], 0, []),
    ],
    ids=['strict', 'on the list', 'elsewhere'],
)
def test_a_skip_fails_where_it_must_not_be(tmp_path, strict, words, status, named):
    (tmp_path / 'test_it.py').write_text(CASES)
    (tmp_path / 'test_module.py').write_text(MODULE)
    (tmp_path / 'own.ini').write_text('[pytest]\n')
    command = [sys.executable, '-m', 'pytest', '-c', tmp_path / 'own.ini', '-p', 'tests.conftest', *words]
    environment = {**os.environ, 'CLBPE_NO_SKIPS': strict, 'PYTHONPATH': str(REPOSITORY)}
    environment.pop('PYTEST_XDIST_WORKER', None)
    done = subprocess.run(
        [*command, tmp_path], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == status, done.stdout + done.stderr
    told = done.stdout.partition(SECTION)[2].splitlines()
    assert [any(line.startswith(name) for line in told) for name in named] == [True] * len(named)
    assert not any('on_the_list' in line for line in told)
    assert (SECTION in done.stdout) == bool(status)
