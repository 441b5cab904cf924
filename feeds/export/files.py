"""Exports: what was recorded, in the files of other programs.

    export("session/", "parquet", "out/")           # out/book.parquet, out/trades.parquet, ...

Files get their names when all of them are complete: an export that fails leaves none behind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from feeds.export import arrow, hftbacktest, tardis
from feeds.export.tables import NAMES, Tables, choose, collect, file_name
from feeds.extras import need
from feeds.rerun import Moment

PathOf = Callable[[str], str]
ARROW_FORMS = ("parquet", "arrow", "tardis")        # those that pyarrow writes


@contextmanager
def staged(folder: str | PathLike[str]) -> Iterator[PathOf]:
    """Gives paths to write files of a folder to, by their names, which they get if all goes well; else they are gone.

    Raises: OSError if the folder cannot be made or written to.
    """
    target = Path(folder)
    made = not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    token = uuid4().hex[:8]
    parts: dict[str, Path] = {}

    def path_of(name: str) -> str:
        if name in parts:
            raise ValueError(f"{target}: two tables would be called {name}")
        parts[name] = target / f".{token}.{name}"
        return str(parts[name])

    try:
        probe = Path(path_of(""))
        probe.touch()
        probe.unlink()
        del parts[""]
        yield path_of
        for name, part in parts.items():
            os.replace(part, target / name)
    except BaseException:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
        if made:
            with suppress(OSError):
                target.rmdir()
        raise


def write_parquet(tables: Tables, path_of: PathOf) -> None:
    """A Parquet file a table."""
    for name in tables:
        arrow.write_parquet(tables, name, path_of(f"{name}.parquet"))


def write_arrow(tables: Tables, path_of: PathOf) -> None:
    """An Arrow IPC file a table."""
    for name in tables:
        arrow.write_arrow(tables, name, path_of(f"{name}.arrow"))


def write_numpy(tables: Tables, path_of: PathOf) -> None:
    """A .npy file of structured rows a table, and tables.json with what their numbers mean; `load` reads both."""
    for name in tables:
        with open(path_of(f"{name}.npy"), "wb") as file:
            rows = tables[name]                           # np.save would not say why it could not write
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(rows))
            file.write(rows.view(np.uint8).data)
    facts: dict[str, Any] = {name: tables.facts(name) for name in tables}
    Path(path_of("tables.json")).write_text(json.dumps(
        {"symbols": tables.symbols, "reasons": tables.reasons, "tables": facts}, indent=1))


def write_hftbacktest(tables: Tables, path_of: PathOf) -> None:
    """An .npz file with the events of each symbol, as BacktestAsset().data([...]) of hftbacktest takes it."""
    for symbol in tables.symbols:
        events = hftbacktest.events(tables, symbol)
        if len(events):
            with open(path_of(file_name(f"{symbol}.npz")), "wb") as file:
                np.savez_compressed(file, data=events)


FORMS: dict[str, Callable[[Tables, PathOf], None]] = {
    "parquet": write_parquet, "arrow": write_arrow, "numpy": write_numpy, "hftbacktest": write_hftbacktest,
    "tardis": tardis.write,
}


def export(path: str | PathLike[str] | Sequence[str | PathLike[str]], to: str, out: str | PathLike[str], *,
           tables: Iterable[str] | None = None, depth: int | None = None, every_ns: int = 0,
           features: str | Sequence[str] = (), start: Moment | None = None, end: Moment | None = None,
           symbols: str | Iterable[str] | None = None, venue: str | None = None, market: str | None = None,
           wire: str | None = None) -> Tables:
    """Replay a recording or captures and write what they tell into the folder `out`.

    Parameters: to -- parquet, arrow, numpy, hftbacktest or tardis. The others are those of `feeds.export.collect`; what
    hftbacktest and tardis have of tables is theirs to say.
    Returns: the tables that were written. Raises: what `feeds.export.collect` does; MissingExtra without pyarrow.
    """
    choose(to, FORMS, "format")
    if to in ARROW_FORMS:
        need("pyarrow", "export")
    if to in ("tardis", "hftbacktest"):
        if every_ns or features or tables is not None or (depth is not None and to == "hftbacktest"):
            raise ValueError(f"{to} has sets of its own, at every change: tables, features and times between rows are "
                             "for parquet, arrow and numpy")
        tables = NAMES[:-1] if to == "tardis" else ("book", "trades", "states")
    with staged(out) as path_of:
        found = collect(path, tables=tables, depth=depth, every_ns=every_ns, features=features, start=start, end=end,
                        symbols=symbols, venue=venue, market=market, wire=wire, folder=out)
        FORMS[to](found, path_of)
    return found


def load(folder: str | PathLike[str]) -> Tables:
    """The tables that an export to numpy has written; their rows are read from disk when they are needed.

    Raises: OSError, ValueError.
    """
    told = json.loads((Path(folder) / "tables.json").read_text())
    facts = next(iter(told["tables"].values()))
    arrays = {name: np.lib.format.open_memmap(Path(folder) / f"{name}.npy", mode="r") for name in told["tables"]}
    scales = {symbol: (of["price_scale"], of["qty_scale"]) for symbol, of in facts["scales"].items()}
    return Tables(arrays, told["symbols"], scales, told["reasons"], facts["venue"], facts["market"], facts["files"],
                  facts["losses"], facts["failures"])
