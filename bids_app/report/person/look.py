"""What of a participant can be looked through, and what can be rated."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.interfaces.templates import known_spaces, target_brain
from pipelines.terms import MAP_MEASURES, circuit_of_labels

from ...outputs.bold import MEAN, REGIONS_DSEG, map_rows
from ...outputs.diffusion import ANISOTROPY, VISITATION
from ..read import ScanRecord, entities_and_suffix, scan_title, source_of
from ..viewer import Look, MapFile, Viewer, make_viewer
from ..words import anchor, number

_SEED, _LABELS = Look(0.2, 'cold_hot'), Look(0.5, 'tab20', is_symmetric=False, is_labels=True)
_BOLD, _FA, _VISITS = (
    Look(threshold, colours, is_symmetric=False)
    for threshold, colours in ((1.0, 'gray'), (0.15, 'hot'), (0.01, 'hot'))
)
_MOST, _MOST_DIFFUSION = 12, 8
"""Maps of a page: each is a picture of all slices, and a page should stay below 15 MB."""


class Rated(NamedTuple):
    """Scans of a session that are kept or left out together, as ``--exclude`` does."""

    session: str
    modality: str
    title: str


class Shown(NamedTuple):
    """A map of the viewer, and the image that lies beneath it."""

    key: str
    title: str
    path: Path
    look: Look
    beneath: Path

    @property
    def place(self) -> str:
        """Return in words what lies beneath."""
        is_own = ANISOTROPY.is_name(self.beneath.name, {})
        return 'the anisotropy of the participant' if is_own else 'the brain of the template'


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
    """Return the maps of a participant: regions and main seeds of each run first, then what diffusion gave."""
    files = sorted((output_dir / participant).rglob(f'{participant}_*.nii.gz'))
    found = [
        shown
        for scan in scans
        for shown in _of_scan(scan, [p for p in files if source_of(p.name) == scan.name])
    ]
    return [*found[:_MOST], *list(_of_diffusion(files))[:_MOST_DIFFUSION]]


def _of_scan(scan: ScanRecord, files: list[Path]) -> Iterator[Shown]:
    circuit = circuit_of_labels(row.get('node', '') for row in scan.relmat)
    if not scan.relmat:
        return
    rows = map_rows(circuit)
    floor = number(scan.facts.get('ICCNoiseFloor')) or 0.1
    seeds = [seed for seed in circuit.seeds if seed.hemisphere not in ('L', 'R')]
    wanted = [
        ('bold', 'Mean of the functional volumes', MEAN, _BOLD),
        ('regions', 'Regions', REGIONS_DSEG, _LABELS),
        *((seed.name, f'Connectivity with the {seed.phrase}', rows[seed.name], _SEED) for seed in seeds),
        *(
            (own.map, own.title, rows[own.map], Look(floor if own.floor else 0.01, 'hot', is_symmetric=False))
            for own in MAP_MEASURES
        ),
    ]
    for name, title, row, look in wanted:
        own = [path for path in files if row.is_name(path.name, {})]
        space = entities_and_suffix(own[0].name).get('space', '') if own else ''
        if space in known_spaces():
            key, words = anchor(f'{scan.name}-{name}'), f'{scan.title}: {title}'
            yield Shown(key, words, own[0], look, target_brain(space))


def _of_diffusion(files: Sequence[Path]) -> Iterator[Shown]:
    """Yield anisotropy, regions and visitation, over the first anisotropy of their space: the person's own."""
    own = [path for path in files if path.parent.name == 'dwi']
    brains: dict[str, Path] = {}
    for path in own:
        if ANISOTROPY.is_name(path.name, {}):
            brains.setdefault(entities_and_suffix(path.name)['space'], path)
    kinds = (
        ('Fractional anisotropy', ANISOTROPY, _FA),
        ('Regions of the tract', REGIONS_DSEG, _LABELS),
        ('Share of streamlines', VISITATION, _VISITS),
    )
    for title, row, look in kinds:
        for path in own:
            about = entities_and_suffix(path.name)
            if row.is_name(path.name, {}) and about['space'] in brains:
                which = f' of {about["label"]}' if 'label' in about else ''
                words = f'{scan_title(source_of(path.name))}: {title}{which}'
                yield Shown(anchor(path.name.split('.')[0]), words, path, look, brains[about['space']])


def viewer_of(maps: list[Shown]) -> Viewer | None:
    """Return the viewer of maps, each over the brain that lies beneath it."""
    return make_viewer([MapFile(own.key, own.path, own.look, own.beneath) for own in maps])
