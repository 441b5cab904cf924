"""Segments written: chunks appended whole or not at all, rotation, the manifest."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any

from feeds.recording import form
from feeds.recording.form import Chunk, Record
from feeds.recording.reader import About, Segment
from feeds.recording.shadow import Shadow

log = logging.getLogger(__name__)

CHUNK_SIZE = 4 << 20            # bytes of records in a chunk, about
ROTATE_SIZE = 1 << 30           # bytes of a segment
ROTATE_S = 3600.0               # and seconds between its first and last record
LEVEL = 1                       # of zstd: of messages this small, 3 makes no less of them and takes longer


class SegmentFile:
    """A segment at work. What `append` could not write whole is cut off again.

    Raises: OSError.
    """

    def __init__(self, path: Path, about: About, level: int = LEVEL) -> None:
        self.path = path
        self.about = about
        self.level = level
        self.chunks: list[Chunk] = []
        self.size = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self.complete = False
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)        # so that nobody mends it meanwhile
            self.append(form.ABOUT, form.pack_json(document_of(about)))
        except OSError:
            os.close(self._fd)
            path.unlink()       # an empty segment says nothing
            raise

    def append(self, kind: int, data: bytes, count: int = 0, first_ns: int = 0, last_ns: int = 0, before: int = 0,
               symbols: tuple[int, ...] | None = None) -> Chunk:
        """Write a chunk."""
        packed, chunk = form.pack_chunk(kind, len(self.chunks), data, count, first_ns, last_ns, before, self.level)
        return self.append_packed(packed, chunk, symbols)

    def append_packed(self, packed: bytes, chunk: Chunk, symbols: tuple[int, ...] | None = None) -> Chunk:
        """Write a chunk that has been packed, with the number that is next here."""
        self._write(packed)
        chunk = chunk._replace(offset=self.size, symbols=symbols)
        self.size += len(packed)
        self.chunks.append(chunk)
        return chunk

    def read(self, place: int) -> bytes:
        """The data of a chunk that was written. Raises: OSError, FormError."""
        chunk = self.chunks[place]
        with open(self.path, "rb") as file:
            file.seek(chunk.offset + form.HEAD_SIZE)
            return form.unpack_data(chunk, file.read(chunk.size))

    def finish(self, symbols: list[str]) -> None:
        """Write the index, and see that all of it is on the disk; the file is closed, also if that fails."""
        try:
            data, _ = form.pack_chunk(form.INDEX, len(self.chunks), form.pack_index(symbols, self.chunks), 0, 0, 0, 0,
                                      self.level)
            self._write(data + form.pack_trail(self.size))
            self.size += len(data) + form.TRAIL_SIZE
            os.fsync(self._fd)
            self.complete = True
        finally:
            self.close()

    def close(self) -> None:
        """Close the file as it is."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view):]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self.size)
                os.lseek(self._fd, self.size, os.SEEK_SET)
            raise


class Store:
    """The segments of one session: one at a time, the next where the rotation says so.

    Parameters: directory -- of the recording. about -- of the first segment; `began_ns` 0 and `session` "" are filled
    in. level -- of zstd. rotate_size, rotate_s -- bytes and seconds after which a new segment begins.
    Raises: OSError, at any call that writes; nothing is half written then, and the same call may be tried again.
    """

    def __init__(self, directory: str | PathLike[str], about: About, *, level: int = LEVEL,
                 rotate_size: int = ROTATE_SIZE, rotate_s: float = ROTATE_S) -> None:
        self.directory = Path(directory)
        self.about = replace(about, session=about.session or uuid.uuid4().hex[:12])
        self.level = level
        self.rotate_size = rotate_size
        self.rotate_ns = int(rotate_s * 1e9)
        self.symbols: list[str] = []        # of the session; chunks name them by place
        self.records = 0
        self.segment: SegmentFile | None = None
        self._ended: list[SegmentFile] = []
        self._ending: list[threading.Thread] = []
        self._failure: OSError | None = None
        self.directory.mkdir(parents=True, exist_ok=True)
        update_manifest(self.directory, ())

    @property
    def size(self) -> int:
        """Bytes written."""
        return sum(segment.size for segment in self._ended) + (self.segment.size if self.segment is not None else 0)

    def is_due(self, last_ns: int) -> bool:
        """Whether a chunk whose records end at that time belongs into a new segment."""
        segment = self.segment
        if segment is None:
            return True
        first = next((chunk.first_ns for chunk in segment.chunks if chunk.kind == form.RECORDS), last_ns)
        return segment.size >= self.rotate_size or last_ns - first >= self.rotate_ns

    def begin(self, first_ns: int) -> None:
        """Begin a segment, the one at work is ended first."""
        self.end()
        about = self.about
        if not about.began_ns:
            about = replace(about, began_ns=first_ns)
        about = replace(about, first=self.records)
        folder = self.directory / form.folder_name(about.venue, about.market)
        while True:
            try:
                self.segment = SegmentFile(folder / form.segment_name(first_ns), about, self.level)
                break
            except FileExistsError:
                first_ns += 1000        # another recorder was as quick: the next microsecond is free
        self.about = replace(about, part=about.part + 1)
        self._note(self.segment)

    def write_records(self, data: bytes, count: int, first_ns: int, last_ns: int,
                      symbols: tuple[int, ...] | None = None) -> None:
        """Write a chunk of records. `begin` is for the caller to call where `is_due` says so."""
        assert self.segment is not None
        self.segment.append(form.RECORDS, data, count, first_ns, last_ns, self.records, symbols)
        self.records += count

    def checkpoint(self, data: bytes, time_ns: int) -> int:
        """Write a checkpoint: the state after all records so far. Returns: its bytes as stored."""
        assert self.segment is not None
        return self.segment.append(form.CHECKPOINT, data, 0, time_ns, time_ns, self.records).size

    def end(self) -> None:
        """End the segment at work; its index is written and flushed to the disk by a thread of its own."""
        segment, self.segment = self.segment, None
        if segment is not None:
            self._ended.append(segment)
            thread = threading.Thread(target=self._finish, args=(segment, list(self.symbols)), name="segment's end")
            self._ending.append(thread)
            thread.start()

    def close(self) -> None:
        """End the segment at work, and return when all are on the disk. Raises: OSError where one has no index."""
        self.end()
        for thread in self._ending:
            thread.join()
        self._ending.clear()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _finish(self, segment: SegmentFile, symbols: list[str]) -> None:
        try:
            segment.finish(symbols)
        except OSError as error:            # it can be read without
            log.warning("%s: no index: %s", segment.path, error)
            self._failure = error
        self._note(segment)

    def _note(self, segment: SegmentFile) -> None:
        """Put a segment into the manifest, which nobody needs for reading."""
        try:
            update_manifest(self.directory, [entry_of(segment)])
        except OSError as error:
            log.warning("%s: the manifest is not up to date: %s", self.directory, error)


