"""Handlers: C methods for Cython strategies, and the adapter for Python objects."""

from orderbook.book cimport Book
from feeds.events cimport Liquidation, Mark, OpenInterest, Quote, Ticker, Trade
from feeds.message cimport (KIND_DELTA, KIND_LIQUIDATION, KIND_MARK, KIND_OPEN_INTEREST, KIND_QUOTE, KIND_SNAPSHOT,
                            KIND_TICKER, KIND_TRADE, WANTS_LEVELS)


cdef class Handler:
    """Base of C handlers. Override what is wanted; an exception comes out of `Pipeline.feed` after the message
    was applied whole, and is logged and counted on a live line."""

    def __cinit__(self):
        self.wants = ~WANTS_LEVELS

    cdef int levels(self, Book book, const Changes* changes) except -1:
        """A LIVE book has changed, and how; for those who set WANTS_LEVELS, before `book`, and never conflated."""
        return 0

    cdef int book(self, Book book) except -1:
        """A LIVE book has changed."""
        return 0

    cdef int trade(self, Trade trade) except -1:
        return 0

    cdef int quote(self, Quote quote) except -1:
        return 0

    cdef int ticker(self, Ticker ticker) except -1:
        return 0

    cdef int mark(self, Mark mark) except -1:
        return 0

    cdef int liquidation(self, Liquidation liquidation) except -1:
        return 0

    cdef int open_interest(self, OpenInterest open_interest) except -1:
        return 0

    cdef int status(self, Book book, old, new, str reason) except -1:
        """A book went from one state to another, or (old is new) bad content was met; book is None if it names none."""
        return 0


cdef class PythonHandler(Handler):
    """Calls the on_* methods a Python object has."""

    cdef object on_book, on_trade, on_quote, on_ticker, on_mark, on_liquidation, on_open_interest, on_status

    def __cinit__(self, handler):
        self.wants = 0
        self.on_book = getattr(handler, "on_book", None)
        self.on_trade = getattr(handler, "on_trade", None)
        self.on_quote = getattr(handler, "on_quote", None)
        self.on_ticker = getattr(handler, "on_ticker", None)
        self.on_mark = getattr(handler, "on_mark", None)
        self.on_liquidation = getattr(handler, "on_liquidation", None)
        self.on_open_interest = getattr(handler, "on_open_interest", None)
        self.on_status = getattr(handler, "on_status", None)
        if self.on_book is not None:
            self.wants |= 1 << KIND_DELTA | 1 << KIND_SNAPSHOT
        if self.on_trade is not None:
            self.wants |= 1 << KIND_TRADE
        if self.on_quote is not None:
            self.wants |= 1 << KIND_QUOTE
        if self.on_ticker is not None:
            self.wants |= 1 << KIND_TICKER
        if self.on_mark is not None:
            self.wants |= 1 << KIND_MARK
        if self.on_liquidation is not None:
            self.wants |= 1 << KIND_LIQUIDATION
        if self.on_open_interest is not None:
            self.wants |= 1 << KIND_OPEN_INTEREST
        if self.wants == 0 and self.on_status is None:
            raise TypeError(f"expected a handler with on_book, on_trade, on_quote, on_ticker, on_mark, "
                            f"on_liquidation, on_open_interest or on_status, not {type(handler).__name__}")

    cdef int book(self, Book book) except -1:
        self.on_book(book)
        return 0

    cdef int trade(self, Trade trade) except -1:
        self.on_trade(trade)
        return 0

    cdef int quote(self, Quote quote) except -1:
        self.on_quote(quote)
        return 0

    cdef int ticker(self, Ticker ticker) except -1:
        self.on_ticker(ticker)
        return 0

    cdef int mark(self, Mark mark) except -1:
        self.on_mark(mark)
        return 0

    cdef int liquidation(self, Liquidation liquidation) except -1:
        self.on_liquidation(liquidation)
        return 0

    cdef int open_interest(self, OpenInterest open_interest) except -1:
        self.on_open_interest(open_interest)
        return 0

    cdef int status(self, Book book, old, new, str reason) except -1:
        if self.on_status is not None:
            self.on_status(book, old, new, reason)
        return 0


cdef Handler as_handler(object handler):
    """A Handler for what the user gave; None stays None."""
    if handler is None or isinstance(handler, Handler):
        return handler
    return PythonHandler(handler)
