"""Wire forms side by side: JSON, SBE, and both compressed, the same events of one recording in each.

    python benchmarks/bench_wire.py [--rounds 9] [--capture binance_spot/btcusdt_20240808.ws.gz] [--instructions]

The recording is JSON. Its events are written again in SBE, with prices and quantities of as many decimals as the market
has (sbe) and of eight (sbe, 8 decimals); frames are compressed one by one with a common window, as a server does.
"whole" is feed_many from bytes to book; "depth" the same for depth frames alone; "decoding" depth frames of an
instrument that is not followed any more, which are read and converted and then dropped; "wide" the same for the levels
of the recording in frames of 200, where a level costs and not a frame. Rounds are interleaved; the ratio is the median
of those of the rounds. --instructions counts what decoding executes, by callgrind, which no other load changes.
"""

from __future__ import annotations

import argparse
import gc
import json
import marshal
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.workload import Workload, data_dir, load  # noqa: E402
from feeds import Pipeline  # noqa: E402
from feeds.deflate import Inflater, Terms  # noqa: E402
from feeds.venues.dialects import binance_sbe as sbe  # noqa: E402

CAPTURE = "binance_spot/btcusdt_20240808.ws.gz"
WANTED = 3.0            # times JSON, decoding a level of wide frames
WIDE = 200              # levels of a wide frame
MAX_MESSAGE = 8 << 20
PASSES = 10             # over the depth frames, decoding alone


DRIVER = """
import marshal, sys
from feeds import Pipeline
with open(sys.argv[1], "rb") as file:
    venue, wire, snapshots, frames = marshal.load(file)
pipeline = Pipeline(venue, wire=wire, on_gap="count")
for url, body, receive_ns in snapshots:
    pipeline.rest(url, body, receive_ns)
for number in range(int(sys.argv[2]) + 2):
    pipeline.feed_many(frames)
    for symbol in pipeline.symbols():
        pipeline.forget(symbol)
"""
COUNTED = "__pyx_pw_*feed_many"     # the C name of Pipeline.feed_many
COUNT_PASSES = 4


def decimals_of(work: Workload) -> tuple[int, int]:
    """Decimals that the prices and quantities of a recording have, trailing zeros left out."""
    most = [0, 0]
    for frame, kind in zip(work.frames, work.kinds, strict=True):
        if kind == "depth":
            data = json.loads(frame)
            for level in (*data.get("data", data)["b"], *data.get("data", data)["a"]):
                for i in range(2):
                    most[i] = max(most[i], -int(Decimal(level[i]).normalize().as_tuple().exponent))
    return most[0], most[1]


def as_sbe(frame: bytes, kind: str, decimals: tuple[int, int]) -> bytes:
    """The same event in SBE."""
    message = json.loads(frame)
    data: dict[str, Any] = message.get("data", message)
    exponents = (-decimals[0], -decimals[1])
    time = data.get("E", 0) * 1000

    def level(price: str, qty: str) -> tuple[int, int]:
        return int(Decimal(price).scaleb(decimals[0])), int(Decimal(qty).scaleb(decimals[1]))

    if kind == "depth":
        return sbe.depth_diff(data["s"], time, data["U"], data["u"], *exponents, [level(*it) for it in data["b"]],
                              [level(*it) for it in data["a"]])
    if kind == "ticker":
        return sbe.best_bid_ask(data["s"], time, data["u"], *exponents, level(data["b"], data["B"]),
                                level(data["a"], data["A"]))
    fill = (data.get("t", data.get("a")), *level(data["p"], data["q"]), data["m"])
    return sbe.trades(data["s"], time, data["T"] * 1000, *exponents, [fill])


def widened(frames: Sequence[bytes]) -> list[bytes]:
    """The levels of depth frames in fewer frames, of about WIDE levels each."""
    out: list[bytes] = []
    held: dict[str, Any] = {}
    for frame in frames:
        message = json.loads(frame)
        data = message.get("data", message)
        if held:
            inner = held.get("data", held)
            inner["u"] = data["u"]
            inner["b"] += data["b"]
            inner["a"] += data["a"]
        else:
            held, inner = message, data
        if len(inner["b"]) + len(inner["a"]) >= WIDE:
            out.append(json.dumps(held, separators=(",", ":")).encode())
            held = {}
    return out


def compressed(frames: Sequence[bytes]) -> list[bytes]:
    """Frames as a server with a common window sends them."""
    state = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -15)
    return [(state.compress(frame) + state.flush(zlib.Z_SYNC_FLUSH))[:-4] for frame in frames]


