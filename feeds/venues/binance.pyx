"""Binance: spot, USD-M and COIN-M futures. One parser; the markets differ in their SPEC.

Wire forms: JSON of 2019 to 2026, raw and combined; all of them are served today but for the keys that came later
(`ps`, `st`). Sources and dates stand in the SPECs. The aggressor: `m` true means that the buyer was the maker, so a
seller crossed the spread. Times are ms, or us on a connection with timeUnit=MICROSECOND: the pipeline tells by size.
"""

from functools import partial

from libc.string cimport memcmp
from orderbook.types cimport BAD_VALUE
from feeds.fields cimport (Channel, Field, add_channel, expect, expect_channel, expect_nothing, find_channel,
                           list_fields, list_form, take_field, take_object)
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION, KIND_MARK,
                            KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, MAX_NAME, SLOT_ASK_PRICE, SLOT_ASK_QTY,
                            SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_FIRST_SEQ, SLOT_LAST_SEQ, SLOT_MAKER_BOUGHT, SLOT_MARK,
                            SLOT_PREV_SEQ, SLOT_PRICE, SLOT_QTY)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, fail, key_is, next_is, next_item, next_key, open_array, open_object,
                         peek, read_text, skip_value, word_is)

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import binance as lists
from feeds.venues.talk import binance as talk


cdef class BinanceParser(Parser):
    """Messages of the three markets; `futures` tells which have `pu`."""

    cdef bint futures

    def __cinit__(self, bint futures=False):
        self.futures = futures
        self.route_marks = 4                      # {"stream":"btcusdt@trade" or, raw, {"e":"trade"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"stream":"btcusdt@depth@100ms","data":{...}} on combined connections, {...} or [{...}] on raw ones
        cdef const char* start = c.pos
        cdef const char* data = NULL
        cdef Text key, stream
        stream.data = NULL
        stream.size = 0
        if peek(c) == c'[':
            skip_value(c)
            data = start
        else:
            open_object(c)
            while next_key(c, &key):
                if word_is(&key, b"stream") and peek(c) == c'"':
                    read_text(c, &stream)
                elif word_is(&key, b"data"):
                    peek(c)
                    data = c.pos
                    skip_value(c)
                else:
                    skip_value(c)
        at_end(c)                                 # from here on the grammar of the whole frame is known to be right
        if c.status:
            return
        c.pos = data if data != NULL else start
        if peek(c) == c'[':
            open_array(c)
            if next_item(c):
                self.element(c, m, &stream)
            else:
                m.kind = KIND_IGNORED
        else:
            event(self, c, m, &stream)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        cdef Text stream
        stream.size = 0
        self.element(c, m, &stream)

    cdef void element(self, Cursor* c, Message* m, const Text* stream) noexcept nogil:
        """One event of an array, and where the next one begins."""
        event(self, c, m, stream)
        if next_is(c, c','):
            m.more = c.pos

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # {"lastUpdateId":5123107852948,"E":1723161256516,"T":1723161256510,"bids":[["61800.20","2.507"]],"asks":[]}
        snapshot(c, m)
        at_end(c)


cdef inline void event(BinanceParser self, Cursor* c, Message* m, const Text* stream) noexcept nogil:
    """One event: what it is stands in `e`, or follows from the keys it has."""
    cdef const char* start = c.pos
    cdef Text key, name
    cdef bint is_snapshot = False, is_quote = False
    cdef Message* kept = c.message
    cdef const Channel* kind
    name.size = 0
    open_object(c)
    c.message = NULL                              # this pass only looks
    while next_key(c, &key):
        if key_is(&key, c'e') and peek(c) == c'"':
            read_text(c, &name)
            continue
        is_snapshot |= word_is(&key, b"lastUpdateId")
        is_quote |= key_is(&key, c'B')
        skip_value(c)
    if c.status:
        return
    c.pos = start
    c.message = kept
    if name.size == 0 and is_quote:               # of spot
        name.data, name.size = b"bookTicker", 10
    kind = find_channel(EVENTS, &name)
    if word_is(&name, b"depthUpdate"):
        depth(self, c, m, stream)
    elif kind != NULL and kind.kind == KIND_TRADE:
        trade(c, m, kind)
    elif kind != NULL:
        expect_channel(m, kind)
        take_object(c, kind.fields)
    elif is_snapshot:
        partial_book(c, m, stream)
    else:
        # A candle and the like, or an answer to a request of ours, an error, a notice: those have no market's symbol.
        m.kind = KIND_IGNORED if name.size and not word_is(&name, b"serverShutdown") else KIND_CONTROL
        skip_value(c)


