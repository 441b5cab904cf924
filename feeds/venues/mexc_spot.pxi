# Spot of MEXC, which is protobuf: part of mexc.pyx.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from orderbook.types cimport OK
from feeds.message cimport (KIND_QUOTE, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_EVENT_TIME,
                            SLOT_HIGH, SLOT_LAST, SLOT_LOW, SLOT_PRICE, SLOT_QTY, SLOT_QUOTE_VOLUME, SLOT_SPARE,
                            SLOT_TIME, SLOT_TRADE_ID, SLOT_VOLUME, TAKE_CONSTANT, TAKE_DOUBLE, TAKE_ID, TAKE_INT,
                            TAKE_LEVELS, TAKE_PRICE, TAKE_QTY, TAKE_SYMBOL)
from feeds.protobuf cimport (Numbered, WIRE_SPAN, WIRE_VARINT, enter, leave, list_numbered, next_field, read_span,
                             read_varint, set_value, skip_field, skip_repeated, take_message, take_whole)
from feeds.scan cimport fill_sides, number_at, take

cdef enum:
    # Fields of PushDataV3ApiWrapper (PushDataV3ApiWrapper.proto).
    CHANNEL = 1
    SYMBOL = 3
    SEND_TIME = 6
    DEALS = 301
    LIMIT_DEPTHS = 303
    BOOK_TICKER = 305
    MINI_TICKER = 309
    MINI_TICKERS = 310
    BOOK_TICKER_BATCH = 311
    AGGRE_DEPTHS = 313
    AGGRE_DEALS = 314
    AGGRE_BOOK_TICKER = 315
    # Fields of the depths; in lists of other things 1 is an item.
    ASKS = 1
    BIDS = 2
    FROM_VERSION = 4          # of limit depths, the version
    TO_VERSION = 5
    ITEM = 1


cdef void quick(Cursor* c, Message* m) noexcept nogil:
    """A frame of spot that is one message."""
    cdef Pushed pushed
    if c.pos[0] != c'{' and read_push(c, &pushed):
        take_push(c, m, &pushed)


cdef inline bint read_push(Cursor* c, Pushed* out) noexcept nogil:
    # 0a 2f "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT" 1a 07 "BTCUSDT" 30 ba d2 c3 d1 c4 32 (1736411507002)
    # ca 13 6c (313: the body)
    cdef uint32_t number
    cdef int wire
    cdef uint64_t value
    cdef Text text
    out.channel.size = out.symbol.size = out.body.size = 0
    out.sent = out.what = 0
    while next_field(c, &number, &wire):
        if wire == WIRE_SPAN:
            read_span(c, &text)
            if number == CHANNEL:
                out.channel = text
            elif number == SYMBOL:
                out.symbol = text
            elif DEALS <= number <= AGGRE_BOOK_TICKER:
                out.what = <int> number
                out.body = text
        elif number == SEND_TIME and wire == WIRE_VARINT:
            read_varint(c, &value)
            out.sent = <int64_t> value
        else:
            skip_field(c, number, wire)
    return c.status == OK


cdef inline void take_push(Cursor* c, Message* m, const Pushed* pushed) noexcept nogil:
    """The (first) message of a frame of spot."""
    m.kind = KIND_IGNORED                         # without a body (that happens), or with one of no use
    if pushed.body.size == 0:
        return
    if pushed.what == AGGRE_DEPTHS or pushed.what == LIMIT_DEPTHS:
        depths(c, m, pushed)
    elif pushed.what in (DEALS, AGGRE_DEALS, BOOK_TICKER_BATCH, MINI_TICKERS):
        c.pos = pushed.body.data
        items(c, m, pushed)
    elif pushed.what in (BOOK_TICKER, AGGRE_BOOK_TICKER, MINI_TICKER):
        single(c, m, pushed, &pushed.body)


cdef inline Text part_of(const Text* channel, int which) noexcept nogil:
    """The part of a channel's name behind its last '@' (0), behind the one before that (1)."""
    cdef Text part = channel[0]
    cdef Py_ssize_t end = channel.size, begin = channel.size
    while begin > 0 and (which or channel.data[begin - 1] != c'@'):
        begin -= 1
        if channel.data[begin] == c'@':
            which -= 1
            end = begin
    if begin:                                     # where there is no channel its data are NULL
        part.data += begin
    part.size = end - begin
    return part


cdef inline void dress(Cursor* c, Message* m, const Pushed* pushed) noexcept nogil:
    """What all messages of a push have."""
    cdef Text symbol = pushed.symbol
    if symbol.size == 0:                          # the field is optional, and the channel names it too
        symbol = part_of(&pushed.channel, pushed.what == LIMIT_DEPTHS or pushed.what == MINI_TICKER)
    m.market = SPOT
    m.symbol = symbol.data
    m.symbol_size = symbol.size
    m.once = True                                 # what lies between the values are lengths, not text that repeats
    if pushed.sent:
        set_value(c, SLOT_EVENT_TIME, pushed.sent)


