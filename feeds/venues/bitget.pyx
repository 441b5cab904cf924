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

from functools import partial

from orderbook.types cimport BAD_VALUE
from feeds.fields cimport (Channel, Field, add_channel, expect_channel, expect_nothing, expect_number, find_channel,
                           list_fields, list_form, take_array, take_field, take_object)
from feeds.message cimport (Form, Message, CHECKSUM_PAIRS, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION,
                            KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, fail, find_text, find_value, give_name, next_key, note_more, open_object,
                         peek, plain_is, word_is)
from feeds.sync cimport LINK_NONE

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import bitget as lists
from feeds.venues.talk import bitget as talk

cdef enum:
    # Indices of the markets.
    SPOT = 0
    USDT = 1
    COIN = 2
    USDC = 3


cdef class BitgetParser(Parser):
    """Messages of all markets. What it keeps is about the frame at work."""

    cdef bint named           # the frame names a channel
    cdef const Channel* channel
    cdef int of_market        # index of the market the frame names
    cdef Text symbol          # of the frame's arg; borrowed from it
    cdef Text action          # snapshot or update

    def __cinit__(self):
        self.route_marks = 18     # {"action":"update","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"action":"update","arg":{"instType":"USDT-FUTURES","channel":"books","instId":"MAVUSDT"},"data":[{...}],
        #  "ts":1789456}
        # {"action":"snapshot","arg":{"instType":"spot","topic":"books","symbol":"BTCUSDT"},"data":[{...}],
        #  "ts":1777362656336}
        # {"event":"subscribe","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}}, and the text pong
        cdef const Field* outside = OUTSIDE
        cdef Text key
        m.kind = KIND_CONTROL
        if plain_is(c, b"pong"):
            return
        self.read_head(c, False)
        if self.named and self.channel != NULL and self.channel.kind == KIND_LIQUIDATION:
            outside = NAMES                       # the time of the frame is not that of each row
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"data") and self.named and peek(c) == c'[':
                rows(self, c, m)
            else:
                take_field(c, &key, outside)
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        self.read_head(c, True)
        row(self, c, m)
        note_more(c, m)

    cdef void head(self, Cursor* c) noexcept nogil:
        cdef Cursor arg
        cdef Text name, type
        self.named = find_value(c, b"arg", &arg) and (
            find_text(&arg, b"channel", &name) or find_text(&arg, b"topic", &name))
        if self.named:
            if not find_text(&arg, b"instId", &self.symbol):
                find_text(&arg, b"symbol", &self.symbol)
            find_text(&arg, b"instType", &type)
            find_text(c, b"action", &self.action)
            self.channel = find_channel(KNOWN, &name)
            self.of_market = market_of(&type, &self.symbol)


cdef inline int market_of(const Text* type, const Text* symbol) noexcept nogil:
    """Index of the market that a frame names; of v1, all futures are "mc", and the symbol tells."""
    cdef Text end
    if word_is(type, b"mc") and symbol.size:
        end.size = min(symbol.size, 4)
        end.data = symbol.data + symbol.size - end.size
        return USDT if word_is(&end, b"USDT") else USDC if word_is(&end, b"PERP") else COIN
    if word_is(type, b"USDT-FUTURES") or word_is(type, b"usdt-futures"):
        return USDT
    if word_is(type, b"COIN-FUTURES") or word_is(type, b"coin-futures"):
        return COIN
    return USDC if word_is(type, b"USDC-FUTURES") or word_is(type, b"usdc-futures") else SPOT


cdef inline void rows(BitgetParser self, Cursor* c, Message* m) noexcept nogil:
    """The first element of the data, and where the next one begins."""
    cdef bint snapshot = word_is(&self.action, b"snapshot")
    if self.channel == NULL or (self.channel.kind == KIND_TRADE and snapshot):
        expect_nothing(c, m, KIND_IGNORED)        # candles; history
    elif not snapshot and not word_is(&self.action, b"update"):
        fail(c, BAD_VALUE, b"the action snapshot or update")
    else:
        self.parse_first(c, m)


cdef inline void row(BitgetParser self, Cursor* c, Message* m) noexcept nogil:
    """One element of the data; samples stand at the lists of their keys."""
    expect_channel(m, self.channel)
    m.market = self.of_market
    give_name(m, &self.symbol)                    # what the data say themselves goes before it
    if m.kind == KIND_TRADE and peek(c) == c'[':
        take_array(c, OLD_TRADE)
    else:
        take_object(c, self.channel.fields)
    if self.channel.fields == BOOK:
        m.checksum = CHECKSUM_PAIRS
        if word_is(&self.action, b"snapshot"):
            m.kind = KIND_SNAPSHOT
        if m.depth == 0:
            expect_number(m, &self.numbered, LINK_NONE)     # v1, v2 of 2024: the checksum alone shows a loss


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef Form* LEVEL = list_form(("price", "qty"))


cdef Field* NAMES = list_fields({"arg": "text", "action": "text"})
cdef Field* OUTSIDE = list_fields({"arg": "text", "action": "text", "ts": "int event_time"})
# {"asks":[],"bids":[["0.00519","30828.52"]],"ts":"1789456512452","seq":427583480559,"pseq":427583461144}
# {"a":[["76679.99","0"]],"b":[["76646.9","0.03914"]],"checksum":1153969492,"seq":451057502090,
#  "pseq":451057497631,"ts":"1777358880011"}
cdef Field* BOOK = list_fields({"bids": "bids", "asks": "asks", "b": "bids", "a": "asks", "seq": "last_seq",
                                "pseq": "prev_seq", "checksum": "checksum", "ts": "int time"}, LEVEL)
