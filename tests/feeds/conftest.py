"""Fixtures of the feed tests: the lines of recorded captures, read once."""

from __future__ import annotations

from functools import lru_cache

import pytest

from tests.model import Line, read_capture


@pytest.fixture(scope="session")
def capture_lines(data_dir):
    """A function from a capture's name, "binance_usdm/btcusdt_20240808", to its lines."""
    @lru_cache(maxsize=2)
    def lines(name: str) -> list[Line]:
        return list(read_capture(data_dir / f"{name}.ws.gz"))

    return lines
