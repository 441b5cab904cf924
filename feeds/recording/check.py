"""Is a recording sound? What a kill leaves is mended, everything else is named.

A last chunk that is not whole is cut off into a file beside the segment, and the segment gets its index. Damage in the
middle is left as it is.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from feeds.pipeline import Pipeline
from feeds.recording import acts, form
from feeds.recording.form import HEAD_SIZE, Chunk, FormError
from feeds.recording.play import Block, Marks, drop_kept, hush, names, survey
from feeds.recording.reader import RecordingError, Segment, is_stillborn, segment_files
from feeds.recording.writer import entry_of, read_manifest, update_manifest


@dataclass
class Report:
    """What a look at a recording has found."""

    path: str
    segments: int = 0
    records: int = 0
    bytes: int = 0
    lost: int = 0                   # records that were lost when it was made, as it says itself,
    losses: int = 0                 # and in how many places
    damage: list[RecordingError] = field(default_factory=list)      # in the middle: nothing mends it
    mended: list[str] = field(default_factory=list)                 # or would be, in a dry run
    busy: list[str] = field(default_factory=list)                   # segments that are being written

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged, after what was mended."""
        return not self.damage

    def document(self) -> dict[str, Any]:
        """All of it as a JSON-ready document."""
        return {"path": self.path, "sound": self.is_sound, "segments": self.segments, "records": self.records,
                "bytes": self.bytes, "lost": self.lost, "losses": self.losses, "mended": self.mended, "busy": self.busy,
                "damage": [{"file": error.path, "chunk": error.chunk, "offset": error.offset,
                            "first_ns": error.first_ns, "last_ns": error.last_ns, "expected": error.expected,
                            "found": error.found} for error in self.damage]}


def check(path: str | PathLike[str], *, dry_run: bool = False,
          on_progress: Callable[[int, int], None] | None = None) -> Report:
    """Read all of a recording, and mend what a kill has left.

    Parameters: path -- a directory, or one segment. dry_run -- change nothing. on_progress -- called now and then with
    the bytes read since the last call, and all there are.
    Raises: RecordingError if there is no recording; OSError where something cannot be mended.
    """
    path = Path(path)
    report = Report(fspath(path))
    files = segment_files(path)
    manifest = read_manifest(path) if path.is_dir() else None
    if not files and manifest is None:
        raise RecordingError(path, f"a recording: a directory with segments (*{form.SUFFIX})",
                             "none" if path.exists() else "no such file or directory")
    total = sum(file.stat().st_size for file in files)
    told = (lambda size: on_progress(size, total)) if on_progress is not None else (lambda size: None)
    sound = [segment for file in files if (segment := _segment(file, report, dry_run, told)) is not None]
    _parts(sound, report)
    if path.is_dir() and any(file.parent != path for file in files):
        _manifest(path, manifest, sound, report, dry_run)
    return report


def _segment(file: Path, report: Report, dry_run: bool, told: Callable[[int], None]) -> Segment | None:
    """Look at one segment; None if it is of no use to those around it."""
    with _held(file) as free:
        if not free:
            report.busy.append(fspath(file))
            return None
        if is_stillborn(file):
            report.mended.append(f"{file}: not one whole chunk: put aside as {_aside(file, 0).name}")
            if not dry_run:
                file.rename(_aside(file, 0))
            return None
        report.segments += 1
        try:
            segment = Segment(file)
        except RecordingError as error:
            report.damage.append(error)
            _go_on(file, error, report)
            return None
        damage = len(report.damage)
        for chunk in segment.chunks:
            told(chunk.end - chunk.offset)
            if (wrong := _chunk(segment, chunk, report)) is None:
                continue
            if not segment.complete and chunk is segment.chunks[-1] and segment.torn is None:
                segment.cut(chunk, wrong)
                break
            report.damage.append(wrong)
        if len(report.damage) == damage and not segment.complete:
            _mend(segment, report, dry_run)
        report.bytes += segment.size
        return segment


def _chunk(segment: Segment, chunk: Chunk, report: Report) -> RecordingError | None:
    """What is wrong with a chunk, None: nothing."""
    try:
        data = segment.read(chunk)
        if chunk.kind != form.RECORDS:
            return None
        count, first, last, losses = survey(data)
        if (count, first, last) != (chunk.count, chunk.first_ns, chunk.last_ns):
            raise FormError(f"{chunk.count} records of {chunk.first_ns} to {chunk.last_ns}",
                            f"{count} of {first} to {last}", HEAD_SIZE)
    except RecordingError as error:
        return error
    except FormError as error:
        return RecordingError(segment.path, error.expected, f"{error.found}, in what is unpacked",
                              offset=chunk.offset + HEAD_SIZE, chunk=chunk.number, first_ns=chunk.first_ns,
                              last_ns=chunk.last_ns)
    report.records += count
    report.losses += len(losses)
    report.lost += sum(loss.records for loss in losses)
    return None


