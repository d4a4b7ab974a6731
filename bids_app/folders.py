"""Folders of a run, checked before anything is written: what is read, what is written, and who else may write there."""

import logging
import os
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile

from pipelines.access import not_writable, why_unreadable
from pipelines.errors import DatasetError, OutputError

from .settings import STEPS, Settings

LOGGER = logging.getLogger(__name__)


def check_folders(settings: Settings) -> None:
    """Refuse input and output folders that cannot work, before anything is written.

    Raises
    ------
    DatasetError
        The input is absent, not a folder, or the derivative folder is a parent of datasets.
    OutputError
        The output is the input, lies above it, or cannot be written.

    """
    bids_dir, output_dir = settings.bids_dir, settings.output_dir
    _check_readable(bids_dir)
    if not bids_dir.is_dir():
        raise DatasetError(f'{bids_dir} is not a folder. Give the path of a BIDS dataset.')
    for name, path in settings.derivatives:
        _check_derivative(name, path)
    if output_dir.resolve() == bids_dir.resolve():
        raise OutputError(
            f'output folder {output_dir} is the input dataset itself. '
            f'Choose another folder, for example {bids_dir / "derivatives" / "clbpe"}'
        )
    if output_dir.resolve() in bids_dir.resolve().parents:
        raise OutputError(
            f'output folder {output_dir} contains the input dataset {bids_dir}. Choose another folder.'
        )
    for folder in (output_dir, settings.work_dir):
        check_writable(folder)
    check_private(settings.work_dir)


def _check_readable(folder: Path) -> None:
    reason = why_unreadable(folder)
    if reason and not _is_absent(folder):
        raise reason


def _is_absent(path: Path) -> bool:
    """Return whether there is nothing of that name, as far as this user can see."""
    try:
        path.lstat()
    except PermissionError:
        return False
    except OSError:
        return True
    return False


def _check_derivative(name: str, path: Path) -> None:
    _check_readable(path)
    if not path.is_dir():
        raise DatasetError(
            f'--derivatives {name}={path}: not a folder. Give the path of a preprocessed dataset.'
        )
    if any(path.glob('sub-*')):
        if not (path / 'dataset_description.json').is_file():
            LOGGER.warning('%s has no dataset_description.json; it is read all the same', path)
        return
    datasets = sorted(p for p in path.iterdir() if p.is_dir() and any(p.glob('sub-*')))
    if datasets:
        suggestion = ' '.join(f'{p.name}={p}' for p in datasets)
        raise DatasetError(
            f'--derivatives {path}: this folder holds datasets, it is none itself. Use: --derivatives {suggestion}'
        )
    raise DatasetError(
        f'--derivatives {name}={path}: no sub-* folder inside. Give the path of a preprocessed dataset.'
    )


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written into; nothing is left behind.

    Raises
    ------
    OutputError
        Naming the file or folder in the way.

    """
    existing = next(p for p in (folder, *folder.absolute().parents) if os.path.exists(p))
    if not existing.is_dir():
        raise OutputError(f'{existing} is a file; {folder} cannot be made there. Choose another folder.')
    if not os.access(existing, os.W_OK | os.X_OK):
        raise not_writable(folder)
    try:
        with NamedTemporaryFile(prefix='.clbpe-', dir=existing):
            pass
    except PermissionError as error:
        raise not_writable(folder) from error
    except OSError as error:
        raise OutputError(f'{existing} is not writable ({error.strerror}). Choose another folder.') from error


def check_private(work_dir: Path) -> None:
    """Refuse a work folder that other users can put files into: results of steps there are unpickled, which runs code.

    A group may share the work folder; the folder of the steps in it is closed by :func:`close_steps`.

    Raises
    ------
    OutputError
        Naming the folder, its owner and mode.

    """
    for folder in (work_dir, work_dir / STEPS):
        if not folder.is_dir():
            continue
        known = folder.stat()
        is_others = known.st_uid not in (os.geteuid(), 0)
        is_open = known.st_mode & stat.S_IWOTH and (folder != work_dir or not known.st_mode & stat.S_ISVTX)
        if is_others or is_open:
            why = 'belongs to another user' if is_others else 'can be written to by everybody'
            raise OutputError(
                f'the work folder {folder} {why} (owner {known.st_uid}, mode {stat.filemode(known.st_mode)}; clbpe runs as '
                f"{os.geteuid()}): results that lie there are loaded, and could be anybody's code. Give a folder of your "
                'own with --work-dir.'
            )


def close_steps(work_dir: Path) -> None:
    """Make the folder of the steps, closed to everybody else.

    Raises
    ------
    OutputError
        It cannot be made.

    """
    steps = work_dir / STEPS
    try:
        steps.mkdir(mode=0o700, parents=True, exist_ok=True)
        steps.chmod(0o700)
    except PermissionError as error:
        raise not_writable(steps) from error
