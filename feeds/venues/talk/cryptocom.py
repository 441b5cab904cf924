"""Crypto.com: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from feeds.venue import (
    Control,
    Stream,
    UnsupportedChannel,
    check_known,
    each_once,
    frame_text,
    read_object,
    request_number,
)

CHANNELS = {
    "book": "order book: snapshot and updates of 50 levels, or 10 with depth=10; with depth=150 whole twice a second",
    "quotes": "best bid and offer, from the ticker",
    "trades": "every trade",
    "ticker": "statistics of a day, best bid and offer, open interest",
    "mark": "of derivatives: mark price, funding rate of an hour; the index comes as a symbol of its own, BTCUSD-INDEX",
    "open_interest": "of derivatives: open interest, from the ticker",
}

# Speed of a book of updates -> what it adds to the stream's name here; the venue's own name has no place for it.
SPEEDS = {None: "", "10ms": "", "100ms": "@100ms"}
WHOLE = 150                 # levels of the book that comes whole, every 500 ms
KNOWN = f"10 or 50 with 10ms or 100ms, {WHOLE} with 500ms"


def book_name(symbol: str, depth: int | None, speed: str | None) -> str:
    """Name of a book's stream: "book.BTC_USD.50", "book.BTC_USD.10@100ms". UnsupportedChannel says what there is."""
    if depth == WHOLE and speed in (None, "500ms"):
        return f"book.{symbol}.{WHOLE}"
    check_known("cryptocom", f"book of speed {speed!r} and depth", depth, (None, 10, 50), KNOWN)
    check_known("cryptocom", f"book of depth {depth!r} and speed", speed, SPEEDS, KNOWN)
    return f"book.{symbol}.{depth or 50}{SPEEDS[speed]}"


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; depth and speed concern the book."""
    planned = []
    for symbol in map(str.upper, symbols):
        for channel in channels:
            if channel in ("mark", "open_interest") and "_" in symbol:
                raise UnsupportedChannel(f"cryptocom has {channel} of derivatives only (BTCUSD-PERP), not of {symbol}")
            topics = [(f"ticker.{symbol}", symbol)]
            if channel == "book":
                topics = [(book_name(symbol, depth, speed), symbol)]
            elif channel == "trades":
                topics = [(f"trade.{symbol}", symbol)]
            elif channel == "mark":
                index = f"{symbol.partition('-')[0]}-INDEX"
                topics = [(f"mark.{symbol}", symbol), (f"index.{index}", index)]
                if symbol.endswith("-PERP"):
                    topics.append((f"funding.{symbol}", symbol))
            planned += [Stream(name, "public", of, channel) for name, of in topics]
    return each_once(planned)


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    """One frame for each group of names, which are those with the same parameters of the book."""
    # {"id":1,"method":"subscribe","params":{"channels":["book.BTCUSD-PERP.50","book.ETHUSD-PERP.50"],
    #  "book_subscription_type":"SNAPSHOT_AND_UPDATE","book_update_frequency":10},"nonce":1790114273395}
    # {"id":3,"method":"unsubscribe","params":{"channels":["book.BTCUSD-PERP.50"]},"nonce":1790114273397}
    groups: dict[tuple[tuple[str, Any], ...], list[str]] = {}
    for name in names:
        channel, at, _ = name.partition("@")
        options: tuple[tuple[str, Any], ...] = ()
        if word == "subscribe" and channel.startswith("book."):
            options = (("book_subscription_type", "SNAPSHOT_AND_UPDATE"), ("book_update_frequency", 100 if at else 10))
            if channel.endswith(f".{WHOLE}"):
                options = (("book_subscription_type", "SNAPSHOT"),)
        groups.setdefault(options, []).append(channel)
    nonce = round(time.time() * 1000)           # has to be within 60 s of the venue's clock
    return [frame_text({"id": request_id, "method": word, "params": {"channels": channels, **dict(options)},
                        "nonce": nonce}) for options, channels in groups.items()]


# Code of an error -> what it is. 40003 is an unknown symbol, depth or frequency. From copies of "response and reason
# codes" of exchange-docs.crypto.com/exchange/v1 that other projects keep, read 2026-11-22.
REASONS = {
    40003: "bad_symbol", 40004: "bad_symbol", 40107: "rate_limit", 42901: "rate_limit",
    40101: "authorisation", 40103: "authorisation", 40104: "authorisation",
}


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"id":1790114291578,"method":"public/heartbeat","code":0}                                to be answered within 5 s
    {"id":1,"method":"subscribe","code":0,"channel":"book.BTCUSD-PERP.50"}                   an ack, one a channel
    {"id":1,"code":0,"method":"subscribe"}                                                   the ack of 2022
    {"id":1,"method":"subscribe","code":40003,"message":"Unknown symbol","channel":"book.NOPE.50"}      an error
    """
    text, message = read_object(payload)
    method, code, channel = message.get("method"), message.get("code"), message.get("channel")
    request_id = request_number(message.get("id"))
    if method == "public/heartbeat":
        reply = {"id": message.get("id"), "method": "public/respond-heartbeat"}
        return Control("ping", text=text, reply=frame_text(reply))
    # Whatever speed the book was asked with: the venue's name does not tell.
    names = (channel, f"{channel}@100ms") if isinstance(channel, str) else ()
    if type(code) in (int, str) and code not in (0, "0"):
        return Control("error", request_id, code, str(message.get("message", text)), names, "", REASONS.get(code, ""))
    if method in ("subscribe", "unsubscribe"):
        return Control("ack", request_id, None, text, names)
    return Control("other", request_id, None, text)
