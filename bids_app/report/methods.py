"""The methods text: what ran, in words, with numbered citations."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

from ..running.files import replace_text

LOGGER = logging.getLogger(__name__)

BIBLIOGRAPHY = Path(__file__).with_name('references.bib')

_ENTRY = re.compile(r'@(\w+)\{([^,\s]+),\s*\n(.*?)\n\}', re.DOTALL)
_FIELD = re.compile(r'^\s*(\w+)\s*=\s*\{(.*)\},?\s*$', re.MULTILINE)
_CITATION = re.compile(r'\[@[^\]]+\]')
_KEY = re.compile(r'@([\w:.-]*\w)')
_MOST_AUTHORS = 6

_OPENING = (
    'Results come from *clbpe*{version}, a BIDS App [@gorgolewski2017] that runs its workflows with '
    '*Nipype*{nipype} [@gorgolewski2011] and *NiWorkflows*{niworkflows} [@niworkflows].'
)
_CLOSING = (
    'Data were found by the Brain Imaging Data Structure [@gorgolewski2016] with *PyBIDS*{pybids} '
    '[@yarkoni2019]. Images were read with *NiBabel*{nibabel} [@brett_nibabel], arrays computed with '
    '*NumPy*{numpy} [@harris2020] and *SciPy*{scipy} [@virtanen2020], figures drawn with '
    '*Matplotlib*{matplotlib} [@hunter2007]. This text covers what the COBIDAS report [@nichols2017] '
    'asks of preprocessing and analysis; it may be used in a publication as it is or changed.'
)


class Reference(NamedTuple):
    """One entry of the list of references."""

    key: str
    number: int
    text: str
    link: str


def read_bibliography(text: str) -> dict[str, dict[str, str]]:
    r"""Return the entries of a BibTeX text with one ``name = {value}`` per line.

    Examples
    --------
    >>> read_bibliography('@misc{a,\n  title = {T},\n  year = {2020}\n}')
    {'a': {'type': 'misc', 'title': 'T', 'year': '2020'}}

    """
    return {
        key: {'type': kind, **{name.lower(): value for name, value in _FIELD.findall(body)}}
        for kind, key, body in _ENTRY.findall(text)
    }


def cited_keys(markdown: str) -> list[str]:
    """Return the keys of ``[@key; @other]`` in the order of their first citation.

    Examples
    --------
    >>> cited_keys('N4 [@b; see @a] and an address x@y.org, again [@a].')
    ['b', 'a']

    """
    found = (key for group in _CITATION.findall(markdown) for key in _KEY.findall(group))
    return list(dict.fromkeys(found))


def write_methods(description: str, folder: Path, *, versions: Mapping[str, str] | None = None) -> Path:
    """Write ``CITATION.md`` and the entries that it cites as ``CITATION.bib``.

    Parameters
    ----------
    description
        What workflows say of themselves: Markdown with citations ``[@key]``.
    folder
        ``logs`` of the dataset, or ``log`` of a participant; made if absent.
    versions
        Versions of the program (``clbpe``) and its libraries, by name.

    Returns
    -------
    Path
        The Markdown file.

    Notes
    -----
    Each file is replaced in one step, so that participants which run at the same time never leave
    half of one.

    """
    numbers = {name: f' {version}' for name, version in (versions or {}).items()}
    names = ('nipype', 'niworkflows', 'pybids', 'nibabel', 'numpy', 'scipy', 'matplotlib')
    known = {name: numbers.get(name, '') for name in names}
    opening = _OPENING.format(version=numbers.get('clbpe', ''), **known)
    parts = ('# Methods', opening, description.strip(), '### Software', _CLOSING.format(**known))
    text = '\n\n'.join(part for part in parts if part) + '\n'
    source = BIBLIOGRAPHY.read_text(encoding='utf-8')
    cited = set(cited_keys(text))
    for key in sorted(cited - set(read_bibliography(source))):
        LOGGER.warning('the methods text cites %s, which is not in %s', key, BIBLIOGRAPHY.name)
    entries = [match.group() for match in _ENTRY.finditer(source) if match.group(2) in cited]
    replace_text('\n\n'.join(entries) + '\n', folder / 'CITATION.bib')
    return replace_text(text, folder / 'CITATION.md')


def render_methods(markdown: str, bibliography: str) -> tuple[str, list[Reference]]:
    """Return the methods as HTML with numbered links, and the references that they point to.

    Parameters
    ----------
    markdown
        Text with citations ``[@key]``; HTML in it is shown, not interpreted.
    bibliography
        BibTeX text; a key that it lacks stays in the text, with a question mark.

    """
    entries = read_bibliography(bibliography)
    keys = [key for key in cited_keys(markdown) if key in entries]
    numbers = {key: number for number, key in enumerate(keys, 1)}

    def link(group: re.Match[str]) -> str:
        links = [
            f'[{numbers[key]}](#ref-{key})' if key in numbers else f'{key}?'
            for key in _KEY.findall(group.group())
        ]
        return f'\\[{", ".join(links)}\\]'

    # the page has its own title; headings of the text come below that of its section
    body = re.sub(r'^# .*\n+', '', _CITATION.sub(link, markdown))
    body = re.sub(r'^#{1,3} ', '### ', body, flags=re.MULTILINE)
    html = MarkdownIt('commonmark', {'html': False}).render(body)
    return html, [_reference(key, numbers[key], entries[key]) for key in keys]


def _reference(key: str, number: int, entry: dict[str, str]) -> Reference:
    doi = entry.get('doi')
    where = entry.get('journal') or entry.get('publisher', '')
    issue = entry.get('volume', '') + (f'({entry["number"]})' if 'number' in entry else '')
    place = ':'.join(part for part in (issue, entry.get('pages', '').replace('--', '-')) if part)
    parts = (
        _authors(entry.get('author', '')),
        entry.get('title', '').replace('{', '').replace('}', ''),
        ' '.join(part for part in (where, ';'.join(p for p in (entry.get('year', ''), place) if p)) if part),
    )
    text = ' '.join(f'{part.rstrip(".")}.' for part in parts if part)
    return Reference(key, number, text, f'https://doi.org/{doi}' if doi else entry.get('url', ''))


def _authors(names: str) -> str:
    """Return surnames with initials, at most six.

    Examples
    --------
    >>> _authors('Van Essen, David C. and {NiPreps Developers} and others')
    'Van Essen DC, NiPreps Developers, et al'

    """
    people = names.split(' and ')
    short = []
    for person in people[:_MOST_AUTHORS]:
        surname, _, given = person.strip('{}').partition(', ')
        initials = ''.join(part[0] for part in re.split(r'[\s-]+', given) if part)
        short.append('et al' if surname == 'others' else f'{surname} {initials}'.strip())
    return ', '.join(short + ['et al'] * (len(people) > _MOST_AUTHORS))
