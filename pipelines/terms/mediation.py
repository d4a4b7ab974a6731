"""Mediation: structures of mediators, their order in time, paths and the scales of these."""

from dataclasses import dataclass

from .statistics import Described
from .words import Term, Words

STRUCTURES_OF_MEDIATORS = Words(
    'structure of mediators',
    [
        Term(name='single', title='one mediator'),
        Term(name='parallel', title='mediators side by side'),
        Term(name='serial', title='mediators in series'),
    ],
)

TIME_ORDERS = Words(
    'order of mediator and outcome',
    [
        Described(
            name='before', title='Mediator before outcome',
            about='every mediator was measured at a visit before that of the outcome',
        ),
        Described(
            name='partly', title='Some mediators before the outcome',
            about='some mediators were measured before the outcome, others at its visit: that these come first is assumed',
        ),
        Described(
            name='same_visit', title='Mediator and outcome at one visit',
            about='mediator and outcome are of the same visit: that the mediator comes first is assumed',
        ),
        Described(
            name='not_known', title='Not known',
            about='the last blood sample is of a session that is no visit of the trial: that mediators come before the '
            'outcome is assumed',
        ),
    ],
)  # fmt: skip

PATH_SCALES = Words(
    'scale of a path',
    [
        Described(name='units', title='Units', about='units of what the path leads to'),
        Described(name='log_odds', title='Log odds', about='natural logarithm of the odds, per unit of the mediator'),
        Described(name='risk_difference', title='Difference in risk', about='difference in risk, averaged over people'),
        Described(name='none', title='Without unit', about='a share or a correlation'),
    ],
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Path(Described):
    """A path or effect; ``scale`` and ``risk_scale`` are what it is in, where the outcome is a number and where binary."""

    scale: str = PATH_SCALES['units'].name
    risk_scale: str = PATH_SCALES['units'].name


_SLOPE = {'risk_scale': PATH_SCALES['log_odds'].name}
_EFFECT = {'risk_scale': PATH_SCALES['risk_difference'].name}
_RATIO = {'scale': PATH_SCALES['none'].name, 'risk_scale': PATH_SCALES['none'].name}

PATHS = Words(
    'path',
    [
        Path(name='a', title='Treatment on mediator', about='treatment on mediator'),
        Path(name='b', title='Mediator on outcome', about='mediator on outcome', **_SLOPE),
        Path(name='d21', title='First mediator on second', about='first mediator on the second'),
        Path(name='indirect', title='Indirect effect', about='treatment on outcome through the mediator', **_EFFECT),
        Path(
            name='joint_indirect', title='Indirect effect through all mediators', about='through all mediators', **_EFFECT,
        ),
        Path(name='direct', title='Direct effect', about='treatment on outcome, mediators held', **_EFFECT),
        Path(name='total', title='Total effect', about='direct and indirect', **_EFFECT),
        Path(name='proportion', title='Proportion mediated', about='indirect over total', **_RATIO),
        Path(
            name='rho_at_zero', title='Correlation of errors at which the indirect effect is zero',
            about='correlation of errors at which indirect is zero', **_RATIO,
        ),
        Path(
            name='interaction', title='Difference of the slopes between arms',
            about='difference of the slopes of the mediator between arms', **_SLOPE,
        ),
    ],
)  # fmt: skip
