"""Shows the C functions to the tests, and proves that the .pxd files work from outside the packages.

Built only for the suite (WIREBOOK_PROBE=1 in setup.py), never part of a wheel. Text given to a reader is copied into
memory of exactly its size, so that a sanitizer sees every byte read past its end.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Malloc, PyMem_Free
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, free
from libc.string cimport memcpy, memset
from orderbook.book cimport Book
from orderbook.core cimport Touch, book_cut, book_touch, lock_drop, lock_take
from orderbook.ladder cimport (Ladder, Page, Walk, ladder_apply, ladder_best, ladder_best_qty, ladder_bytes,
                               ladder_clear, ladder_find, ladder_free, ladder_get, ladder_init, ladder_reach,
                               ladder_undo, ladder_worst, walk_next, walk_start)
from orderbook.quantity cimport qty_double, qty_is_own, qty_make_own
from orderbook.types cimport NOT_COVERED, Status, status_text
from orderbook.update cimport Levels, levels_free, levels_reserve
from feeds.arbiter cimport (Arbiter, Ids, Newest, Recent, arbiter_forget, arbitrate, carried, ids_new, may_bring,
                            newest_takes, note_copy, recent_add, recent_find)
from feeds.arbiter cimport comparable as c_comparable
from feeds.checksum cimport LONGEST, checksum_of, crc32, write_number, write_plain_digits, write_script
from feeds.engine cimport Engine
from feeds.events cimport Quote, Trade
from feeds.handler cimport Handler
from feeds.latency cimport Histogram as CHistogram
from feeds.latency cimport bucket_ns as c_bucket_ns
from feeds.latency cimport bucket_of as c_bucket_of
from feeds.latency cimport histogram_add, histogram_percentile
from feeds.levelmap cimport (LevelMap, map_clear, map_fits, map_free, map_get, map_put, map_reserve)
from feeds.levels cimport LevelText, Piece, take_level
from feeds.message cimport (Form, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_QUOTE, KIND_SNAPSHOT, KIND_TRADE,
                            Message, OR_ZERO, SLOT_AGGRESSOR, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE,
                            SLOT_BID_QTY, SLOT_CHECKSUM, SLOT_FIRST_SEQ, SLOT_LAST_SEQ, SLOT_LEVEL_COUNT,
                            SLOT_LEVEL_GONE, SLOT_LEVEL_ID, SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY, SLOT_LEVEL_SEQ,
                            SLOT_LEVEL_SIDE, SLOT_LINE_SEQ, SLOT_PARTIAL, SLOT_PREV_SEQ, SLOT_PRICE, SLOT_QTY,
                            SLOT_SPARE, SLOT_TIME, SLOT_TRADE_ID, TAKE_ANY, TAKE_BOOL, TAKE_CONSTANT, TAKE_DOUBLE,
                            TAKE_ID, TAKE_INT, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY, TAKE_SYMBOL, TAKE_TEXT, TAKE_TIME,
                            as_ns, bit, message_clear)
from feeds.numbers cimport read_date, read_double, read_id, read_integer, read_own, read_time, read_units
from feeds.odd cimport level_alone, levels_by_id, levels_by_offset, levels_newer
from feeds.parser cimport Parser, Runner
from feeds.pipeline cimport Pipeline
from feeds.pairs cimport Widths, read_pairs, read_whole
from feeds.protobuf cimport (WIRE_SPAN, WIRE_VARINT, enter, leave, next_field, next_pair, read_span, read_varint,
                             skip_field)
from feeds.routes cimport Route, Routes, routes_add, routes_find, routes_free
from feeds.routes cimport prefix_size as c_prefix_size
from feeds.fields cimport (Field, NAME_SYMBOL, TAKE_CLOSED_SIDE, TAKE_EACH, TAKE_INSIDE, TAKE_LEVEL, TAKE_SIDE,
                           fill_fields, fill_form, list_fields, take_array, take_object, take_value)
from feeds.scan cimport (Cursor, Text, at_end, begins, cursor_init, empty_text, fill_sides, find_text, first_item,
                         name_symbol, note_more, number_at, plain_is, read_count, skip_value, take_aggressor, take_best,
                         take_constant, take_levels, take_number, take_or_zero, take_signed, take_symbol)
from feeds.scan cimport is_zero as c_is_zero
from feeds.shape cimport Written, look_at, look_of
from feeds.stencil cimport STENCILS, Stencils
from feeds.symbols cimport Symbols, symbols_add, symbols_find, symbols_free
from feeds.sync cimport LineCount, line_follows
from feeds.sync cimport judge as c_judge

from enum import IntEnum
from importlib import import_module

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


def window_number(bytes text):
    """How the number at the beginning of a text is written: (bytes, digits, place of the dot, exponent), or None."""
    cdef Exact exact = Exact(text)
    cdef Written found
    if not look_at(exact.data, exact.size, &found):
        return None
    return found.size, found.digits, found.dot, found.exponent


def look(bytes window, bytes stop, int stops):
    """Bits of the bytes that are no digits, up to the stop of this number."""
    cdef Exact exact = Exact(window)
    return look_of(exact.data, exact.size, ord(stop), stops)


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
    static long long wb_c_past;           /* those past this one find memory again */
    static int wb_entries;
    static int wb_dry(void) {
        wb_c_calls++;
        return wb_c_last >= 0 && wb_c_calls > wb_c_last && wb_c_calls <= wb_c_past; }
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
    static void wb_c_limit(long long last, long long past) { wb_c_last = last; wb_c_past = past; }
    #else
    #define WB_CAN_COUNT 0
    static int wb_count_c(int counting) { (void) counting; return 0; }
    static long long wb_c_count(void) { return 0; }
    static void wb_c_limit(long long last, long long past) { (void) last; (void) past; }
    #endif
    """
    void wb_hook()
    long long wb_unhook()
    int wb_count_c(int counting)
    long long wb_c_count()
    void wb_c_limit(long long last, long long past)
    bint WB_CAN_COUNT


