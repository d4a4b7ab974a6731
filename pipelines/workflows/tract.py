"""The tracts of one person, tracked in the sessions together, measured in each."""

from dataclasses import replace

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.choices import needs_freesurfer, source_files, with_full_paths
from ..interfaces.dwi_space import NormalizeAnisotropy
from ..interfaces.gather import Gather
from ..interfaces.tract import FitOrientations, TrackTract
from ..interfaces.tract_domain import MapDomain
from ..interfaces.tract_values import MeasureTract
from ..params import CircuitTracts, TractParams
from ..terms import Circuit
from .diffusion import SESSION_MAPS

SESSION = tuple(field for field in SESSION_MAPS if field != 'dwiref')
"""What the tract needs of every session."""

_JOINED = {'maps': ('fa', 'md', 'ad', 'rd'), 'scans': ('dwi', 'gradients')}
TISSUE = ('probseg_gm', 'probseg_wm', 'probseg_csf')
_OUTPUTS = (
    *('streamlines', 'tck', 'probsegs', 'scalarstats', 'profile', 'threshold', 'metadata'),
    *('regions_dseg', 'regions_table', 'fa_std'),
)


def init_tract_wf(
    *,
    params: TractParams,
    circuit: Circuit,
    space: str,
    sessions: list[str],
    has_t1w: bool,
    has_tissue: bool,
    sloppy: bool = False,
    random_seed: int,
    name: str = 'tract_wf',
) -> LiterateWorkflow:
    """Find the tracts and measure the maps of every session along them.

    Parameters
    ----------
    params
        Tracking.
    circuit
        Its pairs are joined.
    space
        Template of the regions.
    sessions
        Labels of the sessions, ``n/a`` for none; each has an inputnode ``session_<n>``.
    has_t1w
        Normalisation is that of a T1w image; else of the anisotropy.
    has_tissue
        Tissue is that of a segmentation; else told by the anisotropy.
    sloppy
        Coarse and few streamlines, for tests.
    random_seed
        Of seeds and registrations, not 0.
    name
        Name of the workflow.

    Inputs
    ------
    person_mask
        Brain on the person's grid.
    std2anat_xfm, probseg_gm, probseg_wm, probseg_csf
        Points of the person to points of the template, and tissue; if there are.
    labels
        Only for the region ``freesurfer``: its labels in the person's space.

    Outputs
    -------
    streamlines, tck, probsegs
        Of every tract.
    scalarstats, profile, threshold
        Tables of every pair.
    regions_dseg, regions_table
        Regions on the person's grid.
    fa_std
        Without T1w: anisotropy on the template's grid.
    metadata
        Facts for sidecars, of every pair.

    """
    workflow = LiterateWorkflow(name=name)
    if sloppy:
        params = replace(
            params, n_streamlines=min(params.n_streamlines, 100), max_seeds=min(params.max_seeds, 400_000)
        )
    workflow.__desc__ = _describe(params, circuit, has_tissue, len(sessions))
    labels = ('labels',) if needs_freesurfer(circuit) else ()
    anatomy = [*(['std2anat_xfm'] if has_t1w else []), *(TISSUE if has_tissue else []), *labels]
    inputnode = pe.Node(IdentityInterface(fields=['person_mask', *anatomy]), name='inputnode')
    outputnode = pe.Node(IdentityInterface(fields=list(_OUTPUTS)), name='outputnode')
    gather = pe.Node(Gather(SESSION[:-1], SESSION[-1:], len(sessions), _JOINED), name='sessions')
    for number in range(len(sessions)):
        session = pe.Node(IdentityInterface(fields=list(SESSION)), name=f'session_{number}')
        workflow.connect([(session, gather, [(field, f'{field}_{number}') for field in SESSION])])
    nodes = _nodes(params, with_full_paths(circuit), space, sessions, random_seed)
    source = inputnode
    if not has_t1w:
        source = pe.Node(
            NormalizeAnisotropy(space=space, random_seed=random_seed, sloppy=sloppy),
            name='normalize',
            mem_gb=1.5,
        )
        workflow.connect([
            (inputnode, source, [('person_mask', 'person_mask')]),
            (gather, source, [('fa', 'fas')]),
            (source, outputnode, [('fa_std', 'fa_std')]),
            (source, nodes['domain'], [('normalization', 'normalization')]),
        ])  # fmt: skip
    else:
        nodes['domain'].inputs.normalization = {'Normalization': 'T1w image', 'Template': space, 'Flags': []}
    if has_tissue:
        workflow.connect([(inputnode, nodes['domain'], [(f, f) for f in TISSUE])])
    workflow.connect([(inputnode, nodes['domain'], [(f, f) for f in labels])] if labels else [])
    oriented = ('dwi', 'gradients', 'dwi_mask', 'fa', 'md', 'evec')
    workflow.connect([
        (source, nodes['domain'], [('std2anat_xfm', 'std2anat_xfm')]),
        (inputnode, nodes['domain'], [('person_mask', 'person_mask')]),
        (gather, nodes['domain'], [(f, f'{f}s') for f in ('fa', 'dwi_mask')]),
        (gather, nodes['orient'], [(f, f) for f in oriented]),
        (gather, nodes['measure'], [(f, f) for f in _JOINED]),
        *((nodes['domain'], nodes[n], [('domain', 'domain')]) for n in ('orient', 'track', 'measure')),
        (nodes['orient'], nodes['track'], [('fod', 'fods')]),
        (nodes['track'], nodes['measure'], [(f, f) for f in ('streamlines', 'counts')]),
        (gather, nodes['measure'], [('metadata', 'session_facts')]),
        (nodes['orient'], nodes['measure'], [('facts', 'fod_facts')]),
        (nodes['domain'], nodes['measure'], [('facts', 'domain_facts')]),
        (nodes['domain'], outputnode, [(f, f) for f in ('regions_dseg', 'regions_table')]),
        (nodes['measure'], outputnode, [(f, f) for f in _OUTPUTS[:7]]),
    ])  # fmt: skip
    return workflow


