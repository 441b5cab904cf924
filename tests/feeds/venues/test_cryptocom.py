"""Crypto.com: what its sheet tells beyond the list that every venue meets."""

from __future__ import annotations

import json
from functools import partial
from math import isnan

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.venue import Answer, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests import kept
from tests.dialects import Again
from tests.kept import named
from tests.model import read_capture
from tests.venues import without
from tests.venues.cryptocom import ROW, book, frame

SPEC = load("cryptocom")
events = partial(kept.events, "cryptocom")
SYMBOL = "BTCUSD-PERP"
BIDS, ASKS = [("100", "1"), ("99.5", "2")], [("101", "3")]


def live():
    pipeline = Pipeline("cryptocom")
    pipeline.feed(book(SYMBOL, None, 100, BIDS, ASKS))
    assert pipeline.book(SYMBOL).status is BookState.LIVE
    return pipeline


# ---- the book

def test_the_frames_of_the_sheet():
    pipeline = Pipeline("cryptocom")
    pipeline.feed(b'{"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"ETHUSD-PERP","subscription":'
                  b'"book.ETHUSD-PERP.50","channel":"book","depth":50,"data":[{"asks":[["2749.62","0.2008","2"]],"bids":'
                  b'[["2749.61","1.0","1"]],"t":1790114273395,"tt":1790114273346,"u":375554807297984,'
                  b'"cs":-1183713967}]}}')
    pipeline.feed(b'{"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"ETHUSD-PERP","subscription":'
                  b'"book.ETHUSD-PERP.50","channel":"book.update","depth":50,"data":[{"update":{"asks":[["2749.90","0",'
                  b'"0"],["2749.62","0.5","1"]],"bids":[]},"t":1790114273495,"tt":1790114273490,"u":375554807336512,'
                  b'"pu":375554807297984,"cs":123}]}}')
    held = pipeline.book("ETHUSD-PERP")
    assert (held.status, held.sequence) == (BookState.LIVE, 375554807336512)
    assert (held.best_bid, held.best_ask) == ((2749.61, 1.0), (2749.62, 0.5))
    assert held.exchange_ns == 1790114273490 * 10**6


def test_an_idle_book_repeats_its_number():
    pipeline = live()
    pipeline.feed(book(SYMBOL, 100, 100, [], []))
    pipeline.feed(book(SYMBOL, 100, 107, [("100.5", "4")], []))
    assert pipeline.book(SYMBOL).status is BookState.LIVE
    assert pipeline.book(SYMBOL).sequence == 107


def test_after_a_gap_only_a_snapshot_counts():
    pipeline = live()
    pipeline.feed(book(SYMBOL, 101, 107, [("100.5", "4")], []))
    assert pipeline.book(SYMBOL).status is BookState.STALE
    assert [(want.kind, want.symbol) for want in pipeline.wanted()] == [("resubscribe", SYMBOL)]
    pipeline.feed(book(SYMBOL, None, 90, BIDS, ASKS))
    pipeline.feed(book(SYMBOL, 90, 95, [("100.5", "4")], []))
    assert (pipeline.book(SYMBOL).status, pipeline.book(SYMBOL).sequence) == (BookState.LIVE, 95)


def test_the_venue_may_send_a_new_snapshot_at_any_time():
    pipeline = live()
    pipeline.feed(book(SYMBOL, None, 300, [("98", "1")], []))
    assert pipeline.book(SYMBOL).best_bid == (98.0, 1.0)
    assert (pipeline.book(SYMBOL).sequence, pipeline.book(SYMBOL).ask_levels) == (300, 0)


def test_the_book_is_cut_to_its_window():
    pipeline = Pipeline("cryptocom")
    pipeline.feed(book(SYMBOL, None, 1, [(str(100 - i), "1") for i in range(10)], [], depth=10))
    pipeline.feed(book(SYMBOL, 1, 2, [("101", "1")], [], depth=10))
    assert pipeline.book(SYMBOL).bid_levels == 10
    assert pipeline.book(SYMBOL).best_bid == (101.0, 1.0)
    assert pipeline.book(SYMBOL).bids(10).tolist()[-1] == [92.0, 1.0]


@pytest.mark.parametrize("key", ["u", "pu"])
def test_an_update_without_a_number_is_bad(key):
    for lacking in without(book(SYMBOL, 100, 101, [("100.5", "4")], []), key):
        pipeline = live()
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book(SYMBOL).status is BookState.STALE
        assert pipeline.book(SYMBOL).raw.bids()[0].tolist() == [100, 1]


def test_what_looks_like_a_checksum_is_not_checked():
    pipeline = live()
    pipeline.feed(book(SYMBOL, 100, 101, [("100.5", "4")], []))
    assert "crc_bad" not in pipeline.symbol_stats(SYMBOL)


