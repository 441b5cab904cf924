"""Venues that drop a stream without a word: the client notices, and does no more than it takes."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest

import feeds
from feeds import rest
from feeds.session import Asked
from feeds.silence import Silences
from feeds.simulator.hall import BookFeed
from feeds.staleness import Patience
from feeds.venue import Stream
from feeds.venues.dialects import speech
from orderbook import BookState
from tests.feeds.test_exchange import Serving, looped, told
from tests.loopback import until

QUICK = Patience(least=0.6, young=0.0, surprise=8.0, longest=4.0, probe=1.0, answer=4.0, apart=60.0)
VENUES = ("okx", "bybit", "kraken", "bitmex", "mexc", "bitstamp", "htx")


@pytest.fixture(autouse=True)
def fresh_windows(monkeypatch):
    monkeypatch.setattr(rest, "_windows", {})


@asynccontextmanager
async def watched(venue, count=2, **patience):
    """An exchange, a feed of two books with a past, and the symbols."""
    market = speech(venue).listed[0].market
    symbols = [listed.instrument.symbol for listed in speech(venue).listed if listed.market == market][:count]
    async with Serving(venue, symbols, rate=100.0) as exchange:
        feed = feeds.connect(venue, symbols, url=exchange.url, market=market or None)
        feed.timing = replace(feed.timing, judge=0.02, look=0.005, check=0.05, backoff=0.05, renew=0.1, silent=1.0)
        feed.patience = replace(QUICK, **patience)
        async with feed:
            await feed.wait_live(10)
            await asyncio.sleep(3.0)
            yield exchange, feed, symbols, market


def drop(exchange, symbol):
    """The venue forgets who hears a symbol's book; the names of its streams."""
    found = [feed.stream.name for floor in exchange.hall.floors for feed in floor.feeds
             if isinstance(feed, BookFeed) and feed.stream.symbol == symbol]
    for client in exchange.clients:
        for name in [name for name in client.names if name in found]:
            del client.names[name]
    return set(found)


def stand_still(exchange):
    """Nothing happens any more, and all that has happened is told."""
    exchange.hall.step = list
    for floor in exchange.hall.floors:
        for feed in floor.feeds:
            if events := feed.fire(floor.next_ns):
                exchange._tell(feed, events)


@pytest.mark.parametrize("venue", VENUES)
@looped
async def test_a_stream_that_the_venue_has_dropped_is_asked_for_anew(venue):
    async with watched(venue) as (exchange, feed, symbols, market):
        assert feed.stats()["silences"] == {"probe": 0, "resubscribe": 0, "reconnect": 0, "give_up": 0, "mended": 0,
                                            "quiet": 0}
        opens = [line["opens"] for line in feed.stats()["lines"]]
        changes = feed.pipeline.states(symbols[1])
        assert drop(exchange, symbols[0])
        await until(lambda: feed.stats()["silences"]["mended"] == 1)
        await until(lambda: feed.book(symbols[0]).status is BookState.LIVE)
        stats = feed.stats()["silences"]
        assert stats["resubscribe"] == 1
        assert (stats["reconnect"], stats["give_up"]) == (0, 0)
        assert [line["opens"] for line in feed.stats()["lines"]] == opens
        assert feed.pipeline.states(symbols[1]) == changes          # the other book has noticed nothing
        before = feed.book(symbols[0]).sequence
        await until(lambda: feed.book(symbols[0]).sequence > before or not before)
        exchange.hall.step = list
        feed_told = told(exchange, symbols[0], market)
        await until(lambda: feed.book(symbols[0]).raw.bids().tolist() == [
            [float(price), float(qty)] for price, qty in feed_told.best(1, 1 << 30)])


