"""One BOLD run from the scanner to template space, with fMRIPrep's confounds."""

from pathlib import Path
from typing import Any

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..acquisition import Echoes, Field
from ..interfaces.coregistration import Coregister
from ..interfaces.distortion_check import JudgeCorrection
from ..interfaces.echoes import CombineEchoes
from ..interfaces.functional import EstimateMotion, PrepareSeries, ShiftSlices
from ..interfaces.headers import open_series, series_gb
from ..interfaces.normalize import ResampleSeries
from ..interfaces.stages import FinishRun, PlaceReferences
from ..interfaces.susceptibility import EstimateDistortion, RegisterDistortion
from ..params import Ignorable
from ..terms import ESTIMATORS, NO_CORRECTION, PLAIN

ANATOMY_INPUTS = (
    't1w_preproc', 't1w_mask', 't1w_dseg', 't1w_probseg_gm', 't1w_probseg_wm', 't1w_probseg_csf', 'anat2std_xfm',
)  # fmt: skip
_INPUTS = (*ANATOMY_INPUTS, 'session_xfm')
_OUTPUTS = (
    *('bold_std', 'boldref_std', 'bold_mask_std', 'boldref', 'bold_mask', 'bold2anat_xfm'),
    *('confounds', 'confounds_metadata', 'metadata'),
)
JUDGED = ('boldref_raw',)
"""Outputs of a run whose distortion is corrected: its reference as acquired."""

_CHUNK = 40  # volumes per process
_T1W = 'registration to the T1w image along the phase-encoding axis, in part'


def init_functional_wf(
    *,
    bold: str,
    t_r: float,
    slice_timing: list[float] | None,
    slice_encoding_direction: str = 'k',
    distortion: Field | str = '',
    echoes: Echoes | None = None,
    ignore: tuple[Ignorable, ...] = (),
    dummy_scans: int | None = None,
    space: str,
    sloppy: bool = False,
    random_seed: int,
    name: str = 'functional_wf',
) -> LiterateWorkflow:
    """Preprocess one BOLD run.

    Parameters
    ----------
    bold
        4D NIfTI as acquired.
    t_r
        Repetition time, s.
    slice_timing
        Onset of every slice, s; none leaves slice timing as it is.
    slice_encoding_direction
        Axis of the slices, as BIDS writes it.
    distortion
        Images that show the distortion by susceptibility, or ``PhaseEncodingDirection`` of the run if it is to be found
        by registration to the T1w image; empty leaves it as it is.
    echoes
        Of the run, if it has several: ``bold`` is the first of them.
    ignore
        Steps that are left out.
    dummy_scans
        Leading volumes before the steady state; none: they are found.
    space
        Template.
    sloppy
        Coarse registrations, for tests.
    random_seed
        Of registrations, not 0.
    name
        Name of the workflow.

    Inputs
    ------
    t1w_preproc, t1w_mask, t1w_dseg, t1w_probseg_gm, t1w_probseg_wm, t1w_probseg_csf
        Anatomy on the T1w grid.
    anat2std_xfm
        Displacement field on the grid of the template.
    session_xfm
        Points of the anatomical reference to points of the T1w image of the run's session: where
        the coregistration starts, for both were acquired in one position of the head.

    Outputs
    -------
    bold_std
        Series on the template's 2 mm grid; the first volumes are included.
    boldref_std, bold_mask_std, boldref, bold_mask
        Reference and brain mask on both grids.
    bold2anat_xfm
        Points of the T1w image to points of the reference.
    confounds, confounds_metadata
        Table and JSON with fMRIPrep's names.
    metadata
        Facts for sidecars.
    boldref_raw
        Where distortion is corrected: the reference as acquired.

    """
    workflow = LiterateWorkflow(name=name)
    times = None if 'slicetiming' in ignore else slice_timing
    workflow.__desc__ = _describe(space, _text_of(distortion), corrected=times is not None) + (
        _ECHOES if echoes else ''
    )
    inputnode = pe.Node(IdentityInterface(fields=list(_INPUTS)), name='inputnode')
    outputs = [*_OUTPUTS, *(JUDGED if distortion else ())]
    outputnode = pe.Node(IdentityInterface(fields=outputs), name='outputnode')
    size = series_gb(Path(bold))
    nodes = _nodes(bold, t_r, space, size, sloppy=sloppy, random_seed=random_seed)
    if dummy_scans is not None:
        nodes['prepare'].inputs.dummy_scans = dummy_scans
    reference = nodes['prepare']
    if distortion:
        options = {'sloppy': sloppy, 'random_seed': random_seed}
        reference = _correct(workflow, nodes, distortion, inputnode, options)
        judge = pe.Node(JudgeCorrection(method=_distortion_of(distortion)), name='judge', mem_gb=1.0)
        _judge(workflow, nodes, (reference, judge), (inputnode, outputnode))
    workflow.connect([
        (inputnode, nodes['coregister'], [(f, f) for f in ('t1w_preproc', 't1w_dseg', 'session_xfm')]),
        (inputnode, nodes['references'], [(f, f) for f in _INPUTS if 'probseg' in f or 'std' in f]),
        (inputnode, nodes['resample'], [('anat2std_xfm', 'anat2std_xfm')]),
        (nodes['prepare'], nodes['motion'], [(f, f) for f in ('series', 'boldref', 'head_mask')]),
        (reference, nodes['coregister'], [('boldref', 'boldref')]),
        (reference, nodes['references'], [('boldref', 'boldref')]),
        (nodes['prepare'], nodes['confounds'], [('n_dummy', 'n_dummy')]),
        (nodes['motion'], nodes['resample'], [('motion', 'motion')]),
        (nodes['motion'], nodes['confounds'], [('motion', 'motion')]),
        (nodes['coregister'], nodes['resample'], [('bold2anat_xfm', 'bold2anat_xfm')]),
        (nodes['coregister'], nodes['references'], [(f, f) for f in ('bold2anat_xfm', 'bold_mask')]),
        (nodes['coregister'], nodes['confounds'], [('coregistration', 'coregistration')]),
        (nodes['resample'], nodes['confounds'], [(f, f) for f in ('bold_std', 'bold_native')]),
        (nodes['references'], nodes['confounds'], [(f, f) for f in ('masks', 'noise_voxels')]),
        (reference, outputnode, [('boldref', 'boldref')]),
        (nodes['coregister'], outputnode, [(f, f) for f in ('bold_mask', 'bold2anat_xfm')]),
        (nodes['references'], outputnode, [(f, f) for f in ('boldref_std', 'bold_mask_std')]),
        (nodes['confounds'], outputnode,
         [(f, f) for f in ('bold_std', 'confounds', 'confounds_metadata', 'metadata')]),
    ])  # fmt: skip
    source = _combine(workflow, nodes, echoes, size) if echoes else nodes['prepare']
    if times is None:
        workflow.connect(source, 'series', nodes['resample'], 'series')
        return workflow
    shift = pe.Node(
        ShiftSlices(
            bold=bold, t_r=t_r, slice_timing=times, slice_encoding_direction=slice_encoding_direction
        ),
        name='shift',
        mem_gb=0.3 + 2 * size,
    )
    workflow.connect([
        (source, shift, [('series', 'series')]),
        (nodes['prepare'], shift, [('n_dummy', 'n_dummy')]),
        (shift, nodes['resample'], [('series', 'series')]),
        (shift, nodes['confounds'], [('metadata', 'timing')]),
    ])  # fmt: skip
    return workflow


