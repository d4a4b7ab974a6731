"""Path diagrams: what stands where, which arrow is dashed, and that nothing lies on anything."""

import io
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, Rectangle

from pipelines.figures.paths import draw_paths, write_interval

COLUMNS = ['mediator', 'path', 'estimate', 'ci_low', 'ci_high', 'p']
LONG = 'Functional connectivity of nucleus accumbens and prefrontal cortex'


def rows(*given) -> pd.DataFrame:
    """Return a table from mediator, path and estimate; intervals of the estimate and half a unit around."""
    table = [(mediator, path, x, x - 0.5, x + 0.5, 0.01) for mediator, path, x in given]
    return pd.DataFrame(table, columns=COLUMNS).assign(analysis='test', se=0.25, n=57, flags='')


def single() -> pd.DataFrame:
    effects = [('a', 0.8), ('b', 0.4), ('indirect', 0.32), ('direct', 0.6), ('total', 0.92)]
    return rows(*(('fc', path, x) for path, x in [*effects, ('proportion', 0.35), ('rho_at_zero', 0.3)]))


def parallel(*mediators: str) -> pd.DataFrame:
    ends = [
        (name, path, x) for name in mediators for path, x in (('a', 0.8), ('b', -0.7), ('indirect', -0.56))
    ]
    joint = '+'.join(mediators)
    return rows(*ends, (joint, 'joint_indirect', -1.1), (joint, 'direct', 0.2), (joint, 'total', -0.9))


def serial() -> pd.DataFrame:
    return pd.concat(
        [parallel('fc', 'score'), rows(('fc>score', 'd21', 0.1), ('fc>score', 'indirect', -0.05))],
        ignore_index=True,
    )


def interaction() -> pd.DataFrame:
    names = ['a', 'b_control', 'b_treatment', 'indirect_control', 'indirect_treatment']
    names += ['interaction', 'direct_control', 'direct_treatment', 'total']
    return rows(*(('fc', name, 0.1 * k) for k, name in enumerate(names, 1)))


SHAPES = {
    'single': single,
    'parallel': lambda: parallel('fc', 'score'),
    'three': lambda: parallel('fc', 'score', 'fa'),
    'serial': serial,
    'interaction': interaction,
}


def draw(table, **changes):
    return draw_paths(table, **({'treatment': 'Exercise', 'outcome': 'Pain (NRS)'} | changes))


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def arrows(figure) -> list[FancyArrowPatch]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]


@pytest.mark.parametrize(('shape', 'n_boxes', 'n_arrows'), [
    ('single', 3, 3), ('parallel', 4, 5), ('three', 5, 7), ('serial', 4, 6), ('interaction', 3, 3),
])  # fmt: skip
def test_boxes_and_arrows(shape, n_boxes, n_arrows):
    figure = draw(SHAPES[shape]())
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert len(boxes) == n_boxes
    assert len(arrows(figure)) == n_arrows


@pytest.mark.parametrize('shape', list(SHAPES))
def test_no_text_lies_on_another_or_leaves_the_page(shape):
    figure = draw(SHAPES[shape](), names={'fc': LONG, 'score': 'Inflammatory gene set'})
    FigureCanvasAgg(figure).draw()
    page = figure.bbox
    shown = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent() for text in shown]
    for box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
    for (one, a), (other, b) in combinations(zip(boxes, map(str, shown)), 2):
        # neighbouring lines may touch by a pixel
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert wide <= 1 or high <= 1, (a, b)


@pytest.mark.parametrize('shape', list(SHAPES))
def test_labels_lie_on_no_other_arrow(shape):
    """A label may interrupt its own arrow: the nearest one."""
    figure = draw(SHAPES[shape]())
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    labels = [text for text in axes.texts if '[' in text.get_text() and text.get_position()[1] > 0]
    lines = [arrow.get_path().vertices for arrow in arrows(figure)]
    ends = [(line.min(axis=0), line.max(axis=0)) for line in lines]
    assert len(labels) == len(ends)
    to_data = axes.transData.inverted()
    for label in labels:
        box = label.get_window_extent().transformed(to_data)
        crossed = 0
        for arrow in arrows(figure):
            start, stop = (np.array(point) for point in arrow._posA_posB)
            points = start + np.linspace(0, 1, 400)[:, None] * (stop - start)
            inside = (points > [box.x0, box.y0]).all(axis=1) & (points < [box.x1, box.y1]).all(axis=1)
            crossed += inside.any()
        assert crossed <= 1, label.get_text()


def test_boxes_of_nearer_mediators_are_not_crossed():
    figure = draw(parallel('fc', 'score', 'fa', 'bdnf', 'icc'))
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    for arrow in arrows(figure):
        start, stop = (np.array(point) for point in arrow._posA_posB)
        points = start + np.linspace(0.01, 0.99, 400)[:, None] * (stop - start)
        for box in boxes:
            low, high = np.array(box.get_xy()), np.array(box.get_xy()) + (box.get_width(), box.get_height())
            assert not ((points > low + 1e-6) & (points < high - 1e-6)).all(axis=1).any()


