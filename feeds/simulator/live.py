"""A simulated market as a source of messages: the order flow of every symbol, published stream by stream."""

from __future__ import annotations

import time
from collections.abc import Iterable
from heapq import heapify, heappop, heappush, heapreplace

from feeds.simulator.market import Market
from feeds.simulator.packed import MARK, open_packed
from feeds.simulator.source import Route, UnknownSymbol
from feeds.simulator.streams import Desk, Stream, open_stream
from feeds.venues.dialects import DIALECTS, exchange_info, instruments

FOREVER_NS = 1 << 62


class LiveSource:
    """Simulated markets of one venue; see `source.Source` for the methods.

    Parameters: venue -- name of the venue. symbols -- what is traded; the usual ones if empty.
                seed -- any int; decides the order flow. rate -- actions a second and symbol, above 0.
                form -- one of `feeds.venues.dialects.FORMS`. start_ns -- time of the opening; the present if None.
    Streams are written from the moment that somebody first asks for them.
    """

    endless = True

    def __init__(self, venue: str, symbols: Iterable[str] = (), *, seed: int = 0, rate: float = 500.0,
                 form: str = "2026", start_ns: int | None = None):
        self.venue = venue
        start = time.time_ns() if start_ns is None else start_ns
        dialect = DIALECTS[venue]
        self._dialect = dialect
        self._floors = [_Floor(Desk(dialect, Market(instrument, seed, start, rate), form))
                        for instrument in instruments(venue, symbols)]
        self._by_symbol = {floor.desk.symbol: (number, floor) for number, floor in enumerate(self._floors)}
        self._names: set[str] = set()
        # (when, which floor), the next first. An entry whose time is not its floor's any more is passed over.
        self._due = [(floor.next_ns, number) for number, floor in enumerate(self._floors)]
        heapify(self._due)

    @property
    def next_ns(self) -> int:
        return self._next()[0]

    def resolve(self, name: str) -> str | None:
        if name in self._names:
            return name
        number, floor = self._by_symbol.get(name.partition("@")[0].upper(), (0, None))
        if floor is None or name != name.partition("@")[0].lower() + name[name.find("@"):] or not floor.open(name):
            return None
        heappush(self._due, (floor.next_ns, number))
        self._names.add(name)
        return name

    def take(self, until_ns: int, limit: int) -> list[tuple[Route, bytes]]:
        items: list[tuple[Route, bytes]] = []
        for _ in range(limit):
            time_ns, number = self._next()
            if time_ns > until_ns or len(items) >= limit:
                break
            floor = self._floors[number]
            floor.step(items)
            heapreplace(self._due, (floor.next_ns, number))
        return items

    def _next(self) -> tuple[int, int]:
        """When something happens next, and on which floor."""
        due = self._due
        while due[0][0] != self._floors[due[0][1]].next_ns:
            heappop(due)
        return due[0]

    def snapshot(self, symbol: str, limit: int) -> str:
        _, floor = self._by_symbol.get(symbol, (0, None))
        if floor is None:
            raise UnknownSymbol(symbol)
        return floor.desk.snapshot(limit)

    def instruments(self) -> str:
        return exchange_info(self._dialect, (floor.desk.market for floor in self._floors))

    def idle(self) -> None:
        """Nothing is ever put off."""

    def rewind(self) -> None:
        """A market does not end, so it never starts over."""


def as_bytes(message: str | bytes) -> bytes:
    """A message as it goes over the wire."""
    return message if isinstance(message, bytes) else message.encode()


class _Floor:
    """One symbol: its desk, and the streams that are written."""

    def __init__(self, desk: Desk):
        self.desk = desk
        self.next_ns = desk.market.next_ns      # of the next action or timer
        self._real_time: list[tuple[Route, Stream]] = []
        self._timed: list[tuple[Route, Stream]] = []
        self._timer_ns = FOREVER_NS             # of the next timed stream that has something to say

    def open(self, name: str) -> bool:
        """Begin to write a stream; False if the venue has none of that name."""
        plain, mark, _ = name.partition(MARK)
        stream = open_packed(self.desk, plain) if mark else open_stream(self.desk, name)
        if stream is None:
            return False
        entry = (Route(name, name, 0), stream)
        self._real_time.append(entry)           # a timed stream, too, watches every action
        if stream.interval_ns:
            self._timed.append(entry)
        self._schedule()
        return True

    def step(self, items: list[tuple[Route, bytes]]) -> None:
        """Let the next action or timer happen, and append what it publishes."""
        market = self.desk.market
        if self._timer_ns <= market.next_ns:
            now = self._timer_ns
            for route, stream in self._timed:
                if stream.next_ns == now:
                    stream.next_ns += stream.interval_ns
                    text = stream.fire(now)
                    if text is not None:
                        items.append((route, as_bytes(text)))
        else:
            action = market.step()
            self.desk.count(action)
            for route, stream in self._real_time:
                for text in stream.take(action):
                    items.append((route, as_bytes(text)))
        self._schedule()

    def _schedule(self) -> None:
        self.next_ns = self.desk.market.next_ns
        self._timer_ns = min((stream.next_ns for _, stream in self._timed if not stream.is_idle), default=FOREVER_NS)
        self.next_ns = min(self.next_ns, self._timer_ns)
