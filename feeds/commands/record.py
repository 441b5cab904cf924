"""`wirebook record`: what a venue sends, to disk."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any

from feeds import connect
from feeds.commands.common import FAILED, complain, warnings_kept
from feeds.recording.recorder import Recorder

CONNECT_S = 10.0
LINE_S = 10.0               # between two lines where nobody watches


def run(venue: str, symbols: list[str], channels: list[str], out: str, *, seconds: float | None,
        sizes: dict[str, Any], **options: Any) -> int:
    """Record until interrupted, or for some seconds. Returns: the exit status, 1 if anything was lost."""
    return asyncio.run(_record(venue, symbols, channels, out, seconds, sizes, options))


async def _record(venue: str, symbols: list[str], channels: list[str], out: str, seconds: float | None,
                  sizes: dict[str, Any], options: dict[str, Any]) -> int:
    task = asyncio.current_task()
    assert task is not None
    told = False

    def end() -> None:
        nonlocal told
        told = True
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):      # the usual ways to end a recording
        with suppress(NotImplementedError):             # not every platform has signals in its event loop
            asyncio.get_running_loop().add_signal_handler(number, end)
    feed = connect(venue, symbols, channels, **options)
    feed.timing = replace(feed.timing, first=CONNECT_S)
    with warnings_kept(False), Recorder(feed, out, **sizes) as recorder:
        try:
            async with feed:
                await _show(recorder, seconds)
        except asyncio.CancelledError:
            if not told:
                raise
    figures = recorder.stats()
    print(f"{venue}: {_text(figures)} into {out}")
    return FAILED if figures["lost"] or figures["unwritten"] else 0


async def _show(recorder: Recorder, seconds: float | None) -> None:
    """Show the figures until the end: one line that changes on a terminal, else one now and then."""
    watched = sys.stderr.isatty()
    ends = float("inf") if seconds is None else monotonic() + seconds
    told = monotonic()
    try:
        while (now := monotonic()) < ends:
            await asyncio.sleep(min(1.0, ends - now))
            if watched:
                print(f"\r\x1b[K{_text(recorder.stats())}", end="", file=sys.stderr, flush=True)
            elif monotonic() - told >= LINE_S:
                told = monotonic()
                complain(_text(recorder.stats()))
    finally:
        if watched:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _text(figures: dict[str, Any]) -> str:
    text = f"{figures['records']:,} records, {figures['bytes']:,} bytes on disk"
    if figures["lost"]:
        text += f", {figures['lost']:,} LOST"
    if figures["unwritten"]:
        text += f", {figures['unwritten']:,} NOT WRITTEN"
    if figures["failing_s"] is not None:
        text += f"; nothing can be written for {figures['failing_s']} s"
    return text
