"""A trial of five regions and three pairs to the end: outcomes, mediator, maps, reliability and the page."""

import csv
import re

import pytest

from bids_app.cli import main
from tests.app.group.five_regions import EFFECTS, write_five

pytestmark = pytest.mark.long


@pytest.fixture(scope='module')
def out(tmp_path_factory):
    root = tmp_path_factory.mktemp('five')
    bids, out, trial = write_five(root)
    words = ['--trial', str(trial), '-w', str(root / 'work'), '--nprocs', '1', '--sloppy']
    assert main([str(bids), str(out), 'group', *words]) == 0
    return out


def rows_of(out, name):
    with (out / 'group' / f'{name}.tsv').open(newline='') as file:
        return list(csv.DictReader(file, delimiter='\t'))


def test_outcomes_of_two_pairs_hold_what_was_planted(out):
    """Limits of 95 % of one trial may miss: the estimate is within 3.5 standard errors."""
    main_rows = [
        row for row in rows_of(out, 'outcomes') if row['model'] == 'clda' and row['analysis'] == 'main'
    ]
    found = {row['outcome']: row for row in main_rows}
    assert set(EFFECTS) <= set(found)
    for name, effect in EFFECTS.items():
        assert abs(float(found[name]['estimate']) - effect) < 3.5 * float(found[name]['se'])


def test_a_tract_of_another_pair_mediates(out):
    (model,) = {row['mediators'] for row in rows_of(out, 'mediation_models')}
    assert model == 'fa_pain'


def test_maps_are_of_the_seeds_that_there_are(out):
    tests = rows_of(out, 'map_tests')
    assert {row['map'] for row in tests} == {'NAc', 'PAG', 'icc'}
    assert any(
        row['map'] == 'PAG' and float(row['peak_p_corrected']) < 0.05 for row in rows_of(out, 'clusters')
    )


def test_reliability_is_that_of_what_was_planted(out):
    """Halves: variance .15^2 of people and .07^2 of a half; 24 people, so within the interval of the table."""
    table = {(row['outcome'], row['repeated']): row for row in rows_of(out, 'reliability')}
    truth = 0.15**2 / (0.15**2 + 0.07**2)
    for name in ('fc_reward', 'fc_pain'):
        row = table[name, 'halves']
        assert row['n'] == '24'
        assert (
            float(row['icc_consistency_ci_low']) - 0.05 < truth < float(row['icc_consistency_ci_high']) + 0.05
        )
        assert float(row['reliability']) > float(row['icc_consistency'])
    assert ('fa_pain', 'halves') not in table
    assert table['fa_pain', 'visits']['n'] == '12'
    changes = [row for row in rows_of(out, 'reliable_changes') if row['outcome'] == 'fa_pain']
    beyond = {
        arm: sum(r['arm'] == arm and r['is_beyond'] == 'yes' for r in changes) for arm in ('act', 'wait')
    }
    assert beyond['act'] > 9  # .03 against errors of .004
    assert beyond['wait'] < 3


def test_the_page_tells_of_every_region_and_folds_maps(out):
    html = (out / 'group' / 'report.html').read_text()
    words = re.sub(r'\s+', ' ', re.sub('<[^>]+>', ' ', html))
    assert 'medial prefrontal cortex (mPFC), Amg, AntIns and PAG' in words
    assert 'the tracts NAc–mPFC, NAc–AntIns, Amg–PAG' in words
    assert 'All tests, by map (3 maps)' in words
    assert 'Change of every person against the minimal detectable change' in words
    for kind in ('NAc', 'PAG', 'icc'):
        assert re.search(f'<details class="screen" id="maps-{kind}">', html)
    assert 'nucleus accumbens (NAc) and medial' not in words
