"""Look through statistical maps in the page: slices of all of them, drawn by the viewer of nilearn."""

import json
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np

from pipelines.interfaces.templates import target_brain

_STEP = 3.0  # mm; finer slices make the page larger than a mail can carry
_SHOWN = 2.0  # |t| from which a voxel is coloured
_COLOURS = 'cold_hot'
_CALL = re.compile(r'brainsprite\((\{.*?\})\);', re.DOTALL)
_LIBRARY = re.compile(r'<script[^>]*>\s*(/\*! brainsprite.*?)</script>', re.DOTALL)


class ViewedMap(NamedTuple):
    """A map for the viewer: pictures as data URIs, ``settings`` as JSON."""

    key: str
    overlay: str
    colours: str
    settings: str


class Viewer(NamedTuple):
    """The viewer's program and the brain, which all maps share."""

    library: str
    brain: str
    maps: dict[str, ViewedMap]
    threshold: float


def make_viewer(images: Sequence[tuple[str, Path]], space: str) -> Viewer | None:
    """Return what a page needs to show maps; None without maps.

    Parameters
    ----------
    images
        A key, unique in the page, and the file of each map.
    space
        Template of the maps, whose brain lies beneath.

    Notes
    -----
    Voxels of an absolute value below 2 are not coloured; slices are 3 mm apart.

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
        pages = {key: _page(path, beneath) for key, path in images}
    first = next(iter(pages.values()))
    library = _LIBRARY.search(first)
    assert library, 'the viewer of nilearn has changed'
    maps = {key: _map(key, page) for key, page in pages.items()}
    return Viewer(library.group(1).strip(), _picture(first, 'spriteImg'), maps, _SHOWN)


def _page(path: Path, beneath: Any) -> str:
    """Return nilearn's own page of one map, of which the parts are taken."""
    from nilearn.plotting import view_img

    image = nb.load(path)
    values = np.nan_to_num(np.asarray(image.dataobj, np.float32))
    largest = max(float(np.abs(values).max()), 1.5 * _SHOWN)
    clean = nb.Nifti1Image(values, image.affine)
    look: dict[str, Any] = {'symmetric_cmap': True, 'vmax': largest, 'colorbar': True}
    view = view_img(clean, bg_img=beneath, threshold=_SHOWN, cmap=_COLOURS, title='', **look)
    return str(view.html)


def _map(key: str, page: str) -> ViewedMap:
    call = _CALL.search(page)
    assert call, 'the viewer of nilearn has changed'
    settings = json.loads(call.group(1))
    names = {
        'canvas': f'{key}-canvas',
        'sprite': 'viewer-brain',
        'overlay': {**settings['overlay'], 'sprite': f'{key}-overlay'},
        'colorMap': {**settings['colorMap'], 'img': f'{key}-colours'},
        'flagValue': True,
        'nbDecimals': 2,
        'title': False,
    }
    text = json.dumps(settings | names)
    return ViewedMap(key, _picture(page, 'overlayImg'), _picture(page, 'colorMap'), text)


def _picture(page: str, name: str) -> str:
    found = re.search(rf'id="{name}-[^"]*"[^>]*?src="(data:image/png;base64,[^"]+)"', page, re.DOTALL)
    assert found, 'the viewer of nilearn has changed'
    return found.group(1)
