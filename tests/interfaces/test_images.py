"""Reading a series: values against nibabel, and every kind of damage named."""

import gzip

import nibabel as nb
import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.interfaces import headers, images
from tests.sums import checksum


@pytest.fixture
def scan(tmp_path, rng):
    data = 500 + 20 * rng.standard_normal((7, 6, 5, 9))
    image = nb.Nifti1Image(data.astype(np.float32), np.diag([2, 2, 3, 1]))
    image.header.set_zooms((2, 2, 3, 1.5))
    image.header.set_xyzt_units('mm', 'sec')
    nb.save(image, tmp_path / 'bold.nii.gz')
    return tmp_path / 'bold.nii.gz'


@pytest.mark.parametrize('dtype', ['<i2', '>i2', '<f4', '<f8', '<u1'])
@pytest.mark.parametrize('extension', ['.nii', '.nii.gz'])
def test_volumes_equal_nibabel(tmp_path, rng, dtype, extension):
    image = nb.Nifti1Image((100 * rng.random((4, 5, 6, 3))).astype(np.float32), np.eye(4))
    image = nb.Nifti1Image(image.get_fdata(), np.eye(4), nb.Nifti1Header(endianness=dtype[0]))
    image.set_data_dtype(np.dtype(dtype))
    path = tmp_path / f'scan{extension}'
    nb.save(image, path)
    expected = nb.load(path).get_fdata()
    got = np.stack(list(images.iterate_volumes(path)), axis=-1)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize('scaling', [(1.0, 0.0), (0.5, -3.0)])
@pytest.mark.parametrize('dtype', ['<i2', '>i2', '<f4', '<f8', '<u1'])
@pytest.mark.parametrize('extension', ['.nii', '.nii.gz'])
def test_values_of_a_volume_equal_nibabel(tmp_path, rng, dtype, extension, scaling):
    """Scaling in float32, against that in float64."""
    header = nb.Nifti1Header(endianness=dtype[0])
    header.set_data_dtype(np.dtype(dtype))
    stored = np.floor(100 * rng.random((4, 5, 6, 1)))
    image = nb.Nifti1Image(stored.astype(dtype), np.diag([2, 2, 3, 1]), header)
    content = bytearray(image.to_bytes())
    content[112:120] = np.array(scaling, f'{dtype[0]}f4').tobytes()
    path = tmp_path / f'volume{extension}'
    path.write_bytes(gzip.compress(bytes(content)) if extension == '.nii.gz' else bytes(content))
    found = images.values_of(nb.load(path))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, nb.load(path).get_fdata(), rtol=1e-6)
    np.testing.assert_allclose(found, stored * scaling[0] + scaling[1], rtol=1e-6)


def test_a_volume_whose_bytes_changed_on_the_way_is_damaged(tmp_path, rng):
    """Any single bit of the compressed stream: another value in one voxel passes no reader that skips the checksum."""
    path = tmp_path / 'mask.nii.gz'
    noise = rng.integers(0, 2, (8, 8, 8)).astype(np.uint8)
    nb.save(nb.Nifti1Image(noise, np.eye(4)), path)
    sound, before = path.read_bytes(), images.values_of(nb.load(path))
    n_refused = 0
    for place in range(120, len(sound), 9):
        content = bytearray(sound)
        content[place] ^= 4
        path.write_bytes(content)
        try:
            found = images.values_of(headers.open_image(path))
        except DataError as error:
            n_refused += str(path) in str(error)
        else:
            np.testing.assert_array_equal(found, before)
    assert n_refused > 5


def test_masked_series_and_mean(scan, rng):
    """The mean over kept volumes; float64 sums leave only float32 rounding."""
    data = nb.load(scan).get_fdata()
    mask, keep = rng.random((7, 6, 5)) > 0.5, np.array([0, 1, 1, 0, 1, 1, 1, 1, 1], bool)
    got = images.read_masked(scan, mask, keep)
    np.testing.assert_allclose(got.series, data[mask].T, rtol=1e-6)
    np.testing.assert_allclose(got.mean, data[..., keep].mean(-1), rtol=1e-6)


