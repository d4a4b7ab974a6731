"""Tables of a trial, in any layout, to long tables that are checked; all problems are told at once."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ..tables.problems import Problems, Severity
from ..tables.text import Labels
from .blood import read_bdnf
from .layouts import Cell, Key, Reader
from .people import known_participants, read_arms, read_attendance, read_events
from .samples import read_expression
from .trial import TableOutcome, Trial
from .values import Quantity, Value, read_numbers
from .visits import check_visits, summarise, tell_other_visits

LOGGER = logging.getLogger(__name__)

OUTCOME_COLUMNS = (
    'participant_id', 'session_id', 'visit', 'outcome', 'value', 'flags', 'table', 'row', 'column',
)  # fmt: skip


class Tables(NamedTuple):
    """What the tables of a trial hold; a part that the trial or the dataset lacks is None.

    ``outcomes``: ``participant_id session_id visit outcome value flags table row column``, one row
    for every participant with an arm, visit and outcome that is there; ``value`` in the units of
    the trial, NaN where missing; ``flags`` of
    ``decimal_comma converted out_of_range prorated items_missing``.

    ``participants``: ``participant_id arm`` and covariates, numbers or words.

    ``bdnf``: ``participant_id arm sample session_id time value lower upper censored hemoglobin
    hematocrit flags table row``; ``censored`` is ``left``, ``right`` or empty.

    ``expression``: ``participant_id arm visit session_id sample counts_column`` and covariates; the column is
    empty where the counts have none.

    ``attendance``: ``participant_id arm attended``.  ``events``: ``participant_id arm event``.

    ``report`` is the content of ``group/phenotype_report.tsv``; ``messages`` are its warnings.
    """

    outcomes: pd.DataFrame
    participants: pd.DataFrame
    bdnf: pd.DataFrame | None
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
    rows = [row for outcome in trial.table_outcomes for row in _outcome_rows(reader, trial, outcome, arms)]
    bdnf = read_bdnf(reader, trial, arms)
    expression = read_expression(reader, trial, arms)
    attendance = read_attendance(reader, trial, arms)
    events = read_events(reader, trial, arms)
    messages = problems.messages(Severity.WARNING)
    for message in messages:
        LOGGER.warning(message)
    problems.raise_if_any()
    assert people is not None  # else the table of arms has stopped it
    outcomes = pd.DataFrame(rows, columns=list(OUTCOME_COLUMNS)).astype({'value': float, 'row': 'Int64'})
    return Tables(outcomes, people, bdnf, expression, attendance, events, problems.report(), messages)


def _sessions(trial: Trial) -> list[str]:
    found = [visit.session_id for visit in trial.visits]
    if trial.bdnf:
        found += [sample.session_id for sample in trial.bdnf.samples]
    if trial.expression:
        found += [visit.session_id for visit in trial.expression.visits]
    return found


def _outcome_rows(
    reader: Reader, trial: Trial, outcome: TableOutcome, arms: Mapping[str, str]
) -> list[tuple[Any, ...]]:
    """Return one row per participant and visit, empty where the outcome cannot be read."""
    keys = [Key(visit.name, visit.session_id) for visit in trial.visits]
    columns = [*([outcome.column] if outcome.column else []), *outcome.items]
    sources = reader.find(outcome.table, columns, keys, is_default=trial.is_default, outcome=outcome.name)
    if not sources:
        return []
    total = reader.cells(sources, outcome.column, keys) if outcome.column else []
    measure = Quantity(outcome=outcome.name, units=outcome.units, low=outcome.low, high=outcome.high)
    found = {
        (cell.participant_id, cell.key.name): (value, cell)
        for cell, value in zip(total, read_numbers(total, measure, reader.problems))
    }
    items = _items(reader, outcome, sources, keys)
    for place, scored in _totals(reader, outcome, items).items():
        given = found.get(place)
        if given is None or given[1].is_missing:
            found[place] = scored
        elif not math.isnan(scored[0].number) and 'prorated' not in scored[0].flags:
            _compare(reader.problems, outcome, given, scored[0].number)
    used = [cell for _, cell in found.values()]
    summarise(reader, sources, used, keys, outcome=outcome.name)
    tell_other_visits(reader.problems, sources, columns, keys, outcome=outcome.name)
    check_visits(
        reader.problems, outcome.table, used, keys, is_default=trial.is_default, outcome=outcome.name
    )
    return [
        _row(reader.problems, outcome, pid, key, found.get((pid, key.name))) for pid in arms for key in keys
    ]


def _row(
    problems: Problems, outcome: TableOutcome, pid: str, key: Key, found: tuple[Value, Cell] | None
) -> tuple[Any, ...]:
    where = {'session_id': key.session_id, 'outcome': outcome.name, 'participant_id': pid}
    if found is None:
        problems.missing(outcome.table, 'no row', **where)
        return (pid, key.session_id, key.name, outcome.name, math.nan, '', 'n/a', None, 'n/a')
    value, cell = found
    if math.isnan(value.number) and 'out_of_range' not in value.flags:
        problem = 'no total: too many items missing' if 'items_missing' in value.flags else 'no value'
        problems.missing(cell.table, problem, column=cell.column, row=cell.row, value=cell.text, **where)
    flags = ' '.join(value.flags)
    return (
        pid, key.session_id, key.name, outcome.name, value.number, flags, cell.table, cell.row, cell.column,
    )  # fmt: skip


def _items(
    reader: Reader, outcome: TableOutcome, sources: Sequence[Any], keys: Sequence[Key]
) -> list[list[Cell]]:
    """Return the cells of each item, none unless all items have a column."""
    absent = [item for item in outcome.items if not reader.has_column(sources, item, keys)]
    if not absent:
        return [reader.cells(sources, item, keys) for item in outcome.items]
    has_total = outcome.column is not None and reader.has_column(sources, outcome.column, keys)
    if not has_total:
        for item in absent:
            reader.explain_absence(outcome.table, item, sources, keys)
    elif len(absent) < len(outcome.items):
        reader.problems.warn(
            outcome.table, f'has some items but not {", ".join(absent)}', 'items not used, only the total',
            outcome=outcome.name,
        )  # fmt: skip
    return []


def _totals(
    reader: Reader, outcome: TableOutcome, items: Sequence[Sequence[Cell]]
) -> dict[tuple[str, str], tuple[Value, Cell]]:
    """Return the sums of items, each with the cell of its first item.

    Notes
    -----
    A total over n items of which m are answered is n times their mean, the share of the score that
    was possible: of the Oswestry index 16 over nine sections is 16/45 [1]_.  More than
    ``max_missing_items`` missing leave no total; the paper gives no such limit.

    References
    ----------
    .. [1] Fairbank JCT, Pynsent PB. The Oswestry Disability Index. Spine 2000;25:2940-2953.

    """
    measure = Quantity(outcome=outcome.name, low=outcome.item_low, high=outcome.item_high)
    answers: dict[tuple[str, str], list[tuple[Value, Cell]]] = {}
    for cells in items:
        for cell, value in zip(cells, read_numbers(cells, measure, reader.problems)):
            answers.setdefault((cell.participant_id, cell.key.name), []).append((value, cell))
    found = {}
    for place, given in answers.items():
        numbers = [value.number for value, _ in given if not math.isnan(value.number)]
        lacking = len(items) - len(numbers)
        flags = tuple(dict.fromkeys(flag for value, _ in given for flag in value.flags))
        if lacking > outcome.max_missing_items:
            found[place] = (Value(math.nan, (*flags, 'items_missing')), given[0][1])
        else:
            total = math.fsum(numbers) * len(items) / len(numbers)
            found[place] = (Value(total, (*flags, 'prorated') if lacking else flags), given[0][1])
    return found


def _compare(problems: Problems, outcome: TableOutcome, given: tuple[Value, Cell], total: float) -> None:
    value, cell = given
    if not math.isnan(value.number) and abs(value.number - total) > 1e-6 * max(1, abs(total)):
        problems.warn(
            cell.table, f'is not the sum of its items, {total:g}', 'the column is used; check both',
            **cell.where(), outcome=outcome.name, value=cell.text,
        )  # fmt: skip
