"""Gate.io: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from urllib.parse import quote

from feeds.venue import (
    Answer,
    Control,
    Stream,
    UnsupportedChannel,
    check_each,
    error_code,
    frame_text,
    pick_book,
    read_object,
    read_url,
    request_number,
)

MARKETS = ("spot", "futures")
CHANNELS = {
    "book": "order book of 400 levels, changes each 100 ms; depth=50: each 20 ms; depth=100 or 20: order_book_update, "
            "joined to a REST answer, each 100 or 20 ms",
    "trades": "every trade",
    "quotes": "best bid and offer, in real time",
    "ticker": "statistics of the last 24 hours",
    "mark": "futures: mark price, index price and funding rate (of the ticker)",
    "open_interest": "futures: open contracts (of the ticker)",
    "liquidations": "futures: forced orders, those of a second together",
}

SUFFIX = {"trades": "trades", "quotes": "book_ticker", "ticker": "tickers", "mark": "tickers",
          "open_interest": "tickers", "liquidations": "public_liquidates"}

SPOT_CHANNELS = ("book", "trades", "quotes", "ticker")

# (levels, speed) -> what follows the market in a stream's name: on spot, on futures
BOOKS = {
    (400, "100ms"): ("obu:ob.{}.400", "obu:ob.{}.400"),
    (50, "20ms"): ("obu:ob.{}.50", "obu:ob.{}.50"),
    (100, "100ms"): ("order_book_update:{},100ms", "order_book_update:{},100ms,100"),
    (20, "20ms"): ("order_book_update:{},20ms", "order_book_update:{},20ms,20"),
}


def root_of(symbol: str) -> str:
    """Which futures socket serves a contract: the one of the coin it is settled in."""
    parts = symbol.split("_")
    if len(parts) != 2:
        raise UnsupportedChannel(f"gateio has no streams of {symbol!r} here; it has: perpetual contracts (BTC_USDT)")
    return {"USD": "btc", "USD1": "usd1"}.get(parts[1], "usdt")


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only."""
    futures = market == "futures"
    check_each(f"gateio {market}", "channel", channels, tuple(CHANNELS) if futures else SPOT_CHANNELS)
    book = pick_book("gateio", BOOKS, 400 if depth is None else depth, speed)[futures]
    planned = []
    for symbol in map(spelling, symbols):
        root = root_of(symbol) if futures else "spot"
        for channel in channels:
            name = book if channel == "book" else SUFFIX[channel] + ":{}"
            levels = depth or 0 if channel == "book" and name.startswith("order_book_update") else 0
            planned.append(Stream(f"{market}.{name.format(symbol)}", root, symbol, channel, 0, market, levels))
    return planned


def spelling(symbol: str) -> str:
    """BTC_USDT, whatever stands between the coins."""
    return symbol.upper().replace("-", "_").replace("/", "_")


def request(event: str, names: Sequence[str], request_id: int) -> list[str]:
    """One frame for all symbols of a channel; order_book_update takes one symbol a frame.

    The requests carry no number: answers name channel and payload.
    """
    # {"time":1748572393,"channel":"spot.book_ticker","event":"subscribe","payload":["BTC_USDT","ETH_USDT"]}
    # {"time":1748572393,"channel":"futures.obu","event":"unsubscribe","payload":["ob.BTC_USDT.400"]}
    payloads: dict[str, list[str]] = {}
    for name in names:
        channel, _, payload = name.partition(":")
        alone = payload if channel.endswith(".order_book_update") else ""
        payloads.setdefault((channel, alone), []).extend(payload.split(","))
    return [frame_text({"time": int(time.time()), "channel": channel, "event": event, "payload": payload})
            for (channel, _), payload in payloads.items()]


def ping_of(market: str) -> Callable[[], str]:
    """What makes the frame that keeps a connection alive: it carries the time."""
    # {"time":1748572393,"channel":"spot.ping"}
    return lambda: frame_text({"time": int(time.time()), "channel": f"{market}.ping"})


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"time":1748572393,"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.50"],
     "result":{"status":"success"}}                                  an ack; recordings of 2021 and 2023 have no payload
    {"time":1748572393,"channel":"spot.obu","event":"subscribe","error":{"code":2,"message":"Alert sub
     ob.BTC_USDT.50"},"result":{"status":"fail"}}                    an error: 1 format, 2 argument or twice, 3 server
    {"time":1748572393,"channel":"spot.pong","event":"","result":null}
    A frame of futures.system announces maintenance.
    """
    text, message = read_object(payload)
    channel = str(message.get("channel", ""))
    if channel.endswith(".pong"):
        return Control("pong", text=text)
    if channel == "futures.system":
        return Control("shutdown", text=text)
    names = message.get("payload")
    names = [str(name) for name in names] if isinstance(names, list) else []
    named = tuple(f"{channel}:{name}" for name in ([",".join(names)] if channel.endswith("_update") else names) if name)
    error = message.get("error")
    if isinstance(error, dict):
        words = str(error.get("message", text))
        code = error_code(error.get("code"))
        twice = words.startswith("Alert sub")                   # it is subscribed already: nothing is lost
        return Control("error", code=code, text=words,
                       streams=named or tuple(f"{channel}:{word}" for word in words.split() if word.startswith("ob.")),
                       reason="bad_symbol" if code == 2 and not twice else "")
    if message.get("event") in ("subscribe", "unsubscribe"):
        return Control("ack", text=text, streams=named)
    return Control("other", text=text)


def snapshot_address(symbol: str, limit: int, market: str) -> str:
    """Gate answers at most 100 levels a side; `with_id` gives the number that the changes are joined at."""
    if market == "futures":
        settle = root_of(symbol)
        return (f"https://api.gateio.ws/api/v4/futures/{settle}/order_book?contract={quote(symbol)}&limit={limit}"
                "&with_id=true")
    return f"https://api.gateio.ws/api/v4/spot/order_book?currency_pair={quote(symbol)}&limit={limit}&with_id=true"


def read_address(url: str) -> Answer | None:
    """What an answer from this address is."""
    path, query = read_url(url)
    market = "spot" if "/spot/" in path else "futures"
    if path.endswith("/order_book"):
        symbol = query.get("contract") or query.get("currency_pair")
        return Answer("snapshot", symbol, request_number(query.get("limit", 100)) or 0, market) if symbol else None
    return Answer("instruments", market=market) if path.endswith(("/currency_pairs", "/contracts")) else None
