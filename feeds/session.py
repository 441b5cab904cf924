"""The live client: keeps a pipeline fed from a venue, whatever happens to the connections.

`connect` plans a `Feed`; `async with` opens it. What a single line goes through is in `feeds.connection`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl as tls
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, NamedTuple, Self

from feeds.connection import Connection, Timing
from feeds.pipeline import Pipeline
from feeds.plan import EventQueue, check_url, moved, rest_beside, spread
from feeds.rest import Rest, Snapshots
from feeds.venue import Stream, VenueSpec
from feeds.venues import load
from orderbook import Book, BookState

log = logging.getLogger(__name__)


class SubscribeError(Exception):
    """The venue refused a subscription; the message holds the streams and the venue's words."""


class Asked(NamedTuple):
    """A stream of the feed."""

    stream: Stream
    at: float                   # loop time at which it was asked for
    connection: Connection      # the one that carries it


class Feed:
    """A venue's live data in a pipeline; made by `connect`, opened by `async with`. Belongs to one event loop.

    `pipeline` is the Pipeline it feeds. `async for event in feed` yields copies of events (for a book the live Book
    itself, for a change of state a `feeds.plan.StatusChange`); it needs a feed without a handler.
    """

    timing = Timing()
    queue_limit = 10_000        # events kept for `async for`; the oldest go first and are counted

    def __init__(self, spec: VenueSpec, symbols: Sequence[str], channels: Sequence[str], handler: object,
                 url: str | None, rest_url: str | None, depth: int | None, speed: str | None, conflate: bool,
                 ssl: tls.SSLContext | None) -> None:
        self.spec = spec
        self.request_ids = itertools.count(1)
        self._channels = channels
        self._options: dict[str, Any] = {"depth": depth, "speed": speed}
        self._depth = depth
        self._url = url
        self._ssl = ssl
        self._handler = handler
        self._first = spec.streams(symbols, channels, **self._options)
        self._streams: dict[str, Asked] = {}                # by name
        self._books: dict[str, Asked] = {}                  # the book streams, by symbol
        self._connections: list[Connection] = []            # by line number
        self._renewed: dict[str, float] = {}                # symbol -> loop time of its last renewal
        self._reported: set[str] = set()                    # silent symbols already logged
        self._wants: list[Any] = []
        self._needs: int | None = None
        self._mind_task: asyncio.Task[None] | None = None
        self._closed = False
        self._wake = asyncio.Event()
        self._events = EventQueue(self.queue_limit, self._wake.set)
        self.pipeline = Pipeline(spec.name, handler, (), conflate=conflate)
        self.rest = Rest(spec, rest_url, ssl)
        self.snapshots = Snapshots(self.pipeline, self.rest)

    async def __aenter__(self) -> Self:
        self._add_streams(self._first)
        self._mind_task = asyncio.create_task(self._mind(), name=f"{self.spec.name} minder")
        try:
            async with asyncio.timeout(self.timing.first):
                for connection in self._connections:
                    await connection.ready.wait()
        except TimeoutError:
            waiting = next(connection for connection in self._connections if not connection.ready.is_set())
            await self.close()
            raise ConnectionError(f"{self.spec.name}: no connection within {self.timing.first:g} s: "
                                  f"{waiting.ended or waiting.address}") from None
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; `async for` ends after the events that are left."""
        self._closed = True
        self._wake.set()
        if self._mind_task is not None:
            self._mind_task.cancel()
            await asyncio.gather(self._mind_task, return_exceptions=True)
        await asyncio.gather(*(connection.stop() for connection in self._connections))
        await self.snapshots.close()
        await self.rest.close()

    def book(self, symbol: str, depth: int | None = None) -> Book:
        """The live Book of `symbol`; KeyError with near names if there is none."""
        return self.pipeline.book(self.spec.symbol(symbol), depth or self._depth)

    async def subscribe(self, symbols: str | Iterable[str], channels: str | Iterable[str] | None = None) -> None:
        """Add symbols to the running feed; returns when the venue has accepted them.

        Parameters: symbols -- one or several; channels -- None means those of the feed.
        Raises: SubscribeError; TimeoutError if the venue has not answered yet, it goes on being asked.
        """
        streams = self.spec.streams(listed(symbols), listed(channels or self._channels), **self._options)
        touched = self._add_streams(streams)
        names = {stream.name for stream in streams}
        try:
            async with asyncio.timeout(self.timing.ack * Connection.request_tries):
                while not all(names & connection.streams.keys() <= connection.confirmed for connection in touched):
                    refused = {name: text for connection in touched for name, text in connection.refused.items()
                               if name in names}
                    if refused:
                        self._remove(refused)
                        raise SubscribeError("; ".join(f"{name}: {text}" for name, text in sorted(refused.items())))
                    await asyncio.sleep(self.timing.look)
        except TimeoutError:
            raise TimeoutError(f"{self.spec.name}: no answer yet for {', '.join(sorted(names))}") from None

    async def unsubscribe(self, symbols: str | Iterable[str], channels: str | Iterable[str] | None = None) -> None:
        """Take symbols out of the running feed. A book that is not kept up any more is EMPTY."""
        streams = self.spec.streams(listed(symbols), listed(channels or self._channels), **self._options)
        self._remove(stream.name for stream in streams)

    async def wait_live(self, timeout: float | None = None) -> None:
        """Return when every book asked for is LIVE. Raises: TimeoutError that names those that are not."""
        try:
            async with asyncio.timeout(timeout):
                while self._not_live():
                    await asyncio.sleep(self.timing.look)
        except TimeoutError:
            missing = ", ".join(f"{symbol} ({status})" for symbol, status in self._not_live().items())
            raise TimeoutError(f"{self.spec.name}: not live within {timeout:g} s: {missing}") from None

    def stats(self) -> dict[str, Any]:
        """Figures of the feed: per line, the silent symbols, refused streams, REST, and the pipeline's counters."""
        return {
            "venue": self.spec.name,
            "lines": [connection.stats() for connection in self._connections],
            "silent": sorted(self._silent()),
            "refused": {name: text for held in self._connections for name, text in held.refused.items()},
            "rest": {"requests": self.rest.requests, "failures": self.rest.failures, "weight": self.rest.window.used,
                     "snapshots": self.snapshots.fetched, "in_flight": self.snapshots.in_flight,
                     "failed": dict(self.snapshots.failed)},
            "queue": {"waiting": len(self._events), "dropped": self._events.dropped},
            "counters": self.pipeline.counters,
        }

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._handler is not None:
            raise RuntimeError("a feed with a handler hands its events to that handler; `async for` needs one without")
        self._events.limit = self.queue_limit
        self.pipeline.handler = self._events
        return self

    async def __anext__(self) -> Any:
        while not len(self._events):
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._events.take()

    def ssl_for(self, url: str) -> tls.SSLContext | None:
        """The context for a connection to `url`, None if it is not encrypted."""
        if not url.startswith("wss:"):
            return None
        if self._ssl is None:
            self._ssl = tls.create_default_context()
        return self._ssl

    def _add_streams(self, streams: Sequence[Stream]) -> list[Connection]:
        """Give new streams to connections with room, or to new ones; returns the connections that have `streams`."""
        room = self.spec.limits.streams_per_connection
        new = [stream for stream in dict.fromkeys(streams) if stream.name not in self._streams]
        for connection in self._connections:
            for stream in new[:]:
                if len(connection.streams) < room and connection.address == self._address(stream.root):
                    self._give(stream, connection)
                    new.remove(stream)
        for held in spread(new, room):
            connection = Connection(self, len(self._connections), self._address(held[0].root))
            self._connections.append(connection)
            for stream in held:
                self._give(stream, connection)
            connection.start()
        return list({self._streams[stream.name].connection for stream in streams})

    def _give(self, stream: Stream, connection: Connection) -> None:
        asked = Asked(stream, asyncio.get_running_loop().time(), connection)
        self._streams[stream.name] = asked
        if stream.channel == "book":
            self._books[stream.symbol] = asked
            self.pipeline.follow(stream.symbol, self._depth)
        else:
            self.pipeline.follow(stream.symbol)
        connection.add(stream)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            asked = self._streams.pop(name, None)
            if asked is None:
                continue
            asked.connection.remove(name)
            symbol = asked.stream.symbol
            left = [other.stream for other in self._streams.values() if other.stream.symbol == symbol]
            if asked.stream.channel == "book":
                del self._books[symbol]
            if asked.stream.channel == "book" or not left:
                self.pipeline.forget(symbol)
                if left:
                    self.pipeline.follow(symbol)    # for its trades and the like, with an empty book

    def _address(self, root: str) -> str:
        return moved(self.spec.roots[root], self._url)

    async def _mind(self) -> None:
        """Do what the pipeline wants from outside, for as long as the feed is open."""
        silent_at = 0.0
        while True:
            try:
                now = asyncio.get_running_loop().time()
                for number, payload in self.pipeline.control():
                    if 0 <= number < len(self._connections):
                        self._connections[number].on_control(self.spec.read_control(payload))
                self._meet_wants(now)
                if now >= silent_at:
                    silent_at = now + self.timing.check
                    self._report_silent()
            except Exception:
                log.exception("%s: unexpected failure", self.spec.name)
                await asyncio.sleep(1.0)
            await asyncio.sleep(self.timing.look)

    def _meet_wants(self, now: float) -> None:
        if self._needs == self.pipeline.needs and not self._wants:
            return
        self._needs = self.pipeline.needs
        self._wants = self.pipeline.wanted()
        symbols = []
        for want in self._wants:
            asked = self._books.get(want.symbol)
            if asked is None or asked.connection.line is None:
                continue
            if want.kind == "snapshot":
                symbols.append(want.symbol)
            elif now - self._renewed.get(want.symbol, -1e9) >= self.timing.renew:
                self._renewed[want.symbol] = now
                asked.connection.renew([asked.stream.name])
        self.snapshots.poll(symbols)

    def _not_live(self) -> dict[str, str]:
        """Symbol -> name of the state, of every book asked for that is not LIVE."""
        states = {symbol: self.book(symbol).status for symbol in self._books}
        return {symbol: BookState(state).name for symbol, state in states.items() if state != BookState.LIVE}

    def _silent(self) -> set[str]:
        """Symbols whose book was asked for a while ago and has not had a message: venues do not say "unknown"."""
        long_ago = asyncio.get_running_loop().time() - self.timing.silent
        return {symbol for symbol, asked in self._books.items()
                if asked.connection.line is not None and max(asked.at, asked.connection.opened_at) < long_ago
                and self.book(symbol).status == BookState.EMPTY}

    def _report_silent(self) -> None:
        silent = self._silent()
        for symbol in sorted(silent - self._reported):
            log.warning("%s: nothing came for %s within %g s; does the venue have it?", self.spec.name, symbol,
                        self.timing.silent)
        self._reported = silent


