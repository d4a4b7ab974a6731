"""What the steps of a participant would refuse, found before the first one runs."""

import logging

from pipelines.errors import ClbpeError
from pipelines.terms import default_circuit

from ..scans.bold import BoldRun
from ..scans.dataset import Absence
from ..scans.people import ParticipantInputs, participants
from ..settings import Settings

LOGGER = logging.getLogger(__name__)


def check_regions(settings: Settings) -> None:
    """Refuse regions that no run of the chosen people could use.

    Raises
    ------
    ClbpeError
        Naming the option or region, its source and what is offered.

    """
    if settings.circuit == default_circuit():
        return  # a run with nothing to do should not wait for the import of atlases
    from pipelines.interfaces.drawing import check_sources

    circuits = dict.fromkeys(settings.circuit_of(label) for label in participants(settings))
    for own in dict.fromkeys(own for circuit in circuits for own in circuit.structures):
        check_sources(own)


def feasible(settings: Settings, person: ParticipantInputs) -> ParticipantInputs:
    """Return a person without the runs that a step would refuse; each is an absence with its reason.

    Parameters
    ----------
    settings
        Options that decide it: preset, band, limits.
    person
        What there is.

    Notes
    -----
    A run that fMRIPrep preprocessed is judged by its confounds, a raw one by its length alone.  T1-weighted images that
    only refused runs needed are left out with them.

    """
    runs: list[BoldRun] = []
    absent: list[Absence] = []
    for run in person.runs:
        try:
            _check(settings, run)
        except (ClbpeError, PermissionError) as error:
            absent.append(Absence.of('bold', error))
        else:
            runs.append(run)
    left = person._replace(runs=runs, absent=[*person.absent, *absent])
    return left if left.needs_t1w else left._replace(t1w=[])


def _check(settings: Settings, run: BoldRun) -> None:
    from pipelines.interfaces.degrees import refuse_hopeless
    from pipelines.interfaces.design import check_run

    if run.preprocessed is None:
        refuse_hopeless(run.bold, run.t_r, settings.denoise)
        return
    files = run.preprocessed.confounds, run.preprocessed.confounds_metadata
    for note in check_run(run.bold, run.preprocessed.mask, files, settings.denoise, run.t_r):
        LOGGER.warning('%s', note)
