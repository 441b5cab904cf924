"""The ring between the thread that feeds and the one that writes: in order, whole, and every loss counted."""

from __future__ import annotations

import random
import threading

import pytest

from feeds.figures import book_sha256
from feeds.pipeline import Pipeline
from feeds.recording import acts, form
from feeds.recording.play import Block
from feeds.recording.tap import Tap
from tests import frames
from tests.log import Log
from tests.simulation import Chain, Counting, Linked, Ranges, World


def taken(tap: Tap, most: int = 1 << 20) -> list[form.Record]:
    found = []
    while (part := tap.take(most)) is not None:
        data, count, first, last = part
        records = list(form.records_of(data))
        assert len(records) == count and first == min(r.time_ns for r in records)
        assert last == max(r.time_ns for r in records)
        found += records
    return found


def pipeline_with(tap: Tap) -> Pipeline:
    pipeline = Pipeline("binance_usdm", None, ["BTCUSDT"])
    pipeline.tap = tap
    return pipeline


def replayed(pipeline: Pipeline, data: bytes) -> Pipeline:
    block = Block(data)
    while True:
        block.feed(pipeline)
        record = block.next()
        if record is None:
            return pipeline
        acts.act(pipeline, record)


def test_what_goes_in_comes_out_in_order_around_the_ring():
    tap, dice, sent, found = Tap(1 << 16), random.Random(1), [], []
    pipeline = pipeline_with(tap)
    for number in range(3000):
        payload = b'{"e":"x","n":%d,"p":"%s"}' % (number, b"y" * dice.randrange(200))
        pipeline.feed(payload, 10**18 + number, number % 5)
        sent.append(form.Record(10**18 + number, form.TEXT, number % 5, payload))
        if not dice.randrange(40):
            found += taken(tap, dice.choice((1, 1000, 1 << 20)))
    assert found + taken(tap) == sent and tap.lost_records == 0


def test_every_call_that_changes_books_is_recorded():
    tap = Tap(1 << 20)
    pipeline = pipeline_with(tap)
    pipeline.opened(0, "wss://x/stream")
    pipeline.rest(frames.rest_url(), frames.snapshot(10, [("100", "1")], []), 77)
    pipeline.follow("ethusdt", 5)
    pipeline.share(0, 1)
    pipeline.opened(1)
    pipeline.carry(1, "BTCUSDT")
    pipeline.hand_over(1)
    pipeline.settle(2.5)
    pipeline.lose("BTCUSDT", reason="said so")
    pipeline.closed(1, "1000 bye")
    pipeline.part(1)
    pipeline.market = pipeline.market
    pipeline.wire = pipeline.wire
    pipeline.take_instruments(b"[]")
    pipeline.forget("ETHUSDT")
    pipeline.feed(bytearray(b"{}"), 0, 3)
    pipeline.feed_many([b"[]", memoryview(b"{}")], 2)
    records = taken(tap)
    calls = [record.control() for record in records if record.kind == form.CONTROL]
    assert calls == [["follow", "ETHUSDT", 5, None], ["share", 0, 1], ["carry", 1, "BTCUSDT", None], ["hand_over", 1],
                     ["settle", 2.5], ["lose", "BTCUSDT", None, "said so", False], ["part", 1],
                     ["market", pipeline.market], ["wire", "json"], ["take_instruments", "[]"], ["forget", "ETHUSDT"]]
    others = [(record.kind, record.line, record.payload) for record in records
              if record.kind not in (form.CONTROL, form.REST)]
    assert others == [(form.OPENED, 0, b"wss://x/stream"), (form.OPENED, 1, b""), (form.CLOSED, 1, b"1000 bye"),
                      (form.TEXT, 3, b"{}"), (form.TEXT, 2, b"[]"), (form.TEXT, 2, b"{}")]
    assert [record.rest()[0] for record in records if record.kind == form.REST] == [frames.rest_url()]
    assert all(record.time_ns > 10**18 or record.time_ns == 77 for record in records)


def test_calls_that_fail_are_not_recorded():
    tap = Tap(1 << 20)
    pipeline = pipeline_with(tap)
    for call in (lambda: pipeline.lose("XRPUSDT"), lambda: pipeline.carry(0, "XRPUSDT"), lambda: pipeline.opened(5000),
                 lambda: pipeline.share(0, 5000), lambda: setattr(pipeline, "market", "moon")):
        with pytest.raises((KeyError, ValueError)):
            call()
    assert taken(tap) == []


def test_a_full_ring_loses_frames_counts_them_and_says_so_when_there_is_room():
    tap = Tap(1 << 16)
    pipeline = pipeline_with(tap)
    for number in range(100):
        pipeline.feed(bytes(1000), 10**18 + number)
    pipeline.closed(0, "calls have room of their own")
    lost = tap.lost_records
    assert 0 < lost < 100 and tap.lost_bytes == lost * 1016
    records = taken(tap)
    assert [r.kind for r in records] == [form.TEXT] * (100 - lost) + [form.LOSS, form.CLOSED]
    first, last = 10**18 + 100 - lost, 10**18 + 99
    assert records[-2].loss() == form.Loss(lost, lost * 1016, 0, first, last)
    pipeline.feed(b"{}", 10**18 + 200)
    assert [r.kind for r in taken(tap)] == [form.TEXT] and tap.lost_records == lost


