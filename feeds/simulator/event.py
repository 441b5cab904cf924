"""What a simulated venue has to say, before anybody has written it in a venue's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Level(NamedTuple):
    """One level of a message, in the order of the wire."""

    side: int               # +1 bid, -1 ask; 0 where only its name (`id`) tells
    price: str              # decimal text; "" where the wire does not repeat it
    qty: str                # decimal text; "" where the level is removed and the wire gives none
    gone: bool = False      # it is removed
    seq: int = 0            # number of the level's own last change
    id: int = 0             # the venue's name of the level


Best = Callable[[int, int], list[tuple[str, str]]]     # (side, count) -> [(price, qty)], best first


@dataclass(slots=True)
class Event:
    """One message, as a parser takes it apart and an encoder puts it together.

    kind -- "delta", "snapshot", "trade", "quote", "ticker", "mark", "open_interest" or "liquidation".
    values -- what it says beside levels, by the names of the slots in feeds/message.pxd in lower case. Times ("time",
        "event_time", "next_funding", "settlement", "open_time", "close_time") are ns since the Unix epoch; numbers,
        ids and checksums are ints; "aggressor" is +1 or -1; prices, quantities and all else are decimal text.
        Of a simulated book "number" is besides how many messages its stream has had with this one.
    best -- the book after the message, for checksums; None for an event that was decoded from a recording.
    """

    kind: str
    symbol: str
    values: dict[str, str | int]
    levels: list[Level] = field(default_factory=list)
    market: str = ""
    depth: int = 0
    best: Best | None = None

    def side(self, side: int) -> list[Level]:
        """The levels of one side: +1 bids, -1 asks."""
        return [level for level in self.levels if level.side == side]

    def text(self, name: str, default: str = "") -> str:
        """A value as text, `default` if it is not known."""
        value = self.values.get(name)
        return default if value is None else str(value)

    def number(self, name: str, default: int = 0) -> int:
        """A value that is a whole number or a time, `default` if it is not known."""
        value = self.values.get(name)
        return default if value is None else int(value)
