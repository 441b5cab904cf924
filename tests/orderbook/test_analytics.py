"""Analytics of a book: examples by hand and from papers, the slow reference on random and recorded books, bad input."""

from __future__ import annotations

import math
import random
import re
import threading
from contextlib import closing
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from feeds.capture import CaptureReader
from feeds.pipeline import Pipeline
from orderbook import Book, BookNotLive, Side, analytics
from tests.slow_analytics import Sides, order_flow

BIDS = [("100.0", "2"), ("99.9", "1"), ("99.0", "5")]
ASKS = [("100.2", "1"), ("100.3", "4"), ("101", "6")]
NAN = math.nan


def book_of(bids=BIDS, asks=ASKS, **options) -> Book:
    book = Book(**options)
    book.apply_snapshot(bids, asks)
    return book


@pytest.fixture
def book() -> Book:
    return book_of()


def close(found, wanted, size=0.0) -> bool:
    """Equal but for rounding; None is nan, tuples and rows element by element. `size`: of the numbers it comes from."""
    if isinstance(wanted, (tuple, list)):
        return len(found) == len(wanted) and all(close(a, b, size) for a, b in zip(found, wanted, strict=True))
    if wanted is None:
        return math.isnan(found)
    return found == pytest.approx(float(wanted), rel=1e-9, abs=1e-12 * size)


# ---- examples by hand

@pytest.mark.parametrize(("call", "wanted"), [
    (lambda b: analytics.mid(b), 100.1),
    (lambda b: analytics.spread(b), 0.2),
    (lambda b: analytics.spread_bps(b), 10_000 * 0.2 / 100.1),
    (lambda b: analytics.spread_ticks(b), 2.0),
    (lambda b: analytics.spread_ticks(b, 0.05), 4.0),
    (lambda b: analytics.microprice(b), (100.0 * 1 + 100.2 * 2) / 3),
    (lambda b: analytics.imbalance(b, 1), 1 / 3),
    (lambda b: analytics.imbalance(b, 2), -2 / 8),
    (lambda b: analytics.imbalance(b), -3 / 19),
    (lambda b: analytics.imbalance_within(b, 20), -2 / 8),
    (lambda b: analytics.imbalance_within(b, 1), NAN),                    # nothing so near
    (lambda b: analytics.depth_within(b, 20), (3.0, 5.0)),
    (lambda b: analytics.depth_within(b, 1), (0.0, 0.0)),
    (lambda b: analytics.depth_ratio(b, 20), 0.6),
    (lambda b: analytics.depth_ratio(b, 1), NAN),
    (lambda b: analytics.known_bps(b), (math.inf, math.inf)),
    (lambda b: analytics.vwap(b, "buy", 1), (100.2, 1.0)),
    (lambda b: analytics.vwap(b, "buy", 3), ((100.2 + 2 * 100.3) / 3, 3.0)),
    (lambda b: analytics.vwap(b, "buy", 3, fee_bps=10), ((100.2 + 2 * 100.3) / 3 * 1.001, 3.0)),
    (lambda b: analytics.vwap(b, "sell", 3, fee_bps=10), ((200.0 + 99.9) / 3 * 0.999, 3.0)),
    (lambda b: analytics.vwap(b, "sell", 99), ((200.0 + 99.9 + 495.0) / 8, 8.0)),      # all that there is
    (lambda b: analytics.vwap(b, "buy", notional=100.2 + 2 * 100.3), ((100.2 + 2 * 100.3) / 3, 300.8)),
    (lambda b: analytics.vwap(b, "sell", notional=10_000), (794.9 / 8, 794.9)),
    (lambda b: analytics.impact_bps(b, "buy", 1), 10_000 * 0.1 / 100.1),
    (lambda b: analytics.impact_bps(b, "sell", 2), 10_000 * 0.1 / 100.1),
    (lambda b: analytics.impact_bps(b, "sell", 2, fee_bps=5), 10_000 * (100.1 - 100 * 0.9995) / 100.1),
    (lambda b: analytics.impact_bps(b, "sell", 9), NAN),
    (lambda b: analytics.slippage_bps(b, "buy", 100, 1), 20.0),
    (lambda b: analytics.slippage_bps(b, "buy", 101, 1), -10_000 * 0.8 / 101),
    (lambda b: analytics.slippage_bps(b, "sell", 101, 1), 10_000 / 101),
    (lambda b: analytics.slippage_bps(b, "buy", 100, notional=1e9), NAN),
    (lambda b: analytics.slippage_bps(b, "buy", 0, 1), NAN),
    (lambda b: analytics.qty_to_move(b, "buy", 5), 1.0),
    (lambda b: analytics.qty_to_move(b, "buy", 10), 5.0),                 # 100.3 is 9.98 bps away
    (lambda b: analytics.qty_to_move(b, "sell", 10), 2.0),                # 99.9 is exactly 10 bps away: it is enough
    (lambda b: analytics.qty_to_move(b, "sell", 101), math.inf),
    (lambda b: analytics.depth_slope(b, Side.BID, 2), 1 / (10_000 * 0.1 / 100.1)),
    (lambda b: analytics.queue_ahead(b, Side.BID, "99.9"), (1.0, 2.0)),
    (lambda b: analytics.queue_ahead(b, Side.BID, "99.95"), (0.0, 2.0)),
    (lambda b: analytics.queue_ahead(b, Side.ASK, "100.25"), (0.0, 1.0)),
    (lambda b: analytics.queue_ahead(b, Side.ASK, 101), (6.0, 5.0)),
    (lambda b: analytics.queue_ahead(b, Side.ASK, 10**30), (0.0, 11.0)),
    (lambda b: analytics.queue_ahead(b, Side.BID, Decimal("-1e-30")), (0.0, 8.0)),
    (lambda b: (analytics.is_crossed(b), analytics.is_locked(b)), (False, False)),
])
def test_an_example_by_hand(book, call, wanted):
    assert call(book) == pytest.approx(wanted, rel=1e-12, nan_ok=True)


