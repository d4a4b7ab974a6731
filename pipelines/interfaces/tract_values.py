"""Measure the maps of every session along a person's tracts; write streamlines and tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..numerics import bundle
from ..numerics.resample import voxel_sizes
from ..params import CircuitTracts
from ..terms import LATERAL, Bundle, Circuit, Pair, directions, join_flags, raised
from ._anatomy import load
from ._diffusion import MAP_NAMES
from ._interface import interface
from ._series import write_volume
from ._streamlines import read_streamlines, save_streamlines
from .design import save_table
from .tract_domain import domain_of, read_fields
from .tract_water import add_free_water

MIN_STREAMLINES = 50
"""Fewer accepted ones in one direction: the value is missing (docs/diffusion.md)."""

TRACT_VISITATION = 0.01
"""A voxel belongs to the tract's volume when this share of the streamlines visits it."""


class _Measured(NamedTuple):
    """Streamlines and visitation of every tract; tables and facts of every pair."""

    streamlines: list[Path]
    tck: list[Path]
    probsegs: list[Path]
    scalarstats: list[Path]
    profile: list[Path]
    threshold: list[Path]
    metadata: list[dict[str, Any]]


class _Side(NamedTuple):
    """One tract, or both sides of a pair: streamlines, visitation, whether there are enough; ``kept`` per direction."""

    hemi: str
    name: str
    lines: list[np.ndarray]
    visits: np.ndarray
    n_voxels: int
    is_found: bool
    flags: list[str]
    kept: list[int]


class _Session(NamedTuple):
    """Maps of one session and what limits them."""

    label: str
    maps: dict[str, np.ndarray]
    flags: list[str]


class _Grid(NamedTuple):
    """White matter outside the regions of a pair, and where it lies."""

    white: np.ndarray
    affine: np.ndarray


class _Facts(NamedTuple):
    """What earlier steps say: of every session, and of the tract."""

    sessions: list[dict]
    tract: list[dict]

    def flags(self, session: int) -> list[str]:
        """Return what limits the values of a session."""
        return [*self.sessions[session]['Flags'], *(flag for own in self.tract for flag in own['Flags'])]


def measure_tract(
    streamlines: list[Path],
    counts: list[dict],
    domain: Path,
    wanted: CircuitTracts,
    maps: list[Path],
    scans: list[Path],
    sessions: list[str],
    session_facts: list[dict],
    fod_facts: list[dict],
    domain_facts: dict,
    *,
    out_dir: Path,
) -> _Measured:
    """Clean every tract and read the maps of every session along it.

    Parameters
    ----------
    streamlines, counts
        Two of every tract, from its first region and from its second; see :func:`.tract.track_tract`.
    domain
        Of :func:`.tract_domain.map_domain`.
    wanted
        Whose tracts they are, and how many streamlines were wanted per direction.
    maps, scans
        On the person's grid, session after session: FA, MD, AD, RD; series and its gradients.
    sessions
        Labels, ``n/a`` without.
    session_facts, fod_facts, domain_facts
        What earlier steps say of each session, its orientations, and the tract; their ``Flags`` stand beside
        the values.
    out_dir
        Folder of the results.

    """
    fields, circuit = read_fields(domain), wanted.circuit
    known = _read_maps(maps, sessions)
    files: dict[str, list[Any]] = {name: [] for name in _Measured._fields}
    for pair in circuit.pairs:
        facts = _Facts(session_facts, [*fod_facts, _of_pair(domain_facts, circuit, pair)])
        read = [_Session(*of_session, facts.flags(number)) for number, of_session in enumerate(known)]
        numbers = [number for number, own in enumerate(circuit.bundles) if own.pair == pair]
        grid = _Grid(domain_of(fields, circuit, circuit.bundles[numbers[0]]).white, fields['affine'])
        parts = [slice(2 * number, 2 * number + 2) for number in numbers]
        own = [(circuit.bundles[n], streamlines[two], counts[two]) for n, two in zip(numbers, parts)]
        sides = [_side(*found, wanted.n_streamlines, grid) for found in own]
        for name, path in _write(pair, sides, read, grid, out_dir):
            files[name].append(path)
        tracking = {s.hemi: _tracking(pair, counts[two], s.kept) for s, two in zip(sides, parts)}
        ends = [pair.first, pair.second]
        files['metadata'].append(_metadata(tracking, sides, read, facts) | {'Ends': ends})
    watered = add_free_water(files['scalarstats'], files['probsegs'], fields, circuit, scans)
    return _Measured(**{**files, 'scalarstats': watered})


