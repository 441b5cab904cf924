"""One side of a book: price levels in pages of 64 adjacent ticks.

A level's *rank* is `sign * tick index`, with sign +1 for bids and -1 for asks, so the best level has the
highest rank on both sides and one piece of code serves both. A page holds 64 adjacent ranks: a bit for each
that has a level, and their quantities. Pages are found through a hash directory and walked through a sorted
array of their keys; a page that has become empty stays in place until it is in the way.

Cost of a change does not depend on the size of the book. Memory is about 600 bytes a page, so 9 to 600 bytes
a level depending on how close the levels lie together.

Every function is `noexcept nogil`; the caller (see core.pxd) locks, and has reserved what a change needs.
"""

from libc.stdint cimport int64_t, uint64_t, INT64_MIN
from libc.stdlib cimport malloc, calloc, realloc, free
from libc.string cimport memmove, memset
from orderbook.types cimport qty_t

cdef extern from *:
    """
    #define wb_clz64(x) __builtin_clzll(x)
    #if defined(__x86_64__) && !defined(__LZCNT__)
    /* bsr waits for what its destination held before, which chains the levels of a walk: give it a fresh one. */
    static inline int wb_top64(unsigned long long x) {
        unsigned long long bit = 0;
        __asm__("bsrq %1, %0" : "+r"(bit) : "r"(x) : "cc");
        return (int) bit;
    }
    #else
    #define wb_top64(x) (63 - __builtin_clzll(x))
    #endif
    #define wb_ctz64(x) __builtin_ctzll(x)
    #define wb_likely(x) __builtin_expect(!!(x), 1)
    #define wb_unlikely(x) __builtin_expect(!!(x), 0)
    #define WB_GOLDEN 0x9E3779B97F4A7C15ULL
    """
    int clz64 "wb_clz64"(uint64_t x) nogil
    int top64 "wb_top64"(uint64_t x) nogil                 # index of the highest bit; x is not 0
    int ctz64 "wb_ctz64"(uint64_t x) nogil
    bint likely "wb_likely"(bint x) nogil
    bint unlikely "wb_unlikely"(bint x) nogil
    uint64_t GOLDEN "WB_GOLDEN"

cdef enum:
    PAGE_BITS = 6
    PAGE_TICKS = 64
    FIRST_SLOTS = 16          # directory size of an empty ladder
    FIRST_PAGES = 4           # pages in the first chunk
    EMPTY_RUN = 8             # empty pages passed below the best price before all empty ones are dropped

cdef struct Page:
    int64_t key               # rank >> 6; INT64_MIN marks a free slot of the directory
    uint64_t occupied         # bit i: a level rests at rank (key << 6) + i
    qty_t* qty                # 64 quantities; qty[i] has a meaning only where bit i is set. Owned by `chunks`

cdef struct Ladder:
    Page* slots               # the directory: open addressing, at most half full. Owned
    int64_t n_slots           # a power of two
    int shift                 # 64 - log2(n_slots)
    int64_t* order            # keys of all pages, ascending: the best page is last or near it. Owned
    int64_t order_room        # keys that fit in `order`
    int64_t n_pages           # pages in the directory, empty ones included
    int64_t n_levels          # levels held
    Page* best                # page of the best level, NULL without levels; points into `slots`
    int64_t best_at           # its place in `order`
    int64_t purge_at          # number of pages at which empty ones are looked for
    int64_t sign              # +1 bids, -1 asks
    void** chunks             # blocks the pages' quantities come from. Owned
    int64_t n_chunks
    qty_t* spare              # list of unused pages, linked through their first quantity
    int64_t n_spare
    int64_t page_room         # pages in all chunks, used and spare


