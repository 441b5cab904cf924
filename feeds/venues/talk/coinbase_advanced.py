"""Coinbase Advanced Trade: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.venue import Control, Stream, by_channel, check_known, frame_text, read_object, reason_of
from feeds.venues.lists import coinbase_advanced as lists

CHANNELS = {
    "book": "order book: the whole book, then its changes",
    "quotes": "best bid and offer at each trade (the venue has no stream of every change; use the book for that)",
    "trades": "every trade, gathered over about 250 ms; what was traded before the subscription is left out",
    "ticker": "statistics of the last 24 hours, with each trade",
}

WIRE = {"book": "level2", "quotes": "ticker", "trades": "market_trades", "ticker": "ticker"}


def spelling(symbol: str) -> str:
    """BTC-USD; BTC-USDC is the same book under another name, and its frames say BTC-USD. CELO is CGLD here."""
    base, dash, rest = symbol.upper().partition("-")
    symbol = lists.OWN_CODES.get(base, base) + dash + rest
    return symbol.removesuffix("C") if symbol.endswith("-USDC") else symbol


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`, named "level2:BTC-USD"; the book is whole and has one speed."""
    check_known("coinbase_advanced", "book of depth", depth, (None,), "None for the whole book")
    check_known("coinbase_advanced", "speed", speed, (None,), "None for its only one")
    return [Stream(f"{WIRE[channel]}:{symbol}", "public", symbol, channel)
            for symbol in map(spelling, symbols) for channel in channels]


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    """One frame for each channel of `names`."""
    # {"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"level2"}
    # {"type":"unsubscribe","product_ids":["BTC-USD"],"channel":"level2"}
    return [frame_text({"type": word, "product_ids": listed, "channel": channel})
            for channel, listed in by_channel(names).items()]


# Words of an error -> what it is. The venue has no codes, and the words were not documented in 2026-10.
REASONS = {
    "rate limit": "rate_limit", "too many": "rate_limit", "authentic": "authorisation", "jwt": "authorisation",
    "unauthorized": "authorisation", "product": "bad_symbol",
}


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"channel":"subscriptions","timestamp":"..","sequence_num":1,"events":[{"subscriptions":{"ticker":["BTC-USD"]}}]}
    {"channel":"heartbeats","timestamp":"..","sequence_num":0,"events":[{"current_time":"..","heartbeat_counter":42}]}
    {"type":"error","message":"authentication failure"}

    An ack lists all that is subscribed now, and may come after the first data.
    """
    text, message = read_object(payload)
    if message.get("type") == "error":
        words = str(message.get("message", text))
        return Control("error", text=words, reason=reason_of(words, REASONS))
    if message.get("channel") != "subscriptions":
        return Control("other", text=text)
    try:
        held = tuple(f"{channel}:{product}" for event in message["events"]
                     for channel, products in event["subscriptions"].items() if channel in WIRE.values()
                     for product in products)
    except (AttributeError, KeyError, TypeError):
        return Control("other", text=text)
    return Control("ack" if held else "other", text=text, streams=held)     # the greeting's answer names none
