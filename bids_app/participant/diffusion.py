"""Connect the diffusion workflows of one participant: every session, then the tract that they share."""

from collections.abc import Iterable
from typing import Any

from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.interfaces.dwi_space import MakeGrid, voxel_of
from pipelines.interfaces.gather import Gather
from pipelines.scalar_maps import TractScalars
from pipelines.workflows.diffusion import init_dwi_preprocessed_wf, init_dwi_session_wf
from pipelines.workflows.dwi_scans import SCANS, ScanFiles, init_dwi_scans_wf, init_half_way_wf
from pipelines.workflows.figures import ON_ANATOMY, dwi_figures, tract_figures
from pipelines.workflows.tract import SESSION, TISSUE, init_tract_wf
from pipelines.workflows.tract_scalars import measure_scalars_too

from ..outputs.anatomy import ANATOMY
from ..outputs.chains import chain_of_session, chain_of_tract
from ..outputs.diffusion import DIFFUSION
from ..outputs.plan import tracts_of
from ..outputs.rows import derivative_name
from ..outputs.sinks import draw_from, figures_node, pick, save_stage
from ..scans.diffusion import Diffusion, DwiSession
from ..scans.fieldmaps import is_corrected
from ..scans.people import ParticipantInputs
from ..settings import Settings
from .adopted import Adopted, adopt
from .field import given_field
from .labels import ALIGNED

_SHOWN = ('dwiref', 'dwi_mask', 'fa', 'evec')


def add_diffusion(
    workflow: LiterateWorkflow, settings: Settings, person: ParticipantInputs, anatomy: Any, labels: Any
) -> None:
    """Add everything that diffusion gives to the workflow of a participant.

    Parameters
    ----------
    workflow
        Of the participant.
    settings, person
        What is asked for, and what there is.
    anatomy
        Workflow of the T1w images; None without, or when QSIPrep made the anatomy.
    labels
        Workflow of FreeSurfer's labels; None where no region needs them.

    Notes
    -----
    Scans, maps, tracts and figures of sessions are workflows of their own, for without T1w each needs
    the one before of all sessions.

    """
    found = person.diffusion
    assert found
    maps = [session_workflow(settings, person, session) for session in found.sessions]
    shown = [figures_workflow(settings, person, session) for session in found.sessions]
    workflow.add_nodes([*maps, *shown])
    scans = [] if found.is_preprocessed else _scans_of(workflow, settings, found, maps, has_t1w=bool(anatomy))
    inner = 'dwi_preprocessed_wf' if found.is_preprocessed else 'dwi_session_wf'
    adopted = adopt(settings, person)
    if labels and adopted:
        adopted.give(workflow, labels, 'align', {field: field for field in ALIGNED})
    grid = _grid(workflow, settings, person, adopted or anatomy, scans, maps)
    drawn = [*_SHOWN, *([] if found.is_preprocessed else ['confounds'])]
    for session, own, figures in zip(found.sessions, maps, shown):
        workflow.connect([(own, figures, [(f'{inner}.outputnode.{f}', f'figures.{f}') for f in drawn])])
        if not found.is_preprocessed:
            workflow.connect([(grid[0], own, [(grid[1], f'{inner}.inputnode.person_mask')])])
        if anatomy:
            _connect_anatomy(workflow, anatomy, own, figures, person.t1w_of(session.entities))
        if adopted:
            adopted.show(workflow, found, session, (own, figures))
    for number, (entities, members) in enumerate(tracts_of(settings, person.label, found)):
        tract = tract_workflow(settings, person, entities, members, number)
        chosen = [found.sessions.index(member) for member in members]
        workflow.connect([(grid[0], tract, [(grid[1], 'tract_wf.inputnode.person_mask')])])
        for order, index in enumerate(chosen):
            fields = [(f'{inner}.outputnode.{f}', f'tract_wf.session_{order}.{f}') for f in SESSION]
            workflow.connect([(maps[index], tract, fields)])
        if labels:
            workflow.connect([(labels, tract, [('align.labels', 'tract_wf.inputnode.labels')])])
        if anatomy:
            _give_anatomy(workflow, anatomy, tract)
        elif adopted:
            adopted.serve(workflow, tract)
        else:
            _show_normalization(workflow, tract, maps[chosen[0]], [shown[index] for index in chosen])


