"""Gate.io, API v4: spot and futures (perpetual contracts settled in USDT, BTC and USD1).

Wire forms: JSON of 2021 to 2026. Books: `obu` ("order book V2" of 2025: whole book and changes in the stream; what a
feed subscribes to) and `order_book_update` (changes, joined to a REST answer that has an id). Both are served today.
The venue keeps the window of both: what leaves it comes as a removal, so nothing is cut here (of order_book_update in
the recordings: each of the 11 sides that began with the 100 levels of the stream had 100 after every message). A REST
answer is asked for no more levels than the stream has; those beyond would never be removed. `order_book` is read where
it is a whole book (kept apart, as a book of depth 100); its one-level updates of 2020 do not say on which side a level
was removed and are left out. Delivery contracts have a socket of their own, which no stream uses; its frames are read
as those of other futures.

The aggressor is `side` on spot, the sign of `size` on futures (negative: a seller). The sign of a liquidation is read
in the same way, as the side of the forced order; the REST documentation calls that number the position's size, so it
may be the other way round (no frame was recorded, 2026-11-22). Quantities are base coin on spot, contracts on futures;
without the connect header X-Gate-Size-Decimal, which is not sent, Gate rounds fractions of a contract down in all
channels but `obu`. Times: ms, s where nothing else is told, ms with a fraction as text in spot trades.

Sources: Gate API v4 documents and the announcement of order book V2 (2025-05-30); recordings of 2021-04-22 (spot) and
2023-05-24 (futures); tardis-node (2025-08); checked 2026-10-15.
"""

from functools import partial

from orderbook.types cimport BAD_VALUE
from feeds.fields cimport (Channel, Field, add_channel, expect, expect_channel, expect_nothing, find_channel,
                           list_fields, list_form, take_field, take_object)
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, RESYNC_REST, SLOT_AGGRESSOR, SLOT_EVENT_TIME,
                            SLOT_FIRST_SEQ, SLOT_LAST_SEQ, SLOT_QTY, SLOT_TIME)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, begins, cut, fail, find_text, first_item, go_to, key_is, next_key,
                         note_more, open_object, peek, read_text, skip_value, take_any, take_name, take_signed,
                         take_time, word_is)
from feeds.sync cimport LINK_NONE, LINK_RANGE

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import gateio as lists
from feeds.venues.talk import gateio as talk

cdef enum:
    FUTURES = 1               # index into SPEC.markets
    PARTIAL = 100             # depth of the book that `order_book` fills: its frames do not tell theirs


cdef class GateioParser(Parser):
    """Messages of both markets; the channel's name tells which."""

    cdef const Channel* channel   # of the frame at work

    def __cinit__(self):
        self.route_marks = 2                      # {"time, then a number: nothing that names a stream stays the same

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"time":1684930165,"time_ms":1684930165557,"channel":"futures.tickers","event":"update","result":[{...}]}
        # The event may be missing, and it may follow the result (spot.obu, 2025-08).
        cdef Text key, name, event
        cdef bint found = False, failed = False
        event.size = 0
        if not find_text(c, b"channel", &name):
            expect_nothing(c, m, KIND_CONTROL)
            at_end(c)
            return
        self.channel = find_channel(KNOWN, &name)
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"result") and peek(c) != c'n':
                found = True
                result(self, c, m)
            elif word_is(&key, b"event") and peek(c) == c'"':
                read_text(c, &event)
            elif word_is(&key, b"error"):
                failed |= peek(c) != c'n'
                skip_value(c)
            elif word_is(&key, b"time"):
                take_coarse(c, m, SLOT_EVENT_TIME)
            else:
                take_field(c, &key, OUTSIDE)
        at_end(c)
        if failed or not found or not (event.size == 0 or word_is(&event, b"update") or word_is(&event, b"all")):
            m.kind = KIND_CONTROL                 # an answer, an error, a pong
            m.more = NULL

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        element(self, c, m)
        note_more(c, m)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # {"id":2691446,"asks":[["0.00010396","5876.967"]],"bids":[["0.00010322","5360.209"]]}; futures:
        # {"id":203083179,"current":1684930166.384,"update":1684930166.35,"asks":[{"s":803,"p":"0.2974"}],"bids":[]}
        expect(m, KIND_SNAPSHOT)
        m.needed |= bit(SLOT_LAST_SEQ)
        m.resync = RESYNC_REST
        take_object(c, FUTURES_BOOK if m.market == FUTURES else BOOK)
        at_end(c)


cdef inline bint take_coarse(Cursor* c, const Message* m, int slot) noexcept nogil:
    """Take a time in s; if the finer one was there before, it stays."""
    return take_any(c) if m.seen & bit(slot) else take_time(c, slot)


