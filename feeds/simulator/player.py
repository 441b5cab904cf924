"""Recorded traffic of any venue, served: each connection is played the whole recording, from its beginning.

Where a venue serves its channels at several addresses, a connection hears the channels that it has asked for; else it
hears everything, whatever it has asked for, so that numbers over all messages of a connection stay right.
What a venue's protocol asks for beyond that is not made up here. Requests are answered where the recording shows how
(see `Recording`), and REST snapshots are those that were recorded: they fit the frames that were recorded around them,
and so they fit a client that hears those frames. A client that asks for something that lies behind has to begin anew,
so its connection is closed with 1012.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from ssl import SSLContext
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from feeds.capture import CaptureError
from feeds.simulator.frames import frame_head
from feeds.simulator.listen import listen
from feeds.simulator.recording import ANSWER, BOOK, Recording, Step
from feeds.venue import Answer

log = logging.getLogger(__name__)

BATCH_SIZE = 512                # frames written in one go
MAX_BEHIND = 1 << 20            # bytes a client may be behind before its playback waits
STALLED_S = 10.0                # a client that takes nothing for so long is disconnected
QUIET_S = 0.1                   # without another request for so long, a client has asked for what it wants
SNAPSHOT_WAIT_S = 10.0          # how long a REST request waits until the playback has come to the recorded answer
HEARTBEAT_S = 30.0              # from one WebSocket ping to the next


class Player:
    """Serves one recording, until it is cancelled; at the end a connection stays open and is silent.

    Parameters: recording -- what to serve. host, port -- where to listen; port 0 takes any free one.
                speed -- how many times faster than recorded; `math.inf` for as fast as the client reads.
                loop -- at the end, close the connection with 1012: who connects again hears it again.
                ssl_context -- serve wss:// and https:// with it.
    """

    def __init__(self, recording: Recording, *, host: str = "127.0.0.1", port: int = 0, speed: float = 1.0,
                 loop: bool = False, ssl_context: SSLContext | None = None):
        if not speed > 0:
            raise ValueError(f"speed {speed}: expected a number above 0")
        self.recording = recording
        self.speed = speed
        self.loop = loop
        self.url = ""               # set by `start`
        self.sent = 0               # messages written so far, to all clients
        self.dropped = 0            # clients disconnected because they did not read
        self.clients: set[Client] = set()
        self._host, self._port, self._ssl = host, port, ssl_context
        self._runner: web.AppRunner | None = None
        spec = recording.spec
        by_path: dict[str, set[str]] = {}
        for root, address in spec.roots.items():
            by_path.setdefault(_path(address), set()).add(root)
        # Addresses of today that serve nothing of what was recorded; others may be those of older forms.
        self._silent = {path for path, roots in by_path.items() if recording.roots and not roots & recording.roots}
        self._plain = {_whole(address + spec.connect_path(())) for address in spec.roots.values()}

    async def start(self) -> str:
        """Listen. Returns: the URL, "ws://127.0.0.1:40001". Raises: PortError."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._get)
        self._runner, self.url = await listen(app, self._host, self._port, self._ssl)
        return self.url

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Close every connection with 1001 and stop listening. Again is no harm."""
        await asyncio.gather(*(client.close(WSCloseCode.GOING_AWAY, b"going away") for client in self.clients))
        if self._runner is not None:
            await self._runner.cleanup()

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        return await self._rest(request.path_qs)

    # ---- WebSocket

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False, timeout=1.0, heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        if request.transport is None:
            return socket               # gone before the handshake was through
        client = Client(socket, request.transport)
        if self.recording.names_in_address and _whole(request.path_qs) not in self._plain:
            client.begin.set()          # the address has named the streams
        self.clients.add(client)
        if _path(request.path_qs) not in self._silent:
            client.playing = asyncio.create_task(self._perform(client))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await self._hear(client, message.data)
        except ConnectionError:
            pass                        # the client went away while it was being answered
        finally:
            self.clients.discard(client)
            await client.end()
        return socket

    async def _hear(self, client: Client, text: str) -> None:
        """Take a text of the client: a ping, an answer to a ping, or a request."""
        recording = self.recording
        if recording.is_ping(text):
            await client.send(recording.pong(text))
            return
        if text in recording.spec.greeting or text in client.replies:
            return
        words = recording.words(text)
        if "unsub" in text.lower():     # in whatever words: every venue's has this in it
            client.words -= words       # whoever leaves a stream and asks for it again wants its beginning
        elif client.begin.is_set() and not words <= client.words:
            await client.close(WSCloseCode.SERVICE_RESTART, b"what was asked for begins with the recording")
            return
        else:
            client.words |= words
            client.channels |= recording.channels(words)
        client.asked.append(monotonic())
        client.heard.set()
        await client.send(recording.ack(text))

    async def _all_asked(self, client: Client) -> None:
        """Return when the client has made its first requests; those that hold back for the venue's limit included."""
        rate = self.recording.spec.limits.messages_per_second
        burst, span = (max(1, int(rate) - 1), 1.0) if rate >= 2 else (1, 1 / rate if rate else 0.0)
        heard = asyncio.create_task(client.heard.wait())
        begin = asyncio.create_task(client.begin.wait())
        try:
            await asyncio.wait((heard, begin), return_when=asyncio.FIRST_COMPLETED)
        finally:
            heard.cancel()
            begin.cancel()
        while not client.begin.is_set():
            last = client.asked[-1]
            recent = sum(at > last - span for at in client.asked)
            left = last + QUIET_S + (span if recent >= burst else 0.0) - monotonic()
            if left <= 0:
                client.begin.set()
            await asyncio.sleep(max(left, 0.0))

    async def _perform(self, client: Client) -> None:
        """Play the recording to a client, as soon as it has asked for something."""
        try:
            await self._all_asked(client)
            await self._play(client)
            if self.loop:
                await client.close(WSCloseCode.SERVICE_RESTART, b"the recording starts over")
        except (CaptureError, OSError) as error:        # a file that has changed, or is gone
            log.error("the playback ends here: %s", error)
            await client.close(WSCloseCode.INTERNAL_ERROR, b"the recording cannot be read further")

    async def _play(self, client: Client) -> None:
        began, speed = monotonic(), self.speed
        parts: list[bytes] = []
        for step in self.recording.steps():
            if speed != math.inf:
                early = began + step.at_ns / 1e9 / speed - monotonic()
                if early > 0:
                    await self._write(client, parts)
                    await asyncio.sleep(early)
            if step.opcode == ANSWER:
                await self._write(client, parts)        # an answer never tells more than the frames
                client.keep(step)
                continue
            if step.channels and client.channels and not step.channels & client.channels:
                continue
            if step.control is not None and step.control.kind == "ping":
                client.replies.add(step.control.reply)
            parts += (frame_head(step.opcode, len(step.payload)), step.payload)
            if len(parts) >= 2 * BATCH_SIZE:
                await self._write(client, parts)
        await self._write(client, parts)
        client.ended = True

    async def _write(self, client: Client, parts: list[bytes]) -> None:
        """Write frames, and wait while the client is far behind; one that does not read at all is disconnected."""
        if parts:
            client.transport.write(b"".join(parts))
            self.sent += len(parts) // 2
            parts.clear()
        await asyncio.sleep(0)
        least, since = client.behind, monotonic()
        while (behind := client.behind) > MAX_BEHIND:
            if behind < least:
                least, since = behind, monotonic()
            elif monotonic() - since > STALLED_S:
                self.dropped += 1
                client.transport.abort()
            await asyncio.sleep(0.0005)

    # ---- REST

    async def _rest(self, path: str) -> web.Response:
        recording = self.recording
        body = recording.instruments.get(path)
        if body is not None:
            return _answer(200, body)
        answer = recording.read_address(path)
        if answer is None or answer.kind != "snapshot":
            return _answer(404, b'{"error":"nothing was recorded at this address"}')
        book = Answer("snapshot", answer.symbol, 0, answer.market)
        if book not in recording.snapshots:
            return _answer(404, b'{"error":"no snapshot of this symbol was recorded"}')
        asked = monotonic()
        while not (holders := [client for client in self.clients if book in client.snapshots]):
            if monotonic() > asked + SNAPSHOT_WAIT_S:
                return _answer(503, b'{"error":"the playback has not come to this snapshot yet"}')
            await asyncio.sleep(0.002)
        # Which connection is that of the client that asks is not known: it is one that has not been answered.
        held = min((client.snapshots[book] for client in holders), key=lambda held: held.given)
        if not held.given or asked <= max(client.snapshots[book].at for client in holders):
            held.given = True
            return _answer(200, held.body)
        await asyncio.gather(*(client.close(WSCloseCode.SERVICE_RESTART, b"the snapshot begins with the recording")
                               for client in holders))
        return _answer(503, b'{"error":"this snapshot is history; the playback begins anew"}')


