"""Figures of the diffusion analysis as files: sample, draw, save.

Every function returns one PNG; the application names it.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from .. import figures
from ..figures import Curve, Outline
from ..numerics.resample import apply_linear, sample
from ..terms import LATERAL, SIDES_OF, STRUCTURES, dseg_labels
from ._pictures import Figured, drawn_values, on, region_colour, rows_through, save, three_planes
from ._pictures import open_picture as load_image

_CONTEXT = 26.0  # mm around the tract and its regions that a picture shows
_STEP = 0.5  # mm of a pixel
_SHIFTS, _TURNS = ([f'{kind}_{axis}' for axis in 'xyz'] for kind in ('trans', 'rot'))


def plot_color_fa(fa: Path, evec: Path, dwi_mask: Path, *, out_dir: Path) -> Figured:
    """Draw the direction of diffusion in colour.

    Parameters
    ----------
    fa, dwi_mask
        Fractional anisotropy (0 to 1) and brain mask on one grid.
    evec
        Principal eigenvector in RAS, one volume per axis, on the grid of ``fa``.

    """
    place, image = three_planes(dwi_mask), load_image(fa)
    vectors = np.asarray(load_image(evec).dataobj, np.float32).reshape(*image.shape[:3], 3)
    colours = figures.colour_fa(drawn_values(image), vectors).astype(np.float32)
    rgb = sample(colours, image.affine, place.points.reshape(-1, 3), 1).reshape(place.points.shape)
    figure = figures.draw_colour_fa(place, rgb, on(place, dwi_mask))
    return save(figure, out_dir / 'colorfa.png')


def plot_diffusion_mask(dwiref: Path, dwi_mask: Path, *, out_dir: Path) -> Figured:
    """Draw the mean image without diffusion weighting with the brain mask.

    Parameters
    ----------
    dwiref, dwi_mask
        Image and brain mask (0, 1) of the same space.

    """
    place = three_planes(dwi_mask)
    outlines = [Outline(on(place, dwi_mask), figures.ORANGE, 'brain mask')]
    figure = figures.draw_montage(place, on(place, dwiref), outlines=outlines)
    return save(figure, out_dir / 'mask.png')


def plot_diffusion_coregistration(
    dwiref: Path, t1w_preproc: Path, t1w_mask: Path, t1w_dseg: Path, *, out_dir: Path
) -> Figured:
    """Draw the T1-weighted image above the diffusion reference, with tissue borders.

    Parameters
    ----------
    dwiref
        Mean image without diffusion weighting, in the space of the T1-weighted image.
    t1w_preproc, t1w_mask, t1w_dseg
        Anatomical image, brain mask and tissue labels (1 grey, 2 white matter, 3 fluid).

    """
    place = three_planes(t1w_mask)
    borders = (('outer border of grey matter', (1, 2), figures.ORANGE), ('white matter', (2,), figures.BLUE))
    outlines = [Outline(on(place, t1w_dseg, labels=labels), c, name) for name, labels, c in borders]
    names = ('T1-weighted image', 'Diffusion reference (b = 0)')
    images = (on(place, t1w_preproc), on(place, dwiref))
    return save(figures.draw_pair(place, images, names, outlines), out_dir / 'coregistration.png')


def plot_tract(
    background: Path, probsegs: list[Path], regions_dseg: Path, scalarstats: Path, *, out_dir: Path
) -> Figured:
    """Draw the tract of both sides and the regions that it joins.

    Parameters
    ----------
    background
        T1-weighted image, or fractional anisotropy.
    probsegs
        Share of streamlines that visit a voxel (0 to 1), left and right.
    regions_dseg
        Labels of the regions, numbered as in :data:`~pipelines.terms.REGIONS`.
    scalarstats
        Table with ``hemi``, ``method`` and ``n_streamlines``.

    """
    place = tract_places(regions_dseg, probsegs)
    visits = {hemi: on(place, path) for hemi, path in zip(LATERAL, probsegs)}
    regions = [
        Outline(on(place, regions_dseg, labels=dseg_labels(name)), region_colour(name), name, width=1.5)
        for name in STRUCTURES
    ]
    counts, grey = streamline_counts(scalarstats), on(place, background)
    figure = figures.draw_tract(place, grey, visits, regions=regions, counts=counts)
    return save(figure, out_dir / 'tract.png')


def tract_places(regions_dseg: Path, probsegs: list[Path]) -> figures.Montage:
    """Return cuts through the tract of each side, in a box that shows it with its surroundings.

    Three sagittal cuts through either side's tract, then rows of coronal and of axial cuts, spread
    from one end of tract and regions to the other.
    """
    image = load_image(regions_dseg)
    labels = drawn_values(image)
    shown = {
        name: np.argwhere(np.isin(labels, dseg_labels(name))) for pair in SIDES_OF.values() for name in pair
    }
    points = {
        name: apply_linear(image.affine, index.astype(float)) for name, index in shown.items() if len(index)
    }
    for side, path in zip(LATERAL, probsegs):
        visited = load_image(path)
        found = np.argwhere(drawn_values(visited) > 0.1)  # what is outlined
        if len(found):
            points[f'tract{side}'] = apply_linear(visited.affine, found.astype(float))
    if not points:
        return figures.montage(rows_through({}), np.array([[-60.0, -60, -60], [60, 60, 60]]), _STEP)
    every = np.concatenate(list(points.values()))
    low, high = every.min(axis=0), every.max(axis=0)
    sagittal = [(0, at) for side in LATERAL for at in _across(points, side)]
    others = [[(axis, at) for at in figures.spread_cuts(low[axis], high[axis], 6)] for axis in (1, 2)]
    box = np.round([low - _CONTEXT, high + _CONTEXT])
    return figures.montage([sagittal, *others], box, _STEP)


def _across(points: dict[str, np.ndarray], side: str) -> list[float]:
    """Return x (mm) of three cuts through a side's tract, or its regions if there is no tract."""
    own = [found for name, found in points.items() if name == f'tract{side}']
    own = own or [found for name, found in points.items() if name.endswith(side)]
    x = np.concatenate(own)[:, 0] if own else np.empty(0)
    return figures.spread_cuts(x.min(), x.max(), 3) if x.size else []


