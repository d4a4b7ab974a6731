"""Regions in a person's own space: what they need of BOLD and of diffusion, found or said to be missing."""

from pathlib import Path

import pytest

from bids_app.cli import make_settings
from bids_app.scans.diffusion import INDIVIDUAL, Diffusion, _placed
from bids_app.scans.fmriprep import find_transform
from pipelines.errors import MissingInputError
from pipelines.terms import circuit_of_rows

SPACE = 'MNI152NLin2009cAsym'
NAME = f'sub-1_from-T1w_to-{SPACE}_mode-image_xfm.h5'


def settings_of(tmp_path, source):
    """Return settings of one region on the midline that is taken from a source."""
    for folder in ('bids', 'out'):
        (tmp_path / folder).mkdir(exist_ok=True)
    table = tmp_path / 'regions.tsv'
    table.write_text(f'name\themisphere\tsource\nVTA\tn/a\t{source}\n')
    return make_settings(
        [str(tmp_path / 'bids'), str(tmp_path / 'out'), 'participant', '--regions', str(table)]
    )


def test_the_transform_of_the_nearest_folder_counts(tmp_path):
    session, subject = tmp_path / 'ses-1' / 'anat', tmp_path / 'anat'
    for folder in (session, subject):
        folder.mkdir(parents=True)
    assert find_transform([session, subject], SPACE) is None
    (subject / NAME).touch()
    assert find_transform([session, subject], SPACE) == subject / NAME
    (session / NAME).touch()
    assert find_transform([session, subject], SPACE) == session / NAME
    assert find_transform([session, subject], 'MNI152NLin6Asym') is None


@pytest.mark.parametrize('space', ['T1w', 'ACPC', INDIVIDUAL])
@pytest.mark.parametrize(
    'source', ['sub-{subject}_dseg.nii.gz:1', 'sphere:0,-16,-12,4', 'tpl-MNI152NLin6Asym_dseg.nii:1']
)
def test_diffusion_between_sessions_has_no_place_for_a_file_of_the_anatomy(tmp_path, space, source):
    found, absent = _placed(settings_of(tmp_path, source), '1', Diffusion([], space), [])
    is_refused = space == INDIVIDUAL and 'subject' in source
    assert (found is None) == is_refused
    assert [absence.exit_code for absence in absent] == [MissingInputError.exit_code] * is_refused
    assert all('Give the region in a template, or --skip diffusion' in absence.reason for absence in absent)


def test_nothing_found_stays_nothing(tmp_path):
    assert _placed(settings_of(tmp_path, 'sub-{subject}_dseg.nii:1'), '1', None, []) == (None, [])


def test_a_circuit_of_a_person_has_that_persons_files(tmp_path):
    settings = settings_of(tmp_path, 'sub-{subject}/sub-{subject}_dseg.nii:1')
    sources = [settings.circuit_of(label).structures[0].choice for label in ('1', '02')]
    assert [Path(source).parent.name for source in sources] == ['sub-1', 'sub-02']
    assert settings.circuit == circuit_of_rows([
        {'name': 'VTA', 'hemisphere': 'n/a', 'source': f'{tmp_path}/sub-{{subject}}/sub-{{subject}}_dseg.nii:1@T1w'}
    ])  # fmt: skip
