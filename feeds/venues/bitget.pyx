"""Bitget: spot and three kinds of futures; each frame names its market (`instType`).

Wire forms: v2 (served today, and what is subscribed to), v3 of the unified account (only its `liquidation` is
subscribed to, since v2 has none) and, for recordings, v1 (`sp`, `mc`; no numbers, arrays for trades). Books of v2 had a
CRC-32 and no seq/pseq until 2024, both in 2026-04, and no CRC-32 since 2026-05 or 06: each is used where it is there.
A pseq of 0 in an update means that the server began anew: it is a gap, the book is subscribed to again. Whether the
server deletes levels that leave its window is not stated (recorded frames of 2022 keep to the checksums without a cut).

The aggressor: `side` of a trade is the taker's. Of a liquidation it is the side of the *position*, so it is inverted.
Trades with the action snapshot are history that comes again with every subscription: they are ignored. Sizes are base
coin in all markets. Times are ms; `ts` of the frame is a number, within the data a text.
"""

import json
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

from orderbook.types cimport BAD_VALUE
from feeds.message cimport (Form, Message, bit, CHECKSUM_PAIRS, KIND_CONTROL, KIND_DELTA, KIND_IGNORED,
                            KIND_LIQUIDATION, KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, SEEN_ASKS, SEEN_BIDS,
                            SLOT_AGGRESSOR, SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_CHECKSUM,
                            SLOT_EVENT_TIME, SLOT_FUNDING, SLOT_HIGH, SLOT_INDEX, SLOT_LAST, SLOT_LAST_SEQ, SLOT_LOW,
                            SLOT_MARK, SLOT_NEXT_FUNDING, SLOT_OPEN, SLOT_OPEN_INTEREST, SLOT_PREV_SEQ, SLOT_PRICE,
                            SLOT_QTY, SLOT_QUOTE_VOLUME, SLOT_TIME, SLOT_TRADE_ID, SLOT_VOLUME, TAKE_DOUBLE, TAKE_INT,
                            TAKE_LEVELS, TAKE_PRICE, TAKE_QTY, TAKE_SYMBOL)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Field, Text, at_end, fail, list_fields, list_form, next_is, next_item, next_key,
                         open_array, open_object, peek, plain_is, read_text, skip_value, take_aggressor, take_any,
                         take_best, take_field, take_int, take_object, take_price, take_qty, text_is, word_is)
from feeds.sync cimport LINK_NONE

from feeds.venue import (Answer, Control, Evidence, Instrument, Limits, Link, Stream, UnsupportedChannel, VenueSpec,
                         read_object)

cdef enum:
    # What a channel brings.
    OTHER = 0
    BOOK = 1                  # books, books5, books15, books50
    BEST = 2                  # books1
    TRADES = 3                # trade, publicTrade
    TICKERS = 4
    FORCED = 5                # liquidation
    # Indices of the markets.
    SPOT = 0
    USDT = 1
    COIN = 2
    USDC = 3


cdef class BitgetParser(Parser):
    """Messages of all markets. What it keeps is about the frame at work: `parse_more` needs its head."""

    cdef const char* frame    # its first byte; compared only
    cdef int channel
    cdef int depth            # levels of a partial book, 0 of the book of deltas
    cdef int of_market        # index of the market the frame names
    cdef Text symbol          # of the frame's arg; borrowed from it
    cdef bint snapshot        # action is "snapshot"

    def __cinit__(self, int market=0):
        self.market = market
        self.route_mark = c'"'
        self.route_marks = 18     # {"action":"update","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        cdef const char* start = c.pos
        cdef Text key
        if not head(self, c, m):
            return
        name_market(self, m)
        c.pos = start
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"data"):
                rows(self, c, m)
            elif word_is(&key, b"arg") or word_is(&key, b"action"):
                skip_value(c)                     # text that must repeat
            elif self.channel == FORCED:
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
        name_market(self, m)
        row(self, c, m)
        if next_is(c, c','):
            m.more = c.pos


