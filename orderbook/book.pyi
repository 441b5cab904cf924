"""The price-level book. Prices and quantities are exact int64 units inside, floats and numpy arrays at the edge."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from orderbook.types import BookState

# A float stands for the shortest decimal that reads back as it: 0.1 is exactly one tenth.
_Number: TypeAlias = str | Decimal | int | float
# (price, qty) pairs in any order, or an int64 array of shape (n, 2) in units of the book's scales.
_Levels: TypeAlias = Iterable[Sequence[_Number]] | NDArray[np.int64]

class BookReads:
    """The reads of a book. `Book` answers them only when it is LIVE, `book.raw` in every state.

    Prices and quantities are floats, the nearest ones to the exact values; the `_int` names give exact integers
    in units of 10**-price_scale and 10**-qty_scale. Every read is of one moment: it never sees half a message,
    also while another thread feeds the book. What is returned is the caller's own.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Raises TypeError: `Book.raw` makes it."""
    @property
    def best_bid(self) -> tuple[float, float] | None:
        """Highest bid as (price, qty), None if there is no bid. Raises BookNotLive."""
    @property
    def best_ask(self) -> tuple[float, float] | None:
        """Lowest ask as (price, qty), None if there is no ask. Raises BookNotLive."""
    @property
    def best_bid_int(self) -> tuple[int, int] | None:
        """Highest bid as exact (price, qty) units, None if there is no bid. Raises BookNotLive."""
    @property
    def best_ask_int(self) -> tuple[int, int] | None:
        """Lowest ask as exact (price, qty) units, None if there is no ask. Raises BookNotLive."""
    def bbo(self) -> tuple[float, float, float, float]:
        """(bid_price, bid_qty, ask_price, ask_qty) of one moment, nan where a side is empty. Raises BookNotLive."""
    @property
    def spread(self) -> float | None:
        """Best ask - best bid, None if a side is empty; negative if the book is crossed. Raises BookNotLive."""
    @property
    def mid(self) -> float | None:
        """(best ask + best bid) / 2, None if a side is empty. Raises BookNotLive."""
    def bid_qty(self, price: _Number) -> float | None:
        """Quantity resting at a bid price: 0.0 where no level rests inside the trusted depth, None where none is held
        beyond it (there nothing is known). Raises BookNotLive; ValueError or TypeError if `price` is no number."""
    def ask_qty(self, price: _Number) -> float | None:
        """Quantity resting at an ask price; see `bid_qty`."""
    def bid_qty_int(self, units: int) -> int | None:
        """Exact quantity in units at a bid price in units; 0 and None as for `bid_qty`. Raises BookNotLive."""
    def ask_qty_int(self, units: int) -> int | None:
        """Exact quantity in units at an ask price in units; 0 and None as for `bid_qty`. Raises BookNotLive."""
    def top(
        self, bids: NDArray[np.float64] | NDArray[np.int64] | None, asks: NDArray[np.float64] | NDArray[np.int64] | None
    ) -> tuple[int, int]:
        """Fill the caller's arrays with the best levels, best first; nothing is allocated.

        Parameters: bids, asks -- writeable C-contiguous arrays of shape (n, 2), price and quantity, float64 or
        int64 (exact units); each may have its own n. None leaves a side out.
        Returns: (n_bids, n_asks), the rows filled; rows past them are untouched.
        Raises: BookNotLive; TypeError for another kind of array.
        """
    def bids(self, n: int | None = None) -> NDArray[np.float64]:
        """The best `n` bids (all if None) as a new (k, 2) array of (price, qty), best first. Raises BookNotLive."""
    def asks(self, n: int | None = None) -> NDArray[np.float64]:
        """The best `n` asks (all if None) as a new (k, 2) array of (price, qty), best first. Raises BookNotLive."""
    def bids_int(self, n: int | None = None) -> NDArray[np.int64]:
        """As `bids`, in exact units."""
    def asks_int(self, n: int | None = None) -> NDArray[np.int64]:
        """As `asks`, in exact units."""

    # Readable in every state.
    @property
    def status(self) -> BookState:
        """EMPTY, SYNCING, LIVE or STALE. Readable in every state."""
    @property
    def bid_levels(self) -> int:
        """Number of bid levels held. Readable in every state."""
    @property
    def ask_levels(self) -> int:
        """Number of ask levels held. Readable in every state."""
    @property
    def sequence(self) -> int:
        """The venue's number of the last message applied, 0 if it has none. Readable in every state."""
    @property
    def exchange_ns(self) -> int:
        """The venue's time of the last message applied, ns since the Unix epoch, 0 if absent."""
    @property
    def receive_ns(self) -> int:
        """Our clock when the last message applied arrived, ns since the Unix epoch, 0 if not told."""
    @property
    def price_scale(self) -> int:
        """Decimals kept of a price: units are 10**-price_scale. Grows when the wire shows more decimals."""
    @property
    def qty_scale(self) -> int:
        """Decimals kept of a quantity: units are 10**-qty_scale. Grows when the wire shows more decimals."""
    @property
    def tick_size(self) -> float:
        """The step of price the levels are stored by; it only gets finer. Not a promise of the venue's."""
    @property
    def trusted_bid(self) -> float:
        """Lowest bid price down to which every level is known; -inf if the whole side is known.

        A snapshot of limited depth says nothing of what lies beyond it: a level there is known only if it has changed.
        """
    @property
    def trusted_ask(self) -> float:
        """Highest ask price up to which every level is known; inf if the whole side is known."""
    @property
    def nbytes(self) -> int:
        """Bytes of memory the book holds, levels and directory."""
    def price_text(self, units: int) -> str:
        """Plain decimal text of a price in units: no exponent, no trailing zeros ("0.1", "100")."""
    def qty_text(self, units: int) -> str:
        """Plain decimal text of a quantity in units."""
    def price_decimal(self, units: int) -> Decimal:
        """Exact Decimal of a price in units."""
    def qty_decimal(self, units: int) -> Decimal:
        """Exact Decimal of a quantity in units."""

