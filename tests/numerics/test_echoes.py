"""Decay of several echoes, and their combination: closed forms, a phantom, and dropout."""

import numpy as np
import pytest

from pipelines.numerics.echoes import LONGEST, SHORTEST, echo_weights, fit_t2star, lost_shares

TWO, THREE = (0.014, 0.036), (0.012, 0.028, 0.044)


@pytest.mark.parametrize('times', [TWO, THREE])
def test_decay_of_a_phantom_is_found_within_5_percent(times):
    """Tubes of 15 to 80 ms at a signal-to-noise ratio of 100 in the mean of a run; the median of each tube."""
    rng = np.random.default_rng(1)
    for t2star in (0.015, 0.025, 0.04, 0.06, 0.08):
        clean = 1000 * np.exp(-np.array(times)[:, None] / t2star)
        signals = np.hypot(clean + rng.normal(0, 10, (len(times), 500)), rng.normal(0, 10, (len(times), 500)))
        assert np.median(fit_t2star(signals, np.array(times))) == pytest.approx(t2star, rel=0.05)


def test_two_echoes_are_a_closed_form():
    """T2* = (TE2 - TE1) / ln(S1 / S2)."""
    signals = np.array([[900.0, 500, 800], [400.0, 450, 100]])
    expected = (TWO[1] - TWO[0]) / np.log(signals[0] / signals[1])
    np.testing.assert_allclose(fit_t2star(signals, np.array(TWO)), expected, rtol=1e-9)


def test_three_echoes_are_a_weighted_regression():
    rng = np.random.default_rng(2)
    signals = np.exp(rng.normal(6, 0.3, (3, 40))) * np.exp(-np.array(THREE)[:, None] / 0.03)
    expected = [
        -1 / np.polyfit(THREE, np.log(voxel), 1, w=voxel)[0]  # its weights are not squared
        for voxel in signals.T
    ]
    usable = np.array([SHORTEST < e < LONGEST for e in expected])
    np.testing.assert_allclose(
        fit_t2star(signals, np.array(THREE))[usable], np.array(expected)[usable], rtol=1e-6
    )
    assert usable.sum() > 10


def test_a_voxel_that_does_not_decay_has_the_longest_time():
    flat = np.array([[100.0, 100, 0], [100.0, 120, 0]])
    np.testing.assert_array_equal(fit_t2star(flat, np.array(TWO)), LONGEST)


def test_weights_are_the_derivative_of_the_signal():
    """By the decay rate, of each echo of a voxel: TE exp(-TE R2*), up to a factor."""
    rate, step = 25.0, 1e-5
    times = np.array(THREE)
    slope = (np.exp(-times * (rate - step)) - np.exp(-times * (rate + step))) / (2 * step)
    np.testing.assert_allclose(
        echo_weights(np.array([1 / rate]), times)[:, 0], slope / slope.sum(), rtol=1e-6
    )


def test_weights_add_up_to_one_and_shorten_with_the_decay():
    weights = echo_weights(np.array([0.005, 0.02, 0.2]), np.array(THREE))
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    assert np.all(np.diff(weights[0]) < 0)


@pytest.mark.parametrize(('times', 't2star'), [(TWO, 0.02), (THREE, 0.02), (THREE, 0.012)])
def test_the_combination_is_steadier_than_its_best_echo(times, t2star):
    """BOLD of half a percent of R2*, thermal noise alone: contrast over noise under dropout (a short decay)."""
    t = np.array(times)
    signal = np.exp(-t / t2star)
    contrast = t * signal  # change by a change of R2*
    weights = echo_weights(np.array([t2star]), t)[:, 0]
    combined = weights @ contrast / np.sqrt((weights**2).sum())
    assert combined > contrast.max()


def test_lost_signal_by_echo():
    means = np.full((2, 100), 50.0)
    means[1, :25] = 1
    assert lost_shares(means, np.ones(100, bool)) == [0.0, 0.25]
    outside = np.zeros(100, bool)
    outside[:50] = True
    assert lost_shares(means, outside) == [0.0, 0.5]


@pytest.mark.parametrize('times', [(0.01,), (0.03, 0.01), (0.0, 0.01), (0.01, 0.01)])
def test_times_that_are_none_are_refused(times):
    with pytest.raises(ValueError, match='rising times'):
        fit_t2star(np.ones((len(times), 3)), np.array(times))
