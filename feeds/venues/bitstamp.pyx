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

import json

from libc.string cimport memcmp
from orderbook.types cimport BAD_VALUE
from feeds.message cimport (Form, Message, Token, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_MARK,
                            KIND_SNAPSHOT, KIND_TRADE, RESYNC_RESUBSCRIBE, SEEN_ASKS, SEEN_BIDS, SLOT_AGGRESSOR,
                            SLOT_EVENT_TIME, SLOT_FUNDING, SLOT_INDEX, SLOT_LAST_SEQ, SLOT_MARK, SLOT_NEXT_FUNDING,
                            SLOT_PRICE, SLOT_QTY, SLOT_SPARE, SLOT_TIME, SLOT_TRADE_ID, TAKE_DOUBLE, TAKE_INT,
                            TAKE_LEVELS, TAKE_PRICE, TAKE_QTY, TAKE_SYMBOL, TAKE_TIME)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Field, Text, at_end, fail, list_fields, list_form, next_key, open_object, peek,
                         read_text, skip_value, take, take_any, take_constant, take_field, take_int, word_is)
from feeds.sync cimport LINK_NOT_BELOW

from feeds.venue import Answer, Control, Evidence, Limits, Link, Stream, UnsupportedChannel, VenueSpec, read_object
from feeds.venues.lists import bitstamp as lists

cdef enum:
    PARTIAL_LEVELS = 100      # a side, of order_book_


cdef class BitstampParser(Parser):

    def __cinit__(self, int market=0):
        self.market = market
        self.route_mark = c'"'
        self.route_marks = 4                      # {"data":{"timestamp or {"data":{"id

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"data":{...},"channel":"diff_order_book_bateur","event":"data"}
        cdef Text key, channel, event
        channel.size = event.size = 0
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"data") and peek(c) == c'{':
                contents(c)
            elif word_is(&key, b"channel") and peek(c) == c'"':
                read_text(c, &channel)
                split_channel(c, &channel)
            elif word_is(&key, b"event") and peek(c) == c'"':
                read_text(c, &event)
            else:
                take_any(c)
        at_end(c)
        decide(m, &channel, &event)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # {"timestamp":"1654243213","microtimestamp":"1654243213142992","bids":[["30415.13","0.37816633"]],"asks":[]}
        # Answers of before 2019 had no microtimestamp: nothing could be joined to them.
        m.kind = KIND_SNAPSHOT
        m.needed = bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS)
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
    cdef const Token* token
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
        elif word_is(&key, b"microtimestamp"):
            if take_int(c, SLOT_LAST_SEQ) and c.message != NULL:
                token = &c.message.token[c.message.n_tokens - 1]
                take(c, TAKE_TIME, SLOT_TIME, c.start + token.start, c.start + token.end, token.quoted)
        else:
            take_field(c, &key, CONTENTS)


cdef inline void split_channel(Cursor* c, Text* channel) noexcept nogil:
    """Take the symbol behind the last _ and leave what stands before: diff_order_book_ of diff_order_book_btcusd."""
    cdef Py_ssize_t at = channel.size
    while at and channel.data[at - 1] != c'_':
        at -= 1
    if at == 0:
        return                                    # announcements, or the "" of an answer
    if c.message != NULL:
        c.message.symbol = channel.data + at
        c.message.symbol_size = channel.size - at
    take(c, TAKE_SYMBOL, SLOT_SPARE, channel.data + at, channel.data + channel.size, True)
    channel.size = at


cdef inline void decide(Message* m, const Text* channel, const Text* event) noexcept nogil:
    """What the frame was."""
    if event.size == 0 or (event.size >= 4 and memcmp(event.data, b"bts:", 4) == 0):
        m.kind = KIND_CONTROL
    elif word_is(channel, b"diff_order_book_"):
        m.kind = KIND_DELTA
        m.needed = bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS)
    elif word_is(channel, b"order_book_"):
        m.kind = KIND_SNAPSHOT
        m.depth = PARTIAL_LEVELS
        m.link = LINK_NOT_BELOW
        m.resync = RESYNC_RESUBSCRIBE
        m.needed = bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS)
    elif word_is(channel, b"live_trades_"):
        m.kind = KIND_TRADE
        m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    elif word_is(channel, b"funding_rate_"):
        m.kind = KIND_MARK
        m.needed = bit(SLOT_MARK)
    else:
        m.kind = KIND_IGNORED                     # single orders (live_orders_, detail_order_book_), announcements


