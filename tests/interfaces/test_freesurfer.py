"""FreeSurfer's labels are brought to another image of the same head, and refused on another place."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.errors import DataError, MissingInputError
from pipelines.interfaces._series import write_volume
from pipelines.interfaces.freesurfer import align_labels, open_mgz
from pipelines.numerics.resample import apply_linear, grid_points, sample
from pipelines.simulated.head import small_rigid
from tests.heads import template_at

CONFORMED = np.array([[-2.0, 0, 0, 110], [0, 0, 2, -130], [0, -2, 0, 110], [0, 0, 0, 1]])
"""FreeSurfer's order of axes, here at 2 mm."""

SHAPE = (110, 110, 110)
SPHERE = {'centre': np.array([-9.0, 9, -8]), 'radius': 6.0, 'label': 26}


@pytest.fixture(scope='module')
def head(tmp_path_factory):
    """Return a folder with an anatomy, FreeSurfer's brain and labels of it, and the way between the two."""
    folder = tmp_path_factory.mktemp('freesurfer')
    values, affine = template_at(2.0)
    write_volume(values.astype(np.float32), affine, folder / 't1w.nii')
    write_volume((values > 0).astype(np.uint8), affine, folder / 'mask.nii')
    move = small_rigid(
        np.random.default_rng(3), 6.0, 8.0
    )  # points of FreeSurfer's image to those of the anatomy
    points = apply_linear(move, grid_points(SHAPE, CONFORMED))
    brain = sample(values.astype(np.float32), affine, points).reshape(SHAPE)
    inside = np.linalg.norm(points - SPHERE['centre'], axis=1).reshape(SHAPE) <= SPHERE['radius']
    labels = np.where(inside, SPHERE['label'], np.where(brain > 0, 3, 0)).astype(np.int32)
    nb.MGHImage(brain, CONFORMED).to_filename(folder / 'norm.mgz')
    nb.MGHImage(labels, CONFORMED).to_filename(folder / 'aseg.mgz')
    return folder


def align(head, out, **other):
    given = {
        't1w_preproc': head / 't1w.nii',
        't1w_mask': head / 'mask.nii',
        'brain': head / 'norm.mgz',
        'labels': head / 'aseg.mgz',
    }
    return align_labels(**{**given, **other}, random_seed=1, out_dir=out)


@pytest.fixture(scope='module')
def aligned(head, tmp_path_factory):
    return align(head, tmp_path_factory.mktemp('aligned')).labels


def test_labels_lie_where_they_were_drawn(aligned):
    """The centre of a sphere to half a millimetre, a quarter of a voxel, through a turn of 6 degrees and 8 mm."""
    found = nb.load(aligned)
    numbers = np.asarray(found.dataobj)
    assert found.affine.shape == (4, 4)
    own = apply_linear(found.affine, np.argwhere(numbers == SPHERE['label']))
    assert np.linalg.norm(own.mean(axis=0) - SPHERE['centre']) < 0.5


def test_no_label_is_interpolated(head, aligned):
    numbers = np.asarray(nb.load(aligned).dataobj)
    np.testing.assert_array_equal(numbers, open_mgz(head / 'aseg.mgz')[0])


def test_the_same_seed_gives_the_same_place(head, aligned, tmp_path):
    again = nb.load(align(head, tmp_path).labels)
    np.testing.assert_array_equal(again.affine, nb.load(aligned).affine)


def test_labels_of_something_else_are_refused(head, tmp_path):
    """Half of a brain."""
    labels = np.asarray(nb.load(head / 'aseg.mgz').dataobj).copy()
    labels[: SHAPE[0] // 2] = 0
    nb.MGHImage(labels, CONFORMED).to_filename(tmp_path / 'half.mgz')
    with pytest.raises(DataError, match=r'does not fit the T1w image: the Dice of the two brains is 0\.6'):
        align(head, tmp_path, labels=tmp_path / 'half.mgz')


@pytest.mark.parametrize('content', [b'', b'no image', None])
def test_a_damaged_file_is_named(head, tmp_path, content):
    path = tmp_path / 'aseg.mgz'
    path.write_bytes((head / 'aseg.mgz').read_bytes()[:2000] if content is None else content)
    with pytest.raises(DataError, match=r'aseg\.mgz cannot be read'):
        open_mgz(path)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r'norm\.mgz is not here'):
        open_mgz(tmp_path / 'norm.mgz')


@pytest.mark.parametrize('values', [np.zeros((4, 4, 4)), np.full((4, 4, 4), np.nan), np.ones((4, 4, 4, 2))])
def test_what_holds_no_volume_is_refused(tmp_path, values):
    nb.MGHImage(values.astype(np.float32), np.eye(4)).to_filename(tmp_path / 'x.mgz')
    with pytest.raises(DataError, match='holds no volume of numbers'):
        open_mgz(tmp_path / 'x.mgz')
