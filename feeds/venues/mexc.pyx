"""MEXC: spot (protobuf) and contracts (JSON).

Wire forms: spot sends protobuf in binary frames, and answers requests in JSON text on the same socket; contracts are
JSON. Both are served today, and frames tell which they are. Spot's JSON of up to 2025 ("Blocked!" since) is not parsed;
nor is `increase.depth` (302, 312), whose numbers have no published rule.
The aggressor: a deal's tradeType or T is the taker's, 1 buy, 2 sell. Times are ms. Quantities are in base units (spot)
or in contracts of `contractSize` (contract).
https://www.mexc.com/api-docs/spot-v3/websocket-market-streams, https://www.mexc.com/api-docs/futures/websocket-api and
https://github.com/mexcdevelop/websocket-proto, as of 2026-06-17; clients of 2026-09; no recording was at hand.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qs, urlsplit

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset
from orderbook.types cimport BAD_VALUE, OK
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_MARK, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, SEEN_ASKS, SEEN_BIDS, SLOT_AGGRESSOR,
                            SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_CHANGE, SLOT_EVENT_TIME,
                            SLOT_FIRST_SEQ, SLOT_FUNDING, SLOT_HIGH, SLOT_INDEX, SLOT_LAST, SLOT_LAST_SEQ, SLOT_LOW,
                            SLOT_MARK, SLOT_NEXT_FUNDING, SLOT_OPEN_INTEREST, SLOT_PARTIAL, SLOT_PRICE, SLOT_QTY,
                            SLOT_QUOTE_VOLUME, SLOT_SPARE, SLOT_TIME, SLOT_TRADE_ID, SLOT_VOLUME, TAKE_ANY,
                            TAKE_CONSTANT, TAKE_DOUBLE, TAKE_ID, TAKE_INT, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY,
                            TAKE_SYMBOL, TAKE_TIME)
from feeds.parser cimport Parser
from feeds.protobuf cimport (Numbered, WIRE_SPAN, WIRE_VARINT, enter, leave, list_numbered, next_field, read_span,
                             read_varint, skip_field, take_message, take_numbered)
from feeds.scan cimport (Cursor, Field, Text, at_end, fail, fill_sides, is_digit, key_is, list_fields, list_form,
                         name_symbol, next_is, next_item, next_key, open_array, open_object, peek, read_text,
                         skip_value, take, take_any, take_constant, take_field, take_object, take_symbol, word_is)
from feeds.sync cimport LINK_COUNTER

from feeds.venue import (Answer, Control, Evidence, Instrument, Limits, Link, Stream, UnsupportedChannel, VenueSpec,
                         read_object)

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
    TRADE_TYPE = 3            # of a deal


cdef class MexcParser(Parser):
    """Frames of both markets. What is kept here belongs to the frame at work: it can hold several messages."""

    cdef Text symbol
    cdef Text body            # of protobuf: the message inside
    cdef Text stamp           # of JSON: `ts`
    cdef int64_t sent         # of protobuf: sendTime, ms
    cdef int what             # of protobuf: field of `body`; 0 in JSON

    def __cinit__(self, int market=0):
        self.market = market
        self.route_mark = c'"'
        self.route_marks = 4                      # {"symbol":"BTC_USDT" or {"channel":"push.depth"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        if is_json(c):
            contract(self, c, m)
        else:
            push(self, c, m)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        if self.what:
            items(self, c, m)
        else:
            m.market = CONTRACT
            m.symbol = self.symbol.data
            m.symbol_size = self.symbol.size
            if self.stamp.data != NULL:
                take(c, TAKE_TIME, SLOT_EVENT_TIME, self.stamp.data, self.stamp.data + self.stamp.size, False)
            deal(c, m)
            if next_is(c, c','):
                m.more = c.pos

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # spot: {"lastUpdateId":1377043284,"bids":[["30225.77","0.6582"]],"asks":[["30225.80","1.2"]],"timestamp":...}
        # contract: {"success":true,"code":0,"data":{"asks":[[29625,630,1]],"bids":[[29618,357,1]],"version":3094693618,
        #            "timestamp":1654326901060}}
        cdef Text key
        m.kind = KIND_SNAPSHOT
        m.needed = bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS)
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"data"):
                take_object(c, WHOLE)
            else:
                take_field(c, &key, WHOLE)
        at_end(c)


cdef inline bint is_json(const Cursor* c) noexcept nogil:
    """Whether the frame is JSON: '{' and then a key, white space around. A newline is also protobuf's first tag."""
    cdef Cursor ahead = c[0]
    if not next_is(&ahead, c'{'):
        return False
    return peek(&ahead) == c'"' or peek(&ahead) == c'}' or peek(&ahead) == 0


