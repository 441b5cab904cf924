"""What a book's state means for whoever reads it, and how its changes are told: events, counters, log lines."""

from __future__ import annotations

import ast
import logging
import time
from pathlib import Path

import numpy as np
import pytest

import orderbook
from feeds.pipeline import Pipeline
from feeds.statelog import StateLog
from orderbook import Book, BookNotLive, BookState
from tests import _probe, frames

# Every public name of a book, and how a test reads it. Names with None are answered in every state.
LIVE_ONLY = {
    "best_bid": (), "best_ask": (), "best_bid_int": (), "best_ask_int": (), "spread": (), "mid": (),
    "bbo": ((),), "bid_qty": (("100",),), "ask_qty": (("101",),), "bid_qty_int": ((100,),), "ask_qty_int": ((101,),),
    "top": ((np.zeros((2, 2)), np.zeros((2, 2), np.int64)),), "bids": ((), (1,)), "asks": ((), (1,)),
    "bids_int": ((), (1,)), "asks_int": ((), (1,)),
}
ANY_STATE = {
    "status": (), "bid_levels": (), "ask_levels": (), "sequence": (), "exchange_ns": (), "receive_ns": (),
    "price_scale": (), "qty_scale": (), "tick_size": (), "trusted_bid": (), "trusted_ask": (), "nbytes": (),
    "price_text": ((100,),), "qty_text": ((5,),), "price_decimal": ((100,),), "qty_decimal": ((5,),),
    "symbol": (), "reason": (), "since_ns": (), "raw": (),
}
CHANGING = {"apply_snapshot", "apply_delta"}


def read(reads, name, arguments):
    """All answers of an accessor."""
    if not arguments:
        return [getattr(reads, name)]
    return [getattr(reads, name)(*some) for some in arguments]


def pipeline_in(state):
    """A pipeline whose book is in a state."""
    pipeline = Pipeline("binance_usdm")
    book = pipeline.follow("BTCUSDT")
    if state is not BookState.EMPTY:
        pipeline.feed(frames.delta(1, 2, 0))
    if state in (BookState.LIVE, BookState.STALE):
        pipeline.rest(frames.rest_url(), frames.snapshot(2, [("100", "5"), ("99", "1")], [("101", "7")]))
    if state is BookState.STALE:
        pipeline.feed(frames.delta(9, 9, 8))
    assert book.status is state
    return pipeline, book


def test_every_public_name_of_a_book_is_in_the_tables():
    """From the stub, so that a new accessor has to say what it does in each state."""
    tree = ast.parse((Path(orderbook.__file__).parent / "book.pyi").read_text())
    names = {getattr(item, "name", None) or item.target.id for node in tree.body if isinstance(node, ast.ClassDef)
             for item in node.body if isinstance(item, (ast.FunctionDef, ast.AnnAssign))}
    names = {name for name in names if not name.startswith("_")}
    assert names == LIVE_ONLY.keys() | ANY_STATE.keys() | CHANGING
    assert names == {name for name in dir(Book) if not name.startswith("_")}


@pytest.mark.parametrize("state", BookState)
@pytest.mark.parametrize("name", LIVE_ONLY)
def test_what_the_book_holds_is_told_of_a_live_book_alone(state, name):
    _, book = pipeline_in(state)
    if state is BookState.LIVE:
        for answer, raw in zip(read(book, name, LIVE_ONLY[name]), read(book.raw, name, LIVE_ONLY[name]), strict=True):
            assert np.array_equal(answer, raw)
        return
    with pytest.raises(BookNotLive, match=f"BTCUSDT.*{state.name}"):
        read(book, name, LIVE_ONLY[name])
    read(book.raw, name, LIVE_ONLY[name])               # what is held, whatever it is worth


@pytest.mark.parametrize("state", BookState)
@pytest.mark.parametrize("name", ANY_STATE)
def test_facts_about_a_book_are_told_in_every_state(state, name):
    _, book = pipeline_in(state)
    read(book, name, ANY_STATE[name])


@pytest.mark.parametrize("state", BookState)
def test_c_code_gets_the_state_with_the_levels_in_one_read(state):
    _, book = pipeline_in(state)
    levels, status = _probe.touch(book)
    assert status == state
    if state is BookState.LIVE:
        assert levels == (*book.best_bid_int, *book.best_ask_int)


@pytest.mark.parametrize("state", [BookState.EMPTY, BookState.SYNCING, BookState.STALE])
def test_a_book_that_is_not_live_takes_no_delta(state):
    _, book = pipeline_in(state)
    with pytest.raises(BookNotLive):
        book.apply_delta([("1", "1")], [])


# ---- how changes are told

class Noting:
    def __init__(self):
        self.changes = []

    def on_status(self, book, old, new, reason):
        self.changes.append((book.symbol, old.name, new.name, reason))


