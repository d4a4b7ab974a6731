"""The BOLD chain on a head that susceptibility distorted: a reverse pair brings its series nearer to the truth."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.acquisition import Field, FieldSource
from pipelines.interfaces import normalize
from pipelines.numerics.resample import grid_points, resample, sample
from pipelines.numerics.susceptibility import unwarp

from .test_functional import ANAT, BOLD, BOLD_SHAPE, SPACE, T_R, _workflow, coarse_grid, head

__all__ = ['head']  # the fixture

READOUT, N = 0.05, 8


def _distort(volume, u):
    """Read at the place that the displacement takes to each voxel, found by fixed-point iteration."""
    back = np.zeros(u.shape, np.float32)
    for _ in range(20):
        back = -unwarp(u, back, 1, 1, modulate=False)
    return unwarp(volume, back, 1, 1)


@pytest.fixture(scope='module')
def distorted(head, tmp_path_factory):
    """Return the folder with a run along ``j-`` whose front is displaced by 8 mm, and the pair."""
    folder, epi = head
    out = tmp_path_factory.mktemp('distorted')
    for path in folder.glob('*'):
        if path.name != 'bold.nii.gz':
            (out / path.name).symlink_to(path)
    true = resample(epi, ANAT, BOLD_SHAPE, BOLD, order=1)
    points = grid_points(BOLD_SHAPE, BOLD).reshape(*BOLD_SHAPE, 3)
    u = (1.6 * np.exp(-((points - (0, 40, 0)) ** 2).sum(axis=-1) / 2 / 22**2)).astype(np.float32)
    rng = np.random.default_rng(4)
    forward, backward = _distort(true, u), _distort(true, -u)
    for name, values in (('pa', forward), ('ap', backward)):
        nb.save(nb.Nifti1Image(values, BOLD), out / f'{name}.nii')
    series = np.stack([backward + rng.normal(0, 1, BOLD_SHAPE) for _ in range(N)], axis=-1)
    image = nb.Nifti1Image(series.astype(np.float32), BOLD)
    image.header.set_zooms((5, 5, 5, T_R))
    nb.save(image, out / 'bold.nii.gz')
    return out, epi


def _agreement(workflow, epi):
    """Return the correlation of a volume in the template with the head, in the front of the brain."""
    with pytest.MonkeyPatch.context() as patch:
        # a tenth of the points of the 2 mm grid, same box
        patch.setattr(normalize, 'standard_grid', coarse_grid)
        nodes = {node.name: node.result.outputs for node in workflow.run(plugin='Linear').nodes()}
    shape, affine = coarse_grid(SPACE)
    points = grid_points(shape, affine)
    front = np.linalg.norm(points - (0, 40, 0), axis=1) < 30
    expected = sample(epi, ANAT, points)
    series = np.asarray(nb.load(nodes['confounds'].bold_std).dataobj[..., 3]).ravel()
    return np.corrcoef(series[front], expected[front])[0, 1], nodes['confounds'].metadata


def test_pair_brings_the_series_nearer_to_the_truth(distorted, tmp_path):
    folder, epi = distorted
    source = FieldSource(
        kind='pair',
        direction='j-',
        readout_time=READOUT,
        directions=('j', 'j-'),
        readout_times=(READOUT,) * 2,
    )
    pair = Field(source, [str(folder / 'pa.nii'), str(folder / 'ap.nii')])
    found = {}
    for name, given in (('with', pair), ('without', None)):
        workflow = _workflow(folder, distortion=given or '', slice_timing=None)
        workflow.base_dir = str(tmp_path / name)
        found[name], facts = _agreement(workflow, epi)
        said = 'reverse phase encoding pair' if given else 'none'
        assert facts['SusceptibilityDistortionCorrection'] == said
    assert found['with'] > 0.9
    assert found['with'] > found['without'] + 0.05
