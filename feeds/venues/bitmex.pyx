"""BitMEX: perpetuals, futures and spot of the realtime API, whose topics are tables: partial, insert, update, delete.

Wire forms: JSON of 2019 to 2026. Since 2023 rows of `update` and `delete` have price and timestamp too (before, the id
alone), since 2024 transactTime: served today. A level is known by its id; prices are never worked out of ids (BitMEX
has numbered them anew), but kept from the rows of `partial` and `insert`. An update or delete of an id that no row has
told of shows that something is missing; there are no other numbers. What comes before the `partial` is not taken.

The aggressor: `side` of a trade (16 recorded buys at the ask, none against); index, referential and settlement rows
have none. `side` of a liquidation is the side of the forced order; only its `insert` is told. The `partial` of trades
repeats what was before the subscription and is left out. Rows of `instrument` have what has changed. Sizes are
contracts (spot: scaled units), times RFC 3339. A side without orders is null in quotes: price 0 and quantity 0.

Source: bitmex.com/app/wsAPI, a recording of 2021, published frames of 2019 to 2026, as collected until 2026-10. Nothing
was tried against the live venue.
"""

from functools import partial

from feeds.fields cimport Field, expect, list_fields, list_form, take_object
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_IGNORED, KIND_LIQUIDATION, KIND_MARK, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, SEEN_ASKS, SEEN_BIDS, SLOT_AGGRESSOR, SLOT_FUNDING,
                            SLOT_PARTIAL)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, find_text, find_value, next_key, note_more, open_object, peek, plain_is,
                         skip_value, take_constant, word_is)

from feeds.venue import Evidence, Limits, Link, VenueSpec, instruments_at
from feeds.venues.lists import bitmex as lists
from feeds.venues.talk import bitmex as talk


cdef class BitmexParser(Parser):
    """Messages of all tables. What it keeps is about the frame at work."""

    cdef Text table           # borrowed from the frame
    cdef Text action          # "partial", "insert", "update", "delete". Borrowed from the frame
    cdef Text filtered        # symbol of the filter that a partial names. Borrowed from the frame

    def __cinit__(self):
        self.route_marks = 8                      # {"table":"orderBookL2","action":"update"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"table":"orderBookL2","action":"update","data":[{...}]}; partials also have keys, types, filter and the like.
        # {"success":true,"subscribe":"trade:XBTUSD","request":{...}}, a welcome and the text pong are control frames
        cdef Text key
        m.kind = KIND_CONTROL
        if plain_is(c, b"pong"):
            return
        self.read_head(c, False)
        open_object(c)
        while next_key(c, &key):
            if self.table.size and word_is(&key, b"data") and peek(c) == c'[':
                self.data(c, m)
            else:
                skip_value(c)
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        self.read_head(c, True)
        if self.is_book():
            rows(self, c, m, False)
        else:
            self.element(c, m)

    cdef bint is_book(self) noexcept nogil:
        """Whether the table has the rows of a book, known by their ids."""
        return word_is(&self.table, b"orderBookL2") or word_is(&self.table, b"orderBookL2_25")

    cdef void head(self, Cursor* c) noexcept nogil:
        cdef Cursor at
        self.filtered.size = 0
        find_text(c, b"table", &self.table)
        find_text(c, b"action", &self.action)
        if self.is_book() and word_is(&self.action, b"partial") and find_value(c, b"filter", &at):
            find_text(&at, b"symbol", &self.filtered)

    cdef void data(self, Cursor* c, Message* m) noexcept nogil:
        """The rows of a frame."""
        cdef const char* start = c.pos
        if not self.is_book():
            self.parse_first(c, m)
            return
        rows(self, c, m, True)
        if m.kind == KIND_IGNORED and self.filtered.size:
            m.kind = KIND_SNAPSHOT                # nothing rests there yet
            m.symbol, m.symbol_size = self.filtered.data, self.filtered.size
            take_rows(c, m, ROW, start, c.pos)

    cdef void element(self, Cursor* c, Message* m) noexcept nogil:
        """One row of another table, and where the next one begins."""
        cdef bint news = word_is(&self.action, b"insert")
        if word_is(&self.action, b"delete"):
            m.kind = KIND_IGNORED
            return
        if word_is(&self.table, b"quote"):
            # {"timestamp":"2024-11-22T22:44:25.085Z","symbol":"BCHUSDT","bidSize":103000,"bidPrice":487.55,
            #  "askPrice":488.25,"askSize":50000}: several a frame, oldest first
            expect(m, KIND_QUOTE)
            take_object(c, QUOTE)
        elif word_is(&self.table, b"trade") and news:
            # {"timestamp":"2024-11-24T08:15:38.704Z","symbol":"XBTUSD","side":"Sell","size":100,"price":98570.9,
            #  "tickDirection":"ZeroPlusTick","trdMatchID":"00000000-006d-1000-0000-000e8737d536","grossValue":101450,
            #  "homeNotional":0.0010145,"foreignNotional":100.0,"trdType":"Regular"}; its id is no number
            expect(m, KIND_TRADE)
            take_object(c, TRADE)
            if not m.seen & bit(SLOT_AGGRESSOR):
                take_constant(c, SLOT_AGGRESSOR, 0)     # nobody crossed the spread
        elif word_is(&self.table, b"orderBook10"):
            # {"symbol":"XBTUSD","bids":[[98490.3,22400]],"asks":[[98490.4,17600]],
            #  "timestamp":"2024-11-24T08:19:13.513Z"}; a side without orders may be absent
            m.kind = KIND_SNAPSHOT
            m.depth = 10
            take_object(c, PARTIAL)
            if not m.seen & (bit(SEEN_BIDS) | bit(SEEN_ASKS)):
                m.needed = bit(SEEN_BIDS)
        elif word_is(&self.table, b"instrument"):
            # {"symbol":"DOTUSDT","openValue":538432500000,"fairPrice":1.2669,"markPrice":1.2669,
            #  "timestamp":"2026-05-27T12:56:40.500Z"}: what has changed; the first one, about 100 keys, is whole
            m.kind = KIND_TICKER
            take_constant(c, SLOT_PARTIAL, 1)
            take_object(c, INSTRUMENT)
        elif word_is(&self.table, b"funding"):
            # {"timestamp":"2021-04-01T20:00:00.000Z","symbol":"ETHUSD","fundingInterval":"2000-01-01T08:00:00.000Z",
            #  "fundingRate":0.002142,"fundingRateDaily":0.006425999999999999}
            m.kind = KIND_MARK
            m.needed = bit(SLOT_FUNDING)
            take_constant(c, SLOT_PARTIAL, 1)
            take_object(c, INSTRUMENT)
        elif word_is(&self.table, b"liquidation") and news:
            # {"orderID":"dd9cea25-207c-0dab-15b5-b88da776f500","symbol":"XBTUSD","side":"Buy","price":10106,
            #  "leavesQty":9214}
            expect(m, KIND_LIQUIDATION)
            take_object(c, FORCED)
        else:
            m.kind = KIND_IGNORED                 # a candle, a chat; trades of before, liquidations that change
            return
        note_more(c, m)


