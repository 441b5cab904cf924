"""KuCoin, spot and futures: the classic feed (topics, a token) and the unified one (UTA: no token, binary frames).

Wire forms: classic JSON of 2021 to 2026 and the unified books of 2026 (`obu`). Both are served today. A feed takes the
book from the unified socket, where the snapshot comes in the stream, and everything else from the classic one: unified
trades, tickers and funding have not been captured, so their shape is not known (2026-10-15); they are left out.

A classic book starts with a REST answer; a public one has 100 levels a side on spot, all of them on futures. Each
changed level of spot carries its own number and counts only if that is above the book's; the price "0" is no level and
only brings the number on. A change of futures is one level written as text: "price,side,size". The aggressor is
`side`. Spot quantities are base coin, futures quantities lots. Times are ms or ns, told apart by size. `sequence` is
the id of a trade: up to 2023 `tradeId` was no number. Index and mark price of margin trading (`/indicator/...`) belong
to no instrument of a book and are left out. There is no public channel for liquidations.

Sources: KuCoin API documents, classic and unified, with their changes of 2026; a recording of 2021-04-25; tardis-node
(2026-08); live probe of the unified feed of 2026-09; checked 2026-10-15.
"""

import json
from decimal import Decimal
from urllib.parse import parse_qs, quote, urlsplit

from libc.string cimport memchr, memcmp
from orderbook.types cimport BAD_VALUE
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_MARK, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, RESYNC_REST, SEEN_ASKS, SEEN_BIDS, SLOT_AGGRESSOR,
                            SLOT_ASK_PRICE, SLOT_ASK_QTY, SLOT_BID_PRICE, SLOT_BID_QTY, SLOT_CHANGE, SLOT_EVENT_TIME,
                            SLOT_FIRST_SEQ, SLOT_FUNDING, SLOT_HIGH, SLOT_INDEX, SLOT_LAST, SLOT_LAST_QTY,
                            SLOT_LAST_SEQ, SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY, SLOT_LEVEL_SIDE, SLOT_LOW, SLOT_MARK,
                            SLOT_OPEN, SLOT_PARTIAL, SLOT_PRICE, SLOT_QTY, SLOT_QUOTE_TOO, SLOT_QUOTE_VOLUME,
                            SLOT_SPARE, SLOT_TIME, SLOT_TRADE_ID, SLOT_VOLUME, SLOT_VWAP, TAKE_DOUBLE, TAKE_ID,
                            TAKE_INT, TAKE_LEVELS, TAKE_PRICE, TAKE_QTY, TAKE_SYMBOL, TAKE_TEXT, TAKE_TIME)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Field, Text, at_end, fail, fill_sides, is_digit, key_is, list_fields, list_form,
                         next_key, open_object, peek, read_text, skip_value, take, take_aggressor, take_any, take_array,
                         take_constant, take_field, take_int, take_object, take_symbol, take_time, word_is)
from feeds.sync cimport LINK_NONE

from feeds.venue import (Answer, Control, Evidence, Handshake, Instrument, Limits, Link, Stream, UnsupportedChannel,
                         VenueSpec, read_object)

cdef enum:
    FUTURES = 1               # index into SPEC.markets


cdef class KucoinParser(Parser):
    """Messages of both feeds and both markets; topic or channel tell which."""

    def __cinit__(self, int market=0):
        self.market = market
        self.route_mark = c'"'
        self.route_marks = 4                      # {"topic":"/market/level2:BTC-USDT" or {"T":"obu.FUTURES"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"topic":"/market/level2:BTC-USDT","type":"message","subject":"trade.l2update","data":{..}}, in any order
        # {"T":"obu.SPOT", "dp":"increment@10ms", "t":"delta", "P":1790114459840641662, "d":{...}}
        cdef Cursor ahead = c[0]
        cdef Text key, name
        ahead.message = NULL
        open_object(&ahead)
        while next_key(&ahead, &key):
            if word_is(&key, b"topic") and peek(&ahead) == c'"':
                read_text(&ahead, &name)
                classic(c, m, &name)
                break
            if key_is(&key, c'T') and peek(&ahead) == c'"':
                read_text(&ahead, &name)
                unified(c, m, &name)
                break
            skip_value(&ahead)
        else:
            m.kind = KIND_CONTROL                 # {"id":"1","type":"ack"}, {"id":"p1","result":true}
            skip_value(c)
        at_end(c)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # {"code":"200000","data":{"time":1619378326628,"sequence":"1613277183892","bids":[["242.649","5"]],"asks":[]}}
        # futures: {"code":"200000","data":{"symbol":"XBTUSDTM","sequence":1645045405918,"asks":[[29641.0,30109]],..}}
        cdef Text key
        m.kind = KIND_SNAPSHOT
        m.resync = RESYNC_REST
        m.needed = bit(SLOT_LAST_SEQ) | bit(SEEN_BIDS) | bit(SEEN_ASKS)
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"data"):
                take_object(c, BOOK)
            else:
                take_any(c)
        at_end(c)