cdef inline bint ladder_init(Ladder* self, int64_t sign) noexcept nogil:
    """An empty ladder; False if there is no memory for it."""
    cdef int64_t i
    memset(self, 0, sizeof(Ladder))
    self.sign = sign
    self.slots = <Page*> malloc(FIRST_SLOTS * sizeof(Page))
    if self.slots == NULL:
        return False
    self.n_slots = FIRST_SLOTS
    self.shift = 60
    for i in range(FIRST_SLOTS):
        self.slots[i].key = INT64_MIN
    self.purge_at = FIRST_SLOTS
    return True


cdef inline void ladder_free(Ladder* self) noexcept nogil:
    """Give all memory back."""
    cdef int64_t i
    for i in range(self.n_chunks):
        free(self.chunks[i])
    free(self.chunks)
    free(self.slots)
    free(self.order)
    memset(self, 0, sizeof(Ladder))


cdef inline size_t ladder_bytes(const Ladder* self) noexcept nogil:
    """Bytes of heap the ladder holds."""
    return (self.n_slots * sizeof(Page) + self.order_room * sizeof(int64_t)
            + self.page_room * PAGE_TICKS * sizeof(qty_t) + self.n_chunks * sizeof(void*))


cdef inline Page* ladder_find(const Ladder* self, int64_t key) noexcept nogil:
    """The page with this key, NULL if there is none."""
    cdef int64_t i = <int64_t> ((<uint64_t> key * GOLDEN) >> self.shift)
    cdef Page* page
    while True:
        page = &self.slots[i]
        if likely(page.key == key):
            return page
        if page.key == INT64_MIN:
            return NULL
        i = (i + 1) & (self.n_slots - 1)


cdef inline Page* ladder_slot(Page* slots, int64_t n_slots, int shift, int64_t key) noexcept nogil:
    """The free slot a new key goes to."""
    cdef int64_t i = <int64_t> ((<uint64_t> key * GOLDEN) >> shift)
    while slots[i].key != INT64_MIN:
        i = (i + 1) & (n_slots - 1)
    return &slots[i]


