"""HTX (Huobi): spot, and perpetual swaps settled in USDT ("BTC-USDT") or in the coin ("BTC-USD").

Wire forms: JSON of 2019 to 2026, each frame a gzip member. Books: `depth.stepN` and `mbp.refresh.N` (every frame is a
whole book), `mbp.N` of spot (changes, linked by prevSeqNum; the whole book is the answer to a `req` on the same
connection) and `depth.size_N.high_freq` of swaps (whole book and changes in the stream, counted by `version`). All are
served today but for frames of 2019 that have "update":true: changes of depth.step0. step1 and above merge prices: they
are read into a book of their own (depth 20) that no stream offers. Topics of dated futures and options are read as
those of swaps. 24 h statistics, mark and index prices come from `detail` and from candles of the minute.

The aggressor is `direction`; "" says nothing. A liquidation's direction is the side of the forced order. Quantities
are base coin on spot, contracts on swaps (`amount`; `quantity` is base coin with up to 40 digits and is left out).
Times are ms. A trade's id is `tradeId`; where there is none, the last 18 digits of `id`, which has up to 27 on spot.
The first frame of trade.detail tells the last trade once more, seconds to minutes old.

Sources: HTX API documents (spot, USDT-margined), HTX notice on MBP of 2020-06; recordings of 2021-04-17 (spot) and
2022-02-19 (swap); live probe of swaps of 2026-09; checked 2026-10-15. Spot mbp was not probed since (documents only).
"""

import json
from decimal import Decimal
from urllib.parse import urlsplit

from libc.string cimport memchr, memcmp
from orderbook.types cimport OK
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION, KIND_MARK,
                            KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, RESYNC_REQUEST, RESYNC_RESUBSCRIBE,
                            SLOT_AGGRESSOR, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_COUNT,
                            SLOT_EVENT_TIME, SLOT_FUNDING, SLOT_HIGH, SLOT_INDEX, SLOT_LAST, SLOT_LAST_QTY,
                            SLOT_LAST_SEQ, SLOT_LOW, SLOT_MARK, SLOT_NEXT_FUNDING, SLOT_OPEN, SLOT_PARTIAL,
                            SLOT_PREV_SEQ, SLOT_PRICE, SLOT_QTY, SLOT_QUOTE_VOLUME, SLOT_TIME, SLOT_TRADE_ID,
                            SLOT_VOLUME, TAKE_DOUBLE, TAKE_ID, TAKE_INT, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY, TAKE_SYMBOL,
                            TAKE_TIME)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Field, Text, at_end, empty_text, fill_sides, is_digit, list_fields, list_form, next_is,
                         next_item, next_key, open_array, open_object, peek, read_text, skip_value, take_aggressor,
                         take_any, take_array, take_constant, take_double, take_field, take_id, take_int, take_time,
                         take_value, word_is)
from feeds.sync cimport LINK_CHAIN, LINK_COUNTER, LINK_NOT_BELOW, LINK_RISES

from feeds.venue import (Answer, Control, Evidence, Instrument, Limits, Link, Stream, UnsupportedChannel, VenueSpec,
                         read_object)

cdef enum:
    SWAP = 1                  # index into SPEC.markets
    MERGED = 20               # depth of the book that depth.step1 and above fill

cdef enum:
    # What the elements of a frame at work are.
    IS_TRADE = 0
    IS_LIQUIDATION = 1
    IS_FUNDING = 2
    IS_NOTHING = 3


