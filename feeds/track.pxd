"""What a pipeline keeps of one instrument beside its book: where its stream stands, figures, last trade and quote."""

from libc.stdint cimport int64_t, uint32_t, uint64_t, INT64_MAX, INT64_MIN
from libc.stdlib cimport calloc, realloc, free
from libc.string cimport memcpy, memset
from orderbook.core cimport BookData, MAX_SCALE
from orderbook.update cimport QuoteData, TradeData
from feeds.arbiter cimport Arbiter, Ids, Newest, Recent
from feeds.latency cimport Histogram, Stages
from feeds.levelmap cimport LevelMap, map_fits, map_free, map_put, map_reserve
from feeds.message cimport (Message, N_SLOTS, RESYNC_RESUBSCRIBE, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE,
                            SLOT_BID_QTY, SLOT_EVENT_TIME, SLOT_LINE_SEQ, SLOT_PARTIAL, SLOT_TIME, bit)
from feeds.sync cimport LINK_CHAIN, LINK_RISES

cdef enum:
    MAX_PENDING_BYTES = 1 << 26   # of deltas kept while a snapshot is awaited; past it they are dropped
    OLD_IN_A_ROW = 8              # old deltas that are believed; more mean that the venue's numbers began again
    OLD_BEFORE_JOIN = 100         # the same until a delta has joined a snapshot that was asked for

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
    WHY_CHECKSUM = 11
    WHY_LINE = 12
    WHY_TOLD = 13
    WHY_AHEAD = 14
    WHY_WIRE = 15
    WHY_SILENT = 16

cdef struct Pending:
    char* data                    # frames one after the other, each behind a PendingHead. Owned
    Py_ssize_t size
    Py_ssize_t room
    int64_t count                 # frames

cdef struct PendingHead:
    int64_t receive_ns
    Py_ssize_t size               # bytes of the frame that follows
    int line

cdef struct Held:
    # Values of a message whose absent keys mean "unchanged".
    uint64_t seen
    int64_t slot[N_SLOTS]

cdef struct Shared:
    # What is kept of an instrument that several lines carry; see feeds.lines.
    Arbiter arbiter
    Recent books                  # numbers of book messages
    Ids trades
    Newest quotes, tickers, marks, interests
    int group                     # of feeds.lines, 0 none: what follows from places is void
    int active                    # line whose book messages count where they cannot be compared, -1 that of the group
    Pending held                  # messages that one before them is missing to
    bint moved                    # the book got on since the first of them was kept
    double since                  # when it last did, by the clock of whoever asks; 0 not known yet
    int64_t begins                # number with which the first of them begins

cdef struct Track:
    BookData* book                # borrowed from the Book of the same index
    int line                      # connection that feeds the book, -1 none yet
    bint has_snapshot             # a snapshot is held that deltas can continue
    bint joined                   # a delta was applied since
    bint met                      # a delta came since that the snapshot has: the stream began before it
    bint ahead                    # the snapshot is ahead of the stream, which has to come to it before the book is LIVE
    bint ever_live                # the book was LIVE since its connection opened
    bint wants_snapshot
    int resync                    # RESYNC_...: how a new snapshot is had, as its last message says
    bint dirty                    # changed since the last conflated delivery
    int64_t last                  # number that the next delta must follow
    int64_t old_in_row
    int64_t snapshots, updates, changes, absent, stale, breaks, crossed, gaps, resyncs
    int64_t crc_ok, crc_bad       # checksums compared
    LevelMap ids                  # name of a level -> 4 * price + 1 for a bid, + 2 for an ask, + 0 where none rests
    LevelMap offsets              # 2 * price, + 1 for an ask -> number of the level's last change
    Held* held                    # of partial messages; NULL while there was none. Owned
    int price_printed             # decimals that prices and quantities are written with, trailing zeros too,
    int qty_printed
    bint price_trailing           # and whether such zeros are written at all
    bint qty_trailing
    int64_t trades, quotes
    uint64_t trade_qty_low        # sum of the trades' quantities in units, 128 bits
    uint64_t trade_qty_high
    uint32_t version              # odd while trade or quote is being written
    TradeData trade
    QuoteData quote
    Pending pending
    Shared* shared                # NULL while only one line carries it. Owned
    Histogram* received           # from the venue's time to our clock; NULL while no message told both. Owned
    Stages* stages                # NULL while no message of it was sampled. Owned


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


