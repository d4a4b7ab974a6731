"""Regions of the packaged atlas, FreeSurfer, spheres and files: place and side, every bad choice named."""

import warnings

import nibabel as nb
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from bids_app.simulated.files import write_itk_affine
from pipelines.errors import DataError, MissingInputError, ParameterError
from pipelines.interfaces import atlas, templates
from pipelines.interfaces.choices import Segmentation
from pipelines.interfaces.drawing import Canvas, draw_structure
from pipelines.interfaces.transforms import write_field, write_linear
from pipelines.numerics.regions import centroid, voxel_centres
from pipelines.numerics.resample import apply_linear, sample
from pipelines.terms import structure
from tests import damage

from .conftest import MNI_AFFINE as AFFINE
from .conftest import MNI_REGIONS, SPACE
from .conftest import MNI_SHAPE as SHAPE

POSITIONS = voxel_centres(SHAPE, AFFINE)
ANAT2STD = np.array([[0.99, 0.05, 0, 3], [-0.05, 1.01, 0, -4], [0, 0.02, 1, 6], [0, 0, 0, 1]])
"""Points of the template to points of the T1-weighted image, as fMRIPrep's transform resamples images."""


def pair_of(name, choice, space, found=None):
    """Draw both sides of a structure from one source."""
    return draw_structure(structure(name, [('L', choice), ('R', choice)]), Canvas(space, POSITIONS, found))


def test_atlas_volumes_are_those_of_the_1_mm_maps():
    """Winner takes all at 25 %: the volumes in mm3 are exact, they are voxel counts."""
    labels, _ = atlas.atlas_labels()
    for name, number in (('NAcL', 104), ('NAcR', 112), ('mPFCL', 48), ('mPFCR', 49)):
        assert (labels == number).sum() == MNI_REGIONS[name][1]


def test_region_follows_the_template_space():
    """The accumbens moves by under 4 mm between the two templates and stays of its size.

    The recorded registration makes it 19 to 26 % larger in the 2009c template.
    """
    six = pair_of('NAc', 'harvard-oxford', SPACE)
    nine = pair_of('NAc', 'harvard-oxford', 'MNI152NLin2009cAsym')
    assert six.transform == 'same space'
    assert 'from-MNI152NLin6Asym' in nine.transform
    for a, b in zip(six.masks, nine.masks):
        assert b.sum() == pytest.approx(a.sum(), rel=0.35)
        assert 0.1 < np.linalg.norm(centroid(a, AFFINE) - centroid(b, AFFINE)) < 4


def test_paracingulate_is_cut_at_its_height():
    pair = pair_of('mPFC', 'paracingulate-ventral', SPACE).masks
    assert POSITIONS[pair.any(axis=0)][:, 2].max() < 10


@pytest.mark.parametrize(
    ('choice', 'volume'),
    [('sphere:2,52,-2,10', 4189), ('sphere:4,45,4,4', 2 * 268), ('sphere:9,9,-8,4', 536)],
)
def test_spheres_have_their_volume_and_sides(choice, volume):
    """4/3 pi r^3, twice for a mirrored pair: the 2 mm grid is within 20 %, less the voxels at x = 0."""
    left, right = pair_of('mPFC', choice, SPACE).masks
    assert POSITIONS[left][:, 0].max() < 0 < POSITIONS[right][:, 0].min()
    midline = np.sum(np.linalg.norm(POSITIONS - [2, 52, -2], axis=-1)[POSITIONS[..., 0] == 0] <= 10)
    lost = 8 * midline if choice == 'sphere:2,52,-2,10' else 0
    if choice == 'sphere:4,45,4,4':
        lost = 8 * np.sum(np.linalg.norm(POSITIONS - [4, 45, 4], axis=-1)[POSITIONS[..., 0] == 0] <= 4)
    assert 8 * (left.sum() + right.sum()) + lost == pytest.approx(volume, rel=0.2)


def test_file_region_is_split_by_side(tmp_path):
    labels = np.zeros(SHAPE, np.int16)
    labels[40:51, 60:64, 30:34] = 7
    nb.save(nb.Nifti1Image(labels, AFFINE), tmp_path / 'atlas.nii.gz')
    left, right = pair_of('NAc', f'{tmp_path}/atlas.nii.gz:7', SPACE).masks
    assert (left.sum(), right.sum()) == (5 * 16, 5 * 16)


