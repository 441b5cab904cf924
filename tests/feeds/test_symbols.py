"""Instruments by the venue's text and their variant, against a dict."""

from __future__ import annotations

import random

import pytest

from tests._probe import Names

MAX_NAME = 96


def test_a_name_is_found_again():
    names = Names()
    assert names.find(b"BTCUSDT") == -1
    assert names.add(b"BTCUSDT") == 0
    assert names.add(b"ETHUSDT") == 1
    assert (names.find(b"BTCUSDT"), names.find(b"ETHUSDT"), names.find(b"BTCUSD"), names.find(b"")) == (0, 1, -1, -1)


def test_books_that_share_a_name_are_told_apart_by_their_variant():
    """The market is in the upper bits, the depth of a partial book in the lower ones."""
    names = Names()
    variants = [0, 5, 20, 1 << 20, 1 << 20 | 5, 7 << 20 | (1 << 20) - 1]
    for number, variant in enumerate(variants):
        assert names.add(b"BTCUSDT", variant) == number
    assert [names.find(b"BTCUSDT", variant) for variant in variants] == list(range(len(variants)))
    assert names.find(b"BTCUSDT", 50) == -1


@pytest.mark.parametrize("size", [1, 7, 8, 9, 31, 32, 33, 64, 95, MAX_NAME])
def test_names_of_every_size(size):
    names = Names()
    name = bytes(range(65, 65 + 26)) * 4
    assert names.add(name[:size]) == 0
    assert names.find(name[:size]) == 0
    assert names.find(name[:size - 1]) == -1
    assert names.find(name[:size - 1] + b"!") == -1
    assert names.find(b"!" + name[1:size]) == -1 or size == 0


def test_a_name_that_is_too_long_is_refused():
    names = Names()
    assert names.add(b"x" * (MAX_NAME + 1)) == -1
    assert names.find(b"x" * (MAX_NAME + 1)) == -1
    assert names.find(b"x" * 5000) == -1


def test_random_names_against_a_dict(seed):
    rng = random.Random(seed)
    names, held = Names(), {}
    alphabet = b"ABC-/_:0" + "币".encode() + b"\x00\xff"
    for _ in range(6000):
        name = bytes(rng.choices(alphabet, k=rng.randint(1, rng.choice([3, 12, MAX_NAME]))))
        key = name, rng.choice([0, 0, 5, 1 << 20, rng.randrange(1 << 24)])
        assert names.find(*key) == held.get(key, -1)
        if key not in held:
            held[key] = names.add(*key)
            assert held[key] == len(held) - 1
    assert all(names.find(*key) == index for key, index in held.items())
