"""Tables of how reliable the imaging outcomes are."""

from pathlib import Path
from typing import NamedTuple

from ..stats.design import OutcomesDesign
from ..stats.reliable_change import list_changes, list_reliability
from ._interface import interface
from .tables import read_table, write_table


class _Reliability(NamedTuple):
    reliability: Path
    reliable_changes: Path


def rate_reliability(values: Path, repeats: Path, design: OutcomesDesign, *, out_dir: Path) -> _Reliability:
    """Rate how reliable the imaging outcomes are, and compare the change of every person with error.

    Parameters
    ----------
    values
        Of :func:`~pipelines.interfaces.trial.fit_outcomes`.
    repeats
        Of :func:`~pipelines.interfaces.imaging_outcomes.measure_imaging`.
    design
        Arms, visits and outcomes.
    out_dir
        Folder of the tables.

    Returns
    -------
    _Reliability
        See :func:`~pipelines.stats.reliable_change.list_reliability` and
        :func:`~pipelines.stats.reliable_change.list_changes`.

    """
    known = read_table(values)
    found = list_reliability(known, read_table(repeats), design)
    changes = list_changes(known, found, design)
    return _Reliability(
        write_table(found, out_dir / 'reliability.tsv'),
        write_table(changes, out_dir / 'reliable_changes.tsv'),
    )


RateReliability = interface(rate_reliability, is_brief=True)
