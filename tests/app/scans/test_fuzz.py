"""Whatever sidecars, filters and descriptions of datasets hold: scans as they can be used, or one of our own errors."""

import json

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import make_settings
from bids_app.scans.exclusion import NOTHING, AdmittedImages
from bids_app.scans.people import collect
from bids_app.scans.qsiprep import read_labels
from tests import damage
from tests.cases.dwi_files import SIDECAR, write_pair

pytestmark = pytest.mark.fuzz

BOTH = {damage.READ, damage.REFUSED}
STEM = 'sub-05_task-rest_bold'
BOLD = {
    'RepetitionTime': 2.0, 'TaskName': 'rest', 'PhaseEncodingDirection': 'j-', 'TotalReadoutTime': 0.04,
    'SliceTiming': [0.0, 1.0, 0.5, 1.5], 'SliceEncodingDirection': 'k', 'B0FieldSource': ['pepolar'],
}  # fmt: skip
EPI = {
    'PhaseEncodingDirection': 'j', 'TotalReadoutTime': 0.05, 'IntendedFor': [f'func/{STEM}.nii.gz'],
    'B0FieldIdentifier': 'pepolar',
}  # fmt: skip
T1W = {'AcquisitionTime': '12:00:00.5', 'AcquisitionDateTime': None}
DESCRIPTION = {'Name': 'x', 'BIDSVersion': '1.9.0', 'DatasetType': 'raw', 'GeneratedBy': [{'Name': 'x'}]}
DIRECTIONS = {'i', 'i-', 'j', 'j-', 'k', 'k-'}


def write_image(path, shape, metadata):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nb.Nifti1Image(np.ones(shape, np.int16), np.diag([50, 50, 50, 1]))
    if len(shape) == 4:
        image.header.set_zooms((50, 50, 50, 2.0))
        image.header.set_xyzt_units('mm', 'sec')
    nb.save(image, path)
    path.with_name(path.name.replace('.nii.gz', '.json')).write_text(json.dumps(metadata))


@pytest.fixture
def root(tmp_path):
    """Return a person with all kinds of raw scans: two anatomies, a run, its pair of EPI, a pair of diffusion series."""
    root = tmp_path / 'raw'
    own = write_pair(root) / 'sub-05'
    for name in ('', '_rec-2'):
        write_image(own / 'anat' / f'sub-05{name}_T1w.nii.gz', (4, 4, 4), T1W)
    write_image(own / 'func' / f'{STEM}.nii.gz', (4, 4, 4, 240), BOLD)
    for name, direction in (('PA', 'j'), ('AP', 'j-')):
        write_image(
            own / 'fmap' / f'sub-05_dir-{name}_epi.nii.gz',
            (4, 4, 4),
            {**EPI, 'PhaseEncodingDirection': direction},
        )
    (root / 'dataset_description.json').write_text(json.dumps(DESCRIPTION))
    return root


def collected(root, *words, images=None):
    """Return what is found of the person; numbers that go on to the steps are numbers."""
    work = root.parent / 'work'
    asked = [str(root), str(root.parent / 'out'), 'participant', '-w', str(work), *words]
    found = collect(make_settings(asked), '05', images)
    for run in found.runs:
        assert 0 < run.t_r < 60
        assert run.slice_direction in DIRECTIONS
        assert run.phase_encoding in DIRECTIONS | {''}
        assert all(0 <= time <= run.t_r for time in run.slice_timing or ())
        for epi in (run.estimator.run, *run.estimator.epi) if run.estimator else ():
            assert epi.direction in DIRECTIONS
            assert 0 < epi.readout_time < 1
    for session in found.diffusion.sessions if found.diffusion else ():
        for scan in session.scans:
            assert scan.direction in DIRECTIONS | {''}
            assert 0 <= scan.readout_time < 1
    assert all(absence.reason for absence in found.absent)
    return found


def test_what_is_damaged_here_is_sound(root):
    found = collected(root)
    assert (len(found.runs), len(found.t1w), len(found.diffusion.sessions[0].scans)) == (1, 1, 2)
    assert found.runs[0].estimator
    assert found.runs[0].slice_timing == BOLD['SliceTiming']


@pytest.mark.parametrize(
    ('name', 'sound'),
    [
        (f'func/{STEM}', BOLD), ('fmap/sub-05_dir-PA_epi', EPI), ('anat/sub-05_T1w', T1W), ('dwi/sub-05_dir-AP_dwi', SIDECAR),
    ],
)  # fmt: skip
def test_odd_sidecars(root, name, sound):
    path = root / 'sub-05' / f'{name}.json'
    assert path.exists()

    images = AdmittedImages(NOTHING)

    def read(content):
        damage.write(path, content)
        collected(root, images=images)

    assert damage.READ in damage.outcomes_of(damage.json_files(sound), read, 0.5)


def test_odd_descriptions_of_datasets(root):
    path = root / 'dataset_description.json'

    def read(content):
        damage.write(path, content)
        collected(root)

    assert damage.outcomes_of(damage.json_files(DESCRIPTION), read, 0.2) == BOTH


def test_odd_filters(root, tmp_path):
    path = tmp_path / 'filters.json'
    images = AdmittedImages(NOTHING)
    sound = {
        'bold': {'task': 'rest', 'run': None, 'session': '*'},
        't1w': {'acquisition': ['a', 'b']},
        'dwi': {'direction': 'AP'},
    }

    def read(content):
        damage.write(path, content)
        collected(root, '--bids-filter-file', str(path), images=images)

    assert damage.outcomes_of(damage.json_files(sound), read, 0.5) == BOTH


def test_damaged_tables_of_labels(tmp_path):
    path = tmp_path / 'dseg.tsv'
    sound = b'index\tname\tabbreviation\n1\tGray Matter\tGM\n2\tWhite Matter\tWM\n3\tCSF\tCSF\n'

    def read(content):
        damage.write(path, content)
        labels = read_labels(path)
        assert labels is None or all(isinstance(label, int) for own in labels.values() for label in own)

    assert damage.outcomes_of(damage.damaged(sound), read, 2) == BOTH
