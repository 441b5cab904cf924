"""Crypto.com Exchange: spot (BTC_USD), perpetuals (BTCUSD-PERP) and futures (BTCUSD-261225) of the v1 API.

Wire forms: v1 of 2022 to 2026, numbers as texts, books by snapshot and updates that are chained (`u`, `pu`) or whole
every 500 ms: served today. Also v2 of 2021 and 2022, numbers bare, which is not served any more: its books are numbered
by `s` alone, of which no more is known than that it rises. `cs` looks like a checksum, but how it is made is not
documented and was not found out (576 ways were tried in 2026-09): it is not checked.

The window of a book (10 or 50 levels) is kept by the server, which sends what leaves it as removals; the book is cut to
it all the same. The aggressor: `s` of a trade, BUY or SELL. Trades of one frame come newest first and are handed on so;
several of them may have one id. The funding rate is that of an hour. `c` of the ticker, a ratio since v1, is left out.
Sizes are base units, times ms. A side without orders is null in the ticker: price 0 and quantity 0.

Source: exchange-docs.crypto.com, published frames of 2022 to 2024 and others' live profile of 2026-09, as collected
until 2026-10. Nothing was tried against the live venue; of v1 books there is no recording, only examples.
"""

from functools import partial

from feeds.fields cimport Channel, Field, add_channel, expect_channel, find_channel, list_fields, list_form, take_object
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_MARK, KIND_SNAPSHOT,
                            KIND_TICKER, KIND_TRADE, SEEN_ASKS, SEEN_BIDS, SLOT_EVENT_TIME, SLOT_FUNDING, SLOT_INDEX,
                            SLOT_LAST_SEQ, SLOT_MARK, SLOT_PARTIAL, SLOT_PREV_SEQ)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, find_count, find_text, find_value, give_name, next_item, note_more,
                         open_array, peek, quote_too, skip_object, take_constant)
from feeds.sync cimport LINK_RISES

from feeds.venue import Evidence, Limits, Link, VenueSpec, instruments_at
from feeds.venues.lists import cryptocom as lists
from feeds.venues.talk import cryptocom as talk


cdef class CryptocomParser(Parser):
    """Messages of all channels. What it keeps is about the frame at work."""

    cdef const char* data     # where its data begin, NULL if it has none. Borrowed from the frame
    cdef Text channel         # "book", "book.update", "trade", ... Borrowed from the frame
    cdef Text symbol          # instrument_name. Borrowed from the frame
    cdef int window           # levels a side of the book; 0: the frame does not tell

    def __cinit__(self):
        # {"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"BTC_USD","subscription":"ticker.BTC_USD"
        self.route_marks = 18

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"BTC_USD","subscription":"book.BTC_USD.50",
        #  "channel":"book.update","depth":50,"data":[{...}]}}; answers and heartbeats have no result
        m.kind = KIND_CONTROL
        self.read_head(c, False)
        if not skip_object(c) or not at_end(c) or self.data == NULL:
            return                                # from here on the grammar of the whole frame is known to be right
        c.pos = self.data
        open_array(c)
        if next_item(c):
            self.element(c, m)
        else:
            m.kind = KIND_IGNORED

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        self.read_head(c, True)
        self.element(c, m)

    cdef void head(self, Cursor* c) noexcept nogil:
        cdef Cursor result, at
        self.data = NULL
        self.channel.size = self.symbol.size = 0
        self.window = 0
        if find_value(c, b"result", &result) and find_text(&result, b"channel", &self.channel):
            find_text(&result, b"instrument_name", &self.symbol)
            self.window = <int> min(find_count(&result, b"depth"), 100000)
            if self.channel.size and find_value(&result, b"data", &at) and peek(&at) == c'[':
                self.data = at.pos

    cdef void element(self, Cursor* c, Message* m) noexcept nogil:
        """One element of `data`, and where the next one begins."""
        cdef const Channel* channel = find_channel(TOLD, &self.channel)
        give_name(m, &self.symbol)
        if channel == NULL:
            m.kind = KIND_IGNORED                 # a candle, estimated funding, a settlement
            return
        expect_channel(m, channel)
        if channel.fields == BOOK:
            book(c, m)
            m.cut = self.window
        else:
            if m.kind == KIND_MARK:
                take_constant(c, SLOT_PARTIAL, 1)     # one value a channel, what the others told stays
            take_object(c, channel.fields)
        if m.kind == KIND_TICKER:
            quote_too(c)
        note_more(c, m)


