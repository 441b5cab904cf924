"""A random market, written as the venue writes, through the Pipeline, is the same market: after every message."""

from __future__ import annotations

import random

import pytest

from feeds.pipeline import Pipeline
from feeds.simulator.live import LiveSource
from feeds.simulator.market import ASK, BID
from feeds.venues.dialects import DIALECTS, instruments
from orderbook import BookState

START_NS = 1_790_000_000_000_000_000
VENUES = sorted(DIALECTS)
SPEEDS = {"binance_spot": ("100ms",), "binance_usdm": ("0ms", "100ms", ""), "binance_coinm": ("0ms", "100ms", "")}


class Wire:
    """A simulated market of one symbol, and the pipeline that its messages go into, one at a time."""

    def __init__(self, venue, seed, *, form="2026", speed="100ms", combined=True, on_gap="resync"):
        self.source = LiveSource(venue, [instruments(venue)[0].symbol], seed=seed, rate=800.0, form=form,
                                 start_ns=START_NS)
        self.desk = self.source._floors[0].desk
        self.market = self.desk.market
        self.symbol = self.desk.symbol
        self.depth_stream = f"{self.symbol.lower()}@depth" + (f"@{speed}" if speed else "")
        self.combined = combined
        self.pipeline = Pipeline(venue, self, on_gap=on_gap)
        self.trades, self.quotes, self.others = [], [], []
        self.pipeline.opened()
        self.want(self.depth_stream)

    def on_trade(self, trade):
        self.trades.append((trade.trade_id, trade.price_int, trade.price_scale, trade.qty_int, trade.qty_scale,
                            trade.aggressor))

    def on_quote(self, quote):
        self.quotes.append(quote.copy())

    def _on_other(self, event):
        self.others.append(event.copy())

    on_ticker = on_mark = on_liquidation = _on_other

    def want(self, name):
        assert self.source.resolve(name) == name

    def step(self):
        """The next action or timer; gives what it publishes, which is not fed yet."""
        return [(route.name, self.framed(route.name, data))
                for route, data in self.source.take(self.source.next_ns, 1)]

    def framed(self, name, data):
        return b'{"stream":"%s","data":%s}' % (name.encode(), data) if self.combined else data

    def snapshot(self):
        """Answer the request for a snapshot that the pipeline must have made."""
        wants = [want for want in self.pipeline.wanted() if want.kind == "snapshot"]
        assert [want.symbol for want in wants] == [self.symbol]
        spec = self.pipeline.spec
        self.pipeline.rest(spec.snapshot_url(self.symbol), self.source.snapshot(self.symbol, 5000).encode())

    @property
    def book(self):
        return self.pipeline.book(self.symbol)

    def units(self, price, qty):
        """Ticks and lots in the units of the pipeline's book."""
        it, book = self.market.instrument, self.book
        return (rescale(price * it.tick_units, it.price_decimals, book.price_scale),
                rescale(qty * it.lot_units, it.qty_decimals, book.qty_scale))

    def assert_same(self):
        """The pipeline's book holds exactly what the market's does."""
        for side, levels in ((BID, self.book.bids_int()), (ASK, self.book.asks_int())):
            want = [self.units(price, qty) for price, qty in self.market.levels(side)]
            assert [tuple(level) for level in levels.tolist()] == want


def rescale(units, scale, wanted):
    """The same number at another scale, exactly."""
    scaled = units * 10 ** max(0, wanted - scale)
    divisor = 10 ** max(0, scale - wanted)
    assert scaled % divisor == 0, "the book's scale holds every number of the wire"
    return scaled // divisor


@pytest.mark.parametrize("combined", [True, False])
@pytest.mark.parametrize("form", ["2026", "2024"])
@pytest.mark.parametrize("venue, speed", [(venue, speed) for venue in VENUES for speed in SPEEDS[venue]])
def test_the_book_is_the_same_after_every_message(venue, speed, form, combined, seed):
    wire = Wire(venue, seed, form=form, speed=speed, combined=combined)
    join_after = random.Random(seed).randrange(1, 5)
    wanted = 150 if speed == "0ms" else 25          # a slower stream takes more of the market for each message
    compared = sent = 0
    while compared < wanted:
        for _, frame in wire.step():
            wire.pipeline.feed(frame, wire.market.time_ns)
            sent += 1
            if sent < join_after:
                continue
            if sent == join_after:
                wire.snapshot()
                assert wire.pipeline.wanted() == []
            assert wire.book.status == BookState.LIVE
            wire.assert_same()
            compared += 1
    assert wire.pipeline.counters["errors"] == 0
    assert wire.pipeline.counters["gaps"] == 0
    assert wire.pipeline.symbol_stats(wire.symbol)["crossed"] == 0


