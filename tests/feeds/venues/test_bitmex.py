"""BitMEX: what its sheet tells beyond the list that every venue meets."""

from __future__ import annotations

import functools
import json
from math import isnan

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.simulator.event import Event, Level
from feeds.venue import Answer, UnsupportedChannel
from feeds.venues import load
from feeds.venues.dialects import speech
from orderbook import BookState
from tests import kept
from tests.dialects import Wire
from tests.kept import named
from tests.model import read_capture
from tests.venues import without
from tests.venues.bitmex import entry, number, partial, rows

SPEC = load("bitmex")
events = functools.partial(kept.events, "bitmex")
BIDS, ASKS = [("100", "1"), ("99.5", "2")], [("101", "3")]


def live(**options):
    pipeline = Pipeline("bitmex", **options)
    pipeline.feed(partial("XBTUSD", BIDS, ASKS))
    assert pipeline.book("XBTUSD").status is BookState.LIVE
    return pipeline


def bare(side, price, size=None):
    """A row as it was until 2023: without price and time."""
    return f'{{"symbol":"XBTUSD","id":{number(price)},"side":"{side}"' + (f',"size":{size}}}' if size else "}")


# ---- rows of the book

@pytest.mark.parametrize("more", [0, 1], ids=["one row", "two rows"])
def test_rows_that_name_their_level_by_the_id_alone(more):
    pipeline = live()
    extra = [bare("Buy", "99.5", 9)] * more
    pipeline.feed(rows("update", bare("Buy", "100", 7), *extra))
    assert pipeline.book("XBTUSD").best_bid == (100.0, 7.0)
    pipeline.feed(rows("delete", bare("Buy", "100"), *[bare("Sell", "101")] * more))
    assert pipeline.book("XBTUSD").best_bid == (99.5, 9.0 if more else 2.0)
    assert pipeline.book("XBTUSD").ask_levels == 1 - more
    assert pipeline.book("XBTUSD").status is BookState.LIVE


@pytest.mark.parametrize("more", [0, 1], ids=["one row", "two rows"])
def test_a_removed_row_may_have_a_size(more):
    pipeline = live()
    pipeline.feed(rows("delete", entry("XBTUSD", "Buy", "100", "42000000"), *[bare("Sell", "101")] * more))
    assert pipeline.book("XBTUSD").best_bid == (99.5, 2.0)
    assert pipeline.book("XBTUSD").status is BookState.LIVE


@pytest.mark.parametrize("action", ["update", "delete"])
@pytest.mark.parametrize("row", [bare("Buy", "97", 7), entry("XBTUSD", "Buy", "97", "7")], ids=["2021", "2024"])
@pytest.mark.parametrize("more", [0, 1], ids=["one row", "two rows"])
def test_an_id_that_no_row_has_told_of_is_a_gap(action, row, more):
    pipeline = live()
    pipeline.feed(rows(action, row, *[bare("Buy", "100", 8)] * more))
    assert pipeline.book("XBTUSD").status is BookState.STALE
    assert [(want.kind, want.symbol) for want in pipeline.wanted()] == [("resubscribe", "XBTUSD")]
    pipeline.feed(partial("XBTUSD", BIDS, ASKS))
    assert pipeline.book("XBTUSD").status is BookState.LIVE


@pytest.mark.parametrize("more", [0, 1], ids=["one row", "two rows"])
@pytest.mark.parametrize("action", ["insert", "update", "delete"])
def test_a_row_without_an_id_is_bad(action, more):
    for lacking in without(rows(action, entry("XBTUSD", "Buy", "98", "7"), *[bare("Buy", "100", 8)] * more), "id"):
        pipeline = live()
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("XBTUSD").status is BookState.STALE


def test_in_a_recording_such_a_row_is_a_break_and_left_out():
    pipeline = live(on_gap="count")
    pipeline.feed(rows("update", bare("Buy", "97", 7), bare("Buy", "100", 8)))
    pipeline.feed(rows("delete", bare("Buy", "97")))
    stats = pipeline.symbol_stats("XBTUSD")
    assert (stats["breaks"], stats["updates"], stats["changes"]) == (2, 2, 1)
    assert pipeline.book("XBTUSD").best_bid == (100.0, 8.0)


