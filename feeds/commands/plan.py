"""`wirebook plan`: what a subscription takes of a venue's limits, before anything is connected."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from feeds.commands.common import MISUSED, CommandError, read_symbols, warnings_kept
from feeds.directory import fetch_instruments, symbols_of
from feeds.plan import Plan, make_plan
from feeds.venue import VenueSpec
from feeds.venues import load

WIDTH = 160         # characters of a table that no terminal shows
WORDS = {           # what a limit counts, where its name does not say it well
    "streams_per_connection": "streams of one connection",
    "messages_per_second": "messages of one connection in a second",
    "connections": "connections open at a time",
    "connections_per_5_minutes": "connections opened in 5 minutes",
    "connections_per_minute": "connections opened in a minute",
    "connections_per_second": "connections opened in a second",
    "streams": "streams of all connections",
    "argument_chars": "characters of a connection's arguments",
    "operations_per_hour": "requests of one connection in an hour",
    "rest_weight_per_minute": "REST weight in a minute",
    "rest_per_second": "REST requests in a second",
}


def run(venue: str, symbols: list[str], channels: list[str], *, market: str | None, depth: int | None,
        speed: str | None, rest_url: str | None, as_json: bool) -> int:
    """Print a plan. Returns: the exit status. Raises: PlanError, UnsupportedChannel, CommandError."""
    spec = load(venue)
    spec.check_channels(channels)
    market = spec.check_market(market)
    with warnings_kept(False):
        chosen = asyncio.run(choose(spec, read_lists(symbols), market, rest_url))
    plan = make_plan(spec, chosen, channels, depth=depth, speed=speed, market=market)
    if as_json:
        print(json.dumps(facts_of(plan), indent=2))
    else:
        _print(plan, channels)
    return 0


def read_lists(texts: list[str]) -> list[str]:
    """Symbols given one by one, with commas, or as @FILE with one or several a line. Raises: CommandError."""
    found: list[str] = []
    for text in read_symbols(texts):
        if not text.startswith("@"):
            found.append(text)
            continue
        try:
            found += read_symbols([Path(text[1:]).read_text(encoding="utf-8")])
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no text"
            raise CommandError(f"--symbols {text}: {reason}") from None
    if not found:
        raise CommandError("--symbols: expected one or more symbols, @FILE, all, or a pattern like '*USDT'", MISUSED)
    return list(dict.fromkeys(found))


async def choose(spec: VenueSpec, texts: list[str], market: str, rest_url: str | None) -> list[str]:
    """The symbols that are meant; the venue's list is looked at where a text is `all`, a pattern or a normalised name.

    Raises: CommandError, UnknownInstrument, ListError.
    """
    patterns = [text for text in texts if text == "all" or any(sign in text for sign in "*?[")]
    found = await symbols_of(spec.name, [text for text in texts if text not in patterns], market or None,
                             rest_url=rest_url)
    if patterns:
        listing = await fetch_instruments(spec.name, market or None, rest_url=rest_url)
        for pattern in patterns:
            fits = [it.symbol for it in listing.matching(pattern) if it.status == "trading"]
            if not fits:
                raise CommandError(f"{spec.name}: no instrument that trades fits {pattern}")
            found += fits
    return list(dict.fromkeys(found))


def facts_of(plan: Plan) -> dict[str, Any]:
    """The plan, JSON-ready."""
    tightest = plan.tightest
    return {
        "venue": plan.venue, "market": plan.market, "symbols": plan.symbols, "streams": plan.streams,
        "connections": [line._asdict() for line in plan.lines],
        "requests": plan.requests, "request_bytes": plan.request_bytes,
        "snapshots": plan.snapshots, "snapshot_weight": plan.snapshot_weight,
        "limits": [bound._asdict() for bound in plan.bounds],
        "tightest": tightest.limit if tightest is not None else None, "seconds": plan.seconds,
    }


def _print(plan: Plan, channels: list[str]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    where = f"{plan.venue} {plan.market}".rstrip()
    console.print(f"{where}: {plan.symbols} symbols x {', '.join(channels)}: {plan.streams} streams, "
                  f"{len(plan.lines)} connections", markup=False, highlight=False)
    lines = Table("connections", "address", "streams each", "asked for by", pad_edge=False)
    for count, line in _alike(plan):
        requests = (f"{line.requests} requests of {line.request_bytes} bytes in all" if line.requests else
                    "the address" if line.by_address else "nothing")
        lines.add_row(str(count), line.address, str(line.streams), requests)
    console.print(lines, markup=False)
    if plan.bounds:
        bounds = Table("limit", "allowed", "used", "takes", pad_edge=False)
        for bound in plan.bounds:
            bounds.add_row(WORDS.get(bound.limit, bound.limit), f"{bound.allowed:g}", f"{bound.used:.10g}",
                           _time(bound.seconds) if bound.seconds else "no time")
        console.print(bounds, markup=False)
    if plan.snapshots:
        console.print(f"{plan.snapshots} snapshots by REST of weight {plan.snapshot_weight}, "
                      f"{plan.snapshots * plan.snapshot_weight} in all", highlight=False)
    tightest = plan.tightest
    why = f"; tightest: {WORDS.get(tightest.limit, tightest.limit)} ({tightest.limit})" if tightest is not None else ""
    when = f"after {_time(plan.seconds)}" if plan.seconds else "at once"
    console.print(f"all LIVE {when}, as far as the limits go{why}", markup=False, highlight=False)


def _alike(plan: Plan) -> list[tuple[int, Any]]:
    """(count, one of them) of connections that differ in nothing that is shown, in order."""
    counts: dict[Any, list[Any]] = {}
    for line in plan.lines:
        key = (line.address, line.streams, line.requests, line.by_address)
        counts.setdefault(key, []).append(line)
    return [(len(same), max(same, key=lambda line: line.request_bytes)) for same in counts.values()]


def _time(seconds: float) -> str:
    """90.5 s as "1 min 30 s"."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
