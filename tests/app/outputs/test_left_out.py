"""Which results of the participant level the group passes over, told by their names and receipts alone."""

import logging
from pathlib import Path

import pytest

from bids_app.cli import make_settings
from bids_app.outputs.found import collect_results
from bids_app.outputs.left_out import inputs_of, warn_of
from bids_app.phenotype.trial import read_trial
from bids_app.running.manifest import Receipt, read_receipts, receipts_folder
from bids_app.scans.exclusion import NOTHING, Exclusions
from bids_app.scans.exclusion_list import Exclusion
from tests.app.trial_data import write_trial

PEOPLE = ['sub-01', 'sub-02']


@pytest.fixture(scope='module')
def trial(once):
    """Return results of two people; they must not be written to."""
    return once('left_out', lambda folder: write_trial(folder, n=2, seeds=['NAc']))


@pytest.fixture
def collect(trial, tmp_path):
    settings = make_settings([
        str(trial / 'bids'), str(tmp_path / 'out'), 'group', '-d', f'clbpe={trial / "out"}', '--skip', 'voxelwise',
    ])  # fmt: skip
    return lambda exclusions: collect_results(settings, read_trial(), PEOPLE, exclusions)


def exclude(session='', modality='', scan=''):
    return Exclusions((Exclusion('sub-01', session, modality, 'moved', 'list.tsv', scan),))


def places(found):
    return {(result.participant_id, result.session_id) for result in found}


EVERYTHING = {(label, session) for label in PEOPLE for session in ('ses-pre', 'ses-post')}
OWN = {('sub-01', 'ses-pre'), ('sub-01', 'ses-post')}


@pytest.mark.parametrize(
    ('exclusions', 'scans', 'tracts'),
    [
        (NOTHING, EVERYTHING, EVERYTHING),
        (exclude('ses-pre', 'bold'), EVERYTHING - {('sub-01', 'ses-pre')}, EVERYTHING),
        (exclude('', 'dwi'), EVERYTHING, EVERYTHING - OWN),
        (exclude('ses-post'), EVERYTHING - {('sub-01', 'ses-post')}, EVERYTHING - {('sub-01', 'ses-post')}),
        (exclude('', 't1w'), EVERYTHING, EVERYTHING),
        (exclude('ses-pre', 'bold', 'sub-01_ses-pre_task-rest_bold.nii.gz'), EVERYTHING - {('sub-01', 'ses-pre')}, EVERYTHING),
        (exclude('ses-pre', 'bold', 'sub-01_ses-pre_task-rest_run-2_bold.nii.gz'), EVERYTHING, EVERYTHING),
    ],
)  # fmt: skip
def test_results_of_what_is_left_out_are_passed_over(collect, exclusions, scans, tracts):
    results = collect(exclusions)
    assert places(results.scans) == scans
    assert places(results.tracts) == tracts
    told = {(left.participant_id, left.session_id, left.modality) for left in results.left_out}
    assert told == {(*place, 'bold') for place in EVERYTHING - scans} | {
        (*p, 'dwi') for p in EVERYTHING - tracts
    }
    assert all('left out on request (list.tsv): moved' in left.reason for left in results.left_out)


def test_what_a_file_was_made_of(tmp_path):
    """As its own receipt has it, not that of another step; nothing is known of a file without one."""
    folder = tmp_path / 'sub-01' / 'func'
    folder.mkdir(parents=True)
    files = [folder / name for name in ('a.tsv', 'b.tsv', 'c.tsv')]
    for path in files:
        path.write_text('x')
    for path, source in zip(files, ('raw:a', 'raw:b')):
        receipt = receipts_folder(tmp_path / 'sub-01') / f'{path.stem}.json'
        Receipt(receipt, tmp_path, {}, {source: [1, 1]}).write([path])
    receipts = read_receipts(tmp_path / 'sub-01')
    assert [inputs_of(tmp_path, receipts, path) for path in files] == [['raw:a'], ['raw:b'], []]


def test_a_warning_names_result_scan_and_remedy(caplog):
    with caplog.at_level(logging.WARNING):
        warn_of('sub-01_ses-post', {'sub-01_ses-pre_dwi.nii.gz': exclude().entries[0]})
        warn_of('sub-02_ses-post', {})
    (message,) = caplog.messages
    for word in (
        'sub-01_ses-post was made with sub-01_ses-pre_dwi.nii.gz',
        '(list.tsv): moved',
        'participant level again',
    ):
        assert word in message
    assert Path('sub-02').name not in message
