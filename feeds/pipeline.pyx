"""THE HOT PATH: wire bytes -> message -> verdict -> book -> handler.

`step` is the whole path of a message that looks like those before it: read it by its stream's learned layout, judge
its numbers, apply it. It runs without the GIL and makes no Python object. Whatever is new or wrong goes through
`careful`: the venue's parser, by key, which also learns the layout for the next time.

A pipeline knows neither sockets nor asyncio nor any venue by name. One thread feeds it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE, PyBytes_CheckExact
from cpython.buffer cimport PyObject_GetBuffer, PyBuffer_Release, PyBUF_SIMPLE
from cpython.list cimport PyList_CheckExact
from cpython.ref cimport PyObject, Py_INCREF, Py_DECREF
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, INT64_MAX, INT64_MIN
from libc.stdlib cimport realloc, free
from libc.string cimport memset, memcpy
from orderbook.book cimport Book
from orderbook.core cimport (BookData, MAX_SCALE, TEN, book_apply_delta, book_apply_snapshot, book_clear, book_crossed, book_widen_price,
                             book_widen_qty, lock_take, lock_drop)
from orderbook.ladder cimport likely, unlikely
from orderbook.types cimport (Status, OK, NEEDS_SCALE, MISSING_KEY, NO_FIT, NO_MEMORY, NEGATIVE_QTY, BOOK_EMPTY,
                              BOOK_SYNCING, BOOK_LIVE, BOOK_STALE, status_text)
from orderbook.update cimport QuoteData, TradeData, levels_free
from feeds.engine cimport Engine, engine_free, engine_learn
from feeds.events cimport Event, Trade, Quote, Ticker, Mark, Liquidation
from feeds.handler cimport Handler, as_handler
from feeds.latency cimport CLOCK_MONOTONIC, Histogram, histogram_add, histogram_percentile, read_clock
from feeds.message cimport (Message, bit, message_clear, time_ns, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION,
                            KIND_MARK, KIND_NONE, KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, MAX_NAME, N_KINDS, SEEN_ASKS, SEEN_BIDS,
                            SLOT_AGGRESSOR, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_EVENT_TIME,
                            SLOT_FIRST_SEQ, SLOT_LAST_SEQ, SLOT_MAKER_BOUGHT, SLOT_PREV_SEQ, SLOT_PRICE, SLOT_QTY,
                            SLOT_TIME, SLOT_TRADE_ID)
from feeds.parser cimport Parser, Runner, convert_message
from feeds.routes cimport Route, prefix_size, routes_find
from feeds.scan cimport Cursor, cursor_init
from feeds.symbols cimport Symbols, Target, symbols_add, symbols_find
from feeds.sync cimport APPLY, GAP, LOOSE, OLD, judge
from feeds.track cimport (MAX_PENDING_BYTES, OLD_IN_A_ROW, Pending, PendingHead, Track, WHY_BAD_FRAME, WHY_CLOSED,
                          WHY_FIRST_DELTA, WHY_FORGOTTEN, WHY_GAP, WHY_NOT_APPLIED, WHY_OLD, WHY_OPENED, WHY_OVERFLOW,
                          WHY_SNAPSHOT, next_version, pending_add, pending_free, track_add_qty, track_fits, track_widen)

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from urllib.parse import parse_qs, urlsplit

from orderbook import BookState
from feeds.parser import best_runner
from feeds.report import FeedError, Want
from feeds.venues import load

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
    # What `step` leaves to be done with the GIL.
    DONE = 0
    DELIVER = 1               # a handler wants the message
    CAREFUL = 2               # no learned layout fits

cdef enum:
    BATCH = 256               # frames of feed_many taken in one go without the GIL
    AHEAD = 24                # frames between the one taken hold of and the one fetched from memory
    FETCHED = 4               # cache lines fetched of each
    MAX_FRAME = 1 << 30       # bytes
    MAX_CONTROL = 1024        # frames kept for `control`

cdef dict REASONS = {
    WHY_SNAPSHOT: "snapshot applied", WHY_FIRST_DELTA: "waiting for a snapshot", WHY_GAP: "gap",
    WHY_OPENED: "connection opened", WHY_CLOSED: "connection closed", WHY_BAD_FRAME: "bad message",
    WHY_NOT_APPLIED: "message could not be applied", WHY_OVERFLOW: "too many deltas while waiting for a snapshot",
    WHY_OLD: "only old numbers", WHY_FORGOTTEN: "not followed any more",
}

# Names of the slots a message can lack, for error texts.
cdef dict SLOT_NAMES = {
    SLOT_FIRST_SEQ: "the first sequence number", SLOT_LAST_SEQ: "the last sequence number",
    SLOT_PREV_SEQ: "the previous sequence number", SLOT_PRICE: "a price", SLOT_QTY: "a quantity",
    SLOT_MAKER_BOUGHT: "the maker's side", SLOT_AGGRESSOR: "a side", SLOT_BID_PRICE: "a bid price",
    SLOT_BID_QTY: "a bid quantity", SLOT_ASK_PRICE: "an ask price", SLOT_ASK_QTY: "an ask quantity",
    SEEN_BIDS: "bids", SEEN_ASKS: "asks",
}

cdef tuple STATES = tuple(BookState)


cdef class Pipeline:
    """From a venue's frames to books, trades and quotes.

    Parameters: venue -- a name of `feeds.VENUES`. handler -- an object with some of on_book, on_trade, on_quote,
    on_ticker, on_mark, on_liquidation, on_status, or a cdef `feeds.handler.Handler`. symbols -- the instruments wanted,
    as the venue writes them (case does not matter where it does not for the venue); None: every one seen, up to
    `max_symbols`. on_gap -- "resync": a gap makes the book STALE until a new snapshot; "count": it is counted and
    the delta applied, for recordings, which cannot answer a resync. conflate -- on_book once per read batch.
    sample_every -- messages per latency sample, 1 takes all. simd -- False runs the scalar twin of the fast path.
    Raises: UnknownVenue, ValueError, TypeError for wrong arguments. Wrong content never raises: it is counted, kept
    as `last_error` and reported by on_status.
    """

    def __cinit__(self):
        memset(&self.engine, 0, sizeof(Engine))
        memset(&self.message, 0, sizeof(Message))

    def __init__(self, venue, handler=None, symbols=None, *, on_gap="resync", conflate=False, max_symbols=4096,
                 sample_every=64, simd=True):
        if on_gap not in ("resync", "count"):
            raise ValueError(f"on_gap is 'resync' or 'count', not {on_gap!r}")
        if isinstance(symbols, str):
            raise TypeError(f"symbols is a sequence of symbols, not the text {symbols!r}")
        if max_symbols < 1 or sample_every < 1:
            raise ValueError("max_symbols and sample_every are 1 or more")
        self.spec = load(venue)
        self.venue = venue
        self.parser = self.spec.parser()
        self.runner = best_runner(simd)
        self.read_fast = self.runner.frame
        self.engine.quotes = self.parser.route_quotes
        self.link = int(self.spec.link)
        self.strict = on_gap == "count"
        self.conflate = conflate
        self.max_symbols = max_symbols
        self.sample_every = sample_every
        self.sample_left = sample_every
        self.all_symbols = symbols is None
        self.book_list = []
        self.name_list = []
        self.control_list = []
        self.trade = Trade.__new__(Trade)
        self.quote = Quote.__new__(Quote)
        self.ticker = Ticker.__new__(Ticker)
        self.mark = Mark.__new__(Mark)
        self.liquidation = Liquidation.__new__(Liquidation)
        self.handler = handler
        for symbol in symbols or ():
            self.follow(symbol)

    def __dealloc__(self):
        cdef int32_t i
        for i in range(self.engine.symbols.count):
            if i < self.track_room:
                pending_free(&self.track[i].pending)
        free(self.track)
        engine_free(&self.engine)
        levels_free(&self.message.bids)
        levels_free(&self.message.asks)

    # ---- the path

    cdef int step(self, const char* data, Py_ssize_t size, Py_ssize_t slack, int64_t receive_ns, int line) noexcept nogil:
        """One frame, as far as it goes without the GIL."""
        self.counts.frames += 1
        self.counts.bytes += size
        self.mark_start = 0
        self.sample_left -= 1
        if unlikely(self.sample_left <= 0):
            self.sample_left = self.sample_every
            self.mark_start = read_clock(CLOCK_MONOTONIC)
        if unlikely(self.read_fast(&self.engine, data, data + size, data + size + slack, &self.message) != OK):
            return CAREFUL
        self.counts.fast += 1
        return self.act(data, size, receive_ns, line)

    cdef int act(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
        """Do what the message says; DELIVER if a handler wants it."""
        cdef Message* m = &self.message
        cdef Track* track = &self.track[m.target]
        cdef int64_t exchange_ns
        if unlikely(not self.engine.symbols.target[m.target].wanted):
            self.counts.ignored += 1
            return DONE
        if unlikely(self.mark_start != 0):
            self.mark_applied = self.mark_parsed = read_clock(CLOCK_MONOTONIC)
            histogram_add(&self.parsed, self.mark_parsed - self.mark_start)
        self.counts.kind[m.kind] += not self.replaying    # kept deltas were counted when they came
        if m.kind == KIND_QUOTE:
            exchange_ns = time_ns(m, SLOT_TIME)
            next_version(track.version)
            track.quote.bid_price = m.slot[SLOT_BID_PRICE]
            track.quote.bid_qty = m.slot[SLOT_BID_QTY]
            track.quote.ask_price = m.slot[SLOT_ASK_PRICE]
            track.quote.ask_qty = m.slot[SLOT_ASK_QTY]
            track.quote.sequence = m.slot[SLOT_LAST_SEQ]
            track.quote.exchange_ns = exchange_ns if exchange_ns else time_ns(m, SLOT_EVENT_TIME)
            track.quote.receive_ns = receive_ns
            next_version(track.version)
            track.quotes += 1
        elif m.kind == KIND_TRADE:
            exchange_ns = time_ns(m, SLOT_TIME)
            next_version(track.version)
            track.trade.price = m.slot[SLOT_PRICE]
            track.trade.qty = m.slot[SLOT_QTY]
            track.trade.trade_id = m.slot[SLOT_TRADE_ID] if m.seen & bit(SLOT_TRADE_ID) else 0
            track.trade.exchange_ns = exchange_ns if exchange_ns else time_ns(m, SLOT_EVENT_TIME)
            track.trade.receive_ns = receive_ns
            track.trade.aggressor = (1 - 2 * m.slot[SLOT_MAKER_BOUGHT] if m.seen & bit(SLOT_MAKER_BOUGHT)
                                     else m.slot[SLOT_AGGRESSOR])
            next_version(track.version)
            track.trades += 1
            track_add_qty(track, m.slot[SLOT_QTY])
        elif m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT:
            return self.delta(data, size, receive_ns, line)
        return DELIVER if (self.wants >> m.kind) & 1 else DONE

    cdef int delta(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
        """Judge a book message and apply it."""
        cdef Message* m = &self.message
        cdef Track* track = &self.track[m.target]
        cdef int64_t final = m.slot[SLOT_LAST_SEQ]
        cdef int verdict
        track.line = line
        if unlikely(m.kind == KIND_SNAPSHOT):             # a whole book in the stream needs no join
            return self.apply(track, receive_ns)
        if unlikely(not track.has_snapshot):
            self.keep(m.target, data, size, receive_ns, line)
            return DONE
        verdict = judge(self.link, track.joined, track.last, m.slot[SLOT_FIRST_SEQ], final, m.slot[SLOT_PREV_SEQ])
        if unlikely(verdict != APPLY):
            if verdict == OLD and (not track.joined or not self.strict):
                track.stale += 1
                self.counts.stale += 1
                track.old_in_row += 1
                if not self.strict and track.joined and track.old_in_row > OLD_IN_A_ROW:
                    self.lose(m.target, WHY_OLD, track.last, final)
                return DONE
            if self.strict:
                track.breaks += 1
                track.gaps += 1
                self.counts.gaps += 1
                if track.book.status == BOOK_LIVE:
                    self.set_status(m.target, BOOK_STALE, WHY_GAP, track.last, m.slot[SLOT_FIRST_SEQ])
            elif verdict != LOOSE:
                self.lose(m.target, WHY_GAP, track.last, m.slot[SLOT_FIRST_SEQ])
                self.keep(m.target, data, size, receive_ns, line)
                return DONE
        return self.apply(track, receive_ns)

    cdef int apply(self, Track* track, int64_t receive_ns) noexcept nogil:
        """Apply a message that continues its book (or is one)."""
        cdef Message* m = &self.message
        cdef BookData* book = track.book
        cdef int64_t exchange_ns = time_ns(m, SLOT_TIME), count = m.bids.count + m.asks.count
        cdef Status status
        cdef bint whole = m.kind == KIND_SNAPSHOT
        cdef int old = book.status
        if exchange_ns == 0:
            exchange_ns = time_ns(m, SLOT_EVENT_TIME)
        if unlikely(whole):
            status = book_apply_snapshot(book, &m.bids, &m.asks, m.slot[SLOT_LAST_SEQ], exchange_ns, receive_ns)
        else:
            status = book_apply_delta(book, &m.bids, &m.asks, m.slot[SLOT_LAST_SEQ], exchange_ns, receive_ns)
        if unlikely(status != OK):
            self.counts.errors += 1
            self.lose(m.target, WHY_NOT_APPLIED, status, m.slot[SLOT_LAST_SEQ])
            return DONE
        track.last = m.slot[SLOT_LAST_SEQ]
        track.old_in_row = 0
        track.crossed += book_crossed(book)
        if unlikely(whole):
            track.snapshots += 1
            track.has_snapshot = True
            track.joined = False
            track.ever_live = True
            if old != BOOK_LIVE:
                self.note(m.target, old, BOOK_LIVE, WHY_SNAPSHOT, 0, 0)
                if old == BOOK_STALE:
                    track.resyncs += 1
                    self.counts.resyncs += 1
        else:
            track.joined = True
            track.updates += 1
            track.changes += count
            track.absent += book.absent
        if unlikely(self.mark_start != 0):
            self.mark_applied = read_clock(CLOCK_MONOTONIC)
            histogram_add(&self.applied, self.mark_applied - self.mark_parsed)
        return DELIVER if (self.wants >> m.kind) & 1 else DONE

    cdef void note(self, int32_t target, int old, int new, int why, int64_t expected, int64_t got) noexcept nogil:
        """Note a change of state, to be told when the GIL is held."""
        cdef Change* change
        if self.n_changes == MAX_CHANGES:
            return
        change = &self.change[self.n_changes]
        self.n_changes += 1
        change.target = target
        change.old = old
        change.new = new
        change.why = why
        change.expected = expected
        change.got = got

    cdef void set_status(self, int32_t target, int status, int why, int64_t expected, int64_t got) noexcept nogil:
        """Change a book's state."""
        cdef BookData* book = self.track[target].book
        if book.status == status:
            return
        self.note(target, book.status, status, why, expected, got)
        lock_take(&book.lock)
        book.status = status
        lock_drop(&book.lock)

    cdef void lose(self, int32_t target, int why, int64_t expected, int64_t got) noexcept nogil:
        """A book can no longer be trusted: it is STALE until a new snapshot was joined. Other books go on."""
        cdef Track* track = &self.track[target]
        track.gaps += 1
        self.counts.gaps += 1
        track.old_in_row = 0
        if not self.strict:
            track.has_snapshot = False
            track.pending.size = track.pending.count = 0
            if self.engine.symbols.target[target].depth == 0:
                track.wants_snapshot = True
                self.needs += 1
        self.set_status(target, BOOK_STALE if track.ever_live else BOOK_SYNCING, why, expected, got)

    cdef void keep(self, int32_t target, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
        """Keep a delta until the snapshot is there, and ask for that."""
        cdef Track* track = &self.track[target]
        if unlikely(not pending_add(&track.pending, data, size, receive_ns, line)):
            track.stale += track.pending.count
            self.lose(target, WHY_OVERFLOW, 0, 0)
            pending_add(&track.pending, data, size, receive_ns, line)
        if track.book.status == BOOK_EMPTY:
            self.set_status(target, BOOK_SYNCING, WHY_FIRST_DELTA, 0, 0)
        if not track.wants_snapshot:
            track.wants_snapshot = True
            self.needs += 1

    # ---- what is new or wrong

    cdef int careful(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1:
        """Read a frame by the venue's parser, message by message, and learn its layout."""
        cdef Cursor c
        cdef Message* m = &self.message
        cdef Py_ssize_t offset = 0
        cdef const char* more
        cdef bint several = False
        cdef Status status
        message_clear(m)
        if size == 0 or size > MAX_FRAME:
            return self.bad(data, 0, 0, "a message" if size == 0 else f"at most {MAX_FRAME} bytes")
        cursor_init(&c, data, size, m)
        self.parser.parse(&c, m)
        while True:
            if c.status != OK:
                return self.bad(data, size, c.pos - data, c.expected.decode())
            if m.kind == KIND_CONTROL:
                self.counts.control += 1
                if len(self.control_list) < MAX_CONTROL:
                    self.control_list.append((line, data[:size]))
                return 0
            if m.kind == KIND_IGNORED:
                self.counts.ignored += 1
            elif not self.resolve():
                return self.bad(data, size, c.pos - data, f"a symbol of 1 to {MAX_NAME} bytes")
            elif m.needed & ~m.seen:
                return self.bad(data, size, c.pos - data, missing(m.needed & ~m.seen))
            elif m.target < 0:
                self.counts.ignored += 1
            else:
                more = m.more
                several |= more != NULL
                status = self.convert(data, &offset)
                if status != OK:
                    return self.bad(data, size, offset, status_text(status).decode())
                if not several:
                    engine_learn(&self.engine, data, size, m, &self.scratch)
                self.finish(self.act(data, size, receive_ns, line))
                m.more = more
            if m.more == NULL:
                return 0
            several = True
            c.pos = m.more
            message_clear(m)
            self.parser.parse_more(&c, m)

    cdef bint resolve(self) except -1:
        """Find or make the instrument a message names; False if it names none. One not wanted has target -2."""
        cdef Message* m = &self.message
        if m.symbol == NULL or not 0 < m.symbol_size <= MAX_NAME:
            return False
        m.target = symbols_find(&self.engine.symbols, m.symbol, m.symbol_size, m.depth)
        if m.target >= 0:
            if not self.engine.symbols.target[m.target].wanted:
                m.target = -2
            return True
        m.target = -2
        try:
            name = m.symbol[:m.symbol_size].decode()
        except UnicodeDecodeError:
            return False
        if self.all_symbols:
            if len(self.name_list) >= self.max_symbols:
                self.error = FeedError(self.venue, name, 0, f"at most {self.max_symbols} symbols")
                return True
        elif m.depth == 0 or symbols_find(&self.engine.symbols, m.symbol, m.symbol_size, 0) < 0:
            return True
        m.target = self.instrument(name, m.depth)
        return True

    cdef int32_t instrument(self, str name, int depth) except -1:
        """Index of a new instrument with an EMPTY book."""
        cdef bytes text = name.encode()
        cdef int32_t index, room
        cdef void* memory
        cdef Book book = Book()
        if self.engine.symbols.count == self.track_room:
            room = 2 * self.track_room if self.track_room else 16
            memory = realloc(self.track, room * sizeof(Track))
            if memory == NULL:
                raise MemoryError(f"no memory for {room} symbols")
            self.track = <Track*> memory
            memset(&self.track[self.track_room], 0, (room - self.track_room) * sizeof(Track))
            self.track_room = room
        index = symbols_add(&self.engine.symbols, text, len(text), depth)
        if index < 0:
            raise ValueError(f"{self.venue}: expected a symbol of 1 to 64 bytes, not {name!r}")
        book.symbol = name
        self.track[index].book = book.data
        self.track[index].line = -1
        self.book_list.append(book)
        self.name_list.append(name)
        return index

    cdef Status convert(self, const char* data, Py_ssize_t* offset) noexcept:
        """Turn the message's tokens into values at the instrument's scales, which widen where the wire asks for it."""
        cdef Message* m = &self.message
        cdef const Target* target = &self.engine.symbols.target[m.target]
        cdef Status status = convert_message(data, m, target.price_scale, target.qty_scale, offset)
        if status != NEEDS_SCALE:
            return status
        if not self.widen(m.target, m.price_decimals, m.qty_decimals):
            return NO_FIT
        return convert_message(data, m, target.price_scale, target.qty_scale, offset)

    cdef bint widen(self, int32_t target, int price_decimals, int qty_decimals) noexcept nogil:
        """Widen an instrument's scales to these decimals; False if what is held does not fit them."""
        cdef Target* scales = &self.engine.symbols.target[target]
        cdef Track* track = &self.track[target]
        cdef int price_more = max(price_decimals - scales.price_scale, 0)
        cdef int qty_more = max(qty_decimals - scales.qty_scale, 0)
        if price_more > MAX_SCALE or qty_more > MAX_SCALE or not track_fits(track, TEN[price_more], TEN[qty_more]):
            return False
        if price_more:
            if book_widen_price(track.book, price_more) != OK:
                return False
            track_widen(track, TEN[price_more], 1)
            scales.price_scale += price_more
        if qty_more:
            if book_widen_qty(track.book, qty_more) != OK:
                return False
            track_widen(track, 1, TEN[qty_more])
            scales.qty_scale += qty_more
        return True

    cdef int bad(self, const char* data, Py_ssize_t size, Py_ssize_t offset, str expected) except -1:
        """Count and report wrong content. A book whose message it may have been is fetched anew."""
        cdef Message* m = &self.message
        cdef const Route* route
        cdef int32_t target = m.target
        cdef int kind = m.kind
        cdef Book book = None
        self.counts.errors += 1
        if target < 0 and m.symbol != NULL:
            target = symbols_find(&self.engine.symbols, m.symbol, m.symbol_size, m.depth)
        if target < 0 and size:
            route = routes_find(&self.engine.routes, data, prefix_size(data, size, self.engine.quotes))
            if route != NULL:
                target = route.target
                if kind == KIND_NONE and route.n_layouts:
                    kind = self.engine.layout[route.layout[route.current]].kind
        if target >= 0:
            book = self.book_list[target]
        self.error = FeedError(self.venue, book.symbol if book is not None else "", offset, expected)
        if target >= 0 and (kind == KIND_DELTA or kind == KIND_SNAPSHOT) and not self.strict:
            self.lose(target, WHY_BAD_FRAME, 0, 0)
        self.tell()
        if self.handler_c is not None:
            state = book.status if book is not None else None
            self.handler_c.status(book, state, state, str(self.error))
        return 0

    # ---- snapshots by REST

    def rest(self, str url, body, int64_t receive_ns=0):
        """Take a REST answer: the snapshot of the symbol that `url` names.

        Parameters: url -- the address that was asked. body -- the answer, bytes-like. receive_ns -- our clock when
        it arrived, ns since the Unix epoch. An answer of another kind is counted as ignored, a wrong one as an error.
        """
        cdef const char* data
        cdef Cursor c
        cdef Message* m = &self.message
        cdef Py_ssize_t offset = 0, size
        cdef Status status
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        message_clear(m)
        if parts.path.rpartition("/")[2] != self.spec.snapshot_path.rpartition("/")[2]:
            self.counts.ignored += 1
            return
        body = bytes(memoryview(body))
        data = PyBytes_AS_STRING(body)
        size = PyBytes_GET_SIZE(body)
        if "symbol" not in query:
            self.bad(data, 0, 0, f"an address that names a symbol, not {url}")
            return
        symbol = self.spec.symbol(query["symbol"][0]).encode()
        limit = query.get("limit", [""])[0]
        m.symbol = symbol
        m.symbol_size = len(symbol)
        self.resolve()
        cursor_init(&c, data, size, m)
        self.parser.parse_rest(&c, m)
        m.symbol = symbol
        m.symbol_size = len(symbol)
        if c.status != OK:
            m.kind = KIND_NONE                            # the books are not to blame
            self.bad(data, 0, c.pos - data, c.expected.decode())
            return
        if m.needed & ~m.seen:
            m.kind = KIND_NONE
            self.bad(data, 0, size, missing(m.needed & ~m.seen))
            return
        if m.target < 0:
            self.counts.ignored += 1
            return
        status = self.convert(data, &offset)
        if status != OK:
            m.kind = KIND_NONE
            self.bad(data, 0, offset, status_text(status).decode())
            return
        self.join(m.target, int(limit) if limit.isdigit() else self.spec.snapshot_default_limit, receive_ns)

    cdef int join(self, int32_t target, int64_t limit, int64_t receive_ns) except -1:
        """Apply a snapshot and the deltas that were kept for it."""
        cdef Message* m = &self.message
        cdef Track* track = &self.track[target]
        cdef BookData* data = track.book
        cdef int64_t exchange_ns = time_ns(m, SLOT_TIME), last = m.slot[SLOT_LAST_SEQ]
        cdef int64_t trusted_bid = INT64_MIN, trusted_ask = INT64_MAX
        cdef int old = data.status
        cdef Status status
        cdef Book book = self.book_list[target]
        if not self.strict and track.has_snapshot and last < track.last:
            self.counts.ignored += 1                      # the book is past it already
            return 0
        if m.bids.count >= limit and m.bids.count:
            trusted_bid = m.bids.price[m.bids.count - 1]
        if m.asks.count >= limit and m.asks.count:
            trusted_ask = m.asks.price[m.asks.count - 1]
        status = book_apply_snapshot(data, &m.bids, &m.asks, last,
                                     exchange_ns if exchange_ns else time_ns(m, SLOT_EVENT_TIME), receive_ns)
        if status != OK:
            m.kind = KIND_NONE
            return self.bad(NULL, 0, 0, status_text(status).decode())
        data.trusted_bid = trusted_bid
        data.trusted_ask = trusted_ask
        self.counts.kind[KIND_SNAPSHOT] += 1
        track.snapshots += 1
        track.has_snapshot = True
        track.joined = False
        track.last = last
        track.old_in_row = 0
        track.crossed += book_crossed(data)
        if not self.strict and track.pending.count:
            data.status = old                             # LIVE only when the kept deltas have joined
        elif old != BOOK_LIVE:
            self.note(target, old, BOOK_LIVE, WHY_SNAPSHOT, 0, 0)
        if self.applied_hook is not None:
            self.applied_hook(book)
        if track.wants_snapshot:
            track.wants_snapshot = False
            self.needs += 1
        if self.strict and old == BOOK_STALE:
            track.resyncs += 1
            self.counts.resyncs += 1
        track.ever_live |= self.strict
        self.replay_pending(target)
        track = &self.track[target]
        if track.has_snapshot and not self.strict:
            if data.status != BOOK_LIVE:
                self.set_status(target, BOOK_LIVE, WHY_SNAPSHOT, 0, 0)
            if old == BOOK_STALE:
                track.resyncs += 1
                self.counts.resyncs += 1
            track.ever_live = True
        self.tell()
        if data.status == BOOK_LIVE and self.handler_c is not None and (self.handler_c.wants >> KIND_SNAPSHOT) & 1:
            self.handler_c.book(book)
        return 0

    cdef int replay_pending(self, int32_t target) except -1:
        """Take the kept deltas as if they had just come."""
        cdef Pending pending = self.track[target].pending
        cdef PendingHead head
        cdef Py_ssize_t at = 0
        cdef const char* data
        memset(&self.track[target].pending, 0, sizeof(Pending))
        self.mark_start = 0
        self.replaying = True
        try:
            while at < pending.size:
                memcpy(&head, pending.data + at, sizeof(PendingHead))
                data = pending.data + at + sizeof(PendingHead)
                at += <Py_ssize_t> sizeof(PendingHead) + head.size
                if self.read_fast(&self.engine, data, data + head.size, data + head.size, &self.message) == OK:
                    self.finish(self.act(data, head.size, head.receive_ns, head.line))
                else:
                    self.careful(data, head.size, head.receive_ns, head.line)
        finally:
            self.replaying = False
            pending_free(&pending)
        return 0

    # ---- telling

    cdef int finish(self, int todo) except -1:
        """What a message leaves to be done with the GIL."""
        if self.n_changes:
            self.tell()
        if todo == DELIVER:
            self.deliver()
        return 0

    cdef int tell(self) except -1:
        """Tell the changes of state that were noted."""
        cdef int i, n = self.n_changes
        cdef Change change
        cdef Book book
        cdef Handler handler
        cdef list changes = []
        for i in range(n):
            change = self.change[i]
            book = self.book_list[change.target]
            reason = REASONS[change.why]
            if change.why == WHY_GAP:
                reason = f"gap: the book stands at {change.expected}, the next message begins at {change.got}"
            elif change.why == WHY_NOT_APPLIED:
                reason = f"message {change.got} not applied: expected {status_text(<Status> change.expected).decode()}"
                self.error = FeedError(self.venue, book.symbol, 0, status_text(<Status> change.expected).decode())
            book.reason = "" if change.new == BOOK_LIVE else reason
            changes.append((book, STATES[change.old], STATES[change.new], reason))
        self.n_changes = 0
        handler = self.handler_c
        if handler is not None:
            for told in changes:
                handler.status(told[0], told[1], told[2], told[3])
        return 0

    cdef int deliver(self) except -1:
        """Hand the message to the handler."""
        cdef Message* m = &self.message
        cdef Track* track = &self.track[m.target]
        cdef const Target* target = &self.engine.symbols.target[m.target]
        cdef Book book
        cdef int64_t start = self.mark_applied if self.mark_start else 0
        cdef int kind = m.kind
        if kind == KIND_DELTA or kind == KIND_SNAPSHOT:
            book = self.book_list[m.target]
            if self.applied_hook is not None:
                self.applied_hook(book)
            if self.handler_c is None or track.book.status != BOOK_LIVE or not (self.handler_c.wants >> kind) & 1:
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
            dress(self.ticker, self.name_list[m.target], target)
            stamp(self.ticker, m, self.receive_ns)
            self.ticker.fill(m)
            self.handler_c.ticker(self.ticker)
        elif kind == KIND_MARK:
            dress(self.mark, self.name_list[m.target], target)
            stamp(self.mark, m, self.receive_ns)
            self.mark.fill(m)
            self.handler_c.mark(self.mark)
        elif kind == KIND_LIQUIDATION:
            dress(self.liquidation, self.name_list[m.target], target)
            stamp(self.liquidation, m, self.receive_ns)
            self.liquidation.fill(m)
            self.handler_c.liquidation(self.liquidation)
        if start:
            histogram_add(&self.handled, read_clock(CLOCK_MONOTONIC) - start)
        return 0

    cpdef flush(self):
        """End of a read batch: deliver the books that changed in it, if on_book is conflated."""
        cdef int32_t i
        cdef Handler handler = self.handler_c
        if not self.any_dirty:
            return
        for i in range(self.engine.symbols.count):
            if self.track[i].dirty:
                self.track[i].dirty = False               # also if the handler raises: the rest stays for the next flush
                if self.track[i].book.status == BOOK_LIVE and handler is not None:
                    handler.book(self.book_list[i])
        self.any_dirty = False

    # ---- feeding

    cdef int feed_c(self, const char* data, Py_ssize_t size, Py_ssize_t slack, int64_t receive_ns, int line) except -1:
        """One frame; up to `slack` bytes past its end may be read. A handler's exception comes out of here."""
        cdef int todo
        self.receive_ns = receive_ns
        todo = self.step(data, size, slack, receive_ns, line)
        if todo == CAREFUL:
            self.counts.slow += 1
            return self.careful(data, size, receive_ns, line)
        if todo or self.n_changes:
            return self.finish(todo)
        return 0

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
        cdef Py_ssize_t i = 0, j, n, taken
        cdef PyObject* held[BATCH]
        cdef const char* data[BATCH]
        cdef Py_ssize_t size[BATCH]
        cdef int todo
        if not isinstance(payloads, (list, tuple)):
            if not isinstance(payloads, Sequence) or isinstance(payloads, (bytes, bytearray, memoryview, str)):
                raise TypeError(f"expected a sequence of bytes-like objects, not {type(payloads).__name__}")
            payloads = list(payloads)
        self.receive_ns = 0
        if self.wants:
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
                        todo = self.step(data[j], size[j], 0, 0, line)
                        if unlikely(todo or self.n_changes):
                            with gil:
                                if todo == CAREFUL:
                                    self.counts.slow += 1
                                    self.careful(data[j], size[j], 0, line)
                                else:
                                    self.finish(todo)
            finally:
                for j in range(taken):
                    Py_DECREF(<object> held[j])

    # ---- connections

    def opened(self, int line=0):
        """A connection was opened: the books of that line start clean."""
        self.reset_books(line, True)

    def closed(self, int line=0):
        """A connection was lost: the books of that line are STALE."""
        self.reset_books(line, False)

    cdef int reset_books(self, int line, bint opened) except -1:
        """Forget where the streams of a line stood; `opened` drops the books' levels as well."""
        cdef int32_t i
        cdef Track* track
        cdef int old
        for i in range(self.engine.symbols.count):
            track = &self.track[i]
            if track.line != line:
                continue
            track.has_snapshot = track.joined = False
            track.pending.size = track.pending.count = 0
            if track.wants_snapshot:
                track.wants_snapshot = False
                self.needs += 1
            old = track.book.status
            if opened:
                track.ever_live = False
                book_clear(track.book, BOOK_EMPTY)
                if old != BOOK_EMPTY:
                    self.note(i, old, BOOK_EMPTY, WHY_OPENED, 0, 0)
            elif old != BOOK_EMPTY:
                self.set_status(i, BOOK_STALE, WHY_CLOSED, 0, 0)
            if self.n_changes == MAX_CHANGES:
                self.tell()
        return self.tell()

    def follow(self, symbol, depth=None):
        """Make sure an instrument is wanted; returns its Book, EMPTY if it is new."""
        cdef int32_t index
        name = self.spec.symbol(symbol)
        text = name.encode()
        index = symbols_find(&self.engine.symbols, text, len(text), depth or 0)
        if index < 0:
            index = self.instrument(name, depth or 0)
        self.engine.symbols.target[index].wanted = True
        return self.book_list[index]

    def forget(self, symbol):
        """Stop following an instrument: its books are EMPTY, its messages ignored until it is followed again."""
        cdef int32_t i
        name = self.spec.symbol(symbol)
        for i in range(self.engine.symbols.count):
            if self.name_list[i] != name:
                continue
            self.engine.symbols.target[i].wanted = False
            self.track[i].has_snapshot = self.track[i].joined = False
            pending_free(&self.track[i].pending)
            if self.track[i].wants_snapshot:
                self.track[i].wants_snapshot = False
                self.needs += 1
            self.note(i, self.track[i].book.status, BOOK_EMPTY, WHY_FORGOTTEN, 0, 0)
            book_clear(self.track[i].book, BOOK_EMPTY)
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
    def on_applied(self):
        """callable(book) after every applied book message, snapshot or delta, LIVE or not; None is off."""
        return self.applied_hook

    @on_applied.setter
    def on_applied(self, hook):
        self.applied_hook = hook
        self.update_wants()

    cdef int update_wants(self) except -1:
        self.wants = 0 if self.handler_c is None else self.handler_c.wants
        if self.applied_hook is not None:
            self.wants |= 1 << KIND_DELTA | 1 << KIND_SNAPSHOT
        return 0

    cdef int32_t index_of(self, symbol, depth) except -1:
        """Index of an instrument; KeyError with near names if it is not known."""
        name = self.spec.symbol(symbol)
        text = name.encode()
        index = symbols_find(&self.engine.symbols, text, len(text), depth or 0)
        if index < 0:
            near = get_close_matches(name, self.name_list, 3)
            raise KeyError(f"{self.venue}: no book of {name}{f' with depth {depth}' if depth else ''}"
                           f"{'; near: ' + ', '.join(near) if near else ''}")
        return index

    def book(self, symbol, depth=None):
        """The Book of a symbol; with `depth` the partial book of that depth. KeyError, with near names, if unknown."""
        return self.book_list[self.index_of(symbol, depth)]

    @property
    def books(self):
        """Mapping symbol (as the venue writes it) -> Book, without partial books."""
        return Books(self)

    def last_trade(self, symbol):
        """The last Trade of a symbol, a copy; None if there was none. KeyError if the symbol is unknown."""
        cdef int32_t index = self.index_of(symbol, None)
        cdef Track* track = &self.track[index]
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
        dress(trade, self.name_list[index], &self.engine.symbols.target[index])
        trade.fill(&data)
        return trade

    def last_quote(self, symbol):
        """The last Quote of a symbol, a copy; None if there was none. KeyError if the symbol is unknown."""
        cdef int32_t index = self.index_of(symbol, None)
        cdef Track* track = &self.track[index]
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
        dress(quote, self.name_list[index], &self.engine.symbols.target[index])
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
        kinds = self.counts.kind
        return {
            "frames": self.counts.frames, "bytes": self.counts.bytes, "fast": self.counts.fast,
            "slow": self.counts.slow, "errors": self.counts.errors, "ignored": self.counts.ignored,
            "control": self.counts.control, "gaps": self.counts.gaps, "resyncs": self.counts.resyncs,
            "stale": self.counts.stale, "depth": kinds[KIND_DELTA], "snapshots": kinds[KIND_SNAPSHOT],
            "trades": kinds[KIND_TRADE], "quotes": kinds[KIND_QUOTE], "tickers": kinds[KIND_TICKER],
            "marks": kinds[KIND_MARK], "liquidations": kinds[KIND_LIQUIDATION],
        }

    def wanted(self):
        """What is needed from outside now, as a list of Want; each is listed until it is met."""
        cdef int32_t i
        return [Want("snapshot", self.name_list[i], self.track[i].line, self.book_list[i].reason)
                for i in range(self.engine.symbols.count) if self.track[i].wants_snapshot]

    def control(self):
        """Frames that are about the connection, as (line, bytes), since the last call; the oldest 1,024 of them."""
        frames = self.control_list
        self.control_list = []
        return frames

    def symbol_stats(self, symbol, depth=None):
        """Figures of one book by the counting rules of a replay, as a new dict."""
        cdef int32_t index = self.index_of(symbol, depth)
        cdef Track* track = &self.track[index]
        return {
            "snapshots": track.snapshots, "updates": track.updates, "changes": track.changes, "absent": track.absent,
            "stale": track.stale + track.pending.count, "breaks": track.breaks, "crossed": track.crossed,
            "gaps": track.gaps, "resyncs": track.resyncs, "trades": track.trades,
            "trade_qty": (int(track.trade_qty_high) << 64) + track.trade_qty_low,
            "last_trade_price": track.trade.price if track.trades else None, "quotes": track.quotes,
            "price_scale": self.engine.symbols.target[index].price_scale,
            "qty_scale": self.engine.symbols.target[index].qty_scale,
        }

    def latency(self):
        """Durations by stage in ns since the start, of one message in `sample_every`, as a dict of dicts:
        "parsed" (frame taken -> message read), "applied" (-> book changed), "handler" (-> handler returned)."""
        return {"parsed": summary(&self.parsed), "applied": summary(&self.applied), "handler": summary(&self.handled)}


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
    event.exchange_ns = time_ns(m, SLOT_EVENT_TIME)
    event.receive_ns = receive_ns


cdef str missing(uint64_t slots):
    """Names of the slots that a message lacks."""
    return ", ".join(name for slot, name in SLOT_NAMES.items() if (slots >> <int> slot) & 1)


cdef Py_ssize_t gather(object payloads, Py_ssize_t first, PyObject** held, const char** data,
                       Py_ssize_t* size) except -1:
    """Take hold of the next frames that are bytes, up to BATCH; their memory stays until they are let go.

    Frames lie scattered in memory: the beginning of those further on is fetched meanwhile.
    """
    cdef Py_ssize_t taken = 0, n = len(payloads), line
    cdef bint is_list = PyList_CheckExact(payloads)
    cdef PyObject* item
    while taken < BATCH and first + taken < n:
        item = PyList_GET_ITEM(payloads, first + taken) if is_list else PySequence_Fast_GET_ITEM(payloads, first + taken)
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
            for line in range(FETCHED):
                prefetch(<const char*> item + 64 * line)
    return taken


class Books(Mapping):
    """Live view of a pipeline's books by symbol."""

    def __init__(self, pipeline):
        self._pipeline = pipeline

    def __getitem__(self, symbol):
        return self._pipeline.book(symbol)

    def __iter__(self):
        return iter(book_names(self._pipeline))

    def __len__(self):
        return len(book_names(self._pipeline))

    def __repr__(self):
        return f"<Books {', '.join(self)}>"


def book_names(Pipeline pipeline):
    """Symbols with a book of deltas, in the order they were met."""
    cdef int32_t i
    return [pipeline.name_list[i] for i in range(pipeline.engine.symbols.count)
            if pipeline.engine.symbols.target[i].depth == 0]
