"""WebSocket frames as a server writes them."""

from __future__ import annotations

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def frame_head(opcode: int, size: int, bits: int = 0x80) -> bytes:
    """What stands before a payload of so many bytes; `bits` are the upper four of the first byte: FIN by itself."""
    if size < 126:
        return bytes((bits | opcode, size))
    if size < 1 << 16:
        return bytes((bits | opcode, 126)) + size.to_bytes(2, "big")
    return bytes((bits | opcode, 127)) + size.to_bytes(8, "big")
