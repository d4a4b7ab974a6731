"""Who and what is left out on request, and images without it."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import ParameterError

from ..settings import Settings
from ..tables.text import Labels
from .dataset import Absence
from .exclusion_list import MODALITIES, RULE, Exclusion, few_of, read_list, read_rule
from .images import Images
from .query import entities_of

LOGGER = logging.getLogger(__name__)

_MERGED = {'bold': ('echo', 'part'), 'dwi': ('acq', 'ce', 'rec', 'dir', 'run', 'echo', 'part')}
"""Entities of a raw scan that what is made of it may have lost, for several were made into one."""

_SCAN = ('sub', 'ses', 'task', 'acq', 'ce', 'rec', 'dir', 'run', 'echo', 'part')


class Exclusions(NamedTuple):
    """What is left out of the people of a dataset."""

    entries: tuple[Exclusion, ...] = ()

    def of_person(self, participant_id: str) -> Exclusion | None:
        """Return why a participant is left out altogether."""
        own = (entry for entry in self.entries if entry.participant_id == participant_id)
        return next((entry for entry in own if entry.is_person), None)

    def of_session(self, participant_id: str, session_id: str, modality: str) -> Exclusion | None:
        """Return why all scans of a kind and session are left out."""
        for entry in self.entries:
            if (
                entry.participant_id == participant_id
                and entry.session_id in ('', session_id)
                and entry.modality in ('', modality)
                and not entry.scan
            ):
                return entry
        return None

    def of_file(self, name: str) -> Exclusion | None:
        """Return why an image is left out: a raw scan, or a series that was made of it (``desc-``)."""
        modality, is_made = (
            MODALITIES.get(name.split('.')[0].rpartition('_')[2], ''),
            'desc' in entities_of(Path(name)),
        )
        return self.of_scan(name, modality, is_made=is_made) if modality else None

    def of_scan(self, name: str, modality: str, *, is_made: bool) -> Exclusion | None:
        """Return why a scan is left out, by a name that begins as that of its file does.

        ``is_made``: it is the name of a result, which may have lost what several scans do not share.
        """
        entities = entities_of(Path(name))
        session = f'ses-{entities["ses"]}' if 'ses' in entities else ''
        whole = self.of_session(f'sub-{entities.get("sub", "")}', session, modality)
        rules = (entry for entry in self.entries if entry.scan and entry.modality == modality)
        return whole or next((entry for entry in rules if _is_of(entities, entry, is_made=is_made)), None)

    def of_inputs(self, names: Iterable[str]) -> dict[str, Exclusion]:
        """Return which raw scans, or series that were made of them, are left out, by their file names."""
        files = [name.rpartition('/')[2] for name in names]
        is_shown = '_T1w.'  # an anatomy that fMRIPrep made is shown, and nothing is computed of it
        found = {name: self.of_file(name) for name in files if not ('_desc-' in name and is_shown in name)}
        return {name: why for name, why in found.items() if why}

    def keys(self) -> list[str]:
        """Return what is left out, as parameters record it."""
        return sorted({entry.key() for entry in self.entries})


NOTHING = Exclusions()


def _is_of(entities: Mapping[str, str], entry: Exclusion, *, is_made: bool) -> bool:
    """Return whether entities are those of the scan of a rule, or of what was made of it."""
    raw = entities_of(Path(entry.scan))
    if not is_made:
        return entities == raw
    scan, own = ({key: found[key] for key in _SCAN if key in found} for found in (raw, entities))
    lost = scan.keys() - own.keys()
    return own.items() <= scan.items() and lost <= set(_MERGED.get(entry.modality, ()))


def read_exclusions(settings: Settings, people: Iterable[str], sessions: Iterable[str] = ()) -> Exclusions:
    """Return what ``--exclude`` leaves out of people.

    Parameters
    ----------
    settings
        What was asked.
    people
        ``participant_id`` of those who are chosen, with a folder or without.
    sessions
        Sessions that are known without a folder.

    Raises
    ------
    MissingInputError
        A file, or the column of a rule, is absent.
    ParameterError
        A list cannot be used, or an id may be two.

    Notes
    -----
    Whoever is not in the dataset is named in a warning: lists often hold people of several datasets.

    """
    chosen, entries = set(people), list[Exclusion]()
    roots = [settings.bids_dir, *(path for _, path in settings.derivatives), settings.results_dir]
    known = Labels('sub-', {*chosen, *(p.name for root in roots for p in root.glob('sub-*') if p.is_dir())})
    for word in settings.exclude:
        if word.startswith(RULE):
            entries += read_rule(word, settings.bids_dir, sorted(chosen))
            continue
        strangers = []
        for entry in read_list(Path(word)):
            label = _known(entry, 'participant_id', known)
            if not label:
                strangers.append(entry.participant_id)
            elif label in chosen:
                folders = (p.name for root in roots for p in (root / label).glob('ses-*'))
                entries += _with_session(entry._replace(participant_id=label), [*folders, *sessions])
        if strangers:
            LOGGER.warning('--exclude %s: not in this dataset: %s', Path(word).name, few_of(strangers))
    return Exclusions(tuple(dict.fromkeys(entries)))


def _with_session(entry: Exclusion, sessions: Iterable[str]) -> list[Exclusion]:
    """Return the entry with its session as the dataset spells it; nothing where there is no such session."""
    if not entry.session_id:
        return [entry]
    there = Labels('ses-', sessions)
    session = _known(entry, 'session_id', there)
    if not session:
        has = f'which has {", ".join(there.known)}' if there.known else 'which has no sessions'
        LOGGER.warning(
            '--exclude %s: no %s of %s, %s: nothing left out',
            entry.source, entry.session_id, entry.participant_id, has,
        )  # fmt: skip
        return []
    return [entry._replace(session_id=session)]


def _known(entry: Exclusion, field: str, labels: Labels) -> str:
    """Return the label that is meant, empty where there is none."""
    text = getattr(entry, field)
    found = labels.find(text)
    if len(found) > 1:
        raise ParameterError(
            f'--exclude {entry.source}: {text} could be {" or ".join(found)}. Write the one that is meant.'
        )
    if found and found[0] != text:
        LOGGER.warning('--exclude %s: %s is taken for %s; check that it is', entry.source, text, found[0])
    return found[0] if found else ''


class AdmittedImages(Images):
    """The images of chosen participants, without what is left out on request; remembers that.

    Parameters
    ----------
    exclusions
        What is left out.

    """

    def __init__(self, exclusions: Exclusions) -> None:
        super().__init__()
        self.exclusions = exclusions
        self._left_out: dict[tuple[str, str], dict[Path, Exclusion]] = {}
        self._kept: set[tuple[str, str]] = set()
        self._first: dict[tuple[str, str], tuple[Path, Exclusion]] = {}

    def find(self, root: Path, label: str, filters: Mapping[str, Any]) -> list[Path]:
        """Return the images that pass ``filters`` and are not left out, see :meth:`Images.find`."""
        kept = []
        for path in super().find(root, label, filters):
            modality = MODALITIES.get(path.name.split('.')[0].rpartition('_')[2], '')
            place = (label, modality)
            why = self.exclusions.of_file(path.name) or self._stands_in(root, place)
            if why:
                self._left_out.setdefault(place, {})[path] = why
                self._first.setdefault(place, (root, why))
            else:
                kept.append(path)
                self._kept.add(place)
        return kept

    def left_out(self, label: str, modality: str) -> list[Path]:
        """Return the images of a kind that were found and are left out on request."""
        return list(self._left_out.get((label, modality), ()))

    def _stands_in(self, root: Path, place: tuple[str, str]) -> Exclusion | None:
        """Return why a dataset does not stand in for another one, of which everything was left out."""
        first, why = self._first.get(place, (root, None))
        return None if first == root or place in self._kept else why

    def with_reasons(self, label: str, absences: Iterable[Absence]) -> list[Absence]:
        """Return why a participant lacks something: on request, and not because nothing was found."""
        own = {modality: left for (who, modality), left in self._left_out.items() if who == label}
        emptied = [modality for modality in own if (label, modality) not in self._kept]
        reasons = {
            Absence(modality, f'{_scan_of(path)}: {why.said()}', on_request=True): None
            for modality, left in own.items()
            for path, why in left.items()
        }
        others = [each for each in absences if each.modality not in emptied or each.exit_code]
        return [*others, *reasons]


def _scan_of(path: Path) -> str:
    """Return the name of a scan, the same for all that was made of it."""
    return '_'.join(f'{key}-{value}' for key, value in entities_of(path).items() if key in _SCAN)
