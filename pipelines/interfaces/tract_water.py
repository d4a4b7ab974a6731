"""Anisotropy of tissue beside free water along a person's tracts."""

from pathlib import Path

import numpy as np

from ..numerics.free_water import free_water
from ..terms import Circuit
from ._diffusion import load_table, signals_in
from .tract_rows import FurtherParam, add_param, tract_weights

PARAM = 'fwfa'
"""In the column ``param`` of the tables of tracts."""


def add_free_water(
    scalarstats: list[Path],
    probsegs: list[Path],
    fields: dict[str, np.ndarray],
    circuit: Circuit,
    scans: list[Path],
) -> list[Path]:
    """Add the anisotropy beside free water to the tables of tracts, weighted as FA is; return them.

    Parameters
    ----------
    scalarstats, probsegs
        Tables of every pair, which are written anew, and visitation of every tract.
    fields
        Of :func:`~.tract_domain.read_fields`.
    circuit
        Whose tracts they are.
    scans
        Series on the person's grid and its gradients, session after session.

    Notes
    -----
    It is fitted where streamlines pass white matter; ``n/a`` where the weightings do not suffice
    (:func:`~pipelines.numerics.free_water.water_volumes`), or FA is.

    """
    weights = tract_weights(circuit, fields, probsegs)
    used = np.any([own.used for own in weights], axis=0)
    maps = [_map(*scan, used) for scan in zip(scans[::2], scans[1::2], strict=True)]
    for own, path in zip(weights, scalarstats, strict=True):
        add_param(path, own, FurtherParam(PARAM, maps))
    return scalarstats


def _map(dwi: Path, gradients: Path, used: np.ndarray) -> np.ndarray:
    """Return the anisotropy beside free water (X, Y, Z); NaN where it is not known."""
    found = free_water(signals_in(dwi, used), load_table(gradients))
    volume = np.full(used.shape, np.nan, np.float32)
    if found is not None:
        volume[used] = found.fa
    return volume
