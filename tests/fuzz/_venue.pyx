"""Fuzz targets of the venues: a frame through a parser, frames through two pipelines; gzip, deflate, captures.

Each target takes any bytes and stops the process where a rule is broken: `claim`. libFuzzer keeps what led there.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.ref cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdio cimport fprintf, stderr
from libc.stdlib cimport abort, free, malloc
from libc.string cimport memcpy, memset
from orderbook.book cimport Book
from orderbook.core cimport BookData, Touch, book_touch
from orderbook.ladder cimport Ladder, Walk, walk_next, walk_start
from orderbook.quantity cimport qty_is_own
from orderbook.types cimport Status, OK, NEEDS_SCALE, NOT_COVERED, TOO_DEEP, BOOK_LIVE
from orderbook.update cimport Levels, levels_free
from feeds.engine cimport Engine, engine_free
from feeds.events cimport Liquidation, Mark, OpenInterest, Quote, Ticker, Trade
from feeds.handler cimport Handler
from feeds.message cimport (Message, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_NONE, MAX_NAME, MAX_TOKENS, N_KINDS,
                            SLOT_LEVEL_SEQ, bit)
from feeds.parser cimport convert_message
from feeds.pipeline cimport Pipeline
from feeds.scan cimport Cursor, at_end, cursor_init, skip_value
from feeds.track cimport Track, track_free

import gzip
import os
import zlib

from feeds.capture import CaptureError, CaptureReader, CaptureWriter
from feeds.deflate import TAIL, ExtensionError, InflateError, Inflater, Terms, read_terms

cdef extern from *:
    """
    int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const unsigned char *, size_t));
    extern unsigned char wirebook_counters[];
    extern const unsigned int wirebook_n_counters;
    #define code_of(frame) ((PyObject *) PyFrame_GetCode(frame))
    """
    int LLVMFuzzerRunDriver(int* argc, char*** argv, int (*one)(const uint8_t*, size_t) noexcept)
    unsigned char* wirebook_counters
    unsigned int wirebook_n_counters

cdef extern from "Python.h":
    ctypedef struct PyFrameObject
    ctypedef int (*Py_tracefunc)(PyObject* self, PyFrameObject* frame, int what, PyObject* arg) noexcept
    void PyEval_SetTrace(Py_tracefunc func, PyObject* self)
    int PyFrame_GetLineNumber(PyFrameObject* frame)
    object code_of(PyFrameObject* frame)
    int PyTrace_LINE

ctypedef int (*target_function)(const uint8_t* data, size_t size) noexcept

cdef enum:
    RENEWED = 4096            # runs that a parser and what it has learned live for
    MAX_STEPS = 64            # of a history

SEPARATOR = b"\n\x1e"         # between the steps of a history


cdef inline void claim(bint holds, const char* rule) noexcept nogil:
    """Stop, for libFuzzer to keep the input, if a rule does not hold."""
    if not holds:
        fprintf(stderr, b"broken rule: %s\n", rule)
        abort()


cdef str venue_name
cdef dict form                # which of the venue's markets and wire forms
cdef bint is_text             # its frames are JSON, so what looks like JSON is JSON


def run(str kind, str venue, market, wire, list arguments):
    """Let libFuzzer run a target; it ends the process itself."""
    global venue_name, form
    venue_name, form = venue, {"market": market, "wire": wire}
    return drive(TARGETS_C[NAMES.index(kind)], arguments)


cdef int drive(target_function one, list arguments) except -1:
    """Hand the arguments over as C has them; their memory stays to the end."""
    cdef int argc = <int> len(arguments)
    cdef char** argv = <char**> malloc((argc + 1) * sizeof(char*))
    cdef bytes text
    cdef int i
    for i in range(argc):
        text = arguments[i].encode()
        argv[i] = <char*> malloc(len(text) + 1)
        memcpy(argv[i], <char*> text, len(text) + 1)
    argv[argc] = NULL
    return LLVMFuzzerRunDriver(&argc, &argv, one)


cdef inline uint64_t mix(uint64_t digest, uint64_t value) noexcept nogil:
    """A digest with one more value in it."""
    digest = (digest ^ value) * <uint64_t> 0x9E3779B97F4A7C15
    return digest ^ (digest >> 29)


# ---- one frame through a parser, and its numbers through the conversion

cdef Pipeline lone = None
cdef int64_t lone_runs = 0
cdef uint64_t touched = 0     # sum of the bytes of symbols, so that they are read


cdef int renew() except -1:
    """A new parser now and then: what channels it was told of, and what it learned of lists, is forgotten."""
    global lone, lone_runs, is_text
    if lone_runs % RENEWED == 0:
        lone = Pipeline(venue_name, **form)
        is_text = lone.parser.quick == NULL
    lone_runs += 1
    return 0


cdef void check_taken(const Cursor* c, const Message* m) noexcept nogil:
    """What holds of a message that was taken, and of one that was not."""
    global touched
    cdef int i
    claim(c.start <= c.pos <= c.end, b"a cursor stays within its frame")
    claim(c.status == OK or c.expected[0] != 0, b"an error says what was expected")
    claim(0 <= m.n_tokens <= MAX_TOKENS, b"tokens are counted")
    for i in range(m.n_tokens):
        claim(m.token[i].start <= m.token[i].end <= c.end - c.start, b"a token lies within its frame")
    if c.status == OK:
        claim(KIND_NONE < m.kind < N_KINDS or m.symbol == NULL or m.symbol_size == 0, b"a message is of some kind")
        for i in range(<int> m.symbol_size if m.symbol != NULL else 0):
            touched += <uint64_t> m.symbol[i]             # a sanitizer sees whether it can be read


cdef uint64_t digest_levels(const Levels* levels, bint ranked) noexcept nogil:
    """Levels; `ranked`: they have names or numbers of their own, else their ranks mean nothing yet."""
    cdef uint64_t digest = <uint64_t> levels.count
    cdef int64_t i
    claim(0 <= levels.count <= levels.room, b"levels fit their room")
    for i in range(levels.count):
        digest = mix(mix(digest, <uint64_t> levels.price[i]), <uint64_t> levels.qty[i])
        if ranked:
            digest = mix(digest, <uint64_t> levels.rank[i])
    return digest


cdef uint64_t convert(Engine* engine, const char* text, Py_ssize_t size, Message* m, int price_scale,
                      int qty_scale, bint* good) noexcept nogil:
    """Convert a message; a digest of what came of it, and whether it is good at this scale."""
    cdef Py_ssize_t offset = 0
    cdef Status status = convert_message(engine, text, m, price_scale, qty_scale, &offset)
    cdef uint64_t digest = <uint64_t> status
    cdef bint ranked
    good[0] = status == OK
    claim(status != NOT_COVERED, b"a conversion does not speak of layouts")
    claim(0 <= offset <= size, b"an error lies within its frame")
    if status == NEEDS_SCALE:
        claim(price_scale < m.price_decimals <= 18 or qty_scale < m.qty_decimals <= 18, b"a wider scale is told")
        return mix(mix(digest, <uint64_t> m.price_decimals), <uint64_t> m.qty_decimals)
    if status != OK:
        return mix(digest, <uint64_t> offset)
    ranked = m.seen & bit(SLOT_LEVEL_SEQ)
    digest = mix(mix(digest, digest_levels(&m.bids, ranked)), digest_levels(&m.asks, ranked))
    return mix(digest, digest_levels(&m.rows, True))


cdef int take_frame(const char* text, Py_ssize_t size, bint by_rest) except -1:
    """All messages of a frame, or the snapshot of a REST answer."""
    cdef Message* m = &lone.path.message
    cdef Engine* engine = &lone.path.engine
    cdef Cursor c, plain
    cdef const char* more
    cdef uint64_t digest
    cdef bint good = True, all_good = True, same = True
    lone.fresh(m, 0)
    if by_rest:
        m.symbol = b"X"
        m.symbol_size = 1
    cursor_init(&c, text, size, m)
    if by_rest:
        lone.parser.parse_rest(&c, m)
        if c.status == OK and m.kind == KIND_NONE:
            m.kind = KIND_DELTA                           # the pipeline knows what it asked for
    else:
        lone.parser.parse(&c, m)
    while True:
        check_taken(&c, m)
        if c.status != OK:
            return 0
        more = m.more
        if m.kind == KIND_CONTROL or m.kind == KIND_IGNORED:
            pass
        elif m.needed & ~m.seen or not 0 < m.symbol_size <= MAX_NAME:
            all_good = False
        else:
            digest = convert(engine, text, size, m, 2, 3, &same)
            claim(digest == convert(engine, text, size, m, 2, 3, &same), b"numbers are the same when read again")
            digest = convert(engine, text, size, m, 8, 8, &good)
            claim(digest == convert(engine, text, size, m, 8, 8, &same), b"numbers are the same at another scale")
            all_good &= good
        if more == NULL:
            break
        claim(c.start <= more <= c.end and not by_rest, b"the next message is in the same frame")
        c.pos = more
        lone.fresh(m, 0)
        lone.parser.parse_more(&c, m)
        claim(m.more == NULL or m.more > more, b"messages follow each other")
    # Some venues' levels are only checked where they are converted.
    if all_good and is_text and size and (text[0] == c'{' or text[0] == c'['):
        cursor_init(&plain, text, size, NULL)
        skip_value(&plain)
        at_end(&plain)
        claim(plain.status == OK or plain.status == TOO_DEEP, b"a frame that is taken is a document")
    return 0


cdef int parse_one(const uint8_t* data, size_t size) noexcept:
    """A frame."""
    cdef const char* text = <const char*> data
    try:
        renew()
        take_frame(text, <Py_ssize_t> size, False)
        if size and (text[0] == c'{' or text[0] == c'['):
            take_frame(text, <Py_ssize_t> size, True)
    except BaseException as error:  # noqa: BLE001
        stop(error)
    return 0


cdef int stop(error) except -1:
    """A rule that Python code found broken, or an exception that should not be."""
    print(f"broken rule: {error!r}", flush=True)
    abort()
    return 0


# ---- a history of frames through two pipelines: one learns, the other reads all with care

cdef class Noter(Handler):
    """Keeps a digest of everything it is told."""

    cdef uint64_t digest

    cdef int note(self, int kind, object event) except -1:
        self.digest = mix(mix(self.digest, <uint64_t> kind), <uint64_t> <int64_t> hash(event))
        return 0

    cdef int book(self, Book book) except -1:
        claim(book.data.status == BOOK_LIVE, b"only a LIVE book is delivered")
        return self.note(1, (book.symbol, book.data.sequence, book.data.exchange_ns))

    cdef int trade(self, Trade trade) except -1:
        return self.note(2, (trade.symbol, trade.price_int, trade.qty_int, trade.trade_id, trade.side,
                             trade.exchange_ns))

    cdef int quote(self, Quote quote) except -1:
        return self.note(3, (quote.symbol, quote.bid_price_int, quote.bid_qty_int, quote.ask_price_int,
                             quote.ask_qty_int, quote.sequence, quote.exchange_ns))

    cdef int ticker(self, Ticker ticker) except -1:
        return self.note(4, (ticker.symbol, ticker.open_ns, ticker.close_ns, ticker.trades, ticker.exchange_ns))

    cdef int mark(self, Mark mark) except -1:
        return self.note(5, (mark.symbol, mark.next_funding_ns, mark.exchange_ns))

    cdef int liquidation(self, Liquidation liquidation) except -1:
        return self.note(6, (liquidation.symbol, liquidation.price_int, liquidation.qty_int, liquidation.order_side))

    cdef int open_interest(self, OpenInterest open_interest) except -1:
        return self.note(7, (open_interest.symbol, open_interest.exchange_ns))

    cdef int status(self, Book book, old, new, str reason) except -1:
        return self.note(8, (book.symbol if book is not None else None, old, new, reason))


cdef Status nothing_known(Engine* engine, const char* data, const char* end, const char* safe,
                          Message* m) noexcept nogil:
    """A runner that knows no layout."""
    return NOT_COVERED


cdef uint64_t digest_side(uint64_t digest, const Ladder* side, int64_t* best, int64_t* best_qty) noexcept nogil:
    """A side's levels, and whether they stand in order."""
    cdef Walk walk
    cdef int64_t rank = 0, qty = 0, before = 0, n = 0
    walk_start(&walk, side)
    while walk_next(&walk, &rank, &qty):
        claim(n == 0 or rank < before, b"levels stand in order")
        claim(qty > 0 or qty_is_own(qty), b"a level has a quantity")
        if n == 0:
            best[0] = rank
            best_qty[0] = qty
        before = rank
        n += 1
        digest = mix(mix(digest, <uint64_t> rank), <uint64_t> qty)
    claim(n == side.n_levels, b"levels are counted")
    return mix(digest, <uint64_t> n)


