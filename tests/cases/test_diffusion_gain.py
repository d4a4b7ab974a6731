"""Runs of different gain, and a trace volume behind a run, through the whole chain: real scans at 9 mm."""

import json
import shutil

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import main
from tests.interfaces.test_dwi_gain import coarse

pytestmark = [pytest.mark.real, pytest.mark.long]

QUICK = ['--sloppy', '--skip', 'functional', '--nprocs', '2', '--n-streamlines', '50', '--max-seeds', '1000']
PEOPLE = {'split': 1.0, 'gain': 1.5}
"""What the values of the second run are multiplied by; behind that of ``gain`` stands a trace volume as well."""


@pytest.fixture(scope='module')
def results(tmp_path_factory, test_data):
    """Run two people, whose two runs have half of the directions each, and return the output and what was said."""
    root = tmp_path_factory.mktemp('gain') / 'raw'
    source = test_data / 'bids' / 'xa30_lowres'
    stem = source / 'sub-05' / 'dwi' / 'sub-05_dir-AP_dwi'
    bvals, bvecs = (np.loadtxt(f'{stem}{extension}', ndmin=2) for extension in ('.bval', '.bvec'))
    data, affine = coarse(f'{stem}.nii.gz')
    for who, gain in PEOPLE.items():
        folder = root / f'sub-{who}' / 'dwi'
        folder.mkdir(parents=True)
        for run, rows in ((1, np.r_[0, 1:11]), (2, np.r_[0, 11:21])):
            values, b, g = data[..., rows] * (gain if run == 2 else 1), bvals[:, rows], bvecs[:, rows]
            if who == 'gain' and run == 2:
                values = np.concatenate([values, values[..., 1:].mean(-1, keepdims=True)], -1)
                b, g = np.c_[b, [[2500]]], np.c_[g, np.zeros(3)]
            own = folder / f'sub-{who}_run-{run}_dwi'
            nb.save(nb.Nifti1Image(values.astype('f4'), affine), f'{own}.nii.gz')
            np.savetxt(f'{own}.bval', b, fmt='%g')
            np.savetxt(f'{own}.bvec', g, fmt='%.6f')
            shutil.copy(f'{stem}.json', f'{own}.json')
    out = root.parent / 'out'
    # a voxel is larger than a region: whether a tract is found does not matter here
    main([str(root), str(out), 'participant', '-w', str(root.parent / 'work'), *QUICK])
    return out


def read(out, who):
    """Return anisotropy, brain and sidecar."""
    folder = out / f'sub-{who}' / 'dwi'
    stem = f'sub-{who}_space-individual'
    fa = folder / f'{stem}_model-tensor_param-fa_dwimap.nii.gz'
    mask = nb.load(folder / f'{stem}_desc-brain_mask.nii.gz').get_fdata() > 0.5
    return (
        nb.load(fa).get_fdata(),
        mask,
        json.loads((folder / fa.name.replace('.nii.gz', '.json')).read_text()),
    )


def test_the_anisotropy_is_that_of_sound_runs(results):
    (wanted, mask, _), (found, own, _) = read(results, 'split'), read(results, 'gain')
    both = mask & own
    assert both.sum() > 0.99 * mask.sum()
    assert np.corrcoef(wanted[both], found[both])[0, 1] > 0.99
    assert abs(np.median(wanted[both]) - np.median(found[both])) < 0.005


def test_sidecars_say_what_was_done(results):
    split, gain = (read(results, who)[2] for who in PEOPLE)
    assert split['RelativeGains'] == [1.0, 1.0]
    assert gain['RelativeGains'] == [1.0, pytest.approx(1.5, rel=0.005)]
    assert 'unequal_gain' in gain['Flags']
    assert 'unequal_gain' not in split['Flags']
    assert gain['VolumesWithoutDirection'] == {'sub-gain_run-2_dwi.nii.gz': [11]}
    assert 'VolumesWithoutDirection' not in split
    assert split['NumberOfVolumes'] == gain['NumberOfVolumes'] == 22


def test_the_page_tells_it(results):
    page = (results / 'sub-gain.html').read_text()
    for words in ('volume 11 (the first is 0)', 'further dwi'):
        assert words in page


def test_the_record_names_the_volume_that_was_left_out(results):
    record = json.loads(next(results.glob('sub-gain/log/*/run.json')).read_text())
    reasons = [entry['reason'] for entry in record['absent'] if entry['modality'] == 'further dwi']
    assert any('sub-gain_run-2_dwi.nii.gz: volume 11 ' in reason for reason in reasons)
