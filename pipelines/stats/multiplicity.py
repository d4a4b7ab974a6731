"""p values of several tests."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.multitest import multipletests

Array = NDArray[Any]


def holm(p: ArrayLike) -> Array:
    """Adjust p values by Holm's step-down procedure.

    Parameters
    ----------
    p
        (k,) 0 to 1; NaN = no test, which stays NaN and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, np.nan]).tolist()
    [0.02, 0.04, nan]

    """
    raw = np.asarray(p, float)
    adjusted, known = np.full(raw.shape, np.nan), ~np.isnan(raw)
    if known.any():
        adjusted[known] = multipletests(raw[known], method='holm')[1]
    return adjusted


def fixed_sequence(p: ArrayLike) -> Array:
    """Adjust p values of tests in a fixed order: none counts once one before it has failed.

    Parameters
    ----------
    p
        (k,) 0 to 1 in their order; NaN = no test, after which none can count.

    Notes
    -----
    The largest p so far [1]_.

    References
    ----------
    .. [1] Westfall PH, Krishen A. Optimally weighted, fixed sequence and gatekeeper multiple testing procedures.
       J Stat Plan Inference 2001;99:25-40.

    Examples
    --------
    >>> fixed_sequence([0.01, 0.2, 0.03]).tolist()
    [0.01, 0.2, 0.2]

    """
    return np.maximum.accumulate(np.asarray(p, float))
