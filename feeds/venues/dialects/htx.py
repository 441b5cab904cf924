"""How HTX writes: spot and swaps of today, and as recorded since 2019. Every frame is a gzip member.

https://huobiapi.github.io/docs/spot/v1/en/, https://www.htx.com/en-us/opend/newApiPages/, and frames recorded in 2021
and 2022. Numbers are JSON numbers, but in notices.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, ms, step, trimmed, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("btcusdt", 1, 2, 1, 6, 6_180_000, 80_000), "spot", base="BTC", quote="USDT"),
    Listed(Instrument("ethusdt", 1, 2, 1, 4, 268_000, 9_000), "spot", base="ETH", quote="USDT"),
    Listed(Instrument("BTC-USDT", 1, 1, 1, 0, 618_000, 300), "swap", "perpetual", "BTC", "USDT", "USDT", "0.001"),
    Listed(Instrument("ETH-USDT", 1, 2, 1, 0, 268_000, 500), "swap", "perpetual", "ETH", "USDT", "USDT", "0.01"),
    Listed(Instrument("BTC-USD", 1, 1, 1, 0, 618_000, 200), "swap", "perpetual", "BTC", "USD", "BTC", "100"),
)
FIRST_VERSION = 1_789_895_280_000           # of the counted books of the simulated swaps
FUNDING_PERIOD_MS = 8 * 3600 * 1000


def packed(frame: Mapping[str, object]) -> bytes:
    return gzip.compress(write(frame).encode(), 1, mtime=0)


def now_ms() -> int:
    return ms(time.time_ns())


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"sub":"market.btcusdt.mbp.400","id":"1"}   {"unsub":...}   {"req":...}   {"pong":1618678073643}
    # {"op":"sub","cid":"1","topic":"public.BTC-USDT.funding_rate"}   {"op":"pong","ts":"1618678073643"}
    try:
        request = json.loads(text)
        if "pong" in request or request.get("op") == "pong":
            return []
        word = request["op"] if "op" in request else next(key for key in ("sub", "unsub", "req") if key in request)
        topic = request["topic"] if "op" in request else request[word]
        if word not in ("sub", "unsub", "req") or not isinstance(topic, str):
            raise ValueError(word)
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return [Ask("reply", frames=(failure({}, "bad-request", f"invalid request {text}"),))]
    if word == "req":
        line.memory["req", topic] = request.get("id")
        return [Ask("snapshot", (topic,), request)]
    return [Ask({"sub": "subscribe", "unsub": "unsubscribe"}[word], (topic,), request)]


def named(request: Mapping[str, object]) -> dict[str, object]:
    return {key: request[key] for key in ("id", "cid") if key in request}


def failure(request: Mapping[str, object], code: str, words: str) -> bytes:
    return packed({**named(request), "status": "error", "ts": now_ms(), "err-code": code, "err-msg": words})


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"id":"1","status":"ok","subbed":"market.btcusdt.mbp.400","ts":1618678073643}
    # {"op":"sub","cid":"1","topic":"public.BTC-USDT.funding_rate","ts":1790134831873,"err-code":0}
    request = ask.request
    assert isinstance(request, dict)
    if "op" in request:
        return [packed({"op": request["op"], **named(request), "topic": name, "ts": now_ms(), "err-code": code, **more})
                for names, code, more in ((known, 0, {}), (unknown, 2011, {"err-msg": "invalid topic"}))
                for name in names]
    done = ask.kind.removesuffix("scribe") + "bed"
    return [*(packed({**named(request), "status": "ok", done: name, "ts": now_ms()}) for name in known),
            *(failure(request, "bad-request", f"invalid topic {name}") for name in unknown)]


def beat(line: Line, now_ns: int) -> list[Frame]:
    if line.root.endswith("notices"):
        return [packed({"op": "ping", "ts": str(ms(now_ns))})]
    return [packed({"ping": ms(now_ns)})]


def too_much(what: str, line: Line) -> list[Frame]:
    return [failure({}, "too-many-request", "too many requests")]


# ---- messages

def number(text: str) -> Bare:
    return Bare(trimmed(text) or "0")


def sides(event: Event) -> dict[str, object]:
    return {key: [[number(level.price), number(level.qty)] for level in event.side(side)]
            for key, side in (("bids", 1), ("asks", -1))}


def book(stream: Stream, event: Event) -> dict[str, object]:
    """What stands in `tick`, or in `data` of an answer."""
    last, happened = event.number("last_seq"), ms(event.number("time"))
    if ".mbp." in stream.name:
        linked = event.kind == "delta" and "prev_seq" in event.values
        return {"seqNum": last, **({"prevSeqNum": event.number("prev_seq")} if linked else {}), **sides(event)}
    if event.market == "spot":
        return {**sides(event), "version": last, "ts": happened}
    told = {"mrid": last, "id": happened // 1000, **sides(event), "ts": happened, "version": last, "ch": stream.name}
    if stream.name.endswith(".high_freq"):
        told |= {"id": last, "event": "snapshot" if event.kind == "snapshot" else "update"}
        if "number" in event.values:              # of the simulated market
            told["version"] = FIRST_VERSION + event.number("number")
    return told


def quote(stream: Stream, event: Event) -> dict[str, object]:
    text, values, last = event.text, event.values, event.number("last_seq")
    if event.market == "spot":
        return {"seqId": last, "ask": number(text("ask_price")), "askSize": number(text("ask_qty")),
                "bid": number(text("bid_price")), "bidSize": number(text("bid_qty")),
                "quoteTime": ms(event.number("time")), "symbol": event.symbol}
    best = {side: [number(text(f"{side}_price")), number(text(f"{side}_qty"))] for side in ("bid", "ask")
            if values.get(f"{side}_price")}
    return {"mrid": last, "id": ms(event.number("time")) // 1000, **best, "ts": ms(event.number("time")),
            "version": last, "ch": stream.name}


def trade(event: Event) -> dict[str, object]:
    direction = {1: "buy", -1: "sell"}.get(event.number("aggressor"), "")
    happened, name = ms(event.number("time")), event.number("trade_id")
    if event.market == "spot":
        return {"id": Bare(f"{name}{name:015d}"), "ts": happened, "tradeId": name, "amount": number(event.text("qty")),
                "price": number(event.text("price")), "direction": direction}
    return {"amount": number(event.text("qty")), "quantity": number(event.text("qty")), "ts": happened, "id": name,
            "price": number(event.text("price")), "direction": direction}


def day(event: Event) -> dict[str, object]:
    """24 hours; on spot amount is base and vol quote currency, of swaps vol is contracts."""
    def figures(**names: str) -> dict[str, object]:
        return {key: number(event.text(name)) for key, name in names.items() if name in event.values}

    shared = {**figures(open="open", close="last", high="high", low="low"), "count": event.number("count")}
    if event.market == "spot":
        return {"id": event.number("count"), **shared, **figures(amount="volume", vol="quote_volume"),
                "version": event.number("count")}
    best = {side: [number(event.text(f"{side}_price")), number(event.text(f"{side}_qty"))] for side in ("bid", "ask")
            if event.values.get(f"{side}_price")}
    return {"id": event.number("event_time") // 60_000_000_000 * 60, "mrid": event.number("count"), **shared,
            **figures(amount="volume", vol="volume", trade_turnover="quote_volume"), **best}


def candle(event: Event, name: str) -> dict[str, object]:
    price = event.text(name)
    return {"id": event.number("event_time") // 60_000_000_000 * 60, "open": price, "close": price, "high": price,
            "low": price, "amount": "0", "vol": "0", "count": "0"}


def notice(event: Event) -> dict[str, object]:
    """One element of a notice."""
    told: dict[str, object] = {"symbol": event.symbol.split("-")[0], "contract_code": event.symbol}
    if event.kind == "liquidation":
        return {**told, "direction": "buy" if event.number("aggressor") > 0 else "sell", "offset": "close",
                "volume": number(event.text("qty")), "price": number(event.text("price")),
                "created_at": ms(event.number("time"))}
    base, quote = event.symbol.split("-")[:2]
    return {**told, "fee_asset": base if quote == "USD" else quote,
            "funding_time": str(ms(event.number("time"))), "funding_rate": event.text("funding"),
            "estimated_rate": event.text("funding"), "settlement_time": str(ms(event.number("next_funding")))}


def encode(stream: Stream, events: Sequence[Event], line: Line, sparse: bool = False) -> list[Frame]:
    """sparse -- a side of a book that has no level is left out, as it was for a while in 2021."""
    # {"ch":"market.btcusdt.bbo","ts":1790134831873,"tick":{...}}
    name, first = stream.name, events[0]
    sent = ms(first.number("event_time"))
    if name.startswith("public."):
        return [packed({"op": "notify", "topic": name, "ts": sent, "data": [notice(event) for event in events]})]
    head = {"ch": name, "ts": sent}
    if name.endswith(".trade.detail"):
        return [packed({**head, "tick": {"id": first.number("trade_id"), "ts": ms(first.number("time")),
                                         "data": [trade(event) for event in events]}})]
    frames: list[Frame] = []
    for event in events:
        if event.kind in ("delta", "snapshot"):
            tick = book(stream, event)
            if sparse:
                tick = {key: value for key, value in tick.items() if value != []}
            if event.kind == "snapshot" and ".mbp." in name and ".refresh." not in name:
                told = {"ts": sent} if "event_time" in event.values else {}
                frames.append(packed({"id": line.memory.get(("req", name)), "rep": name, "status": "ok", **told,
                                      "data": tick}))
                continue
            if event.kind == "delta" and name.endswith(".depth.step0"):
                head["update"] = True             # changes, until 2020
        elif event.kind == "quote":
            tick = quote(stream, event)
        elif event.kind == "ticker":
            tick = day(event)
        else:
            tick = candle(event, "mark" if "mark_price" in name else "index")
        frames.append(packed({**head, "tick": tick}))
    return frames


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    listed = [floor.listed for floor in hall.floors]
    if path == "/v1/settings/common/market-symbols":
        data = [pair(one) for one in listed if one.market == "spot"]
    elif path in ("/linear-swap-api/v1/swap_contract_info", "/swap-api/v1/swap_contract_info"):
        data = [contract(one) for one in listed if one.market == "swap"
                and (one.settle == one.base) != path.startswith("/linear")]
    else:
        return None
    return 200, write({"status": "ok", "data": data, "ts": now_ms()}).encode()


def pair(listed: Listed) -> dict[str, object]:
    """One pair of the list."""
    it = listed.instrument
    lot = Bare(step(it.lot_units, it.qty_decimals))
    return {"symbol": it.symbol, "state": "online", "bc": listed.base.lower(), "qc": listed.quote.lower(),
            "pp": it.price_decimals, "ap": it.qty_decimals, "sp": "main", "vp": 8, "minoa": lot, "lominoa": lot,
            "minov": 10, "at": "enabled"}


def contract(listed: Listed) -> dict[str, object]:
    """One swap of the list."""
    it = listed.instrument
    linear = {"business_type": "swap", "pair": it.symbol, "contract_type": "swap", "trade_partition": listed.settle,
              "support_margin_mode": "all"} if listed.settle != listed.base else {}
    return {"symbol": listed.base, "contract_code": it.symbol, "contract_size": Bare(f"{listed.contract_size}"),
            "price_tick": Bare(step(it.tick_units, it.price_decimals)), "delivery_date": "", "delivery_time": "",
            "create_date": "20201021", "contract_status": 1, **linear}


# What no event keeps of a frame.
LOST = {
    "book status": "always ok, in 2022 only", "book id": "number of the request that is answered",
    "book tick.id": "of swaps: the time in s, or that of the matching engine",
    "book tick.mrid": "number of the matching engine", "trade tick.id": "number of the message",
    "trade tick.data[].id": "of spot: a name of up to 27 digits beside tradeId",
    "trade tick.data[].quantity": "of swaps: in base coin, with up to 40 digits",
    "trade tick.data[].trade_turnover": "of swaps: in quote currency",
    "ticker tick.id": "the minute, on spot a number", "ticker tick.mrid": "number of the matching engine",
    "ticker tick.version": "on spot: a number", "ticker tick.amount": "of swaps: in base coin",
    "mark data[].estimated_rate": "of the next period",
    "liquidation data[].amount": "in base coin, since 2020", "liquidation data[].trade_turnover": "in quote currency",
}

PARTS = {".mbp.5": 5, ".mbp.20": 20, ".mbp.150": 150, ".mbp.400": 400, ".refresh.10": 10, ".size_20.high_freq": 20,
         ".size_150.high_freq": 150, ".step0": 150}


def count(stream: Stream) -> int:
    """Levels a side of a book."""
    return next((levels for end, levels in PARTS.items() if stream.name.endswith(end)), 0)


DIALECT = Dialect(
    venue="htx", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much, lost=LOST,
    older={"sparse": partial(encode, sparse=True)},
    options=({}, {"depth": 5}, {"depth": 20}, {"depth": 400}, {"depth": 10}, {"speed": "1s"}), beat=beat, beat_s=5.0,
    silence_s=20.0, levels=count, whole=lambda stream: ".refresh." in stream.name or ".step0" in stream.name,
    opens=lambda stream: stream.channel != "liquidations" and stream.channel != "trades" and (
        ".mbp." not in stream.name or ".refresh." in stream.name),
    pace_ms=lambda stream: 1000 if stream.name.endswith((".step0", ".detail", ".1min", ".funding_rate"))
    and stream.channel != "trades" else {"book": 10 if count(stream) in (5, 20) else 100, "quotes": 10}.get(
        stream.channel, 0),
)
