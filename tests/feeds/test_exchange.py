"""The simulated venue's server with the real client: every venue that is spoken, over real sockets."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from importlib import import_module

import aiohttp
import pytest

import feeds
from feeds.simulator.dialect import Ask
from feeds.simulator.exchange import Exchange
from feeds.simulator.hall import BookFeed, Hall
from feeds.venue import UnsupportedChannel
from feeds.venues import load
from feeds.venues.dialects import SPOKEN, speech
from orderbook import BookState
from tests.loopback import looped, until

ROWS = {name: import_module(f"tests.venues.{name}").ROW for name in SPOKEN}


class Serving:
    """An exchange that runs, as an async context manager."""

    def __init__(self, venue, symbols=(), seed=5, rate=200.0, limits=None, **options):
        spec, spoken = load(venue), speech(venue)
        if limits:
            spec = replace(spec, limits=replace(spec.limits, **limits))
        self.exchange = Exchange(Hall(spec, spoken, symbols, seed=seed, rate=rate), **options)

    async def __aenter__(self):
        await self.exchange.start()
        self.task = asyncio.create_task(self.exchange.run())
        return self.exchange

    async def __aexit__(self, *error):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def told(exchange, symbol, market):
    """The feed of the whole book of a symbol that somebody hears."""
    return next(feed for floor in exchange.hall.floors for feed in floor.feeds if isinstance(feed, BookFeed)
                and feed.stream.symbol == symbol and feed.stream.market in ("", market))


def same(book, feed):
    """Whether a client's book is what the last message of a stream left."""
    return all(levels.tolist() == [[float(price), float(qty)] for price, qty in feed.best(side, 1 << 30)]
               for levels, side in ((book.raw.bids(), 1), (book.raw.asks(), -1)))


def left(exchange, symbols):
    """Names of streams about these symbols alone that somebody still hears."""
    return [name for client in exchange.clients for name in client.names
            if {stream.symbol for stream in exchange.hall.streams(name, client.line.root)} <= set(symbols)]


MARKETS = [(venue, market) for venue in SPOKEN for market in dict.fromkeys(
    listed.market for listed in speech(venue).listed)]


@pytest.mark.parametrize("venue, market", MARKETS)
@looped
async def test_the_real_client_has_the_venues_books(venue, market):
    symbols = [listed.instrument.symbol for listed in speech(venue).listed if listed.market == market][:2]
    async with Serving(venue, symbols) as exchange, feeds.connect(
            venue, symbols, ("book", "trades"), url=exchange.url, market=market or None) as feed:
        await until(lambda: all(feed.book(symbol).status is BookState.LIVE for symbol in symbols))
        before = {symbol: feed.book(symbol).sequence for symbol in symbols}
        await until(lambda: all(feed.book(symbol).sequence != before[symbol] or not before[symbol]
                                for symbol in symbols))
        exchange.hall.step = list                   # nothing happens any more: what was sent arrives
        await until(lambda: all(same(feed.book(symbol), told(exchange, symbol, market)) for symbol in symbols))
        assert all(feed.book(symbol).status is BookState.LIVE for symbol in symbols)
        counters = feed.pipeline.counters
        assert counters["gaps"] == counters["errors"] == counters["line_jumps"] == 0
        assert not exchange.refused


@pytest.mark.parametrize("venue", SPOKEN)
@looped
async def test_who_leaves_hears_nothing_more_and_may_come_again(venue):
    listed = speech(venue).listed[:2]
    symbols = [entry.instrument.symbol for entry in listed if entry.market == listed[0].market]
    async with Serving(venue, symbols) as exchange, feeds.connect(
            venue, symbols[:1], ("book",), url=exchange.url, market=listed[0].market or None) as feed:
        await until(lambda: feed.book(symbols[0]).status is BookState.LIVE)
        await feed.subscribe(symbols[1:], ("book",))
        await until(lambda: all(feed.book(symbol).status is BookState.LIVE for symbol in symbols))
        await feed.unsubscribe(symbols[1:])
        await until(lambda: not left(exchange, symbols[1:]))
        assert feed.book(symbols[0]).status is BookState.LIVE


