"""Five simulated venues with faults and the real client, for as long as one likes: what grows, drifts or dies.

    make soak MINUTES=60                # or: python -m tests.soak --minutes 60 --books 205 [--json out.json]

Each venue is a process of its own behind a proxy that loses frames, closes and resets connections and goes silent; all
feeds share this process. Every ten seconds the resident memory, what of it the books hold, the share of LIVE books and
the time from parsing to applying are noted. Books grow as the simulated markets do, from 550 levels a side to 1,500 at
most, and so does what is kept of their last snapshot. Status 1: memory of no book grows by more than 5 MB an hour
in the second half, or a book is not LIVE at last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np

import feeds
from orderbook import BookState

VENUES = {"okx": "{}-USDT", "bybit": "{}USDT", "kraken": "{}/USD", "deribit": "{}_USDC-PERPETUAL", "bitstamp": "{}usd"}
SAMPLE_S = 10.0
QUIET_S = 60.0                  # at the end, for what the last faults have broken
FAULTS = """
seed = {seed}
[[fault]]
kind = "drop"
rate = 0.0005
until_s = {until}
[[fault]]
kind = "duplicate"
rate = 0.0005
until_s = {until}
[[fault]]
kind = "close"
rate = 0.00002
until_s = {until}
[[fault]]
kind = "reset"
rate = 0.00002
until_s = {until}
[[fault]]
kind = "silent"
rate = 0.00001
seconds = 2.0
until_s = {until}
"""


def resident_mb() -> float:
    """Memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def serve(venue: str, symbols: list[str], script: Path, rate: float) -> subprocess.Popen[str]:
    """A simulated venue as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "feeds.cli", "serve", "--sim", venue, "--symbols", ",".join(symbols), "--rate",
         str(rate), "--faults", str(script), "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True)


async def soak(minutes: float, books: int, rate: float, folder: Path) -> dict[str, object]:
    """Run, and say what was seen."""
    each = -(-books // len(VENUES))
    wanted = {venue: [form.format(f"S{number:02d}" if venue != "bitstamp" else f"s{number:02d}")
                      for number in range(each)] for venue, form in VENUES.items()}
    servers, samples = [], []
    try:
        async with AsyncExitStack() as stack:
            running = []
            for seed, (venue, symbols) in enumerate(wanted.items()):
                script = folder / f"{venue}.toml"
                script.write_text(FAULTS.format(seed=seed, until=minutes * 60 - QUIET_S))
                servers.append(serve(venue, symbols, script, rate))
                url = servers[-1].stdout.readline().strip()
                feed = feeds.connect(venue, symbols, ("book", "trades"), url=url)
                running.append(await stack.enter_async_context(feed))
            began = asyncio.get_running_loop().time()
            while (now := asyncio.get_running_loop().time() - began) < minutes * 60:
                await asyncio.sleep(SAMPLE_S)
                held = [feed.book(symbol) for feed in running for symbol in feed.symbols]
                latency = [feed.pipeline.latency()["applied"] for feed in running]
                samples.append((now, resident_mb(), sum(book.nbytes for book in held) / 1e6,
                                np.mean([book.status is BookState.LIVE for book in held]),
                                max(stage["p99"] for stage in latency)))
            levels = sum(len(book.raw.bids_int()) + len(book.raw.asks_int()) for book in held)
            dead = [symbol for feed in running for symbol in feed.symbols if feed.book(symbol).status != BookState.LIVE]
            counters = [feed.pipeline.counters for feed in running]
            opens = sum(line["opens"] for feed in running for line in feed.stats()["lines"])
    finally:
        for server in servers:
            server.terminate()
            server.wait()
    table = np.array(samples)
    half = table[len(table) // 2:]

    def slope(column: np.ndarray) -> float:
        return round(float(np.polyfit(half[:, 0], column, 1)[0] * 3600), 2) if len(half) > 2 else 0.0

    return {
        "minutes": minutes, "books": each * len(VENUES), "venues": list(VENUES), "not_live": dead, "connections": opens,
        "frames": sum(held["frames"] for held in counters), "messages": sum(held["depth"] for held in counters),
        "gaps": sum(held["gaps"] for held in counters), "resyncs": sum(held["resyncs"] for held in counters),
        "errors": sum(held["errors"] for held in counters), "live_share": round(float(table[:, 3].mean()), 4),
        "levels": levels,
        "memory_mb": [round(float(value), 1) for value in (table[0, 1], half[0, 1], table[-1, 1])],
        "books_mb": [round(float(value), 1) for value in (table[0, 2], half[0, 2], table[-1, 2])],
        "books_mb_an_hour": slope(half[:, 2]), "other_mb_an_hour": slope(half[:, 1] - half[:, 2]),
        "applied_p99_ns": [int(table[len(table) // 4, 4]), int(table[-1, 4])],
    }


def main() -> int:
    """Returns: the exit status."""
    parser = argparse.ArgumentParser(description="Five simulated venues with faults, for some minutes.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--books", type=int, default=205)
    parser.add_argument("--rate", type=float, default=4.0, help="actions a second and instrument")
    parser.add_argument("--json", help="where the figures go, beside the terminal")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).resolve().parent.parent))
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(soak(options.minutes, options.books, options.rate, Path(folder)))
    text = json.dumps(figures, indent=1)
    print(text)
    if options.json:
        Path(options.json).write_text(text + "\n")
    grows = options.minutes >= 20 and float(str(figures["other_mb_an_hour"])) > 5.0     # less is not enough to tell
    return 1 if figures["not_live"] or grows else 0


if __name__ == "__main__":
    sys.exit(main())
