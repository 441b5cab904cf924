"""Tap: what goes into a pipeline is copied here for a recorder. A pipeline without one has None."""

cimport cython
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    # Kinds of records, as feeds.recording.form has them.
    TEXT = 1
    BINARY = 2
    SENT = 3
    REST = 4
    OPENED = 5
    CLOSED = 6
    LOSS = 7
    CONTROL = 8
    NO_LINE = 0xffff

cdef packed struct Head:
    # What stands before the payload of a record.
    unsigned int size
    unsigned short line
    unsigned char kind
    unsigned char flags
    int64_t time_ns

cdef packed struct LossData:
    # Payload of a loss record.
    uint64_t records, bytes, calls
    int64_t first_ns, last_ns


@cython.final
cdef class Tap:
    cdef char* ring               # owned
    cdef uint64_t size            # bytes of it, a power of two
    cdef uint64_t reserve         # of these, kept for what is no frame
    cdef uint64_t head            # bytes ever put in: the feeding thread's; the other one reads it
    cdef uint64_t tail            # and taken out: the writing thread's
    cdef uint64_t tail_seen       # what the feeding thread knows of it
    cdef LossData lost            # since the last loss record
    cdef LossData lost_ever       # `records`, `bytes` and `calls` since the start
    cdef bint binary              # the next frame is binary; whoever hands it over knows, and says so before

    cdef int frame(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1
    cdef int put(self, int kind, int line, int64_t time_ns, const char* data, Py_ssize_t size) except -1
    cdef bint has_room(self, uint64_t need, uint64_t kept) noexcept nogil
    cdef void write(self, int kind, int line, int64_t time_ns, const char* data, Py_ssize_t size) noexcept nogil
    cdef void copy_in(self, uint64_t at, const char* data, uint64_t size) noexcept nogil
    cdef void copy_out(self, uint64_t at, char* data, uint64_t size) noexcept nogil
    cdef void lose(self, int kind, int64_t time_ns, uint64_t size) noexcept nogil
    cdef void forget_loss(self) noexcept nogil
