"""Binance spot in Simple Binary Encoding: trades, best bid and ask, the whole book by deltas, its first 20 levels.

Data are binary frames of schema 1; acks, errors and notices are JSON text on the same connection, snapshots and lists
stay JSON by REST, and sequence numbers mean what they mean there. What newer versions of the schema add is stepped
over: a longer block, a longer entry, another template. Another schema is not read: the feed goes back to JSON.
The connection wants an API key in a header (Ed25519; no signature, and it needs no permission). Times are us. The
aggressor: isBuyerMaker true means that a seller crossed the spread.
https://github.com/binance/binance-spot-api-docs/blob/master/sbe-market-data-streams.md and
sbe/schemas/stream_1_0.xml beside it, as of 2026-09-18; no recording was at hand.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset
from orderbook.types cimport BAD_VALUE, OK
from feeds.fields cimport Field, list_fields, list_form, take_object
from feeds.message cimport (Form, Message, bit, message_clear, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TRADE, SEEN_ASKS, SEEN_BIDS, SLOT_ASK_PRICE, SLOT_ASK_QTY,
                            SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_EVENT_TIME, SLOT_FIRST_SEQ, SLOT_LAST_SEQ,
                            SLOT_MAKER_BOUGHT, SLOT_PRICE, SLOT_QTY, SLOT_TIME, SLOT_TRADE_ID, TAKE_PRICE, TAKE_QTY)
from feeds.parser cimport Parser
from feeds.sbe cimport (Group, Header, LEVEL_SIZE, fill_slot, load_i64, read_block, read_group, read_header, read_text8,
                        take_exponents, take_group, take_i64)
from feeds.scan cimport Cursor, Text, at_end, cursor_init, fail, skip_value

from feeds.venue import Control, Evidence
from feeds.venues.talk import binance_sbe as talk

cdef int PARTIAL_LEVELS = talk.PARTIAL_LEVELS

cdef enum:
    SCHEMA = 1
    VERSION = 0               # the newest version whose fields are all known
    # Templates.
    TRADES = 10000
    BEST_BID_ASK = 10001
    DEPTH_SNAPSHOT = 10002
    DEPTH_DIFF = 10003
    # Bytes of a trade, and of the fixed fields of each template, as version 0 has them.
    TRADE_SIZE = 25
    TRADES_SIZE = 18
    BEST_SIZE = 50
    SNAPSHOT_SIZE = 18
    DIFF_SIZE = 26

cdef struct Trades:
    # What all trades of a frame share.
    Text symbol
    Group group
    const char* exponents
    int64_t event_time        # us
    int64_t time


cdef class SbeParser(Parser):
    """Frames of one connection. What is kept here belongs to the frame at work: it can hold several trades."""

    cdef Trades trades

    def __cinit__(self):
        self.quick = quick

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        if is_json(c):
            skip_value(c)
            at_end(c)
            m.kind = KIND_CONTROL
        else:
            take_frame(c, m, &self.trades, True)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        next_trade(c, m, &self.trades)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # {"lastUpdateId":5123107852948,"bids":[["61800.20","2.507"]],"asks":[]}
        m.kind = KIND_SNAPSHOT
        m.needed = bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS)
        take_object(c, SNAPSHOT)
        at_end(c)


cdef inline bint is_json(const Cursor* c) noexcept nogil:
    """Whether a frame is JSON. A header may begin with '{' too: that of a block of 123 bytes, whose next byte is 0."""
    return c.pos[0] == c'{' and (c.end - c.pos < 2 or c.pos[1] != 0)


cdef void quick(Cursor* c, Message* m) noexcept nogil:
    """A frame that is one message."""
    cdef Trades trades
    take_frame(c, m, &trades, False)              # a symbol that is known needs no check


cdef inline void take_frame(Cursor* c, Message* m, Trades* trades, bint check) noexcept nogil:
    """The (first) message of a binary frame."""
    cdef Header header
    cdef const char* first = c.pos
    if not read_header(c, &header):
        return
    if header.schema != SCHEMA:
        c.pos = first + 4
        m.foreign = 1 + header.schema
        fail(c, BAD_VALUE, b"schema 1 of SBE")
        return
    if header.version > VERSION:
        m.newer = header.version
    if header.template == DEPTH_DIFF or header.template == DEPTH_SNAPSHOT:
        depth(c, m, &header)
    elif header.template == BEST_BID_ASK:
        best(c, m, &header)
    elif header.template == TRADES:
        several(c, m, &header, trades)
    else:
        m.kind = KIND_IGNORED                     # of a newer version, or of no use
        return
    if check and c.status == OK:
        check_name(c, m)
    if c.status != OK and m.newer:                # not only longer than before: then nothing of it is certain
        m.foreign = 1 + header.schema


cdef inline void name(Cursor* c, Message* m, Text* symbol) noexcept nogil:
    """Read the symbol, which is the last of every message."""
    if not read_text8(c, symbol, b"a symbol"):
        return
    if c.pos != c.end and not m.newer:
        fail(c, BAD_VALUE, b"nothing behind the symbol")
    m.symbol = symbol.data
    m.symbol_size = symbol.size


cdef inline void check_name(Cursor* c, const Message* m) noexcept nogil:
    """Make sure that a symbol is one: a newer version could have put something else into its place."""
    cdef Py_ssize_t i
    for i in range(m.symbol_size):
        if <uint8_t> m.symbol[i] <= 32 or m.symbol[i] == 127:
            c.pos = m.symbol - 1
            fail(c, BAD_VALUE, b"a symbol")
            return


cdef inline void depth(Cursor* c, Message* m, const Header* header) noexcept nogil:
    # diff: eventTime i64, firstBookUpdateId i64, lastBookUpdateId i64, priceExponent i8, qtyExponent i8;
    # snapshot: without firstBookUpdateId. Then bids, asks (u16 length, u16 count; price i64, qty i64 each), symbol.
    cdef bint whole = header.template == DEPTH_SNAPSHOT
    cdef int64_t known = SNAPSHOT_SIZE if whole else DIFF_SIZE
    cdef Group bids, asks
    cdef Text symbol
    cdef const char* p = read_block(c, header.block, known, b"the fixed fields of a book")
    if p == NULL:
        return
    m.kind = KIND_SNAPSHOT if whole else KIND_DELTA
    m.depth = PARTIAL_LEVELS if whole else 0
    fill_slot(c, SLOT_EVENT_TIME, load_i64(p))
    if not whole:
        fill_slot(c, SLOT_FIRST_SEQ, load_i64(p + 8))
    fill_slot(c, SLOT_LAST_SEQ, load_i64(p + known - 10))
    take_exponents(c, p + known - 2)
    if read_group(c, &bids, 2, LEVEL_SIZE, b"the bids") and read_group(c, &asks, 2, LEVEL_SIZE, b"the asks"):
        take_group(c, 0, &bids)
        take_group(c, 1, &asks)
        name(c, m, &symbol)


cdef inline void best(Cursor* c, Message* m, const Header* header) noexcept nogil:
    # eventTime i64, bookUpdateId i64, priceExponent i8, qtyExponent i8, bidPrice i64, bidQty i64, askPrice i64,
    # askQty i64; symbol
    cdef Text symbol
    cdef const char* p = read_block(c, header.block, BEST_SIZE, b"the fixed fields of a quote")
    if p == NULL:
        return
    m.kind = KIND_QUOTE
    fill_slot(c, SLOT_EVENT_TIME, load_i64(p))
    fill_slot(c, SLOT_LAST_SEQ, load_i64(p + 8))
    take_exponents(c, p + 16)
    take_i64(c, TAKE_PRICE, SLOT_BID_PRICE, p + 18)
    take_i64(c, TAKE_QTY, SLOT_BID_QTY, p + 26)
    take_i64(c, TAKE_PRICE, SLOT_ASK_PRICE, p + 34)
    take_i64(c, TAKE_QTY, SLOT_ASK_QTY, p + 42)
    name(c, m, &symbol)


cdef inline void several(Cursor* c, Message* m, const Header* header, Trades* trades) noexcept nogil:
    # eventTime i64, transactTime i64, priceExponent i8, qtyExponent i8; trades (u16 length, u32 count); symbol
    cdef const char* p = read_block(c, header.block, TRADES_SIZE, b"the fixed fields of trades")
    cdef const char* past
    if p == NULL or not read_group(c, &trades.group, 4, TRADE_SIZE, b"the trades"):
        return
    name(c, m, &trades.symbol)
    trades.event_time = load_i64(p)
    trades.time = load_i64(p + 8)
    trades.exponents = p + 16
    past = c.pos
    if trades.group.count == 0:
        m.kind = KIND_IGNORED
    elif c.status == OK:
        c.pos = trades.group.data
        next_trade(c, m, trades)
    if c.status == OK:
        c.pos = past


cdef inline void next_trade(Cursor* c, Message* m, const Trades* trades) noexcept nogil:
    """The trade at which the cursor stands, and where the next one begins."""
    # id i64, price i64, qty i64, isBuyerMaker u8
    cdef const char* p = c.pos
    cdef const char* past = trades.group.data + trades.group.count * trades.group.stride
    m.kind = KIND_TRADE
    m.symbol = trades.symbol.data
    m.symbol_size = trades.symbol.size
    fill_slot(c, SLOT_EVENT_TIME, trades.event_time)
    fill_slot(c, SLOT_TIME, trades.time)
    fill_slot(c, SLOT_TRADE_ID, load_i64(p))
    take_exponents(c, trades.exponents)
    take_i64(c, TAKE_PRICE, SLOT_PRICE, p + 8)
    take_i64(c, TAKE_QTY, SLOT_QTY, p + 16)
    if <uint8_t> p[24] > 1:
        c.pos = p + 24
        fail(c, BAD_VALUE, b"0 or 1")
        return
    fill_slot(c, SLOT_MAKER_BOUGHT, p[24])
    p += trades.group.stride
    if p < past:
        m.more = p


cdef Form* LEVEL = list_form(("price", "qty"))

cdef Field* SNAPSHOT = list_fields({"lastUpdateId": "last_seq", "bids": "bids", "asks": "asks"}, LEVEL)


# ---- what its SPEC has instead of that of JSON

cdef bint readable(const char* data, Py_ssize_t size) noexcept nogil:
    """Whether a frame can be read, as far as its form goes."""
    cdef Message m
    cdef Cursor c
    cdef Trades trades
    memset(&m, 0, sizeof(Message))
    message_clear(&m)
    cursor_init(&c, data, size, &m)
    take_frame(&c, &m, &trades, True)
    return c.status == OK


def make_read_control(read_text):
    """The `read_control` function; `read_text` classifies what is JSON."""

    def read_control(payload):
        """Classify a frame that is not market data, or is of a schema that is not known; never raises."""
        frame = bytes(payload)
        if len(frame) < 8 or (frame[0] == 0x7b and frame[1]):
            return read_text(frame)
        _, template, schema, version = [int.from_bytes(frame[place:place + 2], "little") for place in (0, 2, 4, 6)]
        told = f"SBE of schema {schema} version {version} (template {template})"
        if schema == SCHEMA and readable(frame, len(frame)):
            return Control("newer", text=f"{told} is newer than version {VERSION}: what is new in it is skipped")
        return Control("foreign", text=f"{told} cannot be read, only schema {SCHEMA} version {VERSION}")

    return read_control


def changes(spec):
    """What the SPEC of this wire form has instead of that of JSON."""
    return dict(
        roots={"sbe": "wss://stream-sbe.binance.com:9443"},
        channels=talk.CHANNELS,
        name_streams=talk.make_streams(spec.symbol),
        read_control=make_read_control(spec.read_control),
        parser=lambda market: SbeParser(),
        key_header="X-MBX-APIKEY",
        key_variable="BINANCE_API_KEY",
        source="https://github.com/binance/binance-spot-api-docs/blob/master/sbe-market-data-streams.md",
        checked="2026-09-18",
        forms="SBE, schema 1 version 0; what newer versions add is stepped over.",
        evidence=(
            Evidence("book", "sheet example", "firstBookUpdateId is the lastBookUpdateId of the delta before + 1"),
            Evidence("quotes", "sheet example", "nothing: the venue leaves some out"),
            Evidence("trades", "sheet example", "nothing: trade ids rise by 1, which is not checked"),
        ),
    )
