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
from feeds.directory import Directory, ListError
from feeds.listing import UnknownInstrument
from feeds.rest import RestError
from orderbook import BookState

CONNECT_S = 10.0                # somebody who waits at a terminal wants to know sooner than a service does
PROBE_S = 3.0                   # without a live book for so long, the venue is asked whether it knows the symbol


def run(venue: str, symbols: list[str], *, url: str | None, rest_url: str | None, market: str | None, depth: int,
        seconds: float | None, plain: bool, wire: str | None = None, compression: bool = False,
        proxy: str | None = None) -> int:
    """Show books until interrupted, or for some seconds. Returns: the exit status."""
    return asyncio.run(_watch(venue, symbols, depth, seconds, plain, url=url, rest_url=rest_url, market=market,
                              wire=wire, compression=compression, proxy=proxy))


async def _watch(venue: str, wanted: list[str], depth: int, seconds: float | None, plain: bool,
                 **options: Any) -> int:
    tape = Tape()
    draws = sys.stdout.isatty() and not plain
    with warnings_kept(draws) as warning:
        feed = connect(venue, wanted, ("book", "trades"), tape, **options)
        feed.timing = replace(feed.timing, first=CONNECT_S)
        async with feed:
            symbols = feed.symbols
            probe = asyncio.create_task(_probe(feed))

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
        return bool(feed.book(symbol).status == BookState.LIVE)
    except KeyError:
        return False


async def _probe(feed: Any) -> None:
    """Find out whether the venue knows the symbols that stay silent: on the stream some venues do not say so.

    Raises: CommandError if it does not, or has refused a book.
    """
    began = monotonic()
    while monotonic() - began < PROBE_S:
        await asyncio.sleep(0.1)
        if all(_is_live(feed, symbol) for symbol in feed.symbols):
            return
        refused = feed.refused_books()
        if refused:
            raise CommandError(f"{feed.spec.name}: " + "; ".join(
                f"no book of {symbol}: {text}" for symbol, text in sorted(refused.items())))
    for symbol in feed.symbols:
        if not _is_live(feed, symbol):
            await _ask_for(feed, symbol)


async def _ask_for(feed: Any, symbol: str) -> None:
    """Ask the venue by REST for one symbol. Raises: CommandError if it is unknown; nothing where one cannot ask."""
    spec, rest = feed.spec, feed.rest
    try:
        if spec.resync == "rest":
            limit = spec.snapshot_limits[0] if spec.snapshot_limits else 1
            await rest.get(spec.snapshot_url(symbol, rest.moved_to, limit, feed.market), spec.snapshot_weight(limit))
        elif spec.instruments_addresses:
            listing = await Directory(rest).listing(feed.market, max_age_s=0, within_s=CONNECT_S)
            if not listing.failures:
                listing.find(symbol, feed.market)
    except UnknownInstrument as error:
        raise CommandError(str(error)) from None
    except RestError as error:
        if spec.resync == "rest" and error.status in (400, 404):
            raise CommandError(f"{spec.name}: unknown symbol {symbol}: {error.body or error}") from None
    except ListError:           # no list that can be read
        pass