def test_what_comes_before_the_partial_is_not_taken():
    pipeline = Pipeline("bitmex")
    pipeline.feed(rows("insert", entry("XBTUSD", "Buy", "98", "1")))
    pipeline.feed(rows("update", bare("Buy", "97", 7), bare("Buy", "98", 7)))
    assert pipeline.book("XBTUSD").status is BookState.SYNCING
    pipeline.feed(partial("XBTUSD", BIDS, ASKS))
    assert pipeline.book("XBTUSD").bids(5).tolist() == [[100.0, 1.0], [99.5, 2.0]]


def test_a_partial_forgets_the_ids_of_before():
    pipeline = live()
    pipeline.feed(partial("XBTUSD", [("98", "1")], ASKS))
    pipeline.feed(rows("update", bare("Buy", "100", 7)))
    assert pipeline.book("XBTUSD").status is BookState.STALE


def test_an_empty_partial_is_an_empty_book():
    pipeline = Pipeline("bitmex")
    pipeline.feed(b'{"table":"orderBookL2","action":"partial","keys":["symbol","id","side"],"types":{"symbol":"symbol",'
                  b'"id":"long","side":"symbol","size":"long","price":"float"},"filter":{"symbol":"XBTUSD"},"data":[]}')
    assert pipeline.book("XBTUSD").status is BookState.LIVE
    pipeline.feed(rows("insert", entry("XBTUSD", "Buy", "98", "1")))
    assert pipeline.book("XBTUSD").best_bid == (98.0, 1.0)


@pytest.mark.parametrize("action", ["insert", "update", "delete"])
def test_a_frame_without_rows_changes_nothing(action):
    pipeline = live()
    pipeline.feed(rows(action))
    assert (pipeline.counters["errors"], pipeline.counters["ignored"]) == (0, 1)


def test_a_frame_is_one_message_for_each_symbol_it_has_rows_of():
    pipeline = Pipeline("bitmex")
    pipeline.feed(rows("partial", entry("XBTUSD", "Sell", "101", "3"), entry("XBTUSD", "Buy", "100", "1"),
                       entry("ETHUSD", "Sell", "11", "5"), entry("SOLUSD", "Buy", "1", "7")))
    assert [pipeline.book(symbol).status for symbol in ("XBTUSD", "ETHUSD", "SOLUSD")] == [BookState.LIVE] * 3
    assert pipeline.book("XBTUSD").best_bid == (100.0, 1.0)
    assert (pipeline.book("ETHUSD").bid_levels, pipeline.book("ETHUSD").best_ask) == (0, (11.0, 5.0))
    assert pipeline.counters["snapshots"] == 3
    pipeline.feed(rows("insert", entry("XBTUSD", "Buy", "99", "2"), entry("ETHUSD", "Buy", "10", "4"),
                       entry("ETHUSD", "Buy", "9", "4")))
    assert pipeline.counters["errors"] == 0
    assert [pipeline.symbol_stats(symbol)["updates"] for symbol in ("XBTUSD", "ETHUSD")] == [1, 1]
    assert pipeline.book("ETHUSD").bid_levels == 2


@pytest.mark.parametrize("extra", [
    '"zz":[{"a":1},{"symbol":"XBTUSD"}]', '"zz":{"a":1}', '"zz":"},{]}"', '"zz":[{"a":1}]'])
@pytest.mark.parametrize("last", [False, True])
def test_rows_may_hold_more_than_is_known(extra, last):
    pipeline = live()
    more = [bare("Buy", price, 7)[:-1] + f",{extra}}}" for price in ("100", "99.5")]
    pipeline.feed(rows("update", *(more if last else [*more, bare("Sell", "101", 8)])))
    assert pipeline.counters["errors"] == 0
    assert pipeline.book("XBTUSD").bids(5).tolist() == [[100.0, 7.0], [99.5, 7.0]]
    assert pipeline.book("XBTUSD").best_ask == (101.0, 3.0 if last else 8.0)


