"""How Kraken Futures writes: WebSocket v1 of today, and as recorded since 2019.

https://docs.kraken.com/api/docs/futures-api/websocket, and frames recorded in 2021. Every level is a message of its
own; its seq is counted here by connection and product, from the number that the market stands at with the snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from feeds.simulator.dialect import Ask, Bare, Dialect, Frame, Line, Listed, iso, ms, step, trimmed, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

MARCH = 1_806_048_000_000_000_000           # 2027-03-26 08:00 UTC
LISTED = (
    Listed(Instrument("PI_XBTUSD", 5, 1, 1, 0, 123_600, 4_000), kind="perpetual", base="BTC", quote="USD",
           settle="BTC", contract_size="1"),
    Listed(Instrument("PF_XBTUSD", 1, 0, 1, 4, 61_800, 800), kind="perpetual", base="BTC", quote="USD", settle="USD",
           contract_size="1"),
    Listed(Instrument("PF_ETHUSD", 1, 1, 1, 3, 26_800, 900), kind="perpetual", base="ETH", quote="USD", settle="USD",
           contract_size="1"),
    Listed(Instrument("FI_XBTUSD_270326", 5, 1, 1, 0, 125_000, 2_000), kind="future", base="BTC", quote="USD",
           settle="BTC", contract_size="1", expiry_ns=MARCH),
)
FORCED_EVERY = 25               # of simulated trades, one is a liquidation
FEEDS = ("book", "trade", "ticker", "ticker_lite")


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"event":"subscribe","feed":"book","product_ids":["PI_XBTUSD","pf_ethusd"]}; {"event":"subscribe",
    # "feed":"heartbeat"} names no product
    try:
        request = json.loads(text)
        event, feed = request["event"], request["feed"]
        if event not in ("subscribe", "unsubscribe"):
            raise ValueError(event)
        if feed == "heartbeat":
            line.memory["heartbeat"] = event == "subscribe"
            return [Ask("reply", frames=(write({"event": event + "d", "feed": feed}),))]
        products = request["product_ids"]
        if feed not in FEEDS:
            return [Ask("reply", frames=(alarm("Invalid feed"),))]
        if not isinstance(products, list) or not products:
            raise ValueError(products)
        names = tuple(f"{feed}:{product.upper()}" for product in products)
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(alarm("Bad request"),))]
    return [Ask(event, names)]


def alarm(words: str) -> str:
    return write({"event": "error", "message": words})


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"event":"subscribed","feed":"book","product_ids":["PI_XBTUSD"]}, one for each product
    told: list[Frame] = []
    for name in known:
        feed, _, product = name.partition(":")
        told.append(write({"event": ask.kind + "d", "feed": feed, "product_ids": [product]}))
    return told + [alarm("Invalid product id") for _ in unknown if ask.kind == "subscribe"]


def beat(line: Line, now_ns: int) -> list[Frame]:
    return [write({"feed": "heartbeat", "time": ms(now_ns)})] if line.memory.get("heartbeat") else []


def too_much(what: str, line: Line) -> list[Frame]:
    return [write({"event": "alert", "message": "Request limit exceeded"})]


# ---- messages

def number(text: str) -> Bare:
    return Bare(trimmed(text) or "0")


def deltas(event: Event, line: Line) -> list[Frame]:
    """One frame for each level."""
    frames: list[Frame] = []
    key = ("seq", event.symbol)
    for level in sorted(event.levels, key=lambda level: not level.gone):      # no frame leaves a crossed book behind
        seq = event.number("last_seq")
        if "number" in event.values:              # of the simulated market
            known = line.memory.get(key)
            seq = line.memory[key] = (known if isinstance(known, int) else seq) + 1
        frames.append(write({
            "feed": "book", "product_id": event.symbol, "side": "buy" if level.side > 0 else "sell", "seq": seq,
            "price": number(level.price), "qty": Bare("0") if level.gone else number(level.qty),
            **({"timestamp": ms(event.number("time"))} if "time" in event.values else {})}))
    return frames


def snapshot(event: Event, line: Line) -> str:
    seq = event.number("last_seq")
    line.memory["seq", event.symbol] = seq
    sides = {side: [{"price": number(level.price), "qty": number(level.qty)} for level in event.side(sign)]
             for side, sign in (("bids", 1), ("asks", -1))}
    return write({"feed": "book_snapshot", "product_id": event.symbol, "timestamp": ms(event.number("time")),
                  "seq": seq, "tickSize": None, **sides})


def trades(events: Sequence[Event]) -> list[Frame]:
    """Trades; one that a liquidation is told of behind it has the type of one."""
    frames: list[Frame] = []
    for event, after in zip(events, (*events[1:], None), strict=True):
        if event.kind == "trade":
            forced = after is not None and after.kind == "liquidation"
            if "last_seq" in event.values:        # of the simulated market
                forced = event.number("trade_id") % FORCED_EVERY == 0
            name = event.number("trade_id")
            frames.append(write({
                "feed": "trade", "product_id": event.symbol, "uid": f"00000000-0000-4000-8000-{name:012d}",
                "side": "buy" if event.number("aggressor") > 0 else "sell",
                "type": "liquidation" if forced else "fill", "seq": name,
                "time": ms(event.number("time")), "qty": number(event.text("qty")),
                "price": number(event.text("price"))}))
    return frames


def ticker(event: Event) -> dict[str, object]:
    def figures(**names: str) -> dict[str, object]:
        return {key: number(event.text(name)) for key, name in names.items() if name in event.values}

    symbol = event.symbol
    dated = symbol.count("_") == 2
    pair = symbol.split("_")[1]
    due = maturity(symbol)
    tag = {"tag": "quarter" if dated else "perpetual", "pair": f"{pair[:-3]}:{pair[-3:]}",
           "dtm": max(0, (due - ms(event.number("time"))) // 86_400_000) if dated else 0, "maturityTime": due}
    if "last" not in event.values:
        return {"feed": "ticker_lite", "product_id": symbol, **figures(
            bid="bid_price", ask="ask_price", change="change_pct", volume="volume"), "premium": 0.0, **tag}
    told: dict[str, object] = {"time": ms(event.number("time")), "product_id": symbol}
    if not dated:
        price, rate = float(event.text("mark", "1")) or 1.0, float(event.text("funding", "0"))
        money = rate / price if symbol.startswith("PI_") else rate * price
        told |= {"funding_rate": money, "funding_rate_prediction": money,
                 **figures(relative_funding_rate="funding", relative_funding_rate_prediction="funding")}
        if "next_funding" in event.values:
            told["next_funding_rate_time"] = ms(event.number("next_funding"))
    return {**told, "feed": "ticker", **figures(
        bid="bid_price", ask="ask_price", bid_size="bid_qty", ask_size="ask_qty", volume="volume", index="index",
        last="last", change="change_pct", openInterest="open_interest", markPrice="mark", volumeQuote="quote_volume",
        open="open", high="high", low="low"), "leverage": "50x", "premium": 0.0, "suspended": False,
        "post_only": False, **tag}


def maturity(symbol: str) -> int:
    """When a dated product is settled, ms; 0 for the others."""
    parts = symbol.split("_")
    if len(parts) < 3:
        return 0
    return int(datetime.strptime(parts[2], "%y%m%d").replace(hour=8, tzinfo=UTC).timestamp()) * 1000


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    feed = stream.name.partition(":")[0]
    if feed == "trade":
        return trades(events)
    frames: list[Frame] = []
    for event in events:
        if event.kind == "snapshot":
            frames.append(snapshot(event, line))
        elif event.kind == "delta":
            frames += deltas(event, line)
        else:
            frames.append(write(ticker(event)))
    return frames


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    if path != "/derivatives/api/v3/instruments":
        return None
    return 200, write({"result": "success", "instruments": [entry(floor.listed) for floor in hall.floors],
                       "serverTime": iso(hall.next_ns)}).encode()


def entry(listed: Listed) -> dict[str, object]:
    """One instrument of the list."""
    it = listed.instrument
    inverse = listed.settle == listed.base
    pair = it.symbol.split("_")[1]
    return {
        "symbol": it.symbol, "type": "futures_inverse" if inverse else "flexible_futures",
        "underlying": f"rr_{pair.lower()}", **({"lastTradingTime": iso(listed.expiry_ns)} if listed.expiry_ns else {}),
        "tickSize": Bare(step(it.tick_units, it.price_decimals)), "contractSize": Bare(listed.contract_size or "1"),
        "tradeable": True, "contractValueTradePrecision": it.qty_decimals, "postOnly": False, "base": listed.base,
        "quote": listed.quote, "pair": f"{listed.base}:{listed.quote}", "marginLevels": []}


# What no event keeps of a frame.
LOST = {
    "trade uid": "a name that is no number; not there at the beginning of 2019",
    "ticker funding_rate": "an amount of money for a contract; the event has the relative rate",
    "ticker funding_rate_prediction": "of the next period",
    "ticker relative_funding_rate_prediction": "of the next period; not there until 2021",
    "ticker dtm": "days to maturity, below 0 for perpetuals until 2021", "ticker maturityTime": "of dated products",
    "ticker tag": "month, quarter, perpetual", "ticker leverage": "what a position may be a multiple of",
    "ticker premium": "distance of the price from the index",
    "ticker post_only": "whether orders may only add to the book; not there until 2022",
}

DIALECT = Dialect(
    venue="kraken_futures", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    lost=LOST, by_line=True, greet=lambda line: ['{"event":"info","version":1}'], beat=beat, beat_s=5.0,
    opens=lambda stream: not stream.name.startswith("trade"),
    pace_ms=lambda stream: 1000 if stream.name.startswith("ticker") else 0,
)
