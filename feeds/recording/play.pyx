"""Recorded frames into a pipeline, as fast as it takes them."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint32_t, INT64_MAX, INT64_MIN
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset
from orderbook.types cimport BOOK_EMPTY
from feeds.message cimport DEPTH_BITS
from feeds.path cimport CAREFUL, MAX_LINES, SEVERAL, path_lose, path_step
from feeds.pipeline cimport Pipeline
from feeds.recording.tap cimport BINARY, Head, LOSS, NO_LINE, TEXT
from feeds.sync cimport LineCount
from feeds.track cimport WHY_TOLD

from feeds.recording.form import FormError, Record

cdef enum:
    BATCH = 4096              # frames taken before another thread may have its turn


cdef class Marks:
    """Which instruments of a pipeline messages came for, by the frames that a `Block` feeds."""

    cdef Pipeline pipeline
    cdef unsigned char* mark      # by index of the instrument, what the pipeline does not note itself. Owned
    cdef int32_t room

    def __cinit__(self, Pipeline pipeline not None):
        self.pipeline = pipeline
        pipeline.touched = set()

    def __dealloc__(self):
        free(self.mark)

    cdef int grow(self) except -1:
        """Have a mark for every instrument."""
        cdef int32_t count = self.pipeline.path.engine.symbols.count, room = max(64, 2 * count)
        cdef void* memory
        if count > self.room:
            memory = realloc(self.mark, room)
            if memory == NULL:
                raise MemoryError(f"no memory for the marks of {room} instruments")
            self.mark = <unsigned char*> memory
            memset(self.mark + self.room, 0, room - self.room)
            self.room = room
        return 0

    def take(self):
        """Their places, rising, as a tuple; and begin anew."""
        cdef int32_t i
        cdef set found = self.pipeline.touched
        self.pipeline.touched = set()
        for i in range(min(self.room, self.pipeline.path.engine.symbols.count)):
            if self.mark[i]:
                self.mark[i] = 0
                found.add(i)
        return tuple(sorted(found))


cdef class Block:
    """The data of a chunk of records, and how far it has been taken."""

    cdef readonly bytes data
    cdef readonly Py_ssize_t at             # byte of the next record
    cdef readonly int64_t taken             # records before it
    cdef readonly int64_t time_ns           # of the last one taken
    cdef Head head

    def __init__(self, bytes data not None, Py_ssize_t at=0):
        if not 0 <= at <= len(data):
            raise ValueError(f"a place in {len(data)} bytes, not {at}")
        self.data = data
        self.at = at

    cdef bint look(self) except -1:
        """Read the head of the next record; False at the end."""
        cdef Py_ssize_t left = PyBytes_GET_SIZE(self.data) - self.at
        if left == 0:
            return False
        if left < <Py_ssize_t> sizeof(Head):
            raise FormError("the head of a record", f"{left} bytes", self.at)
        memcpy(&self.head, PyBytes_AS_STRING(self.data) + self.at, sizeof(Head))
        left -= sizeof(Head)
        if <Py_ssize_t> self.head.size > left:
            raise FormError(f"a record of {self.head.size} bytes", f"{left}", self.at)
        return True

    cdef void step(self) noexcept:
        self.at += <Py_ssize_t> sizeof(Head) + <Py_ssize_t> self.head.size
        self.taken += 1
        self.time_ns = self.head.time_ns

    @property
    def next_ns(self):
        """Time of the next record, None at the end. Raises: FormError."""
        return self.head.time_ns if self.look() else None

    def next(self):
        """The next Record, which counts as taken; None at the end. Raises: FormError."""
        if not self.look():
            return None
        begin = self.at + <Py_ssize_t> sizeof(Head)
        self.step()
        return Record(self.head.time_ns, self.head.kind, self.head.line if self.head.line != NO_LINE else -1,
                      self.data[begin:self.at])

    def feed(self, Pipeline pipeline not None, int64_t until_ns=INT64_MAX, int64_t most=INT64_MAX, queue=None,
             Marks marks=None):
        """Feed the frames up to the next record that is none; returns how many.

        Parameters: until_ns -- a frame of that time or later stays. most -- frames at a time. queue -- with it, only
        until something is in it; a handler puts its events there. marks -- of that pipeline, to note whom they are for.
        Raises: FormError; what a handler raises, its frame counts as taken then.
        """
        cdef int64_t before = self.taken, n
        cdef bint quiet = not pipeline.path.wants and not pipeline.parser.packed and pipeline.tap is None
        cdef const char* data = PyBytes_AS_STRING(self.data)
        cdef const char* frame
        cdef Py_ssize_t end = PyBytes_GET_SIZE(self.data)
        cdef int todo, line
        cdef int64_t time_ns
        cdef Py_ssize_t size
        cdef uint32_t room = 0, target
        while self.taken - before < most and self.look() and self.head.time_ns < until_ns and (
                self.head.kind == TEXT or self.head.kind == BINARY):
            line = self.head.line if self.head.line != NO_LINE else -1
            if marks is not None:
                marks.grow()
                room = marks.room
            if not quiet:
                self.step()
                if pipeline.tap is not None:
                    pipeline.tap.binary = self.head.kind == BINARY
                pipeline.now_ns = self.head.time_ns
                pipeline.feed_c(data + self.at - self.head.size, self.head.size, end - self.at, self.head.time_ns, line)
                target = <uint32_t> pipeline.path.message.target
                if target < room:
                    marks.mark[target] = 1
                if queue is not None and len(queue):
                    break
                continue
            n = 0
            with nogil:                     # up to a frame that the path leaves to others, or to the end
                while True:
                    frame = data + self.at + sizeof(Head)
                    size = self.head.size
                    time_ns = self.head.time_ns
                    self.at += <Py_ssize_t> sizeof(Head) + size
                    self.taken += 1
                    n += 1
                    todo = path_step(&pipeline.path, frame, size, end - self.at, time_ns, line)
                    target = <uint32_t> pipeline.path.message.target
                    if target < room:                 # one too many, of a frame that is left to others, does no harm
                        marks.mark[target] = 1
                    if todo or pipeline.path.n_changes or n >= BATCH or self.taken - before >= most or (
                            end - self.at < <Py_ssize_t> sizeof(Head)):
                        break
                    memcpy(&self.head, data + self.at, sizeof(Head))
                    if (self.head.kind != TEXT and self.head.kind != BINARY) or self.head.time_ns >= until_ns or (
                            <Py_ssize_t> self.head.size > end - self.at - <Py_ssize_t> sizeof(Head)):
                        break
                    line = self.head.line if self.head.line != NO_LINE else -1
            self.time_ns = pipeline.receive_ns = pipeline.now_ns = time_ns
            if todo == CAREFUL:
                pipeline.path.counts.slow += 1
                pipeline.careful(frame, size, time_ns, line)
            elif todo == SEVERAL:
                pipeline.several(frame, size, time_ns, line)
            elif todo or pipeline.path.n_changes:
                pipeline.finish(todo, time_ns)
        return self.taken - before


def doubt(Pipeline pipeline not None, str reason not None):
    """Records are missing: every book that is there is STALE until a new snapshot, no connection's numbers go on."""
    cdef int32_t i
    memset(pipeline.path.lines, 0, MAX_LINES * sizeof(LineCount))
    for i in range(pipeline.path.engine.symbols.count):
        if pipeline.path.track[i].book.status != BOOK_EMPTY:
            path_lose(&pipeline.path, i, WHY_TOLD, 0, 0)
    pipeline.lost_reason = reason
    try:
        pipeline.tell()
    finally:
        pipeline.lost_reason = None