CAN_COUNT_MALLOC = WB_CAN_COUNT


def without_memory(call, int64_t after=0, int64_t times=1 << 62):
    """Call something while the package's modules get memory `after` times, and then none (so many `times`); returns
    the calls made."""
    cdef long long calls
    wb_count_c(True)
    wb_c_limit(after, after + times)
    try:
        call()
    finally:
        calls = wb_c_count()
        wb_c_limit(-1, -1)
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


# ---- a reader of a book

cdef extern from *:
    """
    #include <pthread.h>
    #include <time.h>

    static int wb_read_over;
    static void *wb_reader(void *lock) {
        struct timespec moment = {0, 20000000};
        nanosleep(&moment, NULL);
        __atomic_store_n(&wb_read_over, 1, __ATOMIC_RELEASE);
        __atomic_store_n((unsigned int *) lock, 0u, __ATOMIC_RELEASE);
        return NULL;
    }
    """
    ctypedef unsigned long pthread_t
    int pthread_create(pthread_t* thread, const void* options, void* (*work)(void*) noexcept, void* lock)
    int pthread_join(pthread_t thread, void** result)
    void* wb_reader(void* lock) noexcept
    int wb_read_over


def waits_for_a_reader(Book book, call):
    """Call something while another thread reads the book, which takes it 20 ms: whether that was waited for."""
    global wb_read_over
    cdef pthread_t thread
    wb_read_over = 0
    lock_take(&book.data.lock)
    if pthread_create(&thread, NULL, wb_reader, &book.data.lock) != 0:
        lock_drop(&book.data.lock)
        raise OSError("no thread")
    try:
        call()
        return bool(wb_read_over)
    finally:
        pthread_join(thread, NULL)


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


