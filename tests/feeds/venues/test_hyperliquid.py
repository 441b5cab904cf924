"""Hyperliquid: what its sheet tells beyond the list that every venue meets."""

from __future__ import annotations

import json
from functools import partial
from math import isnan

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.simulator.dialect import Line
from feeds.venue import Answer, UnsupportedChannel
from feeds.venues import load
from feeds.venues.dialects import speech
from orderbook import BookState
from tests import kept
from tests.dialects import Again
from tests.kept import named
from tests.venues.hyperliquid import ROW, book

SPEC = load("hyperliquid")
events = partial(kept.events, "hyperliquid")
BIDS, ASKS = [("100", "1"), ("99.5", "2")], [("101", "3")]


# ---- the book

def test_every_frame_is_the_whole_book():
    pipeline = Pipeline("hyperliquid")
    pipeline.feed(book("BTC", 1790232236546, BIDS, ASKS))
    pipeline.feed(book("BTC", 1790232237000, [("98", "1")], []))
    assert pipeline.book("BTC").status is BookState.LIVE
    assert pipeline.book("BTC").bids(5).tolist() == [[98.0, 1.0]]
    assert pipeline.book("BTC").ask_levels == 0
    assert pipeline.book("BTC").sequence == 1790232237000
    assert pipeline.book("BTC").exchange_ns == 1790232237000 * 10**6


def test_a_frame_of_an_earlier_time_is_not_taken():
    pipeline = Pipeline("hyperliquid")
    pipeline.feed(book("BTC", 1790232237000, BIDS, ASKS))
    pipeline.feed(book("BTC", 1790232236546, [("98", "1")], []))
    assert pipeline.book("BTC").status is BookState.LIVE
    assert pipeline.book("BTC").best_bid == (100.0, 1.0)
    pipeline.feed(book("BTC", 1790232237000, [("98", "1")], []))        # all coins of one push share one time
    assert pipeline.book("BTC").best_bid == (98.0, 1.0)


def test_the_mark_of_a_fast_frame_changes_nothing():
    pipeline = Pipeline("hyperliquid")
    for time in (1, 2, 3):
        pipeline.feed(book("BTC", time, BIDS, ASKS, fast=True))
    assert pipeline.counters["errors"] == 0
    assert pipeline.book("BTC").sequence == 3


def test_a_coin_that_is_not_traded_any_more_has_an_empty_book():
    pipeline = Pipeline("hyperliquid")
    pipeline.feed(b'{"channel":"l2Book","data":{"coin":"SHIA","time":1730160007687,"levels":[[],[]]}}')
    assert pipeline.book("SHIA").status is BookState.LIVE
    assert (pipeline.book("SHIA").bid_levels, pipeline.book("SHIA").ask_levels) == (0, 0)


def test_the_keys_of_2025_stand_in_another_order():
    pipeline = Pipeline("hyperliquid")
    for time in (1737918843542, 1737918844104):
        pipeline.feed(b'{"channel":"l2Book","data":{"coin":"BTC","levels":[[{"n":5,"px":"105055.0","sz":"3.03623"}],'
                      b'[{"n":13,"px":"105056.0","sz":"6.34472"}]],"time":%d}}' % time)
    assert pipeline.counters["errors"] == 0
    assert pipeline.counters["fast"] == 1
    assert pipeline.book("BTC").best_ask == (105056.0, 6.34472)
    assert pipeline.book("BTC").exchange_ns == 1737918844104 * 10**6


@pytest.mark.parametrize("levels", ["[]", "[[]]", "{}", '[[{"px":"1"}],[]]', "null"])
def test_a_book_has_two_lists_of_levels(levels):
    pipeline = Pipeline("hyperliquid")
    pipeline.feed(f'{{"channel":"l2Book","data":{{"coin":"BTC","time":1,"levels":{levels}}}}}'.encode())
    assert pipeline.counters["errors"] == 1


# ---- the other channels

