"""KuCoin: what its sheet tells beyond the list that every venue meets."""

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
from tests.kept import feed
from tests.model import read_capture
from tests.venues import without
from tests.venues.kucoin import ROW, unified

SPEC = load("kucoin")
events = partial(kept.events, "kucoin")
fed = partial(kept.fed, "kucoin")
SPOT_URL = "https://api.kucoin.com/api/v1/market/orderbook/level2_100?symbol=BTC-USDT"
FUTURES_URL = "https://api-futures.kucoin.com/api/v1/level2/snapshot?symbol=XBTUSDTM"


def pack(message):
    return json.dumps(message, separators=(",", ":")).encode()


def topic(name, data, subject="level2", **more):
    return {"topic": name, "type": "message", "subject": subject, **more, "data": data}


def change(first, last, bids=(), asks=(), symbol="BTC-USDT", year=2026):
    """A change of spot; each level has its own number. The order of the keys is that of 2021, 2022 or now."""
    data = {"changes": {"asks": [list(level) for level in asks], "bids": [list(level) for level in bids]},
            "sequenceEnd": last, "sequenceStart": first, "symbol": symbol, "time": 1729816425625}
    if year == 2026:
        return topic(f"/market/level2:{symbol}", data, "trade.l2update")
    data = {"sequenceStart": first, "symbol": symbol, "changes": data["changes"], "sequenceEnd": last}
    if year == 2022:
        return {"type": "message", "topic": f"/market/level2:{symbol}", "subject": "trade.l2update", "data": data}
    return {"data": data, "subject": "trade.l2update", "topic": f"/market/level2:{symbol}", "type": "message"}


def answer(sequence, bids, asks):
    return pack({"code": "200000", "data": {"time": 1619378326628, "sequence": str(sequence),
                                            "bids": [list(level) for level in bids],
                                            "asks": [list(level) for level in asks]}})


def futures(sequence, text, symbol="XBTUSDTM"):
    return topic(f"/contractMarket/level2:{symbol}", {"sequence": sequence, "change": text, "timestamp": 1790113097240},
                 sn=sequence)


def sides(pipeline, symbol, **where):
    raw = pipeline.book(symbol, **where).raw
    return raw.bids().tolist(), raw.asks().tolist()


def joined(year=2026):
    """A classic book that stands at 100."""
    pipeline = fed(change(100, 100, [("0", "0", "100")], year=year))
    pipeline.rest(SPOT_URL, answer(100, [("10", "1"), ("9", "2")], [("11", "3")]))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    return pipeline


# ---- classic spot

@pytest.mark.parametrize("year", [2021, 2022, 2026])
def test_every_order_of_the_keys(year):
    pipeline = joined(year)
    for number in range(101, 130):
        feed(pipeline, change(number, number, [("10.5", str(number), str(number))], [], year=year))
    assert sides(pipeline, "BTC-USDT") == ([[10.5, 129], [10, 1], [9, 2]], [[11, 3]])
    assert pipeline.counters["fast"] > 20


def test_a_price_of_0_is_no_level():
    pipeline = joined()
    feed(pipeline, change(101, 101, [], [("0", "0", "101")]), change(102, 102, [("0", "5", "102")], []),
         change(103, 103, [("0.000", "0", "103"), ("10", "0", "103")], []))
    assert sides(pipeline, "BTC-USDT") == ([[9, 2]], [[11, 3]])
    stats = pipeline.symbol_stats("BTC-USDT")
    assert (stats["updates"], stats["changes"], stats["absent"]) == (3, 1, 0)


def test_a_level_counts_only_if_its_number_is_above_the_books():
    pipeline = fed(change(98, 102, [("10", "7", "102"), ("9", "7", "99")], [("12", "1", "101"), ("11", "9", "100")]))
    assert [want.kind for want in pipeline.wanted()] == ["snapshot"]
    pipeline.rest(SPOT_URL, answer(100, [("10", "1"), ("9", "2")], [("11", "3")]))
    assert sides(pipeline, "BTC-USDT") == ([[10, 7], [9, 2]], [[11, 3], [12, 1]])
    feed(pipeline, change(103, 104, [("10", "8", "104"), ("8", "8", "102")], []))
    assert sides(pipeline, "BTC-USDT") == ([[10, 8], [9, 2]], [[11, 3], [12, 1]])


