"""Hyperliquid: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feeds.venue import Answer, Control, Stream, check_known, each_once, frame_text, read_object
from feeds.venues.lists import hyperliquid as lists

CHANNELS = {
    "book": "order book, whole in every frame: 5 levels about twice a second, or with depth=20 about every 5 s",
    "quotes": "best bid and offer, with every block that changes them",
    "trades": "every trade; the first frame repeats those of the last seconds",
    "ticker": "context of the asset: mark and oracle price, volume of a day, price a day ago; once a second",
    "mark": "mark price, oracle price and the funding rate of an hour, from the context",
    "open_interest": "open interest, from the context",
}

# Channel -> type of its subscription.
TYPES = {
    "quotes": "bbo", "trades": "trades", "ticker": "activeAssetCtx", "mark": "activeAssetCtx",
    "open_interest": "activeAssetCtx",
}


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; the book has 5 levels a side, or with depth=20 that many, but seldom."""
    check_known("hyperliquid", "book of depth", depth, (None, 5, 20), "5 (the default) and 20")
    check_known("hyperliquid", "speed", speed, (None,), "None: the depth of the book decides it")
    types = {**TYPES, "book": "l2Book" if depth == 20 else "l2Book.fast"}
    return each_once(Stream(f"{types[channel]}:{symbol}", "public", symbol, channel)
                     for symbol in map(spelling, symbols) for channel in channels)


def spelling(symbol: str) -> str:
    """Case matters (kPEPE, xyz:SP500); a name all in lower case, which no coin has, is meant in upper case."""
    if symbol != symbol.lower():
        return symbol
    dex, colon, coin = symbol.rpartition(":")
    return dex + colon + coin.upper()


def subscription(name: str) -> dict[str, Any]:
    """The object that stands for a stream in requests and answers: {"type":"l2Book","coin":"BTC","fast":true}."""
    kind, _, coin = name.partition(":")
    if kind == "l2Book.fast":
        return {"type": "l2Book", "coin": coin, "fast": True}
    return {"type": kind, "coin": coin}


def stream_name(asked: Any) -> str | None:
    """Name of the stream that an answer's subscription object stands for, None if it is none of ours."""
    if not isinstance(asked, dict) or not isinstance(asked.get("type"), str) or not isinstance(asked.get("coin"), str):
        return None
    return f"{asked['type']}{'.fast' if asked.get('fast') is True else ''}:{asked['coin']}"


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","fast":true}}: one a frame, without a number
    # {"method":"unsubscribe","subscription":{"type":"l2Book","coin":"BTC"}}: the same object as when subscribing
    return [frame_text({"method": word, "subscription": subscription(name)}) for name in names]


def read_control(payload: bytes) -> Control:
    r"""Classify a frame that is not market data; never raises.

    {"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}}  an ack
    {"channel":"pong"}                                                          the answer to our ping
    {"channel":"error","data":"Already subscribed: {\"type\":\"l2Book\",...}"}  as good as an ack
    {"channel":"error","data":"Error parsing JSON into valid websocket request: {...}"}                         an error
    Websocket connection established.                                           may come first

    An unknown coin is not answered: the venue closes the connection.
    """
    text, message = read_object(payload)
    channel, data = message.get("channel"), message.get("data")
    if channel == "pong":
        return Control("pong", text=text)
    if channel == "subscriptionResponse" and isinstance(data, dict):
        name = stream_name(data.get("subscription"))
        return Control("ack", text=text, streams=(name,) if name else ())
    if channel != "error":
        return Control("other", text=text)
    words, _, rest = str(data).partition(": ")
    asked = read_object(rest.encode("utf-8", "replace"))[1]
    name = stream_name(asked.get("subscription", asked))
    return Control("ack" if name and words == "Already subscribed" else "error", None, None, str(data),
                   (name,) if name else ())


def read_address(url: str) -> Answer | None:
    """Everything by REST is one address; what is posted to it, and stands here as a fragment, makes the difference."""
    posted = url.partition("#")[2]
    return Answer("instruments") if any(address.endswith("#" + posted) for address in lists.ADDRESSES[""]) else None
