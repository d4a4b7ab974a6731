"""Group maps: what is stacked is what lies in the files, what is tested is what is stacked."""

import json

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.interfaces._interface import PROGRESS
from pipelines.interfaces.atlas import atlas_labels
from pipelines.interfaces.clusters import list_clusters, name_peak, name_points
from pipelines.interfaces.group_maps import stack_maps
from pipelines.interfaces.tables import columns_text, read_columns
from pipelines.interfaces.templates import region_names
from pipelines.interfaces.voxelwise import infer_maps
from pipelines.numerics.regions import voxel_centres
from pipelines.stats.permute import flip_signs, permute
from pipelines.stats.tfce import neighbour_table

SPACE = 'MNI152NLin6Asym'
SHAPE = (12, 14, 12)
AFFINE = np.diag([12.0, 12, 12, 1])
AFFINE[:3, 3] = [-66, -100, -60]


@pytest.fixture
def people(tmp_path, rng):
    """Ten people; the last has no follow-up, the first two runs at baseline."""
    found = []
    for number in range(10):
        label = f'sub-{number:02d}'
        entry = {'participant_id': label, 'stamp': ''}
        for visit in ('baseline', 'followup'):
            n_runs = 2 if (number, visit) == (0, 'baseline') else int((number, visit) != (9, 'followup'))
            entry[visit] = [
                str(image(rng, tmp_path / f'{label}_{visit}_{run}.nii.gz')) for run in range(n_runs)
            ]
            entry[f'{visit}_dof'] = [30.0 + 20 * run for run in range(n_runs)]
        found.append(entry)
    return found


def image(rng, path, holes=()):
    data = rng.normal(0.3, 0.1, SHAPE).astype(np.float32)
    for hole in holes:
        data[hole] = 0
    nb.save(nb.Nifti1Image(data, AFFINE), path)
    return path


def load(path):
    return nb.load(path).get_fdata(dtype=np.float32)


def test_stack_holds_the_maps_pairs_first(people, tmp_path):
    found = stack_maps([people[9], *people[:9]], SPACE, out_dir=tmp_path)
    mask = load(found.mask) > 0
    order = json.loads((found.stack / 'people.json').read_text())
    assert order['pairs'] == [f'sub-{i:02d}' for i in range(9)]
    assert order['baseline'][-1] == 'sub-09'
    before, after, change = (np.load(found.stack / f'{n}.npy') for n in ('baseline', 'followup', 'change'))
    assert before.shape == (mask.sum(), 10)
    assert after.shape == (mask.sum(), 9)
    np.testing.assert_allclose(after[:, 3], load(people[3]['followup'][0])[mask], rtol=1e-6)  # float32
    first, second = (load(path)[mask] for path in people[0]['baseline'])
    np.testing.assert_allclose(before[:, 0], (28 * first + 48 * second) / 76, rtol=1e-5)  # float32
    np.testing.assert_array_equal(change, after - before[:, :9])
    assert found.facts['NumberOfPairs'] == 9


def test_holes_leave_the_common_mask_and_are_counted(people, tmp_path, rng):
    hole = (6, 7, 6)
    people[2]['followup'] = [str(image(rng, tmp_path / 'hole.nii.gz', [hole]))]
    found = stack_maps(people, SPACE, out_dir=tmp_path)
    assert load(found.mask)[hole] == 0
    assert load(found.n_map)[hole] == 9
    assert load(found.n_map).max() == 10
    assert found.facts['SmallestCoverage']['Participant'] == 'sub-02'


def plane(points):
    """Return values that linear interpolation keeps."""
    return (1 + points @ [0.002, -0.003, 0.001]).astype(np.float32)


def test_maps_on_another_grid_come_to_that_of_most(people, tmp_path):
    """A finer map of a plane gives the plane at the common voxels, nothing beyond its own grid."""
    fine = np.diag([6.0, 6, 6, 1])
    fine[:3, 3] = AFFINE[:3, 3]
    shape = (23, 20, 23)  # as long as the others in x and z, 7 of 14 voxels short of half in y
    path = tmp_path / 'fine.nii.gz'
    nb.save(nb.Nifti1Image(plane(voxel_centres(shape, fine).reshape(-1, 3)).reshape(shape), fine), path)
    people[3]['followup'] = [str(path)]
    found = stack_maps(people, SPACE, out_dir=tmp_path)
    assert found.facts['Resampled'] == ['sub-03']
    assert 'resampled' in found.facts['Flags']
    mask = load(found.mask) > 0
    assert mask.shape == SHAPE
    assert not mask[:, 10:].any()  # beyond 9.5 voxels of 12 mm
    assert mask[:, :10].any()
    wanted = plane(voxel_centres(SHAPE, AFFINE)[mask])
    np.testing.assert_allclose(np.load(found.stack / 'followup.npy')[:, 3], wanted, rtol=1e-5)  # float32


def test_an_empty_map_is_refused_by_name(people, tmp_path):
    path = tmp_path / 'other.nii.gz'
    nb.save(nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE), path)
    blank = {**people[0], 'participant_id': 'sub-blank', 'baseline': [str(path)], 'baseline_dof': [9.0]}
    with pytest.raises(DataError, match='sub-blank has the fewest'):
        stack_maps([*people, blank], SPACE, out_dir=tmp_path)


