"""Whether a likelihood of categories has a maximum at all."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[Any]

_GAIN = 1e-5  # of a linear programme whose constraints are kept to 1e-7


def is_separated(rows: Array) -> bool:
    r"""Return whether a direction of the coefficients exists along which no likelihood falls, and one rises.

    Parameters
    ----------
    rows
        (m, p) each the direction in which one term of the log-likelihood rises.

    Notes
    -----
    Data are separated, completely or in part, if and only if the linear programme
    :math:`\max \sum_i r_i'b` with :math:`r_i'b \ge 0`, :math:`|b_j| \le 1` has a solution above 0 [1]_.

    References
    ----------
    .. [1] Konis K. Linear programming algorithms for detecting separated data in binary logistic regression
       models. DPhil thesis, University of Oxford, 2007.

    Examples
    --------
    Events at 1 and 2 only, none at 0; one at 1 who has none as well does not change that:

    >>> design = np.array([[1.0, 0], [1, 0], [1, 1], [1, 2]])
    >>> signs = np.array([[-1], [-1], [1], [1]])
    >>> is_separated(signs * design), is_separated(np.vstack([signs * design, [[-1, -1]]]))
    (True, True)
    >>> is_separated(np.vstack([signs * design, [[-1, -2]]]))
    False

    """
    found = optimize.linprog(-rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1))
    return bool(-found.fun > _GAIN)
