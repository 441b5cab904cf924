"""Bitfinex: WebSocket v2, spot and perpetuals on one socket.

Wire form: arrays [chanId, payload, ...] of 2019 to 2026, served today. A chanId says what it is in the `subscribed`
frame of the same connection only, so the parser remembers that. Books are P0 (five significant digits), the best 1, 25,
100 or 250 levels a side; the venue removes what leaves that window. An array of levels is a snapshot, one level an
update; bulk updates (flag 536870912) look like snapshots and are never asked for. A level is [price, count, amount]:
count 0 removes it, the sign of the amount is its side. With flag 65536 every array frame of a connection has a number,
one more than that of the frame before, behind the payload; with 131072 a signed CRC-32 of the best 25 levels comes
every few seconds. The sign of a trade's amount is the aggressor (+ buys); each comes as te and again as tu: te is used.
A liquidation's amount is that of the position: + (long) is a forced sell. Times are ms; books have none. Quantities are
base units. Sources: docs.bitfinex.com/reference/ws-public-books and -status, as of 2026-10; that te is enough, and
the places in the status arrays, are as in the clients of 2026. Funding (f...), R0 (single orders) and the
coarser P1 to P4 are left out.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy, memset
from orderbook.types cimport BAD_VALUE
from feeds.fields cimport Field, Note, expect, list_form, list_places, notes_add, take_array, take_value
from feeds.message cimport (Form, Message, bit, CHECKSUM_SIGNED, KIND_CONTROL, KIND_DELTA, KIND_IGNORED,
                            KIND_LIQUIDATION, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, MAX_NAME, SEEN_BOTH,
                            SLOT_AGGRESSOR, SLOT_CHECKSUM, SLOT_EVENT_TIME, SLOT_LINE_SEQ, SLOT_PARTIAL, SLOT_PRICE,
                            SLOT_QTY, SLOT_TIME, SLOT_TRADE_ID)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, begins, fail, find_count, find_text, find_value, is_digit, next_item,
                         note_more, open_array, peek, read_count, read_text, skip_object, skip_value, take_any,
                         take_constant, take_int, take_level_alone, take_levels, take_price, take_rest, take_signed,
                         take_time, word_is)

from feeds.venue import (Answer, Control, Count, Evidence, Limits, Link, Stream, UnsupportedChannel, VenueSpec,
                         check_known, frame_text, read_object)
from feeds.venues.lists import bitfinex as lists

cdef enum:
    # What a channel carries.
    NOTHING = 0               # of use here, or the channel is not known
    BOOK = 1
    TRADES = 2
    TICKER = 3
    DERIVATIVE = 4            # status of a perpetual
    LIQUIDATIONS = 5

cdef enum:
    # Flags of a connection, by its conf frame; they are kept as the depth of a channel with this number.
    FLAGS = -1
    TIMESTAMP = 32768         # a time behind the payload, and behind the number if that is there
    SEQ_ALL = 65536


cdef class BitfinexParser(Parser):
    """Messages of one version; notes by line the numbers of channels, what they carry, levels, symbols."""

    def __cinit__(self):
        self.by_line = True
        self.route_mark = c','
        self.route_marks = self.array_marks = 1   # [225206

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        if peek(c) == c'[':
            array_frame(self, c, m)
        else:
            object_frame(self, c, m)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        liquidation(c, m)


# ---- what the channels are

cdef inline Note* find_channel(BitfinexParser self, int64_t number) noexcept nogil:
    """A channel of the present line, NULL if it is not known."""
    cdef int i
    for i in range(self.notes.count):
        if self.notes.note[i].id == number and self.notes.note[i].line == self.line:
            return &self.notes.note[i]
    return NULL


cdef inline int flags_of(BitfinexParser self) noexcept nogil:
    """Flags of the present line."""
    cdef const Note* channel = find_channel(self, FLAGS)
    return 0 if channel == NULL else channel.depth


cdef inline bint forget_line(BitfinexParser self) noexcept nogil:
    """Forget all of the present line, which was opened anew; whether anything was known."""
    cdef int i, kept = 0, before = self.notes.count
    for i in range(before):
        if self.notes.note[i].line != self.line:
            self.notes.note[kept] = self.notes.note[i]
            kept += 1
    self.notes.count = kept
    return kept != before


cdef inline bint add_channel(BitfinexParser self, Cursor* c, const Note* new) noexcept nogil:
    """Note what a channel carries; whether its number meant another one before."""
    cdef Note* channel = find_channel(self, new.id)
    cdef bint changed
    if channel == NULL:
        notes_add(c, &self.notes, new)
        return False                              # frames of an unknown channel are never learned
    changed = (channel.what != new.what or channel.depth != new.depth or channel.size != new.size
               or memcmp(channel.name, new.name, new.size) != 0)
    channel[0] = new[0]
    return changed


cdef inline void object_frame(BitfinexParser self, Cursor* c, Message* m) noexcept nogil:
    # {"event":"subscribed","channel":"book","chanId":225206,"symbol":"tDOGUSD","prec":"P0","freq":"F0","len":"100",
    #  "pair":"DOGUSD"}; status channels have "key":"deriv:tBTCF0:USTF0" or "key":"liq:global" in place of a symbol.
    # {"event":"info","version":2,...} is the first frame of a connection. {"event":"conf","status":"OK","flags":65536}
    cdef Text event, channel, symbol, precision
    cdef Cursor version
    cdef Note new
    cdef bint is_first
    memset(&new, 0, sizeof(Note))
    m.kind = KIND_CONTROL
    find_text(c, b"event", &event)
    find_text(c, b"channel", &channel)
    find_text(c, b"prec", &precision)
    if not find_text(c, b"symbol", &symbol):
        find_text(c, b"key", &symbol)
    new.line = self.line
    new.id = FLAGS if word_is(&event, b"conf") else find_count(c, b"chanId")
    new.depth = <int> find_count(c, b"flags" if new.id == FLAGS else b"len")
    is_first = word_is(&event, b"info") and find_value(c, b"version", &version)
    if not skip_object(c) or not at_end(c):
        return
    if new.id == FLAGS:
        m.relearn = new.depth != flags_of(self)
        add_channel(self, c, &new)
    elif is_first:
        m.relearn = forget_line(self)
    elif word_is(&event, b"unsubscribed"):
        m.relearn = find_channel(self, new.id) != NULL and add_channel(self, c, &new)
    elif word_is(&event, b"subscribed"):
        new.what = carried(&channel, &symbol, &precision)
        if new.what != NOTHING:
            new.size = symbol.size
            memcpy(new.name, symbol.data, symbol.size)
        m.relearn = add_channel(self, c, &new)


cdef inline int carried(const Text* channel, Text* symbol, const Text* precision) noexcept nogil:
    """What a channel carries; of the key of a perpetual's status the symbol is left."""
    if begins(symbol, b"deriv:t"):
        symbol.data += 6
        symbol.size -= 6
        return DERIVATIVE if symbol.size <= MAX_NAME else NOTHING
    if word_is(symbol, b"liq:global"):
        return LIQUIDATIONS
    if symbol.size > MAX_NAME or not begins(symbol, b"t"):
        return NOTHING
    if word_is(channel, b"book"):
        return BOOK if word_is(precision, b"P0") else NOTHING
    return TRADES if word_is(channel, b"trades") else TICKER if word_is(channel, b"ticker") else NOTHING


