"""A simulated trial on disk: valid, repeatable, readable by the group level, flawed as it says."""

import csv
import gzip
import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main as analyse
from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from bids_app.simulated.cli import main
from bids_app.simulated.flaws import draw_flaws, list_flaws
from pipelines.simulated.trial import TrialParameters
from pipelines.stats.genesets import read_gmt
from tests.acceptance.checks import validator_errors
from tests.sums import checksums

REPOSITORY = Path(__file__).parents[3]
SMALL = [
    '--trial', '--participants', '11', '--raw-participants', '1', '--genes', '600', '--voxel-size', '8',
    '--n-volumes', '40', '--t-r', '2', '--dwi-voxel-size', '5', '--dwi-directions', '6',
    '--anatomy-voxel-size', '4', '--seed', '5',
]  # fmt: skip


@pytest.fixture(scope='module')
def trial(tmp_path_factory):
    root = tmp_path_factory.mktemp('trial') / 'bids'
    assert main([str(root), *SMALL]) == 0
    return root


@pytest.fixture(scope='module')
def truth(trial):
    return json.loads((trial / 'sourcedata' / 'truth.json').read_text())


@pytest.fixture(scope='module')
def tables(trial):
    return read_tables(trial, read_trial(trial / 'code' / 'trial.json'))


def flawed(truth, text):
    """Participant and session of the flaws of a kind."""
    return [(f['Participant'], f['Session']) for f in truth['Flaws'] if text in f['Flaw']]


def rows(path):
    with path.open(newline='') as stream:
        return {row['participant_id']: row for row in csv.DictReader(stream, delimiter='\t')}


def bold(root, label, session):
    folder = root / 'derivatives' / 'fmriprep' / label / f'ses-{session}' / 'func'
    stem = f'{label}_ses-{session}_task-rest'
    image = nb.load(next(folder.glob('*_desc-preproc_bold.nii.gz')))
    mask = np.asarray(nb.load(next(folder.glob('*_desc-brain_mask.nii.gz'))).dataobj) > 0
    with (folder / f'{stem}_desc-confounds_timeseries.tsv').open(newline='') as stream:
        fd = [row['framewise_displacement'] for row in csv.DictReader(stream, delimiter='\t')]
    return np.asarray(image.dataobj, float).mean(axis=-1), mask, image.affine, np.array(fd[1:], float)


@pytest.mark.parametrize('part', ['', 'derivatives/fmriprep', 'derivatives/qsiprep'])
def test_every_dataset_is_valid(trial, part):
    assert validator_errors(trial / part) == []


def test_same_seed_same_data(trial, tmp_path):
    assert main([str(tmp_path / 'again'), *SMALL]) == 0
    again = tmp_path / 'again'
    assert checksums(again, again.rglob('*')) == checksums(trial, trial.rglob('*'))


def test_tables_are_read_without_a_word(tables):
    assert tables.messages == []
    assert tables.participants['arm'].value_counts().to_dict() == {'exercise': 6, 'waitlist': 5}
    assert set(tables.outcomes['outcome']) == {'nrs', 'odi', 'submap85', 'sixmwd'}
    assert len(tables.outcomes) == 11 * 2 * 4
    assert len(tables.biomarkers) == 44
    assert set(tables.expression.columns) >= {'sample', 'batch', 'neutrophils'}
    assert tables.attendance['attended'].notna().sum() == 6


def test_the_default_trial_reads_the_tables_too(trial):
    assert read_tables(trial, read_trial()).messages == []


def test_tables_hold_what_people_feel(tables, truth):
    latent = {label: person['pain'] for label, person in truth['People'].items()}
    nrs = tables.outcomes[(tables.outcomes['outcome'] == 'nrs') & tables.outcomes['value'].notna()]
    for row in nrs.itertuples():
        pain = latent[row.participant_id][row.visit == 'followup']
        assert abs(row.value - min(max(pain, 0), 10)) <= 0.5 + 1e-5


def test_bdnf_is_censored_at_its_limits(tables, truth):
    low, high = TrialParameters().bdnf_limits
    times = {'s7_pre': (0, 0), 's7_post': (0, 1), 's42_pre': (1, 0), 's42_post': (1, 1)}
    for row in tables.biomarkers.dropna(subset='value').itertuples():
        session, time = times[row.sample]
        level = np.exp(truth['People'][row.participant_id]['log_bdnf'][session][time])
        assert row.value == pytest.approx(level, abs=0.1)
        assert row.censored == ('left' if level < low else 'right' if level > high else '')


