"""From files to cleaned series: refusals, volumes left out, and recovery of a planted correlation."""

import json

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError, DegreesOfFreedomError
from pipelines.interfaces import denoise
from pipelines.interfaces.connectivity import map_intrinsic, map_seeds
from pipelines.interfaces.regions import LABELS
from pipelines.numerics.seed import fisher_z_se
from pipelines.params import FunctionalParams

T_R = 2.0
SHAPE = (8, 8, 6)
REAL = 'confounds/aomic-piop2/sub-0001/func/sub-0001_task-restingstate_acq-seq_desc-confounds_regressors'


def write_run(folder, rng, n_volumes=240, planted=0.5, confounds=None):
    """Write a small run: slab regions with a planted correlation, confounds loaded on every voxel."""
    stack = np.zeros((6, *SHAPE), bool)
    for place, label in ((0, 0), (1, 1), (4, 3), (5, 4)):
        stack[label, place] = True
    stack[2], stack[5] = stack[0] | stack[1], stack[3] | stack[4]
    shared = rng.standard_normal((2, n_volumes))
    nac = shared[0]
    mpfc = planted * shared[0] + np.sqrt(1 - planted**2) * shared[1]
    data = 0.5 * rng.standard_normal((*SHAPE, n_volumes))
    data[stack[2]] += nac
    data[stack[5]] += mpfc
    if confounds is None:
        confounds = pd.DataFrame(
            0.001 * rng.standard_normal((n_volumes, 12)),
            columns=[m + s for s in ('', '_derivative1') for m in denoise.clean.MOTION],
        )
        for number in range(10):
            confounds[f'a_comp_cor_{number:02d}'] = rng.standard_normal(n_volumes)
        confounds['global_signal'] = rng.standard_normal(n_volumes)
        confounds['framewise_displacement'] = 0.1
    data += confounds.iloc[:, 0].to_numpy() * 2000
    image = nb.Nifti1Image((1000 + 10 * data).astype(np.float32), np.diag([3, 3, 3, 1]))
    image.header.set_zooms((3, 3, 3, T_R))
    files = {name: folder / name for name in ('bold.nii.gz', 'mask.nii', 'regions.nii', 'c.tsv', 'c.json')}
    nb.save(image, files['bold.nii.gz'])
    nb.save(nb.Nifti1Image(np.ones(SHAPE, np.uint8), image.affine), files['mask.nii'])
    nb.save(nb.Nifti1Image(np.moveaxis(stack, 0, -1).astype(np.uint8), image.affine), files['regions.nii'])
    confounds.to_csv(files['c.tsv'], sep='\t', index=False, na_rep='n/a')
    masks = {f'a_comp_cor_{i:02d}': {'Mask': ('CSF', 'WM')[i % 2]} for i in range(10)}
    files['c.json'].write_text(json.dumps(masks))
    return list(files.values()), (nac, mpfc)


def run_chain(folder, files, params):
    bold, mask, regions, table, metadata = files
    design = denoise.make_design(bold, table, metadata, params, T_R, out_dir=folder)
    cleaned = denoise.clean_series(
        bold,
        mask,
        design.operator,
        regions,
        mask,
        mask,
        table,
        params.fwhm,
        T_R,
        design.metadata,
        out_dir=folder,
    )
    return design, cleaned


def test_planted_correlation_is_recovered(tmp_path, rng):
    """50 runs: z of the region means against z of the planted series after the same projection.

    The noise of a region mean (SD 0.5 / sqrt(96)) biases z by under 0.5 %; each error stays below
    3 SE and their mean below 2 SE / sqrt(50).
    """
    params = FunctionalParams(fwhm=0)
    errors = []
    for _ in range(50):
        files, planted = write_run(tmp_path, rng)
        design, cleaned = run_chain(tmp_path, files, params)
        matrix = np.load(design.operator)['matrix']
        truth = np.arctanh(np.corrcoef(matrix @ np.transpose(planted), rowvar=False)[0, 1])
        maps = map_seeds(cleaned.smoothed, cleaned.analysis_mask, cleaned.timeseries, out_dir=tmp_path)
        relmat = pd.read_csv(maps.relmat, sep='\t', index_col='node')
        errors.append(relmat.loc['NAc', 'mPFC'] - truth)
    se = fisher_z_se(design.metadata['DegreesOfFreedom'])
    assert np.abs(errors).max() < 3 * se
    assert abs(np.mean(errors)) < 2 * se / np.sqrt(50)


def test_nothing_planted_gives_nothing(tmp_path, rng):
    files, _ = write_run(tmp_path, rng, planted=0.0)
    design, cleaned = run_chain(tmp_path, files, FunctionalParams(fwhm=0))
    maps = map_seeds(cleaned.smoothed, cleaned.analysis_mask, cleaned.timeseries, out_dir=tmp_path)
    z = pd.read_csv(maps.relmat, sep='\t', index_col='node').loc['NAc', 'mPFC']
    assert abs(z) < 3 * fisher_z_se(design.metadata['DegreesOfFreedom'])


def test_degrees_of_freedom_are_counted(tmp_path, rng):
    """79 cosines in the band, 22 confounds, 1 trend: 56 remain."""
    files, _ = write_run(tmp_path, rng)
    design, _ = run_chain(tmp_path, files, FunctionalParams())
    assert design.metadata['DegreesOfFreedom'] == 56
    assert design.metadata['Flags'] == []


