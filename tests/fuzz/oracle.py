"""What a number, a time or a JSON document is, said by Decimal and json: the readers in C must say the same.

Used by the fuzz targets `decimal` and `json`, and by tests/feeds/test_fuzz_oracle.py on texts of its own.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, localcontext
from math import inf, nextafter

OK, BAD_NUMBER, NO_FIT, NEEDS_SCALE = 0, 2, 5, 6        # orderbook.types
INT64_MAX = 2**63 - 1
MAX_SCALE = 18
MAX_DEPTH = 32
LARGEST_EXPONENT = 400          # past it the readers tell no numbers apart

NUMBER = re.compile(rb"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
STAMP = re.compile(rb"([0-9]{1,19})(?:\.([0-9]*))?")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)

# A time's unit by its size: ns in one, and the first and last count that is taken for it.
UNITS = ((10**9, 10**8, 10**11), (10**6, 10**11, 10**14), (10**3, 10**14, 10**17), (1, 10**17, 2**63))


def check_units(text: bytes, scale: int, status: int, units: int, decimals: int) -> None:
    """Whether read_units gave what Decimal says; raises AssertionError."""
    if NUMBER.fullmatch(text) is None:
        assert status == BAD_NUMBER, f"{text!r} is no number"
        return
    if is_extreme(text):
        return
    with localcontext() as context:
        context.prec = 1200
        number = Decimal(text.decode())
        scaled = number.scaleb(scale)
        if scaled == scaled.to_integral_value() and abs(scaled) <= INT64_MAX:
            assert (status, units) == (OK, int(scaled)), f"{text!r} at {scale}: {status}, {units}"
            return
        finer = next((i for i in range(scale + 1, MAX_SCALE + 1)
                      if number.scaleb(i) == number.scaleb(i).to_integral_value()), None)
        if scaled != scaled.to_integral_value() and finer and abs(number.scaleb(finer)) <= INT64_MAX:
            assert (status, decimals) == (NEEDS_SCALE, finer), f"{text!r} at {scale}: {status}, {decimals}"
        else:
            assert (status, units) == (NO_FIT, 0), f"{text!r} at {scale}: {status}, {units}"


def check_double(text: bytes, status: int, value: float) -> None:
    """Whether read_double gave the nearest double but for one unit in the last place; raises AssertionError."""
    if not text:
        assert status == OK and value != value, "no text is nan"  # noqa: PLR0124
    elif NUMBER.fullmatch(text) is None:
        assert status == BAD_NUMBER, f"{text!r} is no number"
    elif not is_extreme(text):
        nearest = float(text)
        if status == OK:
            assert nextafter(nearest, -inf) <= value <= nextafter(nearest, inf), f"{text!r}: {value!r}"
        else:
            assert status == NO_FIT and abs(nearest) > 1.797e308, f"{text!r}: {status}"


def check_time(text: bytes, status: int, ns: int) -> None:
    """Whether read_time gave what the digits say, where they are plain; raises AssertionError."""
    match = STAMP.fullmatch(text)
    if match is None:
        return
    whole, part = int(match[1]), match[2]
    want = 0
    for unit, first, past in UNITS:
        # With a fraction the last second (ms, us) that int64 holds is not taken.
        if first <= whole < past and whole * unit <= INT64_MAX - (unit if part is not None and unit > 1 else 0):
            want = whole * unit + int(((part or b"") + b"0" * 9)[:9]) * unit // 10**9
    assert (status, ns) == (OK, want), f"{text!r}: {status}, {ns} is not {want}"


def check_json(text: bytes, accepted: bool) -> None:
    """Whether the scanner takes a text exactly if json does; what is inside strings is nobody's matter."""
    emptied = STRING.sub('""', text.decode("latin-1"))
    try:
        json.loads(emptied, parse_constant=refuse, parse_int=str, parse_float=str)
        good = deepest(emptied) <= MAX_DEPTH
    except (ValueError, RecursionError):
        good = False
    assert accepted == good, f"{text!r} is {'a' if good else 'no'} document to json"


def is_extreme(text: bytes) -> bool:
    """Whether a number has an exponent that only counts as too large."""
    exponent = text.lower().partition(b"e")[2]
    return bool(exponent) and abs(int(exponent)) > LARGEST_EXPONENT


def refuse(word: str) -> None:
    """NaN and Infinity are no JSON, though json takes them."""
    raise ValueError(word)


def deepest(text: str) -> int:
    """Nesting of a document without strings."""
    most = depth = 0
    for byte in text:
        depth += (byte in "[{") - (byte in "]}")
        most = max(most, depth)
    return most
