"""A simulated venue's server: WebSocket and REST on one port, for every venue that has a dialect.

There is one market for all clients, and one numbering: whoever comes late is given the book as it is and joins. The
venue's limits hold here as they do there: streams a connection, messages a second, connections in five minutes, REST
weight a minute.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from feeds.simulator.dialect import Ask, Frame, Line
from feeds.simulator.faults import Fault
from feeds.simulator.frames import BINARY, TEXT, frame_head
from feeds.simulator.hall import BookFeed, Feed, Hall
from feeds.simulator.listen import listen

BATCH_SIZE = 32                 # things that happen before others have their turn
MOST_BEHIND_NS = 1_000_000_000  # of the clock; on a machine that cannot keep its pace the market goes on more slowly
MAX_BUFFERED = 1 << 25          # bytes a client may be behind; then it is disconnected, as a venue does
LONGEST_SLEEP_S = 0.05
PING_S = 20.0
FIVE_MINUTES_S = 300.0
MAX_REQUEST = 1 << 20           # bytes


class Exchange:
    """Serves one hall, until it is cancelled.

    Parameters: hall -- what is traded and told. host, port -- where to listen; port 0 takes any free one.
                speed -- how many times faster than the clock. limits -- hold the venue's limits.
                ssl_context -- serve wss:// and https:// with it. clock -- seconds; None: the event loop's.
    """

    def __init__(self, hall: Hall, *, host: str = "127.0.0.1", port: int = 0, speed: float = 1.0, limits: bool = True,
                 ssl_context: SSLContext | None = None, clock: Callable[[], float] | None = None):
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed {speed}: expected a number above 0")
        self.hall = hall
        self.speed = speed
        self.url = ""               # set by `start`
        self.sent = 0               # frames written so far, to all clients
        self.dropped = 0            # clients disconnected because they were too slow, or silent for too long
        self.refused = 0            # requests and connections beyond a limit
        self.clients: set[Client] = set()
        self._host, self._port, self._ssl = host, port, ssl_context
        self._limits = hall.spec.limits if limits else None
        self._given_clock = clock
        self._runner: web.AppRunner | None = None
        self._connected: deque[float] = deque()
        self._weights: deque[tuple[float, float]] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        self._roots: dict[str, str] = {}            # path -> root
        for root, address in hall.spec.roots.items():
            self._roots.setdefault(_path(address + hall.spec.connect_path(())), root)
            self._roots.setdefault(_path(address), root)

    def clock(self) -> float:
        """The time that limits are counted by, s."""
        return self._given_clock() if self._given_clock is not None else asyncio.get_running_loop().time()

    async def start(self) -> str:
        """Listen. Returns: the URL, "ws://127.0.0.1:40001". Raises: PortError."""
        app = web.Application(client_max_size=MAX_REQUEST)
        app.router.add_route("*", "/{path:.*}", self._get)
        self._runner, self.url = await listen(app, self._host, self._port, self._ssl)
        dialect = self.hall.dialect
        self._tasks = [asyncio.create_task(self._beat(interval, say)) for interval, say in (
            (dialect.beat_s, self._say_beat), (PING_S if dialect.pings else 0.0, self._say_ping),
            (dialect.silence_s / 4, self._watch_silence)) if interval]
        return self.url

    async def run(self) -> None:
        """Serve until cancelled, and close every connection with 1001 then."""
        hall = self.hall
        clock, origin = self.clock(), hall.next_ns
        try:
            while True:
                now = origin + int((self.clock() - clock) * 1e9 * self.speed)
                if (behind := now - hall.next_ns) > MOST_BEHIND_NS:     # making up for it would leave nobody a turn
                    origin -= behind
                    now -= behind
                for _ in range(BATCH_SIZE):
                    if hall.next_ns > now:
                        break
                    for feed, events in hall.step():
                        self._tell(feed, events)
                early = (hall.next_ns - now) / (1e9 * self.speed)
                await asyncio.sleep(min(max(early, 0.0), LONGEST_SLEEP_S))
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Close every connection with 1001 and stop listening. Again is no harm."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(client.socket.close(code=WSCloseCode.GOING_AWAY, message=b"going away")
                               for client in list(self.clients)), return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def strike(self, fault: Fault) -> None:
        """Let a fault of the venue itself happen; see `faults.VENUE_KINDS`."""
        hall = self.hall
        if fault.kind == "delist":
            hall.delist(fault.match)
        elif fault.kind == "clock_jump":
            hall.jump(fault.seconds)
        else:
            hall.renumber()
            for client in list(self.clients):
                self.clients.discard(client)
                self._tasks.append(asyncio.create_task(self._leave(client)))

    async def _leave(self, client: Client) -> None:
        with suppress(ConnectionError):
            await client.socket.close(code=WSCloseCode.SERVICE_RESTART, message=b"the venue starts anew")

    # ---- what is told

    def _tell(self, feed: Feed, events: list[Any]) -> None:
        """Write what has happened to everybody who hears this stream."""
        hall, dialect = self.hall, self.hall.dialect
        frames: list[Frame] | None = None
        for client in list(self.clients):
            if feed.stream.name not in client.names or hall.place(feed.stream.root) != client.place:
                continue
            if frames is None or dialect.by_line:
                frames = dialect.encode(feed.stream, events, client.line)
            self.send(client, frames)

    def send(self, client: Client, frames: Iterable[Frame]) -> None:
        """Write frames to a client; one that has fallen far behind is disconnected."""
        parts: list[bytes] = []
        for frame in frames:
            opcode, payload = (TEXT, frame.encode()) if isinstance(frame, str) else (BINARY, frame)
            parts += (frame_head(opcode, len(payload)), payload)
        if parts and not client.transport.is_closing():
            client.transport.write(b"".join(parts))
            self.sent += len(parts) // 2
            if client.transport.get_write_buffer_size() > MAX_BUFFERED:
                self._drop(client)

    def _drop(self, client: Client) -> None:
        self.dropped += 1
        self.clients.discard(client)
        client.transport.abort()

    async def _beat(self, interval_s: float, say: Callable[[Client], Any]) -> None:
        """Let something be said to every client, again and again."""
        while True:
            await asyncio.sleep(interval_s)
            for client in list(self.clients):
                with suppress(ConnectionError):
                    await say(client)

    async def _say_beat(self, client: Client) -> None:
        self.send(client, self.hall.dialect.beat(client.line, self.hall.next_ns))

    async def _say_ping(self, client: Client) -> None:
        await client.socket.ping()

    async def _watch_silence(self, client: Client) -> None:
        if self.clock() - client.heard_s > self.hall.dialect.silence_s:
            self.clients.discard(client)
            self.dropped += 1
            await client.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"no message for too long")

    # ---- requests

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        return self._rest(request, await request.text())

    def _rest(self, request: web.Request, asked: str) -> web.Response:
        spec, url = self.hall.spec, str(request.rel_url)
        answer = spec.read_address(spec.rest_url + url + (f"#{asked}" if asked else ""))
        weight = spec.snapshot_weight(answer.limit) if answer is not None and answer.kind == "snapshot" else 1
        now = self.clock()
        while self._weights and self._weights[0][0] <= now - 60:
            self._weights.popleft()
        allowed = self._limits.rest_weight_per_minute if self._limits is not None else 0
        if allowed and sum(used for _, used in self._weights) + weight > allowed:
            self.refused += 1
            wait = int(self._weights[0][0] + 61 - now) if self._weights else 60
            return web.Response(status=429, headers={"Retry-After": str(wait)},
                                text=json.dumps({"error": f"more than {allowed} weight a minute"}))
        self._weights.append((now, weight))
        query = {**request.query, "server": self.url, "body": asked}
        found = self.hall.dialect.rest(request.method, request.path, query, self.hall)
        if found is None:
            return web.Response(status=404, text=json.dumps({"error": f"{spec.name} has nothing at {request.path}"}))
        status, body = found
        return web.Response(status=status, body=body, content_type="application/json")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        spec = self.hall.spec
        root = self._roots.get(_path(str(request.rel_url)))
        named = self.hall.dialect.named_by(request.path_qs)
        if root is None and not named:
            return web.Response(status=404, text=f"{spec.name} serves no WebSocket at {request.path}")
        if self._too_many_connections():
            self.refused += 1
            return web.Response(status=429, headers={"Retry-After": "60"}, text="too many connections")
        socket = web.WebSocketResponse(compress=False, timeout=1.0, max_msg_size=MAX_REQUEST)
        await socket.prepare(request)
        if request.transport is None:
            return socket               # gone before the handshake was through
        client = Client(socket, request.transport, Line(root or next(iter(spec.roots))), self.clock())
        client.place = self.hall.place(client.line.root)
        self.clients.add(client)
        self.send(client, self.hall.dialect.greet(client.line))
        if named:
            self._subscribe(client, Ask("subscribe", tuple(named)), quietly=True)
        try:
            async for message in socket:
                client.heard_s = self.clock()
                if message.type == WSMsgType.TEXT and not await self._hear(client, message.data):
                    break
        except ConnectionError:
            pass                        # the client went away while it was being answered
        finally:
            self.clients.discard(client)
        return socket

    def _too_many_connections(self) -> bool:
        now, times = self.clock(), self._connected
        while times and times[0] <= now - FIVE_MINUTES_S:
            times.popleft()
        if self._limits is not None and len(times) >= self._limits.connections_per_5_minutes > 0:
            return True
        times.append(now)
        return False

    async def _hear(self, client: Client, text: str) -> bool:
        """Do what a client wants. Returns: False if its connection was closed for it."""
        dialect, limits = self.hall.dialect, self._limits
        now = self.clock()
        if limits is not None and limits.messages_per_second and client.too_fast(now, limits.messages_per_second):
            self.refused += 1
            self.send(client, dialect.too_much("messages", client.line))
            await client.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"too many messages a second")
            return False
        for ask in dialect.read(text, client.line):
            if ask.kind == "subscribe":
                if not self._subscribe(client, ask):
                    await client.socket.close(code=WSCloseCode.POLICY_VIOLATION)
                    return False
            elif ask.kind == "unsubscribe":
                heard = [name for name in ask.names if name in client.names]
                self.send(client, dialect.answer(ask, heard, [n for n in ask.names if n not in heard], client.line))
                for name in heard:
                    del client.names[name]
            elif ask.kind == "snapshot":
                self._show(client, ask.names, books=True)
            else:
                self.send(client, ask.frames)
                if ask.kind == "close":
                    await client.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the venue hangs up")
                    return False
        return True

    def _subscribe(self, client: Client, ask: Ask, quietly: bool = False) -> bool:
        """Take what the venue has, refuse what it has not, and show how things stand. False: the venue hangs up."""
        hall, limits = self.hall, self._limits
        known = [name for name in dict.fromkeys(ask.names) if hall.streams(name, client.line.root)]
        unknown = [name for name in ask.names if name not in known]
        if unknown and hall.dialect.hangs_up:
            return False
        if unknown and hall.dialect.all_or_nothing:
            known = []
        most = limits.streams_per_connection if limits is not None else 0
        if most and len(client.names.keys() | set(known)) > most:
            self.refused += 1
            self.send(client, hall.dialect.too_much("streams", client.line))
            return True
        if not quietly:
            self.send(client, hall.dialect.answer(ask, known, unknown, client.line))
        client.names.update(dict.fromkeys(known))
        self._show(client, known)
        return True

    def _show(self, client: Client, names: Iterable[str], books: bool = False) -> None:
        """Send what a stream begins with, or its book in any case."""
        for name in names:
            for feed in self.hall.open(name, client.line.root):
                events = [feed.snapshot()] if books and isinstance(feed, BookFeed) else feed.opening()
                if events:
                    self.send(client, self.hall.dialect.encode(feed.stream, events, client.line))


class Client:
    """One connection: what it hears."""

    def __init__(self, socket: web.WebSocketResponse, transport: Any, line: Line, now_s: float):
        self.socket = socket
        self.transport = transport
        self.line = line
        self.names: dict[str, None] = {}
        self.place = ""                         # see `Hall.place`
        self.heard_s = now_s                    # when it last said something
        self._times: deque[float] = deque()

    def too_fast(self, now_s: float, rate: float) -> bool:
        """Count a message; True if there are more than the rate allows, counted over a second or over one message."""
        span, most = max(1.0, 1.0 / rate), max(1, int(rate))
        while self._times and self._times[0] <= now_s - span:
            self._times.popleft()
        self._times.append(now_s)
        return len(self._times) > most + 1      # clocks of two machines differ by a message


def _path(address: str) -> str:
    """Path of an address or of a request."""
    return urlsplit(address).path.rstrip("/")