@pytest.mark.parametrize("slow", ["answer", "failure"])
@looped
async def test_what_was_missed_is_not_believed_where_no_number_shows_it(slow):
    """bitstamp's stream goes on before REST has said what it was silent about."""
    async with watched("bitstamp") as (exchange, feed, symbols, market):
        get = feed.rest.get

        async def late(*arguments):
            answer = await get(*arguments)
            await asyncio.sleep(0.3)
            if slow == "failure":
                feed.rest.get = get
                raise rest.RestError("bitstamp", "an address", 503, "the venue is busy")
            return answer

        feed.rest.get = late
        assert drop(exchange, symbols[0])
        book = feed.book(symbols[0])
        await until(lambda: book.status is BookState.STALE)
        assert "do not show" in book.reason
        await until(lambda: book.status is BookState.LIVE)
        exchange.hall.step = list
        feed_told = told(exchange, symbols[0], market)
        await until(lambda: book.status is BookState.LIVE and book.raw.bids().tolist() == [
            [float(price), float(qty)] for price, qty in feed_told.best(1, 1 << 30)])


@pytest.mark.parametrize("venue", ["okx", "bitstamp"])
@looped
async def test_a_venue_where_nothing_happens_is_left_alone_once_that_is_known(venue):
    """The market stands still: by REST or by a new snapshot it shows that nothing was missed, and no line is left."""
    async with watched(venue) as (exchange, feed, symbols, _):
        stand_still(exchange)
        await until(lambda: feed.stats()["silences"]["quiet"] == 2)
        stats = feed.stats()
        assert all(feed.book(symbol).status is BookState.LIVE for symbol in symbols)
        assert 2 <= stats["silences"]["resubscribe"] <= 4           # a snapshot may be older than the book
        await asyncio.sleep(1.0)
        assert feed.stats()["silences"] == stats["silences"]        # they may be silent for so long now
        assert [line["opens"] for line in stats["lines"]] == [1] * len(stats["lines"])
        assert (stats["rest"]["requests"] == 0) is (venue == "okx")  # its new subscription brings a snapshot


@pytest.mark.parametrize("venue", ["okx", "mexc"])
@looped
async def test_a_stream_that_does_not_come_back_ends_as_stale_with_the_reason(venue):
    async with watched(venue, answer=3.0) as (exchange, feed, symbols, _):
        lost = drop(exchange, symbols[0])
        tell = exchange._tell
        exchange._tell = lambda source, events: None if source.stream.name in lost else tell(source, events)
        show = exchange._show
        exchange._show = lambda client, names, books=False: show(
            client, [name for name in names if name not in lost], books)
        await until(lambda: feed.stats()["silences"]["reconnect"] == 1)
        await until(lambda: feed.stats()["lines"][0]["opens"] == 2)
        await until(lambda: feed.book(symbols[1]).status is BookState.LIVE)
        assert feed.book(symbols[0]).status is not BookState.LIVE       # nothing has come that would make it so
        exchange._tell, exchange._show = tell, show
        await until(lambda: feed.book(symbols[0]).status is BookState.LIVE)


@pytest.mark.parametrize("venue", ["okx", "mexc"])
@looped
async def test_a_line_is_not_left_again_and_again_for_one_book(venue):
    """It goes silent once more after the reconnection: now it is given up, and the others keep their line."""
    async with watched(venue, answer=3.0) as (exchange, feed, symbols, _):
        feed.silences._reconnected[0] = asyncio.get_running_loop().time()
        lost = drop(exchange, symbols[0])
        tell = exchange._tell
        exchange._tell = lambda source, events: None if source.stream.name in lost else tell(source, events)
        await until(lambda: feed.book(symbols[0]).status is BookState.STALE)
        book = feed.book(symbols[0])
        assert "silent for" in book.reason
        assert book.since_ns > book.receive_ns > 0
        assert feed.pipeline.states(symbols[0])["silent for too long"] == 1
        stats = feed.stats()
        assert stats["silences"]["give_up"] == 1
        assert [line["opens"] for line in stats["lines"]] == [1]
        assert feed.book(symbols[1]).status is BookState.LIVE
        if venue == "mexc":                     # no snapshot makes it LIVE while the stream says nothing
            await asyncio.sleep(0.5)
            assert book.status is BookState.STALE
        exchange._tell = tell
        await until(lambda: book.status is BookState.LIVE)


