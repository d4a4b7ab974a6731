"""Numbers as text has them, read by Python: pandas' own reader ends the process on some damaged exponents."""

import math
import re

NUMBER = re.compile(r'[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?')
"""How a number is written; Python would also take ``1_000`` and ``nan``."""

EXACT = 'round_trip'
"""How pandas reads a table of numbers (``float_precision``): by Python, to the last bit."""


def number_of(text: object) -> float:
    r"""Return a number as text has it, NaN where it is none or none that is finite.

    Examples
    --------
    >>> [number_of(text) for text in ('2.5e-3', ' 7 ', '1_000', '1e4294967296', 'n/a', '2\x003')]
    [0.0025, 7.0, nan, nan, nan, nan]

    """
    stripped = str(text).strip()
    value = float(stripped) if NUMBER.fullmatch(stripped) else math.nan
    return value if math.isfinite(value) else math.nan
