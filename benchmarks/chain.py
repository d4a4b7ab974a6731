"""One preprocessed run from its gzip file to results on disk: our chain, nilearn, and the time to read it."""

from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd

from .fresh import peak_gb, seconds

FWHM = 6.0
SPACE = 'MNI152NLin6Asym'
SPHERES = {
    'NAc': (9, 9, -8), 'Amg': (24, -2, -20), 'Hip': (28, -20, -14), 'Ins': (36, 18, 0), 'IPL': (46, -50, 42), 'Occ': (16, -88, 4),
    'PAG': (0, -30, -10), 'PCC': (0, -52, 26),
}  # fmt: skip
"""Centres (mm) on the right side, or on the midline, of 20 seeds: both sides and each of six, and two."""


def ours(
    files: dict[str, str], out: str, *, t_r: float = 2.0, write_denoised: bool = False, many: bool = False
) -> dict[str, Any]:
    """Run the five steps of ``pipelines.workflows.connectivity`` and return their time and peak memory.

    ``many`` takes the seeds of :data:`SPHERES` in place of the six of the default.
    """
    from pipelines.interfaces import connectivity, denoise, design, regions
    from pipelines.params import CircuitMaps, DenoiseParams, MapParams
    from pipelines.terms import default_circuit

    circuit, maps_of = circuit_of_spheres() if many else default_circuit(), MapParams(fwhm=FWHM)
    f = {key: Path(path) for key, path in files.items()}
    folders = {
        name: Path(out) / name for name in ('design', 'regions', 'clean', 'seeds', 'intrinsic', 'written')
    }
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    steps: dict[str, Any] = {}

    def step(name: str, function: Any, *arguments: Any, **named: Any) -> Any:
        found: list[Any] = []
        steps[name] = seconds(lambda: found.append(function(*arguments, **named, out_dir=folders[name])))
        return found[0]

    given = f['bold'], f['confounds'], DenoiseParams(), t_r, 'run'
    made = step('design', design.make_design, *given, confounds_metadata=f['metadata'])
    drawn = step('regions', regions.make_regions, f['mask'], SPACE, circuit)
    volumes = drawn.regions, drawn.tissue, drawn.brain
    clean = (
        f['bold'],
        f['mask'],
        made.operator,
        *volumes,
        f['confounds'],
        CircuitMaps(circuit=circuit, fwhm=FWHM),
        t_r,
        made.metadata,
    )
    done = step('clean', denoise.clean_series, *clean)
    maps = done.smoothed, done.analysis_mask
    step('seeds', connectivity.map_seeds, *maps, made.operator, done.timeseries, circuit)
    partners = drawn.grey_matter, drawn.brain, maps_of.icc_mask
    step('intrinsic', connectivity.map_intrinsic, *maps, *partners, done.metadata, drawn.sources)
    if write_denoised:
        series = done.analysis_mask, made.operator, done.cleaned, done.smoothed
        step('written', denoise.write_denoised, f['bold'], *series)
    return {'seconds': sum(steps.values()), 'steps': steps, 'peak': peak_gb()}


def circuit_of_spheres() -> Any:
    """Return a circuit whose regions are :data:`SPHERES`."""
    from pipelines.terms import circuit_of_rows

    rows = []
    for name, (x, *rest) in SPHERES.items():
        for hemisphere, sign in (('L', -1), ('R', 1)) if x else (('n/a', 1),):
            centre = ','.join(map(str, (sign * x, *rest)))
            rows.append(
                {'name': name, 'hemisphere': hemisphere, 'source': f'sphere:{centre},6', 'role': 'both'}
            )
    return circuit_of_rows(rows)


