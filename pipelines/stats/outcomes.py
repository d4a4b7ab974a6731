"""Every outcome of a trial through its models: one table of effects, one of descriptions, one of responders."""

from typing import Any

import numpy as np
import pandas as pd

from pipelines.errors import DataError
from pipelines.terms import ADJUSTMENTS, EFFECT_SCALES, MAIN

from .describe import describe
from .design import Outcome, OutcomesDesign
from .discrete.responder_table import Improvement, tabulate_responders
from .multiplicity import fixed_sequence, holm
from .outcome_data import OutcomeData, arrange_outcome, encode
from .outcome_fits import model_outcome
from .outcome_rows import EFFECT_COLUMNS

__all__ = [
    'EFFECT_COLUMNS',
    'RESPONDER_COLUMNS',
    'count_levels',
    'count_responders',
    'describe_outcomes',
    'encode',
    'model_outcomes',
]

RESPONDER_COLUMNS = (
    'outcome', 'threshold', 'visit', 'arm', 'n', 'responders', 'n_missing', 'share', 'share_low', 'share_high',
    'difference', 'ci_low', 'ci_high',
)  # fmt: skip
CHANGE = 'change'
"""What is told in place of a visit: the primary visit minus the baseline."""


def model_outcomes(values: pd.DataFrame, people: pd.DataFrame, design: OutcomesDesign) -> pd.DataFrame:
    """Fit every model to every outcome.

    Parameters
    ----------
    values
        ``participant_id visit outcome value`` with the visits of the trial; ``mean_fd`` (mm), ``flags`` (words) and
        ``exposure`` (time at risk) where they exist.
    people
        ``participant_id arm`` and what is adjusted for, numbers or words: who is analysed.
    design
        Arms, visits and outcomes, in the order of the result.

    Returns
    -------
    pd.DataFrame
        Columns :data:`EFFECT_COLUMNS`, a row per outcome, model, visit, treated arm and scale.  What cannot be
        estimated has no numbers and says why in ``note``.

    Notes
    -----
    Continuous outcomes: ``clda``, the main analysis (:func:`~.longitudinal.trial.fit_trial`); ``clda_per_arm`` or
    ``clda_common``, the choice of covariances that it did not take; ``ancova``: people with baseline and primary
    visit, HC3; ``ancova_interaction``: a slope per arm (ANCOVA II); ``clda_unadjusted``: without covariates;
    ``clda_mean_fd``: head motion, averaged over visits, among the covariates; ``clda_unflagged``: without flagged
    scans.  The last two only where there is motion, or a flag.  Others: one of
    :data:`~pipelines.terms.DISCRETE_MODELS` at each visit, as a ratio and as a difference.

    Contrasts of the primary visit are adjusted for their number: those of the primary outcomes with all arms
    together, by Holm or in the order of the trial file, and by Holm those of the imaging family.

    """
    rows = [
        row
        for outcome in design.outcomes
        for row in model_outcome(values[values['outcome'] == outcome.name], people, outcome, design)
    ]
    table = pd.DataFrame(rows, columns=list(EFFECT_COLUMNS))
    table = table.astype({'p_adjusted': float, 'adjustment': object})
    for family in families(design):
        _adjust(table, family, design)
    return table


def families(design: OutcomesDesign) -> list[list[str]]:
    """Return the names of outcomes whose primary contrasts are adjusted together."""
    primary = [outcome.name for outcome in design.outcomes if outcome.role == 'primary']
    imaging = [outcome.name for outcome in design.outcomes if outcome.in_family]
    return [family for family in (primary, imaging) if family]


def _adjust(table: pd.DataFrame, family: list[str], design: OutcomesDesign) -> None:
    """Fill in the adjusted p of a family, of the main analysis and of each sensitivity analysis."""
    is_ratio = table['scale'].map(lambda scale: EFFECT_SCALES[scale].is_ratio)
    tested = table['outcome'].isin(family) & table['is_primary'].astype(bool)
    # of a discrete outcome the ratio is tested; the difference in risk describes it
    keys = ['outcome', 'analysis', 'model', 'arm']
    has_ratio = is_ratio.groupby([table[key] for key in keys]).transform('any')
    tested &= is_ratio | ~has_ratio
    sets = table['model'].where(table['analysis'] != MAIN, MAIN)
    order = [(contrast.outcome, contrast.arm) for contrast in design.sequence]
    in_order = bool(order) and {name for name, _ in order} <= set(family)
    for own in sets[tested].unique():
        rows = table.index[tested & (sets == own)]
        if len(rows) < 2:
            continue
        if in_order:
            place = {contrast: number for number, contrast in enumerate(order)}
            keyed = [
                place.get(pair, len(order))
                for pair in zip(table.loc[rows, 'outcome'], table.loc[rows, 'arm'])
            ]
            rows = rows[np.argsort(keyed, kind='stable')]
        p = table.loc[rows, 'p'].astype(float)
        table.loc[rows, 'p_adjusted'] = fixed_sequence(p) if in_order else holm(p)
        table.loc[rows, 'adjustment'] = ADJUSTMENTS['sequence' if in_order else 'holm'].name


