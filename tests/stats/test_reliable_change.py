"""Tables of reliability and of everybody's change, from repeated measurements of a trial."""

import numpy as np
import pandas as pd
import pytest

from pipelines.stats.design import DerivativeOutcome, OutcomesDesign
from pipelines.stats.reliability import agreement, spearman_brown
from pipelines.stats.reliable_change import (
    CHANGE_COLUMNS,
    LEAST_PEOPLE,
    RELIABILITY_COLUMNS,
    list_changes,
    list_reliability,
)
from pipelines.stats.visit import Visit

VISITS = (
    Visit(name='baseline', session_id='ses-a', is_baseline=True),
    Visit(name='mid', session_id='ses-b'),
    Visit(name='end', session_id='ses-c', is_primary=True),
)
FC = DerivativeOutcome(name='fc', units='Fisher z', derivative='roi_connectivity', regions=('A', 'B'))
ICC = DerivativeOutcome(name='icc', units='r', derivative='intrinsic_connectivity', regions=('A',))


def design(*outcomes, visits=VISITS):
    return OutcomesDesign(treated=('act',), control='wait', outcomes=outcomes, visits=visits)


@pytest.fixture
def values(rng):
    """Return 12 people of each arm at three visits; the treated move by 1, one lacks the end."""
    rows = []
    for number in range(24):
        arm, own = ('act', 'wait')[number % 2], rng.normal(0.5, 0.3)
        for visit in VISITS:
            moved = (arm == 'act') * (visit.name == 'end')
            for outcome in ('fc', 'icc'):
                rows.append((f'sub-{number:02d}', arm, visit.name, outcome, own + moved + rng.normal(0, 0.1)))
    table = pd.DataFrame(rows, columns=['participant_id', 'arm', 'visit', 'outcome', 'value'])
    return table[~((table['participant_id'] == 'sub-00') & (table['visit'] == 'end'))]


@pytest.fixture
def repeats(rng):
    """Return halves of everybody at two visits, and two or three runs of six people."""
    rows = []
    for number in range(24):
        own = rng.normal(0.5, 0.3)
        for visit in ('baseline', 'end'):
            rows += [
                (f'sub-{number:02d}', visit, 'fc', 'halves', part, own + rng.normal(0, 0.2))
                for part in (1, 2)
            ]
        for part in range(1, (0, 3, 4)[number % 3 if number < 9 else 0]):
            rows.append((f'sub-{number:02d}', 'baseline', 'fc', 'runs', part, own + rng.normal(0, 0.1)))
    columns = ['participant_id', 'visit', 'outcome', 'repeated', 'part', 'value']
    return pd.DataFrame(rows, columns=columns)


def wide_of(repeats, repeated):
    own = repeats[(repeats['repeated'] == repeated) & (repeats['visit'] == 'baseline')]
    return own.pivot(index='participant_id', columns='part', values='value').to_numpy()


def test_halves_are_stepped_up_and_their_error_is_halved(values, repeats):
    row = list_reliability(values, repeats, design(FC)).set_index('repeated').loc['halves']
    half = agreement(wide_of(repeats, 'halves'))
    assert (row['n'], row['k'], row['visits']) == (24, 2, 'baseline')
    assert row['icc_consistency'] == pytest.approx(half.consistency.estimate)
    for end, value in zip(('', '_ci_low', '_ci_high'), half.consistency):
        assert row[f'reliability{end}'] == pytest.approx(spearman_brown(value))
    change = np.diff(wide_of(repeats, 'halves'))
    assert row['sem_consistency'] == pytest.approx(np.sqrt(change.var(ddof=1) / 2 / 2))
    assert row['mdc'] == pytest.approx(1.959964 * np.sqrt(2) * row['sem_consistency'], rel=1e-6)


def test_runs_of_few_have_no_detectable_change(values, repeats):
    row = list_reliability(values, repeats, design(FC)).set_index('repeated').loc['runs']
    assert (row['n'], row['k']) == (6, 2)
    assert np.isnan(row['mdc'])
    assert row['note'] == f'fewer than {LEAST_PEOPLE} people were measured repeatedly'
    assert not np.isnan(row['reliability'])


def test_visits_are_those_of_the_control_arm(values, repeats):
    """MDC is 1.96 standard deviations of their change, from the first to the primary visit."""
    row = list_reliability(values, repeats, design(FC)).set_index('repeated').loc['visits']
    control = values[(values['arm'] == 'wait') & (values['outcome'] == 'fc')]
    wide = control.pivot(index='participant_id', columns='visit', values='value')
    change = wide['end'] - wide['baseline']
    assert (row['n'], row['visits']) == (12, 'baseline end')
    assert row['mdc'] == pytest.approx(1.959964 * change.std(ddof=1), rel=1e-6)
    assert row['reliability'] == row['icc_consistency']


def test_a_coefficient_of_variation_is_of_ratio_scales(values, repeats):
    table = list_reliability(values, repeats, design(FC, ICC))
    assert tuple(table) == RELIABILITY_COLUMNS
    assert table.loc[table['outcome'] == 'fc', 'cv'].isna().all()
    (row,) = table[table['outcome'] == 'icc'].to_dict('records')
    own = values[(values['arm'] == 'wait') & (values['outcome'] == 'icc') & (values['visit'] != 'mid')]
    assert row['cv'] == pytest.approx(row['sem_consistency'] / own['value'].mean())


def test_everybody_who_has_both_visits_is_compared(values, repeats):
    table = list_reliability(values, repeats, design(FC))
    changes = list_changes(values, table, design(FC))
    assert tuple(changes) == CHANGE_COLUMNS
    assert set(changes['repeated']) == {'halves', 'visits'}
    assert changes.groupby('repeated').size().tolist() == [23, 23]
    assert 'sub-00' not in set(changes['participant_id'])
    own = changes[changes['repeated'] == 'visits']
    mdc = table.set_index('repeated').loc['visits', 'mdc']
    assert (own['is_beyond'] == np.where(own['change'].abs() > mdc, 'yes', 'no')).all()
    assert (own.loc[own['arm'] == 'act', 'is_beyond'] == 'yes').mean() > 0.9  # 1 against 0.28
    assert (own.loc[own['arm'] == 'wait', 'is_beyond'] == 'yes').mean() < 0.3


def test_one_visit_has_no_change(values, repeats):
    one = values[values['visit'] == 'baseline']
    own = design(FC, visits=VISITS[:1])
    table = list_reliability(one, repeats, own)
    assert table['repeated'].tolist() == ['halves', 'runs']
    assert list_changes(one, table, own).empty


def test_nothing_repeated_and_a_control_arm_of_nobody(values, repeats):
    treated = values[values['arm'] == 'act']
    table = list_reliability(treated, repeats[:0], design(FC))
    assert table['repeated'].tolist() == ['visits']
    assert table['n'].tolist() == [0]
    assert table['note'].str.contains('fewer than 3').all()
    assert list_changes(treated, table, design(FC)).empty
