"""Gemini: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.venue import (
    Answer,
    Control,
    Stream,
    UnsupportedChannel,
    check_known,
    error_code,
    frame_text,
    read_object,
    request_number,
)

PARTIAL_LEVELS = 20       # depth of the Book that partial books fill: 5, 10 and 20 levels look the same
CHANNELS = {
    "book": "order book: the whole book and its changes, or the first levels whole with depth=5, 10 or 20",
    "quotes": "best bid and offer, in real time",
    "trades": "every trade, in real time",
    "mark": "mark price (perpetuals; undocumented, every 1 to 5 s while it changes)",
}

DEPTHS = (None, 5, 10, 20)
SPEEDS = {None: "@100ms", "100ms": "@100ms", "1000ms": ""}
SUFFIX = {"quotes": "bookTicker", "trades": "trade", "mark": "markPrice"}


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`, named "btcusd@depth@100ms"; depth and speed concern the book only.

    Partial books do not say how many levels they were asked for with: all of them fill one Book, of depth 20. Two
    speeds of one book cannot be told apart either; a connection should have one of them.
    """
    check_known("gemini", "book of depth", depth, DEPTHS, "5, 10, 20, or None for all of it")
    check_known("gemini", "speed", speed, SPEEDS, "100ms, 1000ms")
    planned = []
    for symbol in map(str.lower, symbols):
        for channel in channels:
            if channel == "book":
                name = f"{symbol}@depth{depth or ''}{SPEEDS[speed]}"
                planned.append(Stream(name, "public", symbol, channel, PARTIAL_LEVELS if depth else 0))
            elif channel == "mark" and not symbol.endswith("perp"):
                raise UnsupportedChannel(f"gemini has no mark price for {symbol!r}; perpetuals have, as btcgusdperp")
            else:
                planned.append(Stream(f"{symbol}@{SUFFIX[channel]}", "public", symbol, channel))
    return planned


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"id":1,"method":"subscribe","params":["btcusd@depth@100ms","btcusd@bookTicker","btcusd@trade"]}
    # {"id":2,"method":"unsubscribe","params":["btcusd@depth@100ms"]}
    return [frame_text({"id": request_id, "method": word, "params": list(names)})]


REASONS = {-1013: "bad_symbol", -1003: "rate_limit"}
BAD_NAME = "Invalid stream name: "


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"id":1,"status":200}                                                       an ack, behind the data it brought
    {"id":4,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: nosuchperp@depth@100ms"}}
    {"type":"heartbeat","timestamp":1624493666869}                              v2
    {"reason":"NoValidTradingPairs","result":"error"}                           v2

    One bad name refuses its whole request; the message tells which.
    """
    text, message = read_object(payload)
    request_id = request_number(message.get("id"))
    error = message.get("error")
    if isinstance(error, dict):
        code = error_code(error.get("code"))
        words = str(error.get("msg", text))
        about = (words.removeprefix(BAD_NAME),) if words.startswith(BAD_NAME) else ()
        return Control("error", request_id, code, words, about, reason=REASONS.get(code, ""))
    if message.get("result") == "error":
        words = str(message.get("reason", text))
        return Control("error", text=words, reason="bad_symbol" if "TradingPair" in words else "")
    if message.get("status") == 200:
        return Control("ack", request_id, text=text)
    return Control("error" if "status" in message else "other", request_id, text=text)


def read_address(url: str) -> Answer | None:
    """GET /v1/symbols are the names, GET /v1/symbols/details/btcusd is one instrument.

    The book by REST has no number and cannot be joined.
    """
    path = url.split("?")[0]
    return Answer("instruments") if "/v1/symbols/details/" in path or path.endswith("/v1/symbols") else None
