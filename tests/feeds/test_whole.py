"""Whole books that come again: of one that is like the last, only what differs is applied; see feeds/whole.pxd."""

from __future__ import annotations

from decimal import Decimal

import pytest

from feeds import Pipeline
from feeds.venue import Count, Link
from orderbook import BookState
from tests import _probe
from tests.model import held
from tests.own import own_spec


def partial_book(number: int, bids, asks) -> bytes:
    lists = ("[" + ",".join(f'["{price}","{qty}"]' for price, qty in pairs) + "]" for pairs in (bids, asks))
    return '{{"kind":"snapshot","s":"BTC-USD","u":{},"n":{},"b":{},"a":{}}}'.format(number, number, *lists).encode()


@pytest.fixture
def whole_books(monkeypatch):
    """A pipeline that has learned whole books of one symbol, and holds BIDS and ASKS."""
    spec = own_spec(fields=[("kind", "TEXT", "SPARE"), ("s", "SYMBOL", "SPARE"), ("u", "INT", "LAST_SEQ"),
                            ("n", "INT", "LINE_SEQ"), ("b", "LEVELS", "BIDS"), ("a", "LEVELS", "ASKS")],
                    form=("price", "qty"), parser={"marks": 4}, link=Link.NOT_BELOW, count=Count.EACH_ONCE)
    monkeypatch.setattr("feeds.pipeline.load", lambda name, wire=None: spec)
    pipeline = Pipeline("own")
    for number in range(3):
        pipeline.feed(partial_book(number + 1, BIDS, ASKS))
    return pipeline


BIDS = [("99.5", "1"), ("99.0", "2"), ("98.5", "3")]
ASKS = [("100.0", "4"), ("100.5", "5")]


@pytest.mark.parametrize(("bids", "asks", "differ"), [
    (BIDS, ASKS, 0),
    ([("99.5", "7"), *BIDS[1:]], ASKS, 1),                          # another quantity at the beginning,
    ([*BIDS[:2], ("98.5", "7")], ASKS, 1),                          # at the end
    ([*BIDS[:1], *BIDS[2:]], ASKS, 1),                              # one is gone,
    (BIDS[:1], ASKS, 2),                                            # and all behind the first
    ([("99.7", "1"), *BIDS, ("98.1", "2")], ASKS, 2),               # new ones
    ([("99.4", "1"), *BIDS[1:]], [("100.2", "1"), *ASKS[1:]], 4),   # others in their place
    ([*BIDS[:2], ("98.50", "3.0")], ASKS, 0),                       # the same, written in another way
    ([], ASKS, 3), (BIDS, [], 2), ([], [], 5),
    ([("99.5", "0"), *BIDS[1:]], ASKS, 1),
    ([BIDS[1], BIDS[0], BIDS[2]], ASKS, None),                      # out of order,
    ([*BIDS, BIDS[0]], ASKS, None),                                 # a price twice
])
def test_of_a_whole_book_that_comes_again_only_what_differs_is_applied(whole_books, bids, asks, differ):
    book = whole_books.book("BTC-USD")
    for times in (1, 2):
        whole_books.feed(partial_book(10 * times, bids, asks))
        assert held(book) == tuple(
            sorted({Decimal(price): Decimal(qty) for price, qty in pairs if qty != "0"}.items(), reverse=not side)
            for side, pairs in enumerate((bids, asks)))
        if times == 1:
            assert _probe.differing(whole_books) == differ
    assert _probe.differing(whole_books) == (None if differ is None else 0)
    whole_books.feed(partial_book(100, BIDS, ASKS))
    assert held(book) == tuple([(Decimal(p), Decimal(q)) for p, q in pairs] for pairs in (BIDS, ASKS))
    assert whole_books.counters["slow"] <= 2 + ([] in (bids, asks))
    assert whole_books.symbol_stats("BTC-USD")["snapshots"] == 6


@pytest.mark.parametrize("change", ["book", "closed", "opened", "forgotten", "old", "bad", "jump"])
def test_a_whole_book_is_applied_whole_where_its_book_is_not_as_the_last_one_left_it(whole_books, change):
    book = whole_books.book("BTC-USD")
    if change == "book":
        book.apply_delta([(99.5, 9.0)], [])
    elif change == "closed":
        whole_books.closed()
    elif change == "opened":
        whole_books.opened()
    elif change == "forgotten":
        whole_books.forget("BTC-USD")
        whole_books.follow("BTC-USD")
    elif change != "jump":
        frame = partial_book(2 if change == "old" else 9, [("99.5", "9"), *BIDS[1:]], ASKS)
        whole_books.feed(frame if change == "old" else frame[:-3])
    whole_books.feed(partial_book(20_000 if change == "jump" else 20, BIDS, ASKS))
    assert whole_books.counters["line_jumps"] == (change == "jump")       # the whole book's own number shows it
    assert _probe.differing(whole_books) is None
    assert held(book) == tuple([(Decimal(p), Decimal(q)) for p, q in pairs] for pairs in (BIDS, ASKS))
    assert book.status is BookState.LIVE
