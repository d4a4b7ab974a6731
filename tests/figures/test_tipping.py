"""Figure of tipping points: what is drawn where, and that no text lies on another."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pipelines.errors import DataError
from pipelines.figures.tipping import plot_remark, plot_tipping

from .test_trial import check_layout, is_drawn_quietly, written

ARMS = {'yoga': 'Yoga', 'gym': 'Exercise with a trainer in a gym', 'wait': 'Waiting list with usual care'}
SHIFTED = {'treated': 'All arms but control', 'both': 'All arms'}
SHIFTS = np.linspace(0, 10, 11)


def curves(arms: list[str]) -> pd.DataFrame:
    rows = [
        (word, arm, shift, -3 + 0.2 * shift, -4 + 0.2 * shift, -2 + 0.3 * shift)
        for word in SHIFTED
        for arm in arms
        for shift in SHIFTS
    ]
    return pd.DataFrame(rows, columns=['shifted', 'arm', 'delta', 'estimate', 'ci_low', 'ci_high'])


def points(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=['shifted', 'arm', 'delta'])


def tipping(table: pd.DataFrame, ends: pd.DataFrame, arms: list[str] | None = None) -> Figure:
    names = {arm: ARMS[arm] for arm in arms or ARMS}
    return plot_tipping(table, ends, title='Pain', units='points', arms=names, shifted=SHIFTED)


def test_a_line_and_a_band_for_every_arm_in_every_panel() -> None:
    figure = tipping(curves(['yoga', 'gym']), points(('treated', 'yoga', 6.67), ('both', 'gym', np.nan)))
    assert [axes.get_title() for axes in figure.axes] == list(SHIFTED.values())
    for axes in figure.axes:
        lines = [line for line in axes.lines if line.get_label() in ARMS.values()]
        assert [line.get_label() for line in lines] == ['Yoga', 'Exercise with a trainer in a gym']
        np.testing.assert_allclose(lines[0].get_xydata(), np.column_stack([SHIFTS, -3 + 0.2 * SHIFTS]))
        assert len(axes.collections) == 2
    ends = [
        [line.get_xdata()[0] for line in axes.lines if line.get_label() == '_tipping'] for axes in figure.axes
    ]
    assert ends == [[6.67], []]
    assert '6.67' in written(figure)
    check_layout(figure)
    assert is_drawn_quietly(figure)


def test_two_arms_need_no_legend_and_one_unit() -> None:
    figure = tipping(
        curves(['yoga']), points(('treated', 'yoga', 0.04), ('both', 'yoga', 9.99)), ['yoga', 'wait']
    )
    assert figure.axes[0].get_legend() is None
    assert 'minus Waiting list with usual care, points' in written(figure)
    check_layout(figure)


def test_tables_that_cannot_be_drawn() -> None:
    with pytest.raises(DataError, match='table is empty'):
        tipping(curves(['yoga'])[:0], points())
    with pytest.raises(DataError, match='arm sham of the table has no label'):
        tipping(curves(['yoga']).replace({'arm': {'yoga': 'sham'}}), points())


def test_a_remark_is_a_figure_of_words() -> None:
    figure = plot_remark('Pain: no missing value could be shifted.')
    assert written(figure) == 'Pain: no missing value could be shifted.'
    check_layout(figure)
