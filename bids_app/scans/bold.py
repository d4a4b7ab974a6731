"""Find the BOLD runs of a participant: as acquired, or as fMRIPrep preprocessed them."""

import logging
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import DataError, MissingInputError, SingleVolumeError
from pipelines.interfaces.choices import Segmentation, needs_anatomy, needs_freesurfer
from pipelines.params import SPACES
from pipelines.terms import PRESETS

from ..settings import Settings
from .absent import why_no_bold
from .dataset import Absence, Dataset
from .echoes import by_echo, echo_order
from .encoding import encoding_of
from .fieldmaps import Estimator, choose_estimator, is_corrected
from .fmriprep import (
    Preprocessed,
    ShownAnatomy,
    anatomical_folders,
    by_preference,
    find_anatomy,
    find_preprocessed,
    find_segmentation,
    find_transform,
    has_mask,
)
from .freesurfer import FreeSurfer, check_labels, find_freesurfer
from .images import Images
from .query import entities_of, is_magnitude, sidecar
from .timing import repetition_time_of, slice_direction_of, slice_times_of

LOGGER = logging.getLogger(__name__)

RAW_RESOLUTION = '2'
"""``res-`` of series that are resampled here: the template's 2 mm grid."""

_RESTING = ['rest', 'restingstate', 'resting', 'Rest', 'REST', 'restingState', 'RestingState', 'Resting']


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
    estimator: Estimator | None = None
    fields_passed_over: tuple[str, ...] = ()
    echoes: tuple[Path, ...] = ()
    echo_times: tuple[float, ...] = ()
    freesurfer: FreeSurfer | None = None

    def is_undistorted(self, settings: Settings) -> bool:
        """Return whether the distortion of the raw run is corrected, by what was measured or by the T1w image."""
        return self.estimator is not None or bool(self.t1w_direction(settings))

    def t1w_direction(self, settings: Settings) -> str:
        """Return the phase encoding along which the run is registered to the T1w image; empty if it is not."""
        asked = settings.distortion.use_syn_sdc and is_corrected(settings) and self.preprocessed is None
        return self.phase_encoding if asked and self.estimator is None else ''

    def files(self) -> list[Path]:
        """Return every file that was found for the run."""
        found = (
            self.bold,
            *self.echoes[1:],
            *(self.preprocessed or ()),
            *self.segmentation,
            *(self.anatomy or ()),
        )
        more = (self.estimator, self.freesurfer)
        return [path for path in found if path] + [path for own in more if own for path in own.files()]

    def uris(self) -> list[str]:
        """Return the ``bids:`` URIs of those that results come from; the anatomy is only shown."""
        labels = self.freesurfer.files() if self.freesurfer else []
        own = [path for path in self.files() if path not in (*(self.anatomy or ()), *labels)]
        return [self.dataset.uri(path) for path in own] + (self.freesurfer.uris() if self.freesurfer else [])


def collect_bold(
    settings: Settings, images: Images, label: str, t1w: list[Path]
) -> tuple[list[BoldRun], list[Absence]]:
    """Return the usable runs of one participant, and why others are not."""
    if 'functional' in settings.skip:
        return [], [Absence('bold', f'sub-{label}: BOLD is left out by --skip functional.')]
    runs: list[BoldRun] = []
    absent: list[Absence] = []
    single: list[Absence] = []
    seen: list[Path] = []

    def add(make: Callable[[], BoldRun], files: Sequence[Path]) -> None:
        seen.extend(files)
        try:
            runs.append(make())
        except SingleVolumeError as error:
            single.append(Absence.of('bold', error))
        except (MissingInputError, DataError) as error:
            absent.append(Absence.of('bold', error))

    for dataset in (Dataset(*named) for named in settings.preprocessed):
        for files in _by_run(_find_bold(settings, images, dataset.root, label, desc='preproc')):
            add(partial(_preprocessed_run, dataset, files, settings), files)
    if not settings.preprocessed:
        found = _find_bold(settings, images, settings.bids_dir, label, desc=None)
        is_chosen = 'echo' in settings.bids_filters.get('bold', {})
        for files in [[path] for path in found] if is_chosen else by_echo(found):
            add(partial(_raw_run, settings, files, t1w), files)
    # a scan that was broken off beside a good one is no failure
    absent += [each._replace(exit_code=None) for each in single] if runs else single
    absent += [Absence('bold fieldmap', reason) for run in runs for reason in run.fields_passed_over]
    seen += images.left_out(label, 'bold')  # there, and not used because somebody wished it
    return runs, absent + _tasks_not_seen(
        settings, label, {entities_of(path).get('task', '') for path in seen}
    )


