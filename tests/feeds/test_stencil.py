"""Stencils: a short frame that fits one says what the layout would say, and of the same book.

That random, spoilt and recorded frames are read alike with and without them is shown by test_layout_forms.py; here is
what may change between the frame that a stencil was made of and the one that fits it.
"""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from feeds import VENUES, Pipeline, Trade
from orderbook import BookState
from tests import _probe
from tests.feeds.test_layout_forms import ROWS, Way, check, take, ways_of
from tests.model import held


def fits(way: Way, frame: bytes) -> bool:
    """Whether a frame is read by a stencil."""
    before = _probe.stencils(way.pipeline)[1]
    take([way], [("frame", frame)])
    return _probe.stencils(way.pipeline)[1] > before


def bids(pipeline: Pipeline, symbol: str) -> dict[Decimal, Decimal]:
    return dict(held(pipeline.book(symbol))[0])


# ---- bitfinex: the frame says a channel's number, and which book that is the connection has said before

def subscribed(chan: int, symbol: str) -> tuple[str, bytes]:
    return "frame", (f'{{"event":"subscribed","channel":"book","chanId":{chan},"symbol":"{symbol}","prec":"P0",'
                     f'"freq":"F0","len":"100","pair":"{symbol[1:]}"}}').encode()


def whole(chan: int, price: str = "7254.7") -> tuple[str, bytes]:
    return "frame", f"[{chan},[[{price},3,3.3],[7254.9,1,-2.5]]]".encode()


def level(chan: int, price: str, qty: str) -> bytes:
    return f"[{chan},[{price},3,{qty}]]".encode()


def taught(ways: list[Way], chan: int = 17082) -> None:
    """A connection of one book whose deltas have a stencil."""
    take(ways, [subscribed(chan, "tBTCUSD"), whole(chan)])
    for number in range(6):
        take(ways, [("frame", level(chan, f"7253.{number}", "1.5"))])
    assert fits(ways[0], level(chan, "7253.8", "1.5"))
    take(ways[1:], [("frame", level(chan, "7253.8", "1.5"))])
    check(ways, "taught")


def test_a_frame_that_fits_is_read_as_the_layout_reads_it():
    ways = ways_of(ROWS["bitfinex"])
    taught(ways)
    for price, qty in (("7253.1", "9.9"), ("7254.6", "0.1"), ("7253.0", "-1.5"), ("7253.0", "12.5"), ("725.0", "1.5")):
        take(ways, [("frame", level(17082, price, qty))])
        check(ways, (price, qty))
    assert _probe.stencils(ways[1].pipeline) == _probe.stencils(ways[2].pipeline) == (0, 0)


def test_more_decimals_than_the_book_had_when_the_stencil_was_made():
    ways = ways_of(ROWS["bitfinex"])
    taught(ways)
    take(ways, [("frame", level(17082, "7253.125", "1.5"))])          # prices have another scale from now on
    for number in range(4):
        take(ways, [("frame", level(17082, f"7253.{number}", "2.5"))])
        check(ways, number)
    assert bids(ways[0].pipeline, "tBTCUSD")[Decimal("7253.2")] == Decimal("2.5")
    assert bids(ways[0].pipeline, "tBTCUSD")[Decimal("7253.125")] == Decimal("1.5")


def test_a_channel_number_that_is_another_book_on_the_next_connection():
    ways = ways_of(ROWS["bitfinex"])
    taught(ways)
    for way in ways:
        way.pipeline.opened()
    take(ways, [subscribed(17082, "tETHUSD"), whole(17082)])
    for number in range(6):
        take(ways, [("frame", level(17082, f"7253.{number}", "7.5"))])
        check(ways, number)
    assert bids(ways[0].pipeline, "tETHUSD")[Decimal("7253.5")] == Decimal("7.5")
    assert ways[0].pipeline.book("tBTCUSD").status is BookState.EMPTY


