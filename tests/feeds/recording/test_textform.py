"""Captures of the text format into recordings and back: not a byte is another."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feeds.cli import app
from feeds.figures import Replay, book_sha256
from feeds.recording import form
from feeds.recording.reader import About, Recording
from feeds.recording.textform import read_captures, write_capture
from feeds.recording.writer import RecordWriter
from feeds.rerun import Rerun

CAPTURES = ["okx/books_20220513", "htx/spot_20210417", "kucoin/level2_20210425", "bitfinex/*", "gateio/*",
            "binance_coinm/multi_20210722", "kraken/*"]


def files_of(data_dir: Path, pattern: str) -> list[Path]:
    return [path for path in sorted(data_dir.glob(f"{pattern}.ws.gz")) if "instruments" not in path.name]


def text_of(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.mark.parametrize("pattern", CAPTURES)
def test_a_capture_comes_back_as_it_was_and_has_the_same_books(data_dir, tmp_path, pattern):
    for path in files_of(data_dir, pattern):
        venue, directory = path.parent.name, tmp_path / path.name
        count = read_captures([path], directory, venue, chunk_size=100_000)
        recording = Recording(directory)
        written = write_capture(recording, tmp_path / "back.ws")
        assert (tmp_path / "back.ws").read_bytes() == text_of(path)
        assert written.records + written.calls == count and written.losses == 0
        text = Replay(venue)
        text.run([path])
        again = Rerun(directory).run()
        for symbol in text.pipeline.books:
            assert book_sha256(again.pipeline.book(symbol)) == book_sha256(text.pipeline.book(symbol))
            assert again.pipeline.symbol_stats(symbol) == text.pipeline.symbol_stats(symbol)
        assert {symbol for segment in recording.segments for symbol in segment.symbols} >= set(text.pipeline.books)


def test_openings_and_closings(tmp_path):
    """A second connection that is opened beside the first resets nothing; one that follows a closing does."""
    text = (b"100\t=\twss://a\n200\t<\t{}\n300\t=\twss://b\n400\t!\t1006\n500\t=\twss://c\n600\th\thttps://x/ {}\n"
            b"700\tB\tAAEC\n800\t>\tping\n900\t!\t\n")
    (tmp_path / "x.ws").write_bytes(text)
    read_captures([tmp_path / "x.ws"], tmp_path / "rec", "okx")
    records = list(Recording(tmp_path / "rec").records())
    assert [(record.kind, record.line) for record in records] == [
        (form.OPENED, 0), (form.TEXT, 0), (form.OPENED, 1), (form.CLOSED, 1), (form.OPENED, 1), (form.REST, -1),
        (form.BINARY, 0), (form.SENT, 0), (form.CLOSED, 1)]
    assert records[6].payload == bytes((0, 1, 2))
    write_capture(Recording(tmp_path / "rec"), tmp_path / "y.ws.gz")
    assert text_of(tmp_path / "y.ws.gz") == text


def test_the_market_follows_the_connection(tmp_path):
    (tmp_path / "x.ws").write_bytes(b"100\t=\twss://x/v5/public/linear\n200\t=\twss://x/v5/public/spot\n")
    read_captures([tmp_path / "x.ws"], tmp_path / "rec", "bybit")
    recording = Recording(tmp_path / "rec")
    assert recording.sources == [("bybit", "linear")]
    calls = [record.control() for record in recording.records() if record.kind == form.CONTROL]
    assert calls == [["market", "spot"]]


def test_import_by_the_command(data_dir, tmp_path):
    path = data_dir / "okx" / "books_20220513.ws.gz"
    result = CliRunner().invoke(app, ["import", str(path), "--out", str(tmp_path / "rec"), "--chunk-size", "50000"])
    assert result.exit_code == 0 and "records of 1 capture" in result.output
    result = CliRunner().invoke(app, ["import", str(path), "--out", str(tmp_path / "rec")])
    assert result.exit_code == 0 and len(Recording(tmp_path / "rec").sessions()) == 2
    for args, said in ((["import", str(tmp_path / "none"), "--out", str(tmp_path)], "no such file"),
                       (["import", str(path), "--out", str(path)], "expected a directory that can be written to"),
                       (["import", str(path), "--out", str(tmp_path), "--venue", "moon"], "unknown venue")):
        result = CliRunner().invoke(app, args)
        assert result.exit_code == 1 and said in result.stderr


def test_a_torn_capture_is_imported_as_far_as_it_goes(tmp_path):
    (tmp_path / "x.ws").write_bytes(b"100\t=\twss://a\n200\t<\t{}\nbroken\n")
    result = CliRunner().invoke(app, ["import", str(tmp_path / "x.ws"), "--out", str(tmp_path / "r"), "--venue", "okx"])
    assert result.exit_code == 1 and "x.ws: line 3, byte " in result.stderr
    assert len(list(Recording(tmp_path / "r").records())) == 2


def test_a_text_frame_with_a_line_feed_becomes_a_binary_one(tmp_path):
    with RecordWriter(tmp_path / "rec", About("okx", "", "json", "", 0, 0, {})) as writer:
        writer.write(form.Record(100, form.TEXT, 0, b"a\nb"))
    write_capture(Recording(tmp_path / "rec"), tmp_path / "x.ws")
    assert (tmp_path / "x.ws").read_bytes() == b"100\tB\tYQpi\n"