# ---- data

cdef inline void array_frame(BitfinexParser self, Cursor* c, Message* m) noexcept nogil:
    # [225206,[279380,1,0.0089],19], [225206,[[277520,1,0.00383141],...],17], [204928,"hb",127],
    # [81757,"cs",-1175357890,1670], [89,"te",[382489563,1564617600709,0.00705845,10087.98969503],11]
    cdef const Note* channel = NULL
    cdef Text word
    word.data, word.size = NULL, 0
    open_array(c)
    if next_item(c) and is_digit(peek(c)):
        channel = find_channel(self, read_count(c))
    else:
        fail(c, BAD_VALUE, b"the number of a channel")
    if not next_item(c):
        fail(c, BAD_VALUE, b"a message of the channel")
    elif peek(c) == c'"':
        read_text(c, &word)
    m.kind = KIND_IGNORED                         # unless it turns out to be of use
    if channel != NULL and channel.what != NOTHING:
        memcpy(m.name, channel.name, channel.size)
        m.symbol = m.name
        m.symbol_size = channel.size
        m.fixed_symbol = True
    if word_is(&word, b"hb"):
        m.idle = m.symbol != NULL
    else:
        if word.data != NULL and not next_item(c):
            fail(c, BAD_VALUE, b"what the word is about")
        if m.symbol == NULL:
            skip_value(c)
        else:
            payload(self, c, m, channel, &word)
    tail(c, flags_of(self))


