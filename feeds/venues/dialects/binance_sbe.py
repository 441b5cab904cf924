"""How Binance spot writes Simple Binary Encoding: schema 1, version 0.

Prices and quantities are given as integers of one exponent each, levels as (price, qty), times in us.
Source: https://github.com/binance/binance-spot-api-docs, sbe/schemas/stream_1_0.xml, checked 2026-09-18.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

SCHEMA, VERSION = 1, 0
TRADES, BEST_BID_ASK, DEPTH_SNAPSHOT, DEPTH_DIFF = 10000, 10001, 10002, 10003

KEY_HEADER = "X-MBX-APIKEY"     # a connection that sends it speaks this form
DIFF_MS = 20                    # from one frame of a stream to the next
PARTIAL_MS = 50
PARTIAL_LEVELS = 20

Levels = Iterable[tuple[int, int]]


def message(template: int, block: bytes, groups: bytes, symbol: str) -> bytes:
    """A whole message."""
    name = symbol.encode()
    return struct.pack("<HHHH", len(block), template, SCHEMA, VERSION) + block + groups + bytes((len(name),)) + name


def levels(side: Levels) -> bytes:
    """A side of a book."""
    entries = [struct.pack("<qq", price, qty) for price, qty in side]
    return struct.pack("<HH", 16, len(entries)) + b"".join(entries)


def depth_diff(symbol: str, time: int, first: int, last: int, price_exponent: int, qty_exponent: int, bids: Levels,
               asks: Levels) -> bytes:
    """Changes of a book."""
    block = struct.pack("<qqqbb", time, first, last, price_exponent, qty_exponent)
    return message(DEPTH_DIFF, block, levels(bids) + levels(asks), symbol)


def depth_snapshot(symbol: str, time: int, last: int, price_exponent: int, qty_exponent: int, bids: Levels,
                   asks: Levels) -> bytes:
    """The first levels of a book, whole."""
    block = struct.pack("<qqbb", time, last, price_exponent, qty_exponent)
    return message(DEPTH_SNAPSHOT, block, levels(bids) + levels(asks), symbol)


def best_bid_ask(symbol: str, time: int, last: int, price_exponent: int, qty_exponent: int, bid: tuple[int, int],
                 ask: tuple[int, int]) -> bytes:
    """The best bid and ask."""
    block = struct.pack("<qqbbqqqq", time, last, price_exponent, qty_exponent, *bid, *ask)
    return message(BEST_BID_ASK, block, b"", symbol)


def trades(symbol: str, time: int, trade_time: int, price_exponent: int, qty_exponent: int,
           fills: Iterable[tuple[int, int, int, bool]]) -> bytes:
    """Trades, each as (id, price, qty, buyer is maker)."""
    entries = [struct.pack("<qqqB", *fill) for fill in fills]
    block = struct.pack("<qqbb", time, trade_time, price_exponent, qty_exponent)
    return message(TRADES, block, struct.pack("<HI", 25, len(entries)) + b"".join(entries), symbol)
