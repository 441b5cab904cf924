"""What a venue overrides, and the two ways through a frame: careful by key, fast by learned layout."""

from orderbook.types cimport Status
from feeds.engine cimport Engine, frame_function, list_function, part_function
from feeds.fields cimport Notes
from feeds.message cimport Message
from feeds.scan cimport Cursor

cdef class Runner:
    cdef frame_function frame  # of run_avx2, run_simd or run_scalar: reads a frame by its layout,
    cdef part_function part    # a message behind the first of a frame,
    cdef list_function levels  # and a list of levels
    cdef readonly bint simd


# Takes the message of a usual frame as `Parser.parse` does, keeping nothing. Anything else it leaves with KIND_NONE,
# with `more`, or with an error: then `parse` reads it.
ctypedef void (*quick_function)(Cursor* c, Message* m) noexcept nogil


cdef class Parser:
    cdef quick_function quick  # for frames that are no JSON, and so cannot be learned; NULL: there are none
    cdef int route_marks      # the stream is named by the text up to this many of `route_mark`; 0: nothing is learned
    cdef char route_mark      # a quote, or a comma where the text before the values has no quotes
    cdef int array_marks      # the same for frames that begin with '['; 0: those are not learned
    cdef bint by_line         # the text that names a stream means another one on another connection
    cdef bint packed          # frames that are gzip members are inflated before they are read
    cdef bint numbered        # books have had numbers: see expect_number
    cdef Notes notes          # what frames have told that later ones need. Owned
    cdef const char* frame    # first byte of the frame whose head was read last; compared only
    cdef int line             # the connection whose frame is being read; set by the pipeline before a frame is parsed
    cdef readonly int market  # index into VenueSpec.markets of what frames that do not tell belong to
    cdef void head(self, Cursor* c) noexcept nogil
    cdef void read_head(self, Cursor* c, bint again) noexcept nogil
    cdef void parse(self, Cursor* c, Message* m) noexcept nogil
    cdef void parse_first(self, Cursor* c, Message* m) noexcept nogil
    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil
    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil


cdef Status convert_message(Engine* engine, const char* frame, Message* m, int price_scale, int qty_scale,
                            Py_ssize_t* offset) noexcept nogil