def _nodes(
    bold: str, t_r: float, space: str, size: float, *, sloppy: bool, random_seed: int
) -> dict[str, Any]:
    """Make the nodes that every run has; ``size`` is that of the series in GB."""
    first = list(range(0, open_series(Path(bold)).shape[3], _CHUNK))
    last = [*first[1:], open_series(Path(bold)).shape[3]]
    chunks = ['first', 'last']
    nodes = {
        'prepare': pe.Node(PrepareSeries(bold=bold, t_r=t_r), name='prepare', mem_gb=0.5),
        'motion': pe.MapNode(EstimateMotion(sloppy=sloppy), chunks, name='motion', mem_gb=0.4),
        'coregister': pe.Node(
            Coregister(random_seed=random_seed, sloppy=sloppy), name='coregister', mem_gb=2.0
        ),
        'resample': pe.MapNode(ResampleSeries(space=space), [*chunks, 'motion'], name='resample', mem_gb=0.8),
        'references': pe.Node(PlaceReferences(space=space), name='references', mem_gb=1.5),
        'confounds': pe.Node(FinishRun(t_r=t_r), name='confounds', mem_gb=0.4 + 3 * size),
    }
    for chunked in ('motion', 'resample'):
        nodes[chunked].inputs.first, nodes[chunked].inputs.last = first, last
    return nodes


