"""Look through maps in a page: slices of all of them, drawn by the viewer of nilearn."""

import json
import logging
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nibabel.filebasedimages import ImageFileError

from pipelines.interfaces.templates import target_brain

LOGGER = logging.getLogger(__name__)

_STEP = 3.0  # mm; finer slices make the page larger than a mail can carry
_CALL = re.compile(r'brainsprite\((\{.*?\})\);', re.DOTALL)
_LIBRARY = re.compile(r'<script[^>]*>\s*(/\*! brainsprite.*?)</script>', re.DOTALL)


class ViewedMap(NamedTuple):
    """A map for the viewer: pictures as data URIs, ``settings`` as JSON."""

    key: str
    overlay: str
    colours: str
    settings: str
    threshold: float


class Viewer(NamedTuple):
    """The viewer's program and the brain, which all maps share."""

    library: str
    brain: str
    maps: dict[str, ViewedMap]


class Look(NamedTuple):
    """How a map is coloured: from which absolute value on, in which colours, and whether it has two signs.

    ``is_labels``: its values are numbers of regions.
    """

    threshold: float
    colours: str
    is_symmetric: bool = True
    is_labels: bool = False


STATISTIC = Look(2.0, 'cold_hot')


def make_viewer(images: Sequence[tuple[str, Path, Look]], space: str) -> Viewer | None:
    """Return what a page needs to show maps; None without maps.

    Parameters
    ----------
    images
        A key, unique in the page, the file, and the look of each map.
    space
        Template of the maps, whose brain lies beneath.

    Notes
    -----
    Slices are 3 mm apart.

    """
    if not images:
        return None
    from nilearn.image import resample_img

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        brain = nb.load(target_brain(space))
        beneath = resample_img(
            brain, target_affine=np.diag([_STEP] * 3), force_resample=True, copy_header=True
        )
        pages = dict(_pages(images, beneath))
    if not pages:
        return None
    first = next(iter(pages.values()))
    library = _LIBRARY.search(first)
    assert library, 'the viewer of nilearn has changed'
    maps = {key: _map(key, pages[key], look) for key, _, look in images if key in pages}
    return Viewer(library.group(1).strip(), _picture(first, 'spriteImg'), maps)


def _pages(images: Sequence[tuple[str, Path, Look]], beneath: Any) -> Iterator[tuple[str, str]]:
    """Yield key and page of the maps that can be read."""
    for key, path, look in images:
        try:
            yield key, _page(path, look, beneath)
        except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
            LOGGER.warning('%s cannot be looked through: %s', path.name, error)


def _page(path: Path, look: Look, beneath: Any) -> str:
    """Return nilearn's own page of one map, of which the parts are taken."""
    from nilearn.plotting import view_img

    image = nb.load(path)
    values = np.nan_to_num(np.asarray(image.dataobj, np.float32))
    largest = max(float(np.abs(values).max()), 1.5 * look.threshold)
    clean = nb.Nifti1Image(values, image.affine)
    settings: dict[str, Any] = {'symmetric_cmap': look.is_symmetric, 'vmax': largest, 'colorbar': True}
    if not look.is_symmetric:
        settings['vmin'] = 0
    if look.is_labels:
        settings['resampling_interpolation'] = 'nearest'
    view = view_img(clean, bg_img=beneath, threshold=look.threshold, cmap=look.colours, title='', **settings)
    return str(view.html)


def _map(key: str, page: str, look: Look) -> ViewedMap:
    call = _CALL.search(page)
    assert call, 'the viewer of nilearn has changed'
    settings = json.loads(call.group(1))
    names = {
        'canvas': f'{key}-canvas',
        'sprite': 'viewer-brain',
        'overlay': {**settings['overlay'], 'sprite': f'{key}-overlay'},
        'colorMap': {**settings['colorMap'], 'img': f'{key}-colours'},
        'flagValue': True,
        'nbDecimals': 0 if look.is_labels else 2,
        'title': False,
    }
    text = json.dumps(settings | names)
    return ViewedMap(key, _picture(page, 'overlayImg'), _picture(page, 'colorMap'), text, look.threshold)


def _picture(page: str, name: str) -> str:
    found = re.search(rf'id="{name}-[^"]*"[^>]*?src="(data:image/png;base64,[^"]+)"', page, re.DOTALL)
    assert found, 'the viewer of nilearn has changed'
    return found.group(1)
