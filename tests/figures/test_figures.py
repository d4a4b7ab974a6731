"""Figures: geometry of the cuts, what is drawn where, and what the colours say."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from pipelines import figures
from pipelines.figures import Outline, Overlay
from pipelines.figures.charts import CARPET_TISSUES
from pipelines.figures.montage import grey_limits

BOX = np.array([[-30.0, -40, -20], [30, 50, 40]])
BOX.setflags(write=False)


def pixels(figure: Figure) -> np.ndarray:
    """Return the drawn picture as (height, width, 3) bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=figure.dpi, facecolor=figure.get_facecolor())
    return np.asarray(Image.open(buffer).convert('RGB'))


def has_colour(picture: np.ndarray, colour: str, tolerance: int = 40) -> bool:
    # antialiased thin lines mix with the background: 40 of 255 still tells our four colours apart
    return bool((np.abs(picture.astype(int) - np.array(to_rgb(colour)) * 255).max(axis=2) < tolerance).any())


def simple_place() -> figures.Montage:
    return figures.montage([[(2, 0.0), (1, 0.0)], [(0, 5.0)]], BOX)


class TestCut:
    @pytest.mark.parametrize('axis', [0, 1, 2])
    def test_every_pixel_lies_on_the_cut(self, axis: int) -> None:
        points = figures.cut(axis, 7.0, BOX)
        assert np.all(points[..., axis] == 7)

    @pytest.mark.parametrize(
        ('axis', 'across', 'up'),
        [
            (0, 1, 2),  # sagittal: posterior to anterior, inferior to superior
            (1, 0, 2),  # coronal: left to right
            (2, 0, 1),  # axial: left to right, posterior to anterior
        ],
    )
    def test_orientation(self, axis: int, across: int, up: int) -> None:
        points = figures.cut(axis, 0.0, BOX)
        assert np.all(np.diff(points[..., across], axis=1) > 0)
        assert np.all(np.diff(points[..., up], axis=0) < 0)

    def test_covers_the_box_with_both_ends(self) -> None:
        points = figures.cut(2, 0.0, BOX)
        assert points.shape == (91, 61, 3)
        assert points[-1, 0, :2].tolist() == BOX[0, :2].tolist()
        assert points[0, -1, :2].tolist() == BOX[1, :2].tolist()

    @pytest.mark.parametrize('step', [0.5, 1.0, 2.0])
    def test_step_is_the_distance_of_neighbours(self, step: float) -> None:
        points = figures.cut(1, 0.0, BOX, step)
        assert np.all(np.diff(points[..., 0], axis=1) == step)

    def test_leaves_the_box_as_it_was(self) -> None:
        before = BOX.copy()
        figures.cut(0, 0.0, BOX)
        assert BOX.tolist() == before.tolist()


class TestMontage:
    def test_holds_every_pixel_of_every_cut_once(self) -> None:
        cuts = [[(2, 0.0), (2, 10.0)], [(1, -5.0)], [(0, 3.0)]]
        place = figures.montage(cuts, BOX)
        inside = place.points[np.abs(place.points).max(axis=2) < 1000]
        expected = np.concatenate([figures.cut(a, p, BOX).reshape(-1, 3) for row in cuts for a, p in row])
        assert sorted(map(tuple, inside)) == sorted(map(tuple, expected))

    def test_padding_is_outside_every_image(self) -> None:
        place = simple_place()
        outside = np.abs(place.points).max(axis=2) > 1000
        assert outside.any()
        assert np.all(place.points[outside] > 1e5)

    def test_labels_name_axis_and_position(self) -> None:
        assert [text for *_, text in simple_place().labels] == ['z = 0', 'y = 0', 'x = 5']

    def test_the_letter_l_stands_at_the_persons_left(self) -> None:
        place = simple_place()
        assert place.sides
        for row, column, text in place.sides:
            x = place.points[row, column, 0]
            assert x == (BOX[0, 0] if text == 'L' else BOX[1, 0])

    def test_a_row_of_one_plane_is_marked_at_its_ends_only(self) -> None:
        place = figures.montage([[(2, -10.0), (2, 0.0), (2, 10.0)]], BOX)
        assert [text for *_, text in place.sides] == ['L', 'R']

    def test_sagittal_cuts_have_no_sides(self) -> None:
        assert figures.montage([[(0, -10.0), (0, 10.0)]], BOX).sides == []


