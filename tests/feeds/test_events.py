"""Events: what each field says of a message, exact units beside floats, copies."""

from __future__ import annotations

import json
import math

import pytest

from feeds.events import Liquidation, Mark, Quote, Ticker, Trade
from feeds.pipeline import Pipeline
from tests import frames


def events_of(*sent, venue="binance_usdm", receive_ns=0):
    """Copies of all events that these frames give."""
    class Keeps:
        def __init__(self):
            self.kept = []

        def __getattr__(self, name):
            if not name.startswith("on_") or name in ("on_book", "on_status"):
                raise AttributeError(name)
            return lambda event: self.kept.append(event.copy())

    keeps = Keeps()
    pipeline = Pipeline(venue, keeps)
    for frame in sent:
        pipeline.feed(frame, receive_ns)
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    return keeps.kept


@pytest.mark.parametrize(("maker_bought", "aggressor"), [(True, "sell"), (False, "buy")])
def test_a_trade(maker_bought, aggressor):
    for trade in events_of(*[frames.trade("61800.30", "0.006", 5266583935, maker_bought)] * 3, receive_ns=5):
        assert isinstance(trade, Trade)
        assert (trade.symbol, trade.price, trade.qty, trade.trade_id) == ("BTCUSDT", 61800.3, 0.006, 5266583935)
        assert trade.aggressor == aggressor
        assert (trade.price_int, trade.price_scale, trade.qty_int, trade.qty_scale) == (618003, 1, 6, 3)
        assert (trade.exchange_ns, trade.receive_ns) == (frames.TIME_MS * 10**6, 5)
        assert repr(trade) == (f"Trade(symbol='BTCUSDT', exchange_ns={frames.TIME_MS * 10**6}, receive_ns=5, "
                               f"price=61800.3, qty=0.006, aggressor='{aggressor}', trade_id=5266583935)")


def test_aggregate_trades_and_older_forms():
    common = {"E": frames.TIME_MS + 1, "T": frames.TIME_MS, "s": "X", "p": "1.5", "q": "2"}
    aggregate = frames.pack({"e": "aggTrade", **common, "a": 7, "f": 1, "l": 2, "m": True})
    old = frames.pack({"e": "trade", **common, "t": 8, "b": 111, "a": 222, "m": False, "M": True})
    newest = frames.pack({"e": "aggTrade", **common, "a": 9, "nq": "1", "f": 1, "l": 2, "m": True, "st": 1})
    found = events_of(aggregate, old, newest, aggregate, old, newest)
    assert [(trade.trade_id, trade.aggressor, trade.exchange_ns) for trade in found] == [
        (number, side, frames.TIME_MS * 10**6) for number, side in ((7, "sell"), (8, "buy"), (9, "sell"))] * 2


@pytest.mark.parametrize("origin", ["INSURANCE_FUND", "ADL", "NA"])
def test_trades_outside_the_book_are_ignored(origin):
    sent = [frames.trade(number=i, X="MARKET" if i % 2 else origin) for i in range(1, 5)]
    assert [trade.trade_id for trade in events_of(*sent)] == [1, 3]


def test_a_quote():
    for quote in events_of(*[frames.quote(("61800.20", "2.507"), ("61800.30", "2.510"), 77)] * 3):
        assert isinstance(quote, Quote)
        assert (quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) == (61800.2, 2.507, 61800.3, 2.51)
        assert (quote.bid_price_int, quote.bid_qty_int) == (618002, 2507)
        assert (quote.ask_price_int, quote.ask_qty_int) == (618003, 2510)
        assert (quote.sequence, quote.exchange_ns) == (77, frames.TIME_MS * 10**6)


def test_a_quote_of_spot_has_no_time():
    frame = frames.pack({"u": 400900217, "s": "BNBUSDT", "b": "25.35190000", "B": "31.21000000", "a": "25.36520000",
                         "A": "40.66000000"})
    quote, = events_of(frame, venue="binance_spot")
    assert (quote.symbol, quote.bid_price, quote.ask_qty) == ("BNBUSDT", 25.3519, 40.66)
    assert (quote.sequence, quote.exchange_ns) == (400900217, 0)


