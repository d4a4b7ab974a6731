"""FreeSurfer's labels of a participant, brought to the anatomy that scans rest on."""

from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.interfaces.freesurfer import AlignLabels

from ..scans.people import ParticipantInputs
from ..settings import Settings

ALIGNED = ('t1w_preproc', 't1w_mask')
"""What the labels are brought to, by the names of the anatomy's outputs and of the node's inputs."""


def labels_workflow(settings: Settings, person: ParticipantInputs) -> LiterateWorkflow | None:
    """Return the workflow whose node ``align`` brings FreeSurfer's labels to the anatomy; None where nothing needs them."""
    found = person.freesurfer
    if not found:
        return None
    workflow = LiterateWorkflow(name='freesurfer_wf')
    workflow.__desc__ = (
        'Labels of FreeSurfer [@fischl2002] were brought to the T1-weighted image by a rigid registration of its brain '
        '(mutual information) [@avants2014], without interpolation. '
    )
    seed = settings.seed_of(f'sub-{person.label}_freesurfer')
    align = AlignLabels(brain=str(found.brain), labels=str(found.labels), random_seed=seed)
    workflow.add_nodes([pe.Node(align, name='align', mem_gb=1.5)])
    return workflow
