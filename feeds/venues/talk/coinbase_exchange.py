"""Coinbase Exchange: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from feeds.venue import Control, Stream, UnsupportedChannel, by_channel, check_known, frame_text, read_object
from feeds.venues.lists import coinbase_exchange as lists

CHANNELS = {
    "book": "order book: the whole book, then its changes every 50 ms",
    "quotes": "best bid and offer at each trade (the venue has no stream of every change; use the book for that)",
    "trades": "every trade, in real time",
    "ticker": "statistics of the last 24 hours, with each trade",
}

WIRE = {"book": "level2_batch", "quotes": "ticker", "trades": "matches", "ticker": "ticker"}

# What an ack calls a channel -> what it was asked for as. Seen in clients' tests of 2026; level2 was public until 2023.
ANSWERED = {"level2_50": "level2_batch", "level2": "level2_batch"}


def spelling(symbol: str) -> str:
    """BTC-USD, in messages and in requests; CELO is CGLD here."""
    base, dash, quote = symbol.upper().partition("-")
    return lists.OWN_CODES.get(base, base) + dash + quote


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`, named "level2_batch:BTC-USD"; the book is whole and has one speed."""
    check_known("coinbase_exchange", "book of depth", depth, (None,), "None for the whole book")
    if speed not in (None, "50ms"):
        raise UnsupportedChannel(f"coinbase_exchange has no speed {speed!r} without a login; it has: 50ms")
    return [Stream(f"{WIRE[channel]}:{symbol}", "public", symbol, channel)
            for symbol in map(spelling, symbols) for channel in channels]


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    """One frame for all of `names`: the first channel's products stand outside, other lists beside their channel."""
    # {"type":"subscribe","product_ids":["BTC-USD"],
    #  "channels":["level2_batch","matches","heartbeat",{"name":"ticker","product_ids":["ETH-USD"]}]}
    products = by_channel(names)
    shared = next(iter(products.values()))
    channels = [channel if listed == shared else {"name": channel, "product_ids": listed}
                for channel, listed in products.items()]
    return [frame_text({"type": word, "product_ids": shared, "channels": channels})]


def read_error(message: dict[str, Any], text: str) -> Control:
    """{"type":"error","message":"Failed to subscribe","reason":"FOO-USD is not a valid product"}: there are no codes.

    The venue then leaves out the whole request, not only the product that is named.
    """
    words = ": ".join(str(message[key]) for key in ("message", "reason") if message.get(key)) or text
    lower = words.lower()
    if "rate limit" in lower or "too many" in lower:
        return Control("error", text=words, reason="rate_limit")
    if "authenticat" in lower or "unauthorized" in lower:
        return Control("error", text=words, reason="authorisation")
    if "product" not in lower and "delisted" not in lower:
        return Control("error", text=words)
    named = re.search(r"\b[0-9A-Z]+-[0-9A-Z]+\b", words)
    about = tuple(dict.fromkeys(f"{channel}:{named[0]}" for channel in WIRE.values())) if named else ()
    return Control("error", text=words, reason="bad_symbol", streams=about)


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["BTC-USD"]}]}           all there is now
    {"type":"error","message":"Failed to subscribe","reason":"..."}
    {"type":"heartbeat","last_trade_id":1,"product_id":"BTC-USD","sequence":2,"time":"..."}
    """
    text, message = read_object(payload)
    if message.get("type") == "error":
        return read_error(message, text)
    if message.get("type") != "subscriptions":
        return Control("other", text=text)
    try:
        held = tuple(f"{ANSWERED.get(entry['name'], entry['name'])}:{product}" for entry in message["channels"]
                     for product in entry.get("product_ids") or ())
    except (AttributeError, KeyError, TypeError):
        return Control("other", text=text)
    return Control("ack", text=text, streams=held)