def _connect_anatomy(workflow: Any, anatomy: Any, maps: Any, figures: Any, number: int) -> None:
    """Give the anatomy to a session; ``number`` is the T1-weighted image of that session."""
    xfm = ('anatomical_wf.outputnode.t1w2ref_xfms', pick, number)
    workflow.connect([
        (anatomy, maps, [
            *((f'anatomical_wf.outputnode.{f}', f'dwi_session_wf.inputnode.{f}') for f in ON_ANATOMY[:2]),
            (xfm, 'dwi_session_wf.inputnode.session_xfm'),
        ]),
        (anatomy, figures, [
            (f'anatomical_wf.outputnode.{f}', f'figures.{f}') for f in ON_ANATOMY
        ]),
    ])  # fmt: skip


def _give_anatomy(workflow: Any, anatomy: Any, tract: Any) -> None:
    workflow.connect([
        (anatomy, tract, [
            ('anatomical_wf.outputnode.std2anat_xfm', 'tract_wf.inputnode.std2anat_xfm'),
            ('anatomical_wf.outputnode.t1w_preproc', 'figures.background'),
            *((f'anatomical_wf.outputnode.t1w_{f}', f'tract_wf.inputnode.{f}') for f in TISSUE),
        ]),
    ])  # fmt: skip


def _show_normalization(workflow: Any, tract: Any, maps: Any, shown: list[Any]) -> None:
    """Without T1w: the tract lies on the anisotropy, and each session shows the tract's normalisation."""
    workflow.connect(
        [
            (maps, tract, [('dwi_session_wf.outputnode.fa', 'figures.background')]),
            *((tract, figures, [('tract_wf.outputnode.fa_std', 'figures.fa_std')]) for figures in shown),
        ]
    )


def _scans_of(
    workflow: Any, settings: Settings, found: Diffusion, maps: list[LiterateWorkflow], *, has_t1w: bool
) -> list[LiterateWorkflow]:
    """Return the workflows of raw scans, each connected to the maps of its session."""
    given = [*SCANS, *(['reference', 'b0s'] if has_t1w else [])]
    fields = [(f'outputnode.{f}', f'dwi_session_wf.inputnode.{f}') for f in given]
    scans = [_scans(settings, session) for session in found.sessions]
    workflow.connect([(prepared, own, fields) for prepared, own in zip(scans, maps)])
    return scans


def _scans(settings: Settings, session: DwiSession) -> LiterateWorkflow:
    return init_dwi_scans_wf(
        params=settings.dwi,
        field=given_field(session.estimator) if session.estimator else None,
        name=f'dwi_{_word(session.entities)}_scans_wf',
        **_options(settings, session),
    )


def _options(settings: Settings, session: DwiSession) -> dict[str, Any]:
    is_used = is_corrected(settings)
    has_eddies = 'eddy' not in settings.distortion.ignore
    scans = [
        ScanFiles(
            str(s.dwi), str(s.bval), str(s.bvec),
            s.direction if is_used else '', s.readout_time, s.axis if has_eddies else '',
        )
        for s in session.scans
    ]  # fmt: skip
    seed = settings.seed_of(session.scans[0].dwi.name)
    return {'scans': scans, 'sloppy': settings.sloppy, 'random_seed': seed}


def session_workflow(settings: Settings, person: ParticipantInputs, session: DwiSession) -> LiterateWorkflow:
    """Return the workflow of the maps of one session, to derivatives."""
    found = person.diffusion
    assert found
    workflow = LiterateWorkflow(name=f'dwi_{_word(session.entities)}_wf')
    if found.is_preprocessed:
        scan = session.scans[0]
        maps = init_dwi_preprocessed_wf(
            dwi=str(scan.dwi), bval=str(scan.bval), bvec=str(scan.bvec), dwi_mask=str(scan.mask),
            grid_mask='' if found.is_between else str(found.sessions[0].scans[0].mask),
        )  # fmt: skip
    else:
        maps = init_dwi_session_wf(
            use_syn_sdc=settings.distortion.use_syn_sdc and is_corrected(settings),
            has_t1w=found.has_t1w,
            **_options(settings, session),
        )
    stage = chain_of_session(settings, person, session).stages['dwi']
    save_stage(workflow, maps, stage, _sources([session]), _space(person))
    return workflow


def _sources(sessions: list[DwiSession]) -> dict[str, Any]:
    """Return what sidecars say of the series of sessions, and of volumes of them that are not used."""
    left_out = {name: volumes for session in sessions for name, volumes in session.left_out().items()}
    sources = {'Sources': [uri for session in sessions for uri in session.uris()]}
    return {**sources, 'VolumesWithoutDirection': left_out} if left_out else {**sources}