@pytest.mark.parametrize("bad", ['"size":7,}', '"size":07}', '"size":7 "x":1}', '"size":7,"x":}', '"size":7,"x":"}'])
def test_a_later_row_that_is_no_json_spoils_the_whole_frame(bad):
    pipeline = live(on_gap="count")
    good = bare("Buy", "100", 9)
    pipeline.feed(rows("update", good, bare("Buy", "99.5")[:-1] + "," + bad))
    pipeline.feed(rows("update", good, bare("Buy", "99.5")[:-1] + "," + bad, good))
    assert pipeline.counters["errors"] == 2
    assert pipeline.book("XBTUSD").best_bid == (100.0, 1.0)


def test_a_row_that_moves_its_id_to_the_other_side():
    pipeline = live(on_gap="count")
    pipeline.feed(rows("insert", entry("XBTUSD", "Sell", "100", "6")))
    assert pipeline.book("XBTUSD").best_ask == (100.0, 6.0)
    assert pipeline.book("XBTUSD").best_bid == (99.5, 2.0)
    assert pipeline.symbol_stats("XBTUSD")["changes"] == 1


def test_prices_have_exponents():
    pipeline = Pipeline("bitmex")
    pipeline.feed(partial("SHIBUSDT", [("9.111e-7", "1000")], [("1e-6", "2000"), ("9.2e-7", "1")]))
    assert pipeline.counters["errors"] == 0
    assert (pipeline.book("SHIBUSDT").best_bid[0], pipeline.book("SHIBUSDT").best_ask[0]) == (9.111e-7, 9.2e-7)
    pipeline.feed(rows("insert", entry("SHIBUSDT", "Buy", "1e-8", "5")))
    assert pipeline.book("SHIBUSDT").bid_levels == 2


def test_the_time_of_a_row_is_the_books():
    pipeline = live()
    for action, more in (("insert", []), ("update", [bare("Buy", "99.5", 3)])):
        pipeline.feed(rows(action, entry("XBTUSD", "Buy", "100", "5"), *more))
        assert pipeline.book("XBTUSD").exchange_ns == 1732436782356 * 10**6


@pytest.mark.parametrize("frame", [
    rows("insert", '{"symbol":"XBTUSD","id":1,"side":"Buy","size":1}'),
    rows("insert", '{"symbol":"XBTUSD","id":1,"size":1,"price":5}'),
    rows("insert", '{"symbol":"XBTUSD","side":"Buy","size":1,"price":5}'),
    rows("insert", '{"id":1,"side":"Buy","size":1,"price":5}'),
    rows("insert", '{"id":1,"side":"Buy","size":1,"price":5}', entry("XBTUSD", "Buy", "98", "1")),
    rows("update", '{"symbol":"XBTUSD","id":1,"side":"Bid","size":1}'),
    rows("update", '{"symbol":"XBTUSD","id":1,"side":"Buy"}'),
    rows("update", '{"symbol":"XBTUSD","id":1,"side":"Buy","size":null}', bare("Buy", "100", 8)),
    rows("revise", bare("Buy", "100", 8)),
    rows("revise", bare("Buy", "100", 8), bare("Buy", "99.5", 8)),
])
def test_a_row_that_lacks_something_is_an_error(frame):
    pipeline = live()
    pipeline.feed(frame)
    assert pipeline.counters["errors"] == 1


def test_25_levels_fill_a_book_of_their_own():
    pipeline = live()
    pipeline.feed(rows("partial", entry("XBTUSD", "Buy", "90", "1"), entry("XBTUSD", "Sell", "91", "1"),
                       table="orderBookL2_25"))
    pipeline.feed(rows("update", entry("XBTUSD", "Buy", "90", "4"), table="orderBookL2_25"))
    assert pipeline.book("XBTUSD", 25).best_bid == (90.0, 4.0)
    assert pipeline.book("XBTUSD").best_bid == (100.0, 1.0)


