"""Anatomies of QSIPrep: labels as tissues, and the space half-way between two of one head."""

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from pipelines.errors import DataError
from pipelines.interfaces.atlas import point_map
from pipelines.interfaces.dwi_anatomy import find_between, split_tissues
from pipelines.interfaces.dwi_preprocessed import read_preprocessed
from pipelines.interfaces.transforms import read_linear, write_linear
from pipelines.numerics.motion import rigid_matrix
from pipelines.numerics.resample import apply_linear, grid_points
from pipelines.simulated.diffusion import gradient_table

VOXEL = 2.0
SHIFT = np.array([1.2, -0.8, 0.6, 0.02, -0.03, 0.015])
"""From the first session's space to the second's: mm, rad."""


def head(points):
    """Return tissue (0 none, 1 grey, 2 white, 3 fluid) and T1w intensity of an uneven head at points (N, 3)."""
    x, y, z = points.T
    bump = 3 * np.sin(x / 9) + 2 * np.cos(y / 11) + 2 * np.sin(z / 7 + x / 13)
    radius = np.sqrt((x / 0.85) ** 2 + (y - 4) ** 2 + ((z + 3) / 0.9) ** 2) + bump
    tissue = np.select([radius < 16, radius < 38, radius < 46, radius < 50], [3, 2, 1, 3], 0)
    return tissue, np.array([5.0, 60, 95, 25])[tissue]


class Session:
    """The files of one session, whose space is that of the head moved by ``matrix``."""

    def __init__(self, folder, matrix, gain):
        folder.mkdir()
        self.folder, self.matrix = folder, matrix
        self.affine = np.diag([VOXEL, VOXEL, VOXEL, 1])
        self.affine[:3, 3] = -64
        self.shape = (65, 65, 65)
        # points of the session to points of the head
        at = apply_linear(np.linalg.inv(matrix), grid_points(self.shape, self.affine))
        tissue, t1w = head(at)
        rng = np.random.default_rng(3)
        smooth = ndimage.gaussian_filter(t1w.reshape(self.shape), 0.5)
        self.t1w = self.write('t1w', gain * (smooth + rng.normal(0, 1, self.shape)))
        self.mask = self.write('mask', tissue.reshape(self.shape) > 0)
        self.dseg = self.write('dseg', tissue.reshape(self.shape))
        self.std = write_linear(folder / 'std.txt', np.linalg.inv(matrix))

    def write(self, name, volume):
        path = self.folder / f'{name}.nii.gz'
        nb.save(nb.Nifti1Image(volume.astype(np.float32), self.affine), path)
        return path

    def split(self, labels=None):
        return split_tissues(self.dseg, self.t1w, labels, out_dir=self.folder)


@pytest.fixture(scope='module')
def sessions(tmp_path_factory):
    root = tmp_path_factory.mktemp('sessions')
    return [
        Session(root / 'pre', np.eye(4), 1.0),
        Session(root / 'post', rigid_matrix(SHIFT, np.zeros(3)), 3.0),
    ]


@pytest.fixture(scope='module')
def between(sessions, tmp_path_factory):
    return find_between(
        [s.t1w for s in sessions],
        [s.mask for s in sessions],
        [s.split().probsegs for s in sessions],
        [s.std for s in sessions],
        VOXEL,
        5,
        out_dir=tmp_path_factory.mktemp('between'),
    )


def values(path):
    return np.asarray(nb.load(path).dataobj)


# --- labels ---


def test_labels_of_bids_and_of_fast_give_the_same_tissues(sessions, tmp_path):
    session = sessions[0]
    wanted = values(session.dseg)
    (tmp_path / 'fast').mkdir()
    fast = tmp_path / 'dseg.nii.gz'
    nb.save(nb.Nifti1Image(np.array([0, 2, 3, 1], np.uint8)[wanted.astype(int)], session.affine), fast)
    for found in (session.split(), split_tissues(fast, session.t1w, out_dir=tmp_path / 'fast')):
        np.testing.assert_array_equal(values(found.t1w_dseg), wanted)
        assert found.probsegs == [found.probseg_gm, found.probseg_wm, found.probseg_csf]
        for label, path in enumerate(found.probsegs, 1):
            np.testing.assert_array_equal(values(path), wanted == label)
            np.testing.assert_array_equal(nb.load(path).affine, session.affine)


def test_a_table_of_labels_is_believed(sessions, tmp_path):
    found = split_tissues(
        sessions[0].dseg, sessions[0].t1w, {'gm': [3], 'wm': [1, 2], 'csf': []}, out_dir=tmp_path
    )
    np.testing.assert_array_equal(values(found.probseg_wm), np.isin(values(sessions[0].dseg), (1, 2)))
    assert not values(found.probseg_csf).any()


def test_an_image_on_another_grid_tells_as_well(sessions, tmp_path):
    coarse = nb.load(sessions[0].t1w).slicer[::2, ::2, ::2]
    nb.save(coarse, tmp_path / 't1w.nii.gz')
    found = split_tissues(sessions[0].dseg, tmp_path / 't1w.nii.gz', out_dir=tmp_path)
    np.testing.assert_array_equal(values(found.t1w_dseg), values(sessions[0].dseg))


