"""Figures of a trial's tables: what stands where, what is counted, and that no text lies on another."""

import io
import itertools
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from pandas.testing import assert_frame_equal
from scipy import stats

from pipelines.errors import DataError
from pipelines.figures.forest import ForestWords, plot_forest
from pipelines.figures.timecourse import geometric_mean_interval, plot_time_course
from pipelines.figures.trajectories import TrajectoryWords, plot_trajectories
from pipelines.figures.trial import MANY, looks_of, mean_interval, name_people

ARMS = {'treatment': 'Exercise', 'control': 'Wait-list'}
VISITS = {'baseline': 'Week 0', 'followup': 'Week 14'}
SAMPLES = {
    's7_pre': ('Session 7', 'before'),
    's7_post': ('Session 7', 'after'),
    's42_pre': ('Session 42', 'before'),
    's42_post': ('Session 42', 'after'),
}
LONG = 'Fractional anisotropy of the tract between nucleus accumbens and medial prefrontal cortex, both sides'
LONG_ARMS = {
    'treatment': 'Individualised aerobic exercise programme',
    'control': 'Waiting list with usual care',
}
SAID = ForestWords(title='Effects', treatment='exercise', control='wait-list')


def seen(figure: Figure) -> list[Text]:
    """Return every text that is drawn: ticks beyond the ends of their axis are not."""
    texts = [*figure.texts]
    for axes in figure.axes:
        texts += [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            texts += [label for tick in ticks for label in (tick.label1, tick.label2)]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def boxes(figure: Figure) -> dict[str, list]:
    """Return the places in pixels of every text that is seen."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found: dict[str, list] = {}
    for text in seen(figure):
        found.setdefault(text.get_text(), []).append(text.get_window_extent(canvas.get_renderer()))
    return found


def check_layout(figure: Figure) -> None:
    """Assert that all texts lie inside the figure and apart from each other."""
    places = [(text, box) for text, every in boxes(figure).items() for box in every]
    width, height = figure.get_size_inches() * figure.dpi
    for text, box in places:
        # a pixel of rounding
        assert -1 <= box.x0 <= box.x1 <= width + 1, text
        assert -1 <= box.y0 <= box.y1 <= height + 1, text
    for (one, a), (other, b) in itertools.combinations(places, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        up = min(a.y1, b.y1) - max(a.y0, b.y0)
        # boxes are as high as the tallest letter: neighbouring lines may share a pixel or two
        assert across <= 1 or up <= 2, f'{one!r} lies on {other!r}'


def written(figure: Figure) -> str:
    return '\n'.join(text.get_text() for text in seen(figure)).replace('\n', ' ')


def is_drawn_quietly(figure: Figure) -> bool:
    """Return whether it can be saved as SVG without a warning and without a thousand paths."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        figure.savefig(buffer, format='svg')
    return buffer.getvalue().count(b'<path') < 1000


def people(
    rng: np.random.Generator, n: tuple[int, int] = (12, 10), missing: float = 0.2, scale: float = 1.0
) -> pd.DataFrame:
    rows = []
    for arm, size in zip(ARMS, n):
        for number in range(size):
            for visit in VISITS:
                value = scale * rng.integers(0, 11)
                rows.append((f'sub-{arm}{number}', arm, visit, np.nan if rng.random() < missing else value))
    return pd.DataFrame(rows, columns=['participant_id', 'arm', 'visit', 'value'])


def trajectories(
    table: pd.DataFrame, effects: list[tuple] | None = None, words: str = '', **more: object
) -> Figure:
    course = TrajectoryWords(**({'title': 'Pain', 'units': 'points', 'visits': VISITS, 'arms': ARMS} | more))
    columns = ['arm', 'visit', 'estimate', 'ci_low', 'ci_high']
    return plot_trajectories(table, course, effects and pd.DataFrame(effects, columns=columns), words)


class TestMeanInterval:
    def test_is_that_of_the_one_sample_t_test(self, rng: np.random.Generator) -> None:
        values = rng.normal(3, 2, 14)
        values.setflags(write=False)
        wanted = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        found = mean_interval(values)
        # rounding of float64
        assert found == pytest.approx((values.mean(), wanted.low, wanted.high), rel=1e-12)

    def test_missing_values_do_not_count(self) -> None:
        assert mean_interval([1, np.nan, 3, 8]) == mean_interval([1, 3, 8])

    def test_geometric_is_that_of_the_logarithms(self, rng: np.random.Generator) -> None:
        values = rng.lognormal(6, 0.5, 20)
        wanted = stats.ttest_1samp(np.log(values), 0).confidence_interval(0.95)
        found = geometric_mean_interval(values)
        assert found == pytest.approx(
            (stats.gmean(values), np.exp(wanted.low), np.exp(wanted.high)), rel=1e-12
        )


class TestTrajectories:
    def test_every_person_with_both_visits_has_a_line(self, rng: np.random.Generator) -> None:
        table = people(rng)
        figure = trajectories(table)
        wide = table.pivot(index=['arm', 'participant_id'], columns='visit', values='value')
        for axes, arm in zip(figure.axes, ARMS):
            (lines,) = (c for c in axes.collections if c.get_linewidth()[0] == pytest.approx(0.8))
            ends = sorted(tuple(segment[:, 1]) for segment in lines.get_segments())
            assert ends == sorted(wide.loc[arm].dropna().itertuples(index=False, name=None))

    def test_people_with_one_visit_are_points_there(self, rng: np.random.Generator) -> None:
        table = people(rng, missing=0.4)
        wide = table.pivot(index=['arm', 'participant_id'], columns='visit', values='value')
        for axes, arm in zip(trajectories(table).axes, ARMS):
            (points,) = (line for line in axes.lines if line.get_label() == 'one visit')
            alone = wide.loc[arm][wide.loc[arm].isna().sum(axis=1) == 1]
            x, y = points.get_data()
            for number, visit in enumerate(VISITS):
                assert sorted(y[np.round(x) == number]) == sorted(alone[visit].dropna())

    def test_means_and_their_intervals(self, rng: np.random.Generator) -> None:
        table = people(rng)
        for axes, arm in zip(trajectories(table).axes, ARMS):
            (means,) = axes.containers
            for number, visit in enumerate(VISITS):
                here = table[(table['arm'] == arm) & (table['visit'] == visit)]['value']
                centre, low, high = mean_interval(here)
                assert means.lines[0].get_ydata()[number] == pytest.approx(centre)
                segment = means.lines[2][0].get_segments()[number]
                assert segment[:, 1] == pytest.approx([low, high])

    def test_numbers_of_people_are_below_their_visit(self, rng: np.random.Generator) -> None:
        table = people(rng)
        for axes, arm in zip(trajectories(table).axes, ARMS):
            ticks = [label.get_text() for label in axes.get_xticklabels()]
            counts = table[table['arm'] == arm].groupby('visit')['value'].count()
            assert ticks == [f'{label}\nn = {counts[visit]}' for visit, label in VISITS.items()]

    def test_panels_share_their_axis(self, rng: np.random.Generator) -> None:
        first, second = trajectories(people(rng)).axes
        assert first.get_ylim() == second.get_ylim()
        assert [axes.get_title() for axes in (first, second)] == ['Exercise\nn = 12', 'Wait-list\nn = 10']

    @pytest.mark.parametrize(
        ('lower_is_better', 'arrow'), [(True, '← better'), (False, 'better →'), (None, '')]
    )
    def test_arrow_points_to_the_better_end(
        self, rng: np.random.Generator, lower_is_better: bool | None, arrow: str
    ) -> None:
        label = trajectories(people(rng), lower_is_better=lower_is_better).axes[0].yaxis.label
        assert label.get_rotation() == 90  # text runs upwards: an arrow to its right points up
        assert label.get_text() == f'points\n{arrow}'.strip()

    def test_difference_has_a_panel_with_its_number(self, rng: np.random.Generator) -> None:
        figure = trajectories(
            people(rng), [('treatment', 'followup', -1.5, -2.4, -0.6)], '−1.5 (−2.4 to −0.6)'
        )
        panel = figure.axes[2]
        (bar,) = panel.containers
        assert bar.lines[2][0].get_segments()[0][:, 1] == pytest.approx([-2.4, -0.6])
        assert panel.get_ylim()[1] > 0 > panel.get_ylim()[0]  # the line of no difference is inside
        assert '−1.5 (−2.4 to −0.6)' in written(figure)
        assert 'Exercise minus Wait-list, adjusted, with 95 % CI' in written(figure)

    def test_difference_that_is_missing_is_said(self, rng: np.random.Generator) -> None:
        panel = trajectories(people(rng), [('treatment', 'followup', *[np.nan] * 3)], 'too few').axes[2]
        assert [text.get_text() for text in panel.texts] == ['n/a']
        assert len(panel.get_yticks()) == 0

    def test_one_arm_has_one_panel_and_its_own_look(self, rng: np.random.Generator) -> None:
        (axes,) = trajectories(people(rng, (0, 6), missing=0)).axes
        assert axes.get_title() == 'Wait-list\nn = 6'
        assert axes.containers[0].lines[0].get_linestyle() == '--'

    def test_a_visit_that_nobody_came_to(self, rng: np.random.Generator) -> None:
        table = people(rng, missing=0)
        table.loc[table['visit'] == 'followup', 'value'] = np.nan
        figure = trajectories(table)
        assert written(figure).count('n = 0') == 2
        assert not any(c.get_segments() for a in figure.axes for c in a.collections[:1])
        check_layout(figure)

    def test_one_person_has_a_mean_and_no_interval(self, rng: np.random.Generator) -> None:
        figure = trajectories(people(rng, (1, 1), missing=0))
        heights = [np.ptp(s[:, 1]) for a in figure.axes for s in a.containers[0].lines[2][0].get_segments()]
        assert heights == [0, 0, 0, 0]

    @pytest.mark.parametrize('scale', [1e-6, 1, 1e7])
    def test_texts_lie_apart(self, rng: np.random.Generator, scale: float) -> None:
        figure = trajectories(
            people(rng, (90, 80), scale=scale),
            [('treatment', 'followup', 1.5 * scale, -0.1 * scale, 3 * scale)],
            '1,500,000 (−100,000 to 3,000,000)',
            title=LONG,
            units='fractional anisotropy (0 to 1), weighted by visits',
            visits={'baseline': 'Before the programme', 'followup': 'After the programme'},
            arms=LONG_ARMS,
            lower_is_better=False,
        )
        check_layout(figure)

    def test_many_people_are_few_paths(self, rng: np.random.Generator) -> None:
        assert is_drawn_quietly(trajectories(people(rng, (200, 200))))

    def test_is_the_same_every_time(self, rng: np.random.Generator) -> None:
        table = people(rng)
        pictures = []
        for _ in range(2):
            canvas = FigureCanvasAgg(trajectories(table))
            canvas.draw()
            pictures.append(np.asarray(canvas.buffer_rgba()))
        assert np.array_equal(*pictures)

    def test_table_stays_as_it_was(self, rng: np.random.Generator) -> None:
        table = people(rng)
        before = table.copy()
        trajectories(table)
        assert_frame_equal(table, before)

    def test_tables_that_cannot_be_drawn(self, rng: np.random.Generator) -> None:
        table = people(rng)
        with pytest.raises(DataError, match='table is empty'):
            trajectories(table[:0])
        with pytest.raises(DataError, match='no value of Pain to draw'):
            trajectories(table.assign(value=np.nan))
        with pytest.raises(DataError, match='lacks visit; it has participant_id, arm, value'):
            trajectories(table.drop(columns='visit'))
        with pytest.raises(DataError, match=r'arm sham of the table has no label.*treatment, control'):
            trajectories(table.replace({'arm': {'control': 'sham'}}))
        with pytest.raises(DataError, match='sub-treatment0 has more than one row of visit baseline'):
            trajectories(pd.concat([table, table[:1]]))


MANY_ARMS = {
    'high': 'High dose',
    'middle': 'Middle dose',
    'low': 'Low dose',
    'placebo': 'Placebo with usual care',
}
MANY_VISITS = {f'week{week}': f'Week {week}' for week in (0, 2, 6, 14, 26)}


def many(rng: np.random.Generator, missing: float = 0.3) -> pd.DataFrame:
    """Return people of four arms at five visits."""
    rows = [
        (f'sub-{arm}{number}', arm, visit, np.nan if rng.random() < missing else rng.normal(5, 2))
        for arm in MANY_ARMS
        for number in range(9)
        for visit in MANY_VISITS
    ]
    return pd.DataFrame(rows, columns=['participant_id', 'arm', 'visit', 'value'])


class TestManyArmsAndVisits:
    effects = [
        (arm, visit, -1.0 - number, -2.0 - number, 0.5)
        for number, arm in enumerate(list(MANY_ARMS)[:-1])
        for visit in list(MANY_VISITS)[1:]
    ]
    names = {'arms': MANY_ARMS, 'visits': MANY_VISITS, 'primary': 'week14'}

    def test_a_line_joins_all_visits_at_which_a_person_was_seen(self, rng: np.random.Generator) -> None:
        table = many(rng)
        axes = trajectories(table, **self.names).axes[0]
        (lines,) = (c for c in axes.collections if c.get_linewidth()[0] == pytest.approx(0.8))
        seen = table[table['arm'] == 'high'].dropna().groupby('participant_id')['value'].apply(list)
        wanted = sorted(values for values in seen if len(values) > 1)
        assert sorted(segment[:, 1].tolist() for segment in lines.get_segments()) == wanted

    def test_every_arm_has_a_panel_and_every_contrast_a_mark(self, rng: np.random.Generator) -> None:
        figure = trajectories(many(rng), self.effects, 'not shown', **self.names)
        titles = [axes.get_title().split('\n')[0] for axes in figure.axes]
        assert titles == ['High dose', 'Middle dose', 'Low dose', 'Placebo with usual', 'Difference']
        panel = figure.axes[-1]
        assert len(panel.containers) == len(self.effects)
        filled = [bar.lines[0].get_markerfacecolor() != 'white' for bar in panel.containers]
        assert filled == [visit == 'week14' for _, visit, *_ in self.effects]
        places = [float(bar.lines[0].get_xdata()[0]) for bar in panel.containers]
        assert np.round(places).tolist() == [0, 1, 2, 3] * 3
        assert len(set(places)) == len(places)
        assert 'Difference: each arm minus Placebo with usual care' in written(figure)
        assert 'not shown' not in written(figure)
        check_layout(figure)

    def test_a_contrast_without_estimate_leaves_its_place_empty(self, rng: np.random.Generator) -> None:
        effects = [*self.effects[:3], ('high', 'week26', np.nan, np.nan, np.nan)]
        panel = trajectories(many(rng), effects, **self.names).axes[-1]
        assert len(panel.containers) == 3
        assert [label.get_text() for label in panel.get_xticklabels()][-1] == 'Week 26'
        assert not panel.texts

    @pytest.mark.parametrize('n_visits', [1, 3, 5])
    def test_texts_lie_apart(self, rng: np.random.Generator, n_visits: int) -> None:
        visits = dict(list(MANY_VISITS.items())[:n_visits])
        table = many(rng, missing=0.1)
        check_layout(trajectories(table[table['visit'].isin(visits)], arms=MANY_ARMS, visits=visits))
        assert is_drawn_quietly(trajectories(table, self.effects, **self.names))


def test_arms_differ_without_colour() -> None:
    looks = list(looks_of(MANY_ARMS).values())
    assert len({mark for *_, mark in looks}) == len(looks)
    assert len({str(dash) for _, dash, _ in looks}) == len(looks)
    first, control = ([np.dot(to_rgb(c), [0.299, 0.587, 0.114])] for c, _, _ in looks_of(ARMS).values())
    assert abs(first[0] - control[0]) > 0.2


OUTCOMES = [
    # label, group, effect_size, ci_low, ci_high, n_treatment, n_control, p, flags, lower_is_better
    ('Pain', 'primary', -0.7, -1.2, -0.2, 30, 29, 0.0004, '', True),
    ('Walking', 'secondary', 0.3, -0.2, 0.8, 28, 27, 0.24, 'ceiling', False),
    ('Connectivity', 'other', -0.25, -0.75, 0.25, 25, 26, 0.42, np.nan, None),
    (LONG, 'other', np.nan, np.nan, np.nan, 0, np.nan, np.nan, 'n/a', None),
]


def effects(rows: list[tuple] | None = None) -> pd.DataFrame:
    columns = 'label group effect_size ci_low ci_high n_treatment n_control p flags lower_is_better'
    return pd.DataFrame(OUTCOMES if rows is None else rows, columns=columns.split())


def forest(table: pd.DataFrame, **more: str) -> Figure:
    return plot_forest(table, replace(SAID, **more))


def drawn(figure: Figure, label: str) -> list[tuple]:
    return [tuple(line.get_xdata()) for line in figure.axes[0].lines if line.get_label() == label]


class TestForest:
    def test_right_is_better(self) -> None:
        figure = forest(effects())
        # pain is turned, walking and connectivity are not
        assert drawn(figure, 'effect') == [(0.7,), (0.3,), (-0.25,)]
        assert drawn(figure, 'interval')[:3] == [(0.2, 1.2), (-0.2, 0.8), (-0.75, 0.25)]
        left, middle, right = (
            np.mean([boxes(figure)[text][0].x0, boxes(figure)[text][0].x1])
            for text in ('←\u00a0favours\nwait-list', "Hedges' g (95 % CI)", 'favours\nexercise\u00a0→')
        )
        assert left < middle < right

    def test_numbers_are_those_drawn(self) -> None:
        words = written(forest(effects()))
        for part in ('0.70 (0.20 to 1.20)', 'p < 0.001', '−0.25 (−0.75 to 0.25)', 'p = 0.240', 'n = 30 + 29'):
            assert part in words
        assert 'the sign is turned: right of zero favours exercise.' in words

    def test_numbers_end_at_the_same_place(self) -> None:
        found = boxes(forest(effects()))
        ends = [found[text][0].x1 for text in ('0.70 (0.20 to 1.20)', 'p < 0.001', 'p = 0.240', 'n/a')]
        assert np.ptp(ends) < 2  # pixels: the last letters end a little before their box

    def test_nothing_favours_groups_that_chance_did_not_make(self) -> None:
        words = written(forest(effects(), treatment='patients', control='healthy', better='better in {}'))
        assert 'favours' not in words
        assert 'right of zero better in patients.' in words
        assert 'patients minus healthy as it is' in words
        assert 'n: patients + healthy.' in words

    def test_unknown_direction_is_marked(self) -> None:
        words = written(forest(effects()))
        assert 'Connectivity\u00a0†' in words
        assert '† Direction not stated' in words
        assert 'Walking\u00a0†' not in words

    def test_without_any_direction_no_side_is_favoured(self) -> None:
        figure = forest(effects().drop(columns='lower_is_better'))
        assert drawn(figure, 'effect')[0] == (-0.7,)
        assert 'favours' not in written(figure)

    def test_flagged_are_hollow_and_explained(self) -> None:
        figure = forest(effects())
        marks = [line for line in figure.axes[0].lines if line.get_label() == 'effect']
        assert [line.get_markerfacecolor() for line in marks] == ['black', 'white', 'black']
        assert 'Hollow: flagged (ceiling).' in written(figure)
        assert 'Hollow' not in written(forest(effects(OUTCOMES[:1])))

    def test_groups_have_headings_in_order(self) -> None:
        found = boxes(forest(effects(OUTCOMES[::-1])))
        heights = [found[heading][0].y0 for heading in ('Primary', 'Secondary', 'Other')]
        assert heights == sorted(heights, reverse=True)
        assert 'Secondary' not in written(forest(effects(OUTCOMES[:1])))

    def test_missing_effect_is_said_and_not_drawn(self) -> None:
        figure = forest(effects(OUTCOMES[3:]))
        assert drawn(figure, 'effect') == [] or np.isnan(drawn(figure, 'effect')[0][0])
        assert 'n/a' in boxes(figure)
        assert 'n = 0 + n/a' in boxes(figure)
        assert figure.axes[0].get_xlim() == (-0.5, 0.5)

    def test_what_is_far_away_ends_in_an_arrow(self) -> None:
        rows = [
            ('A', 'primary', 8.0, 2.0, 14.0, 9, 9, 0.01, '', False),
            ('B', 'primary', -12.0, -20.0, -4.0, 9, 9, 0.01, '', False),
            ('C', 'primary', 0.5, -2.5, 3.5, 9, 9, 0.3, '', False),
        ]
        figure = forest(effects(rows))
        assert figure.axes[0].get_xlim() == (-3, 3)
        arrows = [
            (line.get_marker(), *line.get_xdata())
            for line in figure.axes[0].lines
            if line.get_label() == 'beyond'
        ]
        assert arrows == [('>', 3), ('<', -3), ('>', 3)]
        assert drawn(figure, 'interval') == [(2, 3), (-3, -3), (-2.5, 3)]
        assert drawn(figure, 'effect') == [(0.5,)]
        assert '8.00 (2.00 to 14.00)' in written(figure)

    def test_zero_is_in_the_middle(self) -> None:
        low, high = forest(effects()).axes[0].get_xlim()
        assert low == -high
        assert high > 1.2  # the farthest end is inside

    @pytest.mark.parametrize('n', [1, 7, 24])
    def test_texts_lie_apart(self, rng: np.random.Generator, n: int) -> None:
        rows = []
        for number in range(n):
            label, group, *_, better = OUTCOMES[number % 4]
            centre, half = rng.normal(0, 3), rng.uniform(0.2, 9)
            ends = centre, centre - half, centre + half
            rows.append(
                (f'{label} {number}', group, *ends, 1234, 1187, 0.5, 'few_people out_of_range', better)
            )
        figure = forest(
            effects(rows),
            title=LONG,
            treatment='individualised aerobic exercise',
            control='waiting list with usual care',
        )
        check_layout(figure)
        axes = figure.axes[0]
        scale = axes.get_window_extent()
        for text in axes.texts[:-2]:  # the last two name the sides, below
            place = text.get_window_extent()
            assert place.x1 < scale.x0 or place.x0 > scale.x1, text.get_text()
        assert is_drawn_quietly(figure)

    def test_table_stays_as_it_was(self) -> None:
        table = effects()
        forest(table)
        assert_frame_equal(table, effects())

    def test_an_index_with_repeats(self) -> None:
        table = effects()
        table.index = [0, 0, 0, 0]
        assert written(forest(table)) == written(forest(effects()))

    def test_tables_that_cannot_be_drawn(self) -> None:
        with pytest.raises(DataError, match='table is empty'):
            forest(effects([]))
        with pytest.raises(DataError, match='lacks ci_low, p;'):
            forest(effects().drop(columns=['ci_low', 'p']))
        with pytest.raises(DataError, match='group tertiary of an outcome is unknown; groups are primary'):
            forest(effects().replace({'group': {'other': 'tertiary'}}))


def blood(
    rng: np.random.Generator,
    n: tuple[int, int] = (14, 12),
    limits: tuple[float, float] = (400.0, 900.0),
    sd: float = 0.5,
) -> pd.DataFrame:
    lower, upper = limits
    rows = []
    for arm, size in zip(ARMS, n):
        for number in range(size):
            for sample in SAMPLES:
                value = rng.lognormal(np.log(600), sd)
                side = 'left' if value < lower else 'right' if value > upper else ''
                rows.append(
                    (f'sub-{arm}{number}', arm, sample, np.nan if side else value, lower, upper, side)
                )
    columns = ['participant_id', 'arm', 'sample', 'value', 'lower', 'upper', 'censored']
    return pd.DataFrame(rows, columns=columns)


def time_course(table: pd.DataFrame, **more: object) -> Figure:
    given = {'title': 'BDNF', 'units': 'pg/mL', 'sample_labels': SAMPLES, 'arm_labels': ARMS} | more
    return plot_time_course(table, **given)


class TestTimeCourse:
    def test_censored_are_triangles_at_their_limit(self, rng: np.random.Generator) -> None:
        table = blood(rng)
        for axes, arm in zip(time_course(table).axes, ARMS):
            for side, mark, limit in (('left', 'v', 400), ('right', '^', 900)):
                (points,) = (line for line in axes.lines if line.get_label() == side)
                assert points.get_marker() == mark
                assert points.get_markerfacecolor() == 'white'
                assert len(points.get_ydata()) == ((table['arm'] == arm) & (table['censored'] == side)).sum()
                assert set(points.get_ydata()) == {limit}

    def test_means_are_geometric_with_censored_at_their_limit(self, rng: np.random.Generator) -> None:
        table = blood(rng)
        value = table['value'].where(table['censored'] == '', table['lower'])
        value = value.where(table['censored'] != 'right', table['upper'])
        for axes, arm in zip(time_course(table).axes, ARMS):
            found = np.concatenate([means.lines[0].get_ydata() for means in axes.containers])
            wanted = [stats.gmean(value[(table['arm'] == arm) & (table['sample'] == s)]) for s in SAMPLES]
            assert found == pytest.approx(wanted)

    def test_people_are_joined_within_a_session_only(self, rng: np.random.Generator) -> None:
        table = blood(rng, limits=(np.nan, np.nan))
        table.loc[[0, 6], 'value'] = np.nan  # one sample of session 7, one of session 42
        axes = time_course(table).axes[0]
        thin = [c for c in axes.collections if isinstance(c, LineCollection) and c.get_linewidth()[0] < 1]
        assert [len(lines.get_segments()) for lines in thin] == [13, 13]
        for lines, samples in zip(thin, (('s7_pre', 's7_post'), ('s42_pre', 's42_post'))):
            wide = table[table['arm'] == 'treatment'].pivot(
                index='participant_id', columns='sample', values='value'
            )
            ends = sorted(tuple(segment[:, 1]) for segment in lines.get_segments())
            assert ends == sorted(wide[list(samples)].dropna().itertuples(index=False, name=None))
        assert len(axes.containers) == 2

    def test_axis_is_logarithmic_with_units(self, rng: np.random.Generator) -> None:
        figure = time_course(blood(rng))
        assert {axes.get_yscale() for axes in figure.axes} == {'log'}
        assert figure.axes[0].get_ylabel() == 'pg/mL, log scale'
        assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()

    def test_counts_are_below_each_sample(self, rng: np.random.Generator) -> None:
        table = blood(rng)
        ticks = [label.get_text() for label in time_course(table).axes[0].get_xticklabels()]
        for tick, sample in zip(ticks, SAMPLES):
            here = table[(table['arm'] == 'treatment') & (table['sample'] == sample)]
            counts = here['censored'].value_counts()
            assert tick.splitlines()[1] == 'n=14'
            assert (f'{counts.get("left", 0)} ▽' in tick) == ('left' in counts)
            assert (f'{counts.get("right", 0)} △' in tick) == ('right' in counts)

    def test_bands_are_drawn_beyond_constant_limits(self, rng: np.random.Generator) -> None:
        figure = time_course(blood(rng))
        low, high = figure.axes[0].get_ylim()
        bands = {
            patch.get_label(): patch.get_y() + np.array([0, patch.get_height()])
            for patch in figure.axes[0].patches
        }
        assert bands['beyond lower'] == pytest.approx([low, 400])
        assert bands['beyond upper'] == pytest.approx([900, high])
        assert 'Grey: beyond the limit' in written(figure)

    @pytest.mark.parametrize('other', [410.0, np.nan, 0.0])
    def test_limits_that_differ_have_no_band(self, rng: np.random.Generator, other: float) -> None:
        table = blood(rng, limits=(400.0, np.inf))
        table.loc[table['censored'] == '', 'lower'] = other
        figure = time_course(table)
        assert not figure.axes[0].patches
        assert 'Grey' not in written(figure)

    def test_a_limit_far_above_all_values_stretches_nothing(self, rng: np.random.Generator) -> None:
        near, far = (time_course(blood(np.random.default_rng(5), limits=(400.0, up))) for up in (np.inf, 1e6))
        assert near.axes[0].get_ylim() == far.axes[0].get_ylim()

    @pytest.mark.parametrize(('n_sessions', 'rows'), [(2, 1), (3, 2), (5, 3)])
    def test_many_samples_stand_in_rows(self, rng: np.random.Generator, n_sessions: int, rows: int) -> None:
        labels = {f'{s}{t}': (f'week {6 * s}', t) for s in range(n_sessions) for t in ('rest', 'post')}
        table = pd.concat([blood(rng, (9, 9)).assign(arm=arm) for arm in ('yoga', 'walking', 'usual care')])
        table['participant_id'] += table['arm']
        first = table[table['sample'] == 's7_pre']
        whole = pd.concat(
            [first.assign(sample=name, value=rng.lognormal(6, 0.5, len(first))) for name in labels]
        )
        figure = time_course(
            whole.assign(censored=''),
            sample_labels=labels,
            arm_labels={arm: arm for arm in whole['arm'].unique()},
        )
        places = {round(axes.get_position().y0, 3) for axes in figure.axes}
        assert len(places) == rows
        assert len({axes.get_ylim() for axes in figure.axes}) == 1
        check_layout(figure)

    def test_one_arm(self, rng: np.random.Generator) -> None:
        (axes,) = time_course(blood(rng, (8, 0))).axes
        assert axes.get_title() == 'Exercise\nn = 8'

    def test_a_sample_that_was_never_taken(self, rng: np.random.Generator) -> None:
        table = blood(rng)
        figure = time_course(table[table['sample'] != 's42_pre'])
        assert [a.get_xticklabels()[2].get_text() for a in figure.axes] == ['before\nn=0'] * 2
        check_layout(figure)

    @pytest.mark.parametrize('sd', [0.05, 0.5, 4.0])
    def test_texts_lie_apart(self, rng: np.random.Generator, sd: float) -> None:
        figure = time_course(blood(rng, (30, 28), sd=sd), title=LONG, arm_labels=LONG_ARMS)
        check_layout(figure)
        assert is_drawn_quietly(figure)

    @pytest.mark.parametrize('sd', [0.01, 0.05, 0.2, 0.5, 1.0, 2.0, 4.0])
    def test_some_ticks_have_numbers(self, rng: np.random.Generator, sd: float) -> None:
        axes = time_course(blood(rng, limits=(np.nan, np.nan), sd=sd)).axes[0]
        low, high = axes.get_ylim()
        numbers = [tick for tick in axes.get_yticks() if low <= tick <= high]
        assert 2 <= len(numbers) <= 12

    def test_one_person(self, rng: np.random.Generator) -> None:
        figure = time_course(blood(rng, (1, 1), limits=(np.nan, np.nan)))
        assert len(figure.axes) == 2
        check_layout(figure)

    def test_table_stays_as_it_was(self, rng: np.random.Generator) -> None:
        table = blood(rng)
        before = table.copy()
        time_course(table)
        assert_frame_equal(table, before)

    def test_tables_that_cannot_be_drawn(self, rng: np.random.Generator) -> None:
        table = blood(rng, limits=(np.nan, np.nan))
        with pytest.raises(DataError, match='table is empty'):
            time_course(table[:0])
        with pytest.raises(DataError, match='no sample of BDNF'):
            time_course(table.assign(value=np.nan))
        with pytest.raises(
            DataError, match=r's7_post of sub-treatment0 is 0: a log axis.*limit of detection'
        ):
            time_course(table.assign(value=table['value'].where(table.index != 1, 0)))
        table.loc[2, ['value', 'censored']] = [np.nan, 'left']
        with pytest.raises(DataError, match='s42_pre of sub-treatment0 is nan, censored left'):
            time_course(table)


@pytest.mark.parametrize('n', [MANY, MANY + 1])
def test_many_people_are_one_picture(n):
    """A drawing of 5,000 people would be 20 MB, for every outcome."""
    axes = Figure().add_subplot()
    places, values = np.tile([0.0, 1.0], (n, 1)), np.arange(2.0 * n).reshape(n, 2)
    name_people(axes, [f'sub-{i}' for i in range(n)], places, values)
    assert len(axes.lines) == (n if n == MANY else 1)
    assert sum(len(line.get_xdata()) for line in axes.lines) == 2 * n
    assert [bool(line.get_rasterized()) for line in axes.lines[:1]] == [n > MANY]
