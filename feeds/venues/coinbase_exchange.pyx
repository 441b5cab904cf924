"""Coinbase Exchange: spot market data of the exchange's own feed (until 2023 called Coinbase Pro and GDAX).

Wire form: JSON of 2019 to 2026, all of it served today; tickers have the sizes at the best prices since 2023. The book
is whole: one snapshot a product in the stream, then changes to absolute quantities. Book messages have no number, so
a lost one cannot be seen; `sequence` of trades and tickers counts messages that only the `full` channel has. Public is
`level2_batch` (every 50 ms); `level2` needs a login since 2023. Messages of both look the same.

The aggressor: `side` of a `match` is the maker's, so it is inverted (of 80 recorded trades that a ticker tells too, all
80 have the other side there; 36 `sell` matches at or above the ask, 24 `buy` at or below the bid, none the other way).
A level is removed by any spelling of zero: "0", "0.00", "0.00000000". Times are RFC 3339; a batch may say year 1.

Sources: docs.cdp.coinbase.com (Exchange WebSocket channels and rate limits), frames recorded in 2021-04.
"""

from functools import partial

from feeds.fields cimport Channel, Field, add_channel, expect_channel, find_channel, list_fields, list_form, take_object
from feeds.message cimport (Form, Message, bit, KIND_CONTROL, KIND_DELTA, KIND_IGNORED, KIND_SNAPSHOT, KIND_TICKER,
                            KIND_TRADE, SEEN_BOTH, WORD_ASK, WORD_BID)
from feeds.parser cimport Parser
from feeds.scan cimport Cursor, Text, at_end, find_text, quote_too, skip_object, word_is

from feeds.venue import Evidence, Limits, Link, VenueSpec, instruments_at
from feeds.venues.lists import coinbase_exchange as lists
from feeds.venues.talk import coinbase_exchange as talk


cdef class CoinbaseExchangeParser(Parser):

    def __cinit__(self):
        self.route_marks = 4                      # {"type":"l2update

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        cdef const Channel* channel
        cdef Text kind
        find_text(c, b"type", &kind)
        channel = find_channel(KNOWN, &kind)
        if channel != NULL:
            expect_channel(m, channel)
            take_object(c, channel.fields)
            if m.kind == KIND_TICKER:
                quote_too(c)
        else:
            # last_match restates the trade before the subscription; open, done, status and the like are of no use here.
            m.kind = KIND_IGNORED
            if (not kind.size or word_is(&kind, b"subscriptions") or word_is(&kind, b"error")
                    or word_is(&kind, b"heartbeat")):
                m.kind = KIND_CONTROL
            skip_object(c)
        at_end(c)


# What the keys of each message mean, see list_fields. A key that is not listed is stepped over.
cdef Form* CHANGE = list_form(("word", "price", "qty"), {"buy": WORD_BID, "sell": WORD_ASK})
cdef Form* LEVEL = list_form(("price", "qty"))

cdef dict HEAD = {"type": "text", "product_id": "symbol", "time": "time"}

# {"type":"l2update","product_id":"SKL-BTC","changes":[["sell","0.00001306","660.5"]],
#  "time":"2021-04-17T16:43:37.075687Z"}
cdef Field* UPDATE = list_fields({**HEAD, "changes": "levels"}, CHANGE)
# {"type":"snapshot","product_id":"BAND-GBP","asks":[["14.8024","12.77"]],"bids":[["14.75","1"]]}
cdef Field* SNAPSHOT = list_fields({**HEAD, "bids": "bids", "asks": "asks"}, LEVEL)
# {"type":"match","trade_id":280232,"maker_order_id":"2a0d..","taker_order_id":"3c82..","side":"sell","size":"985",
#  "price":"0.00001305","product_id":"SKL-BTC","sequence":177100030,"time":"2021-04-17T16:43:37.089723Z"}; the maker's
# side: who bought with the sell of another
cdef Field* TRADE = list_fields({**HEAD, "trade_id": "int trade_id", "price": "price", "size": "qty",
                                 "side": "other side"})
# {"type":"ticker","sequence":333938798,"product_id":"BAND-GBP","price":"14.7775","open_24h":"14.6647",
#  "volume_24h":"94381.28000000","low_24h":"14.3691","high_24h":"16.55","volume_30d":"2295579.57000000",
#  "best_bid":"14.7550","best_ask":"14.8060","side":"buy","time":"2021-04-17T16:43:30.244075Z","trade_id":881613,
#  "last_size":"0.04"}; since 2023 also best_bid_size and best_ask_size
cdef Field* TICKER = list_fields({**HEAD, "price": "last", "last_size": "last_qty", "open_24h": "open",
                                  "high_24h": "high", "low_24h": "low", "volume_24h": "volume",
                                  "best_bid": "bid_price", "best_bid_size": "bid_qty", "best_ask": "ask_price",
                                  "best_ask_size": "ask_qty"})

cdef Channel* KNOWN = NULL                             # by `type`
add_channel(&KNOWN, b"l2update", KIND_DELTA, UPDATE, bit(SEEN_BOTH))
add_channel(&KNOWN, b"snapshot", KIND_SNAPSHOT, SNAPSHOT)
add_channel(&KNOWN, b"match", KIND_TRADE, TRADE)
add_channel(&KNOWN, b"ticker", KIND_TICKER, TICKER)


SPEC = VenueSpec(
    name="coinbase_exchange",
    link=Link.NONE,
    roots={"public": "wss://ws-feed.exchange.coinbase.com"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=talk.spelling,
    subscribe=partial(talk.request, "subscribe"), unsubscribe=partial(talk.request, "unsubscribe"),
    # 8 requests a second and address (20 at once), 100 messages a second of one client; a product may be asked for 10
    # times by channel. Streams per connection and request are not limited in the documentation.
    limits=Limits(streams_per_connection=0, messages_per_second=8, streams_per_request=100,
                  connections_per_5_minutes=300, connection_lifetime_s=0, rest_weight_per_minute=600,
                  connections_per_second=8, rest_per_second=10),
    max_frame_size=64 << 20,                      # the snapshot of BTC-USD has several MB
    parser=lambda market: CoinbaseExchangeParser(),
    rest_url="https://api.exchange.coinbase.com",
    read_address=instruments_at("/products"),     # the book by REST cannot be joined: the stream has no number
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
    own_names=("pair",),
    source="https://docs.cdp.coinbase.com/exchange/websocket-feed/channels",
    checked="2026-10-01",
    forms="JSON of 2019 to 2026; served today.",
    evidence=(
        Evidence("book", "capture", "nothing: there are no numbers; a ticker's best prices may show a wrong book"),
        Evidence("trades", "capture", "trade_id rises by 1 a product; it is not tested"),
        Evidence("ticker", "capture", "nothing"),
        Evidence("quotes", "sheet example", "nothing; the sizes came in 2023, after the capture"),
    ),
)
