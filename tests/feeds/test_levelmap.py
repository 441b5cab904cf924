"""The table from a whole number to a whole number, against a dict."""

from __future__ import annotations

import random

import pytest

from tests._probe import Map

INT64_MAX = 2**63 - 1


def test_a_key_is_set_changed_and_absent():
    table = Map()
    assert table.get(5, -7) == -7
    table[5] = 3
    table[5] = 4
    table[-5] = 9
    table[0] = 0
    assert [table.get(key, -1) for key in (5, -5, 0, 6)] == [4, 9, 0, -1]
    assert len(table) == 3


def test_clear_keeps_the_memory():
    table = Map()
    for key in range(1000):
        table[key] = key
    places = table.places
    table.clear()
    assert (len(table), table.places, table.get(5, -1)) == (0, places, -1)
    table[5] = 1
    assert table.get(5, -1) == 1


@pytest.mark.parametrize("keys", [
    lambda rng: rng.randint(0, 300), lambda rng: rng.randint(-2**63 + 1, INT64_MAX),
    lambda rng: rng.randint(0, 500) << 40, lambda rng: 2 * rng.randint(0, 10**9) + 1])
def test_random_changes_against_a_dict(keys, seed):
    rng = random.Random(seed)
    table, held = Map(), {}
    for number in range(20_000):
        key = keys(rng)
        if rng.random() < 0.6:
            table[key] = held[key] = rng.randint(-2**63, INT64_MAX)
        elif number % 4000 == 3999:
            table.clear()
            held.clear()
        assert table.get(key, 1) == held.get(key, 1)
        assert len(table) == len(held)
    assert all(table.get(key, 0) == value for key, value in held.items())
    assert table.places & (table.places - 1) == 0


def test_reserving_makes_room_at_once():
    table = Map()
    assert table.reserve(1000)
    places = table.places
    assert places >= 2000
    for key in range(1000):
        table[key] = -key
    assert table.places == places


@pytest.mark.parametrize(("key", "value", "factor", "by_key", "by_value"), [
    (2 * 10**9 + 1, INT64_MAX, 10**8, True, False),     # a price and a number
    (INT64_MAX, 4 * 10**9 + 2, 10**8, False, True),     # an id and a price
    (7, 7, 10**18, True, True),
    (100, 100, 10**18, False, False),
    (-2 * 10**9, -2**63 + 1, 10**9, True, False),
    (2**62, 2**62, 1, True, True),
    (4 * (INT64_MAX // 40), 7, 10, False, True),        # at the very bound, and next to it
    (4 * (INT64_MAX // 40) - 1, 7, 10, True, True),
    (-4 * (INT64_MAX // 40), 7, 10, False, True),
    (-4 * (INT64_MAX // 40) + 1, 7, 10, True, True),
    (2**62, 2**62, 2, False, False),
])
def test_what_can_be_multiplied(key, value, factor, by_key, by_value):
    table = Map()
    assert table.fits(factor, True)
    table[key] = value
    assert table.fits(factor, True) == by_key
    assert table.fits(factor, False) == by_value
