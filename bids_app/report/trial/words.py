"""What the tables of a trial abbreviate, in words, and their numbers as text."""

from collections.abc import Mapping
from typing import Any

from pipelines.figures.paths import write_interval

from ..person.results import FLAGS as SCAN_FLAGS
from ..person.results import split_flags
from ..person.tract import FLAGS as TRACT_FLAGS
from ..words import number

MODELS = {
    'clda': 'Constrained longitudinal analysis with covariates (primary)',
    'ancova': 'ANCOVA of people with both visits',
    'ancova_interaction': 'ANCOVA with a slope on baseline per arm',
    'clda_unadjusted': 'Constrained longitudinal analysis without covariates',
    'clda_mean_fd': 'With mean head movement as covariate',
    'clda_unflagged': 'Without flagged scans',
    'censored': 'Samples beyond a limit of detection as censored (primary)',
    'lod_half': 'Half the limit in their place, for comparison only',
    'plasma_volume': 'Censored, corrected for lost plasma',
}
BDNF_CONTRASTS = {
    'acute_s7': 'After against before session 7',
    'acute_s42': 'After against before session 42',
    'resting_change': 'Before session 42 against before session 7',
    'change_of_acute': 'Acute response, session 42 against session 7',
}
MAPS = {
    'armOnChange': 'Change between visits, arm against arm',
    'changeWithSymptoms': 'Change between visits with the change of the primary outcome',
    'meanBaseline': 'Mean at baseline',
    'meanFollowup': 'Mean at follow-up',
}
KINDS = {
    'NAc': 'Connectivity with the nucleus accumbens, both sides',
    'mPFC': 'Connectivity with the medial prefrontal cortex, both sides',
    'icc': 'Intrinsic connectivity',
    'NAcL': 'Connectivity with the left nucleus accumbens',
    'NAcR': 'Connectivity with the right nucleus accumbens',
    'mPFCL': 'Connectivity with the left medial prefrontal cortex',
    'mPFCR': 'Connectivity with the right medial prefrontal cortex',
}
METHODS = {'gsea': 'Gene set enrichment analysis', 'over_representation': 'Over-representation'}
STRUCTURES = {'single': 'one mediator', 'parallel': 'mediators side by side', 'serial': 'mediators in series'}
PATHS = {
    'a': 'Treatment on mediator',
    'b': 'Mediator on outcome',
    'd21': 'First mediator on second',
    'indirect': 'Indirect effect',
    'joint_indirect': 'Indirect effect through all mediators',
    'direct': 'Direct effect',
    'total': 'Total effect',
    'proportion': 'Proportion mediated',
    'rho_at_zero': 'Correlation of errors at which the indirect effect is zero',
    'interaction': 'Difference of the slopes between arms',
}
_LEADERS = 8  # genes of a set that the page names
ROLES = {'primary': 'Primary', 'secondary': 'Secondary', 'other': 'Other'}
DATA = {'connectivity': 'Connectivity', 'tract': 'Tract FA', 'bdnf': 'BDNF', 'expression': 'Gene expression'}

FLAGS = {
    **TRACT_FLAGS,
    **SCAN_FLAGS,
    'not_estimated': 'there is no estimate; the reason stands beside it',
    'covariate_missing': 'people without a value of a covariate are not in this model',
    'within_arm_not_randomised': 'a change within one arm, not a randomised comparison',
    'reference_post_randomisation': 'the first sample was drawn after randomisation and may itself be an '
    'effect of treatment',
    'exploratory': 'the gene set was not named before the data were seen',
    'no_baseline': 'a mediator or outcome has no value before treatment',
    'flagged_values': 'some values come from scans with quality flags',
    'degenerate_resamples': 'some resamples had no estimate',
    'total_not_away_from_zero': 'no proportion is given of a total effect that may be zero',
    'opposite_signs': 'no proportion is given of direct and indirect effects that oppose each other',
    'decimal_comma': 'written with a decimal comma, converted',
    'converted': 'converted to the units of the trial',
    'out_of_range': 'out of range: counts as missing',
    'prorated': 'total scaled up from the items that were answered',
    'items_missing': 'too many items without an answer',
}
"""Flags in words; one that is not listed is shown as it is."""


_RAISED = str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹')


def flag_words(flag: str) -> str:
    """Return what a flag means.

    Examples
    --------
    >>> flag_words('dropout_NAcL').endswith('unreliable (NAcL)'), flag_words('new')
    (True, 'new')

    """
    if flag in FLAGS:
        return FLAGS[flag]
    head, _, region = flag.partition('_')
    return f'{FLAGS[head]} ({region})' if head in FLAGS else flag.replace('_', ' ')


def flag_list(text: Any) -> list[str]:
    """Return the flags of a cell, whether commas or spaces part them.

    Examples
    --------
    >>> flag_list('short high_motion'), flag_list('n/a'), flag_list('short, high_motion')
    (['short', 'high_motion'], [], ['short', 'high_motion'])

    """
    return [word for part in split_flags(text) for word in part.split()]


def reason_words(reason: str) -> str:
    """Return the reason for a gap or a flag, flags in words.

    Examples
    --------
    >>> reason_words('items_missing'), reason_words('no sample')
    ('too many items without an answer', 'no sample')

    """
    words = flag_list(reason)
    is_flags = all(word in FLAGS or word.partition('_')[0] in FLAGS for word in words)
    return '; '.join(map(flag_words, words)) if words and is_flags else reason


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


def significant(value: Any, digits: int = 3) -> str:
    """Return a number with three significant digits, without an exponent where it can be read without.

    Examples
    --------
    >>> significant('0.012345'), significant('1234.5'), significant('n/a'), significant('-2e-7')
    ('0.0123', '1,234', 'n/a', '−2.00e-07')

    """
    found = number(value)
    if found is None:
        return 'n/a'
    text = f'{found:,.0f}' if abs(found) >= 1000 else f'{found:#.{digits}g}'.rstrip('.')
    return text.replace('-', '−', 1)


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
        flag_words, flag_list, reason_words, p_value, small_p, with_sign, estimate, interval, significant, count,
        leaders,
    )
}  # fmt: skip
"""The functions above by their names in the template."""
