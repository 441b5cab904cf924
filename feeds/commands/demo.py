"""`wirebook demo`: a simulated venue in a process of its own, a live client, and a report."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

from feeds import connect
from feeds.commands.common import FAILED, CommandError, complain, warnings_kept
from feeds.commands.ladder import Tape, View
from feeds.venues import load
from feeds.venues.dialects import DIALECTS, SHOWN
from orderbook import BookState

SERVER_START_S = 20.0
LIVE_WITHIN_S = 20.0
MAX_SYMBOLS = 2                 # that fit side by side
RATE = 1500.0                   # actions a second and symbol


def run(venue: str | None, seconds: float, plain: bool) -> int:
    """Run the demo. Returns: the exit status, 0 only if every book was live and nothing went wrong."""
    venue = venue or SHOWN
    load(venue)
    if venue not in DIALECTS:
        raise CommandError(f"{venue} cannot be simulated (those that can: {', '.join(DIALECTS)})")
    return asyncio.run(_demo(venue, seconds, plain))


async def _demo(venue: str, seconds: float, plain: bool) -> int:
    dialect = DIALECTS[venue]
    symbols = [instrument.symbol for instrument in dialect.instruments][:MAX_SYMBOLS]
    fastest = min(dialect.speeds, key=dialect.speeds.__getitem__)
    tape = Tape()
    draws = sys.stdout.isatty() and not plain
    async with _server(venue, symbols) as url:
        print(f"simulated {venue} at {url}, live client over a real socket, {seconds:g} s", flush=True)
        with warnings_kept(draws) as warning:
            async with connect(venue, symbols, ("book", "trades", "quotes"), tape, url=url, speed=fastest) as feed:
                feed.pipeline.sample_every = 1
                began = monotonic()
                await feed.wait_live(LIVE_WITHIN_S)
                print(f"live after {(monotonic() - began) * 1e3:.0f} ms", flush=True)
                await View(feed, symbols, tape, 10, lambda: warning.text).follow(seconds, plain, lambda: None)
                return _report(feed, symbols, monotonic() - began, tape)


def _report(feed: Any, symbols: list[str], seconds: float, tape: Tape) -> int:
    """Print what happened. Returns: the exit status."""
    pipeline = feed.pipeline
    counters = pipeline.counters
    stats = {symbol: pipeline.symbol_stats(symbol) for symbol in symbols}
    not_live = [symbol for symbol in symbols if feed.book(symbol).status != BookState.LIVE]
    print()
    print(f"messages   {counters['frames']:,} in {seconds:.1f} s ({counters['frames'] / seconds:,.0f} a second), "
          f"{counters['bytes']:,} bytes")
    for symbol, figures in stats.items():
        book = feed.book(symbol)
        print(f"{symbol:<10} {BookState(book.status).name}, {figures['updates']:,} updates with {figures['changes']:,} "
              f"changes, {figures['trades']:,} trades, {figures['quotes']:,} quotes, "
              f"{book.bid_levels}+{book.ask_levels} levels")
    print(f"gaps       {counters['gaps']}, resyncs {counters['resyncs']}, errors {counters['errors']}, "
          f"crossed {sum(figures['crossed'] for figures in stats.values())}")
    print(f"{'latency':<10} {'count':>9} {'p50':>9} {'p90':>9} {'p99':>9} {'p99.9':>9} {'max':>9}   ns")
    for stage, name in (("parsed", "parse"), ("applied", "apply"), ("handler", "handler")):
        figures = pipeline.latency()[stage]
        print(f"  {name:<8} {figures['count']:>9,} " + " ".join(
            f"{figures[key]:>9,.0f}" for key in ("p50", "p90", "p99", "p99_9", "max")))
    problems = []
    if not_live:
        problems.append(f"not live: {', '.join(not_live)}")
    if counters["errors"]:
        problems.append(f"{counters['errors']} errors, the last: {pipeline.last_error}")
    if not all(figures["updates"] for figures in stats.values()) or not tape.updates:
        problems.append("a book had no updates")
    for problem in problems:
        complain(f"{feed.spec.name}: {problem}")
    return FAILED if problems else 0


@contextlib.asynccontextmanager
async def _server(venue: str, symbols: list[str]) -> AsyncIterator[str]:
    """A `wirebook serve` in a child process; its URL. The child ends with the block."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "feeds.cli", "serve", "--sim", venue, "--symbols", ",".join(symbols), "--rate", str(RATE),
        "--until-eof", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    assert child.stdout is not None and child.stderr is not None
    try:
        try:
            async with asyncio.timeout(SERVER_START_S):
                line = (await child.stdout.readline()).decode().strip()
        except TimeoutError:
            raise CommandError(f"the simulated venue did not start within {SERVER_START_S:g} s") from None
        if not line.startswith("ws://"):
            reason = (await child.stderr.read()).decode().strip().splitlines()
            raise CommandError(f"the simulated venue did not start: {reason[-1] if reason else 'no output'}")
        yield line
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            try:
                async with asyncio.timeout(5.0):
                    await child.communicate()
            except TimeoutError:
                child.kill()
                await child.wait()
