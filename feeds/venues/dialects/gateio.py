"""How Gate.io writes: API v4 of today (obu, order_book_update), and as recorded since 2020.

https://www.gate.com/docs/developers/apiv4/ws/en/, and frames recorded in 2021 and 2023. Numbers are text, but for sizes
of futures, which are numbers unless the client has asked for decimals of a contract.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import partial

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, ms, step, write
from feeds.simulator.event import Event
from feeds.simulator.hall import BookFeed, Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("BTC_USDT", 1, 1, 1, 6, 618_000, 80_000), "spot", base="BTC", quote="USDT"),
    Listed(Instrument("ETH_USDT", 1, 2, 1, 4, 268_000, 9_000), "spot", base="ETH", quote="USDT"),
    Listed(Instrument("BTC_USDT", 1, 1, 1, 0, 618_000, 900), "futures", "perpetual", "BTC", "USDT", "USDT", "0.0001"),
    Listed(Instrument("ETH_USDT", 1, 2, 1, 0, 268_000, 700), "futures", "perpetual", "ETH", "USDT", "USDT", "0.01"),
    Listed(Instrument("BTC_USD", 1, 1, 1, 0, 618_000, 2_000), "futures", "perpetual", "BTC", "USD", "BTC", "1"),
)
CONNECTION = "06a3248d8f02479a"
CHANNELS = {"spot": ("obu", "order_book_update", "book_ticker", "trades", "tickers"),
            "futures": ("obu", "order_book_update", "book_ticker", "trades", "tickers", "public_liquidates")}


# ---- requests

def stamped(**more: object) -> dict[str, object]:
    now = time.time_ns()
    return {"time": now // 1_000_000_000, "time_ms": ms(now), **more}


def read(text: str, line: Line) -> list[Ask]:
    # {"time":1748572393,"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.400"]}
    # {"time":1748572393,"channel":"spot.ping"}
    try:
        request = json.loads(text)
        channel = request["channel"]
        market, _, kind = channel.partition(".")
        if kind == "ping":
            return [Ask("reply", frames=(write(stamped(channel=f"{market}.pong", event="", result=None)),))]
        event, payload = request["event"], request["payload"]
        if kind not in CHANNELS[market] or event not in ("subscribe", "unsubscribe") or not payload:
            raise ValueError(channel)
        names = [f"{channel}:{word}" for word in ([",".join(payload)] if kind == "order_book_update" else payload)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(write(stamped(channel="", event="", **refused(1, "bad request"))),))]
    if event == "subscribe" and kind == "obu":
        twice = [name for name in names if name in line.memory]
        if twice:
            words = "Alert sub " + " ".join(name.partition(":")[2] for name in twice)
            return [Ask("reply", frames=(told(channel, event, payload, refused(2, words)),))]
    return [Ask(event, tuple(names), request)]


def refused(code: int, words: str) -> dict[str, object]:
    return {"error": {"code": code, "message": words}, "result": {"status": "fail"}}


def told(channel: str, event: str, payload: Sequence[str], result: Mapping[str, object]) -> str:
    return write(stamped(conn_id=CONNECTION, trace_id=CONNECTION, channel=channel, event=event, payload=payload,
                         **result))


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"time":...,"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.50"],"result":{"status":"success"}}:
    # an unknown stream of obu is acknowledged too, and stays silent
    request = ask.request
    assert isinstance(request, dict)
    channel = str(request["channel"])
    if channel.endswith(".obu"):
        known, unknown = ask.names, ()
    for name in known:
        if ask.kind == "subscribe":
            line.memory[name] = True
        else:
            line.memory.pop(name, None)
    frames: list[Frame] = []
    for names, result in ((known, {"result": {"status": "success"}}), (unknown, None)):
        payload = [word for name in names for word in name.partition(":")[2].split(",")]
        if payload:
            frames.append(told(channel, ask.kind, payload, result or refused(2, f"unknown currency pair {payload[0]}")))
    return frames


def too_much(what: str, line: Line) -> list[Frame]:
    return [write(stamped(channel="", event="", **refused(3, "too many requests")))]


# ---- messages

def signed(event: Event) -> Bare:
    """A size whose sign is the aggressor's side."""
    return Bare(("-" if event.number("aggressor") < 0 else "") + event.text("qty"))


def pairs(event: Event, side: int, futures: bool) -> list[object]:
    """[["0.00010322","5360.209"]], of futures [{"p":"0.3004","s":36916}]."""
    if futures:
        return [{"p": level.price, "s": Bare(level.qty)} for level in event.side(side)]
    return [[level.price, level.qty] for level in event.side(side)]


