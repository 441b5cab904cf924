"""Bybit: spot, linear and inverse contracts, options; the address tells which (`market_of`).

Wire forms: v5 (served today) and, for old recordings, the books, trades and liquidations of v2 (orderBookL2_25,
orderBook_200, trade, liquidation; ended in 2023). The order of the keys differs by market, options put an `id` first
that no two frames share. `u` of v5 counts the messages of a topic; u == 1 is a whole book after a restart.

The aggressor: `S` of publicTrade (`side` in v2) is the taker's. Of liquidations it is the side of the *position*, in
old frames too: Buy means that a long was closed by a forced sell, so it is inverted. Sizes are base units, of inverse
contracts USD. Times are ms, `timestamp_e6` of v2 us. Volatilities and rates are fractions.
"""

from functools import partial

from orderbook.types cimport BAD_VALUE, OK
from feeds.fields cimport (Channel, Field, add_channel, expect_channel, expect_nothing, find_channel, list_fields,
                           list_form, take_field, take_object)
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, SEEN_ASKS, SEEN_BIDS, SEEN_BOTH, SLOT_ASK_PRICE,
                            SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_LAST_SEQ, SLOT_PARTIAL, SLOT_QUOTE_TOO,
                            SLOT_SPARE, TAKE_ANY, TAKE_PRICE, TAKE_QTY, TAKE_TEXT)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, begins, cut, fail, find_text, is_zero, key_is, next_item, next_key,
                         note_more, number_at, open_array, open_object, peek, read_text, skip_value, take,
                         take_constant, word_is)

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import bybit as lists
from feeds.venues.talk import bybit as talk

cdef enum:
    OPTION = 3                # index of the market


cdef class BybitParser(Parser):
    """Messages of one market. What it keeps is about the frame at work."""

    cdef bint named           # it has a topic
    cdef const Channel* channel
    cdef Text symbol          # last part of the topic; borrowed from the frame

    def __cinit__(self):
        # {"topic":"orderbook.50.BTCUSDT", or {"id":" where what follows is another text in each frame
        self.route_marks = 3 if self.market == OPTION else 4

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{...},"cts":1687940967464}
        # {"id":"tickers.SOL-28APR23-24-C-34-1680652810254","topic":"tickers.SOL-28APR23-24-C","ts":1680652810254,
        #  "data":{...},"type":"snapshot"}
        cdef const Field* outside = OUTSIDE
        cdef Text key, type
        cdef bint snapshot
        m.kind = KIND_CONTROL
        self.read_head(c, False)
        if self.channel != NULL and self.channel.kind == KIND_LIQUIDATION:
            outside = NAMES                       # the time of the frame is not that of each row
        find_text(c, b"type", &type)
        snapshot = word_is(&type, b"snapshot")
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"data") and self.channel == NULL:
                expect_nothing(c, m, KIND_IGNORED if self.named else KIND_CONTROL)
            elif word_is(&key, b"data"):
                if not snapshot and not word_is(&type, b"delta") and (
                        self.channel.kind == KIND_DELTA or self.channel.kind == KIND_QUOTE):
                    fail(c, BAD_VALUE, b"the type snapshot or delta")
                data(self, c, m, snapshot)
            elif word_is(&key, b"topic") and self.market == OPTION:
                read_text(c, &key)                # it is no part of what names the stream: the symbol in it may differ
                take(c, TAKE_TEXT, SLOT_SPARE, self.symbol.data, self.symbol.data + self.symbol.size, True)
            else:
                take_field(c, &key, outside)
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        self.read_head(c, True)
        begin(self, m)
        take_object(c, self.channel.fields)
        note_more(c, m)

    cdef void head(self, Cursor* c) noexcept nogil:
        cdef Text topic, name, rest
        self.channel = NULL
        self.named = find_text(c, b"topic", &topic)
        if not cut(&topic, c'.', &name, &rest) or (begins(&topic, b"orderbook.") and number_at(&rest, 0) == 0):
            return                                # no topic, no dot; orderbook.rpi, orderbook.full
        cut(&topic, c'.', &rest, &self.symbol, True)
        if begins(&topic, b"orderbook.1."):
            name.size += 2
        self.channel = find_channel(KNOWN, &name)


cdef inline void begin(BybitParser self, Message* m) noexcept nogil:
    """Say what a message is; the symbol that the data name themselves goes before that of the topic."""
    expect_channel(m, self.channel)
    m.market = self.market
    m.symbol, m.symbol_size = self.symbol.data, self.symbol.size
    m.fixed_symbol = self.market != OPTION


