"""tardis: tables as CSV files with the columns of tardis.dev's data sets, a gzip'd file for each set and symbol.

The columns are those of https://docs.tardis.dev/downloadable-csv-files/data-types (November 2026): times in
microseconds, `timestamp` is the venue's or, where it tells none, `local_timestamp`; numbers are exact, as plain decimal
text. `quotes` and `book_snapshot_25` follow from the book at every change, `book_ticker` is what the venue sends. The
name of the venue stays ours, with its market. `states.csv.gz` is no set of theirs: it tells when books were lost.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from feeds.export.tables import SIDES, STATES, Rows, Tables, file_name
from feeds.extras import need
from orderbook.decimals import qty_parts

if TYPE_CHECKING:
    import pyarrow as pa

DEPTH = 25
BATCH = 1 << 16             # rows written in one go, or a message more

_LIVE = STATES.index("LIVE")
_OWN = -(1 << 62)           # see orderbook.decimals.qty_parts
Columns = dict[str, "pa.Array"]


def write(tables: Tables, path_of: Callable[[str], str]) -> None:
    """Write every set there are rows for; `path_of` gives the path of a file by its name.

    Raises: OSError; MissingExtra without pyarrow.
    """
    if "snapshots" in tables:
        depth = tables["snapshots"].dtype["bid_price"].shape[0]
        _write_set(tables, f"book_snapshot_{depth}", "snapshots", _Live, _snapshot_columns, path_of)
        _write_set(tables, "quotes", "snapshots", _Best, _best_columns, path_of)
    for kind, name, choice, columns in (("incremental_book_L2", "book", _Levels, _level_columns),
                                        ("trades", "trades", _All, _trade_columns),
                                        ("book_ticker", "quotes", _All, _ticker_columns)):
        if name in tables:
            _write_set(tables, kind, name, choice, columns, path_of)
    if "states" in tables:
        with gzip.open(path_of("states.csv.gz"), "wt", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(("exchange", "symbol", "local_timestamp", "old", "new", "reason"))
            for row in tables["states"]:
                lines.writerow((exchange(tables), tables.symbols[row["symbol"]], row["receive_ns"] // 1000,
                                STATES[row["old"]], STATES[row["new"]], tables.reasons[row["reason"]]))


def exchange(tables: Tables) -> str:
    """What stands in the first column."""
    return f"{tables.venue}-{tables.market}" if tables.market else tables.venue


def _write_set(tables: Tables, kind: str, name: str, choice: Callable[[], Any], columns: Callable[[Rows], Columns],
               path_of: Callable[[str], str]) -> None:
    """Write a set: piece by piece, to the files of all symbols at once."""
    pa, pv = need("pyarrow", "export"), need("pyarrow.csv", "export")
    plain = pv.WriteOptions(include_header=False, quoting_style="none")
    rows = tables[name]
    files: dict[int, tuple[Any, gzip.GzipFile]] = {}
    at = 0
    with ExitStack() as stack:
        while at < len(rows):
            end = min(at + BATCH, len(rows))
            end = int(np.searchsorted(rows["message"], rows["message"][end - 1], "right"))      # the message whole
            piece, at = rows[at:end], end
            for code in np.unique(piece["symbol"]).tolist():
                symbol = tables.symbols[code]
                of = piece[piece["symbol"] == code]
                if code not in files:
                    day = datetime.fromtimestamp(int(of["receive_ns"][0]) // 10 ** 9, UTC)
                    path = path_of(file_name(f"{exchange(tables)}_{kind}_{day:%Y-%m-%d}_{symbol}.csv.gz"))
                    files[code] = choice(), stack.enter_context(gzip.open(path, "wb", 5))
                    files[code][1].write((",".join(("exchange", "symbol", "timestamp", "local_timestamp",
                                                    *columns(of[:0]))) + "\n").encode())
                of = files[code][0](of)
                local = of["receive_ns"] // 1000
                text = io.BytesIO()
                pv.write_csv(pa.table({
                    "exchange": pa.repeat(exchange(tables), len(of)), "symbol": pa.repeat(symbol, len(of)),
                    "timestamp": pa.array(np.where(of["exchange_ns"], of["exchange_ns"] // 1000, local)),
                    "local_timestamp": pa.array(local), **columns(of)}), text, plain)
                files[code][1].write(text.getbuffer())


# ---- which rows: one of these for each symbol, called with its next rows

class _All:
    def __call__(self, rows: Rows) -> Rows:
        return rows


class _Live:
    def __call__(self, rows: Rows) -> Rows:
        return rows[rows["status"] == _LIVE]


class _Best:
    """Rows whose best levels differ from those of the row before."""

    def __init__(self) -> None:
        self._last: tuple[int, ...] | None = None

    def __call__(self, rows: Rows) -> Rows:
        live = rows[rows["status"] == _LIVE]
        best = np.stack([live[column][:, 0] for column in ("bid_price", "bid_qty", "ask_price", "ask_qty")]
                        + [live["price_scale"], live["qty_scale"]], 1)
        new = np.ones(len(live), bool)
        new[1:] = (best[1:] != best[:-1]).any(1)
        if len(live):
            new[0] = self._last != tuple(best[0].tolist())
            self._last = tuple(best[-1].tolist())
        return live[new]


class _Levels:
    """Levels as tardis marks them: a whole book begins where the row before was of none.

    So of two whole books in a row, the second one is told by what it changes.
    """

    def __init__(self) -> None:
        self._whole: Rows | None = None         # the whole book that was told last, if nothing came behind it

    def __call__(self, rows: Rows) -> Rows:
        told: list[Rows] = []
        cuts = np.flatnonzero(np.diff(rows["message"], prepend=-1, append=-1))
        whole = rows["is_snapshot"][cuts[:-1]]
        if not whole.any() and len(rows):
            self._whole = None
            return rows
        for (begin, end), is_whole in zip(pairwise(cuts.tolist()), whole.tolist(), strict=True):
            of = rows[begin:end]
            if is_whole and self._whole is not None:
                gone = self._whole[~np.isin(_places(self._whole), _places(of))]
                gone["qty"] = 0
                for key in ("receive_ns", "exchange_ns", "message", "sequence"):
                    gone[key] = of[key][0]
                of = np.concatenate([gone, of])
                of["is_snapshot"] = False
                self._whole = None
            else:
                self._whole = of if is_whole else None
            told.append(of)
        return np.concatenate(told) if told else rows


def _places(rows: Rows) -> NDArray[Any]:
    """Side and price of levels, comparable."""
    return np.ascontiguousarray(rows[["side", "price_scale", "price"]].astype(
        [("side", "i1"), ("price_scale", "i1"), ("price", "i8")])).view("V10").ravel()


# ---- columns

def _level_columns(rows: Rows) -> Columns:
    return {"is_snapshot": _word(rows["is_snapshot"], ("false", "true")), "side": _word(rows["side"], SIDES),
            "price": text(rows["price"], rows["price_scale"]), "amount": text(rows["qty"], rows["qty_scale"])}


def _trade_columns(rows: Rows) -> Columns:
    pa = need("pyarrow", "export")
    return {"id": pa.array(rows["trade_id"].copy(), mask=rows["trade_id"] == 0),
            "side": _word(rows["side"] + 1, ("sell", "unknown", "buy")),
            "price": text(rows["price"], rows["price_scale"]), "amount": text(rows["qty"], rows["qty_scale"])}


def _snapshot_columns(rows: Rows) -> Columns:
    columns = {}
    for i in range(rows.dtype["bid_price"].shape[0]):
        for side in ("ask", "bid"):
            price, qty = rows[f"{side}_price"][:, i], rows[f"{side}_qty"][:, i]
            columns[f"{side}s[{i}].price"] = text(price, rows["price_scale"], qty == 0)
            columns[f"{side}s[{i}].amount"] = text(qty, rows["qty_scale"], qty == 0)
    return columns


def _quote_columns(rows: Rows, of: Callable[[str], NDArray[Any]]) -> Columns:
    ask, bid = of("ask_qty"), of("bid_qty")
    return {"ask_amount": text(ask, rows["qty_scale"], ask == 0),
            "ask_price": text(of("ask_price"), rows["price_scale"], ask == 0),
            "bid_price": text(of("bid_price"), rows["price_scale"], bid == 0),
            "bid_amount": text(bid, rows["qty_scale"], bid == 0)}


def _best_columns(rows: Rows) -> Columns:
    return _quote_columns(rows, lambda column: rows[column][:, 0])


def _ticker_columns(rows: Rows) -> Columns:
    return _quote_columns(rows, lambda column: rows[column])


def _word(codes: NDArray[Any], words: tuple[str, ...]) -> pa.Array:
    pa = need("pyarrow", "export")
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(words, pa.string())).cast(
        pa.string())


def text(units: NDArray[Any], scales: NDArray[Any], absent: NDArray[Any] | None = None) -> pa.Array:
    """Plain decimal text of units * 10**-scales: exact, no exponent, no trailing zeros; null where it is `absent`."""
    pa, pc = need("pyarrow", "export"), need("pyarrow.compute", "export")
    own = units < _OWN
    if own.any():
        units, scales = units.copy(), scales.copy()
        for i in np.flatnonzero(own).tolist():
            units[i], scales[i] = qty_parts(int(units[i]), 0)
    parts, places = [], []
    for scale in np.unique(scales).tolist():
        at = np.flatnonzero(scales == scale)
        size = np.abs(units[at])
        found = pa.array(size // 10 ** min(scale, 18) if scale < 19 else np.zeros_like(size)).cast(pa.string())
        if scale:
            rest = pa.array(size % 10 ** scale if scale < 19 else size).cast(pa.string())
            rest = pc.utf8_lpad(rest, scale, "0")
            found = pc.utf8_rtrim(pc.utf8_rtrim(pc.binary_join_element_wise(found, rest, "."), "0"), ".")
        minus = _word(units[at] < 0, ("", "-"))
        parts.append(pc.binary_join_element_wise(minus, found, ""))
        places.append(at)
    if not parts:
        return pa.array([], pa.string())
    found = pa.chunked_array(parts).combine_chunks().take(pa.array(np.argsort(np.concatenate(places))))
    return found if absent is None else pc.if_else(pa.array(absent), None, found)