# ---- spot: protobuf

cdef inline void push(MexcParser self, Cursor* c, Message* m) noexcept nogil:
    # 0a 2f "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT" 1a 07 "BTCUSDT" 30 ba d2 c3 d1 c4 32 (1736411507002)
    # ca 13 6c (313: the body)
    cdef uint32_t number
    cdef int wire
    cdef uint64_t value
    cdef Text channel, text
    channel.size = self.symbol.size = self.body.size = 0
    self.sent = self.what = 0
    while next_field(c, &number, &wire):
        if wire == WIRE_SPAN:
            read_span(c, &text)
            if number == CHANNEL:
                channel = text
            elif number == SYMBOL:
                self.symbol = text
            elif DEALS <= number <= AGGRE_BOOK_TICKER:
                self.what = <int> number
                self.body = text
        elif number == SEND_TIME and wire == WIRE_VARINT:
            read_varint(c, &value)
            self.sent = <int64_t> value
        else:
            skip_field(c, number, wire)
    if c.status != OK:
        return
    if self.symbol.size == 0:
        self.symbol = symbol_of(&channel, self.what)
    m.kind = KIND_IGNORED                         # without a body (that happens), or with one of no use
    if self.what == AGGRE_DEPTHS or self.what == LIMIT_DEPTHS:
        depths(self, c, m, &channel)
    elif self.what in (DEALS, AGGRE_DEALS, BOOK_TICKER_BATCH, MINI_TICKERS):
        c.pos = self.body.data
        items(self, c, m)
    elif self.what in (BOOK_TICKER, AGGRE_BOOK_TICKER, MINI_TICKER):
        one(self, c, m, &self.body)


cdef inline Text symbol_of(const Text* channel, int what) noexcept nogil:
    """The symbol at the end of a channel's name, or before the parameter at its end."""
    cdef Text symbol
    cdef Py_ssize_t end = channel.size, begin
    if what == LIMIT_DEPTHS or what == MINI_TICKER:
        while end > 0 and channel.data[end - 1] != c'@':
            end -= 1
        end -= end > 0
    begin = end
    while begin > 0 and channel.data[begin - 1] != c'@':
        begin -= 1
    symbol.data = channel.data + begin
    symbol.size = end - begin
    return symbol


cdef inline int limit_of(const Text* channel) noexcept nogil:
    """Levels a side of a partial book: 20 of "spot@public.limit.depth.v3.api.pb@BTCUSDT@20"."""
    cdef Py_ssize_t i = channel.size
    cdef int limit = 0, unit = 1
    while i > 0 and is_digit(channel.data[i - 1]) and unit < 100000:
        i -= 1
        limit += unit * (channel.data[i] - c'0')
        unit *= 10
    return limit


cdef inline void dress(MexcParser self, Cursor* c, Message* m) noexcept nogil:
    """What all messages of a push have."""
    m.market = SPOT
    m.symbol = self.symbol.data
    m.symbol_size = self.symbol.size
    # Keeps the frame from being learned as a layout: between its other tokens are lengths, not text that repeats.
    take(c, TAKE_ANY, SLOT_SPARE, c.pos, c.pos, False)
    if self.sent:
        take_constant(c, SLOT_EVENT_TIME, self.sent)


