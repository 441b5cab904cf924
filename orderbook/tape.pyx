"""What strategies and researchers compute from trades, trade by trade: sums over a rolling window, and bars.

Prices and quantities are floats in the units of the venue, times ns since the Unix epoch. The same for Cython stands in
tape.pxd. Trades are counted as they are told: order and gaps of a stream are the stream's.
"""

cimport numpy as cnp
from libc.math cimport NAN, isfinite, sqrt
from libc.stdint cimport INT64_MIN, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import numpy as np

cnp.import_array()

cdef enum:
    FIRST_ROOM = 64           # trades, a power of two

BAR = np.dtype([("start_ns", np.int64), ("end_ns", np.int64), ("trades", np.int64), ("open", np.float64),
                ("high", np.float64), ("low", np.float64), ("close", np.float64), ("volume", np.float64),
                ("bought", np.float64), ("sold", np.float64), ("notional", np.float64)])
cdef dict KINDS = {"time": BAR_TIME, "tick": BAR_TICK, "volume": BAR_VOLUME, "dollar": BAR_DOLLAR}


cdef int sign_of(aggressor, double price, double qty) except -2:
    """+1, -1 or 0 of an aggressor, and a look at the numbers. Raises ValueError."""
    if not (isfinite(price) and isfinite(qty) and qty >= 0):
        raise ValueError(f"a trade has a finite price and a finite quantity of 0 or more, not {price}, {qty}")
    if aggressor == "buy":
        return 1
    if aggressor == "sell":
        return -1
    if aggressor is None:
        return 0
    raise ValueError(f'an aggressor is "buy", "sell" or None, not {aggressor!r}')


cdef int64_t time_of(trade) except? -1:
    """When a trade happened: the venue's time, ours where it tells none."""
    return trade.exchange_ns or trade.receive_ns


cdef class Tape:
    """Trades of one instrument over a rolling window: the last `window_ns` before the latest time told.

    A trade is in the window while it is younger than window_ns. Adding takes constant time on average and memory for
    the trades in the window; reading takes constant time. Sums are made by addition only, so what has left the window
    leaves no rounding behind. Raises ValueError if window_ns < 1.
    """

    def __cinit__(self, int64_t window_ns):
        if window_ns < 1:
            raise ValueError(f"window_ns is 1 or more, not {window_ns}")
        self.window.ring = <Entry*> malloc(FIRST_ROOM * sizeof(Entry))
        if self.window.ring == NULL:
            raise MemoryError
        self.window.room = FIRST_ROOM
        self.window.span_ns = window_ns
        self.window.now_ns = INT64_MIN // 2
        self.window.last_price = NAN

    def __dealloc__(self):
        free(self.window.ring)

    def add(self, double price, double qty, aggressor, int64_t ns):
        """Take in a trade.

        Parameters: aggressor -- "buy", "sell" or None (not told). ns -- its time; one before the latest counts as that.
        Raises: ValueError for a price or quantity that is not finite, a negative quantity, another aggressor.
        """
        if not window_add(&self.window, price, qty, sign_of(aggressor, price, qty), ns):
            raise MemoryError

    def add_trade(self, trade):
        """Take in a Trade as a handler gets it (price, qty, aggressor, exchange_ns; receive_ns where that is 0)."""
        self.add(trade.price, trade.qty, trade.aggressor, time_of(trade))

    def advance(self, int64_t ns):
        """It is so late: drop what has become too old. Times before the latest one change nothing."""
        window_advance(&self.window, ns)

    @property
    def count(self):
        """Trades in the window."""
        return self.window.count

    @property
    def volume(self):
        """Quantity traded."""
        cdef Sums sums
        window_sums(&self.window, &sums)
        return sums.bought + sums.sold + sums.untold

    @property
    def bought(self):
        """Quantity of the trades whose aggressor bought."""
        cdef Sums sums
        window_sums(&self.window, &sums)
        return sums.bought

    @property
    def sold(self):
        """Quantity of the trades whose aggressor sold."""
        cdef Sums sums
        window_sums(&self.window, &sums)
        return sums.sold

    @property
    def notional(self):
        """Sum of price * quantity."""
        cdef Sums sums
        window_sums(&self.window, &sums)
        return sums.notional

    @property
    def imbalance(self):
        """(bought - sold) / (bought + sold), in [-1, 1]; nan if neither traded."""
        cdef Sums sums
        window_sums(&self.window, &sums)
        return (sums.bought - sums.sold) / (sums.bought + sums.sold) if sums.bought + sums.sold > 0 else NAN

    @property
    def vwap(self):
        """sum(price * q) / sum(q), a price; nan without volume."""
        cdef Sums sums
        cdef double volume
        window_sums(&self.window, &sums)
        volume = sums.bought + sums.sold + sums.untold
        return sums.notional / volume if volume > 0 else NAN

    @property
    def volatility(self):
        """Realised volatility: sqrt(sum of ln(p[i] / p[i-1])**2) over successive trades in the window, not annualised.

        nan with fewer than two trades, or with a price that is not above 0. Trade prices bounce between bid and ask,
        which adds to it: for less of that feed another Tape the closes of time bars.
        Source: Andersen, Bollerslev, Diebold and Labys (2003), Modeling and forecasting realized volatility
        """
        cdef Sums sums
        window_sums(&self.window, &sums)
        return sqrt(sums.squares) if self.window.count > 1 and sums.undefined == 0 else NAN

    def __repr__(self):
        return f"<Tape {self.count} trades, volume {self.volume:g}>"


