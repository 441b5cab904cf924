"""Bybit: spot, linear and inverse contracts, options; the address tells which (`market_of`).

Wire forms: v5 (served today) and, for old recordings, the books, trades and liquidations of v2 (orderBookL2_25,
orderBook_200, trade, liquidation; ended in 2023). The order of the keys differs by market, options put an `id` first
that no two frames share. `u` of v5 counts the messages of a topic; u == 1 is a whole book after a restart.

The aggressor: `S` of publicTrade (`side` in v2) is the taker's. Of liquidations it is the side of the *position*, in
old frames too: Buy means that a long was closed by a forced sell, so it is inverted. Sizes are base units, of inverse
contracts USD. Times are ms, `timestamp_e6` of v2 us. Volatilities and rates are fractions.
"""

import json
import re
from urllib.parse import parse_qs, urlsplit

from orderbook.types cimport BAD_VALUE
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION,
                            KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, SEEN_ASKS, SEEN_BIDS, SEEN_BOTH,
                            SLOT_AGGRESSOR, SLOT_ASK_IV, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_IV, SLOT_BID_PRICE,
                            SLOT_BID_QTY, SLOT_DELTA, SLOT_EVENT_TIME, SLOT_FUNDING, SLOT_GAMMA, SLOT_HIGH, SLOT_INDEX,
                            SLOT_LAST, SLOT_LAST_SEQ, SLOT_LOW, SLOT_MARK, SLOT_MARK_IV, SLOT_NEXT_FUNDING, SLOT_OPEN,
                            SLOT_OPEN_INTEREST, SLOT_OPEN_VALUE, SLOT_PARTIAL, SLOT_PRICE, SLOT_QTY, SLOT_QUOTE_TOO,
                            SLOT_QUOTE_VOLUME, SLOT_SPARE, SLOT_THETA, SLOT_TIME, SLOT_TRADE_ID, SLOT_UNDERLYING,
                            SLOT_VEGA, SLOT_VOLUME, TAKE_ANY, TAKE_DOUBLE, TAKE_ID, TAKE_INT, TAKE_LEVELS, TAKE_PRICE,
                            TAKE_QTY, TAKE_SYMBOL, TAKE_TEXT, WORD_ASK, WORD_BID)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Field, Text, at_end, fail, key_is, list_fields, list_form, next_is, next_item,
                         next_key, open_array, open_object, peek, read_text, skip_value, take, take_aggressor,
                         take_any, take_constant, take_field, take_levels, take_object, word_is)
from feeds.sync cimport LINK_RISES

from feeds.venue import (Answer, Control, Evidence, Instrument, Limits, Link, Stream, UnsupportedChannel, VenueSpec,
                         read_object)

MARKETS = ("spot", "linear", "inverse", "option")

cdef enum:
    OPTION = 3                # index of the market
    # What a topic brings.
    OTHER = 0
    BOOK = 1                  # orderbook.50.BTCUSDT
    BEST = 2                  # orderbook.1.BTCUSDT
    TRADES = 3                # publicTrade.BTCUSDT, and trade.BTCUSD of v2
    TICKERS = 4
    FORCED = 5                # allLiquidation.BTCUSDT, and liquidation.BTCUSDT of old
    OLD_BOOK = 6              # orderBookL2_25.BTCUSD and orderBook_200.100ms.BTCUSD of v2


cdef class BybitParser(Parser):
    """Messages of one market. What it keeps is about the frame at work."""

    cdef const char* frame    # its first byte; compared only
    cdef int topic            # what it brings
    cdef Text symbol          # last part of the topic; borrowed from the frame
    cdef bint snapshot        # type is "snapshot"

    def __cinit__(self, int market=0):
        self.market = market
        self.route_mark = c'"'
        # {"topic":"orderbook.50.BTCUSDT", or {"id":" where what follows is another text in each frame
        self.route_marks = 3 if market == OPTION else 4

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        cdef const char* start = c.pos
        cdef Text key
        if not head(self, c, m):
            return
        m.symbol = self.symbol.data               # what the data say themselves takes its place
        m.symbol_size = self.symbol.size
        m.fixed_symbol = self.market != OPTION
        c.pos = start
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"data"):
                data(self, c, m)
            elif word_is(&key, b"topic") and self.market == OPTION:
                read_text(c, &key)                # it is no part of what names the stream: the symbol in it may differ
                take(c, TAKE_TEXT, SLOT_SPARE, self.symbol.data, self.symbol.data + self.symbol.size, True)
            elif word_is(&key, b"topic") or word_is(&key, b"type"):
                skip_value(c)                     # text that must repeat
            elif self.topic == FORCED:
                take_any(c)                       # the time of the frame; each row has its own
            else:
                take_field(c, &key, OUTSIDE)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        cdef const char* at = c.pos
        if self.frame != c.start:                 # another frame was read in between
            c.pos = c.start
            if not head(self, c, m):
                return
            c.pos = at
        row(self, c, m)
        if next_is(c, c','):
            m.more = c.pos


