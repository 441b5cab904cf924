"""Shows the C functions to the tests, and proves that the .pxd files work from outside the packages.

Built only for the suite (WIREBOOK_PROBE=1 in setup.py), never part of a wheel. Text given to a reader is copied into
memory of exactly its size, so that a sanitizer sees every byte read past its end.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Malloc, PyMem_Free
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, free
from libc.string cimport memcpy
from orderbook.book cimport Book
from orderbook.ladder cimport (Ladder, Page, Walk, ladder_apply, ladder_best, ladder_best_qty, ladder_bytes,
                               ladder_clear, ladder_find, ladder_free, ladder_get, ladder_init, ladder_undo, walk_next,
                               walk_start)
from orderbook.types cimport NOT_COVERED, Status, status_text
from feeds.engine cimport Engine
from feeds.events cimport Quote, Trade
from feeds.handler cimport Handler
from feeds.latency cimport Histogram as CHistogram
from feeds.latency cimport bucket_ns as c_bucket_ns
from feeds.latency cimport bucket_of as c_bucket_of
from feeds.latency cimport histogram_add, histogram_percentile
from feeds.layout cimport pattern_key
from feeds.message cimport Message
from feeds.numbers cimport read_double, read_integer, read_units
from feeds.pipeline cimport Pipeline
from feeds.protobuf cimport (WIRE_SPAN, WIRE_VARINT, enter, leave, next_field, next_pair, read_span, read_varint,
                             skip_field)
from feeds.scan cimport Cursor, Text, at_end, cursor_init, skip_value
from feeds.sync cimport judge as c_judge

from enum import IntEnum

from numpy import array, int64


class Result(IntEnum):
    """Names of the statuses, in the order of orderbook/types.pxd."""

    OK = 0
    BAD_JSON = 1
    BAD_NUMBER = 2
    BAD_VALUE = 3
    MISSING_KEY = 4
    NO_FIT = 5
    NEEDS_SCALE = 6
    OFF_TICK = 7
    TOO_DEEP = 8
    NO_MEMORY = 9
    NEGATIVE_QTY = 10
    TOO_MANY = 11
    NOT_COVERED = 12


class Verdict(IntEnum):
    """Names of the verdicts, in the order of feeds/sync.pxd."""

    APPLY = 0
    LOOSE = 1
    OLD = 2
    GAP = 3


cdef class Exact:
    """A copy of some bytes in memory of exactly their size, with what lies `behind` them if that is asked for."""

    cdef char* data
    cdef Py_ssize_t size

    def __cinit__(self, bytes text, bytes behind=b""):
        self.size = PyBytes_GET_SIZE(text)
        self.data = <char*> malloc(self.size + len(behind))
        memcpy(self.data, PyBytes_AS_STRING(text), self.size)
        memcpy(self.data + self.size, PyBytes_AS_STRING(behind), PyBytes_GET_SIZE(behind))

    def __dealloc__(self):
        free(self.data)


def status_words(int status):
    """What a status says in an error."""
    return status_text(<Status> status).decode()


def scan(bytes text):
    """One JSON value and nothing after it: (accepted, offset of the error or the end, what was expected)."""
    cdef Exact exact = Exact(text)
    cdef Cursor c
    cursor_init(&c, exact.data, exact.size, NULL)
    skip_value(&c)
    at_end(&c)
    return c.status == 0, c.pos - c.start, c.expected.decode()


def units(bytes text, int scale):
    """A decimal as units of 10**-scale: (Result, units, decimals needed)."""
    cdef Exact exact = Exact(text)
    cdef int64_t value = 0
    cdef int decimals = 0
    status = read_units(exact.data, exact.data + exact.size, scale, &value, &decimals)
    return Result(status), value, decimals


def double(bytes text):
    """A decimal as a float: (Result, value)."""
    cdef Exact exact = Exact(text)
    cdef double value = 0
    status = read_double(exact.data, exact.data + exact.size, &value)
    return Result(status), value


def integer(bytes text):
    """A whole number: (Result, value)."""
    cdef Exact exact = Exact(text)
    cdef int64_t value = 0
    status = read_integer(exact.data, exact.data + exact.size, &value)
    return Result(status), value


def judge(int link, bint joined, int64_t last, int64_t first, int64_t final, int64_t prev=0):
    """The verdict on a delta."""
    return Verdict(c_judge(link, joined, last, first, final, prev))


def widths(bytes window, int start, int middle, int numbers):
    """Widths of the numbers in a window of at most 32 bytes: [(bytes, place of the dot or None)], or None."""
    cdef unsigned int numeric = 0, dots = 0, key
    cdef int i
    for i, byte in enumerate(window):
        numeric |= <unsigned int> (48 <= byte <= 57 or byte == 46) << i
        dots |= <unsigned int> (byte == 46) << i
    key = pattern_key(start, middle, numbers, numeric, dots)
    if key == 0:
        return None
    found = []
    for i in range(numbers):
        run, dot = (key >> (10 * i)) & 31, (key >> (10 * i + 5)) & 31
        found.append((run, dot if dot < run else None))
    return found


def feed_with_slack(Pipeline pipeline, bytes frame, bytes behind, int64_t receive_ns=0, int line=0):
    """Feed a frame as the transport does: the bytes `behind` it may be read, but mean nothing."""
    cdef Exact exact = Exact(frame, behind)
    pipeline.feed_c(exact.data, exact.size, PyBytes_GET_SIZE(behind), receive_ns, line)


def feed_exact(Pipeline pipeline, bytes frame, int64_t receive_ns=0, int line=0):
    """Feed a frame from memory that ends where the frame ends (a bytes object has a NUL behind it)."""
    cdef Exact exact = Exact(frame)
    pipeline.feed_c(exact.data, exact.size, 0, receive_ns, line)


def bucket_of(int64_t ns):
    """Bucket of a duration."""
    return c_bucket_of(ns)


def bucket_ns(int bucket):
    """Longest duration of a bucket."""
    return c_bucket_ns(bucket)


cdef class Histogram:
    """Durations in buckets."""

    cdef CHistogram data

    def __cinit__(self):
        self.data.count = 0
        self.data.largest = 0
        for i in range(640):
            self.data.bucket[i] = 0

    def add(self, int64_t ns):
        histogram_add(&self.data, ns)

    def percentile(self, double share):
        return histogram_percentile(&self.data, share)


cdef class LadderProbe:
    """One side of a book, by rank. `check()` raises AssertionError where its parts contradict each other."""

    cdef Ladder data

    def __cinit__(self, int64_t sign=1):
        if not ladder_init(&self.data, sign):
            raise MemoryError("no memory for a ladder")

    def __dealloc__(self):
        ladder_free(&self.data)

    def apply(self, levels, bint undo=False):
        """Set (rank, qty) pairs as one message; returns the removals of levels that were not held, and what each level
        was before. `undo` takes all of them back at once."""
        cdef int64_t[:, ::1] rows = array(levels, dtype=int64).reshape(-1, 2)
        cdef Py_ssize_t i, n = rows.shape[0]
        cdef int64_t* ranks = <int64_t*> malloc(n * sizeof(int64_t))
        cdef int64_t* qtys = <int64_t*> malloc(n * sizeof(int64_t))
        cdef int64_t absent
        for i in range(n):
            ranks[i] = rows[i, 0]
            qtys[i] = rows[i, 1]
        absent = ladder_apply(&self.data, ranks, qtys, n)
        before = [qtys[i] for i in range(n)]
        if undo:
            ladder_undo(&self.data, ranks, qtys, n)
        free(ranks)
        free(qtys)
        if absent < 0:
            raise MemoryError("no memory for the pages")
        return absent, before

    def clear(self):
        ladder_clear(&self.data)

    def get(self, int64_t rank):
        return ladder_get(&self.data, rank)

    def best(self):
        """(rank, qty) of the best level, None without levels."""
        if self.data.best == NULL:
            return None
        return ladder_best(&self.data), ladder_best_qty(&self.data)

    def items(self):
        """All (rank, qty), best first."""
        cdef Walk walk
        cdef int64_t rank = 0, qty = 0
        found = []
        walk_start(&walk, &self.data)
        while walk_next(&walk, &rank, &qty):
            found.append((rank, qty))
        return found

    @property
    def pages(self):
        """Pages in the directory, empty ones included."""
        return self.data.n_pages

    @property
    def page_room(self):
        """Pages that memory is held for."""
        return self.data.page_room

    @property
    def nbytes(self):
        return ladder_bytes(&self.data)

    def __len__(self):
        return self.data.n_levels

    def check(self):
        """The directory, the order of the keys, the counts and the spare list agree."""
        cdef int64_t i, seen = 0, levels = 0, spare = 0
        cdef long long* link = <long long*> self.data.spare
        cdef Page* page
        keys = [self.data.order[i] for i in range(self.data.n_pages)]
        assert keys == sorted(set(keys))
        for i in range(self.data.n_slots):
            page = &self.data.slots[i]
            if page.key != -2**63:
                seen += 1
                levels += bin(page.occupied).count("1")
                assert page.key in keys
                assert ladder_find(&self.data, page.key) == page
        assert seen == self.data.n_pages
        assert levels == self.data.n_levels
        assert 2 * seen <= self.data.n_slots
        while link != NULL:
            spare += 1
            link = (<long long**> link)[0]
        assert spare == self.data.n_spare
        assert spare + seen == self.data.page_room
        if self.data.best == NULL:
            assert levels == 0
        else:
            assert self.data.best.occupied
            assert keys[self.data.best_at] == self.data.best.key
            held = [page_key for page_key in keys if ladder_find(&self.data, page_key).occupied]
            assert max(held) == self.data.best.key


cdef class CountingHandler(Handler):
    """A C strategy: it reads every event and touches no Python object, unless `allocate` asks for one a message."""

    cdef readonly int64_t books, trades, quotes
    cdef readonly int64_t total           # of quantities, so that the reads are not for nothing
    cdef public bint allocate
    cdef void* kept

    cdef int book(self, Book book) except -1:
        self.books += 1
        self.total += book.data.sequence
        return 0

    cdef int trade(self, Trade trade) except -1:
        self.trades += 1
        self.total += trade.qty_int
        if self.allocate:
            self.kept = PyMem_Malloc(64)
            PyMem_Free(self.kept)
        return 0

    cdef int quote(self, Quote quote) except -1:
        self.quotes += 1
        self.total += quote.bid_qty_int
        if self.allocate:
            self.kept = malloc(64)
            free(self.kept)
        return 0


# ---- counting allocations
#
# Python's three allocators are wrapped by PyMem_SetAllocator. The malloc of the C library is replaced for the whole
# process while counting: the compiled modules call it through a table of addresses, where an entry can be exchanged.

cdef extern from *:
    """
    #include <Python.h>
    #include <stdatomic.h>

    static atomic_llong wb_calls;
    static PyMemAllocatorEx wb_real[3];
    static const PyMemAllocatorDomain wb_domain[3] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    static int wb_hooked;

    static void *wb_malloc(void *ctx, size_t n) {
        PyMemAllocatorEx *a = ctx; wb_calls++; return a->malloc(a->ctx, n); }
    static void *wb_calloc(void *ctx, size_t n, size_t m) {
        PyMemAllocatorEx *a = ctx; wb_calls++; return a->calloc(a->ctx, n, m); }
    static void *wb_realloc(void *ctx, void *p, size_t n) {
        PyMemAllocatorEx *a = ctx; wb_calls++; return a->realloc(a->ctx, p, n); }
    static void wb_free(void *ctx, void *p) {
        PyMemAllocatorEx *a = ctx; a->free(a->ctx, p); }

    static void wb_hook(void) {
        for (int i = 0; i < 3; i++) {
            PyMem_GetAllocator(wb_domain[i], &wb_real[i]);
            PyMemAllocatorEx mine = {&wb_real[i], wb_malloc, wb_calloc, wb_realloc, wb_free};
            PyMem_SetAllocator(wb_domain[i], &mine);
        }
        wb_calls = 0;
        wb_hooked = 1;
    }
    static long long wb_unhook(void) {
        long long calls = wb_calls;
        for (int i = 0; i < 3; i++) PyMem_SetAllocator(wb_domain[i], &wb_real[i]);
        wb_hooked = 0;
        return calls;
    }

    /* Exchanges the addresses that a loaded library calls malloc, calloc and realloc at. */
    #if defined(__linux__) && defined(__GLIBC__) && defined(__x86_64__)
    #define WB_CAN_COUNT 1
    #include <elf.h>
    #include <link.h>
    #include <string.h>
    #include <stdlib.h>
    #include <sys/mman.h>
    #include <unistd.h>

    static atomic_llong wb_c_calls;
    static long long wb_c_last = -1;      /* calls past this number find no memory; -1: all find it */
    static int wb_entries;
    static int wb_dry(void) { wb_c_calls++; return wb_c_last >= 0 && wb_c_calls > wb_c_last; }
    static void *wb_c_malloc(size_t n) { return wb_dry() ? NULL : malloc(n); }
    static void *wb_c_calloc(size_t n, size_t m) { return wb_dry() ? NULL : calloc(n, m); }
    static void *wb_c_realloc(void *p, size_t n) { return wb_dry() ? NULL : realloc(p, n); }

    static void wb_patch(ElfW(Addr) base, const ElfW(Rela) *rela, size_t bytes, const ElfW(Sym) *symbols,
                         const char *names, int counting) {
        for (size_t i = 0; i < bytes / sizeof *rela; i++) {
            const char *name = names + symbols[ELF64_R_SYM(rela[i].r_info)].st_name;
            unsigned long type = ELF64_R_TYPE(rela[i].r_info);
            void *to;
            if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) continue;
            if (!strcmp(name, "malloc")) to = counting ? (void *) wb_c_malloc : (void *) malloc;
            else if (!strcmp(name, "calloc")) to = counting ? (void *) wb_c_calloc : (void *) calloc;
            else if (!strcmp(name, "realloc")) to = counting ? (void *) wb_c_realloc : (void *) realloc;
            else continue;
            void **entry = (void **) (base + rela[i].r_offset);
            long page = sysconf(_SC_PAGESIZE);
            char *from = (char *) ((uintptr_t) entry & ~(uintptr_t) (page - 1));
            mprotect(from, page, PROT_READ | PROT_WRITE);
            *entry = to;
            wb_entries++;
        }
    }

    static int wb_visit(struct dl_phdr_info *info, size_t size, void *data) {
        const ElfW(Dyn) *d = NULL;
        const ElfW(Rela) *plt = NULL, *rela = NULL;
        const ElfW(Sym) *symbols = NULL;
        const char *names = NULL;
        size_t plt_bytes = 0, rela_bytes = 0;
        int *todo = data;
        (void) size;
        if (!info->dlpi_name || strstr(info->dlpi_name, "/_probe.")) return 0;
        if (!strstr(info->dlpi_name, "/feeds/") && !strstr(info->dlpi_name, "/orderbook/")) return 0;
        for (int i = 0; i < info->dlpi_phnum; i++)
            if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
                d = (const ElfW(Dyn) *) (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        for (; d && d->d_tag != DT_NULL; d++) {
            if (d->d_tag == DT_JMPREL) plt = (const void *) d->d_un.d_ptr;
            else if (d->d_tag == DT_PLTRELSZ) plt_bytes = d->d_un.d_val;
            else if (d->d_tag == DT_RELA) rela = (const void *) d->d_un.d_ptr;
            else if (d->d_tag == DT_RELASZ) rela_bytes = d->d_un.d_val;
            else if (d->d_tag == DT_SYMTAB) symbols = (const void *) d->d_un.d_ptr;
            else if (d->d_tag == DT_STRTAB) names = (const void *) d->d_un.d_ptr;
        }
        if (plt) wb_patch(info->dlpi_addr, plt, plt_bytes, symbols, names, *todo);
        if (rela) wb_patch(info->dlpi_addr, rela, rela_bytes, symbols, names, *todo);
        return 0;
    }

    static int wb_count_c(int counting) {
        wb_entries = 0;
        wb_c_calls = 0;
        dl_iterate_phdr(wb_visit, &counting);
        return wb_entries;
    }
    static long long wb_c_count(void) { return wb_c_calls; }
    static void wb_c_limit(long long last) { wb_c_last = last; }
    #else
    #define WB_CAN_COUNT 0
    static int wb_count_c(int counting) { (void) counting; return 0; }
    static long long wb_c_count(void) { return 0; }
    static void wb_c_limit(long long last) { (void) last; }
    #endif
    """
    void wb_hook()
    long long wb_unhook()
    int wb_count_c(int counting)
    long long wb_c_count()
    void wb_c_limit(long long last)
    bint WB_CAN_COUNT


CAN_COUNT_MALLOC = WB_CAN_COUNT


def without_memory(call, int64_t after=0):
    """Call something while the package's modules get memory `after` times, and then none; returns the calls made."""
    cdef long long calls
    wb_count_c(True)
    wb_c_limit(after)
    try:
        call()
    finally:
        calls = wb_c_count()
        wb_c_limit(-1)
        wb_count_c(False)
    return calls


def count_allocations(Pipeline pipeline, list frames, int times=1, bint one_by_one=False):
    """Feed frames `times` over, and count: (calls of Python's allocators, of malloc by the package's own modules,
    places where the latter was caught)."""
    cdef Py_ssize_t i, n = len(frames)
    cdef int _turn, caught
    cdef long long python_calls, c_calls
    caught = wb_count_c(True)
    wb_hook()
    try:
        for _turn in range(times):
            if one_by_one:
                for i in range(n):
                    pipeline.feed_c(PyBytes_AS_STRING(<bytes> frames[i]), PyBytes_GET_SIZE(<bytes> frames[i]), 0, 0, 0)
            else:
                pipeline.feed_many(frames)
    finally:
        python_calls = wb_unhook()
        c_calls = wb_c_count()
        wb_count_c(False)
    return python_calls, c_calls, caught


# ---- protobuf

def protobuf_fields(bytes message, inside=()):
    """Fields of a message as (number, value): an int, bytes, None for what was skipped, or, for the numbers `inside`,
    the list of the message inside. Returns (fields, offset of the error or the end, what was expected or "")."""
    cdef Exact exact = Exact(message)
    cdef Cursor c
    cursor_init(&c, exact.data, exact.size, NULL)
    found = fields_of(&c, frozenset(inside))
    return found, c.pos - c.start, c.expected.decode() if c.status else ""


cdef list fields_of(Cursor* c, frozenset inside):
    cdef uint32_t number
    cdef int wire
    cdef uint64_t value
    cdef Text text
    cdef const char* end
    found = []
    while next_field(c, &number, &wire):
        if wire == WIRE_VARINT and read_varint(c, &value):
            found.append((number, value))
        elif wire == WIRE_SPAN and read_span(c, &text):
            if number in inside:
                end = enter(c, &text)
                found.append((number, fields_of(c, inside)))
                leave(c, end)
            else:
                found.append((number, text.data[:text.size]))
        elif skip_field(c, number, wire):
            found.append((number, None))
    return found


def protobuf_pairs(bytes message, int number):
    """Levels of a message: (pairs of bytes, Result, offset of the error or the end)."""
    cdef Exact exact = Exact(message)
    cdef const char* at = exact.data
    cdef Text price, qty
    cdef Status status
    found = []
    while next_pair(&at, exact.data + exact.size, number, &price, &qty, &status):
        found.append((price.data[:price.size], qty.data[:qty.size]))
    return found, Result(status), at - exact.data


# ---- layouts

cdef Status nothing_known(Engine* engine, const char* data, const char* end, const char* safe,
                          Message* m) noexcept nogil:
    """A runner that knows no frame."""
    return NOT_COVERED


def never_fast(Pipeline pipeline):
    """Let a pipeline read every frame by its venue's parser; all else stays as it is. Returns it."""
    pipeline.path.read = nothing_known
    return pipeline


def all_books(Pipeline pipeline):
    """Every Book of a pipeline, partial ones too."""
    return list(pipeline.book_list)
