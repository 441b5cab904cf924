"""The whole path from bytes to book, called from Python: the mix, every kind alone, one by one, other markets.

Frames are in memory before the clock starts, and every round has a fresh pipeline with its snapshot unless it says so.
"""

from __future__ import annotations

import json
import random
from statistics import median
from time import perf_counter_ns

import pytest

from benchmarks.figures import figure
from benchmarks.workload import data_dir, load
from feeds import Pipeline

KIND_LIMITS = {"ticker": 70.0, "trade": 70.0}
DEPTH_LIMIT = 20.0
OTHERS = ["binance_usdm/multi_20210722.ws.gz", "binance_coinm/btcusd_perp_20240808.ws.gz",
          "binance_coinm/multi_20210722.ws.gz", "binance_spot/btcusdt_20240808.ws.gz",
          "binance_spot/multi_20211012.ws.gz"]


def feed_many(pipeline, frames) -> None:
    pipeline.feed_many(frames)


def feed_each(pipeline, frames) -> None:
    feed = pipeline.feed
    for frame in frames:
        feed(frame)


def test_mix_feed_many(timed, work) -> None:
    timed("whole mix, feed_many", feed_many, lambda: (work.pipeline(), work.frames), count=len(work.frames),
          unit="ns/message")


def test_mix_feed_one_by_one(timed, work) -> None:
    timed("whole mix, feed one by one", feed_each, lambda: (work.pipeline(), work.frames), count=len(work.frames),
          unit="ns/message")


def test_feed_costs_little_more_than_feed_many(benchmark, work) -> None:
    spent = []

    def both() -> None:
        one, many = work.pipeline(), work.pipeline()
        start = perf_counter_ns()
        many.feed_many(work.frames)
        middle = perf_counter_ns()
        feed_each(one, work.frames)
        spent.append((perf_counter_ns() - middle - (middle - start)) / len(work.frames))

    benchmark.pedantic(both, rounds=9, warmup_rounds=1)
    figure("feed one by one, on top of feed_many", spent, "ns/message", 80.0)


@pytest.mark.parametrize("kind", ["ticker", "trade"])
def test_kind_alone(timed, work, kind) -> None:
    frames = work.of_kind(kind)
    timed(f"{kind} alone, feed_many", feed_many, lambda: (work.pipeline(), frames), count=len(frames),
          unit="ns/message", wanted=KIND_LIMITS[kind])


def test_depth_alone(timed, work) -> None:
    frames = work.of_kind("depth")
    timed("depth alone, feed_many", feed_many, lambda: (work.pipeline(), frames), count=work.levels, unit="ns/level",
          wanted=DEPTH_LIMIT)


def test_pass_after_pass(benchmark, work) -> None:
    """The same pipeline through the capture a hundred times costs what it cost at first."""
    pipeline = work.pipeline()
    spent: list[float] = []

    def once() -> None:
        work.restart(pipeline)
        start = perf_counter_ns()
        pipeline.feed_many(work.frames)
        spent.append((perf_counter_ns() - start) / len(work.frames))

    benchmark.pedantic(once, rounds=100)
    figure("pass 1 to 10 over the capture, one pipeline", spent[:10], "ns/message")
    figure("pass 91 to 100", spent[-10:], "ns/message", 1.5 * median(spent[:10]))


@pytest.mark.parametrize("name", OTHERS)
def test_other_markets(timed, work, name) -> None:
    if not (data_dir() / name).is_file():
        pytest.skip(f"no {name}")
    other = load(name)
    repeat = max(1, 20_000 // len(other.frames))

    def several(pipelines) -> None:
        for pipeline in pipelines:
            pipeline.feed_many(other.frames)

    timed(f"{name.removesuffix('.ws.gz')}, feed_many", several, lambda: ([other.pipeline() for _ in range(repeat)],),
          count=repeat * len(other.frames), unit="ns/message")


def invented_book(levels: int, messages: int = 500, changes: int = 68) -> tuple[bytes, list[bytes]]:
    """Snapshot and deltas of a book with so many levels a side; the changes fall anywhere in it."""
    rng = random.Random(levels)
    middle = 600_000        # tenths
    first = 5_123_107_865_000

    def price(tenths: int) -> str:
        return f"{tenths / 10:.2f}"

    def qty() -> str:
        return f"{rng.lognormvariate(0, 2) + 0.001:.3f}"

    # Four in five ticks are held and the deltas keep it so: a fifth of what they touch is removed.
    width = levels * 5 // 4
    bids = [[price(middle - i), qty()] for i in sorted(rng.sample(range(width), levels))]
    asks = [[price(middle + 1 + i), qty()] for i in sorted(rng.sample(range(width), levels))]
    snapshot = json.dumps({"lastUpdateId": first, "E": 1, "T": 1, "bids": bids, "asks": asks}).encode()
    frames = []
    for u in range(first + 1, first + 1 + messages):
        rows = [[[price(middle + (1 + i if side else -i)), "0.000" if rng.random() < 0.2 else qty()]
                 for i in rng.choices(range(width), k=changes // 2)] for side in (0, 1)]
        data = {"e": "depthUpdate", "E": 1723161256172, "T": 1723161256170, "s": "BTCUSDT",
                "U": max(first, u - 1), "u": u, "pu": u - 1, "b": rows[0], "a": rows[1]}
        frames.append(json.dumps({"stream": "btcusdt@depth@0ms", "data": data}, separators=(",", ":")).encode())
    return snapshot, frames


def test_cost_is_flat_in_the_depth_of_the_book(benchmark, work) -> None:
    url = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
    sizes = [100, 1_000, 5_000, 20_000]
    books = {size: invented_book(size) for size in sizes}
    spent: dict[int, list[float]] = {size: [] for size in sizes}

    def every_size() -> None:
        for size, (snapshot, frames) in books.items():
            pipeline = Pipeline("binance_usdm")
            pipeline.opened()
            pipeline.rest(url, snapshot, 0)
            start = perf_counter_ns()
            pipeline.feed_many(frames)
            spent[size].append((perf_counter_ns() - start) / (len(frames) * 68))
            assert pipeline.counters["errors"] == pipeline.counters["gaps"] == 0

    benchmark.pedantic(every_size, rounds=9, warmup_rounds=1)
    smallest = min(median(values) for values in spent.values())
    for size, values in spent.items():
        figure(f"depth frames, {size:,} levels a side, changes anywhere", values, "ns/level", 1.5 * smallest)


def test_the_fast_path_took_the_capture(benchmark, work) -> None:
    pipeline = work.pipeline()
    benchmark.pedantic(pipeline.feed_many, args=(work.frames,), rounds=1)
    counters = pipeline.counters
    slow = counters["slow"] / (counters["fast"] + counters["slow"]) * 100
    figure("frames off the fast path", [slow], "%", 1.0)
