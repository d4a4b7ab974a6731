"""What goes wrong in a simulated trial: visits, scans, samples and answers that are missing or poor."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

_LOST_SCANS, _LOST_RATINGS, _LOST_SAMPLES = 0.07, 0.05, 0.03
"""Shares of people; each is at least one person."""

_FEW = 30
"""In a trial of fewer people only one lacks data at the end, so that enough are complete for every model."""

_FEW_ITEMS, _MANY_ITEMS = (7,), (1, 4, 5, 8)
"""Items of the Oswestry index, from 0, of one who left out one and of one who left out too many."""


class Flaws(NamedTuple):
    """Numbers of people, from 0, and what is wrong with their data.

    ``scan_lost`` have no scan at follow-up, ``rating_lost`` no pain rating then; ``first_rna_lost`` and
    ``last_rna_lost`` lack one of two samples; ``dropout`` and ``motion`` are person and session (0 or 1) of
    a BOLD run; ``no_dwi`` has no diffusion scan; ``items_lost`` person and items at follow-up;
    ``bdnf_lost`` person, session and time.
    """

    scan_lost: tuple[int, ...]
    rating_lost: tuple[int, ...]
    first_rna_lost: tuple[int, ...]
    last_rna_lost: tuple[int, ...]
    dropout: tuple[int, int]
    motion: tuple[int, int]
    no_dwi: int
    items_lost: dict[int, tuple[int, ...]]
    bdnf_lost: tuple[int, int, int]

    def of_run(self, person: int, session: int) -> str:
        """Return what is wrong with a BOLD run, empty if nothing."""
        if (person, session) == self.dropout:
            return 'dropout'
        return 'motion' if (person, session) == self.motion else ''


def draw_flaws(rng: np.random.Generator, n_people: int, n_spared: int = 0) -> Flaws:
    """Spread the flaws over different people; of fewer than 30 only one has those of the end.

    Parameters
    ----------
    rng
        Source of randomness.
    n_people
        In the trial.
    n_spared
        The first so many have scans without flaws.

    """
    order = [int(i) for i in n_spared + rng.permutation(n_people - n_spared)] or [0]
    turn = _around(order)

    def some(share: float) -> tuple[int, ...]:
        return tuple(next(turn) for _ in range(max(1, round(share * n_people))))

    # a visit that has no scan cannot have a poor one, so single scans are drawn first
    dropout, motion = (next(turn), 0), (next(turn), int(rng.integers(2)))
    no_dwi, scan_lost = next(turn), some(_LOST_SCANS)
    is_small = n_people < _FEW
    return Flaws(
        dropout=dropout, motion=motion, no_dwi=no_dwi, scan_lost=scan_lost,
        rating_lost=scan_lost[:1] if is_small else some(_LOST_RATINGS),
        first_rna_lost=() if is_small else some(_LOST_SAMPLES),
        last_rna_lost=scan_lost[:1] if is_small else some(_LOST_SAMPLES),
        items_lost={next(turn): _FEW_ITEMS, next(turn): _MANY_ITEMS},
        bdnf_lost=(next(turn), int(rng.integers(2)), int(rng.integers(2))),
    )  # fmt: skip


def _around(order: list[int]) -> Iterator[int]:
    while True:
        yield from order


def list_flaws(flaws: Flaws, labels: list[str], sessions: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the flaws as the record of the truth has them."""
    last = sessions[-1]
    found = [(p, last, 'no scan') for p in flaws.scan_lost]
    found += [(p, last, 'no pain rating') for p in flaws.rating_lost]
    found += [(p, 'wk3', 'no RNA sample') for p in flaws.first_rna_lost]
    found += [(p, 'wk14', 'no RNA sample') for p in flaws.last_rna_lost]
    found += [
        (flaws.dropout[0], sessions[flaws.dropout[1]], 'signal dropout in nucleus accumbens'),
        (flaws.motion[0], sessions[flaws.motion[1]], 'head motion'),
        (flaws.no_dwi, 'all', 'no diffusion scan'),
        (flaws.bdnf_lost[0], ('wk3', 'wk14')[flaws.bdnf_lost[1]], 'no BDNF value'),
    ]
    found += [
        (p, last, f'items {", ".join(str(i + 1) for i in items)} of the Oswestry index not answered')
        for p, items in flaws.items_lost.items()
    ]
    return [{'Participant': labels[p], 'Session': session, 'Flaw': text} for p, session, text in found]
