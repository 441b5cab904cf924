"""A recorder beside a pipeline and beside a feed: segments, checkpoints, full disks, kills."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import feeds
from feeds import connect
from feeds.figures import book_sha256
from feeds.pipeline import Pipeline
from feeds.recording import form, writer
from feeds.recording.check import check
from feeds.recording.reader import Recording, RecordingError, Segment
from feeds.recording.recorder import Recorder
from feeds.rerun import Rerun
from feeds.simulator.exchange import Exchange
from feeds.simulator.hall import Hall
from feeds.venues import load
from feeds.venues.dialects import speech
from tests import frames
from tests.loopback import looped, until

ROOT = Path(__file__).resolve().parents[3]


def begin(pipeline: Pipeline) -> None:
    """Have BTCUSDT LIVE at 10."""
    pipeline.follow("BTCUSDT")
    pipeline.opened(0, "wss://x")
    pipeline.feed(frames.delta(8, 9, 7), time.time_ns())
    pipeline.feed(frames.delta(10, 10, 9), time.time_ns())
    pipeline.rest(frames.rest_url(), frames.snapshot(10, [("100", "1"), ("99", "2")], [("101", "3")]), time.time_ns())


def go_on(pipeline: Pipeline, first: int, last: int) -> None:
    for number in range(first, last):
        pipeline.feed(frames.delta(number, number, number - 1, [(str(50 + number % 40), str(number % 7))]),
                      time.time_ns())


def wait_for(condition) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


def same(live: Pipeline, again: Pipeline) -> None:
    assert again.counters == live.counters
    for symbol in live.symbols():
        assert book_sha256(again.book(symbol)) == book_sha256(live.book(symbol))
        assert again.book(symbol).status is live.book(symbol).status
        assert again.symbol_stats(symbol) == live.symbol_stats(symbol)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline("binance_usdm", None, ())


def test_a_recorded_pipeline_replays_to_the_same_books(tmp_path, pipeline):
    with Recorder(pipeline, tmp_path) as recorder:
        begin(pipeline)
        go_on(pipeline, 11, 500)
    assert pipeline.tap is None
    figures = recorder.stats()
    assert figures["lost"] == figures["unwritten"] == figures["waiting"] == 0 and figures["segments"] == 1
    (segment,) = Recording(tmp_path).segments
    assert segment.complete and segment.records == figures["records"] == 494 and segment.symbols == ["BTCUSDT"]
    assert figures["bytes"] == segment.path.stat().st_size == segment.size
    assert [chunk.symbols for chunk in segment.chunks if chunk.kind == form.RECORDS][-1] == (0,)
    same(pipeline, Rerun(tmp_path).run().pipeline)
    manifest = writer.read_manifest(tmp_path)["segments"]
    assert [(entry["records"], entry["complete"]) for entry in manifest] == [(494, True)]
    assert check(tmp_path).document()["mended"] == []


def test_segments_rotate_by_size_and_begin_with_a_checkpoint(tmp_path, pipeline):
    with Recorder(pipeline, tmp_path, chunk_size=2000, chunk_s=0.01, rotate_size=3000) as recorder:
        begin(pipeline)
        for number in range(11, 700, 100):
            go_on(pipeline, number, number + 100)
            wait_for(lambda: recorder.stats()["waiting"] == 0)
    recording = Recording(tmp_path)
    assert len(recording.segments) > 2 and all(segment.complete for segment in recording.segments)
    assert [segment.about.part for segment in recording.segments] == list(range(len(recording.segments)))
    assert all(segment.chunks[1].kind == form.CHECKPOINT for segment in recording.segments[1:])
    assert len(recording.sessions()) == 1
    same(pipeline, Rerun(tmp_path).run().pipeline)


def test_segments_rotate_by_time(tmp_path, pipeline):
    with Recorder(pipeline, tmp_path, chunk_s=0.01, rotate_s=0.05) as recorder:
        begin(pipeline)
        for number in range(11, 15):
            go_on(pipeline, number, number + 1)
            wait_for(lambda: recorder.stats()["waiting"] == 0)
            time.sleep(0.06)
    assert len(Recording(tmp_path).segments) >= 3


def test_two_runs_into_one_directory_are_two_sessions_and_books_start_clean(tmp_path):
    for _ in range(2):
        pipeline = Pipeline("binance_usdm", None, ())
        with Recorder(pipeline, tmp_path):
            begin(pipeline)
            go_on(pipeline, 11, 20)
    sessions = Recording(tmp_path).sessions()
    assert len(sessions) == 2 and sessions[0].last_ns < sessions[1].first_ns
    again = Rerun(tmp_path).run()
    assert book_sha256(again.pipeline.book("BTCUSDT")) == book_sha256(pipeline.book("BTCUSDT"))


def test_a_pipeline_that_was_at_work_is_recorded_with_its_books(tmp_path, pipeline):
    begin(pipeline)
    go_on(pipeline, 11, 100)
    with Recorder(pipeline, tmp_path):
        go_on(pipeline, 100, 200)
    (segment,) = Recording(tmp_path).segments
    assert segment.about.pipeline["late"] and segment.chunks[1].kind == form.CHECKPOINT
    again = Rerun(tmp_path).run().pipeline
    assert again.book("BTCUSDT").sequence == 199
    assert book_sha256(again.book("BTCUSDT")) == book_sha256(pipeline.book("BTCUSDT"))


def test_only_one_recorder_a_pipeline(tmp_path, pipeline):
    with Recorder(pipeline, tmp_path) as recorder, pytest.raises(ValueError, match="being recorded already"):
        Recorder(pipeline, tmp_path).start()
    with pytest.raises(ValueError, match="started before"):
        recorder.start()
    assert recorder.stop() is None
    with pytest.raises(ValueError, match="above 0"):
        Recorder(pipeline, tmp_path, chunk_s=0)


def test_a_directory_that_cannot_be_written_to_is_named_before_anything_is_connected(tmp_path, pipeline):
    (tmp_path / "file").write_text("not a directory")
    for directory in (tmp_path / "file", tmp_path / "file" / "below", "/proc/recordings"):
        with pytest.raises(RecordingError, match=f"{directory}: expected a directory that can be written to, found"):
            Recorder(pipeline, directory).start()
        feed = connect("binance_usdm", "BTCUSDT", url="ws://127.0.0.1:9", record=directory)
        with pytest.raises(RecordingError, match="written to"):
            asyncio.run(feed.__aenter__())
        assert pipeline.tap is None and not feed.connections


@contextmanager
def largest_file(size: int):
    """No file may grow beyond `size` bytes meanwhile: what a full disk does, without one."""
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, kept[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)


def test_a_file_that_may_not_grow_further_is_followed_by_another(tmp_path, pipeline):
    with Recorder(pipeline, tmp_path, chunk_size=4000, chunk_s=0.01, level=1) as recorder, largest_file(5000):
        begin(pipeline)
        for number in range(11, 1500, 100):
            go_on(pipeline, number, number + 100)
            wait_for(lambda: recorder.stats()["waiting"] == 0)
    assert len(Recording(tmp_path).segments) > 1
    assert not check(tmp_path).damage
    same(pipeline, Rerun(tmp_path).run().pipeline)


def full_disk(monkeypatch):
    """A switch that makes every write of a chunk fail half way."""
    state = {"full": False, "failed": 0}
    write = os.write

    def failing(fd, data):
        if state["full"]:
            state["failed"] += 1
            write(fd, bytes(data[:len(data) // 2]))
            raise OSError(28, "No space left on device")
        return write(fd, data)

    monkeypatch.setattr("feeds.recording.writer.os.write", failing)
    monkeypatch.setattr("feeds.recording.recorder.RETRY_S", 0.02)
    return state


def test_a_full_disk_costs_what_finds_no_room_and_nothing_that_was_written(tmp_path, pipeline, monkeypatch, caplog):
    disk = full_disk(monkeypatch)
    caplog.set_level(logging.WARNING, "feeds.recording")
    with Recorder(pipeline, tmp_path, chunk_size=4000, chunk_s=0.01, buffer_size=1 << 16) as recorder:
        begin(pipeline)
        go_on(pipeline, 11, 100)
        wait_for(lambda: recorder.stats()["waiting"] == 0)
        disk["full"] = True
        go_on(pipeline, 100, 300)
        wait_for(lambda: disk["failed"] > 3)
        size = Recording(tmp_path).segments[0].size
        go_on(pipeline, 300, 2000)                      # more than there is room for; the pipeline does not notice
        assert pipeline.book("BTCUSDT").sequence == 1999
        figures = recorder.stats()
        assert figures["lost"] > 0 and figures["failing_s"] is not None and figures["failures"] > 3
        assert any("No space left on device; trying again" in text for text in recorder.news())
        assert Recording(tmp_path).segments[0].size == size     # half a chunk is cut off again, every time
        disk["full"] = False
        wait_for(lambda: recorder.stats()["waiting"] == 0)
        go_on(pipeline, 2000, 2100)
    figures = recorder.stats()
    assert figures["failing_s"] is None and figures["unwritten"] == 0
    assert any("written again" in text for text in recorder.news())
    assert "No space left" in caplog.text and "records lost" in caplog.text
    report = check(tmp_path)
    assert report.is_sound and report.lost == figures["lost"]
    again = Rerun(tmp_path).run()
    assert sum(loss[0] for loss in again.losses) == figures["lost"]
    assert report.records - report.losses + report.lost == 2094
    assert again.pipeline.book("BTCUSDT").status.name == "STALE"    # its next snapshot has not come


def test_a_disk_that_stays_full_to_the_end_is_told(tmp_path, pipeline, monkeypatch):
    disk = full_disk(monkeypatch)
    monkeypatch.setattr("feeds.recording.recorder.LAST_TRIES_S", 0.1)
    with Recorder(pipeline, tmp_path, chunk_s=0.01) as recorder:
        begin(pipeline)
        wait_for(lambda: recorder.stats()["waiting"] == 0 and recorder.stats()["records"])
        disk["full"] = True
        go_on(pipeline, 11, 100)
    figures = recorder.stats()
    assert figures["records"] + figures["unwritten"] == 94 and figures["unwritten"] == 89
    assert any("89 records at the end could not be written" in text for text in recorder.news())
    disk["full"] = False
    assert check(tmp_path).is_sound and check(tmp_path).records == 5


def test_a_fault_of_the_second_pipeline_costs_the_index_only(tmp_path, pipeline, monkeypatch):
    monkeypatch.setattr("feeds.recording.shadow.names", lambda *_: 1 / 0)
    with Recorder(pipeline, tmp_path) as recorder:
        begin(pipeline)
    assert any("cannot be followed" in text for text in recorder.news()) and not recorder.stats()["indexed"]
    same(pipeline, Rerun(tmp_path).run().pipeline)


def test_a_second_pipeline_that_is_behind_reads_its_records_again(tmp_path, pipeline, monkeypatch):
    monkeypatch.setattr("feeds.recording.shadow.KEEPS", 100)
    with Recorder(pipeline, tmp_path, chunk_size=2000, chunk_s=0.01) as recorder:
        waits, recorder._guarded = recorder._guarded, lambda *_: None           # no time for it
        begin(pipeline)
        go_on(pipeline, 11, 300)
        wait_for(lambda: recorder.stats()["waiting"] == 0)
        assert recorder.stats()["behind"] > 2000
        recorder._guarded = waits
        go_on(pipeline, 300, 400)
        wait_for(lambda: recorder.stats()["behind"] == 0)
    assert all(chunk.symbols == (0,) for chunk in Recording(tmp_path).segments[0].chunks if chunk.count)


def test_without_an_index_there_is_no_second_pipeline(tmp_path, pipeline):
    with Recorder(pipeline, tmp_path, index=False):
        begin(pipeline)
    (segment,) = Recording(tmp_path).segments
    assert segment.symbols == [] and segment.chunks[-1].symbols is None


@looped
async def test_a_feed_records_itself(tmp_path):
    server = Exchange(Hall(load("okx"), speech("okx"), ("BTC-USDT",), seed=3, rate=200.0))
    url = await server.start()
    running = asyncio.create_task(server.run())
    feed = connect("okx", "BTC-USDT", ("book", "trades"), url=url, record=tmp_path)
    async with feed:
        await feed.wait_live(20)
        await until(lambda: feed.pipeline.counters["depth"] > 30, "deltas")
        assert feed.stats()["recorder"]["lost"] == 0
        address = feed.connections[0].address
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    records = list(Recording(tmp_path).records())
    kinds = [record.kind for record in records]
    assert kinds.count(form.OPENED) == kinds.count(form.CLOSED) == 1 and form.SENT in kinds and form.TEXT in kinds
    assert records[kinds.index(form.OPENED)].payload.decode().startswith(address)
    assert b"subscribe" in records[kinds.index(form.SENT)].payload
    same(feed.pipeline, Rerun(tmp_path).run().pipeline)


@looped
async def test_a_feed_can_be_given_a_recorder_of_its_own(tmp_path):
    feed = connect("okx", "BTC-USDT", url="ws://127.0.0.1:9")
    feed.timing = feeds.connection.Timing(first=0.2)
    with Recorder(feed, tmp_path, rotate_size=1 << 20) as recorder:
        with pytest.raises(ValueError, match="recorded already"), Recorder(feed, tmp_path):
            pass
        with pytest.raises(ConnectionError):
            async with feed:
                pass
    assert recorder.stats()["records"] > 0      # what was followed


KILLED = """
import sys, time
from feeds.pipeline import Pipeline
from feeds.recording.recorder import Recorder
from feeds.rerun import Rerun
from tests.feeds.recording.test_recorder import begin, go_on
pipeline = Pipeline("binance_usdm", None, ())
with Recorder(pipeline, sys.argv[1], chunk_s=0.05, chunk_size=10_000, rotate_size=100_000) as recorder:
    begin(pipeline)
    number = 11
    while True:
        go_on(pipeline, number, number + 100)
        number += 100
        print(recorder.stats()["records"], flush=True)
        time.sleep(0.002)
