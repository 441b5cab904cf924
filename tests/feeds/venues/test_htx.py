"""HTX: what its sheet tells beyond the list that every venue meets."""

from __future__ import annotations

import gzip
import json
from functools import partial
from math import isnan

import pytest

from feeds.instruments import Instrument
from feeds.simulator.dialect import Line
from feeds.venue import Answer, UnsupportedChannel
from feeds.venues import load
from feeds.venues.dialects import speech
from orderbook import BookState
from tests import kept
from tests.dialects import Wire
from tests.kept import feed
from tests.model import read_capture
from tests.venues import without
from tests.venues.htx import ROW, answer, change, swap

SPEC = load("htx")
events = partial(kept.events, "htx")
fed = partial(kept.fed, "htx")


def pack(message):
    return json.dumps(message, separators=(",", ":")).encode()


def push(topic, tick, **more):
    return {"ch": topic, "ts": 1790134831873, "tick": tick, **more}


def step0(symbol, version, bids, asks):
    """A whole book; the numbers are texts with exponents, as the venue writes them."""
    def side(pairs):
        return "[" + ",".join(f"[{price},{qty}]" for price, qty in pairs) + "]"

    return (f'{{"ch":"market.{symbol}.depth.step0","ts":1618678069870,"tick":{{"bids":{side(bids)},"asks":{side(asks)},'
            f'"version":{version},"ts":1618678069868}}}}')


def sides(pipeline, symbol, **where):
    raw = pipeline.book(symbol, **where).raw
    return raw.bids().tolist(), raw.asks().tolist()


# ---- frames

def test_frames_are_gzip_members():
    plain = [step0("btcusdt", number, [("1.0", str(number))], []) for number in range(1, 30)]
    pipeline = fed(*(gzip.compress(text.encode()) for text in plain), gzip.compress(b'{"ping":1618678073643}'))
    assert sides(pipeline, "btcusdt") == ([[1, 29]], [])
    assert pipeline.control() == [(0, b'{"ping":1618678073643}')]
    for broken in (b"\x1f\x8b", b"\x1f\x8b\x08\x00garbage", gzip.compress(plain[0].encode())[:-9]):
        pipeline.feed(broken)
    assert pipeline.counters["errors"] == 3


def test_a_ping_is_answered():
    assert SPEC.read_control(b'{"ping":1618678073643}').reply == '{"pong":1618678073643}'
    assert SPEC.read_control(b'{"op":"ping","ts":"1618678073643"}').reply == '{"op":"pong","ts":"1618678073643"}'


def test_answers_are_no_market_data():
    frames = [*ROW.controls, '{"id":"3","subbed":"market.BTC-USDT.depth.size_150.high_freq","ts":1,"status":"ok"}']
    pipeline = fed(*frames)
    assert [payload.decode() for _, payload in pipeline.control()] == frames


def test_an_answer_names_the_request_or_the_stream():
    assert SPEC.read_control(b'{"id":"7","status":"ok","subbed":"market.a.bbo","ts":1}').request_id == 7
    assert SPEC.read_control(b'{"id":7,"status":"ok","subbed":"market.a.bbo","ts":1}').request_id == 7
    assert SPEC.read_control(b'{"op":"sub","cid":"7","topic":"public.X.funding_rate","err-code":0}').request_id == 7
    assert SPEC.read_control(b'{"id":null,"subbed":"market.a.bbo","ts":1,"status":"ok"}').streams == ("market.a.bbo",)
    refused = SPEC.read_control(b'{"op":"sub","topic":"public.X.y","ts":1,"err-code":2002,"err-msg":"invalid topic"}')
    assert (refused.kind, refused.code, refused.reason) == ("error", 2002, "bad_symbol")
    assert refused.streams == ("public.X.y",)


# ---- whole books

def test_exponents_with_a_capital_e():
    pipeline = fed(step0("trioeth", 1, [("9.121E-7", "92730.24"), ("1.0E-10", "4.0E7")], [("9.2E-7", "3.358149508E7")]))
    assert sides(pipeline, "trioeth") == ([[9.121e-07, 92730.24], [1e-10, 40000000]], [[9.2e-07, 33581495.08]])


def test_quantities_that_no_common_scale_holds():
    pipeline = fed(step0("xvgeth", 1, [("2.75E-5", "3307.9982700421942"), ("2.7E-5", "5993289.85")],
                         [("2.8E-5", "173416519.2452")]))
    assert sides(pipeline, "xvgeth") == ([[2.75e-05, 3307.9982700421942], [2.7e-05, 5993289.85]],
                                         [[2.8e-05, 173416519.2452]])


