"""What strikes the program sees what a program does wrong, and what is recorded is what the page shows."""

import random

import pytest

from tests.acceptance.__main__ import RUNS
from tests.acceptance.checks import Context, met
from tests.acceptance.faults import datasets, kills, limits, record
from tests.acceptance.faults.chain import Chain, Undisturbed, begin, place_of, problem_of, results, run
from tests.acceptance.interrupted import Ended, wait

LEAST = {'bad_datasets': 60, 'kills': 90, 'limits': 20, 'disks': 8, 'fuzz': 3000}
"""Tries that the page promises."""


def test_what_is_recorded_is_as_much_as_is_promised():
    table = record.read()
    assert list(table.columns) == record.COLUMNS
    assert set(table['run']) <= set(RUNS)
    assert (table['survived'] <= table['tries']).all()
    assert ((table['failed'] == 'n/a') == (table['survived'] == table['tries'])).all()
    tries = table.groupby('run')['tries'].sum()
    assert all(tries[name] >= least for name, least in LEAST.items())
    at_random = table[table['fault'].str.startswith('killed at a random moment')]
    assert list(at_random['tries']) == [kills.N_KILLS] * 3


def test_rows_of_the_same_fault_are_replaced_and_others_stay(tmp_path):
    table = tmp_path / 'faults.tsv'
    for fault, problems in (('a', ['status 1', 'hangs', 'hangs']), ('b', []), ('a', [])):
        tally = record.Tally(fault)
        for problem in ['', *problems]:
            tally.note(problem)
        checks = met('kills')
        record.record(Context(tmp_path, tmp_path, False), checks, [tally], table)
        (check,) = checks
        assert check.is_met == (not problems)
    assert check.found == '1 of 1'
    assert record.read(table)[['fault', 'tries', 'survived']].to_numpy().tolist() == [
        ['b', 1, 1],
        ['a', 1, 1],
    ]
    record.record(Context(tmp_path, tmp_path, True), checks, [record.Tally('c')], table)
    assert len(record.read(table)) == 2


def test_a_problem_is_one_short_line():
    tally = record.Tally('x')
    tally.note('/tmp/x/a.tsv\tand/or\nc' + 'd' * 500, 'sub-01', 2)
    tally.note('')
    assert (tally.tries, tally.survived) == (3, 1)
    assert tally.failed[0].startswith('sub-01: a.tsv and/or cd')
    assert len(tally.failed[0]) <= 160


@pytest.mark.parametrize(
    ('status', 'text', 'problem'),
    [
        (0, 'all is well', ''),
        (75, 'clbpe: sub-01: memory ran out', ''),
        (75, 'clbpe: x\nand memory ran out', 'does not name it'),
        (1, 'clbpe: memory ran out', 'status 1'),
        (-9, '', 'status -9: nothing said'),
        (75, 'Traceback (most recent call last):\nclbpe: memory ran out', 'a traceback'),
    ],
)
def test_a_limit_is_told_by_its_name(status, text, problem):
    found = limits.problem_of_message(Ended(status, text), 75, ('memory ran out',))
    assert bool(found) == bool(problem)
    assert problem in found


IN_PLACE = """
mkdir -p "$1/group" && cd "$1/group"
for n in 0 1 2 3; do
    [ -e $n.tsv ] || { printf a >$n.tsv; sleep 0.1; printf b >>$n.tsv; }
done
"""
SOUND = (
    IN_PLACE.replace('>$n.tsv', '>draft')
    .replace('>>$n.tsv', '>>draft')
    .replace('; }', '; mv draft $n.tsv; }')
)


@pytest.mark.parametrize('program', [SOUND, IN_PLACE], ids=['sound', 'in place'])
def test_half_a_file_that_a_kill_leaves_is_seen(tmp_path, monkeypatch, program):
    """A program that writes in place is told from one whose files take their place when they are whole."""
    for module in ('chain', 'kills'):
        monkeypatch.setattr(
            f'tests.acceptance.faults.{module}.command_of',
            lambda chain, place: ['bash', '-c', program, '-', str(place.out)],
        )
    chain = Chain('x', tmp_path, ())
    place = place_of(tmp_path / 'whole', chain)
    assert problem_of(run(chain, place), place, results(place.out)) == ''
    assert len(results(place.out)) == 4
    whole = Undisturbed(results(place.out), 0.4)
    tally = kills.at_random(chain, whole, tmp_path, (6, random.Random(1)))
    assert tally.tries >= 6
    assert (tally.survived == tally.tries) == (program == SOUND), tally.failed


@pytest.mark.parametrize('limit', limits.LIMITS, ids=lambda limit: limit.what)
def test_a_limit_is_set_for_the_command_and_gone_after_it(limit):
    with limits.set_to(limit, limit.values[-1]) as words:
        if not words:
            pytest.skip('control groups cannot be made here')
        done = wait(begin([*words, 'bash', '-c', 'ulimit -a; cat /proc/self/cgroup']))
    assert done.status == 0, done.text
    assert ('clbpe-' in done.text) == bool(limit.files)


NEEDY = """
[ $(ulimit -n) -ge 24 ] || { echo "clbpe: $2 (ulimit -n)"; exit 75; }
mkdir -p "$1/group" && echo a >"$1/group/a.tsv"
"""


@pytest.mark.parametrize('says', ['too few files', 'sorry'])
def test_limits_are_tried_from_the_least_until_one_is_enough(tmp_path, monkeypatch, says):
    """What is said without the limit's name counts against it; a run that is complete is not struck again."""
    monkeypatch.setattr(
        limits, 'LIMITS', [limit._replace(says=('too few files',)) for limit in limits.LIMITS[1:2]]
    )
    monkeypatch.setattr(
        'tests.acceptance.faults.chain.command_of',
        lambda chain, place: ['bash', '-c', NEEDY, '-', str(place.out), says],
    )
    chain = Chain('x', tmp_path, ())
    place = place_of(tmp_path / 'whole', chain)
    run(chain, place)
    tried = list(limits.strikes(chain, Undisturbed(results(place.out), 1), tmp_path))
    assert [each.value for each in tried] == [8, 12, 16, 24]
    assert [bool(each.problem) for each in tried] == [says == 'sorry'] * 3 + [False]


def test_a_dataset_that_is_not_refused_as_it_should_be_is_seen(tmp_path):
    bad, folder = next(bad for bad in datasets._tables(tmp_path) if bad.what == 'commas'), tmp_path / 'tried'
    ended = datasets.given(bad, folder)
    problem = datasets.problem_of
    assert problem(bad, ended, folder / 'out') == ''
    assert 'status 65 and not 66' in problem(bad._replace(status=66), ended, folder)
    assert 'does not say "semicolons"' in problem(bad._replace(says=['semicolons']), ended, folder)
    assert 'a traceback' in problem(bad, ended._replace(text='Traceback'), folder)
    (folder / '.sub.draft').touch()
    assert problem(bad, ended, folder) == '.sub.draft is half-written'