def describe_outcomes(values: pd.DataFrame, people: pd.DataFrame, design: OutcomesDesign) -> pd.DataFrame:
    """Describe every outcome per arm at every visit, and its change up to the primary visit.

    Parameters
    ----------
    values, people, design
        As for :func:`model_outcomes`.

    Returns
    -------
    pd.DataFrame
        ``outcome arm visit n n_missing mean sd median q1 q3 min max units``.

    """
    rows = []
    for outcome in design.outcomes:
        data = _arranged(values, people, outcome, design)
        for code, arm in _arms(design):
            for visit, seen in _by_visit(data):
                found = describe(seen[data.arm == code])
                rows.append(
                    {'outcome': outcome.name, 'arm': arm, 'visit': visit, **found, 'units': outcome.units}
                )
    columns = ['outcome', 'arm', 'visit', *describe([]), 'units']
    return pd.DataFrame(rows, columns=columns)


def _arranged(
    values: pd.DataFrame, people: pd.DataFrame, outcome: Outcome, design: OutcomesDesign
) -> OutcomeData:
    return arrange_outcome(values[values['outcome'] == outcome.name], people, outcome, design)


def _arms(design: OutcomesDesign) -> list[tuple[int, str]]:
    """Return the arms with their codes, the treated ones first."""
    return [*((code, arm) for code, arm in enumerate(design.treated, 1)), (0, design.control)]


def _by_visit(data: OutcomeData) -> list[tuple[str, Any]]:
    found = [(visit.name, column) for visit, column in zip(data.visits, data.values.T)]
    before = data.before
    return found if before is None else [*found, (CHANGE, data.values[:, data.primary] - before)]


def count_responders(values: pd.DataFrame, people: pd.DataFrame, design: OutcomesDesign) -> pd.DataFrame:
    """Count who improved by the minimal important change at each visit, for the outcomes that have one.

    Parameters
    ----------
    values, people, design
        As for :func:`model_outcomes`.

    Returns
    -------
    pd.DataFrame
        Columns :data:`RESPONDER_COLUMNS`; ``difference`` of the share of an arm from that of control.

    """
    tables = []
    for outcome in design.outcomes:
        absolute, percent = outcome.minimal_important_change, outcome.minimal_important_percent
        if (absolute is None and percent is None) or outcome.lower_is_better is None:
            continue
        data = _arranged(values, people, outcome, design)
        if data.baseline is None or outcome.kind != 'continuous':
            continue
        words = [] if absolute is None else [f'{absolute:g} {outcome.units}'.strip()]
        words += [] if percent is None else [f'{percent:g} %']
        enough = Improvement(
            absolute=absolute, relative=None if percent is None else percent / 100,
            lower_is_better=outcome.lower_is_better,
        )  # fmt: skip
        visits = [data.visits[number].name for number in data.followups]
        try:
            found = tabulate_responders(data.values, data.arm, enough, visits)
        except DataError:
            continue
        arms = dict(_arms(design))
        tables.append(
            found.assign(outcome=outcome.name, threshold=' or '.join(words), arm=found['arm'].map(arms))
        )
    table = pd.concat(tables) if tables else pd.DataFrame()
    return table.reindex(columns=list(RESPONDER_COLUMNS)).reset_index(drop=True)


def _level_words(outcome: Outcome) -> dict[float, str]:
    """Return what the values of an outcome are called; those of a binary one say whether it is the word that counts.

    Examples
    --------
    >>> _level_words(Outcome(name='work', kind='binary', levels=('yes', 'no'), responder='yes'))
    {0.0: 'no', 1.0: 'yes'}

    """
    if outcome.kind == 'ordinal':
        return {float(number): word for number, word in enumerate(outcome.levels, 1)}
    counts = outcome.responder
    if not isinstance(counts, str):
        return {}
    others = [level for level in outcome.levels if level != counts] or [f'not {counts}']
    return {0.0: others[0], 1.0: counts}


def count_levels(values: pd.DataFrame, people: pd.DataFrame, design: OutcomesDesign) -> pd.DataFrame:
    """Count people at each level of the outcomes that have levels, per arm and visit.

    Parameters
    ----------
    values, people, design
        As for :func:`model_outcomes`.

    Returns
    -------
    pd.DataFrame
        ``outcome visit arm level n n_known``; ``level`` in the words of the trial file where it has any.

    """
    rows = []
    for outcome in design.outcomes:
        if outcome.kind not in ('binary', 'ordinal'):
            continue
        data = _arranged(values, people, outcome, design)
        words = _level_words(outcome)
        seen = np.unique(data.values[~np.isnan(data.values)]).tolist()
        for visit, column in zip(data.visits, data.values.T):
            for code, arm in _arms(design):
                own = column[(data.arm == code) & ~np.isnan(column)]
                rows += [
                    (
                        outcome.name,
                        visit.name,
                        arm,
                        words.get(level, f'{level:g}'),
                        int((own == level).sum()),
                        len(own),
                    )
                    for level in sorted({*words, *seen})
                ]
    return pd.DataFrame(rows, columns=['outcome', 'visit', 'arm', 'level', 'n', 'n_known'])
