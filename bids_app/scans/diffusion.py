"""Find the diffusion scans of a participant: as acquired, or as QSIPrep preprocessed them."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import ClbpeError, DataError, MissingInputError
from pipelines.interfaces._diffusion import read_gradient_table
from pipelines.params import SPACES

from ..settings import Settings
from .dataset import Absence, Dataset
from .fieldmaps import direction_of
from .qsiprep import DwiAnatomy, find_dwi_anatomy, mask_of
from .query import Images, entities_of, inherited, sidecar

LOGGER = logging.getLogger(__name__)

_SPACES = ('ACPC', 'T1w')
_SHARED = ('sub', 'ses', 'acq')


class DwiScan(NamedTuple):
    """One diffusion series with its table; an empty direction and 0 s mean unknown."""

    dwi: Path
    bval: Path
    bvec: Path
    direction: str = ''
    readout_time: float = 0.0
    mask: Path | None = None

    def files(self) -> list[Path]:
        """Return every file that was found for the scan."""
        return [path for path in (self.dwi, self.bval, self.bvec, self.mask) if path]


class DwiSession(NamedTuple):
    """The diffusion scans of one session; ``entities`` are those that they share."""

    scans: list[DwiScan]
    dataset: Dataset
    entities: dict[str, str]

    @property
    def label(self) -> str:
        """Return the label of the session, ``n/a`` without one."""
        return self.entities.get('ses', 'n/a')

    def uris(self) -> list[str]:
        """Return the ``bids:`` URIs of the series."""
        return [self.dataset.uri(scan.dwi) for scan in self.scans]


class Diffusion(NamedTuple):
    """What a participant has of diffusion; ``anatomy`` is QSIPrep's, ``template`` where it leads."""

    sessions: list[DwiSession]
    space: str
    is_preprocessed: bool = False
    anatomy: DwiAnatomy | None = None
    template: str = SPACES[0]

    def files(self) -> list[Path]:
        """Return every file that was found."""
        scans = [path for session in self.sessions for scan in session.scans for path in scan.files()]
        return [*scans, *(path for path in self.anatomy or () if path)]


def collect_diffusion(
    settings: Settings, images: Images, label: str, t1w: Sequence[Path]
) -> tuple[Diffusion | None, list[Absence]]:
    """Return the usable diffusion sessions of one participant, and why others are not."""
    if 'diffusion' in settings.skip:
        return None, [Absence('dwi', f'sub-{label}: diffusion is left out by --skip diffusion.')]
    if 'freesurfer' in (settings.regions.nac, settings.regions.mpfc):
        reason = f'sub-{label}: region freesurfer is not offered for diffusion. Choose another region, or --skip diffusion.'
        return None, [Absence('dwi', reason, MissingInputError.exit_code)]
    for dataset in (Dataset(*named) for named in settings.derivatives):
        found = _find(settings, images, dataset.root, label, desc='preproc')
        if found:
            return _preprocessed(settings, dataset, label, found)
    scans = _find(settings, images, settings.bids_dir, label, desc=None)
    if not scans:
        return None, [Absence('dwi', _nothing_found(settings, label))]
    return _raw(settings, scans, has_t1w=bool(t1w))


def _nothing_found(settings: Settings, label: str) -> str:
    roots = [settings.bids_dir, *dict(settings.derivatives).values()]
    there = any(path for root in roots for path in (root / f'sub-{label}').rglob('*_dwi.nii*'))
    remedy = ' It has some, but labels or filters leave none: change them.' if there else ''
    return f'sub-{label}: no diffusion series in {", ".join(map(str, roots))}.{remedy}'


def _find(settings: Settings, images: Images, root: Path, label: str, *, desc: str | None) -> list[Path]:
    filters = {'suffix': 'dwi', 'datatype': 'dwi', 'desc': desc}
    if settings.session_label:
        filters['session'] = list(settings.session_label)  # type: ignore[assignment]
    filters |= settings.bids_filters.get('dwi', {})
    found = images.find(root, label, filters)
    return [path for path in found if entities_of(path).get('part', 'mag') == 'mag']