def test_an_older_whole_book_is_dropped():
    pipeline = fed(step0("btcusdt", 5, [("1", "1")], []), step0("btcusdt", 4, [("1", "2")], []),
                   step0("btcusdt", 5, [("1", "3")], []))
    assert sides(pipeline, "btcusdt") == ([[1, 3]], [])


def test_the_version_goes_before_mrid_and_a_side_may_be_missing():
    topic = "market.GST-USDT.depth.step0"
    pipeline = fed(push(topic, {"mrid": 34526821266, "id": 1651233614, "asks": [[7.5, 4218]], "ts": 1651233614936,
                                "version": 1651233614, "ch": topic}))
    assert sides(pipeline, "GST-USDT", market="swap") == ([], [[7.5, 4218]])
    assert pipeline.book("GST-USDT", market="swap").sequence == 1651233614
    feed(pipeline, push(topic, {"version": 1651233615, "mrid": 1, "bids": None, "asks": [], "ts": 1651233614937}),
         push(topic, {"mrid": 1, "bids": [[7, 1]], "ts": 1651233614938, "version": 1651233616}))
    assert sides(pipeline, "GST-USDT", market="swap") == ([[7, 1]], [])
    assert pipeline.book("GST-USDT", market="swap").sequence == 1651233616


def test_merged_and_refreshed_books_are_kept_apart():
    pipeline = fed(push("market.btcusdt.depth.step1", {"bids": [[31638.9, 2.4]], "asks": [], "version": 7, "ts": 1}),
                   push("market.btcusdt.mbp.refresh.10", {"seqNum": 9, "bids": [[31638, 1]], "asks": [[31640, 2]]}))
    assert sides(pipeline, "btcusdt", depth=20) == ([[31638.9, 2.4]], [])
    assert sides(pipeline, "btcusdt", depth=10) == ([[31638, 1]], [[31640, 2]])
    assert SPEC.streams(["btcusdt"], ["book"], depth=10)[0].depth == 10


def test_changes_of_2019_are_changes():
    topic = "market.BCH_CQ.depth.step0"
    pipeline = fed(push(topic, {"bids": [[290.8, 1]], "asks": [[299, 7]], "ts": 1, "version": 5}),
                   push(topic, {"bids": [[290.8, 0], [290, 3]], "asks": [], "ts": 2, "version": 6}, update=True))
    assert sides(pipeline, "BCH_CQ", market="swap") == ([[290, 3]], [[299, 7]])


# ---- changes of spot

def test_the_sheets_join():
    """Increments wait for the answer; those up to its seqNum are old, then prevSeqNum links them."""
    pipeline = fed(change("btcusdt", 90, 95, [("618.37", "1")], []), change("btcusdt", 95, 100, [("618", "2")], []),
                   change("btcusdt", 100, 104, [], [("645.14", "26.75597395914065")]))
    assert [want.kind for want in pipeline.wanted()] == ["request"]
    feed(pipeline, answer("btcusdt", 100, [("618.37", "71.594")], [("650.59", "14.909733438479636")]))
    bids, asks = sides(pipeline, "btcusdt")
    assert bids == [[618.37, 71.594]]
    assert [price for price, _ in asks] == [645.14, 650.59]
    assert [qty for _, qty in asks] == pytest.approx([26.75597395914065, 14.909733438479636], rel=1e-15)
    feed(pipeline, change("btcusdt", 104, 250, [("618.37", "0.0")], []))
    assert sides(pipeline, "btcusdt")[0] == []
    assert pipeline.book("btcusdt").sequence == 250
    feed(pipeline, change("btcusdt", 251, 252, [("1", "1")], []))
    assert pipeline.book("btcusdt").status is BookState.STALE
    assert [want.kind for want in pipeline.wanted()] == ["request"]
    feed(pipeline, answer("btcusdt", 252, [("2", "1")], []), change("btcusdt", 252, 253, [("3", "1")], []))
    assert sides(pipeline, "btcusdt") == ([[3, 1], [2, 1]], [])
    assert pipeline.book("btcusdt").status is BookState.LIVE


