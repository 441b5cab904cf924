"""HTX (Huobi): spot, and perpetual swaps settled in USDT ("BTC-USDT") or in the coin ("BTC-USD").

Wire forms: JSON of 2019 to 2026, each frame a gzip member. Books: `depth.stepN` and `mbp.refresh.N` (every frame is a
whole book), `mbp.N` of spot (changes, linked by prevSeqNum; the whole book is the answer to a `req` on the same
connection) and `depth.size_N.high_freq` of swaps (whole book and changes in the stream, counted by `version`). All are
served today but for frames of 2019 that have "update":true: changes of depth.step0. step1 and above merge prices: they
are read into a book of their own (depth 20) that no stream offers. Topics of dated futures and options are read as
those of swaps. 24 h statistics, mark and index prices come from `detail` and from candles of the minute.

The aggressor is `direction`; "" says nothing. A liquidation's direction is the side of the forced order. Quantities
are base coin on spot, contracts on swaps (`amount`; `quantity` is base coin with up to 40 digits and is left out).
Times are ms. A trade's id is `tradeId`; where there is none, the last 18 digits of `id`, which has up to 27 on spot.
The first frame of trade.detail tells the last trade once more, seconds to minutes old.

Sources: HTX API documents (spot, USDT-margined), HTX notice on MBP of 2020-06; recordings of 2021-04-17 (spot) and
2022-02-19 (swap); live probe of swaps of 2026-09; checked 2026-10-15. Spot mbp was not probed since (documents only).
"""

from functools import partial

from orderbook.types cimport BAD_VALUE
from feeds.fields cimport (Channel, Field, add_channel, expect_channel, expect_nothing, find_channel, list_fields,
                           list_form, take_field)
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_LIQUIDATION, KIND_MARK,
                            KIND_QUOTE, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE, RESYNC_REQUEST, RESYNC_RESUBSCRIBE,
                            SLOT_FUNDING, SLOT_INDEX, SLOT_LAST_SEQ, SLOT_MARK, SLOT_PARTIAL, SLOT_PREV_SEQ,
                            SLOT_TRADE_ID)
from feeds.parser cimport Parser
from feeds.scan cimport (Cursor, Text, at_end, begins, cut, fail, fill_sides, find_text, give_name, next_key, note_more,
                         number_at, open_object, peek, skip_value, take_constant, take_id, word_is)
from feeds.sync cimport LINK_CHAIN, LINK_COUNTER, LINK_NOT_BELOW, LINK_RISES

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import htx as lists
from feeds.venues.talk import htx as talk

cdef enum:
    SWAP = 1                  # index into SPEC.markets
    MERGED = 20               # depth of the book that depth.step1 and above fill


cdef class HtxParser(Parser):
    """Messages of all sockets; the topic tells spot (small letters) from swaps."""

    cdef const Channel* channel   # of the frame at work; its elements are messages of it
    cdef Text symbol              # of the topic, borrowed from the frame; none where the elements name theirs

    def __cinit__(self):
        self.packed = True
        self.route_marks = 4                      # {"ch":"market.btcusdt.depth.step0"

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        # {"ch":"market.btcusdt.bbo","ts":1790134831873,"tick":{...}}; tick and ts in any order
        # {"id":"2","rep":"market.btcusdt.mbp.150","status":"ok","data":{...}}
        # {"op":"notify","topic":"public.BTC-USDT.funding_rate","ts":1617309787271,"data":[{...}]}
        cdef Text key, topic, group, name
        cdef bint known = False, update = False
        m.kind = KIND_CONTROL                     # a ping, an answer, an error
        m.resync = RESYNC_RESUBSCRIBE
        if find_text(c, b"ch", &topic) or find_text(c, b"rep", &topic) or find_text(c, b"topic", &topic):
            cut(&topic, c'.', &group, &name)      # market or public
            known = cut(&name, c'.', &self.symbol, &name) and (word_is(&group, b"market") or word_is(&group, b"public"))
        if not known:
            skip_value(c)
            at_end(c)
            return
        if word_is(&group, b"public"):
            self.symbol.size = 0                  # of a notice, which names it in each element, it may be *
        open_object(c)
        while next_key(c, &key):
            if word_is(&key, b"tick") and peek(c) == c'{':
                tick(self, c, m, &name, False)
            elif word_is(&key, b"data") and peek(c) == c'{':
                tick(self, c, m, &name, True)
            elif word_is(&key, b"data") and peek(c) == c'[':
                self.channel = find_channel(KNOWN, &name)
                elements(self, c, m)
            elif word_is(&key, b"update"):
                update |= peek(c) == c't'
                skip_value(c)
            else:
                take_field(c, &key, OUTSIDE)
        if update and m.kind == KIND_SNAPSHOT:
            m.kind = KIND_DELTA
            m.link = LINK_RISES
        at_end(c)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        element(self, c, m)
        note_more(c, m)