cdef inline void payload(BitfinexParser self, Cursor* c, Message* m, const Note* channel,
                         const Text* word) noexcept nogil:
    """What a channel carries, if it is of use."""
    cdef Cursor ahead = c[0]
    cdef char inner = peek(&ahead) if open_array(&ahead) else 0
    cdef bint is_list = inner == c'[' or inner == c']'
    if word.data != NULL:
        if word_is(word, b"te") and channel.what == TRADES:
            trade(c, m)
        elif word_is(word, b"cs") and channel.what == BOOK and channel.depth >= 25:
            # [81757,"cs",-1175357890]: of the book as it stands. Of fewer than 25 levels it is not known what counts
            m.kind = KIND_DELTA
            m.needed = bit(SLOT_CHECKSUM)
            m.checksum = CHECKSUM_SIGNED
            take_int(c, SLOT_CHECKSUM)
        else:
            skip_value(c)
    elif channel.what == BOOK and is_list:
        m.kind = KIND_SNAPSHOT
        m.needed = bit(SEEN_BOTH)
        take_levels(c, 2, LEVEL)
    elif channel.what == BOOK:
        # [279380,1,0.0089] a bid, [283460,0,-1] removes an ask (the amount is then 1 or -1, never a quantity)
        m.kind = KIND_DELTA
        m.needed = bit(SEEN_BOTH)
        take_level_alone(c, 2, LEVEL)
    elif channel.what == TICKER and not is_list:
        ticker(c, m)
    elif channel.what == DERIVATIVE and not is_list:
        status(c, m)
    elif channel.what == LIQUIDATIONS and inner == c'[':
        self.parse_first(c, m)
    else:
        skip_value(c)                             # the trades before the subscription


cdef inline void tail(Cursor* c, int flags) noexcept nogil:
    """What follows the payload: the number of the frame and the time, if the connection was asked for them."""
    cdef char byte
    while next_item(c):
        byte = peek(c)
        if byte != c'-' and not is_digit(byte):
            take_any(c)
        elif flags & SEQ_ALL:
            flags &= ~SEQ_ALL
            take_int(c, SLOT_LINE_SEQ)
        elif flags & TIMESTAMP:
            flags &= ~TIMESTAMP
            take_time(c, SLOT_EVENT_TIME)
        else:
            take_any(c)
    at_end(c)


cdef inline void trade(Cursor* c, Message* m) noexcept nogil:
    # [382489563,1564617600709,0.00705845,10087.98969503]: number, ms, amount (+ the buyer was the aggressor), price
    expect(m, KIND_TRADE)
    open_array(c)
    if (next_item(c) and take_int(c, SLOT_TRADE_ID) and next_item(c) and take_time(c, SLOT_TIME) and next_item(c)
            and take_signed(c, SLOT_QTY, SLOT_AGGRESSOR, 1) and next_item(c) and take_price(c, SLOT_PRICE)):
        take_rest(c)


cdef inline void ticker(Cursor* c, Message* m) noexcept nogil:
    # [0.068965,60157.36709703,0.0774,48578.50804052,0.001969,0.0262,0.076989,101459.39453471,0.0828,0.068961]: bid,
    # sum of the best 25 bid amounts, ask, the same of asks, change, relative change (of 1), last, volume, high, low;
    # since 2026 a null follows. The sums are no quantities of the best levels, so this is no quote
    expect(m, KIND_TICKER)
    take_array(c, DAY)


cdef inline void status(Cursor* c, Message* m) noexcept nogil:
    # [1590596819000,null,9166.30324769,9169.35,null,1372762.95402242,null,1590624000000,-0.00001415,533,null,0,null,
    #  null,9170.3525,null,null,3005.25851857]: 2 last price, 3 index, 7 time of the next funding, 11 current funding,
    # 14 mark, 17 open interest; 2019 ended at 11, then at 14. It says a part of what a ticker can
    m.kind = KIND_TICKER
    m.needed = bit(SLOT_TIME)
    take_array(c, STATUS)
    take_constant(c, SLOT_PARTIAL, 1)


