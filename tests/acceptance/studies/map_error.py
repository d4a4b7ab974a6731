"""Simulate maps of arms of unequal size and spread without any effect, and count in how many a voxel is called."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from pipelines.stats.permute import permute
from pipelines.stats.question import Effort, Question
from pipelines.stats.tfce import neighbour_table
from tests.acceptance.studies import spread

SEED = 20260119
N_TRIALS, N_ENHANCED = 1000, 200  # TFCE and one common variance are tried in the first ones
N_PERMUTATIONS = 299
TABLE = 'map_error.tsv'
SHAPE, FWHM = (20, 25, 10), 3.0  # 5,000 voxels
LEVELS = {'error_05': 0.05, 'error_01': 0.01}


class Setting(NamedTuple):
    """People of each arm, and the standard deviation of the treated over that of the control."""

    n_treated: int
    n_control: int
    ratio: float


SETTINGS = Setting(28, 29, 1.0), Setting(19, 38, 2.3), Setting(13, 44, 2.7)


def noise(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return (V, n) float32 smooth noise of unit standard deviation."""
    white = rng.standard_normal((n, *SHAPE), np.float32)
    smooth = ndimage.gaussian_filter(white, (0, *[FWHM / 2.355] * 3), mode='wrap')
    return np.ascontiguousarray((smooth / smooth.std()).reshape(n, -1).T)


def smallest_p(
    setting: Setting, rng: np.random.Generator, *, is_enhanced: bool
) -> dict[tuple[str, str], float]:
    """Return the smallest corrected p of one data set by the choice of variances and the way of correcting."""
    arm = np.repeat([1.0, 0.0], [setting.n_treated, setting.n_control])
    maps = noise(rng, len(arm)) * np.where(arm == 1, np.float32(setting.ratio), np.float32(1))
    tables = (
        {'per_arm': neighbour_table(np.ones(SHAPE)), 'common': None} if is_enhanced else {'per_arm': None}
    )
    found = {}
    for name, table in tables.items():
        groups = arm if name == 'per_arm' else None
        asked = Question(tested=arm, nuisance=np.ones((len(arm), 1)), groups=groups)
        result = permute(
            maps, asked, neighbours=table, rng=np.random.default_rng(rng.integers(2**32)),
            effort=Effort(n_permutations=N_PERMUTATIONS),
        )  # fmt: skip
        found[name, 'largest'] = float(np.nanmin(result.p_max))
        if result.p_max_tfce is not None:
            found[name, 'tfce'] = float(np.nanmin(result.p_max_tfce))
    return found


def simulate(trials: range) -> pd.DataFrame:
    """Return the smallest p of these trials; each has a seed of its own, so that any part can be repeated."""
    rows = []
    for number, setting in enumerate(SETTINGS):
        for trial in trials:
            rng = np.random.default_rng([SEED, number, trial])
            found = smallest_p(setting, rng, is_enhanced=trial % N_TRIALS < N_ENHANCED)
            rows += [
                {**setting._asdict(), 'variances': variances, 'by': by, 'p': p}
                for (variances, by), p in found.items()
            ]
    return pd.DataFrame(rows)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the share of data sets in which any voxel is called."""
    keys = [*Setting._fields, 'variances', 'by']
    parts = rows.groupby(keys, sort=False)['p']
    shares = {name: parts.apply(lambda p, level=level: (p <= level).mean()) for name, level in LEVELS.items()}
    return pd.DataFrame({'n_trials': parts.size(), **shares}).reset_index()


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(spread(simulate, range(N_TRIALS)))
