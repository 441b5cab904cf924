"""Stands between a client and a venue on this machine, and lets a script of faults strike what passes.

It is written on plain TCP, so that it can also do what no library would: half frames, resets, bytes one by one. It
serves any server of the simulator, and anything else that speaks WebSocket and HTTP without TLS at a known address.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from urllib.parse import urlsplit

from feeds.simulator.faults import Fault, Faults, Frame
from feeds.simulator.frames import CLOSE, PING, frame_head
from feeds.simulator.listen import PortError

log = logging.getLogger(__name__)

MAX_HEAD = 1 << 16              # bytes of a request's head
MAX_FRAME = 1 << 26
CHUNK = 1 << 16
REASONS = {302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           418: "I'm a teapot", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable"}


class Proxy:
    """A venue with faults.

    Parameters: upstream -- URL of the server that is served, "ws://127.0.0.1:40001". faults -- what strikes.
                host, port -- where to listen; port 0 takes any free one. ssl_context -- serve wss:// and https://.
                venue -- called with each fault of the venue itself (see faults.VENUE_KINDS) as it strikes.
    """

    def __init__(self, upstream: str, faults: Faults, *, host: str = "127.0.0.1", port: int = 0,
                 ssl_context: SSLContext | None = None, venue: Callable[[Fault], None] | None = None):
        place = urlsplit(upstream)
        self.upstream = (place.hostname or "127.0.0.1", place.port or 80)
        self.faults = faults
        self.url = ""               # set by `start`
        self._venue = venue
        self._host, self._port, self._ssl = host, port, ssl_context
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: dict[str, bytes] = {}        # address -> the first answer given for it
        self._began = 0.0

    @property
    def now_s(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time() - self._began

    async def start(self) -> str:
        """Listen. Returns: the URL to connect to. Raises: PortError."""
        self._began = asyncio.get_running_loop().time()
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self._port)
        except OSError as error:
            raise PortError(error.errno, f"{self._host}:{self._port}: {error.strerror or error}") from None
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"{'wss' if self._ssl else 'ws'}://{f'[{host}]' if ':' in host else host}:{port}"
        if self._venue is not None:
            self._tasks.add(asyncio.create_task(self._strike_venue(self._venue)))
        return self.url

    async def stop(self) -> None:
        """Reset every connection and stop listening. Again is no harm."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _strike_venue(self, venue: Callable[[Fault], None]) -> None:
        while True:
            await asyncio.sleep(0.05)
            for fault in self.faults.venue(self.now_s):
                venue(fault)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self.faults.accepting(self.now_s) is not None:
                if self._ssl is not None:
                    await reader.read(CHUNK)            # it has begun to say hello
                reset(writer)
                return
            if self._ssl is not None:
                await writer.start_tls(self._ssl)
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" in head.lower():
                await self._line(head, reader, writer)
            else:
                await self._request(head, reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError, OSError):
            pass                        # one of the two has gone
        finally:
            self._tasks.discard(task)
            with suppress(OSError, RuntimeError):
                writer.close()

    async def _forward(self, head: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.upstream, limit=MAX_HEAD * 4)
        writer.write(head)
        return reader, writer

    # ---- REST

    async def _request(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = head.split(b" ", 2)[1].decode("latin-1")
        size = next((int(line.partition(b":")[2]) for line in head.split(b"\r\n")
                     if line.lower().startswith(b"content-length:")), 0)
        body = await reader.readexactly(size) if size else b""
        fault = self.faults.request(address, self.now_s)
        if fault is not None and fault.kind == "rest_reset":
            reset(writer)
            return
        if fault is not None and fault.kind == "rest_status":
            code = self.faults.code(fault)
            retry = f"Retry-After: {fault.seconds:g}\r\n" if code in (418, 429) else ""
            writer.write(plain_answer(code, retry))
            await writer.drain()
            return
        kept = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
        above, up = await self._forward(b"\r\n".join([*kept, b"Connection: close"]) + b"\r\n\r\n" + body)
        answer = await above.read()
        up.close()
        if fault is not None and fault.kind == "rest_slow":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind == "rest_stale":
            answer = self._answers.get(address, answer)
        self._answers.setdefault(address, answer)
        if fault is not None and fault.kind == "rest_garbage":
            above_head, _, content = answer.partition(b"\r\n\r\n")
            content = content[:len(content) // 2]
            lines = [line for line in above_head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
            answer = b"\r\n".join([*lines, b"Content-Length: %d" % len(content)]) + b"\r\n\r\n" + content
        writer.write(answer)
        await writer.drain()

    # ---- WebSocket

    async def _line(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.faults.opening(head.split(b" ", 2)[1].decode("latin-1"), self.now_s)
        if fault is not None:
            if fault.kind == "abort_opening":
                reset(writer)
                return
            if fault.kind == "slow_opening":
                await asyncio.sleep(fault.seconds)
            else:
                redirected = fault.kind == "redirect"
                extra = "Location: http://127.0.0.1:9/\r\n" if redirected else "Retry-After: 1\r\n"
                writer.write(plain_answer(302 if redirected else self.faults.code(fault), extra))
                await writer.drain()
                return
        above, up = await self._forward(head)
        answer = await above.readuntil(b"\r\n\r\n")
        writer.write(answer)
        passing = Passing(self, reader, writer, above, up)
        if b" 101 " not in answer.split(b"\r\n", 1)[0]:
            await passing.rest()
        else:
            await passing.run()


class Passing:
    """One WebSocket connection through the proxy."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                 above: asyncio.StreamReader, up: asyncio.StreamWriter):
        self._proxy = proxy
        self._faults = proxy.faults.line()
        self._reader, self._writer, self._above, self._up = reader, writer, above, up
        self._deaf_until = 0.0          # what either side says until then goes nowhere
        self._mute_until = 0.0          # what the venue says until then goes nowhere
        self._stalled_until = 0.0       # nothing of the client is read until then

    async def rest(self) -> None:
        """Pass on what is left of an answer."""
        while data := await self._above.read(CHUNK):
            self._writer.write(data)
        await self._writer.drain()

    async def run(self) -> None:
        """Pass frames until one side ends it, or a fault does."""
        tasks = [asyncio.create_task(self._from_client()), asyncio.create_task(self._from_venue())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._up.transport.abort()
            with suppress(OSError, RuntimeError):
                self._writer.close()

    async def _from_client(self) -> None:
        proxy = self._proxy
        while data := await self._reader.read(CHUNK):
            if (wait := self._stalled_until - proxy.now_s) > 0:
                await asyncio.sleep(wait)
            if proxy.now_s >= self._deaf_until:
                self._up.write(data)
                await self._up.drain()

    async def _from_venue(self) -> None:
        proxy, above, writer = self._proxy, self._above, self._writer
        while True:
            head = await above.readexactly(2)
            size, extra = head[1] & 0x7F, b""
            if size > 125:
                extra = await above.readexactly(2 if size == 126 else 8)
                size = int.from_bytes(extra, "big")
            if size > MAX_FRAME:
                raise ConnectionError("a frame of the venue that is too long")
            payload = await above.readexactly(size)
            now = proxy.now_s
            if now < max(self._deaf_until, self._mute_until):
                continue
            if head[0] & 0x0F not in (1, 2) or head[0] & 0x70 or not head[0] & 0x80:
                writer.write(head + extra + payload)        # control frames, fragments and what is compressed
                await writer.drain()
                continue
            frames, fault = self._faults.frames(head[0] & 0x0F, payload, now)
            for frame in frames:
                await self._send(frame)
            if fault is not None and await self._strike(fault):
                return

    async def _send(self, frame: Frame) -> None:
        writer = self._writer
        if frame.late_s:
            await asyncio.sleep(frame.late_s)
        if frame.how == "fragment":
            step = max(1, -(-len(frame.payload) // frame.parts))
            pieces = [frame.payload[at:at + step] for at in range(0, len(frame.payload), step)] or [b""]
            for number, piece in enumerate(pieces):
                last = number == len(pieces) - 1
                writer.write(framed(0 if number else frame.opcode, piece, 0x80 if last else 0))
                if not last:
                    writer.write(framed(PING, b"between"))
        elif frame.how == "slice":
            for byte in framed(frame.opcode, frame.payload):
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(0)
        else:
            writer.write(framed(frame.opcode, frame.payload, 0xF0 if frame.how == "bad_frame" else 0x80))
        await writer.drain()

    async def _strike(self, fault: Fault) -> bool:
        """Let a fault strike the connection. True: it is over."""
        now = self._proxy.now_s
        if fault.kind == "reset":
            reset(self._writer)
            return True
        if fault.kind == "break_tls":
            await self._writer.drain()
            held = self._writer.get_extra_info("socket")
            if held is not None:                # past TLS, where there is any: a record of 32 bytes, or a frame of more
                with suppress(OSError):
                    os.write(held.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))
            self._writer.transport.abort()
            return True
        if fault.kind == "close":
            self._writer.write(framed(CLOSE, struct.pack("!H", self._proxy.faults.code(fault)) + b"by script"))
            await self._writer.drain()
            return True
        if fault.kind == "silent":
            self._mute_until = now + fault.seconds
        elif fault.kind == "stall":
            self._stalled_until = now + fault.seconds
        else:
            self._deaf_until = now + fault.seconds
            await asyncio.sleep(fault.seconds)
            reset(self._writer)
            return True
        return False


def framed(opcode: int, payload: bytes, bits: int = 0x80) -> bytes:
    """A whole frame."""
    return frame_head(opcode, len(payload), bits) + payload


def plain_answer(code: int, headers: str = "") -> bytes:
    """An HTTP answer without content."""
    return f"HTTP/1.1 {code} {REASONS.get(code, 'Fault')}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"\
        .encode()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST."""
    held = writer.get_extra_info("socket")
    if held is not None:
        with suppress(OSError):
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
