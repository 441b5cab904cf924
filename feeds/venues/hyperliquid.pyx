"""Hyperliquid: perpetuals, those of other builders' exchanges (`xyz:SP500`) and spot (`PURR/USDC`, `@107`).

Wire forms: JSON of 2024 to 2026, all of them served; the order of the keys differs by year. Each `l2Book` frame is the
whole book that is sent: 5 levels a side about every 0.5 s with `"fast":true`, else 20 levels, since 2026-06 about every
5 s only (docs of the venue still say 0.5 s; measured 2026-09: 0.54 s and 5.4 s). Frames do not tell reliably which of
the two they are, so both fill one book: do not ask for both at once.

The aggressor: `side` of a trade, B a buyer, A a seller (23 recorded B at the ask, 41 A at the bid, none against). The
first trades after a subscription are up to 20 s old; `tid` names each. `funding` is the rate of an hour, sizes are base
units, times are ms. Mark price, oracle price (the index), funding and open interest come in the asset's context, about
once a second; there is no last price in it. A side of the best bid and offer that is null is price 0 and quantity 0.

Source: the venue's docs, a recording of 2025, published frames of 2024 to 2026 and others' probes of 2026-09, as
collected until 2026-10. Nothing was tried against the live venue.
"""

from functools import partial

from orderbook.types cimport BAD_VALUE
from feeds.fields cimport Field, expect, expect_nothing, list_fields, list_form, take_field, take_object
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_IGNORED, KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER,
                            KIND_TRADE, SLOT_LAST_SEQ, SLOT_MARK)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, fail, fill_sides, find_text, next_item, next_key, note_more, open_array,
                         open_object, peek, plain_is, skip_value, take_aggressor, take_constant, take_levels, take_rest,
                         word_is)

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import hyperliquid as lists
from feeds.venues.talk import hyperliquid as talk


cdef class HyperliquidParser(Parser):
    """Messages of all channels."""

    def __cinit__(self):
        self.route_marks = 10                     # {"channel":"l2Book","data":{"coin":"BTC"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"channel":"l2Book","data":{...}}, of trades "data":[{...}]; also the plain text a connection may begin with
        cdef Text key, channel
        m.kind = KIND_CONTROL                     # {"channel":"pong"}
        if plain_is(c, b"Websocket connection established."):
            return
        find_text(c, b"channel", &channel)
        open_object(c)
        while next_key(c, &key):
            if channel.size and word_is(&key, b"data"):
                body(self, c, m, &channel)
            else:
                skip_value(c)
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        trade(c, m)


cdef inline void body(HyperliquidParser self, Cursor* c, Message* m, const Text* channel) noexcept nogil:
    """What stands in `data`, by its channel."""
    cdef bint is_object = peek(c) == c'{'
    if word_is(channel, b"trades"):
        self.parse_first(c, m)
    elif is_object and word_is(channel, b"l2Book"):
        book(c, m)
    elif is_object and word_is(channel, b"bbo"):
        quote_update(c, m)
    elif is_object and (word_is(channel, b"activeAssetCtx") or word_is(channel, b"activeSpotAssetCtx")):
        context(c, m)
    elif word_is(channel, b"subscriptionResponse") or word_is(channel, b"error") or word_is(channel, b"pong"):
        skip_value(c)
    else:
        expect_nothing(c, m, KIND_IGNORED)        # candle, allMids and the like


cdef inline void book(Cursor* c, Message* m) noexcept nogil:
    # {"coin":"BTC","time":1790232236546,"levels":[[{"px":"84143.0","sz":"10.25923","n":36}],
    #                                              [{"px":"84144.0","sz":"50.66449","n":18}]]}
    cdef Text key
    expect(m, KIND_SNAPSHOT)
    m.needed |= bit(SLOT_LAST_SEQ)
    open_object(c)
    while next_key(c, &key):
        if not word_is(&key, b"levels"):
            take_field(c, &key, BOOK)
            continue
        open_array(c)
        if not (next_item(c) and take_levels(c, 0, LEVEL) and next_item(c) and take_levels(c, 1, LEVEL)):
            fail(c, BAD_VALUE, b"two lists of levels")
        while next_item(c):
            skip_value(c)


cdef inline void best_side(Cursor* c, const Field* fields) noexcept nogil:
    """One side of the best bid and offer: {"px":"84143.0","sz":"10.25923","n":36}, null where nothing rests."""
    if peek(c) == c'{':
        take_object(c, fields)
    else:
        take_constant(c, fields[0].slot, 0)
        take_constant(c, fields[1].slot, 0)
        skip_value(c)


