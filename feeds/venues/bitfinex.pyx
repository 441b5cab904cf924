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

import json

from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset
from orderbook.types cimport BAD_VALUE, NO_MEMORY
from feeds.message cimport (Form, Message, bit, CHECKSUM_SIGNED, KIND_CONTROL, KIND_DELTA, KIND_IGNORED,
                            KIND_LIQUIDATION, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, MAX_NAME, SEEN_BOTH,
                            SLOT_AGGRESSOR, SLOT_ASK_PRICE, SLOT_BID_PRICE, SLOT_CHANGE, SLOT_CHECKSUM,
                            SLOT_EVENT_TIME, SLOT_FUNDING, SLOT_HIGH, SLOT_INDEX, SLOT_LAST, SLOT_LEVEL_COUNT,
                            SLOT_LEVEL_GONE, SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY, SLOT_LEVEL_SIDE, SLOT_LINE_SEQ,
                            SLOT_LOW, SLOT_MARK, SLOT_NEXT_FUNDING, SLOT_OPEN_INTEREST, SLOT_PARTIAL, SLOT_PRICE,
                            SLOT_QTY, SLOT_SPARE, SLOT_TIME, SLOT_TRADE_ID, SLOT_VOLUME, TAKE_ANY, TAKE_DOUBLE,
                            TAKE_PRICE, TAKE_QTY, TAKE_TIME)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Field, Text, at_end, fail, find_text, is_digit, list_fields, list_form, next_is,
                         next_item, next_key, open_array, open_object, peek, read_text, scan_number, skip_value, take,
                         take_any, take_constant, take_array, take_int, take_levels, take_price, take_symbol,
                         take_time, word_is)

from feeds.venue import Control, Count, Evidence, Limits, Link, Stream, UnsupportedChannel, VenueSpec, read_object

cdef enum:
    # What a channel carries.
    NOTHING = 0               # of use here, or the channel is not known
    BOOK = 1
    TRADES = 2
    TICKER = 3
    DERIVATIVE = 4            # status of a perpetual
    LIQUIDATIONS = 5

cdef enum:
    # Flags of a connection, by its conf frame.
    TIMESTAMP = 32768         # a time behind the payload, and behind the number if that is there
    SEQ_ALL = 65536
    MAX_LINES = 1024          # connections whose flags are known

cdef struct Channel:
    int64_t id                # number on its connection
    int line                  # the connection
    int what                  # BOOK, ...
    int levels                # of a book, a side
    Py_ssize_t size           # bytes of the symbol
    char symbol[MAX_NAME]


cdef class BitfinexParser(Parser):
    """Messages of one version, and what the channels of each connection carry."""

    cdef Channel* channels    # Owned
    cdef int n_channels
    cdef int[MAX_LINES] flags     # by line

    def __cinit__(self, int market=0):
        self.market = market
        self.by_line = True
        self.route_mark = c','
        self.route_marks = self.array_marks = 1   # [225206

    def __dealloc__(self):
        free(self.channels)

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        if peek(c) == c'[':
            array_frame(self, c, m)
        else:
            object_frame(self, c, m)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        liquidation(c, m)


# ---- what the channels are

cdef inline Channel* find_channel(BitfinexParser self, int64_t number) noexcept nogil:
    """A channel of the present line, NULL if it is not known."""
    cdef int i
    for i in range(self.n_channels):
        if self.channels[i].id == number and self.channels[i].line == self.line:
            return &self.channels[i]
    return NULL


cdef inline int flags_of(BitfinexParser self) noexcept nogil:
    """Flags of the present line."""
    return self.flags[self.line] if 0 <= self.line < MAX_LINES else 0


cdef inline bint set_flags(BitfinexParser self, int flags) noexcept nogil:
    """Note the flags of the present line; whether they were others before."""
    cdef bint changed = flags != flags_of(self)
    if 0 <= self.line < MAX_LINES:
        self.flags[self.line] = flags
    return changed


