"""Whole books that come again and again: the text of the last one, so that only what differs is read and applied.

Venues that send a whole book in every message repeat nearly all of it. Of each list of levels the text is kept, and
what it was read as: levels whose text is the same are not read again, and if the book still is as the last message left
it, only the levels that differ are applied. What is kept decides nothing: a text means the same numbers at the same
scales, and a book that anything else has changed is replaced as a whole.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, realloc, free
from libc.string cimport memcpy
from orderbook.update cimport Levels, levels_free, levels_reserve

cdef enum:
    WHOLE_BYTES = 1 << 16     # of a list whose text is kept; a longer one is read anew each time

cdef struct KeptList:
    char* text                # from behind the first bracket to the last. Owned
    int64_t size              # bytes of it
    int64_t room
    uint32_t* start           # where each level begins in the text, and where the last one ends. Owned
    int64_t start_room
    Levels levels             # what they were read as; `rank` means nothing. Owned
    const void* form          # of the levels,
    int scales                # and the scales they were read at
    bint ordered              # each price is behind the one before

cdef struct Kept:
    KeptList last[2]          # bids, asks of the last message,
    KeptList next[2]          # and room for those of the next
    const unsigned int* version   # of the book; borrowed from it
    unsigned int applied_at   # version of the book after the last message was applied,
    bint applied              # if it was
    bint differs              # of the message at work: its lists hold what differs from the book
    int lists                 # of the message at work: bit 0 its bids were read, bit 1 its asks


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* How many bytes two texts have in common from their beginnings on; `most` can be read of both. */
    static inline int64_t wb_same_bytes(const char *a, const char *b, int64_t most) {
        int64_t i = 0;
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint64_t x[4], y[4];
        while (i + 32 <= most) {
            memcpy(x, a + i, 32);
            memcpy(y, b + i, 32);
            if ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]))
                break;
            i += 32;
        }
        while (i + 8 <= most) {
            memcpy(x, a + i, 8);
            memcpy(y, b + i, 8);
            if (x[0] ^ y[0])
                return i + (__builtin_ctzll(x[0] ^ y[0]) >> 3);
            i += 8;
        }
    #endif
        while (i < most && a[i] == b[i])
            i++;
        return i;
    }
    """
    int64_t same_bytes "wb_same_bytes"(const char* a, const char* b, int64_t most) nogil


cdef inline Kept* kept_new(const unsigned int* version) noexcept nogil:
    """Nothing kept yet of the book with this version; NULL without memory."""
    cdef Kept* self = <Kept*> calloc(1, sizeof(Kept))
    if self != NULL:
        self.version = version
    return self


cdef inline void list_free(KeptList* self) noexcept nogil:
    """Give the memory back."""
    free(self.text)
    free(self.start)
    levels_free(&self.levels)


cdef inline void kept_free(Kept* self) noexcept nogil:
    """Give all memory back; NULL is nothing."""
    cdef int side
    if self == NULL:
        return
    for side in range(2):
        list_free(&self.last[side])
        list_free(&self.next[side])
    free(self)


cdef inline bint list_room(KeptList* self, int64_t levels, int64_t size) noexcept nogil:
    """Make room for so many levels and bytes; False without memory."""
    cdef void* memory
    if levels + 1 > self.start_room:
        memory = realloc(self.start, (levels + (levels >> 1) + 1) * sizeof(uint32_t))
        if memory == NULL:
            return False
        self.start = <uint32_t*> memory
        self.start_room = levels + (levels >> 1) + 1
    if size > self.room:
        memory = realloc(self.text, size + (size >> 1))
        if memory == NULL:
            return False
        self.text = <char*> memory
        self.room = size + (size >> 1)
    return levels_reserve(&self.levels, levels)


cdef inline void kept_begin(Kept* self) noexcept nogil:
    """Before the lists of a message are read."""
    self.differs = self.applied and self.applied_at == self.version[0]
    self.applied = False
    self.lists = 0


cdef inline bint kept_current(const Kept* self) noexcept nogil:
    """Whether the lists of the message at work hold what differs, and the book is still as it was when they were
    read."""
    return self.differs and self.applied_at == self.version[0]


cdef inline void kept_turn(Kept* self, int side) noexcept nogil:
    """A list was read: what is kept is it."""
    cdef KeptList list = self.last[side]
    self.last[side] = self.next[side]
    self.next[side] = list
    self.lists |= 1 << side


cdef inline bint kept_copy(const Levels* kept, Levels* out) noexcept nogil:
    """All levels of a list; False without memory."""
    if not levels_reserve(out, kept.count):
        return False
    memcpy(out.price, kept.price, kept.count * sizeof(int64_t))
    memcpy(out.qty, kept.qty, kept.count * sizeof(int64_t))
    out.count = kept.count
    return True


cdef inline bint kept_all(Kept* self, Levels* bids, Levels* asks) noexcept nogil:
    """Make the lists of the message at work whole, where they hold what differs; False without memory."""
    self.differs = False
    return ((not self.lists & 1 or kept_copy(&self.last[0].levels, bids))
            and (not self.lists & 2 or kept_copy(&self.last[1].levels, asks)))


cdef inline void kept_done(Kept* self) noexcept nogil:
    """The message at work was applied: its book is what is kept."""
    self.applied = self.lists == 3
    self.applied_at = self.version[0]


# ---- what differs, level by level

cdef struct Differ:
    # Where the comparison of two lists stands.
    const Levels* old
    Levels* out               # what differs: quantities of 0 for the levels that are gone
    int64_t i                 # next of the old levels
    int64_t sign              # +1: prices rise along the list
    bint old_ordered          # as KeptList has it
    int64_t last              # price of the last new level, times the sign
    bint ordered


cdef inline void differ_add(Levels* out, int64_t price, int64_t qty) noexcept nogil:
    """Note a level; there is room."""
    out.price[out.count] = price
    out.qty[out.count] = qty
    out.count += 1


cdef inline void differ_level(Differ* self, int64_t price, int64_t qty) noexcept nogil:
    """A level whose text is not that of the old one that is next."""
    cdef const Levels* old = self.old
    cdef int64_t at = self.sign * price
    self.ordered &= at > self.last
    self.last = at
    while self.i < old.count and self.sign * old.price[self.i] < at:
        differ_add(self.out, old.price[self.i], 0)
        self.i += 1
    if self.i < old.count and old.price[self.i] == price:
        self.i += 1
        if old.qty[self.i - 1] == qty:
            return
    differ_add(self.out, price, qty)


cdef inline void differ_same(Differ* self, int64_t count) noexcept nogil:
    """So many levels are as the old ones."""
    cdef int64_t k
    self.ordered &= self.sign * self.old.price[self.i] > self.last
    if not self.old_ordered:
        for k in range(self.i + 1, self.i + count):
            self.ordered &= self.sign * self.old.price[k] > self.sign * self.old.price[k - 1]
    self.i += count
    self.last = self.sign * self.old.price[self.i - 1]


cdef inline void differ_end(Differ* self) noexcept nogil:
    """No more levels come."""
    while self.i < self.old.count:
        differ_add(self.out, self.old.price[self.i], 0)
        self.i += 1
