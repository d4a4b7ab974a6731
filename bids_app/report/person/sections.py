"""The table of the report's figures: a new figure is a new row here, nothing else.

A figure on disk whose ``desc`` and suffix are in no row is shown all the same, after the others of
its chapter, under its file name.
"""

from typing import NamedTuple

from pipelines.terms import MAP_MEASURES


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
    Chapter(
        'diffusion',
        'Diffusion',
        ('dwi',),
        'Each diffusion scan with its quality, and the tracts between regions. Fractional anisotropy (FA) says how strongly water moves in one direction '
        'rather than in all: 0 in fluid, towards 1 in dense parallel fibres.',
    ),
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
        'placement',
        'T1w',
        'Regions on the T1-weighted image',
        'Each region of the template as it was brought to this person, close up, in three planes through its centre. Its '
        'outline (red and dashed where the region is flagged) should follow the structure that it is named after: a nucleus '
        'without the white matter and the fluid beside it, a part of the cortex along its folds.',
        'Close-ups of the T1-weighted image in three planes through the centre of each region, with its outline.',
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
        'distortion',
        'bold',
        'Functional image before and after the correction of distortion',
        'The outlines come from the T1-weighted image. After the correction the front of the brain and the temporal lobes '
        'should meet them better than before. If they did before, or if the correction pushes them further away, the sign '
        'or the axis of the phase encoding in the sidecar is wrong.',
        'Cuts through the functional reference image as acquired and, at the same places, corrected, both with the '
        'outlines of grey and white matter of the T1-weighted image.',
        ('As acquired', 'Corrected'),
    ),
    FigureSpec(
        'regions',
        'bold',
        'Regions on the mean functional image',
        'Each structure has a colour of its own, named above the image. A dashed outline marks a region that is '
        'flagged in the table of regions; where it lies on a dark part of the image there is little signal. '
        'Grey dots: voxels that were analysed.',
        'Cuts through the mean functional image with the outlines of the regions.',
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
        'Fisher z of each pair of regions; framed cells are the pairs that are reported. Hatched cells pair '
        'a region with a part of itself and are high by construction.',
        'Matrix of Fisher z between the regions; the numbers are in the table of connectivity.',
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
    *(
        FigureSpec(measure.map, 'bold', measure.title, measure.caption, measure.alt)
        for measure in MAP_MEASURES
    ),
    FigureSpec(
        'mask',
        'dwi',
        'Brain mask of the diffusion scan',
        'The image without diffusion weighting. The mask (orange) should follow the surface of the brain '
        'without the eyes; what lies outside it is not analysed.',
        'Cuts through the mean image without diffusion weighting in three planes with the outline of the '
        'brain mask.',
    ),
    FigureSpec(
        'coregistration',
        'dwi',
        'Diffusion scan to T1-weighted image',
        'The outlines come from the T1-weighted image, on both images. Brain edge and ventricles of the '
        'diffusion scan should meet them. A frontal pole that is stretched or pushed beyond the outline is '
        'distortion by magnetic susceptibility; a tract that runs there is displaced with it.',
        'Cuts through the T1-weighted image and, at the same places, through the diffusion reference, both '
        'with the outlines of grey and white matter.',
        ('T1-weighted', 'Diffusion'),
    ),
    FigureSpec(
        'normalization',
        'dwi',
        'Diffusion scan to template',
        'Without a T1-weighted image the regions come from the template by way of FA, which is bright in '
        'white matter. Outer border, ventricles and the large bundles should meet the outlines of the '
        'template.',
        'Cuts through the template brain and, at the same places, through the normalised FA, both with the '
        'outlines of the template.',
        ('Template', 'This person'),
    ),
    FigureSpec(
        'motion',
        'dwi',
        'Head movement during the diffusion scan',
        'Shift and turn of the head against the reference in each volume, movement from one volume to the '
        'next (FD), and the diffusion weighting (b-value) of each volume. Jumps blur directions and lower '
        'FA.',
        'Traces of the translations, the rotations, framewise displacement and b-value over the volumes of '
        'the scan.',
    ),
    FigureSpec(
        'colorfa',
        'dwi',
        'Direction of fibres',
        'Red: fibres run from left to right; green: from front to back; blue: from bottom to top; bright '
        'where FA is high. The corpus callosum must be red in the middle, the cingulum above it green and '
        'the pyramidal tract blue; other colours there mean that the table of directions is wrong.',
        'Cuts through the brain in three planes, coloured by the main direction of diffusion: red left to '
        'right, green front to back, blue bottom to top.',
    ),
    FigureSpec(
        'tract',
        'dwi',
        'Tracts between regions',
        'Orange with a solid line: left; purple with a dashed line: right. The brighter, the larger the '
        'share of streamlines that pass; the lines enclose where at least a tenth of them pass. The '
        'regions are named above the image. A tract should be one bundle in white matter from one region to '
        'the other.',
        'Cuts in three planes through the tracts, with the outlines of the regions.',
    ),
    FigureSpec(
        'profile',
        'dwi',
        'FA along the tract',
        'From the first region of a pair (1) to the second (100). Lines: mean, a dash for each '
        'session; bands: one standard deviation over streamlines. A difference over the whole length speaks '
        'for the tract, one near an end for the region beside it.',
        'Charts of fractional anisotropy over one hundred nodes from the first region of a pair to the second.',
    ),
    FigureSpec(
        'threshold',
        'dwi',
        'FA and the width of the tract',
        'How FA (left) and volume (right) change when only places count that at least this share of '
        'streamlines visits. The reported FA uses all places, weighted by that share; no threshold is '
        'chosen by its result.',
        'Two charts over the visitation threshold: fractional anisotropy, and the volume that remains.',
    ),
)
