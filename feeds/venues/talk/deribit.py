"""Deribit: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from feeds.venue import Control, Stream, check_known, each_once, error_code, frame_text, read_object, request_number

CHANNELS = {
    "book": "order book: changes of the whole book, or its first levels whole with depth=1, 10 or 20",
    "quotes": "best bid and offer, on every change",
    "trades": "every trade; those of one interval come together",
    "ticker": "statistics of a day, best bid and offer; greeks, volatilities and underlying price of options",
    "mark": "mark price, index price and current funding, from the ticker",
    "open_interest": "open interest, from the ticker",
    "liquidations": "forced orders, told by a mark on the trades",
}

# Channel -> the beginning of its stream's name; the speed ends it, but for quotes, which come on every change.
TOPICS = {
    "book": "book", "quotes": "quote", "trades": "trades", "ticker": "ticker", "mark": "ticker",
    "open_interest": "ticker", "liquidations": "trades",
}

DEPTHS = (None, 1, 10, 20)

# "raw", every change at once, is for those who are logged in: to others the venue answers with error 13778.
SPEEDS = ("100ms", "agg2", "raw")


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; depth is the book's, speed ("100ms"; "agg2": about 1 s) of all but quotes."""
    speed = speed or "100ms"
    check_known("deribit", "book of depth", depth, DEPTHS, "1, 10, 20, or None for the whole book")
    known = SPEEDS if depth is None else SPEEDS[:2]
    check_known("deribit", "speed", speed, known, "100ms, agg2, and raw for the whole book")
    ends = {"book": f".none.{depth}.{speed}" if depth else f".{speed}", "quotes": ""}
    return each_once(Stream(f"{TOPICS[channel]}.{symbol}{ends.get(channel, '.' + speed)}", "public", symbol, channel,
                            depth or 0 if channel == "book" else 0)
                     for symbol in map(spelling, symbols) for channel in channels)


def spelling(symbol: str) -> str:
    """Upper case, but for the d that is the decimal point of a strike: XRP_USDC-30JUN25-0d625-C."""
    return re.sub(r"(?<=\d)D(?=\d)", "d", symbol.upper())


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":["book.BTC-PERPETUAL.100ms"]}}
    # {"jsonrpc":"2.0","id":2,"method":"public/unsubscribe","params":{"channels":["book.BTC-PERPETUAL.100ms"]}}
    return [frame_text({"jsonrpc": "2.0", "id": request_id, "method": f"public/{word}",
                        "params": {"channels": list(names)}})]


TEST = '{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}'

# Error code -> what it is, from copies of docs.deribit.com/#rpc-error-codes that other projects keep, read 2026-11-22.
# The page https://docs.deribit.com/articles/errors begins with another, shorter list, which disagrees in parts.
REASONS = {
    10028: "rate_limit", 10047: "rate_limit", 10066: "rate_limit", 11051: "maintenance", 13028: "maintenance",
    10000: "authorisation", 13004: "authorisation", 13009: "authorisation", 13021: "authorisation",
    13778: "authorisation", 10020: "bad_symbol", 13020: "bad_symbol", -32602: "bad_symbol",
}


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"jsonrpc":"2.0","id":1,"result":["book.BTC-PERPETUAL.100ms"],"usIn":...}       an ack of those channels: unknown
                                                                                    ones are left out without a word
    {"jsonrpc":"2.0","id":1,"error":{"code":10028,"message":"too_many_requests"}}   an error
    {"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}         to be answered at once
    {"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}            a sign of life, as answers to TEST
    """
    text, message = read_object(payload)
    number = request_number(message.get("id"))
    request_id = number or None
    params = message.get("params") if isinstance(message.get("params"), dict) else {}
    if message.get("method") == "heartbeat":
        if params.get("type") == "test_request":
            return Control("ping", text=text, reply=TEST)
        return Control("pong", text=text)
    if params.get("channel") == "platform_state":
        # {"maintenance":true}: the connection is going to be closed. {"price_index":"btc_usd","locked":true}: one index
        closing = isinstance(params.get("data"), dict) and params["data"].get("maintenance") is True
        return Control("error", text=text, reason="maintenance") if closing else Control("other", text=text)
    error = message.get("error")
    if isinstance(error, dict):
        code = error_code(error.get("code"))
        return Control("error", request_id, code, str(error.get("message", text)), reason=REASONS.get(code, ""))
    result = message.get("result")
    if isinstance(result, list) and all(isinstance(name, str) for name in result):
        if not result:
            return Control("error", request_id, None, "none of these channels is known", reason="bad_symbol")
        return Control("ack", number, None, text, tuple(result))
    if isinstance(result, dict) and "version" in result:
        return Control("pong", text=text)
    return Control("other", request_id, None, text)
