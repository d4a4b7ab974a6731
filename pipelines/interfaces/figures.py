"""Figures of the report as files: sample the images at the places of a montage, draw, save.

Every function returns one PNG; the application names it.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from nitransforms.linear import Affine

from .. import figures
from ..figures import Outline
from ..terms import Circuit, circuit_of_labels
from ._pictures import (
    MNI_BOX,
    Figured,
    centre,
    drawn_values,
    on,
    open_picture,
    region_outline,
    rows_through,
    save,
    three_planes,
)
from .atlas import point_map, sample_object

_LEGEND = 7
"""Regions that a legend has room for."""


def plot_mask(t1w_preproc: Path, t1w_mask: Path, t1w_dseg: Path, *, out_dir: Path) -> Figured:
    """Draw the T1-weighted image with the brain mask and the tissue borders.

    Parameters
    ----------
    t1w_preproc, t1w_mask
        Image and brain mask (0, 1) on any grid of the same space.
    t1w_dseg
        Tissue labels: 1 grey matter, 2 white matter, 3 cerebrospinal fluid.

    """
    place = three_planes(t1w_mask)
    return save(
        figures.draw_montage(
            place,
            on(place, t1w_preproc),
            outlines=[
                Outline(on(place, t1w_mask), figures.ORANGE, 'brain mask'),
                Outline(on(place, t1w_dseg, labels=(1, 2)), figures.GREEN, 'outer border of grey matter'),
                Outline(on(place, t1w_dseg, labels=(2,)), figures.BLUE, 'white matter'),
            ],
        ),
        out_dir / 'mask.png',
    )


def plot_normalization(template: Path, t1w_std: Path, space: str, *, out_dir: Path) -> Figured:
    """Draw the template's brain above the normalised T1-weighted image, with the template's borders.

    Parameters
    ----------
    template, t1w_std
        Brain of the template (0 outside) and the image resampled to it.
    space
        Name of the template.

    """
    place = three_planes(template)
    fixed = on(place, template)
    # in a T1-weighted brain about the brightest 40 % of voxels are white matter
    bright = np.percentile(fixed[fixed > 0], 60)
    outlines = [
        Outline((fixed > 0).astype(float), figures.ORANGE, 'brain of the template'),
        Outline(fixed / bright / 2, figures.BLUE, 'bright tissue of the template'),
    ]
    images = (fixed, on(place, t1w_std))
    names = (f'Template {space}', 'This person, normalised')
    return save(figures.draw_pair(place, images, names, outlines), out_dir / 'normalization.png')


def plot_distortion(
    boldref_raw: Path,
    boldref: Path,
    t1w_mask: Path,
    t1w_dseg: Path,
    bold2anat_xfm: Path,
    *,
    out_dir: Path,
) -> Figured:
    """Draw the BOLD reference as acquired above the corrected one, both with the tissue borders of the T1w image.

    Parameters
    ----------
    boldref_raw, boldref
        Reference before and after the correction of distortion.
    t1w_mask, t1w_dseg
        Brain mask and tissue labels (1 grey, 2 white matter, 3 fluid).
    bold2anat_xfm
        ITK text transform that resamples ``boldref`` onto the anatomical grid.

    """
    place = three_planes(t1w_mask)
    matrix = Affine.from_filename(bold2anat_xfm, fmt='itk').matrix
    outlines = [
        Outline(on(place, t1w_dseg, labels=(1, 2)), figures.ORANGE, 'outer border of grey matter'),
        Outline(on(place, t1w_dseg, labels=(2,)), figures.BLUE, 'white matter'),
    ]
    images = (on(place, boldref_raw, matrix=matrix), on(place, boldref, matrix=matrix))
    names = ('As acquired', 'Distortion corrected')
    return save(figures.draw_pair(place, images, names, outlines), out_dir / 'distortion.png')


def plot_coregistration(
    boldref: Path,
    t1w_preproc: Path,
    t1w_mask: Path,
    t1w_dseg: Path,
    bold2anat_xfm: Path | None = None,
    *,
    out_dir: Path,
) -> Figured:
    """Draw the T1-weighted image above the BOLD reference moved onto it, with tissue borders.

    Parameters
    ----------
    boldref
        BOLD reference in its own space.
    t1w_preproc, t1w_mask, t1w_dseg
        Anatomical image, brain mask and tissue labels (1 grey, 2 white matter, 3 fluid).
    bold2anat_xfm
        ITK text transform that resamples ``boldref`` onto the anatomical grid; none when both are
        in one space.

    """
    place = three_planes(t1w_mask)
    matrix = Affine.from_filename(bold2anat_xfm, fmt='itk').matrix if bold2anat_xfm else None
    outlines = [
        Outline(on(place, t1w_dseg, labels=(1, 2)), figures.ORANGE, 'outer border of grey matter'),
        Outline(on(place, t1w_dseg, labels=(2,)), figures.BLUE, 'white matter'),
    ]
    images = (on(place, t1w_preproc), on(place, boldref, matrix=matrix))
    names = ('T1-weighted image', 'Functional (BOLD) reference')
    return save(figures.draw_pair(place, images, names, outlines), out_dir / 'coregistration.png')


def plot_regions(
    mean_bold: Path, regions: Path, coverage: Path, analysis_mask: Path | None = None, *, out_dir: Path
) -> Figured:
    """Draw the regions on the mean BOLD image; flagged ones are dashed and named so.

    Parameters
    ----------
    mean_bold
        Mean image before denoising.
    regions
        One volume per region, in the order of ``coverage``, above 0 inside.
    coverage
        Table with the columns ``region`` and ``flags``.
    analysis_mask
        Voxels that were analysed, on the grid of ``mean_bold``.

    """
    table = pd.read_csv(coverage, sep='\t', keep_default_na=False)
    image = open_picture(regions)
    circuit = circuit_of_labels(table['region'])
    centres = {name: centre(image, number) for number, name in enumerate(table['region'])}
    place = figures.montage(rows_through(centres, circuit), MNI_BOX, 0.75)
    outlines = [
        region_outline(place, image, number, row.region, row.flags, circuit)
        for number, row in enumerate(table.itertuples())
        if row.region in circuit.drawn
    ]
    if len(outlines) > _LEGEND:
        flagged = dict(zip(circuit.drawn, (':' in outline.label for outline in outlines)))
        outlines = [own._replace(label=name) for own, name in zip(outlines, _briefly(circuit, flagged))]
    if analysis_mask is not None:
        outlines.append(Outline(on(place, analysis_mask), '#aaaaaa', 'voxels analysed', 'dotted'))
    figure = figures.draw_montage(place, on(place, mean_bold), outlines=outlines)
    return save(figure, out_dir / 'regions.png')


def _briefly(circuit: Circuit, flagged: Mapping[str, bool]) -> list[str]:
    """Return what a legend calls each drawn region where there are many: flagged ones, and structures by one name."""
    names = []
    for label in circuit.drawn:
        own = circuit.by_name[circuit.regions[label].structure]
        is_first = label == own.label(own.sides[0])
        names.append(f'{label}: flagged' if flagged[label] else own.name if is_first else '')
    kept = sorted(range(len(names)), key=lambda n: (not flagged[circuit.drawn[n]], n))
    shown = [n for n in kept if names[n]][:_LEGEND]
    return [name if n in shown else '' for n, name in enumerate(names)]


def plot_placement(
    t1w_preproc: Path, placement_table: Path, placement_dseg: Path, std2anat_xfm: Path, *, out_dir: Path
) -> Figured:
    """Draw close-ups of the T1-weighted image through every region of the template that was brought there.

    Parameters
    ----------
    t1w_preproc
        Image of the person.
    placement_table
        Table with the columns ``region``, ``x``, ``y``, ``z`` (RAS mm of the person) and ``flags``.
    placement_dseg
        Regions on the template, numbered as the rows of the table from 1.
    std2anat_xfm
        Points of the person to points of the template.

    """
    # a region may be named NA, or by a number
    table = pd.read_csv(
        placement_table, sep='\t', dtype={'region': str}, na_values=['n/a'], keep_default_na=False
    )
    brought = table[table['x'].notna()]
    centres = {own.region: (own.x, own.y, own.z) for own in brought.itertuples()}
    place, parts = figures.zoom_on(centres or {'no region comes by this way': _middle(t1w_preproc)})
    labels, way = open_picture(placement_dseg), point_map(std2anat_xfm)
    values = drawn_values(labels)
    canvases = np.zeros((2, *place.points.shape[:2]), np.float32)
    for own in brought.itertuples():
        part = parts[own.region]
        points = way(place.points[part].reshape(-1, 3))
        inside = (values == own.Index + 1).astype(np.float32)
        drawn = sample_object(inside, labels.affine, points, 1).reshape(canvases[0][part].shape)
        canvases[int(pd.notna(own.flags))][part] = drawn
    outlines = [
        Outline(canvases[0], figures.YELLOW, 'region', 'solid', 1.2),
        Outline(canvases[1], figures.RED, 'region: flagged', 'dashed', 1.5),
    ]
    shown = [outline for outline in outlines if outline.canvas.any()]
    return save(
        figures.draw_montage(place, on(place, t1w_preproc), outlines=shown), out_dir / 'placement.png'
    )


def _middle(path: Path) -> tuple[float, float, float]:
    """Return the middle of an image, RAS mm."""
    image = open_picture(path)
    x, y, z = image.affine[:3, :3] @ (np.array(image.shape[:3]) / 2) + image.affine[:3, 3]
    return float(x), float(y), float(z)


def plot_carpet(carpet: Path, fd_threshold: float = 0.0, *, out_dir: Path) -> Figured:
    """Draw motion, DVARS and the voxels' series before and after denoising.

    Parameters
    ----------
    carpet
        NumPy archive with ``before``, ``after``, ``tissue``, ``kept``, ``fd``, ``dvars``, ``t_r``.
    fd_threshold
        Framewise displacement above which volumes were left out, in mm (0 = none).

    """
    with np.load(carpet) as archive:
        arrays = dict(archive)
    series = arrays.pop('before'), arrays.pop('after'), arrays.pop('tissue').astype(str)
    t_r = float(arrays.pop('t_r'))
    known = {key: arrays[key] for key in ('kept', 'fd', 'dvars')}
    figure = figures.draw_carpet(*series, **known, t_r=t_r, fd_threshold=fd_threshold)
    return save(figure, out_dir / 'carpet.png')