cdef class HtxParser(Parser):
    """Messages of all sockets; the topic tells spot (small letters) from swaps."""

    cdef int element_kind     # IS_... of the frame at work, and where in it the symbol stands
    cdef Py_ssize_t symbol_at
    cdef Py_ssize_t symbol_size

    def __cinit__(self, int market=0):
        self.market = market
        self.packed = True
        self.route_mark = c'"'
        self.route_marks = 4                      # {"ch":"market.btcusdt.depth.step0"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"ch":"market.btcusdt.bbo","ts":1790134831873,"tick":{...}}; tick and ts in any order
        # {"id":"2","rep":"market.btcusdt.mbp.150","status":"ok","data":{...}}
        # {"op":"notify","topic":"public.BTC-USDT.funding_rate","ts":1617309787271,"data":[{...}]}
        cdef Cursor ahead = c[0]
        cdef Text key, topic
        cdef bint known
        ahead.message = NULL
        topic.size = 0
        open_object(&ahead)
        while topic.size == 0 and next_key(&ahead, &key):
            known = word_is(&key, b"ch") or word_is(&key, b"rep") or word_is(&key, b"topic")
            if known and peek(&ahead) == c'"':
                read_text(&ahead, &topic)
            else:
                skip_value(&ahead)
        m.kind = KIND_CONTROL                     # a ping, an answer, an error
        if topic.size > 7 and memcmp(topic.data, b"market.", 7) == 0:
            market_frame(self, c, m, &topic)
        elif topic.size > 7 and memcmp(topic.data, b"public.", 7) == 0:
            notice(self, c, m, &topic)
        else:
            skip_value(c)
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        element(self, c, m)
        if next_is(c, c','):
            m.more = c.pos


cdef inline bint begins(const Text* text, const char* word, Py_ssize_t size) noexcept nogil:
    """Whether the text begins with this word of `size` bytes."""
    return text.size >= size and memcmp(text.data, word, size) == 0


cdef inline int number_at(const Text* text, Py_ssize_t at) noexcept nogil:
    """The number that stands in the text from there on."""
    cdef int number = 0
    while at < text.size and is_digit(text.data[at]) and number < 10000:
        number = 10 * number + (text.data[at] - c'0')
        at += 1
    return number


cdef inline void name_symbol(HtxParser self, Message* m, const char* symbol, Py_ssize_t size) noexcept nogil:
    """The symbol stands in the topic, which does not change within a stream."""
    m.symbol = symbol
    m.symbol_size = size
    m.fixed_symbol = True
    m.market = SWAP if size and c'A' <= symbol[0] <= c'Z' else 0


cdef inline void market_frame(HtxParser self, Cursor* c, Message* m, const Text* topic) noexcept nogil:
    """A frame of a topic market.SYMBOL.NAME, or the answer to a request for one."""
    cdef Text key, name
    cdef bint update = False
    cdef const char* symbol = topic.data + 7
    cdef const char* dot = <const char*> memchr(symbol, c'.', topic.size - 7)
    if dot == NULL:
        skip_value(c)
        return
    name.data = dot + 1
    name.size = topic.data + topic.size - name.data
    name_symbol(self, m, symbol, dot - symbol)
    self.symbol_at = symbol - c.start
    self.symbol_size = dot - symbol
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"tick") and peek(c) == c'{':
            tick(self, c, m, &name, False)
        elif word_is(&key, b"data") and peek(c) == c'{':
            tick(self, c, m, &name, True)
        elif word_is(&key, b"ts"):
            take_time(c, SLOT_EVENT_TIME)
        elif word_is(&key, b"update"):
            update |= peek(c) == c't'
            skip_value(c)
        elif word_is(&key, b"ch") or word_is(&key, b"rep") or word_is(&key, b"status"):
            skip_value(c)
        else:
            take_any(c)
    if update and m.kind == KIND_SNAPSHOT:
        m.kind = KIND_DELTA
        m.link = LINK_RISES


