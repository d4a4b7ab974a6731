"""The same diffusion scan and the same head, stored in the ways that programs store them: the same values in the world."""

import json

import nibabel as nb
import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.interfaces._anatomy import load, load_t1w
from pipelines.interfaces._diffusion import read_dwi
from pipelines.interfaces._series import load_image
from pipelines.numerics.resample import resample
from pipelines.numerics.tensor import fit_tensor
from pipelines.simulated.diffusion import gradient_table
from tests.storage import (
    STORAGES,
    Storage,
    along,
    direction_along,
    fsl_vectors,
    on_turned_grid,
    rotation,
    store,
    world_vectors,
    write_image,
)

SHAPE, VOXEL = (8, 8, 8), 3.0
EVALS = np.array([1.7e-3, 0.3e-3, 0.3e-3])
B, S0 = 1000.0, 200.0


def affine_of(axes='RAS', turn=0.0):
    """Return an affine whose voxel axes point along the letters, turned about x by degrees."""
    columns = {
        'R': (1, 0, 0),
        'L': (-1, 0, 0),
        'A': (0, 1, 0),
        'P': (0, -1, 0),
        'S': (0, 0, 1),
        'I': (0, 0, -1),
    }
    affine = np.eye(4)
    affine[:3, :3] = rotation(turn)[:3, :3] @ np.array([columns[letter] for letter in axes], float).T * VOXEL
    affine[:3, 3] = -affine[:3, :3] @ (np.array(SHAPE) - 1) / 2
    return affine


def world_of(affine):
    index = np.stack(np.indices(SHAPE), -1).reshape(-1, 3)
    return index @ affine[:3, :3].T + affine[:3, 3]


def direction_at(points):
    """Fibres run along x on the left, and between y and z on the right: no symmetry hides an exchange of axes."""
    left = np.array([1.0, 0, 0])
    right = np.array([0, 0.6, 0.8])
    return np.where(points[:, :1] < 0, left, right)


def write_scan(folder, affine, **storage):
    """Write series and tables; b-vectors by FSL's rule."""
    bvals, world = gradient_table(30, [B])
    points = world_of(affine)
    along = direction_at(points) @ world.T
    diffusivity = EVALS[1] + (EVALS[0] - EVALS[1]) * along**2
    series = (S0 * np.exp(-bvals * diffusivity)).reshape(*SHAPE, -1)
    path = folder / 'sub-01_dwi.nii.gz'
    write_image(path, series, affine, **storage)
    np.savetxt(folder / 'sub-01_dwi.bval', bvals[None], fmt='%g')
    np.savetxt(folder / 'sub-01_dwi.bvec', fsl_vectors(world, affine).T, fmt='%.8f')
    return path, folder / 'sub-01_dwi.bval', folder / 'sub-01_dwi.bvec'


STORAGE = {
    'RAS': ({}, {}, 1e-4), 'LAS': ({'axes': 'LAS'}, {}, 1e-4), 'LPS': ({'axes': 'LPS'}, {}, 1e-4),
    'axes in another order': ({'axes': 'PSR'}, {}, 1e-4), 'oblique by 15 degrees': ({'turn': 15.0}, {}, 1e-4),
    'LPS, oblique': ({'axes': 'LPS', 'turn': -15.0}, {}, 1e-4), 'float64': ({}, {'dtype': 'f8'}, 1e-4),
    'uint8 with slope': ({}, {'dtype': 'u1', 'slope': 1.0}, 0.02), 'scaled int16': ({}, {'dtype': 'i2', 'slope': 0.01}, 1e-3),
    'big endian': ({}, {'endian': '>'}, 1e-4), 'NIfTI-2': ({}, {'cls': nb.Nifti2Header}, 1e-4),
}  # fmt: skip


