"""The FA of a planted tract is found by tracking: arrays only, a box around the tract."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from tests.acceptance.made import GOLDEN
from tests.acceptance.studies import tract_change as study
from tests.planted_tract import acquire, follow, make_person, measure, orientations, truth_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def person():
    return make_person()


@pytest.fixture(scope='module', params=[0, 1], ids=['left', 'right'])
def recovered(person, request):
    clean, noisy = acquire(person, 30, seed=1)
    return (
        measure(person, noisy, request.param, seed=1),
        truth_of(person, clean)[request.param],
        request.param,
    )


def test_course_of_the_planted_tract_is_found(person, recovered):
    found, _, side = recovered
    near = ndimage.binary_dilation(person.visits[side] > 0)
    outside = found.visits[~near].sum() / found.visits.sum()
    print(f'side {side}: {100 * outside:.2f} % outside; accepted {found.accepted}')
    assert min(found.accepted) >= 50
    assert outside <= 0.05


def test_fa_of_the_planted_tract_is_found(recovered):
    found, truth, side = recovered
    print(f'side {side}: FA {found.fa:.4f}, planted {truth:.4f}')
    assert abs(found.fa - truth) < 0.02


@pytest.mark.long
def test_without_a_tract_too_few_streamlines_join():
    empty = make_person(has_tract=False)
    fod, _ = orientations(empty, acquire(empty, 30, seed=1)[1])
    accepted = follow(empty, fod, 0, seed=1)[1]
    print(f'no tract: {accepted} accepted of 20,000 seeds')
    assert min(accepted) < 50


@pytest.mark.long
def test_two_acquisitions_agree(person):
    values = [measure(person, acquire(person, 25, seed)[1], 0, seed).fa for seed in (11, 12)]
    print(f'two acquisitions at SNR 25: {values[0]:.4f}, {values[1]:.4f}')
    assert abs(values[0] - values[1]) < 0.02


def test_a_planted_change_is_recorded_without_bias(person):
    """``scripts/accept --only tract_change`` made the table: FA of two sessions along one tract, 20 times."""
    recorded = pd.read_csv(GOLDEN / study.TABLE, sep='\t')
    assert len(recorded) == study.N_TRIALS == 20
    truth = study.planted_change(person)
    assert recorded['planted'].to_numpy() == pytest.approx(truth, abs=1e-5)
    errors = recorded['found'] - recorded['planted']
    assert errors.std() > 0
    assert abs(errors.mean()) < 2 * errors.std() / np.sqrt(20)