MeasureTract = interface(measure_tract, is_brief=True)


def _tracking(pair: Pair, counts: list[dict], kept: list[int]) -> dict[str, dict]:
    """Return seeds and streamlines of both directions of a tract."""
    return {way.name: {**own, 'Kept': n} for way, own, n in zip(directions(pair), counts, kept)}


def _read_maps(paths: list[Path], sessions: list[str]) -> list[tuple[str, dict[str, np.ndarray]]]:
    own = [paths[first : first + len(MAP_NAMES)] for first in range(0, len(paths), len(MAP_NAMES))]
    return [
        (label, {name: load(path)[0] for name, path in zip(MAP_NAMES, files, strict=True)})
        for label, files in zip(sessions, own, strict=True)
    ]


def _of_pair(facts: dict[str, Any], circuit: Circuit, pair: Pair) -> dict[str, Any]:
    """Return what is said of the domain with the flags of the pair's own regions."""
    own = [r.name for r in circuit.regions.values() if r.structure in (pair.first, pair.second)]
    flags = [flag for label in own for flag in facts['RegionFlags'].get(label, ())]
    said = {key: value for key, value in facts.items() if key != 'RegionFlags'}
    return {**said, 'Flags': [*facts['Flags'], *dict.fromkeys(flags)]}


def _write(
    pair: Pair, sides: list[_Side], read: list[_Session], grid: _Grid, out_dir: Path
) -> Iterator[tuple[str, Path]]:
    """Write the tables of a pair, and streamlines and visitation of its tracts; yield outputs and paths."""
    by_side = {side.hemi: side for side in sides}
    both = [_both([by_side[h] for h in LATERAL])] if by_side.keys() >= set(LATERAL) else []
    lateral, others = [[s for s in sides if (s.hemi in LATERAL) == which] for which in (True, False)]
    tables = {
        'scalarstats': pd.DataFrame(_values([*lateral, *both, *others], read, grid)),
        'profile': pd.concat(_profiles(sides, read, grid), ignore_index=True),
        'threshold': pd.DataFrame(_curves(sides, read, grid)),
    }
    for name, table in tables.items():
        yield name, save_table(table, out_dir / f'{pair.name}_{name}.tsv')
    for side in sides:
        for output, kind in (('streamlines', 'trk'), ('tck', 'tck')):
            path = out_dir / f'{side.name}.{kind}'
            yield output, save_streamlines(path, side.lines, grid.white.shape, grid.affine)
        yield 'probsegs', write_volume(side.visits, grid.affine, out_dir / f'{side.name}_visits.nii.gz')


def _side(own: Bundle, streamlines: list[Path], counts: list[dict], wanted: int, grid: _Grid) -> _Side:
    """Return a tract whose two directions were cleaned as one bundle."""
    both = [read_streamlines(path) for path in streamlines]
    # the direction travels with each line through the cleaning
    origin = {id(line): number for number, lines in enumerate(both) for line in lines}
    kept = bundle.clean([line for lines in both for line in lines])
    parts = [[line for line in kept if origin[id(line)] == number] for number in (0, 1)]
    visits = [bundle.visitation(part, grid.white.shape, grid.affine) for part in parts]
    mean = ((visits[0] + visits[1]) / 2).astype(np.float32)
    accepted = min(count['Accepted'] for count in counts)
    flags = raised(few_streamlines=accepted < MIN_STREAMLINES, budget=accepted < wanted)
    found = accepted >= MIN_STREAMLINES and all(parts)
    return _Side(
        own.hemisphere, own.name, kept, mean, int((mean >= TRACT_VISITATION).sum()), found, flags,
        [len(part) for part in parts],
    )  # fmt: skip


