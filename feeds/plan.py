"""What a feed connects to: addresses, streams spread over connections, and the queue of `async for`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from feeds.venue import Stream, VenueSpec
from orderbook import Book

LONGEST_URL = 2000      # characters; longer lists of streams are asked for by messages
MISSES = 16             # streams in a row that do not fit a request, until it is taken to be full


class StatusChange(NamedTuple):
    """A book's state changed, or (`old` is `new`) wrong content was met; what `async for` yields for `on_status`."""

    symbol: str             # empty if the content named none
    book: Book | None
    old: int
    new: int
    reason: str


def moved(address: str, url: str | None) -> str:
    """`address` with the scheme, host and port of `url`, its own path and query kept; `address` itself without `url`.

    moved("wss://host/public?x=1", "ws://127.0.0.1:9000") is "ws://127.0.0.1:9000/public?x=1".
    """
    if url is None:
        return address
    place, own = urlsplit(url), urlsplit(address)
    return urlunsplit((place.scheme, place.netloc, own.path, own.query, ""))


def check_url(name: str, url: str, schemes: Sequence[str]) -> None:
    """Raise ValueError unless `url` is scheme, host and port, nothing else, with one of `schemes`."""
    try:
        place = urlsplit(url)
        good = place.scheme in schemes and bool(place.hostname) and (place.port is None or place.port > 0)
    except (ValueError, AttributeError, TypeError):     # a port that is no number, a thing that is no text
        good = False
    if not good or place.path not in ("", "/") or place.query or place.fragment or "@" in place.netloc:
        wanted = " or ".join(f"{scheme}://host:port" for scheme in schemes)
        raise ValueError(f"{name} must be {wanted} and nothing else, not {url!r}")


def rest_beside(url: str) -> str:
    """REST address of a server that serves WebSocket at `url`: the same host and port."""
    place = urlsplit(url)
    return f"{'https' if place.scheme == 'wss' else 'http'}://{place.netloc}"


def connect_url(spec: VenueSpec, address: str, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Address to connect to, and the streams that it asks for by itself (all of `names` or none).

    Venues whose address cannot name streams, and lists too long for one, need messages.
    """
    plain = address + spec.connect_path(())
    if not names:
        return plain, ()
    full = address + spec.connect_path(names)
    if full == plain or len(full) > LONGEST_URL:
        return plain, ()
    return full, tuple(names)


def spread(streams: Iterable[Stream], per_connection: int) -> list[list[Stream]]:
    """Lists of streams, one for each connection: one root each, at most `per_connection` of them, in order.

    0 is no limit.
    """
    open_lists: dict[str, list[Stream]] = {}
    lists = []
    for stream in streams:
        held = open_lists.get(stream.root)
        if held is None or len(held) >= per_connection > 0:
            held = open_lists[stream.root] = []
            lists.append(held)
        held.append(stream)
    return lists


def request_group(make: Callable[[Sequence[str], int], list[str]], names: Iterable[str], most: int) -> list[str]:
    """The first of `names` and those that fit into one request frame with it, at most `most` (0 is no limit).

    One frame for one request lets every answer be about all that was asked for. Venues differ in what a frame may
    hold: any streams, the symbols of one channel, a single stream. `make` tells: its names and a request id become
    a list of frames.
    """
    left = iter(names)
    group = [next(left)]
    misses = 0
    for name in left:
        if len(group) >= most > 0 or misses == MISSES:
            break
        if len(make((group[0], name), 0)) == 1:
            group.append(name)
            misses = 0
        else:
            misses += 1
    while len(group) > 1 and len(make(group, 0)) > 1:       # what fits two by two is too much for one frame
        del group[len(group) // 2:]
    return group


class EventQueue:
    """A handler that keeps copies for `async for`, the newest `limit` of them.

    A book is not copied but yielded itself, once for all updates since it was last yielded: it is always current.
    `dropped` counts what went lost because nobody took it in time.
    """

    def __init__(self, limit: int, wake: Callable[[], object]) -> None:
        self.limit = limit
        self.dropped = 0
        self._wake = wake           # called after an event was added to an empty queue
        self._events: deque[Any] = deque()
        self._waiting: set[int] = set()       # ids of the books in the queue

    def __len__(self) -> int:
        return len(self._events)

    def take(self) -> Any:
        """The oldest event; IndexError if there is none."""
        event = self._events.popleft()
        self._waiting.discard(id(event))
        return event

    def _add(self, event: Any) -> None:
        if len(self._events) >= self.limit:
            self._waiting.discard(id(self._events.popleft()))
            self.dropped += 1
        self._events.append(event)
        if len(self._events) == 1:
            self._wake()

    def on_book(self, book: Book) -> None:
        if id(book) not in self._waiting:
            self._add(book)
            self._waiting.add(id(book))

    def on_status(self, book: Book | None, old: int, new: int, reason: str) -> None:
        self._add(StatusChange(book.symbol if book is not None else "", book, old, new, reason))

    def _on_event(self, event: Any) -> None:
        self._add(event.copy())

    on_trade = on_quote = on_ticker = on_mark = on_open_interest = on_liquidation = _on_event
