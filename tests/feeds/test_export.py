"""Exports: what every format's own reader loads gives the books that were exported, message by message."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feeds.export import Tables, arrow, collect, export, load, tardis
from feeds.export.features import read_every
from feeds.export.files import FORMS, staged
from feeds.export.tables import NAMES, dtype_of, floats
from feeds.rerun import RangeError, SymbolError
from tests import rebuild
from tests.rebuild import Level, units

# One capture of each way to tell a book: deltas behind a snapshot by REST; deltas with checksums; a fixed depth, cut on
# our side; a name for every level; whole books each time.
PIECES = {
    "binance_usdm": ("binance_usdm/multi_20210722.ws.gz", 180, ""),
    "okx": ("okx/books_20220513.ws.gz", 150, ""),
    "kraken": ("kraken/book_v1_20210417.ws.gz", 170, ""),
    "bitmex": ("bitmex/orderbookl2_20210722.ws.gz", 400, "XBTUSD"),
    "htx": ("htx/spot_20210417.ws.gz", 110, ""),
}


def piece(data_dir, folder, venue) -> Path:
    """The first lines of a venue's capture, as a capture; without a symbol whose book is large."""
    name, count, without = PIECES[venue]
    path = Path(folder) / venue / "piece.ws"
    path.parent.mkdir(exist_ok=True)
    with gzip.open(data_dir / name, "rt") as lines:
        path.write_text("".join(line for line, _ in zip(lines, range(count), strict=False)
                                if not without or without not in line))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module", params=PIECES)
def sample(request, data_dir, folder):
    """(the path of a piece, its tables, what its books were)"""
    path = piece(data_dir, folder, request.param)
    tables, books = rebuild.collected(path, collect={"depth": 25, "tables": NAMES[:5]})
    assert len(tables["book"]) > 100 and sum(map(len, books.values())) > 20
    return path, tables, books


# ---- the tables themselves

def test_numpy_rows_give_the_books_after_every_message(sample):
    _, tables, books = sample
    assert rebuild.digests(rebuild.levels_of(tables)) == books


def test_rows_are_in_the_order_of_our_clock_and_of_the_messages(sample):
    _, tables, _ = sample
    for name in tables:
        rows = tables[name]
        assert (np.diff(rows["receive_ns"]) >= 0).all() and (np.diff(rows["message"]) >= 0).all()
        assert rows["receive_ns"].min(initial=1 << 62) > 1_500_000_000_000_000_000
    messages = np.concatenate([np.unique(tables[name]["message"]) for name in ("book", "trades", "quotes", "states")])
    assert len(messages) == len(np.unique(messages))


def test_snapshots_are_the_best_levels_of_the_books(sample):
    _, tables, _ = sample
    tops = tables["snapshots"]
    at = {(int(row["message"]), tables.symbols[row["symbol"]]): row for row in tops}
    seen = 0
    for message, symbol, book in rebuild.rebuilt(rebuild.levels_of(tables)):
        row = at.get((message, symbol))
        if row is None:
            continue
        seen += 1
        for side, best_last in (("bid", True), ("ask", False)):
            best = sorted(book[side].items(), reverse=best_last)[:25]
            best += [(Decimal(0), Decimal(0))] * (25 - len(best))
            assert [units(price, row["price_scale"]) for price in row[f"{side}_price"]] == [price for price, _ in best]
            assert [units(qty, row["qty_scale"]) for qty in row[f"{side}_qty"]] == [qty for _, qty in best]
    assert seen == (tops["status"] == 2).sum() > 10


def test_every_trade_is_there(sample):
    path, tables, _ = sample
    seen = []

    class Trades:
        def on_trade(self, trade):
            seen.append((trade.symbol, trade.exchange_ns, trade.trade_id, trade.aggressor,
                         units(trade.price_int, trade.price_scale), units(trade.qty_int, trade.qty_scale)))

    from feeds import replay

    replay(path, Trades())
    rows = tables["trades"]
    side = {1: "buy", -1: "sell", 0: None}
    assert seen == [(tables.symbols[row["symbol"]], row["exchange_ns"], row["trade_id"], side[int(row["side"])],
                     units(row["price"], row["price_scale"]), units(row["qty"], row["qty_scale"])) for row in rows]


