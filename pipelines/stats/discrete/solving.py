"""Linear equations of the models of discrete outcomes, which tell what cannot be solved."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError

Array = NDArray[Any]


def solve_information(information: Array, right: Array, whose: str) -> Array:
    """Return the solution of the equations of a Newton step.

    Parameters
    ----------
    information
        (p, p) symmetric.
    right
        (p,) or (p, k).
    whose
        What the message calls the model.

    Raises
    ------
    DataError
        The information is singular: data are separated, or columns say the same.

    Examples
    --------
    >>> solve_information(np.diag([2.0, 4.0]), np.array([2.0, 2.0]), 'a model').tolist()
    [1.0, 0.5]

    """
    try:
        return np.linalg.solve(information, right)
    except np.linalg.LinAlgError:
        raise DataError(f'the information of {whose} is singular; use fewer covariates') from None


def invert_information(information: Array, whose: str) -> Array:
    """Return the covariance of the coefficients, (p, p); raises as :func:`solve_information`.

    Examples
    --------
    >>> invert_information(np.diag([2.0, 4.0]), 'a model').tolist()
    [[0.5, 0.0], [0.0, 0.25]]

    """
    return solve_information(information, np.eye(len(information)), whose)
