"""How reliable the imaging outcomes of a trial are, and whose change is more than error."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from pipelines.terms import MEASURES, REPEATS

from .design import DerivativeOutcome, OutcomesDesign, primary_visit, visits_of
from .reliability import Coefficient, agreement, detectable_change, of_mean

LEAST_PEOPLE = 10
"""People that a minimal detectable change is given for."""

_INTERVALS = ('reliability', 'icc_consistency', 'icc_absolute')
RELIABILITY_COLUMNS = (
    'outcome', 'repeated', 'visits', 'n', 'k',
    *(f'{name}{end}' for name in _INTERVALS for end in ('', '_ci_low', '_ci_high')),
    'sem_consistency', 'sem_absolute', 'mdc', 'cv', 'units', 'note',
)  # fmt: skip
CHANGE_COLUMNS = (
    'participant_id',
    'arm',
    'outcome',
    'visit',
    'change',
    'repeated',
    'mdc',
    'is_beyond',
    'units',
)


def list_reliability(values: pd.DataFrame, repeats: pd.DataFrame, design: OutcomesDesign) -> pd.DataFrame:
    r"""Return the reliability of every imaging outcome, a row per kind of repetition that there is.

    Parameters
    ----------
    values
        ``participant_id arm visit outcome value`` of everybody.
    repeats
        ``participant_id visit outcome repeated part value``, of :func:`~pipelines.interfaces.imaging_outcomes.measure_imaging`.
    design
        The trial.

    Returns
    -------
    pandas.DataFrame
        :data:`RELIABILITY_COLUMNS`.  ICCs are of one half, run or visit; ``reliability``, ``sem_*``, ``mdc`` and ``cv``
        of the value of a visit, which is the mean of its halves or runs.

    Notes
    -----
    The ICC of m parts becomes that of their mean by Spearman and Brown, and the standard error is
    :math:`\sqrt{MSE / m}`.  ``cv`` is the standard error over the mean, on ratio scales only.

    """
    rows: list[dict[str, Any]] = []
    for outcome in design.imaging:
        for repeated, visits, table in _tables(values, repeats, design, outcome):
            rows.append({
                'outcome': outcome.name, 'repeated': repeated, 'visits': visits, 'units': outcome.units,
                **_numbers(table, 1 if repeated == REPEATS['visits'].name else table.shape[1], outcome),
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(RELIABILITY_COLUMNS))


def _tables(
    values: pd.DataFrame, repeats: pd.DataFrame, design: OutcomesDesign, outcome: DerivativeOutcome
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield kinds of repetition, visits, and values (people, parts)."""
    own = visits_of(outcome, design.visits)
    first, last = own[0].name, primary_visit(outcome, design.visits).name
    known = repeats[(repeats['outcome'] == outcome.name) & (repeats['visit'] == first)]
    for repeated in ('halves', 'runs'):
        wide = known[known['repeated'] == repeated].pivot(
            index='participant_id', columns='part', values='value'
        )
        if len(wide):
            most = max(2, int(wide.notna().sum(axis=1).min()))
            yield REPEATS[repeated].name, first, wide.to_numpy(float)[:, :most]
    if first != last:
        control = values[(values['outcome'] == outcome.name) & (values['arm'] == design.control)]
        wide = control.pivot_table(index='participant_id', columns='visit', values='value')
        yield REPEATS['visits'].name, f'{first} {last}', wide.reindex(columns=[first, last]).to_numpy(float)


def _numbers(table: np.ndarray, length: int, outcome: DerivativeOutcome) -> dict[str, Any]:
    """Return what a table of people and parts tells of the mean of ``length`` parts."""
    found = agreement(table)
    whole = of_mean(found.consistency, length)
    sem, sem_absolute = (value / np.sqrt(length) for value in (found.sem_consistency, found.sem_absolute))
    mean = float(np.nanmean(table)) if found.n else np.nan
    is_ratio = MEASURES[outcome.derivative].low == 0
    return {
        'n': found.n, 'k': found.k,
        **_limits('reliability', whole), **_limits('icc_consistency', found.consistency),
        **_limits('icc_absolute', found.absolute),
        'sem_consistency': sem, 'sem_absolute': sem_absolute,
        'mdc': detectable_change(sem) if found.n >= LEAST_PEOPLE else np.nan,
        'cv': sem / mean if is_ratio and mean > 0 else np.nan,
        'note': '' if found.n >= LEAST_PEOPLE
        else f'fewer than {LEAST_PEOPLE if found.n > 2 else 3} people were measured repeatedly',
    }  # fmt: skip


def _limits(name: str, found: Coefficient) -> dict[str, float]:
    return dict(zip((name, f'{name}_ci_low', f'{name}_ci_high'), found))


def list_changes(values: pd.DataFrame, reliability: pd.DataFrame, design: OutcomesDesign) -> pd.DataFrame:
    """Return the change of every person from the first to the primary visit, beside what error alone would give.

    Parameters
    ----------
    values
        As in :func:`list_reliability`.
    reliability
        What that returned; kinds of repetition without a minimal detectable change have no row.
    design
        The trial.

    Returns
    -------
    pandas.DataFrame
        :data:`CHANGE_COLUMNS`; ``is_beyond``: ``yes`` where the change is larger in size.

    """
    rows = []
    for outcome in design.imaging:
        first = visits_of(outcome, design.visits)[0].name
        last = primary_visit(outcome, design.visits).name
        known = reliability[(reliability['outcome'] == outcome.name) & reliability['mdc'].notna()]
        own = values[values['outcome'] == outcome.name]
        wide = own.pivot_table(index=['participant_id', 'arm'], columns='visit', values='value')
        both = wide.reindex(columns=[first, last]).dropna()
        change = both.iloc[:, 1] - both.iloc[:, 0]
        rows += [
            (
                *person,
                outcome.name,
                last,
                moved,
                kind,
                mdc,
                'yes' if abs(moved) > mdc else 'no',
                outcome.units,
            )
            for kind, mdc in zip(known['repeated'], known['mdc'])
            for person, moved in change.items()
            if first != last
        ]
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))
