"""Flags by their names: with the region or word that they take, in words, and as cells of tables."""

from collections.abc import Iterable
from typing import Any

from ..errors import UnknownWordError
from .circuit import NAME
from .flags import FLAGS, Flag


def flag_term(name: str) -> tuple[Flag, str]:
    """Return a flag, and what stands behind its name: a region or a word.

    Raises
    ------
    UnknownWordError
        It is no flag, or does not take what stands behind it.

    Examples
    --------
    >>> flag_term('dropout_NAcL')[1], flag_term('dropped:age')[1], flag_term('short')[1]
    ('NAcL', 'age', '')

    """
    region, word = name.partition('_'), name.partition(':')
    if NAME.fullmatch(region[2]) and region[0] in _OF_REGIONS:
        return FLAGS[region[0]], region[2]
    if word[2] and word[0] in _OF_WORDS:
        return FLAGS[word[0]], word[2]
    return FLAGS[name], ''


_OF_REGIONS = [flag.name for flag in FLAGS.values() if flag.takes == 'region']
_OF_WORDS = [flag.name for flag in FLAGS.values() if flag.takes == 'word']


def is_flag(name: str) -> bool:
    """Return whether a word is a flag.

    Examples
    --------
    >>> is_flag('dropout_NAcL'), is_flag('no sample')
    (True, False)

    """
    try:
        flag_term(name)
    except UnknownWordError:
        return False
    return True


def flag_words(name: str) -> str:
    """Return what a flag means; one of another version of the program as it is.

    Examples
    --------
    >>> flag_words('dropout_NAcL').endswith('unreliable (NAcL)'), flag_words('of_tomorrow')
    (True, 'of tomorrow')

    """
    if not is_flag(name):
        return name.replace('_', ' ')
    flag, rest = flag_term(name)
    return f'{flag.title} ({rest})' if rest else flag.title


def raised(**found: bool) -> list[str]:
    """Return the names of the flags that hold.

    Raises
    ------
    UnknownWordError
        One of them is no flag.

    Examples
    --------
    >>> raised(short=True, low_dof=False)
    ['short']

    """
    return [FLAGS[name].name for name, holds in found.items() if holds]


def unusable_flags(names: Iterable[str]) -> set[str]:
    """Return those flags that say a value may be wrong.

    Raises
    ------
    UnknownWordError
        One of them is no flag: whether its value may be used is not known.

    Examples
    --------
    >>> sorted(unusable_flags(['no_sdc', 'flipped_bvecs', 'dropout_NAcR']))
    ['dropout_NAcR', 'flipped_bvecs']

    """
    return {name for name in names if flag_term(name)[0].is_unusable}


def join_flags(names: Iterable[str]) -> str:
    """Return flags as a cell of a table, each once; empty without any.

    Examples
    --------
    >>> join_flags(['short', 'high_motion', 'short'])
    'short high_motion'

    """
    return ' '.join(dict.fromkeys(names))


def split_flags(cell: Any) -> list[str]:
    """Return the flags of a cell or a list; older tables part them by commas.

    Examples
    --------
    >>> split_flags('short high_motion'), split_flags('n/a'), split_flags(None), split_flags('no_sdc,budget')
    (['short', 'high_motion'], [], [], ['no_sdc', 'budget'])

    """
    items = cell if isinstance(cell, list) else str(cell or '').replace(',', ' ').replace(';', ' ').split()
    return [word for item in items if (word := str(item).strip()) not in ('', 'n/a', 'nan', 'None')]
