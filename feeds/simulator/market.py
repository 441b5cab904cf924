"""A simulated market: seeded order flow on one book, in integer ticks and lots.

Orders arrive, are cancelled and trade as in the models of Cont, Stoikov and Talreja (2010,
https://doi.org/10.1287/opre.1090.0780): limit orders at a distance from the best price that falls off like a power law,
cancels in proportion to what rests, market orders that walk the book. A slowly turning sentiment tilts the sides, and
a burst (a self-exciting rate, as Hawkes processes have it) now and then multiplies the pace.

The same seed gives the same market, event for event. The book is never locked, crossed, or empty on a side.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import NamedTuple

BID, ASK = 0, 1

MAX_LEVELS = 1500               # levels a side; beyond it the furthest are cancelled
OPEN_LEVELS = 600               # levels a side at the opening, and about as many later on
MIN_LEVELS = 40                 # levels a side below which nothing is taken away any more
MAX_FILLS = 8                   # levels that one market order walks at most; what is left of it lapses
MARKET_SHARE = 0.08             # of all actions, outside bursts
CANCEL_SHARE = 0.42             # where as many levels rest as at the opening; more where more do
DISTANCE_EXPONENT = 0.8         # of the power law of the distance from the best price
MAX_DISTANCE = 5000             # ticks
BURSTS_PER_SECOND = 0.3
BURST_GAIN = 6.0                # added to the relative pace when a burst starts
BURST_DECAY_S = 0.3             # time constant in which a burst dies down
SENTIMENT_DECAY = 0.999         # a step of the sentiment, an autoregression of order 1
SENTIMENT_NOISE = 0.012
QTY_SIGMA = 1.2                 # of the log-normal order sizes


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is traded, and how its numbers are written. All prices are whole ticks, all quantities whole lots."""

    symbol: str                 # as the venue writes it: "BTCUSDT"
    tick_units: int             # a tick in units of the last decimal of a price
    price_decimals: int         # decimals a price is written with
    lot_units: int              # a lot in units of the last decimal of a quantity
    qty_decimals: int           # decimals a quantity is written with
    start_price: int            # where the market opens, in ticks
    mean_qty: int               # size of an ordinary order, in lots
    pair: str = ""              # the underlying pair, where the venue names it: "BTCUSD"


class Change(NamedTuple):
    """The quantity that rests at one price from now on; 0 if none."""

    side: int                   # BID or ASK
    price: int                  # ticks
    qty: int                    # lots


class Fill(NamedTuple):
    """A market order met one price level."""

    price: int                  # ticks
    qty: int                    # lots
    buyer_is_maker: bool        # True: the aggressor sold
    trade_id: int


@dataclass(slots=True)
class Action:
    """One thing a participant did, and all that it changed."""

    time_ns: int                # when the venue matched it, ns since the Unix epoch
    first_id: int               # update ids of its changes: first_id .. last_id, one each
    last_id: int
    changes: list[Change]
    fills: list[Fill] = field(default_factory=list)


