"""The same diffusion scan and the same head, stored in the ways that programs store them: the same values in the world."""

import gzip

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipelines.interfaces._anatomy import load_t1w
from pipelines.interfaces._diffusion import read_dwi
from pipelines.numerics.resample import resample
from pipelines.numerics.tensor import fit_tensor
from pipelines.simulated.diffusion import gradient_table

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
    rotation = Rotation.from_euler('x', turn, degrees=True).as_matrix()
    affine[:3, :3] = rotation @ np.array([columns[letter] for letter in axes], float).T * VOXEL
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
    """Write series and tables; b-vectors by FSL's rule, written out: along the voxel axes, x turned round where det > 0."""
    bvals, world = gradient_table(30, [B])
    points = world_of(affine)
    along = direction_at(points) @ world.T
    diffusivity = EVALS[1] + (EVALS[0] - EVALS[1]) * along**2
    series = (S0 * np.exp(-bvals * diffusivity)).reshape(*SHAPE, -1)
    vectors = world @ (affine[:3, :3] / VOXEL)
    if np.linalg.det(affine[:3, :3]) > 0:
        vectors[:, 0] *= -1
    path = folder / 'sub-01_dwi.nii.gz'
    store(path, series, affine, **storage)
    np.savetxt(folder / 'sub-01_dwi.bval', bvals[None], fmt='%g')
    np.savetxt(folder / 'sub-01_dwi.bvec', vectors.T, fmt='%.8f')
    return path, folder / 'sub-01_dwi.bval', folder / 'sub-01_dwi.bvec'


def store(path, data, affine, dtype='f4', slope=1.0, endian='<', cls=nb.Nifti1Header):
    header = cls(endianness=endian)
    stored = np.dtype(dtype).newbyteorder(endian)
    header.set_data_dtype(stored)
    header.set_data_shape(data.shape)
    header.set_sform(affine, 2)
    header.set_zooms((VOXEL,) * 3 + (1.0,) * (data.ndim - 3))
    header['vox_offset'] = 352 if cls is nb.Nifti1Header else 544
    header['scl_slope'], header['scl_inter'] = slope, 0
    values = np.rint(data / slope) if stored.kind in 'iu' else data
    path.write_bytes(
        gzip.compress(header.binaryblock + bytes(4) + values.astype(stored).tobytes(order='F'), 1)
    )


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
    store(path, values.reshape(SHAPE), affine, **storage)
    head, read = load_t1w(path)
    grid = np.diag([2.0, 2, 2, 1])
    grid[:3, 3] = -4
    found = resample(head, read, (5, 5, 5), grid)
    points = np.stack(np.indices((5, 5, 5)), -1) @ grid[:3, :3].T + grid[:3, 3]
    rounding = storage.get('slope', 0) / 2
    np.testing.assert_allclose(found, 100 + points @ slopes, atol=1e-3 + rounding)
