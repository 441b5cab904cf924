"""Trades over a rolling window, and bars: examples by hand, the slow reference on random and recorded trades, bad
input."""

from __future__ import annotations

import math
import random
from collections import deque
from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest

from feeds.capture import CaptureReader
from feeds.pipeline import Pipeline
from orderbook import tape
from orderbook.tape import Bars, Tape

S = 1_000_000_000
NAN = math.nan
SIDES = ["buy", "sell", None]


class SlowTape:
    """Every trade of the window, summed up anew at every read, exactly."""

    def __init__(self, window_ns: int):
        self.window_ns, self.now, self.trades = window_ns, -math.inf, deque()

    def add(self, price, qty, aggressor, ns):
        self.advance(ns)
        self.trades.append((self.now, Fraction(price), Fraction(qty), aggressor))

    def advance(self, ns):
        self.now = max(self.now, ns)
        while self.trades and self.now - self.trades[0][0] >= self.window_ns:
            self.trades.popleft()

    def qty(self, *sides):
        return sum((q for _, _, q, side in self.trades if side in sides), Fraction(0))

    def figures(self):
        bought, sold, volume = self.qty("buy"), self.qty("sell"), self.qty(*SIDES)
        notional = sum((p * q for _, p, q, _ in self.trades), Fraction(0))
        prices = [p for _, p, _, _ in self.trades]
        squares = NAN
        if len(prices) > 1 and min(prices) > 0:
            squares = math.sqrt(sum(math.log(b / a) ** 2 for a, b in zip(prices, prices[1:], strict=False)))
        return {"count": len(self.trades), "volume": volume, "bought": bought, "sold": sold, "notional": notional,
                "imbalance": (bought - sold) / (bought + sold) if bought + sold else NAN,
                "vwap": notional / volume if volume else NAN, "volatility": squares}


def assert_same(found: Tape, slow: SlowTape) -> None:
    size = float(sum((abs(p * q) for _, p, q, _ in slow.trades), Fraction(0)))      # of what a notional is summed from
    for name, wanted in slow.figures().items():
        around = 1e-12 * size if name == "notional" else 1e-9 if name == "vwap" else 1e-15
        assert getattr(found, name) == pytest.approx(float(wanted), rel=1e-9, abs=around, nan_ok=True), name


def slow_bars(kind: str, size: float, trades) -> list[tuple]:
    """The finished bars and the one being made, with every bar's trades kept until it ends."""
    rows, held, now = [], [], -math.inf

    def end():
        prices, qtys = [p for p, *_ in held], [q for _, q, *_ in held]
        start = held[0][3] // int(size) * int(size) if kind == "time" else held[0][3]
        rows.append((start, start + int(size) if kind == "time" else held[-1][3], len(held), prices[0], max(prices),
                     min(prices), prices[-1], sum(qtys), sum(q for _, q, side, _ in held if side == "buy"),
                     sum(q for _, q, side, _ in held if side == "sell"), sum(p * q for p, q, *_ in held)))
        held.clear()

    for price, qty, side, ns in trades:
        now = max(now, ns)
        if kind == "time" and held and now // int(size) != held[0][3] // int(size):
            end()
        held.append((price, qty, side, now))
        filled = {"time": 0, "tick": len(held), "volume": sum(q for _, q, *_ in held),
                  "dollar": sum(p * q for p, q, *_ in held)}[kind]
        if kind != "time" and filled >= size:
            end()
    if held:
        end()
        return rows
    return [*rows, None]


def rows_of(bars: Bars) -> list[tuple | None]:
    current = bars.current
    return [*bars.take().tolist(), None if current is None else current.item()]


# ---- rolling window

