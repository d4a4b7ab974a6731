"""Further maps in the tables of tracts: weights, grids, what is not known, and that nothing else moves."""

import json

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces.tract_scalars import LEAST_SHOWN, MeasureScalars, measure_scalars
from pipelines.numerics.resample import apply_linear
from pipelines.scalar_maps import ScalarMap, TractScalars
from pipelines.terms import circuit_of_rows, default_circuit, flag_words
from tests.app.trial_data import TRACT_COLUMNS

CIRCUIT = default_circuit()
SHAPE, AFFINE = (7, 6, 5), np.diag([2.0, 2, 2, 1])
SESSIONS = ('pre', 'post')
NO_FA = ('post', 'L')
SLOPE = np.array([0.01, -0.02, 0.03])


def save(data, path, affine=AFFINE):
    nb.save(nb.Nifti1Image(np.asarray(data, np.float32), affine), path)
    return path


def plane(shape, affine=AFFINE):
    """Return a map that is linear in space, which linear interpolation does not change."""
    voxels = np.moveaxis(np.indices(shape), 0, -1).astype(float)
    return 0.4 + apply_linear(affine, voxels.reshape(-1, 3)).reshape(*shape, 3) @ SLOPE


class Tract:
    """The tables, visits and white matter of a circuit's tracts in two sessions."""

    def __init__(self, folder, rng, circuit=CIRCUIT):
        self.folder, self.circuit = folder, circuit
        names = [own.name for own in circuit.bundles]
        self.visits = dict(zip(names, rng.uniform(0.1, 1, (len(names), *SHAPE)).astype(np.float32)))
        self.white = rng.uniform(size=SHAPE) < 0.8
        regions = np.zeros((len(circuit.drawn), *SHAPE), bool)
        np.savez(
            folder / 'domain.npz', regions=regions, ends=np.zeros(SHAPE), barred=np.zeros((3, *SHAPE)), white=self.white,
            affine=AFFINE,
        )  # fmt: skip
        self.probsegs = [save(own, folder / f'{name}_visits.nii.gz') for name, own in self.visits.items()]
        self.tables = []
        for pair in circuit.pairs:
            rows = [
                [session, hemi, method, param, '0.5' if (session, hemi) != NO_FA else 'n/a', '1500', '35.25', '3000', 'budget']
                for session in SESSIONS
                for hemi in 'LRB'
                for param in ('fa', 'md')
                for method in ('weighted', 'streamline')
            ]  # fmt: skip
            lines = ['\t'.join(row) for row in [TRACT_COLUMNS, *rows]]
            path = folder / f'{pair.name}_scalarstats.tsv'
            path.write_text('\n'.join(lines) + '\n')
            self.tables.append(path)

    def measure(self, *maps):
        """Return tables with only the rows of further maps, and the facts of every pair."""
        out_dir = self.folder / 'out'
        out_dir.mkdir()
        before = [path.read_text() for path in self.tables]
        metadata = [{'Flags': ['no_sdc'], 'Ends': [p.first, p.second]} for p in self.circuit.pairs]
        wanted = TractScalars(circuit=self.circuit, maps=maps)
        found = measure_scalars(
            self.tables, self.probsegs, metadata, self.folder / 'domain.npz', wanted, wanted.files, out_dir=out_dir
        )  # fmt: skip
        assert [path.read_text() for path in self.tables] == before
        for path, text in zip(found.scalarstats, before, strict=True):
            assert path.read_text().startswith(text)
        assert metadata[0]['Flags'] == ['no_sdc']
        tables = [pd.read_csv(path, sep='\t', dtype=str, keep_default_na=False) for path in found.scalarstats]
        return [t[~t['param'].isin(['fa', 'md'])] for t in tables], found.metadata

    def mean(self, values, hemi):
        """Return the weighted mean over what is known, written out."""
        left, right = (self.visits[f'NAcMPFC{side}'].astype(float) for side in 'LR')
        weights = {'L': left, 'R': right, 'B': (left + right) / 2}[hemi]
        used = np.where(self.white & np.isfinite(values), weights, 0)
        return (used * np.nan_to_num(values)).sum() / used.sum()


