"""Where events go. A cdef class that overrides the C methods gets them without a Python call."""

from orderbook.book cimport Book
from feeds.events cimport Liquidation, Mark, OpenInterest, Quote, Ticker, Trade

cdef class Handler:
    cdef int wants                    # bit i: messages of kind i (feeds.message) are delivered
    cdef int book(self, Book book) except -1
    cdef int trade(self, Trade trade) except -1
    cdef int quote(self, Quote quote) except -1
    cdef int ticker(self, Ticker ticker) except -1
    cdef int mark(self, Mark mark) except -1
    cdef int liquidation(self, Liquidation liquidation) except -1
    cdef int open_interest(self, OpenInterest open_interest) except -1
    cdef int status(self, Book book, old, new, str reason) except -1


cdef Handler as_handler(object handler)