cdef inline void track_free(Track* self) noexcept nogil:
    """Give the memory back."""
    pending_free(&self.pending)
    map_free(&self.ids)
    map_free(&self.offsets)
    free(self.held)
    self.held = NULL
    free(self.received)
    self.received = NULL
    free(self.stages)
    self.stages = NULL
    if self.shared != NULL:
        pending_free(&self.shared.held)
        free(self.shared)
        self.shared = NULL


cdef inline bint track_joined(const Track* self, const Message* m, bint kept) noexcept nogil:
    """Whether the book goes on from its snapshot, as `judge` takes it; `kept`: the message was, for a snapshot."""
    if self.joined:
        return True
    if m.link == LINK_RISES:
        return self.met or not kept
    return m.link == LINK_CHAIN and m.resync == RESYNC_RESUBSCRIBE        # nothing older is behind one in the stream


cdef inline bint track_hold(Track* self, Message* m) noexcept nogil:
    """Fill in what a partial message does not repeat, and keep it for the next; False without memory."""
    cdef int i
    if self.held == NULL:
        self.held = <Held*> calloc(1, sizeof(Held))
        if self.held == NULL:
            return False
    for i in range(SLOT_PARTIAL):
        if m.seen & bit(i):
            self.held.slot[i] = m.slot[i]
        elif self.held.seen & bit(i):
            m.slot[i] = self.held.slot[i]
    self.held.seen |= m.seen & (bit(SLOT_PARTIAL) - 1) & ~(bit(SLOT_LINE_SEQ) | bit(SLOT_EVENT_TIME) | bit(SLOT_TIME))
    m.seen |= self.held.seen
    return True


cdef inline void track_printed(Track* self, const Message* m) noexcept nogil:
    """Note how the venue writes the numbers of this instrument, as a snapshot shows it."""
    self.price_printed = min(m.price_printed, <int> MAX_SCALE)
    self.qty_printed = min(m.qty_printed, <int> MAX_SCALE)
    self.price_trailing = m.price_trailing
    self.qty_trailing = m.qty_trailing


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
            and takes(self.trade.qty, qty) and takes(self.quote.bid_qty, qty) and takes(self.quote.ask_qty, qty)
            and map_fits(&self.ids, price, False) and map_fits(&self.offsets, price, True))


cdef inline void held_widen(Held* self, int slot, int64_t factor) noexcept nogil:
    """Count a value in finer units; one that int64 cannot hold is forgotten."""
    if self.seen & bit(slot) and takes(self.slot[slot], factor):
        self.slot[slot] *= factor
    else:
        self.seen &= ~bit(slot)


cdef inline bint track_widen(Track* self, int64_t price, int64_t qty) noexcept nogil:
    """Count what is kept in units finer by these factors; they must fit. False without memory, nothing is changed."""
    cdef int64_t i, value
    cdef LevelMap offsets
    memset(&offsets, 0, sizeof(LevelMap))
    if price > 1:
        if not map_reserve(&offsets, self.offsets.count):
            return False
        for i in range(self.offsets.n_slots):
            if self.offsets.key[i] != INT64_MIN:
                map_put(&offsets, (self.offsets.key[i] >> 1) * price * 2 + (self.offsets.key[i] & 1),
                        self.offsets.value[i])
        map_free(&self.offsets)
        self.offsets = offsets
        for i in range(self.ids.n_slots):
            if self.ids.key[i] != INT64_MIN:
                value = self.ids.value[i]
                self.ids.value[i] = (value >> 2) * price * 4 + (value & 3)
    if self.held != NULL:
        held_widen(self.held, SLOT_BID_PRICE, price)
        held_widen(self.held, SLOT_ASK_PRICE, price)
        held_widen(self.held, SLOT_BID_QTY, qty)
        held_widen(self.held, SLOT_ASK_QTY, qty)
    next_version(self.version)
    self.trade.price *= price
    self.trade.qty *= qty
    self.quote.bid_price *= price
    self.quote.ask_price *= price
    self.quote.bid_qty *= qty
    self.quote.ask_qty *= qty
    next_version(self.version)
    mul128(&self.trade_qty_low, &self.trade_qty_high, <uint64_t> qty)
    return True