@pytest.mark.parametrize(('place', 'storage', 'tolerance'), STORAGE.values(), ids=STORAGE)
def test_tensors_are_those_that_were_planted(tmp_path, place, storage, tolerance):
    """FA and direction in the world; rounding to whole numbers of 20 to 200 costs the second digit of FA."""
    affine = affine_of(**place)
    table, data, read = read_dwi(*write_scan(tmp_path, affine, **storage))
    found = fit_tensor(data.reshape(-1, data.shape[-1]), table)
    mean = EVALS.mean()
    expected = np.sqrt(1.5 * np.sum((EVALS - mean) ** 2) / np.sum(EVALS**2))
    np.testing.assert_allclose(np.ravel(found.fa), expected, atol=tolerance)
    directions = np.asarray(found.evec).reshape(-1, 3)
    along = np.abs(np.sum(directions * direction_at(world_of(read)), axis=1))
    assert along.min() > 1 - tolerance
    np.testing.assert_allclose(read, affine, atol=1e-5)


@pytest.mark.parametrize(('place', 'storage', 'tolerance'), STORAGE.values(), ids=STORAGE)
def test_a_head_has_the_same_values_at_points_of_the_world(tmp_path, place, storage, tolerance):
    """A linear function of position, which interpolation does not change: read at points common to all storages."""
    affine = affine_of(**place)
    slopes = np.array([3.0, -2.0, 1.0])
    values = 100 + world_of(affine) @ slopes
    path = tmp_path / 'sub-01_T1w.nii.gz'
    write_image(path, values.reshape(SHAPE), affine, **storage)
    head, read = load_t1w(path)
    grid = np.diag([2.0, 2, 2, 1])
    grid[:3, 3] = -4
    found = resample(head, read, (5, 5, 5), grid)
    points = np.stack(np.indices((5, 5, 5)), -1) @ grid[:3, :3].T + grid[:3, 3]
    rounding = storage.get('slope', 0) / 2
    np.testing.assert_allclose(found, 100 + points @ slopes, atol=1e-3 + rounding)


@pytest.mark.parametrize(('place', 'storage', 'tolerance'), STORAGE.values(), ids=STORAGE)
def test_maps_beside_a_scan_are_read_alike(tmp_path, rng, place, storage, tolerance):
    """Tissue and transforms of other programs go to steps as they are: also as NIfTI-2, which one of them once refused."""
    values, path = 100 * rng.random(SHAPE), tmp_path / 'sub-01_label-GM_probseg.nii.gz'
    write_image(path, values, affine_of(**place), **storage)
    found, affine = load(path)
    np.testing.assert_allclose(found, values, atol=storage.get('slope', 0) / 2 + 1e-4)
    np.testing.assert_allclose(affine, affine_of(**place), atol=1e-5)
    np.testing.assert_array_equal(load_image(path).shape, SHAPE)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r'probseg\.nii\.gz .* again'):
        load(path)


@pytest.mark.parametrize('axes', ['LAS', 'LPS', 'PSR', 'IRP'])
def test_a_head_is_the_same_array_whatever_its_axes(tmp_path, rng, axes):
    """What registers it begins at the same voxel; an oblique grid stays one, with the axes nearest to those of the world."""
    plain, head = affine_of(turn=10.0), 100 * rng.random(SHAPE)
    path = tmp_path / 'sub-01_T1w.nii.gz'
    write_image(path, *along(head, plain, axes))
    assert nb.aff2axcodes(nb.load(path).affine) == tuple(axes)
    found, affine = load_t1w(path)
    np.testing.assert_array_equal(found, head.astype(np.float32))
    np.testing.assert_allclose(affine, plain, atol=1e-5)


# --- what stores them: laws of its own ---


def test_the_rule_of_fsl_is_written_out():
    """Along the voxel axes; x turned round where the determinant is positive; there and back."""
    world = np.array([[1.0, 0, 0], [0, 0.6, 0.8]])
    np.testing.assert_allclose(fsl_vectors(world, affine_of('RAS')), [[-1, 0, 0], [0, 0.6, 0.8]], atol=1e-12)
    np.testing.assert_allclose(fsl_vectors(world, affine_of('LAS')), [[-1, 0, 0], [0, 0.6, 0.8]], atol=1e-12)
    np.testing.assert_allclose(fsl_vectors(world, affine_of('LPS')), [[1, 0, 0], [0, -0.6, 0.8]], atol=1e-12)
    np.testing.assert_allclose(fsl_vectors(world, affine_of('PSR')), [[0, 0, 1], [-0.6, 0.8, 0]], atol=1e-12)
    for axes in ('RAS', 'LPS', 'PSR'):
        affine = affine_of(axes, 20.0)
        np.testing.assert_allclose(world_vectors(fsl_vectors(world, affine), affine), world, atol=1e-12)


