"""Find the diffusion scans of a participant: as acquired, or as QSIPrep preprocessed them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import ClbpeError, DataError, MissingInputError
from pipelines.interfaces.choices import needs_anatomy, needs_freesurfer
from pipelines.params import SPACES
from pipelines.scalar_maps import ScalarMap

from ..settings import Settings
from .dataset import Absence, Dataset
from .dwi_series import FURTHER, DwiScan, Usable, usable_scans, with_table, without_direction
from .field_images import Epi
from .fieldmaps import Estimator, choose_estimator, is_opposite
from .freesurfer import FreeSurfer, find_freesurfer
from .images import Images
from .qsiprep import DwiAnatomy, find_dwi_anatomies, mask_of
from .query import entities_of, is_magnitude

INDIVIDUAL = 'individual'
"""Space between the sessions of a person."""

_SPACES = ('ACPC', 'T1w')
_SHARED = ('sub', 'ses', 'acq')


class DwiSession(NamedTuple):
    """The diffusion scans of one session; ``entities`` are those that they share, ``anatomy`` is QSIPrep's."""

    scans: list[DwiScan]
    dataset: Dataset
    entities: dict[str, str]
    anatomy: DwiAnatomy | None = None
    estimator: Estimator | None = None
    scalars: tuple[ScalarMap, ...] = ()

    @property
    def label(self) -> str:
        """Return the label of the session, ``n/a`` without one."""
        return self.entities.get('ses', 'n/a')

    def files(self) -> list[Path]:
        """Return every file that was found for the session."""
        scans = [path for scan in self.scans for path in scan.files()]
        return [*scans, *(self.estimator.files() if self.estimator else [])]

    def uris(self) -> list[str]:
        """Return the ``bids:`` URIs of the series."""
        fields = self.estimator.files() if self.estimator else []
        return [self.dataset.uri(path) for path in (*(scan.dwi for scan in self.scans), *fields)]

    def left_out(self) -> dict[str, list[int]]:
        """Return the volumes, from 0, that are not used, by the name of their series."""
        return {scan.dwi.name: list(scan.left_out) for scan in self.scans if scan.left_out}

    def maps(self) -> list[Path]:
        """Return the files of further maps, which the tract rests on and the session's own maps do not."""
        return [Path(own.path) for own in self.scalars if own.path]


class Diffusion(NamedTuple):
    """What a participant has of diffusion; ``template`` is where QSIPrep's anatomy leads."""

    sessions: list[DwiSession]
    space: str
    is_preprocessed: bool = False
    template: str = SPACES[0]
    freesurfer: FreeSurfer | None = None

    @property
    def anatomies(self) -> list[DwiAnatomy]:
        """Return the anatomies of QSIPrep, each once; empty for raw scans."""
        return list(dict.fromkeys(session.anatomy for session in self.sessions if session.anatomy))

    @property
    def anatomy(self) -> DwiAnatomy | None:
        """Return the anatomy that all sessions share; None where they have their own, or for raw scans."""
        return self.anatomies[0] if len(self.anatomies) == 1 else None

    @property
    def is_between(self) -> bool:
        """Return whether the space of the person lies between anatomies of sessions."""
        return len(self.anatomies) > 1

    @property
    def has_t1w(self) -> bool:
        """Return whether there is a T1w image, of whoever preprocessed."""
        return self.is_preprocessed or self.space != INDIVIDUAL

    def files(self) -> list[Path]:
        """Return every file that was found."""
        scans = [path for session in self.sessions for path in (*session.files(), *session.maps())]
        labels = self.freesurfer.files() if self.freesurfer else []
        return [*scans, *(path for anatomy in self.anatomies for path in anatomy.files()), *labels]


def collect_diffusion(
    settings: Settings, images: Images, label: str, t1w: Sequence[Path]
) -> tuple[Diffusion | None, list[Absence]]:
    """Return the usable diffusion sessions of one participant, and why others are not."""
    if 'diffusion' in settings.skip:
        return None, [Absence('dwi', f'sub-{label}: diffusion is left out by --skip diffusion.')]
    for dataset in (Dataset(*named) for named in settings.preprocessed):
        found = _find(settings, images, dataset.root, label, desc='preproc')
        if found:
            return _placed(settings, label, *_preprocessed(settings, dataset, label, found))
    scans = _find(settings, images, settings.bids_dir, label, desc=None)
    if not scans:
        return None, [Absence('dwi', _nothing_found(settings, label))]
    return _placed(settings, label, *_raw(settings, scans, has_t1w=bool(t1w)))


def _placed(
    settings: Settings, label: str, found: Diffusion | None, absent: list[Absence]
) -> tuple[Diffusion | None, list[Absence]]:
    """Leave out diffusion that lies in no anatomy of the person where regions are drawn in one."""
    if not found:
        return found, absent
    needs_labels = needs_freesurfer(settings.circuit) and bool(settings.circuit.pairs)
    is_nowhere = found.space == INDIVIDUAL and needs_anatomy(settings.circuit)
    if is_nowhere or (needs_labels and not found.has_t1w):
        reason = (
            f'sub-{label}: a region lies in the space of the T1w image, and the diffusion scans lie between '
            'sessions. Give the region in a template, or --skip diffusion.'
        )
        return None, [*absent, Absence('dwi', reason, MissingInputError.exit_code)]
    try:
        return found._replace(freesurfer=find_freesurfer(settings, label) if needs_labels else None), absent
    except MissingInputError as error:
        return None, [*absent, Absence.of('dwi', error)]


