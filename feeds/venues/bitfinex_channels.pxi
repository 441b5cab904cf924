# What the numbers of Bitfinex' channels mean, as a connection has said: part of bitfinex.pyx.

from libc.stdint cimport int64_t
from libc.string cimport memcmp, memset
from feeds.fields cimport notes_add
from feeds.message cimport KIND_CONTROL, MAX_NAME
from feeds.scan cimport begins, find_count, find_text, find_value, skip_object


cdef inline Note* find_channel(BitfinexParser self, int64_t number) noexcept nogil:
    """A channel of the present line, NULL if it is not known."""
    cdef int i
    for i in range(self.notes.count):
        if self.notes.note[i].id == number and self.notes.note[i].line == self.line:
            return &self.notes.note[i]
    return NULL


cdef inline int flags_of(BitfinexParser self) noexcept nogil:
    """Flags of the present line."""
    cdef const Note* channel = find_channel(self, FLAGS)
    return 0 if channel == NULL else channel.depth


cdef inline bint forget_line(BitfinexParser self) noexcept nogil:
    """Forget all of the present line, which was opened anew; whether anything was known."""
    cdef int i, kept = 0, before = self.notes.count
    for i in range(before):
        if self.notes.note[i].line != self.line:
            self.notes.note[kept] = self.notes.note[i]
            kept += 1
    self.notes.count = kept
    return kept != before


cdef inline bint add_channel(BitfinexParser self, Cursor* c, const Note* new) noexcept nogil:
    """Note what a channel carries; whether its number meant another one before."""
    cdef Note* channel = find_channel(self, new.id)
    cdef bint changed
    if channel == NULL:
        notes_add(c, &self.notes, new)
        return False                              # frames of an unknown channel are never learned
    changed = (channel.what != new.what or channel.depth != new.depth or channel.size != new.size
               or memcmp(channel.name, new.name, new.size) != 0)
    channel[0] = new[0]
    return changed


cdef inline void object_frame(BitfinexParser self, Cursor* c, Message* m) noexcept nogil:
    # {"event":"subscribed","channel":"book","chanId":225206,"symbol":"tDOGUSD","prec":"P0","freq":"F0","len":"100",
    #  "pair":"DOGUSD"}; status channels have "key":"deriv:tBTCF0:USTF0" or "key":"liq:global" in place of a symbol.
    # {"event":"info","version":2,...} is the first frame of a connection. {"event":"conf","status":"OK","flags":65536}
    cdef Text event, channel, symbol, precision
    cdef Cursor version
    cdef Note new
    cdef bint is_first
    memset(&new, 0, sizeof(Note))
    m.kind = KIND_CONTROL
    find_text(c, b"event", &event)
    find_text(c, b"channel", &channel)
    find_text(c, b"prec", &precision)
    if not find_text(c, b"symbol", &symbol):
        find_text(c, b"key", &symbol)
    new.line = self.line
    new.id = FLAGS if word_is(&event, b"conf") else find_count(c, b"chanId")
    new.depth = <int> find_count(c, b"flags" if new.id == FLAGS else b"len")
    is_first = word_is(&event, b"info") and find_value(c, b"version", &version)
    if not skip_object(c) or not at_end(c):
        return
    if new.id == FLAGS:
        m.relearn = new.depth != flags_of(self)
        add_channel(self, c, &new)
    elif is_first:
        m.relearn = forget_line(self)
    elif word_is(&event, b"unsubscribed"):
        m.relearn = find_channel(self, new.id) != NULL and add_channel(self, c, &new)
    elif word_is(&event, b"subscribed"):
        new.what = carried(&channel, &symbol, &precision)
        if new.what != NOTHING:
            new.size = symbol.size
            memcpy(new.name, symbol.data, symbol.size)
        m.relearn = add_channel(self, c, &new)


cdef inline int carried(const Text* channel, Text* symbol, const Text* precision) noexcept nogil:
    """What a channel carries; of the key of a perpetual's status the symbol is left."""
    if begins(symbol, b"deriv:t"):
        symbol.data += 6
        symbol.size -= 6
        return DERIVATIVE if symbol.size <= MAX_NAME else NOTHING
    if word_is(symbol, b"liq:global"):
        return LIQUIDATIONS
    if symbol.size > MAX_NAME or not begins(symbol, b"t"):
        return NOTHING
    if word_is(channel, b"book"):
        return BOOK if word_is(precision, b"P0") else NOTHING
    return TRADES if word_is(channel, b"trades") else TICKER if word_is(channel, b"ticker") else NOTHING
