"""Readers that are too slow: each way to deal with it, its figures, and what is read at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import feeds
from feeds.readers import EventQueue, LagError, StatusChange
from feeds.transport import open_line
from orderbook import BookState
from tests.feeds.test_exchange import Serving, looped
from tests.loopback import TEXT, Venue, frame, until


class Event:
    def __init__(self, symbol, number):
        self.symbol, self.number = symbol, number

    def copy(self):
        return Event(self.symbol, self.number)


class Kept:
    """A queue with a clock and a note of what it asked for."""

    def __init__(self, on_lag, limit=4, pauses=True):
        self.now, self.pauses, self.told, self.woken = 0.0, [], [], 0
        self.queue = EventQueue(limit, self.wake, on_lag, self.pauses.append if pauses else None, self.told.append,
                                lambda: self.now)

    def wake(self):
        self.woken += 1

    def add(self, *numbers, symbol="X"):
        for number in numbers:
            self.now += 1.0
            self.queue.on_trade(Event(symbol, number))

    def take(self):
        return [self.queue.take().number for _ in range(len(self.queue))]


class NamedBook:
    symbol = "X"


def test_the_queue_keeps_the_newest_and_counts_the_rest():
    woken = []
    queue = EventQueue(3, lambda: woken.append(True))
    books = [NamedBook() for _ in range(5)]
    for book in books:
        queue.on_book(book)
        queue.on_book(book)         # the second time it is already waiting
    assert (len(queue), queue.dropped, len(woken)) == (3, 2, 1)
    queue.on_book(books[0])         # dropped before, so it comes in again
    assert [queue.take() for _ in range(3)] == [books[3], books[4], books[0]]
    with pytest.raises(IndexError):
        queue.take()
    queue.limit = 4
    queue.on_trade(Event("X", 1))
    queue.on_open_interest(Event("X", 2))
    queue.on_status(books[0], 1, 2, "joined")
    queue.on_status(None, None, None, "bad message")
    assert [queue.take().number for _ in range(2)] == [1, 2]
    assert [queue.take() for _ in range(2)] == [
        ("X", books[0], 1, 2, "joined"), ("", None, None, None, "bad message")]
    assert len(woken) == 2


def test_the_oldest_go():
    kept = Kept("drop")
    kept.add(*range(10))
    assert kept.queue.stats() == {"on_lag": "drop", "limit": 4, "waiting": 4, "lag_s": 3.0, "longest": 4, "lags": 1,
                                  "lagging": True, "dropped": 6, "conflated": 0}
    assert kept.take() == [6, 7, 8, 9]
    assert kept.told == ["too slow: 4 events are waiting, the oldest for 4.000 s (drop)",
                         "caught up: 2 events are waiting"]
    assert not kept.pauses
    assert kept.queue.stats()["lag_s"] == 0.0


def test_the_newest_of_each_symbol_and_kind_is_kept_while_it_lags():
    kept = Kept("conflate")
    kept.add(1, 2, 3)
    assert kept.queue.conflated == 0                    # nothing is lost while there is room
    kept.add(4, 5, 6)
    kept.add(7, symbol="Y")
    kept.add(8, 9)
    kept.queue.on_status(None, 1, 2, "each of these is kept")
    assert (kept.queue.conflated, kept.queue.dropped, len(kept.queue)) == (7, 0, 3)
    assert [kept.queue.take() for _ in range(3)][2] == StatusChange("", None, 1, 2, "each of these is kept")
    kept.add(10, 11)
    assert kept.take() == [10, 11]                      # it has caught up
    assert kept.queue.lags == 1


def test_conflation_cannot_make_room_for_more_symbols_than_fit():
    kept = Kept("conflate")
    for number in range(10):
        kept.add(number, symbol=str(number))
    assert (len(kept.queue), kept.queue.dropped) == (4, 6)
    assert kept.take() == [6, 7, 8, 9]


def test_reading_pauses_until_half_was_taken():
    kept = Kept("pause")
    kept.add(*range(7))                                 # what was read already still comes
    assert kept.pauses == [True]
    taken = [kept.queue.take().number for _ in range(4)]
    assert kept.pauses == [True]
    taken += [kept.queue.take().number]
    assert kept.pauses == [True, False]
    assert taken + kept.take() == list(range(7))        # nothing is lost
    assert (kept.queue.dropped, kept.queue.lags) == (0, 1)


def test_a_pause_that_nobody_can_make_is_bounded_too():
    kept = Kept("pause", pauses=False)
    kept.queue._pause = None
    kept.add(*range(10))
    assert (len(kept.queue), kept.queue.dropped) == (4, 6)


def test_who_is_let_go_is_told_so():
    kept = Kept("disconnect")
    kept.add(*range(10))
    assert (len(kept.queue), kept.queue.dropped, kept.queue.is_ready) == (0, 10, True)
    with pytest.raises(LagError, match="more than 4 events"):
        kept.queue.take()
    kept.queue.restart()
    kept.add(11)
    assert kept.take() == [11]


@pytest.mark.parametrize("options, words", [({"on_lag": "wait"}, "drop, conflate, pause, disconnect"),
                                            ({"queue_limit": 0}, "1 event or more")])
def test_wrong_arguments_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        feeds.connect("okx", "BTC-USDT", **options)


# ---- with a venue

def connected(exchange, **options):
    return feeds.connect("okx", "BTC-USDT", ("book", "trades"), url=exchange.url, **options)


@looped
async def test_a_paused_line_stays_and_loses_nothing():
    async with Serving("okx", ["BTC-USDT"], rate=2000.0) as exchange, \
            connected(exchange, on_lag="pause", queue_limit=50) as feed:
        events = aiter(feed)
        await until(lambda: feed.paused)
        line = feed.connections[0].line
        assert line.paused
        await asyncio.sleep(0.3)
        frames = line.frames
        await asyncio.sleep(0.5)
        assert line.frames == frames                # nothing is read
        stats = feed.stats()
        assert stats["queue"]["lagging"]
        assert stats["queue"]["lag_s"] > 0.5
        assert stats["silences"]["probe"] == 0
        seen = [await anext(events) for _ in range(2000)]
        assert any(isinstance(event, StatusChange) and "too slow" in event.reason for event in seen)
        assert feed.stats()["queue"]["dropped"] == 0
        assert feed.stats()["counters"]["gaps"] == 0
        assert [line["opens"] for line in feed.stats()["lines"]] == [1]
        assert feed.book("BTC-USDT").status is BookState.LIVE
        trades = [int(event.trade_id) for event in seen if type(event).__name__ == "Trade"]
        assert trades == list(range(trades[0], trades[0] + len(trades)))


@looped
async def test_a_slow_reader_is_let_go_and_the_feed_goes_on():
    async with Serving("okx", ["BTC-USDT"], rate=2000.0) as exchange, \
            connected(exchange, on_lag="disconnect", queue_limit=50) as feed:
        events = aiter(feed)
        await until(lambda: feed.stats()["queue"]["lags"])
        with pytest.raises(feeds.LagError):
            while True:
                await anext(events)
        assert feed.book("BTC-USDT").status is BookState.LIVE
        assert await anext(aiter(feed)) is not None         # from now on


@looped
async def test_one_read_has_so_many_bytes_and_no_more():
    """16 MB are on their way while nothing is read: what is then read at once stays within its budget."""
    if int(Path("/proc/sys/net/core/rmem_max").read_text()) < 1 << 19:
        pytest.skip("this system bounds what it holds by itself")
    payload = b'{"event":"' + b"x" * 4000 + b'"}'

    async with Venue() as venue:
        pipeline = feeds.Pipeline("okx", symbols=["BTC-USDT"])
        line = await open_line(pipeline, venue.url)
        await until(lambda: venue.peers)
        line.pause()
        venue.peer.raw(frame(TEXT, payload) * 4000)
        await asyncio.sleep(0.5)                        # as much as there is room for comes as far as the kernel
        line.pause(False)
        await until(lambda: line.messages == 4000)
        assert 0 < line.largest_read <= 1 << 20
        line.abort()
