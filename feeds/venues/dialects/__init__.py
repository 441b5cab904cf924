"""How simulated venues write: what the simulator sends in a venue's name stands here, by venue. It keeps no state."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from feeds.simulator.dialect import Dialect as Speech
from feeds.venues import VENUES
from feeds.venues.dialects.binance import (
    DIALECTS,
    FORMS,
    LOST,
    Dialect,
    ack,
    exchange_info,
    instruments,
    levels_text,
    request_error,
    rest_error,
    split_stream,
    stream_class,
)

SHOWN = "binance_usdm"      # what a demonstration shows if nothing else is asked for

_FOUND = {module.name for module in iter_modules(__path__)}
SPOKEN = tuple(name for name in VENUES if name in _FOUND)     # venues that the generic simulator speaks for
SIMULATED = tuple(name for name in VENUES if name in DIALECTS or name in _FOUND)


def speech(venue: str) -> Speech:
    """How one of SPOKEN speaks."""
    found: Speech = import_module(f"{__name__}.{venue}").DIALECT
    return found


__all__ = ["DIALECTS", "FORMS", "LOST", "SHOWN", "SIMULATED", "SPOKEN", "Dialect", "ack", "exchange_info",
           "instruments", "levels_text", "request_error", "rest_error", "speech", "split_stream", "stream_class"]
