import numpy as np
import pytest

from pipelines.numerics.clean import confound_columns
from pipelines.numerics.resample import apply_linear
from pipelines.simulated import confounds as simulate_confounds
from pipelines.simulated import head as simulate_head
from pipelines.simulated import series as simulate


def brain(shape=(12, 14, 12)):
    """A ball: white matter inside grey matter inside fluid."""
    radius = np.linalg.norm((np.indices(shape).T - (np.array(shape) - 1) / 2).T, axis=0)
    volume = np.select([radius < 2.5, radius < 4, radius < 5.5], [1.0, 0.7, 0.3], 0.0)
    volume.setflags(write=False)
    return volume


def run(rng, rho=0.5, n_volumes=120):
    """Sources and BOLD of the ball, whose grey halves are the two regions."""
    volume = brain()
    tissues, mask = simulate.classify(volume), volume > 0
    left = np.arange(volume.shape[0])[:, None, None] < volume.shape[0] / 2
    regions = np.stack([tissues.grey & left, tissues.grey & ~left])
    sources = simulate.draw_sources(n_volumes, 2.0, rho, rng)
    weights = simulate.source_weights(tissues, regions, np.zeros(volume.shape), mask, rng)
    series = simulate.simulate_series(simulate.baseline(volume, mask), weights, sources, rng)
    return sources, weights, series, regions[:, mask], tissues, mask


@pytest.mark.parametrize('rho', [-1, -0.3, 0, 0.62, 1])
@pytest.mark.parametrize(('n_volumes', 't_r'), [(60, 2.0), (240, 2.0), (300, 0.8)])
def test_correlation_of_the_sources_is_exactly_the_one_asked_for(rho, n_volumes, t_r, rng):
    sources = simulate.draw_sources(n_volumes, t_r, rho, rng)
    found = np.corrcoef(sources.regions.T)[0, 1]
    assert found == pytest.approx(rho, abs=1e-12)  # rounding only: it is constructed, not drawn


def test_slow_series_stay_in_their_band(rng):
    series = simulate.slow_series(240, 2.0, 4, rng)
    np.testing.assert_allclose(series.T @ series / 240, np.eye(4), atol=1e-12)
    mirrored = np.vstack([series, series[::-1]])  # a cosine basis is a Fourier basis of this
    power = np.abs(np.fft.rfft(mirrored, axis=0)) ** 2
    frequency = np.fft.rfftfreq(480, 2.0)
    outside = (frequency < 0.01) | (frequency > 0.08)
    assert power[outside].max() < 1e-18 * power.max()


def test_impossible_requests_are_refused(rng):
    with pytest.raises(ValueError, match='hold 3 slow series'):
        simulate.slow_series(10, 2.0, 6, rng)
    with pytest.raises(ValueError, match='between -1 and 1'):
        simulate.draw_sources(100, 2.0, 1.2, rng)


def test_noise_has_unit_variance_and_the_lag_asked_for(rng):
    noise = simulate.ar_noise(200, 2000, rng, 0.4).astype(float)
    assert noise.var(axis=1)[[0, 1, -1]] == pytest.approx(1, abs=0.1)  # SE of a variance: sqrt(2/2000)
    assert np.mean(noise[1:] * noise[:-1]) == pytest.approx(0.4, abs=0.01)  # SE about 1/sqrt(4e5)


def test_tissues_are_disjoint_and_fill_the_brain():
    tissues = simulate.classify(brain())
    np.testing.assert_array_equal(np.sum(tissues, axis=0), brain() > 0)


def test_region_series_carry_the_correlation_in_spite_of_the_noise(rng):
    sources, _, series, regions, _, _ = run(rng, rho=0.7)
    means = np.array([series[:, member].mean(axis=1) for member in regions])
    nuisance = np.column_stack([np.ones(120), np.arange(120), sources.physiology, np.diff(
        sources.motion, axis=0, prepend=sources.motion[:1])])  # fmt: skip
    cleaned = means.T - nuisance @ np.linalg.lstsq(nuisance, means.T, rcond=None)[0]
    # noise of a mean of about 100 voxels and 11 regressors of 120 volumes: a few hundredths
    assert np.corrcoef(cleaned.T)[0, 1] == pytest.approx(0.7, abs=0.1)


