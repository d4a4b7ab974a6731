import numpy as np
import pytest

from pipelines.errors import FewDirectionsError
from pipelines.numerics.gradient_table import read_scheme
from pipelines.numerics.gradients import read_gradients
from pipelines.simulated.diffusion import gradient_table

OBLIQUE = np.array([[2.0, 0.3, 0, 5], [-0.3, 2.0, 0.4, 7], [0, -0.4, 2.5, 9], [0, 0, 0, 1]])
ROWS = np.arange(14)[:, None]


@pytest.fixture
def plan():
    """12 directions at b = 1000 and two volumes of b = 0, the first and the eighth."""
    b, g = gradient_table(12, (1000.0,), n_b0=2)
    for array in (b, g):
        array.setflags(write=False)
    return b, g


@pytest.mark.parametrize('is_wide', [False, True])
@pytest.mark.parametrize('absent', [0.0, np.nan, np.inf, 1e308, 0.05])
def test_volumes_without_direction_are_left_out(plan, absent, is_wide):
    """Trace images before and behind a series: the rest is as without them."""
    b = np.array([plan[0][0], 1000.0, *plan[0][1:], 1000.0])
    nothing = np.full((1, 3), absent)
    g = np.vstack([plan[1][:1], nothing, plan[1][1:], nothing])
    found = read_scheme(b, g.T if is_wide else g, OBLIQUE, 16)
    np.testing.assert_array_equal(np.flatnonzero(~found.used), [1, 15])
    for mine, theirs in zip(found.table, read_gradients(*plan, OBLIQUE, 14)):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize('b0', [0.0, np.nan, 0.7])
def test_a_sound_table_is_read_as_it_is(plan, b0):
    """Whatever stands in the vectors of b = 0."""
    vectors = np.where(plan[0][:, None] == 0, b0, plan[1])
    found = read_scheme(plan[0], vectors, OBLIQUE, 14)
    assert found.used.all()
    for mine, theirs in zip(found.table, read_gradients(*plan, OBLIQUE, 14)):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda b, g: (b * 0, g), 'all b-values are 0: no volume'),
        (lambda b, g: (b * 0 + 5, g * 0), 'largest b-value is 5: no volume'),
        (lambda b, g: (b * 0 + 5, g * 0 + [0.6, 0.8, 0]), 'largest b-value is 5: no volume'),
        (lambda b, g: (b * 0.05, g), 'largest b-value is 50: no volume'),
        (lambda b, g: (b, np.where(ROWS < 6, g, 0)), 'only 5 different directions'),
        (lambda b, g: (b, np.where(b[:, None] > 0, g[1], 0)), 'only 1 different directions'),
        (lambda b, g: (b, g * 0), 'only 0 different directions'),
        (lambda b, g: (b, g * np.nan), 'only 0 different directions'),
        (lambda b, g: (np.where(np.arange(14) < 6, b, 0), g), 'only 5 different directions'),
    ],
)
def test_images_that_show_no_directions_are_told_from_damaged_tables(plan, change, message):
    with pytest.raises(FewDirectionsError, match=message):
        read_scheme(*change(*plan), np.eye(4), 14)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda b, g: (b[:-1], g), '14 volumes, bval 13 values and bvec 14'),
        (lambda b, g: (b, g[:-1]), 'bvec 13 directions'),
        (lambda b, g: (b, g[:, :2]), 'directions'),
        (lambda b, g: (b * 1e6, g), 's/m.2, not s/mm.2. Divide bval by 1,000,000'),
        (lambda b, g: (b / 1e3, g), 'perhaps ms/um.2'),
        (lambda b, g: (-b, g), 'negative or no numbers'),
        (lambda b, g: (np.where(b, b, np.nan), g), 'negative or no numbers'),
        (lambda b, g: (b * 0 + 1e3, np.where(b[:, None], g, 0)), 'no volume has b = 0, and volume 0 .* write 0'),
        (lambda b, g: (b * 0 + 1e3, np.where(b[:, None], g, np.nan)), 'no volume has b = 0, and volume 0'),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_says_why(plan, change, message):
    with pytest.raises(ValueError, match=message) as raised:
        read_scheme(*change(*plan), np.eye(4), 14)
    assert not isinstance(raised.value, FewDirectionsError)
