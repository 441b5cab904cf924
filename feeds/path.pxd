"""THE HOT PATH: wire bytes -> message -> verdict -> book.

`path_step` is the whole path of a message that looks like those before it: read it by its stream's learned layout,
judge its numbers, apply it. It is all C: it runs without the GIL and makes no Python object. What it leaves to be done,
a frame that no layout fits or a message that a handler wants, it says in its result.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, INT64_MAX, INT64_MIN
from libc.stdlib cimport calloc, realloc
from libc.string cimport memcpy, memset
from orderbook.core cimport (BookData, MAX_SCALE, TEN, book_apply_delta, book_apply_snapshot, book_crossed, book_cut,
                             book_set_status, book_takes_price, book_widen_price, book_widen_qty, side_price)
from orderbook.ladder cimport Ladder, Walk, unlikely, walk_next, walk_start
from orderbook.types cimport Status, OK, NEEDS_SCALE, NO_FIT, NO_MEMORY, BOOK_EMPTY, BOOK_SYNCING, BOOK_LIVE, BOOK_STALE
from feeds.checksum cimport checksum_of
from feeds.engine cimport Engine, Part, frame_function, part_function
from orderbook.update cimport Levels
from feeds.arbiter cimport FATE_ANEW, FATE_COPY, FATE_FIRST, FATE_HOLD, FATE_MISSING
from feeds.latency cimport CLOCK_MONOTONIC, Histogram, Stages, histogram_add_two, read_clock
from feeds.layout cimport layout_says
from feeds.lines cimport Lines, lines_take
from feeds.message cimport (CHECKSUM_PAIRS, DEPTH_BITS, Message, bit, message_clear, variant_of, time_ns, KIND_DELTA,
                            KIND_IGNORED, KIND_MARK, KIND_OPEN_INTEREST, KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER,
                            KIND_TRADE, N_KINDS, RESYNC_RESUBSCRIBE, SLOT_AGGRESSOR, SLOT_ASK_PRICE, SLOT_ASK_QTY,
                            SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_CHECKSUM, SLOT_EVENT_TIME, SLOT_FIRST_SEQ, SLOT_LAST_SEQ,
                            SLOT_LEVEL_ID, SLOT_LEVEL_PRICE, SLOT_LEVEL_SEQ, SLOT_LINE_SEQ, SLOT_MAKER_BOUGHT,
                            SLOT_PARTIAL, SLOT_PREV_SEQ, SLOT_PRICE, SLOT_QTY, SLOT_QUOTE_TOO, SLOT_TIME, SLOT_TRADE_ID,
                            WANTS_LEVELS)
from feeds.odd cimport level_add, level_alone, levels_by_id, levels_by_offset, levels_newer
from feeds.parser cimport convert_message, quick_function
from feeds.scan cimport Cursor, cursor_init
from feeds.symbols cimport Target, symbols_find
from feeds.sync cimport (APPLY, COUNT_NONE, GAP, LINK_CONNECTION, LINK_NOT_BELOW, LINK_OFFSETS, LINK_OVERLAP,
                         LINK_OVERLAP_OR_WHOLE, LINK_RISES, LOOSE, OLD, LineCount, judge, line_follows)
from feeds.track cimport (OLD_BEFORE_JOIN, OLD_IN_A_ROW, Pending, Track, WHY_AHEAD, WHY_CHECKSUM, WHY_DEPTH,
                          WHY_FIRST_DELTA,
                          WHY_GAP, WHY_LINE, WHY_NOT_APPLIED, WHY_OLD, WHY_OVERFLOW, WHY_SNAPSHOT, WHY_WIRE,
                          next_version, pending_add, pending_free,
                          track_add_qty, track_fits, track_hold, track_joined, track_printed, track_widen)
from feeds.whole cimport kept_all, kept_current, kept_done

cdef enum:
    # What `path_step` leaves to be done with the GIL.
    DONE = 0
    DELIVER = 1                   # a handler wants the message
    CAREFUL = 2                   # no learned layout fits
    JOIN = 3                      # a snapshot came in the stream for which deltas were kept
    DRAIN = 5                     # the message goes with others that were kept: see `Intake.drain`
    TAKE = 6                      # within this module: the message counts
    SEVERAL = 4                   # the frame has other messages behind this one, which is only read

cdef enum:
    FIRST_CHANGES = 256           # changes of state that can wait to be told before there is room for more
    MAX_LINES = 1024              # connections of one pipeline
    TICKER_GIVES = 1 << KIND_TICKER | 1 << KIND_MARK | 1 << KIND_QUOTE | 1 << KIND_OPEN_INTEREST

cdef extern from *:
    """
    #define WB_ODD_LEVELS ((1ULL << 49) | (1ULL << 53) | (1ULL << 54))
    #define WB_QUOTE_SLOTS (15ULL << 10)
    #define WB_LISTS (7ULL << 59)
    """
    uint64_t ODD_LEVELS "WB_ODD_LEVELS"     # SLOT_LEVEL_PRICE, SLOT_LEVEL_SEQ, SLOT_LEVEL_ID
    uint64_t LISTS "WB_LISTS"               # SEEN_BIDS, SEEN_ASKS, SEEN_BOTH
    uint64_t QUOTE_SLOTS "WB_QUOTE_SLOTS"   # SLOT_BID_PRICE to SLOT_ASK_QTY

cdef struct Change:
    int32_t target
    int old
    int new
    int why                       # WHY_...
    int64_t expected              # numbers for the text of a gap
    int64_t got

cdef struct Counters:
    int64_t frames, bytes, fast, slow, errors, ignored, control, resyncs, gaps, stale, line_jumps
    int64_t kind[N_KINDS]         # messages by kind

cdef struct Path:
    Engine engine                 # what is learned of the venue's frames
    frame_function read           # of the runner,
    part_function read_part       # and what reads further messages of a frame
    quick_function quick          # of the parser, NULL if it has none
    int newest                    # version of the parser's schema that was told to be newer than what is known of it
    Message message               # the message at work
    Track* track                  # by index of the instrument. Owned
    int32_t track_room
    int link                      # the venue's sequence rule, COUNT_... its rule for a connection's numbers
    int count_rule
    int resync                    # RESYNC_...: how the venue gives new snapshots
    LineCount lines[MAX_LINES]    # by connection
    Lines of                      # which messages count where several lines carry the same
    bint strict                   # breaks are counted and applied (on_gap="count")
    bint replaying                # kept deltas are being taken
    int wants                     # bits of the kinds that are delivered
    int64_t needs                 # changes whenever something is wanted from outside, or no longer
    Counters counts
    int n_changes                 # changes of state that wait to be told
    int change_room
    Change* change                # owned
    int sample_every              # messages per latency sample
    int sample_left
    int64_t mark_start            # clock of the message being sampled, 0 if it is not: taken,
    int64_t mark_parsed           # read,
    int64_t mark_applied          # applied
    Histogram parsed, applied, handled
    Histogram received            # from the venue's time to our clock, of every message that tells one


cdef inline int path_step(Path* self, const char* data, Py_ssize_t size, Py_ssize_t slack, int64_t receive_ns,
                          int line) noexcept nogil:
    """One frame, as far as it goes without the GIL."""
    self.counts.frames += 1
    self.counts.bytes += size
    self.mark_start = 0
    self.sample_left -= 1
    if unlikely(self.sample_left <= 0):
        self.sample_left = self.sample_every
        self.mark_start = read_clock(CLOCK_MONOTONIC)
    self.engine.line = line
    if unlikely(self.quick != NULL and path_quick(self, data, size)):
        pass
    elif unlikely(self.read(&self.engine, data, data + size, data + size + slack, &self.message) != OK):
        return CAREFUL
    if unlikely(self.message.checksum and self.message.kind == KIND_SNAPSHOT):
        return CAREFUL                                # it tells how the venue prints numbers; see `track_printed`
    self.counts.fast += 1
    if unlikely(self.message.seen & bit(SLOT_LINE_SEQ)):
        path_line(self, line)
    if unlikely(self.message.more != NULL):
        return SEVERAL
    if unlikely(self.message.kind == KIND_IGNORED):
        self.counts.ignored += 1
        return DONE
    return path_act(self, data, size, receive_ns, line)


cdef inline bint path_quick(Path* self, const char* data, Py_ssize_t size) noexcept nogil:
    """Read a frame that is no JSON, if it is a usual one of a known instrument."""
    cdef Message* m = &self.message
    cdef Cursor c
    cdef Py_ssize_t offset
    if size == 0 or data[0] == c'{':
        return False
    message_clear(m)
    m.link = self.link
    m.resync = self.resync
    cursor_init(&c, data, size, m)
    self.quick(&c, m)
    if c.status != OK or m.kind < KIND_DELTA or m.more != NULL or m.needed & ~m.seen or m.newer > self.newest:
        return False
    m.target = symbols_find(&self.engine.symbols, m.symbol, m.symbol_size, variant_of(m))
    return m.target >= 0 and path_convert(self, data, &offset) == OK


cdef inline int path_act(Path* self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
    """Do what the message says; DELIVER if a handler wants it."""
    cdef Message* m = &self.message
    cdef Track* track = &self.track[m.target]
    cdef int64_t exchange_ns
    cdef int todo
    if unlikely(self.engine.symbols.target[m.target].wanted != 1):
        todo = path_shared(self, data, size, receive_ns, line)
        if todo != TAKE:
            return todo
    if unlikely(self.mark_start != 0):
        self.mark_applied = self.mark_parsed = read_clock(CLOCK_MONOTONIC)
        path_sampled(self, track)
    self.counts.kind[m.kind] += not self.replaying    # kept deltas were counted when they came
    if m.kind == KIND_QUOTE:
        if unlikely(m.seen & bit(SLOT_PARTIAL)):
            track_hold(track, m)
            if m.seen & QUOTE_SLOTS != QUOTE_SLOTS:
                return DONE
        path_quote(self, track, receive_ns)
    elif m.kind == KIND_TRADE:
        exchange_ns = time_ns(m, SLOT_TIME)
        next_version(track.version)
        track.trade.price = m.slot[SLOT_PRICE]
        track.trade.qty = m.slot[SLOT_QTY]
        track.trade.trade_id = m.slot[SLOT_TRADE_ID] if m.seen & bit(SLOT_TRADE_ID) else 0
        track.trade.exchange_ns = exchange_ns if exchange_ns else time_ns(m, SLOT_EVENT_TIME)
        track.trade.receive_ns = receive_ns
        track.trade.aggressor = (1 - 2 * m.slot[SLOT_MAKER_BOUGHT] if m.seen & bit(SLOT_MAKER_BOUGHT)
                                 else m.slot[SLOT_AGGRESSOR] if m.seen & bit(SLOT_AGGRESSOR) else 0)
        next_version(track.version)
        track.trades += 1
        track_add_qty(track, m.slot[SLOT_QTY])
        path_delay(self, track, track.trade.exchange_ns, receive_ns)
    elif m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT:
        return path_delta(self, data, size, receive_ns, line)
    elif m.seen & (bit(SLOT_PARTIAL) | bit(SLOT_QUOTE_TOO)):
        if m.seen & bit(SLOT_PARTIAL):
            track_hold(track, m)                      # without memory the message only has less to tell
        if m.seen & bit(SLOT_QUOTE_TOO) and m.seen & QUOTE_SLOTS == QUOTE_SLOTS:
            path_quote(self, track, receive_ns)
    return DELIVER if self.wants & (TICKER_GIVES if m.kind == KIND_TICKER else 1 << m.kind) else DONE


cdef inline int path_several(Path* self, const char* data, Py_ssize_t size, int64_t receive_ns,
                             int line) noexcept nogil:
    """Do what the messages of a frame say, while they are no book's, nobody wants them and their values are kept;
    SEVERAL if some are left, of which the first is the message at work."""
    cdef Message* m = &self.message
    cdef Engine* engine = &self.engine
    cdef const Part* part
    cdef bint jumped = m.line_jump
    while not (self.wants or m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT
               or engine.symbols.target[m.target].wanted != 1
               or engine.n_kept <= engine.next_part < engine.n_parts):
        path_act(self, data, size, receive_ns, line)
        if engine.next_part == engine.n_parts:
            return DONE
        part = &engine.kept[engine.next_part]
        layout_says(engine.layout[engine.part[engine.next_part]], m, part.target, part.more)
        memcpy(m.slot, part.slot, sizeof(part.slot))
        m.line_jump = jumped
        engine.next_part += 1
    return SEVERAL


cdef inline int path_shared(Path* self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
    """Whether a message counts (TAKE) that is not wanted, or that several lines may carry."""
    cdef Message* m = &self.message
    cdef Track* track = &self.track[m.target]
    cdef Pending held
    cdef int fate
    if not self.engine.symbols.target[m.target].wanted:
        self.counts.ignored += 1
        return DONE
    fate = lines_take(&self.of, m, track, self.replaying, data, size, receive_ns, line)
    if fate != FATE_COPY:
        self.of.fate = fate
    if fate == FATE_FIRST:
        if (track.shared == NULL or track.shared.held.count == 0 or self.replaying or not track.has_snapshot
                or not (m.kind == KIND_DELTA or m.kind == KIND_SNAPSHOT)
                or not pending_add(&track.shared.held, data, size, receive_ns, line)):
            return TAKE
        self.counts.kind[m.kind] += 1
        return DRAIN
    if self.replaying:
        return DONE
    if fate == FATE_ANEW:
        path_lose(self, m.target, WHY_OLD, track.last, m.slot[SLOT_LAST_SEQ])
        return TAKE if m.resync != RESYNC_RESUBSCRIBE else DONE
    if fate == FATE_MISSING:
        held = track.shared.held
        memset(&track.shared.held, 0, sizeof(Pending))
        path_missing(self, m.target, &held, path_first(m, m.slot[SLOT_LAST_SEQ]), m.resync != RESYNC_RESUBSCRIBE)
        if m.resync != RESYNC_RESUBSCRIBE:
            path_keep(self, m.target, data, size, receive_ns, line)
    self.counts.kind[m.kind] += fate == FATE_HOLD or fate == FATE_MISSING
    return DONE


cdef inline void path_missing(Path* self, int32_t target, Pending* held, int64_t got, bint keeps) noexcept nogil:
    """No line can bring what the kept messages need: a gap. They are kept on for the snapshot if it comes by itself."""
    cdef Track* track = &self.track[target]
    path_lose(self, target, WHY_GAP, track.last, got)
    if keeps:
        pending_free(&track.pending)
        track.pending = held[0]
        memset(held, 0, sizeof(Pending))
    pending_free(held)


cdef inline void path_delay(Path* self, Track* track, int64_t exchange_ns, int64_t receive_ns) noexcept nogil:
    """Count how long a message was on its way, if both ends are known; the two clocks may differ."""
    if receive_ns == 0 or exchange_ns == 0:
        return
    if unlikely(track.received == NULL):
        track.received = <Histogram*> calloc(1, sizeof(Histogram))
        if track.received == NULL:
            return
    histogram_add_two(&self.received, track.received, receive_ns - exchange_ns)


cdef inline void path_sampled(Path* self, Track* track) noexcept nogil:
    """Count how long the message being sampled took to be read."""
    if track.stages == NULL:
        track.stages = <Stages*> calloc(1, sizeof(Stages))
        if track.stages == NULL:
            self.mark_start = 0                       # its other stages are not counted either
            return
    histogram_add_two(&self.parsed, &track.stages.parsed, self.mark_parsed - self.mark_start)


cdef inline void path_quote(Path* self, Track* track, int64_t receive_ns) noexcept nogil:
    """Keep the venue's best bid and offer."""
    cdef const Message* m = &self.message
    cdef int64_t exchange_ns = time_ns(m, SLOT_TIME)
    next_version(track.version)
    track.quote.bid_price = m.slot[SLOT_BID_PRICE]
    track.quote.bid_qty = m.slot[SLOT_BID_QTY]
    track.quote.ask_price = m.slot[SLOT_ASK_PRICE]
    track.quote.ask_qty = m.slot[SLOT_ASK_QTY]
    track.quote.sequence = m.slot[SLOT_LAST_SEQ] if m.seen & bit(SLOT_LAST_SEQ) else 0
    track.quote.exchange_ns = exchange_ns if exchange_ns else time_ns(m, SLOT_EVENT_TIME)
    track.quote.receive_ns = receive_ns
    next_version(track.version)
    track.quotes += 1
    path_delay(self, track, track.quote.exchange_ns, receive_ns)


