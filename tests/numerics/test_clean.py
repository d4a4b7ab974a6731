"""Denoising against ordinary least squares, brute-force filters and closed forms."""

import json

import numpy as np
import pandas as pd
import pytest
from nilearn.signal import clean as nilearn_clean

from pipelines.numerics import clean


def model_of(rng, n_volumes=120, n_confounds=6):
    return np.column_stack([clean.trend(n_volumes), rng.standard_normal((n_volumes, n_confounds))])


@pytest.mark.parametrize(('n_volumes', 'kept'), [(120, 40), (240, 79), (450, 148)])
def test_stop_band_leaves_known_number_of_cosines(n_volumes, kept):
    assert n_volumes - 1 - clean.stop_band(n_volumes, 2.0, 0.008, 0.09).shape[1] == kept


def test_stop_band_is_orthonormal_and_zero_mean():
    band = clean.stop_band(100, 2.0, 0.01, 0.1)
    np.testing.assert_allclose(band.T @ band, np.eye(band.shape[1]), atol=1e-12)
    np.testing.assert_allclose(band.sum(axis=0), 0, atol=1e-10)


def test_projection_is_least_squares_on_kept_rows(rng):
    model, series = model_of(rng), rng.standard_normal((120, 7))
    mask = rng.random(120) > 0.1
    for array in (model, series, mask):
        array.setflags(write=False)
    operator = clean.projection(model, mask)
    beta, *_ = np.linalg.lstsq(model[mask], series[mask], rcond=None)
    np.testing.assert_allclose(operator.matrix @ series, series[mask] - model[mask] @ beta, atol=1e-12)
    assert operator.dof == mask.sum() - model.shape[1]


def test_projection_equals_spike_regression(rng):
    """Leaving a volume out and giving it a regressor of its own are the same fit."""
    model, series = model_of(rng), rng.standard_normal((120, 3))
    mask = np.ones(120, bool)
    mask[[4, 50, 51]] = False
    spiked = np.column_stack([model, np.eye(120)[:, ~mask]])
    beta, *_ = np.linalg.lstsq(spiked, series, rcond=None)
    np.testing.assert_allclose(
        clean.projection(model, mask).matrix @ series, (series - spiked @ beta)[mask], atol=1e-12
    )


def test_projection_counts_rank_once(rng):
    model = model_of(rng)
    doubled = np.column_stack([model, model[:, 3] * 1e-6, model[:, 2] + model[:, 3]])
    everything = np.ones(120, bool)
    assert clean.projection(doubled, everything).dof == clean.projection(model, everything).dof


def test_small_confounds_count_like_large_ones(rng):
    """Motion in rad is six orders below a global signal; scaling may not drop it from the rank."""
    model = model_of(rng)
    scaled = model * np.array([1, 1, 1e6, 1e-7, 1, 1, 1, 1])
    everything = np.ones(120, bool)
    np.testing.assert_allclose(
        clean.projection(scaled, everything).matrix, clean.projection(model, everything).matrix, atol=1e-9
    )


def test_projection_agrees_with_nilearn(rng):
    """Same confounds and detrending, another library."""
    confounds, series = rng.standard_normal((150, 8)), rng.standard_normal((150, 5)) + 100
    ours = (
        clean.projection(np.column_stack([clean.trend(150), confounds]), np.ones(150, bool)).matrix @ series
    )
    theirs = nilearn_clean(series, confounds=confounds, detrend=True, standardize=False)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_band_pass_removes_and_keeps_pure_cosines():
    t_r, n = 2.0, 240
    band = np.column_stack([clean.trend(n)[:, :1], clean.stop_band(n, t_r, 0.008, 0.09)])
    matrix = clean.projection(band, np.ones(n, bool)).matrix
    times = np.arange(n) + 0.5
    inside, outside = np.cos(np.pi / n * times * 40), np.cos(np.pi / n * times * 120)
    np.testing.assert_allclose(matrix @ inside, inside, atol=1e-10)
    np.testing.assert_allclose(matrix @ outside, 0, atol=1e-10)


def test_conn_equals_step_by_step(rng):
    """The operator against its two steps done one after the other on the mirrored series."""
    model, series = model_of(rng), rng.standard_normal((120, 4))
    mask = np.ones(120, bool)
    mask[[10, 11]] = False
    operator = clean.regress_then_filter(model, mask, 2.0, 0.008, 0.09)
    spiked = np.column_stack([model, np.eye(120)[:, ~mask]])
    residual = series - spiked @ np.linalg.lstsq(spiked, series, rcond=None)[0]
    both = np.concatenate([residual, residual[::-1]])
    spectrum = np.fft.fft(both, axis=0)
    frequency = np.abs(np.fft.fftfreq(240, 2.0))
    spectrum[(frequency < 0.008) | (frequency > 0.09)] = 0
    expected = np.fft.ifft(spectrum, axis=0).real[:120][mask]
    np.testing.assert_allclose(operator.matrix @ series, expected - expected.mean(axis=0), atol=1e-10)