def test_a_channel_number_that_is_the_same_book_on_the_next_connection():
    """What was made of frames of the last one fits at once, as soon as a layout was learned here."""
    ways = ways_of(ROWS["bitfinex"])
    taught(ways)
    for way in ways:
        way.pipeline.opened()
    take(ways, [subscribed(17082, "tBTCUSD"), whole(17082), ("frame", level(17082, "7253.5", "2.5"))])
    check(ways, "first")
    assert fits(ways[0], level(17082, "7253.6", "2.5"))
    take(ways[1:], [("frame", level(17082, "7253.6", "2.5"))])
    check(ways, "second")


def test_a_channel_number_that_is_no_book_on_the_next_connection():
    ways = ways_of(ROWS["bitfinex"])
    taught(ways)
    for way in ways:
        way.pipeline.opened()
    trades = b'{"event":"subscribed","channel":"trades","chanId":17082,"symbol":"tBTCUSD","pair":"BTCUSD"}'
    take(ways, [("frame", trades)])
    for number in range(6):
        take(ways, [("frame", f'[17082,"te",[40159739{number},1574694475039,0.005,7244.9]]'.encode())])
        check(ways, number)
    take(ways, [("frame", level(17082, "7253.8", "1.5"))])
    check(ways, "no level")
    assert ways[0].pipeline.counters["depth"] == 7 and not ways[0].pipeline.book("tBTCUSD").raw.bids_int().tolist()


def test_a_channel_number_that_is_another_book_on_another_line():
    ways = ways_of(ROWS["bitfinex"])
    taught(ways)
    steps = [subscribed(17082, "tETHUSD")[1], whole(17082)[1], *(level(17082, f"7253.{n}", "7.5") for n in range(6))]
    for way in ways:
        way.pipeline.opened(1)
        for turn, frame in enumerate(steps):
            _probe.feed_exact(way.pipeline, frame, 0, 1)
            _probe.feed_exact(way.pipeline, level(17082, f"7252.{turn}", "1.5"), 0, 0)
    check(ways, "both lines")
    eth, btc = (bids(ways[0].pipeline, symbol) for symbol in ("tETHUSD", "tBTCUSD"))
    assert eth[Decimal("7253.5")] == Decimal("7.5")
    assert btc[Decimal("7252.7")] == Decimal("1.5") and Decimal("7252.7") not in eth


def test_a_shape_whose_place_became_another_s():
    """Windows of thousands of widths, until all shapes are made anew: those that a stencil reads by among them."""
    ways = ways_of(ROWS["bitfinex"], events=False)
    taught(ways)
    count = 0
    for whole_digits in range(1, 7):
        for decimals in range(1, 6):
            for sign in ("", "-"):
                for digits in range(1, 8):
                    for places in range(1, 8):
                        price = f"{'7' * whole_digits}.{'1' * decimals}"
                        take(ways, [("frame", level(17082, price, f"{sign}{'2' * digits}.{'3' * places}"))])
                        count += 1
        take(ways, [("frame", level(17082, "7253.4", f"{whole_digits}.5"))])
        check(ways, whole_digits)
    assert count > 2_500


# ---- any venue

# Venues whose deltas have no stencil, and why
NONE = {"coinbase_advanced": "too long", "deribit": "too long", "cryptocom": "too long", "hyperliquid": "whole books",
        "mexc": "no JSON"}


@pytest.mark.parametrize("name", VENUES)
def test_frames_of_the_same_widths_come_to_fit(name):
    row = ROWS[name]
    ways = ways_of(row, "count")
    take(ways, row.snapshot(1, [("8067.5", "491901")], [("8068.5", "491901")]))
    for number in range(2, 40):
        if row.delta is None:
            take(ways, row.snapshot(100 + number, [("8067.5", f"4919{number:02d}")], [("8068.5", "491901")]))
        else:
            take(ways, row.delta(98 + number, 99 + number, [("8067.5", f"4919{number:02d}")], []))
        check(ways, number)
    used, worth = _probe.stencils(ways[0].pipeline)
    assert (used == 0 and worth <= 0) if name in NONE else (used > 0 and worth > 50)