cdef inline void depths(MexcParser self, Cursor* c, Message* m, const Text* channel) noexcept nogil:
    # 0a 16 (0a 08 "92877.58" 12 0a "0.00000000"): an ask; 12 0f (0a 08 "92870.00" 12 03 "0.5"): a bid;
    # 1a 27 "spot@public.aggre.depth.v3.api.pb@100ms"; 22 0b "10589632359" 2a 0b "10589632360": fromVersion, toVersion.
    # Limit depths have their version in 22. A side that has nothing to tell has no field.
    cdef uint32_t number
    cdef int wire, side
    cdef bint whole = self.what == LIMIT_DEPTHS
    cdef const Numbered* fields = &VERSION[0] if whole else &VERSIONS[0]
    cdef const char* end
    cdef const char* first
    cdef const char* begin[2]                     # of the levels of bids, asks
    cdef const char* past[2]
    if self.body.size == 0:
        return
    dress(self, c, m)
    m.kind = KIND_SNAPSHOT if whole else KIND_DELTA
    m.needed = bit(SLOT_LAST_SEQ) if whole else bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ)
    begin[0] = begin[1] = NULL
    end = enter(c, &self.body)
    first = c.pos
    while next_field(c, &number, &wire):
        take_numbered(c, number, wire, fields)
        if (number == ASKS or number == BIDS) and wire == WIRE_SPAN:
            side = number == ASKS
            if begin[side] == NULL:
                begin[side] = first
            past[side] = c.pos
        first = c.pos
    for side in range(2):
        if c.status == OK and begin[side] != NULL:
            take(c, TAKE_LEVELS, side, begin[side], past[side], False)
            m.token[m.n_tokens - 1].form = &PUSHED_ASK if side else &PUSHED_BID
    leave(c, end)
    if whole:
        m.depth = limit_of(channel)
        if m.depth == 0:
            fail(c, BAD_VALUE, b"a partial book whose channel tells its depth")


cdef inline void items(MexcParser self, Cursor* c, Message* m) noexcept nogil:
    """The next item of a list, and where the one after it begins."""
    cdef uint32_t number
    cdef int wire
    cdef bint found = False
    cdef Text text
    cdef const char* end = c.end
    cdef const char* first = c.pos
    c.end = self.body.data + self.body.size
    while m.more == NULL and next_field(c, &number, &wire):
        if number != ITEM or wire != WIRE_SPAN:
            skip_field(c, number, wire)
        elif found:
            m.more = first
        else:
            found = read_span(c, &text)
        first = c.pos
    if found and c.status == OK:
        one(self, c, m, &text)
    c.end = end


cdef inline void one(MexcParser self, Cursor* c, Message* m, const Text* body) noexcept nogil:
    """A deal, a best bid and offer, or a ticker."""
    dress(self, c, m)
    if self.what == DEALS or self.what == AGGRE_DEALS:
        push_deal(c, m, body)
    elif self.what == MINI_TICKER or self.what == MINI_TICKERS:
        # 0a .. (symbol) 12 .. (price) 1a .. 22 .. (changes) 2a .. (high) 32 .. (low) 3a .. (volume, quote) 42 .. (base)
        m.kind = KIND_TICKER
        m.needed = bit(SLOT_LAST)
        take_message(c, body, PUSHED_TICKER)
    else:
        # 0a 08 "62383.56" 12 0a "0.07956651" (bid) 1a 08 "62383.57" 22 07 "0.09556" (ask) 2a .. (version)
        take_message(c, body, BOOK_TICKERS)
        m.kind = KIND_QUOTE if m.seen & (bit(SLOT_BID_PRICE) | bit(SLOT_ASK_PRICE)) else KIND_IGNORED
        m.needed = bit(SLOT_BID_PRICE) | bit(SLOT_BID_QTY) | bit(SLOT_ASK_PRICE) | bit(SLOT_ASK_QTY)
        fill_sides(c)


