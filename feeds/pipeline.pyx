"""Pipeline: frames in; books, trades and quotes out.

The way of a frame: `feed` -> `path_step` (feeds.path: read by learned layout, judge, apply) -> `deliver`. A frame that
no learned layout fits goes through `careful` (feeds.intake: the venue's parser, by key) and comes back to the same
path. A pipeline knows neither sockets nor asyncio nor any venue by name. One thread feeds it.
"""

cimport cython
from cpython.buffer cimport PyObject_GetBuffer, PyBuffer_Release, PyBUF_SIMPLE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.list cimport PyList_CheckExact
from cpython.ref cimport PyObject, Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memset
from orderbook.book cimport Book
from orderbook.core cimport book_clear
from orderbook.ladder cimport unlikely
from orderbook.types cimport BOOK_EMPTY, BOOK_LIVE, BOOK_STALE, Status, status_text
from orderbook.update cimport QuoteData, TradeData
from feeds.events cimport Event, Liquidation, Mark, OpenInterest, Quote, Ticker, Trade
from feeds.handler cimport Changes, Handler, as_handler
from feeds.intake cimport Intake
from feeds.latency cimport (CLOCK_MONOTONIC, Histogram, Stages, histogram_add_two, histogram_percentile,
                            read_clock)
from feeds.lines cimport Lane, lines_carry, shared_begin
from feeds.message cimport (Message, message_clear, time_ns, KIND_DELTA, KIND_LIQUIDATION, KIND_MARK, KIND_QUOTE,
                            KIND_OPEN_INTEREST, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, DEPTH_BITS, SLOT_ASK_PRICE,
                            SLOT_EVENT_TIME, SLOT_FUNDING, SLOT_INDEX, SLOT_MARK, SLOT_OPEN_INTEREST, SLOT_QUOTE_TOO,
                            SLOT_TIME, WANTS_LEVELS, bit)
from feeds.path cimport CAREFUL, MAX_LINES, SEVERAL, Change, path_lose, path_note, path_several, path_step
from feeds.routes cimport routes_free
from feeds.symbols cimport Target, symbols_find
from feeds.track cimport (Track, WHY_AHEAD, WHY_BAD_FRAME, WHY_CLOSED, WHY_DEPTH, WHY_FIRST_DELTA, WHY_FORGOTTEN,
                          WHY_GAP, WHY_LINE, WHY_CHECKSUM, WHY_NOT_APPLIED, WHY_OLD, WHY_OPENED, WHY_OVERFLOW,
                          WHY_SILENT, WHY_SNAPSHOT, WHY_TOLD, WHY_WIRE, pending_free)

from collections.abc import Sequence
from difflib import get_close_matches
from time import time_ns as clock_ns
from zlib import decompressobj, error as ZlibError

from feeds.books import Books
from feeds.parser import best_runner
from feeds.report import FeedError, Want
from feeds.statelog import StateLog
from feeds.venues import load
from orderbook import BookState

cdef extern from *:
    """
    #define wb_prefetch(p) __builtin_prefetch(p)
    #define wb_version(v) __atomic_load_n(&(v), __ATOMIC_ACQUIRE)
    """
    void prefetch "wb_prefetch"(const void* p) nogil
    uint32_t load_version "wb_version"(uint32_t v) nogil

cdef extern from "Python.h":
    PyObject* PyList_GET_ITEM(object, Py_ssize_t)
    PyObject* PySequence_Fast_GET_ITEM(object, Py_ssize_t)

cdef enum:
    NO_LINE = -1              # of `opened` and `closed`: books that belong to no connection
    BATCH = 1024              # frames of feed_many taken in one go without the GIL
    AHEAD = 24                # frames between the one taken hold of and the one fetched from memory
    MAX_LIMIT = 1 << 30       # levels a side that an address can sensibly ask for
    MAX_INFLATED = 1 << 26    # bytes of a frame that was packed
    SOON = 4                  # frames between the one at work and the one whose bytes are fetched
    FETCHED = 4               # cache lines fetched of each

cdef dict REASONS = {
    WHY_SNAPSHOT: "snapshot applied", WHY_FIRST_DELTA: "waiting for a snapshot", WHY_GAP: "gap",
    WHY_OPENED: "connection opened", WHY_CLOSED: "connection closed", WHY_BAD_FRAME: "bad message",
    WHY_NOT_APPLIED: "message could not be applied", WHY_OVERFLOW: "too many deltas while waiting for a snapshot",
    WHY_DEPTH: "no level is left of the depth that the snapshot told of",
    WHY_CHECKSUM: "checksum mismatch", WHY_LINE: "a message of the connection is missing",
    WHY_AHEAD: "the stream has not come to the snapshot yet",
    WHY_TOLD: "the venue has dropped the stream", WHY_OLD: "only old numbers", WHY_FORGOTTEN: "not followed any more",
    WHY_WIRE: "the venue sends a form that is not read", WHY_SILENT: "silent for too long",
}

cdef tuple RESYNCS = ("rest", "resubscribe", "request")      # by RESYNC_...

cdef tuple STATES = tuple(BookState)
cdef tuple STATE_NAMES = tuple([state.name for state in BookState])     # whose `name` is a property, and slow


