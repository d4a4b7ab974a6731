"""The group: outcome models, biomarkers, and voxel-wise tests of one kind of map."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.biomarkers import FitSamples
from ..interfaces.clusters import ListClusters
from ..interfaces.group_maps import StackMaps
from ..interfaces.imaging_outcomes import MeasureImaging
from ..interfaces.missing import ImputeOutcomes
from ..interfaces.over_maps import ListTests
from ..interfaces.trial import FitOutcomes
from ..interfaces.trial_figures import DrawOutcomes, DrawSamples, DrawTests
from ..interfaces.voxelwise import InferMaps
from ..params import GroupParams
from ..stats.biomarker_design import SamplesDesign
from ..stats.design import OutcomesDesign
from ..stats.map_tests import MapsDesign, MapTest

TEST_MAPS = ('statistic', 'tfce', 'log_p_max', 'log_p_max_tfce')
_PER_PERSON_GB = 0.002  # pages of the stacked maps that stay in memory


class KindOfMap(NamedTuple):
    """A kind of map that is tested voxel by voxel.

    Attributes
    ----------
    name
        Seed, or a measure such as ``icc``.
    people
        Maps of everyone, see :func:`~pipelines.interfaces.group_maps.stack_maps`.
    tests
        What is tested.

    """

    name: str
    people: Sequence[Mapping[str, object]]
    tests: tuple[MapTest, ...]


def init_outcomes_wf(
    *,
    scans: list[dict[str, Any]],
    tracts: list[dict[str, str]],
    design: OutcomesDesign,
    params: GroupParams,
    random_seed: int,
    name: str = 'outcomes_wf',
) -> LiterateWorkflow:
    """Collect imaging outcomes and fit every outcome of the trial.

    Parameters
    ----------
    scans, tracts
        Files of the participant level, see :func:`~pipelines.interfaces.imaging_outcomes.measure_imaging`.
    design
        Arms, outcomes and visits.
    params
        How often missing values are imputed.
    random_seed
        Of imputations.
    name
        Name of the workflow.

    Inputs
    ------
    tables, participants
        Clinical outcomes; arms and covariates.

    Outputs
    -------
    outcomes, descriptives, responders, levels, missing, tipping, values
        Tables; values of everybody at all visits, and of two arms before and after.
    trajectories, tipping_figure, forest
        Figures; of trajectories one per outcome, of tipping points one per primary outcome that is imputed.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe_outcomes(design, params)
    inputnode = pe.Node(IdentityInterface(fields=['tables', 'participants']), name='inputnode')
    fields = ['outcomes', 'descriptives', 'responders', 'levels', 'values']
    drawn, imputed = ['trajectories', 'forest'], ['missing', 'tipping', 'tipping_figure']
    outputnode = pe.Node(IdentityInterface(fields=[*fields, *drawn, *imputed]), name='outputnode')
    measure = pe.Node(MeasureImaging(scans=scans, tracts=tracts, outcomes=design.imaging), name='measure')
    fit = pe.Node(FitOutcomes(design=design), name='fit')
    draw = pe.Node(DrawOutcomes(design=design), name='draw')
    impute = pe.Node(
        ImputeOutcomes(design=design, n_imputations=params.n_imputations, random_seed=random_seed),
        name='impute',
    )
    workflow.connect([
        (inputnode, fit, [('tables', 'tables'), ('participants', 'participants')]),
        (measure, fit, [('imaging', 'imaging')]),
        (fit, outputnode, [(field, field) for field in fields]),
        (fit, draw, [('values', 'values'), ('outcomes', 'outcomes')]),
        (draw, outputnode, [(field, field) for field in drawn]),
        (inputnode, impute, [('participants', 'participants')]),
        (fit, impute, [('values', 'values')]),
        (impute, outputnode, [(field, field) for field in imputed]),
    ])  # fmt: skip
    return workflow