def hush(Pipeline pipeline not None):
    """Let a pipeline that only follows another one write no lines of log of its own."""
    pipeline.state_log.per_second = 0


def arguments(Pipeline pipeline not None):
    """What a pipeline was made with, as a segment tells it."""
    return {"on_gap": "count" if pipeline.path.strict else "resync", "all_symbols": bool(pipeline.all_symbols),
            "max_symbols": pipeline.max_symbols}


def followed(Pipeline pipeline not None):
    """(symbol, depth, market) of every instrument that is followed."""
    cdef int32_t i
    cdef int variant
    cdef list found = []
    for i in range(pipeline.path.engine.symbols.count):
        variant = pipeline.path.engine.symbols.target[i].variant
        if pipeline.path.engine.symbols.target[i].wanted:
            found.append((pipeline.name_list[i], variant & DEPTH_BITS or None,
                          pipeline.spec.markets[variant >> 20] if pipeline.spec.markets else None))
    return found


def names(Pipeline pipeline not None):
    """Symbols of all instruments by place; those of several depths or markets stand there several times."""
    return list(pipeline.name_list)


def survey(bytes data not None):
    """(records, smallest time, largest time, [Loss]) of a chunk's data; times 0 without records. Raises: FormError."""
    cdef Py_ssize_t at = 0, total = PyBytes_GET_SIZE(data)
    cdef const char* bytes_ = PyBytes_AS_STRING(data)
    cdef int64_t count = 0, first = INT64_MAX, last = INT64_MIN
    cdef Head head
    cdef list losses = []
    while at < total:
        if total - at < <Py_ssize_t> sizeof(Head):
            raise FormError("the head of a record", f"{total - at} bytes", at)
        memcpy(&head, bytes_ + at, sizeof(Head))
        if <Py_ssize_t> head.size > total - at - <Py_ssize_t> sizeof(Head):
            raise FormError(f"a record of {head.size} bytes", f"{total - at - <Py_ssize_t> sizeof(Head)}", at)
        if head.kind == LOSS:
            losses.append(Record(head.time_ns, LOSS, -1,
                                 data[at + sizeof(Head):at + sizeof(Head) + head.size]).loss())
        at += <Py_ssize_t> sizeof(Head) + <Py_ssize_t> head.size
        count += 1
        first = min(first, head.time_ns)
        last = max(last, head.time_ns)
    return (count, first, last, losses) if count else (0, 0, 0, losses)


def drop_kept(Pipeline pipeline not None):
    """Give up what books keep while they wait for a snapshot: for a pipeline that only finds out symbols."""
    cdef int32_t i
    for i in range(pipeline.path.engine.symbols.count):
        pipeline.path.track[i].pending.size = pipeline.path.track[i].pending.count = 0


def follow_only(Pipeline pipeline not None, symbols):
    """Follow these, by the names that the venue's messages have; "symbol@market" where two markets share one."""
    cdef int variant
    for symbol in symbols:
        name, at, market = symbol.rpartition("@")
        known = at and market in pipeline.spec.markets
        variant = pipeline.variant(None, market if known else None)
        pipeline.instrument(name if known else symbol, variant)
