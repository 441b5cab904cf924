"""Where the server's messages come from: what a capture played back and a simulated market have in common."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Route(NamedTuple):
    """Which stream a message belongs to. One object for each stream, so that it can be looked up fast."""

    topic: str                  # what `Source.resolve` gives for every name under which the stream may be asked for
    name: str                   # the stream's own name, "btcusdt@depth@0ms"
    cut: int                    # bytes before the data where messages come as {"stream":NAME,"data":DATA}; 0: bare DATA


class UnknownSymbol(KeyError):
    """The venue trades no such symbol."""


class NoSnapshot(Exception):
    """There is no book of this symbol to make a snapshot of, and there will be none."""


class Source(Protocol):
    """Messages in the order of one clock, with the state of the books beside them.

    venue -- name of the venue that speaks.
    endless -- True if it never ends by itself.
    next_ns -- when the next message is due on the source's own clock; None at the end.
    """

    venue: str
    endless: bool

    @property
    def next_ns(self) -> int | None: ...

    def resolve(self, name: str) -> str | None:
        """Topic of the stream called `name`, or None if there is no such stream."""

    def take(self, until_ns: int, limit: int) -> list[tuple[Route, bytes]]:
        """Let the clock go on to `until_ns`, or for about `limit` messages, and give the messages of that time."""

    def snapshot(self, symbol: str, limit: int) -> str | None:
        """REST answer for the book as it is now, None if its time has not come yet.

        Raises: UnknownSymbol, NoSnapshot.
        """

    def instruments(self) -> str | None:
        """REST answer with the instrument list, None if there is none."""

    def idle(self) -> None:
        """Do work that was put off, while nothing is due."""

    def rewind(self) -> None:
        """Start over."""
