"""Simulated markets of one venue, and what is told of them stream by stream, as events that no venue has written yet.

    hall = Hall(load(name), dialect, seed=7)
    feeds = hall.open("books:BTC-USDT", "public")   # what a stream of that name consists of
    for feed, events in hall.step(): ...

A stream is one for all who hear it: its messages are numbered once, and a book that somebody is given to begin with is
the one that the stream's last message left.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from urllib.parse import urlsplit

from feeds.simulator.dialect import Dialect, Listed, decimal
from feeds.simulator.event import Event, Level
from feeds.simulator.market import ASK, BID, Action, Instrument, Market
from feeds.venue import Stream, VenueSpec

MS = 1_000_000
PUBLISH_DELAY_NS = 1 * MS       # from matching to the stamp of the publisher
FUNDING_PERIOD_NS = 8 * 3600 * 1_000_000_000
LIQUIDATION_PERIOD_NS = 1000 * MS
LIQUIDATION_EVERY = 25          # of the fills in a burst, one is a liquidation
YEAR_NS = 365 * 24 * 3600 * 1_000_000_000
NEVER_NS = 1 << 62
FIRST_ID = 2_000_000            # of a venue that numbers anew
FUNDING = "0.0001"
VOLATILITY = 0.6                # of options, a year
OPEN_LOTS = 5_000               # open interest, in mean quantities

CHANNEL_KINDS = {"quotes": "quote", "ticker": "ticker", "mark": "mark", "open_interest": "open_interest"}


class Floor:
    """One instrument: its market, its figures of the day, and the feeds that tell of it."""

    def __init__(self, listed: Listed, market: Market):
        self.listed = listed
        self.market = market
        self.feeds: list[Feed] = []
        self.open_ns = market.time_ns
        self.open_price = self.high = self.low = market.last_price
        self.volume = self.turnover = self.last_qty = 0     # lots; lots times ticks; lots
        self.changed_at: tuple[dict[int, int], dict[int, int]] = ({}, {})     # ticks -> id of the level's last change
        self.skew_ns = 0        # by how much the venue's clock is wrong
        self._texts: dict[int, str] = {}

    @property
    def next_ns(self) -> int:
        """When the next action or timer is due."""
        return min([self.market.next_ns, *(feed.next_ns for feed in self.feeds if feed.pace_ns)])

    def price(self, ticks: int) -> str:
        """A price as text with the instrument's decimals."""
        text = self._texts.get(ticks)
        if text is None:
            it = self.listed.instrument
            text = self._texts[ticks] = decimal(ticks * it.tick_units, it.price_decimals)
        return text

    def qty(self, lots: int) -> str:
        """A quantity as text with the instrument's decimals."""
        it = self.listed.instrument
        return decimal(lots * it.lot_units, it.qty_decimals)

    def level(self, side: int, ticks: int, lots: int, gone: bool = False) -> Level:
        """A level as it is told."""
        return Level(1 if side == BID else -1, self.price(ticks), self.qty(lots), gone,
                     self.changed_at[side].get(ticks, self.market.last_id))

    def step(self) -> Action:
        """Let the next action of the market happen, and count it."""
        action = self.market.step()
        for number, (side, ticks, _) in enumerate(action.changes):
            self.changed_at[side][ticks] = action.first_id + number
        for fill in action.fills:
            self.high, self.low = max(self.high, fill.price), min(self.low, fill.price)
            self.volume += fill.qty
            self.turnover += fill.qty * fill.price
            self.last_qty = fill.qty
        return action

    def event(self, kind: str, stream: Stream, values: dict[str, str | int], now_ns: int) -> Event:
        """An event of this instrument with the times that nearly every message has."""
        values.setdefault("event_time", now_ns + PUBLISH_DELAY_NS + self.skew_ns)
        values["time"] = int(values.get("time", self.market.last_action_ns)) + self.skew_ns
        return Event(kind, self.listed.instrument.symbol, values, market=self.listed.market, depth=stream.depth)

    def quote(self) -> dict[str, str | int]:
        """The best bid and ask."""
        bid, ask = self.market.best
        sides = self.market.sides
        return {"bid_price": self.price(bid), "bid_qty": self.qty(sides[BID][bid]), "ask_price": self.price(ask),
                "ask_qty": self.qty(sides[ASK][ask]), "last_seq": self.market.last_id}

    def mark(self, now_ns: int) -> dict[str, str | int]:
        """Mark price, index price and funding."""
        it = self.listed.instrument
        bid, ask = self.market.best
        mid = (bid + ask) * it.tick_units * 10 ** (10 - it.price_decimals) // 2         # in units of 1e-10
        due = now_ns - now_ns % FUNDING_PERIOD_NS + FUNDING_PERIOD_NS
        places = it.price_decimals + 2
        mark, index = (decimal(units // 10 ** (10 - places), places) for units in (mid, mid - mid // 4000))
        return {"mark": mark, "index": index, "settlement": index, "funding": FUNDING, "next_funding": due}

    def interest(self) -> dict[str, str | int]:
        """What is open: a figure that moves with what is traded."""
        it = self.listed.instrument
        lots = OPEN_LOTS * it.mean_qty + self.volume % (100 * it.mean_qty)
        return {"open_interest": self.qty(lots), "open_value": decimal(
            lots * self.market.last_price * it.tick_units * it.lot_units, it.price_decimals + it.qty_decimals)}

    def ticker(self, now_ns: int) -> dict[str, str | int]:
        """Figures of the day, which here began when the market opened, and all that some venue adds to them."""
        market, it = self.market, self.listed.instrument
        change = market.last_price - self.open_price
        values = {
            **self.quote(), **self.mark(now_ns), **self.interest(), "last": self.price(market.last_price),
            "last_qty": self.qty(self.last_qty), "open": self.price(self.open_price), "high": self.price(self.high),
            "low": self.price(self.low), "volume": self.qty(self.volume), "quote_volume": decimal(
                self.turnover * it.tick_units * it.lot_units, it.price_decimals + it.qty_decimals),
            "change": self.price(change), "change_pct": f"{100 * change / self.open_price:.3f}",
            "vwap": self.price(self.turnover // self.volume if self.volume else market.last_price),
            "average": self.price((market.last_price + self.open_price) // 2),
            "prev_close": self.price(self.open_price),
            "open_time": self.open_ns, "close_time": now_ns, "first_id": 1, "last_id": market.last_trade_id,
            "count": market.last_trade_id, "trade_id": market.last_trade_id, "price": self.price(market.last_price),
            "qty": self.qty(self.last_qty)}
        if self.listed.kind == "option":
            values |= self._greeks(now_ns)
        return values

    def _greeks(self, now_ns: int) -> dict[str, str | int]:
        """Black and Scholes without interest, with one volatility for all; a fraction, a day's theta, vega for 1 %."""
        listed = self.listed
        strike = float(listed.strike)
        spot = strike * 1.02
        years = max(listed.expiry_ns - now_ns, MS) / YEAR_NS
        spread = VOLATILITY * math.sqrt(years)
        d1 = (math.log(spot / strike) + VOLATILITY ** 2 * years / 2) / spread
        density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
        delta = (1 + math.erf(d1 / math.sqrt(2))) / 2 - (listed.option_type == "put")
        figures = {"delta": delta, "gamma": density / (spot * spread), "vega": spot * density * math.sqrt(years) / 100,
                   "theta": -spot * density * VOLATILITY / (2 * math.sqrt(years)) / 365, "rho": 0.0,
                   "bid_iv": VOLATILITY - 0.01, "ask_iv": VOLATILITY + 0.01, "mark_iv": VOLATILITY, "underlying": spot}
        return {name: f"{figure:.6f}" for name, figure in figures.items()}


class Feed:
    """One stream of one instrument. `next_ns` is when `fire` is due; without a pace everything is told at once."""

    def __init__(self, floor: Floor, stream: Stream, pace_ms: int, opens: bool = False):
        self.floor = floor
        self.stream = stream
        self.pace_ns = pace_ms * MS
        self.opens = opens
        now = floor.market.time_ns
        self.next_ns = now - now % self.pace_ns + self.pace_ns if pace_ms else 0

    def take(self, action: Action) -> list[Event]:
        """What an action causes to be told at once."""
        return []

    def fire(self, now_ns: int) -> list[Event]:
        """What is due now."""
        return []

    def opening(self) -> list[Event]:
        """What somebody who begins to listen is told first."""
        return []


class BookFeed(Feed):
    """A book: whole, or what has changed of its best levels (all of them where `levels` is 0)."""

    def __init__(self, floor: Floor, stream: Stream, pace_ms: int, opens: bool, levels: int, whole: bool, cuts: bool):
        super().__init__(floor, stream, pace_ms, opens)
        self.count = levels
        self.whole = whole
        self.cuts = cuts
        self.number = 0                         # messages told so far
        self.last_id = floor.market.last_id     # of the book that the last message left
        self.view = self._best_levels()         # that book: ticks -> lots of each side
        self._told_ns = floor.market.time_ns
        self._changed: tuple[set[int], set[int]] = (set(), set())

    def _best_levels(self) -> tuple[dict[int, int], dict[int, int]]:
        market = self.floor.market
        if not self.count:
            return dict(market.sides[BID]), dict(market.sides[ASK])
        return dict(market.levels(BID, self.count)), dict(market.levels(ASK, self.count))

    def take(self, action: Action) -> list[Event]:
        for side, ticks, _ in action.changes:
            self._changed[side].add(ticks)
        return [] if self.pace_ns else self.fire(action.time_ns)

    def fire(self, now_ns: int) -> list[Event]:
        market = self.floor.market
        if market.last_id == self.last_id:
            return []
        levels: list[Level] = []
        now = self._best_levels() if self.count else market.sides
        for side in (BID, ASK):
            levels += self._changes(side, now[side])
            self._changed[side].clear()
        if self.count:
            self.view = (now[BID], now[ASK])
        if not levels:
            return []                           # all that changed is deeper than what is told
        self.number += 1
        event = self._event("delta", levels, self.last_id + 1, market.last_id, self.last_id, now_ns)
        self.last_id, self._told_ns = market.last_id, now_ns
        return [self._whole_book(event) if self.whole else event]

    def _changes(self, side: int, now: dict[int, int]) -> Iterator[Level]:
        """What is new of one side, best first; the view of a whole book follows."""
        view, floor = self.view[side], self.floor
        ticks = self._changed[side] if not self.count else view.keys() | now.keys()
        worst = None if not self.count or len(now) < self.count else (min(now) if side == BID else max(now))
        for price in sorted(ticks, reverse=side == BID):
            lots = now.get(price, 0)
            # Who joins by a REST answer may have seen what came and went between two messages.
            if lots == view.get(price, 0) and (self.count or self.opens):
                continue
            if not self.count:
                if lots:
                    view[price] = lots
                else:
                    view.pop(price, None)
            elif not lots and self.cuts and worst is not None and (price < worst if side == BID else price > worst):
                continue                        # it fell out of what is told
            yield floor.level(side, price, lots, not lots)

    def levels(self, side: int, count: int | None = None) -> list[tuple[int, int]]:
        """(ticks, lots) of the book that the last message left, best first."""
        return sorted(self.view[side].items(), reverse=side == BID)[:count]

    def best(self, side: int, count: int) -> list[tuple[str, str]]:
        """The same as texts; side is +1 for bids, -1 for asks."""
        floor = self.floor
        return [(floor.price(ticks), floor.qty(lots)) for ticks, lots in self.levels(BID if side > 0 else ASK, count)]

    def _event(self, kind: str, levels: list[Level], first: int, last: int, prev: int, now_ns: int) -> Event:
        event = self.floor.event(kind, self.stream, {
            "first_seq": first, "last_seq": last, "prev_seq": prev, "number": self.number}, now_ns)
        event.levels = levels
        event.best = self.best
        return event

    def _whole_book(self, event: Event) -> Event:
        floor = self.floor
        event.kind = "snapshot"
        event.levels = [floor.level(side, *pair) for side in (BID, ASK) for pair in self.levels(side)]
        return event

    def opening(self) -> list[Event]:
        return [self.snapshot()] if self.opens else []

    def snapshot(self) -> Event:
        """The book that the last message left, whole."""
        return self._whole_book(self._event("snapshot", [], self.last_id, self.last_id, self.last_id, self._told_ns))


class TradeFeed(Feed):
    """Fills; those of one order together."""

    def take(self, action: Action) -> list[Event]:
        floor = self.floor
        return [floor.event("trade", self.stream, {
            "time": action.time_ns, "price": floor.price(fill.price), "qty": floor.qty(fill.qty),
            "trade_id": fill.trade_id, "aggressor": -1 if fill.buyer_is_maker else 1, "last_seq": action.last_id,
        }, action.time_ns) for fill in action.fills]


class LiquidationFeed(Feed):
    """Now and then a fill of a burst is somebody's liquidation; at most one a second."""

    def take(self, action: Action) -> list[Event]:
        floor = self.floor
        if not floor.market.in_burst or action.time_ns < self.next_ns:
            return []
        for fill in action.fills:
            if fill.trade_id % LIQUIDATION_EVERY == 0:
                self.next_ns = action.time_ns + LIQUIDATION_PERIOD_NS
                return [floor.event("liquidation", self.stream, {
                    "time": action.time_ns, "price": floor.price(fill.price), "qty": floor.qty(fill.qty),
                    "trade_id": fill.trade_id, "aggressor": -1 if fill.buyer_is_maker else 1}, action.time_ns)]
        return []


class FigureFeed(Feed):
    """Best bid and ask, ticker, mark price, open interest: at its pace, or whenever what it says has changed."""

    def __init__(self, floor: Floor, stream: Stream, pace_ms: int, opens: bool, kind: str):
        super().__init__(floor, stream, pace_ms, opens)
        self.kind = kind
        self._last: tuple[object, ...] = ()

    def take(self, action: Action) -> list[Event]:
        return [] if self.pace_ns else self.fire(action.time_ns)

    def fire(self, now_ns: int) -> list[Event]:
        if self.kind == "ticker" and not self.floor.market.last_trade_id:
            return []
        event = self._event(now_ns)
        if self.kind == "quote":
            new = tuple(event.values[key] for key in ("bid_price", "bid_qty", "ask_price", "ask_qty"))
            if new == self._last:
                return []
            self._last = new
        return [event]

    def opening(self) -> list[Event]:
        return [self._event(self.floor.market.time_ns)] if self.opens else []

    def _event(self, now_ns: int) -> Event:
        floor = self.floor
        make: dict[str, Callable[[], dict[str, str | int]]] = {
            "quote": floor.quote, "ticker": partial(floor.ticker, now_ns), "mark": partial(floor.mark, now_ns),
            "open_interest": floor.interest}
        return floor.event(self.kind, self.stream, make[self.kind](), now_ns)


class Hall:
    """The markets of one simulated venue.

    Parameters: spec, dialect -- the venue. symbols -- what is traded, the dialect's own list if empty; a symbol without
                figures there is traded in ticks of 0.01 around a price of 100, in the venue's first market.
                seed -- any int; decides the order flow. rate -- actions a second and instrument, above 0.
                start_ns -- time of the opening; the present if None.
    """

    def __init__(self, spec: VenueSpec, dialect: Dialect, symbols: Iterable[str] = (), *, seed: int = 0,
                 rate: float = 500.0, start_ns: int | None = None):
        self.spec = spec
        self.dialect = dialect
        start = time.time_ns() if start_ns is None else start_ns
        self.floors = [Floor(listed, Market(listed.instrument, seed, start, rate))
                       for listed in self._listed([spec.symbol(symbol) for symbol in symbols])]
        self._names = self._all_names()
        self._feeds: dict[tuple[str, str], list[Feed]] = {}

    def _listed(self, symbols: Sequence[str]) -> list[Listed]:
        known = self.dialect.listed
        if not symbols:
            return list(known)
        chosen = []
        for symbol in symbols:
            found = [listed for listed in known if listed.instrument.symbol == symbol]
            chosen += found or [Listed(Instrument(symbol, 1, 2, 1, 3, 10_000, 5_000), known[0].market, known[0].kind)]
        return chosen

    def place(self, root: str) -> str:
        """Path of the address of a root: streams have their names to themselves at one path only."""
        return urlsplit(self.spec.roots[root]).path.rstrip("/")

    def _all_names(self) -> dict[tuple[str, str], list[tuple[Floor, Stream]]]:
        """Every stream that a client may ask for, by place and name; several where a name is about several symbols."""
        spec = self.spec
        names: dict[tuple[str, str], list[tuple[Floor, Stream]]] = {}
        for floor, channel, options in product(self.floors, spec.channels, self.dialect.options):
            symbol, market = floor.listed.instrument.symbol, floor.listed.market
            with suppress(ValueError):          # this market has no such channel, or not at such a depth or speed
                for stream in spec.streams([symbol], [channel], market=market or None, **options):
                    entries = names.setdefault((self.place(stream.root), stream.name), [])
                    held = next((entry for entry in entries if entry[0] is floor), None)
                    if held is None:
                        entries.append((floor, stream))
                    elif channel == "ticker":   # of the channels that come in one stream it says most
                        entries[entries.index(held)] = (floor, stream)
        return names

    @property
    def next_ns(self) -> int:
        """When the next thing happens."""
        return min((floor.next_ns for floor in self.floors), default=NEVER_NS)

    def streams(self, name: str, root: str) -> list[Stream]:
        """What a stream of that name consists of where that root is; empty if there is none."""
        return [stream for _, stream in self._names.get((self.place(root), name), ())]

    def open(self, name: str, root: str) -> list[Feed]:
        """Begin to tell a stream, or go on with it; empty if there is none of that name."""
        key = (self.place(root), name)
        feeds = self._feeds.get(key)
        if feeds is None:
            feeds = self._feeds[key] = [self._feed(*entry) for entry in self._names.get(key, ())]
            for feed in feeds:
                feed.floor.feeds.append(feed)
        return feeds

    def _feed(self, floor: Floor, stream: Stream) -> Feed:
        dialect = self.dialect
        pace, opens = dialect.pace_ms(stream), dialect.opens(stream)
        if stream.channel == "book":
            return BookFeed(floor, stream, pace, opens, dialect.levels(stream), dialect.whole(stream), dialect.cuts)
        if stream.channel == "liquidations":
            return LiquidationFeed(floor, stream, 0)
        kind = dialect.kind(stream) or CHANNEL_KINDS.get(stream.channel)
        return FigureFeed(floor, stream, pace, opens, kind) if kind else TradeFeed(floor, stream, 0)

    def step(self) -> list[tuple[Feed, list[Event]]]:
        """Let the next thing happen. Returns: what is told of it, feed by feed."""
        floor = min(self.floors, key=lambda floor: floor.next_ns)
        now = floor.next_ns
        due = [feed for feed in floor.feeds if feed.pace_ns and feed.next_ns == now]
        if due:
            told = []
            for feed in due:
                feed.next_ns += feed.pace_ns
                told.append((feed, feed.fire(now)))
        else:
            action = floor.step()
            told = [(feed, feed.take(action)) for feed in floor.feeds]
        return [(feed, events) for feed, events in told if events]

    def delist(self, symbol: str) -> None:
        """A symbol is not traded any more."""
        self.floors = [floor for floor in self.floors if floor.listed.instrument.symbol != symbol]
        gone = [key for key, entries in self._names.items() if all(floor not in self.floors for floor, _ in entries)]
        for key in gone:
            del self._names[key]
            self._feeds.pop(key, None)

    def jump(self, seconds: float) -> None:
        """The venue's clock is set."""
        for floor in self.floors:
            floor.skew_ns += int(seconds * 1e9)

    def renumber(self) -> None:
        """All numbers begin anew; the books stay."""
        for floor in self.floors:
            back = floor.market.last_id - FIRST_ID
            floor.market.last_id -= back
            for changed in floor.changed_at:
                changed.clear()
            for feed in floor.feeds:
                if isinstance(feed, BookFeed):
                    feed.number = 0
                    feed.last_id -= back

    def floor(self, symbol: str, market: str = "") -> Floor | None:
        """Where a symbol is traded, as the venue writes it; None if it is not."""
        return next((floor for floor in self.floors if floor.listed.instrument.symbol == symbol
                     and market in ("", floor.listed.market)), None)

    def book(self, symbol: str, count: int = 0, market: str = "") -> Event | None:
        """The whole book as it is now, for a REST answer; None if nothing of that name is traded."""
        floor = self.floor(symbol, market)
        if floor is None:
            return None
        now, last = floor.market.time_ns, floor.market.last_id
        event = floor.event("snapshot", Stream("", "", symbol, "book", 0, market), {
            "first_seq": last, "last_seq": last, "prev_seq": last, "number": last}, now)
        event.levels = [floor.level(side, *pair) for side in (BID, ASK)
                        for pair in floor.market.levels(side, count or None)]
        return event