@pytest.mark.parametrize('n', [1, 2, 3, 7])
def test_spread_is_inside_and_even(n: int) -> None:
    positions = figures.spread_cuts(-70.0, 82.0, n)
    gaps = np.diff([-70.0, *positions, 82.0])
    assert len(positions) == n
    assert np.ptp(gaps) <= 1  # positions are rounded to whole mm, each by at most half


def test_grey_limits_ignore_background_and_a_bright_speck(rng: np.random.Generator) -> None:
    image = np.zeros((100, 100))
    image[:50] = rng.uniform(90, 100, (50, 100))
    image[0, 0] = 1e6
    image.setflags(write=False)
    low, high = grey_limits(image)
    assert low == 0
    assert 100 < high < 1.1 * 100  # 1.1 x a percentile of values of at most 100


def test_grey_limits_of_an_image_with_nan() -> None:
    assert grey_limits(np.array([[np.nan, 2.0]])) == (0.0, pytest.approx(2.2))


class TestDrawMontage:
    def canvas(self, place: figures.Montage) -> np.ndarray:
        return np.where(np.linalg.norm(place.points, axis=2) < 25, 100.0, 0.0)

    def test_background_is_black_and_brain_grey(self) -> None:
        place = simple_place()
        picture = pixels(figures.draw_montage(place, self.canvas(place)))
        assert np.median(picture) == 0
        assert np.all(np.ptp(picture, axis=2) == 0)  # no colour without outline or map

    def test_outline_runs_where_the_region_ends(self) -> None:
        place = simple_place()
        canvas = self.canvas(place)
        outline = Outline(canvas / 100, figures.ORANGE, '')
        picture = pixels(figures.draw_montage(place, np.zeros_like(canvas), outlines=[outline])).astype(int)
        coloured = np.argwhere(picture[..., 0] - picture[..., 2] > 100) / 1.6  # 1.6 dots per pixel
        border = canvas[tuple(np.clip(coloured.round().astype(int), 0, np.array(canvas.shape) - 1).T)]
        assert len(coloured)
        # a line of about one pixel lies half inside: neither a filled region nor a line elsewhere
        assert 0.2 < (border > 0).mean() < 0.8

    def test_unlabelled_outlines_need_no_head(self) -> None:
        place = simple_place()
        canvas = self.canvas(place)
        plain = figures.draw_montage(place, canvas, outlines=[Outline(canvas, figures.BLUE, '')])
        named = figures.draw_montage(place, canvas, outlines=[Outline(canvas, figures.BLUE, 'a')])
        assert plain.get_size_inches()[1] < named.get_size_inches()[1]

    def test_an_empty_region_is_no_error(self) -> None:
        place = simple_place()
        canvas = np.zeros(place.points.shape[:2])
        picture = pixels(figures.draw_montage(place, canvas, outlines=[Outline(canvas, figures.BLUE, '')]))
        assert not has_colour(picture, figures.BLUE)

    def test_map_is_red_above_zero_blue_below_and_absent_at_zero(self) -> None:
        place = simple_place()
        x = place.points[..., 0]
        head = np.abs(place.points).max(axis=2) < 1000
        z = np.where(head, np.where(x > 10, 0.8, np.where(x < -10, -0.8, 0.0)), 0.0)
        figure = figures.draw_montage(
            place, 100.0 * head, overlays=[Overlay(z, (-1.0, 1.0), 'RdBu_r', 'z', 0.5)]
        )
        picture = pixels(figure)[-int(place.points.shape[0] * 1.6) :].astype(int)
        red = picture[..., 0] - picture[..., 2]
        at = {name: np.argwhere(red * sign > 60)[:, 1].mean() for name, sign in (('red', 1), ('blue', -1))}
        first_cut = picture[: int(91 * 1.6), : int(61 * 1.6)]
        middle = first_cut[:, int(28 * 1.6) : int(33 * 1.6)]
        assert at['red'] > at['blue']  # right is at the right
        assert np.ptp(middle, axis=2).max() == 0  # grey shows where the map is zero

    def test_level_is_dashed_for_negative_values(self) -> None:
        place = simple_place()
        z = np.where(place.points[..., 0] < 0, -0.8, 0.8) * (np.abs(place.points).max(axis=2) < 1000)
        figure = figures.draw_montage(place, np.abs(z), overlays=[Overlay(z, (-1.0, 1.0), 'RdBu_r', '', 0.5)])
        dashes = [lines.get_linestyle()[0] for lines in figure.axes[0].collections]
        assert [pattern is None for _, pattern in dashes] == [True, False]

    def test_two_maps_have_two_colour_bars(self) -> None:
        place = simple_place()
        upper = np.where(np.arange(place.points.shape[0])[:, None] < 50, 1.0, np.nan)
        upper = np.broadcast_to(upper, place.points.shape[:2])
        maps = [Overlay(upper, (0.0, 1.0), 'viridis', 'a'), Overlay(1 - upper, (-3.0, 3.0), 'RdBu_r', 'b')]
        figure = figures.draw_montage(place, np.zeros(upper.shape), overlays=maps)
        assert [axes.get_xlim() for axes in figure.axes[1:]] == [(0, 1), (-3, 3)]
        assert {'a', 'b'} <= {text.get_text() for text in figure.texts}

    def test_row_names(self) -> None:
        place = simple_place()
        figure = figures.draw_montage(place, np.zeros(place.points.shape[:2]), row_names=['one', 'two'])
        shown = [text.get_text() for text in figure.axes[0].texts]
        assert {'one', 'two', 'x = 5'} <= set(shown)


