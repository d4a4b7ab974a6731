"""Numbers and names of the report as text: the filters of its templates."""

import re
from typing import Any


def fixed(value: Any, digits: int = 2) -> str:
    """Return a number with a true minus sign; ``n/a`` for none.

    Examples
    --------
    >>> fixed('-0.123'), fixed('n/a'), fixed(-0.001)
    ('−0.12', 'n/a', '0.00')

    """
    found = number(value)
    if found is None:
        return 'n/a'
    text = f'{found:.{digits}f}'
    return text.replace('-', '' if float(text) == 0 else '−')


def percent(value: Any) -> str:
    """Return a share in percent; ``n/a`` for none.

    Examples
    --------
    >>> percent('0.417'), percent('-0.12')
    ('42 %', '−12 %')

    """
    found = number(value)
    return 'n/a' if found is None else f'{fixed(100 * found, 0)} %'


def thousandths(value: Any) -> str:
    """Return a number in units of a thousandth; ``n/a`` for none.

    Examples
    --------
    >>> thousandths('0.00074')
    '0.740'

    """
    found = number(value)
    return 'n/a' if found is None else f'{1e3 * found:.3f}'


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


def anchor(text: str) -> str:
    """Return a text as the target of a link.

    Examples
    --------
    >>> anchor('sub-02_ses-pre 1')
    'sub-02_ses-pre-1'

    """
    return '-'.join(text.split())


def capitalised(text: str) -> str:
    """Return a text with its first letter large and the others as they are.

    Examples
    --------
    >>> capitalised('session T1')
    'Session T1'

    """
    return text[:1].upper() + text[1:]


def label(help_text: str) -> str:
    """Return the first words of an option's help.

    Examples
    --------
    >>> label('nucleus accumbens: harvard-oxford, sphere:X,Y,Z,R'), label('lower edge (0 = none)')
    ('Nucleus accumbens', 'Lower edge')

    """
    return capitalised(re.split(r' \(|[:;]', help_text)[0])


def moment(started: str) -> str:
    """Return date and time of a run to the minute.

    Examples
    --------
    >>> moment('20260102-101112'), moment('2026-01-02T10:11:12')
    ('2026-01-02 10:11', '2026-01-02 10:11')

    """
    return re.sub(r'^(\d{4})-?(\d\d)-?(\d\d)[-T ](\d\d):?(\d\d).*$', r'\1-\2-\3 \4:\5', started)


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> duration(12.3), duration(150), duration(5400)
    ('12 s', '2.5 min', '1.5 h')

    """
    for unit, name in ((3600, 'h'), (60, 'min')):
        if seconds >= unit:
            return f'{seconds / unit:.1f} {name}'
    return f'{seconds:.0f} s'


FILTERS = {
    filter_.__name__: filter_
    for filter_ in (fixed, percent, thousandths, significant, anchor, capitalised, label, moment, duration)
}
"""The functions above by their names in the templates."""


def number(value: Any) -> float | None:
    """Return a number, or None for what is none (``n/a``).

    Examples
    --------
    >>> number('0.5'), number('n/a')
    (0.5, None)

    """
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if found == found else None
