"""What strategies and researchers compute from a book, without copying it.

Every function reads one moment of one book: a Book answers when it is LIVE and raises BookNotLive otherwise, `book.raw`
answers in every state. Prices, quantities and costs are floats in the units of the venue (quote currency, base units or
contracts). What is not defined is nan: a mid with an empty side, a price for a quantity that the book does not hold.
An order to "buy" takes from the asks, one to "sell" from the bids.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from orderbook.book import BookReads
from orderbook.types import Side

_Number: TypeAlias = str | Decimal | int | float
_Real: TypeAlias = Decimal | int | float
_Order: TypeAlias = Literal["buy", "sell"]

FEATURES: dict[str, str]
"""Form of a feature's name, N standing for a number -> what it is."""

def mid(book: BookReads) -> float:
    """(best bid + best ask) / 2, a price; nan if a side is empty. Raises BookNotLive."""

def spread(book: BookReads) -> float:
    """Best ask - best bid, a price, negative if crossed; nan if a side is empty. Raises BookNotLive."""

def spread_bps(book: BookReads) -> float:
    """10,000 * (ask - bid) / |mid|; nan if a side is empty or mid is 0. Raises BookNotLive."""

def spread_ticks(book: BookReads, tick_size: _Real | None = None) -> float:
    """(ask - bid) / tick_size (None: `book.tick_size`, the step it stores); nan if a side is empty. Raises BookNotLive,
    ValueError."""

def microprice(book: BookReads) -> float:
    """(bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty) of the best levels; nan if a side is empty. Raises
    BookNotLive."""

def is_crossed(book: BookReads) -> bool:
    """Whether the best bid is above the best ask; False if a side is empty. Raises BookNotLive."""

def is_locked(book: BookReads) -> bool:
    """Whether the best bid is the best ask; False if a side is empty. Raises BookNotLive."""

class OrderFlow:
    """Order-flow imbalance of the best levels (Cont, Kukanov and Stoikov 2014), kept up update by update.

    Call `update` at every message of one book. Where the book was not LIVE in between, the sequence begins anew.
    """

    def update(self, book: BookReads) -> float:
        """Take in the book as it is now; the contribution of what changed, 0.0 the first time. Raises BookNotLive."""
    def take(self) -> float:
        """The sum since the last call, which begins again at 0."""
    def reset(self) -> None:
        """Forget the sum and the best levels, as new."""
    @property
    def total(self) -> float:
        """The sum of the contributions since the last `take`, in quantity."""
    @property
    def events(self) -> int:
        """Updates since the last `take`; the first after a beginning does not count."""

def imbalance(book: BookReads, depth: int = 5) -> float:
    """(bids - asks) / (bids + asks) of the quantities of the best `depth` levels a side; nan if both sides are empty.
    Raises BookNotLive; ValueError if depth < 1."""

def imbalance_within(book: BookReads, bps: _Real) -> float:
    """(bids - asks) / (bids + asks) of the quantities at most `bps` from mid; nan if a side is empty or nothing is
    there. Raises BookNotLive, ValueError."""

def depth_within(book: BookReads, bps: _Real) -> tuple[float, float]:
    """Quantities (bids, asks) at most `bps` from mid; nan if a side is empty. Raises BookNotLive, ValueError."""

def depth_ratio(book: BookReads, bps: _Real) -> float:
    """bids / asks of `depth_within`; inf with no asks there, nan with neither. Raises BookNotLive, ValueError."""

def known_bps(book: BookReads) -> tuple[float, float]:
    """How far from mid every level is known, as (bids, asks) in bps; inf: that whole side is. Raises BookNotLive."""

class Cost(NamedTuple):
    """What a hypothetical order would get, from `order_cost`."""

    vwap: float
    qty: float
    notional: float
    worst: float
    levels: int
    complete: bool
    fee: float
    cost: float
    impact_bps: float
    slippage_bps: float

def vwap(
    book: BookReads, order: _Order, qty: _Real | None = None, *, notional: _Real | None = None, fee_bps: float = 0.0
) -> tuple[float, float]:
    """(average price, fee in it; how much of the qty or the notional the book could fill). Raises BookNotLive,
    ValueError."""

def impact_bps(
    book: BookReads, order: _Order, qty: _Real | None = None, *, notional: _Real | None = None, fee_bps: float = 0.0
) -> float:
    """How much worse than mid an order would be filled, bps, fee included; nan if the book does not hold it all. Raises
    BookNotLive, ValueError."""

def slippage_bps(
    book: BookReads,
    order: _Order,
    arrival: _Real,
    qty: _Real | None = None,
    *,
    notional: _Real | None = None,
    fee_bps: float = 0.0,
) -> float:
    """How much worse than the price at arrival an order would be filled, bps, fee included; nan if the book does not
    hold it all. Raises BookNotLive, ValueError."""

def order_cost(
    book: BookReads,
    order: _Order,
    qty: _Real | None = None,
    *,
    notional: _Real | None = None,
    fee_bps: float = 0.0,
    arrival: _Real | None = None,
) -> Cost:
    """All figures of a hypothetical order at one moment, of the part that the book can fill. Raises BookNotLive,
    ValueError."""

def qty_to_move(book: BookReads, order: _Order, bps: _Real) -> float:
    """Quantity an order must take before the best price of that side stands `bps` farther out; inf if the book holds no
    level there, nan if the side is empty. Raises BookNotLive, ValueError."""

def depth_curve(book: BookReads, side: Side, n: int | None = None) -> NDArray[np.float64]:
    """New (k, 2) array of price and quantity up to and with it, best first. Raises BookNotLive, ValueError."""

def grouped(book: BookReads, side: Side, bucket: _Number, n: int | None = None) -> NDArray[np.float64]:
    """New (k, 2) array of a side in coarser prices: bids rounded down, asks up to a multiple of `bucket`. Raises
    BookNotLive, ValueError."""

def depth_slope(book: BookReads, side: Side, depth: int = 10) -> float:
    """Least-squares slope of the depth curve of `depth` levels, quantity per bp from mid; nan with fewer than two
    levels or an empty side. Raises BookNotLive; ValueError if depth < 2."""

def queue_ahead(book: BookReads, side: Side, price: _Number) -> tuple[float, float]:
    """(quantity at a price, quantity at better ones) of the side an order would join. Raises BookNotLive,
    ValueError."""

def dtype(names: str | Iterable[str]) -> np.dtype[np.void]:
    """The structured dtype of a row of features such as "mid,imbalance_5,ofi,depth_10bps"; FEATURES has every form.
    Raises ValueError for an unknown name, with near ones."""

def snapshot(
    book: BookReads, out: NDArray[np.void] | np.void, flow: OrderFlow | None = None, row: int = 0
) -> None:
    """Fill one structured row with features of a book, all of one moment.

    Parameters: out -- writeable array of shape () or (n,) of a dtype of features, or one row of it. flow -- the
    OrderFlow of this book, for ofi, whose sum begins again at 0. row -- which row.
    Raises: BookNotLive; TypeError for another kind of `out`; IndexError; ValueError for an unknown feature, or for ofi
    without a flow. Nothing is written where it raises.
    """
