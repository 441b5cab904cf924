"""A consolidated book against a slow one of exact decimals: examples, random books and states, recorded venues."""

from __future__ import annotations

import heapq
import math
import random
from decimal import Decimal
from itertools import islice, pairwise, repeat
from typing import NamedTuple

import numpy as np
import pytest

from feeds.pipeline import Pipeline
from orderbook import Book, BookNotLive, BookState, ConsolidatedBook, CrossWatch
from orderbook.consolidated import ConsolidatedReads
from orderbook.decimals import qty_parts, units_decimal
from tests import _probe as probe
from tests import frames
from tests.model import read_capture

STALE = BookState.STALE


# ---- the slow one

class Venue(NamedTuple):
    """A book and how it is converted, exactly."""

    name: str
    book: Book
    multiplier: Decimal = Decimal(1)
    inverse: bool = False
    rate: Decimal | None = Decimal(1)
    fee: Decimal = Decimal(0)

    def levels(self, bid: bool, net: bool, n: int | None = None) -> list[tuple[Decimal, Decimal]]:
        """Common price and base quantity of the best `n` levels, best first; none while the venue is out."""
        if self.book.status is not BookState.LIVE or self.rate is None:
            return []
        out = []
        for price, qty in (self.book.bids_int(n) if bid else self.book.asks_int(n)).tolist():
            own = units_decimal(price, self.book.price_scale)
            base = units_decimal(*qty_parts(qty, self.book.qty_scale)) * self.multiplier
            common = own * self.rate
            if net:
                common -= abs(common) * self.fee * (1 if bid else -1)
            out.append((common, base / abs(own) if self.inverse else base))
        return out


def slow_depth(venues, bid, net):
    """[(price, quantity of each venue)], best first."""
    prices: dict[Decimal, list[Decimal]] = {}
    for i, venue in enumerate(venues):
        for price, qty in venue.levels(bid, net):
            prices.setdefault(price, [Decimal(0)] * len(venues))[i] += qty
    return sorted(prices.items(), reverse=bid)


def fast_of(venues):
    """The ConsolidatedBook of these venues."""
    return ConsolidatedBook(
        [venue.book for venue in venues], names=[venue.name for venue in venues],
        multipliers=[venue.multiplier for venue in venues], inverse=[venue.inverse for venue in venues],
        rates=[math.nan if venue.rate is None else venue.rate for venue in venues],
        fees=[venue.fee for venue in venues])


def close(values):
    return pytest.approx([float(value) for value in values], rel=1e-12)


def assert_same(fast, venues, *, n=None):
    """Every read gives what the slow one does."""
    inside = tuple(venue.name for venue in venues
                   if venue.book.status is BookState.LIVE and venue.rate is not None)
    assert fast.live == inside
    for reads, net in ((fast, False), (fast.net, True)):
        if not inside:
            for read in (reads.bbo, reads.bids, reads.asks, lambda reads=reads: reads.top(None, None),
                         lambda reads=reads: reads.best_bid, lambda reads=reads: reads.mid):
                with pytest.raises(BookNotLive, match="no venue is in"):
                    read()
            continue
        depths = slow_depth(venues, True, net), slow_depth(venues, False, net)
        bbo = []
        for depth, best in zip(depths, (reads.best_bid, reads.best_ask), strict=True):
            if not depth:
                assert best is None
                bbo += [math.nan, math.nan]
                continue
            price, qtys = depth[0]
            bbo += [price, sum(qtys)]
            assert list(best[:2]) == close(bbo[-2:])
            assert best[2] == tuple(venue.name for venue, qty in zip(venues, qtys, strict=True) if qty)
        assert list(reads.bbo()) == pytest.approx([float(value) for value in bbo], rel=1e-12, nan_ok=True)
        if all(depths):
            bid, ask = depths[0][0][0], depths[1][0][0]
            assert reads.spread == pytest.approx(float(ask - bid), rel=1e-9, abs=1e-9)
            assert reads.mid == pytest.approx(float(ask + bid) / 2, rel=1e-12, abs=1e-12)
        tops = np.full((4, 2), -7.0), np.full((3, 1 + len(venues)), -7.0)
        filled = reads.top(*tops)
        for depth, merged, split, top, held in zip(
                depths, (reads.bids(n), reads.asks(n)), (reads.bids(n, split=True), reads.asks(n, split=True)),
                tops, filled, strict=True):
            assert held == min(len(top), len(depth))
            wanted = depth[:n]
            assert merged.shape == (len(wanted), 2)
            assert split.shape == (len(wanted), 1 + len(venues))
            assert merged.ravel().tolist() == close(x for price, qtys in wanted for x in (price, sum(qtys)))
            assert split.ravel().tolist() == close(x for price, qtys in wanted for x in (price, *qtys))
            assert (top[held:] == -7).all()
            assert top[:held].ravel().tolist() == close(
                x for price, qtys in depth[:held] for x in (price, *([sum(qtys)] if top.shape[1] == 2 else qtys)))