def test_conn_degrees_of_freedom_of_a_plain_filter(rng):
    """With nothing regressed but the mean the filter is a projection; then nu is its rank."""
    operator = clean.regress_then_filter(np.ones((240, 1)), np.ones(240, bool), 2.0, 0.008, 0.09)
    assert operator.dof == pytest.approx(79, abs=1e-6)


def test_effective_dof_predicts_variance_of_correlation(rng):
    """Over 4,000 null pairs var(r) = 1 / nu; 3 standard errors of a variance are 7 %."""
    model = np.column_stack([clean.trend(200), rng.standard_normal((200, 10))])
    operator = clean.regress_then_filter(model, np.ones(200, bool), 2.0, 0.008, 0.09)
    x, y = (operator.matrix @ rng.standard_normal((200, 4000)) for _ in range(2))
    r = np.sum(x * y, 0) / np.sqrt(np.sum(x**2, 0) * np.sum(y**2, 0))
    assert r.var() * operator.dof == pytest.approx(1, abs=0.07)


def test_apply_operator_keeps_float32_digits(rng):
    """A mean of 10,000 must not cost the residual's digits: 1e-4 of the residual SD."""
    series = (10_000 + rng.standard_normal((120, 500))).astype(np.float32)
    operator = clean.projection(model_of(rng), np.ones(120, bool))
    got = clean.apply_operator(operator.matrix, series, block=64)
    np.testing.assert_allclose(got, operator.matrix @ series.astype(float), atol=1e-4)
    assert got.dtype == np.float32


def test_composite_motion_of_a_rotation():
    """Rotation by a about z moves the far face centre (90 mm) by 2 * 90 * sin(a/2)."""
    rotation = np.array([[0, 0, 0], [0, 0, 0.01]])
    expected = 2 * 90 * np.sin(0.005)
    assert clean.composite_motion(np.zeros((2, 3)), rotation)[1] == pytest.approx(expected, rel=1e-12)


def test_signal_jump_is_found(rng):
    signal = rng.standard_normal(200)
    signal[100:] += 60
    assert np.flatnonzero(clean.is_signal_jump(signal)).tolist() == [100]
    assert not clean.is_signal_jump(np.ones(10)).any()


COLUMNS = [
    *(f'{m}{s}' for m in clean.MOTION for s in ('', '_derivative1', '_power2', '_derivative1_power2')),
    'global_signal',
    *(f'a_comp_cor_{i:02d}' for i in range(14)),
    'cosine00',
    'cosine01',
]
METADATA = {f'a_comp_cor_{i:02d}': {'Mask': ('CSF', 'WM')[i % 2]} for i in range(14)}


@pytest.mark.parametrize(
    ('preset', 'count'), [('acompcor', 24), ('24p', 24), ('conn', 24), ('gsr', 25), ('none', 0)]
)
def test_presets_have_their_columns(preset, count):
    assert len(clean.confound_columns(preset, COLUMNS, METADATA)) == count


def test_compcor_is_chosen_by_mask_not_by_order():
    chosen = [c for c in clean.confound_columns('acompcor', COLUMNS, METADATA) if 'comp_cor' in c]
    assert chosen == [f'a_comp_cor_{i:02d}' for i in range(10)]
    swapped = {k: {'Mask': 'WM' if i < 7 else 'CSF'} for i, k in enumerate(METADATA)}
    chosen = [c for c in clean.confound_columns('acompcor', COLUMNS, swapped) if 'comp_cor' in c]
    assert chosen == [f'a_comp_cor_{i:02d}' for i in [*range(5), *range(7, 12)]]


def test_missing_column_is_named():
    with pytest.raises(KeyError, match='rot_z'):
        clean.confound_columns('24p', [c for c in COLUMNS if c != 'rot_z'], METADATA)
    with pytest.raises(KeyError, match='WM'):
        clean.confound_columns('acompcor', COLUMNS, {})


@pytest.mark.real
def test_real_confounds_give_twelve_motion_and_ten_compcor(test_data):
    stem = 'sub-0001_task-restingstate_acq-seq_desc-confounds_regressors'
    folder = test_data / 'confounds/aomic-piop2/sub-0001/func'
    columns = list(pd.read_table(folder / f'{stem}.tsv', nrows=1).columns)
    metadata = json.loads((folder / f'{stem}.json').read_text())
    chosen = clean.confound_columns('acompcor', columns, metadata)
    assert sum(c.startswith(('trans', 'rot')) for c in chosen) == 12
    masks = [metadata[c]['Mask'] for c in chosen if 'comp_cor' in c]
    assert (masks.count('WM'), masks.count('CSF')) == (5, 5)
