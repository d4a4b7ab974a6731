"""Find the files of a participant; every "not found" message is made here."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import DatasetError, MissingInputError, SelectionError

from .settings import Settings

SPACES = ('MNI152NLin6Asym', 'MNI152NLin2009cAsym')


class BoldRun(NamedTuple):
    """One preprocessed run in template space and what belongs to it."""

    bold: Path
    mask: Path
    confounds: Path
    confounds_metadata: Path
    t_r: float
    space: str
    res: str | None
    entities: dict[str, str]


class Absence(NamedTuple):
    """Something that was looked for and not found; ``is_error`` if the run cannot go on without."""

    modality: str
    reason: str
    is_error: bool


class ParticipantInputs(NamedTuple):
    """What one participant has."""

    label: str
    runs: list[BoldRun]
    absent: list[Absence]


def entities_of(path: Path) -> dict[str, str]:
    """Return the ``key-value`` pairs of a file name.

    Examples
    --------
    >>> entities_of(Path('sub-01_task-rest_run-1_desc-preproc_bold.nii.gz'))
    {'sub': '01', 'task': 'rest', 'run': '1', 'desc': 'preproc'}

    """
    return dict(re.findall(r'(?:^|_)([a-zA-Z]+)-([a-zA-Z0-9+]+)', path.name))


def participants(settings: Settings) -> list[str]:
    """Return the labels to process, from the folders of all datasets given.

    Raises
    ------
    DatasetError
        No ``sub-*`` folder anywhere.
    SelectionError
        A label that was asked for does not exist; names those that do.

    """
    roots = [settings.bids_dir, *(path for _, path in settings.derivatives)]
    found = sorted({p.name.removeprefix('sub-') for root in roots for p in root.glob('sub-*') if p.is_dir()})
    if not found:
        raise DatasetError(f'{settings.bids_dir} has no sub-* folder. Give the path of a BIDS dataset.')
    unknown = [label for label in settings.participant_label if label not in found]
    if unknown:
        some = ', '.join(found[:10]) + (' ...' if len(found) > 10 else '')
        raise SelectionError(f'--participant-label {" ".join(unknown)}: not in the dataset, which has {some}')
    return list(settings.participant_label) or found


def collect(settings: Settings, label: str) -> ParticipantInputs:
    """Return the runs of one participant; absences are listed, not raised."""
    runs: list[BoldRun] = []
    absent: list[Absence] = []
    preprocessed = [path for _, path in settings.derivatives]
    for root in preprocessed:
        for files in _by_run(_query(settings, root, label)).values():
            found = _bold_run(root, files, settings)
            if isinstance(found, BoldRun):
                runs.append(found)
            else:
                absent.append(found)
    if not runs:
        absent.append(_no_bold(settings, label, has_derivatives=bool(preprocessed)))
    absent.append(Absence('dwi', 'diffusion images are not analysed by this version', is_error=False))
    return ParticipantInputs(label, runs, absent)


def _no_bold(settings: Settings, label: str, *, has_derivatives: bool) -> Absence:
    tasks = ', '.join(settings.task_id) or 'rest'
    raw = sorted((settings.bids_dir / f'sub-{label}').rglob('*_bold.nii*'))
    if not has_derivatives and raw:
        return Absence(
            'bold',
            f'sub-{label}: {raw[0].name} is raw, and this version reads preprocessed BOLD only. '
            'Run fMRIPrep first, then add --derivatives fmriprep=PATH',
            is_error=True,
        )
    return Absence(
        'bold', f'sub-{label}: no BOLD of task {tasks} in an MNI152 space was found.', is_error=True
    )


def _query(settings: Settings, root: Path, label: str) -> list[Path]:
    """Return this participant's preprocessed BOLD files that pass the labels and filters."""
    from bids.layout import BIDSLayout, BIDSLayoutIndexer

    # other participants' folders are never entered: indexing must not grow with the dataset
    others = re.compile(rf'^/(?:sub-(?!{re.escape(label)}(?:/|$))|sourcedata|code|logs|derivatives)')
    layout = BIDSLayout(
        root,
        validate=False,
        is_derivative=True,
        indexer=BIDSLayoutIndexer(validate=False, index_metadata=False, ignore=[others, re.compile(r'/\.')]),
        config=['bids', 'derivatives'],
    )
    filters: dict[str, Any] = {
        'subject': label,
        'suffix': 'bold',
        'desc': 'preproc',
        'extension': ['.nii.gz', '.nii'],
        'task': list(settings.task_id) or ['rest', 'restingstate', 'resting'],
    }
    if settings.session_label:
        filters['session'] = list(settings.session_label)
    if settings.run:
        filters['run'] = [int(r) for r in settings.run]
    filters |= settings.bids_filters.get('bold', {})
    files = layout.get(return_type='filename', **{k: v for k, v in filters.items() if v != '*'})
    return [Path(f) for f in files]


def _by_run(files: Sequence[Path]) -> Mapping[str, list[Path]]:
    """Group files that differ in space and resolution only."""
    groups: dict[str, list[Path]] = {}
    for path in files:
        key = re.sub(r'_(?:space|res)-[^_]+', '', path.name)
        groups.setdefault(str(path.parent / key), []).append(path)
    return groups


def _bold_run(root: Path, files: list[Path], settings: Settings) -> BoldRun | Absence:
    wanted = [settings.functional.output_space] if settings.functional.output_space else SPACES
    for space in wanted:
        for path in sorted(files):
            entities = entities_of(path)
            if entities.get('space') == space:
                return _with_companions(path, entities)
    has = sorted({entities_of(p).get('space', 'native') for p in files})
    name = files[0].name
    return Absence(
        'bold', f'{name}: found in space {", ".join(has)}; one of {", ".join(wanted)} is needed', True
    )


def _with_companions(bold: Path, entities: dict[str, str]) -> BoldRun:
    stem = bold.name.split('_desc-')[0]
    mask = _companion(bold, [f'{stem}_desc-brain_mask.nii.gz', f'{stem}_desc-brain_mask.nii'], 'brain mask')
    plain = re.sub(r'_(?:space|res)-[^_]+', '', stem)
    tables = [f'{plain}_desc-confounds_{suffix}.tsv' for suffix in ('timeseries', 'regressors')]
    confounds = _companion(bold, tables, 'confounds table')
    metadata = _companion(bold, [confounds.with_suffix('.json').name], 'confounds JSON')
    return BoldRun(
        bold, mask, confounds, metadata, _repetition_time(bold), entities['space'], entities.get('res'),
        {k: v for k, v in entities.items() if k not in ('space', 'res', 'desc')},
    )  # fmt: skip


def _companion(bold: Path, names: list[str], what: str) -> Path:
    for name in names:
        if (bold.parent / name).is_file():
            return bold.parent / name
    raise MissingInputError(
        f'{bold}: its {what} {" or ".join(names)} is not in {bold.parent}. Fetch it or run fMRIPrep again.'
    )


def _repetition_time(bold: Path) -> float:
    """Return the repetition time of the sidecar, checked against the header by the caller."""
    sidecar = bold.parent / (bold.name.split('.')[0] + '.json')
    try:
        content = json.loads(sidecar.read_text())
    except FileNotFoundError:
        content = {}
    except (OSError, json.JSONDecodeError) as error:
        raise DatasetError(f'{sidecar} is no valid JSON ({error}). Mend the file.') from error
    if not content.get('RepetitionTime'):
        raise MissingInputError(f'{sidecar} has no RepetitionTime. Add it in seconds.')
    return float(content['RepetitionTime'])