def test_ten_levels_come_whole_and_a_side_may_be_absent():
    pipeline = live()
    two = '{"symbol":"XBTUSD","bids":[[98490.3,22400]],"timestamp":"2024-11-24T08:19:13.513Z","asks":[[98490.4,17600]]}'
    one = '{"symbol":"XBTUSD","bids":[[98490.2,100]],"timestamp":"2024-11-24T08:19:13.613Z"}'
    for _ in range(2):
        pipeline.feed(rows("update", two, table="orderBook10"))
        assert pipeline.book("XBTUSD", 10).best_ask == (98490.4, 17600.0)
        pipeline.feed(rows("insert", one, table="orderBook10"))
        assert pipeline.book("XBTUSD", 10).best_bid == (98490.2, 100.0)
        assert pipeline.book("XBTUSD", 10).ask_levels == 0
    assert pipeline.book("XBTUSD", 10).exchange_ns == 1732436353613 * 10**6
    assert pipeline.book("XBTUSD").best_bid == (100.0, 1.0)
    pipeline.feed(rows("update", '{"symbol":"XBTUSD","timestamp":"2024-11-24T08:19:13.613Z"}', table="orderBook10"))
    assert pipeline.counters["errors"] == 1


# ---- the other tables

def test_several_quotes_of_a_frame():
    quotes = events('{"table":"quote","action":"insert","data":[{"timestamp":"2022-07-01T00:00:07.138Z","symbol":'
                    '"XBTUSD","bidSize":2100,"bidPrice":19917.5,"askPrice":19918,"askSize":3600},{"timestamp":'
                    '"2022-07-01T00:00:07.161Z","symbol":"XBTUSD","bidSize":2100,"bidPrice":19917.5,"askPrice":19923,'
                    '"askSize":33900}]}')
    assert [(quote.ask_price, quote.ask_qty) for quote in quotes] == [(19918.0, 3600.0), (19923.0, 33900.0)]
    assert quotes[1].exchange_ns == 1656633607161 * 10**6


def test_trades_of_before_the_subscription_are_left_out():
    trade = ('{"timestamp":"2021-03-21T01:12:42.361Z","symbol":"XBTM21","side":"Sell","size":8000,"price":62695.5,'
             '"tickDirection":"ZeroPlusTick","trdMatchID":"68624a99-e949-33cd-d7e9-63307cf15cfc","grossValue":1276,'
             '"homeNotional":0.1276,"foreignNotional":8000}')
    assert events(rows("partial", trade, table="trade")) == []
    kept = events(rows("insert", trade, trade, table="trade"))
    assert [(event.price, event.qty, event.aggressor, event.trade_id) for event in kept] == [
        (62695.5, 8000.0, "sell", 0)] * 2
    assert kept[0].exchange_ns == 1616289162361 * 10**6


def test_a_liquidation_has_the_side_of_the_forced_order():
    order, = events('{"table":"liquidation","action":"insert","data":[{"orderID":'
                    '"dd9cea25-207c-0dab-15b5-b88da776f500","symbol":"XBTUSD","side":"Buy","price":10106,"leavesQty":9214}]}')
    assert (order.side, order.price, order.qty) == ("buy", 10106.0, 9214.0)


@pytest.mark.parametrize("action", ["partial", "update", "delete"])
def test_only_a_new_liquidation_is_told(action):
    assert events(rows(action, '{"orderID":"dd9cea25","symbol":"XBTUSD","leavesQty":17}', table="liquidation")) == []


