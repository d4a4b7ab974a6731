"""What was set right or left out while data were read, for logs, sidecars and reports to tell."""

from collections.abc import Sequence
from typing import NamedTuple

SHOWN = 5


class Remark(NamedTuple):
    """A finding and what was done about it; ``value`` has the names concerned."""

    problem: str
    action: str
    value: str = ''

    def __str__(self) -> str:
        """Return one sentence."""
        return f'{f"{self.value}: " if self.value else ""}{self.problem}; {self.action}'


def some(names: Sequence[object], shown: int = SHOWN) -> str:
    """Name the first few and say how many there are.

    Examples
    --------
    >>> some(['a', 'b', 'c'], 2), some(['a'])
    ('a, b ... (3 in all)', 'a')

    """
    named = ', '.join(map(str, names[:shown]))
    return named if len(names) <= shown else f'{named} ... ({len(names)} in all)'


def enumerated(names: Sequence[str]) -> str:
    """Return names as a sentence has them.

    Examples
    --------
    >>> enumerated(['yoga', 'walking', 'waiting']), enumerated(['yoga'])
    ('yoga, walking and waiting', 'yoga')

    """
    *first, last = names
    return f'{", ".join(first)} and {last}' if first else last
