"""Steps of the T1w image and of BOLD that a user would name, each of several functions of files: a batch system runs each as a job of its own."""

from pathlib import Path
from typing import Any, NamedTuple

from ..numerics.agreement import Correction
from ..numerics.border import Coregistration
from ..numerics.echoes import Decay
from ..params import AnatomyPlan, CircuitMaps
from ..terms import raised
from . import anatomical, confounds, confounds_flags, connectivity, denoise, normalize
from ._interface import interface
from .amplitude import amplitude_maps
from .placement import judge_placement
from .quality import image_quality
from .template_fit import fit_templates
from .terms_of_use import is_free


class _Brain(NamedTuple):
    t1w2ref_xfms: list[Path]
    t1w_preproc: Path
    t1w_mask: Path
    brain: Path
    placement: Path
    score: float


class _Tissues(NamedTuple):
    t1w_dseg: Path
    t1w_probseg_gm: Path
    t1w_probseg_wm: Path
    t1w_probseg_csf: Path
    metadata: dict[str, Any]
    placement_table: Path
    placement_dseg: Path
    placement_facts: dict[str, Any]


class _Placed(NamedTuple):
    boldref_std: Path
    bold_mask_std: Path
    masks: list[Path]
    noise_voxels: dict[str, int]


class _Preprocessed(NamedTuple):
    bold_std: Path
    confounds: Path
    confounds_metadata: Path
    metadata: dict[str, Any]


class _Cleaned(NamedTuple):
    cleaned: Path
    smoothed: Path
    analysis_mask: Path
    mean_bold: Path
    timeseries: Path
    coverage: Path
    carpet: Path
    metadata: dict[str, Any]
    alff: Path
    falff: Path


class _Connectivity(NamedTuple):
    seed_maps: list[Path]
    relmat: Path
    half1: Path
    half2: Path
    icc: Path
    iccadj: Path
    iccnorm: Path
    metadata: dict[str, Any]


def locate_brain(
    t1w: list[Path], space: str, random_seed: int, sloppy: bool = False, *, out_dir: Path
) -> _Brain:
    """Average the T1-weighted images of a participant and find the brain.

    See :func:`~pipelines.interfaces.anatomical.make_reference` and :func:`~pipelines.interfaces.anatomical.find_brain`.
    """
    reference = anatomical.make_reference(t1w, space, random_seed, sloppy, out_dir=out_dir)
    found = anatomical.find_brain(reference.t1w_ref, t1w, space, sloppy, out_dir=out_dir)
    return _Brain(reference.t1w2ref_xfms, *found)


def segment_anatomy(
    brain: Path,
    t1w_mask: Path,
    anat2std_xfm: Path,
    std2anat_xfm: Path,
    about: AnatomyPlan,
    score: float,
    quality: dict[str, Any],
    *,
    out_dir: Path,
) -> _Tissues:
    """Segment the brain, judge how regions lie in it, and collect what sidecars say of the anatomy.

    See :func:`~pipelines.interfaces.anatomical.segment_brain`, :func:`~pipelines.interfaces.placement.judge_placement` and
    :func:`~pipelines.interfaces.anatomical.describe_anatomy`.
    """
    found = anatomical.segment_brain(brain, t1w_mask, std2anat_xfm, about.space, out_dir=out_dir)
    facts = anatomical.describe_anatomy(about.space, about.n_t1w, score, quality, found.volumes)
    placed = judge_placement(
        brain, t1w_mask, anat2std_xfm, about.space, about.circuit, found.t1w_probseg_gm, out_dir=out_dir
    )
    return _Tissues(*found[:4], facts, *placed)


def place_references(
    boldref: Path,
    bold_mask: Path,
    anat2std_xfm: Path,
    bold2anat_xfm: Path,
    t1w_probseg_gm: Path,
    t1w_probseg_wm: Path,
    t1w_probseg_csf: Path,
    space: str,
    *,
    out_dir: Path,
) -> _Placed:
    """Bring the reference of a run to the template, and tissue without signal of interest to the run.

    See :func:`~pipelines.interfaces.normalize.resample_references` and
    :func:`~pipelines.interfaces.confounds.make_noise_masks`.
    """
    standard = normalize.resample_references(
        boldref, bold_mask, anat2std_xfm, bold2anat_xfm, space, out_dir=out_dir
    )
    tissue = t1w_probseg_gm, t1w_probseg_wm, t1w_probseg_csf
    noise = confounds.make_noise_masks(*tissue, bold_mask, bold2anat_xfm, out_dir=out_dir)
    masks = [bold_mask, noise.wm_mask, noise.csf_mask]
    return _Placed(**standard._asdict(), masks=masks, noise_voxels=noise.noise_voxels)


