"""How Coinbase Advanced Trade writes: the JSON of 2026, whose frames are numbered through over all channels.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels, and frames of 2026.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from feeds.simulator.dialect import Ask, Dialect, Frame, Line, Listed, iso, step, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

CHANNELS = ("level2", "market_trades", "ticker", "ticker_batch")
FAR = "2030-12-20T16:00:00Z"                    # when a perpetual ends, as its list says
LISTED = (
    Listed(Instrument("BTC-USD", 1, 2, 1, 8, 6_180_000, 5_000_000), base="BTC", quote="USD"),
    Listed(Instrument("ETH-USD", 1, 2, 1, 8, 268_000, 80_000_000), base="ETH", quote="USD"),
    Listed(Instrument("BIP-20DEC30-CDE", 5, 0, 1, 0, 12_360, 20), kind="perpetual", base="BTC", quote="USD",
           settle="USD", contract_size="0.01"),
    Listed(Instrument("BIT-26MAR27-CDE", 5, 0, 1, 0, 12_420, 8), kind="future", base="BTC", quote="USD", settle="USD",
           contract_size="0.01", expiry_ns=1_806_073_200_000_000_000),
)


def stamp(ns: int, digits: int = 9) -> str:
    """A time as this venue writes it: without zeros at the end of the fraction."""
    return iso(ns, digits)[:-1].rstrip("0").rstrip(".") + "Z"


def frame(channel: str, ns: int, number: int, events: Sequence[object]) -> str:
    # {"channel":"l2_data","timestamp":"2026-08-24T22:34:13.793075885Z","sequence_num":0,"events":[...]}
    return write({"channel": channel, "timestamp": stamp(ns), "sequence_num": number, "events": events})


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"level2"}; heartbeats need no products
    try:
        request = json.loads(text)
        kind, channel, products = request["type"], request["channel"], request.get("product_ids") or []
        if kind not in ("subscribe", "unsubscribe"):
            raise ValueError("type")
        # BTC-USDC is another name of BTC-USD
        names = tuple(f"{channel}:{product.removesuffix('C') if product.endswith('-USDC') else product}"
                      for product in products)
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(refusal("failed to parse message"),))]
    if channel == "heartbeats":
        if kind == "subscribe":
            line.memory.setdefault("heartbeats", 0)
        else:
            line.memory.pop("heartbeats", None)
        return [Ask("reply", frames=(subscriptions(line),))]
    if channel not in CHANNELS or not names:
        return [Ask("reply", frames=(refusal(f"unknown channel {channel}, or no product_ids"),))]
    return [Ask(kind, names)]


def refusal(words: str) -> str:
    return write({"type": "error", "message": words})


def held(line: Line) -> dict[str, list[str]]:
    """What the connection is subscribed to, by channel."""
    kept = line.memory.setdefault("held", {})
    assert isinstance(kept, dict)
    return kept


def subscriptions(line: Line) -> str:
    """All that there is now: {"subscriptions":{"level2":["BTC-USD"]}}."""
    listed = {channel: products for channel, products in held(line).items() if products}
    if "heartbeats" in line.memory:
        listed["heartbeats"] = ["heartbeats"]
    return frame("subscriptions", time.time_ns(), line.next() - 1, [{"subscriptions": listed}])


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    for name in known:
        channel, _, product = name.partition(":")
        products = held(line).setdefault(channel, [])
        if ask.kind == "subscribe" and product not in products:
            products.append(product)
        elif ask.kind == "unsubscribe" and product in products:
            products.remove(product)
    told: list[Frame] = [subscriptions(line)] if known or ask.kind == "unsubscribe" else []
    if ask.kind == "subscribe":
        told += [refusal(f"{name.partition(':')[2]} is not a valid product") for name in unknown]
    return told


def beat(line: Line, now_ns: int) -> list[Frame]:
    """A heartbeat, numbered by itself too, for those who have subscribed to it."""
    counter = line.memory.get("heartbeats")
    if not isinstance(counter, int):
        return []
    line.memory["heartbeats"] = counter + 1
    clock = iso(now_ns, 9, "").replace("T", " ")
    return [frame("heartbeats", now_ns, line.next() - 1, [
        {"current_time": f"{clock} +0000 UTC m=+{now_ns % 10**14 / 1e9:.9f}", "heartbeat_counter": counter}])]


def too_much(what: str, line: Line) -> list[Frame]:
    return [refusal("rate limit exceeded" if what == "messages" else "too many subscriptions")]


# ---- messages

def book(event: Event) -> dict[str, object]:
    changed = stamp(event.number("time", event.number("event_time")), 6)
    return {"type": "snapshot" if event.kind == "snapshot" else "update", "product_id": event.symbol, "updates": [
        {"side": "bid" if level.side > 0 else "offer", "event_time": changed, "price_level": level.price,
         "new_quantity": level.qty} for level in event.levels]}


def trade(event: Event) -> dict[str, object]:
    text = event.text
    return {"product_id": event.symbol, "trade_id": text("trade_id"), "price": text("price"), "size": text("qty"),
            "time": stamp(event.number("time"), 6), "side": "SELL" if event.number("aggressor") > 0 else "BUY"}


def ticker(event: Event) -> dict[str, object]:
    text = event.text
    return {"type": "ticker", "product_id": event.symbol, "price": text("last"), "volume_24_h": text("volume"),
            "low_24_h": text("low"), "high_24_h": text("high"), "low_52_w": text("low"), "high_52_w": text("high"),
            "price_percent_chg_24_h": text("change_pct"), "best_bid": text("bid_price"), "best_ask": text("ask_price"),
            "best_bid_quantity": text("bid_qty"), "best_ask_quantity": text("ask_qty")}


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    first = events[0]
    number = first.number("line_seq") if "line_seq" in first.values else line.next() - 1
    told_ns = first.number("event_time")
    if first.kind in ("delta", "snapshot"):
        return [frame("l2_data", told_ns, number, [book(event) for event in events])]
    if first.kind == "trade":                   # the newest comes first
        newest = sorted(events, key=lambda event: -event.number("trade_id"))
        return [frame("market_trades", told_ns, number,
                      [{"type": "update", "trades": [trade(event) for event in newest]}])]
    return [frame("ticker", told_ns, number, [{"type": "update", "tickers": [ticker(event) for event in events]}])]


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    if path != "/api/v3/brokerage/market/products":
        return None
    products = [product(floor.listed) for floor in hall.floors]
    return 200, write({"products": products, "num_products": len(products), "pagination": None}).encode()


def product(listed: Listed) -> dict[str, object]:
    """One product of the list."""
    it = listed.instrument
    lot, tick = step(it.lot_units, it.qty_decimals), step(it.tick_units, it.price_decimals)
    spot = listed.kind == "spot"
    more: dict[str, object] = {"fcm_trading_session_details": None}
    if not spot:
        perpetual = listed.kind == "perpetual"
        more = {"fcm_trading_session_details": {"is_session_open": True}, "future_product_details": {
            "venue": "cde", "contract_code": it.symbol.partition("-")[0], "contract_expiry":
            iso(listed.expiry_ns, 0) if listed.expiry_ns else FAR, "contract_size": listed.contract_size,
            "contract_root_unit": listed.base, "contract_expiry_type": "EXPIRING",
            "funding_interval": "3600s" if perpetual else None, "funding_rate": "0.000013" if perpetual else ""}}
    return {
        "product_id": it.symbol, "base_increment": lot, "quote_increment": "0.01", "quote_min_size": "1" if spot else
        "0", "base_min_size": lot, "is_disabled": False, "status": "online" if spot else "", "cancel_only": False,
        "limit_only": False, "post_only": False, "trading_disabled": False, "auction_mode": False,
        "product_type": "SPOT" if spot else "FUTURE", "quote_currency_id": listed.quote, "base_currency_id":
        listed.base if spot else "", "alias": "", "alias_to": [], "price_increment": tick, **more}


DIALECT = Dialect(
    venue="coinbase_advanced", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    by_line=True, beat=beat, beat_s=1.0,
    opens=lambda stream: stream.channel != "trades",
    pace_ms=lambda stream: {"book": 50, "trades": 0}.get(stream.channel, 100),
    lost={
        "book events[].updates[].event_time": "when a level changed; the frame's own time is kept",
        "ticker events[].tickers[].low_52_w": "figures of a year",
        "ticker events[].tickers[].high_52_w": "figures of a year",
        "ticker events[].type": "snapshot or update: a ticker is whole either way",
    },
)
