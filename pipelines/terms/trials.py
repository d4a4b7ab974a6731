"""Shapes of a trial: kinds of outcomes, what sites are to a model, and what a report tells that no data can."""

from dataclasses import dataclass
from typing import Literal

from .words import Term, Words


@dataclass(frozen=True, kw_only=True)
class Kind(Term):
    """A kind of outcome.

    Attributes
    ----------
    values
        What a cell of it may be.
    model, model_alone
        How it is compared between arms, in words, with a value at baseline and without.
    summary
        What the comparison is told as.

    """

    values: str
    model: str
    model_alone: str
    summary: str


KINDS = Words(
    'type of outcome',
    [
        Kind(
            name='continuous', title='Continuous', values='numbers',
            model='linear model of all visits with an unstructured covariance, by REML',
            model_alone='linear model of the visits after baseline, by REML',
            summary='difference in means',
        ),
        Kind(
            name='binary', title='Binary', values='0 and 1, or two words of which `Responder` is the one that counts',
            model='logistic regression, adjusted for baseline', model_alone='logistic regression',
            summary='odds ratio and difference in risk',
        ),
        Kind(
            name='ordinal', title='Ordinal', values='numbers, or the words of `Levels`',
            model='proportional odds, adjusted for baseline', model_alone='proportional odds',
            summary='odds ratio, and difference in the share of people at the level `Responder` or better',
        ),
        Kind(
            name='count', title='Count', values='whole numbers from 0, up to `Maximum` where there is one',
            model='quasi-binomial of the maximum, or negative binomial, adjusted for baseline',
            model_alone='quasi-binomial of the maximum, or negative binomial',
            summary='odds ratio of attending, or ratio of rates',
        ),
    ],
)  # fmt: skip
"""What `Type` of an outcome may be."""

KINDS_IN_PART = Words(
    'kind of outcome in part',
    [
        Kind(
            name='bounded_count', title='Count up to a maximum', values=KINDS['count'].values,
            model='quasi-binomial regression, adjusted for baseline', model_alone='quasi-binomial regression',
            summary='odds ratio of each that could be counted, and difference in counts',
        ),
        Kind(
            name='unbounded_count', title='Count', values=KINDS['count'].values,
            model='negative binomial regression, adjusted for baseline', model_alone='negative binomial regression',
            summary='ratio of rates and difference in rates',
        ),
        Kind(
            name='levels_alone', title='Levels without a responder', values=KINDS['ordinal'].values,
            model=KINDS['ordinal'].model, model_alone=KINDS['ordinal'].model_alone, summary='odds ratio',
        ),
    ],
)  # fmt: skip
"""What is said of one outcome, where a type is compared in several ways."""


@dataclass(frozen=True, kw_only=True)
class SiteUse(Term):
    """What sites are to a model; ``remark`` says in its results where that is not what was asked."""

    remark: str = ''


SITE_USES = Words(
    'use of sites',
    [
        SiteUse(name='fixed', title='fixed effects'),
        SiteUse(
            name='random', title='random intercepts in models of all visits, fixed effects in others',
            remark='sites enter as fixed effects, not as random ones',
        ),
        SiteUse(name='blocks', title='fixed effects, and blocks within which people change places in tests of maps'),
    ],
)  # fmt: skip
"""What `As` of `Sites` may be."""


@dataclass(frozen=True, kw_only=True)
class Reported(Term):
    """What a report of a trial tells and no table of it holds.

    Attributes
    ----------
    holds
        A sentence or two; a whole number; numbers by reason; numbers by arm and reason; a text for each arm; two
        dates; or an object of its own.
    about
        What is asked for.
    of_randomised
        Only where arms were allocated at random.

    """

    holds: Literal['text', 'number', 'numbers', 'numbers of arms', 'texts of arms', 'dates', 'object']
    about: str
    of_randomised: bool = False


REPORTED = Words(
    'item of reporting',
    [
        Reported(name='Registration', title='Registration', holds='text', about='registry, number, and when it was registered'),
        Reported(name='Protocol', title='Protocol', holds='text', about='where the protocol can be read'),
        Reported(name='AnalysisPlan', title='Statistical analysis plan', holds='text', about='where it can be read, and its date'),
        Reported(name='DataSharing', title='Sharing of data', holds='text', about='what can be had from whom, and how'),
        Reported(name='Funding', title='Funding', holds='text', about='who paid, and what else they did'),
        Reported(name='Conflicts', title='Conflicts of interest', holds='text', about='of those who did the trial'),
        Reported(name='Involvement', title='Involvement of patients and the public', holds='text', about='in design, conduct and report'),
        Reported(name='Changes', title='Changes after the trial began', holds='text', about='of methods and outcomes, with reasons'),
        Reported(name='Setting', title='Setting', holds='text', about='where the trial was done'),
        Reported(name='Eligibility', title='Eligibility', holds='text', about='who could take part'),
        Reported(name='Interventions', title='Interventions', holds='texts of arms', about='what each arm received, so that others can repeat it'),
        Reported(name='SampleSize', title='Sample size', holds='text', about='how it was chosen'),
        Reported(name='Stopping', title='Interim analyses and end', holds='text', about='interim looks, rules for stopping, why the trial ended'),
        Reported(
            name='Allocation', title='Allocation', holds='object', of_randomised=True,
            about='how the sequence was made and restricted, how it was concealed, who enrolled and assigned',
        ),
        Reported(name='Blinding', title='Blinding', holds='text', about='who did not know the arm, and how'),
        Reported(name='Recruitment', title='Dates of recruitment', holds='dates', about='first and last'),
        Reported(name='FollowUp', title='Dates of follow-up', holds='dates', about='first and last'),
        Reported(name='Screened', title='Assessed for eligibility', holds='number', about='people'),
        Reported(name='Excluded', title='Excluded before allocation', holds='numbers', about='people by reason'),
        Reported(name='Losses', title='Losses after allocation', holds='numbers of arms', about='people by arm and reason'),
        Reported(name='Harms', title='Harms', holds='object', about='how they were defined and asked for, and people at risk by arm'),
    ],
)  # fmt: skip
"""Keys of the part `Reporting`: what CONSORT 2025 asks for beside the data."""

VISIT_TITLES = {'baseline': 'Baseline', 'followup': 'Follow-up'}
"""Titles of the visits whose names are words; every other visit is called by its name."""
