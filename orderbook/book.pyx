"""The Python face of a book: reads, snapshots and deltas, exact numbers in and out."""

cimport numpy as cnp
from libc.math cimport NAN, INFINITY
from libc.stdint cimport int64_t, INT64_MAX, INT64_MIN
from orderbook.quantity cimport qty_double, units_double
from orderbook.types cimport qty_t, Status, OK, BOOK_LIVE, status_text
from orderbook.update cimport Levels, levels_free, levels_reserve
from orderbook.ladder cimport Ladder, Walk, walk_start, walk_next, ladder_bytes
from orderbook.core cimport (BookData, POWER, TEN, Touch, lock_take, lock_drop, book_init, book_set_status, book_touch,
                             book_free, book_apply_snapshot, book_apply_delta, book_widen_price, book_widen_qty,
                             side_qty, MAX_SCALE)

from orderbook.decimals import as_parts, as_units, qty_parts, units_decimal, units_text
from orderbook.types import BookError, BookNotLive, BookState

import numpy as np

cnp.import_array()

cdef tuple STATES = tuple(BookState)


cdef class BookReads:
    """The reads of a book. `Book` answers them only when it is LIVE, `book.raw` in every state.

    Prices and quantities are floats, the nearest ones to the exact values; the `_int` names give exact integers
    in units of 10**-price_scale and 10**-qty_scale. Every read is of one moment: it never sees half a message,
    also while another thread feeds the book. What is returned is the caller's own.
    """

    def __init__(self):
        if self.data == NULL:
            raise TypeError("BookReads is made by Book: use book.raw")

    cdef inline int check(self, int status) except -1:
        """Raise BookNotLive unless this object may answer for a book that was in this state when it was read."""
        if status == BOOK_LIVE or self.any_state:
            return 0
        return self.refuse(status)

    cdef int refuse(self, int status) except -1:
        """Raise BookNotLive."""
        book = self.owner if self.owner is not None else self
        name = f"{book.symbol}: " if book.symbol else ""
        why = f" ({book.reason})" if book.reason else ""
        raise BookNotLive(f"{name}the book is {STATES[status].name}{why}; book.raw answers in every state")

    @property
    def best_bid(self):
        """Highest bid as (price, qty) floats, None if there is no bid. Raises BookNotLive.

        Below `trusted_bid` it is the best of the levels that changed since the snapshot: a better one may be unknown.
        """
        cdef Touch touch
        book_touch(self.data, &touch)
        self.check(touch.status)
        if touch.bid_qty == 0:
            return None
        return units_double(touch.bid, POWER[touch.price_scale]), qty_double(touch.bid_qty, POWER[touch.qty_scale])

    @property
    def best_ask(self):
        """Lowest ask as (price, qty) floats, None if there is no ask. Raises BookNotLive.

        Above `trusted_ask` it is the best of the levels that changed since the snapshot: a better one may be unknown.
        """
        cdef Touch touch
        book_touch(self.data, &touch)
        self.check(touch.status)
        if touch.ask_qty == 0:
            return None
        return units_double(touch.ask, POWER[touch.price_scale]), qty_double(touch.ask_qty, POWER[touch.qty_scale])

    @property
    def best_bid_int(self):
        """Highest bid as exact (price, qty) units, None if there is no bid. Raises BookNotLive."""
        cdef Touch touch
        book_touch(self.data, &touch)
        self.check(touch.status)
        return (touch.bid, touch.bid_qty) if touch.bid_qty else None

    @property
    def best_ask_int(self):
        """Lowest ask as exact (price, qty) units, None if there is no ask. Raises BookNotLive."""
        cdef Touch touch
        book_touch(self.data, &touch)
        self.check(touch.status)
        return (touch.ask, touch.ask_qty) if touch.ask_qty else None

    def bbo(self):
        """(bid_price, bid_qty, ask_price, ask_qty) of one moment, nan where a side is empty. Raises BookNotLive."""
        cdef Touch touch
        cdef double price_power, qty_power
        cdef double bid = NAN, bid_qty = NAN, ask = NAN, ask_qty = NAN
        book_touch(self.data, &touch)
        self.check(touch.status)
        price_power = POWER[touch.price_scale]
        qty_power = POWER[touch.qty_scale]
        if touch.bid_qty:
            bid, bid_qty = units_double(touch.bid, price_power), qty_double(touch.bid_qty, qty_power)
        if touch.ask_qty:
            ask, ask_qty = units_double(touch.ask, price_power), qty_double(touch.ask_qty, qty_power)
        return bid, bid_qty, ask, ask_qty

    @property
    def spread(self):
        """Best ask - best bid as float (negative: crossed), None if a side is empty. Raises BookNotLive."""
        cdef Touch touch
        if not both(self, &touch):
            return None
        return (touch.ask - touch.bid) / POWER[touch.price_scale]

    @property
    def mid(self):
        """(best ask + best bid) / 2 as float, None if a side is empty. Raises BookNotLive."""
        cdef Touch touch
        if not both(self, &touch):
            return None
        return (<double> touch.ask + <double> touch.bid) / (2 * POWER[touch.price_scale])

    def bid_qty(self, price):
        """Quantity resting at a bid price (str, Decimal, int or float).

        Returns a float: 0.0 where no level rests inside the trusted depth, None where none is held beyond it.
        Raises BookNotLive; ValueError or TypeError if `price` is no number.
        """
        return self._qty(price, True)

    def ask_qty(self, price):
        """Quantity resting at an ask price; see `bid_qty`."""
        return self._qty(price, False)

    def _qty(self, price, bint bid):
        cdef qty_t qty = 0
        cdef int decimals, scale = 0
        mantissa, written = as_parts(price)
        decimals = min(written, MAX_SCALE)
        mantissa = max(-INT64_MAX, min(INT64_MAX, mantissa // 10 ** (written - decimals)))
        found = read_qty(self, mantissa, decimals, bid, &qty, &scale)
        if written > MAX_SCALE:
            qty = 0                                       # finer than any level can be
        return qty_double(qty, POWER[scale]) if found else None

    def bid_qty_int(self, units):
        """Exact quantity in units at a bid price in units; 0 and None as for `bid_qty`."""
        return self._qty_int(units, True)

    def ask_qty_int(self, units):
        """Exact quantity in units at an ask price in units; 0 and None as for `bid_qty`."""
        return self._qty_int(units, False)

    def _qty_int(self, int64_t units, bint bid):
        cdef qty_t qty = 0
        cdef int scale = 0
        return qty if read_qty(self, units, -1, bid, &qty, &scale) else None

    def top(self, bids, asks):
        """Fill the caller's arrays with the best levels, best first; nothing is allocated.

        Parameters: bids, asks -- writeable C-contiguous arrays of shape (n, 2), price and quantity, float64 or
        int64 (exact units); each may have its own n. None leaves a side out.
        Returns: (n_bids, n_asks), the rows filled; rows past them are untouched.
        Raises: BookNotLive; TypeError for another kind of array.
        """
        cdef Py_ssize_t n_bids = 0, n_asks = 0
        cdef int status
        check_rows(bids)
        check_rows(asks)
        lock_take(&self.data.lock)
        status = self.data.status
        if status != BOOK_LIVE and not self.any_state:
            lock_drop(&self.data.lock)
            self.check(status)
        if bids is not None:
            n_bids = fill(self.data, &self.data.bids, <cnp.PyArrayObject*> bids)
        if asks is not None:
            n_asks = fill(self.data, &self.data.asks, <cnp.PyArrayObject*> asks)
        lock_drop(&self.data.lock)
        return n_bids, n_asks

    def bids(self, n=None):
        """The best `n` bids (all if None) as a new float64 array of shape (k, 2), best first. Raises BookNotLive."""
        return rows(self, &self.data.bids, n, cnp.NPY_FLOAT64)

    def asks(self, n=None):
        """The best `n` asks (all if None) as a new float64 array of shape (k, 2), best first. Raises BookNotLive."""
        return rows(self, &self.data.asks, n, cnp.NPY_FLOAT64)

    def bids_int(self, n=None):
        """As `bids`, in exact int64 units."""
        return rows(self, &self.data.bids, n, cnp.NPY_INT64)

    def asks_int(self, n=None):
        """As `asks`, in exact int64 units."""
        return rows(self, &self.data.asks, n, cnp.NPY_INT64)

    # What follows is readable in every state.

    @property
    def status(self):
        """BookState: EMPTY, SYNCING, LIVE or STALE. Readable in every state."""
        return STATES[self.data.status]

    @property
    def bid_levels(self):
        """Number of bid levels held. Readable in every state."""
        return self.data.bids.n_levels

    @property
    def ask_levels(self):
        """Number of ask levels held. Readable in every state."""
        return self.data.asks.n_levels

    @property
    def sequence(self):
        """The venue's number of the last message applied, 0 if it has none. Readable in every state."""
        return self.data.sequence

    @property
    def exchange_ns(self):
        """The venue's time of the last message applied, ns since the Unix epoch, 0 if absent."""
        return self.data.exchange_ns

    @property
    def receive_ns(self):
        """Our clock when the last message applied arrived, ns since the Unix epoch, 0 if not told."""
        return self.data.receive_ns

    @property
    def price_scale(self):
        """Decimals kept of a price: units are 10**-price_scale. Grows when the wire shows more decimals."""
        return self.data.price_scale

    @property
    def qty_scale(self):
        """Decimals kept of a quantity: units are 10**-qty_scale. Grows when the wire shows more decimals."""
        return self.data.qty_scale

    @property
    def tick_size(self):
        """The step of price the levels are stored by, as float; it only gets finer. Not a promise of the venue's."""
        return self.data.ticks.size / POWER[self.data.price_scale]

    @property
    def trusted_bid(self):
        """Lowest bid price down to which every level is known, as float; -inf if the whole side is known.

        A snapshot of limited depth says nothing of what lies beyond it: a level there is known only if it changed.
        """
        if self.data.trusted_bid == INT64_MIN:
            return -INFINITY
        return self.data.trusted_bid / POWER[self.data.price_scale]

    @property
    def trusted_ask(self):
        """Highest ask price up to which every level is known, as float; inf if the whole side is known."""
        if self.data.trusted_ask == INT64_MAX:
            return INFINITY
        return self.data.trusted_ask / POWER[self.data.price_scale]

    @property
    def nbytes(self):
        """Bytes of memory the book holds, levels and directory."""
        return sizeof(BookData) + ladder_bytes(&self.data.bids) + ladder_bytes(&self.data.asks)

    def price_text(self, units):
        """Plain decimal text of a price in units: no exponent, no trailing zeros ("0.1", "100")."""
        return units_text(units, self.data.price_scale)

    def qty_text(self, units):
        """Plain decimal text of a quantity in units, or of an own quantity (see `orderbook.decimals.qty_parts`)."""
        return units_text(*qty_parts(units, self.data.qty_scale))

    def price_decimal(self, units):
        """Exact decimal.Decimal of a price in units."""
        return units_decimal(units, self.data.price_scale)

    def qty_decimal(self, units):
        """Exact decimal.Decimal of a quantity in units, or of an own quantity."""
        return units_decimal(*qty_parts(units, self.data.qty_scale))


cdef class Book(BookReads):
    """One instrument's price levels, both sides.

    Parameters: price_scale, qty_scale -- decimals kept to begin with (0 to 18); both widen without loss when an
    input shows more. tick_size -- smallest step of price (str, Decimal, int, float); None learns it from the
    first snapshot. A finer price later only makes the tick finer.
    Raises: ValueError for a scale or tick that cannot be.
    """

    def __cinit__(self, int price_scale=0, int qty_scale=0, tick_size=None):
        cdef int64_t tick = 0
        if not (0 <= price_scale <= MAX_SCALE and 0 <= qty_scale <= MAX_SCALE):
            raise ValueError(f"a scale is 0 to {MAX_SCALE}, not {price_scale}, {qty_scale}")
        if tick_size is not None:
            mantissa, decimals = as_parts(tick_size)
            if mantissa <= 0:
                raise ValueError(f"tick_size is more than 0, not {tick_size}")
            if decimals > MAX_SCALE:
                raise ValueError(f"tick_size has at most {MAX_SCALE} decimals, not {tick_size}")
            price_scale = max(price_scale, decimals)
            if mantissa * 10 ** (price_scale - decimals) > INT64_MAX:
                raise ValueError(f"int64 cannot hold a tick_size of {tick_size} at scale {price_scale}")
            tick = as_units(tick_size, price_scale)
        self.data = &self.own
        self.symbol = ""
        self.reason = ""
        self.since_ns = 0
        if not book_init(&self.own, price_scale, qty_scale, tick):
            raise MemoryError("no memory for a book")

    def __init__(self, price_scale=0, qty_scale=0, tick_size=None):
        pass

    def __dealloc__(self):
        book_free(&self.own)

    @property
    def raw(self):
        """The same reads in every state: what is held, proved or not."""
        cdef BookReads reads = BookReads.__new__(BookReads)
        reads.data = self.data
        reads.owner = self
        reads.any_state = True
        return reads

    cdef void set_status(self, int status, str reason):
        book_set_status(&self.own, status)
        self.reason = reason

    def apply_snapshot(self, bids, asks, int64_t sequence=0, int64_t exchange_ns=0, int64_t receive_ns=0):
        """Replace the whole book and make it LIVE; as a whole or, when it raises, not at all.

        Parameters: bids, asks -- iterables of (price, qty), each str, Decimal, int or float (the shortest decimal
        that reads back as that float), or int64 arrays of shape (n, 2) in units of this book's scales; in any
        order, a quantity of 0 sets nothing. sequence -- the venue's number. exchange_ns, receive_ns -- ns since
        the Unix epoch, 0 if not known.
        Raises: BookError for a value that is no number, does not fit int64 exactly, or a negative quantity.
        """
        self._apply(True, bids, asks, sequence, exchange_ns, receive_ns)

    def apply_delta(self, bids, asks, int64_t sequence=0, int64_t exchange_ns=0, int64_t receive_ns=0):
        """Set new absolute quantities for some prices, 0 removes; as a whole or, when it raises, not at all.

        Parameters and errors as for `apply_snapshot`; bids first, each side in the order given.
        Raises: BookNotLive besides, if the book is not LIVE: a delta needs a snapshot to change.
        """
        self.check(self.own.status)
        self._apply(False, bids, asks, sequence, exchange_ns, receive_ns)

    def _apply(self, bint snapshot, bids, asks, int64_t sequence, int64_t exchange_ns, int64_t receive_ns):
        cdef Levels bid_levels, ask_levels
        cdef Status status
        bid_rows, ask_rows = level_parts(bids, "bids"), level_parts(asks, "asks")
        widen_for(self, (bid_rows, ask_rows))
        bid_levels.price = ask_levels.price = NULL
        bid_levels.qty = ask_levels.qty = NULL
        bid_levels.rank = ask_levels.rank = NULL
        bid_levels.room = ask_levels.room = 0
        try:
            fill_levels(self, &bid_levels, bid_rows, "bids")
            fill_levels(self, &ask_levels, ask_rows, "asks")
            if snapshot:
                status = book_apply_snapshot(self.data, &bid_levels, &ask_levels, sequence, exchange_ns, receive_ns,
                                             BOOK_LIVE)
            else:
                status = book_apply_delta(self.data, &bid_levels, &ask_levels, sequence, exchange_ns, receive_ns)
        finally:
            levels_free(&bid_levels)
            levels_free(&ask_levels)
        if status != OK:
            kind = "snapshot" if snapshot else "delta"
            raise BookError(f"{kind} not applied: expected {status_text(status).decode()}")
        if snapshot:
            self.reason = ""

    def __repr__(self):
        name = f" {self.symbol}" if self.symbol else ""
        return f"<Book{name} {self.status.name} {self.bid_levels} bids {self.ask_levels} asks>"


cdef bint both(BookReads self, Touch* touch) except -1:
    """Both best levels of one moment; False if a side is empty."""
    book_touch(self.data, touch)
    self.check(touch.status)
    return touch.bid_qty != 0 and touch.ask_qty != 0


cdef bint read_qty(BookReads self, int64_t price, int decimals, bint bid, qty_t* qty, int* scale) except -1:
    """Quantity at a price with so many decimals (-1: a price in units), and the scale of the quantity.

    False where no level is held beyond the trusted depth. Price and scales are of one moment.
    """
    cdef bint trusted
    cdef int status, more
    cdef int64_t rest = 0
    lock_take(&self.data.lock)
    status = self.data.status
    scale[0] = self.data.qty_scale
    more = self.data.price_scale - decimals if decimals >= 0 else 0
    if more < 0:                                          # between two units, so no level; round down
        rest = price % TEN[-more]
        rest += TEN[-more] if rest < 0 else 0
        price = (price - rest) // TEN[-more]
    elif -(INT64_MAX // TEN[more]) <= price <= INT64_MAX // TEN[more]:
        price *= TEN[more]
    else:
        price = INT64_MAX if price > 0 else -INT64_MAX
    if rest == 0:
        qty[0] = side_qty(self.data, &self.data.bids if bid else &self.data.asks, price)
    if bid:
        trusted = price >= self.data.trusted_bid
    else:
        trusted = price + (rest != 0) <= self.data.trusted_ask
    lock_drop(&self.data.lock)
    self.check(status)
    return qty[0] != 0 or trusted


cdef int check_rows(array) except -1:
    """Raise TypeError unless `array` can be filled by `top`."""
    cdef int kind
    if array is None:
        return 0
    if cnp.PyArray_Check(array):
        kind = cnp.PyArray_TYPE(array)
        if (cnp.PyArray_NDIM(array) == 2 and cnp.PyArray_DIM(array, 1) == 2 and cnp.PyArray_IS_C_CONTIGUOUS(array)
                and cnp.PyArray_ISWRITEABLE(array) and cnp.PyArray_ISNOTSWAPPED(array)
                and (kind == cnp.NPY_FLOAT64 or kind == cnp.NPY_INT64)):
            return 0
    raise TypeError("expected a writeable C-contiguous float64 or int64 array of shape (n, 2)")


cdef Py_ssize_t fill(const BookData* data, const Ladder* side, cnp.PyArrayObject* array) noexcept:
    """Write the best levels into a checked array; the caller holds the lock."""
    cdef Py_ssize_t i = 0, n = cnp.PyArray_DIM(<object> array, 0)
    cdef double* floats = <double*> cnp.PyArray_DATA(<object> array)
    cdef int64_t* units = <int64_t*> floats
    cdef double price_power = POWER[data.price_scale], qty_power = POWER[data.qty_scale]
    cdef int64_t tick = side.sign * data.ticks.size, rank
    cdef qty_t qty
    cdef Walk walk
    walk_start(&walk, side)
    if cnp.PyArray_TYPE(<object> array) == cnp.NPY_FLOAT64:
        while i < n and walk_next(&walk, &rank, &qty):
            floats[2 * i] = units_double(tick * rank, price_power)
            floats[2 * i + 1] = qty_double(qty, qty_power)
            i += 1
    else:
        while i < n and walk_next(&walk, &rank, &qty):
            units[2 * i] = tick * rank
            units[2 * i + 1] = qty
            i += 1
    return i


cdef object rows(BookReads self, const Ladder* side, n, int kind):
    """A new array of the best `n` levels of a side."""
    cdef cnp.npy_intp shape[2]
    cdef Py_ssize_t filled, wanted
    cdef int status
    if n is not None and n < 0:
        raise ValueError(f"n is 0 or more, not {n}")
    shape[1] = 2
    while True:
        shape[0] = side.n_levels if n is None or n > side.n_levels else n
        array = cnp.PyArray_EMPTY(2, shape, kind, 0)
        lock_take(&self.data.lock)
        status = self.data.status
        wanted = side.n_levels if n is None or n > side.n_levels else n
        filled = fill(self.data, side, <cnp.PyArrayObject*> array) if wanted <= shape[0] else 0
        lock_drop(&self.data.lock)
        if wanted <= shape[0]:                            # else the book has grown meanwhile: take a larger array
            break
    self.check(status)
    return array if filled == shape[0] else array[:filled].copy()


cdef object level_parts(levels, str side):
    """Levels as a list of ((mantissa, decimals), (mantissa, decimals)), or an int64 array as it is."""
    if isinstance(levels, np.ndarray) and levels.dtype == np.int64:
        if levels.ndim != 2 or levels.shape[1] != 2:
            raise BookError(f"{side}: expected an int64 array of shape (n, 2), not {levels.shape}")
        return levels
    parts = []
    for i, level in enumerate(levels):
        try:
            price, qty = level
            parts.append((as_parts(price), as_parts(qty)))
        except (TypeError, ValueError) as error:
            raise BookError(f"{side}[{i}]: expected (price, qty) numbers, not {level!r}") from error
    return parts


cdef int widen_for(Book self, sides) except -1:
    """Widen the scales to the decimals of these levels."""
    cdef int price_more = 0, qty_more = 0
    cdef Status status = OK
    for parts in sides:
        if isinstance(parts, np.ndarray):
            continue
        for price, qty in parts:
            price_more = max(price_more, min(price[1], 99) - self.own.price_scale)
            qty_more = max(qty_more, min(qty[1], 99) - self.own.qty_scale)
    if price_more > 0:
        status = book_widen_price(self.data, price_more)
    if qty_more > 0 and status == OK:
        status = book_widen_qty(self.data, qty_more)
    if status != OK:
        raise BookError(f"not applied: int64 cannot hold these levels exactly with {price_more} more price decimals "
                        f"and {qty_more} more quantity decimals")
    return 0


cdef int fill_levels(Book self, Levels* levels, parts, str side) except -1:
    """Copy levels into C memory in units of the book's scales."""
    cdef Py_ssize_t i
    cdef const int64_t[:, :] units
    levels.count = len(parts)
    if not levels_reserve(levels, levels.count):
        raise MemoryError(f"no memory for {levels.count} levels")
    if isinstance(parts, np.ndarray):
        units = parts
        for i in range(levels.count):
            levels.price[i] = units[i, 0]
            levels.qty[i] = units[i, 1]
            if levels.price[i] == INT64_MIN:
                raise BookError(f"{side}[{i}]: a price is more than -2**63 units")
        return 0
    i = 0
    for (price, price_decimals), (qty, qty_decimals) in parts:
        price *= 10 ** (self.own.price_scale - price_decimals)
        qty *= 10 ** (self.own.qty_scale - qty_decimals)
        if not (INT64_MIN < price <= INT64_MAX and INT64_MIN < qty <= INT64_MAX):
            raise BookError(f"{side}[{i}]: int64 cannot hold the level exactly at scales "
                            f"{self.own.price_scale} and {self.own.qty_scale}")
        levels.price[i] = price
        levels.qty[i] = max(qty, -1)                      # what is lower would read as an own quantity
        i += 1
    return 0