cdef class Pipeline(Intake):
    """From a venue's frames to books, trades and quotes.

    Parameters: venue -- a name of `feeds.VENUES`. handler -- an object with some of on_book, on_trade, on_quote,
    on_ticker, on_mark, on_open_interest, on_liquidation, on_status, or a cdef `feeds.handler.Handler`. symbols -- the
    instruments wanted, as the venue writes them (case does not matter where it does not for the venue); None: every one
    seen, up to `max_symbols`. market -- of `SPEC.markets`, None the first: what frames that do not tell are about.
    on_gap -- "resync": a gap makes the book STALE until a new snapshot; "count": it is counted and the delta applied,
    for recordings, which cannot answer a resync. conflate -- on_book once per read batch. sample_every -- messages per
    latency sample, 1 takes all. simd -- False runs the scalar twin of the fast path. wire -- the form in which the
    venue writes, where it has several; None is its usual one, "json" in general.
    Raises: UnknownVenue, UnsupportedChannel (another market or wire form), ValueError, TypeError for wrong arguments.
    Wrong content never raises: it is counted, kept as `last_error` and reported by on_status.
    """

    def __init__(self, venue, handler=None, symbols=None, *, market=None, on_gap="resync", conflate=False,
                 max_symbols=4096, sample_every=64, simd=True, wire=None):
        if on_gap not in ("resync", "count"):
            raise ValueError(f"on_gap is 'resync' or 'count', not {on_gap!r}")
        if isinstance(symbols, str):
            raise TypeError(f"symbols is a sequence of symbols, not the text {symbols!r}")
        if max_symbols < 1 or sample_every < 1:
            raise ValueError("max_symbols and sample_every are 1 or more")
        self.venue = venue
        self.market_name = None if market is None else str(market)
        self.runner = best_runner(simd)
        self.path.read = self.runner.frame
        self.path.read_part = self.runner.part
        self.path.engine.read_list = self.runner.levels
        self.read_wire(wire)
        self.path.link = int(self.spec.link)
        self.path.count_rule = int(self.spec.count)
        self.path.resync = RESYNCS.index(self.spec.resync)
        self.path.strict = on_gap == "count"
        self.conflate = conflate
        self.max_symbols = max_symbols
        self.path.sample_every = sample_every
        self.path.sample_left = sample_every
        self.path.of.wanted = 1
        self.path.of.only = -1
        self.path.of.compares = self.spec.shared_ids
        self.all_symbols = symbols is None
        self.book_list = []
        self.name_list = []
        self.control_list = []
        self.changed = {}
        self.state_log = StateLog(str(venue))
        self.trade = Trade.__new__(Trade)
        self.quote = Quote.__new__(Quote)
        self.ticker = Ticker.__new__(Ticker)
        self.mark = Mark.__new__(Mark)
        self.liquidation = Liquidation.__new__(Liquidation)
        self.open_interest = OpenInterest.__new__(OpenInterest)
        self.handler = handler
        for symbol in symbols or ():
            self.follow(symbol)

    def rest(self, str url, body, int64_t receive_ns=0):
        """Take a REST answer: the snapshot of the symbol that `url` names, or the venue's list of instruments.

        A list refines the ticks of the books there are; it changes no level.
        Parameters: url -- the address that was asked. body -- the answer, bytes-like or str. receive_ns -- our clock
        when it arrived, ns since the Unix epoch. An answer of another kind is counted as ignored, a wrong one as an
        error.
        """
        body = body.encode() if isinstance(body, str) else bytes(memoryview(body))
        self.receive_ns = receive_ns
        if self.tap is not None:
            self.tap.rest(url, body, receive_ns)
        try:
            answer = self.spec.read_address(url)
        except ValueError:                                # urlsplit does not take everything
            message_clear(&self.path.message)
            self.bad(NULL, 0, 0, f"an address, not {url}")
            return
        if answer is None:
            self.path.counts.ignored += 1
        elif answer.kind == "instruments":
            self.refine_all(body)
        else:
            if not answer.symbol:
                message_clear(&self.path.message)
                self.bad(NULL, 0, 0, f"an address that names a symbol, not {url}")
                return
            self.snapshot(answer.symbol.encode(), min(answer.limit, MAX_LIMIT), self.market_index(answer.market), body,
                          receive_ns)

    cdef int read_wire(self, wire) except -1:
        """Read what the venue writes in this form from now on."""
        self.spec = load(self.venue, wire)
        self.market_name = self.spec.check_market(self.market_name)
        self.parser = self.spec.parser(self.market_name)
        self.path.quick = self.parser.quick
        self.path.newest = 0
        self.path.engine.marks = self.parser.route_marks
        self.path.engine.array_marks = self.parser.array_marks
        self.path.engine.mark = self.parser.route_mark
        self.path.engine.by_line = self.parser.by_line
        routes_free(&self.path.engine.routes)             # what was learned was learned of another form
        return 0

    @property
    def wire(self):
        """Name of the wire form that is read; can be set between two connections."""
        return self.spec.wire

    @wire.setter
    def wire(self, name):
        self.read_wire(name)
        if self.tap is not None:
            self.tap.call("wire", name)

    cdef int market_index(self, market) except -1:
        """Index of a market by its name, "" and None: the pipeline's own."""
        return self.spec.markets.index(market) if market else self.parser.market

    @property
    def market(self):
        """Name of the market that frames which do not tell are about, "" where the venue has one only; can be set."""
        return self.market_name

    @market.setter
    def market(self, name):
        self.market_name = self.spec.check_market(name)
        if self.tap is not None:
            self.tap.call("market", name)
        self.parser.market = self.spec.markets.index(self.market_name) if self.spec.markets else 0
        routes_free(&self.path.engine.routes)             # what was learned names the books of another market

    def note(self, str text, book=None):
        """Tell the handler's on_status something about a book, or (None) about the venue."""
        if self.handler_c is not None:
            state = book.status if book is not None else None
            self.handler_c.status(book, state, state, text)

    def lose(self, symbol, depth=None, str reason="the venue has dropped the stream", bint silent=False):
        """A book can no longer be trusted: it is STALE until a new snapshot came. KeyError if the symbol is unknown.

        silent -- because nothing comes for it; it only counts as that.
        """
        cdef int32_t index = self.index_of(symbol, depth)
        if self.tap is not None:
            self.tap.call("lose", symbol, depth, reason, bool(silent))
        path_lose(&self.path, index, WHY_SILENT if silent else WHY_TOLD, 0, 0)
        self.lost_reason = reason
        try:
            self.tell()
        finally:
            self.lost_reason = None

    def take_instruments(self, bytes body):
        """Refine the ticks of the books by the body of a venue's list of instruments."""
        if self.tap is not None:
            self.tap.call("take_instruments", body.decode("utf-8", "surrogateescape"))
        self.refine_all(body)

    cdef int refine_all(self, bytes body) except -1:
        """Refine the ticks of the books that a list of instruments names."""
        cdef int32_t i
        cdef int market
        markets = self.spec.markets or ("",)
        try:
            ticks = {(item.symbol, item.market or markets[0]): item.tick_size
                     for item in self.spec.read_instruments(body) if item.tick_size}
            for i in range(self.path.engine.symbols.count):
                market = self.path.engine.symbols.target[i].variant >> 20
                found = ticks.get((self.name_list[i], markets[market]))
                if found is not None:
                    self.refine(i, found)
        except ValueError as error:
            message_clear(&self.path.message)
            self.bad(NULL, 0, 0, str(error))

    # ---- telling

    cdef int tell(self) except -1:
        """Tell the changes of state that were noted: to the book, the counters, the log and the handler."""
        cdef int i, n = self.path.n_changes
        cdef object now
        cdef Change change
        cdef Book book
        cdef Handler handler
        cdef list changes = []
        if n == 0:
            return 0
        now = self.now_ns if self.now_ns else clock_ns()
        for i in range(n):
            change = self.path.change[i]
            book = self.book_list[change.target]
            reason = REASONS[change.why]
            if change.why == WHY_GAP:
                reason = f"gap: the book stands at {change.expected}, the next message begins at {change.got}"
            elif change.why == WHY_NOT_APPLIED:
                reason = f"message {change.got} not applied: expected {status_text(<Status> change.expected).decode()}"
                self.error = FeedError(self.venue, book.symbol, 0, status_text(<Status> change.expected).decode())
            elif self.lost_reason is not None and change.why in (WHY_TOLD, WHY_SILENT):
                reason = self.lost_reason
            book.reason = "" if change.new == BOOK_LIVE else reason
            book.since_ns = now
            key = (change.target, change.why)
            self.changed[key] = self.changed.get(key, 0) + 1
            changes.append((book, <int> change.old, <int> change.new, reason))
        self.path.n_changes = 0
        for book, old, new, reason in changes:
            self.state_log.note(book.symbol, STATE_NAMES[old], STATE_NAMES[new], reason,
                                new == BOOK_STALE or (old == BOOK_LIVE and new != BOOK_EMPTY))
        handler = self.handler_c
        if handler is None:
            return 0
        handler.now = self.now_ns if self.now_ns else self.receive_ns
        failure = None
        for book, old, new, reason in changes:
            try:
                handler.status(book, STATES[old], STATES[new], reason)
            except Exception as error:                    # the others are told all the same
                failure = failure or error
        if failure is not None:
            raise failure
        return 0

    cdef int report(self, Book book) except -1:
        """Tell that wrong content was met, in a message of `book` or (None) of no known one."""
        if self.handler_c is not None:
            state = book.status if book is not None else None
            self.handler_c.now = self.receive_ns
            self.handler_c.status(book, state, state, str(self.error))
        return 0

    cdef int show(self, int32_t target) except -1:
        """A snapshot was joined to the stream: hand the book to the handler."""
        if self.handler_c is not None:
            self.handler_c.now = self.receive_ns
            self.deliver_levels(target, True)
            if (self.handler_c.wants >> KIND_SNAPSHOT) & 1:
                self.handler_c.book(self.book_list[target])
        return 0

    cdef int replaced(self, int32_t target) except -1:
        """A book that is LIVE was replaced by a snapshot that was asked for; what was kept for it comes behind it."""
        self.tell()
        if self.handler_c is not None:
            self.handler_c.now = self.receive_ns
        return self.deliver_levels(target, True)

    cdef int deliver_levels(self, int32_t target, bint whole) except -1:
        """Hand out the levels that a message has changed, if somebody wants them."""
        cdef Changes changes
        cdef int variant = self.path.engine.symbols.target[target].variant
        if self.handler_c is None or not self.handler_c.wants & WANTS_LEVELS:
            return 0
        changes.bids = NULL if whole else &self.path.message.bids
        changes.asks = NULL if whole else &self.path.message.asks
        changes.depth = variant & DEPTH_BITS
        changes.market = variant >> 20
        return self.handler_c.levels(self.book_list[target], &changes)

    cdef int deliver(self) except -1:
        """Hand the message to the handler."""
        cdef Message* m = &self.path.message
        cdef int32_t index = m.target
        cdef Track* track = &self.path.track[index]
        cdef const Target* target = &self.path.engine.symbols.target[index]
        cdef Book book
        cdef int64_t start = self.path.mark_applied if self.path.mark_start else 0
        cdef int kind = m.kind
        cdef int wants = self.handler_c.wants if self.handler_c is not None else 0
        if self.handler_c is not None:
            self.handler_c.now = self.receive_ns
        if kind == KIND_DELTA or kind == KIND_SNAPSHOT:
            book = self.book_list[m.target]
            if self.applied_hook is not None:
                self.applied_hook(book)
            if self.handler_c is None or track.book.status != BOOK_LIVE:
                return 0
            if wants & WANTS_LEVELS:
                self.deliver_levels(m.target, kind == KIND_SNAPSHOT and (m.kept == NULL or not m.kept.differs))
            if not (wants >> kind) & 1:
                return 0
            if self.conflate:
                track.dirty = self.any_dirty = True
                return 0
            self.handler_c.book(book)
        elif kind == KIND_TRADE:
            dress(self.trade, self.name_list[m.target], target)
            self.trade.fill(&track.trade)
            self.handler_c.trade(self.trade)
        elif kind == KIND_QUOTE:
            dress(self.quote, self.name_list[m.target], target)
            self.quote.fill(&track.quote)
            self.handler_c.quote(self.quote)
        elif kind == KIND_TICKER:
            if (wants >> KIND_TICKER) & 1:
                dress(self.ticker, self.name_list[m.target], target)
                stamp(self.ticker, m, self.receive_ns)
                self.ticker.fill(m)
                self.handler_c.ticker(self.ticker)
            if (wants >> KIND_QUOTE) & 1 and m.seen & bit(SLOT_QUOTE_TOO) and m.seen & bit(SLOT_ASK_PRICE):
                dress(self.quote, self.name_list[m.target], target)
                self.quote.fill(&track.quote)
                self.handler_c.quote(self.quote)
            if (wants >> KIND_MARK) & 1 and m.seen & (bit(SLOT_MARK) | bit(SLOT_INDEX) | bit(SLOT_FUNDING)):
                self.deliver_mark(m, target)
            if (wants >> KIND_OPEN_INTEREST) & 1 and m.seen & bit(SLOT_OPEN_INTEREST):
                self.deliver_open_interest(m, target)
        elif kind == KIND_MARK:
            self.deliver_mark(m, target)
        elif kind == KIND_OPEN_INTEREST:
            self.deliver_open_interest(m, target)
        elif kind == KIND_LIQUIDATION:
            dress(self.liquidation, self.name_list[m.target], target)
            stamp(self.liquidation, m, self.receive_ns)
            self.liquidation.fill(m)
            self.handler_c.liquidation(self.liquidation)
        if start:
            track = &self.path.track[index]               # a handler may have made room for more of them
            histogram_add_two(&self.path.handled, &track.stages.handled, read_clock(CLOCK_MONOTONIC) - start)
        return 0

    cdef int deliver_mark(self, const Message* m, const Target* target) except -1:
        """Hand out mark price, index price and funding."""
        dress(self.mark, self.name_list[m.target], target)
        stamp(self.mark, m, self.receive_ns)
        self.mark.fill(m)
        self.handler_c.mark(self.mark)
        return 0

    cdef int deliver_open_interest(self, const Message* m, const Target* target) except -1:
        """Hand out open interest."""
        dress(self.open_interest, self.name_list[m.target], target)
        stamp(self.open_interest, m, self.receive_ns)
        self.open_interest.fill(m)
        self.handler_c.open_interest(self.open_interest)
        return 0

    cpdef flush(self):
        """End of a read batch: deliver the books that changed in it, if on_book is conflated."""
        cdef int32_t i
        cdef Handler handler = self.handler_c
        if not self.any_dirty:
            return
        for i in range(self.path.engine.symbols.count):
            if self.path.track[i].dirty:
                self.path.track[i].dirty = False               # also if the handler raises: the rest stays
                if self.path.track[i].book.status == BOOK_LIVE and handler is not None:
                    handler.book(self.book_list[i])
        self.any_dirty = False

    # ---- feeding

    cdef int feed_c(self, const char* data, Py_ssize_t size, Py_ssize_t slack, int64_t receive_ns, int line) except -1:
        """One frame; up to `slack` bytes past its end may be read. A handler's exception comes out of here."""
        if unlikely(self.tap is not None):
            self.tap.frame(data, size, receive_ns, line)
        return self.take(data, size, slack, receive_ns, line)

    @cython.final
    cdef int take(self, const char* data, Py_ssize_t size, Py_ssize_t slack, int64_t receive_ns, int line) except -1:
        """A frame that has been recorded, if anything is."""
        cdef int todo
        self.receive_ns = receive_ns
        if unlikely(self.parser.packed and size > 2 and data[0] == 0x1f and data[1] == <char> 0x8b):
            return self.unpack(data, size, receive_ns, line)
        todo = path_step(&self.path, data, size, slack, receive_ns, line)
        if todo == CAREFUL:
            self.path.counts.slow += 1
            return self.careful(data, size, receive_ns, line)
        if todo == SEVERAL:
            return self.several(data, size, receive_ns, line)
        if todo or self.path.n_changes:
            return self.finish(todo, receive_ns)
        return 0

    cdef int unpack(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1:
        """Inflate a frame that is a gzip member, and take it."""
        inflater = decompressobj(31)
        try:
            text = inflater.decompress(data[:size], MAX_INFLATED)
        except ZlibError as error:
            text = None
            found = str(error)
        if text is not None and inflater.eof and not inflater.unused_data:
            return self.take(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), 0, receive_ns, line)
        if text is not None:
            found = "a cut one" if not inflater.eof and len(text) < MAX_INFLATED else "more"
        message_clear(&self.path.message)
        self.path.counts.frames += 1
        self.path.counts.bytes += size
        return self.bad(NULL, 0, 0, f"a gzip member of at most {MAX_INFLATED} bytes when inflated, not {found}")

    def feed(self, payload, int64_t receive_ns=0, int line=0):
        """Take one frame.

        Parameters: payload -- contiguous bytes-like; it is not kept, and nothing past its end is read. receive_ns --
        our clock when it arrived, ns since the Unix epoch. line -- the connection it came on.
        Raises: TypeError for another kind of payload; what a handler raises (the message was then applied whole).
        """
        cdef Py_buffer view
        if PyBytes_CheckExact(payload):
            self.feed_c(PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), 0, receive_ns, line)
            return
        PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
        try:
            self.feed_c(<const char*> view.buf, view.len, 0, receive_ns, line)
        finally:
            PyBuffer_Release(&view)

    def feed_many(self, payloads, int line=0):
        """Take a sequence of frames in one call, as one read batch. Without a handler the GIL is released meanwhile."""
        cdef Py_ssize_t i = 0, j, taken, line_ahead
        cdef PyObject* held[BATCH]
        cdef const char* data[BATCH]
        cdef Py_ssize_t size[BATCH]
        cdef int todo
        cdef bint noted = self.touched is not None
        if not isinstance(payloads, (list, tuple)):
            if not isinstance(payloads, Sequence) or isinstance(payloads, (bytes, bytearray, memoryview, str)):
                raise TypeError(f"expected a sequence of bytes-like objects, not {type(payloads).__name__}")
            payloads = list(payloads)
        self.receive_ns = 0
        if self.path.wants or self.parser.packed or self.tap is not None:
            for payload in payloads:
                self.feed(payload, 0, line)
            self.flush()
            return
        while True:
            taken = gather(payloads, i, held, data, size)
            if taken == 0:
                if i >= len(payloads):
                    return
                self.feed(payloads[i], 0, line)           # bytes-like, but not bytes
                i += 1
                continue
            i += taken
            try:
                with nogil:
                    for j in range(taken):
                        if j + SOON < taken:
                            for line_ahead in range(FETCHED):
                                prefetch(data[j + SOON] + 64 * line_ahead)
                        todo = path_step(&self.path, data[j], size[j], 0, 0, line)
                        if unlikely(todo == SEVERAL and not noted):
                            todo = path_several(&self.path, data[j], size[j], 0, line)
                        if unlikely(todo or self.path.n_changes):
                            with gil:
                                if todo == CAREFUL:
                                    self.path.counts.slow += 1
                                    self.careful(data[j], size[j], 0, line)
                                elif todo == SEVERAL:
                                    self.several(data[j], size[j], 0, line)
                                else:
                                    self.finish(todo, 0)
            finally:
                for j in range(taken):
                    Py_DECREF(<object> held[j])

    # ---- connections

    def opened(self, int line=0, str url=""):
        """A connection was opened, to that address: the books of that line start clean."""
        if self.tap is not None and NO_LINE <= line < MAX_LINES:
            self.tap.opened(line, url)
        self.reset_books(line, True)

    def closed(self, int line=0, str reason=""):
        """A connection was lost: the books of that line are STALE."""
        if self.tap is not None and NO_LINE <= line < MAX_LINES:
            self.tap.closed(line, reason)
        self.reset_books(line, False)

    def share(self, *lines):
        """These lines carry the same streams from now on; one of them may do so with others already.

        Where the venue's numbers are the same on every connection (`SPEC.shared_ids`) the first copy of a message
        counts, and losing one line loses nothing. Elsewhere one line counts, and another takes over when it ends.
        Raises: ValueError for more than 8 lines, lines of two groups, and where gaps are counted.
        """
        self.group_lines(list(lines))
        if self.tap is not None:
            self.tap.call("share", *lines)

    def part(self, int line):
        """A line that was closed carries nothing any more. Raises: ValueError if it is open."""
        self.ungroup_line(line)
        if self.tap is not None:
            self.tap.call("part", line)

    def hand_over(self, int line):
        """Let a line that stands by take over book by book, each with the whole book that the line brings of it."""
        if self.tap is not None:
            self.tap.call("hand_over", line)
        if self.path.of.lane[line].group:
            self.path.of.group[self.path.of.lane[line].group].heir = line

    def carry(self, int line, symbol, depth=None):
        """The venue has confirmed that a line carries a book. KeyError if the symbol is unknown."""
        cdef int32_t index = self.index_of(symbol, depth)
        if self.tap is not None:
            self.tap.call("carry", line, symbol, depth)
        lines_carry(&self.path.of, &self.path.track[index], line)

    def carries(self, int line, symbol, depth=None):
        """Whether a line carries a book, as far as is known: it has brought a message of it or is said to.

        Of lines that cannot be compared: whether the book follows that line.
        """
        cdef int32_t index = self.index_of(symbol, depth)
        cdef Track* track = &self.path.track[index]
        if self.path.of.compares:
            return self.line_carries(index, line)
        return track.line == line and track.book.status == BOOK_LIVE

    def brought(self, int line, symbol, depth=None):
        """Number of the last message of a book that a line has brought, where lines are compared; None: none yet."""
        cdef Track* track = &self.path.track[self.index_of(symbol, depth)]
        cdef const Lane* lane = &self.path.of.lane[line]
        if track.shared == NULL or track.shared.group != lane.group:
            return None
        return track.shared.arbiter.line[lane.place].last if track.shared.arbiter.line[lane.place].started else None

    def active(self, int line):
        """The line of a group whose messages count where they cannot be compared; the line itself if it is alone."""
        cdef int group = self.path.of.lane[line].group
        return self.path.of.group[group].active if group else line

    def settle(self, double now):
        """Give up messages that wait for what no other line brought within a second; call it now and then.

        now -- seconds of any one clock.
        """
        cdef int32_t i
        if self.path.of.wanted == 1:
            return
        if self.tap is not None:
            self.tap.call("settle", now)
        for i in range(self.path.engine.symbols.count):
            if self.path.track[i].shared != NULL and self.path.track[i].shared.held.count:
                self.settle_held(i, now)
        self.settle_groups(now)

    def line_stats(self, int line):
        """Figures of a line that carries the same as another, as a new dict: `first`, messages that it brought before
        any other; `copies`, those that another had brought or that did not count; `lead_us`, by how much it was ahead
        on average of the copies that came."""
        cdef const Lane* lane = &self.path.of.lane[line]
        return {"first": lane.first, "copies": lane.copies,
                "lead_us": round(float(lane.lead_ns) / lane.leads / 1000, 1) if lane.leads else None}

    def follow(self, symbol, depth=None, market=None):
        """Make sure an instrument is wanted; returns its Book, EMPTY if it is new.

        depth -- of a partial book; market -- None: the pipeline's own.
        """
        cdef int32_t index
        cdef int variant = self.variant(depth, market)
        name = self.spec.symbol(symbol)
        text = name.encode()
        index = symbols_find(&self.path.engine.symbols, text, len(text), variant)
        if index < 0:
            index = self.instrument(name, variant)
        if self.tap is not None:
            self.tap.call("follow", name, depth, market)
        self.path.engine.symbols.target[index].wanted = self.path.of.wanted
        return self.book_list[index]

    def forget(self, symbol):
        """Stop following an instrument: its books are EMPTY, its messages ignored until it is followed again."""
        cdef int32_t i
        name = self.spec.symbol(symbol)
        if self.tap is not None:
            self.tap.call("forget", name)
        for i in range(self.path.engine.symbols.count):
            if self.name_list[i] != name:
                continue
            self.path.engine.symbols.target[i].wanted = False
            self.path.track[i].has_snapshot = self.path.track[i].joined = self.path.track[i].ahead = False
            pending_free(&self.path.track[i].pending)
            if self.path.track[i].shared != NULL:
                pending_free(&self.path.track[i].shared.held)
                shared_begin(self.path.track[i].shared, 0)
            if self.path.track[i].wants_snapshot:
                self.path.track[i].wants_snapshot = False
                self.path.needs += 1
            path_note(&self.path, i, self.path.track[i].book.status, BOOK_EMPTY, WHY_FORGOTTEN, 0, 0)
            book_clear(self.path.track[i].book, BOOK_EMPTY)
        self.tell()

    # ---- what there is to read

    @property
    def handler(self):
        """Where events go, as it was given; can be set."""
        return self.handler_object

    @handler.setter
    def handler(self, handler):
        self.handler_c = as_handler(handler)
        self.handler_object = handler
        self.update_wants()

    @property
    def sample_every(self):
        """Messages per latency sample; 1 takes every message. Can be set."""
        return self.path.sample_every

    @sample_every.setter
    def sample_every(self, int count):
        if count < 1:
            raise ValueError(f"sample_every is 1 or more, not {count}")
        self.path.sample_every = self.path.sample_left = count

    @property
    def needs(self):
        """A number that changes whenever `wanted` does: cheap to poll."""
        return self.path.needs

    @property
    def on_applied(self):
        """callable(book) after every applied book message, snapshot or delta, LIVE or not; None is off.

        Not after one that takes the book's state away (a checksum that does not fit, a side that ran out): on_status.
        """
        return self.applied_hook

    @on_applied.setter
    def on_applied(self, hook):
        self.applied_hook = hook
        self.update_wants()

    cdef int update_wants(self) except -1:
        self.path.wants = 0 if self.handler_c is None else self.handler_c.wants
        if self.applied_hook is not None or self.path.wants & WANTS_LEVELS:
            self.path.wants |= 1 << KIND_DELTA | 1 << KIND_SNAPSHOT
        return 0

    cdef int variant(self, depth, market) except -1:
        """Which of the books that share a symbol is meant."""
        return self.market_index(market) << 20 | (depth or 0)

    cdef int32_t index_of(self, symbol, depth, market=None) except -1:
        """Index of an instrument; KeyError with near names if it is not known. Without `market` any that has it."""
        cdef int other
        if market is None and self.spec.markets and "@" in symbol and symbol.rpartition("@")[2] in self.spec.markets:
            symbol, _, market = symbol.rpartition("@")
        for name in (symbol, self.spec.symbol(symbol)):   # as it is on the wire, else as a user may write it
            text = name.encode()
            index = symbols_find(&self.path.engine.symbols, text, len(text), self.variant(depth, market))
            if index >= 0:
                return index
            for other in range(len(self.spec.markets) if market is None else 0):
                index = symbols_find(&self.path.engine.symbols, text, len(text), other << 20 | (depth or 0))
                if index >= 0:
                    return index
        near = get_close_matches(name, self.name_list, 3)
        raise KeyError(f"{self.venue}: no book of {name}{f' with depth {depth}' if depth else ''}"
                       f"{'; near: ' + ', '.join(near) if near else ''}")

    def book(self, symbol, depth=None, market=None):
        """The Book of a symbol; with `depth` the partial book of that depth. KeyError, with near names, if unknown.

        market -- where two markets share a symbol; None: the pipeline's own, else any that has it.
        """
        return self.book_list[self.index_of(symbol, depth, market)]

    @property
    def books(self):
        """Mapping symbol (as the venue writes it) -> Book, without partial books; a live view."""
        return Books(self)

    def symbols(self):
        """Symbols with a book of deltas, as the venue writes them, in the order they were met.

        Where two markets share a symbol, the later one is written "symbol@market".
        """
        cdef int32_t i
        cdef dict found = {}
        for i in range(self.path.engine.symbols.count):
            if self.path.engine.symbols.target[i].variant & DEPTH_BITS == 0:
                name = self.name_list[i]
                if name in found:
                    name = f"{name}@{self.spec.markets[self.path.engine.symbols.target[i].variant >> 20]}"
                found[name] = None
        return list(found)

    def last_trade(self, symbol):
        """The last Trade of a symbol, a copy; None if there was none. KeyError if the symbol is unknown."""
        cdef int32_t index = self.index_of(symbol, None)
        cdef Track* track = &self.path.track[index]
        cdef Trade trade = Trade.__new__(Trade)
        cdef TradeData data
        cdef uint32_t version
        if track.trades == 0:
            return None
        while True:
            version = load_version(track.version)
            data = track.trade
            if version & 1 == 0 and version == load_version(track.version):
                break
        dress(trade, self.name_list[index], &self.path.engine.symbols.target[index])
        trade.fill(&data)
        return trade

    def last_quote(self, symbol):
        """The last Quote of a symbol, a copy; None if there was none. KeyError if the symbol is unknown."""
        cdef int32_t index = self.index_of(symbol, None)
        cdef Track* track = &self.path.track[index]
        cdef Quote quote = Quote.__new__(Quote)
        cdef QuoteData data
        cdef uint32_t version
        if track.quotes == 0:
            return None
        while True:
            version = load_version(track.version)
            data = track.quote
            if version & 1 == 0 and version == load_version(track.version):
                break
        dress(quote, self.name_list[index], &self.path.engine.symbols.target[index])
        quote.fill(&data)
        return quote

    @property
    def last_error(self):
        """FeedError of the last message with wrong content, None if there was none."""
        return self.error

    @property
    def counters(self):
        """Figures since the start, as a new dict: frames, bytes, fast and slow (by learned layout or by key), errors,
        ignored, control, gaps, resyncs, stale, and messages by kind."""
        kinds = self.path.counts.kind
        return {
            "frames": self.path.counts.frames, "bytes": self.path.counts.bytes, "fast": self.path.counts.fast,
            "slow": self.path.counts.slow, "errors": self.path.counts.errors, "ignored": self.path.counts.ignored,
            "control": self.path.counts.control, "gaps": self.path.counts.gaps, "resyncs": self.path.counts.resyncs,
            "stale": self.path.counts.stale, "depth": kinds[KIND_DELTA], "snapshots": kinds[KIND_SNAPSHOT],
            "trades": kinds[KIND_TRADE], "quotes": kinds[KIND_QUOTE], "tickers": kinds[KIND_TICKER],
            "marks": kinds[KIND_MARK], "liquidations": kinds[KIND_LIQUIDATION],
            "open_interests": kinds[KIND_OPEN_INTEREST], "line_jumps": self.path.counts.line_jumps,
        }

    def wanted(self):
        """What is needed from outside now, as a list of Want; each is listed until it is met."""
        cdef int32_t i
        cdef int variant
        wants = [Want("reconnect", "", i, REASONS[WHY_LINE]) for i in range(MAX_LINES) if self.path.lines[i].lost]
        for i in range(self.path.engine.symbols.count):
            if self.path.track[i].wants_snapshot:
                variant = self.path.engine.symbols.target[i].variant
                market = self.spec.markets[variant >> 20] if self.spec.markets else ""
                kind = RESYNCS[self.path.track[i].resync]
                wants.append(Want("snapshot" if kind == "rest" else kind, self.name_list[i],
                                  self.path.track[i].line, self.book_list[i].reason,
                                  variant & DEPTH_BITS, market))
        return wants

    def control(self):
        """Frames that are about the connection, as (line, bytes), since the last call; the oldest 1,024 of them."""
        frames = self.control_list
        self.control_list = []
        return frames

    def symbol_stats(self, symbol, depth=None):
        """Figures of one book by the counting rules of a replay, as a new dict."""
        cdef int32_t index = self.index_of(symbol, depth)
        cdef Track* track = &self.path.track[index]
        checked = {"crc_ok": track.crc_ok, "crc_bad": track.crc_bad} if track.crc_ok or track.crc_bad else {}
        return {
            **checked, "snapshots": track.snapshots, "updates": track.updates, "changes": track.changes,
            "absent": track.absent,
            "stale": track.stale + track.pending.count, "breaks": track.breaks, "crossed": track.crossed,
            "gaps": track.gaps, "resyncs": track.resyncs, "trades": track.trades,
            "trade_qty": (int(track.trade_qty_high) << 64) + track.trade_qty_low,
            "last_trade_price": track.trade.price if track.trades else None, "quotes": track.quotes,
            "price_scale": self.path.engine.symbols.target[index].price_scale,
            "qty_scale": self.path.engine.symbols.target[index].qty_scale,
        }

    def states(self, symbol=None, depth=None):
        """How often books changed their state, by reason, as a new dict: of all books, or of one."""
        cdef int32_t index = -1 if symbol is None else self.index_of(symbol, depth)
        cdef dict found = {}
        for (target, why), count in list(self.changed.items()):
            if index < 0 or target == index:
                found[REASONS[why]] = found.get(REASONS[why], 0) + count
        return found

    def flush_log(self):
        """Say how many changes of state the log leaves out, if it does; call it now and then."""
        self.state_log.flush()

    def latency(self, symbol=None, depth=None):
        """Durations by stage in ns since the start, as a dict of dicts: "received" (the venue's time of a message ->
        our clock when its read batch came; every message that tells one), and of one message in `sample_every` "parsed"
        (frame taken -> message read), "applied" (-> book changed), "handler" (-> handler returned).

        "received" has "early" besides: messages that came before the venue's own time of them, by our clock.
        With a symbol: of its own messages.
        """
        cdef Track* track
        cdef Stages none
        cdef Stages* stages = &none
        cdef Histogram* received
        memset(&none, 0, sizeof(Stages))
        if symbol is None:
            received = &self.path.received
        else:
            track = &self.path.track[self.index_of(symbol, depth)]
            received = track.received if track.received != NULL else &none.parsed
            stages = track.stages if track.stages != NULL else &none
        return {
            "received": {**summary(received), "early": received.bucket[0]},
            "parsed": summary(&self.path.parsed if symbol is None else &stages.parsed),
            "applied": summary(&self.path.applied if symbol is None else &stages.applied),
            "handler": summary(&self.path.handled if symbol is None else &stages.handled),
        }


