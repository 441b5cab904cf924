"""REST requests within what a venue allows, and the snapshots a pipeline asks for.

All requests of a process to one host share one budget: venues count per address, and who exceeds the count is banned.
aiohttp is imported when a `Rest` is made: neither by `import feeds`, nor in the middle of a running feed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from feeds.venue import VenueSpec

if TYPE_CHECKING:
    import ssl as tls

log = logging.getLogger(__name__)

WINDOW_S = 60.0             # over which the venues count weights
LONGEST_WAIT_S = 60.0       # a request waits this long for its turn, a longer ban is an error
DEFAULT_BAN_S = {429: 10.0, 418: 120.0}     # when the answer names no time
MAX_BODY = 64 << 20         # bytes; the largest snapshots known are below 2 MB
EXCERPT = 200               # characters of an error's body that are shown

default_clock: Callable[[], float] = time.monotonic     # of every window that is given none of its own


class RestError(Exception):
    """A REST request that failed for good: `venue`, `url`, `status` (None without an answer), `body` (an excerpt).

    `retry_after_s` is the time the venue asked for, 0 if none.
    """

    def __init__(self, venue: str, url: str, status: int | None, reason: str, body: str = "",
                 retry_after_s: float = 0.0) -> None:
        answer = f" (status {status})" if status is not None else ""
        excerpt = " ".join(body.split())[:EXCERPT]
        super().__init__(f"{venue}: {url}: {reason}{answer}{': ' + excerpt if excerpt else ''}")
        self.venue = venue
        self.url = url
        self.status = status
        self.body = excerpt
        self.retry_after_s = retry_after_s


class Window:
    """Counts weights over the last `seconds`, and says how long to wait before another fits.

    Parameters: limit -- sum of weights allowed in any `seconds`, 0 if there is no limit; clock -- seconds, monotonic;
    None is the one of this module.
    """

    def __init__(self, limit: float, seconds: float = WINDOW_S, clock: Callable[[], float] | None = None) -> None:
        self.limit = limit
        self.seconds = seconds
        self.clock = default_clock if clock is None else clock
        self.blocked_until = 0.0
        self._taken: deque[tuple[float, float]] = deque()       # (time, weight), oldest first
        self._sum = 0.0
        self._lock = threading.Lock()

    @property
    def used(self) -> float:
        """Sum of the weights in the window."""
        with self._lock:
            self._forget(self.clock())
            return self._sum

    @property
    def blocked_s(self) -> float:
        """Seconds until the venue's ban ends, 0 without one."""
        return max(0.0, self.blocked_until - self.clock())

    def take(self, weight: float) -> float:
        """Take `weight` if it fits and return 0, else take nothing and return the seconds to wait before trying."""
        with self._lock:
            now = self.clock()
            if now < self.blocked_until:
                return self.blocked_until - now
            self._forget(now)
            excess = self._sum + weight - self.limit
            if excess <= 0 or not self._taken or not self.limit:    # a weight above the limit takes an empty window
                self._taken.append((now, weight))
                self._sum += weight
                return 0.0
            for at, taken in self._taken:
                excess -= taken
                if excess <= 0:
                    return max(at + self.seconds - now, 0.001)
            return max(self._taken[-1][0] + self.seconds - now, 0.001)

    def count(self, weight: float) -> None:
        """Take `weight` whether it fits or not: it was used already, or cannot wait."""
        with self._lock:
            now = self.clock()
            self._forget(now)
            self._taken.append((now, weight))
            self._sum += weight

    def learn(self, used: float) -> None:
        """The venue says that `used` was taken: others behind the same address count too, so believe the larger."""
        with self._lock:
            now = self.clock()
            self._forget(now)
            if used > self._sum:
                self._taken.append((now, used - self._sum))
                self._sum = used

    def block(self, seconds: float) -> None:
        """Let nothing through for `seconds`."""
        with self._lock:
            self.blocked_until = max(self.blocked_until, self.clock() + seconds)

    async def wait(self, weight: float) -> None:
        """Take `weight`, as soon as it fits."""
        while delay := self.take(weight):
            await asyncio.sleep(delay)

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] <= now - self.seconds:
            self._sum -= self._taken.popleft()[1]


_windows: dict[tuple[str, str], Window] = {}
_windows_lock = threading.Lock()


def shared_window(kind: str, url: str, limit: float, seconds: float = WINDOW_S) -> Window:
    """The process's one window of a kind ("rest", a limit's name) for the host of `url`, made by whoever asks first.

    Parameters: limit, seconds -- as the venue has them; a limit below 1 is one in a longer time.
    """
    key = (kind, urlsplit(url).netloc)
    if 0 < limit < 1:
        limit, seconds = 1, seconds / limit
    with _windows_lock:
        return _windows.setdefault(key, Window(limit, with_slack(seconds)))


def with_slack(seconds: float) -> float:
    """Over how long we count what a venue counts over `seconds`.

    What is sent in one second may arrive in the next one, together with what is sent then.
    """
    return seconds + max(0.25, seconds / 60.0)


