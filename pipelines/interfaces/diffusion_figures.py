"""Figures of the diffusion analysis as files: sample, draw, save.

Every function returns one PNG; the application names it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .. import figures
from ..figures import Curve, Outline
from ..numerics.resample import apply_linear, sample
from ..reading import number_of
from ..terms import Bundle, Circuit
from ._pictures import Figured, drawn_values, on, region_colour, rows_through, save, save_below, three_planes
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
    background: Path,
    probsegs: list[Path],
    regions_dseg: Path,
    scalarstats: list[Path],
    circuit: Circuit,
    *,
    out_dir: Path,
) -> Figured:
    """Draw the tracts of each pair and the regions that they join, the pairs below each other.

    Parameters
    ----------
    background
        T1-weighted image, or fractional anisotropy.
    probsegs
        Share of streamlines that visit a voxel (0 to 1), of every tract.
    regions_dseg
        Labels of the regions, numbered as the circuit does.
    scalarstats
        Of every pair a table with ``hemi``, ``method`` and ``n_streamlines``.
    circuit
        Its pairs.

    """
    drawn = []
    for pair, table in zip(circuit.pairs, scalarstats):
        paths = {own: path for own, path in zip(circuit.bundles, probsegs) if own.pair == pair}
        place = tract_places(regions_dseg, paths, circuit)
        visits = {str(own.hemisphere): on(place, path) for own, path in paths.items()}
        regions = [
            Outline(
                on(place, regions_dseg, labels=_numbers(name, circuit)),
                region_colour(label, circuit),
                name,
                width=1.5,
            )
            for name in dict.fromkeys((pair.first, pair.second))
            for label in [next(iter(circuit.by_name[name].regions())).name]
        ]
        counts, grey = streamline_counts(table), on(place, background)
        drawn.append(figures.draw_tract(place, grey, visits, regions=regions, counts=counts))
    return save_below(drawn, out_dir / 'tract.png')


def _numbers(structure: str, circuit: Circuit) -> tuple[int, ...]:
    """Return the numbers of all sides of a structure in the label image."""
    own = circuit.by_name[structure]
    return tuple(number for side in own.sides for number in circuit.numbers(own.label(side)))


def tract_places(regions_dseg: Path, probsegs: Mapping[Bundle, Path], circuit: Circuit) -> figures.Montage:
    """Return cuts through the tracts of a pair, in a box that shows them with their surroundings.

    Three sagittal cuts through each tract, then rows of coronal and of axial cuts, spread
    from one end of tracts and regions to the other.
    """
    image = load_image(regions_dseg)
    labels = drawn_values(image)
    joined = [circuit.by_name[name] for own in probsegs for name in (own.pair.first, own.pair.second)]
    shown = {
        label: np.argwhere(np.isin(labels, circuit.numbers(label)))
        for own in joined
        for label in map(own.label, own.sides)
    }
    points = {
        name: apply_linear(image.affine, index.astype(float)) for name, index in shown.items() if len(index)
    }
    for own, path in probsegs.items():
        visited = load_image(path)
        found = np.argwhere(drawn_values(visited) > 0.1)  # what is outlined
        if len(found):
            points[f'tract {own.name}'] = apply_linear(visited.affine, found.astype(float))
    if not points:
        return figures.montage(rows_through({}, circuit), np.array([[-60.0, -60, -60], [60, 60, 60]]), _STEP)
    every = np.concatenate(list(points.values()))
    low, high = every.min(axis=0), every.max(axis=0)
    sagittal = [(0, at) for own in probsegs for at in _across(points, own)]
    others = [[(axis, at) for at in figures.spread_cuts(low[axis], high[axis], 6)] for axis in (1, 2)]
    box = np.round([low - _CONTEXT, high + _CONTEXT])
    return figures.montage([sagittal, *others], box, _STEP)


def _across(points: dict[str, np.ndarray], bundle: Bundle) -> list[float]:
    """Return x (mm) of three cuts through a tract, or its regions if there is no tract."""
    own = [found for name, found in points.items() if name == f'tract {bundle.name}']
    own = own or [found for name, found in points.items() if name in (bundle.first, bundle.second)]
    x = np.concatenate(own)[:, 0] if own else np.empty(0)
    return figures.spread_cuts(x.min(), x.max(), 3) if x.size else []


def streamline_counts(scalarstats: Path) -> dict[str, str]:
    """Return the number of streamlines of each side in words; sessions that differ are listed."""
    table = read_rows(scalarstats)
    table = table[table['method'] == 'weighted']
    counts: dict[str, str] = {}
    for hemi, rows in table.groupby('hemi'):
        numbers = rows['n_streamlines'].map(number_of)
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
    numbers = {c: table[c].map(number_of) for c in (across, up, spread) if c}
    for (session, hemi), rows in table.groupby(['session_id', 'hemi'], sort=False):
        x, y, *more = (column[rows.index].to_numpy(float) for column in numbers.values())
        if np.isfinite(y).any():
            yield Curve('' if session == 'n/a' else str(session), str(hemi), x, y, *more)


def plot_profile(profile: list[Path], circuit: Circuit, *, out_dir: Path) -> Figured:
    """Draw FA along the tracts, the pairs below each other.

    Parameters
    ----------
    profile
        Of every pair a table ``session_id hemi node param mean sd``.
    circuit
        Its pairs.

    """
    drawn = [
        figures.draw_profile(
            list(curves(path, 'node', 'mean', 'sd')),
            sides=_sides(number, circuit),
            ends=(pair.first, pair.second),
        )
        for number, (pair, path) in enumerate(zip(circuit.pairs, profile))
    ]
    return save_below(drawn, out_dir / 'profile.png')


def _sides(pair: int, circuit: Circuit) -> list[str]:
    return [own.hemisphere for own in circuit.bundles if own.pair == circuit.pairs[pair]]


def plot_threshold(threshold: list[Path], circuit: Circuit, *, out_dir: Path) -> Figured:
    """Draw FA against the visitation threshold, the pairs below each other.

    Parameters
    ----------
    threshold
        Of every pair a table ``session_id hemi threshold param value volume``.
    circuit
        Its pairs.

    """
    drawn = []
    for number, (pair, path) in enumerate(zip(circuit.pairs, threshold)):
        shown = [list(curves(path, 'threshold', column)) for column in ('value', 'volume')]
        name = 'FA' if len(circuit.pairs) == 1 else f'FA, {pair.title}'
        drawn.append(figures.draw_threshold(*shown, sides=_sides(number, circuit), name=name))
    return save_below(drawn, out_dir / 'threshold.png')


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
