"""What a run will refuse is found before its first step, and costs nobody else anything."""

import json

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import main
from bids_app.participant.feasible import check_regions, feasible
from bids_app.scans.people import collect
from pipelines.errors import MissingInputError, ParameterError
from pipelines.interfaces.degrees import most_degrees, ways_out
from pipelines.numerics.clean import projection, stop_band, trend
from pipelines.params import DenoiseParams
from tests.app.scans.test_inputs import T1W, bold, build, settings_of


def write_series(path, n_volumes, t_r=2.0, n_slices=2):
    image = nb.Nifti1Image(np.ones((2, 2, n_slices, n_volumes), np.int16), np.eye(4))
    image.header.set_zooms((2, 2, 2, t_r))
    image.header.set_xyzt_units('mm', 'sec')
    path.unlink()
    nb.save(image, path)


def raw(tmp_path, *lengths, metadata=None):
    """Return a raw dataset: one run of each length, and a T1w image as large as a head."""
    runs = [bold(run=number) for number in range(1, len(lengths) + 1)]
    root = build(tmp_path / 'raw', {'01': {'anat': [T1W], 'func': runs}})
    for number, n_volumes in enumerate(lengths, 1):
        path = root / 'sub-01/func' / f'sub-01_task-rest_run-{number}_bold.nii.gz'
        write_series(path, n_volumes)
        about = {'RepetitionTime': 2.0, 'TaskName': 'rest', **(metadata or {})}
        path.with_name(path.name.replace('.nii.gz', '.json')).write_text(json.dumps(about))
    t1w = root / 'sub-01/anat/sub-01_T1w.nii.gz'
    t1w.unlink(missing_ok=True)
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.int16), np.diag([90, 90, 90, 1])), t1w)
    return root


def judged(root, *words):
    settings = settings_of(root, *words)
    return feasible(settings, collect(settings, '01'))


def dry_run(root, capsys, *words):
    folder = root.parent
    given = [str(root), str(folder / 'out'), 'participant', '-w', str(folder / 'work'), '--dry-run', *words]
    status = main(given)
    said = capsys.readouterr()
    return status, said.out + said.err


@pytest.mark.parametrize(('n_volumes', 't_r'), [(47, 2.0), (94, 1.0), (240, 2.0), (600, 0.72), (150, 3.0)])
@pytest.mark.parametrize('band', [(0.008, 0.09), (0.01, 0.1), (0.0, 0.08), (0.008, 0.0), (0.0, 0.0)])
def test_the_most_that_can_remain_is_what_the_projection_leaves(n_volumes, t_r, band):
    """Against the operator itself, without confounds and with all volumes kept."""
    model = np.column_stack([trend(n_volumes), stop_band(n_volumes, t_r, *band)])
    expected = projection(model, np.ones(n_volumes, bool)).dof
    assert most_degrees(n_volumes, t_r, DenoiseParams(high_pass=band[0], low_pass=band[1])) == expected


def test_a_raw_run_too_short_for_any_preset_is_refused_with_its_anatomy(tmp_path):
    """94 s: nothing is spent on the head of somebody whose only run cannot be used."""
    found = judged(raw(tmp_path, 47))
    assert found.runs == []
    assert found.t1w == []
    (absence,) = [a for a in found.absent if a.modality == 'bold']
    assert absence.exit_code == 65
    for word in ('sub-01_task-rest_run-1_bold.nii.gz: 47 volumes of 2 s', 'at most', '20 are needed'):
        assert word in absence.reason
    assert '--low-pass 0 (22 left)' in absence.reason  # 12 of motion and 10 components from 44
    assert '--denoising none --low-pass 0 (44 left)' in absence.reason
    assert str(tmp_path) not in absence.reason


def test_the_long_run_beside_it_goes_on(tmp_path):
    found = judged(raw(tmp_path, 47, 240))
    assert [run.bold.name for run in found.runs] == ['sub-01_task-rest_run-2_bold.nii.gz']
    assert len(found.t1w) == 1


def test_what_was_recommended_is_accepted(tmp_path):
    root = raw(tmp_path, 47)
    assert len(judged(root, '--denoising', 'none', '--low-pass', '0').runs) == 1


def test_nothing_recommends_itself():
    def none_left(params):
        return 44.0 if not params.low_pass else 10.0

    said = ways_out(DenoiseParams(denoising='none'), none_left)
    assert said == 'Enough remain with --low-pass 0 (44 left).'
    assert ways_out(DenoiseParams(), lambda params: 19.9) == 'A longer scan is needed.'


def test_the_dry_run_ends_as_the_run_would(tmp_path, capsys):
    root = raw(tmp_path, 47, 240)
    status, said = dry_run(root, capsys)
    assert status == 65
    assert 'sub-01: not used (bold): sub-01_task-rest_run-1_bold.nii.gz: 47 volumes' in said
    assert 'sub-01_task-rest_run-2_bold.nii.gz' in said
    assert dry_run(root, capsys, '--run', '2')[0] == 0
    assert not (tmp_path / 'out').exists()


