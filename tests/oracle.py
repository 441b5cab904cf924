"""What a Binance frame says, read the slow and obvious way: json.loads and Decimal, key by key.

`read(frame, venue)` gives a list of what a pipeline should take from it:
("bad",) for what is no JSON or lacks something; ("control",), ("ignored",); or an event with exact values. A frame is
taken as bytes: of a string nobody asked for only the end is looked for, so an escape is two bytes like any others.

`Recorder` is a handler that notes events in the same form; `same_event` compares the two.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from math import isclose, isnan, nan

NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
BAD = ("bad",)
INT64_MAX = 2**63 - 1


class Bad(Exception):
    """The frame cannot be taken."""


class Pairs(list):
    """An object as the list of its (key, value), since a frame can name a key twice."""

    def get(self, key, default=None):
        return next((value for name, value in reversed(self) if name == key), default)

    def all(self, key):
        return [value for name, value in self if name == key]


class Bare(str):
    """The text of a number without quotes."""


def refuse(word):
    raise ValueError(word)


def loads(frame: bytes):
    """The JSON document with objects as Pairs, bare numbers as Bare, and escapes as private characters."""
    text = ESCAPE.sub(lambda m: "\ue000" + chr(0xE100 + ord(m[1])), frame.decode("latin-1"))
    return json.loads(text, strict=False, parse_constant=refuse, parse_float=Bare, parse_int=Bare,
                      object_pairs_hook=Pairs)


def raw_text(text: str) -> bytes:
    """The bytes of a string as they stood in the frame."""
    return re.sub("\ue000(.)", lambda m: "\\" + chr(ord(m[1]) - 0xE100), text, flags=re.DOTALL).encode("latin-1")


def decimal(value) -> Decimal:
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise Bad
    return Decimal(value)


def integer(value) -> int:
    number = decimal(value)
    if number and (number.adjusted() > 18 or number != number.to_integral_value() or abs(number) > INT64_MAX):
        raise Bad
    return int(number) if number else 0


def real(value) -> float:
    if value == "" and not isinstance(value, Bare):
        return nan
    return float(decimal(value))


def quantity(value) -> Decimal:
    number = decimal(value)
    if number < 0:
        raise Bad
    return number


def boolean(value) -> bool:
    if not isinstance(value, bool):
        raise Bad
    return value


def levels(value):
    if not isinstance(value, list) or isinstance(value, Pairs):
        raise Bad
    out = []
    for level in value:
        if not isinstance(level, list) or isinstance(level, Pairs) or len(level) < 2:
            raise Bad
        out.append((decimal(level[0]), quantity(level[1])))
    return out


def symbol(value) -> str:
    if not isinstance(value, str) or isinstance(value, Bare):
        raise Bad
    try:
        text = raw_text(value).decode()
    except UnicodeDecodeError:
        raise Bad from None
    if not 0 < len(text.encode()) <= 64:
        raise Bad
    return text


def needed(message: Pairs, key: str, convert):
    """The last value of a key; each one it has must be right."""
    values = [convert(value) for value in message.all(key)]
    if not values:
        raise Bad
    return values[-1]


def optional(message: Pairs, key: str, convert, default):
    values = [convert(value) for value in message.all(key)]
    return values[-1] if values else default


def time_ns(value: int) -> int:
    """s, ms, us or ns by size, from March 1973 on; a time that int64 cannot hold in ns is none."""
    for last, unit in ((99_999_999_999, 10**9), (99_999_999_999_999, 10**6), (99_999_999_999_999_999, 10**3)):
        if value <= last:
            value *= unit
            break
    return value if 10**17 <= value < 2**63 else 0


def times(message: Pairs) -> int:
    """The time of the thing, or else of the message."""
    sent, happened = optional(message, "E", integer, 0), optional(message, "T", integer, 0)
    return time_ns(happened) or time_ns(sent)


def depth_of(stream: str) -> int:
    found = re.search(r"@depth([0-9]*)", stream)
    return int(found[1][:5] or 0) if found else 0


def name_of(message: Pairs) -> str:
    return next((v for v in reversed(message.all("e")) if isinstance(v, str) and not isinstance(v, Bare)), "")


def event(message, stream: str, venue: str):
    if not isinstance(message, Pairs):
        raise Bad
    name = name_of(message)
    futures = venue != "binance_spot"
    if name == "depthUpdate":
        if "@rpiDept" in stream:
            return ("ignored",)
        first, final = needed(message, "U", integer), needed(message, "u", integer)
        previous = optional(message, "pu", integer, None)
        if futures and previous is None:
            raise Bad
        return ("partial" if depth_of(stream) else "delta", needed(message, "s", symbol), first, final, previous,
                needed(message, "b", levels), needed(message, "a", levels), times(message), depth_of(stream))
    if name == "bookTicker" or (not name and message.all("B")):
        return ("quote", needed(message, "s", symbol), needed(message, "b", decimal), needed(message, "B", quantity),
                needed(message, "a", decimal), needed(message, "A", quantity), needed(message, "u", integer),
                times(message))
    if name in ("trade", "aggTrade"):
        origin = [v for v in message.all("X") if isinstance(v, str) and not isinstance(v, Bare) and v != "MARKET"]
        if origin:
            return ("ignored",)
        return ("trade", needed(message, "s", symbol), needed(message, "p", decimal), needed(message, "q", quantity),
                optional(message, "a" if name == "aggTrade" else "t", integer, 0),
                "sell" if needed(message, "m", boolean) else "buy", times(message))
    if name == "24hrTicker":
        for key in "OCFLn":
            optional(message, key, integer, 0)
        for key in "baBA":
            optional(message, key, quantity if key in "BA" else decimal, 0)
        optional(message, "T", str, "")
        keys = "cohlvqpPwxQ"
        return ("ticker", needed(message, "s", symbol), needed(message, "c", real),
                *(optional(message, key, real, nan) for key in keys[1:]),
                time_ns(optional(message, "E", integer, 0)))
    if name == "markPriceUpdate":
        return ("mark", needed(message, "s", symbol), needed(message, "p", real), optional(message, "i", real, nan),
                optional(message, "r", real, nan), optional(message, "P", real, nan),
                time_ns(optional(message, "T", integer, 0)), time_ns(optional(message, "E", integer, 0)))
    if name == "forceOrder":
        order = Pairs(pair for one in message.all("o") for pair in (one if isinstance(one, Pairs) else refuse_order()))
        side = needed(order, "S", str)
        if any(isinstance(value, Bare) or value not in ("SELL", "BUY") for value in order.all("S")):
            raise Bad
        happened = time_ns(optional(order, "T", integer, 0))
        return ("liquidation", needed(order, "s", symbol), needed(order, "p", decimal), needed(order, "q", quantity),
                side.lower(), optional(order, "ap", real, nan),
                time_ns(optional(message, "E", integer, 0)) or happened)
    if message.all("lastUpdateId"):
        depth = depth_of(stream)
        who = re.sub("[a-z]", lambda m: m[0].upper(), stream.partition("@")[0])
        if not depth or not who:
            raise Bad
        return ("partial", symbol(who), None, needed(message, "lastUpdateId", integer), None,
                needed(message, "bids", levels),
                needed(message, "asks", levels), times(message), depth)
    return ("ignored",) if name and name != "serverShutdown" else ("control",)


def refuse_order():
    raise Bad


def read(frame: bytes, venue: str) -> list[tuple]:
    """What a pipeline should take from a frame."""
    try:
        document = loads(frame)
    except (ValueError, RecursionError):
        return [BAD]
    stream, data = "", document
    if isinstance(document, Pairs):
        names = [v for v in document.all("stream") if isinstance(v, str) and not isinstance(v, Bare)]
        stream = raw_text(names[-1]).decode("latin-1") if names else ""
        data = document.all("data")[-1] if document.all("data") else document
    out = []
    for message in data if isinstance(data, list) and not isinstance(data, Pairs) else [data]:
        try:
            out.append(event(message, stream, venue))
        except Bad:
            out.append(BAD)
            break
    return out or [("ignored",)]


class Recorder:
    """Everything a pipeline tells of its messages but books, with exact values."""

    def __init__(self):
        self.events = []

    def on_trade(self, t):
        self.events.append(("trade", t.symbol, exact(t.price_int, t.price_scale), exact(t.qty_int, t.qty_scale),
                            t.trade_id,
                            t.aggressor, t.exchange_ns))

    def on_quote(self, q):
        self.events.append(("quote", q.symbol, exact(q.bid_price_int, q.price_scale), exact(q.bid_qty_int, q.qty_scale),
                            exact(q.ask_price_int, q.price_scale), exact(q.ask_qty_int, q.qty_scale), q.sequence,
                            q.exchange_ns))

    def on_ticker(self, t):
        self.events.append(("ticker", t.symbol, t.last_price, t.open, t.high, t.low, t.volume, t.quote_volume, t.change,
                            t.change_pct, t.vwap, t.prev_close, t.last_qty, t.exchange_ns))

    def on_mark(self, m):
        self.events.append(("mark", m.symbol, m.mark_price, m.index_price, m.funding_rate, m.settlement_price,
                            m.next_funding_ns, m.exchange_ns))

    def on_liquidation(self, t):
        self.events.append(("liquidation", t.symbol, exact(t.price_int, t.price_scale), exact(t.qty_int, t.qty_scale),
                            t.side,
                            t.average_price, t.exchange_ns))


def exact(units, scale):
    return Decimal(units).scaleb(-scale)


def same_event(got, want):
    if got[:2] != want[:2] or len(got) != len(want):
        return False
    return all(a == b or (isinstance(b, float) and (isnan(a) and isnan(b) or isclose(a, b, rel_tol=1e-15)))
               for a, b in zip(got, want, strict=True))
