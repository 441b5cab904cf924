"""What a book does beyond the reads and changes of its Python face: the cut to a depth."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from orderbook import Book
from tests import _probe
from tests.model import ModelBook


def held(book):
    return tuple([(book.price_decimal(p), book.qty_decimal(q)) for p, q in rows.tolist()]
                 for rows in (book.bids_int(), book.asks_int()))


def cut(model: ModelBook, depth: int) -> None:
    """Keep the best levels of a side."""
    bids, asks = model.top(depth)
    model.bids, model.asks = dict(bids), dict(asks)


@pytest.mark.parametrize(("depth", "bids", "asks"), [
    (3, [100, 99, 98], [101, 102]), (2, [100, 99], [101, 102]), (1, [100], [101]), (0, [], []),
    (4, [100, 99, 98], [101, 102])])
def test_a_cut_keeps_the_best_levels(depth, bids, asks):
    book = Book()
    book.apply_snapshot([(98, 1), (100, 1), (99, 1)], [(102, 1), (101, 1)], sequence=7)
    _probe.cut(book, depth)
    assert book.bids()[:, 0].tolist() == bids
    assert book.asks()[:, 0].tolist() == asks
    assert (book.bid_levels, book.ask_levels, book.sequence) == (len(bids), len(asks), 7)
    assert book.best_bid == ((bids[0], 1) if bids else None)
    assert book.best_ask == ((asks[0], 1) if asks else None)


@pytest.mark.parametrize("places", [0, 2, 6])
def test_random_changes_and_cuts_against_the_model(places, seed):
    rng = random.Random(f"{seed} {places}")
    book, model = Book(price_scale=places), ModelBook()
    first = [(Decimal(100), Decimal(1))], [(Decimal(200), Decimal(1))]
    book.apply_snapshot(*first)
    model.apply_snapshot(*first)

    def levels(low, high):
        spread = 10 ** rng.randint(0, places)
        return [(Decimal(rng.randint(low * spread, high * spread)) / spread,
                 Decimal(rng.choice([0, 0, 1, 5, rng.randint(1, 10**9)])) / 1000) for _ in range(rng.randint(0, 9))]

    for number in range(1500):
        bids, asks = levels(50, 149), levels(150, 250)
        book.apply_delta(bids, asks)
        model.apply_delta(bids, asks)
        if rng.random() < 0.7:
            depth = rng.choice([1, 5, 10, 25, 1000])
            _probe.cut(book, depth)
            cut(model, depth)
        assert held(book) == model.top(), number
    for depth in (3, 0):
        _probe.cut(book, depth)
        cut(model, depth)
        assert held(book) == model.top()
    book.apply_delta([(77, 5)], [])                    # an empty book takes levels again
    assert book.best_bid == (77, 5)


def test_a_cut_of_an_empty_book():
    book = Book()
    _probe.cut(book, 0)
    _probe.cut(book, 10)
    assert (book.bid_levels, book.ask_levels) == (0, 0)