cdef inline int partial_depth(const Text* stream) noexcept nogil:
    """Levels of a partial book by its stream's name: 20 of "btcusdt@depth20@100ms", 0 of "btcusdt@depth@100ms"."""
    cdef Py_ssize_t i
    cdef int depth = 0
    for i in range(stream.size - 6):
        if memcmp(stream.data + i, b"@depth", 6) == 0:
            i += 6
            while i < stream.size and c'0' <= stream.data[i] <= c'9' and depth < 10000:
                depth = 10 * depth + (stream.data[i] - c'0')
                i += 1
            return depth
    return 0


cdef inline bint is_rpi(const Text* stream) noexcept nogil:
    """Whether the stream is the book with retail price improvement, which is not the book."""
    cdef Py_ssize_t i
    for i in range(stream.size - 8):
        if memcmp(stream.data + i, b"@rpiDept", 8) == 0:
            return True
    return False


cdef inline void depth(BinanceParser self, Cursor* c, Message* m, const Text* stream) noexcept nogil:
    # {"e":"depthUpdate","E":1671656397761,"T":1671656397754,"s":"BTCUSDT","U":226,"u":230,"pu":220,
    #  "b":[["1209.67","85.4821"]],"a":[]}; spot has no T and no pu. Partial books of futures look the same.
    if is_rpi(stream):
        expect_nothing(c, m, KIND_IGNORED)
        return
    m.depth = partial_depth(stream)
    expect(m, KIND_SNAPSHOT if m.depth else KIND_DELTA)
    m.needed |= bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ)
    if self.futures:
        m.needed |= bit(SLOT_PREV_SEQ)
    take_object(c, DEPTH)


cdef inline void snapshot(Cursor* c, Message* m) noexcept nogil:
    """A whole book that names neither its kind nor its symbol: REST answers and spot's partial books."""
    expect(m, KIND_SNAPSHOT)
    m.needed |= bit(SLOT_LAST_SEQ)
    take_object(c, SNAPSHOT)


cdef inline void partial_book(Cursor* c, Message* m, const Text* stream) noexcept nogil:
    # {"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}: the symbol is in the stream's name only
    cdef Py_ssize_t i = 0
    cdef char byte
    m.depth = partial_depth(stream)
    while i < stream.size and stream.data[i] != c'@' and i < MAX_NAME:
        byte = stream.data[i]
        m.name[i] = byte - 32 if c'a' <= byte <= c'z' else byte
        i += 1
    if m.depth == 0 or i == 0:
        fail(c, BAD_VALUE, b"a partial book on a combined connection: on a raw one it names no symbol")
        return
    m.symbol = m.name
    m.symbol_size = i
    m.fixed_symbol = True
    snapshot(c, m)


cdef inline void trade(Cursor* c, Message* m, const Channel* kind) noexcept nogil:
    # {"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006",
    #  "X":"MARKET","m":false}; aggTrade has its number in a
    cdef Text key, origin
    expect_channel(m, kind)
    open_object(c)
    while next_key(c, &key):
        if key_is(&key, c'X') and peek(c) == c'"':
            # INSURANCE_FUND, ADL and NA did not happen in the book (seen in 2019 to 2024; tardis.dev drops them too).
            read_text(c, &origin)
            if not word_is(&origin, b"MARKET"):
                m.kind = KIND_IGNORED
        else:
            take_field(c, &key, kind.fields)


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef dict HEAD = {"e": "text", "E": "int event_time", "s": "symbol"}
cdef dict HAPPENED = {"T": "int time"}
cdef dict BEST = {"b": "bid_price", "B": "bid_qty", "a": "ask_price", "A": "ask_qty"}
cdef dict EXECUTED = {"p": "price", "q": "qty"}

