"""The group: outcome models, BDNF, and voxel-wise tests of one kind of map."""

from collections.abc import Mapping
from typing import Any

from nipype.interfaces.utility import IdentityInterface, Merge
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.clusters import ListClusters
from ..interfaces.group_maps import StackMaps
from ..interfaces.imaging_outcomes import MeasureImaging
from ..interfaces.trial import FitOutcomes, FitSamples
from ..interfaces.trial_figures import DrawCount, DrawOutcomes, DrawSamples, DrawTest
from ..interfaces.voxelwise import InferMaps
from ..params import GroupParams

TEST_MAPS = ('statistic', 'tfce', 'log_p_max_t', 'log_p_max_tfce')
_PER_PERSON_GB = 0.002  # pages of the stacked maps that stay in memory


def init_outcomes_wf(
    *,
    scans: list[dict[str, Any]],
    tracts: list[dict[str, str]],
    design: dict[str, Any],
    name: str = 'outcomes_wf',
) -> LiterateWorkflow:
    """Collect imaging outcomes and fit every outcome of the trial.

    Parameters
    ----------
    scans, tracts
        Files of the participant level, see :func:`~pipelines.interfaces.imaging_outcomes.measure_imaging`.
    design
        ``treatment``, ``outcomes`` for the models, ``imaging`` for what is read from derivatives and
        ``figures`` for :func:`~pipelines.interfaces.trial_figures.draw_outcomes`.
    name
        Name of the workflow.

    Inputs
    ------
    tables, participants
        Clinical outcomes; arms and covariates.

    Outputs
    -------
    outcomes, descriptives, responders, values
        Tables.
    trajectories, forest
        Figures; of trajectories one per outcome.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = (
        'Outcomes were compared between arms at follow-up by constrained longitudinal analysis '
        '[@lu2010] with an unstructured covariance by restricted maximum likelihood: arms share the mean '
        'at baseline, and people with one visit count. ANCOVA with HC3 standard errors [@mackinnon1985], '
        'with and without a slope per arm, stands beside it. Effects are given in baseline standard deviations '
        'as well [@hedges1981]; p values of the imaging outcomes were adjusted by Holm [@aickin1996].\n\n'
    )
    inputnode = pe.Node(IdentityInterface(fields=['tables', 'participants']), name='inputnode')
    fields = ['outcomes', 'descriptives', 'responders', 'values']
    drawn = ['trajectories', 'forest']
    outputnode = pe.Node(IdentityInterface(fields=[*fields, *drawn]), name='outputnode')
    measure = pe.Node(MeasureImaging(scans=scans, tracts=tracts, outcomes=design['imaging']), name='measure')
    models = {'treatment': design['treatment'], 'outcomes': design['outcomes']}
    fit = pe.Node(FitOutcomes(design=models), name='fit')
    draw = pe.Node(DrawOutcomes(design=design['figures']), name='draw')
    workflow.connect([
        (inputnode, fit, [('tables', 'tables'), ('participants', 'participants')]),
        (measure, fit, [('imaging', 'imaging')]),
        (fit, outputnode, [(field, field) for field in fields]),
        (fit, draw, [('values', 'values'), ('outcomes', 'outcomes')]),
        (draw, outputnode, [(field, field) for field in drawn]),
    ])  # fmt: skip
    return workflow


def init_bdnf_wf(*, design: dict[str, Any], name: str = 'bdnf_wf') -> LiterateWorkflow:
    """Fit the responses of BDNF to exercise.

    Parameters
    ----------
    design
        See :func:`~pipelines.interfaces.trial.fit_samples`; ``units`` and ``labels`` for
        :func:`~pipelines.interfaces.trial_figures.draw_samples`.
    name
        Name of the workflow.

    Inputs
    ------
    samples
        Blood samples with their limits of detection.

    Outputs
    -------
    bdnf, bdnf_figure
        Table of contrasts, and the samples drawn.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = (
        'The logarithm of BDNF was fitted by a mixed model with session, time and their interaction in each arm, '
        'random effects of the person and of the session within it, and samples beyond the limits of detection as '
        'censored observations, by maximum likelihood with adaptive Gauss-Hermite quadrature [@pinheiro1995].\n\n'
    )
    inputnode = pe.Node(IdentityInterface(fields=['samples']), name='inputnode')
    outputnode = pe.Node(IdentityInterface(fields=['bdnf', 'bdnf_figure']), name='outputnode')
    fit = pe.Node(
        FitSamples(design={key: design[key] for key in ('treatment', 'control', 'samples')}), name='fit'
    )
    drawn = {key: design[key] for key in ('treatment', 'control', 'units', 'labels')}
    draw = pe.Node(DrawSamples(design=drawn), name='draw')
    workflow.connect([
        (inputnode, fit, [('samples', 'samples')]),
        (inputnode, draw, [('samples', 'samples')]),
        (fit, outputnode, [('bdnf', 'bdnf')]),
        (draw, outputnode, [('figure', 'bdnf_figure')]),
    ])  # fmt: skip
    return workflow


