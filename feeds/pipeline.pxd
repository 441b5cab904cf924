"""Pipeline: frames in; books, trades and quotes out. The transport calls `feed_c`."""

cimport cython
from libc.stdint cimport int32_t, int64_t
from feeds.events cimport Liquidation, Mark, OpenInterest, Quote, Ticker, Trade
from feeds.handler cimport Handler
from feeds.intake cimport Intake
from feeds.message cimport Message
from feeds.recording.tap cimport Tap
from feeds.symbols cimport Target

cdef class Pipeline(Intake):
    cdef public Tap tap           # what copies all that goes in for a recorder; None: nothing does
    cdef public bint conflate     # on_book once a read batch instead of once a message
    cdef public int64_t now_ns    # what the time is for what is replayed, ns since the Unix epoch; 0: the clock tells
    cdef bint any_dirty           # a book waits for its conflated delivery
    cdef Handler handler_c        # None: nothing is delivered
    cdef object handler_object
    cdef int64_t receive_ns       # of the frame at work
    cdef Trade trade              # the event objects handlers get
    cdef Quote quote
    cdef Ticker ticker
    cdef Mark mark
    cdef Liquidation liquidation
    cdef OpenInterest open_interest
    cdef str market_name
    cdef object state_log         # feeds.statelog.StateLog
    cdef dict changed             # (index of a book, WHY_...) -> changes of its state
    cdef str lost_reason          # the words for a book that is given up from outside, None: the usual ones

    cdef int feed_c(self, const char* data, Py_ssize_t size, Py_ssize_t slack, int64_t receive_ns, int line) except -1

    @cython.final
    cdef int take(self, const char* data, Py_ssize_t size, Py_ssize_t slack, int64_t receive_ns, int line) except -1
    cdef int unpack(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1
    cdef int deliver_levels(self, int32_t target, bint whole) except -1
    cdef int refine_all(self, bytes body) except -1
    cdef int deliver_mark(self, const Message* m, const Target* target) except -1
    cdef int deliver_open_interest(self, const Message* m, const Target* target) except -1
    cpdef flush(self)
    cdef int read_wire(self, wire) except -1
    cdef int update_wants(self) except -1
    cdef int market_index(self, market) except -1
    cdef int variant(self, depth, market) except -1
    cdef int32_t index_of(self, symbol, depth, market=*) except -1
