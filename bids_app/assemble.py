"""Connect the workflows of each participant to the files of the output dataset."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.interfaces._interface import interface
from pipelines.interfaces.images import series_gb
from pipelines.interfaces.normalize import standard_gb
from pipelines.interfaces.templates import target_brain
from pipelines.params import SPACES
from pipelines.workflows.anatomical import init_anatomical_wf
from pipelines.workflows.connectivity import init_connectivity_wf
from pipelines.workflows.figures import (
    ANATOMICAL,
    CONNECTIVITY,
    init_anatomical_figures_wf,
    init_connectivity_figures_wf,
    init_functional_figures_wf,
)
from pipelines.workflows.functional import ANATOMY_INPUTS, init_functional_wf

from .files import replace_file, replace_json
from .inputs import Anatomy, BoldRun, Dataset, ParticipantInputs
from .plan import Planned, of_anatomy, of_run, of_shown_anatomy
from .query import entities_of
from .settings import Settings

_TO_CONNECTIVITY = {
    'bold_std': 'bold', 'bold_mask_std': 'bold_mask', 'confounds': 'confounds', 'confounds_metadata': 'confounds_metadata',
}  # fmt: skip
_ON_ANATOMY = ('t1w_preproc', 't1w_mask', 't1w_dseg')


class Saved(NamedTuple):
    """The file as it lies in the output dataset."""

    saved: Path


def save_derivative(in_file: Path, out_file: str, sidecar: dict, metadata: dict) -> Saved:
    """Put one file into the output dataset in one step, with its JSON sidecar beside it.

    niworkflows' own sink writes the file in place, so that a run which is killed leaves half of it.
    """
    target = Path(out_file)
    replace_file(in_file, target)
    if sidecar:
        replace_json({**sidecar, **metadata}, target.with_name(target.name.split('.')[0] + '.json'))
    return Saved(target)


SaveDerivative = interface(save_derivative)
# an output that was removed by hand is put back although nothing else changed
SaveDerivative._always_run = True


def build_workflow(settings: Settings, people: Iterable[ParticipantInputs]) -> LiterateWorkflow:
    """Return the workflow of all participants; each has its own folder in the work directory."""
    workflow = LiterateWorkflow(name='clbpe_wf', base_dir=str(settings.work_dir))
    for person in people:
        workflow.add_nodes([participant_workflow(settings, person)])
    return workflow


def participant_workflow(settings: Settings, person: ParticipantInputs) -> LiterateWorkflow:
    """Return the workflow of one participant: the anatomy once, then every run."""
    workflow = LiterateWorkflow(name=f'sub_{person.label}_wf')
    anatomy = anatomy_workflow(settings, person) if person.t1w else None
    for number, shown in enumerate(person.anatomies()):
        workflow.add_nodes([shown_workflow(settings, shown, number)])
    for run in person.runs:
        own = run_workflow(settings, run)
        workflow.add_nodes([own])
        if anatomy and run.preprocessed is None:
            _connect_anatomy(workflow, anatomy, own, person.t1w_of(run))
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
    _pass_on(workflow, anatomical, figures, ANATOMICAL)
    stages = {'anatomical': anatomical, 'anatomical_figures': figures}
    dataset = Dataset('raw', settings.bids_dir)
    sidecar = {'Sources': [dataset.uri(path) for path in person.t1w]}
    resolution = '2 mm isotropic' if settings.sloppy else '1 mm isotropic'
    _save_all(workflow, stages, of_anatomy(settings, person), sidecar, resolution)
    return workflow


def shown_workflow(settings: Settings, anatomy: Anatomy, number: int) -> LiterateWorkflow:
    """Return the workflow that draws an anatomy which fMRIPrep normalised."""
    workflow = LiterateWorkflow(name=f'anat_{number}_wf')
    space = entities_of(anatomy.t1w)['space']
    figures = init_anatomical_figures_wf(space=space, is_normalization_only=True)
    figures.inputs.inputnode.t1w_std = str(anatomy.t1w)
    planned = of_shown_anatomy(settings, anatomy)
    _save_all(workflow, {planned.stage: figures}, [planned], {}, '')
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
    _pass_on(workflow, connectivity, figures, CONNECTIVITY)
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
    _save_all(workflow, stages, of_run(settings, run), sidecar, resolution)
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


def _shown_on_anatomy(workflow: Any, connectivity: Any, anatomy: Anatomy) -> dict[str, LiterateWorkflow]:
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
        params=settings.functional,
        space=run.space,
        sloppy=settings.sloppy,
        random_seed=settings.seed_of(run.bold.name),
    )
    return {'functional': functional, 'functional_figures': init_functional_figures_wf()}


def _connect_anatomy(workflow: Any, anatomy: Any, own: Any, number: int) -> None:
    """Give the anatomy to a run; ``number`` is the T1-weighted image of the run's session."""
    workflow.connect([
        (anatomy, own, [
            *((f'anatomical_wf.outputnode.{f}', f'functional_wf.inputnode.{f}') for f in ANATOMY_INPUTS),
            *((f'anatomical_wf.outputnode.{f}', f'functional_figures_wf.inputnode.{f}') for f in _ON_ANATOMY),
            (('anatomical_wf.outputnode.t1w2ref_xfms', _pick, number), 'functional_wf.inputnode.session_xfm'),
        ]),
    ])  # fmt: skip


def _pass_on(workflow: Any, source: Any, target: Any, fields: Iterable[str]) -> None:
    workflow.connect([(source, target, [(f'outputnode.{f}', f'inputnode.{f}') for f in fields])])


def _save_all(
    workflow: Any,
    stages: Mapping[str, Any],
    planned: Iterable[Planned],
    sidecar: dict[str, Any],
    resolution: str,
) -> None:
    """Attach one sink to every planned file; the sidecar is the row's, the run's and the workflow's."""
    for number, (stage, row, path) in enumerate(planned):
        about: dict[str, Any] = {}
        if row.description:
            about = {'Description': row.description, 'Units': row.units, **row.fields, **sidecar}
            about |= {'Resolution': resolution} if row.is_standard else {}
        output, index = row.index
        node = pe.Node(
            SaveDerivative(out_file=str(path), sidecar=about, metadata={}),
            name=f'save_{number:02d}_{output}',
            run_without_submitting=True,
        )
        source = f'outputnode.{output}' if index is None else (f'outputnode.{output}', _pick, index)
        workflow.connect([(stages[stage], node, [(source, 'in_file')])])
        if about:
            workflow.connect([(stages[stage], node, [('outputnode.metadata', 'metadata')])])


def _pick(items: list[str], index: int) -> str:
    return items[index]
