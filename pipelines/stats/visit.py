"""A visit of a trial: its session, and what it is to the comparison of arms."""

from dataclasses import dataclass

from ..terms import VISIT_TITLES


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A visit and its session, ``ses-`` included.

    Attributes
    ----------
    name, session_id
        In the trial, and in the dataset.
    week, month
        When it is due, where the trial file says so; never both.
    is_baseline
        What change is counted from; no visit is where the trial has one visit only.
    is_primary
        The visit of the primary contrasts.

    """

    name: str
    session_id: str
    week: float | None = None
    month: float | None = None
    is_baseline: bool = False
    is_primary: bool = False

    @property
    def session(self) -> str:
        """Return the label of the session, without ``ses-``."""
        return self.session_id.removeprefix('ses-')

    @property
    def words(self) -> str:
        """Return the name within a sentence, with the time where it is known.

        Examples
        --------
        >>> Visit(name='followup', session_id='ses-post', week=14).words, Visit(name='T2', session_id='ses-3').words
        ('follow-up (week 14)', 'T2')

        """
        name = VISIT_TITLES[self.name].lower() if self.name in VISIT_TITLES else self.name
        return f'{name} ({self.due})' if self.due else name

    @property
    def due(self) -> str:
        """Return when it is due in words, empty where the trial file does not say."""
        return '' if self.time is None else f'{"month" if self.week is None else "week"} {self.time:g}'

    @property
    def time(self) -> float | None:
        """Return when it is due, in the unit that the trial uses."""
        return self.month if self.week is None else self.week
