"""Random operations on a book and on the slow, obvious one: after each of them both hold the same."""

from __future__ import annotations

import random
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orderbook import Book, BookError
from tests.model import ModelBook


def exact_levels(book, rows):
    return [(book.price_decimal(price), book.qty_decimal(qty)) for price, qty in rows.tolist()]


def assert_same(book, model):
    bids, asks = model.top()
    assert exact_levels(book, book.bids_int()) == bids
    assert exact_levels(book, book.asks_int()) == asks
    assert (book.bid_levels, book.ask_levels) == (len(bids), len(asks))
    for pair, best in ((book.best_bid, model.best_bid), (book.best_ask, model.best_ask)):
        assert pair == (None if best is None else tuple(map(float, best)))
    if bids and asks:
        assert book.spread == pytest.approx(float(asks[0][0] - bids[0][0]), rel=1e-9, abs=1e-18)
    tops = np.empty((5, 2)), np.empty((5, 2))
    filled = book.top(*tops)
    for array, n, levels in zip(tops, filled, (bids, asks), strict=True):
        assert n == min(5, len(levels))
        assert array[:n].tolist() == [list(map(float, level)) for level in levels[:n]]


# What the prices of a stream look like: (decimals of the first snapshot, decimals later, spread in ticks, centre).
STREAMS = {
    "dense": (2, 2, 200, "100"),
    "coarse tick": (0, 0, 100, "50000"),
    "widening": (1, 6, 5000, "10"),
    "around zero": (2, 4, 300, "0"),
    "negative": (1, 3, 400, "-250"),
    "sparse": (2, 2, 10**9, "1000000"),
    "tiny": (8, 12, 10**4, "0.00000500"),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_random_messages_give_the_models_book(stream, seed):
    rng = random.Random(f"{seed} {stream}")
    first, last, width, centre = STREAMS[stream]

    def levels(n, decimals):
        held = list(model.bids) + list(model.asks)
        out = []
        for _ in range(n):
            if held and rng.random() < 0.4:
                price = rng.choice(held)
            else:
                price = Decimal(centre) + Decimal(rng.randint(-width, width)).scaleb(-decimals)
            qty = 0 if rng.random() < 0.45 else Decimal(rng.randint(1, 10**6)).scaleb(-rng.randint(0, 4))
            out.append((format(price, "f") + rng.choice(["", "0"] if "." in format(price, "f") else [""]), str(qty)))
        return out

    for _ in range(30):
        book, model = Book(), ModelBook()
        sequence = 0
        for step in range(25):
            sequence += rng.randint(1, 5)
            whole = step == 0 or rng.random() < 0.05
            decimals = first if step == 0 else rng.randint(min(first, last), last)
            sizes = (rng.choice([0, 1, 3, 30]), rng.choice([0, 1, 3, 30]))
            message = [levels(n, decimals) for n in sizes]
            for target in (book, model):
                (target.apply_snapshot if whole else target.apply_delta)(*message, sequence=sequence)
            assert book.sequence == sequence
            assert_same(book, model)


def test_a_walking_market_empties_and_refills_pages(seed):
    """The best price wanders over many pages; what is left behind is removed, as a venue does."""
    rng = random.Random(seed)
    book, model = Book(tick_size="0.01"), ModelBook()
    centre, peak = 100_000, 0
    for target in (book, model):
        target.apply_snapshot([], [])
    for step in range(1500):
        centre += rng.choice([-1, 1]) * rng.choice([1, 2, 5, 300])
        bids, asks = [], []
        for side, held, sign in ((bids, model.bids, -1), (asks, model.asks, 1)):
            side += [(price, 0) for price in held if not 0 < sign * (price * 100 - centre) < 200]
            side += [(Decimal(centre + sign * rng.randint(1, 199)) / 100, rng.choice([0, 1, 2])) for _ in range(8)]
        for target in (book, model):
            target.apply_delta(bids, asks, sequence=step)
        if step % 10 == 0:
            assert_same(book, model)
        if step == 300:
            peak = book.nbytes
    assert_same(book, model)
    assert book.nbytes <= 2 * peak


def test_a_bad_message_between_good_ones_leaves_no_trace(seed):
    rng = random.Random(seed)
    book, model = Book(), ModelBook()
    for target in (book, model):
        target.apply_snapshot([("100.5", "1")], [("101", "2")])
    for step in range(300):
        good = [(str(Decimal(rng.randint(9000, 11000)) / 100), str(rng.randint(0, 3))) for _ in range(4)]
        if rng.random() < 0.5:
            bad = rng.choice([("1", "-1"), ("1", "1e30"), ("x", "1"), ("1", None), ("1e-30", "1"), "1"])
            message = [*good, bad]
            rng.shuffle(message)
            with pytest.raises(BookError):
                book.apply_delta(*((message, good) if rng.random() < 0.5 else (good, message)), sequence=step)
        else:
            for target in (book, model):
                target.apply_delta(good, [], sequence=step)
        assert book.sequence == model.sequence
        assert_same(book, model)


PRICES = st.decimals(min_value=-(10**6), max_value=10**6, allow_nan=False, allow_infinity=False, places=6)
QTYS = st.one_of(
    st.just(Decimal(0)), st.decimals(min_value=0, max_value=10**6, allow_nan=False, allow_infinity=False, places=5)
)
LEVELS = st.lists(
    st.tuples(st.one_of(PRICES, st.sampled_from([Decimal(n) / 8 for n in range(-20, 20)])), QTYS), max_size=12
)


class BookAgainstModel(RuleBasedStateMachine):
    """Any order of snapshots and deltas."""

    def __init__(self):
        super().__init__()
        self.book, self.model = Book(), ModelBook()
        for target in (self.book, self.model):
            target.apply_snapshot([], [])

    @rule(bids=LEVELS, asks=LEVELS)
    def delta(self, bids, asks):
        for target in (self.book, self.model):
            target.apply_delta(bids, asks)

    @rule(bids=LEVELS, asks=LEVELS)
    def snapshot(self, bids, asks):
        for target in (self.book, self.model):
            target.apply_snapshot(bids, asks)

    @rule(price=st.one_of(PRICES, st.sampled_from([Decimal(n) / 8 for n in range(-20, 20)])))
    def look(self, price):
        assert self.book.bid_qty(price) == float(self.model.bid_qty(price) or 0)
        assert self.book.ask_qty(str(price)) == float(self.model.ask_qty(price) or 0)

    @invariant()
    def same(self):
        assert_same(self.book, self.model)


TestBookAgainstModel = BookAgainstModel.TestCase
TestBookAgainstModel.settings = settings(max_examples=40, stateful_step_count=20)


@given(st.lists(st.tuples(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(0, 2**63 - 1)), max_size=30))
def test_int64_units_of_any_size(rows):
    book = Book()
    book.apply_snapshot(np.array(rows, np.int64).reshape(-1, 2), np.array(rows, np.int64).reshape(-1, 2))
    held = {price: qty for price, qty in rows if qty}
    assert dict(book.bids_int().tolist()) == held
    assert [price for price, _ in book.asks_int().tolist()] == sorted(held)
