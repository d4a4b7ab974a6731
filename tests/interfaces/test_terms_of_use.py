"""A circuit and a template free of FSL's terms rest on no file under them, and say the same as far as they can."""

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from pipelines.errors import MissingInputError, ParameterError
from pipelines.interfaces import atlas, regions, template_fit, templates
from pipelines.interfaces.clusters import name_peak, name_points
from pipelines.interfaces.drawing import Canvas, check_sources, draw_structure
from pipelines.interfaces.normalize import standard_grid
from pipelines.interfaces.quality import Scan
from pipelines.interfaces.template_fit import fit_templates
from pipelines.interfaces.terms_of_use import is_free, naming_atlas
from pipelines.numerics.regions import centroid, voxel_centres
from pipelines.terms import circuit_of_rows, default_circuit

NINE, SIX = 'MNI152NLin2009cAsym', 'MNI152NLin6Asym'
FREE = default_circuit('cit168', 'sphere:2,52,-2,10')
UNDER_FSL = (
    'atlas_harvard_oxford',
    'labels_harvard_oxford',
    'MNI152_T1_1mm_brain',
    f'from-{SIX}',
    f'tpl-{SIX}',
)


@pytest.fixture
def taken_away(monkeypatch):
    """Take away every file under FSL's terms, and the transforms that were made with one."""
    packaged, exists = templates._packaged, templates._field

    def found(package, name):
        if any(word in name for word in UNDER_FSL):
            raise MissingInputError(f'{name} was taken away')
        return packaged(package, name)

    def field(source, target):
        assert SIX not in (source, target)
        return exists(source, target)

    monkeypatch.setattr(templates, '_packaged', found)
    monkeypatch.setattr(templates, '_field', field)
    monkeypatch.delenv('TEMPLATEFLOW_HOME', raising=False)
    # what another test opened before is no proof of anything
    caches = (
        templates.label_names,
        templates.label_index,
        atlas.atlas_labels,
        template_fit._coarse_brain,
    )
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.fixture(scope='module')
def mask(tmp_path_factory):
    """Return a file with a grid of 2 mm of the template."""
    shape, affine = standard_grid(NINE)
    path = tmp_path_factory.mktemp('grid') / 'mask.nii'
    nb.save(nb.Nifti1Image(np.ones(shape, np.uint8), affine), path)
    return path


def test_a_free_circuit_is_drawn_without_these_files(taken_away, mask, tmp_path):
    """The accumbens of CIT168: its volume at 1 mm (476 and 464 mm3; 2 mm voxels within 20 %) and its centres."""
    made = regions.make_regions(mask, NINE, FREE, out_dir=tmp_path)
    image = nb.load(made.regions)
    stack = np.moveaxis(np.asarray(image.dataobj), -1, 0).astype(bool)
    for number, (volume, centre) in enumerate([(476, (-10.2, 8.1, -10.3)), (464, (9.5, 9.0, -9.9))]):
        assert stack[number].sum() * 8 == pytest.approx(volume, rel=0.2)
        assert np.linalg.norm(centroid(stack[number], image.affine) - centre) < 1
    with pytest.raises(MissingInputError, match='taken away'):
        regions.make_regions(mask, NINE, default_circuit(), out_dir=tmp_path)


def test_a_series_is_compared_with_free_templates_alone(taken_away, mask):
    like = nb.load(mask)
    brain = regions.template_brain(NINE, voxel_centres(like.shape, like.affine))
    mean, none = ndimage.gaussian_filter(brain.astype(np.float32), 1), np.empty(0)
    scan = Scan(like, brain, none, mean, none, none)
    assert set(fit_templates(scan, NINE, free=True).fits) == {NINE, 'MNI152NLin2009aSym'}
    with pytest.raises(MissingInputError, match='taken away'):
        fit_templates(scan, NINE)


def test_clusters_are_named_by_the_free_atlas(taken_away):
    points = np.array([[-10.2, 8.1, -10.3], [9.5, 9.0, -9.9], [0, 0, 60]])
    assert name_points(points, NINE, 'cit168').tolist() == ['Left Accumbens', 'Right Accumbens', 'none']
    assert name_peak(points[2:], NINE, 'cit168').endswith('mm away')


def test_free_tissues_are_nearly_those_of_the_atlas():
    """Grey matter within a Dice of 0.98 (0.991 was found); of the ventricles at least two thirds are found (0.81)."""
    shape, affine = standard_grid(NINE)
    positions = voxel_centres(shape, affine)
    (ours, _), (theirs, _) = (regions.template_volumes(NINE, positions, free=own) for own in (True, False))

    def dice(a, b):
        return 2 * (a & b).sum() / (a.sum() + b.sum())

    assert dice(ours['grey_matter'], theirs['grey_matter']) > 0.98
    assert dice(ours['tissue'] == 3, theirs['tissue'] == 3) > 0.67
    np.testing.assert_array_equal(ours['brain'], theirs['brain'])


@pytest.mark.parametrize(
    ('nac', 'mpfc', 'space', 'expected'),
    [
        ('cit168', 'sphere:2,52,-2,10', NINE, True),
        ('cit168', 'sphere:2,52,-2,10', SIX, False),
        ('cit168', 'frontal-medial', NINE, False),
        ('harvard-oxford', 'sphere:2,52,-2,10', NINE, False),
        ('freesurfer', 'freesurfer', NINE, True),
        ('harvard-oxford:Accumbens', 'freesurfer', NINE, False),
        ('mine.nii.gz:3', 'cit168:VTA', NINE, True),
    ],
)
def test_what_is_free(nac, mpfc, space, expected):
    circuit = default_circuit(nac, mpfc)
    assert is_free(circuit, space) is expected
    assert naming_atlas(circuit, space) == ('cit168' if expected else 'harvard-oxford')


@pytest.mark.parametrize(
    ('label', 'centre'),
    [
        ('VTA', (-4.2, -20.1, -16.2)),
        ('Subthalamic Nucleus', (-11.1, -12.9, -7.6)),
        ('31', (-11.1, -12.9, -7.6)),
    ],
)
def test_nuclei_are_regions_by_name_abbreviation_or_number(label, centre):
    """On the grid of the atlas its centres, to the digit given."""
    rows = [{'name': 'Own', 'hemisphere': 'L', 'source': f'cit168:{label}'}]
    (own,) = circuit_of_rows(rows).structures
    affine = nb.affines.from_matvec(np.eye(3), (-30, -40, -30))
    drawn = draw_structure(own, Canvas(NINE, voxel_centres((60, 60, 60), affine)))
    assert np.linalg.norm(centroid(drawn.masks[0], affine) - centre) < 0.1


def test_a_nucleus_that_is_not_there_is_named():
    (own,) = circuit_of_rows([{'name': 'Own', 'hemisphere': 'R', 'source': 'cit168:Pallidum'}]).structures
    with pytest.raises(
        ParameterError, match=r'cit168 has no label Pallidum\. Offered: Left Ventral Pallidum'
    ):
        check_sources(own)
