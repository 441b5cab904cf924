"""dYdX: v4 (the indexer of the dYdX chain), and the frames of v3.

Wire forms: JSON. v4_orderbook, v4_trades and v4_markets, single or batched, are served today (docs of 2026-04, clients
of 2026-08; no recording of 2026 was at hand). The v3_ channels ended in 2024 with the StarkEx venue; they are read
because a recording of 2021 is the longest there is.

The aggressor: a trade's `side` is the taker's (26 of 26 trades of the recording lie on that side of the book). Times
are RFC 3339 text; frames of the book have none. Sizes are in base units. There is no central book: the indexer merges
what validators see, so best bid >= best ask is legitimate for moments, and nothing is repaired here. (The venue's
advice to those who show it: remove the older of two levels that cross.)
https://docs.dydx.xyz/indexer-client/websockets, as of 2026-04; where the docs are silent, the indexer's source at
https://github.com/dydxprotocol/v4-chain/tree/main/indexer/services/socks.
"""

from functools import partial

from orderbook.types cimport MISSING_KEY, OK
from feeds.fields cimport (Channel, Field, add_channel, expect, find_channel, list_fields, list_form, take_field,
                           take_object)
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION, KIND_SNAPSHOT,
                            KIND_TICKER, KIND_TRADE, SLOT_LAST_SEQ, SLOT_PARTIAL)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, fail, find_text, next_item, next_key, open_array, open_object, peek,
                         read_text, skip_value, take_constant, take_name, take_symbol, word_is)
from feeds.sync cimport LINK_OFFSETS

from feeds.venue import Count, Evidence, Limits, Link, VenueSpec, instruments_at
from feeds.venues.lists import dydx as lists
from feeds.venues.talk import dydx as talk


