"""The participant level from end to end on a small preprocessed run: files, resumption, refusals."""

import json
import re

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.running.manifest import receipts_folder
from pipelines.interfaces.templates import target_brain
from pipelines.terms import MAP_MEASURES, MOTION
from tests.sums import checksums

pytestmark = pytest.mark.slow

VOXEL = 4
STEM = 'sub-01_ses-pre_task-rest'
SPACE = 'space-MNI152NLin6Asym_res-2'


def write_confounds(folder, rng, n_volumes, stem):
    table = pd.DataFrame(
        {m + s: 0.02 * rng.standard_normal(n_volumes) for s in ('', '_derivative1') for m in MOTION}
    )
    masks = {f'a_comp_cor_{i:02d}': {'Mask': ('CSF', 'WM')[i % 2]} for i in range(10)}
    for name in [*masks, 'global_signal', 'std_dvars']:
        table[name] = rng.standard_normal(n_volumes)
    table['framewise_displacement'] = 0.1
    table.loc[0, 'framewise_displacement'] = np.nan
    table.to_csv(folder / f'{stem}_desc-confounds_timeseries.tsv', sep='\t', index=False, na_rep='n/a')
    (folder / f'{stem}_desc-confounds_timeseries.json').write_text(json.dumps(masks))


def write_dataset(root, rng, n_volumes=150, voxel=VOXEL, stem=STEM):
    """Write one run in fMRIPrep's layout: template brain, noise, confounds; add it if others are there."""
    folder = root.joinpath(*stem.split('_')[:2]) / 'func'
    folder.mkdir(parents=True, exist_ok=True)
    about = {'Name': 'simulated', 'BIDSVersion': '1.9.0', 'DatasetType': 'derivative'}
    (root / 'dataset_description.json').write_text(json.dumps(about))
    brain = nb.load(target_brain('MNI152NLin6Asym'))
    data = np.asarray(brain.dataobj, np.float32)[::voxel, ::voxel, ::voxel]
    affine = brain.affine @ np.diag([voxel, voxel, voxel, 1])
    series = (data / 8)[..., None] * (1 + 0.01 * rng.standard_normal((*data.shape, n_volumes)))
    image = nb.Nifti1Image(series.astype(np.float32), affine)
    image.header.set_zooms((voxel, voxel, voxel, 2.0))
    image.header.set_xyzt_units('mm', 'sec')
    nb.save(image, folder / f'{stem}_{SPACE}_desc-preproc_bold.nii.gz')
    (folder / f'{stem}_{SPACE}_desc-preproc_bold.json').write_text('{"RepetitionTime": 2.0}')
    nb.save(
        nb.Nifti1Image((data > 0).astype(np.uint8), affine), folder / f'{stem}_{SPACE}_desc-brain_mask.nii.gz'
    )
    write_confounds(folder, rng, n_volumes, stem)
    return root


def write_anatomy(folder):
    """Write fMRIPrep's anatomy in template space, of the participant and not of the session."""
    folder.mkdir()
    image = nb.load(target_brain('MNI152NLin6Asym'))
    brain = np.asarray(image.dataobj, np.float32)[::VOXEL, ::VOXEL, ::VOXEL]
    affine = image.affine @ np.diag([VOXEL, VOXEL, VOXEL, 1])
    tissues = np.digitize(brain / brain.max(), [0.3, 0.8]) * (brain > 0)
    for end, values in (('desc-preproc_T1w', brain), ('desc-brain_mask', brain > 0), ('dseg', tissues)):
        nb.save(nb.Nifti1Image(values.astype(np.float32), affine), folder / f'sub-01_{SPACE}_{end}.nii.gz')


@pytest.fixture(scope='module')
def preprocessed(tmp_path_factory):
    root = write_dataset(tmp_path_factory.mktemp('fmriprep'), np.random.default_rng(1))
    write_anatomy(root / 'sub-01' / 'anat')
    return root