cdef inline void tick(HtxParser self, Cursor* c, Message* m, const Text* name, bint answer) noexcept nogil:
    """What a frame tells, by the name of its topic."""
    m.resync = RESYNC_RESUBSCRIBE
    if begins(name, b"depth.step", 10):
        m.kind = KIND_SNAPSHOT
        m.link = LINK_NOT_BELOW
        m.depth = 0 if name.size == 11 and name.data[10] == c'0' else MERGED
        book(c, m, True)
    elif begins(name, b"depth.size_", 11):
        m.link = LINK_COUNTER
        book(c, m, False)
    elif begins(name, b"mbp.refresh.", 12):
        m.kind = KIND_SNAPSHOT
        m.link = LINK_NOT_BELOW
        m.depth = number_at(name, 12)
        book(c, m, True)
    elif begins(name, b"mbp.", 4):
        m.kind = KIND_SNAPSHOT if answer else KIND_DELTA
        m.link = LINK_CHAIN
        m.resync = RESYNC_REQUEST
        m.needed = 0 if answer else bit(SLOT_PREV_SEQ)
        book(c, m, True)
    elif answer:
        m.kind = KIND_IGNORED                     # a request that is not ours: candles and trades of the past
        skip_value(c)
    elif word_is(name, b"bbo"):
        quote_update(c, m)
    elif word_is(name, b"trade.detail"):
        trades(self, c, m)
    elif word_is(name, b"detail") or word_is(name, b"ticker"):
        day(c, m)
    elif begins(name, b"mark_price.", 11) or begins(name, b"index.", 6):
        candle(c, m, SLOT_MARK if name.data[0] == c'm' else SLOT_INDEX)
    else:
        m.kind = KIND_IGNORED                     # candles, basis
        skip_value(c)


cdef inline void book(Cursor* c, Message* m, bint by_topic) noexcept nogil:
    # {"bids":[[9.121E-7,92730.24]],"asks":[],"version":100182534697,"ts":1618678069868}; a side may be absent or null
    # {"mrid":43131188379,"id":1645289384,"bids":[...],"asks":[...],"ts":1645289384828,"version":1645289384,"ch":"..."}
    # {"asks":[],"bids":[[86853.4,2],[86848.5,0]],"ch":"...","event":"update","id":100129125618998,
    #  "mrid":100129125618998,"ts":1790134831870,"version":1789895280798}
    # {"seqNum":100020146795,"prevSeqNum":100020146794,"bids":[],"asks":[[645.14,26.75597395914065]]}
    cdef Text key, event
    if not by_topic:
        m.kind = KIND_DELTA                       # the event tells
    m.needed |= bit(SLOT_LAST_SEQ)
    open_object(c)
    while next_key(c, &key):
        if not by_topic and word_is(&key, b"event") and read_text(c, &event):
            if word_is(&event, b"snapshot"):
                m.kind = KIND_SNAPSHOT
        elif word_is(&key, b"mrid") and by_topic and not m.seen & bit(SLOT_LAST_SEQ):
            take_int(c, SLOT_LAST_SEQ)            # a version, which may follow, goes before it
        else:
            take_field(c, &key, BOOK)


cdef inline bint take_side(Cursor* c, const Field* fields) noexcept nogil:
    """Take the best price of a side: a number on spot, [price, qty] on swaps."""
    return take_array(c, fields) if peek(c) == c'[' else take_value(c, fields)


cdef inline void quote_update(Cursor* c, Message* m) noexcept nogil:
    # {"seqId":100020146795,"ask":86853.5,"askSize":0.31,"bid":86853.4,"bidSize":1.2,"quoteTime":1790134831872,
    #  "symbol":"btcusdt"}
    # {"ask":[86853.5,310],"bid":[86853.4,1200],"ch":"...","id":100129125618998,"mrid":100129125618998,
    #  "ts":1790134831870,"version":100129125618998}; either side may be missing
    cdef Text key
    m.kind = KIND_QUOTE
    m.needed = bit(SLOT_BID_PRICE) | bit(SLOT_BID_QTY) | bit(SLOT_ASK_PRICE) | bit(SLOT_ASK_QTY)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"bid"):
            take_side(c, BEST_BID)
        elif word_is(&key, b"ask"):
            take_side(c, BEST_ASK)
        else:
            take_field(c, &key, QUOTE)
    fill_sides(c)