cdef inline void push_deal(Cursor* c, Message* m, const Text* body) noexcept nogil:
    # 0a 08 "62383.56" (price) 12 0a "0.00008235" (quantity) 18 02 (tradeType) 20 .. (time) 2a .. (tradeId)
    cdef uint32_t number
    cdef int wire
    cdef uint64_t value = 0
    cdef const char* end = enter(c, body)
    m.kind = KIND_TRADE
    m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    while next_field(c, &number, &wire):
        if number == TRADE_TYPE and wire == WIRE_VARINT:
            if read_varint(c, &value) and value != 1 and value != 2:
                fail(c, BAD_VALUE, b"a side")
            take_constant(c, SLOT_AGGRESSOR, 1 if value == 1 else -1)
        else:
            take_numbered(c, number, wire, PUSHED_DEAL)
    leave(c, end)


# ---- contracts: JSON

cdef inline void contract(MexcParser self, Cursor* c, Message* m) noexcept nogil:
    # {"symbol":"DOGE_USDT","data":{...},"channel":"push.depth","ts":1789498405540}; the channel stands first or last
    cdef const char* start = c.pos
    cdef const char* past = NULL                  # of the data
    cdef Message* kept = c.message
    cdef bint first = True
    cdef Text key, channel
    channel.size = self.symbol.size = self.what = 0
    self.stamp.data = NULL
    c.message = NULL                              # this pass only looks
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"channel"):
            read_text(c, &channel)
        elif word_is(&key, b"symbol") and peek(c) == c'"':
            read_text(c, &self.symbol)
        elif word_is(&key, b"ts") and is_digit(peek(c)):
            self.stamp.data = c.pos
            skip_value(c)
            self.stamp.size = c.pos - self.stamp.data
        else:
            skip_value(c)
            if word_is(&key, b"data"):
                past = c.pos
    c.message = kept
    if not at_end(c):                             # from here on the grammar of the whole frame is known to be right
        return
    if channel.size < 5 or memcmp(channel.data, b"push.", 5) != 0:
        m.kind = KIND_CONTROL                     # answers of either market
        return
    m.market = CONTRACT
    m.kind = KIND_IGNORED                         # candles and the like
    c.pos = start
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"symbol") and peek(c) == c'"':
            if first:
                name_symbol(c)                    # it stands in the text that names the stream
            else:
                take_symbol(c)
        elif word_is(&key, b"channel"):
            skip_value(c)
        elif word_is(&key, b"data"):
            data(c, m, &channel)
            if c.status == OK:
                c.pos = past                      # also of the deals that come as further messages
        else:
            take_field(c, &key, OUTSIDE)
        first = False


cdef inline void data(Cursor* c, Message* m, const Text* channel) noexcept nogil:
    """What a channel tells."""
    if word_is(channel, b"push.depth"):
        depth(c, m)
    elif word_is(channel, b"push.depth.full"):
        m.kind = KIND_SNAPSHOT
        m.depth = FULL_DEPTH
        m.needed = bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS)
        take_object(c, WHOLE)
    elif word_is(channel, b"push.deal"):
        # [{...},{...}]; a single {...} in frames before 2025
        if peek(c) != c'[':
            deal(c, m)
            return
        open_array(c)
        if next_item(c):
            deal(c, m)
            if next_is(c, c','):
                m.more = c.pos
    elif word_is(channel, b"push.ticker"):
        ticker(c, m)
    elif word_is(channel, b"push.fair.price"):
        mark(c, m, FAIR_PRICE, SLOT_MARK)
    elif word_is(channel, b"push.index.price"):
        mark(c, m, INDEX_PRICE, SLOT_INDEX)
    elif word_is(channel, b"push.funding.rate"):
        mark(c, m, FUNDING_RATE, SLOT_FUNDING)


