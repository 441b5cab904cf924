"""Pipeline: frames in; books, trades and quotes out. It knows neither sockets nor asyncio."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from typing_extensions import Buffer

from feeds.books import Books
from feeds.events import Quote, Trade
from feeds.intake import Intake
from feeds.recording.tap import Tap
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
    now_ns: int
    """What the time is for what is replayed, ns since the Unix epoch; 0: the clock tells. See `Book.since_ns`."""
    tap: Tap | None
    """What copies all that goes in for a recorder (`feeds.recording.recorder`); None: nothing does."""
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
    def opened(self, line: int = 0, url: str = "") -> None:
        """A connection was opened, to that address: the books of that line start clean."""
    def closed(self, line: int = 0, reason: str = "") -> None:
        """A connection was lost: the books of that line are STALE."""
    def share(self, *lines: int) -> None:
        """These lines carry the same streams from now on; one of them may do so with others already.

        Where the venue's numbers are the same on every connection (`SPEC.shared_ids`) the first copy of a message
        counts, and losing one line loses nothing. Elsewhere one line counts, and another takes over when it ends.
        Raises: ValueError for more than 8 lines, lines of two groups, and where gaps are counted.
        """

    def part(self, line: int) -> None:
        """A line that was closed carries nothing any more. Raises: ValueError if it is open."""

    def hand_over(self, line: int) -> None:
        """Let a line that stands by take over book by book, each with the whole book that the line brings of it."""

    def carry(self, line: int, symbol: str, depth: int | None = None) -> None:
        """The venue has confirmed that a line carries a book. KeyError if the symbol is unknown."""

    def carries(self, line: int, symbol: str, depth: int | None = None) -> bool:
        """Whether a line carries a book, as far as is known: it has brought a message of it or is said to.

        Of lines that cannot be compared: whether the book follows that line.
        """

    def brought(self, line: int, symbol: str, depth: int | None = None) -> int | None:
        """Number of the last message of a book that a line has brought, where lines are compared; None: none yet."""

    def active(self, line: int) -> int:
        """The line of a group whose messages count where they cannot be compared; the line itself if it is alone."""

    def settle(self, now: float) -> None:
        """Give up messages that wait for what no other line brought within a second; call it now and then.

        now -- seconds of any one clock.
        """

    def line_stats(self, line: int) -> dict[str, Any]:
        """Figures of a line that carries the same as another, as a new dict: `first`, messages that it brought before
        any other; `copies`, those that another had brought or that did not count; `lead_us`, by how much it was ahead
        on average of the copies that came."""

    def follow(self, symbol: str, depth: int | None = None, market: str | None = None) -> Book:
        """Make sure an instrument is wanted; returns its Book, EMPTY if it is new.

        depth -- of a partial book; market -- None: the pipeline's own.
        """
    def forget(self, symbol: str) -> None:
        """Stop following an instrument: its books are EMPTY, its messages ignored until it is followed again."""
    def lose(
        self,
        symbol: str,
        depth: int | None = None,
        reason: str = "the venue has dropped the stream",
        silent: bool = False,
    ) -> None:
        """A book can no longer be trusted: it is STALE until a new snapshot came. KeyError if the symbol is unknown.

        silent -- because nothing comes for it; it only counts as that.
        """
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
    def states(self, symbol: str | None = None, depth: int | None = None) -> dict[str, int]:
        """How often books changed their state, by reason, as a new dict: of all books, or of one."""
    def flush_log(self) -> None:
        """Say how many changes of state the log leaves out, if it does; call it now and then."""
    def latency(self, symbol: str | None = None, depth: int | None = None) -> dict[str, dict[str, int]]:
        """Durations by stage in ns since the start: "received" (the venue's time of a message -> our clock when its
        read batch came; every message that tells one), and of one message in `sample_every` "parsed" (frame taken ->
        message read), "applied" (-> book changed), "handler" (-> handler returned), each with count, p50, p90, p99,
        p99_9 and max. "received" has "early" besides: messages that came before the venue's own time of them, by our
        clock. With a symbol: of its own messages."""
