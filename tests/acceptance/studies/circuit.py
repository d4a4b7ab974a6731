"""Simulate trials of a circuit of five regions, and record whether intervals hold what was planted in two pairs.

Series of regions are drawn with a correlation per pair and visit, cleaned by the operator of the participant level,
and written as matrices; FA is drawn and written as tables of tracts.  From there on the functions of the group read,
by the names of regions.
"""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.interfaces.connectivity import region_matrix
from pipelines.interfaces.denoise import region_series
from pipelines.interfaces.imaging_outcomes import measure_imaging
from pipelines.numerics.clean import Operator, projection, stop_band, trend
from pipelines.numerics.seed import split_halves
from pipelines.stats.design import DerivativeOutcome, OutcomesDesign
from pipelines.stats.outcomes import model_outcomes
from pipelines.stats.visit import Visit
from pipelines.terms import circuit_of_rows
from tests.acceptance.studies import spread

SEED = 20270305
N_TRIALS, N_PEOPLE, N_VOLUMES, T_R = 20, 57, 240, 2.0
N_VOXELS, VOXEL_NOISE = 30, 0.3
TABLE = 'circuit.tsv'
CIRCUIT = circuit_of_rows(
    [
        {'name': name, 'hemisphere': side, 'source': source, 'pairs': pairs}
        for name, sides, source, pairs in (
            ('NAc', 'LR', 'sphere:9,9,-8,4', 'mPFC AntIns'),
            ('mPFC', 'LR', 'sphere:6,45,-10,6', ''),
            ('Amg', 'LR', 'sphere:24,-2,-20,6', 'PAG'),
            ('AntIns', 'LR', 'sphere:36,18,0,6', ''),
            ('PAG', ['n/a'], 'sphere:0,-30,-10,6', ''),
        )
        for side in sides
    ]
)
VISITS = (
    Visit(name='baseline', session_id='ses-pre', is_baseline=True),
    Visit(name='followup', session_id='ses-post', is_primary=True),
)
PLANTED = {'fc NAc-mPFC': -0.2, 'fa NAc-mPFC': 0.02, 'fc Amg-PAG': 0.0, 'fa Amg-PAG': 0.015}
"""Treated over control at follow-up: Fisher z, and FA."""

_PAIRS = (('NAc', 'mPFC'), ('Amg', 'PAG'))


class _Drawn(NamedTuple):
    """Latent z and FA of two pairs, (n, 2 pairs, 2 visits)."""

    treated: np.ndarray
    z: np.ndarray
    fa: np.ndarray


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(spread(simulate, range(N_TRIALS)))


