"""Every order in which a snapshot and a few deltas can come, and every one of them lost: the book ends the same.

A small model that is gone through from end to end: four deltas, a snapshot at any number that arrives at any time, and
either nothing lost or any one delta, or one that comes twice. After every message a LIVE book is the venue's book at
the number it states.
"""

from __future__ import annotations

from importlib import import_module
from itertools import product

import pytest

from feeds.pipeline import Pipeline
from feeds.venue import Link
from feeds.venues import load
from orderbook import BookState

BASE, DELTAS = 1000, 4
START = ({"99.5": "2", "99": "1"}, {"100.5": "3", "101": "4"})
# What each delta says, and one more at the end; a quantity of 0 removes.
CHANGES = [({"99.5": "7"}, {}), ({"98": "1"}, {"100.5": "0"}), ({"99.5": "0", "99.25": "5"}, {"102": "6"}),
           ({"99": "9"}, {"101": "2"}), ({"98": "3"}, {"102": "0"})]
# By the family of rules; REST-joined venues, then those with snapshots in the stream.
VENUES = ("binance_spot", "binance_usdm", "binance_coinm", "bitstamp", "okx", "deribit", "bitget", "cryptocom",
          "bybit", "kucoin", "gateio")


def truths():
    """The venue's book after so many deltas."""
    found = [START]
    for change in CHANGES:
        sides = []
        for held, told in zip(found[-1], change, strict=True):
            side = {**held, **told}
            sides.append({price: qty for price, qty in side.items() if qty != "0"})
        found.append(tuple(sides))
    return found


TRUTHS = truths()


class Client:
    """A pipeline that takes a row's steps, and says what a LIVE book must be after each."""

    def __init__(self, venue):
        self.row = import_module(f"tests.venues.{venue}").ROW
        self.pipeline = Pipeline(venue, symbols=[self.row.symbol], market=self.row.market)
        self.pipeline.opened(0)
        self.book = self.pipeline.book(self.row.symbol)

    def take(self, steps):
        for step in steps:
            if step[0] == "rest":
                self.pipeline.rest(step[1], step[2])
            else:
                self.pipeline.feed(step[1])
            if self.book.status is BookState.LIVE:
                self.must_be(self.book.sequence - BASE)

    def delta(self, number):
        """Number 0 is the first."""
        self.take(self.row.delta(BASE + number, BASE + number + 1, *(list(side.items()) for side in CHANGES[number])))

    def snapshot(self, number):
        self.take(self.row.snapshot(BASE + number, *(list(side.items()) for side in TRUTHS[number])))

    def must_be(self, number):
        assert 0 <= number < len(TRUTHS), f"LIVE at {number}"
        for levels, side in zip((self.book.bids(), self.book.asks()), TRUTHS[number], strict=True):
            assert sorted(map(tuple, levels.tolist())) == sorted((float(p), float(q)) for p, q in side.items()), number


def orders(loses):
    """(number of the snapshot, deltas that come before it, the delta that is lost or comes twice, how often).

    Where numbers show no gap nothing may be lost but what the stream had told before anybody heard it.
    """
    for stands, before in product(range(DELTAS + 1), repeat=2):
        yield stands, before, 0, 1
        for other, times in product(range(DELTAS), (0, 2)):
            if times or loses or (other == 0 and before > 1):
                yield stands, before, other, times


@pytest.mark.parametrize("venue", VENUES)
def test_the_book_never_depends_on_when_the_snapshot_came(venue):
    row = import_module(f"tests.venues.{venue}").ROW
    count = asked = 0
    for stands, before, other, times in orders(row.sees_gaps):
        client = Client(venue)
        for number in range(DELTAS):
            if number == before:
                client.snapshot(stands)
            for _ in range(times if number == other else 1):
                client.delta(number)
        if before == DELTAS:
            client.snapshot(stands)
        wanted = client.pipeline.wanted()
        # As a client does: what is still wanted is asked for, and the venue answers with its book as it is.
        if wanted or client.book.status is not BookState.LIVE:
            asked += 1
            client.snapshot(DELTAS)
        assert client.book.status is BookState.LIVE, (stands, before, other, times)
        client.must_be(client.book.sequence - BASE)
        client.delta(DELTAS)
        if client.book.status is not BookState.LIVE:        # it showed only now that one was missing
            assert client.pipeline.wanted()
            client.snapshot(DELTAS + 1)
        assert client.book.status is BookState.LIVE, (stands, before, other, times)
        assert client.book.sequence == BASE + DELTAS + 1
        client.must_be(DELTAS + 1)
        count += 1
    assert count == 25 * (1 + DELTAS * (2 if row.sees_gaps else 1)) + (0 if row.sees_gaps else 15)
    assert asked > 0


def test_every_family_of_rules_is_among_them():
    assert {Link(load(venue).link) for venue in VENUES} == {
        Link.RANGE, Link.PREVIOUS, Link.RISES, Link.CHAIN, Link.COUNTER, Link.OVERLAP}