@pytest.mark.parametrize("venue", SPOKEN)
@looped
async def test_a_lost_connection_is_made_good(venue):
    symbol, market = speech(venue).listed[0].instrument.symbol, speech(venue).listed[0].market
    async with Serving(venue, [symbol]) as exchange, feeds.connect(
            venue, [symbol], ("book",), url=exchange.url, market=market or None) as feed:
        feed.timing = replace(feed.timing, backoff=0.05)
        await until(lambda: feed.book(symbol).status is BookState.LIVE)
        for client in list(exchange.clients):
            client.transport.abort()
        await until(lambda: feed.book(symbol).status is BookState.STALE)
        await until(lambda: feed.book(symbol).status is BookState.LIVE)


# ---- limits

@pytest.mark.parametrize("venue", SPOKEN)
@looped
async def test_the_limits_are_enforced(venue):
    """Streams of a connection, messages of a second, connections of five minutes, REST weight of a minute."""
    spec, spoken = load(venue), speech(venue)
    market = spoken.listed[0].market
    symbols = [listed.instrument.symbol for listed in spoken.listed if listed.market == market]
    names = {stream.name: stream for channel in ("trades", "book", "ticker") for symbol in symbols
             for stream in streams_of(spec, symbol, channel, market)}
    root = next(iter(names.values())).root
    asked = [name for name, stream in names.items() if stream.root == root]
    few = {"streams_per_connection": 1, "messages_per_second": 4, "connections_per_5_minutes": 3,
           "rest_weight_per_minute": 60}
    async with Serving(venue, symbols, limits=few) as exchange, aiohttp.ClientSession() as session:
        path = "/" + (spec.roots[root] + spec.connect_path(())).split("/", 3)[3] if spec.roots[root].count("/") > 2 \
            else "/"
        async with session.ws_connect(exchange.url + path) as socket:
            for text in spec.subscribe(asked, 1):
                await socket.send_str(text)
            await until(lambda: exchange.refused)
        for _ in range(2):
            await (await session.ws_connect(exchange.url + path)).close()
        with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
            await session.ws_connect(exchange.url + path)
        addresses = next(iter(spec.instruments_addresses.values()))
        address = addresses[0]
        url = exchange.url.replace("ws", "http") + "/" + address.split("/", 3)[3].partition("#")[0]
        ask = session.post if "#" in address else session.get
        for _ in range(62):
            async with ask(url, data=address.partition("#")[2] or None) as answer:
                if answer.status == 429:
                    assert int(answer.headers["Retry-After"]) > 0
                    break
                assert answer.status == 200
        else:
            pytest.fail("no weight is counted")


def streams_of(spec, symbol, channel, market):
    try:
        return spec.streams([symbol], [channel], market=market or None)
    except UnsupportedChannel:
        return []


@looped
async def test_an_address_that_the_venue_does_not_serve_is_refused():
    async with Serving(SPOKEN[0]) as exchange, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            await session.ws_connect(exchange.url + "/nowhere/at/all")
        async with session.get(exchange.url.replace("ws", "http") + "/nowhere") as answer:
            assert answer.status == 404
            assert SPOKEN[0] in json.loads(await answer.text())["error"]


@looped
async def test_a_market_that_cannot_keep_its_pace_goes_on_more_slowly():
    """On a busy machine it must not make up for hours in which nobody else would have a turn."""
    now = [0.0]
    async with Serving(SPOKEN[0], clock=lambda: now[0]) as exchange:
        await asyncio.sleep(0.05)
        began = exchange.hall.next_ns
        now[0] += 3600.0
        await asyncio.sleep(0.5)
        assert exchange.hall.next_ns - began < 2_000_000_000
        now[0] += 0.5
        await until(lambda: exchange.hall.next_ns - began >= 500_000_000)


def test_an_ask_is_only_data():
    assert Ask("subscribe") == ("subscribe", (), None, ())
    with pytest.raises(ValueError, match="speed"):
        Exchange(Hall(load(SPOKEN[0]), speech(SPOKEN[0])), speed=float("inf"))
