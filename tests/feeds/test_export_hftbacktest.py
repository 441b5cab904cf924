"""hftbacktest: its own functions accept the events, and its own backtest rebuilds the books from them.

Slow because numba compiles all of it, once.
"""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from feeds.export import collect, export, hftbacktest
from feeds.figures import Replay
from tests import rebuild

hft = pytest.importorskip("hftbacktest")
from hftbacktest.data.utils import tardis  # noqa: E402
from hftbacktest.data.validation import (  # noqa: E402
    correct_event_order,
    correct_local_timestamp,
    validate_event_order,
)
from hftbacktest.types import EXCH_EVENT, LOCAL_EVENT, event_dtype  # noqa: E402

pytestmark = pytest.mark.slow
FLAGS = np.uint64(EXCH_EVENT | LOCAL_EVENT)
PIECES = {"binance_usdm/multi_20210722": ("SUSHIUSDT", 700), "okx/books_20220513": ("BTC-USDT", 200),
          "htx/spot_20210417": ("dogeeth", 150)}


@pytest.fixture(scope="module", params=PIECES)
def sample(request, data_dir, tmp_path_factory):
    """(path, symbol, its tables)"""
    symbol, count = PIECES[request.param]
    venue, _, name = request.param.partition("/")
    path = tmp_path_factory.mktemp("hft") / venue / "piece.ws"
    path.parent.mkdir()
    with gzip.open(data_dir / f"{request.param}.ws.gz", "rt") as lines:
        path.write_text("".join(line for line, _ in zip(lines, range(count), strict=False)))
    return path, symbol, collect(path)


def depth(events, tick, until=None):
    """(bids, asks) as price in ticks -> quantity, that the backtest has after `until` of our clock, or in the end."""
    asset = (hft.BacktestAsset().data([events]).linear_asset(1.0).constant_order_latency(0, 0)
             .risk_adverse_queue_model().no_partial_fill_exchange().trading_value_fee_model(0, 0)
             .tick_size(tick).lot_size(1e-13))
    backtest = hft.HashMapMarketDepthBacktest([asset])
    assert backtest.elapse(0) == 0                      # to its first event
    if until is not None:
        assert backtest.elapse(until - backtest.current_timestamp) == 0
    else:
        while backtest.elapse(10 ** 10) == 0:
            pass
    book = backtest.depth(0)
    prices = np.unique(np.rint(events["px"][np.isfinite(events["px"])] / tick)).astype(int).tolist()
    sides = [{price: qty for price in prices if (qty := of(price)) > 0}
             for of in (book.bid_qty_at_tick, book.ask_qty_at_tick)]
    best = (book.best_bid_tick if sides[0] else None, book.best_ask_tick if sides[1] else None)
    assert backtest.close() == 0
    return sides, best


def in_ticks(book, tick):
    return [{round(float(price) / tick): float(qty) for price, qty in book[side].items()} for side in ("bid", "ask")]


def test_its_own_functions_give_the_same_events(sample):
    _, symbol, tables = sample
    events = hftbacktest.events(tables, symbol)
    assert events.dtype == event_dtype and len(events) > 200
    validate_event_order(events)
    ours = events[(events["ev"] & np.uint64(LOCAL_EVENT)) > 0].copy()          # each of them once, by our clock
    ours["ev"] &= ~FLAGS
    assert (ours["exch_ts"] <= ours["local_ts"]).all()
    assert correct_local_timestamp(ours.copy(), 0).tobytes() == ours.tobytes()
    order = correct_event_order(ours, np.argsort(ours["exch_ts"], kind="mergesort"),
                                np.argsort(ours["local_ts"], kind="mergesort"))
    for field in event_dtype.names:
        np.testing.assert_array_equal(order[field], events[field])


def test_order_is_that_of_both_clocks_whatever_they_say():
    """Against its own function, on times that go back and forth."""
    draw = np.random.default_rng(5)
    for count in (1, 2, 50, 400):
        events = np.zeros(count, event_dtype)
        events["local_ts"] = np.sort(draw.integers(0, count // 2 + 1, count)) + 100
        events["exch_ts"] = events["local_ts"] - draw.integers(0, 20, count)
        events["px"] = np.arange(count)
        same = np.unique(events[["local_ts", "exch_ts"]], return_index=True)[1]
        events = np.sort(events[np.sort(same)], order="local_ts", kind="stable")
        want = correct_event_order(events, np.argsort(events["exch_ts"], kind="mergesort"),
                                   np.argsort(events["local_ts"], kind="mergesort"))
        got = hftbacktest.in_order(events.copy())
        for field in event_dtype.names:
            np.testing.assert_array_equal(got[field], want[field])


def test_its_backtest_has_the_same_book_in_the_end_and_before(sample):
    path, symbol, tables = sample
    replay = Replay(tables.venue)
    replay.run([path])
    book = replay.pipeline.book(symbol)
    events = hftbacktest.events(tables, symbol)
    tick = book.tick_size
    sides, best = depth(events, tick)
    assert sides == [{round(price / tick): qty for price, qty in side.tolist()}
                     for side in (book.raw.bids(), book.raw.asks())]
    assert best == tuple(round(level[0] / tick) for level in (book.raw.best_bid, book.raw.best_ask))
    times = tables.of("book", symbol)["receive_ns"]
    moment = int(times[len(times) * 2 // 3])
    shift = int(events["local_ts"].max() - max(times[-1], tables.of("trades", symbol)["receive_ns"].max(initial=0)))
    levels = [level for level, at in zip(rebuild.levels_of(tables), tables["book"]["receive_ns"], strict=True)
              if at <= moment and level.symbol == symbol]
    then = list(rebuild.rebuilt(levels))[-1][2]
    assert depth(events, tick, moment + shift)[0] == in_ticks(then, tick)


def test_a_lost_book_is_empty_until_its_snapshot(sample):
    _, symbol, tables = sample
    events = hftbacktest.events(tables, symbol)
    clear = events[-1:].copy()
    clear["ev"] = hftbacktest.CLEAR | int(FLAGS)
    assert depth(np.concatenate([events, clear]), 0.5)[0] == [{}, {}]


def test_the_files_are_what_it_loads(sample, tmp_path):
    path, symbol, tables = sample
    export(path, "hftbacktest", tmp_path)
    loaded = np.load(tmp_path / f"{symbol}.npz")["data"]
    assert loaded.tobytes() == hftbacktest.events(tables, symbol).tobytes()


def test_its_reader_of_tardis_files_has_the_same_book(sample, tmp_path, capsys):
    path, symbol, tables = sample
    export(path, "tardis", tmp_path)
    files = [str(next(tmp_path.glob(f"*_{kind}_*_{symbol}.csv.gz"))) for kind in ("trades", "incremental_book_L2")]
    events = tardis.convert(files, buffer_size=100_000, ss_buffer_size=10_000)
    tick = 10.0 ** -tables.scales[symbol][0]
    ours = depth(hftbacktest.events(tables, symbol), tick)
    theirs = depth(events, tick)
    assert theirs[1] == ours[1]
    best = [sorted(side)[-1 if bids else 0] for bids, side in zip((True, False), ours[0], strict=True)]
    assert [side[price] for side, price in zip(theirs[0], best, strict=True)] == [
        side[price] for side, price in zip(ours[0], best, strict=True)]