# ---- the classic feed

cdef inline const char* behind_colon(const Text* topic) noexcept nogil:
    """Where the symbol begins in a topic; its end if there is none."""
    cdef const char* colon = <const char*> memchr(topic.data, c':', topic.size)
    return topic.data + topic.size if colon == NULL else colon + 1


cdef inline void classic(Cursor* c, Message* m, const Text* topic) noexcept nogil:
    """One message of a topic. The symbol stands in the topic, in data, or (of :all) in the subject: the first counts.

    A topic that begins the frame is what its layout is found by; elsewhere the symbol in it is a token.
    """
    cdef Text key, name, text
    cdef const char* symbol = behind_colon(topic)
    cdef const char* past = topic.data + topic.size
    cdef bint leads = True
    cdef bint every = past - symbol == 3 and memcmp(symbol, b"all", 3) == 0     # /market/ticker:all
    name.data = topic.data
    name.size = symbol - topic.data - (symbol != past)
    m.market = FUTURES if name.size > 9 and memcmp(name.data, b"/contract", 9) == 0 else 0
    m.kind = KIND_CONTROL                         # without data: an error about a topic
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"data"):
            if peek(c) == c'{':
                body(c, m, &name)
            else:
                skip_value(c)
        elif word_is(&key, b"topic") and peek(c) == c'"':
            read_text(c, &text)
            symbol = behind_colon(&text)
            past = text.data + text.size
            if symbol == past or every:
                pass
            elif m.symbol != NULL or word_is(&name, b"/market/snapshot"):       # a snapshot's may be that of a coin
                if not leads:
                    take(c, TAKE_TEXT, SLOT_SPARE, symbol, past, True)
            else:
                m.symbol = symbol
                m.symbol_size = past - symbol
                m.fixed_symbol = leads
                if not leads:
                    take(c, TAKE_SYMBOL, SLOT_SPARE, symbol, past, True)
        elif word_is(&key, b"subject") and every:
            take_symbol(c)
        elif word_is(&key, b"subject") or word_is(&key, b"type"):
            skip_value(c)
        else:
            take_any(c)
        leads = False