def test_one_byte_less_or_more_or_another_is_none_that_fits():
    ways = ways_of(ROWS["bitfinex"])
    taught(ways)
    good = level(17082, "7253.8", "1.5")
    for at in range(len(good)):
        for byte in b'09.-,[]" eE\\x':
            for wrong in (good[:at] + bytes([byte]) + good[at + 1:], good[:at] + bytes([byte]) + good[at:],
                          good[:at] + good[at + 1:]):
                take(ways, [("frame", wrong)])
                check(ways, wrong)
    take(ways, [("frame", good)])
    check(ways, good)


# ---- frames with several messages: their values are kept apart, and nothing of one gets into another

def deals(*rows: tuple[str, str, str], pair: str = "XMR/USD", time: int = 826417) -> bytes:
    """Trades of kraken v1: price, quantity, side."""
    body = ",".join(f'["{price}","{qty}","1618678150.{time + at}","{side}","m",""]'
                    for at, (price, qty, side) in enumerate(rows))
    return f'[993,[{body}],"trade","{pair}"]'.encode()


def last_trade(ways: list[Way], pair: str = "XMR/USD") -> Trade:
    """The last trade, the same in all ways."""
    trades = [way.pipeline.last_trade(pair) for way in ways]
    told = [(t.price_int, t.qty_int, t.aggressor, t.exchange_ns) for t in trades]
    assert told[0] == told[1] == told[2]
    return trades[0]


def taught_deals(events: bool, n: int) -> list[Way]:
    """Ways whose frames of so many trades have a stencil."""
    ways = ways_of(ROWS["kraken"], events=events)
    row = ("354.04000000", "0.28245396", "s")
    for number in range(6):
        take(ways, [("frame", deals(*[row] * n, time=826410 + number))])
        check(ways, number)
    assert fits(ways[0], deals(*[row] * n, time=826410))
    take(ways[1:], [("frame", deals(*[row] * n, time=826410))])
    return ways


@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("n", [2, 3])
def test_messages_of_one_frame(n, events):
    ways = taught_deals(events, n)
    rng = random.Random(n)
    for _ in range(60):
        rows = [(f"{rng.randrange(100, 1000)}.{rng.randrange(100):02d}000000", f"0.{rng.randrange(10 ** 8):08d}", "s")
                for _ in range(n)]
        frame = deals(*rows, time=rng.randrange(100_000, 900_000))
        assert fits(ways[0], frame)
        take(ways[1:], [("frame", frame)])
        check(ways, frame)
        last_trade(ways)
    assert ways[0].pipeline.counters["trades"] == 67 * n


@pytest.mark.parametrize("events", [False, True])
def test_messages_of_one_frame_that_differ_in_number_side_or_instrument(events):
    ways = taught_deals(events, 2)
    a, b, c = ("353.11000000", "1.28245396", "b"), ("352.25000000", "0.00000001", "s"), ("351.00000000", "7.5", "s")
    for frame in (deals(a), deals(a, b), deals(b, a), deals(a, b, c), deals(b, b), deals(c, c), deals(b, b, b, b, b, b),
                  deals(b, b, pair="XMR/EUR"), deals(b, b), deals(b, b)[:-1], deals(b, b) + b" ",
                  deals(b, b).replace(b'"],[', b'"] ,['), deals(b, b).replace(b'"m",""]]', b'"m",""],]'),
                  deals(b, ("352.251234567", "0.00000001", "s")), deals(b, b), deals(b, b)):
        for _ in range(4):
            take(ways, [("frame", frame)])
            check(ways, frame)
            last_trade(ways)
    assert ways[0].pipeline.last_trade("XMR/EUR").price == 352.25


def test_one_byte_of_a_frame_with_several_messages():
    ways = taught_deals(True, 2)
    good = deals(("353.81000000", "1.71754604", "s"), ("353.80000000", "0.71754604", "s"))
    for at in range(len(good)):
        for byte in b'09.-,[]" b\\x':
            take(ways, [("frame", good[:at] + bytes([byte]) + good[at + 1:])])
            check(ways, (at, byte))
    take(ways, [("frame", good)])
    check(ways, good)
    assert last_trade(ways).price == 353.8
