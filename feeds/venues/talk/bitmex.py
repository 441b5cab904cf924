"""BitMEX: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.venue import Control, Stream, check_known, each_once, error_code, frame_text, read_object

CHANNELS = {
    "book": "order book: rows of the whole book, or of 25 levels a side with depth=25; whole with depth=10",
    "quotes": "best bid and offer",
    "trades": "every trade",
    "ticker": "statistics of a day, last price; what has changed",
    "mark": "mark price, index price and funding rate, from the ticker",
    "open_interest": "open interest in contracts, from the ticker",
    "liquidations": "forced orders as they are placed",
}

TABLES = {
    "quotes": "quote", "trades": "trade", "ticker": "instrument", "mark": "instrument", "open_interest": "instrument",
    "liquidations": "liquidation",
}

BOOKS = {None: "orderBookL2", 25: "orderBookL2_25", 10: "orderBook10"}


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; depth concerns the book."""
    check_known("bitmex", "book of depth", depth, BOOKS, "10, 25, or None for the whole book")
    check_known("bitmex", "speed", speed, (None,), "None, every change at once")
    tables = {**TABLES, "book": BOOKS[depth]}
    return each_once(Stream(f"{tables[channel]}:{symbol}", "public", symbol, channel,
                            depth or 0 if channel == "book" else 0)
                     for symbol in map(spelling, symbols) for channel in channels)


def spelling(symbol: str) -> str:
    """Upper case where it is typed in lower case: XBTUSD, ETH_USDT."""
    return symbol.upper() if symbol.islower() else symbol


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"op":"subscribe","args":["orderBookL2:XBTUSD","trade:XBTUSD"]}: answered topic by topic
    # {"op":"unsubscribe","args":["orderBookL2:XBTUSD"]}
    return [frame_text({"op": word, "args": list(names)})]


# Status of an error -> what it is. 400 and 429 as other clients have met them; the rest is what HTTP means by them.
REASONS = {400: "bad_symbol", 401: "authorisation", 403: "authorisation", 429: "rate_limit", 503: "maintenance"}


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"success":true,"subscribe":"trade:XBTUSD","request":{...}}                                 an ack, one a topic
    {"success":false,"subscribe":"trade:XBTUSD"}                                                a refused topic
    {"status":400,"error":"Unknown table: foo","meta":{},"request":{"op":"subscribe","args":["foo"]}}   an error
    {"info":"Welcome to the BitMEX Realtime API.","version":...,"limit":{"remaining":39}}       the first frame
    pong                                                                                        the answer to our ping
    """
    text, message = read_object(payload)
    if text.strip() == "pong":
        return Control("pong", text=text)
    topic = message.get("subscribe", message.get("unsubscribe"))
    if isinstance(topic, str) and "success" in message:
        if message["success"] is True:
            return Control("ack", text=text, streams=(topic,))
        return Control("error", None, None, text, (topic,), reason="bad_symbol")
    if "error" not in message:
        return Control("other", text=text)
    words = str(message["error"])
    code = error_code(message.get("status"))
    request = message.get("request") if isinstance(message.get("request"), dict) else {}
    asked = request.get("args")
    asked = tuple(name for name in asked if isinstance(name, str)) if isinstance(asked, list) else (asked,)
    # The words may end with the topic or the table in question; if they do not, nothing tells which one is meant.
    named = words.rpartition(": ")[2].rstrip(".")
    names = tuple(name for name in asked if name is not None and named in (name, name.partition(":")[0]))
    if not names and len(asked) == 1 and isinstance(asked[0], str):
        names = asked
    if "already subscribed" in words:
        return Control("ack", text=text, streams=names)
    return Control("error", None, code, words, names, reason=REASONS.get(code, ""))
