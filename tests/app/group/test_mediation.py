"""Mediation of trials of any shape: which visits and arms, what is refused, and what plan, tables and page say."""

import json
import logging
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.group.mediation import choose_analyses, measured_visits
from bids_app.group.plan_text import mediation_sentence, plan_sentences
from bids_app.outputs.found import Results, ScanResult, TractResult
from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from bids_app.report.trial.mediation import mediation_analyses
from bids_app.report.trial.record import read_trial_record
from bids_app.report.trial.tables import read_group_tables
from tests.acceptance.checks import validator_errors
from tests.app.group.shapes import write_whole
from tests.app.group.test_plan_text import planned
from tests.app.phenotype.test_phenotype import tsv

EFFECTS = {'yoga': -1.2, 'walking': 0.0, 'usual care': 0.0}
N_IN_ARM = 40
TRIAL = {
    'Name': 'back',
    'Arms': {
        'Table': 'participants.tsv', 'Column': 'group', 'Treatment': ['yoga', 'walking'], 'Control': 'usual care',
    },
    'Visits': {
        'week 0': {'Session': 'w0', 'Week': 0}, 'week 6': {'Session': 'w6', 'Week': 6},
        'week 12': {'Session': 'w12', 'Week': 12},
    },
    'Outcomes': {
        'nrs': {'Table': 'phenotype/nrs.tsv', 'Column': 'nrs', 'Units': 'points', 'Role': 'primary'},
        'fear': {
            'Description': 'Fear of movement', 'Table': 'phenotype/fear.tsv', 'Column': 'fear', 'Units': 'points',
        },
        'steps': {
            'Table': 'phenotype/steps.tsv', 'Column': 'steps', 'Units': 'steps', 'Visits': ['week 6', 'week 12'],
        },
        'work': {
            'Description': 'Back at work', 'Table': 'phenotype/work.tsv', 'Column': 'work', 'Type': 'binary',
            'Responder': 'yes', 'Visits': ['week 12'],
        },
    },
    'Mediation': [
        {'Name': 'pain', 'Mediators': ['fear'], 'Outcome': 'nrs'},
        {'Name': 'work', 'Mediators': ['fear'], 'Outcome': 'work'},
        {'Name': 'late', 'Mediators': ['fear'], 'Outcome': 'nrs', 'MediatorVisit': 'week 12'},
        {
            'Name': 'chain', 'Mediators': ['fear', 'steps'], 'Outcome': 'nrs', 'Structure': 'serial',
            'MediatorVisit': {'steps': 'week 12'},
        },
    ],
}  # fmt: skip
"""Three arms and three visits; yoga lowers fear at week 6, which moves pain and work at week 12."""


def write_trial(root, **changes):
    """Write the tables and the trial file; return the dataset and the file."""
    bids, rng = root / 'bids', np.random.default_rng(5)
    arm = np.repeat(list(EFFECTS), N_IN_ARM)
    people = [f'sub-{n:03d}' for n in range(len(arm))]
    first, start, noise, more, moved = rng.standard_normal((5, len(arm)))
    fear = 0.5 * first + np.array([EFFECTS[name] for name in arm]) + noise
    work = np.where(-1.2 * fear + rng.logistic(size=len(arm)) > 0, 'yes', 'no')
    columns = {
        'fear': {'w0': 20 + 5 * first, 'w6': 20 + 5 * fear, 'w12': 20 + 5 * moved},
        'nrs': {'w0': 5 + start, 'w6': 5 + start, 'w12': 5 + 0.5 * start + 0.8 * fear + 0.5 * more},
        'steps': {'w6': 6000 + 500 * noise, 'w12': 6000 + 500 * more},
    }
    tsv(bids / 'participants.tsv', [('participant_id', 'group'), *zip(people, arm)])
    for name, by_session in columns.items():
        head = ('participant_id', *(f'{name}_{session}' for session in by_session))
        rows = zip(people, *(values.round(3) for values in by_session.values()))
        tsv(bids / 'phenotype' / f'{name}.tsv', [head, *rows])
    tsv(bids / 'phenotype' / 'work.tsv', [('participant_id', 'work_w12'), *zip(people, work)])
    path = root / 'trial.json'
    path.write_text(json.dumps({**TRIAL, **changes}))
    return bids, path


