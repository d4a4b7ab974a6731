"""What a choice of regions may name: files, and the labels of FreeSurfer.  It imports nothing heavy."""

from pathlib import Path
from typing import NamedTuple


class Segmentation(NamedTuple):
    """FreeSurfer's labels in the space of the T1-weighted image, and the way there from the template.

    ``anat2std_xfm`` resamples anatomical images onto the template (fMRIPrep's
    ``from-T1w_to-MNI..._mode-image_xfm``), so it maps points of the template to the anatomy; None where
    the labels are in the template's space already.
    """

    aseg: Path | None = None
    aparcaseg: Path | None = None
    anat2std_xfm: Path | None = None


def file_of(choice: str) -> tuple[Path, str | None] | None:
    """Return file and label of a ``FILE[:LABEL]`` choice; None if it names no existing file.

    Examples
    --------
    >>> file_of('harvard-oxford') is None
    True

    """
    file, _, label = choice.rpartition(':')
    for path, value in ((choice, None), (file, label)):
        if path and Path(path).is_file():
            return Path(path), value
    return None
