"""The figure of power: marks, intervals, closed form and what was asked."""

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.figures.power import plot_power
from tests.figures.test_trial import check_layout, written


def table(arms=('yoga',), analyses=('primary',)):
    rows = [
        {'analysis': a, 'arm': arm, 'n': n, 'power': 0.5 + n / 400, 'mc_se': 0.02, 'closed_form': 0.48 + n / 400 if len(arms) == 1 else np.nan, 'is_planned': n == 90}
        for a in analyses for arm in arms for n in (60, 90, 120)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_marks_are_the_simulated_powers_and_lines_what_was_asked():
    figure = plot_power(table(), title='Pain', target=0.8)
    (axes,) = figure.axes
    (marks,) = axes.containers
    assert marks.lines[0].get_xydata().tolist() == [[60, 0.65], [90, 0.725], [120, 0.8]]
    closed = next(line for line in axes.lines if line.get_label() == '_closed form')
    assert closed.get_ydata() == pytest.approx([0.63, 0.705, 0.78])
    assert [0.8, 0.8] in [list(line.get_ydata()) for line in axes.lines]
    assert [90, 90] in [list(line.get_xdata()) for line in axes.lines]
    assert 'Grey line: closed form' in written(figure)
    check_layout(figure)


def test_arms_and_analyses_have_marks_of_their_own():
    figure = plot_power(
        table(('yoga', 'walking', 'every arm'), ('primary', 'mediation')), title='Pain', target=None
    )
    assert [axes.get_title() for axes in figure.axes] == ['Primary contrast', 'Mediation path']
    assert [len(axes.containers) for axes in figure.axes] == [3, 3]
    assert 'closed form' not in written(figure)
    check_layout(figure)


def test_intervals_stay_between_0_and_1():
    figure = plot_power(table().assign(power=[0.0, 0.99, 1.0], mc_se=0.05), title='Pain', target=0.8)
    ends = np.concatenate([bar.get_segments() for bar in figure.axes[0].containers[0].lines[2]])
    assert ends[..., 1].min() >= 0
    assert ends[..., 1].max() <= 1


def test_nothing_to_draw_is_refused():
    with pytest.raises(DataError, match='table is empty'):
        plot_power(table()[:0], title='Pain', target=0.8)
