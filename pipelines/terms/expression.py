"""Gene expression: contrasts, what its first sample is, and how sets of genes are tested."""

from dataclasses import dataclass
from typing import Literal

from .statistics import Described
from .words import Words

EXPRESSION_CONTRASTS = Words(
    'contrast of expression',
    [
        Described(
            name='difference', title='Difference in change, {treatment} minus {control}',
            about='change of a treated arm minus change of the control arm',
        ),
        Described(
            name='change_treatment', title='Change within {treatment}',
            about='change of a treated arm, not randomised',
        ),
        Described(
            name='change_control', title='Change within {control}', about='change of the control arm, not randomised',
        ),
        Described(
            name='any_difference', title='Any difference in change, {treatment} against {control}',
            about='F of all differences in change at once, of several arms or visits',
        ),
        Described(
            name='any_change', title='Any change within {treatment}',
            about='F of the changes of all arms at once, not randomised',
        ),
    ],
)  # fmt: skip
"""Titles name the arms in braces; with several arms or visits their labels follow the name."""

ReferenceKind = Literal['baseline', 'postRandomisation']

REFERENCES = Words(
    'first sample of expression',
    [
        Described(name='baseline', title='Before treatment', about=''),
        Described(
            name='postRandomisation', title='After randomisation',
            about='The first sample is a reference, not a baseline: it was drawn after randomisation.',
        ),
    ],
)  # fmt: skip
"""What is said of it."""

FALSE_DISCOVERY_RATE = 0.1
"""Rate below which a gene is called."""


@dataclass(frozen=True, kw_only=True)
class SetMethod(Described):
    """A test of gene sets; ``is_ranked``: of genes in the order of their changes, which need a sign."""

    is_ranked: bool = False


SET_METHODS = Words(
    'test of gene sets',
    [
        SetMethod(
            name='gsea', title='Gene set enrichment analysis', is_ranked=True,
            about='place in the ranking of all genes by the root of F with the sign of the fold change',
        ),
        SetMethod(
            name='over_representation', title='Over-representation',
            about='share among the called genes (hypergeometric)',
        ),
    ],
)  # fmt: skip


def methods_of_sets(*, is_joint: bool) -> list[str]:
    """Return the tests of sets that a contrast can have: one of several changes at once has no sign.

    Examples
    --------
    >>> methods_of_sets(is_joint=True)
    ['over_representation']

    """
    return [method.name for method in SET_METHODS.values() if not (is_joint and method.is_ranked)]
