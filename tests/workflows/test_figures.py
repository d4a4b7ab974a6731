"""The figures of each stage: their inputs are outputs of the workflows, and every choice draws what it should."""

import pytest

from pipelines.interfaces.gallery import DrawFigures
from pipelines.interfaces.templates import target_brain
from pipelines.params import DenoiseParams, MapParams
from pipelines.terms import MAP_MEASURES, default_circuit
from pipelines.workflows import figures
from pipelines.workflows.connectivity import Series, init_connectivity_wf

SPACE = 'MNI152NLin6Asym'
ANATOMY = {'t1w_preproc', 't1w_mask', 't1w_dseg'}


def inputs(gallery):
    return set(DrawFigures(gallery).fields)


def test_anatomy():
    gallery = figures.anatomical_figures(space=SPACE)
    assert gallery.keys() == {'mask', 'normalization', 'placement'}
    assert inputs(gallery) == {*ANATOMY, 't1w_std', 'placement_table', 'placement_dseg', 'std2anat_xfm'}
    fixed = gallery['normalization'].fixed
    assert fixed == {'template': target_brain(SPACE), 'space': SPACE}
    only = figures.anatomical_figures(space=SPACE, is_normalization_only=True)
    assert only.keys() == {'normalization'}
    assert inputs(only) == {'t1w_std'}


def test_alignment():
    assert inputs(figures.functional_figures()) == {'boldref', 'bold2anat_xfm', *ANATOMY}
    standard = figures.functional_figures(is_standard=True)
    assert inputs(standard) == {'mean_bold', *ANATOMY}
    assert standard['coregistration'].arguments['mean_bold'] == 'boldref'


def test_connectivity_is_drawn_from_its_workflow():
    gallery = figures.connectivity_figures(fd_threshold=0.3, space=SPACE, circuit=default_circuit())
    assert gallery.keys() == {'regions', 'carpet', 'seed', 'relmat', *(m.map for m in MAP_MEASURES)}
    producer = init_connectivity_wf(
        denoise=DenoiseParams(), circuit=default_circuit(), maps=MapParams(), series=Series('run', 2.0, SPACE)
    )
    assert inputs(gallery) <= set(producer.get_node('outputnode').interface._fields)
    assert gallery['carpet'].fixed == {'fd_threshold': 0.3}
    assert {gallery[name].fixed['background'] for name in ('seed', 'icc')} == {target_brain(SPACE)}
    assert gallery['icc'].arguments == {
        'icc': 'image', 'mean_bold': 'mean_bold', 'metadata': 'metadata', 'iccnorm': 'normal',
    }  # fmt: skip


@pytest.mark.parametrize('has_motion', [True, False])
@pytest.mark.parametrize('has_t1w', [True, False])
def test_diffusion_scan(has_t1w, has_motion):
    gallery = figures.dwi_figures(has_t1w=has_t1w, space=SPACE, has_motion=has_motion)
    alignment = 'coregistration' if has_t1w else 'normalization'
    assert gallery.keys() == {'mask', 'colorfa', alignment} | ({'motion'} if has_motion else set())
    expected = {'dwiref', 'dwi_mask', 'fa', 'evec'} | (ANATOMY if has_t1w else {'fa_std'})
    assert inputs(gallery) == expected | ({'confounds'} if has_motion else set())
    if not has_t1w:
        assert gallery['normalization'].arguments == {'fa_std': 't1w_std'}
        assert gallery['normalization'].fixed['template'] == target_brain(SPACE)


def test_tract():
    gallery = figures.tract_figures(circuit=default_circuit())
    assert gallery.keys() == {'tract', 'profile', 'threshold'}
    assert inputs(gallery) == {
        'background',
        'probsegs',
        'regions_dseg',
        'scalarstats',
        'profile',
        'threshold',
    }