def run(root, out, *words):
    return main([
        str(root), str(out), 'participant', '-d', f'fmriprep={root}', '-w', str(out.parent / 'work'),
        '--nprocs', '1', *words,
    ])  # fmt: skip


def receipts(out, label='01'):
    """Return the names of the steps that finished."""
    return {path.stem for path in receipts_folder(out / f'sub-{label}').glob('*.json')}


def tables_and_maps(out):
    kinds = ('.tsv', '.gz', '_qc.json')
    return checksums(out, [path for path in out.rglob('sub-01_*') if path.name.endswith(kinds)])


@pytest.fixture(scope='module')
def finished(preprocessed, tmp_path_factory):
    out = tmp_path_factory.mktemp('run') / 'out'
    assert run(preprocessed, out) == 0
    return out


def test_everything_is_written(finished):
    func = finished / 'sub-01' / 'ses-pre' / 'func'
    for name in (
        f'{SPACE}_seg-NAc_stat-fisherz_boldmap.nii.gz',
        f'{SPACE}_desc-mean_boldref.nii.gz',
        f'{SPACE}_stat-icc_boldmap.nii.gz',
        f'{SPACE}_stat-iccadj_boldmap.json',
        f'{SPACE}_atlas-HarvardOxfordFrontalMedial_stat-fisherz_relmat.tsv',
        f'{SPACE}_atlas-HarvardOxfordFrontalMedial_stat-fisherz_desc-half2_relmat.tsv',
        'desc-denoise_qc.json',
    ):
        assert (func / f'{STEM}_{name}').is_file()
    page = (finished / 'sub-01.html').read_text()
    figures = {p.name for p in (finished / 'sub-01' / 'figures').glob('*.png')}
    assert len(figures) == 6 + len(MAP_MEASURES)
    assert {'sub-01_desc-normalization_T1w.png', f'{STEM}_desc-coregistration_bold.png'} < figures
    assert not re.findall(r'(?:src=|<link[^>]*href=)["\']?https?:', page)
    stages = {'connectivity', 'connectivity_figures'}
    assert receipts(finished) == {'anatomical_figures', *(f'ses-pre_task-rest_{stage}' for stage in stages)}


def test_sidecars_say_what_the_value_rests_on(finished):
    sidecar = finished / 'sub-01/ses-pre/func' / f'{STEM}_{SPACE}_stat-icc_boldmap.json'
    content = json.loads(sidecar.read_text())
    assert {'DegreesOfFreedom', 'ICCNoiseFloor', 'NVoxels', 'Sources', 'Units', 'Resolution'} <= set(content)
    assert content['Sources'][0].startswith('bids:')


def test_methods_are_told_once_by_person_receipt_and_dataset(finished):
    told = (finished / 'sub-01/log/CITATION.md').read_text()
    assert told == (finished / 'logs/CITATION.md').read_text()
    assert told.count('Nuisance regression used') == 1
    receipt = json.loads((finished / 'sub-01/log/manifest/ses-pre_task-rest_connectivity.json').read_text())
    assert [text.split()[0] for text in receipt['methods']] == ['Nuisance']
    assert receipt['methods'][0] in told


def test_second_run_does_nothing(finished, preprocessed, capsys):
    before = {p: p.stat().st_mtime_ns for p in finished.rglob('*boldmap*')}
    assert run(preprocessed, finished) == 0
    assert 'already up to date' in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in finished.rglob('*boldmap*')} == before


def test_who_is_finished_is_not_judged_again(finished, preprocessed, monkeypatch, capsys):
    """To read confounds takes a moment, and a run with nothing to do should take none."""

    def refuse(settings, person):
        raise AssertionError(f'sub-{person.label} was judged')

    monkeypatch.setattr('bids_app.participant.run.feasible', refuse)
    assert run(preprocessed, finished) == 0
    assert run(preprocessed, finished, '--dry-run') == 1
    assert 'AssertionError: sub-01 was judged' in capsys.readouterr().err