def simulate(numbers: Iterable[int]) -> pd.DataFrame:
    """Return ``trial quantity estimate ci_low ci_high`` of trials."""
    found = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            found.append(analyze(Path(folder), number).assign(trial=number))
    return pd.concat(found, ignore_index=True)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how many intervals hold the truth of each quantity."""
    truth = rows['quantity'].map(PLANTED)
    rows = rows.assign(
        held=(rows['ci_low'] <= truth) & (truth <= rows['ci_high']), error=rows['estimate'] - truth
    )
    own = rows.groupby('quantity', sort=False)
    table = own.agg(
        n=('trial', 'size'), held=('held', 'sum'), mean_error=('error', 'mean'), sd=('estimate', 'std')
    )
    return table.reset_index().assign(truth=lambda t: t['quantity'].map(PLANTED))


def draw(rng: np.random.Generator) -> _Drawn:
    """Draw the people of a trial."""
    treated = np.arange(N_PEOPLE) % 2 == 0
    late = np.zeros((N_PEOPLE, 2, 2))
    late[treated, :, 1] = 1
    effect_z, effect_fa = (
        np.array([PLANTED[f'{kind} {a}-{b}'] for a, b in _PAIRS])[:, None] for kind in ('fc', 'fa')
    )
    z = (
        np.array([[0.4], [0.3]])
        + rng.normal(0, 0.15, (N_PEOPLE, 2, 1))
        + rng.normal(0, 0.05, (N_PEOPLE, 2, 2))
    )
    fa = 0.45 + rng.normal(0, 0.02, (N_PEOPLE, 2, 1)) + rng.normal(0, 0.006, (N_PEOPLE, 2, 2))
    return _Drawn(treated, z + late * effect_z, fa + late * effect_fa)


def analyze(folder: Path, number: int) -> pd.DataFrame:
    """Draw, measure and model a trial."""
    rng = np.random.default_rng([SEED, number])
    drawn, operator = draw(rng), _operator()
    labels = [f'sub-{who:02d}' for who in range(N_PEOPLE)]
    scans, tracts = [], []
    for who, label in enumerate(labels):
        for visit, own in enumerate(VISITS):
            place = {'participant_id': label, 'visit': own.name}
            stem = folder / f'{label}_{own.session_id}'
            scans.append({**place, **_scan(stem, np.tanh(drawn.z[who, :, visit]), operator, rng)})
        tracts += [
            {
                'participant_id': label,
                'visit': own.name,
                'session_id': own.session_id.removeprefix('ses-'),
                **table,
            }
            for table in _tracts(folder / label, drawn.fa[who])
            for own in VISITS
        ]
    outcomes = tuple(
        DerivativeOutcome(name=f'{kind} {a}-{b}', derivative=measure, regions=(a, b))
        for a, b in _PAIRS
        for kind, measure in (('fc', 'roi_connectivity'), ('fa', 'tract_fa'))
    )
    design = OutcomesDesign(treated=('act',), control='wait', outcomes=outcomes, visits=VISITS)
    table = measure_imaging(scans, tracts, list(outcomes), out_dir=folder).imaging
    values = pd.read_csv(table, sep='\t').assign(flags='')
    people = pd.DataFrame({'participant_id': labels, 'arm': np.where(drawn.treated, 'act', 'wait')})
    found = model_outcomes(values, people, design)
    rows = found[(found['model'] == 'clda') & (found['analysis'] == 'main')]
    return rows.rename(columns={'outcome': 'quantity'})[['quantity', 'estimate', 'ci_low', 'ci_high']]


def _operator() -> Operator:
    """Return what cleans every run: trend and stop band."""
    model = np.column_stack([trend(N_VOLUMES), stop_band(N_VOLUMES, T_R, 0.008, 0.09)])
    return projection(model, np.ones(N_VOLUMES, bool))


def _scan(stem: Path, rho: np.ndarray, operator: Operator, rng: np.random.Generator) -> dict[str, object]:
    """Write the matrix of a run and of its halves as the participant level does."""
    names = [own.name for own in CIRCUIT.structures]
    mix = np.eye(len(names))
    for (a, b), r in zip(_PAIRS, rho):
        mix[names.index(a), names.index(b)] = mix[names.index(b), names.index(a)] = r
    whole = rng.multivariate_normal(np.zeros(len(names)), mix, N_VOLUMES)
    voxels, members = [], []
    for region in CIRCUIT.regions.values():
        if region.hemisphere != 'B':
            series = whole[:, names.index(region.structure), None]
            voxels.append(series + rng.normal(0, VOXEL_NOISE, (N_VOLUMES, N_VOXELS)))
            members.append(region.name)
    owner = np.repeat(members, N_VOXELS)
    mask = np.array(
        [np.isin(owner, [label, *(f'{label}{side}' for side in 'LR')]) for label in CIRCUIT.regions]
    )
    reduced = operator.reduce @ np.concatenate(voxels, axis=1)
    series = region_series(reduced, operator.expand, mask, CIRCUIT)
    parts = {'relmat': slice(None), **dict(zip(('half1', 'half2'), split_halves(len(series))))}
    paths = {}
    for name, part in parts.items():
        paths[name] = f'{stem}_{name}.tsv'
        region_matrix(series[part]).to_csv(paths[name], sep='\t', na_rep='n/a', index_label='node')
    qc = Path(f'{stem}_qc.json')
    qc.write_text(json.dumps({'DegreesOfFreedom': operator.dof, 'MeanFD': 0.1, 'Flags': []}))
    return {**paths, 'qc': str(qc), 'maps': {}}


def _tracts(stem: Path, fa: np.ndarray) -> Iterable[dict[str, str]]:
    """Write the tables of a person's tracts; ``fa`` (2 pairs, 2 visits)."""
    for (a, b), values in zip(_PAIRS, fa):
        bundle = next(pair.name for pair in CIRCUIT.pairs if (pair.first, pair.second) == (a, b))
        path = Path(f'{stem}_{bundle}.tsv')
        rows = [
            (visit.session_id.removeprefix('ses-'), 'B', 'weighted', 'fa', value, 'n/a')
            for visit, value in zip(VISITS, values)
        ]
        columns = ['session_id', 'hemi', 'method', 'param', 'value', 'flags']
        pd.DataFrame(rows, columns=columns).to_csv(path, sep='\t', index=False)
        path.with_suffix('.json').write_text('{}')
        yield {'table': str(path), 'bundle': bundle}
