"""Scripts of a newcomer: they run on macOS, whose bash is 3.2 and whose tools are not GNU's."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPTS = REPOSITORY / 'scripts'
SHELL = [
    path
    for path in sorted(SCRIPTS.iterdir())
    if path.is_file() and path.read_bytes().startswith(b'#!/usr/bin/env bash')
]
GNU = {
    r'mapfile': 'while read, or a for over a pattern',
    r'readarray': 'while read, or a for over a pattern',
    r'realpath': 'cd and pwd',
    r'readlink -\w*[fem]': 'cd and pwd',
    r'(sha\d+|md5)sum': "Python's hashlib",
    r'nproc': 'getconf _NPROCESSORS_ONLN',
    r'sed (-\w+ )*(-\w*[ir]\S*|--\w+)': 'sed -E; a file of its own',
    r'grep (-\w+ )*-\w*P\w*': 'grep -E',
    r'date (-\w+ )*(-\w*[dI]\w*|--\w+)': "date +FORMAT, or Python's datetime",
    r'stat': "Python's os.stat",
    r'find [^|;]*-(printf|readable|executable|maxdepth=)': 'find -exec',
    r'xargs (-\w+ )*-\w*[rd]\w*': 'a for',
    r'(head|tail) (-\w+ )*-n ?[-+]\d': 'sed',
    r'(cp|ln|mv|du|ls|sort|tar|touch|rm|mktemp|wc) (-\w+ )*--\w+': 'short options',
    r'cp (-\w+ )*-\w*[atu]\w*': 'cp -R -p',
    r'ln (-\w+ )*-\w*[rt]\w*': 'a path from the root',
    r'base64 (-\w+ )*-\w*w\w*': 'base64 | tr -d',
    r'declare -\w*[An]\w*': 'a file',
    r'local -n': 'eval, or a file',
    r'(timeout|tac|shuf|numfmt|setsid|free|ldd|getent|apt-get)': 'Python',
    r'\$\{\w+(\^|,|@[A-Za-z])': 'tr',  # bash 4
    r'&>>|\|&|coproc|\[\[ -v': 'what bash 3.2 knows',
}
"""Words of Linux, or of a newer bash, and what does the same everywhere."""


def of_linux(code):
    """Return what a script uses that other systems lack, with what does the same."""
    code = '\n'.join(line for line in code.splitlines() if not line.lstrip().startswith('#'))
    return {
        word: instead
        for word, instead in GNU.items()
        if re.search(rf'(?<![\w./-]){word}(?![\w-]|\.\w)', code)
    }


def test_there_are_scripts():
    assert {'accept', 'bench', 'demo', 'docs', 'image', 'install', 'lint', 'release', 'test'} <= {
        path.name for path in SHELL
    }


@pytest.mark.parametrize('path', SHELL, ids=lambda path: path.name)
def test_a_script_uses_what_every_system_has(path):
    assert of_linux(path.read_text()) == {}
    assert subprocess.run(['bash', '-n', path], check=False).returncode == 0


@pytest.mark.parametrize(
    'line',
    [
        'mapfile -t all <list', 'here=$(realpath -m .)', 'here=$(readlink -f "$0")', 'sha256sum file | cut -c 1-9', 'cat x|md5sum',
        "sed -i 's/a/b/' file", "sed -i.bak 's/a/b/' file", "sed -n -r 's/a+/b/p' file", "grep -oP '\\d+' file", 'date -d yesterday', 'date -u -Iseconds',
        'stat -c %s file', 'find . -printf "%p"', 'ls | xargs -r rm', 'head -n -1 file', 'cp --parents a b', 'cp -a here there',
        'ln -sr a b', 'base64 -w 0 file', 'declare -A of', 'timeout 5 sleep 9', 'echo "${name^^}"', 'echo "${name@Q}"', 'run |& tee log',
        'n=$(nproc)',
    ],
)  # fmt: skip
def test_what_other_systems_lack_is_seen(line):
    assert of_linux(f'set -e\n{line}\n') != {}
    assert of_linux(f'# {line}\n') == {}


@pytest.mark.parametrize(
    'line',
    [
        "sed -n 's/a/b/p' file", "sed -E 's/a+/b/' file", "grep -E '[0-9]+' file", 'date -u +%Y-%m-%dT%H:%M:%SZ', 'cp -R -p a b',
        'tail -n 3 file', 'ln -s a b', 'mkdir -p a/b', 'status=0', 'python -m tests.acceptance --timeout 3', 'scripts/stat',
    ],
)  # fmt: skip
def test_what_every_system_has_may_be_used(line):
    assert of_linux(line) == {}


@pytest.mark.parametrize(('good', 'status'), [('python3.12', 0), ('python3', 0), (None, 1)])
def test_a_python_that_does_not_run_is_passed_over(tmp_path, good, status):
    """Version managers put a program of every name on the path, which fails for versions that are not chosen."""
    for name in ('python3.11', 'python3.12', 'python3.13', 'python3'):
        text = f'exec {sys.executable} "$@"' if name == good else 'echo "command not found" >&2; exit 127'
        (tmp_path / name).write_text(f'#!/bin/sh\n{text}\n')
        (tmp_path / name).chmod(0o755)
    files = ('requirements.txt', 'requirements-dev.txt', 'setup.cfg', 'pyproject.toml')
    content = b''.join((REPOSITORY / name).read_bytes() for name in files)
    (tmp_path / 'env').mkdir()
    # an environment that is up to date: nothing is installed
    (tmp_path / 'env/.stamp').write_text(hashlib.sha256(content + b'\n').hexdigest() + '\n')
    environment = {'PATH': f'{tmp_path}:{os.defpath}', 'CLBPE_VENV': str(tmp_path / 'env')}
    done = subprocess.run([SCRIPTS / 'install'], env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert ('no Python found' in done.stderr) == bool(status)
