"""How dYdX writes: v4 of the indexer, whose messages are numbered through on each connection, and v3 of 2021.

https://docs.dydx.xyz/indexer-client/websockets, frames published in 2024, and frames of v3 recorded in 2021. There is
one book here, so it is never crossed, as those of the indexer are now and then; answers come in the order of their
numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from feeds.simulator.dialect import Ask, Dialect, Frame, Line, Listed, iso, step, write
from feeds.simulator.event import Event, Level
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

LISTED = (
    Listed(Instrument("BTC-USD", 1, 0, 1, 4, 61_800, 900), kind="perpetual", base="BTC", quote="USD", settle="USDC"),
    Listed(Instrument("ETH-USD", 1, 1, 1, 3, 26_800, 8_000), kind="perpetual", base="ETH", quote="USD", settle="USDC"),
    Listed(Instrument("DOGE-USD", 1, 5, 10, 0, 9_123, 300), kind="perpetual", base="DOGE", quote="USD",
           settle="USDC"),
)

CONNECTION = "e2a6c717-6f77-4c1c-ac22-72ce2b7ed77d"
CHANNELS = ("v4_orderbook", "v4_trades", "v4_markets")
PAIR_IDS = {"BTC-USD": "0", "ETH-USD": "1"}
VERSIONS = {"v4_trades": "2.1.0"}               # 1.0.0 elsewhere
LIQUIDATED_EVERY = 100                          # of the trades, one is a liquidation

# What is told of a market beside its price -> name of the value.
FIGURES = {"nextFundingRate": "funding", "openInterest": "open_interest", "priceChange24H": "change",
           "volume24H": "quote_volume", "trades24H": "count"}


def number(line: Line, event: Event | None = None) -> int:
    """Number of a message on its connection: the recorded one, or the next."""
    return event.number("line_seq") if event is not None and "line_seq" in event.values else line.next() - 1


def greet(line: Line) -> list[Frame]:
    return [write({"type": "connected", "connection_id": CONNECTION, "message_id": number(line)})]


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"type":"subscribe","channel":"v4_orderbook","id":"BTC-USD","batched":false}, {"type":"ping","id":"1"}
    try:
        request = json.loads(text)
        kind = request["type"]
        if kind == "ping":
            return [Ask("reply", frames=(write({"type": "pong", "connection_id": CONNECTION, "message_id": number(line),
                                                "id": request.get("id", "")}),))]
        if kind not in ("subscribe", "unsubscribe"):
            return [Ask("reply", frames=(error(f"Invalid message type: {kind}", line),))]
        channel, symbol = request["channel"], request.get("id", "")
        if channel not in CHANNELS:
            return [Ask("reply", frames=(error(f"Invalid channel: {channel}", line),))]
        name = f"{channel}:{symbol}" if channel != "v4_markets" else channel
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=(error("Invalid message: could not parse", line),))]
    batched = f"{name}:batched"                 # who unsubscribes does not say it
    if channel == "v4_orderbook" and (batched in line.memory if kind == "unsubscribe" else request.get("batched")):
        name = batched
    return [Ask(kind, (name,))]


def error(words: str, line: Line) -> str:
    return write({"type": "error", "message": words, "connection_id": CONNECTION, "message_id": number(line)})


def place(name: str) -> dict[str, object]:
    """Channel and market, as answers name them."""
    channel, _, symbol = name.removesuffix(":batched").partition(":")
    return {"channel": channel, **({"id": symbol} if symbol else {})}


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    """The answer to who asks for a book is the book, which follows."""
    told: list[Frame] = []
    for name in known:
        if ask.kind == "unsubscribe":
            line.memory.pop(name, None)
            told.append(write({"type": "unsubscribed", "connection_id": CONNECTION, "message_id": number(line),
                               **place(name)}))
            continue
        line.memory[name] = True
        if not name.startswith("v4_orderbook"):
            contents: object = {"markets": {}} if name == "v4_markets" else {"trades": []}
            told.append(write({"type": "subscribed", "connection_id": CONNECTION, "message_id": number(line),
                               **place(name), "contents": contents}))
    for name in unknown if ask.kind == "subscribe" else ():
        channel, _, symbol = name.removesuffix(":batched").partition(":")
        told.append(error(f"Invalid subscription id for channel: ({channel}-{symbol})", line))
    return told


def too_much(what: str, line: Line) -> list[Frame]:
    return [error("Too many subscribe attempts. Please reconnect and try again." if what == "messages" else
                  "Per-connection subscription limit reached", line)]


# ---- messages

def data(kind: str, at: int, channel: str, symbol: str, contents: object) -> str:
    # {"type":"channel_data","connection_id":"…","message_id":5,"id":"BTC-USD","channel":"v4_trades","version":"2.1.0",
    #  "contents":{...}}
    return write({"type": kind, "connection_id": CONNECTION, "message_id": at, **({"id": symbol} if symbol else {}),
                  "channel": channel, "version": VERSIONS.get(channel, "1.0.0"), "contents": contents})


def pairs(levels: Sequence[Level]) -> list[list[str]]:
    return [[level.price, "0" if level.gone else level.qty] for level in levels]


def changes(event: Event) -> dict[str, object]:
    """What has changed: a side without changes is not there."""
    sides = {"bids": pairs(event.side(1)), "asks": pairs(event.side(-1))}
    return {side: levels for side, levels in sides.items() if levels}


def whole(event: Event, offsets: bool = False) -> dict[str, object]:
    """A whole book: levels are objects, of v3 with the number of their last change."""
    return {key: [{"price": level.price, "size": level.qty,
                   **({"offset": str(level.seq)} if offsets and level.seq else {})} for level in event.side(side)]
            for key, side in (("bids", 1), ("asks", -1))}


def trades(events: Sequence[Event]) -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    for event in events:
        count = event.number("trade_id")
        if event.kind == "liquidation":         # what the trade before it was
            told[-1]["type"] = "LIQUIDATED"
            continue
        told.append({
            "id": f"{count:024x}", "size": event.text("qty"), "price": event.text("price"),
            "side": "BUY" if event.number("aggressor") > 0 else "SELL", "createdAt": iso(event.number("time")),
            "type": "LIQUIDATED" if count and count % LIQUIDATED_EVERY == 0 else "LIMIT",
            "createdAtHeight": "23455255"})
    return told


def markets(events: Sequence[Event], line: Line) -> list[Frame]:
    """Figures and prices of markets, which come in messages of their own."""
    figures, prices = {}, {}
    for event in events:
        told: dict[str, object] = {key: event.number(name) if name == "count" else event.text(name)
                                   for key, name in FIGURES.items() if name in event.values}
        if told:
            figures[event.symbol] = {"id": PAIR_IDS.get(event.symbol, "2"), **told}
        if "mark" in event.values:
            prices[event.symbol] = {"oraclePrice": event.text("mark"), "effectiveAt": iso(event.number("time")),
                                    "effectiveAtHeight": "23455255", "marketId": 0}
    parts = [contents for contents in ({"trading": figures}, {"oraclePrices": prices}) if all(contents.values())]
    return [data("channel_data", number(line, None if place else events[0]), "v4_markets", "", contents)
            for place, contents in enumerate(parts)]


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    first = events[0]
    if first.kind == "ticker":
        return markets(events, line)
    at = number(line, first)
    if first.kind == "snapshot":
        return [write({"type": "subscribed", "connection_id": CONNECTION, "message_id": at,
                       "channel": "v4_orderbook", "id": first.symbol, "contents": whole(first)})]
    if first.kind == "delta" and stream.name.endswith(":batched"):
        return [data("channel_batch_data", at, "v4_orderbook", first.symbol, [changes(event) for event in events])]
    if first.kind == "delta":
        return [data("channel_data", at, "v4_orderbook", event.symbol, changes(event)) for event in events]
    return [data("channel_data", at, "v4_trades", first.symbol, {"trades": trades(events)})]


def encode_v3(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    """v3: no version, offsets in the books, figures of markets without a key around them."""
    first = events[0]
    head = {"connection_id": CONNECTION, "message_id": number(line, first)}
    if first.kind == "snapshot":
        return [write({"type": "subscribed", **head, "channel": "v3_orderbook", "id": first.symbol,
                       "contents": whole(first, offsets=True)})]
    told: dict[str, object]
    if first.kind == "delta":
        where = {"id": first.symbol, "channel": "v3_orderbook"}
        told = {"offset": first.text("last_seq"), "bids": pairs(first.side(1)), "asks": pairs(first.side(-1))}
    elif first.kind == "trade":
        where = {"id": first.symbol, "channel": "v3_trades"}
        told = {"trades": [{key: trade[key] for key in ("size", "side", "price", "createdAt")}
                           for trade in trades(events)]}
    else:
        where = {"channel": "v3_markets"}
        told = {event.symbol: {key: str(event.values[name]) for key, name in FIGURES.items() if name in event.values}
                for event in events}
    return [write({"type": "channel_data", **head, **where, "contents": told})]


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    parts = path.strip("/").split("/")
    if parts == ["v4", "perpetualMarkets"]:
        return 200, write({"markets": {floor.listed.instrument.symbol: market(floor.listed)
                                       for floor in hall.floors}}).encode()
    if len(parts) != 4 or parts[:3] != ["v4", "orderbooks", "perpetualMarket"]:
        return None
    event = hall.book(parts[3])
    if event is None:
        return 404, write({"errors": [{"msg": f"No market found for ticker: {parts[3]}"}]}).encode()
    return 200, write(whole(event)).encode()


def market(listed: Listed) -> dict[str, object]:
    """One market of the list."""
    it = listed.instrument
    return {
        "clobPairId": PAIR_IDS.get(it.symbol, "2"), "ticker": it.symbol, "status": "ACTIVE", "tickSize":
        step(it.tick_units, it.price_decimals), "stepSize": step(it.lot_units, it.qty_decimals),
        "stepBaseQuantums": 1000000, "subticksPerTick": 100000, "atomicResolution": -10,
        "quantumConversionExponent": -9, "marketType": "CROSS", "initialMarginFraction": "0.05",
        "maintenanceMarginFraction": "0.03", "openInterestLowerCap": "0", "openInterestUpperCap": "0"}


DIALECT = Dialect(
    venue="dydx", listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=({}, {"speed": "batched"}), by_line=True, greet=greet, pings=True,
    opens=lambda stream: stream.channel != "trades",
    pace_ms=lambda stream: {"book": 250 if stream.name.endswith(":batched") else 20, "trades": 0}.get(
        stream.channel, 1000),
    older={"v3": encode_v3},
    lost={
        **{f"{word} connection_id": "the connection's name" for word in ("book", "trade", "ticker")},
        "trade contents.trades[].id": "24 hexadecimal digits, more than an id can be",
        "trade contents.trades[].createdAtHeight": "the block; missing until 2024-08",
        "ticker contents.oraclePrices.ETH-USD.effectiveAtHeight": "the block",
        "ticker contents.oraclePrices.ETH-USD.marketId": "a number of the market",
    },
)
