"""Numbers as text has them: by Python's own rule, and what no reader may end at."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reading import NUMBER, number_of


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_python_writes_is_read_to_the_last_bit(value):
    assert number_of(repr(value)) == value
    assert number_of(f' {value:.17e}\n') == value


@given(st.text(alphabet='0123456789.eE+-_ \0x', max_size=12))
def test_what_is_read_is_what_python_reads(text):
    found = number_of(text)
    if math.isnan(found):
        stripped = text.strip()
        assert not NUMBER.fullmatch(stripped) or math.isinf(float(stripped))
    else:
        assert found == float(text)


# the second ends the process in pandas 2.3, whose exponent overflows; the first becomes 1 there
@pytest.mark.parametrize(
    'text', ['1e4294967296', '1e2147484000', '2.4e-0\x006', '1_000', 'nan', 'inf', 'n/a', '', True]
)
def test_what_is_no_finite_number_is_nan(text):
    assert math.isnan(number_of(text))


def test_small_exponents_with_many_digits_are_numbers():
    assert number_of('2.4e-' + '0' * 50 + '3') == 0.0024
    assert number_of('1e-' + '9' * 400) == 0
