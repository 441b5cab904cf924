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

from functools import partial

from orderbook.types cimport BAD_VALUE
from feeds.fields cimport (Channel, Field, add_channel, expect, expect_channel, expect_nothing, find_channel,
                           is_inside, list_fields, list_form, take_field, take_object)
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_MARK, KIND_QUOTE,
                            KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, RESYNC_REST, SLOT_FIRST_SEQ, SLOT_FUNDING,
                            SLOT_INDEX, SLOT_LAST_SEQ, SLOT_LEVEL_PRICE, SLOT_LEVEL_QTY, SLOT_LEVEL_SIDE, SLOT_MARK,
                            SLOT_PARTIAL, SLOT_QUOTE_TOO, SLOT_SPARE, TAKE_PRICE, TAKE_QTY, TAKE_TEXT)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, begins, cut, fail, fill_sides, find_text, give_name, is_zero, next_key,
                         open_object, peek, read_text, skip_value, take, take_any, take_constant, take_name,
                         take_symbol, word_is)
from feeds.sync cimport LINK_NONE

from feeds.venue import Evidence, Handshake, Limits, Link, VenueSpec
from feeds.venues.lists import kucoin as lists
from feeds.venues.talk import kucoin as talk

cdef enum:
    FUTURES = 1               # index into SPEC.markets


cdef class KucoinParser(Parser):
    """Messages of both feeds and both markets; topic or channel tell which."""

    def __cinit__(self):
        self.route_marks = 4                      # {"topic":"/market/level2:BTC-USDT" or {"T":"obu.FUTURES"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"topic":"/market/level2:BTC-USDT","type":"message","subject":"trade.l2update","data":{..}}, in any order
        # {"T":"obu.SPOT", "dp":"increment@10ms", "t":"delta", "P":1790114459840641662, "d":{...}}
        cdef Text name
        if find_text(c, b"topic", &name):
            classic(c, m, &name)
        elif find_text(c, b"T", &name):
            unified(c, m, &name)
        else:
            expect_nothing(c, m, KIND_CONTROL)    # {"id":"1","type":"ack"}, {"id":"p1","result":true}
        at_end(c)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # {"code":"200000","data":{"time":1619378326628,"sequence":"1613277183892","bids":[["242.649","5"]],"asks":[]}}
        # futures: {"code":"200000","data":{"symbol":"XBTUSDTM","sequence":1645045405918,"asks":[[29641.0,30109]],..}}
        expect(m, KIND_SNAPSHOT)
        m.needed |= bit(SLOT_LAST_SEQ)
        m.resync = RESYNC_REST
        take_object(c, ANSWER)
        at_end(c)


cdef inline void classic(Cursor* c, Message* m, const Text* topic) noexcept nogil:
    """One message of a topic. The symbol stands in data, in the topic, or (of :all) in the subject.

    A topic that begins the frame is what its layout is found by; elsewhere the symbol in it is a token.
    """
    cdef Text key, text, name, symbol
    cdef const Channel* channel
    cdef bint leads = True, every
    cut(topic, c':', &name, &symbol)
    every = word_is(&symbol, b"all")              # /market/ticker:all
    channel = find_channel(KNOWN, &name)
    m.kind = KIND_CONTROL                         # without data: an error about a topic
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"data") and peek(c) == c'{':
            if channel == NULL:                   # candles, single orders, indices of margin trading, what is private
                expect_nothing(c, m, KIND_IGNORED)
            else:
                body(c, m, channel)
        elif word_is(&key, b"topic") and peek(c) == c'"':
            read_text(c, &text)
            cut(&text, c':', &name, &symbol)
            if every or symbol.size == 0:
                pass                              # text that must repeat
            elif m.symbol == NULL:
                if leads:
                    give_name(m, &symbol)
                else:
                    take_name(c, &symbol)
            elif not leads:
                take(c, TAKE_TEXT, SLOT_SPARE, symbol.data, symbol.data + symbol.size, True)
        elif word_is(&key, b"subject") and every:
            take_symbol(c)
        elif word_is(&key, b"subject") or word_is(&key, b"type") or word_is(&key, b"data"):
            skip_value(c)
        else:
            take_any(c)
        leads = False


cdef inline void body(Cursor* c, Message* m, const Channel* channel) noexcept nogil:
    """The data of a message; samples stand at the lists of their keys."""
    cdef Text key
    expect_channel(m, channel)
    if m.kind == KIND_DELTA:
        m.resync = RESYNC_REST
    elif m.kind == KIND_SNAPSHOT:
        m.link = LINK_NONE
    open_object(c)
    while next_key(c, &key):
        if m.kind == KIND_DELTA and word_is(&key, b"change"):
            take_change(c, m)
        elif peek(c) == c'{' and is_inside(&key, channel.fields):
            take_object(c, channel.fields)
        else:
            take_field(c, &key, channel.fields)
    if m.kind == KIND_QUOTE:
        fill_sides(c)
    if m.kind == KIND_MARK or channel.fields == TICKER:
        take_constant(c, SLOT_PARTIAL, 1)         # a ticker says nothing of the day
    if channel.fields == TICKER:
        take_constant(c, SLOT_QUOTE_TOO, 1)
    if m.kind == KIND_MARK and not m.seen & (bit(SLOT_MARK) | bit(SLOT_INDEX) | bit(SLOT_FUNDING)):
        m.kind = KIND_IGNORED


