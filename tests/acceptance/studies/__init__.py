"""Long simulations of known truth; what each finds is a table of ``tests/golden``."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import pandas as pd

Part = TypeVar('Part')


def divide(simulate: Callable[[range], Part], trials: range) -> list[Part]:
    """Simulate trials in as many processes as there are cores: every n-th in one; each has seeds of its own."""
    n = min(len(os.sched_getaffinity(0)), len(trials))
    with ProcessPoolExecutor(n) as pool:
        return list(pool.map(simulate, [trials[start::n] for start in range(n)]))


def spread(simulate: Callable[[range], pd.DataFrame], trials: range) -> pd.DataFrame:
    """Return the rows of trials that are simulated side by side, in their order."""
    return pd.concat(divide(simulate, trials)).sort_index(kind='stable').reset_index(drop=True)
