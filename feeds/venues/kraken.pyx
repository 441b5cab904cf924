"""Kraken spot: WebSocket v2 (objects), and the frozen v1 (arrays), which is still served.

Wire forms: v2 of 2023 to 2026 and v1 of 2018 to 2026; a feed subscribes to v2, recordings of both are read. Prices and
quantities of v2 are bare numbers whose trailing zeros belong to the checksum. The checksum (CRC-32 over the digits of
the best ten asks, then bids) is the only way to see a loss: there are no sequence numbers. No removal is sent for a
level that falls out of the subscribed depth, so a book is cut to that depth after every update: v2 states it in the
answer to the subscription, v1 in the channel's name. The side of a trade is the taker's. Times are RFC 3339 (v2) and
seconds with a fraction (v1). Sources: docs.kraken.com/api/docs/websocket-v2 and /websocket-v1, as of 2026-10;
v1's "r" of a republished level changes nothing here (from the documentation; none was recorded).
"""

from functools import partial

from libc.string cimport memchr, memcpy, memset
from orderbook.types cimport BAD_VALUE
from feeds.fields cimport (Field, Note, expect, list_fields, list_form, list_places, notes_add, take_array, take_field,
                           take_object)
from feeds.message cimport (Form, Message, bit, CHECKSUM_DIGITS, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_NONE,
                            KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, MAX_NAME, SLOT_CHECKSUM, SLOT_PRICE,
                            SLOT_QTY, SLOT_QUOTE_TOO, SLOT_TIME)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, begins, fail, find_count, find_text, find_value, first_item, go_to,
                         next_item, next_key, note_more, number_at, open_array, open_object, peek, read_text,
                         scan_number, skip_object, skip_value, take_aggressor, take_any, take_constant, take_price,
                         take_qty, take_rest, take_symbol, take_time, text_is, word_is)

from feeds.venue import (Control, Evidence, Limits, Link, Stream, VenueSpec, by_channel, check_known, frame_text,
                         instruments_at, read_object, reason_of, request_number)
from feeds.venues.lists import kraken as lists

cdef enum:
    DEFAULT_DEPTH = 10        # where no answer to a subscription was seen


cdef class KrakenParser(Parser):
    """Messages of both versions; notes the depth of each book that was subscribed with another than the default."""

    cdef int kind             # of the elements of the frame at work

    def __cinit__(self):
        self.route_marks = 14                     # {"channel":"book","type":"update","data":[{"symbol":"BTC/USD
        self.array_marks = 1                      # [992,{ or [993,[[

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
    cdef const char* end
    if not find_text(c, b"channel", &channel) or word_is(&channel, b"status"):
        m.kind = KIND_CONTROL
        answer(self, c, m)
        return
    find_text(c, b"type", &kind)
    m.kind = self.kind = kind_of(&channel, &kind)
    if m.kind == KIND_NONE:
        fail(c, BAD_VALUE, b"a snapshot or an update")
    open_object(c)
    while next_key(c, &key):
        if m.kind == KIND_IGNORED or not word_is(&key, b"data"):
            skip_value(c)
            continue
        end = first_item(c)
        if end == NULL:
            m.kind = KIND_IGNORED
        else:
            element(self, c, m)
            go_to(c, end)
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
    expect(m, self.kind)
    if m.kind == KIND_TRADE:
        # {"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.00027625,"ord_type":"limit","trade_id":10218208,
        #  "timestamp":"2023-10-06T17:35:55.440295Z"}
        take_object(c, TRADE)
    elif m.kind == KIND_TICKER:
        # {"symbol":"BTC/USD","bid":105944.20,"bid_qty":2.5,"ask":105944.30,"ask_qty":3.2,"last":105899.40, ...}: with
        # every trade, or (event_trigger bbo) whenever the best bid or offer changes
        take_object(c, TICKER)
        take_constant(c, SLOT_QUOTE_TOO, 1)
    else:
        # {"symbol":"BTC/USD","bids":[{"price":105944.20,"qty":0.250}],"asks":[],"checksum":2114181697,
        #  "timestamp":"2023-10-06T17:35:55.440295Z"}; snapshots had no timestamp in 2025-05, they have one in 2026-08
        m.needed |= bit(SLOT_CHECKSUM)
        m.checksum = CHECKSUM_DIGITS
        take_object(c, BOOK)
        if m.kind == KIND_DELTA:
            m.cut = depth_of(self, m.symbol, m.symbol_size)
    note_more(c, m)


