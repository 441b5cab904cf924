"""Streams by the text a frame begins with: which instrument, and which layouts its frames have had."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, realloc, free
from libc.string cimport memcpy, memcmp, memset

cdef enum:
    PREFIX = 128              # bytes of a frame that name its stream at most
    SHORTEST_PREFIX = 4       # and at least
    ROUTE_LAYOUTS = 8         # layouts one stream remembers
    ROUTE_PARTS = 8           # and layouts of messages that stand behind the first of a frame
    MAX_LEARNS = 200          # frames one stream may learn from in its life: what never repeats is not worth it
    MAX_ROUTES = 32768
    TRUST = 100               # what a stream's stencils (feeds.stencil) may cost before they are given up
    FIRST_ROUTES = 64

cdef struct Route:
    char prefix[PREFIX]       # the text, zero padded
    int line                  # connection, 0 where the text means the same on all
    int32_t target            # instrument, -1 if each frame names its own
    uint8_t size              # bytes of the text
    uint8_t n_layouts
    uint8_t current           # layout that fitted last
    uint8_t learns            # layouts learned so far
    int16_t layout[ROUTE_LAYOUTS]
    bint book                 # some of its frames were about a book
    uint8_t n_parts
    int16_t part[ROUTE_PARTS]         # layouts of further messages,
    int16_t part_head[ROUTE_PARTS]    # each with that of the first message of their frame
    uint32_t life             # no other route ever has it
    int trust                 # below 0: its stencils are given up

cdef struct Routes:
    Route* route              # by index. Owned
    int32_t count
    int32_t room
    int32_t* slot             # the table: index + 1, 0 where free. Owned
    int64_t n_slots           # a power of two, at least twice `count`
    uint32_t lives            # routes there have been


cdef inline uint64_t prefix_hash(const char* p, Py_ssize_t size, int line) noexcept nogil:
    """Mix of the last 24 of `size` (4 or more) bytes, and of a connection."""
    cdef uint64_t a, b, c
    cdef uint32_t half[2]
    if size < 8:                                  # two halves that may overlap: no loop over bytes
        memcpy(&half[0], p, 4)
        memcpy(&half[1], p + size - 4, 4)
        a = b = c = half[0] | <uint64_t> half[1] << 32
    else:
        memcpy(&a, p + size - 8, 8)
        memcpy(&b, p + (size - 16 if size >= 16 else 0), 8)
        memcpy(&c, p + (size - 24 if size >= 24 else 0), 8)
    a *= <uint64_t> 0x9E3779B97F4A7C15
    b *= <uint64_t> 0xC2B2AE3D27D4EB4F
    c *= <uint64_t> 0x165667B19E3779F9
    a ^= (b >> 29) ^ b ^ (c << 7) ^ (c >> 31) ^ <uint64_t> size ^ <uint64_t> line << 8
    return a ^ (a >> 32)


cdef inline Py_ssize_t prefix_size(const char* p, Py_ssize_t size, char mark, int marks) noexcept nogil:
    """Bytes before the mark of this number, if they are 4 to 127; else 0."""
    cdef Py_ssize_t i
    if marks == 0:
        return 0
    for i in range(size if size < PREFIX else PREFIX):
        if p[i] == mark:
            marks -= 1
            if marks == 0:
                return i if i >= SHORTEST_PREFIX else 0
    return 0


cdef inline Route* routes_find(const Routes* self, const char* p, Py_ssize_t size, int line) noexcept nogil:
    """The route of a prefix, NULL if there is none."""
    cdef int64_t i
    cdef Route* route
    if self.n_slots == 0 or size == 0:
        return NULL
    i = <int64_t> prefix_hash(p, size, line) & (self.n_slots - 1)
    while self.slot[i]:
        route = &self.route[self.slot[i] - 1]
        if route.size == size and route.line == line and memcmp(route.prefix, p, size) == 0:
            return route
        i = (i + 1) & (self.n_slots - 1)
    return NULL


cdef inline void routes_put(Routes* self, int32_t index) noexcept nogil:
    """Enter a route into the table, in which there is room."""
    cdef int64_t i = <int64_t> prefix_hash(self.route[index].prefix, self.route[index].size, self.route[index].line)
    i &= self.n_slots - 1
    while self.slot[i]:
        i = (i + 1) & (self.n_slots - 1)
    self.slot[i] = index + 1


cdef inline Route* routes_add(Routes* self, const char* p, Py_ssize_t size, int line,
                              int32_t target) noexcept nogil:
    """A new route; NULL without memory or if there are too many. Pointers to routes become invalid."""
    cdef void* memory
    cdef int64_t i, n_slots
    cdef int32_t room
    cdef Route* route
    if self.count == MAX_ROUTES:
        return NULL
    if self.count == self.room:
        room = 2 * self.room if self.room else FIRST_ROUTES
        memory = realloc(self.route, room * sizeof(Route))
        if memory == NULL:
            return NULL
        self.route = <Route*> memory
        self.room = room
    if 2 * (self.count + 1) > self.n_slots:
        n_slots = 2 * self.n_slots if self.n_slots else 2 * FIRST_ROUTES
        memory = calloc(n_slots, sizeof(int32_t))
        if memory == NULL:
            return NULL
        free(self.slot)
        self.slot = <int32_t*> memory
        self.n_slots = n_slots
        for i in range(self.count):
            routes_put(self, <int32_t> i)
    route = &self.route[self.count]
    memset(route, 0, sizeof(Route))
    memcpy(route.prefix, p, size)
    route.size = <uint8_t> size
    route.target = target
    route.line = line
    route.trust = TRUST
    self.lives += 1
    route.life = self.lives
    self.count += 1
    routes_put(self, self.count - 1)
    return route


cdef inline void routes_free(Routes* self) noexcept nogil:
    """Forget all routes and give the memory back."""
    cdef uint32_t lives = self.lives
    free(self.route)
    free(self.slot)
    memset(self, 0, sizeof(Routes))
    self.lives = lives