cdef Form* LEVEL = list_form(("price", "qty"))


cdef Field* DEPTH = list_fields({**HEAD, **HAPPENED, "U": "first_seq", "u": "last_seq", "pu": "prev_seq", "b": "bids",
                                 "a": "asks"}, LEVEL)
cdef Field* SNAPSHOT = list_fields({"lastUpdateId": "last_seq", "E": "int event_time", **HAPPENED, "bids": "bids",
                                    "asks": "asks"}, LEVEL)
# {"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.510",
#  "T":1723161256313,"E":1723161256313}; spot has no e, T and E
cdef Field* QUOTE = list_fields({**HEAD, **HAPPENED, **BEST, "u": "last_seq"})
cdef Field* TRADE = list_fields({**HEAD, **HAPPENED, **EXECUTED, "m": "maker_bought", "t": "int trade_id"})
cdef Field* AGG_TRADE = list_fields({**HEAD, **HAPPENED, **EXECUTED, "m": "maker_bought", "a": "int trade_id"})
# {"e":"24hrTicker","E":1568693103467,"s":"BTCUSDT","p":"-88.17","P":"-0.855","w":"10223.98","c":"10223.74", ...}
cdef Field* TICKER = list_fields({**HEAD, **BEST, "c": "last", "Q": "last_qty", "o": "open", "h": "high", "l": "low",
                                  "v": "volume", "q": "quote_volume", "p": "change", "P": "change_pct", "w": "vwap",
                                  "x": "prev_close", "O": "int open_time", "C": "int close_time", "F": "first_id",
                                  "L": "last_id", "n": "count"})
# {"e":"markPriceUpdate","E":1617309024002,"s":"BTCUSDT","p":"59022.53514719","P":"58902.34482833",
#  "i":"58936.68384000","r":"0.00058959","T":1617321600000}; r and T are "" and 0 for dated contracts
cdef Field* MARK = list_fields({**HEAD, "p": "mark", "i": "index", "P": "settlement", "r": "funding",
                                "T": "int next_funding"})
# {"e":"forceOrder","E":1568014460893,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014","p":"9910",
#  "ap":"9910","X":"FILLED","l":"0.014","z":"0.014","T":1568014460893}}; S is the side of the forced order
cdef Field* FORCED = list_fields({**HEAD, "o": "inside", "S": "side", **HAPPENED, **EXECUTED, "ap": "average"})

cdef Channel* EVENTS = NULL                            # by `e`; depthUpdate has its own function
add_channel(&EVENTS, b"bookTicker", KIND_QUOTE, QUOTE, bit(SLOT_BID_PRICE) | bit(SLOT_BID_QTY) | bit(SLOT_ASK_PRICE)
            | bit(SLOT_ASK_QTY) | bit(SLOT_LAST_SEQ))
add_channel(&EVENTS, b"trade", KIND_TRADE, TRADE, bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_MAKER_BOUGHT))
add_channel(&EVENTS, b"aggTrade", KIND_TRADE, AGG_TRADE, bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_MAKER_BOUGHT))
add_channel(&EVENTS, b"24hrTicker", KIND_TICKER, TICKER)
add_channel(&EVENTS, b"markPriceUpdate", KIND_MARK, MARK, bit(SLOT_MARK))
add_channel(&EVENTS, b"forceOrder", KIND_LIQUIDATION, FORCED)


# The header counts all weight this address used in the running minute, other programs included.
# Requests, pings and pongs of ours all count as messages.
SPOT_LIMITS = Limits(streams_per_connection=1024, messages_per_second=5, streams_per_request=200,
                     connections_per_5_minutes=300, connection_lifetime_s=24 * 3600, rest_weight_per_minute=6000,
                     weight_header="X-MBX-USED-WEIGHT-1M")

# The 2400 are shared by fapi and dapi since 2026-06-30. The limit on connections is the spot one: futures publish none.
FUTURES_LIMITS = Limits(streams_per_connection=1024, messages_per_second=10, streams_per_request=200,
                        connections_per_5_minutes=300, connection_lifetime_s=24 * 3600, rest_weight_per_minute=2400,
                        weight_header="X-MBX-USED-WEIGHT-1M")


