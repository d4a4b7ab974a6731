"""The anatomy's interfaces: refusals that name the file, averages without a favourite."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.interfaces import _anatomy, anatomical
from pipelines.interfaces.transforms import read_linear, write_field
from pipelines.numerics import average
from pipelines.numerics.place import Placement
from pipelines.numerics.resample import apply_linear, grid_points, resample
from pipelines.simulated.head import scan, small_rigid, surround_with_head
from tests.heads import SPACE, template_at
from tests.sums import checksum

VOXEL = 4.0


def save(path, volume, affine=None):
    nb.save(nb.Nifti1Image(volume, np.diag([VOXEL] * 3 + [1.0]) if affine is None else affine), path)
    return path


@pytest.mark.parametrize(
    ('volume', 'words'),
    [
        (np.ones((10, 10, 10, 3), np.float32), 'three dimensions'),
        (np.ones((10, 10), np.float32), r'shape \(10, 10\)'),
        (np.full((10, 10, 10), np.nan, np.float32), 'NaN'),
        (np.full((10, 10, 10), 7, np.float32), 'blank'),
    ],
)
def test_damaged_images_are_refused_by_name(tmp_path, volume, words):
    path = save(tmp_path / 'sub-01_T1w.nii.gz', volume)
    with pytest.raises(DataError, match=rf'sub-01_T1w\.nii\.gz.*{words}'):
        _anatomy.load_t1w(path)


def test_a_truncated_file_is_refused(tmp_path, rng):
    path = save(tmp_path / 'sub-01_T1w.nii.gz', rng.random((20, 20, 20)).astype(np.float32))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DataError, match='damaged'):
        _anatomy.load_t1w(path)


def test_a_fourth_dimension_of_one_is_fine(tmp_path, rng):
    values = rng.random((10, 11, 12, 1)).astype(np.float32)
    volume, _ = _anatomy.load_t1w(save(tmp_path / 't1w.nii', values))
    np.testing.assert_array_equal(volume, values[..., 0])


def test_one_image_is_turned_upright_and_else_stays_as_it_is(tmp_path, rng):
    affine = np.array([[-0.9, 0.1, 0, 5], [0.1, 0.9, 0, -8], [0, 0, 1.3, 2], [0, 0, 0, 1]])
    values = rng.random((10, 11, 12)).astype(np.float32)
    path = save(tmp_path / 't1w.nii', values, affine)
    made = anatomical.make_reference([path], SPACE, 1, out_dir=tmp_path)
    image, upright = nb.load(made.t1w_ref), nb.as_closest_canonical(nb.load(path))
    np.testing.assert_array_equal(image.get_fdata(), upright.get_fdata())
    np.testing.assert_allclose(image.affine, upright.affine, atol=1e-6)
    np.testing.assert_array_equal(read_linear(made.t1w2ref_xfms[0]), np.eye(4))


@pytest.fixture(scope='module')
def sessions(tmp_path_factory):
    """Return two scans of one head, the matrices from points of the head to points of each, and a mask."""
    folder, rng = tmp_path_factory.mktemp('sessions'), np.random.default_rng(2)
    brain, brain_affine = template_at(VOXEL)
    head, affine = surround_with_head(brain, brain_affine)
    paths, planted = [], []
    for number, gain in enumerate((800, 1200)):
        matrix = small_rigid(rng)
        seen = gain * scan(resample(head, affine, head.shape, affine, linear=np.linalg.inv(matrix)), rng)
        paths.append(save(folder / f'ses-{number}_T1w.nii.gz', seen.astype(np.float32), affine))
        planted.append(matrix)
    return paths, planted, grid_points(brain.shape, brain_affine)[(brain > 0).ravel()]


@pytest.fixture(scope='module')
def averaged(sessions, tmp_path_factory):
    """Return two equal runs; the template is at home in these heads to some degrees: no search for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(average, 'place_template', lambda *_: Placement(np.eye(4), 0.8))
        folders = [tmp_path_factory.mktemp('run') for _ in range(2)]
        return [
            anatomical.make_reference(sessions[0], SPACE, 1, sloppy=True, out_dir=folder)
            for folder in folders
        ]


def test_sessions_meet_half_way(sessions, averaged):
    """Planted motion between sessions is found to a mm (a quarter voxel); neither session is the reference."""
    _, planted, points = sessions
    found = [read_linear(path) for path in averaged[0].t1w2ref_xfms]
    between = planted[1] @ np.linalg.inv(planted[0])
    at = apply_linear(planted[0], points)
    error = apply_linear(found[1] @ np.linalg.inv(found[0]), at) - apply_linear(between, at)
    assert np.linalg.norm(error, axis=1).mean() < 1
    moved = [np.linalg.norm(apply_linear(m, points) - points, axis=1).mean() for m in found]
    assert moved[0] == pytest.approx(moved[1], rel=0.2)


def test_equal_runs_give_equal_images(averaged):
    first, second = averaged
    assert checksum(first.t1w_ref) == checksum(second.t1w_ref)


def test_gain_of_the_scanner_drops_out(sessions, averaged):
    """The scans have 800 and 1200 units; the median in the brain becomes 1000."""
    image = nb.load(averaged[0].t1w_ref)
    at = np.rint(apply_linear(np.linalg.inv(image.affine), sessions[2])).astype(int)
    assert np.median(image.get_fdata()[tuple(at.T)]) == pytest.approx(1000, rel=0.05)


def test_half_way_is_a_mean(rng):
    """The logarithms cancel, whatever the order."""
    from scipy.linalg import logm

    matrices = [small_rigid(rng) for _ in range(3)]
    made = average.half_way(matrices)
    np.testing.assert_allclose(sum(np.real(logm(m)) for m in made), 0, atol=1e-8)
    np.testing.assert_allclose(average.half_way(matrices[::-1])[::-1], made, atol=1e-6)


def test_no_head_names_file_and_remedy(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ValueError('no T1-weighted head was found: a brain fits with a score of 0.11, 0.4 are needed')

    monkeypatch.setattr(anatomical, 'extract_brain', refuse)
    path = save(tmp_path / 'sub-09_T1w.nii', np.random.default_rng(0).random((10, 10, 10)).astype(np.float32))
    with pytest.raises(DataError, match=r'sub-09_T1w\.nii: no T1-weighted head.*0\.11.*--bids-filter-file'):
        anatomical.find_brain(path, [path], SPACE, out_dir=tmp_path)


def test_priors_lie_where_the_tissue_is(tmp_path):
    """With the identity, the brightest tissue of the template has a white-matter prior, fluid none."""
    brain, affine = template_at(VOXEL)
    field = write_field(tmp_path / 'field.nii', np.zeros((4, 4, 4, 3)), np.diag([60.0, 60, 60, 1]))
    grey, white, fluid = _anatomy.tissue_priors(brain > 0, affine, field, SPACE)
    bright = brain > np.percentile(brain[brain > 0], 85)
    assert white[bright].mean() > 0.7
    assert grey[bright].mean() < 0.3
    assert fluid[bright].mean() < 0.1
    np.testing.assert_allclose((grey + white + fluid)[brain > 0], 1, atol=0.05)


def test_quality_of_the_template_itself_is_one():
    brain, _ = template_at(VOXEL)
    quality = _anatomy.quality_of(brain, brain > 0, brain)
    assert quality['Correlation'] == 1
    assert quality['MaskDice'] == pytest.approx(1, abs=0.01)
