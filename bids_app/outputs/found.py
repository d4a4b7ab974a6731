"""What the participant level left for the group: scans and tracts of the trial's visits."""

import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import DataError

from ..phenotype.trial import Trial, Visit
from ..running.manifest import manifest_path
from ..scans.query import entities_of
from ..settings import Settings
from .bold import SEEDS

LOGGER = logging.getLogger(__name__)

_FREE = ('random_seed', 'derivatives', 'bids_filters', 'task_id')
"""Parameters that may differ between participants without making their numbers incomparable."""


class ScanResult(NamedTuple):
    """Connectivity of one BOLD run."""

    participant_id: str
    session_id: str
    name: str
    qc: Path
    relmat: Path
    regions: Path
    maps: dict[str, Path]
    space: str
    dof: float
    flags: list[str]


class TractResult(NamedTuple):
    """The table of one tract and the session of it that is meant, empty when there is only one."""

    participant_id: str
    session_id: str
    table: Path


class Results(NamedTuple):
    """Everything that was found, and what stands in the way of using some of it."""

    scans: list[ScanResult]
    tracts: list[TractResult]
    incomplete: list[tuple[str, str, str]]
    """participant_id, session_id and reason of scans that lack files."""

    @property
    def space(self) -> str:
        """Return the one template space of the maps; empty without maps."""
        return self.scans[0].space if self.scans else ''


def collect_results(settings: Settings, trial: Trial, people: Iterable[str]) -> Results:
    """Find the results of the participant level for people who are analysed.

    Parameters
    ----------
    settings
        The derivatives are ``-d clbpe=PATH`` if given, else the output folder.
    trial
        Its visits.
    people
        Their ``participant_id``.

    Raises
    ------
    DataError
        Participants were processed with different parameters or into different spaces; names them.

    """
    root = settings.results_dir
    known = [label for label in sorted(people) if (root / label).is_dir()]
    _check_parameters(root, known)
    found = [_scans_of(root / label, trial, settings) for label in known]
    scans = [scan for own, _ in found for scan in own]
    incomplete = [gap for _, gaps in found for gap in gaps]
    tracts = [tract for label in known for tract in _tracts_of(root / label, trial)]
    spaces: dict[str, str] = {}
    for scan in scans:
        spaces.setdefault(scan.space, scan.name)
    if len(spaces) > 1:
        listed = '; '.join(f'{space}, for example {name}' for space, name in spaces.items())
        raise DataError(
            f'{root}: maps are in different template spaces: {listed}. Run the participant level with one '
            '--output-space for all.'
        )
    return Results(scans, tracts, incomplete)


def _check_parameters(root: Path, labels: list[str]) -> None:
    """Refuse to pool people who were processed differently."""
    groups: dict[str, dict[str, list[str]]] = {}
    for label in labels:
        path = manifest_path(root, label.removeprefix('sub-'))
        if not path.is_file():
            LOGGER.warning('%s: no record of a finished run; its results are used as they are', label)
            continue
        for key, value in json.loads(path.read_text())['parameters'].items():
            groups.setdefault(key, {}).setdefault(json.dumps(value), []).append(label)
    mixed = {key: values for key, values in groups.items() if len(values) > 1 and key not in _FREE}
    if mixed:
        lines = [
            f'\n- {key}: '
            + '; '.join(f'{value} for {_some(people)}' for value, people in sorted(values.items()))
            for key, values in mixed.items()
        ]
        raise DataError(
            f'{root}: participants were processed with different parameters:{"".join(lines)}\n'
            'Run the participant level again with the same options (and --overwrite), or leave some out '
            'with --participant-label.'
        )


def _some(people: list[str]) -> str:
    return ', '.join(people[:3]) + (f' and {len(people) - 3} more' if len(people) > 3 else '')


def _sessions(folder: Path, trial: Trial) -> Iterator[tuple[Visit, Path]]:
    for visit in trial.visits:
        if (folder / visit.session_id).is_dir():
            yield visit, folder / visit.session_id


def _scans_of(
    folder: Path, trial: Trial, settings: Settings
) -> tuple[list[ScanResult], list[tuple[str, str, str]]]:
    scans, gaps = [], []
    for visit, session in _sessions(folder, trial):
        for qc in sorted((session / 'func').glob('*_desc-denoise_qc.json')):
            entities = entities_of(qc)
            if not _is_selected(entities, settings):
                continue
            stem = qc.name.removesuffix('_desc-denoise_qc.json')
            found = _scan(folder.name, visit, qc, stem)
            if isinstance(found, str):
                gaps.append((folder.name, visit.session_id, f'{stem}: {found}'))
            else:
                scans.append(found)
    return scans, gaps


def _is_selected(entities: dict[str, str], settings: Settings) -> bool:
    runs = {str(int(number)) for number in settings.run}
    return (not settings.task_id or entities.get('task') in settings.task_id) and (
        not runs or str(int(entities.get('run', '1'))) in runs
    )


def _scan(label: str, visit: Visit, qc: Path, stem: str) -> ScanResult | str:
    """Return the results of one run, or what it lacks."""
    facts: dict[str, Any] = json.loads(qc.read_text())
    relmats = sorted(qc.parent.glob(f'{stem}_space-*_stat-fisherz_relmat.tsv'))
    if len(relmats) != 1:
        return f'{len(relmats)} matrices of region connectivity, one is expected'
    space = entities_of(relmats[0])['space']
    maps = {}
    for name, tail in {
        **{seed: f'seg-{seed}_stat-fisherz_boldmap' for seed in SEEDS},
        'icc': 'stat-icc_boldmap',
    }.items():
        paths = sorted(qc.parent.glob(f'{stem}_space-{space}*_{tail}.nii.gz'))
        if len(paths) != 1:
            return f'{len(paths)} files *_{tail}.nii.gz, one is expected'
        maps[name] = paths[0]
    regions = sorted(qc.parent.glob(f'{stem}_space-{space}*_desc-regions_dseg.nii.gz'))
    if len(regions) != 1:
        return f'{len(regions)} label images of the regions, one is expected'
    return ScanResult(
        label, visit.session_id, stem, qc, relmats[0], regions[0], maps, space,
        float(facts['DegreesOfFreedom']), list(facts['Flags']),
    )  # fmt: skip


def _tracts_of(folder: Path, trial: Trial) -> Iterator[TractResult]:
    """Yield tracts of one person (a table for all sessions) and those of a session of its own."""
    name = '*_bundle-NAcMPFC_scalarstats.tsv'
    common = sorted((folder / 'dwi').glob(name))
    for visit in trial.visits:
        own = sorted((folder / visit.session_id / 'dwi').glob(name))
        for table in own or common:
            yield TractResult(folder.name, visit.session_id, table)


def stamp_of(*paths: Path) -> str:
    """Return what changes when a file does: names alone would let a step keep an old result."""
    return ';'.join(f'{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}' for p in paths)
