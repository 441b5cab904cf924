"""The life of one line: connect, subscribe, keep alive, back off, connect again.

Market data does not pass through here, it goes from the line straight into the pipeline.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from feeds.plan import connect_url
from feeds.rest import Window, backoff_s, shared_window
from feeds.transport import Line, open_line
from feeds.venue import Control, Stream

if TYPE_CHECKING:
    from feeds.session import Feed

log = logging.getLogger(__name__)

SUMMED = ("frames", "messages", "bytes", "batches", "pings", "handler_errors")      # of a Line


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that decide how a feed reacts."""

    first: float = 20.0             # until every first connection has to be open
    connect: float = 10.0           # for one attempt: name, connection, TLS and upgrade
    backoff: float = 0.25           # before the first new attempt, then doubling
    backoff_longest: float = 30.0
    steady: float = 10.0            # a connection that lasted so long starts the backoff anew
    ack: float = 10.0               # until an answer to a request is missing
    pong: float = 10.0              # from our ping to giving the line up
    close: float = 2.0              # for saying goodbye
    renew: float = 5.0              # between two resubscriptions of one symbol
    silent: float = 30.0            # until a symbol without a book is reported
    look: float = 0.02              # between two looks at what the pipeline wants
    check: float = 0.5              # between two looks at a line's health


class Request(NamedTuple):
    """A request to the venue."""

    subscribing: bool       # else it unsubscribes
    streams: set[str]
    deadline: float         # loop time after which its answer is missing