def test_v2_had_bare_numbers_and_one_sequence_number():
    pipeline = Pipeline("cryptocom")
    head = '{"code":0,"method":"subscribe","result":{"instrument_name":"DOT_USDT","subscription":"book.DOT_USDT.150",'
    pipeline.feed((head + '"channel":"book","depth":150,"data":[{"bids":[[8.6143,7.5,1],[8.6135,1,1]],"asks":'
                   '[[8.65,9.8577,1]],"t":1659311999918,"s":763793100}]}}').encode())
    update = head + ('"channel":"book.update","depth":150,"data":[{"update":{"bids":[[8.6143,4.694,1],[8.6135,0,0]],'
                     '"asks":[[8.6427,696.434,2]]},"t":1659312000046,"s":763793123}]}}')
    pipeline.feed(update.encode())
    held = pipeline.book("DOT_USDT")
    assert (held.status, held.sequence, held.bid_levels) == (BookState.LIVE, 763793123, 1)
    assert (held.best_bid, held.best_ask) == ((8.6143, 4.694), (8.6427, 696.434))
    pipeline.feed(update.encode())
    assert pipeline.symbol_stats("DOT_USDT")["stale"] == 1


# ---- the other channels

def test_trades_of_one_frame_come_newest_first_and_may_share_an_id():
    trades = events('{"id":-1,"code":0,"method":"subscribe","result":{"channel":"trade","subscription":'
                    '"trade.BTCUSD-PERP","instrument_name":"BTCUSD-PERP","data":[{"d":"4611686018471467093",'
                    '"t":1667320276193,"p":"20439.5","q":"0.0050","s":"SELL","i":"BTCUSD-PERP"},'
                    '{"d":"4611686018471467093","t":1667320276192,"p":"20439.5","q":"0.1000","s":"BUY",'
                    '"i":"BTCUSD-PERP"}]}}')
    assert [(trade.symbol, trade.qty, trade.aggressor) for trade in trades] == [
        (SYMBOL, 0.005, "sell"), (SYMBOL, 0.1, "buy")]
    assert trades[0].trade_id == trades[1].trade_id == 611686018471467093       # the last 18 digits
    assert trades[0].exchange_ns == 1667320276193 * 10**6


def test_the_ticker_is_the_quote_too():
    kept = events(frame("APEUSD-PERP", "ticker.APEUSD-PERP", "ticker", {
        "h": "4.7743", "l": "4.6082", "a": "4.6121", "c": "-0.0144", "b": "4.6121", "bs": "25", "k": "4.6148",
        "ks": "131", "i": "APEUSD-PERP", "v": "123899", "vv": "580747.59", "oi": "55851", "t": 1667320303754}))
    ticker, = named(kept, "Ticker")
    assert (ticker.last_price, ticker.high, ticker.low) == (4.6121, 4.7743, 4.6082)
    assert (ticker.volume, ticker.quote_volume) == (123899.0, 580747.59)
    assert isnan(ticker.change)                             # a ratio in v1, a price in v2: left out
    assert named(kept, "Quote")[0].ask_qty == 131.0
    assert named(kept, "OpenInterest")[0].qty == 55851.0


def test_the_ticker_of_v2_has_no_quantities_and_is_no_quote():
    kept = events('{"code":0,"method":"subscribe","result":{"instrument_name":"YFI_USDT","subscription":'
                  '"ticker.YFI_USDT","channel":"ticker","data":[{"i":"YFI_USDT","b":7892.58,"k":7905.8,"a":7905.8,'
                  '"t":1653917205936,"v":16.9967,"h":8287.99,"l":7379.2,"c":324.02}]}}')
    assert named(kept, "Ticker")[0].last_price == 7905.8
    assert named(kept, "Quote") == []


def test_an_instrument_that_was_never_traded():
    ticker, = named(events(frame("NEW_USD", "ticker.NEW_USD", "ticker", {
        "h": None, "l": None, "a": None, "c": None, "b": None, "bs": None, "k": None, "ks": None, "i": "NEW_USD",
        "v": "0", "vv": "0", "oi": "0", "t": 1667320303754})), "Ticker")
    assert isnan(ticker.last_price)
    assert ticker.ask_qty == 0.0


def test_mark_and_funding_come_apart_and_are_kept_together():
    marks = named(events(
        frame(SYMBOL, "mark.BTCUSD-PERP", "mark", {"v": "31606.3", "t": 1653992543000}),
        frame(SYMBOL, "funding.BTCUSD-PERP", "funding", {"v": "0.00000700", "t": 1653992579000}),
        frame("BTCUSD-INDEX", "index.BTCUSD-INDEX", "index", {"v": "31601.35", "t": 1653992545000})), "Mark")
    assert (marks[0].mark_price, marks[1].mark_price, marks[1].funding_rate) == (31606.3, 31606.3, 0.000007)
    assert (marks[2].symbol, marks[2].index_price) == ("BTCUSD-INDEX", 31601.35)


