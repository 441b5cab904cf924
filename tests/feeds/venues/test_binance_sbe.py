"""Binance spot in SBE: its sheet's vector, newer and foreign schemas, broken bytes, and exactness of its numbers."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest

from feeds import Pipeline
from feeds.venue import UnsupportedChannel
from feeds.venues import VENUES, load, wires
from feeds.venues.dialects import binance_sbe as encoder
from orderbook import BookState
from tests.model import ModelBook
from tests.sbe import SAMPLE, read, scaled, write

SPEC = load("binance_spot", "sbe")
TIME = 1786613174873000         # us
UNITS = (-2, -5)


class Kept:
    """Keeps what it is told."""

    def __init__(self):
        self.events = []
        self.notes = []

    def keep(self, event):
        self.events.append(event.copy())

    on_trade = on_quote = keep

    def on_status(self, book, old, new, reason):
        self.notes.append((book and book.symbol, new, reason))


def made(handler=None, **options):
    return Pipeline("binance_spot", handler, wire="sbe", **options)


def snapshot(pipeline, last, bids, asks, symbol="BTCUSDT"):
    body = {"lastUpdateId": last, "bids": bids, "asks": asks}
    pipeline.rest(SPEC.snapshot_url(symbol), json.dumps(body))


def diff(first, last, bids=(), asks=(), exponents=UNITS, symbol="BTCUSDT", **more):
    return write("diff", symbol, (TIME, first, last, *exponents), bids, asks, **more)


def quote(bid, ask, exponents=UNITS, last=7, **more):
    return write("quote", "BTCUSDT", (TIME, last, *exponents, *bid, *ask), **more)


def deals(*rows, exponents=UNITS, **more):
    return write("trades", "BTCUSDT", (TIME, TIME - 5, *exponents), rows, **more)


def started(handler=None, **options):
    """A pipeline with a LIVE book at 100: bid 10.00 x 1, ask 10.50 x 3."""
    pipeline = made(handler, **options)
    pipeline.feed(diff(99, 100))
    snapshot(pipeline, 99, [["10.00", "1.00000000"]], [["10.50", "3.00000000"]])
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    return pipeline


def levels(book):
    return book.raw.bids().tolist(), book.raw.asks().tolist()


def exact(book):
    """Both sides as exact decimals."""
    return [{book.price_decimal(price): book.qty_decimal(qty) for price, qty in side.tolist()}
            for side in (book.raw.bids_int(), book.raw.asks_int())]


# ---- what the frames say

def test_the_sheets_vector():
    assert quote((6370720, 170080), (6370730, 15455)) == SAMPLE
    assert encoder.best_bid_ask("BTCUSDT", TIME, 7, *UNITS, (6370720, 170080), (6370730, 15455)) == SAMPLE
    kept = Kept()
    pipeline = made(kept)
    pipeline.feed(SAMPLE)
    pipeline.feed(SAMPLE)
    assert (pipeline.counters["slow"], pipeline.counters["fast"], pipeline.last_error) == (1, 1, None)
    for event in kept.events:
        assert (event.symbol, event.bid_price, event.bid_qty, event.ask_price, event.ask_qty, event.sequence) == (
            "BTCUSDT", 63707.20, 1.70080, 63707.30, 0.15455, 7)
        assert event.exchange_ns == TIME * 1000


def test_the_encoder_writes_what_the_schema_says():
    bids, asks = [(1000, 5), (990, 0)], [(1010, 7)]
    fills = [(5, 1000, 2, True), (6, 1001, 3, False)]
    assert encoder.depth_diff("BTCUSDT", TIME, 8, 9, *UNITS, bids, asks) == diff(8, 9, bids, asks)
    assert encoder.depth_snapshot("BTCUSDT", TIME, 9, *UNITS, bids, asks) == write(
        "snapshot", "BTCUSDT", (TIME, 9, *UNITS), bids, asks)
    assert encoder.trades("BTCUSDT", TIME, TIME - 5, *UNITS, fills) == deals(*fills)


def test_trades_one_and_several_in_a_frame():
    kept = Kept()
    pipeline = made(kept)
    pipeline.feed(deals((1, 1000, 200000, 0)))
    pipeline.feed(deals((2, 1001, 300000, 1)))
    pipeline.feed(deals((3, 1002, 100000, 0), (4, 1003, 100001, 1), (5, 1004, 7, 1)))
    pipeline.feed(deals())
    assert pipeline.last_error is None
    assert [(it.trade_id, it.price, it.qty, it.aggressor) for it in kept.events] == [
        (1, 10.0, 2.0, "buy"), (2, 10.01, 3.0, "sell"), (3, 10.02, 1.0, "buy"), (4, 10.03, 1.00001, "sell"),
        (5, 10.04, 0.00007, "sell")]
    assert {it.exchange_ns for it in kept.events} == {(TIME - 5) * 1000}
    assert (pipeline.counters["trades"], pipeline.counters["ignored"]) == (5, 1)


def test_partial_books_are_books_of_their_own():
    pipeline = started()
    pipeline.feed(write("snapshot", "BTCUSDT", (TIME, 55, *UNITS), [(1000, 100000), (990, 5)], [(1010, 7)]))
    book = pipeline.book("BTCUSDT", depth=20)
    assert levels(book) == ([[10, 1], [9.9, 0.00005]], [[10.1, 0.00007]])
    assert (book.status, book.sequence) == (BookState.LIVE, 55)
    assert pipeline.book("BTCUSDT").sequence == 100


def test_numbers_join_and_follow_as_in_json():
    pipeline = started()
    pipeline.feed(diff(101, 103, [(1000, 0), (999, 400000)], [(1050, 0), (1051, 1)]))
    book = pipeline.book("BTCUSDT")
    assert levels(book) == ([[9.99, 4]], [[10.51, 0.00001]])
    assert (book.sequence, book.raw.exchange_ns) == (103, TIME * 1000)
    pipeline.feed(diff(102, 103, [(998, 1)]))
    assert (pipeline.counters["stale"], book.bid_levels) == (1, 1)
    pipeline.feed(diff(105, 105, [(998, 1)]))
    assert book.status is BookState.STALE
    snapshot(pipeline, 104, [["10.00", "1"]], [["10.50", "3"]])
    assert (book.status, book.sequence) == (BookState.LIVE, 105)
    assert levels(book) == ([[10, 1], [9.98, 0.00001]], [[10.5, 3]])


def test_json_on_the_same_connection_is_about_the_connection():
    pipeline = started()
    for text in (b'{"result":null,"id":1}', b'{"e":"serverShutdown","E":1770123456789}', b'{'):
        pipeline.feed(text)
    told = [SPEC.read_control(payload) for _, payload in pipeline.control()]
    assert [control.kind for control in told] == ["ack", "shutdown"]
    assert (pipeline.counters["control"], pipeline.counters["errors"]) == (2, 1)
    assert pipeline.book("BTCUSDT").status is BookState.LIVE


# ---- numbers

@pytest.mark.parametrize(("exponents", "mantissa", "text"), [
    ((-8, -8), 6370720_000000, "63707.2"), ((0, 0), 7, "7"), ((3, 2), 12, "12000"),
    ((-18, -18), 5, "0." + "0" * 17 + "5"),
    ((-2, -5), 10**18, "1" + "0" * 16),
])
def test_any_exponent(exponents, mantissa, text):
    """However the wire writes it, a number is the same; trailing zeros take no decimals."""
    pipeline = made()
    for last in (1, 2):                 # the careful way, then the quick one
        pipeline.feed(write("snapshot", "BTCUSDT", (TIME, last, *exponents), [(mantissa, 1)], []))
        book = pipeline.book("BTCUSDT", depth=20)
        assert pipeline.last_error is None
        assert exact(book)[0] == {Decimal(text): Decimal(1).scaleb(exponents[1])}
        assert book.price_scale == max(0, -Decimal(text).as_tuple().exponent)
    assert pipeline.counters["fast"] == 1


@pytest.mark.parametrize("bad", [-2**63, 2**63 - 1])
def test_a_number_that_does_not_fit_is_an_error_with_its_place(bad):
    pipeline = started()
    pipeline.feed(diff(101, 101, [(1000, 1)], [(bad, 1)], exponents=(2, -5)))
    assert pipeline.book("BTCUSDT").status is BookState.STALE
    error = pipeline.last_error
    assert (error.symbol, error.offset) == ("BTCUSDT", 8 + 26 + 4 + 16 + 4)
    assert levels(pipeline.book("BTCUSDT")) == ([[10, 1]], [[10.5, 3]])


@pytest.mark.parametrize("qty", [-1, -2**62 - 5, -2**63])
def test_a_negative_quantity_is_an_error(qty):
    for frame in (diff(101, 101, [(1000, qty)]), quote((1000, qty), (1001, 1)), deals((1, 1000, qty, 0))):
        kept = Kept()
        pipeline = started(kept)
        pipeline.feed(frame)
        assert pipeline.counters["errors"] == 1
        assert kept.events == []
        assert levels(pipeline.book("BTCUSDT"))[0] == [[10, 1]]


def test_exponents_have_bounds():
    for exponents in ((-19, 0), (0, 19), (-128, 127)):
        pipeline = started()
        pipeline.feed(diff(101, 101, [(1, 1)], exponents=exponents))
        assert pipeline.last_error.expected == "an exponent from -18 to 18"


def test_random_books_are_those_of_the_model(seed):
    """Random exponents, mantissas with and without trailing zeros: after every message the exact book."""
    rng = random.Random(seed)
    for _ in range(25):
        model, pipeline, last = ModelBook(), made(), 5
        model.apply_snapshot([("0.5", "1")], [("2000000", "1")])
        pipeline.feed(diff(5, 5))
        snapshot(pipeline, 4, [["0.5", "1"]], [["2000000", "1"]])
        for _ in range(12):
            exponents = rng.choice(((-2, -5), (-8, -8), (-6, -3), (0, 0), (-3, 1)))
            sides = []
            for side in range(2):
                rows = {}
                for _ in range(rng.randrange(12)):
                    price = Decimal(rng.randrange(1, 10000) + 100000 * side).scaleb(rng.choice((0, -1, -2)))
                    if exponents[0] == 0:
                        price = price.to_integral_value() + 1
                    qty = Decimal(rng.randrange(3)) * rng.randrange(10**4) * 10
                    rows[int(price.scaleb(-exponents[0]))] = int(qty.scaleb(-exponents[1]))
                sides.append(list(rows.items()))
            pipeline.feed(diff(last + 1, last + 1, *sides, exponents=exponents))
            last += 1
            model.apply_delta(*[[(scaled(price, exponents[0]), scaled(qty, exponents[1])) for price, qty in side]
                                for side in sides])
            book = pipeline.book("BTCUSDT")
            assert pipeline.last_error is None
            assert (book.status, book.sequence) == (BookState.LIVE, last)
            assert exact(book) == [model.bids, model.asks]


# ---- newer and foreign schemas

def test_what_a_newer_version_adds_is_stepped_over():
    more = {"block_more": b"NEW FIELD", "entry_more": b"\xff" * 5, "version": 3}
    kept = Kept()
    pipeline = started(kept)
    for number in range(3):
        pipeline.feed(diff(101 + number, 101 + number, [(1001 + number, 100000)], [(1050, 0)], **more, more=b"\x02ab"))
        pipeline.feed(quote((1000, 1), (1001, 2), block_more=b"!", version=3))
        pipeline.feed(deals((number, 1000, 1, 1), (number, 1000, 1, 1), **more))
        pipeline.feed(write("snapshot", "BTCUSDT", (TIME, 55 + number, *UNITS), [(1000, 1)], [], **more))
        pipeline.feed(write("quote", "BTCUSDT", (0,) * 8, version=3)[:2] + (10009).to_bytes(2, "little")
                      + b"\x01\0\x03\0 a template of tomorrow")
    assert pipeline.last_error is None
    assert levels(pipeline.book("BTCUSDT"))[0] == [[10.03, 1], [10.02, 1], [10.01, 1], [10, 1]]
    counters = pipeline.counters
    assert (counters["trades"], counters["quotes"], counters["snapshots"], counters["ignored"]) == (6, 3, 4, 3)
    assert counters["fast"] > 5
    (told,) = [SPEC.read_control(payload) for _, payload in pipeline.control()]     # once, not for every frame
    assert told.kind == "newer"
    assert "version 3" in told.text


def test_a_longer_block_alone_needs_no_version():
    pipeline = started()
    pipeline.feed(diff(101, 101, [(1001, 100000)], block_more=b"12345678", entry_more=b"1"))
    assert levels(pipeline.book("BTCUSDT"))[0][0] == [10.01, 1]
    assert (pipeline.last_error, pipeline.control()) == (None, [])


@pytest.mark.parametrize("change", [{"schema": 2}, {"schema": 3, "version": 5}])
def test_another_schema_is_an_alarm_and_no_book_is_trusted(change):
    kept = Kept()
    pipeline = started(kept)
    pipeline.feed(diff(101, 101, [(1001, 100000)], **change))
    book = pipeline.book("BTCUSDT")
    assert book.status is BookState.STALE
    assert levels(book)[0] == [[10, 1]]
    assert str(pipeline.last_error) == f"binance_spot: at byte 4: expected schema 1 of SBE, not {change['schema']}"
    assert any("schema 1" in reason for _, _, reason in kept.notes)
    (told,) = [SPEC.read_control(payload) for _, payload in pipeline.control()]
    assert told.kind == "foreign"
    assert f"schema {change['schema']}" in told.text


def test_a_newer_version_that_cannot_be_read_is_as_another_schema():
    pipeline = started()
    frame = diff(101, 101, [(1001, 100000)], version=2)
    cut = frame[:frame.index(b"\x07BTCUSDT")] + b"\x10\x00\x01\x00" + b"a new group here" + b"\x07BTCUSDT"
    pipeline.feed(cut)
    assert pipeline.book("BTCUSDT").status is BookState.STALE
    (told,) = [SPEC.read_control(payload) for _, payload in pipeline.control()]
    assert told.kind == "foreign"


# ---- broken bytes

FRAMES = [
    diff(101, 102, [(1001, 100000), (1000, 0)], [(1050, 7)]),
    write("snapshot", "BTCUSDT", (TIME, 55, *UNITS), [(1000, 1)], [(1010, 5), (1011, 5)]),
    SAMPLE,
    deals((2, 1001, 300000, 1)),
    deals((3, 1002, 100000, 0), (4, 1003, 100001, 1)),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: str(len(frame)))
def test_a_frame_cut_anywhere_is_an_error(frame):
    for warm in (False, True):
        for size in range(len(frame)):
            kept = Kept()
            pipeline = started(kept)
            if warm:
                pipeline.feed(SAMPLE)
                kept.events.clear()
            pipeline.feed(frame[:size])
            assert pipeline.counters["errors"] == 1, size
            assert kept.events == []
            assert levels(pipeline.book("BTCUSDT")) == ([[10, 1]], [[10.5, 3]])


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: str(len(frame)))
def test_any_byte_changed_is_an_error_or_what_the_bytes_say(frame):
    """Never a crash, and never something else than an independent reader finds in the same bytes."""
    for place in range(len(frame)):
        for flip in (1, 0x10, 0x80, 0xFF):
            data = bytearray(frame)
            data[place] ^= flip
            kept = Kept()
            pipeline = made(kept)
            for _ in range(2):
                pipeline.feed(bytes(data))
            counters = pipeline.counters
            if counters["errors"] or counters["ignored"] or counters["control"]:
                continue
            found = read(bytes(data))
            units = found["price_exp"]
            if found["name"] == "trades":
                assert [(Decimal(it.price_int).scaleb(-it.price_scale), it.trade_id) for it in kept.events][:1] == [
                    (scaled(row["price"], units), row["id"]) for row in found["groups"][0]][:1]
            elif found["name"] == "quote":
                assert Decimal(kept.events[0].bid_price_int).scaleb(-kept.events[0].price_scale) == scaled(
                    found["bid"], units)
            elif found["name"] == "snapshot":
                book = pipeline.book(found["symbol"], depth=20)
                assert exact(book)[1] == {
                    scaled(row["price"], units): scaled(row["qty"], found["qty_exp"])
                    for row in found["groups"][1] if row["qty"]}


def test_counts_and_lengths_that_lie():
    frame = FRAMES[0]
    at = 8 + 26
    for stride, count in ((16, 65535), (15, 2), (0, 2), (65535, 65535), (0, 65535)):
        data = frame[:at] + stride.to_bytes(2, "little") + count.to_bytes(2, "little") + frame[at + 4:]
        pipeline = started()
        pipeline.feed(data)
        assert pipeline.last_error.expected == "the bids"
    pipeline = started()
    pipeline.feed(deals((1, 1, 1, 1))[:8 + 18 + 2] + b"\xff\xff\xff\xff" + b"\0" * 40)
    assert pipeline.last_error.expected == "the trades"
    pipeline.feed(frame + b"!")
    assert pipeline.last_error.expected == "nothing behind the symbol"
    pipeline.feed(diff(101, 101, symbol=b"BTC USDT"))
    assert pipeline.last_error.expected == "a symbol"
    pipeline.feed(diff(101, 101, symbol=b""))
    assert "a symbol" in pipeline.last_error.expected


def test_random_bytes(seed):
    rng = random.Random(seed)
    pipeline = started()
    for _ in range(3000):
        template = rng.choice((10000, 10001, 10002, 10003, rng.randrange(1 << 16)))
        head = b"".join(number.to_bytes(2, "little") for number in (rng.choice((18, 26, 50, 123, 0)), template, 1, 0))
        pipeline.feed(head + rng.randbytes(rng.randrange(120)))
    assert pipeline.counters["frames"] == 3001


def test_a_block_whose_length_reads_as_a_brace():
    """A header may begin with '{' once a block has 123 bytes."""
    pipeline = started()
    frame = diff(101, 101, [(1001, 100000)], block_more=b"\0" * 97)
    assert frame[:2] == b"{\0"
    pipeline.feed(frame)
    pipeline.feed(diff(102, 102, [(1002, 100000)], block_more=b"\0" * 97))
    assert levels(pipeline.book("BTCUSDT"))[0][0] == [10.02, 1]


# ---- both ways through a frame

def test_feed_many_goes_without_a_handler_and_learns_nothing():
    pipeline = started()
    frames = [diff(101 + i, 101 + i, [(1000 + i % 7, 100000 + i)], [(1050 + i % 5, i)]) for i in range(2000)]
    pipeline.feed_many(frames)
    counters = pipeline.counters
    assert (counters["depth"], counters["slow"]) == (2001, 1)
    assert pipeline.book("BTCUSDT").sequence == 2100
    one_by_one = started()
    for frame in frames:
        one_by_one.feed(frame)
    assert levels(one_by_one.book("BTCUSDT")) == levels(pipeline.book("BTCUSDT"))


# ---- which venues have it, and what is asked for

def test_wire_forms_of_the_venues():
    assert wires("binance_spot") == ("json", "sbe")
    for venue in VENUES:
        if venue != "binance_spot":
            with pytest.raises(UnsupportedChannel, match=f"{venue} has no wire form 'sbe'; it has: json"):
                load(venue, "sbe")
    with pytest.raises(UnsupportedChannel, match="it has: json, sbe"):
        Pipeline("binance_spot", wire="cbor")
    assert (Pipeline("binance_spot").wire, made().wire) == ("json", "sbe")


def test_streams():
    planned = SPEC.streams(["BTCUSDT"], ["book", "trades", "quotes"])
    assert [(it.name, it.root, it.depth) for it in planned] == [
        ("btcusdt@depth", "sbe", 0), ("btcusdt@trade", "sbe", 0), ("btcusdt@bestBidAsk", "sbe", 0)]
    assert [(it.name, it.depth) for it in SPEC.streams(["btcusdt"], ["book"], depth=20)] == [("btcusdt@depth20", 20)]
    for channels, options in ((["ticker"], {}), (["book"], {"depth": 5}), (["book"], {"speed": "100ms"})):
        with pytest.raises(UnsupportedChannel):
            SPEC.streams(["BTCUSDT"], channels, **options)


def test_json_does_not_depend_on_it():
    """The usual form never imports the binary one."""
    import subprocess
    import sys
    code = ("import sys; from feeds import Pipeline; Pipeline('binance_spot'); "
            "print('feeds.venues.binance_sbe' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_a_pipeline_changes_its_wire_between_two_connections():
    pipeline = started()
    pipeline.closed()
    pipeline.wire = "json"
    pipeline.opened()
    text = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 5, "u": 6, "b": [["10.00", "7"]], "a": []}
    pipeline.feed(json.dumps(text).encode())
    snapshot(pipeline, 5, [["9.00", "1"]], [["11.00", "2"]])
    assert levels(pipeline.book("BTCUSDT")) == ([[10, 7], [9, 1]], [[11, 2]])
