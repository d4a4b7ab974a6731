"""The figure workflows of the diffusion analysis: every picture connected, in every configuration."""

import pytest

from pipelines.interfaces.templates import target_brain
from pipelines.workflows import figures

from ..wiring import check_wiring

ANATOMY = frozenset({'t1w_preproc', 't1w_mask', 't1w_dseg'})
SPACE = 'MNI152NLin6Asym'


@pytest.mark.parametrize('has_motion', [True, False])
@pytest.mark.parametrize('has_t1w', [True, False])
def test_pictures_of_a_scan(has_t1w: bool, has_motion: bool) -> None:
    workflow = figures.init_diffusion_figures_wf(has_t1w=has_t1w, space=SPACE, has_motion=has_motion)
    unused = (frozenset({'fa_std'}) if has_t1w else ANATOMY) | ({'confounds'} if not has_motion else set())
    check_wiring(workflow, unused=unused)
    made = set(workflow.get_node('outputnode').interface._fields)
    expected = {'mask_figure', 'colorfa_figure'} | ({'motion_figure'} if has_motion else set())
    assert made == expected | {'coregistration_figure' if has_t1w else 'normalization_figure'}


def test_pictures_of_the_tract() -> None:
    workflow = figures.init_tract_figures_wf()
    check_wiring(workflow)
    made = set(workflow.get_node('outputnode').interface._fields)
    assert made == {'tract_figure', 'profile_figure', 'threshold_figure'}


def test_fa_is_shown_on_the_template_of_the_space() -> None:
    workflow = figures.init_diffusion_figures_wf(has_t1w=False, space=SPACE, has_motion=False)
    node = workflow.get_node('plot_normalization')
    assert node.inputs.template == str(target_brain(SPACE))
    ((_, _, data),) = workflow._graph.in_edges(node, data=True)
    assert data['connect'] == [('fa_std', 't1w_std')]


def test_figures_say_nothing_about_the_methods() -> None:
    made = figures.init_diffusion_figures_wf(has_t1w=True, space=SPACE, has_motion=True)
    assert made.visit_desc() == figures.init_tract_figures_wf().visit_desc() == ''
