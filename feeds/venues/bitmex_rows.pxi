# Rows of BitMEX' books, which are known by their ids: part of bitmex.pyx.

from libc.string cimport memchr, memcmp
from orderbook.types cimport BAD_VALUE
from feeds.message cimport (KIND_DELTA, SEEN_BOTH, SLOT_LEVEL_GONE, SLOT_LEVEL_ID, SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY,
                            SLOT_LEVEL_SIDE, SLOT_TIME, TAKE_LEVELS, TAKE_TIME, WORD_ASK, WORD_BID)
from feeds.scan cimport fail, next_item, open_array, read_text, take, text_is


cdef void rows(BitmexParser self, Cursor* c, Message* m, bint first) noexcept nogil:
    """The rows of one symbol, and where those of the next begin; `first`: stand before the array, and behind it."""
    # [{"symbol":"XBTUSD","id":8796766500,"side":"Sell","size":100},{"symbol":"XBTUSD","id":8796792800,...}]
    cdef const Form* form = ROW
    cdef const char* data = c.pos
    cdef const char* start
    cdef const char* row
    cdef const char* past
    cdef const char* rest
    cdef Text key, symbol, name, time
    cdef int n = 0
    symbol.data = NULL
    symbol.size = time.size = 0
    m.kind = KIND_DELTA
    m.depth = 25 if self.table.size == 14 else 0
    if word_is(&self.action, b"partial"):
        m.kind = KIND_SNAPSHOT
    elif word_is(&self.action, b"update"):
        form = CHANGED
    elif word_is(&self.action, b"delete"):
        form = REMOVED
    elif not word_is(&self.action, b"insert"):
        fail(c, BAD_VALUE, b"the action partial, insert, update or delete")
    if first and not (open_array(c) and next_item(c)):
        m.kind = KIND_IGNORED                 # nothing has happened
        return
    peek(c)
    start = row = past = c.pos
    while not c.status:
        name.data = NULL
        name.size = 0
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"symbol") and peek(c) == c'"':
                read_text(c, &name)
            elif n == 0 and word_is(&key, b"timestamp") and peek(c) == c'"':
                read_text(c, &time)
            else:
                skip_value(c)
        if n and (name.size != symbol.size or (name.size and not text_is(&name, symbol.data, symbol.size))):
            m.more = row
            break
        symbol = name
        n += 1
        past = c.pos
        if not next_item(c):
            break
        peek(c)
        row = c.pos
        if first and n == 1 and symbol.data != NULL:
            rest = same_rows(row, c.end, start, symbol.data + symbol.size + 1 - start)
            if rest != NULL:
                c.pos = past = rest           # all rows; what is in them is checked where they are converted
                n = 2
                break
    if first and m.more == NULL and n == 1 and m.kind == KIND_DELTA and time.size:
        c.pos = start
        only_row(self, c, m)
        next_item(c)
        return
    m.symbol = symbol.data
    m.symbol_size = symbol.size
    if time.size:
        form = TIMED_ROW if form == ROW else TIMED_CHANGED if form == CHANGED else TIMED_REMOVED
    if not first or m.more != NULL:
        take_rows(c, m, form, start, past)
    else:
        take_rows(c, m, form, data, c.pos)
    if time.size:
        take(c, TAKE_TIME, SLOT_TIME, time.data, time.data + time.size, True)
    while first and m.more != NULL and next_item(c):    # rows of other symbols
        skip_value(c)


cdef void only_row(BitmexParser self, Cursor* c, Message* m) noexcept nogil:
    """The only row of a frame that tells a time, as most of them have."""
    # {"symbol":"ETHUSD","id":29699964036,"side":"Buy","size":93,"price":1798.2,
    #  "timestamp":"2022-06-04T23:34:52.603Z"}
    cdef bint gone = word_is(&self.action, b"delete")
    cdef const Field* fields = ONE_REMOVED
    m.needed = bit(SLOT_LEVEL_ID) | bit(SLOT_LEVEL_SIDE)
    if word_is(&self.action, b"insert"):
        fields = ONE
        m.needed |= bit(SLOT_LEVEL_PRICE) | bit(SLOT_LEVEL_QTY)
    elif not gone:
        fields = ONE_CHANGED
        m.needed |= bit(SLOT_LEVEL_QTY)
    take_object(c, fields)
    if gone:
        take_constant(c, SLOT_LEVEL_GONE, 1)


cdef inline const char* same_rows(const char* p, const char* end, const char* head, Py_ssize_t size) noexcept nogil:
    """Behind an array that ends the frame, from a row on; NULL if not all rows begin with these bytes, or hold more."""
    while end - p > size and memcmp(p, head, size) == 0:
        p = <const char*> memchr(p, c'}', end - p)
        if p == NULL or end - p < 3:
            return NULL
        if p[1] == c']':
            return p + 2 if end - p == 3 and p[2] == c'}' else NULL
        if p[1] != c',':
            return NULL
        p += 2
    return NULL


cdef inline void take_rows(Cursor* c, Message* m, const Form* form, const char* first, const char* past) noexcept nogil:
    """Take rows that are known to be rows: a whole array, or some of it without brackets."""
    m.needed = bit(SEEN_BOTH)
    if take(c, TAKE_LEVELS, 2, first, past, False) and c.message != NULL:
        c.message.token[c.message.n_tokens - 1].form = form
        c.message.seen |= form.seen


cdef dict LEVEL_NAME = {**NAME, **HAPPENED, "id": "level_id", "side": "level_side"}
cdef dict SIDES = {"Buy": WORD_BID, "Sell": WORD_ASK}

# The price of an update is the one its id has: it is left out, so that an id that is not known shows.
cdef Form* TIMED_ROW = list_form({"id": "id", "side": "word", "size": "qty", "price": "price"}, SIDES)
cdef Form* TIMED_CHANGED = list_form({"id": "id", "side": "word", "size": "qty"}, SIDES)
cdef Form* TIMED_REMOVED = list_form({"id": "id", "side": "word"}, SIDES, gone=True)
# Rows without a time, as until 2022: layouts read their lists.
cdef dict UNTIMED = {"symbol": "symbol", "timestamp": "other"}
cdef Form* ROW = list_form({**UNTIMED, "id": "id", "side": "word", "size": "qty", "price": "price"}, SIDES)
cdef Form* CHANGED = list_form({**UNTIMED, "id": "id", "side": "word", "size": "qty"}, SIDES)
cdef Form* REMOVED = list_form({**UNTIMED, "id": "id", "side": "word"}, SIDES, gone=True)

cdef Field* ONE = list_fields({**LEVEL_NAME, "size": "level_qty", "price": "level_price"})
cdef Field* ONE_CHANGED = list_fields({**LEVEL_NAME, "size": "level_qty"})
cdef Field* ONE_REMOVED = list_fields(LEVEL_NAME)
