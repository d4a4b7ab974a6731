"""``clbpe-simulate``: write a small dataset whose NAc-mPFC connectivity is known."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import ClbpeError
from pipelines.params import SPACES

from .cli import dashed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    options = parser().parse_args([dashed(a) for a in arguments])
    from .phantom import Request, write_dataset

    request = Request(**{k: v for k, v in vars(options).items() if v is not None})
    try:
        write_dataset(request)
    except ClbpeError as error:
        print(f'clbpe-simulate: {error}', file=sys.stderr)
        return error.exit_code
    print(
        f'Written: {request.directory}. What was planted: {request.directory / "sourcedata" / "truth.json"}'
    )
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    command = argparse.ArgumentParser(prog='clbpe-simulate', description=__doc__, allow_abbrev=False)
    add = command.add_argument
    add('directory', type=Path, metavar='DIR', help='new or empty folder')
    add('--participants', type=_positive, help='number of participants (default 2)')
    add('--sessions', nargs='+', type=_label, help='session labels (default: pre post)')
    add('--layout', choices=('raw', 'fmriprep'), help='raw BIDS or fMRIPrep derivatives (default fmriprep)')
    add('--n-volumes', type=_positive, help='volumes per run (default 240)')
    add('--t-r', type=_positive_number, help='repetition time in s (default 2)')
    add('--voxel-size', type=_positive_number, help='BOLD voxel in mm (default 2 fmriprep, 3 raw)')
    add('--space', choices=SPACES, help='template of the brain (default MNI152NLin6Asym)')
    add('--seed', type=int, help='the same seed gives the same bytes (default 1)')
    add('--confounds', type=Path, metavar='FILE.tsv', help='confounds of a real run (with FILE.json beside)')
    return command


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text}: a whole number above 0 is needed')
    return int(text)


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e4:
        raise argparse.ArgumentTypeError(f'{text}: a number above 0 is needed')
    return number


def _label(text: str) -> str:
    label = text.removeprefix('ses-')
    if not (label.isascii() and label.isalnum()):
        raise argparse.ArgumentTypeError(f'{text}: letters and digits only')
    return label


if __name__ == '__main__':
    sys.exit(main())
