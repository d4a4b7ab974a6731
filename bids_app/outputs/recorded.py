"""Which regions the participants were processed with, as their receipts tell."""

from dataclasses import replace
from typing import Any

from pipelines.errors import DataError
from pipelines.terms import circuit_of_rows

from ..running.manifest import read_receipts
from ..settings import Settings


def with_recorded_regions(settings: Settings) -> Settings:
    """Return settings with the regions that participants were processed with, listed or chosen by options.

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
    chosen = {name: told[name] for name in ('nac', 'mpfc') if name in told}
    regions = replace(settings.regions, **chosen)
    return replace(settings, listed=circuit_of_rows(rows) if rows else None, regions=regions)