cdef inline void liquidation(Cursor* c, Message* m) noexcept nogil:
    # ["pos",143683674,1593522802742,null,"tBTCF0:USTF0",0.00268657,9135.972557016,null,0,1,null,9080]: 2 ms, 4 symbol,
    # 5 amount of the position, 6 its entry price, 8 0 for the first trigger (told) and 1 for the fills that follow (not
    # told), 11 price, often null: then it is told as 0
    cdef int i = 0
    cdef bint first = False
    expect(m, KIND_LIQUIDATION)
    m.fixed_symbol = False
    open_array(c)
    while next_item(c):
        if i == 5:
            take_signed(c, SLOT_QTY, SLOT_AGGRESSOR, -1)
        elif i == 8:
            first = peek(c) == c'0'
            skip_value(c)
        elif i < 12:
            take_value(c, &FORCED[i])
        else:
            take_any(c)
        i += 1
    if not first:
        m.kind = KIND_IGNORED
    note_more(c, m)


cdef Form* LEVEL = list_form(("price", "count", "signed"))

# What the elements of an array mean, by place. The others are stepped over.

cdef Field* DAY = list_places({
    0: "bid_price", 2: "ask_price", 4: "change", 6: "last", 7: "volume", 8: "high", 9: "low"})
cdef Field* STATUS = list_places({0: "time", 2: "last", 3: "index", 7: "next_funding", 11: "funding", 14: "mark",
                                  17: "open_interest"})
cdef Field* FORCED = list_places({2: "time", 4: "symbol", 11: "price or 0"})


CHANNELS = {
    "book": "order book by deltas (P0), the best 1, 25, 100 or 250 levels a side (the most if no depth is given)",
    "trades": "every trade, in real time",
    "ticker": "statistics of the last 24 hours",
    "mark": "mark price, index price and funding of a perpetual (tBTCF0:USTF0), every few seconds",
    "open_interest": "open interest of a perpetual, with the mark price",
    "liquidations": "liquidations of all perpetuals",
}

DEPTHS = (1, 25, 100, 250)
SPEEDS = {None: "F0", "realtime": "F0", "2s": "F1"}


def spelling(symbol):
    """tBTCUSD, tBTCF0:USTF0: a t and the pair. A name that begins with t or f and goes on in capitals is taken as it
    is; any other is put in capitals, with a t in front ("btcusd", "TRXUSD")."""
    if symbol[:1] in ("t", "f") and symbol[1:] != symbol[1:].lower():
        return symbol
    return "t" + symbol.upper()


def streams(symbols, channels, depth, speed, market):
    """Streams of `symbols` x `channels`; channels that come in one stream share it."""
    check_known("bitfinex", "book of depth", depth, (None, *DEPTHS), ", ".join(map(str, DEPTHS)))
    check_known("bitfinex", "speed", speed, SPEEDS, "realtime, 2s")
    planned = []
    for symbol in map(spelling, symbols):
        names = {"book": f"book:{symbol}:P0:{SPEEDS[speed]}:{depth or max(DEPTHS)}",
                 "trades": f"trades:{symbol}", "ticker": f"ticker:{symbol}", "mark": f"status:deriv:{symbol}",
                 "open_interest": f"status:deriv:{symbol}", "liquidations": "status:liq:global"}
        for channel in channels:
            if channel in ("mark", "open_interest", "liquidations") and "F0" not in symbol:
                raise UnsupportedChannel(f"bitfinex has {channel} of perpetuals only (tBTCF0:USTF0), not of {symbol}; "
                                         "it has: book, trades, ticker")
            planned.append(Stream(names[channel], "public", symbol, channel))
    return planned


def subscribe(names, request_id):
    """One frame for each stream; the venue's answers carry no id of ours, they name the stream."""
    # {"event":"subscribe","channel":"book","symbol":"tBTCUSD","prec":"P0","freq":"F0","len":"100"}
    # {"event":"subscribe","channel":"trades","symbol":"tBTCUSD"}
    # {"event":"subscribe","channel":"status","key":"deriv:tBTCF0:USTF0"}
    frames = []
    for name in names:
        channel, rest = name.split(":", 1)
        request = {"event": "subscribe", "channel": channel}
        if channel == "book":
            request["symbol"], request["prec"], request["freq"], request["len"] = rest.rsplit(":", 3)
        else:
            request["key" if channel == "status" else "symbol"] = rest
        frames.append(frame_text(request))
    return frames


def unsubscribe(names, request_id):
    """By the chanId that the answer to the subscription told; a stream without one cannot be named."""
    # {"event":"unsubscribe","chanId":225206}
    return [f'{{"event":"unsubscribe","chanId":{name}}}' for name in names if name.isdecimal()]


def stream_of(message):
    """Name of the stream that an answer is about."""
    channel, symbol = message.get("channel"), message.get("symbol")
    if channel == "book":
        return f"book:{symbol}:{message.get('prec', 'P0')}:{message.get('freq', 'F0')}:{message.get('len', 25)}"
    return f"{channel}:{message.get('key', symbol)}"


