"""Find the further maps of a person that are measured along tracts."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from pipelines.errors import DataError, MissingInputError
from pipelines.interfaces.headers import open_image
from pipelines.scalar_maps import ScalarMap

from ..settings import Settings
from .dataset import Absence, Dataset
from .diffusion import INDIVIDUAL, Diffusion, DwiSession
from .images import Images
from .query import entities_of

SCALAR = 'scalar map'
"""What an absent map is called among what a person lacks."""


def with_scalars(
    settings: Settings, images: Images, label: str, found: Diffusion, t1w: Sequence[Path]
) -> tuple[Diffusion, list[Absence]]:
    """Give each session the maps that are asked for, and say which it lacks and why; that costs nobody anything else.

    Parameters
    ----------
    settings, images, label
        What is asked for, the files of datasets, and whose.
    found
        Diffusion of the person.
    t1w
        Raw T1-weighted images.

    """
    patterns = settings.scalars.patterns if settings.circuit.pairs else {}
    if not patterns:
        return found, []
    space = _space_of(found, t1w)
    sessions = []
    for session in found.sessions:
        maps = (_map_of(settings, images, label, session, pair, space) for pair in patterns.items())
        sessions.append(session._replace(scalars=tuple(maps)))
    lacking = [own for session in sessions for own in session.scalars if own.lack]
    reasons = dict.fromkeys(f'sub-{label}: {own.name}: {own.lack}' for own in lacking)
    return found._replace(sessions=sessions), [Absence(SCALAR, reason) for reason in reasons]


def _space_of(found: Diffusion, t1w: Sequence[Path]) -> str:
    """Return the space that maps must lie in, as names of files call it; empty where none can."""
    if found.space == INDIVIDUAL or (not found.is_preprocessed and len(t1w) != 1):
        return ''
    return found.space


def _map_of(
    settings: Settings,
    images: Images,
    label: str,
    session: DwiSession,
    asked: tuple[str, str],
    space: str,
) -> ScalarMap:
    """Return a map of one session, or why it has none."""
    name, pattern = asked
    missing = ScalarMap(name, session.label)
    where = f'session {session.label}' if session.label != 'n/a' else 'the person'
    if not space:
        why = 'the tract lies between images of several sessions, where no other program puts a map'
        return missing._replace(lack=f'{where}: {why}')
    matching = list(_matching(settings, images, label, pattern))
    own = [pair for pair in matching if entities_of(pair[1]).get('ses') == session.entities.get('ses')]
    placed = [pair for pair in own if entities_of(pair[1]).get('space') == space]
    names = ', '.join(path.name for _, path in placed or own)
    if not own:
        return missing._replace(lack=f'{where} has no image that matches {pattern}')
    if not placed:
        return missing._replace(
            lack=f'{where}: {names}: maps must lie in the space of the tract, space-{space}'
        )
    if len(placed) > 1:
        return missing._replace(
            lack=f'{where} has several images that match {pattern}: {names}. Narrow the pattern'
        )
    return _readable(missing, *placed[0])


def _matching(settings: Settings, images: Images, label: str, pattern: str) -> Iterator[tuple[Dataset, Path]]:
    """Yield the images of a person whose path in its dataset ends as a pattern says."""
    for dataset in (Dataset(*named) for named in settings.preprocessed):
        for inside, path in sorted(images.listing(dataset.root, label).images.items()):
            if PurePosixPath(inside).match(pattern):
                yield dataset, path


def _readable(missing: ScalarMap, dataset: Dataset, path: Path) -> ScalarMap:
    """Return a map whose header says that it can be measured."""
    try:
        shape = open_image(path).shape
    except (DataError, MissingInputError) as error:
        return missing._replace(lack=str(error).replace(str(path), path.name))
    if any(n != 1 for n in shape[3:]):
        return missing._replace(lack=f'{path.name} has {shape[3]} volumes, and a map has one')
    return missing._replace(path=str(path), source=dataset.uri(path))
