# cython: language_level=3
"""A strategy as C callbacks: from the frame to here no Python object is made for a message.

`cythonize -i fast_imbalance.pyx` compiles it against the installed package; cython_strategy.py runs it.
"""

from libc.stdint cimport int64_t
from orderbook.analytics cimport book_imbalance, touch_microprice
from orderbook.book cimport Book
from orderbook.core cimport POWER, Touch, book_touch
from orderbook.quantity cimport qty_double
from feeds.events cimport Trade
from feeds.handler cimport Handler


cdef class FastImbalance(Handler):
    """Imbalance of the best levels, microprice, and what buyers have taken more than sellers."""

    cdef readonly int64_t books, trades
    cdef readonly double imbalance, microprice, flow
    cdef readonly int levels

    def __cinit__(self, int levels=5):
        self.levels = levels

    cdef int book(self, Book book) except -1:                 # called for a LIVE book, in the thread that writes it
        cdef Touch touch
        book_touch(book.data, &touch)
        self.books += 1
        self.imbalance = book_imbalance(book.data, self.levels)
        self.microprice = touch_microprice(&touch)
        return 0

    cdef int trade(self, Trade trade) except -1:              # side: +1 a buyer crossed the spread, -1 a seller
        self.trades += 1
        self.flow += trade.side * qty_double(trade.qty_int, POWER[trade.qty_scale])
        return 0

    def again(self, Book book not None, int times):
        """Call `book` so often, to see what it takes."""
        cdef int _turn
        for _turn in range(times):
            self.book(book)
