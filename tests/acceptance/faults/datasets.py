"""Bad datasets through the command line: each ends before its first step, with its status, and what is wrong in words."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bids_app.simulated.cli import main as simulate
from tests.app.participant import test_bad_input, test_diffusion_bad_input
from tests.app.participant.test_participant import write_dataset
from tests.app.phenotype import test_bad_tables
from tests.app.phenotype.test_phenotype import TRIAL, participants, wide
from tests.cases import preprocessed, test_bold, test_diffusion
from tests.cases.dwi_files import pair_in, write_pair

from ..checks import Collector, Context, met
from ..interrupted import Ended, start, wait
from .chain import last_line
from .record import Tally, record


class Bad(NamedTuple):
    """A bad dataset: what writes it into a folder and returns the command line, and how that must end."""

    what: str
    write: Callable[[Path], Sequence[str]]
    status: int
    says: Sequence[str]


def bad_datasets(context: Context) -> Collector:
    """About a hundred bad datasets of fMRIPrep, QSIPrep, raw scans and tables: the status, the reason, nothing half-written."""
    checks, folder = met('bad_datasets'), context.out / 'bad_datasets'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for what, kind in KINDS.items():
        tally = Tally(f'bad dataset: {what}')
        for bad in list(kind(folder))[:: 8 if context.sloppy else 1]:
            ended = given(bad, folder / 'tried')
            tally.note(problem_of(bad, ended, folder / 'tried' / 'out'), bad.what)
        record(context, checks, [tally])
    return checks


def given(bad: Bad, folder: Path) -> Ended:
    """Write a dataset into an empty folder and give it to the program, which writes to ``out`` in that folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    words = [*bad.write(folder), '-w', str(folder / 'work'), '--sloppy', '--nprocs', '1']
    return wait(start([sys.executable, '-m', 'bids_app', *words]))


def problem_of(bad: Bad, ended: Ended, out: Path) -> str:
    """Return why a dataset was not refused as it should be, or nothing."""
    if 'Traceback' in ended.text:
        return f'a traceback: {last_line(ended.text)}'
    if ended.status != bad.status:
        return f'status {ended.status} and not {bad.status}: {last_line(ended.text)}'
    unsaid = [word for word in bad.says if word not in ended.text]
    if unsaid:
        return f'does not say "{unsaid[0]}": {last_line(ended.text)}'
    left = [path for end in ('boldmap.nii.gz', 'streamlines.trk', '.draft') for path in out.rglob(f'*{end}')]
    return f'{left[0].name} is half-written' if left else ''


def _words(root: Path, folder: Path, *more: str) -> list[str]:
    return [str(root), str(folder / 'out'), 'participant', *more]


def _bold_of_people(folder: Path) -> Iterator[Bad]:
    base = write_dataset(folder / 'fmriprep', np.random.default_rng(2), voxel=test_bad_input.VOXEL)

    def write(harm: Callable[[Path], object], place: Path) -> list[str]:
        root = shutil.copytree(base, place / 'fmriprep')
        harm(root / 'sub-01/ses-pre/func')
        regions = ['--nac', 'sphere:9,9,-8,6', '--mpfc', 'sphere:9,45,-15,8']
        return _words(root, place, '-d', f'fmriprep={root}', *regions)

    for what, (harm, status, says) in test_bad_input.HARMS.items():
        yield Bad(what, partial(write, harm), status, says)


def _bold_as_filed(folder: Path) -> Iterator[Bad]:
    base = preprocessed.write_base(folder / 'base', np.random.default_rng(1))

    def write(change: Callable[[preprocessed.Files], object], place: Path) -> list[str]:
        files = preprocessed.copy_of(base, place)
        change(files)
        return _words(files.raw, place, '-d', f'fmriprep={files.root}')

    for change, (status, says) in test_bold.REFUSED.items():
        yield Bad(change.__name__, partial(write, change), status, says)
    for what, (rename, says) in test_bold.ABSENT.items():
        yield Bad(what, partial(write, lambda files, how=rename: test_bold.rename_all(files, how)), 66, says)


