"""Models, contrasts and paths: what the tables of the group abbreviate."""

from dataclasses import dataclass
from typing import Literal

from .words import Term, Words


@dataclass(frozen=True, kw_only=True)
class Described(Term):
    """A word of a table's column; ``about`` explains it in the table's sidecar."""

    about: str


MODELS = Words(
    'model',
    [
        Described(
            name='clda', title='Longitudinal model of all visits, with covariates (primary)',
            about='longitudinal model of all visits with covariates (REML); arms share the mean at baseline where they '
            'were allocated at random, else changes are compared; the primary analysis',
        ),
        Described(
            name='clda_per_arm', title='The same with a covariance per arm', about='as clda, each arm with a covariance of '
            'its own (Kenward-Roger)',
        ),
        Described(
            name='clda_common', title='The same with one covariance for all arms',
            about='as clda, one covariance for all arms (cluster-robust standard error)',
        ),
        Described(
            name='ancova', title='ANCOVA of people with both visits', about='people with both visits, HC3 standard error',
        ),
        Described(
            name='ancova_interaction', title='ANCOVA with a slope on baseline per arm',
            about='as ancova, with a slope on baseline in each arm',
        ),
        Described(
            name='clda_unadjusted', title='Longitudinal model without covariates', about='as clda, without covariates',
        ),
        Described(
            name='clda_mean_fd', title='With mean head movement as covariate',
            about='as clda, with mean framewise displacement among the covariates',
        ),
        Described(name='clda_unflagged', title='Without flagged scans', about='as clda, without flagged scans'),
        Described(
            name='discrete_unadjusted', title='Without covariates', about='the model of the kind of outcome, adjusted for '
            'baseline alone',
        ),
    ],
)  # fmt: skip
"""Of outcomes."""

PRIMARY_MODEL = MODELS['clda'].name

VisitStructure = Literal['unstructured', 'toeplitz', 'autoregressive', 'compound_symmetry']

STRUCTURES_OF_VISITS = Words(
    'covariance of visits',
    [
        Described(name='unstructured', title='Unstructured', about='every variance and covariance on its own'),
        Described(
            name='toeplitz', title='Heterogeneous Toeplitz', about='own variances, a correlation per distance of visits',
        ),
        Described(
            name='autoregressive', title='Heterogeneous AR(1)', about='own variances, powers of one correlation',
        ),
        Described(
            name='compound_symmetry', title='Heterogeneous compound symmetry', about='own variances, one correlation',
        ),
    ],
)  # fmt: skip
"""In the order in which they are tried; the second and third suppose visits at equal distances."""

SigmaChoice = Literal['per_arm', 'common']

SIGMA_CHOICES = Words(
    'covariance of arms',
    [
        Described(name='per_arm', title='A covariance per arm', about='a covariance per arm'),
        Described(name='common', title='One covariance', about='one covariance for all arms'),
    ],
)

Inference = Literal['kenward_roger', 'satterthwaite', 'cluster_robust']

INFERENCES = Words(
    'inference',
    [
        Described(
            name='kenward_roger', title='Kenward-Roger',
            about='standard error and degrees of freedom by Kenward and Roger, observed information; for structures '
            'other than unstructured without second derivatives',
        ),
        Described(
            name='satterthwaite', title='Satterthwaite',
            about='standard error of generalised least squares, degrees of freedom by Satterthwaite',
        ),
        Described(
            name='cluster_robust', title='Cluster-robust (CR2)',
            about='standard error CR2 with people as clusters, degrees of freedom by Satterthwaite',
        ),
    ],
)  # fmt: skip

BIOMARKER_MODELS = Words(
    'model of a biomarker',
    [
        Described(
            name='censored', title='Samples beyond a limit of detection as censored (primary)',
            about='as censored observations; the primary analysis',
        ),
        Described(
            name='lod_half', title='Half the limit in their place, for comparison only',
            about='half the limit in their place; for comparison only',
        ),
        Described(
            name='plasma_volume', title='Censored, corrected for lost plasma',
            about='censored, after correction for lost plasma (Dill and Costill)',
        ),
    ],
)  # fmt: skip

BDNF_CONTRASTS = Words(
    'contrast of four samples of BDNF',
    [
        Described(name='acute_s7', title='After against before session 7', about='after minus before session 7'),
        Described(name='acute_s42', title='After against before session 42', about='after minus before session 42'),
        Described(
            name='resting_change', title='Before session 42 against before session 7',
            about='before session 42 minus before session 7',
        ),
        Described(
            name='change_of_acute', title='Acute response, session 42 against session 7',
            about='acute_s42 minus acute_s7',
        ),
    ],
)  # fmt: skip

SAMPLE_LEVEL = Described(
    name='level',
    title='Geometric mean; between arms the ratio of both',
    about='of the only sample that was taken',
)


