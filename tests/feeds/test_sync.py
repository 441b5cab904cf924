"""Sequence rules: the sheets' examples as tables, and every interleaving of a snapshot with a short stream."""

from __future__ import annotations

import itertools
import random

import pytest

from feeds.pipeline import Pipeline
from feeds.venue import Link
from orderbook import BookState
from tests import frames
from tests._probe import Verdict, judge
from tests.model import ModelBook

APPLY, LOOSE, OLD, GAP = Verdict


@pytest.mark.parametrize(
    ("joined", "last", "first", "final", "verdict"),
    [
        # The first delta after a snapshot: U <= L + 1 <= u.
        (False, 100, 101, 105, APPLY),
        (False, 100, 90, 101, APPLY),
        (False, 100, 95, 106, APPLY),
        (False, 100, 90, 100, OLD),
        (False, 100, 90, 99, OLD),
        (False, 100, 102, 105, GAP),
        (False, 100, 100, 100, OLD),
        # Later ones: U == u of the one before + 1; an overlap is legal.
        (True, 100, 101, 101, APPLY),
        (True, 100, 101, 200, APPLY),
        (True, 100, 98, 103, LOOSE),
        (True, 100, 100, 101, LOOSE),
        (True, 100, 99, 100, OLD),
        (True, 100, 1, 2, OLD),
        (True, 100, 102, 102, GAP),
        (True, 100, 500, 600, GAP),
        # A snapshot of a new listing: whatever comes first continues it.
        (False, -1, 1, 5, APPLY),
        (False, -1, 500, 600, APPLY),
    ],
)
def test_ranges(joined, last, first, final, verdict):
    assert judge(Link.RANGE, joined, last, first, final) == verdict


@pytest.mark.parametrize(
    ("joined", "last", "first", "final", "previous", "verdict"),
    [
        # The first delta with u >= L: U <= L <= u, or at least pu <= L.
        (False, 100, 90, 100, 80, APPLY),
        (False, 100, 100, 105, 95, APPLY),
        (False, 100, 95, 106, 90, APPLY),
        (False, 100, 90, 99, 80, OLD),
        (False, 100, 103, 105, 100, LOOSE),
        (False, 100, 103, 105, 98, LOOSE),
        (False, 100, 103, 105, 101, GAP),
        (False, 100, 200, 205, 190, GAP),
        # Later ones: pu == u of the one before; U says nothing.
        (True, 100, 101, 105, 100, APPLY),
        (True, 100, 170, 180, 100, APPLY),
        (True, 100, 101, 105, 99, GAP),
        (True, 100, 105, 110, 103, GAP),
        (True, 100, 90, 100, 85, OLD),
        (True, 100, 90, 95, 85, OLD),
        (False, -1, 500, 600, 450, APPLY),
    ],
)
def test_links_to_the_previous(joined, last, first, final, previous, verdict):
    assert judge(Link.PREVIOUS, joined, last, first, final, previous) == verdict


def test_nothing_to_test():
    assert judge(Link.NONE, True, 100, 5, 5, 5) == APPLY


@pytest.mark.parametrize("link", [Link.RANGE, Link.PREVIOUS])
def test_numbers_at_the_limits(link):
    for joined in (False, True):
        for numbers in itertools.product((-(2**63), -1, 0, 1, 2**63 - 1), repeat=4):
            assert judge(link, joined, *numbers) in Verdict


# ---- every order in which a snapshot can come between the deltas of a stream


def stream_of(venue, count, rng):
    """Deltas of a made-up market and the book after each: (first, last, previous, bids, asks), levels of the book."""
    model = ModelBook()
    model.apply_snapshot([("100", "5"), ("99", "4")], [("101", "3"), ("102", "2")], 1000)
    books, messages, last = [(1000, model.top())], [], 1000
    for _ in range(count):
        skipped = 0 if venue == "binance_spot" else rng.randint(0, 3)  # the futures' numbers are shared by symbols
        first, previous = last + 1 + skipped, last
        last = first + rng.randint(0, 2)
        bids = [(str(rng.randint(95, 100)), str(rng.randint(0, 3))) for _ in range(rng.randint(0, 3))]
        asks = [(str(rng.randint(101, 105)), str(rng.randint(0, 3))) for _ in range(rng.randint(0, 3))]
        model.apply_delta(bids, asks, last)
        messages.append((first, last, previous, bids, asks))
        books.append((last, model.top()))
    return messages, books