def test_an_answer_older_than_the_first_increment_is_asked_for_again():
    pipeline = fed(change("btcusdt", 100, 104, [("1", "1")], []), answer("btcusdt", 99, [("2", "1")], []))
    assert pipeline.book("btcusdt").status is not BookState.LIVE
    assert [want.kind for want in pipeline.wanted()] == ["request"]
    feed(pipeline, answer("btcusdt", 104, [("2", "1")], []))
    assert sides(pipeline, "btcusdt") == ([[2, 1]], [])


def test_the_request_for_a_whole_book():
    assert SPEC.request("market.btcusdt.mbp.400", 2) == '{"req":"market.btcusdt.mbp.400","id":"2"}'
    assert SPEC.request("market.btcusdt.mbp.refresh.20", 2) == ""
    assert SPEC.request("market.BTC-USDT.depth.size_150.high_freq", 2) == ""
    (stream,) = SPEC.streams(["btcusdt"], ["book"])
    assert (stream.name, stream.root) == ("market.btcusdt.mbp.150", "feed")


# ---- changes of swaps

def test_the_version_of_a_swap_counts():
    pipeline = fed(swap("BTC-USDT", "snapshot", 10, [("86853.4", "2")], [("86854", "1")]),
                   swap("BTC-USDT", "update", 11, [], []), swap("BTC-USDT", "update", 12, [("86848.5", "4.0E2")], []))
    where = {"market": "swap"}
    assert sides(pipeline, "BTC-USDT", **where) == ([[86853.4, 2], [86848.5, 400]], [[86854, 1]])
    assert pipeline.book("BTC-USDT", **where).status is BookState.LIVE
    feed(pipeline, swap("BTC-USDT", "update", 14, [("1", "1")], []))
    assert pipeline.book("BTC-USDT", **where).status is BookState.STALE
    assert [(want.kind, want.market) for want in pipeline.wanted()] == [("resubscribe", "swap")]
    feed(pipeline, swap("BTC-USDT", "snapshot", 20, [], [("86854", "1")]))
    assert sides(pipeline, "BTC-USDT", **where) == ([], [[86854, 1]])


@pytest.mark.parametrize("key", ["version", "event"])
@pytest.mark.parametrize("event", ["snapshot", "update"])
def test_a_swap_book_without_its_version_or_its_event_is_bad(event, key):
    """The count of matches, mrid, is no number of the book."""
    where = {"market": "swap"}
    for lacking in without(swap("BTC-USDT", event, 11, [("7", "4")], []), key):
        pipeline = fed(swap("BTC-USDT", "snapshot", 10, [("86853.4", "2")], [("86854", "1")]))
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("BTC-USDT", **where).status is BookState.STALE
        assert sides(pipeline, "BTC-USDT", **where) == ([[86853.4, 2]], [[86854, 1]])


@pytest.mark.parametrize("key", ["seqNum", "prevSeqNum"])
def test_a_change_of_spot_without_a_number_is_bad(key):
    for lacking in without(change("btcusdt", 10, 11, [("7", "4")], []), key):
        pipeline = fed(change("btcusdt", 9, 10, [], []), answer("btcusdt", 10, [("8", "1")], []))
        assert pipeline.book("btcusdt").status is BookState.LIVE
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("btcusdt").status is BookState.STALE


def test_a_whole_book_without_its_version_is_bad():
    for lacking in without(step0("btcusdt", 6, [("1", "2")], []).encode(), "version"):
        pipeline = fed(step0("btcusdt", 5, [("1", "1")], []))
        pipeline.feed(lacking)
        assert pipeline.book("btcusdt").status is BookState.STALE


def test_an_empty_swap_book_has_no_sides():
    topic = "market.BCH_NQ.depth.size_150.high_freq"
    pipeline = fed(push(topic, {"ch": topic, "event": "snapshot", "id": 7, "mrid": 7, "ts": 1592130, "version": 5}),
                   push(topic, {"asks": [], "bids": [[228.191, 7999]], "ch": topic, "event": "update", "id": 8,
                                "mrid": 9, "ts": 1592200802699, "version": 6}))
    assert sides(pipeline, "BCH_NQ", market="swap") == ([[228.191, 7999]], [])


def test_the_markets_are_told_apart_by_the_symbol():
    pipeline = fed(step0("btcusdt", 1, [("1", "1")], []), swap("BTC-USDT", "snapshot", 1, [("2", "2")], []))
    assert sides(pipeline, "btcusdt", market="spot") == ([[1, 1]], [])
    assert sides(pipeline, "BTC-USDT", market="swap") == ([[2, 2]], [])


# ---- trades, quotes, statistics

