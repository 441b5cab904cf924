"""The runner of learned layouts for any machine: the same steps as run_simd.pyx, byte by byte."""

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp
from orderbook.types cimport NOT_COVERED, Status
from feeds.element cimport Head
from feeds.engine cimport Engine
from feeds.message cimport Message
from feeds.shape cimport Op, Shape
from feeds.routes cimport Route, Routes, routes_find, prefix_size

cdef enum:
    SIMD = 0

cdef struct Window:
    const char* p             # first byte
    const char* end           # one past the last of the frame


cdef inline void window_load(Window* self, const char* p, const char* end, const char* safe) noexcept nogil:
    self.p = p
    self.end = end


cdef inline bint window_fits(const Window* self, const Shape* shape) noexcept nogil:
    return False


cdef inline int window_misfit(const Window* self, const Shape* shape) noexcept nogil:
    return 0


cdef inline int64_t window_value(const Window* self, const Shape* shape) noexcept nogil:
    return 0


cdef inline void window_values(const Window* self, const Shape* shape, int64_t* values) noexcept nogil:
    pass


cdef inline bint window_text(const Window* self, const char* text, int size) noexcept nogil:
    return self.end - self.p >= size and memcmp(self.p, text, size) == 0


cdef inline bint window_is(const Window* self, const Op* op) noexcept nogil:
    return window_text(self, op.text, op.tail)


cdef inline uint32_t window_look(const Window* self, char stop, int stops) noexcept nogil:
    return 0


cdef inline uint32_t window_stops(const Window* self, char stop) noexcept nogil:
    return 0


cdef inline int first_bit(uint32_t mask) noexcept nogil:
    return 31


cdef inline int window_quote(const Window* self) noexcept nogil:
    cdef int i = 0
    while i < 32 and self.p + i < self.end:
        if self.p[i] == c'"':
            return i
        if self.p[i] == c'\\':
            return -2
        i += 1
    return -1


cdef inline bint head_fits(const char* p, const Head* head) noexcept nogil:
    return False


cdef inline bint worth_a_look(Engine* engine) noexcept nogil:
    return False


cdef inline uint32_t stencil_key(const char* data, const char* end) noexcept nogil:
    return 0


cdef inline Status read_stencil(Engine* engine, const char* data, const char* end, const char* safe, uint32_t key,
                                Message* m) noexcept nogil:
    return NOT_COVERED


cdef inline void note_stencil(Engine* engine, Route* route, int layout, const char* data, const char* end,
                              const char* safe, uint32_t key, const Message* m) noexcept nogil:
    pass


cdef inline Route* find_route(const Routes* self, const char* data, const char* end, const char* safe, char mark,
                              int marks, int line) noexcept nogil:
    return routes_find(self, data, prefix_size(data, end - data, mark, marks), line)


include "run.pxi"
