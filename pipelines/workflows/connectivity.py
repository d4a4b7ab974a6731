"""Denoising, regions, seed-based and intrinsic connectivity of one run in template space."""

from typing import assert_never

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.amplitude import MapAmplitude
from ..interfaces.atlas import file_of
from ..interfaces.connectivity import MapIntrinsic, MapSeeds
from ..interfaces.denoise import CleanSeries, WriteDenoised
from ..interfaces.design import MakeDesign
from ..interfaces.regions import MakeRegions
from ..params import FunctionalParams
from ..terms import PRESETS, Preset

_INPUTS = ('bold', 'bold_mask', 'confounds', 'confounds_metadata', 'aseg', 'aparcaseg', 'anat2std_xfm')
_SOURCES = {
    'design': ('design', 'outliers'),
    'regions': ('regions', 'regions_dseg', 'regions_table'),
    'clean': ('timeseries', 'coverage', 'mean_bold', 'analysis_mask', 'carpet'),
    'seeds': ('relmat', 'seed_maps'),
    'intrinsic': ('icc', 'iccadj', 'iccnorm', 'qc', 'metadata'),
    'amplitude': ('alff', 'falff'),
}


def init_connectivity_wf(
    *, params: FunctionalParams, t_r: float, space: str, series_gb: float = 1.0, name: str = 'connectivity_wf'
) -> LiterateWorkflow:
    """Clean one run and map its connectivity.

    Parameters
    ----------
    params
        Denoising, regions, smoothing.
    t_r
        Repetition time, s.
    space
        Template space of the series.
    series_gb
        Size of the series as float32, which the memory of nodes is estimated from.
    name
        Name of the workflow.

    Inputs
    ------
    bold, bold_mask, confounds, confounds_metadata
        4D series and mask in ``space``; confounds table and JSON with fMRIPrep's names.
    aseg, aparcaseg, anat2std_xfm
        Only for the region ``freesurfer``: labels in anatomical space and fMRIPrep's
        ``from-T1w_to-<space>_mode-image_xfm``.

    Outputs
    -------
    design, outliers, qc, timeseries, coverage, relmat
        Tables (qc is JSON).
    seed_maps
        Fisher z maps, one per region label.
    icc, iccadj, iccnorm
        Maps of intrinsic connectivity.
    alff, falff
        Maps of the amplitude of low-frequency fluctuations, and of its share of all.
    mean_bold, analysis_mask, regions, carpet
        What figures are drawn from.
    regions_dseg, regions_table
        Regions as labels; index, source, transform, volume and centre of each.
    denoised, denoised_smoothed
        4D series, only with ``params.write_denoised``.
    metadata
        Counts and flags for sidecars.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe(params, space)
    inputnode = pe.Node(IdentityInterface(fields=list(_INPUTS)), name='inputnode')
    outputs = [field for fields in _SOURCES.values() for field in fields]
    outputnode = pe.Node(
        IdentityInterface(fields=[*outputs, 'denoised', 'denoised_smoothed']), name='outputnode'
    )
    nodes = _nodes(params, t_r, space, series_gb)
    workflow.connect([
        (inputnode, nodes['design'], [(f, f) for f in ('bold', 'confounds', 'confounds_metadata')]),
        (inputnode, nodes['regions'], [('bold_mask', 'bold_mask')]),
        (inputnode, nodes['clean'], [(f, f) for f in ('bold', 'bold_mask', 'confounds')]),
        (nodes['design'], nodes['clean'], [(f, f) for f in ('operator', 'metadata')]),
        (nodes['regions'], nodes['clean'], [(f, f) for f in ('regions', 'tissue', 'brain')]),
        (inputnode, nodes['amplitude'], [(f, f) for f in ('bold', 'bold_mask')]),
        (nodes['design'], nodes['amplitude'], [(f, f) for f in ('design', 'outliers')]),
        (nodes['design'], nodes['seeds'], [('operator', 'operator')]),
        (nodes['clean'], nodes['seeds'], [(f, f) for f in ('smoothed', 'analysis_mask', 'timeseries')]),
        (nodes['clean'], nodes['intrinsic'], [(f, f) for f in ('smoothed', 'analysis_mask', 'metadata')]),
        (nodes['regions'], nodes['intrinsic'], [(f, f) for f in ('grey_matter', 'brain', 'sources')]),
    ])  # fmt: skip
    if 'freesurfer' in (params.nac, params.mpfc):
        workflow.connect([
            (inputnode, nodes['regions'], [(f, f) for f in ('aseg', 'aparcaseg', 'anat2std_xfm')]),
        ])  # fmt: skip
    for source, fields in _SOURCES.items():
        workflow.connect([(nodes[source], outputnode, [(f, f) for f in fields])])
    if params.write_denoised:
        write = pe.Node(WriteDenoised(), name='write_denoised', mem_gb=0.3 + 2 * series_gb)
        workflow.connect([
            (inputnode, write, [('bold', 'bold')]),
            (nodes['design'], write, [('operator', 'operator')]),
            (nodes['clean'], write, [(f, f) for f in ('analysis_mask', 'cleaned', 'smoothed')]),
            (write, outputnode, [(f, f) for f in ('denoised', 'denoised_smoothed')]),
        ])  # fmt: skip
    return workflow


def _nodes(params: FunctionalParams, t_r: float, space: str, series_gb: float) -> dict[str, pe.Node]:
    """Return the nodes of the workflow with their memory: about a quarter of the grid is brain."""
    masked_gb = 0.3 * series_gb
    choices = {'nac': _absolute(params.nac), 'mpfc': _absolute(params.mpfc)}
    files = [str(found[0]) for choice in choices.values() if (found := file_of(choice))]
    return {
        'design': pe.Node(MakeDesign(params=params, t_r=t_r), name='design', mem_gb=0.3),
        'regions': pe.Node(MakeRegions(space=space, **choices, files=files), name='regions', mem_gb=0.6),
        'clean': pe.Node(CleanSeries(fwhm=params.fwhm, t_r=t_r), name='clean', mem_gb=0.3 + 3 * masked_gb),
        'seeds': pe.Node(MapSeeds(), name='seeds', mem_gb=0.3 + 2 * masked_gb),
        'intrinsic': pe.Node(
            MapIntrinsic(icc_mask=params.icc_mask), name='intrinsic', mem_gb=0.3 + 2 * masked_gb
        ),
        'amplitude': pe.Node(
            MapAmplitude(t_r=t_r, fwhm=params.fwhm, band=(params.high_pass, params.low_pass)),
            name='amplitude',
            mem_gb=0.3 + 3 * masked_gb,
        ),
    }


def _absolute(choice: str) -> str:
    """Return a choice with the full path of its file: nodes run in folders of their own."""
    found = file_of(choice)
    return ':'.join(filter(None, [str(found[0].absolute()), found[1]])) if found else choice


def _describe(params: FunctionalParams, space: str) -> str:
    where = {'brain': 'brain', 'gm': 'grey matter of the template'}[params.icc_mask]
    preset = PRESETS[params.denoising]
    order = (
        ''
        if preset.cleaning == 'regress_then_filter'
        else '; these, a linear trend and {} were removed together [@hallquist2013; @lindquist2019]'
    )
    smooth = (
        f'data smoothed inside the brain mask ({params.fwhm:g} mm FWHM)' if params.fwhm else 'unsmoothed data'
    )
    return f"""\
