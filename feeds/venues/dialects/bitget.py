"""How Bitget writes: v2 (of it the liquidations by v3), v3 of the unified account, and v1 of the recordings.

https://www.bitget.com/api-doc/common/websocket-intro, and frames recorded from 2022 to 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from feeds.simulator.dialect import Ask, Dialect, Frame, Line, Listed, ms, step, write
from feeds.simulator.event import Event
from feeds.simulator.hall import Hall
from feeds.simulator.market import Instrument
from feeds.venue import Stream

MARCH_27 = 1_806_048_000_000_000_000
LISTED = (
    Listed(Instrument("BTCUSDT", 1, 2, 1, 6, 6_180_000, 150_000), "spot", base="BTC", quote="USDT"),
    Listed(Instrument("ETHUSDT", 1, 2, 1, 4, 268_000, 12_000), "spot", base="ETH", quote="USDT"),
    Listed(Instrument("BTCUSDT", 1, 1, 1, 4, 618_000, 3_000), "usdt-futures", "perpetual", "BTC", "USDT", "USDT"),
    Listed(Instrument("ETHUSDT", 1, 2, 1, 2, 268_000, 900), "usdt-futures", "perpetual", "ETH", "USDT", "USDT"),
    Listed(Instrument("BTCUSD", 1, 1, 1, 3, 618_000, 150), "coin-futures", "perpetual", "BTC", "USD", "BTC"),
    Listed(Instrument("BTCUSDH27", 1, 1, 1, 3, 621_000, 60), "coin-futures", "future", "BTC", "USD", "BTC",
           expiry_ns=MARCH_27),
    Listed(Instrument("BTCPERP", 1, 1, 1, 4, 618_000, 800), "usdc-futures", "perpetual", "BTC", "USDC", "USDC"),
    Listed(Instrument("ETHPERP", 1, 2, 1, 2, 268_000, 300), "usdc-futures", "perpetual", "ETH", "USDC", "USDC"),
)


# ---- requests

def read(text: str, line: Line) -> list[Ask]:
    # {"op":"subscribe","args":[{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}]}, of v3 with topic and symbol,
    # and the text ping
    if text == "ping":
        return [Ask("reply", frames=("pong",))]
    try:
        request = json.loads(text)
        names = tuple(f"{arg['instType']}:{arg.get('channel') or arg['topic']}:"
                      f"{arg.get('instId') or arg.get('symbol', '')}" for arg in request["args"])
        if request["op"] not in ("subscribe", "unsubscribe") or not names:
            raise ValueError("op")
    except (ValueError, LookupError, TypeError, AttributeError):
        return [Ask("reply", frames=('{"event":"error","code":30016,"msg":"Param error"}',))]
    return [Ask(request["op"], names, request)]


def argument(name: str) -> dict[str, str]:
    """What a stream's name stands for: of v2 in upper case, of v3 in lower case."""
    market, topic, symbol = name.split(":", 2)
    if market.isupper():
        return {"instType": market, "channel": topic, "instId": symbol}
    return {"instType": market, "topic": topic, **({"symbol": symbol} if symbol else {})}


def answer(ask: Ask, known: Sequence[str], unknown: Sequence[str], line: Line) -> list[Frame]:
    # {"event":"subscribe","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}}, one for each arg
    told: list[Frame] = [write({"event": ask.kind, "arg": argument(name)}) for name in known]
    for name in unknown:
        market, topic, symbol = name.split(":", 2)
        words = f"instType:{market},channel:{topic},instId:{symbol},precision:null doesn't exist"
        told.append(write({"event": "error", **({"arg": argument(name)} if market.isupper() else {}), "code": 30001,
                           "msg": words, "op": ask.kind}))
    return told


def too_much(what: str, line: Line) -> list[Frame]:
    if what == "messages":
        return ['{"event":"error","code":30006,"msg":"request too many"}']
    return ['{"event":"error","code":30007,"msg":"request over limit,connection close"}']


# ---- messages

def sides(event: Event, asks: str = "asks", bids: str = "bids") -> dict[str, list[list[str]]]:
    """Levels of both sides; a level that goes has the quantity 0."""
    return {asks: [[level.price, "0" if level.gone else level.qty] for level in event.side(-1)],
            bids: [[level.price, "0" if level.gone else level.qty] for level in event.side(1)]}


def best(event: Event, asks: str = "asks", bids: str = "bids") -> dict[str, list[list[str]]]:
    """The best of both sides; a side that is empty has the price 0 in an event."""
    found = {asks: (event.text("ask_price"), event.text("ask_qty")),
             bids: (event.text("bid_price"), event.text("bid_qty"))}
    return {key: [] if level[0] == "0" else [list(level)] for key, level in found.items()}