cdef inline bint take_change(Cursor* c, Message* m) noexcept nogil:
    """Take a change of futures: "83614,buy,12". A price of 0 is no level."""
    cdef Text text, price, side, qty
    if not read_text(c, &text):
        return False
    cut(&text, c',', &price, &side)
    if not cut(&side, c',', &side, &qty) or not (word_is(&side, b"buy") or word_is(&side, b"sell")):
        c.pos = text.data
        return fail(c, BAD_VALUE, b"price,side,size with the side buy or sell")
    if is_zero(&price):
        return True                               # "0,buy,0" only brings the number on
    m.needed |= bit(SLOT_LEVEL_PRICE) | bit(SLOT_LEVEL_QTY) | bit(SLOT_LEVEL_SIDE)
    return (take(c, TAKE_PRICE, SLOT_LEVEL_PRICE, price.data, price.data + price.size, False)
            and take_constant(c, SLOT_LEVEL_SIDE, 1 if side.size == 3 else -1)
            and take(c, TAKE_QTY, SLOT_LEVEL_QTY, qty.data, qty.data + qty.size, False))


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef Form* LEVEL = list_form(("price", "qty"))
cdef Form* CHANGE = list_form(("price", "qty", "seq"))

cdef dict COMMON = {"symbol": "symbol", "time": "time", "ts": "time", "timestamp": "time", "datetime": "time"}
cdef dict SIDES = {"bids": "bids", "asks": "asks"}
cdef dict SEQUENCE = {"sequence": "last_seq"}


# {"changes":{"asks":[["67996.7","1.14213262","14701689783"]],"bids":[]},"sequenceEnd":14701689783,
#  "sequenceStart":14701689783,"symbol":"BTC-USDT","time":1729816425625}
# {"sequence":1747821025244,"change":"83614,buy,12","timestamp":1790113097240}
cdef Field* CHANGES = list_fields({"changes": "inside", "sequence": ("first_seq", "last_seq"),
                                   "sequenceStart": "first_seq", "sequenceEnd": "last_seq", **COMMON, **SIDES}, CHANGE)
# {"asks":[["31530.2","2.90121626"]],"bids":[["31530.1","0.74468602"]],"timestamp":1653989906722}
# futures: {"sequence":1638556032307,"asks":[[31529,12725]],"bids":[[31528.00000000,2856]],"ts":1653991142662, ...}
cdef Field* BOOK = list_fields({**SEQUENCE, **COMMON, **SIDES}, LEVEL)
cdef Field* ANSWER = list_fields({"data": "inside", **SEQUENCE, **COMMON, **SIDES}, LEVEL)
# {"makerOrderId":"...","price":"67523","sequence":"11067996711960577","side":"buy","size":"0.003",
#  "symbol":"BTC-USDT","takerOrderId":"...","time":"1729843222921000000","tradeId":"...","type":"match"}
# {"symbol":"SOLUSDTM","sequence":1701197946092,"side":"sell","size":10,"price":"93.624","ts":1705708799998000000}
cdef Field* TRADE = list_fields({"sequence": "trade_id", "price": "price", "size": "qty", "side": "side", **COMMON})
# {"asks":["68145.8","0.51987471"],"bids":["68145.7","1.29267802"],"timestamp":1729816058766}
# {"symbol":"AUCTIONUSDTM","sequence":1702237470700,"bestBidSize":260,"bestBidPrice":"24.067",
#  "bestAskPrice":"24.08","bestAskSize":250,"ts":1705708800078000000}
cdef Field* QUOTE = list_fields({**SEQUENCE, "bids": "bid pair", "asks": "ask pair", "bestBidPrice": "bid_price",
                                 "bestBidSize": "bid_qty", "bestAskPrice": "ask_price", "bestAskSize": "ask_qty",
                                 **COMMON})
# {"bestAsk":"0.549931","bestAskSize":"966.4756","bestBid":"0.549824","bestBidSize":"100","price":"0.549931",
#  "sequence":"1623526404099","size":"1","time":1660608019871}; sequence is a number of the book
cdef Field* TICKER = list_fields({**SEQUENCE, "bestBid": "bid_price", "bestBidSize": "bid_qty", "bestAsk": "ask_price",
                                  "bestAskSize": "ask_qty", "price": "last", "size": "last_qty", **COMMON})
