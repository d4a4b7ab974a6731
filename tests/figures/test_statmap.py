"""Maps of a group: what is opaque, outlined and cut, what the lines of sight show, how people count."""

import io
import itertools
import warnings

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from pipelines.errors import DataError
from pipelines.figures import cut
from pipelines.figures.projection import Picture, Volume, as_cut, look_through, on_grid
from pipelines.figures.statmap import plot_coverage, plot_statmap

AFFINE = np.array([[-2.0, 0, 0, 60], [0, 2, 0, -80], [0, 0, 2, -50], [0, 0, 0, 1]])  # x runs to the left
SHAPE = (61, 81, 51)
PLACES = np.moveaxis(np.indices(SHAPE), 0, -1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
BRAIN = 100.0 * (np.linalg.norm(PLACES / [50, 70, 40], axis=-1) < 1)
POSITIVE, NEGATIVE = np.array([-20.0, 30, 10]), np.array([24.0, -40, -10])
for array in (AFFINE, BRAIN, PLACES, POSITIVE, NEGATIVE):
    array.setflags(write=False)


def ball(centre: np.ndarray, radius: float = 9.0) -> np.ndarray:
    return np.linalg.norm(PLACES - centre, axis=-1) <= radius


def statistic() -> np.ndarray:
    """Return 1 in the brain, 5 and -4 in two balls, NaN outside."""
    values = np.where(BRAIN > 0, 1.0, np.nan)
    values[ball(POSITIVE)], values[ball(NEGATIVE)] = 5.0, -4.0
    values.setflags(write=False)
    return values


SIGNIFICANT = ball(POSITIVE) | ball(NEGATIVE)
SIGNIFICANT.setflags(write=False)
PEAKS = np.stack([POSITIVE, NEGATIVE])
PEAKS.setflags(write=False)


def statmap(**more: object) -> Figure:
    given = {'statistic': statistic(), 'affine': AFFINE, 'background': BRAIN, 'significant': SIGNIFICANT}
    return plot_statmap(**(given | {'title': 'Change', 'units': 't (56)', 'peaks': PEAKS} | more))


def coverage(n_map: np.ndarray, n_total: int = 10, **more: object) -> Figure:
    return plot_coverage(n_map, AFFINE, BRAIN, n_total, **more)


def written(figure: Figure) -> str:
    texts = [*figure.texts, *figure.axes[0].texts]
    return '\n'.join(text.get_text() for text in texts).replace('\n', ' ')


def shown(figure: Figure, number: int = -1) -> np.ndarray:
    """Return the values of an image of the cuts, NaN where nothing is drawn."""
    return np.ma.filled(figure.axes[0].images[number].get_array().astype(float), np.nan)


def check_layout(figure: Figure) -> None:
    """Assert that texts above, between and below the cuts lie in the figure, apart from each other."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    texts = [text for text in [*figure.texts, *figure.axes[0].texts] if text.get_text().strip()]
    places = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in texts]
    for text, box in places:
        assert -1 <= box.x0 <= box.x1 <= width + 1, text
        assert -1 <= box.y0 <= box.y1 <= height + 1, text
    for (one, a), (other, b) in itertools.combinations(places, 2):
        across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        # boxes are as high as the tallest letter: neighbouring lines may share some pixels
        assert across <= 1 or up <= 4, f'{one!r} lies on {other!r}'


class TestProjection:
    def test_an_image_is_read_where_its_affine_puts_it(self) -> None:
        x = Volume(PLACES[..., 0], AFFINE)
        points = np.array([[-20.5, 3, 7], [33.25, -40, 11], [0, 0, 0]])
        # linear interpolation of a linear function is exact up to rounding
        assert x.at(points) == pytest.approx(points[:, 0], abs=1e-9)
        assert x.at(points, 0) == pytest.approx(points[:, 0], abs=1.0)  # half a voxel

    def test_outside_is_what_was_asked_for(self) -> None:
        far = np.array([[500.0, 0, 0]])
        assert Volume(BRAIN, AFFINE).at(far, 1, -7.0).tolist() == [-7]

    def test_oblique_affine(self) -> None:
        turn = np.array([[0.8, -0.6, 0, 5], [0.6, 0.8, 0, -3], [0, 0, 1, 2], [0, 0, 0, 1]])
        voxel = np.array([4.0, 7, 3])
        values = np.zeros((10, 12, 8))
        values[4, 7, 3] = 1
        assert Volume(values, turn).at((turn[:3, :3] @ voxel + turn[:3, 3])[None]) == pytest.approx([1])

    @pytest.mark.parametrize('axis', [0, 1, 2])
    def test_largest_magnitude_of_each_line_keeps_its_sign(self, rng: np.random.Generator, axis: int) -> None:
        values = rng.standard_normal((5, 6, 7))
        values[rng.random(values.shape) < 0.2] = np.nan
        nothing = np.zeros(values.shape)
        found = look_through(Picture(values, nothing > 0, nothing, nothing), axis).values
        for line, value in zip(np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis]), found.ravel()):
            known = line[~np.isnan(line)]
            assert value == max(known, key=abs)

    def test_significant_goes_first(self) -> None:
        values = np.array([[[1.0, -9, 2, 3]]])
        marked = np.array([[[True, False, True, False]]])
        found = look_through(Picture(values, marked, values * 0, values * 0), 2)
        assert found.values.tolist() == [[2]]
        assert found.marked.tolist() == [[True]]

    def test_line_without_values_is_missing(self) -> None:
        values = np.full((2, 2, 3), np.nan)
        found = look_through(Picture(values, values > 0, np.ones((2, 2, 3)), np.ones((2, 2, 3))), 2)
        assert np.isnan(found.values).all()
        assert found.outline.tolist() == [[1, 1], [1, 1]]

    @pytest.mark.parametrize('axis', [0, 1, 2])
    def test_projection_has_the_places_of_a_cut(self, axis: int) -> None:
        box = np.array([[-56.0, -76, -46], [57, 76, 47]])
        empty = Volume(np.zeros(SHAPE), AFFINE)
        for across in set(range(3)) - {axis}:
            place = Volume(PLACES[..., across], AFFINE)
            seen = as_cut(look_through(on_grid((empty, empty, place), box), axis).grey)
            pixels = cut(axis, 0.0, box)[..., across]
            # a sample lies between two pixels of 1 mm; tissue is shown at half its brightness
            assert 2 * seen[-pixels.shape[0] :, : pixels.shape[1]] == pytest.approx(pixels, abs=0.6)


class TestStatmap:
    def test_significant_is_opaque_and_the_rest_translucent(self) -> None:
        figure = statmap()
        _, rest, marked = figure.axes[0].images
        opaque = shown(figure)
        assert set(opaque[~np.isnan(opaque)]) == {5.0, -4.0}
        assert marked.get_alpha() is None
        opacity = np.asarray(rest.get_alpha())
        faint = np.asarray(rest.get_array())
        assert 0 < opacity[faint == 1].min() == opacity[faint == 1].max() < 0.2  # 1 of 5, not hidden
        assert not opacity[faint == 0].any()
        assert not (faint[~np.isnan(opaque)] != 0).any()

    def test_both_have_one_symmetric_scale(self) -> None:
        figure = statmap()
        _, rest, marked = figure.axes[0].images
        assert rest.get_clim() == marked.get_clim() == (-5, 5)
        assert figure.axes[1].get_xlim() == (-5, 5)
        assert 't (56)' in written(figure)

    def test_a_few_extreme_voxels_do_not_pale_the_map(self) -> None:
        values = statistic().copy()
        values[30, 40, 25] = 1e4
        # three times the 99th percentile, 4: each ball is 0.9 % of the brain
        assert statmap(statistic=values).axes[0].images[-1].get_clim() == (-12, 12)

    def test_lines_are_solid_above_zero_and_dashed_below(self) -> None:
        brain, above, below = (c for c in statmap().axes[0].collections if isinstance(c, ContourSet))
        assert [lines.get_linestyle()[0][1] is None for lines in (brain, above, below)] == [True, True, False]
        opaque = shown(statmap())
        for lines, value in ((above, 5), (below, -4)):
            corners = np.concatenate([path.vertices for path in lines.get_paths()])
            inside = opaque[tuple(corners.round().astype(int).T[::-1])]
            # a line runs half-way between pixels of the ball and of the rest
            assert 0.2 < np.mean(inside == value) < 0.8
            assert not (inside == {5: -4, -4: 5}[value]).any()

    def test_rows_are_cut_through_the_peaks(self) -> None:
        texts = [text.get_text() for text in statmap().axes[0].texts]
        assert [text for text in texts if ' = ' in text] == [
            'x = -20', 'y = 30', 'z = 10', 'x = 24', 'y = -40', 'z = -10',
        ]  # fmt: skip
        assert {'side', 'front', 'top'} <= set(texts)
        assert 'peak 1 of 2: 5.00 at (−20, 30, 10) mm' in texts
        assert 'peak 2 of 2: −4.00 at (24, −40, −10) mm' in texts

    def test_left_is_left_in_cuts_and_glass_brain(self) -> None:
        picture = shown(statmap())
        # front view and view from above: the positive ball is at the person's left
        height = picture.shape[0] // 3
        glass = picture[: height + 20, 160:]
        assert np.argwhere(glass == 5)[:, 1].mean() < np.argwhere(glass == -4)[:, 1].mean()

    def test_lines_of_sight_lie_above_their_cuts(self) -> None:
        figure = statmap(peaks=PEAKS[:1])
        bottoms = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
        picture = shown(figure)
        for view, through in (('side', 'x = -20'), ('front', 'y = 30'), ('top', 'z = 10')):
            (left, upper), (_, lower) = bottoms[view], bottoms[through]
            pitch = lower - upper
            glass, plane = (
                np.argwhere(picture[int(end - pitch) : int(end), int(left) : int(left) + 112] == 5).mean(
                    axis=0
                )
                for end in (upper, lower)
            )
            assert glass == pytest.approx(plane, abs=1)  # samples in depth are of 2 mm

    def test_glass_brain_shows_both_balls_from_every_side(self) -> None:
        picture = shown(statmap(peaks=PEAKS[:1]))
        glass = picture[: picture.shape[0] // 2]
        # a ball of 9 mm covers 254 pixels of 1 mm, in three views; its rim is one of voxels of 2 mm
        assert (glass == 5).sum() == pytest.approx(3 * 254, rel=0.12)
        assert (glass == -4).sum() == pytest.approx(3 * 254, rel=0.12)

    def test_only_four_of_many_peaks_are_cut(self) -> None:
        figure = statmap(peaks=np.repeat(PEAKS, 4, axis=0))
        words = written(figure)
        assert 'peak 4 of 8' in words
        assert 'peak 5 of 8' not in words
        assert '4 of 8 peaks are shown' in words

    @pytest.mark.parametrize('peaks', [None, np.empty((0, 3))])
    def test_nothing_significant_is_said_and_the_map_is_shown(self, peaks: np.ndarray | None) -> None:
        figure = statmap(significant=np.zeros(SHAPE, bool), peaks=peaks, note='TFCE; n = 30 + 29.')
        words = written(figure)
        assert 'TFCE; n = 30 + 29. No voxel is significant.' in words
        assert 'largest value: 5.00 at' in words
        assert 'outlined' not in words
        assert np.isnan(shown(figure)).all()
        assert 0.5 < np.asarray(figure.axes[0].images[1].get_alpha()).max() < 0.6

    def test_a_background_on_its_own_grid(self) -> None:
        fine = np.diag([1.0, 1, 1, 1])
        fine[:3, 3] = [-60, -80, -50]
        own = Volume(BRAIN, AFFINE).at(np.moveaxis(np.indices((121, 161, 101)), 0, -1) + fine[:3, 3])
        same, other = statmap(), statmap(background=own, background_affine=fine)
        a, b = np.asarray(same.axes[0].images[0].get_array()), np.asarray(other.axes[0].images[0].get_array())
        # the edge of the brain may move the box by a voxel
        assert abs(a.shape[0] - b.shape[0]) <= 6
        assert a.mean() == pytest.approx(b.mean(), rel=0.05)

    def test_a_map_of_one_value(self) -> None:
        figure = statmap(statistic=np.where(BRAIN > 0, 0.0, np.nan), peaks=None)
        assert figure.axes[0].images[-1].get_clim() == (-1, 1)

    @pytest.mark.parametrize('title', ['Change', 'NAc connectivity: change, exercise minus wait-list, ' * 3])
    def test_texts_lie_apart(self, title: str) -> None:
        check_layout(
            statmap(title=title, units='t (56 degrees of freedom)', note='TFCE, 10,000 permutations. ' * 3)
        )

    def test_images_stay_images_in_svg(self) -> None:
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            statmap().savefig(buffer, format='svg')
        content = buffer.getvalue()
        assert content.count(b'<image') == 2  # the cuts with all that lies on them, and the colour bar
        assert content.count(b'<path') < 500

    def test_what_cannot_be_drawn(self) -> None:
        with pytest.raises(DataError, match='no value of Change to draw'):
            statmap(statistic=np.full(SHAPE, np.nan))
        with pytest.raises(DataError, match='background is empty'):
            statmap(background=np.zeros(SHAPE))
        with pytest.raises(DataError, match=r'the map is \(61, 81, 51\), the mask .* \(2, 2, 2\)'):
            statmap(significant=np.zeros((2, 2, 2), bool))


class TestCoverage:
    def n_map(self) -> np.ndarray:
        counts = np.where(BRAIN > 0, np.where(PLACES[..., 2] < 0, 5, 10), 0)
        counts.setflags(write=False)
        return counts

    def test_colours_are_people(self) -> None:
        figure = coverage(self.n_map())
        values = shown(figure)
        assert set(values[~np.isnan(values)]) == {5, 10}
        assert figure.axes[0].images[-1].get_clim() == figure.axes[1].get_xlim() == (0, 10)

    def test_nobody_is_left_grey(self) -> None:
        counts = self.n_map().copy()
        counts[PLACES[..., 0] > 0] = 0
        figure = coverage(counts)
        grey, values = np.asarray(figure.axes[0].images[0].get_array()), shown(figure)
        assert ((grey > 50) & np.isnan(values)).sum() > 1000
        # half of each cut but those of the sides: x = 0 and two of 3 sagittal ones are the left's or nobody's
        assert np.isfinite(values).sum() < 0.75 * np.isfinite(shown(coverage(self.n_map()))).sum()

    def test_note_says_how_many_and_how_much(self) -> None:
        counts = self.n_map()
        share = 100 * (counts == 10).sum() / (counts > 0).sum()
        assert f'n = 10 people. {share:.0f} % of the voxels' in written(coverage(counts))

    def test_nine_cuts(self) -> None:
        texts = [text.get_text() for text in coverage(self.n_map()).axes[0].texts]
        assert [text[0] for text in texts if ' = ' in text and text[0] in 'xyz'] == list('zzzyyyxxx')

    def test_nobody_has_data_anywhere(self) -> None:
        figure = coverage(np.zeros(SHAPE))
        assert np.isnan(shown(figure)).all()
        assert '0 % of the voxels' in written(figure)

    @pytest.mark.parametrize('n_total', [1, 10, 12345])
    def test_texts_lie_apart(self, n_total: int) -> None:
        counts = np.minimum(self.n_map(), n_total)
        check_layout(coverage(counts, n_total, title='People with data at each voxel of the analysis ' * 2))

    def test_numbers_that_cannot_be(self) -> None:
        with pytest.raises(DataError, match='people per voxel are 0 to 10; 0 to 9 are possible'):
            coverage(self.n_map(), 9)
        with pytest.raises(DataError, match='-1 to 0'):
            coverage(np.full(SHAPE, -1.0))
        with pytest.raises(DataError, match='0 to 0 are possible'):
            coverage(np.zeros(SHAPE), 0)
