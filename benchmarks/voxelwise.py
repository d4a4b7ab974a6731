"""Permutation inference on maps of a group against nilearn's, on simulated maps on disk."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from scipy import ndimage

from pipelines.stats.permute import flip_signs, permute
from pipelines.stats.question import Effort, Question
from pipelines.stats.tfce import neighbour_table, tfce

from .fresh import peak_gb, seconds

_GRID = (91, 109, 91)
_FWHM = 3.0  # voxels of 2 mm
_ROWS = 4096
_REPEATS = 2
_WHOLE = 1000  # permutations of a test


def make_mask(scale: float = 1.0) -> np.ndarray:
    """Return an ellipsoid on the 2 mm grid of the MNI template, with 235,000 voxels at scale 1."""
    half = (np.array(_GRID) - 1) / 2
    radii = scale * np.array([35.0, 42.8, 37.5])
    places = np.indices(_GRID).T - half
    return np.sum((places / radii) ** 2, axis=-1).T <= 1


def write_maps(folder: str, scale: float, n_people: int, *, smooth: bool) -> None:
    """Write outcome and baseline (V, n) float32; in a process of its own, as its mapped pages count as memory."""
    rng, mask = np.random.default_rng(1), make_mask(scale)
    for name in ('outcome', 'covariate'):
        shape = (int(mask.sum()), n_people)
        maps = np.lib.format.open_memmap(Path(folder) / f'{name}.npy', 'w+', np.float32, shape)
        for person in range(n_people if smooth else 0):
            noise = rng.standard_normal(_GRID, np.float32)
            maps[:, person] = ndimage.gaussian_filter(noise, _FWHM / 2.355)[mask]
        for start in range(0, 0 if smooth else len(maps), _ROWS):
            part = maps[start : start + _ROWS]
            part[:] = rng.standard_normal(part.shape, np.float32)
        maps.flush()


def read_maps(folder: str) -> dict[str, np.ndarray]:
    """Map the files; every other person exercises, age is a nuisance."""
    maps = {name: np.load(Path(folder) / f'{name}.npy', mmap_mode='r') for name in ('outcome', 'covariate')}
    people = np.arange(maps['outcome'].shape[1])
    age = np.random.default_rng(2).uniform(20, 60, len(people))
    return {**maps, 'tested': people % 2.0, 'nuisance': np.column_stack([np.ones(len(people)), age])}


def ask(maps: dict[str, np.ndarray]) -> Question:
    """Return the comparison of the arms, each with a variance of its own."""
    return Question(tested=maps['tested'], nuisance=maps['nuisance'], groups=maps['tested'])


def compare(folder: str, scale: float, *, n_tfce: int, n_theirs: int, n_max_t: int) -> dict[str, float]:
    """Time both per permutation, in turn; the data as they are count as one, as both enhance them too."""
    mask, maps = make_mask(scale), read_maps(folder)
    masker = NiftiMasker(nb.Nifti1Image(mask.astype(np.uint8), np.diag([2, 2, 2, 1]))).fit()
    table, covariate = neighbour_table(mask), maps.pop('covariate')
    people, asked = np.ascontiguousarray(maps['outcome'].T), ask(maps)

    def ours(n: int, **more: Any) -> Any:
        return permute(
            maps['outcome'], asked, rng=np.random.default_rng(1), effort=Effort(n_permutations=n), **more
        )

    def ours_mean(n: int) -> Any:
        more = {'neighbours': table, 'rng': np.random.default_rng(1), 'effort': Effort(n_permutations=n)}
        return flip_signs(maps['outcome'], **more)

    def theirs(n: int, **more: Any) -> Any:
        more = {'n_perm': n, 'random_state': 1, 'output_type': 'dict', **more}
        return permuted_ols(maps['tested'], people, maps['nuisance'][:, 1:], **more)

    ours(1, neighbours=table, covariate=covariate)  # compiles
    jobs = {
        'ours': (partial(ours, neighbours=table), n_tfce),
        'theirs': (partial(theirs, masker=masker, tfce=True), n_theirs),
        'ours_covariate': (partial(ours, neighbours=table, covariate=covariate), n_tfce),
        'ours_mean': (ours_mean, n_tfce),
        'ours_max_t': (ours, n_max_t),
        'theirs_max_t': (theirs, n_max_t),
    }
    turns = [
        {name: seconds(partial(job, n)) / (n + 1) for name, (job, n) in jobs.items()} for _ in range(_REPEATS)
    ]
    found = {name: min(turn[name] for turn in turns) for name in jobs}
    for name in ('ours', 'ours_covariate', 'ours_mean'):
        found[f'{name}_whole'] = whole(jobs[name][0], n_tfce)
    # of one variance, as theirs
    t = permute(
        maps['outcome'],
        replace(asked, groups=None),
        rng=np.random.default_rng(1),
        effort=Effort(n_permutations=1),
    ).statistic
    found['t_error'] = float(np.abs(t - theirs(0)['t'][0]).max())
    return found | agreement(t, mask, table)


def whole(job: Callable[[int], Any], n: int) -> float:
    """Return the time of a whole test, from those of n and 3 n permutations: what is done once counts once."""
    short, long = (min(seconds(partial(job, m)) for _ in range(_REPEATS)) for m in (n, 3 * n))
    return long + (_WHOLE - 3 * n) * (long - short) / (2 * n)


def agreement(t: np.ndarray, mask: np.ndarray, table: np.ndarray, n_steps: int = 400) -> dict[str, float]:
    """Return the largest difference from a sum over fine steps, as a share of the largest TFCE."""
    exact, summed = tfce(t, table), np.zeros(mask.shape)
    step = np.abs(t).max() / n_steps
    volume = np.zeros(mask.shape)
    volume[mask] = t
    for sign in (1, -1):
        for height in step * (np.arange(n_steps) + 0.5):
            labels, _ = ndimage.label(sign * volume >= height, np.ones((3, 3, 3)))
            added = step * height**2 * np.sqrt(np.bincount(labels.ravel()))
            added[0] = 0
            summed += sign * added[labels]
    return {'tfce_error': float(np.abs(summed[mask] - exact).max() / np.abs(exact).max())}


def memory(folder: str, scale: float, n_permutations: int) -> dict[str, float]:
    """Return the peak of inference with a covariate and TFCE, imports and what it maps of the files included."""
    table, rng, maps = neighbour_table(make_mask(scale)), np.random.default_rng(1), read_maps(folder)
    more = {'covariate': maps['covariate'], 'neighbours': table, 'rng': rng}
    permute(maps['outcome'], ask(maps), **more, effort=Effort(n_permutations=n_permutations))
    return {'peak': peak_gb()}