@pytest.fixture
def tract(tmp_path, rng):
    return Tract(tmp_path, rng)


def both(path, name='icvf'):
    """Return one file as the map of both sessions."""
    return [ScalarMap(name, session, str(path), f'bids:noddi:{session}/{path.name}') for session in SESSIONS]


def check_values(tract, rows, values):
    assert list(zip(rows['session_id'], rows['hemi'])) == [(s, h) for s in SESSIONS for h in 'LRB']
    assert set(rows['method']) == {'weighted'}
    for row in rows.itertuples():
        if (row.session_id, row.hemi) == NO_FA:
            assert row.value == 'n/a'
        else:
            assert float(row.value) == pytest.approx(tract.mean(values, row.hemi), rel=1e-5)
    assert set(rows['flags']) == {'budget'}
    assert set(rows['n_streamlines']) == {'1500'}


def test_values_are_weighted_as_fa_is(tract, rng):
    """Against sums written out; a voxel without a number does not count."""
    values = rng.uniform(size=SHAPE)
    values[3, 3, 2], tract.white[3, 3, 2] = np.nan, tract.white[3, 3, 2]
    ((rows,), (facts,)) = tract.measure(*both(save(values, tract.folder / 'icvf.nii.gz')))
    check_values(tract, rows, values)
    assert set(rows['param']) == {'icvf'}
    told = {s: {'Source': f'bids:noddi:{s}/icvf.nii.gz', 'Interpolation': 'none'} for s in SESSIONS}
    assert facts['Scalars'] == {'icvf': told}
    assert facts['Flags'] == ['no_sdc']
    assert facts['Ends'] == ['NAc', 'mPFC']


def test_each_session_has_its_own_map(tract):
    paths = [save(np.full(SHAPE, value), tract.folder / f'{value}.nii') for value in (0.25, 0.75)]
    maps = [ScalarMap('od', session, str(path)) for session, path in zip(SESSIONS, paths)]
    ((rows,), _) = tract.measure(*maps)
    assert list(rows['value']) == ['0.25'] * 3 + ['n/a'] + ['0.75'] * 2


def test_axes_stored_the_other_way_round_are_no_other_grid(tract, rng):
    values = rng.uniform(size=SHAPE)
    flip = AFFINE @ np.diag([-1, 1, 1, 1.0])
    flip[0, 3] = 2.0 * (SHAPE[0] - 1)
    path = save(values[::-1], tract.folder / 'icvf.nii', flip)
    ((rows,), (facts,)) = tract.measure(*both(path))
    check_values(tract, rows, values)
    assert facts['Scalars']['icvf']['pre']['Interpolation'] == 'none'


@pytest.mark.parametrize('voxel', [1.0, 1.3, 3.0])
def test_another_grid_is_interpolated_linearly_and_said(tract, voxel):
    """A map that is linear in space is the same on every grid."""
    affine = np.diag([voxel, voxel, voxel, 1])
    affine[:3, 3] = -2 * voxel
    shape = tuple(int(np.ceil(2 * n / voxel)) + 4 for n in SHAPE)
    path = save(plane(shape, affine), tract.folder / 'icvf.nii.gz', affine)
    ((rows,), (facts,)) = tract.measure(*both(path))
    check_values(tract, rows, plane(SHAPE))
    assert facts['Scalars']['icvf']['post']['Interpolation'] == 'linear'


@pytest.mark.parametrize(('kept', 'is_enough'), [(6, True), (4, False)])
def test_a_map_has_to_show_most_of_the_tract(tract, kept, is_enough):
    """Slabs of the tract: six of seven are more than the share that is needed, four of seven less."""
    values = plane(SHAPE)
    path = save(values[:kept], tract.folder / 'icvf.nii.gz')
    shown = np.where(np.arange(SHAPE[0])[:, None, None] < kept, values, np.nan)
    assert (kept / SHAPE[0] > LEAST_SHOWN) == is_enough
    ((rows,), (facts,)) = tract.measure(*both(path))
    assert facts['Flags'] == ['no_sdc', *([] if is_enough else ['no_map:icvf'])]
    if is_enough:
        check_values(tract, rows, shown)
    else:
        assert set(rows['value']) == {'n/a'}
        marks = dict(zip(zip(rows['session_id'], rows['hemi']), rows['flags']))
        assert marks.pop(NO_FA) == 'budget'  # FA has none there, of which the map says nothing
        assert set(marks.values()) == {'budget no_map:icvf'}


