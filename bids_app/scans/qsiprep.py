"""Where QSIPrep puts what belongs to a diffusion series: its mask, and the anatomy with its transform."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import MissingInputError

from .query import entities_of

_ANATOMY = {
    't1w_preproc': 'desc-preproc_T1w', 't1w_mask': 'desc-brain_mask', 't1w_dseg': 'dseg',
    **{f'probseg_{tissue.lower()}': f'label-{tissue}_probseg' for tissue in ('GM', 'WM', 'CSF')},
}  # fmt: skip


class DwiAnatomy(NamedTuple):
    """The anatomy that QSIPrep made, and its transform from points of the person to the template's."""

    t1w_preproc: Path
    t1w_mask: Path
    t1w_dseg: Path
    probseg_gm: Path | None
    probseg_wm: Path | None
    probseg_csf: Path | None
    std2anat_xfm: Path

    @property
    def has_tissue(self) -> bool:
        """Return whether all three probabilities are there; newer versions of QSIPrep write none."""
        return all((self.probseg_gm, self.probseg_wm, self.probseg_csf))


def mask_of(dwi: Path) -> Path:
    """Return the brain mask of a series.

    Raises
    ------
    MissingInputError
        It is not beside it.

    """
    stem = dwi.name.split('_desc-')[0]
    for name in (f'{stem}_desc-brain_mask.nii.gz', f'{stem}_desc-brain_mask.nii'):
        if (dwi.parent / name).is_file():
            return dwi.parent / name
    raise MissingInputError(
        f'{dwi}: its brain mask {stem}_desc-brain_mask.nii.gz is not beside it. Fetch it.'
    )


def find_dwi_anatomy(root: Path, label: str, space: str, templates: Sequence[str]) -> tuple[DwiAnatomy, str]:
    """Return QSIPrep's anatomy of the subject, else of a session, and the template that it leads to.

    Raises
    ------
    MissingInputError
        Naming the files that no folder has.

    """
    person = root / f'sub-{label}'
    # older versions wrote the anatomy without a space
    frames = [f'*_space-{space}_', *(['*'] if space == 'T1w' else [])]
    for folder in (person / 'anat', *sorted(person.glob('ses-*/anat'))):
        images = {
            field: _first(folder, [f'{frame}{end}.nii*' for frame in frames])
            for field, end in _ANATOMY.items()
        }
        for template in templates:
            # what resamples template images onto the person maps points of the person to the template
            transform = _first(folder, [f'*_from-{template}_to-{space}_mode-image_xfm.h5'])
            if transform and all(images[field] for field in DwiAnatomy._fields[:3]):
                return DwiAnatomy(**images, std2anat_xfm=transform), template  # type: ignore[arg-type]
    raise MissingInputError(
        f"sub-{label}: {person / 'anat'} lacks one of QSIPrep's {', '.join(list(_ANATOMY.values())[:3])} in space {space} and "
        f'from-{templates[0]}_to-{space}_mode-image_xfm.h5. Fetch it (datalad get), or run QSIPrep with its anatomical workflow.'
    )


def _first(folder: Path, patterns: Sequence[str]) -> Path | None:
    return next(
        (path for pattern in patterns for path in sorted(folder.glob(pattern)) if _is_plain(path)), None
    )


def _is_plain(path: Path) -> bool:
    """Tell tissue labels from the segmentations of FreeSurfer, and the person's space from a template's."""
    entities = entities_of(path)
    return not (path.name.split('.')[0].endswith('dseg') and 'desc' in entities) and not entities.get(
        'space', ''
    ).startswith('MNI')