cdef inline void day(Cursor* c, Message* m) noexcept nogil:
    # {"id":311070770838,"low":29326.15,"high":31899.51,"open":31666.3,"close":29952.31,"vol":8.181588598785326E8,
    #  "amount":26897.159881877742,"version":311070770838,"count":699452}: amount in base, vol in quote currency
    # {"id":1654164240,"mrid":108854811173,"open":30728.4,"close":29944.4,"high":30729.5,"low":29306.6,
    #  "amount":34473.406,"vol":34473406,"trade_turnover":1047364677.232,"count":203526,"ask":[29940.5,2138], ...}:
    # vol in contracts
    cdef Text key
    cdef bint swap = m.market == SWAP
    m.kind = KIND_TICKER
    m.needed = bit(SLOT_LAST)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"bid"):
            take_side(c, BEST_BID)
        elif word_is(&key, b"ask"):
            take_side(c, BEST_ASK)
        elif word_is(&key, b"vol"):
            take_double(c, SLOT_VOLUME if swap else SLOT_QUOTE_VOLUME)
        elif word_is(&key, b"amount") and not swap:
            take_double(c, SLOT_VOLUME)
        elif word_is(&key, b"close") and m.seen & bit(SLOT_LAST):
            take_any(c)                           # lastPrice goes before it
        else:
            take_field(c, &key, DAY)


cdef inline void candle(Cursor* c, Message* m, int slot) noexcept nogil:
    # {"id":1654081380,"open":"31565.04","close":"31565.04","high":"31565.04","low":"31565.04","amount":"0", ...}
    cdef Text key
    m.kind = KIND_MARK
    m.needed = bit(slot)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"close"):
            take_double(c, slot)
        else:
            take_any(c)
    take_constant(c, SLOT_PARTIAL, 1)


cdef inline void trades(HtxParser self, Cursor* c, Message* m) noexcept nogil:
    # {"id":100182534526,"ts":1618678073690,"data":[{...}]}
    cdef Text key
    self.element_kind = IS_TRADE
    m.kind = KIND_IGNORED                         # if there is none
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"data") and peek(c) == c'[':
            elements(self, c, m)
        else:
            take_any(c)


cdef inline void notice(HtxParser self, Cursor* c, Message* m, const Text* topic) noexcept nogil:
    """A frame of a notification socket. Without data it is an answer: {"op":"sub","cid":"1","topic":"public.."}."""
    cdef Text key
    cdef Py_ssize_t i = topic.size
    while topic.data[i - 1] != c'.':              # it has one: public.
        i -= 1
    key.data = topic.data + i
    key.size = topic.size - i
    self.symbol_size = 0
    self.element_kind = (IS_FUNDING if word_is(&key, b"funding_rate") else IS_LIQUIDATION
                         if word_is(&key, b"liquidation_orders") else IS_NOTHING)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"data") and peek(c) == c'[':
            m.kind = KIND_IGNORED
            if self.element_kind == IS_NOTHING:
                skip_value(c)
            else:
                elements(self, c, m)
        elif word_is(&key, b"ts"):
            take_time(c, SLOT_EVENT_TIME)
        elif word_is(&key, b"topic") or word_is(&key, b"op"):
            skip_value(c)
        else:
            take_any(c)


cdef inline void elements(HtxParser self, Cursor* c, Message* m) noexcept nogil:
    """Take the first element of an array whose grammar is checked to its end."""
    cdef const char* start = c.pos
    cdef const char* past
    cdef Message* kept = c.message
    c.message = NULL
    skip_value(c)
    c.message = kept
    past = c.pos
    if c.status:
        return
    c.pos = start
    open_array(c)
    if not next_item(c):
        return
    element(self, c, m)
    if next_is(c, c','):
        m.more = c.pos
    if c.status == OK:
        c.pos = past


