"""The anatomy that QSIPrep made, where it does not serve as it is: labels for tissues, or one for every session."""

from typing import NamedTuple

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.dwi_anatomy import FindBetween, SplitTissues
from .tract import TISSUE

LABELLED = ('t1w_dseg', *TISSUE)
"""What :func:`init_tissues_wf` gives."""

BETWEEN = ('t1w_preproc', 't1w_mask', *LABELLED, 'std2anat_xfm')
"""What :func:`init_between_wf` gives in the space of the person."""

_SPLIT = ('t1w_dseg', 't1w_preproc', 'labels')


class AnatomyFiles(NamedTuple):
    """The anatomy of a session; ``probsegs`` are those of grey matter, white matter and fluid, or none.

    ``labels`` are those of ``gm``, ``wm`` and ``csf`` in the segmentation; none where the image tells.
    """

    t1w_preproc: str
    t1w_mask: str
    t1w_dseg: str
    std2anat_xfm: str
    probsegs: list[str]
    labels: dict[str, list[int]] | None


def init_tissues_wf(*, anatomy: AnatomyFiles, name: str = 'tissues_wf') -> LiterateWorkflow:
    """Take the tissue labels of an anatomy as probabilities.

    Parameters
    ----------
    anatomy
        T1w image and segmentation.
    name
        Name of the workflow.

    Outputs
    -------
    t1w_dseg, probseg_gm, probseg_wm, probseg_csf
        Labels 1 to 3, and 0 or 1 for each tissue.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe_labels()
    given = {field: getattr(anatomy, field) for field in _SPLIT}
    split = pe.Node(SplitTissues(**given), name='split', mem_gb=1.0)
    outputnode = pe.Node(IdentityInterface(fields=list(LABELLED)), name='outputnode')
    workflow.connect([(split, outputnode, [(f, f) for f in LABELLED])])
    return workflow


def init_between_wf(
    *, anatomies: list[AnatomyFiles], voxel: float, random_seed: int, name: str = 'between_wf'
) -> LiterateWorkflow:
    """Lay the space of a person half-way between the anatomies of the sessions.

    Parameters
    ----------
    anatomies
        Of every session; where one has no probabilities of tissue, the labels of all are used.
    voxel
        Edge of the grid of the diffusion maps, mm.
    random_seed
        Of registrations, not 0.
    name
        Name of the workflow.

    Outputs
    -------
    person_mask, person2session_xfms
        Brain on the grid of the maps, and points of the person to points of every session.
    t1w_preproc, t1w_mask, t1w_dseg, probseg_gm, probseg_wm, probseg_csf, std2anat_xfm
        In the space of the person.

    """
    workflow = LiterateWorkflow(name=name)
    has_tissue = all(anatomy.probsegs for anatomy in anatomies)
    workflow.__desc__ = (
        'The anatomies of the sessions, each in a space of its own, were registered rigidly to each other; the space of '
        'the person lies half-way between them, and its way to the template is the mean of theirs. '
    ) + ('' if has_tissue else _describe_labels())
    between = pe.Node(
        FindBetween(
            t1w_preprocs=[anatomy.t1w_preproc for anatomy in anatomies],
            t1w_masks=[anatomy.t1w_mask for anatomy in anatomies],
            std2anat_xfms=[anatomy.std2anat_xfm for anatomy in anatomies],
            voxel=voxel,
            random_seed=random_seed,
        ),
        name='between',
        mem_gb=2.0,
    )
    if has_tissue:
        between.inputs.probsegs = [anatomy.probsegs for anatomy in anatomies]
    else:
        split = pe.MapNode(SplitTissues(), list(_SPLIT), name='split', mem_gb=1.0)
        for field in _SPLIT:
            setattr(split.inputs, field, [getattr(anatomy, field) for anatomy in anatomies])
        workflow.connect([(split, between, [('probsegs', 'probsegs')])])
    outputs = ['person_mask', 'person2session_xfms', *BETWEEN]
    outputnode = pe.Node(IdentityInterface(fields=outputs), name='outputnode')
    workflow.connect([(between, outputnode, [(f, f) for f in outputs])])
    return workflow


def _describe_labels() -> str:
    return 'Tissue labels were taken as probabilities of 0 and 1, and averaged over the voxels of the diffusion scan. '
