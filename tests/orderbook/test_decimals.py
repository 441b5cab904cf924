"""Exact numbers at the Python edge."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.decimals import as_parts, as_units, units_decimal, units_text


@pytest.mark.parametrize(("value", "parts"), [
    ("1209.67", (120967, 2)), ("0.50000000", (5, 1)), ("-3.10", (-31, 1)), ("100", (100, 0)), ("1e3", (1000, 0)),
    ("7e-7", (7, 7)), ("9.121E-7", (9121, 10)), ("4.0E7", (40_000_000, 0)), ("-0.0", (0, 0)), ("0.000", (0, 0)),
    (5, (5, 0)), (np.int64(5), (5, 0)), (0.1, (1, 1)), (np.float64(0.1), (1, 1)), (1e22, (10**22, 0)),
    (Decimal("2.50"), (25, 1)), (Decimal("1E+2"), (100, 0)), ("12345678901234567890123.5",
                                                              (123456789012345678901235, 1)),
])
def test_parts_are_the_shortest_form(value, parts):
    assert as_parts(value) == parts


@pytest.mark.parametrize("value", ["", " ", "abc", "1,5", "1.2.3", "nan", "-inf", "0x10", "1e", "--1", float("nan"),
                                   float("-inf"), Decimal("sNaN"), "1e401", "1e999999999", "1e-999999999", "1" * 500])
def test_what_is_no_finite_number_of_ordinary_size_is_refused(value):
    with pytest.raises(ValueError, match="expected"):
        as_parts(value)


@pytest.mark.parametrize("value", [None, b"1", [1], object(), 1j])
def test_another_kind_of_value_is_refused(value):
    with pytest.raises(TypeError, match="expected a number"):
        as_parts(value)


def test_units_need_a_scale_that_holds_them():
    assert as_units("1.25", 4) == 12500
    with pytest.raises(ValueError, match="more than 1 decimals"):
        as_units("1.25", 1)


@pytest.mark.parametrize(("units", "scale", "text"), [
    (1, 8, "0.00000001"), (10, 1, "1"), (-5, 1, "-0.5"), (0, 5, "0"), (120, 0, "120"), (1230, 2, "12.3"),
    (-(2**63) + 1, 18, "-9.223372036854775807"),
])
def test_text_is_plain(units, scale, text):
    assert units_text(units, scale) == text
    assert units_decimal(units, scale) == Decimal(text)


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(0, 18))
def test_units_go_to_text_and_back(units, scale):
    text = units_text(units, scale)
    assert as_units(text, scale) == units
    assert Decimal(text) == Decimal(units).scaleb(-scale)
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=12))
def test_a_decimal_and_its_text_are_the_same_number(value):
    mantissa, decimals = as_parts(value)
    assert as_parts(str(value)) == (mantissa, decimals)
    assert Decimal(mantissa).scaleb(-decimals) == value
    assert decimals == 0 or mantissa % 10 != 0


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_float_stands_for_its_shortest_decimal(value):
    mantissa, decimals = as_parts(value)
    assert Decimal(mantissa).scaleb(-decimals) == Decimal(repr(value))
