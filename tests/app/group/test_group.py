"""The group level from end to end on a small trial with planted effects."""

import json
import shutil

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from tests.acceptance.checks import validator_errors
from tests.app.trial_data import BLOB, EFFECTS, SPACE, save, sign, write_trial

pytestmark = pytest.mark.slow


def run(bids, out, work, *words):
    fixed = ['-w', str(work), '--nprocs', '2', '--n-permutations', '200', '--n-bootstraps', '500']
    return main([str(bids), str(out), 'group', *fixed, *words])


def table(out, name):
    return pd.read_csv(out / 'group' / f'{name}.tsv', sep='\t', na_values='n/a', keep_default_na=False)


def statuses(out):
    rows = table(out, 'participants').query("data != 'bdnf'")
    return rows.set_index(['participant_id', 'session_id', 'data'])


@pytest.fixture(scope='module')
def trial(tmp_path_factory):
    root = tmp_path_factory.mktemp('trial')
    bids, out = write_trial(root, seeds=['NAc', 'mPFC'])  # each map takes the same steps
    assert run(bids, out, root / 'work') == 0
    return bids, out, root / 'work'


def seen(row):
    """Return how many people of both arms have the outcome at the visit."""
    return row.n_treatment_seen + row.n_control_seen


@pytest.fixture(scope='module')
def outcomes(trial):
    return table(trial[1], 'outcomes').set_index(['outcome', 'model'])


@pytest.mark.parametrize('name', EFFECTS)
def test_planted_effects_lie_in_their_intervals(outcomes, name):
    row = outcomes.loc[(name, 'clda')]
    assert row.ci_low < EFFECTS[name] < row.ci_high
    assert row.p < 0.01  # all are planted at several standard errors
    assert (row.n_treatment, row.n_control, seen(row)) == (8, 8, 16)


def test_holm_adjusts_the_imaging_family_only(outcomes):
    main_rows = outcomes.xs('clda', level='model')
    family = ['fc_nac_mpfc', 'icc_nac', 'icc_mpfc', 'fa_nac_mpfc']
    assert main_rows['p_adjusted'].notna().groupby(level=0).all().sum() == len(family)
    raw = main_rows.loc[family, 'p'].sort_values()
    assert main_rows.loc[raw.index[0], 'p_adjusted'] == pytest.approx(min(1, 4 * raw.iloc[0]))


def test_motion_is_a_covariate_where_it_is_known(outcomes):
    models = {model for outcome, model in outcomes.index if outcome == 'fc_nac_mpfc'}
    two = models & {'clda_common', 'clda_per_arm'}
    assert len(two) == 1
    assert models - two == {'clda', 'ancova', 'ancova_interaction', 'clda_unadjusted', 'clda_mean_fd'}
    assert ('nrs', 'clda_mean_fd') not in outcomes.index


def test_responders_are_counted_with_their_threshold(trial):
    rows = table(trial[1], 'responders').query("outcome == 'nrs'").set_index('arm')
    assert set(rows['threshold']) == {'2 points or 30 %'}
    assert rows['n'].sum() == 16
    assert rows.loc['exercise', 'responders'] > rows.loc['waitlist', 'responders']


def test_acute_response_of_bdnf_is_found(trial):
    rows = table(trial[1], 'biomarkers').set_index(['model', 'arm', 'contrast'])
    difference = rows.loc[('censored', 'difference', 'change_of_acute')]
    assert 0 < difference.ci_low < 0.3 < difference.ci_high
    assert rows.loc[('censored', 'waitlist', 'acute_s42'), 'ratio'] == pytest.approx(np.exp(0.2), rel=0.2)


def test_planted_cluster_is_found_and_named(trial):
    rows = table(trial[1], 'clusters')
    found = rows[(rows['map'] == 'NAc') & (rows['contrast'] == 'armOnChange')]
    assert len(found) == 1
    (row,) = found.itertuples()
    assert row.sign == 'positive'
    assert (
        np.linalg.norm(np.array([row.peak_x, row.peak_y, row.peak_z]) - BLOB) < 24
    )  # its radius and a voxel's half
    assert row.peak_region != 'none'
    others = rows[(rows['contrast'] == 'armOnChange') & (rows['map'] != 'NAc')]
    assert len(others) == 0  # two maps of noise at 5 % each


