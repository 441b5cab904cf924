"""Kraken Futures: what its sheet tells beyond the list that every venue meets."""

from __future__ import annotations

import json
from math import isnan

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.simulator.event import Event, Level
from feeds.venue import Answer, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests.dialects import Wire
from tests.kept import Events
from tests.model import read_capture

SPEC = load("kraken_futures")

SNAPSHOT = ('{"feed":"book_snapshot","product_id":"PI_XBTUSD","timestamp":1626994925378,"seq":100,"tickSize":null,'
            '"bids":[{"price":34980,"qty":2978},{"price":34970.5,"qty":0}],"asks":[{"price":34981,"qty":100.0}]}')


def events(*frames):
    """What the frames give, by the name of their type, through one pipeline without an error."""
    handler = Events()
    pipeline = Pipeline("kraken_futures", handler)
    for frame in frames:
        pipeline.feed(frame.encode())
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    return {type(event).__name__: event for event in handler.kept}


def delta(seq, side="sell", price="34981", qty="0"):
    return (f'{{"feed":"book","product_id":"PI_XBTUSD","side":"{side}","seq":{seq},"price":{price},"qty":{qty},'
            '"timestamp":1612269953629}')


def fed(*frames, **options):
    pipeline = Pipeline("kraken_futures", **options)
    for frame in frames:
        pipeline.feed(frame.encode())
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    return pipeline


# ---- book

def test_a_snapshot_leaves_out_levels_of_nothing():
    book = fed(SNAPSHOT).book("PI_XBTUSD")
    assert (book.status, book.sequence) == (BookState.LIVE, 100)
    assert (len(book.raw.bids()), len(book.raw.asks())) == (1, 1)


def test_one_level_a_delta():
    book = fed(SNAPSHOT, delta(101), delta(102, "sell", "34981.5", "7.0"), delta(103, "buy", "34979", "1e2")
               ).book("PI_XBTUSD")
    assert (book.status, book.sequence, book.exchange_ns) == (BookState.LIVE, 103, 1612269953629000000)
    assert book.best_ask == (34981.5, 7.0)
    assert len(book.raw.bids()) == 2


@pytest.mark.parametrize("zero", ["0", "0.0", "-0.0", "0e1"])
def test_nothing_is_a_number(zero):
    book = fed(SNAPSHOT, delta(101, qty=zero)).book("PI_XBTUSD")
    assert len(book.raw.asks()) == 0


def test_a_missing_number_is_a_gap():
    pipeline = fed(SNAPSHOT, delta(101), delta(103, "buy"))
    assert pipeline.book("PI_XBTUSD").status is BookState.STALE
    assert [(want.symbol, want.kind) for want in pipeline.wanted()] == [("PI_XBTUSD", "resubscribe")]


def test_a_number_that_came_before_is_dropped():
    pipeline = fed(SNAPSHOT, delta(100, "buy", "34990", "5"), delta(101))
    assert pipeline.book("PI_XBTUSD").sequence == 101
    assert pipeline.symbol_stats("PI_XBTUSD")["stale"] == 1


def test_the_first_recorded_messages_had_no_time():
    pipeline = fed('{"feed":"book","product_id":"FI_LTCUSD_190426","side":"sell","seq":2139287,"price":60.58,"qty":0}')
    assert pipeline.symbol_stats("FI_LTCUSD_190426")["stale"] == 1


@pytest.mark.parametrize("lacking", ["side", "seq", "price", "qty", "product_id"])
def test_a_delta_that_lacks_something(lacking):
    pipeline = fed(SNAPSHOT)
    pipeline.feed(delta(101).replace(f'"{lacking}"', '"other"').encode())
    assert pipeline.counters["errors"] == 1


def test_a_side_that_is_none():
    pipeline = fed(SNAPSHOT)
    pipeline.feed(delta(101, "long").encode())
    assert pipeline.counters["errors"] == 1
    assert "buy or sell" in str(pipeline.last_error)


# ---- trades

def trade(kind="fill", side="sell"):
    return (f'{{"feed":"trade","product_id":"PI_XRPUSD","uid":"3ee209b8-bc9f-4ed5-965b-8c6208b26411","side":"{side}",'
            f'"type":"{kind}","seq":41799,"time":1593561965283,"qty":12000,"price":0.1736}}')


