"""Tests that are run in full here, and in a short form or not at all by ``scripts/test``."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from tests.damage import INPUTS

from .checks import REPOSITORY, Collector, Context, met
from .faults.record import Tally, record


class Case(NamedTuple):
    """A test that ran: its name, seconds, the first line of why it failed or was skipped, and inputs drawn for it."""

    name: str
    seconds: float
    problem: str
    is_skipped: bool = False
    n_inputs: int = 0


def fuzz(context: Context) -> Collector:
    """Damaged images, tables, sidecars and files of our own: read, or refused in our own words; 2,000 of each kind."""
    cases = run_marked(context, 'fuzz', '--hypothesis-profile', 'quick' if context.sloppy else 'long')
    checks, tally = met('fuzz'), Tally('inputs with places cut, doubled, swapped, replaced or flipped')
    for case in cases:
        checks.note(case.name, case.problem or f'{case.seconds:.0f} s', not case.problem)
        tally.note('', n=max(case.n_inputs - bool(case.problem), 0))
        if case.problem:  # of the input that escapes, and nothing is drawn after it
            tally.note(case.problem, case.name)
    record(context, checks, [tally])
    checks.note('there are tests', len(cases), bool(cases))
    return checks


def chains(context: Context) -> Collector:
    """Whole chains beside the one of each family that the tests run: other designs, layouts, faults and anatomies."""
    cases = run_marked(context, 'long', '--numprocesses', '2', '--dist', 'loadfile')
    checks = met('chains')
    for case in cases:
        if case.problem:
            checks.note(case.name, case.problem, False)
    held = sum(not case.problem for case in cases)
    checks.note('tests that hold', f'{held} of {len(cases)}', held == len(cases) > 0)
    return checks


def run_marked(context: Context, mark: str, *words: str) -> list[Case]:
    """Run the tests of a mark and return what became of each."""
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
        ended = [part for part in case if part.tag in ('failure', 'error', 'skipped')]
        told = [part.get('message', '') for part in ended]
        name = f'{case.get("classname", "").rpartition(".")[2]} {case.get("name", "")}'
        problem = (told[0] or 'no word') if told else ''
        is_skipped = any(part.tag == 'skipped' for part in ended)
        n_inputs = sum(
            int(part.get('value', 0)) for part in case.iter('property') if part.get('name') == INPUTS
        )
        seconds = float(case.get('time', 0))
        found.append(Case(name, seconds, problem.split('\n')[0][:300], is_skipped, n_inputs))
    return found