cdef inline bint forget_line(BitfinexParser self) noexcept nogil:
    """Forget all of the present line, which was opened anew; whether anything was known."""
    cdef int i, kept = 0
    cdef bint changed = set_flags(self, 0)
    for i in range(self.n_channels):
        if self.channels[i].line != self.line:
            self.channels[kept] = self.channels[i]
            kept += 1
    changed |= kept != self.n_channels
    self.n_channels = kept
    return changed


cdef inline bint add_channel(BitfinexParser self, Cursor* c, const Channel* new) noexcept nogil:
    """Note what a channel carries; whether its number meant another one before."""
    cdef Channel* channel = find_channel(self, new.id)
    cdef int i = self.n_channels
    cdef bint changed
    cdef void* memory
    if channel == NULL:
        if i & (i - 1) == 0:                      # a full power of two: room for twice as many
            memory = realloc(self.channels, (2 * i if i else 1) * sizeof(Channel))
            if memory == NULL:
                return fail(c, NO_MEMORY, b"memory for another channel")
            self.channels = <Channel*> memory
        self.channels[i] = new[0]
        self.n_channels += 1
        return False                              # frames of an unknown channel are never learned
    changed = (channel.what != new.what or channel.levels != new.levels or channel.size != new.size
               or memcmp(channel.symbol, new.symbol, new.size) != 0)
    channel[0] = new[0]
    return changed


cdef inline void object_frame(BitfinexParser self, Cursor* c, Message* m) noexcept nogil:
    # {"event":"subscribed","channel":"book","chanId":225206,"symbol":"tDOGUSD","prec":"P0","freq":"F0","len":"100",
    #  "pair":"DOGUSD"}; status channels have "key":"deriv:tBTCF0:USTF0" or "key":"liq:global" in place of a symbol.
    # {"event":"info","version":2,...} is the first frame of a connection. {"event":"conf","status":"OK","flags":65536}
    cdef Text key, event, channel, symbol, precision
    cdef Channel new
    cdef int64_t flags = 0
    cdef bint is_version = False
    memset(&new, 0, sizeof(Channel))
    new.line = self.line
    m.kind = KIND_CONTROL
    find_text(c, b"event", &event)
    find_text(c, b"channel", &channel)
    find_text(c, b"prec", &precision)
    if not find_text(c, b"symbol", &symbol):
        find_text(c, b"key", &symbol)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"chanId"):
            new.id = read_count(c)
        elif word_is(&key, b"len"):
            new.levels = <int> read_count(c)
        elif word_is(&key, b"flags"):
            flags = read_count(c)
        else:
            is_version |= word_is(&key, b"version")
            skip_value(c)
    if not at_end(c):
        return
    if word_is(&event, b"conf"):
        m.relearn = set_flags(self, <int> flags)
    elif word_is(&event, b"info") and is_version:
        m.relearn = forget_line(self)
    elif word_is(&event, b"unsubscribed"):
        m.relearn = find_channel(self, new.id) != NULL and add_channel(self, c, &new)
    elif word_is(&event, b"subscribed"):
        if symbol.size > 6 and memcmp(symbol.data, b"deriv:", 6) == 0:
            symbol.data += 6
            symbol.size -= 6
            new.what = DERIVATIVE
        elif word_is(&symbol, b"liq:global"):
            new.what = LIQUIDATIONS
        elif symbol.size and symbol.data[0] == c't':
            if word_is(&channel, b"book") and word_is(&precision, b"P0"):
                new.what = BOOK
            elif word_is(&channel, b"trades"):
                new.what = TRADES
            elif word_is(&channel, b"ticker"):
                new.what = TICKER
        if symbol.size > MAX_NAME:
            new.what = NOTHING
        if new.what != NOTHING:
            new.size = symbol.size
            memcpy(new.symbol, symbol.data, symbol.size)
        m.relearn = add_channel(self, c, &new)


