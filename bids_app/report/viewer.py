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
    """The viewer's program, the brains beneath maps by the names of their elements, and the maps by their keys."""

    library: str
    brains: dict[str, str]
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


class MapFile(NamedTuple):
    """A map to be shown: a key, unique in the page, its file, its look, and the brain that lies beneath it."""

    key: str
    path: Path
    look: Look
    beneath: Path


def make_viewer(images: Sequence[MapFile]) -> Viewer | None:
    """Return what a page needs to show maps; None without maps that can be read.

    Notes
    -----
    Slices are 3 mm apart.

    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        pages = dict(_pages(images))
    if not pages:
        return None
    library = _LIBRARY.search(next(iter(pages.values())))
    assert library, 'the viewer of nilearn has changed'
    shown = [own for own in images if own.key in pages]
    # the first map over each brain has its picture
    over = {own.beneath: pages[own.key] for own in reversed(shown)}
    names = {brain: f'viewer-brain-{number}' for number, brain in enumerate(over)}
    brains = {names[brain]: _picture(page, 'spriteImg') for brain, page in over.items()}
    maps = {own.key: _map(own, pages[own.key], names[own.beneath]) for own in shown}
    return Viewer(library.group(1).strip(), brains, maps)


def _pages(images: Sequence[MapFile]) -> Iterator[tuple[str, str]]:
    """Yield key and page of the maps that can be read."""
    brains: dict[Path, Any] = {}
    for own in images:
        try:
            if own.beneath not in brains:
                brains[own.beneath] = _coarse(own.beneath)
            yield own.key, _page(own.path, own.look, brains[own.beneath])
        except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
            LOGGER.warning('%s cannot be looked through: %s', own.path.name, error)


def _coarse(brain: Path) -> Any:
    from nilearn.image import resample_img

    grid = np.diag([_STEP] * 3)
    return resample_img(nb.load(brain), target_affine=grid, force_resample=True, copy_header=True)


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


def _map(own: MapFile, page: str, brain: str) -> ViewedMap:
    key, look = own.key, own.look
    call = _CALL.search(page)
    assert call, 'the viewer of nilearn has changed'
    settings = json.loads(call.group(1))
    names = {
        'canvas': f'{key}-canvas',
        'sprite': brain,
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
