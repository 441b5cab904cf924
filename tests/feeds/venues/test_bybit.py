"""Bybit: what its sheet tells beyond the list that every venue meets."""

from __future__ import annotations

import json
from math import isnan

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.venue import Answer, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests.model import read_capture
from tests.venues.bybit import book

SPEC = load("bybit")
BIDS, ASKS = [("100", "1"), ("99.5", "2")], [("101", "3")]


class Events:
    """A handler that keeps a copy of every event but books."""

    def __init__(self):
        self.kept = []

    def keep(self, event):
        self.kept.append(event.copy())

    on_trade = on_quote = on_ticker = on_mark = on_open_interest = on_liquidation = keep

    def take(self, kind):
        kept, self.kept = self.kept, []
        return [event for event in kept if type(event).__name__ == kind]


def fed(*frames, market="linear"):
    """(pipeline, its events) after these frames, which have no errors."""
    handler = Events()
    pipeline = Pipeline("bybit", handler, market=market)
    for frame in frames:
        pipeline.feed(frame if isinstance(frame, bytes) else json.dumps(frame, separators=(",", ":")).encode())
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    return pipeline, handler


def live():
    return fed(book("BTCUSDT", "snapshot", 100, BIDS, ASKS))[0]


# ---- sequence

def test_u_counts_the_messages_of_a_topic():
    pipeline = live()
    pipeline.feed(book("BTCUSDT", "delta", 101, [("100.5", "4")], []))
    pipeline.feed(book("BTCUSDT", "delta", 102, [("100", "0")], []))
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    pipeline.feed(book("BTCUSDT", "delta", 104, [("100", "1")], []))
    assert pipeline.book("BTCUSDT").status is BookState.STALE
    assert [want.kind for want in pipeline.wanted()] == ["resubscribe"]


def test_a_later_snapshot_replaces_the_book():
    pipeline = live()
    pipeline.feed(book("BTCUSDT", "snapshot", 7, [("90", "1")], [("91", "1")]))
    pipeline.feed(book("BTCUSDT", "delta", 8, [("90.5", "1")], []))
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    assert pipeline.book("BTCUSDT").best_bid == (90.5, 1.0)
    assert pipeline.book("BTCUSDT").best_ask == (91.0, 1.0)


@pytest.mark.parametrize("kind", ["snapshot", "delta"])
def test_u_of_1_is_a_restart_with_a_whole_book(kind):
    pipeline = live()
    pipeline.feed(book("BTCUSDT", kind, 1, [("90", "1")], [("91", "1")]))
    pipeline.feed(book("BTCUSDT", "delta", 2, [("90.5", "1")], []))
    pipeline.feed(book("BTCUSDT", "delta", 3, [("90", "0")], []))
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    assert pipeline.book("BTCUSDT").best_bid == (90.5, 1.0)
    assert pipeline.symbol_stats("BTCUSDT")["snapshots"] == 2


def test_a_restart_among_learned_frames_is_never_dropped_in_silence():
    pipeline = live()
    for number in range(101, 110):
        pipeline.feed(book("BTCUSDT", "delta", number, [("100.5", "4")], []))
    pipeline.feed(book("BTCUSDT", "delta", 1, [("90", "1")], [("91", "1")]))
    if pipeline.book("BTCUSDT").status is BookState.LIVE:
        assert pipeline.book("BTCUSDT").best_bid == (90.0, 1.0)
    else:
        assert [want.kind for want in pipeline.wanted()] == ["resubscribe"]


def test_numbers_that_begin_with_1_are_no_restart():
    pipeline = live()
    pipeline.feed(book("BTCUSDT", "snapshot", 9, BIDS, ASKS))
    pipeline.feed(book("BTCUSDT", "delta", 10, [("100.5", "4")], []))
    assert pipeline.symbol_stats("BTCUSDT")["snapshots"] == 2


def test_an_empty_option_book_is_a_snapshot_of_0():
    name = "BTC-30JUN23-45000-P"
    frame = {"id": f"orderbook.25.{name}-3032585156-1680652790918", "topic": f"orderbook.25.{name}",
             "ts": 1680652790918, "data": {"s": name, "b": [], "a": [], "u": 0}, "type": "snapshot"}
    pipeline, _ = fed(frame, market="option")
    assert pipeline.book(name).status is BookState.LIVE
    assert pipeline.book(name).best_bid is None


