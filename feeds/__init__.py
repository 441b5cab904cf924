"""wirebook's feeds: from a venue's wire to live order books.

    >>> import feeds
    >>> pipeline = feeds.Pipeline("binance_usdm")      # bytes in, books out; no network
    >>> async with feeds.connect("binance_usdm", ["BTCUSDT"], channels=("book", "trades")) as feed: ...

Importing this package loads neither the network nor the compiled modules: each name does when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from feeds.venue import UnknownVenue, UnsupportedChannel
from feeds.venues import VENUES

if TYPE_CHECKING:
    from feeds.events import Liquidation, Mark, Quote, Ticker, Trade
    from feeds.handler import Handler
    from feeds.pipeline import Pipeline
    from feeds.report import FeedError, Want
    from feeds.session import Feed, connect

# name -> the module that has it
_LAZY = {
    "Feed": "feeds.session", "FeedError": "feeds.report", "Handler": "feeds.handler",
    "Liquidation": "feeds.events", "Mark": "feeds.events", "Pipeline": "feeds.pipeline", "Quote": "feeds.events",
    "Ticker": "feeds.events", "Trade": "feeds.events", "Want": "feeds.report", "connect": "feeds.session",
}

__all__ = ["VENUES", "Feed", "FeedError", "Handler", "Liquidation", "Mark", "Pipeline", "Quote", "Ticker", "Trade",
           "UnknownVenue", "UnsupportedChannel", "Want", "connect"]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
