"""Pipeline: frames in; books, trades and quotes out. It knows neither sockets nor asyncio."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from typing_extensions import Buffer

from feeds.books import Books
from feeds.events import Quote, Trade
from feeds.intake import Intake
from feeds.report import FeedError, Want
from orderbook import Book

class Pipeline(Intake):
    """From a venue's frames to books, trades and quotes.

    Parameters: venue -- a name of `feeds.VENUES`. handler -- an object with some of on_book, on_trade, on_quote,
    on_ticker, on_mark, on_open_interest, on_liquidation, on_status, or a cdef `feeds.handler.Handler`. symbols -- the
    instruments wanted, as the venue writes them (case does not matter where it does not for the venue); None: every
    one seen, up to `max_symbols`. market -- of `SPEC.markets`, None the first: what frames that do not tell are about.
    on_gap -- "resync": a gap makes the book STALE until a new snapshot; "count": it is counted and the delta applied,
    for recordings, which cannot answer a resync. conflate -- on_book once per read batch. sample_every -- messages per
    latency sample, 1 takes all. simd -- False runs the scalar twin of the fast path. wire -- the form in which the
    venue writes, where it has several; None is its usual one, "json" in general.
    Raises: UnknownVenue, UnsupportedChannel (another market or wire form), ValueError, TypeError for wrong arguments.
    Wrong content never raises: it is counted, kept as `last_error` and reported by on_status.
    """

    conflate: bool
    """on_book once a read batch instead of once a message."""
    sample_every: int
    """Messages per latency sample; 1 takes all."""

    def __init__(
        self,
        venue: str,
        handler: object | None = None,
        symbols: Iterable[str] | None = None,
        *,
        market: str | None = None,
        on_gap: Literal["resync", "count"] = "resync",
        conflate: bool = False,
        max_symbols: int = 4096,
        sample_every: int = 64,
        simd: bool = True,
        wire: str | None = None,
    ) -> None: ...

    # ---- feeding; one thread does it

    def feed(self, payload: Buffer, receive_ns: int = 0, line: int = 0) -> None:
        """Take one frame.

        Parameters: payload -- contiguous bytes-like; it is not kept, and nothing past its end is read. receive_ns --
        our clock when it arrived, ns since the Unix epoch. line -- the connection it came on.
        Raises: TypeError for another kind of payload; what a handler raises (the message was then applied whole).
        """
    def feed_many(self, payloads: Sequence[Buffer], line: int = 0) -> None:
        """Take a sequence of frames in one call, as one read batch. Without a handler the GIL is released meanwhile."""
    def rest(self, url: str, body: Buffer | str, receive_ns: int = 0) -> None:
        """Take a REST answer: the snapshot of the symbol that `url` names, or the venue's list of instruments.

        A list refines the ticks of the books there are; it changes no level.
        Parameters: url -- the address that was asked. body -- the answer, bytes-like or str. receive_ns -- our clock
        when it arrived, ns since the Unix epoch. An answer of another kind is counted as ignored, a wrong one as an
        error.
        """
    def take_instruments(self, body: bytes) -> None:
        """Refine the ticks of the books by the body of a venue's list of instruments."""
    def flush(self) -> None:
        """End of a read batch: with `conflate`, on_book is called for every book that changed in it."""
    def opened(self, line: int = 0) -> None:
        """A connection was opened: the books of that line start clean."""
    def closed(self, line: int = 0) -> None:
        """A connection was lost: the books of that line are STALE."""
    def follow(self, symbol: str, depth: int | None = None, market: str | None = None) -> Book:
        """Make sure an instrument is wanted; returns its Book, EMPTY if it is new.

        depth -- of a partial book; market -- None: the pipeline's own.
        """
    def forget(self, symbol: str) -> None:
        """Stop following an instrument: its books are EMPTY, its messages ignored until it is followed again."""
    def lose(self, symbol: str, depth: int | None = None, reason: str = "the venue has dropped the stream") -> None:
        """A book can no longer be trusted: it is STALE until a new snapshot came. KeyError if the symbol is unknown."""
    def note(self, text: str, book: Book | None = None) -> None:
        """Tell the handler's on_status something about a book, or (None) about the venue."""

    # ---- what there is to read

    @property
    def handler(self) -> object | None:
        """Where events go, as it was given; can be set. None: nowhere."""
    @handler.setter
    def handler(self, handler: object | None) -> None: ...
    @property
    def market(self) -> str:
        """Name of the market that frames which do not tell are about, "" where the venue has one only; can be set."""
    @market.setter
    def market(self, name: str | None) -> None: ...
    @property
    def wire(self) -> str:
        """Name of the wire form that is read; can be set between two connections."""
    @wire.setter
    def wire(self, name: str | None) -> None: ...
    @property
    def on_applied(self) -> Callable[[Book], object] | None:
        """Called after every applied book message, snapshot or delta, LIVE or not; can be set. None is off."""
    @on_applied.setter
    def on_applied(self, hook: Callable[[Book], object] | None) -> None: ...
    def book(self, symbol: str, depth: int | None = None, market: str | None = None) -> Book:
        """The Book of a symbol; with `depth` the partial book of that depth. KeyError, with near names, if unknown.

        market -- where two markets share a symbol; None: the pipeline's own, else any that has it.
        """
    @property
    def books(self) -> Books:
        """Mapping symbol (as the venue writes it) -> Book, without partial books. A live view."""
    def symbols(self) -> list[str]:
        """Symbols with a book of deltas, as the venue writes them, in the order they were met.

        Where two markets share a symbol, the later one is written "symbol@market".
        """
    def last_trade(self, symbol: str) -> Trade | None:
        """The last Trade of a symbol, a copy; None if there was none. KeyError if the symbol is unknown."""
    def last_quote(self, symbol: str) -> Quote | None:
        """The last Quote of a symbol, a copy; None if there was none. KeyError if the symbol is unknown."""
    @property
    def last_error(self) -> FeedError | None:
        """What was wrong with the last message with wrong content, None if there was none."""
    @property
    def counters(self) -> dict[str, int]:
        """Figures since the start, as a new dict: frames, bytes, fast and slow (by learned layout or by key), errors,
        ignored, control, gaps, resyncs, stale, line_jumps (messages of a connection that are missing), and messages by
        kind (depth, snapshots, trades, quotes, tickers, marks, liquidations, open_interests)."""
    @property
    def needs(self) -> int:
        """A number that changes whenever `wanted` does: cheap to poll."""
    def wanted(self) -> list[Want]:
        """What is needed from outside now; each is listed until it is met."""
    def control(self) -> list[tuple[int, bytes]]:
        """Frames that are about the connection, as (line, bytes), since the last call; the oldest 1,024 of them."""
    def symbol_stats(self, symbol: str, depth: int | None = None) -> dict[str, Any]:
        """Figures of one book by the counting rules of a replay, as a new dict: snapshots, updates, changes, absent,
        stale, breaks, crossed, gaps, resyncs, trades, trade_qty (units), last_trade_price (units, None without
        trades), quotes, price_scale, qty_scale; crc_ok and crc_bad where checksums were compared. KeyError if the
        symbol is unknown."""
    def latency(self) -> dict[str, dict[str, int]]:
        """Durations by stage in ns since the start, of one message in `sample_every`: "parsed" (frame taken -> message
        read), "applied" (-> book changed), "handler" (-> handler returned), each with count, p50, p90, p99, p99_9 and
        max."""
