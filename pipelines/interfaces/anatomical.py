"""Anatomy of a participant: one reference image, its brain, its tissues, and the way to the template."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..numerics.average import align_heads, average_heads
from ..numerics.extract import at_nearest, extract_brain
from ..numerics.register import register_nonlinear
from ..numerics.resample import apply_field, apply_linear, covering_grid, grid_points, resample
from ..numerics.segment import TISSUES, segment_tissues
from ._anatomy import load, load_t1w, masked, naming, quality_of, spread_onto, tissue_priors
from ._interface import interface
from ._series import write_volume
from .headers import open_image
from .templates import target_brain
from .transforms import read_linear, write_field, write_linear


class _Reference(NamedTuple):
    t1w_ref: Path
    t1w2ref_xfms: list[Path]


class _Brain(NamedTuple):
    t1w_preproc: Path
    t1w_mask: Path
    brain: Path
    placement: Path
    score: float


class _Normalized(NamedTuple):
    anat2std_xfm: Path
    std2anat_xfm: Path
    t1w_std: Path
    t1w_mask_std: Path
    quality: dict[str, Any]


class _Segmented(NamedTuple):
    t1w_dseg: Path
    t1w_probseg_gm: Path
    t1w_probseg_wm: Path
    t1w_probseg_csf: Path
    volumes: dict[str, Any]


def head_gb(path: Path) -> float:
    """Return the size of an image as float32, in GB, from its header alone."""
    return float(np.prod(open_image(path).shape) * 4 / 1024**3)


def make_reference(
    t1w: list[Path], space: str, random_seed: int, sloppy: bool = False, *, out_dir: Path
) -> _Reference:
    """Average the T1-weighted images of a participant half-way between them; one is left as it is.

    Parameters
    ----------
    t1w
        Images of one participant.
    space
        Template.
    random_seed
        Of the registrations, not 0.
    sloppy
        Stop at 4 mm.
    out_dir
        Folder of the results.

    Returns
    -------
    _Reference
        Reference, and for each image the transform from points of the reference to its points.

    Raises
    ------
    DataError
        If an image is damaged or shows no head.

    """
    heads = [load_t1w(path) for path in t1w]
    matrices, (reference, affine) = [np.eye(4)], heads[0]
    if len(heads) > 1:
        with naming(*t1w):
            aligned = align_heads(
                heads, load(target_brain(space)), voxel=4.0 if sloppy else 2.0, rng_seed=random_seed
            )
            matrices, (reference, affine) = aligned.matrices, average_heads(heads, aligned)
    names = (out_dir / f'ref2t1w_{number}.txt' for number in range(len(heads)))
    xfms = [write_linear(path, matrix) for path, matrix in zip(names, matrices)]
    return _Reference(write_volume(reference, affine, out_dir / 't1w_ref.nii'), xfms)


def find_brain(t1w_ref: Path, t1w: list[Path], space: str, sloppy: bool = False, *, out_dir: Path) -> _Brain:
    """Find the brain in the reference and divide out its bias field.

    Parameters
    ----------
    t1w_ref
        Reference.
    t1w
        The files it was made of, for messages.
    space
        Template.
    sloppy
        Work at 2 mm.
    out_dir
        Folder of the results.

    Returns
    -------
    _Brain
        Corrected head and mask on the grid of the reference; the brain at 1 mm (0 outside); the
        affine from points of the template to points of the reference, and its score.

    Raises
    ------
    DataError
        If no head is found.

    """
    head, affine = load(t1w_ref)
    with naming(*t1w):
        found = extract_brain(head, affine, *load(target_brain(space)), sloppy=sloppy)
    head = np.clip(head, 0, None) / at_nearest(found.field, found.field_affine, head.shape, affine)
    mask = at_nearest(found.mask, found.affine, head.shape, affine) > 0.5
    brain = np.where(found.mask, np.minimum(found.volume, np.percentile(found.volume[found.mask], 99.8)), 0)
    preproc = write_volume(head.astype(np.float32), affine, out_dir / 't1w_preproc.nii')
    mask_path = write_volume(mask.astype(np.uint8), affine, out_dir / 't1w_mask.nii')
    brain_path = write_volume(brain.astype(np.float32), found.affine, out_dir / 'brain.nii')
    placement = write_linear(out_dir / 'placement.txt', found.placement.matrix)
    return _Brain(preproc, mask_path, brain_path, placement, found.placement.score)


def normalize_brain(
    brain: Path,
    placement: Path,
    t1w_preproc: Path,
    t1w_mask: Path,
    space: str,
    random_seed: int,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Normalized:
    """Register a brain to a template and resample it there.

    Parameters
    ----------
    brain
        Bias-corrected brain, 0 outside.
    placement
        Affine start, points of the template to points of the brain.
    t1w_preproc, t1w_mask
        Head and mask on the grid of the reference.
    space
        Template.
    random_seed
        Of the metric's sampling, not 0.
    sloppy
        Stop at 4 mm, resample to 2 mm.
    out_dir
        Folder of the results.

    Returns
    -------
    _Normalized
        Fields on grids over the template and over the brain, resampled images, quality.

    """
    (template, grid), start = load(target_brain(space)), read_linear(placement)
    rng = np.random.default_rng(random_seed)
    warp = register_nonlinear(template, grid, *load(brain), initial=start, rng=rng, sloppy=sloppy)
    there = write_field(out_dir / 'anat2std.nii.gz', warp.forward_field, warp.forward_affine)
    back = write_field(out_dir / 'std2anat.nii.gz', warp.inverse_field, warp.inverse_affine)
    shape, affine = covering_grid(template.shape, grid, 2.0) if sloppy else (template.shape, grid)
    points = apply_field(warp.forward_field, warp.forward_affine, grid_points(shape, affine))
    before, fixed = apply_linear(start, grid_points(shape, affine)), resample(template, grid, shape, affine)
    std, mask = masked(t1w_preproc, t1w_mask, points, shape)
    affine_only = quality_of(*masked(t1w_preproc, t1w_mask, before, shape), fixed)
    std_path = write_volume(std, affine, out_dir / 't1w_std.nii.gz')
    mask_path = write_volume(mask.astype(np.uint8), affine, out_dir / 't1w_mask_std.nii.gz')
    return _Normalized(
        there, back, std_path, mask_path, {**quality_of(std, mask, fixed), 'Before': affine_only}
    )


NormalizeBrain = interface(normalize_brain)


def segment_brain(
    brain: Path, t1w_mask: Path, std2anat_xfm: Path, space: str, *, out_dir: Path
) -> _Segmented:
    """Segment a brain into three tissues, with the template's tissue maps as priors.

    Parameters
    ----------
    brain
        Bias-corrected brain, 0 outside.
    t1w_mask
        Brain mask on the grid of the results.
    std2anat_xfm
        Points of the brain to points of the template.
    space
        Template.
    out_dir
        Folder of the results.

    Returns
    -------
    _Segmented
        Labels (1 grey matter, 2 white matter, 3 fluid), probabilities, and volumes in ml.

    """
    (volume, grid), (mask, affine) = load(brain), load(t1w_mask)
    inside = volume > 0
    found = segment_tissues(volume, inside, tissue_priors(inside, grid, std2anat_xfm, space))
    maps = np.stack([spread_onto(p, inside, grid, mask > 0, affine) for p in found])
    maps /= np.maximum(maps.sum(axis=0), 1e-6)
    labels = np.where(mask > 0, 1 + maps.argmax(axis=0), 0).astype(np.uint8)
    voxel = abs(np.linalg.det(affine[:3, :3])) / 1000
    volumes = {
        name.upper(): round(float((labels == n).sum() * voxel), 1) for n, name in enumerate(TISSUES, 1)
    }
    dseg = write_volume(labels, affine, out_dir / 't1w_dseg.nii.gz')
    grey, white, fluid = (
        write_volume(m, affine, out_dir / f't1w_probseg_{t}.nii.gz') for t, m in zip(TISSUES, maps)
    )
    return _Segmented(dseg, grey, white, fluid, volumes)


def describe_anatomy(
    space: str, n_t1w: int, score: float, quality: dict[str, Any], volumes: dict[str, Any]
) -> dict[str, Any]:
    """Return what sidecars and report say of the anatomy."""
    before = quality['Before']
    return {
        'Template': space,
        'TemplateSource': target_brain(space).name,
        'NumberOfT1w': n_t1w,
        'PlacementScore': round(score, 4),
        'TemplateCorrelation': quality['Correlation'],
        'TemplateCorrelationAffine': before['Correlation'],
        'MaskDice': quality['MaskDice'],
        'MaskDiceAffine': before['MaskDice'],
        'TissueVolumesML': volumes,
    }
