"""Where QSIPrep puts what belongs to a diffusion series: its mask, and the anatomy with its transform."""

import csv
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import DataError, MissingInputError

from .query import entities_of, inherited

LOGGER = logging.getLogger(__name__)

_ANATOMY = {
    't1w_preproc': 'desc-preproc_T1w', 't1w_mask': 'desc-brain_mask', 't1w_dseg': 'dseg',
    **{f'probseg_{tissue.lower()}': f'label-{tissue}_probseg' for tissue in ('GM', 'WM', 'CSF')},
}  # fmt: skip
_NAMES = {
    'gm': ('gm', 'greymatter', 'graymatter'),
    'wm': ('wm', 'whitematter'),
    'csf': ('csf', 'cerebrospinalfluid'),
}
"""What a table of labels calls the tissues, in small letters alone."""


class DwiAnatomy(NamedTuple):
    """The anatomy that QSIPrep made, and its transform from points of the person to the template's.

    ``table`` names the labels of the segmentation, where one lies beside it.
    """

    t1w_preproc: Path
    t1w_mask: Path
    t1w_dseg: Path
    probseg_gm: Path | None
    probseg_wm: Path | None
    probseg_csf: Path | None
    std2anat_xfm: Path
    table: Path | None = None

    @property
    def has_tissue(self) -> bool:
        """Return whether all three probabilities are there; newer versions of QSIPrep write labels only."""
        return all((self.probseg_gm, self.probseg_wm, self.probseg_csf))

    def files(self) -> list[Path]:
        """Return every file that was found."""
        return [path for path in self if path]

    def labels(self) -> dict[str, list[int]] | None:
        """Return the labels of the tissues by the table; None where it does not name all three."""
        return read_labels(self.table) if self.table else None


def read_labels(table: Path) -> dict[str, list[int]] | None:
    """Return the labels of ``gm``, ``wm`` and ``csf`` in a table of labels; None where one has none.

    Raises
    ------
    DataError
        The table cannot be read, or an index is no whole number.

    """
    try:
        rows = list(csv.DictReader(table.read_text(encoding='utf-8-sig').splitlines(), delimiter='\t'))
        named = [(int(row['index']), (row.get('name'), row.get('abbreviation'))) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(
            f'{table} is no table with the columns index and name ({error!r}). Mend the file or remove it.'
        ) from error
    found = {
        tissue: [index for index, words in named if {_plain(word) for word in words} & set(names)]
        for tissue, names in _NAMES.items()
    }
    return found if all(found.values()) else None


def _plain(word: str | None) -> str:
    return ''.join(letter for letter in (word or '').casefold() if letter.isalpha())


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


def find_dwi_anatomies(
    root: Path, label: str, sessions: Iterable[str], space: str, templates: Sequence[str]
) -> tuple[dict[str, DwiAnatomy], str]:
    """Return QSIPrep's anatomy for each session, and the template that all lead to.

    Parameters
    ----------
    root, label
        Dataset and participant.
    sessions
        Labels, empty for none.
    space
        Space of the series.
    templates
        Those that serve, the best first.

    Notes
    -----
    The anatomy of the session comes first, then the participant's, then any other session's, which is said: QSIPrep
    gives each session a space of its own when it was asked for anatomies of sessions.

    Raises
    ------
    MissingInputError
        Naming the files that no folder has.

    """
    person, wanted = root / f'sub-{label}', list(sessions)
    others = sorted(person.glob('ses-*/anat'))
    # a template that all sessions lead to by themselves comes before one by way of another session
    for borrowed, template in product(([], others), templates):
        found: dict[str, DwiAnatomy] = {}
        for session in wanted:
            own = [person / f'ses-{session}' / 'anat'] if session else []
            anatomies = (_anatomy_in(f, root, space, template) for f in (*own, person / 'anat', *borrowed))
            anatomy = next((anatomy for anatomy in anatomies if anatomy), None)
            if anatomy:
                found[session] = anatomy
        if len(found) == len(wanted):
            _say_borrowed(found)
            return found, template
    raise MissingInputError(
        f"sub-{label}: {person / 'anat'} lacks one of QSIPrep's {', '.join(list(_ANATOMY.values())[:3])} in space {space} and "
        f'from-{templates[0]}_to-{space}_mode-image_xfm.h5. Fetch it (datalad get), or run QSIPrep with its anatomical workflow.'
    )


def _say_borrowed(found: Mapping[str, DwiAnatomy]) -> None:
    for session, anatomy in found.items():
        other = entities_of(anatomy.t1w_preproc).get('ses')
        if session and other and other != session:
            LOGGER.warning('session %s has no anatomy: %s is used', session, anatomy.t1w_preproc.name)


def _anatomy_in(folder: Path, root: Path, space: str, template: str) -> DwiAnatomy | None:
    """Return the anatomy of a folder with its way to a template, if it is complete."""
    # older versions wrote the anatomy without a space
    frames = [f'*_space-{space}_', *(['*'] if space == 'T1w' else [])]
    images = {
        field: _first(folder, [f'{frame}{end}.nii*' for frame in frames]) for field, end in _ANATOMY.items()
    }
    # what resamples template images onto the person maps points of the person to the template
    transform = _first(folder, [f'*_from-{template}_to-{space}_mode-image_xfm.h5'])
    dseg = images['t1w_dseg']
    if not (transform and dseg and images['t1w_preproc'] and images['t1w_mask']):
        return None
    table = next(iter(reversed(inherited(dseg, root, '.tsv'))), None)
    return DwiAnatomy(**images, std2anat_xfm=transform, table=table)  # type: ignore[arg-type]


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
