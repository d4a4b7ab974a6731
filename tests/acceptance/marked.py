"""Tests that are run in full here, and in a short form or not at all by ``scripts/test``."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from .checks import REPOSITORY, Collector, Context, met


class Case(NamedTuple):
    """A test that ran: its name, seconds, and the first line of why it failed."""

    name: str
    seconds: float
    problem: str


def fuzz(context: Context) -> Collector:
    """Damaged images, tables, sidecars and files of our own: read, or refused in our own words; 2,000 of each kind."""
    cases = _run(context, 'fuzz', '--hypothesis-profile', 'quick' if context.sloppy else 'long')
    checks = met('fuzz')
    for case in cases:
        checks.note(case.name, case.problem or f'{case.seconds:.0f} s', not case.problem)
    checks.note('there are tests', len(cases), bool(cases))
    return checks


def chains(context: Context) -> Collector:
    """Whole chains beside the one of each family that the tests run: other designs, layouts, faults and anatomies."""
    cases = _run(context, 'long', '--numprocesses', '2', '--dist', 'loadfile')
    checks = met('chains')
    for case in cases:
        if case.problem:
            checks.note(case.name, case.problem, False)
    held = sum(not case.problem for case in cases)
    checks.note('tests that hold', f'{held} of {len(cases)}', held == len(cases) > 0)
    return checks


def _run(context: Context, mark: str, *words: str) -> list[Case]:
    report = context.out / f'{mark}.xml'
    context.out.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [
        sys.executable,
        '-m',
        'pytest',
        '-q',
        '-m',
        mark,
        *words,
        f'--junitxml={report}',
        '--show-capture=no',
    ]
    subprocess.run([*command, 'tests'], cwd=REPOSITORY, check=False)
    return _cases(report)


def _cases(report: Path) -> list[Case]:
    """Return the tests that a report tells of; one that was skipped has shown nothing."""
    found = []
    for case in ET.parse(report).iter('testcase') if report.exists() else ():
        told = [part.get('message', '') for part in case if part.tag in ('failure', 'error', 'skipped')]
        name = f'{case.get("classname", "").rpartition(".")[2]} {case.get("name", "")}'
        problem = (told[0] or 'no word') if told else ''
        found.append(Case(name, float(case.get('time', 0)), problem.split('\n')[0][:300]))
    return found