cdef inline void result(GateioParser self, Cursor* c, Message* m) noexcept nogil:
    """What the channel brings; an answer to a request is told by its event, later."""
    cdef const char* past
    if self.channel == NULL or self.channel.kind == KIND_CONTROL:               # candles and the like; a notice
        expect_nothing(c, m, KIND_IGNORED if self.channel == NULL else KIND_CONTROL)
    elif peek(c) != c'[':
        element(self, c, m)
    elif self.channel.kind == KIND_SNAPSHOT:
        # [{"p":"223.75","s":0,"c":"BCH_USDT","id":242529118}]: one-level updates of order_book: a removed bid, or ask?
        expect_nothing(c, m, KIND_IGNORED)
    else:
        past = first_item(c)
        if past != NULL and peek(c) == c'[':      # seen in tickers of 2021: an array in an array
            first_item(c)
        if past == NULL or peek(c) != c'{':
            m.kind = KIND_IGNORED
        else:
            element(self, c, m)
            note_more(c, m)
        go_to(c, past)


cdef inline void element(GateioParser self, Cursor* c, Message* m) noexcept nogil:
    """One message of the channel; samples stand at the lists of their keys."""
    cdef const Field* fields = self.channel.fields
    cdef Text key
    expect_channel(m, self.channel)
    if fields == OBU:
        m.link = LINK_RANGE
    elif m.kind == KIND_DELTA:
        m.resync = RESYNC_REST
    elif m.kind == KIND_SNAPSHOT:
        m.link = LINK_NONE
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"size") and fields == SIGNED:
            take_signed(c, SLOT_QTY, SLOT_AGGRESSOR, 1)
        elif word_is(&key, b"create_time") or word_is(&key, b"time"):
            take_coarse(c, m, SLOT_TIME)
        elif word_is(&key, b"full") and fields == OBU:
            if peek(c) == c't':
                m.kind = KIND_SNAPSHOT
                m.needed = bit(SLOT_LAST_SEQ)
            skip_value(c)
        elif key_is(&key, c's') and fields == OBU:
            take_stream(c)
        else:
            take_field(c, &key, fields)


cdef inline bint take_stream(Cursor* c) noexcept nogil:
    """Take the symbol out of the name of a stream: ob.BTC_USDT.400."""
    cdef Text stream, depth
    if not read_text(c, &stream):
        return False
    cut(&stream, c'.', &stream, &depth, True)
    if stream.size < 4 or not begins(&stream, b"ob."):
        c.pos = stream.data
        return fail(c, BAD_VALUE, b"ob.SYMBOL.DEPTH")
    stream.data, stream.size = stream.data + 3, stream.size - 3
    return take_name(c, &stream)


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef Form* LEVEL = list_form(("price", "qty"))
cdef Form* FUTURES_LEVEL = list_form({"p": "price", "s": "qty"})


cdef Field* OUTSIDE = list_fields({"time_ms": "event_time", "channel": "text"})
cdef dict NUMBERS = {"t": "time", "U": "first_seq", "u": "last_seq", "b": "bids", "a": "asks"}
# {"t":1789456334981,"full":true,"s":"ob.ETH_USDT.50","u":108552472643,"b":[["2480.27","2781.6"]],"a":[...]}
# {"t":1789456335001,"s":"ob.BTC_USDT.50","U":125033676004,"u":125033676011}: both lists may be absent
cdef Field* OBU = list_fields(NUMBERS, LEVEL)
# {"t":1619093532978,"e":"depthUpdate","E":1619093532,"s":"HAI_ETH","U":2691446,"u":2691446,
#  "b":[["0.00010322","5360.209"]],"a":[]}; futures: "b":[{"p":"0.2943","s":0}]
# {"t":1662630117190,"lastUpdateId":8093065166,"s":"BTC_USDT","bids":[["19201.39","0.0005"]],"asks":[...]}; futures:
# {"t":1653810274815,"id":79619326,"contract":"BTC_USD_20220624","asks":[{"p":"28988.9","s":620}],"bids":[...]}
cdef dict CHANGES = {**NUMBERS, "s": "symbol", "contract": "symbol", "lastUpdateId": "last_seq", "id": "last_seq",
                     "bids": "bids", "asks": "asks", "update": "time", "current": "event_time"}
cdef Field* BOOK = list_fields(CHANGES, LEVEL)
cdef Field* FUTURES_BOOK = list_fields(CHANGES, FUTURES_LEVEL)
# {"t":1619093543708,"u":2517661076,"s":"BTC_USD","b":"54696.6","B":37000,"a":"54696.7","A":47061}
# {"t":0,"u":0,"s":"BSW_USDT","b":"","B":0,"a":"","A":0}: a side without orders
cdef Field* QUOTE = list_fields({"t": "time", "u": "last_seq", "s": "symbol", "b": "bid_price or 0", "B": "bid_qty",
                                 "a": "ask_price or 0", "A": "ask_qty"})
# {"id":5541729596,"create_time":1682689046,"create_time_ms":"1682689046123.0","side":"sell",
#  "currency_pair":"SUSD_USDT","amount":"8.5234","price":"0.9782"}
cdef Field* TRADE = list_fields({"id": "trade_id", "create_time_ms": "time", "currency_pair": "symbol", "side": "side",
                                 "amount": "qty", "price": "price"})
