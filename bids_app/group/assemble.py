"""Connect the workflows of the group to the files of the output dataset."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.interfaces.clusters import MapPlace
from pipelines.interfaces.terms_of_use import naming_atlas
from pipelines.params import GroupParams
from pipelines.stats.biomarker_design import SampleLabel, SamplesDesign
from pipelines.stats.design import (
    GENE_SET,
    DerivativeOutcome,
    OutcomesDesign,
)
from pipelines.stats.expression_contrasts import ExpressionDesign
from pipelines.stats.mediation_trial import variants
from pipelines.terms import MEASURES, Circuit
from pipelines.workflows.group import init_biomarkers_wf, init_outcomes_wf
from pipelines.workflows.maps import KindOfMap, init_voxelwise_wf
from pipelines.workflows.mechanism import init_expression_wf, init_mediation_wf

from ..outputs.chains import SavedStage
from ..outputs.found import stamp_of
from ..outputs.group import MAP_TABLES, OUTCOMES, of_biomarkers, of_figures, of_map_figures, of_maps, of_table
from ..outputs.mechanism import FACTS_OF, of_expression, of_mediation
from ..outputs.plan import Planned
from ..outputs.reliability import RELIABILITY
from ..outputs.sinks import Sunk, add_sink
from ..running.manifest import Receipt, receipts_folder
from ..settings import STEPS, Settings
from .maps import maps_design
from .plan import GroupPlan

_SLOPPY: dict[str, Any] = {'n_permutations': 100, 'n_bootstraps': 999, 'n_imputations': 100}
_READ = {
    'qc': 'qc',
    'relmat': 'relmat',
    'half1': 'half1',
    'half2': 'half2',
    'regions': 'regions_dseg',
    'region_names': 'regions_table',
}
"""Files of a run by the names that the step of imaging outcomes gives them."""


def planned_files(settings: Settings, plan: GroupPlan) -> list[Planned]:
    """Return every file of the group level."""
    out = settings.output_dir
    rows = (*OUTCOMES, *(RELIABILITY if plan.design.imaging else ()))
    planned = [of_table(out, 'outcomes', row) for row in rows]
    planned += of_figures(out, plan.design)
    if plan.biomarkers:
        planned += of_biomarkers(out, [biomarker.name for biomarker in plan.biomarkers])
    for number, kind in enumerate(plan.people):
        tests = plan.tests[kind]
        named = [(test.name, test.statistic) for test in tests]
        planned += of_maps(out, plan.results.space, kind, number, named)
        planned += of_map_figures(out, kind, number, [test.name for test in tests])
    if plan.people:
        planned += [of_table(out, 'voxelwise', row) for row in MAP_TABLES]
    if plan.expression:
        has_sets = bool(plan.expression.gene_sets)
        planned += of_expression(out, plan.expression.contrasts, has_sets=has_sets)
    if plan.analyses:
        is_late = any(analysis.reference == 'postRandomisation' for analysis in plan.analyses)
        planned += of_mediation(out, [variant.label for variant in variants(plan.mediation)], is_late=is_late)
    return planned


def group_stages(
    settings: Settings, plan: GroupPlan, parameters: Mapping[str, Any], inputs: Mapping[str, list[int]]
) -> list[SavedStage]:
    """Return what each sink of the group saves: figures apart, for tables and maps are kept though one fails."""
    stages: dict[str, list[Planned]] = {}
    for planned in planned_files(settings, plan):
        is_figure = planned.row.datatype == 'figures'
        stages.setdefault(f'{planned.stage}_figures' if is_figure else planned.stage, []).append(planned)
    folder, root = receipts_folder(settings.output_dir / 'group'), settings.output_dir
    return [
        SavedStage(name, own, Receipt(folder / f'{name}.json', root, parameters, inputs))
        for name, own in stages.items()
    ]


def build_group_workflow(
    settings: Settings, plan: GroupPlan, saved: Iterable[SavedStage]
) -> LiterateWorkflow:
    """Return the workflow of the group in the work folder of the participants, with a sink for each stage."""
    root = LiterateWorkflow(name=STEPS, base_dir=str(settings.work_dir))
    workflow = LiterateWorkflow(name='group_wf')
    root.add_nodes([workflow])
    stages: dict[str, Any] = {'outcomes': _outcomes(settings, plan)}
    workflow.add_nodes([stages['outcomes']])
    if plan.biomarkers:
        stages['biomarkers'] = _biomarkers(plan)
        workflow.add_nodes([stages['biomarkers']])
    if plan.people:
        stages['voxelwise'] = _voxelwise(settings, plan)
        values = ('outputnode.values', 'inputnode.values')
        workflow.connect([(stages['outcomes'], stages['voxelwise'], [values])])
    if plan.expression:
        stages['expression'] = stages['enrichment'] = _expression(settings, plan)
        workflow.add_nodes([stages['expression']])
    if plan.analyses:
        stages['mediation'] = _mediation(workflow, settings, plan, stages)
    shared = {'SpatialReference': plan.results.space, 'Trial': plan.trial.name}
    for stage in saved:
        files = [_sunk(planned, shared) for planned in stage.planned]
        add_sink(workflow, stages[stage.planned[0].stage], f'save_{stage.name}', files, stage.receipt)
    return root


def _outcomes(settings: Settings, plan: GroupPlan) -> LiterateWorkflow:
    visits = {visit.session_id: visit.name for visit in plan.trial.visits}
    design = plan.design
    used = {MEASURES[outcome.derivative].map for outcome in design.imaging}
    scans: list[dict[str, Any]] = [
        {
            'participant_id': scan.participant_id, 'visit': visits[scan.session_id],
            **{key: str(scan.files[output]) for key, output in _READ.items() if output in scan.files},
            'maps': {kind: str(path) for kind, path in scan.maps.items() if kind in used},
            'stamp': stamp_of(*scan.files.values()),
        }
        for scan in plan.results.scans
    ]  # fmt: skip
    tracts = [
        {
            'participant_id': tract.participant_id, 'visit': visits[tract.session_id],
            'session_id': tract.session_id.removeprefix('ses-'), 'table': str(tract.table), 'bundle': tract.bundle,
            'stamp': stamp_of(tract.table),
        }
        for tract in plan.results.tracts
    ]  # fmt: skip
    workflow = init_outcomes_wf(
        scans=scans, tracts=tracts, design=_with_pairs(design, plan.results.circuit), params=_params(settings),
        random_seed=settings.seed_of('missing'),
    )  # fmt: skip
    workflow.inputs.inputnode.tables = str(plan.tables['outcomes'])
    workflow.inputs.inputnode.participants = str(plan.tables['people'])
    return workflow


def _with_pairs(design: OutcomesDesign, circuit: Circuit) -> OutcomesDesign:
    """Return the design with the regions of tracts by name: where an outcome names none, the first pair is meant."""
    pairs = [(pair.first, pair.second) for pair in circuit.pairs]
    outcomes = [
        replace(own, regions=next((pair for pair in pairs if set(pair) == set(own.regions)), pairs[0]))
        if isinstance(own, DerivativeOutcome) and MEASURES[own.derivative].source == 'tract' and pairs
        else own
        for own in design.outcomes
    ]
    return replace(design, outcomes=tuple(outcomes))


def _biomarkers(plan: GroupPlan) -> LiterateWorkflow:
    visits = {visit.session_id: visit.name for visit in plan.trial.visits}
    designs = [
        SamplesDesign(
            name=biomarker.name, title=biomarker.title, units=biomarker.units, treated=plan.trial.treated,
            control=plan.trial.arms.control,
            samples=tuple(
                SampleLabel(
                    name=sample.name, time=sample.time,
                    session=visits.get(sample.session_id, sample.session_id.removeprefix('ses-')),
                )
                for sample in biomarker.samples
            ),
        )
        for biomarker in plan.biomarkers
    ]  # fmt: skip
    workflow = init_biomarkers_wf(designs=designs)
    workflow.inputs.inputnode.samples = str(plan.tables['biomarkers'])
    return workflow


def _voxelwise(settings: Settings, plan: GroupPlan) -> LiterateWorkflow:
    results = plan.results
    workflow = init_voxelwise_wf(
        kinds=[KindOfMap(kind, people, plan.tests[kind]) for kind, people in plan.people.items()],
        place=MapPlace(results.space, naming_atlas(results.circuit, results.space)),
        design=maps_design(plan.trial, plan.primary),
        params=_params(settings),
        random_seed=settings.seed_of('voxelwise'),
    )
    workflow.inputs.inputnode.participants = str(plan.tables['people'])
    return workflow


def _params(settings: Settings) -> GroupParams:
    return replace(settings.group, **_SLOPPY) if settings.sloppy else settings.group


def _expression(settings: Settings, plan: GroupPlan) -> LiterateWorkflow:
    assert plan.expression
    assert plan.trial.expression
    design = ExpressionDesign(
        arms=plan.trial.arms.names,
        covariates=plan.expression.covariates,
        contrasts=plan.expression.contrasts,
        visits=tuple(plan.expression.visits.items()),
        reference=plan.trial.expression.reference,
    )
    workflow = init_expression_wf(
        design=design,
        gene_sets=[str(path) for path in plan.expression.gene_sets],
        random_seed=settings.seed_of('expression'),
        size_factors=plan.expression.size_factors,
    )
    workflow.inputs.inputnode.counts = str(plan.expression.counts)
    workflow.inputs.inputnode.samples = str(plan.tables['samples'])
    return workflow


def _mediation(
    workflow: LiterateWorkflow, settings: Settings, plan: GroupPlan, stages: Mapping[str, Any]
) -> LiterateWorkflow:
    mediation = init_mediation_wf(
        design=plan.mediation, params=_params(settings), random_seed=settings.seed_of('mediation')
    )
    mediation.inputs.inputnode.participants = str(plan.tables['mediation'])
    workflow.connect([(stages['outcomes'], mediation, [('outputnode.values', 'inputnode.values')])])
    names = [name for analysis in plan.analyses for name in analysis.mediators]
    if any(name.startswith(GENE_SET) for name in names):
        workflow.connect(
            [
                (stages['expression'], mediation, [('outputnode.expression_scores', 'inputnode.scores')]),
            ]
        )
    return mediation


def _sunk(planned: Planned, shared: Mapping[str, Any]) -> Sunk:
    """Return a file with its sidecar; maps carry what their test says of itself."""
    row, facts = planned.row, ''
    about = {'Description': row.description, 'Units': row.units, **row.fields} if row.description else {}
    if row.is_standard:
        _, *numbers = row.output.split('[')
        facts = '['.join(['facts' if len(numbers) > 1 else 'stack_facts', *numbers])
        about |= shared
    return Sunk(row.output, planned.path, about, facts or FACTS_OF.get(row.output, ''))