@pytest.mark.parametrize(
    ('choice', 'says', 'kind'),
    [
        ('nowhere', 'Offered', ParameterError),
        ('sphere:1,2,3', 'X,Y,Z,R', ParameterError),
        ('sphere:a,b,c,d', 'X,Y,Z,R', ParameterError),
        ('sphere:1,2,3,-4', 'above 0', ParameterError),
        ('absent.nii.gz', 'no such file', MissingInputError),
    ],
)
def test_bad_choice_is_named(choice, says, kind):
    with pytest.raises(kind, match=says):
        pair_of('NAc', choice, SPACE)


def test_flipped_atlas_stops_the_run(monkeypatch):
    labels, affine = atlas.atlas_labels()
    monkeypatch.setattr(atlas, 'atlas_labels', lambda: (labels, np.diag([-1, 1, 1, 1]) @ affine))
    with pytest.raises(DataError, match='flipped'):
        pair_of('NAc', 'harvard-oxford', SPACE)


@pytest.fixture(scope='module')
def segmentation(tmp_path_factory):
    """Return FreeSurfer-like labels of a head, drawn from the atlas through a known affine."""
    folder = tmp_path_factory.mktemp('freesurfer')
    grid = np.array([[1.5, 0, 0, -96], [0, 1.5, 0, -130], [0, 0, 1.5, -80], [0, 0, 0, 1]])
    labels, affine = atlas.atlas_labels()
    points = apply_linear(np.linalg.inv(ANAT2STD), voxel_centres((128, 150, 120), grid))
    index = np.rint(apply_linear(np.linalg.inv(affine), points)).astype(int)
    index = np.clip(index, 0, np.array(labels.shape) - 1)
    seen = labels[tuple(np.moveaxis(index, -1, 0))]
    names = {'aseg': {104: 26, 112: 58}, 'aparcaseg': {48: 1014, 49: 2014, 56: 1026, 57: 2026}}
    for name, numbers in names.items():
        volume = np.zeros(seen.shape, np.int16)
        for ours, theirs in numbers.items():
            # FreeSurfer's anterior cingulate parcel is its rostral part alone
            volume[(seen == ours) & ((theirs not in (1026, 2026)) | (points[..., 2] < 10))] = theirs
        nb.save(nb.Nifti1Image(volume, grid), folder / f'{name}.nii.gz')
    write_linear(folder / 'xfm.txt', ANAT2STD)
    return folder


def test_freesurfer_regions_come_through_the_transform(segmentation):
    """The same accumbens as the atlas's own: overlap (Dice) above 0.8 after two nearest-neighbour steps."""
    found = Segmentation(
        segmentation / 'aseg.nii.gz', segmentation / 'aparcaseg.nii.gz', segmentation / 'xfm.txt'
    )
    pair = pair_of('NAc', 'freesurfer', SPACE, found)
    own = pair_of('NAc', 'harvard-oxford', SPACE)
    assert pair.transform == 'xfm.txt'
    for a, b in zip(pair.masks, own.masks):
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.8
    for side, mask in zip((-1, 1), pair_of('mPFC', 'freesurfer', SPACE, found).masks):
        assert side * centroid(mask, AFFINE)[0] > 0


def test_freesurfer_without_its_files_says_which(segmentation):
    with pytest.raises(MissingInputError, match='desc-aparcaseg_dseg and from-T1w_to-MNI152NLin6Asym'):
        pair_of('mPFC', 'freesurfer', SPACE)


def test_transform_of_another_image_stops_the_run(segmentation, tmp_path):
    away = ANAT2STD.copy()
    away[1, 3] += 20
    found = Segmentation(
        segmentation / 'aseg.nii.gz',
        segmentation / 'aparcaseg.nii.gz',
        write_linear(tmp_path / 'x.txt', away),
    )
    with pytest.raises(DataError, match='another image'):
        pair_of('NAc', 'freesurfer', SPACE, found)


def test_displacement_field_and_matrix_agree(tmp_path):
    """A field sampled from an affine is that affine, inside its grid, up to float32."""
    grid = np.diag([8.0, 8, 8, 1])
    points = voxel_centres((9, 9, 9), grid)
    write_field(tmp_path / 'f.nii.gz', (apply_linear(ANAT2STD, points) - points).astype(np.float32), grid)
    write_linear(tmp_path / 'm.txt', ANAT2STD)
    at = np.random.default_rng(1).uniform(0, 64, (50, 3))
    np.testing.assert_allclose(
        atlas.point_map(tmp_path / 'f.nii.gz')(at), atlas.point_map(tmp_path / 'm.txt')(at), atol=1e-4
    )


