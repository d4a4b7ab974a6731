"""Sessions of participants: their labels, truth and random numbers."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .files import Request

_RHO, _RHO_CHANGE = 0.6, -0.25


_FA_SPREAD, _FA_CHANGE = 0.05, 0.03


class Person(NamedTuple):
    """One session of one participant: labels, folder and random numbers of its own."""

    subject: str
    session: str
    rho: float
    rng: np.random.Generator
    fa: float = 0.0
    seeds: tuple[int, int, int] = (0, 0, 1)
    """Of the dataset, number of the participant from 0, of the session from 1."""
    flaw: str = ''
    """What is wrong with the BOLD: ``dropout`` in the accumbens, or ``motion``."""

    @property
    def is_first(self) -> bool:
        """Return whether it is the participant's first session."""
        return self.seeds[2] == 1

    def stream(self, purpose: int) -> np.random.Generator:
        """Return random numbers for one purpose; those of purpose 0 are the same in all sessions."""
        dataset, number, session = self.seeds
        return np.random.default_rng([dataset, number, session if purpose else 0, 7 + purpose])

    @property
    def prefix(self) -> str:
        """Return the start of the file names."""
        return f'sub-{self.subject}_ses-{self.session}'

    def folder(self, root: Path, kind: str) -> Path:
        """Return the folder of ``anat`` or ``func``, made if absent."""
        path = root / f'sub-{self.subject}' / f'ses-{self.session}' / kind
        path.mkdir(parents=True, exist_ok=True)
        return path


def draw_people(request: Request) -> Iterable[Person]:
    """Yield every session; in the exercise arm the correlation falls and the tract's FA rises."""
    width = max(2, len(str(request.participants)))
    for number in range(request.participants):
        own = np.random.default_rng([request.seed, number])
        typical = _RHO + 0.1 * own.uniform(-1, 1)
        typical_fa = request.tract_fa + _FA_SPREAD * own.uniform(-1, 1)
        for order, session in enumerate(request.sessions):
            rng = np.random.default_rng([request.seed, number, order + 1])
            progress = order / max(1, len(request.sessions) - 1)
            change = _RHO_CHANGE * progress * (number % 2 == 0) + rng.uniform(-0.05, 0.05)
            fa = typical_fa + _FA_CHANGE * progress * (number % 2 == 0) if request.tract_fa else 0.0
            yield Person(
                f'{number + 1:0{width}d}',
                session,
                round(float(typical + change), 4),
                rng,
                round(float(np.clip(fa, 0, 0.95)), 4),
                (request.seed, number, order + 1),
            )
