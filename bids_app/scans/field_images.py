"""Which images of a session show the distortion of a series by its metadata, and how each was acquired."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import DataError, MissingInputError
from pipelines.numerics.gradients import B0_LIMIT

from ..settings import Settings
from .encoding import encoding_of
from .query import entities_of, inherited, is_magnitude, sidecar

LOGGER = logging.getLogger(__name__)

EPI, PHASEDIFF, PHASES, FIELD = 'epi', 'phasediff', ('phase1', 'phase2'), 'fieldmap'
"""Suffixes of what is read."""

_MAGNITUDES = ('magnitude1', 'magnitude', 'magnitude2')
_SHOWN = (EPI, PHASEDIFF, *PHASES, FIELD)
_SERIES = ('bold', 'dwi', 'sbref')
"""Suffixes of series that may show the field of others, where a ``B0FieldIdentifier`` says so."""

Facts = Mapping[Path, Mapping[str, Any]]
"""Sidecars of images."""


class Epi(NamedTuple):
    """An EPI: ``direction`` as BIDS writes it, empty if unknown; ``readout_time`` in s, 0 if unknown.

    ``volumes`` are those that count, all if empty.
    """

    path: Path
    direction: str
    readout_time: float
    volumes: tuple[int, ...] = ()


class Belonging(NamedTuple):
    """Images that show the field of a series, with their sidecars, and what else there is, with the reason."""

    facts: Facts
    reasons: list[str]


def suffix_of(path: Path) -> str:
    """Return the suffix of a file name."""
    return path.name.split('.')[0].rpartition('_')[2]


def describe_epi(settings: Settings, path: Path, metadata: Mapping[str, Any]) -> Epi:
    """Return how an EPI was encoded; what is to be said of it is logged."""
    found = encoding_of(metadata, settings.distortion.fallback_total_readout_time)
    for remark in found.remarks if found.direction else ():  # without one the image is named as not used
        LOGGER.warning('%s: %s', path.name, remark)
    volumes = unweighted(path, settings.bids_dir) if suffix_of(path) == 'dwi' else ()
    return Epi(path, found.direction, found.readout_time, volumes)


def unweighted(path: Path, root: Path) -> tuple[int, ...]:
    """Return the volumes of a diffusion series without weighting, by its table; empty where there is none."""
    tables = inherited(path, root, '.bval')
    try:
        bvals = [float(word) for word in tables[-1].read_text(encoding='utf-8-sig').split()] if tables else []
    except (OSError, ValueError):
        return ()
    return tuple(number for number, b in enumerate(bvals) if b <= B0_LIMIT)


def magnitude_of(path: Path) -> Path | None:
    """Return the magnitude image that was acquired with a map, preferably of its first echo."""
    mates = [mate for mate in path.parent.glob('*.nii*') if entities_of(mate) == entities_of(path)]
    found = {suffix_of(mate): mate for mate in sorted(mates)}
    return next((found[name] for name in _MAGNITUDES if name in found), None)


def phases_of(path: Path) -> list[Path]:
    """Return the two phase images that ``path`` is one of, the earlier first; fewer if one is not there."""
    mates = [mate for mate in path.parent.glob('*_phase?.nii*') if entities_of(mate) == entities_of(path)]
    return sorted((mate for mate in mates if suffix_of(mate) in PHASES), key=suffix_of)


def find_belonging(settings: Settings, series: Sequence[Path]) -> Belonging:
    """Return the images that show the field of the series of a session.

    Parameters
    ----------
    settings
        Where they lie.
    series
        Raw series of one session and one datatype.

    Notes
    -----
    By the first of: images whose ``B0FieldIdentifier`` is a ``B0FieldSource`` of a series, those whose
    ``IntendedFor`` names one, and those that are meant for none and were acquired with the shim of one.

    """
    root = settings.bids_dir
    session = series[0].parent.parent
    facts, reasons = _sidecars(_maps(session / 'fmap'), root)
    about = [(path, sidecar(path, root)) for path in series]
    sources = {name for _, its in about for name in _listed(its.get('B0FieldSource'))}
    if sources:
        others = [p for p in session.glob('*/*.nii*') if suffix_of(p) in _SERIES and p not in series]
        more, _ = _sidecars([p for p in others if is_magnitude(p)], root)
        facts = {
            **facts,
            **{p: its for p, its in more.items() if sources & set(_listed(its.get('B0FieldIdentifier')))},
        }
    named = {p: its for p, its in facts.items() if sources & set(_listed(its.get('B0FieldIdentifier')))}
    meant = {p: its for p, its in facts.items() if _intended(its, series, root)}
    shims = [its['ShimSetting'] for _, its in about if its.get('ShimSetting')]
    alike = {p: its for p, its in facts.items() if _is_free(its) and its.get('ShimSetting') in shims}
    own = named or meant or alike
    free = [path.name for path, its in facts.items() if path not in own and _is_free(its)]
    if free and not own:
        which = ', '.join(path.name for path in series)
        reasons.append(
            f'{", ".join(free)}: no B0FieldIdentifier or IntendedFor names {which}, and no ShimSetting says that they were '
            'acquired with its field; they are not used. Add IntendedFor where they belong to it.'
        )
    return Belonging(own, reasons)


def _maps(folder: Path) -> list[Path]:
    found = [path for path in sorted(folder.glob('*.nii*')) if suffix_of(path) in _SHOWN]
    return [path for path in found if suffix_of(path) != EPI or is_magnitude(path)]


def _sidecars(paths: Iterable[Path], root: Path) -> tuple[dict[Path, Mapping[str, Any]], list[str]]:
    """Return the sidecars that can be read, and what is said of the others."""
    facts: dict[Path, Mapping[str, Any]] = {}
    reasons = []
    for path in paths:
        try:
            facts[path] = sidecar(path, root)
        except (DataError, MissingInputError) as error:
            reasons.append(str(error))
    return facts, reasons


def _is_free(metadata: Mapping[str, Any]) -> bool:
    """Return whether an image is meant for nothing in particular."""
    return not _listed(metadata.get('IntendedFor')) and not _listed(metadata.get('B0FieldIdentifier'))


def _intended(metadata: Mapping[str, Any], series: Sequence[Path], root: Path) -> bool:
    """Return whether ``IntendedFor`` names one of the series, in any form that people write."""
    forms: set[str] = set()
    for path in series:
        wanted = path.relative_to(root)
        wanted = wanted.with_name(_zipped(wanted.name))
        # the older form starts at the folder of the participant; some write the participant, too
        form = wanted.relative_to(wanted.parts[0]).as_posix()
        forms |= {f'bids::{wanted.as_posix()}', f'bids:raw:{wanted.as_posix()}', wanted.as_posix(), form}
        forms |= {f'/{form}', f'./{form}'}
    return bool(forms & set(map(_zipped, _listed(metadata.get('IntendedFor')))))


def _zipped(name: str) -> str:
    """Return a name as if the image were compressed, as it may be only since the name was written."""
    return f'{name}.gz' if name.endswith('.nii') else name


def _listed(value: Any) -> list[str]:
    """Return the texts of a text or a list."""
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
