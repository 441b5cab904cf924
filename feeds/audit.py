"""Is a live book what the venue says it is? A fresh snapshot by REST is held against it, at the same sequence number.

    audit = Audit(feed)
    verdict = await audit.check("BTCUSDT")      # once
    audit.start()                               # or, as long as the feed is open, one book after the other

The stream does not stand still for the answer, so the states of the book are kept for a while, and the one with the
snapshot's number is compared. A snapshot may fall between two messages: then a level that is the same in the states
before and after it has to be the same in it, too. Where it is not, it may have changed and changed back in between, so
such a difference counts only if the next snapshot shows it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from feeds.pipeline import Pipeline
from feeds.rest import RestError
from feeds.venue import Link, VenueSpec
from orderbook import Book, BookState

if TYPE_CHECKING:
    from feeds.session import Feed

log = logging.getLogger(__name__)

SIDES = ("bid", "ask")
# Numbers that are the book's own and are the same on every connection and by REST.
COMPARABLE = frozenset((Link.RANGE, Link.PREVIOUS, Link.RISES, Link.CHAIN, Link.OVERLAP, Link.OVERLAP_OR_WHOLE))
OWN_BELOW = -1 << 62            # a quantity in units below is one with decimals of its own; see orderbook/quantity.pxd
LARGEST = 1 << 62
KEPT_BYTES = 1 << 25            # of states of one book; then the oldest go
SHARE = 0.1                     # of the REST weight that audits may take
SHOWN = 3                       # differences in the text of a reason

Side = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Drift:
    """A level that is not what the venue says: its quantity in the book and in the snapshot, 0 where it is missing."""

    side: str           # "bid" or "ask"
    price: Decimal
    book: Decimal
    snapshot: Decimal

    def __str__(self) -> str:
        price, book, snapshot = (f"{value.normalize():f}" for value in (self.price, self.book, self.snapshot))
        return f"{self.side} {price} is {book} in the book, {snapshot} in the snapshot"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of holding a snapshot against a book.

    `result` is "equal", "drift" (see `drift`), or "unknown": there was nothing to compare, `reason` says why.
    """

    symbol: str
    result: str
    reason: str = ""
    sequence: int = 0           # of the snapshot
    exact: bool = False         # the book stood at that very number, not in between two
    levels: tuple[int, int] = (0, 0)    # bids and asks that were compared
    drift: tuple[Drift, ...] = ()

    def __str__(self) -> str:
        if self.result == "unknown":
            return f"{self.symbol}: unknown, {self.reason}"
        where = "at" if self.exact else "around"
        compared = f"{where} {self.sequence}, {self.levels[0]} bids and {self.levels[1]} asks compared"
        return f"{self.symbol}: {self.result} {compared}" + (f"; {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Moment:
    """A book as it was."""

    sequence: int
    price_scale: int
    qty_scale: int
    sides: tuple[Side, Side]            # (price, quantity) in units, best first
    ends: tuple[int | None, int | None]     # prices in units down, and up, to which all levels are told; None: all are

    @property
    def nbytes(self) -> int:
        """Memory of the levels."""
        return self.sides[0].nbytes + self.sides[1].nbytes


def why_not(spec: VenueSpec, depth: int | None = None) -> str:
    """Why books of a venue cannot be held against a snapshot by REST, "" if they can."""
    if depth:
        return "a partial book comes whole with every message: it cannot drift"
    if spec.snapshot_address is None:
        return (f"no book of {spec.name} is read by REST that has the numbers of its stream; snapshots come in the "
                f"stream")
    if spec.link not in COMPARABLE:
        return f"the numbers of {spec.name}'s stream are not those of its snapshots by REST"
    return ""


def read_moment(book: Book, depth: int = 0, limit: int = 0) -> Moment:
    """The book as it is, its best `depth` levels a side; 0: all.

    limit -- levels at which some streams cut their books: one that has as many may not tell what lies beyond.
    """
    raw = book.raw
    while True:         # only the pipeline's thread writes, and that is ours; a test may do otherwise
        sequence, scales = raw.sequence, (raw.price_scale, raw.qty_scale)
        sides = raw.bids_int(depth or None), raw.asks_int(depth or None)
        known = raw.trusted_bid, raw.trusted_ask
        if (raw.sequence, raw.price_scale, raw.qty_scale) == (sequence, *scales):
            break
    ends: list[int | None] = []
    for levels, trusted in zip(sides, known, strict=True):
        cut = len(levels) and (len(levels) == limit or depth and len(levels) >= depth)
        told = [int(levels[-1, 0])] if cut else []
        if np.isfinite(trusted):
            told.append(int(Decimal(repr(float(trusted))).scaleb(scales[0])))
        ends.append((max if not ends else min)(told) if told else None)
    return Moment(sequence, *scales, sides, (ends[0], ends[1]))


def compare(snapshot: Moment, before: Moment, after: Moment) -> tuple[list[Drift], tuple[int, int]]:
    """Levels that are the same before and after a snapshot, and others in it; how many of each side it told of.

    Where the book stood at the snapshot's number, `before` and `after` are the same.
    """
    moments = (snapshot, before, after)
    scale = max(moment.price_scale for moment in moments)
    qty_scale = max(moment.qty_scale for moment in moments)
    drift: list[Drift] = []
    seen = [0, 0]
    for side, sign in ((0, 1), (1, -1)):
        ends = [end * 10 ** (scale - moment.price_scale) * sign for moment in moments
                if (end := moment.ends[side]) is not None]
        prices, qtys = [], []
        for moment in moments:
            levels = moment.sides[side]
            price = scaled(levels[:, 0], scale - moment.price_scale) * sign
            qty = scaled(levels[:, 1], qty_scale - moment.qty_scale)
            if ends:
                told = price >= max(ends)
                price, qty = price[told], qty[told]
            prices.append(price)
            qtys.append(qty)
        every = np.unique(np.concatenate(prices))
        told, first, last = (spread(every, price, qty) for price, qty in zip(prices, qtys, strict=True))
        seen[side] = len(prices[0])
        for at in np.flatnonzero((told != first) & (first == last)):
            held, should = (amount(int(row[at]), qty_scale) for row in (first, told))
            if held != should:      # the same may be written in two ways
                drift.append(Drift(SIDES[side], Decimal(int(every[at]) * sign).scaleb(-scale), held, should))
    return drift, (seen[0], seen[1])


def scaled(units: Side, decimals: int) -> Side:
    """The same numbers in finer units; those that have decimals of their own stay."""
    if not decimals or not len(units):
        return units
    factor = 10 ** decimals
    counts = units >= OWN_BELOW
    if factor >= LARGEST or np.abs(units[counts]).max(initial=0) >= LARGEST // factor:
        units = units.astype(object)
    return np.where(counts, units * np.array(factor, units.dtype), units)


def spread(every: Side, prices: Side, qtys: Side) -> Side:
    """Quantities at every price, 0 where there is no level."""
    found = np.zeros(len(every), qtys.dtype)
    found[np.searchsorted(every, prices)] = qtys
    return found


def amount(units: int, scale: int) -> Decimal:
    """Exact quantity."""
    return Book().raw.qty_decimal(units) if units < OWN_BELOW else Decimal(units).scaleb(-scale)


class History:
    """The latest states of one book in a row, each as a message has left it; they begin anew with every snapshot."""

    def __init__(self, book: Book, limit: int, snapshots: Callable[[], int]) -> None:
        self.book = book
        self.moments: deque[Moment] = deque()
        self._limit = limit
        # A snapshot reaches as far as its worst price, and the book may have more levels up to there.
        self._depth = 2 * limit + 50 if limit else 0
        self._snapshots = snapshots     # how many the book has had
        self._had = -1
        self._bytes = 0
        self.note()

    def note(self) -> None:
        """Keep the state as it is now."""
        had = self._snapshots()
        if had != self._had or self.book.status != BookState.LIVE:
            self._had = had
            self._clear()
        if self.book.status != BookState.LIVE:
            return
        moment = read_moment(self.book, self._depth, self._limit)
        if self.moments and moment.sequence < self.moments[-1].sequence:
            self._clear()               # the venue numbers anew
        elif self.moments and moment.sequence == self.moments[-1].sequence:
            self._bytes -= self.moments.pop().nbytes
        self.moments.append(moment)
        self._bytes += moment.nbytes
        while self._bytes > KEPT_BYTES and len(self.moments) > 1:
            self._bytes -= self.moments.popleft().nbytes

    def around(self, sequence: int) -> tuple[Moment, Moment] | None:
        """The states next to a number, twice the same if one has it; None if it is not among them."""
        if not self.moments or not self.moments[0].sequence <= sequence <= self.moments[-1].sequence:
            return None
        before = after = self.moments[0]
        for moment in self.moments:
            if moment.sequence <= sequence:
                before = moment
            after = moment
            if moment.sequence >= sequence:
                break
        return before, after

    def _clear(self) -> None:
        self.moments.clear()
        self._bytes = 0


class Audit:
    """Holds the books of a feed against fresh snapshots by REST.

    Parameters: feed -- an open feed of whole books; depth -- what it was asked for; resync -- fetch a book anew that
    has drifted. Raises: ValueError if the venue's books cannot be compared; `why_not` says why.
    """

    interval_s = 60.0           # between two looks at the same book by `start`, as far as the REST weight allows
    looks = 4                   # snapshots for one verdict, at most
    pause_s = 1.0               # between two of them
    patience_s = 5.0            # until the stream comes to the snapshot's number

    def __init__(self, feed: Feed, depth: int | None = None, *, resync: bool = True) -> None:
        if reason := why_not(feed.spec, depth):
            raise ValueError(f"{feed.spec.name}: cannot be verified: {reason}")
        self.feed = feed
        self.resync = resync
        self.results: Counter[str] = Counter()      # how often each came
        self.last: dict[str, Verdict] = {}          # by symbol
        self._histories: dict[Book, History] = {}
        self._hook: Callable[[Book], object] | None = None      # whoever listened before us
        self._task: asyncio.Task[None] | None = None
        self._one = asyncio.Lock()                  # a check after the other: who asks may not be alone

    def start(self) -> None:
        """Begin to look at all books in turn."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"{self.feed.spec.name} audit")

    async def stop(self) -> None:
        """End that. Again is no harm."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def stats(self) -> dict[str, Any]:
        """How often each result came, and the last verdict of every symbol."""
        return {"results": dict(self.results), "last": dict(self.last)}

    async def check(self, symbol: str) -> Verdict:
        """Hold one book against a snapshot; several, where one does not settle it. KeyError if the feed has none."""
        book = self.feed.book(symbol)
        async with self._one:
            verdict = await self._check(book)
        self.results[verdict.result] += 1
        self.last[book.symbol] = verdict
        if verdict.result == "drift":
            log.error("%s: %s", self.feed.spec.name, verdict)
            if self.resync:
                self.feed.pipeline.lose(book.symbol, reason=f"the book is not the venue's: {verdict.reason}")
        else:
            log.debug("%s: %s", self.feed.spec.name, verdict)
        return verdict

    async def _run(self) -> None:
        spec = self.feed.spec
        allowed = SHARE * spec.limits.rest_weight_per_minute
        shortest = 60.0 * spec.snapshot_weight(spec.snapshot_limit) / allowed if allowed else 0.0
        turns: deque[str] = deque()
        while True:
            symbols = self.feed.symbols
            turns = turns or deque(symbols)
            await asyncio.sleep(max(self.interval_s / max(1, len(symbols)), shortest))
            if not turns or (symbol := turns.popleft()) not in symbols:
                continue
            try:
                if self.feed.book(symbol).status == BookState.LIVE:
                    await self.check(symbol)
            except Exception:
                log.exception("%s: unexpected failure", spec.name)

    # ---- one book

    async def _check(self, book: Book) -> Verdict:
        reason, seen = "", -1
        suspects: set[Drift] = set()
        with self._watch(book) as history:
            for look in range(self.looks):
                if look:
                    await asyncio.sleep(self.pause_s)
                if book.status != BookState.LIVE:
                    reason = f"the book is {book.status.name}: {book.reason}"
                    continue
                try:
                    snapshot = await self._snapshot(book)
                except (RestError, ValueError) as error:
                    return Verdict(book.symbol, "unknown", f"no snapshot: {error}")
                around, reason = await self._around(history, snapshot.sequence)
                if around is None:
                    continue
                before, after = around
                exact = before.sequence == after.sequence == snapshot.sequence
                drift, levels = compare(snapshot, before, after)
                if not drift:
                    return Verdict(book.symbol, "equal", "", snapshot.sequence, exact, levels)
                if reason:          # the stream has not come so far: nobody knows which of the two is old
                    continue
                if not exact and (not suspects or snapshot.sequence <= seen):
                    suspects, seen = set(drift), snapshot.sequence
                    reason = f"no second snapshot settles whether it is wrong: {in_words(drift)}"
                    continue
                again = drift if exact else [one for one in drift if one in suspects]
                if not again:
                    return Verdict(book.symbol, "equal", "but for levels that came and went in between",
                                   snapshot.sequence, exact, levels)
                return Verdict(book.symbol, "drift", in_words(again), snapshot.sequence, exact, levels, tuple(again))
        return Verdict(book.symbol, "unknown", reason)

    async def _snapshot(self, book: Book) -> Moment:
        """A fresh one. Raises: RestError; ValueError if the answer is none that can be compared."""
        feed, spec = self.feed, self.feed.spec
        limit = feed.snapshot_levels(book.symbol) or spec.snapshot_limit
        body, receive_ns = await feed.rest.get(spec.snapshot_url(book.symbol, feed.rest.moved_to, limit, feed.market),
                                               spec.snapshot_weight(limit))
        reader = Pipeline(spec.name, None, [book.symbol], market=feed.market)
        reader.rest(spec.snapshot_url(book.symbol, None, limit, feed.market), body, receive_ns)
        read = reader.book(book.symbol)
        if read.status != BookState.LIVE:
            raise ValueError(str(reader.last_error or f"{spec.name}: no book in the answer"))
        if not read.sequence:
            raise ValueError(f"{spec.name}: an answer without a sequence number")
        return read_moment(read)

    async def _around(self, history: History, sequence: int) -> tuple[tuple[Moment, Moment] | None, str]:
        """The states next to a number, and what speaks against comparing with them; None if there are none."""
        now = asyncio.get_running_loop().time
        deadline = now() + self.patience_s
        while not (around := history.around(sequence)):
            moments = history.moments
            if history.book.status != BookState.LIVE or not moments:
                return None, f"the book became {history.book.status.name}: {history.book.reason}"
            if sequence < moments[0].sequence:
                return None, f"the snapshot is old: it stands at {sequence}, the stream was at {moments[0].sequence}"
            if now() > deadline:
                last = moments[-1]
                return (last, last), (f"the stream stands at {last.sequence}, {self.patience_s:g} s after a snapshot "
                                      f"at {sequence}")
            await asyncio.sleep(0.02)
        return around, ""

    @contextmanager
    def _watch(self, book: Book) -> Iterator[History]:
        """Keep the states of a book for a while."""
        pipeline, symbol = self.feed.pipeline, book.symbol
        history = History(book, self.feed.spec.snapshot_limit, lambda: int(pipeline.symbol_stats(symbol)["snapshots"]))
        if not self._histories:
            self._hook, pipeline.on_applied = pipeline.on_applied, self._applied
        self._histories[book] = history
        try:
            yield history
        finally:
            del self._histories[book]
            if not self._histories and pipeline.on_applied == self._applied:
                pipeline.on_applied, self._hook = self._hook, None

    def _applied(self, book: Book) -> None:
        history = self._histories.get(book)
        if history is not None:
            history.note()
        if self._hook is not None:
            self._hook(book)


def in_words(drift: list[Drift]) -> str:
    """The first differences, and how many more there are."""
    more = f" (and {len(drift) - SHOWN} more levels)" if len(drift) > SHOWN else ""
    return "; ".join(map(str, drift[:SHOWN])) + more
