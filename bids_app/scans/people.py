"""Find what a participant has; every "not found" message is made here."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import DatasetError, SelectionError

from ..settings import Settings, is_label
from .absent import preprocessed_inside
from .anatomy import find_t1w
from .bold import BoldRun, collect_bold
from .dataset import Absence
from .diffusion import Diffusion, collect_diffusion
from .exclusion import AdmittedImages, read_exclusions
from .fmriprep import ShownAnatomy
from .freesurfer import FreeSurfer
from .images import folder_names
from .query import entities_of
from .scalars import with_scalars

LOGGER = logging.getLogger(__name__)


class ParticipantInputs(NamedTuple):
    """What one participant has; ``t1w`` is empty when nothing needs it."""

    label: str
    runs: list[BoldRun]
    t1w: list[Path]
    absent: list[Absence]
    diffusion: Diffusion | None = None

    @property
    def needs_t1w(self) -> bool:
        """Return whether a scan is as the scanner gave it."""
        is_raw = self.diffusion is not None and not self.diffusion.is_preprocessed
        return is_raw or any(run.preprocessed is None for run in self.runs)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing can be analysed."""
        return not self.runs and self.diffusion is None

    @property
    def is_left_out(self) -> bool:
        """Return whether nothing can be analysed because it is left out on request."""
        is_unusable = any(absence.exit_code for absence in self.absent)
        return self.is_empty and not is_unusable and any(absence.on_request for absence in self.absent)

    @property
    def freesurfer(self) -> FreeSurfer | None:
        """Return FreeSurfer's labels, which every scan of a participant shares; None where no region needs them."""
        found = [run.freesurfer for run in self.runs]
        found += [self.diffusion.freesurfer] if self.diffusion else []
        return next((own for own in found if own), None)

    def files(self) -> list[Path]:
        """Return all input files."""
        scans = self.diffusion.files() if self.diffusion else []
        return [path for run in self.runs for path in run.files()] + scans + self.t1w

    def anatomy(self) -> dict[str, str]:
        """Return the entities that all T1-weighted images share: those of the one reference."""
        first, *others = (entities_of(path) for path in self.t1w)
        return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}

    def anatomies(self) -> list[ShownAnatomy]:
        """Return the anatomies of fMRIPrep that the runs show, each once."""
        return list(dict.fromkeys(run.anatomy for run in self.runs if run.anatomy))

    def t1w_of(self, entities: Mapping[str, str]) -> int:
        """Return the number of the T1-weighted image of a scan's session, else of the first."""
        sessions = [entities_of(path).get('ses') for path in self.t1w]
        wanted = entities.get('ses')
        return sessions.index(wanted) if wanted in sessions else 0


def participants(settings: Settings) -> list[str]:
    """Return the labels to process, from the folders of all datasets given.

    Raises
    ------
    DatasetError
        No ``sub-*`` folder anywhere.
    SelectionError
        A participant or session that was asked for does not exist; names those that do.

    """
    roots = [settings.bids_dir, *(path for _, path in settings.preprocessed)]
    named = {name.removeprefix('sub-') for root in roots for name in folder_names(root, 'sub-')}
    found = sorted(label for label in named if is_label(label))
    for label in sorted(named - set(found)):
        LOGGER.warning('folder sub-%s is passed over: a BIDS label holds letters and digits only', label)
    if not found:
        raise DatasetError(f'{settings.bids_dir} has no sub-* folder. Give the path of a BIDS dataset.')
    unknown = [label for label in settings.participant_label if label not in found]
    if unknown:
        some = ', '.join(found[:10]) + (' ...' if len(found) > 10 else '')
        raise SelectionError(f'--participant-label {" ".join(unknown)}: not in the dataset, which has {some}')
    chosen = list(settings.participant_label) or found
    _check_sessions(settings, roots, chosen)
    return chosen


def _check_sessions(settings: Settings, roots: Sequence[Path], chosen: Sequence[str]) -> None:
    if not settings.session_label:
        return
    found = {
        name[4:] for root in roots for label in chosen for name in folder_names(root / f'sub-{label}', 'ses-')
    }
    unknown = [label for label in settings.session_label if label not in found]
    if unknown:
        has = f'which have {", ".join(sorted(found))}' if found else 'which have no sessions'
        raise SelectionError(f'--session-label {" ".join(unknown)}: not in the chosen participants, {has}')


def collect_all(settings: Settings) -> list[ParticipantInputs]:
    """Return the inputs of every chosen participant.

    Raises
    ------
    SelectionError
        Run numbers, a filter file or exclusions leave nothing of anybody.

    """
    labels = participants(settings)
    for folder in preprocessed_inside(settings):
        LOGGER.warning(
            '%s holds preprocessed data, which are not used. Use them: -d %s=%s', folder, folder.name, folder
        )
    images = _admitted(settings, labels)
    found = [collect(settings, label, images) for label in labels]
    if all(person.is_left_out for person in found):
        reasons = ''.join(f'\n- {absence.reason}' for person in found for absence in person.absent)
        raise SelectionError(f'--exclude {" ".join(settings.exclude)} leaves nothing of anybody:{reasons}')
    nothing = all(person.is_empty for person in found)
    filters = settings.bids_filters
    for modality, is_chosen in (('bold', settings.run or filters.get('bold')), ('dwi', filters.get('dwi'))):
        absent = [absence for person in found for absence in person.absent if absence.modality == modality]
        if nothing and is_chosen and not any(absence.exit_code for absence in absent):
            raise SelectionError(absent[0].reason)
    return found


def _admitted(settings: Settings, labels: Sequence[str]) -> AdmittedImages:
    """Return the images of participants without those that are left out on request."""
    exclusions = read_exclusions(settings, [f'sub-{label}' for label in labels])
    return AdmittedImages(exclusions)


def collect(settings: Settings, label: str, images: AdmittedImages | None = None) -> ParticipantInputs:
    """Return what one participant has; what is missing, unusable or left out is listed, not raised."""
    images = images or _admitted(settings, [label])
    for _, root in (('raw', settings.bids_dir), *settings.preprocessed):
        for reason in images.listing(root, label).closed:
            return ParticipantInputs(label, [], [], [Absence.of('bold', reason)])
    t1w, passed = find_t1w(settings, images, label)
    runs, absent = collect_bold(settings, images, label, t1w)
    diffusion, lacking = collect_diffusion(settings, images, label, t1w)
    if diffusion:
        diffusion, unmeasured = with_scalars(settings, images, label, diffusion, t1w)
        lacking += unmeasured
    absences = images.with_reasons(label, [*absent, *lacking])
    found = ParticipantInputs(label, runs, t1w, absences, diffusion)
    is_lacking = not t1w and any(a.modality == 'bold' and a.exit_code for a in absent)
    if not (found.needs_t1w or is_lacking):
        return found._replace(t1w=[])
    return found._replace(absent=[*found.absent, *passed])
