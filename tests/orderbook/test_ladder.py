"""One side of a book, by rank: against a dict, and its own parts against each other after every change."""

from __future__ import annotations

import random

import pytest

from orderbook import Book
from tests import _probe

FAR = 2**62


def assert_holds(ladder, held):
    ladder.check()
    assert ladder.items() == sorted(held.items(), reverse=True)
    assert len(ladder) == len(held)
    assert ladder.best() == max(held.items(), default=None)


def apply(ladder, held, message):
    """Apply a message to both; returns what ladder_apply should have found before each level."""
    before, absent = [], 0
    for rank, qty in message:
        before.append(held.get(rank, 0))
        absent += not qty and rank not in held
        if qty:
            held[rank] = qty
        else:
            held.pop(rank, None)
    assert ladder.apply(message) == (absent, before)


def test_levels_come_best_first():
    ladder = _probe.LadderProbe()
    ladder.apply([(5, 1), (-100, 2), (64, 3), (63, 4), (0, 5), (-1, 6)])
    assert ladder.items() == [(64, 3), (63, 4), (5, 1), (0, 5), (-1, 6), (-100, 2)]
    assert ladder.best() == (64, 3)
    assert [ladder.get(rank) for rank in (5, 6, -1, 10**15)] == [1, 0, 6, 0]
    assert ladder.pages == 4


def test_an_empty_ladder():
    ladder = _probe.LadderProbe(-1)
    assert (ladder.items(), ladder.best(), len(ladder)) == ([], None, 0)
    assert ladder.apply([(3, 0), (FAR, 0)]) == (2, [0, 0])
    ladder.check()


def test_the_best_level_set_and_removed_in_one_message():
    ladder, held = _probe.LadderProbe(), {}
    apply(ladder, held, [(10, 1)])
    apply(ladder, held, [(1000, 1), (1000, 0)])
    assert_holds(ladder, held)
    apply(ladder, held, [(10, 0), (2000, 5), (2000, 0)])
    assert_holds(ladder, held)
    apply(ladder, held, [(-(10**12), 7)])
    assert_holds(ladder, held)


def test_clear_keeps_the_memory():
    ladder = _probe.LadderProbe()
    ladder.apply([(64 * i, 1) for i in range(100)])
    size = ladder.nbytes
    ladder.clear()
    assert_holds(ladder, {})
    ladder.apply([(64 * i, 1) for i in range(100)])
    assert ladder.nbytes == size


def test_memory_is_told_to_the_byte():
    """Pages of 64 quantities, and beside them tables that are made of 8-byte words."""
    ladder = _probe.LadderProbe()
    told = [ladder.nbytes]
    for i in range(200):
        ladder.apply([(64 * i, 1)])
        told.append(ladder.nbytes)
        assert told[-1] > 64 * 8 * ladder.page_room
    assert told == sorted(told)
    assert not any(size % 8 for size in told)


# Ranks of a message: near each other, one to a page, at the ends of the range, and on keys that hash alike.
RANKS = {
    "near": lambda rng: rng.randint(-200, 200),
    "pages": lambda rng: 64 * rng.randint(-400, 400) + rng.choice([0, 63]),
    "far": lambda rng: rng.choice([-1, 1]) * (FAR - rng.randint(0, 300)),
    "any": lambda rng: rng.randint(-FAR, FAR),
    "few": lambda rng: 64 * rng.randint(0, 40),
}


@pytest.mark.parametrize("ranks", RANKS)
def test_random_messages_against_a_dict(ranks, seed):
    rng = random.Random(f"{seed} {ranks}")
    ladder, held = _probe.LadderProbe(), {}
    for step in range(400):
        message = [(RANKS[ranks](rng), rng.choice([0, 0, 1, 2**62])) for _ in range(rng.choice([1, 2, 20]))]
        if held and rng.random() < 0.3:
            message += [(rank, 0) for rank in rng.sample(sorted(held), rng.randint(1, len(held)))]
        apply(ladder, held, message)
        if rng.random() < 0.02:
            ladder.clear()
            held.clear()
        if step % 4 == 0:
            assert_holds(ladder, held)
    assert_holds(ladder, held)


