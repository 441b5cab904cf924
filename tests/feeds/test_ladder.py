"""The ladder on the terminal: what it draws of a book in every state, and its plain lines."""

from __future__ import annotations

import asyncio
import io
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from feeds.commands.ladder import Tape, View
from orderbook import Book

STATS = {"updates": 7, "trades": 3, "gaps": 1, "resyncs": 1}
COUNTERS = {"frames": 1234, "gaps": 1, "resyncs": 1, "errors": 0}


def feed_of(books):
    def book(symbol):
        return books[symbol]
    return SimpleNamespace(book=book, symbol_stats=lambda symbol: STATS, spec=SimpleNamespace(name="binance_usdm"),
                           pipeline=SimpleNamespace(counters=COUNTERS))


@pytest.fixture
def book():
    book = Book()
    book.apply_snapshot([("100.5", "2"), ("100", "1.25")], [("101", "3")], sequence=5)
    return book


def drawn(view) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(view.drawing())
    return console.export_text()


def test_a_line_says_everything(book):
    line = View(feed_of({"A": book}), ["A"], Tape(), 5).line("A")
    assert line.endswith("A LIVE bid 100.5 x 2 ask 101 x 3 levels 2+1 updates 7 trades 3 gaps 1 resyncs 1")


def test_a_symbol_without_a_book_is_empty():
    view = View(feed_of({}), ["A"], Tape(), 5)
    assert view.line("A").endswith("A EMPTY")
    assert "EMPTY" in drawn(view)


def test_an_empty_side_is_a_dash():
    book = Book()
    book.apply_snapshot([("1", "1")], [])
    assert "ask - levels" in View(feed_of({"A": book}), ["A"], Tape(), 5).line("A")


def test_the_ladder_lists_asks_above_bids_with_the_last_trade_between(book):
    tape = Tape()
    tape.on_trade(SimpleNamespace(symbol="A", price_int=10075, price_scale=2, aggressor="sell"))
    text = drawn(View(feed_of({"A": book}), ["A"], tape, 3, lambda: "a warning"))
    parts = ["A  LIVE", "101.0", "100.75 ▼", "100.5", "100.0", "1,234 messages", "a warning"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.count("█") > 10


def test_a_trade_without_an_aggressor_has_no_arrow(book):
    tape = Tape()
    tape.on_trade(SimpleNamespace(symbol="A", price_int=10075, price_scale=2, aggressor=None))
    text = drawn(View(feed_of({"A": book}), ["A"], tape, 3))
    assert "100.75" in text
    assert "▲" not in text
    assert "▼" not in text


def test_quantities_with_decimals_of_their_own_are_drawn(book):
    long = -(1 << 63) | 13 << 57 | 33079982700421942        # 3307.9982700421942, as the integer reads give it
    raw = SimpleNamespace(bids_int=lambda depth: np.array([[1005, long]]), asks_int=lambda depth: np.array([[1010, 3]]))
    drawn_book = SimpleNamespace(raw=raw, status=book.status, price_scale=1, qty_scale=0)
    assert "3307.9982700421942" in drawn(View(feed_of({"A": drawn_book}), ["A"], Tape(), 1))


def test_a_check_that_raises_ends_it(book):
    def check():
        raise ValueError("enough")
    with pytest.raises(ValueError, match="enough"):
        asyncio.run(View(feed_of({"A": book}), ["A"], Tape(), 3).follow(None, True, check))


def test_plain_lines_come_once_a_second(book, capsys):
    asyncio.run(View(feed_of({"A": book}), ["A"], Tape(), 3).follow(0.3, True, lambda: None))
    assert capsys.readouterr().out.count("A LIVE") == 1
