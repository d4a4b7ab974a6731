"""The connectivity workflow: every field connected in every configuration, methods text by choice."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.params import DenoiseParams, MapParams, RegionParams
from pipelines.workflows.connectivity import Series, init_connectivity_wf

from ..wiring import check_wiring

FREESURFER = frozenset({'aseg', 'aparcaseg', 'anat2std_xfm'})
DENOISED = frozenset({'denoised', 'denoised_smoothed'})


def make(writes_denoised=False, **params):
    kinds = {'denoise': DenoiseParams, 'regions': RegionParams, 'maps': MapParams}
    asked = {
        name: kind(**{key: value for key, value in params.items() if key in kind.__dataclass_fields__})
        for name, kind in kinds.items()
    }
    regions = asked.pop('regions')
    return init_connectivity_wf(
        **asked,
        circuit=regions.circuit(),
        series=Series('run', 2.0, 'MNI152NLin6Asym'),
        writes_denoised=writes_denoised,
    )


@pytest.mark.parametrize(
    ('params', 'unused', 'empty'),
    [
        ({}, FREESURFER, DENOISED),
        ({'writes_denoised': True}, FREESURFER, frozenset()),
        ({'nac': 'freesurfer'}, frozenset(), DENOISED),
        ({'mpfc': 'freesurfer', 'writes_denoised': True, 'denoising': 'conn'}, frozenset(), frozenset()),
    ],
)
def test_every_field_is_connected(params, unused, empty):
    check_wiring(make(**params), unused=unused, empty=empty)


def test_wiring_check_finds_a_field_that_nobody_declared():
    workflow = make()
    design, clean = workflow.get_node('design'), workflow.get_node('clean')
    workflow.connect([(workflow.get_node('inputnode'), clean, [('forgotten', 'space')])])
    with pytest.raises(AssertionError, match='forgotten'):
        check_wiring(workflow, unused=FREESURFER, empty=DENOISED)
    assert design is not None


def test_region_file_is_an_absolute_path_of_its_node(tmp_path, monkeypatch):
    """Nodes run in folders of their own; a changed file must repeat the step."""
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), tmp_path / 'mine.nii.gz')
    monkeypatch.chdir(tmp_path)
    inputs = make(mpfc='mine.nii.gz:3').get_node('regions').inputs
    assert inputs.circuit.by_name['mPFC'].choice == f'{tmp_path}/mine.nii.gz:3'
    assert inputs.files == [str(tmp_path / 'mine.nii.gz')]


@pytest.mark.parametrize(
    ('params', 'says'),
    [
        ({}, 'five white-matter and five cerebrospinal-fluid'),
        ({'denoising': '24p'}, '24 motion parameters'),
        ({'high_pass': 0.0}, 'frequencies above 0.09 Hz'),
        ({'low_pass': 0.0}, 'frequencies below 0.008 Hz'),
        ({'fwhm': 0.0}, 'from unsmoothed data'),
        ({'icc_mask': 'brain'}, 'all voxels of the brain'),
        ({'denoising': 'conn'}, '64 components'),
    ],
)
def test_methods_text_says_what_was_done(params, says):
    assert says in ' '.join(make(**params).__desc__.split())
