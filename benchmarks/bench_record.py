"""What recording costs: the thread that feeds, the one that writes, and the disk.

    python benchmarks/bench_record.py [--rounds 21] [--seconds 10] [--out DIR] [--instructions]

"loop thread": `Pipeline.feed` of one recorded frame after the other, without a tap and with one (nobody takes out of it
meanwhile: rounds are of as many frames as it holds); rounds are interleaved, the cost is the median difference.
"sustained": the same frames fed as fast as they go for --seconds, with the recorder at work and its files in --out;
"paced": the same at 200,000 messages a second. "disk": the capture as gzip'd text and as a recording.
--instructions counts by callgrind what one `feed` executes; no other load changes that.
"""

from __future__ import annotations

import argparse
import gc
import marshal
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from time import perf_counter_ns

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.workload import CAPTURE, ROOT, Workload, data_dir, load  # noqa: E402
from feeds.recording.recorder import Recorder  # noqa: E402
from feeds.recording.tap import Tap  # noqa: E402
from feeds.recording.textform import read_captures  # noqa: E402

WANTED_NS = 150             # a message on the loop thread
WANTED_RATE = 200_000       # messages a second
DRIVER = """
import marshal, sys
from feeds import Pipeline
with open(sys.argv[1], "rb") as file:
    snapshots, frames = marshal.load(file)
pipeline = Pipeline("binance_usdm")
pipeline.opened()
for url, body, receive_ns in snapshots:
    pipeline.rest(url, body, receive_ns)
if sys.argv[3] == "tap":
    from feeds.recording.tap import Tap
    pipeline.tap = Tap(64 << 20)
feed = pipeline.feed
for frame in frames[:int(sys.argv[2])]:
    feed(frame, 1_800_000_000_000_000_000)
"""
COUNTED = "__pyx_pw_*Pipeline_*feed"


def feed_all(work: Workload, frames: list[bytes], tap: Tap | None) -> float:
    """Nanoseconds a frame."""
    pipeline = work.pipeline()
    pipeline.tap = tap
    feed, now = pipeline.feed, time.time_ns()
    gc.collect()
    gc.disable()
    began = perf_counter_ns()
    for frame in frames:
        feed(frame, now)
    spent = perf_counter_ns() - began
    gc.enable()
    if tap is not None:
        assert tap.lost_records == 0
        while tap.take(1 << 30) is not None:
            pass
    return spent / len(frames)


def loop_thread(work: Workload, rounds: int) -> float:
    tap = Tap(32 << 20)
    frames, size = [], 0
    for frame in work.frames:
        size += len(frame) + 16
        if size > (28 << 20):
            break
        frames.append(frame)
    bare, taped = [], []
    for _ in range(rounds):
        bare.append(feed_all(work, frames, None))
        taped.append(feed_all(work, frames, tap))
    cost = median(after - before for before, after in zip(bare, taped, strict=True))
    print(f"loop thread: {len(frames):,} frames of {size / len(frames) - 16:.0f} bytes: {median(bare):.0f} ns each "
          f"without a tap, {median(taped):.0f} with one: {cost:.0f} ns a message (demand {WANTED_NS})")
    return cost


def sustained(work: Workload, seconds: float, folder: Path, rate: float) -> None:
    pipeline = work.pipeline()
    for symbol in pipeline.symbols():
        pipeline.forget(symbol)
    fresh = work.pipeline(symbols=())
    feed, frames = fresh.feed, work.frames
    with Recorder(fresh, folder) as recorder:
        for symbol in pipeline.symbols():
            fresh.follow(symbol)
        work.restart(fresh)
        used, began, count = time.process_time(), time.perf_counter(), 0
        while (spent := time.perf_counter() - began) < seconds:
            if rate and count > rate * spent:
                time.sleep(0.001)
                continue
            now, at = time.time_ns(), count % len(frames)
            if at == 0:
                work.restart(fresh)
            for frame in frames[at:at + 200]:
                feed(frame, now)
            count += len(frames[at:at + 200])
        spent = time.perf_counter() - began
        figures = recorder.stats()
        waiting, behind = figures["waiting"], figures["behind"]
    used = time.process_time() - used
    figures = recorder.stats()
    print(f"{'paced' if rate else 'sustained'}: {count / spent:,.0f} messages/s for {spent:.1f} s, {figures['lost']:,} "
          f"lost, {waiting / 1e6:.1f} MB waited at the end, {figures['bytes'] / count:.1f} bytes a message on disk "
          f"({figures['bytes'] / spent / 1e6:.1f} MB/s), {used / spent:.2f} cores of CPU time (both threads), "
          f"index {behind / 1e6:.1f} MB behind")


def disk(folder: Path) -> None:
    for name in (CAPTURE, "binance_spot/btcusdt_20240808.ws.gz", "okx/books_20220513.ws.gz"):
        path = data_dir() / name
        count = read_captures([path], folder / "disk", path.parent.name)
        size = sum(file.stat().st_size for file in (folder / "disk").glob("*/*.wbr"))
        print(f"disk: {name}: {path.stat().st_size / count:.1f} bytes a message as gzip'd text, {size / count:.1f} as "
              f"a recording with index and checkpoints")
        shutil.rmtree(folder / "disk")


def instructions(work: Workload, folder: Path) -> None:
    if not shutil.which("valgrind"):
        print("instructions: left out, no valgrind here")
        return
    inputs = folder / "inputs"
    for kind in ("ticker", "trade", "depth"):
        frames = work.of_kind(kind)[:4000]
        inputs.write_bytes(marshal.dumps((work.snapshots, frames)))
        counts = {}
        for with_tap in ("none", "tap"):
            found = []
            for fed in (len(frames) // 2, len(frames)):
                result = subprocess.run(
                    ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'out'}",
                     f"--toggle-collect={COUNTED}", sys.executable, "-c", DRIVER, str(inputs), str(fed), with_tap],
                    env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
                collected = re.search(r"Collected : (\d+)", result.stderr)
                if result.returncode or not collected:
                    raise SystemExit(f"callgrind: the driver failed\n{result.stderr[-2000:]}")
                found.append(int(collected[1]))
            counts[with_tap] = (found[1] - found[0]) / (len(frames) - len(frames) // 2)
        print(f"instructions of one feed, {kind}: {counts['none']:,.0f} without a tap, {counts['tap']:,.0f} with one")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=None, help="where the files go; a temporary directory without it")
    parser.add_argument("--instructions", action="store_true")
    options = parser.parse_args()
    work = load()
    with tempfile.TemporaryDirectory(prefix="wirebook-", dir=options.out) as name:
        folder = Path(name)
        if options.instructions:
            instructions(work, folder)
            return 0
        cost = loop_thread(work, options.rounds)
        sustained(work, options.seconds, folder / "sustained", 0.0)
        sustained(work, options.seconds, folder / "paced", WANTED_RATE)
        disk(folder)
    return 0 if cost <= WANTED_NS else 1


if __name__ == "__main__":
    sys.exit(main())