def test_options_with_an_id_are_learned_and_kept_apart():
    def frame(name, number, price):
        return {"id": f"orderbook.25.{name}-30325-16806527{number}", "topic": f"orderbook.25.{name}",
                "ts": 1680652790918 + number, "data": {"s": name, "b": [[price, "1"]], "a": [], "u": number},
                "type": "snapshot" if number == 5 else "delta"}

    names = ["BTC-30JUN23-45000-P", "ETH-30JUN23-2000-C"]
    pipeline, _ = fed(*(frame(name, number, f"{number}{index}") for number in range(5, 20)
                        for index, name in enumerate(names)), market="option")
    assert [pipeline.book(name).best_bid for name in names] == [(190.0, 1.0), (191.0, 1.0)]
    assert pipeline.counters["fast"] > 10


# ---- v2

def old(kind, data, number, **names):
    return {"topic": "orderBookL2_25.BTCUSD", "type": kind, "data": data, "cross_seq": number,
            "timestamp_e6": 1622542809497981, **names}


def cell(price, side, **size):
    return {"price": price, "symbol": "BTCUSD", "id": int(float(price) * 1e4), "side": side, **size}


OLD = old("snapshot", [cell("100.5", "Buy", size=2), cell("101.0", "Sell", size=3)], 5)


@pytest.mark.parametrize("order", [["delete", "update", "insert"], ["insert", "update", "delete"]])
def test_a_level_of_v2_may_move_across_the_sides_in_one_frame(order):
    lists = {"delete": [cell("101.0", "Sell", size=0)], "update": [cell("100.5", "Buy", size=7)],
             "insert": [cell("101.0", "Buy", size=4), cell("101.5", "Sell", size=8.3550005)]}
    pipeline, _ = fed(OLD, old("delta", {key: lists[key] for key in order} | {"transactTimeE6": 0}, 9))
    assert pipeline.book("BTCUSD").best_bid == (101.0, 4.0)
    assert pipeline.book("BTCUSD").best_ask == (101.5, 8.3550005)
    assert pipeline.symbol_stats("BTCUSD")["absent"] == 0
    assert pipeline.symbol_stats("BTCUSD")["changes"] == 4


def test_cross_seq_of_v2_has_to_rise():
    pipeline, _ = fed(OLD, old("delta", {"delete": [cell("100.5", "Buy")], "update": [], "insert": []}, 70),
                      old("delta", {"delete": [], "update": [], "insert": [cell("99", "Buy", size=1)]}, 70))
    assert pipeline.symbol_stats("BTCUSD")["stale"] == 1
    assert pipeline.book("BTCUSD").best_bid is None


def test_numbers_of_v2_may_stand_in_quotes_and_have_other_names():
    data = {"order_book": [cell("100.5", "Buy", size=2), cell("101.0", "Sell", size=3)]}
    frame = {"topic": "orderBook_200.100ms.BTCUSD", "type": "snapshot", "data": data, "crossSeq": "385208816",
             "timestampE6": "1655804279360632"}
    pipeline, _ = fed(frame)
    assert pipeline.book("BTCUSD").sequence == 385208816
    assert pipeline.book("BTCUSD").exchange_ns == 1655804279360632000


# ---- the other topics

def test_quotes_of_2023_had_deltas():
    def frame(kind, number, bids, asks):
        return book("BTCUSDT", kind, number, bids, asks, depth=1)

    _, handler = fed(frame("snapshot", 5, [("28552.00", "0.047")], [("28552.10", "25.433")]),
                     frame("delta", 6, [("28552.00", "0.012")], []),
                     frame("delta", 9, [("28552.00", "0"), ("28551.90", "3")], [("28552.10", "1")]),
                     frame("snapshot", 9, [], [("28552.10", "1")]))
    quotes = [(quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) for quote in handler.take("Quote")]
    assert quotes == [(28552.0, 0.047, 28552.1, 25.433), (28552.0, 0.012, 28552.1, 25.433),
                      (28551.9, 3.0, 28552.1, 1.0), (0.0, 0.0, 28552.1, 1.0)]


