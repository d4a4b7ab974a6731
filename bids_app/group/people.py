"""Who of a trial is analysed: everybody with an arm, those who are chosen, without those who are left out."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from pipelines.errors import SelectionError

from ..phenotype.parts import Trial
from ..phenotype.tables import Tables
from ..scans.exclusion import Exclusions, read_exclusions
from ..settings import Settings


class Included(NamedTuple):
    """The tables of those who are analysed, what is left out of them, and why others are left out altogether.

    ``left_out`` holds ``arm`` and ``reason`` by ``participant_id``.
    """

    tables: Tables
    exclusions: Exclusions
    left_out: Mapping[str, tuple[str, str]]


def select_people(settings: Settings, trial: Trial, tables: Tables) -> Included:
    """Keep the participants of ``--participant-label``, without those that ``--exclude`` leaves out.

    Raises
    ------
    SelectionError
        None of them has an arm, or nobody is left.
    MissingInputError
        A list that is left out, or its column, is absent.
    ParameterError
        The list cannot be used.

    """
    arms = dict(zip(tables.participants['participant_id'], tables.participants['arm']))
    wanted = {f'sub-{label}' for label in settings.participant_label} or set(arms)
    chosen = [label for label in arms if label in wanted]
    if not chosen:
        raise SelectionError(
            f'--participant-label {" ".join(settings.participant_label)}: nobody of these has an arm. '
            f'Known are {", ".join(list(arms)[:5])}, and so on.'
        )
    exclusions = read_exclusions(settings, chosen, [visit.session_id for visit in trial.visits])
    left_out = {label: (arms[label], why.said()) for label in chosen if (why := exclusions.of_person(label))}
    kept = set(chosen) - left_out.keys()
    if not kept:
        raise SelectionError(f'--exclude {" ".join(settings.exclude)} leaves nobody to analyse.')
    return Included(_of(tables, kept), exclusions, left_out)


def _of(tables: Tables, people: set[str]) -> Tables:
    """Return the rows of some people; the report of the tables stays whole."""
    kept = {
        name: table[table['participant_id'].isin(people)].reset_index(drop=True)
        for name, table in tables._asdict().items()
        if isinstance(table, pd.DataFrame) and name != 'report' and 'participant_id' in table
    }
    return tables._replace(**kept)
