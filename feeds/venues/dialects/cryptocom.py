"""How the Crypto.com Exchange writes: v1 of 2022 to 2026, and v2 with bare numbers of before.

https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html, and frames published in 2022 to 2026.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, ms, step, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("BTC_USD", 1, 2, 1, 5, 6_180_000, 5_000), base="BTC", quote="USD"),
    Listed(Instrument("ETH_USD", 1, 2, 1, 4, 268_000, 8_000), base="ETH", quote="USD"),
    Listed(Instrument("BTCUSD-PERP", 1, 1, 1, 4, 618_000, 900), kind="perpetual", base="BTC", quote="USD",
           settle="USD", contract_size="1"),
    Listed(Instrument("ETHUSD-PERP", 1, 2, 1, 4, 268_000, 8_000), kind="perpetual", base="ETH", quote="USD",
           settle="USD", contract_size="1"),
    Listed(Instrument("BTCUSD-261225", 1, 1, 1, 4, 620_000, 100), kind="future", base="BTC", quote="USD",
           settle="USD", contract_size="1", expiry_ns=1_798_185_600_000_000_000),
)
TYPES = {"spot": "CCY_PAIR", "perpetual": "PERPETUAL_SWAP", "future": "FUTURE"}

WHOLE = 150                 # levels of the book that comes whole


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"id":1,"method":"subscribe","params":{"channels":["book.BTCUSD-PERP.50"],"book_subscription_type":
    #  "SNAPSHOT_AND_UPDATE","book_update_frequency":10},"nonce":1790114273395}
    number: object = None
    try:
        request = json.loads(text)
        number, method = request.get("id"), request["method"]
        if method == "public/respond-heartbeat":
            return []
        if method not in ("subscribe", "unsubscribe"):
            return [Ask("reply", frames=(refusal(number, method, 40002, "Unsupported method"),))]
        asked = request["params"]
        # Whatever speed a book was asked with: unsubscribing does not tell.
        names = tuple(name for channel in asked["channels"] for name in (
            [channel + suffix(channel, asked)] if method == "subscribe" else spellings(channel, line)))
        if not names:
            raise ValueError("channels")
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(refusal(number, "", 40001, "Bad request"),))]
    return [Ask(method, names, number)]


def suffix(channel: str, asked: Mapping[str, object]) -> str:
    """What a book's speed adds to its name here. A whole book of 10 or 50 levels is not served: no such stream."""
    if not channel.startswith("book.") or channel.endswith(f".{WHOLE}"):
        return ""
    if asked.get("book_subscription_type") != "SNAPSHOT_AND_UPDATE":
        return "@500ms"
    return "@100ms" if asked.get("book_update_frequency", 10) == 100 else ""


def spellings(channel: str, line: Line) -> list[str]:
    """The streams of this connection that a channel's name is about."""
    return [name for name in (channel, f"{channel}@100ms") if name in line.memory] or [channel]


def refusal(number: object, method: str, code: int, words: str, channel: str = "") -> str:
    return write({"id": number, "method": method, "code": code, "message": words,
                  **({"channel": channel} if channel else {})})


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"id":1,"method":"subscribe","code":0,"channel":"book.BTCUSD-PERP.50"}, one for each channel
    for name in known:
        if ask.kind == "subscribe":
            line.memory[name] = True
        else:
            line.memory.pop(name, None)
    told: list[Frame] = [write({"id": ask.request, "method": ask.kind, "code": 0, "channel": name.partition("@")[0]})
                         for name in known]
    if ask.kind == "subscribe":
        told += [refusal(ask.request, ask.kind, 40003, "Unsupported depth/interval combination" if "@500ms" in name
                         else "Unknown symbol", name.partition("@")[0]) for name in unknown]
    return told


def beat(line: Line, now_ns: int) -> list[Frame]:
    """To be answered with the same id."""
    return [write({"id": ms(now_ns), "method": "public/heartbeat", "code": 0})]


def too_much(what: str, line: Line) -> list[Frame]:
    if what == "messages":
        return [refusal(None, "subscribe", 42901, "Too many requests")]
    return [refusal(None, "subscribe", 40107, "Maximum subscriptions exceeded")]


# ---- messages

def trade_name(event: Event, first: int) -> str:
    """The id of a trade: 19 digits, which are 2**62 and a count in v1; events keep the last 18 of them."""
    number = event.number("trade_id")
    return f"{first}{number if number >= 10**17 else number + 2**62 % 10**18:018d}"


def same(text: str) -> str:
    return text


def book(event: Event, number: Callable[[str], str]) -> dict[str, object]:
    """One element of a book: price, quantity, number of orders (which is made up)."""
    sides: dict[str, object] = {
        key: [[number(level.price), *((number("0"), number("0")) if level.gone or not level.qty.strip("0.") else
                                      (number(level.qty), number("1")))] for level in event.side(side)]
        for key, side in (("asks", -1), ("bids", 1))}
    return sides if event.kind == "snapshot" else {"update": sides}


