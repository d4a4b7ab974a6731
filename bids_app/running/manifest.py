"""What was made, from what and with which parameters: the reason to do nothing."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import OutputError

from .. import __version__
from .files import replace_json


def manifest_path(output_dir: Path, label: str) -> Path:
    """Return the manifest of a participant."""
    return output_dir / f'sub-{label}' / 'log' / f'sub-{label}_manifest.json'


def group_manifest_path(output_dir: Path) -> Path:
    """Return the manifest of the group."""
    return output_dir / 'group' / 'log' / 'group_manifest.json'


def fingerprint(inputs: Iterable[Path]) -> dict[str, list[int]]:
    """Return size and modification time (ns) of each input."""
    return {str(p): [p.stat().st_size, p.stat().st_mtime_ns] for p in sorted(inputs)}


def is_current(
    output_dir: Path, path: Path, parameters: Mapping[str, Any], inputs: Iterable[Path], *, overwrite: bool
) -> bool:
    """Return whether the outputs that the manifest ``path`` lists are complete and made from just this.

    Raises
    ------
    OutputError
        The outputs were made with other parameters and ``overwrite`` is off; names the first.

    """
    if not path.is_file():
        return False
    known = json.loads(path.read_text())
    asked = json.loads(json.dumps(parameters, default=str))
    differing = [key for key in asked if known['parameters'].get(key) != asked[key]]
    if differing and not overwrite:
        key = differing[0]
        raise OutputError(
            f'{path.parents[1]} was made with {key} = {known["parameters"].get(key)!r}, now '
            f'{asked[key]!r}. Use another output folder, or --overwrite to replace the old results.'
        )
    return (
        not differing
        and known['version'] == __version__
        and known['inputs'] == fingerprint(inputs)
        and all(_checksum(output_dir / name) == digest for name, digest in known['outputs'].items())
    )


def write_manifest(
    output_dir: Path,
    path: Path,
    parameters: Mapping[str, Any],
    inputs: Iterable[Path],
    outputs: Iterable[Path],
) -> None:
    """Record what is finished."""
    content = {
        'version': __version__,
        'parameters': parameters,
        'inputs': fingerprint(inputs),
        'outputs': {p.relative_to(output_dir).as_posix(): _checksum(p) for p in sorted(outputs)},
    }
    replace_json(content, path)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ''