def test_a_session_without_map_costs_nothing_else(tract, rng):
    """Named with its reason; other sessions and maps are as without it."""
    values = rng.uniform(size=SHAPE)
    path = save(values, tract.folder / 'od.nii.gz')
    icvf = [ScalarMap('icvf', 'pre', lack='session pre has no image'), both(path)[1]]
    ((rows,), (facts,)) = tract.measure(*both(path, 'od'), *icvf)
    check_values(tract, rows[rows['param'] == 'od'], values)
    lacking, whole = (rows[(rows['param'] == 'icvf') & (rows['session_id'] == s)] for s in SESSIONS)
    assert set(lacking['value']) == {'n/a'}
    assert set(lacking['flags']) == {'budget no_map:icvf'}
    assert set(whole['flags']) == {'budget'}
    assert float(whole['value'].iloc[1]) == pytest.approx(tract.mean(values, 'R'), rel=1e-5)
    assert facts['Scalars']['icvf']['pre'] == {'Missing': 'session pre has no image'}
    assert facts['Flags'] == ['no_sdc', 'no_map:icvf']
    assert 'asked for' in flag_words('no_map:icvf')


@pytest.mark.parametrize('kind', ['damaged', 'of several volumes', 'gone'])
def test_a_map_that_cannot_be_read_is_unknown_and_no_folder_is_told(tract, kind):
    path = tract.folder / 'icvf.nii.gz'
    if kind != 'gone':
        save(np.ones((*SHAPE, 2)), path)
    if kind == 'damaged':
        path.write_bytes(path.read_bytes()[:60])
    ((rows,), (facts,)) = tract.measure(*both(path))
    assert set(rows['value']) == {'n/a'}
    told = facts['Scalars']['icvf']['pre']['Missing']
    assert ('2 volumes' in told) if kind == 'of several volumes' else ('icvf.nii.gz' in told)
    assert str(tract.folder) not in json.dumps(facts)


def test_one_volume_of_a_series_is_a_map(tract, rng):
    values = rng.uniform(size=SHAPE)
    ((rows,), _) = tract.measure(*both(save(values[..., None], tract.folder / 'icvf.nii.gz')))
    check_values(tract, rows, values)


def test_every_pair_has_rows_of_its_own(tmp_path, rng):
    listed = [
        {'name': name, 'hemisphere': side, 'source': 'sphere:9,9,-8,4', 'pairs': pairs}
        for name, pairs in (('NAc', 'mPFC Amg'), ('mPFC', ''), ('Amg', ''))
        for side in ('L', 'R')
    ]
    tract = Tract(tmp_path, rng, circuit_of_rows(listed))
    values = rng.uniform(size=SHAPE)
    tables, facts = tract.measure(*both(save(values, tmp_path / 'icvf.nii.gz')))
    assert [set(own['param']) for own in tables] == [{'icvf'}, {'icvf'}]
    check_values(tract, tables[0], values)
    assert set(tables[0]['value']) != set(tables[1]['value'])
    assert [own['Ends'] for own in facts] == [['NAc', 'mPFC'], ['NAc', 'Amg']]


def test_a_map_that_changed_repeats_the_step(tract, rng):
    """The step knows its files by their content, not by their names alone."""
    path = save(rng.uniform(size=SHAPE), tract.folder / 'icvf.nii')
    wanted = TractScalars(circuit=CIRCUIT, maps=tuple(both(path)))

    def known():
        return MeasureScalars(wanted=wanted, files=wanted.files).inputs.get_hashval(hash_method='content')[1]

    before = known()
    assert before == known()
    save(rng.uniform(size=SHAPE), path)
    assert before != known()
