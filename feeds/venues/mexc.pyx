"""MEXC: spot (protobuf) and contracts (JSON).

Wire forms: spot sends protobuf in binary frames, and answers requests in JSON text on the same socket; contracts are
JSON. Both are served today, and frames tell which they are. Spot's JSON of up to 2025 ("Blocked!" since) is not parsed;
nor is `increase.depth` (302, 312), whose numbers have no published rule.
The aggressor: a deal's tradeType or T is the taker's, 1 buy, 2 sell. Times are ms. Quantities are in base units (spot)
or in contracts of `contractSize` (contract).
https://www.mexc.com/api-docs/spot-v3/websocket-market-streams, https://www.mexc.com/api-docs/futures/websocket-api and
https://github.com/mexcdevelop/websocket-proto, as of 2026-06-17; clients of 2026-09; no recording was at hand.
"""

import re
from functools import partial

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset
from orderbook.types cimport BAD_VALUE, OK
from feeds.fields cimport (Channel, Field, add_channel, expect, expect_channel, expect_nothing, find_channel,
                           list_fields, list_form, take_field, take_object)
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_MARK, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, SLOT_AGGRESSOR, SLOT_ASK_PRICE, SLOT_ASK_QTY,
                            SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_EVENT_TIME, SLOT_FIRST_SEQ, SLOT_FUNDING, SLOT_HIGH,
                            SLOT_INDEX, SLOT_LAST, SLOT_LAST_SEQ, SLOT_LOW, SLOT_MARK, SLOT_PARTIAL, SLOT_PRICE,
                            SLOT_QTY, SLOT_QUOTE_VOLUME, SLOT_SPARE, SLOT_TIME, SLOT_TRADE_ID, SLOT_VOLUME,
                            TAKE_CONSTANT, TAKE_DOUBLE, TAKE_ID, TAKE_INT, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY,
                            TAKE_SYMBOL)
from feeds.parser cimport Parser
from feeds.protobuf cimport (Numbered, WIRE_SPAN, WIRE_VARINT, enter, leave, list_numbered, next_field, read_span,
                             read_varint, set_value, skip_field, skip_repeated, take_message, take_whole)
from feeds.scan cimport (Cursor, Text, at_end, begins, fail, fill_sides, find_text, key_is, name_symbol, next_is,
                         next_key, note_more, number_at, open_object, peek, read_count, skip_value, take, take_constant,
                         take_symbol, word_is)
from feeds.sync cimport LINK_COUNTER

from feeds.venue import (Answer, Control, Evidence, Limits, Link, Stream, VenueSpec, check_each, check_known,
                         frame_text, read_object, read_url, request_number)
from feeds.venues.lists import mexc as lists

cdef enum:
    SPOT = 0
    CONTRACT = 1
    FULL_DEPTH = 20           # of contracts' partial books: a frame does not tell its limit, so one is asked for

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

cdef struct Pushed:
    # A frame of spot.
    Text channel
    Text symbol
    Text body                 # the message inside
    int64_t sent              # sendTime, ms
    int what                  # field of `body`, 0 if there is none


cdef class MexcParser(Parser):
    """Frames of both markets. What is kept here belongs to the frame at work: it can hold several messages."""

    cdef Pushed pushed        # of a frame of spot; `what` is 0 in others
    cdef Text symbol          # of a frame of contracts

    def __cinit__(self):
        self.route_marks = 4                      # {"symbol":"BTC_USDT" or {"channel":"push.depth"
        self.quick = quick

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        self.pushed.what = 0
        if is_json(c):
            contract(self, c, m)
        elif read_push(c, &self.pushed):
            take_push(c, m, &self.pushed)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        if self.pushed.what:
            items(c, m, &self.pushed)
            return
        m.symbol = self.symbol.data
        m.symbol_size = self.symbol.size
        m.market = CONTRACT
        expect(m, KIND_TRADE)
        deal(c)
        note_more(c, m)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # spot: {"lastUpdateId":1377043284,"bids":[["30225.77","0.6582"]],"asks":[["30225.80","1.2"]],"timestamp":...}
        # contract: {"success":true,"code":0,"data":{"asks":[[29625,630,1]],"bids":[[29618,357,1]],"version":3094693618,
        #            "timestamp":1654326901060}}
        expect(m, KIND_SNAPSHOT)
        m.needed |= bit(SLOT_LAST_SEQ)
        take_object(c, WHOLE)
        at_end(c)


cdef inline bint is_json(const Cursor* c) noexcept nogil:
    """Whether the frame is JSON: '{' and then a key, white space around. A newline is also protobuf's first tag."""
    cdef Cursor ahead = c[0]
    return next_is(&ahead, c'{') and (peek(&ahead) == c'"' or peek(&ahead) == c'}' or peek(&ahead) == 0)


