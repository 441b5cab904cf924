"""Bitget: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.venue import Answer, Control, Stream, check_each, check_known, error_code, frame_text, read_object, read_url

MARKETS = ("spot", "usdt-futures", "coin-futures", "usdc-futures")
CHANNELS = {
    "book": "order book by deltas, or its first levels whole with depth=5 or 15",
    "quotes": "best bid and offer",
    "trades": "every trade",
    "ticker": "statistics of the last 24 hours",
    "mark": "mark price, index price and funding, from the ticker; of futures only",
    "open_interest": "what is open, from the ticker; of futures only",
    "liquidations": "forced orders of all instruments of a market; of futures only",
}

OF_FUTURES = ("mark", "open_interest", "liquidations")
TOPICS = {"quotes": "books1", "trades": "trade"}        # of others than the book and what comes by the ticker

# doesn't exist, request too many, request over limit: from frames that clients quote, read on 2026-11-22
REASONS = {"30001": "bad_symbol", "30006": "rate_limit", "30007": "rate_limit"}


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only."""
    check_each(f"bitget {market}", "channel", channels,
               [name for name in CHANNELS if market != "spot" or name not in OF_FUTURES])
    check_known("bitget", "book of depth", depth, (None, 5, 15), "5, 15, or None for that of deltas")
    check_known("bitget", "speed", speed, (None,), "one for each depth")
    planned = []
    for symbol in map(str.upper, symbols):
        for channel in channels:
            if channel == "liquidations":
                planned.append(Stream(f"{market}:liquidation:", "v3", symbol, channel, market=market))
                continue
            topic = f"books{depth or ''}" if channel == "book" else TOPICS.get(channel, "ticker")
            planned.append(Stream(f"{market.upper()}:{topic}:{symbol}", "v2", symbol, channel,
                                  (depth or 0) if channel == "book" else 0, market))
    return planned


def argument(name: str) -> dict[str, str]:
    """What is asked for: of v2 the market is in upper case, of v3 (only liquidations) in lower case."""
    market, topic, symbol = name.split(":", 2)
    if market.isupper():
        return {"instType": market, "channel": topic, "instId": symbol}
    return {"instType": market, "topic": topic, **({"symbol": symbol} if symbol else {})}


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"op":"subscribe","args":[{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}]}
    # {"op":"unsubscribe","args":[{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}]}
    return [frame_text({"op": word, "args": [argument(name) for name in names]})]


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"event":"subscribe","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}}         an ack, one per arg
    {"event":"error","arg":{...},"code":30001,"msg":"instType:SPOT,... doesn't exist","op":"subscribe"}     an error
    {"event":"error","code":30007,"msg":"request over limit,connection close"}                   an error
    pong                                                                                         the answer to ping
    """
    text, message = read_object(payload)
    if text.strip() == "pong":
        return Control("pong")
    arg = message.get("arg")
    names: tuple[str, ...] = ()
    if isinstance(arg, dict):
        topic, symbol = arg.get("channel", arg.get("topic", "")), arg.get("instId", arg.get("symbol", ""))
        names = (f"{arg.get('instType', '')}:{topic}:{symbol}",)
    if message.get("event") in ("subscribe", "unsubscribe"):
        return Control("ack", text=text, streams=names)
    if message.get("event") == "error":
        code = error_code(message.get("code"))
        return Control("error", None, code, str(message.get("msg", text)), names, reason=REASONS.get(str(code), ""))
    return Control("other", text=text)


def read_address(url: str) -> Answer | None:
    """What a REST answer from `url` is; None if it is of no use."""
    path, query = read_url(url)
    product = query.get("productType", "").lower()
    if path in ("/api/v2/spot/public/symbols", "/api/spot/v1/public/products"):
        return Answer("instruments", market="spot")
    if path in ("/api/v2/mix/market/contracts", "/api/mix/v1/market/contracts"):
        old = {"umcbl": "usdt-futures", "dmcbl": "coin-futures", "cmcbl": "usdc-futures"}
        return Answer("instruments", market=old.get(product, product))
    return None