def test_changes_up_to_the_snapshot_are_old_and_a_hole_is_a_gap():
    pipeline = fed(*(change(number, number, [("10", str(number), str(number))]) for number in (99, 100, 101)))
    pipeline.rest(SPOT_URL, answer(100, [("9", "2")], []))
    assert sides(pipeline, "BTC-USDT") == ([[10, 101], [9, 2]], [])
    assert pipeline.symbol_stats("BTC-USDT")["stale"] == 2
    feed(pipeline, change(103, 103, [("10", "1", "103")]))
    assert pipeline.book("BTC-USDT").status is BookState.STALE
    assert [want.kind for want in pipeline.wanted()] == ["snapshot"]
    pipeline.rest(SPOT_URL, answer(90, [("9", "2")], []))         # older than the first change that is kept
    assert pipeline.book("BTC-USDT").status is BookState.STALE
    pipeline.rest(SPOT_URL, answer(103, [("9", "2")], []))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE


def test_a_start_above_its_end_is_never_applied():
    # 2023-06-01, an engine change: the numbers of levels began anew as well.
    pipeline = joined()
    feed(pipeline, change(101, 100, [("10", "77", "8005280396")]), change(103, 102, [("10", "78", "8005280397")]))
    assert sides(pipeline, "BTC-USDT")[0][0] == [10, 1]
    assert pipeline.book("BTC-USDT").status is BookState.STALE


@pytest.mark.parametrize("key", ["sequenceStart", "sequenceEnd"])
def test_a_change_without_a_number_is_bad(key):
    for lacking in without(pack(change(101, 101, [("10", "7", "101")])), key):
        pipeline = joined()
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("BTC-USDT").status is BookState.STALE


@pytest.mark.parametrize("level", [("10", "7"), ("10", "7", None), ("10", "7", "")])
def test_a_level_without_its_own_number_is_bad(level):
    pipeline = joined()
    for number in (101, 102):
        feed(pipeline, change(number, number, [("10", "2", str(number))]))
    pipeline.feed(pack(change(103, 103, [level])))
    assert pipeline.counters["errors"] == 1
    assert pipeline.book("BTC-USDT").status is BookState.STALE
    assert sides(pipeline, "BTC-USDT")[0][0] == [10, 2]


def test_an_answer_that_says_no_is_no_book():
    pipeline = fed(change(99, 99, [("10", "1", "99")]))
    pipeline.rest(SPOT_URL, b'{"code":"400100","msg":"symbol not exists"}')
    assert pipeline.book("BTC-USDT").status is BookState.SYNCING
    assert pipeline.counters["errors"] == 1


# ---- classic futures

def test_a_change_of_futures_is_a_text():
    pipeline = fed(futures(9, "1,buy,1"), futures(11, "83614,buy,12"), futures(12, "83615.5,sell,7"))
    pipeline.rest(FUTURES_URL, pack({"code": "200000", "data": {
        "symbol": "XBTUSDTM", "sequence": 10, "asks": [[83620.0, 5]], "bids": [[83614, 3], [83600.0, 1]],
        "ts": 1654326922830525196}}))
    where = {"market": "futures"}
    assert sides(pipeline, "XBTUSDTM", **where) == ([[83614, 12], [83600, 1]], [[83615.5, 7], [83620, 5]])
    feed(pipeline, futures(13, "83614,buy,0"), futures(14, "0,sell,0"), futures(15, "83600,buy,2"),
         futures(15, "83600,buy,99"))
    assert sides(pipeline, "XBTUSDTM", **where) == ([[83600, 2]], [[83615.5, 7], [83620, 5]])
    assert pipeline.book("XBTUSDTM", **where).raw.exchange_ns == 1790113097240000000
    feed(pipeline, futures(17, "83600,buy,3"))
    assert pipeline.book("XBTUSDTM", **where).status is BookState.STALE
    assert [(want.kind, want.market) for want in pipeline.wanted()] == [("snapshot", "futures")]


