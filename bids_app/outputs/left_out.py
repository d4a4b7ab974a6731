"""Results that are left out on request, and those that were made of what is left out."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..scans.exclusion_list import Exclusion

LOGGER = logging.getLogger(__name__)

Receipts = Mapping[str, dict[str, Any]]
"""Receipts of one participant by their names."""


class LeftOut(NamedTuple):
    """A result of a scan that is there and is not used."""

    participant_id: str
    session_id: str
    modality: str
    reason: str


def inputs_of(root: Path, receipts: Receipts, path: Path) -> list[str]:
    """Return what a file was made of, as its receipt has it; nothing without one."""
    name = path.relative_to(root).as_posix()
    return [source for r in receipts.values() if name in r['outputs'] for source in r['inputs']]


def warn_of(result: str, made_of: Mapping[str, Exclusion]) -> None:
    """Say that a result which is used was made with scans that are left out."""
    for name, why in made_of.items():
        LOGGER.warning(
            '%s was made with %s, which is %s. Run the participant level again with --exclude.',
            result, name, why.said(),
        )  # fmt: skip
