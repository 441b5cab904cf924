"""How Kraken spot writes: v2 (objects, numbers with all their digits), and v1 (arrays) of the recordings.

https://docs.kraken.com/api/docs/websocket-v2/book, and frames recorded in 2021 and 2026.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from zlib import crc32

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, iso, step, write
from feeds.simulator.event import Event, Level
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

CONNECTION = Bare("18239578009413566319")       # above 2**63, as theirs are
DEPTHS = (10, 25, 100, 500, 1000)
LISTED = (
    Listed(Instrument("BTC/USD", 1, 1, 1, 8, 618_000, 8_000_000), base="BTC", quote="USD"),
    Listed(Instrument("ETH/USD", 1, 2, 1, 8, 268_000, 90_000_000), base="ETH", quote="USD"),
    Listed(Instrument("DOGE/USD", 1, 7, 1, 8, 1_820_000, 120_000_000_000), base="DOGE", quote="USD"),
)


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10,"snapshot":true},"req_id":1}
    try:
        request = json.loads(text)
        method = request["method"]
        if method == "ping":
            return [Ask("reply", frames=(write({"method": "pong", **number(request), **now()}),))]
        params = request["params"]
        channel, symbols = params["channel"], params["symbol"]
        if channel == "book":
            channel = f"book-{params.get('depth', DEPTHS[0])}"
        elif channel == "ticker" and params.get("event_trigger") == "bbo":
            channel = "ticker-bbo"
        names = tuple(f"{channel}:{symbol}" for symbol in symbols)
        if method not in ("subscribe", "unsubscribe") or not names or not isinstance(symbols, list):
            raise ValueError("method")
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(write({"error": "Malformed request", "success": False, **now()}),))]
    return [Ask(method, names, request)]


def number(request: Mapping[str, object]) -> dict[str, object]:
    """The number of a request, where it had one."""
    return {"req_id": request["req_id"]} if "req_id" in request else {}


def now() -> dict[str, object]:
    """When a request came and was answered."""
    moment = iso(time.time_ns(), 6)
    return {"time_in": moment, "time_out": moment}


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"},"success":true,
    #  "time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z","req_id":1}, one for each symbol
    request = ask.request
    assert isinstance(request, dict)
    told: list[Frame] = []
    for name in known:
        channel, _, symbol = name.partition(":")
        kind, _, detail = channel.partition("-")
        result: dict[str, object] = {"channel": kind}
        if kind == "book":
            result["depth"] = int(detail)
        elif kind == "ticker":
            result["event_trigger"] = detail or "trades"
        if ask.kind == "subscribe":
            result["snapshot"] = kind != "trade"
            line.memory["subscribed"] = True
        told.append(write({"method": ask.kind, "result": {**result, "symbol": symbol}, "success": True, **now(),
                           **number(request)}))
    for name in unknown:
        symbol = name.partition(":")[2]
        words = f"Currency pair not supported {symbol}" if ask.kind == "subscribe" else "Subscription Not Found"
        told.append(write({"error": words, "method": ask.kind, **number(request), "success": False, "symbol": symbol,
                           **now()}))
    return told


def too_much(what: str, line: Line) -> list[Frame]:
    return [write({"error": "Exceeded msg rate", "method": "subscribe", "success": False, **now()})]


def greet(line: Line) -> list[Frame]:
    return [write({"channel": "status", "type": "update", "data": [
        {"version": "2.0.10", "system": "online", "api_version": "v2", "connection_id": CONNECTION}]})]


def beat(line: Line, now_ns: int) -> list[Frame]:
    return ['{"channel":"heartbeat"}'] if line.memory.get("subscribed") else []


# ---- messages of version 2

def digits(text: str) -> str:
    return text.replace(".", "").lstrip("0")


def checksum(event: Event) -> int:
    """CRC-32 of the digits of the best ten asks, then bids; of a recorded message what it said."""
    if event.best is None:
        return event.number("checksum")
    levels = (*event.best(-1, 10), *event.best(1, 10))
    return crc32("".join(digits(price) + digits(qty) for price, qty in levels).encode())


def stamp(event: Event) -> dict[str, str]:
    """When it happened; some snapshots did not say."""
    return {"timestamp": iso(event.number("time"), 6)} if "time" in event.values else {}


def bare(event: Event, **keys: str) -> dict[str, object]:
    """Values as numbers with the digits that they have, by the keys of the wire."""
    return {key: Bare(event.text(name)) for key, name in keys.items() if name in event.values}


def levels(found: Iterable[Level]) -> list[dict[str, Bare]]:
    return [{"price": Bare(level.price), "qty": Bare(level.qty)} for level in found]


def element(event: Event) -> dict[str, object]:
    """One element of `data`."""
    if event.kind in ("snapshot", "delta"):
        return {"symbol": event.symbol, "bids": levels(event.side(1)), "asks": levels(event.side(-1)),
                "checksum": checksum(event), **stamp(event)}
    if event.kind == "trade":
        return {"symbol": event.symbol, "side": "buy" if event.number("aggressor") > 0 else "sell",
                **bare(event, price="price", qty="qty"), "ord_type": "limit", "trade_id": event.number("trade_id"),
                **stamp(event)}
    return {"symbol": event.symbol, **bare(
        event, bid="bid_price", bid_qty="bid_qty", ask="ask_price", ask_qty="ask_qty", last="last", volume="volume",
        vwap="vwap", low="low", high="high", change="change", change_pct="change_pct"), **stamp(event)}


CHANNELS = {"snapshot": "book", "delta": "book", "trade": "trade", "ticker": "ticker"}


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"channel":"book","type":"update","data":[{...}]}; of trades the snapshot is history, of tickers it is the first
    kind = events[0].kind
    if kind not in CHANNELS:
        return []
    return [write({"channel": CHANNELS[kind], "type": "snapshot" if kind == "snapshot" else "update",
                   "data": [element(event) for event in events]})]


# ---- messages of version 1

def seconds(ns: int) -> str:
    """1618678142.557535"""
    return f"{ns // 1_000_000_000}.{ns % 1_000_000_000 // 1000:06d}"


def levels_v1(event: Event, side: int) -> list[list[str]]:
    """Price, quantity, and when the level changed, which no event keeps."""
    return [[level.price, level.qty, "0.000000"] for level in event.side(side)]


def encode_v1(depth: int, stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # [992,{"b":[["354.15000000","5.00000000","1618678133.365913"]],"c":"2583817756"},"book-1000","XMR/USD"]; an update
    # of both sides has two bodies, the checksum in the last
    event, text = events[0], events[0].text
    bodies: list[object]
    if event.kind == "snapshot":
        name, bodies = f"book-{depth}", [{"as": levels_v1(event, -1), "bs": levels_v1(event, 1)}]
    elif event.kind == "delta":
        parts: list[dict[str, object]] = [{key: levels_v1(event, side)} for key, side in (("a", -1), ("b", 1))
                                          if event.side(side)]
        parts[-1]["c"] = str(checksum(event))
        name, bodies = f"book-{depth}", [*parts]
    elif event.kind == "trade":
        name, bodies = "trade", [[[
            one.text("price"), one.text("qty"), seconds(one.number("time")),
            "b" if one.number("aggressor") > 0 else "s", "l", ""] for one in events]]
    elif event.kind == "quote":
        name, bodies = "spread", [[text("bid_price"), text("ask_price"), seconds(event.number("time")), text("bid_qty"),
                                   text("ask_qty")]]
    else:
        name, bodies = "ticker", [{
            "a": [text("ask_price"), whole(text("ask_qty")), text("ask_qty")],
            "b": [text("bid_price"), whole(text("bid_qty")), text("bid_qty")], "c": [text("last"), text("last_qty")],
            **{key: [text(of), text(of)] for key, of in (("v", "volume"), ("p", "vwap"))},
            "t": [event.number("count"), event.number("count")],
            **{key: [text(of), text(of)] for key, of in (("l", "low"), ("h", "high"), ("o", "open"))}}]
    return [write([1664, *bodies, name, event.symbol])]


def whole(qty: str) -> int:
    """Whole lots."""
    return int(qty.partition(".")[0] or 0)


# ---- REST

OLD = {"BTC": "XBT", "DOGE": "XDG"}


def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    if path != "/0/public/AssetPairs":
        return None
    return 200, write({"error": [], "result": dict(entry(floor.listed) for floor in hall.floors)}).encode()


def entry(listed: Listed) -> tuple[str, dict[str, object]]:
    """A pair of the list, and its key."""
    it = listed.instrument
    base, quote = OLD.get(listed.base, listed.base), OLD.get(listed.quote, listed.quote)
    lot = step(it.lot_units, it.qty_decimals)
    return base + quote, {
        "altname": base + quote, "wsname": f"{base}/{quote}", "aclass_base": "currency", "base": base,
        "aclass_quote": "currency", "quote": quote, "lot": "unit", "pair_decimals": it.price_decimals,
        "lot_decimals": it.qty_decimals, "lot_multiplier": 1, "ordermin": lot, "costmin": "0.5",
        "tick_size": step(it.tick_units, it.price_decimals), "status": "online"}


# What no event keeps of a frame.
LOST = {
    **{f"{word} [0]": "number of the channel, of v1" for word in ("book", "trade", "ticker", "quote")},
    **{f"book [{place}].{key}[][2]": "when the level changed, of v1"
       for place in (1, 2) for key in ("a", "b", "as", "bs") if place == 1 or key == "b"},
    "trade data[].ord_type": "limit or market order", "trade [1][][4]": "the same, of v1",
    **{f"ticker [1].{key}[0]": "of today; the last 24 hours are kept" for key in "vptlho"},
}

DIALECT = Dialect(
    venue="kraken", lost=LOST, listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=tuple({"depth": depth} for depth in reversed(DEPTHS)), cuts=True, greet=greet, beat=beat, beat_s=1.0,
    levels=lambda stream: int(stream.name.partition(":")[0].partition("-")[2]) if stream.channel == "book" else 0,
    opens=lambda stream: stream.channel != "trades",
    kind=lambda stream: "ticker" if stream.channel == "quotes" else "",
    pace_ms=lambda stream: {"quotes": 10, "ticker": 100}.get(stream.channel, 0), silence_s=60.0,
    older={f"v1, {depth} levels": partial(encode_v1, depth) for depth in DEPTHS},
)
