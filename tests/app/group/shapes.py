"""Small trials of other shapes than two arms and two visits, as tables on disk."""

import json

import numpy as np

from tests.app.phenotype.test_phenotype import tsv
from tests.app.phenotype.test_trial_shapes import ONE_VISIT, WHOLE

N = 30
PEOPLE = [f'sub-{n:02d}' for n in range(1, N + 1)]
GROUPS = ['yoga', 'walking', 'usual care'] * (N // 3)
SESSIONS = ('01', '02', '03', '04')
EFFECTS = {'yoga': -2.0, 'walking': -1.0, 'usual care': 0.0}
"""Of nrs at every visit after the first, in points; noise has a standard deviation of 0.3."""


def write_whole(root, **changes):
    """Write three arms at four visits, every type of outcome; return dataset and trial file."""
    bids, rng = root / 'bids', np.random.default_rng(7)
    age, sex, clinic = rng.integers(30, 60, N), ['F', 'M'] * (N // 2), ['a', 'a', 'b', 'b', 'c'] * (N // 5)
    tsv(
        bids / 'participants.tsv',
        [('participant_id', 'group', 'age', 'sex', 'clinic'), *zip(PEOPLE, GROUPS, age, sex, clinic)],
    )
    start = rng.uniform(4, 8, N)
    pain = [
        (p, f'ses-{s}', f'{start[n] + (s != "01") * EFFECTS[g] + rng.normal(0, 0.3):.2f}')
        for n, (p, g) in enumerate(zip(PEOPLE, GROUPS))
        for s in SESSIONS
    ]
    tables = bids / 'phenotype'
    tsv(tables / 'nrs.tsv', [('participant_id', 'session_id', 'nrs'), *pain])
    words = ['same', 'better', 'much better', 'worse']
    tsv(
        tables / 'pgic.tsv',
        [('participant_id', 'pgic_week12'), *((p, words[n % 4]) for n, p in enumerate(PEOPLE))],
    )
    work = [(p, f'ses-{s}', 'yes' if rng.random() < 0.5 else 'no') for p in PEOPLE for s in SESSIONS]
    tsv(tables / 'work.tsv', [('participant_id', 'session_id', 'work'), *work])
    came = [(p, n % 7, n % 13) for n, p in enumerate(PEOPLE)]
    tsv(tables / 'came.tsv', [('participant_id', 'came_02', 'came_03'), *came])
    falls = [(p, n % 3, 360) for n, p in enumerate(PEOPLE)]
    tsv(tables / 'falls.tsv', [('participant_id', 'falls_04', 'days'), *falls])
    return bids, write_file(root, {**WHOLE, **changes})


def write_groups(root):
    """Write patients and healthy people, seen once; return dataset and trial file."""
    bids, rng = root / 'bids', np.random.default_rng(8)
    groups = ['patient', 'healthy'] * (N // 2)
    tsv(bids / 'participants.tsv', [('participant_id', 'diagnosis'), *zip(PEOPLE, groups)])
    pain = [(p, f'{rng.uniform(0, 3) + 4 * (g == "patient"):.2f}') for p, g in zip(PEOPLE, groups)]
    tsv(bids / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_scan'), *pain])
    return bids, write_file(root, {**ONE_VISIT, 'Outcomes': {'nrs': ONE_VISIT['Outcomes']['nrs']}})


def write_file(root, content):
    path = root / 'trial.json'
    path.write_text(json.dumps(content))
    return path
