"""Sequence rules: the sheets' examples as tables, and every interleaving of a snapshot with a short stream."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from feeds.pipeline import Pipeline
from feeds.venue import Count, Link
from orderbook import BookState
from tests import frames
from tests._probe import Line, Verdict, judge
from tests.model import ModelBook
from tests.own import own_spec

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


@pytest.mark.parametrize("link", [Link.NONE, Link.OFFSETS, Link.CONNECTION])
def test_messages_whose_own_numbers_prove_nothing(link):
    for joined, numbers in itertools.product((False, True), itertools.product((0, 5, 100, 101, 900), repeat=3)):
        assert judge(link, joined, 100, *numbers) == APPLY


@pytest.mark.parametrize(
    ("joined", "last", "final", "verdict"),
    [
        (False, 100, 101, APPLY), (True, 100, 101, APPLY),
        (False, 100, 100, OLD), (True, 100, 100, OLD),      # once more
        (False, 100, 99, OLD), (False, 100, 2, OLD),        # the snapshot has it
        (True, 100, 99, GAP), (True, 100, 2, GAP),          # the venue's count began again
        (False, 100, 1, GAP), (True, 100, 1, GAP),
        (False, 0, 1, APPLY), (True, 0, 1, APPLY), (False, 1, 1, OLD),
        (False, 100, 102, GAP), (True, 100, 102, GAP), (True, 100, 10**9, GAP),
    ],
)
def test_a_counter(joined, last, final, verdict):
    assert judge(Link.COUNTER, joined, last, 0, final) == verdict


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize(
    ("link", "last", "final", "verdict"),
    [
        (Link.RISES, 100, 100, OLD), (Link.RISES, 100, 5, OLD),
        (Link.NOT_BELOW, 100, 100, APPLY), (Link.NOT_BELOW, 100, 101, APPLY), (Link.NOT_BELOW, 100, 9000, APPLY),
        (Link.NOT_BELOW, 100, 99, OLD), (Link.NOT_BELOW, 0, 0, APPLY),
    ],
)
def test_numbers_that_rise(joined, link, last, final, verdict):
    assert judge(link, joined, last, 0, final) == verdict


@pytest.mark.parametrize(("last", "final"), [(100, 101), (100, 9000), (0, 1)])
def test_numbers_that_only_rise_join_what_the_stream_has_told_of(last, final):
    """Else the stream may have told of more before anybody listened, and the snapshot does not have it either."""
    assert judge(Link.RISES, False, last, 0, final) == GAP
    assert judge(Link.RISES, True, last, 0, final) == APPLY


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize(
    ("last", "final", "previous", "verdict"),
    [
        (100, 105, 100, APPLY), (100, 101, 100, APPLY),
        (100, 100, 100, APPLY),         # nothing has happened: the number again
        (100, 7, 100, APPLY),           # the venue's numbers began again: a legal reset
        (100, 105, 99, GAP), (100, 105, 101, GAP), (100, 105, -1, GAP),
        (100, 100, 95, OLD),            # a copy
        (100, 90, 101, GAP),            # it follows what is not known
        (0, 5, 0, APPLY), (-1, 5, -1, APPLY),
    ],
)
def test_a_chain(joined, last, final, previous, verdict):
    assert judge(Link.CHAIN, joined, last, 0, final, previous) == verdict


def test_lower_numbers_of_a_chain_are_old_until_the_book_goes_on():
    """A snapshot that was asked for may be ahead of the stream; later on, lower numbers follow nothing known."""
    assert judge(Link.CHAIN, False, 100, 0, 90, 80) == OLD
    assert judge(Link.CHAIN, True, 100, 0, 90, 80) == GAP


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("link", [Link.OVERLAP, Link.OVERLAP_OR_WHOLE])
@pytest.mark.parametrize(
    ("last", "first", "final", "verdict"),
    [
        (100, 101, 101, APPLY), (100, 101, 200, APPLY), (100, 90, 101, APPLY), (100, 100, 150, APPLY),
        (100, 1, 100, OLD), (100, 90, 100, OLD), (100, 5, 6, OLD), (100, 100, 100, OLD),
        (100, 102, 102, GAP), (100, 500, 600, GAP),
        (100, 105, 104, GAP), (100, 105, 100, OLD),     # a first number past the last one was sent once
        (-1, 0, 7, APPLY), (0, 1, 1, APPLY),
    ],
)
def test_overlaps(link, joined, last, first, final, verdict):
    assert judge(link, joined, last, first, final) == verdict


@pytest.mark.parametrize("link", Link)
def test_numbers_at_the_limits(link):
    for joined in (False, True):
        for numbers in itertools.product((-(2**63), -1, 0, 1, 2**63 - 1), repeat=4):
            assert judge(link, joined, *numbers) in Verdict


@pytest.mark.parametrize("link", [Link.RANGE, Link.PREVIOUS, Link.COUNTER, Link.CHAIN, Link.OVERLAP])
def test_what_continues_a_book_leaves_no_event_out(link, seed):
    """Events 1 to n in messages; a book that stands at an event takes messages in any order, each by its verdict."""
    applied = 0
    for turn in range(300):
        rng = random.Random(f"{seed} {turn}")
        messages, last = [], rng.randint(0, 50)
        start = last
        for _ in range(30):
            size = 1 if link is Link.COUNTER else rng.randint(1, 4)
            messages.append((last + 1, last + size, last))
            last += size
        book, joined = rng.randint(start, start + 10), False
        if link is Link.CHAIN:
            book = start                                # its snapshots stand where a message ends
        for i in range(len(messages) * 3):
            at = i // 3 + rng.choice([0, 0, 0, 1, -1, -5])
            if not 0 <= at < len(messages):
                continue
            first, final, previous = messages[at]
            verdict = judge(link, joined, book, first, final, previous)
            if verdict in (APPLY, LOOSE):
                assert first <= book + 1, "events are missing"
                assert final > book or (not joined and link is Link.PREVIOUS and final == book), "it is old"
                book, joined = final, True
                applied += 1
            elif first == book + 1:
                raise AssertionError(f"{verdict} of the very next message")
            elif verdict == OLD:
                assert final <= book
            elif link not in (Link.COUNTER, Link.CHAIN) or final > book:      # a lower number is a new beginning
                assert first > book + 1 or (first <= book < final), "nothing is missing"
    assert applied > 1000


# ---- the numbers of a connection

NEXT, EACH_ONCE = Count.NEXT, Count.EACH_ONCE
LATE = 512          # messages that may come before one that is late


class SetModel:
    """Numbers that come once each, some of them late, with a set."""

    def __init__(self):
        self.floor, self.came = None, set()

    def follows(self, number):
        if self.floor is None:
            self.floor = number
            return True
        if not self.floor < number <= self.floor + 4 * LATE:
            return number <= self.floor
        missing = [n for n in range(self.floor + 1, number - LATE + 1) if n not in self.came]
        self.floor = max(self.floor, number - LATE)
        self.came.add(number)
        while self.floor + 1 in self.came:
            self.floor += 1
        return not missing


@pytest.mark.parametrize(("rule", "numbers", "answers"), [
    (NEXT, [1, 2, 3], [True] * 3), (NEXT, [77, 78], [True] * 2), (NEXT, [1, 3, 4], [True, False, True]),
    (NEXT, [5, 5, 6], [True, False, True]), (NEXT, [5, 4, 5], [True, False, True]), (NEXT, [0, 1], [True] * 2),
    (NEXT, [9, 0, 1], [True, False, True]), (NEXT, [2**63 - 2, 2**63 - 1], [True] * 2),
    (EACH_ONCE, [0, 2, 1, 3], [True] * 4), (EACH_ONCE, [5, 7, 7, 6, 6, 1], [True] * 6),
    (EACH_ONCE, [0, 1, LATE + 1], [True] * 3), (EACH_ONCE, [0, 1, LATE + 2], [True, True, False]),
    (EACH_ONCE, [0, LATE + 1, 1], [True, False, True]), (EACH_ONCE, [0, 5 * LATE], [True, False]),
    (EACH_ONCE, [0, 5 * LATE, 1, 2], [True, False, True, True]),
    (EACH_ONCE, [0, 4 * LATE, 3 * LATE + 1], [True, False, True]),          # just near enough to count from
    (EACH_ONCE, [0, 4 * LATE + 1, 3 * LATE + 2], [True, False, False]),
])
def test_numbers_of_a_connection(rule, numbers, answers):
    line = Line()
    assert [bool(line.follows(rule, number)) for number in numbers] == answers


def test_random_numbers_against_a_set(seed):
    for turn in range(30):
        rng = random.Random(f"{seed} {turn}")
        line, model, number = Line(), SetModel(), rng.randint(0, 1000)
        for step in range(4000):
            number += rng.choice([1] * 30 + [2, 3, rng.randint(1, 700)])
            told = number - rng.choice([0, 0, 0, 1, rng.randint(0, 600)]) + 9 * LATE * (rng.random() < 0.001)
            assert bool(line.follows(EACH_ONCE, told)) == model.follows(told), (seed, turn, step)


def test_late_numbers_are_not_missing_and_missing_ones_are_told_once(seed):
    rng = random.Random(seed)
    for lost in (None, 700):
        line = Line()
        numbers = sorted(range(3000), key=lambda number: number + rng.choice([0] * 9 + [rng.randint(0, LATE - 2)]))
        answers = [line.follows(EACH_ONCE, number) for number in [0, *numbers] if number != lost]
        assert answers.count(False) == (lost is not None)


# ---- a connection whose numbers jump, in a pipeline

def numbered(number, symbol, price):
    return json.dumps({"kind": "delta", "s": symbol, "n": number, "b": [[price, "1"]], "a": []}).encode()


@pytest.fixture
def counted(monkeypatch):
    """A function that makes a pipeline of a venue of the tests' own, whose connections count their messages."""
    def make(count, on_gap="resync", **more):
        spec = own_spec(fields=[("kind", "TEXT", "SPARE"), ("s", "SYMBOL", "SPARE"), ("n", "INT", "LINE_SEQ"),
                                ("b", "LEVELS", "BIDS"), ("a", "LEVELS", "ASKS")], count=count, **more)
        monkeypatch.setattr("feeds.pipeline.load", lambda name, wire=None: spec)
        pipeline = Pipeline("own", on_gap=on_gap)
        pipeline.opened(0)
        for number, symbol in enumerate("AB"):
            pipeline.feed(numbered(number, symbol, "1").replace(b"delta", b"snapshot"))
        return pipeline

    return make


