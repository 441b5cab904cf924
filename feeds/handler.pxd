"""Where events go. A cdef class that overrides the C methods gets them without a Python call."""

from libc.stdint cimport int64_t
from orderbook.book cimport Book
from orderbook.update cimport Levels
from feeds.events cimport Liquidation, Mark, OpenInterest, Quote, Ticker, Trade

cdef struct Changes:
    # What a message has done to a book; all is borrowed for the time of the call.
    const Levels* bids                # levels that were set or removed, in order: `price` in units, `rank` where the
    const Levels* asks                # ladder has it now, `qty` what it was before. NULL: the whole book is a new one
    int depth                         # of a partial book, 0 of the book of deltas
    int market                        # index of the market, where the venue has several

cdef class Handler:
    cdef int wants                    # bit i: messages of kind i (feeds.message) are delivered; WANTS_LEVELS
    cdef int64_t now                  # our clock when the frame or answer at work arrived, as it was told
    cdef int levels(self, Book book, const Changes* changes) except -1
    cdef int book(self, Book book) except -1
    cdef int trade(self, Trade trade) except -1
    cdef int quote(self, Quote quote) except -1
    cdef int ticker(self, Ticker ticker) except -1
    cdef int mark(self, Mark mark) except -1
    cdef int liquidation(self, Liquidation liquidation) except -1
    cdef int open_interest(self, OpenInterest open_interest) except -1
    cdef int status(self, Book book, old, new, str reason) except -1


cdef Handler as_handler(object handler)
