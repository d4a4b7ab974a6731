"""Scripts of a newcomer: they run on macOS, whose bash is 3.2 and whose tools are not GNU's."""

import re
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / 'scripts'
SHELL = [path for path in sorted(SCRIPTS.iterdir()) if path.read_bytes().startswith(b'#!/usr/bin/env bash')]
GNU = {
    'mapfile': 'while read, or a for over a pattern',
    'readarray': 'while read, or a for over a pattern',
    'realpath': 'cd and pwd',
    'readlink -f': 'cd and pwd',
    'sha256sum': "Python's hashlib",
    'md5sum': "Python's hashlib",
    'nproc': 'getconf _NPROCESSORS_ONLN',
    'sed -i': 'a file of its own',
    'grep -P': 'grep -E',
    'declare -A': 'a file',
    'timeout': 'Python',
}
"""Words of Linux, and what does the same everywhere."""


def test_there_are_scripts():
    assert {'demo', 'install', 'lint', 'test'} <= {path.name for path in SHELL}


@pytest.mark.parametrize('path', SHELL, ids=lambda path: path.name)
def test_a_script_uses_what_every_system_has(path):
    code = '\n'.join(line for line in path.read_text().splitlines() if not line.lstrip().startswith('#'))
    used = {word: instead for word, instead in GNU.items() if re.search(rf'(?<![\w-]){word}(?![\w-])', code)}
    assert not used
    # ${name^^}, ${name,,} and ${name@Q} are of bash 4
    assert not re.search(r'\$\{\w+(\^|,|@[A-Z])', code)
    assert subprocess.run(['bash', '-n', path], check=False).returncode == 0
