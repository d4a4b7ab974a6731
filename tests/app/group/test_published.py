"""What the group publishes of files that options named, wherever they lie."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from bids_app.group.record import record_trial
from bids_app.phenotype.trial import read_trial
from bids_app.settings import Settings
from pipelines.terms import default_circuit

TRIAL = read_trial(None)


def told(tmp_path, **files):
    trial = replace(TRIAL, expression=replace(TRIAL.expression, **files))
    people = pd.DataFrame({'participant_id': ['sub-01'], 'arm': ['exercise']})
    tables = SimpleNamespace(participants=people, attendance=None, events=None)
    record = record_trial(
        trial,
        tables,
        circuit=default_circuit(),
        output_dir=tmp_path / 'out',
        results_dir=tmp_path / 'results',
    )
    return record['trial']['expression'], trial


def test_files_of_options_are_told_by_name(tmp_path):
    sets = (str(tmp_path / 'a.gmt'), 'sets/b.gmt')
    found, trial = told(
        tmp_path, counts=str(tmp_path / 'counts.tsv'), samples='phenotype/samples.tsv', gene_sets=sets
    )
    assert (found['counts'], found['samples']) == ('counts.tsv', 'phenotype/samples.tsv')
    assert found['gene_sets'] == ['a.gmt', 'sets/b.gmt']
    assert trial.expression.counts == str(tmp_path / 'counts.tsv')  # the analysis still finds it


def test_a_trial_without_genes_is_told_as_well(tmp_path):
    people = pd.DataFrame({'participant_id': ['sub-01'], 'arm': ['exercise']})
    tables = SimpleNamespace(participants=people, attendance=None, events=None)
    trial = replace(TRIAL, expression=None)
    record = record_trial(
        trial,
        tables,
        circuit=default_circuit(),
        output_dir=tmp_path / 'out',
        results_dir=tmp_path / 'results',
    )
    assert record['trial']['expression'] is None
    assert record['results'] == '../results'


@pytest.mark.parametrize(
    ('path', 'name'),
    [
        ('raw/sub-01/x.nii', 'raw:sub-01/x.nii'), ('fm/sub-01/x.nii', 'fmriprep:sub-01/x.nii'),
        ('scratch/group_tables/people.tsv', 'work:group_tables/people.tsv'), ('out/group/x.tsv', 'out:group/x.tsv'),
    ],
)  # fmt: skip
def test_inputs_are_told_by_the_folder_of_the_run(tmp_path, path, name):
    settings = Settings(
        bids_dir=tmp_path / 'raw', output_dir=tmp_path / 'out', level='group', work_dir=tmp_path / 'scratch',
        derivatives=(('fmriprep', tmp_path / 'fm'),),
    )  # fmt: skip
    assert settings.name_of(tmp_path / path) == name
    elsewhere = settings.name_of(Path('/disk/me/regions.nii.gz'))
    assert elsewhere.endswith(':regions.nii.gz')
    assert 'disk' not in elsewhere
    assert elsewhere != settings.name_of(Path('/disk/you/regions.nii.gz'))
