"""Workflows that draw the figures of the participant report."""

from collections.abc import Mapping, Sequence
from typing import Any

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces import diffusion_figures, figures
from ..interfaces.templates import target_brain
from ..terms import MAP_MEASURES, Measure

Field = str | tuple[str, str]

ANATOMICAL_INPUTS = ('t1w_preproc', 't1w_mask', 't1w_dseg', 't1w_std')
_FUNCTIONAL = ('boldref', 'bold2anat_xfm', 't1w_preproc', 't1w_mask', 't1w_dseg')
_NORMAL = {'icc': 'iccnorm'}
"""Normalised form of a map, which its figure shows below it."""

CONNECTIVITY_INPUTS = (
    *('mean_bold', 'analysis_mask', 'regions', 'coverage', 'carpet', 'seed_maps'),
    *(measure.map for measure in MAP_MEASURES),
    *_NORMAL.values(),
    *('relmat', 'metadata'),
)
DIFFUSION_INPUTS = (
    'dwiref',
    'dwi_mask',
    'fa',
    'evec',
    'confounds',
    't1w_preproc',
    't1w_mask',
    't1w_dseg',
    'fa_std',
)
TRACT_INPUTS = ('background', 'probsegs', 'regions_dseg', 'scalarstats', 'profile', 'threshold')
_PICTURE_GB = 1.5
"""Memory of a node that reads a T1-weighted image of 0.7 mm and its masks as float32."""


def init_anatomical_figures_wf(
    *, space: str, is_normalization_only: bool = False, name: str = 'anatomical_figures_wf'
) -> LiterateWorkflow:
    """Draw the brain mask with the tissues, and the normalised image against its template.

    Parameters
    ----------
    space
        Template that the anatomical image was normalised to.
    is_normalization_only
        Only the second figure; only ``t1w_std`` is needed.
    name
        Name of the workflow.

    Inputs
    ------
    t1w_preproc, t1w_mask, t1w_dseg, t1w_std
        As the anatomical workflow gives them.

    Outputs
    -------
    mask_figure, normalization_figure
        PNG files.

    """
    nodes = {
        'mask': (figures.PlotMask(), ('t1w_preproc', 't1w_mask', 't1w_dseg')),
        'normalization': (
            figures.PlotNormalization(template=str(target_brain(space)), space=space),
            ('t1w_std',),
        ),
    }
    if is_normalization_only:
        return _picture_wf(name, ('t1w_std',), {'normalization': nodes['normalization']})
    return _picture_wf(name, ANATOMICAL_INPUTS, nodes)


def init_functional_figures_wf(*, name: str = 'functional_figures_wf') -> LiterateWorkflow:
    """Draw the BOLD reference against the anatomical image.

    Inputs
    ------
    boldref, bold2anat_xfm
        As the functional workflow gives them; without a transform both images share one space.
    t1w_preproc, t1w_mask, t1w_dseg
        As the anatomical workflow gives them.

    Outputs
    -------
    coregistration_figure
        PNG file.

    """
    return _picture_wf(name, _FUNCTIONAL, {'coregistration': (figures.PlotCoregistration(), _FUNCTIONAL)})


def init_connectivity_figures_wf(
    *, fd_threshold: float, background: str | None = None, name: str = 'connectivity_figures_wf'
) -> LiterateWorkflow:
    """Draw regions, carpet, seed maps, intrinsic connectivity and the matrix of regions.

    Parameters
    ----------
    fd_threshold
        Framewise displacement above which volumes were left out, in mm (0 = none).
    background
        Grey image in the space of the maps to show beneath them; none means the mean BOLD image.
    name
        Name of the workflow.

    Inputs
    ------
    mean_bold, analysis_mask, regions, coverage, carpet, seed_maps, relmat, metadata, and every map
        As the connectivity workflow gives them.

    Outputs
    -------
    regions_figure, carpet_figure, seed_figure, relmat_figure, and ``<map>_figure`` of every measure that is a map
        PNG files.

    """
    beneath = {'background': background} if background else {}
    nodes = {
        'regions': (figures.PlotRegions(), ('mean_bold', 'regions', 'coverage', 'analysis_mask')),
        'carpet': (figures.PlotCarpet(fd_threshold=fd_threshold), ('carpet',)),
        'seed': (figures.PlotSeedMaps(**beneath), ('seed_maps', 'mean_bold', 'metadata')),
        **{measure.map: _map_figure(measure, beneath) for measure in MAP_MEASURES},
        'relmat': (figures.PlotRelmat(), ('relmat',)),
    }
    return _picture_wf(name, CONNECTIVITY_INPUTS, nodes)