cdef inline void answer(KrakenParser self, Cursor* c, Message* m) noexcept nogil:
    # {"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"},"success":true,
    #  "time_in":"2026-08-24T22:21:56.724795Z","time_out":"2026-08-24T22:21:56.724853Z"}: the only place of the depth
    cdef Cursor result
    cdef Text method, channel, symbol
    cdef int depth = 0
    if (find_text(c, b"method", &method) and word_is(&method, b"subscribe") and find_value(c, b"result", &result)
            and find_text(&result, b"channel", &channel) and word_is(&channel, b"book")):
        find_text(&result, b"symbol", &symbol)
        depth = <int> min(find_count(&result, b"depth"), 100000)
    if skip_object(c) and at_end(c) and depth:
        m.relearn = remember_depth(self, c, &symbol, depth)


cdef inline Note* find_depth(KrakenParser self, const char* symbol, Py_ssize_t size) noexcept nogil:
    """What is known of a symbol's book, NULL if it has the default."""
    cdef Text name
    cdef int i
    name.data = symbol
    name.size = size
    for i in range(self.notes.count):
        if text_is(&name, self.notes.note[i].name, self.notes.note[i].size):
            return &self.notes.note[i]
    return NULL


cdef inline int depth_of(KrakenParser self, const char* symbol, Py_ssize_t size) noexcept nogil:
    """Levels a side that are subscribed of a symbol."""
    cdef const Note* known = find_depth(self, symbol, size)
    return DEFAULT_DEPTH if known == NULL else known.depth


cdef inline bint remember_depth(KrakenParser self, Cursor* c, const Text* symbol, int depth) noexcept nogil:
    """Note the depth of a symbol's book; whether it was another one before."""
    cdef Note* known = find_depth(self, symbol.data, symbol.size)
    cdef Note new
    if depth == depth_of(self, symbol.data, symbol.size) or not 0 < symbol.size <= MAX_NAME:
        return False
    if known != NULL:
        known.depth = depth
        return True
    memset(&new, 0, sizeof(Note))
    memcpy(new.name, symbol.data, symbol.size)
    new.size = symbol.size
    new.depth = depth
    return notes_add(c, &self.notes, &new)


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


# What the keys mean, see list_fields. A key that is not listed is stepped over.
cdef Form* LEVEL = list_form({"price": "price", "qty": "qty"})
cdef Form* LEVEL_V1 = list_form(("price", "qty"))

cdef dict HEAD = {"symbol": "fixed symbol", "timestamp": "time"}

cdef Field* BOOK = list_fields({**HEAD, "bids": "bids", "asks": "asks", "checksum": "checksum"}, LEVEL)
cdef Field* TRADE = list_fields({**HEAD, "price": "price", "qty": "qty", "side": "side", "trade_id": "int trade_id"})
cdef Field* TICKER = list_fields({**HEAD, "bid": "bid_price", "bid_qty": "bid_qty", "ask": "ask_price",
                                  "ask_qty": "ask_qty", "last": "last", "volume": "volume", "vwap": "vwap",
                                  "low": "low", "high": "high", "change": "change", "change_pct": "change_pct"})
cdef Field* BOOK_V1 = list_fields({"as": "asks", "bs": "bids", "a": "asks", "b": "bids", "c": "checksum"}, LEVEL_V1)
cdef Field* SPREAD_V1 = list_places({0: "bid_price", 1: "ask_price", 2: "time", 3: "bid_qty", 4: "ask_qty"})

# Of the ticker of v1: what the elements of each key's array are, by place.
cdef const char* LETTERS = b"abcvptlho"
cdef Field* TICKER_V1[9]

