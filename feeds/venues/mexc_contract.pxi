# Contracts of MEXC, which are JSON: part of mexc.pyx.

from feeds.fields cimport (Channel, Field, add_channel, expect_channel, expect_nothing, find_channel, list_fields,
                           take_field)
from feeds.message cimport KIND_CONTROL, KIND_MARK, SLOT_FUNDING, SLOT_INDEX, SLOT_MARK, SLOT_PARTIAL
from feeds.scan cimport (find_text, key_is, name_symbol, next_key, open_object, read_count, skip_value, take_constant,
                         take_symbol, word_is)
from feeds.sync cimport LINK_COUNTER

cdef int FULL_DEPTH = talk.FULL_DEPTH


cdef inline void contract(MexcParser self, Cursor* c, Message* m) noexcept nogil:
    # {"symbol":"DOGE_USDT","data":{...},"channel":"push.depth","ts":1789498405540}; the channel stands first or last
    cdef Text key, name
    cdef bint first = True
    cdef const Channel* channel
    if not find_text(c, b"channel", &name) or not begins(&name, b"push."):
        expect_nothing(c, m, KIND_CONTROL)        # answers of either market
        at_end(c)
        return
    channel = find_channel(PUSHES, &name)
    m.kind = KIND_IGNORED                         # candles and the like
    find_text(c, b"symbol", &self.symbol)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"symbol") and peek(c) == c'"':
            if first:
                name_symbol(c)                    # it stands in the text that names the stream
            else:
                take_symbol(c)
        elif word_is(&key, b"data") and channel != NULL:
            data(self, c, m, channel)
        elif word_is(&key, b"data") or word_is(&key, b"channel"):
            skip_value(c)
        else:
            take_field(c, &key, OUTSIDE)
        first = False
    at_end(c)


cdef inline void data(MexcParser self, Cursor* c, Message* m, const Channel* channel) noexcept nogil:
    """What a channel tells."""
    expect_channel(m, channel)
    if channel.kind == KIND_DELTA:
        depth(c, m)
    elif channel.kind == KIND_TRADE and peek(c) == c'[':      # a single {...} in frames before 2025
        self.parse_first(c, m)
    elif channel.kind == KIND_TRADE:
        deal(c)
    else:
        take_object(c, channel.fields)
    if channel.kind == KIND_MARK:
        take_constant(c, SLOT_PARTIAL, 1)         # each channel tells a part; what the others told stands


cdef inline void depth(Cursor* c, Message* m) noexcept nogil:
    # merged: {"cts":1789498405531,"asks":[[0.080100,2868,1]],"bids":[[0.07969,0,0]],"end":8752808003,
    #          "begin":8752807948,"version":8752808003}
    # each version ("compress":false): {"asks":[],"bids":[[6858.5,7,9]],"version":96801930}; begin and end absent,
    # null or 0
    cdef Cursor ahead = c[0]
    cdef bint merged = False
    cdef Text key
    ahead.message = NULL
    open_object(&ahead)
    while next_key(&ahead, &key):
        if word_is(&key, b"begin"):
            merged = c'1' <= peek(&ahead) <= c'9'
        skip_value(&ahead)
    m.needed = bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ) if merged else bit(SLOT_LAST_SEQ)
    if merged:
        take_object(c, MERGED)
        return
    m.link = LINK_COUNTER
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"begin") or word_is(&key, b"end"):
            skip_value(c)                         # no token: a learned layout asks for the same text there
        else:
            take_field(c, &key, UNMERGED)


cdef inline void deal(Cursor* c) noexcept nogil:
    # {"p":84143.1,"v":120,"T":1,"O":3,"M":2,"t":1789498405531,"i":"13064218826","cts":1789498405531}; cts may be text
    cdef Text key
    cdef int64_t side
    open_object(c)
    while next_key(c, &key):
        if key_is(&key, c'T'):
            side = read_count(c)
            if side != 1 and side != 2:
                fail(c, BAD_VALUE, b"a side")
            take_constant(c, SLOT_AGGRESSOR, 3 - 2 * side)
        else:
            take_field(c, &key, DEAL)


# Keys of contracts' messages, and of REST answers of both markets.
cdef dict SIDES = {"bids": "bids", "asks": "asks", "cts": "time"}

cdef Field* OUTSIDE = list_fields({"ts": "event_time"})
cdef Field* WHOLE = list_fields({"data": "inside", "lastUpdateId": "last_seq", "version": "last_seq",
                                 "timestamp": "event_time", **SIDES}, PAIR)
cdef Field* MERGED = list_fields({"begin": "first_seq", "end": "last_seq", **SIDES}, PAIR)
cdef Field* UNMERGED = list_fields({"version": "last_seq", **SIDES}, PAIR)
cdef Field* DEAL = list_fields({"p": "price", "v": "qty", "t": "time", "i": "trade_id"})
# {"price":6867.5,"symbol":"BTC_USDT"}
cdef Field* FAIR_PRICE = list_fields({"price": "mark"})
cdef Field* INDEX_PRICE = list_fields({"price": "index"})
# {"rate":0.0012,"symbol":"BTC_USDT","nextSettleTime":1587445200000}
cdef Field* FUNDING_RATE = list_fields({"rate": "funding", "nextSettleTime": "next_funding"})
# {"amount24":898120149.6331,"ask1":29911.5,"bid1":29911,"contractId":10,"fairPrice":29911.1,"fundingRate":0.000072,
#  "high24Price":31905.5,"holdVol":12357864,"indexPrice":29926.9,"lastPrice":29911.5,"lower24Price":29316,
#  "riseFallRate":-0.0275,"riseFallValue":-846,"riseFallRates":[-0.0424,-0.0419,-0.0407],"symbol":"BTC_USDT",
#  "timestamp":1654165943014,"volume24":295146577, ...}; the rates of change are parts of 1 and left out
cdef Field* TICKER = list_fields({
    "lastPrice": "last", "bid1": "bid_price", "ask1": "ask_price", "fairPrice": "mark", "indexPrice": "index",
    "fundingRate": "funding", "holdVol": "open_interest", "volume24": "volume", "amount24": "quote_volume",
    "high24Price": "high", "lower24Price": "low", "riseFallValue": "change", "timestamp": "time",
    "riseFallRates": "each", "riseFallRatesOfTimezone": "each"})

cdef Channel* PUSHES = NULL
add_channel(&PUSHES, b"push.depth", KIND_DELTA, NULL, 0, 0, CONTRACT)
add_channel(&PUSHES, b"push.depth.full", KIND_SNAPSHOT, WHOLE, bit(SLOT_LAST_SEQ), FULL_DEPTH, CONTRACT)
add_channel(&PUSHES, b"push.deal", KIND_TRADE, NULL, 0, 0, CONTRACT)
add_channel(&PUSHES, b"push.ticker", KIND_TICKER, TICKER, 0, 0, CONTRACT)
add_channel(&PUSHES, b"push.fair.price", KIND_MARK, FAIR_PRICE, bit(SLOT_MARK), 0, CONTRACT)
add_channel(&PUSHES, b"push.index.price", KIND_MARK, INDEX_PRICE, bit(SLOT_INDEX), 0, CONTRACT)
add_channel(&PUSHES, b"push.funding.rate", KIND_MARK, FUNDING_RATE, bit(SLOT_FUNDING), 0, CONTRACT)