cdef uint64_t digest_book(uint64_t digest, const BookData* book) noexcept nogil:
    """A book's content, and whether it agrees with itself."""
    cdef int64_t rank = 0, qty = 0
    cdef Touch touch
    book_touch(book, &touch)
    claim(touch.status == book.status, b"the touch has the book's state")
    digest = digest_side(digest, &book.bids, &rank, &qty)
    claim(touch.bid_qty == qty and (qty == 0 or touch.bid == rank * book.ticks.size), b"the touch is the best bid")
    rank = qty = 0
    digest = digest_side(digest, &book.asks, &rank, &qty)
    claim(touch.ask_qty == qty and (qty == 0 or touch.ask == -rank * book.ticks.size), b"the touch is the best ask")
    digest = mix(mix(mix(digest, <uint64_t> book.status), <uint64_t> book.sequence), <uint64_t> book.exchange_ns)
    digest = mix(mix(mix(digest, <uint64_t> book.ticks.size), <uint64_t> book.price_scale), <uint64_t> book.qty_scale)
    return mix(mix(digest, <uint64_t> book.trusted_bid), <uint64_t> book.trusted_ask)


cdef uint64_t digest_pipeline(Pipeline pipeline) noexcept:
    """What a pipeline holds and has counted, but for the way frames went."""
    cdef uint64_t digest = 1
    cdef int32_t i
    cdef const Track* track
    for i in range(N_KINDS):
        digest = mix(digest, <uint64_t> pipeline.path.counts.kind[i])
    for value in (pipeline.path.counts.frames, pipeline.path.counts.errors, pipeline.path.counts.ignored,
                  pipeline.path.counts.control, pipeline.path.counts.resyncs, pipeline.path.counts.gaps,
                  pipeline.path.counts.stale, pipeline.path.counts.line_jumps, pipeline.path.needs):
        digest = mix(digest, <uint64_t> <int64_t> value)
    for i in range(pipeline.path.engine.symbols.count):
        track = &pipeline.path.track[i]
        claim(track.book.status != BOOK_LIVE or track.has_snapshot, b"a LIVE book has a snapshot")
        claim(track.book.status != BOOK_LIVE or not track.ahead, b"a LIVE book is not ahead of its stream")
        digest = digest_book(digest, track.book)
        for value in (track.trade.price, track.trade.qty, track.trade.trade_id, track.trade.aggressor,
                      track.quote.bid_price, track.quote.bid_qty, track.quote.ask_price, track.quote.ask_qty,
                      track.quote.sequence, track.trades, track.quotes, track.updates, track.changes, track.snapshots,
                      track.gaps, track.stale, track.crc_ok, track.crc_bad, track.pending.count,
                      track.has_snapshot, track.joined, track.wants_snapshot, track.line):
            digest = mix(digest, <uint64_t> <int64_t> value)
    return digest


