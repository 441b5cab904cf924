"""`wirebook venues`: what there is, and how it is known to be read rightly."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from feeds.venue import VenueSpec
from feeds.venues import VENUES, load, wires

WIDTH = 160         # characters of a table that no terminal shows


def run(venue: str | None, as_json: bool) -> None:
    """Print one venue, or a table of all of them. Raises: UnknownVenue."""
    specs = [load(venue)] if venue is not None else [load(name) for name in VENUES]
    if as_json:
        facts = {spec.name: facts_of(spec) for spec in specs}
        print(json.dumps(facts if venue is None else facts[specs[0].name], indent=2, ensure_ascii=False))
    elif venue is None:
        _console().print(_table(specs))
    else:
        _print_one(specs[0])


def facts_of(spec: VenueSpec) -> dict[str, Any]:
    """The facts of a venue that its users may want, JSON-ready."""
    return {
        "venue": spec.name,
        "markets": list(spec.markets),
        "channels": dict(spec.channels),
        "evidence": [{"channel": it.channel, "proof": it.proof, "detects": it.detects} for it in spec.evidence],
        "forms": spec.forms,
        "wires": list(wires(spec.name)),
        "numbers": spec.link.name,
        "connection_numbers": spec.count.name,
        "resync": spec.resync,
        "addresses": dict(spec.roots),
        "rest": spec.rest_url,
        "source": spec.source,
        "checked": spec.checked,
    }


def _table(specs: list[VenueSpec]) -> Table:
    """venue x channel x evidence x what the numbers can and cannot prove."""
    table = Table(title="Channels, and how each is known to be read rightly", title_justify="left", pad_edge=False)
    table.add_column("venue", no_wrap=True)
    table.add_column("channel", no_wrap=True)
    table.add_column("evidence")
    table.add_column("what its numbers show, and what they cannot", ratio=1)
    for spec in specs:
        shown = spec.name
        for channel, proof, detects in _rows(spec):
            table.add_row(shown, channel, proof, detects)
            shown = ""
        table.add_section()
    return table


def _rows(spec: VenueSpec) -> list[tuple[str, str, str]]:
    """(channel, evidence, what it detects) of a venue; a channel without evidence says so."""
    rows = [(it.channel, it.proof, it.detects) for it in spec.evidence]
    told = {name.strip().partition(" ")[0] for it in spec.evidence for name in it.channel.split(",")}
    return rows + [(channel, "none", "") for channel in spec.channels if channel not in told]


def _print_one(spec: VenueSpec) -> None:
    console = _console()
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("venue", spec.name)
    if spec.markets:
        facts.add_row("markets", ", ".join(spec.markets) + f" (--market; without it {spec.markets[0]})")
    for name, address in spec.roots.items():
        facts.add_row(f"stream {name}" if len(spec.roots) > 1 else "stream", address)
    facts.add_row("REST", spec.rest_url or "not needed")
    facts.add_row("new book by", {"rest": "a REST snapshot", "request": "a request on the line"}.get(
        spec.resync, "a new subscription"))
    facts.add_row("forms", spec.forms)
    for other in (load(spec.name, wire) for wire in wires(spec.name)[1:]):
        facts.add_row(f"wire {other.wire}", f"{other.forms} Channels: {', '.join(other.channels)}." + (
            f" It needs an API key: {other.key_variable} in the environment." if other.key_header else ""))
    facts.add_row("source", f"{spec.source} (checked {spec.checked})")
    for channel, text in spec.channels.items():
        facts.add_row(f"channel {channel}", text)
    console.print(facts, markup=False, highlight=False)
    console.print()
    console.print(_table([spec]))


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=WIDTH)