class TestDrawPair:
    def test_halves_are_congruent(self, rng: np.random.Generator) -> None:
        place = simple_place()
        image = rng.uniform(0, 1, place.points.shape[:2])
        image.setflags(write=False)
        outline = [Outline((place.points[..., 2] > 0) * 1.0, figures.BLUE, 'upper half')]
        picture = pixels(figures.draw_pair(place, (image, image), ('', ''), outline)).astype(int)
        height = len(picture) // 2
        assert len(picture) == 2 * height
        difference = np.abs(picture[:height] - picture[height:])
        # rounding of the axes' place moves interpolation weights by 1e-3 of a grey level's range
        assert difference.max() <= 2

    def test_first_image_is_above(self) -> None:
        place = simple_place()
        grey = np.linspace(0, 1, place.points.shape[1]) * np.ones(place.points.shape[:2])
        picture = pixels(figures.draw_pair(place, (grey, np.zeros_like(grey)), ('', ''), []))
        height = len(picture) // 2
        assert picture[:height].mean() > 10 * picture[height:].mean()

    def test_names_do_not_lie_on_each_other(self) -> None:
        place = simple_place()
        image = np.ones(place.points.shape[:2])
        figure = figures.draw_pair(place, (image, image), ('Template', 'Person'), [])
        first, second = (text.get_position() for text in figure.texts)
        assert first[0] != second[0]
        assert first[1] - second[1] == pytest.approx(0.5)