cdef inline void name_it(HtxParser self, Message* m) noexcept nogil:
    """The symbol stands in the topic, which does not change within a stream."""
    if self.symbol.size:
        give_name(m, &self.symbol)
        m.market = SWAP if c'A' <= m.symbol[0] <= c'Z' else 0


cdef inline void tick(HtxParser self, Cursor* c, Message* m, const Text* name, bint answer) noexcept nogil:
    """What a frame tells, by the name of its topic."""
    cdef const Field* fields
    cdef Text event
    name_it(self, m)
    self.channel = find_channel(KNOWN, name)
    if begins(name, b"depth.step"):
        m.link = LINK_NOT_BELOW
        m.depth = 0 if word_is(name, b"depth.step0") else MERGED
        book(self, c, m, KIND_SNAPSHOT)
    elif begins(name, b"depth.size_"):
        m.link = LINK_COUNTER
        find_text(c, b"event", &event)
        book(self, c, m, KIND_SNAPSHOT if word_is(&event, b"snapshot") else KIND_DELTA)
        if m.kind == KIND_DELTA and not word_is(&event, b"update"):
            fail(c, BAD_VALUE, b"the event snapshot or update")
    elif begins(name, b"mbp.refresh."):
        m.link = LINK_NOT_BELOW
        m.depth = number_at(name, 12)
        book(self, c, m, KIND_SNAPSHOT)
    elif begins(name, b"mbp."):
        m.link = LINK_CHAIN
        m.resync = RESYNC_REQUEST
        m.needed = 0 if answer else bit(SLOT_PREV_SEQ)
        book(self, c, m, KIND_SNAPSHOT if answer else KIND_DELTA)
    elif answer or self.channel == NULL:          # candles, basis; a request that is not ours
        expect_nothing(c, m, KIND_IGNORED)
    elif self.channel.kind == KIND_TRADE:
        # {"id":100182534526,"ts":1618678073690,"data":[{...}]}
        m.kind = KIND_IGNORED                     # if there are no data
        read_tick(self, c, m, NOTHING)
    else:
        expect_channel(m, self.channel)
        name_it(self, m)
        if m.kind == KIND_MARK:
            take_constant(c, SLOT_PARTIAL, 1)
        fields = self.channel.fields
        if fields == DAY and m.market == SWAP:
            fields = SWAP_DAY
        read_tick(self, c, m, fields)
        if m.kind == KIND_QUOTE:
            fill_sides(c)


cdef inline void book(HtxParser self, Cursor* c, Message* m, int kind) noexcept nogil:
    # {"bids":[[9.121E-7,92730.24]],"asks":[],"version":100182534697,"ts":1618678069868}; a side may be absent or null
    # {"mrid":43131188379,"id":1645289384,"bids":[...],"asks":[...],"ts":1645289384828,"version":1645289384,"ch":"..."}
    # {"asks":[],"bids":[[86853.4,2],[86848.5,0]],"ch":"...","event":"update","id":100129125618998,
    #  "mrid":100129125618998,"ts":1790134831870,"version":1789895280798}
    # {"seqNum":100020146795,"prevSeqNum":100020146794,"bids":[],"asks":[[645.14,26.75597395914065]]}
    # mrid counts something else: it is no number of the book.
    m.kind = kind
    m.needed |= bit(SLOT_LAST_SEQ)
    read_tick(self, c, m, BOOK)


cdef inline void read_tick(HtxParser self, Cursor* c, Message* m, const Field* fields) noexcept nogil:
    """Take what a frame tells."""
    cdef Text key
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"data") and peek(c) == c'[':
            elements(self, c, m)
        else:
            take_field(c, &key, fields)