def test_a_single_volume_beside_a_good_run_is_no_failure(tmp_path, capsys):
    root = raw(tmp_path, 240, 240)
    broken_off = root / 'sub-01/func/sub-01_task-rest_run-1_bold.nii.gz'
    broken_off.unlink()
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.int16), np.eye(4)), broken_off)
    status, said = dry_run(root, capsys)
    assert status == 0
    assert f'not used (bold): {broken_off} has shape (2, 2, 2)' in said
    assert dry_run(root, capsys, '--run', '1')[0] == 65  # it is all there is


TIMES = {
    'too many': ([0.1] * 3, 'has 3 times for 2 slices'),
    'of another unit': ([0, 1200], 'reaches 1200 s, beyond the repetition time of 2 s; it looks like ms'),
    'of a multiband bug': ([0.0, 7.0], 'reaches 7 s, beyond the repetition time of 2 s. Mend'),
    'negative': ([-0.1, 1.0], 'has a time of -0.1 s'),
    'text': (['0', '1'], "holds ['0', '1']"),
}


@pytest.mark.parametrize(('times', 'says'), TIMES.values(), ids=TIMES)
def test_slice_times_are_judged_before_anything_runs(tmp_path, capsys, times, says):
    root = raw(tmp_path, 240, metadata={'SliceTiming': times})
    status, said = dry_run(root, capsys)
    assert status == 65
    assert says in said
    assert '--ignore slicetiming' in said
    assert dry_run(root, capsys, '--ignore', 'slicetiming')[0] == 0


@pytest.mark.parametrize(
    ('words', 'error', 'says'),
    [
        (['--nac', 'accumbens'], ParameterError, 'harvard-oxford'),
        (['--mpfc', 'sphere:1,2,3'], ParameterError, 'write sphere:X,Y,Z,R'),
        (['--nac', '/nowhere/nac.nii.gz'], MissingInputError, 'no such file'),
    ],
)
def test_regions_are_judged_before_anything_runs(tmp_path, words, error, says):
    root = raw(tmp_path, 240)
    with pytest.raises(error, match=says):
        check_regions(settings_of(root, *words))
    check_regions(settings_of(root))


def test_the_default_regions_need_no_atlas(tmp_path, monkeypatch):
    """They are always there: a run with nothing to do waits for no import."""

    def refuse(own):
        raise AssertionError(f'{own.name} was looked up')

    root = raw(tmp_path, 240)
    monkeypatch.setattr('pipelines.interfaces.drawing.check_sources', refuse)
    check_regions(settings_of(root))
    with pytest.raises(AssertionError, match='NAc was looked up'):
        check_regions(settings_of(root, '--mpfc', 'paracingulate-ventral'))


def test_a_table_that_may_not_be_read_is_of_its_run_alone(tmp_path, monkeypatch):
    """Others are processed; whose it is is said."""
    root = raw(tmp_path, 240)
    person = collect(settings_of(root), '01')

    def refuse(settings, run):
        raise PermissionError(13, 'Permission denied', '/data/confounds.tsv')

    monkeypatch.setattr('bids_app.participant.feasible._check', refuse)
    monkeypatch.setattr(
        'bids_app.scans.dataset.why_unreadable', lambda path: MissingInputError(f'{path}: whose')
    )
    found = feasible(settings_of(root), person)
    assert not found.runs
    assert ('/data/confounds.tsv: whose', 66) in [(each.reason, each.exit_code) for each in found.absent]


def test_a_file_that_one_person_lacks_is_named_before_anything_runs(tmp_path):
    root = raw(tmp_path, 240)
    table = tmp_path / 'regions.tsv'
    table.write_text('name\themisphere\tsource\nVTA\tn/a\thand/sub-{subject}_dseg.nii.gz:1\n')
    with pytest.raises(MissingInputError, match=r'region VTA .*hand/sub-01_dseg.nii.gz:1@T1w: no such file'):
        check_regions(settings_of(root, '--regions', str(table)))


@pytest.mark.parametrize(
    ('source', 'says'),
    [('harvard-oxford:Amygdalum', 'has no label'), ('sphere:1', 'write sphere'), ('fs:3', 'Offered')],
)
def test_sources_of_a_list_are_checked_before_anything_runs(tmp_path, source, says):
    root = raw(tmp_path, 240)
    table = tmp_path / 'regions.tsv'
    table.write_text(f'name\themisphere\tsource\nVTA\tn/a\t{source}\n')
    with pytest.raises(ParameterError, match=says):
        check_regions(settings_of(root, '--regions', str(table)))
