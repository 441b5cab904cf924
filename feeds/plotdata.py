"""What a plot shows, collected while a recording is replayed: binned numpy arrays, never every update.

Two replays: the first (`Survey`) learns which books there are, from when to when, their states and ranges of price; the
second (`Collector`) fills arrays of a size fixed beforehand with one book. Ten seconds and a day cost the same memory.
Both are handlers as `feeds.connect` takes them, so that a live feed can be plotted too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.directory import default_cache
from feeds.listing import form_of
from feeds.rerun import Moment, Rerun
from feeds.venue import VenueSpec
from orderbook.types import BookState

KINDS = ("depth", "heatmap", "spread", "latency", "gaps")

COLUMNS = 800           # bins of time of a spread and of a heat map
MOST_ROWS = 250         # bins of price of a heat map
TRADE_COLUMNS = 120     # bins of time of the trades on it
DELAY_COLUMNS = 160     # bins of time of the latency, fewer where there are few messages
LEVELS = 5              # levels a side that the imbalance counts
EACH = 20_000           # updates up to which a heat map takes every one; of more, `SAMPLES` in a column
SAMPLES = 8
SHORTEST_NS = 1_000_000 # that an axis of time is long
BLOCK = 8192            # messages that are gathered before numpy takes them
OCTAVE = 32             # bins of a latency from one to its double: they are 2.2 percent wide
NEAR_LEVELS = 25        # levels a side that a heat map would show
NEAR_SPREADS = 20       # spreads that it goes beyond the best prices for them
NOWHERE = -1 << 31      # step of a book without a mid

_STEP = math.log1p(0.5e-4)     # of the mid
_SEVERITY = {BookState.STALE: 3, BookState.SYNCING: 2, BookState.EMPTY: 1, BookState.LIVE: 0}

Floats = NDArray[np.float64]


class PlotError(ValueError):
    """What was asked for cannot be plotted; the message says why."""


# ---- the first replay

@dataclass(slots=True)
class Change:
    """A state of a book, from this time to the next change."""

    ns: int
    state: BookState
    reason: str
    count: int = 1      # changes that it stands for


class Timeline:
    """The states of a book over time. Of more than `most` changes those near each other are put together: what is told
    of such a moment is the worst state that it held.
    """

    def __init__(self, ns: int, state: BookState, most: int = 2048) -> None:
        self.changes = [Change(ns, state, "")]
        self.most = most

    def add(self, ns: int, state: BookState, reason: str) -> None:
        """The book came into a state."""
        self.changes.append(Change(max(ns, self.changes[-1].ns), state, reason))
        if len(self.changes) > self.most:
            self._thin()

    def _thin(self) -> None:
        begin = self.changes[0].ns
        grain = max(1, (self.changes[-1].ns - begin) * 8 // self.most)
        cells: dict[int, list[Change]] = {}
        for change in self.changes:
            cells.setdefault((change.ns - begin) // grain, []).append(change)
        self.changes = []
        for cell in cells.values():
            if len(cell) > 2:       # from the first to the last of them it was as bad as this; then the last holds on
                worst = max(cell[:-1], key=lambda change: _SEVERITY[change.state])
                count = sum(change.count for change in cell[:-1])
                cell = [Change(cell[0].ns, worst.state, worst.reason, count), cell[-1]]
            self.changes += cell

    def spans(self, end_ns: int) -> list[tuple[int, int, BookState, str, int]]:
        """(from, to, state, reason, changes) before a time. No fault is left out, however short."""
        ends = [change.ns for change in self.changes[1:]] + [end_ns]
        return [(change.ns, max(change.ns, min(end, end_ns)), change.state, change.reason, change.count)
                for change, end in zip(self.changes, ends, strict=True)
                if change.ns < end_ns and (end > change.ns or _SEVERITY[change.state] > 1)]

    def shares(self, end_ns: int) -> dict[BookState, float]:
        """Part of the time that each state took."""
        spans = self.spans(end_ns)
        whole = sum(to - since for since, to, *_ in spans) or 1
        found = dict.fromkeys(BookState, 0.0)
        for since, to, state, *_ in spans:
            found[state] += (to - since) / whole
        return found


@dataclass(slots=True)
class Surveyed:
    """What the first replay found of one book."""

    symbol: str
    nth: int                    # of the books of that symbol: a venue may send several depths of one
    last_ns: int                # of an update
    timeline: Timeline
    book: Any
    updates: int = 0
    live_ns: int = 0            # since when it is LIVE; what came by then is old news, and no measure of latency
    delays: int = 0             # later updates that told the venue's time
    least_delay_ns: int = 1 << 62
    step: int = NOWHERE         # where the mid stands, and has since `last_ns`
    mids: dict[int, int] = field(default_factory=dict)      # steps of half a basis point -> ns that the mid stood there
    # now and then: how far from the mid level `NEAR_LEVELS` is, and the spread
    near: list[tuple[float, float]] = field(default_factory=list)

    @property
    def two_sided(self) -> bool:
        """Whether both sides ever were there."""
        return any(step != NOWHERE for step in (self.step, *self.mids))

    def prices(self) -> tuple[float, float, float]:
        """(lowest, highest, step) of the prices that a heat map shows: where the mid stood for all but a thousandth of
        the time at either end, and what rests near it."""
        steps = sorted((step, ns) for step, ns in {self.step: 1, **self.mids}.items() if step != NOWHERE)
        passed = np.cumsum([ns for _, ns in steps]) / sum(ns for _, ns in steps)
        low = math.exp(steps[int(np.searchsorted(passed, 0.001))][0] * _STEP)
        high = math.exp((steps[min(int(np.searchsorted(passed, 0.999)), len(steps) - 1)][0] + 1) * _STEP)
        away, spread = np.median(self.near, axis=0) if self.near else (0.0, 0.0)
        margin = max((high - low) * 0.25, min(away, NEAR_SPREADS * spread))
        tick = self.book.tick_size or 1e-8
        step = max(1, math.ceil((high - low + 2 * margin) / tick / MOST_ROWS)) * tick
        return max(0.0, math.floor((low - margin) / step) * step), math.ceil((high + margin) / step) * step, step


class Survey:
    """A handler that learns what there is to plot."""

    def __init__(self) -> None:
        self._of: dict[int, Surveyed] = {}

    @property
    def books(self) -> list[Surveyed]:
        """What was found, the busiest book first."""
        return sorted(self._of.values(), key=lambda found: -found.updates)

    def on_book(self, book: Any) -> None:
        ns = book.receive_ns
        found = self._of.get(id(book)) or self._meet(book, ns, BookState.LIVE)
        found.updates += 1
        bid, _, ask, _ = book.bbo()
        found.mids[found.step] = found.mids.get(found.step, 0) + max(0, ns - found.last_ns) + 1
        found.last_ns = ns
        mid = (bid + ask) / 2
        found.step = int(math.log(mid) / _STEP) if mid > 0 else NOWHERE
        exchange_ns = book.exchange_ns
        if exchange_ns and ns > found.live_ns:
            found.delays += 1
            if ns - exchange_ns < found.least_delay_ns:
                found.least_delay_ns = ns - exchange_ns
        if not found.updates & (found.updates - 1):         # at the 1st, 2nd, 4th, ...
            for side in (book.bids(NEAR_LEVELS), book.asks(NEAR_LEVELS)) if mid == mid else ():
                found.near.append((abs(float(side[-1, 0]) - mid), ask - bid))

    def on_status(self, book: Any, old: BookState, new: BookState, reason: str) -> None:
        if book is None or old is new:
            return
        found = self._of.get(id(book)) or self._meet(book, book.since_ns, old)
        found.timeline.add(book.since_ns, new, reason)
        if new is BookState.LIVE:
            found.live_ns = book.since_ns

    def _meet(self, book: Any, ns: int, state: BookState) -> Surveyed:
        nth = sum(other.symbol == book.symbol for other in self._of.values())
        found = self._of[id(book)] = Surveyed(book.symbol, nth, ns, Timeline(ns, state), book)
        return found


# ---- the second replay

class Held:
    """Means over time of values that hold until they change, bin by bin, with the least and the largest.

    `mean`, `least`, `largest` -- float64 of shape (bins, values), nan where nothing was held.
    """

    def __init__(self, start_ns: int, end_ns: int, bins: int, values: int) -> None:
        self.start_ns, self.end_ns = start_ns, max(end_ns, start_ns + 1)
        self.width_ns = -(-(self.end_ns - start_ns) // bins)
        self.bins = -(-(self.end_ns - start_ns) // self.width_ns)
        self.least, self.largest = np.full((2, self.bins, values), np.nan)
        self._sum, self._weight = np.zeros((2, self.bins, values))
        self._ns, self._values = start_ns, np.full(values, np.nan)

    @property
    def edges_ns(self) -> NDArray[np.int64]:
        """Where the bins begin, and where the last one ends."""
        return np.minimum(self.start_ns + self.width_ns * np.arange(self.bins + 1, dtype=np.int64), self.end_ns)

    @property
    def mean(self) -> Floats:
        with np.errstate(invalid="ignore"):
            return self._sum / self._weight

    def take(self, ns: NDArray[np.int64], values: Floats) -> None:
        """Row i of `values` holds from `ns[i]` on. Times rise; what falls back counts as of the time before it."""
        times = np.maximum.accumulate(np.concatenate(([self._ns], ns)).clip(self.start_ns, self.end_ns))
        rows = np.concatenate((self._values[None], values))
        self._ns, self._values = int(times[-1]), rows[-1].copy()
        cell = np.minimum((times - self.start_ns) // self.width_ns, self.bins - 1)
        within = cell[:-1] == cell[1:]
        self._add(cell[:-1][within], np.diff(times)[within], rows[:-1][within])
        edges = self.edges_ns
        for i in np.flatnonzero(~within):               # each edge of a bin is crossed once
            cells = np.arange(cell[i], cell[i + 1] + 1)
            spent = np.minimum(edges[cells + 1], times[i + 1]) - np.maximum(edges[cells], times[i])
            cells, spent = cells[spent > 0], spent[spent > 0]
            self._add(cells, spent, np.broadcast_to(rows[i], (len(cells), rows.shape[1])))

    def _add(self, cells: NDArray[np.int64], spent_ns: NDArray[np.int64], rows: Floats) -> None:
        known = np.isfinite(rows)
        for value in range(rows.shape[1]):
            ns, column = np.where(known[:, value], spent_ns, 0), np.where(known[:, value], rows[:, value], 0.0)
            self._weight[:, value] += np.bincount(cells, ns, self.bins)
            self._sum[:, value] += np.bincount(cells, ns * column, self.bins)
        np.fmin.at(self.least, cells, rows)
        np.fmax.at(self.largest, cells, rows)

    def finish(self) -> None:
        """What holds now holds to the end."""
        self.take(np.array([self.end_ns]), self._values[None])


class Delays:
    """Percentiles of receive time - the venue's time, bin by bin, from counts in bins 2.2 percent wide.

    The bins are finest at `floor_ns`, the least delay there is: it is below 0 where our clock is behind the venue's.
    """

    def __init__(self, start_ns: int, end_ns: int, bins: int, floor_ns: int) -> None:
        self.start_ns, self.floor_ns = start_ns, floor_ns
        self.width_ns = max(1, -(-(end_ns - start_ns) // bins))
        self.bins = bins
        self.counts = np.zeros((bins, 63 * OCTAVE), dtype=np.int64)
        self._waiting: list[tuple[int, int]] = []

    @property
    def edges_ns(self) -> NDArray[np.int64]:
        """Where the bins begin, and where the last one ends."""
        return self.start_ns + self.width_ns * np.arange(self.bins + 1, dtype=np.int64)

    def add(self, receive_ns: int, exchange_ns: int) -> None:
        """A message that told the venue's time."""
        self._waiting.append((receive_ns, receive_ns - exchange_ns))
        if len(self._waiting) == BLOCK:
            self.finish()

    def finish(self) -> None:
        """Take in what waits."""
        if self._waiting:
            ns, delay = np.array(self._waiting, dtype=np.int64).T
            cell = ((ns - self.start_ns) // self.width_ns).clip(0, self.bins - 1)
            step = (np.log2((delay - self.floor_ns).clip(0) + 1.0) * OCTAVE).astype(np.int64)
            np.add.at(self.counts, (cell, step), 1)
            self._waiting.clear()

    def percentiles(self, *shares: float, whole: bool = False) -> Floats:
        """ns at these shares (0.5 is the median), of shape (shares, bins), nan for a bin without messages; with `whole`
        over all of the time, of shape (shares, 1). By nearest rank, within 1.1 percent of the distance to the least."""
        counts = self.counts.sum(axis=0, keepdims=True) if whole else self.counts
        passed = np.cumsum(counts, axis=1)
        found = np.full((len(shares), len(counts)), np.nan)
        for row, share in enumerate(shares):
            rank = np.ceil(share * passed[:, -1]).clip(1)
            step = (passed < rank[:, None]).sum(axis=1)
            found[row] = self.floor_ns + np.where(step > 0, np.exp2((step + 0.5) / OCTAVE) - 1, 0)
        found[:, passed[:, -1] == 0] = np.nan
        return found


class Heat:
    """What rests at which price over time: means of the quantity, and the trades.

    `qty` -- float64 of shape (columns, rows), nan where it is not known: the book is not LIVE, or nobody told of
    prices so deep in it. `trades` -- of shape (columns of trades, 3, 2): quantity and value (price x quantity) where
    the aggressor bought, sold, was not told.
    """

    def __init__(self, start_ns: int, end_ns: int, prices: tuple[float, float, float], sampled: bool) -> None:
        self.start_ns, self.end_ns = start_ns, end_ns
        self.low, high, self.step = prices
        self.rows = max(1, round((high - self.low) / self.step))
        self.width_ns = max(1, -(-(end_ns - start_ns) // COLUMNS))
        self.columns = max(1, -(-(end_ns - start_ns) // self.width_ns))
        self.trades = np.zeros((TRADE_COLUMNS, 3, 2))
        self._pause_ns = self.width_ns // SAMPLES if sampled else 0
        self._next_ns = self._ns = start_ns
        self._profile: tuple[Floats, NDArray[np.bool_]] | None = None       # what rests, and whether that is known
        self._sum, self._known = np.zeros((2, self.columns, self.rows))     # times ns
        self._spent = np.zeros((self.columns, 1))                           # ns in which the book was LIVE

    @property
    def qty(self) -> Floats:
        with np.errstate(invalid="ignore"):
            return np.where((self._known > 0) | (self._sum > 0), self._sum / self._spent, np.nan)

    @property
    def prices(self) -> Floats:
        """Where the rows begin, and where the last one ends."""
        return self.low + self.step * np.arange(self.rows + 1)

    def take(self, ns: int, book: Any) -> None:
        """The book has changed."""
        if ns < self._next_ns and self._profile is not None:
            return
        self.lose(ns)
        middle = self.low + self.step * (np.arange(self.rows) + 0.5)
        levels = np.concatenate((book.bids(), book.asks()))
        row = np.floor((levels[:, 0] - self.low) / self.step + 1e-6)
        shown = (row >= 0) & (row < self.rows)
        self._profile = (np.bincount(row[shown].astype(np.int64), levels[shown, 1], self.rows),
                         (middle >= book.trusted_bid) & (middle <= book.trusted_ask))
        self._next_ns = self._ns + self._pause_ns

    def lose(self, ns: int) -> None:
        """What was there held until now; from now on nothing is known."""
        ns = min(max(ns, self._ns), self.end_ns)
        if self._profile is not None:
            qty, known = self._profile
            while self._ns < ns:
                column = (self._ns - self.start_ns) // self.width_ns
                until = min(ns, self.start_ns + (column + 1) * self.width_ns)
                self._sum[column] += qty * (until - self._ns)
                self._known[column] += known * (until - self._ns)
                self._spent[column] += until - self._ns
                self._ns = until
        self._profile, self._ns = None, ns

    def trade(self, ns: int, price: float, qty: float, aggressor: str | None) -> None:
        """Somebody traded."""
        column = (ns - self.start_ns) * TRADE_COLUMNS // max(1, self.end_ns - self.start_ns)
        self.trades[min(max(0, column), TRADE_COLUMNS - 1), _AGGRESSOR[aggressor]] += qty, price * qty


_AGGRESSOR = {"buy": 0, "sell": 1, None: 2}


class Collector:
    """A handler that fills the arrays of one book.

    Parameters: symbol -- whose. nth -- which of its books, by their order of appearance. start_ns, end_ns -- what the
    arrays span. prices -- of the heat map: lowest, highest, step; None leaves it out. sampled -- it takes the book
    `SAMPLES` times a column, not at every update. floor_ns -- the least delay; None leaves the latency out.
    """

    def __init__(self, symbol: str, start_ns: int, end_ns: int, *, nth: int = 0,
                 prices: tuple[float, float, float] | None = None, sampled: bool = False, floor_ns: int | None = None,
                 delays: int = DELAY_COLUMNS) -> None:
        self.symbol = symbol.casefold()     # a venue may write it in two ways: in a request and in its messages
        self.held = Held(start_ns, end_ns, COLUMNS, 4)          # values: bid, ask, spread, imbalance
        self.heat = None if prices is None else Heat(start_ns, end_ns, prices, sampled)
        self.delays = None if floor_ns is None else Delays(start_ns, end_ns, delays, floor_ns)
        self._nth = nth
        self._books: list[Any] = []         # of that symbol, as they were met
        self._book: Any = None              # the one that is meant
        self._since_ns = 0                  # its last change of state
        self._n = 0
        self._ns = np.zeros(BLOCK, dtype=np.int64)
        self._bids, self._asks = np.zeros((2, BLOCK, LEVELS, 2))

    def on_book(self, book: Any) -> None:
        if book is not self._book and not self._is_meant(book):
            return
        ns = book.receive_ns
        n = self._next(ns)
        book.top(self._bids[n], self._asks[n])
        if self.heat is not None:
            self.heat.take(ns, book)
        if self.delays is not None and book.exchange_ns and ns > self._since_ns:
            self.delays.add(ns, book.exchange_ns)

    def on_trade(self, trade: Any) -> None:
        if self.heat is not None and trade.symbol.casefold() == self.symbol:
            self.heat.trade(trade.receive_ns, trade.price, trade.qty, trade.aggressor)

    def on_status(self, book: Any, old: BookState, new: BookState, reason: str) -> None:
        if book is None or old is new or not self._is_meant(book):
            return
        # LIVE too: its first message may be one that came before the snapshot did, and counts from now on.
        self._since_ns = book.since_ns
        self._bids[self._next(book.since_ns)] = np.nan
        if self.heat is not None:
            self.heat.lose(book.since_ns)

    def _is_meant(self, book: Any) -> bool:
        if book.symbol.casefold() == self.symbol and not any(book is other for other in self._books):
            self._books.append(book)
            if len(self._books) == self._nth + 1:
                self._book = book
        return book is self._book

    def _next(self, ns: int) -> int:
        """Number of the next row, whose levels are all 0."""
        if self._n == BLOCK:
            self._take()
        self._ns[self._n] = ns
        self._n += 1
        return self._n - 1

    def _take(self) -> None:
        bids, asks = self._bids[:self._n], self._asks[:self._n]
        bid, ask = (np.where(side[:, 0, 1] == 0, np.nan, side[:, 0, 0]) for side in (bids, asks))
        bid_qty, ask_qty = bids[:, :, 1].sum(axis=1), asks[:, :, 1].sum(axis=1)
        with np.errstate(invalid="ignore"):
            imbalance = (bid_qty - ask_qty) / (bid_qty + ask_qty)
        self.held.take(self._ns[:self._n], np.stack((bid, ask, ask - bid, imbalance), axis=1))
        self._bids[:], self._asks[:], self._n = 0, 0, 0

    def finish(self) -> None:
        """What holds now holds to the end. Call it once."""
        self._take()
        self.held.finish()
        if self.heat is not None:
            self.heat.lose(self.heat.end_ns)
        if self.delays is not None:
            self.delays.finish()


# ---- both

@dataclass(slots=True)
class Depth:
    """A book at one moment; arrays of shape (levels, 2), price and quantity, best first."""

    bids: Floats
    asks: Floats
    best: tuple[str, str, str, str]     # exact text of the best bid's price and quantity, and of the best ask's
    trusted: tuple[float, float]
    state: BookState
    reason: str
    receive_ns: int                     # of the last message that was applied
    sequence: int


@dataclass(slots=True)
class Units:
    """What prices and quantities count, as far as it is known."""

    price: str = "quote currency"
    qty: str = "base units or contracts"


@dataclass(slots=True)
class PlotData:
    """Everything that the plots of one book show. What there is nothing of is None, and `missing` says why."""

    venue: str
    market: str
    symbol: str
    units: Units
    start_ns: int
    end_ns: int
    others: list[str]                               # symbols that were not chosen, the busiest first
    timelines: list[tuple[str, Timeline]]           # of all books, that one's first
    losses: list[tuple[int, int, int]]              # messages that a recorder lost, from when to when
    failures: list[Exception]                       # what could not be read; the rest is here
    depth: Depth | None = None
    held: Held | None = None
    heat: Heat | None = None
    delays: Delays | None = None
    stages: dict[str, dict[str, int]] = field(default_factory=dict)     # of this replay: see Pipeline.latency
    missing: dict[str, str] = field(default_factory=dict)               # kind -> why it cannot be drawn

    @property
    def timeline(self) -> Timeline:
        """That of the book itself."""
        return self.timelines[0][1]


def collect(path: str | PathLike[str] | Sequence[str | PathLike[str]], kinds: Iterable[str] = KINDS, *,
            symbol: str | None = None, start: Moment | None = None, end: Moment | None = None, venue: str | None = None,
            market: str | None = None, wire: str | None = None) -> PlotData:
    """Replay a recording, or captures, and collect what plots of these kinds show of one book.

    Parameters: kinds -- of `KINDS`. symbol -- whose book; None: the one with most updates. The others as for
    `feeds.replay`. Raises: PlotError if there is no book; what `feeds.replay` raises.
    """
    kinds = list(kinds)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise PlotError(f"no plot is called {', '.join(unknown)}; there are {', '.join(KINDS)}")
    options: dict[str, Any] = {"start": start, "end": end, "venue": venue, "market": market, "wire": wire}
    survey = Survey()
    rerun = _replay(Rerun(path, survey, symbols=symbol, **options))
    if not survey.books:
        raise PlotError(f"{', '.join(rerun.files)}: no book of {symbol or 'any symbol'} in it, so nothing to plot")
    found = survey.books[0]
    pipeline = rerun.pipeline
    data = PlotData(
        pipeline.venue, pipeline.market, found.symbol, units_of(pipeline.spec, pipeline.market, found.symbol),
        rerun.first_ns, max(rerun.last_ns, rerun.first_ns + SHORTEST_NS), [other.symbol for other in survey.books[1:]],
        [(other.symbol, other.timeline) for other in survey.books], rerun.losses, rerun.failures)
    for _, timeline in data.timelines:
        timeline.changes[0].ns = data.start_ns      # as nothing came of it, it was so from the beginning
    if found.book.bid_levels or found.book.ask_levels:
        data.depth = depth_of(found.book)
    else:
        data.missing["depth"] = f"the book is empty at the end ({found.book.status.name})"
    if not found.updates:
        data.missing.update(dict.fromkeys(("heatmap", "spread", "latency"), "the book was never LIVE"))
    elif not found.delays:
        data.missing["latency"] = "no message of the book tells the venue's time of it"
    if found.updates and not found.two_sided:
        data.missing.update(dict.fromkeys(("heatmap", "spread"), "the book never had both sides"))
    wanted = {"heatmap", "spread", "latency"}.intersection(kinds).difference(data.missing)
    if wanted:
        collector = Collector(
            found.symbol, data.start_ns, data.end_ns, nth=found.nth, sampled=found.updates > EACH,
            prices=found.prices() if "heatmap" in wanted else None,
            floor_ns=found.least_delay_ns if "latency" in wanted else None,
            delays=min(DELAY_COLUMNS, max(10, found.delays // 100)))
        again = _replay(Rerun(path, collector, symbols=found.symbol, **options))
        collector.finish()
        data.held, data.heat, data.delays = collector.held, collector.heat, collector.delays
        if not np.isfinite(data.held.mean[:, 2]).any():
            data.missing.update(dict.fromkeys(("heatmap", "spread"), "the book had both sides for no time at all"))
        data.stages = {name: stage for name, stage in again.pipeline.latency().items()
                       if name in ("parsed", "applied") and stage["count"]}
    return data


def _replay(rerun: Rerun) -> Rerun:
    """Run it; of a file that is damaged what can be read is enough, if that is anything."""
    try:
        rerun.run()
    except ValueError:
        if not rerun.failures or not rerun.messages:
            raise
    return rerun


def depth_of(book: Any) -> Depth:
    """What a book holds now, in whatever state it is."""
    raw = book.raw
    best = [("-", "-") if level is None else (raw.price_text(level[0]), raw.qty_text(level[1]))
            for level in (raw.best_bid_int, raw.best_ask_int)]
    return Depth(raw.bids(), raw.asks(), (*best[0], *best[1]), (raw.trusted_bid, raw.trusted_ask), book.status,
                 book.reason, raw.receive_ns, raw.sequence)


def units_of(spec: VenueSpec, market: str, symbol: str) -> Units:
    """What the venue's list on disk says (`wirebook instruments` puts it there), or the symbol itself where the venue
    writes pairs of common codes."""
    kept = default_cache().read(spec.name, market, math.inf)
    for it in kept.instruments if kept is not None else ():
        if it.symbol == symbol and it.quote:
            contracts = f"contracts of {it.contract_size} {it.contract_unit}" if it.contract_unit else "contracts"
            plain = it.kind == "spot" or (it.contract_size in ("", "1") and it.contract_unit == it.base)
            return Units(it.quote, it.base if plain else contracts)
    if "pair" in spec.own_names and form_of(symbol) == "pair":
        base, _, quote = symbol.partition("-")
        return Units(quote, base)
    return Units()