# {"asks":[["1.4138","4.58"]],"bids":[],"checksum":0,"ts":"1730860330169"}
cdef Field* BEST = list_fields({"bids": "best bid", "asks": "best ask", "b": "best bid", "a": "best ask",
                                "seq": "last_seq", "ts": "int time"})
# {"ts":"1730332800983","price":"72334.2","size":"0.01","side":"buy","tradeId":"1235671058980749319"}
# {"i":"1432912488536195072","p":"76671.22","v":"0.001367","S":"sell","T":"1777358880170","L":"143...","isRPI":"no"}
cdef Field* TRADE = list_fields({"price": "price", "size": "qty", "side": "side", "ts": "int time",
                                 "tradeId": "int trade_id", "symbol": "symbol", "p": "price", "v": "qty", "S": "side",
                                 "T": "int time", "i": "int trade_id"})
# ["1649290077777","0.005613","890.8","buy"]
cdef Field* OLD_TRADE = list_fields({"time": "int time", "price": "price", "qty": "qty", "side": "side"})
# {"symbol":"APEUSDT","side":"buy","price":"0.1649","amount":"13.70319","ts":"1777358886549"}
cdef Field* FORCED = list_fields({"symbol": "symbol", "side": "other side", "price": "price", "amount": "qty",
                                  "ts": "int time"})
# {"instId":"STORJUSDT","lastPr":"0.4706","bidPr":"0.4705","askPr":"0.4708","bidSz":"1367.3","askSz":"2535.3",
#  "open24h":"0.4737","fundingRate":"0.0001","nextFundingTime":"1730361600000","markPrice":"0.4705",
#  "indexPrice":"0.47080586","holdingAmount":"8572031.1","baseVolume":"2878355.9", ... ,"ts":"1730332823155"}
# v3: {"lastPrice":"76631.3","bid1Price":"76631.2","bid1Size":"0.9608","indexPrice":"76671.4381686055379793", ...}
# v1: {"instId":"BTCUSD","last":"29898.50","bestAsk":"29899","bestBid":"29898","capitalRate":"0.000100",
#      "nextSettleTime":1654182000000,"systemTime":1654160828664,"holding":"6166.235", ...}
cdef Field* TICKER = list_fields({
    "instId": "symbol", "symbol": "symbol", "ts": "int time", "lastPr": "last", "open24h": "open", "high24h": "high",
    "low24h": "low", "baseVolume": "volume", "quoteVolume": "quote_volume", "bidPr": "bid_price", "bidSz": "bid_qty",
    "askPr": "ask_price", "askSz": "ask_qty", "markPrice": "mark", "indexPrice": "index", "fundingRate": "funding",
    "nextFundingTime": "int next_funding", "holdingAmount": "open_interest", "lastPrice": "last",
    "openPrice24h": "open", "highPrice24h": "high", "lowPrice24h": "low", "volume24h": "volume",
    "turnover24h": "quote_volume", "bid1Price": "bid_price", "bid1Size": "bid_qty", "ask1Price": "ask_price",
    "ask1Size": "ask_qty", "openInterest": "open_interest", "last": "last", "bestBid": "bid_price",
    "bestAsk": "ask_price", "systemTime": "int time", "capitalRate": "funding", "nextSettleTime": "int next_funding",
    "holding": "open_interest"})


cdef Channel* KNOWN = NULL
add_channel(&KNOWN, b"books", KIND_DELTA, BOOK)
add_channel(&KNOWN, b"books1", KIND_QUOTE, BEST)
add_channel(&KNOWN, b"books5", KIND_SNAPSHOT, BOOK, 0, 5)
add_channel(&KNOWN, b"books15", KIND_SNAPSHOT, BOOK, 0, 15)
add_channel(&KNOWN, b"books50", KIND_SNAPSHOT, BOOK, 0, 50)
add_channel(&KNOWN, b"trade", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"publicTrade", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"ticker", KIND_TICKER, TICKER)
add_channel(&KNOWN, b"liquidation", KIND_LIQUIDATION, FORCED)


SPEC = VenueSpec(
    name="bitget",
    link=Link.CHAIN,                              # pseq == last seq
    roots={"v2": "wss://ws.bitget.com/v2/ws/public", "v3": "wss://ws.bitget.com/v3/ws/public"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=str.upper,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 4,096 bytes a request, 240 subscriptions an hour and connection, 10 messages a second, 1,000 channels a connection
    # of which less than 50 are advised; 300 connections in 5 minutes.
    limits=Limits(streams_per_connection=48, messages_per_second=5, streams_per_request=24,
                  connections_per_5_minutes=300, connection_lifetime_s=0, rest_weight_per_minute=1200,
                  connections=100, operations_per_hour=240, request_bytes=4096),
    max_frame_size=8 << 20,
    parser=lambda market: BitgetParser(market=talk.MARKETS.index(market) if market else 0),
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
    markets=talk.MARKETS,
    ping="ping",
    ping_interval_s=25,                           # at least every 30 s is asked for; observed: closed after 120 s
    rest_url="https://api.bitget.com",
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
)
