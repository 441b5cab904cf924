"""Protobuf's wire form in slow, obvious Python: the oracle of feeds.protobuf, and a writer for made-up frames."""

from __future__ import annotations

from collections.abc import Sequence

Field = tuple[int, "int | str | bytes | list[Field]"]     # number, value; a list is a message inside


def varint(value: int) -> bytes:
    """An unsigned number of up to 64 bits; a negative one as its two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def span(number: int, data: bytes) -> bytes:
    """A field with a length."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(*fields: Field) -> bytes:
    """A message of these fields, in this order."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, list):
            out += span(number, message(*value))
        else:
            out += span(number, value.encode() if isinstance(value, str) else value)
    return out


def pairs(number: int, levels: Sequence[tuple[str, str]]) -> list[Field]:
    """Levels of a list, each a message of price and quantity."""
    return [(number, [(1, price), (2, qty)]) for price, qty in levels]


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends; ValueError if it is none."""
    value = 0
    for i in range(10):
        if at + i == len(data):
            raise ValueError("cut")
        value |= (data[at + i] & 0x7F) << 7 * i
        if data[at + i] < 0x80:
            if value >> 64:
                raise ValueError("too large")
            return value, at + i + 1
    raise ValueError("too long")


def read(data: bytes, depth: int = 0, group: int = 0) -> tuple[list[tuple[int, object]], int]:
    """Fields of a message as (number, int, bytes or None for another kind), and where it ends; ValueError if none."""
    found: list[tuple[int, object]] = []
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number == 0 or tag >> 32 or wire > 5 or depth > 32:
            raise ValueError("no field")
        if wire == 4:
            if number != group:
                raise ValueError("no such group")
            return found, at
        if wire == 0:
            value, at = read_varint(data, at)
            found.append((number, value))
        elif wire == 2:
            size, at = read_varint(data, at)
            found.append((number, data[at:at + size]))
            at += size
        elif wire == 3:
            at += read(data[at:], depth + 1, number)[1]
            found.append((number, None))
        else:
            at += 8 if wire == 1 else 4
            found.append((number, None))
        if at > len(data):
            raise ValueError("cut")
    if group:
        raise ValueError("no end of the group")
    return found, at
