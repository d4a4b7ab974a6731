"""Figures as part of the page: small where they hold pictures, with links to people's own pages."""

import base64
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from pipelines.figures.trial import PERSON

_SVG, _XLINK = 'http://www.w3.org/2000/svg', 'http://www.w3.org/1999/xlink'
_HREF = f'{{{_XLINK}}}href'
_PICTURE = re.compile(r'data:image/png;base64,([A-Za-z0-9+/=\s]+)')
_REFERENCE = re.compile(r'url\(#([^)]+)\)')
_QUALITY = 85  # of WebP: a seventh of the PNG's size, no difference to the eye
_LARGE = 4096  # bytes of a PNG below which there is nothing to gain
_LONG = 2000  # characters of a path below which there is nothing to gain
_LINES = re.compile(r'[MLz\d.\s-]*')
_STEP = re.compile(r'([MLz])\s*(?:(-?[\d.]+)\s+(-?[\d.]+))?')
_REACH = 5.0  # points around a dot, for a finger

ElementTree.register_namespace('', _SVG)
ElementTree.register_namespace('xlink', _XLINK)


def inline_svg(path: Path, *, alt: str, pages: Mapping[str, str]) -> str:
    """Return an SVG file as an element of a page.

    Parameters
    ----------
    path
        Figure that Matplotlib wrote.
    alt
        What it shows, for those who do not see it.
    pages
        Address of the page of each person that has one: the person's dots lead there.

    Notes
    -----
    Identifiers get the file's name in front, so that those of several figures in a page differ; the
    figure's style sheet, which would hold for the whole page, becomes a style of its own.

    """
    root = ElementTree.fromstring(path.read_text(encoding='utf-8'))
    _remove(root, ('metadata', 'style'))
    _name_apart(root, path.stem)
    for element in root.iter():
        if (source := element.get(_HREF, '')).startswith('data:image/png'):
            element.set(_HREF, lighter(source))
        if len(path_data := element.get('d', '')) > _LONG:
            element.set('d', shorter(path_data))
    has_links = _link(root, path.stem, pages)
    root.set('role', 'group' if has_links else 'img')
    root.set('aria-label', alt)
    root.set('style', 'stroke-linejoin: round; stroke-linecap: butt')
    root.set('class', 'drawn')
    for size in ('width', 'height'):
        root.attrib.pop(size, None)
    return ElementTree.tostring(root, encoding='unicode')


def lighter(source: str) -> str:
    """Return a data URI of a PNG as WebP where that is smaller."""
    packed = _PICTURE.fullmatch(source)
    content = base64.b64decode(packed.group(1)) if packed else b''
    if len(content) < _LARGE:
        return source
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert('RGBA').save(buffer, 'webp', quality=_QUALITY, use_sharp_yuv=True)
    if buffer.tell() >= len(content):
        return source
    return f'data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}'


def shorter(lines: str) -> str:
    """Return a path of straight lines in relative steps, to a twentieth of a point: a third of its characters.

    Examples
    --------
    >>> shorter('M 10.5 20  L 10.5 21.44  L 11.28 20.6  z')
    'M10.5 20v1.4l.8-.8z'

    Curves stay as they are:

    >>> shorter('M 0 0 C 1 1 2 2 3 3')
    'M 0 0 C 1 1 2 2 3 3'

    """
    if not _LINES.fullmatch(lines):
        return lines
    written, at = [], (0, 0)
    for letter, *place in _STEP.findall(lines):
        if letter == 'z':
            written.append('z')
            continue
        to = round(10 * float(place[0])), round(10 * float(place[1]))
        written.append(
            f'M{_tenths(to[0])} {_tenths(to[1])}' if letter == 'M' else _line(to[0] - at[0], to[1] - at[1])
        )
        at = to
    return ''.join(written)


def _line(right: int, down: int) -> str:
    """Return a relative line of tenths of a point."""
    if not right or not down:
        return f'h{_tenths(right)}' if right else f'v{_tenths(down)}' if down else ''
    return f'l{_tenths(right)}{" " * (down > 0)}{_tenths(down)}'


def _tenths(number: int) -> str:
    text = f'{number / 10:g}'
    return text.replace('0.', '.', 1) if abs(number) < 10 else text


def width_of(svg: str) -> float:
    """Return the width of an SVG element in points, as its ``viewBox`` gives it.

    Examples
    --------
    >>> width_of('<svg viewBox="0 0 374.4 10">')
    374.4

    """
    found = re.search(r'viewBox="\S+ \S+ (\S+)', svg)
    return float(found.group(1)) if found else 0.0


def _remove(root: ElementTree.Element, tags: tuple[str, ...]) -> None:
    unwanted = {f'{{{_SVG}}}{tag}' for tag in tags}
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in unwanted]:
            parent.remove(child)


def _name_apart(root: ElementTree.Element, stem: str) -> None:
    for element in root.iter():
        if name := element.get('id'):
            element.set('id', f'{stem}-{name}')
        if (target := element.get(_HREF, '')).startswith('#'):
            element.set(_HREF, f'#{stem}-{target[1:]}')
        for key, value in element.attrib.items():
            if 'url(#' in value:
                element.set(key, _REFERENCE.sub(rf'url(#{stem}-\1)', value))


def _link(root: ElementTree.Element, stem: str, pages: Mapping[str, str]) -> bool:
    """Wrap the dots of each person who has a page in a link; say whether there is one."""
    start = f'{stem}-{PERSON}'
    found = False
    for parent in list(root.iter()):
        for place, child in enumerate(list(parent)):
            name = child.get('id', '')
            if not name.startswith(start):
                continue
            del child.attrib['id']  # a person may have several groups
            person = name.removeprefix(start)
            if person in pages:
                parent[place] = _anchor(child, person, pages[person])
                found = True
    return found


def _anchor(dots: ElementTree.Element, person: str, page: str) -> ElementTree.Element:
    attributes = {_HREF: page, 'class': 'person', 'tabindex': '-1', 'aria-label': person}
    link = ElementTree.Element(f'{{{_SVG}}}a', attributes)
    ElementTree.SubElement(link, f'{{{_SVG}}}title').text = person
    places = list(_places(dots))
    if len(places) > 1:
        points = ' '.join(f'{x},{y}' for x, y in places)
        ElementTree.SubElement(link, f'{{{_SVG}}}polyline', {'points': points, 'class': 'reach'})
    for x, y in places:
        circle = {'cx': x, 'cy': y, 'r': str(_REACH), 'class': 'reach'}
        ElementTree.SubElement(link, f'{{{_SVG}}}circle', circle)
    link.append(dots)
    return link


def _places(dots: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for use in dots.iter(f'{{{_SVG}}}use'):
        yield use.get('x', '0'), use.get('y', '0')
