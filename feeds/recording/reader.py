"""Recordings read back: directories, their segments, chunks and records.

A segment that was ended in order has an index at its end. Where it has none (the recorder was killed, or is still at
work) the chunks' headers are walked instead; a last chunk that is not whole is left out, and `Segment.torn` tells it.
Everything else that is not as it should be is a `RecordingError`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any, NamedTuple

from feeds.recording import form
from feeds.recording.form import HEAD_SIZE, TRAIL_SIZE, Chunk, FormError, Record


class RecordingError(ValueError):
    """A recording cannot be read (further). `str()` is one line with everything below.

    path -- the file. offset -- byte of it where the trouble begins, -1: the file as a whole is meant. chunk -- its
    number, -1: none. first_ns, last_ns -- the times that are concerned, 0: not known. expected, found -- what should
    have been there, and what is.
    """

    def __init__(self, path: str | PathLike[str], expected: str, found: str, *, offset: int = -1, chunk: int = -1,
                 first_ns: int = 0, last_ns: int = 0) -> None:
        where = f"byte {offset}: " if offset >= 0 else ""
        if chunk >= 0:
            where = f"chunk {chunk}, {where}"
        if first_ns or last_ns:
            where += f"{form.time_text(first_ns)} to {form.time_text(last_ns)}: "
        super().__init__(f"{fspath(path)}: {where}expected {expected}, found {found}")
        self.path = fspath(path)
        self.offset = offset
        self.chunk = chunk
        self.first_ns = first_ns
        self.last_ns = last_ns
        self.expected = expected
        self.found = found


class Torn(NamedTuple):
    """The end of a segment that is not whole: from byte `offset` on."""

    offset: int
    size: int
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class About:
    """What a segment says of itself in its first chunk."""

    venue: str
    market: str
    wire: str
    session: str                # one run of a recorder, which has one pipeline
    part: int                   # number of the segment in its session
    began_ns: int               # when the session began
    pipeline: dict[str, Any]    # arguments of the Pipeline: on_gap, max_symbols, all_symbols; `late`: it was at work
    first: int = 0              # records of the session before this segment
    extra: dict[str, Any] = field(default_factory=dict)


class Segment:
    """One file of a recording.

    `about` is what it says of itself, `chunks` are all chunks but the index in their order, `symbols` those of the
    index ([] where there is none), `complete` tells whether it was ended in order, `torn` where it is not whole.
    Raises: RecordingError.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self.symbols: list[str] = []
        self.chunks: list[Chunk] = []
        self.complete = False
        self.torn: Torn | None = None
        try:
            with self._open() as file:
                self.size = os.fstat(file.fileno()).st_size
                self.about = self._read_about(file)
                if not self._read_index(file):
                    self._walk(file)
        except OSError as error:
            raise self._fail("a segment of a recording", error.strerror or type(error).__name__) from None

    def __repr__(self) -> str:
        return f"<Segment {self.path.name} of {self.about.venue}, {len(self.chunks)} chunks>"

    @property
    def records(self) -> int:
        """How many records it has."""
        return sum(chunk.count for chunk in self.chunks if chunk.kind == form.RECORDS)

    @property
    def first_ns(self) -> int:
        """Smallest time of a record, 0 if it has none."""
        return min((chunk.first_ns for chunk in self.chunks if chunk.kind == form.RECORDS), default=0)

    @property
    def last_ns(self) -> int:
        """Largest time of a record, 0 if it has none."""
        return max((chunk.last_ns for chunk in self.chunks if chunk.kind == form.RECORDS), default=0)

    @property
    def end(self) -> int:
        """Byte after the last whole chunk, the index left out."""
        return self.chunks[-1].end if self.chunks else 0

    def read(self, chunk: Chunk) -> bytes:
        """The unpacked data of a chunk. Raises: RecordingError."""
        try:
            with self._open() as file:
                return self._data(file, chunk)
        except OSError as error:
            raise self._fail("a segment of a recording", error.strerror or type(error).__name__, chunk) from None

    def read_all(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, bytes]]:
        """Chunks with their unpacked data. A chunk at the very end that turns out not to be whole is left out where
        nobody ended the segment, and noted as `torn`. Raises: RecordingError."""
        try:
            with self._open() as file:
                for chunk in chunks:
                    try:
                        data = self._data(file, chunk)
                    except RecordingError as error:
                        if self.complete or chunk.end < self.end:
                            raise
                        self.cut(chunk, error)
                        return
                    yield chunk, data
        except OSError as error:
            raise self._fail("a segment of a recording", error.strerror or type(error).__name__) from None

    def blocks(self, first: int = 0) -> Iterator[tuple[Chunk, bytes]]:
        """The chunks of records from the one at place `first` of `chunks` on, with their unpacked data."""
        yield from self.read_all(chunk for chunk in self.chunks[first:] if chunk.kind == form.RECORDS)

    def all_records(self) -> Iterator[Record]:
        """Every record."""
        for chunk, data in self.blocks():
            try:
                yield from form.records_of(data)
            except FormError as error:
                raise self._fail(error.expected, f"{error.found}, {error.at} bytes into the unpacked data",
                                 chunk) from None

    def cut(self, chunk: Chunk, error: RecordingError) -> None:
        """The last chunk has turned out not to be whole: it is none any more."""
        self.torn = Torn(chunk.offset, self.size - chunk.offset, error.expected, error.found)
        self.chunks.remove(chunk)

    # ---- inside

    def _open(self) -> IO[bytes]:
        return open(self.path, "rb")

    def _fail(self, expected: str, found: str, chunk: Chunk | None = None, at: int = 0) -> RecordingError:
        if chunk is None:
            return RecordingError(self.path, expected, found)
        return RecordingError(self.path, expected, found, offset=chunk.offset + at, chunk=chunk.number,
                              first_ns=chunk.first_ns, last_ns=chunk.last_ns)

    def _head(self, file: IO[bytes], offset: int) -> Chunk:
        file.seek(offset)
        return form.read_head(file.read(HEAD_SIZE), offset)

    def _data(self, file: IO[bytes], chunk: Chunk) -> bytes:
        """A chunk's data, after a look at its header: an index may be of another file."""
        try:
            if self._head(file, chunk.offset) != chunk._replace(symbols=None):
                raise FormError("the chunk that the index names", "another one")
            return form.unpack_data(chunk, file.read(chunk.size))
        except FormError as error:
            raise self._fail(error.expected, error.found, chunk, error.at) from None

    def _read_about(self, file: IO[bytes]) -> About:
        try:
            chunk = self._head(file, 0)
            if chunk.kind != form.ABOUT:
                raise FormError("what the segment says of itself", f"a chunk of kind {form.KIND_NAMES[chunk.kind]}")
            document = json.loads(self._data(file, chunk))
            self.chunks.append(chunk)
            known = {name: document.pop(name) for name in About.__slots__ if name in document and name != "extra"}
            return About(**known, extra=document)
        except (FormError, ValueError, TypeError) as error:
            if isinstance(error, RecordingError):
                raise
            found = error.found if isinstance(error, FormError) else str(error)
            expected = error.expected if isinstance(error, FormError) else "what the segment says of itself"
            raise RecordingError(self.path, expected, found, offset=0, chunk=0) from None

    def _read_index(self, file: IO[bytes]) -> bool:
        """Take the chunks from the index, if there is a sound one at the very end."""
        if self.size < TRAIL_SIZE:
            return False
        file.seek(self.size - TRAIL_SIZE)
        offset = form.read_trail(file.read(TRAIL_SIZE))
        if offset is None or offset > self.size:
            return False
        try:
            index = self._head(file, offset)
            if index.kind != form.INDEX or index.end != self.size - TRAIL_SIZE:
                return False
            symbols, chunks = form.read_index(form.unpack_data(index, file.read(index.size)))
        except FormError:
            return False
        if not chunks or chunks[0] != self.chunks[0] or chunks[-1].end != offset:
            return False
        self.symbols, self.chunks, self.complete = symbols, chunks, True
        return True

    def _walk(self, file: IO[bytes]) -> None:
        """Find the chunks by their headers."""
        at = self.chunks[-1].end
        while at < self.size:
            try:
                chunk = self._head(file, at)
                if chunk.number != len(self.chunks):
                    raise FormError(f"chunk {len(self.chunks)}", f"chunk {chunk.number}")
                if chunk.end > self.size:
                    raise FormError(f"{chunk.size} bytes of data", f"{self.size - at - HEAD_SIZE}", HEAD_SIZE)
            except FormError as error:
                self._end_walk(file, at, error)
                return
            if chunk.kind == form.INDEX:        # its trail is missing or damaged, as nothing else can follow
                self._end_walk(file, at, FormError("the end of the segment behind its index", "other bytes", HEAD_SIZE))
                return
            self.chunks.append(chunk)
            at = chunk.end

    def _end_walk(self, file: IO[bytes], at: int, error: FormError) -> None:
        """The chunk at byte `at` is not whole: nothing follows, or it is damage in the middle."""
        following = form.find_chunk(file, at + 1, self.size)
        if following is not None:
            raise RecordingError(self.path, error.expected, error.found, offset=at + error.at, chunk=len(self.chunks),
                                 first_ns=self.chunks[-1].last_ns, last_ns=following.first_ns)
        self.torn = Torn(at, self.size - at, error.expected, error.found)