def protobuf_quick_pairs(bytes before, lists, int number, int price_scale, int qty_scale, bint simd):
    """Levels that need no care, of each list in turn, with `before` in front of it: [[(price, qty)]] in units."""
    cdef Exact exact
    cdef const char* at
    cdef Widths widths
    cdef int64_t i, n, room
    cdef int64_t* units
    widths.head = 0
    found = []
    for listed in lists:
        exact = Exact(before + listed)
        at = exact.data + len(before)
        room = len(listed) // 8 + 1
        units = <int64_t*> malloc(2 * room * sizeof(int64_t))
        n = read_pairs(&at, exact.data + exact.size, exact.data, number, price_scale, qty_scale, units, units + room,
                       &widths, simd)
        found.append([(units[i], units[room + i]) for i in range(n)])
        assert at - exact.data <= exact.size
        free(units)
    return found


def quick_whole(bytes text):
    """A whole number of 1 to 16 digits with other bytes before it; None if it is something else."""
    cdef Exact exact = Exact(b"7" * 16 + text)
    cdef int64_t value = 0
    if not read_whole(exact.data + exact.size, len(text), &value):
        return None
    return value


# ---- layouts

cdef Status nothing_known(Engine* engine, const char* data, const char* end, const char* safe,
                          Message* m) noexcept nogil:
    """A runner that knows no frame."""
    return NOT_COVERED


def use_runner(Pipeline pipeline, str module):
    """Let a new pipeline read learned frames by the runner of this module. Returns it."""
    cdef Runner runner = import_module(module).RUNNER
    pipeline.runner = runner
    pipeline.path.read = runner.frame
    pipeline.path.read_part = runner.part
    pipeline.path.engine.read_list = runner.levels
    return pipeline


def never_fast(Pipeline pipeline):
    """Let a pipeline read every frame by its venue's parser; all else stays as it is. Returns it."""
    pipeline.path.read = nothing_known
    pipeline.path.quick = NULL
    return pipeline


def stencils(Pipeline pipeline):
    """How many frames are kept as stencils, and what they were worth lately: rises with each frame that fits one."""
    cdef Stencils* all = &pipeline.path.engine.stencils
    return sum(all.place[i].size > 0 for i in range(STENCILS)) if all.place != NULL else 0, all.balance


def differing(Pipeline pipeline):
    """How many levels of the last message, a whole book, were applied because they differ; None: all were."""
    if pipeline.path.message.kept == NULL or not pipeline.path.message.kept.differs:
        return None
    return pipeline.path.message.bids.count + pipeline.path.message.asks.count


def all_books(Pipeline pipeline):
    """Every Book of a pipeline, partial ones too."""
    return list(pipeline.book_list)


# ---- numbers

def time_text(bytes text):
    """A time as ns: (Result, value)."""
    cdef Exact exact = Exact(text)
    cdef int64_t value = 0
    status = read_time(exact.data, exact.data + exact.size, &value)
    return Result(status), value


def date_text(bytes text):
    """A date as ns: (Result, value)."""
    cdef Exact exact = Exact(text)
    cdef int64_t value = 0
    status = read_date(exact.data, exact.data + exact.size, &value)
    return Result(status), value


def id_text(bytes text):
    """A name that is a number: (Result, value)."""
    cdef Exact exact = Exact(text)
    cdef int64_t value = 0
    status = read_id(exact.data, exact.data + exact.size, &value)
    return Result(status), value


def own_text(bytes text):
    """A quantity with its own decimals, as its word; None if it has none."""
    cdef Exact exact = Exact(text)
    cdef int64_t qty = 0
    return qty if read_own(exact.data, exact.data + exact.size, &qty) else None


def ns(int64_t value):
    """A time in s, ms, us or ns as ns."""
    return as_ns(value)


# ---- quantities

def make_own(uint64_t digits, int64_t decimals):
    """An own quantity as its word; None if it cannot be."""
    cdef int64_t qty = 0
    return qty if qty_make_own(digits, decimals, &qty) else None


def is_own(int64_t qty):
    return qty_is_own(qty)


def qty_float(int64_t qty, double power):
    """A quantity as a double."""
    return qty_double(qty, power)


# ---- books