def test_scales_are_one_of_each_symbol(sample):
    _, tables, _ = sample
    for name in ("book", "trades", "quotes", "snapshots"):
        for code, symbol in enumerate(tables.symbols):
            rows = tables[name][tables[name]["symbol"] == code]
            price_scale, qty_scale = tables.scales[symbol]
            assert (rows["price_scale"] == price_scale).all()
            others = rows[rows["qty_scale"] != qty_scale]
            if name == "book":      # some of that venue's quantities have 17 digits
                assert all(int(row["qty"]) * 10 ** (qty_scale - int(row["qty_scale"])) >= 1 << 63 for row in others)
            assert len(others) == 0 or tables.venue == "htx"


# ---- Parquet and Arrow

def arrow_levels(table: pa.Table):
    for row in table.to_pylist():
        yield Level(row["message"], row["symbol"], row["is_snapshot"], row["side"],
                    units(row["price"], row["price_scale"]), units(row["qty"], row["qty_scale"]))


@pytest.mark.parametrize("to", ["parquet", "arrow"])
def test_files_of_arrow_give_the_books(sample, to, tmp_path):
    path, tables, books = sample
    export(path, to, tmp_path, depth=5)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        f"{name}.{to}" for name in ("book", "trades", "quotes", "states", "snapshots"))
    loaded = {}
    for name in ("book", "trades", "quotes", "states", "snapshots"):
        if to == "parquet":
            loaded[name] = pq.read_table(tmp_path / f"{name}.parquet")
        else:
            loaded[name] = pa.ipc.open_file(pa.memory_map(str(tmp_path / f"{name}.arrow"))).read_all()
    if to == "parquet":
        assert rebuild.digests(arrow_levels(loaded["book"])) == books
    for name, table in loaded.items():
        assert table.equals(arrow.table(tables if name != "snapshots" else collect(path, depth=5), name))
    schema = loaded["book"].schema
    assert schema.field("receive_ns").type == pa.timestamp("ns", "UTC")
    assert pa.types.is_dictionary(schema.field("symbol").type) and schema.field("price").type == pa.int64()
    facts = json.loads(schema.metadata[b"wirebook"])
    assert facts["venue"] == tables.venue and facts["rows"] == len(tables["book"]) == len(loaded["book"])
    assert {symbol: (of["price_scale"], of["qty_scale"]) for symbol, of in facts["scales"].items()} == tables.scales
    assert loaded["trades"].column("qty").to_pylist() == tables["trades"]["qty"].tolist()
    assert loaded["snapshots"].column("bid_price_0").drop_null().to_pylist() == [
        price for price in loaded["snapshots"].column("bid_price_0").to_pylist() if price is not None]


def test_pandas_and_polars_have_the_same_books(sample, tmp_path):
    path, tables, books = sample
    export(path, "parquet", tmp_path)
    frame = pd.read_parquet(tmp_path / "book.parquet")
    assert str(frame["receive_ns"].dtype) == "datetime64[ns, UTC]" and frame["symbol"].dtype == "category"
    columns = ("message", "symbol", "is_snapshot", "side", "price", "qty", "price_scale", "qty_scale")
    lazy = pl.scan_parquet(tmp_path / "book.parquet")
    assert rebuild.digests(
        Level(*row[:4], units(row[4], row[6]), units(row[5], row[7]))
        for row in lazy.select(columns).collect().iter_rows()) == books
    for column in columns:
        assert frame[column].tolist() == lazy.select(column).collect()[column].to_list()
    both = pl.from_arrow(arrow.table(tables, "book"))
    assert both["receive_ns"].dtype == pl.Datetime("ns", "UTC")
    assert both["price"].to_list() == frame["price"].tolist()


def test_parquet_says_that_it_is_sorted(sample, tmp_path):
    path, tables, _ = sample
    arrow.write_parquet(tables, "book", tmp_path / "book.parquet")
    group = pq.ParquetFile(tmp_path / "book.parquet").metadata.row_group(0)
    assert [column.column_index for column in group.sorting_columns] == [0]


# ---- numpy

def test_npy_files_are_read_from_disk_as_they_were(sample, tmp_path):
    path, tables, books = sample
    export(path, "numpy", tmp_path)
    loaded = load(tmp_path)
    assert (loaded.symbols, loaded.scales, loaded.reasons) == (tables.symbols, tables.scales, tables.reasons)
    assert isinstance(loaded["book"], np.memmap)
    assert rebuild.digests(rebuild.levels_of(loaded)) == books


