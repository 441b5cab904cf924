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

from feeds.venue import (Answer, Control, Evidence, Limits, Link, Stream, UnsupportedChannel, VenueSpec, check_known,
                         error_code, frame_text, read_object, read_url)
from feeds.venues.lists import bitstamp as lists

cdef enum:
    PARTIAL_LEVELS = 100      # a side, of order_book_


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


CHANNELS = {
    "book": "order book: differences of the whole book, or the first 100 levels whole with depth=100",
    "trades": "every trade, in real time",
    "mark": "mark price, index price and funding rate, once a second (perpetuals)",
}

PREFIX = {"book": "diff_order_book_", "trades": "live_trades_", "mark": "funding_rate_"}


def spelling(symbol):
    """btcusd, btcusd-perp; BTC/USD and BTC/USD-PERP are how REST lists name them."""
    return symbol.replace("/", "").lower()


def streams(symbols, channels, depth, speed, market):
    """Streams of `symbols` x `channels`, named as the venue's channels: "diff_order_book_btcusd"."""
    check_known("bitstamp", "book of depth", depth, (None, PARTIAL_LEVELS), "100, or None for the whole book")
    check_known("bitstamp", "speed", speed, (None,), "None for its only one")
    planned = []
    for symbol in map(spelling, symbols):
        for channel in channels:
            if channel == "book" and depth:
                planned.append(Stream(f"order_book_{symbol}", "public", symbol, channel, PARTIAL_LEVELS))
            elif channel == "mark" and not symbol.endswith("-perp"):
                raise UnsupportedChannel(f"bitstamp has no mark price for {symbol!r}; perpetuals have, as btcusd-perp")
            else:
                planned.append(Stream(PREFIX[channel] + symbol, "public", symbol, channel))
    return planned


def request(word, names, request_id):
    """One frame for each channel: the venue closes the connection on one of more than 512 bytes."""
    # {"event":"bts:subscribe","data":{"channel":"diff_order_book_btcusd"}}
    # {"event":"bts:unsubscribe","data":{"channel":"diff_order_book_btcusd"}}
    return [frame_text({"event": f"bts:{word}", "data": {"channel": name}}) for name in names]


def read_control(payload):
    """Classify a frame that is not market data; never raises.

    {"event":"bts:subscription_succeeded","channel":"diff_order_book_ethusd","data":{}}     also for unknown markets
    {"event":"bts:unsubscription_succeeded","channel":"diff_order_book_ethusd","data":{}}
    {"event":"bts:error","channel":"","data":{"code":null,"message":"Invalid channel provided."}}
    {"event":"bts:heartbeat","channel":"","data":{"status":"success"}}
    {"event":"bts:request_reconnect","channel":"","data":null}
    """
    text, message = read_object(payload)
    event, channel = message.get("event"), message.get("channel")
    about = (channel,) if isinstance(channel, str) and channel else ()
    if event in ("bts:subscription_succeeded", "bts:unsubscription_succeeded"):
        return Control("ack", text=text, streams=about)
    if event == "bts:heartbeat":
        return Control("pong", text=text)
    if event == "bts:request_reconnect":
        return Control("shutdown", text=text)
    if event != "bts:error":
        return Control("other", text=text)
    data = message.get("data") if isinstance(message.get("data"), dict) else {}
    words = str(data.get("message", text))
    return Control("error", code=error_code(data.get("code")), text=words, streams=about,
                   reason="bad_symbol" if words.startswith("Invalid channel") else "")


def snapshot_address(symbol, limit, market):
    """The whole book, grouped by price."""
    return f"{lists.HOST}/order_book/{symbol}/?group=1"


def read_address(url):
    """.../order_book/btcusd/?group=1 is the whole book of btcusd; .../markets/, once trading-pairs-info/, the list."""
    path, _, last = read_url(url)[0].rpartition("/")
    if path.endswith("/order_book"):
        return Answer("snapshot", last)
    return Answer("instruments") if last in ("markets", "trading-pairs-info") else None


SPEC = VenueSpec(
    name="bitstamp",
    link=Link.RISES,
    roots={"public": "wss://ws.bitstamp.net"},
    channels=CHANNELS, name_streams=streams, read_control=read_control, symbol=spelling,
    subscribe=partial(request, "subscribe"), unsubscribe=partial(request, "unsubscribe"),
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
    snapshot_address=snapshot_address,
    read_address=read_address,
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
