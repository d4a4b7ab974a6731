"""The designs of ``docs/trial.md`` with tables made up: who is in which arm, and effects that are planted."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from tests.app.trial_data import save

PAGE = (Path(__file__).resolve().parents[3] / 'docs' / 'trial.md').read_text(encoding='utf-8')
_BLOCK = r'((?:(?!```).)*)```'
_EXAMPLE = re.compile(rf'^`([^`\n]+)`:\n\n```json\n{_BLOCK}\n\n```text\n{_BLOCK}', re.DOTALL | re.MULTILINE)

Effects = Mapping[str, Sequence[float]]
"""By treated arm one number per visit after the baseline, control having none."""


class Example(NamedTuple):
    """A trial file of the page, and the lines of its plan that the page shows."""

    content: str
    plan: tuple[str, ...]


EXAMPLES = {
    name: Example(content, tuple(plan.splitlines())) for name, content, plan in _EXAMPLE.findall(PAGE)
}


@dataclass(frozen=True)
class Design:
    """Made-up tables of an example.

    Attributes
    ----------
    arms
        Number of people by arm.
    planted
        Effects by outcome, and by arm and visit: differences, or logarithms of ratios.
    write
        Writes the tables below a folder, with a generator of numbers.

    """

    arms: Mapping[str, int]
    planted: Mapping[str, Mapping[tuple[str, str], float]]
    write: Callable[[Path, np.random.Generator], None]


def planted(effects: Effects, visits: Sequence[str]) -> dict[tuple[str, str], float]:
    return {
        (arm, visit): number
        for arm, own in effects.items()
        for visit, number in zip(visits, own, strict=True)
    }


def draw_people(rng: np.random.Generator, arms: Mapping[str, int], column: str) -> pd.DataFrame:
    """Return people in arms of the given sizes, in an order drawn by lot."""
    arm = rng.permutation(np.repeat(list(arms), list(arms.values())))
    return pd.DataFrame({'participant_id': [f'sub-{n:03d}' for n in range(1, len(arm) + 1)], column: arm})


@dataclass(frozen=True, kw_only=True)
class Course:
    """Values of people over visits: level of the person, the same fall for all, effect of the arm, noise."""

    level: float
    spread: float
    noise: float
    falls: Sequence[float]
    limits: tuple[float, float]

    def draw(
        self, rng: np.random.Generator, arm: Sequence[str], effects: Effects, more: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """Return (n, J) values with two decimals; ``more`` is added to people at all visits."""
        own = rng.normal(self.level, self.spread, len(arm)) + more
        zero = [0.0] * (len(self.falls) - 1)
        moved = np.array([[0.0, *effects.get(name, zero)] for name in arm])
        values = own[:, None] - np.asarray(self.falls) + moved + rng.normal(0, self.noise, moved.shape)
        assert self.limits[0] <= values.min()  # what is cut off at a limit would move the planted effect
        assert values.max() <= self.limits[1]
        return values.round(2)


def leave(rng: np.random.Generator, values: np.ndarray, threshold: float) -> np.ndarray:
    """Return values of whom those above a threshold at a visit leave before the next, three of ten each time."""
    gone = np.zeros(len(values), bool)
    left = values.copy()
    for visit in range(1, values.shape[1]):
        gone |= (values[:, visit - 1] > threshold) & (rng.random(len(values)) < 0.3)
        left[gone, visit] = np.nan
    return left


def wide(path: Path, people: pd.DataFrame, columns: Mapping[str, np.ndarray]) -> None:
    """Write a row per person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save(people[['participant_id']].assign(**columns), path)


