"""``python -m tests.acceptance``: run, show the table, and fail if a promise is not kept."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import diffusion, functional
from .checks import Check, Collector, Context, data_folder, show

RUNS: dict[str, Callable[[Context], Collector]] = {
    'xa30_lowres': functional.xa30_lowres,
    'simulated_raw': functional.simulated_raw,
    'studyforrest': functional.studyforrest,
    'philips_dwi32': diffusion.philips_dwi32,
    'xa30_dwi': diffusion.xa30_dwi,
    'simulated_qsiprep': diffusion.simulated_qsiprep,
    'simulated_dwi': diffusion.simulated_dwi,
}


def main() -> int:
    """Run what was chosen; return 0 when every check is met."""
    parser = argparse.ArgumentParser(prog='scripts/accept', description=__doc__)
    parser.add_argument(
        '--sloppy', action='store_true', help='quick and rough, as continuous integration does'
    )
    parser.add_argument('--out', type=Path, help='folder of the results (default: a temporary one)')
    parser.add_argument(
        '--only', nargs='+', choices=RUNS, default=list(RUNS), metavar='NAME', help=', '.join(RUNS)
    )
    options = parser.parse_args()
    data = data_folder()
    if not data.is_dir():
        print(f'real scans not found in {data}; set CLBPE_TEST_DATA', file=sys.stderr)
        return 66
    out = (options.out or Path(tempfile.mkdtemp(prefix='clbpe-accept-'))).absolute()
    checks: list[Check] = []
    for name in options.only:
        checks += RUNS[name](Context(data, out, options.sloppy))
    show(checks)
    print(f'Results: {out}')
    return 0 if all(check.is_met for check in checks) else 1


if __name__ == '__main__':
    sys.exit(main())