def test_every_change_is_an_event_a_counter_a_time_and_a_line(caplog):
    noting = Noting()
    before = time.time_ns()
    with caplog.at_level(logging.INFO, "feeds.states"):
        pipeline, book = pipeline_in(BookState.STALE)
        pipeline.handler = noting
        pipeline.rest(frames.rest_url(), frames.snapshot(9, [("100", "5")], [("101", "7")]))
        pipeline.closed()
    assert noting.changes == [("BTCUSDT", "STALE", "LIVE", "snapshot applied"),
                              ("BTCUSDT", "LIVE", "STALE", "connection closed")]
    assert pipeline.states() == pipeline.states("BTCUSDT") == {
        "waiting for a snapshot": 1, "snapshot applied": 2, "gap": 1, "connection closed": 1}
    assert before <= book.since_ns <= time.time_ns()
    lines = [record.getMessage() for record in caplog.records if record.name == "feeds.states"]
    assert lines[0] == "binance_usdm BTCUSDT: EMPTY -> SYNCING: waiting for a snapshot"
    assert lines[2].startswith("binance_usdm BTCUSDT: LIVE -> STALE: gap: the book stands at 2")
    assert len(lines) == 5
    levels = [record.levelno for record in caplog.records if record.name == "feeds.states"]
    assert levels == [logging.INFO, logging.INFO, logging.WARNING, logging.INFO, logging.INFO]


def test_since_when_is_that_of_the_last_change():
    pipeline, book = pipeline_in(BookState.LIVE)
    since = book.since_ns
    for number in range(3, 20):
        pipeline.feed(frames.delta(number, number, number - 1))
    assert book.since_ns == since > 0
    pipeline.lose("BTCUSDT")
    assert book.since_ns > since
    assert Book().since_ns == 0


def test_a_thousand_books_that_change_at_once_are_all_told_of(caplog):
    """A message of the connection is missing, or it closes: each book is told of, and the log is not flooded."""
    noting = Noting()
    pipeline = Pipeline("binance_usdm", noting)
    for number in range(1000):
        symbol = f"S{number}"
        pipeline.follow(symbol)
        pipeline.feed(frames.delta(1, 2, 0, symbol=symbol))
        pipeline.rest(frames.rest_url(symbol=symbol), frames.snapshot(2, [("1", "1")], [("2", "1")]))
    del noting.changes[:]
    with caplog.at_level(logging.INFO, "feeds.states"):
        pipeline.closed()
        assert sorted(change[0] for change in noting.changes) == sorted(f"S{number}" for number in range(1000))
        assert pipeline.states()["connection closed"] == 1000
        assert all(pipeline.book(f"S{number}").reason == "connection closed" for number in range(1000))
        assert len(caplog.records) <= 25


def test_a_handler_that_raises_at_one_book_is_told_of_the_others():
    class Failing(Noting):
        def on_status(self, book, old, new, reason):
            super().on_status(book, old, new, reason)
            if book.symbol == "S1":
                raise ValueError("broken")

    failing = Failing()
    pipeline = Pipeline("binance_usdm")
    for symbol in ("S0", "S1", "S2"):
        pipeline.follow(symbol)
        pipeline.feed(frames.delta(1, 2, 0, symbol=symbol))
    pipeline.handler = failing
    with pytest.raises(ValueError, match="broken"):
        pipeline.closed()
    assert [change[0] for change in failing.changes] == ["S0", "S1", "S2"]


def test_what_the_log_leaves_out_is_counted(caplog):
    now = [100.0]
    log = StateLog("v", 3, lambda: now[0])
    with caplog.at_level(logging.INFO, "feeds.states"):
        for number in range(10):
            log.note(f"S{number}", "LIVE", "STALE", "gap", True)
        assert (len(caplog.records), log.left_out) == (3, 7)
        log.flush()
        assert len(caplog.records) == 3                 # the second is not over yet
        now[0] += 1.0
        log.note("S99", "STALE", "LIVE", "snapshot applied", False)
        assert [record.getMessage() for record in caplog.records[3:]] == [
            "v: 7 changes of state are not in the log", "v S99: STALE -> LIVE: snapshot applied"]
        for number in range(5):
            log.note(f"S{number}", "LIVE", "STALE", "gap", True)
        now[0] += 1.0
        log.flush()
        assert log.left_out == 0
    with caplog.at_level(logging.ERROR, "feeds.states"):
        for number in range(10):
            log.note(f"S{number}", "LIVE", "STALE", "gap", True)
    assert log.left_out == 0                            # nobody wants these lines


def test_a_book_that_is_given_up_from_outside_has_the_callers_words():
    noting = Noting()
    pipeline, book = pipeline_in(BookState.LIVE)
    pipeline.handler = noting
    pipeline.lose("BTCUSDT", reason="silent for 40 s", silent=True)
    assert book.reason == noting.changes[0][3] == "silent for 40 s"
    assert pipeline.states()["silent for too long"] == 1
