"""`wirebook replay`: captures through the pipeline, as a table or as one JSON document."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from feeds.capture import check_readable
from feeds.commands.common import FAILED, complain
from feeds.figures import Replay, venue_of
from feeds.jobs import Outcome, plan_jobs, run_jobs
from feeds.rerun import is_recorded, read_moment

_COLUMNS = ("symbol", "status", "updates", "changes", "gaps", "stale", "levels", "best bid", "best ask", "trades",
            "quotes")


def run(files: list[str], venue: str | None, market: str | None, as_json: bool, wire: str | None = None, *,
        start: str | None = None, end: str | None = None, symbols: list[str] | None = None, jobs: int | None = None,
        cluster: str | None = None) -> int:
    """Replay and print. Returns: the exit status."""
    if venue is None:
        check_readable(file for file in files if not os.path.isdir(file))   # what is not there bears no venue's name
    if is_recorded(files) or start or end or symbols or jobs or cluster:
        return _run_jobs(files, venue, market, as_json, wire, start, end, symbols, jobs, cluster)
    replay = Replay(venue or venue_of(files), digests=as_json, market=market, wire=wire)
    with _progress(sum(os.path.getsize(file) for file in files if os.path.isfile(file))) as on_progress:
        replay.run(files, on_progress)
    for failure in replay.failures:
        complain(str(failure))
    if as_json:
        print(json.dumps(replay.document(), indent=2))
    elif replay.lines:
        _print_table([replay.document()])
    last_error = replay.pipeline.last_error
    if last_error is not None:
        complain(f"{replay.errors} errors, the last: {last_error}")
    return 0 if replay.succeeded else FAILED


def _run_jobs(files: list[str], venue: str | None, market: str | None, as_json: bool, wire: str | None,
              start: str | None, end: str | None, symbols: list[str] | None, jobs: int | None,
              cluster: str | None) -> int:
    """One replay for each venue, and for each day where they are to be done apart."""
    apart = jobs is not None or cluster is not None
    plan = plan_jobs(files, venue=venue, market=market, wire=wire, symbols=symbols, digests=as_json, split=apart,
                     start_ns=None if start is None else read_moment(start),
                     end_ns=None if end is None else read_moment(end))
    with _progress(sum(job.size for job in plan)) as on_progress:
        outcome = run_jobs(plan, workers=jobs or 1, cluster=cluster, on_progress=lambda size: on_progress(size, None))
    documents = [document for document in outcome.documents if document is not None]
    if as_json:
        print(json.dumps(documents[0] if documents and not apart and len(plan) == 1 else _document(outcome), indent=2))
    elif documents:
        _print_table(documents)
    for document in documents:
        for text in document["failures"]:
            complain(text)
        if document["losses"]:
            complain(f"{document['venue']}: {document['losses']} records were lost when this was recorded; the books "
                     f"are STALE from there to their next snapshots")
    for job, text in outcome.failures:
        complain(f"{job}: {text}" if apart or len(plan) > 1 else text)
    errors = sum(document["errors"] for document in documents)
    if errors:
        last = next((document["last_error"] for document in reversed(documents) if document["last_error"]), None)
        complain(f"{errors} errors{f', the last: {last}' if last else ''}")
    return FAILED if errors or outcome.failures or not any(document["lines"] for document in documents) else 0


def _document(outcome: Outcome) -> dict[str, Any]:
    """Several replays as one document."""
    documents = [document for document in outcome.documents if document is not None]
    return {"jobs": documents, "failed": [{"job": str(job), "error": text} for job, text in outcome.failures],
            **{key: sum(document[key] for document in documents) for key in ("messages", "bytes", "seconds", "errors")}}


def _print_table(documents: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    several = len(documents) > 1
    table = Table(box=None, pad_edge=False)
    for column in ("venue", "from") if several else ():
        table.add_column(column, no_wrap=True)
    for number, column in enumerate(_COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    for document in documents:
        whose = (f"{document['venue']} {document['market']}".strip(),
                 (document["start"] or document["first"] or "")[:16]) if several else ()
        for symbol, figures in document["symbols"].items():
            table.add_row(
                *whose, symbol, figures["status"], f"{figures['updates']:,}", f"{figures['changes']:,}",
                str(figures["gaps"]), str(figures["stale"]), f"{figures['bid_levels']}+{figures['ask_levels']}",
                _price(figures["best_bid"]), _price(figures["best_ask"]), f"{figures['trades']['count']:,}",
                f"{figures['quotes']['count']:,}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, 160))        # a file has no width to fold lines to
    console.print(table)
    seconds, messages, errors = (sum(document[key] for document in documents)
                                 for key in ("seconds", "messages", "errors"))
    pace = ""
    if messages and seconds:
        pace = f", {messages / seconds:,.0f} a second, {seconds / messages * 1e9:.0f} ns each"
    venues = ", ".join(dict.fromkeys(document["venue"] for document in documents))
    print(f"{venues}: {messages:,} messages, {sum(document['bytes'] for document in documents):,} bytes in "
          f"{seconds:.3f} s{pace}; {errors} errors")


def _price(level: list[str | None]) -> str:
    return "-" if level[0] is None else f"{level[0]} x {level[1]}"


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar of bytes read on standard error where that is a terminal; else nothing."""
    if not sys.stderr.isatty():
        yield lambda size, messages: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(TextColumn("replay"), BarColumn(), TextColumn("{task.fields[messages]}"), TimeRemainingColumn(),
                  console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replay", total=total, messages="")

        def advance(size: int, messages: int | None) -> None:
            progress.update(task, advance=size, messages="" if messages is None else f"{messages:,} messages")

        yield advance
