"""Names of the states and sides, and the errors of a book."""

from enum import IntEnum

class BookState(IntEnum):
    """State of a book, read as `book.status`. Only a LIVE book answers reads; `book.raw` answers in every state."""

    EMPTY = 0
    SYNCING = 1
    LIVE = 2
    STALE = 3

class Side(IntEnum):
    """The half of a book an order rests in. The side that crossed the spread in a trade is the aggressor, not this."""

    BID = 0
    ASK = 1

class BookError(ValueError):
    """A change that a book cannot take: nothing of it was applied."""

class BookNotLive(BookError):
    """A read of a book that is not LIVE; `book.raw` has the same names in every state."""
