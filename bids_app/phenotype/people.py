"""Who takes part: arms, covariates, attendance and adverse events."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..tables.problems import Problems, listed
from ..tables.text import MISSING, Labels, read_text_table
from .doubts import ask_for_kind
from .keys import Key, visit_keys
from .layouts import Cell, Reader
from .parts import Trial
from .values import Quantity, decode, holds_numbers, read_numbers, whole

CovariateValues = dict[tuple[str, str], float | str | None]
"""Numbers or words by participant and key."""


def known_participants(root: Path, trial: Trial, problems: Problems) -> Labels:
    """Return the participants of the folders, of the table of arms and of ``participants.tsv``."""
    folders = Labels('sub-', (p.name for p in root.glob('sub-*') if p.is_dir()))
    known = list(folders.known)
    for name in dict.fromkeys((trial.arms.table, 'participants.tsv')):
        table = read_text_table(root, name, problems) if os.path.exists(root / name) else None
        for row in table.rows if table else ():
            text = row.cells.get('participant_id', '')
            if text not in MISSING and not folders.find(text):
                known.append(folders.full(text))
                if folders.known:
                    problems.warn(
                        name, 'no folder of this participant', 'no scans; tables are used',
                        column='participant_id', row=row.number, value=text,
                    )  # fmt: skip
    found = Labels('sub-', known)
    for twins in found.lookalikes():
        problems.warn(
            'participants', f'{" and ".join(twins)} look like one participant',
            'taken for different people; check that they are',
        )  # fmt: skip
    return found


def read_arms(reader: Reader, trial: Trial) -> pd.DataFrame | None:
    """Return ``participant_id arm``, covariates, strata and site of everyone in one of the arms, sorted."""
    baseline = _baseline(trial)
    column = trial.arms.column
    sources = reader.find(trial.arms.table, [column], baseline, plain=True)
    if not sources:
        return None
    cells = reader.cells(sources, column, baseline, plain=True)
    arms = {cell.participant_id: arm for cell in cells if (arm := _arm(cell, trial, reader.problems))}
    _check_arms(arms, cells, trial, reader)
    people = pd.DataFrame(sorted(arms.items()), columns=['participant_id', 'arm'])
    wanted = [*trial.covariates, *trial.factors, *(c for model in trial.mediation for c in model.covariates)]
    for name in dict.fromkeys(wanted):
        found = read_column(reader, trial.arms.table, name, baseline, is_default=trial.is_default)
        if found is not None:
            is_category = name in (*trial.categories, *trial.factors)
            values = covariate_values(found, reader.problems, is_category=is_category)
            people[name] = _covariate(found, values, list(people['participant_id']), reader.problems)
    for name in (name for name in trial.factors if name in people):
        _check_factor(people[name], trial.arms.table, reader.problems)
    return people


def _check_factor(values: pd.Series, table: str, problems: Problems) -> None:
    """Ask about a stratum or site of nearly everybody alone: a number, or an id, is none."""
    n_levels, n_people = values.nunique(), int(values.notna().sum())
    if n_levels > 2 and 2 * n_levels > n_people:
        problems.warn(
            table, f'has {n_levels} values for {n_people} people: is it a stratum or site?',
            'used as it is; name another column, or write groups in place of numbers', column=str(values.name),
        )  # fmt: skip


def _baseline(trial: Trial) -> list[Key]:
    return visit_keys(trial.visits)[:1]


def _arm(cell: Cell, trial: Trial, problems: Problems) -> str:
    """Return the arm of a participant under the trial's name, empty when there is none."""
    names = {name.casefold(): name for name in trial.arms.names}
    where = {'column': cell.column, 'participant_id': cell.participant_id, 'row': cell.row}
    if cell.is_missing:
        problems.warn(cell.table, 'has no arm', 'participant not analysed', **where)
        return ''
    words = [cell.text, decode(cell.text, cell.entry) or '', whole(cell.text)]
    if any(word.casefold() in map(str.casefold, trial.arms.others) for word in words):
        problems.warn(
            cell.table, 'of an arm left out by the trial file', 'not analysed', **where, value=cell.text
        )
        return ''
    found = next((names[word.casefold()] for word in words if word.casefold() in names), '')
    if not found:
        problems.stop(
            cell.table, f'is no arm of the trial, which has {listed(trial.arms.names)}',
            'Correct it, add Levels to the JSON file, name it in Arms.Others to leave it out, or write n/a',
            **where, value=cell.text,
        )  # fmt: skip
    elif found not in words:
        problems.warn(
            cell.table, f'spelled otherwise than {found}', f'taken for {found}', **where, value=cell.text
        )
    return found


