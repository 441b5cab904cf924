"""One strategy twice on the same traffic: its callbacks in Cython and in Python, and what a call of each takes.

The Cython one has to be compiled first: cythonize -i fast_imbalance.pyx
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns

from common import options, server

import feeds
from feeds import Trade
from orderbook import Book, analytics

try:
    from fast_imbalance import FastImbalance
except ImportError:
    raise SystemExit("fast_imbalance is not compiled: run `cythonize -i fast_imbalance.pyx` in its folder") from None

CALLS = 20_000


class SlowImbalance:
    """What fast_imbalance.pyx does, in Python."""

    def __init__(self, levels: int = 5) -> None:
        self.levels = levels
        self.books = self.trades = 0
        self.imbalance = self.microprice = self.flow = 0.0

    def on_book(self, book: Book) -> None:
        self.books += 1
        self.imbalance = analytics.imbalance(book, self.levels)
        self.microprice = analytics.microprice(book)

    def on_trade(self, trade: Trade) -> None:
        self.trades += 1
        self.flow += {"buy": trade.qty, "sell": -trade.qty}.get(trade.aggressor or "", 0.0)

    def again(self, book: Book, times: int) -> None:
        for _ in range(times):
            self.on_book(book)


def report(name: str, strategy: FastImbalance | SlowImbalance, book: Book) -> None:
    print(f"{name}: {strategy.books} books, {strategy.trades} trades, imbalance {strategy.imbalance:+.3f}, "
          f"microprice {strategy.microprice:.3f}, flow {strategy.flow:+.4f}", end="; ")
    rounds = []
    for _ in range(5):                                              # the quickest: others use the machine too
        began = perf_counter_ns()
        strategy.again(book, CALLS)
        rounds.append((perf_counter_ns() - began) / CALLS)
    print(f"a book takes {min(rounds):.0f} ns")


async def main() -> None:
    given = options(__doc__)
    fast, slow = FastImbalance(), SlowImbalance()
    with server(given.venue, given.symbol, given.url) as url:
        channels = ("book", "trades")
        async with (feeds.connect(given.venue, given.symbol, channels, fast, url=url) as fast_feed,
                    feeds.connect(given.venue, given.symbol, channels, slow, url=url) as slow_feed):
            await asyncio.gather(fast_feed.wait_live(timeout=20), slow_feed.wait_live(timeout=20))
            await asyncio.sleep(given.seconds)
            report("Cython", fast, fast_feed.book(given.symbol))
            report("Python", slow, slow_feed.book(given.symbol))


if __name__ == "__main__":
    asyncio.run(main())
