"""Connect the workflows of each participant to the files of the output dataset."""

from collections.abc import Iterable
from typing import Any

from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.interfaces.images import series_gb
from pipelines.interfaces.normalize import standard_gb
from pipelines.interfaces.templates import target_brain
from pipelines.params import SPACES
from pipelines.workflows.anatomical import init_anatomical_wf
from pipelines.workflows.connectivity import init_connectivity_wf
from pipelines.workflows.figures import (
    ANATOMICAL_INPUTS,
    CONNECTIVITY_INPUTS,
    init_anatomical_figures_wf,
    init_connectivity_figures_wf,
    init_functional_figures_wf,
)
from pipelines.workflows.functional import ANATOMY_INPUTS, ReversePair, init_functional_wf

from ..outputs.plan import of_anatomy, of_run, of_shown_anatomy
from ..outputs.sinks import pass_on, pick, save_all
from ..scans.bold import BoldRun
from ..scans.dataset import Dataset
from ..scans.fieldmaps import EpiPair, is_corrected
from ..scans.fmriprep import ShownAnatomy
from ..scans.people import ParticipantInputs
from ..scans.query import entities_of
from ..settings import Settings
from .diffusion import add_diffusion

_TO_CONNECTIVITY = {
    'bold_std': 'bold', 'bold_mask_std': 'bold_mask', 'confounds': 'confounds', 'confounds_metadata': 'confounds_metadata',
}  # fmt: skip
_ON_ANATOMY = ('t1w_preproc', 't1w_mask', 't1w_dseg')


def build_workflow(settings: Settings, people: Iterable[ParticipantInputs]) -> LiterateWorkflow:
    """Return the workflow of all participants; each has its own folder in the work directory."""
    workflow = LiterateWorkflow(name='clbpe_wf', base_dir=str(settings.work_dir))
    for person in people:
        workflow.add_nodes([participant_workflow(settings, person)])
    return workflow


def participant_workflow(settings: Settings, person: ParticipantInputs) -> LiterateWorkflow:
    """Return the workflow of one participant: the anatomy once, then every run and the diffusion scans."""
    workflow = LiterateWorkflow(name=f'sub_{person.label}_wf')
    anatomy = anatomy_workflow(settings, person) if person.t1w else None
    for number, shown in enumerate(person.anatomies()):
        workflow.add_nodes([shown_workflow(settings, shown, number)])
    for run in person.runs:
        own = run_workflow(settings, run)
        workflow.add_nodes([own])
        if anatomy and run.preprocessed is None:
            _connect_anatomy(workflow, anatomy, own, person.t1w_of(run.entities))
    if person.diffusion:
        add_diffusion(workflow, settings, person, None if person.diffusion.is_preprocessed else anatomy)
    return workflow


def anatomy_workflow(settings: Settings, person: ParticipantInputs) -> LiterateWorkflow:
    """Return the workflow of the anatomical reference, from its files to derivatives and figures."""
    space = settings.functional.output_space or SPACES[0]
    workflow = LiterateWorkflow(name='anat_wf')
    anatomical = init_anatomical_wf(
        t1w=[str(path) for path in person.t1w],
        space=space,
        sloppy=settings.sloppy,
        random_seed=settings.seed_of(f'sub-{person.label}_anat'),
    )
    figures = init_anatomical_figures_wf(space=space)
    pass_on(workflow, anatomical, figures, ANATOMICAL_INPUTS)
    stages = {'anatomical': anatomical, 'anatomical_figures': figures}
    dataset = Dataset('raw', settings.bids_dir)
    sidecar = {'Sources': [dataset.uri(path) for path in person.t1w]}
    resolution = '2 mm isotropic' if settings.sloppy else '1 mm isotropic'
    save_all(workflow, stages, of_anatomy(settings, person), sidecar, {'Resolution': resolution})
    return workflow


def shown_workflow(settings: Settings, anatomy: ShownAnatomy, number: int) -> LiterateWorkflow:
    """Return the workflow that draws an anatomy which fMRIPrep normalised."""
    workflow = LiterateWorkflow(name=f'anat_{number}_wf')
    space = entities_of(anatomy.t1w)['space']
    figures = init_anatomical_figures_wf(space=space, is_normalization_only=True)
    figures.inputs.inputnode.t1w_std = str(anatomy.t1w)
    planned = of_shown_anatomy(settings, anatomy)
    save_all(workflow, {planned.stage: figures}, [planned], {}, {})
    return workflow


