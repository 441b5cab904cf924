"""What a venue overrides, and the two ways through a frame: careful by key, fast by learned layout."""

from orderbook.types cimport Status
from feeds.engine cimport frame_function
from feeds.message cimport Message
from feeds.scan cimport Cursor

cdef class Runner:
    cdef frame_function frame  # of run_simd or run_scalar
    cdef readonly bint simd


cdef class Parser:
    cdef int route_quotes     # the stream is named by the text up to this many quotes; 0: layouts are not learned
    cdef void parse(self, Cursor* c, Message* m) noexcept nogil
    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil
    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil


cdef Status convert_message(const char* frame, Message* m, int price_scale, int qty_scale,
                            Py_ssize_t* offset) noexcept nogil
