"""Instructions a message and a level, counted by callgrind: figures that no other load on the machine changes.

    python benchmarks/callgrind.py [--json]

Only `feed_many` is counted, with all it calls. A driver feeds the first n frames of a kind in one run and 2n in
another: the difference is the steady state of n frames, without what is learned from the first ones.
"""

from __future__ import annotations

import argparse
import json
import marshal
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.workload import CAPTURE, Workload, data_dir, have_data, load  # noqa: E402

DRIVER = """
import marshal, sys
from feeds import Pipeline
with open(sys.argv[1], "rb") as file:
    snapshots, frames = marshal.load(file)
pipeline = Pipeline("binance_usdm")
pipeline.opened()
for url, body, receive_ns in snapshots:
    pipeline.rest(url, body, receive_ns)
pipeline.feed_many(frames[:int(sys.argv[2])])
counters = pipeline.counters
assert counters["errors"] == counters["gaps"] == 0, counters
"""
COUNTED = "__pyx_pw_*feed_many"     # the C name of Pipeline.feed_many
NUMBERS = re.compile(rb'"U":\d+,"u":\d+,"pu":\d+')


def chained(frames: list[bytes], snapshot: bytes) -> list[bytes]:
    """Depth frames numbered so that each follows the one before, whatever was left out between them."""
    last = json.loads(snapshot)["lastUpdateId"]
    out = []
    for frame in frames:
        out.append(NUMBERS.sub(b'"U":%d,"u":%d,"pu":%d' % (last, last + 9, last), frame))
        last += 9
    return out


def levels_of(frame: bytes) -> int:
    data = json.loads(frame)["data"]
    return len(data["b"]) + len(data["a"])


def samples(work: Workload) -> dict[str, list[bytes]]:
    """Kind -> frames, of each kind an even number."""
    depth = work.of_kind("depth")
    snapshot = work.snapshots[0][1]
    return {
        "trade": work.of_kind("trade")[:6000],
        "ticker": work.of_kind("ticker")[:6000],
        "depth of 55 to 69 levels": chained([f for f in depth if 55 <= levels_of(f) < 70], snapshot)[:500],
        "depth of 10 to 19 levels": chained([f for f in depth if 10 <= levels_of(f) < 20], snapshot)[:500],
        "depth of 150 to 249 levels": chained([f for f in depth if 150 <= levels_of(f) < 250], snapshot)[:300],
    }


def instructions(work: Workload, frames: list[bytes], fed: int, folder: Path) -> int:
    inputs = folder / "inputs"
    inputs.write_bytes(marshal.dumps((work.snapshots, frames)))
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'out'}", f"--toggle-collect={COUNTED}",
         sys.executable, "-c", DRIVER, str(inputs), str(fed)],
        env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": path}, capture_output=True, text=True,
    )
    collected = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode or not collected or collected[1] == "0":
        raise SystemExit(f"callgrind: the driver failed\n{result.stderr[-2000:]}")
    return int(collected[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    options = parser.parse_args()
    if not shutil.which("valgrind") or not have_data():
        print("callgrind: left out, " + ("no valgrind here" if have_data() else f"no {CAPTURE} in {data_dir()}"))
        return 0
    work = load()
    figures: dict[str, float] = {}
    sizes: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="wirebook-") as folder:
        for kind, frames in samples(work).items():
            half = len(frames) // 2
            counted = [instructions(work, frames, fed, Path(folder)) for fed in (half, 2 * half)]
            figures[kind] = (counted[1] - counted[0]) / half
            if kind.startswith("depth"):
                sizes[kind] = sum(map(levels_of, frames[half:2 * half])) / half
    small, large = min(sizes, key=sizes.get), max(sizes, key=sizes.get)
    figures["one level"] = (figures[large] - figures[small]) / (sizes[large] - sizes[small])
    if options.json:
        print(json.dumps({"instructions": figures, "levels": sizes}, indent=1))
        return 0
    print(f"instructions by callgrind, {CAPTURE}, feed_many\n")
    for kind, count in figures.items():
        print(f"{kind:32} {count:10,.0f}" + (f"   (mean {sizes[kind]:.1f} levels)" if kind in sizes else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
