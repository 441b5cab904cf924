"""Collector: a handler that turns what a pipeline tells into rows, without a Python object per level.

Rows go into arrays of fixed size; a full one is handed to `full(name, rows)`, which must have copied it on return. What
a row means stands in feeds.export.tables.
"""

from libc.stdint cimport int8_t, int32_t, int64_t
from libc.string cimport memcmp, memcpy, memset
from orderbook.book cimport Book
from orderbook.core cimport BookData, side_price
from orderbook.ladder cimport Ladder, Walk, ladder_get, walk_next, walk_start
from orderbook.quantity cimport OWN_DECIMALS, OWN_DIGITS, qty_is_own
from orderbook.types cimport BOOK_LIVE
from orderbook.update cimport Levels
from feeds.events cimport Quote, Trade
from feeds.handler cimport Changes, Handler
from feeds.message cimport KIND_QUOTE, KIND_TRADE, WANTS_LEVELS

import numpy as np

cdef struct Head:
    # What every row begins with.
    int64_t receive_ns            # our clock, never falling from row to row
    int64_t exchange_ns           # the venue's, 0 if absent
    int64_t message               # number of the message in this collection, over all tables
    int32_t symbol                # index of `Collector.names`
    int8_t price_scale
    int8_t qty_scale
    int8_t mark                   # side of a level or a trade, the state a book left; its state in other rows
    int8_t more                   # whether a level is one of a whole book; the state that a book came to

cdef struct LevelRow:
    Head head
    int64_t sequence
    int64_t price
    int64_t qty

cdef struct TradeRow:
    Head head
    int64_t trade_id
    int64_t price
    int64_t qty

cdef struct QuoteRow:
    Head head
    int64_t sequence
    int64_t bid_price
    int64_t bid_qty
    int64_t ask_price
    int64_t ask_qty

cdef struct StateRow:
    Head head                     # its symbol is the index of a book: see `Collector.book_codes`
    int64_t reason                # index of `Collector.reasons`

cdef struct TopRow:
    # Before the levels: bid prices, bid quantities, ask prices, ask quantities, `depth` of each.
    Head head
    int64_t sequence


cdef class _Rows:
    """Rows of one table."""

    cdef readonly str name
    cdef readonly object array
    cdef unsigned char[::1] bytes
    cdef Py_ssize_t size, count, room

    def __cinit__(self, str name, dtype, Py_ssize_t room):
        self.name = name
        self.array = np.zeros(room, dtype)
        self.bytes = self.array.view(np.uint8)
        self.size = self.array.itemsize
        self.room = room


cdef class _Known:
    """What is known of one book."""

    cdef Book book
    cdef int32_t number           # index of the book,
    cdef int32_t code             # and of its name; -1 until its market and depth were told
    cdef bint joined              # the rows so far give the book as it was at `version`
    cdef unsigned int version
    cdef object top, row          # one row of the table of snapshots, and of that of features: as it is now
    cdef unsigned char[::1] top_bytes, row_bytes
    cdef object measure           # called without arguments, fills in
    cdef const unsigned char[::1] measured    # the features of the book
    cdef bint has_top             # there was a LIVE book