def read_control(payload):
    """Classify a frame that is not market data; never raises.

    {"event":"info","version":2,"serverId":"...","platform":{"status":1}}     status 0 is maintenance
    {"event":"info","code":20051,"msg":"..."}        20051 connect anew, 20060 maintenance begins, 20061 it is over
    {"event":"conf","status":"OK","flags":196608}
    {"event":"subscribed","channel":"book","chanId":225206,"symbol":"tDOGUSD","prec":"P0","freq":"F0","len":"100",...}
    {"event":"unsubscribed","status":"OK","chanId":225206}
    {"channel":"book","symbol":"tNOPE","prec":"P0","len":"25","event":"error","msg":"symbol: invalid","code":10300,...}
    {"event":"pong","ts":1790134414850,"cid":1234}
    """
    text, message = read_object(payload)
    event, code, chan = message.get("event"), message.get("code"), str(message.get("chanId", ""))
    if event == "pong":
        return Control("pong", text=text)
    if event == "subscribed":
        return Control("ack", None, None, text, (stream_of(message),), handle=chan)
    if event == "unsubscribed":
        return Control("ack", None, None, text, (chan,))
    if event == "error":
        words = str(message.get("msg", text))
        names = (stream_of(message),) if "channel" in message else ()
        if code == 10301:                         # subscribed already: the stream runs
            return Control("ack", None, code, words, names, handle=chan)
        known = code == 10001 or (code == 10300 and words.startswith(("symbol", "key", "channel")))
        return Control("error", None, code, words, names, reason="bad_symbol" if known else "")
    if event == "info":
        platform = message.get("platform")
        if code == 20060 or (isinstance(platform, dict) and platform.get("status") == 0):
            return Control("error", None, code, str(message.get("msg", "the venue is in maintenance")),
                           reason="maintenance")
        if code in (20051, 20061):                # 20061: everything has to be subscribed again
            return Control("shutdown", None, code, text)
    return Control("other", text=text)


def read_address(url):
    # /v2/conf/pub:info:pair, /v2/conf/pub:list:pair:exchange; pub:list:pair:future in 2021
    return Answer("instruments") if "/conf/pub:info:pair" in url or "/conf/pub:list:pair:" in url else None


SPEC = VenueSpec(
    name="bitfinex",
    link=Link.NONE,
    count=Count.NEXT,
    roots={"public": "wss://api-pub.bitfinex.com/ws/2"},
    channels=CHANNELS, name_streams=streams, read_control=read_control, symbol=spelling,
    subscribe=subscribe, unsubscribe=unsubscribe,
    # The documentation says 25 or 30 channels on a connection; 37 were refused in 2026-09. 20 connections a minute.
    limits=Limits(streams_per_connection=25, messages_per_second=0, streams_per_request=1,
                  connections_per_5_minutes=100, connection_lifetime_s=0, rest_weight_per_minute=0,
                  connections_per_minute=20),
    max_frame_size=8 << 20,
    parser=lambda market: BitfinexParser(),
    source="https://docs.bitfinex.com/reference/ws-public-books",
    checked="2026-10-01",
    forms="WebSocket v2, arrays of 2019 to 2026, served: numbers of frames (flag 65536), times (32768) and checksums "
          "(131072) where the connection has them. No R0 or P1 to P4 books, funding, candles, bulk updates or decimals "
          "as text.",
    evidence=(
        Evidence("book", "capture", "the number of every frame of a connection shows every loss, not of which channel: "
                                    "all its books are fetched anew. CRC-32 of the best 25 levels, worked example"),
        Evidence("trades", "messages", "the same number shows every loss; the trades' own numbers are not judged"),
        Evidence("ticker", "capture", "the same number; each stands alone"),
        Evidence("mark", "messages", "the same number; each stands alone"),
        Evidence("open_interest", "messages", "the same number; each stands alone"),
        Evidence("liquidations", "messages", "the same number"),
    ),
    greeting=('{"event":"conf","flags":196608}',),      # numbers of frames and checksums
    # The server sends [chanId,"hb"] every 15 s for every channel, and closes a connection without any after 60 s.
    ping='{"event":"ping","cid":1234}',
    ping_interval_s=15.0,
    rest_url="https://api-pub.bitfinex.com",
    instruments_addresses=lists.ADDRESSES,
    read_address=read_address,
    read_instruments=lists.read,
)