@pytest.mark.parametrize('axes', ['LAS', 'LPS', 'PSR'])
def test_axes_are_changed_and_values_stay_where_they_are(axes):
    affine = affine_of('RAS', 10.0)
    data = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    moved, found = along(data, affine, axes)
    assert nb.aff2axcodes(found) == tuple(axes)
    points = nb.affines.apply_affine(found, np.stack(np.indices(moved.shape), -1))
    back = np.rint(nb.affines.apply_affine(np.linalg.inv(affine), points)).astype(int)
    np.testing.assert_array_equal(data[tuple(np.moveaxis(back, -1, 0))], moved)


def test_directions_of_sidecars_turn_with_the_axes(tmp_path):
    """They count voxel axes: along y of the world whatever the axes are."""
    path = tmp_path / 'bold.nii.gz'
    for axes, found in (('RAS', 'j-'), ('LPS', 'j'), ('PSR', 'i')):
        write_image(path, np.ones((*SHAPE, 2)), affine_of())
        path.with_name('bold.json').write_text(
            '{"PhaseEncodingDirection": "j-", "SliceEncodingDirection": "k"}'
        )
        store(path, Storage('axes', axes=axes))
        content = json.loads(path.with_name('bold.json').read_text())
        assert content['PhaseEncodingDirection'] == found == direction_along('j-', affine_of(), axes)
        column = nb.load(path).affine[:3, 'ijk'.index(found[0])] * (-1 if found.endswith('-') else 1)
        np.testing.assert_allclose(column, [0, -VOXEL, 0], atol=1e-6)
        assert content['SliceEncodingDirection'] == ('j' if axes == 'PSR' else 'k')


def test_a_turned_grid_shows_the_same_head():
    """A linear function of position, which linear interpolation does not change, where the grid is inside the box."""
    affine = affine_of()
    values = (100 + world_of(affine) @ [3.0, -2.0, 1.0]).reshape(SHAPE).astype(np.float32)
    moved, turned = on_turned_grid(values, affine, 15.0, 1)
    points = nb.affines.apply_affine(turned, np.stack(np.indices(SHAPE), -1))
    inner = np.all(np.abs(points) <= 3.4 * VOXEL, axis=-1)
    assert inner.sum() > 200
    np.testing.assert_allclose(moved[inner], (100 + points @ [3.0, -2.0, 1.0])[inner], atol=1e-3)
    np.testing.assert_allclose(turned[:3, 3] + turned[:3, :3] @ [3.5, 3.5, 3.5], 0, atol=1e-6)


@pytest.mark.parametrize('name', STORAGES)
def test_a_scan_that_was_stored_anew_is_the_same_scan(tmp_path, name):
    """Series and directions read as a run reads them: tensors of before, but for steps and interpolation."""
    path, bval, bvec = write_scan(tmp_path, affine_of('LAS'))
    step = store(path, STORAGES[name])
    table, data, affine = read_dwi(path, bval, bvec)
    assert (step > 0) == (name == 'uint8 with slope')
    points, found = world_of(affine), fit_tensor(data.reshape(-1, data.shape[-1]), table)
    # within the box, and away from the border of left and right, which interpolation mixes
    inner = (np.abs(points).max(axis=1) < 2.6 * VOXEL) & (np.abs(points[:, 0]) > VOXEL)
    directions = np.abs(np.sum(np.asarray(found.evec).reshape(-1, 3) * direction_at(points), axis=1))
    assert inner.sum() > 100
    assert directions[inner].min() > 1 - (1e-4 if not step else 0.02)