cdef class DydxParser(Parser):
    """A frame has its channel and market outside, its contents inside; batched contents are an array of such objects.

    What is kept here belongs to the frame at work: the contents of one can be several messages.
    """

    cdef Text symbol          # of the frame; of the channel of markets, the one at which the cursor stands
    cdef const Channel* channel   # KIND_DELTA: a book, KIND_TRADE, KIND_TICKER: markets
    cdef bint old             # of v3
    cdef bint whole           # the answer to a subscription, with all there is
    cdef bint batched         # the cursor is in an array of contents,
    cdef bint opened          # in one object of contents,
    cdef bint inside          # in its trades or markets
    cdef bint forced          # the trade at which the cursor stands was a liquidation, and is told as one next

    def __cinit__(self):
        self.route_marks = 4                      # {"type":"channel_data"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"type":"channel_data","connection_id":"00908030-…","message_id":10290,"id":"EOS-USD",
        #  "channel":"v4_orderbook","version":"1.0.0","contents":{...}}
        # {"type":"subscribed","connection_id":"…","message_id":1,"channel":"v4_orderbook","id":"BTC-USD","contents":{...}}
        cdef const char* contents = NULL
        cdef Text key, kind, name
        kind.size = name.size = self.symbol.size = 0
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"type"):
                read_text(c, &kind)
            elif word_is(&key, b"channel"):
                read_text(c, &name)
            elif word_is(&key, b"id") and peek(c) == c'"':
                take_symbol(c)
                self.symbol.data, self.symbol.size = m.symbol, m.symbol_size
            elif word_is(&key, b"contents"):
                peek(c)
                contents = c.pos
                skip_value(c)
            else:
                take_field(c, &key, OUTSIDE)
        if not at_end(c):                         # from here on the grammar of the whole frame is known to be right
            return
        self.channel = find_channel(CONTENTS, &name)
        self.old = name.size > 1 and name.data[1] == c'3'
        self.whole = word_is(&kind, b"subscribed")
        self.batched = word_is(&kind, b"channel_batch_data")
        self.opened = self.inside = self.forced = False
        if not self.whole and not self.batched and not word_is(&kind, b"channel_data"):
            m.kind = KIND_CONTROL                 # connected, unsubscribed, pong, error
        elif self.channel == NULL:
            m.kind = KIND_CONTROL if self.whole else KIND_IGNORED     # candles, accounts, block height
        elif self.whole and self.channel.kind == KIND_TRADE:
            m.kind = KIND_CONTROL                 # an answer; trades that happened before it are history
        elif contents == NULL:
            fail(c, MISSING_KEY, b"contents")
        else:
            c.pos = contents
            self.begin(c, m)

    cdef void begin(self, Cursor* c, Message* m) noexcept nogil:
        """The first message of the contents."""
        if self.batched:
            open_array(c)
        elif self.channel.kind == KIND_DELTA:
            self.book(c, m)
            return
        else:
            open_object(c)
            self.opened = not (self.old and self.channel.kind == KIND_TICKER and not self.whole)
            self.inside = not self.opened         # v3 names the markets without a key around them
        m.kind = KIND_CONTROL if self.whole else KIND_IGNORED
        if not self.seek(c):
            return
        if self.whole:
            m.more = c.pos                        # the answer to a subscription, and after it what it tells
        else:
            self.parse_more(c, m)

    cdef bint seek(self, Cursor* c) noexcept nogil:
        """Stand before the next part of the contents that is a message; False at their end."""
        cdef Text key
        cdef int kind = self.channel.kind
        while c.status == OK:
            if self.inside:
                if next_key(c, &self.symbol) if kind == KIND_TICKER else next_item(c):
                    peek(c)
                    return True
                self.inside = False
            elif self.opened:
                if not next_key(c, &key):
                    self.opened = False
                elif kind == KIND_TRADE and word_is(&key, b"trades"):
                    self.inside = open_array(c)
                elif kind == KIND_TICKER and (word_is(&key, b"trading") or word_is(&key, b"oraclePrices")
                                              or word_is(&key, b"markets")):
                    self.inside = open_object(c)
                else:
                    skip_value(c)
            elif not self.batched or not next_item(c):
                return False
            elif kind == KIND_DELTA:
                return True
            else:
                self.opened = open_object(c)
        return False

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        """The message at which the cursor stands, and where the next one begins."""
        cdef const char* first = c.pos
        m.symbol, m.symbol_size = self.symbol.data, self.symbol.size
        if self.channel.kind == KIND_DELTA:
            self.book(c, m)
        elif self.channel.kind == KIND_TRADE:
            self.trade(c, m)
        else:
            self.market_data(c, m)
        if self.forced:
            m.more = first
        elif self.seek(c):
            m.more = c.pos

    cdef void book(self, Cursor* c, Message* m) noexcept nogil:
        # changes: {"bids":[["0.1003","2017130"]]}, either side or both; v3 {"offset":"2060907065","bids":[],"asks":[]}
        # whole: {"bids":[{"price":"43921","size":"0.01"}],"asks":[{"price":"43922","size":"0.2"}]}, v3 with offsets in
        # the levels; a level of size 0 is none
        if self.old:
            m.link = LINK_OFFSETS
        if self.whole:
            expect(m, KIND_SNAPSHOT)
            take_object(c, OLD_BOOK if self.old else WHOLE_BOOK)
        else:
            m.kind = KIND_DELTA
            m.needed = self.channel.needed
            take_object(c, self.channel.fields)

    cdef void trade(self, Cursor* c, Message* m) noexcept nogil:
        # {"id":"0165e6170000000200000002","size":"0.0001","price":"60392","side":"BUY",
        #  "createdAt":"2024-08-23T00:00:57.627Z","type":"LIMIT","createdAtHeight":"23455255"}
        # The id is 24 hexadecimal digits, more than int64 holds: it is left out. v3 has neither id nor type.
        cdef Text kind
        expect(m, KIND_LIQUIDATION if self.forced else KIND_TRADE)
        # The forced order is the taker: its side is the trade's. LIMIT, DELEVERAGED, ...: a trade only.
        self.forced = not self.forced and find_text(c, b"type", &kind) and word_is(&kind, b"LIQUIDATED")
        take_object(c, self.channel.fields)

    cdef void market_data(self, Cursor* c, Message* m) noexcept nogil:
        # "ETH-USD":{"id":"1","openInterest":"15398.406"}: only what has changed
        # "BTC-USD":{"oraclePrice":"60391.9","effectiveAt":"2024-08-23T00:00:57.627Z","effectiveAtHeight":"23455255",
        #            "marketId":0}: this price is the index, and positions are marked at it
        m.kind = KIND_TICKER
        take_name(c, &self.symbol)
        take_constant(c, SLOT_PARTIAL, 1)
        take_object(c, self.channel.fields)


