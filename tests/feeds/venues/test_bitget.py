"""Bitget: what its sheet tells beyond the list that every venue meets."""

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
from tests.venues import without
from tests.venues.bitget import book

SPEC = load("bitget")
BIDS, ASKS = [("100", "1"), ("99.5", "2")], [("101", "3")]


class Events:
    """A handler that keeps a copy of every event but books."""

    def __init__(self):
        self.kept = {}

    def keep(self, event):
        self.kept.setdefault(type(event).__name__, []).append(event.copy())

    on_trade = on_quote = on_ticker = on_mark = on_open_interest = on_liquidation = keep


def frame(argument, *elements, action="update", **more):
    document = {"action": action, "arg": argument, "data": list(elements), **more}
    return json.dumps(document, separators=(",", ":")).encode()


def v2(channel, symbol="BTCUSDT", market="USDT-FUTURES"):
    return {"instType": market, "channel": channel, "instId": symbol}


def v3(topic, symbol="BTCUSDT", market="usdt-futures"):
    return {"instType": market, "topic": topic, "symbol": symbol}


def events(*frames, market="usdt-futures"):
    """What the frames give, through one pipeline without an error: name of the event -> events."""
    handler = Events()
    pipeline = Pipeline("bitget", handler, market=market)
    for each in frames:
        pipeline.feed(each)
    assert pipeline.counters["errors"] == 0, pipeline.last_error
    return handler.kept


def live():
    pipeline = Pipeline("bitget")
    pipeline.feed(book("BTCUSDT", "snapshot", 0, 100, BIDS, ASKS))
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    return pipeline


# ---- sequence

def test_each_update_names_the_one_before():
    pipeline = live()
    pipeline.feed(book("BTCUSDT", "update", 100, 1480000000000000001, [("100.5", "4")], []))
    pipeline.feed(book("BTCUSDT", "update", 1480000000000000001, 1480000000000000002, [("100", "0")], []))
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    assert pipeline.book("BTCUSDT").sequence == 1480000000000000002        # above 2^53


@pytest.mark.parametrize("previous", [0, 105], ids=["the server began anew", "a gap"])
def test_what_does_not_follow_is_subscribed_to_again(previous):
    pipeline = live()
    pipeline.feed(book("BTCUSDT", "update", previous, 110, [("100.5", "4")], []))
    assert pipeline.book("BTCUSDT").status is BookState.STALE
    assert [want.kind for want in pipeline.wanted()] == ["resubscribe"]
    pipeline.feed(book("BTCUSDT", "snapshot", 0, 7, BIDS, ASKS))
    pipeline.feed(book("BTCUSDT", "update", 7, 9, [("100.5", "4")], []))
    assert pipeline.book("BTCUSDT").status is BookState.LIVE


@pytest.mark.parametrize("key", ["seq", "pseq"])
def test_where_books_have_numbers_an_update_without_one_is_bad(key):
    for lacking in without(book("BTCUSDT", "update", 100, 110, [("100.5", "4")], []), key):
        pipeline = live()
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("BTCUSDT").status is BookState.STALE
        assert pipeline.book("BTCUSDT").raw.bids()[0].tolist() == [100, 1]


def test_where_books_have_numbers_a_snapshot_without_one_is_bad():
    for lacking in without(book("BTCUSDT", "snapshot", 0, 110, ASKS, []), "seq"):
        pipeline = live()
        pipeline.feed(lacking)
        assert pipeline.book("BTCUSDT").status is BookState.STALE


def test_the_number_before_alone_is_none():
    for lacking in without(book("BTCUSDT", "snapshot", 0, 100, BIDS, ASKS), "seq"):
        pipeline = Pipeline("bitget")
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1


def test_a_copy_is_dropped_and_a_lower_number_is_a_gap():
    pipeline = live()
    update = book("BTCUSDT", "update", 100, 110, [("100.5", "4")], [])
    pipeline.feed(update)
    pipeline.feed(update)
    assert pipeline.book("BTCUSDT").best_bid == (100.5, 4.0)
    assert pipeline.symbol_stats("BTCUSDT")["stale"] == 1
    pipeline.feed(book("BTCUSDT", "update", 90, 100, [("100.5", "9")], []))
    assert pipeline.book("BTCUSDT").status is BookState.STALE
    assert pipeline.book("BTCUSDT").raw.bids().tolist()[0] == [100.5, 4.0]


