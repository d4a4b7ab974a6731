"""CLBPE for notebooks and scripts: the functions of the program under the names of the field.

    import clbpe

    cleaned = clbpe.clean(series, confounds, t_r=2.0)
    icc = clbpe.intrinsic_connectivity(cleaned.series, cleaned.dof).icc

They take and return arrays and tables; files are yours (nibabel, pandas).  Each has a page and a runnable example in
the documentation.  A name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .home import settle

if TYPE_CHECKING:
    from .diffusion import *
    from .functional import *
    from .statistics import *

ROOMS = {
    'functional': (
        'Cleaned', 'alff', 'average_fisher_z', 'clean', 'dvars', 'fisher_z', 'fisher_z_se', 'framewise_displacement',
        'intrinsic_connectivity', 'noise_floor', 'seed_map', 'smooth',
    ),
    'diffusion': (
        'Gradients', 'Tract', 'fibre_orientations', 'fit_tensor', 'read_gradients', 'track_between', 'tract_mean',
        'tract_profile',
    ),
    'statistics': (
        'Effort', 'Groups', 'PathModel', 'Question', 'SampleLabel', 'SamplesDesign', 'TrialModel', 'biomarker',
        'differential_expression', 'difference_power', 'flip_signs', 'holm', 'logistic', 'mediate',
        'mediation_power', 'mmrm', 'negative_binomial', 'neighbour_table', 'permute', 'preranked',
        'proportional_odds', 'tfce',
    ),
}  # fmt: skip
"""What is public, by the module of this package that has it."""

_ROOM_OF = {name: room for room, names in ROOMS.items() for name in names}

__all__ = sorted(_ROOM_OF)

settle()


def __getattr__(name: str) -> Any:
    """Return what is public when it is first asked for, or the version."""
    if name == '__version__':
        return import_module('bids_app').__version__
    if name not in _ROOM_OF:
        raise AttributeError(f'clbpe has no {name!r}; it has {", ".join(__all__)}')
    return getattr(import_module(f'clbpe.{_ROOM_OF[name]}'), name)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return [*__all__, '__version__']
