"""Headers of NIfTI files: what they get wrong is told by name, and nothing is allocated for what they claim."""

import gzip
import struct
import tracemalloc

import nibabel as nb
import numpy as np
import pytest
from hypothesis import strategies as st

from pipelines.errors import DataError, MissingInputError, SingleVolumeError
from pipelines.interfaces._anatomy import load_t1w
from pipelines.interfaces.headers import holds_more, open_image, open_series, repetition_time, series_gb
from pipelines.interfaces.images import iterate_volumes, load_mask, read_masked
from tests import damage

SHAPE = (4, 5, 3, 6)
CODES, DIM, DATATYPE, OFFSET, SIZE = 252, 40, 70, 108, 348


def image_bytes(shape=SHAPE, dtype=np.int16):
    image = nb.Nifti1Image(np.arange(np.prod(shape)).reshape(shape).astype(dtype), np.diag([2, 2, 2, 1]))
    return image.to_bytes()


def write(path, content):
    path.write_bytes(gzip.compress(content, 1) if path.suffix == '.gz' else content)
    return path


def changed(content, position, form, *values):
    data = bytearray(content)
    struct.pack_into(form, data, position, *values)
    return bytes(data)


@pytest.fixture(params=['a.nii', 'a.nii.gz'])
def path(tmp_path, request):
    return tmp_path / request.param


def test_a_sound_image_is_opened(path):
    write(path, image_bytes())
    assert open_series(path).shape == SHAPE
    assert series_gb(path) == pytest.approx(np.prod(SHAPE) * 4 / 2**30)


REFUSED = {
    'no orientation': ((CODES, '<hh', 0, 0), 'sform_code and qform_code are 0'),
    'more than it holds': ((DIM, '<5h', 4, 3000, 3000, 3000, 900), 'needs 48,600,000,000,352 bytes'),
    'colours': ((DATATYPE, '<hh', 128, 24), 'colours'),
    'complex numbers': ((DATATYPE, '<hh', 32, 64), 'complex numbers'),
    'no known type': ((DATATYPE, '<hh', 999, 16), 'cannot be read'),
    'degenerate affine': ((280, '<4f', 0, 0, 0, 0), 'no map of voxels to mm'),
    'affine without numbers': ((280, '<4f', np.nan, 0, 0, 0), 'no map of voxels to mm'),
}


@pytest.mark.parametrize(('change', 'says'), REFUSED.values(), ids=REFUSED)
def test_what_a_header_gets_wrong_is_named(path, change, says):
    write(path, changed(image_bytes(), *change))
    with pytest.raises(DataError, match=says) as stop:
        open_image(path)
    assert str(path) in str(stop.value)


def test_a_header_of_79_bytes_that_claims_49_gb_costs_no_memory(tmp_path):
    """Compressed zeros: the file is tiny, the image it announces is not."""
    content = changed(image_bytes()[:SIZE] + bytes(4), DIM, '<5h', 4, 2000, 2000, 2000, 3)
    path = write(tmp_path / 'a.nii.gz', content)
    assert path.stat().st_size < 200
    tracemalloc.start()
    with pytest.raises(DataError, match='cut short or its header is wrong'):
        open_image(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_deflate_at_its_limit_is_no_false_alarm(tmp_path):
    """Constant zeros are compressed 1,028-fold, the most that deflate can."""
    header = nb.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)).to_bytes()[:352]
    content = changed(header, DIM, '<5h', 4, 100, 100, 100, 20) + bytes(2 * 100**3 * 20)
    path = tmp_path / 'a.nii.gz'
    path.write_bytes(gzip.compress(content, 9))
    assert path.stat().st_size * 1000 < len(content)
    assert open_series(path).shape == (100, 100, 100, 20)


def test_absent_empty_and_single_volumes_have_their_own_words(tmp_path):
    with pytest.raises(MissingInputError, match='datalad get'):
        open_image(tmp_path / 'absent.nii')
    (tmp_path / 'empty.nii').touch()
    with pytest.raises(DataError, match='0 bytes'):
        open_image(tmp_path / 'empty.nii')
    for shape in ((3, 3, 3), (3, 3, 3, 1)):
        with pytest.raises(SingleVolumeError, match='last one time'):
            open_series(write(tmp_path / 'one.nii', image_bytes(shape)))


def test_time_is_in_seconds_whatever_the_unit(path):
    content = changed(image_bytes(), 76 + 16, '<f', 1500)
    assert repetition_time(write(path, changed(content, 123, '<B', 2 | 16))) == pytest.approx(1.5)


def read_everything(path):
    """Do with a file what a run does: take it as mask, as head, or read all volumes."""
    image = open_image(path)
    holds_more(path)
    if image.ndim == 3:
        assert load_mask(path, image).any()
        assert np.isfinite(load_t1w(path)[0]).all()
        return
    assert 0 <= repetition_time(path) < np.inf
    series = read_masked(path, np.ones(image.shape[:3], bool), np.ones(image.shape[3], bool))
    assert np.isfinite(series.series).all()
    assert all(np.isfinite(volume).all() for volume in iterate_volumes(path))


@pytest.mark.parametrize(
    ('dtype', 'slope', 'intercept'), [(np.int16, 1.6e37, 0), (np.float32, 3e38, 3e38), (np.uint8, 4e35, 3e38)]
)
def test_a_scaling_beyond_all_numbers_is_refused(tmp_path, dtype, slope, intercept):
    path = tmp_path / 'a.nii'
    nb.save(nb.Nifti1Image(np.ones((4, 5, 6), dtype), np.eye(4)), path)
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, intercept], np.float32).tobytes()  # scl_slope, scl_inter
    damage.write(path, bytes(content))
    with pytest.raises(DataError, match=r'a\.nii scales its values by .* beyond all numbers'):
        open_image(path)


def test_a_large_scaling_is_read(tmp_path):
    """Raw counts of a scanner that are stored as 16 bits of a large range."""
    path = tmp_path / 'a.nii'
    image = nb.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4))
    image.header.set_slope_inter(1e9, -5e8)
    nb.save(image, path)
    assert open_image(path).get_fdata().max() <= 3.3e13


@pytest.mark.fuzz
@pytest.mark.parametrize('shape', [SHAPE, (8, 9, 8)])
@pytest.mark.parametrize('cls', [nb.Nifti1Image, nb.Nifti2Image])
def test_a_damaged_image_is_read_or_refused_by_name(tmp_path, cls, shape):
    """Fields of the header changed, bytes cut, doubled, flipped; what is read has finite numbers."""
    data = (np.arange(np.prod(shape), dtype=np.int16) % (1000 if len(shape) == 4 else 2)).reshape(shape)

    def read(drawn):
        is_packed, content = drawn
        path = tmp_path / f'a.nii{".gz" * is_packed}'
        damage.write(path, content)
        read_everything(path)

    drawn = damage.nifti_files(data, np.diag([2.0, 2, 2, 1]), cls)
    found = damage.outcomes_of(drawn, read, names=[str(tmp_path / 'a.nii')])
    assert found == {damage.READ, damage.REFUSED}


@pytest.mark.fuzz
def test_bytes_that_are_no_image_are_refused(tmp_path):
    """Nothing but what begins as NIfTI is one."""
    path = tmp_path / 'a.nii'
    sound = image_bytes()

    def read(content):
        damage.write(path, content)
        open_image(path)

    assert damage.outcomes_of(st.binary(max_size=600), read) == {damage.REFUSED}
    assert damage.outcomes_of(st.binary(max_size=40).map(lambda tail: sound[:340] + tail), read) == {
        damage.REFUSED
    }
