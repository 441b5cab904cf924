"""Handlers: C methods for Cython strategies, and the adapter for Python objects."""

from typing import Self

class Handler:
    """Base of C handlers: a cdef class that overrides the C methods of handler.pxd (see docs/cython.md).

    A handler in Python needs no base: any object with some of on_book(book), on_trade(trade), on_quote(quote),
    on_ticker(ticker), on_mark(mark), on_open_interest(open_interest), on_liquidation(liquidation), on_status(book, old,
    new, reason). Event objects are used again: valid during the call, `copy()` keeps one. An exception comes out of
    `Pipeline.feed` after the message was applied whole, and is logged and counted on a live line.
    """

class PythonHandler(Handler):
    """Calls the on_* methods a Python object has. Raises TypeError if it has none; a pipeline makes it by itself."""

    def __new__(cls, handler: object) -> Self: ...
