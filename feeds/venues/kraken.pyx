"""Kraken spot: WebSocket v2 (objects), and the frozen v1 (arrays), which is still served.

Wire forms: v2 of 2023 to 2026 and v1 of 2018 to 2026; a feed subscribes to v2, recordings of both are read. Prices and
quantities of v2 are bare numbers whose trailing zeros belong to the checksum. The checksum (CRC-32 over the digits of
the best ten asks, then bids) is the only way to see a loss: there are no sequence numbers. No removal is sent for a
level that falls out of the subscribed depth, so a book is cut to that depth after every update: v2 states it in the
answer to the subscription, v1 in the channel's name. The side of a trade is the taker's. Times are RFC 3339 (v2) and
seconds with a fraction (v1). Sources: docs.kraken.com/api/docs/websocket-v2 and /websocket-v1, as of 2026-10;
v1's "r" of a republished level changes nothing here (from the documentation; none was recorded).
"""

import json

from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy
from orderbook.types cimport BAD_VALUE, NO_MEMORY
from feeds.message cimport (Form, Message, bit, CHECKSUM_DIGITS, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_QUOTE,
                            KIND_NONE, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, MAX_NAME, SEEN_ASKS, SEEN_BIDS,
                            SLOT_AGGRESSOR, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_CHANGE,
                            SLOT_CHANGE_PCT, SLOT_CHECKSUM, SLOT_COUNT, SLOT_HIGH, SLOT_LAST, SLOT_LAST_QTY, SLOT_LOW,
                            SLOT_OPEN, SLOT_PRICE, SLOT_QTY, SLOT_QUOTE_TOO, SLOT_SPARE, SLOT_TIME, SLOT_TRADE_ID,
                            SLOT_VOLUME, SLOT_VWAP, TAKE_ANY, TAKE_DOUBLE, TAKE_INT, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY,
                            TAKE_TIME)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Field, Text, at_end, fail, find_text, key_is, list_fields, list_form, name_symbol,
                         next_is, next_item, next_key, open_array, open_object, peek, read_text, scan_number,
                         skip_value, take_aggressor, take_any, take_array, take_constant, take_field, take_symbol,
                         take_value, word_is)

from feeds.venue import (Answer, Control, Evidence, Instrument, Limits, Link, Stream, UnsupportedChannel, VenueSpec,
                         read_object)

cdef enum:
    DEFAULT_DEPTH = 10        # where no answer to a subscription was seen

cdef struct Depth:
    char symbol[MAX_NAME]
    Py_ssize_t size
    int depth                 # levels a side that are subscribed


cdef class KrakenParser(Parser):
    """Messages of both versions; remembers the depth of each book that was subscribed with another than the default."""

    cdef Depth* depths        # Owned
    cdef int n_depths
    cdef int kind             # of the elements of the frame at work

    def __cinit__(self, int market=0):
        self.market = market
        self.route_mark = c'"'
        self.route_marks = 14                     # {"channel":"book","type":"update","data":[{"symbol":"BTC/USD
        self.array_marks = 2                      # [992,{"b

    def __dealloc__(self):
        free(self.depths)

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        if peek(c) == c'[':
            array_frame(c, m)
        else:
            object_frame(self, c, m)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        if peek(c) == c'[':
            trade_v1(c, m)
        else:
            element(self, c, m)


# ---- version 2

cdef inline void object_frame(KrakenParser self, Cursor* c, Message* m) noexcept nogil:
    # {"channel":"book","type":"update","data":[{...}]}, {"channel":"heartbeat"}, {"method":"subscribe","result":{...}};
    # v1: {"event":"heartbeat"}
    cdef Text key, channel, kind
    if not find_text(c, b"channel", &channel) or word_is(&channel, b"status"):
        m.kind = KIND_CONTROL
        answer(self, c, m)
        return
    find_text(c, b"type", &kind)
    m.kind = self.kind = kind_of(&channel, &kind)
    if m.kind == KIND_NONE:
        fail(c, BAD_VALUE, b"a snapshot or an update")
    if m.kind == KIND_IGNORED:
        skip_value(c)
        at_end(c)
        return
    open_object(c)
    while next_key(c, &key):
        if not word_is(&key, b"data"):
            skip_value(c)
            continue
        open_array(c)
        if next_item(c):
            element(self, c, m)
            if m.more != NULL:
                skip_value(c)
            while next_item(c):
                skip_value(c)
        else:
            m.kind = KIND_IGNORED
    at_end(c)