cdef inline void body(Cursor* c, Message* m, const Text* name) noexcept nogil:
    """The data of a message, by the name of its topic."""
    if word_is(name, b"/market/level2"):
        # {"changes":{"asks":[["67996.7","1.14213262","14701689783"]],"bids":[]},"sequenceEnd":14701689783,
        #  "sequenceStart":14701689783,"symbol":"BTC-USDT","time":1729816425625}
        m.kind = KIND_DELTA
        m.resync = RESYNC_REST
        m.needed = bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ)
        take_data(c, m, CHANGES)
    elif word_is(name, b"/contractMarket/level2"):
        # {"sequence":1747821025244,"change":"83614,buy,12","timestamp":1790113097240}
        m.kind = KIND_DELTA
        m.resync = RESYNC_REST
        m.needed = bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ)
        take_data(c, m, CHANGES)
    elif word_is(name, b"/market/match") or word_is(name, b"/contractMarket/execution"):
        # {"makerOrderId":"...","price":"67523","sequence":"11067996711960577","side":"buy","size":"0.003",
        #  "symbol":"BTC-USDT","takerOrderId":"...","time":"1729843222921000000","tradeId":"...","type":"match"}
        # {"symbol":"SOLUSDTM","sequence":1701197946092,"side":"sell","size":10,"price":"93.624",
        #  "ts":1705708799998000000}
        m.kind = KIND_TRADE
        m.needed = bit(SLOT_PRICE) | bit(SLOT_QTY) | bit(SLOT_AGGRESSOR)
        take_data(c, m, TRADE)
    elif word_is(name, b"/spotMarket/level1") or word_is(name, b"/contractMarket/tickerV2"):
        # {"asks":["68145.8","0.51987471"],"bids":["68145.7","1.29267802"],"timestamp":1729816058766}
        # {"symbol":"AUCTIONUSDTM","sequence":1702237470700,"bestBidSize":260,"bestBidPrice":"24.067",
        #  "bestAskPrice":"24.08","bestAskSize":250,"ts":1705708800078000000}
        m.kind = KIND_QUOTE
        m.needed = bit(SLOT_BID_PRICE) | bit(SLOT_BID_QTY) | bit(SLOT_ASK_PRICE) | bit(SLOT_ASK_QTY)
        take_data(c, m, QUOTE)
        fill_sides(c)
    elif word_is(name, b"/market/ticker"):
        # {"bestAsk":"0.549931","bestAskSize":"966.4756","bestBid":"0.549824","bestBidSize":"100","price":"0.549931",
        #  "sequence":"1623526404099","size":"1","time":1660608019871}; sequence is a number of the book
        m.kind = KIND_TICKER
        m.needed = bit(SLOT_LAST)
        take_data(c, m, TICKER)
        take_constant(c, SLOT_PARTIAL, 1)         # it says nothing of the day
        take_constant(c, SLOT_QUOTE_TOO, 1)
    elif word_is(name, b"/market/snapshot") or word_is(name, b"/contractMarket/snapshot"):
        day(c, m)
    elif word_is(name, b"/contract/instrument") or word_is(name, b"/contract/announcement"):
        # {"markPrice":39612.67,"indexPrice":39618,"granularity":1000,"timestamp":1706068802000}
        # {"granularity":60000,"fundingRate":0.000038,"timestamp":1706068800000}
        # {"symbol":"ETHUSDCM","fundingTime":1551770400000,"fundingRate":-0.002966,"timestamp":1551770400000}
        m.kind = KIND_MARK
        take_data(c, m, MARK)
        take_constant(c, SLOT_PARTIAL, 1)
        if not m.seen & (bit(SLOT_MARK) | bit(SLOT_INDEX) | bit(SLOT_FUNDING)):
            m.kind = KIND_IGNORED
    elif name.size > 12 and memcmp(name.data + name.size - 6, b"Depth5", 6) == 0:
        whole(c, m, 5)
    elif name.size > 13 and memcmp(name.data + name.size - 7, b"Depth50", 7) == 0:
        whole(c, m, 50)
    else:
        m.kind = KIND_IGNORED                     # candles, single orders, indices of margin trading, what is private
        skip_value(c)


cdef inline void whole(Cursor* c, Message* m, int depth) noexcept nogil:
    # {"asks":[["31530.2","2.90121626"]],"bids":[["31530.1","0.74468602"]],"timestamp":1653989906722}
    # futures: {"sequence":1638556032307,"asks":[[31529,12725]],"bids":[[31528.00000000,2856]],"ts":1653991142662, ...}
    m.kind = KIND_SNAPSHOT
    m.depth = depth
    m.link = LINK_NONE
    m.needed = bit(SEEN_BIDS) | bit(SEEN_ASKS)
    take_data(c, m, BOOK)


cdef inline void day(Cursor* c, Message* m) noexcept nogil:
    # {"sequence":"5701753771","data":{"averagePrice":21736.7,"buy":21423,"changePrice":-556.8,"changeRate":-0.0253,
    #  "datetime":1676310802092,"high":22030.7,"lastTradedPrice":21423.1,"low":21407,"symbol":"BTC-USDT", ...}}
    # futures: {"symbol":"XBTMM22","volume":590275,"turnover":19.4,"lastPrice":29912,"lowPrice":29332.0, ...}
    cdef Text key
    m.kind = KIND_TICKER
    m.needed = bit(SLOT_LAST)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"data") and peek(c) == c'{':
            take_data(c, m, DAY)
        elif word_is(&key, b"symbol"):
            take_name(c, m)
        else:
            take_field(c, &key, DAY)