cdef dict summary(const Histogram* histogram):
    return {
        "count": histogram.count, "p50": histogram_percentile(histogram, 0.5),
        "p90": histogram_percentile(histogram, 0.9), "p99": histogram_percentile(histogram, 0.99),
        "p99_9": histogram_percentile(histogram, 0.999), "max": histogram.largest,
    }


cdef inline void dress(Event event, str symbol, const Target* target):
    """Whose event it is, and in which units."""
    event.symbol = symbol
    event.price_scale = target.price_scale
    event.qty_scale = target.qty_scale


cdef inline void stamp(Event event, const Message* m, int64_t receive_ns):
    """When it happened and when it came."""
    cdef int64_t happened = time_ns(m, SLOT_EVENT_TIME)
    event.exchange_ns = happened if happened else time_ns(m, SLOT_TIME)
    event.receive_ns = receive_ns


cdef Py_ssize_t gather(object payloads, Py_ssize_t first, PyObject** held, const char** data,
                       Py_ssize_t* size) except -1:
    """Take hold of the next frames that are bytes, up to BATCH; their memory stays until they are let go.

    Frames lie scattered in memory: the beginning of those further on is fetched meanwhile.
    """
    cdef Py_ssize_t taken = 0, n = len(payloads)
    cdef bint is_list = PyList_CheckExact(payloads)
    cdef PyObject* item
    while taken < BATCH and first + taken < n:
        item = (PyList_GET_ITEM(payloads, first + taken) if is_list
                else PySequence_Fast_GET_ITEM(payloads, first + taken))
        if not PyBytes_CheckExact(<object> item):
            break
        Py_INCREF(<object> item)
        held[taken] = item
        data[taken] = PyBytes_AS_STRING(<object> item)
        size[taken] = PyBytes_GET_SIZE(<object> item)
        taken += 1
        if first + taken + AHEAD < n:
            item = (PyList_GET_ITEM(payloads, first + taken + AHEAD) if is_list
                    else PySequence_Fast_GET_ITEM(payloads, first + taken + AHEAD))
            prefetch(item)
    return taken
