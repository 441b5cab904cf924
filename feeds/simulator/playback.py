"""A capture as a source of messages: the recorded frames, and a book kept beside them for REST snapshots."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from feeds.capture import CaptureError, CaptureReader, Record
from feeds.simulator.source import NoSnapshot, Route, UnknownSymbol
from feeds.venues.dialects import levels_text, split_stream

PREFIX, MIDDLE = b'{"stream":"', b'","data":'
MAX_PENDING_SIZE = 1 << 25      # bytes of depth frames a book puts off before it takes them in


class Playback:
    """Captures of one venue, played one after the other as if they were one; see `source.Source` for the methods.

    Frames that belong to no stream (answers to requests) are left out. A depth stream is served under whatever speed
    it is asked for, since a capture has only one.
    Raises: CaptureError -- from the constructor if a file cannot be read to its end, or if there are depth frames but
    no REST snapshot to begin a book with.
    """

    endless = False

    def __init__(self, venue: str, paths: Sequence[str]):
        self.venue = venue
        self.paths = [str(path) for path in paths]
        self._routes: dict[bytes, _Track] = {}      # stream name -> its track
        self._topics: set[str] = set()
        self._books: dict[str, ServerBook] = {}     # symbol -> book
        self._instruments: str | None = None
        self._head: Record | None = None            # the next record
        self._scan()
        self.rewind()

    @property
    def next_ns(self) -> int | None:
        return None if self._head is None else self._head.recv_ns

    @property
    def symbols(self) -> list[str]:
        """Symbols that have a book."""
        return sorted(self._books)

    def resolve(self, name: str) -> str | None:
        topic = _topic(name)
        return topic if topic in self._topics else None

    def take(self, until_ns: int, limit: int) -> list[tuple[Route, bytes]]:
        items: list[tuple[Route, bytes]] = []
        record = self._head
        records = self._records
        while record is not None and record.recv_ns <= until_ns and len(items) < limit:
            if record.kind in "<B":
                track = self._track(record.payload)
                if track is not None:
                    items.append((track.route, record.payload))
                    if track.book is not None:
                        track.book.put(record.payload, track.route.cut)
            elif record.kind == "h":
                self._answer(record)
            record = next(records, None)
        self._head = record
        return items

    def snapshot(self, symbol: str, limit: int) -> str | None:
        book = self._books.get(symbol)
        if book is None:
            raise UnknownSymbol(symbol)
        if not book.will_seed:
            raise NoSnapshot(symbol)
        return book.snapshot(limit)

    def instruments(self) -> str | None:
        return self._instruments

    def idle(self) -> None:
        for book in self._books.values():
            book.catch_up()

    def rewind(self) -> None:
        for book in self._books.values():
            book.reset()
        self._records = self._read()
        self._head = next(self._records, None)

    def _read(self) -> Iterator[Record]:
        for path in self.paths:
            yield from CaptureReader(path)

    def _scan(self) -> None:
        """Go through the files once: the streams there are, and which symbols have a snapshot."""
        for record in self._read():
            if record.kind in "<B":
                self._track(record.payload)
            elif record.kind == "h":
                url, _, body = record.payload.partition(b" ")
                symbol = _snapshot_symbol(url)
                if symbol:
                    self._book(symbol).will_seed = True
                elif b"exchangeInfo" in url:
                    self._instruments = body.decode()
        if self._books and not any(book.will_seed for book in self._books.values()):
            raise CaptureError(self.paths[0], 0, 0, f"a REST snapshot of {', '.join(sorted(self._books))}",
                               "none; a capture that goes on from another is served after it: give both files in order")
        if not self._topics:
            raise CaptureError(self.paths[0], 0, 0, "frames of market data", "none")

    def _book(self, symbol: str) -> ServerBook:
        return self._books.setdefault(symbol, ServerBook())

    def _answer(self, record: Record) -> None:
        url, _, body = record.payload.partition(b" ")
        symbol = _snapshot_symbol(url)
        if symbol:
            self._books[symbol].seed(body)

    def _track(self, payload: bytes) -> _Track | None:
        """Where a frame belongs; None if it is no message of a stream."""
        if payload.startswith(PREFIX):
            name = payload[len(PREFIX):payload.find(b'"', len(PREFIX))]
            track = self._routes.get(name)
            cut = len(PREFIX) + len(name) + len(MIDDLE)
            if track is None and payload[:cut].endswith(MIDDLE):
                track = self._routes[name] = self._new_track(name.decode(), cut)
            return track
        return self._track_of_bare(payload)

    def _track_of_bare(self, payload: bytes) -> _Track | None:
        """The same for a frame that does not begin with its stream's name."""
        try:
            message = json.loads(payload)
            name = message.get("stream") or _name_of(message)
        except (ValueError, AttributeError, KeyError, TypeError):
            return None
        if "stream" in message:
            return None             # a wrapper in a way of its own, out of which the data cannot be cut
        key = b"bare " + name.encode()
        if key not in self._routes:
            self._routes[key] = self._new_track(name, 0)
        return self._routes[key]

    def _new_track(self, name: str, cut: int) -> _Track:
        topic = _topic(name)
        self._topics.add(topic)
        symbol, channel, _ = split_stream(name)
        return _Track(Route(topic, name, cut), self._book(symbol.upper()) if channel == "depth" else None)