def _nothing_found(settings: Settings, label: str) -> str:
    roots = list(dict.fromkeys([settings.bids_dir, *dict(settings.preprocessed).values()]))
    there = sorted(path for root in roots for path in (root / f'sub-{label}').rglob('*_dwi.nii*'))
    remedy = ''
    if there and not any(is_magnitude(path) for path in there):
        remedy = f' {there[0].name} is a phase image; part-mag is needed.'
    elif there:
        remedy = ' It has some, but labels or filters leave none: change them.'
    return f'sub-{label}: no diffusion series in {", ".join(map(str, roots))}.{remedy}'


def _find(settings: Settings, images: Images, root: Path, label: str, *, desc: str | None) -> list[Path]:
    filters = {'suffix': 'dwi', 'datatype': 'dwi', 'desc': desc}
    if settings.session_label:
        filters['session'] = list(settings.session_label)  # type: ignore[assignment]
    filters |= settings.bids_filters.get('dwi', {})
    return [path for path in images.find(root, label, filters) if is_magnitude(path)]


def _raw(
    settings: Settings, files: Sequence[Path], *, has_t1w: bool
) -> tuple[Diffusion | None, list[Absence]]:
    dataset, sessions = Dataset('raw', settings.bids_dir), []
    absent: list[Absence] = []
    for group in _by_session(files):
        found = usable_scans(settings, group)
        used = [scan.dwi for scan in found.scans]
        estimator, reasons = _estimator(settings, found)
        absent += [*found.absent, *_beside(group), *(Absence('dwi fieldmap', reason) for reason in reasons)]
        if used:
            sessions.append(DwiSession(found.scans, dataset, _shared(used), estimator=estimator))
    space = 'T1w' if has_t1w else INDIVIDUAL
    template = settings.space.output_space or SPACES[0]
    return (Diffusion(sessions, space, template=template) if sessions else None), absent


def _estimator(settings: Settings, found: Usable) -> tuple[Estimator | None, list[str]]:
    """Return what shows the distortion of a session's series beside themselves, and what is not used for it."""
    if not found.scans:
        return None, []
    first, *others = found.scans
    shows_itself = any(is_opposite(scan.direction, first.direction) for scan in others)
    has_own = shows_itself or found.reverse is not None
    choice = choose_estimator(settings, [scan.dwi for scan in found.scans], has_own_pair=has_own)
    if found.reverse is None:
        return choice
    run = Epi(first.dwi, first.direction, first.readout_time)
    return Estimator('reverse', run, (found.reverse,)), choice.passed_over


def _beside(files: Sequence[Path]) -> list[Absence]:
    """Return what else lies beside the series of a session: references, maps that a scanner made, phase images."""
    beside = {path for file in files for path in file.parent.glob('*.nii*')} - set(files)
    other = sorted(path.name for path in beside if not _is_series(path))
    if not other:
        return []
    reason = f'{", ".join(other)}: no magnitude series of directions, not used.'
    return [Absence(FURTHER, reason)]


def _is_series(path: Path) -> bool:
    suffix = path.name.split('.')[0].rpartition('_')[2]
    return suffix == 'dwi' and is_magnitude(path)


def _preprocessed(
    settings: Settings, dataset: Dataset, label: str, files: Sequence[Path]
) -> tuple[Diffusion | None, list[Absence]]:
    absent: list[Absence] = []
    sessions = []
    space = next((s for s in _SPACES if any(entities_of(f).get('space') == s for f in files)), None)
    groups = _by_session([path for path in files if space and entities_of(path).get('space') == space])
    try:
        if space is None:
            has = ', '.join(sorted({entities_of(f).get('space', 'native') for f in files}))
            raise MissingInputError(
                f'{files[0].name}: found in space {has}; {" or ".join(_SPACES)} is needed. Give output of QSIPrep.'
            )
        wanted = [settings.space.output_space] if settings.space.output_space else SPACES[::-1]
        labels = [entities_of(group[0]).get('ses', '') for group in groups]
        anatomies, template = find_dwi_anatomies(dataset.root, label, labels, space, wanted)
        for anatomy in dict.fromkeys(anatomies.values()):
            anatomy.labels()  # a table that cannot be read is reported before anything runs
    except ClbpeError as error:
        return None, [Absence.of('dwi', error)]
    for session, group in zip(labels, groups):
        try:
            scan = with_table(_only_one(group), dataset.root)[0]._replace(mask=mask_of(group[0]))
            sessions.append(DwiSession([scan], dataset, _shared(group), anatomies[session]))
            absent += without_direction(scan)
        except (DataError, MissingInputError) as error:
            absent.append(Absence.of('dwi', error))
    if not sessions:
        return None, absent
    found = Diffusion(sessions, space, True, template)
    return (found._replace(space=INDIVIDUAL) if found.is_between else found), absent


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