class Book(BookReads):
    """One instrument's price levels, both sides.

    Parameters: price_scale, qty_scale -- decimals kept to begin with (0 to 18); both widen without loss when an
    input shows more. tick_size -- smallest step of price; None learns it from the first snapshot. A finer price
    later only makes the tick finer.
    Raises: ValueError for a scale or tick that cannot be.
    """

    symbol: str
    """As the venue writes it, "" if the book stands alone."""
    reason: str
    """Why the book is in its state, "" if there is nothing to say."""
    since_ns: int
    """Our clock when the book came into its state, ns since the Unix epoch; 0 if nobody told, as for a new book."""

    def __init__(self, price_scale: int = 0, qty_scale: int = 0, tick_size: _Number | None = None) -> None: ...
    @property
    def raw(self) -> BookReads:
        """The same reads in every state: what is held, proved or not."""
    def apply_snapshot(
        self, bids: _Levels, asks: _Levels, sequence: int = 0, exchange_ns: int = 0, receive_ns: int = 0
    ) -> None:
        """Replace the whole book and make it LIVE; as a whole or, when it raises, not at all.

        Parameters: bids, asks -- iterables of (price, qty), or int64 arrays of shape (n, 2) in units of this book's
        scales; in any order, a quantity of 0 sets nothing. sequence -- the venue's number. exchange_ns,
        receive_ns -- ns since the Unix epoch, 0 if not known.
        Raises: BookError for a value that is no number, does not fit int64 exactly, or a negative quantity.
        """
    def apply_delta(
        self, bids: _Levels, asks: _Levels, sequence: int = 0, exchange_ns: int = 0, receive_ns: int = 0
    ) -> None:
        """Set new absolute quantities for some prices, 0 removes; as a whole or, when it raises, not at all.

        Parameters and errors as for `apply_snapshot`; bids first, each side in the order given.
        Raises: BookNotLive besides, if the book is not LIVE: a delta needs a snapshot to change.
        """
