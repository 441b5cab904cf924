"""The registry: a venue's name to its SPEC. Adding a venue is a file here, what stands beside it, and a line below."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from feeds.venue import UnknownVenue, UnsupportedChannel

if TYPE_CHECKING:
    from feeds.venue import VenueSpec

# name -> (module, attribute of its SPEC)
_MODULES = {
    "binance_spot": ("feeds.venues.binance", "SPOT"),
    "binance_usdm": ("feeds.venues.binance", "USDM"),
    "binance_coinm": ("feeds.venues.binance", "COINM"),
    "okx": ("feeds.venues.okx", "SPEC"),
    "bybit": ("feeds.venues.bybit", "SPEC"),
    "coinbase_advanced": ("feeds.venues.coinbase_advanced", "SPEC"),
    "coinbase_exchange": ("feeds.venues.coinbase_exchange", "SPEC"),
    "kraken": ("feeds.venues.kraken", "SPEC"),
    "deribit": ("feeds.venues.deribit", "SPEC"),
    "hyperliquid": ("feeds.venues.hyperliquid", "SPEC"),
    "kraken_futures": ("feeds.venues.kraken_futures", "SPEC"),
    "bitfinex": ("feeds.venues.bitfinex", "SPEC"),
    "bitget": ("feeds.venues.bitget", "SPEC"),
    "kucoin": ("feeds.venues.kucoin", "SPEC"),
    "gateio": ("feeds.venues.gateio", "SPEC"),
    "bitmex": ("feeds.venues.bitmex", "SPEC"),
    "bitstamp": ("feeds.venues.bitstamp", "SPEC"),
    "gemini": ("feeds.venues.gemini", "SPEC"),
    "htx": ("feeds.venues.htx", "SPEC"),
    "cryptocom": ("feeds.venues.cryptocom", "SPEC"),
    "dydx": ("feeds.venues.dydx", "SPEC"),
    "mexc": ("feeds.venues.mexc", "SPEC"),
}

# (venue, wire form beside its usual one) -> module whose `changes` give what its SPEC has instead
_WIRES = {
    ("binance_spot", "sbe"): "feeds.venues.binance_sbe",
}

VENUES = tuple(_MODULES)


def wires(name: str) -> tuple[str, ...]:
    """Wire forms of a venue, the usual one first."""
    return (load(name).wire, *(wire for venue, wire in _WIRES if venue == name))


def load(name: str, wire: str | None = None) -> VenueSpec:
    """SPEC of the venue called `name`; `wire` is one of its wire forms, None the usual one.

    Raises: UnknownVenue, which lists those there are; UnsupportedChannel for a wire form that the venue does not have.
    """
    if name not in _MODULES:
        near = get_close_matches(name, VENUES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownVenue(f"unknown venue {name!r}{hint} (known: {', '.join(VENUES)})")
    module, attribute = _MODULES[name]
    spec: VenueSpec = getattr(import_module(module), attribute)
    if wire is None or wire == spec.wire:
        return spec
    if (name, wire) not in _WIRES:
        raise UnsupportedChannel(f"{name} has no wire form {wire!r}; it has: {', '.join(wires(name))}")
    return replace(spec, wire=wire, **import_module(_WIRES[name, wire]).changes(spec))