def test_the_group_finds_the_response_of_bdnf(trial, truth, tmp_path):
    """From the files that were written, with the trial file beside them."""
    words = ['--trial', str(trial / 'code' / 'trial.json'), '-w', str(tmp_path / 'work'), '--nprocs', '1']
    out = tmp_path / 'out'
    assert (
        analyse([str(trial), str(out), 'group', *words, '--skip', 'voxelwise', 'expression', 'mediation'])
        == 0
    )
    table = pd.read_csv(out / 'group' / 'biomarkers.tsv', sep='\t')
    found = table.query("model == 'censored' and arm == 'difference'").set_index('contrast')
    planted = {name: truth['Effects'][f'bdnf_{name}'] for name in ('acute_s7', 'acute_s42', 'resting_change')}
    for contrast, value in planted.items():
        assert found.loc[contrast, 'ci_low'] < value < found.loc[contrast, 'ci_high'], contrast
    assert found.loc['acute_s42', 'ci_low'] > 0


def test_flaws_are_where_the_truth_says(trial, truth, tables):
    out = tables.outcomes.set_index(['participant_id', 'outcome', 'visit'])
    for label, _ in flawed(truth, 'no pain rating'):
        assert np.isnan(out.loc[(label, 'nrs', 'followup'), 'value'])
    assert out['value'].xs('nrs', level='outcome').isna().sum() == len(flawed(truth, 'no pain rating'))
    few, many = (label for label, _ in flawed(truth, 'not answered'))
    assert out.loc[(few, 'odi', 'followup'), 'flags'] == 'prorated'
    assert np.isnan(out.loc[(many, 'odi', 'followup'), 'value'])
    for label, session in flawed(truth, 'no scan'):
        for name in ('fmriprep', 'qsiprep'):
            person = trial / 'derivatives' / name / label
            assert [p.name for p in person.glob('ses-*')] == ['ses-pre'] != [f'ses-{session}']
    ((label, _),) = flawed(truth, 'no diffusion')
    assert not (trial / 'derivatives' / 'qsiprep' / label).exists()
    assert (trial / 'derivatives' / 'fmriprep' / label).is_dir()
    samples = set(zip(tables.expression['participant_id'], tables.expression['session_id']))
    lost = {(label, f'ses-{session}') for label, session in flawed(truth, 'no RNA')}
    assert samples == {(p, f'ses-{s}') for p in truth['People'] for s in ('wk3', 'wk14')} - lost
    assert tables.biomarkers['value'].isna().sum() == 1


def test_flawed_scans_are_poor(trial, truth):
    ((label, session),) = flawed(truth, 'dropout')
    mean, mask, affine, fd = bold(trial, label, session)
    other = 'post' if session == 'pre' else 'pre'
    x, y, z = np.rint(np.linalg.inv(affine) @ [-9.5, 11.6, -7.4, 1]).astype(int)[:3]
    assert mean[x, y, z] < 0.4 * mean[mask].mean()
    assert bold(trial, label, other)[0][x, y, z] > 0.7 * mean[mask].mean()
    ((label, session),) = flawed(truth, 'head motion')
    assert bold(trial, label, session)[3].mean() > 2 * fd.mean()


def test_runs_carry_the_connectivity_of_their_person(truth):
    for name, run in truth['Runs'].items():
        label, session = name.split('_')[:2]
        z = truth['People'][label]['connectivity'][session == 'ses-post']
        assert run['FisherZ'] == pytest.approx(z, abs=5e-4)  # rho is given with four digits
    tracts = truth['Tract']
    for name, tract in tracts.items():
        label, session = name.split('_')[:2]
        assert tract['PopulationFA'] == pytest.approx(
            truth['People'][label]['fa'][session == 'ses-post'], abs=1e-4
        )


def test_the_first_participant_is_raw_only(trial, truth):
    raw = sorted(p.name for p in (trial / 'sub-01').rglob('*.nii.gz'))
    assert raw == [
        f'sub-01_ses-{s}_{what}.nii.gz' for s in ('post', 'pre') for what in ('T1w', 'dir-AP_dwi', 'task-rest_bold')
    ]  # fmt: skip
    assert not list((trial / 'derivatives').glob('*/sub-01'))
    assert not list((trial / 'sub-02').rglob('*.nii.gz'))
    assert {'sub-01_ses-pre_task-rest', 'sub-02_ses-pre_task-rest'} <= set(truth['Runs'])