def test_other_parameters_need_overwrite(finished, preprocessed, capsys):
    assert run(preprocessed, finished, '--fwhm', '4') == 73
    assert 'fwhm' in capsys.readouterr().err


def test_reports_only_rebuilds_the_page(finished, preprocessed):
    (finished / 'sub-01.html').unlink()
    assert run(preprocessed, finished, '--reports-only') == 0
    assert (finished / 'sub-01.html').is_file()


def test_a_page_of_results_needs_nothing_they_were_made_of(finished, tmp_path, capsys):
    """Jobs elsewhere had the preprocessed scans; who brings results together has the dataset alone."""
    data = tmp_path / 'data'
    for label in ('01', '77'):
        (data / f'sub-{label}').mkdir(parents=True)
    (data / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    records = sorted((finished / 'sub-01/log').iterdir())
    (finished / 'sub-01.html').unlink()
    words = ['--work-dir', str(tmp_path / 'work'), '--reports-only', '--participant-label']
    assert main([str(data), str(finished), 'participant', *words, '01']) == 0
    assert (finished / 'sub-01.html').is_file()
    assert sorted((finished / 'sub-01/log').iterdir()) == records
    assert main([str(data), str(finished), 'participant', *words, '77']) == 66
    assert 'sub-77: no BOLD of task rest' in capsys.readouterr().err


@pytest.mark.long
def test_lost_output_is_made_again_as_it_was(finished, preprocessed, capsys):
    before = tables_and_maps(finished)
    lost = next(finished.rglob('*stat-icc_boldmap.nii.gz'))
    lost.unlink()
    assert run(preprocessed, finished) == 0
    after = tables_and_maps(finished)
    assert set(after) == set(before)
    assert [p for p in after if after[p] != before[p]] == []
    flags = json.loads(next(finished.rglob('*_qc.json')).read_text())['Flags']
    assert flags
    said = capsys.readouterr().err
    assert f'warning: {STEM} is flagged: {", ".join(flags)}' in said
    assert 'no dwi of 1 (sub-01): ' in said


@pytest.mark.long
def test_a_damaged_result_in_the_work_folder_is_made_again(finished, preprocessed, caplog):
    """A full disk cuts files short; the step runs again and nothing else is lost."""
    before = tables_and_maps(finished)
    next(finished.rglob('*stat-icc_boldmap.nii.gz')).unlink()
    results = sorted((finished.parent / 'work').rglob('connectivity_wf/*/result_*.pklz'))
    assert len(results) == 4
    for number, path in enumerate(results):
        path.write_bytes(path.read_bytes()[: (0, 10, -8, -100)[number]])
    assert run(preprocessed, finished) == 0
    assert tables_and_maps(finished) == before
    assert caplog.text.count('is damaged: this step runs again') == 4


def test_dry_run_writes_nothing(preprocessed, tmp_path, capsys):
    assert run(preprocessed, tmp_path / 'out', '--dry-run') == 0
    assert 'desc-preproc_bold' in capsys.readouterr().out
    assert not (tmp_path / 'out').exists()


@pytest.mark.long
def test_changed_region_file_makes_results_out_of_date(preprocessed, tmp_path, capsys):
    """The option is the same, the image behind it is not."""
    brain = nb.load(next(preprocessed.rglob('func/*brain_mask.nii.gz')))
    out, mine = tmp_path / 'out', tmp_path / 'mine.nii.gz'
    for corner in (slice(14, 32), slice(16, 30)):
        values = np.zeros(brain.shape, np.uint8)
        values[corner, 40:45, 16:20] = 1
        nb.save(nb.Nifti1Image(values, brain.affine), mine)
        assert run(preprocessed, out, '--mpfc', str(mine)) == 0
        assert '1 processed' in capsys.readouterr().out
    assert run(preprocessed, out, '--mpfc', str(mine)) == 0
    assert '0 processed' in capsys.readouterr().out