cdef Form* PAIR = list_form(("price", "qty"))
cdef Form* LEVEL = list_form({"price": "price", "size": "qty"})
cdef Form* OLD_LEVEL = list_form({"price": "price", "size": "qty", "offset": "seq?"})

cdef dict SIDES = {"bids": "bids", "asks": "asks"}

cdef Field* OUTSIDE = list_fields({"message_id": "line_seq"})
cdef Field* CHANGES = list_fields(SIDES, PAIR)
cdef Field* OLD_CHANGES = list_fields({"offset": "last_seq", **SIDES}, PAIR)
cdef Field* WHOLE_BOOK = list_fields(SIDES, LEVEL)
cdef Field* OLD_BOOK = list_fields(SIDES, OLD_LEVEL)
cdef Field* TRADE = list_fields({"price": "price", "size": "qty", "side": "side", "createdAt": "time", "type": "text"})
cdef dict DAY = {"oraclePrice": "mark", "indexPrice": "index", "nextFundingRate": "funding",
                 "nextFundingAt": "next_funding", "openInterest": "open_interest", "priceChange24H": "change",
                 "volume24H": "quote_volume", "trades24H": "count", "effectiveAt": "time"}
cdef Field* MARKET = list_fields({**DAY, "oraclePrice": ("mark", "index")})
cdef Field* OLD_MARKET = list_fields(DAY)

cdef Channel* CONTENTS = NULL
add_channel(&CONTENTS, b"v4_orderbook", KIND_DELTA, CHANGES)
add_channel(&CONTENTS, b"v3_orderbook", KIND_DELTA, OLD_CHANGES, bit(SLOT_LAST_SEQ))
add_channel(&CONTENTS, b"v4_trades", KIND_TRADE, TRADE)
add_channel(&CONTENTS, b"v3_trades", KIND_TRADE, TRADE)
add_channel(&CONTENTS, b"v4_markets", KIND_TICKER, MARKET)
add_channel(&CONTENTS, b"v3_markets", KIND_TICKER, OLD_MARKET)


SPEC = VenueSpec(
    name="dydx",
    link=Link.NONE,
    count=Count.EACH_ONCE,        # answers come late: they have the number at which the request was received
    roots={"public": "wss://indexer.dydx.trade/v4/ws"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=str.upper,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 32 subscriptions of each channel on one connection. The same channel and market may be asked for twice a second.
    limits=Limits(streams_per_connection=32, messages_per_second=0, streams_per_request=1,
                  connections_per_5_minutes=0, connection_lifetime_s=0, rest_weight_per_minute=0),
    ping_interval_s=30,
    max_frame_size=32 << 20,
    parser=lambda market: DydxParser(),
    # The book by REST (/v4/orderbooks/perpetualMarket/BTC-USD) has no number and may be older than the stream: no use.
    read_address=instruments_at("/perpetualMarkets", "/v3/markets"),
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
    own_names=("pair",),
    source="https://docs.dydx.xyz/indexer-client/websockets",
    checked="2026-11-22",
    forms="JSON of v4, single and batched (served today), and of v3 with offsets (2021; ended in 2024).",
    evidence=(
        Evidence("book", "messages", "message_id shows a lost frame of the connection, late, as answers come out of "
                 "order; nothing shows which market it was of"),
        Evidence("book (v3)", "capture", "each level's offset shows changes that come too late; a lost frame as above"),
        Evidence("trades", "messages", "as book; ids are hexadecimal and not in order"),
        Evidence("liquidations", "messages", "as trades"),
        Evidence("ticker", "messages", "as book"),
        Evidence("mark", "messages", "as book"),
        Evidence("open_interest", "messages", "as book"),
    ),
)
