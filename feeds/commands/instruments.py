"""`wirebook instruments`: what a venue trades, under which names, in which steps."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from feeds.commands.common import FAILED, MISUSED, CommandError, complain
from feeds.directory import DAY_S, fetch_instruments
from feeds.instruments import KINDS, Instrument
from feeds.listing import Listing

WIDTH = 160         # characters of a table that no terminal shows
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY_S}


def run(venue: str, *, like: str, market: str | None, kind: str | None, as_json: bool, refresh: bool, max_age: str,
        url: str | None) -> int:
    """Print the instruments of a venue. Returns: the exit status."""
    if kind is not None and kind not in KINDS:
        raise CommandError(f"--kind {kind}: expected one of {', '.join(KINDS)}", MISUSED)
    max_age_s = 0.0 if refresh else read_age(max_age)
    listing = asyncio.run(fetch_instruments(venue, market, rest_url=url, max_age_s=max_age_s))
    found = [it for it in listing.matching(like) if kind in (None, it.kind)]
    for failure in listing.failures:
        complain(f"not the whole list: {failure}")
    if not found:
        asked = ", ".join(filter(None, (like and f"like {like}", kind and f"of kind {kind}")))
        raise CommandError(f"{venue}: none of {len(listing)} instruments is {asked}" if asked else
                           f"{venue}: its list has no instruments")
    if as_json:
        print(json.dumps({"venue": venue, "age_s": round(listing.age_s, 3), "failures": list(listing.failures),
                          "instruments": [facts_of(listing, it) for it in found]}, indent=1, ensure_ascii=False))
    else:
        console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
        console.print(_table(listing, found))
        console.print(f"{len(found)} of {len(listing)} instruments, {age_text(listing.age_s)} old"
                      + ("" if listing.age_s < 1.0 else "; --refresh asks the venue"), highlight=False)
    return FAILED if listing.failures else 0


def read_age(text: str) -> float:
    """Seconds of a `--max-age`: 90s, 15m, 12h, 7d. Raises: CommandError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None:
        raise CommandError(f"--max-age {text}: expected a time such as 90s, 15m, 12h or 7d", MISUSED)
    return float(found[1]) * UNITS[found[2] or "s"]


def age_text(seconds: float) -> str:
    """A time in its largest unit: 5 s, 3 min, 2.5 h, 1.2 d."""
    for unit, size, least in (("d", DAY_S, 2 * DAY_S), ("h", 3600.0, 5400.0), ("min", 60.0, 90.0)):
        if seconds >= least:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def facts_of(listing: Listing, it: Instrument) -> dict[str, Any]:
    """An instrument as JSON has it: its record, and the name it is found by."""
    return {"name": listing.name(it), **asdict(it)}


def _table(listing: Listing, found: list[Instrument]) -> Table:
    markets = len({it.market for it in listing}) > 1
    table = Table(title=f"Instruments of {listing.spec.name}", title_justify="left", pad_edge=False)
    for head, right in (("name", False), ("symbol", False), *([("market", False)] if markets else []),
                        ("kind", False), ("tick", True), ("lot", True), ("min", True), ("contract", True),
                        ("expiry", False), ("status", False)):
        table.add_column(head, no_wrap=head in ("name", "symbol"), justify="right" if right else "left",
                         overflow="fold")
    for it in sorted(found, key=lambda it: (it.market, KINDS.index(it.kind), it.base, it.quote, it.expiry_ns,
                                            float(it.strike or 0), it.option_type, it.symbol)):
        table.add_row(listing.name(it), it.symbol, *([it.market] if markets else []), it.kind, it.tick_size,
                      it.lot_size, _least(it), _contract(it), _day(it.expiry_ns), it.status)
    return table


def _least(it: Instrument) -> str:
    """Smallest order: a quantity, a value, or both."""
    value = f"{it.min_value} {it.quote}".strip() if it.min_value else ""
    return " / ".join(filter(None, (it.min_qty, value)))


def _contract(it: Instrument) -> str:
    size = f"{it.contract_size} {it.contract_unit}".strip()
    return f"{size} x {it.multiplier}" if size and it.multiplier not in ("", "1") else size


def _day(ns: int) -> str:
    """A time of expiry, ISO to the minute, UTC."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M") if ns else ""
