"""Kraken Futures (derivatives): WebSocket v1.

Wire form: JSON of 2019 to 2026, served today; keys come in another order from feed to feed. A book delta is one level,
its seq one more than that of the delta before; the snapshot in the stream has one as well. Quantities are contracts of
1 USD for the inverse PI_ and FI_, base units for the linear PF_ and FF_. The side of a trade is the taker's, and that
of a liquidation is the forced order's own (it is the taker). Times are ms. funding_rate is absolute per contract; the
rate handed on is relative_funding_rate. Sources: docs.kraken.com/api/docs/futures-api/websocket, as of 2026-10.
"""

from functools import partial

from feeds.fields cimport (Channel, Field, add_channel, expect, expect_channel, expect_nothing, find_channel,
                           list_fields, list_form, take_object)
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION, KIND_SNAPSHOT,
                            KIND_TICKER, KIND_TRADE, SEEN_ASKS, SEEN_BIDS, SLOT_LAST_SEQ, SLOT_LEVEL_PRICE,
                            SLOT_LEVEL_QTY, SLOT_LEVEL_SIDE, SLOT_VOLUME)
from feeds.parser cimport Parser
from feeds.scan cimport Cursor, Text, at_end, find_text, word_is

from feeds.venue import Evidence, Limits, Link, VenueSpec, instruments_at
from feeds.venues.lists import kraken_futures as lists
from feeds.venues.talk import kraken_futures as talk


cdef class KrakenFuturesParser(Parser):
    """Messages of one version, each told by its `feed`."""

    def __cinit__(self):
        self.route_marks = 8                      # {"feed":"book","product_id":"PI_XBTUSD"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"feed":"book","product_id":"PI_XBTUSD",...}, a ticker begins with its time; {"event":"subscribed",...}
        cdef Text feed, kind, event
        cdef const Channel* channel
        cdef const char* start = c.pos
        if find_text(c, b"event", &event) or not find_text(c, b"feed", &feed):
            expect_nothing(c, m, KIND_CONTROL)
            at_end(c)
            return
        channel = find_channel(KNOWN, &feed)
        if channel == NULL:
            expect_nothing(c, m, KIND_IGNORED)    # heartbeat; trade_snapshot: the last trades before the subscription
        else:
            expect_channel(m, channel)
            if m.kind == KIND_TRADE and find_text(c, b"type", &kind) and word_is(&kind, b"liquidation"):
                m.more = start                    # an execution like any other, and a liquidation: told as both
            take_object(c, channel.fields)
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        expect(m, KIND_LIQUIDATION)
        take_object(c, TRADE)


# What the keys mean, see list_fields. A key that is not listed is stepped over.
cdef Form* LEVEL = list_form({"price": "price", "qty": "qty"})

cdef dict HEAD = {"feed": "text", "product_id": "fixed symbol"}         # text that decides must repeat
cdef dict NUMBER = {**HEAD, "seq": "last_seq", "timestamp": "time"}

# {"feed":"book","product_id":"PI_XBTUSD","side":"sell","seq":326094134,"price":34981,"qty":0,
#  "timestamp":1612269953629}: buy is a bid; qty 0 removes. 2019 had no timestamp
cdef Field* DELTA = list_fields({**NUMBER, "side": "level_side", "price": "level_price", "qty": "level_qty"})
# {"feed":"book_snapshot","product_id":"FI_BCHUSD_210730","timestamp":1626994925378,"seq":91192,"tickSize":null,
#  "bids":[{"price":439.3,"qty":20108.0}],"asks":[{"price":439.9,"qty":100.0}]}
cdef Field* SNAPSHOT = list_fields({**NUMBER, "bids": "bids", "asks": "asks"}, LEVEL)
# {"feed":"trade","product_id":"PI_XRPUSD","uid":"3ee209b8-bc9f-4ed5-965b-8c6208b26411","side":"sell",
#  "type":"liquidation","seq":41799,"time":1593561965283,"qty":12000,"price":0.1736}; other types: fill, assignment,
# termination, block. uid is no number, so seq (a counter of its own for each product) is the trade's id
cdef Field* TRADE = list_fields({**HEAD, "type": "text", "seq": "int trade_id", "time": "time", "price": "price",
                                 "qty": "qty", "side": "side"})
