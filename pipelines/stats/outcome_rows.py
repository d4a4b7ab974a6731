"""Rows of the table of effects: which comparison, of how many people, with what found."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pipelines.errors import DataError
from pipelines.terms import DIFFERENCE, DISCRETE_MODELS, MODELS, SITE_USES, join_flags, raised

from .design import Outcome, OutcomesDesign
from .estimate import Estimate
from .outcome_data import OutcomeData
from .standardised import hedges, in_spreads_of_control

EFFECT_COLUMNS = (
    'outcome', 'analysis', 'model', 'scale', 'arm', 'visit', 'is_primary', 'n_treatment', 'n_control',
    'n_treatment_seen', 'n_control_seen', *Estimate._fields, 'p_adjusted', 'adjustment', 'ratio', 'ratio_ci_low',
    'ratio_ci_high', 'effect_size', 'effect_ci_low', 'effect_ci_high', 'units', 'flags', 'note',
)  # fmt: skip

LORD = (
    'arms were not allocated by chance: where they differ at baseline, regression to the mean gives a difference '
    'at follow-up between arms that are both stable'
)
"""What is said where groups that chance did not make are adjusted for their baseline."""

Row = dict[str, Any]


def model_name(model: str) -> str:
    """Return the name of a model of outcomes; an unknown one is refused."""
    return (DISCRETE_MODELS if model in DISCRETE_MODELS else MODELS)[model].name


class EffectPlace(NamedTuple):
    """Which comparison a row is of: an analysis and its model, a treated arm by its code, a visit by its column."""

    analysis: str
    model: str
    arm: int
    visit: int


class OutcomeRows:
    """Rows of one outcome.

    Parameters
    ----------
    outcome, design
        What is compared.
    data
        Its values.

    """

    def __init__(self, outcome: Outcome, design: OutcomesDesign, data: OutcomeData) -> None:
        self.outcome, self.design, self.data = outcome, design, data

    def row(self, place: EffectPlace, effect: Estimate | None, note: str = '', **more: Any) -> Row:
        """Return a row; without an effect it says why in ``note``."""
        flags = [f'dropped:{name}' for name in self.data.dropped]
        known, treated, control = self.data.is_complete, self.data.arm == place.arm, self.data.arm == 0
        seen = ~np.isnan(self.data.values)
        incomplete = seen.any(axis=1) & ~known & (treated | control)
        flags += raised(not_estimated=effect is None, covariate_missing=bool(incomplete.any()))
        used = known & seen.any(axis=1)
        counts = {
            'n_treatment': int((used & treated).sum()),
            'n_control': int((used & control).sum()),
            'n_treatment_seen': int((known & seen[:, place.visit] & treated).sum()),
            'n_control_seen': int((known & seen[:, place.visit] & control).sum()),
        }
        return {
            'outcome': self.outcome.name,
            'analysis': place.analysis,
            'model': place.model,
            'scale': DIFFERENCE,
            'arm': self.design.treated[place.arm - 1],
            'visit': self.data.visits[place.visit].name,
            'is_primary': place.visit == self.data.primary,
            **counts,
            **({} if effect is None else effect._asdict()),
            'units': self.outcome.units,
            'flags': join_flags(flags),
            'note': '; '.join(filter(None, (note, self.remark))),
            **more,
        }

    @property
    def remark(self) -> str:
        """Return what sites are to this model, where that is not what was asked."""
        sites = self.design.sites
        return SITE_USES[sites.use].remark if sites and self.data.has_sites else ''

    def size(self, effect: Estimate, visit: int) -> Row:
        """Return an effect in standard deviations, nothing where there are none to divide by."""
        try:
            before = self.data.before
            if before is None:
                found = in_spreads_of_control(effect, self.data.values[self.data.arm == 0, visit])
            else:
                found = hedges(effect, before, self.data.arm)
        except DataError:
            return {}
        return {'effect_size': found.g, 'effect_ci_low': found.ci_low, 'effect_ci_high': found.ci_high}

    def places(self, analysis: str, model: str, visits: list[int] | None = None) -> Iterator[EffectPlace]:
        """Yield a place for every treated arm at some visits, by default all that arms are compared at."""
        for visit in self.data.followups if visits is None else visits:
            for arm in range(1, len(self.design.treated) + 1):
                yield EffectPlace(analysis, model_name(model), arm, visit)

    def refused(self, analysis: str, model: str, reason: str) -> list[Row]:
        """Return rows without numbers."""
        return [self.row(place, None, reason) for place in self.places(analysis, model)]
