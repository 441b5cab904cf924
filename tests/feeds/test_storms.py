"""Five hundred books at once: cold starts, lost lines and gaps, against a venue that holds its limits. Virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from feeds.plan import make_plan
from feeds.venues import load
from orderbook import BookState
from tests import frames
from tests.feeds.test_limits import connect, serving

SYMBOLS = [f"S{number:04d}USDT" for number in range(500)]
pytestmark = pytest.mark.usefixtures("thin_markets")


class Watching:
    """A handler that notes who became LIVE, and which books left that state."""

    def __init__(self):
        self.live, self.left = [], Counter()

    def on_status(self, book, old, new, reason):
        if book is not None and new is not old:
            if new is BookState.LIVE:
                self.live.append(book.symbol)
            elif old is BookState.LIVE:
                self.left[book.symbol] += 1


def feed_of(server, handler=None, symbols=SYMBOLS, **timing):
    feed = connect(server, symbols, handler=handler)
    feed.timing = replace(feed.timing, look=0.2, check=2.0, **timing)
    return feed


def budget_s(symbols=SYMBOLS):
    """Seconds that the venue's weight makes so many snapshots take."""
    return make_plan(load("binance_spot"), symbols, ("book",)).seconds


def test_five_hundred_books_start_within_the_budget_without_a_refusal(virtually):
    async def scenario():
        loop = asyncio.get_running_loop()
        async with serving(symbols=SYMBOLS, rate=0.05) as (server, _):
            began = loop.time()
            async with feed_of(server) as feed:
                await feed.wait_live(2 * budget_s())
                return loop.time() - began, server.refused, feed.stats()

    took, refused, stats = virtually(scenario())
    assert budget_s() == 240.0          # 120 a minute
    assert took <= 1.2 * budget_s()
    assert not refused
    assert stats["rest"]["requests"] == stats["rest"]["snapshots"] == 500
    assert stats["states"]["now"] == {"EMPTY": 0, "SYNCING": 0, "LIVE": 500, "STALE": 0}
    print(f"500 books LIVE after {took:.1f} s, the budget allows {budget_s():.0f} s")


def test_a_lost_line_is_no_storm_of_snapshots(virtually):
    """500 books lose their line at once: each asks once more, within the budget, and nobody is refused."""
    async def scenario():
        loop = asyncio.get_running_loop()
        async with serving(symbols=SYMBOLS, rate=0.05) as (server, _), feed_of(server) as feed:
            await feed.wait_live(2 * budget_s())
            await asyncio.sleep(70)                     # the minute's weight is free again
            requests = feed.rest.requests
            began = loop.time()
            for client in list(server.clients):
                client.transport.abort()
            while not any(feed.book(symbol).status is not BookState.LIVE for symbol in SYMBOLS):
                await asyncio.sleep(0.1)
            await feed.wait_live(2 * budget_s())
            return loop.time() - began, server.refused, feed.rest.requests - requests, feed.pipeline.states()

    took, refused, requests, states = virtually(scenario())
    assert took <= 1.2 * budget_s()
    assert not refused
    assert requests == 500
    assert states["connection closed"] == states["connection opened"] == 500        # each of them is told
    print(f"500 books LIVE again {took:.1f} s after their line was lost, {requests} requests")


def test_the_loss_of_all_books_of_a_line_is_no_storm_either(virtually):
    async def scenario():
        loop = asyncio.get_running_loop()
        async with serving(symbols=SYMBOLS, rate=0.05) as (server, _), feed_of(server) as feed:
            await feed.wait_live(2 * budget_s())
            await asyncio.sleep(70)
            requests, began = feed.rest.requests, loop.time()
            for symbol in SYMBOLS:
                feed.pipeline.lose(symbol)
            assert feed.stats()["states"]["now"]["STALE"] == 500
            await feed.wait_live(2 * budget_s())
            return loop.time() - began, server.refused, feed.rest.requests - requests

    took, refused, requests = virtually(scenario())
    assert took <= 1.2 * budget_s()
    assert not refused
    assert requests == 500
    print(f"500 books LIVE again {took:.1f} s after each was lost, {requests} requests")


def test_one_gap_in_five_hundred_leaves_the_others_alone(virtually):
    async def scenario():
        watching = Watching()
        async with serving(symbols=SYMBOLS, rate=0.05) as (server, _), feed_of(server, watching) as feed:
            await feed.wait_live(2 * budget_s())
            await asyncio.sleep(70)
            watching.left.clear()
            opens = [line["opens"] for line in feed.stats()["lines"]]
            requests = feed.rest.requests
            book = feed.book(SYMBOLS[123])
            far = book.sequence + 2
            feed.pipeline.feed(frames.delta(far, far, symbol=SYMBOLS[123]))
            assert book.status is BookState.STALE
            await feed.wait_live(400)
            await asyncio.sleep(60)
            assert [line["opens"] for line in feed.stats()["lines"]] == opens
            return dict(watching.left), feed.rest.requests - requests, feed.pipeline.states()["gap"]

    left, requests, gaps = virtually(scenario())
    assert left == {SYMBOLS[123]: left[SYMBOLS[123]]}
    assert 1 <= requests <= 20              # until a snapshot is as new as the message behind the gap
    assert gaps >= 1


def test_books_that_somebody_reads_come_before_those_that_were_live_and_these_before_new_ones(virtually):
    async def scenario():
        watching = Watching()
        symbols = SYMBOLS[:260]
        async with serving(symbols=symbols, rate=1.0) as (server, _), feed_of(server, watching, symbols[:200]) as feed:
            feed.snapshots.at_once = 1
            await feed.wait_live(300)
            await asyncio.sleep(70)
            del watching.live[:]
            feed.rest.window().block(30.0)              # nothing can be asked for while all of them come to want
            adding = asyncio.create_task(feed.subscribe(symbols[200:]))
            await asyncio.sleep(5)
            for symbol in symbols[:200]:
                feed.pipeline.lose(symbol)
            read = symbols[150:160]
            for symbol in read:
                feed.book(symbol)
            await feed.wait_live(400)
            await adding
            return watching.live, read

    live, read = virtually(scenario())
    # One had its turn already when the rest came to want.
    assert set(live[:11]) >= set(read)
    assert max(live.index(symbol) for symbol in SYMBOLS[:200]) <= 201
