"""What is new, wrong, or not a frame: the careful way from bytes to books.

`feeds.path` takes the frames that look like those before them. Everything else comes here: a frame that no layout
fits, the first message of an instrument, wrong content, snapshots by REST, connections that open and close.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int16_t, int32_t, int64_t, uint64_t, INT64_MAX, INT64_MIN
from libc.stdlib cimport realloc, free
from libc.string cimport memset, memcpy
from orderbook.book cimport Book
from orderbook.core cimport (BookData, MAX_SCALE, book_apply_snapshot, book_clear, book_crossed, book_refine_tick, gcd,
                             ticks_set)
from orderbook.types cimport Status, OK, BOOK_EMPTY, BOOK_LIVE, BOOK_STALE, BOOK_SYNCING, status_text
from orderbook.update cimport levels_free
from feeds.arbiter cimport (FATE_COPY, FATE_FIRST, FATE_HOLD, FATE_MISSING, MAX_PLACES, carried,
                            comparable, may_bring)
from feeds.engine cimport (MAX_PARTS, engine_free, engine_learn, engine_learn_part, engine_line,
                           engine_prefix)
from feeds.lines cimport Group, Lane, line_at, line_comes, shared_begin, shared_forget, shared_of
from feeds.message cimport (DEPTH_BITS, Message, bit, message_clear, variant_of, time_ns, KIND_CONTROL, KIND_DELTA,
                            KIND_IGNORED, KIND_NONE, KIND_SNAPSHOT, MAX_NAME, RESYNC_RESUBSCRIBE,
                            SEEN_ASKS, SEEN_BIDS, SLOT_AGGRESSOR, SLOT_ASK_PRICE,
                            SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_EVENT_TIME, SLOT_FIRST_SEQ, SLOT_LAST,
                            SLOT_LAST_SEQ, SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY, SLOT_LEVEL_SIDE, SLOT_LINE_SEQ,
                            SLOT_MAKER_BOUGHT, SLOT_MARK, SLOT_OPEN_INTEREST, SLOT_PREV_SEQ, SLOT_PRICE, SLOT_QTY,
                            SLOT_TIME, SEEN_BOTH, WANTS_LEVELS)
from feeds.numbers cimport read_integer
from feeds.path cimport (DELIVER, DRAIN, JOIN, MAX_LINES, path_act, path_convert, path_foreign, path_line, path_lose,
                         path_missing, path_note, path_set_status, path_widen)
from feeds.routes cimport Route, routes_find, routes_free
from feeds.scan cimport Cursor, cursor_init, skip_value
from feeds.symbols cimport symbols_add, symbols_find
from feeds.sync cimport LineCount
from feeds.track cimport (Pending, PendingHead, Shared, Track, WHY_AHEAD, WHY_BAD_FRAME, WHY_CLOSED, WHY_OPENED,
                          WHY_SNAPSHOT, pending_add, pending_free, track_free)

from feeds.report import FeedError
from orderbook.decimals import as_parts, as_units

cdef enum:
    MAX_FRAME = 1 << 30       # bytes
    MAX_CONTROL = 1024        # frames kept for `Pipeline.control`
    NO_LINE = -1              # no delta has told yet which connection feeds the book

cdef double HOLD_S = 1.0      # that messages wait for one that another line may bring
cdef double ALONE_S = 10.0    # until a line that is left alone has surely brought its copies of what others brought

# Names of the slots a message can lack, for error texts.
cdef dict SLOT_NAMES = {
    SLOT_FIRST_SEQ: "the first sequence number", SLOT_LAST_SEQ: "the last sequence number",
    SLOT_PREV_SEQ: "the previous sequence number", SLOT_PRICE: "a price", SLOT_QTY: "a quantity",
    SLOT_MAKER_BOUGHT: "the maker's side", SLOT_AGGRESSOR: "a side", SLOT_BID_PRICE: "a bid price",
    SLOT_BID_QTY: "a bid quantity", SLOT_ASK_PRICE: "an ask price", SLOT_ASK_QTY: "an ask quantity",
    SLOT_LEVEL_PRICE: "a level's price", SLOT_LEVEL_QTY: "a level's quantity", SLOT_LEVEL_SIDE: "a level's side",
    SLOT_OPEN_INTEREST: "open interest", SLOT_LINE_SEQ: "a number of the connection", SEEN_BOTH: "levels",
    SEEN_BIDS: "bids", SEEN_ASKS: "asks", SLOT_LAST: "a last price", SLOT_MARK: "a mark price",
}


cdef class Intake:
    """Owns what a pipeline holds and takes what the hot path leaves. Made only as a Pipeline."""

    def __dealloc__(self):
        cdef int32_t i
        for i in range(self.path.engine.symbols.count):
            if i < self.path.track_room:
                track_free(&self.path.track[i])
        free(self.path.track)
        free(self.path.change)
        engine_free(&self.path.engine)
        levels_free(&self.path.message.bids)
        levels_free(&self.path.message.asks)
        levels_free(&self.path.message.rows)

    cdef int tell(self) except -1:
        """Tell the changes of state that were noted."""
        self.path.n_changes = 0
        return 0

    cdef int deliver(self) except -1:
        """Hand the message to the handler."""
        return 0

    cdef int report(self, Book book) except -1:
        """Tell that wrong content was met, in a message of `book` or (None) of no known one."""
        return 0

    cdef int show(self, int32_t target) except -1:
        """A snapshot was joined to the stream: hand the book to the handler."""
        return 0

    cdef int replaced(self, int32_t target) except -1:
        """A book that is LIVE was replaced by a snapshot that was asked for; what was kept for it comes behind it."""
        return 0

    cdef int finish(self, int todo, int64_t receive_ns) except -1:
        """What a message leaves to be done with the GIL."""
        if self.path.n_changes:
            self.tell()
        if todo == DELIVER:
            self.deliver()
        elif todo == JOIN:
            self.join(self.path.message.target, 0, receive_ns)
        elif todo == DRAIN:
            self.drain(self.path.message.target)
        return 0

    cdef int several(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1:
        """Do what the messages of a frame say that are left of those which its layouts have read, beginning with the
        message at work."""
        cdef Message* m = &self.path.message
        cdef int i, begin = self.path.engine.next_part, n = self.path.engine.n_parts
        cdef int32_t target = self.path.engine.part_target
        cdef int16_t part[MAX_PARTS]
        cdef const char* more
        cdef bint jumped = m.line_jump
        memcpy(part, self.path.engine.part, n * sizeof(int16_t))      # a handler may feed another frame
        for i in range(begin, n):
            more = m.more + 1
            if self.touched is not None:
                self.touched.add(m.target)
            self.finish(path_act(&self.path, data, size, receive_ns, line), receive_ns)
            if self.path.read_part(&self.path.engine, part[i], more, data + size, target, m) != OK:
                return self.bad(data, size, more - data, "numbers that fit the scales of its instrument")
            m.line_jump = jumped
        if self.touched is not None:
            self.touched.add(m.target)
        return self.finish(path_act(&self.path, data, size, receive_ns, line), receive_ns)

    cdef int learn(self, const char* data, Py_ssize_t size, const char* begin, int head) except -2:
        """Learn from a message that was read; the layout that the next one of its frame belongs to, -1: none.

        `begin`: where the element of this one begins, NULL if it is the frame's first; `head` as it is returned.
        """
        cdef Message* m = &self.path.message
        cdef Cursor element
        if m.once:
            return -1
        if begin == NULL:
            return engine_learn(&self.path.engine, data, size, m, &self.scratch)
        if head < 0:
            return -1
        cursor_init(&element, begin, data + size - begin, NULL)
        skip_value(&element)
        if m.more != NULL and (m.more != element.pos + 1 or element.pos[0] != c','):
            return -1                                     # it takes several elements, or its own once more
        if not engine_learn_part(&self.path.engine, data, size, begin - data, element.pos - data, m, &self.scratch,
                                 head):
            return -1
        return head

    cdef int careful(self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) except -1:
        """Read a frame by the venue's parser, message by message, and learn its layout."""
        cdef Cursor c
        cdef Message* m = &self.path.message
        cdef Py_ssize_t offset = 0
        cdef const char* more
        cdef const char* begin = NULL
        cdef bint jumped
        cdef int head = -1, known
        cdef Status status
        self.fresh(m, line)
        if size == 0 or size > MAX_FRAME:
            return self.bad(data, 0, 0, "a message" if size == 0 else f"at most {MAX_FRAME} bytes")
        cursor_init(&c, data, size, m)
        self.parser.parse(&c, m)
        if c.status == OK and m.seen & bit(SLOT_LINE_SEQ):
            self.count_line(data, line)
        elif 0 <= line < MAX_LINES and self.path.lines[line].started and (
                m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT):
            m.needed |= bit(SLOT_LINE_SEQ)                # what is not numbered where all is may hide a loss
        if m.relearn:
            routes_free(&self.path.engine.routes)
        if m.newer > self.path.newest and not m.foreign:
            self.path.newest = m.newer
            self.keep_control(data, size, line)
        while True:
            if c.status != OK and m.foreign:
                path_foreign(&self.path, line)
                self.keep_control(data, size, line)
                return self.bad(data, size, c.pos - data, f"{c.expected.decode()}, not {m.foreign - 1}")
            known = -1
            if c.status != OK:
                return self.bad(data, size, c.pos - data, c.expected.decode())
            if m.kind == KIND_CONTROL:
                self.path.counts.control += 1
                self.keep_control(data, size, line)
            elif m.kind == KIND_IGNORED:
                self.path.counts.ignored += 1
                if m.idle and begin == NULL and m.more == NULL:       # its stream is one whose messages are of use
                    m.target = symbols_find(&self.path.engine.symbols, m.symbol, m.symbol_size, variant_of(m))
                    engine_learn(&self.path.engine, data, size, m, &self.scratch)
            elif not self.resolve():
                return self.bad(data, size, c.pos - data, f"a symbol of 1 to {MAX_NAME} bytes")
            elif m.needed & ~m.seen:
                return self.bad(data, size, c.pos - data, missing(m.needed & ~m.seen))
            elif m.target < 0:
                self.path.counts.ignored += 1
            else:
                more = m.more
                status = path_convert(&self.path, data, &offset)
                if status != OK:
                    return self.bad(data, size, offset, words(m, status))
                known = self.learn(data, size, begin, head)
                if self.touched is not None:
                    self.touched.add(m.target)
                self.finish(path_act(&self.path, data, size, receive_ns, line), receive_ns)
                m.more = more
            if m.more == NULL:
                return 0
            c.pos = begin = m.more
            head = known
            jumped = m.line_jump
            self.fresh(m, line)
            m.line_jump = jumped
            self.parser.parse_more(&c, m)

    cdef int keep_control(self, const char* data, Py_ssize_t size, int line) except -1:
        """Keep a frame for whoever asks for those that are about the connection."""
        if len(self.control_list) < MAX_CONTROL:
            self.control_list.append((line, data[:size]))
        return 0

    cdef int fresh(self, Message* m, int line) except -1:
        """Make the message ready for a parser, with what holds unless the frame says otherwise."""
        message_clear(m)
        m.link = self.path.link
        m.resync = self.path.resync
        m.market = self.parser.market
        self.parser.line = line
        self.path.engine.line = line
        return 0

    cdef int count_line(self, const char* data, int line) except -1:
        """Judge the number that a frame has on its connection, whatever else it is."""
        cdef Message* m = &self.path.message
        cdef int i
        for i in range(m.n_tokens):
            if m.token[i].slot == SLOT_LINE_SEQ:
                if read_integer(data + m.token[i].start, data + m.token[i].end, &m.slot[SLOT_LINE_SEQ]) == OK:
                    path_line(&self.path, line)
                break
        return self.tell()

    cdef bint resolve(self) except -1:
        """Find or make the instrument a message names; False if it names none. One not wanted has target -2."""
        cdef Message* m = &self.path.message
        cdef bytes text
        if m.symbol == NULL or not 0 < m.symbol_size <= MAX_NAME:
            return False
        m.target = symbols_find(&self.path.engine.symbols, m.symbol, m.symbol_size, variant_of(m))
        if m.target >= 0:
            if not self.path.engine.symbols.target[m.target].wanted:
                m.target = -2
            return True
        m.target = -2
        try:
            name = m.symbol[:m.symbol_size].decode()
        except UnicodeDecodeError:
            return False
        other = self.spec.symbol(name)
        if other != name:                             # an older form of the wire may spell it in another way
            text = other.encode()
            m.target = symbols_find(&self.path.engine.symbols, text, len(text), variant_of(m))
            if m.target >= 0 and (not self.all_symbols or not self.path.engine.symbols.target[m.target].wanted):
                if not self.path.engine.symbols.target[m.target].wanted:
                    m.target = -2
                return True
            m.target = -2
        if self.all_symbols:
            if len(self.name_list) >= self.max_symbols:
                self.error = FeedError(self.venue, name, 0, f"at most {self.max_symbols} symbols")
                return True
        elif m.depth == 0 or symbols_find(&self.path.engine.symbols, m.symbol, m.symbol_size, m.market << 20) < 0:
            return True
        m.target = self.instrument(name, variant_of(m))
        return True

    cdef int32_t instrument(self, str name, int variant) except -1:
        """Index of a new instrument with an EMPTY book."""
        cdef bytes text = name.encode()
        cdef int32_t index, room
        cdef void* memory
        cdef Book book = Book()
        if self.path.engine.symbols.count == self.path.track_room:
            room = 2 * self.path.track_room if self.path.track_room else 16
            memory = realloc(self.path.track, room * sizeof(Track))
            if memory == NULL:
                raise MemoryError(f"no memory for {room} symbols")
            self.path.track = <Track*> memory
            memset(&self.path.track[self.path.track_room], 0, (room - self.path.track_room) * sizeof(Track))
            self.path.track_room = room
        index = symbols_add(&self.path.engine.symbols, text, len(text), variant)
        if index < 0 and 0 < len(text) <= MAX_NAME:
            raise MemoryError(f"no memory for the symbol {name}")
        if index < 0:
            raise ValueError(f"{self.venue}: expected a symbol of 1 to {MAX_NAME} bytes, not {name!r}")
        book.symbol = name
        self.path.track[index].book = book.data
        self.path.engine.symbols.target[index].version = &book.data.version
        self.path.track[index].line = NO_LINE
        self.path.track[index].resync = self.path.resync
        self.path.engine.symbols.target[index].wanted = self.path.of.wanted
        self.book_list.append(book)
        self.name_list.append(name)
        return index

    cdef int bad(self, const char* data, Py_ssize_t size, Py_ssize_t offset, str expected) except -1:
        """Count and report wrong content. A book whose message it may have been is fetched anew."""
        cdef Message* m = &self.path.message
        cdef const Route* route
        cdef int32_t target = m.target
        cdef int kind = m.kind
        cdef Book book = None
        self.path.counts.errors += 1
        if target < 0 and m.symbol != NULL:
            target = symbols_find(&self.path.engine.symbols, m.symbol, m.symbol_size, variant_of(m))
        # It may have gone wrong before it said whose it is, or what: its first bytes tell, if others began like it.
        route = routes_find(&self.path.engine.routes, data, engine_prefix(&self.path.engine, data, size),
                            engine_line(&self.path.engine))
        if route != NULL:
            if target < 0:
                target = route.target
            if kind < KIND_DELTA and route.book:
                kind = KIND_DELTA
        if target >= 0:
            book = self.book_list[target]
        self.error = FeedError(self.venue, book.symbol if book is not None else "", offset, expected)
        if (target >= 0 and (kind == KIND_DELTA or kind == KIND_SNAPSHOT) and not self.path.strict
                and not self.proved_elsewhere(target, self.path.engine.line)):
            path_lose(&self.path, target, WHY_BAD_FRAME, 0, 0)
            if self.touched is not None:
                self.touched.add(target)
        self.tell()
        return self.report(book)

    cdef int snapshot(self, bytes symbol, int64_t limit, int market, bytes body, int64_t receive_ns) except -1:
        """Take the snapshot of a symbol from a REST answer that was asked for `limit` levels a side (0: all)."""
        cdef const char* data = PyBytes_AS_STRING(body)
        cdef Py_ssize_t size = len(body), offset = 0
        cdef Message* m = &self.path.message
        cdef Cursor c
        cdef Status status
        cdef str expected = None
        self.fresh(m, NO_LINE)
        m.market = market
        m.symbol = symbol
        m.symbol_size = len(symbol)
        if not self.resolve():
            return self.bad(data, 0, 0, f"an address that names a symbol of 1 to {MAX_NAME} bytes")
        if m.target < 0:
            self.path.counts.ignored += 1
            return 0
        if self.touched is not None:
            self.touched.add(m.target)
        cursor_init(&c, data, size, m)
        self.parser.parse_rest(&c, m)
        if c.status != OK:
            offset = c.pos - data
            expected = c.expected.decode()
        elif m.needed & ~m.seen:
            offset = size
            expected = missing(m.needed & ~m.seen)
        else:
            status = path_convert(&self.path, data, &offset)
            if status != OK:
                expected = words(m, status)
        if expected is not None:
            m.kind = KIND_NONE                            # no stream is to blame
            return self.bad(data, 0, offset, expected)
        return self.join(m.target, limit, receive_ns)

    cdef int refine(self, int32_t target, tick_size) except -1:
        """Let an instrument's book count in this tick (text), or a finer one if it has seen a finer price."""
        cdef Book book = self.book_list[target]
        cdef BookData* data = self.path.track[target].book
        cdef int64_t size
        cdef int scale
        mantissa, decimals = as_parts(tick_size)
        if mantissa <= 0:
            return 0                                      # listed where a market has no tick
        if decimals > MAX_SCALE or not path_widen(&self.path, target, decimals, 0, False):
            raise ValueError(f"a tick size for {book.symbol} that int64 holds, not {tick_size}")
        scale = data.price_scale
        size = as_units(tick_size, scale)
        if data.fresh_ticks:
            ticks_set(&data.ticks, size)
            data.fresh_ticks = False
        elif book_refine_tick(data, gcd(data.ticks.size, size)) != OK:
            raise MemoryError(f"no memory to refine the tick of {book.symbol}")
        return 0

    cdef int join(self, int32_t target, int64_t limit, int64_t receive_ns) except -1:
        """Apply a snapshot and the deltas that were kept for it."""
        cdef Message* m = &self.path.message
        cdef Track* track = &self.path.track[target]
        cdef BookData* data = track.book
        cdef int64_t exchange_ns = time_ns(m, SLOT_TIME), last = m.slot[SLOT_LAST_SEQ]
        cdef int64_t trusted_bid = INT64_MIN, trusted_ask = INT64_MAX
        cdef int old = data.status
        cdef bint waits = not self.path.strict and track.pending.count    # LIVE only when the kept deltas have joined
        cdef Status status
        cdef Book book = self.book_list[target]
        if not self.path.strict and track.has_snapshot and last < track.last:
            self.path.counts.ignored += 1                      # the book is past it already
            return 0
        if limit and m.bids.count >= limit:
            trusted_bid = min(m.bids.price[0], m.bids.price[m.bids.count - 1])
        if limit and m.asks.count >= limit:
            trusted_ask = max(m.asks.price[0], m.asks.price[m.asks.count - 1])
        status = book_apply_snapshot(data, &m.bids, &m.asks, last,
                                     exchange_ns if exchange_ns else time_ns(m, SLOT_EVENT_TIME), receive_ns,
                                     old if waits else BOOK_LIVE)
        if status != OK:
            m.kind = KIND_NONE
            return self.bad(NULL, 0, 0, status_text(status).decode())
        data.trusted_bid = trusted_bid
        data.trusted_ask = trusted_ask
        self.path.counts.kind[KIND_SNAPSHOT] += 1
        track.snapshots += 1
        track.has_snapshot = True
        track.joined = track.ahead = track.met = False
        track.last = last
        track.old_in_row = 0
        track.crossed += book_crossed(data)
        if old != BOOK_LIVE and not waits:
            path_note(&self.path, target, old, BOOK_LIVE, WHY_SNAPSHOT, 0, 0)
        if self.applied_hook is not None:
            self.applied_hook(book)
        if track.wants_snapshot:
            track.wants_snapshot = False
            self.path.needs += 1
        if self.path.strict and old == BOOK_STALE:
            track.resyncs += 1
            self.path.counts.resyncs += 1
        track.ever_live |= self.path.strict
        if data.status == BOOK_LIVE and self.path.wants & WANTS_LEVELS:
            self.replaced(target)
        if track.shared == NULL:
            self.replay_pending(target)
        else:
            track.shared.arbiter.behind = 0
            track.shared.moved = True
            self.drain(target)
        track = &self.path.track[target]
        if track.has_snapshot and not self.path.strict:
            if data.status != BOOK_LIVE and not track.ahead:
                path_set_status(&self.path, target, BOOK_LIVE, WHY_SNAPSHOT, 0, 0)
            elif track.ahead and data.status != BOOK_SYNCING:
                path_set_status(&self.path, target, BOOK_SYNCING, WHY_AHEAD, 0, 0)
            if old == BOOK_STALE:
                track.resyncs += 1
                self.path.counts.resyncs += 1
            track.ever_live = track.ever_live or not track.ahead
        self.tell()
        if data.status == BOOK_LIVE:
            self.show(target)
        return 0

    cdef int replay_pending(self, int32_t target) except -1:
        """Take the kept deltas as if they had just come."""
        cdef Pending pending = self.path.track[target].pending
        cdef PendingHead head
        cdef Py_ssize_t at = 0
        memset(&self.path.track[target].pending, 0, sizeof(Pending))
        self.path.mark_start = 0
        self.path.replaying = True
        try:
            while at < pending.size:
                self.again(&pending, at, &head)
                at += <Py_ssize_t> sizeof(PendingHead) + head.size
        finally:
            self.path.replaying = False
            pending_free(&pending)
        return 0

    cdef int again(self, const Pending* kept, Py_ssize_t at, PendingHead* head) except -1:
        """Take one kept frame; `head` becomes what stood before it."""
        cdef const char* data = kept.data + at + sizeof(PendingHead)
        memcpy(head, kept.data + at, sizeof(PendingHead))
        self.path.engine.line = head.line
        if self.path.read(&self.path.engine, data, data + head.size, data + head.size, &self.path.message) == OK:
            if self.path.message.more != NULL:
                self.several(data, head.size, head.receive_ns, head.line)
            else:
                self.finish(path_act(&self.path, data, head.size, head.receive_ns, head.line), head.receive_ns)
        else:
            self.careful(data, head.size, head.receive_ns, head.line)
        return 0

    # ---- several lines that carry the same streams

    cdef int drain(self, int32_t target) except -1:
        """Take what was kept of several lines, in whatever order it fits; what still lacks something is kept on."""
        cdef Track* track = &self.path.track[target]
        cdef Pending held
        cdef PendingHead head
        cdef Py_ssize_t at
        cdef int64_t last
        cdef bint moved = True, joining = track.pending.count != 0
        cdef bint replaying = self.path.replaying
        cdef int only = self.path.of.only
        if joining:                                       # of a book that waits for a snapshot nothing else is kept
            pending_free(&track.shared.held)
            track.shared.held = track.pending
            memset(&track.pending, 0, sizeof(Pending))
        self.path.mark_start = 0
        self.path.replaying = True
        self.path.of.only = target
        try:
            while moved and track.shared.held.count:
                moved = False
                held = track.shared.held
                memset(&track.shared.held, 0, sizeof(Pending))
                at = 0
                try:
                    while at < held.size:
                        last = track.last
                        self.path.of.fate = FATE_COPY
                        self.again(&held, at, &head)
                        track = &self.path.track[target]
                        if self.path.of.fate == FATE_FIRST or track.last != last:
                            moved = True
                        if self.path.of.fate == FATE_HOLD or self.path.of.fate == FATE_MISSING:
                            pending_add(&track.shared.held, held.data + at + sizeof(PendingHead), head.size,
                                        head.receive_ns, head.line)
                        at += <Py_ssize_t> sizeof(PendingHead) + head.size
                finally:
                    pending_free(&held)
        finally:
            self.path.replaying = replaying
            self.path.of.only = only
        if track.has_snapshot and not track.ahead and track.book.status == BOOK_SYNCING and not joining:
            track.ever_live = True
            path_set_status(&self.path, target, BOOK_LIVE, WHY_SNAPSHOT, 0, 0)
        return self.settle_held(target, -1.0)

    cdef int settle_held(self, int32_t target, double now) except -1:
        """See whether the kept messages of a book can still get what they lack; `now`: below 0 time does not count."""
        cdef Track* track = &self.path.track[target]
        cdef Shared* shared = track.shared
        cdef Pending held
        cdef int places = 0, i
        if shared.held.count == 0 or not track.has_snapshot:
            shared.held.size = shared.held.count = 0
            return 0
        for i in range(MAX_LINES):
            if self.path.of.lane[i].open and self.path.of.lane[i].group and self.line_carries(target, i):
                places = self.path.of.group[self.path.of.lane[i].group].open
                break
        if self.path.of.compares and may_bring(&shared.arbiter, places, track.last):
            if now < 0:
                return 0
            if shared.since == 0 or shared.moved:
                shared.since = now
                shared.moved = False
                return 0
            if now - shared.since < HOLD_S:
                return 0
        held = shared.held
        memset(&shared.held, 0, sizeof(Pending))
        path_missing(&self.path, target, &held, shared.begins, track.resync != RESYNC_RESUBSCRIBE)
        return self.tell()

    cdef bint line_carries(self, int32_t target, int line) except -1:
        """Whether a line carries a book as it is now."""
        cdef Shared* shared = self.path.track[target].shared
        return shared != NULL and carried(&shared.arbiter, 1 << self.path.of.lane[line].place)

    cdef bint proved_elsewhere(self, int32_t target, int line) except -1:
        """Whether a bad frame of that line leaves the book as it is: another line brings its messages."""
        cdef Lane* lane
        if not 0 <= line < MAX_LINES or self.path.of.lane[line].group == 0:
            return False
        lane = &self.path.of.lane[line]
        if not self.path.of.compares:
            return self.path.track[target].line != line
        return (self.path.track[target].shared != NULL
                and carried(&self.path.track[target].shared.arbiter,
                            self.path.of.group[lane.group].open & ~(1 << lane.place)))

    cdef int group_lines(self, list lines) except -1:
        """Let the messages of these lines be compared from now on; one of them may be in a group already."""
        cdef int group = 0, line, place
        cdef int32_t i
        cdef Lane* lane
        cdef Group* found
        for line in lines:
            if not 0 <= line < MAX_LINES:
                raise ValueError(f"{self.venue}: a line from 0 to {MAX_LINES - 1}, not {line}")
            if self.path.of.lane[line].group:
                if group and self.path.of.lane[line].group != group:
                    raise ValueError(f"{self.venue}: lines {lines} belong to different groups")
                group = self.path.of.lane[line].group
        if self.path.strict:
            raise ValueError(f"{self.venue}: lines are not compared where gaps are counted")
        if len(set(lines)) > MAX_PLACES:
            raise ValueError(f"{self.venue}: at most {MAX_PLACES} lines can carry the same streams, not {len(lines)}")
        if group == 0:
            group = 1
            while group < MAX_LINES and self.path.of.group[group].places:
                group += 1
            if group == MAX_LINES:
                raise ValueError(f"{self.venue}: at most {MAX_LINES - 1} groups of lines, not one more: {lines}")
            memset(&self.path.of.group[group], 0, sizeof(Group))
            self.path.of.group[group].active = self.path.of.group[group].heir = NO_LINE
        found = &self.path.of.group[group]
        for line in lines:
            lane = &self.path.of.lane[line]
            if lane.group:
                continue
            place = 0
            while found.places >> place & 1:
                place += 1
            if place >= MAX_PLACES:
                raise ValueError(f"{self.venue}: at most {MAX_PLACES} lines can carry the same streams")
            lane.group = group
            lane.place = place
            found.places |= 1 << place
            if lane.open:
                line_comes(&self.path.of, line, True)
        self.note_wanted()
        for i in range(self.path.engine.symbols.count):
            line = self.path.track[i].line
            if 0 <= line < MAX_LINES and line in lines and self.path.track[i].has_snapshot:
                if shared_of(&self.path.track[i]) == NULL:
                    raise MemoryError(f"no memory for the lines of {self.name_list[i]}")
                if self.path.track[i].shared.group != group:
                    shared_begin(self.path.track[i].shared, group)
                place = self.path.of.lane[line].place
                self.path.track[i].shared.arbiter.line[place].carries = True
                if self.path.track[i].joined and comparable(self.path.link):
                    self.path.track[i].shared.arbiter.line[place].started = True
                    self.path.track[i].shared.arbiter.line[place].last = self.path.track[i].last
        return 0

    cdef int ungroup_line(self, int line) except -1:
        """A line has ended for good, or carries its streams alone from now on."""
        cdef Lane* lane = &self.path.of.lane[line]
        cdef Group* group = &self.path.of.group[lane.group]
        cdef int number = lane.group
        if number == 0:
            return 0
        if lane.open:
            raise ValueError(f"{self.venue}: line {line} is open")
        group.places &= ~(1 << lane.place)
        group.since = 0.0
        memset(lane, 0, sizeof(Lane))
        return self.dissolve(number) if group.places == 0 else 0

    cdef int settle_groups(self, double now) except -1:
        """Let lines that are left alone go on as such, once they have come to where others had brought the books."""
        cdef int number, place
        cdef Group* group
        for number in range(1, MAX_LINES):
            group = &self.path.of.group[number]
            if group.places == 0 or group.places & (group.places - 1):
                continue
            if group.since == 0.0:
                group.since = now
            place = 0
            while not group.places >> place & 1:
                place += 1
            if now - group.since > ALONE_S or self.caught_up(number, place):
                self.dissolve(number)
        return 0

    cdef bint caught_up(self, int group, int place) except -1:
        """Whether a line has brought all that is known of the books of its group."""
        cdef int32_t i
        cdef Shared* shared
        for i in range(self.path.engine.symbols.count):
            shared = self.path.track[i].shared
            if shared == NULL or shared.group != group or not self.path.track[i].has_snapshot:
                continue
            if shared.held.count or not shared.arbiter.line[place].started or (
                    shared.arbiter.line[place].last < self.path.track[i].last):
                return False
        return True

    cdef int dissolve(self, int number) except -1:
        """A group of one line, or none, is none."""
        cdef int32_t i
        for i in range(MAX_LINES):
            if self.path.of.lane[i].group == number:
                self.path.of.lane[i].group = self.path.of.lane[i].place = 0
        for i in range(self.path.engine.symbols.count):
            if self.path.track[i].shared != NULL and self.path.track[i].shared.group == number:
                self.settle_held(i, -1.0)
                shared_begin(self.path.track[i].shared, 0)
        memset(&self.path.of.group[number], 0, sizeof(Group))
        return self.note_wanted()

    cdef int note_wanted(self) except -1:
        """Ask of every message whether it counts while there is any group, of none while there is not."""
        cdef int i, wanted = 1
        for i in range(1, MAX_LINES):
            if self.path.of.group[i].places:
                wanted = 2
        self.path.of.wanted = wanted
        for i in range(self.path.engine.symbols.count):
            if self.path.engine.symbols.target[i].wanted:
                self.path.engine.symbols.target[i].wanted = wanted
        return 0

    cdef int reset_books(self, int line, bint opened) except -1:
        """Forget where the streams of a line stood; `opened` drops the books' levels as well."""
        cdef int32_t i
        cdef Track* track
        cdef int old, group = 0, others = 0, active = NO_LINE
        cdef bint changed = False
        if 0 <= line < MAX_LINES:
            if self.path.lines[line].lost:
                self.path.needs += 1
            memset(&self.path.lines[line], 0, sizeof(LineCount))
            changed = line_comes(&self.path.of, line, opened)
            group = self.path.of.lane[line].group
            if group:
                others = self.path.of.group[group].open & ~(1 << self.path.of.lane[line].place)
                active = self.path.of.group[group].active
        elif line != NO_LINE:
            raise ValueError(f"{self.venue}: a line from 0 to {MAX_LINES - 1}, not {line}")
        if opened and self.parser.by_line:
            routes_free(&self.path.engine.routes)
        for i in range(self.path.engine.symbols.count):
            track = &self.path.track[i]
            if group and self.leaves_line(i, line, others, active if changed else NO_LINE):
                continue
            if track.line != line and track.line != NO_LINE:      # a book that only had a snapshot belongs to any line
                continue
            track.has_snapshot = track.joined = track.ahead = False
            track.pending.size = track.pending.count = 0
            if track.held != NULL:
                track.held.seen = 0
            if track.wants_snapshot:
                track.wants_snapshot = False
                self.path.needs += 1
            old = track.book.status
            if opened:
                track.ever_live = False
                book_clear(track.book, BOOK_EMPTY)
                if old != BOOK_EMPTY:
                    path_note(&self.path, i, old, BOOK_EMPTY, WHY_OPENED, 0, 0)
            elif old != BOOK_EMPTY:
                path_set_status(&self.path, i, BOOK_STALE, WHY_CLOSED, 0, 0)
                if others and not self.path.of.compares:
                    self.take_over(i, active)
        return self.tell()

    cdef bint leaves_line(self, int32_t target, int line, int others, int active) except -1:
        """Take in that a line of a group was opened or has ended; whether a book goes on by one of the others.

        others -- bits of the places of those that are open. active -- the line that is active now, if that is news.
        """
        cdef Track* track = &self.path.track[target]
        cdef Shared* shared = track.shared
        cdef int group = self.path.of.lane[line].group
        if track.held != NULL and active != NO_LINE and (track.line == line or track.line == NO_LINE):
            track.held.seen = 0
        if shared == NULL or shared.group != group:
            return track.line == NO_LINE and others != 0
        shared_forget(shared, self.path.of.lane[line].place)
        if shared.active == line:
            shared.active = NO_LINE
        if not self.path.of.compares:
            return track.line == NO_LINE and others != 0
        if not carried(&shared.arbiter, others):
            shared.held.size = shared.held.count = 0
            track.line = line                             # its last message may have come on one that is long gone
            return False
        if track.line == line:
            track.line = line_at(&self.path.of, group, first_carrier(shared, others))
        self.settle_held(target, -1.0)
        return True

    cdef int take_over(self, int32_t target, int line) except -1:
        """The line that stood by is asked for a new snapshot of a book."""
        cdef Track* track = &self.path.track[target]
        track.line = line
        if self.path.engine.symbols.target[target].variant & DEPTH_BITS == 0 or track.resync == RESYNC_RESUBSCRIBE:
            track.wants_snapshot = True
            self.path.needs += 1
        return 0


cdef int first_carrier(const Shared* shared, int places):
    """Place of the first line of `places` (bits) that carries the book."""
    cdef int i
    for i in range(MAX_PLACES):
        if carried(&shared.arbiter, places & 1 << i):
            return i
    return NO_LINE


cdef str words(const Message* m, Status status):
    """What a conversion expected where it failed."""
    return (m.expected if m.expected != NULL else status_text(status)).decode()


cdef str missing(uint64_t slots):
    """Names of the slots that a message lacks."""
    return ", ".join(name for slot, name in SLOT_NAMES.items() if (slots >> <int> slot) & 1)