@pytest.mark.parametrize("kind", ["fill", "assignment", "termination", "block"])
def test_a_trade(kind):
    got = events(trade(kind))
    assert list(got) == ["Trade"]
    one = got["Trade"]
    assert (one.price, one.qty, one.aggressor, one.trade_id, one.exchange_ns) == (
        0.1736, 12000, "sell", 41799, 1593561965283000000)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_liquidation_is_a_trade_too_and_its_side_is_the_forced_orders(side):
    got = events(trade("liquidation", side))
    assert list(got) == ["Trade", "Liquidation"]
    assert (got["Trade"].aggressor, got["Liquidation"].side) == (side, side)
    assert (got["Liquidation"].price, got["Liquidation"].qty) == (0.1736, 12000)


def test_many_trades_in_a_row_keep_their_kinds():
    handler = Events()
    pipeline = Pipeline("kraken_futures", handler)
    for i in range(60):
        pipeline.feed(trade("liquidation" if i % 3 == 0 else "fill", "buy" if i % 2 else "sell").encode())
    kinds = [type(event).__name__ for event in handler.kept]
    assert (kinds.count("Trade"), kinds.count("Liquidation")) == (60, 20)
    assert [event.aggressor for event in handler.kept if type(event).__name__ == "Trade"] == ["sell", "buy"] * 30


def test_history_is_not_told():
    assert events('{"feed":"trade_snapshot","product_id":"PI_XRPUSD","trades":[' + trade() + "]}") == {}


# ---- ticker

PERPETUAL = ('{"time":1676393235406,"product_id":"PI_XBTUSD","funding_rate":-6.2604214e-11,'
             '"funding_rate_prediction":-3.65989977e-10,"relative_funding_rate":-1.380384722222e-06,'
             '"relative_funding_rate_prediction":-8.047629166667e-06,"next_funding_rate_time":1676394000000,'
             '"feed":"ticker","bid":21978.5,"ask":21987.0,"bid_size":2536.0,"ask_size":13948.0,"volume":31403908.0,'
             '"dtm":0,"leverage":"50x","index":21984.54,"premium":-0.0,"last":21983.5,"change":1.9974017538161748,'
             '"suspended":false,"tag":"perpetual","pair":"XBT:USD","openInterest":30072580.0,'
             '"markPrice":21979.68641534714,"maturityTime":0,"post_only":false,"volumeQuote":31403908.0,"open":21968.5,'
             '"high":22123.0,"low":21456.0}')


def test_a_ticker_gives_mark_and_open_interest():
    got = events(PERPETUAL)
    assert sorted(got) == ["Mark", "OpenInterest", "Ticker"]
    ticker, mark = got["Ticker"], got["Mark"]
    assert (ticker.last_price, ticker.volume, ticker.quote_volume, ticker.open, ticker.high, ticker.low) == (
        21983.5, 31403908.0, 31403908.0, 21968.5, 22123.0, 21456.0)
    assert ticker.change_pct == pytest.approx(1.9974017538161748, rel=1e-15)
    assert (mark.mark_price, mark.index_price) == (21979.68641534714, 21984.54)
    assert mark.funding_rate == -1.380384722222e-06
    assert (mark.next_funding_ns, mark.exchange_ns) == (1676394000000000000, 1676393235406000000)
    assert got["OpenInterest"].qty == 30072580.0


def test_a_dated_future_has_no_funding():
    got = events('{"time":1654164693039,"product_id":"FI_XBTUSD_220624","feed":"ticker","bid":29892.5,"ask":29916.0,'
                 '"bid_size":4977.0,"ask_size":1477.0,"volume":5710706.0,"dtm":22,"leverage":"50x","index":29920.98,'
                 '"premium":-0.1,"last":29876.0,"change":-5.511014121479518,"suspended":false,"tag":"month",'
                 '"pair":"XBT:USD","openInterest":7790153.0,"markPrice":29904.25,"maturityTime":1656082800000,'
                 '"post_only":false}')
    assert got["Mark"].mark_price == 29904.25
    assert isnan(got["Mark"].funding_rate)
    assert got["Mark"].next_funding_ns == 0


