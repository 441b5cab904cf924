"""Wrong content: each ends in one clear, counted error that names venue, symbol, offset and what was expected."""

from __future__ import annotations

import json
import random
from importlib import import_module
from pkgutil import iter_modules

import pytest

import tests.venues as venue_rows
from feeds.pipeline import Pipeline
from feeds.report import FeedError
from orderbook import BookState
from tests import frames
from tests.frames import delta, quote, rest_url, snapshot, trade

EMPTY, SYNCING, LIVE, STALE = BookState


class Told:
    def __init__(self):
        self.statuses = []

    def on_status(self, book, old, new, reason):
        self.statuses.append((book and book.symbol, old, new, reason))

    def on_book(self, book):
        assert book.status is LIVE


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def pipeline(told):
    """BTCUSDT and ETHUSDT are LIVE at 10."""
    pipeline = Pipeline("binance_usdm", told)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        pipeline.feed(delta(9, 9, 8, symbol=symbol))
        pipeline.feed(delta(10, 10, 9, symbol=symbol))
        pipeline.rest(rest_url(symbol=symbol), snapshot(10, [("100", "1")], [("101", "1")]))
    told.statuses.clear()
    return pipeline


GOOD = delta(11, 12, 10, [("100", "2")], [("102", "3")])


def spoil(old, new, frame=GOOD):
    assert old in frame
    return frame.replace(old, new, 1)


# What is wrong with a delta of BTCUSDT -> (frame, words of the error).
BAD_DELTAS = {
    "truncated": (GOOD[:-20], ","),
    "a comma too many": (spoil(b'],"a"', b',],"a"'), "a value"),
    "no price": (spoil(b'["100","2"]', b'["","2"]'), "number"),
    "no quantity": (spoil(b'["100","2"]', b'["100"]'), "quantity"),
    "a word for a price": (spoil(b'["100"', b'["abc"'), "number"),
    "null for a quantity": (spoil(b'"2"]', b"null]"), "number"),
    "an object for levels": (spoil(b'[["100","2"]]', b"{}"), "levels"),
    "null for levels": (spoil(b'[["100","2"]]', b"null"), "levels"),
    "a level that is no array": (spoil(b'["100","2"]', b'"100"'), "'['"),
    "levels missing": (spoil(b'"b":[["100","2"]],', b""), "bids"),
    "a sequence number missing": (spoil(b'"u":12,', b""), "last sequence"),
    "the link missing": (spoil(b',"pu":10', b""), "previous sequence"),
    "a fraction for a sequence number": (spoil(b'"u":12,', b'"u":12.5,'), "number"),
    "text for a sequence number": (spoil(b'"u":12,', b'"u":"x",'), "number"),
    "true for a sequence number": (spoil(b'"u":12,', b'"u":true,'), "number"),
    "a sequence number past int64": (spoil(b'"u":12,', b'"u":99999999999999999999,'), "int64"),
    "a price past int64": (spoil(b'["100"', b'["1e30"'), "int64"),
    "too many decimals": (spoil(b'"2"]', b'"0.000000000000000000000000000000000001"]'), "int64"),
    "a negative quantity": (spoil(b'"2"]', b'"-2"]'), "quantity"),
    "not a number": (spoil(b'["100"', b'["NaN"'), "number"),
    "infinity": (spoil(b'["100",', b'[Infinity,'), "value"),
    "nested too deep": (spoil(b'["100","2"]', b'["100","2",' + b"[" * 50 + b"]" * 50 + b"]"), "nesting"),
}


@pytest.mark.parametrize("what", BAD_DELTAS)
@pytest.mark.parametrize("learned", [False, True])
def test_a_bad_delta_is_an_event_and_a_resync_of_that_symbol(pipeline, told, what, learned):
    frame, words = BAD_DELTAS[what]
    number = 10
    if learned:
        for number in (11, 12, 13):
            pipeline.feed(delta(number, number, number - 1, [("100", "1")], [("101", "1")]))
    before = pipeline.counters
    pipeline.feed(frame)
    counters = pipeline.counters
    assert counters["errors"] == before["errors"] + 1
    error = pipeline.last_error
    assert isinstance(error, FeedError)
    assert (error.venue, error.symbol) == ("binance_usdm", "BTCUSDT")
    assert 0 <= error.offset <= len(frame)
    assert words in error.expected
    assert str(error).startswith("binance_usdm BTCUSDT: at byte ")
    assert "\n" not in str(error)
    book = pipeline.book("BTCUSDT")
    assert book.status is STALE
    assert (book.sequence, book.raw.best_bid) == (number, (100.0, 1.0))
    assert pipeline.book("ETHUSDT").status is LIVE
    assert [want.symbol for want in pipeline.wanted()] == ["BTCUSDT"]
    assert [status[:3] for status in told.statuses if status[1] != status[2]] == [("BTCUSDT", LIVE, STALE)]
    assert any(words in reason for *_, reason in told.statuses)
    pipeline.rest(rest_url(), snapshot(20, [("99", "1")], []))
    assert book.status is LIVE


