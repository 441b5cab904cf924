"""A replay is bit-identical to what was live: simulated days with faults are recorded and replayed, from many places.

After every message that was applied the whole book is compared, and every change of state with its reason; then the
same from each checkpoint on. Seeds are fixed; WIREBOOK_SEED gives another one.
"""

from __future__ import annotations

import logging
import os

import pytest

import feeds
from feeds import checkpoint
from feeds.figures import book_sha256
from feeds.recording import acts, form
from feeds.recording.form import Record
from feeds.recording.reader import About
from feeds.recording.tap import Tap
from feeds.rerun import Rerun
from tests.recordings import write_recording
from tests.simulation import START_NS, Chain, Counting, Linked, Ranges, World

SEED = int(os.environ.get("WIREBOOK_SEED") or 20261122)
NO_CLOCK = (form.OPENED, form.CLOSED, form.CONTROL)     # kinds of records whose time is that of our clock


class Diary:
    """What a pipeline's books have been, entry by entry."""

    def __init__(self):
        self.entries = []

    def on_applied(self, book):
        self.entries.append((book.symbol, book_sha256(book), book.status, book.sequence, book.receive_ns,
                             book.exchange_ns))

    def on_status(self, book, old, new, reason):
        self.entries.append((book and book.symbol, old, new, reason))

    def on_trade(self, trade):
        self.entries.append(repr(trade))


class RecordedWorld(World):
    """A simulated day whose client is tapped; `records` have the time of the world."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.diary = Diary()
        self.tap = Tap(1 << 24)
        self.records: list[Record] = []
        self._time = START_NS

    def drain(self):
        while (taken := self.tap.take(1 << 20)) is not None:
            for record in form.records_of(taken[0]):
                self._time = max(self._time, START_NS if record.kind in NO_CLOCK else record.time_ns)
                self.records.append(record._replace(time_ns=self._time))
        assert self.tap.lost_records == 0

    def check(self, book):
        super().check(book)
        if not hasattr(self, "quiet_opens"):    # else it is the world's own last look
            self.diary.on_applied(book)
        if self.tap.waiting > 1 << 22:
            self.drain()

    def on_status(self, book, old, new, reason):
        super().on_status(book, old, new, reason)
        self.diary.on_status(book, old, new, reason)


def lived(monkeypatch, family, seed=SEED, hours=0.2, pause_s=6.0, **options):
    """A day with faults: the diary of the client, its records and what its pipeline was made with."""
    world = RecordedWorld(family, seed, hours, pause_s, **options)
    connect = feeds.connect

    def tapped(*args, **options):
        feed = connect(*args, **options)
        feed.pipeline.tap = world.tap
        return feed

    monkeypatch.setattr(feeds, "connect", tapped)
    logging.disable(logging.CRITICAL)
    try:
        world.run()
    finally:
        logging.disable(logging.NOTSET)
    world.drain()
    return world


def about_of(world):
    pipeline = world.feed.pipeline
    return About(pipeline.venue, pipeline.market, pipeline.wire, "", 0, 0, {"on_gap": "resync", "all_symbols": False})


def replayed(path, **options):
    """The diary of a replay, and the replay."""
    diary = Diary()
    rerun = Rerun(path, diary, **options)
    rerun._digests = diary          # what is told of every message that was applied
    logging.disable(logging.CRITICAL)
    try:
        rerun.run()
    finally:
        logging.disable(logging.NOTSET)
    return diary.entries, rerun


DAYS = [(Chain, {}), (Counting, {}), (Ranges, {}), (Linked, {}),
        (Ranges, {"lines": 2, "kill_s": 40.0}), (Chain, {"lines": 2, "kill_s": 40.0})]


@pytest.mark.parametrize("family, options", DAYS, ids=lambda it: it.__name__ if isinstance(it, type) else str(it))
def test_a_replay_is_what_was_live(monkeypatch, tmp_path, family, options):
    world = lived(monkeypatch, family, **options)
    path = write_recording(tmp_path / "day", about_of(world), world.records, rotate_size=20_000)
    live = world.diary.entries
    entries, rerun = replayed(path)
    assert len(live) > 1000
    assert world.figures.faults.total() > 10
    for number, (one, other) in enumerate(zip(live, entries, strict=False)):
        assert one == other, f"entry {number} of {len(live)}"
    assert len(entries) == len(live)
    assert len(list(path.glob("*/*.wbr"))) > 2

    # From many places: what is told is the rest of it, and it ends in the same books.
    ends = {symbol: rerun.pipeline.symbol_stats(symbol) for symbol in rerun.pipeline.books}
    times = sorted({record.time_ns for record in world.records})
    sought = 0
    for start in times[len(times) // 8::len(times) // 3]:
        late, part = replayed(path, start=start)
        assert late == entries[len(entries) - len(late):]
        assert {symbol: part.pipeline.symbol_stats(symbol) for symbol in part.pipeline.books} == ends
        assert [book_sha256(book) for book in part.pipeline.books.values()] == [
            book_sha256(rerun.pipeline.books[symbol]) for symbol in part.pipeline.books]
        early, _ = replayed(path, end=start)
        assert early + late == entries
        sought += part._source.lines - part.lines < 700
    assert sought == 3, "the checkpoints are used"


def test_every_checkpoint_is_as_good_as_the_beginning(monkeypatch, tmp_path):
    """At each chunk's end, on a day with every fault."""
    world = lived(monkeypatch, Linked, hours=0.1)
    path = write_recording(tmp_path / "day", about_of(world), world.records)
    entries, _ = replayed(path)
    assert entries == world.diary.entries
    shadow, late = acts.pipeline_of(about_of(world)), None
    for number, record in enumerate(world.records):
        acts.act(shadow, record)
        if late is not None:
            acts.act(late, record)
        if number % 40 == 0:
            if late is not None:
                assert [book_sha256(book) for book in late.books.values()] == [
                    book_sha256(book) for book in shadow.books.values()]
                assert late.wanted() == shadow.wanted()
                assert late.counters | {"fast": 0, "slow": 0} == shadow.counters | {"fast": 0, "slow": 0}
            late = acts.pipeline_of(about_of(world))
            checkpoint.restore(late, checkpoint.take(shadow))
