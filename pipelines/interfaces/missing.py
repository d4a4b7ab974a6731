"""The primary outcome under several assumptions about values that are missing."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..errors import DataError
from ..figures.tipping import plot_remark, plot_tipping
from ..stats.design import Outcome, OutcomesDesign
from ..stats.imputation.sensitivity import ASSUMED_COLUMNS, TIPPING_COLUMNS, Worse, vary_missing
from ..stats.imputation.visits import Visits
from ..stats.outcome_data import OutcomeData, arrange_outcome
from ..stats.outcome_rows import OutcomeRows
from ..terms import SHIFTED_ARMS
from ._interface import interface
from .tables import read_columns, read_table, write_table
from .trial_figures import save_svg


class _Missing(NamedTuple):
    missing: Path
    tipping: Path
    tipping_figure: list[Path]


def impute_outcomes(
    values: Path,
    participants: Path,
    design: OutcomesDesign,
    n_imputations: int,
    random_seed: int,
    *,
    out_dir: Path,
) -> _Missing:
    """Impute the primary outcomes under several assumptions.

    Parameters
    ----------
    values, participants
        As for :func:`~pipelines.interfaces.trial.fit_outcomes`.
    design
        Arms, visits and outcomes.
    n_imputations, random_seed
        Of :func:`~pipelines.stats.imputation.sensitivity.vary_missing`.
    out_dir
        Folder of tables and figures.

    Returns
    -------
    _Missing
        Effects by assumption and tipping points, of the outcomes that can be imputed; a figure for each of them.

    """
    seen, people = read_table(values), read_columns(participants)
    people = people[[name for name in people if name in ('participant_id', 'arm', *design.adjusted)]]
    rng = np.random.default_rng(random_seed)
    found = [_vary(seen, people, outcome, design, rng, n_imputations) for outcome in design.imputed]
    effects, points = ([part[place] for part in found] for place in (0, 1))
    figures = [
        _draw(part[2], part[1], outcome, design, out_dir) for part, outcome in zip(found, design.imputed)
    ]
    missing = _joined(effects, ('outcome', *ASSUMED_COLUMNS, 'note'))
    tipping = _joined(points, ('outcome', *TIPPING_COLUMNS))
    return _Missing(
        write_table(missing, out_dir / 'missing.tsv'), write_table(tipping, out_dir / 'tipping.tsv'), figures
    )


ImputeOutcomes = interface(impute_outcomes)


def _joined(tables: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    known = [table for table in tables if len(table)]
    return (pd.concat(known, ignore_index=True) if known else pd.DataFrame()).reindex(columns=list(columns))


def _vary(
    seen: pd.DataFrame, people: pd.DataFrame, outcome: Outcome, design: OutcomesDesign,
    rng: np.random.Generator, n_imputations: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Return effects, tipping points and curves with arms by name; why there are none stands in ``note``."""
    assert outcome.low is not None
    assert outcome.high is not None
    worse = Worse(lower_is_better=bool(outcome.lower_is_better), width=outcome.high - outcome.low)
    try:
        data = arrange_outcome(seen[seen['outcome'] == outcome.name], people, outcome, design)
        names, lacking = _arms_seen(data, design)
        data = data.of_arms(*names)
        visits = Visits(
            outcome=data.values, arm=data.arm, primary=data.primary, covariates=data.covariates,
            is_randomised=design.is_randomised,
        )  # fmt: skip
        found = vary_missing(visits, worse, rng, n_imputations)
    except DataError as error:
        empty = pd.DataFrame([{'outcome': outcome.name, 'note': str(error)}])
        return empty, pd.DataFrame(), pd.DataFrame()
    told: dict[str, Any] = {'outcome': outcome.name}
    notes = [*found.notes, *lacking, *filter(None, [OutcomeRows(outcome, design, data).remark])]
    tables = (
        found.effects.assign(note='; '.join(notes), **told), found.tipping.assign(**told), found.curves,
    )  # fmt: skip
    called = dict(enumerate(names.values()))
    effects, points, curves = (table.assign(arm=table['arm'].map(called)) for table in tables)
    return effects, points, curves


def _arms_seen(data: OutcomeData, design: OutcomesDesign) -> tuple[dict[int, str], list[str]]:
    """Return the arms by code that have somebody at the primary visit, control among them, and say which lack it."""
    names = dict(enumerate((design.control, *design.treated)))
    seen = set(data.arm[~np.isnan(data.values[:, data.primary])].tolist())
    visit = data.visits[data.primary].name
    lacking = [f'nobody in {name} has {visit}' for code, name in names.items() if code not in seen]
    if 0 not in seen or len(seen) < 2:
        raise DataError('; '.join(lacking))
    return {code: name for code, name in names.items() if code in seen}, lacking


def _draw(
    curves: pd.DataFrame, points: pd.DataFrame, outcome: Outcome, design: OutcomesDesign, out_dir: Path
) -> Path:
    """Draw the curves; where there is nothing to shift, a figure that says so."""
    units = '' if outcome.units == '1' else outcome.units
    path = out_dir / f'{outcome.name}_tipping.svg'
    if curves.empty:
        return save_svg(plot_remark(f'{outcome.title}: no missing value could be shifted.'), path)
    figure = plot_tipping(
        curves, points, title=f'{outcome.title}: if missing values were worse', units=units,
        arms={arm: arm for arm in design.arms}, shifted=SHIFTED_ARMS.titles(),
    )  # fmt: skip
    return save_svg(figure, path)