def test_a_ticker():
    frame = frames.pack({"e": "24hrTicker", "E": 1568693103467, "s": "BTCUSDT", "p": "-88.17", "P": "-0.855",
                         "w": "10223.98",
                         "x": "9999.5", "c": "10223.74", "Q": "0.236", "b": "10223.5", "B": "1.5", "a": "10224",
                         "A": "2",
                         "o": "10311.91", "h": "10350", "l": "10100.5", "v": "18201.002",
                         "q": "1860870000000000000000.12",
                         "O": 1568606703463, "C": 1568693103463, "F": 11, "L": 99, "n": 89}, "btcusdt@ticker")
    for ticker in events_of(frame, frame, frame):
        assert isinstance(ticker, Ticker)
        assert (ticker.last_price, ticker.last_qty) == (10223.74, 0.236)
        assert (ticker.open, ticker.high, ticker.low) == (10311.91, 10350.0, 10100.5)
        assert (ticker.volume, ticker.change, ticker.change_pct) == (18201.002, -88.17, -0.855)
        assert ticker.quote_volume == pytest.approx(1.86087e21, rel=1e-15)
        assert (ticker.vwap, ticker.prev_close) == (10223.98, 9999.5)
        assert (ticker.open_ns, ticker.close_ns) == (1568606703463 * 10**6, 1568693103463 * 10**6)
        assert (ticker.first_trade_id, ticker.last_trade_id, ticker.trades) == (11, 99, 89)
        assert ticker.exchange_ns == 1568693103467 * 10**6


def test_what_a_ticker_lacks_is_nan_or_0():
    ticker, = events_of(frames.pack({"e": "24hrTicker", "E": 1, "s": "X", "c": "5"}))
    assert ticker.last_price == 5.0
    assert all(map(math.isnan, (ticker.open, ticker.volume, ticker.vwap, ticker.prev_close)))
    assert (ticker.trades, ticker.open_ns, ticker.first_trade_id) == (0, 0, 0)


def test_a_mark():
    for mark in events_of(*[frames.mark()] * 3):
        assert isinstance(mark, Mark)
        assert (mark.mark_price, mark.index_price, mark.funding_rate) == (59022.53514719, 58936.68384, 0.00058959)
        assert (mark.settlement_price, mark.next_funding_ns) == (58902.34482833, (frames.TIME_MS + 9_000_000) * 10**6)
        assert mark.exchange_ns == frames.TIME_MS * 10**6


def test_a_mark_of_a_dated_contract_has_no_funding():
    for mark in events_of(*[frames.mark(r="", T=0)] * 3, venue="binance_coinm"):
        assert math.isnan(mark.funding_rate)
        assert mark.next_funding_ns == 0


def test_the_array_of_all_marks():
    one = json.loads(frames.mark(stream=""))
    frame = frames.pack([{**one, "s": symbol} for symbol in ("A", "B", "C")], "!markPrice@arr@1s")
    assert [mark.symbol for mark in events_of(frame, frame)] == ["A", "B", "C"] * 2


@pytest.mark.parametrize(("side", "word"), [("SELL", "sell"), ("BUY", "buy")])
def test_a_liquidation(side, word):
    for liquidation in events_of(*[frames.liquidation(side, "9910.5", "0.014")] * 3):
        assert isinstance(liquidation, Liquidation)
        assert (liquidation.symbol, liquidation.side) == ("BTCUSDT", word)
        assert (liquidation.price, liquidation.qty, liquidation.average_price) == (9910.5, 0.014, 9911.5)
        assert (liquidation.price_int, liquidation.qty_int) == (99105, 14)
        assert liquidation.exchange_ns == (frames.TIME_MS + 1) * 10**6


def test_sides_in_turns():
    sent = [frames.liquidation(side) for side in ("SELL", "BUY", "BUY", "SELL", "BUY")]
    assert [event.side for event in events_of(*sent)] == ["sell", "buy", "buy", "sell", "buy"]


def test_events_have_no_other_way_in():
    trade, = events_of(frames.trade())
    for name in ("price", "price_int", "symbol", "exchange_ns", "new"):
        with pytest.raises(AttributeError):
            setattr(trade, name, 5)
    assert trade.copy() is not trade
    assert repr(Trade()).startswith("Trade(")
