"""Captures: recorded traffic as lines of text, read and written as a stream.

One event a line, three fields separated by a tab; only the first two tabs separate, and a payload holds no line feed:

    recv_ns <TAB> kind <TAB> payload

| kind | payload |
|---|---|
| `=` | a connection was opened: the URL |
| `>` | a text frame that was sent |
| `<` | a text frame that was received, byte for byte |
| `B` | a binary frame that was received, base64 |
| `h` | a REST response: `URL<SPACE>body` |
| `!` | a connection was closed: the reason, or nothing |

A file is plain text or gzip; its first two bytes tell which, not its name.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections.abc import Iterable, Iterator
from os import PathLike, fspath, fstat
from typing import IO, NamedTuple

KINDS = frozenset((b"=", b">", b"<", b"B", b"h", b"!"))

GZIP_MAGIC = b"\x1f\x8b"
CHUNK_SIZE = 1 << 18            # bytes read from the file, and inflated, in one go
MAX_LINE_SIZE = 1 << 28         # a longer line is refused: no venue sends one, so the file is something else
MAX_FRAME_SIZE = 1 << 26        # inflated size a gzip'd binary frame may have

_SHAPE = "recv_ns<TAB>kind<TAB>payload"


class CaptureError(ValueError):
    """A capture cannot be read (further). `str()` is one line with everything below.

    path -- the file's name as given.
    line -- number of the line, from 1; 0 if the file as a whole is meant.
    offset -- byte of the (inflated) text where the trouble begins.
    expected -- what should have been there.
    """

    def __init__(self, path: str, line: int, offset: int, expected: str, found: str):
        where = f"line {line}, byte {offset}: " if line else ""
        super().__init__(f"{path}: {where}expected {expected}, found {found}")
        self.path = path
        self.line = line
        self.offset = offset
        self.expected = expected


class Record(NamedTuple):
    """One line of a capture."""

    recv_ns: int        # receive time, ns since the Unix epoch
    kind: str           # one of = > < B h !
    payload: bytes      # for B: decoded, and inflated if it was gzip'd
    line: int           # number of the line, from 1
    offset: int         # byte of the (inflated) text where the line begins
    wire_size: int      # bytes of the payload as they were received


class CaptureReader:
    """The records of one capture, in the order of the file.

    Iterate over it once. Memory stays at a few chunks, however long the file. Without `inflate` a gzip'd binary frame
    is left as it came over the wire.
    Raises: CaptureError -- at once if there is no such file, later at the line that cannot be read. A gzip file that
    was cut off yields every whole line first.
    """

    def __init__(self, path: str | PathLike[str], *, inflate: bool = True):
        self.path = fspath(path)
        self.inflate = inflate
        self.position = 0       # bytes of the file read so far, for progress bars
        self._file = _open(self.path)
        self.size = fstat(self._file.fileno()).st_size      # bytes of the file

    def __iter__(self) -> Iterator[Record]:
        with self._file:
            for number, offset, line in self._lines():
                yield self._record(number, offset, line)

    def close(self) -> None:
        """Close the file; needed only where the iteration is given up or never begun."""
        self._file.close()

    def _fail(self, line: int, offset: int, expected: str, found: str) -> CaptureError:
        return CaptureError(self.path, line, offset, expected, found)

    def _record(self, number: int, offset: int, line: bytes) -> Record:
        fields = line.split(b"\t", 2)
        if len(fields) != 3:
            hint = "; this is not a capture" if number == 1 else ""
            raise self._fail(number, offset, _SHAPE, f"{_shown(line)}{hint}")
        stamp, kind, payload = fields
        if not stamp.isdigit() or len(stamp) > 19 or (recv_ns := int(stamp)) >= 1 << 63:
            raise self._fail(number, offset, "a receive time in integer nanoseconds", _shown(stamp))
        at = offset + len(stamp) + 1
        if kind not in KINDS:
            raise self._fail(number, at, f"a kind of {' '.join(sorted(k.decode() for k in KINDS))}", _shown(kind))
        wire_size = len(payload)
        if kind == b"B":
            payload, wire_size = self._binary(number, at + len(kind) + 1, payload)
        elif kind == b"h" and b" " not in payload:
            raise self._fail(number, at + len(kind) + 1, "URL<SPACE>body", _shown(payload))
        return Record(recv_ns, kind.decode(), payload, number, offset, wire_size)

    def _binary(self, number: int, at: int, text: bytes) -> tuple[bytes, int]:
        """Payload of a `B` line as a document, and the size it had on the wire."""
        try:
            payload = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise self._fail(number, at, "base64", f"{_shown(text)} ({error})") from None
        wire_size = len(payload)
        if self.inflate and payload.startswith(GZIP_MAGIC):
            inflater = zlib.decompressobj(wbits=31)
            try:
                payload = inflater.decompress(payload, MAX_FRAME_SIZE)
            except zlib.error as error:
                raise self._fail(number, at, "a gzip'd binary frame", str(error)) from None
            if not inflater.eof:
                found = f"more than {MAX_FRAME_SIZE} bytes" if inflater.unconsumed_tail else "one that is cut off"
                raise self._fail(number, at, "a gzip'd binary frame", found)
        return payload, wire_size

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        """(number, offset, line without its line feed) of every line."""
        number, offset = 1, 0
        parts: list[bytes] = []     # the beginning of a line whose end is not there yet
        pending = 0                 # bytes in `parts`
        chunks = self._chunks()
        while True:
            try:
                chunk = next(chunks, b"")
            except _BadGzip as error:
                raise self._fail(number, offset + pending, "gzip data", str(error)) from None
            if not chunk:
                break
            lines = chunk.split(b"\n")
            if len(lines) > 1:
                parts.append(lines[0])
                lines[0] = b"".join(parts)
                parts.clear()
                pending = 0
            rest = lines.pop()
            for line in lines:
                yield number, offset, line
                number += 1
                offset += len(line) + 1
            parts.append(rest)
            pending += len(rest)
            if pending > MAX_LINE_SIZE:
                raise self._fail(number, offset, f"a line of at most {MAX_LINE_SIZE} bytes", "a longer one")
        if pending:
            yield number, offset, b"".join(parts)
        elif number == 1:
            raise self._fail(0, 0, f"lines of {_SHAPE}", "an empty file")

    def _chunks(self) -> Iterator[bytes]:
        """The text in pieces, inflated if need be."""
        file = self._file
        data = file.read(CHUNK_SIZE)
        if not data.startswith(GZIP_MAGIC):
            while data:
                self.position += len(data)
                yield data
                data = file.read(CHUNK_SIZE)
            return
        inflater = zlib.decompressobj(wbits=31)
        while data:
            self.position += len(data)
            while data:
                if inflater.eof:        # gzip files may be joined end to end, and be padded with zeros
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    inflater = zlib.decompressobj(wbits=31)
                try:
                    text = inflater.decompress(data, CHUNK_SIZE)
                except zlib.error as error:
                    raise _BadGzip(f"corrupt data ({error})") from None
                if text:
                    yield text
                data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            data = file.read(CHUNK_SIZE)
        while not inflater.eof and (text := inflater.decompress(b"", CHUNK_SIZE)):
            yield text              # what the limit on a piece had held back
        if not inflater.eof:
            raise _BadGzip("a file that is cut off")


class CaptureWriter:
    """Writes a capture; gzip'd if the name ends in `.gz`.

    Use as a context manager. Raises: OSError if the file cannot be written, ValueError for a record that the format
    cannot hold (an unknown kind, a line feed in the payload).
    """

    def __init__(self, path: str | PathLike[str]):
        name = fspath(path)
        make = gzip.open if name.endswith(".gz") else open
        self._file: IO[bytes] = make(name, "wb")  # type: ignore[assignment]

    def write(self, recv_ns: int, kind: str, payload: bytes) -> None:
        """Append one record; `payload` as `Record.payload` has it, so a B payload is given decoded."""
        tag = kind.encode()
        if tag not in KINDS:
            raise ValueError(f"kind {kind!r} is none of {' '.join(sorted(k.decode() for k in KINDS))}")
        if tag == b"B":
            payload = base64.b64encode(payload)
        elif b"\n" in payload:
            raise ValueError(f"a {kind} payload with a line feed cannot be kept in a capture")
        self._file.write(b"%d\t%s\t%s\n" % (recv_ns, tag, payload))

    def close(self) -> None:
        """Write out what is buffered and close the file."""
        self._file.close()

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class _BadGzip(Exception):
    """Gzip data that cannot be inflated further."""


def check_readable(paths: Iterable[str | PathLike[str]]) -> None:
    """Raise CaptureError for the first of these files that cannot be opened."""
    for path in paths:
        _open(fspath(path)).close()


def _open(path: str) -> IO[bytes]:
    try:
        return open(path, "rb")
    except IsADirectoryError:
        found = "a folder"
    except FileNotFoundError:
        found = "no such file"
    except OSError as error:
        found = error.strerror or type(error).__name__
    raise CaptureError(path, 0, 0, "a capture file", found)


def _shown(data: bytes, size: int = 40) -> str:
    """The beginning of `data`, printable."""
    return repr(data[:size])[1:] + ("..." if len(data) > size else "")
