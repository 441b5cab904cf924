"""The book alone: reads from Python, the cost of applying levels at every depth, and memory."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.compiled import compiled
from benchmarks.figures import figure
from orderbook import Book

CALLS = 20_000      # a round; enough to drown the clock
EVERY = range(CALLS)


@pytest.fixture(scope="module")
def book(work) -> Book:
    """The final book of the capture."""
    pipeline = work.pipeline()
    pipeline.feed_many(work.frames)
    return pipeline.book("BTCUSDT")


# ---- reads. Each loop differs from the baseline's only in the call it makes.

def bare_method() -> None:
    number = 1
    for _ in EVERY:
        number.conjugate()      # a C method without arguments that returns its object


def best_bid(book: Book) -> None:
    for _ in EVERY:
        book.best_bid           # noqa: B018


def best_ask(book: Book) -> None:
    for _ in EVERY:
        book.best_ask           # noqa: B018


def bbo(book: Book) -> None:
    for _ in EVERY:
        book.bbo()


def mid(book: Book) -> None:
    for _ in EVERY:
        book.mid                # noqa: B018


def raw_best_bid(book: Book) -> None:
    raw = book.raw
    for _ in EVERY:
        raw.best_bid            # noqa: B018


def top(book: Book, bids: np.ndarray, asks: np.ndarray) -> None:
    for _ in EVERY:
        book.top(bids, asks)


def new_arrays(book: Book) -> None:
    for _ in EVERY:
        book.bids(10)
        book.asks(10)


def bid_qty_int(book: Book, units: int) -> None:
    for _ in EVERY:
        book.bid_qty_int(units)


def test_bare_method(timed, work) -> None:
    timed("a bare method call, loop included", bare_method, count=CALLS, unit="ns")


@pytest.mark.parametrize("name, read, wanted", [
    ("best_bid", best_bid, 35.0), ("best_ask", best_ask, 35.0), ("bbo()", bbo, 50.0), ("mid", mid, None),
    ("raw.best_bid", raw_best_bid, None), ("bids(10) and asks(10), new arrays", new_arrays, None),
])
def test_reads(timed, book, name: str, read: Callable, wanted: float | None) -> None:
    timed(f"{name}, on top of a bare method call", read, lambda: (book,), count=CALLS, unit="ns", baseline=bare_method,
          wanted=wanted)


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_top_ten_into_the_callers_arrays(timed, book, dtype) -> None:
    bids, asks = np.empty((10, 2), dtype), np.empty((10, 2), dtype)
    timed(f"top 10 of both sides into {np.dtype(dtype).name} arrays, call included", top, lambda: (book, bids, asks),
          count=CALLS, unit="ns", wanted=200.0)


def test_quantity_at_a_price(timed, book) -> None:
    price = int(book.bids_int(500)[-1, 0])
    timed("bid_qty_int at the 500th bid, call included", bid_qty_int, lambda: (book, price), count=CALLS, unit="ns")


# ---- applying, at C level where the cost of the book itself is wanted

def changes(rng: np.random.Generator, width: int, count: int, first: int, step: int) -> np.ndarray:
    """Random quantities at random prices, a fifth of them 0: it keeps four ticks in five occupied."""
    rows = np.empty((count, 2), np.int64)
    rows[:, 0] = first + step * rng.integers(0, width, count)
    rows[:, 1] = np.where(rng.random(count) < 0.2, 0, rng.integers(1, 1_000_000, count))
    return rows


def message(rng: np.random.Generator, width: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of one delta of `size` levels a side, around the price 5,000,000."""
    return changes(rng, width, size, 5_000_000, -10), changes(rng, width, size, 5_000_010, 10)


@pytest.fixture(scope="module")
def messages_type() -> type:
    return compiled("apply_loop").Messages


def test_apply(benchmark, messages_type) -> None:
    """Deltas of 68 levels that fall anywhere in the book, from small books to large ones in every round."""
    sizes = [100, 1_000, 5_000, 20_000]
    books, messages, spent = {}, {}, {}
    for levels in sizes:
        rng = np.random.default_rng(levels)
        width = levels * 5 // 4
        books[levels] = Book(price_scale=2, qty_scale=3, tick_size="0.10")
        books[levels].apply_snapshot(*message(rng, width, 4 * width))
        messages[levels] = messages_type([message(rng, width, 34) for _ in range(2_000)])
        spent[levels] = []

    def every_size() -> None:
        for levels in sizes:
            spent[levels].append(messages[levels].apply(books[levels]) / messages[levels].levels)

    benchmark.pedantic(every_size, rounds=15, warmup_rounds=2)
    for levels in sizes:
        figure(f"book alone, {levels:,} levels a side, changes anywhere", spent[levels][2:], "ns/level", 10.0)


