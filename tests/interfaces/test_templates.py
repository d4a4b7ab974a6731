"""The packaged templates: the right anatomy, the right way round, TemplateFlow's in their place."""

import shutil

import nibabel as nb
import numpy as np
import pytest

from pipelines.errors import ParameterError
from pipelines.interfaces import templates
from pipelines.numerics.resample import grid_points, sample

SPACES = ['MNI152NLin6Asym', 'MNI152NLin2009cAsym']


@pytest.mark.real
@pytest.mark.parametrize('space', SPACES)
def test_packaged_brain_is_the_template_and_not_its_mirror_image(space, test_data):
    """Against the brain that TemplateFlow distributes: r above 0.999; turned left to right 0.8."""
    theirs = nb.load(test_data / 'templates' / f'tpl-{space}_res-01_desc-brain_T1w.nii.gz')
    values = np.asarray(theirs.dataobj, np.float32)[::3, ::3, ::3]
    points = grid_points(values.shape, theirs.affine @ np.diag([3, 3, 3, 1]))
    ours = nb.load(templates.target_brain(space))
    data = np.asarray(ours.dataobj, np.float32)
    straight, mirrored = (sample(data, ours.affine, points * [x, 1, 1]) for x in (1, -1))
    inside = (values.ravel() > 0) & (straight > 0) & (mirrored > 0)
    assert np.corrcoef(values.ravel()[inside], straight[inside])[0, 1] > 0.999
    assert np.corrcoef(values.ravel()[inside], mirrored[inside])[0, 1] < 0.85


def test_brain_of_templateflow_is_used_when_its_content_is_there(tmp_path, monkeypatch):
    own = templates.target_brain(SPACES[0])
    folder = tmp_path / f'tpl-{SPACES[0]}'
    folder.mkdir()
    theirs = folder / f'tpl-{SPACES[0]}_res-01_desc-brain_T1w.nii.gz'
    theirs.touch()
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(tmp_path))
    assert templates.target_brain(SPACES[0]) == own
    shutil.copyfile(own, theirs)
    assert templates.target_brain(SPACES[0]) == theirs


def test_unknown_template_names_those_known():
    with pytest.raises(ParameterError, match='MNI152NLin6Asym, MNI152NLin2009cAsym'):
        templates.target_brain('MNI305')