cdef int step(Pipeline pipeline, bytes steps, const char* data, Py_ssize_t size) except -1:
    """One step: `<` or `2` and a frame (of the first or second connection), `h` URL SPACE body, `=`, `!`.

    A frame lies in memory that ends where the frame ends.
    """
    cdef char* exact
    if size == 0:
        return 0
    if data[0] == c'=':
        pipeline.opened()
    elif data[0] == c'!':
        pipeline.closed()
    elif data[0] == c'h':
        url, _, body = data[1:size].partition(b" ")
        if b"[" not in url and b"]" not in url:           # Python's urlsplit raises for what it takes for IPv6
            pipeline.rest(url.decode("latin-1"), body)
    else:
        exact = <char*> malloc(size)
        memcpy(exact, data + 1, size - 1)
        try:
            # The byte behind a frame is there, and not part of it: it must not make a difference.
            exact[size - 1] = c'0'
            if data[0] == c'3':
                pipeline.feed_c(exact, size - 1, 1, 0, 0)
            else:
                free(exact)
                exact = <char*> malloc(size - 1)
                memcpy(exact, data + 1, size - 1)
                pipeline.feed_c(exact, size - 1, 0, 0, data[0] == c'2')
        finally:
            free(exact)
    return 0


cdef Pipeline anew(Pipeline used, Noter told, bint simd):
    """A pipeline that has seen nothing. One that was used is emptied as its end would empty it, because memory of its
    size costs the sanitizer more than a history does."""
    cdef int32_t i
    if used is None:
        return Pipeline(venue_name, told, **form, max_symbols=16, simd=simd)
    for i in range(used.path.engine.symbols.count):
        track_free(&used.path.track[i])
    free(used.path.track)
    engine_free(&used.path.engine)
    levels_free(&used.path.message.bids)
    levels_free(&used.path.message.asks)
    levels_free(&used.path.message.rows)
    memset(&used.path, 0, sizeof(used.path))
    used.error = None
    used.__init__(venue_name, told, **form, max_symbols=16, simd=simd)
    return used


