"""The forest of a trial says what may be said of its arms."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces.tables import columns_text, write_table
from pipelines.interfaces.trial import fit_outcomes
from pipelines.interfaces.trial_figures import draw_outcomes
from pipelines.stats.design import Outcome, OutcomesDesign
from pipelines.stats.visit import Visit

PAIN = Outcome(name='pain', units='points', low=0, high=10, role='primary', lower_is_better=True)
DESIGN = OutcomesDesign(
    treated=('patient',), control='healthy', outcomes=(PAIN,),
    visits=(
        Visit(name='baseline', session_id='ses-a', is_baseline=True),
        Visit(name='followup', session_id='ses-b', is_primary=True),
    ),
)  # fmt: skip


def draw(design: OutcomesDesign, rng: np.random.Generator, tmp_path) -> str:
    """Return the text of the forest of made-up people, sixteen in each arm."""
    labels = [f'sub-{number:02d}' for number in range(16 * len(design.arms))]
    arms = [design.arms[number % len(design.arms)] for number in range(len(labels))]
    (tmp_path / 'people.json').write_text(columns_text(pd.DataFrame({'participant_id': labels, 'arm': arms})))
    values = pd.DataFrame([
        (label, visit.name, outcome.name, rng.normal(5, 1), '')
        for label in labels for visit in design.visits for outcome in design.outcomes
    ], columns=['participant_id', 'visit', 'outcome', 'value', 'flags'])  # fmt: skip
    (tmp_path / 'values.json').write_text(columns_text(values))
    imaging = write_table(values[:0], tmp_path / 'imaging.tsv')
    found = fit_outcomes(
        tmp_path / 'values.json', imaging, tmp_path / 'people.json', design, out_dir=tmp_path
    )
    return draw_outcomes(found.values, found.outcomes, design, out_dir=tmp_path).forest.read_text()


@pytest.mark.parametrize(
    ('treated', 'is_randomised', 'said', 'unsaid'),
    [
        (('patient',), True, ['Effect of patient against healthy at follow-up', 'favours patient'], ['better in']),
        (('patient',), False, ['Differences in change: patient compared with healthy', 'better in'], ['Effect of', 'favours']),
        (('acute', 'chronic'), True, ['Effect of treatment against healthy', 'favours'], ['better in']),
        (('acute', 'chronic'), False, ['Differences in change: other groups', 'better in'], ['Effect of', 'favours']),
    ],
)  # fmt: skip
def test_groups_that_chance_did_not_make_only_differ(treated, is_randomised, said, unsaid, rng, tmp_path):
    text = draw(replace(DESIGN, treated=treated, is_randomised=is_randomised), rng, tmp_path)
    assert all(words in text for words in said)
    assert not any(words in text for words in unsaid)


def test_groups_seen_once_differ_and_nothing_changed(rng, tmp_path):
    once = replace(PAIN, visits=('followup',), has_baseline=False)
    design = replace(DESIGN, outcomes=(once,), visits=DESIGN.visits[1:], is_randomised=False)
    text = draw(design, rng, tmp_path)
    assert 'Differences: patient compared with healthy' in text
    assert 'in change' not in text