# {"size":-108,"id":27753479,"create_time":1545136464,"create_time_ms":1545136464123,"price":"96.4",
#  "contract":"BTC_USD"}; "size":"-0.25" with decimal sizes
# {"price":"215.1","size":-124,"time_ms":1541486601123,"contract":"BTC_USDT"}: a liquidation
cdef Field* SIGNED = list_fields({"id": "trade_id", "create_time_ms": "time", "time_ms": "time", "contract": "symbol",
                                  "price": "price"})
# {"contract":"BTC_USDT","last":"23160.2","total_size":"153482780","mark_price":"23175.64","funding_rate":"0.0001",
#  "index_price":"23173.35","volume_24h":"155496714","volume_24h_quote":"360157621","low_24h":"23018.3", ...}
# {"currency_pair":"NEO_BTC","last":"0.0018716","lowest_ask":"0.0018734","highest_bid":"0.0018697", ...}
cdef Field* TICKER = list_fields({
    "contract": "symbol", "currency_pair": "symbol", "last": "last", "highest_bid": "bid_price",
    "lowest_ask": "ask_price", "highest_size": "bid_qty", "lowest_size": "ask_qty", "change_percentage": "change_pct",
    "high_24h": "high", "low_24h": "low", "base_volume": "volume", "quote_volume": "quote_volume",
    "volume_24h": "volume", "volume_24h_quote": "quote_volume", "total_size": "open_interest", "mark_price": "mark",
    "index_price": "index", "funding_rate": "funding", "funding_next_apply": "next_funding",
    "settle_price": "settlement"})

cdef Channel* KNOWN = NULL
for market, prefix in enumerate((b"spot.", b"futures.")):
    add_channel(&KNOWN, prefix + b"obu", KIND_DELTA, OBU, bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ), 0, market)
    add_channel(&KNOWN, prefix + b"book_ticker", KIND_QUOTE, QUOTE, 0, 0, market)
    add_channel(&KNOWN, prefix + b"tickers", KIND_TICKER, TICKER, 0, 0, market)
add_channel(&KNOWN, b"spot.order_book_update", KIND_DELTA, BOOK, bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ))
add_channel(&KNOWN, b"spot.order_book", KIND_SNAPSHOT, BOOK, 0, PARTIAL)
add_channel(&KNOWN, b"spot.trades", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"futures.order_book_update", KIND_DELTA, FUTURES_BOOK, bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ), 0,
            FUTURES)
add_channel(&KNOWN, b"futures.order_book", KIND_SNAPSHOT, FUTURES_BOOK, 0, PARTIAL, FUTURES)
add_channel(&KNOWN, b"futures.trades", KIND_TRADE, SIGNED, 0, 0, FUTURES)
add_channel(&KNOWN, b"futures.public_liquidates", KIND_LIQUIDATION, SIGNED, 0, 0, FUTURES)
add_channel(&KNOWN, b"futures.system", KIND_CONTROL, NULL)


SPEC = VenueSpec(
    name="gateio",
    link=Link.OVERLAP,        # U <= last + 1 <= u, for the join and after; obu: U == last + 1
    roots={
        "spot": "wss://api.gateio.ws/ws/v4/",
        "usdt": "wss://fx-ws.gateio.ws/v4/ws/usdt",
        "btc": "wss://fx-ws.gateio.ws/v4/ws/btc",
        "usd1": "wss://fx-ws.gateio.ws/v4/ws/usd1",
    },
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # Gate publishes no limit on subscriptions or messages (gateio/gatews issue 25, 2022); these are our own. Public
    # REST requests: 200 in 10 s for an address.
    limits=Limits(streams_per_connection=500, messages_per_second=10, streams_per_request=50,
                  connections_per_5_minutes=100, connection_lifetime_s=0, rest_weight_per_minute=600,
                  connections=100),
    max_frame_size=4 << 20,
    parser=lambda market: GateioParser(market=talk.MARKETS.index(market) if market in talk.MARKETS else 0),
    source="https://www.gate.com/docs/developers/apiv4/ws/en/",
    checked="2026-10-15",
    forms="JSON of 2021 to 2026: obu, order_book_update with REST, order_book where it is a whole book; all served.",
    evidence=(
        Evidence("book (order_book_update)", "capture",
                 "U = last u + 1: a missing or repeated message is seen, not a wrong level"),
        Evidence("book (obu)", "messages", "U = last u + 1: a missing or repeated message is seen"),
        Evidence("trades", "capture", "nothing: trade ids of futures are not without holes"),
        Evidence("quotes", "capture", "nothing; u is the number of the book it belongs to"),
        Evidence("ticker", "capture", "nothing"),
        Evidence("mark", "messages", "nothing"),
        Evidence("open_interest", "messages", "nothing"),
        Evidence("liquidations", "sheet example", "nothing; the side is not proved"),
    ),
    markets=talk.MARKETS,
    pings={"spot": talk.ping_of("spot"), **dict.fromkeys(("usdt", "btc", "usd1"), talk.ping_of("futures"))},
    ping_interval_s=15,
    resync="resubscribe",     # obu; order_book_update: by REST
    rest_url="https://api.gateio.ws",
    snapshot_address=talk.snapshot_address,
    snapshot_limit=100,
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
)
