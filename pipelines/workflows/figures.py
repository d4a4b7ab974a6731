"""Which figures each stage of the participant report has, and what they are drawn from."""

from collections.abc import Mapping

from ..interfaces import diffusion_figures, figures, map_figures
from ..interfaces.gallery import Gallery, Plate
from ..interfaces.templates import target_brain
from ..terms import MAP_MEASURES, Circuit, Measure

ON_ANATOMY = ('t1w_preproc', 't1w_mask', 't1w_dseg')
"""Image, brain mask and tissue labels that other scans are shown on."""

_PLACED = ('t1w_preproc', 'placement_table', 'placement_dseg', 'std2anat_xfm')
_NORMAL = {'icc': 'iccnorm'}
"""Normalised form of a map, which its figure shows below it."""


def anatomical_figures(*, space: str, is_normalization_only: bool = False) -> Gallery:
    """Return the brain mask with the tissues, the normalised image against its template, and the regions close up.

    Parameters
    ----------
    space
        Template that the anatomical image was normalised to.
    is_normalization_only
        Only that of the normalised image; only ``t1w_std`` is needed.

    Notes
    -----
    Drawn from outputs of the anatomical workflow.

    """
    normalization = {'normalization': _normalization(space, 't1w_std')}
    return (
        normalization
        if is_normalization_only
        else {
            'mask': Plate(figures.plot_mask, ON_ANATOMY),
            **normalization,
            'placement': Plate(figures.plot_placement, _PLACED),
        }
    )


def _normalization(space: str, image: str) -> Plate:
    """Return the figure of an image on the grid of a template."""
    fixed = {'template': target_brain(space), 'space': space}
    return Plate(figures.plot_normalization, ((image, 't1w_std'),), fixed)


def functional_figures(*, is_standard: bool = False) -> Gallery:
    """Return the BOLD reference against the anatomical image.

    Parameters
    ----------
    is_standard
        ``mean_bold`` and the anatomy lie in one space; else ``bold2anat_xfm`` takes ``boldref`` to it.

    """
    image = (('mean_bold', 'boldref'),) if is_standard else ('boldref', 'bold2anat_xfm')
    return {'coregistration': Plate(figures.plot_coregistration, (*image, *ON_ANATOMY))}


def distortion_figures() -> Gallery:
    """Return the BOLD reference before and after the correction of distortion, on the anatomy."""
    image = ('boldref_raw', 'boldref', 'bold2anat_xfm')
    return {'distortion': Plate(figures.plot_distortion, (*image, *ON_ANATOMY[1:]))}


def connectivity_figures(*, fd_threshold: float, space: str, circuit: Circuit) -> Gallery:
    """Return regions, carpet, seed maps, the map of every measure, and the matrix of regions.

    Parameters
    ----------
    fd_threshold
        Framewise displacement above which volumes were left out, in mm (0 = none).
    space
        Template of the maps, whose brain is shown beneath them.
    circuit
        Regions.

    Notes
    -----
    Drawn from outputs of the connectivity workflow.

    """
    beneath = {'background': target_brain(space)}
    return {
        'regions': Plate(figures.plot_regions, ('mean_bold', 'regions', 'coverage', 'analysis_mask')),
        'carpet': Plate(figures.plot_carpet, ('carpet',), {'fd_threshold': fd_threshold}),
        'seed': Plate(
            map_figures.plot_seed_maps,
            ('seed_maps', 'mean_bold', 'metadata'),
            {'circuit': circuit, **beneath},
        ),
        **{measure.map: _map_figure(measure, beneath) for measure in MAP_MEASURES},
        'relmat': Plate(map_figures.plot_relmat, ('relmat',), {'circuit': circuit}),
    }


def _map_figure(measure: Measure, beneath: Mapping[str, object]) -> Plate:
    """Return the figure of the map of a measure."""
    fields: tuple[str | tuple[str, str], ...] = ((measure.map, 'image'), 'mean_bold', 'metadata')
    if measure.map in _NORMAL:
        fields += ((_NORMAL[measure.map], 'normal'),)
    return Plate(map_figures.plot_map, fields, {'measure': measure.name, **beneath})


def dwi_figures(*, has_t1w: bool, space: str, has_motion: bool) -> Gallery:
    """Return brain mask, directions, alignment and head motion of a diffusion scan.

    Parameters
    ----------
    has_t1w
        The scan is shown on the T1-weighted image; without one ``fa_std`` is shown on the template.
    space
        Template that FA was normalised to.
    has_motion
        The scan has a table of head motion, ``confounds``.

    Notes
    -----
    Drawn from outputs of the diffusion workflows, and from the anatomy in the space of the scan.

    """
    gallery = {
        'mask': Plate(diffusion_figures.plot_diffusion_mask, ('dwiref', 'dwi_mask')),
        'colorfa': Plate(diffusion_figures.plot_color_fa, ('fa', 'evec', 'dwi_mask')),
    }
    if has_t1w:
        shown = Plate(diffusion_figures.plot_diffusion_coregistration, ('dwiref', *ON_ANATOMY))
        gallery['coregistration'] = shown
    else:
        gallery['normalization'] = _normalization(space, 'fa_std')
    if has_motion:
        gallery['motion'] = Plate(diffusion_figures.plot_diffusion_motion, ('confounds',))
    return gallery


def tract_figures(*, circuit: Circuit) -> Gallery:
    """Return the tracts on the brain, FA along them, and FA against the visitation threshold.

    Parameters
    ----------
    circuit
        Its pairs.

    Notes
    -----
    Drawn from ``background``, T1-weighted image or FA, and outputs of the tract workflow.

    """
    where = ('background', 'probsegs', 'regions_dseg', 'scalarstats')
    own = {'circuit': circuit}
    return {
        'tract': Plate(diffusion_figures.plot_tract, where, own),
        'profile': Plate(diffusion_figures.plot_profile, ('profile',), own),
        'threshold': Plate(diffusion_figures.plot_threshold, ('threshold',), own),
    }