Nuisance regression used {preset.title}{order.format(_stop_band(params))}, fitted on the kept \
volumes only. {_left_out(params)}Regions were the nucleus accumbens (*{params.nac}*) and the medial prefrontal \
cortex (*{params.mpfc}*) in {space} [@desikan2006]. Region series are means of unsmoothed voxels; maps come from \
{smooth}. Connectivity is the Fisher z of Pearson's r. Intrinsic connectivity is the root mean square of a \
voxel's correlations with all voxels of the {where} [@martuzzi2011]{_kept(preset)}. The amplitude of low-frequency \
fluctuations in the pass band (ALFF) was taken from the data before any filter, over its mean in the brain \
[@zang2007], and as a share of all frequencies up to 0.25 Hz (fALFF) [@zou2008].
"""


def _kept(preset: Preset) -> str:
    return f', of which {preset.icc_components} components were kept' if preset.icc_components else ''


def _stop_band(params: FunctionalParams) -> str:
    """Say which frequencies were removed."""
    low, high = params.high_pass, params.low_pass
    if low and high:
        return f'frequencies outside {low:g}-{high:g} Hz'
    if low or high:
        return f'frequencies below {low:g} Hz' if low else f'frequencies above {high:g} Hz'
    return 'no frequencies'


def _left_out(params: FunctionalParams) -> str:
    match PRESETS[params.denoising].censoring:
        case 'jumps':
            return (
                'Volumes with a change of the global signal above 5 SD or a composite motion above 0.9 mm were '
                'left out. '
            )
        case 'displacement':
            limit = params.fd_threshold
            said = f'Volumes with a framewise displacement [@power2012] above {limit:g} mm were left out. '
            return said if limit else ''
        case 'none':
            return ''
        case other:
            assert_never(other)
