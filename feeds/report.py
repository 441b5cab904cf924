"""What a pipeline tells about itself: what it needs from outside, and what was wrong with a message."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Want:
    """Something a pipeline needs from outside; it is listed until it is met."""

    kind: str      # "snapshot": the REST snapshot of the symbol; "resubscribe": the stream must start anew
    symbol: str    # as the venue writes it
    line: int      # the connection its deltas come on, -1 if none came yet
    reason: str    # why, in words
    depth: int = 0      # of a partial book
    market: str = ""    # where the venue has several


@dataclass(frozen=True, slots=True)
class FeedError:
    """What was wrong with the content of a message."""

    venue: str
    symbol: str      # "" if the message did not come as far as naming one
    offset: int      # byte of the message
    expected: str    # what should have stood there

    def __str__(self) -> str:
        symbol = f" {self.symbol}" if self.symbol else ""
        return f"{self.venue}{symbol}: at byte {self.offset}: expected {self.expected}"