cdef inline int64_t read_count(Cursor* c) noexcept nogil:
    """Step over a value; what it is if it is a whole number of up to 15 digits, bare or in quotes, else 0."""
    cdef int64_t count = 0
    cdef const char* p
    cdef int _digit
    cdef bint quoted = peek(c) == c'"'
    p = c.pos + quoted
    if not skip_value(c):
        return 0
    for _digit in range(16):
        if p == c.end or not is_digit(p[0]):
            return count
        count = 10 * count + (p[0] - c'0')
        p += 1
    return 0


# ---- data

cdef inline void array_frame(BitfinexParser self, Cursor* c, Message* m) noexcept nogil:
    # [225206,[279380,1,0.0089],19], [225206,[[277520,1,0.00383141],...],17], [204928,"hb",127],
    # [81757,"cs",-1175357890,1670], [89,"te",[382489563,1564617600709,0.00705845,10087.98969503],11]
    cdef const Channel* channel = NULL
    cdef Text word
    word.size = 0
    open_array(c)
    if next_item(c) and is_digit(peek(c)):
        channel = find_channel(self, read_count(c))
    else:
        fail(c, BAD_VALUE, b"the number of a channel")
    if next_item(c) and peek(c) == c'"':
        read_text(c, &word)
    m.kind = KIND_IGNORED                         # unless it turns out to be of use
    if not word_is(&word, b"hb"):
        if word.size and not next_item(c):
            fail(c, BAD_VALUE, b"what the word is about")
        if channel == NULL or channel.what == NOTHING:
            skip_value(c)
        else:
            memcpy(m.name, channel.symbol, channel.size)
            m.symbol = m.name
            m.symbol_size = channel.size
            m.fixed_symbol = True
            payload(c, m, channel, &word)
    tail(c, flags_of(self))


cdef inline void payload(Cursor* c, Message* m, const Channel* channel, const Text* word) noexcept nogil:
    """What a channel carries, if it is of use."""
    cdef Cursor ahead = c[0]
    cdef char inner = peek(&ahead) if open_array(&ahead) else 0
    cdef bint is_list = inner == c'[' or inner == c']'
    if word.size:
        if word_is(word, b"te") and channel.what == TRADES:
            trade(c, m)
        elif word_is(word, b"cs") and channel.what == BOOK:
            checksum(c, m, channel)
        else:
            skip_value(c)
    elif channel.what == BOOK and is_list:
        m.kind = KIND_SNAPSHOT
        m.needed = bit(SEEN_BOTH)
        take_levels(c, 2, &LEVEL)
    elif channel.what == BOOK:
        level(c, m)
    elif channel.what == TICKER and not is_list:
        ticker(c, m)
    elif channel.what == DERIVATIVE and not is_list:
        status(c, m)
    elif channel.what == LIQUIDATIONS and inner == c'[':
        open_array(c)
        next_item(c)
        liquidation(c, m)
        while next_item(c):
            skip_value(c)
    else:
        skip_value(c)                             # the trades before the subscription


cdef inline void tail(Cursor* c, int flags) noexcept nogil:
    """What follows the payload: the number of the frame and the time, if the connection was asked for them."""
    cdef char byte
    while next_item(c):
        byte = peek(c)
        if not is_digit(byte):
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


cdef inline bint take_signed(Cursor* c, int slot, int sign_slot, int plus) noexcept nogil:
    """Take a quantity without its sign; `sign_slot` becomes `plus`, or -plus where a - stands (which must repeat)."""
    cdef bint negative = peek(c) == c'-'
    cdef const char* first = c.pos + negative
    return (take_constant(c, sign_slot, -plus if negative else plus) and scan_number(c)
            and take(c, TAKE_QTY, slot, first, c.pos, False))


