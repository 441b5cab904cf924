"""THE HOT PATH: feed(bytes) -> parse -> judge -> apply -> callback."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from orderbook.book cimport Book
from orderbook.types cimport Status
from feeds.engine cimport Engine, frame_function
from feeds.events cimport Trade, Quote, Ticker, Mark, Liquidation
from feeds.handler cimport Handler
from feeds.latency cimport Histogram
from feeds.layout cimport Layout
from feeds.message cimport Message, N_KINDS
from feeds.parser cimport Parser, Runner
from feeds.track cimport Track

cdef enum:
    MAX_CHANGES = 256             # changes of state that can wait to be told

cdef struct Change:
    int32_t target
    int old
    int new
    int why                       # WHY_...
    int64_t expected              # numbers for the text of a gap
    int64_t got

cdef struct Counters:
    int64_t frames, bytes, fast, slow, errors, ignored, control, resyncs, gaps, stale
    int64_t kind[N_KINDS]         # messages by kind

cdef class Pipeline:
    cdef readonly object spec
    cdef readonly str venue
    cdef object applied_hook      # see on_applied
    cdef public bint conflate     # on_book once a read batch instead of once a message
    cdef public int sample_every  # messages per latency sample
    cdef readonly int64_t needs   # changes whenever wanted() does
    cdef Parser parser
    cdef Runner runner
    cdef frame_function read_fast # of the runner
    cdef Engine engine
    cdef Track* track             # by index of the instrument. Owned
    cdef int32_t track_room
    cdef Message message
    cdef Layout scratch           # where a layout is made before it is kept
    cdef Counters counts
    cdef Handler handler_c        # None: nothing is delivered
    cdef object handler_object
    cdef int wants                # bits of the kinds that are delivered
    cdef int link                 # the venue's sequence rule
    cdef bint strict              # on_gap="count": breaks are counted and applied
    cdef bint all_symbols         # every symbol seen gets a book
    cdef int max_symbols
    cdef list book_list           # Book by index
    cdef list name_list           # symbol by index
    cdef list control_list
    cdef object error             # FeedError of the last bad message
    cdef Change change[MAX_CHANGES]
    cdef int n_changes
    cdef bint any_dirty
    cdef bint replaying           # kept deltas are being taken
    cdef int sample_left
    cdef int64_t receive_ns       # of the frame at work
    cdef Histogram parsed, applied, handled
    cdef int64_t mark_start, mark_parsed, mark_applied   # clock of the message being sampled, 0 if it is not
    cdef Trade trade
    cdef Quote quote
    cdef Ticker ticker
    cdef Mark mark
    cdef Liquidation liquidation

    cdef int feed_c(self, const char* data, Py_ssize_t size, Py_ssize_t slack, int64_t receive_ns, int line) except -1
    cpdef flush(self)
    cdef int step(self, const char* data, Py_ssize_t size, Py_ssize_t slack, int64_t receive_ns, int line) noexcept nogil
    cdef int act(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil
    cdef int delta(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil
    cdef int apply(self, Track* track, int64_t receive_ns) noexcept nogil
    cdef void note(self, int32_t target, int old, int new, int why, int64_t expected, int64_t got) noexcept nogil
    cdef void set_status(self, int32_t target, int status, int why, int64_t expected, int64_t got) noexcept nogil
    cdef void lose(self, int32_t target, int why, int64_t expected, int64_t got) noexcept nogil
    cdef void keep(self, int32_t target, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil
    cdef int careful(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1
    cdef int finish(self, int todo) except -1
    cdef int tell(self) except -1
    cdef int deliver(self) except -1
    cdef bint resolve(self) except -1
    cdef int32_t instrument(self, str name, int depth) except -1
    cdef Status convert(self, const char* data, Py_ssize_t* offset) noexcept
    cdef bint widen(self, int32_t target, int price_decimals, int qty_decimals) noexcept nogil
    cdef int bad(self, const char* data, Py_ssize_t size, Py_ssize_t offset, str expected) except -1
    cdef int join(self, int32_t target, int64_t limit, int64_t receive_ns) except -1
    cdef int replay_pending(self, int32_t target) except -1
    cdef int reset_books(self, int line, bint opened) except -1
    cdef int update_wants(self) except -1
    cdef int32_t index_of(self, symbol, depth) except -1
