"""How MEXC writes: spot in protobuf, which answers in JSON on the same socket, and contracts in JSON.

https://www.mexc.com/api-docs/spot-v3/websocket-market-streams, https://www.mexc.com/api-docs/futures/websocket-api and
https://github.com/mexcdevelop/websocket-proto; frames of contracts quoted from 2020 to 2025.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, ms, step, trimmed, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("BTCUSDT", 1, 2, 1, 6, 6_180_000, 150_000), "spot", base="BTC", quote="USDT"),
    Listed(Instrument("ETHUSDT", 1, 2, 1, 5, 268_000, 100_000), "spot", base="ETH", quote="USDT"),
    Listed(Instrument("BTC_USDT", 1, 1, 1, 0, 618_000, 3_000), "contract", "perpetual", "BTC", "USDT", "USDT",
           "0.0001"),
    Listed(Instrument("ETH_USDT", 1, 2, 1, 0, 268_000, 700), "contract", "perpetual", "ETH", "USDT", "USDT", "0.01"),
    Listed(Instrument("BTC_USD", 1, 1, 1, 0, 618_000, 60), "contract", "perpetual", "BTC", "USD", "BTC", "100"),
)
TOPICS = ("depth", "depth.full", "deal", "ticker", "fair.price", "index.price", "funding.rate")


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"method":"SUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"],"id":1}, {"method":"PING"}
    # {"method":"sub.depth","param":{"symbol":"BTC_USDT","compress":false}}, {"method":"ping"}
    try:
        request = json.loads(text)
        method = request["method"]
        if method in ("PING", "ping"):
            return [Ask("reply", frames=(pong(method),))]
        if method in ("SUBSCRIPTION", "UNSUBSCRIPTION"):
            names = tuple(request["params"])
            if not names or not all(isinstance(name, str) for name in names):
                raise ValueError("params")
            return [Ask("subscribe" if method == "SUBSCRIPTION" else "unsubscribe", names, request)]
        kind, _, topic = method.partition(".")
        param = request["param"]
        if kind not in ("sub", "unsub") or topic not in TOPICS:
            raise ValueError("method")
        name = f"{topic}:{param['symbol']}"
        if topic == "depth.full":
            name += f":{param.get('limit', 20)}"
        elif topic == "depth" and (kind == "unsub" or param.get("compress") is False):
            plain = (name,) if kind == "unsub" else ()          # it ends the book in either form
            return [Ask(f"{kind}scribe", (*plain, f"{name}:0ms"), request)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(refusal("Params error"),))]
    return [Ask(f"{kind}scribe", (name,), request)]


def now() -> int:
    """The time of answers, ms."""
    return ms(time.time_ns())


def pong(method: str) -> str:
    if method == "PING":
        return '{"id":0,"code":0,"msg":"PONG"}'
    return write({"channel": "pong", "data": now()})


def refusal(words: str) -> str:
    """An error of contracts."""
    return write({"channel": "rs.error", "data": words, "ts": now()})


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"id":1,"code":0,"msg":"spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"}, the code is 0 of a refusal too
    # {"channel":"rs.sub.depth","data":"success","ts":1789498405531}
    request = ask.request
    assert isinstance(request, dict)
    told: list[Frame] = []
    if "params" in request:
        number = request.get("id", 0)
        if known:
            told.append(write({"id": number, "code": 0, "msg": ",".join(known)}))
        if unknown:
            told.append(write({"id": number, "code": 0, "msg": f"Not Subscribed successfully! [{','.join(unknown)}].  "
                                                               "Reason： Blocked! "}))
        return told
    if known or ask.kind == "unsubscribe":
        return [write({"channel": f"rs.{request['method']}", "data": "success", "ts": now()})]
    return [refusal(f"Contract [{request['param']['symbol']}] not exists")]


def too_much(what: str, line: Line) -> list[Frame]:
    words = "Requests are too frequent" if what == "messages" else "Subscription limit exceeded"
    return [refusal(words) if line.root == "contract" else write({"id": 0, "code": 1, "msg": words})]


# ---- spot: protobuf

def varint(value: int) -> bytes:
    """A number as protobuf writes it, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int | str | bytes) -> bytes:
    """A field of a message: a number, a text, or a message inside."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """A message of these fields, in this order."""
    return b"".join(field(number, value) for number, value in fields)


def said(event: Event, number: int, name: str) -> tuple[tuple[int, str], ...]:
    """A field that came later than others, where the event has its value."""
    return ((number, event.text(name)),) if name in event.values else ()


def push(stream: Stream, event: Event, number: int, body: bytes) -> bytes:
    """PushDataV3ApiWrapper: 1 channel, 3 symbol, 6 sendTime, and the body at its number."""
    return message((1, stream.name), (3, event.symbol), (6, ms(event.number("event_time"))), (number, body))


def levels(event: Event) -> bytes:
    """1 asks, 2 bids; each 1 price, 2 quantity."""
    return b"".join(field(number, message((1, level.price), (2, "0" if level.gone else level.qty)))
                    for number, side in ((1, -1), (2, 1)) for level in event.side(side))


def spot(stream: Stream, events: Sequence[Event]) -> bytes:
    """A frame of spot."""
    event, text = events[0], events[0].text
    topic = stream.name.rpartition("@")[0]                      # eventType: the channel without the symbol
    if event.kind == "delta":
        # PublicAggreDepths: 3 eventType, 4 fromVersion, 5 toVersion, 6 lastOrderCreateTime
        return push(stream, event, 313, levels(event) + message(
            (3, topic), (4, text("first_seq")), (5, text("last_seq")),
            *(((6, ms(event.number("time"))),) if "time" in event.values else ())))
    if event.kind == "snapshot":
        # PublicLimitDepths: 3 eventType, 4 version; of spot@public.limit.depth.v3.api.pb@BTCUSDT@20
        return push(stream, event, 303, levels(event) + message(
            (3, "@".join(stream.name.split("@")[:2])), (4, text("last_seq"))))
    if event.kind == "trade":
        # PublicAggreDeals: 1 deals (1 price, 2 quantity, 3 tradeType, 4 time, 5 tradeId), 2 eventType
        deals = [message((1, one.text("price")), (2, one.text("qty")), (3, 1 if one.number("aggressor") > 0 else 2),
                         (4, ms(one.number("time"))), *said(one, 5, "trade_id")) for one in events]
        return push(stream, event, 314, message(*((1, deal) for deal in deals), (2, topic)))
    if event.kind == "quote":
        # PublicAggreBookTicker: 1 bidPrice, 2 bidQuantity, 3 askPrice, 4 askQuantity, 5 version
        return push(stream, event, 315, message(
            (1, text("bid_price")), (2, text("bid_qty")), (3, text("ask_price")), (4, text("ask_qty")),
            *said(event, 5, "last_seq")))
    # PublicMiniTicker: 1 symbol, 2 price, 3 rate, 4 zonedRate, 5 high, 6 low, 7 volume (quote), 8 quantity (base)
    rate = trimmed(f"{float(text('change_pct', '0')) / 100:.4f}")
    return push(stream, event, 309, message(
        (1, event.symbol), (2, text("last")), (3, rate), (4, rate), (5, text("high")), (6, text("low")),
        (7, text("quote_volume")), (8, text("volume"))))


# ---- contracts: JSON

def sides(event: Event) -> dict[str, object]:
    """Price, quantity, number of orders, which no event keeps."""
    return {key: [[Bare(level.price), Bare("0" if level.gone else level.qty), 0 if level.gone else 1]
                  for level in event.side(side)] for key, side in (("asks", -1), ("bids", 1))}


def depth(event: Event) -> dict[str, object]:
    # merged: {"cts":1789498405531,"asks":[[0.080100,2868,1]],"bids":[[0.07969,0,0]],"end":8752808003,
    #          "begin":8752807948,"version":8752808003}; whole books, and each version alone, without begin and end
    last = event.number("last_seq")
    merged = {"end": last, "begin": event.number("first_seq")} if "first_seq" in event.values else {}
    if event.kind == "snapshot":
        merged = {}
    happened = {"cts": ms(event.number("time"))} if "time" in event.values else {}
    return {**happened, **sides(event), **merged, "version": last}


def each_version(event: Event) -> list[dict[str, object]]:
    """The changes of an event one by one, as a book that is not merged tells them."""
    told: list[dict[str, object]] = []
    first, last = event.number("first_seq", event.number("last_seq")), event.number("last_seq")
    if first == last or not event.levels:
        return [{**sides(event), "version": last}]
    for place, version in enumerate(range(first, last + 1)):
        one = Event(event.kind, event.symbol, {}, event.levels[place:place + 1])
        told.append({"cts": ms(event.number("time")), **sides(one), "version": version})
    return told


def deal(event: Event) -> dict[str, object]:
    # {"p":115309.8,"v":55,"T":2,"O":3,"M":1,"t":1755487578276,"i":"13064218826","cts":"1755487578276"}
    happened = ms(event.number("time"))
    named = {"i": event.text("trade_id"), "cts": str(happened)} if "trade_id" in event.values else {}
    return {"p": Bare(event.text("price")), "v": Bare(event.text("qty")),
            "T": 1 if event.number("aggressor") > 0 else 2, "O": 3, "M": 1, "t": happened, **named}


TICKER = {"amount24": "quote_volume", "ask1": "ask_price", "bid1": "bid_price", "fairPrice": "mark",
          "fundingRate": "funding", "high24Price": "high", "holdVol": "open_interest", "indexPrice": "index",
          "lastPrice": "last", "lower24Price": "low", "riseFallValue": "change", "volume24": "volume"}


def ticker(event: Event) -> dict[str, object]:
    rate = Bare(trimmed(f"{float(event.text('change_pct', '0')) / 100:.4f}"))
    return {**{key: Bare(event.text(name)) for key, name in TICKER.items() if name in event.values}, "contractId": 10,
            "maxBidPrice": Bare(event.text("last")), "minAskPrice": Bare(event.text("last")), "riseFallRate": rate,
            "symbol": event.symbol, "timestamp": ms(event.number("time"))}


def part(topic: str, event: Event) -> list[dict[str, object]]:
    """What one of the three streams of "mark" tells; nothing if the event is another's."""
    name = {"fair.price": "mark", "index.price": "index", "funding.rate": "funding"}[topic]
    if name not in event.values:
        return []
    value = Bare(event.text(name))
    if name == "funding":
        return [{"rate": value, "symbol": event.symbol, "nextSettleTime": ms(event.number("next_funding"))}]
    return [{"price": value, "symbol": event.symbol}]


