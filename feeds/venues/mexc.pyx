"""MEXC: spot (protobuf) and contracts (JSON).

Wire forms: spot sends protobuf in binary frames, and answers requests in JSON text on the same socket; contracts are
JSON. Both are served today, and frames tell which they are. Spot's JSON of up to 2025 ("Blocked!" since) is not parsed;
nor is `increase.depth` (302, 312), whose numbers have no published rule.
The aggressor: a deal's tradeType or T is the taker's, 1 buy, 2 sell. Times are ms. Quantities are in base units (spot)
or in contracts of `contractSize` (contract).
https://www.mexc.com/api-docs/spot-v3/websocket-market-streams, https://www.mexc.com/api-docs/futures/websocket-api and
https://github.com/mexcdevelop/websocket-proto, as of 2026-06-17; clients of 2026-09; no recording was at hand.
"""

from functools import partial

from libc.stdint cimport int64_t
from orderbook.types cimport BAD_VALUE
from feeds.fields cimport expect, list_form, take_object
from feeds.message cimport (Form, Message, bit, KIND_DELTA, KIND_IGNORED, KIND_SNAPSHOT, KIND_TICKER, KIND_TRADE,
                            SLOT_AGGRESSOR, SLOT_FIRST_SEQ, SLOT_LAST_SEQ)
from feeds.parser cimport Parser
from feeds.scan cimport Cursor, Text, at_end, begins, fail, next_is, note_more, peek

from feeds.venue import Evidence, Limits, Link, VenueSpec
from feeds.venues.lists import mexc as lists
from feeds.venues.talk import mexc as talk

cdef enum:
    SPOT = 0
    CONTRACT = 1

cdef struct Pushed:
    # A frame of spot.
    Text channel
    Text symbol
    Text body                 # the message inside
    int64_t sent              # sendTime, ms
    int what                  # field of `body`, 0 if there is none


cdef class MexcParser(Parser):
    """Frames of both markets. What is kept here belongs to the frame at work: it can hold several messages."""

    cdef Pushed pushed        # of a frame of spot; `what` is 0 in others
    cdef Text symbol          # of a frame of contracts

    def __cinit__(self):
        self.route_marks = 4                      # {"symbol":"BTC_USDT" or {"channel":"push.depth"
        self.quick = quick

    cdef void parse(self, Cursor* c, Message* m) noexcept nogil:
        self.pushed.what = 0
        if is_json(c):
            contract(self, c, m)
        elif read_push(c, &self.pushed):
            take_push(c, m, &self.pushed)

    cdef void parse_more(self, Cursor* c, Message* m) noexcept nogil:
        if self.pushed.what:
            items(c, m, &self.pushed)
            return
        m.symbol = self.symbol.data
        m.symbol_size = self.symbol.size
        m.market = CONTRACT
        expect(m, KIND_TRADE)
        deal(c)
        note_more(c, m)

    cdef void parse_rest(self, Cursor* c, Message* m) noexcept nogil:
        # spot: {"lastUpdateId":1377043284,"bids":[["30225.77","0.6582"]],"asks":[["30225.80","1.2"]],"timestamp":...}
        # contract: {"success":true,"code":0,"data":{"asks":[[29625,630,1]],"bids":[[29618,357,1]],"version":3094693618,
        #            "timestamp":1654326901060}}
        expect(m, KIND_SNAPSHOT)
        m.needed |= bit(SLOT_LAST_SEQ)
        take_object(c, WHOLE)
        at_end(c)


cdef inline bint is_json(const Cursor* c) noexcept nogil:
    """Whether the frame is JSON: '{' and then a key, white space around. A newline is also protobuf's first tag."""
    cdef Cursor ahead = c[0]
    return next_is(&ahead, c'{') and (peek(&ahead) == c'"' or peek(&ahead) == c'}' or peek(&ahead) == 0)


cdef Form* PAIR = list_form(("price", "qty"))      # how levels are written in JSON

include "mexc_spot.pxi"
include "mexc_contract.pxi"


SPEC = VenueSpec(
    name="mexc",
    link=Link.RANGE,
    shared_ids=True,          # versions are those of the REST snapshot
    markets=("spot", "contract"),
    roots={"spot": "wss://wbs-api.mexc.com/ws", "contract": "wss://contract.mexc.com/edge"},
    channels=talk.CHANNELS, name_streams=talk.streams, read_control=talk.read_control, symbol=str.upper,
    subscribe=partial(talk.request, "SUBSCRIPTION", "sub"),
    unsubscribe=partial(talk.request, "UNSUBSCRIPTION", "unsub"),
    # 30 streams a connection are spot's limit; contracts publish none. How many requests a connection may send is not
    # published: 10 a second is on the safe side. REST limits are by address (contract depth: 20 in 2 s).
    limits=Limits(streams_per_connection=30, messages_per_second=10, streams_per_request=30,
                  connections_per_5_minutes=0, connection_lifetime_s=24 * 3600, rest_weight_per_minute=600),
    pings={"spot": '{"method":"PING"}', "contract": '{"method":"ping"}'},
    ping_interval_s=15,           # contracts end a connection after 60 s without a ping, also while data flow
    max_frame_size=8 << 20,
    parser=lambda market: MexcParser(market=CONTRACT if market == "contract" else SPOT),
    resync="rest",
    rest_url="https://api.mexc.com",
    snapshot_address=talk.snapshot_address,
    snapshot_limit=5000,
    read_address=talk.read_address,
    instruments_addresses=lists.ADDRESSES,
    read_instruments=lists.read,
    source="https://www.mexc.com/api-docs/spot-v3/websocket-market-streams",
    checked="2026-11-22",
    forms="Spot: protobuf of 2025 to 2026. Contract: JSON of 2020 to 2026, merged or not. Both are served today.",
    evidence=(
        Evidence("book (spot)", "sheet example", "versions follow each other: a missing frame shows at the next"),
        Evidence("book (contract)", "messages", "as book (spot), changes merged or not"),
        Evidence("book (depth)", "sheet example", "nothing: every frame is the whole book"),
        Evidence("trades", "messages", "nothing: ids need not follow each other"),
        Evidence("quotes", "messages", "nothing"),
        Evidence("ticker", "messages", "nothing: a lost frame is made good by the next"),
        Evidence("mark", "messages", "nothing: a lost frame is made good by the next"),
        Evidence("open_interest", "messages", "as ticker"),
    ),
)