def streamline_counts(scalarstats: Path) -> dict[str, str]:
    """Return the number of streamlines of each side in words; sessions that differ are listed."""
    table = read_rows(scalarstats)
    table = table[table['method'] == 'weighted']
    counts: dict[str, str] = {}
    for hemi, rows in table.groupby('hemi'):
        numbers = pd.to_numeric(rows['n_streamlines'], errors='coerce')
        known = dict.fromkeys('n/a' if np.isnan(n) else f'{n:.0f}' for n in numbers)
        counts[str(hemi)] = ' / '.join(known)
    return counts


def read_rows(path: Path) -> pd.DataFrame:
    """Return a table as text; labels of sessions keep their leading zeros."""
    return pd.read_csv(path, sep='\t', dtype=str, keep_default_na=False)


def curves(path: Path, across: str, up: str, spread: str = '') -> Iterator[Curve]:
    """Yield a curve of FA for each session and side of a table, in their order in it."""
    table = read_rows(path)
    table = table[table['param'] == 'fa']
    numbers = {c: pd.to_numeric(table[c], errors='coerce') for c in (across, up, spread) if c}
    for (session, hemi), rows in table.groupby(['session_id', 'hemi'], sort=False):
        x, y, *more = (column[rows.index].to_numpy(float) for column in numbers.values())
        if np.isfinite(y).any():
            yield Curve('' if session == 'n/a' else str(session), str(hemi), x, y, *more)


def plot_profile(profile: Path, *, out_dir: Path) -> Figured:
    """Draw FA along the tract.

    Parameters
    ----------
    profile
        Table ``session_id hemi node param mean sd``.

    """
    figure = figures.draw_profile(list(curves(profile, 'node', 'mean', 'sd')))
    return save(figure, out_dir / 'profile.png')


def plot_threshold(threshold: Path, *, out_dir: Path) -> Figured:
    """Draw FA against the visitation threshold.

    Parameters
    ----------
    threshold
        Table ``session_id hemi threshold param value volume``.

    """
    shown = [list(curves(threshold, 'threshold', column)) for column in ('value', 'volume')]
    return save(figures.draw_threshold(*shown), out_dir / 'threshold.png')


def plot_diffusion_motion(confounds: Path, *, out_dir: Path) -> Figured:
    """Draw head motion during the diffusion scan.

    Parameters
    ----------
    confounds
        Table with ``trans_x`` ... (mm), ``rot_x`` ... (rad), ``framewise_displacement`` (mm) and
        ``b_value`` (s/mm^2), one row per volume.

    """
    table = pd.read_csv(confounds, sep='\t', na_values=['n/a'])
    turns = np.rad2deg(table[_TURNS].to_numpy(float))
    fd, b_values = (table[name].to_numpy(float) for name in ('framewise_displacement', 'b_value'))
    figure = figures.draw_motion(table[_SHIFTS].to_numpy(float), turns, fd, b_values)
    return save(figure, out_dir / 'motion.png')
