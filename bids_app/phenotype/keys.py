"""When a value was measured, and what its column may be called."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipelines.stats.visit import Visit


class Key(NamedTuple):
    """When something was measured: session, and for samples of one session the time.

    ``labels``: what else columns may call the visit, whatever the case of their letters.
    """

    name: str
    session_id: str
    time: str = ''
    labels: tuple[str, ...] = ()


def visit_keys(visits: Sequence[Visit]) -> list[Key]:
    """Return the keys of all visits of a trial; columns may call them by name, week or month too.

    A label that two visits could have is of neither.

    Examples
    --------
    >>> [key.labels for key in visit_keys([Visit(name='T0', session_id='ses-a', week=0), Visit(name='T1', session_id='ses-b', week=6)])]
    [('t0', 'week0', 'wk0', 'w0'), ('t1', 'week6', 'wk6', 'w6')]

    """
    own = [tuple(dict.fromkeys(_labels(visit))) for visit in visits]
    taken = Counter(label for labels in own for label in labels)
    taken.update({visit.session.casefold(): len(visits) for visit in visits})
    return [
        Key(visit.name, visit.session_id, labels=tuple(label for label in labels if taken[label] == 1))
        for visit, labels in zip(visits, own)
    ]


def _labels(visit: Visit) -> Iterator[str]:
    yield visit.name.casefold()
    yield visit.name.casefold().replace(' ', '_')
    words = ('month', 'mo', 'm') if visit.week is None else ('week', 'wk', 'w')
    if visit.time is not None and float(visit.time).is_integer():
        yield from (f'{word}{visit.time:.0f}' for word in words)


def spellings(column: str, key: Key, *, has_session: bool, has_time: bool = False) -> list[str]:
    """Return the names that a column of a value may have in a table.

    Examples
    --------
    >>> spellings('nrs', Key('baseline', 'ses-pre'), has_session=False)
    ['nrs_pre', 'nrs_ses-pre', 'pre_nrs', 'ses-pre_nrs']

    """
    label = key.session_id.removeprefix('ses-')
    time = '' if has_time else key.time
    if has_session:
        return [f'{column}_{time}', f'{time}_{column}'] if time else [column]
    end = f'_{time}' if time else ''
    named = [f'{column}_{key.name}', f'{key.name}_{column}'] if time else []
    found = [
        *named,
        f'{column}_{label}{end}',
        f'{column}_ses-{label}{end}',
        f'{label}{end}_{column}',
        f'ses-{label}{end}_{column}',
    ]
    return list(dict.fromkeys(found))


def by_label(columns: Iterable[str], column: str, key: Key) -> list[str]:
    """Return the columns that name a visit by one of its labels.

    Examples
    --------
    >>> by_label(['id', 'nrs_Week6', 'T1_nrs'], 'nrs', Key('T1', 'ses-b', labels=('t1', 'week6')))
    ['nrs_Week6', 'T1_nrs']

    """
    folded = column.casefold()
    wanted = {name for label in key.labels for name in (f'{folded}_{label}', f'{label}_{folded}')}
    return [name for name in columns if name.casefold() in wanted]