def frame_of(venue, message):
    first, last, previous, bids, asks = message
    return frames.delta(first, last, None if venue == "binance_spot" else previous, bids, asks)


def held(book):
    raw = book.raw
    return [
        [(book.price_decimal(p), book.qty_decimal(q)) for p, q in rows.tolist()]
        for rows in (raw.bids_int(), raw.asks_int())
    ]


@pytest.mark.parametrize("venue", ["binance_spot", "binance_usdm", "binance_coinm"])
def test_every_interleaving_ends_in_the_same_book(venue, seed):
    """The snapshot of any moment, at any later or earlier place among the deltas; asked for again until it joins."""
    for number in range(6):
        rng = random.Random(f"{seed} {number}")
        messages, books = stream_of(venue, 6, rng)
        for taken, place in itertools.product(range(len(books)), range(len(messages) + 1)):
            told = []
            pipeline = Pipeline(venue, Watcher(told))
            for i, message in enumerate(messages):
                if i == place:
                    last, (bids, asks) = books[taken]
                    pipeline.rest(frames.rest_url(venue), frames.snapshot(last, bids, asks))
                pipeline.feed(frame_of(venue, message))
            if place == len(messages):
                last, (bids, asks) = books[taken]
                pipeline.rest(frames.rest_url(venue), frames.snapshot(last, bids, asks))
            if pipeline.wanted():
                last, (bids, asks) = books[-1]
                pipeline.rest(frames.rest_url(venue), frames.snapshot(last, bids, asks))
            book = pipeline.book("BTCUSDT")
            where = f"snapshot {taken} at {place} of {messages}"
            assert not pipeline.wanted(), where
            assert book.status is BookState.LIVE, where
            assert held(book) == [list(side) for side in books[-1][1]], where
            assert book.sequence == books[-1][0], where
            assert_chain(told)


class Watcher:
    """Notes what a handler is told, and that on_book is told of LIVE books only."""

    def __init__(self, told):
        self.told = told

    def on_status(self, book, old, new, reason):
        self.told.append((book.symbol, old, new))

    def on_book(self, book):
        assert book.status is BookState.LIVE
        book.best_bid  # noqa: B018


def assert_chain(told):
    """Each change of a book begins with the state that the one before ended in."""
    states = {}
    for symbol, old, new in told:
        assert states.get(symbol, BookState.EMPTY) == old, told
        states[symbol] = new


@pytest.mark.parametrize("venue", ["binance_spot", "binance_usdm"])
def test_a_lost_delta_never_leaves_a_live_book_that_is_wrong(venue, seed):
    for number in range(60):
        rng = random.Random(f"{seed} {number}")
        messages, books = stream_of(venue, 12, rng)
        told = []
        pipeline = Pipeline(venue, Watcher(told))
        for i, message in enumerate(messages):
            if rng.random() < 0.2:
                continue
            pipeline.feed(frame_of(venue, message))
            if rng.random() < 0.5 and pipeline.wanted():
                last, (bids, asks) = books[rng.randint(max(0, i - 3), i + 1)]
                pipeline.rest(frames.rest_url(venue), frames.snapshot(last, bids, asks))
            if rng.random() < 0.2:
                pipeline.feed(frame_of(venue, messages[rng.randint(0, i)]))  # a duplicate, or an older one
            book = pipeline.book("BTCUSDT")
            if book.status is BookState.LIVE:
                at = [last for last, _ in books].index(book.sequence)
                assert held(book) == [list(side) for side in books[at][1]], (seed, number, i)
        assert_chain(told)
