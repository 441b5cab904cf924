"""`wirebook watch`: live books of a venue."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from time import monotonic
from typing import Any

from feeds import connect
from feeds.commands.common import CommandError, warnings_kept
from feeds.commands.ladder import Tape, View
from feeds.rest import RestError
from feeds.venues import load
from orderbook import BookState

CONNECT_S = 10.0                # somebody who waits at a terminal wants to know sooner than a service does
PROBE_S = 3.0                   # without a live book for so long, the venue is asked whether it knows the symbol


def run(venue: str, symbols: list[str], *, url: str | None, rest_url: str | None, depth: int, seconds: float | None,
        plain: bool) -> int:
    """Show books until interrupted, or for some seconds. Returns: the exit status."""
    spec = load(venue)
    names = list(dict.fromkeys(spec.symbol(symbol) for symbol in symbols))
    return asyncio.run(_watch(venue, names, url, rest_url, depth, seconds, plain))


async def _watch(venue: str, symbols: list[str], url: str | None, rest_url: str | None, depth: int,
                 seconds: float | None, plain: bool) -> int:
    tape = Tape()
    draws = sys.stdout.isatty() and not plain
    with warnings_kept(draws) as warning:
        feed = connect(venue, symbols, ("book", "trades"), tape, url=url, rest_url=rest_url)
        feed.timing = replace(feed.timing, first=CONNECT_S)
        async with feed:
            probe = asyncio.create_task(_probe(feed, symbols))

            def check() -> None:
                if probe.done():
                    probe.result()

            try:
                view = View(feed, symbols, tape, depth, lambda: warning.text)
                await view.follow(seconds, plain, check)
            finally:
                probe.cancel()
            missing = [symbol for symbol in symbols if not _is_live(feed, symbol)]
    if missing:
        raise CommandError(f"{venue}: no live book of {', '.join(missing)} when the time was up")
    return 0


def _is_live(feed: Any, symbol: str) -> bool:
    try:
        return feed.book(symbol).status == BookState.LIVE
    except KeyError:
        return False


async def _probe(feed: Any, symbols: list[str]) -> None:
    """Find out whether the venue knows the symbols that stay silent: on the stream it does not say so.

    Raises: CommandError if it does not.
    """
    began = monotonic()
    while monotonic() - began < PROBE_S:
        await asyncio.sleep(0.1)
        if all(_is_live(feed, symbol) for symbol in symbols):
            return
    spec = feed.spec
    limit = spec.snapshot_limits[0] if spec.snapshot_limits else 1
    for symbol in symbols:
        if _is_live(feed, symbol):
            continue
        try:
            await feed.rest.get(spec.snapshot_url(symbol, feed.rest.url, limit), spec.snapshot_weight(limit))
        except RestError as error:
            if error.status in (400, 404):
                raise CommandError(f"{spec.name}: unknown symbol {symbol}: {error.body or error}") from None
