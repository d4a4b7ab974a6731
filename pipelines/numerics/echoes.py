"""Several echoes of one excitation: their decay, and the combination that shows BOLD best."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SHORTEST, LONGEST = 0.003, 0.5
"""s; a decay beyond them is not told from noise by echoes of some tens of ms."""


class Decay(NamedTuple):
    """What is told of the echoes of a run: times (s), median T2* of the head (s), share of it where each has no signal."""

    times: tuple[float, ...]
    t2star: float
    lost: tuple[float, ...]

    def facts(self) -> dict[str, object]:
        """Return what sidecars say.

        Examples
        --------
        >>> Decay((0.012, 0.028), 0.045123, (0.0, 0.1)).facts()
        {'EchoTimes': [0.012, 0.028], 'MedianT2Star': 0.04512, 'SignalLost': [0.0, 0.1]}

        """
        lost = [round(share, 4) for share in self.lost]
        return {'EchoTimes': list(self.times), 'MedianT2Star': round(self.t2star, 5), 'SignalLost': lost}


def fit_t2star(signals: Array, times: Array) -> Array:
    r"""Return the decay time of voxels from the mean of every echo.

    Parameters
    ----------
    signals
        (E, N) intensities, E at least 2.
    times
        (E,) echo times, s.

    Returns
    -------
    Array
        (N,) s, within 3 to 500 ms.

    Raises
    ------
    ValueError
        There are fewer than two echoes, or their times are not positive and rising.

    Notes
    -----
    :math:`\ln S_e = \ln S_0 - TE_e / T_2^*` by least squares with weights :math:`S_e^2`, for noise of a magnitude
    makes noise of its logarithm in inverse proportion; a voxel that does not decay has the longest time.

    Examples
    --------
    >>> times = np.array([0.012, 0.028, 0.044])
    >>> fit_t2star(1000 * np.exp(-times / 0.04)[:, None], times).round(4).tolist()
    [0.04]

    """
    times = np.asarray(times, float)
    if len(times) < 2 or len(signals) != len(times) or times[0] <= 0 or np.any(np.diff(times) <= 0):
        raise ValueError(
            f'{len(signals)} echoes at {times.tolist()} s; two or more at rising times are needed'
        )
    values = np.maximum(np.asarray(signals, float), 1e-6)
    weights = values**2
    total = weights.sum(axis=0)
    mean_time = (weights * times[:, None]).sum(axis=0) / total
    logs = np.log(values)
    mean_log = (weights * logs).sum(axis=0) / total
    away = times[:, None] - mean_time
    spread = (weights * away**2).sum(axis=0)
    slope = (weights * away * (logs - mean_log)).sum(axis=0) / np.maximum(spread, np.finfo(float).tiny)
    return np.clip(1 / np.maximum(-slope, 1 / LONGEST), SHORTEST, LONGEST)


def echo_weights(t2star: Array, times: Array) -> Array:
    r"""Return the weights (E, N) of echoes that add up to 1.

    Parameters
    ----------
    t2star
        (N,) s.
    times
        (E,) s.

    Notes
    -----
    :math:`w_e \propto TE_e \exp(-TE_e / T_2^*)`: each echo by how much it changes with the decay [1]_.

    References
    ----------
    .. [1] Posse S, et al. Enhancement of BOLD-contrast sensitivity by single-shot multi-echo functional MR imaging.
       Magn Reson Med 1999;42:87-97.

    Examples
    --------
    >>> echo_weights(np.array([0.02, 0.06]), np.array([0.01, 0.03])).round(2).tolist()
    [[0.48, 0.32], [0.52, 0.68]]

    """
    times = np.asarray(times, float)[:, None]
    weights = times * np.exp(-times / np.asarray(t2star, float))
    return np.asarray(weights / weights.sum(axis=0))


def lost_shares(means: Array, mask: Array, share: float = 0.2) -> list[float]:
    """Return the share of a mask (N,) where every echo (E, N) has lost its signal: below ``share`` of its median there.

    Examples
    --------
    >>> lost_shares(np.array([[5.0, 5, 5, 5], [3, 3, 3, 0.1]]), np.ones(4, bool))
    [0.0, 0.25]

    """
    inner = np.asarray(means)[:, mask]
    limits = share * np.median(inner, axis=1)
    return [float(np.mean(echo < limit)) for echo, limit in zip(inner, limits)]