# ---- examples

@pytest.fixture
def two():
    """(books of "x" and "y")."""
    x, y = Book(), Book()
    x.apply_snapshot([("100", "1"), ("99", "2")], [("101", "3"), ("102", "1")], receive_ns=5)
    y.apply_snapshot([("100.0", "4"), ("98", "2")], [("100.5", "3"), ("102", "2")], receive_ns=6)
    return x, y


def test_what_two_venues_are_together(two):
    both = ConsolidatedBook(two, names=["x", "y"])
    assert both.best_bid == (100.0, 5.0, ("x", "y"))
    assert both.best_ask == (100.5, 3.0, ("y",))
    assert both.bbo() == (100.0, 5.0, 100.5, 3.0)
    assert (both.mid, both.spread) == (100.25, 0.5)
    assert both.bids().tolist() == [[100.0, 5.0], [99.0, 2.0], [98.0, 2.0]]
    assert both.asks(split=True).tolist() == [[100.5, 0.0, 3.0], [101.0, 3.0, 0.0], [102.0, 1.0, 2.0]]
    assert both.asks(1).tolist() == [[100.5, 3.0]]
    assert both.bids(0).shape == (0, 2)
    assert (both.names, both.live, both.receive_ns, both.books) == (("x", "y"), ("x", "y"), 6, two)
    assert repr(both) == "<ConsolidatedBook x, y; in: x, y>"


def test_fees_move_prices_and_with_them_who_is_best(two):
    both = ConsolidatedBook(two, names=["x", "y"], fees={"y": "0.01"})
    assert both.best_bid == (100.0, 5.0, ("x", "y"))
    assert both.net.best_bid == (100.0, 1.0, ("x",))
    assert both.net.best_ask == (101.0, 3.0, ("x",))
    assert both.net.asks(2).tolist() == [[101.0, 3.0], [pytest.approx(100.5 * 1.01), 3.0]]
    both.change("y", fee=0)
    assert both.net.bbo() == both.bbo()


def test_fees_of_negative_prices_cost_too():
    book = Book()
    book.apply_snapshot([("-100", "1")], [("-99", "1")])
    assert ConsolidatedBook([book], fees=[0.01]).net.bbo() == pytest.approx((-101.0, 1.0, -98.01, 1.0))


def test_contracts_and_currencies():
    """A spot book in USDT, a linear perpetual of 0.01 BTC a contract, an inverse one of 100 USD."""
    spot, linear, inverse = Book(), Book(), Book()
    spot.apply_snapshot([("50000", "1")], [("50010", "1")])
    linear.apply_snapshot([("50000", "250")], [("50005", "10")])
    inverse.apply_snapshot([("40000", "600")], [("40020", "100")])
    book = ConsolidatedBook([spot, linear, inverse], names=["spot", "linear", "inverse"],
                            multipliers={"linear": "0.01", "inverse": 100}, inverse={"inverse": True},
                            rates={"inverse": 1.25})
    assert book.bids(split=True).tolist() == [[50000.0, 1.0, 2.5, 1.5]]     # 600 * 100 USD / 40000 USD
    assert book.best_bid == (50000.0, 5.0, ("spot", "linear", "inverse"))
    book.change("inverse", rate=1.2)
    assert book.best_bid[2] == ("spot", "linear")
    assert book.terms["inverse"] == {"multiplier": 100.0, "inverse": True, "rate": 1.2, "fee": 0.0}
    book.change("linear", rate=math.nan)                            # not known now
    assert book.live == ("spot", "inverse")
    assert book.best_bid[2] == ("spot",)