def touch(Book book):
    """What C code reads of a book's best levels: (bid, qty, ask, qty), and the state of that moment."""
    cdef Touch found
    book_touch(book.data, &found)
    return (found.bid, found.bid_qty, found.ask, found.ask_qty), found.status


def set_status(Book book, int status, str reason=""):
    """Bring a book into a state as a pipeline does."""
    book.set_status(status, reason)


def cut(Book book, int64_t depth):
    """Drop the levels beyond the best `depth` of each side."""
    book_cut(book.data, depth)


def worst(LadderProbe ladder):
    """(rank of the worst level, distance of the farthest from rank 0); None without levels."""
    if ladder.data.best == NULL:
        return None
    return ladder_worst(&ladder.data), ladder_reach(&ladder.data)


# ---- checksums

def crc(bytes text):
    """CRC-32 of some bytes."""
    cdef Exact exact = Exact(text)
    return crc32(exact.data, exact.size)


def written(str how, int64_t units, int scale, int decimals=0):
    """The text of a number in a checksum; how: "number", "digits" or "script"."""
    cdef char out[64]
    cdef char* past
    memset(out, 0x7f, sizeof(out))
    if how == "number":
        past = write_number(out, units, scale, decimals)
    elif how == "digits":
        past = write_plain_digits(out, units, scale, decimals)
    else:
        past = write_script(out, units, scale)
    assert past - out <= LONGEST
    return out[:past - out].decode()


def checksum(Book book, int recipe, int price_fixed=0, int qty_fixed=0, int price_printed=0, int qty_printed=0):
    """The checksum that a venue would have for this book."""
    return checksum_of(recipe, book.data, price_fixed, qty_fixed, price_printed, qty_printed)


# ---- tables

cdef class Map:
    """A table from whole numbers to whole numbers."""

    cdef LevelMap data

    def __dealloc__(self):
        map_free(&self.data)

    def __setitem__(self, int64_t key, int64_t value):
        if not map_reserve(&self.data, 1):
            raise MemoryError("no memory for a key")
        map_put(&self.data, key, value)

    def get(self, int64_t key, int64_t absent):
        return map_get(&self.data, key, absent)

    def reserve(self, int64_t more):
        return map_reserve(&self.data, more)

    def clear(self):
        map_clear(&self.data)

    def fits(self, int64_t factor, bint keys):
        return map_fits(&self.data, factor, keys)

    def __len__(self):
        return self.data.count

    @property
    def places(self):
        return self.data.n_slots


cdef class Names:
    """The instruments of a pipeline."""

    cdef Symbols data

    def __dealloc__(self):
        symbols_free(&self.data)

    def add(self, bytes name, int variant=0):
        return symbols_add(&self.data, name, len(name), variant)

    def find(self, bytes name, int variant=0):
        cdef Exact exact = Exact(name)
        return symbols_find(&self.data, exact.data, exact.size, variant)


cdef class Streams:
    """The routes of a pipeline."""

    cdef Routes data

    def __dealloc__(self):
        routes_free(&self.data)

    def add(self, bytes prefix, int line=0, int target=0):
        cdef Route* route = routes_add(&self.data, prefix, len(prefix), line, target)
        return None if route == NULL else route - self.data.route

    def find(self, bytes prefix, int line=0):
        """Index of the route, None if there is none."""
        cdef Exact exact = Exact(prefix)
        cdef Route* route = routes_find(&self.data, exact.data, exact.size, line)
        return None if route == NULL else route - self.data.route


def prefix_size(bytes text, bytes mark, int marks):
    """Bytes that name a stream."""
    cdef Exact exact = Exact(text)
    return c_prefix_size(exact.data, exact.size, mark[0], marks)


cdef class Line:
    """The numbers of one connection."""

    cdef LineCount data

    def follows(self, int rule, int64_t number):
        return line_follows(&self.data, rule, number)


# ---- several lines

class Fate(IntEnum):
    """Names of what a message of one line is, in the order of feeds/arbiter.pxd."""

    FIRST = 0
    COPY = 1
    HOLD = 2
    MISSING = 3
    ANEW = 4