def test_repetition_time_follows_the_unit(scan, tmp_path):
    assert headers.repetition_time(scan) == pytest.approx(1.5)
    image = nb.load(scan)
    image.header.set_zooms((2, 2, 3, 1500))
    image.header.set_xyzt_units('mm', 'msec')
    nb.save(image, tmp_path / 'ms.nii')
    assert headers.repetition_time(tmp_path / 'ms.nii') == pytest.approx(1.5)


def damage_empty(path):
    path.write_bytes(b'')


def damage_truncated(path):
    path.write_bytes(path.read_bytes()[:-400])


def damage_short(path):
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:-100]))


def damage_nan(path):
    image = nb.load(path)
    data = image.get_fdata()
    data[3, 3, 3, 4] = np.nan
    nb.save(nb.Nifti1Image(data.astype(np.float32), image.affine), path)


def damage_three_dimensional(path):
    image = nb.load(path)
    nb.save(nb.Nifti1Image(image.get_fdata()[..., 0], image.affine), path)


def damage_text(path):
    path.write_bytes(b'annex object not here\n')


@pytest.mark.parametrize(
    ('damage', 'says'),
    [
        (damage_empty, 'is empty'),
        (damage_truncated, 'volume'),
        (damage_short, 'ends at volume 8 of 9'),
        (damage_nan, 'volume 4 holds NaN'),
        (damage_three_dimensional, 'four dimensions'),
        (damage_text, 'cannot be read'),
    ],
)
def test_damage_names_file_and_remedy(scan, damage, says):
    damage(scan)
    with pytest.raises(DataError, match=says) as caught:
        list(images.iterate_volumes(scan))
    assert scan.name in str(caught.value)


def test_mask_on_another_grid_is_refused(scan, tmp_path):
    nb.save(nb.Nifti1Image(np.ones((7, 6, 4), np.uint8), np.eye(4)), tmp_path / 'mask.nii')
    with pytest.raises(DataError, match='not on the grid'):
        images.load_mask(tmp_path / 'mask.nii', nb.load(scan))


def test_saved_series_returns_and_keeps_its_time_step(scan, tmp_path, rng):
    like, mask = nb.load(scan), rng.random((7, 6, 5)) > 0.5
    series = rng.standard_normal((9, mask.sum())).astype(np.float32)
    saved = nb.load(images.save_map(series, mask, like, tmp_path / 'out.nii.gz'))
    np.testing.assert_array_equal(saved.get_fdata()[mask].T.astype(np.float32), series)
    assert saved.header.get_zooms()[3] == pytest.approx(1.5)
    assert not saved.get_fdata()[~mask].any()


def test_product_is_saved_as_the_product_and_always_the_same(scan, tmp_path, rng):
    like, mask = nb.load(scan), rng.random((7, 6, 5)) > 0.5
    left = rng.standard_normal((40, 3)).astype(np.float32)
    right = rng.standard_normal((3, mask.sum())).astype(np.float32)
    paths = [images.save_product(left, right, mask, like, tmp_path / f'{n}.nii.gz') for n in 'ab']
    saved = nb.load(paths[0])
    np.testing.assert_allclose(saved.get_fdata()[mask], (left @ right).T, rtol=1e-5, atol=1e-6)
    assert not saved.get_fdata()[~mask].any()
    assert saved.get_data_dtype() == np.float32
    assert saved.header.get_xyzt_units() == ('mm', 'sec')
    assert checksum(paths[0]) == checksum(paths[1])


@pytest.mark.parametrize('extension', ['.nii', '.nii.gz'])
def test_saved_file_is_one_that_the_standard_library_and_nibabel_read(scan, tmp_path, rng, extension):
    like, volume = nb.load(scan), rng.integers(0, 255, (7, 6, 5)).astype(np.uint8)
    path = images.save_volume(volume, like, tmp_path / f'out{extension}')
    content = path.read_bytes() if extension == '.nii' else gzip.decompress(path.read_bytes())
    assert len(content) == 352 + volume.size
    np.testing.assert_array_equal(nb.load(path).dataobj, volume)
    np.testing.assert_array_equal(nb.load(path).affine, like.affine)
