"""Ours beside what a user or an engineer would take instead, on the same bytes, in the same run.

    python benchmarks/bench_peers.py [--rounds 5] [--json]

Every round runs each entry once, one after the other on one core; an entry's time in a round is the minimum of its
passes over the whole capture. Ratios are taken within a round, and the table shows their medians: whole phases of a
shared machine are slower, and a ratio survives that. Snapshots are loaded and pipelines made before the clock starts,
as in the C++ programs. These two are built from the yardstick folder beside the captures, where there is one.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter_ns

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.peers import MsgspecPeer, OrjsonPeer  # noqa: E402
from benchmarks.workload import CAPTURE, Workload, data_dir, have_data, load  # noqa: E402
from feeds import Pipeline  # noqa: E402

ORJSON, MSGSPEC = "orjson + SortedDict(float)", "msgspec + SortedDict(float)"
MANY, ONE = "wirebook feed_many", "wirebook feed"
TUNED, SIMDJSON = "C++ tuned, no validation", "C++ simdjson + std::map"

# (numerator, denominator, at least, what it says)
DEMANDS = [
    (ORJSON, MANY, 50.0, "feed_many against orjson + SortedDict"),
    (SIMDJSON, MANY, 4.5, "feed_many against simdjson + map"),
    (TUNED, MANY, 1 / 1.2, "feed_many against the tuned C++ program"),
]

Run = Callable[[], tuple[float, tuple[int, int] | None]]    # -> ns a message, final levels


def python_peer(kind: type, work: Workload, passes: int) -> Run:
    def run() -> tuple[float, tuple[int, int]]:
        spent = []
        for _ in range(passes):
            peer = kind(work.snapshots[0][1])
            start = perf_counter_ns()
            peer.feed_many(work.frames)
            spent.append(perf_counter_ns() - start)
        return min(spent) / len(work.frames), peer.levels
    return run


def feed_each(pipeline: Pipeline, frames: list[bytes]) -> None:
    feed = pipeline.feed
    for frame in frames:
        feed(frame)


def ours(work: Workload, passes: int, one_by_one: bool) -> Run:
    def run() -> tuple[float, tuple[int, int]]:
        spent = []
        for _ in range(passes):
            pipeline = work.pipeline()
            start = perf_counter_ns()
            if one_by_one:
                feed_each(pipeline, work.frames)
            else:
                pipeline.feed_many(work.frames)
            spent.append(perf_counter_ns() - start)
        counters = pipeline.counters
        if counters["errors"] or counters["gaps"]:
            raise SystemExit(f"the pipeline did not follow the capture: {counters}, {pipeline.last_error}")
        book = pipeline.book("BTCUSDT")
        return min(spent) / len(work.frames), (book.bid_levels, book.ask_levels)
    return run


class Yardstick:
    """The C++ programs, built in a folder of their own that `close` removes."""

    def __init__(self, source: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wirebook-yardstick-"))
        self.missing: list[str] = []
        copy = self.folder / "yardstick"
        copy.mkdir()
        for file in source.iterdir():
            if file.is_file():
                shutil.copyfile(file, copy / file.name)
        self._run(copy, "make", "work/wire.bin", f"CAPTURE={(data_dir() / CAPTURE).resolve()}")
        self.cwd = copy

    def build(self, program: str) -> bool:
        try:
            self._run(self.cwd, "make", f"work/{program}")
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or "").strip().splitlines() or ["make failed"]
            self.missing.append(f"{program} was not built: {reason[0]}")
            return False
        return True

    @staticmethod
    def _run(cwd: Path, *command: str) -> str:
        return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout

    def runner(self, *command: str) -> Run:
        def run() -> tuple[float, None]:
            figures = json.loads(self._run(self.cwd, *command))
            if figures["ok"] is not True:
                raise SystemExit(f"{figures['peer']} ends with another book")
            return figures["ns_msg"], None
        return run

    def close(self) -> None:
        shutil.rmtree(self.folder)


def yardstick_runs(yardstick: Yardstick, passes: int) -> dict[str, Run]:
    runs = {}
    if yardstick.build("tuned_book"):
        # The program prints a line for decoding alone first; the last line is the one with the book.
        runs[TUNED] = last_line(yardstick, "./work/tuned_book", str(passes))
    if yardstick.build("simdjson_book"):
        runs[SIMDJSON] = last_line(yardstick, "./work/simdjson_book", "map", str(passes))
    return runs


def last_line(yardstick: Yardstick, *command: str) -> Run:
    return yardstick.runner("bash", "-c", " ".join(command) + " | grep '\"ok\": true' | tail -n 1")


def measure(runs: dict[str, Run], rounds: int) -> tuple[dict[str, list[float]], dict[str, tuple[int, int]]]:
    """ns a message of every entry in every round, and the level counts they end with."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    levels: dict[str, tuple[int, int]] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            spent, final = run()
            times[name].append(spent)
            if final is not None:
                levels[name] = final
    return times, levels


