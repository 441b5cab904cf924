"""Own quantities: what no int64 at the book's scale can hold is kept with its own decimals, and read back exactly."""

from __future__ import annotations

import random
import struct
from decimal import Decimal

import numpy as np
import pytest

from feeds.pipeline import Pipeline
from orderbook import Book, BookError
from orderbook.decimals import qty_parts, units_decimal
from tests import _probe

INT64_MAX = 2**63 - 1
MOST_DIGITS = 2**57 - 1


def value_of(qty: int, scale: int = 0) -> Decimal:
    return units_decimal(*qty_parts(qty, scale))


# ---- one quantity

@pytest.mark.parametrize(("digits", "decimals"), [
    (33079982700421942, 13), (1734165192452, 4), (1, 0), (1, 31), (MOST_DIGITS, 0), (MOST_DIGITS, 31), (10**17, 17),
    (5, 5), (123456789, 31)])
def test_an_own_quantity_has_its_digits_and_decimals(digits, decimals):
    qty = _probe.make_own(digits, decimals)
    assert _probe.is_own(qty)
    assert qty < -(2**62)
    assert value_of(qty) == Decimal(digits).scaleb(-decimals)


@pytest.mark.parametrize(("digits", "decimals"), [
    (0, 0), (0, 5), (MOST_DIGITS + 1, 0), (2**63, 3), (1, 32), (1, -1), (1, 10**12), (2**64 - 1, 5)])
def test_what_cannot_be_an_own_quantity_is_refused(digits, decimals):
    assert _probe.make_own(digits, decimals) is None


def test_trailing_zeros_take_no_room():
    assert _probe.make_own(1230000, 5) == _probe.make_own(123, 1)
    assert value_of(_probe.make_own(15 * 10**17, 36)) == Decimal("0.0000000000000000015")
    assert value_of(_probe.make_own(100, 0)) == 100     # zeros before the point stay


@pytest.mark.parametrize("qty", [0, 1, -1, INT64_MAX, -(2**62), -5])
def test_a_count_is_no_own_quantity(qty):
    assert not _probe.is_own(qty)
    assert qty_parts(qty, 3) == (qty, 3)


def test_doubles_written_with_seventeen_digits_read_back_as_themselves(seed):
    """What a venue prints of its doubles gives the same doubles; any other digits give one at most a step away."""
    rng = random.Random(seed)
    tried = 0
    for _ in range(20_000):
        number = struct.unpack("<d", rng.getrandbits(64).to_bytes(8, "little"))[0]
        if not 1e-9 < number < 1e15:
            number = rng.random() * 10 ** rng.randint(-8, 12)
        qty = _probe.own_text(repr(number).encode())
        if qty is None:
            continue
        tried += 1
        assert value_of(qty) == Decimal(repr(number))
        assert _probe.qty_float(qty, 1.0) == number, repr(number)
        digits, decimals = rng.randint(1, MOST_DIGITS), rng.randint(0, 31)
        got = _probe.qty_float(_probe.make_own(digits, decimals), 1.0)
        nearest = float(Decimal(digits).scaleb(-decimals))
        assert abs(got - nearest) <= np.spacing(nearest)
        if digits < 2**53 and decimals <= 22:
            assert got == nearest
    assert tried > 10_000


@pytest.mark.parametrize("text", ["", "-1", "x", "1e", "1.2.3", "0", "0.000", "1e400", "9" * 40, "1e-32",
                                  "0." + "1" * 33, "144115188075855872"])
def test_text_that_is_no_own_quantity(text):
    assert _probe.own_text(text.encode()) is None


@pytest.mark.parametrize("text", ["1", "3307.9982700421942", "5993289.85", "1e3", "1.5E-20", "12e15", "0.00001",
                                  "144115188075855871", "1e-31"])
def test_text_of_an_own_quantity_is_read_exactly(text):
    assert value_of(_probe.own_text(text.encode())) == Decimal(text)


# ---- in a book, from the wire

def frame(number: int, bids, asks) -> bytes:
    """A whole book with bare numbers, as the venue writes doubles."""
    sides = {side: "[" + ",".join(f"[{price},{qty}]" for price, qty in levels) + "]"
             for side, levels in (("bids", bids), ("asks", asks))}
    return (f'{{"ch":"market.xvgeth.depth.step0","ts":{1618678072000 + number},"tick":{{"bids":{sides["bids"]},'
            f'"asks":{sides["asks"]},"version":{number},"ts":{1618678072000 + number}}}}}').encode()