def long(path: Path, people: pd.DataFrame, column: str, by_session: Mapping[str, np.ndarray]) -> None:
    """Write a row per person and session."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        people[['participant_id']].assign(session_id=f'ses-{s}', **{column: v}) for s, v in by_session.items()
    ]
    save(pd.concat(rows), path)


def _sex(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice(['female', 'male'], n)


THREE = {'yoga': 127, 'physical therapy': 129, 'education': 64}
THREE_RMDQ = {'yoga': [-1.5, -2.5, -2.0], 'physical therapy': [-1.0, -2.0, -1.5]}
THREE_PAIN = {'yoga': [-0.5, -1.0, -0.8], 'physical therapy': [-0.5, -0.8, -0.6]}


def _three_arms(bids: Path, rng: np.random.Generator) -> None:
    people = draw_people(rng, THREE, 'group').assign(age=rng.integers(20, 65, 320))
    save(people, bids / 'participants.tsv')
    sessions = ('w00', 'w06', 'w12', 'w52')
    rmdq = Course(level=13.5, spread=1.8, noise=1.2, falls=(0, 1, 2, 2), limits=(0, 23))
    pain = Course(level=6.5, spread=0.7, noise=0.5, falls=(0, 0.5, 1, 1), limits=(0, 10))
    for name, course, effects in (('rmdq', rmdq, THREE_RMDQ), ('pain', pain, THREE_PAIN)):
        values = course.draw(rng, people['group'], effects, 0.02 * (people['age'].to_numpy() - 42))
        long(bids / f'phenotype/{name}.tsv', people, name, dict(zip(sessions, values.T)))


FOUR = {'yoga': 156, 'usual care': 157}
FOUR_RMDQ = {'yoga': [-3.0, -2.0, -1.5]}


def _four_visits(bids: Path, rng: np.random.Generator) -> None:
    people = draw_people(rng, FOUR, 'arm').assign(age=rng.integers(25, 65, 313), sex=_sex(rng, 313))
    save(people, bids / 'participants.tsv')
    course = Course(level=11.0, spread=1.8, noise=1.0, falls=(0, 0.5, 0.5, 0.5), limits=(0, 24))
    values = leave(rng, course.draw(rng, people['arm'], FOUR_RMDQ), 11.0)
    columns = dict(zip(('rmdq_m0', 'rmdq_m3', 'rmdq_m6', 'rmdq_m12'), values.T))
    wide(bids / 'phenotype/rmdq.tsv', people, columns)


GROUPS = {'patient': 18, 'healthy': 16}
GROUPS_PCS, GROUPS_RT = {'patient': [-6.0]}, {'patient': [-40.0]}


def _patients(bids: Path, rng: np.random.Generator) -> None:
    people = draw_people(rng, GROUPS, 'diagnosis').assign(age=rng.integers(30, 60, 34), sex=_sex(rng, 34))
    save(people, bids / 'participants.tsv')
    is_patient = people['diagnosis'].to_numpy() == 'patient'
    pcs = Course(level=12.0, spread=2.0, noise=1.5, falls=(0, 0), limits=(0, 52))
    rt = Course(level=700.0, spread=40.0, noise=15.0, falls=(0, 20), limits=(0, 2000))
    for name, column, course, effects, apart in (
        ('pcs', 'pcs', pcs, GROUPS_PCS, 15.0), ('attention', 'rt', rt, GROUPS_RT, 100.0),
    ):  # fmt: skip
        values = course.draw(rng, people['diagnosis'], effects, apart * is_patient)
        long(bids / f'phenotype/{name}.tsv', people, column, dict(zip('12', values.T)))


FIRST = {'exercise': 20, 'medical management': 19}
RECURRENCE = {'exercise': [-2.5, -1.8]}
FIRST_PAIN = {'exercise': [-15.0, -10.0]}


def _followup_only(bids: Path, rng: np.random.Generator) -> None:
    people = draw_people(rng, FIRST, 'group')
    save(people, bids / 'participants.tsv')
    effects = np.array([RECURRENCE.get(arm, [0.0, 0.0]) for arm in people['group']])
    chance = special.expit(np.array([1.6, 1.2]) + effects)
    words = np.where(rng.random(chance.shape) < chance, 'yes', 'no')
    wide(bids / 'phenotype/recurrence.tsv', people, dict(zip(('recurrence_12', 'recurrence_36'), words.T)))
    course = Course(level=45.0, spread=8.0, noise=5.0, falls=(0, 5, 5), limits=(0, 100))
    values = course.draw(rng, people['group'], FIRST_PAIN)[:, 1:]
    wide(bids / 'phenotype/pain.tsv', people, dict(zip(('pain_12', 'pain_36'), values.T)))


PLACEBO = {'exercise': 77, 'placebo': 77}
CHANGED = {'exercise': [1.2, 1.0, 0.9]}
CHANGED_PAIN = {'exercise': [-1.0, -0.8, -0.8]}
WORDS = (
    'very much worse', 'much worse', 'minimally worse', 'no change', 'minimally improved', 'much improved',
    'very much improved',
)  # fmt: skip
CUTS = (-5.0, -3.0, -1.5, 0.0, 1.5, 3.0)
"""On the scale of log odds, between the words in the control arm."""


def draw_words(rng: np.random.Generator, line: np.ndarray) -> np.ndarray:
    """Return a word per person by proportional odds; ``line`` (n,) is what moves the log odds of higher words."""
    latent = rng.logistic(size=len(line)) + line
    return np.array(WORDS, object)[np.searchsorted(CUTS, latent)]


def _impression(bids: Path, rng: np.random.Generator) -> None:
    people = draw_people(rng, PLACEBO, 'group').assign(duration=rng.gamma(4, 20, 154).round())
    save(people, bids / 'participants.tsv')
    moved = np.array([CHANGED.get(arm, [0.0] * 3) for arm in people['group']])
    moved = moved - 0.01 * (people['duration'].to_numpy() - 80)[:, None]
    words = np.array([draw_words(rng, column) for column in moved.T], object)
    words[0, np.flatnonzero(people['group'] == 'exercise')[0]] = None  # who did not come at 2 months
    sessions = ('m0', 'm2', 'm6', 'm12')
    long(bids / 'phenotype/pgic.tsv', people, 'pgic', dict(zip(sessions[1:], words)))
    course = Course(level=6.5, spread=0.8, noise=0.6, falls=(0, 1, 1, 1), limits=(0, 10))
    values = course.draw(rng, people['group'], CHANGED_PAIN)
    long(bids / 'phenotype/pain.tsv', people, 'pain', dict(zip(sessions, values.T)))


SITES = {'motor control': 86, 'graded activity': 86}
SITES_PAIN, SITES_PSFS = {'motor control': [-0.6, -0.5, -0.4]}, {'motor control': [0.7, 0.6, 0.5]}


def _two_sites(bids: Path, rng: np.random.Generator) -> None:
    site = rng.permutation(['Sydney'] * 100 + ['Brisbane'] * 72)
    people = draw_people(rng, SITES, 'group').assign(site=site)
    save(people, bids / 'participants.tsv')
    pain = Course(level=5.5, spread=0.5, noise=0.4, falls=(0, 1, 1, 1), limits=(0, 10))
    psfs = Course(level=4.0, spread=0.5, noise=0.4, falls=(0, -1, -1, -1), limits=(0, 10))
    for name, course, effects in (('pain', pain, SITES_PAIN), ('psfs', psfs, SITES_PSFS)):
        values = course.draw(rng, people['group'], effects, 1.5 * (site == 'Sydney'))
        long(bids / f'phenotype/{name}.tsv', people, name, dict(zip('1234', values.T)))


CLASSES = {'yoga': 92, 'stretching': 91, 'self-care book': 45}
CLASSES_RMDQ = {'yoga': [-1.5, -2.0, -1.8], 'stretching': [-1.2, -1.7, -1.5]}


def _sessions(bids: Path, rng: np.random.Generator) -> None:
    people = draw_people(rng, CLASSES, 'arm')
    save(people, bids / 'participants.tsv')
    course = Course(level=10.0, spread=1.5, noise=1.0, falls=(0, 1, 1.5, 1.5), limits=(0, 23))
    values = course.draw(rng, people['arm'], CLASSES_RMDQ)
    wide(bids / 'phenotype/rmdq.tsv', people, {f'rmdq_week{w}': v for w, v in zip((0, 6, 12, 26), values.T)})
    can = people['arm'].to_numpy() != 'self-care book'
    wide(bids / 'phenotype/classes.tsv', people, {'classes_w12': can * rng.binomial(12, rng.beta(6, 3, 228))})


DESIGNS = {
    'three_arms.json': Design(
        THREE,
        {
            'rmdq': planted(THREE_RMDQ, ['week 6', 'week 12', 'week 52']),
            'pain': planted(THREE_PAIN, ['week 6', 'week 12', 'week 52']),
        },
        _three_arms,
    ),
    'four_visits.json': Design(
        FOUR, {'rmdq': planted(FOUR_RMDQ, ['3 months', '6 months', '12 months'])}, _four_visits
    ),
    'patients_controls.json': Design(
        GROUPS,
        {
            'catastrophising': planted(GROUPS_PCS, ['six months after']),
            'response_time': planted(GROUPS_RT, ['six months after']),
        },
        _patients,
    ),
    'followup_only.json': Design(
        FIRST,
        {
            'recurrence': planted(RECURRENCE, ['one year', 'three years']),
            'pain': planted(FIRST_PAIN, ['one year', 'three years']),
        },
        _followup_only,
    ),
    'impression_of_change.json': Design(
        PLACEBO,
        {
            'pgic': planted(CHANGED, ['2 months', '6 months', '12 months']),
            'pain': planted(CHANGED_PAIN, ['2 months', '6 months', '12 months']),
        },
        _impression,
    ),
    'two_sites.json': Design(
        SITES,
        {
            'pain': planted(SITES_PAIN, ['2 months', '6 months', '12 months']),
            'function': planted(SITES_PSFS, ['2 months', '6 months', '12 months']),
        },
        _two_sites,
    ),
    'sessions_attended.json': Design(
        CLASSES, {'rmdq': planted(CLASSES_RMDQ, ['week 6', 'week 12', 'week 26'])}, _sessions
    ),
}


def write_design(root: Path, name: str, *, seed: int = 1) -> tuple[Path, Path]:
    """Write an example of the page and its tables; return the dataset and the trial file."""
    bids, path = root / 'bids', root / name
    bids.mkdir(parents=True)
    (bids / 'dataset_description.json').write_text('{"Name": "made up", "BIDSVersion": "1.10.0"}')
    path.write_text(EXAMPLES[name].content, encoding='utf-8')
    DESIGNS[name].write(bids, np.random.default_rng(seed))
    return bids, path