def trade(topic, *rows):
    return push(f"market.{topic}.trade.detail", {"id": 100182534526, "ts": 1618678073690, "data": list(rows)})


def test_ids_of_27_digits_and_quantities_of_40():
    row = {"id": 100182534526255757567432481, "ts": 1618678073690, "tradeId": 102523573486, "amount": 1.98e-4,
           "price": 55000.1, "direction": "buy"}
    late = {"tradeId": 102523573487, "id": 100182534526255757567432482, "ts": 1618678073691, "amount": 0.5,
            "price": 55000.2, "direction": "sell"}
    without = {key: value for key, value in row.items() if key != "tradeId"}
    kept = events(trade("btcusdt", row, late, without), '{"ch":"market.BTC_CQ.trade.detail","ts":1616231995793,"tick":{'
                  '"id":128974648797,"ts":1616231995768,"data":[{"amount":2,"quantity":'
                  '0.0031859832031779545255059460801016711000,"ts":1616231995768,"id":1289746487970000,"price":62774.97,'
                  '"direction":"buy"}]}}')
    assert [one.trade_id for one in kept] == [102523573486, 102523573487, 526255757567432481, 1289746487970000]
    assert [(one.symbol, one.qty, one.aggressor) for one in kept] == [
        ("btcusdt", 1.98e-4, "buy"), ("btcusdt", 0.5, "sell"), ("btcusdt", 1.98e-4, "buy"), ("BTC_CQ", 2, "buy")]
    assert kept[1].exchange_ns == 1618678073691000000


def test_an_empty_direction_says_nothing_also_among_learned_frames():
    rows = [{"amount": 2, "ts": 1666114554480 + i, "id": 10 + i, "price": 19425, "direction": word}
            for i, word in enumerate(["buy", "", "sell"] * 8)]
    kept = events(*(trade("BTC-USDT", row) for row in rows))
    assert [one.aggressor for one in kept] == ["buy", None, "sell"] * 8


def test_a_frame_without_trades():
    assert events(trade("btcusdt")) == []


def test_a_swap_quote_may_lack_a_side():
    topic = "market.BTC-USDT.bbo"
    kept = events(push(topic, {"bid": [86853.4, 1200], "ch": topic, "id": 1, "mrid": 1, "version": 7}),
                  push(topic, {"ask": [86853.5, 310], "bid": None, "ch": topic, "version": 8}), *ROW.quotes)
    assert [(one.bid_price, one.bid_qty, one.ask_price, one.ask_qty) for one in kept[:2]] == [
        (86853.4, 1200, 0, 0), (0, 0, 86853.5, 310)]
    assert [one.sequence for one in kept] == [7, 8, 100020146795, 100129125618998]
    assert [one.exchange_ns for one in kept[2:]] == [1790134831872000000, 1790134831870000000]


def test_statistics_count_in_the_markets_unit():
    kept = events(
        push("market.btcusdt.detail", {"id": 311070770838, "low": 29326.15, "high": 31899.51, "open": 31666.3,
                                       "close": 29952.31, "vol": 8.181588598785326E8, "amount": 26897.159881877742,
                                       "version": 311070770838, "count": 699452}),
        push("market.btcusdt.ticker", {"open": 1, "high": 4, "low": 0.5, "close": 2, "amount": 7, "vol": 14, "count": 3,
                                       "bid": 1.5, "bidSize": 2, "ask": 2.5, "askSize": 3, "lastPrice": 2.25,
                                       "lastSize": 0.75}),
        push("market.BTC-USDT.detail", {"id": 1654164240, "mrid": 108854811173, "open": 30728.4, "close": 29944.4,
                                        "high": 30729.5, "low": 29306.6, "amount": 34473.406, "vol": 34473406,
                                        "trade_turnover": 1047364677.232, "count": 203526, "ask": [29940.5, 2138],
                                        "bid": [29940.4, 3743]}))
    assert [(one.symbol, one.last_price, one.volume, one.quote_volume, one.trades) for one in kept] == [
        ("btcusdt", 29952.31, 26897.159881877742, 8.181588598785326E8, 699452), ("btcusdt", 2.25, 7, 14, 3),
        ("BTC-USDT", 29944.4, 34473406, 1047364677.232, 203526)]
    assert kept[1].last_qty == 0.75


