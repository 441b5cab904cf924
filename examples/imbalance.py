"""Imbalance signal: does the heavier side of the book tell where the price goes next?

Whenever the best levels of one side hold much more than those of the other, the mid is noted and looked at again a
moment later.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from common import options, server

import feeds
from orderbook import Book, analytics

LEVELS = 5
THRESHOLD = 0.5                 # of the imbalance, which is in [-1, 1]
HORIZON_NS = 100_000_000


class Signal:
    """A handler: the feed calls its on_* methods."""

    def __init__(self) -> None:
        self.books = 0
        self.outcome: Counter[str] = Counter()                      # right, wrong, unchanged
        self.gained = 0.0                                           # what the signals were worth, in price
        self.waiting: deque[tuple[int, int, float]] = deque()       # (when to look, direction, mid of then)

    def on_book(self, book: Book) -> None:                          # after every message, while the book is LIVE
        self.books += 1
        now, mid = book.receive_ns, book.mid
        if mid is None:                                             # a side is empty
            return
        while self.waiting and self.waiting[0][0] <= now:
            _, direction, before = self.waiting.popleft()
            move = direction * (mid - before)
            self.gained += move
            self.outcome["right" if move > 0 else "wrong" if move < 0 else "unchanged"] += 1
        imbalance = analytics.imbalance(book, LEVELS)
        if abs(imbalance) > THRESHOLD:
            self.waiting.append((now + HORIZON_NS, 1 if imbalance > 0 else -1, mid))

    def on_status(self, book: Book | None, old: object, new: object, reason: str) -> None:
        self.waiting.clear()                                        # what was expected of a lost book means nothing


async def main() -> None:
    given = options(__doc__)
    signal = Signal()
    with server(given.venue, given.symbol, given.url) as url:
        async with feeds.connect(given.venue, given.symbol, handler=signal, url=url) as feed:
            await feed.wait_live(timeout=20)
            await asyncio.sleep(given.seconds)
    count = signal.outcome.total()
    print(f"{signal.books} books, {count} signals; after {HORIZON_NS / 1e6:.0f} ms the mid had gone")
    for word in ("right", "wrong", "unchanged"):
        print(f"  {word:9} {signal.outcome[word]:6} {signal.outcome[word] / max(count, 1):6.1%}")
    print(f"  on average by {signal.gained / max(count, 1):+.3f} in the signal's direction")


if __name__ == "__main__":
    asyncio.run(main())