cdef inline void elements(HtxParser self, Cursor* c, Message* m) noexcept nogil:
    """Take the first element of an array of messages; lists of contracts are of no use."""
    if self.channel == NULL:
        expect_nothing(c, m, KIND_IGNORED)
    else:
        self.parse_first(c, m)


cdef inline void element(HtxParser self, Cursor* c, Message* m) noexcept nogil:
    # {"id":100182534526255757567432481,"ts":1618678073690,"tradeId":102523573486,"amount":0.01,"price":55000.1,
    #  "direction":"buy"}; swap: {"amount":4,"quantity":40,"trade_turnover":16.7648,"ts":1645289380927,
    #  "id":431311833130000,"price":0.41912,"direction":"buy"}; direction may be ""
    # {"symbol":"BTC","contract_code":"BTC-USDT","direction":"sell","offset":"close","volume":227,"price":23350.5,
    #  "created_at":1608226502284,"amount":0.227,"trade_turnover":5300.5635}
    # {"symbol":"BTC","contract_code":"BTC-USDT","fee_asset":"USDT","funding_time":"1617309780000",
    #  "funding_rate":"0.000754108135233895","estimated_rate":null,"settlement_time":"1617321600000"}
    cdef Text key
    expect_channel(m, self.channel)
    name_it(self, m)
    if m.kind == KIND_MARK:
        take_constant(c, SLOT_PARTIAL, 1)
    open_object(c)
    while next_key(c, &key):
        if word_is(&key, b"id") and not m.seen & bit(SLOT_TRADE_ID):
            take_id(c, SLOT_TRADE_ID)             # a tradeId, which may follow, goes before it
        else:
            take_field(c, &key, self.channel.fields)


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef Form* LEVEL = list_form(("price", "qty"), None, False, True)       # a side may be null


cdef Field* OUTSIDE = list_fields({"ts": "event_time", "ch": "text", "rep": "text", "topic": "text", "op": "text",
                                   "status": "text"})
cdef Field* BOOK = list_fields({"bids": "bids", "asks": "asks", "ts": "time", "version": "last_seq",
                                "seqNum": "last_seq", "prevSeqNum": "prev_seq", "event": "text"}, LEVEL)
# On spot bid and ask are the price alone.
cdef dict BEST = {"bid": "bid pair", "ask": "ask pair", "bidSize": "bid_qty", "askSize": "ask_qty"}
# {"seqId":100020146795,"ask":86853.5,"askSize":0.31,"bid":86853.4,"bidSize":1.2,"quoteTime":1790134831872,
#  "symbol":"btcusdt"}
# {"ask":[86853.5,310],"bid":[86853.4,1200],"ch":"...","id":100129125618998,"mrid":100129125618998,
#  "ts":1790134831870,"version":100129125618998}; either side may be missing
cdef Field* QUOTE = list_fields({**BEST, "seqId": "last_seq", "version": "last_seq", "quoteTime": "time", "ts": "time"})
cdef Field* TRADE = list_fields({"ts": "time", "tradeId": "trade_id", "amount": "qty", "price": "price",
                                 "direction": "side or 0"})
cdef Field* LIQUIDATION = list_fields({"contract_code": "symbol", "volume": "qty", "price": "price",
                                       "created_at": "time", "direction": "side"})
cdef Field* FUNDING = list_fields({"contract_code": "symbol", "funding_rate": "funding", "funding_time": "time",
                                   "settlement_time": "next_funding"})
