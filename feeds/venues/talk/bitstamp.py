"""Bitstamp: its channels and streams by name, requests for them, and what the venue answers."""

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
    read_url,
)
from feeds.venues.lists import bitstamp as lists

PARTIAL_LEVELS = 100      # a side, of order_book_
CHANNELS = {
    "book": "order book: differences of the whole book, or the first 100 levels whole with depth=100",
    "trades": "every trade, in real time",
    "mark": "mark price, index price and funding rate, once a second (perpetuals)",
}

PREFIX = {"book": "diff_order_book_", "trades": "live_trades_", "mark": "funding_rate_"}


def spelling(symbol: str) -> str:
    """btcusd, btcusd-perp; BTC/USD and BTC/USD-PERP are how REST lists name them."""
    return symbol.replace("/", "").lower()


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`, named as the venue's channels: "diff_order_book_btcusd"."""
    check_known("bitstamp", "book of depth", depth, (None, PARTIAL_LEVELS), "100, or None for the whole book")
    check_known("bitstamp", "speed", speed, (None,), "None for its only one")
    planned = []
    for symbol in map(spelling, symbols):
        for channel in channels:
            if channel == "book" and depth:
                planned.append(Stream(f"order_book_{symbol}", "public", symbol, channel, PARTIAL_LEVELS))
            elif channel == "mark" and not symbol.endswith("-perp"):
                raise UnsupportedChannel(f"bitstamp has no mark price for {symbol!r}; perpetuals have, as btcusd-perp")
            else:
                planned.append(Stream(PREFIX[channel] + symbol, "public", symbol, channel))
    return planned


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    """One frame for each channel: the venue closes the connection on one of more than 512 bytes."""
    # {"event":"bts:subscribe","data":{"channel":"diff_order_book_btcusd"}}
    # {"event":"bts:unsubscribe","data":{"channel":"diff_order_book_btcusd"}}
    return [frame_text({"event": f"bts:{word}", "data": {"channel": name}}) for name in names]


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"event":"bts:subscription_succeeded","channel":"diff_order_book_ethusd","data":{}}     also for unknown markets
    {"event":"bts:unsubscription_succeeded","channel":"diff_order_book_ethusd","data":{}}
    {"event":"bts:error","channel":"","data":{"code":null,"message":"Invalid channel provided."}}
    {"event":"bts:heartbeat","channel":"","data":{"status":"success"}}
    {"event":"bts:request_reconnect","channel":"","data":null}
    """
    text, message = read_object(payload)
    event, channel = message.get("event"), message.get("channel")
    about = (channel,) if isinstance(channel, str) and channel else ()
    if event in ("bts:subscription_succeeded", "bts:unsubscription_succeeded"):
        return Control("ack", text=text, streams=about)
    if event == "bts:heartbeat":
        return Control("pong", text=text)
    if event == "bts:request_reconnect":
        return Control("shutdown", text=text)
    if event != "bts:error":
        return Control("other", text=text)
    data = message.get("data") if isinstance(message.get("data"), dict) else {}
    words = str(data.get("message", text))
    return Control("error", code=error_code(data.get("code")), text=words, streams=about,
                   reason="bad_symbol" if words.startswith("Invalid channel") else "")


def snapshot_address(symbol: str, limit: int, market: str) -> str:
    """The whole book, grouped by price."""
    return f"{lists.HOST}/order_book/{symbol}/?group=1"


def read_address(url: str) -> Answer | None:
    """.../order_book/btcusd/?group=1 is the whole book of btcusd; .../markets/, once trading-pairs-info/, the list."""
    path, _, last = read_url(url)[0].rpartition("/")
    if path.endswith("/order_book"):
        return Answer("snapshot", last)
    return Answer("instruments") if last in ("markets", "trading-pairs-info") else None