cdef inline bint head(BitgetParser self, Cursor* c, Message* m) noexcept nogil:
    """Check the frame and read what it is; False if there is nothing to take."""
    # {"action":"update","arg":{"instType":"USDT-FUTURES","channel":"books","instId":"MAVUSDT"},"data":[{...}],"ts":1789456}
    # {"action":"snapshot","arg":{"instType":"spot","topic":"books","symbol":"BTCUSDT"},"data":[{...}],"ts":1777362656336}
    # {"event":"subscribe","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}}, and the text pong
    cdef Text key, action, type, channel
    cdef bint is_event = False, has_data = False
    action.size = type.size = channel.size = 0
    self.frame = c.start
    self.symbol.data = NULL
    self.symbol.size = 0
    if plain_is(c, b"pong"):
        m.kind = KIND_CONTROL
        return False
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"action") and peek(c) == c'"':
            read_text(c, &action)
        elif word_is(&key, b"arg") and peek(c) == c'{':
            open_object(c)
            while next_key(c, &key):
                if peek(c) != c'"':
                    skip_value(c)
                elif word_is(&key, b"instType"):
                    read_text(c, &type)
                elif word_is(&key, b"channel") or word_is(&key, b"topic"):
                    read_text(c, &channel)
                elif word_is(&key, b"instId") or word_is(&key, b"symbol"):
                    read_text(c, &self.symbol)
                else:
                    skip_value(c)
        else:
            has_data |= word_is(&key, b"data") and peek(c) == c'['
            is_event |= word_is(&key, b"event")
            skip_value(c)
    if not at_end(c):                             # from here on the grammar of the whole frame is known to be right
        return False
    if is_event or not has_data or channel.size == 0:
        m.kind = KIND_CONTROL
        return False
    read_channel(self, &channel)
    read_market(self, &type)
    self.snapshot = word_is(&action, b"snapshot")
    if self.channel == OTHER or (self.channel == TRADES and self.snapshot):
        m.kind = KIND_IGNORED                     # candles; history
        return False
    if not self.snapshot and not word_is(&action, b"update"):
        return fail(c, BAD_VALUE, b"the action snapshot or update")
    return True


cdef inline void read_channel(BitgetParser self, const Text* name) noexcept nogil:
    """What a channel of this name brings."""
    cdef Text stem = name[0]
    cdef Py_ssize_t i
    stem.size = min(name.size, 5)
    self.channel = OTHER
    self.depth = 0
    if word_is(name, b"books1"):
        self.channel = BEST
    elif word_is(&stem, b"books"):
        self.channel = BOOK
        for i in range(5, min(name.size, 8)):
            self.depth = 10 * self.depth + (name.data[i] - c'0')
        if self.depth not in (0, 5, 15, 50):
            self.channel = OTHER
    elif word_is(name, b"trade") or word_is(name, b"publicTrade"):
        self.channel = TRADES
    elif word_is(name, b"ticker"):
        self.channel = TICKERS
    elif word_is(name, b"liquidation"):
        self.channel = FORCED


cdef inline bint ends_with(const Text* text, const char* word, Py_ssize_t size) noexcept nogil:
    """Whether a text ends with this word."""
    cdef Text end
    end.data, end.size = text.data + text.size - size, size
    return text.size >= size and text_is(&end, word, size)


cdef inline void read_market(BitgetParser self, const Text* type) noexcept nogil:
    """The market of an instType. Those of v1 are sp and mc, which is all futures: there the symbol tells."""
    self.of_market = SPOT
    if word_is(type, b"USDT-FUTURES") or word_is(type, b"usdt-futures"):
        self.of_market = USDT
    elif word_is(type, b"COIN-FUTURES") or word_is(type, b"coin-futures"):
        self.of_market = COIN
    elif word_is(type, b"USDC-FUTURES") or word_is(type, b"usdc-futures"):
        self.of_market = USDC
    elif word_is(type, b"mc"):
        self.of_market = (USDT if ends_with(&self.symbol, b"USDT", 4) else USDC if ends_with(&self.symbol, b"PERP", 4)
                          else COIN)


cdef inline void name_market(BitgetParser self, Message* m) noexcept nogil:
    """Whose message it is; what the data say themselves takes its place."""
    m.market = self.of_market
    m.symbol = self.symbol.data
    m.symbol_size = self.symbol.size
    m.fixed_symbol = True


cdef inline void rows(BitgetParser self, Cursor* c, Message* m) noexcept nogil:
    """The first element of the data, and where the next one begins."""
    cdef const char* at
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


