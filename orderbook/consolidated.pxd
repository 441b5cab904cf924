"""Several venues' books of one thing, read as one. C code calls `best` of a `ConsolidatedBook` or of its `net`."""

from libc.stdint cimport uint64_t
from orderbook.core cimport BookData

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

cdef class ConsolidatedReads:
    cdef Part* parts          # owned by `owner`, or by this object if it is a ConsolidatedBook
    cdef int count            # of parts, at most 64
    cdef bint with_fees       # prices are those after taker fees
    cdef object owner         # keeps `parts` alive
    cdef readonly tuple books
    cdef readonly tuple names
    cdef bint best(self, Best* bid, Best* ask) noexcept nogil

cdef class ConsolidatedBook(ConsolidatedReads):
    pass
