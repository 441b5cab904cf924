"""What a venue publishes of one simulated `Market`: every stream as an object, and the REST snapshot."""

from __future__ import annotations

from collections.abc import Iterator

from feeds.simulator.market import ASK, BID, Action, Market
from feeds.venues.dialects import Dialect, levels_text, split_stream

MS = 1_000_000
PUBLISH_DELAY_NS = 1 * MS       # from matching to the stamp of the publisher
FUNDING_PERIOD_NS = 8 * 3600 * 1_000_000_000
LIQUIDATION_PERIOD_NS = 1000 * MS
LIQUIDATION_EVERY = 25          # of the fills in a burst, one is a liquidation


class Desk:
    """One market with the texts and figures that all its streams share.

    Parameters: dialect -- how the venue writes. market -- the market. form -- one of `feeds.venues.dialects.FORMS`.
    """

    def __init__(self, dialect: Dialect, market: Market, form: str = "2026"):
        self.dialect = dialect
        self.market = market
        self.shapes = dialect.shapes[form]
        self.symbol = market.instrument.symbol
        self.open_ns = market.time_ns
        self.open_price = self.high = self.low = market.last_price
        self.volume = 0             # lots traded since the opening
        self.turnover = 0           # lots times ticks
        self.last_qty = 0
        self._prices: dict[int, str] = {}       # ticks -> text

    def price(self, ticks: int) -> str:
        """A price as the venue writes it."""
        text = self._prices.get(ticks)
        if text is None:
            it = self.market.instrument
            text = self._prices[ticks] = self.dialect.number(ticks * it.tick_units, it.price_decimals)
        return text

    def qty(self, lots: int) -> str:
        """A quantity as the venue writes it."""
        it = self.market.instrument
        return self.dialect.number(lots * it.lot_units, it.qty_decimals)

    def update_id(self, market_id: int) -> int:
        """The venue's number of an update of the market."""
        return market_id * self.dialect.id_stride

    def levels(self, side: int, count: int | None = None) -> str:
        """Levels of a side as text, best first."""
        return levels_text((self.price(price), self.qty(qty)) for price, qty in self.market.levels(side, count))

    def stamps(self, now_ns: int) -> dict[str, object]:
        """The fields that nearly every message has."""
        return {"E": (now_ns + PUBLISH_DELAY_NS) // MS, "T": self.market.last_action_ns // MS, "s": self.symbol,
                "ps": self.market.instrument.pair}

    def count(self, action: Action) -> None:
        """Take the fills of an action into the day's figures."""
        for fill in action.fills:
            self.high = max(self.high, fill.price)
            self.low = min(self.low, fill.price)
            self.volume += fill.qty
            self.turnover += fill.qty * fill.price
            self.last_qty = fill.qty

    def snapshot(self, limit: int) -> str:
        """The REST answer for the book as it is now."""
        return self.shapes.snapshot % {
            **self.stamps(self.market.time_ns), "u": self.update_id(self.market.last_id),
            "b": self.levels(BID, limit), "a": self.levels(ASK, limit)}


class Stream:
    """One stream of one market. A real-time stream answers `take`, a timed one `fire`.

    interval_ns -- from one `fire` to the next; 0 for a real-time stream.
    """

    def __init__(self, desk: Desk, interval_ms: int = 0):
        self.desk = desk
        self.interval_ns = interval_ms * MS
        now = desk.market.time_ns
        self.next_ns = now - now % self.interval_ns + self.interval_ns if interval_ms else 0

    @property
    def is_idle(self) -> bool:
        """True if nothing would be said at the next turn, whenever that is."""
        return False

    def take(self, action: Action) -> Iterator[str]:
        """Messages that an action causes at once."""
        return iter(())

    def fire(self, now_ns: int) -> str | None:
        """The message that is due now, if there is one."""
        return None

    def _wake(self, now_ns: int) -> None:
        """There is something to say: be due at the next turn after now."""
        if self.interval_ns and self.next_ns <= now_ns:
            self.next_ns = now_ns - now_ns % self.interval_ns + self.interval_ns