def run_workflow(settings: Settings, run: BoldRun) -> LiterateWorkflow:
    """Return the workflow of one run, from its files to derivatives and figures."""
    words = [f'{key}_{value}' for key, value in run.entities.items() if key != 'sub']
    workflow = LiterateWorkflow(name='_'.join([*words, 'wf']).replace('+', ''))
    size = series_gb(run.bold) if run.preprocessed else standard_gb(run.bold, run.space)
    connectivity = init_connectivity_wf(
        params=settings.functional, t_r=run.t_r, space=run.space, series_gb=size
    )
    background = str(target_brain(run.space))
    figures = init_connectivity_figures_wf(
        fd_threshold=settings.functional.fd_threshold, background=background
    )
    pass_on(workflow, connectivity, figures, CONNECTIVITY_INPUTS)
    stages = {'connectivity': connectivity, 'connectivity_figures': figures}
    if run.preprocessed:
        _set_inputs(connectivity, run)
        if run.anatomy:
            stages |= _shown_on_anatomy(workflow, connectivity, run.anatomy)
    else:
        stages |= _preprocessing(settings, run)
        workflow.connect([
            (stages['functional'], connectivity,
             [(f'outputnode.{a}', f'inputnode.{b}') for a, b in _TO_CONNECTIVITY.items()]),
            (stages['functional'], stages['functional_figures'],
             [(f'outputnode.{f}', f'inputnode.{f}') for f in ('boldref', 'bold2anat_xfm')]),
        ])  # fmt: skip
    sidecar = {'Sources': run.uris(), 'TaskName': run.entities.get('task', 'rest')}
    resolution = f'as the preprocessed series, res-{run.res}' if run.preprocessed else '2 mm isotropic'
    save_all(workflow, stages, of_run(settings, run), sidecar, {'Resolution': resolution})
    return workflow


def _set_inputs(connectivity: Any, run: BoldRun) -> None:
    assert run.preprocessed
    found = {
        'bold': run.bold,
        'bold_mask': run.preprocessed.mask,
        **run.preprocessed._asdict(),
        **run.segmentation._asdict(),
    }
    for name in ('bold', 'bold_mask', 'confounds', 'confounds_metadata', *run.segmentation._fields):
        if found[name]:
            setattr(connectivity.inputs.inputnode, name, str(found[name]))


def _shown_on_anatomy(workflow: Any, connectivity: Any, anatomy: ShownAnatomy) -> dict[str, LiterateWorkflow]:
    """Draw the mean BOLD against fMRIPrep's anatomy, both in template space."""
    figures = init_functional_figures_wf()
    for field, path in zip(_ON_ANATOMY, anatomy):
        setattr(figures.inputs.inputnode, field, str(path))
    workflow.connect([(connectivity, figures, [('outputnode.mean_bold', 'inputnode.boldref')])])
    return {'functional_figures': figures}


def _preprocessing(settings: Settings, run: BoldRun) -> dict[str, LiterateWorkflow]:
    functional = init_functional_wf(
        bold=str(run.bold),
        t_r=run.t_r,
        slice_timing=run.slice_timing,
        slice_encoding_direction=run.slice_direction,
        pair=_reverse_pair(run.pair) if run.pair else None,
        t1w_direction=run.phase_encoding if settings.diffusion.use_syn_sdc and is_corrected(settings) else '',
        params=settings.functional,
        space=run.space,
        sloppy=settings.sloppy,
        random_seed=settings.seed_of(run.bold.name),
    )
    return {'functional': functional, 'functional_figures': init_functional_figures_wf()}


def _reverse_pair(pair: EpiPair) -> ReversePair:
    return ReversePair(
        pair.run.direction,
        pair.run.readout_time,
        [str(epi.path) for epi in pair.epi],
        [epi.direction for epi in pair.epi],
        [epi.readout_time for epi in pair.epi],
    )


def _connect_anatomy(workflow: Any, anatomy: Any, own: Any, number: int) -> None:
    """Give the anatomy to a run; ``number`` is the T1-weighted image of the run's session."""
    workflow.connect([
        (anatomy, own, [
            *((f'anatomical_wf.outputnode.{f}', f'functional_wf.inputnode.{f}') for f in ANATOMY_INPUTS),
            *((f'anatomical_wf.outputnode.{f}', f'functional_figures_wf.inputnode.{f}') for f in _ON_ANATOMY),
            (('anatomical_wf.outputnode.t1w2ref_xfms', pick, number), 'functional_wf.inputnode.session_xfm'),
        ]),
    ])  # fmt: skip
