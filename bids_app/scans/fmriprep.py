"""Where fMRIPrep puts what belongs to a run: mask, confounds, segmentation, anatomy in template space."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import MissingInputError
from pipelines.interfaces.choices import Segmentation
from pipelines.interfaces.headers import open_image

from .query import entities_of

LOGGER = logging.getLogger(__name__)

_RESOLUTION = '2'


class Preprocessed(NamedTuple):
    """What fMRIPrep made of a run; versions before 1.4 describe no confounds."""

    mask: Path
    confounds: Path
    confounds_metadata: Path | None


class ShownAnatomy(NamedTuple):
    """The anatomy in template space that fMRIPrep wrote; it is only shown."""

    t1w: Path
    mask: Path
    dseg: Path


def by_preference(files: Sequence[Path], spaces: Sequence[str]) -> list[Path]:
    """Return the series of a run in the spaces wanted, the preferred one first.

    Parameters
    ----------
    files
        One run in several spaces and resolutions.
    spaces
        The preferred one first.

    Notes
    -----
    Within a space ``res-2`` comes first, then what is nearest to 2 mm: all participants of a dataset get the
    same grid, whatever the order of names.

    """
    ordered: list[Path] = []
    for space in spaces:
        own = [path for path in files if entities_of(path).get('space') == space]
        ordered += sorted(own, key=_distance_from_2_mm) if len(own) > 1 else own
    return ordered


def _distance_from_2_mm(bold: Path) -> tuple[bool, float]:
    is_named = entities_of(bold).get('res', '').lstrip('0') == _RESOLUTION
    return not is_named, 0.0 if is_named else abs(max(open_image(bold).header.get_zooms()[:3]) - 2)


def find_preprocessed(bold: Path, *, needs_metadata: bool) -> Preprocessed:
    """Return mask and confounds of a series in template space.

    Parameters
    ----------
    bold
        The series.
    needs_metadata
        Whether the JSON of the confounds must be there.

    Raises
    ------
    MissingInputError
        One of them is not beside it.

    """
    mask = _companion(bold, _masks(bold), 'brain mask')
    plain = re.sub(r'_(?:space|res)-[^_]+', '', bold.name.split('_desc-')[0])
    tables = [f'{plain}_desc-confounds_{suffix}.tsv' for suffix in ('timeseries', 'regressors')]
    confounds = _companion(bold, tables, 'confounds table')
    metadata = confounds.with_suffix('.json')
    if metadata.is_file():
        return Preprocessed(mask, confounds, metadata)
    if needs_metadata:
        raise MissingInputError(
            f'{confounds}: its JSON, which says what each component is, is not beside it. Fetch it (datalad get), run '
            'fMRIPrep again, or choose --denoising 24p, which needs none.'
        )
    return Preprocessed(mask, confounds, None)


def has_mask(bold: Path) -> bool:
    """Return whether a series has its brain mask, be it a link whose content was not fetched."""
    paths = [bold.parent / name for name in _masks(bold)]
    return any(path.is_file() or path.is_symlink() for path in paths)


def _masks(bold: Path) -> list[str]:
    stem = bold.name.split('_desc-')[0]
    return [f'{stem}_desc-brain_mask.nii.gz', f'{stem}_desc-brain_mask.nii']


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


def find_segmentation(bold: Path, folders: Sequence[Path], space: str) -> Segmentation:
    """Return FreeSurfer's labels and the transform from the first folder that has them, else those beside a series."""
    for folder in folders:
        transform = find_transform([folder], space)
        labels = {
            kind: next((p for p in sorted(folder.glob(f'*_desc-{kind}_dseg.nii*')) if '_space-' not in p.name), None)
            for kind in ('aseg', 'aparcaseg')
        }  # fmt: skip
        if transform and any(labels.values()):
            if folder != folders[0]:
                LOGGER.warning('%s has no segmentation: that in %s is used', folders[0], folder)
            return Segmentation(labels['aseg'], labels['aparcaseg'], transform)
    return _beside(bold)


def find_transform(folders: Sequence[Path], space: str) -> Path | None:
    """Return the transform to a template from the first folder that has it."""
    found = (next(folder.glob(f'*_from-T1w_to-{space}_mode-image_xfm.h5'), None) for folder in folders)
    return next((path for path in found if path), None)


def _beside(bold: Path) -> Segmentation:
    """Return the labels that fMRIPrep brought to the series; the region says which files it lacks."""
    stem = bold.name.split('_desc-')[0]
    labels = {
        kind: next(iter(sorted(bold.parent.glob(f'{stem}_desc-{kind}_dseg.nii*'))), None)
        for kind in ('aseg', 'aparcaseg')
    }
    if any(labels.values()):
        LOGGER.warning('%s: labels of FreeSurfer in the space of the series are used', bold.name)
    return Segmentation(labels['aseg'], labels['aparcaseg'])


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