def test_many_changes_of_futures_by_layout_and_by_key():
    pipeline = fed(futures(1, "1,buy,0"))
    pipeline.rest(FUTURES_URL, pack({"code": "200000", "data": {"sequence": 1, "asks": [], "bids": []}}))
    for number in range(2, 300):
        feed(pipeline, futures(number, f"{100 + number % 9}.5,buy,{number % 5}" if number % 3 else
                               f"{200 + number % 9},sell,{number % 4}"))
    want = {}
    for number in range(2, 300):
        price, qty = (100.5 + number % 9, number % 5) if number % 3 else (200 + number % 9, -(number % 4))
        want[price] = qty
    bids, asks = sides(pipeline, "XBTUSDTM", market="futures")
    assert dict(bids) | {price: -qty for price, qty in asks} == {price: qty for price, qty in want.items() if qty}
    assert pipeline.counters["fast"] > 200


def test_a_change_of_futures_without_its_number_is_bad():
    for lacking in without(pack(futures(11, "83614,buy,12")), "sequence"):
        pipeline = fed(futures(10, "1,buy,1"))
        pipeline.rest(FUTURES_URL, pack({"code": "200000", "data": {"sequence": 10, "asks": [], "bids": [[83614, 3]]}}))
        assert pipeline.book("XBTUSDTM", market="futures").status is BookState.LIVE
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("XBTUSDTM", market="futures").status is BookState.STALE


@pytest.mark.parametrize("text", ["", "1", "1,buy", "1,bid,2", "1,,2", ",buy,2", "1,buy,", "x,buy,2", "1,buy,-2",
                                  "1,buy,2,3"])
def test_a_change_that_is_none_is_an_error(text):
    pipeline = Pipeline("kucoin")
    pipeline.feed(pack(futures(1, text)))
    assert pipeline.counters["errors"] == 1


# ---- whole books

def test_partial_books_are_kept_apart():
    pipeline = fed(
        {"type": "message", "topic": "/spotMarket/level2Depth5:BTC-USDT", "subject": "level2", "data": {
            "asks": [["31530.2", "2.90121626"]], "bids": [["31530.1", "0.74468602"]], "timestamp": 1653989906722}},
        '{"type":"message","topic":"/contractMarket/level2Depth50:XBTUSDM","subject":"level2","data":{"sequence":16385,'
        '"asks":[[31529,12725]],"bids":[[31528.00000000,2856]],"ts":1653991142662,"timestamp":1653991142662}}')
    assert sides(pipeline, "BTC-USDT", depth=5) == ([[31530.1, 0.74468602]], [[31530.2, 2.90121626]])
    assert sides(pipeline, "XBTUSDM", depth=50, market="futures") == ([[31528, 2856]], [[31529, 12725]])
    assert {stream.depth for stream in SPEC.streams(["A-B"], ["book"], depth=50)} == {50}


# ---- unified

def test_unified_books_come_whole_in_the_stream():
    pipeline = fed(unified("BTC-USDT", "delta", 4, 4, [("1", "1")], []))
    assert [want.kind for want in pipeline.wanted()] == ["resubscribe"]
    feed(pipeline, unified("BTC-USDT", "snapshot", 10, 10, [("100", "1")], [("101", "2")]),
         unified("BTC-USDT", "delta", 11, 14, [("100.5", "3"), ("90", "0")], [("101", "0")]))
    assert sides(pipeline, "BTC-USDT") == ([[100.5, 3], [100, 1]], [])
    feed(pipeline, unified("BTC-USDT", "delta", 14, 15, [("100", "0")], []))      # O <= last + 1 and C > last
    assert sides(pipeline, "BTC-USDT") == ([[100.5, 3]], [])
    feed(pipeline, unified("BTC-USDT", "delta", 17, 17, [("100", "1")], []))
    assert pipeline.book("BTC-USDT").status is BookState.STALE
    assert [want.kind for want in pipeline.wanted()] == ["resubscribe"]


