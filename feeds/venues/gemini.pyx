"""Gemini: spot and perpetual market data.

Wire forms, all JSON:

* the WebSocket API of 2026 (wss://ws.gemini.com), served today and the one that is subscribed to: depthUpdate with
  overlapping numbers, partial books, bookTicker, trade, markPrice. With `snapshot=-1` in the address the first
  depthUpdate of a subscription is the whole book; nothing marks it but that U equals u. A delta begins at the number
  the message before ended at (5,489 of 5,489 observed), or one behind it (taken as good, as one client does).
* market data v2 of 2021 to 2026 (archived by the venue, still served): l2_updates without numbers. The first of a
  symbol is the whole book and the only one with the keys `auction_events` and (mostly) `trades`, which repeats up to
  50 old trades: those are stepped over.

The aggressor: `m` true means that the buyer was the maker, so a seller crossed the spread; in v2 `side` is the taker's
(of 16 recorded buys all were at the ask), a `block` trade has none and is left out. Times: E is ns, in v2 ms.
Symbols are lower case in the served form, upper case in v2. The perpetuals' index price (`i` of markPrice) is wrong by
powers of ten and not read; their funding is told by an undocumented stream that rounds, and not read either.

Sources: developer.gemini.com (WebSocket 0.10.7, archived v2), probes of 2026-09, frames recorded in 2021-06.
"""

from functools import partial

from feeds.fields cimport Field, expect, expect_nothing, list_fields, list_form, take_field, take_object
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_MARK, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TRADE, SEEN_BOTH, SLOT_ASK_PRICE, SLOT_BID_PRICE, SLOT_BID_QTY,
                            SLOT_FIRST_SEQ, SLOT_LAST_SEQ, SLOT_MAKER_BOUGHT, SLOT_MARK, SLOT_PRICE, SLOT_QTY,
                            SLOT_SPARE, TAKE_ANY, WORD_ASK, WORD_BID)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, fill_sides, find_text, key_is, next_key, open_object, peek, read_text,
                         skip_object, skip_value, take, take_constant, word_is)
from feeds.sync cimport LINK_NONE, LINK_NOT_BELOW

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import gemini as lists
from feeds.venues.talk import gemini as talk

cdef int PARTIAL_LEVELS = talk.PARTIAL_LEVELS

cdef enum:
    # What a frame is.
    CONTROL = 0
    USELESS = 1
    DEPTH = 2
    PARTIAL = 3
    BEST = 4
    TRADE = 5
    MARK = 6
    OLD_BOOK = 7              # of v2
    OLD_TRADE = 8


cdef class GeminiParser(Parser):

    def __cinit__(self):
        self.route_mark = c':'
        self.route_marks = 1                      # {"e" or {"u" or {"E" or {"type"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        cdef int what = look(c)
        if what == DEPTH:
            # {"e":"depthUpdate","E":1789456742337187316,"s":"ethgusdperp","U":1764527605192323,"u":1764527605192686,
            #  "b":[["2482.5500","0.000"]],"a":[["2483.5000","0.000"],["2483.4500","1.047"]]}; whole where U is u
            expect(m, KIND_DELTA)
            m.needed |= bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ)
            take_object(c, UPDATE)
        elif what == PARTIAL:
            # {"lastUpdateId":1764527605192164,"symbol":"btcusd","bids":[["62145.38","0.1"]],"asks":[]}
            expect(m, KIND_SNAPSHOT)
            m.needed |= bit(SLOT_LAST_SEQ)
            m.depth = PARTIAL_LEVELS
            m.link = LINK_NOT_BELOW
            take_object(c, WHOLE)
        elif what == BEST:
            best(c, m)
        elif what == TRADE:
            # {"E":1783981140076872200,"s":"btcrlusd","t":2840141014190422,"p":"62145.38000","q":"0.0162522200",
            #  "m":true}
            m.kind = KIND_TRADE
            m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_MAKER_BOUGHT)
            take_object(c, TRADED)
        elif what == MARK:
            # {"e":"markPrice","E":1789456746446652397,"s":"btcgusdperp","p":"77303.727","i":"7725880.833"}
            m.kind = KIND_MARK
            m.needed = bit(SLOT_MARK)
            take_object(c, MARKED)
        elif what == OLD_BOOK:
            old_book(c, m)
        elif what == OLD_TRADE:
            old_trade(c, m)
        else:
            m.kind = KIND_IGNORED if what == USELESS else KIND_CONTROL
            skip_object(c)
        at_end(c)


cdef inline int look(Cursor* c) noexcept nogil:
    """What the frame is; the cursor stays. `e` and `type` tell at once, other frames by the keys they have."""
    cdef Cursor ahead = c[0]
    cdef Text key, name
    cdef int what = CONTROL
    cdef bint named = False, answer = False
    ahead.message = NULL
    open_object(&ahead)
    while next_key(&ahead, &key):
        if key_is(&key, c'e') and peek(&ahead) == c'"':
            read_text(&ahead, &name)
            return DEPTH if word_is(&name, b"depthUpdate") else MARK if word_is(&name, b"markPrice") else USELESS
        if word_is(&key, b"type") and peek(&ahead) == c'"':
            read_text(&ahead, &name)
            if word_is(&name, b"l2_updates"):
                return OLD_BOOK
            return OLD_TRADE if word_is(&name, b"trade") else CONTROL if word_is(&name, b"heartbeat") else USELESS
        if word_is(&key, b"lastUpdateId") or word_is(&key, b"bids"):
            what = PARTIAL
        elif key_is(&key, c't') and what != PARTIAL:
            what = TRADE
        elif key_is(&key, c'u') and what == CONTROL:
            what = BEST
        named |= key_is(&key, c's') or what == PARTIAL
        answer |= word_is(&key, b"id") or word_is(&key, b"result")
        skip_value(&ahead)
    return what if named and not answer else CONTROL