def test_curves_by_hand(book):
    assert analytics.depth_curve(book, Side.ASK).tolist() == [[100.2, 1], [100.3, 5], [101, 11]]
    assert analytics.depth_curve(book, Side.BID, 2).tolist() == [[100.0, 2], [99.9, 3]]
    assert analytics.grouped(book, Side.BID, "0.5").tolist() == [[100.0, 2], [99.5, 1], [99.0, 5]]
    assert analytics.grouped(book, Side.ASK, 1).tolist() == [[101.0, 11]]
    assert analytics.grouped(book, Side.ASK, 0.25, 1).tolist() == [[100.25, 1]]
    assert analytics.depth_curve(book_of([], ASKS), Side.BID).shape == (0, 2)


def test_the_cost_of_an_order_by_hand(book):
    cost = analytics.order_cost(book, "buy", 3, fee_bps=5, arrival=100)
    vwap = (100.2 + 2 * 100.3) / 3
    assert cost == pytest.approx((vwap, 3, 3 * vwap, 100.3, 2, True, 5e-4 * 3 * vwap, 3 * (vwap * 1.0005 - 100.1),
                                  10_000 * (vwap * 1.0005 - 100.1) / 100.1, 100 * (vwap * 1.0005 - 100)))
    part = analytics.order_cost(book, "sell", 99)
    assert (part.qty, part.levels, part.complete, part.worst) == (8.0, 3, False, 99.0)
    assert part.cost == pytest.approx(8 * (100.1 - 794.9 / 8))
    assert math.isnan(part.slippage_bps)
    nothing = analytics.order_cost(book_of([], ASKS), "sell", 1)
    assert (nothing.qty, nothing.levels, nothing.complete, nothing.fee) == (0.0, 0, False, 0.0)
    assert all(map(math.isnan, (nothing.vwap, nothing.worst, nothing.cost, nothing.impact_bps)))


def test_crossed_and_locked_books():
    crossed, locked = book_of([(101, 1)], [(100, 1)]), book_of([(100, 1)], [(100, 1)])
    assert (analytics.is_crossed(crossed), analytics.is_locked(crossed), analytics.spread(crossed)) == (True, False, -1)
    assert (analytics.is_crossed(locked), analytics.is_locked(locked), analytics.spread(locked)) == (False, True, 0)
    assert analytics.depth_within(crossed, 1) == (1.0, 1.0)               # better than mid is not farther from it
    assert analytics.impact_bps(crossed, "buy", 1) == pytest.approx(-10_000 * 0.5 / 100.5)


