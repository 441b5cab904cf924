"""The form of a recording on disk: segments, their chunks, the records in them. docs/recording.md describes it.

Nothing here opens a file.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple

from feeds.extras import need

VERSION = 1
MANIFEST = "manifest.json"
SUFFIX = ".wbr"

# ---- chunks

MAGIC = b"WBRC"
# magic, kind, packing, version, number, count, size, raw size, first ns, last ns, records before, CRC-32 of the data
_HEAD = struct.Struct("<4sBBHIIIIqqqI")
_CRC = struct.Struct("<I")
HEAD_SIZE = _HEAD.size + _CRC.size
SEARCH = 1 << 20                # bytes looked through at a time for a header
MAX_RAW = 1 << 30               # bytes of a chunk when unpacked

ABOUT, RECORDS, CHECKPOINT, INDEX = 1, 2, 3, 4      # kinds of chunks
KIND_NAMES = {ABOUT: "about", RECORDS: "records", CHECKPOINT: "checkpoint", INDEX: "index"}
PLAIN, ZSTD = 0, 1                                  # packings

# The last bytes of a segment that was ended in order: where its index stands.
TRAIL_MAGIC = b"WBRE"
_TRAIL = struct.Struct("<4sQ")
TRAIL_SIZE = _TRAIL.size + _CRC.size

# ---- records

RECORD = struct.Struct("<IHBBq")        # size of the payload, line, kind, flags, time in ns since the Unix epoch
TEXT, BINARY, SENT, REST, OPENED, CLOSED, LOSS, CONTROL = range(1, 9)
RECORD_NAMES = {TEXT: "text frame", BINARY: "binary frame", SENT: "sent frame", REST: "REST answer",
                OPENED: "opening", CLOSED: "closing", LOSS: "loss", CONTROL: "control"}
NO_LINE = 0xffff                        # of a record that belongs to no connection
_URL = struct.Struct("<I")              # size of a REST answer's URL, which stands before its body
_LOSS = struct.Struct("<QQQqq")         # records, bytes, those among them that are no frames, first and last ns


def zstandard() -> Any:
    """The library that packs. Raises: MissingExtra."""
    return need("zstandard", "record")


class FormError(ValueError):
    """Bytes are not what the form asks for: `expected` and `found`, `at` bytes into what was looked at."""

    def __init__(self, expected: str, found: str, at: int = 0) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found
        self.at = at


class Chunk(NamedTuple):
    """A chunk's header, and where it stands."""

    number: int         # in its segment, from 0
    kind: int           # ABOUT, RECORDS, CHECKPOINT or INDEX
    packing: int
    offset: int         # byte of the segment where the header begins
    size: int           # bytes of the data as it is stored
    raw_size: int       # and unpacked
    count: int          # records
    first_ns: int       # smallest time of a record; of a checkpoint the time it stands for
    last_ns: int        # largest one
    before: int         # records of the session before this chunk
    crc: int            # CRC-32 of the data as it is stored
    symbols: tuple[int, ...] | None = None      # numbers in the index's list of symbols; None: not known

    @property
    def end(self) -> int:
        """Byte of the segment after the data."""
        return self.offset + HEAD_SIZE + self.size


class Record(NamedTuple):
    """One thing that went into a pipeline."""

    time_ns: int        # when it arrived or was done, ns since the Unix epoch
    kind: int           # TEXT, BINARY, SENT, REST, OPENED, CLOSED, LOSS or CONTROL
    line: int           # connection, -1: none
    payload: bytes

    def rest(self) -> tuple[str, bytes]:
        """URL and body of a REST answer."""
        url, body = self.rest_bytes()
        return url.decode("utf-8", "replace"), body

    def rest_bytes(self) -> tuple[bytes, bytes]:
        """The same with the URL as it stands there."""
        (size,) = _URL.unpack_from(self.payload)
        return self.payload[4:4 + size], self.payload[4 + size:]

    def loss(self) -> Loss:
        """What a loss record tells."""
        return Loss(*_LOSS.unpack(self.payload))

    def control(self) -> list[Any]:
        """Name and arguments of a call to the pipeline."""
        return json.loads(self.payload)  # type: ignore[no-any-return]


