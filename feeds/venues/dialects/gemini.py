"""How Gemini writes: the WebSocket API of 2026, and market data v2 of before.

https://developer.gemini.com/websocket/streams, frames published in 2026, and frames of v2 recorded in 2021.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, ms, step, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("btcusd", 1, 2, 1, 8, 6_180_000, 5_000_000), base="BTC", quote="USD"),
    Listed(Instrument("ethusd", 1, 2, 1, 6, 268_000, 800_000), base="ETH", quote="USD"),
    Listed(Instrument("btcgusdperp", 5, 1, 1, 4, 123_600, 500), kind="perpetual", base="BTC", quote="GUSD",
           settle="GUSD"),
    Listed(Instrument("ethgusdperp", 5, 2, 1, 3, 53_600, 800), kind="perpetual", base="ETH", quote="GUSD",
           settle="GUSD"),
)


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"id":1,"method":"subscribe","params":["btcusd@depth@100ms","btcusd@bookTicker"]}; list_subscriptions, ping, ...
    number: object = None
    try:
        request = json.loads(text)
        number, method = request.get("id"), request["method"].lower()
        if method in ("subscribe", "unsubscribe"):
            names = tuple(name.lower().replace("bookticker", "bookTicker").replace("markprice", "markPrice")
                          for name in request["params"])
            if not names:
                raise ValueError("params")
            return [Ask(method, names, number)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return [refusal(number, -1013, "Invalid request")]
    if method == "ping":
        return [Ask("reply", frames=(write({"id": number, "status": 200}),))]
    if method == "list_subscriptions":
        return [Ask("reply", frames=(write({"id": number, "status": 200, "result": list(held(line))}),))]
    return [refusal(number, -1020, "Unsupported operation")]


def refusal(number: object, code: int, words: str) -> Ask:
    return Ask("reply", frames=(error(number, code, words),))


def error(number: object, code: int, words: str) -> str:
    return write({"id": number, "status": 429 if code == -1003 else 400, "error": {"code": code, "msg": words}})


def held(line: Line) -> dict[str, None]:
    """Names of what the connection is subscribed to."""
    names = line.memory.setdefault("held", {})
    assert isinstance(names, dict)
    return names


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    """One answer for all names; one that there is not makes the whole request void."""
    if ask.kind == "subscribe" and unknown:
        return [error(ask.request, -1013, f"Invalid stream name: {unknown[0]}")]
    for name in known:
        if ask.kind == "subscribe":
            held(line)[name] = None
        else:
            held(line).pop(name, None)
    return [write({"id": ask.request, "status": 200})]


def too_much(what: str, line: Line) -> list[Frame]:
    return [error(None, -1003, "Too many requests" if what == "messages" else "Too many subscriptions")]


# ---- messages

def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    return [write(message(event)) for event in events]


def message(event: Event) -> dict[str, object]:
    told, symbol, text = event.number("event_time"), event.symbol, event.text
    if event.depth:
        # {"lastUpdateId":1764549594389752,"symbol":"btcusd","bids":[["62145.38","0.1"]],"asks":[["62146.00","0.2"]]}
        return {"lastUpdateId": event.number("last_seq"), "symbol": symbol, "bids": pairs(event, 1),
                "asks": pairs(event, -1)}
    if event.kind in ("delta", "snapshot"):
        # Begins with the number that the message before ended at; the whole book begins and ends with one number.
        first, last = event.number("prev_seq", event.number("first_seq")), event.number("last_seq")
        return {"e": "depthUpdate", "E": told, "s": symbol, "U": first, "u": last, "b": pairs(event, 1),
                "a": pairs(event, -1)}
    if event.kind == "trade":
        return {"E": told, "s": symbol, "t": event.number("trade_id"), "p": text("price"), "q": text("qty"),
                "m": event.number("aggressor") < 0}
    if event.kind == "mark":
        return {"e": "markPrice", "E": told, "s": symbol, "p": text("mark"), "i": text("index")}
    best: dict[str, object] = {"u": event.number("last_seq"), "E": told, "s": symbol}
    for side, price, qty in (("bid", "b", "B"), ("ask", "a", "A")):
        if text(f"{side}_price", "0") != "0":   # an empty side is left out
            best |= {price: text(f"{side}_price"), qty: text(f"{side}_qty")}
    return best | ({"c": best["b"], "C": best["B"]} if "b" in best else {})


def pairs(event: Event, side: int) -> list[list[str]]:
    return [[level.price, level.qty] for level in event.side(side)]


def encode_v2(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    """Market data v2: symbols in upper case, no numbers; the first of a symbol has the keys that mark a whole book."""
    return [write(message_v2(event)) for event in events]


def message_v2(event: Event) -> dict[str, object]:
    symbol, text = event.symbol.upper(), event.text
    if event.kind == "trade":
        return {"type": "trade", "symbol": symbol, "event_id": event.number("trade_id"), "timestamp":
                ms(event.number("time")), "price": text("price"), "quantity": text("qty"),
                "side": "buy" if event.number("aggressor") > 0 else "sell"}
    whole: dict[str, object] = {"trades": [], "auction_events": []} if event.kind == "snapshot" else {}
    return {"type": "l2_updates", "symbol": symbol, "changes": [
        ["buy" if level.side > 0 else "sell", level.price, level.qty] for level in event.levels], **whole}


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    parts = path.strip("/").split("/")
    if parts == ["v1", "symbols"]:
        return 200, write([floor.listed.instrument.symbol for floor in hall.floors]).encode()
    if len(parts) == 4 and parts[:3] == ["v1", "symbols", "details"]:
        floor = hall.floor(parts[3].lower())
        if floor is not None:
            return 200, write(details(floor.listed)).encode()
    elif len(parts) == 3 and parts[:2] == ["v1", "book"]:
        event = hall.book(parts[2].lower(), int(query.get("limit_bids", "50")))
        if event is not None:
            at = str(event.number("event_time") // 1_000_000_000)
            return 200, write({key: [{"price": level.price, "amount": level.qty, "timestamp": at}
                                     for level in event.side(side)] for key, side in (("bids", 1), ("asks", -1))}
                              ).encode()
    else:
        return None
    return 400, b'{"result":"error","reason":"InvalidSymbol","message":"No such symbol"}'


def details(listed: Listed) -> dict[str, object]:
    """What is told of one symbol: tick_size is the step of its quantity."""
    it = listed.instrument
    lot = step(it.lot_units, it.qty_decimals)
    spot = listed.kind == "spot"
    return {
        "symbol": it.symbol.upper(), "base_currency": listed.base, "quote_currency": listed.quote,
        "tick_size": Bare(lot), "quote_increment": Bare(step(it.tick_units, it.price_decimals)),
        "min_order_size": lot, "status": "open", "wrap_enabled": False, "product_type": "spot" if spot else "swap",
        "contract_type": "vanilla" if spot else "linear", "contract_price_currency": listed.quote}


DIALECT = Dialect(
    venue="gemini", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=({}, {"speed": "1000ms"}, *({"depth": depth, "speed": speed} for depth in (5, 10, 20)
                                        for speed in ("100ms", "1000ms"))),
    all_or_nothing=True, pings=True,
    opens=lambda stream: stream.channel in ("book", "quotes", "mark"),
    # Which partial book it is only its name tells: all of them fill one of 20 levels.
    levels=lambda stream: int(stream.name.partition("@depth")[2].partition("@")[0] or 0) if stream.depth else 0,
    pace_ms=lambda stream: {"book": 100 if stream.name.endswith("@100ms") else 1000, "mark": 1000}.get(
        stream.channel, 0),
    older={"v2": encode_v2},
    lost={
        "quote c": "price of the last trade",
        "quote C": "quantity of the last trade",
        "mark i": "index price, wrong by powers of ten at the venue",
        "book trades": "v2: old trades that a whole book comes with",
        "book trades[]": "v2: old trades that a whole book comes with",
    },
)
