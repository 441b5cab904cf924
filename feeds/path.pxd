"""THE HOT PATH: wire bytes -> message -> verdict -> book.

`path_step` is the whole path of a message that looks like those before it: read it by its stream's learned layout,
judge its numbers, apply it. It is all C: it runs without the GIL and makes no Python object. What it leaves to be done,
a frame that no layout fits or a message that a handler wants, it says in its result.
"""

from libc.stdint cimport int32_t, int64_t, INT64_MAX, INT64_MIN
from orderbook.core cimport (BookData, MAX_SCALE, TEN, book_apply_delta, book_apply_snapshot, book_crossed,
                             book_set_status, book_widen_price, book_widen_qty)
from orderbook.ladder cimport likely, unlikely
from orderbook.types cimport Status, OK, NEEDS_SCALE, NO_FIT, BOOK_EMPTY, BOOK_SYNCING, BOOK_LIVE, BOOK_STALE
from feeds.engine cimport Engine, frame_function
from feeds.latency cimport CLOCK_MONOTONIC, Histogram, histogram_add, read_clock
from feeds.message cimport (Message, bit, time_ns, KIND_DELTA, KIND_QUOTE, KIND_SNAPSHOT, KIND_TRADE, N_KINDS,
                            SLOT_AGGRESSOR, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY,
                            SLOT_EVENT_TIME, SLOT_FIRST_SEQ, SLOT_LAST_SEQ, SLOT_MAKER_BOUGHT, SLOT_PREV_SEQ,
                            SLOT_PRICE, SLOT_QTY, SLOT_TIME, SLOT_TRADE_ID)
from feeds.parser cimport convert_message
from feeds.symbols cimport Target
from feeds.sync cimport APPLY, LOOSE, OLD, judge
from feeds.track cimport (OLD_IN_A_ROW, Track, WHY_DEPTH, WHY_FIRST_DELTA, WHY_GAP, WHY_NOT_APPLIED, WHY_OLD,
                          WHY_OVERFLOW, WHY_SNAPSHOT, next_version, pending_add, track_add_qty, track_fits, track_widen)

cdef enum:
    # What `path_step` leaves to be done with the GIL.
    DONE = 0
    DELIVER = 1                   # a handler wants the message
    CAREFUL = 2                   # no learned layout fits

cdef enum:
    MAX_CHANGES = 256             # changes of state that can wait to be told

cdef struct Change:
    int32_t target
    int old
    int new
    int why                       # WHY_...
    int64_t expected              # numbers for the text of a gap
    int64_t got

cdef struct Counters:
    int64_t frames, bytes, fast, slow, errors, ignored, control, resyncs, gaps, stale
    int64_t kind[N_KINDS]         # messages by kind

cdef struct Path:
    Engine engine                 # what is learned of the venue's frames
    frame_function read           # of the runner
    Message message               # the message at work
    Track* track                  # by index of the instrument. Owned
    int32_t track_room
    int link                      # the venue's sequence rule
    bint strict                   # breaks are counted and applied (on_gap="count")
    bint replaying                # kept deltas are being taken
    int wants                     # bits of the kinds that are delivered
    int64_t needs                 # changes whenever something is wanted from outside, or no longer
    Counters counts
    int n_changes
    Change change[MAX_CHANGES]
    int sample_every              # messages per latency sample
    int sample_left
    int64_t mark_start            # clock of the message being sampled, 0 if it is not: taken,
    int64_t mark_parsed           # read,
    int64_t mark_applied          # applied
    Histogram parsed, applied, handled


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
    if unlikely(self.read(&self.engine, data, data + size, data + size + slack, &self.message) != OK):
        return CAREFUL
    self.counts.fast += 1
    return path_act(self, data, size, receive_ns, line)


cdef inline int path_act(Path* self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
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
        return path_delta(self, data, size, receive_ns, line)
    return DELIVER if (self.wants >> m.kind) & 1 else DONE


cdef inline int path_delta(Path* self, const char* data, Py_ssize_t size, int64_t receive_ns, int line) noexcept nogil:
    """Judge a book message and apply it."""
    cdef Message* m = &self.message
    cdef Track* track = &self.track[m.target]
    cdef int64_t final = m.slot[SLOT_LAST_SEQ]
    cdef int verdict
    track.line = line
    if unlikely(m.kind == KIND_SNAPSHOT):             # a whole book in the stream needs no join
        return path_apply(self, track, receive_ns)
    if unlikely(not track.has_snapshot):
        path_keep(self, m.target, data, size, receive_ns, line)
        return DONE
    verdict = judge(self.link, track.joined, track.last, m.slot[SLOT_FIRST_SEQ], final, m.slot[SLOT_PREV_SEQ])
    if unlikely(verdict != APPLY):
        if verdict == OLD and (not track.joined or not self.strict):
            track.stale += 1
            self.counts.stale += 1
            track.old_in_row += 1
            if not self.strict and track.joined and track.old_in_row > OLD_IN_A_ROW:
                path_lose(self, m.target, WHY_OLD, track.last, final)
            return DONE
        if self.strict:
            track.breaks += 1
            track.gaps += 1
            self.counts.gaps += 1
            if track.book.status == BOOK_LIVE:
                path_set_status(self, m.target, BOOK_STALE, WHY_GAP, track.last, m.slot[SLOT_FIRST_SEQ])
        elif verdict != LOOSE:
            path_lose(self, m.target, WHY_GAP, track.last, m.slot[SLOT_FIRST_SEQ])
            path_keep(self, m.target, data, size, receive_ns, line)
            return DONE
    return path_apply(self, track, receive_ns)


cdef inline bint ran_out(const BookData* book) noexcept nogil:
    """Whether a side is empty of which the snapshot did not tell all: there are levels, but they are not known."""
    return ((book.touch.bid_qty == 0 and book.trusted_bid != INT64_MIN)
            or (book.touch.ask_qty == 0 and book.trusted_ask != INT64_MAX))


cdef inline int path_apply(Path* self, Track* track, int64_t receive_ns) noexcept nogil:
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
        status = book_apply_snapshot(book, &m.bids, &m.asks, m.slot[SLOT_LAST_SEQ], exchange_ns, receive_ns,
                                     BOOK_LIVE)
    else:
        status = book_apply_delta(book, &m.bids, &m.asks, m.slot[SLOT_LAST_SEQ], exchange_ns, receive_ns)
    if unlikely(status != OK):
        self.counts.errors += 1
        path_lose(self, m.target, WHY_NOT_APPLIED, status, m.slot[SLOT_LAST_SEQ])
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
            path_note(self, m.target, old, BOOK_LIVE, WHY_SNAPSHOT, 0, 0)
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
    if unlikely(ran_out(book)) and not self.strict:
        path_lose(self, m.target, WHY_DEPTH, 0, 0)
        return DONE
    return DELIVER if (self.wants >> m.kind) & 1 else DONE


cdef inline void path_note(Path* self, int32_t target, int old, int new, int why, int64_t expected,
                           int64_t got) noexcept nogil:
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
        track.has_snapshot = False
        track.pending.size = track.pending.count = 0
        if self.engine.symbols.target[target].depth == 0:
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
    cdef Status status = convert_message(data, m, target.price_scale, target.qty_scale, offset)
    if status != NEEDS_SCALE:
        return status
    if not path_widen(self, m.target, m.price_decimals, m.qty_decimals):
        return NO_FIT
    return convert_message(data, m, target.price_scale, target.qty_scale, offset)


cdef inline bint path_widen(Path* self, int32_t target, int price_decimals, int qty_decimals) noexcept nogil:
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
