"""Confounds: names, JSON, values against independent computations."""

import json

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.interfaces.confounds import collect_confounds, make_noise_masks
from pipelines.interfaces.transforms import write_linear
from pipelines.numerics.confounds import count_non_steady, dvars, expand, noise_mask, pure_tissue

SHAPE, N, T_R, DUMMY = (12, 12, 10), 90, 2.0, 2
AFFINE = np.diag([3.0, 3, 3, 1])


@pytest.fixture
def run(tmp_path, rng):
    """Return the files of a noisy run with a jump at volume 50."""
    data = (1000 + 10 * rng.standard_normal((*SHAPE, N))).astype(np.float32)
    data[..., 50] += 40 * rng.standard_normal(SHAPE)
    data[..., :DUMMY] += 500
    masks = {name: np.zeros(SHAPE, np.uint8) for name in ('brain', 'wm', 'csf')}
    masks['brain'][1:-1, 1:-1, 1:-1] = 1
    masks['wm'][2:5, 2:8, 2:8] = 1
    masks['csf'][7:10, 2:8, 2:8] = 1
    data[masks['csf'] > 0] += 20 * np.sin(np.arange(N))
    for name, values in {**masks, 'bold': data}.items():
        nb.save(nb.Nifti1Image(values, AFFINE), tmp_path / f'{name}.nii')
    motion = np.repeat(np.eye(4)[None], N, axis=0)
    motion[50, 0, 3] = 2
    np.save(tmp_path / 'motion.npy', motion)
    return tmp_path, data, masks


def _collect(folder, n_dummy=DUMMY):
    files = [folder / f'{name}.nii' for name in ('bold', 'brain', 'wm', 'csf')]
    return collect_confounds(*files, folder / 'motion.npy', T_R, n_dummy, out_dir=folder)


@pytest.fixture
def collected(run):
    folder, data, masks = run
    result = _collect(folder)
    table = pd.read_csv(result.confounds, sep='\t', na_values='n/a')
    return table, json.loads(result.confounds_metadata.read_text()), result.summary, data, masks


def test_names_of_fmriprep(collected):
    table, metadata, *_ = collected
    expected = ['std_dvars', 'dvars', 'framewise_displacement', 'rmsd', 'cosine00', 'a_comp_cor_00']
    expected += ['c_comp_cor_00', 'w_comp_cor_00', 'non_steady_state_outlier01', 'motion_outlier00']
    for name in ('csf', 'white_matter', 'global_signal', 'trans_x', 'rot_z'):
        expected += [name, f'{name}_derivative1', f'{name}_power2', f'{name}_derivative1_power2']
    assert set(expected) <= set(table)
    assert len(table) == N
    keys = {'Method', 'Mask', 'SingularValue', 'VarianceExplained', 'CumulativeVarianceExplained', 'Retained'}
    for name in table.filter(like='comp_cor'):
        assert set(metadata[name]) == keys
    assert {metadata[f'{p}_comp_cor_00']['Mask'] for p in 'acw'} == {'combined', 'CSF', 'WM'}


def test_signals_are_means_of_masks(collected):
    table, _, _, data, masks = collected
    # float32 data, means in double precision
    for name, mask in (('csf', 'csf'), ('white_matter', 'wm'), ('global_signal', 'brain')):
        np.testing.assert_allclose(table[name], data[masks[mask] > 0].mean(axis=0), rtol=1e-5)


def test_components_find_the_planted_wave(collected):
    """A sine fifty times the power of what noise leaves: 0.98 of it is in the first component."""
    table, *_ = collected
    wave = np.sin(np.arange(N))
    assert abs(np.corrcoef(table['c_comp_cor_00'][DUMMY:], wave[DUMMY:])[0, 1]) > 0.98
    assert (table['c_comp_cor_00'][:DUMMY] == 0).all()
    assert (table['cosine00'][:DUMMY] == 0).all()


def test_jump_is_an_outlier(collected):
    table, _, summary, *_ = collected
    flagged = table.filter(like='motion_outlier').sum(axis=1)
    assert flagged[50] == flagged[51] == 1
    assert summary['MotionOutliers'] == flagged.sum()
    assert summary['MaxFD'] == pytest.approx(2)
    assert np.isnan(table['framewise_displacement'][0])


def test_refuses_a_run_without_steady_volumes(run):
    with pytest.raises(DataError, match='--dummy-scans'):
        _collect(run[0], n_dummy=N - 1)


def test_dvars_equals_nipype(run, monkeypatch):
    """nipype's function with the lag-1 coefficient of numpy's correlate."""
    from nipype.algorithms import confounds

    def lag_one(x, order):
        return np.correlate(x[1:], x[:-1])[0] / np.dot(x, x)

    monkeypatch.setattr(confounds, '_AR_est_YW', lag_one)
    folder, data, masks = run
    standard, plain, _ = confounds.compute_dvars(
        folder / 'bold.nii', folder / 'brain.nii', remove_zerovariance=True
    )
    got = dvars(data[masks['brain'] > 0].T)
    # nipype works in float32
    np.testing.assert_allclose(got[0][1:], standard, rtol=1e-4)
    np.testing.assert_allclose(got[1][1:], plain, rtol=1e-4)


def test_noise_masks_keep_off_grey_matter(tmp_path):
    """Slabs on a 1 mm grid, read by a 2 mm BOLD grid that lies 4 mm further left."""
    shape, fine = (60, 20, 20), np.eye(4)
    slabs = {'csf': slice(0, 20), 'gm': slice(20, 30), 'wm': slice(30, 60)}
    for name, slab in slabs.items():
        values = np.zeros(shape, np.float32)
        values[slab] = 1
        nb.save(nb.Nifti1Image(values, fine), tmp_path / f'{name}.nii')
    nb.save(nb.Nifti1Image(np.ones((30, 10, 10), np.uint8), np.diag([2.0, 2, 2, 1])), tmp_path / 'mask.nii')
    shift = np.eye(4)
    shift[0, 3] = -4
    xfm = write_linear(tmp_path / 'x.txt', shift)
    sources = [tmp_path / f'{name}.nii' for name in ('gm', 'wm', 'csf')]
    found = make_noise_masks(*sources, tmp_path / 'mask.nii', xfm, out_dir=tmp_path)
    for path, slab in ((found.wm_mask, slabs['wm']), (found.csf_mask, slabs['csf'])):
        x = 2 * np.argwhere(nb.load(path).get_fdata())[:, 0] + 4
        assert len(x)
        assert x.min() >= slab.start + 3 * (slab.start > 0)
        assert x.max() <= slab.stop - 3 * (slab.stop < 60)
    assert found.noise_voxels['WM'] > 500


def test_expansion_and_steady_state():
    columns = expand({'x': np.array([1.0, 4, 2])})
    np.testing.assert_array_equal(columns['x_derivative1'], [np.nan, 3, -2])
    np.testing.assert_array_equal(columns['x_power2'], [1, 16, 4])
    assert count_non_steady(np.full(10, 5.0)) == 0
    assert count_non_steady(np.r_[150, 100 + np.sin(np.arange(30.0))]) == 1


def test_scarce_tissue_takes_the_best_voxels():
    mask = noise_mask(np.linspace(0, 0.9, 50), np.ones(50, bool), minimum=10)
    np.testing.assert_array_equal(np.flatnonzero(mask), np.arange(40, 50))
    assert not pure_tissue(np.ones((3, 3, 3)), np.ones((3, 3, 3)), np.ones(3)).any()
