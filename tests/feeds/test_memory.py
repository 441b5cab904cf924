"""Memory that runs out, at every call for some that a message makes, for good or for that call: the message is applied
whole or not at all, and a book that lacks it is not LIVE until it has been fetched anew."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import random

import pytest

from feeds.pipeline import Pipeline
from feeds.venues import load
from orderbook import BookState
from tests import _probe, own
from tests.simulation import FAMILIES, Truth
from tests.venues.bitmex import rows

pytestmark = pytest.mark.skipif(not _probe.CAN_COUNT_MALLOC, reason="malloc can be taken away on x86-64 Linux only")
EMPTY, SYNCING, LIVE, STALE = BookState
RECEIVED_NS = 1_790_000_001_000_000_000         # so that delays are counted, for which there is room to be made, too
MOST = 60               # calls for memory that one message makes, at most


class Play:
    """A venue that tells a book, message after message, and a pipeline that hears it."""

    def __init__(self, family):
        self.family = family()
        self.truth = Truth(self.family.symbols[0], random.Random(7))
        self.pipeline = Pipeline(self.family.venue)
        self.pipeline.opened()
        self.states = []                        # the venue's book after each message
        self.note()

    def note(self):
        self.states.append([sorted(((price / 100, qty / 1000) for price, qty in side.items()), reverse=not number)
                            for number, side in enumerate(self.truth.sides)])

    def messages(self, count, far=False):
        """What the venue tells: changes nearby, or besides levels far away, which need memory of their own."""
        for number in range(count):
            before, first, levels = self.truth.change()
            if far:
                for step in range(20):
                    price = 1_000_000 * (number + 2) + 10_000 * step
                    levels[1].append((price, 1000 + step))
                    self.truth._set(1, price, 1000 + step)
            self.note()
            yield self.family.delta(self.truth, before, first, *levels)

    def snapshot(self):
        """What makes the book LIVE, in the way of the venue."""
        body = self.family.snapshot(self.truth)
        if self.family.by_rest:
            self.pipeline.rest(load(self.family.venue).snapshot_url(self.truth.symbol, None), body)
        else:
            self.pipeline.feed(body, RECEIVED_NS)

    @property
    def book(self):
        return self.pipeline.books.get(self.truth.symbol)

    def held(self):
        return [[tuple(level) for level in side.tolist()] for side in (self.book.raw.bids(), self.book.raw.asks())]

    def assert_right(self):
        """A LIVE book is one of the venue's books: the last one, or one before it."""
        if self.book is not None and self.book.status is LIVE:
            assert self.held() in self.states


@pytest.fixture(params=[1, 10**6], ids=["once", "for good"])
def starve(request):
    """A function that calls something with memory so many times, and says whether all that was asked for was had."""
    def starve(call, after):
        def guarded():
            with contextlib.suppress(MemoryError):
                call()

        return _probe.without_memory(guarded, after, request.param) <= after

    return starve


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("struck", ["the first message", "the snapshot", "a delta", "a delta far away"])
def test_a_message_without_memory_is_not_applied_by_half(starve, family, struck):
    failures = 0
    for after in range(MOST):
        play = Play(family)
        messages = play.messages(9, struck == "a delta far away")
        enough = True
        if struck == "the first message":
            enough = starve(lambda: play.pipeline.feed(next(messages), RECEIVED_NS), after)      # noqa: B023
        elif play.family.by_rest:
            play.pipeline.feed(next(messages), RECEIVED_NS)
        play.assert_right()
        if struck == "the snapshot":
            enough = starve(play.snapshot, after)
        else:
            play.snapshot()
        play.assert_right()
        for place, message in enumerate(messages):
            if place == 5 and struck.startswith("a delta"):
                enough = starve(lambda: play.pipeline.feed(message, RECEIVED_NS), after)         # noqa: B023
            else:
                play.pipeline.feed(message, RECEIVED_NS)
            play.assert_right()
        if play.book is None or play.book.status is not LIVE:
            assert play.book is None or play.pipeline.wanted()
            play.snapshot()
            play.pipeline.feed(next(play.messages(1)))
        assert play.book.status is LIVE
        assert play.held() == play.states[-1]
        failures += not enough
        if enough:
            break
    assert enough, "the test gives up before the message has what it needs"
    assert failures > 0 or struck == "a delta"      # one that finds all its memory there asks for none


@pytest.mark.parametrize("struck", range(5))
def test_two_lines_without_memory_lose_at_most_the_book(starve, struck):
    """A message that one line lacks is waited for; memory runs out as it is kept, found missing, or comes after all."""
    for after in range(MOST):
        play = Play(FAMILIES[0])
        pipeline = play.pipeline
        pipeline.share(0, 1)
        pipeline.opened(1)
        snapshot = play.family.snapshot(play.truth)
        first, second, third = play.messages(3, True)
        steps = [(snapshot, 0), (first, 0), (third, 0), (snapshot, 1), (first, 1), (second, 1), (third, 1)]
        enough = True
        for number, (frame, line) in enumerate(steps):
            if number == struck + 2:
                enough = starve(lambda: pipeline.feed(frame, RECEIVED_NS, line), after)       # noqa: B023
            else:
                pipeline.feed(frame, RECEIVED_NS, line)
            play.assert_right()
        pipeline.settle(10.0)
        pipeline.settle(20.0)
        play.assert_right()
        if play.book.status is LIVE:
            assert play.held() == play.states[-1]
        else:
            assert pipeline.wanted()
        if enough:
            assert play.book.status is LIVE
            return
    raise AssertionError("the test gives up before the message has what it needs")


ROW = '{{"symbol":"XBTUSD","id":{0},"side":"{1}","size":{2},"price":{0}}}'


