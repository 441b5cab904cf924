"""Times of a message: one number for every unit that venues write."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from tests import _probe

MOMENT = 1_618_678_142_557_535_123


@pytest.mark.parametrize(("value", "ns"), [
    (MOMENT // 10**9, MOMENT // 10**9 * 10**9), (MOMENT // 10**6, MOMENT // 10**6 * 10**6),
    (MOMENT // 10**3, MOMENT // 10**3 * 10**3), (MOMENT, MOMENT),
    (100_000_000, 10**17), (99_999_999, 0), (99_999_999_999, 0),        # s: 1973; below; the year 5138
    (100_000_000_000, 10**17), (9_223_372_036_854, 9_223_372_036_854 * 10**6), (9_223_372_036_855, 0),      # ms
    (100_000_000_000_000, 10**17), (9_223_372_036_854_775, 9_223_372_036_854_775_000), (9_223_372_036_854_776, 0),
    (10**17, 10**17), (2**63 - 1, 2**63 - 1), (9_223_372_036, 9_223_372_036 * 10**9), (9_223_372_037, 0),
    (0, 0), (1, 0), (-1, 0), (-MOMENT, 0), (-(2**63), 0)])
def test_a_time_of_any_unit_is_ns(value, ns):
    assert _probe.ns(value) == ns


def test_the_unit_is_told_by_the_size(seed):
    """Every time from 1973 to 2261, in every unit; what came out goes in again and stays."""
    rng = random.Random(seed)
    first = int(datetime(1973, 3, 4, tzinfo=UTC).timestamp())
    last = int(datetime(2261, 12, 31, tzinfo=UTC).timestamp())
    for _ in range(20_000):
        moment = rng.randint(first * 10**9, last * 10**9)
        for unit in (10**9, 10**6, 10**3, 1):
            assert _probe.ns(moment // unit) == moment // unit * unit
        value = rng.randint(-(2**63), 2**63 - 1)
        assert _probe.ns(_probe.ns(value)) == _probe.ns(value)