@pytest.mark.parametrize("key", ["O", "C", "t", "dp"])
def test_a_unified_delta_that_does_not_say_all_is_bad(key):
    """Without its type it could be taken for a whole book, without its depth for another one."""
    for lacking in without(unified("BTC-USDT", "delta", 11, 11, [("100.5", "3")], []), key):
        pipeline = fed(unified("BTC-USDT", "snapshot", 10, 10, [("100", "1")], [("101", "2")]))
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("BTC-USDT").status is BookState.STALE
        assert sides(pipeline, "BTC-USDT") == ([[100, 1]], [[101, 2]])


def test_the_sheets_unified_frame():
    pipeline = fed(unified("XBTUSDTM", "snapshot", 1747821262583, 1747821262583, [("85887.1", "5")], [], "FUTURES"),
                   '{"T":"obu.FUTURES", "dp":"increment@10ms", "t":"delta", "P":1790114459840641662, "d":{"a":[],'
                   '"b":[["85973.3","16236"],["85887.1","98"]],"C":1747821262585,"s":"XBTUSDTM",'
                   '"M":1790114459839000000,"O":1747821262584}}')
    book = pipeline.book("XBTUSDTM", market="futures")
    assert sides(pipeline, "XBTUSDTM", market="futures") == ([[85973.3, 16236], [85887.1, 98]], [])
    assert (book.raw.exchange_ns, book.sequence) == (1790114459839000000, 1747821262585)


def test_keys_of_a_unified_frame_in_any_order_and_partial_books():
    pipeline = fed('{"d":{"O":3,"M":1790114459839000000,"s":"A-B","C":3,"b":[["1","2"]],"a":[]},"t":"snapshot",'
                   '"P":1790114459840641662,"dp":"increment@10ms","T":"obu.SPOT"}',
                   '{"T":"obu.SPOT", "dp":"50", "t":"snapshot", "P":1, "d":{"a":[],"b":[["7","1"]],"C":9,"s":"A-B"}}',
                   '{"T":"trade.SPOT", "P":1, "d":{"s":"A-B"}}')
    assert sides(pipeline, "A-B") == ([[1, 2]], [])
    assert sides(pipeline, "A-B", depth=50) == ([[7, 1]], [])
    assert pipeline.counters["ignored"] == 1


# ---- trades, quotes, tickers, marks

def test_the_id_of_a_trade_is_its_sequence():
    old = {"data": {"symbol": "DAPPT-BTC", "sequence": "1612701563869", "side": "buy", "size": "81.8814",
                    "price": "0.0000001117", "takerOrderId": "6085c0", "time": "1619378327739050725", "type": "match",
                    "makerOrderId": "6085c0", "tradeId": "6085c09769bc506996295e36"}, "subject": "trade.l3match",
           "topic": "/market/match:DAPPT-BTC", "type": "message"}
    kept = events(old, *ROW.trades)
    assert [(trade.symbol, trade.trade_id, trade.exchange_ns) for trade in kept] == [
        ("DAPPT-BTC", 1612701563869, 1619378327739050725), ("BTC-USDT", 11067996711960577, 1729843222921000000),
        ("SOLUSDTM", 1701197946092, 1705708799998000000)]
    assert (kept[0].price, kept[0].qty, kept[0].aggressor) == (1.117e-07, 81.8814, "buy")


def test_quotes_with_one_side():
    kept = events(topic("/spotMarket/level1:BTC-USDT", {"asks": [], "bids": ["2", "3"], "timestamp": 1729816058766}),
                  topic("/contractMarket/tickerV2:XBTUSDTM", {
                      "symbol": "XBTUSDTM", "sequence": 5, "bestBidSize": 0, "bestBidPrice": None,
                      "bestAskPrice": "31767.0", "bestAskSize": 1187, "ts": 1654032807465857723}, "tickerV2"),
                  topic("/contractMarket/tickerV2:ETHUSDCM", {
                      "symbol": "ETHUSDCM", "bestBidSize": 795, "bestBidPrice": 3200, "bestAskPrice": 3600,
                      "bestAskSize": 284, "ts": 1553846081210005000}, "tickerV2"))
    assert [(quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) for quote in kept] == [
        (2, 3, 0, 0), (0, 0, 31767, 1187), (3200, 795, 3600, 284)]
    assert [quote.symbol for quote in kept] == ["BTC-USDT", "XBTUSDTM", "ETHUSDCM"]


