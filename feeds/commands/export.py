"""`wirebook export`: what was recorded, in the files of other programs."""

from __future__ import annotations

import time
from pathlib import Path

from feeds.commands.common import FAILED, MISUSED, CommandError, complain
from feeds.export import export
from feeds.export.features import read_every
from feeds.export.files import staged
from feeds.recording.reader import Recording
from feeds.recording.textform import write_capture


def run(paths: list[str], to: str, out: str, *, tables: list[str], features: list[str], depth: int | None, every: str,
        start: str | None, end: str | None, symbols: list[str], venue: str | None, market: str | None,
        wire: str | None) -> int:
    """Export and say what was written. Returns: the exit status."""
    if to == "capture":
        if tables or features or depth or start or end or symbols or len(paths) > 1:
            raise CommandError("--to capture takes one recording, and all of it", MISUSED)
        return _capture(paths[0], Path(out), venue, market)
    began = time.perf_counter()
    found = export(paths, to, out, tables=tables or None, depth=depth, every_ns=read_every(every), features=features,
                   start=start, end=end, symbols=symbols or None, venue=venue, market=market, wire=wire)
    counts = ", ".join(f"{len(found[name]):,} {name}" for name in found)
    print(f"{out}: {to} of {len(found.symbols)} symbols in {time.perf_counter() - began:.1f} s: rows of {counts}")
    if found.losses:
        complain(f"the recorder had to leave out {sum(loss[0] for loss in found.losses)} messages in "
                 f"{len(found.losses)} places; the table states tells where books were lost")
    for failure in found.failures:
        complain(f"{failure}; what comes before it was exported")
    return FAILED if found.failures else 0


def _capture(path: str, out: Path, venue: str | None, market: str | None) -> int:
    """Write a recording in the text format."""
    with staged(out.parent) as path_of:
        done = write_capture(Recording(path, venue=venue, market=market), path_of(out.name))
    print(f"{out}: capture of {done.records:,} records")
    if done.calls or done.losses:
        complain(f"left out, as the text format cannot hold them: {done.calls} calls and {done.losses} losses")
    return 0