def test_how_far_the_depth_is_known():
    pipeline = Pipeline("binance_usdm")
    rows = [[str(100 - i), "1"] for i in range(1000)], [[str(101 + i), "1"] for i in range(1000)]
    sides = "],\"asks\":[".join(",".join(f'["{p}","{q}"]' for p, q in side) for side in rows)
    pipeline.rest("https://fapi.binance.com/fapi/v1/depth?symbol=X&limit=1000",
                  f'{{"lastUpdateId":1,"bids":[{sides}]}}'.encode())
    book = pipeline.book("X")
    raw = book.raw
    bid, ask = analytics.known_bps(raw)
    assert bid == pytest.approx(10_000 * (100.5 - book.trusted_bid) / 100.5)
    assert ask == pytest.approx(10_000 * (book.trusted_ask - 100.5) / 100.5)
    assert math.isfinite(bid) and math.isfinite(ask)


# ---- examples of papers and documents

def test_vwap_and_slippage_of_a_published_example():
    """https://docs.paradex.trade/documentation/trading/price-impact-and-slippage: 20 from asks of 10, 5 and 10."""
    book = book_of([("99990", 1)], [(100_000, 10), (100_010, 5), (100_030, 10)])
    assert analytics.vwap(book, "buy", 20) == (100_010.0, 20.0)
    assert analytics.slippage_bps(book, "buy", 100_000, 20) == pytest.approx(1.0)      # 10 of 100,000
    assert analytics.order_cost(book, "buy", 20).worst == 100_030.0


def test_microprice_is_the_weighted_mid_of_stoikov(book):
    """Stoikov (2018): I * ask + (1 - I) * bid with I = bid_qty / (bid_qty + ask_qty)."""
    weight = 2 / (2 + 1)
    assert analytics.microprice(book) == pytest.approx(weight * 100.2 + (1 - weight) * 100.0)
    assert analytics.microprice(book_of([(10, 5)], [(11, 5)])) == analytics.mid(book_of([(10, 5)], [(11, 5)]))


# The cases of Cont, Kukanov and Stoikov (2014), section 2: what happens at the best bid 10 with 5, best ask 11 with 7.
CASES = [
    ("bid grows: e = the increase", [(10, 8)], [], 3),
    ("bid shrinks: e = minus the decrease", [(10, 1)], [], -4),
    ("bid rises: e = the new quantity", [("10.5", 2)], [], 2),
    ("bid falls: e = minus the old quantity", [(10, 0)], [], -5),
    ("ask grows: e = minus the increase", [], [(11, 9)], -2),
    ("ask shrinks: e = the decrease", [], [(11, 6)], 1),
    ("ask falls: e = minus the new quantity", [], [("10.9", 4)], -4),
    ("ask rises: e = the old quantity", [], [(11, 0)], 7),
    ("nothing at the best prices", [(9, 100)], [(12, 100)], 0),
    ("the last bid goes", [(10, 0), (9, 0)], [], -5),
    ("both at once", [(10, 6)], [(11, 5)], 3),
]