# {"time":1676393235406,"product_id":"PI_XBTUSD","funding_rate":-6.2604214e-11,"relative_funding_rate":-1.380384e-06,
#  "next_funding_rate_time":1676394000000,"feed":"ticker","bid":21978.5,"ask":21987.0,"bid_size":2536.0,
#  "ask_size":13948.0,"volume":31403908.0,"index":21984.54,"last":21983.5,"change":1.9974017538161748,
#  "openInterest":30072580.0,"markPrice":21979.68641534714,"open":21968.5,"high":22123.0,"low":21456.0,...}: dated
# futures have no funding. ticker_lite has bid, ask, change and volume of these, no sizes and no time
cdef Field* TICKER = list_fields({
    **HEAD, "time": "time", "bid": "bid_price", "bid_size": "bid_qty", "ask": "ask_price", "ask_size": "ask_qty",
    "last": "last", "volume": "volume", "volumeQuote": "quote_volume", "change": "change_pct", "open": "open",
    "high": "high", "low": "low", "index": "index", "markPrice": "mark", "relative_funding_rate": "funding",
    "next_funding_rate_time": "next_funding", "openInterest": "open_interest"})

cdef Channel* KNOWN = NULL
add_channel(&KNOWN, b"book", KIND_DELTA, DELTA,
            bit(SLOT_LAST_SEQ) | bit(SLOT_LEVEL_PRICE) | bit(SLOT_LEVEL_QTY) | bit(SLOT_LEVEL_SIDE))
add_channel(&KNOWN, b"book_snapshot", KIND_SNAPSHOT, SNAPSHOT, bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS))
add_channel(&KNOWN, b"trade", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"ticker", KIND_TICKER, TICKER)
add_channel(&KNOWN, b"ticker_lite", KIND_TICKER, TICKER, bit(SLOT_VOLUME))


SPEC = VenueSpec(
    name="kraken_futures",
    link=Link.COUNTER,
    roots={"public": "wss://futures.kraken.com/ws/v1"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=str.upper,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 100 requests a second and 100 connections; 50 names keep a request small.
    limits=Limits(streams_per_connection=0, messages_per_second=100, streams_per_request=50,
                  connections_per_5_minutes=0, connection_lifetime_s=0, rest_weight_per_minute=0,
                  connections=100),
    max_frame_size=8 << 20,
    parser=lambda market: KrakenFuturesParser(),
    source="https://docs.kraken.com/api/docs/futures-api/websocket/book",
    checked="2026-10-01",
    forms="WebSocket v1, JSON of 2019 to 2026, served. The unified WebSocket of 2026 is not parsed.",
    evidence=(
        Evidence("book", "capture", "seq rises by one with every delta of a product: shows every loss; nothing shows a "
                                    "wrong level"),
        Evidence("trades", "capture", "seq counts the trades of a product; it is not judged"),
        Evidence("ticker", "messages", "nothing: each stands alone"),
        Evidence("mark", "messages", "nothing: each stands alone"),
        Evidence("open_interest", "messages", "nothing: each stands alone"),
        Evidence("liquidations", "messages", "as trades"),
    ),
    # The client has to send a ping frame once a minute at least. The heartbeat feed shows that a quiet line lives.
    greeting=('{"event":"subscribe","feed":"heartbeat"}',),
    ping_frames=True,
    ping_interval_s=30.0,
    rest_url="https://futures.kraken.com",
    read_address=instruments_at("/derivatives/api/v3/instruments"),
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
)
