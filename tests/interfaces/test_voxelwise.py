"""Group maps: what is stacked is what lies in the files, what is tested is what is stacked."""

import json
from dataclasses import replace

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.interfaces import group_maps
from pipelines.interfaces._interface import PROGRESS
from pipelines.interfaces.atlas import atlas_labels
from pipelines.interfaces.clusters import MapPlace, list_clusters, name_peak, name_points
from pipelines.interfaces.group_maps import combine, stack_maps
from pipelines.interfaces.over_maps import OverMaps, list_tests
from pipelines.interfaces.tables import columns_text, read_columns
from pipelines.interfaces.templates import label_names
from pipelines.interfaces.voxelwise import Null, infer_maps, read_nulls, write_nulls
from pipelines.numerics.regions import voxel_centres
from pipelines.stats.map_tests import MapsDesign, MapVisits, map_tests
from pipelines.stats.permute import flip_signs, permute
from pipelines.stats.question import Effort, Question
from pipelines.stats.tail import p_over_maps
from pipelines.stats.tfce import neighbour_table
from pipelines.stats.visit import Visit

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
        entry = {'participant_id': label, 'stamp': '', 'maps': {}, 'dof': {}}
        for visit in ('baseline', 'followup'):
            n_runs = 2 if (number, visit) == (0, 'baseline') else int((number, visit) != (9, 'followup'))
            if n_runs:
                paths = [tmp_path / f'{label}_{visit}_{run}.nii.gz' for run in range(n_runs)]
                entry['maps'][visit] = [str(image(rng, path)) for path in paths]
                entry['dof'][visit] = [30.0 + 20 * run for run in range(n_runs)]
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


def test_stack_holds_the_maps_of_each_visit(people, tmp_path):
    found = stack_maps([people[9], *people[:9]], SPACE, out_dir=tmp_path)
    mask = load(found.mask) > 0
    seen = json.loads((found.stack / 'people.json').read_text())
    assert list(seen) == ['baseline', 'followup']
    assert seen['baseline'] == ['sub-09', *(f'sub-{i:02d}' for i in range(9))]
    assert seen['followup'] == [f'sub-{i:02d}' for i in range(9)]
    before, after = (np.load(found.stack / f'visit{n}.npy') for n in (0, 1))
    assert before.shape == (mask.sum(), 10)
    assert after.shape == (mask.sum(), 9)
    np.testing.assert_allclose(
        after[:, 3], load(people[3]['maps']['followup'][0])[mask], rtol=1e-6
    )  # float32
    first, second = (load(path)[mask] for path in people[0]['maps']['baseline'])
    np.testing.assert_allclose(before[:, 1], (28 * first + 48 * second) / 76, rtol=1e-5)  # float32
    assert found.facts['NumberOfPeopleOfVisits'] == {'baseline': 10, 'followup': 9}


def test_people_are_put_together_in_the_order_that_is_asked_for(people, tmp_path):
    found = stack_maps(people, SPACE, out_dir=tmp_path)
    before, after = (np.load(found.stack / f'visit{n}.npy') for n in (0, 1))
    chosen = ['sub-07', 'sub-02']
    change = combine(found.stack, ['baseline', 'followup'], [-1, 0.5], chosen, tmp_path / 'change.npy')
    np.testing.assert_allclose(change, 0.5 * after[:, [7, 2]] - before[:, [7, 2]], rtol=1e-6)


def test_every_map_is_read_once(people, tmp_path, monkeypatch):
    read, own = [], group_maps._read
    monkeypatch.setattr(
        group_maps, '_read', lambda person, *more: read.append(person['participant_id']) or own(person, *more)
    )
    monkeypatch.setattr(group_maps, '_AT_ONCE', 4)  # several parts
    several = stack_maps(people, SPACE, out_dir=tmp_path)
    assert sorted(read) == sorted([f'sub-{i:02d}' for i in range(10)] + [f'sub-{i:02d}' for i in range(9)])
    monkeypatch.setattr(group_maps, '_AT_ONCE', 32)
    (tmp_path / 'whole').mkdir()
    whole = stack_maps(people, SPACE, out_dir=tmp_path / 'whole')
    for name in ('visit0.npy', 'visit1.npy'):
        np.testing.assert_array_equal(np.load(several.stack / name), np.load(whole.stack / name))
    assert several.facts == whole.facts