def test_counts_fit_their_samples_and_sets(trial, truth, tables):
    with gzip.open(trial / 'sourcedata/rnaseq/counts.tsv.gz', 'rt') as stream:
        header, *lines = (line.rstrip('\n').split('\t') for line in stream)
    assert header[1:] == list(rows_of_samples(tables))
    counts = np.array([line[1:] for line in lines], int)
    assert counts.shape == (600, 21)
    assert counts.min() >= 0
    sets = read_gmt((trial / 'code/genesets.gmt').read_text())
    assert next(iter(sets)) == truth['Genes']['Pathway'] == 'INFLAMMATION'
    assert {gene for own in sets.values() for gene in own} <= {line[0] for line in lines}
    effects = truth['Genes']['Log2EffectOnChange']
    latent = {label: np.diff(person['expression'])[0] for label, person in truth['People'].items()}
    arm = dict(zip(tables.participants['participant_id'], tables.participants['arm']))
    gap = [np.mean([c for label, c in latent.items() if arm[label] == a]) for a in ('exercise', 'waitlist')]
    for gene in sets['INFLAMMATION']:
        assert effects[gene] == pytest.approx(gap[0] - gap[1], abs=1e-3)


def rows_of_samples(tables):
    order = tables.expression.assign(late=tables.expression['visit'] == 'last')
    return order.sort_values(['participant_id', 'late'])['sample']


def test_the_trial_file_names_the_pathway(trial):
    found = read_trial(trial / 'code' / 'trial.json')
    assert found.expression.gene_sets == ('code/genesets.gmt',)
    assert ('expression:INFLAMMATION',) in [model.mediators for model in found.mediation]


@pytest.mark.parametrize('n_people', [6, 12, 57, 200])
def test_flaws_fit_trials_of_any_size(n_people):
    flaws = draw_flaws(np.random.default_rng(4), n_people, 1)
    listed = list_flaws(flaws, [str(n) for n in range(n_people)], ('pre', 'post'))
    numbers = [int(flaw['Participant']) for flaw in listed]
    assert 0 not in numbers  # spared
    assert max(numbers) < n_people
    if n_people >= 30:
        assert len(set(numbers)) == len(numbers)
    else:  # one left the trial, so that the others have everything
        assert flaws.rating_lost == flaws.last_rna_lost == flaws.scan_lost[:1]
    assert len(flaws.scan_lost) == max(1, round(0.07 * n_people))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--trial', '--layout', 'fmriprep'], 'choose preprocessed or raw'),
        (['--trial', '--sessions', 'a', 'b'], 'leave out --sessions'),
        (['--trial', '--participants', '5'], 'needs 6 or more'),
        (['--trial', '--genes', '100'], '500 or more'),
        (['--trial', '--raw-participants', '58'], 'more than take part'),
        (['--layout', 'preprocessed'], 'is for --trial'),
    ],
)
def test_unusable_trials_are_refused(tmp_path, capsys, options, message):
    assert main([str(tmp_path / 'new'), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'new').exists()


def test_recorded_intervals_hold_the_truth():
    """Of 20 trials of 57 people: nine in ten of all intervals, and no quantity in fewer than 15."""
    table = pd.read_csv(REPOSITORY / 'tests' / 'golden' / 'recovery.tsv', sep='\t')
    assert (table['n'] == 20).all()
    assert table['held'].sum() >= 0.9 * table['n'].sum()
    assert table['held'].min() >= 15
    assert {'nrs', 'odi', 'fc_nac_mpfc', 'bdnf change_of_acute', 'connectivity indirect '} <= set(
        table['quantity']
    )
    planted = table.set_index('quantity').loc[['nrs', 'odi', 'submap85', 'sixmwd', 'fc_nac_mpfc']]
    # what instruments measure differs from the latent effect by a few per cent
    np.testing.assert_allclose(planted['truth'], planted['latent'], rtol=0.06)
    # crossed fibres and voxels beside them leave two thirds of a tract's change
    assert 0.6 < table.set_index('quantity').loc['fa_nac_mpfc', 'truth'] / 0.03 < 0.75
