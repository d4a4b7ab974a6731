"""Hold p values of 1,000 permutations and a tail against counts of 10,000, at the peaks of maps with effects."""

import numpy as np
import pandas as pd
from scipy import ndimage

from pipelines.stats.permute import PermutationResult, permute
from pipelines.stats.question import Effort, Question
from pipelines.stats.tfce import neighbour_table
from tests.acceptance.studies import spread
from tests.acceptance.studies.map_error import SHAPE, noise

SEED = 20260120
N_TRIALS = 10
N_COUNTED = 10_000
TABLE = 'map_tail.tsv'
N_TREATED, N_CONTROL = 28, 29
PLACES = np.array(np.meshgrid([3, 8, 13, 17], [3, 9, 15, 21], [2, 7])).reshape(3, -1).T  # middles of effects
HEIGHTS = np.linspace(
    0.7, 1.7, len(PLACES)
)  # in standard deviations, so that p goes from 1 to what is hardly seen
SPREAD = 1.2  # voxels


def effects() -> np.ndarray:
    """Return (V,) the difference of the arms: bumps of all heights."""
    volume = np.zeros(SHAPE)
    steps = np.indices(SHAPE).reshape(3, -1).T
    for place, height in zip(PLACES, HEIGHTS):
        distance = np.sum((steps - place) ** 2, axis=1).reshape(SHAPE)
        volume += height * np.exp(-distance / (2 * SPREAD**2))
    return volume.ravel()


def peaks(statistic: np.ndarray) -> np.ndarray:
    """Return the places (n,) of the largest values within a voxel around."""
    volume = np.abs(statistic).reshape(SHAPE)
    return np.flatnonzero(volume == ndimage.maximum_filter(volume, 3))


def simulate(trials: range) -> pd.DataFrame:
    """Return p of every peak by the tail and by counts; each trial has seeds of its own."""
    arm = np.repeat([1.0, 0.0], [N_TREATED, N_CONTROL])
    asked = Question(tested=arm, nuisance=np.ones((len(arm), 1)), groups=arm)
    table = neighbour_table(np.ones(SHAPE))
    rows = []
    for trial in trials:
        maps = noise(np.random.default_rng([SEED, trial]), len(arm)) + (effects()[:, None] * arm).astype(
            np.float32
        )

        def tested(effort: Effort) -> PermutationResult:  # called in this round only
            seed = np.random.default_rng([SEED, trial, effort.n_permutations])  # noqa: B023
            return permute(maps, asked, neighbours=table, rng=seed, effort=effort)  # noqa: B023

        short, long = tested(Effort()), tested(Effort(n_permutations=N_COUNTED, exact_tail=True))
        for by, statistic, p, counted, tail in (
            ('largest', short.statistic, short.p_max, long.p_max, short.tail),
            ('tfce', short.tfce, short.p_max_tfce, long.p_max_tfce, short.tail_tfce),
        ):
            rows += [
                {'trial': trial, 'by': by, 'has_tail': tail is not None, 'p': p[place], 'counted': counted[place]}
                for place in peaks(statistic) if min(p[place], counted[place]) <= 0.15
            ]  # fmt: skip
    return pd.DataFrame(rows)


FACTORS = {(0.05, 0.1): 1.35, (0.02, 0.05): 1.6, (0.01, 0.02): 2.0, (0.005, 0.01): 3.0}
"""By how much p by a tail may differ from the counted one, in intervals of the latter."""


def agreement(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how many p values lie within their factor; below all intervals both are to be below .01."""
    found = []
    for by, own in rows.groupby('by', sort=False):
        for (low, high), factor in FACTORS.items():
            part = own[(own['counted'] > low) & (own['counted'] <= high)]
            within = np.abs(np.log(part['p'] / part['counted'])) <= np.log(factor)
            found.append({'by': by, 'low': low, 'high': high, 'n': len(part), 'share': within.mean()})
        part = own[own['counted'] <= min(low for low, _ in FACTORS)]
        found.append(
            {'by': by, 'low': 0.0, 'high': 0.005, 'n': len(part), 'share': (part['p'] < 0.01).mean()}
        )
    return pd.DataFrame(found)


def make() -> pd.DataFrame:
    """Return the table: a row for every peak whose p is at most .15 by one of the two."""
    return spread(simulate, range(N_TRIALS))