cdef inline void row(BitgetParser self, Cursor* c, Message* m) noexcept nogil:
    """One element of the data."""
    if self.channel == BOOK:
        book(self, c, m)
    elif self.channel == BEST:
        best(c, m)
    elif self.channel == TICKERS:
        m.kind = KIND_TICKER
        m.needed = bit(SLOT_LAST)
        take_object(c, TICKER)
    else:
        trade(self, c, m)


cdef inline void book(BitgetParser self, Cursor* c, Message* m) noexcept nogil:
    # {"asks":[],"bids":[["0.00519","30828.52"]],"ts":"1789456512452","seq":427583480559,"pseq":427583461144}
    # {"a":[["76679.99","0"]],"b":[["76646.9","0.03914"]],"checksum":1153969492,"seq":451057502090,
    #  "pseq":451057497631,"ts":"1777358880011"}
    m.kind = KIND_SNAPSHOT if self.snapshot or self.depth else KIND_DELTA
    m.needed = bit(SEEN_BIDS) | bit(SEEN_ASKS)
    m.depth = self.depth
    m.checksum = CHECKSUM_PAIRS
    take_object(c, BOOK_FIELDS)
    if not m.seen & bit(SLOT_LAST_SEQ):
        m.link = LINK_NONE                        # v1, and v2 of 2024: the checksum alone shows a loss
    elif m.kind == KIND_DELTA:
        m.needed |= bit(SLOT_PREV_SEQ)


cdef inline void best(Cursor* c, Message* m) noexcept nogil:
    # {"asks":[["1.4138","4.58"]],"bids":[],"checksum":0,"ts":"1730860330169"}
    cdef Text key
    m.kind = KIND_QUOTE
    m.needed = bit(SLOT_BID_PRICE) | bit(SLOT_BID_QTY) | bit(SLOT_ASK_PRICE) | bit(SLOT_ASK_QTY)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"bids") or word_is(&key, b"b"):
            take_best(c, SLOT_BID_PRICE, SLOT_BID_QTY)
        elif word_is(&key, b"asks") or word_is(&key, b"a"):
            take_best(c, SLOT_ASK_PRICE, SLOT_ASK_QTY)
        else:
            take_field(c, &key, BOOK_FIELDS)


cdef inline void trade(BitgetParser self, Cursor* c, Message* m) noexcept nogil:
    """A trade or a forced order."""
    # {"ts":"1730332800983","price":"72334.2","size":"0.01","side":"buy","tradeId":"1235671058980749319"}
    # {"i":"1432912488536195072","p":"76671.22","v":"0.001367","S":"sell","T":"1777358880170","L":"143...","isRPI":"no"}
    # ["1649290077777","0.005613","890.8","buy"]
    # {"symbol":"APEUSDT","side":"buy","price":"0.1649","amount":"13.70319","ts":"1777358886549"}
    cdef Text key
    m.kind = KIND_LIQUIDATION if self.channel == FORCED else KIND_TRADE
    m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    if peek(c) == c'[':
        open_array(c)
        if not (next_item(c) and take_int(c, SLOT_TIME) and next_item(c) and take_price(c, SLOT_PRICE)
                and next_item(c) and take_qty(c, SLOT_QTY) and next_item(c)
                and take_aggressor(c, b"buy", b"sell")):
            fail(c, BAD_VALUE, b"a trade of time, price, quantity and side")
        while next_item(c):
            take_any(c)
        return
    open_object(c)
    while next_key(c, &key):
        if not word_is(&key, b"side") and not word_is(&key, b"S"):
            take_field(c, &key, ROW)
        elif self.channel == FORCED:
            take_aggressor(c, b"sell", b"buy")    # of the position, which the order closes
        else:
            take_aggressor(c, b"buy", b"sell")


# What the keys of each message mean: (key, what to take, slot). A key that is not listed is stepped over.
cdef Form LEVEL
list_form(&LEVEL, ("price", "qty"))

cdef Field[4] OUTSIDE
cdef Field[16] BOOK_FIELDS, ROW
cdef Field[48] TICKER

list_fields(OUTSIDE, (("ts", TAKE_INT, SLOT_EVENT_TIME),))
list_fields(BOOK_FIELDS, (
    ("bids", TAKE_LEVELS, 0), ("asks", TAKE_LEVELS, 1), ("b", TAKE_LEVELS, 0), ("a", TAKE_LEVELS, 1),
    ("seq", TAKE_INT, SLOT_LAST_SEQ), ("pseq", TAKE_INT, SLOT_PREV_SEQ), ("checksum", TAKE_INT, SLOT_CHECKSUM),
    ("ts", TAKE_INT, SLOT_TIME)), &LEVEL)
