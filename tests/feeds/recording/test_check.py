"""`wirebook check`: what a kill leaves is mended, everything else is named and left alone."""

from __future__ import annotations

import json
import zlib

import pytest
from typer.testing import CliRunner

from feeds.cli import app
from feeds.recording import form
from feeds.recording.check import check
from feeds.recording.form import Loss, Record
from feeds.recording.reader import About, Recording, RecordingError, Segment
from feeds.recording.writer import RecordWriter, read_manifest
from tests import frames

ABOUT = About("binance_usdm", "", "json", "", 0, 0, {"all_symbols": True})
START = 1_790_000_000_000_000_000


def frame_of(number: int) -> Record:
    payload = frames.delta(number, number, number - 1, [(str(50 + number % 40), str(number % 7))])
    return Record(START + number * 10**9, form.TEXT, 0, payload)


@pytest.fixture
def recording(tmp_path):
    """Three segments of four chunks each."""
    with RecordWriter(tmp_path / "rec", ABOUT, chunk_size=1000, rotate_s=20.0) as writer:
        for number in range(1, 70):
            writer.write(frame_of(number))
    return tmp_path / "rec"


def run(*args):
    return CliRunner().invoke(app, ["check", *map(str, args)])


def test_a_sound_recording_is_left_as_it_is(recording):
    before = {file: file.read_bytes() for file in recording.rglob("*") if file.is_file()}
    result = run(recording)
    assert result.exit_code == 0 and "segments, 69 records: sound" in result.output
    assert before == {file: file.read_bytes() for file in recording.rglob("*") if file.is_file()}
    document = json.loads(run(recording, "--json").stdout)
    assert document["sound"] and document["records"] == 69 and document["damage"] == []
    assert check(Recording(recording).segments[1].path).records < 69       # one file


def test_damage_in_the_middle_names_file_byte_chunk_and_times(recording):
    segment = Recording(recording).segments[1]
    chunk = segment.chunks[2]
    data = bytearray(segment.path.read_bytes())
    data[chunk.offset + form.HEAD_SIZE + 5] ^= 1
    segment.path.write_bytes(data)
    result = run(recording)
    assert result.exit_code == 1
    assert f"{segment.path}: chunk 2, byte {chunk.offset + form.HEAD_SIZE}: 20" in result.output.replace("\n", "")
    assert form.time_text(chunk.first_ns) in result.output and form.time_text(chunk.last_ns) in result.output
    assert f"expected data with checksum {chunk.crc:08x}, found" in result.output
    assert "1 damaged places" in result.output
    assert segment.path.read_bytes() == data
    (damage,) = json.loads(run(recording, "--json").stdout)["damage"]
    assert (damage["chunk"], damage["first_ns"], damage["last_ns"]) == (2, chunk.first_ns, chunk.last_ns)
    with pytest.raises(RecordingError, match="chunk 2"):
        list(Recording(recording).records())


def test_every_damaged_place_is_named_where_the_index_is_gone_too(recording):
    segment = Recording(recording).segments[0]
    first, third = segment.chunks[1], segment.chunks[3]
    data = bytearray(segment.path.read_bytes()[:segment.end])
    data[first.offset + 10] ^= 1                            # a header
    data[third.offset + form.HEAD_SIZE] ^= 1                # and data
    segment.path.write_bytes(data)
    report = check(recording)
    assert [error.chunk for error in report.damage] == [1, 3] and not report.is_sound
    assert report.damage[0].offset == first.offset and report.damage[0].last_ns == segment.chunks[2].first_ns
    assert segment.path.read_bytes() == data