cdef inline void depth(Cursor* c, Message* m) noexcept nogil:
    # merged: {"cts":1789498405531,"asks":[[0.080100,2868,1]],"bids":[[0.07969,0,0]],"end":8752808003,
    #          "begin":8752807948,"version":8752808003}
    # each version ("compress":false): {"asks":[],"bids":[[6858.5,7,9]],"version":96801930}; begin and end absent,
    # null or 0
    cdef const char* start = c.pos
    cdef Message* kept = c.message
    cdef bint merged = False
    cdef Text key
    c.message = NULL                              # this pass only looks
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"begin"):
            merged = c'1' <= peek(c) <= c'9'
        skip_value(c)
    if c.status != OK:
        return
    c.message = kept
    c.pos = start
    m.kind = KIND_DELTA
    m.needed = bit(SLOT_LAST_SEQ)
    if merged:
        m.needed |= bit(SLOT_FIRST_SEQ)
        take_object(c, MERGED)
        return
    m.link = LINK_COUNTER
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"begin") or word_is(&key, b"end"):
            skip_value(c)                         # no token: a learned layout asks for the same text there
        else:
            take_field(c, &key, UNMERGED)


cdef inline void deal(Cursor* c, Message* m) noexcept nogil:
    # {"p":84143.1,"v":120,"T":1,"O":3,"M":2,"t":1789498405531,"i":"13064218826","cts":1789498405531}; cts may be text
    cdef Text key, side
    m.kind = KIND_TRADE
    m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    open_object(c)
    while next_key(c, &key):
        if key_is(&key, c'T'):
            peek(c)
            side.data = c.pos
            skip_value(c)
            side.size = c.pos - side.data
            if not word_is(&side, b"1") and not word_is(&side, b"2"):
                c.pos = side.data
                fail(c, BAD_VALUE, b"a side")
            take_constant(c, SLOT_AGGRESSOR, 1 if side.data[0] == c'1' else -1)
        else:
            take_field(c, &key, DEAL)


cdef inline void ticker(Cursor* c, Message* m) noexcept nogil:
    # {"amount24":898120149.6331,"ask1":29911.5,"bid1":29911,"contractId":10,"fairPrice":29911.1,"fundingRate":0.000072,
    #  "high24Price":31905.5,"holdVol":12357864,"indexPrice":29926.9,"lastPrice":29911.5,"lower24Price":29316,
    #  "riseFallRate":-0.0275,"riseFallValue":-846,"riseFallRates":[-0.0424,-0.0419,-0.0407],"symbol":"BTC_USDT",
    #  "timestamp":1654165943014,"volume24":295146577, ...}; the rates of change are parts of 1 and left out
    cdef Text key
    m.kind = KIND_TICKER
    m.needed = bit(SLOT_LAST)
    open_object(c)
    while next_key(c, &key):
        if peek(c) == c'[':
            open_array(c)
            while next_item(c):
                take_any(c)
        else:
            take_field(c, &key, TICKER)


cdef inline void mark(Cursor* c, Message* m, const Field* fields, int slot) noexcept nogil:
    # {"price":6867.5,"symbol":"BTC_USDT"} of both prices; {"rate":0.0012,"symbol":"BTC_USDT",
    #  "nextSettleTime":1587445200000}. Each tells a part; what the others told stands.
    m.kind = KIND_MARK
    m.needed = bit(slot)
    take_object(c, fields)
    take_constant(c, SLOT_PARTIAL, 1)


# How levels are written.
cdef Form PAIR, PUSHED_BID, PUSHED_ASK
list_form(&PAIR, ("price", "qty"))
memset(&PUSHED_BID, 0, sizeof(Form))
memset(&PUSHED_ASK, 0, sizeof(Form))
PUSHED_BID.protobuf = PUSHED_ASK.protobuf = True
PUSHED_BID.list_number = BIDS
PUSHED_ASK.list_number = ASKS

# Fields of spot's messages.
cdef Numbered[8] VERSIONS, VERSION, PUSHED_DEAL, BOOK_TICKERS, PUSHED_TICKER
list_numbered(VERSIONS, ((FROM_VERSION, TAKE_INT, SLOT_FIRST_SEQ), (TO_VERSION, TAKE_INT, SLOT_LAST_SEQ)))
list_numbered(VERSION, ((FROM_VERSION, TAKE_INT, SLOT_LAST_SEQ),))
list_numbered(PUSHED_DEAL, ((1, TAKE_PRICE, SLOT_PRICE), (2, TAKE_QTY, SLOT_QTY), (4, TAKE_CONSTANT, SLOT_TIME),
                            (5, TAKE_ID, SLOT_TRADE_ID)))
