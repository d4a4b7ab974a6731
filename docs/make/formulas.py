"""Turn formulas into MathML when the site is built: no script and no font is loaded for them."""

import html
import re
from typing import Any

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """Replace every formula of a page (a hook of MkDocs)."""
    return _FORMULA.sub(lambda found: formula(html.unescape(found[3]), is_block=found[2] == '['), content)


def formula(text: str, *, is_block: bool) -> str:
    r"""Return the MathML of a formula.

    Examples
    --------
    >>> formula('x^2', is_block=False).count('<msup>')
    1

    """
    # the converter loses primes
    return str(convert(text.strip().replace("'", r'{\prime}'), display='block' if is_block else 'inline'))