def listed(first, past, side, size):
    return [ROW.format(number, side, size) for number in range(first, past)]


@pytest.mark.parametrize("struck", range(4))
def test_levels_that_are_named_without_memory(starve, struck):
    """Rows that name their levels need a table of these, and room to be turned into levels."""
    frames = [rows("partial", *listed(1, 5, "Buy", 1), *listed(11, 15, "Sell", 1)),
              rows("insert", *listed(100, 300, "Sell", 2)),
              rows("update", *[f'{{"symbol":"XBTUSD","id":{n},"side":"Buy","size":3}}' for n in range(100, 160)]),
              rows("delete", *[f'{{"symbol":"XBTUSD","id":{n},"side":"Sell"}}' for n in range(200, 300)])]
    whole = Pipeline("bitmex")
    states = []
    for frame in frames:
        whole.feed(frame)
        states.append([side.tolist() for side in (whole.book("XBTUSD").raw.bids(), whole.book("XBTUSD").raw.asks())])
    for after in range(MOST):
        pipeline = Pipeline("bitmex")
        for number, frame in enumerate(frames):
            if number == struck:
                enough = starve(lambda: pipeline.feed(frame), after)                # noqa: B023
            else:
                pipeline.feed(frame)
            book = pipeline.books.get("XBTUSD")
            if book is not None and book.status is LIVE:
                assert [book.raw.bids().tolist(), book.raw.asks().tolist()] in states
        if enough:
            assert book.status is LIVE
            assert after or struck > 1
            return
        assert book is None or book.status is not LIVE or states.index(
            [book.raw.bids().tolist(), book.raw.asks().tolist()]) == 3, "a loss that is not seen"
    raise AssertionError("the test gives up before the message has what it needs")


def test_a_level_alone_that_is_named_without_memory(starve, monkeypatch):
    """The first message of a connection is one row: there is no room for rows yet, nor for names."""
    spec = own.own_spec(fields=[("kind", "TEXT", "SPARE"), ("s", "SYMBOL", "SPARE"), ("id", "INT", "LEVEL_ID"),
                                ("side", "INT", "LEVEL_SIDE"), ("p", "PRICE", "LEVEL_PRICE"),
                                ("q", "QTY", "LEVEL_QTY")])
    monkeypatch.setattr("feeds.pipeline.load", lambda name, wire=None: spec)
    message = own.frame("snapshot", id=9, side=1, p="100.5", q="3")
    whole = [[100.5, 3]]
    for after in range(MOST):
        pipeline = Pipeline("own")
        enough = starve(lambda: pipeline.feed(message, RECEIVED_NS), after)         # noqa: B023
        book = pipeline.books.get("X")
        assert book is None or book.status is not LIVE or book.raw.bids().tolist() == whole
        pipeline.feed(message, RECEIVED_NS)
        assert (pipeline.book("X").status, pipeline.book("X").raw.bids().tolist()) == (LIVE, whole)
        if enough:
            assert after > 5
            return
    raise AssertionError("the test gives up before the message has what it needs")


# ---- memory that is not needed any more

class Malloc(ctypes.Structure):
    """What the C library tells of its memory: struct mallinfo2 of malloc.h."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]


def in_use():
    """Bytes that were asked for and not given back."""
    tell = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if tell is None:
        pytest.skip("mallinfo2 came with glibc 2.33")
    tell.restype = Malloc
    told = tell()
    return told.uordblks + told.hblkhd


def grown(call, times):
    """Bytes more in use after `times` calls, beyond those of the first ones."""
    for _ in range(50):
        call()
    gc.collect()
    before = in_use()
    for _ in range(times):
        call()
    gc.collect()
    return in_use() - before


def test_what_waited_for_another_line_is_given_back():
    play = Play(FAMILIES[0])
    play.pipeline.share(0, 1)
    play.pipeline.opened(1)
    for line in (0, 1):
        play.pipeline.feed(play.family.snapshot(play.truth), RECEIVED_NS, line)

    def wait():
        first, second = play.messages(2)
        play.pipeline.feed(second + b" " * 8_000, RECEIVED_NS, 0)
        play.pipeline.feed(first, RECEIVED_NS, 1)

    assert grown(wait, 300) < 300 * 1_000
    assert (play.book.status, play.pipeline.counters["gaps"]) == (LIVE, 0)
    assert play.held() == play.states[-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pipeline_that_is_gone_leaves_nothing(family):
    def live():
        play = Play(family)
        messages = play.messages(4, True)
        if play.family.by_rest:
            play.pipeline.feed(next(messages), RECEIVED_NS)
        play.snapshot()
        for message in messages:
            play.pipeline.feed(message, RECEIVED_NS)
        assert play.book.status is LIVE

    assert grown(live, 60) < 60 * 1_000


def test_a_pipeline_with_figures_and_two_lines_leaves_nothing():
    """With delays and stages counted, and messages that waited: a histogram has 5 kB."""
    def live():
        pipeline = Pipeline("okx", sample_every=1)
        pipeline.share(0, 1)
        truth = Truth("BTC-USDT", random.Random(7))
        family = FAMILIES[0]()
        for line in (0, 1):
            pipeline.opened(line)
            pipeline.feed(family.snapshot(truth), RECEIVED_NS, line)
        frames = []
        for _ in range(4):
            before, first, levels = truth.change()
            frames.append(family.delta(truth, before, first, *levels))
        for number, line in ((0, 0), (2, 0), (1, 1), (3, 1)):
            pipeline.feed(frames[number], RECEIVED_NS, line)
        assert pipeline.latency("BTC-USDT")["received"]["count"]
        assert pipeline.latency("BTC-USDT")["applied"]["count"]

    assert grown(live, 60) < 60 * 1_000