def _raw(
    settings: Settings, files: Sequence[Path], *, has_t1w: bool
) -> tuple[Diffusion | None, list[Absence]]:
    dataset, absent, sessions = Dataset('raw', settings.bids_dir), [], []
    for group in _by_session(files):
        try:
            sessions.append(
                DwiSession([_raw_scan(settings, path) for path in group], dataset, _shared(group))
            )
        except (DataError, MissingInputError) as error:
            absent.append(Absence('dwi', str(error), error.exit_code))
    space = 'T1w' if has_t1w else 'individual'
    template = settings.space.output_space or SPACES[0]
    return (Diffusion(sessions, space, template=template) if sessions else None), absent


def _raw_scan(settings: Settings, path: Path) -> DwiScan:
    scan = _with_table(path, settings.bids_dir)
    metadata = sidecar(path, settings.bids_dir)
    readout = metadata.get('TotalReadoutTime') or settings.distortion.fallback_total_readout_time or 0.0
    direction = direction_of(metadata)
    if not direction:
        LOGGER.warning('%s: PhaseEncodingDirection is absent or unknown: its distortion stays', path.name)
    return scan._replace(direction=direction, readout_time=float(readout))


def _with_table(path: Path, root: Path) -> DwiScan:
    bval, bvec = (
        [path.with_name(path.name.split('.')[0] + extension), *inherited(path, root, extension)][-1]
        for extension in ('.bval', '.bvec')
    )
    read_gradient_table(path, bval, bvec)  # a table that cannot be used is reported before anything runs
    return DwiScan(path, bval, bvec)


def _preprocessed(
    settings: Settings, dataset: Dataset, label: str, files: Sequence[Path]
) -> tuple[Diffusion | None, list[Absence]]:
    absent: list[Absence] = []
    sessions = []
    space = next((s for s in _SPACES if any(entities_of(f).get('space') == s for f in files)), None)
    try:
        if space is None:
            has = ', '.join(sorted({entities_of(f).get('space', 'native') for f in files}))
            raise MissingInputError(
                f'{files[0].name}: found in space {has}; {" or ".join(_SPACES)} is needed. Give output of QSIPrep.'
            )
        wanted = [settings.space.output_space] if settings.space.output_space else SPACES[::-1]
        anatomy, template = find_dwi_anatomy(dataset.root, label, space, wanted)
    except ClbpeError as error:
        return None, [Absence('dwi', str(error), error.exit_code)]
    for group in _by_session([path for path in files if entities_of(path).get('space') == space]):
        try:
            scan = _with_table(_only_one(group), dataset.root)._replace(mask=mask_of(group[0]))
            sessions.append(DwiSession([scan], dataset, _shared(group)))
        except (DataError, MissingInputError) as error:
            absent.append(Absence('dwi', str(error), error.exit_code))
    found = Diffusion(sessions, space, True, anatomy, template) if sessions else None
    return found, absent


def _only_one(files: Sequence[Path]) -> Path:
    if len(files) > 1:
        raise MissingInputError(
            f'{", ".join(path.name for path in files)}: several preprocessed series of one session, which are not '
            'combined here. Let QSIPrep combine them, or choose one by --bids-filter-file with {"dwi": {"run": 1}}.'
        )
    return files[0]


def _by_session(files: Sequence[Path]) -> list[list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path in files:
        groups.setdefault(entities_of(path).get('ses', ''), []).append(path)
    return list(groups.values())


def _shared(files: Sequence[Path]) -> dict[str, str]:
    """Return the entities that name a session's results: those that all of its scans share."""
    first, *others = (entities_of(path) for path in files)
    return {k: v for k, v in first.items() if k in _SHARED and all(other.get(k) == v for other in others)}