def test_holes_leave_the_common_mask_and_are_counted(people, tmp_path, rng):
    hole = (6, 7, 6)
    people[2]['maps']['followup'] = [str(image(rng, tmp_path / 'hole.nii.gz', [hole]))]
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
    people[3]['maps']['followup'] = [str(path)]
    found = stack_maps(people, SPACE, out_dir=tmp_path)
    assert found.facts['Resampled'] == ['sub-03']
    assert 'resampled' in found.facts['Flags']
    mask = load(found.mask) > 0
    assert mask.shape == SHAPE
    assert not mask[:, 10:].any()  # beyond 9.5 voxels of 12 mm
    assert mask[:, :10].any()
    wanted = plane(voxel_centres(SHAPE, AFFINE)[mask])
    np.testing.assert_allclose(np.load(found.stack / 'visit1.npy')[:, 3], wanted, rtol=1e-5)  # float32


def test_an_empty_map_is_refused_by_name(people, tmp_path):
    path = tmp_path / 'other.nii.gz'
    nb.save(nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE), path)
    blank = {
        'participant_id': 'sub-blank', 'stamp': '', 'maps': {'baseline': [str(path)]}, 'dof': {'baseline': [9.0]},
    }  # fmt: skip
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


VISITS = (
    Visit(name='baseline', session_id='ses-a', week=0, is_baseline=True),
    Visit(name='followup', session_id='ses-b', week=6),
)
DESIGN = MapsDesign(treated=('a',), control='b', primary='pain', adjusted=('age',))
TESTS = list(map_tests(DESIGN, VISITS, MapVisits(), VISITS[1]))
NAMES = [test.name for test in TESTS]


def infer(stacked, tables, out_dir, *, design=DESIGN, tests=TESTS, n=50, seed=3):
    out_dir.mkdir(exist_ok=True)
    return infer_maps(
        str(stacked.stack),
        stacked.mask,
        *tables[:2],
        design,
        tests,
        n,
        exact_tail=False,
        random_seed=seed,
        out_dir=out_dir,
    )


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('is_randomised', [True, False])
def test_maps_are_those_of_the_permutation_called_alone(people, tables, tmp_path, name, is_randomised):
    """Without randomisation changes are compared, without the map at baseline."""
    stacked = stack_maps(people, SPACE, out_dir=tmp_path)
    design = replace(DESIGN, is_randomised=is_randomised)
    found = infer(stacked, tables, tmp_path, design=design)
    number = NAMES.index(name)
    mask = load(stacked.mask) > 0
    before, after = (np.load(stacked.stack / f'visit{n}.npy') for n in (0, 1))
    change = after - before[:, :9]
    options = {
        'neighbours': neighbour_table(mask),
        'effort': Effort(n_permutations=50),
        'rng': np.random.default_rng(3),
    }
    table = read_columns(tables[0])
    if name.startswith('mean'):
        alone = flip_signs(before if name == 'meanBaseline' else after, **options)
    elif name == 'armOnChange':
        arm = (table['arm'][:9] == 'a').to_numpy(float)
        asked = Question(tested=arm, nuisance=np.column_stack([np.ones(9), table['age'][:9]]), groups=arm)
        if not is_randomised:
            assert (
                found.facts[number]['Variances'] == 'of each arm'
            )  # four people are two more than age and constant
        else:
            asked = replace(asked, groups=None)  # and one less than with the map at baseline
        alone = permute(change, asked, covariate=before[:, :9] if is_randomised else None, **options)
    else:
        wide = tables[2].pivot(index='participant_id', columns='visit', values='value')
        pain = (wide['followup'] - wide['baseline']).to_numpy()[:9]
        kept = np.flatnonzero(np.isfinite(pain))
        assert len(kept) == 8
        arm = table['arm'].to_numpy(str)[kept]
        asked = Question(tested=pain[kept], nuisance=np.ones((8, 1)), groups=arm)
        alone = permute(np.ascontiguousarray(change[:, kept]), asked, **options)
    np.testing.assert_allclose(
        load(found.statistic[number])[mask], np.nan_to_num(alone.statistic), rtol=1e-4, atol=1e-5
    )  # float32
    np.testing.assert_allclose(
        load(found.log_p_max_tfce[number])[mask], -np.log10(alone.p_max_tfce), rtol=1e-5, atol=1e-6
    )
    assert found.facts[number]['DegreesOfFreedom'] == alone.dof
    assert (tmp_path / PROGRESS).read_text() == '50 of 50 permutations of meanFollowup'
    null = read_nulls(found.null)[name]
    np.testing.assert_allclose(null.largest_tfce, alone.largest_tfce, rtol=1e-4)


