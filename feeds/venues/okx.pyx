"""OKX: spot, swaps, futures and options of the v5 API; one name, since an instId names one instrument of all.

Wire forms: v5 with seqId/prevSeqId (served today: `checksum` is 0 since 2026-06-23), and v5 of 2021 to 2026 whose books
have a CRC-32 and, until about 2023, no seqId; OKCoin speaks the same. The snapshot of `books` comes in the stream: its
end was announced for 2026-08, it was still there on 2026-08-21. Should it end, `parse_rest` reads the REST one.

The aggressor: `side` of a trade is the taker's (46 recorded buys at the ask, 25 sells at the bid, none against).
`side` of a liquidation is the side of the forced order. Sizes are base units for spot, else contracts. Times are ms in
quotes. The greeks are Black-Scholes in USD (`deltaBS`), as other venues count them, not those in coin (`delta`);
volatilities are fractions. Numbers are texts; "" is what does not apply: an empty side has price 0 and quantity 0.
"""

from functools import partial

from orderbook.types cimport BAD_VALUE
from feeds.fields cimport (Channel, Field, add_channel, expect, expect_channel, expect_nothing, expect_number,
                           find_channel, list_fields, list_form, take_field, take_object)
from feeds.message cimport (Form, Message, bit, CHECKSUM_PAIRS, KIND_CONTROL, KIND_DELTA, KIND_IGNORED,
                            KIND_LIQUIDATION, KIND_MARK, KIND_OPEN_INTEREST, KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER,
                            KIND_TRADE, SLOT_DELTA, SLOT_INDEX, SLOT_LAST_SEQ, SLOT_MARK, SLOT_NEXT_FUNDING,
                            SLOT_OPEN_INTEREST, SLOT_PARTIAL)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, fail, find_text, find_value, give_name, go_to, next_is, next_item,
                         next_key, note_more, open_array, open_object, peek, plain_is, read_text, skip_value,
                         take_constant, word_is)
from feeds.sync cimport LINK_NONE

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import okx as lists
from feeds.venues.talk import okx as talk


cdef class OkxParser(Parser):
    """Messages of all channels. What it keeps is about the frame at work."""

    cdef bint named           # the frame names a channel
    cdef const Channel* channel
    cdef Text symbol          # arg.instId; of a liquidation the element's. Borrowed from the frame
    cdef Text action          # snapshot or update, of books
    cdef const char* past     # liquidations: where the element at work ends. Borrowed from the frame

    def __cinit__(self):
        self.route_marks = 10                     # {"arg":{"channel":"books","instId":"BTC-USDT"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{...}]}
        # {"event":"subscribe","arg":{"channel":"books5","instId":"BTC-USDT"},"connId":"bd21fccc"}, and the text pong
        cdef Text key
        m.kind = KIND_CONTROL
        if plain_is(c, b"pong"):
            return
        self.read_head(c, False)
        open_object(c)
        while next_key(c, &key):
            if not word_is(&key, b"data") or not self.named or peek(c) != c'[':
                take_field(c, &key, OUTSIDE)
            elif self.channel == NULL:            # a candle, a price limit, a spread
                expect_nothing(c, m, KIND_IGNORED)
            else:
                self.parse_first(c, m)
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        self.read_head(c, True)
        element(self, c, m)

    cdef void head(self, Cursor* c) noexcept nogil:
        cdef Cursor arg
        cdef Text name
        self.named = find_value(c, b"arg", &arg) and find_text(&arg, b"channel", &name)
        if self.named:
            find_text(&arg, b"instId", &self.symbol)
            self.channel = find_channel(KNOWN, &name)
            self.action.size = 0
            if self.channel != NULL and self.channel.kind == KIND_DELTA:
                find_text(c, b"action", &self.action)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # {"code":"0","msg":"","data":[{"asks":[["29692.5","0.109","0","5"]],"bids":[],"ts":"1654328918680","seqId":7}]}
        cdef Text key
        expect(m, KIND_SNAPSHOT)
        m.needed |= bit(SLOT_LAST_SEQ)
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"data"):
                open_array(c)
                while next_item(c):
                    take_object(c, BOOK)
            else:
                skip_value(c)
        at_end(c)


cdef inline void element(OkxParser self, Cursor* c, Message* m) noexcept nogil:
    """One element of `data`, and where the next one begins."""
    cdef const Field* fields = self.channel.fields
    cdef bint snapshot = word_is(&self.action, b"snapshot")
    cdef int dashes = 0, i
    if self.channel.kind == KIND_LIQUIDATION:
        liquidation(self, c, m)
        return
    expect_channel(m, self.channel)
    give_name(m, &self.symbol)                    # the element's own instId goes before it
    if m.kind == KIND_TICKER:
        for i in range(<int> self.symbol.size):
            dashes += self.symbol.data[i] == c'-'
        if dashes == 1:
            fields = SPOT_TICKER
    if m.kind == KIND_MARK or dashes == 4 or fields == GREEKS:
        take_constant(c, SLOT_PARTIAL, 1)         # what there is of the symbol comes by several channels
    take_object(c, fields)
    if m.kind == KIND_DELTA:
        if not snapshot and not word_is(&self.action, b"update"):
            fail(c, BAD_VALUE, b"the action snapshot or update")
        m.checksum = CHECKSUM_PAIRS
        m.kind = KIND_SNAPSHOT if snapshot else KIND_DELTA
        expect_number(m, &self.numbered, LINK_NONE)     # until 2023: the checksum alone shows a loss
    note_more(c, m)