def test_a_venue_is_out_as_soon_as_its_book_is_not_live():
    """Through a pipeline, with no callback at all: a gap, a new snapshot, a lost connection."""
    pipeline, other = Pipeline("binance_usdm"), Book()
    pipeline.opened()
    pipeline.feed(frames.delta(9, 10, 8))
    pipeline.rest(frames.rest_url(), frames.snapshot(10, [("101", "1")], [("103", "1")]))
    other.apply_snapshot([("100", "2")], [("104", "2")])
    book = ConsolidatedBook([pipeline.book("BTCUSDT"), other], names=["venue", "other"])
    assert book.best_bid == (101.0, 1.0, ("venue",))
    pipeline.feed(frames.delta(15, 16, 14, [("102", "1")]))         # 11 to 14 are missing
    assert book.live == ("other",)
    assert book.bbo() == (100.0, 2.0, 104.0, 2.0)
    assert book.asks().tolist() == [[104.0, 2.0]]
    pipeline.rest(frames.rest_url(), frames.snapshot(15, [("101", "3")], [("103", "1")]))
    assert book.best_bid == (102.0, 1.0, ("venue",))
    pipeline.closed()
    probe.set_status(other, STALE, "lost")
    with pytest.raises(BookNotLive, match=r"no venue is in: venue is STALE \(.+\), other is STALE \(lost\)"):
        book.bbo()
    assert book.live == ()
    other.apply_snapshot([], [])
    assert book.best_bid is None
    assert (book.mid, book.spread) == (None, None)
    assert all(map(math.isnan, book.bbo()))
    assert book.bids().shape == (0, 2)


def test_names_are_the_symbols_where_they_differ():
    books = [Book() for _ in range(3)]
    assert ConsolidatedBook(books).names == ("0", "1", "2")
    for book, symbol in zip(books, ("A", "B", "B"), strict=True):
        book.symbol = symbol
    assert ConsolidatedBook(books[:2]).names == ("A", "B")
    assert ConsolidatedBook(books).names == ("0", "1", "2")


@pytest.mark.parametrize("options, match", [
    ({"books": []}, "1 to 64"), ({"books": [Book() for _ in range(65)]}, "1 to 64"), ({"names": ["x"]}, "names"),
    ({"names": ["x", "x"]}, "different"), ({"rates": [1]}, "rates: expected one for each of 2 books, not 1"),
    ({"rates": {"z": 1}}, "no venue z"), ({"rates": [1, 0]}, "y: a rate"), ({"rates": [-1, 1]}, "x: a rate"),
    ({"rates": [math.inf, 1]}, "rate"), ({"multipliers": [0, 1]}, "multiplier"), ({"multipliers": [1, -1]}, "y: a mul"),
    ({"multipliers": [math.nan, 1]}, "multiplier"), ({"fees": [0, -0.0005]}, "y: a taker fee"),
    ({"fees": [1, 0]}, "fee"), ({"fees": [math.nan, 0]}, "fee"), ({"inverse": [True]}, "inverse"),
    ({"fees": ["x", 0]}, "convert"),
])
def test_bad_arguments(two, options, match):
    with pytest.raises(ValueError, match=match):
        ConsolidatedBook(**({"books": two, "names": ["x", "y"]} | options))


def test_other_bad_input(two):
    with pytest.raises(ValueError, match="given twice"):
        ConsolidatedBook([two[0], two[0]])
    with pytest.raises(TypeError, match="expected a Book, not BookReads"):
        ConsolidatedBook([two[0].raw])
    with pytest.raises(TypeError, match="made by ConsolidatedBook"):
        ConsolidatedReads()
    both = ConsolidatedBook(two)
    with pytest.raises(KeyError, match="no venue x; there are 0, 1"):
        both.change("x", rate=2)
    with pytest.raises(ValueError, match="fee"):
        both.change("0", rate=2, fee=-1)
    assert both.terms["0"]["rate"] == 1.0
    with pytest.raises(ValueError, match="n is 0 or more"):
        both.bids(-1)
    good = np.zeros((2, 2))
    for bad in (np.zeros((2, 4)), np.zeros((2, 2), np.int64), np.zeros((4, 2))[::2], [[0.0, 0.0]]):
        with pytest.raises(TypeError, match=r"shape \(n, 2\) or \(n, 3\)"):
            both.top(good, bad)
    assert (good == 0).all()


def test_the_reads_keep_the_books_alive():
    net = ConsolidatedBook([Book()], names=["x"]).net
    net.books[0].apply_snapshot([("1", "1")], [("2", "1")])
    assert net.bbo() == (1.0, 1.0, 2.0, 1.0)


# ---- random books and states