cdef inline void data(BybitParser self, Cursor* c, Message* m, bint snapshot) noexcept nogil:
    """What the frame brings; of a list the first row, and where the next one begins."""
    begin(self, m)
    if m.kind == KIND_TICKER:
        if not snapshot:
            m.needed = 0
        take_constant(c, SLOT_PARTIAL, 1)         # a snapshot too: deltas go on from what it said
        if self.market == OPTION:
            take_constant(c, SLOT_QUOTE_TOO, 1)
        take_object(c, TICKER)
    elif m.kind == KIND_QUOTE:
        best(c, m, snapshot)
    elif m.kind == KIND_DELTA:
        m.kind = KIND_SNAPSHOT if snapshot else KIND_DELTA
        if self.channel.fields == BOOK_FIELDS:
            book(c, m)
        else:
            old_book(c, m)
    elif peek(c) != c'[':                         # liquidation of old brings one object
        take_object(c, self.channel.fields)
    else:
        self.parse_first(c, m)


cdef inline void book(Cursor* c, Message* m) noexcept nogil:
    # {"s":"BTCUSDT","b":[["30247.20","30.028"],["30240.00","0"]],"a":[],"u":177400507,"seq":66544703342}
    cdef Text key, u
    open_object(c)
    while next_key(c, &key):
        peek(c)
        u.data = c.pos
        take_field(c, &key, BOOK_FIELDS)
        u.size = c.pos - u.data
        if key_is(&key, c'u') and key_is(&u, c'1'):
            m.kind = KIND_SNAPSHOT
            not_learned(c)                        # its text is that of any delta


cdef inline void not_learned(Cursor* c) noexcept nogil:
    """Keep the message from being a pattern for others: a value decides what it is."""
    take(c, TAKE_ANY, SLOT_SPARE, c.pos, c.pos, False)


cdef inline void best(Cursor* c, Message* m, bint snapshot) noexcept nogil:
    """The best bid and offer; in 2023 it had deltas, in which an empty side has not changed."""
    # {"s":"BTCUSDT","b":[["28552.00","0.047"]],"a":[["28552.10","25.433"]],"u":7003305,"seq":50193540681}; u may skip,
    # or repeat after 3 s without a change
    cdef Text key
    take_constant(c, SLOT_PARTIAL, 1)             # a snapshot too: deltas go on from what it said
    if snapshot:
        take_object(c, BEST)
        return
    m.needed = 0
    not_learned(c)                                # which level is taken depends on its quantity
    open_object(c)
    while next_key(c, &key):
        if key_is(&key, c'b'):
            new_best(c, SLOT_BID_PRICE, SLOT_BID_QTY)
        elif key_is(&key, c'a'):
            new_best(c, SLOT_ASK_PRICE, SLOT_ASK_QTY)
        else:
            take_field(c, &key, BEST)


cdef inline void new_best(Cursor* c, int price_slot, int qty_slot) noexcept nogil:
    """Take the level of a side that a delta brings: it may remove another one in the same list. Only that: 0 and 0."""
    cdef Text price, qty
    cdef bint found = False, removed = False
    open_array(c)
    while next_item(c):
        open_array(c)
        if not (next_item(c) and read_text(c, &price) and next_item(c) and read_text(c, &qty)):
            fail(c, BAD_VALUE, b"a level of price and quantity in quotes")
        while next_item(c):
            skip_value(c)
        if c.status == OK and not found and not is_zero(&qty):
            found = (take(c, TAKE_PRICE, price_slot, price.data, price.data + price.size, True)
                     and take(c, TAKE_QTY, qty_slot, qty.data, qty.data + qty.size, True))
        removed = True
    if removed and not found:
        take_constant(c, price_slot, 0)
        take_constant(c, qty_slot, 0)


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef Form* LEVEL = list_form(("price", "qty"))

cdef Field* NAMES = list_fields({"topic": "text", "type": "text"})
cdef Field* OUTSIDE = list_fields({"topic": "text", "type": "text", "ts": "int event_time", "cts": "int time",
                                   "timestamp_e6": "int event_time", "timestampE6": "int event_time",
                                   "cross_seq": "last_seq", "crossSeq": "last_seq"})
cdef Field* BOOK_FIELDS = list_fields({"s": "symbol", "u": "last_seq", "b": "bids", "a": "asks"}, LEVEL)
cdef Field* BEST = list_fields({"s": "symbol", "u": "last_seq", "b": "best bid", "a": "best ask"})
# {"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",
#  "i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,"RPI":false,"seq":1783284617}
# {"trade_time_ms":1616304710061,"timestamp":"2021-03-21T05:31:50.000Z","symbol":"BTCUSD","side":"Buy","size":237,
#  "price":57073.5,"tick_direction":"ZeroPlusTick","trade_id":"f6198d62-...","cross_seq":5404769827}
# {"T":1739502302929,"s":"ROSEUSDT","S":"Sell","v":"20000","p":"0.04499"}: a short that was closed by a forced buy
# {"symbol":"BTCUSD","side":"Sell","price":"45171.00","qty":"2329","time":1632123949005}
cdef dict EXECUTED = {"s": "symbol", "T": "int time", "p": "price", "v": "qty", "i": "trade_id", "symbol": "symbol",
                      "trade_time_ms": "int time", "time": "int time", "updatedTime": "int time", "price": "price",
                      "size": "qty", "qty": "qty", "trade_id": "trade_id"}
