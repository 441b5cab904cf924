"""Decimal text to integers and doubles: exact, or refused."""

from __future__ import annotations

import math
import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import _probe
from tests._probe import Result

INT64_MAX = 2**63 - 1

# Tokens that venues write, with their exact value.
TOKENS = {
    "0.00000000": 0, "0.0": 0, "0": 0, "-0.0": 0, "7e-7": "0.0000007", "1e-8": "0.00000001", "9.111e-7": "0.0000009111",
    "9.121E-7": "0.0000009121", "4.0E7": 40_000_000, "3.358149508E7": "33581495.08", "1.0E-10": "0.0000000001",
    "7.548E+4": 75480, "-6.2604214e-11": "-0.000000000062604214", "0.080100": "0.0801", "0.10000000": "0.1",
    "4714.0": 4714, "34981": 34981, "2482.5500": "2482.55", "1E-8": "0.00000001", "1.742e-05": "0.00001742",
    "1209.67": "1209.67", "-88.17": "-88.17", "92233720368.54775807": "92233720368.54775807", "-1": -1,
    "1.6E-7": "0.00000016",
    "9223372036854775807": INT64_MAX, "0.000000000000000001": "1e-18", "000123.4500": "123.45",
    "0.00000000000000000000000000000000000000": 0, "100000000000000000000000000000e-25": 10000, "1e18": 10**18,
    "0e999999999999999999": 0, "5.": 5, ".5": "0.5",
}
NO_NUMBERS = ["", "-", ".", "-.", "e5", "1e", "1e+", "1e-", "1.2.3", "1..2", "--1", "+1", "1-", "1 ", " 1", "1,000",
              "0x10",
              "nan", "NaN", "inf", "null", "expired", "1e5.5", "1e5e5", "1_000", "\x00", "1\x00", "\u0661", "1\\", '1"']


def decimals_of(value):
    """Fewest decimals that a number needs, and its digits as an integer."""
    sign, digits, exponent = Decimal(value).normalize().as_tuple() if Decimal(value) else (0, (0,), 0)
    return max(-exponent, 0)


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_are_read_exactly(token):
    value = Decimal(TOKENS[token])
    needed = decimals_of(value)
    assert _probe.units(token.encode(), 18 if needed == 18 else needed) == (Result.OK, int(value.scaleb(needed)), 0)
    wide = int(value.scaleb(needed + 2))
    if needed + 2 <= 18:
        assert _probe.units(token.encode(), needed + 2)[:2] == (
            (Result.OK, wide) if abs(wide) <= INT64_MAX else (Result.NO_FIT, 0))
    if needed:
        assert _probe.units(token.encode(), needed - 1) == (Result.NEEDS_SCALE, 0, needed)
    status, number = _probe.double(token.encode())
    assert status == Result.OK
    assert number == pytest.approx(float(value), rel=1e-15, abs=0)


@pytest.mark.parametrize("token", NO_NUMBERS)
def test_what_is_no_number_is_refused(token):
    text = token.encode()
    assert _probe.units(text, 8)[0] == Result.BAD_NUMBER
    assert _probe.integer(text)[0] == Result.BAD_NUMBER
    if text:
        assert _probe.double(text)[0] == Result.BAD_NUMBER


def test_empty_text_is_nan_as_a_double():
    status, value = _probe.double(b"")
    assert status == Result.OK
    assert math.isnan(value)


@pytest.mark.parametrize("token", ["9223372036854775808", "-9223372036854775808", "1e19", "1e400", "1e-19",
                                   "0.1234567890123456789", "123456789012345678901", "18446744073709551615",
                                   "18446744073709551617", "10000000000000000000.0000000001", "9" * 200,
                                   "1e99999999999999999999"])
def test_what_int64_cannot_hold_is_refused(token):
    status, value, _ = _probe.units(token.encode(), 0)
    assert (status, value) == (Result.NO_FIT, 0)


