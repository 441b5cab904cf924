"""`wirebook plot`: pictures of what was recorded."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from feeds.commands.common import FAILED, MISUSED, CommandError, complain, warnings_kept
from feeds.extras import need
from feeds.plotdata import KINDS, PlotData, collect
from feeds.plots import FORMATS, SIZE, draw, save

MOST_PIXELS = 100_000_000
FEW = 12                # symbols that are named where another could have been meant


def run(files: list[str], kinds: list[str], *, symbol: str | None, start: str | None, end: str | None, out: str | None,
        form: str | None, width: float | None, height: float | None, dpi: float, venue: str | None, market: str | None,
        wire: str | None) -> int:
    """Replay, draw, and print the names of the files that were written. Returns: the exit status."""
    every = not kinds or "all" in kinds
    kinds = list(KINDS) if every else kinds
    folder, name, form = _place(out, form, kinds)
    if (width or SIZE[0]) * (height or SIZE[1]) * dpi ** 2 > MOST_PIXELS:
        raise CommandError(f"a picture of more than {MOST_PIXELS:,} pixels: --width, --height or --dpi must be smaller",
                           MISUSED)
    need("matplotlib", "plot")
    _make(folder)
    with warnings_kept(draws=True):     # changes of state are in the pictures
        data = collect(files, kinds, symbol=symbol, start=start, end=end, venue=venue, market=market, wire=wire)
    if data.others and symbol is None:
        print(f"{data.symbol}, the busiest of {len(data.others) + 1} books; --symbol for another: "
              f"{', '.join(data.others[:FEW])}{', ...' if len(data.others) > FEW else ''}")
    for failure in data.failures:
        complain(str(failure))
    size = None if width is None and height is None else (width or SIZE[0], height or SIZE[1])
    drawn = 0
    for kind in kinds:
        if kind in data.missing:
            complain(f"{data.venue} {data.symbol}: no plot of {kind}: {data.missing[kind]}")
            continue
        path = folder / (name or _name(data, kind, form))
        save(draw(data, kind, size), path, dpi)
        print(path)
        drawn += 1
    return 0 if not data.failures and (drawn == len(kinds) or (every and drawn)) else FAILED


def _place(out: str | None, form: str | None, kinds: list[str]) -> tuple[Path, str | None, str]:
    """(folder, name of the file if one was given, format)."""
    if form is not None and form not in FORMATS:
        raise CommandError(f"--format {form}: expected one of {', '.join(FORMATS)}", MISUSED)
    path = Path(out or ".")
    ending = path.suffix.lower().lstrip(".")
    if not ending or path.is_dir():
        return path, None, form or FORMATS[0]
    if ending not in FORMATS or form not in (None, ending):
        raise CommandError(f"--out {out}: expected a folder, or a name that ends in "
                           f"{' or '.join('.' + known for known in ([form] if form else FORMATS))}", MISUSED)
    if len(kinds) > 1:
        raise CommandError(f"--out {out}: {len(kinds)} plots need a folder; or choose one with --kind", MISUSED)
    return path.parent, path.name, ending


def _make(folder: Path) -> None:
    """Make sure that a folder is there and can be written to, before the time is spent that the replay takes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CommandError(f"{folder}: cannot write there: {error.strerror}") from None


def _name(data: PlotData, kind: str, form: str) -> str:
    words = (data.venue, data.market, data.symbol, kind)
    return re.sub(r"[^\w.+-]+", "_", "_".join(filter(None, words))) + f".{form}"