@pytest.mark.parametrize("link", [Link.NONE, Link.CONNECTION])
def test_a_jump_of_a_connection_makes_its_books_stale(counted, link):
    pipeline = counted(Count.NEXT, link=link)
    pipeline.feed(numbered(2, "A", "2"))
    assert pipeline.book("A").status is BookState.LIVE
    pipeline.feed(numbered(4, "A", "3"))
    assert [pipeline.book(symbol).status for symbol in "AB"] == [BookState.STALE] * 2
    assert pipeline.counters["line_jumps"] == 1
    assert [want.kind for want in pipeline.wanted()][:1] == ["reconnect"]
    pipeline.opened(0)
    assert pipeline.wanted() == []


def test_a_book_message_without_a_number_may_hide_a_loss_where_all_have_one(counted):
    pipeline = counted(Count.NEXT)
    pipeline.feed(numbered(2, "A", "2").replace(b'"n": 2, ', b""))
    assert (pipeline.counters["errors"], pipeline.book("A").status) == (1, BookState.STALE)
    assert "a number of the connection" in str(pipeline.last_error)
    assert pipeline.book("B").status is BookState.LIVE
    pipeline.feed(json.dumps({"kind": "trade", "s": "B"}).encode())         # loses no level, if it hides anything
    assert (pipeline.counters["errors"], pipeline.book("B").status) == (1, BookState.LIVE)