def _map_figure(measure: Measure, beneath: Mapping[str, str]) -> tuple[Any, tuple[Field, ...]]:
    """Return the node's interface and its inputs for the map of a measure."""
    fields: tuple[Field, ...] = ((measure.map, 'image'), 'mean_bold', 'metadata')
    if measure.map in _NORMAL:
        fields += ((_NORMAL[measure.map], 'normal'),)
    return figures.PlotMap(measure=measure.name, **beneath), fields


def init_diffusion_figures_wf(
    *, has_t1w: bool, space: str, has_motion: bool, name: str = 'diffusion_figures_wf'
) -> LiterateWorkflow:
    """Draw brain mask, directions, alignment and head motion of a diffusion scan.

    Parameters
    ----------
    has_t1w
        The scan is shown on the T1-weighted image; without one its FA is shown on the template.
    space
        Template that FA was normalised to.
    has_motion
        The scan has a table of head motion.
    name
        Name of the workflow.

    Inputs
    ------
    dwiref, dwi_mask, fa, evec
        Mean image without weighting, brain mask, fractional anisotropy and principal direction.
    confounds
        Head motion and b-value of each volume; needed with ``has_motion``.
    t1w_preproc, t1w_mask, t1w_dseg
        In the space of the scan; needed with ``has_t1w``.
    fa_std
        FA on the template's grid; needed without ``has_t1w``.

    Outputs
    -------
    mask_figure, colorfa_figure
        PNG files.
    coregistration_figure or normalization_figure
        PNG file, the first with ``has_t1w``.
    motion_figure
        PNG file, with ``has_motion``.

    """
    anatomy = ('t1w_preproc', 't1w_mask', 't1w_dseg')
    nodes: dict[str, tuple[object, Sequence[Field]]] = {
        'mask': (diffusion_figures.PlotDiffusionMask(), ('dwiref', 'dwi_mask')),
        'colorfa': (diffusion_figures.PlotColorFa(), ('fa', 'evec', 'dwi_mask')),
    }
    if has_t1w:
        nodes['coregistration'] = (diffusion_figures.PlotDiffusionCoregistration(), ('dwiref', *anatomy))
    else:
        plot = figures.PlotNormalization(template=str(target_brain(space)), space=space)
        nodes['normalization'] = (plot, (('fa_std', 't1w_std'),))
    if has_motion:
        nodes['motion'] = (diffusion_figures.PlotDiffusionMotion(), ('confounds',))
    return _picture_wf(name, DIFFUSION_INPUTS, nodes)


def init_tract_figures_wf(*, name: str = 'tract_figures_wf') -> LiterateWorkflow:
    """Draw the tract on the brain, FA along it, and FA against the visitation threshold.

    Inputs
    ------
    background
        Image beneath the tract: T1-weighted, or FA.
    probsegs
        Visitation of the left and of the right tract.
    regions_dseg, scalarstats, profile, threshold
        As the tract workflow gives them.

    Outputs
    -------
    tract_figure, profile_figure, threshold_figure
        PNG files.

    """
    nodes: dict[str, tuple[object, Sequence[Field]]] = {
        'tract': (diffusion_figures.PlotTract(), TRACT_INPUTS[:4]),
        'profile': (diffusion_figures.PlotProfile(), ('profile',)),
        'threshold': (diffusion_figures.PlotThreshold(), ('threshold',)),
    }
    return _picture_wf(name, TRACT_INPUTS, nodes)


def _picture_wf(
    name: str, fields: tuple[str, ...], pictures: Mapping[str, tuple[object, Sequence[Field]]]
) -> LiterateWorkflow:
    """Connect ``inputnode`` to each picture's node, and its file to ``<picture>_figure``.

    A field of the picture has the name of its source, unless both names are given.
    """
    workflow = LiterateWorkflow(name=name)
    inputnode = pe.Node(IdentityInterface(fields=list(fields)), name='inputnode')
    outputs = [f'{picture}_figure' for picture in pictures]
    outputnode = pe.Node(IdentityInterface(fields=outputs), name='outputnode')
    for picture, (interface, needed) in pictures.items():
        node = pe.Node(interface, name=f'plot_{picture}', mem_gb=_PICTURE_GB)
        workflow.connect(
            [(inputnode, node, [(field, field) if isinstance(field, str) else field for field in needed])]
        )
        workflow.connect(node, 'figure', outputnode, f'{picture}_figure')
    return workflow