def numbers(event: Event) -> dict[str, int]:
    """What shows a loss: a checksum until 2026, seq and pseq since then."""
    told = {"checksum": event.number("checksum")} if "checksum" in event.values else {}
    if "last_seq" in event.values:
        told["seq"] = event.number("last_seq")
        if not event.depth:
            told["pseq"] = 0 if event.kind == "snapshot" else event.number("prev_seq")
    return told


def side_of(event: Event) -> str:
    return "buy" if event.number("aggressor") > 0 else "sell"


def values(event: Event, keys: Mapping[str, str]) -> dict[str, str]:
    """Values by the keys of the wire, as far as the event has them."""
    return {key: event.text(name) for key, name in keys.items() if name in event.values}


TICKER = {"lastPr": "last", "bidPr": "bid_price", "askPr": "ask_price", "bidSz": "bid_qty", "askSz": "ask_qty",
          "open24h": "open", "high24h": "high", "low24h": "low", "baseVolume": "volume", "quoteVolume": "quote_volume"}
FUTURES_TICKER = {**TICKER, "fundingRate": "funding", "markPrice": "mark", "indexPrice": "index",
                  "holdingAmount": "open_interest"}


def element(event: Event) -> dict[str, object]:
    """One element of `data` of v2."""
    happened = str(ms(event.number("time")))
    if event.kind in ("snapshot", "delta"):
        # {"asks":[],"bids":[["0.00519","30828.52"]],"ts":"1789456512452","seq":427583480559,"pseq":427583461144}
        return {**sides(event), "ts": happened, **numbers(event)}
    if event.kind == "quote":
        return {**best(event), "ts": happened, **numbers(event)}
    if event.kind == "trade":
        return {"ts": happened, "price": event.text("price"), "size": event.text("qty"), "side": side_of(event),
                "tradeId": event.text("trade_id")}
    spot = event.market == "spot"
    told: dict[str, object] = {"instId": event.symbol, **values(event, TICKER if spot else FUTURES_TICKER)}
    if not spot:
        told |= {"nextFundingTime": str(ms(event.number("next_funding"))), "symbolType": "1", "symbol": event.symbol,
                 "deliveryPrice": "0"}
    return {**told, "change24h": f"{float(event.text('change_pct', '0')) / 100:.5f}", "openUtc": event.text("open"),
            "ts": happened}


def forced(event: Event) -> dict[str, object]:
    """A liquidation: `side` is the position's."""
    return {"symbol": event.symbol, "side": "sell" if event.number("aggressor") > 0 else "buy",
            "price": event.text("price"), "amount": event.text("qty"), "ts": str(ms(event.number("time")))}


def action(event: Event) -> str:
    """Trades, changes of a book and liquidations are updates, all else is whole."""
    return "update" if event.kind in ("delta", "trade", "liquidation") else "snapshot"


def topic_of(stream: Stream, event: Event) -> str:
    """The middle of the name; a kind that the market has no stream for is the ticker's."""
    return stream.name.split(":")[1] if stream.name else "ticker"


def encode(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"action":"update","arg":{"instType":"USDT-FUTURES","channel":"books","instId":"MAVUSDT"},"data":[{...}],"ts":..}
    first = events[0]
    sent = ms(first.number("event_time", first.number("time")))
    if first.kind == "liquidation":
        return [write({"action": "update", "arg": {"instType": first.market, "topic": "liquidation"},
                       "data": [forced(event) for event in events], "ts": sent})]
    arg = {"instType": first.market.upper(), "channel": topic_of(stream, first), "instId": first.symbol}
    return [write({"action": action(first), "arg": arg, "data": [element(event) for event in events], "ts": sent})]


# ---- version 3

TICKER_V3 = {"highPrice24h": "high", "lowPrice24h": "low", "openPrice24h": "open", "lastPrice": "last",
             "turnover24h": "quote_volume", "volume24h": "volume", "bid1Price": "bid_price", "ask1Price": "ask_price",
             "bid1Size": "bid_qty", "ask1Size": "ask_qty", "indexPrice": "index", "markPrice": "mark",
             "fundingRate": "funding", "openInterest": "open_interest"}


def element_v3(event: Event) -> dict[str, object]:
    """One element of `data` of v3."""
    happened = str(ms(event.number("time")))
    if event.kind in ("snapshot", "delta"):
        return {**sides(event, "a", "b"), **numbers(event), "ts": happened}
    if event.kind == "quote":
        return {**best(event, "a", "b"), **numbers(event), "ts": happened}
    if event.kind == "trade":
        return {"i": event.text("trade_id"), "p": event.text("price"), "v": event.text("qty"), "S": side_of(event),
                "T": happened, "L": event.text("trade_id"), "isRPI": "no"}
    return {**values(event, TICKER_V3), "price24hPcnt": "0", "deliveryTime": "", "deliveryStartTime": "",
            "deliveryStatus": "", "nextFundingTime": str(ms(event.number("next_funding")))}


