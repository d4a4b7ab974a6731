"""A trial of three arms, four visits and every kind of outcome on disk, without images."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from bids_app.group.plan import design_of
from bids_app.group.record import record_trial
from bids_app.outputs.dataset import write_dataset_files
from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from bids_app.report import write_trial_report
from bids_app.running.files import replace_json
from pipelines.interfaces.tables import write_table
from pipelines.stats.outcomes import count_levels, count_responders, describe_outcomes, model_outcomes
from pipelines.terms import default_circuit
from tests.app.trial_data import save

ARMS = ('yoga', 'walking', 'usual care')
VISITS = {'T0': 'w0', 'T1': 'w6', 'T2': 'w12', 'T3': 'w26'}
LEVELS = ['worse', 'same', 'better', 'much better']
REPORTING = {
    'Registration': 'ISRCTN00000000, before the first person was enrolled',
    'Interventions': {'yoga': 'twelve classes', 'walking': 'three walks a week', 'usual care': 'advice'},
    'Allocation': {'Sequence': 'computer', 'Concealment': 'web service'},
    'Recruitment': {'Start': '2023-02', 'End': '2024-05'},
    'Screened': 131,
    'Excluded': {'pain below 4': 41, 'declined': 18},
    'Losses': {'yoga': {'moved away': 2}, 'usual care': {'no reason given': 3, 'moved away': 1}},
    'Harms': {'Definition': 'asked for at every visit', 'AtRisk': {'yoga': 24, 'walking': 24}},
}


def trial_file(*, is_randomised: bool = True) -> dict[str, object]:
    """Return the content of the trial file."""
    table = {'Table': 'phenotype/all.tsv'}
    return {
        'Name': 'Moves',
        'Arms': {
            'Table': 'participants.tsv', 'Column': 'group', 'Treatment': ['yoga', 'walking'],
            'Control': 'usual care', 'Randomised': is_randomised,
        },
        'Visits': {
            name: {'Session': session, 'Week': int(session[1:]), **({'Primary': True} if name == 'T2' else {})}
            for name, session in VISITS.items()
        },
        **({'Covariates': ['age'], 'Strata': ['centre']} if is_randomised else {'Covariates': ['age', 'centre'], 'Categories': ['centre']}),
        'Outcomes': {
            'nrs': {
                **table, 'Column': 'nrs', 'Units': 'points', 'Range': [0, 10], 'Role': 'primary',
                'LowerIsBetter': True, 'MinimalImportantChange': 2, 'Description': 'Pain',
            },
            'working': {
                **table, 'Column': 'working', 'Type': 'binary', 'Levels': ['no', 'yes'], 'Responder': 'yes',
                'LowerIsBetter': False, 'Description': 'Back at work',
            },
            'pgic': {
                **table, 'Column': 'pgic', 'Type': 'ordinal', 'Levels': LEVELS, 'Responder': 'better',
                'LowerIsBetter': False, 'Visits': ['T1', 'T2', 'T3'], 'Description': 'Global impression',
            },
            'falls': {
                **table, 'Column': 'falls', 'Type': 'count', 'LowerIsBetter': True,
                'Visits': ['T2', 'T3'], 'Description': 'Falls',
            },
        },
        **({'Reporting': REPORTING} if is_randomised else {}),
    }  # fmt: skip


def write_many_arms(
    root: Path, *, n: int = 72, seed: int = 1, is_randomised: bool = True
) -> tuple[Path, Path]:
    """Write ``root/bids`` and ``root/out`` with the tables of the group level; return both folders."""
    bids, out = root / 'bids', root / 'out'
    (bids / 'phenotype').mkdir(parents=True)
    (bids / 'dataset_description.json').write_text('{"Name": "moves", "BIDSVersion": "1.10.0"}')
    _write_people(bids, n, np.random.default_rng(seed))
    path = bids / 'trial.json'
    path.write_text(json.dumps(trial_file(is_randomised=is_randomised)))
    out.mkdir(parents=True)
    write_dataset_files(out, bids, {})
    trial = read_trial(path)
    tables = read_tables(bids, trial)
    design = design_of(trial, trial.outcomes.values())
    group = out / 'group'
    group.mkdir()
    for name, make in (
        ('outcomes', model_outcomes), ('descriptives', describe_outcomes), ('responders', count_responders),
        ('levels', count_levels),
    ):  # fmt: skip
        write_table(make(tables.outcomes, tables.participants, design), group / f'{name}.tsv')
    write_table(_status(tables.outcomes, tables.participants), group / 'participants.tsv')
    record = record_trial(trial, tables, output_dir=out, results_dir=out, circuit=default_circuit())
    replace_json(json.loads(json.dumps(record)), group / 'log' / 'trial.json')
    write_trial_report(out)
    return bids, out


def _write_people(bids: Path, n: int, rng: np.random.Generator) -> None:
    labels = [f'sub-{number:02d}' for number in range(1, n + 1)]
    arm = np.arange(n) % 3
    people = {
        'participant_id': labels, 'group': np.array(ARMS)[arm], 'age': rng.integers(20, 65, n),
        'centre': rng.choice(['1', '2'], n),
    }  # fmt: skip
    save(pd.DataFrame(people), bids / 'participants.tsv')
    level = rng.normal(6, 1, n)
    columns: dict[str, object] = {'participant_id': labels}
    for visit, session in enumerate(VISITS.values()):
        gain = visit / 3 * np.array([2.5, 1.5, 0.3])[arm]
        pain = (level - gain + rng.normal(0, 0.8, n)).clip(0, 10).round(1)
        known = rng.uniform(size=n) > 0.05 * visit
        columns[f'nrs_{session}'] = np.where(known, pain, np.nan)
        columns[f'working_{session}'] = np.where(gain + rng.normal(0, 1.2, n) > 0.9, 'yes', 'no')
        if visit:
            place = (gain + rng.normal(1, 0.8, n)).round().clip(0, 3).astype(int)
            columns[f'pgic_{session}'] = np.array(LEVELS)[place]
        if visit > 1:
            columns[f'falls_{session}'] = rng.poisson(np.array([1.0, 1.5, 2.5])[arm])
    save(pd.DataFrame(columns), bids / 'phenotype' / 'all.tsv')


def _status(outcomes: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Return who has which outcome at which visit, as the group level lists it."""
    known = outcomes['value'].notna()
    return pd.DataFrame({
        'participant_id': outcomes['participant_id'],
        'arm': outcomes['participant_id'].map(people.set_index('participant_id')['arm']),
        'visit': outcomes['visit'], 'session_id': outcomes['session_id'], 'data': outcomes['outcome'],
        'status': np.where(known, 'analysed', 'missing'), 'reason': np.where(known, 'n/a', 'no value'),
    })  # fmt: skip