@pytest.mark.parametrize("cut", [1, 16, 40])
def test_what_is_torn_is_cut_off_into_a_file_beside(recording, cut):
    """In a dry run nothing is."""
    segment = Recording(recording).segments[-1]
    whole = segment.path.read_bytes()
    last = segment.chunks[-1]
    torn = whole[:last.end - cut]
    segment.path.write_bytes(torn)
    dry = run(recording, "--dry-run")
    assert dry.exit_code == 0 and "would be mended" in dry.output and segment.path.read_bytes() == torn
    result = run(recording)
    assert result.exit_code == 0 and f"byte {last.offset}" in result.output and "sound" in result.output
    (aside,) = segment.path.parent.glob("*.torn-*")
    assert aside.name == f"{segment.path.name}.torn-{last.offset}" and aside.read_bytes() == torn[last.offset:]
    mended = Segment(segment.path)
    assert mended.complete and mended.chunks[-1].number == last.number - 1
    assert segment.path.read_bytes()[:last.offset] == whole[:last.offset]
    entry = [entry for entry in read_manifest(recording)["segments"] if entry["file"].endswith(segment.path.name)][0]
    assert entry["records"] == mended.records and entry["complete"]
    assert "mended" not in run(recording).output


def test_an_index_is_made_anew_with_its_symbols(recording):
    segment = Recording(recording).segments[0]
    symbols = [chunk.symbols for chunk in segment.chunks]
    segment.path.write_bytes(segment.path.read_bytes()[:segment.end])
    bare = Segment(segment.path)
    assert bare.symbols == [] and not bare.complete and bare.torn is None
    report = check(recording)
    assert len(report.mended) == 1 and "no index: written" in report.mended[0]
    again = Segment(segment.path)
    assert again.symbols == ["BTCUSDT"] and [chunk.symbols for chunk in again.chunks] == symbols


def test_a_lost_manifest_is_written_anew(recording):
    before = read_manifest(recording)
    (recording / form.MANIFEST).write_text("{")
    assert check(recording, dry_run=True).mended and read_manifest(recording) is None
    assert check(recording).is_sound
    assert read_manifest(recording) == before


def test_a_recorder_that_was_killed_at_once_leaves_nothing_to_read(recording):
    for name, content in (("a.wbr", b""), ("b.wbr", Recording(recording).segments[0].path.read_bytes()[:70])):
        (recording / "binance_usdm" / name).write_bytes(content)
    assert sum(segment.records for segment in Recording(recording).segments) == 69
    report = check(recording)
    assert report.is_sound and len(report.mended) == 2
    assert sorted(file.name for file in recording.glob("*/*.torn-0")) == ["a.wbr.torn-0", "b.wbr.torn-0"]


def test_a_foreign_file_among_the_segments_is_named(recording):
    (recording / "binance_usdm" / "x.wbr").write_text("something else, long enough to be looked at as a header of one")
    report = check(recording)
    assert [error.found for error in report.damage] == ["b'some'"] and report.records == 69
    with pytest.raises(RecordingError, match="x.wbr: chunk 0, byte 0: expected a chunk"):
        Recording(recording)


def test_a_segment_of_a_newer_version_is_named(recording):
    path = Recording(recording).segments[0].path
    head = bytearray(path.read_bytes()[:form.HEAD_SIZE])
    head[6] = 2
    head[52:56] = form._CRC.pack(zlib.crc32(head[:52]))
    path.write_bytes(bytes(head) + path.read_bytes()[form.HEAD_SIZE:])
    with pytest.raises(RecordingError, match="expected version 1 of the form, found version 2"):
        Segment(path)


def test_losses_are_told(tmp_path):
    with RecordWriter(tmp_path / "rec", ABOUT) as writer:
        writer.write(frame_of(1))
        writer.write(Record(START + 5, form.LOSS, -1, form.loss_payload(Loss(30, 4000, 0, START + 2, START + 4))))
    result = run(tmp_path / "rec")
    assert result.exit_code == 0 and "30 were lost in 1 places" in result.output


def test_nothing_to_check_is_an_error(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        result = run(path)
        assert result.exit_code == 1 and str(path) in result.stderr and "expected a recording" in result.stderr
