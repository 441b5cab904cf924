"""A consolidated book: best prices and depth over the books of several venues, read where they stand.

Nothing is copied when a book changes and nothing has to be told: each read looks at the state and the levels of every
book, each of them at one moment. What is asked often (`best`) is constant in the size of the books.
"""

cimport numpy as cnp
from libc.math cimport INFINITY, NAN
from libc.stdint cimport int64_t, uint64_t, INT64_MAX
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset
from orderbook.book cimport Book
from orderbook.core cimport BookData, POWER, Touch, book_touch, lock_drop, lock_take
from orderbook.ladder cimport Ladder, Walk, ctz64, walk_next, walk_start
from orderbook.quantity cimport qty_double, units_double
from orderbook.types cimport BOOK_LIVE, qty_t

from collections.abc import Mapping
from math import isfinite, isnan

from orderbook.types import BookNotLive

cnp.import_array()

cdef enum:
    MOST = 64                 # books: a word has a bit for each


cdef inline void best_add(Best* self, double sign, const Best* one, int venue) noexcept nogil:
    """Take the best level of one venue into account."""
    if one.venues == 0:
        return
    if self.venues == 0 or sign * one.price > sign * self.price:
        self.price, self.qty = one.price, one.qty
        self.venues = <uint64_t> 1 << venue
    elif one.price == self.price:
        self.qty += one.qty
        self.venues |= <uint64_t> 1 << venue


cdef class ConsolidatedReads:
    """The reads of a consolidated book: `ConsolidatedBook` gives prices as they stand, its `net` after taker fees.

    Prices are in the common quote currency, quantities in base units, both floats. Each venue is read at one moment of
    its own, from any thread. A read raises BookNotLive where no venue is in.
    """

    def __init__(self):
        if self.parts == NULL:
            raise TypeError("ConsolidatedReads is made by ConsolidatedBook: use its `net`")

    cdef bint best(self, Best* bid, Best* ask) noexcept nogil:
        """Best levels over the venues that are in; False if none is."""
        cdef bint found = False
        cdef int i
        cdef Best one_bid, one_ask
        bid.price = bid.qty = ask.price = ask.qty = NAN
        bid.venues = ask.venues = 0
        for i in range(self.count):
            found |= part_best(&self.parts[i], self.with_fees, &one_bid, &one_ask)
            best_add(bid, 1, &one_bid, i)
            best_add(ask, -1, &one_ask, i)
        return found

    def bbo(self):
        """(bid_price, bid_qty, ask_price, ask_qty) over the venues, nan where a side is empty. Raises BookNotLive.

        A quantity is that of all venues at the price. The bid may be above the ask: two venues are crossed.
        """
        cdef Best bid, ask
        if not self.best(&bid, &ask):
            refuse(self)
        return bid.price, bid.qty, ask.price, ask.qty

    @property
    def best_bid(self):
        """Highest bid as (price, qty, names of the venues that stand there), None without one. Raises BookNotLive."""
        cdef Best bid, ask
        if not self.best(&bid, &ask):
            refuse(self)
        return (bid.price, bid.qty, names_of(self, bid.venues)) if bid.venues else None

    @property
    def best_ask(self):
        """Lowest ask as (price, qty, names of the venues that stand there), None without one. Raises BookNotLive."""
        cdef Best bid, ask
        if not self.best(&bid, &ask):
            refuse(self)
        return (ask.price, ask.qty, names_of(self, ask.venues)) if ask.venues else None

    @property
    def spread(self):
        """Best ask - best bid (negative: crossed), None if a side is empty. Raises BookNotLive."""
        cdef Best bid, ask
        if not self.best(&bid, &ask):
            refuse(self)
        return ask.price - bid.price if bid.venues and ask.venues else None

    @property
    def mid(self):
        """(best ask + best bid) / 2, None if a side is empty. Raises BookNotLive."""
        cdef Best bid, ask
        if not self.best(&bid, &ask):
            refuse(self)
        return (ask.price + bid.price) / 2 if bid.venues and ask.venues else None

    def top(self, bids, asks):
        """Fill the caller's arrays with the best merged levels, best first.

        Parameters: bids, asks -- writeable C-contiguous float64 arrays of n rows: price and quantity, or with
        1 + len(names) columns price and the quantity of each venue. None leaves a side out.
        Returns: (n_bids, n_asks), the rows filled; rows past them are untouched.
        Raises: BookNotLive; TypeError for another kind of array.
        """
        cdef Depth depth
        cdef int64_t n_bids, n_asks
        check_rows(self, bids)
        check_rows(self, asks)
        collect(self, &depth, 0 if bids is None else len(bids), 0 if asks is None else len(asks))
        n_bids = merge_into(&depth, True, bids)
        n_asks = merge_into(&depth, False, asks)
        depth_free(&depth)
        return n_bids, n_asks

    def bids(self, n=None, *, bint split=False):
        """The best `n` merged bids (all if None) as a new float64 array, best first. Raises BookNotLive.

        Shape (k, 2), price and quantity; with `split` (k, 1 + len(names)), price and the quantity of each venue.
        """
        return merged(self, True, n, split)

    def asks(self, n=None, *, bint split=False):
        """The best `n` merged asks (all if None) as a new float64 array, best first; see `bids`."""
        return merged(self, False, n, split)

    # What follows is readable in every state.

    @property
    def live(self):
        """Names of the venues that are in: the book is LIVE and the rate known."""
        cdef Touch touch
        cdef int i
        cdef uint64_t venues = 0
        for i in range(self.count):
            book_touch(self.parts[i].data, &touch)
            if part_in(&self.parts[i], touch.status):
                venues |= <uint64_t> 1 << i
        return names_of(self, venues)

    @property
    def receive_ns(self):
        """Our clock when the newest message of any of the books arrived, ns since the Unix epoch, 0 if not told."""
        return newest_ns(self.parts, self.count)

    @property
    def terms(self):
        """How each book is converted: name -> {"multiplier", "inverse", "rate", "fee"}."""
        return {self.names[i]: {"multiplier": self.parts[i].multiplier, "inverse": self.parts[i].inverse,
                                "rate": self.parts[i].rate, "fee": self.parts[i].fee} for i in range(self.count)}

    def __repr__(self):
        return f"<{type(self).__name__} {', '.join(self.names)}; in: {', '.join(self.live) or 'none'}>"


