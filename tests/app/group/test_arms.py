"""Arms, ids and levels that look like numbers give the results of the same trial with words."""

import json

import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.phenotype.trial import DATA_DIR
from tests.app.trial_data import save, write_expression, write_trial


def table(out, name):
    return pd.read_csv(out / 'group' / f'{name}.tsv', sep='\t', na_values='n/a', keep_default_na=False)


def with_arms(root, treatment, control, *, images):
    """Write a trial whose arms have other names; return what the command line needs."""
    bids, out = write_trial(root, n=8, images=images, seeds=['NAc'])
    genes = write_expression(bids) if images else None
    people = pd.read_csv(bids / 'participants.tsv', sep='\t', dtype=str)
    people['group'] = people['group'].map({'exercise': treatment, 'waitlist': control})
    people['sex'] = people['sex'].map({'F': '1', 'M': '2'})  # a category whose levels are digits
    save(people, bids / 'participants.tsv')
    levels = {'sex': {'Levels': {'1': 'female', '2': 'male'}}}
    (bids / 'participants.json').write_text(json.dumps(levels))
    trial = json.loads((DATA_DIR / 'trial.json').read_text())
    trial['Arms'] |= {'Treatment': treatment, 'Control': control}
    # an own trial file must find everything that it names
    trial['Outcomes'] = {
        name: outcome
        for name, outcome in trial['Outcomes'].items()
        if name == 'nrs' or (images and 'Derivative' in outcome)
    }
    trial = {key: value for key, value in trial.items() if key not in ('Attendance', 'AdverseEvents')}
    trial['Mediation'] = [model for model in trial['Mediation'] if model['Outcome'] == 'nrs']
    if not images:
        trial.pop('Expression')
        trial.pop('Mediation')
    (root / 'trial.json').write_text(json.dumps(trial))
    words = [str(bids), str(out), 'group', '-w', str(root / 'work'), '--trial', str(root / 'trial.json')]
    genes_of = ['--gene-sets', str(genes)] if genes else ['--skip', 'voxelwise']
    return out, [*words, '--nprocs', '2', '--n-permutations', '100', '--n-bootstraps', '99', *genes_of]


@pytest.fixture(scope='module')
def words(tmp_path_factory):
    out, arguments = with_arms(tmp_path_factory.mktemp('words'), 'exercise', 'waitlist', images=True)
    assert main(arguments) == 0
    return out


@pytest.mark.long
def test_arms_of_digits_change_no_number(words, tmp_path):
    out, arguments = with_arms(tmp_path, '1', '0', images=True)
    assert main(arguments) == 0
    for name in ('outcomes', 'responders', 'biomarkers', 'clusters', 'mediation_models', 'expression_deseq2'):
        expected = table(words, name).replace({'exercise': '1', 'waitlist': '0'})
        found = table(out, name)
        assert len(found), name
        found = found.astype({column: str for column in ('arm',) if column in found})
        if 'treated' in found:  # empty within an arm
            found['treated'] = found['treated'].map({1: '1'})
        # notes name the arms
        tables = [whole.drop(columns='note', errors='ignore') for whole in (found, expected)]
        pd.testing.assert_frame_equal(*tables, check_dtype=False, obj=name)
    arms = pd.read_csv(out / 'group' / 'participants.tsv', sep='\t', dtype=str)['arm']
    assert set(arms) == {'0', '1'}
    page = (out / 'group' / 'report.html').read_text()
    assert 'nobody is in it' not in page


@pytest.mark.parametrize(
    ('treatment', 'control'), [('1', '0'), ('2', '1'), ('01', '1'), ('inf', '1'), ('1e1', '10')]
)
def test_other_names_that_look_like_numbers(treatment, control, tmp_path):
    out, arguments = with_arms(tmp_path, treatment, control, images=False)
    assert main(arguments) == 0
    row = table(out, 'outcomes').set_index(['outcome', 'model']).loc[('nrs', 'clda')]
    assert (row.n_treatment, row.n_control) == (4, 4)
    assert row.ci_low < -2 < row.ci_high
