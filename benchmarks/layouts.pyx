# cython: boundscheck=False, wraparound=False
"""Candidates for one side of a book, behind one small table of functions, and the loops that time them.

A level's rank is its tick index, negated for asks, so the best level has the highest rank (see orderbook/ladder.pxd).
bench_layouts.py writes ladder16.pxd, the same ladder with pages of 16 ticks, before this file is compiled.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memmove
from posix.time cimport CLOCK_THREAD_CPUTIME_ID, clock_gettime, timespec

from orderbook.update cimport Levels, levels_free, levels_reserve
from orderbook.ladder cimport (Ladder, Walk, clz64, ladder_apply, ladder_bytes, ladder_free, ladder_init, walk_next,
                               walk_start)
from ladder16 cimport (Ladder as Ladder16, Walk as Walk16, ladder_apply as ladder16_apply,
                       ladder_bytes as ladder16_bytes, ladder_free as ladder16_free, ladder_init as ladder16_init,
                       walk_next as walk16_next, walk_start as walk16_start)

cdef struct Layout:
    const char* name
    size_t size                                                 # bytes of the structure itself
    void (*start)(void* side, int64_t best) noexcept nogil      # make it empty; `best`: a rank near the best
    void (*stop)(void* side) noexcept nogil                     # free what it holds
    void (*apply)(void* side, Levels* levels) noexcept nogil    # the quantities may be other ones afterwards
    int64_t (*top)(const void* side, int64_t n, int64_t* rank, int64_t* qty) noexcept nogil   # best first; how many
    size_t (*heap)(const void* side) noexcept nogil             # bytes it has taken


# ---- pages of 64 and of 16 ticks: the ladder itself

cdef void ladder_start(void* side, int64_t best) noexcept nogil:
    ladder_init(<Ladder*> side, 1)


cdef void ladder_stop(void* side) noexcept nogil:
    ladder_free(<Ladder*> side)


cdef void ladder_change(void* side, Levels* levels) noexcept nogil:
    ladder_apply(<Ladder*> side, levels.rank, levels.qty, levels.count)


cdef int64_t ladder_top(const void* side, int64_t n, int64_t* rank, int64_t* qty) noexcept nogil:
    cdef Walk walk
    cdef int64_t i = 0
    walk_start(&walk, <const Ladder*> side)
    while i < n and walk_next(&walk, &rank[i], &qty[i]):
        i += 1
    return i


cdef size_t ladder_heap(const void* side) noexcept nogil:
    return ladder_bytes(<const Ladder*> side)


cdef void ladder16_start(void* side, int64_t best) noexcept nogil:
    ladder16_init(<Ladder16*> side, 1)


cdef void ladder16_stop(void* side) noexcept nogil:
    ladder16_free(<Ladder16*> side)


cdef void ladder16_change(void* side, Levels* levels) noexcept nogil:
    ladder16_apply(<Ladder16*> side, levels.rank, levels.qty, levels.count)


cdef int64_t ladder16_top(const void* side, int64_t n, int64_t* rank, int64_t* qty) noexcept nogil:
    cdef Walk16 walk
    cdef int64_t i = 0
    walk16_start(&walk, <const Ladder16*> side)
    while i < n and walk16_next(&walk, &rank[i], &qty[i]):
        i += 1
    return i


cdef size_t ladder16_heap(const void* side) noexcept nogil:
    return ladder16_bytes(<const Ladder16*> side)


# ---- two sorted arrays, best level last, searched by galloping from the best one

cdef struct Sorted:
    int64_t* rank             # ascending. Owned
    int64_t* qty              # Owned
    int64_t count
    int64_t room


cdef void sorted_start(void* side, int64_t best) noexcept nogil:
    cdef Sorted* self = <Sorted*> side
    self.rank = self.qty = NULL
    self.count = self.room = 0


cdef void sorted_stop(void* side) noexcept nogil:
    free((<Sorted*> side).rank)
    free((<Sorted*> side).qty)


cdef inline int64_t lower_bound(const int64_t* rank, int64_t low, int64_t high, int64_t wanted) noexcept nogil:
    """First index in [low, high) whose rank is not below `wanted`; `high` if there is none."""
    cdef int64_t middle
    while low < high:
        middle = (low + high) >> 1
        if rank[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline void take_out(int64_t* rank, int64_t* qty, int64_t at, int64_t count) noexcept nogil:
    """Close the gap that entry `at` of two arrays leaves; `count` entries are left."""
    memmove(rank + at, rank + at + 1, (count - at) * sizeof(int64_t))
    memmove(qty + at, qty + at + 1, (count - at) * sizeof(int64_t))


cdef inline void put_in(int64_t* rank, int64_t* qty, int64_t at, int64_t count, int64_t new_rank,
                        int64_t new_qty) noexcept nogil:
    """Insert an entry at `at` into two arrays of `count` with room for one more."""
    memmove(rank + at + 1, rank + at, (count - at) * sizeof(int64_t))
    memmove(qty + at + 1, qty + at, (count - at) * sizeof(int64_t))
    rank[at] = new_rank
    qty[at] = new_qty


cdef inline void sorted_set(Sorted* self, int64_t rank, int64_t qty) noexcept nogil:
    cdef int64_t step = 1, at
    while step < self.count and self.rank[self.count - step] >= rank:
        step <<= 1
    at = self.count - step if step < self.count else 0
    at = lower_bound(self.rank, at, self.count - (step >> 1), rank)
    if at < self.count and self.rank[at] == rank:
        if qty:
            self.qty[at] = qty
            return
        self.count -= 1
        take_out(self.rank, self.qty, at, self.count)
    elif qty:
        if self.count == self.room:
            self.room = 2 * self.room + 16
            self.rank = <int64_t*> realloc(self.rank, self.room * sizeof(int64_t))
            self.qty = <int64_t*> realloc(self.qty, self.room * sizeof(int64_t))
        put_in(self.rank, self.qty, at, self.count, rank, qty)
        self.count += 1


cdef void sorted_change(void* side, Levels* levels) noexcept nogil:
    cdef int64_t i
    for i in range(levels.count):
        sorted_set(<Sorted*> side, levels.rank[i], levels.qty[i])


cdef int64_t sorted_top(const void* side, int64_t n, int64_t* rank, int64_t* qty) noexcept nogil:
    cdef const Sorted* self = <const Sorted*> side
    cdef int64_t i, last = self.count - 1
    n = min(n, self.count)
    for i in range(n):
        rank[i] = self.rank[last - i]
        qty[i] = self.qty[last - i]
    return n


cdef size_t sorted_heap(const void* side) noexcept nogil:
    return 2 * (<const Sorted*> side).room * sizeof(int64_t)


# ---- a window of 2**16 ticks around the first best price, and sorted arrays for what lies outside

cdef enum:
    WINDOW = 1 << 16

cdef struct Dense:
    int64_t first             # rank of the window's first tick
    int64_t* qty              # one for each tick of the window, 0 where no level rests. Owned
    uint64_t* occupied        # a bit for each tick. Owned
    uint64_t words[16]        # a bit for each word of `occupied` that has a bit
    int64_t levels            # levels inside the window
    int64_t absent            # removals there of levels that were not held
    Sorted outside


cdef void dense_start(void* side, int64_t best) noexcept nogil:
    cdef Dense* self = <Dense*> side
    cdef int i
    self.first = best - WINDOW // 2
    self.qty = <int64_t*> calloc(WINDOW, sizeof(int64_t))
    self.occupied = <uint64_t*> calloc(WINDOW // 64, sizeof(uint64_t))
    for i in range(16):
        self.words[i] = 0
    self.levels = self.absent = 0
    sorted_start(&self.outside, best)


cdef void dense_stop(void* side) noexcept nogil:
    free((<Dense*> side).qty)
    free((<Dense*> side).occupied)
    sorted_stop(&(<Dense*> side).outside)


cdef void dense_change(void* side, Levels* levels) noexcept nogil:
    cdef Dense* self = <Dense*> side
    cdef int64_t i, at, old
    cdef uint64_t held, kept
    for i in range(levels.count):                 # counts and hands back the old quantities, as the ladder does
        at = levels.rank[i] - self.first
        if <uint64_t> at >= WINDOW:
            sorted_set(&self.outside, levels.rank[i], levels.qty[i])
            continue
        old = self.qty[at]
        kept = levels.qty[i] != 0
        self.levels += <int64_t> kept - (old != 0)
        self.absent += (levels.qty[i] | old) == 0
        self.qty[at] = levels.qty[i]
        levels.qty[i] = old
        held = (self.occupied[at >> 6] & ~(<uint64_t> 1 << (at & 63))) | kept << (at & 63)
        self.occupied[at >> 6] = held
        kept = held != 0
        self.words[at >> 12] = (self.words[at >> 12] & ~(<uint64_t> 1 << ((at >> 6) & 63))) | kept << ((at >> 6) & 63)


cdef int64_t dense_top(const void* side, int64_t n, int64_t* rank, int64_t* qty) noexcept nogil:
    cdef const Dense* self = <const Dense*> side
    cdef int64_t found = 0, at = self.outside.count - 1, word
    cdef int group = 15
    cdef uint64_t words, held
    while found < n and at >= 0 and self.outside.rank[at] >= self.first:        # better than the window
        rank[found] = self.outside.rank[at]
        qty[found] = self.outside.qty[at]
        found += 1
        at -= 1
    while found < n and group >= 0:
        words = self.words[group]
        while found < n and words:
            word = 64 * group + 63 - clz64(words)
            held = self.occupied[word]
            while found < n and held:
                rank[found] = 64 * word + 63 - clz64(held)
                qty[found] = self.qty[rank[found]]
                held ^= <uint64_t> 1 << (rank[found] & 63)
                rank[found] += self.first
                found += 1
            words ^= <uint64_t> 1 << (word & 63)
        group -= 1
    while found < n and at >= 0:
        rank[found] = self.outside.rank[at]
        qty[found] = self.outside.qty[at]
        found += 1
        at -= 1
    return found


cdef size_t dense_heap(const void* side) noexcept nogil:
    return WINDOW * sizeof(int64_t) + WINDOW // 8 + sorted_heap(&(<const Dense*> side).outside)


# ---- blocks of up to 128 sorted levels, in a sorted array of blocks

cdef enum:
    BLOCK = 128

cdef struct Block:
    int64_t rank[BLOCK]       # ascending
    int64_t qty[BLOCK]
    int64_t count

cdef struct Blocks:
    Block** block             # by rank. Owned, and so is each
    int64_t* first            # the lowest rank that belongs to each block. Owned
    int64_t count
    int64_t room


cdef void blocks_start(void* side, int64_t best) noexcept nogil:
    cdef Blocks* self = <Blocks*> side
    self.room = 16
    self.block = <Block**> malloc(self.room * sizeof(Block*))
    self.first = <int64_t*> malloc(self.room * sizeof(int64_t))
    self.count = 1
    self.block[0] = <Block*> malloc(sizeof(Block))
    self.block[0].count = 0
    self.first[0] = -(<int64_t> 1 << 62)


cdef void blocks_stop(void* side) noexcept nogil:
    cdef Blocks* self = <Blocks*> side
    cdef int64_t i
    for i in range(self.count):
        free(self.block[i])
    free(self.block)
    free(self.first)


cdef inline Block* blocks_split(Blocks* self, int64_t at, int64_t rank) noexcept nogil:
    """Make two of a full block; the one that `rank` belongs to."""
    cdef Block* low = self.block[at]
    cdef Block* high = <Block*> malloc(sizeof(Block))
    cdef int64_t half = BLOCK // 2
    memmove(high.rank, low.rank + half, half * sizeof(int64_t))
    memmove(high.qty, low.qty + half, half * sizeof(int64_t))
    low.count = high.count = half
    if self.count == self.room:
        self.room *= 2
        self.block = <Block**> realloc(self.block, self.room * sizeof(Block*))
        self.first = <int64_t*> realloc(self.first, self.room * sizeof(int64_t))
    memmove(self.block + at + 2, self.block + at + 1, (self.count - at - 1) * sizeof(Block*))
    memmove(self.first + at + 2, self.first + at + 1, (self.count - at - 1) * sizeof(int64_t))
    self.block[at + 1] = high
    self.first[at + 1] = high.rank[0]
    self.count += 1
    return high if rank >= high.rank[0] else low


cdef inline void blocks_set(Blocks* self, int64_t rank, int64_t qty) noexcept nogil:
    cdef int64_t at = lower_bound(self.first, 0, self.count, rank + 1) - 1, i
    cdef Block* block = self.block[at]
    i = lower_bound(block.rank, 0, block.count, rank)
    if i < block.count and block.rank[i] == rank:
        if qty:
            block.qty[i] = qty
            return
        block.count -= 1
        take_out(block.rank, block.qty, i, block.count)
        if block.count == 0 and at > 0:
            free(block)
            self.count -= 1
            memmove(self.block + at, self.block + at + 1, (self.count - at) * sizeof(Block*))
            memmove(self.first + at, self.first + at + 1, (self.count - at) * sizeof(int64_t))
    elif qty:
        if block.count == BLOCK:
            block = blocks_split(self, at, rank)
            i = lower_bound(block.rank, 0, block.count, rank)
        put_in(block.rank, block.qty, i, block.count, rank, qty)
        block.count += 1


cdef void blocks_change(void* side, Levels* levels) noexcept nogil:
    cdef int64_t i
    for i in range(levels.count):
        blocks_set(<Blocks*> side, levels.rank[i], levels.qty[i])


cdef int64_t blocks_top(const void* side, int64_t n, int64_t* rank, int64_t* qty) noexcept nogil:
    cdef const Blocks* self = <const Blocks*> side
    cdef int64_t found = 0, at = self.count - 1, i
    while found < n and at >= 0:
        i = self.block[at].count - 1
        while found < n and i >= 0:
            rank[found] = self.block[at].rank[i]
            qty[found] = self.block[at].qty[i]
            found += 1
            i -= 1
        at -= 1
    return found


cdef size_t blocks_heap(const void* side) noexcept nogil:
    cdef const Blocks* self = <const Blocks*> side
    return self.count * sizeof(Block) + self.room * (sizeof(Block*) + sizeof(int64_t))


# ---- the table, and the loops

cdef Layout[5] LAYOUTS
LAYOUTS[0] = Layout(b"hash directory of 64-tick pages (orderbook.ladder)", sizeof(Ladder), ladder_start, ladder_stop,
                    ladder_change, ladder_top, ladder_heap)
LAYOUTS[1] = Layout(b"the same with 16-tick pages", sizeof(Ladder16), ladder16_start, ladder16_stop, ladder16_change,
                    ladder16_top, ladder16_heap)
LAYOUTS[2] = Layout(b"dense window of 2^16 ticks + overflow", sizeof(Dense), dense_start, dense_stop, dense_change,
                    dense_top, dense_heap)
LAYOUTS[3] = Layout(b"sorted blocks of up to 128 levels", sizeof(Blocks), blocks_start, blocks_stop, blocks_change,
                    blocks_top, blocks_heap)
LAYOUTS[4] = Layout(b"sorted arrays, galloping", sizeof(Sorted), sorted_start, sorted_stop, sorted_change, sorted_top,
                    sorted_heap)

NAMES = [(<bytes> LAYOUTS[number].name).decode() for number in range(5)]


cdef int64_t now_ns() noexcept nogil:
    """Time this thread has had the processor: what else runs on the machine does not count."""
    cdef timespec now
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
    return <int64_t> now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef class Messages:
    """Changes of sides in C memory: message i is for side i modulo the number of sides."""

    cdef Levels* message        # `price` keeps the quantities, which a layout may change. Owned
    cdef readonly int64_t count
    cdef readonly int64_t levels

    def __cinit__(self, messages):
        """messages -- C-contiguous int64 arrays of shape (n, 2): rank, quantity."""
        self.count = len(messages)
        self.message = <Levels*> calloc(self.count + 1, sizeof(Levels))
        if self.message == NULL:
            raise MemoryError
        for i, rows in enumerate(messages):
            self.fill(&self.message[i], rows)

    def __dealloc__(self):
        if self.message != NULL:
            for i in range(self.count):
                levels_free(&self.message[i])
        free(self.message)

    cdef int fill(self, Levels* levels, const int64_t[:, ::1] rows) except -1:
        if not levels_reserve(levels, rows.shape[0]):
            raise MemoryError
        levels.count = rows.shape[0]
        for i in range(rows.shape[0]):
            levels.rank[i] = rows[i, 0]
            levels.price[i] = rows[i, 1]
        self.levels += rows.shape[0]
        return 0

    cdef void renew(self) noexcept nogil:
        cdef int64_t i
        for i in range(self.count):
            memmove(self.message[i].qty, self.message[i].price, self.message[i].count * sizeof(int64_t))


cdef class Sides:
    """Some sides of books in one layout."""

    cdef const Layout* layout
    cdef char* memory           # of all sides, one after the other. Owned
    cdef int64_t count

    def __cinit__(self, int number, best):
        """number -- of the layout, an index of NAMES. best -- a rank near the best price of each side."""
        cdef int64_t i
        self.layout = &LAYOUTS[number]
        self.count = len(best)
        self.memory = <char*> calloc(self.count, self.layout.size)
        if self.memory == NULL:
            raise MemoryError
        for i in range(self.count):
            self.layout.start(self.memory + i * self.layout.size, best[i])

    def __dealloc__(self):
        cdef int64_t i
        if self.memory != NULL:
            for i in range(self.count):
                self.layout.stop(self.memory + i * self.layout.size)
        free(self.memory)

    def apply(self, Messages messages):
        """Apply all messages, in turn to each side. Returns the nanoseconds it took."""
        cdef int64_t start, i, side = 0
        messages.renew()
        start = now_ns()
        for i in range(messages.count):
            self.layout.apply(self.memory + side * self.layout.size, &messages.message[i])
            side += 1
            if side == self.count:
                side = 0
        return now_ns() - start

    def read_top(self, int64_t n, int64_t times):
        """Read the best `n` levels (at most 64) of two sides so often. Returns the nanoseconds of one read of both."""
        cdef int64_t rank[64]
        cdef int64_t qty[64]
        cdef int64_t start = now_ns(), found = 0
        for _ in range(times):
            found += self.layout.top(self.memory, n, rank, qty)
            found += self.layout.top(self.memory + self.layout.size, n, rank, qty)
        return (now_ns() - start) / <double> times if found else 0.0

    def levels(self, int64_t side):
        """Every level of a side as (rank, quantity), best first."""
        cdef int64_t room = 1 << 20, n, i
        cdef int64_t* rank = <int64_t*> malloc(room * sizeof(int64_t))
        cdef int64_t* qty = <int64_t*> malloc(room * sizeof(int64_t))
        try:
            n = self.layout.top(self.memory + side * self.layout.size, room, rank, qty)
            return [(rank[i], qty[i]) for i in range(n)]
        finally:
            free(rank)
            free(qty)

    @property
    def nbytes(self):
        """Bytes of all sides together."""
        cdef int64_t i
        cdef size_t taken = self.count * self.layout.size
        for i in range(self.count):
            taken += self.layout.heap(self.memory + i * self.layout.size)
        return taken
