"""What a pipeline keeps of one instrument beside its book: where its stream stands, figures, last trade and quote."""

from libc.stdint cimport int64_t, uint32_t, uint64_t, INT64_MAX
from libc.stdlib cimport realloc, free
from libc.string cimport memcpy, memset
from orderbook.core cimport BookData
from orderbook.update cimport QuoteData, TradeData

cdef enum:
    MAX_PENDING_BYTES = 1 << 26   # of deltas kept while a snapshot is awaited; past it they are dropped
    OLD_IN_A_ROW = 100            # old deltas that are believed; more mean that the venue's numbers began again

cdef enum:
    # Why a book changed its state; texts stand in feeds.pipeline.
    WHY_SNAPSHOT = 0
    WHY_FIRST_DELTA = 1
    WHY_GAP = 2
    WHY_OPENED = 3
    WHY_CLOSED = 4
    WHY_BAD_FRAME = 5
    WHY_NOT_APPLIED = 6
    WHY_OVERFLOW = 7
    WHY_OLD = 8
    WHY_FORGOTTEN = 9
    WHY_DEPTH = 10

cdef struct Pending:
    char* data                    # frames one after the other, each behind a PendingHead. Owned
    Py_ssize_t size
    Py_ssize_t room
    int64_t count                 # frames

cdef struct PendingHead:
    int64_t receive_ns
    Py_ssize_t size               # bytes of the frame that follows
    int line

cdef struct Track:
    BookData* book                # borrowed from the Book of the same index
    int line                      # connection that feeds the book, -1 none yet
    bint has_snapshot             # a snapshot is held that deltas can continue
    bint joined                   # a delta was applied since
    bint ever_live                # the book was LIVE since its connection opened
    bint wants_snapshot
    bint dirty                    # changed since the last conflated delivery
    int64_t last                  # number that the next delta must follow
    int64_t old_in_row
    int64_t snapshots, updates, changes, absent, stale, breaks, crossed, gaps, resyncs
    int64_t trades, quotes
    uint64_t trade_qty_low        # sum of the trades' quantities in units, 128 bits
    uint64_t trade_qty_high
    uint32_t version              # odd while trade or quote is being written
    TradeData trade
    QuoteData quote
    Pending pending


cdef inline bint pending_add(Pending* self, const char* data, Py_ssize_t size, int64_t receive_ns,
                             int line) noexcept nogil:
    """Keep a copy of a frame; False if there is no room for it."""
    cdef Py_ssize_t need = self.size + <Py_ssize_t> sizeof(PendingHead) + size, room
    cdef PendingHead head
    cdef char* memory
    if need > MAX_PENDING_BYTES:
        return False
    if need > self.room:
        room = 2 * need
        memory = <char*> realloc(self.data, room)
        if memory == NULL:
            return False
        self.data = memory
        self.room = room
    head.receive_ns = receive_ns
    head.size = size
    head.line = line
    memcpy(self.data + self.size, &head, sizeof(PendingHead))
    memcpy(self.data + self.size + sizeof(PendingHead), data, size)
    self.size = need
    self.count += 1
    return True


cdef inline void pending_free(Pending* self) noexcept nogil:
    """Give the frames and the memory back."""
    free(self.data)
    memset(self, 0, sizeof(Pending))


cdef inline void track_add_qty(Track* self, int64_t qty) noexcept nogil:
    """Add to the sum of traded quantities."""
    self.trade_qty_low += <uint64_t> qty
    self.trade_qty_high += self.trade_qty_low < <uint64_t> qty


cdef extern from *:
    """
    #include <stdint.h>
    static inline void wb_mul128(uint64_t *low, uint64_t *high, uint64_t factor) {
        unsigned __int128 product = (unsigned __int128) *low * factor;
        *high = *high * factor + (uint64_t) (product >> 64);
        *low = (uint64_t) product;
    }
    #define wb_fence(version) do { __atomic_store_n(&(version), (version) + 1, __ATOMIC_RELEASE); \\
        __atomic_signal_fence(__ATOMIC_SEQ_CST); } while (0)
    """
    void mul128 "wb_mul128"(uint64_t* low, uint64_t* high, uint64_t factor) nogil
    void next_version "wb_fence"(uint32_t version) nogil


cdef inline bint takes(int64_t value, int64_t factor) noexcept nogil:
    """Whether int64 holds the product."""
    return -(INT64_MAX // factor) <= value <= INT64_MAX // factor


cdef inline bint track_fits(const Track* self, int64_t price, int64_t qty) noexcept nogil:
    """Whether what is kept can be multiplied by these."""
    return (takes(self.trade.price, price) and takes(self.quote.bid_price, price) and takes(self.quote.ask_price, price)
            and takes(self.trade.qty, qty) and takes(self.quote.bid_qty, qty) and takes(self.quote.ask_qty, qty))


cdef inline void track_widen(Track* self, int64_t price, int64_t qty) noexcept nogil:
    """Count what is kept in units finer by these factors; they must fit."""
    next_version(self.version)
    self.trade.price *= price
    self.trade.qty *= qty
    self.quote.bid_price *= price
    self.quote.ask_price *= price
    self.quote.bid_qty *= qty
    self.quote.ask_qty *= qty
    next_version(self.version)
    mul128(&self.trade_qty_low, &self.trade_qty_high, <uint64_t> qty)
