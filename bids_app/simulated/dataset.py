"""Simulated datasets on disk: raw BIDS, or derivatives laid out as fMRIPrep does."""

from collections.abc import Iterator
from typing import Any

from . import dwi, qsiprep, raw
from .anatomy import load_anatomy
from .files import (
    Given,
    Request,
    check,
    read_given_confounds,
    write_json,
    write_top,
)
from .fmriprep import write_fmriprep
from .people import Person, draw_people


def write_dataset(request: Request) -> None:
    """Write the dataset, with one line of progress per session.

    Raises
    ------
    OutputError
        The folder holds something already.
    ParameterError
        The run is too short for series between 0.01 and 0.08 Hz, or the layout lacks a modality.

    """
    request, root = request.completed(), request.directory
    check(request)
    given = read_given_confounds(request.confounds) if request.confounds else None
    root.mkdir(parents=True, exist_ok=True)
    people = list(draw_people(request))
    truth: dict[str, Any] = {'Seed': request.seed, 'Space': request.space}
    for number, person in enumerate(people, 1):
        print(f'[{number}/{len(people)}] sub-{person.subject} ses-{person.session}', flush=True)
        for section, name, planted in write_session(request, person, given):
            truth.setdefault(section, {})[name] = planted
    write_top(request, root)
    write_json(root / 'sourcedata' / 'truth.json', truth)


def write_session(
    request: Request, person: Person, given: Given | None
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Write one session; yield section, name and content of what was planted."""
    voxel = request.voxel_size or (2.0 if request.layout == 'fmriprep' else 3.0)
    run = f'{person.prefix}_task-rest'
    if request.layout == 'fmriprep':
        anatomy = load_anatomy(request.space, voxel)
        yield 'Runs', run, write_fmriprep(request, anatomy, voxel, person, given)
        return
    if request.layout == 'qsiprep':
        yield 'Tract', person.prefix, qsiprep.write_qsiprep(request, person)
        return
    has_dwi = 'dwi' in request.modalities
    head = dwi.session_head(request, person, raw.t1w_voxel(voxel)) if has_dwi else None
    placed = raw.write_t1w(request, voxel, person, head)
    if 'bold' in request.modalities:
        yield 'Runs', run, raw.write_bold(request, voxel, person, *placed)
    if has_dwi:
        yield 'Tract', person.prefix, dwi.write_raw_dwi(request, person)
