"""Denoising against ordinary least squares, brute-force filters and closed forms."""

import json

import numpy as np
import pandas as pd
import pytest
from nilearn.signal import clean as nilearn_clean

from pipelines.errors import UnknownWordError
from pipelines.numerics import clean
from pipelines.terms import MOTION


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
    x, y = (operator.reduce @ rng.standard_normal((200, 4000)) for _ in range(2))
    r = np.sum(x * y, 0) / np.sqrt(np.sum(x**2, 0) * np.sum(y**2, 0))
    assert r.var() * operator.dof == pytest.approx(1, abs=0.07)


@pytest.mark.parametrize('preset', ['projection', 'conn'])
def test_coordinates_keep_inner_products(rng, preset):
    """The factors multiply to the operator; coordinates have the norms of the series and no mean."""
    model, mask = model_of(rng), rng.random(120) > 0.1
    if preset == 'conn':
        operator = clean.regress_then_filter(model, mask, 2.0, 0.008, 0.09)
    else:
        operator = clean.projection(model, mask)
    np.testing.assert_allclose(operator.expand.T @ operator.expand, np.eye(len(operator.reduce)), atol=1e-10)
    np.testing.assert_allclose(operator.expand.sum(axis=0), 0, atol=1e-10)
    series = rng.standard_normal((120, 9))
    reduced, cleaned = operator.reduce @ series, operator.matrix @ series
    np.testing.assert_allclose(reduced.T @ reduced, cleaned.T @ cleaned, atol=1e-9)


@pytest.mark.parametrize(
    'make', [clean.projection, lambda m, k: clean.regress_then_filter(m, k, 2.0, 0.01, 0.1)]
)
def test_left_out_volumes_have_no_influence(rng, make):
    model, mask = model_of(rng), np.ones(120, bool)
    mask[[0, 60]] = False
    series = rng.standard_normal((120, 4))
    changed = series.copy()
    changed[~mask] = 1e6
    operator = make(model, mask)
    # 1e6 times the rounding of an exact zero
    np.testing.assert_allclose(operator.matrix @ changed, operator.matrix @ series, atol=1e-8)


def test_nothing_kept_leaves_nothing(rng):
    nothing = np.zeros(120, bool)
    assert clean.projection(model_of(rng), nothing).dof == 0
    assert clean.regress_then_filter(model_of(rng), nothing, 2.0, 0.008, 0.09).dof == 0


def test_reduced_series_keep_float32_digits(rng):
    """A mean of 10,000 must not cost the residual's digits: 1e-4 of the residual SD."""
    series = (10_000 + rng.standard_normal((120, 500))).astype(np.float32)
    series.setflags(write=False)
    operator = clean.projection(model_of(rng), np.ones(120, bool))
    got = clean.reduce_series(operator.reduce, series, block=64)
    np.testing.assert_allclose(operator.expand @ got, operator.matrix @ series.astype(float), atol=1e-4)
    assert got.dtype == np.float32


def test_temporal_sd_of_kept_volumes(rng):
    """Against numpy in float64; a mean of 1e4 in float32 leaves 1e-3 of the stored rounding."""
    series = (1e4 + 50 * rng.standard_normal((90, 40))).astype(np.float32)
    series[:, 3] = 12345.678
    series.setflags(write=False)
    keep = rng.random(90) > 0.2
    got = clean.temporal_sd(series, keep, block=7)
    np.testing.assert_allclose(got, series[keep].astype(float).std(axis=0), rtol=1e-4)
    assert got[3] == 0
    assert not clean.temporal_sd(series, np.zeros(90, bool)).any()


COLUMNS = [
    *(f'{m}{s}' for m in MOTION for s in ('', '_derivative1', '_power2', '_derivative1_power2')),
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


def test_compcor_takes_the_strongest_that_were_retained():
    about = {
        k: {**v, 'SingularValue': float(i), 'Retained': i < 12} for i, (k, v) in enumerate(METADATA.items())
    }
    chosen = [c for c in clean.confound_columns('acompcor', COLUMNS, about) if 'comp_cor' in c]
    assert chosen == [f'a_comp_cor_{i:02d}' for i in range(2, 12)]


def test_newer_names_and_the_combined_mask():
    """fMRIPrep from 20.2 on writes one set per tissue beside the combined one, which is not used."""
    about = {f'a_comp_cor_{i:02d}': {'Mask': 'combined'} for i in range(14)}
    about |= {f'{t[0].lower()}_comp_cor_{i:02d}': {'Mask': t} for t in ('WM', 'CSF') for i in range(8)}
    chosen = [c for c in clean.confound_columns('acompcor', [*COLUMNS, *about], about) if 'comp_cor' in c]
    assert chosen == [f'{t}_comp_cor_{i:02d}' for t in 'wc' for i in range(5)]


def test_fewer_components_are_taken_as_they_are():
    """fMRIPrep keeps what explains half of the variance, which may be less than five."""
    about = {k: {'Mask': 'WM' if i < 11 else 'CSF'} for i, k in enumerate(METADATA)}
    chosen = [c for c in clean.confound_columns('acompcor', COLUMNS, about) if 'comp_cor' in c]
    assert len(chosen) == 5 + 3


def test_unknown_preset_is_refused_not_read_as_the_default():
    with pytest.raises(UnknownWordError, match='denoising preset 36p is unknown; offered: acompcor'):
        clean.confound_columns('36p', COLUMNS, METADATA)


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


@pytest.mark.parametrize('n_volumes', [120, 160, 240])
def test_cosines_rounded_in_a_table_cost_no_degree_of_freedom(n_volumes):
    """Confounds hold the slow cosines with eight digits; the stop band holds them exactly."""
    band = clean.stop_band(n_volumes, 2.0, 0.008, 0.09)
    rounded = np.array([[float(f'{v:.8g}') for v in row] for row in band[:, :4]])
    kept = np.ones(n_volumes, bool)
    alone = clean.projection(np.column_stack([clean.trend(n_volumes), band]), kept)
    both = clean.projection(np.column_stack([clean.trend(n_volumes), rounded, band]), kept)
    assert both.dof == alone.dof
    np.testing.assert_allclose(both.matrix, alone.matrix, atol=1e-6)