cdef inline bint head(BybitParser self, Cursor* c, Message* m) noexcept nogil:
    """Check the frame and read what it is; False if there is nothing to take."""
    # {"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{...},"cts":1687940967464}
    # {"id":"tickers.SOL-28APR23-24-C-34-1680652810254","topic":"tickers.SOL-28APR23-24-C","ts":1680652810254,
    #  "data":{...},"type":"snapshot"}
    cdef Text key, topic, type
    cdef bint has_data = False
    topic.size = type.size = 0
    self.frame = c.start
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"topic") and peek(c) == c'"':
            read_text(c, &topic)
        elif word_is(&key, b"type") and peek(c) == c'"':
            read_text(c, &type)
        else:
            has_data |= word_is(&key, b"data")
            skip_value(c)
    if not at_end(c):                             # from here on the grammar of the whole frame is known to be right
        return False
    read_topic(self, &topic)
    if topic.size == 0 or not has_data:
        m.kind = KIND_CONTROL
        return False
    if self.topic == OTHER:
        m.kind = KIND_IGNORED
        return False
    self.snapshot = word_is(&type, b"snapshot")
    if (self.topic == BOOK or self.topic == BEST or self.topic == OLD_BOOK) and not (
            self.snapshot or word_is(&type, b"delta")):
        return fail(c, BAD_VALUE, b"the type snapshot or delta")
    return True


cdef inline void read_topic(BybitParser self, const Text* topic) noexcept nogil:
    """What a topic brings, and its symbol. Books with RPI liquidity and `full` (it needs REST) are OTHER."""
    cdef Py_ssize_t first = 0, last = topic.size
    cdef Text word, depth
    self.topic = OTHER
    while first < topic.size and topic.data[first] != c'.':
        first += 1
    while last > first and topic.data[last - 1] != c'.':
        last -= 1
    if last == first:                             # no dot
        return
    word.data, word.size = topic.data, first
    depth.data, depth.size = topic.data + first + 1, last - first - 2
    self.symbol.data, self.symbol.size = topic.data + last, topic.size - last
    if word_is(&word, b"orderbook") and depth.size > 0 and c'1' <= depth.data[0] <= c'9':
        self.topic = BEST if key_is(&depth, c'1') else BOOK
    elif word_is(&word, b"publicTrade") or word_is(&word, b"trade"):
        self.topic = TRADES
    elif word_is(&word, b"tickers"):
        self.topic = TICKERS
    elif word_is(&word, b"allLiquidation") or word_is(&word, b"liquidation"):
        self.topic = FORCED
    elif word_is(&word, b"orderBookL2_25") or word_is(&word, b"orderBook_200"):
        self.topic = OLD_BOOK


cdef inline void data(BybitParser self, Cursor* c, Message* m) noexcept nogil:
    """What the frame brings; of a list the first row, and where the next one begins."""
    cdef const char* at
    if self.topic == TICKERS:
        ticker(self, c, m)
    elif self.topic == TRADES or self.topic == FORCED:
        if peek(c) != c'[':                       # liquidation of old brings one object
            row(self, c, m)
            return
        open_array(c)
        if not next_item(c):
            m.kind = KIND_IGNORED
            return
        row(self, c, m)
        at = c.pos
        if next_is(c, c','):
            m.more = c.pos
        c.pos = at
        while next_item(c):
            skip_value(c)
    elif self.topic == BOOK:
        book(self, c, m)
    elif self.topic == BEST:
        best(self, c, m)
    else:
        old_book(self, c, m)


