"""Tables of a trial, in any layout, to long tables that are checked; all problems are told at once."""

import logging
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..tables.problems import Problems, Severity
from ..tables.text import Labels
from .biomarkers import read_biomarkers
from .layouts import Reader
from .outcomes import OUTCOME_COLUMNS, read_outcome
from .parts import Trial
from .people import known_participants, read_arms, read_attendance, read_events
from .samples import read_expression

LOGGER = logging.getLogger(__name__)


class Tables(NamedTuple):
    """What the tables of a trial hold; a part that the trial or the dataset lacks is None.

    ``outcomes``: ``participant_id session_id visit outcome value exposure flags table row column``, one row
    for every participant with an arm, outcome that is there, and visit of it; ``value`` in the units of
    the trial, as 0 and 1 or as the place of a level, NaN where missing; ``exposure`` the time at risk of counts
    that have one; ``flags`` of ``decimal_comma converted out_of_range prorated items_missing no_exposure``.

    ``participants``: ``participant_id arm``, covariates, strata and site, numbers or words.

    ``biomarkers``: ``biomarker participant_id arm sample session_id time value lower upper censored hemoglobin
    hematocrit flags table row``; ``censored`` is ``left``, ``right`` or empty.

    ``expression``: ``participant_id arm visit session_id sample counts_column`` and covariates; the column is
    empty where the counts have none.

    ``attendance``: ``participant_id arm attended``.  ``events``: ``participant_id arm event``.

    ``report`` is the content of ``group/phenotype_report.tsv``; ``messages`` are its warnings.
    """

    outcomes: pd.DataFrame
    participants: pd.DataFrame
    biomarkers: pd.DataFrame | None
    expression: pd.DataFrame | None
    attendance: pd.DataFrame | None
    events: pd.DataFrame | None
    report: pd.DataFrame
    messages: list[str]


def read_tables(bids_dir: Path, trial: Trial) -> Tables:
    """Read every table that the trial names.

    Parameters
    ----------
    bids_dir
        The raw dataset.
    trial
        What is looked for.

    Raises
    ------
    DataError
        Tables contradict themselves or the trial: every problem in one message.
    MissingInputError
        Tables that the trial file names are absent.

    Notes
    -----
    What nobody but the user can set right stops; what is set right or set aside is logged and
    reported.  Parts of the default trial whose table is absent are left out.

    """
    problems = Problems()
    participants = known_participants(bids_dir, trial, problems)
    reader = Reader(bids_dir, participants, Labels('ses-', _sessions(trial)), problems)
    people = read_arms(reader, trial)
    if not participants.known:
        problems.raise_if_any()  # every row of every table would be a stranger's
    arms = {} if people is None else dict(zip(people['participant_id'], people['arm']))
    rows = [row for outcome in trial.table_outcomes for row in read_outcome(reader, trial, outcome, arms)]
    biomarkers = read_biomarkers(reader, trial, arms)
    expression = read_expression(reader, trial, arms)
    attendance = read_attendance(reader, trial, arms)
    events = read_events(reader, trial, arms)
    messages = problems.messages(Severity.WARNING)
    for message in messages:
        LOGGER.warning(message)
    problems.raise_if_any()
    assert people is not None  # else the table of arms has stopped it
    outcomes = pd.DataFrame(rows, columns=list(OUTCOME_COLUMNS)).astype(
        {'value': float, 'exposure': float, 'row': 'Int64'}
    )
    return Tables(outcomes, people, biomarkers, expression, attendance, events, problems.report(), messages)


def _sessions(trial: Trial) -> list[str]:
    found = [visit.session_id for visit in trial.visits]
    found += [sample.session_id for biomarker in trial.biomarkers for sample in biomarker.samples]
    if trial.expression:
        found += [visit.session_id for visit in trial.expression.visits]
    return found