# ---- tardis

def tardis_files(folder, kind):
    """Symbol -> rows of a set, as dicts of text."""
    found = {}
    for path in sorted(Path(folder).glob(f"*_{kind}_*.csv.gz")):
        with gzip.open(path, "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        found[rows[0]["symbol"]] = rows
    return found


def tardis_digests(rows):
    """What the book was after the rows of every microsecond, by the rules of tardis."""
    found, book, was_whole, last = [], {"bid": {}, "ask": {}}, False, None
    for row in rows:
        if last is not None and row["local_timestamp"] != last:
            found.append(rebuild.sha256(book))
        whole = row["is_snapshot"] == "true"
        if whole and not was_whole:
            book = {"bid": {}, "ask": {}}
        was_whole, last = whole, row["local_timestamp"]
        price, amount = Decimal(row["price"]), Decimal(row["amount"])
        if amount:
            book[row["side"]][price] = amount
        else:
            book[row["side"]].pop(price, None)
    return [*found, rebuild.sha256(book)]


def test_tardis_files_give_the_books(sample, tmp_path):
    path, tables, books = sample
    export(path, "tardis", tmp_path)
    files = tardis_files(tmp_path, "incremental_book_L2")
    assert set(files) == set(books)
    for symbol, rows in files.items():
        assert list(rows[0]) == ["exchange", "symbol", "timestamp", "local_timestamp", "is_snapshot", "side", "price",
                                 "amount"]
        found = tardis_digests(rows)
        at = iter(books[symbol])
        assert all(digest in at for digest in dict.fromkeys(found)), "in another order, or never there"
        assert found[-1] == books[symbol][-1]
    assert sum(len(tardis_digests(rows)) for rows in files.values()) > 20
    trades = tardis_files(tmp_path, "trades")
    assert {symbol: len(rows) for symbol, rows in trades.items()} == {
        symbol: len(tables.of("trades", symbol)) for symbol in trades}
    assert sum(map(len, trades.values())) == len(tables["trades"])
    for symbol, rows in trades.items():
        assert [(Decimal(row["price"]), Decimal(row["amount"]), row["side"]) for row in rows] == [
            (units(row["price"], row["price_scale"]), units(row["qty"], row["qty_scale"]),
             {1: "buy", -1: "sell", 0: "unknown"}[int(row["side"])]) for row in tables.of("trades", symbol)]


def test_tardis_snapshots_and_quotes_are_the_best_levels(sample, tmp_path):
    path, tables, _ = sample
    export(path, "tardis", tmp_path)
    quotes = tardis_files(tmp_path, "quotes")
    for symbol, rows in tardis_files(tmp_path, "book_snapshot_25").items():
        tops = tables.of("snapshots", symbol)
        assert len(rows) == len(tops) and list(rows[0])[4:8] == [
            "asks[0].price", "asks[0].amount", "bids[0].price", "bids[0].amount"] and len(rows[0]) == 104
        best, before = [], None
        for row, top in zip(rows, tops, strict=True):
            for side in ("ask", "bid"):
                for i in (0, 1, 24):
                    price, qty = top[f"{side}_price"][i], top[f"{side}_qty"][i]
                    told = row[f"{side}s[{i}].price"], row[f"{side}s[{i}].amount"]
                    assert tuple(map(Decimal, told)) == (units(price, top["price_scale"]), units(
                        qty, top["qty_scale"])) if qty else told == ("", "")
            first = [row[f"{name}[0].{of}"] for name, of in (("asks", "amount"), ("asks", "price"), ("bids", "price"),
                                                             ("bids", "amount"))]
            if first != before:
                best.append(first)
            before = first
        assert [list(row.values())[4:] for row in quotes[symbol]] == best
        assert list(quotes[symbol][0])[4:] == ["ask_amount", "ask_price", "bid_price", "bid_amount"]


def test_text_of_numbers_is_exact_and_plain():
    values = np.array([0, 5, 100, -1, 10 ** 18, -25, 7, -(2 ** 63) + (20 << 57) + 1234567], np.int64)
    scales = np.array([18, 18, 3, 1, 0, 1, 0, 0], np.int8)
    assert tardis.text(values, scales).to_pylist() == [
        "0", "0.000000000000000005", "0.1", "-0.1", "1000000000000000000", "-2.5", "7", "0.00000000000001234567"]
    assert tardis.text(values[:2], scales[:2], np.array([True, False])).to_pylist() == [None, "0.000000000000000005"]


def test_floats_are_the_nearest_ones():
    values = np.array([1, 123456789, (1 << 62) + 1, -(10 ** 18) - 7], np.int64)
    scales = np.array([1, 8, 17, 18], np.int8)
    assert floats(values, scales).tolist() == [float(units(*pair)) for pair in zip(values, scales, strict=True)]


# ---- a part of it

def test_only_the_time_and_the_symbols_that_were_asked_for(data_dir, folder):
    path = piece(data_dir, folder, "binance_usdm")
    whole, books = rebuild.collected(path)
    symbol = max(books, key=lambda symbol: len(books[symbol]))
    times = whole.of("book", symbol)["receive_ns"]
    start, end = int(times[len(times) // 2]), int(times[-1])
    part = collect(path, symbols=[symbol], start=start, end=end)
    assert part.symbols == [symbol]
    rows = part["book"]
    assert rows["receive_ns"].min() >= start and rows["receive_ns"].max() < end and rows["is_snapshot"][0]
    found = rebuild.digests(rebuild.levels_of(part))[symbol]
    assert found == books[symbol][-len(found) - 1:-1] and len(found) > 3


def test_nothing_in_the_time_is_an_error_that_says_what_there_is(data_dir, folder, tmp_path):
    path = piece(data_dir, folder, "okx")
    with pytest.raises(RangeError, match="nothing from 2030.*there are records from 2022-05-13"):
        export(path, "parquet", tmp_path / "out", start="2030-01-01")
    assert not (tmp_path / "out").exists()


def test_a_venue_without_trades_in_it_gives_empty_tables(tmp_path):
    path = tmp_path / "binance_usdm" / "none.ws"
    path.parent.mkdir()
    path.write_text('1700000000000000000\t<\t{"result":null,"id":1}\n')
    for to in FORMS:
        found = export(path, to, tmp_path / to)
        assert all(len(found[name]) == 0 for name in found)
    assert pq.read_table(tmp_path / "parquet" / "book.parquet").num_rows == 0
    assert pl.read_parquet(tmp_path / "parquet" / "trades.parquet").is_empty()
    assert len(load(tmp_path / "numpy")["book"]) == 0


# ---- rows at moments

def test_snapshots_at_moments_are_the_books_of_then(data_dir, folder):
    path = piece(data_dir, folder, "okx")
    every = 10 ** 8
    changes = collect(path, tables=["snapshots"], depth=3)
    grid = collect(path, tables=["snapshots"], depth=3, every_ns=every)
    rows = grid["snapshots"]
    assert (rows["receive_ns"] % every == 0).all() and len(rows) > 20
    for symbol in grid.symbols:
        of, at = grid.of("snapshots", symbol), changes.of("snapshots", symbol)
        assert (np.diff(of["receive_ns"]) == every).all()
        then = at[np.searchsorted(at["receive_ns"], of["receive_ns"], "right") - 1]     # the last change before
        for column in ("bid_price", "bid_qty", "ask_price", "ask_qty"):
            assert (of[column] == then[column]).all()


@pytest.mark.parametrize("every, ns", [("100ms", 10 ** 8), ("1s", 10 ** 9), ("0.5us", 500), ("5m", 3 * 10 ** 11),
                                       ("update", 0)])
def test_times_between_rows_are_read(every, ns):
    assert read_every(every) == ns


@pytest.mark.parametrize("every", ["", "100", "ms", "-1s", "0s", "1 day", "nans", "1e999s"])
def test_times_between_rows_that_are_none(every):
    with pytest.raises(ValueError, match="expected a time like 100ms"):
        read_every(every)


def test_features_are_those_of_the_book_at_every_change(data_dir, folder):
    from orderbook import analytics

    path = piece(data_dir, folder, "okx")
    names = "mid,microprice,imbalance_5,ofi,depth_10bps,bid_levels"
    wanted, flows = [], {}

    class Books:
        def on_book(self, book):
            row = np.zeros(1, analytics.dtype(names))
            analytics.snapshot(book, row, flows.setdefault(book.symbol, analytics.OrderFlow()))
            wanted.append((book.symbol, *row[0].tolist()))

    from feeds import replay

    replay(path, Books())
    found = collect(path, tables=["features"], features=names)
    rows = found["features"]
    assert rows.dtype.names[7:] == tuple(names.split(","))
    table = arrow.table(found, "features")
    assert table.schema.field("bid_levels").type == pa.int64() and table.schema.field("mid").type == pa.float64()
    got = [(found.symbols[row["symbol"]], *row.tolist()[7:]) for row in rows]
    assert len(got) == len(wanted) > 50
    np.testing.assert_array_equal(np.array([row[1:] for row in got]), np.array([row[1:] for row in wanted]))


def test_features_at_moments_have_the_order_flow_of_the_time_between(data_dir, folder):
    path = piece(data_dir, folder, "okx")
    names = ["mid", "ofi"]
    changes = collect(path, tables=["features"], features=names)
    grid = collect(path, tables=["features"], features=names, every_ns=250_000_000)
    for symbol in grid.symbols:
        at, of = changes.of("features", symbol), grid.of("features", symbol)
        place = np.searchsorted(at["receive_ns"], of["receive_ns"], "right")
        np.testing.assert_array_equal(of["mid"], at["mid"][place - 1])
        total = np.concatenate([[0.0], np.cumsum(at["ofi"])])
        np.testing.assert_allclose(np.cumsum(of["ofi"]), total[place], rtol=0, atol=1e-6)


# ---- bad input

def test_unknown_names_are_told_with_near_ones(data_dir, folder, tmp_path):
    path = piece(data_dir, folder, "okx")
    out = tmp_path / "out"
    for options, error in (({"to": "parket"}, "unknown format 'parket'; near: parquet"),
                           ({"to": "xyz"}, "unknown format 'xyz'; known: parquet, arrow"),
                           ({"tables": ["boook"]}, "unknown table 'boook'; near: book"),
                           ({"features": ["mid", "micropric"]}, "unknown feature 'micropric'.*microprice"),
                           ({"tables": ["features"]}, "expected the names of features"),
                           ({"depth": 0}, "expected a depth from 1 to 1000, not 0"),
                           ({"every_ns": -1}, "expected a time of 0 or more"),
                           ({"to": "tardis", "features": ["mid"]}, "tardis has sets of its own")):
        with pytest.raises(ValueError, match=error):
            export(path, **{"to": "parquet", "out": out, **options})
        assert not out.exists()
    with pytest.raises(SymbolError, match="near: BTC-USDT"):
        export(path, "parquet", out, symbols="BTC-USDX")
    tables = collect(path)
    with pytest.raises(ValueError, match="unknown table 'trade'; near: trades"):
        tables["trade"]
    with pytest.raises(ValueError, match="unknown symbol 'BTC-USD'; near: BTC-USDT"):
        tables.of("book", "BTC-USD")
    assert not out.exists()


def test_what_can_be_read_of_a_cut_file_is_exported_and_said_to_be_cut(data_dir, folder, tmp_path):
    path = tmp_path / "okx" / "cut.ws.gz"
    path.parent.mkdir()
    path.write_bytes((data_dir / "okx" / "books_20220513.ws.gz").read_bytes()[:20_000])
    found = export(path, "parquet", tmp_path / "out")
    assert len(found["book"]) > 100 and "cut off" in found.failures[0]
    facts = json.loads(pq.read_schema(tmp_path / "out" / "book.parquet").metadata[b"wirebook"])
    assert facts["failures"] == found.failures


def test_a_folder_that_cannot_be_written_to_is_an_error_at_once(data_dir, folder, tmp_path):
    path = piece(data_dir, folder, "okx")
    (tmp_path / "file").write_text("kept")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            export(path, "numpy", out)
    assert (tmp_path / "file").read_text() == "kept"


FULL_DISK = """
import resource, sys
from feeds.export import collect, export
from feeds.export.files import FORMS, staged

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

path, out = sys.argv[1:]
tables = collect(path, depth=25)
for to, size in dict(parquet=8000, arrow=8000, numpy=8000, hftbacktest=4000, tardis=2000).items():
    for step in ("waiting", "writing"):
        limit(size)
        try:
            if step == "waiting":
                export(path, to, out)
            else:
                with staged(out) as path_of:
                    FORMS[to](tables, path_of)
        except OSError as error:
            limit(resource.RLIM_INFINITY)
            print(to, step, error.strerror or error)
"""


def test_a_full_disk_leaves_no_file(data_dir, folder, tmp_path):
    """Full while rows wait, and while the files are written."""
    path = piece(data_dir, folder, "okx")
    (tmp_path / "book.parquet").write_text("of yesterday")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, path, tmp_path], capture_output=True, text=True,
                          check=False, cwd=Path(__file__).parents[2])
    said = done.stdout.splitlines()
    assert len(said) == 10 and all("too large" in line for line in said), (done.stdout, done.stderr)
    assert [file.name for file in tmp_path.iterdir()] == ["book.parquet"]
    assert (tmp_path / "book.parquet").read_text() == "of yesterday"


def test_a_recording_gives_the_same_books_and_becomes_a_capture_again(data_dir, folder, tmp_path):
    from typer.testing import CliRunner

    from feeds.cli import app
    from feeds.recording.textform import read_captures

    path = piece(data_dir, folder, "okx")
    wanted, books = rebuild.collected(path)
    read_captures([path], tmp_path / "rec", "okx")
    tables = collect(tmp_path / "rec")
    assert rebuild.digests(rebuild.levels_of(tables)) == books
    assert tables["trades"][["receive_ns", "trade_id", "price"]].tolist() == wanted["trades"][
        ["receive_ns", "trade_id", "price"]].tolist()
    again = tmp_path / "okx" / "again.ws.gz"
    done = CliRunner().invoke(app, ["export", str(tmp_path / "rec"), "--to", "capture", "--out", str(again)])
    assert done.exit_code == 0 and [file.name for file in again.parent.iterdir()] == ["again.ws.gz"], done.output
    assert gzip.decompress(again.read_bytes()) == path.read_bytes()
    done = CliRunner().invoke(app, ["export", str(again), "--to", "capture", "--out", str(again)])
    assert done.exit_code == 1 and again.stat().st_size > 1000


def test_files_get_their_names_all_or_none(tmp_path):
    out = tmp_path / "new" / "out"
    with pytest.raises(ZeroDivisionError), staged(out) as path_of:
        Path(path_of("a")).write_text("a")
        assert [file.name for file in out.iterdir()] != ["a"]
        _ = 1 // 0
    assert not out.exists()
    with staged(out) as path_of:
        Path(path_of("a")).write_text("a")
        with pytest.raises(ValueError, match="two tables"):
            path_of("a")
    assert [file.name for file in out.iterdir()] == ["a"]


def test_the_command_exports_and_says_what(data_dir, folder, tmp_path, capsys):
    from typer.testing import CliRunner

    from feeds.cli import app

    path = piece(data_dir, folder, "okx")
    done = CliRunner().invoke(app, ["export", str(path), "--to", "parquet", "--out", str(tmp_path), "--features",
                                    "mid,ofi", "--every", "100ms", "--tables", "trades,features"])
    assert done.exit_code == 0 and "parquet of 2 symbols" in done.stdout, done.output
    assert sorted(file.name for file in tmp_path.iterdir()) == ["features.parquet", "trades.parquet"]
    done = CliRunner().invoke(app, ["export", str(path), "--to", "parket", "--out", str(tmp_path)])
    assert done.exit_code == 1


def test_importing_feeds_and_its_exports_loads_no_pyarrow():
    code = "import sys, feeds, feeds.export; print({'pyarrow', 'pandas', 'polars', 'hftbacktest'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "set()"


def test_without_pyarrow_one_line_says_what_to_install(data_dir, folder, tmp_path):
    path = piece(data_dir, folder, "okx")
    code = ("import sys; sys.modules['pyarrow'] = None\nfrom feeds.cli import main\n"
            f"sys.argv = ['wirebook', 'export', {str(path)!r}, '--to', 'parquet', '--out', {str(tmp_path / 'x')!r}]\n"
            "main()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          cwd=Path(__file__).parents[2])
    assert done.returncode == 1 and done.stderr == "wirebook: this needs pyarrow: pip install 'wirebook[export]'\n"
    assert not (tmp_path / "x").exists()


def test_rows_are_laid_out_as_the_collector_writes_them():
    assert {name: dtype_of(name, 5).itemsize for name in ("book", "trades", "quotes", "states", "snapshots")} == {
        "book": 56, "trades": 56, "quotes": 72, "states": 40, "snapshots": 200}
    assert Tables({}, [], {}, [], "x", "", []).symbols == []