class Diff(Stream):
    """Depth differences: all that changed since the last message of this stream."""

    def __init__(self, desk: Desk, interval_ms: int):
        super().__init__(desk, interval_ms)
        self._changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._first = self._last = desk.market.last_id
        self._prev = desk.market.last_id        # last id of the message before

    @property
    def is_idle(self) -> bool:
        return not self._changed[BID] and not self._changed[ASK]

    def take(self, action: Action) -> Iterator[str]:
        if self.is_idle:
            self._first = action.first_id
            self._wake(action.time_ns)
        self._last = action.last_id
        for side, price, qty in action.changes:
            self._changed[side][price] = qty
        if not self.interval_ns:
            yield self._message(action.time_ns)

    def fire(self, now_ns: int) -> str | None:
        return self._message(now_ns) if self._changed[BID] or self._changed[ASK] else None

    def _message(self, now_ns: int) -> str:
        desk = self.desk
        bids, asks = self._changed
        fields = desk.stamps(now_ns)
        fields["U"] = desk.update_id(self._first)
        fields["u"] = desk.update_id(self._last)
        fields["pu"] = desk.update_id(self._prev)
        for key, levels, descending in (("b", bids, desk.dialect.bids_descending), ("a", asks, False)):
            fields[key] = levels_text(
                [(desk.price(price), desk.qty(levels[price])) for price in sorted(levels, reverse=descending)])
        self._prev = self._last
        bids.clear()
        asks.clear()
        return desk.shapes.depth % fields


class Partial(Stream):
    """The best levels of both sides, whole, whenever something has changed."""

    def __init__(self, desk: Desk, interval_ms: int, depth: int):
        super().__init__(desk, interval_ms)
        self._depth = depth
        self._prev = desk.market.last_id

    @property
    def is_idle(self) -> bool:
        return self.desk.market.last_id == self._prev

    def take(self, action: Action) -> Iterator[str]:
        self._wake(action.time_ns)
        return iter(())

    def fire(self, now_ns: int) -> str | None:
        desk = self.desk
        last = desk.market.last_id
        if last == self._prev:
            return None
        first, prev, self._prev = self._prev + 1, self._prev, last
        return desk.shapes.partial % {
            **desk.stamps(now_ns), "U": desk.update_id(first), "u": desk.update_id(last), "pu": desk.update_id(prev),
            "b": desk.levels(BID, self._depth), "a": desk.levels(ASK, self._depth)}


class Quotes(Stream):
    """The best bid and ask, whenever one of their four numbers changes."""

    def __init__(self, desk: Desk):
        super().__init__(desk)
        self._last: tuple[int, int, int, int] | None = None

    def take(self, action: Action) -> Iterator[str]:
        desk = self.desk
        bid, ask = desk.market.best
        bid_qty, ask_qty = desk.market.sides[BID][bid], desk.market.sides[ASK][ask]
        if self._last != (bid, bid_qty, ask, ask_qty):
            self._last = (bid, bid_qty, ask, ask_qty)
            yield desk.shapes.quote % {
                **desk.stamps(action.time_ns), "u": desk.update_id(action.last_id),
                "b": desk.price(bid), "B": desk.qty(bid_qty), "a": desk.price(ask), "A": desk.qty(ask_qty)}


class Trades(Stream):
    """Every fill; `aggregate` gives the form in which the venue sums up the fills at one price of one order."""

    def __init__(self, desk: Desk, aggregate: bool):
        super().__init__(desk)
        self._shape = desk.shapes.agg_trade if aggregate else desk.shapes.trade

    def take(self, action: Action) -> Iterator[str]:
        desk = self.desk
        for fill in action.fills:
            yield self._shape % {
                **desk.stamps(action.time_ns), "t": fill.trade_id, "p": desk.price(fill.price),
                "q": desk.qty(fill.qty), "m": "true" if fill.buyer_is_maker else "false"}