list_numbered(BOOK_TICKERS, ((1, TAKE_PRICE, SLOT_BID_PRICE), (2, TAKE_QTY, SLOT_BID_QTY),
                             (3, TAKE_PRICE, SLOT_ASK_PRICE), (4, TAKE_QTY, SLOT_ASK_QTY),
                             (5, TAKE_INT, SLOT_LAST_SEQ)))
list_numbered(PUSHED_TICKER, ((1, TAKE_SYMBOL, SLOT_SPARE), (2, TAKE_DOUBLE, SLOT_LAST), (5, TAKE_DOUBLE, SLOT_HIGH),
                              (6, TAKE_DOUBLE, SLOT_LOW), (7, TAKE_DOUBLE, SLOT_QUOTE_VOLUME),
                              (8, TAKE_DOUBLE, SLOT_VOLUME)))

# Keys of contracts' messages.
cdef Field[8] OUTSIDE, WHOLE, MERGED, UNMERGED, DEAL, FAIR_PRICE, INDEX_PRICE, FUNDING_RATE
cdef Field[16] TICKER
cdef tuple SIDES = (("bids", TAKE_LEVELS, 0), ("asks", TAKE_LEVELS, 1), ("cts", TAKE_TIME, SLOT_TIME))

list_fields(OUTSIDE, (("ts", TAKE_TIME, SLOT_EVENT_TIME),))
list_fields(WHOLE, (("lastUpdateId", TAKE_INT, SLOT_LAST_SEQ), ("version", TAKE_INT, SLOT_LAST_SEQ),
                    ("timestamp", TAKE_TIME, SLOT_EVENT_TIME), *SIDES), &PAIR)
list_fields(MERGED, (("begin", TAKE_INT, SLOT_FIRST_SEQ), ("end", TAKE_INT, SLOT_LAST_SEQ), *SIDES), &PAIR)
list_fields(UNMERGED, (("version", TAKE_INT, SLOT_LAST_SEQ), *SIDES), &PAIR)
list_fields(DEAL, (("p", TAKE_PRICE, SLOT_PRICE), ("v", TAKE_QTY, SLOT_QTY), ("t", TAKE_TIME, SLOT_TIME),
                   ("i", TAKE_ID, SLOT_TRADE_ID)))
list_fields(FAIR_PRICE, (("price", TAKE_DOUBLE, SLOT_MARK),))
list_fields(INDEX_PRICE, (("price", TAKE_DOUBLE, SLOT_INDEX),))
list_fields(FUNDING_RATE, (("rate", TAKE_DOUBLE, SLOT_FUNDING), ("nextSettleTime", TAKE_TIME, SLOT_NEXT_FUNDING)))
list_fields(TICKER, (
    ("lastPrice", TAKE_DOUBLE, SLOT_LAST), ("bid1", TAKE_PRICE, SLOT_BID_PRICE), ("ask1", TAKE_PRICE, SLOT_ASK_PRICE),
    ("fairPrice", TAKE_DOUBLE, SLOT_MARK), ("indexPrice", TAKE_DOUBLE, SLOT_INDEX),
    ("fundingRate", TAKE_DOUBLE, SLOT_FUNDING), ("holdVol", TAKE_DOUBLE, SLOT_OPEN_INTEREST),
    ("volume24", TAKE_DOUBLE, SLOT_VOLUME), ("amount24", TAKE_DOUBLE, SLOT_QUOTE_VOLUME),
    ("high24Price", TAKE_DOUBLE, SLOT_HIGH), ("lower24Price", TAKE_DOUBLE, SLOT_LOW),
    ("riseFallValue", TAKE_DOUBLE, SLOT_CHANGE), ("timestamp", TAKE_TIME, SLOT_TIME)))


SPOT_CHANNELS = ("book", "trades", "quotes", "ticker")

