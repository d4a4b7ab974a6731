"""Find the BOLD runs of a participant: as acquired, or as fMRIPrep preprocessed them."""

import logging
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import DataError, MissingInputError
from pipelines.interfaces.choices import Segmentation
from pipelines.params import SPACES

from ..settings import Settings
from .dataset import Absence, Dataset
from .fieldmaps import EpiPair, direction_of, find_pair
from .fmriprep import (
    Preprocessed,
    ShownAnatomy,
    anatomical_folders,
    find_anatomy,
    find_preprocessed,
    find_segmentation,
)
from .query import Images, entities_of, repetition_time_of, sidecar

LOGGER = logging.getLogger(__name__)

RAW_RESOLUTION = '2'
"""``res-`` of series that are resampled here: the template's 2 mm grid."""

_RESTING = ['rest', 'restingstate', 'resting']


class BoldRun(NamedTuple):
    """One BOLD run; ``preprocessed`` is None when ``bold`` is as the scanner gave it."""

    bold: Path
    dataset: Dataset
    t_r: float
    space: str
    res: str | None
    entities: dict[str, str]
    preprocessed: Preprocessed | None
    segmentation: Segmentation = Segmentation()
    anatomy: ShownAnatomy | None = None
    slice_timing: list[float] | None = None
    slice_direction: str = 'k'
    phase_encoding: str = ''
    pair: EpiPair | None = None

    def files(self) -> list[Path]:
        """Return every file that was found for the run."""
        found = (self.bold, *(self.preprocessed or ()), *self.segmentation, *(self.anatomy or ()))
        return [path for path in found if path] + (self.pair.files() if self.pair else [])

    def uris(self) -> list[str]:
        """Return the ``bids:`` URIs of those that results come from; the anatomy is only shown."""
        return [self.dataset.uri(path) for path in self.files() if path not in (self.anatomy or ())]


def collect_bold(
    settings: Settings, images: Images, label: str, t1w: list[Path]
) -> tuple[list[BoldRun], list[Absence]]:
    """Return the usable runs of one participant, and why others are not."""
    if 'functional' in settings.skip:
        return [], [Absence('bold', f'sub-{label}: BOLD is left out by --skip functional.')]
    runs: list[BoldRun] = []
    absent: list[Absence] = []
    seen: list[Path] = []

    def add(make: Callable[[], BoldRun], files: Sequence[Path]) -> None:
        seen.extend(files)
        try:
            runs.append(make())
        except (MissingInputError, DataError) as error:
            absent.append(Absence('bold', str(error), error.exit_code))

    for dataset in (Dataset(*named) for named in settings.derivatives):
        for files in _by_run(_find_bold(settings, images, dataset.root, label, desc='preproc')):
            add(partial(_preprocessed_run, dataset, files, settings), files)
    if not settings.derivatives:
        for bold in _find_bold(settings, images, settings.bids_dir, label, desc=None):
            add(partial(_raw_run, settings, bold, t1w), [bold])
    return runs, absent + _tasks_not_seen(
        settings, label, {entities_of(path).get('task', '') for path in seen}
    )


def _tasks_not_seen(settings: Settings, label: str, seen: set[str]) -> list[Absence]:
    """Return one absence per task that was named, or one for no BOLD at all."""
    if settings.task_id and 'task' not in settings.bids_filters.get('bold', {}):
        missing = [task for task in settings.task_id if task not in seen]
        return [Absence('bold', _nothing_found(settings, label, [task]), 66) for task in missing]
    return [] if seen else [Absence('bold', _nothing_found(settings, label, _RESTING))]


def _nothing_found(settings: Settings, label: str, tasks: Sequence[str]) -> str:
    roots = [root for _, root in settings.derivatives] or [settings.bids_dir]
    there = [path for root in roots for path in (root / f'sub-{label}').rglob('*_bold.nii*')]
    names = sorted({entities_of(path).get('task', '') for path in there} - {''})
    if not there:
        remedy = 'It has no BOLD at all.'
    elif not settings.derivatives and all('desc' in entities_of(path) for path in there):
        remedy = f'This is output of fMRIPrep: add --derivatives fmriprep={settings.bids_dir}.'
    elif set(names) & set(tasks):
        remedy = 'It has that task, but labels or filters leave none of it: change them.'
    else:
        remedy = f'It has task {", ".join(names)}: choose with --task-id.'
    return f'sub-{label}: no BOLD of task {tasks[0]} in {", ".join(map(str, roots))}. {remedy}'


