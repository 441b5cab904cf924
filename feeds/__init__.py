"""wirebook's feeds: from a venue's wire to live order books.

    >>> import feeds
    >>> pipeline = feeds.Pipeline(venue)               # bytes in, books out; no network
    >>> async with feeds.connect(venue, [symbol], channels=("book", "trades")) as feed: ...

Importing this package loads neither the network nor the compiled modules: each name does when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from feeds.venue import (
    BadSymbol,
    Maintenance,
    NotAuthorised,
    RateLimited,
    StreamLost,
    UnknownVenue,
    UnsupportedChannel,
    VenueError,
)
from feeds.venues import VENUES

if TYPE_CHECKING:
    from feeds.chains import Chain, chain
    from feeds.directory import ListError, fetch_instruments
    from feeds.events import Liquidation, Mark, OpenInterest, Quote, Ticker, Trade
    from feeds.handler import Handler
    from feeds.instruments import Instrument
    from feeds.listing import InstrumentChange, Listing, UnknownInstrument
    from feeds.pipeline import Pipeline
    from feeds.readers import LagError
    from feeds.report import FeedError, Want
    from feeds.rerun import RangeError, Rerun, SymbolError, replay
    from feeds.session import Feed, SubscribeError, connect

# name -> the module that has it
_LAZY = {
    "Chain": "feeds.chains", "Instrument": "feeds.instruments", "InstrumentChange": "feeds.listing",
    "ListError": "feeds.directory", "Listing": "feeds.listing", "UnknownInstrument": "feeds.listing",
    "chain": "feeds.chains", "fetch_instruments": "feeds.directory",
    "Feed": "feeds.session", "FeedError": "feeds.report", "Handler": "feeds.handler",
    "LagError": "feeds.readers", "Liquidation": "feeds.events", "Mark": "feeds.events", "OpenInterest": "feeds.events",
    "Pipeline": "feeds.pipeline", "Quote": "feeds.events", "SubscribeError": "feeds.session",
    "RangeError": "feeds.rerun", "Rerun": "feeds.rerun", "SymbolError": "feeds.rerun", "replay": "feeds.rerun",
    "Ticker": "feeds.events", "Trade": "feeds.events", "Want": "feeds.report", "connect": "feeds.session",
}

__all__ = ["VENUES", "BadSymbol", "Chain", "Feed", "FeedError", "Handler", "Instrument", "InstrumentChange",
           "LagError", "Liquidation", "ListError", "Listing", "Maintenance", "Mark", "NotAuthorised", "OpenInterest",
           "Pipeline", "Quote", "RangeError", "RateLimited", "Rerun", "StreamLost", "SubscribeError", "SymbolError",
           "Ticker", "Trade", "UnknownInstrument", "UnknownVenue", "UnsupportedChannel", "VenueError", "Want", "chain",
           "connect", "fetch_instruments", "replay"]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