@looped
async def test_a_line_whose_books_are_all_silent_is_made_anew_once():
    """One reconnection, not as many subscriptions as there are books."""
    async with watched("okx", count=4) as (exchange, feed, symbols, _):
        for symbol in symbols:
            drop(exchange, symbol)
        await until(lambda: feed.stats()["silences"]["reconnect"] >= 3)
        assert feed.stats()["silences"]["resubscribe"] <= 1
        await until(lambda: feed.stats()["lines"][0]["opens"] == 2)
        await until(lambda: all(feed.book(symbol).status is BookState.LIVE for symbol in symbols))
        assert feed.stats()["lines"][0]["opens"] == 2


# ---- which steps are taken for which books, without a venue

class Steps:
    """A connection whose books move as the test has it, and what was asked of it for their sake."""

    def __init__(self, count, resync="stream", **patience):
        self.number, self.line, self.asked = 0, SimpleNamespace(frames=0), Counter()
        self.told = {f"S{number}": SimpleNamespace(status=BookState.LIVE, receive_ns=1, sequence=1)
                     for number in range(count)}
        self.books = {symbol: Asked(Stream(f"book {symbol}", "public", symbol, "book"), [self])
                      for symbol in self.told}
        spec = SimpleNamespace(shared_ids=False, resync=resync, snapshot_address=None,
                               request=(lambda name, number: name) if resync == "request" else None)
        feed = SimpleNamespace(spec=spec, asked_book=self.books.get,
                               pipeline=SimpleNamespace(book=lambda symbol, depth: self.told[symbol]))
        rules = replace(Patience(least=5.0, young=0.0, surprise=1.0, longest=2.0, probe=3.0, answer=20.0), **patience)
        self.silences = Silences(feed, rules)

    def probe(self):
        self.asked.update(["probe"])

    def reconnect(self, reason):
        self.asked.update(["reconnect"])
        self.line = None

    def renew(self, names):
        self.asked.update(f"renew {name}" for name in names)

    def request_snapshot(self, name):
        self.asked.update([f"request {name}"])

    async def pass_by(self, seconds, silent=()):
        """Each book but the silent ones moves once a second."""
        for _ in range(seconds):
            await asyncio.sleep(1.0)
            if self.line is not None:
                self.line.frames += 1
            for symbol, book in self.told.items():
                if symbol not in silent:
                    book.receive_ns += 1
                    book.sequence += 1
            self.silences.look(asyncio.get_running_loop().time(), self.books)


def test_a_line_is_pinged_once_for_all_books_that_are_silent(virtually):
    async def scenario():
        steps = Steps(8)
        await steps.pass_by(50)
        await steps.pass_by(5, ["S0", "S1", "S2"])
        return steps

    steps = virtually(scenario())
    assert steps.asked == {"probe": 1}
    assert steps.silences.stats()["probe"] == 3


@pytest.mark.parametrize("resync", ["stream", "request"])
def test_new_subscriptions_are_made_within_their_budget(virtually, resync):
    """Two a minute: the third book has to wait for its turn, and nothing is left out in the end."""
    async def scenario():
        steps, silent = Steps(8, resync, renewals=2, answer=500.0), ["S0", "S1", "S2"]
        await steps.pass_by(50)
        await steps.pass_by(20, silent)
        first = Counter(steps.asked)
        await steps.pass_by(60, silent)
        return first, steps.asked

    first, then = virtually(scenario())
    ways = ["renew"] + ["request"] * (resync == "request")
    assert first == {"probe": 1} | {f"{way} book S{number}": 1 for number in (0, 1) for way in ways}
    assert then == {"probe": 1} | {f"{way} book S{number}": 1 for number in (0, 1, 2) for way in ways}


def test_a_line_most_of_whose_books_are_silent_is_made_anew(virtually):
    async def scenario():
        steps = Steps(5)
        await steps.pass_by(50)
        await steps.pass_by(10, ["S0", "S1", "S2"])
        return steps

    steps = virtually(scenario())
    assert steps.asked == {"probe": 1, "reconnect": 1}
    assert steps.silences.stats()["reconnect"] == 3
