"""Several venues' books of one thing, read as one. C code calls `best` of a `ConsolidatedBook` or of its `net`."""

from libc.math cimport fabs
from libc.stdint cimport int64_t, uint64_t
from orderbook.core cimport BookData, POWER, Touch, book_touch
from orderbook.quantity cimport qty_double, units_double
from orderbook.types cimport BOOK_LIVE

cdef struct Part:
    BookData* data            # one venue's book; borrowed, the ConsolidatedBook holds the Book
    double multiplier         # base units in one unit of quantity; of an inverse contract, quote units
    double rate               # common quote currency for one unit of the book's own; nan: not known, the venue is out
    double fee                # taker fee, a fraction of the price
    bint inverse              # a unit of quantity is worth `multiplier` of the book's own quote currency

cdef struct Best:
    double price              # in the common quote currency; nan where no venue has a level
    double qty                # base units of all venues at that price; nan without a level
    uint64_t venues           # bit i: venue i stands there


cdef inline bint part_in(const Part* self, int status) noexcept nogil:
    """Whether a venue counts whose book is in this state."""
    return status == BOOK_LIVE and self.rate == self.rate


cdef inline double part_price(const Part* self, double price, double sign, bint net) noexcept nogil:
    """A book's price in the common currency; with `net` as a taker pays (ask, sign -1) or gets (bid, +1) it."""
    price *= self.rate
    return price - sign * fabs(price) * self.fee if net else price


cdef inline double part_qty(const Part* self, double qty, double price) noexcept nogil:
    """A book's quantity in base units; `price` is the book's own."""
    qty *= self.multiplier
    return qty / fabs(price) if self.inverse else qty


cdef inline bint part_best(const Part* self, bint net, Best* bid, Best* ask) noexcept nogil:
    """The best levels of one venue, as bit 0 of `venues`; False if it is out."""
    cdef Touch touch
    cdef double price
    book_touch(self.data, &touch)
    bid.venues = ask.venues = 0
    if not part_in(self, touch.status):
        return False
    if touch.bid_qty:
        price = units_double(touch.bid, POWER[touch.price_scale])
        bid.price = part_price(self, price, 1, net)
        bid.qty = part_qty(self, qty_double(touch.bid_qty, POWER[touch.qty_scale]), price)
        bid.venues = 1
    if touch.ask_qty:
        price = units_double(touch.ask, POWER[touch.price_scale])
        ask.price = part_price(self, price, -1, net)
        ask.qty = part_qty(self, qty_double(touch.ask_qty, POWER[touch.qty_scale]), price)
        ask.venues = 1
    return True


cdef inline int64_t newest_ns(const Part* parts, int count) noexcept nogil:
    """When the newest message of all books came, ns since the Unix epoch."""
    cdef int64_t found = 0
    cdef int i
    for i in range(count):
        found = max(found, parts[i].data.receive_ns)
    return found


cdef class ConsolidatedReads:
    cdef Part* parts          # owned by `owner`, or by this object if it is a ConsolidatedBook
    cdef int count            # of parts, at most 64
    cdef bint with_fees       # prices are those after taker fees
    cdef object owner         # keeps `parts` alive
    cdef readonly tuple books
    cdef readonly tuple names
    cdef tuple alone          # (name,) of each venue, for the one that mostly stands at a best price
    cdef bint best(self, Best* bid, Best* ask) noexcept nogil


cdef class ConsolidatedBook(ConsolidatedReads):
    pass