cdef inline void level(Cursor* c, Message* m) noexcept nogil:
    # [279380,1,0.0089] a bid, [283460,0,-1] removes an ask (the amount is then 1 or -1, never a quantity)
    cdef int i = 0
    m.kind = KIND_DELTA
    m.needed = bit(SLOT_LEVEL_PRICE) | bit(SLOT_LEVEL_QTY) | bit(SLOT_LEVEL_SIDE)
    open_array(c)
    while next_item(c):
        if i == 0:
            take_price(c, SLOT_LEVEL_PRICE)
        elif i == 1:
            if peek(c) == c'0':                   # text that decides must repeat
                scan_number(c)
                take_constant(c, SLOT_LEVEL_GONE, 1)
            else:
                take_int(c, SLOT_LEVEL_COUNT)
        elif i == 2:
            take_signed(c, SLOT_LEVEL_QTY, SLOT_LEVEL_SIDE, 1)
        else:
            take_any(c)
        i += 1


cdef inline void checksum(Cursor* c, Message* m, const Channel* channel) noexcept nogil:
    # [81757,"cs",-1175357890]: of the book as it stands. Of fewer than 25 levels subscribed it is not known what counts
    if channel.levels < 25:
        skip_value(c)
        return
    m.kind = KIND_DELTA
    m.needed = bit(SLOT_CHECKSUM)
    m.checksum = CHECKSUM_SIGNED
    take_int(c, SLOT_CHECKSUM)


cdef inline void trade(Cursor* c, Message* m) noexcept nogil:
    # [382489563,1564617600709,0.00705845,10087.98969503]: number, ms, amount (+ the buyer was the aggressor), price
    cdef int i = 0
    m.kind = KIND_TRADE
    m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    open_array(c)
    while next_item(c):
        if i == 0:
            take_int(c, SLOT_TRADE_ID)
        elif i == 1:
            take_time(c, SLOT_TIME)
        elif i == 2:
            take_signed(c, SLOT_QTY, SLOT_AGGRESSOR, 1)
        elif i == 3:
            take_price(c, SLOT_PRICE)
        else:
            take_any(c)
        i += 1


cdef inline void ticker(Cursor* c, Message* m) noexcept nogil:
    # [0.068965,60157.36709703,0.0774,48578.50804052,0.001969,0.0262,0.076989,101459.39453471,0.0828,0.068961]: bid,
    # sum of the best 25 bid amounts, ask, the same of asks, change, relative change (of 1), last, volume, high, low;
    # since 2026 a null follows. The sums are no quantities of the best levels, so this is no quote
    m.kind = KIND_TICKER
    m.needed = bit(SLOT_LAST)
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
    m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
    open_array(c)
    while next_item(c):
        if i == 2:
            take_time(c, SLOT_TIME)
        elif i == 4:
            m.fixed_symbol = False
            take_symbol(c)
        elif i == 5:
            take_signed(c, SLOT_QTY, SLOT_AGGRESSOR, -1)
        elif i == 8:
            first = peek(c) == c'0'
            skip_value(c)
        elif i == 11 and peek(c) == c'n':
            skip_value(c)
            take_constant(c, SLOT_PRICE, 0)
        elif i == 11:
            take_price(c, SLOT_PRICE)
        else:
            take_any(c)
        i += 1
    m.kind = KIND_LIQUIDATION if first else KIND_IGNORED
    if next_is(c, c','):
        m.more = c.pos
        skip_value(c)


cdef Form LEVEL
list_form(&LEVEL, ("price", "count", "signed"))

# What the elements of an array mean, by place.
cdef Field[20] DAY, STATUS

list_fields(DAY, (("bid", TAKE_PRICE, SLOT_BID_PRICE), ("bids", TAKE_ANY, SLOT_SPARE),
                  ("ask", TAKE_PRICE, SLOT_ASK_PRICE), ("asks", TAKE_ANY, SLOT_SPARE),
                  ("change", TAKE_DOUBLE, SLOT_CHANGE), ("relative change", TAKE_ANY, SLOT_SPARE),
                  ("last", TAKE_DOUBLE, SLOT_LAST), ("volume", TAKE_DOUBLE, SLOT_VOLUME),
                  ("high", TAKE_DOUBLE, SLOT_HIGH), ("low", TAKE_DOUBLE, SLOT_LOW)))
