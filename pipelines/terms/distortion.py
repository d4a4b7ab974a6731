"""What distortion by magnetic susceptibility is estimated from, and how that is told."""

import math
from dataclasses import dataclass

from .words import Term, Words

HERTZ_PER_TESLA = 42.577478518e6
"""Of the proton: its gyromagnetic ratio over 2 pi, CODATA 2018."""

FIELD_UNITS = {'Hz': 1.0, 'rad/s': 1 / (2 * math.pi), 'T': HERTZ_PER_TESLA}
"""Hz per unit of a map of the field, by ``Units`` of its sidecar."""

NO_CORRECTION = 'none'
"""What a sidecar says of a scan whose distortion stays."""


@dataclass(frozen=True, kw_only=True)
class EstimatorKind(Term):
    """A kind of estimator; ``title`` is what sidecars say of it.

    ``text``: the beginning of its sentence in the methods, which :data:`PLAIN` or :data:`MODULATED` ends.
    ``is_map``: an image of phase or field with its magnitude, not EPI that are distorted themselves.
    """

    text: str
    is_map: bool = False


PLAIN = 'and taken back without modulation of the intensities. '
MODULATED = 'and taken back with the intensities multiplied by the Jacobian. '
"""How the displacement of BOLD, and that of diffusion, is taken back."""
_CARRIED = (
    'whose magnitude was registered rigidly to the reference and to its corrected form in turn. It was smoothed where '
    'signal is weak and continued beyond the brain, '
)
_UNWRAPPED = (
    'unwrapped in three dimensions [@abdulrahman2007] and divided by the difference of the echo times, '
)

ESTIMATORS = Words(
    'estimator of distortion',
    [
        EstimatorKind(
            name='pair', title='reverse phase encoding pair',
            text='Distortion by magnetic susceptibility was estimated from two EPI of opposite phase encoding '
            '[@andersson2003] with the discretisation of [@ruthotto2012], carried to the reference in Hz after a '
            'rigid registration, ',
        ),
        EstimatorKind(
            name='reverse', title='one EPI of reverse phase encoding and the reference of the series itself',
            text='Distortion by magnetic susceptibility was estimated from the reference and one EPI of reverse phase '
            'encoding [@andersson2003] with the discretisation of [@ruthotto2012], displacement and movement in turn, ',
        ),
        EstimatorKind(
            name='fieldmap', title='map of the magnetic field', is_map=True,
            text='Distortion by magnetic susceptibility was computed from a map of the magnetic field, ' + _CARRIED,
        ),
        EstimatorKind(
            name='phasediff', title='difference of phase between two echoes', is_map=True,
            text='Distortion by magnetic susceptibility was computed from the difference of phase between two echoes, '
            + _UNWRAPPED + _CARRIED,
        ),
        EstimatorKind(
            name='phases', title='phase of two echoes', is_map=True,
            text='Distortion by magnetic susceptibility was computed from the phase of two echoes, their difference '
            + _UNWRAPPED + _CARRIED,
        ),
    ],
)  # fmt: skip
"""Measured ones, the preferred first."""