@pytest.mark.parametrize("topic", ["orderbook.rpi.BTCUSDT", "orderbook.full.BTCUSDT", "kline.1.BTCUSDT",
                                   "priceLimit.BTCUSDT", "instrument_info.100ms.BTCUSD"])
def test_what_is_not_the_book_is_ignored(topic):
    pipeline, _ = fed(book("BTCUSDT", "snapshot", 5, BIDS, ASKS).replace(b"orderbook.50.BTCUSDT", topic.encode()))
    assert pipeline.counters["ignored"] == 1


def test_trades_of_options_come_by_base_coin():
    rows = [{"p": "985", "v": "0.01", "i": "0404c393-8419-5bac-95c3-5fea28404754", "T": 1680652922081, "BT": False,
             "s": name, "S": side} for name, side in [("BTC-28APR23-29500-C", "Sell"), ("BTC-28APR23-30000-C", "Buy")]]
    _, handler = fed({"id": "publicTrade.BTC-3414637898-1680652922102", "topic": "publicTrade.BTC",
                      "ts": 1680652922102, "data": rows, "type": "snapshot"}, market="option")
    assert [(trade.symbol, trade.aggressor) for trade in handler.take("Trade")] == [
        ("BTC-28APR23-29500-C", "sell"), ("BTC-28APR23-30000-C", "buy")]


def test_trade_ids_of_digits_and_of_letters():
    def frame(name):
        return {"topic": "publicTrade.BTCUSDT", "ts": 1, "type": "snapshot",
                "data": [{"i": name, "T": 1680652847524, "p": "28165.38", "v": "0.04", "S": "Sell", "s": "BTCUSDT"}]}

    _, handler = fed(frame("2290000000050703789"), frame("20f43950-d8dd-5b31-9112-a178eb6023af"), market="spot")
    assert [trade.trade_id for trade in handler.take("Trade")] == [290000000050703789, 0]   # the last 18 digits


