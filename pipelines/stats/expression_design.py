"""Which samples of gene expression are compared, and the design of their comparison."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.errors import DataError

from .counts import VISITS, Pairs, pair_samples
from .expression_contrasts import change_column
from .outcomes import encode
from .remarks import enumerated
from .told_apart import arms_without_link

MIN_PAIRS = 2
"""People with two samples that a model needs in each arm and at each visit."""


class Arranged(NamedTuple):
    """Samples as they enter the model.

    Attributes
    ----------
    pairs
        Samples that enter, and those that do not.
    n_pairs
        People by arm.
    design, dropped
        Of :func:`paired_design`.

    """

    pairs: Pairs
    n_pairs: dict[str, int]
    design: pd.DataFrame
    dropped: list[str]


def paired_design(
    samples: pd.DataFrame, *, covariates: Sequence[str] = (), visits: Sequence[str] = VISITS
) -> tuple[pd.DataFrame, list[str]]:
    """Return the design ``~ participant + arm:visit + covariates`` and covariates left out.

    Parameters
    ----------
    samples
        Of people with two or more, see :func:`~pipelines.stats.counts.pair_samples`.
    covariates
        Columns: numbers, which are standardised, or words, a 0/1 column per level but the first.
    visits
        In their order; change is counted from the first.

    Returns
    -------
    tuple
        (samples, people + arms x later visits + k) table by sample, and the names of what is constant within
        everyone: the intercept of a person explains it.

    Raises
    ------
    DataError
        A covariate tells the visits, or another covariate, apart.

    """
    people = samples['participant_id'].astype(str)
    design = pd.DataFrame({f'participant[{who}]': (people == who).astype(float) for who in people.unique()})
    for arm in samples['arm'].unique():
        for visit in visits[1:]:
            own = (samples['arm'] == arm) & (samples['visit'] == visit)
            design[change_column(arm, visit)] = own.astype(float)
    dropped = []
    for name, values in encode(samples[list(covariates)]).items():
        within = values - values.groupby(people).transform('mean')
        if np.allclose(within, 0, atol=1e-9 * max(np.abs(values).max(), 1e-300)):
            dropped.append(str(name))
            continue
        is_code = values.isin((0, 1)).all()
        column = values if is_code else (values - values.mean()) / values.std()
        wider = design.assign(**{str(name): column})
        if np.linalg.matrix_rank(wider) < wider.shape[1]:
            raise DataError(
                f'covariate {name} repeats the visits or another covariate ({", ".join(covariates)}); leave it out'
            )
        design = wider
    return design.set_index(pd.Index(samples['sample_id'])), dropped


def arrange_pairs(
    samples: pd.DataFrame,
    *,
    arms: Sequence[str],
    covariates: Sequence[str] = (),
    visits: Sequence[str] = VISITS,
) -> Arranged:
    """Return the samples that can be analysed, of how many people they are, and their design.

    Parameters
    ----------
    samples, arms, covariates, visits
        As for :func:`~pipelines.stats.expression.differential_expression`.

    Raises
    ------
    DataError
        Fewer than two people in an arm at a visit, visits of an arm that nobody links, an unknown arm, or more
        coefficients than samples.

    """
    pairs = pair_samples(samples, covariates, visits)
    n_pairs = _count_people(samples, pairs.paired, arms, visits)
    design, dropped = paired_design(pairs.paired, covariates=covariates, visits=visits)
    if len(design) <= design.shape[1]:
        raise DataError(
            f'{len(design)} samples cannot support {design.shape[1]} coefficients; leave out covariates '
            f'({", ".join(covariates) or "there are none"}) or add pairs'
        )
    return Arranged(pairs, n_pairs, design, dropped)


def _count_people(
    samples: pd.DataFrame, paired: pd.DataFrame, arms: Sequence[str], visits: Sequence[str]
) -> dict[str, int]:
    found = [arm for arm in arms if (samples['arm'] == arm).any()]
    if strange := sorted(set(samples['arm']) - set(arms)):
        raise DataError(f'arm {", ".join(strange)} of the samples is none of {", ".join(arms)}')
    for arm in found:
        own = paired[paired['arm'] == arm]
        for visit in visits:
            n = int((own['visit'] == visit).sum())
            if n < MIN_PAIRS:
                raise DataError(
                    f'arm {arm}: {n} people with a sample of {visit}, another one and all covariates, '
                    f'{MIN_PAIRS} are needed; leave out covariates, or the samples of this arm or visit'
                )
        # visits stand to people as arms to the levels of a category
        if parts := arms_without_link(own['visit'], own['participant_id']):
            apart = ' and '.join(enumerated(part) for part in parts)
            raise DataError(
                f'arm {arm}: nobody has samples that link {apart}, so that there is no change from one to the other; '
                'leave out a visit, or the samples of this arm'
            )
    return {arm: int(paired.loc[paired['arm'] == arm, 'participant_id'].nunique()) for arm in found}