@pytest.mark.parametrize("centre", ["100", "0.5", "-3"])
def test_random_books_and_states(seed, centre):
    rng = random.Random(f"{seed} {centre}")
    for _ in range(8):
        venues = [Venue(f"v{i}", Book(), Decimal(rng.choice(["1", "0.01", "100"])),
                        centre == "100" and rng.random() < 0.3, Decimal(rng.choice(["0.5", "1", "1", "2"])),
                        Decimal(rng.choice(["0", "0.00037", "0.0113"]))) for i in range(rng.choice([1, 2, 3, 5]))]
        fast = fast_of(venues)
        for _ in range(25):
            i = rng.randrange(len(venues))
            book, action = venues[i].book, rng.random()
            rate = venues[i].rate or 1
            levels = [[(str((Decimal(centre) + Decimal(rng.randint(-30, 30)).scaleb(-1)) / rate),
                        str(Decimal(rng.randint(0, 50)).scaleb(-rng.randint(0, 3))))
                       for _ in range(rng.choice([0, 3, 9]))] for _ in range(2)]
            if action < 0.15:
                probe.set_status(book, rng.choice([0, 1, 3]))
            elif action < 0.25:
                venues[i] = venues[i]._replace(rate=rng.choice([None, Decimal(1), Decimal(2)]), fee=Decimal("0.002"))
                fast.change(venues[i].name, rate=venues[i].rate or math.nan, fee=venues[i].fee)
            elif book.status is BookState.LIVE:
                book.apply_delta(*levels)
            else:
                book.apply_snapshot(*levels)
            assert_same(fast, venues, n=rng.choice([None, 0, 1, 4, 100]))


# ---- crossings

def test_a_crossing_from_its_beginning_to_its_end(two):
    x, y = two
    both = ConsolidatedBook(two, names=["x", "y"], fees=[0, "0.001"])
    gross, net = CrossWatch(both), CrossWatch(both.net)
    assert (gross.update(), gross.open) == ((), ())
    y.apply_delta([("101", "2")], [("101.5", 1)], receive_ns=1000)                  # locked: nothing is to be had
    assert (gross.update(), gross.open) == ((), ())
    y.apply_delta([("101.05", "2")], [], receive_ns=2000)                           # eaten up by the fee
    y_is_up = gross.update(), net.update()
    assert y_is_up == ((), ())
    assert [(it.buy_at, it.sell_at, it.since_ns) for it in gross.open] == [("x", "y", 2000)]
    assert net.open == ()
    y.apply_delta([("101.5", "1")], [], receive_ns=3000)
    gross.update()
    y.apply_delta([("101.5", "0")], [], receive_ns=4000)
    gross.update()
    now, = gross.open
    assert (now.bid, now.ask, now.qty, now.until_ns, now.ended) == (101.5, 101.0, 1.0, 4000, "")
    x.apply_delta([], [("101", "0")], receive_ns=5500)
    ended, = gross.update()
    assert gross.open == ()
    assert (ended.since_ns, ended.until_ns, ended.duration_ns, ended.ended) == (2000, 5500, 3500, "prices")
    assert ended.edge_bps == pytest.approx(0.5 / 101 * 1e4)
    assert repr(ended) == "<Crossing buy x 101 sell y 101.5 qty 1, 0.004 ms, prices>"


def test_a_crossing_ends_when_a_venue_is_out(two):
    x, y = two
    both = ConsolidatedBook(two, names=["x", "y"])
    watch = CrossWatch(both)
    y.apply_delta([("101.5", "2")], [], receive_ns=1000)
    watch.update()
    probe.set_status(x, STALE)
    x.since_ns = 1700                                           # as a pipeline notes it
    ended, = watch.update()
    assert (ended.until_ns, ended.ended) == (1700, "STALE")
    x.apply_snapshot([], [("101", "1")], receive_ns=1900)
    watch.update()
    assert watch.open[0].since_ns == 1900
    both.change("y", rate=math.nan)
    ended, = watch.update()
    assert ended.ended == "rate"


def test_a_crossing_ends_with_the_connection_of_one(two):
    """Through a pipeline: the time at which it made the book STALE is the end, also if `update` comes later."""
    pipeline = Pipeline("binance_usdm")
    pipeline.opened()
    pipeline.feed(frames.delta(9, 10, 8), 50)
    pipeline.rest(frames.rest_url(), frames.snapshot(10, [("101.5", "1")], [("103", "1")]), 60)
    book = pipeline.book("BTCUSDT")
    watch = CrossWatch(ConsolidatedBook([two[0], book], names=["x", "venue"]))
    watch.update()
    crossing, = watch.open
    assert (crossing.buy_at, crossing.sell_at, crossing.since_ns) == ("x", "venue", book.receive_ns)
    pipeline.closed()
    two[1].apply_delta([], [], receive_ns=book.since_ns + 10**9)
    ended, = watch.update()
    assert (ended.until_ns, ended.ended) == (book.since_ns, "STALE")
    assert ended.duration_ns > 10**18                           # that message had no real time


