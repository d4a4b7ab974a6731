"""Anatomy of one participant: reference, brain, tissues, normalisation."""

from pathlib import Path

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.anatomical import NormalizeBrain, head_gb
from ..interfaces.choices import source_files, with_full_paths
from ..interfaces.stages import LocateBrain, SegmentAnatomy
from ..interfaces.templates import target_brain
from ..params import AnatomyPlan
from ..terms import Circuit

_OUTPUTS = (
    *('t1w_preproc', 't1w_mask', 't1w_dseg', 't1w_probseg_gm', 't1w_probseg_wm', 't1w_probseg_csf'),
    *('t1w_std', 't1w_mask_std', 'anat2std_xfm', 'std2anat_xfm', 't1w2ref_xfms', 'metadata'),
    *('placement_table', 'placement_dseg', 'placement_facts'),
)


def init_anatomical_wf(
    *,
    t1w: list[str],
    space: str,
    circuit: Circuit,
    sloppy: bool = False,
    random_seed: int,
    name: str = 'anatomical_wf',
) -> LiterateWorkflow:
    """Prepare the anatomy of one participant.

    Parameters
    ----------
    t1w
        T1-weighted images of the participant, of all sessions.
    space
        Template.
    circuit
        Regions whose place in the person is judged.
    sloppy
        Coarse grids and registrations, for tests.
    random_seed
        Of registrations, not 0.
    name
        Name of the workflow.

    Outputs
    -------
    t1w_preproc, t1w_mask
        Bias-corrected head and brain mask on the grid of the reference.
    t1w_dseg, t1w_probseg_gm, t1w_probseg_wm, t1w_probseg_csf
        Labels (1 grey matter, 2 white matter, 3 cerebrospinal fluid) and probabilities.
    t1w_std, t1w_mask_std
        Brain and mask on the 1 mm grid of the template (2 mm if sloppy).
    anat2std_xfm, std2anat_xfm
        Displacement fields on grids over the template and over the brain.
    t1w2ref_xfms
        For each image, points of the reference to its points.
    metadata
        Facts for sidecars.
    placement_table, placement_dseg, placement_facts
        How every region of the circuit lies in the person; the regions on the template, by the rows of that table; facts
        for its sidecar.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe(space, len(t1w))
    size = sum(head_gb(Path(path)) for path in t1w)
    seed = {'random_seed': random_seed, 'space': space, 'sloppy': sloppy}
    brain = pe.Node(LocateBrain(t1w=t1w, **seed), name='brain', mem_gb=1.2 + 6 * size)
    normalize = pe.Node(NormalizeBrain(**seed), name='normalize', mem_gb=1.8 + 3 * size / len(t1w))
    segment = pe.Node(
        SegmentAnatomy(about=_plan(t1w, space, circuit)), name='segment', mem_gb=1.5 + 8 * size / len(t1w)
    )
    outputnode = pe.Node(IdentityInterface(fields=list(_OUTPUTS)), name='outputnode')
    workflow.connect([
        (brain, normalize, [(f, f) for f in ('brain', 'placement', 't1w_preproc', 't1w_mask')]),
        (brain, segment, [(f, f) for f in ('brain', 't1w_mask', 'score')]),
        (normalize, segment, [(f, f) for f in ('anat2std_xfm', 'std2anat_xfm', 'quality')]),
        (brain, outputnode, [(f, f) for f in ('t1w_preproc', 't1w_mask', 't1w2ref_xfms')]),
        (segment, outputnode, [(f, f) for f in _OUTPUTS if 'seg' in f or 'placement_' in f or f == 'metadata']),
        (normalize, outputnode, [(f, f) for f in _OUTPUTS if 'std' in f]),
    ])  # fmt: skip
    return workflow


def _plan(t1w: list[str], space: str, circuit: Circuit) -> AnatomyPlan:
    files = [(path.name, path.stat()) for path in source_files(circuit)]
    stamps = tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in files)
    return AnatomyPlan(space=space, n_t1w=len(t1w), circuit=with_full_paths(circuit), stamps=stamps)


def _describe(space: str, n_t1w: int) -> str:
    average = (
        f'A reference was averaged from {n_t1w} T1-weighted images after correction of intensity '
        'non-uniformity, half-way between their positions, which rigid registrations with ITK gave '
        '[@avants2014]. '
        if n_t1w > 1
        else 'The T1-weighted image served as anatomical reference. '
    )
    return f"""\
{average}The brain of the template was placed in the head by an affine that maximises the correlation of local \
contrast. Intensity non-uniformity was corrected with N4 [@tustison2010], and the outline of the placed brain \
was moved to the border of the tissue along its normals, in the manner of a deformable surface [@smith2002]. \
The brain was normalised to {space} ({target_brain(space).name}) [@evans2012; @fonov2009] with an affine \
of ITK (mutual information at 8 and 4 mm) [@avants2014] and the diffeomorphic registration of Greedy (local \
correlation at 8, 4 and 2 mm) [@yushkevich2016]. Grey matter, white matter and cerebrospinal fluid were segmented \
by a Gaussian mixture with a hidden Markov random field [@zhang2001] of DIPY, with the tissue maps of \
MNI152NLin2009aSym as spatial priors. Of every region that this registration brings to the person, the rank correlation of \
the T1-weighted image with the template within 10 mm, the share in grey matter and the volume were compared with those of \
good registrations."""
