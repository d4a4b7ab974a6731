"""Acquire a planted tract twice with FA that rises, and record what is found along one tract of both sessions."""

import numpy as np
import pandas as pd

from pipelines.numerics import bundle
from tests.acceptance.studies import spread
from tests.planted_tract import Person, add_noise, clean_signal, follow, make_person, orientations, truth_of

N_TRIALS = 20
FA = 0.55, 0.58
SNR, N_STREAMLINES = 30, 150
TABLE = 'tract_change.tsv'


def planted_change(person: Person) -> float:
    """Return by how much FA of the left tract rises."""
    before, after = (truth_of(person, clean_signal(person, fa)).left for fa in FA)
    return float(after - before)


def found_change(person: Person, number: int) -> float:
    """Return the change found in a trial: one tract from the mean of both sessions' orientations."""
    maps = [
        orientations(person, add_noise(person, clean_signal(person, fa), SNR, 100 + 2 * number + session))
        for session, fa in enumerate(FA)
    ]
    visits, _ = follow(person, np.mean([fod for fod, _ in maps], axis=0), 0, number, N_STREAMLINES)
    before, after = (bundle.weighted_mean(visits, fa, person.white) for _, fa in maps)
    return float(after - before)


def simulate(trials: range) -> pd.DataFrame:
    """Return what is planted and found in these trials, one row each."""
    person = make_person()
    planted = planted_change(person)
    return pd.DataFrame(
        {'trial': number, 'planted': planted, 'found': found_change(person, number)} for number in trials
    )


def make() -> pd.DataFrame:
    """Return the table."""
    return spread(simulate, range(N_TRIALS))
