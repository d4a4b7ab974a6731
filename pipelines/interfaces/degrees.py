"""Degrees of freedom of a run before it is processed, and which options would leave enough."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from ..errors import DegreesOfFreedomError
from ..numerics.clean import stop_band
from ..params import MIN_DEGREES_OF_FREEDOM, DenoiseParams
from ..terms import PRESETS, Preset
from .headers import open_series

_WAYS_OUT = (
    ({'low_pass': 0.0}, '--low-pass 0'),
    ({'denoising': 'none'}, '--denoising none'),
    ({'denoising': 'none', 'low_pass': 0.0}, '--denoising none --low-pass 0'),
)
"""Changes of options that leave more degrees of freedom, the mildest first."""


def most_degrees(n_volumes: int, t_r: float, params: DenoiseParams, n_confounds: int = 0) -> int:
    """Return how many degrees of freedom remain when no volume is left out.

    Parameters
    ----------
    n_volumes
        Number of volumes T.
    t_r
        Repetition time, s.
    params
        Band.
    n_confounds
        Confounds that are removed beside constant, trend and stop band.

    Examples
    --------
    A minute and a half cannot do with the default band, whatever is removed beside it:

    >>> most_degrees(47, 2.0, DenoiseParams())
    14

    """
    outside = stop_band(n_volumes, t_r, params.high_pass, params.low_pass).shape[1]
    return max(n_volumes - 2 - outside - n_confounds, 0)


def refuse_hopeless(bold: Path, t_r: float, params: DenoiseParams) -> None:
    """Refuse a raw series that is too short for its preset, before hours are spent on it.

    Parameters
    ----------
    bold
        Raw series; only its number of volumes is read.
    t_r, params
        Repetition time, s; preset and band.

    Raises
    ------
    DegreesOfFreedomError
        Even with all volumes kept and no component of aCompCor fewer than 20 would remain.

    """
    n_volumes = open_series(bold).shape[3]
    most = most_degrees(n_volumes, t_r, params, _count_plain(PRESETS[params.denoising]))
    if most >= MIN_DEGREES_OF_FREEDOM:
        return

    def dof_of(other: DenoiseParams) -> float:
        preset = PRESETS[other.denoising]
        return most_degrees(n_volumes, t_r, other, _count_plain(preset) + 2 * preset.n_compcor)

    raise DegreesOfFreedomError(
        f'{bold.name}: {n_volumes} volumes of {t_r:g} s leave at most {most} degrees of freedom with '
        f'--denoising {params.denoising} and a pass band of {params.high_pass:g}-{params.low_pass:g} Hz; '
        f'{MIN_DEGREES_OF_FREEDOM} are needed. {ways_out(params, dof_of)}'
    )


def _count_plain(preset: Preset) -> int:
    """Return how many columns a preset certainly takes: a pattern may match none."""
    return sum('*' not in name for name in preset.columns)


def ways_out(params: DenoiseParams, dof_of: Callable[[DenoiseParams], float]) -> str:
    """Return a sentence that names which options would leave enough degrees of freedom, and how many.

    Parameters
    ----------
    params
        What leaves too few.
    dof_of
        Degrees of freedom under other options.

    """
    offered: dict[DenoiseParams, str] = {}
    for changes, words in _WAYS_OUT:
        other = dataclasses.replace(params, **changes)
        is_new = other != params and other not in offered
        if is_new and (dof := dof_of(other)) >= MIN_DEGREES_OF_FREEDOM:
            offered[other] = f'{words} ({dof:.4g} left)'
    return f'Enough remain with {" or ".join(offered.values())}.' if offered else 'A longer scan is needed.'