def test_network_leaves_the_regions_out(rng):
    volume = brain()
    tissues, mask = simulate.classify(volume), volume > 0
    regions = np.stack([tissues.grey, np.zeros_like(mask)])
    weights = simulate.source_weights(tissues, regions, np.ones(volume.shape), mask, rng)
    assert not np.any(weights[2])
    assert np.all(weights[0, tissues.grey[mask]] > 0)


def test_same_seed_same_series():
    first, second = (run(np.random.default_rng(4))[2] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_confounds_have_the_names_every_preset_looks_for(rng):
    sources, _, series, _, tissues, mask = run(rng)
    masks = {'CSF': tissues.csf[mask], 'WM': tissues.white[mask]}
    table, metadata = simulate_confounds.confounds(series, masks, sources.motion, 2.0)
    for preset in ('acompcor', '24p', 'conn', 'gsr', 'none'):
        assert set(confound_columns(preset, list(table), metadata)) <= set(table)
    assert len({len(column) for column in table.values()}) == 1
    assert sum(f.get('Mask') == 'WM' for f in metadata.values()) >= 5
    assert np.isnan(table['trans_x_derivative1'][0])
    np.testing.assert_allclose(table['rot_z_power2'], sources.motion[:, 5] ** 2)


def test_compcor_finds_the_physiology(rng):
    sources, _, series, _, tissues, mask = run(rng)
    found, singular, total = simulate_confounds.compcor(
        series[:, tissues.csf[mask]], simulate_confounds.cosines(120, 2.0)
    )
    basis = np.column_stack([np.ones(120), simulate_confounds.cosines(120, 2.0), found])
    wanted = sources.physiology
    left = wanted - basis @ np.linalg.lstsq(basis, wanted, rcond=None)[0]
    assert left.var() < 0.1 * wanted.var()  # noise of the voxels keeps it from 0
    assert np.all(np.diff(singular) <= 0)
    assert np.sum(singular**2) <= total
    np.testing.assert_allclose(found.T @ found, np.eye(found.shape[1]), atol=1e-10)


def test_head_has_its_layers_around_the_unchanged_brain():
    volume = brain()
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = [-22, -26, 0]
    head, grown = simulate_head.surround_with_head(volume, affine)
    inside = head[5:-5, 5:-5, 5:-5]
    np.testing.assert_allclose(inside[volume > 0], volume[volume > 0], rtol=1e-6)  # the 99th percentile is 1
    np.testing.assert_allclose(apply_linear(grown, np.full(3, 5)), affine[:3, 3])
    assert head[head.shape[0] // 2, head.shape[1] // 2].max() > 0.9  # fat
    assert head[0].max() == 0  # air at the rim


def test_a_person_is_near_the_template(rng):
    for matrix in (simulate_head.small_affine(rng), simulate_head.small_rigid(rng)):
        assert 0.85 < np.linalg.det(matrix[:3, :3]) < 1.15
        moved = apply_linear(matrix, np.array([[0.0, 50, 0]])) - [0, 50, 0]
        assert 0 < np.linalg.norm(moved) < 20


def test_scan_is_rician(rng):
    air = simulate_head.scan(np.zeros((40, 40, 40), np.float32), rng, noise=0.02)
    # the mean of a Rayleigh variable is sigma sqrt(pi/2); its SE here is 0.3 %
    assert air.mean() == pytest.approx(0.02 * np.sqrt(np.pi / 2), rel=0.01)


def test_regressing_out_head_motion_leaves_the_correlation_as_it_is(rng):
    sources = simulate.draw_sources(240, 2.0, 0.4, rng)
    steps = np.diff(sources.motion, axis=0, prepend=sources.motion[:1])
    model = np.column_stack([np.ones(240), sources.motion, steps])
    cleaned = sources.regions - model @ np.linalg.lstsq(model, sources.regions, rcond=None)[0]
    assert np.corrcoef(cleaned.T)[0, 1] == pytest.approx(0.4, abs=1e-9)  # rounding only
