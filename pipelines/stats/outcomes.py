"""Every outcome of a trial through its models: one table of effects, one of descriptions, one of responders."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import DataError
from pipelines.terms import KINDS, MODELS, PRIMARY_MODEL, join_flags, raised, split_flags, unusable_flags

from .change import ancova, constrained_lda
from .describe import describe_arms, hedges, holm, responders
from .design import Outcome
from .estimate import Estimate

Array = NDArray[Any]

EFFECT_COLUMNS = (
    'outcome', 'model', 'n_treatment', 'n_control', *Estimate._fields, 'p_holm', 'effect_size', 'units', 'flags',
    'effect_ci_low', 'effect_ci_high', 'n_pairs', 'note',
)  # fmt: skip
RESPONDER_COLUMNS = (
    'outcome', 'threshold', 'n_treatment', 'responders_treatment', 'n_control', 'responders_control',
    'difference', 'ci_low', 'ci_high', 'n_missing',
)  # fmt: skip


class _Data(NamedTuple):
    """One outcome of n people: (n,) each, covariates (n, k), NaN where missing."""

    baseline: Array
    followup: Array
    treatment: Array
    covariates: Array
    dropped: list[str]


def encode(table: pd.DataFrame) -> pd.DataFrame:
    """Return covariates as numbers: words become a 0/1 column per level but the first in alphabet.

    Examples
    --------
    >>> encode(pd.DataFrame({'age': [40.0, 50, 60], 'sex': ['F', 'M', None]}))['sex[M]'].tolist()
    [0.0, 1.0, nan]

    """
    columns = {}
    for name, values in table.items():
        if pd.api.types.is_numeric_dtype(values):
            columns[str(name)] = values.astype(float)
            continue
        for level in sorted(values.dropna().unique())[1:]:
            columns[f'{name}[{level}]'] = (values == level).astype(float).where(values.notna())
    return pd.DataFrame(columns, index=table.index, dtype=float)


def model_outcomes(
    values: pd.DataFrame,
    people: pd.DataFrame,
    outcomes: Sequence[Outcome],
    *,
    treatment: str,
) -> pd.DataFrame:
    """Fit every model to every outcome.

    Parameters
    ----------
    values
        ``participant_id visit outcome value`` with visits ``baseline`` and ``followup``; ``mean_fd`` (mm)
        and ``flags`` (words) where they exist.
    people
        ``participant_id arm`` and covariates, numbers or words: who is analysed.
    outcomes
        Which, in the order of the result.
    treatment
        Name of the arm whose effect is estimated.

    Returns
    -------
    pd.DataFrame
        Columns :data:`EFFECT_COLUMNS`, a row per outcome and model.  A model that cannot be fitted has no
        numbers and says why in ``note``.

    Notes
    -----
    ``clda``: constrained longitudinal analysis with the covariates, the primary analysis; ``ancova``: people
    with both visits, HC3; ``ancova_interaction``: a slope per arm (ANCOVA II); ``clda_unadjusted``: without
    covariates; ``clda_mean_fd``: head motion, averaged over visits, among the covariates;
    ``clda_unflagged``: without flagged scans.  The last two only where there is motion, or a flag.

    """
    rows = []
    for outcome in outcomes:
        own = values[values['outcome'] == outcome.name]
        if outcome.kind != 'continuous':
            rows.append(
                _without_model(outcome, f'{KINDS[outcome.kind].title.lower()} outcomes are described only')
            )
            continue
        for model, fit, data in _models(own, people, treatment):
            rows.append(_fitted(outcome, model, fit, data))
    table = pd.DataFrame(rows, columns=list(EFFECT_COLUMNS))
    family = table['outcome'].isin([o.name for o in outcomes if o.in_family])
    for model in table['model'].unique():
        chosen = family & (table['model'] == model)
        table.loc[chosen, 'p_holm'] = holm(table.loc[chosen, 'p'].astype(float))
    return table


def _models(
    own: pd.DataFrame, people: pd.DataFrame, treatment: str
) -> list[tuple[str, Callable[..., Any], _Data]]:
    data = _arrange(own, people, treatment)
    bare = data._replace(covariates=data.covariates[:, :0], dropped=[])
    found: list[tuple[str, Callable[..., Any], _Data]] = [
        (PRIMARY_MODEL, constrained_lda, data),
        ('ancova', ancova, data),
        ('ancova_interaction', lambda *given: ancova(*given, interaction=True), data),
        ('clda_unadjusted', constrained_lda, bare),
    ]
    if 'mean_fd' in own and own['mean_fd'].notna().any():
        motion = own.groupby('participant_id')['mean_fd'].mean()
        moved = people.assign(mean_fd=people['participant_id'].map(motion))
        found.append(('clda_mean_fd', constrained_lda, _arrange(own, moved, treatment)))
    is_flagged = own['flags'].map(lambda cell: bool(unusable_flags(split_flags(cell))))
    if is_flagged.any():
        left = own.assign(value=own['value'].mask(is_flagged))
        found.append(('clda_unflagged', constrained_lda, _arrange(left, people, treatment)))
    return found


def _arrange(own: pd.DataFrame, people: pd.DataFrame, treatment: str) -> _Data:
    """Return arrays in the order of ``people``; covariates that do not vary among its pairs are dropped."""
    wide = own.pivot(index='participant_id', columns='visit', values='value')
    wide = wide.reindex(index=people['participant_id'], columns=['baseline', 'followup'])
    baseline, followup = wide.to_numpy(float).T
    table = encode(people.drop(columns=['participant_id', 'arm']))
    pairs = ~np.isnan(baseline + followup) & table.notna().all(axis=1).to_numpy()
    constant = [name for name in table if table.loc[pairs, name].nunique() < 2] if pairs.any() else []
    return _Data(
        baseline,
        followup,
        (people['arm'] == treatment).to_numpy(float),
        table.drop(columns=constant).to_numpy(float),
        constant,
    )


def _without_model(outcome: Outcome, reason: str) -> dict[str, Any]:
    flags = join_flags(raised(not_estimated=True))
    return {
        'outcome': outcome.name,
        'model': PRIMARY_MODEL,
        'units': outcome.units,
        'flags': flags,
        'note': reason,
    }


def _fitted(outcome: Outcome, model: str, fit: Callable[..., Any], data: _Data) -> dict[str, Any]:
    row: dict[str, Any] = {'outcome': outcome.name, 'model': MODELS[model].name, 'units': outcome.units}
    flags = [f'dropped:{name}' for name in data.dropped]
    try:
        found = fit(data.baseline, data.followup, data.treatment, data.covariates)
        size = hedges(found.effect, data.baseline, data.treatment)
    except DataError as error:
        return {**row, 'flags': join_flags([*flags, *raised(not_estimated=True)]), 'note': str(error)}
    known = ~np.isnan(data.covariates).any(axis=1)
    seen = [~np.isnan(visit) for visit in (data.baseline, data.followup)]
    used = known & (seen[0] & seen[1] if 'ancova' in model else seen[0] | seen[1])
    flags += raised(covariate_missing=found.n_without_covariates > 0)
    numbers = {
        'n_treatment': int(used[data.treatment == 1].sum()),
        'n_control': int(used[data.treatment == 0].sum()),
        'n_pairs': found.n_pairs,
        'effect_size': size.g,
        'effect_ci_low': size.ci_low,
        'effect_ci_high': size.ci_high,
    }
    return {**row, **found.effect._asdict(), **numbers, 'flags': join_flags(flags), 'note': ''}


def describe_outcomes(
    values: pd.DataFrame, people: pd.DataFrame, outcomes: Sequence[Outcome]
) -> pd.DataFrame:
    """Describe every outcome per arm at both visits, and its change.

    Parameters
    ----------
    values, people, outcomes
        As for :func:`model_outcomes`.

    Returns
    -------
    pd.DataFrame
        ``outcome arm visit n n_missing mean sd median q1 q3 min max units``.

    """
    parts = []
    for outcome in outcomes:
        data = _arrange(values[values['outcome'] == outcome.name], people, '')
        table = describe_arms(data.baseline, data.followup, people['arm'])
        parts.append(table.assign(outcome=outcome.name, units=outcome.units))
    table = pd.concat(parts) if parts else pd.DataFrame(columns=['outcome', 'units'])
    return table[['outcome', *(c for c in table if c not in ('outcome', 'units')), 'units']]


def count_responders(
    values: pd.DataFrame, people: pd.DataFrame, outcomes: Sequence[Outcome], *, treatment: str
) -> pd.DataFrame:
    """Count who improved by the minimal important change, for the outcomes that have one.

    Parameters
    ----------
    values, people, outcomes, treatment
        As for :func:`model_outcomes`.

    Returns
    -------
    pd.DataFrame
        Columns :data:`RESPONDER_COLUMNS`; ``difference`` of the proportions, treated minus control.

    """
    rows = []
    for outcome in outcomes:
        absolute, percent = outcome.minimal_important_change, outcome.minimal_important_percent
        if (absolute is None and percent is None) or outcome.lower_is_better is None:
            continue
        data = _arrange(values[values['outcome'] == outcome.name], people, treatment)
        words = [] if absolute is None else [f'{absolute:g} {outcome.units}'.strip()]
        words += [] if percent is None else [f'{percent:g} %']
        row: dict[str, Any] = {'outcome': outcome.name, 'threshold': ' or '.join(words)}
        try:
            found = responders(
                *data[:3], absolute=absolute, relative=None if percent is None else percent / 100,
                lower_is_better=outcome.lower_is_better,
            )  # fmt: skip
        except DataError:
            rows.append(row)
            continue
        for code, arm in enumerate(('control', 'treatment')):
            row |= {f'n_{arm}': int(found.n[code]), f'responders_{arm}': int(found.responders[code])}
        row |= {key: getattr(found, key) for key in ('difference', 'ci_low', 'ci_high')}
        rows.append({**row, 'n_missing': int(found.n_missing.sum())})
    return pd.DataFrame(rows, columns=list(RESPONDER_COLUMNS))
