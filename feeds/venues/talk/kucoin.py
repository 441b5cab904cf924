"""KuCoin: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from feeds.venue import (
    Answer,
    Control,
    Stream,
    by_channel,
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
    "book": "order book: the best 500 levels, changes each 10 ms; speed=realtime: every change, joined to a REST "
            "answer; depth=5 or 50: whole, each 100 ms",
    "trades": "every trade",
    "quotes": "best bid and offer, in real time",
    "ticker": "statistics of the last 24 hours",
    "mark": "futures: mark price, index price and funding rate, once a second",
}

# market -> channel -> topic
TOPICS = {
    "spot": {"trades": "/market/match", "quotes": "/spotMarket/level1", "ticker": "/market/snapshot"},
    "futures": {"trades": "/contractMarket/execution", "quotes": "/contractMarket/tickerV2",
                "ticker": "/contractMarket/snapshot", "mark": "/contract/instrument"},
}

# (levels, speed) -> stream on spot, on futures, depth of the book it fills
BOOKS = {
    (500, "10ms"): ("obu:SPOT:{}:increment@10ms", "obu:FUTURES:{}:increment@10ms", 0),
    (500, "realtime"): ("/market/level2:{}", "/contractMarket/level2:{}", 0),
    (5, "100ms"): ("/spotMarket/level2Depth5:{}", "/contractMarket/level2Depth5:{}", 5),
    (50, "100ms"): ("/spotMarket/level2Depth50:{}", "/contractMarket/level2Depth50:{}", 50),
}


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only."""
    check_each(f"kucoin {market}", "channel", channels, ("book", *TOPICS[market]))
    *books, levels = pick_book("kucoin", BOOKS, 500 if depth is None else depth, speed)
    names = {"book": books[MARKETS.index(market)], **{key: topic + ":{}" for key, topic in TOPICS[market].items()}}
    return [Stream(names[channel].format(symbol), f"classic_{market}" if names[channel].startswith("/") else market,
                   symbol, channel, levels if channel == "book" else 0, market)
            for symbol in map(spelling, symbols) for channel in channels]


def spelling(symbol: str) -> str:
    """BTC-USDT on spot, whatever stands between the coins; XBTUSDTM on futures."""
    return symbol.upper().replace("/", "-").replace("_", "-")


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    """A classic frame takes all symbols of a topic, a unified one a single symbol."""
    # {"id":1,"type":"subscribe","topic":"/market/level2:BTC-USDT,ETH-USDT","privateChannel":false,"response":true}
    # {"id":"1","action":"SUBSCRIBE","channel":"obu","tradeType":"SPOT","symbol":"BTC-USDT","depth":"increment@10ms",
    #  "rpiFilter":0}
    frames = []
    for name in names:
        if not name.startswith("/"):
            channel, trade_type, symbol, depth = name.split(":")
            frames.append({"id": str(request_id), "action": word.upper(), "channel": channel, "tradeType": trade_type,
                           "symbol": symbol, "depth": depth, **({"rpiFilter": 0} if word == "subscribe" else {})})
    topics = by_channel(name for name in names if name.startswith("/"))
    frames += [{"id": request_id, "type": word, "topic": f"{topic}:{','.join(symbols)}",
                "privateChannel": False, "response": True} for topic, symbols in topics.items()]
    return [frame_text(frame) for frame in frames]


REASONS = {404: "bad_symbol", 401: "authorisation", 429: "rate_limit"}


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"id":"1","type":"ack"}   {"id":"9","type":"error","code":404,"data":"topic does not exist"}   classic
    {"id":"1","result":true}  {"id":"18","result":false,"message":"invalid request data"}          unified
    {"id":"NSkIrWGB1s","type":"welcome"}   {"sessionId":"...","message":"welcome","pingInterval":18000}
    {"type":"pong","id":"p32","ts":1790114459840641662}
    """
    text, message = read_object(payload)
    request_id = request_number(message.get("id"))
    kind = message.get("type")
    if kind == "pong" or str(message.get("id")).startswith("p"):
        # ids of pings begin so, and unified answers name nothing else
        return Control("pong", text=text)
    if kind == "ack" or message.get("result") is True:
        return Control("ack", request_id, text=text)
    if kind == "error":
        code = error_code(message.get("code"))
        return Control("error", request_id, code, str(message.get("data", text)), reason=REASONS.get(code, ""))
    if message.get("result") is False:
        # The one text that is known says that the request was not understood: what varies in ours is the symbol.
        return Control("error", request_id, None, str(message.get("message", text)), reason="bad_symbol")
    return Control("other", text=text)


def read_bullet(answer: bytes, connect_id: str) -> str:
    """The address to connect to, from the answer of bullet-public. A token serves one connection; ask for each anew."""
    # {"code":"200000","data":{"token":"2neAi...","instanceServers":[{"endpoint":"wss://ws-api-spot.kucoin.com/",
    #  "encrypt":true,"protocol":"websocket","pingInterval":18000,"pingTimeout":10000}]}}
    try:
        data = json.loads(answer)["data"]
        server, *_ = data["instanceServers"]
        return f"{server['endpoint']}?token={quote(data['token'], safe='')}&connectId={connect_id}"
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"an answer of bullet-public with token and endpoint (missing: {error})") from error


def snapshot_address(symbol: str, limit: int, market: str) -> str:
    """Spot: at most 100 levels a side without a key. Futures: the whole book."""
    if market == "futures":
        return f"https://api-futures.kucoin.com/api/v1/level2/snapshot?symbol={quote(symbol)}"
    levels = 20 if limit and limit <= 20 else 100
    return f"https://api.kucoin.com/api/v1/market/orderbook/level2_{levels}?symbol={quote(symbol)}"


# last part of a path -> levels a side of its answer, 0 all
BOOK_PATHS = {"level2": 0, "level2_20": 20, "level2_100": 100, "snapshot": 0, "depth20": 20, "depth100": 100}


def read_address(url: str) -> Answer | None:
    """What an answer from this address is."""
    path, query = read_url(url)
    above, _, last = path.rpartition("/")
    symbol = query.get("symbol")
    if symbol and last in BOOK_PATHS and above.endswith(("/orderbook", "/level2")):
        return Answer("snapshot", symbol, BOOK_PATHS[last], "spot" if above.endswith("/orderbook") else "futures")
    if last == "symbols":
        return Answer("instruments", market="spot")
    return Answer("instruments", market="futures") if above.endswith("/contracts") and last == "active" else None
