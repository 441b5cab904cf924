"""MEXC: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from feeds.venue import (
    Answer,
    Control,
    Stream,
    check_each,
    check_known,
    frame_text,
    read_object,
    read_url,
    request_number,
)

FULL_DEPTH = 20           # of contracts' partial books: a frame does not tell its limit, so one is asked for
CHANNELS = {
    "book": "order book: changes joined to a REST snapshot; whole books with depth=5, 10 or 20 (contract: 20)",
    "trades": "every trade, those of 10 or 100 ms in one frame",
    "quotes": "best bid and offer, every 10 or 100 ms (spot)",
    "ticker": "statistics of the last 24 hours",
    "mark": "fair price, index price and funding rate (contract)",
    "open_interest": "open contracts, from the ticker (contract)",
}

# By market; of the speeds the first is the default. "0ms": one frame for each version instead of merged ones.
OF_MARKET = {
    "spot": ("book", "trades", "quotes", "ticker"),
    "contract": ("book", "trades", "ticker", "mark", "open_interest"),
}

DEPTHS = {"spot": (5, 10, 20), "contract": (FULL_DEPTH,)}
SPEEDS = {"spot": ("100ms", "10ms"), "contract": ("200ms", "0ms")}


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; several of one symbol for "mark".

    Spot's are named as the venue names them; those of contracts "depth:BTC_USDT", "depth:BTC_USDT:0ms",
    "depth.full:BTC_USDT:20", "deal:BTC_USDT". `speed` is of spot's book, trades and quotes, and of contracts' book.
    """
    who = f"mexc {market}"
    check_each(who, "channel", channels, OF_MARKET[market])
    check_known(who, "book of depth", depth, (*DEPTHS[market], None))
    check_known(who, "speed", speed, (*SPEEDS[market], None))
    names = spot_names if market == "spot" else contract_names
    return [Stream(name, market, symbol, channel, depth or 0 if channel == "book" else 0, market)
            for symbol in map(str.upper, symbols) for channel in channels
            for name in names(symbol, channel, depth, speed or SPEEDS[market][0])]


def spot_names(symbol: str, channel: str, depth: int | None, speed: str) -> tuple[str, ...]:
    if channel == "book" and depth is not None:
        return (f"spot@public.limit.depth.v3.api.pb@{symbol}@{depth}",)
    if channel == "ticker":
        return (f"spot@public.miniTicker.v3.api.pb@{symbol}@UTC+8",)
    topic = {"book": "depth", "trades": "deals", "quotes": "bookTicker"}[channel]
    return (f"spot@public.aggre.{topic}.v3.api.pb@{speed}@{symbol}",)


def contract_names(symbol: str, channel: str, depth: int | None, speed: str) -> tuple[str, ...]:
    if channel == "book":
        if depth is not None:
            return (f"depth.full:{symbol}:{depth}",)
        return (f"depth:{symbol}" if speed == "200ms" else f"depth:{symbol}:{speed}",)
    if channel == "mark":
        return tuple(f"{topic}:{symbol}" for topic in ("fair.price", "index.price", "funding.rate"))
    return (f"{'deal' if channel == 'trades' else 'ticker'}:{symbol}",)


def request(spot_method: str, prefix: str, names: Sequence[str], request_id: int) -> list[str]:
    """Request frames: one for all streams of spot, one for each of contracts."""
    # {"method":"SUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"],"id":1}
    # {"method":"sub.depth","param":{"symbol":"BTC_USDT","compress":false}}
    # {"method":"UNSUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"],"id":2}
    # {"method":"unsub.depth","param":{"symbol":"BTC_USDT"}}
    spot = [name for name in names if name.startswith("spot@")]
    frames = [frame_text({"method": spot_method, "params": spot, "id": request_id})] if spot else []
    for name in names:
        if not name.startswith("spot@"):
            topic, _, rest = name.partition(":")
            symbol, _, option = rest.partition(":")
            param: dict[str, Any] = {"symbol": symbol}
            if option == "0ms" and prefix == "sub":
                param["compress"] = False
            elif topic == "depth.full":
                param["limit"] = int(option)
            frames.append(frame_text({"method": f"{prefix}.{topic}", "param": param}))
    return frames


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"id":1,"code":0,"msg":"spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"}                       an ack of spot
    {"id":0,"code":0,"msg":"Not Subscribed successfully! [spot@...].  Reason： Blocked! "}   an error, code 0 too
    {"id":0,"code":0,"msg":"PONG"}
    {"channel":"rs.sub.depth","data":"success","ts":1789498405531}                  an ack of contracts
    {"channel":"rs.error","data":"Contract [NOPE_USDT] not exists","ts":1789498405531}
    {"channel":"pong","data":1789498405531}
    """
    text, message = read_object(payload)
    if isinstance(message.get("channel"), str):
        return read_contract_control(message["channel"], message.get("data"), text)
    words, code = message.get("msg"), message.get("code")
    request_id = request_number(message.get("id")) or None        # 0: it does not say
    if not isinstance(words, str) or not isinstance(code, (int, str)):
        return Control("other", text=text)
    if words == "PONG":
        return Control("pong")
    if words.startswith("spot@") and code == 0:
        return Control("ack", request_id)
    refused = tuple(re.findall(r"spot@[^\s,\]]+", words))
    reason = "bad_symbol" if refused else "rate_limit" if "frequent" in words.lower() else ""
    return Control("error", request_id, code, words.strip(), refused, reason=reason)


def read_contract_control(channel: str, data: Any, text: str) -> Control:
    """Classify an answer to a request about contracts."""
    if channel == "pong":
        return Control("pong")
    if channel == "rs.error":
        words = data if isinstance(data, str) else text
        about = re.findall(r"\[([A-Z0-9_]+)\]", words)
        reason = "bad_symbol" if "not exist" in words else "rate_limit" if "frequent" in words.lower() else ""
        return Control("error", text=words, streams=tuple(about), reason=reason)
    if channel.startswith(("rs.sub.", "rs.unsub.")):
        return Control("ack") if data == "success" else Control("error", text=str(data))
    return Control("other", text=text)


def snapshot_address(symbol: str, limit: int, market: str) -> str:
    if market == "contract":
        return f"https://api.mexc.com/api/v1/contract/depth/{symbol}?limit={min(limit, 1000)}"
    return f"https://api.mexc.com/api/v3/depth?symbol={symbol}&limit={limit}"


def read_address(url: str) -> Answer | None:
    """What a REST answer is; contracts were served by contract.mexc.com up to 2026-01."""
    path, query = read_url(url)
    limit = request_number(query.get("limit")) or 0
    head, _, symbol = path.rpartition("/")
    if path == "/api/v3/depth" and "symbol" in query:
        return Answer("snapshot", query["symbol"].upper(), limit or 100, "spot")
    if head == "/api/v1/contract/depth":
        return Answer("snapshot", symbol, limit, "contract")
    markets = {"/api/v3/exchangeInfo": "spot", "/api/v1/contract/detail": "contract"}
    return Answer("instruments", market=markets[path]) if path in markets else None
