"""Kraken spot: WebSocket v2 (objects), and the frozen v1 (arrays), which is still served.

Wire forms: v2 of 2023 to 2026 and v1 of 2018 to 2026; a feed subscribes to v2, recordings of both are read. Prices and
quantities of v2 are bare numbers whose trailing zeros belong to the checksum. The checksum (CRC-32 over the digits of
the best ten asks, then bids) is the only way to see a loss: there are no sequence numbers. No removal is sent for a
level that falls out of the subscribed depth, so a book is cut to that depth after every update: v2 states it in the
answer to the subscription, v1 in the channel's name. The side of a trade is the taker's. Times are RFC 3339 (v2) and
seconds with a fraction (v1). Sources: docs.kraken.com/api/docs/websocket-v2 and /websocket-v1, as of 2026-10;
v1's "r" of a republished level changes nothing here (from the documentation; none was recorded).
"""

from functools import partial

from libc.string cimport memcpy, memset
from orderbook.types cimport BAD_VALUE
from feeds.fields cimport Field, Note, expect, list_fields, list_form, notes_add, take_object
from feeds.message cimport (Form, Message, bit, CHECKSUM_DIGITS, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_NONE,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, MAX_NAME, SLOT_CHECKSUM, SLOT_QUOTE_TOO)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, begins, fail, find_count, find_text, find_value, first_item, go_to,
                         next_key, note_more, open_object, peek, skip_object, skip_value, take_constant, text_is,
                         word_is)

from feeds.venue import Evidence, Limits, Link, VenueSpec, instruments_at
from feeds.venues.lists import kraken as lists
from feeds.venues.talk import kraken as talk

cdef enum:
    DEFAULT_DEPTH = 10        # where no answer to a subscription was seen


cdef class KrakenParser(Parser):
    """Messages of both versions; notes the depth of each book that was subscribed with another than the default."""

    cdef int kind             # of the elements of the frame at work

    def __cinit__(self):
        self.route_marks = 14                     # {"channel":"book","type":"update","data":[{"symbol":"BTC/USD
        self.array_marks = 1                      # [992,{ or [993,[[

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        if peek(c) == c'[':
            array_frame(c, m)
        else:
            object_frame(self, c, m)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        if peek(c) == c'[':
            trade_v1(c, m)
        else:
            element(self, c, m)


# ---- version 2

cdef inline void object_frame(KrakenParser self, Cursor* c, Message* m) noexcept nogil:
    # {"channel":"book","type":"update","data":[{...}]}, {"channel":"heartbeat"}, {"method":"subscribe","result":{...}};
    # v1: {"event":"heartbeat"}
    cdef Text key, channel, kind
    cdef const char* end
    if not find_text(c, b"channel", &channel) or word_is(&channel, b"status"):
        m.kind = KIND_CONTROL
        answer(self, c, m)
        return
    find_text(c, b"type", &kind)
    m.kind = self.kind = kind_of(&channel, &kind)
    if m.kind == KIND_NONE:
        fail(c, BAD_VALUE, b"a snapshot or an update")
    open_object(c)
    while next_key(c, &key):
        if m.kind == KIND_IGNORED or not word_is(&key, b"data"):
            skip_value(c)
            continue
        end = first_item(c)
        if end == NULL:
            m.kind = KIND_IGNORED
        else:
            element(self, c, m)
            go_to(c, end)
    at_end(c)


cdef inline int kind_of(const Text* channel, const Text* kind) noexcept nogil:
    """What the elements of a frame of this channel and type are; KIND_NONE if the type is unknown."""
    if word_is(channel, b"book"):
        if word_is(kind, b"update"):
            return KIND_DELTA
        return KIND_SNAPSHOT if word_is(kind, b"snapshot") else KIND_NONE
    if word_is(channel, b"trade"):
        # The snapshot is the last 50 trades: history, which every subscription repeats.
        return KIND_TRADE if word_is(kind, b"update") else KIND_IGNORED
    return KIND_TICKER if word_is(channel, b"ticker") else KIND_IGNORED


cdef inline void element(KrakenParser self, Cursor* c, Message* m) noexcept nogil:
    """One element of `data`, and where the next one begins."""
    expect(m, self.kind)
    if m.kind == KIND_TRADE:
        # {"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.00027625,"ord_type":"limit","trade_id":10218208,
        #  "timestamp":"2023-10-06T17:35:55.440295Z"}
        take_object(c, TRADE)
    elif m.kind == KIND_TICKER:
        # {"symbol":"BTC/USD","bid":105944.20,"bid_qty":2.5,"ask":105944.30,"ask_qty":3.2,"last":105899.40, ...}: with
        # every trade, or (event_trigger bbo) whenever the best bid or offer changes
        take_object(c, TICKER)
        take_constant(c, SLOT_QUOTE_TOO, 1)
    else:
        # {"symbol":"BTC/USD","bids":[{"price":105944.20,"qty":0.250}],"asks":[],"checksum":2114181697,
        #  "timestamp":"2023-10-06T17:35:55.440295Z"}; snapshots had no timestamp in 2025-05, they have one in 2026-08
        m.needed |= bit(SLOT_CHECKSUM)
        m.checksum = CHECKSUM_DIGITS
        take_object(c, BOOK)
        if m.kind == KIND_DELTA:
            m.cut = depth_of(self, m.symbol, m.symbol_size)
    note_more(c, m)