def test_a_forty_digit_quantity_is_read_where_its_tail_is_nothing():
    assert _probe.units(b"12.50000000000000000000000000000000000000", 1) == (Result.OK, 125, 0)
    assert _probe.units(b"12.50000000000000000000000000000000000001", 1)[0] == Result.NO_FIT


@pytest.mark.parametrize(("token", "value"), [
    ("12", 12), ("-1", -1), ("1.0", 1), ("1e3", 1000), ("5123107852948", 5123107852948),
    ("9223372036854775807", INT64_MAX)])
def test_integers(token, value):
    assert _probe.integer(token.encode()) == (Result.OK, value)


def test_a_fraction_is_no_integer():
    assert _probe.integer(b"1.5")[0] == Result.BAD_NUMBER
    assert _probe.integer(b"123456789012345678901234567")[0] == Result.NO_FIT


@pytest.mark.parametrize("token", ["1e300", "1e305", "1.7e308", "-2.5e307", "1e-300", "4.9e-324", "1" + "0" * 290])
def test_doubles_of_any_size(token):
    status, value = _probe.double(token.encode())
    assert status == Result.OK
    assert value == pytest.approx(float(token), rel=1e-14)


@pytest.mark.parametrize("token", ["1e309", "1e400", "-1e999999", "9" * 400])
def test_a_double_past_its_range_is_not_a_wrong_number(token):
    status, value = _probe.double(token.encode())
    assert status != Result.OK or value == float(token)


