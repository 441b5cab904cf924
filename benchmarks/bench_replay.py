"""Replay: from a recording and from the text of captures, seeking, and lists of jobs in one, two and Dask's processes.

    python benchmarks/bench_replay.py [--jobs]

Times inside this process are CPU times, so that others on the machine do not count; those of job lists by the clock.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from benchmarks.workload import data_dir
from feeds import checkpoint
from feeds.capture import CaptureReader
from feeds.jobs import plan_jobs, run_jobs
from feeds.pipeline import Pipeline
from feeds.recording import acts
from feeds.recording.play import Block
from feeds.recording.reader import Recording
from feeds.recording.textform import read_captures
from feeds.recording.writer import Store
from feeds.rerun import Rerun

VENUE = "binance_coinm"
ROUNDS = 7
TIMES = 10              # that the list of captures is done: a process begins in half a second or so
CHECKPOINT_EVERY = 4        # chunks of 4 MiB, as a recorder does


class Strategy:
    """The least that a handler in Python does."""

    books = trades = 0

    def on_book(self, book):
        self.books += 1

    def on_trade(self, trade):
        self.trades += 1


def with_checkpoints(plain: Path, path: Path) -> Path:
    """The same recording with the checkpoints that a recorder writes."""
    [session] = Recording(plain).sessions()
    store = Store(path, session.about)
    shadow = acts.pipeline_of(session.about)
    for segment in session.segments:
        for number, (chunk, data) in enumerate(segment.blocks()):
            if store.is_due(chunk.last_ns):
                store.begin(chunk.first_ns)
            store.write_records(data, chunk.count, chunk.first_ns, chunk.last_ns)
            block = Block(data)
            block.feed(shadow)
            while (record := block.next()) is not None:
                acts.act(shadow, record)
                block.feed(shadow)
            if number % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1:
                state = checkpoint.take(shadow)
                assert state is not None
                store.checkpoint(state, chunk.last_ns)
    store.end()
    return path


def cpu(call) -> float:
    began = process_time()
    call()
    return process_time() - began


def best(call) -> float:
    return min(cpu(call) for _ in range(ROUNDS))


def row(name: str, value: float, unit: str, more: str = "") -> None:
    print(f"{name:58} {value:>12,.1f} {unit:12} {more}", flush=True)


def replays(folder: Path) -> None:
    files = sorted(path for path in (data_dir() / VENUE).glob("btcusd_perp*.ws.gz"))
    read_captures(files, folder / "plain", VENUE)
    path = with_checkpoints(folder / "plain", folder / "rec")
    frames = [record.payload for file in files for record in CaptureReader(file) if record.kind in "<B"]
    count = len(frames)
    size = sum(file.stat().st_size for file in path.glob("*/*.wbr"))
    print(f"{', '.join(file.name for file in files)}: {count:,} messages, {sum(map(len, frames)):,} bytes; gzip'd text "
          f"{sum(file.stat().st_size for file in files):,}, recording {size:,}")
    for name, call in (
            ("frames in memory, Pipeline.feed_many", lambda: Pipeline(VENUE, on_gap="count").feed_many(frames)),
            ("recording", lambda: Rerun(path).run()),
            ("recording, handler in Python", lambda: Rerun(path, Strategy()).run()),
            ("recording, `for`", lambda: sum(1 for _ in Rerun(path))),
            ("gzip'd text", lambda: Rerun(files).run()),
            ("gzip'd text, handler in Python", lambda: Rerun(files, Strategy()).run())):
        seconds = best(call)
        row(name, seconds / count * 1e9, "ns/message", f"{count / seconds:,.0f} a second")
    [segment] = Recording(path).segments
    dice = random.Random(1)
    spent = []
    for _ in range(40):
        rerun = Rerun(path, start=dice.randrange(segment.first_ns, segment.last_ns))
        began = process_time()
        rerun._source.seek(rerun.pipeline, rerun.start_ns)
        spent.append((process_time() - began) * 1e3)
    row("seek", median(spent), "ms", f"largest {max(spent):.1f}; a checkpoint every {CHECKPOINT_EVERY} chunks of 4 MiB")
    opened = [cpu(lambda: Rerun(path)) * 1e3 for _ in range(20)]
    row("opening the recording", median(opened), "ms")
    pipeline = Rerun(path).run().pipeline
    levels = sum(book.raw.bid_levels + book.raw.ask_levels for book in pipeline.books.values())
    state = checkpoint.take(pipeline)
    row("checkpoint", best(lambda: checkpoint.take(pipeline)) * 1e3, "ms", f"{levels:,} levels, {len(state):,} bytes")
    row("restore", best(lambda: checkpoint.restore(pipeline, state)) * 1e3, "ms")


def timed_jobs(name: str, plan, alone: float | None = None, **where):
    """What came of the jobs, and the seconds it took."""
    before = sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    began = perf_counter()
    outcome = run_jobs(plan, **where)
    seconds = perf_counter() - began
    spent = sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) - before
    more = [] if alone is None else [f"{alone / seconds:.2f} times as fast"]
    row(name, seconds, "s", ", ".join(more + ([] if "cluster" in where else [f"{spent:.1f} s of CPU"])))
    return outcome, seconds


def scaling() -> None:
    files = [path for venue in ("binance_spot", "binance_usdm", "binance_coinm", "htx")
             for path in sorted((data_dir() / venue).glob("*.ws.gz")) if "instruments" not in path.name]
    plan = plan_jobs(files, split=True) * TIMES
    print(f"{len(plan)} jobs with digests, the captures of {len(plan) // TIMES} venues {TIMES} times")
    one, alone = timed_jobs("1 process", plan)
    two, _ = timed_jobs("--jobs 2", plan, alone, workers=2)
    assert two.rows == one.rows and not two.failures
    from dask.distributed import LocalCluster

    with LocalCluster(processes=True, n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        for name in ("Dask, 2 workers, the first list", "Dask, 2 workers, again"):
            dask, _ = timed_jobs(name, plan, alone, cluster=cluster.scheduler_address)
            assert dask.rows == one.rows and not dask.failures


if __name__ == "__main__":
    if "--jobs" in sys.argv:
        scaling()
    else:
        with tempfile.TemporaryDirectory() as name:
            replays(Path(name))
