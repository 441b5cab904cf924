"""What a handler gets of changed levels, and the rows it becomes: gaps, snapshots, scales, partial books, silence."""

from __future__ import annotations

import numpy as np
import pytest

from feeds import Pipeline
from feeds.export import Collecting, arrow, hftbacktest
from feeds.export.tables import MAX_DEPTH, floats, rescale
from feeds.figures import book_sha256
from orderbook import BookState
from tests import frames, rebuild
from tests.venues import kraken

T0 = 1_700_000_000_000_000_000
S = 10 ** 9


class Fed:
    """A pipeline that collects, and what its LIVE books were."""

    def __init__(self, venue="binance_usdm", on_gap="resync", **options):
        self.collecting = Collecting(**options)
        self.pipeline = Pipeline(venue, self.collecting.handler, on_gap=on_gap)
        self.collecting.handler.markets = self.pipeline.spec.markets
        self.now = T0
        self.books = {}
        self.pipeline.on_applied = self.applied

    def applied(self, book):
        if book.status is BookState.LIVE:
            rebuild.note(self.books.setdefault(book.symbol, []), book_sha256(book))

    def feed(self, *payloads, after=S, line=0):
        self.now += after
        for payload in payloads:
            self.pipeline.feed(payload, self.now, line)

    def rest(self, number, bids=(), asks=(), after=S, symbol="BTCUSDT"):
        self.now += after
        self.pipeline.rest(frames.rest_url(symbol=symbol), frames.snapshot(number, bids, asks), self.now)

    def end(self):
        return self.collecting.end("binance_usdm", "", [])


@pytest.fixture
def fed():
    """BTCUSDT is LIVE at 10, which comes to be known when its snapshot has been joined: `books` begins behind it."""
    fed = Fed()
    fed.feed(frames.delta(8, 10, 7))
    fed.rest(10, [("100", "1"), ("99", "2")], [("101", "3")])
    return fed


