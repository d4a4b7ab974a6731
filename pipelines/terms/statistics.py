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

REPEATS = Words(
    'repeated measurements',
    [
        Described(
            name='halves', title='Halves of a run',
            about='first and second half of the volumes of a run, at the first visit: the error of one session, a lower '
            'bound on that of weeks',
        ),
        Described(
            name='runs', title='Runs of a session',
            about='runs of the first visit: the error of one session, a lower bound on that of weeks',
        ),
        Described(
            name='visits', title='Visits of the control arm',
            about='first and primary visit of the control arm: people do change, an upper bound on the error',
        ),
    ],
)  # fmt: skip
"""What the reliability of an outcome is taken from."""

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