class Loss(NamedTuple):
    """Records that found no room on their way to the disk."""

    records: int
    bytes: int
    calls: int          # those among them that are no frames
    first_ns: int
    last_ns: int


def rest_payload(url: bytes, body: bytes) -> bytes:
    """A REST answer as a record has it."""
    return _URL.pack(len(url)) + url + body


def loss_payload(loss: Loss) -> bytes:
    """A loss as a record has it."""
    return _LOSS.pack(*loss)


def control_payload(name: str, *args: Any) -> bytes:
    """A call to the pipeline as a record has it."""
    return json.dumps([name, *args], separators=(",", ":")).encode()


def pack_record(record: Record) -> bytes:
    """A record as it stands in a chunk."""
    line = record.line if record.line >= 0 else NO_LINE
    return RECORD.pack(len(record.payload), line, record.kind, 0, record.time_ns) + record.payload


def records_of(data: bytes, at: int = 0) -> Iterator[Record]:
    """The records of a chunk's data, from the one at byte `at`. Raises: FormError."""
    unpack, size, total = RECORD.unpack_from, RECORD.size, len(data)
    while at < total:
        if at + size > total:
            raise FormError("the head of a record", f"{total - at} bytes", at)
        length, line, kind, _, time_ns = unpack(data, at)
        if at + size + length > total:
            raise FormError(f"a record of {length} bytes", f"{total - at - size}", at)
        yield Record(time_ns, kind, line if line != NO_LINE else -1, data[at + size:at + size + length])
        at += size + length


# ---- bytes of a segment


def pack_chunk(kind: int, number: int, data: bytes, count: int, first_ns: int, last_ns: int, before: int,
               level: int = 1) -> tuple[bytes, Chunk]:
    """A chunk's bytes, packed, and its header with offset 0. Raises: MissingExtra without zstandard."""
    packed = zstandard().ZstdCompressor(level=level, write_content_size=True).compress(data)
    packing = ZSTD
    if len(packed) >= len(data):
        packed, packing = data, PLAIN
    crc = zlib.crc32(packed)
    head = _HEAD.pack(MAGIC, kind, packing, VERSION, number, count, len(packed), len(data), first_ns, last_ns, before,
                      crc)
    return (b"".join((head, _CRC.pack(zlib.crc32(head)), packed)),
            Chunk(number, kind, packing, 0, len(packed), len(data), count, first_ns, last_ns, before, crc))


def read_head(head: bytes, offset: int) -> Chunk:
    """The header that stands at byte `offset`. Raises: FormError."""
    if len(head) < HEAD_SIZE:
        raise FormError(f"a chunk's header of {HEAD_SIZE} bytes", f"{len(head)} bytes")
    if head[:4] != MAGIC:
        raise FormError(f"a chunk, which begins with {MAGIC!r}", repr(head[:4]))
    crc = zlib.crc32(head[:_HEAD.size])
    (stated,) = _CRC.unpack_from(head, _HEAD.size)
    if crc != stated:
        raise FormError(f"a header with checksum {stated:08x}", f"{crc:08x}")
    _, kind, packing, version, number, count, size, raw, first_ns, last_ns, before, data_crc = _HEAD.unpack_from(head)
    if version != VERSION:
        raise FormError(f"version {VERSION} of the form", f"version {version}")
    if kind not in KIND_NAMES or packing not in (PLAIN, ZSTD) or raw > MAX_RAW:
        raise FormError("a known kind of chunk", f"kind {kind}, packing {packing}, {raw} bytes")
    return Chunk(number, kind, packing, offset, size, raw, count, first_ns, last_ns, before, data_crc)