def figures_workflow(settings: Settings, person: ParticipantInputs, session: DwiSession) -> LiterateWorkflow:
    """Return the workflow of the figures of one session."""
    found = person.diffusion
    assert found
    workflow = LiterateWorkflow(name=f'dwi_{_word(session.entities)}_figures_wf')
    gallery = dwi_figures(has_t1w=found.has_t1w, space=found.template, has_motion=not found.is_preprocessed)
    stage = chain_of_session(settings, person, session).stages['dwi_figures']
    figures = figures_node(gallery, stage)
    workflow.add_nodes([figures])
    return workflow


def tract_workflow(
    settings: Settings,
    person: ParticipantInputs,
    entities: dict[str, str],
    members: list[DwiSession],
    number: int,
) -> LiterateWorkflow:
    """Return the workflow of one tract, to derivatives and figures."""
    found = person.diffusion
    assert found
    workflow = LiterateWorkflow(name=f'tract_{number}_wf')
    tract = init_tract_wf(
        params=settings.tract,
        circuit=settings.circuit_of(person.label),
        space=found.template,
        sessions=[member.label for member in members],
        has_t1w=found.has_t1w,
        has_tissue=found.has_t1w,
        sloppy=settings.sloppy,
        random_seed=settings.seed_of('_'.join([*entities.values(), 'tract'])),
    )
    scalars = tuple(own for member in members for own in member.scalars)
    if scalars:
        measure_scalars_too(tract, TractScalars(circuit=settings.circuit_of(person.label), maps=scalars))
    stages = chain_of_tract(settings, person, entities, members).stages
    figures = figures_node(tract_figures(circuit=settings.circuit), stages['tract_figures'])
    draw_from(workflow, tract, figures, [f for f in figures.interface.fields if f != 'background'])
    sidecar = _sources(members)
    sidecar['Sources'] += found.freesurfer.uris() if found.freesurfer else []
    labelled = [anatomy.t1w_dseg for anatomy in found.anatomies if not anatomy.has_tissue]
    if labelled:
        sidecar['TissueLabels'] = [members[0].dataset.uri(path) for path in labelled]
    save_stage(workflow, tract, stages['tract'], sidecar, _space(person))
    return workflow


def _grid(
    workflow: LiterateWorkflow, settings: Settings, person: ParticipantInputs, anatomy: Any,
    scans: list[LiterateWorkflow], maps: list[LiterateWorkflow],
) -> tuple[Any, str]:  # fmt: skip
    """Return what gives the person's grid: a node or workflow, and the name of the output."""
    found = person.diffusion
    assert found
    if isinstance(anatomy, Adopted):
        return anatomy.grid(found, maps)
    voxels = [voxel_of(scan.dwi) for session in found.sessions for scan in session.scans]
    if anatomy:
        node = pe.Node(MakeGrid(voxel=max(voxels)), name='dwi_grid', mem_gb=1.0)
        workflow.connect([(anatomy, node, [('anatomical_wf.outputnode.t1w_mask', 't1w_mask')])])
        return node, 'person_mask'
    half_way = init_half_way_wf(
        n_sessions=len(scans), voxel=max(voxels), sloppy=settings.sloppy,
        random_seed=settings.seed_of(f'sub-{person.label}_dwi'),
    )  # fmt: skip
    fields = ('reference', 'reference_mask')
    gather = pe.Node(Gather(fields, (), len(scans)), name='dwi_references')
    workflow.connect([
        *((own, gather, [(f'outputnode.{f}', f'{f}_{n}') for f in fields]) for n, own in enumerate(scans)),
        (gather, half_way, [(f, f'inputnode.{f}s') for f in fields]),
    ])  # fmt: skip
    for number, own in enumerate(maps):
        xfm = ('outputnode.person2dwi_xfms', pick, number)
        workflow.connect([(half_way, own, [(xfm, 'dwi_session_wf.inputnode.person2dwi_xfm')])])
    return half_way, 'outputnode.person_mask'


def _space(person: ParticipantInputs) -> dict[str, str]:
    """Return what the sidecar of a file in the person's space says of it."""
    found = person.diffusion
    assert found
    if found.anatomy:
        return {'SpatialReference': found.sessions[0].dataset.uri(found.anatomy.t1w_preproc)}
    if person.t1w and not found.is_preprocessed:
        reference = derivative_name(person.anatomy(), ANATOMY[0], space='', res=None)
    else:
        reference = derivative_name(found.sessions[0].entities, DIFFUSION[0], space=found.space, res=None)
    return {'SpatialReference': f'bids::{reference}'}


def _word(entities: dict[str, str]) -> str:
    """Return the entities of a session as part of a workflow's name."""
    words: Iterable[str] = (f'{key}_{value}' for key, value in entities.items() if key != 'sub')
    return '_'.join(words).replace('+', '-') or 'all'