def finish_run(
    bold_std: list[Path],
    bold_native: list[Path],
    motion: list[Path],
    masks: list[Path],
    t_r: float,
    n_dummy: int,
    noise_voxels: dict[str, int],
    coregistration: Coregistration,
    timing: dict[str, Any] | None = None,
    echoes: Decay | None = None,
    distortion: Correction | None = None,
    *,
    out_dir: Path,
) -> _Preprocessed:
    """Join what was done in chunks of volumes, and compute the confounds.

    See :func:`~pipelines.interfaces.normalize.merge_chunks`, :func:`~pipelines.interfaces.confounds.collect_confounds`
    and :func:`~pipelines.interfaces.normalize.describe_run`.
    """
    joined = normalize.merge_chunks(bold_std, bold_native, motion, out_dir=out_dir)
    brain, white, fluid = masks
    found = confounds.collect_confounds(
        joined.bold_native, brain, white, fluid, joined.motion, t_r, n_dummy, out_dir=out_dir
    )
    confounds_flags.tell_flags(
        found.confounds_metadata, raised(doubtful_sdc=bool(distortion and distortion.is_doubtful))
    )
    told = {**coregistration.facts(), **(timing or {}), **(echoes.facts() if echoes else {})}
    facts = normalize.describe_run(n_dummy, found.summary, noise_voxels, told, distortion)
    return _Preprocessed(joined.bold_std, found.confounds, found.confounds_metadata, facts)


def clean_run(
    bold: Path,
    bold_mask: Path,
    operator: Path,
    regions: Path,
    tissue: Path,
    brain: Path,
    confounds: Path,
    design: Path,
    outliers: Path,
    maps: CircuitMaps,
    band: tuple[float, float],
    space: str,
    metadata: dict[str, Any],
    *,
    out_dir: Path,
) -> _Cleaned:
    """Read a series once: judge where it lies, clean it, and map the amplitude of its fluctuations.

    See :func:`~pipelines.interfaces.template_fit.fit_templates`, :func:`~pipelines.interfaces.denoise.clean_scan` and
    :func:`~pipelines.interfaces.amplitude.amplitude_maps`.
    """
    t_r = metadata['RepetitionTime']
    scan, factors = denoise.read_scan(bold, bold_mask, operator)
    placed = fit_templates(scan, space, free=is_free(maps.circuit, space))
    facts = {
        **metadata,
        'ImageQuality': image_quality(scan, confounds),
        'TemplateFit': placed.fits,
        'Flags': [*metadata['Flags'], *placed.flags()],
    }
    files = regions, tissue, brain, confounds
    cleaned = denoise.clean_scan(scan, factors, files, maps, t_r, facts, out_dir=out_dir)
    amplitudes = amplitude_maps(scan, (bold, design, outliers), t_r, maps.fwhm, band, out_dir=out_dir)
    return _Cleaned(*cleaned, *amplitudes)


def map_connectivity(
    smoothed: Path,
    analysis_mask: Path,
    operator: Path,
    timeseries: Path,
    grey_matter: Path,
    brain: Path,
    maps: CircuitMaps,
    metadata: dict[str, Any],
    sources: dict[str, Any],
    *,
    out_dir: Path,
) -> _Connectivity:
    """Map the connectivity of the regions, and of every voxel with all others.

    See :func:`~pipelines.interfaces.connectivity.map_seeds` and :func:`~pipelines.interfaces.connectivity.map_intrinsic`.
    """
    seeds = connectivity.map_seeds(
        smoothed, analysis_mask, operator, timeseries, maps.circuit, out_dir=out_dir
    )
    voxels = connectivity.map_intrinsic(
        smoothed, analysis_mask, grey_matter, brain, maps.icc_mask, metadata, sources, out_dir=out_dir
    )
    return _Connectivity(**seeds._asdict(), **voxels._asdict())


LocateBrain = interface(locate_brain)
SegmentAnatomy = interface(segment_anatomy)
PlaceReferences = interface(place_references)
FinishRun = interface(finish_run)
CleanRun = interface(clean_run)
MapConnectivity = interface(map_connectivity)
