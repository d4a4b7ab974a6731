"""A trial of any shape as one of two arms and two visits, for analyses that compare no more than that."""

import pandas as pd

from .design import OutcomesDesign, primary_visit

BASELINE, FOLLOWUP = 'baseline', 'followup'


def before_after(values: pd.DataFrame, design: OutcomesDesign) -> pd.DataFrame:
    """Return the values of each outcome at the trial's baseline and at the outcome's primary visit.

    Parameters
    ----------
    values
        ``outcome visit`` and others, visits by their names in the trial.
    design
        Outcomes and visits.

    Returns
    -------
    pd.DataFrame
        The rows of these visits, called ``baseline`` and ``followup``; those of other visits are left out.

    Examples
    --------
    >>> from .design import Outcome
    >>> from .visit import Visit
    >>> week0 = Visit(name='week0', session_id='ses-a', is_baseline=True)
    >>> week6, week12 = Visit(name='week6', session_id='ses-b', is_primary=True), Visit(name='week12', session_id='ses-c')
    >>> design = OutcomesDesign(treated=('yoga',), control='wait', outcomes=(Outcome(name='nrs'),), visits=(week0, week6, week12))
    >>> values = pd.DataFrame({'outcome': 'nrs', 'visit': ['week0', 'week6', 'week12'], 'value': [6.0, 4.0, 5.0]})
    >>> before_after(values, design)[['visit', 'value']].values.tolist()
    [['baseline', 6.0], ['followup', 4.0]]

    """
    names = {}
    for outcome in design.outcomes:
        if outcome.has_baseline and design.baseline:
            names[outcome.name, design.baseline.name] = BASELINE
        names[outcome.name, primary_visit(outcome, design.visits).name] = FOLLOWUP
    renamed = [names.get(place) for place in zip(values['outcome'], values['visit'])]
    found = values.assign(visit=pd.Series(renamed, index=values.index, dtype=object))
    return found[found['visit'].notna()].reset_index(drop=True)


def compared(people: pd.DataFrame, design: OutcomesDesign) -> pd.DataFrame:
    """Return the people of the first treated arm and of the control, with the columns that enter a model."""
    names = [name for name in people if name in ('participant_id', 'arm', *design.adjusted)]
    return people.loc[people['arm'].isin((design.treatment, design.control)), names].reset_index(drop=True)
