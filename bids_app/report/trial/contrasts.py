"""Effects of a trial as its report shows them: every treated arm against control at every visit, ratios with risks."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from pipelines.terms import ADJUSTMENTS, DISCRETE_MODELS, EFFECT_SCALES, MAIN, MODELS

from ..read import TableRow
from ..words import fixed, number
from .record import OutcomeRecord, TrialRecord, VisitRecord
from .tables import GroupTables, rows_where
from .words import estimate, interval, significant

_ROLES = ('primary', 'secondary', 'other')
_RISK = EFFECT_SCALES['risk_difference'].name
_ADJUSTED = {'holm': 'by Holm', 'sequence': 'in a fixed sequence'}
_MORE = {
    'odds_ratio': 'The odds of {event} are {larger}',
    'common_odds_ratio': 'The odds of higher levels are {larger}',
    'odds_ratio_each': 'The odds of each that could be counted are {larger}',
    'rate_ratio': 'The rate is {larger}',
}
"""What a ratio away from 1 means, by its scale."""


class ShownContrast(NamedTuple):
    """A treated arm against control at a visit.

    ``main`` is the row that is tested, a ratio where the outcome has one; ``beside`` the difference in risk, count
    or rate that goes with the ratio.
    """

    arm: str
    visit: VisitRecord
    is_primary: bool
    main: TableRow
    beside: TableRow | None

    @property
    def is_ratio(self) -> bool:
        """Return whether a ratio is tested."""
        return EFFECT_SCALES[self.main['scale']].is_ratio

    @property
    def has_estimate(self) -> bool:
        """Return whether there is a number."""
        return number(self.main['estimate']) is not None

    @property
    def scale(self) -> str:
        """Return what the effect is measured in."""
        return EFFECT_SCALES[self.main['scale']].title

    @property
    def model(self) -> str:
        """Return the model in words."""
        return model_title(self.main['model'])

    @property
    def value(self) -> str:
        """Return the effect, a ratio as a ratio."""
        return significant(self.main['ratio']) if self.is_ratio else _points(self.main)[0]

    @property
    def range(self) -> str:
        """Return its 95 % interval."""
        if not self.is_ratio:
            return _points(self.main)[1]
        return ' to '.join(significant(self.main[f'ratio_ci_{end}']) for end in ('low', 'high'))

    @property
    def second(self) -> tuple[str, str, str] | None:
        """Return what stands beside a ratio: its name, value and interval."""
        if self.beside is None:
            return None
        return EFFECT_SCALES[self.beside['scale']].title, *_points(self.beside)

    @property
    def adjusted(self) -> str:
        """Return how p was adjusted, in words; empty where it was not."""
        name = self.main['adjustment']
        return '' if name == 'n/a' else _ADJUSTED[ADJUSTMENTS[name].name]


class Effect(NamedTuple):
    """What was found of an outcome: ``contrasts`` of the main analysis, ``others`` of sensitivity analyses."""

    outcome: OutcomeRecord
    contrasts: list[ShownContrast]
    others: list[ShownContrast]
    responders: list[TableRow]
    levels: list[TableRow]

    @property
    def primary(self) -> list[ShownContrast]:
        """Return the contrasts of the primary visit, an arm after the other."""
        return [contrast for contrast in self.contrasts if contrast.is_primary]

    @property
    def flags(self) -> list[str]:
        """Return the flags of the primary contrasts, as cells."""
        return list(dict.fromkeys(contrast.main['flags'] for contrast in self.primary))


def model_title(name: str) -> str:
    """Return a model of outcomes in words.

    Raises
    ------
    UnknownWordError
        It is none of ours.

    Examples
    --------
    >>> model_title('ancova'), model_title('logistic')
    ('ANCOVA of people with both visits', 'Logistic regression')

    """
    return (DISCRETE_MODELS if name in DISCRETE_MODELS else MODELS)[name].title


def _points(row: TableRow) -> tuple[str, str]:
    """Return a difference and its interval; of risks in percentage points."""
    keys = ('estimate', 'ci_low', 'ci_high')
    values = [number(row[key]) for key in keys]
    if row['scale'] != _RISK or any(value is None for value in values):
        return estimate(row), interval(row)
    whole, low, high = (fixed(100 * (value or 0), 0) for value in values)
    return f'{whole} percentage points', f'{low} to {high}'


def effects(trial: TrialRecord, tables: GroupTables) -> list[Effect]:
    """Return the effects on all outcomes that were analysed, the primary ones first."""
    found = []
    for outcome in sorted(trial.outcomes, key=lambda o: _ROLES.index(o.role)):
        rows = rows_where(tables.get('outcomes', ()), outcome=outcome.name)
        main = [row for row in rows if row['analysis'] == MAIN]
        if main:
            others = [row for row in rows if row['analysis'] != MAIN and row['is_primary'] == 'True']
            parts = [
                sorted(rows_where(tables.get(name, ()), outcome=outcome.name), key=partial(_place, trial))
                for name in ('responders', 'levels')
            ]
            found.append(Effect(outcome, contrasts(trial, main), contrasts(trial, others), *parts))
    return found


def _place(trial: TrialRecord, row: TableRow) -> tuple[int, int]:
    """Return where a row stands among others: by visit, then by arm with the control last."""
    return trial.visits.index(trial.visit(row['visit'])), trial.arms.index(row['arm'])


def contrasts(trial: TrialRecord, rows: Iterable[TableRow]) -> list[ShownContrast]:
    """Return the rows of an outcome, each ratio with the difference that goes with it."""
    groups: dict[tuple[str, ...], list[TableRow]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in ('model', 'visit', 'arm')), []).append(row)
    found = []
    for own in groups.values():
        first, *rest = sorted(own, key=lambda row: not EFFECT_SCALES[row['scale']].is_ratio)
        found.append(
            ShownContrast(
                first['arm'],
                trial.visit(first['visit']),
                first['is_primary'] == 'True',
                first,
                rest[0] if rest else None,
            )
        )
    return found


def say(effect: Effect, contrast: ShownContrast, trial: TrialRecord) -> str:
    """Say what an effect means, as far as its interval allows, and of groups no more than that they differ."""
    row, outcome, visit = contrast.main, effect.outcome, contrast.visit
    low, high = number(row['ci_low']), number(row['ci_high'])
    if low is None or high is None:
        reason = 'no reason was recorded' if row['note'] == 'n/a' else row['note']
        return f'There is no estimate: {reason}.'
    if low <= 0 <= high:
        none = '1' if contrast.is_ratio else 'zero'
        return f'No difference in either direction is shown: the interval includes {none}.'
    is_less, better = high < 0, outcome.lower_is_better
    judged = '' if better is None else f', which is {"better" if better == is_less else "worse"}'
    preposition = 'with' if trial.is_randomised else 'in'
    arms = f'{preposition} {contrast.arm} than {preposition} {trial.control}'
    if contrast.is_ratio:
        event = 'the event' if outcome.event in ('', '1') else f'“{outcome.event}”'
        text = _MORE[row['scale']].format(event=event, larger='smaller' if is_less else 'larger')
        return f'{text} at {visit.words} {arms}{judged}.'
    word = 'lower' if is_less else 'higher'
    if not trial.is_randomised and outcome.has_baseline:
        return f'The change up to {visit.words} differs: {word} {arms}{judged}.'
    return f'{word.capitalize()} at {visit.words} {arms}{judged}.'


def summary(trial: TrialRecord) -> str:
    """Say what the numbers of the summary are.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> of = SimpleNamespace(words='follow-up')
    >>> summary(SimpleNamespace(treated=['yoga'], control='wait', is_randomised=True, primary=of, baseline=of))
    'Differences at follow-up, yoga minus wait, adjusted for baseline.'

    """
    one = len(trial.treated) == 1
    arms = f'{trial.treated[0]} minus {trial.control}' if one else f'each arm minus {trial.control}'
    at = trial.primary.words
    if trial.baseline is None:
        text = f'Differences at {at}, {arms}'
    elif trial.is_randomised:
        text = f'Differences at {at}, {arms}, adjusted for baseline'
    else:
        text = f'Differences in change from {trial.baseline.words} to {at}, {arms}'
    if trial.is_randomised:
        return f'{text}.'
    return (
        f'{text}. Chance did not decide who is in which group: a difference need not come from what was done.'
    )


def has_ratios(effects: Sequence[Effect]) -> bool:
    """Return whether an effect is a ratio."""
    return any(contrast.is_ratio for effect in effects for contrast in effect.contrasts)


def later(effects: Sequence[Effect]) -> bool:
    """Return whether arms were compared at visits beside the primary one."""
    return any(not contrast.is_primary for effect in effects for contrast in effect.contrasts)


def by_visit(rows: Sequence[TableRow]) -> list[tuple[str, list[TableRow]]]:
    """Return rows by their visit, in the order in which they come.

    Examples
    --------
    >>> by_visit([{'visit': 'a', 'n': '1'}, {'visit': 'b', 'n': '2'}, {'visit': 'a', 'n': '3'}])
    [('a', [{'visit': 'a', 'n': '1'}, {'visit': 'a', 'n': '3'}]), ('b', [{'visit': 'b', 'n': '2'}])]

    """
    return [
        (visit, [row for row in rows if row['visit'] == visit])
        for visit in dict.fromkeys(row['visit'] for row in rows)
    ]


def adjustments(effects: Sequence[Effect]) -> list[str]:
    """Return how p values were adjusted, in words."""
    found = {contrast.adjusted for effect in effects for contrast in effect.primary}
    return [words for words in _ADJUSTED.values() if words in found]


def has_limits(effects: Sequence[Effect]) -> bool:
    """Return whether an effect is absent or limited by something that a flag says."""
    return any(
        contrast.main['flags'] != 'n/a' or not contrast.has_estimate
        for effect in effects
        for contrast in effect.contrasts
    )


def notes(effects: Sequence[Effect]) -> list[tuple[str, list[str]]]:
    """Return what was done to estimate the primary contrasts, each note with the outcomes that it is of."""
    found: dict[str, dict[str, None]] = {}
    for effect in effects:
        for contrast in effect.primary:
            if contrast.has_estimate and contrast.main['note'] != 'n/a':
                found.setdefault(contrast.main['note'], {})[effect.outcome.title] = None
    return [(note, list(titles)) for note, titles in found.items()]
