"""The anatomical chain on a simulated head with known truth, its wiring, and a real head."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces.anatomical import normalize_brain
from pipelines.interfaces.transforms import read_field, read_linear
from pipelines.numerics.resample import apply_field, apply_linear, grid_points, resample, sample
from pipelines.simulated.head import scan, small_affine, surround_with_head
from pipelines.simulated.series import classify
from pipelines.terms import default_circuit
from pipelines.workflows.anatomical import init_anatomical_wf
from tests.heads import SPACE, dice, template_at

pytestmark = pytest.mark.long

VOXEL = 3.0
FIELDS = {
    *('t1w_preproc', 't1w_mask', 't1w_dseg', 't1w_probseg_gm', 't1w_probseg_wm', 't1w_probseg_csf'),
    *('t1w_std', 't1w_mask_std', 'anat2std_xfm', 'std2anat_xfm', 't1w2ref_xfms', 'metadata'),
    *('placement_table', 'placement_dseg', 'placement_facts'),
}


def run(paths, folder, space=SPACE):
    workflow = init_anatomical_wf(
        t1w=[str(p) for p in paths], space=space, circuit=default_circuit(), sloppy=True, random_seed=3
    )
    workflow.base_dir = str(folder)
    outputs = {}
    for node in workflow.run(plugin='Linear').nodes():
        outputs |= node.result.outputs.get()
    return outputs


@pytest.fixture(scope='module')
def simulated(tmp_path_factory):
    """Return the outputs for a head, the matrix from its points to the template's, brain and grid turned upright."""
    folder, rng = tmp_path_factory.mktemp('simulated'), np.random.default_rng(5)
    brain, affine = template_at(VOXEL)
    head, grid = surround_with_head(brain, affine)
    planted = small_affine(rng)
    seen = 1000 * scan(resample(head, grid, head.shape, grid, linear=planted), rng)
    own = resample(brain, affine, head.shape, grid, linear=planted)
    nb.save(nb.Nifti1Image(seen.astype(np.float32), grid), folder / 't1w.nii.gz')
    upright = nb.as_closest_canonical(nb.Nifti1Image(own.astype(np.float32), grid))  # as the reference is
    return run([folder / 't1w.nii.gz'], folder), planted, upright.get_fdata(), upright.affine


def values(path):
    return np.asarray(nb.load(path).dataobj)


def test_mask_is_the_brain(simulated):
    """The template's rim is fluid like the skull's lining: the truth is what is brighter than fluid."""
    outputs, _, own, _ = simulated
    assert dice(values(outputs['t1w_mask']) > 0, own > 0.45 * np.percentile(own[own > 0], 99)) > 0.95


def test_normalisation_undoes_the_planted_affine(simulated):
    """Mean error in the brain below 2 mm, two thirds of a voxel; there and back below 1 mm."""
    outputs, planted, *_ = simulated
    brain, affine = template_at(VOXEL)
    points = grid_points(brain.shape, affine)[(brain > 0).ravel()]
    there = apply_field(*read_field(Path(outputs['anat2std_xfm'])), points)
    error = np.linalg.norm(there - apply_linear(np.linalg.inv(planted), points), axis=1)
    assert error.mean() < 2
    back = apply_field(*read_field(Path(outputs['std2anat_xfm'])), there)
    assert np.linalg.norm(back - points, axis=1).mean() < 1


def test_tissues_are_those_of_the_simulation(simulated):
    """Thresholds made the truth, so borders differ by partial volume; most of each tissue agrees."""
    outputs, _, own, _ = simulated
    labels, truth = values(outputs['t1w_dseg']), classify(own)
    inside = values(outputs['t1w_mask']) > 0
    assert dice(labels == 1, truth[1] & inside) > 0.7
    assert dice(labels == 2, truth[2] & inside) > 0.7
    total = sum(values(outputs[f't1w_probseg_{t}']) for t in ('gm', 'wm', 'csf'))
    np.testing.assert_allclose(total[inside], 1, atol=1e-4)
    assert not total[~inside].any()


