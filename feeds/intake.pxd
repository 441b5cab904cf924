"""What a pipeline holds: the path, the books, the careful parser."""

from libc.stdint cimport int32_t, int64_t
from orderbook.book cimport Book
from feeds.layout cimport Layout
from feeds.message cimport Message
from feeds.parser cimport Parser, Runner
from feeds.path cimport Path
from feeds.track cimport Pending, PendingHead

cdef class Intake:
    cdef Path path
    cdef readonly object spec     # VenueSpec
    cdef readonly str venue
    cdef object applied_hook      # see Pipeline.on_applied
    cdef Parser parser
    cdef Runner runner
    cdef Layout scratch           # where a layout is made before it is kept
    cdef bint all_symbols         # every symbol seen gets a book
    cdef int max_symbols
    cdef list book_list           # Book by index
    cdef list name_list           # symbol by index
    cdef list control_list        # (line, bytes) of frames about the connection
    cdef set touched              # indices of instruments that messages came for here; None: nobody wants to know
    cdef object error             # FeedError of the last bad message

    cdef int tell(self) except -1
    cdef int deliver(self) except -1
    cdef int report(self, Book book) except -1
    cdef int show(self, int32_t target) except -1
    cdef int replaced(self, int32_t target) except -1
    cdef int finish(self, int todo, int64_t receive_ns) except -1
    cdef int keep_control(self, const char* data, Py_ssize_t size, int line) except -1
    cdef int fresh(self, Message* m, int line) except -1
    cdef int count_line(self, const char* data, int line) except -1
    cdef int several(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1
    cdef int learn(self, const char* data, Py_ssize_t size, const char* begin, int head) except -2
    cdef int careful(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1
    cdef bint resolve(self) except -1
    cdef int32_t instrument(self, str name, int variant) except -1
    cdef int bad(self, const char* data, Py_ssize_t size, Py_ssize_t offset, str expected) except -1
    cdef int snapshot(self, bytes symbol, int64_t limit, int market, bytes body, int64_t receive_ns) except -1
    cdef int refine(self, int32_t target, tick_size) except -1
    cdef int join(self, int32_t target, int64_t limit, int64_t receive_ns) except -1
    cdef int replay_pending(self, int32_t target) except -1
    cdef int again(self, const Pending* kept, Py_ssize_t at, PendingHead* head) except -1
    cdef int drain(self, int32_t target) except -1
    cdef int settle_held(self, int32_t target, double now) except -1
    cdef int group_lines(self, list lines) except -1
    cdef int ungroup_line(self, int line) except -1
    cdef int settle_groups(self, double now) except -1
    cdef bint caught_up(self, int group, int place) except -1
    cdef int dissolve(self, int number) except -1
    cdef int note_wanted(self) except -1
    cdef bint line_carries(self, int32_t target, int line) except -1
    cdef bint proved_elsewhere(self, int32_t target, int line) except -1
    cdef bint leaves_line(self, int32_t target, int line, int others, int active) except -1
    cdef int take_over(self, int32_t target, int line) except -1
    cdef int reset_books(self, int line, bint opened) except -1
