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

from libc.string cimport memcpy
from orderbook.types cimport BAD_VALUE
from feeds.fields cimport Field, Note, expect, list_form, list_places, take_array, take_value
from feeds.message cimport (Form, Message, bit, CHECKSUM_SIGNED, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, SEEN_BOTH, SLOT_AGGRESSOR, SLOT_CHECKSUM,
                            SLOT_EVENT_TIME, SLOT_LINE_SEQ, SLOT_PARTIAL, SLOT_PRICE, SLOT_QTY, SLOT_TIME,
                            SLOT_TRADE_ID)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, fail, is_digit, next_item, note_more, open_array, peek, read_count,
                         read_text, skip_value, take_any, take_constant, take_int, take_level_alone, take_levels,
                         take_price, take_rest, take_signed, take_time, word_is)

from feeds.venue import Count, Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import bitfinex as lists
from feeds.venues.talk import bitfinex as talk

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


include "bitfinex_channels.pxi"


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


SPEC = VenueSpec(
    name="bitfinex",
    link=Link.NONE,
    count=Count.NEXT,
    roots={"public": "wss://api-pub.bitfinex.com/ws/2"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=talk.subscribe, unsubscribe=talk.unsubscribe,
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
    read_address=talk.read_address,
    read_instruments=lists.read,
)