cdef Pipeline quick_used = None
cdef Pipeline careful_used = None


cdef int follow(const uint8_t* data, size_t size) except -1:
    global quick_used, careful_used
    cdef Noter quick_told = Noter()
    cdef Noter careful_told = Noter()
    cdef Pipeline quick = anew(quick_used, quick_told, True)
    cdef Pipeline careful = anew(careful_used, careful_told, False)
    cdef bytes text
    quick_used, careful_used = quick, careful
    careful.path.read = nothing_known
    careful.path.quick = NULL
    for text in data[:size].split(SEPARATOR)[:MAX_STEPS]:
        step(quick, text, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        step(careful, text, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    claim(digest_pipeline(quick) == digest_pipeline(careful), b"both ways lead to the same books")
    claim(quick_told.digest == careful_told.digest, b"both ways tell the same")
    claim(quick.control() == careful.control(), b"both ways hand on the same control frames")
    claim(str(quick.last_error) == str(careful.last_error), b"both ways find the same error")
    quick.wanted()
    return 0


cdef int path_one(const uint8_t* data, size_t size) noexcept:
    """A history."""
    try:
        follow(data, size)
    except BaseException as error:  # noqa: BLE001
        stop(error)
    return 0


# ---- packed frames

cdef int unpack(bytes text) except -1:
    """A byte that says what is done to a frame, two that say where, then the frame."""
    cdef Pipeline packed = Pipeline(venue_name, **form)
    cdef Pipeline plain = Pipeline(venue_name, **form)
    what, where, frame = text[0] & 7, text[1] << 8 | text[2], text[3:]
    if what == 0:
        packed.feed(b"\x1f\x8b" + frame)
        return 0
    deflater = zlib.compressobj(text[0] >> 3 & 7, zlib.DEFLATED, 31, 9, text[0] >> 6)
    member = deflater.compress(frame) + deflater.flush()
    where %= len(member)
    if what == 1:                                          # cut
        member = member[:where]
    elif what == 2:                                        # one byte is another
        member = member[:where] + bytes([member[where] ^ (1 << (text[1] & 7))]) + member[where + 1:]
    elif what == 3:                                        # more behind it
        member += frame[:where] or b"\0"
    packed.feed(member)
    if what > 3:
        plain.feed(frame)
        assert digest_pipeline(packed) == digest_pipeline(plain), "a packed frame is the frame"
    elif what != 2 and len(member) > 2:
        assert packed.counters["errors"] == 1, "what is no gzip member is an error"
    assert packed.counters["frames"] == 1, "a packed frame is one frame"
    return 0


cdef int inflate_one(const uint8_t* data, size_t size) noexcept:
    """A frame as a gzip member, whole or damaged."""
    try:
        if size > 3:
            unpack(data[:size])
    except BaseException as error:  # noqa: BLE001
        stop(error)
    return 0


# ---- Python code, whose lines are counted here for libFuzzer

cdef str traced = None
cdef int line_before = 0


cdef int trace(function) except -1:
    """Count the lines of the file that a function stands in."""
    global traced
    if traced is None:
        traced = function.__code__.co_filename
        PyEval_SetTrace(count_line, NULL)
    return 0


cdef int count_line(PyObject* self, PyFrameObject* frame, int what, PyObject* arg) noexcept:
    """Count a pair of lines that follow each other."""
    global line_before
    cdef int line
    if what == PyTrace_LINE and code_of(frame).co_filename == traced:
        line = PyFrame_GetLineNumber(frame)
        wirebook_counters[(<unsigned int> line * 31 ^ <unsigned int> line_before * 257) % wirebook_n_counters] += 1
        line_before = line
    return 0


cdef int read_capture(str path, str again, bytes text) except -1:
    """Any bytes as a capture: its records can be written and read again."""
    with open(path, "wb") as file:
        file.write(gzip.compress(text[1:], 1) if text[:1] == b"z" else text)
    records = []
    try:
        for record in CaptureReader(path, inflate=not text.endswith(b"r")):
            records.append(record)
    except CaptureError as error:
        assert "\n" not in str(error), "an error is one line"
        assert error.expected and error.line >= 0 and error.offset >= 0, "an error says where and what"
    with CaptureWriter(again) as writer:
        for record in records:
            writer.write(record.recv_ns, record.kind, record.payload)
    if records:
        read = [(record.recv_ns, record.kind, record.payload) for record in CaptureReader(again, inflate=False)]
        assert read == [(record.recv_ns, record.kind, record.payload) for record in records], "a record is kept"
    return 0


cdef list memory_files = None


cdef int capture_one(const uint8_t* data, size_t size) noexcept:
    """A file, which lives in memory."""
    global memory_files
    try:
        trace(CaptureReader.__iter__)
        if memory_files is None:
            memory_files = [f"/proc/self/fd/{os.memfd_create(name)}" for name in ("capture", "again")]
        read_capture(memory_files[0], memory_files[1], data[:size])
    except BaseException as error:  # noqa: BLE001
        stop(error)
    return 0


cdef int deflate(bytes text) except -1:
    """A byte that says how messages are compressed and which one is damaged, then messages."""
    takeover, bits, damaged = bool(text[0] & 1), 9 + (text[0] >> 1 & 3) * 2, text[0] >> 4
    inflater = Inflater(Terms(takeover, bits), 1 << 16)
    deflater = None
    for i, message in enumerate(text[1:].split(SEPARATOR)):
        if deflater is None or not takeover:
            deflater = zlib.compressobj(6, zlib.DEFLATED, -bits)
        payload = (deflater.compress(message) + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
        try:
            if i == damaged:
                assert len(inflater.inflate(message)) <= 1 << 16, "a message stays within its limit"
                return 0                                  # what comes after it may be anything
            assert inflater.inflate(payload) == message, "a message comes out as it went in"
        except InflateError as error:
            assert i == damaged or len(message) > 1 << 16, "a good message is no error"
            assert error.code in (1007, 1009) and "\n" not in str(error), "an error has a code and one line"
            return 0
    return 0


cdef int deflate_one(const uint8_t* data, size_t size) noexcept:
    """Messages of a connection with permessage-deflate, one of them damaged; and an answer to the offer of it."""
    try:
        trace(read_terms)
        if size:
            deflate(data[:size])
            try:
                read_terms(data[:size].decode("latin-1").splitlines(), True)
            except ExtensionError as error:
                assert str(error), "an error says which"
    except BaseException as error:  # noqa: BLE001
        stop(error)
    return 0


NAMES = ("parse", "path", "inflate", "capture", "deflate")
cdef target_function[5] TARGETS_C
TARGETS_C[0] = parse_one
TARGETS_C[1] = path_one
TARGETS_C[2] = inflate_one
TARGETS_C[3] = capture_one
TARGETS_C[4] = deflate_one