cdef inline void liquidation(OkxParser self, Cursor* c, Message* m) noexcept nogil:
    """One detail of an element, which names its symbol behind them; at a comma: the next detail of the same."""
    # {"details":[{"bkLoss":"0","bkPx":"0.55205","ccy":"","posSide":"short","side":"buy","sz":"39",
    #  "ts":"1680173247614"}],"instFamily":"XRP-USD","instId":"XRP-USD-230929","instType":"FUTURES","uly":"XRP-USD"}
    cdef const char* details = NULL
    cdef Text key
    cdef bint found = next_is(c, c',')
    if not found:
        self.symbol.size = 0                      # that of the element before
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"instId") and peek(c) == c'"':
                read_text(c, &self.symbol)
            else:
                if word_is(&key, b"details") and peek(c) == c'[':
                    details = c.pos
                skip_value(c)
        self.past = c.pos
        go_to(c, details)
        found = details != NULL and open_array(c) and next_item(c)
    m.kind = KIND_IGNORED
    if found:
        expect_channel(m, self.channel)
        m.symbol, m.symbol_size = self.symbol.data, self.symbol.size
        take_object(c, DETAIL)
        if peek(c) == c',':
            m.more = c.pos
            return
    go_to(c, self.past)
    note_more(c, m)


# What the keys of an element mean, see list_fields. A key that is not listed is stepped over.
cdef dict NAME = {"instId": "symbol"}
cdef dict SENT = {"ts": "int event_time"}
cdef dict HAPPENED = {"ts": "int time"}

# price, quantity, nothing, orders
cdef Form* LEVEL = list_form(("price", "qty"))


cdef Field* OUTSIDE = list_fields({"arg": "text", "action": "text"})
# {"asks":[["78722.7","0.0000102","0","1"],["78925","0","0","0"]],"bids":[],"ts":"1787612486307","checksum":0,
#  "seqId":80274874887,"prevSeqId":80274874876}
cdef Field* BOOK = list_fields({**NAME, **SENT, "seqId": "last_seq", "prevSeqId": "prev_seq", "checksum": "checksum",
                                "bids": "bids", "asks": "asks"}, LEVEL)
# {"asks":[["31774.7","0.14368878","0","3"]],"bids":[],"ts":"1654032991947","seqId":363996337}
cdef Field* BEST = list_fields({**NAME, **SENT, "seqId": "last_seq", "bids": "best bid", "asks": "best ask"})
# {"instId":"BTC-USD-220527","tradeId":"7849","px":"30218.8","sz":"1","side":"buy","ts":"1652459199958"}; later also
# count, source, seqId
cdef Field* TRADE = list_fields({**NAME, **HAPPENED, "px": "price", "sz": "qty", "side": "side",
                                 "tradeId": "int trade_id"})
# {"instType":"OPTION","instId":"BTC-USD-220624-50000-C","last":"0.0005","lastSz":"6","askPx":"0.0015","askSz":"330",
#  "bidPx":"","bidSz":"","open24h":"0.0005","high24h":"0.0005","low24h":"0.0005","sodUtc0":"0.0005",
#  "sodUtc8":"0.0005","volCcy24h":"0","vol24h":"0","ts":"1654166283149"}
cdef dict DAY = {**NAME, **SENT, "last": "last", "lastSz": "last_qty", "bidPx": "bid_price or 0",
                 "bidSz": "bid_qty or 0", "askPx": "ask_price or 0", "askSz": "ask_qty or 0", "open24h": "open",
                 "high24h": "high", "low24h": "low", "vol24h": "volume"}
cdef Field* TICKER = list_fields(DAY)
cdef Field* SPOT_TICKER = list_fields({**DAY, "volCcy24h": "quote_volume"})     # of derivatives it is coins
# {"instType":"OPTION","instId":"ETH-USD-211222-4000-C","uly":"ETH-USD","delta":"0.1975745164","markVol":"0.7794507758",
#  "bidVol":"","askVol":"0.8203208593","deltaBS":"0.2038286081","gammaBS":"0.0013437829", ... ,"ts":"1640001659301"}
cdef Field* GREEKS = list_fields({**NAME, **SENT, "deltaBS": "delta", "gammaBS": "gamma", "vegaBS": "vega",
                                  "thetaBS": "theta", "bidVol": "bid_iv", "askVol": "ask_iv", "markVol": "mark_iv",
                                  "fwdPx": "underlying"})