cdef inline void book(Cursor* c, Message* m) noexcept nogil:
    # {"asks":[["2749.62","0.2008","2"]],"bids":[["2749.61","1.0","1"]],"t":1790114273395,"tt":1790114273346,
    #  "u":375554806244928,"cs":-1183713967}, and with "channel":"book.update":
    # {"update":{"asks":[["2749.90","0","0"]],"bids":[]},"t":1790114273495,"tt":1790114273490,"u":375554807336512,
    #  "pu":375554807297984,"cs":123}; about every 5 s an empty one whose u and pu are the number before
    cdef Cursor at
    cdef bint old = find_value(c, b"s", &at)
    take_object(c, BOOK)
    if old and not m.seen & bit(SLOT_PREV_SEQ):
        m.link = LINK_RISES                       # v2
    elif m.kind == KIND_DELTA:
        m.needed |= bit(SLOT_PREV_SEQ)


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef dict SENT = {"t": "event_time"}
# price, quantity, orders
cdef Form* LEVEL = list_form(("price", "qty"), words=None, gone=False, nullable=True)


cdef Field* BOOK = list_fields({**SENT, "tt": "time", "u": "last_seq", "pu": "prev_seq", "s": "last_seq",
                                "update": "inside", "bids": "bids", "asks": "asks"}, LEVEL)
# {"d":"4611686018438397540","t":1686131219384,"p":"31603.5","q":"0.1000","s":"BUY","i":"BTCUSD-PERP"}
cdef Field* TRADE = list_fields({"t": "time", "p": "price", "q": "qty", "s": "side", "d": "trade_id"})
# {"h":"4.7743","l":"4.6082","a":"4.6121","c":"-0.0144","b":"4.6121","bs":"25","k":"4.6148","ks":"131",
#  "i":"APEUSD-PERP","v":"123899","vv":"580747.59","oi":"55851","t":1667320303754}; v2 has no bs and ks; what was never
# traded has t, the rest is null
cdef Field* TICKER = list_fields({**SENT, "b": "bid_price or 0", "bs": "bid_qty or 0", "k": "ask_price or 0",
                                  "ks": "ask_qty or 0", "a": "last", "h": "high", "l": "low", "v": "volume",
                                  "vv": "quote_volume", "oi": "open_interest"})
# {"v":"31606.3","t":1653992543000}
cdef Field* MARK = list_fields({"v": "mark", **SENT})
cdef Field* INDEX = list_fields({"v": "index", **SENT})
cdef Field* FUNDING = list_fields({"v": "funding", **SENT})

cdef Channel* TOLD = NULL
add_channel(&TOLD, b"book.update", KIND_DELTA, BOOK, bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS))
add_channel(&TOLD, b"book", KIND_SNAPSHOT, BOOK, bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS))
add_channel(&TOLD, b"trade", KIND_TRADE, TRADE)
add_channel(&TOLD, b"ticker", KIND_TICKER, TICKER, bit(SLOT_EVENT_TIME))
add_channel(&TOLD, b"mark", KIND_MARK, MARK, bit(SLOT_MARK))
add_channel(&TOLD, b"index", KIND_MARK, INDEX, bit(SLOT_INDEX))
add_channel(&TOLD, b"funding", KIND_MARK, FUNDING, bit(SLOT_FUNDING))


SPEC = VenueSpec(
    name="cryptocom",
    link=Link.CHAIN,
    roots={"public": "wss://stream.crypto.com/exchange/v1/market"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=str.upper,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 100 messages a second, of which the second in which a connection opens has its share only: so we send fewer.
    # Of new connections and of REST nothing is known here: those numbers, and the names in a request, are our own.
    limits=Limits(streams_per_connection=400, messages_per_second=10, streams_per_request=100,
                  connections_per_5_minutes=300, connection_lifetime_s=0, rest_weight_per_minute=600),
    max_frame_size=8 << 20,
    parser=lambda market: CryptocomParser(),
    source="https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html",
    checked="2026-11-22",                         # against collected docs and frames, not against the live venue
    forms="v1 of 2022 to 2026 (texts), served; v2 of 2021 and 2022 (bare numbers), not served any more.",
    evidence=(
        Evidence("book", "sheet example", "each update names the one before (pu): a missing one always shows"),
        Evidence("book (150)", "sheet example", "every frame is whole; a missing one does not show"),
        Evidence("book (v2)", "messages", "a number that rises: an old update shows, a missing one does not"),
        Evidence("quotes", "messages", "as the ticker, which it is read from"),
        Evidence("trades", "messages", "ids without order: a missing trade does not show"),
        Evidence("ticker", "messages", "no numbers: a missing ticker does not show"),
        Evidence("mark", "sheet example", "no numbers: a missing one does not show"),
        Evidence("open_interest", "messages", "as the ticker, which it is read from"),
    ),
    ping_interval_s=30,
    resync="resubscribe",
    rest_url="https://api.crypto.com",
    instruments_addresses=lists.ADDRESSES,
    read_address=instruments_at("/public/get-instruments"),
    read_instruments=lists.read,
)