def comparable(int link):
    """Whether the numbers of a rule can be compared."""
    return bool(c_comparable(link))


cdef class Lanes:
    """What several lines have brought of one book."""

    cdef Arbiter data

    def carries(self, int place):
        """A line is known to be subscribed."""
        self.data.line[place].carries = True
        self.data.line[place].epoch = self.data.epoch

    def forget(self, int place):
        arbiter_forget(&self.data, place)

    def note(self, int place, int64_t final, int link, bint whole=False, int64_t prev=0):
        return Fate(note_copy(&self.data, place, link, whole, final, prev))

    def fate(self, int place, int places, int link, int64_t last, int64_t final, int64_t first=0, int64_t prev=0, *,
             bint whole=False, bint has_snapshot=True, bint settled=True, bint joined=True):
        return Fate(arbitrate(&self.data, place, places, link, whole, has_snapshot, settled, joined, last, first, final,
                              prev))

    def carried(self, int places):
        return bool(carried(&self.data, places))

    def may_bring(self, int places, int64_t last):
        return bool(may_bring(&self.data, places, last))

    def line(self, int place):
        """(carries, started, last, epoch, falls) of a line."""
        line = self.data.line[place]
        return bool(line.carries), bool(line.started), line.last, line.epoch, line.falls

    @property
    def epoch(self):
        return self.data.epoch


cdef class TradeIds:
    """Which trades are known; an id that is new is kept, as feeds.lines does."""

    cdef Ids data

    def new(self, int place, int64_t id):
        found = bool(ids_new(&self.data, place, id))
        if found:
            recent_add(&self.data.recent, id, 0, place)
        return found

    def begin(self, int64_t floor):
        """Trades up to this one were told before any copy could come."""
        self.data.started = True
        self.data.top = self.data.floor = floor

    @property
    def falls(self):
        return bool(self.data.falls)


cdef class NewestOf:
    """The newest of messages that count only while they are."""

    cdef Newest data

    def takes(self, int place, int64_t number):
        return bool(newest_takes(&self.data, place, number))

    def forget(self, int place):
        self.data.seen &= ~(1 << place)


cdef class RecentIds:
    """The ids that came last."""

    cdef Recent data

    def add(self, int64_t id, int64_t receive_ns=0, int line=0):
        recent_add(&self.data, id, receive_ns, line)

    def find(self, int64_t id):
        """(receive time, line) of an id, None if it is not kept."""
        place = recent_find(&self.data, id)
        return None if place < 0 else (self.data.ns[place], self.data.line[place])


# ---- taking

SLOTS = {
    "TIME": SLOT_TIME, "FIRST_SEQ": SLOT_FIRST_SEQ, "LAST_SEQ": SLOT_LAST_SEQ, "PREV_SEQ": SLOT_PREV_SEQ,
    "PRICE": SLOT_PRICE, "QTY": SLOT_QTY, "TRADE_ID": SLOT_TRADE_ID, "AGGRESSOR": SLOT_AGGRESSOR,
    "BID_PRICE": SLOT_BID_PRICE, "BID_QTY": SLOT_BID_QTY, "ASK_PRICE": SLOT_ASK_PRICE, "ASK_QTY": SLOT_ASK_QTY,
    "LINE_SEQ": SLOT_LINE_SEQ, "CHECKSUM": SLOT_CHECKSUM, "LEVEL_PRICE": SLOT_LEVEL_PRICE,
    "LEVEL_QTY": SLOT_LEVEL_QTY, "LEVEL_SIDE": SLOT_LEVEL_SIDE, "LEVEL_GONE": SLOT_LEVEL_GONE,
    "LEVEL_SEQ": SLOT_LEVEL_SEQ, "LEVEL_ID": SLOT_LEVEL_ID, "LEVEL_COUNT": SLOT_LEVEL_COUNT, "SPARE": SLOT_SPARE,
    "PARTIAL": SLOT_PARTIAL,
    "BIDS": 0, "ASKS": 1, "BOTH": 2,
}
TAKES = {
    "INT": TAKE_INT, "PRICE": TAKE_PRICE, "QTY": TAKE_QTY, "DOUBLE": TAKE_DOUBLE, "BOOL": TAKE_BOOL,
    "SYMBOL": TAKE_SYMBOL, "TEXT": TAKE_TEXT, "LEVELS": TAKE_LEVELS, "CONSTANT": TAKE_CONSTANT, "ANY": TAKE_ANY,
    "TIME": TAKE_TIME, "ID": TAKE_ID, "SIDE": TAKE_SIDE, "CLOSED_SIDE": TAKE_CLOSED_SIDE, "NAME": NAME_SYMBOL,
    "EACH": TAKE_EACH, "INSIDE": TAKE_INSIDE, "LEVEL": TAKE_LEVEL,
}
KINDS = {"delta": KIND_DELTA, "snapshot": KIND_SNAPSHOT, "trade": KIND_TRADE, "quote": KIND_QUOTE}
cdef dict SLOT_OF = {value: name for name, value in SLOTS.items() if name not in ("BIDS", "ASKS", "BOTH")}
cdef dict TAKE_OF = {value: name for name, value in TAKES.items()}