def test_the_first_frame_of_mark_prices_may_have_the_number_of_the_request():
    mark, = events('{"id":1,"method":"subscribe","code":0,"result":{"instrument_name":"BTCUSD-PERP","subscription":'
                   '"mark.BTCUSD-PERP","channel":"mark","data":[{"v":"31606.3","t":1653992543000}]}}')
    assert mark.mark_price == 31606.3


@pytest.mark.parametrize("text", [
    frame(SYMBOL, "estimatedfunding.BTCUSD-PERP", "estimatedfunding"),
    frame(SYMBOL, "estimatedfunding.BTCUSD-PERP", "estimatedfunding", {"v": "0.1", "t": 1}),
    frame(SYMBOL, "candlestick.1m.BTCUSD-PERP", "candlestick", {"o": "1"}),
])
def test_what_is_of_no_use_is_known(text):
    pipeline = Pipeline("cryptocom")
    pipeline.feed(text)
    assert (pipeline.counters["ignored"], pipeline.counters["errors"]) == (1, 0)


# ---- the connection

def test_a_heartbeat_is_answered_with_its_number():
    control = SPEC.read_control(b'{"id":1790114291578,"method":"public/heartbeat","code":0}')
    assert control.reply == '{"id":1790114291578,"method":"public/respond-heartbeat"}'
    pipeline = Pipeline("cryptocom")
    pipeline.feed(b'{"id":1790114291578,"method":"public/heartbeat","code":0}')
    assert len(pipeline.control()) == 1


def test_answers_name_their_channel():
    control = SPEC.read_control(b'{"id":1,"method":"subscribe","code":0,"channel":"book.BTCUSD-PERP.50"}')
    assert control.request_id == 1
    assert set(control.streams) == {"book.BTCUSD-PERP.50", "book.BTCUSD-PERP.50@100ms"}
    control = SPEC.read_control(b'{"id":1,"method":"subscribe","code":40003,"message":"Unknown symbol",'
                                b'"channel":"book.NOPE.50"}')
    assert (control.text, control.streams[0]) == ("Unknown symbol", "book.NOPE.50")


@pytest.fixture
def at_the_time_of_the_sheet(monkeypatch):
    """The time of the sheet's first request."""
    monkeypatch.setattr("time.time", lambda: 1790114273.395)


def test_the_requests_of_the_sheet(at_the_time_of_the_sheet):
    streams = SPEC.streams(["BTCUSD-PERP", "ETHUSD-PERP"], ["book"])
    assert SPEC.subscribe([stream.name for stream in streams], 1) == [
        '{"id":1,"method":"subscribe","params":{"channels":["book.BTCUSD-PERP.50","book.ETHUSD-PERP.50"],'
        '"book_subscription_type":"SNAPSHOT_AND_UPDATE","book_update_frequency":10},"nonce":1790114273395}']
    streams = SPEC.streams(["btc_usd"], ["ticker", "trades", "quotes"])
    assert SPEC.subscribe([stream.name for stream in streams], 2) == [
        '{"id":2,"method":"subscribe","params":{"channels":["ticker.BTC_USD","trade.BTC_USD"]},"nonce":1790114273395}']
    assert SPEC.unsubscribe(["book.BTCUSD-PERP.50@100ms"], 3) == [
        '{"id":3,"method":"unsubscribe","params":{"channels":["book.BTCUSD-PERP.50"]},"nonce":1790114273395}']


def test_books_of_one_kind_share_a_request(at_the_time_of_the_sheet):
    names = [stream.name for options in ({"depth": 10}, {"depth": 10, "speed": "100ms"}, {"depth": 150}, {})
             for stream in SPEC.streams(["BTC_USD"], ["book", "trades"], **options)]
    asked = [json.loads(text)["params"] for text in SPEC.subscribe(names, 1)]
    assert [params["channels"] for params in asked] == [
        ["book.BTC_USD.10", "book.BTC_USD.50"], ["trade.BTC_USD"] * 4, ["book.BTC_USD.10"], ["book.BTC_USD.150"]]
    assert [params.get("book_update_frequency") for params in asked] == [10, None, 100, None]
    assert asked[3]["book_subscription_type"] == "SNAPSHOT"