@pytest.mark.parametrize(("bids", "asks", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_order_flow_of_the_paper(bids, asks, wanted):
    book, flow = book_of([(10, 5), (9, 1)], [(11, 7), (12, 1)]), analytics.OrderFlow()
    assert flow.update(book) == 0.0
    book.apply_delta(bids, asks)
    assert flow.update(book) == wanted
    assert (flow.total, flow.events) == (wanted, 1)


def test_order_flow_adds_up_and_begins_again():
    book, flow = book_of([(10, 5)], [(11, 7)]), analytics.OrderFlow()
    flow.update(book)
    for qty in (6, 9, 7):
        book.apply_delta([(10, qty)], [])
        flow.update(book)
    assert (flow.total, flow.events) == (2.0, 3)
    assert flow.take() == 2.0
    assert (flow.total, flow.events, flow.take()) == (0.0, 0, 0.0)
    book.apply_delta([("10.25", "1.5")], [])                      # the scales widen
    assert flow.update(book) == 1.5
    flow.reset()
    assert flow.update(book) == 0.0
    book.apply_delta([(10, 0), ("10.25", 0)], [])
    assert flow.update(book) == -1.5
    book.apply_delta([(3, 4)], [])                                # the side comes back
    assert flow.update(book) == 4.0


def test_order_flow_begins_anew_after_a_gap():
    pipeline, flow = Pipeline("binance_usdm"), analytics.OrderFlow()

    def take_snapshot(sequence):
        pipeline.rest("https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000",
                      b'{"lastUpdateId":%d,"bids":[["10","5"]],"asks":[["11","7"]]}' % sequence)

    def delta(first, last, before, qty):
        pipeline.feed(b'{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":%d,"u":%d,"pu":%d,"b":[["10","%d"]],"a":[]}'
                      % (first, last, before, qty))

    take_snapshot(100)
    delta(99, 105, 98, 6)
    book = pipeline.book("BTCUSDT")
    assert flow.update(book) == 0.0
    delta(106, 107, 105, 8)
    assert flow.update(book) == 2.0
    delta(120, 121, 119, 50)                                      # a gap
    with pytest.raises(BookNotLive):
        flow.update(book)
    take_snapshot(130)
    delta(129, 131, 128, 60)
    assert flow.update(book) == 0.0                               # and not 60 - 8
    delta(132, 133, 131, 61)
    assert flow.update(book) == 1.0
    delta(140, 141, 139, 50)
    take_snapshot(150)
    delta(149, 151, 148, 9)
    assert flow.update(book) == 0.0                               # also where nobody looked in between
    assert flow.total == 3.0


# ---- against the slow reference

def sides_of(reads) -> Sides:
    return Sides([(reads.price_decimal(p), reads.qty_decimal(q)) for p, q in reads.bids_int().tolist()],
                 [(reads.price_decimal(p), reads.qty_decimal(q)) for p, q in reads.asks_int().tolist()])


def assert_agrees(reads, rng) -> None:
    """Every analytic of a book against the reference, with arguments that suit the book."""
    slow = sides_of(reads)
    everything = slow.bids + slow.asks
    size = float(max((abs(p) for p, _ in everything), default=1))
    for name in ("mid", "spread", "spread_bps", "microprice"):
        assert close(getattr(analytics, name)(reads), getattr(slow, name)(), size), name
    if slow.both:
        assert analytics.is_crossed(reads) == (slow.spread() < 0)
        assert analytics.is_locked(reads) == (slow.spread() == 0)
        ticks = slow.spread() / Fraction(Decimal(repr(reads.tick_size)))
        assert close(analytics.spread_ticks(reads), ticks)
    for depth in (1, 2, rng.randint(1, 50)):
        assert close(analytics.imbalance(reads, depth), slow.imbalance(depth), 1)
    for bps in (1, 10, rng.choice([0.5, 25, 100, 1_000, 20_000])):
        for name in ("depth_within", "depth_ratio", "imbalance_within"):
            assert close(getattr(analytics, name)(reads, bps), getattr(slow, name)(Fraction(bps)), 1), (name, bps)
        for order in ("buy", "sell"):
            assert close(analytics.qty_to_move(reads, order, bps), slow.qty_to_move(order, Fraction(bps)))
    for order in ("buy", "sell"):
        side = slow.taken(order)
        all_of_it = sum(q for _, q in side)
        for amount in orders(side, rng):
            fee = rng.choice([0, 5, -1])
            got, paid, levels, worst, complete = slow.fill(order, **amount)
            cost = analytics.order_cost(reads, order, **floats(amount), fee_bps=fee, arrival=size)
            if complete != cost.complete:                 # a sum of doubles may end a level early or late
                assert abs(got - all_of_it) <= 1e-12 * all_of_it
                continue
            price = slow.vwap(order, fee, **amount)
            assert close((cost.qty, cost.notional), (got, paid), size)
            assert close(cost.vwap, slow.vwap(order, **amount), size)
            assert close(analytics.vwap(reads, order, **floats(amount), fee_bps=fee)[0], price, size)
            if abs(cost.levels - levels) != 1:
                assert cost.levels == levels
                assert close(cost.worst, worst)
            if slow.mid():
                wanted = slow.worse_bps(order, slow.mid(), fee, **amount)
                far = 10_000 * size / float(abs(slow.mid()))
                assert close(cost.impact_bps, wanted, far)
                assert close(analytics.impact_bps(reads, order, **floats(amount), fee_bps=fee),
                             wanted if complete else None, far)
            assert close(cost.slippage_bps, slow.worse_bps(order, Fraction(size), fee, **amount), 10_000)
    for side, levels in ((Side.BID, slow.bids), (Side.ASK, slow.asks)):
        n = rng.randint(1, 40)
        assert close(analytics.depth_curve(reads, side, n).tolist(), slow.depth_curve(levels, n))
        assert len(analytics.depth_curve(reads, side)) == len(levels)
        assert close(analytics.depth_slope(reads, side, n + 1), slow.depth_slope(levels, n + 1),
                     float(sum(q for _, q in levels[:n + 1])))
        bucket = rng.choice([1, 2, 5, 10, Decimal("0.5"), Decimal("0.025")]) * Decimal(repr(reads.tick_size))
        exact = Fraction(bucket)
        assert close(analytics.grouped(reads, side, bucket, n).tolist(), slow.grouped(levels, exact, n))
        for price in (rng.choice(levels)[0], rng.choice(everything)[0] + exact) if levels else ():
            text = str(Decimal(price.numerator) / price.denominator)
            assert close(analytics.queue_ahead(reads, side, text), slow.queue_ahead(levels, price))


def orders(side, rng):
    """Quantities and notionals to try on a side: small, exact to a level, and more than there is."""
    held = float(sum(q for _, q in side)) or 1.0
    worth = float(sum(abs(p) * q for p, q in side)) or 1.0
    part = sum(q for _, q in side[:3])
    for qty in (held * rng.random(), Fraction(float(part)) or 1, held * 2):
        yield {"qty": Fraction(qty)}
    for share in (rng.random(), 0.01, 2):
        yield {"notional": Fraction(worth * share)}


def floats(amount):
    return {name: float(value) for name, value in amount.items()}


@pytest.mark.parametrize("centre, decimals, spread", [
    ("100", 2, 30), ("0.00001234", 10, 400), ("50000", 0, 10), ("0", 1, 50), ("-250", 1, 100), ("1000000", 1, 10**6)])
def test_random_books_agree_with_the_slow_reference(seed, centre, decimals, spread):
    rng = random.Random(f"{seed} {centre}")
    for _ in range(12):
        middle = Decimal(centre) + Decimal(rng.randint(0, spread)).scaleb(-decimals)
        overlap = rng.choice([0, 0, 0, 3])

        def levels(sign, middle=middle, overlap=overlap):
            return {middle + sign * Decimal(rng.randint(-overlap, spread)).scaleb(-decimals):
                    Decimal(rng.randint(1, 10**6)).scaleb(-rng.randint(0, 4)) for _ in range(rng.choice([0, 1, 5, 80]))}
        assert_agrees(book_of(levels(-1).items(), levels(1).items()), rng)


CAPTURES = [
    ("okx/books_20220513", 100), ("bybit/v5_linear_ob500_xrpusdt_20241201", 25), ("kraken/book_v2_btcusd_20260824", 1),
    ("bitfinex/multi_20210417", 300), ("gateio/futures_usdt_20230524", 60), ("hyperliquid/btc_20250126", 20),
    ("coinbase_advanced/l2_band_btcusd_20260824", 1), ("gemini/l2_20210624", 200),
]


@pytest.mark.parametrize(("capture", "every"), CAPTURES, ids=[name for name, _ in CAPTURES])
def test_recorded_books_agree_with_the_slow_reference(data_dir, capture, every):
    """Every analytic at some moments of a capture, and order flow and features at every message."""
    pipeline = Pipeline(capture.split("/")[0], on_gap="count")
    rng = random.Random(capture)
    flows, before, applied = {}, {}, 0
    dtype = analytics.dtype("ofi,mid,sequence,bid_levels")

    def on_applied(book):
        nonlocal applied
        applied += 1
        flow = flows.setdefault(id(book), analytics.OrderFlow())
        raw = book.raw
        after = Sides([], [])
        for side, best in ((after.bids, raw.best_bid_int), (after.asks, raw.best_ask_int)):
            if best is not None:
                side.append((Fraction(raw.price_decimal(best[0])), Fraction(raw.qty_decimal(best[1]))))
        row = np.zeros((), dtype)
        analytics.snapshot(raw, row, flow)
        if id(book) in before and before[id(book)][0] == book.since_ns:
            wanted = order_flow(before[id(book)][1], after)
            assert close(float(row["ofi"]), wanted, float(sum(q for _, q in after.bids + after.asks)))
        assert (row["sequence"], row["bid_levels"]) == (book.sequence, book.bid_levels)
        before[id(book)] = book.since_ns, after
        if applied % every == 0:
            assert_agrees(raw, rng)

    pipeline.on_applied = on_applied
    with closing(CaptureReader(data_dir / f"{capture}.ws.gz")) as reader:
        for record in reader:
            if record.kind in "<B":
                pipeline.feed(record.payload, record.recv_ns)
            elif record.kind == "h":
                url, _, body = record.payload.partition(b" ")
                pipeline.rest(url.decode(), body, record.recv_ns)
    assert applied >= every


def test_own_quantities_are_read_as_what_they_are():
    """Quantities with 17 digits beside large ones: no scale holds both, see orderbook.quantity."""
    pipeline = Pipeline("binance_usdm")
    bids = '["10","3307.9982700421942"],["9","173416519.2452"]'
    pipeline.rest("https://fapi.binance.com/fapi/v1/depth?symbol=X&limit=1000",
                  f'{{"lastUpdateId":1,"bids":[{bids}],"asks":[["11","0.00000012345678901"]]}}'.encode())
    raw = pipeline.book("X").raw
    assert min(raw.bids_int()[:, 1].min(), raw.asks_int()[:, 1].min()) < -2**62          # there is one
    assert_agrees(raw, random.Random(1))
    assert analytics.queue_ahead(raw, Side.BID, 10)[0] == pytest.approx(3307.9982700421942, rel=1e-15)


# ---- features

def test_features_are_what_the_functions_say(book):
    names = {
        "mid": analytics.mid(book), "spread": analytics.spread(book), "spread_bps": analytics.spread_bps(book),
        "spread_ticks": 2.0, "microprice": analytics.microprice(book), "bid": 100.0, "ask": 100.2, "bid_qty": 2.0,
        "ask_qty": 1.0, "crossed": 0.0, "locked": 0.0, "imbalance": analytics.imbalance(book, 1),
        "imbalance_5": analytics.imbalance(book, 5), "imbalance_20bps": analytics.imbalance_within(book, 20),
        "ofi": 0.0, "depth_20bps": 8.0, "bid_depth_20bps": 3.0, "ask_depth_20bps": 5.0, "depth_ratio_20bps": 0.6,
        "bid_slope_2": analytics.depth_slope(book, Side.BID, 2),
        "ask_slope_3": analytics.depth_slope(book, Side.ASK, 3),
        "vwap_buy_2.5": analytics.vwap(book, "buy", 2.5)[0], "vwap_sell_2.5": analytics.vwap(book, "sell", 2.5)[0],
        "vwap_buy_300quote": analytics.vwap(book, "buy", notional=300)[0],
        "vwap_sell_300quote": analytics.vwap(book, "sell", notional=300)[0], "vwap_buy_11.5": NAN,
        "impact_buy_3": analytics.impact_bps(book, "buy", 3), "impact_sell_3": analytics.impact_bps(book, "sell", 3),
        "impact_buy_300quote": analytics.impact_bps(book, "buy", notional=300),
        "impact_sell_300quote": analytics.impact_bps(book, "sell", notional=300), "impact_sell_9": NAN,
        "move_buy_10bps": 5.0, "move_sell_10bps": 2.0, "sequence": 0, "exchange_ns": 0, "receive_ns": 0,
        "bid_levels": 3, "ask_levels": 3,
    }
    out = np.zeros((), analytics.dtype(names))
    analytics.snapshot(book, out, analytics.OrderFlow())
    for name, wanted in names.items():
        assert out[name] == pytest.approx(wanted, nan_ok=True), name
    forms = {re.sub(r"_[\d.]+(?=bps$|quote$|$)", "_N", name) for name in names}
    assert forms == analytics.FEATURES.keys()


def test_every_form_is_a_feature(book):
    names = [form.replace("N", "3") for form in analytics.FEATURES]
    out = np.zeros(2, analytics.dtype(names))
    analytics.snapshot(book, out, analytics.OrderFlow(), 1)
    assert out.dtype.names == tuple(names)
    assert out[0] == np.zeros((), out.dtype)
    assert not np.isnan(out[1]["mid"])


def test_a_row_of_a_table_and_a_part_of_one(book):
    table = np.zeros(4, analytics.dtype("mid, imbalance_2"))
    analytics.snapshot(book, table[1])
    analytics.snapshot(book, table[::2], row=1)
    analytics.snapshot(book, table[3:], row=0)
    assert table["mid"].tolist() == [0.0, 100.1, 100.1, 100.1]
    assert table["imbalance_2"].tolist() == [0.0, -0.25, -0.25, -0.25]


def test_ofi_of_a_row_is_the_sum_since_the_last_one():
    book, flow = book_of([(10, 5)], [(11, 7)]), analytics.OrderFlow()
    table = np.zeros(3, analytics.dtype(["ofi", "bid_qty"]))
    analytics.snapshot(book, table, flow)
    for qty in (6, 8):
        book.apply_delta([(10, qty)], [])
        flow.update(book)
    book.apply_delta([(10, 9)], [])                               # seen by the row alone
    analytics.snapshot(book, table, flow, 1)
    analytics.snapshot(book, table, flow, 2)
    assert table.tolist() == [(0.0, 5.0), (4.0, 9.0), (0.0, 9.0)]


@pytest.mark.parametrize(("names", "message"), [
    ("imbalence_5", "'imbalence_5': did you mean imbalance_5"),
    ("micro", "unknown feature 'micro'"),
    ("vwap_by_3", "did you mean vwap_buy_3"),
    ("imbalance_2.5", "unknown feature 'imbalance_2.5'"),
    ("imbalance_0", "unknown feature 'imbalance_0'"),
    ("imbalance_1" + "0" * 30, "unknown feature 'imbalance_10"),
    ("bid_slope_1", "unknown feature 'bid_slope_1'"),
    ("depth_5", "did you mean depth_5bps"),
    ("depth_0bps", "expected a number above 0"),
    ("depth_Nbps", "unknown feature 'depth_Nbps'"),
    ("mid_5", "unknown feature 'mid_5'"),
    ("mid,,ofi", "unknown feature ''"),
    ("mid,ofi,mid", "named twice: mid"),
    ([], "at least one"),
])
def test_names_that_are_no_features(names, message):
    with pytest.raises(ValueError, match=message):
        analytics.dtype(names)


def test_places_a_row_cannot_go(book):
    dtype = analytics.dtype("mid,ofi")
    with pytest.raises(ValueError, match="ofi needs flow="):
        analytics.snapshot(book, np.zeros((), dtype))
    flow, mid = analytics.OrderFlow(), analytics.dtype("mid")
    closed = np.zeros(2, mid)
    closed.flags.writeable = False
    for out in (closed, closed[0], np.zeros((2, 2), mid), np.zeros(2), [0.0], None, np.zeros(2, [("mid", "f4")]),
                np.zeros(2, [("mid", "i8")]), np.zeros(2, [("sequence", "f8")]), np.zeros(2, [("mid", ">f8")]),
                np.zeros(2, [("pad", "i1"), ("mid", "f8")])[["mid"]], np.zeros(17, "u1")[1:9].view(mid)):
        with pytest.raises(TypeError):
            analytics.snapshot(book, out, flow)
    with pytest.raises(ValueError, match="unknown feature 'price'"):
        analytics.snapshot(book, np.zeros(1, [("price", "f8")]))
    for row in (-1, 2):
        with pytest.raises(IndexError):
            analytics.snapshot(book, np.zeros(2, mid), row=row)


# ---- empty sides, states, bad arguments

ONE_SIDED = {"none": ([], []), "bids only": (BIDS, []), "asks only": ([], ASKS)}


@pytest.mark.parametrize("sides", ONE_SIDED)
def test_an_empty_side(sides, seed):
    book = book_of(*ONE_SIDED[sides])
    assert_agrees(book, random.Random(seed))
    assert not analytics.is_crossed(book) and not analytics.is_locked(book)
    assert all(map(math.isnan, analytics.known_bps(book)))
    assert math.isnan(analytics.spread_ticks(book)) and math.isnan(analytics.spread_ticks(book, 1))
    taken = "buy" if sides == "bids only" else "sell"
    price, filled = analytics.vwap(book, taken, 1)
    assert math.isnan(price) and filled == 0.0


CALLS = [
    lambda b: analytics.mid(b), lambda b: analytics.spread(b), lambda b: analytics.spread_bps(b),
    lambda b: analytics.spread_ticks(b), lambda b: analytics.spread_ticks(b, 1), lambda b: analytics.microprice(b),
    lambda b: analytics.is_crossed(b), lambda b: analytics.is_locked(b), lambda b: analytics.imbalance(b, 1),
    lambda b: analytics.imbalance(b, 5), lambda b: analytics.imbalance_within(b, 5),
    lambda b: analytics.depth_within(b, 5),
    lambda b: analytics.depth_ratio(b, 5), lambda b: analytics.known_bps(b), lambda b: analytics.vwap(b, "buy", 1),
    lambda b: analytics.impact_bps(b, "buy", 1), lambda b: analytics.slippage_bps(b, "buy", 1, 1),
    lambda b: analytics.order_cost(b, "buy", 1), lambda b: analytics.qty_to_move(b, "buy", 1),
    lambda b: analytics.depth_curve(b, Side.BID), lambda b: analytics.grouped(b, Side.BID, 1),
    lambda b: analytics.depth_slope(b, Side.BID), lambda b: analytics.queue_ahead(b, Side.BID, 1),
    lambda b: analytics.OrderFlow().update(b), lambda b: analytics.snapshot(b, np.zeros((), analytics.dtype("mid"))),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_book_that_is_not_live_answers_nothing_but_raw_does(call):
    book = Book()
    with pytest.raises(BookNotLive, match="EMPTY"):
        call(book)
    call(book.raw)
    book.apply_snapshot(BIDS, ASKS)               # and the lock was given back
    call(book)


@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_book_is_a_type_error(call):
    for other in (None, 3, {}):
        with pytest.raises(TypeError):
            call(other)


@pytest.mark.parametrize(("call", "message"), [
    (lambda b: analytics.imbalance(b, 0), "depth is 1 or more"),
    (lambda b: analytics.depth_within(b, 0), "bps is a number above 0"),
    (lambda b: analytics.depth_within(b, NAN), "bps is a number above 0"),
    (lambda b: analytics.qty_to_move(b, "buy", -1), "bps is a number above 0"),
    (lambda b: analytics.spread_ticks(b, 0), "tick_size is a number above 0"),
    (lambda b: analytics.vwap(b, "up", 1), '"buy" or "sell", not \'up\''),
    (lambda b: analytics.vwap(b, Side.BID, 1), '"buy" or "sell"'),
    (lambda b: analytics.vwap(b, "buy"), "a qty or a notional"),
    (lambda b: analytics.vwap(b, "buy", 1, notional=1), "a qty or a notional"),
    (lambda b: analytics.vwap(b, "buy", 0), "qty is a number above 0"),
    (lambda b: analytics.vwap(b, "buy", math.inf), "qty is a number above 0"),
    (lambda b: analytics.vwap(b, "buy", notional=-1), "notional is a number above 0"),
    (lambda b: analytics.depth_curve(b, 2), "Side.BID or Side.ASK"),
    (lambda b: analytics.depth_curve(b, Side.BID, 0), "n is 1 or more"),
    (lambda b: analytics.depth_slope(b, Side.BID, 1), "depth is 2 or more"),
    (lambda b: analytics.grouped(b, Side.BID, 0), "above 0"),
    (lambda b: analytics.grouped(b, Side.BID, None), "above 0"),
    (lambda b: analytics.grouped(b, Side.BID, "-1"), "above 0"),
    (lambda b: analytics.grouped(b, Side.BID, "1e-19"), "at most 18 decimals"),
    (lambda b: analytics.grouped(b, Side.BID, "1e-18"), "int64 cannot hold"),
    (lambda b: analytics.grouped(b, Side.BID, 10**19), "int64 cannot hold a bucket"),
    (lambda b: analytics.grouped(b, Side.BID, "x"), "a decimal number"),
    (lambda b: analytics.queue_ahead(b, Side.BID, "x"), "a decimal number"),
])
def test_bad_arguments(book, call, message):
    with pytest.raises(ValueError, match=message):
        call(book)
    book.apply_delta([(1, 1)], [])                # the lock was given back


def test_reads_are_of_one_moment_while_another_thread_writes():
    """Each message moves both sides together; no read sees one side of one and one of the other."""
    book, stop, flow = Book(price_scale=1, qty_scale=0), threading.Event(), analytics.OrderFlow()
    states = []
    for middle in (1000, 1050):
        i = np.arange(30)
        states.append((np.column_stack([middle - 5 - 10 * i, np.full(30, middle)]),
                       np.column_stack([middle + 5 + 10 * i, np.full(30, middle)])))
    book.apply_snapshot(*states[0])

    def write():
        turn = 0
        while not stop.is_set():
            turn += 1
            book.apply_snapshot(*states[turn % 2])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        row = np.zeros((), analytics.dtype("mid,spread,bid_qty,imbalance_20,vwap_buy_2000,ofi"))
        for _ in range(2_000):
            analytics.snapshot(book, row, flow)
            mid, spread, qty, imbalance, vwap, _ = row.item()
            assert (mid, spread, imbalance) in ((100.0, 1.0, 0.0), (105.0, 1.0, 0.0))
            assert qty == 10 * mid
            assert vwap == pytest.approx(mid + 0.5 + (2000 - qty) / 2000)
            assert analytics.depth_curve(book, Side.ASK, 20)[-1, 1] in (20_000, 21_000)
    finally:
        stop.set()
        writer.join()
