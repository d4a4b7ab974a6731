"""Denoising, regions, seed-based and intrinsic connectivity of one run in template space."""

from typing import NamedTuple, assert_never

from nipype.interfaces.utility import IdentityInterface
from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.choices import needs_anatomy, needs_freesurfer, source_files, with_full_paths
from ..interfaces.confounds_flags import DesignRun
from ..interfaces.denoise import WriteDenoised
from ..interfaces.headers import SMALL_GB
from ..interfaces.regions import MakeRegions
from ..interfaces.stages import CleanRun, MapConnectivity
from ..params import CircuitMaps, DenoiseParams, MapParams
from ..terms import PRESETS, Circuit, Preset

_INPUTS = ('bold', 'bold_mask', 'confounds', 'confounds_metadata', 'aseg', 'aparcaseg', 'anat2std_xfm')
_SOURCES = {
    'design': ('design', 'outliers'),
    'regions': ('regions', 'regions_dseg', 'regions_table'),
    'clean': ('timeseries', 'coverage', 'mean_bold', 'analysis_mask', 'carpet', 'alff', 'falff'),
    'connectivity': ('relmat', 'half1', 'half2', 'seed_maps', 'icc', 'iccadj', 'iccnorm', 'metadata'),
}


class Series(NamedTuple):
    """What is known of a run before it is read.

    ``run`` is what messages call it, ``t_r`` its repetition time (s), ``space`` its template space, ``size_gb`` its
    size as float32, which the memory of steps is estimated from.
    """

    run: str
    t_r: float
    space: str
    size_gb: float = 1.0


def init_connectivity_wf(
    *,
    denoise: DenoiseParams,
    circuit: Circuit,
    maps: MapParams,
    series: Series,
    writes_denoised: bool = False,
    name: str = 'connectivity_wf',
) -> LiterateWorkflow:
    """Clean one run and map its connectivity.

    Parameters
    ----------
    denoise, circuit, maps
        What is removed, where, and how maps are made.
    series
        The run.
    writes_denoised
        Write the denoised series.
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
    design, outliers, timeseries, coverage, relmat, half1, half2
        Tables; the last two are ``relmat`` of each half of the run.
    seed_maps
        Fisher z maps, one per seed.
    icc, iccadj, iccnorm
        Maps of intrinsic connectivity.
    alff, falff
        Maps of the amplitude of low-frequency fluctuations, and of its share of all.
    mean_bold, analysis_mask, regions, carpet
        What figures are drawn from.
    regions_dseg, regions_table
        Regions as labels; index, source, transform, volume and centre of each.
    denoised, denoised_smoothed
        4D series, only with ``writes_denoised``.
    metadata, qc
        Counts and flags, for sidecars and as a file.

    """
    workflow = LiterateWorkflow(name=name)
    workflow.__desc__ = _describe(denoise, circuit, maps, series.space)
    inputnode = pe.Node(IdentityInterface(fields=list(_INPUTS)), name='inputnode')
    outputs = [*(field for fields in _SOURCES.values() for field in fields), 'qc']
    outputnode = pe.Node(
        IdentityInterface(fields=[*outputs, 'denoised', 'denoised_smoothed']), name='outputnode'
    )
    nodes = _nodes(denoise, with_full_paths(circuit), maps, series)
    for name in ('clean', 'connectivity'):
        nodes[name].interface.is_brief = series.size_gb < SMALL_GB
    workflow.connect([
        (inputnode, nodes['design'], [(f, f) for f in ('bold', 'confounds', 'confounds_metadata')]),
        (inputnode, nodes['regions'], [('bold_mask', 'bold_mask')]),
        (inputnode, nodes['clean'], [(f, f) for f in ('bold', 'bold_mask', 'confounds')]),
        (nodes['design'], nodes['clean'], [(f, f) for f in ('operator', 'design', 'outliers', 'metadata')]),
        (nodes['regions'], nodes['clean'], [(f, f) for f in ('regions', 'tissue', 'brain')]),
        (nodes['design'], nodes['connectivity'], [('operator', 'operator')]),
        (nodes['clean'], nodes['connectivity'],
         [(f, f) for f in ('smoothed', 'analysis_mask', 'timeseries', 'metadata')]),
        (nodes['regions'], nodes['connectivity'], [(f, f) for f in ('grey_matter', 'brain', 'sources')]),
    ])  # fmt: skip
    if needs_anatomy(circuit) or needs_freesurfer(circuit):
        workflow.connect([
            (inputnode, nodes['regions'], [(f, f) for f in ('aseg', 'aparcaseg', 'anat2std_xfm')]),
        ])  # fmt: skip
    for source, fields in _SOURCES.items():
        workflow.connect([(nodes[source], outputnode, [(f, f) for f in fields])])
    workflow.connect([(nodes['connectivity'], outputnode, [('metadata', 'qc')])])
    if writes_denoised:
        write = pe.Node(WriteDenoised(), name='write_denoised', mem_gb=0.3 + 2 * series.size_gb)
        workflow.connect([
            (inputnode, write, [('bold', 'bold')]),
            (nodes['design'], write, [('operator', 'operator')]),
            (nodes['clean'], write, [(f, f) for f in ('analysis_mask', 'cleaned', 'smoothed')]),
            (write, outputnode, [(f, f) for f in ('denoised', 'denoised_smoothed')]),
        ])  # fmt: skip
    return workflow


