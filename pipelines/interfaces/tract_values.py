"""Measure the maps of every session along a person's tract; write streamlines and tables."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..numerics import bundle
from ..numerics.resample import voxel_sizes
from ._anatomy import load
from ._diffusion import MAP_NAMES, SIDES
from ._interface import interface
from ._series import save_volume
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
    """One hemisphere: its streamlines, visitation and whether there are enough."""

    lines: list[np.ndarray]
    visits: np.ndarray
    is_found: bool


def measure_tract(
    streamlines: list[Path],
    counts: list[dict],
    domain: Path,
    fa: list[Path],
    md: list[Path],
    ad: list[Path],
    rd: list[Path],
    sessions: list[str],
    n_streamlines: int,
    about: list[dict],
    *,
    out_dir: Path,
) -> _Measured:
    """Clean the bundle of each hemisphere and read the maps of every session along it.

    Parameters
    ----------
    streamlines, counts
        Left from NAc, left from mPFC, right from NAc, right from mPFC; see :func:`.tract.track_tract`.
    domain
        Of :func:`.tract.map_domain`.
    fa, md, ad, rd
        Maps of every session on the person's grid.
    sessions
        Labels, ``n/a`` without.
    n_streamlines
        Wanted per direction.
    about
        Facts of earlier steps, for the sidecar.
    out_dir
        Folder of the results.

    """
    where = np.load(domain)
    affine, white = where['affine'], where['white']
    sides, tracking = [], {}
    for number, side in enumerate(SIDES):
        own = slice(2 * number, 2 * number + 2)
        found, kept = _clean(streamlines[own], counts[own], white.shape, affine)
        sides.append(found)
        tracking[side] = {
            name: {**count, 'Kept': k}
            for name, count, k in zip(('NAcToMPFC', 'MPFCToNAc'), counts[own], kept)
        }
    maps = [[load(paths[s])[0] for paths in (fa, md, ad, rd)] for s in range(len(sessions))]
    flags = _flags(tracking, n_streamlines)
    tables = {
        'scalarstats': _values(sides, maps, sessions, white, affine, flags),
        'profile': _profiles(sides, maps, sessions, affine),
        'threshold': _curves(sides, maps, sessions, white, affine),
    }
    paths = {name: save_table(table, out_dir / f'{name}.tsv') for name, table in tables.items()}
    files = [
        [
            save_streamlines(out_dir / f'{side}{kind}', s.lines, white.shape, affine)
            for side, s in zip(SIDES, sides)
        ]
        for kind in ('.trk', '.tck')
    ]
    probsegs = [
        save_volume(out_dir / f'visits_{side}.nii.gz', s.visits, affine) for side, s in zip(SIDES, sides)
    ]
    return _Measured(files[0], files[1], probsegs, **paths, metadata=_metadata(tracking, flags, about))


MeasureTract = interface(measure_tract)


def _clean(
    streamlines: list[Path], counts: list[dict], shape: tuple[int, ...], affine: np.ndarray
) -> tuple[_Side, list[int]]:
    """Return a hemisphere whose two directions were cleaned as one bundle, and what each keeps."""
    both = [read_streamlines(path) for path in streamlines]
    # the direction travels with each line through the cleaning
    origin = {id(line): number for number, lines in enumerate(both) for line in lines}
    kept = bundle.clean([line for lines in both for line in lines])
    parts = [[line for line in kept if origin[id(line)] == number] for number in (0, 1)]
    visits = np.mean([bundle.visitation(part, shape, affine) for part in parts], axis=0, dtype=np.float32)
    enough = min(count['Accepted'] for count in counts) >= MIN_STREAMLINES and all(parts)
    return _Side(kept, visits, enough), [len(part) for part in parts]


def _flags(tracking: dict[str, Any], wanted: int) -> dict[str, list[str]]:
    """Return the flags of each hemisphere, and of both together."""
    flags: dict[str, list[str]] = {}
    for side, directions in tracking.items():
        accepted = min(direction['Accepted'] for direction in directions.values())
        flags[side] = ['few_streamlines'] * (accepted < MIN_STREAMLINES) + ['budget'] * (accepted < wanted)
    flags['B'] = sorted({flag for own in flags.values() for flag in own})
    return flags


def _values(
    sides: list[_Side],
    maps: list[list[np.ndarray]],
    sessions: list[str],
    white: np.ndarray,
    affine: np.ndarray,
    flags: dict[str, list[str]],
) -> pd.DataFrame:
    pooled = _Side(
        [line for side in sides for line in side.lines], np.mean([side.visits for side in sides], axis=0),
        all(side.is_found for side in sides),
    )  # fmt: skip
    voxel = float(np.prod(voxel_sizes(affine)))
    rows = []
    for hemi, side in zip((*SIDES, 'B'), (*sides, pooled)):
        extent = bundle.lengths_of(side.lines)
        volume = sum(s.visits >= TRACT_VISITATION for s in (sides if hemi == 'B' else [side])).sum() * voxel
        shared = (
            len(side.lines),
            extent.mean() if len(extent) else np.nan,
            volume,
            ','.join(flags[hemi]) or np.nan,
        )
        for session, own in zip(sessions, maps):
            for name, values in zip(MAP_NAMES, own):
                found = (np.nan, np.nan)
                if side.is_found:
                    mean = bundle.weighted_mean(side.visits, values, white)
                    found = (mean, bundle.streamline_mean(side.lines, values, affine, white))
                rows += [
                    (session, hemi, m, name, v, *shared) for m, v in zip(('weighted', 'streamline'), found)
                ]
    columns = [
        'session_id',
        'hemi',
        'method',
        'param',
        'value',
        'n_streamlines',
        'mean_length',
        'volume',
        'flags',
    ]
    return pd.DataFrame(rows, columns=columns)


def _profiles(
    sides: list[_Side], maps: list[list[np.ndarray]], sessions: list[str], affine: np.ndarray
) -> pd.DataFrame:
    tables = []
    for session, own in zip(sessions, maps):
        for hemi, side in zip(SIDES, sides):
            for name, values in zip(MAP_NAMES, own):
                missing = np.full(bundle.N_NODES, np.nan)
                found = bundle.profile(side.lines, values, affine) if side.is_found else (missing, missing)
                nodes = {
                    'session_id': session,
                    'hemi': hemi,
                    'node': np.arange(1, bundle.N_NODES + 1),
                    'param': name,
                }
                tables.append(pd.DataFrame({**nodes, 'mean': found[0], 'sd': found[1]}))
    return pd.concat(tables, ignore_index=True)


def _curves(
    sides: list[_Side],
    maps: list[list[np.ndarray]],
    sessions: list[str],
    white: np.ndarray,
    affine: np.ndarray,
) -> pd.DataFrame:
    voxel = float(np.prod(voxel_sizes(affine)))
    rows = []
    for session, own in zip(sessions, maps):
        for hemi, side in zip(SIDES, sides):
            curve = bundle.threshold_curve(side.visits, own[0], white)
            for threshold, (value, count) in zip(bundle.THRESHOLDS, curve):
                rows.append(
                    (session, hemi, threshold, 'fa', value if side.is_found else np.nan, count * voxel)
                )
    return pd.DataFrame(rows, columns=['session_id', 'hemi', 'threshold', 'param', 'value', 'volume'])


def _metadata(tracking: dict[str, Any], flags: dict[str, list[str]], about: list[dict]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    found = list(flags['B'])
    for facts in about:
        found += [flag for flag in facts.get('Flags', []) if flag not in found]
        merged |= facts
    cleaning = {
        'Distance': bundle.CLEAN_DISTANCE, 'Length': bundle.CLEAN_LENGTH, 'Rounds': bundle.CLEAN_ROUNDS,
    }  # fmt: skip
    return {
        **merged,
        'Tracking': tracking,
        'CleaningSD': cleaning,
        'TractVisitation': TRACT_VISITATION,
        'Flags': found,
    }
