"""The tables of tracts that the participant level left, by participant, session and pair."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines.terms import Circuit

from ..phenotype.parts import Trial
from ..scans.query import entities_of
from .diffusion import SCALARSTATS


class TractResult(NamedTuple):
    """The table of one pair's tract and the session of it that is meant, empty when there is only one."""

    participant_id: str
    session_id: str
    table: Path
    bundle: str = ''


def tract_tables(folder: Path, trial: Trial, circuit: Circuit) -> Iterator[TractResult]:
    """Yield tracts of one person (a table for all sessions) and those of a session of its own, the first pair first."""
    order = [pair.name for pair in circuit.pairs]
    common = _tables_in(folder / 'dwi')
    for visit in trial.visits:
        own = _tables_in(folder / visit.session_id / 'dwi')
        found = [(table, entities_of(table)['bundle']) for table in own or common]
        for table, bundle in sorted(
            found, key=lambda pair: order.index(pair[1]) if pair[1] in order else len(order)
        ):
            yield TractResult(folder.name, visit.session_id, table, bundle)


def _tables_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob('*') if SCALARSTATS.is_name(path.name, {}))