list_fields(ROW, (
    ("price", TAKE_PRICE, SLOT_PRICE), ("size", TAKE_QTY, SLOT_QTY), ("amount", TAKE_QTY, SLOT_QTY),
    ("ts", TAKE_INT, SLOT_TIME), ("tradeId", TAKE_INT, SLOT_TRADE_ID), ("symbol", TAKE_SYMBOL, 0),
    ("p", TAKE_PRICE, SLOT_PRICE), ("v", TAKE_QTY, SLOT_QTY), ("T", TAKE_INT, SLOT_TIME),
    ("i", TAKE_INT, SLOT_TRADE_ID)))
# {"instId":"STORJUSDT","lastPr":"0.4706","bidPr":"0.4705","askPr":"0.4708","bidSz":"1367.3","askSz":"2535.3",
#  "open24h":"0.4737","fundingRate":"0.0001","nextFundingTime":"1730361600000","markPrice":"0.4705",
#  "indexPrice":"0.47080586","holdingAmount":"8572031.1","baseVolume":"2878355.9", ... ,"ts":"1730332823155"}
# v3: {"lastPrice":"76631.3","bid1Price":"76631.2","bid1Size":"0.9608","indexPrice":"76671.4381686055379793", ...}
# v1: {"instId":"BTCUSD","last":"29898.50","bestAsk":"29899","bestBid":"29898","capitalRate":"0.000100",
#      "nextSettleTime":1654182000000,"systemTime":1654160828664,"holding":"6166.235", ...}
list_fields(TICKER, (
    ("instId", TAKE_SYMBOL, 0), ("symbol", TAKE_SYMBOL, 0), ("ts", TAKE_INT, SLOT_TIME),
    ("lastPr", TAKE_DOUBLE, SLOT_LAST), ("open24h", TAKE_DOUBLE, SLOT_OPEN), ("high24h", TAKE_DOUBLE, SLOT_HIGH),
    ("low24h", TAKE_DOUBLE, SLOT_LOW), ("baseVolume", TAKE_DOUBLE, SLOT_VOLUME),
    ("quoteVolume", TAKE_DOUBLE, SLOT_QUOTE_VOLUME), ("bidPr", TAKE_PRICE, SLOT_BID_PRICE),
    ("bidSz", TAKE_QTY, SLOT_BID_QTY), ("askPr", TAKE_PRICE, SLOT_ASK_PRICE), ("askSz", TAKE_QTY, SLOT_ASK_QTY),
    ("markPrice", TAKE_DOUBLE, SLOT_MARK), ("indexPrice", TAKE_DOUBLE, SLOT_INDEX),
    ("fundingRate", TAKE_DOUBLE, SLOT_FUNDING), ("nextFundingTime", TAKE_INT, SLOT_NEXT_FUNDING),
    ("holdingAmount", TAKE_DOUBLE, SLOT_OPEN_INTEREST),
    ("lastPrice", TAKE_DOUBLE, SLOT_LAST), ("openPrice24h", TAKE_DOUBLE, SLOT_OPEN),
    ("highPrice24h", TAKE_DOUBLE, SLOT_HIGH), ("lowPrice24h", TAKE_DOUBLE, SLOT_LOW),
    ("volume24h", TAKE_DOUBLE, SLOT_VOLUME), ("turnover24h", TAKE_DOUBLE, SLOT_QUOTE_VOLUME),
    ("bid1Price", TAKE_PRICE, SLOT_BID_PRICE), ("bid1Size", TAKE_QTY, SLOT_BID_QTY),
    ("ask1Price", TAKE_PRICE, SLOT_ASK_PRICE), ("ask1Size", TAKE_QTY, SLOT_ASK_QTY),
    ("openInterest", TAKE_DOUBLE, SLOT_OPEN_INTEREST),
    ("last", TAKE_DOUBLE, SLOT_LAST), ("bestBid", TAKE_PRICE, SLOT_BID_PRICE), ("bestAsk", TAKE_PRICE, SLOT_ASK_PRICE),
    ("systemTime", TAKE_INT, SLOT_TIME), ("capitalRate", TAKE_DOUBLE, SLOT_FUNDING),
    ("nextSettleTime", TAKE_INT, SLOT_NEXT_FUNDING), ("holding", TAKE_DOUBLE, SLOT_OPEN_INTEREST)))


