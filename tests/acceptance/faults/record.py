"""How often a fault was tried and how often it ended in the right way: ``tests/golden/faults.tsv``.

A row says what ran it, which state of the program (a digest of its source) and on which day.  Nothing here is drawn again by a test: what is recorded is
the whole program on one machine, and hours of it.
"""

import datetime
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from ..checks import REPOSITORY, Collector, Context
from ..made import GOLDEN, sha256

TABLE = GOLDEN / 'faults.tsv'
COLUMNS = ['run', 'fault', 'tries', 'survived', 'failed', 'program', 'date']

_FOLDERS = re.compile(r'(?<![\w.])/(?:[\w.+-]+/)+')
"""Of this machine, in what the program says of a file."""


class Tally:
    """Counts tries of one fault, and keeps in words what did not end in the right way."""

    def __init__(self, fault: str) -> None:
        self.fault, self.tries, self.failed = fault, 0, list[str]()

    def note(self, problem: str, what: str = '', n: int = 1) -> None:
        """Count tries that ended in the right way, or with a problem."""
        self.tries += n
        if problem:
            said = _FOLDERS.sub('', f'{what}: {problem}'.removeprefix(': '))
            self.failed += [' '.join(said.split())[:160]] * n
        print(f'{self.fault}: {self.tries} tries, {len(self.failed)} failed {problem[:300]}', flush=True)

    @property
    def survived(self) -> int:
        """Tries that ended in the right way."""
        return self.tries - len(self.failed)


def record(context: Context, checks: Collector, tallies: Iterable[Tally], table: Path = TABLE) -> None:
    """Note each fault, and write its row in place of the one of before; a quick and rough run writes none."""
    day = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    for tally in tallies:
        found = (
            f'{tally.survived} of {tally.tries}{"; " if tally.failed else ""}{"; ".join(told(tally.failed))}'
        )
        checks.note(tally.fault, found, not tally.failed and tally.tries > 0)
        if not context.sloppy and tally.tries:
            problems = '; '.join(told(tally.failed)) or 'n/a'
            row = [checks.run, tally.fault, tally.tries, tally.survived, problems, program(), day]
            put(row, table)


def program() -> str:
    """Return a digest of the program's committed source, which is the same wherever its history is told otherwise."""
    command = ['git', 'rev-parse', 'HEAD:clbpe', 'HEAD:bids_app', 'HEAD:pipelines']
    trees = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
    return sha256(trees)[:8]


def told(problems: list[str]) -> Iterator[str]:
    """Yield each problem once, with how often it was found.

    Examples
    --------
    >>> list(told(['hangs', 'status 1', 'hangs']))
    ['hangs (2)', 'status 1']

    """
    for problem in dict.fromkeys(problems):
        n = problems.count(problem)
        yield f'{problem} ({n})' if n > 1 else problem


def put(row: list[object], table: Path = TABLE) -> None:
    """Write one row; others of the same run and fault go."""
    known = read(table)
    is_other = (known['run'] != row[0]) | (known['fault'] != row[1])
    own = pd.DataFrame([row], columns=COLUMNS)
    found = pd.concat([known[is_other], own], ignore_index=True) if len(known) else own
    found.to_csv(table, sep='\t', index=False)


def read(table: Path = TABLE) -> pd.DataFrame:
    """Return what is recorded."""
    if not table.exists():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(table, sep='\t', keep_default_na=False)
