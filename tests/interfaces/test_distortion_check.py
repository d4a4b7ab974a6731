"""The correction of a scan held against its T1w image, from files; and a flag that reaches the next steps."""

import json

import numpy as np
import pytest

from pipelines.interfaces.confounds_flags import design_run, read_flags, tell_flags
from pipelines.interfaces.distortion_check import judge_correction
from pipelines.interfaces.transforms import write_field, write_linear
from pipelines.numerics.agreement import Agreement, Correction
from pipelines.numerics.susceptibility import displacement_mm
from pipelines.params import DenoiseParams
from tests.distorted import make_head, save, seen
from tests.interfaces.conftest import T_R

VOXEL = 4.0


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Return reference, displacement, T1w image, mask and transform of a run along ``j-``."""
    folder, head = tmp_path_factory.mktemp('check'), make_head(VOXEL)
    reference = seen(head.epi, head.hertz, -1, np.random.default_rng(1))
    field = displacement_mm(-head.displaced_mm() / VOXEL, head.affine, 1)
    return {
        'epi': save(folder / 'epi.nii', reference, head.affine),
        'right': write_field(folder / 'right.nii', field, head.affine),
        'wrong': write_field(folder / 'wrong.nii', -field, head.affine),
        't1w': save(folder / 't1w.nii', head.t1w, head.affine),
        'mask': save(folder / 'mask.nii', head.brain.astype(np.uint8), head.affine),
        'xfm': write_linear(folder / 'xfm.txt', np.eye(4)),
    }


def judge(files, *displacements):
    given = [files[name] for name in displacements]
    return judge_correction(
        files['epi'], given, files['t1w'], files['mask'], files['xfm'], 'a map'
    ).correction


def test_right_and_wrong_are_told_apart(files):
    right, wrong = judge(files, 'right'), judge(files, 'wrong')
    assert not right.is_doubtful
    assert wrong.is_doubtful
    told = right.facts()
    assert told['SusceptibilityDistortionCorrection'] == 'a map'
    assert told['DistortionCheck']['Opposite'] == pytest.approx(wrong.agreement.after, abs=1e-4)


def test_without_a_displacement_there_is_nothing_to_judge(files):
    assert judge(files) == Correction('a map')


def test_missing_shares_are_none_in_sidecars():
    nothing = Correction('a map', Agreement(np.nan, np.nan, np.nan, 3))
    assert json.loads(json.dumps(nothing.facts()))['DistortionCheck']['After'] is None
    assert not nothing.is_doubtful


def test_a_flag_stands_beside_what_is_said_of_columns(tmp_path):
    path = tmp_path / 'confounds.json'
    path.write_text(json.dumps({'csf': {'Method': 'Mean'}}))
    assert read_flags(path) == []
    tell_flags(path, [])
    assert json.loads(path.read_text()) == {'csf': {'Method': 'Mean'}}
    tell_flags(path, ['doubtful_sdc'])
    assert read_flags(path) == ['doubtful_sdc']
    assert json.loads(path.read_text())['csf'] == {'Method': 'Mean'}


@pytest.mark.parametrize('text', ['', '[]', '{"doubtful_sdc": true}', '{"short": {"Method": "Mean"}}'])
def test_files_of_others_hold_no_flags(tmp_path, text):
    path = tmp_path / 'confounds.json'
    path.write_text(text)
    assert read_flags(path) == []
    assert read_flags(None) == []


def test_a_flag_reaches_the_quality_of_the_run(write_run, tmp_path):
    """Beside what the denoising flags itself; without one nothing is added."""
    files = write_run()
    given = files.bold, files.confounds, DenoiseParams(), T_R, 'run'
    before = design_run(*given, files.metadata, out_dir=tmp_path).metadata['Flags']
    assert 'doubtful_sdc' not in before
    tell_flags(files.metadata, ['doubtful_sdc'])
    assert design_run(*given, files.metadata, out_dir=tmp_path).metadata['Flags'] == [*before, 'doubtful_sdc']
