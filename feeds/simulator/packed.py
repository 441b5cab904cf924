"""What a venue publishes of one simulated `Market` in its binary wire form; numbers are integers of one exponent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from feeds.simulator.market import ASK, BID, Action
from feeds.simulator.streams import PUBLISH_DELAY_NS, Desk, Diff, Partial, Quotes, Stream, Trades

US = 1000
MARK = "#"          # behind a stream's name: its binary form is meant


class _Writer:
    """Writes the messages of one market, by the functions of the dialect's `binary`."""

    def __init__(self, desk: Desk):
        it = desk.market.instrument
        self._desk = desk
        self._form: Any = desk.dialect.binary
        self._tick, self._lot = it.tick_units, it.lot_units
        self._exponents = (-it.price_decimals, -it.qty_decimals)

    def write(self, what: str, now_ns: int, *rest: Any) -> bytes:
        """The message that the form's function `what` makes, `rest` being the numbers and levels behind the time."""
        numbers = [item for item in rest if isinstance(item, int)]
        levels = [item for item in rest if not isinstance(item, int)]
        stamp = (now_ns + PUBLISH_DELAY_NS) // US
        message: bytes = getattr(self._form, what)(self._desk.symbol, stamp, *numbers, *self._exponents, *levels)
        return message

    def level(self, price: int, qty: int) -> tuple[int, int]:
        """A level in the units of the wire."""
        return price * self._tick, qty * self._lot

    def levels(self, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Levels in the units of the wire."""
        return [self.level(price, qty) for price, qty in pairs]


class PackedDiff(Diff):
    """Depth differences."""

    def __init__(self, desk: Desk, interval_ms: int):
        super().__init__(desk, interval_ms)
        self._writer = _Writer(desk)

    def _message(self, now_ns: int) -> bytes:       # type: ignore[override]
        update_id, changed = self.desk.update_id, self._changed
        sides = [self._writer.levels((price, side[price]) for price in sorted(side, reverse=side is changed[BID]))
                 for side in changed]
        for side in changed:
            side.clear()
        return self._writer.write("depth_diff", now_ns, update_id(self._first), update_id(self._last), *sides)


class PackedPartial(Partial):
    """The best levels of both sides, whole, whenever something has changed."""

    def __init__(self, desk: Desk, interval_ms: int, depth: int):
        super().__init__(desk, interval_ms, depth)
        self._writer = _Writer(desk)

    def fire(self, now_ns: int) -> bytes | None:    # type: ignore[override]
        market = self.desk.market
        if market.last_id == self._prev:
            return None
        self._prev = market.last_id
        sides = [self._writer.levels(market.levels(side, self._depth)) for side in (BID, ASK)]
        return self._writer.write("depth_snapshot", now_ns, self.desk.update_id(market.last_id), *sides)


class PackedQuotes(Quotes):
    """The best bid and ask, whenever one of their four numbers changes."""

    def __init__(self, desk: Desk):
        super().__init__(desk)
        self._writer = _Writer(desk)

    def take(self, action: Action) -> Iterator[bytes]:      # type: ignore[override]
        market = self.desk.market
        best = tuple(self._writer.level(market.best[side], market.sides[side][market.best[side]])
                     for side in (BID, ASK))
        if self._last != best:
            self._last = best       # type: ignore[assignment]
            yield self._writer.write("best_bid_ask", action.time_ns, self.desk.update_id(action.last_id), *best)


class PackedTrades(Trades):
    """Every fill; those of one order are one message."""

    def __init__(self, desk: Desk):
        super().__init__(desk, False)
        self._writer = _Writer(desk)

    def take(self, action: Action) -> Iterator[bytes]:      # type: ignore[override]
        if action.fills:
            fills = [(fill.trade_id, *self._writer.level(fill.price, fill.qty), fill.buyer_is_maker)
                     for fill in action.fills]
            yield self._writer.write("trades", action.time_ns, action.time_ns // US, fills)


def open_packed(desk: Desk, name: str) -> Stream | None:
    """The binary form of the stream of that name, or None if the venue has none."""
    form: Any = desk.dialect.binary
    channel = name.partition("@")[2]
    if form is None:
        return None
    if channel == "depth":
        return PackedDiff(desk, form.DIFF_MS)
    if channel == f"depth{form.PARTIAL_LEVELS}":
        return PackedPartial(desk, form.PARTIAL_MS, form.PARTIAL_LEVELS)
    if channel == "bestBidAsk":
        return PackedQuotes(desk)
    return PackedTrades(desk) if channel == "trade" else None