cdef inline void book(BybitParser self, Cursor* c, Message* m) noexcept nogil:
    # {"s":"BTCUSDT","b":[["30247.20","30.028"],["30240.00","0"]],"a":[],"u":177400507,"seq":66544703342}
    cdef Text key
    m.kind = KIND_SNAPSHOT if self.snapshot else KIND_DELTA
    m.needed = bit(SEEN_BIDS) | bit(SEEN_ASKS) | bit(SLOT_LAST_SEQ)
    open_object(c)
    while next_key(c, &key):
        if key_is(&key, c'u') and peek(c) == c'1' and c.end - c.pos > 1 and not c'0' <= c.pos[1] <= c'9':
            m.kind = KIND_SNAPSHOT
            not_learned(c)                        # its text is that of any delta; a learned one calls u == 1 a gap
        take_field(c, &key, BOOK_FIELDS)


cdef inline void not_learned(Cursor* c) noexcept nogil:
    """Keep the message from being a pattern for others: a value decides what it is."""
    take(c, TAKE_ANY, SLOT_SPARE, c.pos, c.pos, False)


cdef inline void best(BybitParser self, Cursor* c, Message* m) noexcept nogil:
    """The best bid and offer; in 2023 it had deltas, in which an empty side has not changed."""
    # {"s":"BTCUSDT","b":[["28552.00","0.047"]],"a":[["28552.10","25.433"]],"u":7003305,"seq":50193540681}; u may skip,
    # or repeat after 3 s without a change
    cdef Text key
    m.kind = KIND_QUOTE
    take_constant(c, SLOT_PARTIAL, 1)             # a snapshot too: deltas go on from what it said
    if self.snapshot:
        m.needed = bit(SLOT_BID_PRICE) | bit(SLOT_ASK_PRICE)
    else:
        not_learned(c)                            # which level is taken depends on its quantity
    open_object(c)
    while next_key(c, &key):
        if key_is(&key, c'b'):
            best_side(self, c, SLOT_BID_PRICE, SLOT_BID_QTY)
        elif key_is(&key, c'a'):
            best_side(self, c, SLOT_ASK_PRICE, SLOT_ASK_QTY)
        else:
            take_field(c, &key, BOOK_FIELDS)


cdef inline void best_side(BybitParser self, Cursor* c, int price_slot, int qty_slot) noexcept nogil:
    """Take the level of a side that is there: a delta may remove another one in the same list. None: 0 and 0."""
    cdef Text price, qty
    cdef Py_ssize_t i
    cdef bint found = False, none = self.snapshot
    open_array(c)
    while next_item(c):
        open_array(c)
        if not (next_item(c) and read_text(c, &price) and next_item(c) and read_text(c, &qty)):
            fail(c, BAD_VALUE, b"a level of price and quantity in quotes")
        while next_item(c):
            skip_value(c)
        i = 0
        while c.status == 0 and i < qty.size and (qty.data[i] == c'0' or qty.data[i] == c'.'):
            i += 1
        none = True
        if c.status == 0 and i < qty.size and not found:
            found = True
            take(c, TAKE_PRICE, price_slot, price.data, price.data + price.size, True)
            take(c, TAKE_QTY, qty_slot, qty.data, qty.data + qty.size, True)
    if none and not found:
        take_constant(c, price_slot, 0)
        take_constant(c, qty_slot, 0)


cdef inline void row(BybitParser self, Cursor* c, Message* m) noexcept nogil:
    """A trade or a forced order."""
    # {"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",
    #  "i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,"RPI":false,"seq":1783284617}
    # {"trade_time_ms":1616304710061,"timestamp":"2021-03-21T05:31:50.000Z","symbol":"BTCUSD","side":"Buy","size":237,
    #  "price":57073.5,"tick_direction":"ZeroPlusTick","trade_id":"f6198d62-...","cross_seq":5404769827}
    # {"T":1739502302929,"s":"ROSEUSDT","S":"Sell","v":"20000","p":"0.04499"}: a short that was closed by a forced buy
    # {"symbol":"BTCUSD","side":"Sell","price":"45171.00","qty":"2329","time":1632123949005}
    cdef Text key
    cdef bint forced = self.topic == FORCED
    m.kind = KIND_LIQUIDATION if forced else KIND_TRADE
    m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    if m.symbol == NULL:
        m.symbol = self.symbol.data
        m.symbol_size = self.symbol.size
    open_object(c)
    while next_key(c, &key):
        if not key_is(&key, c'S') and not word_is(&key, b"side"):
            take_field(c, &key, ROW)
        elif forced:
            take_aggressor(c, b"Sell", b"Buy")    # of the position, which the order closes
        else:
            take_aggressor(c, b"Buy", b"Sell")