@pytest.fixture
def tables(tmp_path, rng):
    labels = [f'sub-{i:02d}' for i in range(10)]
    arm = ['a' if i % 2 else 'b' for i in range(10)]
    people = pd.DataFrame({'participant_id': labels, 'arm': arm, 'age': rng.normal(40, 5, 10).round(1)})
    (tmp_path / 'people.json').write_text(columns_text(people))
    values = pd.DataFrame({
        'participant_id': labels * 2, 'outcome': 'pain', 'visit': ['baseline'] * 10 + ['followup'] * 10,
        'value': rng.normal(5, 1, 20).round(2), 'flags': 'n/a',
    })  # fmt: skip
    values.loc[14, 'value'] = np.nan  # sub-04 has no follow-up of pain
    values.to_csv(tmp_path / 'values.tsv', sep='\t', index=False, na_rep='n/a')
    return tmp_path / 'people.json', tmp_path / 'values.tsv', values


CONTRASTS = ['armOnChange', 'changeWithSymptoms', 'meanBaseline', 'meanFollowup']


@pytest.mark.parametrize('contrast', CONTRASTS)
def test_maps_are_those_of_the_permutation_called_alone(people, tables, tmp_path, contrast):
    stacked = stack_maps(people, SPACE, out_dir=tmp_path)
    found = infer_maps(
        str(stacked.stack), stacked.mask, *tables[:2], CONTRASTS, 'a', 'pain', 50, 3, out_dir=tmp_path
    )
    number = CONTRASTS.index(contrast)
    mask = load(stacked.mask) > 0
    before, after, change = (np.load(stacked.stack / f'{n}.npy') for n in ('baseline', 'followup', 'change'))
    options = {'neighbours': neighbour_table(mask), 'n_permutations': 50, 'rng': np.random.default_rng(3)}
    table = read_columns(tables[0])
    if contrast.startswith('mean'):
        alone = flip_signs(before if contrast == 'meanBaseline' else after, **options)
    elif contrast == 'armOnChange':
        nuisance = np.column_stack([np.ones(9), table['age'][:9]])
        alone = permute(
            change, (table['arm'][:9] == 'a').to_numpy(float), nuisance, covariate=before[:, :9], **options
        )
    else:
        wide = tables[2].pivot(index='participant_id', columns='visit', values='value')
        pain = (wide['followup'] - wide['baseline']).to_numpy()[:9]
        kept = np.flatnonzero(np.isfinite(pain))
        assert len(kept) == 8
        alone = permute(np.ascontiguousarray(change[:, kept]), pain[kept], np.ones((8, 1)), **options)
    np.testing.assert_allclose(
        load(found.statistic[number])[mask], np.nan_to_num(alone.t), rtol=1e-5
    )  # float32
    np.testing.assert_allclose(
        load(found.log_p_max_tfce[number])[mask], -np.log10(alone.p_max_tfce), rtol=1e-5, atol=1e-6
    )
    assert found.facts[number]['DegreesOfFreedom'] == alone.dof
    assert (tmp_path / PROGRESS).read_text() == '50 of 50 permutations of meanFollowup'


def test_clusters_are_named_with_their_peak(tmp_path):
    t, log_p = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    t[5:7, 12, 5], log_p[5:7, 12, 5] = [4, 6], 2  # frontal pole
    t[5, 3, 7], log_p[5, 3, 7] = -7, 3
    for name, data in (('t', t), ('p', log_p)):
        nb.save(nb.Nifti1Image(data, AFFINE), tmp_path / f'{name}.nii.gz')
    found = list_clusters(
        ['NAc'],
        [['armOnChange']],
        [[tmp_path / 't.nii.gz']],
        [[tmp_path / 'p.nii.gz']],
        SPACE,
        out_dir=tmp_path,
    )
    table = pd.read_csv(found.clusters, sep='\t', na_values='n/a', keep_default_na=False)
    assert table['sign'].tolist() == ['positive', 'negative']
    assert table['volume'].tolist() == [2 * 12**3, 12**3]
    assert table.loc[0, ['peak_x', 'peak_y', 'peak_z', 'peak_t']].tolist() == [6, 44, 0, 6]
    assert table.loc[1, 'peak_p_corrected'] == pytest.approx(1e-3)


def test_points_have_the_names_of_the_atlas():
    points = np.array([[-9.5, 11.6, -7.4], [9.2, 12.3, -6.8], [0, 0, 200]])
    assert name_points(points, SPACE).tolist() == ['Left Accumbens', 'Right Accumbens', 'none']


def test_a_peak_outside_every_region_has_the_nearest_one_with_its_distance():
    """Against a search through all voxels: above the top of the head, and in a region."""
    winner, affine = atlas_labels()
    voxels = np.argwhere(winner >= 0)
    places = voxels @ affine[:3, :3].T + affine[:3, 3]
    point = np.array([[10.0, -20, 110]])
    distances = np.linalg.norm(places - point, axis=1)
    least = distances.min()
    assert name_points(point, SPACE).tolist() == ['none']
    name, _, far = name_peak(point, SPACE).rpartition(', ')
    nearest = {region_names()[winner[tuple(voxels[place])]] for place in np.flatnonzero(distances == least)}
    assert name in nearest
    assert far == f'{least:.0f} mm away'
    assert least > 20
    assert name_peak(np.array([[-9.5, 11.6, -7.4]]), SPACE) == 'Left Accumbens'