def test_calls_that_find_no_room_are_counted_as_such():
    tap = Tap(1 << 16)
    pipeline = pipeline_with(tap)
    for _ in range(1000):
        pipeline.opened(0, "wss://x/" + 200 * "y")
    assert tap.lost_calls == tap.lost_records > 0
    records = taken(tap)
    tap.flush_loss()
    records += taken(tap)
    assert sum(r.kind == form.OPENED for r in records) + sum(r.loss().calls for r in records
                                                             if r.kind == form.LOSS) == 1000


def test_a_record_that_is_larger_than_the_ring_is_lost_alone():
    tap = Tap(1 << 16)
    pipeline = pipeline_with(tap)
    pipeline.feed(b"{}", 10**18)
    pipeline.feed(bytes(1 << 16), 10**18 + 1)
    pipeline.feed(b"[]", 10**18 + 2)
    assert [r.kind for r in taken(tap)] == [form.TEXT, form.LOSS, form.TEXT]


def test_a_small_ring_is_refused():
    with pytest.raises(ValueError, match="65536 bytes or more"):
        Tap(1000)


def test_two_threads_see_the_same_records_and_losses_add_up():
    tap, ended, found = Tap(1 << 16), threading.Event(), []

    def write():
        while not ended.is_set() or tap.waiting:
            found.extend(taken(tap, 5000))

    thread = threading.Thread(target=write)
    thread.start()
    pipeline = pipeline_with(tap)
    for number in range(30_000):
        pipeline.feed(b'{"n":%d}' % number, 10**18 + number)
    ended.set()
    thread.join()
    tap.flush_loss()
    found += taken(tap)
    times, lost = [], 0
    for record in found:
        if record.kind == form.LOSS:
            lost += record.loss().records
            assert record.loss().first_ns > times[-1]
        else:
            assert record.payload == b'{"n":%d}' % (record.time_ns - 10**18)
            times.append(record.time_ns)
    assert times == sorted(times) and len(times) + lost == 30_000 and lost == tap.lost_records


def test_packed_frames_are_recorded_as_they_came(capture_lines):
    """The payload that is gzip'd for its venue too: once, and not what it holds."""
    lines = [line for line in capture_lines("htx/spot_20210417") if line.kind == "B"][:200]
    tap = Tap(1 << 22)
    pipeline = Pipeline("htx")
    pipeline.tap = tap
    for line in lines:
        pipeline.feed(line.wire, line.recv_ns)
    records = taken(tap)
    assert [record.payload for record in records] == [line.wire for line in lines]
    assert replayed(Pipeline("htx"), b"".join(map(form.pack_record, records))).counters == pipeline.counters


@pytest.mark.parametrize("family", [Chain, Counting, Linked, Ranges], ids=lambda family: family.__name__)
@pytest.mark.parametrize("lines", [1, 2])
def test_a_rough_live_run_replays_to_the_same_books(family, lines, monkeypatch):
    """Faults of all kinds, reconnects, snapshots by REST, lines that take over: the same calls give the same state."""
    taps = []

    def tapped(*args, **options):
        pipeline = Pipeline(*args, **options)
        pipeline.tap = Tap(1 << 26)
        taps.append((pipeline, pipeline.tap))
        return pipeline

    monkeypatch.setattr("feeds.session.Pipeline", tapped)
    World(family, 7, 0.3, lines=lines, kill_s=120.0 if lines > 1 else 0.0).run()
    (live, tap), = taps
    data, count, _, _ = tap.take(1 << 26)
    assert tap.lost_records == 0 and count > 1000
    again = replayed(Pipeline(live.venue, None, (), market=live.market or None), data)
    assert again.counters == live.counters and again.symbols() == live.symbols()
    for symbol in live.symbols():
        assert book_sha256(again.book(symbol)) == book_sha256(live.book(symbol))
        assert again.book(symbol).status is live.book(symbol).status
        assert again.book(symbol).sequence == live.book(symbol).sequence
        assert again.symbol_stats(symbol) == live.symbol_stats(symbol)
        assert again.states(symbol) == live.states(symbol)


def test_a_loss_makes_books_stale_until_their_next_snapshot():
    pipeline = Pipeline("binance_usdm", log := Log(), ["BTCUSDT", "ETHUSDT"])
    pipeline.opened()
    pipeline.feed(frames.delta(8, 9, 7))
    pipeline.feed(frames.delta(10, 10, 9))
    pipeline.rest(frames.rest_url(), frames.snapshot(10, [("100", "1")], [("101", "3")]))
    loss = form.Loss(5, 900, 0, 10**18, 10**18 + 10**9)
    acts.act(pipeline, form.Record(10**18, form.LOSS, -1, form.loss_payload(loss)))
    book = pipeline.book("BTCUSDT")
    assert book.status.name == "STALE" and "5 records" in book.reason and "2001-09-09T01:46:40" in book.reason
    assert pipeline.book("ETHUSDT").status.name == "EMPTY"
    assert log.take()
    pipeline.feed(frames.delta(20, 21, 19))
    pipeline.rest(frames.rest_url(), frames.snapshot(21, [("100", "2")], [("101", "3")]))
    pipeline.feed(frames.delta(22, 22, 21))
    assert book.status.name == "LIVE"
