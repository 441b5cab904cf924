"""The venue's server, on this machine: WebSocket streams and REST answers on one port, from one `Source`.

There is one clock for all clients: whoever comes late joins in mid-stream. Messages are framed once for all clients
that asked for the same streams, and written as one piece; that is how one core serves a few hundred thousand a second.
The venue's limits hold here as they do there, for all clients together where they are an address's.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from feeds.simulator.listen import listen
from feeds.simulator.packed import MARK
from feeds.simulator.source import NoSnapshot, Route, Source, UnknownSymbol
from feeds.venues.dialects import DIALECTS, ack, request_error, rest_error

BATCH_SIZE = 512                # messages written in one go
MAX_BEHIND = 1 << 20            # bytes a client may be behind before everybody waits for it, where nothing paces
MAX_BUFFERED = 1 << 25          # bytes a client may be behind at all; then it is disconnected, as a venue does
STALLED_S = 10.0                # a client that takes nothing for so long is disconnected
SNAPSHOT_WAIT_S = 10.0          # how long a REST request waits for the first snapshot of a capture
LONGEST_SLEEP_S = 0.05
FOREVER_NS = 1 << 62
FIVE_MINUTES_S = 300.0
REFUSALS_BORNE = 20             # REST requests in one minute beyond its weight; one more and the address is banned
FIRST_BAN_S, LONGEST_BAN_S = 120.0, 3 * 86_400.0

_HEADERS = [bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big") for size in range(1 << 16)]
_TEXT, _BINARY, _PACKED = b"\x81", b"\x82", 0x40          # first byte of a frame; what it has more if it is compressed


class Server:
    """Serves one source.

    Parameters: source -- what to serve. host, port -- where to listen; port 0 takes any free one.
                speed -- how many times faster than recorded; `math.inf` for as fast as the clients read.
                loop -- start over at the end (clients are disconnected first, as numbers begin anew).
                wait -- let the clock stand until the first stream is asked for; None: only where nothing paces.
                ssl_context -- serve wss:// and https:// with it. limits -- hold the venue's limits.
                compression -- compress messages for clients that offer permessage-deflate.
                clock -- seconds; None: the event loop's.
    """

    def __init__(self, source: Source, *, host: str = "127.0.0.1", port: int = 0, speed: float = 1.0,
                 loop: bool = False, wait: bool | None = None, ssl_context: SSLContext | None = None,
                 limits: bool = True, compression: bool = False, clock: Callable[[], float] | None = None):
        if not speed > 0:
            raise ValueError(f"speed {speed}: expected a number above 0")
        self.source = source
        self.speed = speed
        self.loop = loop
        self.wait = speed == math.inf if wait is None else wait
        self.compression = compression
        self.url = ""               # set by `start`
        self.sent = 0               # messages written so far, to all clients
        self.dropped = 0            # clients disconnected because they were too slow
        self.refused: Counter[str] = Counter()  # limit -> how often somebody was beyond it
        self.clients: set[Client] = set()
        self.limits = limits
        self._clock = clock
        self._connected: deque[float] = deque() # times of the connections of the last five minutes
        self._refusals = 0                      # REST requests refused in this minute
        self._banned_until = 0.0
        self._ban_s = FIRST_BAN_S               # how long the next ban lasts
        self._dialect = DIALECTS[source.venue]
        self._host, self._port, self._ssl = host, port, ssl_context
        self._runner: web.AppRunner | None = None
        self._wanted = asyncio.Event()          # somebody asks for a stream
        self._weight = 0                        # REST weight used in this minute
        self._minute = -1
        self._pinger: asyncio.Task[None] | None = None

    def clock(self) -> float:
        """The time that everything here goes by, s."""
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    async def start(self) -> str:
        """Listen. Returns: the URL, "ws://127.0.0.1:40001". Raises: PortError."""
        app = web.Application()
        prefix = self._dialect.rest_prefix
        app.router.add_get(prefix + "/depth", self._depth)
        app.router.add_get(prefix + "/exchangeInfo", self._exchange_info)
        for root in self._dialect.roots:
            base = f"/{root}" if root else ""
            app.router.add_get(base + "/ws", self._socket)
            app.router.add_get(base + "/ws/{names:.+}", self._socket)
            app.router.add_get(base + "/stream", self._socket)
        self._runner, self.url = await listen(app, self._host, self._port, self._ssl)
        self._pinger = asyncio.create_task(self._ping())
        return self.url

    async def run(self) -> None:
        """Play until the source ends, and close every connection with 1001. Cancel it to stop earlier."""
        try:
            while True:
                if self.wait:
                    await self._wanted.wait()
                await self._play()
                if not self.loop or self.source.endless:
                    break
                await self._hang_up()
                self._wanted.clear()
                self.source.rewind()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Close every connection with 1001 and stop listening. Again is no harm."""
        if self._pinger is not None:
            self._pinger.cancel()
        await self._hang_up()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _play(self) -> None:
        source, speed = self.source, self.speed
        began = self.clock()
        origin = source.next_ns or 0
        while (due := source.next_ns) is not None:
            if speed == math.inf:
                if source.endless and not self.clients:
                    self._wanted.clear()
                    await self._wanted.wait()
                self._send(source.take(FOREVER_NS, BATCH_SIZE))
                await self._readers()
                continue
            now = origin + int((self.clock() - began) * 1e9 * speed)
            if due <= now:
                self._send(source.take(now, BATCH_SIZE))
                await asyncio.sleep(0)
            else:
                source.idle()
                await asyncio.sleep(min((due - now) / (1e9 * speed), LONGEST_SLEEP_S))

    def _send(self, items: list[tuple[Route, bytes]]) -> None:
        """Write messages to everybody who asked for them."""
        groups: dict[object, list[Client]] = {}
        for client in self.clients:
            if client.names:
                groups.setdefault(client.view_key, []).append(client)
        for clients in groups.values():
            count, data = clients[0].view.framed(items, clients[0].packer)
            if not data:
                continue
            for client in clients:
                client.transport.write(data)
                self.sent += count
                if client.behind > MAX_BUFFERED:
                    self._drop(client)

    async def _readers(self) -> None:
        """Let the clients read until none is far behind; one that does not read at all is disconnected."""
        await asyncio.sleep(0)
        best = None
        while behind := [client for client in self.clients if client.behind > MAX_BEHIND]:
            left = sum(client.behind for client in behind)
            now = self.clock()
            if best is None or left < best:
                best, since = left, now
            elif now - since > STALLED_S:
                for client in behind:
                    self._drop(client)
            await asyncio.sleep(0.0005)

    def _drop(self, client: Client) -> None:
        self.dropped += 1
        self.clients.discard(client)
        client.transport.abort()

    async def _hang_up(self) -> None:
        """Close every connection, after what was written to it."""
        clients = list(self.clients)
        deadline = self.clock() + STALLED_S
        while any(client.behind for client in clients) and self.clock() < deadline:
            await asyncio.sleep(0.001)
        closing = [client.socket.close(code=WSCloseCode.GOING_AWAY, message=b"going away") for client in clients]
        await asyncio.gather(*closing, return_exceptions=True)

    async def _ping(self) -> None:
        """Ping every client at the venue's pace, and hang up on those that do not answer."""
        while True:
            await asyncio.sleep(self._dialect.ping_s)
            now = self.clock()
            for client in list(self.clients):
                if now - client.pong_s > self._dialect.pong_timeout_s:
                    self._drop(client)
                    continue
                with suppress(ConnectionError):
                    await client.socket.ping(b"%d" % int(now * 1000))

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        root = request.path.split("/")[1]
        root = root if root in self._dialect.roots else ""
        combined = request.path.endswith("/stream")
        names = request.query.get("streams", "") if combined else request.match_info.get("names", "")
        if self._too_many_connections():
            return self._answer(429, rest_error(-1003, "Too many connection attempts."), {"Retry-After": "60"})
        form = self._dialect.binary
        binary = form is not None and form.KEY_HEADER in request.headers
        if binary and not self.source.endless:
            return web.Response(status=404, text="recorded traffic has no binary form")
        socket = web.WebSocketResponse(autoping=False, compress=self.compression, timeout=1.0, max_msg_size=1 << 16)
        await socket.prepare(request)
        if request.transport is None:
            return socket               # gone before the handshake was through
        client = Client(self, socket, request.transport, root, combined, binary)
        if socket.compress:
            offered = request.headers.get("Sec-WebSocket-Extensions", "")
            client.pack(int(socket.compress), "server_no_context_takeover" not in offered)
        self.clients.add(client)
        try:
            asked = [name for name in names.split("/") if name]
            if self.limits and len(set(asked)) > self._dialect.streams_per_connection:
                await self._end(client, "streams_per_connection", b"Too many streams")
                return socket
            client.subscribe(asked)
            async for message in socket:
                if client.is_too_fast(self.clock()):
                    await self._end(client, "messages_per_second", b"Too many requests")
                    break
                if message.type == WSMsgType.TEXT:
                    await client.say(client.answer(message.data))
                elif message.type == WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type == WSMsgType.PONG:
                    client.pong_s = self.clock()
        except ConnectionError:
            pass                        # the client went away while it was being answered
        finally:
            self.clients.discard(client)
        return socket

    async def _end(self, client: Client, limit: str, reason: bytes) -> None:
        """Disconnect a client that is beyond a limit."""
        self.refused[limit] += 1
        self.clients.discard(client)
        await client.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=reason)

    def wanted(self) -> None:
        """Somebody asked for a stream: a clock that waited for that may run."""
        self._wanted.set()

    def _too_many_connections(self) -> bool:
        """Count an attempt to connect; True if there were too many in five minutes."""
        now, times = self.clock(), self._connected
        while times and times[0] <= now - FIVE_MINUTES_S:
            times.popleft()
        times.append(now)
        if not self.limits or len(times) <= self._dialect.connections_per_5_minutes:
            return False
        self.refused["connections_per_5_minutes"] += 1
        return True

    def _weigh(self, weight: int) -> web.Response | None:
        """Count the weight of a request; the answer that refuses it, if the minute's budget is used up.

        Who goes on all the same is banned: for two minutes, and for twice as long each time.
        """
        now = self.clock()
        minute, second = divmod(int(now), 60)
        if minute != self._minute:
            self._minute, self._weight, self._refusals = minute, 0, 0
        self._weight += weight
        allowed = self._dialect.weight_per_minute
        banned = now < self._banned_until
        if not self.limits or (self._weight <= allowed and not banned):
            return None
        self.refused["rest_weight_per_minute"] += 1
        self._refusals += 1
        if self._refusals > REFUSALS_BORNE and not banned:
            self._banned_until = now + self._ban_s
            self._ban_s = min(2 * self._ban_s, LONGEST_BAN_S)
            banned = True
        if banned:
            until_ms = int((time.time() + self._banned_until - now) * 1000)
            return self._answer(418, rest_error(-1003, f"Way too many requests; IP banned until {until_ms}."),
                                {"Retry-After": str(math.ceil(self._banned_until - now))})
        text = f"Too many requests; current limit of IP is {allowed} requests per minute."
        return self._answer(429, rest_error(-1003, text), {"Retry-After": str(60 - second)})

    def _answer(self, status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
        headers = {**(headers or {}), "X-MBX-USED-WEIGHT-1M": str(self._weight)}
        return web.Response(status=status, text=text, content_type="application/json", headers=headers)

    async def _exchange_info(self, request: web.Request) -> web.Response:
        refusal = self._weigh(self._dialect.list_weight)
        text = self.source.instruments()
        if refusal is not None:
            return refusal
        return self._answer(200, text) if text else self._answer(404, rest_error(-1000, "no instrument list here"))

    async def _depth(self, request: web.Request) -> web.Response:
        dialect = self._dialect
        text = request.query.get("limit", str(dialect.default_limit))
        limit = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
        refusal = self._weigh(dialect.weight(limit))
        if refusal is not None:
            return refusal
        symbol = request.query.get("symbol")
        if not symbol:
            return self._answer(400, rest_error(
                -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."))
        if not limit:
            return self._answer(400, rest_error(-1100, "Illegal characters found in parameter 'limit'."))
        if dialect.depth_limits and limit not in dialect.depth_limits:
            return self._answer(400, rest_error(-4021, f"'{limit}' is not valid depth limit."))
        limit = min(limit, dialect.limit_weights[-1][0])
        deadline = self.clock() + SNAPSHOT_WAIT_S
        try:
            while (body := self.source.snapshot(symbol, limit)) is None:
                if self.clock() > deadline:
                    return self._answer(503, rest_error(-1001, f"no book of {symbol} yet"))
                await asyncio.sleep(0.002)
        except UnknownSymbol:
            return self._answer(400, rest_error(-1121, "Invalid symbol."))
        except NoSnapshot:
            return self._answer(503, rest_error(-1001, f"the capture has no snapshot of {symbol}"))
        return self._answer(200, body)


class Client:
    """One connection: what it asked for, and in which form."""

    def __init__(self, server: Server, socket: web.WebSocketResponse, transport: Any, root: str, combined: bool,
                 binary: bool = False):
        self.socket = socket
        self.packer: Packer | None = None       # what compresses for it
        self.transport = transport
        self.names: dict[str, None] = {}        # streams asked for, in that order; also those that stay silent
        self.view_key: object = None            # equal for clients that get the same bytes
        self.view: View
        self.pong_s = server.clock()
        self._server = server
        self._root = root
        self._combined = combined
        self._heard: deque[float] = deque()     # times of the messages of the last second
        self._binary = binary
        self._look()

    def pack(self, window_bits: int, takeover: bool) -> None:
        """Compress what is sent from now on."""
        self.packer = Packer(window_bits, takeover)
        self._look()

    async def say(self, text: str) -> None:
        """Send an answer; it is not compressed."""
        if self.packer is None:
            await self.socket.send_str(text)
        else:
            data = text.encode()
            self.transport.write(_TEXT + header_of(len(data)) + data)

    @property
    def behind(self) -> int:
        """Bytes written but not yet taken by the connection."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def subscribe(self, names: Any) -> None:
        """Ask for streams. Unknown ones are kept, and stay silent."""
        self.names.update(dict.fromkeys(names))
        self._look()
        if self.names:
            self._server.wanted()

    def is_too_fast(self, now: float) -> bool:
        """Count a message of the client; True if there were too many in a second."""
        times = self._heard
        while times and times[0] <= now - 1.0:
            times.popleft()
        times.append(now)
        return self._server.limits and len(times) > self._server._dialect.messages_per_second

    def _look(self) -> None:
        server = self._server
        served = [name for name in self.names if self._binary or server._dialect.serves(self._root, name)]
        self.view = View(served, self._combined, server.source, self._binary)
        self.view_key = (self._combined, self._binary, frozenset(served), self.packer)

    def _over(self, method: str, params: list[str]) -> str:
        """The limit that a request is beyond, "" if none."""
        dialect = self._server._dialect
        if not self._server.limits:
            return ""
        if len(params) > dialect.streams_per_request:
            return "streams_per_request"
        if method == "SUBSCRIBE" and len(self.names.keys() | params) > dialect.streams_per_connection:
            return "streams_per_connection"
        return ""

    def answer(self, text: str) -> str:
        """Carry out a request, and give the venue's answer to it."""
        try:
            request = json.loads(text)
        except ValueError as error:
            return request_error(3, f"Invalid JSON: {error}")
        if not isinstance(request, dict):
            return request_error(2, "Invalid request: request must be a JSON object")
        request_id = request.get("id")
        method, params = request.get("method"), request.get("params")
        params = params if isinstance(params, list) else []
        if isinstance(request_id, bool | float | list | dict):
            return request_error(2, "Invalid request: request ID must be an integer, a string or null")
        if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            if not params or not all(isinstance(name, str) for name in params):
                return request_error(2, "Invalid request: params must be a non-empty array of strings", request_id)
            limit = self._over(method, params)
            if limit:
                self._server.refused[limit] += 1
                return request_error(2, f"Invalid request: too many streams ({limit})", request_id)
            if method == "SUBSCRIBE":
                self.subscribe(params)
            else:
                for name in params:
                    self.names.pop(name, None)
                self._look()
            return ack(request_id)
        if method == "LIST_SUBSCRIPTIONS":
            return ack(request_id, list(self.names))
        if method == "SET_PROPERTY" and params[:1] == ["combined"] and params[1:] in ([True], [False]):
            self._combined = params[1]
            self._look()
            return ack(request_id)
        if method == "GET_PROPERTY" and params == ["combined"]:
            return ack(request_id, self._combined)
        return request_error(2, f"Invalid request: unknown method or params of {method!r}", request_id)


class Packer:
    """Compresses the messages of one connection."""

    def __init__(self, window_bits: int, takeover: bool):
        self._bits, self._takeover = window_bits, takeover
        self._state = zlib.compressobj(1, zlib.DEFLATED, -window_bits)

    def pack(self, payload: bytes) -> bytes:
        """One message as it goes over the wire."""
        data = self._state.compress(payload) + self._state.flush(zlib.Z_SYNC_FLUSH)
        if not self._takeover:
            self._state = zlib.compressobj(1, zlib.DEFLATED, -self._bits)
        return data[:-4]


def header_of(size: int) -> bytes:
    """What stands between the first byte of a frame and its payload."""
    return _HEADERS[size] if size < 1 << 16 else b"\x7f" + size.to_bytes(8, "big")


class View:
    """The streams one or more clients see, and how their messages are wrapped."""

    def __init__(self, names: list[str], combined: bool, source: Source, binary: bool = False):
        self._combined = combined and not binary    # binary messages are never wrapped
        self._first = _BINARY if binary else _TEXT
        self._names: dict[str, list[str]] = {}      # topic -> names under which it was asked for
        for name in names:
            topic = source.resolve(name + MARK if binary else name.replace(MARK, ""))
            if topic is not None:
                self._names.setdefault(topic, []).append(name)
        self._plans: dict[Route, tuple[bytes | None, ...]] = {}

    def _plan(self, route: Route) -> tuple[bytes | None, ...]:
        """What to write before the data, once for every name; None: the message goes out as it came."""
        names = self._names.get(route.topic, [])
        plan: tuple[bytes | None, ...] = ()
        if names and not self._combined:
            plan = (b"" if route.cut else None,)
        elif names:
            plan = tuple(None if route.cut and name == route.name else f'{{"stream":"{name}","data":'.encode()
                         for name in names)
        self._plans[route] = plan
        return plan

    def framed(self, items: list[tuple[Route, bytes]], packer: Packer | None = None) -> tuple[int, bytes]:
        """How many of the messages belong to this view, and all of them as WebSocket frames."""
        parts: list[bytes] = []
        plans = self._plans
        first = self._first if packer is None else bytes((self._first[0] | _PACKED,))
        for route, payload in items:
            plan = plans.get(route)
            for prefix in self._plan(route) if plan is None else plan:
                if prefix is None:
                    text = payload
                else:
                    data = payload[route.cut:-1] if route.cut else payload
                    text = prefix + data + b"}" if prefix else data
                if packer is not None:
                    text = packer.pack(text)
                parts += (first, header_of(len(text)), text)
        return len(parts) // 3, b"".join(parts)
