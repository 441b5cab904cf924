"""A book as a C struct: two ladders, the scales they count in, and what is known of their truth.

`BookData` is what the hot path works on; `orderbook.book.Book` owns one and is its Python face. Every function
is `noexcept nogil`. Changes are applied as a whole or not at all: whatever can fail (a price off the tick, no
memory) is found out before the first level moves. One thread writes a book; readers of other threads hold
`lock` for the moment of their read, the writer for the moment of its change, so a read sees whole messages.
"""

from libc.stdint cimport int64_t, uint64_t, uint32_t, INT64_MAX, INT64_MIN
from orderbook.quantity cimport OWN_DIGITS, qty_is_own, qty_make_own
from orderbook.types cimport price_t, qty_t, Status, OK, OFF_TICK, NO_MEMORY, NEGATIVE_QTY, NO_FIT, BOOK_EMPTY
from orderbook.update cimport Levels
from orderbook.ladder cimport (Ladder, Page, PAGE_BITS, PAGE_TICKS, ladder_init, ladder_free, ladder_apply,
                               ladder_fill, ladder_undo, ladder_reserve, ladder_clear, ladder_empty, ladder_best,
                               ladder_best_qty, ladder_get, ladder_reach, ladder_worst, likely, unlikely)

cdef extern from *:
    """
    #include <sched.h>
    static inline void wb_lock(unsigned int *lock) {
        unsigned spins = 0;
        while (__atomic_exchange_n(lock, 1u, __ATOMIC_ACQUIRE)) {
            while (__atomic_load_n(lock, __ATOMIC_RELAXED)) {
                if (++spins > 200) { sched_yield(); spins = 0; }
            }
        }
    }
    #define wb_version_next(v) do { __atomic_store_n(&(v), (v) + 1, __ATOMIC_RELEASE); \\
        __atomic_thread_fence(__ATOMIC_RELEASE); } while (0)
    #define wb_version_read(v) __atomic_load_n(&(v), __ATOMIC_ACQUIRE)
    #define wb_version_same(v, seen) (__atomic_thread_fence(__ATOMIC_ACQUIRE), \\
        __atomic_load_n(&(v), __ATOMIC_RELAXED) == (seen))
    static inline void wb_unlock(unsigned int *lock) { __atomic_store_n(lock, 0u, __ATOMIC_RELEASE); }
    static const double WB_POWER[19] __attribute__((unused)) = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
                                        1e14, 1e15, 1e16, 1e17, 1e18};
    static const long long WB_TEN[19] __attribute__((unused)) = {
        1LL, 10LL, 100LL, 1000LL, 10000LL, 100000LL, 1000000LL, 10000000LL,
        100000000LL, 1000000000LL, 10000000000LL, 100000000000LL, 1000000000000LL, 10000000000000LL,
        100000000000000LL, 1000000000000000LL, 10000000000000000LL, 100000000000000000LL, 1000000000000000000LL};
    """
    void lock_take "wb_lock"(unsigned int* lock) nogil
    void lock_drop "wb_unlock"(unsigned int* lock) nogil
    void version_next "wb_version_next"(unsigned int version) nogil
    unsigned int version_read "wb_version_read"(unsigned int version) nogil
    bint version_same "wb_version_same"(unsigned int version, unsigned int seen) nogil
    const double POWER "WB_POWER"[19]     # 10**i as double, exact
    const int64_t TEN "WB_TEN"[19]        # 10**i as int64

cdef enum:
    MAX_SCALE = 18            # 10**18 is the largest power of ten int64 holds

cdef struct Ticks:
    int64_t size              # one tick in price units
    uint64_t inverse          # of the odd part of `size`, modulo 2**64
    int64_t limit             # largest tick index either way
    int shift                 # `size` = odd part << shift

cdef struct Touch:
    price_t bid               # best prices and their quantities, in units; a quantity of 0: the side is empty
    qty_t bid_qty
    price_t ask
    qty_t ask_qty
    int price_scale
    int qty_scale
    int status                # of the book at that moment

cdef struct BookData:
    Ladder bids
    Ladder asks
    Ticks ticks
    int price_scale           # prices count 10**-price_scale
    int qty_scale             # quantities count 10**-qty_scale
    int status                # BOOK_EMPTY, BOOK_SYNCING, BOOK_LIVE or BOOK_STALE
    bint fresh_ticks          # no price was seen yet: the first snapshot chooses the tick
    int64_t sequence          # the venue's number of the last message applied, 0 if it has none
    int64_t exchange_ns       # the venue's time of that message, ns since the Unix epoch, 0 if absent
    int64_t receive_ns        # our clock when it arrived, ns since the Unix epoch
    int64_t absent            # removals in the last message of levels that were not held
    price_t trusted_bid       # lowest bid price known to be complete; INT64_MIN if all are
    price_t trusted_ask       # highest ask price known to be complete; INT64_MAX if all are
    Touch touch               # copy of the best levels, for reads that do not wait for the lock
    unsigned int version      # odd while `touch` is being written
    unsigned int lock         # held for the moment of a read or a change