cdef inline void depths(Cursor* c, Message* m, const Pushed* pushed) noexcept nogil:
    # 0a 16 (0a 08 "92877.58" 12 0a "0.00000000"): an ask; 12 0f (0a 08 "92870.00" 12 03 "0.5"): a bid;
    # 1a 27 "spot@public.aggre.depth.v3.api.pb@100ms"; 22 0b "10589632359" 2a 0b "10589632360": fromVersion, toVersion.
    # Limit depths have their version in 22. A side that has nothing to tell has no field.
    cdef uint32_t number
    cdef int wire, side
    cdef bint whole = pushed.what == LIMIT_DEPTHS
    cdef Text text
    cdef const char* end = enter(c, &pushed.body)
    cdef const char* first = c.pos
    cdef const char* begin[2]                     # of the levels of bids, asks
    cdef const char* past[2]
    begin[0] = begin[1] = NULL
    dress(c, m, pushed)
    m.kind = KIND_SNAPSHOT if whole else KIND_DELTA
    m.needed = bit(SLOT_LAST_SEQ) if whole else bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ)
    while next_field(c, &number, &wire):
        if wire != WIRE_SPAN:
            skip_field(c, number, wire)
        elif not read_span(c, &text):
            break
        elif number == ASKS or number == BIDS:
            side = number == ASKS
            skip_repeated(c, number)
            if begin[side] == NULL:
                begin[side] = first
            past[side] = c.pos
        elif number == FROM_VERSION:
            take_whole(c, SLOT_LAST_SEQ if whole else SLOT_FIRST_SEQ, &text)
        elif number == TO_VERSION and not whole:
            take_whole(c, SLOT_LAST_SEQ, &text)
        first = c.pos
    for side in range(2):
        if c.status == OK and begin[side] != NULL:
            take(c, TAKE_LEVELS, side, begin[side], past[side], False)
            m.token[m.n_tokens - 1].form = &PUSHED_ASK if side else &PUSHED_BID
    leave(c, end)
    if whole:                                     # spot@public.limit.depth.v3.api.pb@BTCUSDT@20
        text = part_of(&pushed.channel, 0)
        m.depth = number_at(&text, 0)
        if m.depth == 0:
            fail(c, BAD_VALUE, b"a partial book whose channel tells its depth")


cdef inline void items(Cursor* c, Message* m, const Pushed* pushed) noexcept nogil:
    """The next item of a list, and where the one after it begins."""
    cdef uint32_t number
    cdef int wire
    cdef bint found = False
    cdef Text text
    cdef const char* end = c.end
    cdef const char* first = c.pos
    c.end = pushed.body.data + pushed.body.size
    while m.more == NULL and next_field(c, &number, &wire):
        if number != ITEM or wire != WIRE_SPAN:
            skip_field(c, number, wire)
        elif found:
            m.more = first
        else:
            found = read_span(c, &text)
        first = c.pos
    if found and c.status == OK:
        single(c, m, pushed, &text)
    c.end = end


cdef inline void single(Cursor* c, Message* m, const Pushed* pushed, const Text* body) noexcept nogil:
    """A deal, a best bid and offer, or a ticker."""
    dress(c, m, pushed)
    if pushed.what == DEALS or pushed.what == AGGRE_DEALS:
        # 0a 08 "62383.56" (price) 12 0a "0.00008235" (quantity) 18 02 (tradeType) 20 .. (time) 2a .. (tradeId)
        expect(m, KIND_TRADE)
        take_message(c, body, PUSHED_DEAL)
        if m.seen & bit(SLOT_AGGRESSOR):
            if not 1 <= m.slot[SLOT_AGGRESSOR] <= 2:
                fail(c, BAD_VALUE, b"a side")
            m.slot[SLOT_AGGRESSOR] = 3 - 2 * m.slot[SLOT_AGGRESSOR]
    elif pushed.what == MINI_TICKER or pushed.what == MINI_TICKERS:
        # 0a .. (symbol) 12 .. (price) 1a .. 22 .. (changes) 2a .. (high) 32 .. (low) 3a .. (volume, quote) 42 .. (base)
        expect(m, KIND_TICKER)
        take_message(c, body, PUSHED_TICKER)
    else:
        # 0a 08 "62383.56" 12 0a "0.07956651" (bid) 1a 08 "62383.57" 22 07 "0.09556" (ask) 2a .. (version)
        take_message(c, body, BOOK_TICKERS)
        expect(m, KIND_QUOTE if m.seen & (bit(SLOT_BID_PRICE) | bit(SLOT_ASK_PRICE)) else KIND_IGNORED)
        fill_sides(c)


# How levels are written.
cdef Form PUSHED_BID, PUSHED_ASK
memset(&PUSHED_BID, 0, sizeof(Form))
memset(&PUSHED_ASK, 0, sizeof(Form))
PUSHED_BID.protobuf = PUSHED_ASK.protobuf = True
PUSHED_BID.list_number = BIDS
PUSHED_ASK.list_number = ASKS

# Fields of spot's messages.
cdef Numbered[8] PUSHED_DEAL, BOOK_TICKERS, PUSHED_TICKER
list_numbered(PUSHED_DEAL, ((1, TAKE_PRICE, SLOT_PRICE), (2, TAKE_QTY, SLOT_QTY), (3, TAKE_CONSTANT, SLOT_AGGRESSOR),
                            (4, TAKE_CONSTANT, SLOT_TIME), (5, TAKE_ID, SLOT_TRADE_ID)))
list_numbered(BOOK_TICKERS, ((1, TAKE_PRICE, SLOT_BID_PRICE), (2, TAKE_QTY, SLOT_BID_QTY),
                             (3, TAKE_PRICE, SLOT_ASK_PRICE), (4, TAKE_QTY, SLOT_ASK_QTY),
                             (5, TAKE_INT, SLOT_LAST_SEQ)))
list_numbered(PUSHED_TICKER, ((1, TAKE_SYMBOL, SLOT_SPARE), (2, TAKE_DOUBLE, SLOT_LAST), (5, TAKE_DOUBLE, SLOT_HIGH),
                              (6, TAKE_DOUBLE, SLOT_LOW), (7, TAKE_DOUBLE, SLOT_QUOTE_VOLUME),
                              (8, TAKE_DOUBLE, SLOT_VOLUME)))
