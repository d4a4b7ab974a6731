"""Read the imaging outcomes of a trial from what the participant level wrote."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, assert_never

import numpy as np
import pandas as pd

from ..errors import DataError
from ..stats.design import DerivativeOutcome
from ..terms import LATERAL, MEASURES, MIDLINE, Measure, join_flags, pair_of, split_flags
from ._interface import interface
from .headers import open_image
from .images import values_of

IMAGING_COLUMNS = (
    'participant_id',
    'visit',
    'outcome',
    'value',
    'mean_fd',
    'degrees_of_freedom',
    'n_scans',
    'flags',
)


REPEAT_COLUMNS = ('participant_id', 'visit', 'outcome', 'repeated', 'part', 'value')


class _Imaging(NamedTuple):
    imaging: Path
    repeats: Path


class _Value(NamedTuple):
    """One scan's value of one outcome and what is known of the scan."""

    value: float
    facts: Mapping[str, Any]


def measure_imaging(
    scans: list[dict[str, Any]],
    tracts: list[dict[str, str]],
    outcomes: list[DerivativeOutcome],
    *,
    out_dir: Path,
) -> _Imaging:
    """Collect the imaging outcomes of everyone into one table.

    Parameters
    ----------
    scans
        Of every BOLD run: ``participant_id``, ``visit``, the file ``qc``, and of ``relmat``, ``half1``, ``half2``, ``regions`` with their
        table ``region_names`` and ``maps`` (files by kind of map) those that are there; a run without what an outcome needs has no value
        of that outcome.
    tracts
        Of every participant, visit and pair of regions: ``participant_id``, ``visit``, ``bundle``, ``session_id`` as
        in the tract's ``table``, and that file, whose sidecar stands beside it; a session without a row is missing.
    outcomes
        What is read.  Entries of ``scans`` and ``tracts`` may carry a ``stamp`` that changes when a file does,
        for a repeated run to notice.
    out_dir
        Folder of the table.

    Returns
    -------
    _Imaging
        A row per participant, visit and outcome; and what was measured more than once at a visit: a row per run of
        several, and per half of the runs.

    Raises
    ------
    DataError
        A table lacks what an outcome names.

    Notes
    -----
    Runs of a visit are averaged with their degrees of freedom less 2 as weights, correlations as
    Fisher z.

    """
    rows, repeats = [], []
    for outcome in outcomes:
        measure = MEASURES[outcome.derivative]
        sources = tracts if measure.source == 'tract' else scans
        for (participant, visit), own in _by_visit(s for s in sources if _has(measure, s, outcome)):
            found = [_read(measure, outcome, source) for source in own]
            place = {'participant_id': participant, 'visit': visit, 'outcome': outcome.name}
            rows.append({**place, **_mean(found)})
            parts = _parts(measure, outcome, own, found)
            repeats += [{**place, **part} for part in parts]
    return _Imaging(
        _save(rows, IMAGING_COLUMNS, out_dir / 'imaging.tsv'),
        _save(repeats, REPEAT_COLUMNS, out_dir / 'repeats.tsv'),
    )


def _save(rows: list[dict[str, Any]], columns: Sequence[str], path: Path) -> Path:
    table = pd.DataFrame(rows, columns=list(columns))
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.8g')
    return path


def _parts(
    measure: Measure, outcome: DerivativeOutcome, sources: Sequence[Mapping[str, Any]], runs: list[_Value]
) -> Iterator[dict[str, Any]]:
    """Yield the values of several runs of a visit, and those of the halves of its runs."""
    if len(runs) > 1:
        for number, run in enumerate(runs, 1):
            yield {'repeated': 'runs', 'part': number, 'value': run.value}
    halved = [(s, run) for s, run in zip(sources, runs) if {'half1', 'half2'} <= s.keys()]
    if measure.source != 'matrix' or not halved:
        return
    for number in (1, 2):
        halves = [
            _Value(_correlation(Path(s[f'half{number}']), outcome.regions), run.facts) for s, run in halved
        ]
        yield {'repeated': 'halves', 'part': number, 'value': _mean(halves)['value']}


MeasureImaging = interface(measure_imaging, is_brief=True)


def _has(measure: Measure, source: Mapping[str, Any], outcome: DerivativeOutcome) -> bool:
    """Return whether all files are there that a value is read from, at a visit where it is asked for."""
    if outcome.visits and source['visit'] not in outcome.visits:
        return False
    match measure.source:
        case 'matrix':
            return 'relmat' in source
        case 'map':
            return {'regions', 'region_names'} <= source.keys() and measure.map in source['maps']
        case 'tract':
            return 'table' in source and source['bundle'] == _bundle(outcome)
        case other:
            assert_never(other)


def _bundle(outcome: DerivativeOutcome) -> str:
    first, second = outcome.regions
    return pair_of(first, second).name


