"""Readers of files, given much more damage than the tests give them, and another each time."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from .checks import REPOSITORY, Collector, Context, met


def fuzz(context: Context) -> Collector:
    """Damaged images, tables, sidecars and files of our own: read, or refused in our own words; 2,000 of each kind."""
    checks, report = met('fuzz'), context.out / 'fuzz.xml'
    context.out.mkdir(parents=True, exist_ok=True)
    profile = 'quick' if context.sloppy else 'long'
    words = [
        '-q',
        '-m',
        'fuzz',
        '--hypothesis-profile',
        profile,
        f'--junitxml={report}',
        '--show-capture=no',
        'tests',
    ]
    subprocess.run([sys.executable, '-m', 'pytest', *words], cwd=REPOSITORY, check=False)
    for name, seconds, problem in _cases(report):
        checks.note(name, problem or f'{seconds:.0f} s', not problem)
    checks.note('there are tests', len(checks.checks), bool(checks.checks))
    return checks


def _cases(report: Path) -> list[tuple[str, float, str]]:
    """Return name, seconds and first line of the failure of each test."""
    found = []
    for case in ET.parse(report).iter('testcase') if report.exists() else ():
        problem = next((part.get('message', '') for part in case if part.tag in ('failure', 'error')), '')
        name = f'{case.get("classname", "").rpartition(".")[2]} {case.get("name", "")}'
        found.append((name, float(case.get('time', 0)), problem.split('\n')[0][:300]))
    return found
