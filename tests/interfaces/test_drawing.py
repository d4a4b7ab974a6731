"""Regions of any list: labels, spheres and files by side, in their own space; place, side, size and overlap checked."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError, MissingInputError, ParameterError
from pipelines.interfaces import regions
from pipelines.interfaces.choices import (
    Segmentation,
    needs_anatomy,
    needs_freesurfer,
    source_files,
    with_full_paths,
)
from pipelines.interfaces.drawing import Canvas, check_sources, draw_structure
from pipelines.interfaces.transforms import write_linear
from pipelines.numerics.regions import voxel_centres
from pipelines.numerics.resample import apply_linear
from pipelines.terms import Circuit, circuit_of_rows, default_circuit, structure

from .conftest import MNI_AFFINE as AFFINE
from .conftest import MNI_SHAPE as SHAPE
from .conftest import SPACE

POSITIONS = voxel_centres(SHAPE, AFFINE)


def masks_of(name, sources, **where):
    return draw_structure(structure(name, sources), Canvas(SPACE, POSITIONS, **where)).masks


def lateral(text):
    return [('L', text), ('R', text)]


@pytest.mark.parametrize(
    ('left', 'right'),
    [
        ('harvard-oxford:Left Accumbens', 'harvard-oxford:Right_Accumbens'),
        ('harvard-oxford:Accumbens', 'harvard-oxford:accumbens'),
        ('harvard-oxford:104', 'harvard-oxford:112'),
        ('harvard-oxford', 'harvard-oxford'),
    ],
)
def test_a_label_of_the_atlas_is_the_default_region_to_the_voxel(left, right):
    default = draw_structure(default_circuit().structures[0], Canvas(SPACE, POSITIONS)).masks
    np.testing.assert_array_equal(masks_of('NAc', [('L', left), ('R', right)]), default)


def test_numbers_of_an_atlas_can_be_joined():
    both = masks_of('ACC', [('L', 'harvard-oxford:52+56')])[0]
    parts = [masks_of('ACC', [('L', f'harvard-oxford:{n}')])[0] for n in (52, 56)]
    assert both.sum() >= sum(
        part.sum() for part in parts
    )  # a voxel that two share by halves is in neither alone
    assert not (np.logical_or(*parts) & ~both).any()


def test_one_sphere_for_both_sides_is_mirrored_and_two_are_as_given():
    mirrored = masks_of('NAc', lateral('sphere:9,9,-8,4'))
    np.testing.assert_array_equal(
        mirrored, masks_of('NAc', [('L', 'sphere:-9,9,-8,4'), ('R', 'sphere:9,9,-8,4')])
    )
    apart = masks_of('Hip', [('L', 'sphere:-24,-20,-16,5'), ('R', 'sphere:30,-20,-16,5')])
    assert POSITIONS[apart[1]][:, 0].mean() == pytest.approx(30, abs=1)


def test_a_region_on_the_midline_is_whole():
    """4/3 pi 5^3 = 524 mm3 on a grid of 2 mm: within 25 %; no voxel of x = 0 is lost."""
    (mask,) = masks_of('PAG', [('n/a', 'sphere:0,-30,-10,5')])
    assert 8 * mask.sum() == pytest.approx(524, rel=0.25)
    assert mask[POSITIONS[..., 0] == 0].any()


@pytest.mark.parametrize(
    ('name', 'sources', 'says', 'kind'),
    [
        ('Ins', [('L', 'sphere:34,20,-2,6')], 'InsL lies on the other side', DataError),
        ('Ins', [('R', 'harvard-oxford:Left Insular Cortex')], 'InsR is centred on x = -.* should lie on the right', DataError),
        ('PAG', [('n/a', 'sphere:12,-30,-10,5')], 'should lie within 5 mm of the midline', DataError),
        ('Ins', [('L', 'harvard-oxford:Insula')], 'has no label Insula. Offered: Left Insular Cortex', ParameterError),
        ('Amg', [('L', 'harvard-oxford:Left Amygdalum')], 'Offered: Left', ParameterError),
        ('Ins', [('L', 'harvard-oxford')], 'region Ins harvard-oxford: no such file or name. Offered: harvard-oxford:LABEL', ParameterError),
        ('Ins', [('L', 'sphere:1,2')], 'region Ins sphere:1,2: write sphere:X,Y,Z,R', ParameterError),
        ('Ins', [('L', 'sphere:nan,2,3,4')], 'write sphere', ParameterError),
        ('Ins', [('L', 'freesurfer:1035')], 'region Ins: freesurfer needs desc-aparcaseg_dseg', MissingInputError),
        ('VTA', [('n/a', 'gone/atlas.nii.gz:3')], 'no such file', MissingInputError),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_named(name, sources, says, kind):
    with pytest.raises(kind, match=says):
        masks_of(name, sources)


def label_file(path, centres, affine=AFFINE, shape=SHAPE):
    """Write balls of 8 mm with the labels 1, 2, ... at points in mm."""
    at = voxel_centres(shape, affine)
    labels = np.zeros(shape, np.int16)
    for number, centre in enumerate(centres, 1):
        labels[np.linalg.norm(at - centre, axis=-1) <= 8] = number
    nb.save(nb.Nifti1Image(labels, affine), path)
    return path


def test_a_file_is_cut_at_the_midline_where_a_side_is_asked_for(tmp_path):
    path = label_file(tmp_path / 'a.nii.gz', [(0, 40, 0), (30, 0, 0)])
    left, right = masks_of('X', [('L', f'{path}:1'), ('R', f'{path}:1')])
    assert POSITIONS[left][:, 0].max() < 0 < POSITIONS[right][:, 0].min()
    (whole,) = masks_of('X', [('n/a', f'{path}:1')])
    assert whole.sum() == left.sum() + right.sum() + (whole & (POSITIONS[..., 0] == 0)).sum()
    with pytest.raises(DataError, match='XL lies on the other side'):
        masks_of('X', [('L', f'{path}:2')])


def test_a_file_of_the_other_template_comes_by_the_recorded_transform(tmp_path):
    """It moves as the accumbens of the atlas does: by less than 4 mm, not by nothing."""
    path = label_file(tmp_path / 'a.nii.gz', [(-30, 20, 10)])
    drawn = draw_structure(structure('X', [('L', f'{path}:1@MNI152NLin2009cAsym')]), Canvas(SPACE, POSITIONS))
    here = masks_of('X', [('L', f'{path}:1')])
    assert drawn.transform.startswith(
        'inverse of the registration recorded in tpl-MNI152NLin2009cAsym_from-MNI152NLin6'
    )
    moved = np.linalg.norm(POSITIONS[drawn.masks[0]].mean(axis=0) - POSITIONS[here[0]].mean(axis=0))
    assert 0.1 < moved < 4


def test_a_file_in_the_space_of_the_person(tmp_path):
    """The ball lies at the mapped point: through the transform of BOLD, or on positions that are known."""
    matrix = np.array([[1.0, 0.05, 0, 4], [-0.05, 1, 0, -6], [0, 0, 1, 8], [0, 0, 0, 1]])
    centre = np.array([-30.0, 20, 10])
    path = label_file(tmp_path / 'own.nii.gz', [apply_linear(matrix, centre[None])[0]])
    source = [('L', f'{path}:1@T1w')]
    xfm = write_linear(tmp_path / 'anat2std.txt', matrix)
    by_transform = masks_of('X', source, segmentation=Segmentation(anat2std_xfm=xfm))
    own = apply_linear(matrix, POSITIONS.reshape(-1, 3)).reshape(POSITIONS.shape)
    known = masks_of('X', source, own=own)  # rounding moves a third of a shell
    assert (by_transform ^ known).sum() < 0.1 * known.sum()
    assert np.linalg.norm(POSITIONS[by_transform[0]].mean(axis=0) - centre) < 1
    with pytest.raises(MissingInputError, match='from-T1w_to-MNI152NLin6Asym_mode-image_xfm'):
        masks_of('X', source)


def test_sources_are_checked_before_anything_runs(tmp_path):
    series = tmp_path / 'four.nii'
    nb.save(nb.Nifti1Image(np.zeros((2, 2, 2, 3), np.int16), AFFINE), series)
    for text, says in (
        (f'{series}:1', '3D mask'),
        (f'{tmp_path}/four.nii:x', 'label x is no number'),
        ('freesurfer:aparc', 'label aparc is no number'),
        ('harvard-oxford:x', 'has no label x'),
    ):
        with pytest.raises((DataError, ParameterError), match=says):
            check_sources(structure('X', [('L', text)]))
    check_sources(structure('X', lateral('sphere:1,2,3,4')))


def made(tmp_path, *rows):
    circuit = circuit_of_rows([dict(zip(('name', 'hemisphere', 'source'), row)) for row in rows])
    nb.save(nb.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE), tmp_path / 'mask.nii')
    return circuit, regions.make_regions(tmp_path / 'mask.nii', SPACE, circuit, out_dir=tmp_path)


def test_image_and_table_of_a_list(tmp_path):
    circuit, found = made(
        tmp_path, ('PAG', 'n/a', 'sphere:0,-30,-10,5'), ('Ins', 'L', 'sphere:-34,20,-2,6'), ('Ins', 'R', 'sphere:34,20,-2,6')
    )  # fmt: skip
    table = pd.read_csv(found.regions_table, sep='\t', keep_default_na=False).set_index('name')
    assert list(table.index) == ['PAG', 'InsL', 'InsR', 'Ins']
    assert table.loc['InsL', 'source'] == 'sphere:-34,20,-2,6'
    assert table.loc['Ins', 'source'] == 'sphere:-34,20,-2,6 and sphere:34,20,-2,6'
    labels = np.asarray(nb.load(found.regions_dseg).dataobj)
    assert set(np.unique(labels)) == {0, *(table.loc[label, 'index'] for label in circuit.drawn)}
    assert POSITIONS[labels == table.loc['InsR', 'index']][:, 0].min() > 0
    assert found.sources['Pairs'] == [['PAG', 'Ins']]


@pytest.mark.parametrize(
    ('rows', 'says'),
    [
        ([('A', 'R', 'sphere:30,0,0,8'), ('B', 'R', 'sphere:32,0,0,8')], 'regions AR and BR share'),
        ([('A', 'R', 'sphere:85,0,0,6')], 'AR .* lies outside the brain'),
        ([('A', 'n/a', 'sphere:0,-20,10,60')], 'of the brain. Name the label'),
        ([('A', 'R', 'sphere:30,0,0.9,0.5')], 'has no voxel on the grid'),
    ],
)
def test_regions_that_are_no_regions_stop_the_run(tmp_path, rows, says):
    with pytest.raises(DataError, match=says):
        made(tmp_path, *rows)


def test_small_and_shared_regions_are_flagged_and_both_keep_their_voxels(tmp_path):
    circuit, found = made(
        tmp_path,
        ('A', 'R', 'sphere:30,0,0,8'),
        ('B', 'R', 'sphere:40,0,0,8'),
        ('C', 'R', 'sphere:30,-40,0,1'),
    )
    stack = np.moveaxis(np.asarray(nb.load(found.regions).dataobj) > 0, -1, 0)
    assert regions.region_flags(stack, circuit) == {'AR': ['overlap'], 'BR': ['overlap'], 'CR': ['small']}
    labels = np.asarray(nb.load(found.regions_dseg).dataobj)
    shared = stack[0] & stack[1]
    assert set(labels[shared]) == {1}
    assert (labels == 1).sum() == stack[0].sum()


def test_many_regions_have_numbers_of_their_own():
    names = [
        f'R{"abcdefghijklmnopqrstuvwxyz"[n // 26]}{"abcdefghijklmnopqrstuvwxyz"[n % 26]}x' for n in range(260)
    ]
    circuit = Circuit(tuple(structure(name, [('n/a', 'x')]) for name in names))
    stack = np.eye(260, dtype=bool)[:, :, None, None]
    labels = regions.label_image(stack, circuit)
    assert labels.dtype == np.uint16
    assert labels[:, 0, 0].tolist() == list(range(1, 261))


def test_paths_of_a_circuit(tmp_path, monkeypatch):
    path = label_file(tmp_path / 'a.nii.gz', [(0, 40, 0)])
    monkeypatch.chdir(tmp_path)
    circuit = Circuit((structure('X', [('n/a', 'a.nii.gz:1@T1w')]), structure('Y', lateral('a.nii.gz'))))
    assert source_files(circuit) == [path]
    full = with_full_paths(circuit)
    assert [own.choice for own in full.structures] == [f'{path}:1@T1w', str(path)]
    assert needs_anatomy(circuit)
    assert not needs_freesurfer(circuit)
    assert needs_freesurfer(default_circuit('freesurfer'))
