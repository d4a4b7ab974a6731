"""What a comparison of discrete outcomes tells."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.terms import DISCRETE_MODELS, EFFECT_SCALES

from ..estimate import Estimate
from .people import Compared, Tally
from .standardise import Marginal, difference

Array = NDArray[Any]


class ArmContrast(NamedTuple):
    """An arm against control.

    Attributes
    ----------
    arm
        Its code.
    log_ratio
        Natural logarithm of the ratio (odds or rates); None where it has no estimate.
    difference
        On the natural scale (risk, count, rate); None where it has no standard error.

    """

    arm: int
    log_ratio: Estimate | None
    difference: Estimate | None


class DiscreteFit(NamedTuple):
    """A comparison of arms on a discrete outcome.

    Attributes
    ----------
    model
        Of :data:`~pipelines.terms.DISCRETE_MODELS`.
    ratio_scale, difference_scale
        Of :data:`~pipelines.terms.EFFECT_SCALES`.
    contrasts
        One per arm that can be compared with control.
    means
        (n_arms,) standardised risk, count or rate of each arm; NaN where it has none.
    tally
        People per arm.
    described
        The outcome per arm, as observed.
    notes
        What was done otherwise, and why something is absent.

    """

    model: str
    ratio_scale: str
    difference_scale: str
    contrasts: tuple[ArmContrast, ...]
    means: Array
    tally: Tally
    described: pd.DataFrame
    notes: tuple[str, ...]


class Comparison(NamedTuple):
    """Words of a comparison; a word that is none of the terms is refused."""

    model: str
    ratio_scale: str
    difference_scale: str

    def checked(self) -> 'Comparison':
        """Return the words as the terms have them."""
        return Comparison(
            DISCRETE_MODELS[self.model].name,
            EFFECT_SCALES[self.ratio_scale].name,
            EFFECT_SCALES[self.difference_scale].name,
        )


def collect_contrasts(
    kind: Comparison,
    people: Compared,
    log_ratios: Sequence[Estimate | None],
    marginal: Marginal,
    described: pd.DataFrame,
    notes: Sequence[str] = (),
) -> DiscreteFit:
    """Return the result; ``log_ratios`` are of the arms but control, in their order."""
    differences = [difference(marginal, place) for place in range(1, len(people.arms))]
    contrasts = [
        ArmContrast(int(code), ratio, found)
        for code, ratio, found in zip(people.arms[1:], log_ratios, differences, strict=True)
    ]
    notes = [*people.notes, *notes]
    notes += [
        f'{name}: nothing varies, so that the difference has no standard error'
        for name, contrast in zip(people.names[1:], contrasts)
        if contrast.difference is None
    ]
    means = np.full(len(people.tally.n), np.nan)
    means[people.arms] = marginal.means
    return DiscreteFit(*kind.checked(), tuple(contrasts), means, people.tally, described, tuple(notes))


def tally_levels(people: Compared, levels: Array) -> pd.DataFrame:
    """Return ``arm level n``, how many people of each arm are at each level."""
    return pd.DataFrame(
        [
            {'arm': int(code), 'level': level, 'n': int((people.outcome[people.arm == place] == level).sum())}
            for place, code in enumerate(people.arms)
            for level in levels.tolist()
        ]
    )
