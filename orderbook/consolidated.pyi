"""A consolidated book: best prices and depth over the books of several venues, read where they stand."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from orderbook.book import Book

_Number: TypeAlias = str | Decimal | int | float
_Best: TypeAlias = tuple[float, float, tuple[str, ...]]

class _Terms(TypedDict):
    multiplier: float
    inverse: bool
    rate: float
    fee: float

class ConsolidatedReads:
    """The reads of a consolidated book: `ConsolidatedBook` gives prices as they stand, its `net` after taker fees.

    Prices are in the common quote currency, quantities in base units, both floats. Each venue is read at one moment of
    its own, from any thread. A read raises BookNotLive where no venue is in.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Raises TypeError: `ConsolidatedBook.net` makes it."""
    @property
    def books(self) -> tuple[Book, ...]:
        """The books, in the order they were given."""
    @property
    def names(self) -> tuple[str, ...]:
        """The venues' names, in the order of the books."""
    def bbo(self) -> tuple[float, float, float, float]:
        """(bid_price, bid_qty, ask_price, ask_qty) over the venues, nan where a side is empty. Raises BookNotLive.

        A quantity is that of all venues at the price. The bid may be above the ask: two venues are crossed.
        """
    @property
    def best_bid(self) -> _Best | None:
        """Highest bid as (price, qty, names of the venues that stand there), None without one. Raises BookNotLive."""
    @property
    def best_ask(self) -> _Best | None:
        """Lowest ask as (price, qty, names of the venues that stand there), None without one. Raises BookNotLive."""
    @property
    def spread(self) -> float | None:
        """Best ask - best bid (negative: crossed), None if a side is empty. Raises BookNotLive."""
    @property
    def mid(self) -> float | None:
        """(best ask + best bid) / 2, None if a side is empty. Raises BookNotLive."""
    def top(self, bids: NDArray[np.float64] | None, asks: NDArray[np.float64] | None) -> tuple[int, int]:
        """Fill the caller's arrays with the best merged levels, best first.

        Parameters: bids, asks -- writeable C-contiguous float64 arrays of n rows: price and quantity, or with
        1 + len(names) columns price and the quantity of each venue. None leaves a side out.
        Returns: (n_bids, n_asks), the rows filled; rows past them are untouched.
        Raises: BookNotLive; TypeError for another kind of array.
        """
    def bids(self, n: int | None = None, *, split: bool = False) -> NDArray[np.float64]:
        """The best `n` merged bids (all if None) as a new float64 array, best first. Raises BookNotLive.

        Shape (k, 2), price and quantity; with `split` (k, 1 + len(names)), price and the quantity of each venue.
        """
    def asks(self, n: int | None = None, *, split: bool = False) -> NDArray[np.float64]:
        """The best `n` merged asks (all if None) as a new float64 array, best first; see `bids`."""

    # Readable in every state.
    @property
    def live(self) -> tuple[str, ...]:
        """Names of the venues that are in: the book is LIVE and the rate known."""
    @property
    def receive_ns(self) -> int:
        """Our clock when the newest message of any of the books arrived, ns since the Unix epoch, 0 if not told."""
    @property
    def terms(self) -> dict[str, _Terms]:
        """How each book is converted: name -> {"multiplier", "inverse", "rate", "fee"}."""

class ConsolidatedBook(ConsolidatedReads):
    """Several venues' books of one thing, read as one.

    A venue whose book is not LIVE is out at once, and back when it is: every read looks, nothing has to be told.

    Parameters: books -- 1 to 64 `Book`s, each once. names -- of the venues, each once; None takes the books' symbols if
    they differ, else "0", "1", ... The others have a value for each book in order, or map names to values, and what is
    not named keeps the default. multipliers -- base units in one unit of a book's quantity (1: the book has base units;
    contracts: their size); of an inverse contract what it is worth in the book's quote currency. inverse -- True for
    inverse contracts: `qty * multiplier / price` is the quantity in base units (False). rates -- common quote currency
    for one unit of the book's own (1); nan: not known now, the venue is out. fees -- taker fees as fractions of the
    price, 0.0005 for 5 bps (0); `net` has the prices after them.
    Raises: ValueError for no or too many books, duplicates, a number of values or names that does not fit, a multiplier
    or rate that is not above 0, a fee that is not from 0 to below 1; TypeError for what is no Book.
    """

    def __init__(
        self,
        books: Iterable[Book],
        *,
        names: Iterable[str] | None = None,
        multipliers: Iterable[_Number] | Mapping[str, _Number] | None = None,
        inverse: Iterable[bool] | Mapping[str, bool] | None = None,
        rates: Iterable[_Number] | Mapping[str, _Number] | None = None,
        fees: Iterable[_Number] | Mapping[str, _Number] | None = None,
    ) -> None: ...
    @property
    def net(self) -> ConsolidatedReads:
        """The same reads after taker fees: a bid is what a seller gets, an ask what a buyer pays."""
    def change(
        self, name: str, *, multiplier: _Number | None = None, rate: _Number | None = None, fee: _Number | None = None
    ) -> None:
        """Give a venue another multiplier, rate or fee; the next read has it. None leaves one as it is.

        Raises: KeyError for an unknown name; ValueError as when the book is made, and nothing is changed.
        """