cdef inline int kind_of(const Text* channel, const Text* kind) noexcept nogil:
    """What the elements of a frame of this channel and type are; KIND_NONE if the type is unknown."""
    if word_is(channel, b"book"):
        if word_is(kind, b"update"):
            return KIND_DELTA
        return KIND_SNAPSHOT if word_is(kind, b"snapshot") else KIND_NONE
    if word_is(channel, b"trade"):
        # The snapshot is the last 50 trades: history, which every subscription repeats.
        return KIND_TRADE if word_is(kind, b"update") else KIND_IGNORED
    return KIND_TICKER if word_is(channel, b"ticker") else KIND_IGNORED


cdef inline void element(KrakenParser self, Cursor* c, Message* m) noexcept nogil:
    """One element of `data`, and where the next one begins."""
    cdef Text key
    cdef const Field* fields = (&TRADE[0] if self.kind == KIND_TRADE else &TICKER[0] if self.kind == KIND_TICKER
                                else &BOOK[0])
    m.kind = self.kind
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"symbol"):
            name_symbol(c)
        elif m.kind == KIND_TRADE and word_is(&key, b"side"):
            take_aggressor(c, b"buy", b"sell")
        else:
            take_field(c, &key, fields)
    if m.kind == KIND_TRADE:
        # {"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.00027625,"ord_type":"limit","trade_id":10218208,
        #  "timestamp":"2023-10-06T17:35:55.440295Z"}
        m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    elif m.kind == KIND_TICKER:
        # {"symbol":"BTC/USD","bid":105944.20,"bid_qty":2.5,"ask":105944.30,"ask_qty":3.2,"last":105899.40, ...}: with
        # every trade, or (event_trigger bbo) whenever the best bid or offer changes
        m.needed = bit(SLOT_LAST)
        take_constant(c, SLOT_QUOTE_TOO, 1)
    else:
        # {"symbol":"BTC/USD","bids":[{"price":105944.20,"qty":0.250}],"asks":[],"checksum":2114181697,
        #  "timestamp":"2023-10-06T17:35:55.440295Z"}; snapshots had no timestamp in 2025-05, they have one in 2026-08
        m.needed = bit(SLOT_CHECKSUM) | bit(SEEN_BIDS) | bit(SEEN_ASKS)
        m.checksum = CHECKSUM_DIGITS
        if m.kind == KIND_DELTA and m.symbol != NULL:
            m.cut = depth_of(self, m.symbol, m.symbol_size)
    if next_is(c, c','):
        m.more = c.pos


cdef inline void answer(KrakenParser self, Cursor* c, Message* m) noexcept nogil:
    # {"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"},"success":true,
    #  "time_in":"2026-08-24T22:21:56.724795Z","time_out":"2026-08-24T22:21:56.724853Z"}: the only place of the depth
    cdef Text key, method, channel, symbol
    cdef int depth = 0
    channel.size = symbol.size = 0
    find_text(c, b"method", &method)
    c.message = NULL
    open_object(c)
    while next_key(c, &key):
        if not word_is(&key, b"result") or peek(c) != c'{':
            skip_value(c)
            continue
        find_text(c, b"channel", &channel)
        find_text(c, b"symbol", &symbol)
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"depth"):
                peek(c)
                depth = read_depth(c.pos, c.end)
            skip_value(c)
    if at_end(c) and word_is(&method, b"subscribe") and word_is(&channel, b"book") and depth:
        m.relearn = remember_depth(self, c, &symbol, depth)


cdef inline int read_depth(const char* p, const char* end) noexcept nogil:
    """The number at `p`, up to the first byte that is no digit: 1000 of book-1000."""
    cdef int depth = 0
    while p != end and c'0' <= p[0] <= c'9' and depth < 100000:
        depth = 10 * depth + (p[0] - c'0')
        p += 1
    return depth


cdef inline int find_depth(KrakenParser self, const char* symbol, Py_ssize_t size) noexcept nogil:
    """Index of a symbol in `depths`, -1 if it has the default."""
    cdef int i
    for i in range(self.n_depths):
        if self.depths[i].size == size and memcmp(self.depths[i].symbol, symbol, size) == 0:
            return i
    return -1


cdef inline int depth_of(KrakenParser self, const char* symbol, Py_ssize_t size) noexcept nogil:
    """Levels a side that are subscribed of a symbol."""
    cdef int i = find_depth(self, symbol, size)
    return DEFAULT_DEPTH if i < 0 else self.depths[i].depth