def book(stream: Stream, channel: str, event: Event) -> dict[str, object]:
    futures = event.market == "futures"
    told: dict[str, object] = {"t": ms(event.number("time"))} if "time" in event.values else {}
    if channel == "order_book":
        number = {"id" if futures else "lastUpdateId": event.number("last_seq")} if "last_seq" in event.values else {}
        return {**told, **number, "contract" if futures else "s": event.symbol,
                "bids": pairs(event, 1, futures), "asks": pairs(event, -1, futures)}
    numbers = {"U": event.number("first_seq"), "u": event.number("last_seq")}
    if channel == "obu":
        if event.kind == "snapshot":
            numbers.pop("U")
            told["full"] = True
        sides = {"b": pairs(event, 1, False), "a": pairs(event, -1, False)} if event.levels else {}
        return {**told, "s": stream.name.partition(":")[2], **numbers, **sides}
    sides = {"b": pairs(event, 1, futures), "a": pairs(event, -1, futures)}
    if futures:
        return {**told, "s": event.symbol, **numbers, **sides, "l": stream.name.rpartition(",")[2]}
    return {**told, "e": "depthUpdate", "E": event.number("event_time") // 1_000_000_000, "s": event.symbol,
            **numbers, **sides}


def quote(event: Event) -> dict[str, object]:
    """A side without orders has the price "" and the size 0."""
    def price(name: str) -> str:
        return event.text(name) if event.values.get(name) else ""

    bids, asks = event.text("bid_qty"), event.text("ask_qty")
    futures = event.market == "futures"
    return {"t": ms(event.number("time")), "u": event.number("last_seq"), "s": event.symbol, "b": price("bid_price"),
            "B": Bare(bids) if futures else bids, "a": price("ask_price"), "A": Bare(asks) if futures else asks}


def trade(event: Event) -> dict[str, object]:
    happened = event.number("time")
    if event.market == "futures":
        return {"size": signed(event), "id": event.number("trade_id"), "create_time": happened // 1_000_000_000,
                "create_time_ms": ms(happened), "price": event.text("price"), "contract": event.symbol}
    fraction = f"{happened % 1_000_000:06d}".rstrip("0") or "0"
    return {"id": event.number("trade_id"), "create_time": happened // 1_000_000_000,
            "create_time_ms": f"{ms(happened)}.{fraction}", "side": "buy" if event.number("aggressor") > 0 else "sell",
            "currency_pair": event.symbol, "amount": event.text("qty"), "price": event.text("price")}


def ticker(event: Event) -> dict[str, object]:
    def figures(**names: str) -> dict[str, object]:
        return {key: event.text(name) for key, name in names.items() if name in event.values}

    if event.market == "spot":
        return {"currency_pair": event.symbol, **figures(
            last="last", lowest_ask="ask_price", highest_bid="bid_price", change_percentage="change_pct",
            base_volume="volume", quote_volume="quote_volume", high_24h="high", low_24h="low")}
    return {"contract": event.symbol, **figures(
        last="last", change_percentage="change_pct", total_size="open_interest", volume_24h="volume",
        volume_24h_base="volume", volume_24h_quote="quote_volume", volume_24h_settle="quote_volume",
        mark_price="mark", funding_rate="funding", funding_rate_indicative="funding", index_price="index",
        settle_price="settlement", low_24h="low", high_24h="high", highest_bid="bid_price", highest_size="bid_qty",
        lowest_ask="ask_price", lowest_size="ask_qty"), "quanto_base_rate": ""}