for _letter, _places in enumerate((
        {0: "ask_price", 2: "ask_qty"}, {0: "bid_price", 2: "bid_qty"}, {0: "last", 1: "last_qty"}, {1: "volume"},
        {1: "vwap"}, {1: "count"}, {1: "low"}, {1: "high"}, {1: "open"})):
    TICKER_V1[<int> _letter] = list_places(_places)


CHANNELS = {
    "book": "order book by deltas, the best 10, 25, 100, 500 or 1000 levels a side (the most if no depth is given)",
    "quotes": "best bid and offer, whenever it changes",
    "trades": "every trade, in real time",
    "ticker": "statistics of the last 24 hours, with every trade",
}

DEPTHS = (10, 25, 100, 500, 1000)


def spelling(symbol):
    """BTC/USD; a name with a capital is taken as it is (AAPLx/USD). v2 writes BTC and DOGE where v1 has XBT and XDG."""
    text = symbol.upper() if symbol == symbol.lower() else symbol
    return "/".join(lists.COMMON.get(part, part) for part in text.split("/"))


def streams(symbols, channels, depth, speed, market):
    """Streams of `symbols` x `channels`. A symbol has one depth, and one ticker, on a connection: with quotes the
    ticker comes with every change of the best bid or offer, and serves both channels."""
    check_known("kraken", "book of depth", depth, (None, *DEPTHS), ", ".join(map(str, DEPTHS)))
    check_known("kraken", "speed", speed, (None,), "None, every change at once")
    ticker_name = "ticker-bbo" if "quotes" in channels else "ticker"
    names = {"book": f"book-{depth or max(DEPTHS)}", "trades": "trade", "ticker": ticker_name, "quotes": ticker_name}
    return [Stream(f"{names[channel]}:{symbol}", "public", symbol, channel)
            for symbol in map(spelling, symbols) for channel in channels]


def request(word, names, request_id):
    """One frame for all symbols of a channel."""
    # {"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","ETH/USD"],"depth":10,"snapshot":true},
    #  "req_id":1}
    # {"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":2}
    frames = []
    for channel, symbols in by_channel(names).items():
        kind, _, detail = channel.partition("-")
        params = {"channel": kind, "symbol": symbols}
        if kind == "book":
            params["depth"] = int(detail)
        if kind == "ticker":
            params["event_trigger"] = detail or "trades"
        if word == "subscribe" and kind != "ticker":
            params["snapshot"] = kind == "book"   # of trades: history
        frames.append(frame_text({"method": word, "params": params, "req_id": request_id}))
    return frames


# Words of an error -> what it is: "Currency pair not supported BTC/FOO", "Exceeded msg rate". There are no codes.
REASONS = {
    "currency pair": "bad_symbol", "rate": "rate_limit", "permission": "authorisation", "session": "authorisation",
    "token": "authorisation", "unavailable": "maintenance", "maintenance": "maintenance",
}


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
    request_id = request_number(message.get("req_id", message.get("reqid")))
    event = message.get("event")
    if message.get("method") == "pong" or event == "pong":
        return Control("pong", text=text)
    error = message.get("error", message.get("errorMessage"))
    if isinstance(error, str):
        symbol = message.get("symbol", message.get("pair"))
        return Control("error", request_id, None, error, (symbol,) if isinstance(symbol, str) else (),
                       reason=reason_of(error, REASONS))
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


SPEC = VenueSpec(
    name="kraken",
    link=Link.NONE,
    roots={"public": "wss://ws.kraken.com/v2"},
    channels=CHANNELS, name_streams=streams, read_control=read_control, symbol=spelling,
    subscribe=partial(request, "subscribe"), unsubscribe=partial(request, "unsubscribe"),
    # About 150 connections in ten minutes from one address, then a ban of ten minutes (Cloudflare). No other limit is
    # stated for public channels; 200 names keep a request small.
    limits=Limits(streams_per_connection=0, messages_per_second=0, streams_per_request=200,
                  connections_per_5_minutes=75, connection_lifetime_s=0, rest_weight_per_minute=60,
                  rest_per_second=1),
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
    read_address=instruments_at("/0/public/AssetPairs"),
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
)