def _by_visit(
    sources: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[tuple[str, str], list[Mapping[str, Any]]]]:
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for source in sources:
        grouped.setdefault((source['participant_id'], source['visit']), []).append(source)
    yield from sorted(grouped.items())


def _read(measure: Measure, outcome: DerivativeOutcome, source: Mapping[str, Any]) -> _Value:
    if measure.source == 'tract':
        return _tract_value(outcome, source)
    facts = json.loads(Path(source['qc']).read_text())
    regions = outcome.regions
    match measure.source:
        case 'matrix':
            return _Value(_correlation(Path(source['relmat']), regions), facts)
        case 'map':
            image = Path(source['maps'][measure.map])
            labels = Path(source['regions']), Path(source['region_names'])
            return _Value(region_mean(image, *labels, regions), facts)
        case other:
            assert_never(other)


def _correlation(relmat: Path, regions: Sequence[str]) -> float:
    table = pd.read_csv(relmat, sep='\t', index_col='node', na_values=['n/a'])
    first, second = regions
    if first not in table.index or second not in table.columns:
        raise DataError(f'{relmat} has no {first} and {second}; it holds {", ".join(table.columns)}.')
    return float(table.loc[first, second])


def region_mean(image: Path, regions_dseg: Path, regions_table: Path, regions: Sequence[str]) -> float:
    """Return the mean of a map over one or more regions; NaN where the map covers none of their voxels.

    Parameters
    ----------
    image
        Map that is 0 outside its mask.
    regions_dseg
        Label image of the participant level on the same grid.
    regions_table
        Number and name of each region in it; both sides together have no number of their own.
    regions
        Names of regions.

    Raises
    ------
    DataError
        The table has no such region, or the images are on different grids.

    """
    wanted = [number for name in regions for number in _numbers(regions_table, name)]
    values = values_of(open_image(image))
    labels = values_of(open_image(regions_dseg))
    if labels.shape != values.shape:
        raise DataError(f'{image} {values.shape} and {regions_dseg} {labels.shape} are on different grids.')
    inside = np.isin(labels, wanted) & (values != 0)
    return float(values[inside].mean(dtype=np.float64)) if inside.any() else float('nan')


def _numbers(regions_table: Path, name: str) -> list[int]:
    """Return the numbers of a region in the label image: its own, or those of both its sides."""
    table = pd.read_csv(regions_table, sep='\t', keep_default_na=False)
    numbers = dict(zip(table['name'].astype(str), table['index'].astype(int)))
    sides = [numbers[f'{name}{side}'] for side in LATERAL if f'{name}{side}' in numbers]
    if name not in numbers and not sides:
        raise DataError(f'{regions_table} has no region {name}; it holds {", ".join(numbers)}.')
    return sides if len(sides) == len(LATERAL) else [numbers[name]]


def _tract_value(outcome: DerivativeOutcome, source: Mapping[str, Any]) -> _Value:
    path = Path(source['table'])
    table = pd.read_csv(
        path, sep='\t', dtype={'session_id': str, 'flags': str}, na_values=['n/a'], keep_default_na=False
    )
    session = table['session_id'].fillna('')
    sides = set(table['hemi'].fillna(MIDLINE))
    hemisphere = MIDLINE if sides == {MIDLINE} else outcome.hemisphere
    wanted = (
        (table['hemi'].fillna(MIDLINE) == hemisphere)
        & (table['param'] == 'fa')
        & (table['method'] == 'weighted')
    )
    rows = table[wanted & (session == source['session_id'])]
    if not len(rows):
        return _Value(float('nan'), {})
    facts = {
        'Flags': split_flags(rows['flags'].iloc[0]),
        'MeanFD': _motion(path, source['session_id']),
    }
    return _Value(float(rows['value'].iloc[0]), facts)


def _motion(table: Path, session: str) -> float:
    """Return the mean framewise displacement of the diffusion scans; NaN for preprocessed ones."""
    facts = json.loads(table.with_suffix('.json').read_text())
    own = facts.get('Sessions', {}).get(session, facts)
    return float(own.get('MeanFD', 'nan'))


def _mean(found: list[_Value]) -> dict[str, Any]:
    values = np.array([one.value for one in found])
    dof = np.array([float(one.facts.get('DegreesOfFreedom', 'nan')) for one in found])
    fd = np.array([float(one.facts.get('MeanFD') or 'nan') for one in found])
    known = ~np.isnan(values)
    weights = np.where(np.isnan(dof), 1.0, dof - 2)
    flags = sorted({flag for one in found for flag in one.facts.get('Flags', [])})
    return {
        'value': float(np.average(values[known], weights=weights[known])) if known.any() else float('nan'),
        'mean_fd': float(np.nanmean(fd)) if not np.isnan(fd).all() else float('nan'),
        'degrees_of_freedom': float(dof.sum()),
        'n_scans': len(found),
        'flags': join_flags(flags),
    }
