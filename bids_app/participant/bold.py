"""Connect the workflows of each participant to the files of the output dataset."""

from collections.abc import Iterable
from typing import Any

from nipype.pipeline.engine.utils import topological_sort
from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.acquisition import Echoes
from pipelines.interfaces.choices import needs_anatomy, needs_freesurfer
from pipelines.interfaces.headers import series_gb
from pipelines.interfaces.normalize import standard_gb
from pipelines.params import SPACES
from pipelines.workflows.anatomical import init_anatomical_wf
from pipelines.workflows.connectivity import Series, init_connectivity_wf
from pipelines.workflows.figures import (
    ON_ANATOMY,
    anatomical_figures,
    connectivity_figures,
    distortion_figures,
    functional_figures,
)
from pipelines.workflows.functional import ANATOMY_INPUTS, init_functional_wf

from ..outputs.chains import SavedStage, chain_of_anatomy, chain_of_run, chain_of_shown
from ..outputs.sinks import draw_from, figures_node, pick, save_stage, tell_methods
from ..scans.bold import BoldRun
from ..scans.dataset import Dataset
from ..scans.fmriprep import ShownAnatomy
from ..scans.people import ParticipantInputs
from ..scans.query import entities_of
from ..settings import STEPS, Settings, steps_of
from .diffusion import add_diffusion
from .field import given_field
from .labels import ALIGNED, labels_workflow

_TO_CONNECTIVITY = {
    'bold_std': 'bold', 'bold_mask_std': 'bold_mask', 'confounds': 'confounds', 'confounds_metadata': 'confounds_metadata',
}  # fmt: skip


def build_workflow(settings: Settings, people: Iterable[ParticipantInputs]) -> LiterateWorkflow:
    """Return the workflow of all participants; each has its own folder in the work directory."""
    workflow = LiterateWorkflow(name=STEPS, base_dir=str(settings.work_dir))
    for person in people:
        workflow.add_nodes([participant_workflow(settings, person)])
    return workflow


def participant_workflow(settings: Settings, person: ParticipantInputs) -> LiterateWorkflow:
    """Return the workflow of one participant: the anatomy once, then every run and the diffusion scans."""
    workflow = LiterateWorkflow(name=steps_of(person.label))
    anatomy = anatomy_workflow(settings, person) if person.t1w else None
    labels = labels_workflow(settings, person)
    if labels and anatomy:
        workflow.connect(
            [(anatomy, labels, [(f'anatomical_wf.outputnode.{f}', f'align.{f}') for f in ALIGNED])]
        )
    runs = []
    for number, shown in enumerate(person.anatomies()):
        workflow.add_nodes([shown_workflow(settings, shown, number)])
    for run in person.runs:
        own = run_workflow(settings, person, run)
        workflow.add_nodes([own])
        runs.append(own)
        if anatomy and run.preprocessed is None:
            _connect_anatomy(workflow, anatomy, own, person.t1w_of(run.entities))
            if labels:
                kinds = [
                    ('align.labels', f'connectivity_wf.inputnode.{kind}') for kind in ('aseg', 'aparcaseg')
                ]
                workflow.connect([(labels, own, kinds)])
            if needs_anatomy(settings.circuit) or needs_freesurfer(settings.circuit):
                way = ('anatomical_wf.outputnode.anat2std_xfm', 'connectivity_wf.inputnode.anat2std_xfm')
                workflow.connect([(anatomy, own, [way])])
    if person.diffusion:
        of_raw = None if person.diffusion.is_preprocessed else anatomy
        add_diffusion(workflow, settings, person, of_raw, labels)
    scans = [[own] for own in runs] + ([[own for own in (anatomy, labels) if own]] if anatomy else [])
    told = [own for chain in scans for own in chain]
    parts = [own for own in topological_sort(workflow._graph)[0] if isinstance(own, LiterateWorkflow)]
    for chain in (*scans, [own for own in parts if own not in told]):
        tell_methods(chain)  # what belongs to no single scan is diffusion's
    return workflow


def anatomy_workflow(settings: Settings, person: ParticipantInputs) -> LiterateWorkflow:
    """Return the workflow of the anatomical reference, from its files to derivatives and figures."""
    space = settings.space.output_space or SPACES[0]
    workflow = LiterateWorkflow(name='anat_wf')
    anatomical = init_anatomical_wf(
        t1w=[str(path) for path in person.t1w],
        space=space,
        circuit=settings.circuit_of(person.label),
        sloppy=settings.sloppy,
        random_seed=settings.seed_of(f'sub-{person.label}_anat'),
    )
    stages = chain_of_anatomy(settings, person).stages
    figures = figures_node(anatomical_figures(space=space), stages['anatomical_figures'])
    draw_from(workflow, anatomical, figures)
    dataset = Dataset('raw', settings.bids_dir)
    sidecar = {'Sources': [dataset.uri(path) for path in person.t1w]}
    resolution = '2 mm isotropic' if settings.sloppy else '1 mm isotropic'
    save_stage(workflow, anatomical, stages['anatomical'], sidecar, {'Resolution': resolution})
    return workflow


