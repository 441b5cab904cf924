"""Binance: spot, USD-M and COIN-M futures. One parser; the markets differ in their SPEC.

Sources of the facts, and when they were checked, stand in the SPECs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from feeds.parser import Parser
from feeds.venue import Answer, Control, Evidence, Limits, Stream, VenueSpec

SPOT: VenueSpec
"""binance_spot."""
USDM: VenueSpec
"""binance_usdm."""
COINM: VenueSpec
"""binance_coinm."""

SPOT_LIMITS: Limits
FUTURES_LIMITS: Limits
CHANNELS: dict[str, str]
"""Channel -> one line on what it is, for spot."""
FUTURES_CHANNELS: dict[str, str]
"""The same for both futures markets."""
PUBLIC_CHANNELS: tuple[str, ...]
"""Channels that USD-M serves from the root "public"; the rest come from "market"."""
SUFFIX: dict[str, str]
"""Channel -> what follows `<symbol>@` in the stream's name."""
PARTIAL_DEPTHS: tuple[int, ...]
"""Levels a side of partial books."""
SPOT_SPEEDS: dict[str, str]
"""Speed -> what it adds to the stream's name."""
FUTURES_SPEEDS: dict[str, str]
FUTURES_PARTIAL_SPEEDS: dict[str, str]
SHARED: dict[str, Any]
"""What the SPECs of all three markets say."""
FUTURES: dict[str, Any]
"""What those of both futures markets say."""

class BinanceParser(Parser):
    """Messages of the three markets; `futures` tells which have `pu`."""

    def __new__(cls, futures: bool = False) -> Self: ...

def book_stream(
    venue: str, delta_speeds: Mapping[str, str], partial_speeds: Mapping[str, str], depth: int | None, speed: str | None
) -> str:
    """What follows `<symbol>@` for a book: ("depth@100ms").

    Parameters: depth -- None for diffs of the whole book, else levels a side; speed -- None means 100ms.
    Raises: UnsupportedChannel that lists what there is.
    """

def make_streams(
    venue: str,
    channels_known: Mapping[str, str],
    delta_speeds: Mapping[str, str],
    partial_speeds: Mapping[str, str],
    split: bool,
) -> Callable[..., list[Stream]]:
    """The `streams` function of one market."""

def connect_path(names: Sequence[str]) -> str:
    """Path and query to connect to for these streams, in the combined form."""

def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    """Frames that ask for streams ("SUBSCRIBE"), or for them no more ("UNSUBSCRIBE")."""

def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises."""

def snapshot_address(path: str) -> Callable[[str, int, str], str]:
    """The `snapshot_address` function of one market."""

def read_address(default_limit: int) -> Callable[[str], Answer | None]:
    """The `read_address` function of one market; `default_limit` is what the venue gives if it is not asked."""

def evidence(link: str) -> tuple[Evidence, ...]:
    """What a market can prove, with the words for its sequence rule."""

def spot_weight(limit: int) -> int:
    """REST weight of a spot snapshot of `limit` levels a side."""

def futures_weight(limit: int) -> int:
    """REST weight of a futures snapshot of `limit` levels a side."""