def _combine(workflow: LiterateWorkflow, nodes: dict[str, Any], echoes: Echoes, size: float) -> pe.Node:
    """Add the node that combines the echoes once the motion of the first is known."""
    combined = CombineEchoes(echoes=echoes.paths, echo_times=echoes.times)
    combine = pe.Node(combined, name='combine_echoes', mem_gb=0.5 + 2 * size)
    workflow.connect([
        (nodes['prepare'], combine, [(f, f) for f in ('head_mask', 'n_dummy')]),
        (nodes['motion'], combine, [('motion', 'motion')]),
        (combine, nodes['confounds'], [('decay', 'echoes')]),
    ])  # fmt: skip
    return combine


def _distortion_of(given: Field | str) -> str:
    """Return what sidecars say of the correction."""
    if isinstance(given, str):
        return _T1W if given else NO_CORRECTION
    return ESTIMATORS[given.source.kind].title


def _text_of(given: Field | str) -> str:
    """Return the sentence of the methods on the correction."""
    if isinstance(given, str):
        return _REGISTERED if given else _NO_TEXT
    return ESTIMATORS[given.source.kind].text + PLAIN


def _correct(
    workflow: LiterateWorkflow,
    nodes: dict[str, Any],
    source: Field | str,
    inputnode: pe.Node,
    options: dict[str, Any],
) -> pe.Node:
    """Add the node that estimates the distortion; its reference replaces that of the run."""
    if not isinstance(source, str):
        distortion = pe.Node(EstimateDistortion(**source._asdict(), **options), name='distortion', mem_gb=1.5)
    else:
        registered = RegisterDistortion(phase_encoding=source, **options)
        distortion = pe.Node(registered, name='distortion', mem_gb=2.0)
        anatomy = ('t1w_preproc', 't1w_mask', 'session_xfm')
        workflow.connect([(inputnode, distortion, [(f, f) for f in anatomy])])
    workflow.connect(nodes['prepare'], 'boldref', distortion, 'boldref')
    workflow.connect(distortion, 'displacement', nodes['resample'], 'displacement')
    return distortion


def _judge(
    workflow: LiterateWorkflow,
    nodes: dict[str, Any],
    added: tuple[pe.Node, pe.Node],
    ends: tuple[pe.Node, pe.Node],
) -> None:
    """Connect the node that holds the correction against the T1w image; ``ends`` are those of the workflow."""
    (distortion, judge), (inputnode, outputnode) = added, ends
    workflow.connect([
        (nodes['prepare'], judge, [('boldref', 'epi')]),
        (distortion, judge, [(('displacement', in_list), 'displacements')]),
        (inputnode, judge, [('t1w_preproc', 't1w_preproc'), ('t1w_mask', 't1w_mask')]),
        (nodes['coregister'], judge, [('bold2anat_xfm', 't1w2epi_xfm')]),
        (judge, nodes['confounds'], [('correction', 'distortion')]),
        (nodes['prepare'], outputnode, [('boldref', 'boldref_raw')]),
    ])  # fmt: skip


def in_list(item: str) -> list[str]:
    """Return a list of one."""
    return [item]


_REGISTERED = (
    'Distortion by magnetic susceptibility was estimated by registration to the T1w image along the '
    'phase-encoding axis with a stiff penalty, which corrects it in part, and taken back without '
    'modulation of the intensities. '
)
_ECHOES = (
    ' Echoes were combined by weights TE exp(-TE / T2*) [@posse1999] with the T2* of every voxel of the head, fitted to means '
    'of realigned volumes; motion was estimated on the first echo.'
)
_NO_TEXT = 'No correction for susceptibility distortion was applied. '


def _describe(space: str, distortion: str, *, corrected: bool) -> str:
    timing = (
        'All slices were shifted in time to the middle of the acquisition of a volume by spline '
        'interpolation [@sladky2011]. '
        if corrected
        else ''
    )
    steps = 'motion, coregistration' if distortion == _NO_TEXT else 'motion, distortion, coregistration'
    return f"""\
Leading volumes before the steady state were found by their global signal. A reference volume was averaged \
from realigned volumes of the run. Head motion was estimated by rigid Gauss-Newton realignment to the \
reference with the inverse compositional update [@baker2004]. {timing}The reference was registered to the \
T1w image with ITK (six degrees of freedom, mutual information) [@avants2014], and from there to the border between \
white and grey matter [@greve2009]. {distortion}\
The series was resampled to {space} at 2 mm in one interpolation (cubic B-spline) of {steps} and normalisation. Confounds under the names of *fMRIPrep* [@esteban2019] \
were computed on the realigned series: framewise displacement [@power2012], DVARS [@nichols2013], mean \
signals of white matter, cerebrospinal fluid and brain, aCompCor components that explain 50 % of the variance \
of noise tissue after a 128 s high-pass [@behzadi2007], their cosines, and derivatives and squares \
[@satterthwaite2013]."""