cdef inline void best(Cursor* c, Message* m) noexcept nogil:
    # {"u":1764549594389752,"E":1783981140076872200,"s":"xrpgusd","b":"1.0614900","B":"958.69148000","a":"1.0615000",
    #  "A":"38.39060000","c":"1.0612500","C":"4.71027100"}; an empty side is absent, c and C are the last trade
    expect(m, KIND_QUOTE)
    m.needed |= bit(SLOT_LAST_SEQ)
    take_object(c, QUOTE)
    if not m.seen & (bit(SLOT_BID_PRICE) | bit(SLOT_ASK_PRICE)):
        take_constant(c, SLOT_BID_PRICE, 0)
        take_constant(c, SLOT_BID_QTY, 0)
    fill_sides(c)


cdef inline void old_book(Cursor* c, Message* m) noexcept nogil:
    # {"type":"l2_updates","symbol":"ALCXUSD","changes":[["buy","302.75","0.00001"],["sell","310.1","1.5"]],
    #  "trades":[{"type":"trade",...}],"auction_events":[]} is the whole book, a delta ends behind changes
    cdef Text key
    m.kind = KIND_DELTA
    m.link = LINK_NONE
    m.needed = bit(SEEN_BOTH)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"auction_events") or word_is(&key, b"trades"):
            m.kind = KIND_SNAPSHOT
            take(c, TAKE_ANY, SLOT_SPARE, c.pos, c.pos, False)      # it will never look the same again
            skip_value(c)
        else:
            take_field(c, &key, OLD_UPDATE)


cdef inline void old_trade(Cursor* c, Message* m) noexcept nogil:
    # {"type":"trade","symbol":"ANKRUSD","event_id":45465818387,"timestamp":1624493670759,"price":"0.07946",
    #  "quantity":"1020.482111","side":"buy"}
    cdef Text side
    find_text(c, b"side", &side)
    if word_is(&side, b"block") or word_is(&side, b"auction"):
        expect_nothing(c, m, KIND_IGNORED)        # it did not happen in the book
    else:
        expect(m, KIND_TRADE)
        take_object(c, OLD_TRADED)


cdef Form* LEVEL = list_form(("price", "qty"))
cdef Form* CHANGE = list_form(("word", "price", "qty"), {"buy": WORD_BID, "sell": WORD_ASK})

cdef dict HEAD = {"e": "text", "E": "event_time", "s": "symbol"}
cdef dict OLD_HEAD = {"type": "text", "symbol": "symbol"}

cdef Field* UPDATE = list_fields({**HEAD, "U": "first_seq", "u": "last_seq", "b": "bids", "a": "asks"}, LEVEL)
cdef Field* WHOLE = list_fields({"lastUpdateId": "last_seq", "symbol": "symbol", "bids": "bids", "asks": "asks"}, LEVEL)
cdef Field* QUOTE = list_fields({**HEAD, "u": "last_seq", "b": "bid_price", "B": "bid_qty", "a": "ask_price",
                                 "A": "ask_qty"})
cdef Field* TRADED = list_fields({**HEAD, "t": "int trade_id", "p": "price", "q": "qty", "m": "maker_bought"})
cdef Field* MARKED = list_fields({**HEAD, "p": "mark"})
cdef Field* OLD_UPDATE = list_fields({**OLD_HEAD, "changes": "levels"}, CHANGE)
cdef Field* OLD_TRADED = list_fields({**OLD_HEAD, "event_id": "int trade_id", "timestamp": "time", "price": "price",
                                      "quantity": "qty", "side": "side"})


SPEC = VenueSpec(
    name="gemini",
    link=Link.OVERLAP_OR_WHOLE,
    roots={"public": "wss://ws.gemini.com"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=str.lower,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    connect_path=lambda names: "/?snapshot=-1",   # without it there would be changes only, of nothing
    # 300 connections in 5 minutes and 7,000 units of weight in 10 s, as `conninfo` says; what a request weighs it does
    # not. The other numbers are not published.
    limits=Limits(streams_per_connection=0, messages_per_second=20, streams_per_request=50,
                  connections_per_5_minutes=300, connection_lifetime_s=0, rest_weight_per_minute=120),
    max_frame_size=64 << 20,
    ping_interval_s=20,
    parser=lambda market: GeminiParser(),
    rest_url="https://api.gemini.com",
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
    next_page=lists.next_page,
    source="https://developer.gemini.com/websocket/streams",
    checked="2026-09-15",
    forms="WebSocket API of 2026: served today, subscribed to. Market data v2 of 2021 to 2026: archived, still served.",
    evidence=(
        Evidence("book", "messages", "U and u show a message that is missing (U > last u + 1), old and repeated ones"),
        Evidence("book (v2)", "capture", "nothing: v2 has no numbers"),
        Evidence("book, depth=5, 10 or 20", "sheet example", "lastUpdateId never falls; each message is whole"),
        Evidence("quotes", "messages", "nothing; both sides may be absent"),
        Evidence("trades", "messages", "nothing; v2: capture"),
        Evidence("mark", "sheet example", "nothing"),
    ),
)
