"""Close-ups of regions: every pixel has the place that its labels say."""

import numpy as np
import pytest

from pipelines import figures

CENTRES = {'A': (-10.0, 8.0, -9.0), 'B': (12.0, 7.5, -8.0), 'C': (0.0, 44.0, -12.0)}


def test_the_middle_of_each_cut_is_the_centre():
    place, parts = figures.zoom_on(CENTRES)
    assert list(parts) == list(CENTRES)
    for name, centre in CENTRES.items():
        points = place.points[parts[name]]
        side = points.shape[0]
        for axis in range(3):
            begin = axis * (side + 6)
            tile = points[:, begin : begin + side]
            np.testing.assert_allclose(tile[side // 2, side // 2], centre)
            assert (tile[..., axis] == centre[axis]).all()
            assert np.abs(tile - centre).max() == 24


def test_regions_do_not_share_pixels_and_what_is_between_is_outside():
    place, parts = figures.zoom_on(CENTRES)
    count = np.zeros(place.points.shape[:2], int)
    for part in parts.values():
        count[part] += 1
    assert count.max() == 1
    assert (place.points[count == 0] == 1e6).all()


def test_left_is_left_and_up_is_up():
    place, parts = figures.zoom_on({'A': (0, 0, 0)})
    points = place.points[parts['A']]
    side = points.shape[0]
    coronal = points[:, side + 6 : 2 * side + 6]
    assert coronal[0, 0].tolist() == [-24, 0, 24]
    assert coronal[-1, -1].tolist() == [24, 0, -24]
    assert [text for _, _, text in place.sides] == ['L', 'R'] * 2


@pytest.mark.parametrize(('n', 'rows'), [(1, 1), (2, 1), (3, 2), (40, 20)])
def test_two_regions_stand_in_a_row(n, rows):
    one, _ = figures.zoom_on({'A': (0, 0, 0)})
    place, parts = figures.zoom_on({f'R{k}': (k, 0, 0) for k in range(n)})
    assert place.points.shape[0] == rows * one.points.shape[0]
    assert len(parts) == n
    names = [text for _, _, text in place.labels if text.startswith('R')]
    assert names == [f'R{k}' for k in range(n)]


def test_it_is_drawn():
    place, _ = figures.zoom_on(CENTRES)
    background = np.where(place.points[..., 0] < 1e5, 0.5, 0)
    figure = figures.draw_montage(place, background)
    shown = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {'A', 'B', 'C', 'x = -10', 'y = 44', 'z = -8', 'L', 'R'} <= shown
