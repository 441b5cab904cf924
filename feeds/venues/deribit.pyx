"""Deribit: futures, perpetuals, options, combos and spot of the JSON-RPC 2.0 API; one name, one book an instrument.

Wire forms: v2 notifications of 2019 to 2026: books of changes, whole books of the first 1, 10 or 20 levels, quotes,
trades, tickers. All are served today but for books without `type` (before 2020): there a change has `prev_change_id`.
SBE and FIX are not parsed.

The aggressor: `direction` of a trade is the taker's. A trade whose `liquidation` is T (taker), M (maker) or MT (both)
also tells of a forced order of that party: the taker's has the trade's direction, the maker's the opposite one.
Amounts: USD for inverse futures and perpetuals, else base coin; prices of options are in the base coin, those of combos
may be 0 or negative. Times are ms. A side without orders is quoted as price 0 and amount 0, and so is null.

Source: docs.deribit.com, recorded frames of 2021 and published ones of 2019 to 2025, as collected until 2026-10.
Nothing was tried against the live venue. That 500 channels fit one request is general knowledge, not verified.
"""

from functools import partial

from orderbook.types cimport BAD_VALUE
from feeds.fields cimport Field, expect, expect_nothing, list_fields, list_form, take_field, take_object
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, SLOT_LAST_SEQ, SLOT_MARK, SLOT_PARTIAL,
                            SLOT_PREV_SEQ, WORD_GONE, WORD_NONE)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, begins, fail, find_text, next_key, note_more, number_at, open_object,
                         peek, read_text, skip_value, take_constant, take_side, word_is)

from feeds.venue import Evidence, Limits, Link, VenueSpec, instruments_at
from feeds.venues.lists import deribit as lists
from feeds.venues.talk import deribit as talk

cdef enum:
    # Messages that one trade makes, in this order.
    AS_TRADE = 0
    OF_TAKER = 1              # the forced order of its taker
    OF_MAKER = 2              # the forced order of its maker


cdef class DeribitParser(Parser):
    """Messages of all channels. What it keeps is about the frame at work."""

    cdef int turn             # what `parse_more` makes of the trade at which it begins

    def __cinit__(self):
        self.route_marks = 14       # {"jsonrpc":"2.0","method":"subscription","params":{"channel":"quote.BTC-PERPETUAL"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"jsonrpc":"2.0","method":"subscription","params":{"channel":"quote.BTC-PERPETUAL","data":{...}}} or, of
        # trades, "data":[{...}]; {"jsonrpc":"2.0","id":1,"result":[...]}, errors and heartbeats are control frames
        cdef Text key, method, channel
        cdef bint is_data = find_text(c, b"method", &method) and word_is(&method, b"subscription")
        m.kind = KIND_CONTROL
        open_object(c)
        while next_key(c, &key):
            if not is_data or not word_is(&key, b"params") or not find_text(c, b"channel", &channel):
                skip_value(c)
                continue
            open_object(c)
            while next_key(c, &key):
                if word_is(&key, b"data"):
                    self.body(c, m, &channel)
                else:
                    skip_value(c)
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        self.trade(c, m)

    cdef void body(self, Cursor* c, Message* m, const Text* channel) noexcept nogil:
        """What stands in `data`, by the name of its channel."""
        if begins(channel, b"trades."):
            self.turn = AS_TRADE
            self.parse_first(c, m)
        elif peek(c) != c'{':
            expect_nothing(c, m, KIND_IGNORED)    # markprice.options.btc_usd
        elif begins(channel, b"book."):
            book(c, m, channel)
        elif begins(channel, b"quote."):
            # {"timestamp":1765541767174,"instrument_name":"BTC-PERPETUAL","best_ask_price":92288.5,
            #  "best_bid_price":92288.0,"best_ask_amount":99470.0,"best_bid_amount":133440.0}
            expect(m, KIND_QUOTE)
            take_object(c, QUOTE)
        elif begins(channel, b"ticker.") or begins(channel, b"incremental_ticker."):
            ticker(c, m, begins(channel, b"incremental"))
        else:
            # platform_state is a notice; chart.trades, perpetual, deribit_price_index and the like are not served here.
            expect_nothing(c, m, KIND_CONTROL if begins(channel, b"platform_state") else KIND_IGNORED)

    cdef void trade(self, Cursor* c, Message* m) noexcept nogil:
        """One trade, or the forced order it tells of, and where the next message begins: perhaps at the same trade."""
        # {"trade_seq":40781986,"trade_id":"66460463","timestamp":1584058044032,"tick_direction":3,"price":4469.5,
        #  "liquidation":"T","instrument_name":"BTC-PERPETUAL","index_price":4805.41,"direction":"sell","amount":1120}
        cdef const char* start = c.pos
        cdef Text key, forced
        forced.size = 0
        expect(m, KIND_TRADE if self.turn == AS_TRADE else KIND_LIQUIDATION)
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"direction"):
                take_side(c, -1 if self.turn == OF_MAKER else 1)
            elif word_is(&key, b"liquidation") and peek(c) == c'"':
                read_text(c, &forced)
            else:
                take_field(c, &key, TRADE)
        if self.turn == AS_TRADE and (word_is(&forced, b"T") or word_is(&forced, b"MT")):
            self.turn = OF_TAKER
            m.more = start
        elif self.turn != OF_MAKER and (word_is(&forced, b"M") or word_is(&forced, b"MT")):
            self.turn = OF_MAKER
            m.more = start
        else:
            self.turn = AS_TRADE
            note_more(c, m)