def test_funding_of_every_contract_in_one_frame():
    row = {"symbol": "BTC", "contract_code": "BTC-USD", "fee_asset": "BTC", "funding_time": "1654173960000",
           "funding_rate": "0.000046774664737679", "estimated_rate": None, "settlement_time": "1654185600000"}
    kept = events({"op": "notify", "topic": "public.*.funding_rate", "ts": 1654174017332, "data": [
        row, row | {"contract_code": "ETH-USD", "funding_rate": "-0.000050627986553411"}]})
    assert [(one.symbol, one.funding_rate, one.next_funding_ns) for one in kept] == [
        ("BTC-USD", 0.000046774664737679, 1654185600000000000),
        ("ETH-USD", -0.000050627986553411, 1654185600000000000)]


def test_mark_and_index_are_candles_and_complete_each_other():
    candle = {"id": 1654081380, "open": "1", "close": "31565.04", "high": "2", "low": "0.5", "amount": "0", "vol": "0",
              "count": "0"}
    kept = events(push("market.BTC-USDT.mark_price.1min", candle),
                  push("market.BTC-USDT.index.1min", candle | {"close": 31566}))
    assert (kept[0].mark_price, kept[1].mark_price, kept[1].index_price) == (31565.04, 31565.04, 31566)
    assert isnan(kept[0].index_price)


def test_the_direction_of_a_liquidation_is_the_orders():
    kept = events('{"op":"notify","topic":"public.BTC-USDT.liquidation_orders","ts":1608226502344,"data":[{"symbol":'
                  '"BTC","contract_code":"BTC-USDT","direction":"sell","offset":"close","volume":227,"price":23350.5,'
                  '"created_at":1608226502284,"amount":0.227,"trade_turnover":5300.5635}]}')
    assert [(one.symbol, one.price, one.qty, one.side) for one in kept] == [("BTC-USDT", 23350.5, 227, "sell")]


# ---- streams

def test_streams_live_on_several_addresses():
    planned = SPEC.streams(["BTC-USDT", "eth/usd"], ["book", "mark", "liquidations"], market="swap")
    assert [(stream.name, stream.root) for stream in planned] == [
        ("market.BTC-USDT.depth.size_150.high_freq", "swap"), ("market.BTC-USDT.mark_price.1min", "index"),
        ("market.BTC-USDT.index.1min", "index"), ("public.BTC-USDT.funding_rate", "notices"),
        ("public.BTC-USDT.liquidation_orders", "notices"), ("market.ETH-USD.depth.size_150.high_freq", "coin_swap"),
        ("market.ETH-USD.mark_price.1min", "index"), ("market.ETH-USD.index.1min", "index"),
        ("public.ETH-USD.funding_rate", "coin_notices"), ("public.ETH-USD.liquidation_orders", "coin_notices")]
    assert {stream.root for stream in planned} <= set(SPEC.roots)
    assert SPEC.unsubscribe([planned[0].name, planned[3].name], 8) == [
        '{"unsub":"market.BTC-USDT.depth.size_150.high_freq","id":"8"}',
        '{"op":"unsub","cid":"8","topic":"public.BTC-USDT.funding_rate"}']
    assert SPEC.streams(["BTC/USDT"], ["trades"])[0].name == "market.btcusdt.trade.detail"


def test_what_there_is_not():
    for options, word in (({"depth": 7}, r"150, 5, 20, 400, 10, 150 \(1s\)"), ({"speed": "1ms"}, "150"),
                          ({"market": "x"}, "swap"), ({"market": "swap", "depth": 400}, "150, 20")):
        with pytest.raises(UnsupportedChannel, match=word):
            SPEC.streams(["btcusdt"], ["book"], **options)
    with pytest.raises(UnsupportedChannel, match="book, trades, quotes, ticker"):
        SPEC.streams(["btcusdt"], ["liquidations"])
    with pytest.raises(UnsupportedChannel, match="in the stream"):
        SPEC.snapshot_url("btcusdt")


RECORDED = [
    ("instruments", Instrument(
        "yeebtc", "0.0000000001", "0.01", "spot", base="YEE", quote="BTC", min_qty="1", min_value="0.0001"), "YEE-BTC"),
    ("instruments", Instrument(
        "btcusdt", "0.01", "0.000001", "spot", base="BTC", quote="USDT", min_qty="0.0001", min_value="5"), "BTC-USDT"),
    ("instruments_swap", Instrument(
        "BTC-USD", "0.1", "1", "swap", "perpetual", "BTC", "USD", "BTC", "1", contract_size="100",
        contract_unit="USD"), "BTC-USD-PERP"),
    ("instruments_swap", Instrument(
        "BTC-USDT", "0.1", "1", "swap", "perpetual", "BTC", "USDT", "USDT", "1", contract_size="0.001",
        contract_unit="BTC"), "BTC-USDT-PERP"),
]


