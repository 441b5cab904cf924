"""What strategies and researchers compute from trades, trade by trade: sums over a rolling window, and bars.

Prices and quantities are floats in the units of the venue, times ns since the Unix epoch.
"""

from typing import Literal, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Aggressor: TypeAlias = Literal["buy", "sell"] | None

class _Trade(Protocol):
    @property
    def price(self) -> float: ...
    @property
    def qty(self) -> float: ...
    @property
    def aggressor(self) -> _Aggressor: ...
    @property
    def exchange_ns(self) -> int: ...
    @property
    def receive_ns(self) -> int: ...

BAR: np.dtype[np.void]
"""Of a bar: start_ns, end_ns, trades (int64), open, high, low, close, volume, bought, sold, notional (float64)."""

class Tape:
    """Trades of one instrument over a rolling window: those younger than `window_ns` at the latest time told.

    Raises ValueError if window_ns < 1.
    """

    def __new__(cls, window_ns: int) -> Self: ...
    def add(self, price: float, qty: float, aggressor: _Aggressor, ns: int) -> None:
        """Take in a trade; a time before the latest counts as that. Raises ValueError for numbers that cannot be."""
    def add_trade(self, trade: _Trade) -> None:
        """Take in a Trade as a handler gets it."""
    def advance(self, ns: int) -> None:
        """It is so late: drop what has become too old."""
    @property
    def count(self) -> int:
        """Trades in the window."""
    @property
    def volume(self) -> float:
        """Quantity traded."""
    @property
    def bought(self) -> float:
        """Quantity of the trades whose aggressor bought."""
    @property
    def sold(self) -> float:
        """Quantity of the trades whose aggressor sold."""
    @property
    def notional(self) -> float:
        """Sum of price * quantity."""
    @property
    def imbalance(self) -> float:
        """(bought - sold) / (bought + sold), in [-1, 1]; nan if neither traded."""
    @property
    def vwap(self) -> float:
        """sum(price * q) / sum(q); nan without volume."""
    @property
    def volatility(self) -> float:
        """sqrt(sum of squared log returns of successive trades), not annualised; nan with fewer than two trades or a
        price that is not above 0."""

class Bars:
    """Bars of one instrument's trades.

    Parameters: kind -- what fills a bar: "time" (size in ns since the epoch), "tick" (trades), "volume" (quantity) or
    "dollar" (notional). size -- how much of it, above 0.
    Raises: ValueError for another kind or a size that cannot be.
    """

    def __new__(cls, kind: Literal["time", "tick", "volume", "dollar"], size: float) -> Self: ...
    def add(self, price: float, qty: float, aggressor: _Aggressor, ns: int) -> bool:
        """Take in a trade; True if that finishes a bar: for time bars the one before."""
    def add_trade(self, trade: _Trade) -> bool:
        """Take in a Trade as a handler gets it."""
    def advance(self, ns: int) -> bool:
        """It is so late: True if that finishes a time bar."""
    @property
    def finished(self) -> int:
        """Finished bars that wait for `take`."""
    def take(self) -> NDArray[np.void]:
        """The finished bars as a new array of dtype BAR, oldest first; they are forgotten here."""
    @property
    def current(self) -> NDArray[np.void] | None:
        """The bar being made, as an array of shape (); None if no trade is in it."""
