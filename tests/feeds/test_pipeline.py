"""The pipeline on frames made by hand: states and their order, joins, gaps, lines, filters, events, handlers."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from feeds import UnknownVenue
from feeds.pipeline import Pipeline
from orderbook import Book, BookNotLive, BookState
from tests import frames
from tests.frames import delta, quote, rest_url, snapshot, trade

EMPTY, SYNCING, LIVE, STALE = BookState


class Log:
    """A handler that notes everything; on_book checks that the book can be read."""

    def __init__(self):
        self.told = []

    def on_book(self, book):
        self.told.append(("book", book.symbol, book.sequence, book.best_bid))

    def on_trade(self, trade):
        self.told.append(("trade", trade.symbol, trade.trade_id))

    def on_quote(self, quote):
        self.told.append(("quote", quote.symbol, quote.sequence))

    def on_ticker(self, ticker):
        self.told.append(("ticker", ticker.symbol))

    def on_mark(self, mark):
        self.told.append(("mark", mark.symbol))

    def on_liquidation(self, liquidation):
        self.told.append(("liquidation", liquidation.symbol))

    def on_status(self, book, old, new, reason):
        assert book is None or reason
        self.told.append(("status", book and book.symbol, old, new))

    def take(self):
        told, self.told = self.told, []
        return told


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def pipeline(log):
    """A pipeline whose BTCUSDT is LIVE at 10, with a bid of 100 and an ask of 101."""
    pipeline = Pipeline("binance_usdm", log)
    pipeline.opened()
    pipeline.feed(delta(8, 9, 7))
    pipeline.feed(delta(10, 10, 9))
    pipeline.rest(rest_url(), snapshot(10, [("100", "1"), ("99", "2")], [("101", "3")]))
    assert pipeline.book("BTCUSDT").status is LIVE
    log.take()
    return pipeline


# ---- states

def test_the_way_to_live_is_told_in_order(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.opened()
    assert log.take() == []
    pipeline.feed(delta(5, 8, 4, [("100", "9")]))
    book = pipeline.book("BTCUSDT")
    assert log.take() == [("status", "BTCUSDT", EMPTY, SYNCING)]
    with pytest.raises(BookNotLive, match="BTCUSDT.*SYNCING"):
        book.best_bid  # noqa: B018
    pipeline.feed(delta(9, 12, 8, [("100", "7")]))
    pipeline.feed(quote())
    assert [told[0] for told in log.take()] == ["quote"]
    pipeline.rest(rest_url(), snapshot(10, [("100", "1"), ("99", "2")], [("101", "3")]), receive_ns=5)
    assert log.take() == [("status", "BTCUSDT", SYNCING, LIVE), ("book", "BTCUSDT", 12, (100.0, 7.0))]
    pipeline.feed(delta(13, 14, 12, [("100", "0")]), receive_ns=77)
    assert log.take() == [("book", "BTCUSDT", 14, (99.0, 2.0))]
    assert (book.sequence, book.exchange_ns, book.receive_ns) == (14, frames.TIME_MS * 10**6, 77)


def test_a_gap_makes_stale_that_symbol_alone(pipeline, log):
    for symbol in ("ETHUSDT", "XRPUSDT"):
        pipeline.feed(delta(1, 2, 0, symbol=symbol))
        pipeline.rest(rest_url(symbol=symbol), snapshot(2, [("5", "5")], [], symbol))
    log.take()
    needs = pipeline.needs
    pipeline.feed(delta(15, 16, 13, [("100", "5")]))
    assert log.take() == [("status", "BTCUSDT", LIVE, STALE)]
    book = pipeline.book("BTCUSDT")
    assert "10" in book.reason
    assert "15" in book.reason
    assert pipeline.needs != needs
    assert [(want.kind, want.symbol, want.line) for want in pipeline.wanted()] == [("snapshot", "BTCUSDT", 0)]
    with pytest.raises(BookNotLive, match="gap"):
        book.bbo()
    assert book.raw.best_bid == (100.0, 1.0)
    pipeline.feed(delta(3, 3, 2, [("6", "1")], symbol="ETHUSDT"))
    assert log.take() == [("book", "ETHUSDT", 3, (6.0, 1.0))]
    pipeline.feed(delta(17, 18, 16, [("100", "6")]))
    assert log.take() == []
    pipeline.rest(rest_url(), snapshot(16, [("98", "1")], [("101", "1")]))
    assert log.take() == [("status", "BTCUSDT", STALE, LIVE), ("book", "BTCUSDT", 18, (100.0, 6.0))]
    assert pipeline.wanted() == []
    assert book.reason == ""
    stats = pipeline.symbol_stats("BTCUSDT")
    assert (stats["gaps"], stats["resyncs"]) == (1, 1)
    assert pipeline.symbol_stats("ETHUSDT")["gaps"] == 0
    assert (pipeline.counters["gaps"], pipeline.counters["resyncs"]) == (1, 1)


def test_a_snapshot_older_than_the_stream_is_asked_for_again(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(100, 110, 95, [("100", "1")]))
    pipeline.rest(rest_url(), snapshot(50, [("1", "1")], []))
    assert pipeline.book("BTCUSDT").status is SYNCING
    assert [want.symbol for want in pipeline.wanted()] == ["BTCUSDT"]
    assert ("book", "BTCUSDT") not in [told[:2] for told in log.take()]
    pipeline.feed(delta(111, 120, 110, [("100", "2")]))
    pipeline.rest(rest_url(), snapshot(105, [("99", "1")], []))
    assert log.take()[-1] == ("book", "BTCUSDT", 120, (100.0, 2.0))
    assert pipeline.wanted() == []


def test_a_snapshot_newer_than_every_kept_delta(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(100, 110, 95, [("100", "1")]))
    pipeline.rest(rest_url(), snapshot(150, [("99", "1")], []))
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 150, (99.0, 1.0))
    pipeline.feed(delta(111, 130, 110, [("100", "1")]))
    assert book.best_bid == (99.0, 1.0)
    pipeline.feed(delta(131, 160, 130, [("98", "4")]))
    assert (book.sequence, book.bids().tolist()) == (160, [[99.0, 1.0], [98.0, 4.0]])
    assert pipeline.symbol_stats("BTCUSDT")["stale"] == 2


def test_a_late_snapshot_does_not_turn_a_live_book_back(pipeline, log):
    pipeline.feed(delta(11, 20, 10, [("100", "5")]))
    log.take()
    pipeline.rest(rest_url(), snapshot(12, [("1", "1")], []))
    book = pipeline.book("BTCUSDT")
    assert (book.sequence, book.best_bid) == (20, (100.0, 5.0))
    pipeline.rest(rest_url(), snapshot(30, [("97", "1")], []))
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 30, (97.0, 1.0))
    pipeline.feed(delta(21, 31, 20, [("98", "1")]))
    assert (book.status, book.best_bid) == (LIVE, (98.0, 1.0))


def test_a_new_listing_answers_minus_one(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(100, 110, 95))
    pipeline.rest(rest_url(), snapshot(-1))
    assert pipeline.book("BTCUSDT").status is LIVE
    pipeline.feed(delta(111, 120, 110, [("5", "5")]))
    assert log.take()[-1] == ("book", "BTCUSDT", 120, (5.0, 5.0))


def test_duplicates_and_old_deltas_change_nothing(pipeline, log):
    pipeline.feed(delta(11, 12, 10, [("100", "5")]))
    log.take()
    before = pipeline.counters["stale"]
    for frame in (delta(11, 12, 10, [("100", "9")]), delta(10, 11, 9, [("1", "1")]), delta(3, 4, 2, [("1", "1")])):
        pipeline.feed(frame)
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 12, (100.0, 5.0))
    assert pipeline.counters["stale"] == before + 3
    assert log.take() == []


def test_numbers_that_began_again_are_not_old_for_ever(pipeline, log):
    for i in range(300):
        pipeline.feed(delta(1 + i % 5, 2 + i % 5, i % 5))
    assert pipeline.book("BTCUSDT").status is STALE
    assert pipeline.wanted()


def test_overlaps_of_spot_are_legal():
    pipeline = Pipeline("binance_spot")
    pipeline.feed(delta(8, 12))
    pipeline.rest(rest_url("binance_spot"), snapshot(10, [("100", "1")], [], futures=False))
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence) == (LIVE, 12)
    pipeline.feed(delta(12, 15, None, [("100", "4")]))
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 15, (100.0, 4.0))
    pipeline.feed(delta(17, 18))
    assert book.status is STALE


def test_partial_books_need_no_snapshot_and_stand_apart(pipeline, log):
    pipeline.feed(delta(20, 30, 15, [("50", "1")], [("51", "1")], stream="depth20@100ms"))
    pipeline.feed(delta(20, 30, 15, [("40", "1")], [], stream="depth5"))
    assert log.take() == [("status", "BTCUSDT", EMPTY, LIVE), ("book", "BTCUSDT", 30, (50.0, 1.0)),
                          ("status", "BTCUSDT", EMPTY, LIVE), ("book", "BTCUSDT", 30, (40.0, 1.0))]
    assert pipeline.book("BTCUSDT").best_bid == (100.0, 1.0)
    assert pipeline.book("BTCUSDT", depth=20).bids().tolist() == [[50.0, 1.0]]
    assert pipeline.book("btcusdt", 5).best_bid == (40.0, 1.0)
    pipeline.feed(delta(31, 40, 30, [("49", "2")], [], stream="depth20@100ms"))
    assert pipeline.book("BTCUSDT", depth=20).bids().tolist() == [[49.0, 2.0]]
    assert pipeline.book("BTCUSDT", depth=20).ask_levels == 0
    assert (list(pipeline.books), pipeline.wanted()) == (["BTCUSDT"], [])
    with pytest.raises(KeyError, match="depth 10"):
        pipeline.book("BTCUSDT", depth=10)


def test_partial_books_of_spot_take_their_symbol_from_the_stream():
    pipeline = Pipeline("binance_spot")
    for i, symbol in enumerate(("btcusdt", "ethusdt") * 4):
        pipeline.feed(frames.pack({"lastUpdateId": i, "bids": [[str(10 + i), "10"]], "asks": []}, f"{symbol}@depth5@100ms"))
        book = pipeline.book(symbol, depth=5)
        assert (book.symbol, book.status, book.sequence, book.best_bid) == (symbol.upper(), LIVE, i, (10.0 + i, 10.0))
    assert pipeline.counters["fast"] >= 4


# ---- trusted depth

def test_trusted_depth_is_that_of_the_snapshot():
    pipeline = Pipeline("binance_usdm")
    pipeline.feed(delta(1, 2, 0))
    pipeline.rest(rest_url(limit=3), snapshot(2, [("100", "1"), ("99", "1"), ("98.5", "1")], [("101", "1"), ("102", "1")]))
    book = pipeline.book("BTCUSDT")
    assert (book.trusted_bid, book.trusted_ask) == (98.5, float("inf"))
    assert [book.bid_qty(price) for price in ("98.5", "98.75", "98.4", 50, "98.123456789", "1e-30", -5)] == [
        1.0, 0.0, None, None, None, None, None]
    assert book.bid_qty("1e30") == 0.0
    assert [book.ask_qty(price) for price in (101, "101.5", 5000)] == [1.0, 0.0, 0.0]
    pipeline.feed(delta(3, 4, 2, [("50", "7"), ("98.125", "0")]))
    assert (book.bid_qty(50), book.bid_qty_int(5000 * 10**(book.price_scale - 2))) == (7.0, 7)
    assert (book.trusted_bid, book.bid_levels) == (98.5, 4)
    pipeline.rest(rest_url(limit=1000), snapshot(9, [("100", "1")], []))
    assert book.bid_qty(50) == 0.0


def test_without_a_limit_the_venues_own_is_meant():
    pipeline = Pipeline("binance_spot")
    pipeline.rest("https://api.binance.com/api/v3/depth?symbol=BTCUSDT",
                  snapshot(2, [(str(1000 - i), "1") for i in range(100)], [("2000", "1")], futures=False))
    book = pipeline.book("BTCUSDT")
    assert (book.trusted_bid, book.trusted_ask) == (901.0, float("inf"))


# ---- lines

def test_a_new_connection_starts_its_books_clean(pipeline, log):
    pipeline.feed(delta(1, 2, 0, symbol="ETHUSDT"), line=1)
    pipeline.rest(rest_url(symbol="ETHUSDT"), snapshot(2, [("5", "5")], []))
    log.take()
    pipeline.closed(line=0)
    assert log.take() == [("status", "BTCUSDT", LIVE, STALE)]
    assert pipeline.wanted() == []
    pipeline.opened(line=0)
    assert log.take() == [("status", "BTCUSDT", STALE, EMPTY)]
    book = pipeline.book("BTCUSDT")
    assert (book.bid_levels, book.sequence, book.raw.best_bid) == (0, 0, None)
    assert pipeline.book("ETHUSDT").status is LIVE
    pipeline.feed(delta(11, 12, 10))
    assert log.take() == [("status", "BTCUSDT", EMPTY, SYNCING)]
    pipeline.rest(rest_url(), snapshot(12, [("1", "1")], []))
    assert log.take() == [("status", "BTCUSDT", SYNCING, LIVE), ("book", "BTCUSDT", 12, (1.0, 1.0))]


def test_opened_forgets_what_was_kept(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(8, 9, 7))
    assert pipeline.wanted()
    pipeline.opened()
    assert pipeline.wanted() == []
    pipeline.feed(delta(30, 31, 29))
    pipeline.rest(rest_url(), snapshot(30, [("1", "1")], []))
    assert pipeline.book("BTCUSDT").sequence == 31
    assert pipeline.counters["gaps"] == 0


def test_opened_and_closed_of_lines_nobody_uses(pipeline, log):
    pipeline.opened(5)
    pipeline.closed(6)
    assert log.take() == []
    assert pipeline.book("BTCUSDT").status is LIVE


# ---- symbols

def test_every_symbol_gets_a_book_up_to_a_cap():
    pipeline = Pipeline("binance_usdm", max_symbols=3)
    for i in range(6):
        pipeline.feed(trade(symbol=f"S{i}"))
    assert list(pipeline.books) == ["S0", "S1", "S2"]
    assert len(pipeline.books) == 3
    assert pipeline.last_trade("S2").symbol == "S2"
    assert pipeline.last_error.symbol == "S5"
    assert "3 symbols" in pipeline.last_error.expected
    assert pipeline.counters["ignored"] == 3


def test_only_the_symbols_asked_for(log):
    pipeline = Pipeline("binance_usdm", log, symbols=["btcusdt", "ETHUSDT"])
    assert list(pipeline.books) == ["BTCUSDT", "ETHUSDT"]
    assert isinstance(pipeline.books["BTCUSDT"], Book)
    for symbol in ("BTCUSDT", "XRPUSDT", "ETHUSDT"):
        for _ in range(3):
            pipeline.feed(trade(symbol=symbol))
            pipeline.feed(delta(1, 2, 0, symbol=symbol))
            pipeline.feed(delta(1, 2, 0, [("1", "1")], symbol=symbol, stream="depth5"))
    pipeline.rest(rest_url(symbol="XRPUSDT"), snapshot(2))
    assert {told[1] for told in log.take()} == {"BTCUSDT", "ETHUSDT"}
    assert pipeline.counters["ignored"] == 10
    assert "XRPUSDT" not in pipeline.books
    with pytest.raises(KeyError, match="no book of XRPUSDT"):
        pipeline.books["XRPUSDT"]
    with pytest.raises(KeyError, match="near: BTCUSDT"):
        pipeline.book("BTCUSD")


def test_follow_and_forget(pipeline, log):
    pipeline.feed(delta(11, 12, 10))
    pipeline.forget("BTCUSDT")
    assert log.take()[-1] == ("status", "BTCUSDT", LIVE, EMPTY)
    for i in range(13, 20):
        pipeline.feed(delta(i, i, i - 1))
        pipeline.feed(trade())
    assert log.take() == []
    assert pipeline.wanted() == []
    assert pipeline.follow("btcusdt") is pipeline.book("BTCUSDT")
    pipeline.feed(delta(20, 20, 19))
    assert log.take() == [("status", "BTCUSDT", EMPTY, SYNCING)]


# ---- what there is to read

def test_last_trade_and_quote_are_copies(pipeline):
    assert pipeline.last_trade("BTCUSDT") is None
    assert pipeline.last_quote("BTCUSDT") is None
    pipeline.feed(trade("100.50", "0.250", 7, True), receive_ns=9)
    pipeline.feed(quote(("100.00", "1.000"), ("101.00", "2.5"), 30), receive_ns=10)
    first = pipeline.last_trade("BTCUSDT")
    pipeline.feed(trade("100.75", "1", 8, False))
    assert (first.price, first.qty, first.trade_id, first.aggressor) == (100.5, 0.25, 7, "sell")
    assert (first.exchange_ns, first.receive_ns) == (frames.TIME_MS * 10**6, 9)
    assert first.price_int * 10**-first.price_scale == pytest.approx(100.5)
    last = pipeline.last_trade("btcusdt")
    assert (last.price, last.aggressor, last.receive_ns) == (100.75, "buy", 0)
    found = pipeline.last_quote("BTCUSDT")
    assert (found.bid_price, found.bid_qty, found.ask_price, found.ask_qty, found.sequence) == (100.0, 1.0, 101.0, 2.5, 30)
    with pytest.raises(KeyError):
        pipeline.last_trade("NOPE")


def test_symbol_stats(pipeline):
    pipeline.feed(delta(11, 12, 10, [("100", "5"), ("1", "0")], [("99.5", "1")]))
    pipeline.feed(trade("100.5", "0.25"))
    pipeline.feed(trade("100.75", "2"))
    pipeline.feed(quote())
    stats = pipeline.symbol_stats("BTCUSDT")
    assert stats == {"snapshots": 1, "updates": 2, "changes": 3, "absent": 1, "stale": 1, "breaks": 0, "crossed": 1, "gaps": 0,
                     "resyncs": 0, "trades": 2, "trade_qty": 225, "last_trade_price": 10075, "quotes": 1, "price_scale": 2,
                     "qty_scale": 2}


def test_trade_quantities_add_up_past_64_bits(pipeline):
    for _ in range(3):
        pipeline.feed(trade("1", "9000000000000000000"))
    pipeline.feed(trade("1", "1"))
    assert pipeline.symbol_stats("BTCUSDT")["trade_qty"] == 27 * 10**18 + 1


def test_counters_add_up(pipeline):
    before = pipeline.counters
    sent = [delta(11, 12, 10), trade(), quote(), frames.mark(), frames.liquidation(), b'{"result":null,"id":1}', b"{", b"",
            frames.pack({"e": "kline", "E": 1, "s": "BTCUSDT", "k": {}}, "btcusdt@kline_1m")]
    pipeline.feed_many(sent)
    after = pipeline.counters
    rise = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert rise.pop("fast", 0) + rise.pop("slow") == len(sent)
    assert rise == {"frames": len(sent), "bytes": sum(map(len, sent)), "depth": 1, "trades": 1, "quotes": 1, "marks": 1,
                    "liquidations": 1, "control": 1, "errors": 2, "ignored": 1}


def test_a_kept_delta_is_counted_once():
    pipeline = Pipeline("binance_usdm")
    for i in range(1, 9):
        pipeline.feed(delta(i, i, i - 1))
    pipeline.rest(rest_url(), snapshot(3))
    counters = pipeline.counters
    assert (counters["depth"], counters["snapshots"], counters["frames"]) == (8, 1, 8)
    assert counters["fast"] + counters["slow"] == 8


# ---- control frames

def test_control_frames_are_kept_for_the_session(pipeline):
    acks = [b'{"result":null,"id":1}', b'{"code":2,"msg":"Invalid request","id":3}', b'{"e":"serverShutdown","E":1770123456789}',
            b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}', b'{"id":1,"result":["x"]}', b"{}"]
    for i, ack in enumerate(acks):
        pipeline.feed(ack, line=i)
    assert pipeline.control() == list(enumerate(acks))
    assert pipeline.control() == []
    assert (pipeline.counters["control"], pipeline.counters["errors"]) == (len(acks), 0)
    for _ in range(3000):
        pipeline.feed(acks[0])
    assert len(pipeline.control()) <= 1024


# ---- handlers

@pytest.mark.parametrize("kind", ["book", "trade", "quote", "ticker", "mark", "liquidation", "status"])
def test_a_handler_may_have_any_one_of_the_methods(kind):
    calls = []
    handler = type("One", (), {f"on_{kind}": lambda self, *arguments: calls.append(arguments)})()
    pipeline = Pipeline("binance_usdm", handler)
    assert pipeline.handler is handler
    ticker = frames.pack({"e": "24hrTicker", "E": 1, "s": "BTCUSDT", "c": "5"}, "btcusdt@ticker")
    for frame in (delta(1, 2, 0), trade(), quote(), ticker, frames.mark(), frames.liquidation()) * 2:
        pipeline.feed(frame)
    pipeline.rest(rest_url(), snapshot(2))
    assert len(calls) == (1 if kind == "book" else 2)


def test_an_object_without_any_of_them_is_no_handler():
    with pytest.raises(TypeError, match="on_book"):
        Pipeline("binance_usdm", object())


class Boom(Exception):
    pass


@pytest.mark.parametrize("many", [False, True])
def test_what_a_handler_raises_comes_out_after_the_message_was_applied(pipeline, many):
    class Raises:
        def on_book(self, book):
            raise Boom

        def on_trade(self, trade):
            raise Boom

    pipeline.handler = Raises()
    feed = (lambda frame: pipeline.feed_many([frame])) if many else pipeline.feed
    with pytest.raises(Boom):
        feed(delta(11, 12, 10, [("100", "9")]))
    assert pipeline.book("BTCUSDT").best_bid == (100.0, 9.0)
    with pytest.raises(Boom):
        feed(trade(number=77))
    assert pipeline.last_trade("BTCUSDT").trade_id == 77
    pipeline.handler = None
    feed(delta(13, 14, 12, [("100", "8")]))
    assert pipeline.book("BTCUSDT").best_bid == (100.0, 8.0)
    assert (pipeline.counters["gaps"], pipeline.counters["errors"]) == (0, 0)


def test_an_exception_in_on_status_leaves_a_book_that_recovers(pipeline):
    class Raises:
        def on_status(self, book, old, new, reason):
            raise Boom

    pipeline.handler = Raises()
    with pytest.raises(Boom):
        pipeline.feed(delta(20, 21, 19, [("100", "9")]))
    assert pipeline.book("BTCUSDT").status is STALE
    pipeline.feed(delta(22, 23, 21))
    with pytest.raises(Boom):
        pipeline.rest(rest_url(), snapshot(21, [("100", "9")], []))
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 23, (100.0, 9.0))
    pipeline.feed(delta(24, 25, 23, [("101", "1")]))
    assert book.best_bid == (101.0, 1.0)


def test_a_handler_may_replace_itself_and_ask_back(pipeline):
    class Swaps:
        def __init__(self):
            self.calls = 0

        def on_trade(self, trade):
            self.calls += 1
            pipeline.handler = None if self.calls > 2 else Swaps() if self.calls == 1 else self
            pipeline.follow(f"NEW{self.calls}")
            assert pipeline.last_trade("BTCUSDT").trade_id == trade.trade_id

        def on_book(self, book):
            pipeline.handler = None

        def on_status(self, book, old, new, reason):
            pipeline.handler = None

    for frame in (trade(), delta(11, 12, 10), delta(30, 31, 29)):
        pipeline.handler = Swaps()
        for _ in range(4):
            pipeline.feed(frame)
    pipeline.handler = Swaps()
    pipeline.opened()
    pipeline.closed()
    assert pipeline.counters["errors"] == 0


def test_a_handler_may_answer_a_gap_at_once(log):
    """on_status fetches the snapshot itself, inside the call."""
    class Fetches(Log):
        def on_status(self, book, old, new, reason):
            super().on_status(book, old, new, reason)
            if new is STALE:
                pipeline.rest(rest_url(symbol=book.symbol), snapshot(20, [("50", "5")], []))

    handler = Fetches()
    pipeline = Pipeline("binance_usdm", handler)
    pipeline.feed(delta(1, 2, 0))
    pipeline.rest(rest_url(), snapshot(2))
    pipeline.feed(delta(19, 21, 17, [("51", "1")]))
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 21, (51.0, 1.0))
    states = [told[2:] for told in handler.take() if told[0] == "status"]
    assert states == [(EMPTY, SYNCING), (SYNCING, LIVE), (LIVE, STALE), (STALE, LIVE)]


def test_events_are_reused_and_copies_are_kept(pipeline):
    seen = []

    class Keeps:
        def on_trade(self, trade):
            seen.append((trade, trade.copy()))

    pipeline.handler = Keeps()
    pipeline.feed(trade(number=1))
    pipeline.feed(trade("7", "7", number=2))
    assert seen[0][0] is seen[1][0]
    assert [copy.trade_id for _, copy in seen] == [1, 2]
    assert [copy.price for _, copy in seen] == [100.5, 7.0]


def test_conflated_books_come_once_a_batch(log):
    pipeline = Pipeline("binance_usdm", log, conflate=True)
    for symbol in ("AAA", "BBB"):
        pipeline.feed(delta(1, 2, 0, symbol=symbol))
        pipeline.rest(rest_url(symbol=symbol), snapshot(2, [("5", "5")], []))
    pipeline.flush()
    log.take()
    for i in range(3, 6):
        pipeline.feed(delta(i, i, i - 1, [("5", str(i))], symbol="AAA"))
        pipeline.feed(trade(symbol="AAA", number=i))
    assert log.take() == [("trade", "AAA", i) for i in range(3, 6)]
    pipeline.flush()
    assert log.take() == [("book", "AAA", 5, (5.0, 5.0))]
    pipeline.flush()
    assert log.take() == []
    pipeline.feed_many([delta(i, i, i - 1, symbol=symbol) for symbol in ("AAA", "BBB") for i in ((6, 7) if symbol == "AAA" else (3, 4))])
    assert log.take() == [("book", "AAA", 7, (5.0, 5.0)), ("book", "BBB", 4, (5.0, 5.0))]
    pipeline.feed(delta(8, 8, 7, symbol="AAA"))
    pipeline.feed(delta(20, 20, 19, symbol="AAA"))
    pipeline.flush()
    assert log.take() == [("status", "AAA", LIVE, STALE)]
    pipeline.feed(delta(5, 5, 4, symbol="BBB"))
    pipeline.handler = None
    pipeline.flush()


# ---- payloads

class Sequence(list):
    pass


PAYLOADS = [bytes, bytearray, memoryview, lambda frame: np.frombuffer(frame, np.uint8),
            lambda frame: memoryview(b"99" + frame + b'99"}9')[2:-5], lambda frame: memoryview(bytearray(frame + b"99"))[:-2],
            lambda frame: type("Sub", (bytes,), {})(frame)]


@pytest.mark.parametrize("kind", PAYLOADS)
def test_payloads_of_every_kind(kind, log):
    pipeline = Pipeline("binance_usdm", log)
    stream = [trade(number=i) for i in range(5)] + [delta(1, 2, 0)]
    for frame in stream:
        pipeline.feed(kind(frame), receive_ns=3)
    pipeline.feed_many([kind(frame) for frame in stream])
    pipeline.feed_many(tuple(kind(frame) for frame in stream))
    pipeline.feed_many(Sequence(kind(frame) for frame in stream))
    assert pipeline.counters["trades"] == 20
    assert pipeline.counters["errors"] == 0
    pipeline.handler = None
    pipeline.feed_many([kind(frame) if i % 2 else frame for i, frame in enumerate(stream)] * 100)
    assert pipeline.counters["trades"] == 520


@pytest.mark.parametrize("payload", ["text", None, 5, [1], object(), memoryview(b"abcd")[::2], np.zeros((2, 2))[:, 0]])
def test_wrong_payloads_raise(pipeline, payload):
    before = pipeline.counters
    with pytest.raises((TypeError, BufferError, ValueError)):
        pipeline.feed(payload)
    with pytest.raises((TypeError, BufferError, ValueError)):
        pipeline.feed_many([trade(), payload, trade()])
    pipeline.handler = None
    with pytest.raises((TypeError, BufferError, ValueError)):
        pipeline.feed_many([trade(), payload, trade()])
    assert pipeline.counters["trades"] == before["trades"] + 2
    assert pipeline.counters["errors"] == 0


@pytest.mark.parametrize("payloads", [b"abc", "abc", bytearray(b"x"), 5, None, {1: 2}, iter([b"x"])])
def test_feed_many_takes_a_sequence_of_frames(pipeline, payloads):
    with pytest.raises(TypeError):
        pipeline.feed_many(payloads)
    pipeline.feed_many([])
    pipeline.feed_many(())


def test_feed_and_feed_many_give_the_same(seed):
    rng = random.Random(seed)
    stream, last = [], 10
    for i in range(3000):
        previous, last = last, last + rng.randint(1, 3)
        if rng.random() < 0.01:
            previous -= 1                                 # a gap
        stream.append(delta(previous + 1, last, previous, [(str(rng.randint(90, 100)), str(rng.randint(0, 3)))], []))
        stream.append(rng.choice([trade(f"{i}.5", "1.5", i), quote(number=i), b"{", b'{"result":null}']))
    results = []
    for ways in itertools.product([True, False], repeat=2):
        told = Log()
        pipeline = Pipeline("binance_usdm", told if ways[1] else None, on_gap="count")
        pipeline.rest(rest_url(), snapshot(10, [("95", "1")], []))
        if ways[0]:
            pipeline.feed_many(stream)
        else:
            for frame in stream:
                pipeline.feed(frame)
        raw = pipeline.book("BTCUSDT").raw
        results.append((pipeline.counters, pipeline.symbol_stats("BTCUSDT"), raw.bids().tolist(),
                        pipeline.last_trade("BTCUSDT").trade_id))
    assert all(result == results[0] for result in results)


# ---- arguments

def test_wrong_arguments_raise():
    with pytest.raises(UnknownVenue, match="binance_usdm"):
        Pipeline("nowhere")
    for options in ({"on_gap": "ignore"}, {"max_symbols": 0}, {"sample_every": 0}):
        with pytest.raises(ValueError, match="is|are"):
            Pipeline("binance_usdm", **options)
    with pytest.raises(TypeError, match="sequence of symbols"):
        Pipeline("binance_usdm", symbols="BTCUSDT")
    pipeline = Pipeline("binance_usdm")
    for arguments in ((None, b""), (rest_url(), "text"), (rest_url(), None), (rest_url(), 5)):
        with pytest.raises(TypeError):
            pipeline.rest(*arguments)
    assert pipeline.counters["errors"] == 0