def test_a_jump_is_counted_in_a_recording(counted):
    pipeline = counted(Count.NEXT, "count", link=Link.CONNECTION)
    for number in (2, 3, 7, 8, 8):
        pipeline.feed(numbered(number, "A", str(number)))
    assert pipeline.symbol_stats("A")["breaks"] == 2
    assert pipeline.counters["line_jumps"] == 2
    assert pipeline.symbol_stats("A")["updates"] == 5       # counted, and applied


def test_lines_have_numbers_of_their_own(counted):
    pipeline = counted(Count.NEXT)
    pipeline.feed(numbered(900, "C", "1").replace(b"delta", b"snapshot"), line=5)
    pipeline.feed(numbered(2, "A", "2"))
    pipeline.feed(numbered(901, "C", "2"), line=5)
    assert pipeline.counters["line_jumps"] == 0
    pipeline.feed(numbered(903, "C", "3"), line=5)
    assert [pipeline.book(symbol).status for symbol in "ABC"] == [BookState.LIVE, BookState.LIVE, BookState.STALE]


def test_late_messages_of_a_connection_are_no_jump(counted):
    pipeline = counted(Count.EACH_ONCE)
    for number in (3, 5, 2, 4):
        pipeline.feed(numbered(number, "A", str(number)))
    assert (pipeline.counters["line_jumps"], pipeline.book("A").status) == (0, BookState.LIVE)
    pipeline.feed(numbered(5 + LATE + 1, "A", "9"))
    assert (pipeline.counters["line_jumps"], pipeline.book("A").status) == (1, BookState.STALE)


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