def test_a_ticker_lite_has_no_mark():
    got = events('{"feed":"ticker_lite","product_id":"FI_BCHUSD_210730","bid":439.3,"ask":439.6,'
                 '"change":2.640803926150981,"premium":0.3,"volume":3413476.0,"tag":"month","pair":"BCH:USD","dtm":7,'
                 '"maturityTime":1627657200000}')
    assert list(got) == ["Ticker"]
    assert got["Ticker"].volume == 3413476.0
    assert isnan(got["Ticker"].last_price)


def test_many_tickers_are_read_alike():
    handler = Events()
    pipeline = Pipeline("kraken_futures", handler)
    for i in range(50):
        pipeline.feed(PERPETUAL.replace("1676393235406", str(1676393235406 + i)).replace(
            '"last":21983.5', f'"last":{21983.5 + i}').encode())
    assert pipeline.counters["errors"] == 0
    assert [event.last_price for event in handler.kept if type(event).__name__ == "Ticker"] == [
        21983.5 + i for i in range(50)]


# ---- requests and answers

def test_channels_share_their_feeds():
    names = [stream.name for stream in SPEC.streams(["pi_xbtusd"], list(SPEC.channels))]
    assert names == ["book:PI_XBTUSD", "trade:PI_XBTUSD", "ticker:PI_XBTUSD", "ticker:PI_XBTUSD", "ticker:PI_XBTUSD",
                     "trade:PI_XBTUSD"]
    assert SPEC.unsubscribe(names[:1], 2) == ['{"event":"unsubscribe","feed":"book","product_ids":["PI_XBTUSD"]}']


def test_an_answer_names_its_streams():
    control = SPEC.read_control(b'{"event":"subscribed","feed":"book","product_ids":["FI_ETHUSD_211231"]}')
    assert (control.kind, control.request_id, control.streams) == ("ack", None, ("book:FI_ETHUSD_211231",))


def test_what_there_is_not_says_what_there_is():
    with pytest.raises(UnsupportedChannel, match="book, trades, ticker, mark, open_interest, liquidations"):
        SPEC.streams(["PI_XBTUSD"], ["quotes"])
    with pytest.raises(UnsupportedChannel):
        SPEC.streams(["PI_XBTUSD"], ["book"], depth=10)
    with pytest.raises(UnsupportedChannel):
        SPEC.streams(["PI_XBTUSD"], ["book"], market="linear")


def test_instruments():
    found = SPEC.read_instruments(
        b'{"result":"success","instruments":[{"symbol":"pi_xbtusd","type":"futures_inverse","tickSize":0.5,'
        b'"contractSize":1,"tradeable":true},{"symbol":"in_xbtusd","type":"spot index","tradeable":false},'
        b'{"symbol":"PF_SHIBUSD","type":"flexible_futures","base":"SHIB","quote":"USD","tickSize":1e-09,'
        b'"contractSize":1,"contractValueTradePrecision":-3,"tradeable":true,"postOnly":true},'
        b'{"symbol":"PF_XBTUSD","type":"flexible_futures","base":"BTC","quote":"USD","tickSize":1,"contractSize":1,'
        b'"contractValueTradePrecision":4,"tradeable":true,"postOnly":false},{"symbol":"FF_XDGUSD_261225",'
        b'"type":"flexible_futures","base":"XDG","quote":"USD","tickSize":0.00001,"contractSize":1,'
        b'"contractValueTradePrecision":0,"tradeable":true,"lastTradingTime":"2026-12-25T08:00:00.000Z"}]}')
    assert found == [
        Instrument("PI_XBTUSD", "0.5", "1", kind="perpetual", base="BTC", quote="USD", settle="BTC", min_qty="1",
                   contract_size="1", contract_unit="USD"),
        Instrument("PF_SHIBUSD", "0.000000001", "1000", kind="perpetual", base="SHIB", quote="USD", settle="USD",
                   min_qty="1000", contract_size="1", contract_unit="SHIB", status="halted"),
        Instrument("PF_XBTUSD", "1", "0.0001", kind="perpetual", base="BTC", quote="USD", settle="USD",
                   min_qty="0.0001", contract_size="1", contract_unit="BTC"),
        Instrument("FF_XDGUSD_261225", "0.00001", "1", kind="future", base="DOGE", quote="USD", settle="USD",
                   min_qty="1", contract_size="1", contract_unit="DOGE", expiry_ns=1798185600 * 10**9)]
    assert [one.name for one in found] == ["BTC-USD-PERP", "SHIB-USD-PERP", "BTC-USD-PERP", "DOGE-25DEC26"]
    with pytest.raises(ValueError, match="a list of instruments"):
        SPEC.read_instruments(b'{"result":"error"}')
    assert [SPEC.read_address(address) for address in SPEC.instruments_addresses[""]] == [Answer("instruments")]