cdef inline void element(HtxParser self, Cursor* c, Message* m) noexcept nogil:
    # {"id":100182534526255757567432481,"ts":1618678073690,"tradeId":102523573486,"amount":0.01,"price":55000.1,
    #  "direction":"buy"}; swap: {"amount":4,"quantity":40,"trade_turnover":16.7648,"ts":1645289380927,
    #  "id":431311833130000,"price":0.41912,"direction":"buy"}; direction may be ""
    # {"symbol":"BTC","contract_code":"BTC-USDT","direction":"sell","offset":"close","volume":227,"price":23350.5,
    #  "created_at":1608226502284,"amount":0.227,"trade_turnover":5300.5635}
    # {"symbol":"BTC","contract_code":"BTC-USDT","fee_asset":"USDT","funding_time":"1617309780000",
    #  "funding_rate":"0.000754108135233895","estimated_rate":null,"settlement_time":"1617321600000"}
    cdef Text key
    cdef const Field* fields = TRADE
    m.kind = KIND_TRADE
    m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY)
    if self.symbol_size:
        name_symbol(self, m, c.start + self.symbol_at, self.symbol_size)
    else:
        m.market = SWAP
    if self.element_kind == IS_LIQUIDATION:
        m.kind = KIND_LIQUIDATION
        m.needed |= bit(SLOT_AGGRESSOR)
        fields = LIQUIDATION
    elif self.element_kind == IS_FUNDING:
        m.kind = KIND_MARK
        m.needed = bit(SLOT_FUNDING)
        fields = FUNDING
        take_constant(c, SLOT_PARTIAL, 1)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"direction"):
            if empty_text(c):
                skip_value(c)
                take_constant(c, SLOT_AGGRESSOR, 0)
            else:
                take_aggressor(c, b"buy", b"sell")
        elif word_is(&key, b"id") and not m.seen & bit(SLOT_TRADE_ID):
            take_id(c, SLOT_TRADE_ID)             # a tradeId, which may follow, goes before it
        else:
            take_field(c, &key, fields)


# What the keys of each message mean: (key, what to take, slot). A key that is not listed is stepped over.
cdef Form LEVEL
list_form(&LEVEL, ("price", "qty"), None, False, True)       # a side may be null

cdef Field[16] BOOK, QUOTE, TRADE, LIQUIDATION, FUNDING, DAY
cdef Field[4] BEST_BID, BEST_ASK

list_fields(BOOK, (("bids", TAKE_LEVELS, 0), ("asks", TAKE_LEVELS, 1), ("ts", TAKE_TIME, SLOT_TIME),
                   ("version", TAKE_INT, SLOT_LAST_SEQ), ("seqNum", TAKE_INT, SLOT_LAST_SEQ),
                   ("prevSeqNum", TAKE_INT, SLOT_PREV_SEQ)), &LEVEL)
list_fields(BEST_BID, (("price", TAKE_PRICE, SLOT_BID_PRICE), ("qty", TAKE_QTY, SLOT_BID_QTY)))
list_fields(BEST_ASK, (("price", TAKE_PRICE, SLOT_ASK_PRICE), ("qty", TAKE_QTY, SLOT_ASK_QTY)))
list_fields(QUOTE, (("bidSize", TAKE_QTY, SLOT_BID_QTY), ("askSize", TAKE_QTY, SLOT_ASK_QTY),
                    ("seqId", TAKE_INT, SLOT_LAST_SEQ), ("version", TAKE_INT, SLOT_LAST_SEQ),
                    ("quoteTime", TAKE_TIME, SLOT_TIME), ("ts", TAKE_TIME, SLOT_TIME)))
list_fields(TRADE, (("ts", TAKE_TIME, SLOT_TIME), ("tradeId", TAKE_ID, SLOT_TRADE_ID), ("amount", TAKE_QTY, SLOT_QTY),
                    ("price", TAKE_PRICE, SLOT_PRICE)))
list_fields(LIQUIDATION, (("contract_code", TAKE_SYMBOL, 0), ("volume", TAKE_QTY, SLOT_QTY),
                          ("price", TAKE_PRICE, SLOT_PRICE), ("created_at", TAKE_TIME, SLOT_TIME)))
list_fields(FUNDING, (("contract_code", TAKE_SYMBOL, 0), ("funding_rate", TAKE_DOUBLE, SLOT_FUNDING),
                      ("funding_time", TAKE_TIME, SLOT_TIME), ("settlement_time", TAKE_TIME, SLOT_NEXT_FUNDING)))
