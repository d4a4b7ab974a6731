"""The anatomy that QSIPrep made, given to the workflows of diffusion: its files, or what is made of them first."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.interfaces.dwi_space import voxel_of
from pipelines.workflows.dwi_anatomy import BETWEEN, LABELLED, AnatomyFiles, init_between_wf, init_tissues_wf
from pipelines.workflows.figures import ON_ANATOMY
from pipelines.workflows.tract import TISSUE

from ..outputs.sinks import pick
from ..scans.diffusion import Diffusion, DwiSession
from ..scans.people import ParticipantInputs
from ..scans.qsiprep import DwiAnatomy
from ..settings import Settings


class Adopted(NamedTuple):
    """Anatomy of QSIPrep: its files, and the workflow that gives the fields that are ``made`` of them."""

    files: DwiAnatomy
    workflow: LiterateWorkflow | None = None
    made: tuple[str, ...] = ()

    def give(self, workflow: Any, target: Any, place: str, fields: Mapping[str, str]) -> None:
        """Give fields of the anatomy to inputs of the node at a place in ``target``, by the names of both."""
        for field, name in fields.items():
            if field in self.made:
                made = [(f'outputnode.{field}', f'{place}.{name}')]
                workflow.connect([(self.workflow, target, made)])
            else:
                setattr(target.get_node(place).inputs, name, str(getattr(self.files, field)))

    def show(self, workflow: Any, found: Diffusion, session: DwiSession, nodes: tuple[Any, Any]) -> None:
        """Give a session's maps their place in the space between sessions, if it is one, and the figures the anatomy."""
        maps, figures = nodes
        self.give(workflow, figures, 'figures', {field: field for field in ON_ANATOMY})
        if found.is_between and session.anatomy:
            xfm = ('outputnode.person2session_xfms', pick, found.anatomies.index(session.anatomy))
            place = 'dwi_preprocessed_wf.inputnode'
            inputs = [
                ('outputnode.person_mask', f'{place}.person_mask'),
                (xfm, f'{place}.person2session_xfm'),
            ]
            workflow.connect([(self.workflow, maps, inputs)])

    def serve(self, workflow: Any, tract: Any) -> None:
        """Give a tract its way to the template, tissue and background."""
        self.give(workflow, tract, 'tract_wf.inputnode', {f: f for f in ('std2anat_xfm', *TISSUE)})
        self.give(workflow, tract, 'figures', {'t1w_preproc': 'background'})

    def grid(self, found: Diffusion, maps: list[LiterateWorkflow]) -> tuple[Any, str]:
        """Return what gives the person's grid, and the name of the output: QSIPrep's, or that between sessions."""
        if found.is_between:
            return self.workflow, 'outputnode.person_mask'
        return maps[0], 'dwi_preprocessed_wf.outputnode.person_mask'


def adopt(settings: Settings, person: ParticipantInputs) -> Adopted | None:
    """Return the anatomy that QSIPrep made for a participant; None for raw scans.

    Notes
    -----
    One with probabilities of tissue serves as it is.  Labels are split first.  Where sessions have anatomies of their
    own, the space of the person lies half-way between them.
    """
    found = person.diffusion
    assert found
    if not found.anatomies:
        return None
    if found.is_between:
        between = init_between_wf(
            anatomies=[_files_of(anatomy) for anatomy in found.anatomies],
            voxel=max(voxel_of(scan.dwi) for session in found.sessions for scan in session.scans),
            random_seed=settings.seed_of(f'sub-{person.label}_anatomies'),
        )
        return Adopted(found.anatomies[0], between, BETWEEN)
    (anatomy,) = found.anatomies
    if anatomy.has_tissue:
        return Adopted(anatomy)
    return Adopted(anatomy, init_tissues_wf(anatomy=_files_of(anatomy)), LABELLED)


def _files_of(anatomy: DwiAnatomy) -> AnatomyFiles:
    return AnatomyFiles(
        t1w_preproc=str(anatomy.t1w_preproc),
        t1w_mask=str(anatomy.t1w_mask),
        t1w_dseg=str(anatomy.t1w_dseg),
        std2anat_xfm=str(anatomy.std2anat_xfm),
        probsegs=[str(getattr(anatomy, tissue)) for tissue in TISSUE] if anatomy.has_tissue else [],
        labels=anatomy.labels(),
    )