CHANNELS = {
    "book": "order book: changes joined to a REST snapshot; whole books with depth=5, 10 or 20 (contract: 20)",
    "trades": "every trade, those of 10 or 100 ms in one frame",
    "quotes": "best bid and offer, every 10 or 100 ms (spot)",
    "ticker": "statistics of the last 24 hours",
    "mark": "fair price, index price and funding rate (contract)",
    "open_interest": "open contracts, from the ticker (contract)",
}

# How often; the first is the default. "0ms" is one frame for each version instead of merged ones.
SPOT_SPEEDS = ("100ms", "10ms")
CONTRACT_SPEEDS = ("200ms", "0ms")
PARTIAL_DEPTHS = {"spot": (5, 10, 20), "contract": (FULL_DEPTH,)}


def streams(symbols, channels, depth=None, speed=None, market=None):
    """Streams of `symbols` x `channels`; several of one symbol for "mark".

    Spot's are named as the venue names them; those of contracts "depth:BTC_USDT", "depth:BTC_USDT:0ms",
    "depth.full:BTC_USDT:20", "deal:BTC_USDT". `speed` is of spot's book, trades and quotes, and of contracts' book.
    """
    SPEC.check_channels(channels)
    market = SPEC.check_market(market)
    known = SPOT_CHANNELS if market == "spot" else tuple(name for name in CHANNELS if name != "quotes")
    missing = [channel for channel in channels if channel not in known]
    if missing:
        raise UnsupportedChannel(f"mexc {market} has no channel {', '.join(map(repr, missing))}; "
                                 f"it has: {', '.join(known)}")
    depths = PARTIAL_DEPTHS[market]
    if depth is not None and depth not in depths:
        raise UnsupportedChannel(f"mexc {market} has no book of depth {depth!r}; it has: "
                                 f"{', '.join(map(str, depths))}, or None for the whole book")
    speeds = SPOT_SPEEDS if market == "spot" else CONTRACT_SPEEDS
    if speed is not None and speed not in speeds:
        raise UnsupportedChannel(f"mexc {market} has no speed {speed!r}; it has: {', '.join(speeds)}")
    names = spot_names if market == "spot" else contract_names
    return [Stream(name, market, symbol, channel, depth or 0 if channel == "book" else 0, market)
            for symbol in map(spelling, symbols) for channel in channels
            for name in names(symbol, channel, depth, speed or speeds[0])]


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


def spelling(symbol):
    """BTCUSDT (spot), BTC_USDT (contract)."""
    return symbol.upper()


def write(frame):
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)


def request(spot_method, prefix, names, request_id):
    """Request frames: one for all streams of spot, one for each of contracts."""
    spot = [name for name in names if name.startswith("spot@")]
    frames = [write({"method": spot_method, "params": spot, "id": request_id})] if spot else []
    for name in names:
        if not name.startswith("spot@"):
            topic, symbol, *option = name.split(":")
            param = {"symbol": symbol}
            if option == ["0ms"] and prefix == "sub":
                param["compress"] = False
            elif topic == "depth.full":
                param["limit"] = int(option[0])
            frames.append(write({"method": f"{prefix}.{topic}", "param": param}))
    return frames


def subscribe(names, request_id):
    # {"method":"SUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"],"id":1}
    # {"method":"sub.depth","param":{"symbol":"BTC_USDT","compress":false}}
    return request("SUBSCRIPTION", "sub", names, request_id)


def unsubscribe(names, request_id):
    # {"method":"UNSUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"],"id":2}
    # {"method":"unsub.depth","param":{"symbol":"BTC_USDT"}}
    return request("UNSUBSCRIPTION", "unsub", names, request_id)