list_fields(DAY, (("open", TAKE_DOUBLE, SLOT_OPEN), ("high", TAKE_DOUBLE, SLOT_HIGH), ("low", TAKE_DOUBLE, SLOT_LOW),
                  ("close", TAKE_DOUBLE, SLOT_LAST), ("lastPrice", TAKE_DOUBLE, SLOT_LAST),
                  ("lastSize", TAKE_DOUBLE, SLOT_LAST_QTY), ("count", TAKE_INT, SLOT_COUNT),
                  ("trade_turnover", TAKE_DOUBLE, SLOT_QUOTE_VOLUME), ("bidSize", TAKE_QTY, SLOT_BID_QTY),
                  ("askSize", TAKE_QTY, SLOT_ASK_QTY), ("ts", TAKE_TIME, SLOT_TIME)))


MARKETS = ("spot", "swap")

CHANNELS = {
    "book": "order book of 150 levels: spot mbp (depth=5, 20, 150, 400; 10: whole), swap high_freq (depth=20, 150); "
            "speed=1s: depth.step0, whole",
    "trades": "every trade",
    "quotes": "best bid and offer, in real time",
    "ticker": "statistics of the last 24 hours",
    "mark": "swap: mark price, index price (candles of the minute) and funding rate",
    "liquidations": "swap: forced orders",
}

# market -> channel -> (topic, root); roots of swaps are those of contracts settled in USDT
TOPICS = {
    "spot": {"trades": (("market.{}.trade.detail", "spot"),), "quotes": (("market.{}.bbo", "spot"),),
             "ticker": (("market.{}.detail", "spot"),)},
    "swap": {"trades": (("market.{}.trade.detail", "swap"),), "quotes": (("market.{}.bbo", "swap"),),
             "ticker": (("market.{}.detail", "swap"),),
             "mark": (("market.{}.mark_price.1min", "index"), ("market.{}.index.1min", "index"),
                      ("public.{}.funding_rate", "notices")),
             "liquidations": (("public.{}.liquidation_orders", "notices"),)},
}
# (market, depth, speed) -> topic, root, depth of the book it fills
BOOKS = {
    **{("spot", levels, None): (f"market.{{}}.mbp.{levels}", "feed", 0) for levels in (5, 20, 150, 400)},
    ("spot", 10, None): ("market.{}.mbp.refresh.10", "spot", 10),
    ("spot", 150, "1s"): ("market.{}.depth.step0", "spot", 0),
    ("swap", 20, None): ("market.{}.depth.size_20.high_freq", "swap", 0),
    ("swap", 150, None): ("market.{}.depth.size_150.high_freq", "swap", 0),
    ("swap", 150, "1s"): ("market.{}.depth.step0", "swap", 0),
}


