"""Find the EPI of opposite phase encoding that belong to a raw BOLD run."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import DataError, MissingInputError

from ..settings import Settings
from .encoding import encoding_of
from .query import entities_of, is_magnitude, sidecar

LOGGER = logging.getLogger(__name__)

_PHASE = ('phasediff', 'phase1', 'phase2', 'fieldmap')
_SAME_READOUT = 0.01  # share by which two readout times may differ


class Epi(NamedTuple):
    """An EPI: ``direction`` as BIDS writes it, empty if unknown; ``readout_time`` in s, 0 if unknown."""

    path: Path
    direction: str
    readout_time: float


class EpiPair(NamedTuple):
    """How a run was encoded, and two EPI of opposite phase encoding that show its distortion."""

    run: Epi
    epi: tuple[Epi, Epi]

    def files(self) -> list[Path]:
        """Return the two images."""
        return [epi.path for epi in self.epi]


def is_corrected(settings: Settings) -> bool:
    """Return whether distortion may be corrected: ``--ignore fieldmaps`` and ``--ignore sdc`` forbid it."""
    return not {'fieldmaps', 'sdc'} & set(settings.distortion.ignore)


def find_pair(settings: Settings, bold: Path, metadata: Mapping[str, Any]) -> EpiPair | None:
    """Return the pair that shows the distortion of a run, none if there is none that can be used.

    Parameters
    ----------
    settings
        ``--ignore`` and ``--fallback-total-readout-time`` are used.
    bold
        Raw series.
    metadata
        Its sidecar.

    Notes
    -----
    The images are ``fmap/*_epi`` of the run's session.  Those whose ``B0FieldIdentifier`` is a
    ``B0FieldSource`` of the run belong to it, else those whose ``IntendedFor`` names it.  Images that
    belong to it but cannot be used are said in a warning, and the run goes on.  A single image is not
    used: it would have to be paired with the run, whose contrast and position differ.  Neither are
    b = 0 images of diffusion series.

    Raises
    ------
    DataError
        A JSON that applies cannot be read.

    """
    if not is_corrected(settings):
        return None
    folder = bold.parent.parent / 'fmap'
    found = [p for p in sorted(folder.glob('*_epi.nii*')) if is_magnitude(p)]
    facts = {path: sidecar(path, settings.bids_dir) for path in found}
    own = _belonging(facts, bold, metadata, settings.bids_dir)
    if not own:
        _say_unused_phase(settings, folder, bold, metadata)
        if found:
            LOGGER.warning(
                '%s: no B0FieldIdentifier or IntendedFor of %s names it; they are not used',
                bold.name,
                ', '.join(path.name for path in found),
            )
        return None
    scans = [_describe(settings, path, facts[path]) for path in own]
    pair = _opposite(scans)
    run = _describe(settings, bold, metadata)
    problem = _problem(run, scans, pair)
    if pair is None or problem:
        LOGGER.warning('%s: distortion is not corrected with %s: %s', bold.name, _names(scans), problem)
        return None
    return EpiPair(run, pair)


def _say_unused_phase(settings: Settings, folder: Path, bold: Path, metadata: Mapping[str, Any]) -> None:
    """Say which maps of phase or field belong to a run that is not corrected."""
    maps = [path for kind in _PHASE for path in sorted(folder.glob(f'*_{kind}.nii*'))]
    facts = {path: sidecar(path, settings.bids_dir) for path in maps}
    own = _belonging(facts, bold, metadata, settings.bids_dir)
    if own:
        LOGGER.warning(
            '%s: distortion is not corrected with %s: maps of phase or field are not used, only two EPI of opposite '
            'direction. Preprocess with fMRIPrep, which uses them, or see --use-syn-sdc.',
            bold.name,
            ', '.join(path.name for path in own),
        )


def unused_fieldmaps(settings: Settings, scans: Sequence[Path]) -> list[str]:
    """Return what ``fmap`` holds for diffusion series, which is not used for them, and why.

    Parameters
    ----------
    settings
        With ``--ignore`` nothing is missed.
    scans
        Raw series of one session.

    """
    if not scans or not is_corrected(settings):
        return []
    root, reasons = settings.bids_dir, []
    facts: dict[Path, Mapping[str, Any]] = {}
    for path in sorted((scans[0].parent.parent / 'fmap').glob('*.nii*')):
        try:
            facts[path] = sidecar(path, root)
        except (DataError, MissingInputError) as error:
            reasons.append(str(error))
    own = [path for scan in scans for path in _belonging(facts, scan, sidecar(scan, root), root)]
    if own:
        named = ', '.join(dict.fromkeys(path.name for path in own))
        reasons.append(
            f'{named}: meant for {", ".join(scan.name for scan in scans)}, but images of fmap/ are not used for diffusion. '
            'Its distortion is corrected with series of opposite phase encoding in dwi/, or with --use-syn-sdc.'
        )
    return reasons


def _names(scans: Sequence[Epi]) -> str:
    return ', '.join(scan.path.name for scan in scans)


def _describe(settings: Settings, path: Path, metadata: Mapping[str, Any]) -> Epi:
    found = encoding_of(metadata, settings.distortion.fallback_total_readout_time)
    for remark in found.remarks if found.direction else ():  # without one the image is named as not used
        LOGGER.warning('%s: %s', path.name, remark)
    return Epi(path, found.direction, found.readout_time)


def _belonging(
    facts: Mapping[Path, Mapping[str, Any]], bold: Path, metadata: Mapping[str, Any], root: Path
) -> list[Path]:
    """Return the images that the metadata assign to the run."""
    sources = set(_listed(metadata.get('B0FieldSource')))
    named = [path for path, its in facts.items() if sources & set(_listed(its.get('B0FieldIdentifier')))]
    if named:
        return named
    wanted = bold.relative_to(root)
    wanted = wanted.with_name(_zipped(wanted.name))
    # the older form starts at the folder of the participant; some write the participant, too
    subject = wanted.parts[0]
    form = wanted.relative_to(subject).as_posix()
    forms = {f'bids::{wanted.as_posix()}', f'bids:raw:{wanted.as_posix()}', wanted.as_posix(), form}
    forms |= {f'/{form}', f'./{form}'}
    return [path for path, its in facts.items() if forms & set(map(_zipped, _listed(its.get('IntendedFor'))))]


def _zipped(name: str) -> str:
    """Return a name as if the image were compressed, as it may be only since the name was written."""
    return f'{name}.gz' if name.endswith('.nii') else name


def _listed(value: Any) -> list[str]:
    """Return the texts of a text or a list."""
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _opposite(scans: Sequence[Epi]) -> tuple[Epi, Epi] | None:
    """Return two images of opposite direction, preferably those whose names differ in ``dir`` alone."""
    pairs = [
        (one, other)
        for one in scans
        for other in scans
        if one.direction and other.direction == f'{one.direction}-'
    ]
    return min(pairs, key=lambda pair: _group(pair[0].path) != _group(pair[1].path), default=None)


def _group(path: Path) -> dict[str, str]:
    return {key: value for key, value in entities_of(path).items() if key != 'dir'}


def _problem(run: Epi, scans: Sequence[Epi], pair: tuple[Epi, Epi] | None) -> str:
    """Return why the images cannot be used, empty if they can."""
    without = [scan.path.name for scan in (run, *scans) if not scan.direction]
    if pair is None or not run.direction:
        if without:
            return f'PhaseEncodingDirection of {", ".join(without)} is absent or unknown. Mend the sidecar.'
        given = ', '.join(scan.direction for scan in scans)
        return f'their PhaseEncodingDirection is {given}, and two opposite ones are needed.'
    untimed = [scan.path.name for scan in (run, *pair) if not scan.readout_time]
    if untimed:
        return (
            f'TotalReadoutTime of {", ".join(untimed)} is absent or not above 0. Mend the sidecar or give '
            '--fallback-total-readout-time.'
        )
    first, second = (scan.readout_time for scan in pair)
    if abs(first - second) > _SAME_READOUT * max(first, second):
        return f'their TotalReadoutTime, {first:g} and {second:g} s, differ.'
    return ''
