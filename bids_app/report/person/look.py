"""What of a participant can be looked through, and what can be rated."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines.interfaces.templates import known_spaces
from pipelines.terms import MAP_MEASURES, circuit_of_labels

from ...outputs.bold import REGIONS_DSEG, map_rows
from ..read import ScanRecord, entities_and_suffix, source_of
from ..viewer import Look, Viewer, make_viewer
from ..words import anchor, number

_SEED, _LABELS = Look(0.2, 'cold_hot'), Look(0.5, 'tab20', is_symmetric=False, is_labels=True)
_MOST = 12
"""Maps of a page: each is a picture of all slices, and a page should stay below 15 MB."""


class Rated(NamedTuple):
    """Scans of a session that are kept or left out together, as ``--exclude`` does."""

    session: str
    modality: str
    title: str


class Shown(NamedTuple):
    """A map of the viewer."""

    key: str
    title: str
    path: Path
    look: Look


def rated(scans: list[ScanRecord]) -> list[Rated]:
    """Return what can be left out: each session's BOLD runs, and its diffusion."""
    found: dict[tuple[str, str], str] = {}
    for scan in scans:
        if scan.relmat or 'NKept' in scan.facts:
            found.setdefault((scan.session, 'bold'), 'functional runs')
        sessions = {row.get('session_id', '') for own in scan.tracts for row in own.rows}
        for session in sorted(sessions):
            found.setdefault((session.replace('n/a', ''), 'dwi'), 'diffusion')
        if 'BestConvention' in scan.facts:
            found.setdefault((scan.session, 'dwi'), 'diffusion')
    return [
        Rated(
            f'ses-{session}' if session else '', modality, f'session {session}, {title}' if session else title
        )
        for (session, modality), title in sorted(found.items())
    ]


def maps_of(output_dir: Path, participant: str, scans: list[ScanRecord]) -> list[Shown]:
    """Return the maps of a participant that lie on a template, the regions and main seeds of each run first."""
    files = sorted((output_dir / participant).rglob(f'{participant}_*.nii.gz'))
    found = [
        shown
        for scan in scans
        for shown in _of_scan(scan, [p for p in files if source_of(p.name) == scan.name])
    ]
    return found[:_MOST]


def _of_scan(scan: ScanRecord, files: list[Path]) -> Iterator[Shown]:
    circuit = circuit_of_labels(row.get('node', '') for row in scan.relmat)
    if not scan.relmat:
        return
    rows = map_rows(circuit)
    floor = number(scan.facts.get('ICCNoiseFloor')) or 0.1
    seeds = [seed for seed in circuit.seeds if seed.hemisphere not in ('L', 'R')]
    wanted = [
        ('regions', 'Regions', REGIONS_DSEG, _LABELS),
        *((seed.name, f'Connectivity with the {seed.phrase}', rows[seed.name], _SEED) for seed in seeds),
        *(
            (own.map, own.title, rows[own.map], Look(floor if own.floor else 0.01, 'hot', is_symmetric=False))
            for own in MAP_MEASURES
        ),
    ]
    for name, title, row, look in wanted:
        own = [path for path in files if row.is_name(path.name, {})]
        if own and entities_and_suffix(own[0].name).get('space') in known_spaces():
            yield Shown(anchor(f'{scan.name}-{name}'), f'{scan.title}: {title}', own[0], look)


def viewer_of(maps: list[Shown]) -> Viewer | None:
    """Return the viewer of maps over the brain of their template; those on another than the first are left out."""
    if not maps:
        return None
    space = entities_and_suffix(maps[0].path.name)['space']
    same = [own for own in maps if entities_and_suffix(own.path.name)['space'] == space]
    return make_viewer([(own.key, own.path, own.look) for own in same], space)