cdef inline void ticker(BybitParser self, Cursor* c, Message* m) noexcept nogil:
    # {"symbol":"BTCUSD","price24hPcnt":"0.023362","openInterest":"449736674","fundingRate":"0.0001",
    #  "bid1Price":"28560.00","bid1Size":"340549","ask1Price":"28560.50","ask1Size":"70817"}: a delta, what is absent
    # has not changed; fundingRate of dated futures is ""
    # {"symbol":"SOL-28APR23-24-C","bidPrice":"0.34","bidSize":"10","bidIv":"0.6004","askPrice":"3.11","askSize":"51",
    #  "askIv":"2.0007","lastPrice":"1.6","markPrice":"1.99054639","indexPrice":"20.93","markPriceIv":"1.4674",
    #  "underlyingPrice":"20.93","openInterest":"20","delta":"0.42723543","gamma":"0.0505193", ...}
    m.kind = KIND_TICKER
    take_constant(c, SLOT_PARTIAL, 1)             # a snapshot too: deltas go on from what it said
    if self.snapshot:
        m.needed = bit(SLOT_LAST)
    if self.market == OPTION:
        take_constant(c, SLOT_QUOTE_TOO, 1)
    take_object(c, TICKER)


cdef inline void old_book(BybitParser self, Cursor* c, Message* m) noexcept nogil:
    """Rows of v2, removals first: a level may move across the sides within one frame. cross_seq only has to rise."""
    # [{"price":"36338.50","symbol":"BTCUSDM21","id":363385000,"side":"Buy","size":85235}] or {"order_book":[...]}
    # {"delete":[{"price":"36427.00","symbol":"BTCUSD","id":364270000,"side":"Sell"}],"update":[],"insert":[],
    #  "transactTimeE6":0}
    cdef const char* removed = NULL
    cdef const char* updated = NULL
    cdef const char* inserted = NULL
    cdef const char* past
    cdef Text key
    m.kind = KIND_SNAPSHOT if self.snapshot else KIND_DELTA
    m.needed = bit(SEEN_BOTH) | bit(SLOT_LAST_SEQ)
    m.link = LINK_RISES
    if peek(c) == c'[':
        take_levels(c, 2, &ROWS)
        return
    open_object(c)
    while next_key(c, &key):
        peek(c)
        if word_is(&key, b"delete"):
            removed = c.pos
        elif word_is(&key, b"update"):
            updated = c.pos
        elif word_is(&key, b"insert") or word_is(&key, b"order_book"):
            inserted = c.pos
        skip_value(c)
    past = c.pos
    take_rows(c, removed, &GONE_ROWS)
    take_rows(c, updated, &ROWS)
    take_rows(c, inserted, &ROWS)
    if c.status == 0:
        c.pos = past


cdef inline void take_rows(Cursor* c, const char* at, const Form* form) noexcept nogil:
    """Take the list that begins there, if there is one."""
    if at != NULL and c.status == 0:
        c.pos = at
        take_levels(c, 2, form)


# What the keys of each message mean: (key, what to take, slot). A key that is not listed is stepped over.
cdef Form LEVEL, ROWS, GONE_ROWS
list_form(&LEVEL, ("price", "qty"))
list_form(&ROWS, {"price": "price", "size": "qty", "side": "word"}, {"Buy": WORD_BID, "Sell": WORD_ASK})
list_form(&GONE_ROWS, {"price": "price", "side": "word"}, {"Buy": WORD_BID, "Sell": WORD_ASK}, gone=True)