cdef inline int partial_depth(const Text* channel) noexcept nogil:
    """Levels of a book by its channel: 20 of book.X.none.20.100ms, 0 of book.X.raw, -1 if its prices are grouped."""
    cdef Py_ssize_t i
    cdef Text rest
    cdef int dots = 0, depth = 0
    for i in range(channel.size):
        if channel.data[i] != c'.':
            continue
        dots += 1
        if dots == 2:
            rest.data = channel.data + i
            rest.size = channel.size - i
        elif dots == 3:
            depth = number_at(channel, i + 1)
    return 0 if dots < 4 else depth if begins(&rest, b".none.") else -1


cdef inline void book(Cursor* c, Message* m, const Text* channel) noexcept nogil:
    # {"type":"change","timestamp":1626993724318,"prev_change_id":33195894164,"instrument_name":"BTC-24SEP21-8000-P",
    #  "change_id":33195894355,"bids":[],"asks":[["new",0.001,2.6]]}; snapshots are alike, as a rule without
    # prev_change_id. The whole books of the first levels have no type, and [[31975.0,1370.0],...] as levels
    cdef Text kind
    expect(m, KIND_SNAPSHOT)
    m.needed |= bit(SLOT_LAST_SEQ)
    m.depth = partial_depth(channel)
    if m.depth:
        take_object(c, PARTIAL)
        if m.depth < 0:
            m.kind = KIND_IGNORED                 # several prices taken together: not the book
        return
    find_text(c, b"type", &kind)
    take_object(c, BOOK)
    if word_is(&kind, b"change") or (kind.size == 0 and m.seen & bit(SLOT_PREV_SEQ)):
        m.kind = KIND_DELTA
        m.needed |= bit(SLOT_PREV_SEQ)
    elif kind.size and not word_is(&kind, b"snapshot"):
        fail(c, BAD_VALUE, b"the type snapshot or change")


cdef inline void ticker(Cursor* c, Message* m, bint changes) noexcept nogil:
    # {"underlying_price":30220.5,"underlying_index":"BTC-30SEP22","timestamp":1654161839367,
    #  "stats":{"volume":16.7,"price_change":-18.1818,"low":0.009,"high":0.011},"state":"open","settlement_price":0.01,
    #  "open_interest":1767.5,"min_price":0.0001,"max_price":0.038,"mark_price":0.0084,"mark_iv":67.7,
    #  "last_price":0.009,"interest_rate":0.0,"instrument_name":"BTC-30SEP22-60000-C","index_price":29939.43,
    #  "greeks":{"vega":20.05335,"theta":-5.65962,"rho":4.91491,"gamma":0.00001,"delta":0.05785},
    #  "estimated_delivery_price":29939.43,"bid_iv":67.16,"best_bid_price":0.008,"best_bid_amount":2.8,
    #  "best_ask_price":0.009,"best_ask_amount":18.5,"ask_iv":68.65}; perpetuals have current_funding and funding_8h.
    # What there is none of is null; estimated_delivery_price is "expired" in the end. Of an incremental_ticker the
    # first one is whole, the others have what has changed
    m.kind = KIND_TICKER
    if changes:
        take_constant(c, SLOT_PARTIAL, 1)
    else:
        m.needed = bit(SLOT_MARK)
    take_object(c, TICKER)


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef dict NAME = {"instrument_name": "symbol"}
cdef dict SENT = {"timestamp": "event_time"}
cdef dict WHOLE = {**SENT, **NAME, "change_id": "last_seq", "bids": "bids", "asks": "asks"}

