"""The live client: keeps a pipeline fed from a venue, whatever happens to the connections.

`connect` plans a `Feed`; `async with` opens it. What a single line goes through is in `feeds.connection`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import ssl as tls
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from feeds.audit import Audit
from feeds.connection import Connection, Timing
from feeds.directory import ListError
from feeds.instruments import Instrument
from feeds.listing import InstrumentChange, form_of, needs_list
from feeds.names import Names
from feeds.pipeline import Pipeline
from feeds.plan import check_lists, check_proxy, check_url, has_room, proxy_for, rest_beside, spread
from feeds.readers import Reader, Readers
from feeds.report import Want
from feeds.requests import Requests
from feeds.rest import Rest, Snapshots, verified_context
from feeds.rollover import MOST_LINES, Rollover
from feeds.silence import Silences
from feeds.staleness import Patience
from feeds.venue import Stream, VenueError, VenueSpec
from feeds.venues import load
from orderbook import Book, BookState

if TYPE_CHECKING:
    from feeds.recording.recorder import Recorder

log = logging.getLogger(__name__)

ERRORS_KEPT = 100       # of the venue's errors, the newest
LISTS_S = 300.0         # between two looks at the venue's lists, where nothing else is asked
RETRY_S = 10.0          # until a list, or a future that is to be rolled, is tried again
NO_KEY = "none"         # what a server that is not the venue's is told: a key is for the venue alone


class SubscribeError(Exception):
    """The venue refused a subscription; the message holds the streams and the venue's words.

    Its `__cause__` is the `feeds.VenueError`, if the venue sent one.
    """


@dataclass(slots=True)
class Asked:
    """A stream of the feed."""

    stream: Stream
    group: list[Connection]     # those that carry it
    users: set[tuple[str, str]] = field(default_factory=set)    # (channel, symbol) it is for; some serve several
    renewed: float = -1e9       # loop time of the last new beginning of its book
    renewals: int = 0           # new beginnings in a row
    read: bool = False          # somebody has asked for its book

    @property
    def connection(self) -> Connection:
        """The one to talk to: whose messages count, else one that is open."""
        first = self.group[0]
        if len(self.group) == 1:
            return first
        active = first.feed.pipeline.active(first.number)
        return min(self.group, key=lambda it: (it.line is None, it.number != active))

    @property
    def requests(self) -> Requests:
        """What was asked for on its connection."""
        return self.connection.requests


class Feed:
    """A venue's live data in a pipeline; made by `connect`, opened by `async with`. Belongs to one event loop.

    `pipeline` is the Pipeline it feeds, `market` the venue's market, "" where it has only one.
    `async for event in feed` yields copies of events (for a book the live Book itself, for a change of state or an
    error a `feeds.readers.StatusChange`, for news of the venue's list an `InstrumentChange`); it needs a feed without a
    handler. `events` gives further readers.
    """

    timing = Timing()
    patience = Patience()       # with books that say nothing
    queue_limit = 10_000        # events kept for `async for`; what happens with more is `on_lag`
    # Seconds between two looks at the venue's list of instruments. 0: none, unless somebody listens to on_instrument or
    # a front future is followed; then every 300
    instruments_interval_s = 0.0

    def __init__(self, spec: VenueSpec, symbols: Sequence[str], channels: Sequence[str], handler: object,
                 url: str | None, rest_url: str | None, depth: int | None, speed: str | None, conflate: bool,
                 ssl: tls.SSLContext | None, market: str | None,
                 on_instrument: Callable[[InstrumentChange], object] | None = None,
                 headers: Mapping[str, str] | None = None, compression: bool = False, lines: int = 1,
                 on_lag: str = "drop", queue_limit: int = 10_000, verify: bool = False,
                 record: str | os.PathLike[str] | None = None, proxy: str | None = None) -> None:
        self.spec = spec
        self.market = spec.check_market(market)
        self.headers = headers              # of every handshake; they may hold a key
        self.compression = compression
        self._proxy = proxy                 # it may hold a password
        self.url = url
        self.shakes_hands = url is None or rest_url is not None     # else there is nobody to ask where to connect
        self.request_ids = itertools.count(1)
        self._channels = channels
        self._options: dict[str, Any] = {"depth": depth, "speed": speed, "market": self.market}
        self._ssl = ssl
        self._handler = handler
        self._asked = list(symbols)
        # Which streams names mean is known when the feed is opened.
        self._first = spec.streams([text for text in symbols if not needs_list(spec, text)], channels, **self._options)
        self._owners: dict[str, set[str]] = {}              # symbol -> the front futures it is followed as, "" if plain
        self._front_channels: dict[str, list[str]] = {}     # BTC-USD-FRONT -> channels
        self._on_instrument = on_instrument
        self._lists_task: asyncio.Task[None] | None = None
        self._streams: dict[str, Asked] = {}                # by name
        self._books: dict[str, Asked] = {}                  # the book streams, by symbol
        self.lines = lines
        self.connections: list[Connection] = []             # by line number
        self._rollover = Rollover(self)
        self._reported: set[str] = set()                    # silent symbols already logged
        self._errors: deque[VenueError] = deque(maxlen=ERRORS_KEPT)
        self._wants: list[Want] = []
        self._wanted_at: dict[str, float] = {}              # symbol -> since when a snapshot is wanted, loop time
        self._needs: int | None = None
        self._only_rest = True                              # nothing is wanted but snapshots by REST
        self._mind_task: asyncio.Task[None] | None = None
        self._foreign = ""                                  # why the wire form cannot be read
        self.queue_limit = queue_limit
        self.paused = False                                 # nothing is read, as whoever takes the events is behind
        self._readers = Readers(self._attach, self._pause)
        self._reader = Reader(self._readers, None, on_lag, queue_limit, spec.name)      # of `async for` on the feed
        self.pipeline = Pipeline(spec.name, handler, (), conflate=conflate, market=self.market, wire=spec.wire)
        self.rest = Rest(spec, rest_beside(url) if rest_url is None and url is not None else rest_url, ssl,
                         self.proxy_for)
        self.snapshots = Snapshots(self.pipeline, self.rest, self.market, self.snapshot_levels)
        self.names = Names(self.rest, market)
        self.silences = Silences(self, self.patience)
        self.audit = Audit(self, depth) if verify else None
        self.recorder: Recorder | None = None
        if record is not None:
            from feeds.recording.recorder import Recorder

            self.recorder = Recorder(self, record)

    async def __aenter__(self) -> Self:
        try:
            if self.recorder is not None:
                self.recorder.check()
            symbols = await self._resolved(self._asked, self._channels)
            self._first = self._planned(symbols, self._channels)
            if self.recorder is not None:
                self.recorder.start()
            self._add_streams(self._first)
        except BaseException:
            await self.close()
            raise
        self.silences = Silences(self, self.patience)
        self._mind_task = asyncio.create_task(self._mind(), name=f"{self.spec.name} minder")
        try:
            await self._rollover.wait_ready(self.timing.first)
        except TimeoutError:
            waiting = next(connection for connection in self.connections if not connection.ready.is_set())
            await self.close()
            raise ConnectionError(f"{self.spec.name}: no connection within {self.timing.first:g} s: "
                                  f"{waiting.ended or waiting.address}") from None
        except BaseException:
            await self.close()
            raise
        self._follow_lists()
        if self.audit is not None:
            self.audit.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; `async for` ends after the events that are left."""
        self._readers.close()
        tasks = [task for task in (self._mind_task, self._lists_task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.audit is not None:
            await self.audit.stop()
        await self._rollover.close()
        await asyncio.gather(*(connection.stop() for connection in self.connections))
        await self.silences.close()
        await self.snapshots.close()
        await self.rest.close()
        if self.recorder is not None:
            self.recorder.detach()
            await asyncio.to_thread(self.recorder.stop)

    # ---- what a user asks

    @property
    def symbols(self) -> list[str]:
        """Symbols with a book stream, as the venue writes them, in the order they were asked for."""
        if self._mind_task is None:
            return list(dict.fromkeys(stream.symbol for stream in self._first if stream.channel == "book"))
        return list(self._books)

    def book(self, symbol: str, depth: int | None = None) -> Book:
        """The live Book of `symbol` that the feed asked for; KeyError with near names if there is none.

        A feed that was asked with a normalised name knows it by that and by the venue's symbol.
        Parameters: depth -- of another partial book of it.
        """
        name, depth = self._named(symbol, depth)
        if name in self._books:
            self._books[name].read = True
        return self.pipeline.book(name, depth)

    def symbol_stats(self, symbol: str, depth: int | None = None) -> dict[str, Any]:
        """Figures of that book: `Pipeline.symbol_stats`."""
        return self.pipeline.symbol_stats(*self._named(symbol, depth))

    def instrument(self, symbol: str) -> Instrument | None:
        """What the venue's list says of a symbol or name; None where the feed has no list, or the list not that one.

        A feed has a list if it was asked with normalised names, or looks at it (`instruments_interval_s`).
        """
        return self.names.instrument(self._named(symbol, None)[0])

    def refused_books(self) -> dict[str, str]:
        """Symbol -> the venue's words, of every book that it has refused."""
        return {symbol: asked.requests.refused[asked.stream.name] for symbol, asked in self._books.items()
                if asked.stream.name in asked.requests.refused}

    async def subscribe(self, symbols: str | Iterable[str], channels: str | Iterable[str] | None = None) -> None:
        """Add symbols to the running feed; returns when the venue has accepted them.

        Parameters: symbols -- one or several; channels -- None means those of the feed.
        Raises: SubscribeError; TimeoutError if the venue has not answered yet, it goes on being asked.
        """
        await self._subscribe(await self._resolved(listed(symbols), listed(channels or self._channels)), channels)
        if self._mind_task is not None:
            self._follow_lists()

    async def _subscribe(self, symbols: Sequence[str], channels: str | Iterable[str] | None) -> None:
        streams = self._planned(symbols, channels)
        self._add_streams(streams)
        held_by = [self._streams[stream.name].requests for stream in streams]
        touched = list({id(held): held for held in held_by}.values())
        names = {stream.name for stream in streams}
        try:
            async with asyncio.timeout(self.timing.ack * Requests.tries):
                while not all(names & held.streams.keys() <= held.confirmed for held in touched):
                    refused = {name: held for held in touched for name in held.refused.keys() & names}
                    if refused:
                        text = "; ".join(f"{name}: {refused[name].refused[name]}" for name in sorted(refused))
                        error = next((refused[name].errors.get(name) for name in sorted(refused)), None)
                        self._remove([stream for stream in streams if stream.name in refused])
                        raise SubscribeError(text) from error
                    await asyncio.sleep(self.timing.look)
        except TimeoutError:
            raise TimeoutError(f"{self.spec.name}: no answer yet for {', '.join(sorted(names))}") from None

    async def unsubscribe(self, symbols: str | Iterable[str], channels: str | Iterable[str] | None = None) -> None:
        """Take symbols out of the running feed. A book that is not kept up any more is EMPTY."""
        for text in listed(symbols):
            self._leave(self._named(text, None)[0], text.upper() if text.upper() in self.names.fronts else "", channels)

    def _leave(self, symbol: str, owner: str, channels: str | Iterable[str] | None) -> None:
        """Take a symbol out, unless it is also followed under another name."""
        if owner and channels is None:
            self.names.fronts.pop(owner, None)
            self._front_channels.pop(owner, None)
        owners = self._owners.get(symbol, set())
        if channels is None:
            owners.discard(owner)
        if not owners - {owner}:
            self._remove(self._planned([symbol], channels))
        if not owners:
            self._owners.pop(symbol, None)

    async def wait_live(self, timeout: float | None = None) -> None:
        """Return when every book asked for is LIVE. Raises: TimeoutError that names those that are not."""
        try:
            async with asyncio.timeout(timeout):
                while self._not_live():
                    for symbol, asked in list(self._books.items()):     # one by one: there may be thousands
                        while self._books.get(symbol) is asked and self._book(asked).status != BookState.LIVE:
                            await asyncio.sleep(self.timing.look)
        except TimeoutError:
            missing = ", ".join(f"{symbol} ({status})" for symbol, status in self._not_live().items())
            raise TimeoutError(f"{self.spec.name}: not live within {timeout:g} s: {missing}") from None

    def stats(self) -> dict[str, Any]:
        """Figures of the feed: per line, the states of the books, the silent symbols and what was done about them,
        refused streams, the venue's errors (the newest 100 `feeds.VenueError`), REST, the audit (None without one), the
        pipeline's counters, and what is recorded (None if nothing is)."""
        return {
            "venue": self.spec.name,
            "market": self.market,
            "wire": self.spec.wire,
            "lines": [self._line_stats(connection) for connection in self.connections if not connection.retired],
            "silent": sorted(self._silent()),
            "silences": self.silences.stats(),
            "states": self._states(),
            "refused": {name: text for held in self.connections for name, text in held.requests.refused.items()},
            "errors": list(self._errors),
            "rest": {"requests": self.rest.requests, "failures": self.rest.failures,
                     "weight": self.rest.window().used, "snapshots": self.snapshots.fetched,
                     "in_flight": self.snapshots.in_flight, "failed": dict(self.snapshots.failed)},
            "queue": self._reader.queue.stats(),
            "readers": self._readers.stats(),
            "audit": None if self.audit is None else self.audit.stats(),
            "counters": self.pipeline.counters,
            "recorder": None if self.recorder is None else self.recorder.stats(),
        }

    def _states(self) -> dict[str, Any]:
        """How many books are in each state; the reason and since when (ns since the Unix epoch) of those that are not
        LIVE; how often books changed their state, by reason."""
        books = {symbol: self._book(asked) for symbol, asked in self._books.items()}
        count = Counter(book.status for book in books.values())
        return {"now": {state.name: count[state] for state in BookState},
                "not_live": {symbol: {"state": book.status.name, "reason": book.reason, "since_ns": book.since_ns}
                             for symbol, book in books.items() if book.status != BookState.LIVE},
                "changes": self.pipeline.states()}

    def _line_stats(self, connection: Connection) -> dict[str, Any]:
        """Figures of a line; with others that carry the same, also who was first."""
        shared = len(self._rollover.group_of(connection)) > 1
        return {**connection.stats(), **(self.pipeline.line_stats(connection.number) if shared else {})}

    def events(self, symbols: str | Iterable[str] | None = None, *, on_lag: str = "drop",
               limit: int = 10_000) -> Reader:
        """A further reader of this feed's events, with a queue of its own: `async for event in feed.events(...)`.

        Parameters: symbols -- one or several of the feed, None: all; news of the venue come in any case. on_lag,
        limit -- what happens when more than `limit` events wait for it; as `connect` has it, for this reader alone
        (but while one makes a "pause", none hears anything). Close it, or use it in a `with`.
        Raises: RuntimeError if the feed has a handler.
        """
        wanted = None if symbols is None else [self._named(text, None)[0] for text in listed(symbols)]
        reader = Reader(self._readers, wanted, on_lag, limit, self.spec.name)
        self._open(reader)
        return reader

    def _open(self, reader: Reader) -> None:
        if self._handler is not None:
            raise RuntimeError("a feed with a handler hands its events to that handler; `async for` needs one without")
        reader.open()

    def _attach(self, handler: object) -> None:
        self.pipeline.handler = handler

    def __aiter__(self) -> AsyncIterator[Any]:
        self._reader.queue.limit = self.queue_limit
        self._open(self._reader)
        return self

    async def __anext__(self) -> Any:
        return await anext(self._reader)

    def _pause(self, pause: bool) -> None:
        """Read nothing, or go on."""
        self.paused = pause
        for connection in self.connections:
            if connection.line is not None:
                connection.line.pause(pause)

    # ---- what the connections ask

    def ssl_for(self, url: str) -> tls.SSLContext | None:
        """The context for a connection to `url`, None if it is not encrypted."""
        if not url.startswith("wss:"):
            return None
        if self._ssl is None:
            self._ssl = verified_context()
        return self._ssl

    def proxy_for(self, url: str) -> str | None:
        """The proxy by which to connect to `url`, None for none."""
        return proxy_for(self._proxy, url)

    def has_book(self, name: str) -> bool:
        """Whether that stream is a book's, and the book is LIVE."""
        asked = self._streams.get(name)
        return asked is not None and asked.stream.channel == "book" and self._book(asked).status == BookState.LIVE

    def asked_stream(self, name: str) -> Asked | None:
        """A stream of the feed by its name."""
        return self._streams.get(name)

    def replace(self, connection: Connection, reason: str, left: float = 0.0) -> None:
        """A line will end soon: its streams move to another one before, if the venue lets them."""
        self._rollover.replace(connection, reason, left)

    def asked_book(self, symbol: str) -> Asked:
        """The book stream of a symbol."""
        return self._books[symbol]

    def snapshot_levels(self, symbol: str) -> int:
        """Levels a side that a snapshot of the symbol is asked for, 0: as many as the venue's SPEC says."""
        return self._books[symbol].stream.levels if symbol in self._books else 0

    def on_error(self, connection: Connection, error: VenueError, names: Iterable[str]) -> None:
        """Keep and tell an error of the venue; `names` are the streams it is about, if it is known about which."""
        names = sorted(names)
        log.error("%s: %s (%s)", connection, error, ", ".join(names) or "no stream named")
        self._errors.append(error)
        books = [self._book(self._streams[name]) for name in names
                 if name in self._streams and self._streams[name].stream.channel == "book"]
        for book in books or (None,):
            try:
                self.pipeline.note(str(error), book)
            except Exception:
                log.exception("%s: a handler raised", self.spec.name)

    def on_lost(self, names: Iterable[str]) -> None:
        """The venue has dropped these streams and was asked for them again: their books are not proved any more."""
        for name in names:
            asked = self._streams.get(name)
            if asked is not None and asked.stream.channel == "book":
                self.pipeline.lose(asked.stream.symbol, asked.stream.depth)

    def on_newer(self, connection: Connection, text: str) -> None:
        """The venue's wire form is newer than what is known of it: all of it that is known is read on."""
        log.warning("%s: %s", connection, text)
        self._tell(text)

    def fall_back(self, connection: Connection, text: str) -> None:
        """What the venue sends cannot be read in this wire form: go on in its usual one."""
        usual = load(self.spec.name).wire
        if self._foreign or self.spec.wire == usual:
            return
        self._foreign = text
        log.error("%s: %s; going back from %s to %s", connection, text, self.spec.wire, usual)
        self._tell(f"{text}; going back to {usual}")

    def _tell(self, text: str) -> None:
        """Tell the handler something about the venue."""
        try:
            self.pipeline.note(f"{self.spec.name}: {text}")
        except Exception:
            log.exception("%s: a handler raised", self.spec.name)

    async def _change_wire(self) -> None:
        """Ask for everything anew in the venue's usual wire form, on other connections."""
        await self._rollover.close()
        old = self.connections[:]
        for connection in old:
            if connection.line is not None:
                connection.line.abort()                     # not a frame more
        self.spec = load(self.spec.name)
        self.pipeline.wire = self.spec.wire
        self.headers = None
        self._options["speed"] = None                       # speeds are named by wire form
        users = list(dict.fromkeys(user for asked in self._streams.values() for user in sorted(asked.users)))
        self._streams.clear()
        self._books.clear()
        self._rollover.groups.clear()                       # nothing new is given to them
        self._add_streams([stream for channel, symbol in users
                           for stream in self.spec.streams([symbol], [channel], **self._options)])
        await asyncio.gather(*(connection.stop() for connection in old))
        for connection in old:
            self.pipeline.part(connection.number)
        self._foreign = ""

    # ---- streams

    def _planned(self, symbols: str | Iterable[str], channels: str | Iterable[str] | None) -> list[Stream]:
        return self.spec.streams(listed(symbols), listed(channels or self._channels), **self._options)

    def _named(self, symbol: str, depth: int | None) -> tuple[str, int | None]:
        """Symbol and depth of a book as the pipeline has them."""
        name = symbol if symbol in self._books else self.spec.symbol(symbol)
        if name not in self._books:
            name = self.names.symbol_of(symbol)
        if name in self._books and (depth is None or depth == self._options["depth"]):
            depth = self._books[name].stream.depth      # may differ: several depths can share a book
        return name, depth

    def _book(self, asked: Asked) -> Book:
        return self.pipeline.book(asked.stream.symbol, asked.stream.depth)

    def _add_streams(self, streams: Sequence[Stream]) -> None:
        """Give new streams to connections with room, or to new ones."""
        limits = self.spec.limits
        new = list({stream.name: stream for stream in reversed(streams) if stream.name not in self._streams}.values())
        new.reverse()
        given = []          # (what to have, whom to give it to), to be done if all of it is within the limits
        for group in self._rollover.groups:
            full = dict(group[0].requests.streams)
            fits = [stream for stream in new if stream.root == group[0].root and (
                has_room(full, stream, limits) and full.setdefault(stream.name, stream))]
            if fits:
                taken = set(fits)
                new = [stream for stream in new if stream not in taken]
                given.append((fits, group))
        lists = spread(new, limits.streams_per_connection, limits.argument_chars)
        there = sum(not connection.retired for connection in self.connections)
        check_lists(self.spec, [*(fits for fits, _ in given), *lists] * self.lines,
                    streams=len(self._streams) * self.lines, connections=there - len(given) * self.lines)
        for held in lists:
            given.append((held, self._rollover.start(held[0].root, self.lines)))
        for held, group in given:
            for stream in held:
                self._streams[stream.name] = Asked(stream, group)
            for connection in group:
                for stream in held:
                    connection.add(stream)
                connection.start()
        for stream in streams:
            self._use(stream)

    def _use(self, stream: Stream) -> None:
        """Note what a stream is for; several channels and symbols may share one."""
        asked = self._streams[stream.name]
        asked.users.add((stream.channel, stream.symbol))
        if stream.channel == "book":
            self._books[stream.symbol] = asked
            self.pipeline.follow(stream.symbol, stream.depth)
        elif stream.symbol:
            self.pipeline.follow(stream.symbol)

    def _remove(self, streams: Iterable[Stream]) -> None:
        for stream in streams:
            asked = self._streams.get(stream.name)
            user = (stream.channel, stream.symbol)
            if asked is None or user not in asked.users:
                continue
            asked.users.discard(user)
            if not asked.users:
                del self._streams[stream.name]
                for connection in asked.group:
                    connection.remove(stream.name)
            left = any(symbol == stream.symbol for other in self._streams.values() for _, symbol in other.users)
            if stream.channel == "book":
                del self._books[stream.symbol]
            if stream.symbol and (stream.channel == "book" or not left):
                self.pipeline.forget(stream.symbol)
                if left:
                    self.pipeline.follow(stream.symbol)     # for its trades and the like, with an empty book

    # ---- the venue's lists

    async def _resolved(self, texts: Sequence[str], channels: Sequence[str]) -> list[str]:
        """The venue's symbols of what a user asks for; the market may follow from it before the feed is open."""
        symbols = await self.names.resolve(texts)
        if self.market != self.names.market:
            self.market = self._options["market"] = self.names.market
            self.pipeline.market = self.snapshots.market = self.market
        for text, symbol in zip(texts, symbols, strict=True):
            owner = text.upper() if text.upper() in self.names.fronts and form_of(text) == "front" else ""
            self._owners.setdefault(self.spec.symbol(symbol), set()).add(owner)
            if owner:
                self._front_channels[owner] = list(channels)
        return symbols

    def _follow_lists(self) -> None:
        """Begin to look at the venue's lists from time to time, if somebody wants that."""
        wanted = (self.instruments_interval_s > 0 or self._on_instrument is not None or bool(self.names.fronts)
                  or callable(getattr(self.pipeline.handler, "on_instrument", None)) and self._handler is not None)
        if wanted and self._lists_task is None and self.spec.instruments_addresses:
            self._lists_task = asyncio.create_task(self._look_at_lists(), name=f"{self.spec.name} lists")

    async def _look_at_lists(self) -> None:
        """Tell what changes in the venue's list of instruments, and roll front futures."""
        pause = min(self.instruments_interval_s or LISTS_S, self.names.next_expiry_s()) if self.names.fresh else 0.0
        while True:
            await asyncio.sleep(pause)
            pause = min(self.instruments_interval_s or LISTS_S, RETRY_S)
            try:
                for change in await self.names.refresh():
                    self._tell_change(change)
                for text, old, new in self.names.rolls():
                    await self._roll(text, old, new)
                pause = min(self.instruments_interval_s or LISTS_S, self.names.next_expiry_s())
            except (ListError, SubscribeError, TimeoutError) as error:
                log.warning("%s; trying again in %g s", error, pause)
            except Exception:
                log.exception("%s: unexpected failure", self.spec.name)

    async def _roll(self, text: str, old: Instrument, new: Instrument) -> None:
        """Go on with the next future: it is there before the old one is given up."""
        channels = self._front_channels.get(text)
        if channels is None:
            return
        before, after = self.spec.symbol(old.symbol), self.spec.symbol(new.symbol)
        self._owners.setdefault(after, set()).add(text)
        await self._subscribe([after], channels)
        if text not in self.names.fronts:       # was given up meanwhile
            self._leave(after, text, None)
            return
        self.names.fronts[text] = new
        owners = self._owners.get(before, set())
        owners.discard(text)
        if not owners:
            self._owners.pop(before, None)
            self._remove(self._planned([before], channels))
        self._tell_change(InstrumentChange("rolled", old, new))

    def _tell_change(self, change: InstrumentChange) -> None:
        """Hand a change to whoever wants it."""
        log.info("%s: %s %s", self.spec.name, change.instrument.symbol, change.kind)
        for call in (self._on_instrument, getattr(self.pipeline.handler, "on_instrument", None)):
            if call is not None:
                try:
                    call(change)
                except Exception:
                    log.exception("%s: a handler raised", self.spec.name)

    # ---- what the pipeline asks

    async def _mind(self) -> None:
        """Do what the pipeline wants from outside, for as long as the feed is open."""
        silent_at = judged_at = 0.0
        while True:
            try:
                now = asyncio.get_running_loop().time()
                for number, payload in self.pipeline.control():
                    if 0 <= number < len(self.connections):
                        self.connections[number].on_control(self.spec.read_control(payload))
                if self._foreign:
                    await self._change_wire()
                self._rollover.look(now)
                self._meet_wants(now)
                if now >= silent_at:
                    silent_at = now + self.timing.check
                    self._report_silent()
                    self.pipeline.flush_log()
                    for text in self.recorder.news() if self.recorder is not None else ():
                        self._tell(text)
                if now >= judged_at:
                    judged_at = now + self.timing.judge
                    self.silences.look(now, self._books)
            except Exception:
                log.exception("%s: unexpected failure", self.spec.name)
                await asyncio.sleep(1.0)
            await asyncio.sleep(self.timing.look)

    def _meet_wants(self, now: float) -> None:
        if self._needs != self.pipeline.needs:
            self._needs = self.pipeline.needs
            self._wants = self.pipeline.wanted()
            self._only_rest = all(want.kind == "snapshot" for want in self._wants)
            self._wanted_at = {want.symbol: self._wanted_at.get(want.symbol, now) for want in self._wants}
        elif not self._wants or (self._only_rest and self.snapshots.is_full):
            return
        symbols = []
        for want in self._wants:
            if want.kind == "reconnect":
                if 0 <= want.line < len(self.connections):
                    self.connections[want.line].reconnect(want.reason)
                continue
            asked = self._books.get(want.symbol)
            if asked is None or asked.connection.line is None:
                continue
            if want.kind == "snapshot":
                if not self.silences.is_given_up(want.symbol):
                    symbols.append(want.symbol)
            else:
                self._renew(asked, want.kind == "request", now)
        self.snapshots.poll(sorted(symbols, key=self._need))

    def _need(self, symbol: str) -> tuple[bool, bool, float]:
        """Order of the snapshots: first of books that somebody reads, then of those that were LIVE, the oldest first.

        So nobody who has a book waits for those that are only being added.
        """
        return (not self._books[symbol].read, symbol not in self.silences.seen_live, self._wanted_at.get(symbol, 0.0))

    def _renew(self, asked: Asked, by_request: bool, now: float) -> None:
        """Begin the book of a stream anew, not too often: venues count such requests.

        By a new subscription, or `by_request` where the venue takes requests for that stream.
        """
        connection, requests, name = asked.connection, asked.requests, asked.stream.name
        by_request = by_request and self.spec.request is not None and bool(self.spec.request(name, 0))
        began = requests.asked.get(name)
        if began is None or name in requests.refused or (by_request and name not in requests.confirmed):
            return
        pause = min(self.timing.renew * 2 ** min(asked.renewals, 20), self.timing.backoff_longest)
        if by_request:          # the first on a line is due at once
            due = asked.renewed + pause if asked.renewed >= began else now
        elif self._book(asked).status in (BookState.EMPTY, BookState.SYNCING):      # the snapshot is on its way
            due = max(began, asked.renewed) + max(pause, self.timing.silent)
        else:
            due = asked.renewed + pause
        if now < due:
            return
        asked.renewals = asked.renewals + 1 if now - asked.renewed < pause + self.timing.steady else 0
        asked.renewed = now
        if by_request:
            connection.request_snapshot(name)
        else:
            connection.renew([name])

    def _not_live(self) -> dict[str, str]:
        """Symbol -> name of the state (and why, if it was refused), of every book asked for that is not LIVE."""
        refused = self.refused_books()
        states = {symbol: self._book(asked).status for symbol, asked in self._books.items()}
        return {symbol: BookState(state).name + (f", refused: {refused[symbol]}" if symbol in refused else "")
                for symbol, state in states.items() if state != BookState.LIVE}

    def _silent(self) -> set[str]:
        """Symbols whose book was asked for a while ago and has not had a message: venues do not say "unknown"."""
        long_ago = asyncio.get_running_loop().time() - self.timing.silent
        return {symbol for symbol, asked in self._books.items()
                if asked.connection.line is not None
                and asked.requests.asked.get(asked.stream.name, float("inf")) < long_ago
                and self._book(asked).status == BookState.EMPTY}

    def _report_silent(self) -> None:
        silent = self._silent()
        for symbol in sorted(silent - self._reported):
            log.warning("%s: nothing came for %s within %g s; does the venue have it?", self.spec.name, symbol,
                        self.timing.silent)
        self._reported = silent


def connect(venue: str, symbols: str | Iterable[str], channels: str | Iterable[str] = ("book",),
            handler: object = None, *, url: str | None = None, rest_url: str | None = None, depth: int | None = None,
            speed: str | None = None, market: str | None = None, conflate: bool = False,
            ssl: tls.SSLContext | None = None, on_instrument: Callable[[InstrumentChange], object] | None = None,
            wire: str | None = None, api_key: str | None = None, compression: bool = False, lines: int = 1,
            on_lag: str = "drop", queue_limit: int = 10_000, verify: bool = False,
            record: str | os.PathLike[str] | None = None, proxy: str | None = None) -> Feed:
    """Plan a live feed; `async with connect(...) as feed` opens it, and reconnects for as long as it is open.

    Parameters:
    venue -- a name of `feeds.VENUES`; symbols -- one or several, in the venue's spelling or in lower case, or
    normalised names such as BTC-USDT-PERP, BTC-27DEC26-100000-C, BTC-USD-FRONT, which the venue's list tells;
    channels -- of the venue's channels; handler -- an object with some of on_book, on_trade, on_quote, on_ticker,
    on_mark, on_open_interest, on_liquidation, on_status;
    url -- scheme, host and port instead of the venue's, for every connection (paths stay); rest_url -- the same for
    REST, the host and port of `url` if that alone is given (and then no venue is asked by REST where to connect);
    depth -- None for the whole book by deltas, or levels a side of a partial book; speed -- as the venue writes it;
    market -- where the venue has several under its name; None is its first, or the one that names are of;
    conflate -- one call per book and read instead of one per message;
    ssl -- an SSLContext, None means the system's certificates and a verified name;
    on_instrument -- called with an `InstrumentChange` when the venue's list of instruments changes, as the handler's
    on_instrument is.
    wire -- the form in which the venue writes, where it has several (`feeds.venues.wires`), None is its usual one;
    api_key -- where that form wants one, None means the venue's environment variable (`SPEC.key_variable`); it is sent
    to nobody but the venue, unless it is given together with `url`, and never logged;
    compression -- offer permessage-deflate: fewer bytes, more work and a later message.
    on_lag -- what happens when more than queue_limit events wait for `async for`: "drop" the oldest, "conflate" (the
    newest of each symbol and kind is kept), "pause" reading from the venue, "disconnect" (it raises `feeds.LagError`);
    lines -- connections that carry each subscription, 1 to 4. Where the venue's numbers are the same on every one
    (`SPEC.shared_ids`) the first copy of a message counts and the loss of a line loses nothing; elsewhere one line
    counts and another stands by;
    verify -- hold every book against a fresh snapshot by REST about once a minute (`feeds.audit`, `feed.audit`), and
    fetch one anew that has drifted: its reason tells the levels;
    record -- a directory that all of it is recorded into as long as the feed is open; `feeds.recording.recorder` has
    more to choose;
    proxy -- http(s)://[user:password@]host:port by which all connections are made, REST too; "environment" is what
    HTTPS_PROXY, HTTP_PROXY and NO_PROXY say; None is none. It is never logged.

    Raises: UnknownVenue, UnsupportedChannel or ValueError that say what there is. Opening raises ConnectionError if no
    connection can be made within 20 s, UnknownInstrument with near names if the venue's list does not have a name.
    """
    spec = load(venue, wire)
    symbols, channels = listed(symbols), listed(channels)
    if not symbols or not all(isinstance(symbol, str) and symbol for symbol in symbols):
        raise ValueError(f"{venue}: symbols must be one or more names, not {symbols!r}")
    if not channels:
        raise ValueError(f"{venue}: channels must be one or more of {', '.join(spec.channels)}")
    spec.check_market(market)
    spec.check_channels(channels)
    if not 1 <= lines <= MOST_LINES:
        raise ValueError(f"{venue}: lines must be 1 to {MOST_LINES}, not {lines!r}")
    if verify and "book" not in channels:
        raise ValueError(f"{venue}: verify is about books, and the channels are {', '.join(channels)}")
    if ssl is not None and not isinstance(ssl, tls.SSLContext):
        raise ValueError(f"ssl must be an ssl.SSLContext or None, not {ssl!r}")
    if url is not None:
        check_url("url", url, ("ws", "wss"))
    if rest_url is not None:
        check_url("rest_url", rest_url, ("http", "https"))
    if proxy is not None:
        check_proxy(proxy)
    return Feed(spec, symbols, channels, handler, url, rest_url, depth, speed, conflate, ssl, market,
                on_instrument, key_headers(spec, api_key, url), compression, lines, on_lag, queue_limit, verify,
                record, proxy)


def key_headers(spec: VenueSpec, api_key: str | None, url: str | None) -> dict[str, str] | None:
    """What the handshake has to say for a wire form that wants a key. Raises: ValueError, which holds no key."""
    if not spec.key_header:
        if api_key is not None:
            raise ValueError(f"{spec.name}: its wire form {spec.wire!r} takes no API key")
        return None
    key = api_key if api_key is not None else NO_KEY if url is not None else os.environ.get(spec.key_variable, "")
    if not key:
        raise ValueError(f"{spec.name}: its wire form {spec.wire!r} needs an API key: give it by the environment "
                         f"variable {spec.key_variable}, or as api_key")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError(f"{spec.name}: the API key has characters that no key has")
    return {spec.key_header: key}


def listed(names: str | Iterable[str]) -> list[str]:
    """A list of names from one name or several."""
    return [names] if isinstance(names, str) else list(names)
