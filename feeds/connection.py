"""The life of one line: connect, greet, subscribe, keep alive, back off, connect again.

Market data does not pass through here, it goes from the line straight into the pipeline. What has been asked for and
answered is kept in `feeds.requests`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feeds.plan import connect_url, moved
from feeds.requests import SNAPSHOT, SUBSCRIBE, Requests
from feeds.rest import RestError, Window, backoff_s, shared_places, shared_window, with_slack
from feeds.transport import Line, open_line
from feeds.venue import ERRORS, Control, Stream, VenueError

if TYPE_CHECKING:
    from feeds.session import Feed

log = logging.getLogger(__name__)

SUMMED = ("frames", "messages", "bytes", "wire_bytes", "batches", "pings", "handler_errors")      # of a Line


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
    renew: float = 5.0              # between two renewals of one book, doubling while they do not last
    silent: float = 30.0            # until a symbol without a book is reported, and its stream renewed
    look: float = 0.02              # between two looks at what the pipeline wants
    check: float = 0.5              # between two looks at a line's health
    overlap: float = 1.0            # that a line and its successor carry the same before the first one goes
    judge: float = 1.0              # between two looks at how long books have been silent


class Connection:
    """One line of a feed, through all its connections to one root of the venue.

    `requests.streams` is what it is for: `add` and `remove` change it, and the venue is asked for the difference.
    """

    def __init__(self, feed: Feed, number: int, root: str) -> None:
        self.feed = feed
        self.number = number
        self.root = root
        self.address = moved(feed.spec.roots[root], feed.url)
        self.requests = Requests(feed.spec)
        self.changed = asyncio.Event()      # there may be something to ask for
        self.ready = asyncio.Event()        # has been open at least once
        self.line: Line | None = None       # the open line, None between two of them
        self.window = Window(0)             # messages on the line, within the venue's rate
        self.operations = Window(0)         # its requests to subscribe or unsubscribe, within those of an hour
        self.opens = 0
        self.failures = 0
        self.missing_acks = 0
        self.turn: float | None = None      # loop time at which the venue's limits first let us connect
        self.ended = ""                     # why the last line ended, or could not be opened
        self.retired = False                # another has taken over, its number is free
        self._limited = 0                   # refusals for too many requests in a row
        self._totals: dict[str, int] = {}   # figures of the lines before this one
        self._early: list[Control] | None = None        # what has come while a line is being opened
        self._leaving = ""                  # why we end the line ourselves
        self._at_once = False               # the next attempt is part of the plan and needs no warning
        self._task: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return f"{self.feed.spec.name} line {self.number}"

    def start(self) -> None:
        """Begin to connect, and to keep connected; again is no harm."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=str(self))

    async def wait_ready(self, timeout: float) -> None:
        """Return when the connection has been open. Raises: TimeoutError so long after it was its turn to connect."""
        now = asyncio.get_running_loop().time
        while not self.ready.is_set():
            left = timeout if self.turn is None else self.turn + timeout - now()
            if left <= 0:
                raise TimeoutError
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self.ready.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def succeed(self, other: Connection, reason: str) -> None:
        """Take over the figures of a connection that this one is the successor of."""
        self.opens += other.opens
        self.failures += other.failures
        self.missing_acks += other.missing_acks
        self.ended = reason
        totals = other._totals if other.line is None else other._figures(other.line)
        for name, count in totals.items():
            mine = self._totals.get(name, 0)
            self._totals[name] = mine + count if name in SUMMED else max(mine, count)

    # ---- what the feed asks for

    def add(self, stream: Stream) -> None:
        """Take on a stream."""
        self.requests.add(stream)
        self.changed.set()

    def remove(self, name: str) -> None:
        """Give up a stream."""
        self.requests.remove(name)
        self.changed.set()

    def renew(self, names: Iterable[str]) -> None:
        """Unsubscribe and subscribe again: how some venues are asked for a new snapshot."""
        self.requests.renew(names)
        self.changed.set()

    def request_snapshot(self, name: str) -> None:
        """Ask for a new snapshot in the way of venues that take requests for it on the line."""
        self.requests.want_snapshot(name)
        self.changed.set()

    def reconnect(self, reason: str, *, at_once: bool = True) -> None:
        """Leave the line for a new one, which is part of the plan (`at_once`) or the way out of trouble."""
        if self.line is None or self._leaving:
            return
        self._at_once = at_once
        self._leaving = reason
        if at_once:
            log.info("%s: %s, connecting anew", self, reason)
        self.line.close()

    # ---- from one line to the next

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
        limits = self.feed.spec.limits
        places = shared_places(self.address, limits.connections)
        if not places.take():
            self._has_turn()
            raise ConnectionError(f"{self.address}: {places.taken} connections of this program are open, and the venue "
                                  f"allows no more at a time")
        try:
            for name, most, seconds in limits.opening:
                await shared_window(name, self.address, most, seconds).wait(1)
            self._has_turn()
            return await self._live_in_place()
        finally:
            places.give()

    def _has_turn(self) -> None:
        if self.turn is None:
            self.turn = asyncio.get_running_loop().time()

    async def _live_in_place(self) -> float:
        """`_live` while the connection counts as open."""
        feed, spec = self.feed, self.feed.spec
        known = [name for name in self.requests.streams if name not in self.requests.refused]
        url, by_url = connect_url(spec, await self._place(), known)
        early = self._early = []
        try:
            line = await open_line(feed.pipeline, url, self.number, max_message=spec.max_frame_size,
                                   ssl_context=feed.ssl_for(url), timeout=feed.timing.connect,
                                   headers=feed.headers, compression=feed.compression, proxy=feed.proxy_for(url),
                                   address=connect_url(spec, self.address, known)[0])
        finally:
            self._early = None
        opened_at = asyncio.get_running_loop().time()
        self._begin(line, by_url, opened_at)
        sender = asyncio.create_task(self._send_requests(line), name=f"{self} requests")
        closed = asyncio.create_task(line.wait_closed(), name=f"{self} end")
        try:
            for control in early:
                self.on_control(control)
            await self._watch(line, closed, opened_at)
        finally:
            self.line = None
            if self._leaving:
                self.requests.confirmed = set()
            else:
                for name in self.requests.lost(asyncio.get_running_loop().time()):
                    log.error("%s: %s: %s", self, name, self.requests.refused[name])
            self._totals = self._figures(line)
            sender.cancel()
            line.close()
            if not (await asyncio.wait((closed,), timeout=feed.timing.close))[0]:
                line.abort()
            await asyncio.gather(sender, closed, return_exceptions=True)
        self.ended = self._leaving or f"closed with {line.close_code} {line.close_reason}".rstrip()
        return opened_at

    async def _place(self) -> str:
        """Where to connect. Some venues tell it in the answer to a REST request. Raises: ConnectionError."""
        feed = self.feed
        handshake = feed.spec.handshake.get(self.root)
        if handshake is None or not feed.shakes_hands:
            return self.address
        url = moved(handshake.url, feed.rest.moved_to)
        try:
            async with asyncio.timeout(feed.timing.connect):
                address = handshake.read(await feed.rest.post(url, 1), next(feed.request_ids))
        except TimeoutError:
            raise ConnectionError(f"{url}: no answer within {feed.timing.connect:g} s") from None
        except RestError as error:
            raise ConnectionError(str(error)) from error
        except ValueError as error:
            raise ConnectionError(f"{url}: the answer does not tell where to connect: {error}") from error
        return moved(address, feed.url)

    def _begin(self, line: Line, by_url: Iterable[str], now: float) -> None:
        """Start clean on a line that has just been opened."""
        spec = self.feed.spec
        self.window = message_window(spec.limits.messages_per_second)
        self.operations = Window(spec.limits.operations_per_hour, with_slack(3600.0))
        self.line = line
        self.opens += 1
        self._leaving = ""
        self._limited = 0
        self.requests.begin(by_url, now, self.feed.timing.ack)
        for text in spec.greeting:
            self._say(text)
        if self.feed.paused:
            line.pause()
        self.ready.set()
        log.info("%s: open, %d streams", self, len(self.requests.streams))

    async def _watch(self, line: Line, closed: asyncio.Task[None], opened_at: float) -> None:
        """Return when the line has ended or has to end."""
        timing, spec = self.feed.timing, self.feed.spec
        # The lifetime is cut short by a random share, so that lines opened together do not all reconnect together.
        lifetime = spec.limits.connection_lifetime_s or float("inf")
        replace_at = opened_at + lifetime * random.uniform(0.90, 0.98)
        patience = 3 * spec.ping_interval_s
        ping = spec.pings.get(self.root, spec.ping)     # a text, or what makes one
        ours = bool(ping) or spec.ping_frames       # it is us who keep the line alive
        frames, heard = -1, opened_at
        pinged = opened_at          # when we pinged last as a matter of routine
        asked: float | None = None  # when we pinged last because of a long silence
        while not (await asyncio.wait((closed,), timeout=timing.check))[0]:
            now = asyncio.get_running_loop().time()
            if line.frames != frames or line.paused:        # a line that is not read says nothing
                frames, heard, asked = line.frames, now, None
            elif now - heard > patience if ours else asked is not None and now - asked > timing.pong:
                self._leaving = self._leaving or f"silent for {now - heard:.1f} s"
                line.abort()
            elif not ours and asked is None and now - heard > patience:
                self._ping("")
                asked = now
            if ours and now - pinged >= spec.ping_interval_s:
                self._ping(ping() if callable(ping) else ping)
                pinged = now
            if now > replace_at:
                self.feed.replace(self, "end of the connection's lifetime is near", 0.02 * lifetime)
            self._miss_answers(now)

    def probe(self) -> None:
        """Ping the venue, in its own way: what comes back shows that the line is alive."""
        ping = self.feed.spec.pings.get(self.root, self.feed.spec.ping)
        with suppress(ConnectionError):
            self._ping(ping() if callable(ping) else ping)

    def _ping(self, text: str) -> None:
        """Send the venue's own ping, or a WebSocket ping if it has none."""
        if text:
            self._say(text)
        elif self.line is not None:
            self.window.count(1)
            self.line.send_ping()

    def _say(self, text: str) -> None:
        """Send what cannot wait for its turn; it counts as a message all the same."""
        line = self.line
        if line is not None and line.is_open:
            self.window.count(1)
            line.send_text(text)

    # ---- requests and answers

    async def _send_requests(self, line: Line) -> None:
        """Bring what was asked for on the line to what the connection is for, within the rate of messages."""
        try:
            while True:
                self.changed.clear()
                while due := self.requests.due():
                    if due[0] != SNAPSHOT and self.operations.take(1):
                        self.reconnect("it has made all the requests that the venue allows in an hour")
                        return
                    await self.window.wait(1)
                    due = self.requests.due()       # what is due may have changed meanwhile
                    if due is not None:
                        await self._send(line, *due)
                await self.changed.wait()
        except ConnectionError:     # the line has ended in between
            pass
        except Exception:
            log.exception("%s: requests failed", self)
            line.abort()

    async def _send(self, line: Line, what: str, names: list[str]) -> None:
        """Send one request, whose first frame has been waited for."""
        number = next(self.feed.request_ids)
        frames = self.requests.frames(what, names, number)
        stuck = self.requests.note(what, names, number, len(frames), asyncio.get_running_loop().time())
        if stuck:
            self.reconnect(f"a new beginning of {', '.join(sorted(stuck))}, which cannot be unsubscribed")
        for place, frame in enumerate(frames):
            if place:
                await self.window.wait(1)
                if what != SNAPSHOT:
                    self.operations.count(1)
            line.send_text(frame)

    def on_control(self, control: Control) -> None:
        """Take an answer or a notice of the venue."""
        if self._early is not None:
            self._early.append(control)
            return
        if control.reply:
            self._say(control.reply)
        if control.kind == "shutdown":
            self.feed.replace(self, "the venue announced a shutdown")
        elif control.kind == "ack":
            self._limited = 0
            self.requests.accept(control, asyncio.get_running_loop().time())
        elif control.kind == "error":
            self._on_error(control, asyncio.get_running_loop().time())
        elif control.kind == "newer":
            self.feed.on_newer(self, control.text)
        elif control.kind == "foreign":
            self.feed.fall_back(self, control.text)
        elif control.kind == "other":
            log.debug("%s: %s", self, control.text[:200])
        self.changed.set()

    def _on_error(self, control: Control, now: float) -> None:
        """Tell an error, and react to it as its type says."""
        requests, timing = self.requests, self.feed.timing
        found = requests.answered(control)
        named = requests.among(requests.streams, control.streams) if control.streams else set()
        asked: set[str] = set().union(*(names for what, names in found if what == SUBSCRIBE))
        error = ERRORS.get(control.reason, VenueError)(self.feed.spec.name, control.code, control.text)
        self.feed.on_error(self, error, named.union(*(names for _, names in found)))
        if error.reaction == "wait":
            self._limited += 1
            self.window.block(backoff_s(self._limited, timing.backoff, timing.backoff_longest))
            for what, names in found:
                requests.ask_again(what, names, now)
        elif error.reaction == "reconnect":
            self.reconnect(str(error), at_once=False)
        elif error.reaction == "resubscribe" and asked | named:
            requests.ask_again(SUBSCRIBE, asked | named, now)
            self.feed.on_lost(asked | named)
        elif error.reaction == "resubscribe":
            self.reconnect(str(error), at_once=False)
        elif len(asked) > 1 and not (named & asked):
            requests.halve(asked, now)
        elif asked or (error.reaction == "skip" and not found):
            requests.refuse(asked or named, f"{control.code}: {control.text}", error)
            requests.spoil(control.request_id, now)

    def _miss_answers(self, now: float) -> None:
        """Report requests that were not answered in time."""
        for number, what, names in self.requests.overdue(now, self.feed.has_book):
            if what == SUBSCRIBE:
                self.missing_acks += 1
                log.warning("%s: no answer to request %d (%s)", self, number, ", ".join(names))
            else:           # nothing depends on it: a snapshot that does not come is asked for anew
                log.info("%s: no answer to request %d (%s %s)", self, number, what, ", ".join(names))
        self.changed.set()

    # ---- figures

    def stats(self) -> dict[str, Any]:
        """Figures of this line, all its connections taken together."""
        line = self.line
        return {"line": self.number, "url": self.address, "open": line is not None and line.is_open,
                "streams": len(self.requests.streams), "confirmed": len(self.requests.confirmed), "opens": self.opens,
                "failures": self.failures, "missing_acks": self.missing_acks, "ended": self.ended,
                **(self._totals if line is None else self._figures(line))}

    def _figures(self, line: Line) -> dict[str, int]:
        """What the lines before have counted and what `line` has."""
        figures = {name: self._totals.get(name, 0) + getattr(line, name) for name in SUMMED}
        for name in ("largest_batch", "largest_read", "last_frame_ns"):
            figures[name] = max(self._totals.get(name, 0), getattr(line, name))
        return figures


def message_window(rate: float) -> Window:
    """For the messages of a connection that may send `rate` a second, 0: any number.

    One a second is kept for pings and pongs, which count too.
    """
    if rate >= 2:
        return Window(int(rate) - 1, with_slack(1.0))
    return Window(1, 1.0 / rate) if rate else Window(0)
