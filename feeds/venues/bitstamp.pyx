"""Bitstamp: spot and perpetual market data (WebSocket v2).

Wire form: JSON of 2019 to 2026, served today; the order of keys varies over channels and years, white space may stand
anywhere, and `data` mostly comes before `channel`, which alone tells what it was: so one pass takes what each key can
be, and the channel decides at the end. The book is a REST snapshot and the differences of diff_order_book_; they have
no sequence number but a microtimestamp that rises: an older or equal one is old, a lost one cannot be seen (the venue
itself advises a new snapshot now and then). order_book_ is the first 100 levels a side, whole in each frame; it sends
nothing before the first change. A best bid at or above the best ask may appear for one message, by design.

The aggressor: `type` of a trade is the taker's side, 0 buy, 1 sell (of 10 recorded trades 9 of type 1 were at the bid,
1 of type 0 at the ask). Numbers are taken from amount_str and price_str; the bare ones have binary noise. Times:
microtimestamp is us; `timestamp` is s (on trades of perpetuals ms) and only counts where there is no other.

Sources: www.bitstamp.net/websocket/v2 and /api, probes of 2026-09, frames recorded in 2022-01 and 2026-08.
"""

from functools import partial

from orderbook.types cimport BAD_VALUE
from feeds.fields cimport (Channel, Field, add_channel, expect, expect_channel, find_channel, list_fields, list_form,
                           take_field)
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_MARK, KIND_SNAPSHOT,
                            KIND_TRADE, RESYNC_RESUBSCRIBE, SEEN_ASKS, SEEN_BIDS, SLOT_AGGRESSOR, SLOT_LAST_SEQ,
                            SLOT_MARK)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, begins, cut, fail, next_key, open_object, peek, read_text, skip_value,
                         take_any, take_constant, take_name, word_is)
from feeds.sync cimport LINK_NOT_BELOW

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import bitstamp as lists
from feeds.venues.talk import bitstamp as talk

cdef int PARTIAL_LEVELS = talk.PARTIAL_LEVELS

cdef class BitstampParser(Parser):

    def __cinit__(self):
        self.route_marks = 4                      # {"data":{"timestamp or {"data":{"id

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"data":{...},"channel":"diff_order_book_bateur","event":"data"}
        cdef Text key, text, name, symbol, event
        name.size = event.size = 0
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"data") and peek(c) == c'{':
                contents(c)
            elif word_is(&key, b"channel") and peek(c) == c'"':
                read_text(c, &text)
                if cut(&text, c'_', &name, &symbol, True):      # not that of announcements, nor the "" of an answer
                    take_name(c, &symbol)
            elif word_is(&key, b"event") and peek(c) == c'"':
                read_text(c, &event)
            else:
                take_any(c)
        at_end(c)
        decide(m, find_channel(KNOWN, &name), &event)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # {"timestamp":"1654243213","microtimestamp":"1654243213142992","bids":[["30415.13","0.37816633"]],"asks":[]}
        # Answers of before 2019 had no microtimestamp: nothing could be joined to them.
        expect(m, KIND_SNAPSHOT)
        m.needed |= bit(SLOT_LAST_SEQ)
        contents(c)
        at_end(c)


cdef inline void contents(Cursor* c) noexcept nogil:
    """All that `data` can hold.

    {"timestamp":"1641343691","microtimestamp":"1641343691244908","bids":[["1.15979","993.02588113"]],"asks":[]}
    {"id":216000477,"timestamp":"1641343699","amount":0.0792,"amount_str":"0.07920000","price":3805.44,
     "price_str":"3805.44","type":0,"microtimestamp":"1641343699596000","buy_order_id":1443875737346049,
     "sell_order_id":1443875731320832}
    {"market":"btcusd-perp","mark_price":"77186.81199586","index_price":"77177.99454545454","funding_rate":"0.000123",
     "timestamp":"1789457618","next_funding_time":"1789459200"}
    """
    cdef Text key
    cdef const char* first
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"type"):
            peek(c)
            first = c.pos
            skip_value(c)
            if c.pos - first != 1 or (first[0] != c'0' and first[0] != c'1'):
                fail(c, BAD_VALUE, b"a trade of type 0 or 1")
                return
            take_constant(c, SLOT_AGGRESSOR, 1 if first[0] == c'0' else -1)
        else:
            take_field(c, &key, CONTENTS)


cdef inline void decide(Message* m, const Channel* channel, const Text* event) noexcept nogil:
    """What the frame was."""
    if event.size == 0 or begins(event, b"bts:"):
        m.kind = KIND_CONTROL
    elif channel == NULL:
        m.kind = KIND_IGNORED                     # single orders (live_orders_, detail_order_book_), announcements
    else:
        expect_channel(m, channel)
        if m.kind == KIND_SNAPSHOT:
            m.link = LINK_NOT_BELOW
            m.resync = RESYNC_RESUBSCRIBE


cdef Form* LEVEL = list_form(("price", "qty"))

cdef Field* CONTENTS = list_fields({"bids": "bids", "asks": "asks", "microtimestamp": ("last_seq", "time"),
                                    "timestamp": "event_time", "id": "int trade_id", "price_str": "price",
                                    "amount_str": "qty", "mark_price": "mark", "index_price": "index",
                                    "funding_rate": "funding", "next_funding_time": "next_funding"}, LEVEL)

cdef Channel* KNOWN = NULL                             # by what stands before the symbol
add_channel(&KNOWN, b"diff_order_book", KIND_DELTA, CONTENTS, bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS))
add_channel(&KNOWN, b"order_book", KIND_SNAPSHOT, CONTENTS, bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS),
            PARTIAL_LEVELS)
add_channel(&KNOWN, b"live_trades", KIND_TRADE, CONTENTS)
add_channel(&KNOWN, b"funding_rate", KIND_MARK, CONTENTS, bit(SLOT_MARK))


SPEC = VenueSpec(
    name="bitstamp",
    link=Link.RISES,
    roots={"public": "wss://ws.bitstamp.net"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 1,024 channels and 90 days a connection; by REST 400 requests a second and 10,000 in 10 minutes. The rates of
    # messages and connections are not published.
    limits=Limits(streams_per_connection=1024, messages_per_second=50, streams_per_request=1,
                  connections_per_5_minutes=300, connection_lifetime_s=90 * 24 * 3600, rest_weight_per_minute=1000,
                  request_bytes=512),
    max_frame_size=16 << 20,
    parser=lambda market: BitstampParser(),
    ping='{"event":"bts:heartbeat"}',
    ping_interval_s=25,
    resync="rest",
    rest_url="https://www.bitstamp.net",
    snapshot_address=talk.snapshot_address,
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
    source="https://www.bitstamp.net/websocket/v2/",
    checked="2026-09-15",
    forms="WebSocket v2, JSON of 2019 to 2026, with and without white space; served today.",
    evidence=(
        Evidence("book", "capture", "messages that are old or out of order; a lost one cannot be seen"),
        Evidence("book, depth=100", "messages", "old messages; each is whole"),
        Evidence("trades", "capture", "nothing"),
        Evidence("mark", "sheet example", "nothing"),
    ),
)