def test_rows_of_instruments_have_what_has_changed():
    whole = ('{"symbol":"XBTUSD","state":"Open","lastPrice":100.5,"markPrice":100.25,"indicativeSettlePrice":100.1,'
             '"fundingRate":0.0001,"fundingTimestamp":"2026-05-27T20:00:00.000Z","openInterest":58922153,'
             '"openValue":538432500000,"settledPrice":null,"prevPrice24h":99,"volume24h":70698,'
             '"timestamp":"2026-05-27T12:56:40.500Z"}')
    kept = events(rows("partial", whole, table="instrument"),
                  rows("update", '{"symbol":"XBTUSD","markPrice":101.5,"timestamp":"2026-05-27T12:56:41.000Z"}',
                       table="instrument"),
                  rows("update", '{"symbol":"XBTUSD","openInterest":58922154}', table="instrument"))
    marks, interests = named(kept, "Mark"), named(kept, "OpenInterest")
    assert (marks[0].mark_price, marks[0].index_price, marks[0].funding_rate) == (100.25, 100.1, 0.0001)
    assert marks[0].next_funding_ns == 1779912000 * 10**9
    assert (marks[1].mark_price, marks[1].index_price, marks[1].funding_rate) == (101.5, 100.1, 0.0001)
    assert (interests[0].qty, interests[0].value, interests[-1].qty) == (58922153.0, 538432500000.0, 58922154.0)
    last = named(kept, "Ticker")[-1]
    assert (last.last_price, last.volume, last.open) == (100.5, 70698.0, 99.0)


def test_a_row_of_an_instrument_alone():
    kept = events('{"table":"instrument","action":"update","data":[{"symbol":"ETHUSD","openInterest":58922153}]}')
    assert named(kept, "OpenInterest")[0].qty == 58922153.0
    assert isnan(named(kept, "Ticker")[0].last_price)


def test_funding_is_a_table_of_its_own():
    marks = named(events('{"table":"funding","action":"partial","data":[{"timestamp":"2021-11-02T12:00:00.000Z",'
                         '"symbol":"AAVEUSDT","fundingInterval":"2000-01-01T08:00:00.000Z","fundingRate":0.001941,'
                         '"fundingRateDaily":0.005823},{"timestamp":"2022-06-02T12:00:00.000Z","symbol":"XBTUSDT",'
                         '"fundingInterval":"2000-01-01T08:00:00.000Z","fundingRate":0.000075,'
                         '"fundingRateDaily":0.000225}]}'), "Mark")
    assert [(mark.symbol, mark.funding_rate) for mark in marks] == [("AAVEUSDT", 0.001941), ("XBTUSDT", 0.000075)]


@pytest.mark.parametrize("table", ["tradeBin1m", "quoteBin5m", "settlement", "insurance", "chat"])
def test_what_is_of_no_use_is_known(table):
    pipeline = Pipeline("bitmex")
    pipeline.feed(rows("insert", '{"symbol":"XBTUSD"}', table=table))
    assert (pipeline.counters["ignored"], pipeline.counters["errors"]) == (1, 0)


# ---- the connection

@pytest.mark.parametrize("frame", [
    b"pong", b'{"info":"Welcome to the BitMEX Realtime API.","version":"2021-07-14T01:26:29.000Z"}',
    b'{"success":true,"subscribe":"trade:XBTUSD","request":{"op":"subscribe","args":["trade:XBTUSD"]}}',
])
def test_what_is_about_the_connection(frame):
    pipeline = Pipeline("bitmex")
    pipeline.feed(frame)
    assert pipeline.control() == [(0, frame)]


@pytest.mark.parametrize(("frame", "kind", "streams"), [
    ('{"success":true,"subscribe":"trade:XBTUSD","request":{"op":"subscribe","args":["trade:XBTUSD","quote:XBTUSD"]}}',
     "ack", ("trade:XBTUSD",)),
    ('{"status":400,"error":"Unknown table: foo","meta":{},"request":{"op":"subscribe","args":["foo:X","trade:X"]}}',
     "error", ("foo:X",)),
    ('{"status":400,"error":"Unknown or expired symbol.","meta":{},"request":{"op":"subscribe","args":["trade:NOPE"]}}',
     "error", ("trade:NOPE",)),
    ('{"status":400,"error":"Unknown or expired symbol.","request":{"op":"subscribe","args":["trade:A","trade:B"]}}',
     "error", ()),
    ('{"status":400,"error":"Unknown table: foo","request":{"op":"subscribe","args":"foo"}}', "error", ("foo",)),
    ('{"status":400,"error":"You are already subscribed to this topic: trade:XBTUSD","request":{"op":"subscribe",'
     '"args":["trade:XBTUSD"]}}', "ack", ("trade:XBTUSD",)),
    ('{"status":503,"error":"overloaded"}', "error", ()),
])
def test_which_topics_an_answer_is_about(frame, kind, streams):
    control = SPEC.read_control(frame.encode())
    assert (control.kind, control.streams) == (kind, streams)