def test_a_quote_of_two_sides_that_are_empty():
    quote, = events('{"channel":"bbo","data":{"coin":"BTC","time":1790232237145,"bbo":[null,null]}}')
    assert (quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) == (0.0, 0.0, 0.0, 0.0)
    assert quote.exchange_ns == 1790232237145 * 10**6


def test_several_trades_of_a_frame():
    trades = events('{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"1.0","sz":"2.0","time":1790232216193,'
                    '"hash":"0x","tid":1045359869404765,"users":["0x1","0x2"]},{"coin":"BTC","side":"A","px":"0.5",'
                    '"sz":"3.0","time":1790232216194,"hash":"0x","tid":7,"users":["0x1","0x2"]}]}')
    assert [(trade.price, trade.qty, trade.aggressor, trade.trade_id) for trade in trades] == [
        (1.0, 2.0, "buy", 1045359869404765), (0.5, 3.0, "sell", 7)]
    assert events('{"channel":"trades","data":[]}') == []


def test_single_trades_are_learned_though_their_users_differ():
    pipeline = Pipeline("hyperliquid")
    for number in range(4):
        pipeline.feed(b'{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"105056.0","sz":"0.02222",'
                      b'"time":173791884700%d,"hash":"0x%d","tid":%d,"users":["0x%d","0x68"]}]}'
                      % (number, number, 10 + number, 100 * number))
    assert pipeline.counters["fast"] == 3
    assert pipeline.last_trade("BTC").trade_id == 13


CONTEXT = ('{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"0.0000018952","openInterest":'
           '"36585.31848","prevDayPx":"86627.0","dayNtlVlm":"4161029539.6949653625","premium":"-0.0006413454","oraclePx":"84198.0",'
           '"markPx":"84148.0","midPx":"84143.5","impactPxs":["84143.0","84144.0"],"dayBaseVlm":"49116.08533"}}}')


def test_the_context_gives_ticker_mark_and_open_interest():
    kept = events(CONTEXT)
    ticker, = named(kept, "Ticker")
    assert (ticker.open, ticker.volume, ticker.quote_volume) == (86627.0, 49116.08533, 4161029539.6949653625)
    assert isnan(ticker.last_price)
    mark, = named(kept, "Mark")
    assert (mark.mark_price, mark.index_price, mark.funding_rate) == (84148.0, 84198.0, 0.0000018952)
    assert named(kept, "OpenInterest")[0].qty == 36585.31848


def test_parts_of_the_context_may_be_null():
    bare = CONTEXT.replace('"-0.0006413454"', "null").replace('"84143.5"', "null")
    bare = bare.replace('["84143.0","84144.0"]', "null")
    assert named(events(bare), "Mark")[0].mark_price == 84148.0


def test_the_context_of_spot_has_another_name_and_no_funding():
    kept = events('{"channel":"activeSpotAssetCtx","data":{"coin":"@2","ctx":{"prevDayPx":"0.000031","dayNtlVlm":'
                  '"24629.86429498","markPx":"0.00005299","midPx":"0.00005307","circulatingSupply":"6879553815.3455801",'
                  '"coin":"@2"}}}')
    assert named(kept, "Mark")[0].mark_price == 0.00005299
    assert isnan(named(kept, "Mark")[0].funding_rate)
    assert named(kept, "OpenInterest") == []


@pytest.mark.parametrize("frame", [
    '{"channel":"allMids","data":{"mids":{"BTC":"84143.5"}}}',
    '{"channel":"allDexsAssetCtxs","data":{"ctxs":[["",[{"funding":"0.1"}]]]}}',
    '{"channel":"candle","data":{"t":1,"s":"BTC"}}',
])
def test_what_is_of_no_use_is_known(frame):
    pipeline = Pipeline("hyperliquid")
    pipeline.feed(frame.encode())
    assert (pipeline.counters["ignored"], pipeline.counters["errors"]) == (1, 0)


def test_data_may_stand_before_its_channel():
    message = json.loads(book("BTC", 5, BIDS, ASKS))
    pipeline = Pipeline("hyperliquid")
    pipeline.feed(json.dumps({"data": message["data"], "channel": "l2Book"}).encode())
    assert pipeline.book("BTC").best_bid == (100.0, 1.0)


