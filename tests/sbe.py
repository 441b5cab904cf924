"""Binance's market schema in slow, obvious Python: an oracle of the SBE parser, and a writer for made-up frames."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

# Test vector of the venue's sheet: the best bid and ask of BTCUSDT.
SAMPLE = bytes.fromhex(
    "3200112701000000a8aba34bea5806000700000000000000fefba0356100000000006098020000000000aa35610000000000"
    "5f3c0000000000000742544355534454")

TEMPLATES = {
    # id: (name, fields of the block, (bytes of a count, fields of an entry) of each group)
    10000: ("trades", (("time", "q"), ("happened", "q"), ("price_exp", "b"), ("qty_exp", "b")),
            ((4, (("id", "q"), ("price", "q"), ("qty", "q"), ("maker_bought", "B"))),)),
    10001: ("quote", (("time", "q"), ("seq", "q"), ("price_exp", "b"), ("qty_exp", "b"), ("bid", "q"), ("bid_qty", "q"),
                      ("ask", "q"), ("ask_qty", "q")), ()),
    10002: ("snapshot", (("time", "q"), ("seq", "q"), ("price_exp", "b"), ("qty_exp", "b")),
            ((2, (("price", "q"), ("qty", "q"))),) * 2),
    10003: ("diff", (("time", "q"), ("first", "q"), ("last", "q"), ("price_exp", "b"), ("qty_exp", "b")),
            ((2, (("price", "q"), ("qty", "q"))),) * 2),
}


def write(name: str, symbol: str | bytes, values: Sequence[Any], *groups: Sequence[Sequence[int]],
          block_more: bytes = b"", entry_more: bytes = b"", more: bytes = b"", schema: int = 1,
          version: int = 0) -> bytes:
    """A message; `block_more`, `entry_more` and `more` are what a newer version adds to block, entries and end."""
    template, (_, fields, kinds) = next((number, it) for number, it in TEMPLATES.items() if it[0] == name)
    block = struct.pack("<" + "".join(kind for _, kind in fields), *values) + block_more
    out = struct.pack("<4H", len(block), template, schema, version) + block
    for (count_size, entry), rows in zip(kinds, groups, strict=True):
        form = "<" + "".join(kind for _, kind in entry)
        out += struct.pack("<HH" if count_size == 2 else "<HI", struct.calcsize(form) + len(entry_more), len(rows))
        out += b"".join(struct.pack(form, *row) + entry_more for row in rows)
    text = symbol.encode() if isinstance(symbol, str) else symbol
    return out + bytes((len(text),)) + text + more


def read(frame: bytes) -> dict[str, Any]:
    """What a message says, by name; "groups" are lists of entries. Raises: ValueError, struct.error, KeyError."""
    size, template, schema, _ = struct.unpack_from("<4H", frame)
    if schema != 1:
        raise ValueError("another schema")
    name, fields, kinds = TEMPLATES[template]
    found: dict[str, Any] = {"name": name, "groups": []}
    found.update(_fields(frame[8:8 + size], fields))
    at = 8 + size
    for count_size, entry in kinds:
        length, count = struct.unpack_from("<HH" if count_size == 2 else "<HI", frame, at)
        at += 2 + count_size
        if at + length * count > len(frame):
            raise ValueError("cut")
        found["groups"].append([_fields(frame[at + i * length:at + (i + 1) * length], entry) for i in range(count)])
        at += length * count
    found["symbol"] = frame[at + 1:at + 1 + frame[at]].decode()
    if at + 1 + frame[at] > len(frame):
        raise ValueError("cut")
    return found


def _fields(data: bytes, fields: Sequence[tuple[str, str]]) -> dict[str, int]:
    return dict(zip((name for name, _ in fields), struct.unpack_from(
        "<" + "".join(kind for _, kind in fields), data), strict=True))


def scaled(mantissa: int, exponent: int) -> Decimal:
    """A number of the wire."""
    return Decimal(mantissa).scaleb(exponent)