# ---- spot: protobuf

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


# ---- contracts: JSON

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


# How levels are written.
cdef Form PUSHED_BID, PUSHED_ASK
cdef Form* PAIR = list_form(("price", "qty"))
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


CHANNELS = {
    "book": "order book: changes joined to a REST snapshot; whole books with depth=5, 10 or 20 (contract: 20)",
    "trades": "every trade, those of 10 or 100 ms in one frame",
    "quotes": "best bid and offer, every 10 or 100 ms (spot)",
    "ticker": "statistics of the last 24 hours",
    "mark": "fair price, index price and funding rate (contract)",
    "open_interest": "open contracts, from the ticker (contract)",
}

# By market; of the speeds the first is the default. "0ms": one frame for each version instead of merged ones.
OF_MARKET = {
    "spot": ("book", "trades", "quotes", "ticker"),
    "contract": ("book", "trades", "ticker", "mark", "open_interest"),
}
DEPTHS = {"spot": (5, 10, 20), "contract": (FULL_DEPTH,)}
SPEEDS = {"spot": ("100ms", "10ms"), "contract": ("200ms", "0ms")}


def streams(symbols, channels, depth, speed, market):
    """Streams of `symbols` x `channels`; several of one symbol for "mark".

    Spot's are named as the venue names them; those of contracts "depth:BTC_USDT", "depth:BTC_USDT:0ms",
    "depth.full:BTC_USDT:20", "deal:BTC_USDT". `speed` is of spot's book, trades and quotes, and of contracts' book.
    """
    who = f"mexc {market}"
    check_each(who, "channel", channels, OF_MARKET[market])
    check_known(who, "book of depth", depth, (*DEPTHS[market], None))
    check_known(who, "speed", speed, (*SPEEDS[market], None))
    names = spot_names if market == "spot" else contract_names
    return [Stream(name, market, symbol, channel, depth or 0 if channel == "book" else 0, market)
            for symbol in map(str.upper, symbols) for channel in channels
            for name in names(symbol, channel, depth, speed or SPEEDS[market][0])]


def spot_names(symbol, channel, depth, speed):
    if channel == "book" and depth is not None:
        return (f"spot@public.limit.depth.v3.api.pb@{symbol}@{depth}",)
    if channel == "ticker":
        return (f"spot@public.miniTicker.v3.api.pb@{symbol}@UTC+8",)
    topic = {"book": "depth", "trades": "deals", "quotes": "bookTicker"}[channel]
    return (f"spot@public.aggre.{topic}.v3.api.pb@{speed}@{symbol}",)


def contract_names(symbol, channel, depth, speed):
    if channel == "book":
        if depth is not None:
            return (f"depth.full:{symbol}:{depth}",)
        return (f"depth:{symbol}" if speed == "200ms" else f"depth:{symbol}:{speed}",)
    if channel == "mark":
        return tuple(f"{topic}:{symbol}" for topic in ("fair.price", "index.price", "funding.rate"))
    return (f"{'deal' if channel == 'trades' else 'ticker'}:{symbol}",)


def request(spot_method, prefix, names, request_id):
    """Request frames: one for all streams of spot, one for each of contracts."""
    # {"method":"SUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"],"id":1}
    # {"method":"sub.depth","param":{"symbol":"BTC_USDT","compress":false}}
    # {"method":"UNSUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"],"id":2}
    # {"method":"unsub.depth","param":{"symbol":"BTC_USDT"}}
    spot = [name for name in names if name.startswith("spot@")]
    frames = [frame_text({"method": spot_method, "params": spot, "id": request_id})] if spot else []
    for name in names:
        if not name.startswith("spot@"):
            topic, _, rest = name.partition(":")
            symbol, _, option = rest.partition(":")
            param = {"symbol": symbol}
            if option == "0ms" and prefix == "sub":
                param["compress"] = False
            elif topic == "depth.full":
                param["limit"] = int(option)
            frames.append(frame_text({"method": f"{prefix}.{topic}", "param": param}))
    return frames


