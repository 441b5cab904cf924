"""Kraken spot: what its sheet tells beyond the list that every venue meets."""

from __future__ import annotations

import json
from functools import partial

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.venue import Answer, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests import kept
from tests.model import read_capture
from tests.venues.kraken import Market, checksum, printed

SPEC = load("kraken")
events = partial(kept.events, "kraken")

# The guide of docs.kraken.com on the checksum of v2, recomputed: 3310070434.
ASKS = """45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911 45290.2/0.15890660
45291.8/1.54553491 45294.7/0.04454749 45296.1/0.35380000 45297.5/0.09945542 45299.5/0.18772827"""
BIDS = """45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000 45280.3/1.54592586
45279.0/0.07990000 45277.6/0.03310103 45277.5/0.30000000 45277.3/1.54602737 45276.6/0.15445238"""
WORKED = 3310070434


def pairs(text):
    return [tuple(level.split("/")) for level in text.split()]


def objects(levels):
    return "[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in levels) + "]"


def frame(kind, bids, asks, crc, symbol="BTC/USD"):
    return (f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":{objects(bids)},'
            f'"asks":{objects(asks)},"checksum":{crc},"timestamp":"2023-10-06T17:35:55.440295Z"}}]}}').encode()


def fed(*frames, **options):
    pipeline = Pipeline("kraken", **options)
    for one in frames:
        pipeline.feed(one)
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    return pipeline


def acknowledged(depth, symbol="BTC/USD"):
    return (f'{{"method":"subscribe","result":{{"channel":"book","depth":{depth},"snapshot":true,'
            f'"symbol":"{symbol}"}},"success":true,"req_id":1}}').encode()


# ---- checksum

def test_the_worked_example():
    assert checksum(dict(pairs(BIDS)), dict(pairs(ASKS))) == WORKED
    pipeline = fed(frame("snapshot", pairs(BIDS), pairs(ASKS), WORKED))
    assert pipeline.book("BTC/USD").status is BookState.LIVE
    stats = pipeline.symbol_stats("BTC/USD")
    assert (stats["crc_ok"], stats["crc_bad"]) == (1, 0)


def test_a_wrong_checksum_is_a_gap_of_that_symbol_alone():
    pipeline = fed(frame("snapshot", pairs(BIDS), pairs(ASKS), WORKED),
                   frame("snapshot", pairs(BIDS), pairs(ASKS), WORKED, "ETH/USD"),
                   frame("update", [("45283.5", "0.20000000")], [], 12345))
    assert pipeline.book("BTC/USD").status is BookState.STALE
    assert pipeline.book("ETH/USD").status is BookState.LIVE
    assert [(want.symbol, want.kind) for want in pipeline.wanted()] == [("BTC/USD", "resubscribe")]
    pipeline.feed(frame("update", [("45283.4", "0.20000000")], [], 12345))      # until the next snapshot all is dropped
    assert pipeline.book("BTC/USD").status is BookState.STALE
    pipeline.feed(frame("snapshot", pairs(BIDS), pairs(ASKS), WORKED))
    assert pipeline.book("BTC/USD").status is BookState.LIVE
    assert pipeline.wanted() == []


def test_a_lost_update_shows_at_the_next_one():
    market = Market("BTC/USD")
    steps = [step[1] for step in market.snapshot(0, [("100", "1")], [("101", "3")])]
    _, lost = market.frame("update", [("99", "1")], [])
    _, seen = market.frame("update", [], [("102", "1")])
    assert fed(*steps, lost, seen).book("BTC/USD").status is BookState.LIVE
    assert fed(*steps, seen).book("BTC/USD").status is BookState.STALE


def test_trailing_zeros_are_kept_and_leading_ones_are_not():
    market = Market("SHIB/USD")
    steps = [step[1] for step in market.snapshot(0, [("0.00001000", "100")], [("0.00001100", "0.5")])]
    pipeline = fed(*steps, market.frame("update", [("0.00001050", "7")], [])[1])
    assert pipeline.symbol_stats("SHIB/USD")["crc_ok"] == 2
    assert printed("0.00001") == "0.00001000"


def test_a_book_frame_without_checksum_is_refused():
    pipeline = Pipeline("kraken")
    pipeline.feed(b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[],"asks":[]}]}')
    assert pipeline.counters["errors"] == 1


# ---- depth

def ladder(first, step, n):
    return [(f"{first + step * i}.0", "1.0") for i in range(n)]