cdef class ConsolidatedBook(ConsolidatedReads):
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

    def __cinit__(self, books, *, names=None, multipliers=None, inverse=None, rates=None, fees=None):
        cdef int i
        books = tuple(books)
        if not 1 <= len(books) <= MOST:
            raise ValueError(f"expected 1 to {MOST} books, not {len(books)}")
        for book in books:
            if not isinstance(book, Book):
                raise TypeError(f"expected a Book, not {type(book).__name__}")
        if len({id(book) for book in books}) < len(books):
            raise ValueError("a book is given twice")
        if names is None:
            names = [(<Book> book).symbol for book in books]
            if len(set(names)) < len(names) or "" in names:
                names = [str(i) for i in range(len(books))]
        self.books = books
        self.names = tuple(names)
        self.alone = tuple([(name,) for name in self.names])
        if len(self.names) != len(books):
            raise ValueError(f"names: expected one for each of {len(books)} books, not {len(self.names)}")
        if len(set(self.names)) < len(books):
            raise ValueError(f"names: expected different ones, not {', '.join(map(str, self.names))}")
        self.parts = <Part*> calloc(len(books), sizeof(Part))
        if self.parts == NULL:
            raise MemoryError("no memory for a consolidated book")
        self.count = len(books)
        for i, (multiplier, is_inverse, rate, fee) in enumerate(zip(
                per_book(self.names, "multipliers", multipliers, 1.0), per_book(self.names, "inverse", inverse, False),
                per_book(self.names, "rates", rates, 1.0), per_book(self.names, "fees", fees, 0.0), strict=True)):
            self.parts[i].data = (<Book> books[i]).data
            self.parts[i].inverse = is_inverse
            set_terms(self, i, multiplier, rate, fee)

    def __init__(self, books, *, names=None, multipliers=None, inverse=None, rates=None, fees=None):
        pass

    def __dealloc__(self):
        free(self.parts)

    @property
    def net(self):
        """The same reads after taker fees: a bid is what a seller gets, an ask what a buyer pays."""
        cdef ConsolidatedReads reads = ConsolidatedReads.__new__(ConsolidatedReads)
        reads.parts = self.parts
        reads.count = self.count
        reads.with_fees = True
        reads.owner = self
        reads.books = self.books
        reads.names, reads.alone = self.names, self.alone
        return reads

    def change(self, name, *, multiplier=None, rate=None, fee=None):
        """Give a venue another multiplier, rate or fee; the next read has it. None leaves one as it is.

        Raises: KeyError for an unknown name; ValueError as when the book is made, and nothing is changed.
        """
        if name not in self.names:
            raise KeyError(f"no venue {name}; there are {', '.join(self.names)}")
        set_terms(self, self.names.index(name), multiplier, rate, fee)


