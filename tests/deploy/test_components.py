"""What a release consists of is listed for programs that look for weaknesses, and they are looked up where a database answers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from .test_files import load_script

REPOSITORY = Path(__file__).resolve().parents[2]
LARGEST_LIST = 0.5e6  # bytes


def locked():
    lines = re.findall(r'^([\w.-]+)==(\S+)$', (REPOSITORY / 'requirements.txt').read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def check_list(text, version):
    """Hold a list of components against the lock, and against what nobody needs to know."""
    listed = json.loads(text)
    found = {canonicalize_name(part['name']): part['version'] for part in listed['components']}
    assert found == locked()
    about = listed['metadata']['component']
    assert (about['name'], about['type'], about['version']) == ('clbpe', 'application', version)
    needed = {row['ref']: row['dependsOn'] for row in listed['dependencies']}
    assert any(ref.startswith('numpy==') for ref in needed[about['bom-ref']])
    with_licence = sum(bool(part.get('licenses')) for part in listed['components'])
    assert with_licence > 0.9 * len(found)
    assert len(text) < LARGEST_LIST
    assert 'file:' not in text
    assert str(REPOSITORY) not in text


@pytest.mark.slow
def test_a_list_of_components_is_the_lock(tmp_path):
    command = [sys.executable, REPOSITORY / 'scripts/sbom', tmp_path / 'list.json', '--version', '1.2.3']
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / 'list.json').read_text()
    check_list(text, '1.2.3')
    from cyclonedx.schema import SchemaVersion  # seconds
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def package(name, *weaknesses):
    return {'name': name, 'version': '1.0', 'vulns': [*weaknesses]}


def weakness(*mended):
    return {'id': 'PYSEC-1', 'fix_versions': [*mended], 'aliases': [], 'description': 'told'}


UNKNOWN = {'name': 'one', 'skip_reason': 'not found'}
ANSWERS = {
    'nothing known': ([package('one'), package('two')], 0, 'audit of 2 packages by pypi: 0 known weaknesses'),
    'mended later': ([package('one', weakness('1.1'))], 1, 'one 1.0: PYSEC-1, mended in 1.1'),
    'not mended': ([package('one', weakness())], 0, 'one 1.0: PYSEC-1, not mended yet'),
    'some unknown': ([UNKNOWN, package('two', weakness('2'))], 1, 'audit of 1 packages by pypi: 1 known'),
    'all unknown': ([UNKNOWN], 0, 'audit skipped, no database of weaknesses answers (pypi: knows none of 1'),
    'no answer': (None, 0, 'audit skipped, no database of weaknesses answers (pypi: NoRoute; osv: NoRoute)'),
}


@pytest.mark.parametrize(('answer', 'status', 'said'), ANSWERS.values(), ids=ANSWERS)
def test_known_weaknesses_that_are_mended_end_the_audit(tmp_path, answer, status, said):
    """A stand-in answers as pip-audit does."""
    text = json.dumps({'dependencies': answer, 'fixes': []})
    speak = 'echo "NoRoute: to host" >&2; exit 1' if answer is None else f"echo '{text}'; exit 1"
    (tmp_path / 'pip-audit').write_text(f'#!/bin/sh\n{speak}\n')
    (tmp_path / 'pip-audit').chmod(0o755)
    done = audited(tmp_path)
    assert (done.returncode, done.stderr) == (status, '')
    assert said in done.stdout
    assert len(done.stdout.splitlines()) <= 2


def audited(programs):
    return subprocess.run(
        [sys.executable, REPOSITORY / 'scripts/audit'],
        env={**os.environ, 'PATH': f'{programs}{os.pathsep}{os.defpath}'}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def test_an_audit_without_its_program_is_skipped(tmp_path):
    done = audited(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        'audit skipped, no database of weaknesses answers (pypi: FileNotFoundError; osv: FileNotFoundError)\n'
    )


@pytest.mark.slow
def test_the_auditor_reads_the_lock_as_it_is_asked_to():
    """Without asking anybody."""
    script = load_script('audit')
    program, *words = script.command(script.DATABASES[0])
    command = [Path(sys.executable).with_name(program), '--dry-run', *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert f'would have audited {len(locked())} packages' in done.stderr


def test_style_and_release_ask_for_both():
    assert '\npython scripts/audit\n' in (REPOSITORY / 'scripts/lint').read_text()
    assert 'scripts/sbom' in (REPOSITORY / 'scripts/release').read_text()