def _diffusion(folder: Path) -> Iterator[Bad]:
    base = folder / 'qsiprep'
    words = ['--layout', 'qsiprep', '--participants', '1', '--sessions', 'pre', '--seed', '3']
    if simulate([str(base), *words, '--dwi-voxel-size', '5', '--dwi-directions', '15']):
        raise RuntimeError(f'{base} was not written')

    def write(harm: Callable[[Path], object], place: Path) -> list[str]:
        root = shutil.copytree(base, place / 'qsiprep')
        harm(root / 'sub-01/ses-pre/dwi')
        return _words(root, place, '-d', f'qsiprep={root}', '--skip', 'functional')

    for what, (harm, status, says) in test_diffusion_bad_input.HARMS.items():
        yield Bad(what, partial(write, harm), status, says)


def _raw_diffusion(_: Path) -> Iterator[Bad]:
    def write(change: Callable[..., object], place: Path) -> list[str]:
        root = write_pair(place / 'raw')
        change(*pair_in(root))
        # what is sound of the person would be analysed
        return [*_words(root, place), '--dry-run']

    for what, (change, status, _, says) in test_diffusion.EXTRAS.items():
        if status:
            yield Bad(what, partial(write, change), status, says)


def _tables(_: Path) -> Iterator[Bad]:
    def write(harm: Callable[[Path], object], place: Path) -> list[str]:
        root, trial = place / 'bids', place / 'trial.json'
        participants(root)
        wide(root)
        (root / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
        trial.write_text(json.dumps(TRIAL))
        harm(root)
        return [str(root), str(place / 'out'), 'group', '--trial', str(trial)]

    for status, cases in ((65, test_bad_tables.HARMS), (66, test_bad_tables.ABSENT)):
        for what, (harm, says) in cases.items():
            if says:  # the others are read, with a warning
                yield Bad(what, partial(write, harm), status, says)


def _folders(_: Path) -> Iterator[Bad]:
    def write(change: Callable[[Path], object], place: Path) -> list[str]:
        root = place / 'bids'
        root.mkdir()
        change(root)
        return _words(root, place)

    for change, (status, says) in FOLDERS.items():
        yield Bad(change.__name__.strip('_').replace('_', ' '), partial(write, change), status, says)


def _nothing(root: Path) -> None:
    pass


def _no_folder(root: Path) -> None:
    root.rmdir()


def _a_file(root: Path) -> None:
    root.rmdir()
    root.write_text('x')


def _only_a_description(root: Path) -> None:
    (root / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')


def _a_person_that_is_a_file(root: Path) -> None:
    _only_a_description(root)
    (root / 'sub-01').write_text('x')


def _a_person_without_scans(root: Path) -> None:
    _only_a_description(root)
    (root / 'sub-01' / 'func').mkdir(parents=True)


def _scans_that_were_never_fetched(root: Path) -> None:
    _only_a_description(root)
    for name in ('anat/sub-01_T1w', 'func/sub-01_task-rest_bold'):
        path = root / 'sub-01' / f'{name}.nii.gz'
        path.parent.mkdir(parents=True)
        path.symlink_to('../../.git/annex/objects/none')


FOLDERS = {
    _nothing: (16, ['bids']),
    _no_folder: (16, ['bids']),
    _a_file: (16, ['bids']),
    _only_a_description: (16, ['bids']),
    _a_person_that_is_a_file: (16, ['bids']),
    _a_person_without_scans: (66, ['sub-01']),
    _scans_that_were_never_fetched: (66, ['content', 'datalad get']),
}

KINDS: dict[str, Callable[[Path], Iterator[Bad]]] = {
    'a damaged file of fMRIPrep': _bold_of_people,
    'BOLD that cannot be right': _bold_as_filed,
    'a damaged file of QSIPrep': _diffusion,
    'raw diffusion that cannot be right': _raw_diffusion,
    'tables of a trial': _tables,
    'no dataset at all': _folders,
}
