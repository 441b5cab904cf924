"""Levels that are not simply set: alone, with numbers of their own, by name; tables, then random streams."""

from __future__ import annotations

import random

import pytest

from tests._probe import Odd

NONE = -(2**63)         # a row that does not say its price
BID, ASK = 1, 2


def row(number: int, side: int = 0, price: int = NONE, qty: int = 0):
    """A row that names its level."""
    return price, qty, number << 2 | side


# ---- a message that is one level

@pytest.mark.parametrize(("slots", "bids", "asks"), [
    ({"LEVEL_PRICE": 100, "LEVEL_QTY": 7, "LEVEL_SIDE": 1}, [(100, 7)], []),
    ({"LEVEL_PRICE": 100, "LEVEL_QTY": 7, "LEVEL_SIDE": -1}, [], [(100, 7)]),
    ({"LEVEL_PRICE": 100, "LEVEL_QTY": 7, "LEVEL_SIDE": -1, "LEVEL_GONE": 1}, [], [(100, 0)]),
    ({"LEVEL_PRICE": 100, "LEVEL_SIDE": 1, "LEVEL_GONE": 1}, [(100, 0)], []),
    ({"LEVEL_PRICE": -5, "LEVEL_QTY": 0, "LEVEL_SIDE": 1}, [(-5, 0)], []),
])
def test_one_level_alone(slots, bids, asks):
    assert Odd().alone(**slots) == (bids, asks, [])


@pytest.mark.parametrize(("slots", "found"), [
    ({"LEVEL_ID": 8799, "LEVEL_PRICE": 100, "LEVEL_QTY": 7, "LEVEL_SIDE": 1}, row(8799, BID, 100, 7)),
    ({"LEVEL_ID": 8799, "LEVEL_QTY": 7, "LEVEL_SIDE": -1}, row(8799, ASK, NONE, 7)),
    ({"LEVEL_ID": 8799, "LEVEL_QTY": 7}, row(8799, 0, NONE, 7)),
    ({"LEVEL_ID": 8799, "LEVEL_GONE": 1, "LEVEL_SIDE": 1}, row(8799, BID, NONE, 0)),
    ({"LEVEL_ID": 8799, "LEVEL_GONE": 1, "LEVEL_QTY": 5}, row(8799, 0, NONE, 0)),
])
def test_one_row_alone(slots, found):
    assert Odd().alone(**slots) == ([], [], [found])


# ---- levels with numbers of their own

def test_levels_that_are_newer_than_the_snapshot_count():
    assert Odd().newer([(100, 1, 6), (101, 2, 5), (102, 0, 7), (0, 9, 8), (103, 3, 4)], 5) == [(100, 1), (102, 0)]
    assert Odd().newer([], 5) == []
    assert Odd().newer([(100, 1, 6)], 2**63 - 1) == []


def test_a_change_counts_if_its_number_is_above_the_levels():
    odd = Odd()
    assert odd.by_offset("snapshot", [(100, 1, 7), (99, 2, 5)], [(101, 1, 3)], 0) == ([(100, 1), (99, 2)], [(101, 1)])
    assert odd.by_offset("delta", [(100, 9, NONE), (99, 9, NONE)], [(101, 9, NONE)], 6) == ([(99, 9)], [(101, 9)])
    assert odd.by_offset("delta", [(100, 8, NONE)], [(101, 8, NONE)], 6) == ([], [])        # the same number again
    assert odd.by_offset("delta", [(50, 1, NONE)], [(50, 2, NONE)], 1) == ([(50, 1)], [(50, 2)])   # never seen
    assert odd.by_offset("delta", [(50, 3, NONE)], [], 2) == ([(50, 3)], [])        # a side has its own numbers
    assert odd.by_offset("delta", [], [(50, 3, NONE)], 1) == ([], [])
    assert odd.by_offset("snapshot", [], [(50, 1, NONE)], 0) == ([], [(50, 1)])
    assert odd.by_offset("delta", [(100, 1, NONE)], [(50, 1, NONE)], 0) == ([(100, 1)], [(50, 1)])  # all was forgotten


def test_random_changes_out_of_order_end_in_the_newest(seed):
    """A slow book of price -> (number, qty); changes come late, twice, or not at all."""
    rng = random.Random(seed)
    for _ in range(60):
        odd, best, held = Odd(), {}, {}
        first = [(price, rng.randint(1, 9), rng.randint(0, 20)) for price in range(-5, 5)]
        for price, qty in odd.by_offset("snapshot", first, [], 0)[0]:
            held[price] = qty
        best = {price: (number, qty) for price, qty, number in first}
        for _ in range(300):
            number = rng.randint(0, 60)
            changes = [(price, rng.randint(0, 9), NONE) for price in rng.sample(range(-8, 8), rng.randint(0, 4))]
            for price, qty in odd.by_offset("delta", changes, [], number)[0]:
                held[price] = qty
            for price, qty, _ in changes:
                if price not in best or number > best[price][0]:
                    best[price] = number, qty
            assert held == {price: qty for price, (_, qty) in best.items()}