def init_voxelwise_wf(
    *,
    people: list[dict[str, Any]],
    kind: str,
    space: str,
    contrasts: tuple[str, ...],
    treatment: str,
    primary: str,
    params: GroupParams,
    random_seed: int,
    name: str = 'voxelwise_wf',
) -> LiterateWorkflow:
    """Test one kind of map voxel by voxel.

    Parameters
    ----------
    people
        Maps of everyone, see :func:`~pipelines.interfaces.group_maps.stack_maps`.
    kind, space
        Seed or ``icc``, and the template of the maps.
    contrasts
        Of :data:`~pipelines.terms.MAP_CONTRASTS`.
    treatment, primary
        Names of the treated arm and of the outcome that maps are compared with.
    params
        Number of permutations.
    random_seed
        Of the permutations.
    name
        Name of the workflow.

    Inputs
    ------
    participants, values
        Arms and covariates; outcomes.

    Outputs
    -------
    n_map, mask
        Number of people per voxel; voxels that were tested.
    statistic, tfce, log_p_max_t, log_p_max_tfce
        Images, a list in the order of ``contrasts``.
    test_figure, count_figure
        Figures, the first a list like the images.
    stack_facts, facts
        For sidecars; ``facts`` a list like the images.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = (
        f'Maps were tested at every voxel that all people have by {params.n_permutations:,} permutations of '
        'residuals, or flips of signs for a mean [@winkler2014], two-sided, and corrected for all voxels by the '
        'largest t and by exact threshold-free cluster enhancement [@smith2009].\n\n'
    )
    inputnode = pe.Node(IdentityInterface(fields=['participants', 'values']), name='inputnode')
    fields = ['n_map', 'mask', *TEST_MAPS, 'test_figure', 'count_figure', 'stack_facts', 'facts']
    outputnode = pe.Node(IdentityInterface(fields=fields), name='outputnode')
    stack = pe.Node(StackMaps(people=people, space=space), name='stack', mem_gb=0.5 + _PER_PERSON_GB * 32)
    test = pe.MapNode(
        InferMaps(
            treatment=treatment,
            primary=primary,
            n_permutations=params.n_permutations,
            random_seed=random_seed,
        ),
        iterfield=['contrast'],
        name='test',
        mem_gb=1.0 + _PER_PERSON_GB * len(people),
    )
    test.inputs.contrast = list(contrasts)
    draw = pe.MapNode(
        DrawTest(kind=kind, space=space), iterfield=['statistic', 'log_p_max_tfce', 'facts'], name='draw_test'
    )
    count = pe.Node(DrawCount(kind=kind, space=space), name='draw_count')
    workflow.connect([
        (inputnode, test, [('participants', 'participants'), ('values', 'values')]),
        (stack, test, [('stack', 'stack'), ('mask', 'mask')]),
        (stack, outputnode, [('n_map', 'n_map'), ('mask', 'mask'), ('facts', 'stack_facts')]),
        (test, outputnode, [(field, field) for field in (*TEST_MAPS, 'facts')]),
        (test, draw, [(field, field) for field in ('statistic', 'log_p_max_tfce', 'facts')]),
        (draw, outputnode, [('figure', 'test_figure')]),
        (stack, count, [('n_map', 'n_map'), ('facts', 'facts')]),
        (count, outputnode, [('figure', 'count_figure')]),
    ])  # fmt: skip
    return workflow


def init_clusters_wf(
    *, contrasts: Mapping[str, tuple[str, ...]], space: str, name: str = 'clusters_wf'
) -> LiterateWorkflow:
    """List the clusters of all tests in one table.

    Parameters
    ----------
    contrasts
        What was tested of each kind of map.
    space
        Template of the maps.
    name
        Name of the workflow.

    Inputs
    ------
    statistic_<kind>, log_p_max_tfce_<kind>
        Images of each kind in the order of ``contrasts``.

    Outputs
    -------
    clusters
        Table.

    """
    workflow = LiterateWorkflow(name=name)
    kinds = tuple(contrasts)
    given = [f'{field}_{kind}' for field in ('statistic', 'log_p_max_tfce') for kind in kinds]
    inputnode = pe.Node(IdentityInterface(fields=given), name='inputnode')
    outputnode = pe.Node(IdentityInterface(fields=['clusters']), name='outputnode')
    clusters = pe.Node(
        ListClusters(
            maps=[kind for kind, own in contrasts.items() for _ in own],
            contrasts=[contrast for own in contrasts.values() for contrast in own],
            space=space,
        ),
        name='list_clusters',
    )
    for field, target in (('statistic', 'statistics'), ('log_p_max_tfce', 'log_p_max_tfce')):
        merge = pe.Node(Merge(len(kinds)), name=f'merge_{field}')
        workflow.connect(
            [
                (inputnode, merge, [(f'{field}_{kind}', f'in{i}') for i, kind in enumerate(kinds, 1)]),
                (merge, clusters, [('out', target)]),
            ]
        )
    workflow.connect([(clusters, outputnode, [('clusters', 'clusters')])])
    return workflow
