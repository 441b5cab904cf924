"""Arrow: tables as record batches, as Parquet and Arrow files, and through them in pandas and polars.

    from feeds.export import arrow, collect
    table = arrow.table(collect("capture.ws.gz"), "book")       # a pyarrow.Table
    table.to_pandas(); polars.from_arrow(table)

Prices and quantities stay int64 in units of 10**-price_scale and 10**-qty_scale. The scales stand in every row and, of
each symbol, as JSON in the schema's metadata under b"wirebook". Symbols, sides, states and reasons are dictionaries,
times are timestamp[ns, UTC], what the venue does not tell is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from feeds.export.tables import SIDES, STATES, Rows, Tables
from feeds.extras import need

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1 << 16             # rows of a record batch,
GROUP = 1 << 20             # and of a row group
AGGRESSORS = ("sell", "buy")

# How columns are written where dictionaries do not pay: they rise, mostly by little.
RISING = ("receive_ns", "exchange_ns", "message", "sequence", "trade_id")


def table(tables: Tables, name: str) -> pa.Table:
    """A whole table in memory."""
    pa = need("pyarrow", "export")
    return pa.Table.from_batches(batches(tables, name), schema(tables, name))


def schema(tables: Tables, name: str) -> pa.Schema:
    """Its columns, and its facts as JSON under b"wirebook"."""
    batch = _batch(tables, name, tables[name][:0])
    return batch.schema.with_metadata({"wirebook": json.dumps(tables.facts(name))})


def batches(tables: Tables, name: str, rows: int = BATCH) -> Iterator[pa.RecordBatch]:
    """A table in pieces of so many rows."""
    of = schema(tables, name)
    for at in range(0, len(tables[name]), rows):
        yield _batch(tables, name, tables[name][at:at + rows]).replace_schema_metadata(of.metadata)


def write_parquet(tables: Tables, name: str, path: str | PathLike[str]) -> None:
    """Write a table as a Parquet file. Raises: OSError; MissingExtra without pyarrow."""
    pq = need("pyarrow.parquet", "export")
    of = schema(tables, name)
    words = [column for column in of.names if column not in RISING]
    rising = {column: "DELTA_BINARY_PACKED" for column in of.names if column in RISING}
    with pq.ParquetWriter(path, of, compression="zstd", use_dictionary=words, column_encoding=rising,
                          sorting_columns=[pq.SortingColumn(of.get_field_index("receive_ns"))]) as writer:
        for batch in batches(tables, name, GROUP):
            writer.write_batch(batch, row_group_size=GROUP)


def write_arrow(tables: Tables, name: str, path: str | PathLike[str]) -> None:
    """Write a table as an Arrow IPC file, which readers map into memory. Raises: as `write_parquet`."""
    pa = need("pyarrow", "export")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema(tables, name)) as writer:
        for batch in batches(tables, name):
            writer.write_batch(batch)


# ---- columns

def _batch(tables: Tables, name: str, rows: Rows) -> pa.RecordBatch:
    """Rows as Arrow columns."""
    pa = need("pyarrow", "export")
    assert rows.dtype.names is not None
    columns: dict[str, Any] = {}
    for column in rows.dtype.names:
        values = rows[column]
        if values.ndim == 2:                              # levels of a snapshot, best first
            held = rows[column.replace("price", "qty")]
            for i in range(values.shape[1]):
                columns[f"{column}_{i}"] = _ints(values[:, i], (held[:, i] == 0) | (values[:, i] < -(1 << 62)))
        elif column == "receive_ns":
            columns[column] = _ints(values).view(pa.timestamp("ns", "UTC"))
        elif column == "exchange_ns":
            columns[column] = _ints(values, values == 0).view(pa.timestamp("ns", "UTC"))
        elif column == "symbol":
            columns[column] = _words(values, tables.symbols)
        elif column == "reason":
            columns[column] = _words(values, tables.reasons)
        elif column in ("old", "new", "status"):
            columns[column] = _words(values, STATES)
        elif column == "side":
            columns[column] = _words(values, SIDES) if name == "book" else _words(
                (values > 0).astype(np.int8), AGGRESSORS, values == 0)
        else:
            columns[column] = pa.array(np.ascontiguousarray(values))
    return pa.RecordBatch.from_pydict(columns)


def _ints(values: Rows, absent: Rows | None = None) -> pa.Array:
    pa = need("pyarrow", "export")
    return pa.array(np.ascontiguousarray(values), mask=absent)


def _words(codes: Rows, words: Any, absent: Rows | None = None) -> pa.Array:
    pa = need("pyarrow", "export")
    index = pa.array(codes.astype(np.int32), mask=absent)
    return pa.DictionaryArray.from_arrays(index, pa.array(list(words), pa.string()))