def test_apply_of_the_capture(benchmark, work, messages_type) -> None:
    """The capture's own changes, message by message, as integers: what parsing adds is not in it."""
    deltas = []
    for frame, kind in zip(work.frames, work.kinds, strict=True):
        if kind == "depth":
            data = json.loads(frame)["data"]
            deltas.append((units(data["b"]), units(data["a"])))
    start = json.loads(work.snapshots[0][1])
    snapshot = units(start["bids"]), units(start["asks"])
    messages, spent = messages_type(deltas), []

    def apply() -> None:
        book = Book(price_scale=1, qty_scale=3)
        book.apply_snapshot(*snapshot)
        spent.append(messages.apply(book) / messages.levels)

    benchmark.pedantic(apply, rounds=15, warmup_rounds=1)
    figure("book alone, the changes of the capture", spent[1:], "ns/level", 10.0)


def test_apply_from_python(timed) -> None:
    """One delta of 10,000 levels from two int64 arrays, which are copied first."""
    rng = np.random.default_rng(1)
    book = Book(price_scale=2, qty_scale=3, tick_size="0.10")
    book.apply_snapshot(*message(rng, 6_250, 25_000))
    delta = message(rng, 6_250, 5_000)
    timed("apply_delta from int64 arrays", book.apply_delta, lambda: delta, count=10_000, unit="ns/level")


def units(rows: list) -> np.ndarray:
    """Decimal texts to integer units at one decimal for prices and three for quantities."""
    exact = [[round(float(price) * 10), round(float(qty) * 1000)] for price, qty in rows]
    return np.array(exact, np.int64).reshape(-1, 2)


# ---- memory

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]


def allocated() -> int:
    """Bytes the process has taken from malloc and not given back."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Mallinfo
    info = mallinfo()
    return info.uordblks + info.hblkhd


def bytes_of(make: Callable[[], Book], books: int) -> tuple[float, Book]:
    """What a book takes from malloc, as the mean of several, so that Python's own small objects do not count."""
    make()
    before = allocated()
    made = [make() for _ in range(books)]
    return (allocated() - before) / books, made[0]


def filled(levels: int, step: int) -> Book:
    """A book with a level at every `step`-th tick."""
    book = Book(price_scale=0, qty_scale=0, tick_size=1)
    index = np.arange(levels, dtype=np.int64) * step
    qty = np.ones(levels, np.int64)
    middle = 1_000_000_000
    book.apply_snapshot(np.column_stack([middle - index, qty]), np.column_stack([middle + step + index, qty]))
    return book


def test_memory_of_the_final_book(benchmark, work) -> None:
    """With its history: what traffic has emptied and not given back counts too."""
    benchmark.pedantic(work.pipeline, rounds=1)
    pipeline = work.pipeline()
    before = allocated() - pipeline.book("BTCUSDT").nbytes
    pipeline.feed_many(work.frames)
    book = pipeline.book("BTCUSDT")
    name = f"memory of the final book, {book.bid_levels:,} + {book.ask_levels:,} levels"
    figure(name + ", nbytes", [book.nbytes / 1024], "KiB", 2048)
    figure(name + ", from malloc", [(allocated() - before) / 1024], "KiB", 2048)


@pytest.mark.parametrize("name, levels, step, books, wanted", [
    ("20 adjacent levels a side", 20, 1, 50, 64.0),
    ("5,000 adjacent levels a side", 5_000, 1, 10, None),
    ("5,000 levels a side, each alone in its page", 5_000, 1_000, 5, None),
])
def test_memory(benchmark, name: str, levels: int, step: int, books: int, wanted: float | None) -> None:
    benchmark.pedantic(filled, args=(levels, step), rounds=1)
    taken, book = bytes_of(lambda: filled(levels, step), books)
    figure(f"memory of {name}, nbytes", [book.nbytes / 1024], "KiB", wanted)
    figure(f"memory of {name}, from malloc", [taken / 1024], "KiB", wanted)
    figure(f"memory of {name}, a level", [taken / (2 * levels)], "bytes")