class RecordWriter:
    """Writes records one by one: for imports, and for programs that make recordings of their own.

    Use as a context manager; parameters as `Store`, chunk_size -- bytes of records in a chunk, index -- False: neither
    symbols in the index nor checkpoints.
    """

    def __init__(self, directory: str | PathLike[str], about: About, *, chunk_size: int = CHUNK_SIZE,
                 index: bool = True, **options: Any) -> None:
        self.store = Store(directory, about, **options)
        self._shadow = Shadow(self.store, None) if index else None
        self.chunk_size = chunk_size
        self._parts: list[bytes] = []
        self._size = 0
        self._times: list[int] = []

    def write(self, record: Record) -> None:
        """Append a record."""
        packed = form.pack_record(record)
        self._parts.append(packed)
        self._times.append(record.time_ns)
        self._size += len(packed)
        if self._size >= self.chunk_size:
            self.flush()

    def flush(self) -> None:
        """Write what was appended as a chunk."""
        if not self._parts:
            return
        first, last = min(self._times), max(self._times)
        shadow, data = self._shadow, b"".join(self._parts)
        if self.store.is_due(last):
            self.store.begin(first)
            if shadow is not None and self.store.records:
                shadow.checkpoint()
        self.store.write_records(data, len(self._parts), first, last)
        if shadow is not None:
            shadow.add(data)
            shadow.take()
            if shadow.is_due():
                shadow.checkpoint()
        self._parts.clear()
        self._times.clear()
        self._size = 0

    def close(self) -> None:
        """Write the rest and end the segment."""
        self.flush()
        self.store.close()

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


# ---- the manifest


def document_of(about: About) -> dict[str, Any]:
    """What a segment says of itself, as it is written."""
    document = asdict(about)
    return document | document.pop("extra")


def entry_of(segment: SegmentFile | Segment) -> dict[str, Any]:
    """What the manifest says of a segment; its `file` is relative to the recording."""
    chunks = [chunk for chunk in segment.chunks if chunk.kind == form.RECORDS]
    about = segment.about
    return {"file": f"{segment.path.parent.name}/{segment.path.name}", "venue": about.venue, "market": about.market,
            "wire": about.wire, "session": about.session, "part": about.part,
            "first_ns": min((chunk.first_ns for chunk in chunks), default=0),
            "last_ns": max((chunk.last_ns for chunk in chunks), default=0),
            "records": sum(chunk.count for chunk in chunks), "bytes": segment.size,
            "complete": segment.complete}


def read_manifest(directory: Path) -> dict[str, Any] | None:
    """The manifest, None if there is none or it is not one."""
    try:
        document = json.loads((directory / form.MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    sound = isinstance(document, dict) and isinstance(document.get("segments"), list) and all(
        isinstance(entry, dict) and isinstance(entry.get("file"), str) for entry in document["segments"])
    return document if sound else None


def update_manifest(directory: Path, entries: Iterable[dict[str, Any]], drop: Iterable[str] = ()) -> None:
    """Put entries in the place of those of the same file; several recorders may do so at once.

    The file is replaced as a whole, so a reader sees the old one or the new one. Raises: OSError.
    """
    path = directory / form.MANIFEST
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = {entry["file"]: entry for entry in (read_manifest(directory) or {"segments": ()})["segments"]}
        known.update((entry["file"], entry) for entry in entries)
        for file in drop:
            known.pop(file, None)
        document = {"form": "wirebook recording", "version": form.VERSION,
                    "segments": [known[file] for file in sorted(known)]}
        fresh = path.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(document, indent=1) + "\n")
            fresh.replace(path)
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise
    finally:
        os.close(lock)
