"""Coinbase Advanced Trade: market data of spot products, and of futures and perpetuals where they are listed.

Wire form: JSON of 2023 to 2026, served today (`client_id` stood in every frame until some time before 2026-08). The
book is whole: a snapshot in the stream, then updates that give absolute quantities; side `offer` is an ask. Each frame
has a number that counts all frames of its connection, acks included; products have none. A frame holds any number of
events, an event any number of trades. Mark prices, funding and open interest are told by REST only.

The aggressor: `side` of a trade is taken as the *maker's* side, so it is inverted. Sources conflict (2026-10): maker
say ccxt #27606 (BUY prints at the bid, SELL prints at the ask of the same market), the newest API documentation of
nautilus_trader, and the `match` messages of the same engine (coinbase_exchange, where 80 of 80 recorded trades show
it); taker say some clients. TRADE is the one place that decides. Times are RFC 3339 with up to 9 decimals.

Sources: docs.cdp.coinbase.com (Advanced Trade WebSocket channels, rate limits), frames recorded in 2026-08.
"""

from functools import partial

from orderbook.types cimport BAD_VALUE
from feeds.fields cimport Field, expect, list_fields, list_form, take_field, take_object
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_SNAPSHOT, KIND_TICKER,
                            KIND_TRADE, SEEN_BOTH, SLOT_EVENT_TIME, TAKE_TIME, WORD_ASK, WORD_BID)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, fail, find_text, next_item, next_key, open_array, open_object, quote_too,
                         skip_value, take, word_is)

from feeds.venue import Count, Evidence, Limits, Link, VenueSpec, instruments_at
from feeds.venues.lists import coinbase_advanced as lists
from feeds.venues.talk import coinbase_advanced as talk

cdef enum:
    # What an event holds, by the channel.
    NOTHING = 0               # of use here
    UPDATES = 1
    TRADES = 2
    TICKERS = 3


cdef class CoinbaseAdvancedParser(Parser):

    def __cinit__(self):
        self.route_marks = 4                      # {"channel":"l2_data

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"channel":"market_trades","client_id":"","timestamp":"2026-08-12T19:27:48.364886251Z","sequence_num":2,
        #  "events":[{"type":"update","trades":[{...},{...}]}]}
        cdef Text key
        cdef int content = content_of(c, m)
        cdef Message* kept = c.message
        open_object(c)
        while next_key(c, &key):
            if content == NOTHING or not word_is(&key, b"events"):
                take_field(c, &key, HEAD)
                continue
            open_array(c)
            if first_element(c, content):
                element(c, m, content)
                c.message = NULL                  # the rest is only looked at
                while following(c, content):
                    if m.more == NULL:
                        m.more = c.pos
                    skip_value(c)
                c.message = kept
            else:
                m.kind = KIND_IGNORED
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        cdef const char* here = c.pos
        cdef int content
        cdef Text text
        c.pos = c.start
        content = content_of(c, m)
        if find_text(c, b"timestamp", &text):
            take(c, TAKE_TIME, SLOT_EVENT_TIME, text.data, text.data + text.size, True)
        c.pos = here
        element(c, m, content)
        if following(c, content):
            m.more = c.pos


cdef inline int content_of(Cursor* c, Message* m) noexcept nogil:
    """What the events of a frame hold; sets what it is where they hold nothing of use."""
    cdef Text channel
    find_text(c, b"channel", &channel)
    if word_is(&channel, b"l2_data"):
        return UPDATES
    if word_is(&channel, b"market_trades"):
        return TRADES
    if word_is(&channel, b"ticker") or word_is(&channel, b"ticker_batch"):
        return TICKERS
    # {"type":"error","message":"..."} has no channel; candles, status and the like are data without use here.
    m.kind = KIND_IGNORED
    if not channel.size or word_is(&channel, b"subscriptions") or word_is(&channel, b"heartbeats"):
        m.kind = KIND_CONTROL
    return NOTHING


cdef inline bint in_event(Cursor* c, int content) noexcept nogil:
    """From inside an event to the first element of its list; False, behind the event, if there is none."""
    cdef Text key
    while next_key(c, &key):
        if not word_is(&key, b"trades" if content == TRADES else b"tickers"):
            skip_value(c)
        elif open_array(c) and next_item(c):
            return True
    return False


cdef inline bint first_element(Cursor* c, int content) noexcept nogil:
    """From inside the list of events, before one, to the first element that is a message."""
    cdef Text kind
    while next_item(c):
        if content == UPDATES:
            return True
        # What a subscription to trades begins with is history: those trades were there before.
        if content == TRADES and find_text(c, b"type", &kind) and word_is(&kind, b"snapshot"):
            skip_value(c)
            continue
        open_object(c)
        if in_event(c, content):
            return True
    return False