BAD_FRAMES = [b"", b" ", b"pong", b"{", b"}", b"[", b"null", b"5", b'"text"', b"\x00", b"\xff\xfe\xfd", b"{}{}", b"[1]",
              b"[{}",
              b'{"stream":"x","data":5}', b'{"stream":"x","data":"y"}', b'{"stream":"x","data":[5]}', b'{"data":',
              b"\x1f\x8b\x08\x00",
              b'{"e":"trade"}', b'{"e":"depthUpdate"}', b'{"e":"bookTicker","s":"X"}',
              b'{"e":"trade","s":"X","p":"1","q":"1"}',
              b'{"e":"forceOrder"}', b'{"e":"forceOrder","o":5}', b'{"e":"markPriceUpdate","s":"X"}',
              b'{"e":"24hrTicker","s":"X"}',
              b'{"e":"forceOrder","o":{"s":"X","S":"HOLD","p":"1","q":"1"}}', b'{"lastUpdateId":5,"bids":[],"asks":[]}']


@pytest.mark.parametrize("frame", BAD_FRAMES)
def test_a_bad_frame_of_nobody_hurts_nobody(pipeline, told, frame):
    pipeline.feed(frame)
    assert pipeline.counters["errors"] == 1
    error = pipeline.last_error
    assert error.venue == "binance_usdm"
    assert error.expected
    assert 0 <= error.offset <= len(frame)
    assert [pipeline.book(symbol).status for symbol in ("BTCUSDT", "ETHUSDT")] == [LIVE, LIVE]
    assert len(told.statuses) == 1
    book, old, new, reason = told.statuses[0]
    assert (book, old) in ((None, None), ("X", EMPTY))
    assert (new, reason) == (old, str(error))
    pipeline.feed(delta(11, 12, 10, [("100", "5")]))
    assert pipeline.book("BTCUSDT").best_bid == (100.0, 5.0)


@pytest.mark.parametrize("frame", [
    spoil(b'"p":"100.50"', b'"p":"x"', trade()), spoil(b'"q":"0.250"', b'"q":"-1"', trade()),
    spoil(b'"m":true', b'"m":"yes"', trade()), spoil(b'"m":true', b'"m":null', trade()), trade("1e40"),
    spoil(b'"B":"1.000"', b'"B":"-1"', quote()), spoil(b'"a":"101.00"', b'"a":""', quote()),
    spoil(b'"A":', b'"AA":', quote()), trade()[:-5], quote() + b"}",
    spoil(b'"q":"0.014"', b'"q":"-5"', frames.liquidation()), spoil(b'"p":"59022', b'"p":"x', frames.mark()),
])
@pytest.mark.parametrize("learned", [False, True])
def test_a_bad_trade_or_quote_is_counted_and_the_book_stays(pipeline, frame, learned):
    if learned:
        for good in (trade(), quote(), frames.mark(), frames.liquidation()) * 2:
            pipeline.feed(good)
    stats, last = pipeline.symbol_stats("BTCUSDT"), pipeline.last_trade("BTCUSDT")
    pipeline.feed(frame)
    assert pipeline.counters["errors"] == 1
    assert pipeline.last_error.symbol in ("BTCUSDT", "")
    assert pipeline.last_error.expected
    assert pipeline.book("BTCUSDT").status is LIVE
    assert pipeline.symbol_stats("BTCUSDT") == stats
    assert repr(pipeline.last_trade("BTCUSDT")) == repr(last)


