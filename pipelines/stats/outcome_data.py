"""The values of an outcome as models take them: people by visits, arms as codes, covariates as numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import DataError

from .design import Outcome, OutcomesDesign, Visit, primary_visit, visits_of

Array = NDArray[Any]


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


@dataclass(frozen=True, kw_only=True, eq=False)
class OutcomeData:
    """One outcome of n people.

    Attributes
    ----------
    values
        (n, J) in the order of ``visits``, the baseline first where there is one; NaN = missing.
    arm
        (n,) 0 = control, then the treated arms in the order of the design.
    covariates
        (n, k) numbers; NaN = missing.
    visits
        At which the outcome is measured.
    baseline, primary
        Columns of the baseline (None: it has none) and of the primary contrasts.
    dropped
        Names of covariates that do not vary among those who count.
    exposure
        (n, J) time at risk; None where nothing has one.
    sites
        (n,) site of each person by a number where sites are a sample of sites, NaN = missing; else None.
    has_sites
        Whether sites are among the covariates.

    """

    values: Array
    arm: Array
    covariates: Array
    visits: tuple[Visit, ...]
    baseline: int | None
    primary: int
    dropped: tuple[str, ...] = ()
    exposure: Array | None = None
    sites: Array | None = None
    has_sites: bool = False

    @property
    def followups(self) -> list[int]:
        """Return the columns at which arms are compared."""
        return [number for number in range(len(self.visits)) if number != self.baseline]

    @property
    def before(self) -> Array | None:
        """Return the baseline, (n,), where there is one."""
        return None if self.baseline is None else self.values[:, self.baseline]

    @property
    def is_complete(self) -> Array:
        """Return of whom every covariate is known."""
        known = ~np.isnan(self.covariates).any(axis=1)
        return np.asarray(known if self.sites is None else known & ~np.isnan(self.sites))

    def complete_at(self, visit: int) -> 'OutcomeData':
        """Return the values of those who have a visit, and the baseline where there is one; others have none."""
        lacks = np.isnan(self.values[:, visit])
        if self.before is not None:
            lacks = lacks | np.isnan(self.before)
        return OutcomeData(**{**vars(self), 'values': np.where(lacks[:, None], np.nan, self.values)})

    def of_arms(self, *codes: int) -> 'OutcomeData':
        """Return the people of some arms, coded by their place among these."""
        chosen = np.isin(self.arm, codes)
        arm = np.searchsorted(codes, self.arm[chosen])
        known = {
            'values': self.values,
            'covariates': self.covariates,
            'exposure': self.exposure,
            'sites': self.sites,
        }
        own = {name: None if column is None else column[chosen] for name, column in known.items()}
        return OutcomeData(**{**vars(self), **own, 'arm': arm})


def arrange_outcome(
    own: pd.DataFrame,
    people: pd.DataFrame,
    outcome: Outcome,
    design: OutcomesDesign,
    *,
    are_sites_random: bool = False,
) -> OutcomeData:
    """Return the values of an outcome in the order of people.

    Parameters
    ----------
    own
        ``participant_id visit value`` of the outcome; ``exposure`` where it has a time at risk.
    people
        ``participant_id arm`` and covariates, which other columns are.
    outcome, design
        What is measured when, and the arms.
    are_sites_random
        Sites are no covariates, for the model knows them as a sample of sites.

    Raises
    ------
    DataError
        Nobody is of an arm of the design.

    """
    codes = {arm: code for code, arm in enumerate((design.control, *design.treated))}
    people = people[people['arm'].isin(codes)]
    if people.empty:
        raise DataError(f'nobody is in one of the arms {", ".join(codes)}')
    visits = visits_of(outcome, design.visits)
    start = design.baseline if outcome.has_baseline else None
    if start is not None:  # what precedes the baseline compares nothing
        visits = visits[visits.index(start) :]
    names = [visit.name for visit in visits]
    wide = _wide(own, 'value', people, names)
    primary = names.index(primary_visit(outcome, design.visits).name)
    baseline = None if start is None else 0
    column = design.sites.column if design.sites and design.sites.column in people else None
    at_random = column if are_sites_random else None
    table = encode(people.drop(columns=['participant_id', 'arm', *filter(None, [at_random])]))
    counting = ~np.isnan(wide[:, primary]) & table.notna().all(axis=1).to_numpy()
    if baseline is not None and baseline != primary:
        counting &= ~np.isnan(wide[:, baseline])
    constant = [name for name in table if table.loc[counting, name].nunique() < 2] if counting.any() else []
    return OutcomeData(
        values=wide, arm=people['arm'].map(codes).to_numpy(int), visits=visits, baseline=baseline, primary=primary,
        covariates=table.drop(columns=constant).to_numpy(float), dropped=tuple(constant),
        exposure=_wide(own, 'exposure', people, names) if outcome.exposure and 'exposure' in own else None,
        sites=None if at_random is None else _numbers(people[at_random]),
        has_sites=column is not None and at_random is None,
    )  # fmt: skip


def _numbers(levels: pd.Series) -> Array:
    codes = pd.factorize(levels)[0].astype(float)
    return np.where(codes < 0, np.nan, codes)


def _wide(own: pd.DataFrame, column: str, people: pd.DataFrame, names: list[str]) -> Array:
    wide = own.pivot(index='participant_id', columns='visit', values=column)
    return wide.reindex(index=people['participant_id'], columns=names).to_numpy(float)