# ---- the connection

@pytest.mark.parametrize("frame", [
    b"Websocket connection established.", b'{"channel":"pong"}', b'{"channel":"error","data":"Already subscribed: {}"}',
    b'{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}}',
])
def test_what_is_about_the_connection(frame):
    pipeline = Pipeline("hyperliquid")
    pipeline.feed(frame)
    assert pipeline.control() == [(0, frame)]


@pytest.mark.parametrize(("told", "name"), [
    ({"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": True}, "l2Book.fast:BTC"),
    ({"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": False}, "l2Book:BTC"),
    ({"type": "trades", "coin": "xyz:SP500"}, "trades:xyz:SP500"),
    ({"type": "activeAssetCtx", "coin": "PURR/USDC"}, "activeAssetCtx:PURR/USDC"),
])
def test_answers_name_the_streams_that_were_asked_for(told, name):
    answer = {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": told}}
    assert SPEC.read_control(json.dumps(answer).encode()).streams == (name,)
    again = {"channel": "error", "data": "Already subscribed: " + json.dumps(told)}
    control = SPEC.read_control(json.dumps(again).encode())
    assert (control.kind, control.streams) == ("ack", (name,))
    asked = json.loads(SPEC.subscribe([name], 1)[0])
    assert (asked["method"], asked["subscription"]["coin"]) == ("subscribe", told["coin"])


def test_unsubscribing_repeats_the_object():
    assert SPEC.unsubscribe(["l2Book:BTC", "l2Book.fast:ETH"], 2) == [
        '{"method":"unsubscribe","subscription":{"type":"l2Book","coin":"BTC"}}',
        '{"method":"unsubscribe","subscription":{"type":"l2Book","coin":"ETH","fast":true}}']


def test_the_ping():
    assert SPEC.ping == '{"method":"ping"}'
    assert SPEC.ping_interval_s < 60


@pytest.mark.parametrize(("typed", "symbol"), [
    ("btc", "BTC"), ("kPEPE", "kPEPE"), ("xyz:SP500", "xyz:SP500"), ("xyz:sp500", "xyz:SP500"),
    ("purr/usdc", "PURR/USDC"), ("@107", "@107"),
])
def test_the_spelling_of_symbols(typed, symbol):
    assert SPEC.symbol(typed) == symbol


def test_what_there_is_not_is_listed():
    with pytest.raises(UnsupportedChannel, match="it has: 5"):
        SPEC.streams(["BTC"], ["book"], depth=10)
    with pytest.raises(UnsupportedChannel, match="no speed"):
        SPEC.streams(["BTC"], ["book"], speed="fast")
    with pytest.raises(UnsupportedChannel, match="book, quotes, trades"):
        SPEC.streams(["BTC"], ["liquidations"])


# ---- instruments

def test_instruments():
    metas = [{"universe": [{"szDecimals": 5, "name": "BTC", "maxLeverage": 40, "marginTableId": 56},
                           {"szDecimals": 1, "name": "MATIC", "maxLeverage": 20, "isDelisted": True},
                           {"szDecimals": 0, "name": "kPEPE", "maxLeverage": 10, "isDelisted": None}],
              "marginTables": [], "collateralToken": 0}, None,
             {"universe": [{"szDecimals": 3, "name": "km:US500"}], "marginTables": [], "collateralToken": 360},
             {"universe": [{"szDecimals": 2, "name": "new:X"}], "marginTables": [], "collateralToken": 9999}]
    listed = SPEC.read_instruments(json.dumps(metas).encode())
    assert listed == [
        Instrument("BTC", "0.1", "0.00001", "", "perpetual", "BTC", "USDC", "USDC"),
        Instrument("MATIC", "0.00001", "0.1", "", "perpetual", "MATIC", "USDC", "USDC", status="closed"),
        Instrument("kPEPE", "0.000001", "1", "", "perpetual", "kPEPE", "USDC", "USDC"),
        Instrument("km:US500", "0.001", "0.001", "", "perpetual", "km:US500", "USDH", "USDH"),
        Instrument("new:X", "0.0001", "0.01", "", "perpetual", "new:X")]
    assert [item.name for item in listed] == ["BTC-USDC-PERP", "MATIC-USDC-PERP", "kPEPE-USDC-PERP",
                                              "km:US500-USDH-PERP", "new:X"]
    assert SPEC.read_instruments(json.dumps([metas[0], [{"markPx": "1"}]]).encode()) == listed[:3]     # with contexts
    assert SPEC.read_instruments(json.dumps(metas[0]).encode()) == listed[:3]


def test_instruments_of_spot():
    tokens = [{"name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0},
              {"name": "PURR", "szDecimals": 0, "weiDecimals": 5, "index": 1},
              {"name": "HYPE", "szDecimals": 2, "weiDecimals": 8, "index": 150},
              {"name": "USDT0", "szDecimals": 2, "weiDecimals": 8, "index": 268}]
    pairs = [{"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True},
             {"tokens": [150, 268], "name": "@207", "index": 207, "isCanonical": False}]
    listed = SPEC.read_instruments(json.dumps({"universe": pairs, "tokens": tokens}).encode())
    assert listed == [Instrument("PURR/USDC", "0.00000001", "1", "", "spot", "PURR", "USDC"),
                      Instrument("@207", "0.000001", "0.01", "", "spot", "HYPE", "USDT")]
    assert [item.name for item in listed] == ["PURR-USDC", "HYPE-USDT"]


def test_the_addresses_of_lists_say_what_is_posted():
    assert [json.loads(address.partition("#")[2]) for address in SPEC.instruments_addresses[""]] == [
        {"type": "allPerpMetas"}, {"type": "spotMeta"}]
    assert all(SPEC.read_address(address) == Answer("instruments") for address in SPEC.instruments_addresses[""])
    assert SPEC.read_address("https://api.hyperliquid.xyz/info") is None
    assert SPEC.read_address('https://api.hyperliquid.xyz/info#{"type":"l2Book","coin":"BTC"}') is None


@pytest.mark.parametrize("body", [b"", b"x", b"{}", b"[]", b"[null]", b'{"universe":[{}]}',
                                  b'{"universe":1,"tokens":1}',
                                  b'{"universe":[{"tokens":[1,0],"name":"X"}],"tokens":[]}'])
def test_another_answer_is_no_list(body):
    with pytest.raises(ValueError, match="a universe of coins"):
        SPEC.read_instruments(body)


# ---- how it is written

def test_the_samples_of_the_sheet_are_written_again():
    samples = [sample for sample in (*ROW.trades, *ROW.quotes) if "107575.0" not in sample]     # of one side only
    samples += [
        '{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"0.0000018952","openInterest":"36585.31848",'
        '"prevDayPx":"86627.0","dayNtlVlm":"4161029539.6949653625","premium":"-0.0006413454","oraclePx":"84198.0",'
        '"markPx":"84148.0","midPx":"84143.5","impactPxs":["84143.0","84144.0"],"dayBaseVlm":"49116.08533"}}}']
    again = Again("hyperliquid")
    for sample in samples:
        again.check(sample.encode())
    assert again.written == len(samples)


def test_who_asks_twice_is_told_so_in_the_venues_words():
    spoken, line = speech("hyperliquid"), Line()
    (ask,), name = spoken.read(SPEC.subscribe(["l2Book.fast:BTC"], 1)[0], line), "l2Book.fast:BTC"
    first, second = (spoken.answer(ask, [name], [], line)[0] for _ in range(2))
    assert first == ('{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"l2Book",'
                     '"coin":"BTC","nSigFigs":null,"mantissa":null,"fast":true}}}')
    assert "Already subscribed" in second
    assert [SPEC.read_control(told.encode()).streams for told in (first, second)] == [(name,), (name,)]
