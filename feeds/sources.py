"""Where a replay's records come from: captures of the text format, or a recording."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import islice
from typing import Protocol

from feeds import checkpoint
from feeds.capture import CaptureError, CaptureReader, Record, check_readable
from feeds.checkpoint import CheckpointError
from feeds.figures import venue_of
from feeds.pipeline import Pipeline
from feeds.readers import EventQueue
from feeds.recording import form
from feeds.recording.acts import act, pipeline_of
from feeds.recording.form import FormError, time_text
from feeds.recording.play import Block, doubt, follow_only
from feeds.recording.reader import Recording, RecordingError, Segment, Session
from feeds.venue import VenueSpec
from feeds.venues import load

log = logging.getLogger(__name__)

FOREVER = (1 << 63) - 1
BATCH = 512             # lines of a capture read in one go
TURN = 4096             # records after which an iteration sees to others, if no event came meanwhile
OF_A_SYMBOL = {"follow": 0, "forget": 0, "lose": 0, "carry": 1}     # call of a recording -> which argument names it


class SymbolError(ValueError):
    """A symbol that was asked for is not in what was recorded; the message has near names."""


class Source(Protocol):
    """Where records come from, in their order."""

    files: list[str]
    venue: str
    messages: int               # frames and bytes that were played so far
    bytes: int
    lines: int                  # records of any kind
    spent_ns: int               # inside the pipeline
    losses: list[tuple[int, int, int]]      # (messages, first ns, last ns) that the recorder had to leave out
    failures: list[Exception]   # what could not be read
    on_reset: Callable[[], object]          # called before the figures of the books begin anew

    def pipeline(self, symbols: Sequence[str] | None) -> Pipeline:
        """A pipeline as it was when the first record came. Raises: SymbolError."""

    def seek(self, pipeline: Pipeline, start_ns: int) -> None:
        """Bring the pipeline to where it was before the first record from `start_ns` on."""

    def next_ns(self) -> int | None:
        """Time of the next record, None if there is none."""

    def play(self, pipeline: Pipeline, until_ns: int, queue: EventQueue | None) -> None:
        """Play the records before `until_ns`, with a `queue` only until an event is in it."""

    def span(self) -> tuple[int, int] | None:
        """Times of the first and the last record, None if there is none."""

    def close(self) -> None:
        """Close what is open."""


def check_symbols(spec: VenueSpec, wanted: Sequence[str], known: Sequence[str], where: str) -> list[str]:
    """The symbols as they are `known`. Raises: SymbolError for the first that is not."""
    by_spelling = {spec.symbol(name): name for name in known} | {name: name for name in known}
    found = []
    for text in wanted:
        symbol = by_spelling.get(text) or by_spelling.get(spec.symbol(text))
        if symbol is None:
            near = [by_spelling[name] for name in get_close_matches(spec.symbol(text), by_spelling, 5)]
            names = ", ".join(list(dict.fromkeys(near))[:3] or known[:3])
            raise SymbolError(f"{where}: no {text}; {f'near: {names}' if known else 'it has no symbols'}")
        found.append(symbol)
    return found


class Captures:
    """Captures of the text format, one after the other, as the source of a replay."""

    def __init__(self, files: list[str], venue: str | None, market: str | None, wire: str | None):
        check_readable(files)
        self.files = files
        self.venue = venue or venue_of(files)
        self.messages = self.bytes = self.lines = self.spent_ns = 0
        self.losses: list[tuple[int, int, int]] = []
        self.failures: list[Exception] = []
        self.on_reset: Callable[[], object] = lambda: None
        self._market, self._wire = market, wire
        # address of a connection -> market, where nobody has said which and the frames do not tell by themselves
        self._market_of = load(self.venue).market_of if market is None else None
        self._first: int | None = None
        self._last = 0
        self._records = self._read()
        self._batch: list[Record] = []
        self._at = 0

    def pipeline(self, symbols: Sequence[str] | None) -> Pipeline:
        if symbols is not None:             # what is in a capture shows when it was read
            known = Captures(self.files, self.venue, self._market, self._wire)
            all_of_it = known.pipeline(None)
            known.play(all_of_it, FOREVER, None)
            symbols = check_symbols(all_of_it.spec, symbols, all_of_it.symbols(), ", ".join(self.files))
        pipeline = Pipeline(self.venue, None, None if symbols is None else (), on_gap="count", market=self._market,
                            wire=self._wire)
        follow_only(pipeline, symbols or ())
        return pipeline

    def seek(self, pipeline: Pipeline, start_ns: int) -> None:
        self.play(pipeline, start_ns, None)

    def _read(self) -> Iterator[Record]:
        """The records of every file; where one cannot be read further, `failures` says why and the next begins."""
        for path in self.files:
            try:
                yield from CaptureReader(path)
            except CaptureError as error:
                self.failures.append(error)

    def next_ns(self) -> int | None:
        if self._at == len(self._batch):
            self._batch = list(islice(self._records, BATCH))
            self._at = 0
            if self._batch:
                self._last = self._batch[-1].recv_ns
                if self._first is None:
                    self._first = self._batch[0].recv_ns
        return self._batch[self._at].recv_ns if self._batch else None

    def span(self) -> tuple[int, int] | None:
        while self.next_ns() is not None:           # the end of a capture is where it ends
            self._at = len(self._batch)
        return None if self._first is None else (self._first, self._last)

    def play(self, pipeline: Pipeline, until_ns: int, queue: EventQueue | None) -> None:
        turn = self.lines + TURN if queue is not None else FOREVER
        while self.next_ns() is not None:
            batch, began = self._batch, time.perf_counter_ns()
            try:
                for at in range(self._at, len(batch)):
                    recv_ns, kind, payload, _, _, size = batch[at]
                    if recv_ns >= until_ns:
                        return
                    self._at = at + 1               # a handler may raise
                    self.lines += 1
                    pipeline.now_ns = recv_ns
                    if kind in "<B":
                        self.messages += 1
                        self.bytes += size
                        pipeline.feed(payload, recv_ns)
                    elif kind == "h":
                        url, _, body = payload.partition(b" ")
                        pipeline.rest(url.decode("utf-8", "replace"), body, recv_ns)
                    elif kind == "=" and self._market_of is not None:
                        market = self._market_of(payload.decode("utf-8", "replace"))
                        if market and market != pipeline.market:
                            pipeline.market = market
                    if queue is not None and (queue or self.lines >= turn):
                        return
            finally:
                self.spent_ns += time.perf_counter_ns() - began

    def close(self) -> None:
        self._records.close()                       # type: ignore[attr-defined]


class Recorded:
    """A recording of one venue and market as the source of a replay; its sessions follow each other.

    Each begins with empty books, and a checkpoint where its first segments are not there. A chunk that cannot be read
    is a loss: every book is STALE until its next snapshot, or the next checkpoint.
    """

    def __init__(self, files: list[str], venue: str | None, market: str | None, wire: str | None):
        self.files = files
        recordings = [Recording(path, venue=venue, market=market) for path in files]
        segments = {segment.path.resolve(): segment for recording in recordings for segment in recording.segments}
        sources = {(segment.about.venue, segment.about.market) for segment in segments.values()}
        if len(sources) > 1:
            known = ", ".join(f"{venue} {market}".strip() for venue, market in sorted(sources))
            raise ValueError(f"{', '.join(files)}: which of {known}? Say it by venue and market")
        recordings[0].segments = sorted(segments.values(), key=lambda segment: (
            segment.about.began_ns, segment.about.session, segment.about.part))
        self.sessions = sorted((session for session in recordings[0].sessions() if session.last_ns),
                               key=lambda session: session.first_ns)
        if not self.sessions:
            raise RecordingError(files[0], "records", "none")
        for one, other in zip(self.sessions, self.sessions[1:], strict=False):
            if other.first_ns <= one.last_ns:
                raise ValueError(f"{', '.join(files)}: two recorders were at work at {time_text(other.first_ns)}; "
                                 f"replay the segments of one of them, from {one.segments[0].path} or "
                                 f"{other.segments[0].path} on")
        about = self.sessions[0].about
        if wire is not None and wire != about.wire:
            raise ValueError(f"{files[0]}: recorded in the wire form {about.wire or 'json'}, not {wire}")
        self.venue = about.venue
        self.messages = self.bytes = self.lines = self.spent_ns = 0
        self.losses: list[tuple[int, int, int]] = []
        self.failures: list[Exception] = []
        self.on_reset: Callable[[], object] = lambda: None
        self._symbols: list[str] | None = None
        self._due: list[Callable[[Pipeline], object]] = []      # what is to be done before the next record
        self._block: Block | None = None
        self._chunk: tuple[Segment, form.Chunk] | None = None
        self._damaged = False           # since then books may be STALE that were not
        self._course = self._walk(0, 0, 0)

    def pipeline(self, symbols: Sequence[str] | None) -> Pipeline:
        about = self.sessions[0].about
        pipeline = pipeline_of(about)
        if symbols is not None:
            self._symbols = check_symbols(pipeline.spec, symbols, self.known(), ", ".join(self.files))
            if about.pipeline.get("all_symbols"):
                pipeline = Pipeline(about.venue, None, (), market=about.market or None, wire=about.wire or None,
                                    on_gap=about.pipeline.get("on_gap", "resync"))
                follow_only(pipeline, self._symbols)
        return pipeline

    def known(self) -> list[str]:
        """The symbols that it has, as the venue writes them."""
        found: dict[str, None] = {}
        for session in self.sessions:
            pipeline = pipeline_of(session.about)
            for segment in session.segments:
                found.update(dict.fromkeys(segment.symbols))
                if not segment.symbols:                         # nobody has written its index
                    for _, data in segment.blocks():
                        play_all(Block(data), pipeline)
            found.update(dict.fromkeys(pipeline.symbols()))
        return list(found)

    # ---- where it stands

    def seek(self, pipeline: Pipeline, start_ns: int) -> None:
        place = max([place for place, session in enumerate(self.sessions) if session.first_ns <= start_ns], default=0)
        for segment, chunk in reversed(self._checkpoints(self.sessions[place], start_ns)):
            try:
                self._restore(pipeline, self.sessions[place].segments[segment], chunk)
            except (CheckpointError, RecordingError) as error:
                log.warning("%s: going further back", error)
                continue
            self._course = self._walk(place, segment, chunk + 1)
            break
        else:
            self._course = self._walk(place, 0, 0)
        self.play(pipeline, start_ns, None)

    @staticmethod
    def _checkpoints(session: Session, start_ns: int) -> list[tuple[int, int]]:
        """(place of the segment, of the chunk) of the checkpoints before which no record is of `start_ns` or later."""
        found = []
        for place, segment in enumerate(session.segments):
            for number, chunk in enumerate(segment.chunks):
                if chunk.kind == form.CHECKPOINT:
                    found.append((place, number))
                elif chunk.kind == form.RECORDS and chunk.last_ns >= start_ns:
                    return found
        return found

    def _restore(self, pipeline: Pipeline, segment: Segment, chunk: int, reason: str | None = None) -> None:
        checkpoint.restore(pipeline, segment.read(segment.chunks[chunk]), self._symbols, reason)

    def _walk(self, first: int, segment: int, chunk: int) -> Iterator[Block | Callable[[Pipeline], object]]:
        """The blocks of records from a chunk on, and between them what else there is to do."""
        for place in range(first, len(self.sessions)):
            session = self.sessions[place]
            for number in range(segment, len(session.segments)):
                of = session.segments[number]
                if chunk == 0 and number == 0:
                    yield partial(self._begin, session, place > first)
                for at in range(chunk, len(of.chunks)):
                    entry = of.chunks[at]
                    if entry.kind == form.CHECKPOINT and self._damaged:
                        yield partial(self._mend, of, at)
                    elif entry.kind == form.RECORDS:
                        try:
                            self._chunk = of, entry
                            yield Block(of.read(entry))
                        except RecordingError as error:
                            if of.complete or entry.end < of.end:
                                yield partial(self._skip, error, entry)
                            else:
                                of.cut(entry, error)
                chunk = 0
                if of.torn is not None:
                    log.warning("%s: the last %d bytes are no whole chunk and are left out", of.path, of.torn.size)
            segment = 0

    def _begin(self, session: Session, anew: bool, pipeline: Pipeline) -> None:
        """A recorder has begun."""
        if anew:
            self.on_reset()
            fresh = checkpoint.take(pipeline_of(session.about))
            assert fresh is not None
            checkpoint.restore(pipeline, fresh, self._symbols, "the recorder began anew")
        chunks = session.segments[0].chunks
        kinds = [chunk.kind for chunk in chunks[:2]]
        if kinds[1:] == [form.CHECKPOINT]:
            self._restore(pipeline, session.segments[0], 1)

    def _skip(self, error: RecordingError, chunk: form.Chunk, pipeline: Pipeline) -> None:
        """Records cannot be read."""
        self.failures.append(error)
        self._damaged = True
        doubt(pipeline, f"records of {time_text(chunk.first_ns)} to {time_text(chunk.last_ns)} cannot be read")

    def _mend(self, segment: Segment, chunk: int, pipeline: Pipeline) -> None:
        """Here is what the books were when all could be read."""
        try:
            self._restore(pipeline, segment, chunk, "a checkpoint of the recording")
            self._damaged = False
        except (CheckpointError, RecordingError) as error:
            log.warning("%s", error)

    def next_ns(self) -> int | None:
        while True:
            if self._block is not None:
                try:
                    at = self._block.next_ns
                except FormError as error:
                    self._block = None
                    self._due.append(self._malformed(error))
                    continue
                if at is not None:
                    return int(at)
            found = next(self._course, None)
            if found is None:
                return None
            if isinstance(found, Block):
                self._block = found
            else:
                self._due.append(found)

    def _malformed(self, error: FormError) -> Callable[[Pipeline], object]:
        assert self._chunk is not None
        segment, chunk = self._chunk
        return partial(self._skip, RecordingError(segment.path, error.expected, error.found, offset=chunk.offset,
                                                  chunk=chunk.number, first_ns=chunk.first_ns, last_ns=chunk.last_ns),
                       chunk)

    def span(self) -> tuple[int, int] | None:
        return self.sessions[0].first_ns, self.sessions[-1].last_ns

    def play(self, pipeline: Pipeline, until_ns: int, queue: EventQueue | None) -> None:
        most = FOREVER if queue is None else TURN
        while (ahead := self.next_ns()) is not None:
            self._do_due(pipeline)
            if ahead >= until_ns:
                return
            block = self._block
            assert block is not None
            began = time.perf_counter_ns()
            try:
                frames = self._frames(block, pipeline, until_ns, most, queue)
                if queue is not None and (queue or frames):
                    return
                if frames < most and (ahead := block.next_ns) is not None and ahead < until_ns:
                    record = block.next()
                    assert record is not None
                    self.lines += 1
                    self._act(pipeline, record)
            except FormError as error:
                self._block = None
                self._due.append(self._malformed(error))
            finally:
                self.spent_ns += time.perf_counter_ns() - began
        self._do_due(pipeline)

    def _do_due(self, pipeline: Pipeline) -> None:
        """Do what stands between the records."""
        while self._due:
            self._due.pop(0)(pipeline)

    def _frames(self, block: Block, pipeline: Pipeline, until_ns: int, most: int, queue: EventQueue | None) -> int:
        """Play the frames up to the next record that is none."""
        at, taken = block.at, block.taken
        try:
            return block.feed(pipeline, until_ns, most, queue)
        finally:                            # a handler may raise
            frames = block.taken - taken
            self.lines += frames
            self.messages += frames
            self.bytes += block.at - at - form.RECORD.size * frames

    def _act(self, pipeline: Pipeline, record: form.Record) -> None:
        """Play a record that is no frame."""
        if record.kind == form.LOSS:
            loss = record.loss()
            self.losses.append((loss.records, loss.first_ns, loss.last_ns))
        elif record.kind == form.CONTROL and self._symbols is not None:
            name, *args = record.control()
            if name in OF_A_SYMBOL and not {(named := args[OF_A_SYMBOL[name]]), pipeline.spec.symbol(named)} & {
                    *self._symbols}:
                return
        act(pipeline, record)

    def close(self) -> None:
        self._course = iter(())


def play_all(block: Block, pipeline: Pipeline) -> None:
    """Play the records of a chunk."""
    block.feed(pipeline)
    while (record := block.next()) is not None:
        act(pipeline, record)
        block.feed(pipeline)