def test_a_ticker_is_a_quote_and_names_its_symbol_in_the_subject_of_all():
    data = {"bestAsk": "10.4686", "bestAskSize": "64.9647", "bestBid": "10.4647", "bestBidSize": "0.1416",
            "price": "10.4686", "sequence": "1619386350765", "size": "0.0153", "time": 1653955200018}
    kept = events({"type": "message", "topic": "/market/ticker:all", "subject": "DOT-USDT", "data": data},
                  topic("/market/ticker:all", data, "FTM-ETH"), topic("/market/ticker:FET-BTC", data, "trade.ticker"))
    tickers = [event for event in kept if type(event).__name__ == "Ticker"]
    quotes = [event for event in kept if type(event).__name__ == "Quote"]
    assert [event.symbol for event in tickers] == ["DOT-USDT", "FTM-ETH", "FET-BTC"]
    assert [event.symbol for event in quotes] == ["DOT-USDT", "FTM-ETH", "FET-BTC"]
    assert (quotes[0].bid_price, quotes[0].bid_qty, quotes[0].ask_price, quotes[0].ask_qty, quotes[0].sequence) == (
        10.4647, 0.1416, 10.4686, 64.9647, 1619386350765)
    assert (tickers[0].last_price, tickers[0].last_qty) == (10.4686, 0.0153)


def test_statistics_of_a_day():
    kept = events(
        '{"type":"message","topic":"/market/snapshot:BTC","subject":"trade.snapshot","data":{"sequence":"5701753771",'
        '"data":{"averagePrice":21736.7322544,"buy":21423,"changePrice":-1e-05,"changeRate":-0.0253,"close":21423.1,'
        '"datetime":1676310802092,"high":22030.70000000000000000000,"lastTradedPrice":21423.1,"low":21407,'
        '"open":21979.9,"symbol":"BTC-USDT","symbolCode":"BTC-USDT","vol":6179.1,"volValue":133988049.45570818}}}',
        '{"topic":"/contractMarket/snapshot:ETHUSDCM","subject":"snapshot.24h","data":{"volume":30449670,'
        '"turnover":845169919063,"lastPrice":3551,"priceChgPct":0.0043,"ts":1547697294838005000}}')
    day, futures_day = kept
    assert (day.symbol, day.last_price, day.open, day.high, day.low) == ("BTC-USDT", 21423.1, 21979.9, 22030.7, 21407)
    assert (day.volume, day.quote_volume, day.vwap, day.change) == (6179.1, 133988049.45570818, 21736.7322544, -1e-05)
    assert (futures_day.symbol, futures_day.last_price, futures_day.exchange_ns) == (
        "ETHUSDCM", 3551, 1547697294838005000)


def test_mark_index_and_funding_complete_each_other():
    kept = events(
        '{"topic":"/contract/instrument:XBTUSDTM","type":"message","subject":"mark.index.price","data":{"markPrice":'
        '39612.67,"indexPrice":39618,"granularity":1000,"timestamp":1706068802000}}',
        '{"topic":"/contract/instrument:XBTUSDTM","type":"message","subject":"funding.rate","data":{"granularity":60000,'
        '"fundingRate":0.000038,"timestamp":1706068800000}}')
    assert [(mark.symbol, mark.mark_price, mark.index_price) for mark in kept] == [("XBTUSDTM", 39612.67, 39618)] * 2
    assert kept[1].funding_rate == 0.000038


# ---- the connection