def random_qty(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return repr(rng.random() * 10 ** rng.randint(-2, 9))
    if kind == 1:
        return str(rng.randint(1, 10 ** rng.randint(1, 15)))
    if kind == 2:
        return f"{rng.randint(1, 10**9)}.{rng.randint(1, 9999)}"
    return repr(round(rng.uniform(0.001, 1e6), rng.randint(1, 6)))


def plain_text(text: str) -> str:
    """No exponent: what the venue would write."""
    return format(Decimal(text), "f")


@pytest.mark.parametrize("simd", [True, False])
def test_quantities_from_the_wire_come_back_exactly(seed, simd):
    rng = random.Random(seed)
    pipeline = Pipeline("htx", simd=simd, on_gap="count")
    owned = 0
    for number in range(1, 200):
        levels = [[(f"{price / 1000}", plain_text(random_qty(rng))) for price in rng.sample(prices, rng.randint(1, 9))]
                  for prices in (range(100, 150), range(150, 200))]
        pipeline.feed(frame(number, *levels))
        assert pipeline.counters["errors"] == 0, pipeline.last_error
        book = pipeline.book("xvgeth")
        bids = sorted(((Decimal(p), Decimal(q)) for p, q in levels[0]), reverse=True)
        asks = sorted((Decimal(p), Decimal(q)) for p, q in levels[1])
        for wanted, units, floats, best in ((bids, book.bids_int(), book.bids(), book.best_bid),
                                            (asks, book.asks_int(), book.asks(), book.best_ask)):
            assert [(book.price_decimal(p), book.qty_decimal(q)) for p, q in units.tolist()] == wanted
            assert floats.tolist() == [[float(p), float(q)] for p, q in wanted]
            assert best == (float(wanted[0][0]), float(wanted[0][1]))
            owned += sum(_probe.is_own(q) for _, q in units.tolist())
        assert book.bbo() == (*map(float, bids[0]), *map(float, asks[0]))
        for price, qty in bids[:2]:
            assert book.bid_qty(price) == float(qty)
            assert book.qty_text(book.bid_qty_int(int(price.scaleb(book.price_scale)))) == plain_text(qty.normalize())
        out = np.empty((3, 2))
        n, _ = book.top(out, None)
        assert out[:n].tolist() == [[float(p), float(q)] for p, q in bids[:3]]
    assert owned > 100


def test_a_wider_scale_makes_own_quantities_of_what_no_longer_fits():
    pipeline = Pipeline("htx", on_gap="count")
    bids = [("0.2", "173416519.2452"), ("0.1", "3307.99827")]
    pipeline.feed(frame(1, bids, [("0.3", "1")]))
    book = pipeline.book("xvgeth")
    assert book.qty_scale == 5
    assert not any(_probe.is_own(q) for _, q in book.bids_int().tolist())
    pipeline.feed(frame(2, [*bids, ("0.05", "0.0000000000001")], [("0.3", "1")]))
    assert [book.qty_decimal(q) for _, q in book.bids_int().tolist()] == [
        Decimal(qty) for _, qty in [*bids, ("0.05", "0.0000000000001")]]
    assert pipeline.counters["errors"] == 0


def test_a_trade_with_many_decimals_widens_a_book_with_large_quantities():
    """The book gives way: its large quantities become own ones, and the trade is exact."""
    pipeline = Pipeline("htx", on_gap="count")
    pipeline.feed(frame(1, [("0.2", "9007199254740993")], [("0.3", "1")]))
    pipeline.feed(b'{"ch":"market.xvgeth.trade.detail","ts":1618678073700,"tick":{"id":100182534526,"ts":1618678073690,'
                  b'"data":[{"id":1,"ts":1618678073690,"tradeId":102523573486,"amount":0.0000000123,"price":0.25,'
                  b'"direction":"buy"}]}}')
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    trade = pipeline.last_trade("xvgeth")
    assert Decimal(trade.qty_int).scaleb(-trade.qty_scale) == Decimal("0.0000000123")
    book = pipeline.book("xvgeth")
    assert book.qty_decimal(book.best_bid_int[1]) == 9007199254740993
    assert book.best_bid == (0.2, 9007199254740993.0)


def test_a_trade_that_would_make_a_quantity_inexact_is_refused_and_the_book_stays():
    pipeline = Pipeline("htx", on_gap="count")
    pipeline.feed(frame(1, [("0.2", "9007199254740993123")], [("0.3", "1")]))
    pipeline.feed(b'{"ch":"market.xvgeth.trade.detail","ts":1618678073700,"tick":{"id":100182534526,"ts":1618678073690,'
                  b'"data":[{"id":1,"ts":1618678073690,"tradeId":102523573486,"amount":0.0000000123,"price":0.25,'
                  b'"direction":"buy"}]}}')
    assert pipeline.counters["errors"] == 1
    book = pipeline.book("xvgeth")
    assert (book.qty_decimal(book.best_bid_int[1]), book.qty_scale) == (9007199254740993123, 0)


@pytest.mark.parametrize("price", ["-90071992547409.93", "-92233720368547758.07", "90071992547409.93", "-0.01"])
def test_prices_that_no_double_holds_are_given_as_the_nearest(price):
    book = Book()
    book.apply_snapshot([(price, 1)], [], sequence=1)
    assert book.best_bid == (float(price), 1)


# ---- bad input

@pytest.mark.parametrize("qty", ["-1", -(2**62) - 1, "-5000000000000000000", -(2**63) + 1, -0.5])
def test_a_negative_quantity_is_never_an_own_one(qty):
    book = Book()
    book.apply_snapshot([("1", "1")], [("2", "1")])
    for apply in (book.apply_delta, book.apply_snapshot):
        with pytest.raises(BookError):
            apply([("1.5", qty)], [])
    assert book.bids().tolist() == [[1, 1]]


def test_units_of_one_book_can_be_given_to_another():
    """An int64 array in units may hold own quantities; other negative numbers are refused."""
    book = Book(price_scale=1, qty_scale=2)
    own = _probe.make_own(33079982700421942, 13)
    book.apply_snapshot(np.array([[10, own], [9, 5]]), np.array([[11, 700]]))
    assert book.best_bid == (1.0, 3307.9982700421942)
    other = Book(price_scale=1, qty_scale=2)
    other.apply_snapshot(book.bids_int(), book.asks_int())
    assert other.bids().tolist() == book.bids().tolist()
    for wrong in (-1, -(2**62), -(2**63), -(2**63) + (5 << 57)):       # the last two have no digits
        with pytest.raises(BookError):
            book.apply_delta(np.array([[10, wrong]]), np.empty((0, 2), dtype=np.int64))
