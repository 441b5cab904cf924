"""Instruments by the venue's text, found without making a Python string."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, realloc, free
from libc.string cimport memcpy, memcmp, memset
from feeds.message cimport MAX_NAME
from feeds.whole cimport Kept, kept_free

cdef enum:
    FIRST_NAMES = 64          # slots of an empty table

cdef struct Target:
    char name[128]             # the venue's text, zero padded so that wide loads stay inside
    uint8_t size              # bytes of the name
    uint8_t price_scale       # decimals that prices of this instrument are read with
    uint8_t qty_scale         # decimals that quantities are read with
    # 0: the instrument was not asked for; 1: messages are applied; 2: where several lines carry them, those that count
    # (feeds.lines)
    int wanted
    int32_t number            # its index among all
    int variant               # see `variant_of` of feeds.message: 0 for the book of deltas of the first market
    const unsigned int* version   # of its book; NULL: it has none. Borrowed
    Kept* kept                # of its whole books, NULL while there is nothing. Owned

cdef struct Symbols:
    Target* target            # by index. Owned
    int32_t count             # instruments known
    int32_t room              # instruments that fit
    int32_t* slot             # the table: index + 1, 0 where free. Owned
    int64_t n_slots           # a power of two, at least twice `count`


cdef inline uint64_t name_hash(const char* name, Py_ssize_t size, int variant) noexcept nogil:
    """Mix of all bytes of a name and the variant."""
    cdef uint64_t hash = <uint64_t> size * 31 + <uint64_t> variant, word
    cdef uint32_t half[2]
    while size >= 8:
        memcpy(&word, name, 8)
        hash = (hash ^ word) * <uint64_t> 0x9E3779B97F4A7C15
        hash ^= hash >> 29
        name += 8
        size -= 8
    word = 0
    if size >= 4:                             # two halves that may overlap: no loop over bytes
        memcpy(&half[0], name, 4)
        memcpy(&half[1], name + size - 4, 4)
        word = half[0] | <uint64_t> half[1] << 32
    elif size > 0:                            # a message may name nothing
        memcpy(&word, name, size)
    hash = (hash ^ word) * <uint64_t> 0x9E3779B97F4A7C15
    return hash ^ (hash >> 32)


cdef inline bint same_name(const char* a, const char* b, Py_ssize_t size) noexcept nogil:
    """Whether two texts are the same; usual ones by two words that may overlap."""
    cdef uint64_t word[4]
    cdef uint32_t half[4]
    if 8 <= size <= 16:
        memcpy(&word[0], a, 8)
        memcpy(&word[1], b, 8)
        memcpy(&word[2], a + size - 8, 8)
        memcpy(&word[3], b + size - 8, 8)
        return (word[0] ^ word[1]) | (word[2] ^ word[3]) == 0
    if 4 <= size < 8:
        memcpy(&half[0], a, 4)
        memcpy(&half[1], b, 4)
        memcpy(&half[2], a + size - 4, 4)
        memcpy(&half[3], b + size - 4, 4)
        return (half[0] ^ half[1]) | (half[2] ^ half[3]) == 0
    return memcmp(a, b, size) == 0


cdef inline int32_t symbols_find(const Symbols* self, const char* name, Py_ssize_t size, int variant) noexcept nogil:
    """Index of an instrument, -1 if it is not known."""
    cdef int64_t i
    cdef const Target* target
    if self.n_slots == 0 or size > MAX_NAME:
        return -1
    i = <int64_t> name_hash(name, size, variant) & (self.n_slots - 1)
    while self.slot[i]:
        target = &self.target[self.slot[i] - 1]
        if target.size == size and target.variant == variant and same_name(target.name, name, size):
            return self.slot[i] - 1
        i = (i + 1) & (self.n_slots - 1)
    return -1


cdef inline void symbols_put(Symbols* self, int32_t index) noexcept nogil:
    """Enter an instrument into the table, in which there is room."""
    cdef const Target* target = &self.target[index]
    cdef int64_t i = <int64_t> name_hash(target.name, target.size, target.variant) & (self.n_slots - 1)
    while self.slot[i]:
        i = (i + 1) & (self.n_slots - 1)
    self.slot[i] = index + 1


cdef inline int32_t symbols_add(Symbols* self, const char* name, Py_ssize_t size, int variant) noexcept nogil:
    """Index of a new instrument, -1 without memory or if the name is too long. Pointers to targets become invalid."""
    cdef void* memory
    cdef int64_t i, n_slots
    cdef int32_t room
    if size > MAX_NAME:
        return -1
    if self.count == self.room:
        room = 2 * self.room if self.room else FIRST_NAMES
        memory = realloc(self.target, room * sizeof(Target))
        if memory == NULL:
            return -1
        self.target = <Target*> memory
        self.room = room
    if 2 * (self.count + 1) > self.n_slots:
        n_slots = 2 * self.n_slots if self.n_slots else 2 * FIRST_NAMES
        memory = calloc(n_slots, sizeof(int32_t))
        if memory == NULL:
            return -1
        free(self.slot)
        self.slot = <int32_t*> memory
        self.n_slots = n_slots
        for i in range(self.count):
            symbols_put(self, <int32_t> i)
    memset(&self.target[self.count], 0, sizeof(Target))
    memcpy(self.target[self.count].name, name, size)
    self.target[self.count].size = <uint8_t> size
    self.target[self.count].number = self.count
    self.target[self.count].variant = variant
    self.target[self.count].wanted = 1
    self.count += 1
    symbols_put(self, self.count - 1)
    return self.count - 1


cdef inline void symbols_free(Symbols* self) noexcept nogil:
    """Give the memory back."""
    cdef int32_t i
    for i in range(self.count):
        kept_free(self.target[i].kept)
    free(self.target)
    free(self.slot)
    memset(self, 0, sizeof(Symbols))