class Held:
    """A recorded REST snapshot that the playback of one connection has come to.

    It is given once. Who asks again has lost its book, and what was recorded then would not join what it hears now.
    """

    __slots__ = ("body", "at", "given")

    def __init__(self, body: bytes):
        self.body = body
        self.at = monotonic()
        self.given = False


class Client:
    """One connection."""

    def __init__(self, socket: web.WebSocketResponse, transport: Any):
        self.socket = socket
        self.transport = transport
        self.words: set[str] = set()            # what it has asked for, see `Recording.words`
        self.channels = 0                       # the same as channels, see `Recording.channels`; 0: it hears everything
        self.asked: deque[float] = deque(maxlen=1024)   # times of its requests
        self.heard = asyncio.Event()            # it has made a request
        self.begin = asyncio.Event()            # its playback may begin
        self.ended = False                      # its playback is over
        self.replies: set[str] = set()          # what it answers to the pings that it got
        self.snapshots: dict[Answer, Held] = {}
        self.playing: asyncio.Task[None] | None = None

    @property
    def behind(self) -> int:
        """Bytes written but not yet taken by the connection."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def keep(self, step: Step) -> None:
        """The playback has come to a REST answer."""
        answer = step.answer
        hears_books = not self.channels or self.channels & BOOK
        if answer is not None and answer.kind == "snapshot" and hears_books:
            self.snapshots[Answer("snapshot", answer.symbol, 0, answer.market)] = Held(step.payload)

    async def send(self, frame: tuple[int, bytes] | None) -> None:
        """Send one frame, if there is one."""
        if frame is not None:
            opcode, payload = frame
            self.transport.write(frame_head(opcode, len(payload)) + payload)
            await asyncio.sleep(0)

    async def close(self, code: int, reason: bytes) -> None:
        """Stop playing and close the connection, after what was written to it."""
        if self.playing is not asyncio.current_task():
            await self.end()
        deadline = monotonic() + STALLED_S
        while self.behind and monotonic() < deadline:
            await asyncio.sleep(0.001)
        await self.socket.close(code=code, message=reason)

    async def end(self) -> None:
        """Stop playing."""
        if self.playing is not None:
            self.playing.cancel()
            await asyncio.gather(self.playing, return_exceptions=True)


def _path(address: str) -> str:
    """Path of an address or of a request."""
    return urlsplit(address).path.rstrip("/")


def _whole(address: str) -> str:
    """Path and query of an address or of a request."""
    return f"{_path(address)}?{urlsplit(address).query}"


def _answer(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