def streams(symbols, channels, depth=None, speed=None, market=None):
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only."""
    SPEC.check_channels(channels)
    market = SPEC.check_market(market)
    known = ("book", *TOPICS[market])
    lacking = [channel for channel in channels if channel not in known]
    if lacking:
        raise UnsupportedChannel(f"htx {market} has no channel {', '.join(map(repr, lacking))}; "
                                 f"it has: {', '.join(known)}")
    if (market, depth or 150, speed) not in BOOKS:
        own = ", ".join(f"{levels}{' with speed ' + pace if pace else ''}" for name, levels, pace in BOOKS
                        if name == market)
        raise UnsupportedChannel(f"htx {market} has no book of depth {depth!r} with speed {speed!r}; it has: {own}")
    topic, root, levels = BOOKS[market, depth or 150, speed]
    planned = []
    for typed in symbols:
        symbol = swap_spelling(typed) if market == "swap" else spot_spelling(typed)
        coin = "coin_" if market == "swap" and symbol.endswith("-USD") else ""
        for channel in channels:
            served = ((topic, root),) if channel == "book" else TOPICS[market][channel]
            for text, where in served:
                planned.append(Stream(text.format(symbol), where if where == "index" else coin + where, symbol, channel,
                                      levels if channel == "book" else 0, market))
    return planned


def spot_spelling(symbol):
    """btcusdt."""
    return symbol.lower().replace("-", "").replace("/", "").replace("_", "")


def swap_spelling(symbol):
    """BTC-USDT."""
    return symbol.upper().replace("/", "-").replace("_", "-")


def spelling(symbol):
    """Spot is written without a separator, a swap with one."""
    return swap_spelling(symbol) if "-" in symbol else spot_spelling(symbol)


def compact(frame):
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)


def subscribe(names, request_id):
    # {"sub":"market.btcusdt.mbp.400","id":"1"}
    # {"sub":"market.BTC-USDT.depth.size_150.high_freq","data_type":"incremental","id":"1"}
    # {"op":"sub","cid":"1","topic":"public.BTC-USDT.funding_rate"}
    frames = []
    for name in names:
        if name.startswith("public."):
            frames.append({"op": "sub", "cid": str(request_id), "topic": name})
        elif name.endswith(".high_freq"):
            frames.append({"sub": name, "data_type": "incremental", "id": str(request_id)})
        else:
            frames.append({"sub": name, "id": str(request_id)})
    return [compact(frame) for frame in frames]


def unsubscribe(names, request_id):
    # {"unsub":"market.btcusdt.mbp.400","id":"8"}
    return [compact({"op": "unsub", "cid": str(request_id), "topic": name} if name.startswith("public.") else
                    {"unsub": name, "id": str(request_id)}) for name in names]


def request(name, request_id):
    """Ask for the whole book of a stream of changes, on the connection that has them; "" for the other books."""
    # {"req":"market.btcusdt.mbp.400","id":"2"}
    wanted = ".mbp." in name and ".refresh." not in name
    return compact({"req": name, "id": str(request_id)}) if wanted else ""


def is_topic(word):
    return word.startswith("market.")


def read_control(payload):
    """Classify a frame that is not market data; never raises.

    {"ping":1618678073643}                  {"op":"ping","ts":"1618678073643"}          to be answered
    {"id":"1","status":"ok","subbed":"market.trioeth.depth.step0","ts":1618678073643}   an ack; unsubbed: the other
    {"op":"sub","cid":"1","topic":"public.BTC-USDT.funding_rate","ts":1790134831873,"err-code":0}
    {"status":"error","ts":1618678073643,"id":"1","err-code":"bad-request","err-msg":"invalid topic market.NOPE.depth"}
    """
    text, message = read_object(payload)
    op = message.get("op")
    if "ping" in message:
        return Control("ping", text=text, reply=compact({"pong": message["ping"]}))
    if op == "ping":
        return Control("ping", text=text, reply=compact({"op": "pong", "ts": message.get("ts")}))
    told = str(message.get("id", message.get("cid", "")))
    request_id = int(told) if told.isascii() and told.isdigit() and len(told) < 19 else None
    code = message.get("err-code", 0)
    if message.get("status") == "error" or code != 0:
        words = str(message.get("err-msg", text))
        topic = message.get("topic")
        named = (topic,) if isinstance(topic, str) else tuple(filter(is_topic, words.split()))
        return Control("error", request_id, code if isinstance(code, (int, str)) else None, words,
                       () if request_id is not None else named, reason="bad_symbol" if "invalid" in words else "")
    for key in ("subbed", "unsubbed"):
        if isinstance(message.get(key), str):
            return Control("ack", request_id, None, text, () if request_id is not None else (message[key],))
    if op in ("sub", "unsub"):
        named = (message["topic"],) if isinstance(message.get("topic"), str) else ()
        return Control("ack", request_id, None, text, () if request_id is not None else named)
    return Control("other", text=text)


def read_address(url):
    """What an answer from this address is. Books by REST have no number that the stream's could be joined to."""
    path = urlsplit(url).path
    if path.endswith(("/common/symbols", "/market-symbols")):
        return Answer("instruments", market="spot")
    return Answer("instruments", market="swap") if path.endswith("/swap_contract_info") else None