def test_seed_maps_equal_correlation_of_saved_series(tmp_path, rng):
    files, _ = write_run(tmp_path, rng)
    _, cleaned = run_chain(tmp_path, files, FunctionalParams(fwhm=6))
    maps = map_seeds(cleaned.smoothed, cleaned.analysis_mask, cleaned.timeseries, out_dir=tmp_path)
    series, table = np.load(cleaned.smoothed), pd.read_csv(cleaned.timeseries, sep='\t')
    expected = np.arctanh(np.corrcoef(series.T, table['NAcL'])[-1, :-1])
    got = nb.load(maps.seed_maps[LABELS.index('NAcL')]).get_fdata().ravel()
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_intrinsic_map_equals_brute_force(tmp_path, rng):
    files, _ = write_run(tmp_path, rng)
    design, cleaned = run_chain(tmp_path, files, FunctionalParams(fwhm=4))
    made = map_intrinsic(
        cleaned.smoothed, cleaned.analysis_mask, files[1], 'gm', cleaned.metadata, out_dir=tmp_path
    )
    r = np.corrcoef(np.load(cleaned.smoothed).astype(float).T)
    got = nb.load(made.icc).get_fdata().ravel()
    np.testing.assert_allclose(got, np.sqrt(np.mean(r**2, axis=1)), atol=1e-5)
    qc = json.loads(made.qc.read_text())
    assert qc['ICCNoiseFloor'] == pytest.approx(1 / np.sqrt(design.metadata['DegreesOfFreedom']))
    assert {'NVolumes', 'NKept', 'DegreesOfFreedom', 'MeanFD', 'NVoxels', 'Preset', 'Flags'} <= set(qc)


def test_short_run_is_refused_with_its_numbers(tmp_path, rng):
    files, _ = write_run(tmp_path, rng, n_volumes=100)
    with pytest.raises(
        DegreesOfFreedomError, match=r'100 of 100 volumes.*10 degrees of freedom.*20 are needed'
    ):
        run_chain(tmp_path, files, FunctionalParams())


def test_wrong_number_of_rows_names_both(tmp_path, rng):
    files, _ = write_run(tmp_path, rng)
    pd.read_csv(files[3], sep='\t').iloc[:-2].to_csv(files[3], sep='\t', index=False)
    with pytest.raises(DataError, match='238 rows, but the series has 240'):
        run_chain(tmp_path, files, FunctionalParams())


def test_missing_column_names_file_and_preset(tmp_path, rng):
    files, _ = write_run(tmp_path, rng)
    pd.read_csv(files[3], sep='\t').drop(columns='rot_y').to_csv(files[3], sep='\t', index=False)
    with pytest.raises(DataError, match=r'c.tsv lacks rot_y, which --denoising acompcor'):
        run_chain(tmp_path, files, FunctionalParams())


@pytest.mark.real
def test_real_confounds_give_a_plausible_design(tmp_path, rng, test_data):
    """A real table with n/a in its first row: finite design, high-motion volumes left out."""
    stem = test_data / REAL
    table = pd.read_csv(f'{stem}.tsv', sep='\t', na_values=['n/a'])
    files, _ = write_run(tmp_path, rng, confounds=table.fillna(0))
    files[3:] = [stem.with_name(stem.name + '.tsv'), stem.with_name(stem.name + '.json')]
    design = denoise.make_design(files[0], *files[3:], FunctionalParams(), T_R, out_dir=tmp_path)
    fd = table['framewise_displacement'].to_numpy()
    assert design.metadata['NKept'] == 240 - np.sum(fd > 0.5)
    assert design.metadata['MeanFD'] == pytest.approx(np.nanmean(fd))
    assert np.isfinite(np.load(design.operator)['matrix']).all()


@pytest.mark.parametrize('preset', ['none', '24p', 'conn', 'gsr'])
def test_every_preset_runs(tmp_path, rng, preset):
    files, _ = write_run(tmp_path, rng)
    table = pd.read_csv(files[3], sep='\t')
    for name in [*table.columns[:12]]:
        table[f'{name}_power2'] = table[name] ** 2
    table.to_csv(files[3], sep='\t', index=False)
    design, _ = run_chain(tmp_path, files, FunctionalParams(denoising=preset, fwhm=0))
    dof = design.metadata['DegreesOfFreedom']
    assert dof == {'none': 78, '24p': 54, 'gsr': 55}.get(preset, dof)
    assert 40 < dof < 80


def test_dummy_scans_override_the_table(tmp_path, rng):
    files, _ = write_run(tmp_path, rng)
    design, _ = run_chain(tmp_path, files, FunctionalParams(dummy_scans=5, fwhm=0))
    assert design.metadata['NKept'] == 235


def test_constant_voxels_leave_the_analysis(tmp_path, rng):
    files, _ = write_run(tmp_path, rng)
    image = nb.load(files[0])
    data = image.get_fdata()
    data[3, 3] = 7.0
    nb.save(nb.Nifti1Image(data.astype(np.float32), image.affine, image.header), files[0])
    _, cleaned = run_chain(tmp_path, files, FunctionalParams())
    assert np.asarray(nb.load(cleaned.analysis_mask).dataobj).sum() == np.prod(SHAPE) - 6
    assert np.isfinite(np.load(cleaned.smoothed)).all()