def test_maps_say_how_they_were_made(trial):
    stem = trial[1] / f'tpl-{SPACE}' / f'tpl-{SPACE}_seg-NAc_desc-armOnChange_stat-t_statmap'
    image = nb.load(f'{stem}.nii.gz')
    assert np.abs(image.get_fdata()).max() > 4
    facts = json.loads(stem.with_name(f'{stem.name}.json').read_text())
    assert (facts['NumberOfPeople'], facts['NumberOfPermutations']) == (16, 200)
    count = nb.load(
        trial[1] / f'tpl-{SPACE}' / f'tpl-{SPACE}_param-icc_desc-count_statmap.nii.gz'
    ).get_fdata()
    assert count.max() == 16


def test_methods_are_cited(trial):
    text = (trial[1] / 'group' / 'CITATION.md').read_text()
    assert 'arms share the mean at baseline [@lu2010]' in text
    assert text.count('[@smith2009]') == 1  # said once for all maps


def test_everyone_is_listed(trial):
    rows = table(trial[1], 'participants')
    assert rows['participant_id'].nunique() == 16
    assert set(rows['data']) == {'connectivity', 'tract', 'nrs', 'bdnf'}
    assert (rows['status'] == 'analysed').all()
    assert len(table(trial[1], 'phenotype_report'))


def test_sidecars_describe_columns_that_are_there(trial):
    """The words of a table's rows are those of the model that fills it."""
    seen = 0
    for path in (trial[1] / 'group').glob('*.tsv'):
        sidecar = path.with_suffix('.json')
        if sidecar.is_file():
            facts = json.loads(sidecar.read_text()).items()
            described = {key for key, value in facts if isinstance(value, dict) and 'Description' in value}
            assert described <= set(table(trial[1], path.stem)), path.name
            seen += bool(described)
    assert seen >= 4


def test_second_run_does_nothing(trial, capsys):
    before = {path: path.stat().st_mtime_ns for path in trial[1].rglob('*') if path.is_file()}
    assert run(*trial) == 0
    assert 'already up to date' in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in trial[1].rglob('*') if path.is_file()}
    after.pop(trial[1] / 'dataset_description.json'), before.pop(trial[1] / 'dataset_description.json')
    assert {k: v for k, v in after.items() if k.parent != trial[1]} == {
        k: v for k, v in before.items() if k.parent != trial[1]
    }


def test_validator_finds_no_error(trial):
    assert validator_errors(trial[1]) == []


@pytest.fixture
def small(tmp_path):
    return (*write_trial(tmp_path, n=8), tmp_path / 'work')


@pytest.mark.long
def test_missing_visits_and_scans_are_listed_and_used(small):
    bids, out, work = small
    shutil.rmtree(out / 'sub-03' / 'ses-post')
    shutil.rmtree(out / 'sub-04')
    (path,) = (out / 'sub-05' / 'dwi').glob('*.tsv')
    tract = pd.read_csv(path, sep='\t', na_values='n/a', keep_default_na=False, dtype={'flags': object})
    tract.loc[(tract['session_id'] == 'post') & (tract['hemi'] != 'L'), ['value', 'flags']] = [
        np.nan,
        'few_streamlines',
    ]
    save(tract, path)
    pain = pd.read_csv(bids / 'phenotype' / 'nrs.tsv', sep='\t')
    pain.loc[1, 'nrs_average_post'] = np.nan
    save(pain, bids / 'phenotype' / 'nrs.tsv')
    assert run(bids, out, work, '--skip', 'voxelwise') == 0
    rows = statuses(out)
    assert rows.loc[('sub-02', 'ses-post', 'nrs'), 'status'] == 'missing'
    assert rows.loc[('sub-03', 'ses-post', 'connectivity'), 'status'] == 'missing'
    assert rows.loc[('sub-04', 'ses-pre', 'connectivity'), 'reason'] == 'participant level not run'
    assert rows.loc[('sub-05', 'ses-post', 'tract'), ['status', 'reason']].tolist() == [
        'missing',
        'few_streamlines',
    ]
    assert rows.loc[('sub-05', 'ses-pre', 'tract'), 'status'] == 'analysed'
    models = table(out, 'outcomes').set_index(['outcome', 'model'])
    assert models.loc[('nrs', 'clda'), ['n_treatment', 'n_control']].tolist() == [4, 4]
    assert seen(models.loc[('nrs', 'clda')]) == 7
    assert models.loc[('nrs', 'ancova'), ['n_treatment', 'n_control']].tolist() == [4, 3]
    assert seen(models.loc[('fc_nac_mpfc', 'ancova')]) == 6  # of both visits