def evidence(link):
    """The evidence of one market, whose deltas are linked so."""
    return (
        Evidence("book", "captures", f"{link}: a missing delta is seen at the next one; every state of the book was "
                                     f"compared with bookTicker of the same number"),
        Evidence("quotes", "captures", "u counts the book's events, not the quotes: a missing quote is not seen"),
        Evidence("trades", "captures", "trade ids rise by 1, which is not checked; sides agree with the quotes"),
        Evidence("agg_trades", "captures", "as trades"),
        Evidence("ticker", "messages", "nothing"),
    )


# What the three markets share.
SHARED = dict(
    shared_ids=True,          # U and u are those of the REST snapshot, t and a those of REST trades
    connect_path=talk.connect_path, read_control=talk.read_control, symbol=str.upper,
    subscribe=partial(talk.request, "SUBSCRIBE"), unsubscribe=partial(talk.request, "UNSUBSCRIBE"),
    max_frame_size=8 << 20,
    resync="rest",
    snapshot_limit=1000,
    read_instruments=lists.read,
)

FUTURES = dict(
    SHARED,
    link=Link.PREVIOUS,
    channels=talk.FUTURES_CHANNELS,
    limits=FUTURES_LIMITS,
    ping_interval_s=180,
    parser=lambda market: BinanceParser(True),
    snapshot_limits=(5, 10, 20, 50, 100, 500, 1000),
    snapshot_weight=talk.futures_weight,
    read_address=talk.read_address(500),
    checked="2026-08-21",
    evidence=(
        *evidence("pu is the u of the delta before"),
        Evidence("mark", "messages", "nothing"),
        Evidence("liquidations", "messages", "nothing; the venue sends at most one a second"),
    ),
)

SPOT = VenueSpec(
    **SHARED,
    name="binance_spot",
    link=Link.RANGE,
    roots={"public": "wss://stream.binance.com:9443"},
    rest_url="https://api.binance.com",
    snapshot_address=talk.snapshot_address("https://api.binance.com/api/v3/depth"),
    read_address=talk.read_address(100),
    instruments_addresses={"": lists.ADDRESSES["spot"]},
    instruments_weight=20,
    snapshot_weight=talk.spot_weight,
    channels=talk.CHANNELS,
    name_streams=talk.make_streams("binance_spot", talk.SPOT_SPEEDS, talk.SPOT_SPEEDS, split=False),
    limits=SPOT_LIMITS,
    ping_interval_s=20,
    parser=lambda market: BinanceParser(False),
    source="https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md",
    checked="2026-09-18",
    evidence=evidence("U is the u of the delta before + 1"),
    forms="JSON of 2021 to 2026, raw and combined; times in ms or, with timeUnit=MICROSECOND, us.",
)

USDM = VenueSpec(
    **FUTURES,
    name="binance_usdm",
    roots={"public": "wss://fstream.binance.com/public", "market": "wss://fstream.binance.com/market"},
    rest_url="https://fapi.binance.com",
    snapshot_address=talk.snapshot_address("https://fapi.binance.com/fapi/v1/depth"),
    instruments_addresses={"": lists.ADDRESSES["usdm"]},
    name_streams=talk.make_streams("binance_usdm", talk.FUTURES_SPEEDS, talk.FUTURES_PARTIAL_SPEEDS, split=True),
    source="https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams",
    forms="JSON of 2019 to 2026, raw and combined, with and without the ps and st keys of 2026.",
)

COINM = VenueSpec(
    **FUTURES,
    name="binance_coinm",
    roots={"public": "wss://dstream.binance.com"},
    rest_url="https://dapi.binance.com",
    snapshot_address=talk.snapshot_address("https://dapi.binance.com/dapi/v1/depth"),
    instruments_addresses={"": lists.ADDRESSES["coinm"]},
    name_streams=talk.make_streams("binance_coinm", talk.FUTURES_SPEEDS, talk.FUTURES_PARTIAL_SPEEDS, split=False),
    source="https://developers.binance.com/docs/derivatives/coin-margined-futures/websocket-market-streams",
    forms="JSON of 2021 to 2026, raw and combined, with and without the st key of 2026.",
)