def test_the_recorded_list_is_read(data_dir):
    line, = read_capture(data_dir / "kraken_futures/instruments.ws.gz")
    url, _, body = line.payload.partition(b" ")
    assert SPEC.read_address(url.decode()) == Answer("instruments")
    found = {entry.symbol: entry for entry in SPEC.read_instruments(body)}
    assert len(found) == 17                       # ten indices besides
    assert found["PI_XBTUSD"] == Instrument(
        "PI_XBTUSD", "0.5", "1", kind="perpetual", base="BTC", quote="USD", settle="BTC", min_qty="1",
        contract_size="1", contract_unit="USD")
    assert found["FI_ETHUSD_211231"] == Instrument(
        "FI_ETHUSD_211231", "0.05", "1", kind="future", base="ETH", quote="USD", settle="ETH", min_qty="1",
        contract_size="1", contract_unit="USD", expiry_ns=1640966400 * 10**9)
    assert found["FI_XRPUSD_210730"].tick_size == "0.0001"
    assert (found["FI_XBTUSD_210924"].name, found["PI_BCHUSD"].name) == ("BTC-24SEP21", "BCH-USD-PERP")
    assert all(entry.inverse for entry in found.values())


# ---- the simulated venue

def test_every_product_has_an_answer_of_its_own():
    wire = Wire("kraken_futures", 1)
    ask, = wire.speech.read('{"event":"subscribe","feed":"book","product_ids":["pi_xbtusd","PF_XBTUSD"]}', wire.line)
    assert ask.names == ("book:PI_XBTUSD", "book:PF_XBTUSD")
    assert wire.speech.answer(ask, ask.names, ["book:PI_NOPE"], wire.line) == [
        '{"event":"subscribed","feed":"book","product_ids":["PI_XBTUSD"]}',
        '{"event":"subscribed","feed":"book","product_ids":["PF_XBTUSD"]}',
        '{"event":"error","message":"Invalid product id"}']


def test_the_heartbeat_feed():
    wire = Wire("kraken_futures", 1)
    assert wire.speech.beat(wire.line, 10**9) == []
    ask, = wire.speech.read(SPEC.greeting[0], wire.line)
    assert ask.frames == ('{"event":"subscribed","feed":"heartbeat"}',)
    assert wire.speech.beat(wire.line, 10**9) == ['{"feed":"heartbeat","time":1000}']


def test_a_level_is_a_message_with_the_next_number():
    wire = Wire("kraken_futures", 1)
    wire.subscribe(SPEC.streams(["PI_XBTUSD"], ["book"]))
    before = wire.pipeline.counters["depth"]
    event = Event("delta", "PI_XBTUSD", {"number": 1, "last_seq": 5, "time": 10**9}, [
        Level(1, "1.0", "7"), Level(-1, "99.50", "0", True)])
    frames = wire.speech.encode(SPEC.streams(["PI_XBTUSD"], ["book"])[0], [event], wire.line)
    assert [(one["side"], one["price"], one["qty"]) for one in map(json.loads, frames)] == [
        ("sell", 99.5, 0), ("buy", 1, 7)]
    assert json.loads(frames[1])["seq"] == json.loads(frames[0])["seq"] + 1
    wire.feed(frames)
    assert wire.pipeline.counters["depth"] == before + 2
    assert wire.pipeline.counters["gaps"] == 0


def test_some_trades_of_the_simulated_market_are_liquidations():
    wire = Wire("kraken_futures", 1)
    wire.subscribe(SPEC.streams(["PI_XBTUSD"], ["liquidations"]))
    while not wire.others:
        wire.step()
    forced = wire.others[0]
    trade = next(trade for trade in wire.trades if trade.trade_id % 25 == 0)
    assert (forced.price, forced.qty) == (trade.price, trade.qty)