def test_maps_of_the_same_people_go_through_the_same_permutations(people, tables, tmp_path, rng):
    """p over maps is that of the null distributions; a map that somebody lacks has permutations of its own."""
    stacked = [stack_maps(people, SPACE, out_dir=tmp_path)]
    other = [
        {
            **p,
            'maps': {
                v: [str(image(rng, tmp_path / f'other{v}{p["participant_id"]}.nii.gz'))] for v in p['maps']
            },
        }
        for p in people
    ]
    (tmp_path / 'b').mkdir()
    (tmp_path / 'c').mkdir()
    stacked += [
        stack_maps(other, SPACE, out_dir=tmp_path / 'b'),
        stack_maps(other[1:], SPACE, out_dir=tmp_path / 'c'),
    ]
    # both tests have more arrangements than permutations
    tests = [test for test in TESTS if test.contrast in ('changeWithSymptoms', 'meanBaseline')]
    found = [infer(one, tables, tmp_path / f'out{n}', tests=tests) for n, one in enumerate(stacked)]
    maps, names = ['NAc', 'mPFC', 'icc'], [test.name for test in tests]
    over = OverMaps(maps, [one.null for one in found])
    assert [len(over.together(kind, 'meanBaseline')) for kind in maps] == [2, 2, 1]
    nulls = [read_nulls(one.null)['meanBaseline'].largest_tfce for one in found]
    p = np.array([0.02, 0.4])
    np.testing.assert_array_equal(
        over.p('mPFC', 'meanBaseline', p, 'largest_tfce'),
        p_over_maps(np.array(nulls[:2]), p, counts_only=False),
    )
    np.testing.assert_array_equal(over.p('icc', 'meanBaseline', p, 'largest_tfce'), p)
    listed = list_tests(
        maps, [names] * 3, [[test.contrast for test in tests]] * 3, [one.null for one in found], [one.facts for one in found],
        out_dir=tmp_path,
    )  # fmt: skip
    table = pd.read_csv(listed.map_tests, sep='\t', na_values='n/a', keep_default_na=False)
    assert len(table) == 6
    assert table['n_maps'].tolist() == [2, 2, 2, 2, 1, 1]
    assert (table['p_over_maps_by_tfce'] >= table['p_by_tfce'] - 1e-12).all()
    assert set(table['tail_by_tfce']) == {'counted'}  # fifty permutations
    assert table['visits'].tolist() == ['baseline; followup', 'baseline'] * 3


def test_three_arms_have_a_map_of_f_and_one_of_each_pair(people, tables, tmp_path):
    table = read_columns(tables[0]).assign(arm=list('abcabcabca'), site=list('xxxxxyyyyy'))
    tables[0].write_text(columns_text(table))
    design = MapsDesign(treated=('a', 'b'), control='c', primary='pain', adjusted=('site',), blocks='site')
    tests = [t for t in map_tests(design, VISITS, MapVisits(), VISITS[1]) if t.term.asks in ('arms', 'arm')]
    stacked = stack_maps(people, SPACE, out_dir=tmp_path)
    found = infer(stacked, tables, tmp_path, design=design, tests=tests)
    assert [test.name for test in tests] == ['armsOnChange', 'armOnChangeA', 'armOnChangeB']
    assert [facts['Statistic'] for facts in found.facts] == ['F', 't', 't']
    assert {facts['Exchangeability'] for facts in found.facts} == {'people within site'}
    assert [facts['NumberOfPeopleOfArms'] for facts in found.facts] == [{'c': 3, 'a': 3, 'b': 3}] * 3
    f, *pairs = (load(path)[load(stacked.mask) > 0] for path in found.statistic)
    assert (f >= 0).all()
    assert all((t < 0).any() and (t > 0).any() for t in pairs)
    # of one variance: the largest t of any contrast is the root of 2 F
    assert (np.max(np.abs(pairs), axis=0) <= np.sqrt(2 * f) * (1 + 1e-5) + 1e-5).all()


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
        [
            write_nulls(
                {'armOnChange': Null(np.arange(9.0), np.arange(9.0), 'alone', True)}, tmp_path / 'null.npz'
            )
        ],
        MapPlace(SPACE),
        out_dir=tmp_path,
    )
    table = pd.read_csv(found.clusters, sep='\t', na_values='n/a', keep_default_na=False)
    assert table['sign'].tolist() == ['positive', 'negative']
    assert table['volume'].tolist() == [2 * 12**3, 12**3]
    assert table.loc[0, ['peak_x', 'peak_y', 'peak_z', 'peak_statistic']].tolist() == [6, 44, 0, 6]
    assert table.loc[1, ['peak_p_corrected', 'peak_p_over_maps']].tolist() == pytest.approx([1e-3, 1e-3])


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
    nearest = {
        label_names('harvard-oxford')[int(winner[tuple(voxels[place])])]
        for place in np.flatnonzero(distances == least)
    }
    assert name in nearest
    assert far == f'{least:.0f} mm away'
    assert least > 20
    assert name_peak(np.array([[-9.5, 11.6, -7.4]]), SPACE) == 'Left Accumbens'
