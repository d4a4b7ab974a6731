"""Voxel-wise tests of maps."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.clusters import ListClusters, MapPlace
from ..interfaces.group_maps import StackMaps
from ..interfaces.over_maps import ListTests
from ..interfaces.trial_figures import DrawTests
from ..interfaces.voxelwise import InferMaps
from ..params import GroupParams
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


def init_voxelwise_wf(
    *,
    kinds: Sequence[KindOfMap],
    place: MapPlace,
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
    place
        Template of the maps, and the atlas that clusters are named by.
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
    stack = pe.MapNode(
        StackMaps(space=place.space), ['people'], name='stack', mem_gb=0.5 + _PER_PERSON_GB * 32
    )
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
    draw = pe.MapNode(DrawTests(space=place.space), drawn, name='draw')
    draw.inputs.kind = [kind.name for kind in kinds]
    maps, names = [kind.name for kind in kinds], [[test.name for test in kind.tests] for kind in kinds]
    contrasts = [[test.contrast for test in kind.tests] for kind in kinds]
    clusters = pe.Node(ListClusters(maps=maps, contrasts=names, place=place), name='clusters')
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