def test_a_composite_maps_points_as_itk_does(tmp_path, rng):
    """An affine with a displacement field in one ``.h5``, as fMRIPrep writes it.

    Moved by up to 20 mm; the two programs interpolate the field differently: 0.1 mm.
    """
    grid = sitk.Image(24, 26, 22, sitk.sitkFloat32)
    grid.SetSpacing((4, 4, 4))
    grid.SetOrigin((-40, -50, -30))
    values = np.stack([gaussian_filter(rng.standard_normal((22, 26, 24)), 3) for _ in range(3)], axis=-1)
    field = sitk.GetImageFromArray(60 * values, isVector=True)
    field.CopyInformation(grid)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(ANAT2STD[:3, :3].ravel().tolist())
    affine.SetTranslation(ANAT2STD[:3, 3].tolist())
    composite = sitk.CompositeTransform(
        [affine, sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))]
    )
    sitk.WriteTransform(composite, str(tmp_path / 'r_Composite.h5'))
    points = rng.uniform(-20, 20, (20, 3))
    expected = np.array([composite.TransformPoint(point) for point in points.tolist()])
    flip = np.array([-1, -1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = atlas.point_map(tmp_path / 'r_Composite.h5')(points * flip) * flip
    assert np.abs(expected - points).max() > 2
    np.testing.assert_allclose(found, expected, atol=0.1)


@pytest.mark.parametrize(
    'damage_of',
    [
        lambda sound: b'',
        lambda sound: sound[: len(sound) // 2],
        lambda sound: b'annex object',
        lambda sound: bytes(len(sound)),
    ],
)
def test_a_damaged_composite_is_named(tmp_path, damage_of):
    """Cut by a copy that broke off, a link's text, zeros of a full disk."""
    path = tmp_path / 'from-T1w_to-MNI_mode-image_xfm.h5'
    write_itk_affine(path, ANAT2STD)
    sound = path.read_bytes()
    points = np.array([[1.0, 2, 3], [-4, 5, 6]])
    np.testing.assert_allclose(atlas.point_map(path)(points), apply_linear(ANAT2STD, points), atol=1e-6)
    path.write_bytes(damage_of(sound))
    with pytest.raises(DataError, match=r'mode-image_xfm\.h5 is no composite ITK transform .* again'):
        atlas.point_map(path)


@pytest.mark.fuzz
def test_damaged_linear_transforms_are_read_or_refused(tmp_path):
    """What is read maps points to points."""
    path = write_linear(tmp_path / 'x.txt', ANAT2STD)
    sound = path.read_bytes()

    def read(content):
        damage.write(path, content)
        assert np.isfinite(atlas.point_map(path)(np.ones((2, 3)))).all()

    assert damage.outcomes_of(damage.damaged(sound), read, 2, [str(path)]) == {damage.READ, damage.REFUSED}


@pytest.mark.parametrize('order', [0, 1])
def test_sampling_near_an_object_equals_sampling_everywhere(rng, order):
    """The object touches an edge of the grid, where the outermost value reaches half a voxel out."""
    volume = np.zeros((12, 10, 8), np.float32)
    volume[0:4, 3:7, 2:5] = rng.random((4, 4, 3))
    affine = np.array([[-2.0, 0, 0, 9], [0, 1.5, 0, -3], [0, 0, 3, 1], [0, 0, 0, 1]])
    points = rng.uniform([-20, -6, -5], [14, 15, 30], (5000, 3))
    expected = sample(volume, affine, points, order)
    assert np.count_nonzero(expected) > 50
    np.testing.assert_array_equal(atlas.sample_object(volume, affine, points, order), expected)
    assert not atlas.sample_object(np.zeros_like(volume), affine, points, order).any()


def test_transform_of_templateflow_is_preferred(tmp_path, monkeypatch):
    """An empty file of a TemplateFlow skeleton, whose content was not fetched, does not count."""
    target, source = 'MNI152NLin2009cAsym', SPACE
    folder = tmp_path / f'tpl-{target}'
    folder.mkdir()
    xfm = folder / f'tpl-{target}_from-{source}_mode-image_xfm.h5'
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(tmp_path))
    xfm.touch()
    assert templates.between_templates(source, target)[0] == templates.recorded_field(source, target)
    xfm.write_bytes(b'content')
    assert templates.between_templates(source, target)[0] == xfm
    with pytest.raises(ParameterError, match='no transform from'):
        templates.recorded_field('MNI305', target)
