"""Chains of a participant: what is made of which files with which parameters, each with receipts of its own."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..running.manifest import Receipt, fingerprint, read_receipts, receipts_folder
from ..scans.bold import BoldRun
from ..scans.diffusion import INDIVIDUAL, DwiSession
from ..scans.fmriprep import ShownAnatomy
from ..scans.people import ParticipantInputs
from ..scans.query import entities_of
from ..settings import Settings
from .plan import (
    Planned,
    is_tract_per_session,
    of_anatomy,
    of_run,
    of_session,
    of_shown_anatomy,
    of_tract,
    region_files,
    tracts_of,
)

_SAVED = ('anatomical', 'functional', 'connectivity', 'dwi', 'tract')
"""Stages that save results, in the order of a page."""


class SavedStage(NamedTuple):
    """The files that one step saves, and its receipt."""

    name: str
    planned: list[Planned]
    receipt: Receipt

    def is_current(self, *, overwrite: bool) -> bool:
        """Return whether the step has nothing to do."""
        return self.receipt.is_current((plan.path for plan in self.planned), overwrite=overwrite)


class Chain(NamedTuple):
    """What is made of a scan, or of several together: its stages by name."""

    stages: dict[str, SavedStage]

    def is_current(self, *, overwrite: bool) -> bool:
        """Return whether all files are there, made of these inputs with these parameters.

        Raises
        ------
        OutputError
            They were made with other parameters and ``overwrite`` is off; names the first.

        """
        done = [stage.is_current(overwrite=overwrite) for stage in self.stages.values()]
        return all(done)


def make_chain(
    settings: Settings,
    source: Mapping[str, str],
    planned: Iterable[Planned],
    inputs: Iterable[Path],
    parameters: Mapping[str, Any],
) -> Chain:
    """Return a chain with a receipt per stage, named after the entities of its source."""
    words = [f'{key}-{value}' for key, value in source.items() if key != 'sub']
    folder = receipts_folder(settings.output_dir / f'sub-{source["sub"]}')
    known = fingerprint({settings.name_of(path): path for path in inputs})
    stages: dict[str, list[Planned]] = {}
    for plan in planned:
        stages.setdefault(plan.stage, []).append(plan)

    def receipt(stage: str) -> Receipt:
        return Receipt(folder / f'{"_".join([*words, stage])}.json', settings.output_dir, parameters, known)

    return Chain({stage: SavedStage(stage, own, receipt(stage)) for stage, own in stages.items()})


def chain_of_anatomy(settings: Settings, person: ParticipantInputs) -> Chain:
    """Return the anatomical reference of raw T1-weighted images, and how the regions lie in it."""
    parameters = settings.parameters_of(settings.space) | settings.region_parameters()
    inputs = [*person.t1w, *region_files(settings, person.label)]
    return make_chain(settings, person.anatomy(), of_anatomy(settings, person), inputs, parameters)


def chain_of_shown(settings: Settings, anatomy: ShownAnatomy) -> Chain:
    """Return the figure of an anatomy that fMRIPrep normalised."""
    source = {k: v for k, v in entities_of(anatomy.t1w).items() if k not in ('space', 'res', 'desc')}
    planned = [of_shown_anatomy(settings, anatomy)]
    return make_chain(settings, source, planned, [anatomy.t1w], settings.parameters_of())


def chain_of_run(settings: Settings, person: ParticipantInputs, run: BoldRun) -> Chain:
    """Return the connectivity of a BOLD run, with its preprocessing where it is raw."""
    parameters = settings.parameters_of(settings.space, settings.denoise, settings.maps)
    parameters |= settings.region_parameters()
    inputs = [*run.files(), *region_files(settings, person.label)]
    if run.preprocessed is None:
        parameters |= settings.parameters_of(settings.distortion)
        inputs += person.t1w
    return make_chain(settings, run.entities, of_run(settings, run), inputs, parameters)


def chain_of_session(settings: Settings, person: ParticipantInputs, session: DwiSession) -> Chain:
    """Return the maps of the diffusion scans of a session."""
    assert person.diffusion
    inputs, parameters = _of_diffusion(settings, person, [session])
    planned = of_session(settings, person.diffusion, session)
    return make_chain(settings, session.entities, planned, inputs, parameters)


def chain_of_tract(
    settings: Settings, person: ParticipantInputs, source: Mapping[str, str], members: list[DwiSession]
) -> Chain:
    """Return the tract of some sessions."""
    assert person.diffusion
    inputs, parameters = _of_diffusion(settings, person, members)
    parameters |= settings.parameters_of(settings.space, settings.tract, settings.scalars)
    parameters |= settings.region_parameters()
    # what is made counts, not what was asked for: the group does not mix the two
    parameters['tract'] = 'independent' if is_tract_per_session(settings) else 'person'
    inputs += [path for session in members if session.anatomy for path in session.anatomy.files()]
    inputs += [path for session in members for path in session.maps()]
    inputs += person.freesurfer.files() if person.freesurfer else []
    inputs += region_files(settings, person.label)
    return make_chain(settings, source, of_tract(settings, person.diffusion, source), inputs, parameters)


def _of_diffusion(
    settings: Settings, person: ParticipantInputs, members: list[DwiSession]
) -> tuple[list[Path], dict[str, Any]]:
    """Return inputs and parameters that the maps of sessions rest on."""
    assert person.diffusion
    every = person.diffusion.sessions
    # without T1w image, or with several, sessions meet half-way; else QSIPrep's lie on the grid of the first
    rests_on = every if person.diffusion.space == INDIVIDUAL else [every[0], *members]
    found = members if person.t1w and not person.diffusion.is_preprocessed else rests_on
    inputs = [path for session in found for path in session.files()]
    if person.diffusion.is_between:
        inputs += [path for anatomy in person.diffusion.anatomies for path in anatomy.files()]
    if person.diffusion.is_preprocessed:
        return inputs, settings.parameters_of()
    return [*inputs, *person.t1w], settings.parameters_of(settings.distortion, settings.dwi)


def chains_of_diffusion(settings: Settings, person: ParticipantInputs) -> list[Chain]:
    """Return the chains of diffusion, which need one another: maps of sessions, and tracts."""
    found = person.diffusion
    if not found:
        return []
    tracts = tracts_of(settings, person.label, found)
    return [
        *(chain_of_session(settings, person, session) for session in found.sessions),
        *(chain_of_tract(settings, person, source, members) for source, members in tracts),
    ]


def left_to_do(settings: Settings, person: ParticipantInputs) -> ParticipantInputs:
    """Return of a participant what is not up to date; what it stands on comes along.

    Raises
    ------
    OutputError
        Something was made with other parameters and ``--overwrite`` is off; names it.

    """

    def is_done(chain: Chain) -> bool:
        return chain.is_current(overwrite=settings.overwrite)

    shown = {a for a in person.anatomies() if not is_done(chain_of_shown(settings, a))}
    runs = [
        run for run in person.runs if not is_done(chain_of_run(settings, person, run)) or run.anatomy in shown
    ]
    done = [is_done(chain) for chain in chains_of_diffusion(settings, person)]
    diffusion = None if all(done) else person.diffusion
    if person.t1w and not is_done(chain_of_anatomy(settings, person)):
        return person
    is_needed = any(run.preprocessed is None for run in runs) or (diffusion and not diffusion.is_preprocessed)
    return person._replace(runs=runs, diffusion=diffusion, t1w=person.t1w if is_needed else [])


def methods_of(folder: Path) -> list[str]:
    """Return how all that lies in a participant's folder was made, each paragraph once."""
    receipts = read_receipts(folder)
    told = [
        receipts[name].get('methods', []) for stage in _SAVED for name in receipts if name.endswith(stage)
    ]
    return list(dict.fromkeys(str(text) for own in told for text in own))