list_fields(STATUS, (("time", TAKE_TIME, SLOT_TIME), ("1", TAKE_ANY, SLOT_SPARE), ("last", TAKE_DOUBLE, SLOT_LAST),
                     ("index", TAKE_DOUBLE, SLOT_INDEX), ("4", TAKE_ANY, SLOT_SPARE), ("fund", TAKE_ANY, SLOT_SPARE),
                     ("6", TAKE_ANY, SLOT_SPARE), ("next funding", TAKE_TIME, SLOT_NEXT_FUNDING),
                     ("accrued", TAKE_ANY, SLOT_SPARE), ("step", TAKE_ANY, SLOT_SPARE), ("10", TAKE_ANY, SLOT_SPARE),
                     ("funding", TAKE_DOUBLE, SLOT_FUNDING), ("12", TAKE_ANY, SLOT_SPARE), ("13", TAKE_ANY, SLOT_SPARE),
                     ("mark", TAKE_DOUBLE, SLOT_MARK), ("15", TAKE_ANY, SLOT_SPARE), ("16", TAKE_ANY, SLOT_SPARE),
                     ("open interest", TAKE_DOUBLE, SLOT_OPEN_INTEREST)))


CHANNELS = {
    "book": "order book by deltas (P0), the best 1, 25, 100 or 250 levels a side (the most if no depth is given)",
    "trades": "every trade, in real time",
    "ticker": "statistics of the last 24 hours",
    "mark": "mark price, index price and funding of a perpetual (tBTCF0:USTF0), every few seconds",
    "open_interest": "open interest of a perpetual, with the mark price",
    "liquidations": "liquidations of all perpetuals",
}

DEPTHS = (1, 25, 100, 250)
SPEEDS = {"realtime": "F0", "2s": "F1"}


def spelling(symbol):
    """tBTCUSD, tBTCF0:USTF0: a t and the pair. A name that begins with t or f and goes on in capitals is taken as it
    is; any other is put in capitals, with a t in front ("btcusd", "TRXUSD")."""
    if symbol[:1] in ("t", "f") and symbol[1:] != symbol[1:].lower():
        return symbol
    return "t" + symbol.upper()


def streams(symbols, channels, depth=None, speed=None, market=None):
    """Streams of `symbols` x `channels`; channels that come in one stream share it."""
    SPEC.check_channels(channels)
    SPEC.check_market(market)
    if depth is not None and depth not in DEPTHS:
        raise UnsupportedChannel(f"bitfinex has no book of depth {depth!r}; it has: {', '.join(map(str, DEPTHS))}")
    if speed is not None and speed not in SPEEDS:
        raise UnsupportedChannel(f"bitfinex has no speed {speed!r}; it has: {', '.join(SPEEDS)}")
    planned = []
    for symbol in map(spelling, symbols):
        names = {"book": f"book:{symbol}:P0:{SPEEDS[speed or 'realtime']}:{depth or max(DEPTHS)}",
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
        frames.append(json.dumps(request, separators=(",", ":")))
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
        return Control("pong", None, None, text)
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
    return Control("other", None, None, text)


SPEC = VenueSpec(
    name="bitfinex",
    link=Link.NONE,
    count=Count.NEXT,
    roots={"public": "wss://api-pub.bitfinex.com/ws/2"},
    channels=CHANNELS,
    streams=streams,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    read_control=read_control,
    symbol=spelling,
    # The documentation says 25 or 30 channels on a connection; 37 were refused in 2026-09. 20 connections a minute.
    limits=Limits(streams_per_connection=25, messages_per_second=0, streams_per_request=1,
                  connections_per_5_minutes=100, connection_lifetime_s=0, rest_weight_per_minute=0),
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
)