# {"sequence":"5701753771","data":{"averagePrice":21736.7,"buy":21423,"changePrice":-556.8,"changeRate":-0.0253,
#  "datetime":1676310802092,"high":22030.7,"lastTradedPrice":21423.1,"low":21407,"symbol":"BTC-USDT", ...}}
# futures: {"symbol":"XBTMM22","volume":590275,"turnover":19.4,"lastPrice":29912,"lowPrice":29332.0, ...}
cdef Field* DAY = list_fields({
    "data": "inside", "lastTradedPrice": "last", "lastPrice": "last", "averagePrice": "vwap", "open": "open",
    "high": "high", "highPrice": "high", "low": "low", "lowPrice": "low", "vol": "volume", "volume": "volume",
    "volValue": "quote_volume", "turnover": "quote_volume", "changePrice": "change", "priceChg": "change", **COMMON})
# {"markPrice":39612.67,"indexPrice":39618,"granularity":1000,"timestamp":1706068802000}
# {"granularity":60000,"fundingRate":0.000038,"timestamp":1706068800000}
# {"symbol":"ETHUSDCM","fundingTime":1551770400000,"fundingRate":-0.002966,"timestamp":1551770400000}
cdef Field* MARK = list_fields({"markPrice": "mark", "indexPrice": "index", "fundingRate": "funding", **COMMON})

include "kucoin_unified.pxi"


cdef Channel* KNOWN = NULL                            # by what stands before the colon of a topic
# A change of futures is one level, or none.
add_channel(&KNOWN, b"/market/level2", KIND_DELTA, CHANGES, bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ))
add_channel(&KNOWN, b"/market/match", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"/spotMarket/level1", KIND_QUOTE, QUOTE)
add_channel(&KNOWN, b"/market/ticker", KIND_TICKER, TICKER)
add_channel(&KNOWN, b"/market/snapshot", KIND_TICKER, DAY)
add_channel(&KNOWN, b"/spotMarket/level2Depth5", KIND_SNAPSHOT, BOOK, 0, 5)
add_channel(&KNOWN, b"/spotMarket/level2Depth50", KIND_SNAPSHOT, BOOK, 0, 50)
add_channel(&KNOWN, b"/contractMarket/level2", KIND_DELTA, CHANGES, bit(SLOT_FIRST_SEQ) | bit(SLOT_LAST_SEQ), 0,
            FUTURES)
add_channel(&KNOWN, b"/contractMarket/execution", KIND_TRADE, TRADE, 0, 0, FUTURES)
add_channel(&KNOWN, b"/contractMarket/tickerV2", KIND_QUOTE, QUOTE, 0, 0, FUTURES)
add_channel(&KNOWN, b"/contractMarket/snapshot", KIND_TICKER, DAY, 0, 0, FUTURES)
add_channel(&KNOWN, b"/contractMarket/level2Depth5", KIND_SNAPSHOT, BOOK, 0, 5, FUTURES)
add_channel(&KNOWN, b"/contractMarket/level2Depth50", KIND_SNAPSHOT, BOOK, 0, 50, FUTURES)
add_channel(&KNOWN, b"/contract/instrument", KIND_MARK, MARK, 0, 0, FUTURES)
add_channel(&KNOWN, b"/contract/announcement", KIND_MARK, MARK, 0, 0, FUTURES)


SPEC = VenueSpec(
    name="kucoin",
    link=Link.OVERLAP,        # first <= last + 1; a change of futures has one number, which is both
    roots={
        "spot": "wss://x-push-spot.kucoin.com",
        "futures": "wss://x-push-futures.kucoin.com",
        "classic_spot": "wss://ws-api-spot.kucoin.com/",
        "classic_futures": "wss://ws-api-futures.kucoin.com/",
    },
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 100 messages in 10 s and 300 topics on a classic connection (300 and 600 on a unified one), 30 connections a
    # minute. A weight for REST is not known: KuCoin answers 429 when many books are asked for at once.
    limits=Limits(streams_per_connection=300, messages_per_second=10, streams_per_request=100,
                  connections_per_5_minutes=150, connection_lifetime_s=24 * 3600, rest_weight_per_minute=600,
                  connections=800, connections_per_minute=30),
    max_frame_size=8 << 20,
    parser=lambda market: KucoinParser(market=talk.MARKETS.index(market) if market in talk.MARKETS else 0),
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
    markets=talk.MARKETS,
    ping='{"id":"p1","type":"ping"}',
    ping_interval_s=18,
    handshake={
        "classic_spot": Handshake("https://api.kucoin.com/api/v1/bullet-public", talk.read_bullet),
        "classic_futures": Handshake("https://api-futures.kucoin.com/api/v1/bullet-public", talk.read_bullet),
    },
    resync="resubscribe",     # the unified book; a classic one: by REST
    rest_url="https://api.kucoin.com",
    snapshot_address=talk.snapshot_address,
    snapshot_limit=100,
    snapshot_limits=(20, 100),
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
)
