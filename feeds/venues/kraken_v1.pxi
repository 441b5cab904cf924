# Version 1 of Kraken's protocol (arrays): part of kraken.pyx.

from libc.string cimport memchr
from feeds.fields cimport list_places, take_array, take_field
from feeds.message cimport KIND_QUOTE, SLOT_PRICE, SLOT_QTY, SLOT_TIME
from feeds.scan cimport (next_item, number_at, open_array, read_text, scan_number, take_aggressor, take_any,
                         take_price, take_qty, take_rest, take_symbol, take_time)


cdef inline void array_frame(Cursor* c, Message* m) noexcept nogil:
    # [992,{"b":[["354.15000000","5.00000000","1618678133.365913"]],"c":"2583817756"},"book-1000","XMR/USD"]: the number
    # of the channel, one or two bodies, the channel's name, the pair
    cdef Text name, pair
    cdef const char* body
    cdef Message* kept = c.message
    name.size = pair.size = 0
    c.message = NULL                              # this pass looks, and checks the grammar of the whole frame
    open_array(c)
    if next_item(c):
        scan_number(c)
    else:
        fail(c, BAD_VALUE, b"the number of a channel")
    body = c.pos
    while next_item(c):
        if peek(c) == c'"':
            name = pair
            read_text(c, &pair)
        else:
            skip_value(c)
    at_end(c)
    if c.status:
        return
    c.message = kept
    c.pos = body
    if name.size == 0:
        fail(c, BAD_VALUE, b"the name of a channel and a pair")
    elif not next_item(c):
        fail(c, BAD_VALUE, b"a message of the channel")
    elif begins(&name, b"book-"):
        book_v1(c, m, &name, &pair)
    elif word_is(&name, b"trade"):
        if open_array(c) and next_item(c):
            trade_v1(c, m)
        else:
            m.kind = KIND_IGNORED
    elif word_is(&name, b"ticker"):
        ticker_v1(c, m)
    elif word_is(&name, b"spread"):
        # ["43770.20000","43770.30000","1633053779.916349","0.00917717","0.31670440"]: bid, ask, time, their quantities
        expect(m, KIND_QUOTE)
        take_array(c, SPREAD_V1)
        take_pair(c)
    else:
        m.kind = KIND_IGNORED                     # ohlc-1 and the like


cdef inline void book_v1(Cursor* c, Message* m, const Text* name, const Text* pair) noexcept nogil:
    # [464,{"as":[["56218.30000","0.15000000","1618678117.243818"]],"bs":[]},"book-1000","XBT/CHF"] a snapshot;
    # [320,{"a":[["38800.00000","0.02203518","1622766170.577187"]]},{"b":[["38800.00000","0.03017320",
    #  "1622766170.577304","r"]],"c":"2479000840"},"book-25","XBT/USD"] an update of both sides
    cdef Text key
    cdef bint more = True
    m.kind = KIND_DELTA
    m.checksum = CHECKSUM_DIGITS
    m.needed = bit(SLOT_CHECKSUM)
    while more:
        if peek(c) == c'{':
            open_object(c)
            while next_key(c, &key):
                if word_is(&key, b"as") or word_is(&key, b"bs"):
                    expect(m, KIND_SNAPSHOT)
                take_field(c, &key, BOOK_V1)
        elif c.pos + 1 == pair.data:
            take_symbol(c)
        else:
            skip_value(c)
        more = next_item(c)
    if m.kind == KIND_DELTA:
        m.cut = number_at(name, 5)


cdef inline void take_pair(Cursor* c) noexcept nogil:
    """Behind the body: the channel's name, and the pair."""
    next_item(c)
    skip_value(c)
    next_item(c)
    take_symbol(c)


cdef inline void trade_v1(Cursor* c, Message* m) noexcept nogil:
    # ["354.11000000","0.89594024","1618678142.557535","s","l",""] of [465,[[...],[...]],"trade","XMR/USD"]: price,
    # quantity, time, side of the taker, limit or market order, nothing
    expect(m, KIND_TRADE)
    open_array(c)
    if (next_item(c) and take_price(c, SLOT_PRICE) and next_item(c) and take_qty(c, SLOT_QTY) and next_item(c)
            and take_time(c, SLOT_TIME) and next_item(c) and take_aggressor(c, b"b", b"s")):
        take_rest(c)
    if note_more(c, m) and m.more != NULL:
        skip_value(c)
    while next_item(c):
        skip_value(c)
    take_pair(c)


cdef inline void ticker_v1(Cursor* c, Message* m) noexcept nogil:
    # {"a":["13.253900",35,"35.72892241"],"b":["13.232900",185,"185.18432037"],"c":["13.253900","3.71672000"],
    #  "v":["26560.85364463","72035.05488104"],"p":[..],"t":[640,1353],"l":[..],"h":[..],"o":[..]}: ask and bid (price,
    # whole lots, lots), last (price, lots); volume, vwap, trades, low, high, open of today and of the last 24 hours
    cdef Text key
    cdef const char* letter
    expect(m, KIND_TICKER)
    open_object(c)
    while next_key(c, &key):
        letter = <const char*> memchr(LETTERS, key.data[0], 9) if key.size == 1 else NULL
        if letter == NULL:
            take_any(c)
        else:
            take_array(c, TICKER_V1[letter - LETTERS])
    take_pair(c)


cdef Form* LEVEL_V1 = list_form(("price", "qty"))
cdef Field* BOOK_V1 = list_fields({"as": "asks", "bs": "bids", "a": "asks", "b": "bids", "c": "checksum"}, LEVEL_V1)
cdef Field* SPREAD_V1 = list_places({0: "bid_price", 1: "ask_price", 2: "time", 3: "bid_qty", 4: "ask_qty"})

# Of the ticker of v1: what the elements of each key's array are, by place.
cdef const char* LETTERS = b"abcvptlho"
cdef Field* TICKER_V1[9]

for _letter, _places in enumerate((
        {0: "ask_price", 2: "ask_qty"}, {0: "bid_price", 2: "bid_qty"}, {0: "last", 1: "last_qty"}, {1: "volume"},
        {1: "vwap"}, {1: "count"}, {1: "low"}, {1: "high"}, {1: "open"})):
    TICKER_V1[<int> _letter] = list_places(_places)