cdef class Levelform:
    """How a level is written; see list_form."""

    cdef Form data

    def __cinit__(self, rows, words=None, bint gone=False, bint nullable=False):
        fill_form(&self.data, rows, words, gone, nullable)


def level_text(Levelform form, bytes text):
    """One level taken apart: (side, gone, {name: text}, (offset, what was expected) or None)."""
    cdef Exact exact = Exact(text)
    cdef Cursor c
    cdef LevelText level
    cdef const Piece* piece
    cursor_init(&c, exact.data, exact.size, NULL)
    if not take_level(&c, &form.data, &level):
        return None, None, None, (c.pos - c.start, c.expected.decode())
    found = {}
    for name, address in (("price", <size_t> level.price), ("qty", <size_t> level.qty), ("seq", <size_t> level.seq),
                          ("id", <size_t> level.id)):
        if address:
            piece = <const Piece*> <size_t> address
            found[name] = piece.start[:piece.past - piece.start].decode("latin-1")
    return level.side, bool(level.gone), found, None


def text_facts(bytes text, bytes word, Py_ssize_t at):
    """(whether it begins with the word, whether it is 0, the number that stands at a place)."""
    cdef Exact exact = Exact(text)
    cdef Text part
    part.data, part.size = exact.data, exact.size
    return bool(begins(&part, word)), bool(c_is_zero(&part)), number_at(&part, at)