def ratio(times: dict[str, list[float]], above: str, below: str) -> float:
    return median(a / b for a, b in zip(times[above], times[below], strict=True))


def report(times: dict[str, list[float]], work: Workload, notes: list[str]) -> None:
    size = sum(map(len, work.frames)) / len(work.frames)
    print(f"{CAPTURE}: {len(work.frames):,} messages, {work.levels:,} levels, {len(times[MANY])} rounds, "
          f"core {sorted(os.sched_getaffinity(0))}\n")
    print(f"{'whole mix':34} {'ns/msg min':>10} {'median':>8} {'MB/s':>7} {'x orjson':>9}")
    for name, values in sorted(times.items(), key=lambda item: median(item[1])):
        middle = median(values)
        print(f"{name:34} {min(values):10.0f} {middle:8.0f} {size / middle * 1000:7.0f} "
              f"{ratio(times, ORJSON, name):8.1f}x")
    print()
    for above, below, wanted, text in DEMANDS:
        if above in times:
            reached = ratio(times, above, below)
            print(f"{text:44} {reached:6.2f}x  wanted {wanted:5.2f}x  {'ok' if reached >= wanted else 'MISSED'}")
    apart = median(one - many for one, many in zip(times[ONE], times[MANY], strict=True))
    print(f"{'feed one by one, on top of feed_many':44} {apart:6.0f} ns wanted at most 80 "
          f"{'ok' if apart <= 80 else 'MISSED'}")
    for note in notes:
        print(f"note: {note}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=5, help="passes a round of ours and of the C++ programs")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    options = parser.parse_args()
    if not have_data():
        print(f"bench_peers: no {CAPTURE} in {data_dir()} (set WIREBOOK_DATA)", file=sys.stderr)
        return 0
    os.sched_setaffinity(0, {options.core})
    work = load()
    gc.collect()
    gc.freeze()     # the inputs are no garbage, and looking at them again is nobody's work
    runs = {
        ORJSON: python_peer(OrjsonPeer, work, 1),
        MSGSPEC: python_peer(MsgspecPeer, work, 1),
        MANY: ours(work, options.passes, one_by_one=False),
        ONE: ours(work, options.passes, one_by_one=True),
    }
    source, notes, yardstick = data_dir().parent / "yardstick", [], None
    try:
        if source.is_dir() and shutil.which("g++") and shutil.which("make"):
            yardstick = Yardstick(source)
            runs |= yardstick_runs(yardstick, options.passes)
            notes += yardstick.missing
        else:
            notes.append("the C++ programs are left out: no g++, no make or no yardstick folder beside the captures")
        times, levels = measure(runs, options.rounds)
    finally:
        if yardstick:
            yardstick.close()
    if len(set(levels.values())) != 1:
        print(f"bench_peers: the final books differ: {levels}", file=sys.stderr)
        return 1
    notes.append("every entry ends with {:,} bids and {:,} asks".format(*levels[MANY]))
    if options.json:
        print(json.dumps({
            "capture": CAPTURE, "messages": len(work.frames), "levels": work.levels, "rounds": options.rounds,
            "ns_per_message": times,
            "ratios": {text: ratio(times, above, below) for above, below, _, text in DEMANDS if above in times},
            "notes": notes,
        }, indent=1))
    else:
        report(times, work, notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