def test_a_book_that_is_crossed_in_itself_is_no_crossing(two):
    x, y = two
    x.apply_delta([("101", "1")], [])
    y.apply_delta([], [("100.5", 0)])
    watch = CrossWatch(ConsolidatedBook(two))
    assert watch.update() == ()
    assert watch.open == ()
    with pytest.raises(TypeError):
        CrossWatch(None)


# ---- recorded venues

RECORDED = [("binance_spot", "binance_spot/btcusdt_20240808.ws.gz", "BTCUSDT", {}),
            ("binance_usdm", "binance_usdm/btcusdt_20240808.ws.gz", "BTCUSDT",
             {"rate": Decimal("1.00033"), "fee": Decimal("0.00001")}),
            ("binance_coinm", "binance_coinm/btcusd_perp_20240808.ws.gz", "BTCUSD_PERP",
             {"multiplier": Decimal(100), "inverse": True, "rate": Decimal("1.00029"), "fee": Decimal("0.00001")})]


def slow_pairs(venues, net):
    """Who is crossed with whom, from the best levels alone: {(buy at, sell at): (ask, bid, quantity of both)}."""
    best = [[next(iter(venue.levels(bid, net, 1)), None) for bid in (True, False)] for venue in venues]
    return {(b.name, a.name): (ask[0], bid[0], min(bid[1], ask[1]))
            for a, (bid, _) in zip(venues, best, strict=True) for b, (_, ask) in zip(venues, best, strict=True)
            if a is not b and bid is not None and ask is not None and bid[0] > ask[0]}


def recorded(data_dir, count):
    """(which venue, line) of three captures of the same minutes, in the order in which they came."""
    captures = [zip(repeat(i), read_capture(data_dir / file)) for i, (_, file, _, _) in enumerate(RECORDED)]
    return islice(heapq.merge(*captures, key=lambda it: it[1].receive_ns), count)


@pytest.mark.parametrize("net", [False, True])
def test_recorded_venues(data_dir, net):
    """Three books of one coin, each message: crossings and best prices; now and then: everything."""
    pipelines = [Pipeline(name, on_gap="count") for name, _, _, _ in RECORDED]
    venues = [Venue(pipeline.spec.name, pipeline.follow(symbol), **terms)
              for pipeline, (_, _, symbol, terms) in zip(pipelines, RECORDED, strict=True)]
    fast = fast_of(venues)
    watch = CrossWatch(fast.net if net else fast)
    open_now, ended, seen, now = {}, [], [], 0
    for step, (i, line) in enumerate(recorded(data_dir, 5000)):
        if line.kind == "h":
            url, _, body = line.payload.partition(b" ")
            pipelines[i].rest(url.decode(), body, line.receive_ns)
        elif line.kind == "<":
            pipelines[i].feed(line.payload, line.receive_ns)
        now = max(now, *(venue.book.receive_ns for venue in venues))
        pairs = slow_pairs(venues, net)
        for pair in [pair for pair in open_now if pair not in pairs]:
            ended.append((*pair, *open_now.pop(pair), now))
        for pair, (ask, bid, qty) in pairs.items():
            since, (top_ask, top_bid, _) = open_now.get(pair, (now, (ask, bid, qty)))
            if pair not in open_now or bid - ask > top_bid - top_ask:
                open_now[pair] = since, (ask, bid, qty)
        seen += watch.update()
        assert {(it.buy_at, it.sell_at): it.since_ns for it in watch.open} == {
            pair: since for pair, (since, _) in open_now.items()}
        if step % 400 == 0:
            assert_same(fast, venues, n=20)
    assert_same(fast, venues)
    assert fast.live == tuple(name for name, _, _, _ in RECORDED)
    assert len(seen) > 10
    assert all(earlier.until_ns <= later.until_ns for earlier, later in pairwise(seen))
    for it, (buy_at, sell_at, since, (ask, bid, qty), until) in zip(
            sorted(seen, key=lambda it: (it.until_ns, it.since_ns, it.buy_at, it.sell_at)),
            sorted(ended, key=lambda it: (it[4], it[2], it[0], it[1])), strict=True):
        assert (it.buy_at, it.sell_at, it.since_ns, it.until_ns, it.ended) == (buy_at, sell_at, since, until, "prices")
        assert [it.ask, it.bid, it.qty] == close([ask, bid, qty])