cdef inline bint remember_depth(KrakenParser self, Cursor* c, const Text* symbol, int depth) noexcept nogil:
    """Note the depth of a symbol's book; whether it was another one before."""
    cdef int i = find_depth(self, symbol.data, symbol.size)
    cdef int before = DEFAULT_DEPTH if i < 0 else self.depths[i].depth
    cdef void* memory
    if depth == before or not 0 < symbol.size <= MAX_NAME:
        return False
    if i < 0:
        i = self.n_depths
        if i & (i - 1) == 0:                      # a full power of two: room for twice as many
            memory = realloc(self.depths, (2 * i if i else 1) * sizeof(Depth))
            if memory == NULL:
                return fail(c, NO_MEMORY, b"memory for another symbol")
            self.depths = <Depth*> memory
        self.n_depths += 1
        memcpy(self.depths[i].symbol, symbol.data, symbol.size)
        self.depths[i].size = symbol.size
    self.depths[i].depth = depth
    return True


# ---- version 1

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
    elif name.size > 5 and memcmp(name.data, b"book-", 5) == 0:
        book_v1(c, m, &name, &pair)
    elif word_is(&name, b"trade"):
        next_item(c)
        open_array(c)
        if next_item(c):
            trade_v1(c, m)
        else:
            m.kind = KIND_IGNORED
    elif word_is(&name, b"ticker"):
        next_item(c)
        ticker_v1(c, m)
    elif word_is(&name, b"spread"):
        next_item(c)
        spread_v1(c, m)
    else:
        m.kind = KIND_IGNORED                     # ohlc-1 and the like


cdef inline void book_v1(Cursor* c, Message* m, const Text* name, const Text* pair) noexcept nogil:
    # [464,{"as":[["56218.30000","0.15000000","1618678117.243818"]],"bs":[]},"book-1000","XBT/CHF"] a snapshot;
    # [320,{"a":[["38800.00000","0.02203518","1622766170.577187"]]},{"b":[["38800.00000","0.03017320",
    #  "1622766170.577304","r"]],"c":"2479000840"},"book-25","XBT/USD"] an update of both sides
    cdef Text key
    m.kind = KIND_DELTA
    m.checksum = CHECKSUM_DIGITS
    m.needed = bit(SLOT_CHECKSUM)
    while next_item(c):
        if peek(c) == c'{':
            open_object(c)
            while next_key(c, &key):
                if word_is(&key, b"as") or word_is(&key, b"bs"):
                    m.kind = KIND_SNAPSHOT
                    m.needed = bit(SEEN_BIDS) | bit(SEEN_ASKS)
                take_field(c, &key, BOOK_V1)
        elif c.pos + 1 == pair.data:
            take_symbol(c)
        else:
            skip_value(c)
    if m.kind == KIND_DELTA:
        m.cut = read_depth(name.data + 5, name.data + name.size)


cdef inline void take_pair(Cursor* c) noexcept nogil:
    """Behind the body: the channel's name, and the pair."""
    next_item(c)
    skip_value(c)
    next_item(c)
    take_symbol(c)


cdef inline void trade_v1(Cursor* c, Message* m) noexcept nogil:
    # ["354.11000000","0.89594024","1618678142.557535","s","l",""] of [465,[[...],[...]],"trade","XMR/USD"]: price,
    # quantity, time, side of the taker, limit or market order, nothing
    cdef int i = 0
    m.kind = KIND_TRADE
    m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    open_array(c)
    while next_item(c):
        if i == 3:
            take_aggressor(c, b"b", b"s")
        elif i < 3:
            take_value(c, &TRADE_V1[i])
        else:
            take_any(c)
        i += 1
    if next_is(c, c','):
        m.more = c.pos
        skip_value(c)
    while next_item(c):
        skip_value(c)
    take_pair(c)


cdef inline void ticker_v1(Cursor* c, Message* m) noexcept nogil:
    # {"a":["13.253900",35,"35.72892241"],"b":["13.232900",185,"185.18432037"],"c":["13.253900","3.71672000"],
    #  "v":["26560.85364463","72035.05488104"],"p":[..],"t":[640,1353],"l":[..],"h":[..],"o":[..]}: ask and bid (price,
    # whole lots, lots), last (price, lots); volume, vwap, trades, low, high, open of today and of the last 24 hours
    cdef Text key
    cdef int i
    m.kind = KIND_TICKER
    m.needed = bit(SLOT_LAST)
    open_object(c)
    while next_key(c, &key):
        i = 0
        while i < 9 and not key_is(&key, LETTERS[i]):
            i += 1
        if i < 9:
            take_array(c, TICKER_V1[i])
        else:
            take_any(c)
    take_pair(c)


