"""Recordings replayed: as their captures, of some symbols and times, over sessions, losses, damage and torn ends."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

import feeds
from feeds import checkpoint
from feeds.figures import Replay, book_sha256
from feeds.recording import form
from feeds.recording.form import Loss, Record
from feeds.recording.reader import About, Recording, RecordingError
from feeds.recording.textform import read_captures
from feeds.rerun import RangeError, Rerun, SymbolError, moment_text
from tests.feeds.test_rerun import T0, Told, delta, iterated, told, trade
from tests.recordings import write_recording

MS = 10 ** 6
URL = "https://fapi.binance.com/fapi/v1/depth?symbol={}&limit=1000"
ABOUT = About("binance_usdm", "", "json", "", 0, 0, {"on_gap": "resync", "all_symbols": False, "max_symbols": 10})


def snapshot(last, symbol="BTCUSDT"):
    body = f'{{"lastUpdateId":{last},"E":1,"T":1,"bids":[["99.00","1.000"]],"asks":[["101.00","2.000"]]}}'
    return form.rest_payload(URL.format(symbol).encode(), body.encode())


def day(count=200, t0=T0, symbols=("BTCUSDT", "ETHUSDT")):
    """A line, a snapshot of every symbol, a delta and a trade of each every 10 ms; then the line is closed."""
    records = [Record(t0, form.CONTROL, -1, form.control_payload("follow", symbol, None, None)) for symbol in symbols]
    records.append(Record(t0, form.OPENED, 0, b"wss://x"))
    for number in range(1, count + 1):
        at = t0 + number * 10 * MS
        for symbol in symbols:
            records.append(Record(at, form.TEXT, 0, delta(number, symbol).encode()))
            if number == 1:
                records.append(Record(at, form.REST, -1, snapshot(10, symbol)))
            records.append(Record(at, form.TEXT, 0, trade(number, symbol).encode()))
        records.append(Record(at, form.SENT, 0, b"ping"))
    return [*records, Record(t0 + (count + 1) * 10 * MS, form.CLOSED, 0, b"")]


@pytest.fixture
def recording(tmp_path):
    return write_recording(tmp_path / "rec", ABOUT, day(), chunk=50, every=4)


@pytest.mark.parametrize("name", ["binance_spot/multi_20210722", "okx/books_20220513", "kraken/book_20220729",
                                  "deribit/book", "bitmex/", "bitfinex/", "htx/"])
def test_a_recording_of_a_capture_gives_its_figures(data_dir, tmp_path, name):
    venue = name.partition("/")[0]
    files = sorted(path for path in data_dir.glob(f"{name}*.ws.gz") if "instruments" not in path.name)[:1] or sorted(
        path for path in (data_dir / venue).glob("*.ws.gz") if "instruments" not in path.name)[:1]
    figures = Replay(venue, digests=True)
    figures.run(files)
    read_captures(files, tmp_path / "rec", venue, chunk_size=100_000)
    document = Rerun(tmp_path / "rec", digests=True).run().document()
    assert document["symbols"] == figures.document()["symbols"]
    assert document["messages"] == figures.messages
    assert document["bytes"] == figures.bytes


def test_a_handler_and_both_iterations_are_told_the_same(recording):
    handler = Told()
    result = feeds.replay(recording, handler)
    assert [told(event) for event in feeds.replay(recording)] == handler.events
    assert asyncio.run(iterated(feeds.replay(recording, speed=50))) == handler.events
    assert result.messages == 800
    assert result.lines == 1006
    assert len([event for event in handler.events if event[0] == "trade"]) == 400
    assert handler.events[-1][:5] == ("status", "ETHUSDT", 2, 3, "connection closed")
    assert handler.events[-1][5] == T0 + 2010 * MS


def test_parts_of_a_recording_are_found_by_checkpoints(recording):
    whole = Told()
    feeds.replay(recording, whole)
    cut = [T0 + at * MS for at in (0, 10, 333, 1200, 1201, 1999, 2010)]
    parts = Told()
    for start, end in zip([None, *cut], [*cut, None], strict=True):
        if (start, end) != (None, cut[0]):
            result = feeds.replay(recording, parts, start=start, end=end)
            if start is not None and start > T0 + 400 * MS:
                assert result._source.lines - result.lines < 250
    assert parts.events == whole.events
    with pytest.raises(RangeError, match=r"rec: nothing from 2023-11-14T22:13:22\.010000001Z; there are records from "
                                         r"2023-11-14T22:13:20\.000000000Z to 2023-11-14T22:13:22\.010000000Z"):
        feeds.replay(recording, whole, start=cut[-1] + 1)


def test_nothing_but_the_symbols(recording):
    whole, some = Told(), Told()
    feeds.replay(recording, whole)
    for start in (None, T0 + 1500 * MS):
        some = Told()
        result = feeds.replay(recording, some, symbols=["ethusdt"], start=start)
        assert some.events == [event for event in whole.events if event[1] == "ETHUSDT"][-len(some.events):]
        assert list(result.pipeline.books) == ["ETHUSDT"]
        assert len(some.events) > 100
    with pytest.raises(SymbolError, match="rec: no ETHUSD; near: ETHUSDT"):
        feeds.replay(recording, symbols="ETHUSD")


def test_symbols_are_known_without_an_index_too(recording):
    [segment] = Recording(recording).segments
    with open(segment.path, "r+b") as file:
        file.truncate(segment.end)
    assert Recording(recording).segments[0].symbols == []
    some = Told()
    feeds.replay(recording, some, symbols=["ETHUSDT"])
    assert len(some.events) > 400
    with pytest.raises(SymbolError, match="no X; it has no symbols|no X; near: BTCUSDT, ETHUSDT"):
        feeds.replay(recording, symbols="X")


def test_several_venues_in_one_directory_have_to_be_told_apart(recording):
    okx = About("okx", "", "json", "", 0, 0, {"on_gap": "resync", "all_symbols": True, "max_symbols": 10})
    write_recording(recording, okx, [Record(T0, form.TEXT, 0, b"pong")])
    with pytest.raises(ValueError, match=r"rec: which of binance_usdm, okx\? Say it by venue and market"):
        feeds.replay(recording)
    assert feeds.replay(recording, Told(), venue="binance_usdm").messages == 800
    with pytest.raises(RecordingError, match="a recording of kraken, found none of it"):
        feeds.replay(recording, venue="kraken")


# ---- sessions

def test_a_session_begins_with_empty_books_and_the_figures_add_up(recording):
    spoilt = Record(T0 + 10 ** 10 + 1, form.TEXT, 0, b"{spoilt")
    killed = [*day(50, T0 + 10 ** 10)[:-1], spoilt]             # nobody closed its line
    write_recording(recording, ABOUT, killed, chunk=50)
    spoilt = spoilt._replace(time_ns=T0 + 2 * 10 ** 10)
    write_recording(recording, ABOUT, [spoilt, *day(30, T0 + 2 * 10 ** 10)], chunk=50)
    handler = Told()
    result = feeds.replay(recording, handler)
    one, two, three = Told(), Told(), Told()
    for number, (told_one, start) in enumerate(zip((one, two, three), (T0, T0 + 10 ** 10, T0 + 2 * 10 ** 10),
                                                   strict=True)):
        feeds.replay(recording, told_one, start=start, end=start + 10 ** 10)
        assert told_one.events, number
    books = [event for event in handler.events if event[0] != "status"]
    assert books == [event for each in (one, two, three) for event in each.events if event[0] != "status"]
    assert ("status", "BTCUSDT", 2, 0, "the recorder began anew") in [event[:5] for event in handler.events]
    assert result.errors == 2
    figures = result.document()["symbols"]["BTCUSDT"]
    assert figures["updates"] == 280
    assert figures["snapshots"] == 3
    assert figures["trades"]["count"] == 280
    assert figures["trades"]["qty"] == "70"


def test_two_recorders_at_once_are_replayed_one_by_one(recording):
    write_recording(recording, ABOUT, day(50, T0 + 5 * MS), chunk=50)
    with pytest.raises(ValueError, match=r"two recorders were at work at .*; replay the segments of one of them, from"):
        feeds.replay(recording)
    first, second = sorted(recording.glob("*/*.wbr"))
    assert feeds.replay(first, Told()).messages == 800
    assert feeds.replay([second], Told()).messages == 200


def test_a_session_whose_beginning_is_gone_begins_with_the_checkpoint_of_its_segment(tmp_path):
    path = write_recording(tmp_path / "rec", ABOUT, day(), chunk=50, every=4, rotate_s=0.5)
    whole, late = Told(), Told()
    feeds.replay(path, whole)
    first, *rest = sorted(path.glob("*/*.wbr"))
    first.unlink()
    feeds.replay(path, late)
    assert len(rest) >= 2
    assert late.events == whole.events[-len(late.events):]
    assert len(late.events) > 200
    rest[0].unlink()
    rest[1].rename(tmp_path / "away")
    if len(rest) > 2:
        return
    with pytest.raises(RecordingError):
        feeds.replay(path)


# ---- what is lost or damaged

def test_a_loss_makes_every_book_stale_until_its_next_snapshot(tmp_path):
    records = day()
    loss = form.loss_payload(Loss(7, 700, 0, T0 + 995 * MS, T0 + 999 * MS))
    at = next(i for i, record in enumerate(records) if record.time_ns > T0 + 1000 * MS)
    records.insert(at, Record(T0 + 1000 * MS, form.LOSS, -1, loss))
    again = next(i for i, record in enumerate(records) if record.time_ns > T0 + 1500 * MS)
    records.insert(again, Record(T0 + 1500 * MS, form.REST, -1, snapshot(160)))
    path = write_recording(tmp_path / "rec", ABOUT, records)
    handler = Told()
    result = feeds.replay(path, handler)
    assert result.losses == [(7, T0 + 995 * MS, T0 + 999 * MS)]
    assert result.document()["losses"] == 7
    stale = [event for event in handler.events if event[0] == "status" and "missing in the recording" in event[4]]
    assert [event[1] for event in stale] == ["BTCUSDT", "ETHUSDT"]
    books = [event for event in handler.events if event[0] == "book" and event[3] > T0 + 1000 * MS]
    assert {event[1] for event in books} == {"BTCUSDT"}
    assert feeds.replay(path, Told(), start=T0 + 1600 * MS).losses == []


def flip(path, chunk):
    """Damage the data of a chunk of the only segment."""
    [segment] = Recording(path).segments
    entry = [entry for entry in segment.chunks if entry.kind == form.RECORDS][chunk]
    with open(segment.path, "r+b") as file:
        file.seek(entry.offset + form.HEAD_SIZE + entry.size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    return entry


def test_damage_costs_its_chunk_and_books_are_proved_again_by_the_next_checkpoint(recording):
    whole, handler = Told(), Told()
    feeds.replay(recording, whole)
    entry = flip(recording, 5)
    rerun = Rerun(recording, handler)
    with pytest.raises(RecordingError, match=r"chunk \d+, byte \d+: 2023-11-14.*: expected data with checksum"):
        rerun.run()
    before = [event for event in handler.events if event[0] == "trade" and event[3] < entry.first_ns]
    assert before == [event for event in whole.events if event[0] == "trade" and event[3] < entry.first_ns]
    reasons = [event[1:5] for event in handler.events if event[0] == "status"]
    assert any(old == 2 and new == 3 and "cannot be read" in reason for _, old, new, reason in reasons)
    assert ("BTCUSDT", 3, 2, "a checkpoint of the recording") in reasons
    after = [event for event in whole.events if event[0] == "book" and event[3] > entry.last_ns + 500 * MS]
    assert after == [event for event in handler.events if event[0] == "book" and event[3] > entry.last_ns + 500 * MS]
    assert len(after) > 100
    # Behind the damage nothing is missing.
    late = Told()
    feeds.replay(recording, late, start=entry.last_ns + 500 * MS)
    assert late.events == whole.events[-len(late.events):]


@pytest.mark.parametrize("chunk, size", [(0, 10_000), (-1, 50)])
def test_damage_behind_the_last_record_is_told_too(tmp_path, chunk, size):
    path = write_recording(tmp_path / "rec", ABOUT, day(), chunk=size, every=0)
    entry = flip(path, chunk)
    rerun = Rerun(path, Told())
    with pytest.raises(RecordingError, match=f"chunk {entry.number}, .*expected data with checksum"):
        rerun.run()
    assert len(rerun.failures) == 1


def test_a_torn_end_is_left_out(recording, caplog):
    whole, torn = Told(), Told()
    feeds.replay(recording, whole)
    [segment] = Recording(recording).segments
    last = [chunk for chunk in segment.chunks if chunk.kind == form.RECORDS][-1]
    for size in (last.end - 3, last.offset + 5):
        with open(segment.path, "r+b") as file:
            file.truncate(size)
        torn = Told()
        with caplog.at_level(logging.WARNING):
            feeds.replay(recording, torn)
        assert torn.events == [event for event in whole.events if event[-1 if event[0] == "status" else 3]
                               < last.first_ns][:len(torn.events)]
        assert len(torn.events) > 500
        assert "no whole chunk and are left out" in caplog.text
        caplog.clear()


def test_a_checkpoint_of_another_version_is_passed_over(recording, monkeypatch, caplog):
    whole, late = Told(), Told()
    feeds.replay(recording, whole)
    [segment] = Recording(recording).segments
    states = [segment.read(chunk) for chunk in segment.chunks if chunk.kind == form.CHECKPOINT]
    real = checkpoint.restore

    def restore(pipeline, state, *args):
        real(pipeline, b"\xdc\x00\x13\x63" + state[4:] if state in states[1:] else state, *args)

    monkeypatch.setattr(checkpoint, "restore", restore)
    result = feeds.replay(recording, late, start=T0 + 1900 * MS)
    assert late.events == whole.events[-len(late.events):]
    assert len(late.events) > 30
    assert "found version 99: going further back" in caplog.text
    assert result._source.lines - result.lines > 700


@pytest.mark.parametrize("content", [b"", b"WBRC", b"PK\3\4 something foreign", b"\0" * 5000])
def test_foreign_files_are_none(tmp_path, content):
    folder = tmp_path / "rec" / "binance_usdm"
    folder.mkdir(parents=True)
    (folder / "20261122T000000.000000Z.wbr").write_bytes(content)
    with pytest.raises(RecordingError, match="expected"):
        feeds.replay(tmp_path / "rec", Told())


def test_recordings_and_captures_are_not_mixed(recording, tmp_path):
    capture = tmp_path / "binance_usdm.ws"
    capture.write_text("1\t<\t{}\n")
    with pytest.raises(ValueError, match="recordings or captures, not both"):
        feeds.replay([recording, capture])
    with pytest.raises(RecordingError, match=r"a directory with segments \(\*\.wbr\), found a directory without any"):
        (tmp_path / "empty").mkdir()
        feeds.replay(tmp_path / "empty")


def test_the_document_is_json(recording):
    document = json.loads(json.dumps(Rerun(recording, digests=True, start=T0 + 500 * MS).run().document()))
    assert document["first"] == moment_text(T0)
    assert document["start"] == moment_text(T0 + 500 * MS)
    assert document["symbols"]["BTCUSDT"]["updates"] == 151
    assert document["symbols"]["BTCUSDT"]["book_sha256"] == book_sha256(
        feeds.replay(recording, Told()).pipeline.books["BTCUSDT"])