cdef list per_book(tuple names, str what, values, default):
    """One value for each name."""
    if values is None:
        return [default] * len(names)
    if isinstance(values, Mapping):
        unknown = [str(name) for name in values if name not in names]
        if unknown:
            raise ValueError(f"{what}: no venue {', '.join(unknown)}; there are {', '.join(names)}")
        return [values.get(name, default) for name in names]
    values = list(values)
    if len(values) != len(names):
        raise ValueError(f"{what}: expected one for each of {len(names)} books, not {len(values)}")
    return values


cdef int set_terms(ConsolidatedBook self, int i, multiplier, rate, fee) except -1:
    """Check what is not None, then take it."""
    multiplier = self.parts[i].multiplier if multiplier is None else float(multiplier)
    rate = self.parts[i].rate if rate is None else float(rate)
    fee = self.parts[i].fee if fee is None else float(fee)
    if not (isfinite(multiplier) and multiplier > 0):
        raise ValueError(f"{self.names[i]}: a multiplier is above 0, not {multiplier:g}")
    if not (isnan(rate) or isfinite(rate) and rate > 0):
        raise ValueError(f"{self.names[i]}: a rate is above 0, or nan while it is not known, not {rate:g}")
    if not 0 <= fee < 1:
        raise ValueError(f"{self.names[i]}: a taker fee is a fraction of the price from 0 to below 1, not {fee:g}")
    self.parts[i].multiplier, self.parts[i].rate, self.parts[i].fee = multiplier, rate, fee
    return 0


cdef int refuse(ConsolidatedReads self) except -1:
    """Raise BookNotLive with the state of every book."""
    states = []
    for name, book in zip(self.names, self.books, strict=True):
        reason = f" ({book.reason})" if book.reason else ""
        states.append(f"{name} is {book.status.name}{reason if book.status != BOOK_LIVE else ' without a rate'}")
    raise BookNotLive(f"no venue is in: {', '.join(states)}")


cdef tuple names_of(ConsolidatedReads self, uint64_t venues):
    """The names of a word's bits."""
    if venues != 0 and venues & (venues - 1) == 0:
        return self.alone[ctz64(venues)]
    return tuple([self.names[i] for i in range(self.count) if (venues >> i) & 1])


# ---- merged depth

cdef struct Column:
    double* rows              # price and quantity of one venue's levels, best first. Owned
    int64_t count             # of levels
    int64_t at                # the next one to be merged

cdef struct Depth:
    Column bids[MOST]
    Column asks[MOST]
    int count                 # of venues


cdef void depth_free(Depth* self) noexcept nogil:
    """Give the memory back."""
    cdef int i
    for i in range(self.count):
        free(self.bids[i].rows)
        free(self.asks[i].rows)


cdef bint column_reserve(Column* self, int64_t room) noexcept nogil:
    """Make room for so many levels; False without memory."""
    cdef double* rows = <double*> realloc(self.rows, (2 * room + 2) * sizeof(double))
    if rows == NULL:
        return False
    self.rows = rows
    return True


cdef void column_fill(Column* self, const Part* part, const Ladder* side, bint net, int64_t wanted) noexcept nogil:
    """Convert a venue's best levels; the caller holds the lock."""
    cdef BookData* data = part.data
    cdef double price, price_power = POWER[data.price_scale], qty_power = POWER[data.qty_scale]
    cdef int64_t rank, tick = side.sign * data.ticks.size
    cdef qty_t qty
    cdef Walk walk
    walk_start(&walk, side)
    while self.count < wanted and walk_next(&walk, &rank, &qty):
        price = units_double(tick * rank, price_power)
        self.rows[2 * self.count] = part_price(part, price, side.sign, net)
        self.rows[2 * self.count + 1] = part_qty(part, qty_double(qty, qty_power), price)
        self.count += 1


