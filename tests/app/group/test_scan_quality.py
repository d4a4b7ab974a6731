"""Tables of the quality of all scans, as MRIQC's users know them."""

import csv
import json

from bids_app.group.scan_quality import BOLD, DWI, T1W, write_scan_quality

FACTS = {
    'NVolumes': 200, 'NKept': 180, 'NLeftOut': {'non_steady_state': 3, 'motion': 17}, 'SecondsKept': 360.0,
    'RepetitionTime': 2.0, 'DegreesOfFreedom': 60.5, 'Flags': ['short', 'dropout_mPFCL'],
    'ImageQuality': {'fd_mean': 0.21, 'fd_num': 40, 'fd_perc': 20.0, 'dvars_std': None, 'tsnr': 55.5, 'gcor': 0.012},
}  # fmt: skip


def write(root, stem, **facts):
    folder = root / stem.split('_')[0] / 'ses-a' / 'func'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{stem}_desc-denoise_qc.json').write_text(json.dumps(facts))
    lines = [
        'region\tn_voxels\tcoverage\ttsnr\tsignal_ratio\tflags',
        'NAcL\t9\t0.9\t40\t1\tn/a',
        'mPFCL\t9\t0.6\tn/a\t0.4\tdropout',
    ]
    (folder / f'{stem}_space-S_atlas-A_coverage.tsv').write_text('\n'.join(lines) + '\n')


def read(path):
    with path.open(newline='') as file:
        return list(csv.DictReader(file, delimiter='\t'))


def test_every_run_has_a_row(tmp_path):
    write(tmp_path, 'sub-01_ses-a_task-rest', **FACTS)
    write(tmp_path, 'sub-02_ses-a_task-rest_run-2', **{**FACTS, 'Flags': [], 'ImageQuality': {}})
    (tmp_path / 'group').mkdir()
    write_scan_quality(tmp_path, tmp_path / 'group')
    first, second = read(tmp_path / 'group' / 'group_bold.tsv')
    assert list(first) == ['bids_name', *(column.name for column in BOLD)]
    assert first['bids_name'] == 'sub-01_ses-a_task-rest_bold'
    wanted = {
        'fd_mean': '0.21', 'fd_num': '40', 'fd_perc': '20.0', 'dvars_std': 'n/a', 'tsnr': '55.5', 'gcor': '0.012',
        'size_t': '200', 'dummy_trs': '3', 'n_kept': '180', 'dof': '60.5', 'dropout': 'mPFCL', 'coverage_min': '0.6',
        'tsnr_min': '40.0', 'flags': 'short dropout_mPFCL',
    }  # fmt: skip
    assert wanted.items() <= first.items()
    assert second['bids_name'] == 'sub-02_ses-a_task-rest_run-2_bold'
    assert (second['tsnr'], second['fd_num'], second['flags']) == ('n/a', 'n/a', 'n/a')
    assert set(json.loads((tmp_path / 'group' / 'group_bold.json').read_text())) == set(first)
    assert not (tmp_path / 'group' / 'group_dwi.tsv').exists()


def test_diffusion_has_a_table_of_its_own(tmp_path):
    folder = tmp_path / 'sub-01' / 'ses-a' / 'dwi'
    folder.mkdir(parents=True)
    facts = {
        'BestConvention': 'none',
        'MeanFD': 0.4,
        'OutlierSlices': 3,
        'B0SNR': 21.5,
        'NumberOfVolumes': 70,
        'NumberOfB0': 6,
        'NumberOfDirections': 64,
        'SusceptibilityDistortionCorrection': 'none',
        'Flags': ['no_sdc'],
    }
    (folder / 'sub-01_ses-a_space-T1w_model-tensor_param-fa_dwimap.json').write_text(json.dumps(facts))
    (tmp_path / 'group').mkdir()
    write_scan_quality(tmp_path, tmp_path / 'group')
    (row,) = read(tmp_path / 'group' / 'group_dwi.tsv')
    assert list(row) == ['bids_name', *(column.name for column in DWI)]
    assert (row['bids_name'], row['snr_b0'], row['n_b0'], row['sdc']) == (
        'sub-01_ses-a_dwi',
        '21.5',
        '6',
        'none',
    )
    assert not (tmp_path / 'group' / 'group_bold.tsv').exists()


def test_an_anatomy_of_ours_tells_which_regions_may_lie_elsewhere(tmp_path):
    """One that was judged has a row; smallest values skip what is n/a."""
    folder = tmp_path / 'sub-01' / 'anat'
    folder.mkdir(parents=True)
    lines = [
        'region\tcorrelation\trelative_volume\tflags',
        'NAcL\t0.95\t0.8\tn/a',
        'NAcR\t0.61\t0.9\tplacement',
        'OwnL\tn/a\tn/a\tn/a',
    ]
    stem = folder / 'sub-01_space-S_atlas-A_placement'
    stem.with_suffix('.tsv').write_text('\n'.join(lines) + '\n')
    stem.with_suffix('.json').write_text(json.dumps({'PlacementLimits': {'correlation': 0.9}}))
    facts = {'TemplateCorrelation': 0.74, 'MaskDice': 0.98}
    (folder / 'sub-01_desc-preproc_T1w.json').write_text(json.dumps(facts))
    other = tmp_path / 'sub-02' / 'anat'
    other.mkdir(parents=True)
    (other / 'sub-02_desc-preproc_T1w.json').write_text(json.dumps(facts))
    (tmp_path / 'group').mkdir()
    write_scan_quality(tmp_path, tmp_path / 'group')
    (row,) = read(tmp_path / 'group' / 'group_T1w.tsv')
    assert list(row) == ['bids_name', *(column.name for column in T1W)]
    assert row == {
        'bids_name': 'sub-01_T1w', 'template_correlation': '0.74', 'mask_dice': '0.98', 'placement': 'NAcR',
        'correlation_min': '0.61', 'relative_volume_min': '0.8',
    }  # fmt: skip


def test_an_anatomy_without_doubt_names_no_region(tmp_path):
    stem = tmp_path / 'sub-01' / 'ses-a' / 'anat' / 'sub-01_ses-a_space-S_atlas-A_placement'
    stem.parent.mkdir(parents=True)
    stem.with_suffix('.tsv').write_text('region\tcorrelation\tflags\nNAcL\t0.95\tn/a\n')
    stem.with_suffix('.json').write_text(json.dumps({'PlacementLimits': {}}))
    (tmp_path / 'group').mkdir()
    write_scan_quality(tmp_path, tmp_path / 'group')
    (row,) = read(tmp_path / 'group' / 'group_T1w.tsv')
    assert (row['bids_name'], row['placement'], row['correlation_min']) == ('sub-01_ses-a_T1w', 'n/a', '0.95')
    assert not (tmp_path / 'group' / 'group_bold.tsv').exists()
