"""Captures in and out: the fields of a line, both encodings, and every way a file can be wrong."""

from __future__ import annotations

import base64
import gzip
import random

import pytest

from feeds import capture
from feeds.capture import CaptureError, CaptureReader, CaptureWriter, Record

LINES = (b"10\t=\twss://host/ws\n"
         b"11\t>\t{\"id\":1}\n"
         b"12\t<\t{\"a\":\"x\ty\"}\n"
         b"13\th\thttps://host/depth?symbol=A {\"lastUpdateId\":1}\n"
         b"14\t!\t\n")


@pytest.fixture
def write(tmp_path):
    def write(data: bytes, name: str = "x.ws"):
        path = tmp_path / name
        path.write_bytes(data)
        return path
    return write


def read_until_error(path):
    """The records that come out, and the error that ends them."""
    records = []
    with pytest.raises(CaptureError) as caught:
        for record in CaptureReader(path):
            records.append(record)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return records, caught.value


def test_fields_of_every_kind(write):
    records = list(CaptureReader(write(LINES)))
    assert [(r.recv_ns, r.kind, r.line) for r in records] == [
        (10, "=", 1), (11, ">", 2), (12, "<", 3), (13, "h", 4), (14, "!", 5)]
    assert records[2] == Record(12, "<", b'{"a":"x\ty"}', 3, LINES.index(b"12\t<"), 11)
    assert records[3].payload.split(b" ", 1)[1] == b'{"lastUpdateId":1}'
    assert records[4].payload == b""


@pytest.mark.parametrize("name", ["x.ws", "x.ws.gz"])
def test_the_content_tells_gzip_not_the_name(write, name):
    want = list(CaptureReader(write(LINES)))
    assert list(CaptureReader(write(gzip.compress(LINES, mtime=0), name))) == want


def test_a_last_line_without_line_feed_counts(write):
    assert len(list(CaptureReader(write(LINES.rstrip(b"\n") + b"x")))) == 5


def test_gzip_members_joined_and_padded(write):
    first, second = LINES[:30], LINES[30:]
    data = gzip.compress(first, mtime=0) + gzip.compress(second, mtime=0) + b"\0" * 100
    assert list(CaptureReader(write(data))) == list(CaptureReader(write(LINES)))


def test_binary_frames_are_decoded_and_inflated(write):
    packed = gzip.compress(b'{"ping":1}', mtime=0)
    lines = b"1\tB\t" + base64.b64encode(packed) + b"\n2\tB\t" + base64.b64encode(b"plain") + b"\n"
    first, second = CaptureReader(write(lines))
    assert (first.kind, first.payload, first.wire_size) == ("B", b'{"ping":1}', len(packed))
    assert (second.payload, second.wire_size) == (b"plain", 5)


def test_lines_longer_than_a_chunk(write, monkeypatch):
    monkeypatch.setattr(capture, "CHUNK_SIZE", 7)
    records = list(CaptureReader(write(LINES)))
    monkeypatch.undo()
    assert records == list(CaptureReader(write(LINES)))


def test_position_reaches_the_size(write):
    reader = CaptureReader(write(gzip.compress(LINES * 1000, mtime=0)))
    assert sum(1 for _ in reader) == 5000
    assert reader.position == reader.size


@pytest.mark.parametrize("name", ["out.ws", "out.ws.gz"])
def test_what_was_written_is_read_back(tmp_path, name):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    wanted = []
    with CaptureWriter(tmp_path / name) as writer:
        for stamp in range(300):
            kind = rng.choice("=><Bh!")
            payload = bytes(rng.choices(range(256), k=rng.randrange(50)))
            if kind != "B":
                payload = payload.replace(b"\n", b"\t")
            if kind == "B":
                payload = b"." + payload        # a payload of gzip data would be read inflated
            if kind == "h":
                payload = b"url " + payload
            writer.write(stamp, kind, payload)
            wanted.append((stamp, kind, payload))
    assert [(r.recv_ns, r.kind, r.payload) for r in CaptureReader(tmp_path / name)] == wanted


def test_writer_refuses_what_the_format_cannot_hold(tmp_path):
    with CaptureWriter(tmp_path / "x.ws") as writer:
        with pytest.raises(ValueError, match="line feed"):
            writer.write(1, "<", b"a\nb")
        with pytest.raises(ValueError, match="kind"):
            writer.write(1, "?", b"")


@pytest.mark.parametrize("bad, at, expected", [
    (b"no tabs here", 0, "recv_ns<TAB>kind<TAB>payload"),
    (b"15\t<", 0, "recv_ns<TAB>kind<TAB>payload"),
    (b"", 0, "recv_ns<TAB>kind<TAB>payload"),
    (b"1.5\t<\t{}", 0, "nanoseconds"),
    (b"-15\t<\t{}", 0, "nanoseconds"),
    (b"9223372036854775808\t<\t{}", 0, "nanoseconds"),
    (b"15\tx\t{}", 3, "a kind of"),
    (b"15\t\t{}", 3, "a kind of"),
    (b"15\tB\tnot base64!", 5, "base64"),
    (b"15\tB\t" + base64.b64encode(b"\x1f\x8bxxxxxxxxxxxxxxxxxxxx"), 5, "gzip"),
    (b"15\tB\t" + base64.b64encode(gzip.compress(b"{}", mtime=0)[:-3]), 5, "gzip"),
    (b"15\th\thttps://host/depth", 5, "URL<SPACE>body"),
])
def test_a_wrong_line_is_named(write, bad, at, expected):
    records, error = read_until_error(write(LINES + bad + b"\n"))
    assert len(records) == 5
    assert (error.line, error.offset) == (6, len(LINES) + at)
    assert expected in error.expected


def test_a_bomb_in_a_binary_frame_is_refused(write, monkeypatch):
    monkeypatch.setattr(capture, "MAX_FRAME_SIZE", 1000)
    bomb = base64.b64encode(gzip.compress(b"0" * 100_000, mtime=0))
    records, error = read_until_error(write(b"1\tB\t" + bomb + b"\n"))
    assert not records
    assert "more than 1000 bytes" in str(error)


def test_an_endless_line_is_refused(write, monkeypatch):
    monkeypatch.setattr(capture, "MAX_LINE_SIZE", 1000)
    _, error = read_until_error(write(LINES + b"0" * 5000))
    assert error.line == 6


def test_a_gzip_file_cut_anywhere_gives_its_whole_lines(write):
    data = gzip.compress(LINES, mtime=0)
    everything = list(CaptureReader(write(LINES)))
    for size in range(2, len(data)):
        records, error = read_until_error(write(data[:size]))
        assert records == everything[:len(records)]
        assert "cut off" in str(error)
        assert error.line == len(records) + 1


def test_a_gzip_file_with_a_flipped_bit(write):
    data = bytearray(gzip.compress(LINES * 50, mtime=0))
    data[len(data) // 2] ^= 0x10
    _, error = read_until_error(write(bytes(data)))
    assert error.line >= 1


@pytest.mark.parametrize("data, found", [
    (b"", "empty"),
    (gzip.compress(b"", mtime=0), "empty"),
    (b"\x89PNG\r\n\x1a\n\0\0\0", "not a capture"),
    (b"just some text\n", "not a capture"),
])
def test_files_that_are_no_captures(write, data, found):
    records, error = read_until_error(write(data))
    assert not records
    assert found in str(error)


def test_no_such_file_and_a_folder(tmp_path):
    with pytest.raises(CaptureError, match="no such file"):
        CaptureReader(tmp_path / "missing.ws.gz")
    with pytest.raises(CaptureError, match="a folder"):
        CaptureReader(tmp_path)
