"""Binance: spot, USD-M and COIN-M futures. One parser; the markets differ in their SPEC.

Sources of the facts, and when they were checked, stand in the SPECs.
"""

from typing import Any, Self

from feeds.parser import Parser
from feeds.venue import Evidence, Limits, VenueSpec

SPOT: VenueSpec
"""binance_spot."""
USDM: VenueSpec
"""binance_usdm."""
COINM: VenueSpec
"""binance_coinm."""

SPOT_LIMITS: Limits
FUTURES_LIMITS: Limits
SHARED: dict[str, Any]
"""What the SPECs of all three markets say."""
FUTURES: dict[str, Any]
"""What those of both futures markets say."""

class BinanceParser(Parser):
    """Messages of the three markets; `futures` tells which have `pu`."""

    def __new__(cls, futures: bool = False) -> Self: ...

def evidence(link: str) -> tuple[Evidence, ...]:
    """What a market can prove, with the words for its sequence rule."""