def nilearn(files: dict[str, str], chain: str, out: str, *, write_both: bool = False) -> dict[str, Any]:
    """Do the same with nilearn, given our design as confounds; without intrinsic connectivity, which it lacks.

    ``write_both`` writes the unsmoothed series as well, as ``--write-denoised`` does.
    """
    from nilearn.maskers import NiftiLabelsMasker, NiftiMasker

    design, kept = model_of(Path(chain))
    regions = nb.load(Path(chain) / 'regions' / 'regions.nii.gz')
    stack = np.asarray(regions.dataobj) > 0
    labels = nb.Nifti1Image(
        np.argmax([~stack.any(axis=-1), *np.moveaxis(stack[..., [0, 1, 3, 4]], -1, 0)], 0).astype(np.int16),
        regions.affine,
    )
    Path(out).mkdir(parents=True, exist_ok=True)
    how = {'standardize': None, 'standardize_confounds': False, 'detrend': False, 't_r': 2.0}

    def run() -> None:
        masker = NiftiMasker(files['mask'], smoothing_fwhm=FWHM, **how)
        series = masker.fit_transform(files['bold'], confounds=design, sample_mask=kept)
        seeds = NiftiLabelsMasker(labels, mask_img=files['mask'], **how)
        seeds = seeds.fit_transform(files['bold'], confounds=design, sample_mask=kept)
        left, right, left_mpfc, right_mpfc = seeds.T
        seeds = np.column_stack([left, right, left + right, left_mpfc, right_mpfc, left_mpfc + right_mpfc])
        np.savetxt(Path(out) / 'relmat.tsv', np.corrcoef(seeds.T), delimiter='\t')
        series_z, seeds_z = (
            x / x.std(axis=0) for x in (series - series.mean(axis=0), seeds - seeds.mean(axis=0))
        )
        z = np.arctanh(np.clip(seeds_z.T @ series_z / len(seeds), -1 + 1e-7, 1 - 1e-7))
        for number, row in enumerate(z):
            masker.inverse_transform(row).to_filename(Path(out) / f'seed{number}.nii.gz')
        masker.inverse_transform(series).to_filename(Path(out) / 'smoothed_bold.nii.gz')
        if write_both:
            plain = NiftiMasker(files['mask'], **how)
            series = plain.fit_transform(files['bold'], confounds=design, sample_mask=kept)
            plain.inverse_transform(series).to_filename(Path(out) / 'cleaned_bold.nii.gz')

    return {'seconds': seconds(run), 'peak': peak_gb()}


def floor(files: dict[str, str], reader: str) -> dict[str, Any]:
    """Read the file into an array of mask voxels, with nibabel or with our reader."""
    from pipelines.interfaces.images import read_masked

    mask = np.asarray(nb.load(files['mask']).dataobj) > 0
    n_volumes = nb.load(files['bold']).shape[3]
    readers = {
        'nibabel': lambda: np.asarray(nb.load(files['bold']).dataobj, np.float32)[mask].T,
        'ours': lambda: read_masked(Path(files['bold']), mask, np.ones(n_volumes, bool)),
    }
    return {'seconds': seconds(readers[reader]), 'peak': peak_gb()}


def agreement(files: dict[str, str], chain: str) -> dict[str, float]:
    """Return the median correlation of cleaned series with nilearn's: unsmoothed, and smoothed in the mask and freely."""
    from nilearn.maskers import NiftiMasker

    design, kept = model_of(Path(chain))
    mask = Path(chain) / 'clean' / 'mask.nii.gz'
    with np.load(Path(chain) / 'design' / 'operator.npz') as archive:
        expand = archive['expand'].astype(np.float32)
    found: dict[str, float] = {}
    for name, fwhm in (('cleaned', None), ('smoothed', FWHM)):
        masker = NiftiMasker(mask, smoothing_fwhm=fwhm, standardize=None, standardize_confounds=False)
        theirs = masker.fit_transform(files['bold'], confounds=design, sample_mask=kept)
        series = expand @ np.load(Path(chain) / 'clean' / f'{name}.npy')
        r = [np.corrcoef(a, b)[0, 1] for a, b in zip(series.T, theirs.T)]
        found |= {name: float(np.median(r)), f'{name}_p01': float(np.quantile(r, 0.01))}
    return found


def model_of(chain: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return our design (T, P) and the numbers of kept volumes, as nilearn takes them."""
    design = pd.read_csv(chain / 'design' / 'design.tsv', sep='\t').to_numpy()
    left_out = pd.read_csv(chain / 'design' / 'outliers.tsv', sep='\t').to_numpy()
    return design, np.flatnonzero(~left_out.any(axis=1))
