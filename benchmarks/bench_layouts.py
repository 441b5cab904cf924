"""Candidates for the layout of a book on recorded level changes: the choice that `orderbook.ladder` stands for.

    python benchmarks/bench_layouts.py [--rounds 7] [--markdown]

Every candidate gets the same changes as tick indices, side by side in each round, and must end with the same levels.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import chain
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import compiled  # noqa: E402
from benchmarks.workload import data_dir, have_data, load  # noqa: E402

SMALL_BOOKS, SMALL_LEVELS = 2_000, 20
LARGE_LEVELS = 20_000
TOP, READS = 10, 20_000


def rows(levels: list, sign: int) -> np.ndarray:
    """Decimal texts of levels as (rank, quantity), best prices highest. The capture's prices have one decimal."""
    exact = [(sign * round(float(price) * 10), round(float(qty) * 1000)) for price, qty in levels]
    return np.array(exact, np.int64).reshape(-1, 2)


def recorded() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Snapshot and changes of the capture: bids and asks in turn."""
    work = load()
    start = json.loads(work.snapshots[0][1])
    deltas = (json.loads(frame)["data"] for frame, kind in zip(work.frames, work.kinds, strict=True) if kind == "depth")
    return ([rows(start["bids"], 1), rows(start["asks"], -1)],
            list(chain.from_iterable((rows(data["b"], 1), rows(data["a"], -1)) for data in deltas)))


def invented(seed: int, sides: int, levels: int, size: int, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Snapshots and changes of made-up sides that keep about `levels` levels: a fifth of the changes removes."""
    rng = np.random.default_rng(seed)
    width = levels * 5 // 4

    def message(n: int) -> np.ndarray:
        made = np.empty((n, 2), np.int64)
        made[:, 0] = 600_000 - rng.integers(0, width, n)
        made[:, 1] = np.where(rng.random(n) < 0.2, 0, rng.integers(1, 1_000_000, n))
        return made

    return [message(4 * width) for _ in range(sides)], [message(size) for _ in range(count)]


def expected(snapshot: np.ndarray, changes: list[np.ndarray]) -> list[tuple[int, int]]:
    """What a side must hold in the end, best first, by a dict."""
    held: dict[int, int] = {}
    for rank, qty in chain(snapshot.tolist(), *(change.tolist() for change in changes)):
        if qty:
            held[rank] = qty
        else:
            held.pop(rank, None)
    return sorted(held.items(), reverse=True)


class Case:
    """One workload for every layout: nanoseconds a level in each round."""

    def __init__(self, module, snapshots: list[np.ndarray], changes: list[np.ndarray]) -> None:
        self.module = module
        self.sides = len(snapshots)
        self.best = [int(snapshot[:, 0].max()) for snapshot in snapshots]
        self.snapshots, self.changes = module.Messages(snapshots), module.Messages(changes)
        self.wanted = [expected(snapshots[i], changes[i::self.sides]) for i in range(min(self.sides, 2))]
        self.spent: list[list[float]] = [[] for _ in module.NAMES]

    def round(self, number: int):
        """Time one layout; the sides as they are in the end."""
        sides = self.module.Sides(number, self.best)
        sides.apply(self.snapshots)
        self.spent[number].append(sides.apply(self.changes) / self.changes.levels)
        return sides

    def check(self, number: int, sides) -> None:
        for i, wanted in enumerate(self.wanted):
            if sides.levels(i) != wanted:
                raise SystemExit(f"{self.module.NAMES[number]}: side {i} ends with other levels than it should")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--markdown", action="store_true", help="the table for RESULTS.md")
    options = parser.parse_args()
    if not have_data():
        print(f"bench_layouts: no recorded captures in {data_dir()} (set WIREBOOK_DATA)", file=sys.stderr)
        return
    # The ladder with pages of 16 ticks is the ladder itself with another constant, so that nothing else differs.
    source = (ROOT / "orderbook" / "ladder.pxd").read_text()
    for old, new in (("PAGE_BITS = 6", "PAGE_BITS = 4"), ("PAGE_TICKS = 64", "PAGE_TICKS = 16")):
        if old not in source:
            raise SystemExit(f"orderbook/ladder.pxd: expected {old!r}")
        source = source.replace(old, new)
    compiled.TREE.mkdir(parents=True, exist_ok=True)
    (compiled.TREE / "ladder16.pxd").write_text(source)
    module = compiled.compiled("layouts")

    snapshots, changes = recorded()
    cases = {
        "recorded": Case(module, snapshots, changes),
        "small": Case(module, *invented(1, 2 * SMALL_BOOKS, SMALL_LEVELS, 10, 40_000)),
        "large": Case(module, *invented(2, 2, LARGE_LEVELS, 34, 10_000)),
    }
    top: list[list[float]] = [[] for _ in module.NAMES]
    memory = [0] * len(module.NAMES)
    for turn in range(options.rounds + 1):                  # the first round warms up and checks
        for number in range(len(module.NAMES)):
            for name, case in cases.items():
                sides = case.round(number)
                if turn == 0:
                    case.check(number, sides)
                if name == "recorded":
                    memory[number] = sides.nbytes
                    top[number].append(sides.read_top(TOP, READS))
    held = " + ".join(f"{len(levels):,}" for levels in cases["recorded"].wanted)
    heads = ["layout", "recorded changes", f"{SMALL_BOOKS:,} books of {SMALL_LEVELS}", f"{LARGE_LEVELS:,} a side",
             f"top {TOP} of both sides", f"KiB for {held}"]
    table = [[name, *(f"{min(case.spent[i][1:]):.1f} / {median(case.spent[i][1:]):.1f}" for case in cases.values()),
              f"{min(top[i][1:]):.0f} / {median(top[i][1:]):.0f}", f"{memory[i] / 1024:,.0f}"]
             for i, name in enumerate(module.NAMES)]
    print(f"{cases['recorded'].changes.levels:,} recorded level changes, {options.rounds} interleaved rounds; every "
          f"layout ends with the same levels.\nns a level, minimum / median; the top {TOP} in ns a read.\n")
    if options.markdown:
        for line in (heads, ["---"] + ["---:"] * (len(heads) - 1), *table):
            print("| " + " | ".join(line) + " |")
        return
    widths = [max(len(line[i]) for line in (heads, *table)) for i in range(len(heads))]
    for line in (heads, *table):
        print("  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                        for i, (text, width) in enumerate(zip(line, widths, strict=True))))


if __name__ == "__main__":
    main()