def encode(stream: Stream, events: Sequence[Event], line: Line, form: str = "") -> list[Frame]:
    # {"time":1789456334,"time_ms":1789456334999,"channel":"futures.obu","event":"update","result":{...}}
    first = events[0]
    market, _, kind = stream.name.partition(":")[0].partition(".")
    if first.kind == "snapshot" and first.depth:
        kind = "order_book"
    results: list[dict[str, object]] = []
    for event in events:
        if event.kind in ("delta", "snapshot"):
            results.append(book(stream, kind, event))
        elif event.kind == "quote":
            results.append(quote(event))
        elif event.kind == "trade":
            results.append(trade(event))
        elif event.kind == "liquidation":
            results.append({"price": event.text("price"), "size": signed(event), "time_ms": ms(event.number("time")),
                            "contract": event.symbol})
        else:
            results.append(ticker(event))
    sent = first.number("event_time")
    head: dict[str, object] = {"time": sent // 1_000_000_000, "time_ms": ms(sent)}
    if form == "seconds":
        del head["time_ms"]
    elif form == "ms":
        del head["time"]
    head |= {"channel": f"{market}.{kind}",
             "event": "all" if kind == "order_book" and market == "futures" else "update"}
    if form == "whole seconds":
        del head["time_ms"]
        results = [{key: value for key, value in result.items() if key != "create_time_ms"} for result in results]
    if form == "decimals":
        del head["time_ms"]
        results = [{key: str(value) if isinstance(value, Bare) else value for key, value in result.items()}
                   for result in results]
    if market == "futures" and kind in ("trades", "tickers", "public_liquidates"):
        return [write({**head, "result": results})]
    return [write({**head, "result": result}) for result in results]


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    parts = path.removeprefix("/api/v4/").split("/")
    market, what = parts[0], parts[-1]
    if what == "currency_pairs":
        return 200, write([pair(floor.listed) for floor in hall.floors if floor.listed.market == "spot"]).encode()
    if what == "contracts":
        return 200, write([contract(floor.listed) for floor in hall.floors if floor.listed.market == "futures"
                           and floor.listed.settle.lower() == parts[1]]).encode()
    if what != "order_book":
        return None
    symbol = query.get("contract") or query.get("currency_pair") or ""
    event = joined(hall, symbol, int(query.get("limit", "10")), market)
    if event is None:
        return 400, b'{"label":"INVALID_CURRENCY_PAIR","message":"Invalid currency pair ' + symbol.encode() + b'"}'
    futures = market == "futures"
    now = event.number("event_time")
    current = {"current": Bare(f"{ms(now) / 1000:.3f}"), "update": Bare(f"{ms(now) / 1000:.3f}")} if futures else {
        "current": ms(now), "update": ms(now)}
    number = {"id": event.number("last_seq")} if query.get("with_id") == "true" else {}
    sides = {"asks": pairs(event, -1, futures), "bids": pairs(event, 1, futures)}
    return 200, write({**number, **current, **sides}).encode()


def joined(hall: Hall, symbol: str, limit: int, market: str) -> Event | None:
    """The book that the last message of a stream left, where one is told, so that its next one follows."""
    floor = hall.floor(symbol, market)
    feeds = [] if floor is None else [feed for feed in floor.feeds if isinstance(feed, BookFeed)
                                      and ".order_book_update:" in feed.stream.name]
    if not feeds:
        return hall.book(symbol, limit, market)
    return max(feeds, key=lambda feed: feed.count).snapshot()


def pair(listed: Listed) -> dict[str, object]:
    """One pair of the list."""
    it = listed.instrument
    return {"id": it.symbol, "base": listed.base, "quote": listed.quote, "fee": "0.2", "min_base_amount":
            step(it.lot_units, it.qty_decimals), "min_quote_amount": "1", "amount_precision": it.qty_decimals,
            "precision": it.price_decimals, "trade_status": "tradable", "sell_start": 0, "buy_start": 0}


def contract(listed: Listed) -> dict[str, object]:
    """One contract of the list."""
    it = listed.instrument
    inverse = listed.settle == listed.base
    tick = step(it.tick_units, it.price_decimals)
    return {"name": it.symbol, "type": "inverse" if inverse else "direct", "quanto_multiplier":
            "0" if inverse else listed.contract_size, "order_price_round": tick, "mark_price_round": tick,
            "order_size_min": 1, "order_size_max": 1_000_000, "in_delisting": False, "position_size": 169_531_691,
            "funding_interval": 28_800, "enable_decimal": False, "status": "trading"}


# What no event keeps of a frame.
NULL = "always null, not told since 2023"
LOST = {
    **{f"{word} error": NULL for word in ("book", "quote", "trade", "ticker")},
    **{f"{word} id": NULL for word in ("book", "quote", "ticker")},
    "book result.l": "levels that the stream has, since 2024",
    **{f"ticker result[].{key}": "the same in another currency, or for another name" for key in (
        "volume_24h_base", "volume_24h_settle", "volume_24h_usd", "volume_24h_btc", "volume_24_usd", "volume_24_btc")},
    "ticker result[].funding_rate_indicative": "of the next period", "ticker result[].quanto_base_rate": "of quantos",
}

LEVELS = {"400": 400, "50": 50, "100ms": 100, "20ms": 20, "100": 100, "20": 20}
PACES = {"400": 100, "50": 20, "100ms": 100, "20ms": 20, "100": 100, "20": 20}


def ending(stream: Stream) -> str:
    """What a book's stream ends with: 400 of ob.BTC_USDT.400, 100ms of BTC_USDT,100ms."""
    return stream.name.replace(".", ",").rpartition(",")[2]


DIALECT = Dialect(
    venue="gateio", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much, lost=LOST,
    older={form: partial(encode, form=form) for form in ("seconds", "ms", "whole seconds", "decimals")},
    options=({}, {"depth": 50}, {"depth": 100}, {"depth": 20}), silence_s=60.0, whole=lambda stream: False,
    opens=lambda stream: stream.channel not in ("trades", "liquidations") and "order_book_update" not in stream.name,
    levels=lambda stream: LEVELS[ending(stream)] if stream.channel == "book" else 0,
    pace_ms=lambda stream: PACES[ending(stream)] if stream.channel == "book" else {"quotes": 10, "ticker": 1000}.get(
        stream.channel, 0),
)
