"""``clbpe-plan`` from the command line: the page's commands, what is assumed, and what is refused."""

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from bids_app.phenotype.trial import read_trial
from bids_app.planning.assumptions import Numbers, assume
from bids_app.planning.cli import main
from bids_app.planning.text import assumption_lines, protocol, table_lines
from pipelines.errors import ParameterError
from pipelines.simulated.sizes import SIZE_COLUMNS, SizeQuestion, Sizes
from tests.app.phenotype.test_trial_shapes import ONE_VISIT, WHOLE

PAGE = (Path(__file__).resolve().parents[3] / 'docs' / 'planning.md').read_text(encoding='utf-8')
YOGA = json.loads(re.search(r'```json\n(.*?)```', PAGE, re.DOTALL)[1])
COMMANDS = re.findall(r'^    clbpe-plan (.*)$', PAGE, re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'yoga.json').write_text(json.dumps(YOGA))
    return tmp_path


def trial_of(folder, content):
    path = folder / 'trial.json'
    path.write_text(json.dumps(content))
    return read_trial(path)


@pytest.mark.long
@pytest.mark.parametrize('number', range(len(COMMANDS)))
def test_commands_of_the_page_can_be_copied(folder, capsys, number):
    assert len(COMMANDS) == 3
    assert main([*shlex.split(COMMANDS[number]), '--trials', '10']) == 0
    said = capsys.readouterr()
    out = folder / ('plan_90' if number == 2 else 'plan')
    table = pd.read_csv(out / 'plan.tsv', sep='\t', na_values='n/a')
    assert list(table) == list(SIZE_COLUMNS)
    assert (out / 'plan.svg').read_text().count('<svg') == 1
    text = (out / 'plan.txt').read_text()
    assert text.strip() in said.out
    assert 'all of the trials are simulated' in said.err
    planned = table[table['is_planned'] & (table['analysis'] == 'primary')]
    assert f'With {planned["n"].item():,} people randomised' in text
    if number == 1:
        assert 'With 120 people randomised (60 yoga and 60 usual care), 20 % of whom' in text
        assert 'correlation: 0.6' in text
    if number == 2:
        assert 'an indirect effect with standardised paths of 0.39 and 0.39' in text
        assert set(table['analysis']) == {'primary', 'mediation'}
        assert 'standard deviation: 4 (start), 5 (3 months) and 5 (6 months) points' in text


@pytest.mark.long
def test_the_same_seed_gives_the_same_plan(folder):
    words = ['yoga.json', '--sd', '2', '--n', '20', '--trials', '10']
    for seed, name in ((3, 'a'), (3, 'b'), (4, 'c')):
        assert main([*words, '--seed', str(seed), '--output-dir', name]) == 0
    tables = [(folder / name / 'plan.tsv').read_text() for name in 'abc']
    assert tables[0] == tables[1] != tables[2]


def test_the_trial_file_says_most_of_what_is_assumed(folder):
    assumed = assume(read_trial(folder / 'yoga.json'), Numbers(sd=(4.5,)))
    plan = assumed.plan
    assert (assumed.outcome.name, assumed.primary.name) == ('rmdq', '3 months')
    assert (plan.effects, plan.sds, plan.correlations) == ((-2,), (4.5,) * 3, (0.5,) * 3)
    assert plan.dropout == pytest.approx((0, 0.15, 0.15))
    assert (plan.model.primary, plan.model.has_baseline, plan.model.is_randomised) == (1, True, True)
    assert (plan.allocation, plan.order) == ((1, 1), None)
    assert plan.model.arms == ('usual care', 'yoga')


def test_several_arms_in_the_order_of_the_file(tmp_path):
    trial = trial_of(tmp_path, WHOLE)
    assumed = assume(trial, Numbers(sd=(2,), effect=(1, 2), allocation=(3, 2, 1), dropout=(0, 0.1, 0.3)))
    assert assumed.plan.order == (1, 0)
    assert assumed.plan.allocation == (1, 3, 2)
    assert assumed.plan.dropout == (0, 0, 0.1, 0.3)
    said = '\n'.join(assumption_lines(assumed))
    assert 'tested in the order walking and yoga' in said
    assert 'difference 1 (yoga) and 2 (walking) points' in said
    free = assume(
        trial_of(tmp_path, {key: value for key, value in WHOLE.items() if key != 'Sequence'}),
        Numbers(sd=(2,), effect=(1,)),
    )
    assert free.plan.effects == (1, 1)
    assert 'adjusted by Holm for the arms' in '\n'.join(assumption_lines(free))


def test_groups_seen_once(tmp_path):
    trial = trial_of(tmp_path, ONE_VISIT)
    assumed = assume(trial, Numbers(sd=(2,), effect=(1,), outcome='nrs', correlation=()))
    assert not assumed.plan.model.has_baseline
    assert assumed.plan.dropout == (0.15,)
    assert not assumed.plan.correlations
    assert not [line for line in assumption_lines(assumed) if line.startswith('correlation')]


def sizes_of(rows, n_mediation=None):
    return Sizes(pd.DataFrame(rows, columns=list(SIZE_COLUMNS)), 120, n_mediation)