def read_control(payload):
    """Classify a frame that is not market data; never raises.

    {"id":1,"code":0,"msg":"spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"}                       an ack of spot
    {"id":0,"code":0,"msg":"Not Subscribed successfully! [spot@...].  Reason： Blocked! "}   an error, code 0 too
    {"id":0,"code":0,"msg":"PONG"}
    {"channel":"rs.sub.depth","data":"success","ts":1789498405531}                  an ack of contracts
    {"channel":"rs.error","data":"Contract [NOPE_USDT] not exists","ts":1789498405531}
    {"channel":"pong","data":1789498405531}
    """
    text, message = read_object(payload)
    if isinstance(message.get("channel"), str):
        return read_contract_control(message["channel"], message.get("data"), text)
    words, code = message.get("msg"), message.get("code")
    request_id = request_number(message.get("id")) or None        # 0: it does not say
    if not isinstance(words, str) or not isinstance(code, (int, str)):
        return Control("other", text=text)
    if words == "PONG":
        return Control("pong")
    if words.startswith("spot@") and code == 0:
        return Control("ack", request_id)
    refused = tuple(re.findall(r"spot@[^\s,\]]+", words))
    reason = "bad_symbol" if refused else "rate_limit" if "frequent" in words.lower() else ""
    return Control("error", request_id, code, words.strip(), refused, reason=reason)


def read_contract_control(channel, data, text):
    """Classify an answer to a request about contracts."""
    if channel == "pong":
        return Control("pong")
    if channel == "rs.error":
        words = data if isinstance(data, str) else text
        about = re.findall(r"\[([A-Z0-9_]+)\]", words)
        reason = "bad_symbol" if "not exist" in words else "rate_limit" if "frequent" in words.lower() else ""
        return Control("error", text=words, streams=tuple(about), reason=reason)
    if channel.startswith(("rs.sub.", "rs.unsub.")):
        return Control("ack") if data == "success" else Control("error", text=str(data))
    return Control("other", text=text)


def snapshot_address(symbol, limit, market):
    if market == "contract":
        return f"https://api.mexc.com/api/v1/contract/depth/{symbol}?limit={min(limit, 1000)}"
    return f"https://api.mexc.com/api/v3/depth?symbol={symbol}&limit={limit}"


def read_address(url):
    """What a REST answer is; contracts were served by contract.mexc.com up to 2026-01."""
    path, query = read_url(url)
    limit = request_number(query.get("limit")) or 0
    head, _, symbol = path.rpartition("/")
    if path == "/api/v3/depth" and "symbol" in query:
        return Answer("snapshot", query["symbol"].upper(), limit or 100, "spot")
    if head == "/api/v1/contract/depth":
        return Answer("snapshot", symbol, limit, "contract")
    markets = {"/api/v3/exchangeInfo": "spot", "/api/v1/contract/detail": "contract"}
    return Answer("instruments", market=markets[path]) if path in markets else None


SPEC = VenueSpec(
    name="mexc",
    link=Link.RANGE,
    shared_ids=True,          # versions are those of the REST snapshot
    markets=("spot", "contract"),
    roots={"spot": "wss://wbs-api.mexc.com/ws", "contract": "wss://contract.mexc.com/edge"},
    channels=CHANNELS, name_streams=streams, read_control=read_control, symbol=str.upper,
    subscribe=partial(request, "SUBSCRIPTION", "sub"), unsubscribe=partial(request, "UNSUBSCRIPTION", "unsub"),
    # 30 streams a connection are spot's limit; contracts publish none. How many requests a connection may send is not
    # published: 10 a second is on the safe side. REST limits are by address (contract depth: 20 in 2 s).
    limits=Limits(streams_per_connection=30, messages_per_second=10, streams_per_request=30,
                  connections_per_5_minutes=0, connection_lifetime_s=24 * 3600, rest_weight_per_minute=600),
    pings={"spot": '{"method":"PING"}', "contract": '{"method":"ping"}'},
    ping_interval_s=15,           # contracts end a connection after 60 s without a ping, also while data flow
    max_frame_size=8 << 20,
    parser=lambda market: MexcParser(market=CONTRACT if market == "contract" else SPOT),
    resync="rest",
    rest_url="https://api.mexc.com",
    snapshot_address=snapshot_address,
    snapshot_limit=5000,
    read_address=read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
    source="https://www.mexc.com/api-docs/spot-v3/websocket-market-streams",
    checked="2026-11-22",
    forms="Spot: protobuf of 2025 to 2026. Contract: JSON of 2020 to 2026, merged or not. Both are served today.",
    evidence=(
        Evidence("book (spot)", "sheet example", "versions follow each other: a missing frame shows at the next"),
        Evidence("book (contract)", "messages", "as book (spot), changes merged or not"),
        Evidence("book (depth)", "sheet example", "nothing: every frame is the whole book"),
        Evidence("trades", "messages", "nothing: ids need not follow each other"),
        Evidence("quotes", "messages", "nothing"),
        Evidence("ticker", "messages", "nothing: a lost frame is made good by the next"),
        Evidence("mark", "messages", "nothing: a lost frame is made good by the next"),
        Evidence("open_interest", "messages", "as ticker"),
    ),
)