def test_an_action_is_one_of_two():
    pipeline = live()
    pipeline.feed(book("BTCUSDT", "partial", 100, 110, BIDS, ASKS))
    assert pipeline.counters["errors"] == 1


# ---- checksum

# (bids, asks, checksum), computed in the sheet: the text of both numbers counts as it was sent.
EXAMPLES = [
    ([("43231.1", "4"), ("43231", "6")], [("43232.8", "9"), ("43232.9", "8")], -1504501796),
    ([("3366.1", "7")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")], 831078360),
]


def old(action, bids, asks, checksum):
    """A frame of v2 in 2024: a checksum, and no numbers."""
    element = {"asks": [list(pair) for pair in asks], "bids": [list(pair) for pair in bids], "checksum": checksum,
               "ts": "1730332859981"}
    return frame(v2("books", market="SPOT"), element, action=action, ts=1730332859983)


@pytest.mark.parametrize(("bids", "asks", "checksum"), EXAMPLES)
def test_the_examples_of_the_checksum(bids, asks, checksum):
    pipeline = Pipeline("bitget")
    pipeline.feed(old("snapshot", bids, asks, 0))
    pipeline.feed(old("update", [], [], checksum))
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    assert pipeline.symbol_stats("BTCUSDT")["crc_ok"] == 1


def test_without_numbers_the_checksum_shows_a_loss():
    pipeline = Pipeline("bitget")
    bids, asks, checksum = EXAMPLES[0]
    pipeline.feed(old("snapshot", bids, asks, checksum))
    pipeline.feed(old("update", [("43231.1", "5")], [], checksum))
    assert pipeline.book("BTCUSDT").status is BookState.STALE
    assert [want.kind for want in pipeline.wanted()] == ["resubscribe"]


# ---- markets

def test_a_symbol_of_two_markets_has_two_books():
    handler = Events()
    pipelines = [Pipeline("bitget", handler, market=market) for market in ("spot", "usdt-futures")]
    for pipeline in pipelines:
        pipeline.feed(book("BTCUSDT", "snapshot", 0, 100, BIDS, ASKS))
        pipeline.feed(book("BTCUSDT", "snapshot", 0, 5, [("200", "1")], [("201", "1")], market="USDT-FUTURES"))
        pipeline.feed(book("BTCUSDT", "update", 100, 101, [("100.5", "1")], []))
        pipeline.feed(book("BTCUSDT", "update", 5, 6, [("200.5", "1")], [], market="USDT-FUTURES"))
        assert pipeline.counters["gaps"] == 0
    assert [pipeline.book("BTCUSDT").best_bid[0] for pipeline in pipelines] == [100.5, 200.5]


@pytest.mark.parametrize(("symbol", "market"), [("BTCUSDT", "usdt-futures"), ("BTCUSD", "coin-futures"),
                                                ("BTCPERP", "usdc-futures")])
def test_v1_calls_all_futures_mc(symbol, market):
    pipeline = Pipeline("bitget", market=market)
    pipeline.feed(book(symbol, "snapshot", 0, 1, BIDS, ASKS, market="mc"))
    assert pipeline.book(symbol).status is BookState.LIVE


def test_symbols_beyond_ascii():
    pipeline = Pipeline("bitget")
    pipeline.feed(book("牛来USDT", "snapshot", 0, 1, BIDS, ASKS))
    assert pipeline.book("牛来usdt").best_bid == (100.0, 1.0)


# ---- the other channels

@pytest.mark.parametrize(("channel", "depth"), [("books5", 5), ("books15", 15), ("books50", 50)])
def test_partial_books_are_whole_every_time(channel, depth):
    pipeline = live()
    for number, price in ((7, "90"), (3, "91")):
        pipeline.feed(book("BTCUSDT", "snapshot", 0, number, [(price, "1")], ASKS, channel=channel))
    assert pipeline.book("BTCUSDT", depth).best_bid == (91.0, 1.0)
    assert pipeline.book("BTCUSDT").best_bid == (100.0, 1.0)


@pytest.mark.parametrize("channel", ["books7", "books1000", "booksx", "candle1m", "books-l2"])
def test_what_is_not_known_is_ignored(channel):
    pipeline = Pipeline("bitget")
    pipeline.feed(book("BTCUSDT", "snapshot", 0, 7, BIDS, ASKS, channel=channel))
    assert pipeline.counters["ignored"] == 1


def test_books_of_v3():
    pipeline = Pipeline("bitget", market="usdt-futures")
    pipeline.feed(frame(v3("books"), {"a": [["76794.01", "1.049783"]], "b": [["76794", "0.062194"]], "checksum": 0,
                                      "seq": 451275591390, "pseq": 0, "ts": "1777362656332", "maxdepth": "1000"},
                        action="snapshot", ts=1777362656336))
    pipeline.feed(frame(v3("books"), {"a": [["76794.01", "0"]], "b": [], "seq": 451275591399, "pseq": 451275591390,
                                      "ts": "1777362656432"}, ts=1777362656436))
    assert pipeline.book("BTCUSDT").status is BookState.LIVE
    assert pipeline.book("BTCUSDT").best_ask is None
    assert pipeline.book("BTCUSDT").exchange_ns == 1777362656432000000


ROWS = [{"ts": "1730332858796", "price": "72389.99", "size": "0.001373", "side": side,
         "tradeId": f"123567105898074931{n}"} for n, side in enumerate(["buy", "sell"])]


def test_several_trades_in_one_frame():
    trades = events(frame(v2("trade"), *ROWS, ts=1))["Trade"]
    assert [(trade.aggressor, trade.trade_id) for trade in trades] == [("buy", 1235671058980749310),
                                                                      ("sell", 1235671058980749311)]
    assert trades[1].exchange_ns == 1730332858796000000


def test_trades_of_v1_are_arrays():
    trades = events(frame(v2("trade", market="mc"), ["1653882567817", "30322.5", "1.117", "buy"],
                          ["1653882567817", "30322", "1.566", "sell"]))["Trade"]
    assert [(trade.price, trade.qty, trade.aggressor) for trade in trades] == [
        (30322.5, 1.117, "buy"), (30322.0, 1.566, "sell")]


def test_history_is_no_trade():
    assert events(frame(v2("trade"), *ROWS, action="snapshot", ts=1)) == {}


@pytest.mark.parametrize("row", [["1653882567817", "30322.5", "1.117"], ["1653882567817", "30322.5", "1.117", "?"],
                                 [], {**ROWS[0], "side": "?"}, {"ts": "1", "price": "1", "size": "1"}])
def test_a_trade_that_lacks_something_is_an_error(row):
    pipeline = Pipeline("bitget")
    pipeline.feed(frame(v2("trade"), row))
    assert pipeline.counters["errors"] == 1


def test_a_liquidation_names_the_side_of_the_position():
    forced = events(frame({"instType": "usdt-futures", "topic": "liquidation"},
                          {"symbol": "APEUSDT", "side": "buy", "price": "0.1649", "amount": "13.70319",
                           "ts": "1777358886549"},
                          {"symbol": "IPUSDT", "side": "sell", "price": "0.500280739469", "amount": "143.330431857868",
                           "ts": "1777358876983"}, ts=1777358897167))["Liquidation"]
    assert [(each.symbol, each.side, each.price, each.qty) for each in forced] == [
        ("APEUSDT", "sell", 0.1649, 13.70319), ("IPUSDT", "buy", 0.500280739469, 143.330431857868)]
    assert forced[0].exchange_ns == 1777358886549000000


V2 = {"instId": "STORJUSDT", "lastPr": "0.4706", "bidPr": "0.4705", "askPr": "0.4708", "bidSz": "1367.3",
      "askSz": "2535.3", "open24h": "0.4737", "high24h": "0.4784", "low24h": "0.463", "change24h": "-0.01569",
      "fundingRate": "0.0001", "nextFundingTime": "1730361600000", "markPrice": "0.4705", "indexPrice": "0.47080586",
      "holdingAmount": "8572031.1", "baseVolume": "2878355.9", "quoteVolume": "1355483.45089", "openUtc": "0.4706",
      "symbolType": "1", "symbol": "STORJUSDT", "deliveryPrice": "0", "ts": "1730332823155"}
V3 = {"highPrice24h": "78237.7", "lowPrice24h": "76414.5", "openPrice24h": "77641", "lastPrice": "76631.3",
      "turnover24h": "2914473798.93323", "volume24h": "37764.7894", "bid1Price": "76631.2", "ask1Price": "76631.3",
      "bid1Size": "0.9608", "ask1Size": "9.5716", "indexPrice": "76671.4381686055379793", "markPrice": "76631.3",
      "fundingRate": "-0.00003", "openInterest": "29539.3825", "deliveryTime": "", "nextFundingTime": "1777363200000"}
V1 = {"instId": "BTCUSD", "last": "29898.50", "bestAsk": "29899", "bestBid": "29898", "high24h": "30706.50",
      "low24h": "29270.50", "priceChangePercent": "-0.02", "capitalRate": "0.000100", "nextSettleTime": 1654182000000,
      "systemTime": 1654160828664, "markPrice": "29897.79", "indexPrice": "29906.49", "holding": "6166.235",
      "baseVolume": "6601.040", "quoteVolume": "201847558.263"}


@pytest.mark.parametrize(("argument", "row", "market", "numbers", "funding_ms", "interest"), [
    (v2("ticker", "STORJUSDT"), V2, "usdt-futures", (0.4706, 0.4705, 0.4705, 0.47080586, 0.0001), 1730361600000,
     8572031.1),
    (v3("ticker"), V3, "usdt-futures", (76631.3, 76631.2, 76631.3, 76671.4381686055379793, -0.00003), 1777363200000,
     29539.3825),
    (v2("ticker", "BTCUSD", "mc"), V1, "coin-futures", (29898.5, 29898.0, 29897.79, 29906.49, 0.0001), 1654182000000,
     6166.235),
])
def test_tickers_of_futures_give_marks_and_open_interest(argument, row, market, numbers, funding_ms, interest):
    got = events(frame(argument, row, action="snapshot", ts=1777358880084), market=market)
    (ticker,), (mark,), (open_interest,) = got["Ticker"], got["Mark"], got["OpenInterest"]
    assert ticker.symbol == row.get("instId", "BTCUSDT")
    assert (ticker.last_price, ticker.bid_price, mark.mark_price, mark.index_price, mark.funding_rate) == numbers
    assert mark.next_funding_ns == funding_ms * 1_000_000
    assert open_interest.qty == interest


def test_a_ticker_of_spot_has_no_mark():
    row = {key: value for key, value in V2.items() if key not in ("markPrice", "indexPrice", "fundingRate",
                                                                  "nextFundingTime", "holdingAmount")}
    got = events(frame(v2("ticker", "STORJUSDT", "SPOT"), row, action="snapshot", ts=1), market="spot")
    assert set(got) == {"Ticker"}
    assert isnan(got["Ticker"][0].mark_price)
    assert got["Ticker"][0].quote_volume == 1355483.45089


# ---- streams and answers

def test_streams_of_futures():
    streams = SPEC.streams(["BTCUSDT", "ethusdt"], ["mark", "open_interest", "liquidations"], market="usdt-futures")
    assert [(stream.name, stream.root, stream.symbol) for stream in streams] == [
        (f"USDT-FUTURES:ticker:{symbol}", "v2", symbol) if name else ("usdt-futures:liquidation:", "v3", symbol)
        for symbol in ("BTCUSDT", "ETHUSDT") for name in (True, True, False)]
    (stream,) = SPEC.streams(["BTCUSDT"], ["book"], depth=5)
    assert (stream.name, stream.depth, stream.market) == ("SPOT:books5:BTCUSDT", 5, "spot")


@pytest.mark.parametrize(("channels", "options", "words"), [
    (["mark"], {}, "spot has no channel 'mark'; it has: book, quotes, trades, ticker"),
    (["candles"], {}, "it has: book, quotes"),
    (["book"], {"depth": 10}, "it has: 5, 15"),
    (["book"], {"speed": "10ms"}, "one for each depth"),
    (["book"], {"market": "futures"}, "spot, usdt-futures, coin-futures, usdc-futures"),
])
def test_what_it_lacks(channels, options, words):
    with pytest.raises(UnsupportedChannel, match=words):
        SPEC.streams(["BTCUSDT"], channels, **options)


def test_answers_name_their_stream():
    for stream in SPEC.streams(["BTCUSDT"], ["book", "liquidations"], market="usdt-futures"):
        (request,) = SPEC.subscribe([stream.name], 1)
        ack = {"event": "subscribe", "arg": json.loads(request)["args"][0]}
        assert SPEC.read_control(json.dumps(ack).encode()).streams == (stream.name,)


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"null", b'{"event":{}}', b'{"event":"error"}', b"[" * 9999,
                                     b'{"event":"subscribe","arg":7}', b'{"event":"error","code":[1],"arg":{}}'])