cdef inline bint take_name(Cursor* c, const Message* m) noexcept nogil:
    """Take the symbol, unless it is known."""
    return take_symbol(c) if m.symbol == NULL else take_any(c)


cdef inline void take_data(Cursor* c, Message* m, const Field* fields) noexcept nogil:
    """Take an object whose keys mean what the list says; some mean the same in all."""
    cdef Text key
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"symbol"):
            take_name(c, m)
        elif word_is(&key, b"side") and m.kind == KIND_TRADE:
            take_aggressor(c, b"buy", b"sell")
        elif word_is(&key, b"changes"):
            take_object(c, fields)
        elif word_is(&key, b"sequence") and m.kind == KIND_DELTA:               # one number: the first and the last
            take_here(c, SLOT_FIRST_SEQ)
            take_int(c, SLOT_LAST_SEQ)
        elif word_is(&key, b"change") and m.kind == KIND_DELTA:
            take_change(c, m)
        elif m.kind == KIND_QUOTE and (word_is(&key, b"bids") or word_is(&key, b"asks")):
            take_array(c, &BEST_BID[0] if key.data[0] == c'b' else &BEST_ASK[0])
        else:
            take_field(c, &key, fields)


cdef inline bint take_here(Cursor* c, int slot) noexcept nogil:
    """Take an integer and stay before it."""
    cdef const char* start
    peek(c)
    start = c.pos
    if not take_int(c, slot):
        return False
    c.pos = start
    return True


cdef inline bint take_change(Cursor* c, Message* m) noexcept nogil:
    """Take a change of futures: "83614,buy,12". A price of 0 is no level."""
    cdef Text text, side
    cdef const char* digit
    cdef const char* first
    cdef const char* second
    cdef const char* past
    if not read_text(c, &text):
        return False
    past = text.data + text.size
    digit = text.data
    first = <const char*> memchr(text.data, c',', text.size)
    second = NULL if first == NULL else <const char*> memchr(first + 1, c',', past - first - 1)
    if second == NULL:
        c.pos = text.data
        return fail(c, BAD_VALUE, b"price,side,size")
    side.data = first + 1
    side.size = second - side.data
    if not word_is(&side, b"buy") and not word_is(&side, b"sell"):
        c.pos = side.data
        return fail(c, BAD_VALUE, b"buy or sell")
    while digit != first and (digit[0] == c'0' or digit[0] == c'.'):
        digit += 1
    if digit == first and first != text.data:
        return True                               # "0,buy,0" only brings the number on
    m.needed |= bit(SLOT_LEVEL_PRICE) | bit(SLOT_LEVEL_QTY) | bit(SLOT_LEVEL_SIDE)
    return (take(c, TAKE_PRICE, SLOT_LEVEL_PRICE, text.data, first, False)
            and take_constant(c, SLOT_LEVEL_SIDE, 1 if side.size == 3 else -1)
            and take(c, TAKE_QTY, SLOT_LEVEL_QTY, second + 1, past, False))


# ---- the unified feed

cdef inline void unified(Cursor* c, Message* m, const Text* channel) noexcept nogil:
    # {"T":"obu.FUTURES", "dp":"increment@10ms", "t":"delta", "P":1790114459840641662, "d":{"a":[],
    #  "b":[["85973.3","16236"]],"C":1747821262585,"s":"XBTUSDTM","M":1790114459839000000,"O":1747821262584}}
    cdef Text key, text
    cdef Py_ssize_t i
    if channel.size < 4 or memcmp(channel.data, b"obu.", 4) != 0:
        m.kind = KIND_IGNORED
        skip_value(c)
        return
    m.market = FUTURES if word_is(channel, b"obu.FUTURES") else 0
    m.kind = KIND_SNAPSHOT
    m.needed = bit(SEEN_BIDS) | bit(SEEN_ASKS)
    open_object(c)
    while next_key(c, &key):
        if key_is(&key, c't') and read_text(c, &text):
            if word_is(&text, b"delta"):
                m.kind = KIND_DELTA
            elif not word_is(&text, b"snapshot"):
                fail(c, BAD_VALUE, b"snapshot or delta")
        elif word_is(&key, b"dp") and read_text(c, &text):
            i = 0
            while i < text.size and i < 4 and is_digit(text.data[i]):           # 5 or 50: whole partial books
                m.depth = 10 * m.depth + (text.data[i] - c'0')
                i += 1
        elif key_is(&key, c'd') and peek(c) == c'{':
            take_object(c, UNIFIED)
        elif key_is(&key, c'P'):
            take_time(c, SLOT_EVENT_TIME)
        elif key_is(&key, c'T'):
            skip_value(c)
        else:
            take_any(c)
    if m.depth:
        m.link = LINK_NONE
        m.kind = KIND_SNAPSHOT
    else:
        m.needed |= bit(SLOT_LAST_SEQ) | (bit(SLOT_FIRST_SEQ) if m.kind == KIND_DELTA else 0)


