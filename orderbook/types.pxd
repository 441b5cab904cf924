"""The integers every layer shares: prices, quantities, states and results."""

from libc.stdint cimport int64_t

ctypedef int64_t price_t      # count of 10**-price_scale
ctypedef int64_t qty_t        # count of 10**-qty_scale, 0 or more; or an own quantity, see orderbook.quantity

cdef enum:
    # State of a book; the Python class BookState has the same values.
    BOOK_EMPTY = 0            # nothing held
    BOOK_SYNCING = 1          # deltas are being kept while a snapshot is awaited
    BOOK_LIVE = 2             # proved equal to the venue's book at `sequence`
    BOOK_STALE = 3            # was live once; what is held can no longer be proved

cdef enum Status:
    # Result of a reader, a parser or a change of a book. A status is a value, never an exception.
    OK = 0
    BAD_JSON = 1              # the bytes break JSON's grammar here
    BAD_NUMBER = 2            # a number was expected here
    BAD_VALUE = 3             # right grammar, but not a value this place can hold
    MISSING_KEY = 4           # the message ends without a key it must have
    NO_FIT = 5                # int64 cannot hold the value exactly
    NEEDS_SCALE = 6           # more decimals than the scale keeps: widen, then read again
    OFF_TICK = 7              # a price between two ticks: refine the tick, then apply again
    TOO_DEEP = 8              # nested deeper than any venue's message
    NO_MEMORY = 9
    NEGATIVE_QTY = 10
    TOO_MANY = 11             # more tokens than a message of any venue has
    NOT_COVERED = 12          # a learned layout does not fit this frame: take the careful path

cdef const char* status_text(Status status) noexcept nogil