class TestCarpet:
    n_volumes, n_voxels = 40, 30

    def series(self, rng: np.random.Generator) -> dict:
        kept = np.ones(self.n_volumes, bool)
        kept[[0, 20, 21]] = False
        fd = rng.uniform(0, 0.3, self.n_volumes)
        fd[0] = np.nan
        arrays = {
            'before': rng.standard_normal((self.n_voxels, self.n_volumes)).astype(np.float16),
            'after': rng.standard_normal((self.n_voxels, self.n_volumes)).astype(np.float16),
            'tissue': np.array(['CSF'] * 5 + ['GM'] * 15 + ['WM'] * 10),
            'kept': kept,
            'fd': fd,
            'dvars': rng.uniform(1, 2, self.n_volumes),
        }
        for array in arrays.values():
            array.setflags(write=False)
        return arrays

    def carpets(self, figure: Figure) -> list[np.ndarray]:
        return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]

    def test_left_out_volumes_have_a_colour_and_the_others_none(self, rng: np.random.Generator) -> None:
        arrays = self.series(rng)
        for carpet in self.carpets(figures.draw_carpet(**arrays, t_r=2.0)):
            is_coloured = np.ptp(carpet, axis=2) > 0
            assert is_coloured.all(axis=0).tolist() == (~arrays['kept']).tolist()
            assert not is_coloured[:, arrays['kept']].any()

    def test_grey_is_the_standard_score(self, rng: np.random.Generator) -> None:
        arrays = self.series(rng)
        arrays['tissue'] = np.array(['GM'] * self.n_voxels)
        carpet = self.carpets(figures.draw_carpet(**arrays, t_r=2.0))[0]
        y = arrays['before'][:, arrays['kept']].astype(float)
        score = (y - y.mean(axis=1, keepdims=True)) / y.std(axis=1, keepdims=True)
        expected = np.clip(score / 4 + 0.5, 0, 1)
        # float16 input: relative precision 1e-3
        assert carpet[:, arrays['kept'], 0] == pytest.approx(expected, abs=2e-3)

    def test_what_denoising_removed_is_paler(self, rng: np.random.Generator) -> None:
        arrays = self.series(rng)
        arrays['after'] = arrays['before'] / 4
        before, after = (
            c[:, arrays['kept'], 0] - 0.5 for c in self.carpets(figures.draw_carpet(**arrays, t_r=2.0))
        )
        seen = np.abs(before) < 0.49  # not cut at black or white
        assert after[seen] == pytest.approx(before[seen] / 4, abs=2e-3)

    def test_names_of_thin_strips_do_not_meet(self, rng: np.random.Generator) -> None:
        arrays = self.series(rng)
        arrays['tissue'] = np.array(['grey matter'] * 26 + ['deep grey matter', 'CSF', 'other', 'other'])
        ticks = figures.draw_carpet(**arrays, t_r=2.0).axes[2].get_yticks()
        assert np.diff(ticks).min() >= 0.07 * self.n_voxels
        assert ticks.max() <= self.n_voxels

    def test_tissues_are_ordered_and_named(self, rng: np.random.Generator) -> None:
        figure = figures.draw_carpet(**self.series(rng), t_r=2.0)
        names = [text.get_text() for text in figure.axes[2].get_yticklabels()]
        assert names == ['GM', 'WM', 'CSF']
        assert names == [tissue for tissue in CARPET_TISSUES if tissue in names]

    def test_unknown_tissue_comes_last(self, rng: np.random.Generator) -> None:
        arrays = self.series(rng)
        arrays['tissue'] = np.array(['other'] * 10 + ['grey matter'] * 20)
        figure = figures.draw_carpet(**arrays, t_r=2.0)
        names = [text.get_text() for text in figure.axes[2].get_yticklabels()]
        assert names == ['grey matter', 'other']

    def test_series_of_kept_volumes_are_put_in_their_place(self, rng: np.random.Generator) -> None:
        arrays = self.series(rng)
        whole = self.carpets(figures.draw_carpet(**arrays, t_r=2.0))[1]
        arrays['after'] = arrays['after'][:, arrays['kept']]
        assert np.array_equal(self.carpets(figures.draw_carpet(**arrays, t_r=2.0))[1], whole)

    def test_wrong_number_of_volumes(self, rng: np.random.Generator) -> None:
        arrays = self.series(rng)
        arrays['after'] = arrays['after'][:, :-1]
        with pytest.raises(ValueError, match='39 volumes; 40 or the 37 kept'):
            figures.draw_carpet(**arrays, t_r=2.0)

    def test_time_axis_is_in_seconds(self, rng: np.random.Generator) -> None:
        figure = figures.draw_carpet(**self.series(rng), t_r=1.5)
        assert figure.axes[-1].get_xlim() == (0, 60)

    def test_threshold_is_drawn_on_motion_only(self, rng: np.random.Generator) -> None:
        figure = figures.draw_carpet(**self.series(rng), t_r=2.0, fd_threshold=0.25)
        fd, dvars, *_ = figure.axes
        assert [line.get_ydata()[0] for line in fd.lines if line.get_linestyle() == '--'] == [0.25]
        assert len(dvars.lines) == 1

    def test_motion_that_is_all_missing(self, rng: np.random.Generator) -> None:
        arrays = self.series(rng)
        arrays['fd'] = np.full(self.n_volumes, np.nan)
        assert pixels(figures.draw_carpet(**arrays, t_r=2.0)).shape[2] == 3

    def test_constant_voxel(self, rng: np.random.Generator) -> None:
        arrays = self.series(rng)
        arrays['before'] = np.ones((self.n_voxels, self.n_volumes), np.float16)
        carpet = self.carpets(figures.draw_carpet(**arrays, t_r=2.0))[0]
        assert np.all(carpet[:, arrays['kept']] == 0.5)


