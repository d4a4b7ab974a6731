"""``scripts/accept``: run, show the table, and fail if a promise is not kept."""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from . import (
    circuits,
    diffusion,
    functional,
    interrupted,
    marked,
    pages,
    platforms,
    simulations,
    storages,
    strangers,
    whole,
)
from .checks import Check, Collector, Context, data_folder, met, show
from .faults import datasets, disks, kills, limits

Run = Callable[[Context], Collector]
SCANS: dict[str, Run] = {
    'xa30_lowres': functional.xa30_lowres,
    'simulated_raw': functional.simulated_raw,
    'studyforrest': functional.studyforrest,
    'philips_dwi32': diffusion.philips_dwi32,
    'xa30_dwi': diffusion.xa30_dwi,
    'five_bold': circuits.five_bold,
    'five_dwi': circuits.five_dwi,
    'other_tract': circuits.other_tract,
    'simulated_qsiprep': diffusion.simulated_qsiprep,
    'simulated_dwi': diffusion.simulated_dwi,
    'interrupted': interrupted.interrupted,
    'storages': storages.storages,
    'whole_trial': whole.whole_trial,
}
"""Whole chains."""

MARKED: dict[str, Run] = {'chains': marked.chains, 'fuzz': marked.fuzz}
"""Tests with a mark of this name, in full."""

FAULTS: dict[str, Run] = {
    'bad_datasets': datasets.bad_datasets,
    'kills': kills.kills,
    'limits': limits.limits,
    'disks': disks.disks,
}
"""What strikes the program from outside: each records in ``tests/golden/faults.tsv`` how it ended."""

PLATFORMS: dict[str, Run] = {'babs': platforms.babs}
"""What starts the program by a script of its own, with real engines."""

STRANGERS: dict[str, Run] = {
    'readme': strangers.readme,
    'tutorial': strangers.tutorial,
    'wheel': strangers.wheel,
    'newest': strangers.newest,
    'pages': pages.pages,
}
"""What somebody does who has nothing but the documentation."""

TABLES: dict[str, Run] = {
    'arms_error': simulations.arms_error,
    'circuit': simulations.circuit,
    'coverage': simulations.coverage,
    'discrete': simulations.discrete,
    'map_error': simulations.map_error,
    'map_tail': simulations.map_tail,
    'missing': simulations.missing,
    'mediation': simulations.mediation,
    'expression': simulations.expression,
    'quasi': simulations.quasi,
    'placement': simulations.placement,
    'planning': simulations.planning,
    'recovery': simulations.recovery,
    'reliability': simulations.reliability,
    'template_fit': simulations.template_fit,
    'tract_change': simulations.tract_change,
    'tract_fa': simulations.tract_fa,
}
"""Long simulations: each makes a table of tests/golden anew; a quick run holds a small share against it."""

RUNS = SCANS | MARKED | FAULTS | PLATFORMS | STRANGERS | TABLES
SIMULATED = {
    'simulated_raw',
    'simulated_qsiprep',
    'simulated_dwi',
    'storages',
    'whole_trial',
    *MARKED,
    *FAULTS,
    *PLATFORMS,
    *STRANGERS,
    *TABLES,
}
"""Runs that need no real scans."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(prog='scripts/accept', description=__doc__)
    command.add_argument(
        '--sloppy', action='store_true', help='quick and rough, as continuous integration does'
    )
    command.add_argument('--out', type=Path, help='folder of the results (default: a temporary one)')
    command.add_argument(
        '--only', nargs='+', choices=RUNS, default=list(RUNS), metavar='NAME', help='see --list'
    )
    command.add_argument('--list', action='store_true', help='print the names and what each shows')
    return command


def print_names() -> None:
    """Print every name with the first line of what it does."""
    for name, run in RUNS.items():
        print(f'{name:20} {(run.__doc__ or "").splitlines()[0]}')


def finished(name: str, context: Context) -> Collector:
    """Return the checks of one run; what ends it early is a check that is not met, and the others go on."""
    try:
        return RUNS[name](context)
    except Exception as error:  # whatever it is, it belongs in the table
        traceback.print_exc()
        checks = met(name)
        checks.note('comes to its end', f'{type(error).__name__}: {error}', False)
        return checks


def main(words: list[str] | None = None) -> int:
    """Run what was chosen; return 0 when every check is met."""
    options = parser().parse_args(words)
    if options.list:
        print_names()
        return 0
    data = data_folder()
    if not data.is_dir() and not set(options.only) <= SIMULATED:
        print(f'real scans not found in {data}; set CLBPE_TEST_DATA', file=sys.stderr)
        return 66
    out = (options.out or Path(tempfile.mkdtemp(prefix='clbpe-accept-'))).absolute()
    checks: list[Check] = []
    for name in options.only:
        checks += finished(name, Context(data, out, options.sloppy))
    show(checks)
    print(f'Results: {out}')
    return 0 if all(check.is_met for check in checks) else 1


if __name__ == '__main__':
    sys.exit(main())
