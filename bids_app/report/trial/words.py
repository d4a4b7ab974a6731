"""What the tables of a trial abbreviate, in words, and their numbers as text."""

from collections.abc import Mapping
from typing import Any

from pipelines import terms
from pipelines.figures.paths import write_interval
from pipelines.terms import flag_words, is_flag, split_flags

from ..fold import folded
from ..words import number, significant

BIOMARKER_TITLES = terms.BIOMARKER_MODELS.titles()
TEST_TITLES = terms.MAP_CONTRASTS.titles()
MEANS = tuple(name for name, term in terms.MAP_CONTRASTS.items() if term.asks == 'mean')
TAIL_TITLES = terms.TAILS.titles()
METHOD_TITLES = terms.SET_METHODS.titles()
_LEADERS = 8  # genes of a set that the page names
DATA_TITLES = {
    'participant': 'Everything',
    'scans': 'Scans',
    'connectivity': 'Connectivity',
    'maps': 'Maps',
    'tract': 'Tract FA',
    'expression': 'Gene expression',
}

_RAISED = str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹')


def map_kinds(circuit: terms.Circuit) -> dict[str, terms.Map]:
    """Return the kinds of maps by name, the main ones first."""
    kinds = terms.map_words(circuit.seeds).values()
    return {kind.name: kind for kind in sorted(kinds, key=lambda kind: not kind.is_main)}


def reason_words(reason: str) -> str:
    """Return the reason for a gap or a flag, flags in words.

    Examples
    --------
    >>> reason_words('items_missing'), reason_words('no sample')
    ('too many items without an answer', 'no sample')

    """
    words = split_flags(reason)
    return '; '.join(map(flag_words, words)) if words and all(map(is_flag, words)) else reason


def p_value(value: Any) -> str:
    """Return a p value with three digits.

    Examples
    --------
    >>> p_value('0.0123'), p_value('1e-9'), p_value('n/a')
    ('0.012', '< 0.001', 'n/a')

    """
    found = number(value)
    if found is None:
        return 'n/a'
    return '< 0.001' if found < 0.001 else f'{found:.3f}'


def small_p(value: Any) -> str:
    """Return a p value as a power of ten where it is small: among thousands of genes most are.

    Examples
    --------
    >>> small_p('0.0123'), small_p('1.26e-9'), small_p('n/a')
    ('0.012', '1.3 × 10⁻⁹', 'n/a')

    """
    found = number(value)
    if not found or found >= 0.001:
        return p_value(value)
    digits, _, power = f'{found:.1e}'.partition('e')
    return f'{digits} × 10{str(int(power)).translate(_RAISED)}'


def with_sign(value: Any) -> str:
    """Return a p value with what stands between it and the letter p.

    Examples
    --------
    >>> with_sign('0.5'), with_sign('0')
    ('= 0.500', '< 0.001')

    """
    text = p_value(value)
    return text if text.startswith('<') else f'= {text}'


def estimate(
    row: Mapping[str, Any], name: str = 'estimate', low: str = 'ci_low', high: str = 'ci_high'
) -> str:
    """Return an estimate rounded to two digits of its interval; ``n/a`` without one.

    Examples
    --------
    >>> estimate({'estimate': '-1.962', 'ci_low': '-2.66', 'ci_high': '-1.26'})
    '−1.96'

    """
    return _written(row, name, low, high)[0]


def interval(
    row: Mapping[str, Any], name: str = 'estimate', low: str = 'ci_low', high: str = 'ci_high'
) -> str:
    """Return the interval of an estimate as ``low to high``; ``n/a`` without one.

    Examples
    --------
    >>> interval({'estimate': '-1.962', 'ci_low': '-2.66', 'ci_high': '-1.26'})
    '−2.66 to −1.26'

    """
    text = _written(row, name, low, high)[1]
    return text.strip('[]').replace(', ', ' to ') or 'n/a'


def _written(row: Mapping[str, Any], *names: str) -> tuple[str, str]:
    found = [number(row.get(name)) for name in names]
    values = [float('nan') if value is None else value for value in found]
    return write_interval(*values)


def count(value: Any) -> str:
    """Return a whole number.

    Examples
    --------
    >>> count('12000.0'), count('n/a')
    ('12,000', 'n/a')

    """
    found = number(value)
    return 'n/a' if found is None else f'{found:,.0f}'


def leaders(genes: str) -> str:
    """Return the first genes of a leading edge; all of them stand in the table.

    Examples
    --------
    >>> leaders('IL6;TNF'), leaders('n/a')
    ('IL6, TNF', '')

    """
    names = [] if genes == 'n/a' else genes.split(';')
    more = f' and {len(names) - _LEADERS} more' if len(names) > _LEADERS else ''
    return ', '.join(names[:_LEADERS]) + more


TRIAL_FILTERS = {
    filter_.__name__: filter_
    for filter_ in (
        flag_words, split_flags, reason_words, p_value, small_p, with_sign, estimate, interval, significant, count,
        leaders, folded,
    )
}  # fmt: skip
"""The functions above by their names in the template."""