@pytest.mark.parametrize("depth", [10, 25])
def test_a_side_is_cut_to_the_subscribed_depth_after_an_update(depth):
    bids, asks = ladder(1000, -1, depth), ladder(1001, 1, depth)
    better = ("1000.5", "2.0")
    new = checksum(dict([better, *bids]), dict(asks))
    pipeline = fed(acknowledged(depth), frame("snapshot", bids, asks, checksum(dict(bids), dict(asks))),
                   frame("update", [better], [], new))
    book = pipeline.book("BTC/USD")
    assert book.status is BookState.LIVE
    assert len(book.raw.bids()) == len(book.raw.asks()) == depth
    assert book.best_bid[0] == 1000.5


def test_each_symbol_has_its_own_depth():
    frames = []
    for symbol, depth in (("BTC/USD", 10), ("ETH/USD", 25), ("SOL/USD", 100)):
        bids, asks = ladder(1000, -1, depth), ladder(1001, 1, depth)
        frames += [acknowledged(depth, symbol), frame("snapshot", bids, asks, checksum(dict(bids), dict(asks)), symbol)]
    pipeline = fed(*frames)
    for price in ("1000.5", "1000.6", "1000.7", "1000.8"):
        for symbol, depth in (("BTC/USD", 10), ("ETH/USD", 25), ("SOL/USD", 100)):
            bids = [(f"1000.{i}", "2.0") for i in range(int(price[-1]), 4, -1)] + ladder(1000, -1, depth)
            pipeline.feed(frame("update", [(price, "2.0")], [], checksum(dict(bids), dict(ladder(1001, 1, depth))),
                                symbol))
            assert len(pipeline.book(symbol).raw.bids()) == depth
    assert pipeline.counters["errors"] == 0
    assert all(pipeline.symbol_stats(symbol)["crc_bad"] == 0 for symbol in pipeline.symbols())


def test_another_depth_after_a_new_subscription():
    bids, asks = ladder(1000, -1, 25), ladder(1001, 1, 25)
    crc = checksum(dict(bids), dict(asks))
    pipeline = fed(acknowledged(10), frame("snapshot", bids[:10], asks[:10], crc), frame("update", [], [], crc))
    assert len(pipeline.book("BTC/USD").raw.bids()) == 10
    pipeline = fed(acknowledged(10), frame("snapshot", bids[:10], asks[:10], crc), frame("update", [], [], crc),
                   acknowledged(25), frame("snapshot", bids, asks, crc), frame("update", [], [], crc))
    assert len(pipeline.book("BTC/USD").raw.bids()) == 25


def test_many_symbols_are_remembered():
    frames = [acknowledged(25 + i, f"A{i}/USD") for i in range(40)]
    bids, asks = ladder(1000, -1, 64), ladder(1001, 1, 64)
    crc = checksum(dict(bids), dict(asks))
    for i in range(40):
        frames += [frame("snapshot", bids, asks, crc, f"A{i}/USD"), frame("update", [], [], crc, f"A{i}/USD")]
    pipeline = fed(*frames)
    assert [len(pipeline.book(f"A{i}/USD").raw.bids()) for i in range(40)] == [25 + i for i in range(40)]


# ---- other messages of v2

def test_several_trades_in_one_frame():
    got = events('{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":105944.20,'
                 '"qty":0.00027625,"ord_type":"limit","trade_id":10218208,"timestamp":"2023-10-06T17:35:55.440295Z"},'
                 '{"symbol":"BTC/USD","side":"sell","price":105944.10,"qty":1e-8,"ord_type":"market",'
                 '"trade_id":10218209,"timestamp":"2023-10-06T17:35:55.440296Z"}]}')
    assert [(trade.price, trade.qty, trade.aggressor, trade.trade_id, trade.exchange_ns) for trade in got] == [
        (105944.2, 0.00027625, "buy", 10218208, 1696613755440295000),
        (105944.1, 1e-8, "sell", 10218209, 1696613755440296000)]


def test_the_trades_before_a_subscription_are_not_told():
    assert events('{"channel":"trade","type":"snapshot","data":[{"symbol":"BTC/USD","side":"buy","price":105944.20,'
                  '"qty":0.00027625,"ord_type":"limit","trade_id":10218208,'
                  '"timestamp":"2023-10-06T17:35:55.440295Z"}]}') == []


def test_a_ticker_is_the_quote_too():
    ticker, quote = sorted(
        events('{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":105944.20,"bid_qty":2.5,'
               '"ask":105944.30,"ask_qty":3.2,"last":105899.40,"volume":163.28908096,"vwap":105904.39279,'
               '"low":104711.00,"high":106613.10,"change":-250.00,"change_pct":-0.24}]}'),
        key=lambda event: type(event).__name__, reverse=True)
    assert (ticker.last_price, ticker.volume, ticker.vwap, ticker.low, ticker.high) == (
        105899.4, 163.28908096, 105904.39279, 104711, 106613.1)
    assert (ticker.change, ticker.change_pct) == (-250, -0.24)
    assert (quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) == (105944.2, 2.5, 105944.3, 3.2)


