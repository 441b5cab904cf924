"""A reader in another thread while `feed_many` runs without the GIL: it sees whole messages and live memory."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from feeds.pipeline import Pipeline
from orderbook import BookNotLive, BookState, ConsolidatedBook
from tests import _probe, frames

READERS = 2


def counted_stream(turns):
    """Message k makes the book hold n(k) levels a side, every quantity k: what is read must be of one k."""
    out, last = [], 10
    for k in range(1, turns):
        depth = depth_at(k)
        bids = [(f"{1000 - i}", str(k) if i < depth else "0") for i in range(130)]
        asks = [(f"{1001 + i}", str(k) if i < depth else "0") for i in range(130)]
        out.append(frames.delta(last + 1, last + 2, last, bids, asks))
        last += 2
    return out


def depth_at(k):
    return 3 + 60 * (k % 3)


@pytest.fixture
def quick_switches():
    """Let threads take turns as often as Python can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def read_all_ways(book, seen):
    """One round of reads; raises AssertionError where a read mixes two messages."""
    bid, ask = book.best_bid, book.best_ask
    assert bid[0] == 1000.0
    assert ask[0] == 1001.0
    seen.add(bid[1])
    bid_price, bid_qty, ask_price, ask_qty = book.bbo()
    assert (bid_price, ask_price) == (1000.0, 1001.0)
    assert bid_qty == ask_qty
    bids, asks = np.empty((130, 2)), np.empty((130, 2), np.int64)
    filled = book.top(bids, asks)
    k = int(bids[0, 1])
    assert filled == (depth_at(k), depth_at(k))
    assert (bids[: filled[0], 1] == k).all()
    assert (asks[: filled[1], 1] == k).all()
    for rows in (book.bids(), book.asks_int()):
        k = int(rows[0, 1])
        assert len(rows) == depth_at(k), "a read that stops short"
        assert (rows[:, 1] == k).all()
    merged = ConsolidatedBook([book])
    filled = merged.top(bids, floats := np.empty((130, 2)))
    k = int(bids[0, 1])
    assert filled == (depth_at(k), depth_at(k))
    assert (bids[: filled[0], 1] == k).all()
    assert (floats[: filled[1], 1] == k).all()
    assert len(rows := merged.bids()) == depth_at(int(rows[0, 1]))
    assert book.bid_qty_int(999) >= 1
    assert book.spread == 1.0
    assert book.mid == 1000.5


def test_a_read_never_sees_half_a_message(quick_switches):
    stream = counted_stream(4000)
    pipeline = Pipeline("binance_usdm")
    pipeline.feed(frames.delta(9, 10, 8))
    sides = [(str(1000 - i), "3") for i in range(3)], [(str(1001 + i), "3") for i in range(3)]
    pipeline.rest(frames.rest_url(), frames.snapshot(10, *sides))
    book = pipeline.book("BTCUSDT")
    assert book.status is BookState.LIVE
    done, failures, seen, reads = threading.Event(), [], set(), [0]

    def reader():
        try:
            while not done.is_set():
                read_all_ways(book, seen)
                reads[0] += 1
                assert pipeline.last_quote("BTCUSDT") is None
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=reader) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    last = 10
    for _ in range(4):
        shifted = []
        for frame in stream:
            head, _, tail = frame.partition(b'"U":')
            shifted.append(
                head + f'"U":{last + 1},"u":{last + 2},"pu":{last},"b"'.encode() + tail.partition(b',"b"')[2]
            )
            last += 2
        pipeline.feed_many(shifted)
    done.set()
    for thread in threads:
        thread.join(60)
    assert not failures, failures
    assert reads[0] > 10
    assert len(seen) > 3, "the readers never ran beside the writer"
    assert pipeline.counters["gaps"] == 0


