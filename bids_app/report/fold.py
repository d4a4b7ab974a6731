"""Long tables of a page, packed: what thousands of rows say again and again is written once, and shown when asked for."""

import base64
import gzip

from markupsafe import Markup

LONG = 200_000
"""Letters from which on the rows of a table are packed; some 400 rows."""


def folded(rows: Markup | str, file: str, columns: int) -> Markup:
    """Return the body of a table.

    Parameters
    ----------
    rows
        Rows of a table, as they stand in a page.
    file
        Where the same can be read without a script.
    columns
        Of the table.

    Notes
    -----
    Beyond :data:`LONG` letters they are packed by gzip, a tenth of their size, and a button unpacks them where the page
    is read (``trial.js``).

    """
    text = str(rows)
    if len(text) <= LONG:
        return Markup('<tbody>{}</tbody>').format(Markup(text))
    packed = base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
    return Markup(
        '<tbody data-packed="{}"><tr><td colspan="{}"><button type="button" class="unpack">Show all {:,} rows</button> '
        'They are also in <a href="{}">{}</a>.</td></tr></tbody>'
    ).format(packed, columns, text.count('<tr'), file, file)