def test_words_of_a_plan(folder):
    assumed = assume(read_trial(folder / 'yoga.json'), Numbers(sd=(4.5,)))
    rows = [
        ('primary', 'yoga', 120, 102.0, 0.812, 0.0124, 0.809, 1000, 0, True),
        ('mediation', 'yoga', 140, 119.0, 0.8, 0.0126, 0.79, 1000, 2, True),
    ]
    found = list(table_lines(sizes_of(rows)))
    assert found[1].split() == ['*', 'primary:', 'yoga', '120', '102', '0.812', '0.025', '0.809']
    assert len({len(line) for line in found[:3]}) == 1
    assert found[3] == '2 simulated trials had no answer and count as having found nothing'
    text = protocol(assumed, sizes_of(rows, 140), SizeQuestion(None, 0.8, (0.3, 0.4), 1000))
    for words in (
        'With 120 people randomised (60 yoga and 60 usual care), 15 % of whom are expected to have no value at 3 months',
        'has a power of 81 % to find a difference in Roland-Morris disability of -2 points between yoga and usual care',
        'standard deviation of 4.5 points and a correlation between visits of 0.5',
        'With 140 people, of whom 119 in yoga and usual care have all values, an indirect effect',
    ):
        assert words in text, words


REFUSED = {
    'no standard deviation': ([], 2, '--sd'),
    'a negative one': (['--sd', '-2'], 2, 'a number above 0 is needed'),
    'four of three': (['--sd', '1', '2', '3', '4'], 2, '--sd has 4 values; give one, or 3'),
    'no effect': (['--sd', '2', '--effect', '0'], 2, '--effect 0: no effect'),
    'effects of no arm': (['--sd', '2', '--effect', '1', '2'], 2, '--effect has 2 values; give one, or 1'),
    'a correlation of 1': (['--sd', '2', '--correlation', '1'], 2, 'between -1 and 1'),
    'correlations that cannot be': (['--sd', '2', '--correlation', '0.9', '0.9', '-0.5'], 2, 'cannot all be true'),
    'everybody lost': (['--sd', '2', '--dropout', '1'], 2, 'a share from 0 to below 1'),
    'people who come back': (['--sd', '2', '--dropout', '0.3', '0.1'], 2, 'does not come back'),
    'drop-out of no visit': (['--sd', '2', '--dropout', '0', '0.1', '0.2'], 2, '3 months and 6 months'),
    'parts of no arm': (['--sd', '2', '--allocation', '1', '1', '1'], 2, '--allocation has 3 values; give 2'),
    'people and power': (['--sd', '2', '--n', '50', '--power', '0.9'], 2, 'not allowed with'),
    'few people': (['--sd', '2', '--n', '11'], 2, '11 people in 2 arms are too few'),
    'no such outcome': (['--sd', '2', '--outcome', 'rmqd'], 2, 'Did you mean rmdq?'),
    'a path of 1': (['--sd', '2', '--paths', '1', '0.3'], 2, 'between -1 and 1'),
    'an effect too small': (['--sd', '2', '--effect', '0.0001'], 2, 'in units of the outcome'),
}  # fmt: skip


@pytest.mark.parametrize(('words', 'status', 'said'), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_planned_is_told_in_one_line(folder, capsys, words, status, said):
    assert main(['yoga.json', *words, '--trials', '10']) == status
    error = capsys.readouterr().err.strip()
    assert error.startswith('clbpe-plan: ')
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (folder / 'plan').exists()


def test_files_that_are_not_there_or_cannot_be_written(folder, capsys):
    assert main(['none.json', '--sd', '2']) == 66
    (folder / 'broken.json').write_text('{')
    assert main(['broken.json', '--sd', '2']) == 65
    (folder / 'taken').write_text('')
    assert main(['yoga.json', '--sd', '2', '--n', '20', '--trials', '10', '--output-dir', 'taken']) == 73
    assert 'Choose another --output-dir' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['pgic', 'work', 'came'])
def test_other_kinds_of_outcomes_are_not_planned_yet(tmp_path, name):
    with pytest.raises(
        ParameterError,
        match=f'{name} is (ordinal|binary|count); continuous outcomes are planned. --outcome nrs is',
    ):
        assume(trial_of(tmp_path, WHOLE), Numbers(sd=(2,), effect=(1,), outcome=name))


def test_an_outcome_without_a_least_important_change_needs_an_effect(tmp_path):
    with pytest.raises(ParameterError, match='--effect is needed: nrs has no MinimalImportantChange'):
        assume(trial_of(tmp_path, ONE_VISIT), Numbers(sd=(2,), outcome='nrs'))


def test_help_says_what_is_assumed(capsys):
    with pytest.raises(SystemExit) as caught:
        main(['--help'])
    assert caught.value.code == 0
    said = ' '.join(capsys.readouterr().out.split())
    for words in (
        '(default 0.15)',
        '(default 0.5)',
        '(default 0.8)',
        'MinimalImportantChange, towards better',
    ):
        assert words in said
