"""The record of an instrument, and what the readers of lists share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feeds.instruments import Instrument, check, date_of, expiry_of, plain_text, reader, step_of, told

PERP = Instrument("XBTUSD", "0.5", "100", kind="perpetual", base="BTC", quote="USD", settle="BTC", contract_size="1",
                  contract_unit="USD")


@pytest.mark.parametrize(("number", "text"), [
    ("0.10", "0.1"), (10, "10"), ("1E+3", "1000"), ("6.0e-4", "0.0006"), ("0.100000000000000000", "0.1"), (0, "0"),
    ("-0.50", "-0.5"), ("1e-12", "0.000000000001"), (100000000000000000000, "100000000000000000000")])
def test_numbers_become_plain_text(number, text):
    assert plain_text(number) == told(number) == text


def test_what_is_not_told_is_empty():
    assert told(None) == told("") == ""
    assert told(0) == "0"


@pytest.mark.parametrize(("decimals", "step"), [(0, "1"), (2, "0.01"), ("8", "0.00000001"), (-3, "1000")])
def test_the_step_of_so_many_decimals(decimals, step):
    assert step_of(decimals) == step


@pytest.mark.parametrize(("time", "ns"), [
    (1798358400, 1798358400 * 10**9), (1798358400000, 1798358400 * 10**9), ("1798358400000", 1798358400 * 10**9),
    ("2026-12-27T08:00:00Z", 1798358400 * 10**9), ("2026-12-27T08:00:00.000Z", 1798358400 * 10**9),
    ("2026-12-27T10:00:00+02:00", 1798358400 * 10**9), ("2026-12-27", (1798358400 - 8 * 3600) * 10**9),
    (None, 0), ("", 0), (0, 0), ("0", 0)])
def test_times_of_lists(time, ns):
    assert expiry_of(time) == ns


@pytest.mark.parametrize(("ns", "text"), [(1798358400 * 10**9, "27DEC26"), (1799136000 * 10**9, "5JAN27"),
                                          (1798329600 * 10**9 - 1, "26DEC26"), (1798329600 * 10**9, "27DEC26")])
def test_the_day_of_a_name(ns, text):
    assert date_of(ns) == text


def test_which_contracts_are_inverse():
    assert PERP.inverse
    assert not replace(PERP, contract_unit="BTC").inverse
    assert not replace(PERP, contract_unit="", contract_size="").inverse


def test_a_reader_makes_records_or_says_what_was_expected():
    read = reader("rows of s", lambda answer: (Instrument(row["s"], row["t"], "1") for row in answer))
    assert read(b'[{"s":"A","t":0.10},{"s":"B","t":0.001}]') == [
        Instrument("A", "0.10", "1"), Instrument("B", "0.001", "1")]
    for body in (b"", b"[{}]", b'[{"s":1,"t":"1"}]', b'[{"s":"A","t":1}]', b'[{"s":"A","t":1e-3}]', b"[" * 10**5):
        with pytest.raises(ValueError, match="expected rows of s"):
            read(body)


@pytest.mark.parametrize(("field", "value", "words"), [
    ("tick_size", "1e-5", "tick_size of 'XBTUSD' is '1e-5'"), ("tick_size", 0.5, "tick_size of 'XBTUSD' is 0.5"),
    ("strike", "x", "strike"), ("min_qty", "nan", "min_qty"), ("base", None, "base of 'XBTUSD' is None"),
    ("symbol", "", "'' is of kind"), ("kind", "swap", "of kind 'swap'"), ("status", "open", "with status 'open'"),
    ("expiry_ns", -1, "expiry_ns of 'XBTUSD' is -1"), ("expiry_ns", "0", "expiry_ns"),
    ("expiry_ns", 1 << 63, "expiry_ns"),
])
def test_what_no_record_may_hold(field, value, words):
    check(PERP)
    with pytest.raises(ValueError, match=words):
        check(replace(PERP, **{field: value}))
