"""What an export costs: rows a second, bytes a row, and the time to load it again, for every format.

    python benchmarks/bench_export.py [CAPTURE...]

Each step is the best of three. "collect" is the replay of the capture with the rows it makes, "replay" the same without
a handler; the writers are given what was collected.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq

from feeds.export import Tables, arrow, collect, hftbacktest, load
from feeds.export.features import read_every
from feeds.export.files import FORMS
from feeds.rerun import Rerun

DATA = Path(os.environ.get("WIREBOOK_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
FEATURES = "mid,microprice,imbalance_5,ofi,depth_10bps"


class Nothing:
    """A handler that is told nothing of the book."""

    def on_status(self, book: object, old: object, new: object, reason: str) -> None:
        pass


def best(call: Callable[[], object], times: int = 3) -> float:
    """Seconds of CPU, of all threads, that the best of some calls took: others may keep the machine busy."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        call()
        spent.append(time.process_time() - began)
    return min(spent)


def written(tables: Tables, to: str, folder: str) -> tuple[float, int]:
    """Seconds and bytes of an export that has been collected."""
    spent = best(lambda: FORMS[to](tables, lambda name: f"{folder}/{name}"))
    return spent, sum(file.stat().st_size for file in Path(folder).iterdir())


def run(path: Path) -> None:
    """The figures of one capture."""
    tables = collect(path)
    rows = sum(len(tables[name]) for name in tables)
    levels = len(tables["book"])
    print(f"\n{path.parent.name}/{path.name}: {levels:,} levels, {rows:,} rows of book, trades, quotes and states")
    bare = best(lambda: Rerun(path, Nothing()).run())
    spent = best(lambda: collect(path))
    print(f"replay {bare:.2f} s; collect {spent:.2f} s, so {(spent - bare) / rows * 1e9:,.0f} ns a row more, "
          f"{rows / spent:,.0f} rows/s from the file on")
    for every in ("update", "100ms"):
        found = collect(path, tables=["features"], features=FEATURES, every_ns=read_every(every))
        spent = best(lambda every=every: collect(path, tables=["features"], features=FEATURES,
                                                 every_ns=read_every(every)))
        print(f"five features, --every {every}: {len(found['features']):,} rows in {spent:.2f} s")
    print("\n| format | write, s | rows/s | MB | bytes a row |\n|---|---|---|---|---|")
    full = collect(path, depth=25)
    with tempfile.TemporaryDirectory() as base:
        for to in FORMS:
            folder = f"{base}/{to}"
            os.mkdir(folder)
            of = full if to == "tardis" else tables
            seconds, size = written(of, to, folder)
            count = sum(len(of[name]) for name in of)
            print(f"| {to} | {seconds:.2f} | {count / seconds:,.0f} | {size / 1e6:.2f} | {size / count:.1f} |")
        symbol = max(tables.symbols, key=lambda symbol: len(tables.of("book", symbol)))
        print("\n| load `book` (hftbacktest: one symbol) | s |\n|---|---|")
        for name, call in (
            ("pyarrow, Parquet", lambda: pq.read_table(f"{base}/parquet/book.parquet")),
            ("pandas, Parquet", lambda: pd.read_parquet(f"{base}/parquet/book.parquet")),
            ("polars, Parquet", lambda: pl.read_parquet(f"{base}/parquet/book.parquet")),
            ("numpy, every row", lambda: load(f"{base}/numpy")["book"]["qty"].sum()),
            ("pandas from the tables", lambda: arrow.table(tables, "book").to_pandas()),
            ("hftbacktest's array, from its file", lambda: np.load(f"{base}/hftbacktest/{symbol}.npz")["data"]),
            ("hftbacktest's array, from the tables", lambda: hftbacktest.events(tables, symbol)),
        ):
            print(f"| {name} | {best(call):.3f} |")


if __name__ == "__main__":
    for given in sys.argv[1:] or ["binance_usdm/btcusdt_20240808.ws.gz", "htx/linear_swap_20220219.ws.gz"]:
        run(Path(given) if sys.argv[1:] else DATA / given)
