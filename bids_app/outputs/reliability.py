"""The tables of how far values of images can be trusted."""

from pipelines.terms import REPEATS

from .group import levels, table_row

_RELIABILITY = {
    'repeated': {'Description': 'what was measured more than once', 'Levels': levels(REPEATS)},
    'visits': {'Description': 'at which'},
    'n': {'Description': 'people with all measurements'},
    'k': {'Description': 'measurements of each'},
    'reliability': {
        'Description': 'ICC(C,1) of the value of a visit: of halves and runs by Spearman and Brown'
    },
    'icc_consistency': {
        'Description': 'ICC(C,1) of one measurement; a shift of everybody between them is no error'
    },
    'icc_absolute': {'Description': 'ICC(A,1) of one measurement; such a shift is an error'},
    'sem_consistency': {'Description': 'standard error of the value of a visit'},
    'sem_absolute': {'Description': 'the same, a shift of everybody counted'},
    'mdc': {'Description': 'minimal detectable change of a person: error alone exceeds it in 5 % of people'},
    'cv': {'Description': 'standard error over the mean; n/a where 0 is not the end of the scale'},
    'note': {'Description': 'why a number is missing'},
}
_CHANGES = {
    'change': {'Description': 'from the first to the primary visit'},
    'repeated': _RELIABILITY['repeated'],
    'mdc': _RELIABILITY['mdc'],
    'is_beyond': {'Description': 'whether the change is larger in size'},
}

RELIABILITY = (
    table_row('reliability', 'Reliability of imaging outcomes, a row per kind of repetition', _RELIABILITY),
    table_row('reliable_changes', 'Change of every person beside the minimal detectable change', _CHANGES),
)