@pytest.mark.parametrize("text", ['{"channel":"heartbeat"}', '{"channel":"instrument","type":"snapshot","data":{}}',
                                  '{"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USD"}]}',
                                  '{"channel":"book","type":"update","data":[]}'])
def test_frames_of_no_use(text):
    pipeline = fed(text.encode())
    assert pipeline.counters["ignored"] == 1
    assert pipeline.control() == []


@pytest.mark.parametrize("text", ['{"channel":"book","type":"later","data":[]}', '{"channel":"book","type":"update"}',
                                  '{"channel":"trade","type":"update","data":{}}', "[1]", "[]", '[1,{},"book-10"]',
                                  '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"long",'
                                  '"price":1,"qty":1}]}'])
def test_wrong_frames(text):
    pipeline = Pipeline("kraken")
    pipeline.feed(text.encode())
    assert pipeline.counters["errors"] == 1


# ---- version 1

def test_v1_both_sides_in_two_objects_and_a_cut_by_the_channels_name():
    levels = [[f"{100 - i}.0", "1.00000000", "1622766170.577187"] for i in range(10)]
    asks = [[f"{101 + i}.0", "1.00000000", "1622766170.577187"] for i in range(10)]
    crc = checksum({**{level[0]: level[1] for level in levels}, "100.5": "2.00000000"},
                   {**{level[0]: level[1] for level in asks[1:]}})
    pipeline = fed(json.dumps([320, {"as": asks, "bs": levels}, "book-10", "XBT/USD"]).encode(),
                   json.dumps([320, {"a": [["101.0", "0.00000000", "1622766170.577187"],
                                           ["110.0", "1.00000000", "1622766170.577187", "r"]]},
                               {"b": [["100.5", "2.00000000", "1622766170.577304"]], "c": str(crc)}, "book-10",
                               "XBT/USD"]).encode())
    book, stats = pipeline.book("XBT/USD"), pipeline.symbol_stats("XBT/USD")
    assert book.status is BookState.LIVE
    assert (stats["updates"], stats["changes"], stats["crc_ok"]) == (1, 3, 1)
    assert (len(book.raw.bids()), len(book.raw.asks())) == (10, 9)
    assert (book.best_bid[0], book.best_ask[0]) == (100.5, 102.0)


def test_v1_trades_of_one_frame():
    got = events('[0,[["5541.20000","0.15850568","1534614057.321597","s","l",""],'
                 '["6060.00000","0.02455000","1534614057.324998","b","l",""]],"trade","XBT/USD"]')
    assert [(trade.symbol, trade.price, trade.qty, trade.aggressor, trade.exchange_ns) for trade in got] == [
        ("XBT/USD", 5541.2, 0.15850568, "sell", 1534614057321597000),
        ("XBT/USD", 6060.0, 0.02455, "buy", 1534614057324998000)]


def test_v1_ticker_takes_the_last_24_hours():
    ticker, = events('[340,{"a":["29938.60000",12,"12.41074632"],"b":["29938.50000",0,"0.08410000"],'
                     '"c":["29938.60000","0.10146338"],"v":["735.06931643","5243.60824494"],'
                     '"p":["29812.62518","30272.79057"],"t":[6120,30832],"l":["29581.10000","29328.60000"],'
                     '"h":["30085.80000","31869.30000"],"o":["29790.00000","31614.50000"]},"ticker","XBT/USD"]')
    assert (ticker.last_price, ticker.last_qty, ticker.volume, ticker.vwap, ticker.trades, ticker.low, ticker.high,
            ticker.open) == (29938.6, 0.10146338, 5243.60824494, 30272.79057, 30832, 29328.6, 31869.3, 31614.5)


# ---- requests and answers

def test_quotes_and_ticker_share_one_stream():
    names = [stream.name for stream in SPEC.streams(["BTC/USD"], ["book", "quotes", "ticker", "trades"])]
    assert names == ["book-1000:BTC/USD", "ticker-bbo:BTC/USD", "ticker-bbo:BTC/USD", "trade:BTC/USD"]
    assert [stream.name for stream in SPEC.streams(["BTC/USD"], ["ticker"])] == ["ticker:BTC/USD"]


def test_unsubscribe():
    assert SPEC.unsubscribe(["book-10:BTC/USD"], 2) == [
        '{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":2}']