def _go_on(file: Path, first: RecordingError, report: Report) -> None:
    """Name what else is damaged behind the first damage of a segment whose chunks cannot be walked."""
    size = file.stat().st_size
    at = max(first.offset, 0) + 1
    with open(file, "rb") as data:
        while (chunk := form.find_chunk(data, at, size)) is not None:
            while True:
                try:
                    data.seek(chunk.offset + HEAD_SIZE)
                    form.unpack_data(chunk, data.read(chunk.size))
                    report.records += chunk.count
                except FormError as error:
                    report.damage.append(RecordingError(file, error.expected, error.found, chunk=chunk.number,
                                                        offset=chunk.offset + error.at, first_ns=chunk.first_ns,
                                                        last_ns=chunk.last_ns))
                at = chunk.end
                data.seek(at)
                try:
                    chunk = form.read_head(data.read(HEAD_SIZE), at)
                    if chunk.end > size:
                        break
                except FormError:
                    break
            following = form.find_chunk(data, at, size)
            if following is not None:
                report.damage.append(RecordingError(file, "a chunk", "other bytes", offset=at, chunk=chunk.number + 1,
                                                    first_ns=chunk.last_ns, last_ns=following.first_ns))


def _mend(segment: Segment, report: Report, dry_run: bool) -> None:
    """Cut off what is not whole, and give the segment its index."""
    torn = segment.torn
    if torn is None:
        report.mended.append(f"{segment.path}: no index: written")
    else:
        report.mended.append(f"{segment.path}: byte {torn.offset}: the last {torn.size} bytes are no whole chunk "
                             f"(expected {torn.expected}, found {torn.found}): cut off into "
                             f"{_aside(segment.path, torn.offset).name}, index written")
    if dry_run:
        return
    chunks = _with_symbols(segment)
    with open(segment.path, "r+b") as file:
        if torn is not None:
            file.seek(torn.offset)
            rest = file.read()
            with open(_aside(segment.path, torn.offset), "xb") as aside:
                aside.write(rest)
                os.fsync(aside.fileno())
        file.seek(segment.end)
        offset = segment.end
        data, _ = form.pack_chunk(form.INDEX, len(chunks), form.pack_index(segment.symbols, chunks), 0, 0, 0, 0)
        file.write(data + form.pack_trail(offset))
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
        segment.size = file.tell()
    segment.complete = True


def _with_symbols(segment: Segment) -> list[Chunk]:
    """The chunks with their symbols, where the segment by itself tells them: it is the first of its session."""
    if segment.about.part:
        return segment.chunks
    try:
        pipeline = Pipeline(segment.about.venue, None, None, market=segment.about.market or None,
                            wire=segment.about.wire or None)
        hush(pipeline)
        marks = Marks(pipeline)
        found = {}
        for chunk, data in segment.blocks():
            block = Block(data)
            while True:
                block.feed(pipeline, marks=marks)
                record = block.next()
                if record is None:
                    break
                if record.kind != form.LOSS:
                    acts.act(pipeline, record)
            pipeline.control()
            found[chunk.number] = marks.take()
            drop_kept(pipeline)
    except ValueError:              # of a venue, a market, a call that this version does not know
        return segment.chunks
    segment.symbols = names(pipeline)
    return [chunk._replace(symbols=found.get(chunk.number)) for chunk in segment.chunks]


def _parts(segments: list[Segment], report: Report) -> None:
    """Name what is missing between the parts of a session."""
    sessions: dict[str, list[Segment]] = {}
    for segment in segments:
        sessions.setdefault(segment.about.session, []).append(segment)
    broken = {error.path for error in report.damage} | set(report.busy)
    for held in sessions.values():
        held.sort(key=lambda segment: segment.about.part)
        for before, after in zip(held, held[1:], strict=False):
            missing = after.about.first - before.about.first - before.records
            if missing and not broken & {fspath(file.path) for file in (before, after)} and not broken:
                report.damage.append(RecordingError(
                    after.path, f"{after.about.first} records of its session before it",
                    f"{missing} fewer", first_ns=before.last_ns, last_ns=after.first_ns))


def _manifest(path: Path, manifest: dict[str, Any] | None, segments: list[Segment], report: Report,
              dry_run: bool) -> None:
    """See that the manifest names the segments that are there, and that all it names are."""
    known = {entry["file"]: entry for entry in (manifest or {"segments": ()})["segments"]}
    for file in sorted(known):
        if not (path / file).exists() and not list((path / file).parent.glob(f"{Path(file).name}.torn-*")):
            report.damage.append(RecordingError(path / file, "a segment, which the manifest names", "no such file",
                                                first_ns=known[file].get("first_ns", 0),
                                                last_ns=known[file].get("last_ns", 0)))
    fresh = [entry for segment in segments if known.get((entry := entry_of(segment))["file"]) != entry]
    if fresh or manifest is None:
        report.mended.append(f"{path / form.MANIFEST}: {'missing' if manifest is None else 'not up to date'}: written")
        if not dry_run:
            update_manifest(path, fresh)


@contextmanager
def _held(file: Path) -> Iterator[bool]:
    """Keep a segment from being written meanwhile; gives False if it is."""
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)


def _aside(file: Path, offset: int) -> Path:
    """Where to put what is cut off: a name that is free."""
    name, number = f"{file.name}.torn-{offset}", 1
    while (place := file.with_name(name)).exists():
        number += 1
        name = f"{file.name}.torn-{offset}-{number}"
    return place
