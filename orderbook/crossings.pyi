"""Crossings: the times in which one venue's bid stands above another's ask, followed message by message."""

from orderbook.consolidated import ConsolidatedReads

class Crossing:
    """A time in which one venue's bid stood above another's ask: buying at one and selling at the other paid."""

    @property
    def buy_at(self) -> str:
        """Venue of the lower ask."""
    @property
    def sell_at(self) -> str:
        """Venue of the higher bid."""
    @property
    def since_ns(self) -> int:
        """Receive time of the message after which it was first seen."""
    @property
    def until_ns(self) -> int:
        """Receive time of the message that ended it, or of the newest one while it lasts."""
    @property
    def duration_ns(self) -> int:
        """How long it lasted."""
    @property
    def ask(self) -> float:
        """The ask where bid - ask was largest, as the reads that were watched give it."""
    @property
    def bid(self) -> float:
        """The bid at that moment."""
    @property
    def qty(self) -> float:
        """The smaller of the two quantities at that moment, base units."""
    @property
    def edge_bps(self) -> float:
        """The largest bid - ask in basis points of that ask, nan where it is not above 0."""
    @property
    def ended(self) -> str:
        """"" while it lasts; "prices"; "rate": one is not known; else the state of the book that is not LIVE."""

class CrossWatch:
    """Follows which venues are crossed: since when, by how much, until when.

    Times are receive times of the books' messages: call `update` after each message and each change of a state (in
    on_book and on_status of a handler), from one thread. Between two calls nothing is seen.

    Parameters: reads -- a ConsolidatedBook, or its `net`: then only what pays after taker fees counts.
    """

    def __init__(self, reads: ConsolidatedReads) -> None: ...
    def update(self) -> tuple[Crossing, ...]:
        """Look at every book now. Returns: the `Crossing`s that this look found ended, mostly none."""
    @property
    def open(self) -> tuple[Crossing, ...]:
        """The `Crossing`s that lasted at the last update."""
