"""How Deribit writes: JSON-RPC 2.0 notifications as they are served today, and as recorded since 2020.

https://docs.deribit.com, and frames recorded in 2021. Whoever connects is given what only those are who are logged in:
raw streams. Numbers are JSON numbers with a point.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, ms, step, trimmed, write
from feeds.simulator.event import Event, Level
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

MARCH = 1_806_048_000_000_000_000           # 2027-03-26 08:00 UTC
FOREVER_MS = 32_503_708_800_000             # what does not expire does so in the year 3000
LISTED = (
    Listed(Instrument("BTC-PERPETUAL", 5, 1, 10, 0, 123_600, 400), kind="perpetual", base="BTC", quote="USD",
           settle="BTC", contract_size="10"),
    Listed(Instrument("ETH-PERPETUAL", 5, 2, 1, 0, 53_600, 3_000), kind="perpetual", base="ETH", quote="USD",
           settle="ETH", contract_size="1"),
    Listed(Instrument("BTC-26MAR27", 25, 1, 10, 0, 25_000, 200), kind="future", base="BTC", quote="USD", settle="BTC",
           contract_size="10", expiry_ns=MARCH),
    Listed(Instrument("BTC-26MAR27-60000-C", 5, 4, 1, 1, 320, 20), kind="option", base="BTC", quote="USD",
           settle="BTC", contract_size="1", expiry_ns=MARCH, strike="60000", option_type="call"),
    Listed(Instrument("SOL_USDC-PERPETUAL", 1, 2, 1, 1, 14_500, 300), kind="perpetual", base="SOL", quote="USDC",
           settle="USDC", contract_size="0.1"),
    Listed(Instrument("BTC_USDC", 1, 0, 1, 4, 61_800, 800), base="BTC", quote="USDC"),
)
FORCED_EVERY = 25               # of simulated trades, one is a taker's liquidation
HEARTBEAT = '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":["book.BTC-PERPETUAL.100ms"]}}
    try:
        request = json.loads(text)
    except ValueError:
        return [Ask("reply", frames=(failure(None, -32700, "Parse error"),))]
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return [Ask("reply", frames=(failure(None, -32600, "Invalid Request"),))]
    method, params = request["method"].removeprefix("public/"), request.get("params")
    params = params if isinstance(params, dict) else {}
    if method in ("subscribe", "unsubscribe"):
        names = params.get("channels")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return [Ask("reply", frames=(failure(request, -32602, "Invalid params"),))]
        return [Ask(method, tuple(names), request)]
    if method in ("set_heartbeat", "disable_heartbeat"):
        line.memory["heartbeat"] = method == "set_heartbeat"
        return [Ask("reply", frames=(success(request, "ok"),))]
    if method in ("test", "hello"):
        return [Ask("reply", frames=(success(request, {"version": "1.2.26"}),))]
    return [Ask("reply", frames=(failure(request, -32601, "Method not found"),))]


def timed() -> dict[str, object]:
    now = time.time_ns() // 1000
    return {"usIn": now, "usOut": now, "usDiff": 0, "testnet": False}


def named(request: Mapping[str, object] | None) -> dict[str, object]:
    return {"id": request["id"]} if request is not None and isinstance(request.get("id"), (int, str)) else {}


def success(request: Mapping[str, object], result: object) -> str:
    return write({"jsonrpc": "2.0", **named(request), "result": result, **timed()})


def failure(request: Mapping[str, object] | None, code: int, words: str) -> str:
    return write({"jsonrpc": "2.0", **named(request), "error": {"code": code, "message": words, "data": None},
                  **timed()})


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"jsonrpc":"2.0","id":1,"result":["book.BTC-PERPETUAL.100ms"],"usIn":...}: unknown ones are left out
    assert isinstance(ask.request, dict)
    return [success(ask.request, list(known))]


def beat(line: Line, now_ns: int) -> list[Frame]:
    return [HEARTBEAT] if line.memory.get("heartbeat") else []


def too_much(what: str, line: Line) -> list[Frame]:
    return [failure(None, 10028, "too_many_requests")]


# ---- messages

def number(text: str) -> Bare | None:
    """A number as the venue prints it: 4714.0; null for what is not known."""
    return Bare(text if "." in text or text == "null" else f"{text}.0") if text else None


def notice(channel: str, data: object) -> str:
    return write({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})


def levels(event: Event, side: int) -> list[list[object]]:
    """[["new",0.001,2.6]]; which of new and change it was no event keeps."""
    plain = "new" if event.kind == "snapshot" else "change"
    return [["delete" if level.gone else plain, number(trimmed(level.price)),
             Bare("0.0") if level.gone else number(level.qty)] for level in event.side(side)]


def pairs(levels: Sequence[Level]) -> list[list[object]]:
    return [[number(trimmed(level.price)), number(level.qty)] for level in levels]


def book(event: Event) -> dict[str, object]:
    told: dict[str, object] = {"timestamp": ms(event.number("event_time"))}
    if event.depth:
        return {**told, "instrument_name": event.symbol, "change_id": event.number("last_seq"),
                "bids": pairs(event.side(1)), "asks": pairs(event.side(-1))}
    whole = event.kind == "snapshot"
    # A snapshot of 2022 had a prev_change_id: it says nothing
    linked = "prev_seq" in event.values and (not whole or "number" not in event.values)
    return {"type": "snapshot" if whole else "change", **told,
            **({"prev_change_id": event.number("prev_seq")} if linked else {}),
            "instrument_name": event.symbol, "change_id": event.number("last_seq"), "bids": levels(event, 1),
            "asks": levels(event, -1)}


def quote(event: Event) -> dict[str, object]:
    text = event.text
    return {"timestamp": ms(event.number("event_time")), "instrument_name": event.symbol,
            "best_bid_price": number(trimmed(text("bid_price"))), "best_bid_amount": number(text("bid_qty")),
            "best_ask_price": number(trimmed(text("ask_price"))), "best_ask_amount": number(text("ask_qty"))}


def trades(events: Sequence[Event]) -> Iterator[dict[str, object]]:
    """Trades; one that forced orders belong to, told behind it, has a mark."""
    for place, event in enumerate(events):
        if event.kind != "trade":
            continue
        side = event.number("aggressor")
        forced = ""
        for other in events[place + 1:]:
            if other.kind == "trade":
                break
            forced += "T" if other.number("aggressor") == side else "M"
        if "last_seq" in event.values and event.number("trade_id") % FORCED_EVERY == 0:
            forced = "T"                          # of the simulated market
        price = number(trimmed(event.text("price")))
        yield {"trade_seq": event.number("trade_id"), "trade_id": event.text("trade_id"),
               "timestamp": ms(event.number("time")), "tick_direction": 0, "price": price, "mark_price": price,
               **({"liquidation": "MT" if len(forced) == 2 else forced} if forced else {}),
               "instrument_name": event.symbol, "index_price": price, "direction": "buy" if side > 0 else "sell",
               "amount": number(event.text("qty"))}


def ticker(event: Event) -> dict[str, object]:
    def figure(name: str) -> Bare | None:
        return number(event.text(name))

    option = "mark_iv" in event.values
    stats = {"volume": figure("volume"), "price_change": figure("change_pct"), "low": figure("low"),
             "high": figure("high")}
    if not option:
        stats["volume_usd"] = figure("quote_volume")
    told: dict[str, object] = {
        "timestamp": ms(event.number("event_time")), "state": "open", "stats": stats,
        "open_interest": figure("open_interest"), "min_price": figure("low"), "max_price": figure("high"),
        "mark_price": figure("mark"), "last_price": figure("last"), "instrument_name": event.symbol,
        "index_price": figure("index"), "best_bid_price": figure("bid_price"), "best_bid_amount": figure("bid_qty"),
        "best_ask_price": figure("ask_price"), "best_ask_amount": figure("ask_qty"),
        "estimated_delivery_price": figure("index")}
    if event.text("settlement"):
        told["settlement_price"] = figure("settlement")
    if option:
        told |= {"underlying_price": figure("underlying"), "underlying_index": "index_price", "interest_rate": 0.0,
                 "mark_iv": figure("mark_iv"), "bid_iv": figure("bid_iv"), "ask_iv": figure("ask_iv"),
                 "greeks": {greek: figure(greek) for greek in ("vega", "theta", "rho", "gamma", "delta")}}
    elif event.symbol.endswith("PERPETUAL"):
        told |= {"current_funding": figure("funding"), "funding_8h": figure("funding")}
    return told


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    kind = stream.name.partition(".")[0]
    if kind == "trades":
        return [notice(stream.name, list(trades(events)))]
    write_one = {"book": book, "quote": quote, "ticker": ticker}[kind]
    return [notice(stream.name, write_one(event)) for event in events]


def encode_2019(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    """Books without a type: prev_change_id shows what a message is. Tickers without a change and a turnover."""
    if stream.channel == "book" and not stream.depth:
        data = book(events[0])
        del data["type"]
        return [notice(stream.name, data)]
    if stream.name.startswith("ticker"):
        data = ticker(events[0])
        stats = data["stats"]
        assert isinstance(stats, dict)
        data["stats"] = {key: figure for key, figure in stats.items() if figure is not None}
        return [notice(stream.name, data)]
    return []


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    if path == "/api/v2/public/get_instruments":
        wanted = query.get("currency", "any")
        result: object = [entry(floor.listed) for floor in hall.floors if wanted in ("any", floor.listed.settle
                                                                                    or floor.listed.quote)]
    elif path == "/api/v2/public/get_order_book":
        event = hall.book(query.get("instrument_name", ""), int(query.get("depth", "5")))
        if event is None:
            return 400, failure(None, 13020, "instrument_not_found").encode()
        result = {"timestamp": ms(event.number("event_time")), "state": "open", "instrument_name": event.symbol,
                  "change_id": event.number("last_seq"), "bids": pairs(event.side(1)), "asks": pairs(event.side(-1))}
    else:
        return None
    return 200, success({}, result).encode()


def entry(listed: Listed) -> dict[str, object]:
    """One instrument of the list."""
    it = listed.instrument
    option, spot = listed.kind == "option", listed.kind == "spot"
    lot = Bare(step(it.lot_units, it.qty_decimals))
    more: dict[str, object] = {}
    if not spot:
        period = "perpetual" if listed.kind == "perpetual" else "month"
        more |= {"settlement_period": period, "settlement_currency": listed.settle}
    if option:
        more |= {"strike": number(listed.strike), "option_type": listed.option_type}
    return {
        "tick_size": Bare(step(it.tick_units, it.price_decimals)), "tick_size_steps": [], "rfq": False,
        "quote_currency": listed.base if option and listed.settle == listed.base else listed.quote,
        "price_index": f"{listed.base}_{listed.quote}".lower(), "min_trade_amount": lot,
        "kind": {"perpetual": "future"}.get(listed.kind, listed.kind), "is_active": True, "state": "open",
        "instrument_type": "reversed" if listed.settle == listed.base else "linear", "instrument_name": it.symbol,
        "instrument_id": it.start_price, "expiration_timestamp": ms(listed.expiry_ns) or FOREVER_MS,
        "creation_timestamp": 1_534_242_287_000, "counter_currency": listed.quote,
        "contract_size": Bare(listed.contract_size) if listed.contract_size else lot, "base_currency": listed.base,
        **more}


# What no event keeps of a frame.
LOST = {
    "book params.data.bids[][0]": "new or change: both set a level",
    "book params.data.asks[][0]": "new or change: both set a level",
    "trade params.data[].trade_seq": "number of the trade within its instrument",
    "trade params.data[].tick_direction": "whether the price rose or fell",
    "trade params.data[].mark_price": "at the time of the trade; not there in 2019",
    "trade params.data[].index_price": "at the time of the trade",
    "trade params.data[].contracts": "the amount in contracts, since 2024",
    "ticker params.data.state": "closed after the expiry",
    "ticker params.data.min_price": "limits of orders", "ticker params.data.max_price": "limits of orders",
    "ticker params.data.estimated_delivery_price": "not there in 2019; a word after the expiry",
    "ticker params.data.delivery_price": "after the expiry",
    "ticker params.data.funding_8h": "of the last 8 hours",
    "ticker params.data.underlying_index": "name of the underlying",
    "ticker params.data.combo_state": "of combos", "ticker params.data.implied_bid": "of combos",
    "ticker params.data.implied_ask": "of combos",
}

DIALECT = Dialect(
    venue="deribit", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much, lost=LOST,
    older={"2019": encode_2019}, beat=beat, beat_s=30.0, silence_s=100.0,
    options=({}, {"speed": "raw"}, {"speed": "agg2"}, {"depth": 1}, {"depth": 10}, {"depth": 20}),
    opens=lambda stream: stream.channel not in ("trades", "liquidations"),
    pace_ms=lambda stream: 0 if stream.name.endswith(".raw") or stream.channel in ("quotes", "trades", "liquidations")
    else 1000 if stream.name.endswith(".agg2") else 100,
)