class Form:
    """One wire form, with a pipeline that has learned of it."""

    def __init__(self, name: str, wire: str, work: Workload, frames: list[bytes], wide: list[bytes],
                 wide_levels: int) -> None:
        self.name = name
        self.wire = wire
        self.work = work
        self.frames = frames
        self.wide = wide
        self.wide_levels = wide_levels
        self.packed = compressed(frames)
        self.depth = [bytes(bytearray(frame)) for frame, kind in zip(frames, work.kinds, strict=True)
                      if kind == "depth"]
        self.pipeline = Pipeline(work.venue, wire=wire, on_gap="count")
        self.idle = Pipeline(work.venue, wire=wire, on_gap="count")
        for pipeline in (self.pipeline, self.idle):
            work.restart(pipeline)
            pipeline.feed_many(frames)
        self.levels = self.book_levels()
        for symbol in self.idle.symbols():
            self.idle.forget(symbol)
        self.spent: dict[str, list[float]] = {}

    def book_levels(self) -> list[tuple[int, int]]:
        counters = self.pipeline.counters
        assert not counters["errors"], self.pipeline.last_error
        return [(book.bid_levels, book.ask_levels) for book in self.pipeline.books.values()]

    def measure(self) -> None:
        """One round of everything."""
        levels = self.work.levels
        many = self.depth * PASSES
        for what, pipeline, frames, per in (("whole", self.pipeline, self.frames, len(self.frames)),
                                            ("depth", self.pipeline, self.depth, levels),
                                            ("decoding", self.idle, many, levels * PASSES),
                                            ("wide", self.idle, self.wide * PASSES, self.wide_levels * PASSES)):
            self.work.restart(pipeline)
            for symbol in pipeline.symbols() if pipeline is self.idle else ():
                pipeline.forget(symbol)
            self.note(what, per, pipeline.feed_many, frames)
        inflater = Inflater(Terms(), MAX_MESSAGE)
        self.note("inflating", len(self.packed), lambda packed: [inflater.inflate(it) for it in packed], self.packed)

    def note(self, what: str, per: int, call: Callable[[Any], object], frames: list[bytes]) -> None:
        began = perf_counter_ns()
        call(frames)
        self.spent.setdefault(what, []).append((perf_counter_ns() - began) / per)


def instructions(work: Workload, wire: str, frames: list[bytes]) -> float:
    """Instructions of `feed_many` for all frames once, read and converted and then dropped."""
    counted = []
    with tempfile.TemporaryDirectory(prefix="wirebook-") as folder:
        inputs = Path(folder) / "inputs"
        inputs.write_bytes(marshal.dumps((work.venue, wire, work.snapshots, frames)))
        root = str(Path(__file__).resolve().parent.parent)
        for passes in (0, COUNT_PASSES):
            result = subprocess.run(
                ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", f"--toggle-collect={COUNTED}",
                 sys.executable, "-c", DRIVER, str(inputs), str(passes)], capture_output=True, text=True,
                env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": root})
            found = re.search(r"Collected : (\d+)", result.stderr)
            if result.returncode or found is None:
                raise SystemExit(f"callgrind: the driver failed\n{result.stderr[-2000:]}")
            counted.append(int(found[1]))
    return (counted[1] - counted[0]) / COUNT_PASSES


def count(forms: Sequence[Form]) -> None:
    """Print the instructions a level."""
    if not shutil.which("valgrind"):
        print("instructions: left out, no valgrind here")
        return
    print("instructions a level, decoding: ")
    for form in forms:
        wide = instructions(form.work, form.wire, form.wide) / form.wide_levels
        recorded = instructions(form.work, form.wire, form.depth) / form.work.levels
        print(f"{form.name:16} {recorded:8.1f} in recorded frames, {wide:8.1f} in wide ones")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--capture", default=CAPTURE)
    parser.add_argument("--instructions", action="store_true")
    options = parser.parse_args()
    if not (data_dir() / options.capture).is_file():
        print(f"bench_wire: no {options.capture} in {data_dir()} (set WIREBOOK_DATA)", file=sys.stderr)
        return 0
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    work = load(options.capture)
    decimals = decimals_of(work)
    wide = widened([frame for frame, kind in zip(work.frames, work.kinds, strict=True) if kind == "depth"])
    wide_levels = sum(len(data["b"]) + len(data["a"]) for data in
                      (message.get("data", message) for message in map(json.loads, wide)))
    forms = [Form("json", "json", work, work.frames, wide, wide_levels)]
    for name, kept in (("sbe", decimals), ("sbe, 8 decimals", (8, 8))):
        forms.append(Form(name, "sbe", work, [as_sbe(frame, kind, kept)
                                              for frame, kind in zip(work.frames, work.kinds, strict=True)],
                          [as_sbe(frame, "depth", kept) for frame in wide], wide_levels))
    if options.instructions:
        count(forms)
        return 0
    gc.collect()
    gc.freeze()
    for _ in range(options.rounds):
        for form in forms:
            form.measure()
    for form in forms:
        assert form.levels == form.book_levels() == forms[0].levels
        assert form.idle.counters["slow"] < 100, "decoding alone is to go the fast way"
    print(f"{options.capture}: {len(work.frames):,} messages, {work.levels:,} levels, min / median of "
          f"{options.rounds} rounds")
    columns = ("inflating", "whole", "depth", "decoding", "wide")
    print(f"{'':16} {'bytes':>6} {'deflated':>8}" + "".join(f"{what:>18}" for what in columns))
    for form in forms:
        print(f"{form.name:16} {sum(map(len, form.frames)) / len(form.frames):>6.1f} "
              f"{sum(map(len, form.packed)) / len(form.packed):>8.1f}"
              + "".join(f"{f'{min(form.spent[what]):,.1f} / {median(form.spent[what]):,.1f}':>18}" for what in columns))
    print("bytes, deflated: a message; inflating, whole: ns a message; depth, decoding, wide: ns a level")
    good = True
    for form in forms[1:]:
        ratios = {what: median(a / b for a, b in zip(forms[0].spent[what], form.spent[what], strict=True))
                  for what in columns}
        good &= ratios["wide"] >= WANTED
        print(f"JSON takes, times {form.name}: " + ", ".join(f"{what} {ratios[what]:.2f}" for what in columns[1:])
              + f" ({'ok' if ratios['wide'] >= WANTED else 'MISSED'}, wanted {WANTED:g} for wide)")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
