"""Where the diffusion scans of a session lie to each other and to the T1w image, and how they are distorted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..acquisition import SessionEncoding
from ..numerics.average import Image
from ..numerics.coregister import coregister as find_rigid
from ..numerics.displacement import Placed, place_reverse
from ..numerics.register import bias_correct, register_rigid
from ..numerics.resample import resample
from ..numerics.susceptibility import displacement_mm, unwarp
from ..numerics.susceptibility_t1w import register_along_axis
from ..terms import ESTIMATORS, NO_CORRECTION
from ._anatomy import load
from ._diffusion import inside
from ._field import place_source
from ._interface import interface
from ._series import write_volume
from .transforms import read_linear, write_field, write_linear

_PAIR = 'displacement along the phase-encoding axis from scans of opposite phase encoding'
_SYN = 'registration to the T1w image along the phase-encoding axis'


class _Combined(NamedTuple):
    reference: Path
    reference_mask: Path
    scan_xfms: list[Path]
    displacements: list[Path]
    correction: str


class _Coregistered(NamedTuple):
    person2dwi_xfm: Path
    displacements: list[Path]
    correction: str


def combine_scans(
    b0s: list[Path],
    masks: list[Path],
    encoding: SessionEncoding,
    random_seed: int,
    sloppy: bool = False,
    images: list[Path] | None = None,
    *,
    out_dir: Path,
) -> _Combined:
    """Find the distortion of a session, and how its scans lie.

    Parameters
    ----------
    b0s, masks
        Mean b = 0 image and brain of every scan; the first is the reference.
    encoding
        Of the scans, and of what else shows the distortion of the first.
    images
        Those that show it, see :func:`~pipelines.interfaces._field.place_source`; none without.
    random_seed
        Of registrations, not 0.
    sloppy
        Coarse.
    out_dir
        Folder of the results.

    Returns
    -------
    _Combined
        Undistorted reference, its mask, points of it to points of every scan, displacement of every
        scan on its grid (none where nothing shows it), and what was done.

    """
    scans, mask = [load(path) for path in b0s], inside(masks[0])
    affine = scans[0][1]
    options: dict[str, Any] = {'rng_seed': random_seed, 'sloppy': sloppy}
    opposite = _opposite(encoding.directions)
    placed, correction = _place(scans, mask, encoding, images or [], options)
    xfms = {0: np.eye(4)} | ({opposite[0]: placed.matrix} if placed and opposite else {})
    reference, fields = _undistort(scans, placed, encoding)
    for number, (values, grid) in enumerate(scans):
        # scans of one polarity are distorted alike: they are compared as they are
        like = opposite[0] if number in opposite else 0
        if number not in xfms:
            at = register_rigid(*scans[like], values, grid, initial=np.eye(4), **options)
            xfms[number] = at @ xfms[like]
    return _Combined(
        write_volume(reference.astype(np.float32), affine, out_dir / 'reference.nii'),
        write_volume(mask.astype(np.uint8), affine, out_dir / 'reference_mask.nii'),
        [write_linear(out_dir / f'scan_{n}.txt', xfms[n]) for n in range(len(b0s))],
        [write_field(out_dir / f'displacement_{n}.nii.gz', f, affine) for n, f in enumerate(fields)],
        correction,
    )


CombineScans = interface(combine_scans)


def _opposite(directions: Sequence[str]) -> list[int]:
    """Return which scans are encoded against the first."""
    first = directions[0]
    return [
        n for n, d in enumerate(directions) if d and d[0] == first[:1] and _polarity(d) != _polarity(first)
    ]


def _place(
    scans: list[Image],
    mask: np.ndarray,
    encoding: SessionEncoding,
    images: list[Path],
    options: dict[str, Any],
) -> tuple[Placed | None, str]:
    """Return how the first scan is displaced, and what that was found from."""
    opposite = _opposite(encoding.directions)
    if opposite:
        axis = 'ijk'.index(encoding.directions[0][0])
        ratio = _readout_ratio(encoding.readout_times, opposite[0])
        return place_reverse(scans[0], scans[opposite[0]], mask, axis, ratio=ratio, **options), _PAIR
    if encoding.source is not None:
        placed = place_source(encoding.source, images, scans[0], mask, **options)
        return placed, ESTIMATORS[encoding.source.kind].title
    return None, NO_CORRECTION


def _undistort(
    scans: list[Image], placed: Placed | None, encoding: SessionEncoding
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the first scan, undistorted where that is known, and the displacement (X, Y, Z, 3) mm of every scan."""
    first, affine = scans[0]
    if placed is None:
        return first, []
    about = list(encoding.directions), list(encoding.readout_times)
    fields = [_displacement(placed.shift, affine, *about, n) for n in range(len(scans))]
    return np.clip(unwarp(first, placed.shift, 'ijk'.index(encoding.directions[0][0]), 1), 0, None), fields