cdef inline bint following(Cursor* c, int content) noexcept nogil:
    """From behind an element to the next one, of this event or a later one; False if there is none."""
    if content != UPDATES and (next_item(c) or in_event(c, content)):
        return True
    return first_element(c, content)


cdef inline void element(Cursor* c, Message* m, int content) noexcept nogil:
    """One event of the book, one trade or one ticker."""
    if content == UPDATES:
        book(c, m)
    elif content == TRADES:
        # {"product_id":"BTC-USD","trade_id":"1069726293","price":"63310.25","size":"0.00000012",
        #  "time":"2026-08-12T19:27:48.298771Z","side":"BUY"}; newest first
        expect(m, KIND_TRADE)
        take_object(c, TRADE)
    else:
        # {"type":"ticker","product_id":"BTC-USD","price":"63320.73","volume_24_h":"6629.927726","low_24_h":"63235.88",
        #  "high_24_h":"64416.3","low_52_w":"57717.55","high_52_w":"126296","price_percent_chg_24_h":"0.03813791548644",
        #  "best_bid":"63320.73","best_ask":"63320.74","best_bid_quantity":"0.12636254",
        #  "best_ask_quantity":"0.49679101"}
        expect(m, KIND_TICKER)
        take_object(c, TICKER)
        quote_too(c)


cdef inline void book(Cursor* c, Message* m) noexcept nogil:
    # {"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-04-07T14:30:00.123456Z",
    #  "price_level":"68900.00","new_quantity":"1.5"},{"side":"offer",...}]}; an update may hold no level
    cdef Text kind
    m.kind = KIND_DELTA
    m.needed = bit(SEEN_BOTH)
    if find_text(c, b"type", &kind) and word_is(&kind, b"snapshot"):
        m.kind = KIND_SNAPSHOT
    elif not word_is(&kind, b"update"):
        fail(c, BAD_VALUE, b"an event of type snapshot or update")
    take_object(c, BOOK)


cdef Form* LEVEL = list_form({"side": "word", "price_level": "price", "new_quantity": "qty"},
                             {"bid": WORD_BID, "offer": WORD_ASK})

cdef Field* HEAD = list_fields({"channel": "text", "timestamp": "event_time", "sequence_num": "line_seq"})
cdef Field* BOOK = list_fields({"type": "text", "product_id": "symbol", "updates": "levels"}, LEVEL)
# `side` is the maker's: who bought took another's SELL.
cdef Field* TRADE = list_fields({"product_id": "symbol", "trade_id": "trade_id", "price": "price", "size": "qty",
                                 "time": "time", "side": "other side"})
cdef Field* TICKER = list_fields({"type": "text", "product_id": "symbol", "price": "last", "volume_24_h": "volume",
                                  "low_24_h": "low", "high_24_h": "high", "price_percent_chg_24_h": "change_pct",
                                  "best_bid": "bid_price", "best_bid_quantity": "bid_qty", "best_ask": "ask_price",
                                  "best_ask_quantity": "ask_qty"})


SPEC = VenueSpec(
    name="coinbase_advanced",
    link=Link.CONNECTION,
    count=Count.NEXT,
    roots={"public": "wss://advanced-trade-ws.coinbase.com"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 8 messages and 8 new connections a second and address; streams per connection and request are not limited in the
    # documentation.
    limits=Limits(streams_per_connection=0, messages_per_second=8, streams_per_request=100,
                  connections_per_5_minutes=300, connection_lifetime_s=0, rest_weight_per_minute=600,
                  connections_per_second=8),
    max_frame_size=64 << 20,                      # the snapshot of BTC-USD has several MB
    parser=lambda market: CoinbaseAdvancedParser(),
    # A connection that asks for nothing within 5 s is closed, and one that is quiet for 60 to 90 s too.
    greeting=('{"type":"subscribe","channel":"heartbeats"}',),
    rest_url="https://api.coinbase.com",
    # The book by REST has no number and cannot be joined.
    read_address=instruments_at("/products"),
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
    own_names=("pair",),
    source="https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels",
    checked="2026-10-01",
    forms="JSON of 2023 to 2026, with and without client_id; served today.",
    evidence=(
        Evidence("book", "capture", "sequence_num shows any frame that is missing on the connection, not whose it was"),
        Evidence("trades", "sheet example", "as book; which side is the taker's is disputed, see the module"),
        Evidence("ticker, quotes", "sheet example", "as book"),
    ),
)
