"""Names of the states and sides, and the errors of a book."""

from enum import IntEnum


class BookState(IntEnum):
    """State of a book, read as `book.status`. Only a LIVE book answers reads; `book.raw` answers in every state."""

    EMPTY = BOOK_EMPTY
    SYNCING = BOOK_SYNCING
    LIVE = BOOK_LIVE
    STALE = BOOK_STALE


class Side(IntEnum):
    """The half of a book an order rests in. The side that crossed the spread in a trade is the aggressor, not this."""

    BID = 0
    ASK = 1


class BookError(ValueError):
    """A change that a book cannot take: nothing of it was applied."""


class BookNotLive(BookError):
    """A read of a book that is not LIVE; `book.raw` has the same names in every state."""


cdef const char* status_text(Status status) noexcept nogil:
    """What a status means, in words that complete "expected ..." or stand alone."""
    if status == BAD_JSON:
        return b"valid JSON"
    if status == BAD_NUMBER:
        return b"a number"
    if status == BAD_VALUE:
        return b"another kind of value"
    if status == MISSING_KEY:
        return b"a required key"
    if status == NO_FIT:
        return b"a number that int64 holds exactly at this book's scale"
    if status == NEEDS_SCALE:
        return b"fewer decimals"
    if status == OFF_TICK:
        return b"a price on the tick"
    if status == TOO_DEEP:
        return b"less nesting"
    if status == NO_MEMORY:
        return b"memory"
    if status == NEGATIVE_QTY:
        return b"a quantity of 0 or more"
    if status == TOO_MANY:
        return b"fewer values in one message"
    return b"a known message"