cdef inline int64_t ladder_place(const Ladder* self, int64_t key) noexcept nogil:
    """Index in `order` of the first key that is not below this one."""
    cdef int64_t low = 0, high = self.n_pages, middle
    while low < high:
        middle = (low + high) >> 1
        if self.order[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline bint ladder_grow_directory(Ladder* self, int64_t n_slots) noexcept nogil:
    """Move the pages to a directory of this size (a power of two); False leaves all as it was."""
    cdef Page* slots = <Page*> malloc(n_slots * sizeof(Page))
    cdef int shift = 64
    cdef int64_t i, best_key = self.best.key if self.best != NULL else INT64_MIN
    if slots == NULL:
        return False
    for i in range(n_slots):
        slots[i].key = INT64_MIN
    i = n_slots
    while i > 1:
        i >>= 1
        shift -= 1
    for i in range(self.n_slots):
        if self.slots[i].key != INT64_MIN:
            ladder_slot(slots, n_slots, shift, self.slots[i].key)[0] = self.slots[i]
    free(self.slots)
    self.slots = slots
    self.n_slots = n_slots
    self.shift = shift
    if self.best != NULL:
        self.best = ladder_find(self, best_key)
    return True


cdef inline bint ladder_grow_pages(Ladder* self, int64_t more) noexcept nogil:
    """Add at least `more` spare pages; False leaves all as it was."""
    cdef void** chunks
    cdef qty_t* chunk
    cdef int64_t i, count = self.page_room >> 2
    if count < FIRST_PAGES:
        count = FIRST_PAGES
    if count < more:
        count = more
    chunks = <void**> realloc(self.chunks, (self.n_chunks + 1) * sizeof(void*))
    if chunks == NULL:
        return False
    self.chunks = chunks
    chunk = <qty_t*> malloc(count * PAGE_TICKS * sizeof(qty_t))
    if chunk == NULL:
        return False
    chunks[self.n_chunks] = chunk
    self.n_chunks += 1
    self.page_room += count
    for i in range(count):
        ladder_give_back(self, chunk + i * PAGE_TICKS)
    return True


cdef inline void ladder_give_back(Ladder* self, qty_t* page) noexcept nogil:
    """Put a page's quantities on the list of spare ones."""
    (<qty_t**> page)[0] = self.spare
    self.spare = page
    self.n_spare += 1


cdef inline bint ladder_reserve(Ladder* self, int64_t kept, int64_t pages) noexcept nogil:
    """Make sure that `pages` can be added to `kept` (all of the present pages, or 0 before a clearing) without
    allocating; False changes nothing visible."""
    cdef int64_t room, n_slots = self.n_slots, spare = self.n_spare + self.n_pages - kept
    cdef int64_t* order
    if spare < pages and not ladder_grow_pages(self, pages - spare):
        return False
    if kept + pages > self.order_room:
        room = self.order_room + (self.order_room >> 1) + 8
        if room < kept + pages:
            room = kept + pages
        order = <int64_t*> realloc(self.order, room * sizeof(int64_t))
        if order == NULL:
            return False
        self.order = order
        self.order_room = room
    while 2 * (kept + pages) > n_slots:
        n_slots <<= 1
    return n_slots == self.n_slots or ladder_grow_directory(self, n_slots)


cdef inline Page* ladder_add_page(Ladder* self, int64_t key) noexcept nogil:
    """Insert an empty page; it must be missing, and `ladder_reserve` must have made room for it."""
    cdef int64_t at = self.n_pages
    cdef Page* page = ladder_slot(self.slots, self.n_slots, self.shift, key)
    if at and self.order[at - 1] > key:
        at = ladder_place(self, key)
    memmove(self.order + at + 1, self.order + at, (self.n_pages - at) * sizeof(int64_t))
    self.order[at] = key
    self.n_pages += 1
    if self.best != NULL and at <= self.best_at:
        self.best_at += 1
    page.key = key
    page.occupied = 0
    page.qty = self.spare
    self.spare = (<qty_t**> page.qty)[0]
    self.n_spare -= 1
    return page


cdef inline void ladder_purge(Ladder* self) noexcept nogil:
    """Drop every empty page; allocates nothing, so it cannot fail."""
    cdef int64_t i, j, kept = 0, best_key = self.best.key if self.best != NULL else INT64_MIN
    cdef Page* page
    cdef Page moved
    for i in range(self.n_slots):
        page = &self.slots[i]
        if page.key != INT64_MIN and page.occupied == 0:
            ladder_give_back(self, page.qty)
            page.qty = NULL                       # marks the key for the two passes below
    for i in range(self.n_pages):
        page = ladder_find(self, self.order[i])
        if page.qty != NULL:
            self.order[kept] = self.order[i]
            kept += 1
    for i in range(self.n_slots):
        if self.slots[i].key != INT64_MIN and self.slots[i].qty == NULL:
            self.slots[i].key = INT64_MIN
    self.n_pages = kept
    # A slot that became free may have stood between a key and the place its hash names: put each key again,
    # until a pass finds all of them where a search would look.
    i = 1
    while i:
        i = 0
        for j in range(self.n_slots):
            if self.slots[j].key != INT64_MIN:
                moved = self.slots[j]
                self.slots[j].key = INT64_MIN
                page = ladder_slot(self.slots, self.n_slots, self.shift, moved.key)
                page[0] = moved
                if page != &self.slots[j]:
                    i = 1
    self.purge_at = 2 * kept if 2 * kept > FIRST_SLOTS else FIRST_SLOTS
    if self.best != NULL:
        self.best = ladder_find(self, best_key)
        self.best_at = ladder_place(self, best_key)


cdef inline void ladder_clear(Ladder* self) noexcept nogil:
    """Remove every level; the memory stays for the next ones."""
    cdef int64_t i
    for i in range(self.n_slots):
        if self.slots[i].key != INT64_MIN:
            ladder_give_back(self, self.slots[i].qty)
            self.slots[i].key = INT64_MIN
    self.n_pages = 0
    self.n_levels = 0
    self.best = NULL
    self.best_at = 0
    self.purge_at = FIRST_SLOTS


cdef inline void ladder_empty(Ladder* self) noexcept nogil:
    """Remove every level; the pages stay in place for those that come at about the same prices."""
    cdef int64_t i
    for i in range(self.n_slots):
        self.slots[i].occupied = 0                # of a free slot it means nothing
    self.n_levels = 0
    self.best = NULL
    self.best_at = 0


cdef inline void ladder_settle(Ladder* self, int64_t top) noexcept nogil:
    """Find the best level again after changes; `top` is the highest key in which a level was set."""
    cdef int64_t passed = 0
    if self.best == NULL or top > self.best.key:
        if top == INT64_MIN:
            return                                # still empty
        self.best_at = ladder_place(self, top)
        self.best = ladder_find(self, top)
    if likely(self.best.occupied != 0):
        return
    if self.n_levels == 0:
        self.best = NULL
        return
    while self.best.occupied == 0:
        self.best_at -= 1
        self.best = ladder_find(self, self.order[self.best_at])
        passed += 1
    if passed > EMPTY_RUN:
        ladder_purge(self)


cdef inline int64_t ladder_apply(Ladder* self, const int64_t* ranks, qty_t* qtys, int64_t n) noexcept nogil:
    """Set (quantity > 0) or remove (0) `n` levels in order; `qtys` then holds what each of them was before.

    Returns the removals of levels that were not held, or -1 without memory: then nothing has changed.
    """
    cdef int64_t i, key, top = INT64_MIN, levels = 0, absent = 0
    cdef uint64_t bit, held, had, kept
    cdef qty_t qty
    cdef Page* page
    if n == 0:
        return 0
    for i in range(n):
        key = ranks[i] >> PAGE_BITS
        bit = <uint64_t> ranks[i] & (PAGE_TICKS - 1)
        qty = qtys[i]
        page = ladder_find(self, key)
        if unlikely(page == NULL):
            if qty == 0:
                absent += 1
                continue
            if unlikely(not ladder_reserve(self, self.n_pages, 1)):
                self.n_levels += levels
                ladder_settle(self, top)
                ladder_undo(self, ranks, qtys, i)
                return -1
            page = ladder_add_page(self, key)
        kept = qty != 0
        held = page.occupied
        had = (held >> bit) & 1
        qtys[i] = page.qty[bit] & -<int64_t> had
        page.qty[bit] = qty
        page.occupied = (held & ~(<uint64_t> 1 << bit)) | (kept << bit)
        levels += <int64_t> kept - <int64_t> had
        absent += (kept | had) ^ 1
        top = key if kept and key > top else top
    self.n_levels += levels
    ladder_settle(self, top)
    if unlikely(self.n_pages > self.purge_at):
        ladder_tidy(self)
    return absent


cdef inline void ladder_fill(Ladder* self, const int64_t* ranks, const qty_t* qtys, int64_t n) noexcept nogil:
    """Set `n` levels, quantities above 0, in a ladder without levels in which there is room for all their pages.

    From the last to the first, which is as a rule the best: then each new page comes behind the others.
    """
    cdef int64_t i, key, last = INT64_MIN, top = INT64_MIN, levels = 0
    cdef uint64_t bit
    cdef Page* page = NULL
    for i in range(n - 1, -1, -1):
        key = ranks[i] >> PAGE_BITS
        if unlikely(key != last):
            last = key
            top = key if key > top else top
            page = ladder_find(self, key)
            if unlikely(page == NULL):
                page = ladder_add_page(self, key)
        bit = <uint64_t> ranks[i] & (PAGE_TICKS - 1)
        if unlikely((page.occupied >> bit) & 1):
            continue                              # of a price that comes twice, the last one holds
        page.occupied |= <uint64_t> 1 << bit
        page.qty[bit] = qtys[i]
        levels += 1
    self.n_levels = levels
    ladder_settle(self, top)
    if unlikely(self.n_pages > self.purge_at):
        ladder_tidy(self)


cdef inline void ladder_undo(Ladder* self, const int64_t* ranks, qty_t* qtys, int64_t n) noexcept nogil:
    """Take back the first `n` levels of a `ladder_apply`; their pages are there, so this cannot fail."""
    while n > 0:
        n -= 1
        if qtys[n] or ladder_find(self, ranks[n] >> PAGE_BITS) != NULL:
            ladder_apply(self, ranks + n, qtys + n, 1)


cdef inline void ladder_tidy(Ladder* self) noexcept nogil:
    """Drop the empty pages if they are more than half of all; otherwise look again at twice the size."""
    cdef int64_t i, empty = 0
    for i in range(self.n_slots):
        empty += self.slots[i].key != INT64_MIN and self.slots[i].occupied == 0
    if 2 * empty > self.n_pages:
        ladder_purge(self)
    else:
        self.purge_at = 2 * self.n_pages


cdef inline int64_t ladder_best(const Ladder* self) noexcept nogil:
    """Rank of the best level; only where `self.best` is not NULL."""
    return self.best.key * PAGE_TICKS + (63 - clz64(self.best.occupied))


cdef inline qty_t ladder_best_qty(const Ladder* self) noexcept nogil:
    """Quantity of the best level; only where `self.best` is not NULL."""
    return self.best.qty[63 - clz64(self.best.occupied)]


cdef inline qty_t ladder_get(const Ladder* self, int64_t rank) noexcept nogil:
    """Quantity at a rank, 0 if no level rests there."""
    cdef const Page* page = ladder_find(self, rank >> PAGE_BITS)
    cdef uint64_t bit = <uint64_t> rank & (PAGE_TICKS - 1)
    if page == NULL or not (page.occupied >> bit) & 1:
        return 0
    return page.qty[bit]


cdef inline int64_t ladder_worst(const Ladder* self) noexcept nogil:
    """Rank of the worst level; only where `self.best` is not NULL."""
    cdef int64_t i = 0
    cdef const Page* page = ladder_find(self, self.order[0])
    while page.occupied == 0:
        i += 1
        page = ladder_find(self, self.order[i])
    return page.key * PAGE_TICKS + ctz64(page.occupied)


cdef inline int64_t ladder_reach(const Ladder* self) noexcept nogil:
    """Largest distance of a level from rank 0, 0 without levels."""
    cdef int64_t best, worst
    if self.best == NULL:
        return 0
    best = ladder_best(self)
    worst = ladder_worst(self)
    return max(best if best > 0 else -best, worst if worst > 0 else -worst)


cdef struct Walk:
    const Ladder* ladder      # borrowed; must not change while the walk lasts
    const Page* page          # page being read, NULL when the walk is over
    uint64_t held             # its levels still to come
    int64_t at                # its place in `order`


cdef inline void walk_start(Walk* self, const Ladder* ladder) noexcept nogil:
    """Stand before the best level."""
    self.ladder = ladder
    self.page = ladder.best
    self.at = ladder.best_at
    self.held = ladder.best.occupied if ladder.best != NULL else 0


cdef inline bint walk_next(Walk* self, int64_t* rank, qty_t* qty) noexcept nogil:
    """Step to the next level, best first; False when there is none."""
    cdef int bit
    while self.held == 0:
        if self.page == NULL or self.at == 0:
            self.page = NULL
            return False
        self.at -= 1
        self.page = ladder_find(self.ladder, self.ladder.order[self.at])
        self.held = self.page.occupied
    bit = top64(self.held)
    rank[0] = self.page.key * PAGE_TICKS + bit
    qty[0] = self.page.qty[bit]
    self.held ^= <uint64_t> 1 << bit
    return True
