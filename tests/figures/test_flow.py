"""The flow of participants: boxes level, inside the paper, none over another, for any number of arms."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from pipelines.errors import DataError
from pipelines.figures.flow import FlowStage, plot_flow


def boxes_of(axes: Axes) -> list[Rectangle]:
    """Return the boxes, without the bands that name stages."""
    return [p for p in axes.patches if isinstance(p, Rectangle) and p.get_facecolor()[0] == 1]


def arrow_ends(axes: Axes) -> list[tuple[float, float]]:
    return [patch._posA_posB[1] for patch in axes.patches if isinstance(patch, FancyArrowPatch)]


class TestFlow:
    def test_boxes_of_both_arms_are_level_and_arrows_end_at_them(self) -> None:
        stages = [
            FlowStage('Allocation', ([('Allocated', '3')], [('Allocated', '2')])),
            FlowStage('Analysis', ([], [('Pain', '2')])),
        ]
        axes = plot_flow([('Randomised', '5')], ('a', 'b'), stages).axes[0]
        boxes = boxes_of(axes)
        assert len(boxes) == 5
        assert [boxes[1].get_y(), boxes[3].get_y()] == [boxes[2].get_y(), boxes[4].get_y()]
        assert boxes[3].get_height() == boxes[4].get_height()
        ends = [end[1] for end in arrow_ends(axes)]
        assert ends == [box.get_y() for box in boxes[1:]]

    def test_long_names_go_on_in_the_next_line(self) -> None:
        name = 'Power at 85 % of the maximal aerobic power of a submaximal test'
        figure = plot_flow([], ('a', 'b'), [FlowStage('Analysis', ([(name, '12')], []))])
        figure.canvas.draw()
        axes = figure.axes[0]
        texts = {text.get_text(): text.get_window_extent() for text in axes.texts}
        assert ' '.join(word for word in texts if len(word) > 1 and word in name) == name
        limit = next(p for p in axes.patches[2:] if type(p).__name__ == 'Rectangle').get_window_extent()
        lines = [box for word, box in texts.items() if len(word) > 1 and word in name]
        assert all(box.x1 < texts['12'].x0 or box.y1 < texts['12'].y0 for box in lines)
        assert all(box.x1 < limit.x1 for box in lines)

    @pytest.mark.parametrize('n', [1, 2, 3])
    def test_the_name_of_a_stage_is_written_in_full_inside_its_band(self, n: int) -> None:
        name = 'Visit after the end of treatment (ses-w12, week 12)'
        stages = [FlowStage('Allocation', [[]] * n), FlowStage(name, [[]] * n)]
        figure = plot_flow([], [f'arm {number}' for number in range(n)], stages)
        figure.canvas.draw()
        axes = figure.axes[0]
        *_, band = (p for p in axes.patches if isinstance(p, Rectangle) and p.get_facecolor()[0] != 1)
        frame = band.get_window_extent()
        own = [t for t in axes.texts if t.get_window_extent().overlaps(frame)]
        assert ' '.join(text.get_text() for text in own) == name
        assert all(frame.y0 < t.get_window_extent().y0 < t.get_window_extent().y1 < frame.y1 for t in own)
        assert all(frame.x0 < t.get_window_extent().x0 < t.get_window_extent().x1 < frame.x1 for t in own)
        assert not any(frame.overlaps(box.get_window_extent()) for box in boxes_of(axes))

    def test_without_a_stage_there_is_no_flow(self) -> None:
        with pytest.raises(DataError, match='no stage'):
            plot_flow([('Randomised', '5')], ('a', 'b'), [])

    def test_without_an_arm_there_is_no_flow(self) -> None:
        with pytest.raises(DataError, match='no arm'):
            plot_flow([], (), [FlowStage('Analysis', ())])

    def test_a_stage_has_a_box_for_every_arm(self) -> None:
        with pytest.raises(DataError, match='stage Analysis has 2 boxes for 3 arms'):
            plot_flow([], ('a', 'b', 'c'), [FlowStage('Analysis', ([], []))])

    @pytest.mark.parametrize('n', [1, 2, 3, 4, 5, 7])
    def test_columns_of_any_number_of_arms_stand_side_by_side_on_the_paper(self, n: int) -> None:
        arms = [f'supervised walking, group {number}' for number in range(n)]
        stages = [
            FlowStage('Allocation', [[('Allocated', str(number))] for number in range(n)]),
            FlowStage('T1 (w6, week 6)', [[('Pain of the last seven days', '10'), ('Disability', '9')]] * n),
        ]
        figure = plot_flow([('Randomised', '50')], arms, stages)
        axes = figure.axes[0]
        _, *columns = boxes_of(axes)
        assert len(columns) == 2 * n
        for row in (columns[:n], columns[n:]):
            edges = [(box.get_x(), box.get_x() + box.get_width()) for box in row]
            assert all(end < start for (_, end), (start, _) in pairwise(edges))
            assert edges[0][0] > 0
            assert edges[-1][1] < axes.get_xlim()[1]
            assert len({(box.get_y(), box.get_height()) for box in row}) == 1
        middles = [(box.get_x() + box.get_width() / 2, box.get_y()) for box in columns]
        assert np.array(arrow_ends(axes)) == pytest.approx(np.array(middles))
        figure.canvas.draw()
        by_text = {text.get_text(): text.get_window_extent() for text in axes.texts}
        assert {'Allocation', 'T1 (w6, week 6)', '50'} <= set(by_text)
        frame = columns[-1].get_window_extent()
        own = [t for t in axes.texts if frame.contains(*t.get_window_extent().get_points().mean(axis=0))]
        assert len(own) >= 5
        assert all(t.get_window_extent().x0 > frame.x0 and t.get_window_extent().x1 < frame.x1 for t in own)
