"""`wirebook check` and `wirebook import`: recordings as they lie on the disk."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from feeds.capture import check_readable
from feeds.commands.common import FAILED, complain
from feeds.figures import venue_of
from feeds.recording.check import Report, check
from feeds.recording.reader import RecordingError
from feeds.recording.textform import read_captures


def run(path: str, *, dry_run: bool, as_json: bool) -> int:
    """Check a recording and print what was found. Returns: the exit status, 1 if something is damaged."""
    with _progress("check") as show:
        report = check(path, dry_run=dry_run, on_progress=show)
    if as_json:
        print(json.dumps({**report.document(), "dry_run": dry_run}, indent=2))
    else:
        _print(report, dry_run)
    return 0 if report.is_sound else FAILED


def _print(report: Report, dry_run: bool) -> None:
    for text in report.mended:
        print(f"{'would be mended' if dry_run else 'mended'}: {text}")
    for text in report.busy:
        print(f"{text}: being written, left alone")
    for error in report.damage:
        print(f"damaged: {error}")
    losses = f", {report.lost:,} were lost in {report.losses} places when it was made" if report.lost else ""
    print(f"{report.path}: {report.segments} segments, {report.records:,} records{losses}: "
          f"{'sound' if report.is_sound else f'{len(report.damage)} damaged places'}")


def run_import(files: list[str], out: str, *, venue: str | None, market: str | None, wire: str | None,
               sizes: dict[str, Any]) -> int:
    """Turn captures into a recording. Returns: the exit status."""
    check_readable(files)
    total = sum(os.path.getsize(file) for file in files)
    try:
        with _progress("import") as show:
            count = read_captures(files, out, venue or venue_of(files), market=market, wire=wire,
                                  on_progress=None if show is None else lambda size, _: show(size, total), **sizes)
    except OSError as error:
        raise RecordingError(out, "a directory that can be written to", error.strerror or str(error)) from None
    print(f"{out}: {count:,} records of {len(files)} capture{'s' if len(files) > 1 else ''}")
    if not count:
        complain("the captures hold no records")
    return 0 if count else FAILED


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar of bytes on standard error where that is a terminal; else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(TextColumn(name), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=Console(stderr=True),
                  transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda size, total: progress.update(task, advance=size, total=total)