def encode_v3(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"action":"snapshot","arg":{"instType":"spot","topic":"books","symbol":"BTCUSDT"},"data":[{...}],"ts":17773626}
    first = events[0]
    topic = {"trade": "publicTrade"}.get(first.kind, topic_of(stream, first))
    return [write({"action": action(first), "arg": {"instType": first.market, "topic": topic, "symbol": first.symbol},
                   "data": [element_v3(event) for event in events], "ts": ms(first.number("event_time"))})]


# ---- version 1

TICKER_V1 = {"last": "last", "open24h": "open", "high24h": "high", "low24h": "low", "bestBid": "bid_price",
             "bestAsk": "ask_price", "baseVolume": "volume", "quoteVolume": "quote_volume"}
FUTURES_TICKER_V1 = {**TICKER_V1, "capitalRate": "funding", "markPrice": "mark", "indexPrice": "index",
                     "holding": "open_interest"}


def element_v1(event: Event) -> object:
    """One element of `data` of v1."""
    happened = ms(event.number("time"))
    if event.kind == "trade":
        return [str(happened), event.text("price"), event.text("qty"), side_of(event)]
    if event.kind in ("snapshot", "delta"):
        return {**sides(event), **numbers(event), "ts": str(happened)}
    if event.market == "spot":
        return {"instId": event.symbol, **values(event, TICKER_V1), "ts": happened, "labeId": 0}
    return {"instId": event.symbol, **values(event, FUTURES_TICKER_V1), "priceChangePercent": "0",
            "nextSettleTime": ms(event.number("next_funding")), "systemTime": happened}


def encode_v1(stream: Stream, events: Sequence[Event], line: Line) -> list[Frame]:
    # {"action":"update","arg":{"instType":"sp","channel":"trade","instId":"HOTUSDT"},"data":[["1649290077777", ...]]}
    first = events[0]
    arg = {"instType": "sp" if first.market == "spot" else "mc", "channel": topic_of(stream, first),
           "instId": first.symbol}
    return [write({"action": action(first), "arg": arg, "data": [element_v1(event) for event in events]})]


# ---- REST

def rest(method: str, path: str, query: Mapping[str, str], hall: Hall) -> tuple[int, bytes] | None:
    if path == "/api/v2/spot/public/symbols":
        market = "spot"
    elif path == "/api/v2/mix/market/contracts":
        market = query.get("productType", "").lower()
    else:
        return None
    return 200, write({"code": "00000", "msg": "success", "requestTime": 0, "data": [
        entry(floor.listed) for floor in hall.floors if floor.listed.market == market]}).encode()


def entry(listed: Listed) -> dict[str, object]:
    """One instrument of a list."""
    it = listed.instrument
    lot = step(it.lot_units, it.qty_decimals)
    told: dict[str, object] = {"symbol": it.symbol, "baseCoin": listed.base, "quoteCoin": listed.quote,
                               "minTradeUSDT": "5"}
    if listed.market == "spot":
        return {**told, "minTradeAmount": "0", "pricePrecision": str(it.price_decimals),
                "quantityPrecision": str(it.qty_decimals), "status": "online"}
    dated = listed.kind == "future"
    return {**told, "supportMarginCoins": [listed.settle], "minTradeNum": lot, "priceEndStep": str(it.tick_units),
            "volumePlace": str(it.qty_decimals), "pricePlace": str(it.price_decimals), "sizeMultiplier": lot,
            "symbolType": "delivery" if dated else "perpetual", "symbolStatus": "normal",
            "deliveryTime": str(ms(listed.expiry_ns)) if dated else ""}


# What no event keeps of a frame.
LOST = {
    "quote data[].checksum": "always 0", "liquidation ts": "of the frame; the rows say when they happened",
    "trade data[].L": "id of the order, of v3", "trade data[].isRPI": "whether it met a retail price improvement",
    "ticker data[].change24h": "follows from the last price and open24h",
    "ticker data[].openUtc": "price at midnight UTC", "ticker data[].symbolType": "1 perpetual, 2 dated",
    "ticker data[].deliveryPrice": "of dated futures; others need not have it",
    "ticker data[].price24hPcnt": "the change, of v3", "ticker data[].deliveryTime": "of dated futures, of v3",
    "ticker data[].deliveryStartTime": "of dated futures, of v3", "ticker data[].deliveryStatus": "the same",
    "ticker data[].labeId": "of v1", "ticker data[].priceChangePercent": "the change, of v1",
}

DIALECT = Dialect(
    venue="bitget", lost=LOST, listed=LISTED, read=read, answer=answer, encode=encode, rest=rest, too_much=too_much,
    options=({}, {"depth": 5}, {"depth": 15}),
    levels=lambda stream: stream.depth or (200 if stream.market == "coin-futures" else 500),
    opens=lambda stream: stream.channel not in ("trades", "liquidations"),
    pace_ms=lambda stream: {"book": 100, "quotes": 20, "trades": 0, "liquidations": 0}.get(stream.channel, 200),
    silence_s=120.0, older={"v3": encode_v3, "v1": encode_v1},
)