cdef inline int64_t gcd(int64_t a, int64_t b) noexcept nogil:
    """Greatest common divisor, 0 or more; gcd(0, 0) is 0."""
    cdef int64_t rest
    while b != 0:
        rest = a % b
        a = b
        b = rest
    return -a if a < 0 else a


cdef inline void ticks_set(Ticks* self, int64_t size) noexcept nogil:
    """Make `size` the tick, and what is needed to divide by it exactly without dividing."""
    cdef uint64_t odd = <uint64_t> size, inverse
    cdef int _round
    self.size = size
    self.shift = 0
    while odd & 1 == 0:
        odd >>= 1
        self.shift += 1
    inverse = odd                                 # Newton's iteration doubles the right bits: 3, 6, 12, 24, 48, 96
    for _round in range(5):
        inverse *= 2 - odd * inverse
    self.inverse = inverse
    self.limit = INT64_MAX // size


cdef inline bint tick_index(const Ticks* self, price_t price, int64_t* index) noexcept nogil:
    """Which tick a price is; False if it lies between two, or too far out.

    A multiple of an odd number is undone by its inverse modulo 2**64; anything else gives a number past `limit`.
    """
    cdef int64_t found = <int64_t> (<uint64_t> (price >> self.shift) * self.inverse)
    index[0] = found
    return (<uint64_t> found + <uint64_t> self.limit <= 2 * <uint64_t> self.limit) & (
        <uint64_t> price & ((<uint64_t> 1 << self.shift) - 1) == 0)


cdef inline bint ranks_of(const Ticks* ticks, int64_t sign, Levels* levels) noexcept nogil:
    """Fill in the ranks of the prices; False if one is off the tick or too far out."""
    cdef int64_t i, index
    cdef bint fits = True
    if likely(ticks.size == 1):
        for i in range(levels.count):
            levels.rank[i] = sign * levels.price[i]
        return True
    for i in range(levels.count):
        fits &= tick_index(ticks, levels.price[i], &index)
        levels.rank[i] = sign * index
    return fits


cdef inline void write_end(BookData* self) noexcept nogil:
    """A change is complete: publish the best levels and let go of the lock."""
    version_next(self.version)
    self.touch.bid_qty = self.touch.ask_qty = 0
    if self.bids.best != NULL:
        self.touch.bid = ladder_best(&self.bids) * self.ticks.size
        self.touch.bid_qty = ladder_best_qty(&self.bids)
    if self.asks.best != NULL:
        self.touch.ask = -ladder_best(&self.asks) * self.ticks.size
        self.touch.ask_qty = ladder_best_qty(&self.asks)
    self.touch.price_scale = self.price_scale
    self.touch.qty_scale = self.qty_scale
    self.touch.status = self.status
    version_next(self.version)
    lock_drop(&self.lock)


cdef inline void book_touch(const BookData* self, Touch* out) noexcept nogil:
    """The best levels of one moment, from any thread."""
    cdef unsigned int seen
    while True:
        seen = version_read(self.version)
        out[0] = self.touch
        if seen & 1 == 0 and version_same(self.version, seen):
            return


cdef inline void book_set_status(BookData* self, int status) noexcept nogil:
    """Change the state alone."""
    lock_take(&self.lock)
    self.status = status
    write_end(self)


cdef inline bint book_init(BookData* self, int price_scale, int qty_scale, int64_t tick) noexcept nogil:
    """An EMPTY book. `tick` in price units, 0 to learn it from the first snapshot. False: no memory."""
    self.price_scale = price_scale
    self.qty_scale = qty_scale
    self.fresh_ticks = tick == 0
    self.sequence = self.exchange_ns = self.receive_ns = self.absent = 0
    self.trusted_bid = INT64_MIN
    self.trusted_ask = INT64_MAX
    self.lock = self.version = 0
    ticks_set(&self.ticks, tick if tick > 0 else 1)
    if not (ladder_init(&self.bids, 1) and ladder_init(&self.asks, -1)):
        return False
    book_set_status(self, BOOK_EMPTY)
    return True


cdef inline void book_free(BookData* self) noexcept nogil:
    """Give all memory back."""
    ladder_free(&self.bids)
    ladder_free(&self.asks)


