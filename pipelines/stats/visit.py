"""A visit of a trial: its session, and what it is to the comparison of arms."""

from dataclasses import dataclass


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
    def time(self) -> float | None:
        """Return when it is due, in the unit that the trial uses."""
        return self.month if self.week is None else self.week
