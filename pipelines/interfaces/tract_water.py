"""Anisotropy of tissue beside free water along a person's tracts."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..numerics import bundle
from ..numerics.free_water import free_water
from ..terms import LATERAL, Circuit, Hemisphere
from ._anatomy import load
from ._diffusion import load_table, signals_in
from .design import save_table
from .tract_domain import domain_of

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
    bundles = circuit.bundles
    visits = {own.name: load(path)[0] for own, path in zip(bundles, probsegs, strict=True)}
    # of a pair that of its first tract, as where FA is measured
    white = {own.pair.name: domain_of(fields, circuit, own).white for own in reversed(bundles)}
    used = np.any([(visits[own.name] > 0) & white[own.pair.name] for own in bundles], axis=0)
    maps = [_map(*scan, used) for scan in zip(scans[::2], scans[1::2], strict=True)]
    for pair, path in zip(circuit.pairs, scalarstats, strict=True):
        own = {one.hemisphere: visits[one.name] for one in bundles if one.pair == pair}
        _extend(path, own, white[pair.name], maps)
    return scalarstats


def _map(dwi: Path, gradients: Path, used: np.ndarray) -> np.ndarray:
    """Return the anisotropy beside free water (X, Y, Z); NaN where it is not known."""
    found = free_water(signals_in(dwi, used), load_table(gradients))
    volume = np.full(used.shape, np.nan, np.float32)
    if found is not None:
        volume[used] = found.fa
    return volume


def _extend(
    path: Path, visits: dict[Hemisphere, np.ndarray], white: np.ndarray, maps: list[np.ndarray]
) -> None:
    """Write a table anew with a row more for each of its weighted means of FA; cells that it has stay as they are."""
    table = pd.read_csv(path, sep='\t', dtype=str, keep_default_na=False)
    by_session = dict(zip(dict.fromkeys(table['session_id']), maps, strict=True))
    both = np.mean([visits[side] for side in LATERAL], axis=0) if visits.keys() >= set(LATERAL) else None
    rows = table[(table['param'] == 'fa') & (table['method'] == 'weighted')].assign(param=PARAM)
    rows['value'] = [
        'n/a' if value == 'n/a' else _mean(both if hemi == 'B' else visits[hemi], by_session[session], white)
        for session, hemi, value in zip(rows['session_id'], rows['hemi'], rows['value'])
    ]
    save_table(pd.concat([table, rows], ignore_index=True), path)


def _mean(visits: np.ndarray | None, values: np.ndarray, white: np.ndarray) -> str:
    """Return the mean over the voxels whose value is known, as a cell."""
    assert visits is not None
    known = white & np.isfinite(values)
    found = bundle.weighted_mean(visits, np.nan_to_num(values), known)
    return 'n/a' if np.isnan(found) else f'{found:.8g}'