ROWS = [import_module(f"tests.venues.{module.name}").ROW for module in iter_modules(venue_rows.__path__)]
CHECKED_WHOLE = ("mexc",)       # Protocol Buffers: who reads half a frame knows nothing of it
NAMED_LATE = ("bitmex",)        # frames of all instruments begin alike: what is broken off early is nobody's
CUT_ROWS = [row for row in ROWS if row.delta is not None and row.venue not in CHECKED_WHOLE]


@pytest.mark.parametrize("missing", [1, 2, 12])
@pytest.mark.parametrize("row", CUT_ROWS, ids=lambda row: row.venue)
def test_a_delta_without_its_end_makes_the_book_of_every_venue_stale(row, missing):
    """What such a frame says of itself was read, or its first bytes are those of the deltas before."""
    pipeline = Pipeline(row.venue, market=row.market or None)
    beside = [row.named(row.other)] if row.named is not None and row.venue not in NAMED_LATE else []
    for line, told in enumerate([*beside, row]):
        pipeline.opened(line)
        steps = told.snapshot(1000, [("99.5", "2")], [("100.5", "3")])
        for number in range(1000, 1004):
            steps += told.delta(number, number + 1, [("99.5", "7")], [])
        *steps, last = steps
        for step in steps:
            if step[0] == "rest":
                pipeline.rest(*step[1:])
            else:
                pipeline.feed(step[1], 0, line)
    *others, book = pipeline.books.values()
    assert {held.status for held in pipeline.books.values()} == {LIVE}
    pipeline.feed(last[1][:-missing], 0, line)
    assert (book.status, pipeline.counters["errors"], pipeline.last_error.symbol) == (STALE, 1, book.symbol)
    assert {other.status for other in others} <= {LIVE}


SYMBOLS = [b'""', b'"' + b"A" * 97 + b'"', b'"' + b"A" * 5000 + b'"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b"5", b"null",
           b'["X"]', b"{}"]


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda symbol: repr(symbol)[:20])
def test_a_symbol_that_is_none(pipeline, symbol):
    for frame in (trade(), quote(), GOOD, frames.mark(), frames.liquidation()):
        before = pipeline.counters["errors"]
        pipeline.feed(frame.replace(b'"BTCUSDT"', symbol))
        assert pipeline.counters["errors"] == before + 1
        assert pipeline.last_error.expected
    assert sorted(pipeline.books) == ["BTCUSDT", "ETHUSDT"]
    assert pipeline.book("ETHUSDT").status is LIVE


@pytest.mark.parametrize("symbol", ["币安人生USDT", "A" * 96, "é", "a\\\"b", "\t", "ß", "\u0000", "-", "1000PEPEUSDT"])
def test_unusual_symbols_get_their_book(symbol):
    pipeline = Pipeline("binance_usdm")
    for i in range(4):
        pipeline.feed(frames.trade(number=i, symbol=symbol, stream=""))
    raw = json.dumps(symbol, ensure_ascii=False)[1:-1]
    assert list(pipeline.books) == [raw]
    assert pipeline.books[raw].symbol == raw
    assert pipeline.last_trade(raw).trade_id == 3
    assert pipeline.counters["errors"] == 0


# ---- size

def test_a_frame_of_ten_megabytes():
    pipeline = Pipeline("binance_usdm", on_gap="count")
    rows = [(f"{i / 100:.2f}", "1.5") for i in range(1, 450_001)]
    frame = delta(11, 12, 10, rows, [("9999.99", "1")])
    assert len(frame) > 7_000_000
    pipeline.rest(rest_url(), snapshot(11, [("1", "1")], []))
    pipeline.feed(frame)
    book = pipeline.book("BTCUSDT")
    assert (book.bid_levels, book.best_bid, book.sequence) == (450_000, (4500.0, 1.5), 12)
    pipeline.feed(frame[:-1])
    pipeline.feed(b"[" * 10_000_000)
    pipeline.feed(b'{"e":"' + b"x" * 10_000_000)
    pipeline.feed(b'{"a":' * 2_000_000)
    pipeline.feed(b'{"stream":"' + b"y" * 10_000_000 + b'","data":{}}')
    assert pipeline.counters["errors"] == 4
    assert (book.bid_levels, book.sequence) == (450_000, 12)


