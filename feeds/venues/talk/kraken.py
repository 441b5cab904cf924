"""Kraken: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feeds.venue import Control, Stream, by_channel, check_known, frame_text, read_object, reason_of, request_number
from feeds.venues.lists import kraken as lists

CHANNELS = {
    "book": "order book by deltas, the best 10, 25, 100, 500 or 1000 levels a side (the most if no depth is given)",
    "quotes": "best bid and offer, whenever it changes",
    "trades": "every trade, in real time",
    "ticker": "statistics of the last 24 hours, with every trade",
}

DEPTHS = (10, 25, 100, 500, 1000)


def spelling(symbol: str) -> str:
    """BTC/USD; a name with a capital is taken as it is (AAPLx/USD). v2 writes BTC and DOGE where v1 has XBT and XDG."""
    text = symbol.upper() if symbol == symbol.lower() else symbol
    return "/".join(lists.COMMON.get(part, part) for part in text.split("/"))


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`. A symbol has one depth, and one ticker, on a connection: with quotes the
    ticker comes with every change of the best bid or offer, and serves both channels."""
    check_known("kraken", "book of depth", depth, (None, *DEPTHS), ", ".join(map(str, DEPTHS)))
    check_known("kraken", "speed", speed, (None,), "None, every change at once")
    ticker_name = "ticker-bbo" if "quotes" in channels else "ticker"
    names = {"book": f"book-{depth or max(DEPTHS)}", "trades": "trade", "ticker": ticker_name, "quotes": ticker_name}
    return [Stream(f"{names[channel]}:{symbol}", "public", symbol, channel)
            for symbol in map(spelling, symbols) for channel in channels]


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    """One frame for all symbols of a channel."""
    # {"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","ETH/USD"],"depth":10,"snapshot":true},
    #  "req_id":1}
    # {"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":2}
    frames = []
    for channel, symbols in by_channel(names).items():
        kind, _, detail = channel.partition("-")
        params: dict[str, Any] = {"channel": kind, "symbol": symbols}
        if kind == "book":
            params["depth"] = int(detail)
        if kind == "ticker":
            params["event_trigger"] = detail or "trades"
        if word == "subscribe" and kind != "ticker":
            params["snapshot"] = kind == "book"   # of trades: history
        frames.append(frame_text({"method": word, "params": params, "req_id": request_id}))
    return frames


# Words of an error -> what it is: "Currency pair not supported BTC/FOO", "Exceeded msg rate". There are no codes.
REASONS = {
    "currency pair": "bad_symbol", "rate": "rate_limit", "permission": "authorisation", "session": "authorisation",
    "token": "authorisation", "unavailable": "maintenance", "maintenance": "maintenance",
}


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"method":"subscribe","result":{"channel":"book","depth":10,"symbol":"BTC/USD",...},"success":true,"req_id":1,...}
    {"error":"Currency pair not supported BTC/FOO","method":"subscribe","req_id":1,"success":false,"symbol":"BTC/FOO"}
    {"method":"pong","req_id":101,...}
    {"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",...}]}
    {"channelID":1664,"channelName":"book-1000","event":"subscriptionStatus","pair":"XBT/USD","status":"subscribed",..}
    {"errorMessage":"Subscription name invalid","event":"subscriptionStatus","pair":"XBT/USD","status":"error",...}
    """
    text, message = read_object(payload)
    request_id = request_number(message.get("req_id", message.get("reqid")))
    event = message.get("event")
    if message.get("method") == "pong" or event == "pong":
        return Control("pong", text=text)
    error = message.get("error", message.get("errorMessage"))
    if isinstance(error, str):
        symbol = message.get("symbol", message.get("pair"))
        return Control("error", request_id, None, error, (symbol,) if isinstance(symbol, str) else (),
                       reason=reason_of(error, REASONS))
    if event == "subscriptionStatus":
        return Control("ack", request_id, None, text, (f"{message.get('channelName')}:{message.get('pair')}",))
    if message.get("success") is True and isinstance(message.get("result"), dict):
        return Control("ack", request_id, None, text, acknowledged(message["result"]))
    data = message.get("data")
    state = data[0] if isinstance(data, list) and data else message
    state = state.get("system", state.get("status")) if isinstance(state, dict) else None
    if state == "maintenance":
        return Control("error", None, state, "the venue is in maintenance", reason="maintenance")
    return Control("other", request_id, None, text)


def acknowledged(result: dict[str, Any]) -> tuple[str, ...]:
    """Names of the streams that the `result` of an answer is about."""
    channel, symbol = result.get("channel"), result.get("symbol")
    if channel == "book":
        return (f"book-{result.get('depth', DEPTHS[0])}:{symbol}",)
    if channel == "ticker":
        trigger = result.get("event_trigger")     # an answer without one is about whichever was asked for
        return tuple(f"{name}:{symbol}" for name, of in (("ticker", "trades"), ("ticker-bbo", "bbo"))
                     if trigger in (None, of))
    return (f"{channel}:{symbol}",)