cdef class Bars:
    """Bars of one instrument's trades.

    Parameters: kind -- "time": one for each span of `size` ns since the epoch in which there was a trade; "tick": after
    `size` trades; "volume": after a quantity of `size`; "dollar": after a notional of `size`. A trade that fills a bar
    belongs to it as a whole, so bars can be larger than size.
    Raises: ValueError for another kind, a size that is not above 0, or a broken number of ns or trades.
    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, chapter 2
    """

    def __cinit__(self, str kind, double size):
        if kind not in KINDS:
            raise ValueError(f"bars are of {', '.join(KINDS)}, not {kind!r}")
        if not (isfinite(size) and size > 0) or (kind in ("time", "tick") and not 1 <= size == int(size) < 2**53):
            raise ValueError(f"expected a size above 0, whole for time and tick, not {size!r}")
        self.row.kind = KINDS[kind]
        self.row.size = size
        self.row.now_ns = INT64_MIN

    def __dealloc__(self):
        free(self.row.finished)

    def add(self, double price, double qty, aggressor, int64_t ns):
        """Take in a trade, as `Tape.add` does; True if that finishes a bar: for time bars the one before."""
        cdef int done = bars_add(&self.row, price, qty, sign_of(aggressor, price, qty), ns)
        if done < 0:
            raise MemoryError
        return done > 0

    def add_trade(self, trade):
        """Take in a Trade as a handler gets it; see `add`."""
        return self.add(trade.price, trade.qty, trade.aggressor, time_of(trade))

    def advance(self, int64_t ns):
        """It is so late: True if that finishes a time bar. Without it the first trade past a bar does."""
        cdef int done = bars_advance(&self.row, ns)
        if done < 0:
            raise MemoryError
        return done > 0

    @property
    def finished(self):
        """Finished bars that wait for `take`."""
        return self.row.count

    def take(self):
        """The finished bars as a new array of dtype BAR, oldest first; they are forgotten here."""
        array = np.empty(self.row.count, BAR)
        if self.row.count:
            memcpy(cnp.PyArray_DATA(array), self.row.finished, self.row.count * sizeof(Bar))
        self.row.count = 0
        return array

    @property
    def current(self):
        """The bar being made, as an array of dtype BAR and shape (); None if no trade is in it."""
        if self.row.bar.trades == 0:
            return None
        array = np.empty((), BAR)
        memcpy(cnp.PyArray_DATA(array), &self.row.bar, sizeof(Bar))
        return array