cdef inline void quote_update(Cursor* c, Message* m) noexcept nogil:
    # {"coin":"BTC","time":1790232237145,"bbo":[{"px":"84143.0","sz":"10.25923","n":36},{"px":"84144.0",...}]}; once,
    # in 2025, the array had one element only
    cdef Text key
    expect(m, KIND_QUOTE)
    open_object(c)
    while next_key(c, &key):
        if not word_is(&key, b"bbo"):
            take_field(c, &key, QUOTE)
            continue
        open_array(c)
        if next_item(c):
            best_side(c, BID)
        if next_item(c):
            best_side(c, ASK)
            take_rest(c)
        fill_sides(c)


cdef inline void trade(Cursor* c, Message* m) noexcept nogil:
    # {"coin":"BTC","side":"A","px":"84143.0","sz":"0.00036","time":1790232216193,"hash":"0x7a","tid":1045359869404765,
    #  "users":["0x9aa5","0x8269"]}; older ones have no users
    cdef Text key
    expect(m, KIND_TRADE)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"side"):
            take_aggressor(c, b"B", b"A")
        else:
            take_field(c, &key, TRADE)
    note_more(c, m)


cdef inline void context(Cursor* c, Message* m) noexcept nogil:
    # {"coin":"BTC","ctx":{"funding":"0.0000018952","openInterest":"36585.31848","prevDayPx":"86627.0",
    #  "dayNtlVlm":"4161029539.6949653625","premium":"-0.0006413454","oraclePx":"84198.0","markPx":"84148.0",
    #  "midPx":"84143.5","impactPxs":["84143.0","84144.0"],"dayBaseVlm":"49116.08533"}}; of spot without funding,
    # open interest and oracle; midPx, premium and impactPxs may be null
    cdef Text key
    m.kind = KIND_TICKER
    m.needed = bit(SLOT_MARK)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"ctx"):
            take_object(c, CONTEXT)
        else:
            take_field(c, &key, QUOTE)


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef Form* LEVEL = list_form({"px": "price", "sz": "qty"}, words=None, gone=False, nullable=True)

cdef dict COIN = {"coin": "fixed symbol"}


cdef Field* BOOK = list_fields({**COIN, "time": ("last_seq", "event_time")})      # an older frame is not taken
cdef Field* QUOTE = list_fields({**COIN, "time": "event_time"})
cdef Field* BID = list_fields({"px": "bid_price", "sz": "bid_qty"})
cdef Field* ASK = list_fields({"px": "ask_price", "sz": "ask_qty"})
cdef Field* TRADE = list_fields({
    **COIN, "time": "time", "px": "price", "sz": "qty", "tid": "trade_id", "users": "each"})
cdef Field* CONTEXT = list_fields({"markPx": "mark", "oraclePx": "index", "funding": "funding",
                                   "openInterest": "open_interest", "prevDayPx": "open", "dayNtlVlm": "quote_volume",
                                   "dayBaseVlm": "volume", "impactPxs": "each"})


SPEC = VenueSpec(
    name="hyperliquid",
    link=Link.NOT_BELOW,
    roots={"public": "wss://api.hyperliquid.xyz/ws"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 1000 subscriptions and 2000 messages a minute an address, over all its connections; of connections the docs
    # tell of 100, a reading of 2026-09 of 10 at once and 30 new ones a minute: the latter is kept here.
    limits=Limits(streams_per_connection=1000, messages_per_second=30, streams_per_request=1,
                  connections_per_5_minutes=150, connection_lifetime_s=0, rest_weight_per_minute=1200,
                  streams=1000, connections=10, connections_per_minute=30),
    max_frame_size=8 << 20,
    parser=lambda market: HyperliquidParser(),
    source="https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket",
    checked="2026-11-22",                         # against collected docs and frames, not against the live venue
    forms="JSON of 2024 to 2026, in each order of keys; all of them served.",
    evidence=(
        Evidence("book", "capture", "every frame is whole; its time shows a late one, not a missing one"),
        Evidence("quotes", "messages", "no numbers: a missing quote does not show"),
        Evidence("trades", "capture", "tid names a trade, without order: a missing trade does not show"),
        Evidence("ticker", "messages", "no numbers: a missing context does not show"),
        Evidence("mark", "messages", "as the ticker, which it is read from"),
        Evidence("open_interest", "messages", "as the ticker, which it is read from"),
    ),
    ping='{"method":"ping"}',                     # the server closes what it has sent nothing on for 60 s
    ping_interval_s=30,
    resync="resubscribe",
    rest_url="https://api.hyperliquid.xyz",
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
)
