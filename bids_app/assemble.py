"""Connect the workflows of each run to the files of the output dataset."""

from pathlib import Path
from typing import Any, NamedTuple

from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.interfaces._interface import interface
from pipelines.interfaces.images import series_gb
from pipelines.interfaces.templates import target_brain
from pipelines.workflows.connectivity import init_connectivity_wf
from pipelines.workflows.figures import init_connectivity_figures_wf

from .derivatives import Derivative, replace_file, replace_json
from .inputs import BoldRun, ParticipantInputs
from .participant import planned
from .settings import Settings

_FROM_CONNECTIVITY = (
    'mean_bold', 'analysis_mask', 'regions', 'coverage', 'carpet', 'seed_maps', 'icc', 'iccnorm', 'relmat', 'metadata',
)  # fmt: skip


class Saved(NamedTuple):
    """The file as it lies in the output dataset."""

    saved: Path


def save_derivative(in_file: Path, out_file: str, sidecar: dict, metadata: dict) -> Saved:
    """Put one file into the output dataset, with its JSON sidecar beside it."""
    target = Path(out_file)
    if target.suffix == '.json':
        replace_file(in_file, target)
        return Saved(target)
    replace_file(in_file, target)
    if sidecar:
        replace_json({**sidecar, **metadata}, target.with_name(target.name.split('.')[0] + '.json'))
    return Saved(target)


SaveDerivative = interface(save_derivative)
# an output that was removed by hand is put back although nothing else changed
SaveDerivative._always_run = True


def build_workflow(settings: Settings, people: list[ParticipantInputs]) -> LiterateWorkflow:
    """Return the workflow of all participants; each has its own folder in the work directory."""
    workflow = LiterateWorkflow(name='clbpe_wf', base_dir=str(settings.work_dir))
    for person in people:
        own = LiterateWorkflow(name=f'sub_{person.label}_wf')
        for run in person.runs:
            own.add_nodes([run_workflow(settings, run)])
        workflow.add_nodes([own])
    return workflow


def run_workflow(settings: Settings, run: BoldRun) -> LiterateWorkflow:
    """Return the workflow of one run, from its files to derivatives and figures."""
    words = [f'{key}_{value}' for key, value in run.entities.items() if key != 'sub']
    workflow = LiterateWorkflow(name='_'.join([*words, 'wf']).replace('+', ''))
    size = series_gb(run.bold)
    connectivity = init_connectivity_wf(
        params=settings.functional, t_r=run.t_r, space=run.space, series_gb=size
    )
    for name in ('bold', 'bold_mask', 'confounds', 'confounds_metadata'):
        value = run.mask if name == 'bold_mask' else getattr(run, name)
        setattr(connectivity.inputs.inputnode, name, str(value))
    figures = init_connectivity_figures_wf(
        fd_threshold=settings.functional.fd_threshold, background=str(target_brain(run.space))
    )
    workflow.connect([
        (connectivity, figures, [(f'outputnode.{f}', f'inputnode.{f}') for f in _FROM_CONNECTIVITY]),
    ])  # fmt: skip
    for number, (row, target) in enumerate(planned(settings, run)):
        source = figures if row.datatype == 'figures' else connectivity
        _attach(
            workflow, source, connectivity, row, target, run, f'save_{number:02d}_{row.output.split("[")[0]}'
        )
    return workflow


def _attach(
    workflow: Any, source: Any, connectivity: Any, row: Derivative, target: Path, run: BoldRun, name: str
) -> None:
    sidecar: dict[str, Any] = {}
    if row.description:
        sidecar = {'Description': row.description, 'Units': row.units, 'Sources': _sources(run)}
        if row.is_standard and run.res:
            sidecar['Resolution'] = f'as the preprocessed series, res-{run.res}'
        if row.suffix == 'bold':
            sidecar |= {'TaskName': run.entities.get('task', 'rest'), 'SkullStripped': True}
        if row.suffix == 'mask':
            sidecar |= {'Type': 'Brain'}
    node = pe.Node(
        SaveDerivative(out_file=str(target), sidecar=sidecar), name=name, run_without_submitting=True
    )
    field, _, index = row.output.partition('[')
    output = f'outputnode.{field}'
    if index:
        workflow.connect([(source, node, [((output, _pick, int(index.rstrip(']'))), 'in_file')])])
    else:
        workflow.connect([(source, node, [(output, 'in_file')])])
    workflow.connect([(connectivity, node, [('outputnode.metadata', 'metadata')])])


def _pick(items: list[str], index: int) -> str:
    return items[index]


def _sources(run: BoldRun) -> list[str]:
    subject = next(p for p in run.bold.parents if p.name == f'sub-{run.entities["sub"]}')
    files = (run.bold, run.mask, run.confounds)
    return [f'bids::{path.relative_to(subject.parent).as_posix()}' for path in files]
