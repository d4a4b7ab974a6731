"""What files can hold when they are damaged, edited by hand, or written by a program nobody thought of.

``outcomes_of`` draws such content and has it read: a result or one of our own errors, and nothing else.  What escapes is
shown as the smallest content that does.  How much is drawn is the profile's (``tests/conftest.py``): ``--hypothesis-profile
long``, or ``scripts/accept --only fuzz``, draws much more.
"""

import copy
import gzip
import json
import warnings
from collections import Counter

import nibabel as nb
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ClbpeError

READ, REFUSED = 'read', 'refused'

INPUTS = 'inputs'
"""Property of a test in a report: how many inputs were drawn for it."""

DRAWN = Counter[str]()
"""How many inputs were drawn in this process, to be told by ``tests/conftest.py``."""

MARKS = [
    b'\t', b'\n', b'\r', b'\r\n', b'"', b'""', b"'", b',', b';', b'.', b'-', b'#', b' ', b'\\', b'/', b'_', b'\0', b'\x1a', b'n/a', b'NA',
    b'nan', b'inf', b'-1', b'9', b'9' * 400, b'1e308', b'-1e999', b'1_0', b'0x1f', b'1d3', b'1j', b'True', b'1-Mar', b'\xe9',
    b'\xff\xfe', b'\xef\xbb\xbf', b'\xd9\xa3', b'\xc2\xb2', b'\xc2\xbd', b'\xe2\x88\x92', b'sub-', b'ses-', b'..', b'{', b'[', b'\\ud800',
    b'x' * 140_000, b'"' * 3, b'9' * 5000, b'\xf0\x9f\x98\x80',
]  # fmt: skip
"""What tables trip over; Arabic and raised digits are digits to some functions and not to others."""

ODD = [
    10**400, -(10**400), 1e308, '', ' ', '\0', '\ud800', 'n/a', '٣', '²', '1' * 5000, 'a' * 300 + '.tsv', '../x.tsv', '/etc/x.tsv',
    'phenotype/*.tsv', '[.tsv', '2.0', 'j-', 'bids::', True, [None], ['x', 'x'], {'x': 1}, {'1': {'Description': 5}},
]  # fmt: skip
"""Values that a place of a JSON document may hold, beside any others."""

_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT


def _united(part):
    return st.lists(part, max_size=4) | st.dictionaries(_ANY_TEXT, part, max_size=4)


JSON_VALUES = st.sampled_from(ODD) | st.recursive(_LEAVES, _united, max_leaves=6)
"""Values of every kind, half of letters and numbers beyond all others among them."""

NO_JSON = [
    b'', b'[' * 100_000, b'{"a":' * 100_000, b'9' * 5000, b'"x"', b'\xef\xbb\xbf', b'{"Name": "\\ud800"}', b'\xff\xfe\x00', b'null',
    b'{', b'{"a": NaN}', b'{"a": 1e999}',
]  # fmt: skip
"""What no parser likes, or only some."""


def outcomes_of(drawn, read, share=1.0, names=('',)):
    """Have everything that is drawn read, and return what became of it, in words.

    Parameters
    ----------
    drawn
        Strategy of contents.
    read
        Takes one; errors that are not ours escape.
    share
        Of the number of examples of the profile: less for what takes long.
    names
        Of files: every refusal names one of them.
    """
    found = set()

    @settings(max_examples=max(int(settings().max_examples * share), 10))
    @given(drawn)
    def check(content):
        DRAWN[INPUTS] += 1
        refusal = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                read(content)
        except ClbpeError as error:
            refusal = str(error)
        assert refusal is None or any(name in refusal for name in names), refusal
        found.add(READ if refusal is None else REFUSED)

    check()
    return found


