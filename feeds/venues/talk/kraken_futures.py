"""Kraken Futures: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.venue import Control, Stream, by_channel, check_known, frame_text, read_object


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    """One frame for all products of a feed."""
    # {"event":"subscribe","feed":"book","product_ids":["PI_XBTUSD","PF_ETHUSD"]}
    # {"event":"unsubscribe","feed":"book","product_ids":["PI_XBTUSD"]}
    return [frame_text({"event": word, "feed": feed, "product_ids": symbols})
            for feed, symbols in by_channel(names).items()]


CHANNELS = {
    "book": "order book: the whole of it by deltas, every change",
    "trades": "every trade, in real time",
    "ticker": "statistics of the last 24 hours with the best bid and offer, at most once a second",
    "mark": "mark price, index price and relative funding rate, from the ticker",
    "open_interest": "open interest, from the ticker",
    "liquidations": "forced orders, from the trades",
}

FEEDS = {"book": "book", "trades": "trade", "liquidations": "trade", "ticker": "ticker", "mark": "ticker",
         "open_interest": "ticker"}


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; channels that come in one feed share its stream."""
    check_known("kraken_futures", "book of depth", depth, (None,), "None for the whole book")
    check_known("kraken_futures", "speed", speed, (None,), "None, every change at once")
    return [Stream(f"{FEEDS[channel]}:{symbol}", "public", symbol, channel)
            for symbol in map(str.upper, symbols) for channel in channels]


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"event":"info","version":1}
    {"event":"subscribed","feed":"book","product_ids":["FI_ETHUSD_211231"]}      one for each product
    {"event":"error","message":"Invalid product id"}                             names no request
    {"event":"alert","message":"..."}
    """
    text, message = read_object(payload)
    event = message.get("event")
    if event in ("error", "alert"):
        words = str(message.get("message", text))
        known = words.lower()
        reason = ("bad_symbol" if "product" in known else "rate_limit" if "limit" in known
                  else "authorisation" if "auth" in known or "key" in known else "")
        return Control("error", None, None, words, reason=reason)
    products = message.get("product_ids")
    if event in ("subscribed", "unsubscribed") and isinstance(products, list):
        return Control("ack", None, None, text, tuple(f"{message.get('feed')}:{product}" for product in products))
    return Control("other", None, None, text)
