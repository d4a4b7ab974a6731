"""Read what shows the distortion of a series, and find how the reference of the series is displaced."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..acquisition import FieldSource
from ..errors import DataError, UnknownWordError
from ..numerics.average import Image
from ..numerics.displacement import Encoded, Placed, encoded, place_field, place_reverse
from ..numerics.dwi import find_mask
from ..numerics.field_map import extend_field, field_of_phase, to_radians, wrap
from ..numerics.register import register_rigid
from ..numerics.resample import resample
from ..numerics.susceptibility import estimate_pair_field, field_in_hz, shift_in_voxels
from ..terms import FIELD_UNITS
from .headers import open_image
from .images import values_of

_SAME_READOUT = 0.01  # share by which two readout times may differ
_WEAK = 0.02  # of the largest weight of a map: below, its phase is noise
_REMEDY = 'Mend the file or its sidecar, or use --ignore fieldmaps.'


def place_source(
    source: FieldSource, images: list[Path], reference: Image, mask: np.ndarray | None = None, **options: Any
) -> Placed:
    """Find how the reference of a series is displaced.

    Parameters
    ----------
    source, images
        What shows it: EPI in the order of ``source``, or maps and then their magnitude.
    reference
        Of the series, as acquired.
    mask
        Brain in it; found when it is needed.
    options
        ``rng_seed`` and ``sloppy`` of registrations.

    Raises
    ------
    DataError
        The images are no such source; names them.
    UnknownWordError
        Of another kind.

    """
    encoding = encoded(source.direction, source.readout_time)
    match source.kind:
        case 'pair':
            return _place_pair(source, images, reference, encoding, options)
        case 'reverse':
            return _place_reverse(source, images, reference, mask, options)
        case 'fieldmap' | 'phasediff' | 'phases':
            *maps, last = [_load(path) for path in images]
            with naming_all(images):
                hertz = _field_of(source, [values for values, _ in maps], *last)
            return place_field((hertz, last[1]), last[0], reference, encoding, **options)
    raise UnknownWordError(f'estimator of distortion {source.kind} is unknown')


@contextmanager
def naming_all(images: list[Path]) -> Iterator[None]:
    """Say which images a fault was found in."""
    try:
        yield
    except ValueError as error:
        raise DataError(f'{", ".join(map(str, images))}: {error}. {_REMEDY}') from error


def _field_of(
    source: FieldSource, maps: list[np.ndarray], magnitude: np.ndarray, affine: np.ndarray
) -> np.ndarray:
    """Return the field (X, Y, Z) in Hz, smoothed and continued, of maps on the grid of their magnitude."""
    if any(values.shape != magnitude.shape for values in maps):
        raise ValueError(f'shapes {", ".join(str(v.shape) for v in (*maps, magnitude))} differ')
    # phase is as good as its magnitude, in the scalp as in the brain; air shows nothing
    weights = np.square(magnitude / np.percentile(magnitude[magnitude > 0], 95))
    head = weights > _WEAK
    if source.kind == 'fieldmap':
        measured = maps[0] * np.float32(FIELD_UNITS[source.units])
        return extend_field(measured, weights * head * (measured != 0), affine)
    phase = to_radians(maps[0])
    if source.kind == 'phases':
        phase = wrap(to_radians(maps[1]) - phase)
    brain = find_mask(magnitude[..., None]) & head
    hertz = field_of_phase(phase, brain, source.echo_times[1] - source.echo_times[0])
    return extend_field(hertz, weights * brain, affine)


def _place_pair(
    source: FieldSource, images: list[Path], reference: Image, encoding: Encoded, options: dict[str, Any]
) -> Placed:
    """Find the field from two images, and carry it in Hz.

    The one whose phase encoding is that of the series is registered to the reference, distorted as that is.
    """
    order = _check_pair(images, source)
    pair, affine = _load_pair([images[number] for number in order], [_volumes(source, n) for n in order])
    along = 'ijk'.index(source.directions[0][0])
    u = estimate_pair_field(pair[0], pair[1], affine, axis=along, sloppy=options['sloppy'])
    hertz = field_in_hz(u, float(np.mean(source.readout_times)))
    same = next((k for k, n in enumerate(order) if source.directions[n] == source.direction), 0)
    values, grid = reference
    matrix = register_rigid(values, grid, pair[same], affine, **options)
    carried = resample(hertz, affine, values.shape, grid, linear=matrix)
    return Placed(encoding.polarity * shift_in_voxels(carried, source.readout_time), matrix)


def _place_reverse(
    source: FieldSource,
    images: list[Path],
    reference: Image,
    mask: np.ndarray | None,
    options: dict[str, Any],
) -> Placed:
    """Pair the reference with one image; the contrasts of a gradient echo and a spin echo differ."""
    axis = 'ijk'.index(source.direction[0])
    known = source.readout_time > 0 and source.readout_times[0] > 0
    ratio = source.readout_times[0] / source.readout_time if known else 1.0
    metric = 'GC' if mask is not None else 'MI'
    inside = find_mask(reference[0][..., None]) if mask is None else mask
    other = _load(images[0], _volumes(source, 0))
    start = register_rigid(*reference, *other, initial=np.eye(4), **options)
    with naming_all(images):
        return place_reverse(
            reference, other, inside, axis, ratio=ratio, metric=metric, start=start, **options
        )


def _check_pair(images: list[Path], source: FieldSource) -> list[int]:
    """Return the numbers of the images along +axis and -axis."""
    names = ', '.join(str(path) for path in images)
    directions, times = source.directions, source.readout_times
    if len(images) != 2 or {d[1:] for d in directions} != {'', '-'} or len({d[0] for d in directions}) != 1:
        raise DataError(
            f'{names}: PhaseEncodingDirection {", ".join(directions)} is no pair of opposite directions. {_REMEDY}'
        )
    if abs(times[0] - times[1]) > _SAME_READOUT * max(times):
        raise DataError(f'{names}: TotalReadoutTime {times[0]:g} and {times[1]:g} s differ. {_REMEDY}')
    return sorted((0, 1), key=lambda number: directions[number].endswith('-'))


def _volumes(source: FieldSource, number: int) -> tuple[int, ...]:
    return source.volumes[number] if source.volumes else ()


def _load(path: Path, volumes: tuple[int, ...] = ()) -> Image:
    """Return an image, averaged over its volumes or those that count, and its affine."""
    image = open_image(path)
    values = values_of(image)
    if values.ndim == 4:
        values = (values[..., list(volumes)] if volumes else values).mean(axis=3)
    return values, image.affine


def _load_pair(images: list[Path], volumes: list[tuple[int, ...]]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the two images on the grid of the first, and its affine."""
    (first, grid), (second, other) = (_load(path, own) for path, own in zip(images, volumes))
    if first.shape != second.shape or not np.allclose(grid, other, atol=1e-3):
        second = resample(second, other, first.shape, grid)
    return [first, second], grid
