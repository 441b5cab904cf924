"""How old the best price is when it is first seen: REST polling at the rate the venue allows, and the stream.

    python benchmarks/bench_age.py [--seconds 20] [--json]

Both look at one simulated venue (`wirebook serve --sim`) at the same time. For every change of the best bid or ask the
stream's delay ends when `on_book` has it, the poll's when an answer holds that update or a later one. Delays count from
the venue's own time of the change, which it states in whole milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
from bisect import bisect_left
from pathlib import Path
from time import time_ns
from urllib.parse import urlsplit

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from feeds import connect  # noqa: E402
from feeds.venues import load  # noqa: E402

VENUE, SYMBOL, LIMIT = "binance_usdm", "BTCUSDT", 5
NS_PER_MS = 1_000_000


class Changes:
    """A handler that notes every change of the best prices, and when it knew."""

    def __init__(self) -> None:
        self.last = None
        self.sequences: list[int] = []
        self.exchange_ns: list[int] = []
        self.seen_ns: list[int] = []

    def on_book(self, book) -> None:
        best = book.bbo()
        if best != self.last:
            self.last = best
            self.sequences.append(book.sequence)
            self.exchange_ns.append(book.exchange_ns)
            self.seen_ns.append(time_ns())


async def poll(url: str, interval: float, answers: list[tuple[int, int]]) -> None:
    """Ask for the book at a fixed rate; note (update id, when the answer was there)."""
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:
        due = loop.time()
        while True:
            async with session.get(url) as response:
                body = await response.json()
            answers.append((body["lastUpdateId"], time_ns()))
            due = max(due + interval, loop.time())
            await asyncio.sleep(due - loop.time())


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def measure(url: str, seconds: float) -> dict:
    spec = load(VENUE)
    interval = 60 / (spec.limits.rest_weight_per_minute / spec.snapshot_weight(LIMIT))
    rest = f"http://{urlsplit(url).netloc}{spec.snapshot_path}?symbol={SYMBOL}&limit={LIMIT}"
    changes, answers = Changes(), []
    async with connect(VENUE, [SYMBOL], handler=changes, url=url) as feed:
        await feed.wait_live(timeout=15)
        polling = asyncio.create_task(poll(rest, interval, answers))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(polling, seconds)
    answered = [sequence for sequence, _ in answers]
    stream, polled = [], []
    for sequence, exchange_ns, seen_ns in zip(changes.sequences, changes.exchange_ns, changes.seen_ns, strict=True):
        answer = bisect_left(answered, sequence)
        if sequence > answered[0] and answer < len(answers):
            stream.append((seen_ns - exchange_ns) / NS_PER_MS)
            polled.append((answers[answer][1] - exchange_ns) / NS_PER_MS)
    return {
        "changes": len(stream), "polls": len(answers), "poll_interval_ms": interval * 1000,
        "missed_by_polling": len(stream) - len({bisect_left(answered, s) for s in changes.sequences
                                                if answered[0] < s <= answered[-1]}),
        "stream_ms": {f"p{share}": percentile(stream, share / 100) for share in (50, 90, 99)},
        "rest_ms": {f"p{share}": percentile(polled, share / 100) for share in (50, 90, 99)},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    options = parser.parse_args()
    server = subprocess.Popen([sys.executable, "-m", "feeds.cli", "serve", "--sim", VENUE, "--port", "0"], cwd=ROOT,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        figures = asyncio.run(measure(server.stdout.readline().strip(), options.seconds))
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
    if options.json:
        print(json.dumps(figures, indent=1))
        return 0
    print(f"age of the best price when first seen, simulated {VENUE} {SYMBOL}, {figures['changes']:,} changes\n")
    print(f"{'':44} {'p50 ms':>8} {'p90 ms':>8} {'p99 ms':>8}")
    for name, key in (("stream", "stream_ms"), (f"REST, every {figures['poll_interval_ms']:.0f} ms", "rest_ms")):
        print(f"{name:44} " + " ".join(f"{value:8.1f}" for value in figures[key].values()))
    print(f"{figures['missed_by_polling']:,} changes were over before a poll could see them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
