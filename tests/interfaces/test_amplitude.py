"""ALFF and fALFF of a run on disk."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from scipy import signal

from pipelines.errors import DataError
from pipelines.interfaces.amplitude import amplitude_maps
from pipelines.interfaces.denoise import read_scan
from pipelines.interfaces.design import make_design
from pipelines.interfaces.stages import CleanRun
from pipelines.numerics.amplitude import fluctuation_amplitudes
from pipelines.numerics.smooth import smooth_in_mask
from pipelines.params import DenoiseParams

T_R = 2.0


def maps_of(files, params, fwhm, folder, band=None):
    made = make_design(
        files.bold, files.confounds, params, T_R, 'run', confounds_metadata=files.metadata, out_dir=folder
    )
    edges = band or params.band
    scan, _ = read_scan(files.bold, files.mask, made.operator)
    model = files.bold, made.design, made.outliers
    found = amplitude_maps(scan, model, T_R, fwhm, edges, out_dir=folder)
    return made, found


@pytest.mark.parametrize('denoising', ['acompcor', 'conn', 'none'])
def test_equals_the_spectrum_of_what_regression_leaves(denoising, tmp_path, write_run):
    files = write_run()
    params = DenoiseParams(denoising=denoising)
    made, found = maps_of(files, params, 0, tmp_path)
    design = pd.read_csv(made.design, sep='\t')
    model = design[[name for name in design if not name.startswith('stop_band')]].to_numpy()
    kept = pd.read_csv(made.outliers, sep='\t').sum(axis=1).to_numpy() == 0
    assert kept.all()  # so that the periodogram of scipy is the answer
    series = nb.load(files.bold).get_fdata().reshape(-1, len(kept)).T
    rest = series - model @ np.linalg.lstsq(model, series, rcond=None)[0]
    known, power = signal.periodogram(rest, 1 / T_R, detrend=False, scaling='spectrum', axis=0)
    amplitude = np.sqrt(power)
    inside = (known >= params.high_pass) & (known <= params.low_pass)
    alff = amplitude[inside].mean(axis=0)
    shares = amplitude[inside].sum(axis=0) / amplitude[(known > 0) & (known <= 0.25)].sum(axis=0)
    # maps are float32 and the design on disk has eight digits
    np.testing.assert_allclose(nb.load(found.alff).get_fdata().ravel(), alff / alff.mean(), rtol=2e-4)
    np.testing.assert_allclose(nb.load(found.falff).get_fdata().ravel(), shares, rtol=2e-4)


def test_smoothing_and_scrubbing_are_those_of_the_other_maps(tmp_path, write_run):
    files = write_run()
    table = pd.read_csv(files.confounds, sep='\t')
    table.loc[[50, 51, 120], 'framewise_displacement'] = 2.0
    table.to_csv(files.confounds, sep='\t', index=False, na_rep='n/a')
    made, found = maps_of(files, DenoiseParams(), 6, tmp_path)
    assert pd.read_csv(made.outliers, sep='\t')['motion'].sum() == 3
    alff, falff = (nb.load(path).get_fdata() for path in found)
    assert alff[alff != 0].mean() == pytest.approx(1, abs=1e-5)
    assert 0 < falff.min() < falff.max() < 1
    # smoothing volumes first and cleaning them then comes to the same
    image = nb.load(files.bold)
    mask = nb.load(files.mask).get_fdata() > 0
    volumes = image.get_fdata()[mask].T.astype(np.float32)
    smooth = smooth_in_mask(volumes - volumes.mean(axis=0), mask, image.header.get_zooms()[:3], 6.0)
    design = pd.read_csv(made.design, sep='\t')
    model = design[[name for name in design if not name.startswith('stop_band')]].to_numpy()
    kept = pd.read_csv(made.outliers, sep='\t').sum(axis=1).to_numpy() == 0
    rest = smooth[kept] - model[kept] @ np.linalg.lstsq(model[kept], smooth[kept], rcond=None)[0]
    expected = fluctuation_amplitudes(rest, np.eye(len(rest)), kept, T_R, (0.008, 0.09))
    np.testing.assert_allclose(falff[mask], expected.falff, rtol=1e-3)  # single precision
    np.testing.assert_allclose(alff[mask], expected.alff / expected.alff.mean(), rtol=1e-3)


def test_a_band_between_two_frequencies_is_told_with_the_run(tmp_path, write_run):
    files = write_run()
    with pytest.raises(DataError, match=r'b\.nii\.gz: no frequency of 240 volumes .* Widen --high-pass'):
        maps_of(files, DenoiseParams(), 0, tmp_path, band=(0.0101, 0.0102))


def test_interface_takes_a_band():
    made = CleanRun(band=(0.008, 0.09), space='MNI152NLin6Asym')
    assert made.inputs.band == (0.008, 0.09)