def test_metadata_tell_the_quality(simulated):
    metadata = simulated[0]['metadata']
    assert metadata['Template'] == SPACE
    assert metadata['NumberOfT1w'] == 1
    assert metadata['TemplateCorrelation'] > max(0.8, metadata['TemplateCorrelationAffine'])
    assert metadata['MaskDice'] > 0.9
    assert metadata['PlacementScore'] > 0.5


def test_regions_of_a_rough_registration_are_judged(simulated):
    """Every region has a row; their centres are where the map takes those of the template."""
    outputs, planted, *_ = simulated
    table = pd.read_csv(outputs['placement_table'], sep='\t').set_index('region')
    assert list(table.index) == list(default_circuit().drawn)
    assert (table['in_view'] == 1).all()
    assert (table['correlation'] > 0.7).all()
    assert table['relative_volume'].between(0.6, 1.6).all()
    centre = apply_linear(np.linalg.inv(planted), np.array([[-9.5, 11.6, -7.4]]))[0]
    assert np.linalg.norm(table.loc['NAcL', ['x', 'y', 'z']].to_numpy(float) - centre) < 3


def test_single_image_keeps_its_grid(simulated):
    outputs, _, _, grid = simulated
    for field in ('t1w_preproc', 't1w_mask', 't1w_dseg', 't1w_probseg_gm'):
        np.testing.assert_allclose(nb.load(outputs[field]).affine, grid, atol=1e-5)
    np.testing.assert_array_equal(read_linear(outputs['t1w2ref_xfms'][0]), np.eye(4))


def test_standard_image_is_the_resampled_one(simulated):
    outputs = simulated[0]
    image, head = nb.load(outputs['t1w_std']), nb.load(outputs['t1w_preproc'])
    inside = values(outputs['t1w_mask_std']) > 0
    points = apply_field(*read_field(Path(outputs['anat2std_xfm'])), grid_points(image.shape, image.affine))
    expected = sample(head.get_fdata(dtype=np.float32), head.affine, points, 3).reshape(image.shape)
    np.testing.assert_allclose(
        image.get_fdata()[inside], np.clip(expected, 0, None)[inside], rtol=1e-3, atol=1
    )


def test_every_output_is_connected(simulated, tmp_path):
    path = tmp_path / 't1w.nii'
    nb.save(nb.Nifti1Image(np.zeros((10, 10, 10), np.float32), np.eye(4)), path)
    workflow = init_anatomical_wf(t1w=[str(path)], space=SPACE, circuit=default_circuit(), random_seed=1)
    outputnode = workflow.get_node('outputnode')
    edges = workflow._graph.in_edges(outputnode, data=True)
    connected = {target for *_, data in edges for _, target in data['connect']}
    assert connected == set(outputnode.interface._fields) == FIELDS
    for node in workflow._graph.nodes:
        into = {t for *_, data in workflow._graph.in_edges(node, data=True) for _, t in data['connect']}
        for name in node.inputs.traits(mandatory=True):
            assert name in into or getattr(node.inputs, name), f'{node}.{name}'


@pytest.mark.parametrize('n', [1, 2])
def test_methods_text_follows_the_number_of_images(n, tmp_path):
    path = tmp_path / 't1w.nii'
    nb.save(nb.Nifti1Image(np.zeros((10, 10, 10), np.float32), np.eye(4)), path)
    text = init_anatomical_wf(
        t1w=[str(path)] * n, space=SPACE, circuit=default_circuit(), random_seed=1
    ).__desc__
    assert ('averaged from 2' in text) is (n == 2)


def test_registering_again_gives_equal_bytes(simulated, tmp_path):
    made = simulated[0]
    given = (Path(made[name]) for name in ('brain', 'placement', 't1w_preproc', 't1w_mask'))
    again = normalize_brain(*given, SPACE, 3, sloppy=True, out_dir=tmp_path)
    for field in ('anat2std_xfm', 'std2anat_xfm', 't1w_std', 't1w_mask_std'):
        np.testing.assert_array_equal(values(made[field]), values(getattr(again, field)))
