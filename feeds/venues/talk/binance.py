"""Binance: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from feeds.venue import (
    Answer,
    Control,
    Stream,
    UnsupportedChannel,
    error_code,
    frame_text,
    read_object,
    read_url,
    request_number,
)

# Root "public" serves the book class of streams, root "market" the rest. Only USD-M has been split (2026-03-06, the
# unrouted paths were cut on 2026-04-23: they still connect, and the market class stays silent on them).
# https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams, checked 2026-08-21.
PUBLIC_CHANNELS = ("book", "trades", "quotes")
CHANNELS = {
    "book": "order book: diffs of the whole book, or its first levels whole with depth=5, 10 or 20",
    "trades": "every trade, in real time",
    "agg_trades": "trades, those of one taker order at one price taken together",
    "quotes": "best bid and offer, in real time",
    "ticker": "statistics of the last 24 hours",
}

FUTURES_CHANNELS = {
    **CHANNELS,
    "mark": "mark price, index price and funding rate, once a second",
    "liquidations": "forced orders, at most one a second and symbol",
}

SUFFIX = {"trades": "trade", "agg_trades": "aggTrade", "quotes": "bookTicker", "ticker": "ticker",
          "mark": "markPrice@1s", "liquidations": "forceOrder"}

PARTIAL_DEPTHS = (5, 10, 20)

# Speed -> what it adds to the stream's name; the market's own default has no suffix there. "0ms" (every change at
# once) is not documented, but served for years: https://github.com/nkaz001/hftbacktest records it, checked 2024-08-08.
SPOT_SPEEDS = {"1000ms": "", "100ms": "@100ms"}
FUTURES_PARTIAL_SPEEDS = {"250ms": "", "500ms": "@500ms", "100ms": "@100ms"}
FUTURES_SPEEDS = {**FUTURES_PARTIAL_SPEEDS, "0ms": "@0ms"}


def book_stream(venue: str, delta_speeds: Mapping[str, str], partial_speeds: Mapping[str, str], depth: int | None,
                speed: str | None) -> str:
    """What follows `<symbol>@` for a book: ("depth@100ms").

    Parameters: depth -- None for diffs of the whole book, else levels a side; speed -- None means 100ms.
    Raises: UnsupportedChannel that lists what there is.
    """
    if depth is not None and depth not in PARTIAL_DEPTHS:
        known = ", ".join(map(str, PARTIAL_DEPTHS))
        raise UnsupportedChannel(f"{venue} has no book of depth {depth!r}; it has: {known}, or None for the whole book")
    speeds = delta_speeds if depth is None else partial_speeds
    name = speed or "100ms"
    if name not in speeds:
        kind = "the whole book" if depth is None else f"the book of depth {depth}"
        raise UnsupportedChannel(f"{venue} has no speed {speed!r} for {kind}; it has: {', '.join(speeds)}")
    return f"depth{'' if depth is None else depth}{speeds[name]}"


def make_streams(venue: str, delta_speeds: Mapping[str, str], partial_speeds: Mapping[str, str],
                 split: bool) -> Callable[..., list[Stream]]:
    """The `streams` function of one market."""

    def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
                market: str) -> list[Stream]:
        """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only."""
        book = book_stream(venue, delta_speeds, partial_speeds, depth, speed)
        planned = []
        for symbol in map(str.upper, symbols):
            for channel in channels:
                root = "public" if not split or channel in PUBLIC_CHANNELS else "market"
                suffix = book if channel == "book" else SUFFIX[channel]
                planned.append(Stream(f"{symbol.lower()}@{suffix}", root, symbol, channel,
                                      depth or 0 if channel == "book" else 0))
        return planned

    return streams


def connect_path(names: Sequence[str]) -> str:
    """Combined form: the wrapper names the stream, which partial books need (their messages name no symbol)."""
    return "/stream?streams=" + quote("/".join(names), safe="/@!_") if names else "/stream"


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","btcusdt@bookTicker","btcusdt@trade"],"id":1}
    # {"method":"UNSUBSCRIBE","params":["btcusdt@depth@100ms"],"id":312}
    return [frame_text({"method": word, "params": list(names), "id": request_id})]


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"result":null,"id":1}                                                  an ack
    {"code":2,"msg":"Invalid request: ...","id":1}                          an error
    {"error":{"code":2,"msg":"Invalid request: ..."},"id":1}                an error
    {"e":"serverShutdown","E":1770123456789}                                reconnect at once (since 2026-05)
    {"stream":"!serverShutdown","data":{"e":"serverShutdown","E":...}}      the same on a combined connection
    """
    text, message = read_object(payload)
    request_id = request_number(message.get("id"))
    error = message.get("error") if isinstance(message.get("error"), dict) else message
    if "code" in error:
        return Control("error", request_id, error_code(error["code"]), str(error.get("msg", text)))
    data = message.get("data") if isinstance(message.get("data"), dict) else message
    if message.get("stream") == "!serverShutdown" or data.get("e") == "serverShutdown":
        return Control("shutdown", None, None, text)
    if "result" in message:
        return Control("ack", request_id, None, text)
    return Control("other", request_id, None, text)


def snapshot_address(path: str) -> Callable[[str, int, str], str]:
    """The `snapshot_address` of one market, whose interface is at `path`."""

    def address(symbol: str, limit: int, market: str) -> str:
        return f"{path}?symbol={symbol}&limit={limit}"

    return address


def read_address(default_limit: int) -> Callable[[str], Answer | None]:
    """The `read_address` of one market, which gives so many levels a side when the address names no limit."""

    def read(url: str) -> Answer | None:
        # https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000, .../exchangeInfo
        path, query = read_url(url)
        asked = path.rpartition("/")[2]
        if asked == "exchangeInfo":
            return Answer("instruments")
        if asked != "depth":
            return None
        return Answer("snapshot", query.get("symbol", "").upper(), request_number(query.get("limit")) or default_limit)

    return read


def spot_weight(limit: int) -> int:
    """REST weight of a spot snapshot of `limit` levels a side."""
    if limit <= 100:
        return 5
    if limit <= 500:
        return 25
    return 50 if limit <= 1000 else 250


def futures_weight(limit: int) -> int:
    """REST weight of a futures snapshot of `limit` levels a side."""
    if limit <= 50:
        return 2
    if limit <= 100:
        return 5
    return 10 if limit <= 500 else 20