class Market:
    """One instrument's book and the flow of orders into it.

    Parameters: instrument -- what is traded.
                seed -- any int; with the instrument it decides everything.
                start_ns -- time of the opening, ns since the Unix epoch.
                rate -- actions a second outside bursts, above 0.
                first_id -- update id of the opening book.
    `sides[BID]` and `sides[ASK]` are dicts ticks -> lots; `best[BID]`, `best[ASK]` their best prices; read only.
    """

    def __init__(self, instrument: Instrument, seed: int = 0, start_ns: int = 0, rate: float = 500.0,
                 first_id: int = 1_000_000):
        if rate <= 0:
            raise ValueError(f"rate {rate}: expected actions a second, above 0")
        self.instrument = instrument
        self.rate = rate
        self.time_ns = start_ns
        self.last_id = first_id
        self.last_trade_id = 0
        self.last_price = instrument.start_price
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.best = [instrument.start_price, instrument.start_price + 1]
        self.last_action_ns = start_ns
        self._random = random.Random(f"{seed}/{instrument.symbol}")
        self._burst = 0.0           # by how much the pace is above the ordinary one, relative
        self._sentiment = 0.0       # above 0: more buying than selling
        self._next_ns = start_ns
        self._open()
        self._schedule()

    @property
    def next_ns(self) -> int:
        """Time of the next action."""
        return self._next_ns

    @property
    def in_burst(self) -> bool:
        """True while the pace is well above the ordinary one."""
        return self._burst > 1.0

    def step(self) -> Action:
        """Let the next action happen. The time is then its time."""
        rng = self._random
        self.time_ns = self.last_action_ns = self._next_ns
        self._sentiment = self._sentiment * SENTIMENT_DECAY + rng.gauss(0.0, SENTIMENT_NOISE)
        if rng.random() < BURSTS_PER_SECOND / (self.rate * (1.0 + self._burst)):
            self._burst += BURST_GAIN
            self._sentiment += rng.choice((-1.0, 1.0)) * 0.5
        draw = rng.random()
        market_share = min(0.25, MARKET_SHARE * (1.0 + self._burst / 3.0))
        resting = len(self.sides[BID]) + len(self.sides[ASK])
        cancel_share = min(0.7, CANCEL_SHARE * resting / (2 * OPEN_LEVELS))
        action = Action(self.time_ns, self.last_id + 1, self.last_id, [])
        if draw < market_share:
            self._take(action, self._leaning(self._sentiment))
        elif draw < market_share + cancel_share:
            self._cancel(action)
        if not action.changes:
            thin_bids = math.log(len(self.sides[ASK]) / len(self.sides[BID]))      # orders fill the thinner side
            self._place(action, BID if self._leaning(0.5 * self._sentiment + thin_bids) else ASK)
        self._trim(action)
        self.last_id += len(action.changes)
        action.last_id = self.last_id
        self._schedule()
        return action

    def levels(self, side: int, count: int | None = None) -> list[tuple[int, int]]:
        """(ticks, lots) of one side, best first; all of them, or the best `count`."""
        book = self.sides[side]
        prices = sorted(book, reverse=side == BID)
        return [(price, book[price]) for price in (prices if count is None else prices[:count])]

    def _open(self) -> None:
        """The book at the opening: dense at the best prices, thin far away."""
        rng = self._random
        for side, sign in ((BID, -1), (ASK, 1)):
            distance = 0
            for rank in range(OPEN_LEVELS):
                price = self.best[side] + sign * distance
                if price < 1:
                    break
                self.sides[side][price] = self._qty(1.0 + rank / 100)
                distance += 1 if rank < 50 else 1 + int(rng.expovariate(100 / rank))

    def _schedule(self) -> None:
        pace = self.rate * (1.0 + self._burst)
        wait = self._random.expovariate(pace)
        self._burst *= math.exp(-wait / BURST_DECAY_S)
        self._next_ns = self.time_ns + 1 + int(wait * 1e9)

    def _leaning(self, tilt: float) -> bool:
        """True with a chance above one half if `tilt` is above 0."""
        return self._random.random() < 1.0 / (1.0 + math.exp(-tilt))

    def _qty(self, factor: float = 1.0) -> int:
        return max(1, int(self.instrument.mean_qty * factor * self._random.lognormvariate(0.0, QTY_SIGMA)))

    def _distance(self) -> int:
        """Ticks from the best price, 0 and up, by a power law."""
        return min(int(self._random.paretovariate(DISTANCE_EXPONENT)), MAX_DISTANCE) - 1

    def _set(self, action: Action, side: int, price: int, qty: int) -> None:
        """Change one level, and the best price with it."""
        book = self.sides[side]
        if qty:
            book[price] = qty
            if (price > self.best[BID]) if side == BID else (price < self.best[ASK]):
                self.best[side] = price
        else:
            del book[price]
            if price == self.best[side]:
                self.best[side] = max(book) if side == BID else min(book)
        action.changes.append(Change(side, price, qty))

    def _place(self, action: Action, side: int) -> None:
        """A limit order; where the spread is open it may improve the best price."""
        sign = -1 if side == BID else 1
        room = self.best[ASK] - self.best[BID] - 1
        if room > 0 and self._random.random() < 0.5:
            price = self.best[side] - sign * self._random.randint(1, room)
        else:
            price = self.best[side] + sign * self._distance()
            while price in self.sides[side] and self._random.random() < 0.6:
                price += sign                       # orders spread over the prices beside a popular one
        if price < 1:
            side, price = ASK, self.best[ASK]       # too near to zero to bid: the order goes to the other side
        self._set(action, side, price, self.sides[side].get(price, 0) + self._qty())

    def _cancel(self, action: Action) -> None:
        """Part or all of what rests somewhere near the best price is withdrawn."""
        bids, asks = len(self.sides[BID]), len(self.sides[ASK])
        side = BID if self._random.random() * (bids + asks) < bids else ASK
        book = self.sides[side]
        sign = -1 if side == BID else 1
        price = self.best[side] + sign * self._distance()
        for _ in range(50):
            if price in book:
                break
            price += sign
        else:
            return
        held = book[price]
        left = 0 if self._random.random() < 0.6 else int(held * self._random.random())
        if left or len(book) > MIN_LEVELS:
            self._set(action, side, price, left)

    def _take(self, action: Action, buys: bool) -> None:
        """A market order that walks the other side until it is filled."""
        side = ASK if buys else BID
        book = self.sides[side]
        want = self._qty()
        while want and len(action.fills) < MAX_FILLS and len(book) > MIN_LEVELS:
            price = self.best[side]
            qty = min(want, book[price])
            want -= qty
            self.last_trade_id += 1
            self.last_price = price
            action.fills.append(Fill(price, qty, not buys, self.last_trade_id))
            self._set(action, side, price, book[price] - qty)

    def _trim(self, action: Action) -> None:
        """Cancel the furthest order of a side that has grown too deep."""
        for side, furthest in ((BID, min), (ASK, max)):
            book = self.sides[side]
            if len(book) > MAX_LEVELS:
                self._set(action, side, furthest(book), 0)
