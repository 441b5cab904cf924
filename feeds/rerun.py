"""Replay: what was recorded goes through a `Pipeline` again, and the handler cannot tell it from a live feed.

    result = feeds.replay("capture.ws.gz", handler)             # to the end, as fast as it goes
    for event in feeds.replay("session/", speed=10): ...        # ten times the recorded pace
    async for event in feeds.replay("session/", start="2026-11-22T10:00Z"): ...

A recording makes the same calls to its pipeline as the live feed did, so it comes to the same books. A capture of the
text format is read by the rules of `feeds.figures`: it cannot answer a request for a new snapshot.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from feeds.figures import Digests, symbol_figures
from feeds.readers import EventQueue
from feeds.recording.reader import is_recording
from feeds.sources import FOREVER, Captures, Recorded, Source, SymbolError

__all__ = ["RangeError", "Rerun", "SymbolError", "moment_text", "read_moment", "replay"]

PathText = str | PathLike[str]
Moment = datetime | str | int

STEPS = 200             # in which a replay tells its progress
TURN_S = 0.005          # for how long an `async for` keeps the loop to itself


class RangeError(ValueError):
    """Nothing was recorded in the time that was asked for; the message says in which time something was."""


def read_moment(moment: Moment) -> int:
    """A moment as ns since the Unix epoch: a datetime with a time zone, ISO text (UTC where it tells no zone), or ns.

    Raises: ValueError.
    """
    if isinstance(moment, int):
        return moment
    if isinstance(moment, str):
        if moment.isascii() and moment.isdigit() and len(moment) > 8:
            return int(moment)
        try:
            told = datetime.fromisoformat(moment)
        except ValueError:
            raise ValueError(f"expected a time like 2026-11-22T10:00:00Z, or ns since 1970, not {moment!r}") from None
        moment = told if told.tzinfo is not None else told.replace(tzinfo=UTC)
    if moment.tzinfo is None:
        raise ValueError(f"expected a time with its zone, not {moment!r}: datetime(..., tzinfo=UTC)")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10 ** 9 + since.microseconds * 1000


def moment_text(ns: int) -> str:
    """ISO text of ns since the Unix epoch, in UTC."""
    return f"{datetime.fromtimestamp(ns // 10 ** 9, UTC):%Y-%m-%dT%H:%M:%S}.{ns % 10 ** 9:09d}Z"


def replay(path: PathText | Sequence[PathText], handler: object = None, *, start: Moment | None = None,
           end: Moment | None = None, symbols: str | Iterable[str] | None = None,
           speed: float | str | None = None, venue: str | None = None, market: str | None = None,
           wire: str | None = None) -> Rerun:
    """Replay a recording, a capture of the text format, or several of one venue one after the other.

    With a handler (as `feeds.connect` takes it) it runs to the end and the `Rerun` that comes back has the result;
    without one the `Rerun` is to be iterated over, by `for` or `async for`: copies of events, as a live feed gives
    them, the Book itself where a book changed.
    Parameters: start, end -- from `start` on, and before `end`: a datetime with a time zone, ISO text, or ns since the
    Unix epoch. The books are at `start` what they were then; nothing before it is told. symbols -- nothing but these.
    speed -- times the recorded pace; None or "max": as fast as it goes. venue, market -- of a recording of several;
    of a capture whose folder is not named after the venue, or where the venue has several markets. wire -- of a
    capture, where the venue has several forms.
    Raises: RecordingError, CaptureError for what cannot be read: at once where nothing can, else after all that can be
    was told. RangeError, SymbolError (both name what there is), VenueUnclear, UnknownVenue, UnsupportedChannel,
    ValueError.
    """
    rerun = Rerun(path, handler, start=start, end=end, symbols=symbols, speed=speed, venue=venue, market=market,
                  wire=wire)
    if handler is not None:
        rerun.run()
    return rerun


class Rerun:
    """A replay: see `replay`. It runs once.

    `pipeline` has the books; `messages`, `bytes`, `seconds` (inside the pipeline) and `losses` are those of the time
    that was asked for; `first_ns` and `last_ns` are the times of the first and last record so far, 0 before it began.
    """

    def __init__(self, path: PathText | Sequence[PathText], handler: object = None, *,
                 start: Moment | None = None, end: Moment | None = None, symbols: str | Iterable[str] | None = None,
                 speed: float | str | None = None, venue: str | None = None, market: str | None = None,
                 wire: str | None = None, digests: bool = False):
        paths = [path] if isinstance(path, str | PathLike) else list(path)
        if not paths:
            raise ValueError("expected a capture or a recording, not none at all")
        self.start_ns = None if start is None else read_moment(start)
        self.end_ns = FOREVER if end is None else read_moment(end)
        if self.start_ns is not None and self.start_ns >= self.end_ns:
            raise RangeError(f"expected an end after the start {moment_text(self.start_ns)}, not "
                             f"{moment_text(self.end_ns)}")
        self.speed = read_pace(speed)
        self._source = source_of(paths, venue, market, wire)
        self._source.on_reset = self._carry_over
        wanted = [symbols] if isinstance(symbols, str) else None if symbols is None else list(symbols)
        self.pipeline = self._source.pipeline(wanted)
        self._handler = handler
        self._queue: EventQueue | None = None
        self._digests = Digests() if digests else None
        self._before: dict[str, dict[str, Any]] = {}
        self._skipped = (0, 0, 0, 0)
        self._errors_before = 0
        self._begun = False
        self.first_ns = self.last_ns = 0

    # ---- running

    def run(self, on_progress: Callable[[float], object] | None = None) -> Rerun:
        """Play to the end; a pace is kept by sleeping. Raises: see `replay`, and what the handler raises.

        Parameters: on_progress -- told the share of the time that is over, now and then; not of a capture, whose end
        is not known before.
        """
        span = self._source.span() if isinstance(self._source, Recorded) and on_progress is not None else None
        if span is None or on_progress is None:
            span = (0, FOREVER)
        first = max(span[0], self.start_ns or 0)
        whole = max(min(span[1], self.end_ns) - first, 1)
        for wait_s in self._course(max(whole // STEPS, 1)):
            if on_progress is not None and span[1] != FOREVER:
                on_progress(min(max(self.last_ns - first, 0) / whole, 1.0))
            if wait_s:
                time.sleep(wait_s)
        return self

    def __iter__(self) -> Iterator[Any]:
        queue = self._events()
        for wait_s in self._course():
            if wait_s:
                time.sleep(wait_s)
            while queue:
                yield queue.take()

    async def __aiter__(self) -> AsyncIterator[Any]:
        queue = self._events()
        turn = time.monotonic()
        for wait_s in self._course():
            if wait_s or time.monotonic() - turn > TURN_S:
                await asyncio.sleep(wait_s)
                turn = time.monotonic()
            while queue:
                yield queue.take()

    def _events(self) -> EventQueue:
        if self._handler is not None:
            raise RuntimeError("a replay with a handler hands its events to that handler; iterating needs one without")
        self._handler = self._queue = EventQueue(1 << 62, lambda: None, clock=lambda: 0.0)
        return self._queue

    def _course(self, step_ns: int = FOREVER) -> Iterator[float]:
        """Play what is due, bit by bit; yields how many seconds are to be waited before the next.

        step_ns -- recorded time that is played at once, at most.
        """
        if self._begun:
            raise RuntimeError("this replay has run; call replay() for another one")
        self._begun = True
        source, pipeline = self._source, self.pipeline
        try:
            if self.start_ns is not None:
                source.seek(pipeline, self.start_ns)
                self._errors_before = pipeline.counters["errors"]
                self._before = {symbol: pipeline.symbol_stats(symbol) for symbol in pipeline.books}
            self._skipped = (source.messages, source.bytes, source.spent_ns, source.lines)
            pipeline.handler = self._handler
            if self._digests is not None:
                pipeline.on_applied = self._digests.on_applied
            pace: tuple[int, int] | None = None         # our clock and the recorded time when it began
            while (at := source.next_ns()) is not None and at < self.end_ns:
                until = min(self.end_ns, at + step_ns)
                self.first_ns = self.first_ns or at
                if self.speed is not None:
                    now = time.monotonic_ns()
                    pace = pace or (now, at)
                    due = pace[1] + int((now - pace[0]) * self.speed)
                    if at > due:
                        yield (at - due) / self.speed / 1e9
                        continue
                    until = min(until, due + 1)
                source.play(pipeline, until, self._queue)
                self.last_ns = pipeline.now_ns
                pipeline.flush()
                yield 0.0
            if source.next_ns() is None:        # what cannot be read may stand behind the last record
                source.play(pipeline, self.end_ns, self._queue)
                yield 0.0
        finally:
            source.close()
        if source.failures:
            raise source.failures[0]
        if source.lines == self._skipped[3] and (self.start_ns is not None or self.end_ns != FOREVER):
            raise self._nothing()

    def _nothing(self) -> RangeError:
        asked = " ".join(filter(None, (
            "" if self.start_ns is None else f"from {moment_text(self.start_ns)}",
            "" if self.end_ns == FOREVER else f"before {moment_text(self.end_ns)}")))
        span = self._source.span()
        there = "nothing at all" if span is None else f"records from {moment_text(span[0])} to {moment_text(span[1])}"
        return RangeError(f"{', '.join(self.files)}: nothing {asked}; there are {there}")

    # ---- what came of it

    def _carry_over(self) -> None:
        """Figures of the books are about to begin anew: what they are now is to be added in the end."""
        self._errors_before -= self.pipeline.counters["errors"]
        for symbol in self.pipeline.books:
            stats = self.pipeline.symbol_stats(symbol)
            before = self._before.get(symbol) or {"qty_scale": stats["qty_scale"]}
            self._before[symbol] = {key: before.get(key, 0) - count for key, count in stats.items()
                                    if isinstance(count, int)}
            scale = max(stats["qty_scale"], before["qty_scale"])
            self._before[symbol] |= {"qty_scale": scale, "trade_qty": (
                before.get("trade_qty", 0) * 10 ** (scale - before["qty_scale"])
                - stats["trade_qty"] * 10 ** (scale - stats["qty_scale"]))}

    @property
    def files(self) -> list[str]:
        """What is replayed."""
        return self._source.files

    @property
    def messages(self) -> int:
        """Frames received, in the time that was asked for."""
        return self._source.messages - self._skipped[0]

    @property
    def bytes(self) -> int:
        """Payload bytes of these, as they came over the wire."""
        return self._source.bytes - self._skipped[1]

    @property
    def seconds(self) -> float:
        """Time spent inside the pipeline for them."""
        return (self._source.spent_ns - self._skipped[2]) / 1e9

    @property
    def lines(self) -> int:
        """Records of any kind."""
        return self._source.lines - self._skipped[3]

    @property
    def losses(self) -> list[tuple[int, int, int]]:
        """What the recorder had to leave out: (messages, first ns, last ns) of each loss."""
        first = FOREVER if self.start_ns is None else self.start_ns
        return [loss for loss in self._source.losses if loss[2] >= first or self.start_ns is None]

    @property
    def failures(self) -> list[Exception]:
        """What could not be read; the first of them is raised at the end."""
        return self._source.failures

    @property
    def errors(self) -> int:
        """Messages that were not understood, and files that could not be read to their end."""
        return self.pipeline.counters["errors"] - self._errors_before + len(self._source.failures)

    def document(self) -> dict[str, Any]:
        """Everything as one JSON-ready document, as that of `feeds.figures.Replay`; counts are those of the time that
        was asked for."""
        span, last_error = self._source.span(), self.pipeline.last_error
        return {
            "files": self.files,
            "venue": self.pipeline.venue,
            "market": self.pipeline.market,
            "start": None if self.start_ns is None else moment_text(self.start_ns),
            "end": None if self.end_ns == FOREVER else moment_text(self.end_ns),
            "first": None if span is None else moment_text(span[0]),
            "last": None if span is None else moment_text(span[1]),
            "lines": self.lines,
            "messages": self.messages,
            "bytes": self.bytes,
            "seconds": self.seconds,
            "errors": self.errors,
            "last_error": None if last_error is None else str(last_error),
            "losses": sum(loss[0] for loss in self.losses),
            "symbols": {symbol: symbol_figures(self.pipeline, symbol, self._digests, self._before.get(symbol))
                        for symbol in sorted(self.pipeline.books)},
        }


def read_pace(speed: float | str | None) -> float | None:
    """Times the recorded pace; None: as fast as it goes. Raises: ValueError."""
    if speed is None or speed == "max" or speed == math.inf:
        return None
    if isinstance(speed, str) or not speed > 0:
        raise ValueError(f"expected a speed above 0, or 'max', not {speed!r}")
    return float(speed)


def source_of(paths: Sequence[PathText], venue: str | None, market: str | None, wire: str | None) -> Source:
    """What is to be replayed. Raises: see `replay`."""
    files = [fspath(path) for path in paths]
    return (Recorded if is_recorded(files) else Captures)(files, venue, market, wire)


def is_recorded(files: Sequence[str]) -> bool:
    """Whether these are recordings, and not captures. Raises: ValueError if some are, and some are not."""
    recorded = [Path(file).is_dir() or is_recording(file) for file in files]
    if any(recorded) and not all(recorded):
        raise ValueError(f"expected recordings or captures, not both: {', '.join(files)}")
    return any(recorded)
