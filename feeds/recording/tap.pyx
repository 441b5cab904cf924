"""Tap: what goes into a pipeline is copied here for a recorder.

One thread feeds the pipeline, another takes the records out and writes them: a ring of bytes with a position for each.
Neither ever waits for the other. What finds no room is counted, and the count goes into the ring as a record of its own
as soon as there is some.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t, INT64_MAX, INT64_MIN
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from orderbook.ladder cimport unlikely
from feeds.latency cimport read_clock

from feeds.recording.form import control_payload, rest_payload

cdef extern from *:
    """
    #define wb_publish(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)
    #define wb_look(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
    """
    void publish "wb_publish"(uint64_t place, uint64_t value) nogil
    uint64_t look "wb_look"(uint64_t place) nogil

cdef enum:
    CLOCK_REALTIME = 0
    LEAST = 1 << 16           # bytes of a ring
    MAX_RESERVE = 1 << 20


@cython.final
cdef class Tap:

    def __cinit__(self, Py_ssize_t size=32 << 20):
        if size < LEAST:
            raise ValueError(f"a buffer of {LEAST} bytes or more, not {size}")
        self.size = LEAST
        while self.size < <uint64_t> size:
            self.size *= 2
        self.ring = <char*> malloc(self.size)
        if self.ring == NULL:
            raise MemoryError(f"no memory for a buffer of {self.size} bytes")
        memset(self.ring, 0, self.size)     # the system gives the memory now, and not page by page while frames come
        self.reserve = min(<uint64_t> MAX_RESERVE, self.size // 8)
        self.forget_loss()

    def __dealloc__(self):
        free(self.ring)

    cdef int frame(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1:
        """A frame came."""
        cdef uint64_t need = sizeof(Head) + size, at
        cdef int kind = BINARY if self.binary else TEXT
        cdef Head* head
        self.binary = False
        if unlikely(receive_ns == 0):
            receive_ns = read_clock(CLOCK_REALTIME)
        if unlikely(self.lost.records or self.head + need + self.reserve > self.tail_seen + self.size):
            if not self.has_room(need, self.reserve):
                self.lose(kind, receive_ns, need)
                return 0
        at = self.head & (self.size - 1)
        if unlikely(at + need > self.size):
            self.write(kind, line, receive_ns, data, size)
            return 0
        head = <Head*> (self.ring + at)
        head.size = <unsigned int> size
        head.line = <unsigned short> (line if line >= 0 else NO_LINE)
        head.kind = <unsigned char> kind
        head.flags = 0
        head.time_ns = receive_ns
        memcpy(self.ring + at + sizeof(Head), data, size)
        publish(self.head, self.head + need)
        return 0

    cdef int put(self, int kind, int line, int64_t time_ns, const char* data, Py_ssize_t size) except -1:
        """Something else happened."""
        cdef uint64_t need = sizeof(Head) + size
        if time_ns == 0:
            time_ns = read_clock(CLOCK_REALTIME)
        if not self.has_room(need, 0 if size < <Py_ssize_t> self.reserve // 8 else self.reserve):
            self.lose(kind, time_ns, need)
        else:
            self.write(kind, line, time_ns, data, size)
        return 0

    cdef bint has_room(self, uint64_t need, uint64_t kept) noexcept nogil:
        """Whether `need` bytes fit, with `kept` left over; the record of a loss before is put in first."""
        cdef LossData lost
        cdef uint64_t more = 0
        self.tail_seen = look(self.tail)
        if self.lost.records:
            more = sizeof(Head) + sizeof(LossData)
            if kept:
                kept = max(kept, self.size // 4)      # not one record for every frame that is lost
        if self.head + need + more + kept > self.tail_seen + self.size:
            return False
        if more:
            lost = self.lost
            self.forget_loss()
            self.write(LOSS, -1, lost.last_ns, <const char*> &lost, sizeof(LossData))
        return True

    cdef void write(self, int kind, int line, int64_t time_ns, const char* data, Py_ssize_t size) noexcept nogil:
        """Put a record in, for which there is room."""
        cdef Head head
        head.size = <unsigned int> size
        head.line = <unsigned short> (line if line >= 0 else NO_LINE)
        head.kind = <unsigned char> kind
        head.flags = 0
        head.time_ns = time_ns
        self.copy_in(self.head, <const char*> &head, sizeof(Head))
        self.copy_in(self.head + sizeof(Head), data, size)
        publish(self.head, self.head + sizeof(Head) + size)

    cdef void copy_in(self, uint64_t at, const char* data, uint64_t size) noexcept nogil:
        cdef uint64_t begin = at & (self.size - 1)
        cdef uint64_t first = min(size, self.size - begin)
        memcpy(self.ring + begin, data, first)
        memcpy(self.ring, data + first, size - first)

    cdef void copy_out(self, uint64_t at, char* data, uint64_t size) noexcept nogil:
        cdef uint64_t begin = at & (self.size - 1)
        cdef uint64_t first = min(size, self.size - begin)
        memcpy(data, self.ring + begin, first)
        memcpy(data + first, self.ring, size - first)

    cdef void lose(self, int kind, int64_t time_ns, uint64_t size) noexcept nogil:
        """A record found no room."""
        self.lost.records += 1
        self.lost.bytes += size
        self.lost.calls += kind > SENT
        self.lost.first_ns = min(self.lost.first_ns, time_ns)
        self.lost.last_ns = max(self.lost.last_ns, time_ns)
        self.lost_ever.records += 1
        self.lost_ever.bytes += size
        self.lost_ever.calls += kind > SENT

    cdef void forget_loss(self) noexcept nogil:
        memset(&self.lost, 0, sizeof(LossData))
        self.lost.first_ns = INT64_MAX
        self.lost.last_ns = INT64_MIN

    # What the pipeline and its connections say, from the thread that feeds.

    def sent(self, int line, bytes text not None):
        """A text frame was sent."""
        self.put(SENT, line, 0, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))

    def rest(self, str url not None, bytes body not None, int64_t receive_ns):
        """A REST answer came."""
        cdef bytes payload = rest_payload(url.encode(), body)
        self.put(REST, -1, receive_ns, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))

    def opened(self, int line, str url not None):
        """A connection was opened."""
        cdef bytes payload = url.encode()
        self.put(OPENED, line, 0, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))

    def closed(self, int line, str reason not None):
        """A connection has ended."""
        cdef bytes payload = reason.encode()
        self.put(CLOSED, line, 0, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))

    def call(self, str name not None, *args):
        """The pipeline was told something by a call."""
        cdef bytes payload = control_payload(name, *args)
        self.put(CONTROL, -1, 0, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))

    def flush_loss(self):
        """Put in the record of what was lost, if there is room; for the end, when nothing else will come."""
        return self.lost.records == 0 or self.has_room(0, 0)

    # What the writer asks, from its own thread.

    def take(self, Py_ssize_t most):
        """(data, records, first ns, last ns) of whole records of at most about `most` bytes; None if there are none."""
        cdef uint64_t tail = self.tail, there = look(self.head) - tail
        cdef Py_ssize_t total, at = 0
        cdef int64_t count = 0, first = INT64_MAX, last = INT64_MIN
        cdef Head head
        cdef bytes data
        cdef char* to
        if there == 0:
            return None
        self.copy_out(tail, <char*> &head, sizeof(Head))
        total = min(<Py_ssize_t> there, max(most, <Py_ssize_t> sizeof(Head) + <Py_ssize_t> head.size))
        data = PyBytes_FromStringAndSize(NULL, total)
        to = PyBytes_AS_STRING(data)
        with nogil:
            self.copy_out(tail, to, total)
            while at + <Py_ssize_t> sizeof(Head) <= total:
                memcpy(&head, to + at, sizeof(Head))
                if at + <Py_ssize_t> sizeof(Head) + <Py_ssize_t> head.size > total:
                    break
                at += sizeof(Head) + head.size
                count += 1
                first = min(first, head.time_ns)
                last = max(last, head.time_ns)
            publish(self.tail, tail + at)
        return data if at == total else data[:at], count, first, last

    @property
    def waiting(self):
        return <Py_ssize_t> (look(self.head) - self.tail)

    @property
    def capacity(self):
        return <Py_ssize_t> self.size

    @property
    def lost_records(self):
        return self.lost_ever.records

    @property
    def lost_bytes(self):
        return self.lost_ever.bytes

    @property
    def lost_calls(self):
        return self.lost_ever.calls
