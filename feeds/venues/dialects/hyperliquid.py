"""How Hyperliquid writes: every book is whole, and an unknown coin ends the connection.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket, and frames of 2024 to 2026. Prices move
here in the smallest step that the lists allow, not in that of the venue's five figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from feeds.simulator.dialect import Ask, Dialect, Frame, Line, Listed, ms, write
from feeds.simulator.event import Event, Level
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("BTC", 1, 1, 1, 5, 618_000, 5_000), kind="perpetual", base="BTC", quote="USDC", settle="USDC"),
    Listed(Instrument("ETH", 1, 2, 1, 4, 268_000, 8_000), kind="perpetual", base="ETH", quote="USDC", settle="USDC"),
    Listed(Instrument("kPEPE", 1, 6, 1, 0, 4_409, 90_000), kind="perpetual", base="kPEPE", quote="USDC",
           settle="USDC"),
    Listed(Instrument("PURR/USDC", 1, 8, 1, 0, 18_000_000, 400), base="PURR", quote="USDC"),
    Listed(Instrument("@107", 1, 6, 1, 2, 38_000_000, 900), base="HYPE", quote="USDC"),
)
TOKENS = {"USDC": 0, "PURR": 1, "HYPE": 150}
NOBODY = "0x0000000000000000000000000000000000000000"
NOTHING = "0x" + 64 * "0"

TYPES = ("l2Book", "bbo", "trades", "activeAssetCtx")


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","fast":true}}, {"method":"ping"}
    try:
        request = json.loads(text)
        method = request["method"]
        if method == "ping":
            return [Ask("reply", frames=(write({"channel": "pong"}),))]
        asked = request["subscription"]
        if method not in ("subscribe", "unsubscribe") or asked["type"] not in TYPES or not isinstance(
                asked["coin"], str):
            raise ValueError("method")
        name = f"{asked['type']}{'.fast' if asked.get('fast') is True else ''}:{asked['coin']}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(error(f"Error parsing JSON into valid websocket request: {text}"),))]
    return [Ask(method, (name,))]


def error(words: str) -> str:
    return write({"channel": "error", "data": words})


def subscription(name: str) -> dict[str, object]:
    """The object that stands for a stream in answers."""
    kind, _, coin = name.partition(":")
    if kind.startswith("l2Book"):
        return {"type": "l2Book", "coin": coin, "nSigFigs": None, "mantissa": None, "fast": kind == "l2Book.fast"}
    return {"type": kind, "coin": coin}


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    """One answer for the one stream of a request; none for what there is not."""
    told: list[Frame] = []
    for name in known:
        asked = subscription(name)
        if ask.kind == "subscribe" and name in line.memory:
            told.append(error(f"Already subscribed: {write(asked)}"))
            continue
        if ask.kind == "subscribe":
            line.memory[name] = True
        else:
            line.memory.pop(name, None)
        told.append(write({"channel": "subscriptionResponse", "data": {"method": ask.kind, "subscription": asked}}))
    if ask.kind == "unsubscribe":
        told += [error(f"Already unsubscribed: {write(subscription(name))}") for name in unknown]
    return told


def too_much(what: str, line: Line) -> list[Frame]:
    return [error("Too many messages" if what == "messages" else "Cannot subscribe to more than 1000 streams.")]


# ---- messages

def level(price: str, qty: str) -> dict[str, object] | None:
    """A level; None where nothing rests. The number of its orders is made up."""
    return None if price == "0" else {"px": price, "sz": qty, "n": 1}


def side(levels: Sequence[Level]) -> list[dict[str, object] | None]:
    return [level(one.price, one.qty) for one in levels]


def trade(event: Event) -> dict[str, object]:
    return {"coin": event.symbol, "side": "B" if event.number("aggressor") > 0 else "A", "px": event.text("price"),
            "sz": event.text("qty"), "time": ms(event.number("time")), "hash": NOTHING,
            "tid": event.number("trade_id"), "users": [NOBODY, NOBODY]}


def context(event: Event) -> dict[str, object]:
    """The state of an asset: of spot without funding, open interest and oracle."""
    text = event.text
    ctx = {"prevDayPx": text("open"), "dayNtlVlm": text("quote_volume"), "markPx": text("mark"), "midPx": text("mark")}
    if "volume" in event.values:
        ctx["dayBaseVlm"] = text("volume")
    if is_spot(event.symbol):
        return {"coin": event.symbol, "ctx": {**ctx, "circulatingSupply": "1000000.0", "coin": event.symbol}}
    return {"coin": event.symbol, "ctx": {
        "funding": text("funding"), "openInterest": text("open_interest"), **ctx, "premium": "0.0",
        "oraclePx": text("index"), "impactPxs": [text("mark"), text("mark")]}}


def is_spot(coin: str) -> bool:
    return coin.startswith("@") or "/" in coin


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"channel":"l2Book","data":{"coin":"BTC","time":1790232236546,"levels":[[{...}],[{...}]]}}; of trades a list
    first = events[0]
    if first.kind == "trade":
        return [write({"channel": "trades", "data": [trade(event) for event in events]})]
    return [write(message(event)) for event in events]


def message(event: Event) -> dict[str, object]:
    told = ms(event.number("event_time"))
    if event.kind == "snapshot":
        return {"channel": "l2Book", "data": {"coin": event.symbol, "time": told, "levels": [
            side(event.side(1)), side(event.side(-1))]}}
    if event.kind == "quote":
        best = [level(event.text(f"{one}_price"), event.text(f"{one}_qty")) for one in ("bid", "ask")]
        return {"channel": "bbo", "data": {"coin": event.symbol, "time": told, "bbo": best}}
    return {"channel": "activeSpotAssetCtx" if is_spot(event.symbol) else "activeAssetCtx", "data": context(event)}


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    if path != "/info" or method != "POST":
        return None
    try:
        asked = json.loads(query.get("body", ""))
        kind = asked["type"]
    except (ValueError, LookupError, TypeError):
        return 422, b"Failed to deserialize the JSON body into the target type"
    floors = [floor.listed for floor in hall.floors]
    told: object = None
    if kind == "spotMeta":
        told = spot_meta([listed for listed in floors if listed.kind == "spot"])
    elif kind in ("meta", "allPerpMetas"):
        meta = {"universe": [{"szDecimals": listed.instrument.qty_decimals, "name": listed.instrument.symbol,
                              "maxLeverage": 40, "marginTableId": 56} for listed in floors if listed.kind != "spot"],
                "marginTables": [], "collateralToken": 0}
        told = meta if kind == "meta" else [meta]
    elif kind == "l2Book" and (book := hall.book(asked.get("coin", ""), 20)) is not None:
        told = {"coin": book.symbol, "time": ms(book.number("event_time")), "levels": [
            side(book.side(1)), side(book.side(-1))]}
    return 200, write(told).encode()


def spot_meta(listed: Sequence[Listed]) -> dict[str, object]:
    """Pairs, and the tokens that they are made of."""
    decimals = {"USDC": 8} | {entry.base: entry.instrument.qty_decimals for entry in listed}
    names = list(decimals)
    number = {name: TOKENS.get(name, 500 + place) for place, name in enumerate(names)}
    return {
        "universe": [{"tokens": [number[entry.base], number.get(entry.quote, 0)], "name": entry.instrument.symbol,
                      "index": place, "isCanonical": "/" in entry.instrument.symbol}
                     for place, entry in enumerate(listed)],
        "tokens": [{"name": name, "szDecimals": decimals[name], "weiDecimals": 8, "index": number[name],
                    "tokenId": f"0x{number[name]:032x}", "isCanonical": True, "evmContract": None, "fullName": None}
                   for name in names]}


DIALECT = Dialect(
    venue="hyperliquid", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=({}, {"depth": 20}), hangs_up=True,
    opens=lambda stream: stream.channel != "trades", whole=lambda stream: True,
    levels=lambda stream: 5 if stream.name.startswith("l2Book.fast:") else 20,
    pace_ms=lambda stream: {"trades": 0, "quotes": 70}.get(
        stream.channel, 500 if stream.name.startswith("l2Book.fast:") else 5000 if stream.channel == "book" else 1000),
    lost={
        "book data.levels[][].n": "orders at a level",
        "quote data.bbo[].n": "orders at a level",
        "quote data.bbo[1].n": "orders at a level, where there is no bid",
        "trade data[].hash": "of the transaction",
        "trade data[].users": "addresses of the two traders",
        "trade data[].users[0]": "addresses of the two traders",
        "trade data[].users[1]": "addresses of the two traders",
        "ticker data.ctx.premium": "what the funding is made from",
        "ticker data.ctx.midPx": "the middle of the best prices",
        "ticker data.ctx.impactPxs[0]": "prices of a large order",
        "ticker data.ctx.impactPxs[1]": "prices of a large order",
        "ticker data.ctx.circulatingSupply": "of a token",
    },
)
