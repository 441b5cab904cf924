# cython: boundscheck=False, wraparound=False
"""Applies messages that are numbers already, in one C loop: what is left is the cost of the book itself."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from orderbook.book cimport Book
from orderbook.core cimport book_apply_delta
from orderbook.types cimport OK
from orderbook.update cimport Levels, levels_free, levels_reserve


cdef int64_t now_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t> now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef class Messages:
    """Depth messages in C memory: two `Levels` each, bids and asks."""

    cdef Levels* sides          # 2 * count of them; owned
    cdef list messages          # the arrays they come from
    cdef readonly int64_t count
    cdef readonly int64_t levels

    def __cinit__(self, messages):
        """messages -- a list of (bids, asks), each a C-contiguous int64 array of shape (n, 2) in the book's units."""
        self.messages = messages
        self.count = len(messages)
        self.sides = <Levels*> calloc(2 * self.count + 1, sizeof(Levels))
        if self.sides == NULL:
            raise MemoryError
        self.levels = sum(len(bids) + len(asks) for bids, asks in messages)

    def __dealloc__(self):
        if self.sides != NULL:
            for i in range(2 * self.count):
                levels_free(&self.sides[i])
        free(self.sides)

    cdef int fill(self, Levels* levels, const int64_t[:, ::1] rows) except -1:
        if not levels_reserve(levels, rows.shape[0]):
            raise MemoryError
        levels.count = rows.shape[0]
        for i in range(rows.shape[0]):
            levels.price[i] = rows[i, 0]
            levels.qty[i] = rows[i, 1]
        return 0

    def apply(self, Book book):
        """Apply every message to a LIVE book whose scales the units are in. Returns the nanoseconds it took."""
        cdef int64_t start, i, refused = 0
        for i, (bids, asks) in enumerate(self.messages):      # a change leaves the old quantities behind: copy anew
            self.fill(&self.sides[2 * i], bids)
            self.fill(&self.sides[2 * i + 1], asks)
        start = now_ns()
        for i in range(self.count):
            refused += book_apply_delta(book.data, &self.sides[2 * i], &self.sides[2 * i + 1], i, i, i) != OK
        start = now_ns() - start
        if refused:
            raise ValueError(f"{refused} messages do not fit the book")
        return start
