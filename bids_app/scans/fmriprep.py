"""Where fMRIPrep puts what belongs to a run: mask, confounds, segmentation, anatomy in template space."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import MissingInputError
from pipelines.interfaces.choices import Segmentation

LOGGER = logging.getLogger(__name__)


class Preprocessed(NamedTuple):
    """What fMRIPrep made of a run."""

    mask: Path
    confounds: Path
    confounds_metadata: Path


class ShownAnatomy(NamedTuple):
    """The anatomy in template space that fMRIPrep wrote; it is only shown."""

    t1w: Path
    mask: Path
    dseg: Path


def find_preprocessed(bold: Path) -> Preprocessed:
    """Return mask and confounds of a series in template space.

    Raises
    ------
    MissingInputError
        One of them is not beside it.

    """
    stem = bold.name.split('_desc-')[0]
    mask = _companion(bold, [f'{stem}_desc-brain_mask.nii.gz', f'{stem}_desc-brain_mask.nii'], 'brain mask')
    plain = re.sub(r'_(?:space|res)-[^_]+', '', stem)
    tables = [f'{plain}_desc-confounds_{suffix}.tsv' for suffix in ('timeseries', 'regressors')]
    confounds = _companion(bold, tables, 'confounds table')
    metadata = _companion(bold, [confounds.with_suffix('.json').name], 'confounds JSON')
    return Preprocessed(mask, confounds, metadata)


def _companion(bold: Path, names: list[str], what: str) -> Path:
    for name in names:
        if (bold.parent / name).is_file():
            return bold.parent / name
    raise MissingInputError(
        f'{bold}: its {what} {" or ".join(names)} is not in {bold.parent}. Fetch it (datalad get) or run fMRIPrep again.'
    )


def anatomical_folders(root: Path, entities: dict[str, str]) -> list[Path]:
    """Return where a run's anatomy may be: in its session, of the participant, in any other session."""
    person = root / f'sub-{entities["sub"]}'
    own = [person / f'ses-{entities["ses"]}' / 'anat'] if 'ses' in entities else []
    return list(dict.fromkeys([*own, person / 'anat', *sorted(person.glob('ses-*/anat'))]))


def find_segmentation(folders: Sequence[Path], space: str) -> Segmentation:
    """Return FreeSurfer's labels and the transform from the first folder that has them."""
    for folder in folders:
        transform = next(folder.glob(f'*_from-T1w_to-{space}_mode-image_xfm.h5'), None)
        labels = {
            kind: next((p for p in sorted(folder.glob(f'*_desc-{kind}_dseg.nii*')) if '_space-' not in p.name), None)
            for kind in ('aseg', 'aparcaseg')
        }  # fmt: skip
        if transform and any(labels.values()):
            if folder != folders[0]:
                LOGGER.warning('%s has no segmentation: that in %s is used', folders[0], folder)
            return Segmentation(labels['aseg'], labels['aparcaseg'], transform)
    return Segmentation()  # the region says which files it needs


def find_anatomy(folders: Sequence[Path], space: str) -> ShownAnatomy | None:
    """Return image, mask and tissues in template space from the first folder that has all three."""
    endings = ('desc-preproc_T1w', 'desc-brain_mask', 'dseg')
    for folder in folders:
        found = [
            next((p for p in sorted(folder.glob(f'*_space-{space}_*{end}.nii*')) if p.name.split('.')[0].endswith(end)
                  and (end != 'dseg' or '_desc-' not in p.name)), None)
            for end in endings
        ]  # fmt: skip
        if found[0] and found[1] and found[2]:
            return ShownAnatomy(found[0], found[1], found[2])
    return None