cdef inline void spread_v1(Cursor* c, Message* m) noexcept nogil:
    # ["43770.20000","43770.30000","1633053779.916349","0.00917717","0.31670440"]: bid, ask, time, their quantities
    m.kind = KIND_QUOTE
    m.needed = bit(SLOT_BID_PRICE) | bit(SLOT_BID_QTY) | bit(SLOT_ASK_PRICE) | bit(SLOT_ASK_QTY)
    take_array(c, SPREAD_V1)
    take_pair(c)


# What the keys mean: (key, what to take, slot). A key that is not listed is stepped over.
cdef Form LEVEL, LEVEL_V1
list_form(&LEVEL, {"price": "price", "qty": "qty"})
list_form(&LEVEL_V1, ("price", "qty"))

cdef Field[16] BOOK, TRADE, TICKER, BOOK_V1, TRADE_V1, SPREAD_V1

list_fields(BOOK, (("bids", TAKE_LEVELS, 0), ("asks", TAKE_LEVELS, 1), ("checksum", TAKE_INT, SLOT_CHECKSUM),
                   ("timestamp", TAKE_TIME, SLOT_TIME)), &LEVEL)
list_fields(TRADE, (("price", TAKE_PRICE, SLOT_PRICE), ("qty", TAKE_QTY, SLOT_QTY),
                    ("trade_id", TAKE_INT, SLOT_TRADE_ID), ("timestamp", TAKE_TIME, SLOT_TIME)))
list_fields(TICKER, (("bid", TAKE_PRICE, SLOT_BID_PRICE), ("bid_qty", TAKE_QTY, SLOT_BID_QTY),
                     ("ask", TAKE_PRICE, SLOT_ASK_PRICE), ("ask_qty", TAKE_QTY, SLOT_ASK_QTY),
                     ("last", TAKE_DOUBLE, SLOT_LAST), ("volume", TAKE_DOUBLE, SLOT_VOLUME),
                     ("vwap", TAKE_DOUBLE, SLOT_VWAP), ("low", TAKE_DOUBLE, SLOT_LOW), ("high", TAKE_DOUBLE, SLOT_HIGH),
                     ("change", TAKE_DOUBLE, SLOT_CHANGE), ("change_pct", TAKE_DOUBLE, SLOT_CHANGE_PCT),
                     ("timestamp", TAKE_TIME, SLOT_TIME)))
list_fields(BOOK_V1, (("as", TAKE_LEVELS, 1), ("bs", TAKE_LEVELS, 0), ("a", TAKE_LEVELS, 1), ("b", TAKE_LEVELS, 0),
                      ("c", TAKE_INT, SLOT_CHECKSUM)), &LEVEL_V1)
list_fields(TRADE_V1, (("price", TAKE_PRICE, SLOT_PRICE), ("qty", TAKE_QTY, SLOT_QTY), ("time", TAKE_TIME, SLOT_TIME)))
list_fields(SPREAD_V1, (("bid", TAKE_PRICE, SLOT_BID_PRICE), ("ask", TAKE_PRICE, SLOT_ASK_PRICE),
                        ("time", TAKE_TIME, SLOT_TIME), ("bid qty", TAKE_QTY, SLOT_BID_QTY),
                        ("ask qty", TAKE_QTY, SLOT_ASK_QTY)))

# Of the ticker of v1: what the elements of each key's array are.
cdef const char* LETTERS = b"abcvptlho"
cdef Field[9][4] TICKER_V1

list_fields(TICKER_V1[0], (("ask", TAKE_PRICE, SLOT_ASK_PRICE), ("lots", TAKE_ANY, SLOT_SPARE),
                           ("ask qty", TAKE_QTY, SLOT_ASK_QTY)))
list_fields(TICKER_V1[1], (("bid", TAKE_PRICE, SLOT_BID_PRICE), ("lots", TAKE_ANY, SLOT_SPARE),
                           ("bid qty", TAKE_QTY, SLOT_BID_QTY)))
