"""Put the maps of a group into files that are read voxel by voxel."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np

from ..errors import DataError
from ..numerics.regions import voxel_centres
from ..numerics.resample import sample
from ..terms import raised
from ._interface import interface
from .headers import open_image
from .images import save_map, values_of
from .regions import template_brain

_AT_ONCE = 32  # people whose maps are in memory together
_SUSPECT = 0.8  # of the voxels that half of the people have


class _Stacked(NamedTuple):
    stack: Path
    n_map: Path
    mask: Path
    facts: dict[str, Any]


def stack_maps(people: list[dict[str, Any]], space: str, *, out_dir: Path) -> _Stacked:
    """Put the maps of all people into one file per visit, voxels by people.

    Parameters
    ----------
    people
        ``participant_id``, ``maps`` with the list of maps of the runs of each visit, and ``dof`` with their degrees of
        freedom; a visit that is missing is not among them.  A ``stamp`` that changes when a file does makes a
        repeated run notice.
    space
        Template of the maps, whose brain limits them.
    out_dir
        Folder of the results.

    Returns
    -------
    _Stacked
        Folder with ``visit<n>.npy`` (V, n) float32 and ``people.json``, the people of each visit in the order of the
        files; number of people per voxel; the voxels that everyone has; facts.

    Raises
    ------
    DataError
        Nobody has a map, or no voxel is in all of them.

    Notes
    -----
    Runs of a visit are averaged with degrees of freedom less 2 as weights.  A voxel that is 0 or
    not finite in a map lies outside it.  Maps on another grid than most are resampled to it, linearly; who has them
    is among the facts.  Every map is read once.

    """
    like, others = _common_grid(people)
    inside = template_brain(space, voxel_centres(like.shape, np.asarray(like.affine, float)))
    stack = out_dir / 'stack'
    stack.mkdir(exist_ok=True)
    known = [person for person in people if person['maps']]
    visits = list(dict.fromkeys(visit for person in known for visit in person['maps']))
    files = {visit: stack / f'visit{number}.npy' for number, visit in enumerate(visits)}
    counts, least = _write(files, known, like, inside)
    common = counts == len(known)
    if not common.any():
        raise DataError(
            f'no voxel of the brain is in the maps of all {len(known)} people; {least[0]} has the fewest '
            f'({least[1]:.0%} of the brain). Leave scans out with --participant-label, or look at their masks.'
        )
    for path in files.values():
        _keep_rows(path, np.flatnonzero(common))
    labels = {visit: [p['participant_id'] for p in known if visit in p['maps']] for visit in visits}
    (stack / 'people.json').write_text(json.dumps(labels))
    usual = (counts >= len(known) / 2).sum()
    facts = {
        'NumberOfPeople': len(known),
        'NumberOfPeopleOfVisits': {visit: len(own) for visit, own in labels.items()},
        'NumberOfVoxels': int(common.sum()),
        'VoxelsOfHalfThePeople': int(usual),
        'SmallestCoverage': {'Participant': least[0], 'ShareOfBrain': round(least[1], 3)},
        'Resampled': others,
        'Flags': raised(small_mask=bool(common.sum() < _SUSPECT * usual), resampled=bool(others)),
    }
    n_map = save_map(counts.astype(np.float32), inside, like, out_dir / 'n.nii.gz')
    mask = save_map(common.astype(np.float32), inside, like, out_dir / 'mask.nii.gz')
    return _Stacked(stack, n_map, mask, facts)


StackMaps = interface(stack_maps)


def _common_grid(people: list[dict[str, Any]]) -> tuple[nb.Nifti1Image, list[str]]:
    """Return an image on the grid of most maps (of two the coarser), and who has maps on another one."""
    known: dict[tuple[Any, ...], nb.Nifti1Image] = {}
    grids: Counter[tuple[Any, ...]] = Counter()
    owners: dict[tuple[Any, ...], dict[str, None]] = {}
    for person in people:
        for path in (path for maps in person['maps'].values() for path in maps):
            image = open_image(Path(path))
            grid = (image.shape, *np.round(image.affine, 3).ravel())
            known.setdefault(grid, image)
            grids[grid] += 1
            owners.setdefault(grid, {})[person['participant_id']] = None
    if not known:
        raise DataError('nobody has a map at any visit')
    common = max(known, key=lambda grid: (grids[grid], -np.prod(grid[0])))
    return known[common], [name for grid, own in owners.items() if grid != common for name in own]


def _read(person: dict[str, Any], visit: str, like: nb.Nifti1Image) -> np.ndarray:
    """Return the mean of a visit's maps on the grid of ``like``, NaN outside any of them."""
    total, weights = np.zeros(like.shape, np.float64), 0.0
    for path, dof in zip(person['maps'][visit], person['dof'][visit]):
        image = open_image(Path(path))
        values = values_of(image)
        values = np.where((values == 0) | ~np.isfinite(values), np.nan, values)
        if image.shape != like.shape or not np.allclose(image.affine, like.affine, atol=1e-3):
            points = voxel_centres(like.shape, np.asarray(like.affine, float)).reshape(-1, 3)
            values = sample(values, np.asarray(image.affine, float), points).reshape(like.shape)
            values[values == 0] = np.nan  # beyond the other grid
        total += (dof - 2) * values
        weights += dof - 2
    return (total / weights).astype(np.float32)