class Liquidations(Stream):
    """Now and then a fill of a burst is somebody's liquidation; at most one a second."""

    def take(self, action: Action) -> Iterator[str]:
        desk = self.desk
        if not desk.market.in_burst or action.time_ns < self.next_ns:
            return
        for fill in action.fills:
            if fill.trade_id % LIQUIDATION_EVERY == 0:
                self.next_ns = action.time_ns + LIQUIDATION_PERIOD_NS
                yield desk.shapes.liquidation % {
                    **desk.stamps(action.time_ns), "S": "SELL" if fill.buyer_is_maker else "BUY",
                    "p": desk.price(fill.price), "q": desk.qty(fill.qty)}
                return


class Ticker(Stream):
    """Figures of the day, which here began when the market opened."""

    def fire(self, now_ns: int) -> str | None:
        desk = self.desk
        market, it = desk.market, desk.market.instrument
        if not market.last_trade_id:
            return None
        change = market.last_price - desk.open_price
        bid, ask = market.best
        return desk.shapes.ticker % {
            **desk.stamps(now_ns), "p": desk.price(change), "P": f"{100 * change / desk.open_price:.3f}",
            "w": desk.price(desk.turnover // max(1, desk.volume)), "c": desk.price(market.last_price),
            "Q": desk.qty(desk.last_qty), "b": desk.price(bid), "B": desk.qty(market.sides[BID][bid]),
            "a": desk.price(ask), "A": desk.qty(market.sides[ASK][ask]), "o": desk.price(desk.open_price),
            "h": desk.price(desk.high), "l": desk.price(desk.low), "v": desk.qty(desk.volume),
            "q": desk.dialect.number(desk.turnover * it.tick_units * it.lot_units, it.price_decimals + it.qty_decimals),
            "O": desk.open_ns // MS, "C": market.last_action_ns // MS, "F": 1, "L": market.last_trade_id,
            "n": market.last_trade_id}


class Mark(Stream):
    """Mark price, index price and the funding rate."""

    def fire(self, now_ns: int) -> str | None:
        desk = self.desk
        it = desk.market.instrument
        bid, ask = desk.market.best
        mid = (bid + ask) * it.tick_units * 10 ** (8 - it.price_decimals) // 2      # in units of 1e-8
        texts = [f"{units // 10 ** 8}.{units % 10 ** 8:08d}" for units in (mid, mid - mid // 4000, mid - mid // 9000)]
        due = now_ns - now_ns % FUNDING_PERIOD_NS + FUNDING_PERIOD_NS
        return desk.shapes.mark % {
            **desk.stamps(now_ns), "p": texts[0], "i": texts[1], "P": texts[2], "r": "0.00010000", "T": due // MS}


def open_stream(desk: Desk, name: str) -> Stream | None:
    """The stream of that name, or None if the venue has none. Pure: nothing remembers it but the caller."""
    dialect = desk.dialect
    _, channel, speed = split_stream(name)
    if channel == "depth" and speed in dialect.speeds:
        return Diff(desk, dialect.speeds[speed])
    if channel in ("depth5", "depth10", "depth20") and speed in dialect.partial_speeds:
        return Partial(desk, dialect.partial_speeds[speed], int(channel[5:]))
    if channel == "markPrice" and desk.shapes.mark and speed in dialect.mark_speeds:
        return Mark(desk, dialect.mark_speeds[speed])
    if speed:
        return None
    if channel == "bookTicker":
        return Quotes(desk)
    if channel in ("trade", "aggTrade"):
        return Trades(desk, channel == "aggTrade")
    if channel == "ticker":
        return Ticker(desk, dialect.ticker_ms)
    if channel == "forceOrder" and desk.shapes.liquidation:
        return Liquidations(desk)
    return None
