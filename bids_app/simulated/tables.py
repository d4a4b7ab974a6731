"""Tables of a simulated trial: participants, sessions, and one file per instrument with its dictionary."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.simulated.trial import ITEM_HIGH, N_ITEMS, N_SESSIONS, Cohort, rate_pain
from pipelines.stats.biomarker_design import FOUR_SAMPLES

from .files import write_json
from .flaws import Flaws

EVENTS = 'phenotype/adverse_events.*'
"""One row per event, where BIDS wants one per participant: for ``.bidsignore``."""

_WEEKS = {'pre': 0, 'wk3': 3, 'wk14': 14, 'post': 14}
_KINDS = ('muscle soreness', 'knee pain', 'flare of back pain', 'dizziness')


def write_texts(path: Path, columns: Mapping[str, Sequence[str]], about: Mapping[str, Any]) -> None:
    """Write columns of text as TSV, and what they mean as JSON beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ['\t'.join(columns), *('\t'.join(row) for row in zip(*columns.values(), strict=True))]
    path.write_text('\n'.join(rows) + '\n')
    write_json(path.with_suffix('.json'), about)


def numbers(values: np.ndarray, decimals: int = 0) -> list[str]:
    """Return numbers as text, NaN as n/a."""
    return ['n/a' if np.isnan(value) else f'{value:.{decimals}f}' for value in values]


def write_people(root: Path, labels: Sequence[str], cohort: Cohort) -> None:
    """Write ``participants.tsv`` and the sessions of everybody."""
    columns = {
        'participant_id': labels,
        'group': np.where(cohort.treated, 'exercise', 'waitlist').tolist(),
        'age': numbers(cohort.age),
        'sex': np.where(cohort.female, 'F', 'M').tolist(),
    }
    arms = {'exercise': '42 training sessions in 14 weeks', 'waitlist': 'waited for 14 weeks'}
    about = {
        'group': {'Description': 'Arm', 'Levels': arms},
        'age': {'Description': 'Age', 'Units': 'year'},
        'sex': {'Description': 'Sex', 'Levels': {'F': 'female', 'M': 'male'}},
    }
    write_texts(root / 'participants.tsv', columns, about)
    lines = ['session_id\tweek', *(f'ses-{name}\t{week}' for name, week in _WEEKS.items())]
    for label in labels:
        (root / label).mkdir(exist_ok=True)
        (root / label / f'{label}_sessions.tsv').write_text('\n'.join(lines) + '\n')
    about = {'week': {'Description': 'Weeks since randomization', 'Units': 'week'}}
    write_json(root / 'sessions.json', about)


def write_phenotype(
    root: Path, labels: Sequence[str], cohort: Cohort, items: np.ndarray, flaws: Flaws, limits: tuple[float, float]
) -> None:  # fmt: skip
    """Write the tables of ``phenotype``; ``items`` (n, 2, 10) are answers, ``limits`` those of BDNF."""
    folder = root / 'phenotype'
    pain = rate_pain(cohort.pain)
    pain[list(flaws.rating_lost), 1] = np.nan
    for name, column, units, text, values, highest in (
        ('nrs', 'nrs_average', 'points', 'Average low back pain in the last week', pain, 10),
        ('submap', 'submap85', 'W', 'Power at 85 % of the maximal aerobic power', cohort.submap85, 600),
        ('sixmwd', 'sixmwd', 'm', 'Distance walked in six minutes', cohort.sixmwd, 1200),
    ):
        entry = {'Description': text, 'Units': units, 'Minimum': 0, 'Maximum': highest}
        _write_visits(folder / f'{name}.tsv', labels, {column: values.clip(0, highest)}, entry)
    answers = items.copy()
    for person, lost in flaws.items_lost.items():
        answers[person, 1, list(lost)] = np.nan
    entry = {'Description': 'Item of the Oswestry Disability Index', 'Minimum': 0, 'Maximum': ITEM_HIGH}
    each = {f'odi_{k + 1}': answers[:, :, k] for k in range(N_ITEMS)}
    _write_visits(folder / 'odi.tsv', labels, each, {**entry, 'Units': 'points'})
    _write_bdnf(folder / 'bdnf.tsv', labels, cohort, flaws, limits)
    attended = {'participant_id': labels, 'sessions_attended': numbers(cohort.attended)}
    text = f'Training sessions attended, of {N_SESSIONS}; n/a for those who wait'
    about = {'sessions_attended': {'Description': text, 'Minimum': 0, 'Maximum': N_SESSIONS}}
    write_texts(folder / 'attendance.tsv', attended, about)
    _write_events(folder / 'adverse_events.tsv', labels, cohort)


def _write_visits(
    path: Path, labels: Sequence[str], values: Mapping[str, np.ndarray], entry: Mapping[str, Any]
) -> None:
    """Write a column per measure and visit; each of ``values`` is (n, 2)."""
    columns = {
        f'{name}_{visit}': numbers(table[:, k])
        for name, table in values.items()
        for k, visit in enumerate(('pre', 'post'))
    }
    write_texts(path, {'participant_id': labels, **columns}, {name: dict(entry) for name in columns})


def _write_bdnf(
    path: Path, labels: Sequence[str], cohort: Cohort, flaws: Flaws, limits: tuple[float, float]
) -> None:
    values = np.exp(cohort.log_bdnf)
    values[flaws.bdnf_lost] = np.nan
    samples = dict(zip(FOUR_SAMPLES, (numbers(v, 1) for v in values.reshape(len(labels), 4).T)))
    columns = {f'bdnf_{name}': column for name, column in samples.items()}
    beyond = {name: [f'{limit:g}'] * len(labels) for name, limit in zip(('lod', 'uloq'), limits)}
    text = 'Plasma BDNF before (pre) or after (post) training session 7 (s7) or 42 (s42)'
    about = {name: {'Description': text, 'Units': 'pg/mL'} for name in columns}
    about['lod'] = {'Description': 'Lower limit of detection', 'Units': 'pg/mL'}
    about['uloq'] = {'Description': 'Upper limit of quantification', 'Units': 'pg/mL'}
    write_texts(path, {'participant_id': labels, **columns, **beyond}, about)


def _write_events(path: Path, labels: Sequence[str], cohort: Cohort) -> None:
    rows = [
        (label, _KINDS[(person + k) % len(_KINDS)])
        for person, label in enumerate(labels)
        for k in range(cohort.n_events[person])
    ]
    names = ('participant_id', 'event')
    columns = {name: [row[k] for row in rows] for k, name in enumerate(names)}
    write_texts(path, columns, {'event': {'Description': 'Adverse event, one row each'}})
