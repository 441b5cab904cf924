"""Tables: what a replay tells, as numpy arrays of rows in the order in which it came.

    tables = collect("capture.ws.gz")
    rows = tables["book"]                       # a structured array
    rows["price"] / 10.0 ** rows["price_scale"]

Every row begins with `receive_ns` (our clock; no row's is before that of the row above), `exchange_ns` (the venue's,
0 if absent), `message` (its number, counted over all tables), `symbol` (index of `tables.symbols`) and the scales that
its prices and quantities count in. Rows wait in files that have no name, so that memory stays bounded.
"""

from __future__ import annotations

import mmap
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from os import PathLike
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from feeds.export.collect import Collector
from feeds.export.features import SUMMED, blank_of, feature_dtype, measure_of
from feeds.rerun import Moment, Rerun
from orderbook import BookState

Rows = NDArray[Any]

NAMES = ("book", "trades", "quotes", "states", "snapshots", "features")
USUAL = ("book", "trades", "quotes", "states")
SIDES = ("bid", "ask")
STATES = tuple(state.name for state in BookState)
MAX_DEPTH = 1000
IDLE_NS = 60 * 10 ** 9      # without any message for so long, rows at moments end until the next one
SLICE = 1 << 16             # rows looked at in one go

HEAD = [("receive_ns", "i8"), ("exchange_ns", "i8"), ("message", "i8"), ("symbol", "i4"), ("price_scale", "i1"),
        ("qty_scale", "i1")]
FIELDS = {
    "book": [("side", "i1"), ("is_snapshot", "?"), ("sequence", "i8"), ("price", "i8"), ("qty", "i8")],
    "trades": [("side", "i1"), ("trade_id", "i8"), ("price", "i8"), ("qty", "i8")],
    "quotes": [("sequence", "i8"), ("bid_price", "i8"), ("bid_qty", "i8"), ("ask_price", "i8"), ("ask_qty", "i8")],
    "states": [("old", "i1"), ("new", "i1"), ("reason", "i8")],
}
PRICES = ("price", "bid_price", "ask_price")
QTYS = ("qty", "bid_qty", "ask_qty")

_OWN = -(1 << 62)           # quantities below have decimals of their own, see orderbook.decimals.qty_parts
_TEN = 10 ** np.arange(19, dtype=np.int64)
_Choice = TypeVar("_Choice", bound=str)


def dtype_of(name: str, depth: int = 0, features: Sequence[str] = ()) -> np.dtype[Any]:
    """The dtype of a table's rows."""
    if name == "snapshots":
        sides = [(f"{side}_{of}", "i8", (depth,)) for side in SIDES for of in ("price", "qty")]
        return np.dtype([*HEAD, ("status", "i1"), ("sequence", "i8"), *sides], align=True)
    if name == "features":
        of = feature_dtype(features)
        return np.dtype([*HEAD, ("status", "i1"), *((feature, of[feature]) for feature in of.names or ())], align=True)
    return np.dtype([*HEAD, *FIELDS[name]], align=True)


NO_ROWS = {name: np.zeros(0, dtype_of(name)) for name in FIELDS}


def choose(text: _Choice, known: Iterable[str], what: str) -> _Choice:
    """`text`, if it is one of `known`. Raises: ValueError with near names."""
    known = list(known)
    if text not in known:
        near = get_close_matches(text, known, 3)
        raise ValueError(f"unknown {what} {text!r}; {'near' if near else 'known'}: {', '.join(near or known)}")
    return text