def _write(
    files: dict[str, Path], people: list[dict[str, Any]], like: nb.Nifti1Image, inside: np.ndarray
) -> tuple[np.ndarray, tuple[str, float]]:
    """Write the voxels of the brain of all visits, and return how many people have each, and who covers least.

    A few people at a time: a column alone would touch every page of the file.
    """
    n_voxels, start = int(inside.sum()), dict.fromkeys(files, 0)
    outs = {
        visit: np.lib.format.open_memmap(
            path, 'w+', np.float32, (n_voxels, sum(visit in person['maps'] for person in people))
        )
        for visit, path in files.items()
    }
    counts, least = np.zeros(n_voxels, np.int32), ('', np.inf)
    for first in range(0, len(people), _AT_ONCE):
        part = people[first : first + _AT_ONCE]
        known = np.ones((len(part), n_voxels), bool)
        for visit, out in outs.items():
            own = [number for number, person in enumerate(part) if visit in person['maps']]
            values = np.array([_read(part[number], visit, like)[inside] for number in own]).reshape(
                -1, n_voxels
            )
            known[own] &= np.isfinite(values)
            out[:, start[visit] : start[visit] + len(own)] = values.T
            start[visit] += len(own)
        counts += known.sum(axis=0)
        shares = [(person['participant_id'], float(row.mean())) for person, row in zip(part, known)]
        least = min([least, *shares], key=lambda pair: pair[1])
    return counts, least


def _keep_rows(path: Path, rows: np.ndarray) -> None:
    """Leave some rows of a file of maps."""
    whole = np.load(path, mmap_mode='r')
    kept = path.with_suffix('.kept')
    out = np.lib.format.open_memmap(kept, 'w+', np.float32, (len(rows), whole.shape[1]))
    for part in blocks(len(rows)):
        out[part] = whole[rows[part]]
    out.flush()
    kept.replace(path)


def combine(
    folder: Path, visits: Sequence[str], weights: Sequence[float], people: Sequence[str], path: Path
) -> np.ndarray:
    """Write the weighted sum of visits of some people (V, n), and return it as a file that is read in parts.

    Parameters
    ----------
    folder
        Of :func:`stack_maps`.
    visits, weights
        What is added.
    people
        Their ``participant_id``, each with all of the visits, in the order of the columns.
    path
        File to write.

    """
    labels = json.loads((folder / 'people.json').read_text())
    order = list(labels)
    stacks = [np.load(folder / f'visit{order.index(visit)}.npy', mmap_mode='r') for visit in visits]
    columns = [[labels[visit].index(person) for person in people] for visit in visits]
    out = np.lib.format.open_memmap(path, 'w+', np.float32, (len(stacks[0]), len(people)))
    for rows in blocks(len(out)):
        out[rows] = sum(w * stack[rows][:, own] for w, stack, own in zip(weights, stacks, columns))
    out.flush()
    return out


def blocks(n: int, size: int = 8192) -> Iterator[slice]:
    """Return the rows of a file of maps, a block at a time."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