def test_marks_come_with_their_index_and_funding():
    assert [(stream.name, stream.symbol) for stream in SPEC.streams(["BTCUSD-PERP", "BTCUSD-261225"], ["mark"])] == [
        ("mark.BTCUSD-PERP", "BTCUSD-PERP"), ("index.BTCUSD-INDEX", "BTCUSD-INDEX"),
        ("funding.BTCUSD-PERP", "BTCUSD-PERP"), ("mark.BTCUSD-261225", "BTCUSD-261225")]


@pytest.mark.parametrize("options", [{"depth": 5}, {"speed": "1s"}, {"depth": 150, "speed": "10ms"}])
def test_what_there_is_not_is_listed(options):
    with pytest.raises(UnsupportedChannel, match="it has: "):
        SPEC.streams(["BTC_USD"], ["book"], **options)
    with pytest.raises(UnsupportedChannel, match="derivatives only"):
        SPEC.streams(["BTC_USD"], ["mark"])
    with pytest.raises(UnsupportedChannel, match="book, quotes, trades"):
        SPEC.streams(["BTC_USD"], ["liquidations"])


# ---- instruments


def test_instruments_of_v1():
    spot = {"symbol": "BTC_USD", "inst_type": "CCY_PAIR", "base_ccy": "BTC", "quote_ccy": "USD", "quote_decimals": 2,
            "quantity_decimals": 5, "price_tick_size": "0.01", "qty_tick_size": "0.00001", "tradable": True,
            "expiry_timestamp_ms": 0}
    perpetual = {**spot, "symbol": "BTCUSD-PERP", "inst_type": "PERPETUAL_SWAP", "price_tick_size": "0.1",
                 "qty_tick_size": "0.0001", "contract_size": "1", "underlying_symbol": "BTCUSD-INDEX"}
    future = {**perpetual, "symbol": "BTCUSD-261225", "inst_type": "FUTURE", "expiry_timestamp_ms": 1798185600000,
              "tradable": False}
    listed = SPEC.read_instruments(json.dumps({"id": -1, "method": "public/get-instruments", "code": 0,
                                               "result": {"data": [spot, perpetual, future]}}).encode())
    assert listed == [
        Instrument("BTC_USD", "0.01", "0.00001", "", "spot", "BTC", "USD"),
        Instrument("BTCUSD-PERP", "0.1", "0.0001", "", "perpetual", "BTC", "USD", "USD", "", "", "1", "BTC"),
        Instrument("BTCUSD-261225", "0.1", "0.0001", "", "future", "BTC", "USD", "USD", "", "", "1", "BTC", "",
                   1798185600 * 10**9, status="halted")]
    assert [item.name for item in listed] == ["BTC-USD", "BTC-USD-PERP", "BTC-25DEC26"]
    assert SPEC.read_address(SPEC.instruments_addresses[""][0]) == Answer("instruments")
    assert SPEC.read_address("https://api.crypto.com/exchange/v1/public/get-book") is None


@pytest.mark.parametrize("body", [b"", b"[]", b'{"result":{"data":[{}]}}', b'{"result":7}', b'{"result":{}}'])
def test_another_answer_is_no_list(body):
    with pytest.raises(ValueError, match="a list of instruments"):
        SPEC.read_instruments(body)


def test_the_recorded_list_of_v2_is_read(data_dir):
    line, = read_capture(data_dir / "cryptocom/instruments.ws.gz")
    url, _, body = line.payload.partition(b" ")
    assert SPEC.read_address(url.decode()) == Answer("instruments")
    listed = {item.symbol: item for item in SPEC.read_instruments(body)}
    assert len(listed) == 250
    assert listed["RSR_USDT"] == Instrument("RSR_USDT", "0.00001", "0.1", "", "spot", "RSR", "USDT")
    assert listed["BTC_USDT"] == Instrument("BTC_USDT", "0.01", "0.000001", "", "spot", "BTC", "USDT")
    assert listed["SHIB_USDC"] == Instrument("SHIB_USDC", "0.000000001", "1", "", "spot", "SHIB", "USDC")


# ---- how it is written

def test_the_samples_of_the_sheet_are_written_again():
    samples = (
        book(SYMBOL, None, 375554806244928, [("2749.61", "1.0")], [("2749.62", "0.2008")]),
        book(SYMBOL, 375554807297984, 375554807336512, [], [("2749.90", "0")]),
        book(SYMBOL, 7, 7, [], []),
        frame(SYMBOL, f"mark.{SYMBOL}", "mark", {"v": "31606.3", "t": 1653992543000}),
        frame(SYMBOL, f"funding.{SYMBOL}", "funding", {"v": "0.00000700", "t": 1653992579000}),
        *(sample.encode() for sample in ROW.trades))
    again = Again("cryptocom")
    for sample in samples:
        again.check(sample)
    assert again.written == len(samples)
    assert again.lost == {"book result.data[].cs"}