def plain(number):
    """A step as plain decimal text: 0.1 for 0.100000000000000000."""
    return f"{Decimal(str(number)).normalize():f}"


def read_instruments(body):
    """Instruments of a list of symbols or contracts. Raises ValueError that says what is missing."""
    # {"status":"ok","data":[{"symbol":"yeebtc","price-precision":10,"amount-precision":2, ...}]}; newer lists:
    # sc, pp, ap; {"data":[{"contract_code":"BTC-USDT","contract_size":0.001000000000000000,
    # "price_tick":0.100000000000000000,"contract_status":1, ...}]}
    try:
        found = []
        for entry in json.loads(body, parse_float=str)["data"]:
            if "contract_code" in entry:
                found.append(Instrument(entry["contract_code"], plain(entry["price_tick"]), "1"))
                continue
            price, amount = (int(entry[short] if short in entry else entry[long])
                             for short, long in (("pp", "price-precision"), ("ap", "amount-precision")))
            symbol = entry["symbol"] if "symbol" in entry else entry["sc"]
            found.append(Instrument(symbol, plain(Decimal(1).scaleb(-price)), plain(Decimal(1).scaleb(-amount))))
    except (ArithmeticError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"a list of symbols or contracts with their steps (missing: {error})") from error
    return found


SPEC = VenueSpec(
    name="htx",
    link=Link.NOT_BELOW,      # depth.step0; mbp: CHAIN (prevSeqNum == last seqNum), high_freq: COUNTER (version)
    roots={
        "spot": "wss://api.huobi.pro/ws",
        "feed": "wss://api.huobi.pro/feed",             # serves mbp only, and /ws does not serve it
        "swap": "wss://api.hbdm.com/linear-swap-ws",
        "coin_swap": "wss://api.hbdm.com/swap-ws",
        "index": "wss://api.hbdm.com/ws_index",
        "notices": "wss://api.hbdm.com/linear-swap-notification",
        "coin_notices": "wss://api.hbdm.com/swap-notification",
    },
    channels=CHANNELS,
    streams=streams,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    read_control=read_control,
    symbol=spelling,
    # Swap: 40 subscriptions a second; spot: 10 `req` a second on a connection. The other figures are our own.
    limits=Limits(
        streams_per_connection=200,
        messages_per_second=10,
        streams_per_request=1,
        connections_per_5_minutes=100,
        connection_lifetime_s=0,
        rest_weight_per_minute=300,
    ),
    max_frame_size=4 << 20,
    parser=lambda market: HtxParser(MARKETS.index(market) if market in MARKETS else 0),
    source="https://huobiapi.github.io/docs/spot/v1/en/, https://www.htx.com/en-us/opend/newApiPages/",
    checked="2026-10-15",
    forms="JSON of 2019 to 2026, gzip'd frames; all served today but for step0 frames of 2019 with \"update\":true.",
    evidence=(
        Evidence("book (depth.step0)", "capture", "every message is the whole book; an older one is dropped"),
        Evidence("book (mbp)", "messages", "prevSeqNum = last seqNum: a missing or repeated message is seen"),
        Evidence("book (high_freq)", "messages", "version = last + 1: a missing or repeated message is seen"),
        Evidence("trades", "capture", "nothing; the first message after subscribing repeats the last trade"),
        Evidence("quotes", "messages", "nothing"),
        Evidence("ticker", "messages", "nothing"),
        Evidence("mark", "messages", "nothing; mark and index candles were not recorded"),
        Evidence("liquidations", "messages", "nothing"),
    ),
    markets=MARKETS,
    ping_interval_s=5,        # the server's, on market sockets; it closes after 20 s without a pong
    resync="request",         # mbp; the other books: by subscribing again
    request=request,
    read_address=read_address,
    instruments_addresses={
        "spot": "https://api.huobi.pro/v1/settings/common/market-symbols",
        "swap": "https://api.hbdm.com/linear-swap-api/v1/swap_contract_info",
    },
    read_instruments=read_instruments,
)
