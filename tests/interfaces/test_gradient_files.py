"""Gradient tables as files: what is read, and that damage of any kind is named and never escapes."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.errors import DataError, FewDirectionsError, MissingInputError
from pipelines.interfaces._diffusion import read_gradient_table, read_series
from pipelines.interfaces.dwi_protocol import read_protocol
from pipelines.simulated.diffusion import gradient_table
from tests import damage


@pytest.fixture
def files(tmp_path):
    """Return image and table of one b = 0 image and 12 directions."""
    bvals, bvecs = gradient_table(12, [1000.0], n_b0=1)
    paths = [tmp_path / f'dwi.{extension}' for extension in ('nii', 'bval', 'bvec')]
    data = np.arange(13, dtype=np.int16) * np.ones((2, 2, 2, 1), np.int16)
    nb.save(nb.Nifti1Image(data, np.diag([2.0, 2, 2, 1])), paths[0])
    np.savetxt(paths[1], bvals[None], fmt='%g')
    np.savetxt(paths[2], bvecs.T, fmt='%.6f')
    return paths


@pytest.mark.fuzz
@pytest.mark.parametrize('which', [1, 2])
def test_a_damaged_table_never_escapes(files, which):
    """Either a table of numbers comes back, or an error that names the file."""
    sound, row = files[which].read_bytes(), b' '.join(files[which].read_bytes().split()) + b'\n'

    def read(content):
        damage.write(files[which], content)
        table, used = read_gradient_table(*files)
        read_protocol(*files)
        assert len(used) == 13
        assert np.isfinite(table.bvals).all()
        norms = np.linalg.norm(table.bvecs[table.bvals > 0], axis=1)
        np.testing.assert_allclose(norms, 1, atol=1e-6)

    names = files[0].name, files[which].name
    found = damage.outcomes_of(damage.damaged(sound, row), read, 3, names)
    assert found == {damage.READ, damage.REFUSED}


def test_a_folder_in_place_of_a_table(files):
    files[1].unlink()
    files[1].mkdir()
    with pytest.raises(MissingInputError, match=r'dwi\.bval is not here'):
        read_gradient_table(*files)


def test_volumes_without_direction_are_not_read(files):
    bvals, bvecs = np.loadtxt(files[1]), np.loadtxt(files[2])
    bvecs[:, [3, 12]] = 0
    np.savetxt(files[2], bvecs, fmt='%.6f')
    table, used = read_gradient_table(*files)
    data, _ = read_series(files[0], used)
    np.testing.assert_array_equal(data[0, 0, 0], [0, 1, 2, *range(4, 12)])
    np.testing.assert_array_equal(table.bvals, bvals[used])
    assert read_protocol(*files).left_out == (3, 12)


def test_what_a_scan_is(files):
    found = read_protocol(*files)
    assert found.grid == ((2, 2.0),) * 3
    assert found.shells == (1000.0,)
    assert found.left_out == ()


@pytest.mark.parametrize('stored', ['LAS', 'PIR', 'RPI'])
def test_how_an_image_is_stored_does_not_count(tmp_path, files, stored):
    data = np.zeros((2, 3, 4, 13), np.int16)
    image = nb.Nifti1Image(data, np.diag([2.0, 2.5, 3, 1]))
    nb.save(image, files[0])
    found = read_protocol(*files)
    turn = nb.orientations.ornt_transform(
        nb.io_orientation(image.affine), nb.orientations.axcodes2ornt(stored)
    )
    nb.save(image.as_reoriented(turn), files[0])
    assert read_protocol(*files).has_grid_of(found)


def test_one_volume_is_told_from_a_damaged_file(files):
    nb.save(nb.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)), files[0])
    with pytest.raises(FewDirectionsError, match=r'one volume, shape \(2, 2, 2\).* Exclude the scan'):
        read_gradient_table(*files)
    nb.save(nb.Nifti1Image(np.zeros((2, 2, 2, 13, 2), np.int16), np.eye(4)), files[0])
    with pytest.raises(DataError, match=r'shape \(2, 2, 2, 13, 2\)'):
        read_gradient_table(*files)
