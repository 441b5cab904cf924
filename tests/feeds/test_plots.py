"""Plots: what is collected against values worked out by hand, what is drawn by its axes, and bad input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from feeds import plotdata
from feeds.cli import app
from feeds.extras import MissingExtra
from feeds.plotdata import KINDS, Collector, Delays, Heat, Held, PlotError, Survey, Timeline, Units, collect
from feeds.plots import draw, duration, percent, plain, save
from feeds.rerun import RangeError, SymbolError
from orderbook import Book, BookState

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

S = 10 ** 9
T0 = 1_700_000_000 * S      # 2023-11-14 22:13:20 UTC
EMPTY, SYNCING, LIVE, STALE = BookState.EMPTY, BookState.SYNCING, BookState.LIVE, BookState.STALE
REST = "https://fapi.binance.com/fapi/v1/depth?symbol={}&limit=1000 "
PNG = b"\x89PNG\r\n\x1a\n"


def snapshot(number, bids, asks, symbol="BTCUSDT"):
    return REST.format(symbol) + f'{{"lastUpdateId":{number},"E":0,"T":0,"bids":{bids},"asks":{asks}}}'


def delta(first, last, bids="[]", asks="[]", event_ms=0, symbol="BTCUSDT"):
    return (f'{{"stream":"{symbol.lower()}@depth@0ms","data":{{"e":"depthUpdate","E":{event_ms},"T":{event_ms},'
            f'"s":"{symbol}","U":{first},"u":{last},"pu":{first - 1},"b":{bids},"a":{asks}}}}}')


def trade(price, qty, buyer_is_maker, symbol="BTCUSDT"):
    return (f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":1,"T":1,"s":"{symbol}","t":7,"p":"{price}",'
            f'"q":"{qty}","X":"MARKET","m":{str(buyer_is_maker).lower()}}}}}')


def write(folder: Path, lines, venue="binance_usdm", name="small.ws") -> Path:
    path = folder / venue / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{T0 + int(at * S)}\t{kind}\t{text}\n" for at, kind, text in lines))
    return path


@pytest.fixture
def capture(tmp_path):
    """Ten seconds: SYNCING from 1 s, LIVE from 2 s, a changed ask at 5 s, two trades, a gap at 8 s."""
    ms = T0 // 10 ** 6
    return write(tmp_path, [
        (0, "=", "wss://fstream.binance.com"),
        (1, "<", delta(9, 10, event_ms=ms + 990)),
        (2, "h", snapshot(10, '[["99.0","3"],["98.0","1"]]', '[["101.0","1"],["102.0","5"]]')),
        (4, "<", trade("101.0", "0.5", False)),
        (5, "<", delta(11, 11, asks='[["101.0","0"]]', event_ms=ms + 4980)),
        (6, "<", trade("99.0", "2", True)),
        (7, "<", delta(12, 12, bids='[["98.0","0"]]', event_ms=ms + 6960)),
        (8, "<", delta(15, 15, bids='[["97.0","1"]]', event_ms=ms + 7990)),
        (10, "<", trade("99.0", "1", True)),
    ])


def book_at(ns, bids, asks, exchange_ns=0, symbol="X"):
    book = Book()
    book.symbol = symbol
    book.apply_snapshot(bids, asks, 1, exchange_ns, ns)
    return book


# ---- what is collected

def test_held_values_are_means_over_time_with_their_least_and_largest():
    held = Held(0, 100, 4, 2)                       # bins of 25
    held.take(np.array([10, 20]), np.array([[1.0, np.nan], [3.0, 7.0]]))
    held.take(np.array([60, 60]), np.array([[9.0, 5.0], [np.nan, np.nan]]))        # in two calls, and 9 for no time
    held.finish()
    assert held.edges_ns.tolist() == [0, 25, 50, 75, 100]
    np.testing.assert_allclose(held.mean[:, 0], [(10 * 1 + 5 * 3) / 15, 3, 3, np.nan])
    np.testing.assert_allclose(held.mean[:, 1], [7, 7, 7, np.nan])
    np.testing.assert_allclose(held.least[:, 0], [1, 3, 3, np.nan])
    np.testing.assert_allclose(held.largest[:, 0], [3, 3, 9, np.nan])


def test_held_takes_times_that_fall_back_and_lie_outside():
    held = Held(100, 200, 2, 1)
    held.take(np.array([50, 140, 130, 300]), np.array([[2.0], [4.0], [6.0], [8.0]]))
    held.finish()
    np.testing.assert_allclose(held.mean[:, 0], [(40 * 2 + 10 * 6) / 50, 6])


@pytest.mark.parametrize("floor", [0, 5_000_000, -1_270_000_000])
def test_percentiles_are_those_of_sorted_delays_to_a_percent(floor):
    wanted = floor + np.random.default_rng(7).lognormal(15, 1, 5000).astype(np.int64)
    delays = Delays(T0, T0 + 10 * S, 10, floor)
    for number, delay in enumerate(wanted.tolist()):
        delays.add(T0 + S * (number % 2) + 5, T0 + S * (number % 2) + 5 - delay)
    delays.finish()
    found = delays.percentiles(0.5, 0.99, 0.999)
    assert found.shape == (3, 10) and np.isnan(found[:, 2:]).all()
    for cell in (0, 1):
        exact = np.sort(wanted[cell::2])[[1249, 2474, 2497]]        # of 2500: the ranks 1250, 2475, 2498
        np.testing.assert_allclose(found[:, cell] - floor, exact - floor, rtol=0.011)
    exact = np.sort(wanted)[[2499]]
    np.testing.assert_allclose(delays.percentiles(0.5, whole=True)[:, 0] - floor, exact - floor, rtol=0.011)


def test_a_delay_of_nothing_is_nothing():
    delays = Delays(T0, T0 + S, 1, 0)
    delays.add(T0, T0)
    delays.finish()
    assert delays.percentiles(0.5).tolist() == [[0.0]]


def test_heat_is_the_quantity_over_the_time_it_rested(monkeypatch):
    monkeypatch.setattr(plotdata, "COLUMNS", 4)
    heat = Heat(0, 400, (98.0, 103.0, 1.0), sampled=False)
    heat.take(100, book_at(100, [("99", "4"), ("50", "1")], [("101", "2")]))
    heat.take(150, book_at(150, [("99", "8")], [("102", "6")]))
    heat.lose(350)
    heat.lose(400)
    assert heat.prices.tolist() == [98, 99, 100, 101, 102, 103]
    np.testing.assert_allclose(heat.qty, [[np.nan] * 5, [0, 6, 0, 1, 3], [0, 8, 0, 0, 6], [0, 8, 0, 0, 6]])


def test_heat_does_not_know_what_the_venue_did_not_tell(monkeypatch):
    monkeypatch.setattr(plotdata, "COLUMNS", 1)
    heat = Heat(0, 100, (98.0, 103.0, 1.0), sampled=False)
    book = book_at(0, [("99", "4")], [("101", "2")])
    heat.take(0, SimpleNamespace(bids=book.bids, asks=book.asks, trusted_bid=99.0, trusted_ask=101.5))
    heat.lose(100)
    np.testing.assert_allclose(heat.qty, [[np.nan, 4, 0, 2, np.nan]])


def test_a_busy_heat_map_takes_the_book_a_few_times_a_column(monkeypatch):
    monkeypatch.setattr(plotdata, "COLUMNS", 1)
    taken = []
    heat = Heat(0, 800, (98.0, 103.0, 1.0), sampled=True)
    for ns in range(0, 800, 10):
        book = book_at(ns, [("99", "4")], [("101", "2")])
        heat.take(ns, SimpleNamespace(bids=lambda ns=ns, book=book: taken.append(ns) or book.bids(), asks=book.asks,
                                      trusted_bid=0.0, trusted_ask=1e9))
    assert taken == list(range(0, 800, 100))


def test_a_timeline_that_is_too_long_keeps_the_worst_of_what_it_puts_together():
    timeline = Timeline(0, LIVE, most=64)
    for number in range(1000):
        timeline.add(number * 100, STALE if number % 2 else LIVE, f"gap {number}")
    timeline.add(1_000_000, LIVE, "snapshot applied")
    spans = timeline.spans(2_000_000)
    assert len(timeline.changes) <= 65
    assert sum(count for *_, count in spans) <= 1002
    assert spans[0][0] == 0 and spans[-1][1] == 2_000_000
    assert all(before[1] == after[0] for before, after in zip(spans, spans[1:], strict=False))
    held = {state: sum(to - since for since, to, found, *_ in spans if found is state) for state in BookState}
    assert held[LIVE] >= 1_000_000 and held[STALE] >= 50_000 + 900_000 - 100      # what was STALE is never shown LIVE
    assert timeline.shares(2_000_000)[LIVE] == pytest.approx(held[LIVE] / 2_000_000)


def test_a_survey_knows_books_apart_and_ranges_of_price():
    survey = Survey()
    first, second = book_at(T0, [("99", "1")], [("101", "1")]), book_at(T0, [("49", "1")], [("51", "1")])
    second.since_ns = T0 + S
    survey.on_status(second, EMPTY, LIVE, "snapshot applied")
    survey.on_status(None, LIVE, STALE, "about the venue")
    survey.on_status(second, LIVE, LIVE, "a bad message")
    for _ in range(3):
        survey.on_book(first)
    busiest, other = survey.books
    assert (busiest.book, busiest.nth, busiest.updates) == (first, 1, 3)
    assert (other.book, other.nth, other.updates) == (second, 0, 0)
    assert [(change.ns, change.state) for change in other.timeline.changes] == [(T0 + S, EMPTY), (T0 + S, LIVE)]
    low, high, step = busiest.prices()
    assert low <= 99 and high >= 101 and step == first.tick_size == 1.0
    assert not other.two_sided and busiest.two_sided


def test_prices_go_with_the_market_but_not_with_what_lasted_a_moment():
    survey, book = Survey(), Book()
    book.symbol = "X"
    for second, mid in ((0, 100), (500, 110), (999, 900), (999.5, 110), (1500, 110)):
        book.apply_snapshot([(f"{mid - 0.01:.2f}", "1")], [(f"{mid + 0.01:.2f}", "1")], 1, 0, T0 + int(second * S))
        survey.on_book(book)
    low, high, step = survey.books[0].prices()
    assert 95 < low < 98 and 112 < high < 115 and 1 <= (high - low) / step <= plotdata.MOST_ROWS + 2


def test_a_collector_follows_one_of_two_books_of_a_symbol():
    full, partial = book_at(T0, [("99", "1")], [("101", "1")]), book_at(T0 + S, [("10", "1")], [("90", "1")])
    for nth, spread in ((0, 2.0), (1, 80.0)):
        collector = Collector("x", T0, T0 + 2 * S, nth=nth)
        collector.on_book(full)
        collector.on_book(partial)
        collector.finish()
        assert np.nanmax(collector.held.mean[:, 2]) == spread
        assert np.isnan(collector.held.mean[:, 2]).any() == bool(nth)


def test_a_side_that_is_empty_has_no_spread():
    collector = Collector("X", T0, T0 + S)
    collector.on_book(book_at(T0, [("99", "1")], []))
    collector.finish()
    assert collector.held.mean[0, 0] == 99 and np.isnan(collector.held.mean[:, 1:3]).all()
    assert collector.held.mean[0, 3] == 1.0


def test_what_is_collected_of_a_capture(capture):
    data = collect(capture)
    assert (data.venue, data.symbol, data.others, data.losses, data.missing) == ("binance_usdm", "BTCUSDT", [], [], {})
    assert (data.start_ns, data.end_ns) == (T0, T0 + 10 * S)
    assert [((since - T0) / S, (to - T0) / S, state) for since, to, state, *_ in data.timeline.spans(data.end_ns)] == [
        (0, 1, EMPTY), (1, 2, SYNCING), (2, 8, LIVE), (8, 10, STALE)]
    assert data.timeline.shares(data.end_ns) == {EMPTY: 0.1, SYNCING: 0.1, LIVE: 0.6, STALE: 0.2}
    assert data.depth.bids.tolist() == [[99, 3], [97, 1]] and data.depth.asks.tolist() == [[102, 5]]
    assert data.depth.best == ("99", "3", "102", "5") and data.depth.state is STALE
    second = data.held.edges_ns[:-1]
    at = {when: np.searchsorted(second, T0 + int(when * S)) for when in (1.5, 3, 5.5, 7.5, 9)}
    mean = data.held.mean
    np.testing.assert_allclose(mean[at[3]], [99, 101, 2, (4 - 6) / 10])
    np.testing.assert_allclose(mean[at[5.5]], [99, 102, 3, (4 - 5) / 9])
    np.testing.assert_allclose(mean[at[7.5]], [99, 102, 3, (3 - 5) / 8])
    assert np.isnan(mean[at[1.5]]).all() and np.isnan(mean[at[9]]).all()
    assert data.delays.counts.sum() == 2            # LIVE, and telling a time: at 5 and 7 s, 20 and 40 ms
    np.testing.assert_allclose(data.delays.percentiles(0.5, 0.99, whole=True)[:, 0], [20e6, 40e6], rtol=0.011)
    trades = data.heat.trades.sum(axis=0)
    np.testing.assert_allclose(trades, [[0.5, 50.5], [3, 297], [0, 0]])
    row = int((99 - data.heat.low) / data.heat.step + 0.5)
    column = int(3 * S / data.heat.width_ns)
    assert data.heat.qty[column, row] == 3 and np.isnan(data.heat.qty[0]).all()


def test_a_part_of_the_time(capture):
    data = collect(capture, ["spread", "gaps"], start=T0 + 3 * S, end=T0 + 6 * S)
    assert data.timeline.shares(data.end_ns)[LIVE] == 1.0           # as it was before it began
    assert (data.start_ns, data.end_ns) == (T0 + 4 * S, T0 + 5 * S)
    assert data.held is not None and data.heat is None and data.delays is None
    assert data.depth.bids.tolist() == [[99, 3], [98, 1]] and data.depth.asks.tolist() == [[102, 5]]


def test_a_recording_is_plotted_as_the_capture_it_was_made_of(capture, tmp_path):
    pytest.importorskip("zstandard", reason="zstandard is not installed")
    made = CliRunner().invoke(app, ["import", str(capture), "--out", str(tmp_path / "session")])
    assert made.exit_code == 0, made.output
    ours, theirs = collect(tmp_path / "session"), collect(capture)
    assert (ours.symbol, ours.start_ns, ours.end_ns) == (theirs.symbol, theirs.start_ns, theirs.end_ns)
    live = slice(0, int(8 * S / theirs.held.width_ns))      # then comes the gap, of which a capture only counts
    np.testing.assert_array_equal(ours.held.mean[live], theirs.held.mean[live])
    assert ours.timeline.spans(T0 + 8 * S) == theirs.timeline.spans(T0 + 8 * S)
    assert ours.timeline.shares(ours.end_ns)[STALE] > 0
    np.testing.assert_array_equal(ours.heat.trades, theirs.heat.trades)


def test_units_are_told_where_they_are_known(tmp_path, monkeypatch):
    from feeds.directory import Cache
    from feeds.instruments import Instrument
    from feeds.venues import load

    monkeypatch.setenv("WIREBOOK_CACHE", str(tmp_path))
    spec = load("binance_usdm")
    assert plotdata.units_of(spec, "", "BTCUSDT") == Units()
    kept = [Instrument("BTCUSDT", "0.1", "0.001", kind="perpetual", base="BTC", quote="USDT", contract_size="1",
                       contract_unit="BTC"),
            Instrument("BTCUSD_PERP", "0.1", "1", kind="perpetual", base="BTC", quote="USD", contract_size="100",
                       contract_unit="USD")]
    Cache(tmp_path).write("binance_usdm", "", 1, kept)
    assert plotdata.units_of(spec, "", "BTCUSDT") == Units("USDT", "BTC")
    assert plotdata.units_of(spec, "", "BTCUSD_PERP") == Units("USD", "contracts of 100 USD")
    assert plotdata.units_of(load("okx"), "", "ETH-EUR") == Units("EUR", "ETH")
    assert plotdata.units_of(load("okx"), "", "BTC-USD-220527") == Units()


# ---- what is drawn

def texts(figure):
    return [text.get_text() for text in figure.findobj(match=lambda it: hasattr(it, "get_text"))]


def legend(figure):
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return collect(capture.__wrapped__(tmp_path_factory.mktemp("plots")))


def test_a_depth_chart_steps_up_on_both_sides(data):
    figure = draw(data, "depth")
    axes = figure.axes[0]
    assert figure.get_suptitle() == "BTCUSDT on binance_usdm: order book depth"
    assert axes.get_title("left") == ("2023-11-14 22:13:28.000 UTC   STALE (gap)\n"
                                      "best bid 99 × 3   best ask 102 × 5   spread 3 (298.5 bps)")
    assert axes.get_xlabel() == "price (quote currency)"
    assert axes.get_ylabel() == "cumulative quantity (base units or contracts)"
    bids, asks, middle = axes.lines[:3]
    assert bids.get_ydata().tolist() == [4, 4, 3, 0] and bids.get_xdata()[1:].tolist() == [97, 99, 99]
    assert asks.get_ydata().tolist() == [0, 5, 5] and asks.get_xdata()[:2].tolist() == [102, 102]
    assert middle.get_xdata() == [100.5, 100.5]
    assert legend(figure)[:2] == ["bids: 2 levels, 2 of them shown", "asks: 1 level, 1 of them shown"]


def test_a_heat_map_has_prices_trades_and_a_scale(data):
    figure = draw(data, "heatmap")
    axes, bar = figure.axes
    assert figure.get_suptitle() == "BTCUSDT on binance_usdm: resting quantity by price and time, and trades"
    assert axes.get_title("left").startswith("2023-11-14 22:13:20.000 to 22:13:30.000 UTC (10 s)")
    image = axes.images[0].get_array()
    assert image.shape == data.heat.qty.T.shape and image.mask[:, 0].all() and not image.mask[:, 400].all()
    assert axes.images[0].get_extent()[2:] == [data.heat.prices[0], data.heat.prices[-1]]
    buys, sells = axes.collections[:2]
    assert buys.get_offsets()[:, 1].tolist() == [101] and sells.get_offsets()[:, 1].tolist() == [99, 99]
    assert bar.get_ylabel() == "quantity in a row (base units or contracts)"
    assert [entry.split(" in ")[0] for entry in legend(figure)] == [
        "best bid", "best ask", "buys", "sells", "not known: not LIVE, or deeper than the venue told"]
    figure.draw_without_rendering()
    assert [tick.get_text() for tick in axes.get_xticklabels()][:3] == ["22:13:20", "22:13:22", "22:13:24"]


def test_spread_and_imbalance_over_time(data):
    figure = draw(data, "spread")
    price, spread, imbalance = figure.axes
    assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes] == ["price", "spread", "imbalance"]
    assert "mean spread 2.5 (249.4 bps)" in price.get_title("left")
    stairs = spread.patches[1].get_data()
    assert np.nanmax(stairs.values) == 3 and len(stairs.edges) == len(stairs.values) + 1
    up, down = (patch.get_data().values for patch in imbalance.patches[:2])
    assert np.isnan(up).all() and np.nanmin(down) == -0.25
    assert "the book was not LIVE" in legend(figure) and imbalance.get_xlabel() == "time (UTC)"


def test_latency_percentiles_and_stages(data):
    data.stages = {"parsed": {"p50": 200, "p99": 900, "p99_9": 2000}, "applied": {"p50": 1, "p99": 2, "p99_9": 3}}
    figure = draw(data, "latency")
    axes, stages = figure.axes
    assert axes.get_ylabel() == "latency (ms)" and "2 messages" in axes.get_title("left")
    assert [entry.split(":")[0] for entry in legend(figure)[:3]] == ["p99.9", "p99", "p50"]
    assert [round(np.nanmax(patch.get_data().values)) for patch in axes.patches[:3]] == [40, 40, 40]
    assert [label.get_text() for label in stages.get_yticklabels()] == ["applied", "parsed"]
    assert {float(line.get_xdata()[0]) for line in stages.lines} >= {1, 2, 3, 200, 900, 2000}
    assert "ns a message" in stages.get_xlabel()
    data.stages = {}
    assert len(draw(data, "latency").axes) == 1


def test_a_timeline_of_states_with_reasons(data):
    figure = draw(data, "gaps")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["BTCUSDT"]
    assert legend(figure) == ["EMPTY", "SYNCING", "LIVE", "STALE", "A   STALE: gap, 1 time, 2 s",
                              "B   SYNCING: waiting for a snapshot, 1 time, 1 s"]
    shown = texts(figure)
    assert {"A", "B", "60 %"} <= set(shown)
    (live, *_) = [bars for bars in axes.collections if len(bars.get_facecolor()) and
                  bars.get_facecolor()[0].tolist() == pytest.approx([0, 0x9E / 255, 0x73 / 255, 1])]
    (box,) = live.get_paths()
    left, right = box.vertices[:, 0].min(), box.vertices[:, 0].max()
    np.testing.assert_allclose([(left - T0 / S / 86400) * 86400, (right - T0 / S / 86400) * 86400], [2, 8], atol=1e-4)


def test_what_the_recorder_lost_is_marked(data):
    data.losses.append((12, T0 + 3 * S, T0 + 4 * S))
    try:
        assert "recorder lost 12" in texts(draw(data, "gaps"))
    finally:
        data.losses.clear()


def test_no_more_books_than_can_be_read(data):
    shown = data.timelines
    data.timelines = shown + [(f"OTHER{number}", Timeline(T0, LIVE if number % 2 else STALE)) for number in range(60)]
    try:
        figure = draw(data, "gaps")
    finally:
        data.timelines = shown
    assert len(figure.axes[0].get_yticks()) == 40
    assert "the 40 of 61 books that were LIVE least" in figure.axes[0].get_title("left")
    assert figure.get_suptitle() == "binance_usdm: states of the books" and figure.get_figheight() == 12


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_png_and_svg_also_when_they_are_small(data, kind, tmp_path):
    figure = draw(data, kind, (5, 3))
    save(figure, tmp_path / "plot.png", dpi=60)
    written = (tmp_path / "plot.png").read_bytes()
    assert written.startswith(PNG) and int.from_bytes(written[16:20]) == 300 and int.from_bytes(written[20:24]) == 180
    save(figure, tmp_path / "plot.svg")
    root = ElementTree.parse(tmp_path / "plot.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and "binance_usdm" in "".join(root.itertext())


def test_symbols_may_hold_what_a_formula_or_a_font_would_not(data, tmp_path):
    data.symbol, kept = "$币安人生_{USDT}", data.symbol
    try:
        figure = draw(data, "depth")
        assert figure.get_suptitle().startswith("$币安人生_{USDT} on")
        save(figure, tmp_path / "x.svg")
    finally:
        data.symbol = kept


@pytest.mark.parametrize("number, text", [(61659.7, "61,659.7"), (0.00001234, "0.00001234"), (0, "0"),
                                          (-0.05, "\N{MINUS SIGN}0.05"), (1e6, "1,000,000"), (0.1 + 0.2, "0.3"),
                                          (float("nan"), "nan")])
def test_plain_numbers(number, text):
    assert plain(number) == text


@pytest.mark.parametrize("share, text", [(1.0, "100 %"), (0.0, "0 %"), (0.9999, "99.99 %"), (0.00004, "0.004 %"),
                                         (0.5, "50 %"), (0.996, "99.6 %")])
def test_only_all_of_the_time_is_a_hundred_percent(share, text):
    assert percent(share) == text


def test_durations_have_the_unit_that_suits_them():
    assert [duration(ns) for ns in (5, 14.8e6, 90 * S, 86_400 * S)] == ["5 ns", "14.8 ms", "1.5 min", "1 d"]


# ---- what cannot be drawn

def test_what_is_not_in_the_data_is_said(tmp_path, monkeypatch):
    one_sided = collect(write(tmp_path, [(0, "h", snapshot(10, '[["99.0","3"]]', "[]")),
                                         (1, "<", delta(9, 11, bids='[["98.0","3"]]')),
                                         (2, "<", delta(12, 12, bids='[["97.0","3"]]'))]))
    assert one_sided.missing == {
        "heatmap": "the book never had both sides", "spread": "the book never had both sides",
        "latency": "no message of the book tells the venue's time of it"}
    assert legend(draw(one_sided, "depth")) == ["bids: 3 levels, 3 of them shown", "asks: none"]
    with pytest.raises(PlotError, match=r"binance_usdm BTCUSDT: no plot of latency: no message of the book tells"):
        draw(one_sided, "latency")
    with pytest.raises(PlotError, match="no plot is called fog; there are depth"):
        draw(one_sided, "fog")
    with pytest.raises(PlotError, match="a heat map was not collected"):
        draw(collect(write(tmp_path, [(0, "h", snapshot(10, '[["9","3"]]', '[["11","3"]]')), (1, "<", delta(9, 11))],
                           name="b.ws"), ["gaps"]), "heatmap")


def test_a_book_that_was_never_live_has_its_states_alone(tmp_path):
    waiting = collect(write(tmp_path, [(0, "<", delta(9, 11)), (1, "<", delta(12, 12))]))
    assert set(waiting.missing) == {"depth", "heatmap", "spread", "latency"}
    assert waiting.missing["depth"] == "the book is empty at the end (SYNCING)"
    assert legend(draw(waiting, "gaps"))[0] == "SYNCING"


def test_a_book_that_was_there_for_no_time_is_not_drawn_over_time(tmp_path):
    late = collect(write(tmp_path, [(0, "<", delta(9, 10)), (1, "h", snapshot(10, '[["99","3"]]', '[["101","1"]]'))]))
    assert late.missing["spread"] == "the book had both sides for no time at all" and late.depth is not None


def test_a_capture_of_one_moment(tmp_path):
    once = collect(write(tmp_path, [(0, "h", snapshot(10, '[["99","3"]]', '[["101","1"]]')), (0, "<", delta(9, 11))]))
    for kind in set(KINDS) - set(once.missing):
        draw(once, kind).draw_without_rendering()


def test_unknown_symbols_and_times(capture):
    with pytest.raises(SymbolError, match="BTCUSDT"):
        collect(capture, symbol="BTCUSTD")
    with pytest.raises(RangeError, match="there are records from 2023-11-14T22:13:20"):
        collect(capture, start="2024-01-01")
    with pytest.raises(PlotError, match="no plot is called fog"):
        collect(capture, ["fog"])


def test_a_capture_without_a_book(tmp_path):
    with pytest.raises(PlotError, match=r"small.ws: no book of any symbol in it"):
        collect(write(tmp_path, [(0, "=", "wss://fstream.binance.com")]))


def test_what_can_be_read_of_a_damaged_file_is_plotted(capture, tmp_path):
    with capture.open("a") as file:
        file.write("what is this?\n")
    result = call(capture, "--kind", "gaps", "--out", tmp_path / "x.svg")
    assert "line 10, byte" in complaint(result) and result.stdout.split() == [str(tmp_path / "x.svg")]
    assert collect(capture).timeline.spans(T0 + 10 * S)[-1][2] is STALE
    capture.write_text("what is this?\n")
    nothing = call(capture, "--kind", "gaps", "--out", tmp_path / "y.svg")
    assert "small.ws: line 1, byte 0: expected" in complaint(nothing)
    assert not (tmp_path / "y.svg").exists()


def test_a_missing_library_names_the_extra(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'wirebook\[plot\]'"):
        draw(data, "depth")


def test_importing_feeds_and_drawing_need_no_pyplot(tmp_path):
    code = "import sys, feeds, feeds.plots; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                          cwd=Path(__file__).parents[2]).stdout == "False\n"
    assert "matplotlib.pyplot" not in sys.modules


# ---- the command

def call(*args):
    return CliRunner().invoke(app, ["plot", *map(str, args)])


def complaint(result) -> str:
    assert result.exit_code not in (0, 70), result.output
    (line,) = result.stderr.splitlines()
    return line


def test_the_command_writes_every_kind(capture, tmp_path):
    result = call(capture, "--out", tmp_path / "pictures", "--dpi", 30)
    assert result.exit_code == 0, result.output
    names = [f"binance_usdm_BTCUSDT_{kind}.png" for kind in KINDS]
    assert result.stdout.split() == [str(tmp_path / "pictures" / name) for name in names]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == sorted(names)


def test_the_command_writes_one_file(capture, tmp_path):
    result = call(capture, "--kind", "gaps", "--symbol", "btcusdt", "--out", tmp_path / "x.svg", "--width", 6)
    assert result.exit_code == 0 and result.stdout.split() == [str(tmp_path / "x.svg")]
    assert ElementTree.parse(tmp_path / "x.svg").getroot().get("width") == "432pt"


def test_the_command_says_which_book_it_took_and_what_it_left_out(tmp_path):
    lines = [(0, "h", snapshot(10, '[["9","3"]]', '[["11","3"]]', symbol)) for symbol in ("AUSDT", "BUSDT")]
    lines += [(1, "<", delta(9, 11, symbol="AUSDT")), (1, "<", delta(9, 11, symbol="BUSDT")),
              (2, "<", delta(12, 12, symbol="BUSDT"))]
    result = call(write(tmp_path, lines), "--out", tmp_path, "--dpi", 30)
    assert result.exit_code == 0
    assert result.stdout.startswith("BUSDT, the busiest of 2 books; --symbol for another: AUSDT\n")
    assert result.stderr == ("wirebook: binance_usdm BUSDT: no plot of latency: no message of the book tells the "
                             "venue's time of it\n")
    assert call(tmp_path / "binance_usdm" / "small.ws", "--kind", "latency", "--out", tmp_path).exit_code == 1


@pytest.mark.parametrize("args, says", [
    (["--kind", "fog"], "no plot is called fog; there are depth, heatmap, spread, latency, gaps"),
    (["--format", "pdf"], "--format pdf: expected one of png, svg"),
    (["--out", "x.pdf"], "--out x.pdf: expected a folder, or a name that ends in .png or .svg"),
    (["--out", "x.svg", "--format", "png", "--kind", "gaps"], "expected a folder, or a name that ends in .png"),
    (["--out", "x.png"], "--out x.png: 5 plots need a folder"),
    (["--out", "/proc/nothing"], "/proc/nothing: cannot write there: "),
    (["--symbol", "BTCUSTD"], "no BTCUSTD; near: BTCUSDT"),
    (["--start", "2024-01-01"], "there are records from 2023-11-14T22:13:20"),
    (["--end", "noon"], "expected a time like"),
    (["--width", "50", "--height", "50", "--dpi", "300"], "a picture of more than 100,000,000 pixels"),
])
def test_what_the_command_cannot_do_is_one_line(capture, tmp_path, monkeypatch, args, says):
    monkeypatch.chdir(tmp_path)
    assert says in complaint(call(capture, *args))
    assert not list(tmp_path.glob("*.*"))
