"""Connect the workflows of the group to the files of the output dataset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.params import GroupParams
from pipelines.workflows.group import init_bdnf_wf, init_clusters_wf, init_outcomes_wf, init_voxelwise_wf

from .group_derivatives import BDNF, CLUSTERS, OUTCOMES, of_figures, of_map_figures, of_maps, of_table
from .group_inputs import Results, stamp_of
from .plan import Planned
from .settings import Settings
from .sinks import SaveDerivative, pick
from .trial import DerivativeOutcome, Outcome, Trial

_SLOPPY_PERMUTATIONS = 100


class GroupPlan(NamedTuple):
    """What the group level computes.

    ``tables`` are the files with the tables as they were read; ``contrasts`` the voxel-wise tests that are
    possible; ``people`` maps a kind of map to who has which images.
    """

    trial: Trial
    outcomes: list[Outcome]
    tables: Mapping[str, Path]
    results: Results
    contrasts: tuple[str, ...]
    people: Mapping[str, list[dict[str, Any]]]

    @property
    def primary(self) -> str:
        """Return the name of the primary outcome, the first where none is called so."""
        names = [o.name for o in self.outcomes if o.role == 'primary'] or [o.name for o in self.outcomes]
        return names[0]


def planned_files(settings: Settings, plan: GroupPlan) -> list[Planned]:
    """Return every file of the group level."""
    out = settings.output_dir
    planned = [of_table(out, 'outcomes', row) for row in OUTCOMES]
    planned += of_figures(out, [outcome.name for outcome in plan.outcomes])
    if 'bdnf' in plan.tables:
        planned += [of_table(out, 'bdnf', row) for row in BDNF]
    for kind in plan.people:
        planned += of_maps(out, plan.results.space, kind, plan.contrasts)
        planned += of_map_figures(out, kind, plan.contrasts)
    if plan.people:
        planned += [of_table(out, 'clusters', row) for row in CLUSTERS]
    return planned


def build_group_workflow(settings: Settings, plan: GroupPlan) -> LiterateWorkflow:
    """Return the workflow of the group in the work folder of the participants."""
    root = LiterateWorkflow(name='clbpe_wf', base_dir=str(settings.work_dir))
    workflow = LiterateWorkflow(name='group_wf')
    root.add_nodes([workflow])
    stages: dict[str, Any] = {'outcomes': _outcomes(plan)}
    workflow.add_nodes([stages['outcomes']])
    if 'bdnf' in plan.tables:
        stages['bdnf'] = _bdnf(plan)
        workflow.add_nodes([stages['bdnf']])
    for kind in plan.people:
        stages[f'voxelwise_{kind}'] = _voxelwise(settings, plan, kind)
        workflow.connect(
            [
                (
                    stages['outcomes'],
                    stages[f'voxelwise_{kind}'],
                    [('outputnode.values', 'inputnode.values')],
                ),
            ]
        )
    if plan.people:
        stages['clusters'] = _clusters(workflow, plan, stages)
    _save(workflow, settings, plan, stages)
    return root


def _outcomes(plan: GroupPlan) -> LiterateWorkflow:
    visits = {visit.session_id: visit.name for visit in plan.trial.visits}
    scans = [
        {
            'participant_id': scan.participant_id, 'visit': visits[scan.session_id], 'relmat': str(scan.relmat),
            'icc': str(scan.maps['icc']), 'regions': str(scan.regions), 'qc': str(scan.qc),
            'stamp': stamp_of(scan.relmat, scan.maps['icc'], scan.regions, scan.qc),
        }
        for scan in plan.results.scans
    ]  # fmt: skip
    tracts = [
        {
            'participant_id': tract.participant_id, 'visit': visits[tract.session_id],
            'session_id': tract.session_id.removeprefix('ses-'), 'table': str(tract.table),
            'stamp': stamp_of(tract.table),
        }
        for tract in plan.results.tracts
    ]  # fmt: skip
    workflow = init_outcomes_wf(scans=scans, tracts=tracts, design=_design(plan))
    workflow.inputs.inputnode.tables = str(plan.tables['outcomes'])
    workflow.inputs.inputnode.participants = str(plan.tables['participants'])
    return workflow


def _design(plan: GroupPlan) -> dict[str, Any]:
    """Return what models, readers and figures need to know of the trial."""
    design: dict[str, Any] = {
        'treatment': plan.trial.arms.treatment,
        'outcomes': [_model_of(outcome) for outcome in plan.outcomes],
        'imaging': [
            {
                'name': o.name,
                'derivative': o.derivative,
                'regions': list(o.regions),
                'hemisphere': o.hemisphere,
            }
            for o in plan.outcomes
            if isinstance(o, DerivativeOutcome)
        ],
    }
    design['figures'] = {
        'treatment': plan.trial.arms.treatment,
        'control': plan.trial.arms.control,
        'visits': {visit.name: visit.session_id.removeprefix('ses-') for visit in plan.trial.visits},
        'outcomes': [
            {
                'name': o.name, 'title': o.description or o.name, 'units': o.units, 'role': o.role,
                'lower_is_better': o.lower_is_better,
            }
            for o in plan.outcomes
        ],
    }  # fmt: skip
    return design


def _model_of(outcome: Outcome) -> dict[str, Any]:
    percent = outcome.minimal_important_percent
    return {
        'name': outcome.name,
        'units': outcome.units,
        'lower_is_better': outcome.lower_is_better,
        'absolute': outcome.minimal_important_change,
        'relative': None if percent is None else percent / 100,
        'in_family': isinstance(outcome, DerivativeOutcome) and outcome.role != 'other',
    }


def _bdnf(plan: GroupPlan) -> LiterateWorkflow:
    assert plan.trial.bdnf
    design = {
        'treatment': plan.trial.arms.treatment,
        'control': plan.trial.arms.control,
        'samples': [sample.name for sample in plan.trial.bdnf.samples],
        'units': plan.trial.bdnf.units,
        'labels': {s.name: [s.session_id.removeprefix('ses-'), s.time] for s in plan.trial.bdnf.samples},
    }
    workflow = init_bdnf_wf(design=design)
    workflow.inputs.inputnode.samples = str(plan.tables['bdnf'])
    return workflow


def _voxelwise(settings: Settings, plan: GroupPlan, kind: str) -> LiterateWorkflow:
    workflow = init_voxelwise_wf(
        people=plan.people[kind],
        kind=kind,
        space=plan.results.space,
        contrasts=plan.contrasts,
        treatment=plan.trial.arms.treatment,
        primary=plan.primary,
        params=GroupParams(n_permutations=_SLOPPY_PERMUTATIONS) if settings.sloppy else settings.group,
        random_seed=settings.seed_of(f'voxelwise_{kind}'),
        name=f'voxelwise_{kind}_wf',
    )
    workflow.inputs.inputnode.participants = str(plan.tables['participants'])
    return workflow


def _clusters(workflow: LiterateWorkflow, plan: GroupPlan, stages: Mapping[str, Any]) -> LiterateWorkflow:
    kinds = tuple(plan.people)
    clusters = init_clusters_wf(kinds=kinds, contrasts=plan.contrasts, space=plan.results.space)
    for kind in kinds:
        fields = ('statistic', 'log_p_max_tfce')
        workflow.connect(
            [
                (
                    stages[f'voxelwise_{kind}'],
                    clusters,
                    [(f'outputnode.{f}', f'inputnode.{f}_{kind}') for f in fields],
                ),
            ]
        )
    return clusters


def _save(workflow: LiterateWorkflow, settings: Settings, plan: GroupPlan, stages: Mapping[str, Any]) -> None:
    """Attach one sink to every file; maps carry what their test says of itself."""
    shared = {'SpatialReference': plan.results.space, 'Trial': plan.trial.name}
    for number, (stage, row, path) in enumerate(planned_files(settings, plan)):
        about = {'Description': row.description, 'Units': row.units, **row.fields} if row.description else {}
        output, index = row.index
        if row.is_standard:
            about |= shared
        sink = SaveDerivative(out_file=str(path), sidecar=about, metadata={})
        node = pe.Node(sink, name=f'save_{number:03d}_{output}', run_without_submitting=True)
        links: list[Any] = [
            (f'outputnode.{output}' if index is None else (f'outputnode.{output}', pick, index), 'in_file')
        ]
        if row.is_standard:
            facts = 'outputnode.stack_facts' if index is None else ('outputnode.facts', pick, index)
            links.append((facts, 'metadata'))
        workflow.connect([(stages[stage], node, links)])