def shown_workflow(settings: Settings, anatomy: ShownAnatomy, number: int) -> LiterateWorkflow:
    """Return the workflow that draws an anatomy which fMRIPrep normalised."""
    workflow = LiterateWorkflow(name=f'anat_{number}_wf')
    space = entities_of(anatomy.t1w)['space']
    gallery = anatomical_figures(space=space, is_normalization_only=True)
    figures = figures_node(gallery, chain_of_shown(settings, anatomy).stages['anatomical_figures'])
    figures.inputs.t1w_std = str(anatomy.t1w)
    workflow.add_nodes([figures])
    return workflow


def run_workflow(settings: Settings, person: ParticipantInputs, run: BoldRun) -> LiterateWorkflow:
    """Return the workflow of one run, from its files to derivatives and figures."""
    words = [f'{key}_{value}' for key, value in run.entities.items() if key != 'sub']
    workflow = LiterateWorkflow(name='_'.join([*words, 'wf']).replace('+', '-'))
    size = series_gb(run.bold) if run.preprocessed else standard_gb(run.bold, run.space)
    connectivity = init_connectivity_wf(
        denoise=settings.denoise,
        circuit=settings.circuit_of(person.label),
        maps=settings.maps,
        series=Series(run.bold.name, run.t_r, run.space, size),
        writes_denoised=settings.extra.write_denoised,
    )
    stages = chain_of_run(settings, person, run).stages
    figures = _figures(settings, run, stages['connectivity_figures'])
    draw_from(workflow, connectivity, figures, [f for f in figures.interface.fields if f not in ON_ANATOMY])
    sidecar = {'Sources': run.uris(), 'TaskName': run.entities.get('task', 'rest')}
    resolution = f'as the preprocessed series, res-{run.res}' if run.preprocessed else '2 mm isotropic'
    about = sidecar, {'Resolution': resolution}
    if run.preprocessed:
        _set_inputs(connectivity, run)
    else:
        functional = _preprocessing(settings, run)
        is_undistorted = run.is_undistorted(settings)
        gallery = {**functional_figures(), **(distortion_figures() if is_undistorted else {})}
        coregistered = figures_node(gallery, stages['functional_figures'], 'alignment')
        drawn = ('boldref', 'bold2anat_xfm', *(['boldref_raw'] if is_undistorted else []))
        draw_from(workflow, functional, coregistered, drawn)
        workflow.connect([
            (functional, connectivity, [(f'outputnode.{a}', f'inputnode.{b}') for a, b in _TO_CONNECTIVITY.items()]),
        ])  # fmt: skip
        save_stage(workflow, functional, stages['functional'], *about)
    save_stage(workflow, connectivity, stages['connectivity'], *about)
    return workflow


def _figures(settings: Settings, run: BoldRun, stage: SavedStage) -> Any:
    """Return the step of the figures of a run; fMRIPrep's anatomy is shown where there is one."""
    gallery = connectivity_figures(
        fd_threshold=settings.denoise.fd_threshold, space=run.space, circuit=settings.circuit
    )
    if not run.anatomy:
        return figures_node(gallery, stage)
    figures = figures_node({**gallery, **functional_figures(is_standard=True)}, stage)
    for field, path in zip(ON_ANATOMY, run.anatomy):
        setattr(figures.inputs, field, str(path))
    return figures


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


def _preprocessing(settings: Settings, run: BoldRun) -> LiterateWorkflow:
    return init_functional_wf(
        bold=str(run.bold),
        t_r=run.t_r,
        slice_timing=run.slice_timing,
        slice_encoding_direction=run.slice_direction,
        distortion=given_field(run.estimator) if run.estimator else run.t1w_direction(settings),
        echoes=Echoes([str(path) for path in run.echoes], list(run.echo_times)) if run.echoes else None,
        ignore=settings.distortion.ignore,
        dummy_scans=settings.denoise.dummy_scans,
        space=run.space,
        sloppy=settings.sloppy,
        random_seed=settings.seed_of(run.bold.name),
    )


def _connect_anatomy(workflow: Any, anatomy: Any, own: Any, number: int) -> None:
    """Give the anatomy to a run; ``number`` is the T1-weighted image of the run's session."""
    workflow.connect([
        (anatomy, own, [
            *((f'anatomical_wf.outputnode.{f}', f'functional_wf.inputnode.{f}') for f in ANATOMY_INPUTS),
            *((f'anatomical_wf.outputnode.{f}', f'alignment.{f}') for f in ON_ANATOMY),
            (('anatomical_wf.outputnode.t1w2ref_xfms', pick, number), 'functional_wf.inputnode.session_xfm'),
        ]),
    ])  # fmt: skip