cdef int gather(const Part* part, bint net, int64_t n_bids, int64_t n_asks, Column* bids, Column* asks) noexcept nogil:
    """Both sides of one venue at one moment. 1: it is in; 0: it is out, and has no levels; -1: no memory."""
    cdef BookData* data = part.data
    cdef int64_t bid_room, ask_room
    cdef bint found
    while True:
        bid_room = min(n_bids, data.bids.n_levels)
        ask_room = min(n_asks, data.asks.n_levels)
        if not (column_reserve(bids, bid_room) and column_reserve(asks, ask_room)):
            return -1
        lock_take(&data.lock)
        found = part_in(part, data.status)
        if not found or (min(n_bids, data.bids.n_levels) <= bid_room and min(n_asks, data.asks.n_levels) <= ask_room):
            break                                         # else the book has grown meanwhile: take more
        lock_drop(&data.lock)
    if found:
        column_fill(bids, part, &data.bids, net, bid_room)
        column_fill(asks, part, &data.asks, net, ask_room)
    lock_drop(&data.lock)
    return found


cdef int collect(ConsolidatedReads self, Depth* depth, int64_t n_bids, int64_t n_asks) except -1:
    """The best levels of every venue that is in. Raises BookNotLive if none is; then nothing is to be freed."""
    cdef int i, found = 0
    depth.count = self.count
    memset(depth.bids, 0, self.count * sizeof(Column))
    memset(depth.asks, 0, self.count * sizeof(Column))
    for i in range(self.count):
        if found >= 0:
            status = gather(&self.parts[i], self.with_fees, n_bids, n_asks, &depth.bids[i], &depth.asks[i])
            found = -1 if status < 0 else found + status
    if found > 0:
        return 0
    depth_free(depth)
    if found < 0:
        raise MemoryError("no memory for the levels of a consolidated book")
    return refuse(self)


cdef int64_t merge(Column* columns, int count, double sign, double* out, int64_t width, int64_t room) noexcept nogil:
    """Merge the venues' levels, best first, into `room` rows of `width` numbers; the rows filled.

    With a width of 2 the quantities of a price are added, else each venue has a column.
    """
    cdef int64_t filled = 0, i
    cdef double best
    cdef double* row
    cdef Column* column
    while filled < room:
        best = -INFINITY
        for i in range(count):
            column = &columns[i]
            if column.at < column.count:
                best = max(best, sign * column.rows[2 * column.at])
        if best == -INFINITY:
            break
        row = out + filled * width
        row[0] = sign * best
        for i in range(1, width):
            row[i] = 0
        for i in range(count):
            column = &columns[i]
            while column.at < column.count and sign * column.rows[2 * column.at] == best:
                row[1 if width == 2 else 1 + i] += column.rows[2 * column.at + 1]
                column.at += 1
        filled += 1
    return filled


cdef int64_t merge_into(Depth* depth, bint bid, array):
    """Merge one side into a checked array, None for no array; the rows filled."""
    if array is None:
        return 0
    return merge(&depth.bids[0] if bid else &depth.asks[0], depth.count, 1 if bid else -1,
                 <double*> cnp.PyArray_DATA(array), cnp.PyArray_DIM(array, 1), cnp.PyArray_DIM(array, 0))


cdef object merged(ConsolidatedReads self, bint bid, n, bint split):
    """A new array of the best `n` merged levels of a side."""
    cdef Depth depth
    cdef cnp.npy_intp shape[2]
    cdef int64_t most = INT64_MAX, filled
    cdef int i
    if n is not None:
        if n < 0:
            raise ValueError(f"n is 0 or more, not {n}")
        most = min(n, INT64_MAX)
    collect(self, &depth, most if bid else 0, 0 if bid else most)
    try:
        shape[0] = 0
        for i in range(self.count):
            shape[0] += depth.bids[i].count + depth.asks[i].count
        shape[0] = min(shape[0], most)
        shape[1] = 1 + self.count if split else 2
        array = cnp.PyArray_EMPTY(2, shape, cnp.NPY_FLOAT64, 0)
        filled = merge_into(&depth, bid, array)
    finally:
        depth_free(&depth)
    return array if filled == shape[0] else array[:filled].copy()


cdef int check_rows(ConsolidatedReads self, array) except -1:
    """Raise TypeError unless `array` can be filled by `top`."""
    if array is None:
        return 0
    if (cnp.PyArray_Check(array) and cnp.PyArray_NDIM(array) == 2 and cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64
            and (cnp.PyArray_DIM(array, 1) == 2 or cnp.PyArray_DIM(array, 1) == 1 + self.count)
            and cnp.PyArray_IS_C_CONTIGUOUS(array) and cnp.PyArray_ISWRITEABLE(array)
            and cnp.PyArray_ISNOTSWAPPED(array)):
        return 0
    raise TypeError(f"expected a writeable C-contiguous float64 array of shape (n, 2) or (n, {1 + self.count})")