def test_the_address_comes_from_bullet_public():
    reply = pack({"code": "200000", "data": {"token": "2neAi+/=", "instanceServers": [
        {"endpoint": "wss://ws-api-spot.kucoin.com/", "encrypt": True, "protocol": "websocket", "pingInterval": 18000,
         "pingTimeout": 10000}]}})
    handshake = SPEC.handshake["classic_spot"]
    assert handshake.url == "https://api.kucoin.com/api/v1/bullet-public"
    assert SPEC.handshake["classic_futures"].url == "https://api-futures.kucoin.com/api/v1/bullet-public"
    assert handshake.read(reply, 7) == "wss://ws-api-spot.kucoin.com/?token=2neAi%2B%2F%3D&connectId=7"
    for body in (b"", b"[]", b"{}", b'{"data":{"token":"x","instanceServers":[]}}', b'{"data":{"token":1}}', b"\xff"):
        with pytest.raises(ValueError, match="bullet-public"):
            handshake.read(body, 7)
    assert SPEC.ping == '{"id":"p1","type":"ping"}'


def test_answers_are_no_market_data():
    frames = [*ROW.controls, '{"id":"1545910660739","type":"ack"}',
              '{"id":"9","type":"error","code":404,"topic":"/market/x:A-B","data":"topic /market/x:A-B is not found"}']
    pipeline = fed(*frames)
    assert [payload.decode() for _, payload in pipeline.control()] == frames
    assert SPEC.read_control(b'{"id":"12","type":"ack"}').request_id == 12
    assert SPEC.read_control(b'{"id":"12","result":true}').request_id == 12


def test_requests():
    names = [stream.name for stream in SPEC.streams(["btc-usdt"], ["book"])]
    assert SPEC.unsubscribe(names, 5) == [
        '{"id":"5","action":"UNSUBSCRIBE","channel":"obu","tradeType":"SPOT","symbol":"BTC-USDT","depth":"increment@10ms"}']
    names = [stream.name for stream in SPEC.streams(["BTC-USDT"], ["book"], speed="realtime")]
    assert SPEC.unsubscribe(names, 2) == [
        '{"id":2,"type":"unsubscribe","topic":"/market/level2:BTC-USDT","privateChannel":false,"response":true}']
    roots = {stream.channel: stream.root for stream in SPEC.streams(["XBTUSDTM"], ["book", "trades"], market="futures")}
    assert roots == {"book": "futures", "trades": "classic_futures"}


def test_what_there_is_not():
    for options, word in (({"depth": 7}, r"5 \(100ms\), 50"), ({"speed": "1s"}, r"500 \(10ms\), 500 \(realtime\)"),
                          ({"depth": 5, "speed": "10ms"}, "100ms"), ({"market": "x"}, "futures")):
        with pytest.raises(UnsupportedChannel, match=word):
            SPEC.streams(["BTC-USDT"], ["book"], **options)
    with pytest.raises(UnsupportedChannel, match="book, trades, quotes, ticker"):
        SPEC.streams(["BTC-USDT"], ["mark"])


def test_addresses():
    recorded = "https://api.kucoin.com/api/v3/market/orderbook/level2?symbol=BCHSV-USDT"
    assert SPEC.read_address(recorded) == Answer("snapshot", "BCHSV-USDT", 0, "spot")
    assert SPEC.read_address(SPOT_URL) == Answer("snapshot", "BTC-USDT", 100, "spot")
    assert SPEC.read_address(FUTURES_URL) == Answer("snapshot", "XBTUSDTM", 0, "futures")
    assert SPEC.snapshot_url("BTC-USDT", market="spot") == SPOT_URL
    assert SPEC.snapshot_url("BTC-USDT", limit=20, market="spot").endswith("level2_20?symbol=BTC-USDT")
    assert SPEC.snapshot_url("XBTUSDTM", market="futures") == FUTURES_URL
    assert SPEC.read_address("https://api.kucoin.com/api/v1/timestamp") is None