def _describe_outcomes(design: OutcomesDesign, params: GroupParams) -> str:
    kinds = {outcome.kind for outcome in design.outcomes}
    baseline = (
        'arms share the mean at baseline [@lu2010]' if design.is_randomised
        else 'arms were not allocated at random and have means of their own at baseline, so that changes are compared'
    )  # fmt: skip
    at_random = design.sites is not None and design.sites.use == 'random'
    sites = ' Sites have a random intercept, the same at all visits and in all arms.' if at_random else ''
    words = []
    if 'continuous' in kinds:
        words += [
            f'Continuous outcomes of all visits were fitted together by restricted maximum likelihood: {baseline}, '
            'covariates have a slope at each visit, people with one visit count, and the covariance of visits is '
            f'unstructured, one for each arm where every arm has enough people with the primary visit.{sites} Inference is by '
            'Kenward and Roger with the observed information [@kenward1997; @kenward1998]; where arms share one '
            'covariance, by a cluster-robust standard error (CR2) with Satterthwaite degrees of freedom '
            '[@pustejovsky2018]. ANCOVA with HC3 standard errors [@mackinnon1985], with and without a slope per arm, '
            'stands beside it. Effects are given in standard deviations as well [@hedges1981].'
        ]
    if kinds - {'continuous'}:
        words += [
            'Binary outcomes were compared by logistic regression (with the penalty of Firth where a cell is empty '
            '[@firth1993]), ordinal ones by proportional odds, counts by quasi-binomial or negative binomial regression, '
            'as ratios and as standardised differences, whose standard errors include the sampling of covariates '
            '[@ye2023].'
        ]
    if design.imputed:
        reference = ', by jump to reference and by copied increments [@carpenter2013]'
        words += [
            f'Beside the primary analysis missing values were imputed {params.n_imputations:,} times at random'
            f'{reference if design.is_randomised else ""}, and shifted until the effect was no longer told from none '
            '(tipping point).'
        ]
    words += [
        'Primary contrasts were tested in the order of the trial file.' if design.sequence
        else 'p values of several primary contrasts, and of the imaging outcomes, were adjusted by Holm [@aickin1996].'
    ]  # fmt: skip
    return ' '.join(words) + '\n\n'