# "delete" removes a level, whatever its amount; the others set it
cdef Form* CHANGE = list_form(("word", "price", "qty"),
                              {"new": WORD_NONE, "change": WORD_NONE, "delete": WORD_GONE}, gone=False, nullable=True)
cdef Form* LEVEL = list_form(("price", "qty"), words=None, gone=False, nullable=True)


cdef Field* BOOK = list_fields({**WHOLE, "type": "text", "prev_change_id": "prev_seq"}, CHANGE)
cdef Field* PARTIAL = list_fields(WHOLE, LEVEL)
cdef Field* QUOTE = list_fields({**SENT, **NAME, "best_bid_price": "bid_price or 0", "best_bid_amount": "bid_qty or 0",
                                 "best_ask_price": "ask_price or 0", "best_ask_amount": "ask_qty or 0"})
cdef Field* TRADE = list_fields({
    **NAME, "timestamp": "time", "price": "price", "amount": "qty", "trade_id": "trade_id"})
cdef Field* TICKER = list_fields({
    **SENT, **NAME, "best_bid_price": "bid_price", "best_bid_amount": "bid_qty", "best_ask_price": "ask_price",
    "best_ask_amount": "ask_qty", "last_price": "last", "mark_price": "mark", "index_price": "index",
    "current_funding": "funding", "settlement_price": "settlement", "open_interest": "open_interest",
    "underlying_price": "underlying", "mark_iv": "mark_iv", "bid_iv": "bid_iv", "ask_iv": "ask_iv", "stats": "inside",
    "high": "high", "low": "low", "price_change": "change_pct", "volume": "volume", "volume_usd": "quote_volume",
    "greeks": "inside", "delta": "delta", "gamma": "gamma", "vega": "vega", "theta": "theta", "rho": "rho"})


# Requests of the feed count from 1: answers to these two, with id 0, are for nobody.
SET_HEARTBEAT = '{"jsonrpc":"2.0","id":0,"method":"public/set_heartbeat","params":{"interval":30}}'


SPEC = VenueSpec(
    name="deribit",
    link=Link.CHAIN,
    roots={"public": "wss://www.deribit.com/ws/api/v2"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 500 channels a request and 32 connections at once an address; 3.3 requests a second in the long run, 10 at once.
    # Of the channels of one connection nothing is known: 2000 is our own limit.
    limits=Limits(streams_per_connection=2000, messages_per_second=3.3, streams_per_request=500,
                  connections_per_5_minutes=32, connection_lifetime_s=0, rest_weight_per_minute=60,
                  connections=32, rest_per_second=1),
    max_frame_size=8 << 20,
    parser=lambda market: DeribitParser(),
    source="https://docs.deribit.com/",
    checked="2026-11-22",                         # against collected docs and frames, not against the live venue
    forms="JSON-RPC v2 notifications of 2019 to 2026, served; books before 2020, without `type`, are not any more.",
    evidence=(
        Evidence("book", "capture", "each change names the one before (prev_change_id): a missing one always shows"),
        Evidence("book (depth)", "messages", "every frame is whole; a missing one does not show"),
        Evidence("quotes", "messages", "no numbers: a missing quote does not show"),
        Evidence("trades", "messages", "trade_seq rises by 1 an instrument; it is not judged"),
        Evidence("ticker", "capture", "no numbers: a missing ticker does not show"),
        Evidence("mark", "capture", "as the ticker, which it is read from"),
        Evidence("open_interest", "capture", "as the ticker, which it is read from"),
        Evidence("liquidations", "messages", "as the trades, which they are marked on"),
    ),
    greeting=(SET_HEARTBEAT,),
    ping_interval_s=30,
    resync="resubscribe",
    instruments_addresses=lists.ADDRESSES,
    rest_url="https://www.deribit.com",
    read_address=instruments_at("/public/get_instruments"),
    read_instruments=lists.read,
    own_names=("dated",),        # BTC-27DEC26, BTC-27DEC26-100000-C
)
