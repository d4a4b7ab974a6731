"""The workflows of QSIPrep's anatomy: every field connected, whether labels are split, methods text."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.interfaces.transforms import write_linear
from pipelines.workflows.diffusion import init_dwi_preprocessed_wf, init_dwi_session_wf
from pipelines.workflows.dwi_anatomy import (
    BETWEEN,
    LABELLED,
    AnatomyFiles,
    init_between_wf,
    init_tissues_wf,
)
from pipelines.workflows.dwi_scans import ScanFiles

from ..wiring import check_wiring


@pytest.fixture
def anatomies(tmp_path):
    """Return two anatomies with probabilities of tissue."""
    found = []
    for session in ('pre', 'post'):
        files = [tmp_path / f'{session}_{name}.nii.gz' for name in ('t1w', 'mask', 'dseg', 'gm', 'wm', 'csf')]
        for path in files:
            nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), path)
        xfm = write_linear(tmp_path / f'{session}.txt', np.eye(4))
        t1w, mask, dseg, *probsegs = map(str, files)
        found.append(AnatomyFiles(t1w, mask, dseg, str(xfm), probsegs, None))
    return found


def labelled(anatomies, labels=None):
    return [anatomy._replace(probsegs=[], labels=labels) for anatomy in anatomies]


@pytest.mark.parametrize('labels', [None, {'gm': [1], 'wm': [2], 'csf': [3]}])
def test_every_field_of_split_labels_is_connected(anatomies, labels):
    workflow = init_tissues_wf(anatomy=labelled(anatomies, labels)[0])
    check_wiring(workflow)
    assert tuple(workflow.get_node('outputnode').interface._fields) == LABELLED
    split = workflow.get_node('split').inputs
    assert (split.t1w_dseg, split.labels) == (anatomies[0].t1w_dseg, labels)
    assert 'averaged over the voxels' in workflow.__desc__


@pytest.mark.parametrize('has_tissue', [True, False])
def test_every_field_between_sessions_is_connected(anatomies, has_tissue):
    given = anatomies if has_tissue else labelled(anatomies)
    workflow = init_between_wf(anatomies=given, voxel=2.0, random_seed=1)
    check_wiring(workflow)
    assert set(workflow.get_node('outputnode').interface._fields) > set(BETWEEN)
    between = workflow.get_node('between').inputs
    assert between.t1w_preprocs == [anatomy.t1w_preproc for anatomy in anatomies]
    assert between.std2anat_xfms == [anatomy.std2anat_xfm for anatomy in anatomies]
    if has_tissue:
        assert between.probsegs == [anatomy.probsegs for anatomy in anatomies]
    assert (workflow.get_node('split') is None) == has_tissue
    assert ('averaged over the voxels' in workflow.__desc__) != has_tissue
    assert 'half-way between them' in workflow.__desc__


def test_labels_of_all_are_used_where_one_has_no_probabilities(anatomies):
    """Sessions of one person are compared: their tissue is told alike."""
    given = [anatomies[0], *labelled(anatomies[1:])]
    split = init_between_wf(anatomies=given, voxel=2.0, random_seed=1).get_node('split').inputs
    assert split.t1w_dseg == [anatomy.t1w_dseg for anatomy in anatomies]


@pytest.mark.parametrize('grid_mask', ['mask.nii.gz', ''])
def test_the_grid_of_a_series_is_given_or_found(tmp_path, grid_mask):
    """With anatomies of sessions the person's grid, and the way to each, come from another workflow."""
    files = {name: str(tmp_path / f'{name}.nii.gz') for name in ('dwi', 'bval', 'bvec', 'dwi_mask')}
    for path in files.values():
        nb.save(nb.Nifti1Image(np.ones((2, 2, 2, 7), np.int16), np.eye(4)), path)
    grid = files['dwi_mask'] if grid_mask else ''
    workflow = init_dwi_preprocessed_wf(**files, grid_mask=grid)
    check_wiring(workflow)
    inputnode = workflow.get_node('inputnode')
    assert (inputnode is None) == bool(grid)
    if inputnode:
        assert inputnode.interface._fields == ['person_mask', 'person2session_xfm']


@pytest.mark.parametrize('number', [1, 2])
def test_the_methods_speak_of_gain_where_it_was_compared(tmp_path, number):
    path = tmp_path / 'dwi.nii.gz'
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2, 7), np.int16), np.eye(4)), path)
    scans = [ScanFiles(str(path), str(path), str(path), 'j', 0.05)] * number
    workflow = init_dwi_session_wf(scans=scans, has_t1w=True, random_seed=1)
    assert ('median ratio of their b = 0 images' in workflow.__desc__) == (number > 1)