list_fields(TICKER_V1[2], (("last", TAKE_DOUBLE, SLOT_LAST), ("last qty", TAKE_DOUBLE, SLOT_LAST_QTY)))
for _place, (_take, _slot) in enumerate(((TAKE_DOUBLE, SLOT_VOLUME), (TAKE_DOUBLE, SLOT_VWAP), (TAKE_INT, SLOT_COUNT),
                                         (TAKE_DOUBLE, SLOT_LOW), (TAKE_DOUBLE, SLOT_HIGH), (TAKE_DOUBLE, SLOT_OPEN))):
    list_fields(TICKER_V1[3 + <int> _place], (("today", TAKE_ANY, SLOT_SPARE), ("24 hours", _take, _slot)))


CHANNELS = {
    "book": "order book by deltas, the best 10, 25, 100, 500 or 1000 levels a side (the most if no depth is given)",
    "quotes": "best bid and offer, whenever it changes",
    "trades": "every trade, in real time",
    "ticker": "statistics of the last 24 hours, with every trade",
}

DEPTHS = (10, 25, 100, 500, 1000)


def spelling(symbol):
    """BTC/USD; a name with a capital is taken as it is (AAPLx/USD). v2 writes BTC and DOGE where v1 has XBT and XDG."""
    return symbol.upper() if symbol == symbol.lower() else symbol


def streams(symbols, channels, depth=None, speed=None, market=None):
    """Streams of `symbols` x `channels`. A symbol has one depth, and one ticker, on a connection: with quotes the
    ticker comes with every change of the best bid or offer, and serves both channels."""
    SPEC.check_channels(channels)
    SPEC.check_market(market)
    if depth is not None and depth not in DEPTHS:
        raise UnsupportedChannel(f"kraken has no book of depth {depth!r}; it has: {', '.join(map(str, DEPTHS))}")
    if speed is not None:
        raise UnsupportedChannel(f"kraken has no speed {speed!r}: it sends every change at once")
    ticker_name = "ticker-bbo" if "quotes" in channels else "ticker"
    names = {"book": f"book-{depth or max(DEPTHS)}", "trades": "trade", "ticker": ticker_name, "quotes": ticker_name}
    return [Stream(f"{names[channel]}:{symbol}", "public", symbol, channel)
            for symbol in map(spelling, symbols) for channel in channels]


def requests(method, names, request_id):
    """One frame for all symbols of a channel."""
    groups = {}
    for name in names:
        channel, symbol = name.split(":", 1)
        groups.setdefault(channel, []).append(symbol)
    frames = []
    for channel, symbols in groups.items():
        kind, _, detail = channel.partition("-")
        params = {"channel": kind, "symbol": symbols}
        if kind == "book":
            params["depth"] = int(detail)
        if kind == "ticker":
            params["event_trigger"] = detail or "trades"
        if method == "subscribe" and kind != "ticker":
            params["snapshot"] = kind == "book"   # of trades: history
        frames.append(json.dumps({"method": method, "params": params, "req_id": request_id}, separators=(",", ":")))
    return frames


def subscribe(names, request_id):
    # {"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","ETH/USD"],"depth":10,"snapshot":true},
    #  "req_id":1}
    return requests("subscribe", names, request_id)


def unsubscribe(names, request_id):
    # {"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":2}
    return requests("unsubscribe", names, request_id)


def reason_of(text):
    """What an error text of the venue means for a feed; the texts have no codes."""
    text = text.lower()
    if "currency pair" in text:                   # "Currency pair not supported BTC/FOO"
        return "bad_symbol"
    if "rate" in text:                            # "Exceeded msg rate"
        return "rate_limit"
    if "permission" in text or "session" in text or "token" in text:
        return "authorisation"
    return "maintenance" if "unavailable" in text or "maintenance" in text else ""


def read_control(payload):
    """Classify a frame that is not market data; never raises.

    {"method":"subscribe","result":{"channel":"book","depth":10,"symbol":"BTC/USD",...},"success":true,"req_id":1,...}
    {"error":"Currency pair not supported BTC/FOO","method":"subscribe","req_id":1,"success":false,"symbol":"BTC/FOO"}
    {"method":"pong","req_id":101,...}
    {"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",...}]}
    {"channelID":1664,"channelName":"book-1000","event":"subscriptionStatus","pair":"XBT/USD","status":"subscribed",..}
    {"errorMessage":"Subscription name invalid","event":"subscriptionStatus","pair":"XBT/USD","status":"error",...}
    """
    text, message = read_object(payload)
    request_id = message.get("req_id", message.get("reqid"))
    if type(request_id) is not int:
        request_id = None
    event = message.get("event")
    if message.get("method") == "pong" or event == "pong":
        return Control("pong", None, None, text)
    error = message.get("error", message.get("errorMessage"))
    if isinstance(error, str):
        symbol = message.get("symbol", message.get("pair"))
        return Control("error", request_id, None, error, (symbol,) if isinstance(symbol, str) else (),
                       reason=reason_of(error))
    if event == "subscriptionStatus":
        return Control("ack", request_id, None, text, (f"{message.get('channelName')}:{message.get('pair')}",))
    if message.get("success") is True and isinstance(message.get("result"), dict):
        return Control("ack", request_id, None, text, acknowledged(message["result"]))
    data = message.get("data")
    state = data[0] if isinstance(data, list) and data else message
    state = state.get("system", state.get("status")) if isinstance(state, dict) else None
    if state == "maintenance":
        return Control("error", None, state, "the venue is in maintenance", reason="maintenance")
    return Control("other", request_id, None, text)