cdef inline void answer(KrakenParser self, Cursor* c, Message* m) noexcept nogil:
    # {"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"},"success":true,
    #  "time_in":"2026-08-24T22:21:56.724795Z","time_out":"2026-08-24T22:21:56.724853Z"}: the only place of the depth
    cdef Cursor result
    cdef Text method, channel, symbol
    cdef int depth = 0
    if (find_text(c, b"method", &method) and word_is(&method, b"subscribe") and find_value(c, b"result", &result)
            and find_text(&result, b"channel", &channel) and word_is(&channel, b"book")):
        find_text(&result, b"symbol", &symbol)
        depth = <int> min(find_count(&result, b"depth"), 100000)
    if skip_object(c) and at_end(c) and depth:
        m.relearn = remember_depth(self, c, &symbol, depth)


cdef inline Note* find_depth(KrakenParser self, const char* symbol, Py_ssize_t size) noexcept nogil:
    """What is known of a symbol's book, NULL if it has the default."""
    cdef Text name
    cdef int i
    name.data = symbol
    name.size = size
    for i in range(self.notes.count):
        if text_is(&name, self.notes.note[i].name, self.notes.note[i].size):
            return &self.notes.note[i]
    return NULL


cdef inline int depth_of(KrakenParser self, const char* symbol, Py_ssize_t size) noexcept nogil:
    """Levels a side that are subscribed of a symbol."""
    cdef const Note* known = find_depth(self, symbol, size)
    return DEFAULT_DEPTH if known == NULL else known.depth


cdef inline bint remember_depth(KrakenParser self, Cursor* c, const Text* symbol, int depth) noexcept nogil:
    """Note the depth of a symbol's book; whether it was another one before."""
    cdef Note* known = find_depth(self, symbol.data, symbol.size)
    cdef Note new
    if depth == depth_of(self, symbol.data, symbol.size) or not 0 < symbol.size <= MAX_NAME:
        return False
    if known != NULL:
        known.depth = depth
        return True
    memset(&new, 0, sizeof(Note))
    memcpy(new.name, symbol.data, symbol.size)
    new.size = symbol.size
    new.depth = depth
    return notes_add(c, &self.notes, &new)


# What the keys mean, see list_fields. A key that is not listed is stepped over.
cdef Form* LEVEL = list_form({"price": "price", "qty": "qty"})

cdef dict HEAD = {"symbol": "fixed symbol", "timestamp": "time"}

cdef Field* BOOK = list_fields({**HEAD, "bids": "bids", "asks": "asks", "checksum": "checksum"}, LEVEL)
cdef Field* TRADE = list_fields({**HEAD, "price": "price", "qty": "qty", "side": "side", "trade_id": "int trade_id"})
cdef Field* TICKER = list_fields({**HEAD, "bid": "bid_price", "bid_qty": "bid_qty", "ask": "ask_price",
                                  "ask_qty": "ask_qty", "last": "last", "volume": "volume", "vwap": "vwap",
                                  "low": "low", "high": "high", "change": "change", "change_pct": "change_pct"})

include "kraken_v1.pxi"


SPEC = VenueSpec(
    name="kraken",
    link=Link.NONE,
    roots={"public": "wss://ws.kraken.com/v2"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # About 150 connections in ten minutes from one address, then a ban of ten minutes (Cloudflare). No other limit is
    # stated for public channels; 200 names keep a request small.
    limits=Limits(streams_per_connection=0, messages_per_second=0, streams_per_request=200,
                  connections_per_5_minutes=75, connection_lifetime_s=0, rest_weight_per_minute=60,
                  rest_per_second=1),
    max_frame_size=8 << 20,
    parser=lambda market: KrakenParser(),
    source="https://docs.kraken.com/api/docs/websocket-v2/book",
    checked="2026-10-01",
    forms="v2 (objects) of 2023 to 2026, served; v1 (arrays) of 2018 to 2026, frozen but served. level3 is not parsed.",
    evidence=(
        Evidence("book", "capture", "CRC-32 of the best ten levels in every frame: shows any loss or error there, and "
                                    "one below them only when it comes up"),
        Evidence("book (v1)", "capture", "the same, in every update"),
        Evidence("quotes", "sheet example", "nothing: each stands alone"),
        Evidence("trades", "sheet example", "trade_id rises for each pair; it is not judged"),
        Evidence("ticker", "sheet example", "nothing: each stands alone"),
        Evidence("trades (v1)", "capture", "nothing: they have no number"),
        Evidence("ticker (v1)", "capture", "nothing: each stands alone"),
        Evidence("quotes (v1)", "messages", "nothing: each stands alone"),
    ),
    # The server sends a heartbeat every second; a connection on which nothing flows is closed after about a minute.
    ping='{"method":"ping","req_id":101}',
    ping_interval_s=30.0,
    rest_url="https://api.kraken.com",
    read_address=instruments_at("/0/public/AssetPairs"),
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
)