def test_an_answer_names_its_stream():
    control = SPEC.read_control(acknowledged(10))
    assert (control.kind, control.request_id, control.streams) == ("ack", 1, ("book-10:BTC/USD",))
    control = SPEC.read_control(b'{"method":"subscribe","result":{"channel":"ticker","event_trigger":"bbo",'
                                b'"snapshot":true,"symbol":"BTC/USD"},"success":true,"req_id":4}')
    assert control.streams == ("ticker-bbo:BTC/USD",)
    control = SPEC.read_control(b'{"error":"Currency pair not supported BTC/FOO","method":"subscribe","req_id":1,'
                                b'"success":false,"symbol":"BTC/FOO"}')
    assert (control.request_id, control.streams, control.text) == (
        1, ("BTC/FOO",), "Currency pair not supported BTC/FOO")


@pytest.mark.parametrize("options", [{"depth": 20}, {"speed": "100ms"}, {"market": "spot"}])
def test_what_there_is_not(options):
    with pytest.raises(UnsupportedChannel):
        SPEC.streams(["BTC/USD"], ["book"], **options)


def test_what_there_is_not_says_what_there_is():
    with pytest.raises(UnsupportedChannel, match="10, 25, 100, 500, 1000"):
        SPEC.streams(["BTC/USD"], ["book"], depth=20)
    with pytest.raises(UnsupportedChannel, match="book, quotes, trades, ticker"):
        SPEC.streams(["BTC/USD"], ["mark"])


def test_instruments_of_a_recorded_day(data_dir):
    line, = read_capture(data_dir / "kraken/instruments.ws.gz")
    url, _, body = line.payload.partition(b" ")
    assert SPEC.read_address(url.decode()) == Answer("instruments")
    found = {entry.symbol: entry for entry in SPEC.read_instruments(body)}
    for name, listed in {
        "AAVE-AUD": Instrument("AAVE/AUD", "0.01", "0.00000001", base="AAVE", quote="AUD", min_qty="0.1"),
        "BTC-USD": Instrument("BTC/USD", "0.1", "0.00000001", base="BTC", quote="USD", min_qty="0.0002"),
        "XBT-USD": Instrument("XBT/USD", "0.1", "0.00000001", base="XBT", quote="USD", min_qty="0.0002",
                              status="closed"),
        "DOGE-BTC": Instrument("DOGE/BTC", "0.00000001", "0.00000001", base="DOGE", quote="BTC", min_qty="50"),
    }.items():
        assert found[listed.symbol] == listed
        assert listed.name == name
    assert len({entry.name for entry in found.values()}) == len(found)


def test_instruments_in_both_spellings():
    body = (b'{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT\\/USD","aclass_base":"currency",'
            b'"base":"XXBT","aclass_quote":"currency","quote":"ZUSD","lot":"unit","cost_decimals":5,"pair_decimals":1,'
            b'"lot_decimals":8,"lot_multiplier":1,"ordermin":"0.0001","costmin":"0.5","tick_size":"0.1",'
            b'"status":"online"},"SOLUSD":{"wsname":"SOL\\/USD","pair_decimals":2,"lot_decimals":8,"tick_size":"0.05",'
            b'"status":"maintenance"},"XXBTZUSD.d":{"pair_decimals":1}}}')
    today = {"min_qty": "0.0001", "min_value": "0.5"}
    assert SPEC.read_instruments(body) == [
        Instrument("BTC/USD", "0.1", "0.00000001", base="BTC", quote="USD", **today),
        Instrument("XBT/USD", "0.1", "0.00000001", base="XBT", quote="USD", status="closed", **today),
        Instrument("SOL/USD", "0.05", "0.00000001", base="SOL", quote="USD", status="halted")]
    for wrong in (b"[]", b'{"error":["EGeneral:Internal error"]}', b'{"result":{"A":{"wsname":"AB"}}}'):
        with pytest.raises(ValueError, match="a list of pairs with wsname"):
            SPEC.read_instruments(wrong)
    address, = SPEC.instruments_addresses[""]
    assert SPEC.read_address(address) == Answer("instruments")
    assert SPEC.read_address("https://api.kraken.com/0/public/Depth?pair=XBTUSD") is None


@pytest.mark.parametrize(("typed", "written"), [
    ("btc/usd", "BTC/USD"), ("AAPLx/USD", "AAPLx/USD"), ("XBT/USD", "BTC/USD"), ("xdg/xbt", "DOGE/BTC")])
def test_spelling(typed, written):
    assert SPEC.symbol(typed) == written