def test_undo_takes_a_message_back(seed):
    rng = random.Random(seed)
    ladder, held = _probe.LadderProbe(), {}
    for _ in range(400):
        message = [(64 * rng.randint(-60, 60) + rng.randint(0, 3), rng.choice([0, 1, 2])) for _ in range(30)]
        ladder.apply(message, undo=True)
        assert_holds(ladder, held)
        apply(ladder, held, message)


def test_empty_pages_are_dropped():
    ladder, held = _probe.LadderProbe(), {}
    for i in range(3000):
        apply(ladder, held, [(64 * i, 1), (64 * (i - 3), 0)])
    assert_holds(ladder, held)
    assert ladder.pages < 100
    assert ladder.page_room < 200


@pytest.mark.skipif(not _probe.CAN_COUNT_MALLOC, reason="malloc can be taken away on x86-64 Linux only")
@pytest.mark.parametrize("method", ["apply_delta", "apply_snapshot"])
def test_without_memory_nothing_is_applied(method):
    """Memory runs out at each of the calls that a message makes, one after the other."""
    bids = [(str(1000 * i), "5") for i in range(1, 200)]
    asks = [(f"{1000 * i}.5", "5") for i in range(200, 400)]
    failures = 0
    for after in range(200):
        book = Book()
        book.apply_snapshot([("1000", "1"), ("999.25", "2")], [("300000.25", "1")], sequence=1)
        before = book.bids().tolist(), book.asks().tolist()
        try:
            _probe.without_memory(lambda: getattr(book, method)(bids, asks, sequence=2), after)  # noqa: B023
        except (MemoryError, ValueError):
            failures += 1
            assert (book.bids().tolist(), book.asks().tolist(), book.sequence) == (*before, 1)
            getattr(book, method)(bids, asks, sequence=2)
        assert book.sequence == 2
        assert book.bid_levels == 199 + (method == "apply_delta")
        assert book.best_bid == (199000.0, 5.0)
        if failures <= after:
            break
    assert 5 < failures < 200


@pytest.mark.skipif(not _probe.CAN_COUNT_MALLOC, reason="malloc can be taken away on x86-64 Linux only")
@pytest.mark.parametrize("times", [1, 1000])
def test_without_memory_for_a_finer_tick_nothing_is_changed(times):
    """Both sides are built anew for it: either may find memory that the other does not."""
    bids, asks = ([(64_000 * i, i) for i in range(first, first + 60)] for first in (1, 100))
    failures = 0
    for after in range(200):
        book = Book()
        book.apply_snapshot(bids, asks, sequence=1)
        before = book.bids().tolist(), book.asks().tolist()
        try:
            _probe.without_memory(lambda: book.apply_delta([("0.5", 7)], [("1e7", 8)], sequence=2),  # noqa: B023
                                  after, times)
        except (MemoryError, ValueError):
            failures += 1
            assert (book.bids().tolist(), book.asks().tolist(), book.sequence) == (*before, 1)
            book.apply_delta([("0.5", 7)], [("1e7", 8)], sequence=2)
        assert book.bids().tolist() == [*before[0], [0.5, 7]]
        assert book.asks().tolist() == sorted([*before[1], [1e7, 8]])
        if failures <= after:
            break
    assert 5 < failures < 200


def test_the_worst_level_and_the_reach():
    ladder = _probe.LadderProbe()
    assert _probe.worst(ladder) is None
    ladder.apply([(5, 1), (-100, 2), (64, 3)])
    assert _probe.worst(ladder) == (-100, 100)
    ladder.apply([(-100, 0), (6, 1)])                   # the page of -100 may stay, empty
    assert _probe.worst(ladder) == (5, 64)
    ladder.apply([(5, 0), (64, 0)])
    assert _probe.worst(ladder) == (6, 6)


def test_the_worst_level_of_random_messages(seed):
    rng = random.Random(seed)
    ladder, held = _probe.LadderProbe(rng.choice([1, -1])), {}
    for _ in range(2000):
        spread = rng.choice([3, 70, 5000])
        levels = [(rng.randint(-spread, spread), rng.choice([0, 0, 1, 9])) for _ in range(rng.randint(1, 4))]
        apply(ladder, held, levels)
        assert _probe.worst(ladder) == ((min(held), max(map(abs, held))) if held else None)
