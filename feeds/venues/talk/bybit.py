"""Bybit: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from feeds.venue import (
    Answer,
    Control,
    Stream,
    check_each,
    frame_text,
    pick_book,
    read_object,
    read_url,
    request_number,
)

MARKETS = ("spot", "linear", "inverse", "option")
CHANNELS = {
    "book": "order book by deltas: 50, 200 or 1000 levels, of options 25 or 100",
    "quotes": "best bid and offer",
    "trades": "every trade",
    "ticker": "statistics of the last 24 hours; of options also greeks and volatilities",
    "mark": "mark price, index price and funding, from the ticker; not of spot",
    "open_interest": "what is open, from the ticker; not of spot",
    "liquidations": "forced orders; of linear and inverse contracts only",
}

LACKS = {"spot": ("mark", "open_interest", "liquidations"), "option": ("liquidations",)}

# Levels -> how often they come; https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook, 2026-07-24.
BOOKS = {(levels, pace): f"orderbook.{levels}" for levels, pace in ((1000, "200ms"), (200, "100ms"), (50, "20ms"))}
OPTION_BOOKS = {(100, "100ms"): "orderbook.100", (25, "20ms"): "orderbook.25"}

# "error:handler not found,topic:orderbook.500.BTCUSDT" and "Invalid topic: invalid.topic.BTCUSDT"
REFUSED = re.compile(r"topic: ?([\w.-]+)")


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only, each depth has one speed."""
    check_each(f"bybit {market}", "channel", channels,
               [name for name in CHANNELS if name not in LACKS.get(market, ())])
    book = pick_book(f"bybit {market}", OPTION_BOOKS if market == "option" else BOOKS, depth, speed)
    topic = {"book": book, "quotes": "tickers" if market == "option" else "orderbook.1",
             "trades": "publicTrade", "liquidations": "allLiquidation"}
    planned = []
    for symbol in map(str.upper, symbols):
        for channel in channels:
            # Trades of options come by base coin: publicTrade.BTC
            key = symbol.partition("-")[0] if (market, channel) == ("option", "trades") else symbol
            planned.append(Stream(f"{topic.get(channel, 'tickers')}.{key}", market, symbol, channel, market=market))
    return planned


def market_of(url: str) -> str:
    """Market of an address: v5 names it; v2 had one for inverse contracts and one for linear ones."""
    path = urlsplit(url).path
    name = path.rpartition("/")[2]
    if name in MARKETS:
        return name
    if "option" in path:
        return "option"
    if "spot" in path:
        return "spot"
    return "inverse" if name == "realtime" else "linear"


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"req_id":"10001","op":"subscribe","args":["orderbook.50.BTCUSDT","publicTrade.BTCUSDT","tickers.BTCUSDT"]}
    # {"req_id":"x","op":"unsubscribe","args":["publicTrade.BTCUSDT"]}
    return [frame_text({"req_id": str(request_id), "op": word, "args": list(names)})]


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"success":true,"ret_msg":"subscribe","conn_id":"2324d924-...","req_id":"10001","op":"subscribe"}       an ack
    {"success":true,"conn_id":"aa0","data":{"failTopics":[],"successTopics":["..."]},"type":"COMMAND_RESP"}  options'
    {"success":true,"ret_msg":"","conn_id":"f428...","request":{"op":"subscribe","args":["trade.BTCUSD"]}}   v2's
    {"success":false,"ret_msg":"error:handler not found,topic:tickers.NOPE","conn_id":"..","op":"subscribe"} an error
    {"success":true,"ret_msg":"pong","conn_id":"..","op":"ping"} and {"args":["1672916271846"],"op":"pong"}  pongs

    An error rejects the whole request, and names one topic (https://github.com/ccxt/ccxt/issues/30284, 2026-09-05).
    """
    text, message = read_object(payload)
    request_id, words = request_number(message.get("req_id")), str(message.get("ret_msg", ""))
    if message.get("op") == "pong" or words == "pong":
        return Control("pong", request_id)
    topics = message.get("data") if message.get("type") == "COMMAND_RESP" else message.get("request")
    topics = topics if isinstance(topics, dict) else {}
    failed = topics.get("failTopics")
    if message.get("success") is False or failed:
        found = tuple(map(str, failed)) if isinstance(failed, list) else tuple(REFUSED.findall(words))
        reason = "bad_symbol" if found and "already" not in words else ""
        return Control("error", request_id, None, words or text, found, reason=reason)
    if message.get("success") is True:
        accepted = topics.get("successTopics", topics.get("args"))
        return Control("ack", request_id, None, text, tuple(map(str, accepted)) if isinstance(accepted, list) else ())
    return Control("other", request_id, None, text)


def read_address(url: str) -> Answer | None:
    """What a REST answer from `url` is; None if it is of no use."""
    path, query = read_url(url)
    if path == "/v2/public/symbols":              # linear and inverse in one, until 2023
        return Answer("instruments")
    return Answer("instruments", market=query.get("category", "")) if path == "/v5/market/instruments-info" else None