cdef class Taking:
    """A cursor with a message, and what was taken.

    Parameters: text -- what the cursor stands before. fields -- (key, name of TAKES, name of SLOTS). form -- of lists.
    """

    cdef Exact exact
    cdef Cursor c
    cdef Message m
    cdef Field fields[12]
    cdef Levelform form

    def __cinit__(self, bytes text, fields=(), Levelform form=None, bint recording=True):
        self.exact = Exact(text)
        self.form = form
        memset(&self.m, 0, sizeof(Message))
        message_clear(&self.m)
        cursor_init(&self.c, self.exact.data, self.exact.size, &self.m if recording else NULL)
        fill_fields(self.fields, tuple((key, TAKES[take], SLOTS[slot]) for key, take, slot in fields),
                    &form.data if form is not None else NULL)

    def __dealloc__(self):
        levels_free(&self.m.bids)
        levels_free(&self.m.asks)
        levels_free(&self.m.rows)

    def best(self):
        return take_best(&self.c, SLOT_BID_PRICE, SLOT_BID_QTY)

    def or_zero(self):
        return take_or_zero(&self.c, TAKE_PRICE, SLOT_PRICE)

    def fill(self):
        return fill_sides(&self.c)

    def name(self):
        return name_symbol(&self.c)

    def symbol_text(self):
        return take_symbol(&self.c)

    def array(self):
        return take_array(&self.c, self.fields)

    def object(self):
        return take_object(&self.c, self.fields)

    def value(self):
        return take_value(&self.c, self.fields)

    def aggressor(self, bytes buy, bytes sell):
        return take_aggressor(&self.c, buy, sell)

    def levels(self, int side=0):
        return take_levels(&self.c, side, &self.form.data)

    def signed(self, int plus=1):
        return take_signed(&self.c, SLOT_LEVEL_QTY, SLOT_LEVEL_SIDE, plus)

    def count(self):
        return read_count(&self.c)

    def first(self):
        """Step into an array of messages: where it ends, None if it has none."""
        cdef const char* end = first_item(&self.c)
        return None if end == NULL else end - self.c.start

    def more(self):
        """After an element: where the next one begins, None if there is none."""
        self.m.more = NULL
        note_more(&self.c, &self.m)
        return None if self.m.more == NULL else self.m.more - self.c.start

    def constant(self, str slot, int64_t value):
        return take_constant(&self.c, SLOTS[slot], value)

    def number(self, str take, str slot):
        return take_number(&self.c, TAKES[take], SLOTS[slot])

    def plain_is(self, bytes word):
        return bool(plain_is(&self.c, word))

    def empty(self):
        return bool(empty_text(&self.c))

    def find(self, bytes word):
        """Text of a key of the object that is next, None if there is none."""
        cdef Text text
        return text.data[:text.size] if find_text(&self.c, word, &text) else None

    def end(self):
        return bool(at_end(&self.c))

    @property
    def tokens(self):
        """(name of TAKES, name of SLOTS, text or value) of each token."""
        cdef int i
        found = []
        for i in range(self.m.n_tokens):
            token = self.m.token[i]
            found.append((TAKE_OF[token.kind],
                          token.slot if token.kind == TAKE_LEVELS else SLOT_OF.get(token.slot, token.slot),
                          token.value if token.kind == TAKE_CONSTANT
                          else self.exact.data[token.start:token.end].decode("latin-1")))
        return found

    @property
    def symbol(self):
        """(text, whether it must repeat) of the instrument, None if it was not named."""
        return None if self.m.symbol == NULL else (self.m.symbol[:self.m.symbol_size].decode("latin-1"),
                                                   bool(self.m.fixed_symbol))

    @property
    def place(self):
        return self.c.pos - self.c.start

    @property
    def error(self):
        """(Result, what was expected), None without an error."""
        return (Result(self.c.status), self.c.expected.decode()) if self.c.status else None

    def sees(self, str slot):
        return bool(self.m.seen & bit(SLOTS[slot]))


# ---- odd levels

cdef int fill_side(Levels* levels, rows) except -1:
    if not levels_reserve(levels, len(rows)):
        raise MemoryError("no memory for levels")
    for i, (price, qty, rank) in enumerate(rows):
        levels.price[i] = price
        levels.qty[i] = qty
        levels.rank[i] = rank
    levels.count = len(rows)
    return 0


cdef list side_list(const Levels* levels):
    cdef int64_t i
    return [(levels.price[i], levels.qty[i]) for i in range(levels.count)]