# What the keys of each message mean: (key, what to take, slot). A key that is not listed is stepped over.
cdef Form LEVEL, CHANGE
list_form(&LEVEL, ("price", "qty"))
list_form(&CHANGE, ("price", "qty", "seq"))

cdef tuple TIMES = (("time", TAKE_TIME, SLOT_TIME), ("ts", TAKE_TIME, SLOT_TIME), ("timestamp", TAKE_TIME, SLOT_TIME),
                    ("datetime", TAKE_TIME, SLOT_TIME))
cdef tuple SIDES = (("bids", TAKE_LEVELS, 0), ("asks", TAKE_LEVELS, 1))
cdef tuple SEQUENCE = (("sequence", TAKE_INT, SLOT_LAST_SEQ),)

cdef Field[16] CHANGES, BOOK, TRADE, QUOTE, TICKER, MARK, UNIFIED
cdef Field[4] BEST_BID, BEST_ASK
cdef Field[32] DAY

list_fields(CHANGES, (("sequenceStart", TAKE_INT, SLOT_FIRST_SEQ), ("sequenceEnd", TAKE_INT, SLOT_LAST_SEQ), *SEQUENCE,
                      *TIMES, *SIDES), &CHANGE)
list_fields(BOOK, (*SEQUENCE, *TIMES, *SIDES), &LEVEL)
list_fields(TRADE, (("sequence", TAKE_ID, SLOT_TRADE_ID), ("price", TAKE_PRICE, SLOT_PRICE),
                    ("size", TAKE_QTY, SLOT_QTY), *TIMES))
list_fields(QUOTE, (*SEQUENCE, ("bestBidPrice", TAKE_PRICE, SLOT_BID_PRICE), ("bestBidSize", TAKE_QTY, SLOT_BID_QTY),
                    ("bestAskPrice", TAKE_PRICE, SLOT_ASK_PRICE), ("bestAskSize", TAKE_QTY, SLOT_ASK_QTY), *TIMES))
list_fields(BEST_BID, (("price", TAKE_PRICE, SLOT_BID_PRICE), ("qty", TAKE_QTY, SLOT_BID_QTY)))
list_fields(BEST_ASK, (("price", TAKE_PRICE, SLOT_ASK_PRICE), ("qty", TAKE_QTY, SLOT_ASK_QTY)))
list_fields(TICKER, (*SEQUENCE, ("bestBid", TAKE_PRICE, SLOT_BID_PRICE), ("bestBidSize", TAKE_QTY, SLOT_BID_QTY),
                     ("bestAsk", TAKE_PRICE, SLOT_ASK_PRICE), ("bestAskSize", TAKE_QTY, SLOT_ASK_QTY),
                     ("price", TAKE_DOUBLE, SLOT_LAST), ("size", TAKE_DOUBLE, SLOT_LAST_QTY), *TIMES))
list_fields(DAY, (
    ("lastTradedPrice", TAKE_DOUBLE, SLOT_LAST), ("lastPrice", TAKE_DOUBLE, SLOT_LAST),
    ("averagePrice", TAKE_DOUBLE, SLOT_VWAP), ("open", TAKE_DOUBLE, SLOT_OPEN), ("high", TAKE_DOUBLE, SLOT_HIGH),
    ("highPrice", TAKE_DOUBLE, SLOT_HIGH), ("low", TAKE_DOUBLE, SLOT_LOW), ("lowPrice", TAKE_DOUBLE, SLOT_LOW),
    ("vol", TAKE_DOUBLE, SLOT_VOLUME), ("volume", TAKE_DOUBLE, SLOT_VOLUME),
    ("volValue", TAKE_DOUBLE, SLOT_QUOTE_VOLUME), ("turnover", TAKE_DOUBLE, SLOT_QUOTE_VOLUME),
    ("changePrice", TAKE_DOUBLE, SLOT_CHANGE), ("priceChg", TAKE_DOUBLE, SLOT_CHANGE), *TIMES))
