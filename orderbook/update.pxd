"""What flows from a parser to a book: levels and the numbers around them, in memory that is used again."""

from libc.stdint cimport int64_t
from libc.stdlib cimport realloc, free
from orderbook.types cimport price_t, qty_t

cdef struct Levels:
    price_t* price            # prices in units of 10**-price_scale, as the message lists them. Owned
    qty_t* qty                # quantities in units of 10**-qty_scale; 0 removes the level. Owned
    int64_t* rank             # room for what the book makes of the prices; before that, of entries' own numbers. Owned
    int64_t count             # levels in use
    int64_t room              # levels that fit


cdef inline bint levels_reserve(Levels* self, int64_t room) noexcept nogil:
    """Make room for `room` levels; False leaves all as it was."""
    cdef void* memory
    if room <= self.room:
        return True
    room += room >> 1
    memory = realloc(self.price, room * sizeof(price_t))
    if memory == NULL:
        return False
    self.price = <price_t*> memory
    memory = realloc(self.qty, room * sizeof(qty_t))
    if memory == NULL:
        return False
    self.qty = <qty_t*> memory
    memory = realloc(self.rank, room * sizeof(int64_t))
    if memory == NULL:
        return False
    self.rank = <int64_t*> memory
    self.room = room
    return True


cdef inline void levels_free(Levels* self) noexcept nogil:
    """Give the memory back."""
    free(self.price)
    free(self.qty)
    free(self.rank)
    self.price = NULL
    self.qty = NULL
    self.rank = NULL
    self.count = self.room = 0


cdef struct TradeData:
    price_t price             # units of 10**-price_scale
    qty_t qty                 # units of 10**-qty_scale
    int64_t trade_id          # the venue's number, 0 if it has none
    int64_t exchange_ns       # the venue's time of the trade, ns since the Unix epoch, 0 if absent
    int64_t receive_ns        # our clock when the frame arrived, ns since the Unix epoch
    int64_t aggressor         # +1 a buyer crossed the spread, -1 a seller, 0 not told

cdef struct QuoteData:
    price_t bid_price         # units of 10**-price_scale
    qty_t bid_qty             # units of 10**-qty_scale
    price_t ask_price
    qty_t ask_qty
    int64_t sequence          # the venue's number, 0 if it has none
    int64_t exchange_ns       # ns since the Unix epoch, 0 if absent
    int64_t receive_ns        # our clock when the frame arrived, ns since the Unix epoch
