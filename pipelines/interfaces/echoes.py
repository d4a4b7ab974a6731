"""Combine the echoes of a BOLD run into one series, by the decay of every voxel of the head as it moves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..numerics.echoes import Decay, echo_weights, fit_t2star, lost_shares
from ..numerics.resample import apply_linear, grid_points, resample, sample
from ._interface import interface
from ._series import load_image, write_series
from .headers import open_series
from .images import iterate_volumes

_N_MEAN = 16  # volumes that the decay is fitted to


class _Combined(NamedTuple):
    series: Path
    decay: Decay


def combine_echoes(
    echoes: list[Path],
    echo_times: list[float],
    motion: list[Path],
    head_mask: Path,
    n_dummy: int,
    *,
    out_dir: Path,
) -> _Combined:
    r"""Add up the echoes of a run, each voxel by weights that move with the head.

    Parameters
    ----------
    echoes
        4D series as acquired, in the order of their times.
    echo_times
        s.
    motion
        (T, 4, 4) matrices in chunks, from points of the reference to points of each volume, of the first echo.
    head_mask
        Voxels of the head in the reference.
    n_dummy
        Leading volumes that do not count for the decay.
    out_dir
        Folder of the result.

    Returns
    -------
    _Combined
        Series on the grid of the first echo, and what is told of the echoes: lost is a signal below a fifth of the median
        of its echo in the head.

    Raises
    ------
    DataError
        The echoes do not fit together.

    Notes
    -----
    The decay is fitted to the mean of up to 16 realigned volumes of each echo; volume t at its voxel q is
    :math:`\sum_e w_e(M_t^{-1} q)\, S_e(q, t)`.  No image is interpolated for it, the weights alone are.

    """
    matrices = np.concatenate([np.load(part) for part in motion])
    image, head = _check(echoes, len(matrices)), np.asarray(load_image(head_mask).dataobj) > 0
    means = _means(echoes, matrices, n_dummy)
    t2star = fit_t2star(means.reshape(len(echoes), -1), np.array(echo_times))
    median = float(np.median(t2star[head.ravel()]))
    # in air there is no decay to fit: the head's serves
    weights = echo_weights(np.where(head.ravel(), t2star, median), np.array(echo_times))
    volumes = _combined(echoes, matrices, weights.T.reshape(*head.shape, -1).astype(np.float32), image.affine)
    t_r = float(image.header.get_zooms()[3])
    path = write_series(out_dir / 'combined.nii', volumes, image.shape, image.affine, t_r)
    lost = lost_shares(means.reshape(len(echoes), -1), head.ravel())
    return _Combined(path, Decay(tuple(echo_times), median, tuple(lost)))


CombineEchoes = interface(combine_echoes)


def _check(echoes: list[Path], n_volumes: int) -> Any:
    """Return the image of the first echo; the others have its grid and length."""
    images = [open_series(path) for path in echoes]
    first = images[0]
    for path, image in zip(echoes, images):
        if image.shape != first.shape or not np.allclose(image.affine, first.affine, atol=1e-3):
            raise DataError(
                f'{path} has shape {image.shape} or another position than {echoes[0]} ({first.shape}), the first echo. '
                'Choose one echo by --bids-filter-file with {"bold": {"echo": 2}}.'
            )
    if first.shape[3] != n_volumes:
        raise DataError(f'{echoes[0]} has {first.shape[3]} volumes, and head motion is known of {n_volumes}.')
    return first


def _means(echoes: list[Path], matrices: np.ndarray, n_dummy: int) -> np.ndarray:
    """Return the mean (E, X, Y, Z) of realigned volumes spread over the run."""
    chosen = np.unique(np.linspace(n_dummy, len(matrices) - 1, _N_MEAN).round().astype(int))
    means = []
    for path in echoes:
        image = open_series(path)
        total = np.zeros(image.shape[:3], np.float32)
        for number, volume in enumerate(iterate_volumes(path)):
            if number in chosen:
                total += resample(volume, image.affine, volume.shape, image.affine, linear=matrices[number])
        means.append(np.clip(total, 0, None) / len(chosen))
    return np.stack(means)


def _combined(
    echoes: list[Path], matrices: np.ndarray, weights: np.ndarray, affine: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield combined volumes; ``weights`` (X, Y, Z, E) lie where the reference does."""
    points = grid_points(weights.shape[:3], affine)
    edge = weights.mean(axis=(0, 1, 2))
    for matrix, *volumes in zip(matrices, *(iterate_volumes(path) for path in echoes)):
        own = sample(weights, affine, apply_linear(np.linalg.inv(matrix), points))
        total = own.sum(axis=1, keepdims=True)
        own = np.where(total > 0.5, own / np.maximum(total, 0.5), edge)
        stack = np.stack([np.asarray(volume, np.float32).reshape(-1) for volume in volumes], axis=1)
        yield (own * stack).sum(axis=1).reshape(weights.shape[:3])