def write(path, content):
    """Write bytes as a new file: to cut an old one short makes some file systems wait for the disk."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@st.composite
def damaged(draw, *sound, marks=MARKS):
    """Draw bytes: one of the sound contents with up to three places cut, doubled, swapped, replaced or flipped."""
    content = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        end = at + draw(st.integers(0, 40))
        match draw(st.sampled_from(('mark', 'delete', 'insert', 'double', 'reverse', 'bit', 'cut'))):
            case 'mark':
                content[at : at + draw(st.integers(0, 4))] = draw(st.sampled_from(marks))
            case 'delete':
                del content[at:end]
            case 'insert':
                content[at:at] = draw(st.binary(min_size=1, max_size=12))
            case 'double':
                content[at:at] = content[at:end] * draw(st.integers(1, 8))
            case 'reverse':
                content[at:end] = content[at:end][::-1]
            case 'bit' if at < len(content):
                content[at] ^= 1 << draw(st.integers(0, 7))
            case 'cut':
                del content[at:]
    return bytes(content)


def places(part, at=()):
    """Yield the path of every value of a JSON document."""
    for key in part if isinstance(part, dict) else range(len(part)):
        yield (*at, key)
        if isinstance(part[key], dict | list):
            yield from places(part[key], (*at, key))


@st.composite
def documents(draw, sound):
    """Draw a JSON document: a sound one with one or two values, or names of values, replaced or taken away."""
    content = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 2))):
        found = list(places(content))
        if not found:
            break
        *parents, last = draw(st.sampled_from(found))
        part = content
        for key in parents:
            part = part[key]
        match draw(st.sampled_from(('value', 'value', 'value', 'name', 'absent'))):
            case 'name' if isinstance(part, dict):
                part[draw(_ANY_TEXT | st.sampled_from([odd for odd in ODD if isinstance(odd, str)]))] = (
                    part.pop(last)
                )
            case 'absent':
                del part[last]
            case _:
                part[last] = copy.deepcopy(draw(JSON_VALUES))  # the next round may change what is in it
    return content


def json_files(sound):
    """Return a strategy of the bytes of JSON files: odd documents, damaged ones, other values, and no JSON at all."""
    text = json.dumps(sound).encode()
    as_bytes = documents(sound).map(lambda content: json.dumps(content).encode())
    return (
        as_bytes
        | damaged(text)
        | JSON_VALUES.map(lambda value: json.dumps(value).encode())
        | st.sampled_from(NO_JSON)
    )


_EXTREMES = {
    'i': (0, 1, -1, 2, 3, 4, 5, 7, 8, 255, 32767, -32768, 2000),
    'f': (0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e-30, 1e30, 352.5, 1e9, -352.0),
}


def _fields(header):
    """Return place in bytes and type of each number or text of a header."""
    found = []
    for kind, offset in header.dtype.fields.values():
        single = kind.base
        count = int(np.prod(kind.shape)) if kind.shape else 1
        found += [(offset + n * single.itemsize, single) for n in range(count)]
    return found


@st.composite
def nifti_files(draw, data, affine, cls=nb.Nifti1Image):
    """Draw a NIfTI file, compressed or not, with up to four fields of its header wrong, cut, or damaged anywhere."""
    content = bytearray(cls(data, affine).to_bytes())
    for _ in range(draw(st.integers(0, 4))):
        at, kind = draw(st.sampled_from(_fields(cls.header_class().structarr)))
        written = st.binary(min_size=kind.itemsize, max_size=kind.itemsize)
        if kind.kind in 'iuf':
            extremes = _EXTREMES['f' if kind.kind == 'f' else 'i']
            with np.errstate(all='ignore'):
                written |= st.sampled_from([np.float64(x).astype(kind).tobytes() for x in extremes])
        content[at : at + kind.itemsize] = draw(written)
    is_packed = draw(st.booleans())
    packed = gzip.compress(bytes(content), 1, mtime=0) if is_packed else bytes(content)
    if draw(st.integers(0, 3)) == 0:
        packed = draw(damaged(packed, marks=[b'\0', b'\xff', b'\x1f\x8b']))
    return is_packed, packed