@pytest.mark.long
def test_flagged_scans_are_left_out_in_one_model(small):
    bids, out, work = small
    for path in out.glob('sub-0[12]/ses-post/func/*_qc.json'):
        path.write_text(json.dumps({**json.loads(path.read_text()), 'Flags': ['high_motion']}))
    assert run(bids, out, work, '--skip', 'voxelwise') == 0
    models = table(out, 'outcomes').set_index(['outcome', 'model'])
    assert seen(models.loc[('fc_nac_mpfc', 'clda_unflagged')]) == 6
    assert seen(models.loc[('fc_nac_mpfc', 'clda')]) == 8
    rows = statuses(out)
    assert rows.loc[('sub-01', 'ses-post', 'connectivity'), 'status'] == 'flagged'


@pytest.mark.long
def test_flipped_directions_are_left_out_where_flags_are(small):
    """What is said not to be trusted may not stand among the values that are."""
    bids, out, work = small
    for path in out.glob('sub-0[12]/dwi/*_scalarstats.tsv'):
        tract = pd.read_csv(path, sep='\t', dtype=str, keep_default_na=False)
        save(tract.assign(flags='no_sdc flipped_bvecs'), path)
    assert run(bids, out, work, '--skip', 'voxelwise') == 0
    models = table(out, 'outcomes').set_index(['outcome', 'model'])
    assert seen(models.loc[('fa_nac_mpfc', 'clda_unflagged')]) == 6
    assert seen(models.loc[('fa_nac_mpfc', 'clda')]) == 8
    rows = statuses(out)
    assert rows.loc[('sub-01', 'ses-post', 'tract'), ['status', 'reason']].tolist() == [
        'flagged',
        'no_sdc flipped_bvecs',
    ]
    assert rows.loc[('sub-03', 'ses-post', 'tract'), 'status'] == 'analysed'


def test_scans_without_maps_keep_what_their_tables_give(small):
    bids, out, work = small
    for path in out.glob('sub-*/ses-*/func/*_boldmap.nii.gz'):
        path.unlink()
    assert run(bids, out, work) == 0
    models = table(out, 'outcomes').set_index(['outcome', 'model'])
    assert seen(models.loc[('fc_nac_mpfc', 'clda')]) == 8
    assert 'icc_nac' not in models.index.get_level_values('outcome')
    rows = table(out, 'participants')
    assert (rows.query("data == 'connectivity'")['status'] == 'analysed').all()
    assert 'maps' not in set(rows['data'])  # nobody has any: said once, not of everybody
    assert not list(out.glob('tpl-*'))


@pytest.mark.long
def test_one_missing_map_costs_what_needs_it_and_is_told(tmp_path, caplog):
    (bids, out), work = write_trial(tmp_path, n=8, seeds=['NAcL', 'NAc']), tmp_path / 'work'
    for name in (
        'sub-01/ses-post/func/*_stat-icc_boldmap',
        'sub-02/ses-pre/func/*_seg-NAcL_stat-fisherz_boldmap',
    ):
        (path,) = out.glob(f'{name}.nii.gz')
        path.unlink()
    assert run(bids, out, work, '--n-permutations', '100') == 0
    models = table(out, 'outcomes').set_index(['outcome', 'model'])
    assert seen(models.loc[('fc_nac_mpfc', 'clda')]) == 8
    assert seen(models.loc[('icc_nac', 'clda')]) == 7
    rows = statuses(out)
    assert rows.loc[('sub-01', 'ses-post', 'connectivity'), 'status'] == 'analysed'
    assert rows.loc[('sub-01', 'ses-post', 'maps'), 'status'] == 'missing'
    assert 'Intrinsic connectivity' in rows.loc[('sub-01', 'ses-post', 'maps'), 'reason']
    assert 'NAcL' in rows.loc[('sub-02', 'ses-pre', 'maps'), 'reason']
    counts = {
        kind: nb.load(out / f'tpl-{SPACE}' / f'tpl-{SPACE}_{kind}_desc-count_statmap.nii.gz')
        .get_fdata()
        .max()
        for kind in ('param-icc', 'seg-NAcL', 'seg-NAc')
    }
    assert counts == {'param-icc': 8, 'seg-NAcL': 8, 'seg-NAc': 8}


def test_tables_alone_are_a_trial(tmp_path):
    bids, out = write_trial(tmp_path, n=8, images=False)
    assert run(bids, out, tmp_path / 'work') == 0
    assert set(table(out, 'outcomes')['outcome']) == {'nrs'}
    assert not list(out.glob('tpl-*'))