def _both(sides: list[_Side]) -> _Side:
    left, right = sides
    return _Side(
        'B', '', left.lines + right.lines, (left.visits + right.visits) / 2, left.n_voxels + right.n_voxels,
        left.is_found and right.is_found, sorted({*left.flags, *right.flags}), [],
    )  # fmt: skip


def _values(sides: list[_Side], sessions: list[_Session], grid: _Grid) -> Iterator[dict[str, Any]]:
    voxel = float(np.prod(voxel_sizes(grid.affine)))
    for session in sessions:
        for side in sides:
            extent = bundle.lengths_of(side.lines)
            about = {
                'n_streamlines': len(side.lines),
                'mean_length': extent.mean() if len(extent) else np.nan,
                'volume': side.n_voxels * voxel,
                'flags': join_flags([*side.flags, *session.flags]) or np.nan,
            }
            for name, values in session.maps.items():
                found = {'weighted': np.nan, 'streamline': np.nan}
                if side.is_found:
                    found['weighted'] = bundle.weighted_mean(side.visits, values, grid.white)
                    found['streamline'] = bundle.streamline_mean(side.lines, values, grid.affine, grid.white)
                for method, value in found.items():
                    key = {'session_id': session.label, 'hemi': side.hemi, 'method': method, 'param': name}
                    yield {**key, 'value': value, **about}


def _profiles(sides: list[_Side], sessions: list[_Session], grid: _Grid) -> Iterator[pd.DataFrame]:
    missing = bundle.Profile(*np.full((2, bundle.N_NODES), np.nan))
    for session in sessions:
        for side in sides:
            for name, values in session.maps.items():
                found = bundle.profile(side.lines, values, grid.affine) if side.is_found else missing
                key = {'session_id': session.label, 'hemi': side.hemi}
                nodes = np.arange(1, bundle.N_NODES + 1)
                yield pd.DataFrame({**key, 'node': nodes, 'param': name, **found._asdict()})


def _curves(sides: list[_Side], sessions: list[_Session], grid: _Grid) -> Iterator[dict[str, Any]]:
    voxel = float(np.prod(voxel_sizes(grid.affine)))
    for session in sessions:
        for side in sides:
            curve = bundle.threshold_curve(side.visits, session.maps['fa'], grid.white)
            for threshold, (value, count) in zip(bundle.THRESHOLDS, curve):
                yield {
                    'session_id': session.label, 'hemi': side.hemi, 'threshold': threshold, 'param': 'fa',
                    'value': value if side.is_found else np.nan, 'volume': count * voxel,
                }  # fmt: skip


def _metadata(
    tracking: dict[str, Any],
    sides: list[_Side],
    sessions: list[_Session],
    known: _Facts,
) -> dict[str, Any]:
    """Return the facts of the first session and of the tract; all sessions stand under their labels."""
    flags = [flag for side in sides for flag in side.flags] + [f for s in sessions for f in s.flags]
    merged: dict[str, Any] = {**known.sessions[0]}
    for facts in known.tract:
        merged |= facts
    if len(sessions) > 1:
        merged['Sessions'] = {s.label: facts for s, facts in zip(sessions, known.sessions)}
    cleaning = {
        'Distance': bundle.CLEAN_DISTANCE,
        'Length': bundle.CLEAN_LENGTH,
        'Rounds': bundle.CLEAN_ROUNDS,
    }
    return {
        **merged, 'Tracking': tracking, 'CleaningSD': cleaning, 'TractVisitation': TRACT_VISITATION,
        'Flags': list(dict.fromkeys(flags)),
    }  # fmt: skip
