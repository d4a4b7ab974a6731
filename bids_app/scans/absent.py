"""Why a participant has no BOLD run that can be used: what is there instead, and what is needed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.params import SPACES

from ..settings import Settings
from .query import entities_of

_VOLUME = f'--output-spaces {SPACES[0]}:res-2'


def why_no_bold(settings: Settings, label: str, tasks: Sequence[str]) -> str:
    """Return the reason, and what to do.

    Parameters
    ----------
    settings
        Datasets, and what was chosen of them.
    label
        Participant, without ``sub-``.
    tasks
        Tasks that were looked for.

    """
    roots = [root for _, root in settings.preprocessed] or [settings.bids_dir]
    there = [path for root in roots for path in sorted((root / f'sub-{label}').rglob('*.nii*'))]
    there += [path for root in roots for path in sorted((root / f'sub-{label}').rglob('*bold*.gii'))]
    remedy = next((said for reason in _REASONS if (said := reason(settings, there, tasks))), '')
    return f'sub-{label}: no BOLD of task {tasks[0]} in {", ".join(map(str, roots))}. {remedy}'


def _derived_without_option(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    series = _series(there)
    if settings.preprocessed or not series or not all('desc' in entities_of(path) for path in series):
        return ''
    return f'This is output of fMRIPrep: add --derivatives fmriprep={settings.bids_dir}.'


def _old_names(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    old = [path for path in there if path.name.split('.')[0].endswith('_preproc') and '_bold_' in path.name]
    if not old:
        return ''
    return (
        f'{old[0].name} is named as fMRIPrep 1.0 and 1.1 did, and is not read. Run a version of fMRIPrep from '
        '1.2 on, better a current one.'
    )


def _denoised(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    found = [path for path in _series(there) if entities_of(path).get('desc', '').startswith('denoised')]
    if not settings.preprocessed or not found or any(_is_preprocessed(path) for path in there):
        return ''
    return (
        f'{found[0].name} is denoised already (XCP-D or the like). Give the output of fMRIPrep that it was made from: '
        'confounds are removed here, once.'
    )


def _single_echoes(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    found = [path for path in there if _is_preprocessed(path)]
    if not found or not all('echo' in entities_of(path) for path in found):
        return ''
    return f'There are single echoes only, such as {found[0].name}. Run fMRIPrep with all echoes, which combines them.'


def _surfaces_only(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    surfaces = [path for path in there if path.name.endswith(('.dtseries.nii', '.func.gii'))]
    if not surfaces or _series(there):
        return ''
    return f'There are series on surfaces only, such as {surfaces[0].name}. Run fMRIPrep with {_VOLUME}.'


def _minimal_level(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    references = [path for path in there if path.name.split('.')[0].endswith('_boldref')]
    if not settings.preprocessed or not references or _series(there):
        return ''
    return (
        'fMRIPrep was run with --level minimal or resampling and wrote references only, no series. Run it with '
        f'--level full and {_VOLUME}.'
    )


def _another_task(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    names = sorted({entities_of(path).get('task', '') for path in _series(there)} - {''})
    if not names or set(names) & set(tasks):
        return ''
    return f'It has task {", ".join(names)}: choose with --task-id.'


def _filtered(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    filters = settings.bids_filters.get('bold')
    if not _series(there) or not (filters or settings.session_label or settings.run):
        return ''
    return 'It has that task, but labels or filters leave none of it: change them.'


def _not_usable(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    series = _series(there)
    return f'There is {series[0].name}, which is no preprocessed or raw magnitude series.' if series else ''


def _nothing(settings: Settings, there: Sequence[Path], tasks: Sequence[str]) -> str:
    return 'It has no BOLD at all.'


_REASONS: tuple[Callable[[Settings, Sequence[Path], Sequence[str]], str], ...] = (
    _derived_without_option,
    _old_names,
    _denoised,
    _single_echoes,
    _surfaces_only,
    _minimal_level,
    _another_task,
    _filtered,
    _not_usable,
    _nothing,
)
"""The first that applies is said."""


def _series(there: Sequence[Path]) -> list[Path]:
    return [path for path in there if path.name.endswith(('_bold.nii', '_bold.nii.gz'))]


def _is_preprocessed(path: Path) -> bool:
    return path in _series([path]) and entities_of(path).get('desc') == 'preproc'


def preprocessed_inside(settings: Settings) -> list[Path]:
    """Return datasets below ``derivatives`` of the raw one that look preprocessed, when none was given."""
    folder = settings.bids_dir / 'derivatives'
    if settings.preprocessed or not folder.is_dir():
        return []
    offered = sorted(p for p in folder.iterdir() if p.name.lower().startswith(('fmriprep', 'qsiprep')))
    return [path for path in offered if path.is_dir() and any(path.glob('sub-*'))]
