"""Frames as Binance writes them, for tests that need to choose every number themselves."""

from __future__ import annotations

import json
from decimal import Decimal

REST = {
    "binance_spot": "https://api.binance.com/api/v3/depth?symbol={}&limit={}",
    "binance_usdm": "https://fapi.binance.com/fapi/v1/depth?symbol={}&limit={}",
    "binance_coinm": "https://dapi.binance.com/dapi/v1/depth?symbol={}&limit={}",
}
TIME_MS = 1_700_000_000_120


def pack(message: dict, stream: str = "") -> bytes:
    """A message as the venue sends it: no white space, wrapped if its stream is named."""
    if stream:
        message = {"stream": stream, "data": message}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def rows(levels) -> list[list[str]]:
    """Levels as they are written."""
    return [[format(number, "f") if isinstance(number, Decimal) else str(number) for number in level]
            for level in levels]


def delta(first, last, previous=None, bids=(), asks=(), symbol="BTCUSDT", stream="depth@100ms", **more) -> bytes:
    """Changes of a book; `previous` is left out for spot. stream="" gives the raw form."""
    message = {"e": "depthUpdate", "E": TIME_MS + 3}
    if previous is not None:
        message["T"] = TIME_MS
    message |= {"s": symbol, "U": first, "u": last}
    if previous is not None:
        message["pu"] = previous
    message |= {"b": rows(bids), "a": rows(asks)} | more
    return pack(message, stream and f"{symbol.lower()}@{stream}")


def snapshot(last, bids=(), asks=(), futures=True) -> bytes:
    """The body of a REST answer."""
    message = {"lastUpdateId": last}
    if futures:
        message |= {"E": TIME_MS + 3, "T": TIME_MS}
    return pack(message | {"bids": rows(bids), "asks": rows(asks)})


def rest_url(venue="binance_usdm", symbol="BTCUSDT", limit=1000) -> str:
    """Address of a snapshot."""
    return REST[venue].format(symbol, limit)


def trade(price="100.50", qty="0.250", number=7, maker_bought=True, symbol="BTCUSDT", stream="trade", **more) -> bytes:
    """One trade of a futures market."""
    message = {"e": "trade", "E": TIME_MS + 1, "T": TIME_MS, "s": symbol, "t": number, "p": price, "q": qty,
               "X": "MARKET", "m": maker_bought}
    return pack(message | more, stream and f"{symbol.lower()}@{stream}")


def quote(bid=("100.00", "1.000"), ask=("101.00", "2.000"), number=30, symbol="BTCUSDT", stream="bookTicker",
          **more) -> bytes:
    """Best bid and offer of a futures market."""
    message = {"e": "bookTicker", "u": number, "s": symbol, "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1],
               "T": TIME_MS, "E": TIME_MS + 1}
    return pack(message | more, stream and f"{symbol.lower()}@{stream}")


def mark(price="59022.53514719", symbol="BTCUSDT", stream="markPrice@1s", **more) -> bytes:
    """Mark price, index price and funding."""
    message = {"e": "markPriceUpdate", "E": TIME_MS, "s": symbol, "p": price, "P": "58902.34482833",
               "i": "58936.68384000", "r": "0.00058959", "T": TIME_MS + 9_000_000}
    return pack(message | more, stream and f"{symbol.lower()}@{stream}")


def liquidation(side="SELL", price="9910", qty="0.014", symbol="BTCUSDT", stream="forceOrder") -> bytes:
    """A forced order."""
    order = {"s": symbol, "S": side, "o": "LIMIT", "f": "IOC", "q": qty, "p": price, "ap": "9911.5", "X": "FILLED",
             "l": "0.014", "z": "0.014", "T": TIME_MS}
    return pack({"e": "forceOrder", "E": TIME_MS + 1, "o": order}, stream and f"{symbol.lower()}@{stream}")