cdef inline int64_t tick_of(const Levels* levels, int64_t size) noexcept nogil:
    """Greatest common divisor of `size` and the prices of these levels."""
    cdef int64_t i
    for i in range(levels.count):
        if size == 1:
            break
        size = gcd(levels.price[i], size)
    return size


cdef inline bint qtys_valid(const Levels* levels) noexcept nogil:
    """No quantity is negative."""
    cdef int64_t i
    cdef qty_t any_sign = 0
    for i in range(levels.count):
        any_sign |= levels.qty[i]
    if likely(any_sign >= 0):
        return True
    for i in range(levels.count):
        if levels.qty[i] < 0 and not (qty_is_own(levels.qty[i]) and <uint64_t> levels.qty[i] & OWN_DIGITS):
            return False
    return True


cdef inline int64_t pages_of(const Levels* levels) noexcept nogil:
    """Upper bound of the pages these levels need when nothing else is held."""
    cdef int64_t i, key, last = INT64_MIN, pages = 0
    for i in range(levels.count):
        key = levels.rank[i] >> PAGE_BITS
        if key != last and levels.qty[i] != 0:
            last = key
            pages += 1
    return pages


cdef inline Status ladder_rebuilt(const Ladder* self, int64_t factor, int64_t limit, Ladder* fresh) noexcept nogil:
    """Build a ladder with every rank times `factor`; a status other than OK leaves nothing to free."""
    cdef int64_t i, rank
    cdef const Page* page
    cdef int bit
    cdef qty_t qty
    if not ladder_init(fresh, self.sign):
        return NO_MEMORY
    for i in range(self.n_slots):
        page = &self.slots[i]
        if page.key == INT64_MIN:
            continue
        for bit in range(PAGE_TICKS):
            if not (page.occupied >> bit) & 1:
                continue
            rank = page.key * PAGE_TICKS + bit
            if rank > limit // factor or rank < -(limit // factor):
                ladder_free(fresh)
                return NO_FIT
            rank *= factor
            qty = page.qty[bit]
            if not ladder_reserve(fresh, fresh.n_pages, 1):
                ladder_free(fresh)
                return NO_MEMORY
            ladder_apply(fresh, &rank, &qty, 1)
    return OK


cdef inline Status book_refine_tick(BookData* self, int64_t size) noexcept nogil:
    """Make the tick finer (`size` divides the present one); a status other than OK leaves the book as it was."""
    cdef Ticks new
    cdef Ladder bids, asks
    cdef Status status
    cdef int64_t factor
    if size == self.ticks.size:
        return OK
    ticks_set(&new, size)
    factor = self.ticks.size // size
    status = ladder_rebuilt(&self.bids, factor, new.limit, &bids)
    if status != OK:
        return status
    status = ladder_rebuilt(&self.asks, factor, new.limit, &asks)
    if status != OK:
        ladder_free(&bids)
        return status
    lock_take(&self.lock)
    ladder_free(&self.bids)
    ladder_free(&self.asks)
    self.bids = bids
    self.asks = asks
    self.ticks = new
    write_end(self)
    return OK


cdef inline Status book_place(BookData* self, Levels* bids, Levels* asks) noexcept nogil:
    """Fill in ranks, refining the tick where a price asks for it."""
    cdef Status status
    if likely(ranks_of(&self.ticks, 1, bids) & ranks_of(&self.ticks, -1, asks)):
        return OK
    status = book_refine_tick(self, tick_of(bids, tick_of(asks, self.ticks.size)))
    if status != OK:
        return status
    return OK if ranks_of(&self.ticks, 1, bids) & ranks_of(&self.ticks, -1, asks) else NO_FIT


cdef inline void book_stamp(BookData* self, int64_t sequence, int64_t exchange_ns, int64_t receive_ns) noexcept nogil:
    """Note which message the book stands at."""
    self.sequence = sequence
    self.exchange_ns = exchange_ns
    self.receive_ns = receive_ns


cdef inline void drop_zeros(Levels* levels) noexcept nogil:
    """Leave out the entries of a snapshot that hold nothing."""
    cdef int64_t i, kept = 0, zeros = 0
    for i in range(levels.count):
        zeros += levels.qty[i] == 0
    if likely(zeros == 0):
        return
    for i in range(levels.count):
        levels.price[kept] = levels.price[i]
        levels.qty[kept] = levels.qty[i]
        kept += levels.qty[i] != 0
    levels.count = kept