def test_the_acks_of_the_recording_are_read(data_dir):
    frames = [line.payload for line in read_capture(data_dir / "bitmex/orderbookl2_20210722.ws.gz") if line.kind == "<"]
    controls = [SPEC.read_control(frame) for frame in frames[:11]]
    assert [control.kind for control in controls] == ["other"] + ["ack"] * 10
    assert controls[3].streams == ("orderBookL2:XBTUSD",)


def test_the_ping():
    assert (SPEC.ping, SPEC.ping_interval_s) == ("ping", 5)


def test_unsubscribing():
    assert SPEC.unsubscribe(["orderBookL2:XBTUSD"], 2) == ['{"op":"unsubscribe","args":["orderBookL2:XBTUSD"]}']


def test_books_of_several_depths():
    for depth, name in ((None, "orderBookL2:XBTUSD"), (25, "orderBookL2_25:XBTUSD"), (10, "orderBook10:XBTUSD")):
        stream, = SPEC.streams(["XBTUSD"], ["book"], depth=depth)
        assert (stream.name, stream.depth) == (name, depth or 0)


@pytest.mark.parametrize("options", [{"depth": 5}, {"speed": "100ms"}, {"market": "spot"}])
def test_what_there_is_not_is_listed(options):
    with pytest.raises(UnsupportedChannel, match="bitmex has no "):
        SPEC.streams(["XBTUSD"], ["book"], **options)
    with pytest.raises(UnsupportedChannel, match="book, quotes, trades"):
        SPEC.streams(["XBTUSD"], ["candles"])


# ---- instruments

def test_the_recorded_list_is_read(data_dir):
    line, = read_capture(data_dir / "bitmex/instruments.ws.gz")
    url, _, body = line.payload.partition(b" ")
    assert SPEC.read_address(url.decode()) == Answer("instruments")
    found = {entry.symbol: entry for entry in SPEC.read_instruments(body)}
    assert len(found) == 34
    september = 1632484800 * 10**9
    assert found["XBTUSD"] == Instrument(
        "XBTUSD", "0.5", "100", kind="perpetual", base="BTC", quote="USD", settle="BTC", min_qty="100",
        contract_size="1", contract_unit="USD")
    assert found["XBTEURU21"] == Instrument(
        "XBTEURU21", "0.5", "100", kind="future", base="BTC", quote="EUR", settle="BTC", min_qty="100",
        contract_size="1", contract_unit="EUR", expiry_ns=september)
    assert found["XRPU21"] == Instrument(
        "XRPU21", "0.00000001", "1", kind="future", base="XRP", quote="BTC", settle="BTC", min_qty="1",
        contract_size="1", contract_unit="XRP", expiry_ns=september)
    assert found["UNIUSDT"] == Instrument(
        "UNIUSDT", "0.001", "1", kind="perpetual", base="UNI", quote="USDT", settle="BTC", min_qty="1",
        contract_size="0.00001", contract_unit="BTC")
    names = [found[symbol].name for symbol in ("XBTUSD", "XBTU21", "XBTEURU21", "XRPU21", "ETHUSDU21", "UNIUSDT")]
    assert names == ["BTC-USD-PERP", "BTC-24SEP21", "BTC-EUR-24SEP21", "XRP-BTC-24SEP21", "ETH-24SEP21",
                     "UNI-USDT-PERP"]
    assert len({entry.name for entry in found.values()}) == 34