cdef Field[8] OUTSIDE, BOOK_FIELDS
cdef Field[20] ROW
cdef Field[36] TICKER

list_fields(OUTSIDE, (("ts", TAKE_INT, SLOT_EVENT_TIME), ("cts", TAKE_INT, SLOT_TIME),
                      ("timestamp_e6", TAKE_INT, SLOT_EVENT_TIME), ("timestampE6", TAKE_INT, SLOT_EVENT_TIME),
                      ("cross_seq", TAKE_INT, SLOT_LAST_SEQ), ("crossSeq", TAKE_INT, SLOT_LAST_SEQ)))
list_fields(BOOK_FIELDS, (("s", TAKE_SYMBOL, 0), ("u", TAKE_INT, SLOT_LAST_SEQ), ("b", TAKE_LEVELS, 0),
                          ("a", TAKE_LEVELS, 1)), &LEVEL)
list_fields(ROW, (
    ("s", TAKE_SYMBOL, 0), ("T", TAKE_INT, SLOT_TIME), ("p", TAKE_PRICE, SLOT_PRICE), ("v", TAKE_QTY, SLOT_QTY),
    ("i", TAKE_ID, SLOT_TRADE_ID), ("symbol", TAKE_SYMBOL, 0), ("trade_time_ms", TAKE_INT, SLOT_TIME),
    ("time", TAKE_INT, SLOT_TIME), ("updatedTime", TAKE_INT, SLOT_TIME), ("price", TAKE_PRICE, SLOT_PRICE),
    ("size", TAKE_QTY, SLOT_QTY), ("qty", TAKE_QTY, SLOT_QTY), ("trade_id", TAKE_ID, SLOT_TRADE_ID)))
list_fields(TICKER, (
    ("symbol", TAKE_SYMBOL, 0), ("lastPrice", TAKE_DOUBLE, SLOT_LAST), ("prevPrice24h", TAKE_DOUBLE, SLOT_OPEN),
    ("highPrice24h", TAKE_DOUBLE, SLOT_HIGH), ("lowPrice24h", TAKE_DOUBLE, SLOT_LOW),
    ("volume24h", TAKE_DOUBLE, SLOT_VOLUME), ("turnover24h", TAKE_DOUBLE, SLOT_QUOTE_VOLUME),
    ("bid1Price", TAKE_PRICE, SLOT_BID_PRICE), ("bid1Size", TAKE_QTY, SLOT_BID_QTY),
    ("ask1Price", TAKE_PRICE, SLOT_ASK_PRICE), ("ask1Size", TAKE_QTY, SLOT_ASK_QTY),
    ("bidPrice", TAKE_PRICE, SLOT_BID_PRICE), ("bidSize", TAKE_QTY, SLOT_BID_QTY),
    ("askPrice", TAKE_PRICE, SLOT_ASK_PRICE), ("askSize", TAKE_QTY, SLOT_ASK_QTY),
    ("markPrice", TAKE_DOUBLE, SLOT_MARK), ("indexPrice", TAKE_DOUBLE, SLOT_INDEX),
    ("fundingRate", TAKE_DOUBLE, SLOT_FUNDING), ("nextFundingTime", TAKE_INT, SLOT_NEXT_FUNDING),
    ("openInterest", TAKE_DOUBLE, SLOT_OPEN_INTEREST), ("openInterestValue", TAKE_DOUBLE, SLOT_OPEN_VALUE),
    ("underlyingPrice", TAKE_DOUBLE, SLOT_UNDERLYING), ("bidIv", TAKE_DOUBLE, SLOT_BID_IV),
    ("askIv", TAKE_DOUBLE, SLOT_ASK_IV), ("markPriceIv", TAKE_DOUBLE, SLOT_MARK_IV),
    ("delta", TAKE_DOUBLE, SLOT_DELTA), ("gamma", TAKE_DOUBLE, SLOT_GAMMA), ("vega", TAKE_DOUBLE, SLOT_VEGA),
    ("theta", TAKE_DOUBLE, SLOT_THETA)))