def _find_bold(settings: Settings, images: Images, root: Path, label: str, *, desc: str | None) -> list[Path]:
    filters: dict[str, Any] = {'suffix': 'bold', 'desc': desc, 'task': list(settings.task_id) or _RESTING}
    filters |= {'echo': None} if desc else {}  # fMRIPrep may keep single echoes beside their combination
    if settings.session_label:
        filters['session'] = list(settings.session_label)
    if settings.run:
        filters['run'] = [int(number) for number in settings.run]
    filters |= settings.bids_filters.get('bold', {})
    found = images.find(root, label, filters)
    return [path for path in found if entities_of(path).get('part', 'mag') == 'mag']


def _by_run(files: Sequence[Path]) -> list[list[Path]]:
    """Group files that differ in space and resolution only."""
    groups: dict[Path, list[Path]] = {}
    for path in files:
        groups.setdefault(path.with_name(re.sub(r'_(?:space|res)-[^_]+', '', path.name)), []).append(path)
    return list(groups.values())


def _preprocessed_run(dataset: Dataset, files: list[Path], settings: Settings) -> BoldRun:
    wanted = [settings.space.output_space] if settings.space.output_space else SPACES
    for space in wanted:
        for path in files:
            if entities_of(path).get('space') == space:
                return _with_companions(dataset, path, settings)
    has = ', '.join(sorted({entities_of(p).get('space', 'native') for p in files}))
    raise MissingInputError(
        f'{files[0].name}: found in space {has}; one of {", ".join(wanted)} is needed. '
        f'Run fMRIPrep with --output-spaces {wanted[0]}.'
    )


def _with_companions(dataset: Dataset, bold: Path, settings: Settings) -> BoldRun:
    entities = entities_of(bold)
    source = {key: value for key, value in entities.items() if key not in ('space', 'res', 'desc')}
    folders = anatomical_folders(dataset.root, entities)
    segmentation = Segmentation()
    if 'freesurfer' in (settings.regions.nac, settings.regions.mpfc):
        segmentation = find_segmentation(folders, entities['space'])
    return BoldRun(
        bold, dataset, repetition_time_of(bold, sidecar(bold, dataset.root)), entities['space'],
        entities.get('res'), source, find_preprocessed(bold), segmentation,
        find_anatomy(folders, entities['space']),
    )  # fmt: skip


def _raw_run(settings: Settings, bold: Path, t1w: list[Path]) -> BoldRun:
    if not t1w:
        raise MissingInputError(
            f'{bold.name}: no T1w image of this participant in {settings.bids_dir}, and a raw BOLD series cannot '
            'be brought to the template without. Add the T1w image, or give fMRIPrep output with --derivatives.'
        )
    entities = entities_of(bold)
    if 'echo' in entities and 'echo' not in settings.bids_filters.get('bold', {}):
        raise MissingInputError(
            f'{bold.name} is one of several echoes, which are not combined here. Give fMRIPrep output with '
            '--derivatives, or choose one echo by --bids-filter-file with {"bold": {"echo": 2}}.'
        )
    if 'freesurfer' in (settings.regions.nac, settings.regions.mpfc):
        raise MissingInputError(
            f'{bold.name}: region freesurfer needs the output of fMRIPrep. Give it with --derivatives, or '
            'choose another region.'
        )
    if not {entities_of(path).get('ses') for path in t1w} & {entities.get('ses'), None}:
        LOGGER.warning('%s: no T1w in its session; that of another session is used', bold.name)
    metadata = sidecar(bold, settings.bids_dir)
    return BoldRun(
        bold, Dataset('raw', settings.bids_dir), repetition_time_of(bold, metadata),
        settings.space.output_space or SPACES[0], RAW_RESOLUTION, entities, None,
        slice_timing=metadata.get('SliceTiming'),
        slice_direction=metadata.get('SliceEncodingDirection', 'k'),
        phase_encoding=direction_of(metadata), pair=find_pair(settings, bold, metadata),
    )  # fmt: skip