def find_chunk(file: IO[bytes], at: int, size: int) -> Chunk | None:
    """The next chunk of records of a segment of `size` bytes that begins at byte `at` or behind, by a sound header."""
    kept = b""
    while True:
        file.seek(at)
        data = kept + file.read(SEARCH)
        if len(data) == len(kept):
            return None
        base = at - len(kept)
        place = data.find(MAGIC)
        while 0 <= place <= len(data) - HEAD_SIZE:
            try:
                chunk = read_head(data[place:place + HEAD_SIZE], base + place)
                if chunk.kind == RECORDS and chunk.end <= size:
                    return chunk
            except FormError:
                pass
            place = data.find(MAGIC, place + 1)
        at = base + len(data)
        kept = data[-(HEAD_SIZE - 1):]


def unpack_data(chunk: Chunk, data: bytes) -> bytes:
    """A chunk's data as it was before it was packed. Raises: FormError."""
    if len(data) != chunk.size:
        raise FormError(f"{chunk.size} bytes of data", f"{len(data)}", HEAD_SIZE)
    crc = zlib.crc32(data)
    if crc != chunk.crc:
        raise FormError(f"data with checksum {chunk.crc:08x}", f"{crc:08x}", HEAD_SIZE)
    if chunk.packing == PLAIN:
        return data
    library = zstandard()
    try:
        raw: bytes = library.ZstdDecompressor().decompress(data, max_output_size=chunk.raw_size)
    except library.ZstdError as error:
        raise FormError("zstd data", str(error), HEAD_SIZE) from None
    if len(raw) != chunk.raw_size:
        raise FormError(f"{chunk.raw_size} bytes when unpacked", f"{len(raw)}", HEAD_SIZE)
    return raw


def pack_json(document: Any) -> bytes:
    """The data of a chunk that holds a document."""
    return json.dumps(document, separators=(",", ":")).encode()


def pack_trail(offset: int) -> bytes:
    """The last bytes of a segment, whose index begins at byte `offset`."""
    trail = _TRAIL.pack(TRAIL_MAGIC, offset)
    return trail + _CRC.pack(zlib.crc32(trail))


def read_trail(data: bytes) -> int | None:
    """Where a segment that ends with these bytes has its index; None if they are no trail."""
    if len(data) != TRAIL_SIZE or data[:4] != TRAIL_MAGIC:
        return None
    if _CRC.unpack_from(data, _TRAIL.size)[0] != zlib.crc32(data[:_TRAIL.size]):
        return None
    return int(_TRAIL.unpack_from(data)[1])


def pack_index(symbols: list[str], chunks: list[Chunk]) -> bytes:
    """The data of an index."""
    return pack_json({"symbols": symbols, "chunks": [[*chunk[:-1], chunk.symbols] for chunk in chunks]})


def read_index(data: bytes) -> tuple[list[str], list[Chunk]]:
    """Symbols and chunks of an index. Raises: FormError."""
    try:
        document = json.loads(data)
        chunks = [Chunk(*fields[:-1], None if fields[-1] is None else tuple(fields[-1]))
                  for fields in document["chunks"]]
        return list(document["symbols"]), chunks
    except (ValueError, KeyError, TypeError) as error:
        raise FormError("an index", f"{type(error).__name__}: {error}", HEAD_SIZE) from None


# ---- names


def folder_name(venue: str, market: str) -> str:
    """Folder of the segments of a venue's market."""
    return f"{venue}-{market}" if market else venue


def segment_name(time_ns: int) -> str:
    """File name of a segment whose first record has that time, to the microsecond."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y%m%dT%H%M%S}.{time_ns % 10**9 // 1000:06d}Z{SUFFIX}"


def time_text(time_ns: int) -> str:
    """A time as messages show it."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9 // 10**6:03d}Z"


def is_segment_name(name: str) -> bool:
    """Whether a file bears a segment's name."""
    return re.fullmatch(r"[^.].*\.wbr", name) is not None
