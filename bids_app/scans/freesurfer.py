"""Find FreeSurfer's labels of a participant in the folder that FreeSurfer wrote (``-d freesurfer=SUBJECTS_DIR``)."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.access import why_unreadable
from pipelines.errors import MissingInputError
from pipelines.interfaces.choices import FREESURFER, Segmentation
from pipelines.terms import Circuit

from ..settings import Settings
from .dataset import Dataset

LOGGER = logging.getLogger(__name__)

_BRAINS = ('norm.mgz', 'brain.mgz', 'brainmask.mgz')
"""The brain that labels lie on, the most even first."""

_LABELS = ('aparc+aseg.mgz', 'aseg.mgz')
"""The first holds the labels of the second too."""


class FreeSurfer(NamedTuple):
    """A brain and its labels."""

    dataset: Dataset
    brain: Path
    labels: Path

    def files(self) -> list[Path]:
        """Return both files."""
        return [self.brain, self.labels]

    def uris(self) -> list[str]:
        """Return the ``bids:`` URI of the labels."""
        return [self.dataset.uri(self.labels)]


def find_freesurfer(settings: Settings, label: str) -> FreeSurfer:
    """Return FreeSurfer's labels of a participant.

    Parameters
    ----------
    settings
        Where FreeSurfer's subjects are.
    label
        Participant, without ``sub-``.

    Raises
    ------
    MissingInputError
        No folder was given, it has nothing of this participant, or that cannot be read.

    """
    root = settings.freesurfer_dir
    if root is None:
        raise MissingInputError(
            f"sub-{label}: region freesurfer needs FreeSurfer's labels. Give the folder of its subjects with "
            f'-d {FREESURFER}=SUBJECTS_DIR, or choose another region.'
        )
    folder = _folder_of(root, label)
    found = FreeSurfer(
        Dataset(FREESURFER, root), _first(folder / 'mri', _BRAINS), _first(folder / 'mri', _LABELS)
    )
    for path in found.files():
        if reason := why_unreadable(path):
            raise reason
    is_whole = found.labels.name == _LABELS[0]
    check_labels(settings.circuit, Segmentation(found.labels, found.labels if is_whole else None))
    return found


def check_labels(circuit: Circuit, found: Segmentation, space: str = '') -> None:
    """Refuse labels that lack what a region is taken from; raises MissingInputError."""
    from pipelines.interfaces.drawing import freesurfer_labels

    for own in circuit.structures:
        if any(source.partition(':')[0] == FREESURFER for _, source in own.sources):
            freesurfer_labels(own, found, space)


def _first(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if os.path.lexists(folder / name):  # a link without content is told as one
            return folder / name
    raise MissingInputError(
        f'{folder} has no {" or ".join(names)}. Let recon-all come to its end, or choose another region.'
    )


def _folder_of(root: Path, label: str) -> Path:
    """Return the folder of a participant: over all sessions, else that of the first."""
    own = root / f'sub-{label}'
    if own.is_dir():
        return own
    sessions = sorted(path for path in root.glob(f'sub-{label}_ses-*') if path.is_dir())
    cross = [path for path in sessions if '.long.' not in path.name] or sessions
    if not cross:
        raise MissingInputError(
            f'{root} has no folder sub-{label}. Run FreeSurfer for this participant, or choose another region.'
        )
    if len(cross) > 1:
        LOGGER.warning("sub-%s: FreeSurfer's labels are those of %s", label, cross[0].name)
    return cross[0]
