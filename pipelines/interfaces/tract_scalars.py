"""Measure further maps along a person's tracts: those that ``--scalars`` asks for."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np

from ..errors import DataError, MissingInputError
from ..numerics.resample import resample
from ..scalar_maps import ScalarMap, TractScalars
from ._anatomy import load
from ._interface import interface
from .tract_domain import read_fields
from .tract_rows import FurtherParam, add_param, tract_weights

LEAST_SHOWN = 0.7
"""Share of a tract's weight that a map has to show for a value, as of a region in a scan (docs/diffusion.md)."""

_INSIDE = 0.999  # of a voxel's value that comes from voxels whose value is known


class _Extended(NamedTuple):
    scalarstats: list[Path]
    metadata: list[dict[str, Any]]


class _Placed(NamedTuple):
    """A map on the person's grid, NaN where it is not known, and what sidecars say of it."""

    values: np.ndarray
    facts: dict[str, Any]


def measure_scalars(
    scalarstats: list[Path],
    probsegs: list[Path],
    metadata: list[dict],
    domain: Path,
    wanted: TractScalars,
    files: list[Path],
    *,
    out_dir: Path,
) -> _Extended:
    """Add further maps to the tables of tracts, weighted as FA is.

    Parameters
    ----------
    scalarstats, probsegs, metadata
        Of :func:`.tract_values.measure_tract`.
    domain
        Of :func:`.tract_domain.map_domain`.
    wanted
        Whose tracts they are, and the maps.
    files
        Those maps that there are; a change of them repeats this step.
    out_dir
        Folder of the results.

    Notes
    -----
    A map on another grid is interpolated linearly onto the person's.  ``n/a``, flagged ``no_map``, where a session
    has no map or its map shows less than :data:`LEAST_SHOWN` of the tract.

    """
    fields = read_fields(domain)
    weights = tract_weights(wanted.circuit, fields, probsegs)
    tables = [Path(shutil.copy(path, out_dir / path.name)) for path in scalarstats]
    told: dict[str, dict[str, Any]] = {}
    lost: list[list[str]] = [[] for _ in tables]
    for name, maps in wanted.by_name.items():
        placed = [place_map(own, weights[0].white.shape, fields['affine']) for own in maps]
        told[name] = {own.session: found.facts for own, found in zip(maps, placed)}
        further = FurtherParam(name, [own.values for own in placed], LEAST_SHOWN, f'no_map:{name}')
        for path, own, flags in zip(tables, weights, lost, strict=True):
            flags += [further.flag] if add_param(path, own, further) else []
    facts = [{**own, 'Scalars': told, 'Flags': [*own['Flags'], *f]} for own, f in zip(metadata, lost)]
    return _Extended(tables, facts)


MeasureScalars = interface(measure_scalars, is_brief=True)


def place_map(own: ScalarMap, shape: tuple[int, ...], affine: np.ndarray) -> _Placed:
    """Return a map on the person's grid; one that there is not, or that cannot be read, is unknown everywhere."""
    unknown = np.full(shape, np.nan, np.float32)
    if not own.path:
        return _Placed(unknown, {'Missing': own.lack})
    try:
        volume, grid = load(Path(own.path))
    except (DataError, MissingInputError) as error:
        # what is published names no folder of this machine
        told = str(error).replace(own.path, Path(own.path).name)
        return _Placed(unknown, {'Source': own.source, 'Missing': told})
    if any(n != 1 for n in volume.shape[3:]):
        missing = f'it has {volume.shape[3]} volumes, and a map has one'
        return _Placed(unknown, {'Source': own.source, 'Missing': missing})
    image = nb.as_closest_canonical(nb.Nifti1Image(volume.reshape(volume.shape[:3]), grid))
    values, found = np.asarray(image.dataobj, np.float32), np.asarray(image.affine, float)
    is_here = values.shape == shape and np.allclose(found, affine, atol=1e-3)
    facts = {'Source': own.source, 'Interpolation': 'none' if is_here else 'linear'}
    return _Placed(values if is_here else _interpolated(values, found, shape, affine), facts)


def _interpolated(
    values: np.ndarray, grid: np.ndarray, shape: tuple[int, ...], affine: np.ndarray
) -> np.ndarray:
    """Return values on another grid, linear between voxels; NaN next to what is not known, or beyond the image."""
    is_known = np.isfinite(values)
    share = resample(is_known.astype(np.float32), grid, shape, affine)
    found = resample(np.where(is_known, values, 0), grid, shape, affine)
    return np.where(share > _INSIDE, found, np.nan).astype(np.float32)