def test_a_linear_contract_and_spot_of_today():
    body = (b'[{"symbol":"XBTUSDT","state":"Open","typ":"FFWCSX","expiry":null,"underlying":"XBT",'
            b'"quoteCurrency":"USDT","lotSize":100,"tickSize":0.1,"multiplier":1,"settlCurrency":"USDt",'
            b'"underlyingToPositionMultiplier":1000000,"underlyingToSettleMultiplier":null,'
            b'"quoteToSettleMultiplier":1000000,"isQuanto":false,"isInverse":false},'
            b'{"symbol":"ETH_USDT","state":"Unlisted","typ":"IFXXXP","expiry":null,"underlying":"ETH",'
            b'"quoteCurrency":"USDT","lotSize":10000,"tickSize":0.01,"multiplier":1,"settlCurrency":"USDt",'
            b'"underlyingToPositionMultiplier":1000000000,"isQuanto":false,"isInverse":false},'
            b'{"symbol":".BXBT","state":"Unlisted","typ":"MRCXXX","expiry":null,"tickSize":null}]')
    assert SPEC.read_instruments(body) == [
        Instrument("XBTUSDT", "0.1", "100", kind="perpetual", base="BTC", quote="USDT", settle="USDT", min_qty="100",
                   contract_size="0.000001", contract_unit="BTC"),
        Instrument("ETH_USDT", "0.01", "10000", base="ETH", quote="USDT", min_qty="10000",
                   contract_size="0.000000001", contract_unit="ETH", status="pre")]


@pytest.mark.parametrize("body", [b"", b'{"result":7}', b"[{}]", b"[7]"])
def test_another_answer_is_no_list(body):
    with pytest.raises(ValueError, match="a list of instruments"):
        SPEC.read_instruments(body)


# ---- the simulated venue

def test_a_row_is_inserted_updated_and_deleted():
    """Which it is follows from what the connection was told; a price that goes over to the other side is a new row."""
    wire = Wire("bitmex", 1)
    stream, = SPEC.streams(["XBTUSD"], ["book"])
    values = {"number": 1, "last_seq": 5, "time": 10**9}

    def encode(kind, *levels):
        frames = wire.speech.encode(stream, [Event(kind, "XBTUSD", values, list(levels))], wire.line)
        wire.feed(frames)
        return [(frame["action"], [(row["side"], row["price"], row["size"]) for row in frame["data"]])
                for frame in map(json.loads, frames)]

    assert encode("snapshot", Level(1, "100.0", "300"), Level(-1, "101.0", "400")) == [
        ("partial", [("Sell", 101, 400), ("Buy", 100, 300)])]
    assert encode("delta", Level(1, "101.0", "700"), Level(1, "100.0", "500"), Level(-1, "101.0", "0", True),
                  Level(-1, "102.0", "800")) == [
        ("delete", [("Sell", 101, 400)]), ("update", [("Buy", 100, 500)]),
        ("insert", [("Buy", 101, 700), ("Sell", 102, 800)])]
    assert wire.pipeline.book("XBTUSD").best_bid == (101.0, 700.0)
    assert wire.pipeline.book("XBTUSD").best_ask == (102.0, 800.0)


def test_an_address_may_ask_for_topics():
    assert speech("bitmex").named_by("/realtime?subscribe=instrument,orderBookL2_25:XBTUSD,quote:XBTUSD") == [
        "orderBookL2_25:XBTUSD", "quote:XBTUSD"]


def test_what_is_refused():
    wire = Wire("bitmex", 1)
    ask, = wire.speech.read('{"op":"subscribe","args":["foo:XBTUSD","quote:NOPE"]}', wire.line)
    controls = [SPEC.read_control(frame.encode()) for frame in wire.speech.answer(ask, [], ask.names, wire.line)]
    assert [(control.kind, control.streams) for control in controls] == [
        ("error", ("foo:XBTUSD",)), ("error", ("quote:NOPE",))]
    assert [ask.frames for ask in wire.speech.read("ping", wire.line)] == [("pong",)]
