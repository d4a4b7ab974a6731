"""From files to cleaned series and maps: recovery of a planted correlation, and oracles of every map."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces import denoise
from pipelines.interfaces.connectivity import map_intrinsic, map_seeds, region_matrix
from pipelines.numerics.seed import fisher_z_se
from pipelines.numerics.smooth import smooth_in_mask
from pipelines.terms import default_circuit

from .conftest import SHAPE

CIRCUIT = default_circuit()
LABELS = list(CIRCUIT.regions)


def load(path):
    with np.load(path) as archive:
        return dict(archive)


def seeds(made, cleaned, folder):
    return map_seeds(
        cleaned.smoothed, cleaned.analysis_mask, made.operator, cleaned.timeseries, CIRCUIT, out_dir=folder
    )


def intrinsic(files, cleaned, folder, icc_mask='gm'):
    return map_intrinsic(
        cleaned.smoothed, cleaned.analysis_mask, files.mask, files.mask, icc_mask, cleaned.metadata,
        {'Space': 'S'}, out_dir=folder,
    )  # fmt: skip


def outcome(maps):
    return pd.read_csv(maps.relmat, sep='\t', index_col='node').loc['NAc', 'mPFC']


def masked(files):
    return nb.load(files.bold).get_fdata().reshape(-1, 240).T


def test_halves_are_those_of_the_series(tmp_path, write_run, run_chain):
    """Correlations of numpy over each half of the volumes kept; their mean is near that of the run."""
    made, cleaned = run_chain(write_run())
    maps = seeds(made, cleaned, tmp_path)
    series = pd.read_csv(cleaned.timeseries, sep='\t')
    half = len(series) // 2
    for path, part in ((maps.half1, series[:half]), (maps.half2, series[-half:])):
        found = pd.read_csv(path, sep='\t', index_col='node', na_values='n/a')
        assert list(found) == list(found.index) == LABELS
        expected = np.arctanh(np.corrcoef(part['NAcL'], part['mPFCR'])[0, 1])
        assert found.loc['NAcL', 'mPFCR'] == pytest.approx(expected, abs=1e-6)
        assert np.isnan(np.diag(found)).all()


def test_planted_correlation_is_recovered(tmp_path, write_run, run_chain):
    """50 runs: z of the region means against z of the planted series after the same projection.

    The noise of a region mean (SD 0.5 / sqrt(96)) biases z by under 0.5 %; each error stays below
    3 SE and their mean below 2 SE / sqrt(50).
    """
    errors = []
    for _ in range(50):
        files = write_run()
        made, cleaned = run_chain(files)
        reduced = load(made.operator)['reduce'] @ files.planted.T
        truth = np.arctanh(np.sum(reduced[:, 0] * reduced[:, 1]) / np.prod(np.linalg.norm(reduced, axis=0)))
        errors.append(outcome(seeds(made, cleaned, tmp_path)) - truth)
    se = fisher_z_se(made.metadata['DegreesOfFreedom'])
    assert np.abs(errors).max() < 3 * se
    assert abs(np.mean(errors)) < 2 * se / np.sqrt(50)


def test_nothing_planted_gives_nothing(tmp_path, write_run, run_chain):
    made, cleaned = run_chain(write_run(planted=0.0))
    z = outcome(seeds(made, cleaned, tmp_path))
    assert abs(z) < 3 * fisher_z_se(made.metadata['DegreesOfFreedom'])


@pytest.mark.parametrize('preset', ['acompcor', 'conn'])
def test_seed_maps_equal_correlations_of_the_whole_series(tmp_path, write_run, run_chain, preset):
    """Brute force in float64 from the raw file: clean T rows, smooth volume by volume, correlate."""
    files = write_run()
    made, cleaned = run_chain(files, fwhm=6, denoising=preset)
    factors = load(made.operator)
    series = factors['expand'] @ (factors['reduce'] @ masked(files))
    smooth = smooth_in_mask(series.astype(np.float32), np.ones(SHAPE, bool), (3, 3, 3), 6)
    seed = series[:, np.asarray(nb.load(files.regions).dataobj)[..., 0].ravel() > 0].mean(axis=1)
    expected = np.arctanh(np.corrcoef(smooth.T, seed)[-1, :-1])
    got = nb.load(seeds(made, cleaned, tmp_path).seed_maps[LABELS.index('NAcL')]).get_fdata().ravel()
    np.testing.assert_allclose(got, expected, atol=2e-4)  # float32 series


@pytest.mark.parametrize('icc_mask', ['gm', 'brain'])
def test_intrinsic_map_equals_brute_force(tmp_path, write_run, run_chain, icc_mask):
    files = write_run()
    made, cleaned = run_chain(files, fwhm=4)
    found = intrinsic(files, cleaned, tmp_path, icc_mask)
    series = load(made.operator)['expand'] @ np.load(cleaned.smoothed).astype(float)
    r = np.corrcoef(series.T)
    np.testing.assert_allclose(
        nb.load(found.icc).get_fdata().ravel(), np.sqrt(np.mean(r**2, axis=1)), atol=1e-5
    )
    qc = found.metadata
    assert qc['ICCNoiseFloor'] == pytest.approx(1 / np.sqrt(made.metadata['DegreesOfFreedom']))
    assert (qc['ICCMask'], qc['ICCComponents'], qc['TemplateMaskOverlap']) == (icc_mask, 'all', 1.0)
    assert {'NVolumes', 'NKept', 'DegreesOfFreedom', 'MeanFD', 'NVoxels', 'Preset', 'Flags'} <= set(qc)


def test_conn_keeps_64_components(tmp_path, write_run, run_chain):
    """CONN's truncation against numpy's singular value decomposition of the partners."""
    files = write_run()
    _, cleaned = run_chain(files, fwhm=4, denoising='conn')
    found = intrinsic(files, cleaned, tmp_path)
    series = np.load(cleaned.smoothed).astype(float)
    unit = series / np.linalg.norm(series, axis=0)
    left, singular, _ = np.linalg.svd(unit, full_matrices=False)
    expected = np.sqrt(((singular[:64, None] * left[:, :64].T @ unit) ** 2).sum(axis=0) / unit.shape[1])
    np.testing.assert_allclose(nb.load(found.icc).get_fdata().ravel(), expected, atol=1e-5)
    assert found.metadata['ICCComponents'] == 64


@pytest.mark.parametrize('preset', ['none', '24p', 'conn', 'gsr'])
def test_every_preset_runs(tmp_path, write_run, run_chain, preset):
    made, cleaned = run_chain(write_run(), denoising=preset, fwhm=0)
    assert np.isfinite(outcome(seeds(made, cleaned, tmp_path)))


def test_constant_voxels_leave_the_analysis(write_run, run_chain):
    files = write_run()
    image = nb.load(files.bold)
    data = image.get_fdata()
    data[3, 3] = 7.0
    nb.save(nb.Nifti1Image(data.astype(np.float32), image.affine, image.header), files.bold)
    _, cleaned = run_chain(files, fwhm=6)
    assert np.asarray(nb.load(cleaned.analysis_mask).dataobj).sum() == np.prod(SHAPE) - 6
    assert np.isfinite(np.load(cleaned.smoothed)).all()


def test_region_without_signal_is_missing_not_zero(tmp_path, write_run, run_chain):
    """A region outside the mask: missing in series and matrix, and the bilateral one with it."""
    files = write_run()
    image = nb.load(files.mask)
    mask = np.asarray(image.dataobj).copy()
    mask[0] = 0
    nb.save(nb.Nifti1Image(mask, image.affine), files.mask)
    made, cleaned = run_chain(files)
    assert 'dropout_NAcL' in cleaned.metadata['Flags']
    assert pd.read_csv(cleaned.timeseries, sep='\t')[['NAcL', 'NAc']].isna().all().all()
    matrix = pd.read_csv(seeds(made, cleaned, tmp_path).relmat, sep='\t', index_col='node')
    assert matrix['NAcL'].isna().all()
    assert np.isfinite(matrix.loc['NAcR', 'mPFC'])
    assert 'n/a' in (tmp_path / 'relmat.tsv').read_text()


def test_bilateral_region_is_the_average_of_its_sides(write_run, run_chain):
    _, cleaned = run_chain(write_run())
    table = pd.read_csv(cleaned.timeseries, sep='\t')
    np.testing.assert_allclose(table['NAc'], (table['NAcL'] + table['NAcR']) / 2, atol=1e-6)


def test_region_matrix_is_symmetric_and_empty_on_the_diagonal(rng):
    series = rng.standard_normal((60, 6))
    matrix = region_matrix(pd.DataFrame(series, columns=LABELS)).to_numpy()
    assert np.isnan(np.diag(matrix)).all()
    away = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(matrix[away], np.arctanh(np.corrcoef(series.T)[away]), atol=1e-12)


def test_written_series_can_be_analysed_again(tmp_path, write_run, run_chain):
    """Every map follows from the series that --write-denoised keeps, and its grid from the header."""
    files = write_run()
    made, cleaned = run_chain(files, fwhm=5)
    kept = denoise.write_denoised(
        files.bold, cleaned.analysis_mask, made.operator, cleaned.cleaned, cleaned.smoothed, out_dir=tmp_path
    )
    plain, smooth = (nb.load(path) for path in kept)
    assert plain.shape == (*SHAPE, 240)
    assert plain.header.get_zooms()[3] == pytest.approx(2.0)
    stack = np.asarray(nb.load(files.regions).dataobj) > 0
    seed = plain.get_fdata()[stack[..., 2]].mean(axis=0)
    z = np.arctanh(np.corrcoef(smooth.get_fdata().reshape(-1, 240), seed)[-1, :-1])
    got = nb.load(seeds(made, cleaned, tmp_path).seed_maps[LABELS.index('NAc')]).get_fdata().ravel()
    np.testing.assert_allclose(got, z, atol=2e-4)


def test_carpet_keeps_the_scale_of_the_raw_series(write_run, run_chain):
    """Both halves are in units of the voxel's SD before denoising, so what was removed is seen."""
    _, cleaned = run_chain(write_run(n_volumes=200))
    carpet = load(cleaned.carpet)
    before, after = carpet['before'].astype(float), carpet['after'].astype(float)
    np.testing.assert_allclose(before.std(axis=1), 1, atol=1e-2)
    share = after.std(axis=1)
    assert (share < 1).all()
    assert 0.1 < share.mean() < 0.8
    assert carpet['kept'].all()
