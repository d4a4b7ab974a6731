"""Finding the brain: outlines with known truth, and refusals."""

import numpy as np
import pytest
from scipy import ndimage

from pipelines.numerics import extract
from pipelines.numerics.extract import at_nearest, bias_field, coarse_field
from pipelines.numerics.outline import dilate, erode, fit_outline, refine_mask, tissue_evidence
from pipelines.numerics.place import Placement, head_depth
from pipelines.numerics.resample import resample
from pipelines.simulated.head import scan, surround_with_head
from tests.heads import TEMPLATE, dice, template_at

VOXEL = 3.0


@pytest.fixture(scope='module')
def head():
    """Return a scan, its affine, the distance to the skin and the brain in it."""
    brain, affine = template_at(VOXEL)
    volume, grid = surround_with_head(brain, affine)
    # the template's rim is fluid as the skull's lining is: the truth is what is tissue, sulci bridged
    tissue = resample(brain, affine, volume.shape, grid) > 0.45 * np.percentile(brain[brain > 0], 99)
    truth = ndimage.binary_fill_holes(erode(dilate(tissue, 5, [VOXEL] * 3), 5, [VOXEL] * 3))
    seen = 1000 * scan(volume, np.random.default_rng(1))
    seen.setflags(write=False)
    return seen, grid, head_depth(seen, grid), truth


@pytest.mark.parametrize('wrong', [6.0, -4.0])
def test_a_wrong_outline_is_mended(head, wrong):
    """From a mask too large or too small the Dice coefficient rises above 0.93; a voxel of rim is 0.12."""
    volume, affine, depth, truth = head
    sizes = np.full(3, VOXEL)
    start = dilate(truth, wrong, sizes) if wrong > 0 else erode(truth, -wrong, sizes)
    found = refine_mask(volume, affine, start, depth, ((10.0, 5.0), (5.0, 2.5)))
    assert dice(found, truth) > 0.93
    assert dice(found, truth) > dice(start, truth)


def test_evidence_tells_brain_from_skull_and_scalp(head):
    volume, affine, depth, truth = head
    evidence = tissue_evidence(volume, affine, truth, depth)
    bright = truth & (volume > 600)
    assert evidence[bright].mean() > 0.3
    assert evidence[~dilate(truth, 4, np.full(3, VOXEL))].mean() < -0.35


def test_outline_may_not_move_further_than_its_reach():
    """With evidence for a much larger ball the outline stops at the reach, to a voxel."""
    radius = np.sqrt(sum(np.square(axis - 20.0) for axis in np.indices((41, 41, 41))))
    evidence = np.where(radius < 18, 0.5, -0.5)
    found = fit_outline(evidence, np.eye(4), radius < 8, 4.0, 1.0) < 0
    assert (3 * found.sum() / (4 * np.pi)) ** (1 / 3) == pytest.approx(12, abs=1)


def test_bias_field_is_recovered(head, rng):
    """A planted gradient of 40 % is found to 5 % (standard deviation of the ratio in the brain)."""
    brain, affine = template_at(VOXEL)
    planted = np.linspace(0.8, 1.2, brain.shape[1])[:, None].astype(np.float32)
    mask = brain > 0
    ratio = (bias_field(brain * planted, affine, mask) / bias_field(brain, affine, mask) / planted)[mask]
    assert ratio.std() / ratio.mean() < 0.05
    with pytest.raises(ValueError, match='no brain'):
        bias_field(brain, affine, np.zeros(brain.shape, bool))


def test_coarse_field_is_positive_everywhere():
    """41 voxels of 1 mm leave a last coarse voxel beyond the box."""
    coarse, grid = coarse_field(np.full((41, 43, 47), 2.0, np.float32), np.eye(4))
    np.testing.assert_allclose(coarse, 2, rtol=0.05)
    np.testing.assert_allclose(at_nearest(coarse, grid, (60, 60, 60), np.eye(4)), 2, rtol=0.05)


def test_no_head_is_refused_with_its_score(monkeypatch):
    monkeypatch.setattr(extract, 'place_template', lambda *_: Placement(np.eye(4), 0.23))
    with pytest.raises(ValueError, match=r'no T1-weighted head.*0\.23'):
        extract.extract_brain(*TEMPLATE, *TEMPLATE, sloppy=True)


def test_a_blank_or_noisy_image_holds_no_head(rng):
    """Noise all over is a head without air around it, where no template scores."""
    noise = rng.random((30, 32, 30)).astype(np.float32)
    with pytest.raises(ValueError, match=r'head|empty'):
        extract.extract_brain(noise, np.diag([7.0, 7, 7, 1]), *TEMPLATE, sloppy=True)
