"""Figures of the diffusion analysis: what colours, lines and panels say."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pipelines import figures
from pipelines.figures import Curve, Outline
from pipelines.figures.tracts import SIDE_LOOKS

BOX = np.array([[-30.0, -40, -20], [30, 50, 40]])
PLACE = figures.montage([[(2, 0.0), (1, 0.0)], [(0, 5.0)]], BOX)
HEAD = np.abs(PLACE.points).max(axis=2) < 1000
HEAD.setflags(write=False)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def nodes(session: str, hemi: str, level: float = 0.4) -> Curve:
    x = np.arange(1.0, 101)
    arrays = x, level + 0.001 * x, np.full(100, 0.05)
    for array in arrays:
        array.setflags(write=False)
    return Curve(session, hemi, *arrays)


class TestColourFa:
    @pytest.mark.parametrize('axis', [0, 1, 2])
    def test_each_axis_has_its_channel(self, axis: int) -> None:
        rgb = figures.colour_fa(np.array(0.6), np.eye(3)[axis])
        assert rgb.tolist() == (0.6 * np.eye(3)[axis]).tolist()

    def test_sign_of_the_vector_has_no_meaning(self, rng: np.random.Generator) -> None:
        evec, fa = rng.standard_normal((4, 5, 3)), rng.uniform(0, 1, (4, 5))
        evec /= np.linalg.norm(evec, axis=-1, keepdims=True)
        evec.setflags(write=False)
        fa.setflags(write=False)
        assert np.array_equal(figures.colour_fa(fa, evec), figures.colour_fa(fa, -evec))

    def test_length_of_the_colour_is_fa(self, rng: np.random.Generator) -> None:
        evec = rng.standard_normal((20, 3))
        evec /= np.linalg.norm(evec, axis=-1, keepdims=True)
        fa = rng.uniform(0, 1, 20)
        # exact up to rounding of float64
        assert np.linalg.norm(figures.colour_fa(fa, evec), axis=-1) == pytest.approx(fa, abs=1e-12)

    def test_values_outside_their_range_are_cut(self) -> None:
        rgb = figures.colour_fa(np.array([1.7, -0.2, np.nan]), np.ones((3, 3)))
        assert rgb.tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]

    def test_picture_holds_the_colours_and_their_key(self) -> None:
        rgb = np.zeros((*HEAD.shape, 3))
        rgb[..., 1] = 0.35 * HEAD
        figure = figures.draw_colour_fa(PLACE, rgb, HEAD.astype(float))
        shown = np.asarray(figure.axes[0].images[-1].get_array())
        assert shown[HEAD].mean(axis=0) == pytest.approx([0, 0.5, 0])  # FA 0.7 is full
        assert {'left–right', 'front–back', 'up–down'} <= set(texts(figure))
        assert {'L', 'R'} <= {text.get_text() for text in figure.axes[0].texts}


class TestTract:
    def visits(self) -> dict[str, np.ndarray]:
        x = PLACE.points[..., 0]
        made = {'L': 0.5 * (HEAD & (x < -10)), 'R': 0.3 * (HEAD & (x > 10))}
        for values in made.values():
            values.setflags(write=False)
        return made

    def draw(self, visits: dict[str, np.ndarray] | None = None, **more: object) -> Figure:
        visits = self.visits() if visits is None else visits
        region = Outline(HEAD.astype(float), figures.BLUE, 'NAc')
        return figures.draw_tract(PLACE, 100.0 * HEAD, visits, regions=[region], **more)

    def test_sides_differ_in_grey_print(self) -> None:
        grey = [np.dot(to_rgb(SIDE_LOOKS[hemi][1]), [0.299, 0.587, 0.114]) for hemi in 'LR']
        assert abs(grey[0] - grey[1]) > 0.2

    def test_sides_differ_in_dash(self) -> None:
        collections = self.draw().axes[0].collections
        dashes = [lines.get_linestyle()[0][1] is None for lines in collections]
        assert dashes == [True, True, False]  # region, left, right

    def test_both_sides_share_one_scale(self) -> None:
        bars = self.draw().axes[1:]
        assert [bar.get_xlim() for bar in bars] == [(0, 0.5)] * 2

    def test_counts_stand_beside_the_scale(self) -> None:
        shown = texts(self.draw(counts={'L': '1934', 'R': '412'}))
        assert {'left, 1934 streamlines: share', 'right, 412 streamlines: share'} <= set(shown)

    def test_without_counts(self) -> None:
        assert {'left: share', 'right: share'} <= set(texts(self.draw()))

    def test_line_is_at_a_tenth(self) -> None:
        visits = {'L': 0.09 * HEAD, 'R': np.zeros(HEAD.shape)}
        assert len(self.draw(visits).axes[0].collections) == 1  # the region only
        visits['L'] = 0.11 * HEAD
        assert len(self.draw(visits).axes[0].collections) == 2

    def test_no_tract_at_all(self) -> None:
        empty = {hemi: np.zeros(HEAD.shape) for hemi in 'LR'}
        assert [bar.get_xlim() for bar in self.draw(empty).axes[1:]] == [(0, 0.1)] * 2


class TestProfile:
    def test_sides_are_panels_and_sessions_dashes(self) -> None:
        curves = [nodes(session, hemi) for session in ('pre', 'post') for hemi in 'LR']
        figure = figures.draw_profile(curves)
        assert [axes.get_title(loc='left') for axes in figure.axes] == ['Left', 'Right']
        for axes in figure.axes:
            assert [line.get_label() for line in axes.lines] == ['pre', 'post']
            assert [line.get_linestyle() for line in axes.lines] == ['-', '--']

    def test_a_session_keeps_its_dash_where_another_is_missing(self) -> None:
        figure = figures.draw_profile([nodes('pre', 'L'), nodes('post', 'L'), nodes('post', 'R')])
        assert [line.get_linestyle() for line in figure.axes[1].lines] == ['--']

    def test_band_is_one_standard_deviation(self) -> None:
        (band,) = figures.draw_profile([nodes('', 'L')]).axes[0].collections
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx(0.4 + 0.001 - 0.05)
        assert heights.max() == pytest.approx(0.5 + 0.05)

    def test_missing_side_says_so(self) -> None:
        left, right = figures.draw_profile([nodes('', 'L')]).axes
        assert [text.get_text() for text in right.texts] == ['n/a']
        assert list(left.texts) == []

    def test_panels_have_one_scale(self) -> None:
        left, right = figures.draw_profile([nodes('', 'L', 0.2), nodes('', 'R', 0.6)]).axes
        assert left.get_ylim() == right.get_ylim()


class TestThreshold:
    def curves(self, *x: float) -> list[Curve]:
        at = np.array(x)
        return [Curve(s, h, at, 0.3 + at) for s in ('pre', 'post') for h in 'LR']

    @pytest.mark.parametrize(
        ('x', 'scale'), [((0.001, 0.01, 0.5), 'log'), ((0.1, 0.2, 0.5), 'linear'), ((0, 0.01, 0.5), 'linear')]
    )
    def test_wide_ranges_are_logarithmic(self, x: tuple[float, ...], scale: str) -> None:
        figure = figures.draw_threshold(self.curves(*x), self.curves(*x))
        assert [axes.get_xscale() for axes in figure.axes] == [scale] * 2

    def test_a_line_for_each_session_and_side(self) -> None:
        figure = figures.draw_threshold(self.curves(0.1, 0.2), self.curves(0.1, 0.2))
        for axes in figure.axes:
            labels = [line.get_label() for line in axes.lines]
            assert labels == ['left, pre', 'left, post', 'right, pre', 'right, post']

    def test_volume_begins_at_zero(self) -> None:
        figure = figures.draw_threshold(self.curves(0.1, 0.2), self.curves(0.1, 0.2))
        assert figure.axes[1].get_ylim()[0] == 0

    def test_nothing_to_draw(self) -> None:
        figure = figures.draw_threshold([], [])
        assert [axes.texts[0].get_text() for axes in figure.axes] == ['n/a'] * 2


class TestMotion:
    def draw(self, fd: np.ndarray) -> Figure:
        n = len(fd)
        shifts = np.arange(3.0 * n).reshape(n, 3)
        return figures.draw_motion(shifts, -shifts, fd, np.repeat([0.0, 1000.0], [2, n - 2]))

    def test_every_axis_is_a_line(self) -> None:
        shift, turn, *_ = self.draw(np.linspace(0, 1, 8)).axes
        assert [line.get_ydata()[1] for line in shift.lines] == [3, 4, 5]
        assert [line.get_ydata()[1] for line in turn.lines] == [-3, -4, -5]

    def test_weighting_is_a_step(self) -> None:
        (line,) = self.draw(np.linspace(0, 1, 8)).axes[3].lines
        assert line.get_drawstyle() == 'steps-mid'
        assert line.get_ydata().tolist() == [0, 0, *[1000] * 6]

    def test_panels_share_the_volumes(self) -> None:
        figure = self.draw(np.linspace(0, 1, 8))
        assert {axes.get_xlim() for axes in figure.axes} == {(0.5, 8.5)}

    def test_missing_displacement(self) -> None:
        assert self.draw(np.full(5, np.nan)).axes[2].get_ylim() == (0, 1)
