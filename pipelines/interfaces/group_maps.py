"""Put the maps of a group into files that are read voxel by voxel."""

import json
from collections import Counter
from collections.abc import Iterator
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
from .regions import template_volumes

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
        ``participant_id``, and per visit (``baseline``, ``followup``) the list of maps of its runs and,
        as ``<visit>_dof``, their degrees of freedom; an empty list where the visit is missing.  A ``stamp``
        that changes when a file does makes a repeated run notice.
    space
        Template of the maps, whose brain limits them.
    out_dir
        Folder of the results.

    Returns
    -------
    _Stacked
        Folder with ``baseline.npy``, ``followup.npy`` and ``change.npy`` (V, n) float32 and
        ``people.json``; number of people per voxel; the voxels that everyone has; facts.

    Raises
    ------
    DataError
        Nobody has a map, or no voxel is in all of them.

    Notes
    -----
    Runs of a visit are averaged with degrees of freedom less 2 as weights.  A voxel that is 0 or
    not finite in a map lies outside it.  People with both visits come first in every file.
    Maps on another grid than most are resampled to it, linearly; who has them is among the facts.

    """
    like, others = _common_grid(people)
    positions = voxel_centres(like.shape, np.asarray(like.affine, float))
    inside = template_volumes(space, positions)[0]['brain']
    order = sorted(people, key=lambda p: not (p['baseline'] and p['followup']))
    counts, least = _count(order, like, inside)
    n_people = sum(bool(p['baseline'] or p['followup']) for p in order)
    mask = inside & (counts == n_people)
    if not mask.any():
        raise DataError(
            f'no voxel of the brain is in the maps of all {n_people} people; {least[0]} has the fewest '
            f'({least[1]:.0%} of the brain). Leave scans out with --participant-label, or look at their masks.'
        )
    n_pairs = sum(bool(p['baseline'] and p['followup']) for p in order)
    labels = {'pairs': [p['participant_id'] for p in order[:n_pairs]]}
    stack = out_dir / 'stack'
    stack.mkdir(exist_ok=True)
    for visit in ('baseline', 'followup'):
        own = [p for p in order if p[visit]]
        labels[visit] = [p['participant_id'] for p in own]
        _write(stack / f'{visit}.npy', own, visit, mask, like)
    _write_change(stack, mask, n_pairs)
    (stack / 'people.json').write_text(json.dumps(labels))
    usual = (inside & (counts >= n_people / 2)).sum()
    facts = {
        'NumberOfPeople': n_people,
        'NumberOfPairs': n_pairs,
        'NumberOfVoxels': int(mask.sum()),
        'VoxelsOfHalfThePeople': int(usual),
        'SmallestCoverage': {'Participant': least[0], 'ShareOfBrain': round(least[1], 3)},
        'Resampled': others,
        'Flags': raised(small_mask=bool(mask.sum() < _SUSPECT * usual), resampled=bool(others)),
    }
    n_map = save_map(counts[inside].astype(np.float32), inside, like, out_dir / 'n.nii.gz')
    return _Stacked(
        stack, n_map, save_map(np.ones(mask.sum(), np.float32), mask, like, out_dir / 'mask.nii.gz'), facts
    )


StackMaps = interface(stack_maps)


def _common_grid(people: list[dict[str, Any]]) -> tuple[nb.Nifti1Image, list[str]]:
    """Return an image on the grid of most maps (of two the coarser), and who has maps on another one."""
    known: dict[tuple[Any, ...], nb.Nifti1Image] = {}
    grids: Counter[tuple[Any, ...]] = Counter()
    owners: dict[tuple[Any, ...], dict[str, None]] = {}
    for person in people:
        for path in (path for visit in ('baseline', 'followup') for path in person[visit]):
            image = open_image(Path(path))
            grid = (image.shape, *np.round(image.affine, 3).ravel())
            known.setdefault(grid, image)
            grids[grid] += 1
            owners.setdefault(grid, {})[person['participant_id']] = None
    if not known:
        raise DataError('nobody has a map at either visit')
    common = max(known, key=lambda grid: (grids[grid], -np.prod(grid[0])))
    return known[common], [name for grid, own in owners.items() if grid != common for name in own]


def _read(person: dict[str, Any], visit: str, like: nb.Nifti1Image) -> np.ndarray:
    """Return the mean of a visit's maps on the grid of ``like``, NaN outside any of them."""
    total, weights = np.zeros(like.shape, np.float64), 0.0
    for path, dof in zip(person[visit], person[f'{visit}_dof']):
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


def _count(
    people: list[dict[str, Any]], like: nb.Nifti1Image, inside: np.ndarray
) -> tuple[np.ndarray, tuple[str, float]]:
    """Return how many people have each voxel at all their visits, and who covers least."""
    counts, least = np.zeros(like.shape, np.int32), ('', np.inf)
    for person in people:
        visits = [v for v in ('baseline', 'followup') if person[v]]
        if not visits:
            continue
        known = np.all([np.isfinite(_read(person, v, like)) for v in visits], axis=0)
        counts += known
        least = min(least, (person['participant_id'], float(known[inside].mean())), key=lambda pair: pair[1])
    return counts, least


def _write(
    path: Path, people: list[dict[str, Any]], visit: str, mask: np.ndarray, like: nb.Nifti1Image
) -> None:
    """Write one visit, a few people at a time: a column alone would touch every page of the file."""
    out = np.lib.format.open_memmap(path, 'w+', np.float32, (int(mask.sum()), len(people)))
    for start in range(0, len(people), _AT_ONCE):
        part = people[start : start + _AT_ONCE]
        out[:, start : start + len(part)] = np.array([_read(p, visit, like)[mask] for p in part]).T
    out.flush()


def _write_change(stack: Path, mask: np.ndarray, n_pairs: int) -> None:
    before, after = (np.load(stack / f'{visit}.npy', mmap_mode='r') for visit in ('baseline', 'followup'))
    out = np.lib.format.open_memmap(stack / 'change.npy', 'w+', np.float32, (int(mask.sum()), n_pairs))
    for rows in blocks(len(out)):
        out[rows] = after[rows, :n_pairs] - before[rows, :n_pairs]
    out.flush()


def blocks(n: int, size: int = 8192) -> Iterator[slice]:
    """Return the rows of a file of maps, a block at a time."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
