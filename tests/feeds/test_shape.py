"""How a number in a window is written, and by what a shape is found; what shapes read, test_layout*.py compare."""

from __future__ import annotations

import random

import pytest

from tests import _probe


@pytest.mark.parametrize(("text", "found"), [
    (b'61800.30","2.507"]', (8, 7, 5, 0)), (b'1","0"]', (1, 1, 1, 0)), (b"5266583935,", (10, 10, 10, 0)),
    (b"9.12E-7,92730.24]", (7, 3, 1, -7)), (b"1e3]", (3, 1, 1, 3)), (b"2.5E+10]", (7, 2, 1, 10)),
    (b".5,", (2, 1, 0, 0)),
    (b"5.]", (2, 1, 1, 0)), (b"0.00000001,", (10, 9, 1, 0)), (b"1" * 31 + b'"', (31, 31, 31, 0)),
])
def test_how_a_number_is_written(text, found):
    assert _probe.window_number(text) == found


@pytest.mark.parametrize("text", [b"", b"x1,", b"-1,", b".,", b"E5,", b"1e,", b"1E-", b"61800.30", b"1e5"])
def test_what_no_window_reads(text):
    """A sign, no digit, or nothing that ends the number."""
    assert _probe.window_number(text) is None


def slow_look(window: bytes, stop: int, stops: int) -> int:
    look = 0
    for i, byte in enumerate(window[:32].ljust(32, b"\0")):
        look |= (not 48 <= byte <= 57) << i
        if byte == stop:
            stops -= 1
            if stops == 0:
                return look
    return look


def test_looks_of_random_windows(seed):
    rng = random.Random(seed)
    for _ in range(2000):
        window = bytes(rng.choice(b'0123456789.",[]E-') for _ in range(rng.randrange(40)))
        stop, stops = rng.choice(b'",]'), rng.randint(1, 4)
        assert _probe.look(window, bytes([stop]), stops) == slow_look(window, stop, stops), (window, stop, stops)
