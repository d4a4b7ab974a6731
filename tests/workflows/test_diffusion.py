"""The workflows of diffusion scans: every field connected in every configuration, methods text by choice."""

import nibabel as nb
import numpy as np
import pytest

from pipelines.acquisition import Field, FieldSource
from pipelines.params import DwiParams
from pipelines.terms import ESTIMATORS, MODULATED
from pipelines.workflows.diffusion import (
    SESSION_MAPS,
    first_of,
    init_dwi_preprocessed_wf,
    init_dwi_session_wf,
    unjudged,
)
from pipelines.workflows.dwi_scans import SCANS, ScanFiles, init_dwi_scans_wf, init_half_way_wf

from ..wiring import check_wiring

WITH_T1W = {'reference', 't1w_preproc', 't1w_mask', 'session_xfm', 'b0s'}
FIELD = Field(
    FieldSource(kind='phasediff', direction='j-', readout_time=0.05, echo_times=(0.005, 0.0075)), [__file__]
)


@pytest.fixture
def scans(tmp_path):
    """Return two scans of opposite phase encoding; the workflows read their headers alone."""
    found = []
    for name, direction in (('ap', 'j-'), ('pa', 'j')):
        files = [tmp_path / f'{name}.{end}' for end in ('nii.gz', 'bval', 'bvec')]
        nb.save(nb.Nifti1Image(np.ones((2, 2, 2, 7), np.int16), np.eye(4)), files[0])
        for path in files[1:]:
            path.touch()
        found.append(ScanFiles(*map(str, files), direction, 0.05))
    return found


def options(scans, **more):
    return {'scans': scans, 'random_seed': 1, **more}


def prepared(scans, **params):
    return options(scans, params=DwiParams(**params))


@pytest.mark.parametrize('number', [1, 2])
@pytest.mark.parametrize('field', [None, FIELD])
def test_every_field_of_the_scans_is_connected(scans, number, field):
    workflow = init_dwi_scans_wf(field=field, **prepared(scans[:number]))
    check_wiring(workflow)
    assert set(SCANS) < set(workflow.get_node('outputnode').interface._fields)


def test_encodings_and_images_reach_the_step(scans):
    """What shows the distortion of the first scan is told in the methods; without it nothing of it is."""
    workflow = init_dwi_scans_wf(field=FIELD, **prepared(scans))
    given = workflow.get_node('combine').inputs
    assert given.encoding.directions == ('j-', 'j')
    assert given.encoding.source == FIELD.source
    assert given.images == FIELD.images
    assert ESTIMATORS['phasediff'].text + MODULATED in workflow.__desc__
    plain = init_dwi_scans_wf(**prepared(scans))
    assert plain.get_node('combine').inputs.encoding.source is None
    assert ESTIMATORS['phasediff'].text not in plain.__desc__


def test_the_correction_is_held_against_the_t1w_image(scans):
    """With one; without, what was corrected is passed on as it is."""
    judged, plain = (init_dwi_session_wf(has_t1w=has, **options(scans)) for has in (True, False))
    assert 'judge' in judged.list_node_names()
    assert 'judge' not in plain.list_node_names()
    assert unjudged('as somebody did').facts() == {'SusceptibilityDistortionCorrection': 'as somebody did'}
    assert first_of(['a', 'b']) == 'a'


@pytest.mark.parametrize('has_t1w', [True, False])
@pytest.mark.parametrize('use_syn_sdc', [True, False])
def test_every_field_of_a_session_is_connected(scans, has_t1w, use_syn_sdc):
    workflow = init_dwi_session_wf(has_t1w=has_t1w, **options(scans, use_syn_sdc=use_syn_sdc))
    check_wiring(workflow)
    assert (set(workflow.get_node('inputnode').interface._fields) >= WITH_T1W) == has_t1w
    assert ('coregister' in workflow.list_node_names()) == has_t1w
    if has_t1w:
        assert workflow.get_node('coregister').inputs.use_syn == use_syn_sdc


def test_every_field_of_a_preprocessed_session_is_connected(scans):
    dwi, bval, bvec = scans[0][:3]
    workflow = init_dwi_preprocessed_wf(dwi=dwi, bval=bval, bvec=bvec, dwi_mask=dwi, grid_mask=dwi)
    check_wiring(workflow)
    assert set(workflow.get_node('outputnode').interface._fields) == {'person_mask', *SESSION_MAPS}


@pytest.mark.parametrize('n_sessions', [1, 2])
def test_half_way_space(n_sessions):
    workflow = init_half_way_wf(n_sessions=n_sessions, voxel=2.0, random_seed=1)
    check_wiring(workflow)
    assert ('half-way' in workflow.__desc__) == (n_sessions > 1)


def test_memory_grows_with_the_scan(scans, tmp_path):
    big = tmp_path / 'big.nii.gz'
    nb.save(nb.Nifti1Image(np.zeros((100, 100, 40, 30), np.int16), np.eye(4)), big)
    small, large = (
        init_dwi_scans_wf(**prepared([scans[0]._replace(dwi=path)])).get_node('prepare').mem_gb
        for path in (scans[0].dwi, str(big))
    )
    assert large > small + 0.2


def test_methods_text_follows_the_choice(scans):
    assert 'Gibbs' not in init_dwi_scans_wf(**prepared(scans)).__desc__
    assert 'Gibbs' in init_dwi_scans_wf(**prepared(scans, unringing=True)).__desc__
    with_t1w, without = (init_dwi_session_wf(has_t1w=t, **options(scans)).__desc__ for t in (True, False))
    assert 'registered to the T1w image' in with_t1w
    assert 'T1w' not in without
