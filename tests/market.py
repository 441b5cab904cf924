"""A made-up USD-M market on loopback, and a client that reacts quickly enough for tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from dataclasses import replace

from feeds import venues
from feeds.connection import Timing
from feeds.session import connect
from feeds.venue import Control
from feeds.venues import load
from orderbook import BookState
from tests.loopback import Venue

QUICK = Timing(first=20, connect=10, backoff=0.01, backoff_longest=0.05, steady=0.0, ack=10, pong=0.2, close=2,
               renew=0.0, silent=0.1, look=0.002, check=0.01)


class Market:
    """Books of a made-up market, as USD-M writes them, and who is told of their changes."""

    def __init__(self, venue):
        self.venue = venue
        self.random = random.Random(7)
        self.books = {}             # symbol -> [last id, {price: qty} of bids, of asks]
        self.unknown = set()        # symbols that the venue does not have
        venue.get = self.snapshot

    def book(self, symbol):
        bids, asks = {10000 - i: 5 for i in range(20)}, {10001 + i: 5 for i in range(20)}
        return self.books.setdefault(symbol, [1000, bids, asks])

    def diff(self, symbol):
        """Change a book; returns the message that says so."""
        book = self.book(symbol)
        changes = []
        for levels, sign in ((book[1], -1), (book[2], 1)):
            price = (10000 if sign < 0 else 10001) + sign * self.random.randrange(30)
            levels[price] = self.random.randrange(10)
            changes.append([[f"{price / 10:.1f}", str(levels[price])]])
            if not levels[price]:
                del levels[price]
        message = {"e": "depthUpdate", "E": 1, "T": 1, "s": symbol, "U": book[0] + 1, "u": book[0] + 5, "pu": book[0],
                   "b": changes[0], "a": changes[1]}
        book[0] += 5
        return {"stream": f"{symbol.lower()}@depth@100ms", "data": message}

    def snapshot(self, path):
        symbol = path.partition("symbol=")[2].partition("&")[0]
        if symbol in self.unknown:
            return 400, {}, b'{"code":-1121,"msg":"Invalid symbol."}'
        last, bids, asks = self.book(symbol)
        sides = {name: [[f"{price / 10:.1f}", str(qty)] for price, qty in side.items()]
                 for name, side in (("bids", bids), ("asks", asks))}
        return 200, {}, json.dumps({"lastUpdateId": last, "E": 1, "T": 1, **sides}).encode()

    def tick(self, symbols=None):
        """One change of each symbol, sent to whoever subscribed to it."""
        told = {peer: streams_of(peer) for peer in self.venue.peers if not peer.ended}
        names = {name for streams in told.values() for name in streams if name.endswith("@depth@100ms")}
        for name in sorted(names):
            symbol = name.partition("@")[0].upper()
            if symbol not in self.unknown and (symbols is None or symbol in symbols):
                message = self.diff(symbol)
                for peer, streams in told.items():
                    if name in streams:
                        peer.send(message)

    @contextlib.asynccontextmanager
    async def running(self):
        """A busy market for as long as the block lasts."""
        async def run():
            while True:
                self.tick()
                await asyncio.sleep(0.003)

        task = asyncio.create_task(run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def agrees(self, book):
        """Whether the client's book is the market's."""
        if book.symbol not in self.books:
            return False
        last, bids, asks = self.books[book.symbol]
        if book.status != BookState.LIVE or book.sequence != last:
            return False
        assert [tuple(level) for level in book.bids()] == sorted(((p / 10, q) for p, q in bids.items()), reverse=True)
        assert [tuple(level) for level in book.asks()] == sorted((p / 10, q) for p, q in asks.items())
        return True


def streams_of(peer):
    """The streams a client has asked for on this connection."""
    names = set(peer.path.partition("streams=")[2].split("/")) - {""}
    for text in peer.texts:
        request = json.loads(text)
        if request["method"] == "SUBSCRIBE":
            names |= set(request["params"])
        elif request["method"] == "UNSUBSCRIBE":
            names -= set(request["params"])
    return names


def run(scenario):
    """Run `scenario(venue, market)` against a market on loopback."""
    async def main():
        async with Venue() as venue:
            await scenario(venue, Market(venue))
    asyncio.run(main())


def quick(venue, symbols, *args, timing=QUICK, **options):
    feed = connect("binance_usdm", symbols, *args, url=venue.url, **options)
    feed.timing = timing
    feed.snapshots.backoff_base_s = 0.01
    feed.snapshots.backoff_longest_s = 0.05
    feed.rest.backoff_base_s = 0.01
    return feed


CHANGED = None      # what `change_spec` has made


def change_spec(monkeypatch, limits=None, **changes):
    """Let `connect` and the pipeline see a USD-M with other facts."""
    spec = load("binance_usdm")
    spec = replace(spec, limits=replace(spec.limits, **(limits or {})), **changes)
    monkeypatch.setattr(sys.modules[__name__], "CHANGED", spec)
    monkeypatch.setitem(venues._MODULES, "binance_usdm", (__name__, "CHANGED"))


def change_talk(monkeypatch, limits=None, **changes):
    """The same, and every stream is asked for by message, as quickly as one likes.

    The venue says what it has to say about requests by `told`: the fields of a Control as JSON.
    """
    def read_control(payload):
        message = json.loads(payload)
        if "told" not in message:
            return known(payload)
        fields = message["told"]
        return Control(**{**fields, "streams": tuple(fields.get("streams", ()))})

    known = load("binance_usdm").read_control
    change_spec(monkeypatch, {"messages_per_second": 1000, **(limits or {})},
                **{"connect_path": lambda names: "/stream", "read_control": read_control, **changes})


def told(kind, **fields):
    """A frame that `change_talk` reads as that Control."""
    return {"result": None, "told": {"kind": kind, **fields}}


def one_each(method):
    """A `subscribe` or `unsubscribe` of a venue where a frame holds one stream."""
    return lambda names, number: [json.dumps({"method": method, "params": [name], "id": number}) for name in names]


class States:
    """A handler that notes what becomes of the books."""

    def __init__(self):
        self.changes = []
        self.updates = 0
        self.notes = []         # (symbol or None, text) of what was no change

    def on_status(self, book, old, new, reason):
        if new != old:
            self.changes.append((book.symbol, BookState(new).name))
        else:
            self.notes.append((book and book.symbol, reason))

    def on_book(self, book):
        self.updates += 1
        assert book.status == BookState.LIVE