class Tables:
    """Tables by name, and what their numbers mean.

    symbols -- names of the books, by the index that rows have; a partial book is "SYMBOL#DEPTH", one of a second market
    "SYMBOL@MARKET". scales -- symbol -> (price_scale, qty_scale), the widest there were: those of every row whose
    numbers int64 holds so. reasons -- of changes of state, by index. venue, market, files. losses -- what the recorder
    had to leave out. failures -- what could not be read; everything before it is there.
    """

    def __init__(self, arrays: dict[str, Rows], symbols: list[str], scales: dict[str, tuple[int, int]],
                 reasons: list[str], venue: str, market: str, files: list[str],
                 losses: Sequence[Sequence[int]] = (), failures: Sequence[str] = ()):
        self.arrays = arrays
        self.symbols = symbols
        self.scales = scales
        self.reasons = reasons
        self.venue = venue
        self.market = market
        self.files = files
        self.losses = [list(loss) for loss in losses]
        self.failures = list(failures)

    def __getitem__(self, name: str) -> Rows:
        return self.arrays[choose(name, self.arrays, "table")]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def of(self, name: str, symbol: str) -> Rows:
        """A copy of the rows of one symbol."""
        rows = self[name]
        return rows[rows["symbol"] == self.symbols.index(choose(symbol, self.symbols, "symbol"))]

    def facts(self, name: str) -> dict[str, Any]:
        """What a file of a table says of itself, JSON-ready."""
        rows = self[name]
        return {
            "version": 1, "table": name, "venue": self.venue, "market": self.market, "rows": len(rows),
            "sorted_by": "receive_ns",
            "scales": {symbol: {"price_scale": price, "qty_scale": qty}
                       for symbol, (price, qty) in self.scales.items()},
            "files": self.files, "losses": self.losses, "failures": self.failures,
        }


class Spool:
    """Rows of tables in files without a name. Raises: OSError where there is no room."""

    def __init__(self, folder: str | PathLike[str] | None):
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}

    def add(self, name: str, rows: Rows) -> None:
        """Append rows of a table."""
        if name not in self._files:
            self._files[name] = tempfile.TemporaryFile(dir=self._folder)        # noqa: SIM115, kept by `arrays`
        self._files[name].write(rows.view(np.uint8).data)

    def array(self, name: str, dtype: np.dtype[Any]) -> Rows:
        """All rows of a table; the file goes with the last reference to them."""
        file = self._files.pop(name, None)
        if file is None:
            return np.zeros(0, dtype)
        with file:
            file.flush()
            return np.frombuffer(mmap.mmap(file.fileno(), 0), dtype)

    def close(self) -> None:
        """Give up what is left."""
        for file in self._files.values():
            file.close()


class Collecting:
    """A collection at work: `handler` goes to a pipeline, of a replay or a live feed; `end` gives what has come.

    Parameters: see `collect`. folder -- where rows wait.
    """

    def __init__(self, *, tables: Iterable[str] | None = None, depth: int | None = None, every_ns: int = 0,
                 features: str | Sequence[str] = (), folder: str | PathLike[str] | None = None):
        if depth is not None and not 1 <= depth <= MAX_DEPTH:
            raise ValueError(f"expected a depth from 1 to {MAX_DEPTH}, not {depth}")
        if every_ns < 0:
            raise ValueError(f"expected a time of 0 or more between rows, not {every_ns} ns")
        wanted = [choose(name, NAMES, "table") for name in (USUAL if tables is None else tables)]
        wanted += ["snapshots"] * (depth is not None and "snapshots" not in wanted)
        wanted += ["features"] * (bool(features) and "features" not in wanted)
        if "features" in wanted and not features:
            raise ValueError("expected the names of features for the table of features")
        names = features.split(",") if isinstance(features, str) else features
        features = [name.strip() for name in names if name.strip() not in dict(HEAD)]      # every row has those
        of = feature_dtype(features) if features else np.dtype([])
        depth = 25 if depth is None and "snapshots" in wanted else depth or 0
        self._dtypes = {name: dtype_of(name, depth, features) for name in NAMES if name in wanted}
        self._spool = Spool(folder)
        self.handler = Collector(self._dtypes, self._spool.add, depth, every_ns, IDLE_NS,
                                 *((measure_of(of), blank_of(of), features.index(SUMMED) if SUMMED in features else -1)
                                   if features else ()))

    def end(self, venue: str, market: str, files: list[str], losses: Sequence[Sequence[int]] = (),
            failures: Sequence[str] = ()) -> Tables:
        """The tables. The handler must not be used any more."""
        collector = self.handler
        collector.finish()
        arrays = {name: self._spool.array(name, dtype) for name, dtype in self._dtypes.items()}
        book_codes = np.array(collector.book_codes(), np.int32)
        symbols = list(collector.names)
        scales = collector.scales[:len(symbols)]
        if len(arrays.get("states", ())):
            arrays["states"]["symbol"] = book_codes[arrays["states"]["symbol"]]
        for name, rows in arrays.items():
            if name not in ("states", "features"):
                for at in range(0, len(rows), SLICE):
                    rescale(rows[at:at + SLICE], scales)
        return Tables(arrays, symbols, {symbol: (int(price), int(qty)) for symbol, (price, qty)
                                        in zip(symbols, scales, strict=True)},
                      list(collector.reasons), venue, market, files, losses, failures)

    def close(self) -> None:
        """Give up."""
        self._spool.close()


