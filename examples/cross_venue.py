"""Two venues as one book: best prices with who stands there, and the times in which one bids more than the other asks.

The first trades the coin, the second contracts of one dollar each: `inverse` makes coins of them.
"""

from __future__ import annotations

import argparse
import asyncio

from common import server

import feeds
from orderbook import Book, ConsolidatedBook, Crossing, CrossWatch

FIRST, SECOND = ("kraken", "BTC-USD"), ("bitmex", "BTC-USD-PERP")
FEE = 0.00001                   # of a taker, at both; real ones are larger, and leave less


class Arbitrage:
    """A handler of both feeds."""

    def __init__(self) -> None:
        self.watch: CrossWatch | None = None
        self.ended: list[Crossing] = []

    def on_book(self, book: Book) -> None:
        if self.watch is not None:                                  # both feeds are open
            self.ended += self.watch.update()

    def on_status(self, book: Book | None, old: object, new: object, reason: str) -> None:
        if self.watch is not None:                                  # a venue that is out ends what it was part of
            self.ended += self.watch.update()


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", nargs=2, default=[None, None], help=f"servers of {FIRST[0]} and of {SECOND[0]}")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (%(default)s)")
    given = parser.parse_args()
    handler = Arbitrage()
    with server(*FIRST, given.url[0], seed=1) as url, server(*SECOND, given.url[1], seed=2) as other_url:
        async with (feeds.connect(*FIRST, handler=handler, url=url) as first,
                    feeds.connect(*SECOND, handler=handler, url=other_url) as second):
            await asyncio.gather(first.wait_live(timeout=20), second.wait_live(timeout=20))
            book = ConsolidatedBook([first.book(FIRST[1]), second.book(SECOND[1])], names=[FIRST[0], SECOND[0]],
                                    inverse=[False, True], fees=[FEE, FEE])
            handler.watch = CrossWatch(book.net)                    # what is left after both fees
            for _ in range(4):
                await asyncio.sleep(given.seconds / 4)
                print(f"in: {', '.join(book.live)}; best bid {book.best_bid}, best ask {book.best_ask}")
    lasted = [crossing.duration_ns / 1e6 for crossing in handler.ended]
    print(f"{len(lasted)} times crossed, for {sum(lasted):.0f} ms in all")
    for it in sorted(handler.ended, key=lambda it: it.edge_bps)[-3:]:
        print(f"  buy at {it.buy_at}, sell at {it.sell_at}: {it.edge_bps:.2f} bps on {it.qty:.4f} for "
              f"{it.duration_ns / 1e6:.1f} ms")


if __name__ == "__main__":
    asyncio.run(main())
