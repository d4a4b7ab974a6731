import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.stats.describe import find_improved, responders
from pipelines.stats.discrete.responder_table import IMPROVED_COLUMNS, Improvement, tabulate_responders

ENOUGH = Improvement(absolute=2, relative=0.3)


def pain(rng, n=60, n_arms=3):
    arm = np.arange(n) % n_arms
    values = np.clip(np.round(6 + 2 * rng.standard_normal((n, 3)) - np.outer(arm, [0, 1, 1.5])), 0, 10)
    values[rng.random((n, 3)) < 0.1] = np.nan
    for array in (arm, values):
        array.setflags(write=False)
    return values, arm


def test_each_arm_and_visit_is_that_of_two_arms(rng):
    values, arm = pain(rng)
    found = tabulate_responders(values, arm, ENOUGH, ['week 6', 'week 14']).set_index(['visit', 'arm'])
    assert found.reset_index().columns.tolist() == list(IMPROVED_COLUMNS)
    for number, visit in enumerate(['week 6', 'week 14'], 1):
        for code in (1, 2):
            two = np.isin(arm, (0, code))
            wanted = responders(
                values[two, 0], values[two, number], (arm[two] == code).astype(int), absolute=2, relative=0.3
            )
            row = found.loc[(visit, code)]
            assert (row.n, row.n_missing, row.responders) == (
                wanted.n[1],
                wanted.n_missing[1],
                wanted.responders[1],
            )
            # the same sums
            np.testing.assert_allclose(
                row[['difference', 'ci_low', 'ci_high']].astype(float), wanted[3:], rtol=1e-12
            )
    assert found.loc[('week 6', 0), ['difference', 'ci_low', 'ci_high']].isna().all()


def test_wilsons_interval_of_a_share():
    values = np.column_stack([np.full(20, 8.0), np.where(np.arange(20) < 5, 4.0, 8.0)])
    row = tabulate_responders(values, np.repeat([0, 1], 10), ENOUGH, ['end']).iloc[0]
    # 5 of 10, closed form
    z2 = 1.959964**2
    half = np.sqrt(z2 * (0.25 / 10 + z2 / 400)) / (1 + z2 / 10)
    assert (row.share, row.responders) == (0.5, 5)
    assert (row.share_low, row.share_high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)


def test_higher_can_be_better():
    values = np.array([[100.0, 160], [100, 120], [100, 90], [100, 200]])
    found = tabulate_responders(
        values, [0, 0, 1, 1], Improvement(absolute=50, lower_is_better=False), ['end']
    )
    assert found.responders.tolist() == [1, 1]


def test_a_visit_that_an_arm_lacks_has_no_share(rng):
    values, arm = pain(rng)
    lost = values.copy()
    lost[arm == 1, 2] = np.nan
    found = tabulate_responders(lost, arm, ENOUGH, ['week 6', 'week 14']).set_index(['visit', 'arm'])
    assert found.loc[('week 14', 1), ['n', 'responders', 'n_missing']].tolist() == [0, 0, 20]
    assert found.loc[('week 14', 1), ['share', 'difference']].isna().all()
    assert found.loc[('week 14', 2), 'difference'] > -1


def test_nobody_in_control_leaves_shares_alone(rng):
    values, arm = pain(rng)
    found = tabulate_responders(values[arm > 0], arm[arm > 0], ENOUGH, ['week 6', 'week 14'])
    assert found['difference'].isna().all()
    assert found['share'].notna().all()


def test_improvement_is_missing_where_a_visit_is():
    found = find_improved([7, np.nan, 7, 0], [5, 3, np.nan, 0], relative=0.2)
    assert found.tolist()[::3] == [1, 0]
    assert np.isnan(found[1:3]).all()


@pytest.mark.parametrize(
    ('values', 'enough', 'message'),
    [
        (np.ones((4, 3)), ENOUGH, '1 visits'),
        (np.ones(4), ENOUGH, 'shape'),
        (np.ones((3, 2)), ENOUGH, '4 people'),
        (np.ones((4, 2)), Improvement(), 'give one above 0'),
        (np.ones((4, 2)), Improvement(absolute=-2), 'give one above 0'),
    ],
)
def test_tables_that_do_not_fit_are_refused(values, enough, message):
    with pytest.raises(DataError, match=message):
        tabulate_responders(values, [0, 0, 1, 1], enough, ['end'])
