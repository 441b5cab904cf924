"""The parser's own face, and the choice of the runner."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from feeds.parser import Parser, Runner, best_runner, runners
from feeds.pipeline import Pipeline
from feeds.venues import load
from tests import frames


def test_the_scalar_twin_can_be_asked_for():
    assert isinstance(best_runner(), Runner)
    assert not best_runner(False).simd
    assert best_runner() is best_runner()


def test_the_fastest_runner_that_the_processor_can_take_is_taken():
    assert runners()[-1] == "feeds.run_scalar"
    assert [import_module(name).RUNNER.simd for name in runners()] == [True] * (len(runners()) - 1) + [False]
    assert best_runner() is import_module(runners()[0]).RUNNER
    assert best_runner(False) is import_module("feeds.run_scalar").RUNNER
    if "avx2" in cpu_flags():
        assert runners() == ["feeds.run_avx2", "feeds.run_simd", "feeds.run_scalar"]


def cpu_flags() -> list[str]:
    """What Linux says of the processor; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split() for line in lines if line.startswith("flags")), [])


@pytest.mark.parametrize("venue", ["binance_spot", "binance_usdm", "binance_coinm"])
def test_a_spec_makes_a_fresh_parser(venue):
    spec = load(venue)
    assert isinstance(spec.parser(""), Parser)
    assert spec.parser("") is not spec.parser("")


@pytest.mark.parametrize("simd", [True, False])
def test_layouts_are_learned_by_each_pipeline_for_itself(simd):
    for _ in range(2):
        pipeline = Pipeline("binance_usdm", simd=simd)
        for i in range(10):
            pipeline.feed(frames.trade(number=10**9 + i))
        assert (pipeline.counters["fast"], pipeline.counters["slow"]) == (9, 1)


@pytest.mark.parametrize("simd", [True, False])
def test_frames_of_raw_connections_are_learned_too(simd):
    streams = {
        "binance_usdm": [
            frames.delta(1, 2, 0, stream=""),
            frames.trade(stream=""),
            frames.quote(stream=""),
            frames.mark(stream=""),
            frames.liquidation(stream=""),
        ],
        "binance_spot": [frames.delta(1, 2, stream=""), frames.trade(stream="", M=True)],
    }
    for venue, sent in streams.items():
        for frame in sent:
            pipeline = Pipeline(venue, simd=simd)
            for _ in range(10):
                pipeline.feed(frame)
            assert pipeline.counters["fast"] >= 8, frame


def test_many_streams_have_layouts_of_their_own():
    pipeline = Pipeline("binance_usdm")
    for turn in range(10):
        for i in range(400):
            pipeline.feed(frames.quote(number=turn, symbol=f"S{i}USDT"))
            pipeline.feed(frames.trade(number=turn, symbol=f"S{i}USDT"))
    counters = pipeline.counters
    assert counters["errors"] == 0
    assert counters["fast"] > 0.85 * counters["frames"]
    assert len(pipeline.books) == 400