cdef inline Status book_apply_snapshot(BookData* self, Levels* bids, Levels* asks, int64_t sequence,
                                       int64_t exchange_ns, int64_t receive_ns, int state) noexcept nogil:
    """Replace the whole book; it is then in `state`. A status other than OK leaves it as it was."""
    cdef Status status
    cdef int64_t size, bid_pages, ask_pages
    cdef bint kept
    if not (qtys_valid(bids) and qtys_valid(asks)):
        return NEGATIVE_QTY
    drop_zeros(bids)
    drop_zeros(asks)
    if self.fresh_ticks and bids.count + asks.count:
        size = tick_of(bids, tick_of(asks, 0))
        if size > 0:
            ticks_set(&self.ticks, size)          # nothing is held yet that the old tick could be needed for
            self.fresh_ticks = False
    status = book_place(self, bids, asks)
    if status != OK:
        return status
    bid_pages = pages_of(bids)
    ask_pages = pages_of(asks)
    # A venue that sends whole books sends nearly the same one again: its pages are worth keeping, unless they are many.
    kept = self.bids.n_pages <= 2 * bid_pages and self.asks.n_pages <= 2 * ask_pages
    lock_take(&self.lock)
    if not (ladder_reserve(&self.bids, self.bids.n_pages if kept else 0, bid_pages)
            and ladder_reserve(&self.asks, self.asks.n_pages if kept else 0, ask_pages)):
        write_end(self)
        return NO_MEMORY
    if kept:
        ladder_empty(&self.bids)
        ladder_empty(&self.asks)
    else:
        ladder_clear(&self.bids)
        ladder_clear(&self.asks)
    ladder_fill(&self.bids, bids.rank, bids.qty, bids.count)
    ladder_fill(&self.asks, asks.rank, asks.qty, asks.count)
    self.absent = 0
    self.trusted_bid = INT64_MIN
    self.trusted_ask = INT64_MAX
    book_stamp(self, sequence, exchange_ns, receive_ns)
    self.status = state
    write_end(self)
    return OK


cdef inline Status book_apply_delta(BookData* self, Levels* bids, Levels* asks, int64_t sequence,
                                    int64_t exchange_ns, int64_t receive_ns) noexcept nogil:
    """Set and remove levels, bids first, each side as listed; a status other than OK leaves the book as it was.

    The quantities of the levels are then those from before.
    """
    cdef Status status
    cdef int64_t absent_bids, absent_asks
    if unlikely(not (qtys_valid(bids) and qtys_valid(asks))):
        return NEGATIVE_QTY
    if unlikely(not (ranks_of(&self.ticks, 1, bids) & ranks_of(&self.ticks, -1, asks))):
        status = book_place(self, bids, asks)
        if status != OK:
            return status
    lock_take(&self.lock)
    absent_bids = ladder_apply(&self.bids, bids.rank, bids.qty, bids.count)
    absent_asks = ladder_apply(&self.asks, asks.rank, asks.qty, asks.count) if absent_bids >= 0 else -1
    if unlikely(absent_asks < 0):
        if absent_bids >= 0:
            ladder_undo(&self.bids, bids.rank, bids.qty, bids.count)
        write_end(self)
        return NO_MEMORY
    self.absent = absent_bids + absent_asks
    book_stamp(self, sequence, exchange_ns, receive_ns)
    write_end(self)
    return OK


cdef inline void book_cut(BookData* self, int64_t depth) noexcept nogil:
    """Drop the levels beyond the best `depth` of each side."""
    cdef int64_t rank
    cdef qty_t nothing
    if self.bids.n_levels <= depth and self.asks.n_levels <= depth:
        return
    lock_take(&self.lock)
    while self.bids.n_levels > depth:
        rank = ladder_worst(&self.bids)
        nothing = 0
        ladder_apply(&self.bids, &rank, &nothing, 1)
    while self.asks.n_levels > depth:
        rank = ladder_worst(&self.asks)
        nothing = 0
        ladder_apply(&self.asks, &rank, &nothing, 1)
    write_end(self)


cdef inline void book_clear(BookData* self, int status) noexcept nogil:
    """Drop every level and say why through `status`."""
    lock_take(&self.lock)
    ladder_clear(&self.bids)
    ladder_clear(&self.asks)
    self.trusted_bid = INT64_MIN
    self.trusted_ask = INT64_MAX
    book_stamp(self, 0, 0, 0)
    self.status = status
    write_end(self)


cdef inline bint scale_fits(int64_t largest, int more) noexcept nogil:
    """Whether a number of this size can take `more` decimals."""
    return more <= MAX_SCALE and largest <= INT64_MAX // TEN[more]


