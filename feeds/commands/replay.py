"""`wirebook replay`: captures through the pipeline, as a table or as one JSON document."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from feeds.capture import check_readable
from feeds.commands.common import FAILED, complain
from feeds.figures import Replay, venue_of

_COLUMNS = ("symbol", "status", "updates", "changes", "gaps", "stale", "levels", "best bid", "best ask", "trades",
            "quotes")


def run(files: list[str], venue: str | None, market: str | None, as_json: bool, wire: str | None = None) -> int:
    """Replay and print. Returns: the exit status."""
    if venue is None:
        check_readable(files)                     # a file that is not there bears no venue's name either
    replay = Replay(venue or venue_of(files), digests=as_json, market=market, wire=wire)
    with _progress(files) as on_progress:
        replay.run(files, on_progress)
    for failure in replay.failures:
        complain(str(failure))
    if as_json:
        print(json.dumps(replay.document(), indent=2))
    elif replay.lines:
        _print_table(replay)
    last_error = replay.pipeline.last_error
    if last_error is not None:
        complain(f"{replay.errors} errors, the last: {last_error}")
    return 0 if replay.succeeded else FAILED


def _print_table(replay: Replay) -> None:
    from rich.console import Console
    from rich.table import Table

    document = replay.document()
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(_COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    for symbol, figures in document["symbols"].items():
        table.add_row(
            symbol, figures["status"], f"{figures['updates']:,}", f"{figures['changes']:,}", str(figures["gaps"]),
            str(figures["stale"]), f"{figures['bid_levels']}+{figures['ask_levels']}", _price(figures["best_bid"]),
            _price(figures["best_ask"]), f"{figures['trades']['count']:,}", f"{figures['quotes']['count']:,}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, 160))        # a file has no width to fold lines to
    console.print(table)
    seconds, messages = document["seconds"], document["messages"]
    pace = ""
    if messages and seconds:
        pace = f", {messages / seconds:,.0f} a second, {seconds / messages * 1e9:.0f} ns each"
    print(f"{document['venue']}: {messages:,} messages, {document['bytes']:,} bytes in {seconds:.3f} s{pace}; "
          f"{document['errors']} errors")


def _price(level: list[str | None]) -> str:
    return "-" if level[0] is None else f"{level[0]} x {level[1]}"


@contextmanager
def _progress(files: list[str]) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error where that is a terminal; else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    total = sum(os.path.getsize(file) for file in files if os.path.isfile(file))
    with Progress(TextColumn("replay"), BarColumn(), TextColumn("{task.fields[messages]:,} messages"),
                  TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replay", total=total, messages=0)
        yield lambda size, messages: progress.update(task, advance=size, messages=messages)