def states(tables):
    return [(tables.symbols[row["symbol"]], BookState(row["old"]).name, BookState(row["new"]).name,
             (int(row["receive_ns"]) - T0) // S) for row in tables["states"]]


def test_a_gap_is_marked_and_a_snapshot_follows(fed):
    fed.feed(frames.delta(11, 12, 10, bids=[("100", "4")], asks=[("101", "0"), ("102", "5")]))
    fed.feed(frames.delta(20, 21, 19, bids=[("98", "7")]))                      # 13 to 19 are missing
    fed.feed(frames.delta(22, 23, 21, bids=[("97", "7")]), frames.trade(price="100", qty="1"))
    fed.rest(22, [("98", "7"), ("96", "1")], [("103", "1")])
    fed.feed(frames.delta(24, 25, 23, bids=[("96", "0")]))
    tables = fed.end()
    assert states(tables) == [("BTCUSDT", "EMPTY", "SYNCING", 1), ("BTCUSDT", "SYNCING", "LIVE", 2),
                              ("BTCUSDT", "LIVE", "STALE", 4), ("BTCUSDT", "STALE", "LIVE", 6)]
    assert tables.reasons[tables["states"]["reason"][2]] == "gap: the book stands at 12, the next message begins at 20"
    rows = tables["book"]
    seconds = (rows["receive_ns"] - T0) // S
    assert list(zip(seconds.tolist(), rows["is_snapshot"].tolist(), rows["side"].tolist(), rows["price"].tolist(),
                    rows["qty"].tolist(), rows["sequence"].tolist(), strict=True)) == [
        (2, True, 0, 100, 1, 10), (2, True, 0, 99, 2, 10), (2, True, 1, 101, 3, 10),
        (3, False, 0, 100, 4, 12), (3, False, 1, 101, 0, 12), (3, False, 1, 102, 5, 12),
        (6, True, 0, 98, 7, 23), (6, True, 0, 97, 7, 23), (6, True, 0, 96, 1, 23), (6, True, 1, 103, 1, 23),
        (7, False, 0, 96, 0, 25)]
    lost, back = (int(tables["states"]["message"][i]) for i in (2, 3))
    assert 2 < lost < tables["trades"]["message"][0] < back < rows["message"][6]
    events = hftbacktest.events(tables, "BTCUSDT")
    clears = events[(events["ev"] & 0xFF) == hftbacktest.CLEAR]
    assert ((clears["local_ts"] - clears["local_ts"][0]) // S).tolist() == [0, 2, 4]


def test_closed_and_opened_lines_end_a_book(fed):
    fed.pipeline.closed(0)
    fed.pipeline.opened(0)
    fed.feed(frames.delta(30, 31, 29))
    fed.rest(31, [], [])                                                        # an empty book is one
    fed.feed(frames.delta(32, 33, 31, bids=[("5", "1")]))
    tables = fed.end()
    assert [state[1:3] for state in states(tables)][2:] == [
        ("LIVE", "STALE"), ("STALE", "EMPTY"), ("EMPTY", "SYNCING"), ("SYNCING", "LIVE")]
    assert tables["book"][["is_snapshot", "price", "qty"]].tolist()[3:] == [(True, 0, 0), (False, 5, 1)]
    assert list(rebuild.rebuilt(rebuild.levels_of(tables)))[-1][2] == {"bid": {5: 1}, "ask": {}}


def test_a_snapshot_by_rest_of_a_live_book_replaces_it_in_a_recording():
    fed = Fed(on_gap="count")
    fed.rest(10, [("100", "1")], [("101", "3")])
    fed.feed(frames.delta(10, 12, 9, bids=[("99", "4")]))
    fed.rest(12, [("97", "1")], [("105", "3")])
    fed.feed(frames.delta(12, 14, 11, bids=[("96", "4")]))
    tables = fed.end()
    assert rebuild.digests(rebuild.levels_of(tables)) == fed.books and len(fed.books["BTCUSDT"]) == 4
    assert tables["book"]["is_snapshot"].tolist() == [True, True, False, True, True, False]


def test_deltas_kept_for_a_snapshot_come_behind_it_in_a_recording():
    fed = Fed(on_gap="count")
    fed.feed(frames.delta(8, 10, 7, bids=[("50", "1")]), frames.delta(11, 12, 10, bids=[("99", "4")]))
    fed.feed(frames.delta(13, 14, 12, asks=[("101", "0")]))
    fed.rest(10, [("100", "1")], [("101", "3")])
    tables = fed.end()
    assert rebuild.digests(rebuild.levels_of(tables)) == fed.books and len(fed.books["BTCUSDT"]) == 4
    assert set(tables["book"]["receive_ns"].tolist()) == {T0 + 3 * S}           # none was known before


def test_scales_that_widen_are_one_in_the_end(fed):
    fed.feed(frames.trade(price="100.5", qty="0.25"))
    fed.feed(frames.delta(11, 12, 10, bids=[("100.125", "1.5")]), frames.quote())
    fed.feed(frames.delta(13, 14, 12, asks=[("101", "0.00000001")]))
    tables = fed.end()
    assert tables.scales == {"BTCUSDT": (3, 8)}
    for name in ("book", "trades", "quotes"):
        assert set(tables[name]["price_scale"]) == {3} and set(tables[name]["qty_scale"]) == {8}
    assert tables["book"]["price"].tolist() == [100000, 99000, 101000, 100125, 101000]
    assert tables["book"]["qty"].tolist() == [10 ** 8, 2 * 10 ** 8, 3 * 10 ** 8, 15 * 10 ** 7, 1]
    assert tables["trades"][["price", "qty"]].tolist() == [(100500, 25 * 10 ** 6)]
    assert rebuild.digests(rebuild.levels_of(tables))["BTCUSDT"][1:] == fed.books["BTCUSDT"]


def test_a_number_that_no_longer_fits_keeps_its_scale(fed):
    fed.feed(frames.delta(11, 12, 10, bids=[("98", "9000000000000000000")]))
    fed.feed(frames.delta(13, 14, 12, bids=[("98", "0")]))
    fed.feed(frames.delta(15, 16, 14, bids=[("97", "0.5")]))
    tables = fed.end()
    assert tables["book"][["qty", "qty_scale"]].tolist()[3:] == [(9 * 10 ** 18, 0), (0, 1), (5, 1)]
    assert rebuild.digests(rebuild.levels_of(tables))["BTCUSDT"][1:] == fed.books["BTCUSDT"]


def test_quantities_with_decimals_of_their_own_are_exact():
    fed = Fed(tables=["book", "snapshots"], depth=2)
    fed.feed(frames.delta(8, 10, 7))
    fed.rest(10, [("100", "173416519.2452"), ("99", "3307.9982700421942")], [("101", "3")])
    book = fed.pipeline.book("BTCUSDT")
    raw = book.raw.bids_int().tolist()
    tables = fed.end()
    digest = book_sha256(book)
    assert rebuild.digests(rebuild.levels_of(tables))["BTCUSDT"] == [digest]
    assert min(qty for _, qty in raw) < -(1 << 62), "the case itself"
    top = tables["snapshots"]
    assert top["bid_qty"][0].tolist() == [qty for _, qty in raw]
    columns = arrow.table(tables, "snapshots").to_pydict()
    told = [columns[f"bid_qty_{i}"][0] for i in range(2)]
    assert told.count(None) == 1 and columns["bid_price_0"] == [raw[0][0]]


def test_levels_beyond_the_depth_of_a_stream_leave_with_what_moved_them(monkeypatch):
    """The venue does not say so: kraken's client keeps as many as it asked for."""
    monkeypatch.setattr(kraken, "DEPTH", 10)
    fed, market = Fed("kraken"), kraken.Market("BTC/USD")
    fed.feed(*(frame for _, frame in market.snapshot(0, [(str(100 - i), "1") for i in range(kraken.DEPTH)],
                                                     [(str(200 + 2 * i), "2") for i in range(kraken.DEPTH)])))
    for i in range(5):
        for bids, asks in (([(f"{101 + i}.{j}", "1") for j in range(3)], [("199.5", str(i))]),
                           ([(f"{101 + i}.5", "1")], [])):
            (_, frame), = market.delta(0, 0, bids, asks)
            fed.feed(frame)
    tables = fed.end()
    assert rebuild.digests(rebuild.levels_of(tables)) == fed.books and len(fed.books["BTC/USD"]) == 11


def test_partial_books_and_second_markets_have_names_of_their_own():
    fed = Fed("binance_spot")
    whole = frames.snapshot(5, [("100", "1")], [("101", "1")], futures=False)
    fed.pipeline.feed(b'{"stream":"btcusdt@depth20@100ms","data":' + whole + b"}", T0 + S)
    fed.pipeline.follow("BTCUSDT")
    fed.pipeline.feed(frames.delta(6, 7), T0 + 2 * S)
    fed.pipeline.rest(frames.rest_url("binance_spot"), whole, T0 + 3 * S)
    fed.pipeline.feed(frames.delta(6, 7, bids=[("99", "1")]), T0 + 4 * S)
    tables = fed.end()
    assert sorted(tables.symbols) == ["BTCUSDT", "BTCUSDT#20"]
    assert len(tables.of("book", "BTCUSDT#20")) == 2
    assert {tables.symbols[row["symbol"]] for row in tables["states"]} == set(tables.symbols)


def test_rows_at_moments_end_in_silence_and_say_when_a_book_is_lost():
    fed = Fed(tables=["snapshots", "features"], depth=1, features=["mid", "bid_levels"], every_ns=10 * S)
    fed.feed(frames.delta(8, 10, 7))
    fed.rest(10, [("100", "1")], [("102", "3")], after=2 * S)                   # at 3 s
    fed.feed(frames.delta(11, 12, 10, bids=[("101", "1")]), after=9 * S)         # at 12 s
    fed.feed(frames.delta(20, 21, 19), after=10 * S)                            # a gap at 22 s
    fed.feed(frames.delta(22, 23, 21), after=1000 * S)                          # at 1022 s
    fed.rest(23, [("50", "1")], [("60", "3")], after=S)
    fed.feed(frames.delta(24, 25, 23), after=8 * S)                             # at 1031 s
    tables = fed.end()
    seconds = ((tables["snapshots"]["receive_ns"] - T0) // S).tolist()
    assert seconds == [10, 20, 30, 40, 50, 60, 70, 80, 1030]
    assert ((tables["features"]["receive_ns"] - T0) // S).tolist() == seconds
    stale = BookState.STALE
    assert tables["snapshots"]["status"].tolist() == [2, 2] + [stale] * 6 + [2]
    assert tables["snapshots"]["bid_price"][:, 0].tolist() == [100, 101] + [0] * 6 + [50]
    np.testing.assert_array_equal(tables["features"]["mid"], [101, 101.5] + [np.nan] * 6 + [55])
    assert tables["features"]["bid_levels"].tolist() == [1, 2] + [0] * 6 + [1]


def test_rows_at_every_change_say_when_a_book_is_lost(fed):
    other = Fed(tables=["snapshots", "features"], depth=1, features=["mid"])
    other.feed(frames.delta(8, 10, 7))
    other.rest(10, [("100", "1")], [("102", "3")])
    other.feed(frames.delta(11, 12, 10, bids=[("90", "1")]))                     # not among the best
    other.feed(frames.delta(20, 21, 19))
    tables = other.end()
    assert tables["snapshots"]["status"].tolist() == [2, 3]
    np.testing.assert_array_equal(tables["features"]["mid"], [101, 101, np.nan])


def test_many_rows_pass_through_small_arrays(fed):
    for i in range(20_000):
        fed.feed(frames.delta(11 + i, 11 + i, 10 + i, bids=[(str(50 + i % 40), str(i + 1))] * 2), after=1000)
    tables = fed.end()
    assert len(tables["book"]) == 40_003 and tables["book"]["qty"][-1] == 20_000
    assert (np.diff(tables["book"]["message"]) >= 0).all()


def test_what_a_collection_cannot_be():
    for options, error in (({"depth": MAX_DEPTH + 1}, "expected a depth"), ({"tables": ["books"]}, "near: book"),
                           ({"features": "mid,,ofi"}, "unknown feature")):
        with pytest.raises(ValueError, match=error):
            Collecting(**options)


def test_rows_without_a_clock_keep_their_order():
    fed = Fed()
    fed.pipeline.feed(frames.delta(8, 10, 7))
    fed.pipeline.rest(frames.rest_url(), frames.snapshot(10, [("1", "1")], []))
    tables = fed.end()
    assert tables["book"]["receive_ns"].tolist() == [0]


def test_rescaling_leaves_what_is_right():
    rows = np.zeros(3, [("symbol", "i4"), ("price_scale", "i1"), ("qty_scale", "i1"), ("price", "i8"), ("qty", "i8")])
    rows["symbol"], rows["price"], rows["qty"] = [0, 1, 1], [5, 5, -5], [7, 1 << 61, 7]
    rescale(rows, np.array([[0, 0], [2, 1]], np.int8))
    assert rows.tolist() == [(0, 0, 0, 5, 7), (1, 2, 0, 500, 1 << 61), (1, 2, 1, -500, 70)]
    assert floats(rows["price"], rows["price_scale"]).tolist() == [5, 5, -5]


def test_books_of_two_pipelines_are_two():
    fed = Fed()
    other = Pipeline("binance_usdm", fed.collecting.handler)
    for pipeline in (fed.pipeline, other):
        pipeline.feed(frames.delta(8, 10, 7), T0)
        pipeline.rest(frames.rest_url(), frames.snapshot(10, [("1", "1")], []), T0)
    tables = fed.end()
    assert tables.symbols == ["BTCUSDT", "BTCUSDT@1"]
    assert tables["book"]["symbol"].tolist() == [0, 1] and tables["states"]["symbol"].tolist() == [0, 0, 1, 1]