CHANNELS = {
    "book": "order book by deltas: 50, 200 or 1000 levels, of options 25 or 100",
    "quotes": "best bid and offer",
    "trades": "every trade",
    "ticker": "statistics of the last 24 hours; of options also greeks and volatilities",
    "mark": "mark price, index price and funding, from the ticker; not of spot",
    "open_interest": "what is open, from the ticker; not of spot",
    "liquidations": "forced orders; of linear and inverse contracts only",
}
LACKS = {"spot": ("mark", "open_interest", "liquidations"), "option": ("liquidations",)}

# Levels -> how often they come; https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook, 2026-07-24.
DEPTHS = {50: "20ms", 200: "100ms", 1000: "200ms"}
OPTION_DEPTHS = {25: "20ms", 100: "100ms"}

# "error:handler not found,topic:orderbook.500.BTCUSDT" and "Invalid topic: invalid.topic.BTCUSDT"
REFUSED = re.compile(r"topic: ?([\w.-]+)")


def streams(symbols, channels, depth=None, speed=None, market=None):
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only, each depth has one speed."""
    SPEC.check_channels(channels)
    market = SPEC.check_market(market)
    for channel in channels:
        if channel in LACKS.get(market, ()):
            known = ", ".join(name for name in CHANNELS if name not in LACKS[market])
            raise UnsupportedChannel(f"bybit has no channel {channel!r} for {market}; it has: {known}")
    depths = OPTION_DEPTHS if market == "option" else DEPTHS
    fitting = [levels for levels, name in depths.items() if depth in (None, levels) and speed in (None, name)]
    if not fitting:
        known = ", ".join(f"{levels} ({name})" for levels, name in depths.items())
        raise UnsupportedChannel(f"bybit has no book of depth {depth!r}, speed {speed!r} for {market}; it has: {known}")
    topic = {"book": f"orderbook.{max(fitting)}", "quotes": "tickers" if market == "option" else "orderbook.1",
             "trades": "publicTrade", "liquidations": "allLiquidation"}
    planned = []
    for symbol in map(spelling, symbols):
        for channel in channels:
            # Trades of options come by base coin: publicTrade.BTC
            key = symbol.partition("-")[0] if (market, channel) == ("option", "trades") else symbol
            planned.append(Stream(f"{topic.get(channel, 'tickers')}.{key}", market, symbol, channel, market=market))
    return planned


def spelling(symbol):
    """Bybit writes instruments in upper case."""
    return symbol.upper()


def market_of(url):
    """Market of an address: v5 names it; v2 had one for inverse contracts and one for linear ones."""
    path = urlsplit(url).path
    name = path.rpartition("/")[2]
    if name in MARKETS:
        return name
    if "option" in path:
        return "option"
    if "spot" in path:
        return "spot"
    return "inverse" if name == "realtime" else "linear"


def subscribe(names, request_id):
    # {"req_id":"10001","op":"subscribe","args":["orderbook.50.BTCUSDT","publicTrade.BTCUSDT","tickers.BTCUSDT"]}
    return [json.dumps({"req_id": str(request_id), "op": "subscribe", "args": list(names)}, separators=(",", ":"))]


def unsubscribe(names, request_id):
    # {"req_id":"x","op":"unsubscribe","args":["publicTrade.BTCUSDT"]}
    return [json.dumps({"req_id": str(request_id), "op": "unsubscribe", "args": list(names)}, separators=(",", ":"))]


def read_control(payload):
    """Classify a frame that is not market data; never raises.

    {"success":true,"ret_msg":"subscribe","conn_id":"2324d924-...","req_id":"10001","op":"subscribe"}       an ack
    {"success":true,"conn_id":"aa0","data":{"failTopics":[],"successTopics":["..."]},"type":"COMMAND_RESP"}  options'
    {"success":true,"ret_msg":"","conn_id":"f428...","request":{"op":"subscribe","args":["trade.BTCUSD"]}}   v2's
    {"success":false,"ret_msg":"error:handler not found,topic:tickers.NOPE","conn_id":"..","op":"subscribe"} an error
    {"success":true,"ret_msg":"pong","conn_id":"..","op":"ping"} and {"args":["1672916271846"],"op":"pong"}  pongs

    An error rejects the whole request, and names one topic (https://github.com/ccxt/ccxt/issues/30284, 2026-09-05).
    """
    text, message = read_object(payload)
    number, words, op = str(message.get("req_id", "")), str(message.get("ret_msg", "")), message.get("op")
    request_id = int(number) if number.isdecimal() else None
    if op == "pong" or words == "pong":
        return Control("pong", request_id)
    topics = message.get("data") if message.get("type") == "COMMAND_RESP" else message.get("request")
    topics = topics if isinstance(topics, dict) else {}
    failed = topics.get("failTopics")
    if message.get("success") is False or failed:
        found = tuple(map(str, failed)) if isinstance(failed, list) else tuple(REFUSED.findall(words))
        reason = "bad_symbol" if found and "already" not in words else ""
        return Control("error", request_id, None, words or text, found, reason=reason)
    if message.get("success") is True:
        accepted = topics.get("successTopics", topics.get("args"))
        return Control("ack", request_id, None, text, tuple(map(str, accepted)) if isinstance(accepted, list) else ())
    return Control("other", request_id, None, text)


def read_address(url):
    """What a REST answer from `url` is; None if it is of no use."""
    parts = urlsplit(url)
    if parts.path != "/v5/market/instruments-info":
        return None
    return Answer("instruments", market=parse_qs(parts.query).get("category", [""])[0])


def read_instruments(body):
    """Instruments of a list. Raises ValueError that says what is missing."""
    # {"retCode":0,"result":{"category":"linear","list":[{"symbol":"BTCUSDT","priceFilter":{"tickSize":"0.10", ...},
    #  "lotSizeFilter":{"qtyStep":"0.001", ...}, ...}],"nextPageCursor":""}}; of spot the step is basePrecision
    try:
        return [Instrument(entry["symbol"], entry["priceFilter"]["tickSize"],
                           entry["lotSizeFilter"].get("qtyStep") or entry["lotSizeFilter"]["basePrecision"])
                for entry in json.loads(body)["result"]["list"]]
    except (AttributeError, KeyError, TypeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"instruments with symbol, tickSize, qtyStep or basePrecision (missing: {error})") from error


SPEC = VenueSpec(
    name="bybit",
    link=Link.COUNTER,                            # u == last u + 1
    roots={market: f"wss://stream.bybit.com/v5/public/{market}" for market in MARKETS},
    channels=CHANNELS,
    streams=streams,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    read_control=read_control,
    symbol=spelling,
    # Args of at most 21,000 characters on a connection, 10 in a request (spot), 500 connections in 5 minutes; 600 REST
    # requests in 5 s. No number of messages is stated.
    limits=Limits(streams_per_connection=500, messages_per_second=10, streams_per_request=10,
                  connections_per_5_minutes=500, connection_lifetime_s=0, rest_weight_per_minute=7200),
    max_frame_size=8 << 20,
    parser=lambda market: BybitParser(MARKETS.index(market) if market else 0),
    source="https://bybit-exchange.github.io/docs/v5/ws/connect",
    checked="2026-07-24",
    forms="JSON v5, served today. JSON v2 (orderBookL2_25, orderBook_200, trade, liquidation), ended in 2023, from "
          "captures. Not parsed: SBE (market makers only), orderbook.full, orderbook.rpi, instrument_info of v2.",
    evidence=(
        Evidence("book", "capture", "u rises by 1 with every message of a topic: any lost or repeated one shows"),
        Evidence("book (v2)", "capture", "cross_seq rises: an old message shows, a lost one does not"),
        Evidence("quotes", "messages", "whole: a lost one does not show"),
        Evidence("trades", "messages", "nothing; of v2: a capture"),
        Evidence("ticker", "messages", "nothing: a lost delta leaves an old value until the key changes again"),
        Evidence("mark", "messages", "as the ticker"),
        Evidence("open_interest", "messages", "as the ticker"),
        Evidence("liquidations", "messages", "nothing"),
    ),
    markets=MARKETS,
    market_of=market_of,
    ping='{"req_id":"100001","op":"ping"}',
    ping_interval_s=20,
    rest_url="https://api.bybit.com",
    read_address=read_address,
    instruments_addresses={market: f"https://api.bybit.com/v5/market/instruments-info?category={market}&limit=1000"
                           for market in MARKETS},
    read_instruments=read_instruments,
)