class Connection:
    """One line of a feed, through all its connections to `address`.

    `streams` is what it is for, by name: `add` and `remove` change it, and the venue is asked for the difference.
    """

    request_tries = 3

    def __init__(self, feed: Feed, number: int, address: str) -> None:
        self.feed = feed
        self.number = number
        self.address = address
        self.streams: dict[str, Stream] = {}
        self.changed = asyncio.Event()
        self.ready = asyncio.Event()        # has been open at least once
        self.line: Line | None = None       # the open line, None between two of them
        self.opened_at = 0.0                # loop time of its opening
        self.confirmed: set[str] = set()    # streams the venue has accepted
        self.refused: dict[str, str] = {}   # stream -> the venue's words
        self.opens = 0
        self.failures = 0
        self.missing_acks = 0
        self.ended = ""                     # why the last line ended, or could not be opened
        self._asked: set[str] = set()       # streams asked for on this line
        self._renew: set[str] = set()       # streams to be unsubscribed and subscribed again
        self._pending: dict[int | None, Request] = {}   # request id -> what waits for its answer
        self._tries: dict[str, int] = {}    # stream -> requests without an answer
        self._totals: dict[str, int] = {}   # figures of the lines before this one
        self._at_once = False               # the next attempt is part of the plan and needs no backoff
        self._task: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return f"{self.feed.spec.name} line {self.number}"

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=str(self))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def renew(self, names: Iterable[str]) -> None:
        """Unsubscribe and subscribe again: how some venues are asked for a new snapshot."""
        self._renew.update(name for name in names if name in self._asked)
        self.changed.set()

    def reconnect(self, reason: str) -> None:
        """Leave the line for a new one, at once."""
        if self.line is not None and not self._at_once:
            log.info("%s: %s, connecting anew", self, reason)
            self._at_once = True
            self.ended = reason
            self.line.close()

    def add(self, stream: Stream) -> None:
        """Take on a stream."""
        self.streams[stream.name] = stream
        self.refused.pop(stream.name, None)
        self._tries.pop(stream.name, None)
        self.changed.set()

    def remove(self, name: str) -> None:
        """Give up a stream."""
        del self.streams[name]
        if name in self.refused:        # the venue has never begun to send it
            self._asked.discard(name)
        self.changed.set()

    async def _run(self) -> None:
        attempt = 0
        while True:
            opened_at = None
            try:
                opened_at = await self._live()
            except ConnectionError as error:
                self.failures += 1
                self.ended = str(error)
            except Exception as error:      # a fault of ours must not end the line's life in silence
                log.exception("%s: unexpected failure", self)
                self.ended = repr(error)
            now = asyncio.get_running_loop().time()
            if opened_at is not None and now - opened_at >= self.feed.timing.steady:
                attempt = 0
            attempt += 1
            wait = backoff_s(attempt, self.feed.timing.backoff, self.feed.timing.backoff_longest)
            if not self._at_once:
                log.warning("%s: %s; next try in %.1f s", self, self.ended, wait)
            self._at_once = False
            await asyncio.sleep(wait)

    async def _live(self) -> float:
        """One line from its opening to its end; returns the loop time of the opening. Raises: ConnectionError."""
        feed, spec = self.feed, self.feed.spec
        url, by_url = connect_url(spec, self.address, list(self.streams))
        await shared_window("connect", self.address, spec.limits.connections_per_5_minutes, 300.0).wait(1)
        line = await open_line(feed.pipeline, url, self.number, max_message=spec.max_frame_size,
                               ssl_context=feed.ssl_for(url), timeout=feed.timing.connect)
        self.opened_at = opened_at = asyncio.get_running_loop().time()
        self.line = line
        self.opens += 1
        self._asked = set(by_url)
        self.confirmed = set(by_url)
        self.refused.clear()
        self._renew.clear()
        self._pending.clear()
        self._tries.clear()
        self.ready.set()
        log.info("%s: open, %d streams", self, len(self.streams))
        sender = asyncio.create_task(self._send_requests(line), name=f"{self} requests")
        closed = asyncio.create_task(line.wait_closed(), name=f"{self} end")
        try:
            await self._watch(line, closed, opened_at)
        finally:
            self.line = None
            self.confirmed = set()
            self._totals = self._figures(line)
            sender.cancel()
            line.close()
            if not (await asyncio.wait((closed,), timeout=feed.timing.close))[0]:
                line.abort()
            await asyncio.gather(sender, closed, return_exceptions=True)
        if not self._at_once:
            self.ended = f"closed with {line.close_code}{' ' + line.close_reason if line.close_reason else ''}"
        return opened_at

    async def _watch(self, line: Line, closed: asyncio.Task[None], opened_at: float) -> None:
        """Return when the line has ended or has to end."""
        timing, spec = self.feed.timing, self.feed.spec
        # The lifetime is cut short by a random share, so that lines opened together do not all reconnect together.
        replace_at = opened_at + spec.limits.connection_lifetime_s * random.uniform(0.90, 0.98)
        frames, heard, pinged = -1, opened_at, None
        while not (await asyncio.wait((closed,), timeout=timing.check))[0]:
            now = asyncio.get_running_loop().time()
            if line.frames != frames:
                frames, heard, pinged = line.frames, now, None
            elif pinged is None and now - heard > 3 * spec.ping_interval_s:
                line.send_ping()
                pinged = now
            elif pinged is not None and now - pinged > timing.pong:
                log.warning("%s: silent for %.1f s, no answer to a ping", self, now - heard)
                line.abort()
            if now > replace_at:
                self.reconnect("end of the connection's lifetime is near")
            self._miss_answers(now)

    async def _send_requests(self, line: Line) -> None:
        """Bring what was asked for on the line to what the connection is for, within the rate of messages."""
        spec = self.feed.spec
        # One message a second is kept for pings and pongs, which count too.
        window = Window(max(1, int(spec.limits.messages_per_second) - 1), 1.0)
        try:
            while True:
                self.changed.clear()
                while request := self._due():
                    await window.wait(1)
                    subscribing, names = request
                    self._asked = self._asked | names if subscribing else self._asked - names
                    request_id = next(self.feed.request_ids)
                    deadline = asyncio.get_running_loop().time() + self.feed.timing.ack
                    self._pending[request_id] = Request(subscribing, names, deadline)
                    make = spec.subscribe if subscribing else spec.unsubscribe
                    line.send_text(make(sorted(names), request_id))
                await self.changed.wait()
        except ConnectionError:     # the line has ended in between
            pass
        except Exception:
            log.exception("%s: requests failed", self)
            line.abort()

    def _due(self) -> tuple[bool, set[str]] | None:
        """(is it a subscription, streams) of the next request; None if nothing is left to ask for."""
        most = self.feed.spec.limits.streams_per_request
        gone = {name for name in self._asked if name not in self.streams or name in self._renew}
        if gone:
            names = set(itertools.islice(gone, most))
            self._renew -= names
            self.confirmed -= names
            return False, names
        names = set(itertools.islice((name for name in self.streams if name not in self._asked), most))
        return (True, names) if names else None

    def on_control(self, control: Control) -> None:
        """Take an answer or a notice of the venue."""
        if control.kind == "shutdown":
            self.reconnect("the venue announced a shutdown")
            return
        subscribing, names, _ = self._pending.pop(control.request_id, Request(False, set(), 0.0))
        if control.kind == "ack" and subscribing:
            self.confirmed |= names
            for name in names:
                self._tries.pop(name, None)
        elif control.kind == "error":
            text = f"{control.code}: {control.text}"
            log.error("%s: refused %s (%s)", self, text, ", ".join(sorted(names)) or "no request named")
            if subscribing:
                self.refused.update(dict.fromkeys(names, text))
        elif control.kind == "other":
            log.debug("%s: %s", self, control.text[:200])

    def _miss_answers(self, now: float) -> None:
        """Report requests that were not answered in time, and repeat subscriptions a few times."""
        for request_id in [key for key, request in self._pending.items() if now > request.deadline]:
            subscribing, names, _ = self._pending.pop(request_id)
            self.missing_acks += 1
            log.warning("%s: no answer to request %d (%s)", self, request_id, ", ".join(sorted(names)))
            for name in names if subscribing else ():
                self._tries[name] = self._tries.get(name, 0) + 1
                if self._tries[name] < self.request_tries:
                    self._asked.discard(name)
                else:
                    self.refused[name] = f"no answer to {self.request_tries} requests"
            self.changed.set()

    def stats(self) -> dict[str, Any]:
        """Figures of this line, all its connections taken together."""
        line = self.line
        return {"line": self.number, "url": self.address, "open": line is not None and line.is_open,
                "streams": len(self.streams), "confirmed": len(self.confirmed), "opens": self.opens,
                "failures": self.failures, "missing_acks": self.missing_acks, "ended": self.ended,
                **(self._totals if line is None else self._figures(line))}

    def _figures(self, line: Line) -> dict[str, int]:
        """What the lines before have counted and what `line` has."""
        figures = {name: self._totals.get(name, 0) + getattr(line, name) for name in SUMMED}
        for name in ("largest_batch", "last_frame_ns"):
            figures[name] = max(self._totals.get(name, 0), getattr(line, name))
        return figures