class _Track:
    """A stream of the capture, and the book that its messages change."""

    __slots__ = ("route", "book")

    def __init__(self, route: Route, book: ServerBook | None):
        self.route = route
        self.book = book


class ServerBook:
    """The whole book of one symbol, in the texts of the wire, as the venue's own REST interface would have it.

    Depth frames are put off until a snapshot is asked for, or the server has nothing else to do.
    """

    def __init__(self) -> None:
        self.will_seed = False      # a snapshot comes at some place of the capture
        self.reset()

    def reset(self) -> None:
        """Back to the state before the first message."""
        self.last_id: int | None = None         # None: no snapshot yet
        self._head: dict[str, Any] = {}         # the fields of the REST answer beside the sides
        self._bids: dict[Decimal, tuple[str, str]] = {}
        self._asks: dict[Decimal, tuple[str, str]] = {}
        self._pending: list[tuple[bytes, int]] = []
        self._pending_size = 0

    def put(self, payload: bytes, cut: int) -> None:
        """A depth frame was sent; its data begins at `cut` (see `Route`)."""
        if not self.will_seed:
            return
        self._pending.append((payload, cut))
        self._pending_size += len(payload)
        if self._pending_size > MAX_PENDING_SIZE and self.last_id is not None:
            self.catch_up()

    def seed(self, body: bytes) -> None:
        """Begin anew with a recorded REST answer; frames sent before it are joined to it."""
        answer = json.loads(body)
        for side, key in ((self._bids, "bids"), (self._asks, "asks")):
            side.clear()
            side.update((Decimal(price), (price, qty)) for price, qty in answer.pop(key) if Decimal(qty))
        self._head = answer
        self.last_id = answer["lastUpdateId"]
        self.catch_up()

    def catch_up(self) -> None:
        """Take in what was put off. Without a snapshot it stays put off."""
        if self.last_id is None or not self._pending:
            return
        for payload, cut in self._pending:
            self._apply(json.loads(payload[cut:-1] if cut else payload))
        self._pending.clear()
        self._pending_size = 0

    def _apply(self, data: dict[str, Any]) -> None:
        if data["u"] < self.last_id:
            return                  # the snapshot has it already
        for side, key in ((self._bids, "b"), (self._asks, "a")):
            for price, qty in data[key]:
                if qty.strip("0."):
                    side[Decimal(price)] = (price, qty)
                else:
                    side.pop(Decimal(price), None)
        self.last_id = self._head["lastUpdateId"] = data["u"]
        for key in ("E", "T"):
            if key in self._head and key in data:
                self._head[key] = data[key]

    def levels(self, limit: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """(price, qty) texts of both sides, best first."""
        self.catch_up()
        return ([self._bids[price] for price in sorted(self._bids, reverse=True)[:limit]],
                [self._asks[price] for price in sorted(self._asks)[:limit]])

    def snapshot(self, limit: int) -> str | None:
        """The REST answer, None before the first recorded one."""
        if self.last_id is None:
            return None
        bids, asks = self.levels(limit)
        head = json.dumps(self._head, separators=(",", ":"))[:-1]
        return f'{head},"bids":[{levels_text(bids)}],"asks":[{levels_text(asks)}]}}'


def _topic(name: str) -> str:
    """The stream's name without its speed."""
    symbol, channel, _ = split_stream(name)
    return f"{symbol}@{channel}"


def _snapshot_symbol(url: bytes) -> str | None:
    """Symbol of the book whose REST snapshot has this address; None if it is another address."""
    parts = urlsplit(url.decode("utf-8", "replace"))
    symbol = parse_qs(parts.query).get("symbol")
    return symbol[0].upper() if symbol and parts.path.endswith("/depth") else None


_CHANNELS = {"depthUpdate": "depth", "24hrTicker": "ticker", "markPriceUpdate": "markPrice"}


def _name_of(message: dict[str, Any]) -> str:
    """Name of the stream that a bare message came from, as far as it tells."""
    event = message.get("e", "bookTicker" if "A" in message and "B" in message else None)
    symbol = message["o"]["s"] if event == "forceOrder" else message["s"]
    if event is None:
        raise KeyError("e")
    return f"{symbol.lower()}@{_CHANNELS.get(event, event)}"