def test_a_window_by_hand():
    t = Tape(10 * S)
    assert (t.count, t.volume, t.notional) == (0, 0.0, 0.0)
    assert all(map(math.isnan, (t.imbalance, t.vwap, t.volatility)))
    t.add(100, 2, "buy", 1 * S)
    t.add(110, 1, "sell", 5 * S)
    t.add(99, 3, None, 10 * S)
    assert (t.count, t.volume, t.bought, t.sold) == (3, 6.0, 2.0, 1.0)
    assert t.imbalance == pytest.approx(1 / 3)
    assert t.vwap == pytest.approx((200 + 110 + 297) / 6)
    assert t.volatility == pytest.approx(math.hypot(math.log(1.1), math.log(0.9)))
    t.advance(11 * S)                                             # the first is 10 s old: out
    assert (t.count, t.volume, t.imbalance) == (2, 4.0, -1.0)
    assert t.volatility == pytest.approx(-math.log(0.9))          # from a trade of the window to the next
    t.advance(3 * S)                                              # time does not go back
    assert t.count == 2
    t.advance(20 * S)
    assert (t.count, t.volume, t.bought, t.sold, t.notional) == (0, 0.0, 0.0, 0.0, 0.0)
    t.add(50, 1, "buy", 21 * S)
    t.add(50, 1, "buy", 15 * S)                                   # counts as one of 21 s
    t.advance(31 * S - 1)
    assert (t.count, t.volatility) == (2, 0.0)
    t.advance(31 * S)
    assert t.count == 0


def test_what_has_left_leaves_no_rounding_behind():
    t = Tape(10)
    t.add(1e12, 1e15, "buy", 0)
    t.add(1, 0.1, "buy", 9)
    t.advance(10)
    assert (t.volume, t.bought, t.notional, t.vwap) == (0.1, 0.1, 0.1, 1.0)


def test_prices_that_have_no_logarithm():
    t = Tape(10)
    for ns, price in enumerate((5, -1, 4)):
        t.add(price, 1, "buy", ns)
    assert math.isnan(t.volatility)
    t.add(8, 1, None, 11)                                         # 4 and 8 remain
    assert t.volatility == pytest.approx(math.log(2))


@pytest.mark.parametrize("window_ns", [1, 50, 1_000, 10**9])
def test_random_trades_agree_with_the_slow_reference(seed, window_ns):
    rng = random.Random(seed)
    for lowest in (0.5, -2.0):
        t, slow, ns = Tape(window_ns), SlowTape(window_ns), rng.choice([-500, 0, 1_700_000_000 * S])
        for _ in range(400):
            ns += rng.choice([0, 0, 1, 10, -5, 40 if rng.random() < 0.9 else 5_000])
            if rng.random() < 0.1:
                t.advance(ns)
                slow.advance(ns)
            else:
                trade = (rng.uniform(lowest, 200), rng.choice([0.0, rng.uniform(0, 5), 1e6 * rng.random()]),
                         rng.choice(SIDES), ns)
                t.add(*trade)
                slow.add(*trade)
            if rng.random() < 0.2:
                assert_same(t, slow)
        assert_same(t, slow)


# ---- bars

TRADES = [(10.0, 1.0, "buy", 0), (12.0, 2.0, "sell", 4), (9.0, 1.0, None, 9), (11.0, 5.0, "buy", 10),
          (11.0, 1.0, "sell", 31)]


@pytest.mark.parametrize(("kind", "size", "wanted"), [
    ("time", 10, [(0, 10, 3, 10, 12, 9, 9, 4, 1, 2, 43), (10, 20, 1, 11, 11, 11, 11, 5, 5, 0, 55),
                  (30, 40, 1, 11, 11, 11, 11, 1, 0, 1, 11)]),
    ("tick", 2, [(0, 4, 2, 10, 12, 10, 12, 3, 1, 2, 34), (9, 10, 2, 9, 11, 9, 11, 6, 5, 0, 64),
                 (31, 31, 1, 11, 11, 11, 11, 1, 0, 1, 11)]),
    ("volume", 4, [(0, 9, 3, 10, 12, 9, 9, 4, 1, 2, 43), (10, 10, 1, 11, 11, 11, 11, 5, 5, 0, 55),
                   (31, 31, 1, 11, 11, 11, 11, 1, 0, 1, 11)]),
    ("dollar", 34, [(0, 4, 2, 10, 12, 10, 12, 3, 1, 2, 34), (9, 10, 2, 9, 11, 9, 11, 6, 5, 0, 64),
                    (31, 31, 1, 11, 11, 11, 11, 1, 0, 1, 11)]),
])
def test_bars_by_hand(kind, size, wanted):
    bars = Bars(kind, size)
    assert bars.current is None
    done = [bars.add(*trade) for trade in TRADES]
    assert sum(done) == bars.finished == 2
    assert rows_of(bars) == wanted
    assert bars.finished == 0 and bars.take().shape == (0,)


