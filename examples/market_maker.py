"""A market maker on paper: one order on each side at the best price, filled by the trades that would have met it.

No order is sent. An order waits behind what rested at its price when it came; a trade at its price eats that first, a
trade beyond its price fills it whole. That others do not react to it is the limit of every paper fill.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from common import options, server

import feeds
from feeds import Trade
from orderbook import Book

SIZE = 0.05                     # of an order
MOST = 0.25                     # position, either way
FEE = 0.0001                    # of the maker, a fraction of the price


@dataclass
class Order:
    price: float                # floats of a book and of its trades are equal where the exact prices are
    ahead: float                # quantity that is filled before it
    left: float = SIZE


class Maker:
    """A handler with two orders, a position and its money."""

    def __init__(self) -> None:
        self.bid: Order | None = None
        self.ask: Order | None = None
        self.position = self.cash = self.volume = self.mid = 0.0
        self.fills = 0

    def on_book(self, book: Book) -> None:
        bid, bid_qty, ask, ask_qty = book.bbo()                     # nan where a side is empty
        self.bid = self.placed(self.bid, bid, bid_qty) if self.position < MOST else None
        self.ask = self.placed(self.ask, ask, ask_qty) if self.position > -MOST else None
        self.mid = (bid + ask) / 2

    def placed(self, order: Order | None, price: float, qty: float) -> Order:
        """The order if it stands at the best price, else a new one there, behind all that rests."""
        if order is None or order.price != price:
            return Order(price, qty)
        order.ahead = min(order.ahead, qty)                         # those before it may have gone
        return order

    def on_trade(self, trade: Trade) -> None:
        if trade.aggressor == "sell" and self.bid is not None and trade.price <= self.bid.price:
            self.bid = self.met(self.bid, trade, 1)
        elif trade.aggressor == "buy" and self.ask is not None and trade.price >= self.ask.price:
            self.ask = self.met(self.ask, trade, -1)

    def met(self, order: Order, trade: Trade, sign: int) -> Order | None:
        """Fill what a trade at the order's price or beyond it fills; the order, None when it is done."""
        reached = trade.qty - order.ahead if trade.price == order.price else order.left
        order.ahead = max(0.0, -reached)
        qty = min(order.left, max(0.0, reached))
        order.left -= qty
        self.fills += qty > 0
        self.volume += qty
        self.position += sign * qty
        self.cash -= sign * qty * order.price + qty * order.price * FEE
        return order if order.left > 0 else None

    def on_status(self, book: Book | None, old: object, new: object, reason: str) -> None:
        self.bid = self.ask = None                                  # no quotes on a book that is not proved


async def main() -> None:
    given = options(__doc__)
    maker = Maker()
    with server(given.venue, given.symbol, given.url) as url:
        async with feeds.connect(given.venue, given.symbol, ("book", "trades"), maker, url=url) as feed:
            await feed.wait_live(timeout=20)
            await asyncio.sleep(given.seconds)
    worth = maker.cash + (maker.position * maker.mid if maker.position else 0.0)
    print(f"{maker.fills} fills, {maker.volume:.4f} traded, position {maker.position:+.4f} at {maker.mid:.2f}")
    print(f"profit {worth:+.2f}, after {maker.volume * maker.mid * FEE:.2f} of fees; no order was sent")


if __name__ == "__main__":
    asyncio.run(main())