def said_of(root, **changes):
    """Return the lines of the plan about mediation, by the name of the analysis."""
    lines = plan_sentences(*planned(root, *write_trial(root, **changes)))
    pairs = (line.removeprefix('mediation ').split(': ', 1) for line in lines if line.startswith('mediation'))
    return dict(pairs)


def test_the_plan_says_who_is_measured_when(tmp_path):
    arms = 'yoga and walking, each against usual care'
    assert said_of(tmp_path) == {
        'pain': f'fear at week 6 on nrs at week 12; the mediator comes first; {arms}',
        'work': 'fear at week 6 on work at week 12; the mediator comes first; effects on the risk of its event; '
        f'no baseline of work; {arms}',
        'late': f'fear on nrs, both at week 12; {arms}',
        'chain': f'fear at week 6 and steps at week 12 on nrs at week 12; no baseline of steps; {arms}',
    }


def test_the_default_trial_has_both_at_one_visit(tmp_path):
    trial = read_trial()
    model = replace(trial.mediation[0], outcome_visit='followup', mediator_visits=('followup',))
    assert (
        mediation_sentence(model, trial) == 'fc_nac_mpfc on nrs, both at followup; exercise against waitlist'
    )
    genes = replace(trial.mediation[2], outcome_visit='followup', mediator_visits=(None,))
    assert 'of the last sample on nrs at followup; exercise' in mediation_sentence(genes, trial)


@pytest.mark.parametrize(
    ('mediator', 'outcome', 'reason'),
    [
        ('came', 'nrs', 'came is count, where the model of a mediator is of continuous values'),
        ('work', 'nrs', 'work is binary, where the model of a mediator is of continuous values'),
        (
            'nrs',
            'pgic',
            'pgic is ordinal, where natural effects are computed of continuous and binary outcomes',
        ),
        (
            'nrs',
            'falls',
            'falls is count, where natural effects are computed of continuous and binary outcomes',
        ),
    ],
)
def test_other_kinds_are_left_out_with_the_reason(tmp_path, caplog, mediator, outcome, reason):
    models = [{'Name': 'odd', 'Mediators': [mediator], 'Outcome': outcome}]
    with caplog.at_level(logging.WARNING):
        plan, _ = planned(tmp_path, *write_whole(tmp_path, Mediation=models))
    assert plan.analyses == []
    assert plan.absent['mediation odd'] == reason
    assert f'mediation analyses left out: odd ({reason})' in caplog.text


def test_a_binary_outcome_is_analysed(tmp_path):
    models = [{'Name': 'work', 'Mediators': ['nrs'], 'Outcome': 'work'}]
    plan, _ = planned(tmp_path, *write_whole(tmp_path, Mediation=models))
    (model,) = plan.analyses
    assert (model.mediator_visits, model.outcome_visit) == (('six weeks',), '12')
    assert plan.mediation.treated == ('yoga', 'walking')


def found_of(sessions, outcome='fc'):
    """Return which visits images of these sessions leave, and how an analysis is planned with them."""
    measures = {
        'fc': {'Derivative': 'roi_connectivity', 'Regions': ['NAc', 'mPFC']},
        'fa': {'Derivative': 'tract_fa'},
    }
    return {'Outcomes': {**TRIAL['Outcomes'], outcome: measures[outcome]},
            'Mediation': [{'Name': 'image', 'Mediators': [outcome], 'Outcome': 'nrs'}]}  # fmt: skip


