"""What acceptance runs share: start the program, read its outputs, note what was asked and found."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[2]


class Check(NamedTuple):
    """One line of the table."""

    run: str
    asked: str
    found: str
    is_met: bool


class Context(NamedTuple):
    """Where scans are and results go; ``sloppy`` runs are quick and rough."""

    data: Path
    out: Path
    sloppy: bool


class Finished(NamedTuple):
    """How the program ended."""

    status: int
    seconds: float
    text: str

    def is_in(self, seconds: float, context: Context) -> bool:
        """Whether the time was kept; a quick and rough run on a crowded machine says nothing of it."""
        return context.sloppy or self.seconds < seconds


def run_clbpe(
    context: Context,
    bids_dir: Path,
    out: Path,
    *words: str,
    work: Path | None = None,
    level: str = 'participant',
) -> Finished:
    """Run a level in a process of its own; its lines are shown as they come."""
    command = [sys.executable, '-m', 'bids_app', str(bids_dir), str(out), level]
    command += ['-w', str(work or out.with_name(out.name + '_work')), *words, *['--sloppy'] * context.sloppy]
    print('\n$ clbpe', *command[3:], flush=True)
    start, lines = time.monotonic(), []
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end='', flush=True)
            lines.append(line)
    return Finished(process.returncode, time.monotonic() - start, ''.join(lines))


def validator_errors(dataset: Path) -> list[str]:
    """Return the errors that the BIDS validator finds."""
    program = Path(sys.executable).with_name('bids-validator-deno')
    found = str(program) if program.exists() else shutil.which('bids-validator-deno')
    if not found:
        return ['bids-validator-deno is not installed']
    done = subprocess.run([found, '--json', str(dataset)], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)['issues']['issues']
    return [f'{i.get("code")}: {i.get("location")}' for i in issues if i['severity'] == 'error']


def read_one(dataset: Path, pattern: str) -> pd.DataFrame:
    """Return the one table that matches."""
    (path,) = dataset.rglob(pattern)
    return pd.read_csv(path, sep='\t', na_values=['n/a'])


def read_matrix(dataset: Path, run: str = '') -> pd.DataFrame:
    """Return the Fisher z of regions (rows and columns by name) in the one run whose name begins so, from all its volumes."""
    return read_one(dataset, f'{run}*_stat-fisherz_relmat.tsv').set_index('node')


def read_json(dataset: Path, pattern: str) -> dict:
    """Return the one JSON file that matches."""
    (path,) = dataset.rglob(pattern)
    return dict(json.loads(path.read_text()))


def data_folder() -> Path:
    """Return the folder of real scans."""
    return Path(os.environ.get('CLBPE_TEST_DATA', REPOSITORY.parent / 'shared' / 'data'))


def show(checks: list[Check]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title='Acceptance', show_lines=False)
    for column in ('run', 'asked', 'found', ''):
        table.add_column(column, overflow='fold')
    for check in checks:
        table.add_row(check.run, check.asked, check.found, 'met' if check.is_met else '[red]NOT MET[/red]')
    Console(width=150 if not sys.stdout.isatty() else None).print(table)


def met(run: str) -> 'Collector':
    """Return a collector of the checks of one run."""
    return Collector(run)


class Collector:
    """Notes checks of one run; ``note(asked, found, is_met)``."""

    def __init__(self, run: str) -> None:
        self.run, self.checks = run, list[Check]()

    def note(self, asked: str, found: object, is_met: bool) -> None:
        """Add one line."""
        self.checks.append(Check(self.run, asked, str(found), bool(is_met)))

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)