class Places:
    """How many connections the process has open to a host.

    Parameters: limit -- how many there may be, 0 is no limit.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a place; False if none is left."""
        with self._lock:
            if self.taken >= self.limit > 0:
                return False
            self.taken += 1
            return True

    def give(self) -> None:
        """Give a place back."""
        with self._lock:
            self.taken -= 1


_places: dict[str, Places] = {}


def shared_places(url: str, limit: int) -> Places:
    """The process's places at the host of `url`, made by whoever asks first."""
    with _windows_lock:
        return _places.setdefault(urlsplit(url).netloc, Places(limit))


def backoff_s(attempt: int, base: float, longest: float) -> float:
    """Seconds to wait before try number `attempt` (1 is the first repetition): doubling, with jitter of a half."""
    return min(longest, base * 2.0 ** min(attempt - 1, 20)) * random.uniform(0.5, 1.0)


def retry_after_s(headers: Mapping[str, str], status: int) -> float:
    """What an answer's Retry-After asks for, in seconds; the header holds seconds or a date."""
    text = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return DEFAULT_BAN_S.get(status, 0.0)


def verified_context() -> tls.SSLContext:
    """What connections are made with unless told otherwise: the system's certificates, a verified name, TLS 1.2 or
    newer, however this Python was built."""
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context


class Rest:
    """REST requests to one venue.

    Parameters: spec -- the venue; rest_url -- scheme and host instead of the venue's own, which may be several; ssl --
    an SSLContext, None means the system's certificates and a verified name; proxy -- a function from an address to the
    proxy by which to ask, None for none. Belongs to one event loop; `close` it.
    """

    tries = 4
    timeout_s = 15.0
    connect_timeout_s = 5.0
    backoff_base_s = 0.5
    backoff_longest_s = 10.0
    max_body = MAX_BODY

    def __init__(self, spec: VenueSpec, rest_url: str | None = None, ssl: tls.SSLContext | None = None,
                 proxy: Callable[[str], str | None] | None = None) -> None:
        import aiohttp

        self.spec = spec
        self.moved_to = None if rest_url is None else rest_url.rstrip("/")
        self.requests = 0
        self.failures = 0
        self._aiohttp = aiohttp
        self._ssl = ssl
        self._proxy = proxy
        self._session: Any = None

    def window(self, url: str | None = None) -> Window:
        """The budget of the host of `url`, None for the one this client mainly talks to. The process has one a host."""
        place = url or self.moved_to or self.spec.rest_url
        return shared_window("rest", place, self.spec.limits.rest_weight_per_minute)

    async def get(self, url: str, weight: float) -> tuple[bytes, int]:
        """Body and arrival time (ns since the Unix epoch) of `url`; waits for its turn in the host's budget.

        Timeouts, lost connections, 5xx, 429 and 418 are tried again, a bounded number of times, with backoff and not
        before Retry-After.
        Raises: RestError.
        """
        for attempt in range(1, self.tries + 1):
            await self._wait_turn(url, weight)
            try:
                return await self._ask("GET", url)
            except RestError as error:
                self.failures += 1
                final = error.status is not None and error.status < 500 and error.status not in (418, 429)
                if final or attempt == self.tries:
                    raise
                log.warning("%s; trying again", error)
                if not error.retry_after_s:     # else the window keeps everybody waiting
                    await asyncio.sleep(backoff_s(attempt, self.backoff_base_s, self.backoff_longest_s))
        raise AssertionError("the last try returns or raises")

    async def post(self, url: str, weight: float, body: bytes = b"") -> bytes:
        """Answer to a POST of a JSON body, or of none; one try. Raises: RestError."""
        await self._wait_turn(url, weight)
        try:
            return (await self._ask("POST", url, body))[0]
        except RestError:
            self.failures += 1
            raise

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _wait_turn(self, url: str, weight: float) -> None:
        window = self.window(url)
        while delay := window.take(weight):
            banned = window.blocked_s
            if banned > LONGEST_WAIT_S:
                raise RestError(self.spec.name, url, None, f"the venue wants no requests for {banned:.0f} s",
                                retry_after_s=banned)
            await asyncio.sleep(delay)
        rate = self.spec.limits.rest_per_second
        if rate:
            await shared_window("rest_per_second", url, rate, 1.0).wait(1)

    async def _ask(self, method: str, url: str, sent: bytes = b"") -> tuple[bytes, int]:
        name = self.spec.name
        aiohttp = self._aiohttp
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self.timeout_s, connect=self.connect_timeout_s)
            connector = aiohttp.TCPConnector(ssl=self._ssl or verified_context())
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        self.requests += 1
        content: dict[str, Any] = {"data": sent, "headers": {"Content-Type": "application/json"}} if sent else {}
        if self._proxy is not None:
            content["proxy"] = self._proxy(url)
        try:
            async with self._session.request(method, url, allow_redirects=False, **content) as answer:
                body = await self._read(answer, url)
                receive_ns = time.time_ns()
                self._learn(answer.headers, url)
                if answer.status == 200:
                    return body, receive_ns
                wait = self._obey(answer, url)
                raise RestError(name, url, answer.status, answer.reason or "refused", body.decode("utf-8", "replace"),
                                wait)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            timed_out = isinstance(error, TimeoutError) and not str(error)
            reason = f"no answer within {self.timeout_s:g} s" if timed_out else f"{type(error).__name__}: {error}"
            raise RestError(name, url, None, reason) from error

    async def _read(self, answer: Any, url: str) -> bytes:
        parts = []
        size = 0
        async for part in answer.content.iter_chunked(1 << 16):
            size += len(part)
            if size > self.max_body:
                raise RestError(self.spec.name, url, answer.status, f"answer of more than {self.max_body} bytes")
            parts.append(part)
        return b"".join(parts)

    def _learn(self, headers: Mapping[str, str], url: str) -> None:
        header = self.spec.limits.weight_header
        used = headers.get(header, "") if header else ""
        if used.isdecimal():
            self.window(url).learn(int(used))

    def _obey(self, answer: Any, url: str) -> float:
        """Seconds the answer told this address to stay away; the whole host is blocked for them."""
        if answer.status not in (418, 429) and "Retry-After" not in answer.headers:
            return 0.0
        wait = retry_after_s(answer.headers, answer.status)
        self.window(url).block(wait)
        return wait