cdef inline int path_delta(Path* self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
    """Judge a book message and apply it."""
    cdef Message* m = &self.message
    cdef Track* track = &self.track[m.target]
    cdef int64_t final = m.slot[SLOT_LAST_SEQ] if m.seen & bit(SLOT_LAST_SEQ) else 0
    cdef bint whole = m.kind == KIND_SNAPSHOT
    track.line = line
    track.resync = m.resync
    if unlikely(m.link == LINK_OVERLAP_OR_WHOLE and m.slot[SLOT_FIRST_SEQ] == final):
        m.kind = KIND_SNAPSHOT
        whole = True
    if unlikely(whole and (m.link != LINK_NOT_BELOW or not track.has_snapshot)):
        if track.pending.count:                       # else a whole book in the stream needs no join
            return JOIN if path_whole(m) else DONE
    elif not path_follows(self, track, final, data, size, receive_ns, line):
        return DONE
    return path_prepare(self, track, final, receive_ns)


cdef inline bint path_follows(Path* self, Track* track, int64_t final, const char* data, Py_ssize_t size,
                              int64_t receive_ns, int line) noexcept nogil:
    """Whether a delta is to be applied; if not, it was counted or kept, or its book is lost."""
    cdef Message* m = &self.message
    cdef int verdict
    cdef bint whole = m.kind == KIND_SNAPSHOT, keeps = m.resync != RESYNC_RESUBSCRIBE
    if unlikely(not track.has_snapshot):
        if keeps and not (self.strict and m.link == LINK_RISES):
            path_keep(self, m.target, data, size, receive_ns, line)
        else:
            path_missed(self, track)
        return False
    verdict = judge(m.link, track_joined(track, m, self.replaying), track.last, m.slot[SLOT_FIRST_SEQ], final,
                    m.slot[SLOT_PREV_SEQ])
    if unlikely(m.line_jump and m.link == LINK_CONNECTION):
        verdict = GAP
    if unlikely(verdict != APPLY):
        if verdict == OLD and (not self.strict or m.link == LINK_OVERLAP or (keeps and not track.joined)):
            track.stale += 1
            self.counts.stale += 1
            track.old_in_row += 1
            track.met = True
            if not self.strict:
                path_old(self, m.target, keeps and not track.joined and not whole, final)
            return False
        if self.strict:
            track.breaks += 1
            track.gaps += 1
            self.counts.gaps += 1
            if track.book.status == BOOK_LIVE and not whole:
                path_set_status(self, m.target, BOOK_STALE, WHY_GAP, track.last, path_first(m, final))
        elif verdict != LOOSE:
            path_lose(self, m.target, WHY_GAP, track.last, path_first(m, final))
            if keeps:
                path_keep(self, m.target, data, size, receive_ns, line)
            return False
    return True


cdef inline bint path_whole(Message* m) noexcept nogil:
    """Have all levels of a whole book in its lists; False without memory."""
    return m.kept == NULL or not m.kept.differs or kept_all(m.kept, &m.bids, &m.asks)


cdef inline void path_old(Path* self, int32_t target, bint joining, int64_t final) noexcept nogil:
    """A book has a delta already: because its snapshot is ahead of the stream, or the venue's numbers began again.

    A snapshot that the stream has not come to may be one of another day; while it is `joining`, the book is not LIVE.
    """
    cdef Track* track = &self.track[target]
    if joining and self.replaying:
        track.old_in_row = 0                      # kept while the snapshot was awaited, however long that took
    if track.old_in_row > (OLD_BEFORE_JOIN if joining else OLD_IN_A_ROW):
        path_lose(self, target, WHY_OLD, track.last, final)
    elif joining and final == track.last:
        path_reached(self, target)
    elif joining:
        track.ahead = True
        if track.book.status == BOOK_LIVE:
            path_set_status(self, target, BOOK_SYNCING, WHY_AHEAD, 0, 0)


cdef inline void path_reached(Path* self, int32_t target) noexcept nogil:
    """The stream has come to the snapshot."""
    cdef Track* track = &self.track[target]
    if track.ahead:
        track.ahead = False
        if not self.replaying:                    # else whoever replays says so when all of it is done
            track.ever_live = True
            path_set_status(self, target, BOOK_LIVE, WHY_SNAPSHOT, 0, 0)


cdef inline int64_t path_first(const Message* m, int64_t final) noexcept nogil:
    """The number with which a message begins, for the text of a gap."""
    return (m.slot[SLOT_FIRST_SEQ] if m.seen & bit(SLOT_FIRST_SEQ) else
            m.slot[SLOT_PREV_SEQ] if m.seen & bit(SLOT_PREV_SEQ) else final)


cdef inline void path_missed(Path* self, Track* track) noexcept nogil:
    """A delta came before the snapshot that the stream itself will send."""
    track.stale += 1
    self.counts.stale += 1
    if track.book.status == BOOK_EMPTY:
        path_set_status(self, self.message.target, BOOK_SYNCING, WHY_FIRST_DELTA, 0, 0)
    if not track.wants_snapshot:
        track.wants_snapshot = True
        self.needs += 1


cdef inline int path_prepare(Path* self, Track* track, int64_t final, int64_t receive_ns) noexcept nogil:
    """Bring the levels of a message into the form that a book takes, where the wire has another."""
    cdef Message* m = &self.message
    cdef int64_t uncounted = 0
    cdef bint good = True
    if unlikely(m.seen & ODD_LEVELS or m.link == LINK_OFFSETS):
        if not m.seen & LISTS and m.seen & ODD_LEVELS:
            good = level_alone(m)
        if m.link == LINK_OFFSETS:
            good &= levels_by_offset(m, &track.offsets, final)
        elif m.seen & bit(SLOT_LEVEL_SEQ) and m.kind == KIND_DELTA:
            levels_newer(&m.bids, track.last)
            levels_newer(&m.asks, track.last)
        if m.seen & bit(SLOT_LEVEL_ID):
            uncounted = levels_by_id(m, &track.ids, &track.breaks, self.strict)
            good &= uncounted >= 0
        if not good:
            self.counts.errors += not self.strict
            path_lose(self, m.target, WHY_GAP, track.last, final)
            return DONE
    return path_apply(self, track, final, uncounted, receive_ns)


cdef inline bint ran_out(const BookData* book) noexcept nogil:
    """Whether a side is empty of which the snapshot did not tell all: there are levels, but they are not known."""
    return ((book.touch.bid_qty == 0 and book.trusted_bid != INT64_MIN)
            or (book.touch.ask_qty == 0 and book.trusted_ask != INT64_MAX))


cdef inline bint tell_cut(const BookData* book, const Ladder* side, int64_t depth, Levels* levels) noexcept nogil:
    """Add the levels beyond the best `depth` of a side to those of a message; False without memory."""
    cdef Walk walk
    cdef int64_t rank, qty
    if side.n_levels <= depth:
        return True
    walk_start(&walk, side)
    while walk_next(&walk, &rank, &qty):
        depth -= 1
        if depth < 0:
            if not level_add(levels, side_price(book, side, rank), qty):
                return False
            levels.rank[levels.count - 1] = rank
    return True


cdef inline Status path_replace(BookData* book, Message* m, int64_t final, int64_t exchange_ns,
                                int64_t receive_ns) noexcept nogil:
    """Apply all levels of a whole book."""
    if not path_whole(m):
        return NO_MEMORY
    return book_apply_snapshot(book, &m.bids, &m.asks, final, exchange_ns, receive_ns, BOOK_LIVE)


cdef inline int path_apply(Path* self, Track* track, int64_t final, int64_t uncounted,
                           int64_t receive_ns) noexcept nogil:
    """Apply a message that continues its book (or is one); `uncounted` of its levels are not the venue's own."""
    cdef Message* m = &self.message
    cdef BookData* book = track.book
    cdef int64_t exchange_ns = time_ns(m, SLOT_TIME), count = m.bids.count + m.asks.count - uncounted
    cdef Status status
    cdef bint whole = m.kind == KIND_SNAPSHOT
    cdef int old = book.status
    if exchange_ns == 0:
        exchange_ns = time_ns(m, SLOT_EVENT_TIME)
    # Of a whole book that is kept only what differs, unless the book has changed since (or its state has, also by what
    # this message's own numbers say).
    if unlikely(whole and not (m.kept != NULL and kept_current(m.kept) and not book.fresh_ticks)):
        status = path_replace(book, m, final, exchange_ns, receive_ns)
    else:
        status = book_apply_delta(book, &m.bids, &m.asks, final, exchange_ns, receive_ns)
    if unlikely(status != OK):
        self.counts.errors += 1
        path_lose(self, m.target, WHY_NOT_APPLIED, status, final)
        return DONE
    path_delay(self, track, exchange_ns, receive_ns)
    track.last = final
    track.old_in_row = 0
    if unlikely(m.cut and not whole):
        if self.wants & WANTS_LEVELS and not (tell_cut(book, &book.bids, m.cut, &m.bids)
                                              and tell_cut(book, &book.asks, m.cut, &m.asks)):
            path_lose(self, m.target, WHY_NOT_APPLIED, NO_MEMORY, final)
            return DONE
        book_cut(book, m.cut)
    track.crossed += book_crossed(book)
    if unlikely(whole):
        book.absent = 0
        if m.kept != NULL:
            kept_done(m.kept)
        track.snapshots += 1
        track.has_snapshot = True
        track.joined = track.ahead = False
        track.ever_live = True
        if track.wants_snapshot:
            track.wants_snapshot = False
            self.needs += 1
        if old != BOOK_LIVE:
            path_note(self, m.target, old, BOOK_LIVE, WHY_SNAPSHOT, 0, 0)
            if old == BOOK_STALE:
                track.resyncs += 1
                self.counts.resyncs += 1
    else:
        track.joined = True
        if unlikely(track.ahead):
            path_reached(self, m.target)
        track.updates += 1
        track.changes += count
        track.absent += book.absent
    if unlikely(self.mark_start != 0):
        self.mark_applied = read_clock(CLOCK_MONOTONIC)
        histogram_add_two(&self.applied, &track.stages.applied, self.mark_applied - self.mark_parsed)
    if unlikely(m.checksum and m.seen & bit(SLOT_CHECKSUM) and m.slot[SLOT_CHECKSUM] != 0):
        if path_checks(track, m):
            track.crc_ok += 1
        else:
            track.crc_bad += 1
            if not self.strict:
                path_lose(self, m.target, WHY_CHECKSUM, 0, final)
                return DONE
            if book.status == BOOK_LIVE:
                path_set_status(self, m.target, BOOK_STALE, WHY_CHECKSUM, 0, final)
    if unlikely(ran_out(book)) and not self.strict:
        path_lose(self, m.target, WHY_DEPTH, 0, 0)
        return DONE
    return DELIVER if (self.wants >> m.kind) & 1 else DONE


cdef inline bint path_checks(Track* track, const Message* m) noexcept nogil:
    """Whether the book gives the checksum of a message.

    Whether a venue writes trailing zeros shows only where a number has one: the other ways are tried before the book
    is said to be wrong, and one that gives the checksum is kept.
    """
    cdef int i
    cdef bint price, qty
    for i in range(4 if m.checksum == CHECKSUM_PAIRS else 1):
        price = track.price_trailing ^ (i & 1)
        qty = track.qty_trailing ^ (i >> 1)
        if checksum_of(m.checksum, track.book, track.price_printed if price else 0, track.qty_printed if qty else 0,
                       track.price_printed, track.qty_printed) == <uint32_t> m.slot[SLOT_CHECKSUM]:
            track.price_trailing = price
            track.qty_trailing = qty
            return True
    return False


cdef inline void path_line(Path* self, int line) noexcept nogil:
    """Judge the number that a message has on its connection; if one is missing, no book of that line can be trusted."""
    cdef Message* m = &self.message
    cdef int32_t i
    m.line_jump = False
    if line < 0 or line >= MAX_LINES or self.count_rule == COUNT_NONE or self.replaying:
        return
    if line_follows(&self.lines[line], self.count_rule, m.slot[SLOT_LINE_SEQ]):
        return
    m.line_jump = True
    self.counts.line_jumps += 1
    if self.strict:
        return
    for i in range(self.engine.symbols.count):
        if self.track[i].line == line and self.track[i].has_snapshot:
            path_lose(self, i, WHY_LINE, 0, m.slot[SLOT_LINE_SEQ])
    if not self.lines[line].lost:
        self.lines[line].lost = True
        self.needs += 1


cdef inline void path_foreign(Path* self, int line) noexcept nogil:
    """A connection sends what cannot be read: whose it is nobody knows, so no book of that line can be trusted."""
    cdef int32_t i
    for i in range(self.engine.symbols.count):
        if self.track[i].line == line and self.track[i].has_snapshot and not self.strict:
            path_lose(self, i, WHY_WIRE, 0, 0)


cdef inline void path_note(Path* self, int32_t target, int old, int new, int why, int64_t expected,
                           int64_t got) noexcept nogil:
    """Note a change of state, to be told when the GIL is held."""
    cdef Change* change
    if unlikely(self.n_changes == self.change_room):
        change = <Change*> realloc(self.change, max(2 * self.change_room, FIRST_CHANGES) * sizeof(Change))
        if change == NULL:
            return                                    # the state itself is changed all the same
        self.change = change
        self.change_room = max(2 * self.change_room, FIRST_CHANGES)
    change = &self.change[self.n_changes]
    self.n_changes += 1
    change.target = target
    change.old = old
    change.new = new
    change.why = why
    change.expected = expected
    change.got = got


cdef inline void path_set_status(Path* self, int32_t target, int status, int why, int64_t expected,
                                 int64_t got) noexcept nogil:
    """Change a book's state."""
    cdef BookData* book = self.track[target].book
    if book.status == status:
        return
    path_note(self, target, book.status, status, why, expected, got)
    book_set_status(book, status)


cdef inline void path_lose(Path* self, int32_t target, int why, int64_t expected, int64_t got) noexcept nogil:
    """A book can no longer be trusted: it is STALE until a new snapshot was joined. Other books go on."""
    cdef Track* track = &self.track[target]
    track.gaps += 1
    self.counts.gaps += 1
    track.old_in_row = 0
    if not self.strict:
        track.has_snapshot = track.ahead = False
        track.pending.size = track.pending.count = 0
        if track.shared != NULL:
            track.shared.held.size = track.shared.held.count = 0
        # Where numbers show no gap a snapshot must not be older than the stream: the next delta asks for it.
        if track.resync == RESYNC_RESUBSCRIBE or (
                self.engine.symbols.target[target].variant & DEPTH_BITS == 0 and self.link != LINK_RISES):
            track.wants_snapshot = True
            self.needs += 1
    path_set_status(self, target, BOOK_STALE if track.ever_live else BOOK_SYNCING, why, expected, got)


cdef inline void path_keep(Path* self, int32_t target, const char* data, Py_ssize_t size, int64_t receive_ns,
                           int line) noexcept nogil:
    """Keep a delta until the snapshot is there, and ask for that."""
    cdef Track* track = &self.track[target]
    if unlikely(not pending_add(&track.pending, data, size, receive_ns, line)):
        track.stale += track.pending.count
        path_lose(self, target, WHY_OVERFLOW, 0, 0)
        pending_add(&track.pending, data, size, receive_ns, line)
    if track.book.status == BOOK_EMPTY:
        path_set_status(self, target, BOOK_SYNCING, WHY_FIRST_DELTA, 0, 0)
    if not track.wants_snapshot:
        track.wants_snapshot = True
        self.needs += 1


cdef inline Status path_convert(Path* self, const char* data, Py_ssize_t* offset) noexcept nogil:
    """Turn the message's tokens into values at the instrument's scales, which widen where the wire asks for it."""
    cdef Message* m = &self.message
    cdef const Target* target = &self.engine.symbols.target[m.target]
    cdef Status status = convert_message(&self.engine, data, m, target.price_scale, target.qty_scale, offset)
    if status == NEEDS_SCALE:
        if not path_widen(self, m.target, m.price_decimals, 0, False):
            return NO_FIT
        m.own = not path_widen(self, m.target, 0, m.qty_decimals, False)
        status = convert_message(&self.engine, data, m, target.price_scale, target.qty_scale, offset)
        if status == NEEDS_SCALE:                     # a trade or a quote: what the book holds has to give way
            if not path_widen(self, m.target, 0, m.qty_decimals, True):
                return NO_FIT
            status = convert_message(&self.engine, data, m, target.price_scale, target.qty_scale, offset)
            if status == NEEDS_SCALE:
                return NO_FIT
    if status == OK and m.checksum and m.kind == KIND_SNAPSHOT:
        track_printed(&self.track[m.target], m)
    return status


cdef inline bint path_widen(Path* self, int32_t target, int price_decimals, int qty_decimals, bint own) noexcept nogil:
    """Widen an instrument's scales to these decimals; False if what is held does not fit them.

    `own`: quantities of the book that do not fit become own quantities (orderbook.quantity).
    """
    cdef Target* scales = &self.engine.symbols.target[target]
    cdef Track* track = &self.track[target]
    cdef int price_more = max(price_decimals - scales.price_scale, 0)
    cdef int qty_more = max(qty_decimals - scales.qty_scale, 0)
    if price_more > MAX_SCALE or qty_more > MAX_SCALE or not track_fits(track, TEN[price_more], TEN[qty_more]):
        return False
    if price_more:
        # Whatever can fail comes first: the book and what is kept beside it always count in the same units.
        if not book_takes_price(track.book, price_more) or not track_widen(track, TEN[price_more], 1):
            return False
        book_widen_price(track.book, price_more)
        scales.price_scale += price_more
    if qty_more:
        if book_widen_qty(track.book, qty_more, own) != OK:
            return False
        track_widen(track, 1, TEN[qty_more])
        scales.qty_scale += qty_more
    return True
