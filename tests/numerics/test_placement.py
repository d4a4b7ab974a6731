"""How regions lie in a person: closed forms, brute force, and what is not known."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipelines.numerics import placement
from pipelines.numerics.placement import (
    LIMITS,
    MARGIN_MM,
    AroundRegion,
    RegionPlacement,
    misplaced,
    place_region,
    volume_growth,
)

GOLDEN = Path(__file__).parents[1] / 'golden'
SHAPE, SIZES = (36, 34, 32), np.array([1.0, 1.0, 1.0])
GOOD = RegionPlacement(1.0, 0.97, 0.9, 900.0, 1.0)


def ball(radius=4.0, centre=(18, 17, 16)):
    return np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - centre, axis=-1) <= radius


def smooth(rng):
    """Return an image of blobs, 1 to 2."""
    from scipy import ndimage

    values = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2)
    return 1 + (values - values.min()) / np.ptp(values)


def around(rng, **changes):
    template = smooth(rng)
    given = {
        'region': ball(), 'template': template, 't1w': template.copy(), 'grey_matter': np.full(SHAPE, 0.8),
        'growth': np.ones(SHAPE), 'sizes': SIZES,
    }  # fmt: skip
    return AroundRegion(**{**given, **changes})


def test_growth_of_an_affine_is_its_determinant(rng):
    matrix = np.eye(3) + 0.2 * rng.standard_normal((3, 3))
    grid = np.moveaxis(np.indices((5, 6, 4)), 0, -1) * np.array([2.0, 1.0, 0.5])
    growth = volume_growth(grid @ matrix.T + 7, np.array([2.0, 1.0, 0.5]))
    np.testing.assert_allclose(growth, np.linalg.det(matrix), rtol=1e-9)


def test_growth_of_a_bend_is_its_derivative():
    """x goes to x + x^2 / 100: the growth is 1 + x / 50, which central differences meet exactly."""
    grid = np.moveaxis(np.indices((9, 3, 3)), 0, -1).astype(float)
    moved = grid.copy()
    moved[..., 0] += grid[..., 0] ** 2 / 100
    growth = volume_growth(moved, SIZES)
    np.testing.assert_allclose(growth[1:-1, 1, 1], 1 + grid[1:-1, 1, 1, 0] / 50)


def test_volumes_and_tissue_are_weighted_by_growth(rng):
    """Against sums over voxels; the brain grew by a half, so a region that grew by three has twice its share."""
    region = ball()
    growth, grey = np.where(np.indices(SHAPE)[0] < 18, 2.0, 4.0), rng.random(SHAPE)
    sizes = np.array([1.0, 2.0, 0.5])
    found = place_region(around(rng, growth=growth, grey_matter=grey, sizes=sizes), 1.5)
    voxels = np.argwhere(region)
    total = sum(growth[tuple(v)] for v in voxels)
    assert found.volume == pytest.approx(total * 1.0)
    assert found.relative_volume == pytest.approx(total / len(voxels) / 1.5)
    assert found.grey_matter == pytest.approx(sum(growth[tuple(v)] * grey[tuple(v)] for v in voxels) / total)
    assert found.in_view == 1


def test_correlation_is_of_ranks_around_the_region(rng, monkeypatch):
    """Without smoothing it is that of the voxels of the brain within the margin, found one by one."""
    monkeypatch.setattr(placement, '_BLUR_MM', 1e-3)
    template, t1w = rng.random(SHAPE), rng.random(SHAPE)
    template[:, :14] = 0  # no brain there
    region = ball(3.0)
    voxels = np.argwhere(region)
    near = [
        tuple(v) for v in np.argwhere(template > 0) if np.min(np.linalg.norm(voxels - v, axis=1)) <= MARGIN_MM
    ]
    pairs = np.array([(t1w[v], template[v]) for v in near])
    found = place_region(around(rng, region=region, template=template, t1w=t1w), 1.0)
    assert found.correlation == pytest.approx(stats.spearmanr(*pairs.T).statistic, abs=1e-9)


def test_contrast_does_not_matter_but_place_does(rng):
    own = around(rng)
    assert place_region(own, 1.0).correlation == pytest.approx(1)
    assert place_region(own._replace(t1w=own.template**3), 1.0).correlation > 0.99
    away = [
        place_region(own._replace(t1w=np.roll(own.template, n, axis=0)), 1.0).correlation for n in (1, 2, 4)
    ]
    assert 1 > away[0] > away[1] > away[2]
    assert away[2] < 0.5


def test_a_hole_in_the_image_takes_no_part(rng):
    """A defaced or cut image: what is not shown is left out of all but the volume."""
    own = around(rng)
    t1w, spoiled = own.t1w.copy(), own.t1w.copy()
    t1w[:, :, :15] = np.nan
    spoiled[:, :, :15] = 1e6
    cut = place_region(own._replace(t1w=t1w), 1.0)
    assert cut.correlation == pytest.approx(1)
    assert cut.volume == place_region(own, 1.0).volume
    region = np.argwhere(own.region)
    assert cut.in_view == pytest.approx(np.mean(region[:, 2] >= 15))
    assert place_region(own._replace(t1w=spoiled), 1.0).correlation < 0.9


def test_what_is_not_shown_is_not_told(rng):
    own = around(rng)
    t1w = own.t1w.copy()
    t1w[:, :, :18] = np.nan
    found = place_region(own._replace(t1w=t1w), 1.0)
    assert 0 < found.in_view < 0.5
    assert math.isnan(found.correlation)
    assert math.isnan(found.grey_matter)
    assert found.volume == own.region.sum()


def test_what_is_missing_or_constant_is_not_told(rng):
    own = around(rng)
    assert math.isnan(place_region(own._replace(grey_matter=None), 1.0).grey_matter)
    assert math.isnan(place_region(own._replace(t1w=np.ones(SHAPE)), 1.0).correlation)
    outside = place_region(own._replace(template=np.zeros(SHAPE)), 1.0)
    assert math.isnan(outside.correlation)
    assert outside.grey_matter == pytest.approx(0.8)


def test_a_folded_map_is_told_by_its_volume(rng):
    found = place_region(around(rng, growth=np.full(SHAPE, -1.0)), 1.0)
    assert found.volume < 0
    assert found.relative_volume == -1
    assert math.isnan(found.grey_matter)
    assert misplaced(found, 0.9)


@pytest.mark.parametrize('name', list(LIMITS))
def test_a_value_below_its_limit_tells(name):
    assert not misplaced(GOOD, 1.0)
    assert not misplaced(GOOD._replace(**{name: LIMITS[name]}), 1.0)
    assert misplaced(GOOD._replace(**{name: LIMITS[name] - 0.01}), 1.0)
    assert not misplaced(GOOD._replace(**{name: math.nan}), 1.0), 'what is not known speaks for nothing'


def test_tissue_judges_only_what_is_grey_matter_in_the_template():
    """A tract, or a sphere in white matter, has none of it wherever it lies."""
    white = GOOD._replace(grey_matter=0.0)
    assert misplaced(white, 0.5)
    assert not misplaced(white, 0.49)
    assert not misplaced(white, math.nan)


def test_tissue_is_held_against_that_of_the_template():
    """Half of grey matter is little where the template has 90 %, and not where it has 70 %."""
    half = GOOD._replace(grey_matter=0.5)
    assert misplaced(half, 0.9)
    assert not misplaced(half, 0.7)


def test_limits_are_those_of_the_study():
    """95 % of good registrations are above each limit, and few of them are flagged; most bad ones are."""
    table = pd.read_csv(GOLDEN / 'placement.tsv', sep='\t').set_index(['region', 'kind'])
    good = table.loc[('all', 'good')]
    assert good['n'] > 200
    for name, column in (
        ('correlation', 'correlation'), ('grey_matter', 'relative_grey'), ('relative_volume', 'relative_volume')
    ):  # fmt: skip
        assert good[f'{column}_q05'] >= LIMITS[name]
    assert good['flagged'] <= 0.05
    assert table.xs('good', level='kind')['flagged'].max() <= 0.1
    flagged = table.xs('all')['flagged']
    assert flagged[['shift_4mm', 'shift_6mm', 'tilt', 'failed']].min() > 0.95
    assert flagged['shift_3mm'] > 0.85


def test_inputs_are_not_changed(rng):
    own = around(rng)
    for array in own:
        array.setflags(write=False)
    assert place_region(own, 1.0).correlation == pytest.approx(1)