def test_a_message_of_very_many_keys(pipeline):
    many = {f"k{i}": i for i in range(5000)}
    pipeline.feed(frames.trade(**many))
    assert pipeline.counters["errors"] + pipeline.counters["trades"] == 1
    pipeline.feed(delta(11, 12, 10, [("100", "7")]))
    assert pipeline.book("BTCUSDT").best_bid == (100.0, 7.0)


def test_an_array_whose_second_message_is_bad(pipeline, told):
    good = json.loads(frames.mark(stream=""))
    pipeline.feed(json.dumps([good, {**good, "p": "x"}, good]).encode())
    assert (pipeline.counters["marks"], pipeline.counters["errors"]) == (1, 1)


# ---- absurd numbers

def test_absurd_times_are_no_times(pipeline):
    for time in (2**63 - 1, -(2**63) + 1, 10**18, -1, 0):
        frame = frames.pack({"e": "trade", "E": time, "T": time, "s": "BTCUSDT", "t": 1, "p": "1", "q": "1", "m": True})
        pipeline.feed(frame)
        assert pipeline.last_trade("BTCUSDT").exchange_ns >= 0
    pipeline.feed(spoil(b'"T":1700000000120', b'"T":9223372036854775807'))
    assert pipeline.book("BTCUSDT").exchange_ns >= 0
    assert pipeline.counters["errors"] == 0


def test_microseconds_are_told_by_size():
    pipeline = Pipeline("binance_spot")
    for time, ns in ((1700000000120, 1700000000120000000), (1700000000120456, 1700000000120456000)):
        pipeline.feed(frames.pack({"e": "trade", "E": time, "T": time, "s": "BTCUSDT", "t": 1, "p": "1", "q": "1",
                                   "m": True}))
        assert pipeline.last_trade("BTCUSDT").exchange_ns == ns


@pytest.mark.parametrize("venue", ["binance_spot", "binance_usdm"])
def test_sequence_numbers_at_the_limits(venue, seed):
    rng = random.Random(seed)
    ends = [2**63 - 1, 2**63 - 2, -(2**63) + 1, -1, 0, 1]
    pipeline = Pipeline(venue)
    for _ in range(300):
        pipeline.feed(delta(rng.choice(ends), rng.choice(ends), rng.choice(ends)))
        if rng.random() < 0.3:
            pipeline.rest(rest_url(venue), snapshot(rng.choice(ends), [("1", "1")], []))
    assert pipeline.counters["errors"] == 0
    assert pipeline.book("BTCUSDT").status in BookState


def test_what_does_not_fit_leaves_all_as_it_was(pipeline):
    pipeline.feed(trade("5", "7"))
    pipeline.feed(quote(("4", "9000000000000000000"), ("6", "1")))
    before = (pipeline.symbol_stats("BTCUSDT"), repr(pipeline.last_trade("BTCUSDT")),
              repr(pipeline.last_quote("BTCUSDT")))
    pipeline.feed(trade("5.5", "7.5"))
    assert pipeline.counters["errors"] == 1
    assert "int64" in pipeline.last_error.expected
    after = (pipeline.symbol_stats("BTCUSDT"), repr(pipeline.last_trade("BTCUSDT")),
             repr(pipeline.last_quote("BTCUSDT")))
    for old, new in zip(before[1:], after[1:], strict=True):
        assert old == new
    assert after[0]["trade_qty"] == before[0]["trade_qty"] * 10 ** (after[0]["qty_scale"] - before[0]["qty_scale"])
    pipeline.feed(quote(("4", "1"), ("6", "1")))
    pipeline.feed(trade("5.5", "7.5"))
    assert pipeline.last_trade("BTCUSDT").qty == 7.5


# ---- answers by REST