PLAIN = st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", fullmatch=True)
ANY = st.from_regex(r"-?([0-9]{1,22}(\.[0-9]{0,22})?|\.[0-9]{1,22})([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(PLAIN | ANY, st.integers(0, 18))
@settings(max_examples=600)
def test_units_against_decimal(text, scale):
    value = Decimal(text)
    status, units, decimals = _probe.units(text.encode(), scale)
    needed = decimals_of(value)
    if value == 0:
        assert (status, units) == (Result.OK, 0)
    elif needed > 18 or abs(value) >= Decimal(2) ** 63:
        assert status == Result.NO_FIT
    elif status == Result.OK:
        assert Decimal(units).scaleb(-scale) == value
    elif status == Result.NEEDS_SCALE:
        assert decimals == needed > scale
    else:
        assert status == Result.NO_FIT
        exact = value.scaleb(max(scale, needed))
        assert abs(exact) > INT64_MAX


@given(ANY)
@settings(max_examples=400)
def test_doubles_against_python(text):
    status, value = _probe.double(text.encode())
    if abs(float(text)) != math.inf:
        assert status == Result.OK
        assert value == pytest.approx(float(text), rel=3e-16 * 4, abs=5e-323)


@given(st.integers(0, 10**15 - 1), st.integers(0, 15))
def test_doubles_of_fifteen_digits_are_the_nearest(digits, places):
    text = format(Decimal(digits).scaleb(-places), "f")
    assert _probe.double(text.encode()) == (Result.OK, float(text))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_shortest_texts_of_doubles(number):
    status, value = _probe.double(repr(number).encode())
    assert status == Result.OK
    assert value == pytest.approx(number, rel=1e-15, abs=5e-323)


def test_random_text_is_read_as_decimal_does_or_refused(seed):
    rng = random.Random(seed)
    for _ in range(30_000):
        text = "".join(rng.choices("0123456789.-eE+", weights=[8] * 10 + [3, 1, 1, 1, 1], k=rng.randint(0, 9)))
        status, units, _ = _probe.units(text.encode(), 6)
        try:
            value = Decimal(text)
        except ArithmeticError:
            assert status == Result.BAD_NUMBER, text
            continue
        if text.startswith("+"):
            assert status == Result.BAD_NUMBER, text
        elif status == Result.OK:
            assert Decimal(units).scaleb(-6) == value, text
        else:
            assert status in (Result.NEEDS_SCALE, Result.NO_FIT), text


# ---- times, dates, names, own quantities

SECOND = 10**9
FIRST_NS, END_NS = 10**17, 9_223_372_036_854_775_807      # March 1973, April 2262


@pytest.mark.parametrize(("text", "ns"), [
    ("1618678142", 1618678142 * SECOND), ("1618678142557", 1618678142557 * 10**6),
    ("1618678142557535", 1618678142557535 * 10**3), ("1618678142557535123", 1618678142557535123),
    ("1618678142.557535", 1618678142557535000), ("1618678142557.5", 1618678142557500000),
    ("1618678142.557535123456", 1618678142557535123), ("1618678142557535.123999", 1618678142557535123),
    ("1618678142557535123.9", 1618678142557535123), ("1618678142.", 1618678142 * SECOND),
    ("2026-08-24T22:34:13.793075885Z", 1787610853793075885), ("2026-08-24T22:34:13Z", 1787610853 * SECOND),
    ("2026-08-24 22:34:13.5", 1787610853500000000), ("2026-08-25T00:34:13+02:00", 1787610853 * SECOND),
    ("2026-08-24T16:04:13-06:30", 1787610853 * SECOND), ("2026-08-24T22:34:13.7930758859999Z", 1787610853793075885),
    ("", 0), ("0", 0), ("1", 0), ("99999999", 0), ("99999999999", 0), ("9999999999999999", 0),
    ("9223372036", 9223372036 * SECOND), ("9223372037", 0), ("1970-01-01T01:00:00Z", 0), ("1600-01-01T00:00:00Z", 0),
    ("9999-12-31T23:59:59Z", 0), ("1973-03-03T09:46:41Z", 100000001 * SECOND), ("9223372036854775807", END_NS),
])
def test_times(text, ns):
    assert _probe.time_text(text.encode()) == (Result.OK, ns)


@pytest.mark.parametrize("text", ["x", "1x", "1618678142.5x", ".5", "-", "T", "2026-08-24", "2026-08-24T22:34",
                                  "2026-08-24T22:34:1", "2026-08-24T22:34:13X", "2026-08-24T22:34:13+0200", "26-08-24",
                                  "2026-13-24T22:34:13Z", "2026-00-24T22:34:13Z", "2026-08-32T22:34:13Z",
                                  "2026-08-00T22:34:13Z", "2026-08-24T2x:34:13Z", "2026/08/24T22:34:13Z",
                                  "2026-08-24T22:34:13ZZ", "1.2.3", "1618678142,5", " 1618678142"])
def test_what_is_no_time(text):
    assert _probe.time_text(text.encode())[0] != Result.OK


@pytest.mark.parametrize("text", ["1618678142e0", "1618678.142E3", "1618678142.e0", "1.618678142E9"])
def test_a_time_with_an_exponent_is_what_a_layout_that_saw_a_whole_number_reads(text):
    assert _probe.time_text(text.encode()) == (Result.OK, 1618678142)
    assert _probe.time_text(b"1618678142.25e1")[0] == Result.BAD_NUMBER


@given(st.datetimes(min_value=datetime(1973, 3, 4), max_value=datetime(2261, 12, 31)), st.integers(0, 999),
       st.integers(0, 9), st.sampled_from(["Z", "", "+00:00", "+09:30", "-11:00"]))
@settings(max_examples=500)
def test_dates_against_datetime(moment, more, places, zone):
    """Any number of decimals; what is past nanoseconds is cut."""
    fraction = f"{moment.microsecond:06}{more:03}"[:places]
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + (f".{fraction}" if fraction else "") + zone
    whole = moment.replace(microsecond=0, tzinfo=UTC)
    if zone[:1] in ("+", "-"):
        hours, _, minutes = zone[1:].partition(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        whole -= offset if zone[0] == "+" else -offset
    ns = int((whole - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)) * SECOND + int(fraction.ljust(9, "0"))
    wanted = (Result.OK, ns if ns > FIRST_NS else 0)
    assert _probe.date_text(text.encode()) == wanted
    assert _probe.time_text(text.encode()) == wanted


@given(st.integers(0, 10**19 - 1), st.text("0123456789", max_size=14))
@settings(max_examples=800)
def test_times_against_decimal(whole, fraction):
    """A number of s, ms, us or ns by its size; 0 if it is absurd as any of them."""
    text = f"{whole}.{fraction}" if fraction else str(whole)
    unit = next((unit for unit in (SECOND, 10**6, 10**3, 1) if FIRST_NS <= whole * unit < FIRST_NS * 1000), 0)
    ns = int(Decimal(text) * unit)
    status, got = _probe.time_text(text.encode())
    if FIRST_NS <= whole * unit <= END_NS and ns <= END_NS:
        assert (status, got) == (Result.OK, ns)
    elif whole * unit > END_NS:
        assert (status, got) == (Result.OK, 0)
    elif ns <= END_NS:
        assert (status, got) == (Result.OK, 0), (unit, ns)


@pytest.mark.parametrize(("text", "number"), [
    ("0", 0), ("77", 77), ("000123", 123), ("999999999999999999", 10**18 - 1), ("1000000000000000000", 0),
    ("100182534526255757567432481", 526255757567432481), ("9223372036854775808", 223372036854775808), ("", 0),
    ("0165e6170000000200000002", 0), ("-5", 0), ("1.5", 0), ("1e3", 0), (" 7", 0), ("abc", 0),
    ("00000000-006d-1000-0000-000e8737d536", 0)])
def test_names_that_are_numbers(text, number):
    assert _probe.id_text(text.encode()) == (Result.OK, number)


@given(st.text("0123456789", min_size=1, max_size=60))
def test_names_keep_their_last_eighteen_digits(text):
    assert _probe.id_text(text.encode()) == (Result.OK, int(text[-18:]))


@given(ANY)
@settings(max_examples=600)
def test_own_quantities_against_decimal(text):
    """Every decimal of up to 17 digits and 31 decimals, and nothing else."""
    value = Decimal(text)
    qty = _probe.own_text(text.encode())
    if qty is not None:
        assert Decimal(qty & (2**57 - 1)).scaleb(-((qty >> 57) & 31)) == value
        return
    _, digits, exponent = value.normalize().as_tuple()
    digits = int("".join(map(str, digits))) * 10 ** max(exponent, 0)
    assert text.startswith("-") or value == 0 or digits > 2**57 - 1 or exponent < -31 or len(text) > 17


@pytest.mark.parametrize("zone", ["+ab:cd", "+1x:00", "+10:x0", "-01-00", "+01000", "+1:000"])
def test_a_zone_that_is_none_is_no_time(zone):
    assert _probe.date_text(f"2026-08-24T22:34:13{zone}".encode())[0] == Result.BAD_NUMBER


def test_every_byte_of_a_time_of_the_day():
    """What eight bytes at once say is what each of them says."""
    for clock in (b"22:34:13", b"00:00:00", b"19:59:59", b"09:08:07"):
        for at in range(8):
            for byte in range(256):
                text = clock[:at] + bytes([byte]) + clock[at + 1:]
                status, ns = _probe.date_text(b"2026-08-24T" + text + b"Z")
                if re.fullmatch(rb"[0-9]{2}:[0-9]{2}:[0-9]{2}", text):
                    hours, minutes, seconds = map(int, text.split(b":"))
                    day = datetime(2026, 8, 24, tzinfo=UTC).timestamp()
                    assert (status, ns) == (Result.OK, (int(day) + hours * 3600 + minutes * 60 + seconds) * SECOND)
                else:
                    assert status == Result.BAD_NUMBER, text


def test_random_text_is_no_time_or_a_time(seed):
    rng = random.Random(seed)
    for _ in range(20_000):
        text = "".join(rng.choices("0123456789.-T:Z+eE ", weights=[6] * 10 + [1] * 9, k=rng.randint(0, 30))).encode()
        status, ns = _probe.time_text(text)
        if status == Result.OK:
            assert ns >= 0 or b"-" in text, text
        _probe.date_text(text)
        _probe.id_text(text)
        _probe.own_text(text)
