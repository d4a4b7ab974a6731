"""Long tables are packed in a page, and come out as they went in."""

import base64
import gzip
import re

import pytest
from jinja2 import Environment
from markupsafe import Markup

from bids_app.report.fold import LONG, folded

ROW = '<tr><th scope="row">sub-{0:04d}</th><td>exercise</td><td class="long">participant level not run</td></tr>\n'


def unpacked(html):
    return gzip.decompress(base64.b64decode(re.search(r'data-packed="([^"]*)"', html)[1])).decode()


def test_short_tables_stand_in_the_page_as_they_are():
    rows = Markup(ROW.format(1))
    assert folded(rows, 'participants.tsv', 3) == f'<tbody>{rows}</tbody>'


def test_long_ones_are_packed_whole_and_small():
    rows = ''.join(map(ROW.format, range(30_000)))
    html = folded(Markup(rows), 'participants.tsv', 3)
    assert unpacked(html) == rows
    assert len(html) < len(rows) / 10
    assert 'Show all 30,000 rows' in html
    assert '<a href="participants.tsv">' in html
    assert 'colspan="3"' in html
    assert html == folded(Markup(rows), 'participants.tsv', 3)  # equal bytes of equal rows


@pytest.mark.parametrize('n', [1, 4000])
def test_what_people_wrote_stays_text(n):
    """Rows are escaped before they are packed."""
    environment = Environment(autoescape=True)
    environment.filters['folded'] = folded
    template = "{% set rows %}{% for name in names %}<tr><td>{{ name }}</td></tr>{% endfor %}{% endset %}{{ rows|folded('x', 1) }}"
    html = environment.from_string(template).render(names=['<img src=x onerror=alert(1)>'] * n)
    assert '<img' not in html
    if len(html) > 1000:
        html = unpacked(html)
        assert len(html) > LONG
    assert '<img' not in html
    assert html.count('&lt;img') == n
