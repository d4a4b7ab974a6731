"""Diffusion of one session: scans as acquired, or as QSIPrep made them, to maps in the person's space."""

from pathlib import Path

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.distortion_check import JudgeCorrection
from ..interfaces.dwi_distortion import CoregisterScans
from ..interfaces.dwi_stages import MapPreprocessed, MapSession
from ..interfaces.headers import SMALL_GB, series_gb
from .dwi_scans import SCANS, ScanFiles

SESSION_MAPS = ('dwi', 'gradients', 'dwiref', 'dwi_mask', 'fa', 'md', 'ad', 'rd', 'evec', 'metadata')
"""What every session gives, in the person's space."""

_GAIN = (
    'Scans of a session were brought to the intensity of the first by the median ratio of their b = 0 images in the '
    'brain where it differed by more than 2 %. '
)


def init_dwi_session_wf(
    *,
    scans: list[ScanFiles],
    use_syn_sdc: bool = False,
    has_t1w: bool,
    sloppy: bool = False,
    random_seed: int,
    name: str = 'dwi_session_wf',
) -> LiterateWorkflow:
    """Bring the prepared scans of a session to the person's grid and fit a tensor.

    Parameters
    ----------
    scans
        Of one session.
    use_syn_sdc
        With T1w: undistort by registration to it where there is no pair.
    has_t1w
        The person's space is that of a T1w image, which the reference is registered to here.
    sloppy
        Coarse, for tests.
    random_seed
        Of registrations, not 0.
    name
        Name of the workflow.

    Inputs
    ------
    series, gradients, motion, scan_xfms, displacements, correction
        Of :func:`~pipelines.workflows.dwi_scans.init_dwi_scans_wf`.
    person_mask
        Brain on the person's grid.
    reference, t1w_preproc, t1w_mask, session_xfm, b0s
        With T1w: b = 0 image, anatomy, points of the anatomy to those of the session's T1w image,
        and b = 0 images of the scans as acquired.
    person2dwi_xfm
        Without: points of the person to points of the session's reference.

    Outputs
    -------
    dwi, gradients, dwiref, dwi_mask
        Series on the person's grid, its table, mean b = 0 image, brain.
    fa, md, ad, rd, evec
        Of the tensor.
    confounds, person2dwi_xfm, metadata
        Motion, coregistration, facts for sidecars.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe_session(has_t1w, len(scans))
    anatomy = ('reference', 't1w_preproc', 't1w_mask', 'session_xfm') if has_t1w else ('person2dwi_xfm',)
    raw = ('b0s',) if has_t1w else ()
    inputnode = pe.Node(IdentityInterface(fields=[*SCANS, 'person_mask', *anatomy, *raw]), name='inputnode')
    outputs = [*SESSION_MAPS, 'confounds', 'person2dwi_xfm']
    outputnode = pe.Node(IdentityInterface(fields=outputs), name='outputnode')
    size = sum(series_gb(Path(scan.dwi)) for scan in scans)
    maps = pe.Node(MapSession(), name='maps', mem_gb=max(2.0, 0.5 + 4 * size))
    maps.interface.is_brief = size < SMALL_GB
    direct = [f for f in SCANS if f not in ('displacements', 'correction')]
    workflow.connect([(inputnode, maps, [(f, f) for f in (*direct, 'person_mask')])])
    source = inputnode
    if has_t1w:
        source = pe.Node(
            CoregisterScans(
                directions=[scan.direction for scan in scans],
                readout_times=[scan.readout_time for scan in scans],
                use_syn=use_syn_sdc,
                random_seed=random_seed,
                sloppy=sloppy,
            ),
            name='coregister',
            mem_gb=2.0,
        )
        workflow.connect([(inputnode, source, [(f, f) for f in (*anatomy, 'displacements', 'correction')])])
        _judge(workflow, inputnode, source, maps)
    else:
        workflow.connect([(inputnode, maps, [(('correction', unjudged), 'correction')])])
    workflow.connect([
        (source, maps, [(f, f) for f in ('person2dwi_xfm', 'displacements')]),
        (source, outputnode, [('person2dwi_xfm', 'person2dwi_xfm')]),
        (maps, outputnode, [(f, f) for f in (*SESSION_MAPS, 'confounds')]),
    ])  # fmt: skip
    return workflow


def _judge(workflow: LiterateWorkflow, inputnode: pe.Node, coregister: pe.Node, maps: pe.Node) -> None:
    """Add the node that holds the correction of distortion against the T1w image."""
    judge = pe.Node(JudgeCorrection(), name='judge', mem_gb=1.0)
    workflow.connect([
        (inputnode, judge, [(('b0s', first_of), 'epi'), ('t1w_preproc', 't1w_preproc'), ('t1w_mask', 't1w_mask')]),
        (coregister, judge, [
            ('displacements', 'displacements'), ('person2dwi_xfm', 't1w2epi_xfm'), ('correction', 'method'),
        ]),
        (judge, maps, [('correction', 'correction')]),
    ])  # fmt: skip


def first_of(items: list[str]) -> str:
    """Return the first of a list."""
    return items[0]


def unjudged(method: str) -> object:
    """Return a correction that no T1w image judges."""
    from pipelines.numerics.agreement import Correction  # a connection carries its source alone

    return Correction(method)


def init_dwi_preprocessed_wf(
    *, dwi: str, bval: str, bvec: str, dwi_mask: str, grid_mask: str, name: str = 'dwi_preprocessed_wf'
) -> LiterateWorkflow:
    """Read one session that QSIPrep preprocessed and fit a tensor.

    Parameters
    ----------
    dwi, bval, bvec, dwi_mask
        Series, table and brain.
    grid_mask
        Brain mask of the first session, whose grid with axes along RAS is that of the person; empty where
        the sessions have anatomies of their own.
    name
        Name of the workflow.

    Inputs
    ------
    person_mask, person2session_xfm
        Without ``grid_mask``: brain on the person's grid, points of the person to points of the session.

    Outputs
    -------
    person_mask
        Brain on the person's grid.
    dwi, gradients, dwiref, dwi_mask, fa, md, ad, rd, evec, metadata
        As those of :func:`init_dwi_session_wf`.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = (
        'Diffusion series were taken as *QSIPrep* had preprocessed them [@cieslak2021]. ' + _describe_tensor()
    )
    outputs = ['person_mask', *SESSION_MAPS]
    outputnode = pe.Node(IdentityInterface(fields=outputs), name='outputnode')
    given = {'dwi': dwi, 'bval': bval, 'bvec': bvec, 'dwi_mask': dwi_mask}
    size = series_gb(Path(dwi))
    maps = pe.Node(MapPreprocessed(**given), name='maps', mem_gb=max(2.0, 0.5 + 4 * size))
    maps.interface.is_brief = size < SMALL_GB
    if grid_mask:
        maps.inputs.grid_mask = grid_mask
    else:
        inputnode = pe.Node(IdentityInterface(fields=['person_mask', 'person2session_xfm']), name='inputnode')
        placed = [('person_mask', 'grid_mask'), ('person2session_xfm', 'person2session_xfm')]
        workflow.connect([(inputnode, maps, placed)])
    workflow.connect([(maps, outputnode, [(f, f) for f in outputs])])
    return workflow


def _describe_session(has_t1w: bool, n_scans: int) -> str:
    place = (
        'The b = 0 reference was registered to the T1w image by ITK (six degrees of freedom). '
        if has_t1w
        else ''
    )
    return (
        f'{place}All volumes were resampled to the space of the person through one cubic interpolation of motion, '
        'distortion and coregistration, and corrected for intensity non-uniformity with N4 [@tustison2010]. '
        + (_GAIN if n_scans > 1 else '')
        + _describe_tensor()
    )


def _describe_tensor() -> str:
    return (
        'A tensor was fitted by weighted least squares [@chung2006] to shells up to b = 1,600 s/mm^2, or to the '
        'lowest one, for fractional anisotropy and diffusivities. '
    )
