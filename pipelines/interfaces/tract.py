"""Find the tracts of a person: fibre orientations, then streamlines."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from ..numerics.fod import count_angles, estimate_response, fit_fod, response_voxels
from ..numerics.gradients import harmonic_order
from ..numerics.tensor import Tensor
from ..numerics.tracking import Domain, Tracked, track
from ..terms import Circuit, Hemisphere, raised
from ._anatomy import load, naming
from ._diffusion import fill_mask, inside, load_table, signals_in
from ._interface import interface
from .tract_domain import around, domain_of, read_fields

_STREAMS: tuple[Hemisphere, ...] = ('L', 'R', 'n/a', 'C')
"""Hemispheres by the number that their random streams have."""


class _Oriented(NamedTuple):
    fod: Path
    facts: dict[str, Any]


class _Tracked(NamedTuple):
    streamlines: Path
    counts: dict[str, Any]


def fit_orientations(
    dwi: Path,
    gradients: Path,
    dwi_mask: Path,
    fa: Path,
    md: Path,
    evec: Path,
    domain: Path,
    *,
    out_dir: Path,
) -> _Oriented:
    """Fit fibre orientations of one session around the regions.

    Parameters
    ----------
    dwi, gradients, dwi_mask
        Series on the person's grid, its table, its brain.
    fa, md, evec
        Of the tensor.
    domain
        Of :func:`map_domain`.
    out_dir
        Folder of the result.

    Raises
    ------
    DataError
        Too few directions, or too low a b-value; says how many or how low.

    """
    mask, table, where = inside(dwi_mask), load_table(gradients), np.load(domain)
    signals = signals_in(dwi, mask)
    with naming(dwi):
        angles = count_angles(table)
        order = harmonic_order(angles)
        tensor = Tensor(load(fa)[0][mask], load(md)[0][mask], mask, mask, load(evec)[0][mask])
        core = ndimage.binary_erosion(mask, iterations=2)[mask]
        voxels = response_voxels(tensor, core, where['outside'][mask])
        response = estimate_response(signals, table, tensor.evec, voxels, order)
    near = where['near'] & mask
    fod = fit_fod(signals[near[mask]], table, response)
    np.savez(out_dir / 'fod.npz', near=near, fod=fod)
    several = len(response.shells) > 1
    return _Oriented(
        out_dir / 'fod.npz',
        {
            'FodModel': 'MSMT-CSD' if several else 'CSD',
            'HarmonicOrder': order,
            'NumberOfAngles': angles,
            'ResponseFunction': {
                'BValues': response.shells.tolist(),
                'ZonalCoefficients': response.white.round(3).tolist(),
            },
            'Flags': raised(low_lmax=order < 6),
        },
    )


FitOrientations = interface(fit_orientations)


def track_tract(
    fods: list[Path],
    domain: Path,
    circuit: Circuit,
    part: int,
    n_streamlines: int,
    max_seeds: int,
    step_size: float,
    max_angle: float,
    max_length: float,
    random_seed: int,
    *,
    out_dir: Path,
) -> _Tracked:
    """Track one direction of one tract in the mean of the sessions' orientations.

    Parameters
    ----------
    fods
        Orientations of every session on one grid.
    domain
        Of :func:`map_domain`.
    circuit, part
        Whose tracts are asked for, and which of them: 2 n is the n-th from its first region, 2 n + 1 from its second.
    n_streamlines, max_seeds, step_size, max_angle, max_length
        See :func:`~pipelines.numerics.tracking.track`.
    random_seed
        Of seeds and directions.
    out_dir
        Folder of the result.

    Returns
    -------
    _Tracked
        Streamlines, all from the first region to the second, and how many seeds they took.

    Notes
    -----
    Random numbers depend on the hemisphere and on the direction only, so that a tract is the same whichever others
    are asked for.

    """
    own, start = circuit.bundles[part // 2], part % 2
    where, number = domain_of(read_fields(domain), circuit, own), _STREAMS.index(own.hemisphere)
    first, second = (where.first, where.second)[:: -1 if start else 1]
    fod = mean_orientations(fods) * around(where.free, where.affine)[..., None]
    tracked = Tracked([], 0) if not (first.any() and second.any()) else track(
        fod, where.affine, Domain(first, second, where.ends, where.barred),
        n_streamlines=n_streamlines, max_seeds=max_seeds, step_size=step_size, max_angle=max_angle,
        max_length=max_length, rng=np.random.default_rng([random_seed, number, start == 0]),
    )  # fmt: skip
    lines = [line[::-1] for line in tracked.streamlines] if start else tracked.streamlines
    np.savez(
        out_dir / 'streamlines.npz', points=np.concatenate([np.empty((0, 3)), *lines]).astype(np.float32),
        sizes=[len(line) for line in lines],
    )  # fmt: skip
    return _Tracked(out_dir / 'streamlines.npz', {'Seeds': tracked.n_seeds, 'Accepted': len(lines)})


TrackTract = interface(track_tract)


def mean_orientations(fods: list[Path]) -> np.ndarray:
    """Return the mean (X, Y, Z, C) of orientations on one grid, to the order that all sessions have."""
    total = None
    for path in fods:
        with np.load(path) as stored:
            volume = fill_mask(stored['fod'], stored['near'])
        if total is None:
            total = volume
        else:
            count = min(total.shape[3], volume.shape[3])
            total = total[..., :count] + volume[..., :count]
    assert total is not None
    return np.asarray(total / len(fods))