# {"instId":"ETH-USD-211231-9600-C","instType":"OPTION","markPx":"3.8005764218904408","ts":"1640183727000"}
cdef Field* MARK = list_fields({**NAME, **HAPPENED, "markPx": "mark"})
# {"instId":"BTC-USD","idxPx":"64280","open24h":"63848.2","high24h":"64360.7", ... ,"ts":"1785870839964"}
cdef Field* INDEX = list_fields({**NAME, **HAPPENED, "idxPx": "index"})
# {"fundingRate":"-0.0004270396398519","fundingTime":"1785888000000","instId":"BTC-USD-SWAP","nextFundingRate":"",
#  "nextFundingTime":"1785916800000","ts":"1785870855692", ...}: due at fundingTime; in 2021 the rate may lack
cdef Field* FUNDING = list_fields({**NAME, **HAPPENED, "fundingRate": "funding", "fundingTime": "int next_funding"})
# {"instId":"WNCG-USDT-SWAP","instType":"SWAP","oi":"644195","oiCcy":"644195","ts":"1640131258756"}; later also oiUsd
cdef Field* INTEREST = list_fields({**NAME, **HAPPENED, "oi": "open_interest", "oiUsd": "open_value"})
cdef Field* DETAIL = list_fields({**HAPPENED, "bkPx": "price", "sz": "qty", "side": "side"})

# Books with RPI or ELP liquidity (books-rpi, books-elp) are not the book, and not in the list.
cdef Channel* KNOWN = NULL
add_channel(&KNOWN, b"books", KIND_DELTA, BOOK)
add_channel(&KNOWN, b"trades", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"bbo-tbt", KIND_QUOTE, BEST)
add_channel(&KNOWN, b"tickers", KIND_TICKER, TICKER)
add_channel(&KNOWN, b"books5", KIND_SNAPSHOT, BOOK, 0, 5)
add_channel(&KNOWN, b"books-l2-tbt", KIND_DELTA, BOOK)
add_channel(&KNOWN, b"books50-l2-tbt", KIND_DELTA, BOOK)
add_channel(&KNOWN, b"trades-all", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"opt-summary", KIND_TICKER, GREEKS, bit(SLOT_DELTA))
add_channel(&KNOWN, b"mark-price", KIND_MARK, MARK, bit(SLOT_MARK))
add_channel(&KNOWN, b"index-tickers", KIND_MARK, INDEX, bit(SLOT_INDEX))
add_channel(&KNOWN, b"funding-rate", KIND_MARK, FUNDING, bit(SLOT_NEXT_FUNDING))
add_channel(&KNOWN, b"open-interest", KIND_OPEN_INTEREST, INTEREST, bit(SLOT_OPEN_INTEREST))
add_channel(&KNOWN, b"liquidation-orders", KIND_LIQUIDATION, DETAIL)


SPEC = VenueSpec(
    name="okx",
    link=Link.CHAIN,                              # prevSeqId == last seqId; a reset goes on from a lower seqId
    shared_ids=True,                              # "the same ... through multiple websocket connections" (API guide)
    roots={"public": "wss://ws.okx.com:8443/ws/v5/public", "business": "wss://ws.okx.com:8443/ws/v5/business"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=str.upper,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 480 subscribe and unsubscribe operations an hour and connection, 64 KB a request, 3 connections a second, 40
    # snapshots in 2 s. How many streams a connection may have is not stated.
    limits=Limits(streams_per_connection=240, messages_per_second=3, streams_per_request=240,
                  connections_per_5_minutes=900, connection_lifetime_s=0, rest_weight_per_minute=1200,
                  connections_per_second=3, operations_per_hour=480, request_bytes=64 << 10),
    max_frame_size=8 << 20,
    parser=lambda market: OkxParser(),
    source="https://www.okx.com/docs-v5/en/#websocket-api",
    checked="2026-09-06",                         # of the newest live frames that are quoted (checksum 0)
    forms="JSON v5. Served today: seqId/prevSeqId, checksum 0. Older, from captures: a CRC-32 (until 2026-06-23), with "
          "or without seqId. Not parsed: v3 (\"table\"), spreads, books with RPI or ELP liquidity, SBE.",
    evidence=(
        Evidence("book", "messages", "prevSeqId is the seqId of the message before: any lost or repeated one shows"),
        Evidence("book (2022, 2023)", "capture", "CRC-32 of the best 25 levels a side after every message; no seqId: "
                 "a loss below them shows when it comes up"),
        Evidence("book (depth=5)", "messages", "whole books: a lost one is made good by the next, unseen"),
        Evidence("quotes", "messages", "whole: a lost one does not show"),
        Evidence("trades", "capture", "nothing: tradeId jumps where fills were taken together"),
        Evidence("all_trades", "messages", "nothing is tested"),
        Evidence("ticker", "capture", "nothing; greeks: messages of 2021"),
        Evidence("mark", "messages", "nothing"),
        Evidence("open_interest", "messages", "nothing"),
        Evidence("liquidations", "messages", "nothing; one message"),
    ),
    ping="ping",
    ping_interval_s=25,                           # the venue closes after 30 s without a message
    rest_url="https://www.okx.com",
    snapshot_address=lambda symbol, limit, market: (
        f"https://www.okx.com/api/v5/market/books?instId={symbol}&sz={limit}&source=0"),
    snapshot_limit=400,
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
    own_names=("pair",),
)