def test_a_time_bar_ends_with_its_time():
    bars = Bars("time", 10)
    assert not bars.advance(100)                                  # nothing in it, so no bar
    bars.add(1, 1, "buy", 105)
    assert not bars.advance(109)
    assert bars.advance(110)
    assert bars.current is None
    bars.add(2, 1, "sell", 104)                                   # late: counts as one of 110
    assert rows_of(bars) == [(100, 110, 1, 1, 1, 1, 1, 1, 1, 0, 1), (110, 120, 1, 2, 2, 2, 2, 1, 0, 1, 2)]
    early = Bars("time", 10)
    early.add(1, 1, None, -1)
    assert early.current.item()[:2] == (-10, 0)
    assert not Bars("tick", 5).advance(10**18)


@pytest.mark.parametrize(("kind", "size"), [("time", 100), ("tick", 7), ("volume", 33.5), ("dollar", 2_000.0)])
def test_random_bars_agree_with_the_slow_reference(seed, kind, size):
    rng = random.Random(seed)
    ns, trades, bars = rng.choice([0, 1_700_000_000 * S]), [], Bars(kind, size)
    for _ in range(1_000):
        ns += rng.choice([0, 1, 10, -20, 35, 400 if rng.random() < 0.1 else 5])
        trades.append((rng.randint(1, 400) / 4, rng.randint(0, 80) / 8, rng.choice(SIDES), ns))
        bars.add(*trades[-1])
    assert rows_of(bars) == slow_bars(kind, size, trades)         # eighths and quarters: exact


# ---- recorded trades

@pytest.mark.parametrize("capture", ["okx/books_20220513", "bybit/v2_linear_20210417", "kraken/trade_v1_20210417",
                                     "gateio/spot_20210422", "gemini/l2_20210624"])
def test_recorded_trades_agree_with_the_slow_reference(data_dir, capture):
    tapes: dict[str, tuple[Tape, SlowTape]] = {}
    bars, trades, seen = Bars("volume", 50.0), [], 0

    class Handler:
        def on_trade(self, trade):
            nonlocal seen
            seen += 1
            fast, slow = tapes.setdefault(trade.symbol, (Tape(2 * S), SlowTape(2 * S)))
            fast.add_trade(trade)
            bars.add_trade(trade)
            trades.append((trade.price, trade.qty, trade.aggressor, trade.exchange_ns or trade.receive_ns))
            slow.add(*trades[-1])
            if seen % 20 == 0:
                assert_same(fast, slow)

    pipeline = Pipeline(capture.split("/")[0], Handler(), on_gap="count")
    with closing(CaptureReader(data_dir / f"{capture}.ws.gz")) as reader:
        for record in reader:
            if record.kind in "<B":
                pipeline.feed(record.payload, record.recv_ns)
    assert seen > 0
    for fast, slow in tapes.values():
        assert_same(fast, slow)
    found, wanted = rows_of(bars), slow_bars("volume", 50.0, trades)
    assert len(found) == len(wanted)
    for row, other in zip(found, wanted, strict=True):
        assert row == pytest.approx(other, rel=1e-9)


# ---- bad input

@pytest.mark.parametrize("trade", [
    (NAN, 1, "buy", 1), (math.inf, 1, "buy", 1), (1, NAN, "buy", 1), (1, -1, "buy", 1), (1, 1, "up", 1), (1, 1, 1, 1)])
def test_a_trade_that_cannot_be_changes_nothing(trade):
    t, bars = Tape(10), Bars("tick", 2)
    for target in (t, bars):
        with pytest.raises(ValueError, match="a trade has|an aggressor is"):
            target.add(*trade)
    assert (t.count, bars.current) == (0, None)


def test_windows_and_bars_that_cannot_be():
    for window_ns in (0, -1):
        with pytest.raises(ValueError, match="window_ns is 1 or more"):
            Tape(window_ns)
    with pytest.raises(ValueError, match="bars are of time, tick, volume, dollar, not 'hour'"):
        Bars("hour", 1)
    for kind, size in (("time", 0), ("time", 1.5), ("tick", 2.5), ("volume", 0), ("dollar", NAN), ("volume", math.inf),
                       ("time", 2.0**60)):
        with pytest.raises(ValueError, match="expected a size above 0"):
            Bars(kind, size)


def test_the_rows_of_bars_are_the_structs():
    assert tape.BAR.itemsize == 11 * 8
    assert all(tape.BAR[name] in (np.int64, np.float64) for name in tape.BAR.names)
