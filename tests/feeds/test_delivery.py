"""What a pipeline hands to its handler, and the kinds of payload it takes."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from feeds.pipeline import Pipeline
from orderbook import BookState
from tests import frames
from tests.frames import delta, quote, rest_url, snapshot, trade
from tests.log import Log

EMPTY, SYNCING, LIVE, STALE = BookState


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
    turns = [("AAA", 6), ("AAA", 7), ("BBB", 3), ("BBB", 4)]
    pipeline.feed_many([delta(i, i, i - 1, symbol=symbol) for symbol, i in turns])
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
            lambda frame: memoryview(b"99" + frame + b'99"}9')[2:-5],
            lambda frame: memoryview(bytearray(frame + b"99"))[:-2],
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