@pytest.mark.long
def test_changed_values_are_computed_anew(small):
    bids, out, work = small
    assert run(bids, out, work, '--skip', 'voxelwise') == 0
    before = table(out, 'outcomes').set_index(['outcome', 'model'])['estimate']
    (path,) = out.glob('sub-01/ses-post/func/*_relmat.tsv')
    matrix = pd.read_csv(path, sep='\t', index_col='node') + 1
    matrix.to_csv(path, sep='\t', index_label='node')
    assert run(bids, out, work, '--skip', 'voxelwise') == 0
    after = table(out, 'outcomes').set_index(['outcome', 'model'])['estimate']
    # one of four treated people moved by 1
    assert after[('fc_nac_mpfc', 'clda_unadjusted')] - before[
        ('fc_nac_mpfc', 'clda_unadjusted')
    ] == pytest.approx(0.25, abs=0.1)
    assert after[('nrs', 'clda')] == before[('nrs', 'clda')]


def test_mixed_parameters_are_refused(small, capsys):
    bids, out, work = small
    for label in range(1, 9):
        sign(out, f'sub-{label:02d}', denoising='24p' if label == 5 else 'acompcor')
    assert run(bids, out, work) == 65
    said = capsys.readouterr().err
    assert 'denoising: "24p" for sub-05; "acompcor" for sub-01, sub-02, sub-03 and 4 more' in said


def test_maps_of_two_spaces_are_refused(small, capsys):
    bids, out, work = small
    for path in out.glob('sub-02/ses-pre/func/*space-*'):
        path.rename(path.with_name(path.name.replace(SPACE, 'MNI152NLin2009cAsym')))
    assert run(bids, out, work) == 65
    assert 'different template spaces' in capsys.readouterr().err


@pytest.mark.long
def test_other_permutations_into_the_same_folder_are_refused(small, capsys):
    bids, out, work = small
    assert run(bids, out, work, '--skip', 'voxelwise') == 0
    assert run(bids, out, work, '--skip', 'voxelwise', '--n-permutations', '300') == 73
    assert 'n_permutations = 200' in capsys.readouterr().err


def test_dry_run_checks_tables_and_writes_nothing(small, capsys):
    bids, out, work = small
    before = sorted(out.rglob('*'))
    assert run(bids, out, work, '--dry-run') == 0
    said = capsys.readouterr().out
    assert 'trial CLBPE: 4 exercise, 4 waitlist' in said or 'trial CLBPE: 4 waitlist, 4 exercise' in said
    assert 'voxel-wise icc' in said
    assert sorted(out.rglob('*')) == before
    save(pd.DataFrame({'participant_id': ['sub-01'], 'group': ['sham']}), bids / 'participants.tsv')
    assert run(bids, out, work, '--dry-run') == 65
    assert 'sham' in capsys.readouterr().err


def test_own_trial_file_is_read(small, tmp_path):
    bids, out, work = small
    own = {
        'Arms': {
            'Table': 'participants.tsv',
            'Column': 'group',
            'Treatment': 'exercise',
            'Control': 'waitlist',
        },
        'Visits': {'baseline': {'Session': 'pre'}, 'followup': {'Session': 'post'}},
        'Outcomes': {
            'pain': {
                'Table': 'phenotype/nrs.tsv',
                'Column': 'nrs_average',
                'Role': 'primary',
                'Units': 'points',
            }
        },
    }
    path = tmp_path / 'trial.json'
    path.write_text(json.dumps(own))
    assert run(bids, out, work, '--trial', str(path), '--skip', 'voxelwise') == 0
    assert set(table(out, 'outcomes')['outcome']) == {'pain'}
    assert not (out / 'group' / 'biomarkers.tsv').exists()


def test_people_can_be_selected(small, capsys):
    bids, out, work = small
    assert run(bids, out, work, '--participant-label', '99') == 18
    assert 'nobody of these has an arm' in capsys.readouterr().err
    labels = ['01', '02', '03', '04', '05', '06', '07']
    assert run(bids, out, work, '--skip', 'voxelwise', '--participant-label', *labels) == 0
    assert table(out, 'participants')['participant_id'].nunique() == 7


def test_nothing_to_analyse_is_said(tmp_path, capsys):
    bids, out = write_trial(tmp_path, n=6, images=False)
    shutil.rmtree(bids / 'phenotype')
    assert run(bids, out, tmp_path / 'work') == 66
    assert 'Run the participant level first' in capsys.readouterr().err
