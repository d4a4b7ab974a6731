"""Outcomes that are no measurements, and values that are missing: models, scales, assumptions, ends of a search."""

from dataclasses import dataclass

from .statistics import Described
from .words import Words

ANALYSES = Words(
    'analysis',
    [
        Described(name='main', title='Main analysis', about='the analysis of the outcome'),
        Described(
            name='sensitivity', title='Sensitivity analysis', about='beside the main one, never in its place'
        ),
    ],
)

MAIN, SENSITIVITY = ANALYSES['main'].name, ANALYSES['sensitivity'].name


@dataclass(frozen=True, kw_only=True)
class Scale(Described):
    """What an effect is measured in; ratios are kept as natural logarithms."""

    is_ratio: bool = False


EFFECT_SCALES = Words(
    'scale of an effect',
    [
        Scale(name='difference', title='Difference in means', about='difference of adjusted means'),
        Scale(
            name='odds_ratio', title='Odds ratio', about='ratio of odds of the event, treated over control',
            is_ratio=True,
        ),
        Scale(
            name='common_odds_ratio', title='Common odds ratio',
            about='ratio of odds of any level or above, the same at every level', is_ratio=True,
        ),
        Scale(
            name='odds_ratio_each', title='Ratio of odds of each',
            about='ratio of odds of each of those that could be counted', is_ratio=True,
        ),
        Scale(
            name='rate_ratio', title='Rate ratio', about='ratio of events per unit of time at risk', is_ratio=True,
        ),
        Scale(name='risk_difference', title='Difference in risk', about='difference of standardised risks'),
        Scale(
            name='difference_of_counts', title='Difference in counts', about='difference of standardised mean counts',
        ),
        Scale(
            name='rate_difference', title='Difference in rate',
            about='difference of standardised events per unit of time at risk',
        ),
    ],
)  # fmt: skip

DIFFERENCE = EFFECT_SCALES['difference'].name

ADJUSTMENTS = Words(
    'adjustment of p',
    [
        Described(name='holm', title='Holm', about='step-down over the contrasts that are tested together'),
        Described(
            name='sequence',
            title='Fixed sequence',
            about='tested in the order of the trial file, the largest p so far',
        ),
    ],
)

DISCRETE_MODELS = Words(
    'model of a discrete outcome',
    [
        Described(name='logistic', title='Logistic regression', about='maximum likelihood; Wald, normal'),
        Described(
            name='logistic_firth', title="Logistic regression with Firth's penalty",
            about='penalised likelihood, where a cell is empty or data separate; profile of the likelihood',
        ),
        Described(
            name='proportional_odds', title='Proportional odds', about='maximum likelihood; Wald, normal',
        ),
        Described(
            name='proportional_odds_penalised', title="Proportional odds with Jeffreys' penalty",
            about='penalised likelihood, where data separate; profile of the likelihood',
        ),
        Described(
            name='quasi_binomial', title='Quasi-binomial regression',
            about='dispersion by Pearson; t on people minus coefficients',
        ),
        Described(name='negative_binomial', title='Negative binomial regression', about='maximum likelihood; Wald, normal'),
        Described(
            name='poisson', title='Poisson regression',
            about='the limit of the negative binomial, where counts vary no more than by chance; Wald, normal',
        ),
        Described(
            name='quasi_poisson', title='Quasi-Poisson regression',
            about='where the negative binomial has no maximum; dispersion by Pearson, t on people minus coefficients',
        ),
        Described(name='described', title='Description only', about='nothing is compared'),
    ],
)  # fmt: skip

MISSING_ASSUMPTIONS = Words(
    'assumption about missing values',
    [
        Described(
            name='at_random', title='Missing at random', about='given arm, covariates and all visits that were made',
        ),
        Described(
            name='jump_to_reference', title='Jump to reference',
            about='after the last visit people are as the control arm is on average',
        ),
        Described(
            name='copy_increments', title='Copy increments in reference',
            about='after the last visit people change as the control arm does on average',
        ),
    ],
)  # fmt: skip

TIPPING_ENDS = Words(
    'end of the search of a tipping point',
    [
        Described(name='reached', title='Reached', about='p is .05 or more from this shift on'),
        Described(name='not_reached', title='None', about='p stays below .05 over the whole range of the outcome'),
        Described(name='not_significant', title='None', about='p is .05 or more without any shift'),
        Described(name='nothing_missing', title='None', about='nobody has a value to shift'),
    ],
)  # fmt: skip

SHIFTED_ARMS = Words(
    'arms whose missing values are shifted',
    [
        Described(name='treated', title='All arms but control', about='values of all arms but control'),
        Described(name='both', title='All arms', about='values of every arm'),
    ],
)  # fmt: skip