def test_an_unknown_side_is_an_error():
    pipeline = Pipeline("bybit")
    pipeline.feed(b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[{"T":1672304486865,"s":"BTCUSDT",'
                  b'"S":"Unknown","v":"0.001","p":"16578.50"}]}')
    assert pipeline.counters["errors"] == 1


# "allLiquidation: position side (Buy = long liquidated -> forced sell)"
@pytest.mark.parametrize("frame", [
    {"topic": "allLiquidation.ROSEUSDT", "type": "snapshot", "ts": 1739502303204,
     "data": [{"T": 1739502302929, "s": "ROSEUSDT", "S": "Sell", "v": "20000", "p": "0.04499"}]},
    {"topic": "liquidation.ROSEUSDT", "data": {"symbol": "ROSEUSDT", "side": "Sell", "price": "0.04499", "qty": "20000",
                                               "time": 1739502302929}},
    {"data": {"price": "0.04499", "side": "Sell", "size": "20000", "symbol": "ROSEUSDT", "updatedTime": 1739502302929},
     "topic": "liquidation.ROSEUSDT", "ts": 1673251091822, "type": "snapshot"},
])
def test_a_liquidation_names_the_side_of_the_position(frame):
    _, handler = fed(frame)
    (forced,) = handler.take("Liquidation")
    assert (forced.symbol, forced.side, forced.price, forced.qty) == ("ROSEUSDT", "buy", 0.04499, 20000.0)
    assert forced.exchange_ns == 1739502302929000000


SNAPSHOT = {"topic": "tickers.BTCUSD", "type": "snapshot",
            "data": {"symbol": "BTCUSD", "price24hPcnt": "0.023362", "lastPrice": "28560.00",
                     "prevPrice24h": "27908.00", "markPrice": "28560.00", "indexPrice": "28566.94",
                     "openInterest": "449736676", "openInterestValue": "15747.08",
                     "nextFundingTime": "1680681600000", "fundingRate": "0.0001",
                     "bid1Price": "28560.00", "bid1Size": "340549", "ask1Price": "28560.50", "ask1Size": "70817"},
            "cs": 20856433600, "ts": 1680673822000}
DELTA = {"topic": "tickers.BTCUSD", "type": "delta",
         "data": {"symbol": "BTCUSD", "openInterest": "449736674", "fundingRate": "-0.0002", "bid1Price": "28559.50"},
         "cs": 20856433603, "ts": 1680673822776}


def test_what_a_ticker_delta_does_not_name_has_not_changed():
    _, handler = fed(SNAPSHOT, DELTA, market="inverse")
    kept = list(handler.kept)
    first, second = handler.take("Ticker")
    assert (first.last_price, first.bid_price, first.open_interest) == (28560.0, 28560.0, 449736676.0)
    assert (second.last_price, second.bid_price, second.ask_price) == (28560.0, 28559.5, 28560.5)
    assert (second.open_interest, second.funding_rate, second.mark_price) == (449736674.0, -0.0002, 28560.0)
    assert second.exchange_ns == 1680673822776000000
    mark = [event for event in kept if type(event).__name__ == "Mark"][-1]
    assert (mark.mark_price, mark.index_price, mark.funding_rate) == (28560.0, 28566.94, -0.0002)
    assert mark.next_funding_ns == 1680681600000000000
    interest = [event for event in kept if type(event).__name__ == "OpenInterest"][-1]
    assert (interest.qty, interest.value) == (449736674.0, 15747.08)


def test_dated_futures_have_no_funding():
    data = {**SNAPSHOT["data"], "fundingRate": "", "nextFundingTime": "", "deliveryTime": "2023-09-29T08:00:00Z"}
    _, handler = fed({**SNAPSHOT, "data": data})
    (ticker,) = handler.take("Ticker")
    assert isnan(ticker.funding_rate)


def test_a_spot_ticker_has_no_quote():
    _, handler = fed({"topic": "tickers.BTCUSDT", "ts": 1673853746003, "type": "snapshot", "cs": 2588407389,
                      "data": {"symbol": "BTCUSDT", "lastPrice": "21109.77", "highPrice24h": "21426.99",
                               "volume24h": "6780.866843", "turnover24h": "141946527.22907118",
                               "usdIndexPrice": "21120.2400136"}}, market="spot")
    (ticker,) = handler.take("Ticker")
    assert (ticker.last_price, ticker.high, ticker.quote_volume) == (21109.77, 21426.99, 141946527.22907118)
    assert isnan(ticker.bid_price)


def test_an_option_ticker_gives_greeks_and_the_quote():
    data = {"symbol": "SOL-28APR23-24-C", "bidPrice": "0.34", "bidSize": "10", "bidIv": "0.6004", "askPrice": "3.11",
            "askSize": "51", "askIv": "2.0007", "lastPrice": "1.6", "markPrice": "1.99054639", "indexPrice": "20.93",
            "markPriceIv": "1.4674", "underlyingPrice": "20.93", "openInterest": "20", "totalVolume": "20",
            "delta": "0.42723543", "gamma": "0.0505193", "vega": "0.02075941", "theta": "-0.06527514"}
    pipeline, handler = fed({"id": "tickers.SOL-28APR23-24-C-3414625745-1680652810254",
                             "topic": "tickers.SOL-28APR23-24-C", "ts": 1680652810254, "data": data,
                             "type": "snapshot"}, market="option")
    kept = {type(event).__name__: event for event in handler.kept}
    ticker, quote = kept["Ticker"], kept["Quote"]
    assert (ticker.delta, ticker.gamma, ticker.vega, ticker.theta) == (0.42723543, 0.0505193, 0.02075941, -0.06527514)
    assert (ticker.bid_iv, ticker.ask_iv, ticker.mark_iv, ticker.underlying_price) == (0.6004, 2.0007, 1.4674, 20.93)
    assert (quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) == (0.34, 10.0, 3.11, 51.0)


# ---- addresses, streams, answers

@pytest.mark.parametrize(("url", "market"), [
    ("wss://stream.bybit.com/v5/public/spot", "spot"), ("wss://stream.bybit.com/v5/public/linear", "linear"),
    ("wss://stream.bybit.eu/v5/public/inverse", "inverse"), ("wss://stream.bybit.com/v5/public/option", "option"),
    ("wss://stream.bybit.com/realtime_public", "linear"), ("wss://stream.bybit.com/realtime", "inverse"),
    ("wss://stream.bybit.com/trade/option/usdc/public/v1", "option"),
    ("wss://stream.bybit.com/perpetual/ws/v1/realtime_public", "linear"),
    ("wss://stream.bybit.com/spot/quote/ws/v2", "spot"),
])
def test_the_address_tells_the_market(url, market):
    assert SPEC.market_of(url) == market


def test_streams_of_the_markets():
    (stream,) = SPEC.streams(["btcusdt"], ["book"])
    assert (stream.name, stream.root, stream.market, stream.depth) == ("orderbook.1000.BTCUSDT", "spot", "spot", 0)
    (stream,) = SPEC.streams(["BTCUSDT"], ["book"], speed="20ms", market="linear")
    assert (stream.name, stream.root) == ("orderbook.50.BTCUSDT", "linear")
    names = [stream.name for stream in SPEC.streams(["BTC-28APR23-29500-C"], ["book", "quotes", "trades", "mark"],
                                                    market="option")]
    assert names == ["orderbook.100.BTC-28APR23-29500-C", "tickers.BTC-28APR23-29500-C", "publicTrade.BTC",
                     "tickers.BTC-28APR23-29500-C"]


@pytest.mark.parametrize(("channels", "options", "words"), [
    (["mark"], {}, "spot has no channel 'mark'; it has: book, quotes, trades, ticker"),
    (["liquidations"], {"market": "option"}, "option has no channel 'liquidations'; it has: book"),
    (["candles"], {}, "it has: book, quotes"),
    (["book"], {"depth": 500}, "it has: 1000 \\(200ms\\), 200 \\(100ms\\), 50 \\(20ms\\)"),
    (["book"], {"depth": 50, "speed": "200ms"}, "it has: 1000"),
    (["book"], {"market": "margin"}, "spot, linear, inverse, option"),
])
def test_what_it_lacks(channels, options, words):
    with pytest.raises(UnsupportedChannel, match=words):
        SPEC.streams(["BTCUSDT"], channels, **options)


def test_an_error_names_one_topic_and_rejects_the_request():
    control = SPEC.read_control(b'{"success":false,"ret_msg":"error:handler not found,topic:tickers.NOPE",'
                                b'"req_id":"2"}')
    assert (control.request_id, control.streams) == (2, ("tickers.NOPE",))
    control = SPEC.read_control(b'{"success":true,"conn_id":"a","data":{"failTopics":["x.y"],"successTopics":["z.y"]},'
                                b'"type":"COMMAND_RESP"}')
    assert (control.kind, control.streams) == ("error", ("x.y",))


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"null", b'{"success":false}', b'{"data":7}', b"[" * 9999,
                                     b'{"success":true,"type":"COMMAND_RESP","data":{"failTopics":3}}'])
