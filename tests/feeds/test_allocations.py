"""No allocation per message: counted inside Python's allocators and in the malloc of the package's own modules."""

from __future__ import annotations

import random

import pytest

from feeds.pipeline import Pipeline
from tests import _probe, frames

FRAMES = 100_000


def steady_stream(venue="binance_usdm"):
    """Deltas, quotes and trades that go on for ever: fed again, they continue where they ended."""
    rng = random.Random(5)
    out, last = [], 10
    for i in range(2000):
        previous, last = last, last + 2
        if i == 1999:
            last = 10  # the next turn follows this one
        bids = [
            (f"{61800 - rng.randint(0, 300) / 10:.1f}", f"{rng.randint(0, 9)}.{rng.randint(0, 999):03d}")
            for _ in range(8)
        ]
        asks = [
            (f"{61801 + rng.randint(0, 300) / 10:.1f}", rng.choice(["0", "17.250"])) for _ in range(rng.randint(0, 8))
        ]
        out.append(frames.delta(previous + 1, last, previous, bids, asks))
        out.append(frames.quote((bids[0][0], "1.5"), (f"{61801 + i % 7}.3", "0.001"), last))
        out.append(frames.trade(bids[0][0], "0.015", 10**9 + i, bool(i % 2)))
        out.append(frames.mark(f"{61800 + i % 50}.12345678"))
    return out


@pytest.fixture(scope="module")
def stream():
    return steady_stream()


def warm_pipeline(stream, handler):
    pipeline = Pipeline("binance_usdm", handler)
    pipeline.feed(frames.delta(9, 10, 8))
    pipeline.rest(frames.rest_url(), frames.snapshot(10, [("61800", "1.125")], [("61801.5", "2")]))
    for _ in range(2):
        pipeline.feed_many(stream)
    return pipeline


@pytest.mark.parametrize("one_by_one", [False, True], ids=["feed_many", "one by one"])
@pytest.mark.parametrize("handled", [False, True], ids=["no handler", "C handler"])
def test_steady_state_allocates_nothing(stream, handled, one_by_one):
    handler = _probe.CountingHandler() if handled else None
    pipeline = warm_pipeline(stream, handler)
    before = pipeline.counters
    turns = FRAMES // len(stream) + 1
    python_calls, c_calls, caught = _probe.count_allocations(pipeline, stream, turns, one_by_one or handled)
    after = pipeline.counters
    assert after["frames"] - before["frames"] == turns * len(stream) >= FRAMES
    assert after["fast"] - before["fast"] == turns * len(stream)
    assert (after["gaps"], after["errors"]) == (0, 0)
    assert (python_calls, c_calls) == (0, 0)
    if _probe.CAN_COUNT_MALLOC:
        assert caught >= 3
    if handled:
        assert handler.trades == handler.quotes > 0
        assert handler.books > 0


def test_a_recorded_steady_state_allocates_nothing(capture_lines):
    """The last third of a capture: the book grows while it is counted, so its memory may grow, but seldom."""
    lines = capture_lines("binance_usdm/btcusdt_20240808")
    pipeline = Pipeline("binance_usdm", on_gap="count")
    received = [line.payload for line in lines if line.kind == "<"]
    url, _, body = next(line.payload for line in lines if line.kind == "h").partition(b" ")
    pipeline.rest(url.decode(), body)
    pipeline.feed_many(received[:60_000])
    python_calls, c_calls, _ = _probe.count_allocations(pipeline, received[60_000:], one_by_one=True)
    slow = pipeline.counters["slow"]
    assert python_calls <= 2 * slow
    assert c_calls < 30


def test_the_count_sees_one_allocation_of_python(stream):
    handler = _probe.CountingHandler()
    pipeline = warm_pipeline(stream, handler)
    handler.allocate = True
    trades = handler.trades
    python_calls, _, _ = _probe.count_allocations(pipeline, stream, 1, True)
    assert python_calls == handler.trades - trades > 0


class Listener:
    def __init__(self):
        self.kept = []

    def on_trade(self, trade):
        self.kept.append(trade.copy())


def test_the_count_sees_what_a_python_handler_makes(stream):
    pipeline = warm_pipeline(stream, Listener())
    python_calls, _, _ = _probe.count_allocations(pipeline, stream, 1, True)
    assert python_calls >= len(stream) // 4


@pytest.mark.skipif(not _probe.CAN_COUNT_MALLOC, reason="malloc can be watched on x86-64 Linux only")
def test_the_count_sees_one_malloc(stream):
    pipeline = warm_pipeline(stream, None)
    far = frames.delta(11, 12, 10, [(f"{price}000000", "1") for price in range(1, 60)])
    pipeline.feed(frames.delta(11, 11, 10, [("1000000", "1")]))
    pipeline.feed(frames.delta(12, 12, 11, [("1000000", "0")]))
    _, c_calls, _ = _probe.count_allocations(
        pipeline, [far.replace(b'"U":11,"u":12,"pu":10', b'"U":13,"u":14,"pu":12')]
    )
    assert c_calls > 0
    assert pipeline.book("BTCUSDT").sequence == 14
