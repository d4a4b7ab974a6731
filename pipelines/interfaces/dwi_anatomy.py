"""The anatomy beside preprocessed diffusion: tissues from labels, and one space between several anatomies."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..numerics.average import Image, align_brains
from ..numerics.resample import apply_linear, grid_points, resample, voxel_sizes
from ..numerics.segment import TISSUES
from ..numerics.tissue_labels import split_labels, tissue_labels
from ._anatomy import load, naming
from ._interface import interface
from ._series import write_volume
from .atlas import point_map
from .dwi_space import box_around
from .headers import open_image
from .images import values_of
from .transforms import write_field, write_linear

_FIELD_MM = 2.0  # transforms to a template are smoother than this


class _Split(NamedTuple):
    t1w_dseg: Path
    probseg_gm: Path
    probseg_wm: Path
    probseg_csf: Path
    probsegs: list[Path]


class _Between(NamedTuple):
    person_mask: Path
    person2session_xfms: list[Path]
    t1w_preproc: Path
    t1w_mask: Path
    t1w_dseg: Path
    probseg_gm: Path
    probseg_wm: Path
    probseg_csf: Path
    std2anat_xfm: Path


def split_tissues(
    t1w_dseg: Path, t1w_preproc: Path, labels: dict[str, list[int]] | None = None, *, out_dir: Path
) -> _Split:
    """Take a segmentation as probabilities of 0 and 1.

    Parameters
    ----------
    t1w_dseg
        Tissue labels.
    t1w_preproc
        T1w image of the same space; tells the convention of the labels where ``labels`` does not.
    labels
        Labels of ``gm``, ``wm`` and ``csf``, a list each, as the table beside the segmentation names them.
    out_dir
        Folder of the results.

    Returns
    -------
    _Split
        Labels 1 grey matter, 2 white matter, 3 fluid; 0 or 1 for each tissue, and these three together.

    Raises
    ------
    DataError
        The tissues cannot be told.

    """
    image = open_image(t1w_dseg)
    dseg, affine = np.rint(values_of(image)).astype(int), np.asarray(image.affine, float)
    named = labels or _by_brightness(t1w_dseg, dseg, affine, t1w_preproc)
    parts = split_labels(dseg, tuple(tuple(named[name]) for name in TISSUES))
    written = {
        f'probseg_{name}': write_volume(part.astype(np.uint8), affine, out_dir / f'probseg_{name}.nii.gz')
        for name, part in zip(TISSUES, parts)
    }
    ours = (parts * np.array([1, 2, 3])[:, None, None, None]).sum(axis=0).astype(np.uint8)
    own = write_volume(ours, affine, out_dir / 'dseg.nii.gz')
    return _Split(t1w_dseg=own, **written, probsegs=list(written.values()))


SplitTissues = interface(split_tissues)


def _by_brightness(
    path: Path, dseg: np.ndarray, affine: np.ndarray, t1w_preproc: Path
) -> dict[str, list[int]]:
    t1w = resample(*load(t1w_preproc), dseg.shape, affine)
    try:
        return {name: [label] for name, label in zip(TISSUES, tissue_labels(dseg, t1w))}
    except ValueError as error:
        raise DataError(
            f'{path}: which label is which tissue is not known: {error}. Put {path.name.split(".")[0]}.tsv beside it '
            'with the columns index and name, and names GM, WM and CSF.'
        ) from error


def find_between(
    t1w_preprocs: list[Path],
    t1w_masks: list[Path],
    probsegs: list[list[Path]],
    std2anat_xfms: list[Path],
    voxel: float,
    random_seed: int,
    *,
    out_dir: Path,
) -> _Between:
    """Lay the space of a person half-way between the anatomies of the sessions.

    Parameters
    ----------
    t1w_preprocs, t1w_masks
        T1w image and brain of every session, each in its own space.
    probsegs
        Grey matter, white matter and fluid of every session.
    std2anat_xfms
        Points of every session to points of the template.
    voxel
        Edge of the grid of the diffusion maps, mm.
    random_seed
        Of registrations, not 0.
    out_dir
        Folder of the results.

    Returns
    -------
    _Between
        Brain on the grid of the maps; points of the person to points of every session; mean image,
        brain, labels and probabilities of tissue; points of the person to points of the template.

    Notes
    -----
    Images are brought together rigidly; none is privileged.  With :math:`M_i` from the person to
    session i and :math:`T_i` from there to the template, a point of the person is mapped to the mean
    of :math:`T_i(M_i x)`.

    """
    heads, masks = [load(path) for path in t1w_preprocs], [load(path) for path in t1w_masks]
    brains = [resample(*mask, head[0].shape, head[1]) > 0.5 for mask, head in zip(masks, heads)]
    with naming(*t1w_preprocs):
        to_session = align_brains(heads, brains, rng_seed=random_seed)
    inner = apply_linear(heads[0][1], np.argwhere(brains[0]).astype(float))
    around = apply_linear(np.linalg.inv(to_session[0]), inner)
    even = [(1000 * head[0] / np.median(head[0][brain]), head[1]) for head, brain in zip(heads, brains)]
    segments = [[load(path) for path in own] for own in zip(*probsegs)]
    xfms = [write_linear(out_dir / f'person2session_{n}.txt', m) for n, m in enumerate(to_session)]
    person_mask = _write_mask(masks, to_session, box_around(around, voxel), out_dir)
    anatomy = _write_anatomy([even, masks, *segments], to_session, around, out_dir)
    way = _write_way([point_map(p) for p in std2anat_xfms], to_session, around, out_dir)
    return _Between(person_mask, xfms, **anatomy, std2anat_xfm=way)


FindBetween = interface(find_between)


def _mean(
    images: list[Image], to_session: list[np.ndarray], grid: tuple[tuple[int, ...], np.ndarray]
) -> np.ndarray:
    """Return the mean of images of the sessions on a grid of the person."""
    moved = [resample(*image, *grid, linear=matrix) for image, matrix in zip(images, to_session)]
    return np.asarray(np.mean(moved, axis=0), dtype=np.float32)


def _write_mask(
    masks: list[Image],
    to_session: list[np.ndarray],
    grid: tuple[tuple[int, ...], np.ndarray],
    out_dir: Path,
) -> Path:
    inside = _mean(masks, to_session, grid) > 0.5
    return write_volume(inside.astype(np.uint8), grid[1], out_dir / 'person_mask.nii')


def _write_anatomy(
    images: list[list[Image]], to_session: list[np.ndarray], around: np.ndarray, out_dir: Path
) -> dict[str, Path]:
    """Write T1w image, brain, labels and probabilities of tissue in the space of the person."""
    grid = box_around(around, float(min(np.mean(voxel_sizes(affine)) for _, affine in images[0])))
    t1w, mask, *tissues = (_mean(own, to_session, grid) for own in images)
    labels = np.where((mask > 0.5) & (np.sum(tissues, axis=0) > 0.5), 1 + np.argmax(tissues, axis=0), 0)
    volumes = {
        't1w_preproc': t1w,
        't1w_mask': (mask > 0.5).astype(np.uint8),
        't1w_dseg': labels.astype(np.uint8),
        **{f'probseg_{name}': tissue for name, tissue in zip(TISSUES, tissues)},
    }
    return {
        name: write_volume(volume, grid[1], out_dir / f'{name}.nii.gz') for name, volume in volumes.items()
    }


def _write_way(
    maps: list[Callable[[np.ndarray], np.ndarray]],
    to_session: list[np.ndarray],
    around: np.ndarray,
    out_dir: Path,
) -> Path:
    """Write the mean of the sessions' ways to the template as a displacement field of the person."""
    shape, affine = box_around(around, _FIELD_MM)
    points = grid_points(shape, affine)
    mapped = np.mean([own(apply_linear(matrix, points)) for own, matrix in zip(maps, to_session)], axis=0)
    return write_field(out_dir / 'std2anat.nii.gz', (mapped - points).reshape(*shape, 3), affine)