def test_read_control_never_raises(payload):
    assert SPEC.read_control(payload).kind in ("ack", "error", "other")


def test_instruments_of_a_recorded_day(data_dir):
    found = {}
    for line in read_capture(data_dir / "bitget" / "instruments.ws.gz"):
        url, _, body = line.payload.partition(b" ")
        listed = SPEC.read_instruments(body)
        assert {entry.market for entry in listed} == {SPEC.read_address(url.decode()).market}
        found.update({(entry.market, entry.symbol): entry for entry in listed})
    for name, listed in {
        "ALPHA-USDT": Instrument("ALPHAUSDT", "0.0001", "0.0001", "spot", "spot", "ALPHA", "USDT", min_qty="2"),
        "BTC-USDT-PERP": Instrument(              # priceEndStep 5, pricePlace 1
            "BTCUSDT", "0.5", "0.001", "usdt-futures", "perpetual", "BTC", "USDT", "USDT", "0.001"),
        "ETH-USD-PERP": Instrument("ETHUSD", "0.01", "0.1", "coin-futures", "perpetual", "ETH", "USD", "ETH", "0.1"),
    }.items():
        assert found[listed.market, listed.symbol] == listed
        assert listed.name == name


@pytest.mark.parametrize(("entry", "name", "listed"), [
    ({"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "minTradeAmount": "0", "pricePrecision": "2",
      "quantityPrecision": "6", "quotePrecision": "8", "status": "online", "minTradeUSDT": "1"}, "BTC-USDT",
     Instrument("BTCUSDT", "0.01", "0.000001", "spot", "spot", "BTC", "USDT", min_value="1")),
    ({"symbol": "ETHBTC", "baseCoin": "ETH", "quoteCoin": "BTC", "minTradeAmount": "0", "pricePrecision": "6",
      "quantityPrecision": "4", "status": "halt", "minTradeUSDT": "1"}, "ETH-BTC",     # 1 USDT is no value in BTC
     Instrument("ETHBTC", "0.000001", "0.0001", "spot", "spot", "ETH", "BTC", status="halted")),
    ({"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "supportMarginCoins": ["USDT"],
      "minTradeNum": "0.0001", "priceEndStep": "1", "volumePlace": "4", "pricePlace": "1", "sizeMultiplier": "0.0001",
      "symbolType": "perpetual", "minTradeUSDT": "5", "symbolStatus": "normal", "deliveryTime": ""}, "BTC-USDT-PERP",
     Instrument("BTCUSDT", "0.1", "0.0001", "usdt-futures", "perpetual", "BTC", "USDT", "USDT", "0.0001", "5")),
    ({"symbol": "BTCPERP", "baseCoin": "BTC", "quoteCoin": "USDC", "supportMarginCoins": ["USDC"],
      "minTradeNum": "0.0001", "priceEndStep": "5", "volumePlace": "4", "pricePlace": "1", "sizeMultiplier": "0.0001",
      "symbolType": "perpetual", "minTradeUSDT": "5", "symbolStatus": "maintain", "deliveryTime": ""}, "BTC-USDC-PERP",
     Instrument("BTCPERP", "0.5", "0.0001", "usdc-futures", "perpetual", "BTC", "USDC", "USDC", "0.0001",
                status="halted")),
    ({"symbol": "BTCUSDU26", "baseCoin": "BTC", "quoteCoin": "USD", "supportMarginCoins": ["BTC", "ETH", "USDC"],
      "minTradeNum": "0.001", "priceEndStep": "1", "volumePlace": "3", "pricePlace": "1", "sizeMultiplier": "0.001",
      "symbolType": "delivery", "symbolStatus": "normal", "deliveryPeriod": "this_quarter",
      "deliveryTime": "1782460799000"}, "BTC-26JUN26",
     Instrument("BTCUSDU26", "0.1", "0.001", "coin-futures", "future", "BTC", "USD", "BTC", "0.001",
                expiry_ns=1782460799000_000000)),
])
def test_instruments_of_today(entry, name, listed):
    assert SPEC.read_instruments(json.dumps({"code": "00000", "data": [entry]}).encode()) == [listed]
    assert listed.name == name
    address, = SPEC.instruments_addresses[listed.market]
    assert SPEC.read_address(address) == Answer("instruments", market=listed.market)


@pytest.mark.parametrize("body", [b'{"code":"40034","data":[{}]}', b"[]", b"x", b'{"code":"40034","data":null}'])
def test_what_is_no_list_of_instruments(body):
    with pytest.raises(ValueError, match="symbol, coins and decimals"):
        SPEC.read_instruments(body)