cdef class Collector(Handler):
    """Collects rows: see feeds.export.tables.

    Parameters: tables -- name of a table -> dtype of its rows: of book, trades, quotes, states, snapshots, features.
    full -- called with the name and the rows of a table that is full. depth -- levels of a snapshot. every -- ns
    between rows of snapshots and features, 0: whenever something has changed. idle -- ns without any message after
    which such rows end until the next one. measure -- called with a book; gives what is to be called at its changes,
    and the bytes that this fills with features, 8 of each. blank -- bytes of the features of a book that is not LIVE.
    summed -- which of them is a sum over the time of a row, -1 none. room -- rows in memory of each table.
    """

    cdef readonly list names      # of the books' symbols, by code
    cdef readonly list reasons    # of changes of state
    cdef readonly object scales   # by code: the widest price_scale and qty_scale, as int8 of shape (n, 2)
    cdef int8_t[:, ::1] scale
    cdef dict known               # Book -> _Known, in the order of their numbers
    cdef dict codes               # name -> code
    cdef dict reason_codes
    cdef public tuple markets     # names of the venue's
    cdef object full, measure
    cdef _Rows book_rows, trade_rows, quote_rows, state_rows, top_rows, feature_rows
    cdef int depth, summed
    cdef int64_t every, idle
    cdef int64_t due              # next moment at which rows are made, if they are made at moments
    cdef int64_t time             # latest that was told
    cdef int64_t message
    cdef const unsigned char[::1] blank
    cdef object scratch           # room for the levels of one row
    cdef unsigned char[::1] scratch_bytes

    def __cinit__(self, dict tables, full, int depth=0, int64_t every=0, int64_t idle=0, measure=None,
                  blank=None, int summed=-1, Py_ssize_t room=1 << 15):
        self.names = []
        self.reasons = []
        self.known = {}
        self.codes = {}
        self.reason_codes = {}
        self.scale = self.scales = np.zeros((64, 2), np.int8)
        self.scratch = np.zeros(32 * depth + 1, np.uint8)
        self.scratch_bytes = self.scratch
        self.markets = ()
        self.full = full
        self.measure = measure
        self.depth = depth
        self.summed = summed
        self.blank = blank
        self.every = every
        self.idle = idle
        self.wants = 0
        made = {name: _Rows(name, dtype, room) for name, dtype in tables.items()}
        self.book_rows = made.get("book")
        self.trade_rows = made.get("trades")
        self.quote_rows = made.get("quotes")
        self.state_rows = made.get("states")
        self.top_rows = made.get("snapshots")
        self.feature_rows = made.get("features")
        if self.book_rows is not None or self.top_rows is not None or self.feature_rows is not None:
            self.wants |= WANTS_LEVELS
        if self.trade_rows is not None:
            self.wants |= 1 << KIND_TRADE
        if self.quote_rows is not None:
            self.wants |= 1 << KIND_QUOTE

    def finish(self):
        """Hand over what is left, and the rows that are due up to the last message."""
        cdef _Rows rows
        self.make_due(self.time + 1)
        for rows in (self.book_rows, self.trade_rows, self.quote_rows, self.state_rows, self.top_rows,
                     self.feature_rows):
            if rows is not None and rows.count:
                self.flush(rows)

    def book_codes(self):
        """Index of the name of every book, by the index that rows of states have."""
        cdef _Known known
        cdef list codes = []
        for known in self.known.values():
            codes.append(known.code if known.code >= 0 else self.code(known.book.symbol))
        return codes

    # ---- rows

    cdef int flush(self, _Rows rows) except -1:
        cdef Py_ssize_t count = rows.count
        rows.count = 0
        self.full(rows.name, rows.array[:count])
        return 0

    cdef void* add(self, _Rows rows) except NULL:
        """A new row; what it was filled with last time is still in it."""
        if rows.count == rows.room:
            self.flush(rows)
        rows.count += 1
        return &rows.bytes[0] + (rows.count - 1) * rows.size

    cdef int keep(self, _Rows rows, unsigned char[::1] row) except -1:
        memcpy(self.add(rows), &row[0], rows.size)
        return 0

    cdef int at(self, int64_t ns) except -1:
        """A message came: rows that were due before it are those of the books as they were."""
        if ns > self.time:
            if self.every and self.time:
                self.make_due(ns)
            elif self.every:
                self.due = (ns + self.every - 1) // self.every * self.every
            self.time = ns
        self.message += 1
        return 0

    cdef int make_due(self, int64_t ns) except -1:
        """The rows of the moments before `ns`."""
        cdef _Known known
        cdef bint silent = ns - self.time > self.idle
        if self.every == 0 or self.time == 0:
            return 0
        while self.due < ns:
            if silent and self.due > self.time + self.idle:
                self.due = (ns + self.every - 1) // self.every * self.every
                return 0
            for known in self.known.values():
                if known.has_top:
                    if self.top_rows is not None:
                        (<Head*> &known.top_bytes[0]).receive_ns = self.due
                        self.keep(self.top_rows, known.top_bytes)
                    if self.feature_rows is not None:
                        (<Head*> &known.row_bytes[0]).receive_ns = self.due
                        self.keep(self.feature_rows, known.row_bytes)
                        if self.summed >= 0 and (<Head*> &known.row_bytes[0]).mark == BOOK_LIVE:
                            (<double*> &known.row_bytes[sizeof(Head)])[self.summed] = 0.0
            self.due += self.every
        return 0

    # ---- books by name

    cdef int32_t code(self, str name) except -1:
        code = self.codes.get(name)
        if code is None:
            code = self.codes[name] = len(self.names)
            self.names.append(name)
            if code == len(self.scales):
                self.scale = self.scales = np.concatenate([self.scales, np.zeros_like(self.scales)])
        return code

    cdef void stand(self, Head* head, int64_t exchange_ns, int32_t code, int price_scale, int qty_scale) noexcept:
        """Begin a row of the message at work."""
        head.receive_ns = self.time
        head.exchange_ns = exchange_ns
        head.message = self.message
        head.symbol = code
        head.price_scale = price_scale
        head.qty_scale = qty_scale
        head.mark = head.more = 0
        self.scale[code, 0] = max(self.scale[code, 0], head.price_scale)
        self.scale[code, 1] = max(self.scale[code, 1], head.qty_scale)

    cdef _Known meet(self, Book book):
        """What is known of a book."""
        cdef _Known known = self.known.get(book)
        if known is None:
            known = _Known()
            known.book = book
            known.number = len(self.known)
            known.code = -1
            self.known[book] = known
            if self.top_rows is not None:
                known.top = np.zeros(1, self.top_rows.array.dtype)
                known.top_bytes = known.top.view(np.uint8)
            if self.feature_rows is not None:
                known.row = np.zeros(1, self.feature_rows.array.dtype)
                known.row_bytes = known.row.view(np.uint8)
                known.measure, known.measured = self.measure(book)
        return known

    cdef int name(self, _Known known, const Changes* changes) except -1:
        """Name a book: by its symbol, and by what else tells it from another one of that symbol."""
        cdef _Known other
        cdef str name = known.book.symbol
        if changes.depth:
            name = f"{name}#{changes.depth}"
        for other in self.known.values():
            if other.code >= 0 and self.names[other.code] == name:
                other_market = changes.market < len(self.markets) and self.markets[changes.market]
                name = f"{name}@{other_market or known.number}"
                break
        known.code = self.code(name)
        return 0

    # ---- what a pipeline tells

    cdef int levels(self, Book book, const Changes* changes) except -1:
        cdef BookData* data = book.data
        cdef _Known known = self.meet(book)
        cdef Head head
        if known.code < 0:
            self.name(known, changes)
        if changes.bids == NULL and known.joined and known.version == data.version:
            return 0                                      # told already
        self.at(self.now)
        self.stand(&head, data.exchange_ns, known.code, data.price_scale, data.qty_scale)
        head.mark = BOOK_LIVE
        if self.book_rows is not None:
            if changes.bids == NULL or not known.joined:
                self.add_whole(data, &head)
            else:
                self.add_changes(data, &data.bids, changes.bids, 0, &head)
                self.add_changes(data, &data.asks, changes.asks, 1, &head)
        known.joined = True
        known.version = data.version
        if self.top_rows is not None:
            self.take_top(known, &head)
        if self.feature_rows is not None:
            self.take_features(known, &head)
        return 0

    cdef int add_level(self, const BookData* data, const Head* head, int side, bint is_snapshot, int64_t price,
                       int64_t qty) except -1:
        cdef LevelRow* row = <LevelRow*> self.add(self.book_rows)
        row.head = head[0]
        row.head.mark = side
        row.head.more = is_snapshot
        row.sequence = data.sequence
        row.price = price
        row.qty = qty
        if qty_is_own(qty):
            row.qty = <int64_t> (<unsigned long long> qty & OWN_DIGITS)
            row.head.qty_scale = <int8_t> ((<unsigned long long> qty >> 57) & OWN_DECIMALS)
        return 0

    cdef int add_changes(self, const BookData* data, const Ladder* side, const Levels* levels, int number,
                         const Head* head) except -1:
        cdef int64_t i
        for i in range(levels.count):
            self.add_level(data, head, number, False, levels.price[i], ladder_get(side, levels.rank[i]))
        return 0

    cdef int add_whole(self, const BookData* data, const Head* head) except -1:
        """The whole book; an empty one is a level of no quantity."""
        cdef Walk walk
        cdef int64_t rank, qty
        cdef int number
        cdef const Ladder* side
        for number in range(2):
            side = &data.asks if number else &data.bids
            walk_start(&walk, side)
            while walk_next(&walk, &rank, &qty):
                self.add_level(data, head, number, True, side_price(data, side, rank), qty)
        if data.bids.best == NULL and data.asks.best == NULL:
            self.add_level(data, head, 0, True, 0, 0)
        return 0

    cdef int take_top(self, _Known known, const Head* head) except -1:
        """The best levels as they are now; a row of them if they are made at every change, and this is one."""
        cdef TopRow* row = <TopRow*> &known.top_bytes[0]
        cdef BookData* data = known.book.data
        cdef size_t size = 4 * self.depth * sizeof(int64_t)
        cdef unsigned char* levels = &known.top_bytes[0] + sizeof(TopRow)
        cdef bint changed = (row.head.mark != BOOK_LIVE or row.head.price_scale != head.price_scale
                             or row.head.qty_scale != head.qty_scale)
        top_side(data, &data.bids, self.depth, <int64_t*> &self.scratch_bytes[0])
        top_side(data, &data.asks, self.depth, <int64_t*> &self.scratch_bytes[0] + 2 * self.depth)
        changed = changed or memcmp(levels, &self.scratch_bytes[0], size) != 0
        memcpy(levels, &self.scratch_bytes[0], size)
        row.head = head[0]
        row.sequence = data.sequence
        known.has_top = True
        if self.every == 0 and changed:
            self.keep(self.top_rows, known.top_bytes)
        return 0

    cdef int take_features(self, _Known known, const Head* head) except -1:
        cdef double* values = <double*> &known.row_bytes[sizeof(Head)]
        cdef double before = 0.0
        if self.every and self.summed >= 0 and (<Head*> &known.row_bytes[0]).mark == BOOK_LIVE:
            before = values[self.summed]
        known.measure()
        (<Head*> &known.row_bytes[0])[0] = head[0]
        memcpy(values, &known.measured[0], known.measured.shape[0])
        if self.summed >= 0:
            values[self.summed] += before
        known.has_top = True
        if self.every == 0:
            self.keep(self.feature_rows, known.row_bytes)
        return 0

    cdef int trade(self, Trade trade) except -1:
        cdef TradeRow* row
        self.at(self.now)
        row = <TradeRow*> self.add(self.trade_rows)
        self.stand(&row.head, trade.exchange_ns, self.code(trade.symbol), trade.price_scale, trade.qty_scale)
        row.head.mark = trade.side
        row.trade_id = trade.trade_id
        row.price = trade.price_int
        row.qty = trade.qty_int
        return 0

    cdef int quote(self, Quote quote) except -1:
        cdef QuoteRow* row
        self.at(self.now)
        row = <QuoteRow*> self.add(self.quote_rows)
        self.stand(&row.head, quote.exchange_ns, self.code(quote.symbol), quote.price_scale, quote.qty_scale)
        row.sequence = quote.sequence
        row.bid_price = quote.bid_price_int
        row.bid_qty = quote.bid_qty_int
        row.ask_price = quote.ask_price_int
        row.ask_qty = quote.ask_qty_int
        return 0

    cdef int status(self, Book book, old, new, str reason) except -1:
        cdef _Known known
        cdef StateRow* row
        if book is None or old is new:
            return 0
        known = self.meet(book)
        self.at(self.now)
        if new != BOOK_LIVE:
            known.joined = False
            if known.has_top:
                self.drop(known, new)
        if self.state_rows is None:
            return 0
        if reason not in self.reason_codes:
            self.reason_codes[reason] = len(self.reasons)
            self.reasons.append(reason)
        row = <StateRow*> self.add(self.state_rows)
        row.head.receive_ns = self.time
        row.head.exchange_ns = 0
        row.head.message = self.message
        row.head.symbol = known.number
        row.head.price_scale = book.data.price_scale
        row.head.qty_scale = book.data.qty_scale
        row.head.mark = old
        row.head.more = new
        row.reason = self.reason_codes[reason]
        return 0

    cdef int drop(self, _Known known, int status) except -1:
        """A book is not LIVE any more: from here on its rows hold no numbers, but say so."""
        if self.top_rows is not None:
            memset(&known.top_bytes[sizeof(TopRow)], 0, self.top_rows.size - sizeof(TopRow))
            self.drop_row(self.top_rows, known.top_bytes, status)
        if self.feature_rows is not None:
            memcpy(&known.row_bytes[sizeof(Head)], &self.blank[0], self.blank.shape[0])
            self.drop_row(self.feature_rows, known.row_bytes, status)
        return 0

    cdef int drop_row(self, _Rows rows, unsigned char[::1] row, int status) except -1:
        cdef Head* head = <Head*> &row[0]
        cdef bint was_live = head.mark == BOOK_LIVE
        head.mark = status
        head.receive_ns = self.time
        head.exchange_ns = 0
        head.message = self.message
        if self.every == 0 and was_live:
            self.keep(rows, row)
        return 0


cdef void top_side(const BookData* data, const Ladder* side, int depth, int64_t* levels) noexcept:
    """Prices, then quantities of the best levels of a side; 0 where there is none."""
    cdef Walk walk
    cdef int64_t rank, qty
    cdef int i
    memset(levels, 0, 2 * depth * sizeof(int64_t))
    walk_start(&walk, side)
    for i in range(depth):
        if not walk_next(&walk, &rank, &qty):
            break
        levels[i] = side_price(data, side, rank)
        levels[depth + i] = qty
