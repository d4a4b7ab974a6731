"""Which files a participant will have: the rows of the table that apply, and their paths."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pipelines.interfaces import choices
from pipelines.params import SPACES

from ..scans.bold import RAW_RESOLUTION, BoldRun
from ..scans.diffusion import Diffusion, DwiSession
from ..scans.fmriprep import ShownAnatomy
from ..scans.people import ParticipantInputs
from ..scans.query import entities_of
from ..settings import Settings
from .anatomy import ANATOMICAL_FIGURES, ANATOMY
from .bold import (
    CONNECTIVITY_FIGURES,
    DENOISED,
    DISTORTION_FIGURES,
    FUNCTIONAL,
    FUNCTIONAL_FIGURES,
    atlas_label,
    connectivity_rows,
)
from .diffusion import (
    DIFFUSION,
    DIFFUSION_COREGISTRATION,
    DIFFUSION_FIGURES,
    DIFFUSION_MOTION,
    DIFFUSION_NORMALIZATION,
    DIFFUSION_RAW,
    DIFFUSION_T1W,
    TRACT_FIGURES,
    tck_rows,
    tract_rows,
)
from .rows import Derivative, derivative_name

_ANATOMY_RESOLUTION = '1'


class Planned(NamedTuple):
    """One file to be written: the workflow whose outputnode has it, its row and its path."""

    stage: str
    row: Derivative
    path: Path


def region_files(settings: Settings, label: str) -> list[Path]:
    """Return the images that a participant's regions are taken from."""
    return choices.source_files(settings.circuit_of(label))


def of_participant(settings: Settings, person: ParticipantInputs) -> Iterator[Planned]:
    """Yield every file of a participant."""
    if person.t1w:
        yield from of_anatomy(settings, person)
    for anatomy in person.anatomies():
        yield of_shown_anatomy(settings, anatomy)
    for run in person.runs:
        yield from of_run(settings, run)
    if person.diffusion:
        for session in person.diffusion.sessions:
            yield from of_session(settings, person.diffusion, session)
        for entities, _ in tracts_of(settings, person.label, person.diffusion):
            yield from of_tract(settings, person.diffusion, entities)


def of_anatomy(settings: Settings, person: ParticipantInputs) -> Iterator[Planned]:
    """Yield the files of the one anatomical reference."""
    space = settings.space.output_space or SPACES[0]
    res = RAW_RESOLUTION if settings.sloppy else _ANATOMY_RESOLUTION
    source, atlas = person.anatomy(), atlas_label(settings.circuit)
    for stage, rows in (('anatomical', ANATOMY), ('anatomical_figures', ANATOMICAL_FIGURES)):
        for row in rows:
            name = derivative_name(source, row, space=space, res=res, atlas=atlas)
            yield Planned(stage, row, settings.output_dir / name)


def of_shown_anatomy(settings: Settings, anatomy: ShownAnatomy) -> Planned:
    """Return the figure of an anatomy that fMRIPrep normalised."""
    source = {k: v for k, v in entities_of(anatomy.t1w).items() if k not in ('space', 'res', 'desc')}
    row = next(row for row in ANATOMICAL_FIGURES if row.output == 'normalization_figure')
    return Planned(
        'anatomical_figures', row, settings.output_dir / derivative_name(source, row, space='', res=None)
    )


def of_run(settings: Settings, run: BoldRun) -> Iterator[Planned]:
    """Yield the files of one BOLD run."""
    circuit = settings.circuit
    atlas = atlas_label(circuit)
    stages: dict[str, tuple[Derivative, ...]] = {
        'connectivity': (*connectivity_rows(circuit), *(DENOISED if settings.extra.write_denoised else ())),
        'connectivity_figures': CONNECTIVITY_FIGURES,
    }
    if run.preprocessed is None:
        drawn = (*FUNCTIONAL_FIGURES, *(DISTORTION_FIGURES if run.is_undistorted(settings) else ()))
        stages |= {'functional': FUNCTIONAL, 'functional_figures': drawn}
    elif run.anatomy:
        stages['connectivity_figures'] += FUNCTIONAL_FIGURES
    for stage, rows in stages.items():
        for row in rows:
            name = derivative_name(run.entities, row, space=run.space, res=run.res, atlas=atlas)
            yield Planned(stage, row, settings.output_dir / name)


def of_session(settings: Settings, found: Diffusion, session: DwiSession) -> Iterator[Planned]:
    """Yield the files of the diffusion scans of one session."""
    rows = [*DIFFUSION, *(() if found.is_preprocessed else DIFFUSION_RAW)]
    rows += DIFFUSION_T1W if found.has_t1w and not found.is_preprocessed else ()
    figures = [*DIFFUSION_FIGURES, DIFFUSION_COREGISTRATION if found.has_t1w else DIFFUSION_NORMALIZATION]
    figures += [] if found.is_preprocessed else [DIFFUSION_MOTION]
    yield from _diffusion(settings, found, session.entities, {'dwi': rows, 'dwi_figures': figures})


def is_tract_per_session(settings: Settings) -> bool:
    """Return whether each session has a tract of its own.

    It has with ``--tract independent``, and where sessions are chosen by ``--session-label``: jobs that see one
    session each must add up.
    """
    return settings.tract.tract == 'independent' or bool(settings.session_label)


def tracts_of(
    settings: Settings, label: str, found: Diffusion
) -> list[tuple[dict[str, str], list[DwiSession]]]:
    """Return entities and sessions of every search for tracts: one for all, one each, or none without pairs."""
    if not settings.circuit.pairs:
        return []
    if is_tract_per_session(settings):
        return [(session.entities, [session]) for session in found.sessions]
    return [({'sub': label}, found.sessions)]


def of_tract(settings: Settings, found: Diffusion, entities: Mapping[str, str]) -> Iterator[Planned]:
    """Yield the files of one tract."""
    rows = [*tract_rows(settings.circuit), *(tck_rows(settings.circuit) if settings.extra.write_tck else ())]
    yield from _diffusion(settings, found, entities, {'tract': rows, 'tract_figures': TRACT_FIGURES})


def _diffusion(
    settings: Settings,
    found: Diffusion,
    entities: Mapping[str, str],
    stages: Mapping[str, Iterable[Derivative]],
) -> Iterator[Planned]:
    for stage, rows in stages.items():
        for row in rows:
            name = derivative_name(entities, row, space=found.space, res=None)
            yield Planned(stage, row, settings.output_dir / name)
