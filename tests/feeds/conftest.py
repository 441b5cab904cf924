"""Fixtures of the feed tests: recorded captures, read once, and a pipeline with a LIVE book."""

from __future__ import annotations

from functools import lru_cache

import pytest

import feeds.simulator.market as market_module
import feeds.simulator.server as server_module
from feeds.pipeline import Pipeline
from orderbook import BookState
from tests import frames
from tests.clock import run_virtually
from tests.log import Log
from tests.model import Line, read_capture
from tests.own import FIELDS, own_spec


@pytest.fixture(scope="session")
def capture_lines(data_dir):
    """A function from a capture's name, "binance_usdm/btcusdt_20240808", to its lines."""
    @lru_cache(maxsize=2)
    def lines(name: str) -> list[Line]:
        return list(read_capture(data_dir / f"{name}.ws.gz"))

    return lines


@pytest.fixture
def log() -> Log:
    """A handler that notes everything."""
    return Log()


@pytest.fixture
def pipeline(log: Log) -> Pipeline:
    """A pipeline whose BTCUSDT is LIVE at 10, with a bid of 100 and an ask of 101."""
    pipeline = Pipeline("binance_usdm", log)
    pipeline.opened()
    pipeline.feed(frames.delta(8, 9, 7))
    pipeline.feed(frames.delta(10, 10, 9))
    pipeline.rest(frames.rest_url(), frames.snapshot(10, [("100", "1"), ("99", "2")], [("101", "3")]))
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    log.take()
    return pipeline


@pytest.fixture
def made(monkeypatch):
    """A function that makes a pipeline of a venue of the tests' own, with these rules."""
    def make(handler=None, *, on_gap="resync", symbols=None, market=None, parser=None, simd=True, **facts) -> Pipeline:
        spec = own_spec(fields=FIELDS, parser={"marks": 2} | (parser or {}), **facts)
        monkeypatch.setattr("feeds.pipeline.load", lambda name, wire=None: spec)
        return Pipeline("own", handler, symbols, market=market, on_gap=on_gap, simd=simd)

    return make


@pytest.fixture
def thin_markets(monkeypatch):
    """Markets that open fast: it is about how much is asked for, not about what is told."""
    monkeypatch.setattr(server_module, "LONGEST_SLEEP_S", 0.5)
    monkeypatch.setattr(market_module, "OPEN_LEVELS", 45)
    monkeypatch.setattr(market_module, "BURSTS_PER_SECOND", 0.0)


@pytest.fixture
def virtually(monkeypatch):
    """Runs a coroutine in virtual time."""
    return lambda coroutine: run_virtually(coroutine, monkeypatch)