def test_reads_while_pages_come_and_go_and_books_are_lost(quick_switches):
    """Levels wander, ticks and scales get finer, symbols appear, the book resyncs: an answer or BookNotLive."""
    pipeline = Pipeline("binance_usdm")
    pipeline.feed(frames.delta(1, 2, 0))
    book = pipeline.book("BTCUSDT")
    done, failures, reads = threading.Event(), [], [0]

    def reader():
        array = np.empty((50, 2))
        try:
            while not done.is_set():
                try:
                    n, _ = book.top(array, None)
                    assert (np.diff(array[:n, 0]) < 0).all()
                    book.bids(), book.asks_int(), book.bbo(), book.bid_qty("500.5")
                except BookNotLive:
                    pass
                pipeline.wanted(), pipeline.counters, pipeline.symbol_stats("BTCUSDT"), list(pipeline.books)
                trade = pipeline.last_trade("BTCUSDT")
                assert trade is None or trade.price_int * 10**-trade.price_scale == pytest.approx(trade.qty)
                reads[0] += 1
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=reader) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    last = 2
    for turn in range(40):
        batch = []
        for i in range(100):
            centre = 1000 + 37 * i + turn
            step = ["1", "0.5", "0.25", "0.125"][turn // 10]
            bids = [(str(centre - j * float(step)), "1") for j in range(10)] + [
                (str(centre - 37 - j), "0") for j in range(20)
            ]
            batch.append(frames.delta(last + 1, last + 2, last, bids, [(str(centre + 100), str(i % 2))]))
            batch.append(frames.trade(f"{i}.5", f"{i}.5", i))
            batch.append(frames.quote(symbol=f"S{turn * 100 + i}") if i % 10 == 0 else frames.trade(f"{i}", f"{i}", i))
            last += 2
        if turn % 4 == 0:
            pipeline.rest(frames.rest_url(), frames.snapshot(last - 200, [("500.5", "1")], [("9000", "1")]))
        if turn % 7 == 3:
            last += 5  # a gap
        if turn % 11 == 5:
            pipeline.opened()
        pipeline.feed_many(batch)
    done.set()
    for thread in threads:
        thread.join(60)
    assert not failures, failures
    assert reads[0] > 10
    assert pipeline.counters["errors"] == 0


@pytest.mark.parametrize("change", [
    lambda pipeline: pipeline.feed(frames.delta(13, 14, 12, [("100", "5")])),
    lambda pipeline: pipeline.feed(frames.delta(13, 14, 12, [("100.5", "5")])),             # a finer tick
    lambda pipeline: pipeline.feed(frames.delta(13, 14, 12, [("100", "5.125")])),           # a finer unit
    lambda pipeline: pipeline.feed(frames.delta(20, 21, 19)),                               # a gap
    lambda pipeline: pipeline.feed_many([frames.delta(13, 14, 12, [("100", "5")])]),
    lambda pipeline: pipeline.rest(frames.rest_url(), frames.snapshot(20, [("70", "1")], [("80", "1")])),
    lambda pipeline: _probe.cut(pipeline.book("BTCUSDT"), 1),
    lambda pipeline: pipeline.forget("BTCUSDT"),
    lambda pipeline: pipeline.opened(),
    lambda pipeline: pipeline.closed(),
], ids=["delta", "tick", "unit", "gap", "many", "snapshot", "cut", "forgotten", "opened", "closed"])
def test_a_change_waits_for_who_reads_the_book(change):
    pipeline = Pipeline("binance_usdm")
    pipeline.feed(frames.delta(11, 12, 10))
    pipeline.rest(frames.rest_url(), frames.snapshot(12, [("100", "1"), ("99", "1")], [("101", "1")]))
    book = pipeline.book("BTCUSDT")
    assert book.status is BookState.LIVE
    assert _probe.waits_for_a_reader(book, lambda: change(pipeline))


def test_two_pipelines_in_two_threads():
    """Each thread feeds a pipeline of its own; they share nothing."""
    stream = counted_stream(1500)
    results = []

    def feed():
        pipeline = Pipeline("binance_usdm", on_gap="count")
        pipeline.rest(frames.rest_url(), frames.snapshot(11, [("1000", "1")], [("1001", "1")]))
        pipeline.feed_many(stream)
        assert pipeline.counters["gaps"] == 0
        book = pipeline.book("BTCUSDT")
        results.append((book.bids().tolist(), book.asks().tolist(), pipeline.counters["fast"]))

    threads = [threading.Thread(target=feed) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 2
    assert results[0] == results[1]
    assert len(results[0][0]) == depth_at(1499)
