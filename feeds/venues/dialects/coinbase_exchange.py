"""How Coinbase Exchange writes: the JSON of 2019 to 2026; tickers have the sizes at the best prices since 2023.

https://docs.cdp.coinbase.com/exchange/websocket-feed/channels, and frames recorded in 2021.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial

from feeds.simulator.dialect import Ask, Dialect, Frame, Line, Listed, iso, step, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("BTC-USD", 1, 2, 1, 8, 6_180_000, 5_000_000), base="BTC", quote="USD"),
    Listed(Instrument("ETH-USD", 1, 2, 1, 8, 268_000, 80_000_000), base="ETH", quote="USD"),
    Listed(Instrument("ETH-BTC", 1, 5, 1, 8, 4_336, 80_000_000), base="ETH", quote="BTC"),
)

PUBLIC = ("level2_batch", "matches", "ticker")
CLOSED = ("level2", "level3", "full")           # for those who are logged in
ANSWERED = {"level2_batch": "level2_50"}        # what acks call a channel
NOBODY = "00000000-0000-0000-0000-000000000000"


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"type":"subscribe","product_ids":["BTC-USD"],
    #  "channels":["level2_batch","matches",{"name":"ticker","product_ids":["ETH-USD"]}]}
    try:
        request = json.loads(text)
        kind, shared = request["type"], request.get("product_ids") or []
        if kind not in ("subscribe", "unsubscribe"):
            return [refusal(f"Unrecognized message type: {kind}")]
        names = []
        for entry in request["channels"]:
            channel = entry if isinstance(entry, str) else entry["name"]
            products = shared if isinstance(entry, str) else entry.get("product_ids") or shared
            if channel in CLOSED:
                return [refusal("level2, level3, and full channels now require authentication")]
            if channel not in PUBLIC:
                return [refusal(f"{channel} is not a valid channel")]
            names += [f"{channel}:{product}" for product in products]
        if not names:
            return [refusal("no products or channels were given")]
    except (ValueError, LookupError, TypeError, AttributeError):
        return [refusal("Malformed JSON")]
    return [Ask(kind, tuple(names))]


def refusal(reason: str) -> Ask:
    return Ask("reply", frames=(error(reason),))


def error(reason: str) -> str:
    return write({"type": "error", "message": "Failed to subscribe", "reason": reason})


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    """All that there is now, by channel; or the product that makes the whole request void."""
    if ask.kind == "subscribe" and unknown:
        return [error(f"{unknown[0].partition(':')[2]} is not a valid product")]
    held = line.memory.setdefault("held", {})
    assert isinstance(held, dict)
    for name in known:
        channel, _, product = name.partition(":")
        products = held.setdefault(channel, [])
        if ask.kind == "subscribe" and product not in products:
            products.append(product)
        elif ask.kind == "unsubscribe" and product in products:
            products.remove(product)
    return [write({"type": "subscriptions", "channels": [
        {"name": ANSWERED.get(channel, channel), "product_ids": products}
        for channel, products in held.items() if products]})]


def too_much(what: str, line: Line) -> list[Frame]:
    return [error("rate limit exceeded" if what == "messages" else "too many subscriptions")]


# ---- messages

def encode(stream: Stream, events: Sequence[Event], line: Line, digits: int = 6) -> list[Frame]:
    return [write(message(event, digits)) for event in events]


def message(event: Event, digits: int) -> dict[str, object]:
    """A message; its time has so many digits of a second."""
    text, symbol = event.text, event.symbol
    happened = iso(event.number("time"), digits)
    if event.kind == "snapshot":
        return {"type": "snapshot", "product_id": symbol,
                "asks": [[level.price, level.qty] for level in event.side(-1)],
                "bids": [[level.price, level.qty] for level in event.side(1)]}
    if event.kind == "delta":
        return {"type": "l2update", "product_id": symbol, "changes": [
            ["buy" if level.side > 0 else "sell", level.price, level.qty] for level in event.levels],
            "time": happened}
    if event.kind == "trade":                   # the side is the maker's
        return {"type": "match", "trade_id": event.number("trade_id"), "maker_order_id": NOBODY, "taker_order_id":
                NOBODY, "side": "sell" if event.number("aggressor") > 0 else "buy", "size": text("qty"),
                "price": text("price"), "product_id": symbol, "sequence": event.number("last_seq"), "time": happened}
    sizes = {f"best_{side}_size": text(f"{side}_qty") for side in ("bid", "ask") if f"{side}_qty" in event.values}
    return {"type": "ticker", "sequence": event.number("last_seq"), "product_id": symbol, "price": text("last"),
            "open_24h": text("open"), "volume_24h": text("volume"), "low_24h": text("low"), "high_24h": text("high"),
            "volume_30d": text("volume"), "best_bid": text("bid_price"), "best_ask": text("ask_price"), **sizes,
            "side": "buy", "time": happened, "trade_id": event.number("trade_id"), "last_size": text("last_qty")}


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    parts = path.strip("/").split("/")
    if parts == ["products"]:
        return 200, write([product(floor.listed) for floor in hall.floors]).encode()
    if len(parts) != 3 or parts[0] != "products" or parts[2] != "book":
        return None
    event = hall.book(parts[1], {"1": 1, "2": 50}.get(query.get("level", "1"), 0))
    if event is None:
        return 404, b'{"message":"NotFound"}'
    bids, asks = ([[level.price, level.qty, 1] for level in event.side(side)] for side in (1, -1))
    return 200, write({
        "bids": bids, "asks": asks, "sequence": event.number("last_seq"), "auction_mode": False,
        "auction": None, "time": iso(event.number("event_time"), 6)}).encode()


def product(listed: Listed) -> dict[str, object]:
    """One product of the list."""
    it = listed.instrument
    return {
        "id": it.symbol, "base_currency": listed.base, "quote_currency": listed.quote,
        "quote_increment": step(it.tick_units, it.price_decimals), "base_increment":
        step(it.lot_units, it.qty_decimals), "display_name": it.symbol, "min_market_funds": "1",
        "margin_enabled": False, "post_only": False, "limit_only": False, "cancel_only": False, "status": "online",
        "status_message": "", "trading_disabled": False, "fx_stablecoin": False, "auction_mode": False}


DIALECT = Dialect(
    venue="coinbase_exchange", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    all_or_nothing=True,
    opens=lambda stream: stream.channel != "trades",
    pace_ms=lambda stream: {"book": 50, "trades": 0}.get(stream.channel, 100),
    older={"2019": partial(encode, digits=3)},
    lost={
        "trade sequence": "counts the messages of a channel for those who are logged in",
        "trade maker_order_id": "names of orders",
        "trade taker_order_id": "names of orders",
        "ticker sequence": "counts the messages of a channel for those who are logged in",
        "ticker volume_30d": "a figure of a month",
        "ticker side": "of the last trade: the trades tell it",
        "ticker trade_id": "of the last trade: the trades tell it",
    },
)