def init_biomarkers_wf(*, designs: Sequence[SamplesDesign], name: str = 'biomarkers_wf') -> LiterateWorkflow:
    """Fit the contrasts of biomarkers.

    Parameters
    ----------
    designs
        Arms, unit and samples of each.
    name
        Name of the workflow.

    Inputs
    ------
    samples
        Samples of all of them with their limits of detection.

    Outputs
    -------
    biomarkers, biomarker_figure
        Table of contrasts, and the samples drawn, a figure for each biomarker.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = (
        f'The logarithm of {" and ".join(design.title for design in designs)} was fitted by a mixed model with a mean of '
        'each sample in each arm, random effects of the person and of the session within it, and samples beyond the '
        'limits of detection as censored observations, by maximum likelihood with adaptive Gauss-Hermite quadrature '
        '[@pinheiro1995].\n\n'
    )
    inputnode = pe.Node(IdentityInterface(fields=['samples']), name='inputnode')
    outputnode = pe.Node(IdentityInterface(fields=['biomarkers', 'biomarker_figure']), name='outputnode')
    fit = pe.Node(FitSamples(designs=list(designs)), name='fit')
    draw = pe.Node(DrawSamples(designs=list(designs)), name='draw')
    workflow.connect([
        (inputnode, fit, [('samples', 'samples')]),
        (inputnode, draw, [('samples', 'samples')]),
        (fit, outputnode, [('biomarkers', 'biomarkers')]),
        (draw, outputnode, [('biomarker_figure', 'biomarker_figure')]),
    ])  # fmt: skip
    return workflow


def init_voxelwise_wf(
    *,
    kinds: Sequence[KindOfMap],
    space: str,
    design: MapsDesign,
    params: GroupParams,
    random_seed: int,
    name: str = 'voxelwise_wf',
) -> LiterateWorkflow:
    """Test all kinds of maps voxel by voxel, each a part of the same steps.

    Parameters
    ----------
    kinds
        What is tested of whom.
    space
        Template of the maps.
    design
        Arms, covariates, blocks, and the outcome that maps are compared with.
    params
        Number of permutations, and whether small p values are counted.
    random_seed
        Of the permutations, which are the same for all kinds.
    name
        Name of the workflow.

    Inputs
    ------
    participants, values
        Arms and covariates; outcomes at all visits.

    Outputs
    -------
    n_map, mask, stack_facts
        Number of people per voxel, voxels that were tested, facts for sidecars; lists in the order of ``kinds``.
    statistic, tfce, log_p_max, log_p_max_tfce, facts
        Images and facts; of each kind a list in the order of its tests.
    test_figure, count_figure
        Figures, like ``statistic`` and like ``n_map``.
    map_tests, clusters
        Tables of all tests, and of their clusters.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe_maps(kinds, design, params)
    inputnode = pe.Node(IdentityInterface(fields=['participants', 'values']), name='inputnode')
    shown, tables = ['test_figure', 'count_figure', 'stack_facts', 'facts'], ['map_tests', 'clusters']
    fields = ['n_map', 'mask', *TEST_MAPS, *shown, *tables]
    outputnode = pe.Node(IdentityInterface(fields=fields), name='outputnode')
    stack = pe.MapNode(StackMaps(space=space), ['people'], name='stack', mem_gb=0.5 + _PER_PERSON_GB * 32)
    stack.inputs.people = [list(map(dict, kind.people)) for kind in kinds]
    asked = InferMaps(
        design=design,
        n_permutations=params.n_permutations,
        exact_tail=params.exact_tail,
        random_seed=random_seed,
    )
    test = pe.MapNode(
        asked, ['stack', 'mask', 'tests'], name='test',
        mem_gb=1.0 + _PER_PERSON_GB * max(len(kind.people) for kind in kinds),
    )  # fmt: skip
    test.inputs.tests = [list(kind.tests) for kind in kinds]
    drawn = ['kind', 'statistic', 'log_p_max_tfce', 'facts', 'n_map', 'stack_facts']
    draw = pe.MapNode(DrawTests(space=space), drawn, name='draw')
    draw.inputs.kind = [kind.name for kind in kinds]
    maps, names = [kind.name for kind in kinds], [[test.name for test in kind.tests] for kind in kinds]
    contrasts = [[test.contrast for test in kind.tests] for kind in kinds]
    clusters = pe.Node(ListClusters(maps=maps, contrasts=names, space=space), name='clusters')
    listed = pe.Node(ListTests(maps=maps, tests=names, contrasts=contrasts), name='list')
    workflow.connect([
        (inputnode, test, [('participants', 'participants'), ('values', 'values')]),
        (stack, test, [('stack', 'stack'), ('mask', 'mask')]),
        (stack, draw, [('n_map', 'n_map'), ('facts', 'stack_facts')]),
        (test, draw, [(field, field) for field in ('statistic', 'log_p_max_tfce', 'facts')]),
        (test, clusters, [('statistic', 'statistics'), ('log_p_max_tfce', 'log_p_max_tfce'), ('null', 'nulls')]),
        (test, listed, [('null', 'nulls'), ('facts', 'facts')]),
        (stack, outputnode, [('n_map', 'n_map'), ('mask', 'mask'), ('facts', 'stack_facts')]),
        (test, outputnode, [(field, field) for field in (*TEST_MAPS, 'facts')]),
        (draw, outputnode, [(field, field) for field in ('test_figure', 'count_figure')]),
        (clusters, outputnode, [('clusters', 'clusters')]),
        (listed, outputnode, [('map_tests', 'map_tests')]),
    ])  # fmt: skip
    return workflow


def _describe_maps(kinds: Sequence[KindOfMap], design: MapsDesign, params: GroupParams) -> str:
    asked = {test.term.asks for kind in kinds for test in kind.tests}
    words = [
        f'Maps were tested at every voxel that all people have by {params.n_permutations:,} permutations of '
        'residuals, or flips of signs for a mean [@winkler2014], two-sided.'
    ]
    if asked & {'arms', 'arm'}:
        words += [
            'Arms have variances of their own where they have enough people: t of Aspin and Welch'
            + (', F of Welch [@welch1951],' if 'arms' in asked else ',')
            + ' with residuals in units of the standard deviation of their arm while they are permuted; '
            + (
                'the map at the first visit is a covariate of each voxel.'
                if design.is_randomised
                else 'changes are compared without it.'
            )
        ]
    if design.blocks:
        words += [f'Permutations keep the blocks of {design.blocks}.']
    tail = (
        'p values are counted' if params.exact_tail
        else 'those below .10 are of a generalised Pareto distribution fitted to the largest values of the permutations '
        '[@knijnenburg2009; @winkler2016]'
    )  # fmt: skip
    words += [
        'p values are corrected for all voxels by the largest statistic and by exact threshold-free cluster enhancement '
        f'[@smith2009]; {tail}. All maps of a test go through the same permutations, and the smallest of their p values is '
        'corrected for their number as well.'
    ]
    return ' '.join(words) + '\n\n'