def _polarity(direction: str) -> int:
    return -1 if direction.endswith('-') else 1


def _readout_ratio(readout_times: Sequence[float], number: int) -> float:
    """Return the readout time of a scan over that of the first; 1 where either is unknown (0)."""
    known = readout_times[number] > 0 and readout_times[0] > 0
    return readout_times[number] / readout_times[0] if known else 1.0


def _displacement(
    u: np.ndarray, affine: np.ndarray, directions: list[str], readout_times: list[float], number: int
) -> np.ndarray:
    """Return the displacement (X, Y, Z, 3) mm of one scan; ``u`` is that of the first one."""
    if not directions[number]:
        return np.zeros((*u.shape, 3), np.float32)
    sign = _polarity(directions[number]) * _polarity(directions[0])
    ratio = _readout_ratio(readout_times, number)
    return displacement_mm(u * np.float32(sign * ratio), affine, 'ijk'.index(directions[number][0]))


def coregister_scans(
    reference: Path,
    t1w_preproc: Path,
    t1w_mask: Path,
    session_xfm: Path,
    directions: list[str],
    readout_times: list[float],
    displacements: list[Path],
    correction: str,
    random_seed: int,
    use_syn: bool = False,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Coregistered:
    """Find the rigid transform from the T1w image to the reference, and its distortion if asked to.

    Parameters
    ----------
    reference
        Mean b = 0 image of the session.
    t1w_preproc, t1w_mask
        T1w image and its brain mask.
    session_xfm
        Points of that image to points of the scanner during the session.
    directions, readout_times, displacements, correction
        Of :func:`combine_scans`.
    random_seed
        Of registrations, not 0.
    use_syn
        Without a pair, register the reference to the T1w image along the phase-encoding axis.
    sloppy
        Coarse.
    out_dir
        Folder of the results.

    """
    (values, affine), head, brain = load(reference), load(t1w_preproc), inside(t1w_mask)
    options: dict[str, Any] = {'rng_seed': random_seed, 'sloppy': sloppy}
    starts = [read_linear(session_xfm), None]

    def find(image: np.ndarray) -> np.ndarray:
        even, _ = bias_correct(image, affine, iterations=(20, 20))
        return find_rigid(head, brain, (even, affine), starts=starts, **options)

    matrix = find(values)
    if use_syn and directions[0] and not displacements:
        back = np.linalg.inv(matrix)
        anatomy = resample(*head, values.shape, affine, linear=back)
        inner = resample(brain.astype(np.float32), head[1], values.shape, affine, linear=back) > 0.5
        axis = 'ijk'.index(directions[0][0])
        u = register_along_axis(anatomy, inner, values, affine, axis=axis, **options)
        fields = [_displacement(u, affine, directions, readout_times, n) for n in range(len(directions))]
        displacements = [
            write_field(out_dir / f'displacement_{n}.nii.gz', f, affine) for n, f in enumerate(fields)
        ]
        correction, matrix = _SYN, find(np.clip(unwarp(values, u, axis, 1), 0, None))
    return _Coregistered(write_linear(out_dir / 'person2dwi.txt', matrix), displacements, correction)


CoregisterScans = interface(coregister_scans)