def collect(path: str | PathLike[str] | Sequence[str | PathLike[str]], *, tables: Iterable[str] | None = None,
            depth: int | None = None, every_ns: int = 0, features: str | Sequence[str] = (),
            start: Moment | None = None, end: Moment | None = None, symbols: str | Iterable[str] | None = None,
            venue: str | None = None, market: str | None = None, wire: str | None = None,
            folder: str | PathLike[str] | None = None) -> Tables:
    """Replay a recording or captures into tables.

    Parameters: tables -- of book, trades, quotes, states, snapshots, features; None: the first four. depth -- levels a
    side of snapshots; 25 if only their table is named. every_ns -- between rows of snapshots and features; 0: a row
    whenever something has changed. features -- names of orderbook.analytics. folder -- where rows wait on disk;
    None: the system's. The others are those of `feeds.replay`.
    Raises: ValueError for unknown names (with near ones), OSError, and what `feeds.replay` raises. What was read of a
    file that cannot be read to its end is there, and the tables' `failures` say so.
    """
    collecting = Collecting(tables=tables, depth=depth, every_ns=every_ns, features=features, folder=folder)
    try:
        rerun = Rerun(path, collecting.handler, start=start, end=end, symbols=symbols, venue=venue, market=market,
                      wire=wire)
        collecting.handler.markets = rerun.pipeline.spec.markets
        try:
            rerun.run()
        except ValueError as error:
            if error not in rerun.failures or not rerun.messages:
                raise
        failures = [str(error) for error in rerun.failures]
        return collecting.end(rerun.pipeline.venue, rerun.pipeline.market, rerun.files, rerun.losses, failures)
    finally:
        collecting.close()


def file_name(text: str) -> str:
    """`text` as a name of a file: what a file system may not take becomes an underline."""
    return re.sub(r"[^\w.@#+-]", "_", text)


def floats(units: NDArray[Any], scales: NDArray[Any]) -> NDArray[np.float64]:
    """The doubles nearest to units / 10**scales."""
    values: NDArray[np.float64] = units / 10.0 ** scales
    for i in np.flatnonzero(np.abs(units) > 1 << 53).tolist():
        values[i] = int(units[i]) / 10 ** int(scales[i])
    return values


def rescale(rows: Rows, scales: NDArray[np.int8]) -> None:
    """Bring rows to the scales of their symbols; one whose numbers int64 does not hold so keeps its own."""
    assert rows.dtype.names is not None
    for columns, name, index in ((PRICES, "price_scale", 0), (QTYS, "qty_scale", 1)):
        wanted = scales[rows["symbol"], index]
        at = np.flatnonzero(rows[name] < wanted)
        if not len(at):
            continue
        factor = _TEN[wanted[at] - rows[name][at]]
        most = np.iinfo(np.int64).max // factor
        fits = np.ones(len(at), bool)
        columns = tuple(column for column in columns if column in rows.dtype.names)
        for column in columns:
            values = rows[column][at]
            shape = (-1,) + (1,) * (values.ndim - 1)
            bad = (np.abs(values) > most.reshape(shape)) & (values >= _OWN)
            fits &= ~bad.reshape(len(at), -1).any(1)
        at, factor = at[fits], factor[fits]
        for column in columns:
            values = rows[column][at]
            own = values < _OWN
            rows[column][at] = np.where(own, values, values * factor.reshape((-1,) + (1,) * (values.ndim - 1)))
        rows[name][at] = scales[rows["symbol"][at], index]
