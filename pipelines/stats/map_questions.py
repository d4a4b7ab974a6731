"""Who enters a voxel-wise test, and what is asked of them: regressors, covariates, variances and blocks."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, assert_never

import numpy as np
import pandas as pd

from ..errors import DataError
from .map_tests import MapsDesign, MapTest
from .outcome_data import encode
from .question import Question
from .rearrange import Blocks

LEAST_PER_ARM = 3
"""People of an arm that a comparison needs; an arm with fewer is left out of it."""

_SPARE = 2  # people of an arm beyond the columns of the design, from which on it has a variance of its own


class MapQuestion(NamedTuple):
    """What is asked of whom.

    Attributes
    ----------
    people
        Who enters, in the order of the table of people.
    question
        None: whether their mean is 0.
    covariate
        The visit whose map is a covariate of each voxel; empty: none.
    blocks
        Of signs, where there is no question.
    facts
        What a sidecar says of it.

    """

    people: list[str]
    question: Question | None
    covariate: str
    blocks: Blocks | None
    facts: dict[str, Any]


def ask(
    test: MapTest,
    design: MapsDesign,
    people: pd.DataFrame,
    symptoms: pd.DataFrame,
    seen: Mapping[str, Sequence[str]],
) -> MapQuestion:
    """Return what a test asks of the people who have what it needs.

    Parameters
    ----------
    test, design
        Of :func:`~pipelines.stats.map_tests.map_tests`.
    people
        ``participant_id arm``, covariates and blocks.
    symptoms
        Values of the primary outcome, people (index) by visits.
    seen
        Who has maps at each visit.

    Raises
    ------
    DataError
        An arm that is compared has too few people.

    Notes
    -----
    Every arm has a variance of its own where each has at least two people more than the design has columns beside
    the arms, by counts and never by a look at the variances; residuals then get signs, and stay with their people.
    Else all have the same, and people change places.

    Blocks are wholes where nobody of a block is in another arm than the others: then nothing can be exchanged within
    it, and the columns of blocks, which would be combinations of the arms, are left out.

    """
    own = people[[all(label in seen[visit] for visit in test.visits) for label in people['participant_id']]]
    own = own[own['arm'].isin(design.arms)].set_index('participant_id')
    if design.blocks:
        if design.blocks not in own:
            raise DataError(
                f'{test.name}: the table of people has no column {design.blocks}, which names the blocks'
            )
        own = own[own[design.blocks].notna()]
    match test.term.asks:
        case 'mean':
            blocks = _blocks(own, design)
            kept = blocks if blocks and blocks.is_whole else None
            return MapQuestion(list(own.index), None, '', kept, _rearranged(kept, design, has_signs=True))
        case 'symptoms':
            return _of_symptoms(test, design, own, symptoms)
        case 'arms' | 'arm':
            return _of_arms(test, design, own)
        case _:
            assert_never(test.term.asks)


def _of_symptoms(
    test: MapTest, design: MapsDesign, people: pd.DataFrame, symptoms: pd.DataFrame
) -> MapQuestion:
    values = symptoms.reindex(index=people.index, columns=list(test.visits)).to_numpy(float)
    change = pd.Series(values @ np.array(test.weights), people.index)
    own = people[change.notna()]
    blocks = _blocks(own, design)
    if blocks:
        blocks = blocks._replace(is_whole=False)  # symptoms differ within a block, whatever its arm
    nuisance = _varying(encode(own[[design.blocks]]) if design.blocks else pd.DataFrame(index=own.index))
    groups = _groups(own, nuisance.shape[1])
    question = Question(tested=change[own.index].to_numpy(), nuisance=nuisance, groups=groups, blocks=blocks)
    return MapQuestion(list(own.index), question, '', None, _about(groups, blocks, design, ''))


def _of_arms(test: MapTest, design: MapsDesign, people: pd.DataFrame) -> MapQuestion:
    names = [name for name in design.adjusted if name in people]
    known = people[people[names].notna().all(axis=1)]
    counts = known['arm'].value_counts()
    arms = [arm for arm in design.arms if counts.get(arm, 0) >= LEAST_PER_ARM]
    lacking = [arm for arm in (design.control, test.arm) if arm and arm not in arms]
    if lacking or (not test.arm and len(arms) < 3):
        raise DataError(
            f'{test.name}: {" and ".join(lacking) or "all arms but two"} have fewer than {LEAST_PER_ARM} people with maps at '
            f'{" and ".join(test.visits)} and all covariates'
        )
    own = known[known['arm'].isin(arms)]
    blocks = _blocks(own, design)
    if blocks and blocks.is_whole:
        names = [name for name in names if name != design.blocks]
    covariates, treated = _varying(encode(own[names])), [arm for arm in arms if arm != design.control]
    dummies = {arm: (own['arm'] == arm).to_numpy(float) for arm in treated}
    tested = [test.arm] if test.arm else treated
    nuisance = np.column_stack([covariates, *(dummies[arm] for arm in treated if arm not in tested)])
    visit = test.visits[0] if design.is_randomised and test.term.of in ('change', 'slope') else ''
    groups = _groups(own, covariates.shape[1] + bool(visit))
    question = Question(
        tested=np.column_stack([dummies[arm] for arm in tested]),
        nuisance=nuisance,
        groups=groups,
        blocks=blocks,
    )
    facts = {'NumberOfPeopleOfArms': {arm: int(counts[arm]) for arm in arms}, 'Covariates': list(own[names])}
    return MapQuestion(list(own.index), question, visit, None, facts | _about(groups, blocks, design, visit))


def _varying(covariates: pd.DataFrame) -> np.ndarray:
    """Return a constant and the columns that vary (n, k)."""
    kept = [name for name in covariates if covariates[name].nunique() > 1]
    return np.column_stack([np.ones(len(covariates)), covariates[kept].to_numpy(float)])


def _groups(people: pd.DataFrame, n_columns: int) -> np.ndarray | None:
    counts = people['arm'].value_counts()
    if len(counts) < 2 or counts.min() < n_columns + _SPARE:
        return None
    return people['arm'].to_numpy(str)


def _blocks(people: pd.DataFrame, design: MapsDesign) -> Blocks | None:
    if not design.blocks:
        return None
    n_arms = people.groupby(design.blocks, observed=True)['arm'].nunique()
    return Blocks(people[design.blocks].astype(str).to_numpy(str), bool((n_arms == 1).all()))


def _about(
    groups: np.ndarray | None, blocks: Blocks | None, design: MapsDesign, visit: str
) -> dict[str, Any]:
    facts = {'Variances': 'common' if groups is None else 'of each arm'}
    rearranged = _rearranged(blocks, design, has_signs=groups is not None)
    return facts | ({'CovariateMap': visit} if visit else {}) | rearranged


def _rearranged(blocks: Blocks | None, design: MapsDesign, *, has_signs: bool) -> dict[str, Any]:
    """Return what chance would have arranged otherwise: people, or the signs of their residuals."""
    match (has_signs, blocks):
        case (True, Blocks(is_whole=True)):
            what = f'signs, one for each {design.blocks}'
        case (True, _):
            what = 'signs'
        case (False, None):
            what = 'people'
        case (False, Blocks(is_whole=True)):
            what = f'{design.blocks} as wholes'
        case _:
            what = f'people within {design.blocks}'
    return {'Exchangeability': what}