class Session(NamedTuple):
    """One run of a recorder: its segments, in order. One pipeline took all of their records."""

    about: About
    segments: list[Segment]

    @property
    def first_ns(self) -> int:
        """Smallest time of a record, 0 if there is none."""
        return min((segment.first_ns for segment in self.segments if segment.records), default=0)

    @property
    def last_ns(self) -> int:
        """Largest time of a record, 0 if there is none."""
        return max((segment.last_ns for segment in self.segments), default=0)


class Recording:
    """A recording: a directory, one of its folders, or a single segment.

    `segments` are in the order of their sources (venue and market), sessions and parts.
    Parameters: path; venue, market -- of these only.
    Raises: RecordingError if there is none, or a segment cannot be read.
    """

    def __init__(self, path: str | PathLike[str], *, venue: str | None = None, market: str | None = None) -> None:
        self.path = Path(path)
        files = segment_files(self.path)
        if not files:
            raise RecordingError(path, f"a recording: a directory with segments (*{form.SUFFIX})", found_at(self.path))
        self.segments = sorted((Segment(file) for file in files if not is_stillborn(file)), key=_order)
        self.segments = [segment for segment in self.segments
                         if venue in (None, segment.about.venue) and market in (None, segment.about.market)]
        if not self.segments:
            raise RecordingError(path, f"a recording of {venue or 'any venue'}{f' {market}' if market else ''}",
                                 "none of it")

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Venues and markets that it has."""
        return list(dict.fromkeys((segment.about.venue, segment.about.market) for segment in self.segments))

    def sessions(self) -> list[Session]:
        """Runs of recorders, in the order of their sources and beginnings.

        Raises: RecordingError where a segment in the middle of one is missing.
        """
        found: dict[tuple[str, str, str], list[Segment]] = {}
        for segment in self.segments:
            found.setdefault((segment.about.venue, segment.about.market, segment.about.session), []).append(segment)
        for segments in found.values():
            for place, segment in enumerate(segments):
                if segment.about.part != segments[0].about.part + place:
                    raise RecordingError(segment.path, f"part {segments[0].about.part + place} of its session before "
                                         f"part {segment.about.part}", "none", first_ns=segments[place - 1].last_ns,
                                         last_ns=segment.first_ns)
        return [Session(segments[0].about, segments) for segments in found.values()]

    def records(self) -> Iterator[Record]:
        """Every record of every session, one after the other."""
        for segment in self.segments:
            yield from segment.all_records()


def _order(segment: Segment) -> tuple[str, str, int, str, int]:
    about = segment.about
    return about.venue, about.market, about.began_ns, about.session, about.part


def segment_files(path: Path) -> list[Path]:
    """The segments that a path means, by their names."""
    if path.is_dir():
        return sorted(file for file in [*path.glob(f"*{form.SUFFIX}"), *path.glob(f"*/*{form.SUFFIX}")]
                      if form.is_segment_name(file.name) and file.is_file())
    return [path] if path.is_file() else []


def is_stillborn(path: Path) -> bool:
    """Whether a segment was never begun in earnest: the recorder ended before it had told what it is."""
    with open(path, "rb") as file:
        head = file.read(HEAD_SIZE)
        size = os.fstat(file.fileno()).st_size
    try:
        return form.read_head(head, 0).end > size
    except FormError:
        return len(head) < HEAD_SIZE and head[:4] == form.MAGIC[:len(head)]


def is_recording(path: str | PathLike[str]) -> bool:
    """Whether a path looks like a recording: a directory with segments, or a file that begins as one."""
    path = Path(path)
    if path.is_file():
        with open(path, "rb") as file:
            return file.read(len(form.MAGIC)) == form.MAGIC
    return bool(segment_files(path))


def found_at(path: Path) -> str:
    """What is there instead of a recording."""
    return "a directory without any" if path.is_dir() else "no such file or directory"