list_fields(MARK, (("markPrice", TAKE_DOUBLE, SLOT_MARK), ("indexPrice", TAKE_DOUBLE, SLOT_INDEX),
                   ("fundingRate", TAKE_DOUBLE, SLOT_FUNDING), *TIMES))
list_fields(UNIFIED, (("s", TAKE_SYMBOL, 0), ("O", TAKE_INT, SLOT_FIRST_SEQ), ("C", TAKE_INT, SLOT_LAST_SEQ),
                      ("M", TAKE_TIME, SLOT_TIME), ("b", TAKE_LEVELS, 0), ("a", TAKE_LEVELS, 1)), &LEVEL)


MARKETS = ("spot", "futures")

CHANNELS = {
    "book": "order book: the best 500 levels, changes each 10 ms; speed=realtime: every change, joined to a REST "
            "answer; depth=5 or 50: whole, each 100 ms",
    "trades": "every trade",
    "quotes": "best bid and offer, in real time",
    "ticker": "statistics of the last 24 hours",
    "mark": "futures: mark price, index price and funding rate, once a second",
}

# market -> channel -> topic
TOPICS = {
    "spot": {"trades": "/market/match", "quotes": "/spotMarket/level1", "ticker": "/market/snapshot"},
    "futures": {"trades": "/contractMarket/execution", "quotes": "/contractMarket/tickerV2",
                "ticker": "/contractMarket/snapshot", "mark": "/contract/instrument"},
}
DELTAS = {"spot": "/market/level2", "futures": "/contractMarket/level2"}
WHOLE = {"spot": "/spotMarket/level2Depth", "futures": "/contractMarket/level2Depth"}
SPEEDS = {None: ("10ms", "realtime"), 5: ("100ms",), 50: ("100ms",)}


def book_stream(symbol, market, depth, speed):
    """Name, root and depth of the stream of one book."""
    if depth not in SPEEDS:
        raise UnsupportedChannel(f"kucoin has no book of depth {depth!r}; it has: 5, 50, or None for 500 levels")
    if speed is not None and speed not in SPEEDS[depth]:
        raise UnsupportedChannel(f"kucoin has no speed {speed!r} for this book; it has: {', '.join(SPEEDS[depth])}")
    if depth is not None:
        return f"{WHOLE[market]}{depth}:{symbol}", f"classic_{market}", depth
    if speed == "realtime":
        return f"{DELTAS[market]}:{symbol}", f"classic_{market}", 0
    return f"obu:{market.upper()}:{symbol}:increment@10ms", market, 0


