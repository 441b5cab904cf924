"""A venue on loopback for tests: WebSocket and REST on one port, frame by frame as the test wants them.

It is written on plain TCP so that it can also send what no library would: bad bits, half frames, resets.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import hashlib
import json
import shutil
import socket
import struct
import subprocess
import time

import pytest

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
PATIENCE = 20.0     # seconds until a test that waits for something fails


def frame(opcode, payload=b"", fin=True, rsv=0):
    """Bytes of one frame as a server sends it."""
    first = (fin << 7) | (rsv << 4) | opcode
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def close_frame(code, reason=b""):
    return frame(CLOSE, struct.pack("!H", code) + reason)


async def until(condition, what="the condition"):
    """Wait until `condition()` is true; the test fails if that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what}"
        await asyncio.sleep(0.002)
    return value


def looped(test):
    """A test that is a coroutine, run in an event loop of its own."""
    @functools.wraps(test)
    def run(*arguments, **named):
        asyncio.run(test(*arguments, **named))

    return run


@contextlib.asynccontextmanager
async def mute_server():
    """A port where connections are taken and nothing is ever said; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def make_certificate(folder):
    """Paths of a certificate for 127.0.0.1 that nobody knows, and of its key; the test is skipped without openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Peer:
    """The server's end of one WebSocket connection."""

    def __init__(self, path, reader, writer):
        self.path = path
        self.reader = reader
        self.writer = writer
        self.received = []      # (opcode, payload) of every frame the client sent
        self.ended = False

    @property
    def texts(self):
        """What the client sent as text."""
        return [payload.decode() for opcode, payload in self.received if opcode == TEXT]

    @property
    def closes(self):
        """Codes of the CLOSE frames the client sent."""
        return [struct.unpack("!H", payload[:2])[0] for opcode, payload in self.received if opcode == CLOSE]

    def send(self, *texts):
        """Send texts (or dicts as JSON), one frame each, in one write."""
        self.raw(b"".join(frame(TEXT, text if isinstance(text, bytes) else
                                json.dumps(text, separators=(",", ":")).encode()) for text in texts))

    def raw(self, data):
        if not self.ended:
            self.writer.write(data)

    def hang_up(self):
        """End the TCP connection without a word."""
        self.writer.close()

    def reset(self):
        """End it with RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def read_frames(self):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                first, second = await self.reader.readexactly(2)
                assert second & 0x80, "a client masks its frames"
                size = second & 0x7F
                if size == 126:
                    size = struct.unpack("!H", await self.reader.readexactly(2))[0]
                elif size == 127:
                    size = struct.unpack("!Q", await self.reader.readexactly(8))[0]
                mask = await self.reader.readexactly(4)
                data = await self.reader.readexactly(size)
                payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
                self.received.append((first & 0x0F, payload))
        self.ended = True


class Venue:
    """The server; `async with Venue() as venue` and then point the client at `venue.url`.

    `on_open(peer)` runs when a client has connected; `answer(peer, text)` for every text it sends; `get(path)` gives
    (status, headers, body) of a REST request. All are plain functions that a test replaces.
    """

    def __init__(self, port=0):
        self.port = port
        self.peers = []         # every connection so far, the newest last
        self.requests = []      # paths of the REST requests so far
        self.methods = []       # and how they were asked: "GET", "POST"
        self.on_open = lambda peer: None
        self.answer = self.acknowledge
        self.get = lambda path: (404, {}, b"")
        self.upgrade = True     # False: refuse WebSockets with 503
        self.extensions = ()    # values of the headers that answer an offer of extensions
        self.handshakes = []    # headers of the clients so far, the newest last
        self.tls = None
        self._tasks = set()
        self._writers = set()

    @staticmethod
    def acknowledge(peer, text):
        peer.send({"result": None, "id": json.loads(text)["id"]})

    @property
    def url(self):
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}"

    @property
    def peer(self):
        return self.peers[-1]

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *exc_info):
        await self.stop()

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self.tls, limit=1 << 24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """Like a killed process: the port is closed and every connection ends without a word."""
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split(" ", 2)
            headers = {name.lower(): value for name, _, value in
                       (line.partition(": ") for line in head.split("\r\n")[1:])}
            if headers.get("upgrade", "").lower() == "websocket":
                await self._websocket(path, headers, reader, writer)
                return
            self.requests.append(path)
            self.methods.append(method)
            status, more, body = self.get(path)
            lines = [f"HTTP/1.1 {status} Some", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in more.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await writer.drain()

    async def _websocket(self, path, headers, reader, writer):
        if not self.upgrade:
            writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            return
        self.handshakes.append(headers)
        secret = headers["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(secret).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Accept: " + accept + b"\r\n"
                     + "".join(f"Sec-WebSocket-Extensions: {it}\r\n" for it in self.extensions).encode() + b"\r\n")
        peer = Peer(path, reader, writer)
        self.peers.append(peer)
        self.on_open(peer)
        answering = asyncio.create_task(self._answer(peer))
        try:
            await peer.read_frames()
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _answer(self, peer):
        seen = 0
        while True:
            for opcode, payload in peer.received[seen:]:
                seen += 1
                if opcode == TEXT:
                    self.answer(peer, payload.decode())
            await asyncio.sleep(0.002)
