"""A table from a whole number to a whole number, for books whose wire speaks of levels by name.

Two uses: the id of a level to its price and side, where the wire gives the price only once; a price and side to the
number of its last change, where changes come out of order.
"""

from libc.stdint cimport int64_t, uint64_t, INT64_MAX, INT64_MIN
from libc.stdlib cimport malloc, free
from libc.string cimport memset

cdef enum:
    FIRST_SLOTS = 64

cdef struct LevelMap:
    int64_t* key              # INT64_MIN where free. Owned
    int64_t* value            # Owned, the second half of the same memory
    int64_t count             # keys in use
    int64_t n_slots           # a power of two, at least twice `count`


cdef inline int64_t map_slot(const LevelMap* self, int64_t key) noexcept nogil:
    """Where a key is, or the free place where it would be; the table has memory."""
    cdef uint64_t at = <uint64_t> key * <uint64_t> 0x9E3779B97F4A7C15
    cdef int64_t i = <int64_t> ((at ^ (at >> 29)) & <uint64_t> (self.n_slots - 1))
    while self.key[i] != key and self.key[i] != INT64_MIN:
        i = (i + 1) & (self.n_slots - 1)
    return i


cdef inline int64_t map_get(const LevelMap* self, int64_t key, int64_t absent) noexcept nogil:
    """The value of a key, or `absent`."""
    cdef int64_t i
    if self.n_slots == 0:
        return absent
    i = map_slot(self, key)
    return absent if self.key[i] == INT64_MIN else self.value[i]


cdef inline bint map_room(LevelMap* self, int64_t n_slots) noexcept nogil:
    """Give the table so many places; False without memory, it is then as it was."""
    cdef LevelMap new
    cdef int64_t i, at
    new.key = <int64_t*> malloc(2 * n_slots * sizeof(int64_t))
    if new.key == NULL:
        return False
    new.value = new.key + n_slots
    new.n_slots = n_slots
    new.count = self.count
    for i in range(n_slots):
        new.key[i] = INT64_MIN
    for i in range(self.n_slots):
        if self.key[i] != INT64_MIN:
            at = map_slot(&new, self.key[i])
            new.key[at] = self.key[i]
            new.value[at] = self.value[i]
    free(self.key)
    self[0] = new
    return True


cdef inline bint map_reserve(LevelMap* self, int64_t more) noexcept nogil:
    """Make room for so many more keys, so that `map_put` cannot fail; False without memory."""
    cdef int64_t n_slots = self.n_slots if self.n_slots else FIRST_SLOTS
    while n_slots < 2 * (self.count + more):
        n_slots *= 2
    return n_slots == self.n_slots or map_room(self, n_slots)


cdef inline void map_put(LevelMap* self, int64_t key, int64_t value) noexcept nogil:
    """Set the value of a key, for which there is room."""
    cdef int64_t i = map_slot(self, key)
    self.count += self.key[i] == INT64_MIN
    self.key[i] = key
    self.value[i] = value


cdef inline void map_clear(LevelMap* self) noexcept nogil:
    """Forget all keys; the memory stays."""
    cdef int64_t i
    for i in range(self.n_slots):
        self.key[i] = INT64_MIN
    self.count = 0


cdef inline void map_free(LevelMap* self) noexcept nogil:
    """Give the memory back."""
    free(self.key)
    memset(self, 0, sizeof(LevelMap))


cdef inline bint map_fits(const LevelMap* self, int64_t factor, bint keys) noexcept nogil:
    """Whether the prices in the keys (else: in the values), with up to two more bits, can be multiplied by `factor`."""
    cdef int64_t i, most = INT64_MAX // 4 // factor
    for i in range(self.n_slots):
        if self.key[i] != INT64_MIN and not -most < (self.key[i] if keys else self.value[i]) // 4 < most:
            return False
    return True