def element(channel: str, event: Event) -> dict[str, object]:
    """One element of `data`, in v1."""
    told, happened, text = ms(event.number("event_time")), ms(event.number("time")), event.text
    if channel == "book":
        chain = {"pu": event.number("prev_seq")} if event.kind == "delta" else {}
        return {**book(event, same), "t": told, "tt": happened, "u": event.number("last_seq"), **chain, "cs": 0}
    if channel == "trade":
        return {"d": trade_name(event, 4), "t": happened, "p": text("price"), "q": text("qty"),
                "s": "BUY" if event.number("aggressor") > 0 else "SELL", "i": event.symbol}
    if channel == "ticker":
        return {
            "h": text("high"), "l": text("low"), "a": text("last"),
            "c": f"{float(text('change_pct', '0')) / 100:.4f}",
            **{key: None if text(name) == "0" else text(name) for key, name in (
                ("b", "bid_price"), ("bs", "bid_qty"), ("k", "ask_price"), ("ks", "ask_qty"))},
            "i": event.symbol, "v": text("volume"), "vv": text("quote_volume"), "oi": text("open_interest"), "t": told}
    return {"v": text(channel), "t": told}


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"BTC_USD","subscription":"ticker.BTC_USD",
    #  "channel":"ticker","data":[{...}]}}
    channel, _, rest = stream.name.partition("@")[0].partition(".")
    newest = sorted(events, key=lambda event: -event.number("trade_id")) if channel == "trade" else events
    depth = {"depth": int(rest.rpartition(".")[2])} if channel == "book" else {}
    return [write({"id": -1, "method": "subscribe", "code": 0, "result": {
        "instrument_name": rest if channel == "index" else events[0].symbol,
        "subscription": f"{channel}.{rest}",
        "channel": "book.update" if events[0].kind == "delta" else channel, **depth,
        "data": [element(channel, event) for event in newest]}})]


def element_v2(channel: str, event: Event) -> dict[str, object]:
    """One element of `data`, in v2."""
    told, happened, text = ms(event.number("event_time")), ms(event.number("time")), event.text
    if channel == "book":
        return {**book(event, Bare), "t": told, "s": event.number("last_seq")}
    if channel == "trade":
        return {"dataTime": happened, "d": Bare(trade_name(event, 2)), "s": "BUY" if event.number("aggressor") > 0 else
                "SELL", "p": Bare(text("price")), "q": Bare(text("qty")), "t": happened, "i": event.symbol}
    return {"i": event.symbol, "b": Bare(text("bid_price")), "k": Bare(text("ask_price")), "a": Bare(text("last")),
            "t": told, "v": Bare(text("volume")), "h": Bare(text("high")), "l": Bare(text("low")),
            "c": Bare(text("change_pct", "0"))}


def encode_v2(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"code":0,"method":"subscribe","result":{"instrument_name":"DOT_USDT","subscription":"book.DOT_USDT.150",...}}
    channel, _, rest = stream.name.partition("@")[0].partition(".")
    depth = {"depth": int(rest.rpartition(".")[2])} if channel == "book" else {}
    return [write({"code": 0, "method": "subscribe", "result": {
        "instrument_name": events[0].symbol, "subscription": f"{channel}.{rest}",
        "channel": "book.update" if events[0].kind == "delta" else channel, **depth,
        "data": [element_v2(channel, event) for event in events]}})]


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    place = path.removeprefix("/exchange/v1/")
    result: object = None
    if place == "public/get-instruments":
        result = {"data": [entry(floor.listed) for floor in hall.floors]}
    elif place == "public/get-book":
        name, depth = query.get("instrument_name", ""), int(query.get("depth", "50"))
        event = hall.book(name, depth)
        if event is None:
            return 400, b'{"code":40004,"message":"Invalid instrument_name"}'
        result = {"depth": depth, "data": [{**book(event, same), "t": ms(event.number("event_time"))}],
                  "instrument_name": name}
    else:
        return None
    return 200, write({"id": -1, "method": place, "code": 0, "result": result}).encode()


def entry(listed: Listed) -> dict[str, object]:
    """One instrument of the list."""
    it = listed.instrument
    spot = listed.kind == "spot"
    return {
        "symbol": it.symbol, "inst_type": TYPES[listed.kind], "display_name": it.symbol, "base_ccy": listed.base,
        "quote_ccy": listed.quote, "quote_decimals": it.price_decimals, "quantity_decimals": it.qty_decimals,
        "price_tick_size": step(it.tick_units, it.price_decimals), "qty_tick_size": step(it.lot_units, it.qty_decimals),
        "max_leverage": "50", "tradable": True, "expiry_timestamp_ms": ms(listed.expiry_ns), "beta_product": False,
        "margin_buy_enabled": False, "margin_sell_enabled": spot,
        **({} if spot else {"contract_size": listed.contract_size,
                            "underlying_symbol": f"{listed.base}{listed.quote}-INDEX"})}


DIALECT = Dialect(
    venue="cryptocom", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=({}, {"depth": 10}, {"depth": 10, "speed": "100ms"}, {"depth": 50, "speed": "100ms"}, {"depth": WHOLE}),
    opens=lambda stream: stream.channel != "trades", whole=lambda stream: stream.name.endswith(f".{WHOLE}"),
    levels=lambda stream: int(stream.name.partition("@")[0].rpartition(".")[2]),
    pace_ms=lambda stream: {"trades": 0, "book": 500 if stream.name.endswith(f".{WHOLE}") else
                            100 if stream.name.endswith("@100ms") else 10, "mark": 1000}.get(stream.channel, 100),
    # A client that has left three heartbeats unanswered is disconnected.
    beat=beat, beat_s=30.0, silence_s=95.0,
    older={"v2": encode_v2},
    lost={
        "book result.data[].cs": "looks like a checksum, and nobody knows of what",
        "book result.data[].asks[][2]": "orders at a level",
        "book result.data[].bids[][2]": "orders at a level",
        "book result.data[].update.asks[][2]": "orders at a level",
        "book result.data[].update.bids[][2]": "orders at a level",
        "trade result.data[].dataTime": "v2: when the trade was told",
        "ticker result.id": "the id once more, until 2023",
        "ticker result.data[].c": "the change of a day: a ratio in v1, a difference in v2",
    },
)
