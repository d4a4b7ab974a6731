"""``clbpe-simulate``: write a small dataset whose NAc-mPFC connectivity and tract are known."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import ClbpeError
from pipelines.params import SPACES

from ..cli import dashed
from ..running.home import settle_home


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    settle_home()
    arguments = sys.argv[1:] if argv is None else list(argv)
    options = parser().parse_args([dashed(a) for a in arguments])
    given = {k: v for k, v in vars(options).items() if v is not None}
    try:
        _write(given)
    except ClbpeError as error:
        print(f'clbpe-simulate: {error}', file=sys.stderr)
        return error.exit_code
    root = options.directory
    print(f'Written: {root}. What was planted: {root / "sourcedata" / "truth.json"}')
    return 0


def _write(given: dict[str, Any]) -> None:
    # heavy imports wait until the command line is known to be right
    from .files import TRIAL_SIZES, Request

    if not given['trial']:
        from .dataset import write_dataset

        write_dataset(Request(**given))
        return
    from .trial import write_trial

    write_trial(Request(**{**TRIAL_SIZES, **given}))


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    command = argparse.ArgumentParser(prog='clbpe-simulate', description=__doc__, allow_abbrev=False)
    add = command.add_argument
    add('directory', type=Path, metavar='DIR', help='new or empty folder')
    add(
        '--trial',
        action='store_true',
        help='a two-arm trial with known truth: scans, tables, BDNF and gene counts; small scans by default',
    )
    add('--participants', type=_positive, help='number of participants (default 2, trial 57)')
    add('--sessions', nargs='+', type=_label, help='session labels (default: pre post)')
    add(
        '--layout',
        choices=('raw', 'fmriprep', 'qsiprep', 'preprocessed'),
        help='raw BIDS, or derivatives of fMRIPrep or QSIPrep (default fmriprep); '
        'preprocessed: both, in a trial (its default)',
    )
    add('--raw-participants', type=_count, metavar='K', help='of a trial: the first K have raw scans only')
    add('--genes', type=_positive, help='of a trial: expressed genes (default 12000)')
    add(
        '--modalities',
        nargs='+',
        choices=('bold', 'dwi'),
        help='of raw BIDS; the T1w is always written (default both)',
    )
    add('--n-volumes', type=_positive, help='volumes per run (default 240, trial 150)')
    add('--t-r', type=_positive_number, help='repetition time in s (default 2, trial 3)')
    add('--voxel-size', type=_positive_number, help='BOLD voxel in mm (default 2 fmriprep, 3 raw, 4 trial)')
    add(
        '--space',
        choices=SPACES,
        help='template of the brain (default MNI152NLin6Asym, qsiprep MNI152NLin2009cAsym)',
    )
    add('--seed', type=int, help='the same seed gives the same data (default 1)')
    add('--confounds', type=Path, metavar='FILE.tsv', help='confounds of a real run (with FILE.json beside)')
    _add_diffusion(command)
    return command


def _add_diffusion(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--dwi-directions', type=_positive, help='directions per shell (default 64, trial 32)')
    add('--dwi-bvals', nargs='+', type=_positive_number, metavar='B', help='shells in s/mm2 (default 1000)')
    add('--dwi-voxel-size', type=_positive_number, help='DWI voxel in mm (default 2.5, trial 3)')
    add('--anatomy-voxel-size', type=_positive_number, help='T1w voxel of QSIPrep in mm (default: 1 or more)')
    add('--dwi-motion', type=_not_negative, help='largest shift of the head in mm, raw (default 0.2)')
    add('--snr', type=_positive_number, help='of white matter at b 0 (default 30)')
    add('--tract-fa', type=_not_negative, help='typical FA of the fibres; 0 plants none (default 0.55)')


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text}: a whole number above 0 is needed')
    return int(text)


def _count(text: str) -> int:
    return 0 if text == '0' else _positive(text)


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e4:
        raise argparse.ArgumentTypeError(f'{text}: a number above 0 is needed')
    return number


def _not_negative(text: str) -> float:
    return 0.0 if text.strip('0.') == '' and '0' in text else _positive_number(text)


def _label(text: str) -> str:
    label = text.removeprefix('ses-')
    if not (label.isascii() and label.isalnum()):
        raise argparse.ArgumentTypeError(f'{text}: letters and digits only')
    return label


if __name__ == '__main__':
    sys.exit(main())