def test_read_control_never_raises(payload):
    assert SPEC.read_control(payload).kind in ("ack", "error", "other")


@pytest.mark.parametrize(("market", "entry", "name", "listed"), [
    ("spot", {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "innovation": "0", "status": "Trading",
              "marginTrading": "utaOnly", "lotSizeFilter": {
                  "basePrecision": "0.000001", "quotePrecision": "0.0000001", "minOrderQty": "0.000011",
                  "maxOrderQty": "83", "minOrderAmt": "5", "maxOrderAmt": "8000000"},
              "priceFilter": {"tickSize": "0.10"}}, "BTC-USDT",
     Instrument("BTCUSDT", "0.1", "0.000001", "spot", "spot", "BTC", "USDT", min_qty="0.000011", min_value="5")),
    ("linear", {"symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC",
                "quoteCoin": "USDT", "launchTime": "1585526400000", "deliveryTime": "0", "deliveryFeeRate": "",
                "priceScale": "2", "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
                "lotSizeFilter": {"maxOrderQty": "1190.000", "minOrderQty": "0.001", "qtyStep": "0.001",
                                  "minNotionalValue": "5"}, "settleCoin": "USDT"}, "BTC-USDT-PERP",
     Instrument("BTCUSDT", "0.1", "0.001", "linear", "perpetual", "BTC", "USDT", "USDT", "0.001", "5")),
    ("inverse", {"symbol": "BTCUSDZ26", "contractType": "InverseFutures", "status": "Trading", "baseCoin": "BTC",
                 "quoteCoin": "USD", "launchTime": "1781251200000", "deliveryTime": "1798185600000",
                 "priceFilter": {"minPrice": "0.50", "maxPrice": "9999999.00", "tickSize": "0.50"},
                 "lotSizeFilter": {"maxOrderQty": "5000000", "minOrderQty": "1", "qtyStep": "1",
                                   "minNotionalValue": "5"}, "settleCoin": "BTC"}, "BTC-25DEC26",
     Instrument("BTCUSDZ26", "0.5", "1", "inverse", "future", "BTC", "USD", "BTC", "1", "5", "1", "USD",
                expiry_ns=1798185600000_000000)),
    ("option", {"symbol": "BTC-27MAR26-70000-P-USDT", "status": "PreLaunch", "baseCoin": "BTC", "quoteCoin": "USDT",
                "settleCoin": "USDT", "optionsType": "Put", "launchTime": "1743669649256",
                "deliveryTime": "1774598400000", "deliveryFeeRate": "0.00015",
                "priceFilter": {"minPrice": "5", "maxPrice": "1110000", "tickSize": "5"},
                "lotSizeFilter": {"maxOrderQty": "500", "minOrderQty": "0.01", "qtyStep": "0.01"}},
     "BTC-USDT-27MAR26-70000-P",
     Instrument("BTC-27MAR26-70000-P-USDT", "5", "0.01", "option", "option", "BTC", "USDT", "USDT", "0.01",
                expiry_ns=1774598400000_000000, strike="70000", option_type="put", status="pre")),
])
def test_instruments_of_today(market, entry, name, listed):
    for address in SPEC.instruments_addresses[market]:
        assert SPEC.read_address(address) == Answer("instruments", market=market)
    body = {"retCode": 0, "result": {"category": market, "list": [entry], "nextPageCursor": ""}}
    assert SPEC.read_instruments(json.dumps(body).encode()) == [listed]
    assert listed.name == name
    assert listed.inverse == (market == "inverse")


