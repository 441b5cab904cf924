"""Who takes the events of a feed: queues that are bounded, and what happens when one is full."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from orderbook import Book

log = logging.getLogger(__name__)

ON_LAG = ("drop", "conflate", "pause", "disconnect")
SPARE = 1 << 16         # events that may still come when nothing is read any more, as they were read before


class StatusChange(NamedTuple):
    """A book's state changed, or (`old` is `new`) wrong content was met; what `async for` yields for `on_status`.

    Without a book it is news of the venue, or of the reader itself: that it is too slow, that it has caught up.
    """

    symbol: str             # empty if the content named none
    book: Book | None
    old: int | None
    new: int | None
    reason: str


class LagError(RuntimeError):
    """Whoever takes the events of a feed was too slow, and the feed was told to let it go then."""


def kind_of(event: Any) -> tuple[type, str] | None:
    """What a newer event of the same kind makes worthless; None for changes of state, of which each is kept."""
    return None if isinstance(event, StatusChange) or not hasattr(event, "copy") else (type(event), event.symbol)


class EventQueue:
    """A handler that keeps copies for `async for`, at most `limit` of them.

    A book is not copied but yielded itself, once for all updates since it was last yielded: it is always current.
    What happens when it is full is `on_lag`: "drop" the oldest; "conflate": until half of the events were taken, only
    the newest of each symbol and kind of event is kept; "pause": nothing is read from the venue until then;
    "disconnect": the events go, and `take` raises LagError. All of it is counted.
    Parameters: wake -- called after an event was added to an empty queue. pause -- told whether to read; needed for
    "pause". lag -- told when lagging begins and when it is over. clock -- seconds.
    """

    def __init__(self, limit: int, wake: Callable[[], object], on_lag: str = "drop",
                 pause: Callable[[bool], object] | None = None, lag: Callable[[str], object] | None = None,
                 clock: Callable[[], float] = monotonic) -> None:
        if on_lag not in ON_LAG:
            raise ValueError(f"on_lag is one of {', '.join(ON_LAG)}, not {on_lag!r}")
        if limit < 1:
            raise ValueError(f"queue_limit is 1 event or more, not {limit!r}")
        self.limit = limit
        self.on_lag = on_lag
        self.dropped = 0
        self.conflated = 0
        self.longest = 0                # events that have waited at a time, at most
        self.lags = 0                   # times that it was too slow
        self.lagging = False            # since then half of the events were not yet taken
        self.let_go = False
        self._wake, self._pause, self._lag, self._clock = wake, pause, lag, clock
        self._events: deque[list[Any]] = deque()                # [when, event or None, key]
        self._waiting: dict[Any, list[Any]] = {}                # key -> its place in the queue

    def __len__(self) -> int:
        return len(self._events)

    @property
    def lag_s(self) -> float:
        """How long the oldest event has been waiting."""
        return self._clock() - self._events[0][0] if self._events else 0.0

    def stats(self) -> dict[str, Any]:
        """How far behind its reader is and was."""
        return {"on_lag": self.on_lag, "limit": self.limit, "waiting": len(self), "lag_s": self.lag_s,
                "longest": self.longest, "lags": self.lags, "lagging": self.lagging, "dropped": self.dropped,
                "conflated": self.conflated}

    def take(self) -> Any:
        """The oldest event; IndexError if there is none. Raises: LagError if its reader was let go."""
        if self.let_go:
            raise LagError(f"more than {self.limit} events were waiting")
        _, event, key = self._events.popleft()
        if key is not None:
            self._waiting.pop(key, None)
        if self.lagging and len(self._events) <= self.limit // 2:
            self.lagging = False
            if self.on_lag == "pause" and self._pause is not None:
                self._pause(False)
            self._say(f"caught up: {len(self._events)} events are waiting")
        return event

    def tell(self, event: Any) -> None:
        """Add an event that is about the queue itself, whether there is room or not."""
        if not self.let_go:
            self._events.append([self._clock(), event, None])
            if len(self._events) == 1:
                self._wake()

    def _say(self, text: str) -> None:
        if self._lag is not None:
            self._lag(text)

    def _add(self, event: Any, key: Any = None) -> None:
        if self.let_go:
            self.dropped += 1
            return
        if len(self._events) >= self.limit and not self._makes_room(event):
            return
        if self.lagging and self.on_lag == "conflate":
            key = key or kind_of(event)
            held = self._waiting.get(key)
            if held is not None:
                held[1] = event
                self.conflated += 1
                return
        place = [self._clock(), event, key]
        self._events.append(place)
        if key is not None:
            self._waiting[key] = place
        if len(self._events) > self.longest:
            self.longest = len(self._events)
        if len(self._events) == 1:
            self._wake()

    def _makes_room(self, event: Any) -> bool:
        """It is full: do what was asked for then. False: the event is not taken."""
        if not self.lagging:
            self.lagging = True
            self.lags += 1
            if self.on_lag == "pause" and self._pause is not None:
                self._pause(True)
            self._say(f"too slow: {len(self._events)} events are waiting, the oldest for {self.lag_s:.3f} s "
                      f"({self.on_lag})")
        if self.on_lag == "disconnect":
            self.let_go = True
            self.dropped += len(self._events) + 1
            self._events.clear()
            self._waiting.clear()
            self._wake()
            return False
        if self.on_lag == "pause" and self._pause is not None and len(self._events) < self.limit + SPARE:
            return True
        if self.on_lag == "conflate":
            self._conflate()
        if len(self._events) >= self.limit and kind_of(event) not in self._waiting:
            _, _, key = self._events.popleft()
            self._waiting.pop(key, None)
            self.dropped += 1
        return True

    def _conflate(self) -> None:
        """Keep the newest event of each symbol and kind, in the order in which they came."""
        kept: deque[list[Any]] = deque()
        self._waiting = {}
        for place in reversed(self._events):
            key = place[2] or kind_of(place[1])
            if key is None or key not in self._waiting:
                kept.appendleft(place)
                if key is not None:
                    place[2] = key
                    self._waiting[key] = place
        self.conflated += len(self._events) - len(kept)
        self._events = kept

    def restart(self) -> None:
        """Somebody new takes the events, from now on."""
        self.let_go = False

    @property
    def is_ready(self) -> bool:
        """Whether `take` has something to give, or to say."""
        return bool(self._events) or self.let_go

    def on_book(self, book: Book) -> None:
        key = id(book)
        if key not in self._waiting:
            self._add(book, key)

    def on_status(self, book: Book | None, old: int | None, new: int | None, reason: str) -> None:
        self._add(StatusChange(book.symbol if book is not None else "", book, old, new, reason))

    def on_instrument(self, change: Any) -> None:
        self._add(change)

    def _on_event(self, event: Any) -> None:
        self._add(event.copy())

    on_trade = on_quote = on_ticker = on_mark = on_open_interest = on_liquidation = _on_event


class Reader:
    """Events of a feed for whoever reads them here: `async for event in reader`; made by `Feed.events`.

    It has a queue of its own: how far behind it is, and what happens then, is nothing to other readers. Only "pause"
    stops the venue for all of them, until half of its events were taken. With "disconnect" a LagError ends it.
    `close` it, or use it as a context manager; it ends with the feed.
    Parameters: readers -- where it takes part. symbols -- whose events it wants; None: all. name -- in the log.
    """

    def __init__(self, readers: Readers, symbols: Collection[str] | None, on_lag: str, limit: int, name: str) -> None:
        self.symbols = None if symbols is None else frozenset(symbols)
        self._readers = readers
        self._name = name
        self._wake = asyncio.Event()
        self.queue = EventQueue(limit, self._wake.set, on_lag, self._pause, self._tell_lag)

    def open(self) -> None:
        """Take events, from now on; again is no harm."""
        self.queue.restart()
        self._readers.add(self)

    def close(self) -> None:
        """Take no more events; those that wait can still be read. Again is no harm."""
        self._readers.remove(self)
        self._wake.set()

    def stats(self) -> dict[str, Any]:
        """Whose events, and how far behind it is and was."""
        return {"symbols": None if self.symbols is None else sorted(self.symbols), **self.queue.stats()}

    def wants(self, symbol: str) -> bool:
        """Whether events of that symbol come here; those without one (\"\") come to everybody."""
        return self.symbols is None or not symbol or symbol in self.symbols

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while not self.queue.is_ready:
            if self not in self._readers:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        try:
            return self.queue.take()
        except LagError:
            self.close()
            raise

    def _pause(self, pause: bool) -> None:
        self._readers.pause(self, pause)

    def _tell_lag(self, text: str) -> None:
        """It is behind, or is so no more: an event itself, and there is always room for it."""
        log.warning("%s: %s", self._name, text)
        self.queue.tell(StatusChange("", None, None, None, text))


class Readers:
    """The readers of a feed. Parameters: attach -- told the handler that feeds them, whenever it is another one;
    pause -- told whether to read from the venue."""

    def __init__(self, attach: Callable[[object], object], pause: Callable[[bool], object]) -> None:
        self._attach, self._pause = attach, pause
        self._all: list[Reader] = []
        self._pausing: set[Reader] = set()

    def __contains__(self, reader: Reader) -> bool:
        return reader in self._all

    def add(self, reader: Reader) -> None:
        """Let a reader have events."""
        if reader not in self._all:
            self._all.append(reader)
            self._change()

    def remove(self, reader: Reader) -> None:
        """Let it have none any more."""
        if reader in self._all:
            self._all.remove(reader)
            self._change()
            self.pause(reader, False)

    def close(self) -> None:
        """No reader has events any more."""
        for reader in self._all[:]:
            reader.close()

    def pause(self, reader: Reader, pause: bool) -> None:
        """A reader is too far behind, or is so no more: nothing is read while there is one."""
        before = bool(self._pausing)
        (self._pausing.add if pause else self._pausing.discard)(reader)
        if bool(self._pausing) != before:
            self._pause(not before)

    def stats(self) -> list[dict[str, Any]]:
        """Of each reader, in the order they came."""
        return [reader.stats() for reader in self._all]

    def _change(self) -> None:
        if len(self._all) == 1 and self._all[0].symbols is None:
            self._attach(self._all[0].queue)        # nobody has to be asked
        else:
            self._attach(Fan(self._all) if self._all else None)


class Fan:
    """A handler that hands every event to those readers that want it."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = tuple(readers)

    def on_book(self, book: Book) -> None:
        for reader in self._readers:
            if reader.wants(book.symbol):
                reader.queue.on_book(book)

    def on_status(self, book: Book | None, old: int | None, new: int | None, reason: str) -> None:
        for reader in self._readers:
            if reader.wants(book.symbol if book is not None else ""):
                reader.queue.on_status(book, old, new, reason)

    def on_instrument(self, change: Any) -> None:
        for reader in self._readers:
            if reader.wants(change.instrument.symbol):
                reader.queue.on_instrument(change)

    def _on_event(self, event: Any) -> None:
        for reader in self._readers:
            if reader.wants(event.symbol):
                reader.queue.on_trade(event)

    on_trade = on_quote = on_ticker = on_mark = on_open_interest = on_liquidation = _on_event
