"""What is written is what is read, and whatever happens to the bytes is noticed."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.recording import form
from feeds.recording.check import check
from feeds.recording.form import Loss, Record
from feeds.recording.play import survey
from feeds.recording.reader import About, Recording, RecordingError, Segment
from feeds.recording.writer import RecordWriter

ABOUT = About("binance_usdm", "", "json", "", 0, 0, {"all_symbols": True})
RECORDS = st.lists(st.builds(Record, st.integers(1, 2**62), st.integers(1, 6), st.integers(-1, 1023),
                             st.binary(max_size=300)), max_size=20)


def small(number: int, size: int = 30) -> Record:
    return Record(10**18 + number * 10**6, form.TEXT, number % 3, bytes([number % 251]) * size)


def write(directory, records, **options):
    options.setdefault("index", False)
    with RecordWriter(directory, ABOUT, **options) as writer:
        for record in records:
            writer.write(record)
    return next(iter(Recording(directory).segments)).path


@given(RECORDS)
def test_records_read_back_as_they_were_written(records):
    data = b"".join(form.pack_record(record) for record in records)
    assert list(form.records_of(data)) == records
    assert survey(data)[0] == len(records)
    if records:
        assert survey(data)[1:3] == (min(r.time_ns for r in records), max(r.time_ns for r in records))


@given(RECORDS, st.integers(0, 10**6))
def test_a_cut_in_a_chunk_of_records_is_an_error_or_between_two(records, at):
    data = b"".join(form.pack_record(record) for record in records)
    at %= len(data) + 1
    ends = [sum(len(form.pack_record(record)) for record in records[:n]) for n in range(len(records) + 1)]
    for read in (lambda: list(form.records_of(data[:at])), lambda: survey(data[:at])):
        if at in ends:
            read()
        else:
            with pytest.raises(form.FormError, match="record"):
                read()


@given(st.binary(max_size=2000), st.integers(1, 4), st.integers(0, 10**6), st.integers(1, 2**62), st.integers(1, 2**62))
def test_a_chunk_reads_back_as_it_was_packed(data, kind, number, first, last):
    packed, chunk = form.pack_chunk(kind, number, data, 7, first, last, 99)
    again = form.read_head(packed[:form.HEAD_SIZE], 0)
    assert again == chunk and (again.number, again.count, again.first_ns, again.before) == (number, 7, first, 99)
    assert form.unpack_data(again, packed[form.HEAD_SIZE:]) == data


def test_payloads_of_their_own_read_back():
    rest = Record(1, form.REST, -1, form.rest_payload("https://x/ü".encode(), b"{}"))
    assert rest.rest() == ("https://x/ü", b"{}")
    loss = Loss(3, 400, 1, 10, 20)
    assert Record(1, form.LOSS, -1, form.loss_payload(loss)).loss() == loss
    assert Record(1, form.CONTROL, -1, form.control_payload("follow", "BTC", None)).control() == ["follow", "BTC", None]


def test_names_and_times():
    assert form.segment_name(1_795_389_339_405_850_955) == "20261122T231539.405850Z.wbr"
    assert form.time_text(1_795_389_339_405_850_955) == "2026-11-22T23:15:39.405Z"
    assert form.folder_name("okx", "") == "okx" and form.folder_name("htx", "spot") == "htx-spot"


def test_a_segment_that_is_cut_anywhere_gives_all_that_came_before(tmp_path):
    records = [small(n) for n in range(12)]
    path = write(tmp_path / "whole", records, chunk_size=150)
    data, chunks = path.read_bytes(), Segment(path).chunks
    held = tmp_path / "cut.wbr"
    for size in range(len(data)):
        held.write_bytes(data[:size])
        whole = [chunk for chunk in chunks if chunk.end <= size]
        if not whole:                                   # not even what it is
            with pytest.raises(RecordingError, match="cut.wbr"):
                Segment(held)
            continue
        segment = Segment(held)
        assert not segment.complete
        assert list(segment.all_records()) == records[:sum(chunk.count for chunk in whole)]
        assert (segment.torn is None) == (size == whole[-1].end)


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path):
    """Of the records that are read none is wrong: an error names the place, or the end is cut off."""
    records = [small(n) for n in range(12)]
    path = write(tmp_path / "whole", records, chunk_size=150)
    data, chunks = path.read_bytes(), Segment(path).chunks
    held = tmp_path / "flipped.wbr"
    named = 0
    for at in range(len(data)):
        held.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1:])
        inside = next((chunk for chunk in chunks if chunk.offset <= at < chunk.end), None)
        try:
            found = list(Segment(held).all_records())
        except RecordingError as error:
            assert inside is not None and error.chunk == inside.number and inside.offset <= error.offset < inside.end
            named += 1
            continue
        assert found == records or (inside is chunks[-1] and found == records[:-chunks[-1].count])
    assert named >= sum(chunk.end - chunk.offset for chunk in chunks[:-1])      # the index does not hide the others


def test_flipped_bits_are_told_by_check_or_mended(tmp_path):
    records = [small(n) for n in range(12)]
    path = write(tmp_path / "whole", records, chunk_size=150)
    data, chunks = path.read_bytes(), Segment(path).chunks
    for at in range(0, len(data), 7):
        directory = tmp_path / f"at{at}"
        shutil.copytree(tmp_path / "whole", directory)
        held = next(directory.glob("*/*.wbr"))
        held.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        before = held.read_bytes()
        report = check(directory)
        inside = next((chunk for chunk in chunks if chunk.offset <= at < chunk.end), None)
        if report.is_sound:
            assert report.mended and (inside is None or inside is chunks[-1])
            assert check(directory).document() | {"bytes": 0} == {
                **report.document(), "mended": [], "bytes": 0, "records": report.records}
            assert Segment(held).complete
        else:
            assert inside is not None and [error.chunk for error in report.damage] == [inside.number]
            assert held.read_bytes() == before


def test_an_index_of_another_file_is_not_believed(tmp_path):
    path = write(tmp_path, [small(n) for n in range(4)], chunk_size=60)
    segment = Segment(path)
    wrong = segment.chunks[1]._replace(crc=1)
    chunks = [segment.chunks[0], wrong, *segment.chunks[2:]]
    data, _ = form.pack_chunk(form.INDEX, len(chunks), form.pack_index([], chunks), 0, 0, 0, 0)
    path.write_bytes(path.read_bytes()[:segment.end] + data + form.pack_trail(segment.end))
    with pytest.raises(RecordingError, match="chunk 1, byte .* the index names"):
        list(Segment(path).all_records())


@pytest.mark.parametrize("content", [b"", b"WB", b"PK\x03\x04" + bytes(100), b"1790000000\t=\twss://x\n" * 20])
def test_a_foreign_file_is_named(tmp_path, content):
    path = tmp_path / "other.wbr"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="other.wbr"):
        Segment(path)
    with pytest.raises(RecordingError, match=str(tmp_path)):
        Recording(tmp_path / "nothing here")


def test_a_missing_part_of_a_session_is_named(tmp_path):
    write(tmp_path, [small(n) for n in range(12)], chunk_size=60, rotate_size=300)
    segments = Recording(tmp_path).segments
    assert len(segments) > 2
    segments[1].path.unlink()
    with pytest.raises(RecordingError, match="part 1 of its session before part 2"):
        Recording(tmp_path).sessions()
    report = check(tmp_path)
    assert any("the manifest names" in str(error) for error in report.damage)
    assert any("records of its session before it" in str(error) for error in report.damage)
