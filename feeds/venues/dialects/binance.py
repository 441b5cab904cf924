"""How Binance writes: messages, stream names, answers and errors of the three markets, as their servers send them.

Nothing here keeps state. The shapes follow the frames recorded from the venue and, where the venue has changed since,
its documentation; form "2024" gives futures messages in the key order of that year, "2026" as they are sent today.
Sources: https://developers.binance.com/docs/derivatives and
https://github.com/binance/binance-spot-api-docs, checked 2026-11-22.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import ModuleType

from feeds.simulator.dialect import decimal
from feeds.simulator.market import Instrument, Market
from feeds.venues.dialects import binance_sbe

FORMS = ("2026", "2024")


@dataclass(frozen=True, slots=True)
class Shapes:
    """Message texts with %-fields; a field bears the name of its key on the wire."""

    depth: str
    partial: str                # a partial-depth stream
    quote: str
    trade: str
    agg_trade: str
    ticker: str
    mark: str                   # "" where the market has no such stream
    liquidation: str
    snapshot: str               # the answer of the REST interface


@dataclass(frozen=True, slots=True)
class Dialect:
    """What tells one Binance market from the others on the wire."""

    venue: str
    shapes: Mapping[str, Shapes]            # form -> texts
    rest_prefix: str                        # "/api/v3"
    id_stride: int                          # from one update id to the next; ids of futures are shared by all symbols
    decimals: int | None                    # decimals every number is written with; None: as the instrument has them
    speeds: Mapping[str, int]               # suffix of a depth stream -> ms; 0: every change
    partial_speeds: Mapping[str, int]
    mark_speeds: Mapping[str, int]
    ticker_ms: int
    bids_descending: bool                   # order of the bids in a depth frame
    depth_limits: tuple[int, ...]           # of the REST snapshot; empty: any up to the last of `limit_weights`
    limit_weights: tuple[tuple[int, int], ...]      # (largest limit, REST weight)
    default_limit: int
    list_weight: int                        # of the list of instruments
    weight_per_minute: int
    messages_per_second: int                # that a client may send on one connection, pings and pongs counted
    ping_s: float                           # from one ping of the server to the next
    pong_timeout_s: float                   # without a pong for so long it hangs up
    roots: Mapping[str, frozenset[str]]     # first part of the path -> classes of streams it serves
    instruments: tuple[Instrument, ...]     # what the simulated market trades unless told otherwise
    streams_per_connection: int = 1024
    streams_per_request: int = 200          # the venue names no number, and advises a few hundred at most
    connections_per_5_minutes: int = 300    # that one address may try to open
    binary: ModuleType | None = None        # what writes its binary form, None if it has none

    def number(self, units: int, decimals: int) -> str:
        """`units * 10**-decimals` as the venue writes it."""
        if self.decimals is not None:
            units, decimals = units * 10 ** (self.decimals - decimals), self.decimals
        return decimal(units, decimals)

    def weight(self, limit: int) -> int:
        """REST weight of a depth snapshot."""
        return next((weight for top, weight in self.limit_weights if limit <= top), self.limit_weights[-1][1])

    def serves(self, root: str, stream: str) -> bool:
        """True if a connection under this root delivers that stream; otherwise the venue stays silent about it."""
        return root in self.roots and stream_class(stream) in self.roots[root]


def stream_class(name: str) -> str:
    """"public" (books, best prices, trades) or "market" (all else), as the address of 2026 tells streams apart."""
    channel = name.partition("@")[2]
    public = channel.startswith(("depth", "rpiDepth", "bookTicker")) or channel == "trade" or name == "!bookTicker"
    return "public" if public else "market"


def split_stream(name: str) -> tuple[str, str, str]:
    """("btcusdt", "depth20", "100ms") of "btcusdt@depth20@100ms"; the last is "" if the name states no speed."""
    symbol, _, rest = name.partition("@")
    channel, _, speed = rest.partition("@")
    return symbol, channel, speed


_SPOT = Shapes(
    depth='{"e":"depthUpdate","E":%(E)d,"s":"%(s)s","U":%(U)d,"u":%(u)d,"b":[%(b)s],"a":[%(a)s]}',
    partial='{"lastUpdateId":%(u)d,"bids":[%(b)s],"asks":[%(a)s]}',
    quote='{"u":%(u)d,"s":"%(s)s","b":"%(b)s","B":"%(B)s","a":"%(a)s","A":"%(A)s"}',
    trade='{"e":"trade","E":%(E)d,"s":"%(s)s","t":%(t)d,"p":"%(p)s","q":"%(q)s","T":%(T)d,"m":%(m)s,"M":true}',
    agg_trade='{"e":"aggTrade","E":%(E)d,"s":"%(s)s","a":%(t)d,"p":"%(p)s","q":"%(q)s","f":%(t)d,"l":%(t)d,'
              '"T":%(T)d,"m":%(m)s,"M":true}',
    ticker='{"e":"24hrTicker","E":%(E)d,"s":"%(s)s","p":"%(p)s","P":"%(P)s","w":"%(w)s","x":"%(o)s","c":"%(c)s",'
           '"Q":"%(Q)s","b":"%(b)s","B":"%(B)s","a":"%(a)s","A":"%(A)s","o":"%(o)s","h":"%(h)s","l":"%(l)s",'
           '"v":"%(v)s","q":"%(q)s","O":%(O)d,"C":%(C)d,"F":%(F)d,"L":%(L)d,"n":%(n)d}',
    mark="",
    liquidation="",
    snapshot='{"lastUpdateId":%(u)d,"bids":[%(b)s],"asks":[%(a)s]}',
)

_FUTURES_TRADE = ('{"e":"trade","E":%(E)d,"T":%(T)d,"s":"%(s)s","t":%(t)d,"p":"%(p)s","q":"%(q)s","X":"MARKET",'
                  '"m":%(m)s}')
_FUTURES_STATS = ('"p":"%(p)s","P":"%(P)s","w":"%(w)s","c":"%(c)s","Q":"%(Q)s","o":"%(o)s","h":"%(h)s","l":"%(l)s",'
                  '"v":"%(v)s","q":"%(q)s","O":%(O)d,"C":%(C)d,"F":%(F)d,"L":%(L)d,"n":%(n)d}')
_LIQUIDATED = ('"S":"%(S)s","o":"LIMIT","f":"IOC","q":"%(q)s","p":"%(p)s","ap":"%(p)s","X":"FILLED","l":"%(q)s",'
               '"z":"%(q)s","T":%(T)d}}')

_USDM_2024 = Shapes(
    depth='{"e":"depthUpdate","E":%(E)d,"T":%(T)d,"s":"%(s)s","U":%(U)d,"u":%(u)d,"pu":%(pu)d,"b":[%(b)s],"a":[%(a)s]}',
    partial='{"e":"depthUpdate","E":%(E)d,"T":%(T)d,"s":"%(s)s","U":%(U)d,"u":%(u)d,"pu":%(pu)d,"b":[%(b)s],'
            '"a":[%(a)s]}',
    quote='{"e":"bookTicker","u":%(u)d,"s":"%(s)s","b":"%(b)s","B":"%(B)s","a":"%(a)s","A":"%(A)s","T":%(T)d,"E":%(E)d}',
    trade=_FUTURES_TRADE,
    agg_trade='{"e":"aggTrade","E":%(E)d,"a":%(t)d,"s":"%(s)s","p":"%(p)s","q":"%(q)s","f":%(t)d,"l":%(t)d,"T":%(T)d,'
              '"m":%(m)s}',
    ticker='{"e":"24hrTicker","E":%(E)d,"s":"%(s)s",' + _FUTURES_STATS,
    mark='{"e":"markPriceUpdate","E":%(E)d,"s":"%(s)s","p":"%(p)s","P":"%(P)s","i":"%(i)s","r":"%(r)s","T":%(T)d}',
    liquidation='{"e":"forceOrder","E":%(E)d,"o":{"s":"%(s)s",' + _LIQUIDATED,
    snapshot='{"lastUpdateId":%(u)d,"E":%(E)d,"T":%(T)d,"bids":[%(b)s],"asks":[%(a)s]}',
)
_USDM = replace(
    _USDM_2024,
    depth=_USDM_2024.depth[:-1] + ',"ps":"%(ps)s","st":1}',
    partial=_USDM_2024.partial[:-1] + ',"ps":"%(ps)s","st":1}',
    quote='{"e":"bookTicker","u":%(u)d,"E":%(E)d,"T":%(T)d,"s":"%(s)s","ps":"%(ps)s","b":"%(b)s","B":"%(B)s",'
          '"a":"%(a)s","A":"%(A)s","st":1}',
    agg_trade='{"e":"aggTrade","E":%(E)d,"s":"%(s)s","a":%(t)d,"p":"%(p)s","q":"%(q)s","nq":"%(q)s","f":%(t)d,'
              '"l":%(t)d,"T":%(T)d,"m":%(m)s,"st":1}',
    mark='{"e":"markPriceUpdate","E":%(E)d,"s":"%(s)s","p":"%(p)s","i":"%(i)s","P":"%(P)s","r":"%(r)s","ap":"%(p)s",'
         '"T":%(T)d,"st":1}',
)
_COINM_2024 = replace(
    _USDM_2024,
    depth='{"e":"depthUpdate","E":%(E)d,"T":%(T)d,"s":"%(s)s","ps":"%(ps)s","U":%(U)d,"u":%(u)d,"pu":%(pu)d,'
          '"b":[%(b)s],"a":[%(a)s]}',
    partial='{"e":"depthUpdate","E":%(E)d,"T":%(T)d,"s":"%(s)s","ps":"%(ps)s","U":%(U)d,"u":%(u)d,"pu":%(pu)d,'
            '"b":[%(b)s],"a":[%(a)s]}',
    quote='{"u":%(u)d,"e":"bookTicker","s":"%(s)s","ps":"%(ps)s","b":"%(b)s","B":"%(B)s","a":"%(a)s","A":"%(A)s",'
          '"T":%(T)d,"E":%(E)d}',
    ticker='{"e":"24hrTicker","E":%(E)d,"s":"%(s)s","ps":"%(ps)s",' + _FUTURES_STATS,
    mark='{"e":"markPriceUpdate","E":%(E)d,"s":"%(s)s","p":"%(p)s","P":"%(P)s","r":"%(r)s","T":%(T)d}',
    liquidation='{"e":"forceOrder","E":%(E)d,"o":{"s":"%(s)s","ps":"%(ps)s",' + _LIQUIDATED,
    snapshot='{"lastUpdateId":%(u)d,"E":%(E)d,"T":%(T)d,"symbol":"%(s)s","pair":"%(ps)s","bids":[%(b)s],'
             '"asks":[%(a)s]}',
)
_COINM = replace(
    _COINM_2024,
    depth=_COINM_2024.depth[:-1] + ',"st":2}',
    partial=_COINM_2024.partial[:-1] + ',"st":2}',
    quote='{"e":"bookTicker","u":%(u)d,"s":"%(s)s","b":"%(b)s","B":"%(B)s","a":"%(a)s","A":"%(A)s","T":%(T)d,'
          '"E":%(E)d,"ps":"%(ps)s","st":2}',
    agg_trade=_COINM_2024.agg_trade[:-1] + ',"st":2}',
    mark='{"e":"markPriceUpdate","E":%(E)d,"s":"%(s)s","p":"%(p)s","P":"%(P)s","i":"%(i)s","r":"%(r)s","T":%(T)d,'
         '"st":2}',
)

_ALL = frozenset(("public", "market"))
_FUTURES_LIMITS = (5, 10, 20, 50, 100, 500, 1000)
_FUTURES_WEIGHTS = ((50, 2), (100, 5), (500, 10), (1000, 20))
_FUTURES_SPEEDS = {"": 250, "500ms": 500, "100ms": 100, "0ms": 0}
_PARTIAL_SPEEDS = {"": 250, "500ms": 500, "100ms": 100}

DIALECTS: Mapping[str, Dialect] = {dialect.venue: dialect for dialect in (
    Dialect(
        venue="binance_spot", shapes={"2026": _SPOT, "2024": _SPOT}, rest_prefix="/api/v3", id_stride=1, decimals=8,
        speeds={"": 1000, "1000ms": 1000, "100ms": 100}, partial_speeds={"": 1000, "1000ms": 1000, "100ms": 100},
        mark_speeds={}, ticker_ms=1000, bids_descending=True, depth_limits=(),
        limit_weights=((100, 5), (500, 25), (1000, 50), (5000, 250)), default_limit=100, list_weight=20,
        weight_per_minute=6000, messages_per_second=5,
        ping_s=20.0, pong_timeout_s=60.0, roots={"": _ALL},
        instruments=(Instrument("BTCUSDT", 1, 2, 1, 5, 6_180_000, 20_000),
                     Instrument("ETHUSDT", 1, 2, 1, 4, 268_000, 8_000),
                     Instrument("DOGEUSDT", 1, 5, 1, 0, 10_500, 5_000)),
        binary=binance_sbe,
    ),
    Dialect(
        venue="binance_usdm", shapes={"2026": _USDM, "2024": _USDM_2024}, rest_prefix="/fapi/v1", id_stride=11,
        decimals=None, speeds=_FUTURES_SPEEDS, partial_speeds=_PARTIAL_SPEEDS, mark_speeds={"": 3000, "1s": 1000},
        ticker_ms=2000, bids_descending=False, depth_limits=_FUTURES_LIMITS, limit_weights=_FUTURES_WEIGHTS,
        default_limit=500, list_weight=1, weight_per_minute=2400, messages_per_second=10, ping_s=180.0,
        pong_timeout_s=600.0,
        roots={"": frozenset(("public",)), "public": frozenset(("public",)), "market": frozenset(("market",)),
               "private": frozenset()},
        instruments=(Instrument("BTCUSDT", 10, 2, 1, 3, 618_000, 800, "BTCUSDT"),
                     Instrument("ETHUSDT", 1, 2, 1, 3, 268_000, 5_000, "ETHUSDT"),
                     Instrument("DOGEUSDT", 1, 5, 1, 0, 10_500, 4_000, "DOGEUSDT")),
    ),
    Dialect(
        venue="binance_coinm", shapes={"2026": _COINM, "2024": _COINM_2024}, rest_prefix="/dapi/v1", id_stride=11,
        decimals=None, speeds=_FUTURES_SPEEDS, partial_speeds=_PARTIAL_SPEEDS, mark_speeds={"": 3000, "1s": 1000},
        ticker_ms=500, bids_descending=False, depth_limits=_FUTURES_LIMITS, limit_weights=_FUTURES_WEIGHTS,
        default_limit=500, list_weight=1, weight_per_minute=2400, messages_per_second=10, ping_s=180.0,
        pong_timeout_s=600.0, roots={"": _ALL},
        instruments=(Instrument("BTCUSD_PERP", 1, 1, 1, 0, 618_000, 300, "BTCUSD"),
                     Instrument("ETHUSD_PERP", 1, 2, 1, 0, 268_000, 800, "ETHUSD")),
    ),
)}

# What a frame says that no event keeps, so that it is made up here: path in the data of the frame -> what it is.
LOST: Mapping[str, str] = {
    "trade f": "of an aggregate trade: id of its first trade",
    "trade l": "of an aggregate trade: id of its last trade",
    "liquidation o.ap": "average price of the fills",
}


def instruments(venue: str, symbols: Iterable[str] = ()) -> list[Instrument]:
    """What the simulated market trades: those of `symbols`, or a few usual ones. A symbol it has no figures for is
    traded in ticks of 0.01 around a price of 100."""
    known = {instrument.symbol: instrument for instrument in DIALECTS[venue].instruments}
    chosen = [symbol.upper() for symbol in symbols]
    if not chosen:
        return list(known.values())
    qty_decimals, mean_qty = (0, 50) if venue == "binance_coinm" else (3, 5_000)
    return [known.get(symbol) or Instrument(symbol, 1, 2, 1, qty_decimals, 10_000, mean_qty, symbol.partition("_")[0])
            for symbol in chosen]


def levels_text(pairs: Iterable[tuple[str, str]]) -> str:
    """The inside of a list of levels."""
    return ",".join([f'["{price}","{qty}"]' for price, qty in pairs])


def ack(request_id: object, result: object = None) -> str:
    """Answer to a request that was understood; unknown streams are acknowledged too, and stay silent."""
    return json.dumps({"result": result, "id": request_id}, separators=(",", ":"))


def request_error(code: int, text: str, request_id: object = None) -> str:
    """Answer to a request that was not understood: 2 "Invalid request: ...", 3 "Invalid JSON: ..."."""
    answer: dict[str, object] = {"code": code, "msg": text}
    if request_id is not None:
        answer["id"] = request_id
    return json.dumps(answer, separators=(",", ":"))


def rest_error(code: int, text: str) -> str:
    """Body of a REST answer that is an error."""
    return json.dumps({"code": code, "msg": text}, separators=(",", ":"))


QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "USD", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL", "JPY")
NEVER_MS = 4_133_404_800_000        # deliveryDate of what is perpetual
ONBOARD_MS = 1_569_398_400_000


def exchange_info(dialect: Dialect, markets: Iterable[Market]) -> str:
    """The instrument list, with the keys that the venue gives every instrument of that market."""
    markets = list(markets)
    limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
               "limit": dialect.weight_per_minute}]
    now_ms = max((market.time_ns for market in markets), default=0) // 1_000_000
    return json.dumps({"timezone": "UTC", "serverTime": now_ms, "rateLimits": limits, "exchangeFilters": [],
                       "symbols": [_entry(dialect, market.instrument) for market in markets]}, separators=(",", ":"))


def _entry(dialect: Dialect, it: Instrument) -> dict[str, object]:
    """One instrument of the list."""
    pair, _, delivery = it.symbol.partition("_")
    quote = next((quote for quote in QUOTES if pair.endswith(quote) and pair != quote), "USDT")
    base = pair.removesuffix(quote)
    tick = dialect.number(it.tick_units, it.price_decimals)
    lot = dialect.number(it.lot_units, it.qty_decimals)
    price = {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick}
    size = {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "1000000", "stepSize": lot}
    if dialect.venue == "binance_spot":
        return {
            "symbol": it.symbol, "status": "TRADING", "baseAsset": base, "baseAssetPrecision": 8, "quoteAsset": quote,
            "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"], "icebergAllowed": True, "ocoAllowed": True,
            "quoteOrderQtyMarketAllowed": True, "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
            "filters": [price, size, {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True,
                                      "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5}],
            "permissions": [], "permissionSets": [["SPOT"]]}
    inverse = dialect.venue == "binance_coinm"
    dated = delivery.isdecimal() and len(delivery) == 6
    ends_ms = NEVER_MS
    if dated:           # at 8 o'clock UTC of the day in the symbol, BTCUSDT_261225
        ends_ms = int(datetime.strptime(delivery + "08+0000", "%y%m%d%H%z").timestamp()) * 1000
    least = [] if inverse else [{"filterType": "MIN_NOTIONAL", "notional": "5"}]
    return {
        "symbol": it.symbol, "pair": pair, "contractType": "CURRENT_QUARTER" if dated else "PERPETUAL",
        "deliveryDate": ends_ms, "onboardDate": ONBOARD_MS,
        **({"contractStatus": "TRADING", "contractSize": 100 if base == "BTC" else 10} if inverse
           else {"status": "TRADING"}),
        "marginAsset": base if inverse else quote, "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000",
        "baseAsset": base, "quoteAsset": quote, "pricePrecision": it.price_decimals,
        "quantityPrecision": it.qty_decimals, "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
        "underlyingSubType": [], "filters": [price, size, *least], "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"], "liquidationFee": "0.010000", "marketTakeBound": "0.05"}