def test_instruments_of_a_recorded_day(data_dir):
    line = next(line for line in read_capture(data_dir / "kucoin/instruments.ws.gz") if line.kind == "h")
    url, _, body = line.payload.partition(b" ")
    assert SPEC.read_address(url.decode()) == Answer("instruments", market="spot")
    found = {entry.symbol: entry for entry in SPEC.read_instruments(body)}
    assert found["REQ-ETH"] == Instrument("REQ-ETH", "0.0000001", "0.0001", "spot", "spot", "REQ", "ETH", min_qty="1")
    assert found["BCHSV-USDT"] == Instrument("BCHSV-USDT", "0.001", "0.00000001", "spot", "spot", "BSV", "USDT",
                                             min_qty="0.001")
    assert found["BCHSV-USDT"].name == "BSV-USDT"
    assert [entry.symbol for entry in found.values() if entry.status != "trading"] == ["ZEL-BTC"]


@pytest.mark.parametrize(("text", "name", "listed"), [
    ('{"symbol":"AVA-USDT","name":"AVA-USDT","baseCurrency":"AVA","quoteCurrency":"USDT","feeCurrency":"USDT",'
     '"market":"USDS","baseMinSize":"0.1","quoteMinSize":"0.1","baseIncrement":"0.01","quoteIncrement":"0.0001",'
     '"priceIncrement":"0.0001","priceLimitRate":"0.1","minFunds":"0.1","enableTrading":true}', "AVA-USDT",
     Instrument("AVA-USDT", "0.0001", "0.01", "spot", "spot", "AVA", "USDT", min_qty="0.1", min_value="0.1")),
    ('{"symbol":"XBTUSDTM","rootSymbol":"USDT","type":"FFWCSX","expireDate":null,"baseCurrency":"XBT",'
     '"quoteCurrency":"USDT","settleCurrency":"USDT","lotSize":1,"tickSize":0.1,"multiplier":0.001,"isInverse":false,'
     '"status":"Open"}', "BTC-USDT-PERP",
     Instrument("XBTUSDTM", "0.1", "1", "futures", "perpetual", "BTC", "USDT", "USDT", "1", "", "0.001", "BTC")),
    ('{"symbol":"DOGEUSDTM","type":"FFWCSX","expireDate":null,"baseCurrency":"DOGE","quoteCurrency":"USDT",'
     '"settleCurrency":"USDT","lotSize":1,"tickSize":6.0e-4,"multiplier":100.0,"isInverse":false,"status":"Paused"}',
     "DOGE-USDT-PERP",
     Instrument("DOGEUSDTM", "0.0006", "1", "futures", "perpetual", "DOGE", "USDT", "USDT", "1", "", "100", "DOGE",
                status="halted")),
    ('{"symbol":"XBTUSDM","type":"FFWCSX","expireDate":null,"baseCurrency":"XBT","quoteCurrency":"USD",'
     '"settleCurrency":"XBT","lotSize":1,"tickSize":0.1,"multiplier":-1.0,"isInverse":true,"status":"Open"}',
     "BTC-USD-PERP",
     Instrument("XBTUSDM", "0.1", "1", "futures", "perpetual", "BTC", "USD", "BTC", "1", "", "1", "USD")),
    ('{"symbol":"XBTMH25","type":"FFICSX","expireDate":1743148800000,"baseCurrency":"XBT","quoteCurrency":"USD",'
     '"settleCurrency":"XBT","lotSize":1,"tickSize":1.0,"multiplier":-1.0,"isInverse":true,"status":"Open"}',
     "BTC-28MAR25",
     Instrument("XBTMH25", "1", "1", "futures", "future", "BTC", "USD", "BTC", "1", "", "1", "USD",
                expiry_ns=1743148800000_000000)),
])
def test_instruments_of_today(text, name, listed):
    assert SPEC.read_instruments(f'{{"code":"200000","data":[{text}]}}'.encode()) == [listed]
    assert listed.name == name
    assert listed.inverse == (listed.settle == "BTC")
    address, = SPEC.instruments_addresses[listed.market]
    assert SPEC.read_address(address) == Answer("instruments", market=listed.market)


@pytest.mark.parametrize("body", [b'{"data":[{"symbol":"X"}]}', b'{"code":"429000","msg":"too many requests"}', b"[]"])
def test_what_is_no_list_of_instruments(body):
    with pytest.raises(ValueError, match="a list of symbols or contracts"):
        SPEC.read_instruments(body)