def _check_arms(arms: Mapping[str, str], cells: Sequence[Cell], trial: Trial, reader: Reader) -> None:
    table, problems = trial.arms.table, reader.problems
    for name in trial.arms.names:
        number = sum(arm == name for arm in arms.values())
        if number:
            problems.summarise(table, f'{number} participants of {name}', column=trial.arms.column)
        elif arms:
            problems.warn(
                table, f'nobody is in the arm {name}', 'nothing can be compared between arms; if that is wrong, '
                'correct the column or the names in Arms', column=trial.arms.column,
            )  # fmt: skip
        else:
            problems.stop(
                table, f'nobody is in the arm {name}', 'Correct the column or the names in Arms',
                column=trial.arms.column,
            )  # fmt: skip
    with_row = {cell.participant_id for cell in cells}
    for participant_id in reader.participants.known:
        if participant_id not in with_row:
            problems.warn(
                table, 'no row of this participant', 'no arm: participant not analysed',
                participant_id=participant_id,
            )  # fmt: skip


def read_column(
    reader: Reader, table: str, column: str, keys: Sequence[Key], *, is_default: bool
) -> list[Cell] | None:
    """Return the cells of a covariate; None when the table has no such column.

    The column must be there when the trial file is the user's.
    """
    sources = reader.sources(table)
    if not sources:
        return None
    if reader.has_column(sources, column, keys, plain=True):
        return reader.cells(sources, column, keys, plain=True)
    if is_default:
        reader.problems.warn(table, f'has no column {column}', 'covariate left out', column=column)
    else:
        reader.explain_absence(table, column, sources, keys, plain=True)
    return None


def _covariate(
    cells: Sequence[Cell], values: CovariateValues, order: Sequence[str], problems: Problems
) -> list[float | str | None]:
    for cell in cells:
        if cell.is_missing and cell.participant_id in order:
            problems.missing(cell.table, 'no value', value=cell.text, **cell.where())
    of_person = {pid: value for (pid, _), value in values.items()}
    return [of_person.get(pid) for pid in order]


def covariate_values(cells: Sequence[Cell], problems: Problems, *, is_category: bool) -> CovariateValues:
    """Return numbers, or words with their levels decoded, by participant and key.

    ``is_category``: the trial file says that digits are words; else the dictionary or the cells decide.
    """
    if not is_category and holds_numbers(cells):
        ask_for_kind(cells, problems)
        measure = Quantity(outcome='')
        numbers = [value.number for value in read_numbers(cells, measure, problems)]
        return {(c.participant_id, c.key.name): number for c, number in zip(cells, numbers)}
    found: CovariateValues = {}
    for cell in cells:
        label = None if cell.is_missing else decode(cell.text, cell.entry)
        if label is None and not cell.is_missing:
            problems.warn(
                cell.table, 'is none of the Levels in its JSON file', 'set aside, the value counts as missing',
                **cell.where(), value=cell.text,
            )  # fmt: skip
        found[cell.participant_id, cell.key.name] = label
    return found


def read_attendance(reader: Reader, trial: Trial, arms: Mapping[str, str]) -> pd.DataFrame | None:
    """Return ``participant_id arm attended``, the number of sessions that each participant came to."""
    wanted, keys = trial.attendance, _baseline(trial)
    if wanted is None:
        return None
    sources = reader.find(wanted.table, [wanted.column], keys, plain=True, is_default=trial.is_default)
    if not sources:
        return None
    cells = reader.cells(sources, wanted.column, keys, plain=True)
    measure = Quantity(outcome='attendance', low=0, high=wanted.planned)
    numbers = [value.number for value in read_numbers(cells, measure, reader.problems)]
    reader.problems.summarise(wanted.table, f'{len(cells)} participants read', column=wanted.column)
    rows = [
        (c.participant_id, arms[c.participant_id], number)
        for c, number in zip(cells, numbers)
        if c.participant_id in arms
    ]
    return pd.DataFrame(sorted(rows), columns=['participant_id', 'arm', 'attended'])


def read_events(reader: Reader, trial: Trial, arms: Mapping[str, str]) -> pd.DataFrame | None:
    """Return ``participant_id arm event``, one row per adverse event."""
    wanted = trial.adverse_events
    if wanted is None:
        return None
    sources = reader.find(
        wanted.table, [wanted.column], _baseline(trial), plain=True, unique=False, is_default=trial.is_default
    )
    if not sources:
        return None
    rows = [
        (record.participant_id, arms[record.participant_id], record.row.cells[wanted.column])
        for source in sources
        for record in source.records
        if record.participant_id in arms and record.row.cells[wanted.column] not in MISSING
    ]
    reader.problems.summarise(wanted.table, f'{len(rows)} events read', column=wanted.column)
    return pd.DataFrame(rows, columns=['participant_id', 'arm', 'event'])