MARKETS = ("spot", "usdt-futures", "coin-futures", "usdc-futures")

CHANNELS = {
    "book": "order book by deltas, or its first levels whole with depth=5 or 15",
    "quotes": "best bid and offer",
    "trades": "every trade",
    "ticker": "statistics of the last 24 hours",
    "mark": "mark price, index price and funding, from the ticker; of futures only",
    "open_interest": "what is open, from the ticker; of futures only",
    "liquidations": "forced orders of all instruments of a market; of futures only",
}
OF_FUTURES = ("mark", "open_interest", "liquidations")
TOPICS = {"quotes": "books1", "trades": "trade"}        # of others than the book and what comes by the ticker

# doesn't exist, request too many, request over limit: from frames that clients quote, read on 2026-11-22
REASONS = {"30001": "bad_symbol", "30006": "rate_limit", "30007": "rate_limit"}


def streams(symbols, channels, depth=None, speed=None, market=None):
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only."""
    SPEC.check_channels(channels)
    market = SPEC.check_market(market)
    if market == "spot" and (lacking := [channel for channel in channels if channel in OF_FUTURES]):
        known = ", ".join(name for name in CHANNELS if name not in OF_FUTURES)
        raise UnsupportedChannel(f"bitget has no channel {lacking[0]!r} for spot; it has: {known}")
    if depth not in (None, 5, 15):
        raise UnsupportedChannel(f"bitget has no book of depth {depth!r}; it has: 5, 15, or None for that of deltas")
    if speed is not None:
        raise UnsupportedChannel(f"bitget has no speed {speed!r} for books; it has: one for each depth")
    planned = []
    for symbol in map(spelling, symbols):
        for channel in channels:
            if channel == "liquidations":
                planned.append(Stream(f"{market}:liquidation:", "v3", symbol, channel, market=market))
                continue
            topic = f"books{depth or ''}" if channel == "book" else TOPICS.get(channel, "ticker")
            planned.append(Stream(f"{market.upper()}:{topic}:{symbol}", "v2", symbol, channel,
                                  (depth or 0) if channel == "book" else 0, market))
    return planned


def spelling(symbol):
    """Bitget writes instruments in upper case; some have letters that have no case."""
    return symbol.upper()


def argument(name):
    """What is asked for: of v2 the market is in upper case, of v3 (only liquidations) in lower case."""
    market, topic, symbol = name.split(":", 2)
    if market.isupper():
        return {"instType": market, "channel": topic, "instId": symbol}
    return {"instType": market, "topic": topic, **({"symbol": symbol} if symbol else {})}


def request(operation, names):
    return [json.dumps({"op": operation, "args": [argument(name) for name in names]}, separators=(",", ":"),
                       ensure_ascii=False)]


def subscribe(names, request_id):
    # {"op":"subscribe","args":[{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}]}
    return request("subscribe", names)


def unsubscribe(names, request_id):
    # {"op":"unsubscribe","args":[{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}]}
    return request("unsubscribe", names)


def read_control(payload):
    """Classify a frame that is not market data; never raises.

    {"event":"subscribe","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}}         an ack, one per arg
    {"event":"error","arg":{...},"code":30001,"msg":"instType:SPOT,... doesn't exist","op":"subscribe"}     an error
    {"event":"error","code":30007,"msg":"request over limit,connection close"}                   an error
    pong                                                                                         the answer to ping
    """
    text, message = read_object(payload)
    if text.strip() == "pong":
        return Control("pong")
    arg = message.get("arg")
    names = ()
    if isinstance(arg, dict):
        topic, symbol = arg.get("channel", arg.get("topic", "")), arg.get("instId", arg.get("symbol", ""))
        names = (f"{arg.get('instType', '')}:{topic}:{symbol}",)
    if message.get("event") in ("subscribe", "unsubscribe"):
        return Control("ack", text=text, streams=names)
    if message.get("event") == "error":
        code = message.get("code")
        code = code if isinstance(code, (int, str)) else None
        return Control("error", None, code, str(message.get("msg", text)), names, reason=REASONS.get(str(code), ""))
    return Control("other", text=text)


def read_address(url):
    """What a REST answer from `url` is; None if it is of no use."""
    parts = urlsplit(url)
    product = parse_qs(parts.query).get("productType", [""])[0].lower()
    if parts.path in ("/api/v2/spot/public/symbols", "/api/spot/v1/public/products"):
        return Answer("instruments", market="spot")
    if parts.path in ("/api/v2/mix/market/contracts", "/api/mix/v1/market/contracts"):
        old = {"umcbl": "usdt-futures", "dmcbl": "coin-futures", "cmcbl": "usdc-futures"}
        return Answer("instruments", market=old.get(product, product))
    return None


def read_instruments(body):
    """Instruments of a list of v2 or v1. Raises ValueError that says what is missing."""
    # {"code":"00000","data":[{"symbol":"BTCUSDT","pricePrecision":"2","quantityPrecision":"6", ...}]}
    # {"code":"00000","data":[{"symbol":"BTCUSDT","pricePlace":"1","priceEndStep":"5","volumePlace":"3", ...}]}: 0.5
    # {"code":"00000","data":[{"symbol":"ALPHAUSDT_SPBL","priceScale":"4","quantityScale":"4", ...}]}
    keys = (("pricePrecision", "quantityPrecision"), ("pricePlace", "volumePlace"), ("priceScale", "quantityScale"))
    try:
        found = []
        for entry in json.loads(body)["data"]:
            price, qty = next((pair for pair in keys if pair[0] in entry), keys[0])
            tick = Decimal(entry.get("priceEndStep", "1")).scaleb(-int(entry[price]))
            lot = Decimal(1).scaleb(-int(entry[qty]))
            found.append(Instrument(entry["symbol"].partition("_")[0], format(tick, "f"), format(lot, "f")))
        return found
    except (ArithmeticError, AttributeError, KeyError, TypeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"a list of instruments with symbol and decimals (missing: {error})") from error


SPEC = VenueSpec(
    name="bitget",
    link=Link.CHAIN,                              # pseq == last seq
    roots={"v2": "wss://ws.bitget.com/v2/ws/public", "v3": "wss://ws.bitget.com/v3/ws/public"},
    channels=CHANNELS,
    streams=streams,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    read_control=read_control,
    symbol=spelling,
    # 4,096 bytes a request, 240 subscriptions an hour and connection, 10 messages a second, 1,000 channels a connection
    # of which less than 50 are advised; 300 connections in 5 minutes.
    limits=Limits(streams_per_connection=48, messages_per_second=5, streams_per_request=24,
                  connections_per_5_minutes=300, connection_lifetime_s=0, rest_weight_per_minute=1200),
    max_frame_size=8 << 20,
    parser=lambda market: BitgetParser(MARKETS.index(market) if market else 0),
    source="https://www.bitget.com/api-doc/common/websocket-intro",
    checked="2026-09-15",                         # of the newest live frames that are quoted (v2 without checksum)
    forms="JSON v2, served today (\"maintenance mode\"); JSON v3, served today, of which only liquidations are "
          "subscribed to. JSON v1 (sp, mc), from captures, not served. Not parsed: the API of 2021 (\"table\").",
    evidence=(
        Evidence("book", "messages", "pseq is the seq of the message before: any lost or repeated one shows"),
        Evidence("book (v1)", "capture", "CRC-32 of the best 25 levels a side after every message; no numbers: a loss "
                 "below them shows when it comes up"),
        Evidence("book (depth=5, 15)", "messages", "whole books: a lost one is made good by the next, unseen"),
        Evidence("quotes", "messages", "whole: a lost one does not show"),
        Evidence("trades", "capture", "nothing (the capture is v1)"),
        Evidence("ticker", "capture", "nothing (the capture is v1 spot; futures and v2 by messages)"),
        Evidence("mark", "messages", "as the ticker"),
        Evidence("open_interest", "messages", "as the ticker"),
        Evidence("liquidations", "messages", "nothing; one message"),
    ),
    markets=MARKETS,
    ping="ping",
    ping_interval_s=25,                           # at least every 30 s is asked for; observed: closed after 120 s
    rest_url="https://api.bitget.com",
    read_address=read_address,
    instruments_addresses={
        "spot": "https://api.bitget.com/api/v2/spot/public/symbols",
        **{market: f"https://api.bitget.com/api/v2/mix/market/contracts?productType={market.upper()}"
           for market in MARKETS[1:]}},
    read_instruments=read_instruments,
)