def _tasks_not_seen(settings: Settings, label: str, seen: set[str]) -> list[Absence]:
    """Return one absence per task that was named, or one for no BOLD at all."""
    if settings.task_id and 'task' not in settings.bids_filters.get('bold', {}):
        missing = [task for task in settings.task_id if task not in seen]
        return [Absence('bold', why_no_bold(settings, label, [task]), 66) for task in missing]
    return [] if seen else [Absence('bold', why_no_bold(settings, label, _RESTING))]


def _find_bold(settings: Settings, images: Images, root: Path, label: str, *, desc: str | None) -> list[Path]:
    filters: dict[str, Any] = {'suffix': 'bold', 'desc': desc, 'task': list(settings.task_id) or _RESTING}
    filters |= {'echo': None} if desc else {}  # fMRIPrep may keep single echoes beside their combination
    if settings.session_label:
        filters['session'] = list(settings.session_label)
    if settings.run:
        filters['run'] = [int(number) for number in settings.run]
    filters |= settings.bids_filters.get('bold', {})
    found = images.find(root, label, filters)
    return [path for path in found if is_magnitude(path)]


def _by_run(files: Sequence[Path]) -> list[list[Path]]:
    """Group files that differ in space and resolution only."""
    groups: dict[Path, list[Path]] = {}
    for path in files:
        groups.setdefault(path.with_name(re.sub(r'_(?:space|res)-[^_]+', '', path.name)), []).append(path)
    return list(groups.values())


def _preprocessed_run(dataset: Dataset, files: list[Path], settings: Settings) -> BoldRun:
    wanted = [settings.space.output_space] if settings.space.output_space else SPACES
    ordered = by_preference(files, wanted)
    complete = [path for path in ordered if has_mask(path)]
    if complete and complete[0] != ordered[0]:
        LOGGER.warning('%s has no brain mask; %s is used in its place', ordered[0].name, complete[0].name)
    if ordered:
        return _with_companions(dataset, (complete or ordered)[0], settings)
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
    if needs_anatomy(settings.circuit):
        segmentation = Segmentation(anat2std_xfm=find_transform(folders, entities['space']))
    if needs_freesurfer(settings.circuit):
        segmentation = find_segmentation(bold, folders, entities['space'])
        check_labels(settings.circuit, segmentation, entities['space'])
    raw = settings.bids_dir / bold.parent.relative_to(dataset.root) / f'{_joined(source)}_bold.nii.gz'
    t_r = repetition_time_of(bold, sidecar(bold, dataset.root), sidecar(raw, settings.bids_dir))
    needs_metadata = PRESETS[settings.denoise.denoising].n_compcor > 0
    return BoldRun(
        bold, dataset, t_r, entities['space'], entities.get('res'), source,
        find_preprocessed(bold, needs_metadata=needs_metadata), segmentation,
        find_anatomy(folders, entities['space']),
    )  # fmt: skip


def _joined(entities: dict[str, str]) -> str:
    return '_'.join(f'{key}-{value}' for key, value in entities.items())


def _raw_run(settings: Settings, files: Sequence[Path], t1w: list[Path]) -> BoldRun:
    echoes, times = echo_order(settings, files) if len(files) > 1 else (tuple(files), ())
    bold = echoes[0]
    if not t1w:
        raise MissingInputError(
            f'{bold.name}: no T1w image of this participant in {settings.bids_dir}, and a raw BOLD series cannot '
            'be brought to the template without. Add the T1w image, or give fMRIPrep output with --derivatives.'
        )
    entities = entities_of(bold)
    if len(echoes) > 1:
        del entities['echo']  # what comes of them is of all
    elif 'echo' in entities and 'echo' not in settings.bids_filters.get('bold', {}):
        raise MissingInputError(
            f'{bold.name} is one of several echoes, and the others are not here. Fetch them, or choose this one by '
            f'--bids-filter-file with {{"bold": {{"echo": {int(entities["echo"])}}}}}.'
        )
    if not {entities_of(path).get('ses') for path in t1w} & {entities.get('ses'), None}:
        LOGGER.warning('%s: no T1w in its session; that of another session is used', bold.name)
    metadata = sidecar(bold, settings.bids_dir)
    t_r = repetition_time_of(bold, metadata)
    is_shifted = 'slicetiming' not in settings.distortion.ignore
    choice, encoding = choose_estimator(settings, [bold]), encoding_of(metadata)
    return BoldRun(
        bold, Dataset('raw', settings.bids_dir), t_r,
        settings.space.output_space or SPACES[0], RAW_RESOLUTION, entities, None,
        slice_timing=slice_times_of(bold, metadata, t_r) if is_shifted else None,
        slice_direction=slice_direction_of(bold, metadata) if is_shifted else 'k',
        phase_encoding=encoding.direction or encoding.axis,  # registration to the T1w image finds the sign
        estimator=choice.estimator, fields_passed_over=tuple(choice.passed_over),
        echoes=echoes if times else (), echo_times=times,
        freesurfer=find_freesurfer(settings, entities['sub']) if needs_freesurfer(settings.circuit) else None,
    )  # fmt: skip