"""


def test_a_kill_costs_the_last_chunk(tmp_path):
    program = "import importlib.util\n" + KILLED.replace(
        "from tests.feeds.recording.test_recorder import begin, go_on",
        f"spec = importlib.util.spec_from_file_location('held', {str(Path(__file__))!r})\n"
        "held = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(held)\n"
        "begin, go_on = held.begin, held.go_on")
    for run in range(2):
        with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True,
                              cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
            while int(process.stdout.readline()) < 2000:
                pass
            process.send_signal(signal.SIGKILL)
            told = [int(line) for line in process.stdout.read().split()[:-1]]
        written = max([2000, *told])
        report = check(tmp_path, dry_run=True)
        assert report.is_sound and len(report.mended) >= 1 and report.records >= written * (run + 1) - 100
    last = Recording(tmp_path).segments[-1]
    assert not last.complete
    with open(last.path, "ab") as file:                 # killed in the middle of a write
        file.write(last.path.read_bytes()[last.chunks[1].offset:last.chunks[1].offset + 70])
    records = sum(segment.records for segment in Recording(tmp_path).segments)
    report = check(tmp_path)
    assert report.is_sound and report.records == records
    assert any(f"byte {last.end}" in text and "cut off" in text for text in report.mended)
    aside = list(last.path.parent.glob("*.torn-*"))
    assert [file.stat().st_size for file in aside] == [70] and Segment(last.path).complete
    assert Segment(last.path).size == last.path.stat().st_size
    assert check(tmp_path).mended == []
    again = Rerun(tmp_path).run().pipeline
    number = records - sum(s.records for s in Recording(tmp_path).sessions()[0].segments) - 5 + 10
    assert again.book("BTCUSDT").sequence == number and again.book("BTCUSDT").status.name == "LIVE"


def test_check_leaves_alone_what_is_being_written(tmp_path, pipeline):
    with Recorder(pipeline, tmp_path, chunk_s=0.01) as recorder:
        begin(pipeline)
        wait_for(lambda: recorder.stats()["records"])
        path = Recording(tmp_path).segments[0].path
        before = path.read_bytes()
        report = check(tmp_path)
        assert report.busy == [str(path)] and not report.mended and path.read_bytes() == before
    assert not check(tmp_path).busy