def acknowledged(result):
    """Names of the streams that the `result` of an answer is about."""
    channel, symbol = result.get("channel"), result.get("symbol")
    if channel == "book":
        return (f"book-{result.get('depth', DEPTHS[0])}:{symbol}",)
    if channel == "ticker":
        trigger = result.get("event_trigger")     # an answer without one is about whichever was asked for
        return tuple(f"{name}:{symbol}" for name, of in (("ticker", "trades"), ("ticker-bbo", "bbo"))
                     if trigger in (None, of))
    return (f"{channel}:{symbol}",)


def read_address(url):
    return Answer("instruments") if "/0/public/AssetPairs" in url else None


def read_instruments(body):
    """Instruments of an AssetPairs answer, in the spelling of v2 and, where it differs, of v1. Raises ValueError."""
    # {"error":[],"result":{"AAVEAUD":{"wsname":"AAVE\/AUD","pair_decimals":2,"lot_decimals":8,"tick_size":"0.01",...}}}
    found = []
    try:
        for entry in json.loads(body)["result"].values():
            if "wsname" not in entry:             # dark pools of 2021 have none
                continue
            tick = entry.get("tick_size") or f"1e-{int(entry['pair_decimals'])}"
            lot = f"1e-{int(entry['lot_decimals'])}"
            old = entry["wsname"]
            new = "/".join({"XBT": "BTC", "XDG": "DOGE"}.get(part, part) for part in old.split("/"))
            found.extend(Instrument(name, tick, lot) for name in dict.fromkeys((new, old)))
    except (KeyError, TypeError, AttributeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"a list of pairs with wsname, pair_decimals and lot_decimals (missing: {error})") from error
    return found


SPEC = VenueSpec(
    name="kraken",
    link=Link.NONE,
    roots={"public": "wss://ws.kraken.com/v2"},
    channels=CHANNELS,
    streams=streams,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    read_control=read_control,
    symbol=spelling,
    # About 150 connections in ten minutes from one address, then a ban of ten minutes (Cloudflare). No other limit is
    # stated for public channels; 200 names keep a request small.
    limits=Limits(streams_per_connection=0, messages_per_second=0, streams_per_request=200,
                  connections_per_5_minutes=75, connection_lifetime_s=0, rest_weight_per_minute=60),
    max_frame_size=8 << 20,
    parser=lambda market: KrakenParser(),
    source="https://docs.kraken.com/api/docs/websocket-v2/book",
    checked="2026-10-01",
    forms="v2 (objects) of 2023 to 2026, served; v1 (arrays) of 2018 to 2026, frozen but served. level3 is not parsed.",
    evidence=(
        Evidence("book", "capture", "CRC-32 of the best ten levels in every frame: shows any loss or error there, and "
                                    "one below them only when it comes up"),
        Evidence("book (v1)", "capture", "the same, in every update"),
        Evidence("quotes", "sheet example", "nothing: each stands alone"),
        Evidence("trades", "sheet example", "trade_id rises for each pair; it is not judged"),
        Evidence("ticker", "sheet example", "nothing: each stands alone"),
        Evidence("trades (v1)", "capture", "nothing: they have no number"),
        Evidence("ticker (v1)", "capture", "nothing: each stands alone"),
        Evidence("quotes (v1)", "messages", "nothing: each stands alone"),
    ),
    # The server sends a heartbeat every second; a connection on which nothing flows is closed after about a minute.
    ping='{"method":"ping","req_id":101}',
    ping_interval_s=30.0,
    rest_url="https://api.kraken.com",
    read_address=read_address,
    instruments_addresses={"": "https://api.kraken.com/0/public/AssetPairs"},
    read_instruments=read_instruments,
)