BODIES = [b"", b"{", b"null", b"[]", b"5", b"<html>502</html>", b"\xff", b"{}",
          b'{"code":-1121,"msg":"Invalid symbol."}',
          b'{"lastUpdateId":5}', b'{"lastUpdateId":5,"bids":[]}', b'{"lastUpdateId":"x","bids":[],"asks":[]}',
          b'{"lastUpdateId":5,"bids":[["1"]],"asks":[]}', b'{"lastUpdateId":5,"bids":[["1","-1"]],"asks":[]}',
          b'{"lastUpdateId":5,"bids":[["1","1e30"]],"asks":[]}', b'{"lastUpdateId":5,"bids":{},"asks":[]}',
          b'{"lastUpdateId":5,"bids":null,"asks":null}', b'{"lastUpdateId":5,"bids":[],"asks":[]}x', snapshot(5)[:-3]]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_bad_answer_leaves_the_want(told, body, kind):
    pipeline = Pipeline("binance_usdm", told)
    pipeline.feed(delta(5, 6, 4, [("7", "7")]))
    told.statuses.clear()
    pipeline.rest(rest_url(), kind(body))
    assert pipeline.counters["errors"] == 1
    error = pipeline.last_error
    assert (error.venue, error.symbol) == ("binance_usdm", "BTCUSDT")
    assert error.expected
    assert 0 <= error.offset <= len(body)
    assert [want.symbol for want in pipeline.wanted()] == ["BTCUSDT"]
    assert pipeline.book("BTCUSDT").status is SYNCING
    assert [status[1] == status[2] for status in told.statuses] == [True]
    pipeline.rest(rest_url(), snapshot(5, [("1", "1")], []))
    assert pipeline.book("BTCUSDT").bids().tolist() == [[7.0, 7.0], [1.0, 1.0]]


@pytest.mark.parametrize("url", ["", "x", "https://fapi.binance.com/fapi/v1/ping",
                                 "https://fapi.binance.com/fapi/v1/openInterest?symbol=X",
                                 "https://fapi.binance.com/"])
def test_answers_of_other_kinds_are_ignored(pipeline, url):
    pipeline.rest(url, b"anything")
    assert (pipeline.counters["ignored"], pipeline.counters["errors"]) == (1, 0)


@pytest.mark.parametrize("url", [
    "https://fapi.binance.com/fapi/v1/depth", "https://fapi.binance.com/fapi/v1/depth?symbol=",
    "/fapi/v1/depth?limit=5",
    "https://fapi.binance.com/fapi/v1/depth?symbol=" + "A" * 97])
def test_an_address_without_a_symbol_is_an_error(pipeline, url):
    pipeline.rest(url, snapshot(5))
    assert pipeline.counters["errors"] == 1
    assert "symbol" in pipeline.last_error.expected


@pytest.mark.parametrize("limit", ["x", "-5", "", "99999999999999999999999", "0", "٣", "²"])
def test_a_limit_that_is_none(limit):
    pipeline = Pipeline("binance_usdm")
    pipeline.rest(f"https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit={limit}", snapshot(5, [("1", "1")], []))
    assert pipeline.book("BTCUSDT").status is LIVE


# ---- noise

def test_noise_among_good_messages_hurts_no_book(seed):
    """Junk of every kind between the deltas of a market: the book is always LIVE and right, or not LIVE."""
    rng = random.Random(seed)
    pipeline = Pipeline("binance_usdm")
    good = [GOOD, trade(), quote(), frames.mark(), frames.liquidation(), b'{"result":null,"id":1}']
    held, last, lives = {}, 10, 0
    pipeline.feed(delta(9, 10, 8))
    for _ in range(4000):
        if rng.random() < 0.3:
            junk = bytearray(rng.choice(good))
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(len(junk))
                junk[at:at + rng.randint(0, 3)] = bytes(rng.choices(b'0123456789"{}[]:,.\\x\xff\x00',
                                                                    k=rng.randint(0, 4)))
            if b'"depthUpdate"' not in junk:
                pipeline.feed(junk)
            else:
                pipeline.feed(junk[: len(junk) // 2])
        previous, last = last, last + rng.randint(1, 4)
        price, qty = str(rng.randint(90, 110)), rng.randint(0, 3)
        held[float(price)] = float(qty)
        pipeline.feed(delta(previous + 1, last, previous, [(price, str(qty))], []))
        if pipeline.wanted() and rng.random() < 0.5:
            pipeline.rest(rest_url(), snapshot(last, [(price, str(qty)) for price, qty in held.items()], []))
        book = pipeline.book("BTCUSDT")
        if book.status is LIVE:
            lives += 1
            assert book.sequence == last
            assert dict(book.bids().tolist()) == {price: qty for price, qty in held.items() if qty}
    assert lives > 1000
    assert pipeline.counters["errors"] > 100


def test_an_answer_from_what_is_no_address():
    pipeline = Pipeline("binance_usdm")
    pipeline.rest("https://[x", b"{}")
    assert pipeline.counters["errors"] == 1
    assert "an address, not https://[x" in str(pipeline.last_error)