def contract(stream: Stream, events: Sequence[Event], one_by_one: bool = False) -> list[Frame]:
    # {"symbol":"DOGE_USDT","data":{...},"channel":"push.depth","ts":1789498405540}
    event = events[0]
    topic, _, rest_of_name = stream.name.partition(":")
    bodies: list[object]
    if event.kind == "delta":
        bodies = [*each_version(event)] if rest_of_name.endswith(":0ms") else [depth(event)]
    elif event.kind == "snapshot":
        topic, bodies = "depth.full", [depth(event)]
    elif event.kind == "trade":
        topic, bodies = "deal", [*map(deal, events)] if one_by_one else [[deal(one) for one in events]]
    elif event.kind == "mark":
        bodies = [*part(topic, event)]
    else:
        topic, bodies = "ticker", [ticker(event)]
    sent = {"ts": ms(event.number("event_time"))} if "event_time" in event.values else {}
    return [write({"symbol": event.symbol, "data": body, "channel": f"push.{topic}", **sent}) for body in bodies]


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    return [spot(stream, events)] if stream.name.startswith("spot@") else contract(stream, events)


def encode_old(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    """Contracts of until 2025: a frame for each deal."""
    return [] if stream.name.startswith("spot@") else contract(stream, events, one_by_one=True)


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    above, _, last = path.rpartition("/")
    if path == "/api/v3/depth":
        book = hall.book(query.get("symbol", ""), int(query.get("limit", "100")), "spot")
        if book is None:
            return 400, b'{"code":-1121,"msg":"Invalid symbol."}'
        return 200, write({"lastUpdateId": book.number("last_seq"), **{
            key: [[level.price, level.qty] for level in book.side(side)] for key, side in (("bids", 1), ("asks", -1))},
            "timestamp": ms(book.number("time"))}).encode()
    if path == "/api/v3/exchangeInfo":
        return 200, write({"timezone": "CST", "serverTime": now(), "rateLimits": [], "exchangeFilters": [], "symbols": [
            symbol_entry(floor.listed) for floor in hall.floors if floor.listed.market == "spot"]}).encode()
    data: object
    if above == "/api/v1/contract/depth":
        book = hall.book(last, int(query.get("limit", "0")), "contract")
        if book is None:
            return 200, b'{"success":false,"code":1001,"message":"Contract does not exist"}'
        data = {**sides(book), "version": book.number("last_seq"), "timestamp": ms(book.number("time"))}
    elif path == "/api/v1/contract/detail":
        data = [contract_entry(floor.listed) for floor in hall.floors if floor.listed.market == "contract"]
    else:
        return None
    return 200, write({"success": True, "code": 0, "data": data}).encode()


def symbol_entry(listed: Listed) -> dict[str, object]:
    """An instrument of the list of spot."""
    it = listed.instrument
    return {"symbol": it.symbol, "status": "1", "baseAsset": listed.base, "baseAssetPrecision": it.qty_decimals,
            "quoteAsset": listed.quote, "quotePrecision": it.price_decimals, "quoteAssetPrecision": it.price_decimals,
            "baseSizePrecision": step(it.lot_units, it.qty_decimals), "quoteAmountPrecision": "1", "filters": []}


def contract_entry(listed: Listed) -> dict[str, object]:
    """An instrument of the list of contracts."""
    it = listed.instrument
    return {"symbol": it.symbol, "baseCoin": listed.base, "quoteCoin": listed.quote, "settleCoin": listed.settle,
            "contractSize": Bare(listed.contract_size), "priceScale": it.price_decimals, "volScale": it.qty_decimals,
            "priceUnit": Bare(step(it.tick_units, it.price_decimals)), "volUnit": it.lot_units, "minVol": it.lot_units,
            "state": 0}


# What no event keeps of a frame.
LOST = {
    "book data.asks[][2]": "orders at the level", "book data.bids[][2]": "orders at the level",
    "trade data[].O": "whether it opened a position", "trade data[].M": "whether it met an order of its own",
    "trade data.O": "whether it opened a position", "trade data.M": "whether it met an order of its own",
    "trade data[].cts": "its time again",
    "ticker data.contractId": "the venue's number of the contract",
    "ticker data.riseFallRate": "follows from the prices",
    "ticker data.maxBidPrice": "limit of an order's price", "ticker data.minAskPrice": "limit of an order's price",
    "ticker data.riseFallRates": "changes since other times", "ticker data.zone": "of riseFallRatesOfTimezone",
    "ticker data.riseFallRatesOfTimezone": "changes since other midnights",
}


def pace_ms(stream: Stream) -> int:
    """How often a stream tells something, ms."""
    if stream.name.startswith("spot@public.aggre"):
        return 0 if stream.channel == "trades" else int(stream.name.split("@")[2].removesuffix("ms"))
    if stream.channel == "book":
        return 0 if stream.name.endswith(":0ms") else 300 if stream.depth and stream.market == "contract" else 200
    return 0 if stream.channel == "trades" else 1000


DIALECT = Dialect(
    venue="mexc", lost=LOST, listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=({}, {"speed": "10ms"}, {"speed": "0ms"}, {"depth": 5}, {"depth": 10}, {"depth": 20}),
    opens=lambda stream: stream.channel in ("ticker", "mark", "quotes"), pace_ms=pace_ms, silence_s=60.0,
    older={"contracts until 2025": encode_old},
)
