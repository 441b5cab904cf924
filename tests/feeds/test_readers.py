"""Several readers of one feed: each has its own symbols, its own queue, and its own way to be too slow."""

from __future__ import annotations

import asyncio

import pytest

import feeds
from feeds.readers import EventQueue, Fan, Reader, Readers
from orderbook import BookState
from tests.feeds.test_exchange import Serving, looped
from tests.feeds.test_lag import Event
from tests.log import Log
from tests.loopback import until


class NamedBook:
    def __init__(self, symbol):
        self.symbol = symbol


class Change:
    def __init__(self, symbol):
        self.instrument = NamedBook(symbol)


class Desk:
    """Readers, the handler that they have a feed take, and whether it reads."""

    def __init__(self):
        self.handler, self.paused = None, []
        self.readers = Readers(lambda handler: setattr(self, "handler", handler), self.paused.append)

    def reader(self, symbols=None, on_lag="drop", limit=4):
        reader = Reader(self.readers, symbols, on_lag, limit, "venue")
        reader.open()
        return reader


def taken(reader):
    return [reader.queue.take() for _ in range(len(reader.queue))]


def numbers(reader):
    return [event.number for event in taken(reader) if isinstance(event, Event)]


def test_who_feeds_them():
    desk = Desk()
    one = desk.reader()
    assert desk.handler is one.queue                # one that wants all: nobody has to be asked
    one.open()
    assert desk.handler is one.queue
    two = desk.reader(["A"])
    assert isinstance(desk.handler, Fan)
    one.close()
    one.close()
    assert isinstance(desk.handler, Fan)            # it wants some symbols only
    two.close()
    assert desk.handler is None


def test_everybody_has_what_concerns_him():
    desk = Desk()
    every, some = desk.reader(), desk.reader(["A"])
    book, other = NamedBook("A"), NamedBook("B")
    for _ in range(2):
        desk.handler.on_book(book)
        desk.handler.on_book(other)
    assert taken(every) == [book, other]
    assert taken(some) == [book]
    for change in (NamedBook("A"), NamedBook("B"), None):
        desk.handler.on_status(change, 1, 2, "why")
    assert [change.symbol for change in taken(every)] == ["A", "B", ""]
    assert [change.symbol for change in taken(some)] == ["A", ""]       # news of the venue are for all
    for symbol in "AB":
        desk.handler.on_instrument(Change(symbol))
    assert [len(taken(reader)) for reader in (every, some)] == [2, 1]
    for name in ("trade", "quote", "ticker", "mark", "open_interest", "liquidation"):
        event = Event("A", 1)
        getattr(desk.handler, f"on_{name}")(event)
        getattr(desk.handler, f"on_{name}")(Event("B", 2))
        found = taken(every)
        assert [copy.number for copy in found] == [1, 2]
        assert found[0] is not event
        assert numbers(some) == [1]


def test_the_slow_ones_do_not_slow_the_others():
    desk = Desk()
    whole, newest, oldest = desk.reader(limit=100), desk.reader(on_lag="conflate"), desk.reader(on_lag="drop")
    gone = desk.reader(on_lag="disconnect")
    for number in range(10):
        desk.handler.on_trade(Event("A", number))
    assert numbers(whole) == list(range(10))
    assert numbers(newest) == [9]
    assert numbers(oldest) == [5, 6, 7, 8, 9]       # and one place for the news that it is too slow, which has gone
    assert [reader["lags"] for reader in desk.readers.stats()] == [0, 1, 1, 1]
    assert [reader["symbols"] for reader in desk.readers.stats()] == [None] * 4
    with pytest.raises(feeds.LagError):
        asyncio.run(anext(gone))
    assert gone not in desk.readers                 # it is out, the others are not
    desk.handler.on_trade(Event("A", 10))
    assert numbers(whole) == numbers(newest) == [10]


def test_reading_goes_on_when_nobody_wants_it_paused_any_more():
    desk = Desk()
    first, second = desk.reader(on_lag="pause"), desk.reader(["A"], on_lag="pause")
    for number in range(5):
        desk.handler.on_trade(Event("A", number))
    assert desk.paused == [True]
    assert numbers(first) == [0, 1, 2, 3, 4]
    assert desk.paused == [True]                    # the second still does
    second.close()                                  # and leaves
    assert desk.paused == [True, False]


@pytest.mark.parametrize("options", [{"on_lag": "wait"}, {"limit": 0}])
def test_wrong_arguments_are_named(options):
    with pytest.raises(ValueError, match="on_lag is one of|queue_limit is 1 event or more"):
        Desk().reader(**options)


# ---- with a venue

@looped
async def test_readers_of_one_feed():
    symbols = ["BTC-USDT", "ETH-USDT"]
    async with Serving("okx", symbols, rate=1000.0) as exchange:
        async with feeds.connect("okx", symbols, ("book", "trades"), url=exchange.url) as feed:
            with feed.events("BTC-USDT", limit=100_000) as one, feed.events(on_lag="conflate", limit=5) as slow, \
                    feed.events(["ETH-USDT"], on_lag="disconnect", limit=5) as gone:
                seen = [await anext(one) for _ in range(300)]
                assert {event.symbol for event in seen} <= {"BTC-USDT", ""}
                trades = [event.trade_id for event in seen if type(event).__name__ == "Trade"]
                assert trades == list(range(trades[0], trades[0] + len(trades)))
                stats = feed.stats()["readers"]
                assert [reader["symbols"] for reader in stats] == [["BTC-USDT"], None, ["ETH-USDT"]]
                assert (stats[0]["dropped"], stats[0]["lags"]) == (0, 0)
                assert stats[1]["conflated"] > 0
                with pytest.raises(feeds.LagError):
                    while True:
                        await anext(gone)
                assert len(feed.stats()["readers"]) == 2
                found = [await anext(slow) for _ in range(3)]
                assert len(found) == 3
                events = aiter(feed)                # and the feed itself, as ever
                assert await anext(events) is not None
            assert [reader["symbols"] for reader in feed.stats()["readers"]] == [None]
            assert feed.book("BTC-USDT").status is BookState.LIVE
            last = feed.events()
            await until(lambda: len(last.queue) > 5)
        waiting = len(last.queue)
        assert waiting > 5
        assert len([event async for event in last]) == waiting      # it ends with the feed, after what was left


@looped
async def test_a_paused_reader_pauses_the_line_and_loses_nothing():
    async with Serving("okx", ["BTC-USDT"], rate=1000.0) as exchange, \
            feeds.connect("okx", "BTC-USDT", ("book", "trades"), url=exchange.url) as feed:
        with feed.events(on_lag="pause", limit=20) as reader, feed.events(limit=100_000) as other:
            await until(lambda: feed.paused)
            assert feed.connections[0].line.paused
            seen = [await anext(reader) for _ in range(500)]
            trades = [event.trade_id for event in seen if type(event).__name__ == "Trade"]
            assert trades == list(range(trades[0], trades[0] + len(trades)))
            assert len(other.queue)
            await until(lambda: feed.paused)
        await until(lambda: not feed.paused)        # who leaves pauses nobody


def test_a_feed_with_a_handler_has_no_readers():
    feed = feeds.connect("okx", "BTC-USDT", handler=Log())
    with pytest.raises(RuntimeError, match="needs one without"):
        feed.events()
    assert isinstance(feeds.connect("okx", "BTC-USDT").events().queue, EventQueue)      # before it is open, too
