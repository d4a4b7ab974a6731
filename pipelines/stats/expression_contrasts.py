"""What is asked of the change of gene expression, in any number of arms and visits."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.terms import EXPRESSION_CONTRASTS, ReferenceKind

from .remarks import enumerated

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class ExpressionContrast:
    """A question to the change of expression.

    Attributes
    ----------
    name
        In tables and names of files.
    kind
        One of :data:`~pipelines.terms.EXPRESSION_CONTRASTS`.
    title
        In words.
    arms, visits
        Whose changes, and to which visits.
    is_joint
        Whether it asks for several changes at once, which have no sign.

    """

    name: str
    kind: str
    title: str
    arms: tuple[str, ...]
    visits: tuple[str, ...]
    is_joint: bool = False


@dataclass(frozen=True, kw_only=True)
class ExpressionDesign:
    """What models and figures are told of samples.

    Attributes
    ----------
    arms
        Of the trial, the control last.
    covariates
        Of samples.
    contrasts
        In their order.
    visits
        Name and label of each visit, in their order.
    reference
        Whether the first sample was drawn after randomisation.

    """

    arms: tuple[str, ...]
    covariates: tuple[str, ...]
    contrasts: tuple[ExpressionContrast, ...]
    visits: tuple[tuple[str, str], ...]
    reference: ReferenceKind

    @property
    def with_sign(self) -> list[ExpressionContrast]:
        """Return the contrasts of one change, which has a sign."""
        return [contrast for contrast in self.contrasts if not contrast.is_joint]

    def in_order(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Return samples by their visits."""
        order = list(dict(self.visits))
        return samples.sort_values('visit', key=lambda own: own.map(order.index), kind='stable')


def change_column(arm: str, visit: str) -> str:
    """Return the name of the coefficient that is the change of an arm to a visit."""
    return f'change[{arm}, {visit}]'


def contrasts_of(
    present: Sequence[str], arms: Sequence[str], visits: Mapping[str, str]
) -> list[ExpressionContrast]:
    """Return what can be asked: differences in change first, then changes, each visit before all of them.

    Parameters
    ----------
    present
        Arms that have samples.
    arms
        Of the trial, the control last.
    visits
        Name and label of each visit, in their order.

    Notes
    -----
    A difference is of a treated arm against the control.  Where there are several, all are tested at once as well:
    those of an arm over its visits, and those of all arms; and all changes of all arms.

    Examples
    --------
    >>> two = {'reference': 'week 3', 'followup': 'week 14'}
    >>> [each.name for each in contrasts_of(['yoga', 'wait'], ['yoga', 'wait'], two)]
    ['difference', 'change_treatment', 'change_control', 'any_change']
    >>> [each.name for each in contrasts_of(['wait'], ['yoga', 'wait'], two)]
    ['change_control']

    """
    *treated, control = arms
    later = dict(list(visits.items())[1:])
    own = [arm for arm in treated if arm in present]
    compared = own if control in present else []
    labels, found = _labels([*arms, *later.values()]), []
    for arm in compared:
        found += _of_visits('difference', (arm, control), later, labels, names_arm=len(compared) > 1)
        if len(later) > 1 and len(compared) > 1:
            found.append(_joint('any_difference', (arm, control), later, labels[arm]))
    if len(compared) * len(later) > 1:
        found.append(_joint('any_difference', (*compared, control), later))
    for arm in own:
        found += _of_visits('change_treatment', (arm,), later, labels, names_arm=len(own) > 1)
    if control in present:
        found += _of_visits('change_control', (control,), later, labels, names_arm=False)
    if len(present) * len(later) > 1:
        found.append(_joint('any_change', tuple(arm for arm in arms if arm in present), later))
    return found


def _labels(words: Sequence[str]) -> dict[str, str]:
    """Return letters and digits of each name, with a number where they are those of another."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(words):
        label = re.sub('[^A-Za-z0-9]', '', name)
        taken = {own.casefold() for own in found.values()}
        unlike = (f'{label}{number or ""}' for number in count())
        found[name] = next(each for each in unlike if each and each.casefold() not in taken)
    return found


def _of_visits(
    kind: str, arms: tuple[str, ...], later: Mapping[str, str], labels: Mapping[str, str], *, names_arm: bool
) -> list[ExpressionContrast]:
    """Return a contrast for each later visit; names tell arm and visit where there are several."""
    title, found = EXPRESSION_CONTRASTS[kind].title.format(treatment=arms[0], control=arms[-1]), []
    for visit, words in later.items():
        ends = [labels[arms[0]]] * names_arm + [labels[words]] * (len(later) > 1)
        said = f'{title}, {words}' if len(later) > 1 else title
        name = '_'.join([kind, *ends])
        found.append(ExpressionContrast(name=name, kind=kind, title=said, arms=arms, visits=(visit,)))
    return found


def _joint(kind: str, arms: tuple[str, ...], later: Mapping[str, str], *ends: str) -> ExpressionContrast:
    compared = arms[:-1] if kind == 'any_difference' else arms
    title = EXPRESSION_CONTRASTS[kind].title.format(treatment=enumerated(compared), control=arms[-1])
    name = '_'.join([kind, *ends])
    return ExpressionContrast(
        name=name, kind=kind, title=title, arms=arms, visits=tuple(later), is_joint=True
    )


def weights_of(design: pd.DataFrame, contrast: ExpressionContrast) -> Array:
    """Return the weights (coefficients, degrees of freedom) of a contrast.

    Raises
    ------
    ValueError
        If its kind is unknown.

    """
    columns = []
    for visit in contrast.visits:
        changes = [pd.Series(0.0, design.columns) for _ in contrast.arms]
        for change, arm in zip(changes, contrast.arms):
            change[change_column(arm, visit)] = 1
        match contrast.kind:
            case 'difference' | 'any_difference':
                columns += [change - changes[-1] for change in changes[:-1]]
            case 'change_treatment' | 'change_control' | 'any_change':
                columns += changes
            case other:
                raise ValueError(f'{other} is no kind of contrast')
    return np.column_stack(columns)


def turned_to(design: pd.DataFrame, contrast: ExpressionContrast) -> tuple[pd.DataFrame, int]:
    """Return the design in coefficients of which one is a contrast, and which that is.

    A difference is a coefficient where the control's change is one of both arms.
    """
    (visit,) = contrast.visits
    turned, column = design.astype(float), change_column(contrast.arms[0], visit)
    if contrast.kind == 'difference':
        turned[change_column(contrast.arms[-1], visit)] += turned[column]
    return turned, turned.columns.get_loc(column)
