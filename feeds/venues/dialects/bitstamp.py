"""How Bitstamp writes: WebSocket v2, whose books are numbered by microseconds and begin with a REST snapshot.

https://www.bitstamp.net/websocket/v2/, and frames recorded in 2022. The microtimestamp of a message is here the time of
the last thing that it tells of: so a snapshot and the differences around it can be put in their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, trimmed, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("btcusd", 1, 0, 1, 8, 61_800, 5_000_000), base="BTC", quote="USD"),
    Listed(Instrument("ethusd", 1, 1, 1, 8, 26_800, 80_000_000), base="ETH", quote="USD"),
    Listed(Instrument("btcusd-perp", 1, 0, 1, 5, 61_800, 5_000), kind="perpetual", base="BTC", quote="USD",
           settle="USD", contract_size="1.00000000"),
    Listed(Instrument("ethusd-perp", 1, 1, 1, 4, 26_800, 8_000), kind="perpetual", base="ETH", quote="USD",
           settle="USD", contract_size="1.00000000"),
)

CHANNELS = ("diff_order_book", "order_book", "live_trades", "funding_rate", "detail_order_book", "live_orders")
MAX_REQUEST = 512           # bytes; a longer frame closes the connection


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"event":"bts:subscribe","data":{"channel":"diff_order_book_btcusd"}}, {"event":"bts:heartbeat"}
    if len(text.encode()) > MAX_REQUEST:
        return [Ask("close")]
    try:
        request = json.loads(text)
        event = request["event"]
        if event == "bts:heartbeat":
            return [Ask("reply", frames=(write({"event": event, "channel": "", "data": {"status": "success"}}),))]
        channel = request["data"]["channel"]
        if event not in ("bts:subscribe", "bts:unsubscribe") or not isinstance(channel, str):
            raise ValueError("event")
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(refusal("Bad subscription string."),))]
    if channel.rpartition("_")[0] not in CHANNELS or channel != channel.lower():
        return [Ask("reply", frames=(refusal("Invalid channel provided."),))]
    return [Ask(event.removeprefix("bts:"), (channel,))]


def refusal(words: str) -> str:
    return write({"event": "bts:error", "channel": "", "data": {"code": None, "message": words}})


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    """An ack in any case: a market that there is not is acknowledged too, and stays silent."""
    return [write({"event": f"bts:{ask.kind[:-2]}ption_succeeded", "channel": name, "data": {}}) for name in ask.names]


def too_much(what: str, line: Line) -> list[Frame]:
    """One channel too many closes the connection in silence."""
    return [refusal("Rate limit exceeded.")] if what == "messages" else []


# ---- messages

def clock(ns: int) -> str:
    """A time in seconds."""
    return str(ns // 1_000_000_000)


def micro(event: Event) -> str:
    """What a message is numbered by."""
    return str(event.number("time") // 1000)


def book(event: Event) -> dict[str, object]:
    bids, asks = ([[level.price, level.qty] for level in event.side(side)] for side in (1, -1))
    return {"timestamp": clock(event.number("time")), "microtimestamp": micro(event), "bids": bids, "asks": asks}


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"data":{...},"channel":"diff_order_book_bateur","event":"data"}: one thing a frame
    return [write({"data": message(event), "channel": stream.name, "event": {
        "trade": "trade", "mark": "funding_rate_saved"}.get(event.kind, "data")}) for event in events]


def message(event: Event) -> dict[str, object]:
    if event.kind == "trade":
        text = event.text
        return {
            "id": event.number("trade_id"), "timestamp": clock(event.number("time")), "amount": bare(text("qty")),
            "amount_str": text("qty"), "price": bare(text("price")), "price_str": text("price"),
            "type": 0 if event.number("aggressor") > 0 else 1, "microtimestamp": micro(event),
            "buy_order_id": 0, "sell_order_id": 0}
    if event.kind == "mark":
        return {"market": event.symbol, "mark_price": event.text("mark"), "index_price": event.text("index"),
                "funding_rate": event.text("funding"), "timestamp": clock(event.number("event_time")),
                "next_funding_time": clock(event.number("next_funding"))}
    return book(event)


def bare(text: str) -> Bare:
    """The number without quotes that stands beside its text."""
    return Bare(text.replace("E", "e") if "E" in text else trimmed(text))


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    parts = path.strip("/").split("/")
    if parts == ["api", "v2", "markets"]:
        return 200, write([market(floor.listed) for floor in hall.floors]).encode()
    if len(parts) != 4 or parts[:3] != ["api", "v2", "order_book"]:
        return None
    event = hall.book(parts[3])
    return (404, b'{"status":"error","reason":"Not found."}') if event is None else (200, write(book(event)).encode())


def market(listed: Listed) -> dict[str, object]:
    """One market of the list."""
    it = listed.instrument
    pair = f"{listed.base}/{listed.quote}"
    told: dict[str, object] = {
        "name": pair, "market_symbol": it.symbol, "base_currency": listed.base, "base_decimals": it.qty_decimals,
        "counter_currency": listed.quote, "counter_decimals": it.price_decimals, "minimum_order_value": "10",
        "trading": "Enabled", "instant_order_counter_decimals": 2, "instant_and_market_orders": "Enabled",
        "description": pair, "market_type": "SPOT"}
    if listed.kind == "perpetual":
        told |= {"name": f"{pair}-PERP", "market_type": "PERPETUAL", "payoff_type": "Linear",
                 "contract_size": listed.contract_size}
    return told


DIALECT = Dialect(
    venue="bitstamp", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=({}, {"depth": 100}), pings=True,
    opens=lambda stream: False,                 # a book is had by REST, and whole ones come with the next change
    pace_ms=lambda stream: {"book": 200, "mark": 1000}.get(stream.channel, 0),
    lost={
        "trade data.buy_order_id": "names of orders",
        "trade data.sell_order_id": "names of orders",
    },
)