@pytest.mark.parametrize(
    ('sessions', 'visit'), [(('w0', 'w6', 'w12'), 'week 6'), (('w0', 'w12'), 'week 12'), (('w6',), 'week 6')]
)
@pytest.mark.parametrize('outcome', ['fc', 'fa'])
def test_images_are_measured_where_there_are_scans(tmp_path, outcome, sessions, visit):
    """The trial file names no visits of an image; what is there decides."""
    bids, path = write_trial(tmp_path, **found_of(sessions, outcome))
    trial = read_trial(path)
    scans = [ScanResult('sub-001', f'ses-{s}', 'a', {}, {}, 'S', 50.0, [], {}) for s in sessions]
    tracts = [TractResult('sub-001', f'ses-{s}', path) for s in sessions]
    results = Results(scans, []) if outcome == 'fc' else Results([], tracts)
    outcomes = list(trial.outcomes.values())
    measured = measured_visits(trial, outcomes, read_tables(bids, trial), results, None)
    assert measured[outcome] == tuple(f'week {s[1:]}' for s in sessions)
    (model,) = choose_analyses(trial, outcomes, measured, {})
    assert model.mediator_visits == (visit,)


def test_scans_at_baseline_alone_and_scans_without_the_measure(tmp_path):
    bids, path = write_trial(tmp_path, **found_of(()))
    trial = read_trial(path)
    outcomes, tables = list(trial.outcomes.values()), read_tables(bids, trial)
    lacking = ScanResult('sub-001', 'ses-w6', 'a', {}, {}, 'S', 50.0, [], {'roi_connectivity': 'no matrix'})
    first = ScanResult('sub-001', 'ses-w0', 'a', {}, {}, 'S', 50.0, [], {})
    measured = measured_visits(trial, outcomes, tables, Results([first, lacking], []), None)
    absent = {}
    assert choose_analyses(trial, outcomes, measured, absent) == []
    assert absent['mediation image'].startswith(
        'the mediator fc is not measured at any visit after the baseline'
    )


def test_what_nobody_has_is_named(tmp_path):
    _, path = write_trial(tmp_path)
    trial, absent = read_trial(path), {}
    assert choose_analyses(trial, [], {'nrs': ('week 12',)}, absent) == []
    assert absent['mediation pain'] == 'there is no fear'


@pytest.fixture(scope='module')
def ran(tmp_path_factory):
    root = tmp_path_factory.mktemp('mediation')
    bids, path = write_trial(root)
    fixed = ['-w', str(root / 'work'), '--nprocs', '1', '--n-bootstraps', '500', '--sloppy']
    words = [str(bids), str(root / 'out'), 'group', '--trial', str(path), *fixed]
    assert main([*words, '--skip', 'voxelwise', 'expression']) == 0
    return root / 'out'


def table(out, name):
    return pd.read_csv(
        out / 'group' / f'{name}.tsv', sep='\t', na_values='n/a', keep_default_na=False, dtype={'flags': str}
    )


@pytest.mark.slow
def test_planted_effects_are_found_in_their_arm_at_their_visits(ran):
    paths = (
        table(ran, 'mediation')
        .query("analysis in ['pain', 'work', 'late']")
        .set_index(['analysis', 'arm', 'path'])
    )
    indirect = paths.xs('indirect', level='path')
    for analysis in ('pain', 'work'):
        assert indirect.loc[(analysis, 'yoga'), 'p'] < 0.05
        walking = indirect.loc[(analysis, 'walking')]
        assert walking.ci_low < 0 < walking.ci_high
    assert indirect.loc[('work', 'yoga'), 'estimate'] > 0.05
    row = paths.loc[('pain', 'yoga', 'a')]
    assert abs(row.estimate - 5 * EFFECTS['yoga']) < 4 * row.se
    assert row[['mediator_visits', 'outcome', 'outcome_visit']].tolist() == ['week 6', 'nrs', 'week 12']
    late = indirect.loc[('late', 'yoga')]
    assert late.ci_low < 0 < late.ci_high  # fear at week 12 knows nothing of yoga
    assert paths.loc[('work', 'yoga', 'b'), 'scale'] == 'log_odds'


