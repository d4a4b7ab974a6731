"""Which regions the participants were processed with, as their receipts tell."""

from typing import Any

from pipelines.errors import DataError
from pipelines.terms import Circuit, circuit_of_rows

from ..running.manifest import read_receipts
from ..settings import Settings


def recorded_circuit(settings: Settings) -> Circuit | None:
    """Return the list of regions that participants were processed with; None for the options' choice.

    Raises
    ------
    DataError
        They were processed with other regions than are asked for now.

    """
    root = settings.results_dir
    receipts = (own for folder in sorted(root.glob('sub-*')) for own in read_receipts(folder).values())
    told: dict[str, Any] = next(
        (p for own in receipts if (p := own['parameters']).keys() & {'regions', 'nac'}), {}
    )
    rows = told.get('regions')
    if settings.listed and told and rows != settings.listed.rows():
        raise DataError(
            f'{root}: participants were processed with other regions than those of --regions or of the trial file. '
            'Name the same list, or process them again with it and --overwrite.'
        )
    return circuit_of_rows(rows) if rows else None