def test_tissues_that_cannot_be_told_are_refused_with_a_remedy(sessions, tmp_path):
    labels = tmp_path / 'sub-01_dseg.nii.gz'
    nb.save(nb.Nifti1Image(10 * values(sessions[0].dseg), sessions[0].affine), labels)
    with pytest.raises(
        DataError, match=r'labels 10, 20, 30, and not 1, 2, 3. Put sub-01_dseg.tsv beside it'
    ) as raised:
        split_tissues(labels, sessions[0].t1w, out_dir=tmp_path)
    assert str(labels) in str(raised.value)


# --- between ---


def test_the_space_lies_half_way(sessions, between):
    """From the first to the second session it is the planted move; from the person, half of it either way."""
    to_first, to_second = (read_linear(path) for path in between.person2session_xfms)
    found = to_second @ np.linalg.inv(to_first)
    points = 40 * np.vstack([np.eye(3), -np.eye(3)])
    # a tenth of a voxel
    np.testing.assert_allclose(
        apply_linear(found, points), apply_linear(sessions[1].matrix, points), atol=0.2
    )
    np.testing.assert_allclose(
        apply_linear(to_first, points) + apply_linear(to_second, points), 2 * points, atol=0.05
    )


def test_the_way_to_the_template_is_right_for_both(between):
    """The planted ways lead back to the head: so does the mean of both from half-way."""
    to_first = read_linear(between.person2session_xfms[0])
    points = np.random.default_rng(1).uniform(-35, 35, (200, 3))
    np.testing.assert_allclose(
        point_map(between.std2anat_xfm)(points), apply_linear(to_first, points), atol=0.2
    )


def test_the_anatomy_is_that_of_the_head(between):
    """Tissue half-way is the head's, where neighbours do not share a voxel."""
    image = nb.load(between.t1w_dseg)
    to_first = read_linear(between.person2session_xfms[0])
    wanted, t1w = head(apply_linear(to_first, grid_points(image.shape, image.affine)))
    found = values(between.t1w_dseg).ravel()
    inner = wanted > 0
    assert (found[inner] == wanted[inner]).mean() > 0.95
    total = sum(values(getattr(between, f'probseg_{name}')) for name in ('gm', 'wm', 'csf'))
    mask = values(between.t1w_mask) > 0
    np.testing.assert_allclose(total[ndimage.binary_erosion(mask, iterations=2)], 1, atol=1e-5)
    # scans of another brightness count alike
    assert np.corrcoef(values(between.t1w_preproc).ravel()[inner], t1w[inner])[0, 1] > 0.95
    assert np.median(values(between.t1w_preproc)[mask]) == pytest.approx(1000, rel=0.05)


def test_series_meet_in_the_space_between(sessions, between, tmp_path):
    """A series of each session, whose fibres are those of the head: signal and directions agree half-way."""
    bvals, bvecs = gradient_table(12, [1000.0], n_b0=1)
    made = []
    for number, (session, xfm) in enumerate(zip(sessions, between.person2session_xfms)):
        own = tmp_path / str(number)
        own.mkdir()
        data = values(session.t1w)[..., None] / (1, 3)[number] * np.exp(-bvals / 1e3)
        nb.save(nb.Nifti1Image(data.astype(np.float32), session.affine), own / 'dwi.nii.gz')
        np.savetxt(own / 'dwi.bval', bvals[None])
        # the gradients that the head sees are the same in both sessions: in the second they are turned with it
        turned = bvecs @ session.matrix[:3, :3].T * [-1, 1, 1]
        np.savetxt(own / 'dwi.bvec', turned.T)
        files = own / 'dwi.nii.gz', own / 'dwi.bval', own / 'dwi.bvec', session.mask
        made.append(read_preprocessed(*files, between.person_mask, xfm, out_dir=own))
    one, other = ([np.load(m.gradients)['bvecs'], values(m.dwi), values(m.dwi_mask)] for m in made)
    np.testing.assert_allclose(one[0], other[0], atol=0.003)
    assert not np.allclose(one[0], bvecs, atol=0.003)
    inner = ndimage.binary_erosion((one[2] > 0) & (other[2] > 0), iterations=2)
    assert np.corrcoef(one[1][inner].ravel(), other[1][inner].ravel())[0, 1] > 0.99


def test_an_empty_mask_is_named(sessions, tmp_path):
    empty = tmp_path / 'mask.nii.gz'
    nb.save(nb.Nifti1Image(np.zeros(sessions[0].shape, np.uint8), sessions[0].affine), empty)
    probsegs = [s.split().probsegs for s in sessions]
    with pytest.raises(DataError, match=r't1w\.nii\.gz.*brain mask is empty'):
        find_between(
            [s.t1w for s in sessions], [sessions[0].mask, empty], probsegs, [s.std for s in sessions], VOXEL, 5,
            out_dir=tmp_path,
        )  # fmt: skip
