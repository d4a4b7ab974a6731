import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.stats.describe import find_improved
from pipelines.stats.discrete.responder_table import IMPROVED_COLUMNS, Improvement, tabulate_responders

ENOUGH = Improvement(absolute=2, relative=0.3)


def pain(rng, n=60, n_arms=3):
    arm = np.arange(n) % n_arms
    values = np.clip(np.round(6 + 2 * rng.standard_normal((n, 3)) - np.outer(arm, [0, 1, 1.5])), 0, 10)
    values[rng.random((n, 3)) < 0.1] = np.nan
    for array in (arm, values):
        array.setflags(write=False)
    return values, arm


def one_visit(before, after, arm, **enough):
    """Return the rows of control and treated at the only visit."""
    table = np.column_stack([before, after]).astype(float)
    return tabulate_responders(table, arm, Improvement(**enough), ['end']).set_index('arm')


def test_each_arm_and_visit_is_that_of_two_arms(rng):
    values, arm = pain(rng)
    found = tabulate_responders(values, arm, ENOUGH, ['week 6', 'week 14']).set_index(['visit', 'arm'])
    assert found.reset_index().columns.tolist() == list(IMPROVED_COLUMNS)
    for number, visit in enumerate(['week 6', 'week 14'], 1):
        for code in (1, 2):
            two = np.isin(arm, (0, code))
            ends = values[two, 0], values[two, number]
            wanted = one_visit(*ends, (arm[two] == code).astype(int), absolute=2, relative=0.3).loc[1]
            row = found.loc[(visit, code)]
            columns = list(IMPROVED_COLUMNS[2:])
            # the same sums
            np.testing.assert_allclose(row[columns].astype(float), wanted[columns].astype(float), rtol=1e-12)
    assert found.loc[('week 6', 0), ['difference', 'ci_low', 'ci_high']].isna().all()


@pytest.mark.parametrize(
    ('counts', 'n', 'interval'),
    # Newcombe 1998, table II, method 10, treated first
    [
        ((56, 48), (70, 80), (0.0524, 0.3339)),
        ((9, 3), (10, 10), (0.1705, 0.8090)),
        ((6, 2), (7, 7), (0.0582, 0.8062)),
        ((5, 0), (56, 29), (-0.0381, 0.1926)),
        ((0, 0), (10, 20), (-0.1611, 0.2775)),
        ((10, 0), (10, 20), (0.6791, 1.0)),
    ],
)
def test_interval_of_the_difference_is_newcombes(counts, n, interval):
    arm = np.repeat([1, 0], n)
    gain = np.concatenate([np.arange(total) < count for count, total in zip(counts, n)]) * 5.0
    rows = one_visit(np.full(len(arm), 9.0), 9 - gain, arm, absolute=2)
    assert rows.responders.tolist() == list(counts[::-1])
    found = rows.loc[1]
    # printed with 4 decimals
    np.testing.assert_allclose([found.ci_low, found.ci_high], interval, atol=6e-5)
    assert found.difference == pytest.approx(counts[0] / n[0] - counts[1] / n[1])


@pytest.mark.parametrize(
    ('before', 'after', 'responds'),
    [
        (8.0, 6.0, True),  # two points
        (8.0, 6.1, False),
        (7.0, 4.9, True),  # 30 % of 7, which floating point puts at 2.0999999999999996
        (3.0, 2.1, True),  # 30 %
        (3.0, 2.2, False),
        (0.0, 0.0, False),  # no pain to relieve
        (5.0, 8.0, False),
    ],
)
def test_relief_of_pain_counts_in_points_or_percent(before, after, responds):
    found = one_visit([before, 5.0], [after, 5.0], [1, 0], absolute=2, relative=0.3)
    assert found.responders.tolist() == [0, int(responds)]


def test_direction_and_missing_visits():
    before, after = [10.0, 10, 10, 10, np.nan], [5.0, 15, np.nan, 14, 20]
    better = one_visit(before, after, [0, 0, 0, 1, 1], absolute=5, lower_is_better=False)
    assert better[['responders', 'n', 'n_missing']].values.tolist() == [[1, 2, 1], [0, 1, 1]]
    assert one_visit(before, after, [0, 0, 0, 1, 1], absolute=5).responders.tolist() == [1, 0]
    higher = one_visit([10.0, 10], [13.0, 12], [0, 1], relative=0.3, lower_is_better=False)
    assert higher.responders.tolist() == [1, 0]


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
        (np.ones((4, 2)), Improvement(absolute=0.0), 'give one above 0'),
        (np.ones((4, 2)), Improvement(absolute=2.0, relative=-0.3), 'give one above 0'),
    ],
)
def test_tables_that_do_not_fit_are_refused(values, enough, message):
    with pytest.raises(DataError, match=message):
        tabulate_responders(values, [0, 0, 1, 1], enough, ['end'])