class TestRelmat:
    labels = ('NAcL', 'NAcR', 'NAc', 'mPFCL', 'mPFCR', 'mPFC')
    groups = ('NAc', 'NAc', 'NAc', 'mPFC', 'mPFC', 'mPFC')

    def matrix(self) -> np.ndarray:
        z = np.full((6, 6), 0.25)
        z[0, 3] = z[3, 0] = -0.5
        z[:3, :3] = 2.0
        np.fill_diagonal(z, np.nan)
        z.setflags(write=False)
        return z

    def test_every_pair_is_a_number(self) -> None:
        figure = figures.draw_relmat(self.matrix(), list(self.labels), self.groups, primary=[('NAc', 'mPFC')])
        texts = [text.get_text() for text in figure.axes[0].texts]
        assert len(texts) == 30
        assert texts.count('\u22120.50') == 2

    def test_colours_are_centred_on_zero(self) -> None:
        image = (
            figures.draw_relmat(self.matrix(), list(self.labels), self.groups, primary=[('NAc', 'mPFC')])
            .axes[0]
            .images[0]
        )
        low, high = image.get_clim()
        assert low == -high
        assert high == 1.0  # left and right accumbens (2.0) are a pair like others; the scale ends at 1

    def test_a_region_with_its_part_is_hatched_and_sets_no_limit(self) -> None:
        z = self.matrix().copy()
        z[0, 1] = z[1, 0] = 0.4
        figure = figures.draw_relmat(z, list(self.labels), self.groups)
        assert figure.axes[0].images[0].get_clim() == (-0.5, 0.5)
        assert sum(patch.get_hatch() is not None for patch in figure.axes[0].patches) == 8

    def test_primary_pair_is_framed_on_both_sides(self) -> None:
        figure = figures.draw_relmat(self.matrix(), list(self.labels), self.groups, primary=[('NAc', 'mPFC')])
        frames = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
        assert sorted(patch.get_xy() for patch in frames) == [(1.5, 4.5), (4.5, 1.5)]

    def test_missing_value_is_written(self) -> None:
        z = self.matrix().copy()
        z[3] = z[:, 3] = np.nan
        texts = [t.get_text() for t in figures.draw_relmat(z, list(self.labels), self.groups).axes[0].texts]
        assert texts.count('n/a') == 10

    def test_matrix_without_any_value(self) -> None:
        figure = figures.draw_relmat(np.full((2, 2), np.nan), ['A', 'B'], ['A', 'B'])
        assert figure.axes[0].images[0].get_clim() == (-0.3, 0.3)

    def test_text_is_light_on_dark_cells(self) -> None:
        figure = figures.draw_relmat(self.matrix(), list(self.labels), self.groups, primary=[('NAc', 'mPFC')])
        colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
        assert colours['0.25'] == 'black'