def streams(symbols, channels, depth=None, speed=None, market=None):
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only."""
    SPEC.check_channels(channels)
    market = SPEC.check_market(market)
    known = ("book", *TOPICS[market])
    lacking = [channel for channel in channels if channel not in known]
    if lacking:
        raise UnsupportedChannel(f"kucoin {market} has no channel {', '.join(map(repr, lacking))}; "
                                 f"it has: {', '.join(known)}")
    planned = []
    for symbol in map(spelling, symbols):
        name, root, own = book_stream(symbol, market, depth, speed)
        for channel in channels:
            if channel == "book":
                planned.append(Stream(name, root, symbol, channel, own, market))
            else:
                topic = f"{TOPICS[market][channel]}:{symbol}"
                planned.append(Stream(topic, f"classic_{market}", symbol, channel, 0, market))
    return planned


def spelling(symbol):
    """BTC-USDT on spot, whatever stands between the coins; XBTUSDTM on futures."""
    return symbol.upper().replace("/", "-").replace("_", "-")


def request(names, request_id, classic_type, unified_action):
    """A classic frame takes all symbols of a topic, a unified one a single symbol."""
    # {"id":1,"type":"subscribe","topic":"/market/level2:BTC-USDT,ETH-USDT","privateChannel":false,"response":true}
    # {"id":"1","action":"SUBSCRIBE","channel":"obu","tradeType":"SPOT","symbol":"BTC-USDT","depth":"increment@10ms",
    #  "rpiFilter":0}
    frames = []
    topics = {}
    for name in names:
        if name.startswith("/"):
            topic, _, symbol = name.partition(":")
            topics.setdefault(topic, []).append(symbol)
            continue
        channel, trade_type, symbol, depth = name.split(":")
        frame = {"id": str(request_id), "action": unified_action, "channel": channel, "tradeType": trade_type,
                 "symbol": symbol, "depth": depth}
        if unified_action == "SUBSCRIBE":
            frame["rpiFilter"] = 0
        frames.append(frame)
    frames += [{"id": request_id, "type": classic_type, "topic": f"{topic}:{','.join(symbols)}",
                "privateChannel": False, "response": True} for topic, symbols in topics.items()]
    return [json.dumps(frame, separators=(",", ":"), ensure_ascii=False) for frame in frames]


def subscribe(names, request_id):
    return request(names, request_id, "subscribe", "SUBSCRIBE")


def unsubscribe(names, request_id):
    return request(names, request_id, "unsubscribe", "UNSUBSCRIBE")


def read_control(payload):
    """Classify a frame that is not market data; never raises.

    {"id":"1","type":"ack"}   {"id":"9","type":"error","code":404,"data":"topic does not exist"}   classic
    {"id":"1","result":true}  {"id":"18","result":false,"message":"invalid request data"}          unified
    {"id":"NSkIrWGB1s","type":"welcome"}   {"sessionId":"...","message":"welcome","pingInterval":18000}
    {"type":"pong","id":"p32","ts":1790114459840641662}
    """
    text, message = read_object(payload)
    told = str(message.get("id", ""))
    request_id = int(told) if told.isascii() and told.isdigit() and len(told) < 19 else None
    kind = message.get("type")
    if kind == "pong" or told.startswith("p"):        # ids of pings begin so, and unified answers name nothing else
        return Control("pong", text=text)
    if kind == "ack" or message.get("result") is True:
        return Control("ack", request_id, text=text)
    if kind == "error":
        code = message.get("code")
        reason = {404: "bad_symbol", 401: "authorisation", 429: "rate_limit"}.get(code, "") if type(code) is int else ""
        return Control("error", request_id, code if isinstance(code, (int, str)) else None,
                       str(message.get("data", text)), reason=reason)
    if message.get("result") is False:
        # The one text that is known says that the request was not understood: what varies in ours is the symbol.
        return Control("error", request_id, None, str(message.get("message", text)), reason="bad_symbol")
    return Control("other", text=text)


def read_bullet(answer, connect_id):
    """The address to connect to, from the answer of bullet-public. A token serves one connection; ask for each anew."""
    # {"code":"200000","data":{"token":"2neAi...","instanceServers":[{"endpoint":"wss://ws-api-spot.kucoin.com/",
    #  "encrypt":true,"protocol":"websocket","pingInterval":18000,"pingTimeout":10000}]}}
    try:
        data = json.loads(answer)["data"]
        server, *_ = data["instanceServers"]
        return f"{server['endpoint']}?token={quote(data['token'], safe='')}&connectId={connect_id}"
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"an answer of bullet-public with token and endpoint (missing: {error})") from error


def snapshot_address(symbol, limit, market):
    """Spot: at most 100 levels a side without a key. Futures: the whole book."""
    if market == "futures":
        return f"https://api-futures.kucoin.com/api/v1/level2/snapshot?symbol={quote(symbol)}"
    levels = 20 if limit and limit <= 20 else 100
    return f"https://api.kucoin.com/api/v1/market/orderbook/level2_{levels}?symbol={quote(symbol)}"


# last part of a path -> levels a side of its answer, 0 all
BOOK_PATHS = {"level2": 0, "level2_20": 20, "level2_100": 100, "snapshot": 0, "depth20": 20, "depth100": 100}


def read_address(url):
    """What an answer from this address is."""
    parts = urlsplit(url)
    above, _, last = parts.path.rstrip("/").rpartition("/")
    symbol = parse_qs(parts.query).get("symbol")
    if symbol and last in BOOK_PATHS and above.endswith(("/orderbook", "/level2")):
        return Answer("snapshot", symbol[0], BOOK_PATHS[last], "spot" if above.endswith("/orderbook") else "futures")
    if last == "symbols":
        return Answer("instruments", market="spot")
    return Answer("instruments", market="futures") if above.endswith("/contracts") and last == "active" else None


def step(number):
    """A step as plain decimal text; futures write numbers, some with an exponent (6.0e-4)."""
    return f"{Decimal(str(number)):f}"


def read_instruments(body):
    """Instruments of a list of symbols or contracts. Raises ValueError that says what is missing."""
    # {"code":"200000","data":[{"symbol":"REQ-ETH","baseIncrement":"0.0001","priceIncrement":"0.0000001", ...}]}
    # {"code":"200000","data":[{"symbol":"XBTUSDTM","lotSize":1,"tickSize":1.0,"multiplier":0.001, ...}]}
    try:
        return [Instrument(entry["symbol"], step(entry["priceIncrement"] if "priceIncrement" in entry else
                                                 entry["tickSize"]),
                           step(entry["baseIncrement"] if "baseIncrement" in entry else entry["lotSize"]))
                for entry in json.loads(body, parse_float=str)["data"]]
    except (ArithmeticError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"a list of symbols or contracts with their steps (missing: {error})") from error


SPEC = VenueSpec(
    name="kucoin",
    link=Link.OVERLAP,        # first <= last + 1; a change of futures has one number, which is both
    roots={
        "spot": "wss://x-push-spot.kucoin.com",
        "futures": "wss://x-push-futures.kucoin.com",
        "classic_spot": "wss://ws-api-spot.kucoin.com/",
        "classic_futures": "wss://ws-api-futures.kucoin.com/",
    },
    channels=CHANNELS,
    streams=streams,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    read_control=read_control,
    symbol=spelling,
    # 100 messages in 10 s and 300 topics on a classic connection (300 and 600 on a unified one), 30 connections a
    # minute. A weight for REST is not known: KuCoin answers 429 when many books are asked for at once.
    limits=Limits(
        streams_per_connection=300,
        messages_per_second=10,
        streams_per_request=100,
        connections_per_5_minutes=150,
        connection_lifetime_s=24 * 3600,
        rest_weight_per_minute=600,
    ),
    max_frame_size=8 << 20,
    parser=lambda market: KucoinParser(MARKETS.index(market) if market in MARKETS else 0),
    source="https://www.kucoin.com/docs-new/",
    checked="2026-10-15",
    forms="classic JSON of 2021 to 2026 (books joined to REST answers) and unified books of 2026; both are served.",
    evidence=(
        Evidence("book (classic spot)", "capture",
                 "sequenceStart = last sequenceEnd + 1: a missing or repeated message is seen, not a wrong level"),
        Evidence("book (classic futures)", "messages", "sequence = last + 1: a missing or repeated message is seen"),
        Evidence("book (unified)", "sheet example", "O = last C + 1: a missing or repeated message is seen"),
        Evidence("book (depth=5, 50)", "messages", "nothing; every message is the whole book"),
        Evidence("trades", "capture", "nothing: sequence has holes"),
        Evidence("quotes", "messages", "nothing"),
        Evidence("ticker", "messages", "nothing"),
        Evidence("mark", "messages", "nothing"),
    ),
    markets=MARKETS,
    ping='{"id":"p1","type":"ping"}',
    ping_interval_s=18,
    handshake={
        "classic_spot": Handshake("https://api.kucoin.com/api/v1/bullet-public", read_bullet),
        "classic_futures": Handshake("https://api-futures.kucoin.com/api/v1/bullet-public", read_bullet),
    },
    resync="resubscribe",     # the unified book; a classic one: by REST
    rest_url="https://api.kucoin.com",
    snapshot_address=snapshot_address,
    snapshot_limit=100,
    snapshot_limits=(20, 100),
    read_address=read_address,
    instruments_addresses={
        "spot": "https://api.kucoin.com/api/v2/symbols",
        "futures": "https://api-futures.kucoin.com/api/v1/contracts/active",
    },
    read_instruments=read_instruments,
)
