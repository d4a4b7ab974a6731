"""Workflows that draw the figures of the participant report."""

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces import figures
from ..interfaces.templates import target_brain

ANATOMICAL = ('t1w_preproc', 't1w_mask', 't1w_dseg', 't1w_std')
_FUNCTIONAL = ('boldref', 'bold2anat_xfm', 't1w_preproc', 't1w_mask', 't1w_dseg')
CONNECTIVITY = (
    'mean_bold',
    'analysis_mask',
    'regions',
    'coverage',
    'carpet',
    'seed_maps',
    'icc',
    'iccnorm',
    'relmat',
    'metadata',
)
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
    return _picture_wf(name, ANATOMICAL, nodes)


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
    mean_bold, analysis_mask, regions, coverage, carpet, seed_maps, icc, iccnorm, relmat, metadata
        As the connectivity workflow gives them.

    Outputs
    -------
    regions_figure, carpet_figure, seed_figure, icc_figure, relmat_figure
        PNG files.

    """
    beneath = {'background': background} if background else {}
    nodes = {
        'regions': (figures.PlotRegions(), ('mean_bold', 'regions', 'coverage', 'analysis_mask')),
        'carpet': (figures.PlotCarpet(fd_threshold=fd_threshold), ('carpet',)),
        'seed': (figures.PlotSeedMaps(**beneath), ('seed_maps', 'mean_bold', 'metadata')),
        'icc': (figures.PlotIntrinsic(**beneath), ('icc', 'iccnorm', 'mean_bold', 'metadata')),
        'relmat': (figures.PlotRelmat(), ('relmat',)),
    }
    return _picture_wf(name, CONNECTIVITY, nodes)


def _picture_wf(
    name: str, fields: tuple[str, ...], pictures: dict[str, tuple[object, tuple[str, ...]]]
) -> LiterateWorkflow:
    """Connect ``inputnode`` to each picture's node, and its file to ``<picture>_figure``."""
    workflow = LiterateWorkflow(name=name)
    inputnode = pe.Node(IdentityInterface(fields=list(fields)), name='inputnode')
    outputs = [f'{picture}_figure' for picture in pictures]
    outputnode = pe.Node(IdentityInterface(fields=outputs), name='outputnode')
    for picture, (interface, needed) in pictures.items():
        node = pe.Node(interface, name=f'plot_{picture}', mem_gb=_PICTURE_GB)
        workflow.connect([(inputnode, node, [(field, field) for field in needed])])
        workflow.connect(node, 'figure', outputnode, f'{picture}_figure')
    return workflow
