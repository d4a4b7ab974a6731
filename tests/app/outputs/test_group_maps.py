"""Names of group maps: t and F have files of their own, and sidecars that say which."""

from pathlib import Path

import pytest

from bids_app.outputs.group import STATISTICS, end_of_test, of_map_figures, of_maps


@pytest.mark.parametrize('statistic', ['t', 'F'])
def test_maps_of_a_test_are_named_after_its_statistic(statistic):
    planned = list(of_maps(Path('out'), 'S', 'NAc', 2, [('armOnChange', 't'), ('other', statistic)]))
    own = {plan.row.output: plan for plan in planned if plan.row.output.endswith('[2][1]')}
    assert list(own) == [f'{output}[2][1]' for output in STATISTICS]
    names = [plan.path.name for plan in own.values()]
    assert names[0] == f'tpl-S_seg-NAc_desc-other_stat-{statistic}_statmap.nii.gz'
    assert names[2] == f'tpl-S_seg-NAc_desc-other_stat-logpmax{statistic}_statmap.nii.gz'
    assert own['statistic[2][1]'].row.description == f'{statistic} statistic'
    assert len({plan.path for plan in planned}) == len(planned) == 2 + 2 * len(STATISTICS)


def test_an_unknown_map_of_a_test_is_refused():
    with pytest.raises(KeyError):
        end_of_test('armOnChange', 'nothing')


def test_figures_are_of_the_tests():
    names = [plan.path.name for plan in of_map_figures(Path('out'), 'icc', 0, ['armsOnChange'])]
    assert names == ['icc_armsOnChange.svg', 'icc_count.svg']
