"""Files that options name: labels, filters, the plugin."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pipelines.access import why_unreadable
from pipelines.errors import ParameterError


def labels(words: Sequence[str], prefix: str) -> tuple[str, ...]:
    """Return labels without their prefix; a word that is a text file is read, one label a line."""
    expanded = [line for word in words for line in (_lines_of(word) if os.path.isfile(word) else [word])]
    return tuple(dict.fromkeys(word.removeprefix(prefix) for word in expanded))


def _lines_of(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding='utf-8-sig').split()
    except (OSError, ValueError) as error:
        _refuse_forbidden(error)
        raise ParameterError(f'{path} is no text file of labels ({error}).') from error


def read_filters(path: Path | None) -> dict[str, dict[str, object]]:
    """Return the filters of ``--bids-filter-file``; none without one."""
    if path is None:
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        _refuse_forbidden(error)
        raise ParameterError(
            f'--bids-filter-file {path}: {error}. Write an object of objects, as {{"bold": {{"acquisition": "mb4"}}}}.'
        ) from error


def read_plugin(path: Path | None) -> dict[str, object] | None:
    """Return what the file of ``--use-plugin`` says; None without one."""
    if path is None:
        return None
    import yaml

    try:
        return dict(yaml.safe_load(path.read_text()))
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        _refuse_forbidden(error)
        raise ParameterError(f'--use-plugin {path}: {error}') from error


def _refuse_forbidden(error: Exception) -> None:
    """Tell a file that this user may not read as that, and not as one of the wrong kind."""
    if isinstance(error, PermissionError) and (reason := why_unreadable(Path(error.filename))):
        raise reason from error