cdef class Odd:
    """Levels that are not simply set, and the table that they need."""

    cdef Message m
    cdef LevelMap table

    def __cinit__(self):
        memset(&self.m, 0, sizeof(Message))
        message_clear(&self.m)

    def __dealloc__(self):
        levels_free(&self.m.bids)
        levels_free(&self.m.asks)
        levels_free(&self.m.rows)
        map_free(&self.table)

    def alone(self, **slots):
        """A message that is one level: (bids, asks, rows as (price, qty, rank))."""
        message_clear(&self.m)
        for name, value in slots.items():
            self.m.slot[<int> SLOTS[name]] = value
            self.m.seen |= bit(SLOTS[name])
        assert level_alone(&self.m)
        rows = [(self.m.rows.price[i], self.m.rows.qty[i], self.m.rows.rank[i]) for i in range(self.m.rows.count)]
        return side_list(&self.m.bids), side_list(&self.m.asks), rows

    def newer(self, rows, int64_t last):
        """Of (price, qty, number), the levels that are newer."""
        fill_side(&self.m.bids, rows)
        levels_newer(&self.m.bids, last)
        return side_list(&self.m.bids)

    def by_offset(self, str kind, bids, asks, int64_t frame):
        """(bids, asks) of (price, qty, number) that count."""
        message_clear(&self.m)
        self.m.kind = KINDS[kind]
        fill_side(&self.m.bids, bids)
        fill_side(&self.m.asks, asks)
        assert levels_by_offset(&self.m, &self.table, frame)
        return side_list(&self.m.bids), side_list(&self.m.asks)

    def by_id(self, str kind, rows, bint strict=False):
        """(uncounted, breaks, bids, asks) of rows (price, qty, 4 * id + side)."""
        cdef int64_t breaks = 0, uncounted
        message_clear(&self.m)
        self.m.kind = KINDS[kind]
        fill_side(&self.m.rows, rows)
        uncounted = levels_by_id(&self.m, &self.table, &breaks, strict)
        return uncounted, breaks, side_list(&self.m.bids), side_list(&self.m.asks)


def list_of_fields(dict rows):
    """[(key, name of TAKES, name of SLOTS, 0 where it is empty, the next is of the same value)] of a venue's list."""
    cdef const Field* field = list_fields(rows)
    found = []
    while field.key[0]:
        found.append((field.key.decode(), TAKE_OF[field.take & (OR_ZERO - 1)], SLOT_OF.get(field.slot, field.slot),
                      bool(field.take & OR_ZERO), bool(field.again)))
        field += 1
    return found


# ---- a venue of the tests' own

cdef class KeyParser(Parser):
    """Objects whose keys mean what a list says; the key "kind" names one of KINDS, "control", "ignored" or "beat".

    Parameters: fields -- (key, name of TAKES, name of SLOTS). needed -- {kind: names of SLOTS}. options -- attributes
    of Parser (route_marks, by_line ...) and of the message (link, resync, depth, checksum, cut).
    """

    cdef Field fields[24]
    cdef Levelform form
    cdef uint64_t needed[16]
    cdef int link, resync, depth, checksum, cut

    def __cinit__(self, fields, Levelform form=None, needed=(), int market=0, bytes mark=b'"', int marks=2,
                  int array_marks=0, bint by_line=False, int link=-1, int resync=-1, int depth=0, int checksum=0,
                  int cut=0):
        self.form = form
        fill_fields(self.fields, tuple((key, TAKES[take], SLOTS[slot]) for key, take, slot in fields),
                    &form.data if form is not None else NULL)
        memset(self.needed, 0, sizeof(self.needed))
        for kind, slots in dict(needed).items():
            for slot in slots:
                self.needed[<int> KINDS[kind]] |= bit(SLOTS[slot])
        self.market = market
        self.route_mark = mark[0]
        self.route_marks = marks
        self.array_marks = array_marks
        self.by_line = by_line
        self.link, self.resync, self.depth, self.checksum, self.cut = link, resync, depth, checksum, cut

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        cdef Text kind
        find_text(c, b"kind", &kind)
        if kind.size:
            m.kind = (KIND_DELTA if kind.data[0] == c'd' else KIND_SNAPSHOT if kind.data[0] == c's'
                      else KIND_TRADE if kind.data[0] == c't' else KIND_QUOTE if kind.data[0] == c'q'
                      else KIND_CONTROL if kind.data[0] == c'c' else KIND_IGNORED)
            m.idle = kind.data[0] == c'b'
        m.needed = self.needed[m.kind]
        if self.link >= 0:
            m.link = self.link
        if self.resync >= 0:
            m.resync = self.resync
        m.depth = self.depth
        m.checksum = self.checksum
        m.cut = self.cut
        take_object(c, self.fields)
        at_end(c)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        m.kind = KIND_SNAPSHOT
        m.needed = self.needed[<int> KIND_SNAPSHOT]
        take_object(c, self.fields)
        at_end(c)