@pytest.mark.slow
def test_models_say_what_they_rest_on(ran):
    models = table(ran, 'mediation_models').set_index(['analysis', 'arm'])
    assert models['note'].isna().all()
    assert models.loc[('pain', 'walking'), ['n_treatment', 'n_control']].tolist() == [N_IN_ARM, N_IN_ARM]
    assert models.loc[('work', 'yoga'), 'flags'].split()[0] == 'no_baseline'
    assert models.loc[('work', 'yoga'), 'baselines'] == 'fear_baseline'
    assert models.loc[('pain', 'yoga'), 'time_order'] == 'before'
    assert models.loc[('late', 'yoga'), 'time_order'] == 'same_visit'
    chain = [name for name, arm in models.index if name.startswith('chain') and arm == 'yoga']
    assert chain == ['chain (fear>steps)']  # the other order is against time
    assert models.loc[('chain (fear>steps)', 'yoga'), 'time_order'] == 'partly'
    for label in models['label']:
        assert (ran / 'group' / 'figures' / f'mediation_{label}.svg').is_file()


@pytest.mark.slow
def test_the_page_says_what_is_true_of_each_design(ran):
    trial, tables = read_trial_record(ran), read_group_tables(ran)
    shown = {analysis.name: analysis for analysis in mediation_analyses(trial, tables)}
    assert {'pain: yoga', 'pain: walking', 'work: yoga', 'late: walking'} <= set(shown)
    fields = {name: dict(analysis.fields) for name, analysis in shown.items()}
    assert fields['pain: yoga']['Timing'] == (
        '“Fear of movement” at week 6, the outcome at week 12: the mediator was measured first; that nothing before it '
        'moved both is assumed'
    )
    assert fields['late: yoga']['Timing'] == (
        'mediator and outcome are both measured at week 12: that the mediator comes first is assumed'
    )
    assert (
        'that a mediator of the same visit comes first is assumed'
        in fields['chain (Fear of movement → steps): yoga']['Timing']
    )
    work = fields['work: walking']
    assert (
        'effect of walking against usual care on the risk of “yes” (“Back at work”)' in work['Target effect']
    )
    assert 'logistic model of the outcome' in work['Model']
    assert 'log odds of the outcome are linear' in work['Assumptions']
    assert work['Sensitivity'] == 'no closed form for a logistic model'
    assert 'a normal variable that is cut' in work['Power']
    assert 'log odds' not in fields['pain: yoga']['Assumptions']
    assert '80 in every path (40 walking, 40 usual care)' in work['People']
    titles = [title for title, _, _ in shown['work: yoga'].paths]
    assert titles[:3] == [
        'Treatment on mediator',
        'Mediator on outcome, log odds',
        'Indirect effect, difference in risk',
    ]
    crossed = [title for title, _, _ in shown['work (interaction): yoga'].paths]
    assert 'Indirect effect, yoga, difference in risk' in crossed


@pytest.mark.slow
def test_report_and_outputs_are_whole(ran):
    assert validator_errors(ran) == []
    html = (ran / 'group' / 'report.html').read_text(encoding='utf-8')
    text = re.sub(r'\s+', ' ', re.sub(r'<[^>]+>', ' ', html))
    assert 'Does the effect of yoga or walking go through a mediator?' in text
    assert not re.search(r'Mediation of (walking|week 6)', text)
    assert text.count('Mediation, 4 analyses') == 4  # in the flow of three arms, and in its table
    cited = (ran / 'group' / 'CITATION.md').read_text()
    assert 'In some analyses mediators were measured at a visit before that of the outcome.' in cited
    assert '@imaikeele2010' in cited
    levels = json.loads((ran / 'group' / 'mediation_models.json').read_text())['time_order']['Levels']
    assert set(levels) == {'before', 'partly', 'same_visit', 'not_known'}