@pytest.mark.parametrize(("name", "entry", "called"), RECORDED)
def test_recorded_lists_of_instruments(data_dir, name, entry, called):
    found, count = {}, 0
    for line in read_capture(data_dir / f"htx/{name}.ws.gz"):
        url, _, body = line.payload.partition(b" ")
        assert SPEC.read_address(url.decode()) == Answer("instruments", market=entry.market)
        listed = SPEC.read_instruments(body)
        found.update((one.symbol, one) for one in listed)
        count += len(listed)
    assert count == len(found) == {"spot": 938, "swap": 50 + 121}[entry.market]
    assert (found[entry.symbol], found[entry.symbol].name) == (entry, called)


def test_lists_of_today():
    body = (b'{"status":"ok","data":[{"symbol":"btcusdt","bc":"btc","qc":"usdt","pp":2,"ap":6,"state":"online",'
            b'"minoa":0.0001,"lominoa":0.00001,"minov":10},{"sc":"newusdt","bc":"new","qc":"usdt","pp":4,"ap":0,'
            b'"state":"pre-online"}]}')
    assert SPEC.read_instruments(body) == [
        Instrument("btcusdt", "0.01", "0.000001", "spot", base="BTC", quote="USDT", min_qty="0.00001", min_value="10"),
        Instrument("newusdt", "0.0001", "1", "spot", base="NEW", quote="USDT", status="pre")]
    body = (b'{"status":"ok","data":[{"symbol":"BTC","contract_code":"BTC-USDT-261225","contract_size":0.001,'
            b'"price_tick":0.1,"delivery_date":"20261225","delivery_time":"1798185600000","contract_status":5,'
            b'"business_type":"futures","pair":"BTC-USDT","contract_type":"quarter","trade_partition":"USDT"}]}')
    assert SPEC.read_instruments(body) == [
        Instrument("BTC-USDT-261225", "0.1", "1", "swap", "future", "BTC", "USDT", "USDT", "1", contract_size="0.001",
                   contract_unit="BTC", expiry_ns=1798185600 * 10**9, status="halted")]
    for market, addresses in SPEC.instruments_addresses.items():
        assert {SPEC.read_address(address) for address in addresses} == {Answer("instruments", market=market)}
    with pytest.raises(ValueError, match="expected a list of symbols or contracts"):
        SPEC.read_instruments(b'{"data":[{"symbol":"X"}]}')


# ---- the simulated venue

def said(frames):
    """Frames of the simulated venue, unpacked."""
    return [json.loads(gzip.decompress(frame)) for frame in frames]


def test_the_book_is_given_to_who_requests_it():
    wire = Wire("htx", 1)
    stream, = SPEC.streams(["btcusdt"], ["book"])
    wire.subscribe([stream])
    ask, = wire.speech.read(SPEC.request(stream.name, 9), wire.line)
    assert (ask.kind, ask.names) == ("snapshot", ("market.btcusdt.mbp.150",))
    feed, = wire.hall.open(stream.name, stream.root)
    frame, = said(wire.speech.encode(stream, [feed.snapshot()], wire.line))
    assert (frame["rep"], frame["id"], frame["status"]) == ("market.btcusdt.mbp.150", "9", "ok")
    assert (len(frame["data"]["bids"]), frame["data"]["seqNum"]) == (150, feed.last_id)


@pytest.mark.parametrize(("root", "kind"), [("spot", "ping"), ("swap", "ping"), ("notices", "ping")])
def test_pings_are_packed_and_answered(root, kind):
    spoken, line = speech("htx"), Line(root)
    frame, = spoken.beat(line, 1_618_678_073_643_000_000)
    control = SPEC.read_control(gzip.decompress(frame))
    assert control.kind == kind
    assert "1618678073643" in control.reply
    assert spoken.read(control.reply, line) == []


def test_topics_that_there_are_not():
    wire = Wire("htx", 1)
    for text in ('{"sub":"market.nopeusdt.bbo","id":"1"}', '{"op":"sub","cid":"1","topic":"public.NOPE.funding_rate"}'):
        ask, = wire.speech.read(text, wire.line)
        control = SPEC.read_control(gzip.decompress(wire.speech.answer(ask, (), ask.names, wire.line)[0]))
        assert (control.kind, control.request_id, control.reason) == ("error", 1, "bad_symbol")
