"""permessage-deflate (RFC 7692): what a server agreed to, and its messages inflated within limits."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

HEADER = "Sec-WebSocket-Extensions"
NAME = "permessage-deflate"
OFFER = f"{NAME}; client_max_window_bits"       # we never compress, so the server may limit us as it likes

TAIL = b"\x00\x00\xff\xff"      # what ends every message, and is left out on the wire
WINDOW = 1 << 15                # bytes back that a message may refer to
MAX_RATIO = 256                 # bytes that one byte may become,
FREE_SIZE = 1 << 20             # in messages longer than this

_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_BITS = ("server_max_window_bits", "client_max_window_bits")


class ExtensionError(ConnectionError):
    """The server answered the handshake with an extension that was not agreed on; `str()` says which."""


class InflateError(Exception):
    """A message cannot be inflated, so nothing after it can be: the connection has to end with `code`."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Terms:
    """What a server's messages are compressed by."""

    takeover: bool = True       # a message may refer to those before it
    window_bits: int = 15       # how far: 2**window_bits bytes


def read_terms(answers: Iterable[str], offered: bool) -> Terms | None:
    """What the server's headers of that name agree to; None: no compression.

    Raises: ExtensionError for anything that RFC 7692 does not allow as an answer to `OFFER`.
    """
    extensions = [extension.strip() for answer in answers for extension in answer.split(",")]
    if not extensions:
        return None
    if not offered or len(extensions) > 1:
        raise ExtensionError(f"the server wants extensions that were not offered: {', '.join(extensions)}")
    name, *parameters = [part.strip() for part in extensions[0].split(";")]
    if name.lower() != NAME:
        raise ExtensionError(f"the server wants an extension that was not offered: {extensions[0]}")
    found: dict[str, str] = {}
    for parameter in parameters:
        key, equals, value = [part.strip() for part in parameter.partition("=")]
        key = key.lower()
        if key not in _FLAGS + _BITS:
            raise ExtensionError(f"the server wants an unknown parameter of {NAME}: {parameter}")
        if key in found:
            raise ExtensionError(f"the server wants a parameter of {NAME} twice: {key}")
        value = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
        if key in _FLAGS and equals:
            raise ExtensionError(f"the server gives a parameter of {NAME} a value that has none: {parameter}")
        if key in _BITS and not (value.isascii() and value.isdigit() and value[0] != "0" and 8 <= int(value) <= 15):
            raise ExtensionError(f"the server wants a window of {NAME} that is not 8 to 15: {parameter}")
        found[key] = value
    return Terms("server_no_context_takeover" not in found, int(found.get("server_max_window_bits", "15")))


class Inflater:
    """Inflates the messages of one connection, in their order.

    Parameters: terms -- what was agreed on. most -- bytes that one message may have.
    """

    def __init__(self, terms: Terms, most: int):
        self._terms = terms
        self._most = most
        self._fresh()

    def _fresh(self, before: bytes = b"") -> None:
        bits = -max(9, self._terms.window_bits)         # a larger window reads a smaller one's messages
        self._state = zlib.decompressobj(bits, before[-WINDOW:]) if before else zlib.decompressobj(bits)

    def inflate(self, payload: bytes) -> bytes:
        """One message. Raises: InflateError; then no other can be inflated either."""
        limit = min(self._most, max(FREE_SIZE, MAX_RATIO * len(payload)))
        try:
            text = self._state.decompress(payload + TAIL, limit + 1)
        except zlib.error as error:
            raise InflateError(1007, f"a message that cannot be inflated: {error}") from None
        if len(text) > limit:
            kind = f"of more than {limit} bytes" if limit == self._most else f"of more than {MAX_RATIO} times its size"
            raise InflateError(1009, f"message {kind} when inflated ({len(payload)} bytes of it came)")
        if self._state.eof:                             # its last block says that it is: allowed, and nobody does it
            if self._state.unused_data not in (TAIL, b"\x00" + TAIL):
                raise InflateError(1007, "a message with something behind its end")
            self._fresh(text if self._terms.takeover else b"")
        elif not self._terms.takeover:
            self._fresh()
        return text
