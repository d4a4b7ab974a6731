"""The diffusion scans of one session as acquired, and the space of a person without T1w image."""

from pathlib import Path
from typing import NamedTuple

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..acquisition import Field, SessionEncoding
from ..interfaces.dwi import PrepareScan
from ..interfaces.dwi_distortion import CombineScans
from ..interfaces.dwi_space import FindHalfWay
from ..interfaces.headers import series_gb
from ..params import DwiParams
from ..terms import ESTIMATORS, MODULATED

SCANS = ('series', 'gradients', 'motion', 'scan_xfms', 'displacements', 'correction')
"""What the preparation of a session's scans gives to :func:`~pipelines.workflows.diffusion.init_dwi_session_wf`."""


class ScanFiles(NamedTuple):
    """One diffusion scan as acquired; an empty direction or axis and a time of 0 s mean unknown.

    The direction is empty as well where distortion by susceptibility is not to be corrected.
    """

    dwi: str
    bval: str
    bvec: str
    direction: str
    readout_time: float
    axis: str = ''


def init_dwi_scans_wf(
    *,
    scans: list[ScanFiles],
    params: DwiParams,
    field: Field | None = None,
    sloppy: bool = False,
    random_seed: int,
    name: str = 'dwi_scans_wf',
) -> LiterateWorkflow:
    """Denoise and align the scans of one session, and find their distortion.

    Parameters
    ----------
    scans
        Of one session; the first is its reference.
    params
        Preparation of the scans.
    field
        What else shows the distortion of the first scan.
    sloppy
        Coarse, for tests.
    random_seed
        Of registrations, not 0.
    name
        Name of the workflow.

    Outputs
    -------
    series, gradients, motion, b0s
        Of every scan.
    reference, reference_mask
        Mean b = 0 image of the session and its brain.
    scan_xfms, displacements, correction
        Points of the reference to points of every scan; distortion of each; how it was found.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe_scans(scans, params) + (
        ESTIMATORS[field.source.kind].text + MODULATED if field else ''
    )
    seed = {'random_seed': random_seed, 'sloppy': sloppy}
    size = max(series_gb(Path(scan.dwi)) for scan in scans)
    prepare = pe.MapNode(
        PrepareScan(unringing=params.unringing, sloppy=sloppy),
        ['dwi', 'bval', 'bvec', 'axis'],
        name='prepare',
        mem_gb=0.5 + 6 * size,
    )
    for path in prepare.iterfield:
        setattr(prepare.inputs, path, [getattr(scan, path) for scan in scans])
    combine = pe.Node(
        CombineScans(
            encoding=SessionEncoding(
                directions=tuple(scan.direction for scan in scans),
                readout_times=tuple(scan.readout_time for scan in scans),
                source=field.source if field else None,
            ),
            images=field.images if field else None,
            **seed,
        ),
        name='combine',
        mem_gb=1.5,
    )
    own = ('reference', 'reference_mask', 'scan_xfms', 'displacements', 'correction')
    outputnode = pe.Node(
        IdentityInterface(fields=['series', 'gradients', 'motion', 'b0s', *own]), name='outputnode'
    )
    workflow.connect([
        (prepare, combine, [('b0', 'b0s'), ('mask', 'masks')]),
        (prepare, outputnode, [*((f, f) for f in ('series', 'gradients', 'motion')), ('b0', 'b0s')]),
        (combine, outputnode, [(f, f) for f in own]),
    ])  # fmt: skip
    return workflow


def init_half_way_wf(
    *, n_sessions: int, voxel: float, sloppy: bool = False, random_seed: int, name: str = 'half_way_wf'
) -> LiterateWorkflow:
    """Find the space of a person without T1w image: half-way between the sessions.

    Parameters
    ----------
    n_sessions
        Number of sessions.
    voxel
        Edge of the grid, mm.
    sloppy
        Coarse, for tests.
    random_seed
        Of registrations, not 0.
    name
        Name of the workflow.

    Inputs
    ------
    references, reference_masks
        Of the sessions, in their order.

    Outputs
    -------
    person_mask
        Brain on the person's grid.
    person2dwi_xfms
        Points of the person to points of every session's reference.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = (
        'Without a T1w image, the space of the person lies half-way between the b = 0 images of the sessions. '
        if n_sessions > 1
        else 'Without a T1w image, the space of the person is that of the diffusion scan. '
    )
    fields = ['references', 'reference_masks']
    inputnode = pe.Node(IdentityInterface(fields=fields), name='inputnode')
    half_way = pe.Node(
        FindHalfWay(voxel=voxel, sloppy=sloppy, random_seed=random_seed), name='half_way', mem_gb=1.5
    )
    outputs = ['person_mask', 'person2dwi_xfms']
    outputnode = pe.Node(IdentityInterface(fields=outputs), name='outputnode')
    workflow.connect([
        (inputnode, half_way, [(f, f) for f in fields]),
        (half_way, outputnode, [(f, f) for f in outputs]),
    ])  # fmt: skip
    return workflow


_EDDY = """\
Head motion and eddy currents of all volumes were estimated together: rigid motion, and a displacement along the \
phase-encoding axis that is quadratic in position and nearly linear in the diffusion gradient [@andersson2016], under a \
Gaussian process over the directions of each shell [@andersson2015]."""
_NO_EDDY = """\
Head motion of all volumes was estimated together under a Gaussian process over the directions of each shell \
[@andersson2015]. Eddy-current distortion was not modelled."""


def _describe_scans(scans: list[ScanFiles], params: DwiParams) -> str:
    unringing = (
        ' Gibbs ringing was removed by local sub-voxel shifts [@kellner2016].' if params.unringing else ''
    )
    return f"""\
Diffusion scans were denoised by Marchenko-Pastur principal component analysis \
[@veraart2016].{unringing} {_EDDY if all(scan.axis for scan in scans) else _NO_EDDY} \
Directions were turned along. Slices that had lost their signal were replaced by what the other volumes predict. \
Where scans of opposite phase encoding exist, the \
displacement between them along the phase-encoding axis was found with conservation of intensity \
[@andersson2003; @ruthotto2012]. """