def test_instruments_of_a_recorded_day(data_dir):
    line, = read_capture(data_dir / "bybit/instruments.ws.gz")
    url, _, body = line.payload.partition(b" ")
    assert SPEC.read_address(url.decode()) == Answer("instruments")
    found = {entry.symbol: entry for entry in SPEC.read_instruments(body)}
    assert len(found) == 15
    assert found["ETHUSDT"] == Instrument("ETHUSDT", "0.05", "0.01", "linear", "perpetual", "ETH", "USDT", "USDT",
                                          "0.01")
    assert found["EOSUSD"] == Instrument("EOSUSD", "0.001", "1", "inverse", "perpetual", "EOS", "USD", "EOS", "1", "",
                                         "1", "USD")
    assert found["BTCUSDU21"] == Instrument(
        "BTCUSDU21", "0.5", "1", "inverse", "future", "BTC", "USD", "BTC", "1", "", "1", "USD",
        expiry_ns=1632470400000_000000)           # alias BTCUSD0924
    assert [found[symbol].name for symbol in ("ETHUSDT", "EOSUSD", "BTCUSDU21")] == [
        "ETH-USDT-PERP", "EOS-USD-PERP", "BTC-24SEP21"]


@pytest.mark.parametrize("body", [
    b'{"retCode":10001,"result":{}}', b"[]", b"x", b'{"result":{"category":"linear","list":[{"symbol":"BTCUSDT"}]}}',
    b'{"result":{"category":"option","list":[{"symbol":"BTC","baseCoin":"BTC","quoteCoin":"USD","priceFilter":'
    b'{"tickSize":"5"},"lotSizeFilter":{"qtyStep":"1"}}]}}'])
def test_what_is_no_list_of_instruments(body):
    with pytest.raises(ValueError, match="a list of instruments with symbol, .*tickSize"):
        SPEC.read_instruments(body)


def test_a_list_has_pages():
    address, = SPEC.instruments_addresses["linear"]
    more = b'{"retCode":0,"result":{"list":[],"nextPageCursor":"first%3DBTCUSDT"}}'
    second, = SPEC.next_page(address, more)
    assert second == address + "&cursor=first%3DBTCUSDT"
    assert SPEC.next_page(second, more.replace(b"BTC", b"ETH")) == (address + "&cursor=first%3DETHUSDT",)
    for last in (more.replace(b"first%3DBTCUSDT", b""), b'{"result":{}}', b'{"result":[]}', b"[]", b"x"):
        assert SPEC.next_page(address, last) == ()