# ---- rows that name their level

def test_rows_by_name():
    odd = Odd()
    whole = [row(8, ASK, 101, 5), row(9, BID, 100, 6)]
    assert odd.by_id("snapshot", whole) == (0, 0, [(100, 6)], [(101, 5)])
    assert odd.by_id("delta", [row(9, BID, qty=7)]) == (0, 0, [(100, 7)], [])           # a change
    assert odd.by_id("delta", [row(9, qty=8)]) == (0, 0, [(100, 8)], [])                # without a side
    assert odd.by_id("delta", [row(8, ASK)]) == (0, 0, [], [(101, 0)])                  # removed
    assert odd.by_id("delta", [row(8, ASK, 101, 3)]) == (0, 0, [], [(101, 3)])          # there again
    assert odd.by_id("delta", [row(9, ASK, qty=4)]) == (1, 0, [(100, 0)], [(100, 4)])   # it changed its side
    assert odd.by_id("delta", [row(9, ASK, 102, 4)]) == (1, 0, [], [(100, 0), (102, 4)])    # and its price


def test_a_name_that_is_not_known_is_a_lost_message():
    odd = Odd()
    odd.by_id("snapshot", [row(9, BID, 100, 6)])
    for unknown in (row(7, BID, qty=5), row(7), row(7, BID), row(7, 0, 100, 5), row(7, BID, 100, 0)):
        assert odd.by_id("delta", [row(9, qty=1), unknown])[0] == -1
    assert odd.by_id("delta", [row(9, qty=1), row(7, BID, qty=5), row(6, ASK, 101, 2)], strict=True) == (
        0, 1, [(100, 1)], [(101, 2)])
    assert odd.by_id("delta", [row(6, qty=5)]) == (0, 0, [], [(101, 5)])


def test_a_snapshot_forgets_the_names():
    odd = Odd()
    odd.by_id("snapshot", [row(9, BID, 100, 6)])
    odd.by_id("snapshot", [row(8, ASK, 101, 6)])
    assert odd.by_id("delta", [row(9, qty=1)])[0] == -1
    assert odd.by_id("delta", [row(8, qty=1)]) == (0, 0, [], [(101, 1)])


def test_random_rows_against_a_dict(seed):
    """Names -> (side, price, qty) in a slow book; rows leave out what is known."""
    rng = random.Random(seed)
    for _ in range(40):
        odd, known = Odd(), {}
        sides = {BID: {}, ASK: {}}

        def apply(result, sides=sides):
            for side, changes in ((BID, result[2]), (ASK, result[3])):
                for price, qty in changes:
                    sides[side][price] = qty
                    if not qty:
                        del sides[side][price]      # what is removed was there

        numbers = rng.sample(range(10**6), 30)
        prices = dict(zip(numbers, rng.sample(range(1000), 30), strict=True))
        first = [row(number, rng.choice([BID, ASK]), prices[number], rng.randint(1, 9)) for number in numbers[:12]]
        known = {rank >> 2: (rank & 3, price, qty) for price, qty, rank in first}
        apply(odd.by_id("snapshot", first))
        uncounted = 0
        for _ in range(200):
            rows = []
            for number in rng.sample(numbers, rng.randint(0, 3)):
                if number not in known:
                    known[number] = rng.choice([BID, ASK]), prices[number], rng.randint(1, 9)
                    rows.append(row(number, *known[number]))
                    continue
                side, price, _ = known[number]
                if rng.random() < 0.3:
                    rows.append(row(number, rng.choice([0, side]), rng.choice([NONE, price])))
                    del known[number]
                    continue
                moved = rng.random() < 0.2
                uncounted += moved
                side = 3 - side if moved else side
                known[number] = side, price, rng.randint(1, 9)
                rows.append(row(number, side if moved else rng.choice([0, side]), rng.choice([NONE, price]),
                                known[number][2]))
            result = odd.by_id("delta", rows)
            assert result[0] >= 0
            uncounted -= result[0]
            apply(result)
            for side in (BID, ASK):
                assert sides[side] == {price: qty for at, price, qty in known.values() if at == side}
        assert uncounted == 0
