"""dYdX: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from feeds.venue import Control, Stream, check_known, frame_text, read_object

CHANNELS = {
    "book": 'order book: changes of the whole book; speed="batched" has those of a moment in one frame',
    "trades": "every trade, in real time",
    "liquidations": "trades of forced orders, from the stream of all trades",
    "ticker": "statistics of the last 24 hours, as they change",
    "mark": "oracle price (which is index and mark price) and the funding rate of the next hour",
    "open_interest": "open interest in base units, as it changes",
}


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`, named "v4_orderbook:BTC-USD", and "v4_markets", which is of all symbols."""
    check_known("dydx", "book of depth", depth, (None,), "None, for the whole book")
    check_known("dydx", "speed", speed, (None, "batched"), "None for every change at once, or 'batched'")
    names = {"book": f"v4_orderbook:{{}}{':batched' if speed else ''}", "trades": "v4_trades:{}",
             "liquidations": "v4_trades:{}"}
    return [Stream(names.get(channel, "v4_markets").format(symbol), "public", symbol, channel)
            for symbol in map(str.upper, symbols) for channel in channels]


def names_of(channel: str, symbol: str) -> tuple[str, ...]:
    """Names of the streams that an answer can be about: it does not say whether it is batched."""
    if not symbol or channel == "v4_markets":
        return (channel,)
    return (f"{channel}:{symbol}", f"{channel}:{symbol}:batched")


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"type":"subscribe","channel":"v4_orderbook","id":"BTC-USD","batched":false}
    # {"type":"unsubscribe","channel":"v4_orderbook","id":"BTC-USD"}
    frames = []
    for name in names:
        channel, symbol, batched = (*name.split(":"), "", "")[:3]
        frames.append(frame_text({"type": word, "channel": channel, **({"id": symbol} if symbol else {}),
                                  **({"batched": bool(batched)} if word == "subscribe" else {})}))
    return frames


# Texts of errors (indexer source, socks/src/lib/subscription.ts; there is no code) -> what they mean.
ERROR_TEXTS = (
    ("Invalid subscription id", "bad_symbol"),
    ("Invalid channel", "bad_symbol"),
    ("Too many subscribe attempts", "rate_limit"),        # the connection is closed after it
    ("Internal error", "maintenance"),
)

ABOUT = re.compile(r"\b(v4_[a-z_]+)-([^\s()]+?)[.)]*(?:\s|$)")


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"type":"connected","connection_id":"e2a6c717-…","message_id":0}                                    nothing to do
    {"type":"subscribed","connection_id":"…","message_id":2,"channel":"v4_trades","id":"BTC-USD","contents":…}    an ack
    {"type":"unsubscribed","connection_id":"…","message_id":77,"channel":"v4_orderbook","id":"BTC-USD"}           an ack
    {"type":"pong","connection_id":"…","message_id":5,"id":"1"}
    {"type":"error","message":"Invalid subscription id for channel: (v4_orderbook-NOPE-USD)","connection_id":"…",
     "message_id":1}
    """
    text, message = read_object(payload)
    kind = message.get("type")
    if kind in ("subscribed", "unsubscribed"):
        return Control("ack", streams=names_of(str(message.get("channel", "")), str(message.get("id", ""))))
    if kind == "pong":
        return Control("pong")
    if kind == "error":
        words = str(message.get("message", text))
        about = ABOUT.search(words)
        reason = next((reason for begin, reason in ERROR_TEXTS if words.startswith(begin)), "")
        return Control("error", text=words, streams=names_of(*about.groups()) if about else (), reason=reason)
    return Control("other", text=text)
