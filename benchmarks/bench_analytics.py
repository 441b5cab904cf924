"""Analytics of one recorded book: the C functions, the calls from Python, and numpy and pandas on the same levels.

numpy and pandas get their arrays and frames made beforehand, which is not timed: a strategy would have to make them
anew after every message, and the row "copy" says what that costs. Each result is compared with ours before it is timed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import thread_time_ns

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.compiled import compiled
from benchmarks.figures import HEADER, ROWS, figure
from benchmarks.workload import data_dir, have_data, load
from orderbook import Book, Side, analytics
from orderbook.tape import Bars, Tape

C_CALLS = 200_000               # all times are of this thread's own: others keep the machine busy too
CALLS = 20_000
QTY = 20.0                      # of the orders whose cost is asked for
BPS = 10.0


def final_book() -> Book:
    """The final book of the capture, with its history."""
    work = load()
    pipeline = work.pipeline()
    pipeline.feed_many(work.frames)
    return pipeline.book("BTCUSDT")


def bare(calls: int) -> float:
    """ns of one turn of the loop with a call that does nothing."""
    number = 1
    start = thread_time_ns()
    for _ in range(calls):
        number.conjugate()
    return (thread_time_ns() - start) / calls


def timed(name: str, call: Callable[[], object], rounds: int, calls: int = CALLS, wanted: float | None = None) -> None:
    """A row with the ns of a call without arguments, on top of a call that does nothing."""
    values = []
    for _ in range(rounds + 1):
        empty = bare(calls)
        start = thread_time_ns()
        for _ in range(calls):
            call()
        values.append((thread_time_ns() - start) / calls - empty)
    figure(name, values[1:], "ns", wanted)


def bench_c(book: Book, rounds: int) -> None:
    loop = compiled("analytics_loop")
    for name in ("touch", "mid", "spread_bps", "spread_ticks", "microprice", "imbalance_best", "is_crossed",
                 "order_flow"):
        values = [loop.per_call(book, name, 0, C_CALLS) for _ in range(rounds)]
        figure(f"C: {name}", values, "ns", 30.0)
    walks = [("imbalance", 5), ("imbalance", 10), ("imbalance", 100), ("imbalance", 1000), ("depth_within", BPS),
             ("depth_within", 100.0), ("vwap", QTY), ("impact", QTY), ("to_move", BPS), ("slope", 10), ("grouped", 10)]
    for name, number in walks:
        touched = levels_touched(book, name, number)
        values = [loop.per_call(book, name, number, max(200, C_CALLS // touched)) for _ in range(rounds)]
        figure(f"C: {name}({number:g}), {touched} levels", values, "ns")
        figure(f"C: {name}({number:g}), a level", [value / touched for value in values], "ns/level")
    for name in ("tape", "bars", "read"):
        figure(f"C: {name}, a trade" if name != "read" else "C: sums of a tape",
               [loop.per_trade(name, C_CALLS) for _ in range(rounds)], "ns", 30.0 if name == "read" else None)


def levels_touched(book: Book, name: str, number: float) -> int:
    """How many levels a walk looks at."""
    mid, bids, asks = analytics.mid(book), book.bids(), book.asks()
    if name == "imbalance":
        return 2 * int(number)
    if name == "depth_within":
        return sum(int((np.abs(side[:, 0] - mid) <= number * 1e-4 * mid).sum()) for side in (bids, asks))
    if name == "to_move":
        return int((asks[:, 0] < asks[0, 0] * (1 + number * 1e-4)).sum())
    if name == "slope":
        return int(number)
    if name == "grouped":
        return len(bids)
    return analytics.order_cost(book, "buy", number).levels


def bench_python(book: Book, rounds: int) -> None:
    flow = analytics.OrderFlow()
    dtype = analytics.dtype("mid,microprice,imbalance_5,ofi,depth_10bps")
    table = np.zeros(4, dtype)
    tape, bars = Tape(10**9), Bars("time", 10**9)
    constant = [
        ("mid", lambda: analytics.mid(book)), ("spread", lambda: analytics.spread(book)),
        ("spread_bps", lambda: analytics.spread_bps(book)), ("spread_ticks", lambda: analytics.spread_ticks(book)),
        ("microprice", lambda: analytics.microprice(book)), ("imbalance(1)", lambda: analytics.imbalance(book, 1)),
        ("is_crossed", lambda: analytics.is_crossed(book)), ("known_bps", lambda: analytics.known_bps(book)),
        ("OrderFlow.update", lambda: flow.update(book)),
    ]
    timed("Python: a lambda that reads a name", lambda: book, rounds)
    for name, call in constant:
        timed(f"Python: {name}, lambda included", call, rounds, wanted=100.0)
    others = [
        ("snapshot of mid,microprice,imbalance_5,ofi,depth_10bps", lambda: analytics.snapshot(book, table, flow, 2)),
        ("queue_ahead", lambda: analytics.queue_ahead(book, Side.BID, "61000.1")),
        ("order_cost", lambda: analytics.order_cost(book, "buy", QTY, fee_bps=5.0)),
        ("Tape.add", lambda: tape.add(100.0, 1.0, "buy", 1)), ("Bars.add", lambda: bars.add(100.0, 1.0, "buy", 1)),
    ]
    for name, call in others:
        timed(f"Python: {name}, lambda included", call, rounds)


def bench_others(book: Book, rounds: int) -> None:
    """The same figures three ways."""
    bids, asks = book.bids(), book.asks()
    timed("copy: book.bids() and book.asks()", lambda: (book.bids(), book.asks()), rounds, 50)
    timed("copy: top 10 into arrays that are there", lambda: book.top(bids[:10].copy(), asks[:10].copy()), rounds)
    mid = analytics.mid(book)

    def vwap(asks):
        before = np.minimum(np.cumsum(asks[:, 1]), QTY)
        return float(np.dot(np.diff(before, prepend=0.0), asks[:, 0])) / before[-1]

    def within():
        near = BPS * 1e-4 * mid
        return (bids[bids[:, 0] >= mid - near, 1].sum(), asks[asks[:, 0] <= mid + near, 1].sum())

    def slope():
        return np.polyfit(1e4 * (mid - bids[:10, 0]) / mid, np.cumsum(bids[:10, 1]), 1)[0]

    def grouped():
        prices, at = np.unique(np.floor(np.round(bids[:, 0] / 0.1) / 10), return_inverse=True)
        return np.column_stack([prices, np.bincount(at, bids[:, 1])])[::-1]

    def imbalance(n=5):
        b, a = bids[:n, 1].sum(), asks[:n, 1].sum()
        return (b - a) / (b + a)

    ways = {
        "mid": (lambda: analytics.mid(book), lambda: (bids[0, 0] + asks[0, 0]) / 2),
        "imbalance(5)": (lambda: analytics.imbalance(book, 5), imbalance),
        "depth_within(10)": (lambda: analytics.depth_within(book, BPS), within),
        f"vwap({QTY:g})": (lambda: analytics.vwap(book, "buy", QTY)[0], lambda: vwap(asks)),
        "depth_curve, all": (lambda: analytics.depth_curve(book, Side.BID)[:, 1], lambda: np.cumsum(bids[:, 1])),
        "depth_slope(10)": (lambda: analytics.depth_slope(book, Side.BID, 10), slope),
        "grouped(1), all bids": (lambda: analytics.grouped(book, Side.BID, 1), grouped),
    }
    frames = pandas_ways(bids, asks, mid)
    for name, (own, numpy_way) in ways.items():
        calls = 100 if "all" in name else 2_000
        assert np.allclose(own(), numpy_way()), name
        timed(f"{name}: wirebook", own, rounds, calls)
        timed(f"{name}: numpy", numpy_way, rounds, calls)
        if frames:
            assert np.allclose(own(), frames[name]()), name
            timed(f"{name}: pandas", frames[name], rounds, max(20, calls // 10))


def pandas_ways(bids: np.ndarray, asks: np.ndarray, mid: float) -> dict[str, Callable[[], object]]:
    """The same with frames of the columns price and qty; nothing without pandas."""
    try:
        import pandas as pd
    except ImportError:
        print("pandas is not installed: its rows are left out")
        return {}
    b, a = (pd.DataFrame(side, columns=["price", "qty"]) for side in (bids, asks))

    def imbalance(n=5):
        bought, sold = b["qty"].head(n).sum(), a["qty"].head(n).sum()
        return (bought - sold) / (bought + sold)

    def within():
        near = BPS * 1e-4 * mid
        return b.loc[b["price"] >= mid - near, "qty"].sum(), a.loc[a["price"] <= mid + near, "qty"].sum()

    def vwap():
        before = a["qty"].cumsum().clip(upper=QTY)
        return (before.diff().fillna(before.iloc[0]) * a["price"]).sum() / before.iloc[-1]

    def slope():
        x, y = 1e4 * (mid - b["price"].head(10)) / mid, b["qty"].head(10).cumsum()
        return x.cov(y) / x.var()

    def grouped():
        keys = np.floor(np.round(b["price"] / 0.1) / 10)
        return b.groupby(keys)["qty"].sum().sort_index(ascending=False).reset_index().to_numpy()

    return {"mid": lambda: (b["price"].iat[0] + a["price"].iat[0]) / 2, "imbalance(5)": imbalance,
            "depth_within(10)": within, f"vwap({QTY:g})": vwap, "depth_curve, all": lambda: b["qty"].cumsum(),
            "depth_slope(10)": slope, "grouped(1), all bids": grouped}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    if not have_data():
        sys.exit(f"no recorded captures in {data_dir()} (set WIREBOOK_DATA)")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    book = final_book()
    print(f"{book!r}: mid {analytics.mid(book)}, tick {book.tick_size:g}")
    bench_c(book, rounds)
    bench_python(book, rounds)
    bench_others(book, rounds)
    print(HEADER, *ROWS, sep="\n")


if __name__ == "__main__":
    main()
