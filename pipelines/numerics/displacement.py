"""Displacement of an EPI from what was measured beside it: a map of the field, or an EPI of reverse encoding."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .gain import opposite_gain
from .register import register_rigid
from .resample import resample, voxel_sizes
from .susceptibility import estimate_pair_field, unwarp

Array = NDArray[Any]

_ROUNDS = 2
_MARGIN_MM = 40.0


class Placed(NamedTuple):
    """How an EPI is displaced.

    Attributes
    ----------
    shift
        (X, Y, Z) float32 voxels along +axis of the EPI: what lies at x is seen at x + shift(x).
    matrix
        (4, 4) points of the EPI, undistorted, to points of what was measured.

    """

    shift: Array
    matrix: Array


class Encoded(NamedTuple):
    """Phase encoding of an image: axis of its array 0 to 2, polarity 1 or -1, ``TotalReadoutTime`` s."""

    axis: int
    polarity: int
    readout_time: float


def encoded(direction: str, readout_time: float) -> Encoded:
    """Return the encoding of a ``PhaseEncodingDirection`` of BIDS.

    Examples
    --------
    >>> encoded('j-', 0.05)
    Encoded(axis=1, polarity=-1, readout_time=0.05)

    """
    return Encoded('ijk'.index(direction[0]), -1 if direction.endswith('-') else 1, readout_time)


def shift_of_field(field: Array, encoding: Encoded) -> Array:
    r"""Return how a field displaces an EPI.

    Parameters
    ----------
    field
        (X, Y, Z) Hz on the grid of the EPI.
    encoding
        Of the EPI.

    Returns
    -------
    Array
        (X, Y, Z) float32 voxels along +axis.

    Notes
    -----
    A line of :math:`n` voxels is read in :math:`n t`, :math:`t` the effective echo spacing, and shows what
    turns faster by :math:`f` displaced by :math:`f n t` voxels; BIDS' readout time is :math:`T = (n - 1) t`, so
    that :math:`d = s f T n / (n - 1)`, with :math:`s` the polarity.

    Examples
    --------
    >>> shift_of_field(np.full((1, 5, 1), 10.0), Encoded(1, -1, 0.04)).ravel().tolist()
    [-0.5, -0.5, -0.5, -0.5, -0.5]

    """
    n = field.shape[encoding.axis]
    seconds = encoding.readout_time * n / max(n - 1, 1)
    return np.asarray(field, np.float32) * np.float32(encoding.polarity * seconds)


def place_field(
    field: tuple[Array, Array], magnitude: Array, epi: tuple[Array, Array], encoding: Encoded, **options: Any
) -> Placed:
    """Bring a map of the field to an EPI that it distorts.

    Parameters
    ----------
    field
        (I, J, K) Hz, known beyond the head, and (4, 4) affine.
    magnitude
        (I, J, K) intensities of the same scan, not distorted.
    epi
        (X, Y, Z) intensities as acquired, and (4, 4) affine.
    encoding
        Of the EPI.
    options
        ``rng_seed`` and ``sloppy`` of registrations.

    Notes
    -----
    The magnitude is registered rigidly to the EPI, the EPI is corrected by the field that lies there, and both
    are repeated with the corrected EPI, for the distortion draws the first registration astray.

    """
    (values, grid), (hertz, affine) = epi, field
    padded, corner = _extend(hertz, affine)
    seen, matrix = values, np.eye(4)
    for _ in range(_ROUNDS + 1):
        matrix = register_rigid(seen, grid, magnitude, affine, initial=matrix, **options)
        carried = resample(padded, corner, values.shape, grid, linear=matrix)
        shift = shift_of_field(carried, encoding)
        seen = np.clip(unwarp(values, shift, encoding.axis, 1, modulate=False), 0, None)
    return Placed(shift, matrix)


def _extend(field: Array, affine: Array) -> tuple[Array, Array]:
    """Repeat the outermost voxels: a scan that reaches further than the map is displaced as its edge is."""
    margin = np.ceil(_MARGIN_MM / voxel_sizes(affine)).astype(int)
    moved = np.array(affine, float)
    moved[:3, 3] -= moved[:3, :3] @ margin
    return np.pad(field, [(m, m) for m in margin], mode='edge'), moved


def place_reverse(
    epi: tuple[Array, Array],
    reverse: tuple[Array, Array],
    mask: Array,
    axis: int,
    *,
    ratio: float = 1.0,
    start: Array | None = None,
    **options: Any,
) -> Placed:
    """Find how an EPI is displaced from another of reverse encoding, between which the head may have moved.

    Parameters
    ----------
    epi, reverse
        (X, Y, Z) intensities and (4, 4) affine.
    mask
        (X, Y, Z) bool, brain in ``epi``.
    axis
        Phase-encoding axis.
    ratio
        Readout time of ``reverse`` over that of ``epi``.
    start
        (4, 4) first guess, points of ``epi`` to points of ``reverse``; none means that the head lay still.
    options
        ``rng_seed`` and ``sloppy`` of registrations; ``metric``, ``MI`` where the contrasts differ and else ``GC``.

    Notes
    -----
    Displacement and rigid transform are found in turn.  A shift along the axis and a constant displacement cannot be
    told apart: what the first guess leaves of a movement along the axis goes into the displacement by half.

    """
    first, affine = epi
    options = {'metric': 'GC', **options}
    matrix, r = np.eye(4) if start is None else start, np.float32(ratio)
    for _ in range(_ROUNDS):
        second = resample(*reverse, first.shape, affine, linear=matrix, order=3)
        # the pair is compared by its intensities
        second /= np.float32(opposite_gain(first, second, mask, axis))
        u = estimate_pair_field(first, second, affine, axis=axis, ratio=ratio, sloppy=options['sloppy'])
        undone = [
            unwarp(image, part, axis, sign) for image, part, sign in ((first, u, 1), (second, r * u, -1))
        ]
        step = register_rigid(
            undone[0], affine, undone[1], affine, fixed_mask=mask.astype(np.float32),
            initial=np.eye(4), **options,
        )  # fmt: skip
        matrix = matrix @ step
    return Placed(u, matrix)