def read_control(payload):
    """Classify a frame that is not market data; never raises.

    {"id":1,"code":0,"msg":"spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"}                       an ack of spot
    {"id":0,"code":0,"msg":"Not Subscribed successfully! [spot@...].  Reason： Blocked! "}   an error, code 0
    {"id":0,"code":0,"msg":"PONG"}
    {"channel":"rs.sub.depth","data":"success","ts":1789498405531}                  an ack of contracts
    {"channel":"rs.error","data":"Contract [NOPE_USDT] not exists","ts":1789498405531}
    {"channel":"pong","data":1789498405531}
    """
    text, message = read_object(payload)
    if isinstance(message.get("channel"), str):
        return read_contract_control(message["channel"], message.get("data"), text)
    words, code, request_id = message.get("msg"), message.get("code"), message.get("id")
    if not isinstance(words, str) or not isinstance(code, (int, str)):
        return Control("other", text=text)
    if type(request_id) is not int or request_id == 0:
        request_id = None
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
    address = urlsplit(url)
    query = parse_qs(address.query)
    limit = query.get("limit", [""])[0]
    limit = int(limit) if limit.isdecimal() else 0
    path = address.path.rstrip("/")
    if path == "/api/v3/depth" and query.get("symbol"):
        return Answer("snapshot", query["symbol"][0].upper(), limit or 100, "spot")
    if path == "/api/v3/exchangeInfo":
        return Answer("instruments", market="spot")
    if path == "/api/v1/contract/detail":
        return Answer("instruments", market="contract")
    head, _, symbol = path.rpartition("/")
    return Answer("snapshot", symbol, limit, "contract") if head == "/api/v1/contract/depth" else None


def read_instruments(body):
    """Instruments of either list. Raises ValueError that says what is missing."""
    # spot: {"symbols":[{"symbol":"BTCUSDT","quotePrecision":2,"baseAssetPrecision":8,"baseSizePrecision":"0.000001"}]}
    # contract: {"success":true,"code":0,"data":[{"symbol":"BTC_USDT","priceUnit":0.1,"volUnit":1, ...}]}
    try:
        lists = json.loads(body, parse_float=Decimal)
        if "symbols" in lists:
            return [Instrument(entry["symbol"], step(entry["quotePrecision"]), spot_lot(entry))
                    for entry in lists["symbols"]]
        return [Instrument(entry["symbol"], plain(entry["priceUnit"]), plain(entry["volUnit"]))
                for entry in lists["data"]]
    except (KeyError, TypeError, InvalidOperation, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"a list of symbols with quotePrecision or priceUnit (missing: {error})") from error


def spot_lot(entry):
    """Smallest step of a spot quantity; a baseSizePrecision of 0 says nothing."""
    text = plain(entry.get("baseSizePrecision") or 0)
    return text if Decimal(text) > 0 else step(entry["baseAssetPrecision"])


def step(decimals):
    """10**-decimals as plain text."""
    return f"{Decimal(1).scaleb(-int(decimals)):f}"


def plain(number):
    """A number, or the text of one, without an exponent."""
    return f"{Decimal(number):f}"


SPEC = VenueSpec(
    name="mexc",
    link=Link.RANGE,
    markets=("spot", "contract"),
    roots={"spot": "wss://wbs-api.mexc.com/ws", "contract": "wss://contract.mexc.com/edge"},
    channels=CHANNELS,
    streams=streams,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    read_control=read_control,
    symbol=spelling,
    # 30 streams a connection are spot's limit; contracts publish none. How many requests a connection may send is not
    # published: 10 a second is on the safe side. REST limits are by address (contract depth: 20 in 2 s).
    limits=Limits(
        streams_per_connection=30,
        messages_per_second=10,
        streams_per_request=30,
        connections_per_5_minutes=0,
        connection_lifetime_s=24 * 3600,
        rest_weight_per_minute=600,
    ),
    pings={"spot": '{"method":"PING"}', "contract": '{"method":"ping"}'},
    ping_interval_s=15,           # contracts end a connection after 60 s without a ping, also while data flow
    max_frame_size=8 << 20,
    parser=lambda market: MexcParser(CONTRACT if market == "contract" else SPOT),
    resync="rest",
    rest_url="https://api.mexc.com",
    snapshot_address=snapshot_address,
    snapshot_limit=5000,
    read_address=read_address,
    instruments_addresses={
        "spot": "https://api.mexc.com/api/v3/exchangeInfo",
        "contract": "https://api.mexc.com/api/v1/contract/detail",
    },
    read_instruments=read_instruments,
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
