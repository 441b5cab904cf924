"""The readers in C against Decimal and json, on texts made for their edges; `make fuzz` does the same with coverage."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import _probe
from tests.fuzz import corpus
from tests.fuzz.oracle import check_double, check_json, check_time, check_units

DIGITS = st.text("0123456789", min_size=1, max_size=24) | st.sampled_from(
    ["9223372036854775807", "9223372036854775808", "1844674407370955161", "18446744073709551615", "0" * 22])
EXPONENT = st.just("") | st.integers(-330, 330).map("e{}".format) | st.sampled_from(["E+5", "e-0", "e", "e+"])
NUMBERS = st.builds("{}{}{}{}{}".format, st.sampled_from(["", "", "-", "+", " "]), DIGITS,
                    st.sampled_from(["", ".", ".."]), DIGITS | st.just(""), EXPONENT)
EDGES = [unit_end + step for unit_end in (10**8, 10**11, 10**14, 10**17, 9223372036, 9223372036854, 9223372036854775,
                                          2**63) for step in (-1, 0, 1)]
TIMES = st.builds("{}{}".format, st.integers(0, 2**63) | st.sampled_from(EDGES),
                  st.just("") | st.text("0123456789", max_size=12).map(".{}".format))
TOKENS = ["{", "}", "[", "]", ",", ":", " ", "\n", '"a"', '"\\""', '"\\', "0", "-1.5e3", "01", "1.", "true", "null",
          "nul", "NaN", "\x0b", "\xff", "[" * 31, "]" * 31]


@given(NUMBERS, st.integers(0, 18))
@settings(max_examples=1500)
def test_numbers_are_what_decimal_says(text, scale):
    data = text.encode()
    check_units(data, scale, *_probe.units(data, scale))
    check_double(data, *_probe.double(data))


@given(TIMES)
@settings(max_examples=800)
def test_times_are_what_their_digits_say(text):
    check_time(text.encode(), *_probe.time_text(text.encode()))


@given(st.lists(st.sampled_from(TOKENS), max_size=12).map("".join))
@settings(max_examples=1500)
def test_documents_are_what_json_takes(text):
    data = text.encode("latin-1")
    check_json(data, _probe.scan(data)[0])


@pytest.mark.parametrize("text", ["[" * 32 + "]" * 32, "[" * 33 + "]" * 33, '{"a":' * 32 + "1" + "}" * 32,
                                  '{"a":' * 33 + "1" + "}" * 33, *corpus.SCAN])
def test_documents_of_every_depth(text):
    check_json(text.encode(), _probe.scan(text.encode())[0])
