"""Gradient tables as files: what is read, and that damage of any kind is named and never escapes."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.errors import ClbpeError, DataError, FewDirectionsError, MissingInputError
from pipelines.interfaces._diffusion import read_gradient_table, read_series
from pipelines.interfaces.dwi_protocol import read_protocol
from pipelines.simulated.diffusion import gradient_table

N_MUTATIONS = 600
PIECES = [
    *(b'nan', b'inf', b'-inf', b'1e400', b'-1', b'0', b'1e308', b'1j', b'0x1f', b'1_000', b'1d3', b'', b' ', b'\t'),
    *(b'\n', b'\r', b'\r\n', b'#', b',', b';', b'"', b'\x00', b'\xff', b'\xef\xbb\xbf', b'\xe2\x88\x92', b'\x1a'),
]  # fmt: skip


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


def mutate(content, rng):
    """Return a text with some of its parts cut, doubled, swapped or replaced."""
    words = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        start, size = int(rng.integers(len(words) + 1)), int(rng.integers(1, 12))
        piece = PIECES[rng.integers(len(PIECES))]
        kind = rng.integers(5)
        if kind == 0:
            words[start : start + size] = piece
        elif kind == 1:
            words[start:start] = piece
        elif kind == 2:
            words[start:start] = words[start : start + 8 * size]
        elif kind == 3:
            del words[start : start + 8 * size]
        elif start < len(words):
            words[start] ^= 1 << rng.integers(8)
    return bytes(words)


@pytest.mark.parametrize('which', [1, 2])
@pytest.mark.filterwarnings('ignore:loadtxt')
def test_a_damaged_table_never_escapes(files, which):
    """Either a table of numbers comes back, or an error that names the file."""
    rng, sound = np.random.default_rng(17), files[which].read_bytes()
    said = []
    for _ in range(N_MUTATIONS):
        content = mutate(sound, rng)
        files[which].write_bytes(content)
        try:
            table, used = read_gradient_table(*files)
        except ClbpeError as error:
            said.append(str(error))
            continue
        assert len(used) == 13, content
        assert np.isfinite(table.bvals).all(), content
        norms = np.linalg.norm(table.bvecs[table.bvals > 0], axis=1)
        np.testing.assert_allclose(norms, 1, atol=1e-6, err_msg=str(content))
    assert N_MUTATIONS / 4 < len(said) < N_MUTATIONS
    assert all(files[0].name in text or files[which].name in text for text in said)


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