@pytest.mark.parametrize("venue", VENUES)
def test_a_snapshot_between_two_messages_joins(venue, seed):
    """The snapshot is ahead of the stream: changes that it has already come again, and do no harm."""
    wire = Wire(venue, seed, speed="100ms")
    rng = random.Random(seed)
    for _ in range(5):
        wire.pipeline.closed()
        wire.pipeline.opened()
        fed = 0
        ask_at = rng.randrange(40, 400)
        for number in range(4000):
            for _, frame in wire.step():
                wire.pipeline.feed(frame)
                fed += 1
                if fed > 2 and number > ask_at:
                    break
            if number == ask_at:
                if not fed:
                    ask_at += 40
                    continue
                wire.snapshot()
                fed = 0
            if number > ask_at and fed:
                assert wire.book.status == BookState.LIVE
                wire.assert_same()
                break
    assert wire.pipeline.counters["gaps"] == 0


@pytest.mark.parametrize("venue", VENUES)
def test_a_lost_message_is_a_gap_and_heals(venue, seed):
    wire = Wire(venue, seed)
    rng = random.Random(seed)
    joined, lost, healed, since = False, 0, 0, 0
    while healed < 5:
        for _, frame in wire.step():
            since += 1
            if joined and since > rng.randrange(3, 15):
                lost += 1
                joined, since = False, 0
                continue                        # this one never arrives
            wire.pipeline.feed(frame)
            if joined:
                assert wire.book.status == BookState.LIVE
                wire.assert_same()
            elif lost == 0 or since == 2:
                assert wire.book.status != BookState.LIVE
                wire.snapshot()
                assert wire.book.status == BookState.LIVE
                wire.assert_same()
                healed += lost > 0
                joined, since = True, 0
            elif since == 1:
                assert wire.book.status != BookState.LIVE, "a gap, and no trust until a new snapshot"
    assert wire.pipeline.counters["gaps"] == lost


@pytest.mark.parametrize("form", ["2026", "2024"])
@pytest.mark.parametrize("venue", VENUES)
def test_quotes_and_trades_arrive_as_they_happened(venue, form, seed):
    wire = Wire(venue, seed, form=form)
    symbol = wire.symbol.lower()
    for channel in ("bookTicker", "trade"):
        wire.want(f"{symbol}@{channel}")
    it = wire.market.instrument
    fills = []
    original = wire.market.step

    def watched():
        action = original()
        fills.extend(action.fills)
        return action

    wire.market.step = watched
    while len(fills) < 200:
        for name, frame in wire.step():
            wire.pipeline.feed(frame)
            if name.endswith("bookTicker"):
                quote = wire.quotes[-1]
                bid, ask = wire.market.best
                for price, got in ((bid, quote.bid_price_int), (ask, quote.ask_price_int)):
                    assert rescale(price * it.tick_units, it.price_decimals, quote.price_scale) == got
                assert quote.sequence == wire.desk.update_id(wire.market.last_id)
    assert [entry[0] for entry in wire.trades] == [fill.trade_id for fill in fills]
    for fill, (_, price, price_scale, qty, qty_scale, aggressor) in zip(fills, wire.trades, strict=True):
        assert rescale(fill.price * it.tick_units, it.price_decimals, price_scale) == price
        assert rescale(fill.qty * it.lot_units, it.qty_decimals, qty_scale) == qty
        assert aggressor == ("sell" if fill.buyer_is_maker else "buy")
    assert wire.pipeline.counters["errors"] == 0


@pytest.mark.parametrize("form", ["2026", "2024"])
@pytest.mark.parametrize("venue", VENUES)
def test_every_other_stream_is_understood(venue, form):
    wire = Wire(venue, 5, form=form)
    symbol = wire.symbol.lower()
    names = [f"{symbol}@{channel}" for channel in ("aggTrade", "ticker", "depth5", "depth20@100ms")]
    if venue != "binance_spot":
        names += [f"{symbol}@markPrice@1s", f"{symbol}@forceOrder"]
    for name in names:
        wire.want(name)
    seen = set()
    while wire.market.time_ns < START_NS + 15_000_000_000:
        for name, frame in wire.step():
            seen.add(name)
            wire.pipeline.feed(frame)
            if name.endswith("depth20@100ms"):
                partial = wire.pipeline.book(wire.symbol, depth=20)
                for side, levels in ((BID, partial.bids_int()), (ASK, partial.asks_int())):
                    it = wire.market.instrument
                    assert [price for price, _ in levels.tolist()] == [
                        rescale(price * it.tick_units, it.price_decimals, partial.price_scale)
                        for price, _ in wire.market.levels(side, 20)]
    assert seen >= set(names) - {f"{symbol}@forceOrder"}
    assert wire.pipeline.counters["errors"] == 0
    assert wire.pipeline.counters["ignored"] == 0
    assert wire.trades
    kinds = {type(event).__name__ for event in wire.others}
    assert "Ticker" in kinds
    if venue != "binance_spot":
        assert "Mark" in kinds