@dataclass(frozen=True, kw_only=True)
class MapContrast(Described):
    """What is tested at every voxel; ``asks`` is of whom or what, ``of`` what is made of the maps of visits."""

    asks: Literal['arms', 'arm', 'symptoms', 'mean']
    of: Literal['change', 'slope', 'visit']


MAP_CONTRASTS = Words(
    'voxel-wise test',
    [
        MapContrast(
            name='armsOnChange', title='Change between visits, all arms', asks='arms', of='change',
            about='change between visits, any difference of arms',
        ),
        MapContrast(
            name='armOnChange', title='Change between visits, arm against arm', asks='arm', of='change',
            about='change between visits, treatment minus control',
        ),
        MapContrast(
            name='armsOnSlope', title='Slope over visits, all arms', asks='arms', of='slope',
            about='slope over visits, any difference of arms',
        ),
        MapContrast(
            name='armOnSlope', title='Slope over visits, arm against arm', asks='arm', of='slope',
            about='slope over visits, treatment minus control',
        ),
        MapContrast(
            name='armsAtVisit', title='Visit, all arms', asks='arms', of='visit', about='any difference of arms at the visit',
        ),
        MapContrast(
            name='armAtVisit', title='Visit, arm against arm', asks='arm', of='visit',
            about='treatment minus control at the visit',
        ),
        MapContrast(
            name='changeWithSymptoms', title='Change between visits with the change of the primary outcome',
            asks='symptoms', of='change', about='change between visits against the change of the primary outcome',
        ),
        MapContrast(
            name='slopeWithSymptoms', title='Slope over visits with the slope of the primary outcome', asks='symptoms',
            of='slope', about='slope over visits against the slope of the primary outcome',
        ),
        MapContrast(name='meanBaseline', title='Mean at baseline', asks='mean', of='visit', about='mean at baseline'),
        MapContrast(name='meanFollowup', title='Mean at follow-up', asks='mean', of='visit', about='mean at follow-up'),
        MapContrast(name='meanVisit', title='Mean at another visit', asks='mean', of='visit', about='mean at another visit'),
    ],
)  # fmt: skip
"""A test's name is one of these, and the arm and the visits where there are several."""

TAILS = Words(
    'small p values',
    [
        Described(
            name='pareto', title='Generalised Pareto tail',
            about='below .10 of a generalised Pareto distribution fitted to the largest values of permutations',
        ),
        Described(name='counted', title='Counted', about='counted, as all others'),
    ],
)  # fmt: skip
"""How p values below .10 came about."""

EXPRESSION_CONTRASTS = Words(
    'contrast of expression',
    [
        Described(
            name='difference', title='Difference in change, {treatment} minus {control}',
            about='change of a treated arm minus change of the control arm',
        ),
        Described(
            name='change_treatment', title='Change within {treatment}',
            about='change of a treated arm, not randomised',
        ),
        Described(
            name='change_control', title='Change within {control}', about='change of the control arm, not randomised',
        ),
        Described(
            name='any_difference', title='Any difference in change, {treatment} against {control}',
            about='F of all differences in change at once, of several arms or visits',
        ),
        Described(
            name='any_change', title='Any change within {treatment}',
            about='F of the changes of all arms at once, not randomised',
        ),
    ],
)  # fmt: skip
"""Titles name the arms in braces; with several arms or visits their labels follow the name."""

ReferenceKind = Literal['baseline', 'postRandomisation']

REFERENCES = Words(
    'first sample of expression',
    [
        Described(name='baseline', title='Before treatment', about=''),
        Described(
            name='postRandomisation', title='After randomisation',
            about='The first sample is a reference, not a baseline: it was drawn after randomisation.',
        ),
    ],
)  # fmt: skip
"""What is said of it."""

FALSE_DISCOVERY_RATE = 0.1
"""Rate below which a gene is called."""


@dataclass(frozen=True, kw_only=True)
class SetMethod(Described):
    """A test of gene sets; ``is_ranked``: of genes in the order of their changes, which need a sign."""

    is_ranked: bool = False


SET_METHODS = Words(
    'test of gene sets',
    [
        SetMethod(
            name='gsea', title='Gene set enrichment analysis', is_ranked=True,
            about='place in the ranking of all genes by the root of F with the sign of the fold change',
        ),
        SetMethod(
            name='over_representation', title='Over-representation',
            about='share among the called genes (hypergeometric)',
        ),
    ],
)  # fmt: skip


def methods_of_sets(*, is_joint: bool) -> list[str]:
    """Return the tests of sets that a contrast can have: one of several changes at once has no sign.

    Examples
    --------
    >>> methods_of_sets(is_joint=True)
    ['over_representation']

    """
    return [method.name for method in SET_METHODS.values() if not (is_joint and method.is_ranked)]


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
