"""The fixtures of the benchmarks, and the table at the end of a run."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from time import perf_counter_ns

import pytest

from benchmarks.figures import HEADER, ROWS, Row, figure
from benchmarks.workload import Workload, data_dir, have_data, load

ROUNDS = 15


class Timed:
    """Times a call by pytest-benchmark and adds a row to the report.

    Parameters: function -- what is timed; setup -- called before every round, gives its arguments, not timed;
    count -- how many units one call is worth; baseline -- another call, timed right before in every round, whose time
    is subtracted there, as a slow phase of the machine hits both; wanted -- the most the figure may be.
    """

    def __init__(self, benchmark) -> None:
        self.benchmark = benchmark

    def __call__(self, name: str, function: Callable, setup: Callable[[], tuple] = tuple, *, count: int, unit: str,
                 baseline: Callable[[], None] | None = None, wanted: float | None = None, rounds: int = ROUNDS) -> Row:
        before: list[int] = []

        def prepare() -> tuple[tuple, dict]:
            arguments = setup()
            if baseline is not None:
                start = perf_counter_ns()
                baseline()
                before.append(perf_counter_ns() - start)
            return arguments, {}

        self.benchmark.pedantic(function, setup=prepare, rounds=rounds, iterations=1, warmup_rounds=1)
        spent = [seconds * 1e9 for seconds in self.benchmark.stats.stats.data]
        if baseline is not None:
            spent = [own - other for own, other in zip(spent, before[-len(spent):], strict=True)]
        return figure(name, [value / count for value in spent], unit, wanted)


@pytest.fixture
def timed(benchmark) -> Timed:
    return Timed(benchmark)


@pytest.fixture(scope="session")
def work() -> Workload:
    if not have_data():
        pytest.skip(f"no recorded captures in {data_dir()} (set WIREBOOK_DATA)")
    work = load()
    gc.collect()
    gc.freeze()
    return work


def pytest_configure(config: pytest.Config) -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def pytest_terminal_summary(terminalreporter) -> None:
    if ROWS:
        terminalreporter.section("figures")
        terminalreporter.write_line(HEADER)
        for row in ROWS:
            terminalreporter.write_line(str(row))