# What the keys of each row mean, see list_fields. A key that is not listed is stepped over.
cdef dict NAME = {"symbol": "symbol"}
cdef dict HAPPENED = {"timestamp": "time"}
cdef dict SENT = {"timestamp": "event_time"}
cdef Form* LEVEL = list_form(("price", "qty"), words=None, gone=False, nullable=True)

cdef Field* TRADE = list_fields({**NAME, **HAPPENED, "side": "side or 0", "price": "price", "size": "qty"})
cdef Field* QUOTE = list_fields({**NAME, **SENT, "bidPrice": "bid_price or 0", "bidSize": "bid_qty or 0",
                                 "askPrice": "ask_price or 0", "askSize": "ask_qty or 0"})
cdef Field* PARTIAL = list_fields({**NAME, **SENT, "bids": "bids", "asks": "asks"}, LEVEL)
cdef Field* FORCED = list_fields({**NAME, "side": "side", "price": "price", "leavesQty": "qty"})
cdef Field* INSTRUMENT = list_fields({
    **NAME, **SENT, "bidPrice": "bid_price or 0", "askPrice": "ask_price or 0", "lastPrice": "last",
    "markPrice": "mark", "indicativeSettlePrice": "index", "fundingRate": "funding",
    "fundingTimestamp": "next_funding", "openInterest": "open_interest", "openValue": "open_value",
    "settledPrice": "settlement", "prevPrice24h": "open", "highPrice": "high", "lowPrice": "low",
    "volume24h": "volume", "foreignNotional24h": "quote_volume", "vwap": "vwap", "prevClosePrice": "prev_close"})


include "bitmex_rows.pxi"


SPEC = VenueSpec(
    name="bitmex",
    link=Link.NONE,
    roots={"public": "wss://ws.bitmex.com/realtime"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # About 40 connections an hour an address (the welcome counts them down), so that 20 in 5 minutes leave as many for
    # the rest of it; subscriptions are not limited, their numbers are our own. REST without a login: 30 a minute.
    limits=Limits(streams_per_connection=1000, messages_per_second=5, streams_per_request=50,
                  connections_per_5_minutes=20, connection_lifetime_s=0, rest_weight_per_minute=30,
                  connections_per_second=3),
    max_frame_size=32 << 20,                      # the partial of XBTUSD alone is about 1 MB
    parser=lambda market: BitmexParser(),
    source="https://www.bitmex.com/app/wsAPI",
    checked="2026-11-22",                         # against collected docs and frames, not against the live venue
    forms="JSON of 2019 to 2026; served today with price, timestamp and transactTime in every row of a book.",
    evidence=(
        Evidence("book", "capture", "no numbers: a missing row shows when its id is updated or deleted, or not at all"),
        Evidence("book (25)", "messages", "as the whole book"),
        Evidence("book (10)", "messages", "every frame is whole; a missing one does not show"),
        Evidence("quotes", "capture", "no numbers: a missing quote does not show"),
        Evidence("trades", "capture", "no numbers: a missing trade does not show"),
        Evidence("ticker", "messages", "rows of what has changed, without numbers: a missing one does not show"),
        Evidence("mark", "messages", "as the ticker, which it is read from"),
        Evidence("open_interest", "messages", "as the ticker, which it is read from"),
        Evidence("liquidations", "messages", "no numbers: a missing one does not show"),
    ),
    ping="ping",
    ping_interval_s=5,
    resync="resubscribe",
    rest_url="https://www.bitmex.com",
    instruments_addresses=lists.ADDRESSES,
    read_address=instruments_at("/instrument/active", "/instrument"),
    read_instruments=lists.read,
)