_FEW = 100
"""Streamlines of a direction that are found in a moment."""


def _nodes(
    params: TractParams, circuit: Circuit, space: str, sessions: list[str], random_seed: int
) -> dict[str, pe.Node]:
    wanted = CircuitTracts(circuit=circuit, n_streamlines=params.n_streamlines)
    track = pe.MapNode(
        TrackTract(
            n_streamlines=params.n_streamlines,
            max_seeds=params.max_seeds,
            step_size=params.step_size,
            max_angle=params.max_angle,
            max_length=params.max_length,
            random_seed=random_seed,
            circuit=circuit,
        ),
        ['part'],
        name='track',
        mem_gb=1.5,
    )
    track.interface.is_brief = params.n_streamlines <= _FEW
    track.inputs.part = list(range(2 * len(circuit.bundles)))
    orient = pe.MapNode(
        FitOrientations(),
        ['dwi', 'gradients', 'dwi_mask', 'fa', 'md', 'evec'],
        name='orient',
        mem_gb=2.0,
    )
    orient.interface.is_short = True
    files = [str(path) for path in source_files(circuit)]
    return {
        'domain': pe.Node(MapDomain(circuit=circuit, files=files), name='domain', mem_gb=2.0),
        'orient': orient,
        'track': track,
        'measure': pe.Node(
            MeasureTract(wanted=wanted, sessions=sessions),
            name='measure',
            mem_gb=1.0,
        ),
    }


def _describe(params: TractParams, circuit: Circuit, has_tissue: bool, n_sessions: int) -> str:
    tissue = (
        'ended in grey matter, and were rejected in fluid [@smith2012]'
        if has_tissue
        else 'ended where the anisotropy is below 0.15'
    )
    together = ' of the mean over the sessions, one tract per person,' if n_sessions > 1 else ''
    return f"""\
Fibre orientation distributions{together} were found by constrained spherical deconvolution \
[@tournier2007], of several tissues where there are several shells [@jeurissen2014], with the response \
measured in the most anisotropic white matter. Probabilistic streamlines of DIPY (step {params.step_size:g} mm, \
angle {params.max_angle:g} degrees, length up to {params.max_length:g} mm) {tissue}. They were started in \
{_ends(circuit)} until {params.n_streamlines:,} per \
direction had reached the other region or {params.max_seeds:,} seeds were spent; outliers beyond five standard \
deviations of the core, or four of length, were removed in up to five rounds [@yeatman2012]. The tract's fractional \
anisotropy is the mean over white-matter voxels outside the regions, weighted by the share of streamlines that \
visit each, mean of both directions; profiles have 100 nodes. Where two shells up to b = 1,500 s/mm^2 allow it, the \
anisotropy of the tissue beside free water [@pasternak2009] was weighted in the same way."""


def _ends(circuit: Circuit) -> str:
    """Return in words where streamlines were started."""
    titles = {own.name: own.title for own in circuit.structures}
    pairs = [f'the {titles[pair.first]} and in the {titles[pair.second]}' for pair in circuit.pairs]
    across = ', and across the midline' if any(own.hemisphere == 'C' for own in circuit.bundles) else ''
    return f'{"; in ".join(pairs)} of each hemisphere{across}'
