"""Read a JSON file so strictly that nothing in it is lost, and turn its objects into records."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.access import why_unreadable
from pipelines.errors import DataError, MissingInputError


def load_json(path: Path) -> Any:
    """Return the content of a trial file.

    Raises
    ------
    MissingInputError
        The file is absent.
    DataError
        It is no JSON, or holds what other programs would read otherwise.

    """
    try:
        text = path.read_bytes().decode('utf-8-sig')
        content = json.loads(
            text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant, parse_int=_whole_number
        )
        json.dumps(content, ensure_ascii=False).encode()  # half of a letter can be escaped, and never written
        return content
    except FileNotFoundError:
        raise MissingInputError(f'{path} (trial file) does not exist. Correct the path.') from None
    except (OSError, ValueError, RecursionError) as error:
        if reason := why_unreadable(path):
            raise reason from error
        raise DataError(
            f'{path} (trial file) is no valid JSON: {error}. Mend it; an editor for JSON shows where.'
        ) from error


def _no_key_twice(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'the key "{key}" stands twice in one object')
        found[key] = value
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f'{word} is no number of JSON; for no limit write null')


def _whole_number(text: str) -> int:
    if not math.isfinite(float(text)):
        raise ValueError(f'a number of {len(text)} digits is too large')
    return int(text)


def record(kind: Any, given: Mapping[str, Any], /, **others: Any) -> Any:
    """Return the dataclass whose fields are the keys in snake case; lists become tuples.

    Examples
    --------
    >>> from pipelines.stats.mediation_design import Analysis
    >>> record(Analysis, {'Name': 'm', 'Mediators': ['fc'], 'Outcome': 'nrs', 'PreNamed': True}).mediators
    ('fc',)

    """
    frozen = {_field(key): tuple(v) if isinstance(v, list) else v for key, v in given.items()}
    return kind(**frozen | others)


def _field(key: str) -> str:
    return ''.join('_' + letter.lower() if letter.isupper() else letter for letter in key).lstrip('_')