# {"id":1654081380,"open":"31565.04","close":"31565.04","high":"31565.04","low":"31565.04","amount":"0", ...}
cdef Field* MARK = list_fields({"close": "mark"})
cdef Field* INDEX = list_fields({"close": "index"})
cdef Field* NOTHING = list_fields({})
cdef dict RANGE = {"open": "open", "high": "high", "low": "low", "count": "count", "ts": "time"}
cdef dict SPOT_RANGE = {**RANGE, "amount": "volume", "vol": "quote_volume"}
# {"id":311070770838,"low":29326.15,"high":31899.51,"open":31666.3,"close":29952.31,"vol":8.181588598785326E8,
#  "amount":26897.159881877742,"version":311070770838,"count":699452}: amount in base, vol in quote currency
cdef Field* DAY = list_fields({**SPOT_RANGE, "close": "last"})
# {"id":1654164240,"mrid":108854811173,"open":30728.4,"close":29944.4,"high":30729.5,"low":29306.6,"amount":34473.406,
#  "vol":34473406,"trade_turnover":1047364677.232,"count":203526,"ask":[29940.5,2138], ...}: vol in contracts
cdef Field* SWAP_DAY = list_fields({
    **RANGE, **BEST, "close": "last", "vol": "volume", "trade_turnover": "quote_volume"})
# market.btcusdt.ticker has bid, bidSize, ask, askSize, lastPrice and lastSize beside what the detail has
cdef Field* LATEST = list_fields({**SPOT_RANGE, **BEST, "lastPrice": "last", "lastSize": "last_qty"})

cdef Channel* KNOWN = NULL                            # by what follows the symbol in a topic
add_channel(&KNOWN, b"trade.detail", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"bbo", KIND_QUOTE, QUOTE)
add_channel(&KNOWN, b"detail", KIND_TICKER, DAY)
add_channel(&KNOWN, b"ticker", KIND_TICKER, LATEST)
add_channel(&KNOWN, b"mark_price.1min", KIND_MARK, MARK, bit(SLOT_MARK))
add_channel(&KNOWN, b"index.1min", KIND_MARK, INDEX, bit(SLOT_INDEX))
add_channel(&KNOWN, b"liquidation_orders", KIND_LIQUIDATION, LIQUIDATION, 0, 0, SWAP)
add_channel(&KNOWN, b"funding_rate", KIND_MARK, FUNDING, bit(SLOT_FUNDING), 0, SWAP)


SPEC = VenueSpec(
    name="htx",
    link=Link.NOT_BELOW,      # depth.step0; mbp: CHAIN (prevSeqNum == last seqNum), high_freq: COUNTER (version)
    roots={
        "spot": "wss://api.huobi.pro/ws",
        "feed": "wss://api.huobi.pro/feed",             # serves mbp only, and /ws does not serve it
        "swap": "wss://api.hbdm.com/linear-swap-ws",
        "coin_swap": "wss://api.hbdm.com/swap-ws",
        "index": "wss://api.hbdm.com/ws_index",
        "notices": "wss://api.hbdm.com/linear-swap-notification",
        "coin_notices": "wss://api.hbdm.com/swap-notification",
    },
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.ask, "sub"), unsubscribe=partial(talk.ask, "unsub"),
    # Swap: 40 subscriptions a second; spot: 10 `req` a second on a connection. The other figures are our own.
    limits=Limits(streams_per_connection=200, messages_per_second=10, streams_per_request=1,
                  connections_per_5_minutes=100, connection_lifetime_s=0, rest_weight_per_minute=300),
    max_frame_size=4 << 20,
    parser=lambda market: HtxParser(market=talk.MARKETS.index(market) if market in talk.MARKETS else 0),
    source="https://huobiapi.github.io/docs/spot/v1/en/, https://www.htx.com/en-us/opend/newApiPages/",
    checked="2026-10-15",
    forms="JSON of 2019 to 2026, gzip'd frames; all served today but for step0 frames of 2019 with \"update\":true.",
    evidence=(
        Evidence("book (depth.step0)", "capture", "every message is the whole book; an older one is dropped"),
        Evidence("book (mbp)", "messages", "prevSeqNum = last seqNum: a missing or repeated message is seen"),
        Evidence("book (high_freq)", "messages", "version = last + 1: a missing or repeated message is seen"),
        Evidence("trades", "capture", "nothing; the first message after subscribing repeats the last trade"),
        Evidence("quotes", "messages", "nothing"),
        Evidence("ticker", "messages", "nothing"),
        Evidence("mark", "messages", "nothing; mark and index candles were not recorded"),
        Evidence("liquidations", "messages", "nothing"),
    ),
    markets=talk.MARKETS,
    ping_interval_s=5,        # the server's, on market sockets; it closes after 20 s without a pong
    resync="request",         # mbp; the other books: by subscribing again
    request=talk.request,
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
)
