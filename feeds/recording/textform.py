"""From the text format of captures (feeds.capture) to a recording, and back.

The text does not tell which connection a frame came on, and its `=` resets nothing. So the first connection that is
opened, and each that is after a closing, is line 0; one that is opened while another is open gets a line of its own and
leaves the books alone. The frames are all of line 0. Back to text, frames of all lines stand in one file, and calls to
the pipeline are left out: they are what the text cannot hold, like losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Any, NamedTuple

from feeds.capture import CaptureReader, CaptureWriter
from feeds.recording import form
from feeds.recording.form import Record
from feeds.recording.reader import About, Recording, Session
from feeds.recording.writer import RecordWriter
from feeds.venues import load

KINDS = {"<": form.TEXT, "B": form.BINARY, ">": form.SENT}
LETTERS = {kind: letter for letter, kind in KINDS.items()} | {form.OPENED: "=", form.CLOSED: "!"}


class Written(NamedTuple):
    """What became of records on their way to text."""

    records: int        # written
    calls: int          # left out: calls to the pipeline,
    losses: int         # and records of losses


def read_captures(paths: Iterable[str | PathLike[str]], directory: str | PathLike[str], venue: str, *,
                  market: str | None = None, wire: str | None = None,
                  on_progress: Callable[[int, int], None] | None = None, **options: Any) -> int:
    """Import captures, in their order, as one session of a recording. Returns: how many records it has.

    Parameters: market -- None: what the captures' connections say. on_progress -- called now and then with the bytes of
    the files read since the last call, and the records so far. options -- of `RecordWriter`.
    Raises: CaptureError where one cannot be read further, what came before it is imported; OSError; ValueError.
    """
    spec = load(venue, wire)
    now = spec.check_market(market)
    tells = spec.market_of if market is None else None
    writer: RecordWriter | None = None
    open_lines: list[int] = []
    count = 0
    try:
        for path in paths:
            reader, reported = CaptureReader(path, inflate=False), 0
            for line in reader:
                records = []
                if line.kind == "=":
                    url = line.payload.decode("utf-8", "replace")
                    found = tells(url) if tells is not None else ""
                    if found and found != now:
                        now = found
                        if writer is not None:
                            records.append(Record(line.recv_ns, form.CONTROL, -1, form.control_payload("market", now)))
                    number = next(i for i in range(len(open_lines) + 1) if i not in open_lines)
                    open_lines.append(number)
                    records.append(Record(line.recv_ns, form.OPENED, number, line.payload))
                elif line.kind == "!":
                    number = open_lines.pop() if open_lines else 0
                    records.append(Record(line.recv_ns, form.CLOSED, number, line.payload))
                elif line.kind == "h":
                    address, _, body = line.payload.partition(b" ")
                    records.append(Record(line.recv_ns, form.REST, -1, form.rest_payload(address, body)))
                else:
                    records.append(Record(line.recv_ns, KINDS[line.kind], 0, line.payload))
                if writer is None:
                    about = About(venue, now or "", spec.wire, "", 0, 0,
                                  {"on_gap": "count", "all_symbols": True, "max_symbols": 4096})
                    writer = RecordWriter(directory, about, **options)
                for record in records:
                    writer.write(record)
                count += len(records)
                if on_progress is not None and reader.position != reported:
                    on_progress(reader.position - reported, count)
                    reported = reader.position
    finally:
        if writer is not None:
            writer.close()
    return count


def write_capture(sessions: Recording | Sequence[Session], path: str | PathLike[str]) -> Written:
    """Export sessions, one after the other, to a capture of the text format; gzip'd if its name ends in `.gz`.

    A text frame with a line feed becomes a `B`. Raises: RecordingError, OSError.
    """
    if isinstance(sessions, Recording):
        sessions = sessions.sessions()
    count = calls = losses = 0
    with CaptureWriter(path) as writer:
        for session in sessions:
            for segment in session.segments:
                for record in segment.all_records():
                    if record.kind == form.REST:
                        url, body = record.rest_bytes()
                        writer.write(record.time_ns, "h", url + b" " + body)
                    elif record.kind in LETTERS:
                        letter = LETTERS[record.kind]
                        if letter == "<" and b"\n" in record.payload:
                            letter = "B"
                        writer.write(record.time_ns, letter, record.payload)
                    else:
                        calls += record.kind == form.CONTROL
                        losses += record.kind == form.LOSS
                        continue
                    count += 1
    return Written(count, calls, losses)
