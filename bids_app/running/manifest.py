"""What was made, from what and with which parameters: the reason to do nothing.

Each step that saves has a receipt of its own.  It is taken away before the first of its files is replaced and
written behind the last, so that a receipt is true whatever ended the run, and jobs that work on different scans
add theirs to one folder.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import OutputError

from .. import __version__
from .files import replace_json

State = dict[str, list[Any]]
"""Size, modification time (ns) and checksum of files by name."""


class Receipt(NamedTuple):
    """What a step promises of its files.

    Attributes
    ----------
    path
        Of the receipt.
    root
        Dataset that the files lie in.
    parameters
        That decide their content.
    inputs
        Size and modification time of what they are made of, see :func:`fingerprint`.
    methods
        How they were made, in words: paragraphs.

    """

    path: Path
    root: Path
    parameters: Mapping[str, Any]
    inputs: Mapping[str, list[int]]
    methods: tuple[str, ...] = ()

    def void(self) -> None:
        """Take the receipt away: a file is about to be replaced."""
        self.path.unlink(missing_ok=True)

    def write(self, outputs: Iterable[Path]) -> None:
        """Write the receipt of files that are all there now."""
        content = {
            'version': __version__,
            'parameters': self.parameters,
            'inputs': self.inputs,
            'outputs': {p.relative_to(self.root).as_posix(): _state(p) for p in sorted(outputs)},
            'methods': self.methods,
        }
        replace_json(content, self.path)

    def is_current(self, outputs: Iterable[Path], *, overwrite: bool) -> bool:
        """Return whether files are complete, as they were written, and made from just this.

        Raises
        ------
        OutputError
            They were made with other parameters and ``overwrite`` is off; names the first.

        """
        known = read_receipt(self.path)
        if known is None:
            return False
        asked, made = json.loads(json.dumps(self.parameters, default=str)), known['parameters']
        # what an older version was not asked decided nothing: made anew, and no choice is overruled
        is_older = made.keys() < asked.keys()
        known_then = made.keys() if is_older else asked.keys()
        differing = [key for key in asked if key in known_then and made.get(key) != asked[key]]
        if differing and not overwrite:
            key = differing[0]
            raise OutputError(
                f'{self.root}: {self.path.stem.replace("_", " ")} of {self.path.parents[2].name} was made with '
                f'{key} = {made.get(key)!r}, now {asked[key]!r}. Use another output folder, or --overwrite to '
                'replace the old results.'
            )
        wanted = {path.relative_to(self.root).as_posix() for path in outputs}
        return (
            not (differing or is_older)
            and known['version'] == __version__
            and known['inputs'] == dict(self.inputs)
            and wanted <= known['outputs'].keys()
            and all(is_unchanged(self.root / name, state) for name, state in known['outputs'].items())
        )


def receipts_folder(folder: Path) -> Path:
    """Return where the receipts of a participant's or the group's folder are."""
    return folder / 'log' / 'manifest'


def read_receipt(path: Path) -> dict[str, Any] | None:
    """Return what a receipt says; none where it is absent, empty, cut short or foreign."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError):
        return None
    kinds = {'version': str, 'parameters': dict, 'inputs': dict, 'outputs': dict}
    is_ours = isinstance(content, dict) and all(isinstance(content.get(k), kind) for k, kind in kinds.items())
    return content if is_ours and all(map(_is_state, content['outputs'].values())) else None


def _is_state(state: object) -> bool:
    """Return whether a value is size, time and checksum of a file."""
    return isinstance(state, list) and [type(part) for part in state] == [int, int, str]


def read_receipts(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the receipts of a participant's or the group's folder by their names."""
    found = {path.stem: read_receipt(path) for path in sorted(receipts_folder(folder).glob('*.json'))}
    return {name: content for name, content in found.items() if content is not None}


def digest_of(folder: Path) -> str:
    """Return what stands for the content of a participant's folder: a checksum of its receipts."""
    made = {name: [state[-1] for state in r['outputs'].values()] for name, r in read_receipts(folder).items()}
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()


def fingerprint(inputs: Mapping[str, Path]) -> dict[str, list[int]]:
    """Return size and modification time (ns) of each input by its name."""
    known = {name: path.stat() for name, path in sorted(inputs.items())}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in known.items()}


def is_unchanged(path: Path, state: list[Any]) -> bool:
    """Return whether a file is the one that a receipt tells of; one with another time is read."""
    size, time, checksum = state
    try:
        stat = path.stat()
    except OSError:
        return False
    return stat.st_size == size and (stat.st_mtime_ns == time or _checksum(path) == checksum)


def _state(path: Path) -> list[Any]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, _checksum(path)]


def _checksum(path: Path) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
