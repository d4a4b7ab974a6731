"""At which visit a mediator is taken, in every design that a trial file can describe."""

from dataclasses import replace
from itertools import combinations

import pytest

from pipelines.errors import DataError
from pipelines.stats.mediation_design import Analysis
from pipelines.stats.mediation_visits import choose_visits, is_in_time, order_of
from pipelines.stats.visit import Visit
from pipelines.terms import TIME_ORDERS

NAMES = ('w0', 'w6', 'w12', 'w52')
VISITS = [Visit(name=name, session_id=f'ses-{name}', is_baseline=name == 'w0') for name in NAMES]
PAIN = Analysis('pain', ('fc',), 'nrs')


def chosen(mediator, outcome=NAMES, primary='w12', **asked):
    found = choose_visits(replace(PAIN, **asked), {'fc': mediator, 'nrs': outcome}, primary, VISITS)
    return found.mediator_visits[0], found.outcome_visit


@pytest.mark.parametrize(
    ('measured', 'visit', 'order'),
    [
        (NAMES, 'w6', 'before'),
        (('w0', 'w6'), 'w6', 'before'),
        (('w6', 'w52'), 'w6', 'before'),
        (('w0', 'w12'), 'w12', 'same_visit'),
        (('w12', 'w52'), 'w12', 'same_visit'),
        (('w52', 'w12', 'w6', 'w0'), 'w6', 'before'),
    ],
)
def test_the_latest_visit_before_the_outcome_else_the_same(measured, visit, order):
    assert chosen(measured) == (visit, 'w12')
    found = choose_visits(PAIN, {'fc': measured, 'nrs': NAMES}, 'w12', VISITS)
    assert order_of(found) == order


def test_every_set_of_visits_has_a_visit_in_time_or_none():
    """Brute force: of all sets of visits of the mediator, for each visit of the outcome."""
    for size in range(len(NAMES) + 1):
        for measured in combinations(NAMES, size):
            for end in NAMES[1:]:
                possible = [v for v in measured if v != 'w0' and NAMES.index(v) <= NAMES.index(end)]
                if not possible:
                    with pytest.raises(DataError, match='the mediator fc is'):
                        chosen(measured, primary=end)
                    continue
                visit, _ = chosen(measured, primary=end)
                earlier = [v for v in possible if v != end]
                assert visit == (max(earlier, key=NAMES.index) if earlier else end)


def test_two_visits_and_one():
    two = [VISITS[0], VISITS[2]]
    found = choose_visits(PAIN, {'fc': ('w0', 'w12'), 'nrs': ('w0', 'w12')}, 'w12', two)
    assert (found.mediator_visits, order_of(found)) == (('w12',), 'same_visit')
    one = [Visit(name='scan', session_id='ses-1', is_primary=True)]
    found = choose_visits(PAIN, {'fc': ('scan',), 'nrs': ('scan',)}, 'scan', one)
    assert found.mediator_visits == ('scan',)


@pytest.mark.parametrize(
    ('asked', 'wanted'),
    [
        ({'mediator_visits': ('w12',)}, ('w12', 'w12')),
        ({'mediator_visits': ('w6',), 'outcome_visit': 'w52'}, ('w6', 'w52')),
        ({'outcome_visit': 'w52'}, ('w12', 'w52')),
        ({'outcome_visit': 'w6'}, ('w6', 'w6')),
    ],
)
def test_visits_that_are_asked_for(asked, wanted):
    assert chosen(NAMES, **asked) == wanted


@pytest.mark.parametrize(
    ('measured', 'asked', 'message'),
    [
        (
            ('w52',),
            {},
            'the mediator fc is measured at w52, after the outcome nrs at w12: what comes later cannot',
        ),
        (NAMES, {'mediator_visits': ('w52',)}, 'measured at w52, after the outcome nrs at w12'),
        (
            NAMES,
            {'mediator_visits': ('w12',), 'outcome_visit': 'w6'},
            'measured at w12, after the outcome nrs at w6',
        ),
        (('w0',), {}, 'not measured at any visit after the baseline, so that treatment cannot have moved it'),
        (NAMES, {'mediator_visits': ('w0',)}, 'fc is not measured at w0, but at w6 and w12 and w52'),
        (NAMES, {'outcome_visit': 'w0'}, 'nrs is not measured at w0, but at w6'),
        (('w6',), {'mediator_visits': ('w12',)}, 'fc is not measured at w12, but at w6'),
        (
            ('w0',),
            {'mediator_visits': ('w6',)},
            'fc is not measured at w6, nor at any other visit after the baseline',
        ),
    ],
)
def test_what_cannot_be(measured, asked, message):
    with pytest.raises(DataError, match=message):
        chosen(measured, **asked)


def test_several_mediators_and_gene_sets():
    both = Analysis('both', ('fc', 'expression:X'), 'nrs', 'parallel')
    measured = {'fc': NAMES, 'nrs': NAMES}
    found = choose_visits(both, measured, 'w12', VISITS)
    assert (found.mediator_visits, order_of(found)) == (('w6', None), 'not_known')
    known = choose_visits(both, measured | {'expression:X': ('w12',)}, 'w12', VISITS)
    assert (known.mediator_visits, order_of(known)) == (('w6', 'w12'), 'partly')
    early = choose_visits(both, measured | {'expression:X': ('w6',)}, 'w12', VISITS)
    assert order_of(early) == 'before'
    with pytest.raises(DataError, match='expression:X is measured at w52, after'):
        choose_visits(both, measured | {'expression:X': ('w52',)}, 'w12', VISITS)


def test_orders_are_words():
    assert set(TIME_ORDERS) == {'before', 'partly', 'same_visit', 'not_known'}


def test_a_mediator_of_no_visit_may_stand_anywhere():
    analysis = Analysis(
        's', ('a', 'b', 'c'), 'nrs', 'serial', outcome_visit='w52', mediator_visits=('w12', None, 'w6')
    )
    allowed = [
        order for order in ('abc', 'acb', 'bac', 'bca', 'cab', 'cba') if is_in_time(order, analysis, VISITS)
    ]
    assert allowed == ['bca', 'cab', 'cba']
