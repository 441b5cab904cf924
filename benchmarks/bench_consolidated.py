"""The consolidated book: best prices, merged depth and the watch of crossings, over books of recorded size."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.compiled import compiled
from orderbook import Book, ConsolidatedBook, CrossWatch

CALLS = 20_000      # a round; enough to drown the clock
EVERY = range(CALLS)


@pytest.fixture(scope="module")
def books(work) -> list[Book]:
    """Ten venues: the final book of the capture, each with its prices a few ticks higher than the last one's."""
    pipeline = work.pipeline()
    pipeline.feed_many(work.frames)
    held = pipeline.book("BTCUSDT")
    made = []
    for i in range(10):
        book = Book(held.price_scale, held.qty_scale)
        book.apply_snapshot(held.bids_int() + [i, 0], held.asks_int() + [i + 10, 0])
        made.append(book)
    return made


@pytest.fixture(scope="module")
def best_often() -> Callable:
    return compiled("consolidated_loop").best_often


def bare_method() -> None:
    number = 1
    for _ in EVERY:
        number.conjugate()      # a C method without arguments that returns its object


def bbo(reads: ConsolidatedBook) -> None:
    for _ in EVERY:
        reads.bbo()


def bbo_by_hand(books: list[Book]) -> None:
    """The same in Python over the books, without units, fees or who stands there."""
    for _ in EVERY:
        bid = bid_qty = 0.0
        ask, ask_qty = math.inf, 0.0
        for book in books:
            price, qty, other_price, other_qty = book.bbo()
            if price > bid:
                bid, bid_qty = price, qty
            elif price == bid:
                bid_qty += qty
            if other_price < ask:
                ask, ask_qty = other_price, other_qty
            elif other_price == ask:
                ask_qty += other_qty


def best_bid(reads: ConsolidatedBook) -> None:
    for _ in EVERY:
        reads.best_bid          # noqa: B018


def update(watch: CrossWatch) -> None:
    for _ in EVERY:
        watch.update()


def top(reads: ConsolidatedBook, bids: np.ndarray, asks: np.ndarray) -> None:
    for _ in range(CALLS // 10):
        reads.top(bids, asks)


def whole(reads: ConsolidatedBook) -> None:
    reads.bids()
    reads.asks()


def whole_by_numpy(books: list[Book]) -> None:
    """The same from the books' own arrays: sorted by price, quantities of a price added."""
    for sides, sign in (([book.bids() for book in books], -1), ([book.asks() for book in books], 1)):
        rows = np.concatenate(sides)
        rows = rows[np.argsort(sign * rows[:, 0], kind="stable")]
        first = np.flatnonzero(np.concatenate([[True], rows[1:, 0] != rows[:-1, 0]]))
        np.column_stack([rows[first, 0], np.add.reduceat(rows[:, 1], first)])


@pytest.mark.parametrize("n, wanted", [(2, 30.0), (5, None), (10, None)])
def test_best_in_c(timed, books, best_often, n: int, wanted: float | None) -> None:
    timed(f"best bid and offer of {n} venues, in C", best_often, lambda: (ConsolidatedBook(books[:n]), CALLS),
          count=CALLS, unit="ns", wanted=wanted)


@pytest.mark.parametrize("n, wanted", [(2, 100.0), (5, None), (10, None)])
@pytest.mark.parametrize("net", [False, True])
def test_bbo(timed, books, n: int, wanted: float | None, net: bool) -> None:
    book = ConsolidatedBook(books[:n], fees=[0.0005] * n)
    timed(f"bbo() of {n} venues{' after fees' if net else ''}, on top of a bare method call", bbo,
          lambda: (book.net if net else book,), count=CALLS, unit="ns", baseline=bare_method, wanted=wanted)


def test_bbo_by_hand(timed, books) -> None:
    timed("the same in Python over two bbo(), on top of a bare method call", bbo_by_hand, lambda: (books[:2],),
          count=CALLS, unit="ns", baseline=bare_method)


@pytest.mark.parametrize("name, read", [("best_bid with names", best_bid), ("CrossWatch.update(), uncrossed", update)])
def test_reads_of_two(timed, books, name: str, read: Callable) -> None:
    book = ConsolidatedBook(books[:2])
    timed(f"{name} of 2 venues, on top of a bare method call", read,
          lambda: (CrossWatch(book) if read is update else book,), count=CALLS, unit="ns", baseline=bare_method)


@pytest.mark.parametrize("n", [2, 5])
def test_top_ten(timed, books, n: int) -> None:
    book, arrays = ConsolidatedBook(books[:n]), (np.empty((10, 2)), np.empty((10, 2)))
    timed(f"top 10 of both sides of {n} venues, merged, call included", top, lambda: (book, *arrays),
          count=CALLS // 10, unit="ns")


@pytest.mark.parametrize("n", [2, 5])
def test_whole_depth(timed, books, n: int) -> None:
    levels = sum(book.bid_levels + book.ask_levels for book in books[:n])
    timed(f"all {levels:,} levels of {n} venues, merged", whole, lambda: (ConsolidatedBook(books[:n]),), count=levels,
          unit="ns/level")


@pytest.mark.parametrize("n", [2, 5])
def test_whole_depth_by_numpy(timed, books, n: int) -> None:
    levels = sum(book.bid_levels + book.ask_levels for book in books[:n])
    timed(f"the same of {n} venues by numpy", whole_by_numpy, lambda: (books[:n],), count=levels, unit="ns/level")