class TakesAnswers(Protocol):
    """The part of a Pipeline that takes REST answers."""

    def rest(self, url: str, body: bytes, receive_ns: int = 0) -> Any: ...


class Snapshots:
    """Fetches the snapshots a pipeline wants: each symbol once at a time, a few symbols at a time, in its order.

    Parameters: pipeline, rest -- where the wants come from and how they are met; market -- of a venue with several;
    levels -- symbol -> levels a side to ask for, 0: as many as the venue's SPEC says.
    A snapshot that does not satisfy is wanted again, and then waits longer each time.
    """

    at_once = 8
    backoff_base_s = 0.25
    backoff_longest_s = 30.0

    def __init__(self, pipeline: TakesAnswers, rest: Rest, market: str = "",
                 levels: Callable[[str], int] = lambda symbol: 0) -> None:
        self.pipeline = pipeline
        self.rest = rest
        self.market = market
        self.levels = levels
        self.fetched = 0
        self.failed: dict[str, str] = {}                    # symbol -> the last error, while its snapshot is wanted
        self._tasks: dict[str, asyncio.Task[None]] = {}     # symbol -> its request
        self._attempts: dict[str, int] = {}                 # symbol -> requests made for the want that still stands
        self._not_before: dict[str, float] = {}             # symbol -> loop time

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    @property
    def is_full(self) -> bool:
        """True while `poll` could begin nothing."""
        return len(self._tasks) >= self.at_once

    def poll(self, symbols: Sequence[str]) -> None:
        """Start requests for `symbols`, what is wanted now, as far as limits and backoff allow."""
        wanted = set(symbols)
        for symbol in [symbol for symbol in self._attempts if symbol not in wanted and symbol not in self._tasks]:
            del self._attempts[symbol]
            self._not_before.pop(symbol, None)
            self.failed.pop(symbol, None)
        now = asyncio.get_running_loop().time()
        for symbol in symbols:
            if len(self._tasks) >= self.at_once:
                return
            if symbol not in self._tasks and self._not_before.get(symbol, 0.0) <= now:
                self._attempts[symbol] = self._attempts.get(symbol, 0) + 1
                self._tasks[symbol] = asyncio.create_task(self._fetch(symbol), name=f"snapshot {symbol}")

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, symbol: str) -> None:
        spec = self.rest.spec
        limit = self.levels(symbol) or spec.snapshot_limit
        url = spec.snapshot_url(symbol, self.rest.moved_to, limit, self.market)
        wait = backoff_s(self._attempts[symbol], self.backoff_base_s, self.backoff_longest_s)
        try:
            body, receive_ns = await self.rest.get(url, spec.snapshot_weight(limit))
            self.fetched += 1
            self.failed.pop(symbol, None)
            self.pipeline.rest(spec.snapshot_url(symbol, None, limit, self.market), body, receive_ns)
        except RestError as error:
            wait = max(wait, error.retry_after_s)
            if error.status is not None and 400 <= error.status < 500 and not error.retry_after_s:
                wait = self.backoff_longest_s       # a symbol the venue does not know will not appear in a second
            self.failed[symbol] = str(error)
            log.warning("no snapshot of %s, next try in %.1f s: %s", symbol, wait, error)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s: a handler raised while the snapshot of %s was applied", spec.name, symbol)
        finally:
            self._not_before[symbol] = asyncio.get_running_loop().time() + wait
            del self._tasks[symbol]