def connect(venue: str, symbols: str | Iterable[str], channels: str | Iterable[str] = ("book",),
            handler: object = None, *, url: str | None = None, rest_url: str | None = None, depth: int | None = None,
            speed: str | None = None, conflate: bool = False, ssl: tls.SSLContext | None = None) -> Feed:
    """Plan a live feed; `async with connect(...) as feed` opens it, and reconnects for as long as it is open.

    Parameters:
    venue -- a name of `feeds.VENUES`; symbols -- one or several, in the venue's spelling or in lower case;
    channels -- of the venue's channels; handler -- an object with some of on_book, on_trade, on_quote, on_ticker,
    on_mark, on_liquidation, on_status;
    url -- scheme, host and port instead of the venue's, for every connection (paths stay); rest_url -- the same for
    REST, the host and port of `url` if that alone is given;
    depth -- None for the whole book by deltas, or levels a side of a partial book; speed -- as the venue writes it;
    conflate -- one call per book and read instead of one per message;
    ssl -- an SSLContext, None means the system's certificates and a verified name.

    Raises: UnknownVenue, UnsupportedChannel or ValueError that say what there is. Opening raises ConnectionError if no
    connection can be made within 20 s.
    """
    spec = load(venue)
    symbols, channels = listed(symbols), listed(channels)
    if not symbols or not all(isinstance(symbol, str) and symbol for symbol in symbols):
        raise ValueError(f"{venue}: symbols must be one or more names, not {symbols!r}")
    if not channels:
        raise ValueError(f"{venue}: channels must be one or more of {', '.join(spec.channels)}")
    spec.check_channels(channels)
    if ssl is not None and not isinstance(ssl, tls.SSLContext):
        raise ValueError(f"ssl must be an ssl.SSLContext or None, not {ssl!r}")
    if url is not None:
        check_url("url", url, ("ws", "wss"))
        rest_url = rest_beside(url) if rest_url is None else rest_url
    if rest_url is not None:
        check_url("rest_url", rest_url, ("http", "https"))
    return Feed(spec, symbols, channels, handler, url, rest_url, depth, speed, conflate, ssl)


def listed(names: str | Iterable[str]) -> list[str]:
    """A list of names from one name or several."""
    return [names] if isinstance(names, str) else list(names)
