"""The table of the report's figures: a new figure is a new row here, nothing else.

A figure on disk whose ``desc`` and suffix are in no row is shown all the same, after the others of
its chapter, under its file name.
"""

from typing import NamedTuple


class Chapter(NamedTuple):
    """A part of the report; ``suffixes`` are those of its figures."""

    key: str
    title: str
    suffixes: tuple[str, ...]
    introduction: str


class FigureSpec(NamedTuple):
    """One figure: how it is found (``desc``, ``suffix``) and what is said about it.

    ``compare`` names the upper and lower half of a picture that holds two images of equal layout;
    the page lays them over each other.
    """

    desc: str
    suffix: str
    title: str
    caption: str
    alt: str
    compare: tuple[str, str] | None = None


CHAPTERS = (
    Chapter(
        'anatomy',
        'Anatomy',
        ('T1w',),
        'The T1-weighted image shows where the brain and its tissues are, and carries them to the template.',
    ),
    Chapter(
        'function',
        'Function',
        ('bold',),
        'Each run of the functional scan, with its quality, its regions and its connectivity.',
    ),
    Chapter('diffusion', 'Diffusion', ('dwi',), 'Each diffusion scan, with its quality and its tract.'),
)

FIGURES = (
    FigureSpec(
        'mask',
        'T1w',
        'Brain mask and tissues',
        'The mask (orange) should follow the surface of the brain, without skull or eyes and without cutting '
        'into it. Green encloses grey and white matter, blue white matter.',
        'Cuts through the T1-weighted image in three planes with the outlines of the brain mask, of grey '
        'matter and of white matter.',
    ),
    FigureSpec(
        'normalization',
        'T1w',
        'T1-weighted image to template',
        'The outlines are those of the template, on both images. Move the slider or let the images '
        'alternate: ventricles, outer border and deep nuclei should stay where they are.',
        'Cuts through the template brain and, at the same places, through the normalised T1-weighted image, '
        'both with the outlines of the template.',
        ('Template', 'This person'),
    ),
    FigureSpec(
        'coregistration',
        'bold',
        'Functional image to T1-weighted image',
        'The outlines come from the T1-weighted image, on both images. Brain edge and ventricles of the '
        'functional image should meet them. Where the functional image is dark inside the outline, near the '
        'sinuses and ear canals, its signal is lost.',
        'Cuts through the T1-weighted image and, at the same places, through the functional reference image, '
        'both with the outlines of grey and white matter.',
        ('T1-weighted', 'Functional'),
    ),
    FigureSpec(
        'regions',
        'bold',
        'Regions on the mean functional image',
        'Blue: nucleus accumbens. Yellow: medial prefrontal cortex. A dashed outline marks a region that is '
        'flagged in the table of regions; where it lies on a dark part of the image there is little signal. '
        'Grey dots: voxels that were analysed.',
        'Cuts through the mean functional image with the outlines of the nucleus accumbens and the medial '
        'prefrontal cortex on both sides.',
    ),
    FigureSpec(
        'carpet',
        'bold',
        'Signal before and after denoising',
        'Top: head movement from one volume to the next (FD; dashed: the limit) and overall signal change '
        '(DVARS). Below: one line per voxel, grouped by tissue, in units of its standard deviation before denoising: what is paler below was removed. '
        'Vertical stripes that remain after denoising are changes shared by the whole brain, as movement and '
        'breathing cause them. Yellow columns are volumes that were left out.',
        'Traces of framewise displacement and DVARS over time, above two carpet plots of the signal of '
        'voxels by tissue, before and after denoising.',
    ),
    FigureSpec(
        'relmat',
        'bold',
        'Connectivity between the regions',
        'Fisher z of each pair of regions; the framed cell is the outcome of this study. Hatched cells pair '
        'a region with a part of itself and are high by construction.',
        'Matrix of Fisher z between left, right and bilateral nucleus accumbens and medial prefrontal '
        'cortex; the numbers are in the table of connectivity.',
    ),
    FigureSpec(
        'seed',
        'bold',
        'Seed-to-voxel connectivity',
        'One row per seed. Red: signal goes up and down with the seed; blue: in opposition to it. Solid '
        'lines enclose positive, dashed lines negative values beyond 3.29 standard errors (p < 0.001 for a '
        'single voxel, not corrected for the number of voxels); weaker values are shown fainter, not hidden.',
        'Rows of cuts through the brain, one row per seed region, with Fisher z in colour from blue '
        '(negative) over white (zero) to red (positive).',
    ),
    FigureSpec(
        'icc',
        'bold',
        'Intrinsic connectivity',
        'Upper row: root mean square of the correlations of each voxel with all others; the colour scale '
        'begins at the value that noise alone would give. Lower row: the same map as ranks on a normal '
        'scale, red above and blue below the median of the brain.',
        'Two rows of cuts through the brain with maps of intrinsic connectivity.',
    ),
)
