"""A planted distortion of a BOLD run is found from two EPI and taken back by the chain of points."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.acquisition import FieldSource
from pipelines.errors import DataError
from pipelines.interfaces.normalize import resample_series
from pipelines.interfaces.susceptibility import estimate_distortion
from pipelines.interfaces.transforms import read_field, write_field, write_linear
from pipelines.numerics.motion import rigid_matrix
from pipelines.numerics.resample import grid_points, resample
from pipelines.numerics.susceptibility import unwarp
from pipelines.simulated.head import epi_contrast, surround_with_head
from tests.heads import template_at

VOXEL, T_R = 4.0, 2.0
RUN, PAIR = 0.04, 0.05  # s


@pytest.fixture(scope='module')
def scans(tmp_path_factory):
    """Return folder, true head, brain, planted Hz and affine; the pair was taken after a small movement."""
    folder = tmp_path_factory.mktemp('scans')
    brain, affine = template_at(VOXEL)
    head, affine = surround_with_head(brain, affine)
    inside = np.pad(brain > 0, (head.shape[0] - brain.shape[0]) // 2)
    true = epi_contrast(head, inside).astype(np.float32)
    points = grid_points(true.shape, affine).reshape(*true.shape, 3)
    hertz = (60 * np.exp(-((points - (0, 48, -18)) ** 2).sum(axis=-1) / 2 / 20**2)).astype(np.float32)
    centre = np.array([0.0, -18, 10])
    moved = rigid_matrix(np.array([1.5, -1, 2, 0, 0.02, 0.03]), centre)
    held, field = (resample(v, affine, v.shape, affine, linear=moved, order=1) for v in (true, hertz))
    rng = np.random.default_rng(5)
    images = {
        'pa': _distort(held, field * PAIR),
        'ap': _distort(held, -field * PAIR),
        'boldref': _distort(true, -hertz * RUN),
    }
    for name, values in images.items():
        noisy = np.abs(values + rng.normal(0, 0.01, true.shape)).astype(np.float32)
        nb.save(nb.Nifti1Image(noisy, affine), folder / f'{name}.nii')
    return folder, true, inside, hertz, affine


def _distort(volume, u):
    """Read at the place that the displacement takes to each voxel, found by fixed-point iteration."""
    back = np.zeros(u.shape, np.float32)
    for _ in range(20):
        back = -unwarp(u, back, 1, 1, modulate=False)
    return unwarp(volume, back, 1, 1)


def _estimate(folder, out_dir, **changes):
    about = {'directions': ('j-', 'j'), 'readout_times': (PAIR, PAIR), **changes}
    source = FieldSource(kind='pair', direction='j-', readout_time=RUN, **about)
    pair = [folder / 'ap.nii', folder / 'pa.nii']
    return estimate_distortion(folder / 'boldref.nii', source, pair, 1, out_dir=out_dir)


@pytest.fixture(scope='module')
def found(scans, tmp_path_factory):
    return _estimate(scans[0], tmp_path_factory.mktemp('found'))


def test_planted_field_is_carried_to_the_run(scans, found):
    """60 Hz in 0.04 s are 2.4 voxels (9.6 mm) against +y at j-; the registration leaves some of it."""
    _, _, inside, hertz, _ = scans
    field, _ = read_field(found.displacement)
    planted = -hertz * RUN * VOXEL
    np.testing.assert_array_equal(field[..., [0, 2]], 0)
    assert np.sqrt(np.mean((field[..., 1] - planted)[inside] ** 2)) < 0.3 * VOXEL
    assert np.corrcoef(field[..., 1][inside], planted[inside])[0, 1] > 0.95


def test_chain_of_points_takes_it_back(scans, found, tmp_path):
    """A moved and distorted volume, read through field and motion at once, is the true head again."""
    folder, true, inside, _, affine = scans
    motion = rigid_matrix(np.array([2.0, 1, -1, 0.02, 0, 0]), np.array([0.0, -18, 10]))
    seen = nb.load(folder / 'boldref.nii').get_fdata(dtype=np.float32)
    volume = resample(seen, affine, seen.shape, affine, linear=np.linalg.inv(motion), order=3)
    image = nb.Nifti1Image(volume[..., None], affine)
    image.header.set_zooms((VOXEL, VOXEL, VOXEL, T_R))
    nb.save(image, tmp_path / 'series.nii')
    np.save(tmp_path / 'motion.npy', motion[None])
    write_linear(tmp_path / 'rigid.txt', np.eye(4))
    write_field(tmp_path / 'std.nii', np.zeros((2, 2, 2, 3)), np.diag([200.0, 200, 200, 1]))
    agreement = []
    for name, displacement in (('with', found.displacement), ('without', None)):
        (tmp_path / name).mkdir()
        files = tmp_path / 'series.nii', tmp_path / 'motion.npy', 0, 1
        transforms = tmp_path / 'std.nii', tmp_path / 'rigid.txt', 'MNI152NLin6Asym', displacement
        done = resample_series(*files, *transforms, out_dir=tmp_path / name)
        values = nb.load(done.bold_native).get_fdata()[..., 0]
        front = inside & (scans[3] > 15)
        agreement.append(np.corrcoef(values[front], true[front])[0, 1])
        native = nb.load(done.bold_native)
        np.testing.assert_allclose(native.affine, affine)
    assert agreement[0] > agreement[1] + 0.1


def test_corrected_reference_looks_like_the_head(scans, found):
    folder, true, inside, hertz, _ = scans
    front = inside & (hertz > 15)
    before, after = (nb.load(p).get_fdata()[front] for p in (folder / 'boldref.nii', found.boldref))
    assert np.corrcoef(after, true[front])[0, 1] > np.corrcoef(before, true[front])[0, 1] + 0.1


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'directions': ('j', 'j')}, 'opposite'),
        ({'directions': ('i', 'j-')}, 'opposite'),
        ({'readout_times': (0.05, 0.03)}, 'TotalReadoutTime'),
    ],
)
def test_what_is_no_pair_is_named(scans, tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        _estimate(scans[0], tmp_path, **changes)