def _nodes(denoise: DenoiseParams, circuit: Circuit, maps: MapParams, series: Series) -> dict[str, pe.Node]:
    """Return the nodes with their memory: about a quarter of a series is brain."""
    t_r, masked_gb = series.t_r, 0.3 * series.size_gb
    files = [str(path) for path in source_files(circuit)]
    wanted = CircuitMaps(circuit=circuit, fwhm=maps.fwhm, icc_mask=maps.icc_mask)
    return {
        'design': pe.Node(DesignRun(params=denoise, t_r=t_r, run=series.run), name='design', mem_gb=0.3),
        'regions': pe.Node(
            MakeRegions(space=series.space, circuit=circuit, files=files), name='regions', mem_gb=0.6
        ),
        'clean': pe.Node(
            CleanRun(maps=wanted, band=denoise.band, space=series.space),
            name='clean',
            mem_gb=0.3 + 3 * masked_gb,
        ),
        'connectivity': pe.Node(
            MapConnectivity(maps=wanted), name='connectivity', mem_gb=0.3 + 2 * masked_gb
        ),
    }


def _describe(denoise: DenoiseParams, circuit: Circuit, maps: MapParams, space: str) -> str:
    where = {'brain': 'brain', 'gm': 'grey matter of the template'}[maps.icc_mask]
    preset = PRESETS[denoise.denoising]
    order = (
        ''
        if preset.cleaning == 'regress_then_filter'
        else '; these, a linear trend and {} were removed together [@hallquist2013; @lindquist2019]'
    )
    smooth = (
        f'data smoothed inside the brain mask ({maps.fwhm:g} mm FWHM)' if maps.fwhm else 'unsmoothed data'
    )
    return f"""\
Nuisance regression used {preset.title}{order.format(_stop_band(denoise))}, fitted on the kept \
volumes only. {_left_out(denoise)}Regions were {_regions(circuit)} in {space} [@desikan2006]. Region series are means of unsmoothed voxels; maps come from \
{smooth}. Connectivity is the Fisher z of Pearson's r. Intrinsic connectivity is the root mean square of a \
voxel's correlations with all voxels of the {where} [@martuzzi2011]{_kept(preset)}. The amplitude of low-frequency \
fluctuations in the pass band (ALFF) was taken from the data before any filter, over its mean in the brain \
[@zang2007], and as a share of all frequencies up to 0.25 Hz (fALFF) [@zou2008].
"""


def _regions(circuit: Circuit) -> str:
    """Return the structures with their sources in words."""
    named = [f'the {own.title} (*{own.choice}*)' for own in circuit.structures]
    return ' and '.join([', '.join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]


def _kept(preset: Preset) -> str:
    return f', of which {preset.icc_components} components were kept' if preset.icc_components else ''


def _stop_band(params: DenoiseParams) -> str:
    """Say which frequencies were removed."""
    low, high = params.high_pass, params.low_pass
    if low and high:
        return f'frequencies outside {low:g}-{high:g} Hz'
    if low or high:
        return f'frequencies below {low:g} Hz' if low else f'frequencies above {high:g} Hz'
    return 'no frequencies'


def _left_out(params: DenoiseParams) -> str:
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