cdef Form LEVEL
list_form(&LEVEL, ("price", "qty"))

cdef Field[16] CONTENTS
list_fields(CONTENTS, (
    ("bids", TAKE_LEVELS, 0), ("asks", TAKE_LEVELS, 1), ("timestamp", TAKE_TIME, SLOT_EVENT_TIME),
    ("id", TAKE_INT, SLOT_TRADE_ID), ("price_str", TAKE_PRICE, SLOT_PRICE), ("amount_str", TAKE_QTY, SLOT_QTY),
    ("mark_price", TAKE_DOUBLE, SLOT_MARK), ("index_price", TAKE_DOUBLE, SLOT_INDEX),
    ("funding_rate", TAKE_DOUBLE, SLOT_FUNDING), ("next_funding_time", TAKE_TIME, SLOT_NEXT_FUNDING)), &LEVEL)


CHANNELS = {
    "book": "order book: differences of the whole book, or the first 100 levels whole with depth=100",
    "trades": "every trade, in real time",
    "mark": "mark price, index price and funding rate, once a second (perpetuals)",
}

PREFIX = {"book": "diff_order_book_", "trades": "live_trades_", "mark": "funding_rate_"}


def spelling(symbol):
    """btcusd, btcusd-perp; BTC/USD and BTC/USD-PERP are how REST lists name them."""
    return symbol.replace("/", "").lower()


def streams(symbols, channels, depth=None, speed=None, market=None):
    """Streams of `symbols` x `channels`, named as the venue's channels: "diff_order_book_btcusd"."""
    SPEC.check_channels(channels)
    SPEC.check_market(market)
    if depth is not None and depth != PARTIAL_LEVELS:
        raise UnsupportedChannel(f"bitstamp has no book of depth {depth!r}; it has: 100, or None for the whole book")
    if speed is not None:
        raise UnsupportedChannel(f"bitstamp has no speed {speed!r}; it has: None for its only one")
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


def requests(event, names):
    """One frame for each channel: the venue closes the connection on one of more than 512 bytes."""
    return [json.dumps({"event": event, "data": {"channel": name}}, separators=(",", ":")) for name in names]


def subscribe(names, request_id):
    # {"event":"bts:subscribe","data":{"channel":"diff_order_book_btcusd"}}
    return requests("bts:subscribe", names)


def unsubscribe(names, request_id):
    # {"event":"bts:unsubscribe","data":{"channel":"diff_order_book_btcusd"}}
    return requests("bts:unsubscribe", names)


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
    code = data.get("code") if isinstance(data.get("code"), (int, str)) else None
    words = str(data.get("message", text))
    return Control("error", code=code, text=words, streams=about,
                   reason="bad_symbol" if words.startswith("Invalid channel") else "")


def snapshot_address(symbol, limit, market):
    """The whole book, grouped by price."""
    return f"{lists.HOST}/order_book/{symbol}/?group=1"


def read_address(url):
    """.../order_book/btcusd/?group=1 is the whole book of btcusd; .../markets/, once trading-pairs-info/, the list."""
    path, _, last = url.split("?")[0].rstrip("/").rpartition("/")
    if path.endswith("/order_book"):
        return Answer("snapshot", last)
    return Answer("instruments") if last in ("markets", "trading-pairs-info") else None


SPEC = VenueSpec(
    name="bitstamp",
    link=Link.RISES,
    roots={"public": "wss://ws.bitstamp.net"},
    channels=CHANNELS,
    streams=streams,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    read_control=read_control,
    symbol=spelling,
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
