"""Headers of NIfTI files: what they get wrong is told by name, and nothing is allocated for what they claim."""

import gzip
import struct
import tracemalloc
import warnings

import nibabel as nb
import numpy as np
import pytest

from pipelines.errors import ClbpeError, DataError, MissingInputError, SingleVolumeError
from pipelines.interfaces.headers import open_image, open_series, repetition_time, series_gb
from pipelines.interfaces.images import iterate_volumes, load_mask, read_masked

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
    """Do with a file what a run does: open, take it as mask, read all volumes."""
    image = open_image(path)
    mask = load_mask(path, image) if image.ndim == 3 else np.ones(image.shape[:3], bool)
    repetition_time(path)
    read_masked(path, mask, np.ones(image.shape[3], bool))
    list(iterate_volumes(path))


@pytest.mark.parametrize('seed', range(6))
def test_a_mutated_file_raises_nothing_but_our_own_errors(tmp_path, seed):
    """Bytes of the header and of the stream changed, cut out, doubled: 50 files per seed."""
    rng = np.random.default_rng(seed)
    sound = image_bytes(dtype=rng.choice([np.int16, np.float32, np.uint8]))
    refused = []
    for number in range(50):
        data = bytearray(sound)
        for position in rng.integers(0, SIZE, rng.integers(1, 5)):
            data[position] = rng.integers(256)
        content = gzip.compress(bytes(data), 1) if number % 2 else bytes(data)
        if number % 5 == 0:
            content = content[: rng.integers(len(content))]
        path = tmp_path / f'{number}.nii{".gz" * (number % 2)}'
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                read_everything(path)
        except ClbpeError as error:
            refused.append((path, str(error)))
    assert len(refused) > 5
    assert all(str(path) in message for path, message in refused)
