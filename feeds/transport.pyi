"""One WebSocket connection: from picows' read buffer straight into a Pipeline.

Importing this module raises ImportError, naming both versions, unless picows is in the range it was built for.
"""

import ssl
from collections.abc import Iterable, Mapping
from typing import Self, final

from picows import WSFrame, WSListener, WSTransport

from feeds.pipeline import Pipeline

@final
class Line(WSListener):
    """The listener of one connection; it serves one connection only.

    Payloads go to the pipeline as pointers into the read buffer, all frames of one read with one receive time, and
    `pipeline.flush()` follows the last of them. Bad market data never ends a line; a breach of RFC 6455 closes it with
    1002, a message above `max_message` with 1009, a compressed one that cannot be inflated with 1007. A handler's
    exception is logged, counted, and the line goes on. Everything here belongs to the thread of the event loop.
    """

    address: str
    """What a recording says was connected to."""

    def __new__(cls, pipeline: Pipeline, line: int = 0, max_message: int = 8388608) -> Self: ...
    @property
    def line(self) -> int:
        """Number of the line, as given to the pipeline."""
    @property
    def max_message(self) -> int:
        """Longest message taken, in bytes, joined from fragments or not."""
    @property
    def frames(self) -> int:
        """Frames received, pings and fragments included. Whoever sees it change knows that the line is alive."""
    @property
    def messages(self) -> int:
        """Whole messages handed to the pipeline."""
    @property
    def bytes(self) -> int:
        """Payload bytes handed to the pipeline."""
    @property
    def wire_bytes(self) -> int:
        """The same as they came: fewer where they were compressed."""
    @property
    def batches(self) -> int:
        """Reads from the socket that held at least one frame."""
    @property
    def largest_batch(self) -> int:
        """Most frames that came with one read: how far behind the line has been."""
    @property
    def largest_read(self) -> int:
        """Most bytes of messages that came with one read."""
    @property
    def paused(self) -> bool:
        """Whether nothing is read at the moment."""
    @property
    def pings(self) -> int:
        """Pings received; each is answered unless the peer has stopped reading."""
    @property
    def handler_errors(self) -> int:
        """Exceptions that came out of a handler."""
    @property
    def last_frame_ns(self) -> int:
        """When the last read was, in ns since the Unix epoch; 0 before the connection is open."""
    @property
    def close_code(self) -> int:
        """Why the line ended: the peer's code or ours, whichever came first; 1006 without a close; 0 while open."""
    @property
    def close_reason(self) -> str:
        """The words that came with the code, often none."""
    def agree(self, answers: Iterable[str], offered: bool) -> None:
        """Take the server's answer on extensions. Raises: `feeds.deflate.ExtensionError`."""
    @property
    def compressed(self) -> bool:
        """Whether the server may compress its messages."""
    @property
    def is_open(self) -> bool:
        """Whether frames still come in and may be sent."""
    def send_text(self, text: str) -> None:
        """Send one text message. Raises ConnectionError if the line is not open."""
    def send_ping(self) -> None:
        """Send an empty ping; nothing if the line is not open."""
    def pause(self, pause: bool = True) -> None:
        """Stop reading, or go on: the peer is held up by TCP. Frames that were read already still come."""
    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and disconnect as soon as that is sent. No message is delivered any more."""
    def abort(self) -> None:
        """Disconnect at once, without a word. No message is delivered any more."""
    async def wait_closed(self) -> None:
        """Return when the connection is gone; it never raises for the way it went, see `close_code`."""

    # picows calls these.
    def on_ws_connected(self, transport: WSTransport) -> None: ...
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None: ...
    def on_ws_disconnected(self, transport: WSTransport) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...

async def open_line(
    pipeline: Pipeline,
    url: str,
    line: int = 0,
    *,
    max_message: int = 8388608,
    ssl_context: ssl.SSLContext | None = None,
    timeout: float = 10.0,
    headers: Mapping[str, str] | None = None,
    compression: bool = False,
    address: str | None = None,
    proxy: str | None = None,
) -> Line:
    """Connect, and return the open line; `pipeline.opened(line)` has been called, `closed` is called at its end.

    Parameters: url -- ws:// or wss://, with path and query; ssl_context -- None means the system's certificates and a
    verified name; timeout -- seconds for name, connection, TLS and upgrade together; headers -- sent with the
    handshake, never logged; compression -- offer permessage-deflate, which the server may decline; address -- what a
    recording says was connected to, None is url without query, which may hold a key; proxy --
    http(s)://[user:password@]host:port that is asked to connect, by CONNECT.
    Raises: ConnectionError that says the address (without query) and why, in one line.
    """
