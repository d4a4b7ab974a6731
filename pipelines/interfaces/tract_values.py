"""Measure the maps of every session along a person's tract; write streamlines and tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..numerics import bundle
from ..numerics.resample import voxel_sizes
from ..terms import DIRECTIONS, LATERAL, join_flags, raised
from ._anatomy import load
from ._diffusion import MAP_NAMES
from ._interface import interface
from ._series import write_volume
from ._streamlines import read_streamlines, save_streamlines
from .design import save_table

MIN_STREAMLINES = 50
"""Fewer accepted ones in one direction: the value is missing (METHODS, section 6)."""

TRACT_VISITATION = 0.01
"""A voxel belongs to the tract's volume when this share of the streamlines visits it."""


class _Measured(NamedTuple):
    streamlines: list[Path]
    tck: list[Path]
    probsegs: list[Path]
    scalarstats: Path
    profile: Path
    threshold: Path
    metadata: dict[str, Any]


class _Side(NamedTuple):
    """One hemisphere, or both: streamlines, visitation, whether there are enough; ``kept`` per direction."""

    hemi: str
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
    """White matter outside the regions, and where it lies."""

    white: np.ndarray
    affine: np.ndarray


def measure_tract(
    streamlines: list[Path],
    counts: list[dict],
    domain: Path,
    fa: list[Path],
    md: list[Path],
    ad: list[Path],
    rd: list[Path],
    sessions: list[str],
    session_facts: list[dict],
    fod_facts: list[dict],
    domain_facts: dict,
    n_streamlines: int,
    *,
    out_dir: Path,
) -> _Measured:
    """Clean the bundle of each hemisphere and read the maps of every session along it.

    Parameters
    ----------
    streamlines, counts
        Left from NAc, left from mPFC, right from NAc, right from mPFC; see :func:`.tract.track_tract`.
    domain
        Of :func:`.tract_domain.map_domain`.
    fa, md, ad, rd
        Maps of every session on the person's grid.
    sessions
        Labels, ``n/a`` without.
    session_facts, fod_facts, domain_facts
        What earlier steps say of each session, its orientations, and the tract; their ``Flags`` stand beside
        the values.
    n_streamlines
        Wanted per direction.
    out_dir
        Folder of the results.

    """
    tract_facts = [*fod_facts, domain_facts]
    with np.load(domain) as stored:
        grid = _Grid(stored['white'], stored['affine'])
    read = _read_sessions(dict(zip(MAP_NAMES, (fa, md, ad, rd))), sessions, session_facts, tract_facts)
    pairs = [slice(0, 2), slice(2, 4)]
    sides = [_side(h, streamlines[own], counts[own], n_streamlines, grid) for h, own in zip(LATERAL, pairs)]
    tables = {
        'scalarstats': pd.DataFrame(_values([*sides, _both(sides)], read, grid)),
        'profile': pd.concat(_profiles(sides, read, grid), ignore_index=True),
        'threshold': pd.DataFrame(_curves(sides, read, grid)),
    }
    written = {name: save_table(table, out_dir / f'{name}.tsv') for name, table in tables.items()}
    files = {
        kind: [save_streamlines(out_dir / f'{s.hemi}.{kind}', s.lines, grid.white.shape, grid.affine) for s in sides]
        for kind in ('trk', 'tck')
    }  # fmt: skip
    probsegs = [write_volume(s.visits, grid.affine, out_dir / f'visits_{s.hemi}.nii.gz') for s in sides]
    tracking = {
        s.hemi: {name: {**count, 'Kept': kept} for name, count, kept in zip(DIRECTIONS, counts[own], s.kept)}
        for s, own in zip(sides, pairs)
    }
    facts = _metadata(tracking, sides, read, session_facts, tract_facts)
    return _Measured(files['trk'], files['tck'], probsegs, **written, metadata=facts)


MeasureTract = interface(measure_tract, is_brief=True)


def _read_sessions(
    paths: dict[str, list[Path]], sessions: list[str], session_facts: list[dict], tract_facts: list[dict]
) -> list[_Session]:
    shared = [flag for facts in tract_facts for flag in facts['Flags']]
    return [
        _Session(
            label,
            {name: load(files[number])[0] for name, files in paths.items()},
            [*session_facts[number]['Flags'], *shared],
        )
        for number, label in enumerate(sessions)
    ]


def _side(hemi: str, streamlines: list[Path], counts: list[dict], wanted: int, grid: _Grid) -> _Side:
    """Return a hemisphere whose two directions were cleaned as one bundle."""
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
        hemi, kept, mean, int((mean >= TRACT_VISITATION).sum()), found, flags, [len(part) for part in parts]
    )


def _both(sides: list[_Side]) -> _Side:
    left, right = sides
    return _Side(
        'B', left.lines + right.lines, (left.visits + right.visits) / 2, left.n_voxels + right.n_voxels,
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
    session_facts: list[dict],
    tract_facts: list[dict],
) -> dict[str, Any]:
    """Return the facts of the first session and of the tract; all sessions stand under their labels."""
    flags = [flag for side in sides for flag in side.flags] + [f for s in sessions for f in s.flags]
    merged: dict[str, Any] = {**session_facts[0]}
    for facts in tract_facts:
        merged |= facts
    if len(sessions) > 1:
        merged['Sessions'] = {s.label: facts for s, facts in zip(sessions, session_facts)}
    cleaning = {
        'Distance': bundle.CLEAN_DISTANCE,
        'Length': bundle.CLEAN_LENGTH,
        'Rounds': bundle.CLEAN_ROUNDS,
    }
    return {
        **merged, 'Tracking': tracking, 'CleaningSD': cleaning, 'TractVisitation': TRACT_VISITATION,
        'Flags': list(dict.fromkeys(flags)),
    }  # fmt: skip
