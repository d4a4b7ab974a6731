"""Rows that are added to the tables of tracts: the mean of a further map, weighted as that of FA is."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..numerics import bundle
from ..terms import LATERAL, Circuit, Hemisphere, join_flags, split_flags
from ._anatomy import load
from .design import save_table
from .tract_domain import domain_of

NO_VALUE = 'n/a'


class TractWeights(NamedTuple):
    """What weights the voxels of a pair's tracts: visitation (X, Y, Z) of each, and the white matter that counts."""

    visits: dict[Hemisphere, np.ndarray]
    white: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """Return the voxels of white matter that any streamline visits."""
        return np.any([own > 0 for own in self.visits.values()], axis=0) & self.white

    def mean(self, hemi: str, values: np.ndarray, least: float) -> str:
        """Return the mean over the voxels whose value is known, as a cell; none where less than a share of the weight is known."""
        visits = np.mean([self.visits[s] for s in LATERAL], axis=0) if hemi == 'B' else self.visits[hemi]  # type: ignore[index]
        known = self.white & np.isfinite(values)
        if visits[known].sum(dtype=float) < least * visits[self.white].sum(dtype=float):
            return NO_VALUE
        found = bundle.weighted_mean(visits, np.nan_to_num(values), known)
        return NO_VALUE if np.isnan(found) else f'{found:.8g}'


class FurtherParam(NamedTuple):
    """A map to be added: its name in the column ``param``, and its values (X, Y, Z) of every session, NaN unknown.

    Where less than the share ``least`` of a tract's weight lies on known values there is no value, and the
    row carries ``flag``.
    """

    name: str
    maps: list[np.ndarray]
    least: float = 0.0
    flag: str = ''


def tract_weights(
    circuit: Circuit, fields: Mapping[str, np.ndarray], probsegs: list[Path]
) -> list[TractWeights]:
    """Return the weights of every pair.

    Parameters
    ----------
    circuit
        Whose tracts they are.
    fields
        Of :func:`~.tract_domain.read_fields`.
    probsegs
        Visitation of every tract.

    """
    bundles = circuit.bundles
    visits = {own.name: load(path)[0] for own, path in zip(bundles, probsegs, strict=True)}
    found = []
    for pair in circuit.pairs:
        own = [one for one in bundles if one.pair == pair]
        # of a pair that of its first tract, as where FA is measured
        white = domain_of(fields, circuit, own[0]).white
        found.append(TractWeights({one.hemisphere: visits[one.name] for one in own}, white))
    return found


def add_param(table: Path, weights: TractWeights, further: FurtherParam) -> bool:
    """Write a table anew with a row more for each of its weighted means of FA; cells that it has stay as they are.

    Returns
    -------
    bool
        Whether a value is lacking where FA has one.

    """
    known = pd.read_csv(table, sep='\t', dtype=str, keep_default_na=False)
    by_session = dict(zip(dict.fromkeys(known['session_id']), further.maps, strict=True))
    rows = known[(known['param'] == 'fa') & (known['method'] == 'weighted')].assign(param=further.name)
    cells = [
        NO_VALUE if fa == NO_VALUE else weights.mean(hemi, by_session[session], further.least)
        for session, hemi, fa in zip(rows['session_id'], rows['hemi'], rows['value'])
    ]
    lost = [cell == NO_VALUE != fa for cell, fa in zip(cells, rows['value'])]
    if further.flag:
        rows['flags'] = [
            join_flags([*split_flags(cell), further.flag]) if is_lost else cell
            for cell, is_lost in zip(rows['flags'], lost)
        ]
    rows['value'] = cells
    save_table(pd.concat([known, rows], ignore_index=True), table)
    return any(lost)