cdef Field* TRADE = list_fields({**EXECUTED, "S": "side", "side": "side"})
cdef Field* FORCED = list_fields({**EXECUTED, "S": "other side", "side": "other side"})
# {"symbol":"BTCUSD","price24hPcnt":"0.023362","openInterest":"449736674","fundingRate":"0.0001",
#  "bid1Price":"28560.00","bid1Size":"340549","ask1Price":"28560.50","ask1Size":"70817"}: a delta, what is absent
# has not changed; fundingRate of dated futures is ""
# {"symbol":"SOL-28APR23-24-C","bidPrice":"0.34","bidSize":"10","bidIv":"0.6004","askPrice":"3.11","askSize":"51",
#  "askIv":"2.0007","lastPrice":"1.6","markPrice":"1.99054639","indexPrice":"20.93","markPriceIv":"1.4674",
#  "underlyingPrice":"20.93","openInterest":"20","delta":"0.42723543","gamma":"0.0505193", ...}
cdef Field* TICKER = list_fields({
    "symbol": "symbol", "lastPrice": "last", "prevPrice24h": "open", "highPrice24h": "high", "lowPrice24h": "low",
    "volume24h": "volume", "turnover24h": "quote_volume", "bid1Price": "bid_price", "bid1Size": "bid_qty",
    "ask1Price": "ask_price", "ask1Size": "ask_qty", "bidPrice": "bid_price", "bidSize": "bid_qty",
    "askPrice": "ask_price", "askSize": "ask_qty", "markPrice": "mark", "indexPrice": "index",
    "fundingRate": "funding", "nextFundingTime": "int next_funding", "openInterest": "open_interest",
    "openInterestValue": "open_value", "underlyingPrice": "underlying", "bidIv": "bid_iv", "askIv": "ask_iv",
    "markPriceIv": "mark_iv", "delta": "delta", "gamma": "gamma", "vega": "vega", "theta": "theta"})


include "bybit_v2.pxi"

# By what stands before the first dot of a topic. Books with RPI liquidity and `full` (it needs REST) are not read.
cdef Channel* KNOWN = NULL
add_channel(&KNOWN, b"orderbook", KIND_DELTA, BOOK_FIELDS, bit(SEEN_BIDS) | bit(SEEN_ASKS) | bit(SLOT_LAST_SEQ))
add_channel(&KNOWN, b"orderbook.1", KIND_QUOTE, BEST, bit(SLOT_BID_PRICE) | bit(SLOT_ASK_PRICE))
add_channel(&KNOWN, b"publicTrade", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"tickers", KIND_TICKER, TICKER)
add_channel(&KNOWN, b"allLiquidation", KIND_LIQUIDATION, FORCED)
add_channel(&KNOWN, b"orderBookL2_25", KIND_DELTA, OLD_ROWS, bit(SEEN_BOTH) | bit(SLOT_LAST_SEQ))
add_channel(&KNOWN, b"orderBook_200", KIND_DELTA, OLD_ROWS, bit(SEEN_BOTH) | bit(SLOT_LAST_SEQ))
add_channel(&KNOWN, b"trade", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"liquidation", KIND_LIQUIDATION, FORCED)


SPEC = VenueSpec(
    name="bybit",
    link=Link.COUNTER,                            # u == last u + 1
    roots={market: f"wss://stream.bybit.com/v5/public/{market}" for market in talk.MARKETS},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=str.upper,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # Args of at most 21,000 characters on a connection, 10 in a request (spot), 500 connections in 5 minutes; 600 REST
    # requests in 5 s. No number of messages is stated.
    limits=Limits(streams_per_connection=500, messages_per_second=10, streams_per_request=10,
                  connections_per_5_minutes=500, connection_lifetime_s=0, rest_weight_per_minute=7200,
                  connections=1000, argument_chars=21_000),
    max_frame_size=8 << 20,
    parser=lambda market: BybitParser(market=talk.MARKETS.index(market) if market else 0),
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
    markets=talk.MARKETS,
    market_of=talk.market_of,
    ping='{"req_id":"100001","op":"ping"}',
    ping_interval_s=20,
    rest_url="https://api.bybit.com",
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
    next_page=lists.next_page,
)
