"""Regions brought to a head by a known map: their place, volume, and what is n/a."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces.placement import judge_placement
from pipelines.interfaces.regions import from_template
from pipelines.interfaces.templates import target_brain, tissue_prior
from pipelines.interfaces.transforms import write_field
from pipelines.numerics.regions import voxel_centres
from pipelines.numerics.resample import apply_linear, grid_points, sample
from pipelines.terms import circuit_of_rows, default_circuit
from tests.interfaces.conftest import MNI_REGIONS, SPACE

ALONG = np.array([[1.1, 0.05, 0, 4], [-0.05, 0.95, 0.1, -3], [0, -0.1, 0.9, 20], [0, 0, 0, 1]])
"""Points of the template to points of the person."""

MEASURED = ['in_view', 'correlation', 'grey_matter', 'volume', 'relative_volume', 'x', 'y', 'z']


def rows(*own):
    return circuit_of_rows([
        {'name': name, 'hemisphere': side, 'source': source, 'role': 'both', 'pairs': ''}
        for name, side, source in own
    ])  # fmt: skip


def save(path, volume, affine):
    nb.save(nb.Nifti1Image(volume.astype(np.float32), affine), path)
    return path


def write_person(folder, *, voxel=1.5, low=(-110, -140, -90), high=(110, 110, 120), moved=(0, 0, 0)):
    """Write brain, mask, grey matter and field of a person who is the template moved along; return the paths."""
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = low
    shape = tuple(int(n) for n in (np.array(high) - low) / voxel)
    points = apply_linear(np.linalg.inv(ALONG), grid_points(shape, affine))
    image = nb.load(target_brain(SPACE))
    brain = sample(np.asarray(image.dataobj, np.float32), image.affine, points).reshape(shape)
    grey, _ = from_template(*tissue_prior('gm'), SPACE, points.reshape(*shape, 3))
    grid = np.diag([4.0, 4, 4, 1])
    grid[:3, 3] = -100, -136, -80
    at = voxel_centres((50, 60, 50), grid)
    field = apply_linear(ALONG, at.reshape(-1, 3)).reshape(at.shape) - at + moved
    return (
        save(folder / 'brain.nii', brain, affine),
        save(folder / 'mask.nii', brain > 0, affine),
        write_field(folder / 'anat2std.nii.gz', field, grid),
        save(folder / 'gm.nii', grey / grey.max(), affine),
    )


def judged(files, folder, circuit=None, *, with_tissue=True):
    """Return the table by region, and the facts."""
    *paths, grey = files
    made = judge_placement(
        *paths, SPACE, circuit or default_circuit(), grey if with_tissue else None, out_dir=folder
    )
    return pd.read_csv(made.placement_table, sep='\t', na_values=['n/a']).set_index('region'), made


@pytest.fixture(scope='module')
def person(tmp_path_factory):
    return write_person(tmp_path_factory.mktemp('person'))


def test_regions_lie_where_the_map_takes_them(person, tmp_path):
    """Volume by the determinant, centre by the matrix, contrast and tissue those of the template."""
    table, made = judged(person, tmp_path)
    growth = np.linalg.det(ALONG[:3, :3])
    assert made.facts['BrainGrowth'] == pytest.approx(growth, rel=0.01)
    assert list(table.index) == list(MNI_REGIONS)
    for name, (centre, volume) in MNI_REGIONS.items():
        own = table.loc[name]
        expected = apply_linear(ALONG, np.array([centre], float))[0]
        np.testing.assert_allclose(own[['x', 'y', 'z']].to_numpy(float), expected, atol=0.2)
        assert own.volume == pytest.approx(volume * growth, rel=0.01)
        assert own.relative_volume == pytest.approx(1, abs=0.01)
        assert own.correlation > 0.98
        assert own.grey_matter == pytest.approx(own.template_grey_matter, abs=0.03)
        assert own.in_view == 1
    assert table['flags'].isna().all()


def test_the_label_image_has_the_rows_of_the_table(person, tmp_path):
    table, made = judged(person, tmp_path)
    image = nb.load(made.placement_dseg)
    labels = np.asarray(image.dataobj)
    for number, name in enumerate(table.index, 1):
        centre = apply_linear(image.affine, np.argwhere(labels == number).astype(float)).mean(axis=0)
        np.testing.assert_allclose(centre, MNI_REGIONS[name][0], atol=0.2)


def test_a_region_put_elsewhere_is_flagged(tmp_path):
    table, made = judged(write_person(tmp_path, moved=(5, 4, 4)), tmp_path)
    assert table['correlation'].max() < made.facts['PlacementLimits']['correlation']
    assert (table['flags'] == 'placement').all()


def test_without_tissue_its_share_is_not_told(person, tmp_path):
    table, _ = judged(person, tmp_path, with_tissue=False)
    assert table['grey_matter'].isna().all()
    assert (table['correlation'] > 0.98).all()
    assert table['flags'].isna().all()


def test_a_voxel_of_1_8_mm_serves(tmp_path):
    table, _ = judged(write_person(tmp_path, voxel=1.8), tmp_path)
    assert (table['correlation'] > 0.97).all()
    assert table['flags'].isna().all()


def test_a_region_outside_the_image_is_not_judged(tmp_path):
    """The image ends behind the forehead: mPFC is not shown, the accumbens is, and nothing fails."""
    table, _ = judged(write_person(tmp_path, high=(110, 20, 120)), tmp_path)
    assert (table.loc[['mPFCL', 'mPFCR'], 'in_view'] == 0).all()
    assert table.loc[['mPFCL', 'mPFCR'], ['correlation', 'grey_matter']].isna().all(axis=None)
    assert table.loc['mPFCL', 'volume'] > 0
    assert (table.loc[['NAcL', 'NAcR'], 'correlation'] > 0.98).all()
    assert table['flags'].isna().all()


def test_spheres_midline_and_white_matter(person, tmp_path):
    circuit = rows(('PAG', 'n/a', 'sphere:0,-30,-10,5'), ('Tract', 'R', 'sphere:26,-20,30,5'))
    table, _ = judged(person, tmp_path, circuit)
    assert list(table.index) == ['PAG', 'TractR']
    volume = table['volume'] / np.linalg.det(ALONG[:3, :3])
    np.testing.assert_allclose(volume, 4 / 3 * np.pi * 125, rtol=0.05)
    assert table.loc['TractR', 'template_grey_matter'] < 0.5
    assert table['flags'].isna().all()


def test_what_does_not_come_from_the_template_is_not_judged(person, tmp_path):
    """Labels of the person's own anatomy, and FreeSurfer's, rest on no registration."""
    own = save(tmp_path / 'sub-01_space-T1w_mask.nii', np.ones((9, 9, 9)), np.eye(4))
    sources = (f'{own}@T1w', 'freesurfer:17', 'sphere:-26,-20,-15,4')
    circuit = rows(*((name, 'L', source) for name, source in zip(('Own', 'Hippo', 'Ball'), sources)))
    table, _ = judged(person, tmp_path, circuit)
    assert table.loc[['OwnL', 'HippoL'], MEASURED].isna().all(axis=None)
    assert table.loc['BallL', MEASURED].notna().all()
    alone, _ = judged(person, tmp_path, rows(('Own', 'L', f'{own}@T1w')))
    assert alone[MEASURED].isna().all(axis=None)


def test_twenty_regions(person, tmp_path):
    balls = [(f'R{n}', 'L', f'sphere:{-10 - 2 * n},{-60 + 5 * n},10,3') for n in range(20)]
    table, _ = judged(person, tmp_path, rows(*balls))
    assert len(table) == 20
    assert table[MEASURED].notna().all(axis=None)