def test_numbers_stand_at_their_paths():
    shown = texts(draw(single()))
    assert {'Exercise', 'Pain (NRS)', 'fc', '0.80\n[0.30, 1.30]', '0.60 [0.10, 1.10]'} <= set(shown)
    assert {'indirect', '0.32 [−0.18, 0.82]', 'ρ where indirect is 0'} <= set(shown)
    assert any(text.startswith('n = 57 people') for text in shown)


def test_arrows_point_from_left_to_right():
    for make in SHAPES.values():
        for arrow in arrows(draw(make())):
            (start, _), (stop, _) = arrow._posA_posB
            assert stop > start


def test_arrows_begin_and_end_at_boxes():
    figure = draw(serial())
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    for arrow in arrows(figure):
        for x, y in arrow._posA_posB:
            gaps = [
                max(
                    abs(x - box.get_center()[0]) - box.get_width() / 2,
                    abs(y - box.get_center()[1]) - box.get_height() / 2,
                )
                for box in boxes
            ]
            assert min(np.abs(gaps)) < 1e-6


def test_dashed_where_the_interval_includes_zero():
    # of a single mediator: direct 0.6, a 0.8, b 0.4, each with half a unit around
    dashed = [arrow.get_linestyle() != 'solid' for arrow in arrows(draw(single()))]
    assert dashed == [False, False, True]


def test_chains_and_arms_are_named():
    assert {'via fc', 'via score', 'via both in turn', 'indirect, all mediators'} <= set(
        texts(draw(serial()))
    )
    shown = texts(draw(interaction()))
    assert any(text.startswith('control 0.20') and 'treatment 0.30' in text for text in shown)
    assert {'indirect, slope of control', 'direct, mediator as in treatment'} <= set(shown)


def test_missing_proportion_is_written():
    table = single()
    table.loc[table.path == 'proportion', ['estimate', 'ci_low', 'ci_high', 'p']] = np.nan
    assert 'n/a' in texts(draw(table))


def test_very_small_p():
    assert 'p < 0.001' in texts(draw(single().assign(p=0.0002)))


@pytest.mark.parametrize('low', [-0.001, -0.02, -7.0, -300.0])
def test_digits_follow_the_interval(low):
    estimate, interval = write_interval(-low / 2, low, 3 * -low)
    shown = [float(text.replace('−', '-')) for text in interval.strip('[]').split(',')]
    # two digits of the half width: rounding moves a limit by at most a 20th of it
    assert shown == pytest.approx([low, -3 * low], abs=0.05 * 2 * -low)
    assert len(estimate) <= 7


def test_no_negative_zero():
    assert write_interval(-0.001, -0.5, 0.5)[0] == '0.00'


def test_curve_is_drawn_with_its_zero():
    rho = np.linspace(-0.9, 0.9, 181)
    effect = 2 * (0.3 - rho)
    for values in (rho, effect):
        values.setflags(write=False)
    figure = draw(single(), curve=(rho, effect))
    panel = figure.axes[1]
    lines = [line for line in panel.lines if len(line.get_xdata()) == 181]
    assert np.array_equal(lines[0].get_ydata(), effect)
    assert 'ρ = 0.30' in texts(figure)
    assert panel.get_xlim() == (-0.9, 0.9)
    assert figure.get_figheight() > draw(single()).get_figheight()


def test_curve_without_zero():
    figure = draw(single(), curve=(np.array([-0.5, 0.5]), np.array([1.0, 2.0])))
    assert not any('ρ = ' in text for text in texts(figure))


def test_fits_a_telephone_and_is_svg():
    figure = draw(single())
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg')
    assert '<svg' in buffer.getvalue()
    # 390 pixels of 1/96 inch are 293 points: text of 8.5 points of 374 is shown with 6.6 points, 8.9 pixels
    smallest = min(text.get_fontsize() for text in figure.axes[0].texts)
    assert smallest / (figure.get_figwidth() * 72) * 390 >= 8.8


def test_notes_stand_below_the_effects():
    notes = ['mediator at week 6, outcome at week 12', 'effects are differences in risk']
    plain, noted = draw(single()), draw(single(), notes=notes)
    assert [text for text in texts(noted) if text not in texts(plain)] == notes
    assert noted.get_figheight() > plain.get_figheight()
    lines = {text.get_text(): text.get_position()[1] for text in noted.axes[0].texts}
    assert (
        lines['total']
        > lines['n = 57 people; 95 % intervals; dashed: includes 0']
        > lines[notes[0]]
        > lines[notes[1]]
    )
    assert lines[notes[1]] > noted.axes[0].get_ylim()[0]


def test_three_in_series_are_refused():
    table = pd.concat([parallel('a1', 'a2', 'a3'), rows(('a1>a2', 'd21', 0.1))], ignore_index=True)
    with pytest.raises(ValueError, match='3 mediators in series'):
        draw(table)
