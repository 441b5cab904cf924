"""How BitMEX writes: tables of the realtime API of today, and as recorded since 2019.

https://www.bitmex.com/app/wsAPI, and frames recorded in 2021. A level has a name: the place of its price below that of
its instrument's number times 10**8, as they were given until 2021. A table begins with a `partial`; until 2022 rows of
a book had no time, and those that change or remove a level no price.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, iso, step, trimmed, write
from feeds.simulator.event import Event, Level
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

MARCH = 1_806_062_400_000_000_000           # 2027-03-26 12:00 UTC
LISTED = (
    Listed(Instrument("XBTUSD", 1, 1, 100, 0, 618_000, 80), kind="perpetual", base="BTC", quote="USD", settle="BTC",
           contract_size="1"),
    Listed(Instrument("ETHUSD", 5, 2, 1, 0, 53_600, 900), kind="perpetual", base="ETH", quote="USD", settle="BTC",
           contract_size="0.000001"),
    Listed(Instrument("XBTUSDT", 1, 1, 100, 0, 618_000, 900), kind="perpetual", base="BTC", quote="USDT",
           settle="USDT", contract_size="0.000001"),
    Listed(Instrument("XBTH27", 5, 1, 100, 0, 124_500, 60), kind="future", base="BTC", quote="USD", settle="BTC",
           contract_size="1", expiry_ns=MARCH),
    Listed(Instrument("ETH_USDT", 1, 2, 1000, 0, 268_000, 200_000), base="ETH", quote="USDT",
           contract_size="0.000000001"),
)
BOOKS = ("orderBookL2", "orderBookL2_25")
TABLES = (*BOOKS, "orderBook10", "quote", "trade", "instrument", "funding", "liquidation")
PARTS = {"BTC": ("XBt", 100_000_000), "USDT": ("USDt", 1_000_000)}      # units of settlement, and how many are one
OURS = {"BTC": "XBT"}

# What the columns of a table are, as its partial tells.
ROW = {"symbol": "symbol", "id": "long", "side": "symbol", "size": "long", "price": "float"}
QUOTE = {"timestamp": "timestamp", "symbol": "symbol", "bidSize": "long", "bidPrice": "float", "askPrice": "float",
         "askSize": "long"}


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"op":"subscribe","args":["orderBookL2:XBTUSD","trade:XBTUSD"]}, and the text ping
    if text == "ping":
        return [Ask("reply", frames=("pong",))]
    try:
        request = json.loads(text)
        kind, names = request["op"], request["args"]
        names = [names] if isinstance(names, str) else names
        if kind not in ("subscribe", "unsubscribe") or not all(isinstance(name, str) for name in names):
            raise ValueError(kind)
    except (ValueError, LookupError, TypeError):
        return [Ask("reply", frames=(failure(400, "Unrecognized request", None),))]
    return [Ask(kind, tuple(names), request)]


def failure(status: int, words: str, request: object) -> str:
    # {"status":400,"error":"Unknown table: foo","meta":{},"request":{"op":"subscribe","args":["foo"]}}
    return write({"status": status, "error": words, "meta": {}, "request": request if request is not None else {}})


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"success":true,"subscribe":"orderBookL2:XBTUSD","request":{...}}, one for each topic
    told: list[Frame] = []
    for name in known:
        line.memory.pop(name, None)               # what was known of it: it begins anew
        told.append(write({"success": True, ask.kind: name, "request": ask.request}))
    for name in unknown:
        table = name.partition(":")[0]
        told.append(failure(400, f"Unknown table: {table}", ask.request) if table not in TABLES
                    else write({"success": False, ask.kind: name, "request": ask.request}))
    return told


def greet(line: Line) -> list[Frame]:
    return [write({"info": "Welcome to the BitMEX Realtime API.", "version": "2026-05-14T01:26:29.000Z", "timestamp":
                   "2026-11-22T19:30:00.000Z", "docs": "https://www.bitmex.com/app/wsAPI", "limit": {"remaining": 39}})]


def too_much(what: str, line: Line) -> list[Frame]:
    return [failure(429, "Rate limit exceeded, retry in 1 seconds.", None)]


def named_by(path: str) -> Sequence[str]:
    # /realtime?subscribe=quote:XBTUSD,orderBookL2_25:XBTUSD
    asked = parse_qs(urlsplit(path).query).get("subscribe", [""])[0]
    return [name for name in asked.split(",") if ":" in name]


# ---- messages

def number(text: str) -> Bare | None:
    return Bare(trimmed(text)) if text else None


def name_of(symbol: str, price: str) -> int:
    """The id of a level of a simulated market."""
    return (1 + crc32(symbol.encode()) % 900) * 100_000_000 - int(Decimal(price).scaleb(4))


def row(event: Event, level: Level, size: str) -> dict[str, object]:
    told: dict[str, object] = {"symbol": event.symbol, "id": level.id or name_of(event.symbol, level.price),
                               "side": "Buy" if level.side > 0 else "Sell"}
    if size:
        told["size"] = number(size)
    if level.price:
        told["price"] = number(level.price)
    if "time" in event.values:
        told["timestamp"] = iso(event.number("time"))
    if "number" in event.values:
        told["transactTime"] = iso(event.number("time"))
    return told


def table(stream: Stream, action: str, rows: Sequence[object], described: bool = True) -> str:
    name, _, symbol = stream.name.partition(":")
    description: dict[str, object] = {}
    if action == "partial" and described:
        book = name in BOOKS
        timed = book and rows and isinstance(rows[0], dict) and "timestamp" in rows[0]
        times = {"timestamp": "timestamp", "transactTime": "timestamp"} if timed else {}
        columns = {**ROW, **times} if book else QUOTE if name == "quote" else {}
        description = {"keys": ["symbol", "id", "side"] if book else [], "types": columns,
                       "foreignKeys": {"symbol": "instrument", **({"side": "side"} if book else {})},
                       "attributes": {"symbol": "parted", "id": "sorted"} if book
                       else {"timestamp": "sorted", "symbol": "grouped"}, "filter": {"symbol": symbol}}
    return write({"table": name, "action": action, **description, "data": rows})


def changes(stream: Stream, event: Event, line: Line) -> list[Frame]:
    """Rows of a book: a frame of those that are gone, one of those that have another size, one of the new."""
    if "number" not in event.values:              # recorded: one action a frame, and the rows show which
        first = event.levels[0]
        action = "delete" if first.gone else "insert" if first.price else "update"
        return [table(stream, action, [row(event, level, level.qty) for level in event.levels])]
    sizes = line.memory.setdefault(stream.name, {})
    assert isinstance(sizes, dict)
    told: dict[str, list[object]] = {"delete": [], "update": [], "insert": []}
    for level in sorted(event.levels, key=lambda level: not level.gone):      # a price may go over to the other side
        name = name_of(event.symbol, level.price)
        if level.gone:
            told["delete"].append(row(event, level, sizes.pop(name, "")))
        else:
            told["update" if name in sizes else "insert"].append(row(event, level, level.qty))
            sizes[name] = level.qty
    return [table(stream, action, rows) for action, rows in told.items() if rows]


def whole(stream: Stream, event: Event, line: Line | None, described: bool = True) -> str:
    """The partial of a book: highest price first, as the ids have it."""
    levels = event.levels
    if line is not None:
        levels = sorted(levels, key=lambda level: level.id or name_of(event.symbol, level.price))
        line.memory[stream.name] = {name_of(event.symbol, level.price): level.qty for level in levels if not level.id}
    return table(stream, "partial", [row(event, level, level.qty) for level in levels], described)


def element(stream: Stream, event: Event) -> dict[str, object]:
    """One row of another table."""
    text = event.text
    if stream.name.startswith("orderBook10"):
        sides = {side: [[number(level.price), number(level.qty)] for level in event.side(sign)]
                 for side, sign in (("bids", 1), ("asks", -1))}
        return {"symbol": event.symbol, **{side: levels for side, levels in sides.items() if levels},
                "timestamp": iso(event.number("event_time"))}
    if event.kind == "quote":
        return {"timestamp": iso(event.number("event_time")), "symbol": event.symbol,
                "bidSize": number(text("bid_qty")), "bidPrice": number(text("bid_price")),
                "askPrice": number(text("ask_price")), "askSize": number(text("ask_qty"))}
    side = {1: {"side": "Buy"}, -1: {"side": "Sell"}}.get(event.number("aggressor"), {})
    if event.kind == "trade":
        size = float(text("qty"))
        return {"timestamp": iso(event.number("time")), "symbol": event.symbol, **side, "size": number(text("qty")),
                "price": number(text("price")), "tickDirection": "ZeroPlusTick",
                "trdMatchID": f"00000000-006d-1000-0000-{event.number('trade_id'):012x}",
                "grossValue": round(size * 1e8 / float(text("price"))), "homeNotional": size / float(text("price")),
                "foreignNotional": size, "trdType": "Regular"}
    if event.kind == "liquidation":
        return {"orderID": f"dd9cea25-207c-0dab-15b5-{event.number('trade_id'):012x}", "symbol": event.symbol, **side,
                "price": number(text("price")), "leavesQty": number(text("qty"))}
    if event.kind == "mark":                      # of the table funding
        return {"timestamp": iso(event.number("event_time")), "symbol": event.symbol,
                "fundingInterval": "2000-01-01T08:00:00.000Z", "fundingRate": number(text("funding")),
                "fundingRateDaily": 3 * float(text("funding"))}
    columns = {key: number(text(name)) for key, name in COLUMNS.items() if text(name)}
    if "next_funding" in event.values:
        columns["fundingTimestamp"] = Bare(f'"{iso(event.number("next_funding"))}"')
    return {"symbol": event.symbol, **columns,
            **({"timestamp": iso(event.number("event_time"))} if "event_time" in event.values else {})}


COLUMNS = {"bidPrice": "bid_price", "askPrice": "ask_price", "lastPrice": "last", "markPrice": "mark",
           "indicativeSettlePrice": "index", "fundingRate": "funding", "openInterest": "open_interest",
           "openValue": "open_value", "prevPrice24h": "open", "highPrice": "high", "lowPrice": "low",
           "volume24h": "volume", "foreignNotional24h": "quote_volume", "vwap": "vwap", "prevClosePrice": "prev_close"}
FIRST = {"trade": "insert", "liquidation": "insert"}                    # their partials repeat what was before
LATER = {"orderBook10": "update", "instrument": "update"}


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"table":"orderBookL2","action":"update","data":[{...}]}
    name = stream.name.partition(":")[0]
    if name in BOOKS:
        frames: list[Frame] = []
        for event in events:
            frames += [whole(stream, event, line)] if event.kind == "snapshot" else changes(stream, event, line)
        return frames
    action = LATER.get(name, "insert") if line.memory.get(stream.name) else FIRST.get(name, "partial")
    line.memory[stream.name] = True
    return [table(stream, action, [element(stream, event) for event in events])]


def encode_as(stream: Stream, events: Sequence[Event], line: Line, action: str) -> list[Frame]:
    """The same with this action, whatever was said before; a partial without what its columns are, as samples are."""
    if events[0].kind == "mark":
        stream = Stream(f"funding:{events[0].symbol}", stream.root, stream.symbol, stream.channel)
    if stream.name.startswith(BOOKS) and stream.channel == "book" and not stream.name.startswith("orderBook10"):
        return [whole(stream, events[0], None, False)] if events[0].kind == "snapshot" and action == "partial" else []
    return [table(stream, action, [element(stream, event) for event in events], False)]


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    if path == "/api/v1/instrument/active":
        return 200, write([entry(floor.listed) for floor in hall.floors]).encode()
    if path != "/api/v1/orderBook/L2":
        return None
    book = hall.book(query.get("symbol", ""), int(query.get("depth", "25")))
    rows = [] if book is None else [row(book, level, level.qty) for level in book.levels]
    return 200, write(rows).encode()


def entry(listed: Listed) -> dict[str, object]:
    """One instrument of the list."""
    it = listed.instrument
    spot, inverse = listed.kind == "spot", listed.settle == listed.base
    linear = spot or listed.settle == listed.quote
    unit, parts = PARTS[listed.settle or listed.quote]
    size = Decimal(listed.contract_size or "1")
    expiry = iso(listed.expiry_ns) if listed.expiry_ns else None
    base, quote = OURS.get(listed.base, listed.base), OURS.get(listed.quote, listed.quote)
    return {
        "symbol": it.symbol, "rootSymbol": base, "state": "Open", "typ": "IFXXXP" if spot else "FFCCSX" if expiry
        else "FFWCSX", "listing": "2016-05-13T12:00:00.000Z", "front": None, "expiry": expiry, "settle": expiry,
        "optionStrikePrice": None, "positionCurrency": quote if inverse else base, "underlying": base,
        "quoteCurrency": quote, "lotSize": it.lot_units, "tickSize": Bare(step(it.tick_units, it.price_decimals)),
        "multiplier": int(-size * parts if inverse else size * parts), "settlCurrency": unit,
        "underlyingToPositionMultiplier": int(1 / size) if linear else None,
        "underlyingToSettleMultiplier": -parts if inverse else None,
        "quoteToSettleMultiplier": parts if linear else None, "isQuanto": not linear and not inverse,
        "isInverse": inverse}


# What no event keeps of a frame.
LOST = {
    "trade data[].tickDirection": "whether the price rose or fell", "trade data[].trdMatchID": "a name, no number",
    "trade data[].grossValue": "in the smallest parts of the settlement currency",
    "trade data[].homeNotional": "in base currency", "trade data[].foreignNotional": "in quote currency",
    "trade data[].trdType": "not there until 2023", "liquidation data[].orderID": "a name, no number",
    "ticker data[].midPrice": "between the best", "ticker data[].impactBidPrice": "for a certain size",
    "ticker data[].impactMidPrice": "for a certain size", "ticker data[].impactAskPrice": "for a certain size",
}

DIALECT = Dialect(
    venue="bitmex", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much, lost=LOST,
    older={f"{action} alone": partial(encode_as, action=action) for action in ("partial", "insert", "update")},
    by_line=True, greet=greet, named_by=named_by, options=({}, {"depth": 25}, {"depth": 10}), silence_s=60.0,
    opens=lambda stream: stream.channel not in ("trades", "liquidations"), whole=lambda stream: stream.depth == 10,
    pace_ms=lambda stream: {"quotes": 10, "ticker": 500, "book": {10: 100, 25: 20}.get(stream.depth, 0)}.get(
        stream.channel, 0),
)