cdef inline bint book_takes_price(const BookData* self, int more) noexcept nogil:
    """Whether every price fits when it is counted in units 10**more times finer."""
    cdef int64_t far = max(ladder_reach(&self.bids), ladder_reach(&self.asks))
    return (self.price_scale + more <= MAX_SCALE and scale_fits(self.ticks.size, more)
            and far <= INT64_MAX // (self.ticks.size * TEN[more]))


cdef inline Status book_widen_price(BookData* self, int more) noexcept nogil:
    """Count prices in units 10**more times finer. Ranks stay: a tick is only written with more digits."""
    if not book_takes_price(self, more):
        return NO_FIT
    lock_take(&self.lock)
    ticks_set(&self.ticks, self.ticks.size * TEN[more])
    self.price_scale += more
    if self.trusted_bid != INT64_MIN:
        self.trusted_bid *= TEN[more]
    if self.trusted_ask != INT64_MAX:
        self.trusted_ask *= TEN[more]
    write_end(self)
    return OK


cdef inline bint ladder_scale_qty(Ladder* self, int64_t factor, int scale, bint change) noexcept nogil:
    """Multiply every quantity (or only look whether that fits). One that no longer fits becomes an own quantity."""
    cdef int64_t i
    cdef int bit
    cdef Page* page
    for i in range(self.n_slots):
        page = &self.slots[i]
        if page.key == INT64_MIN:
            continue
        for bit in range(PAGE_TICKS):
            if (page.occupied >> bit) & 1:
                if qty_is_own(page.qty[bit]):
                    continue
                if change:
                    if page.qty[bit] <= INT64_MAX // factor:
                        page.qty[bit] *= factor
                    elif not qty_make_own(<uint64_t> page.qty[bit], scale, &page.qty[bit]):
                        return False
                elif page.qty[bit] > INT64_MAX // factor:
                    return False
    return True


cdef inline bint ladder_may_own(const Ladder* self, int64_t factor, int scale) noexcept nogil:
    """Whether every quantity fits when it is multiplied, or could be an own quantity."""
    cdef int64_t i
    cdef int bit
    cdef qty_t own
    for i in range(self.n_slots):
        if self.slots[i].key == INT64_MIN:
            continue
        for bit in range(PAGE_TICKS):
            if (self.slots[i].occupied >> bit) & 1 and self.slots[i].qty[bit] > INT64_MAX // factor and (
                    not qty_make_own(<uint64_t> self.slots[i].qty[bit], scale, &own)):
                return False
    return True


cdef inline Status book_widen_qty(BookData* self, int more, bint own=False) noexcept nogil:
    """Count quantities in units 10**more times finer; a status other than OK leaves the book as it was.

    `own`: what then is too large becomes an own quantity.
    """
    if self.qty_scale + more > MAX_SCALE:
        return NO_FIT
    if own:
        if not (ladder_may_own(&self.bids, TEN[more], self.qty_scale)
                and ladder_may_own(&self.asks, TEN[more], self.qty_scale)):
            return NO_FIT
    elif not (ladder_scale_qty(&self.bids, TEN[more], self.qty_scale, False)
              and ladder_scale_qty(&self.asks, TEN[more], self.qty_scale, False)):
        return NO_FIT
    lock_take(&self.lock)
    ladder_scale_qty(&self.bids, TEN[more], self.qty_scale, True)
    ladder_scale_qty(&self.asks, TEN[more], self.qty_scale, True)
    self.qty_scale += more
    write_end(self)
    return OK


cdef inline price_t side_price(const BookData* self, const Ladder* side, int64_t rank) noexcept nogil:
    """Price in units of the level at `rank`."""
    return side.sign * rank * self.ticks.size


cdef inline price_t book_bid(const BookData* self) noexcept nogil:
    """Best bid price in units; only where there is a bid."""
    return ladder_best(&self.bids) * self.ticks.size


cdef inline price_t book_ask(const BookData* self) noexcept nogil:
    """Best ask price in units; only where there is an ask."""
    return -ladder_best(&self.asks) * self.ticks.size


cdef inline bint book_crossed(const BookData* self) noexcept nogil:
    """Both sides hold a level and the best bid is at or above the best ask, as it was published last."""
    return (self.touch.bid_qty != 0) & (self.touch.ask_qty != 0) & (self.touch.bid >= self.touch.ask)


cdef inline qty_t side_qty(const BookData* self, const Ladder* side, price_t price) noexcept nogil:
    """Quantity at a price in units, 0 if no level rests there."""
    cdef int64_t index
    if not tick_index(&self.ticks, price, &index):
        return 0
    return ladder_get(side, side.sign * index)
