"""Deribit: what its sheet tells beyond the list that every venue meets."""

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
from tests.dialects import Wire
from tests.kept import named
from tests.model import read_capture
from tests.venues.deribit import book, notice

SPEC = load("deribit")
events = partial(kept.events, "deribit")
SYMBOL = "BTC-PERPETUAL"
BIDS, ASKS = [("100", "1"), ("99.5", "2")], [("101", "3")]


def live():
    pipeline = Pipeline("deribit")
    pipeline.feed(book(SYMBOL, "snapshot", None, 100, BIDS, ASKS))
    assert pipeline.book(SYMBOL).status is BookState.LIVE
    return pipeline


# ---- sequence

def test_changes_are_linked_and_their_numbers_not_consecutive():
    pipeline = live()
    pipeline.feed(book(SYMBOL, "change", 100, 193, [("100.5", "4")], []))
    pipeline.feed(book(SYMBOL, "change", 193, 200, [("100", "0")], []))
    assert pipeline.book(SYMBOL).status is BookState.LIVE
    assert pipeline.book(SYMBOL).sequence == 200


def test_after_a_gap_only_a_snapshot_counts():
    pipeline = live()
    pipeline.feed(book(SYMBOL, "change", 101, 193, [("100.5", "4")], []))
    pipeline.feed(book(SYMBOL, "change", 193, 200, [("100.5", "4")], []))
    assert pipeline.book(SYMBOL).status is BookState.STALE
    assert [(want.kind, want.symbol) for want in pipeline.wanted()] == [("resubscribe", SYMBOL)]
    pipeline.feed(book(SYMBOL, "snapshot", None, 90, BIDS, ASKS))
    assert pipeline.book(SYMBOL).status is BookState.LIVE
    assert pipeline.wanted() == []


@pytest.mark.parametrize("previous", ["20", "null", "0"])
def test_a_snapshot_is_one_by_its_type_whatever_number_it_has_before_it(previous):
    pipeline = live()
    frame = book(SYMBOL, "snapshot", 20, 300, [("7.562", "34")], [])
    pipeline.feed(frame.replace(b'"prev_change_id":20', f'"prev_change_id":{previous}'.encode()))
    assert pipeline.book(SYMBOL).status is BookState.LIVE
    assert pipeline.book(SYMBOL).sequence == 300
    assert (pipeline.book(SYMBOL).bid_levels, pipeline.book(SYMBOL).ask_levels) == (1, 0)


def test_before_2020_a_change_is_what_names_the_number_before():
    pipeline = Pipeline("deribit")
    pipeline.feed(notice("book.ETH-PERPETUAL.raw", '{"timestamp":1564617600273,"instrument_name":"ETH-PERPETUAL",'
                         '"change_id":1776289261,"bids":[["new",217.8,1895],["new",217.75,712]],'
                         '"asks":[["new",218.6,179803]]}'))
    pipeline.feed(notice("book.ETH-PERPETUAL.raw", '{"timestamp":1564617654272,"prev_change_id":1776289261,'
                         '"instrument_name":"ETH-PERPETUAL","change_id":1776294623,"bids":[["delete",217.8,0]],'
                         '"asks":[["change",218.6,64903]]}'))
    assert pipeline.counters["errors"] == 0
    assert pipeline.book("ETH-PERPETUAL").best_bid == (217.75, 712.0)
    assert pipeline.book("ETH-PERPETUAL").best_ask == (218.6, 64903.0)


def test_an_unknown_type_is_an_error():
    pipeline = live()
    pipeline.feed(book(SYMBOL, "partial", 100, 110, BIDS, ASKS))
    assert pipeline.counters["errors"] == 1


# ---- levels

def test_a_level_is_gone_by_its_word_or_by_an_amount_of_0():
    pipeline = live()
    body = ('{"type":"change","timestamp":1626993724318,"prev_change_id":100,"instrument_name":"BTC-PERPETUAL",'
            '"change_id":101,"bids":[["delete",100,5.0],["change",99.5,0.0]],"asks":[["new",101,7.0]]}')
    pipeline.feed(notice("book.BTC-PERPETUAL.100ms", body))
    assert pipeline.book(SYMBOL).bid_levels == 0
    assert pipeline.book(SYMBOL).best_ask == (101.0, 7.0)


def test_an_unknown_word_is_an_error():
    pipeline = live()
    pipeline.feed(book(SYMBOL, "change", 100, 101, [("100.5", "4")], []).replace(b'"change",100.5', b'"moved",100.5'))
    assert pipeline.counters["errors"] == 1
    assert pipeline.book(SYMBOL).status is BookState.STALE


def test_a_combo_may_have_prices_of_0_and_below():
    pipeline = Pipeline("deribit")
    combo = "BTC-FS-30SEP22_PERP"
    pipeline.feed(book(combo, "snapshot", None, 1, [("-7.0", "300000.0")], [("-5.0", "300000.0"), ("0.0", "10.0")]))
    pipeline.feed(book(combo, "change", 1, 2, [("-6.5", "20.0")], [("0.0", "0")]))
    assert pipeline.counters["errors"] == 0
    assert pipeline.book(combo).best_bid == (-6.5, 20.0)
    assert pipeline.book(combo).asks(5).tolist() == [[-5.0, 300000.0]]


def test_the_first_levels_whole_fill_a_book_of_their_own():
    pipeline = live()
    body = '{"timestamp":1,"instrument_name":"BTC-PERPETUAL","change_id":45176552517,"bids":[[31523.5,128780.0]],' \
           '"asks":[[31524.0,30.0]]}'
    pipeline.feed(notice("book.BTC-PERPETUAL.none.20.100ms", body))
    pipeline.feed(notice("book.BTC-PERPETUAL.none.1.agg2", body))
    assert pipeline.book(SYMBOL, 20).best_bid == (31523.5, 128780.0)
    assert pipeline.book(SYMBOL, 1).best_ask == (31524.0, 30.0)
    assert pipeline.book(SYMBOL).best_bid == (100.0, 1.0)


def test_a_book_of_grouped_prices_is_not_the_book():
    pipeline = live()
    pipeline.feed(notice("book.BTC-PERPETUAL.5.20.100ms", '{"timestamp":1,"instrument_name":"BTC-PERPETUAL",'
                         '"change_id":7,"bids":[[31520.0,128780.0]],"asks":[]}'))
    assert pipeline.counters["ignored"] == 1


# ---- the other channels

def forced(liquidation, direction="sell"):
    return notice("trades.BTC-PERPETUAL.raw",
                  f'[{{"trade_seq":40781986,"trade_id":"66460463","timestamp":1584058044032,"tick_direction":3,'
                  f'"price":4469.5,{liquidation}"instrument_name":"BTC-PERPETUAL","index_price":4805.41,'
                  f'"direction":"{direction}","amount":1120}},{{"trade_seq":40781987,"trade_id":"ETH-66460464",'
                  f'"timestamp":1584058044033,"price":4469.0,"instrument_name":"BTC-PERPETUAL","direction":"buy",'
                  f'"amount":10}}]')


@pytest.mark.parametrize(("liquidation", "sides"), [
    ("", []), ('"liquidation":"T",', ["sell"]), ('"liquidation":"M",', ["buy"]),
    ('"liquidation":"MT",', ["sell", "buy"]),
])
def test_a_forced_order_of_the_taker_has_his_side_that_of_the_maker_the_other(liquidation, sides):
    kept = events(forced(liquidation))
    trades = named(kept, "Trade")
    assert [(trade.price, trade.aggressor, trade.trade_id) for trade in trades] == [
        (4469.5, "sell", 66460463), (4469.0, "buy", 0)]
    assert [order.side for order in named(kept, "Liquidation")] == sides
    assert all((order.price, order.qty) == (4469.5, 1120.0) for order in named(kept, "Liquidation"))


def test_the_channel_of_a_kind_names_each_instrument_in_its_trade():
    kept = events(notice("trades.option.any.raw", '[{"trade_seq":1706,"trade_id":"137488100","timestamp":1616321732986,'
                         '"tick_direction":0,"price":0.007,"mark_price":0.00670817,"iv":78.44,"instrument_name":'
                         '"BTC-26MAR21-62000-C","index_price":56151.63,"direction":"buy","amount":0.1}]'))
    assert [(trade.symbol, trade.price, trade.qty) for trade in kept] == [("BTC-26MAR21-62000-C", 0.007, 0.1)]
    assert kept[0].exchange_ns == 1616321732986 * 10**6


OPTION = ('{"underlying_price":30220.5,"underlying_index":"BTC-30SEP22","timestamp":1654161839367,"stats":{"volume":'
          '16.7,"price_change":-18.1818,"low":0.009,"high":0.011},"state":"open","settlement_price":0.01,"open_interest":'
          '1767.5,"min_price":0.0001,"max_price":0.038,"mark_price":0.0084,"mark_iv":67.7,"last_price":0.009,'
          '"interest_rate":0.0,"instrument_name":"BTC-30SEP22-60000-C","index_price":29939.43,"greeks":{"vega":20.05335,'
          '"theta":-5.65962,"rho":4.91491,"gamma":0.00001,"delta":0.05785},"estimated_delivery_price":29939.43,'
          '"bid_iv":67.16,"best_bid_price":0.008,"best_bid_amount":2.8,"best_ask_price":0.009,"best_ask_amount":18.5,'
          '"ask_iv":68.65}')


def test_an_option_has_greeks_volatilities_and_its_underlying():
    ticker, = named(events(notice("ticker.BTC-30SEP22-60000-C.100ms", OPTION)), "Ticker")
    assert (ticker.delta, ticker.gamma, ticker.vega, ticker.theta, ticker.rho) == (
        0.05785, 0.00001, 20.05335, -5.65962, 4.91491)
    assert (ticker.mark_iv, ticker.bid_iv, ticker.ask_iv) == (67.7, 67.16, 68.65)
    assert (ticker.underlying_price, ticker.index_price, ticker.mark_price) == (30220.5, 29939.43, 0.0084)
    assert (ticker.high, ticker.low, ticker.volume, ticker.change_pct) == (0.011, 0.009, 16.7, -18.1818)
    assert (ticker.bid_price, ticker.bid_qty, ticker.ask_price, ticker.ask_qty) == (0.008, 2.8, 0.009, 18.5)
    assert isnan(ticker.funding_rate)
    assert ticker.exchange_ns == 1654161839367 * 10**6


def test_an_expired_option_says_so_where_a_number_is_usual():
    expired = OPTION.replace('"estimated_delivery_price":29939.43', '"estimated_delivery_price":"expired"')
    expired = expired.replace('"state":"open"', '"state":"closed","delivery_price":9728.65')
    assert named(events(notice("ticker.BTC-30SEP22-60000-C.raw", expired)), "Ticker")[0].mark_price == 0.0084


def test_what_there_is_none_of_is_null():
    bare = OPTION.replace("16.7", "null").replace("-18.1818", "null").replace('"low":0.009', '"low":null')
    bare = bare.replace('"last_price":0.009', '"last_price":null').replace('"high":0.011', '"high":null')
    ticker, = named(events(notice("ticker.BTC-30SEP22-60000-C.raw", bare)), "Ticker")
    assert all(isnan(value) for value in (ticker.volume, ticker.change_pct, ticker.low, ticker.high, ticker.last_price))


PERPETUAL = ('{"timestamp":1765541474086,"state":"open","stats":{"high":93612.0,"low":89277.5,"price_change":2.3275,'
             '"volume":11897.27640428,"volume_usd":1092371540.0,"volume_notional":1092371540.0},"index_price":92263.55,'
             '"instrument_name":"BTC-PERPETUAL","last_price":92283.5,"settlement_price":92464.66,"min_price":90897.5,'
             '"max_price":93666.5,"open_interest":1132329370.0,"mark_price":92281.78,"interest_value":'
             '0.0028213400122472977,"best_ask_price":92284.0,"best_bid_price":92283.5,"estimated_delivery_price":92263.55,'
             '"best_ask_amount":186520.0,"best_bid_amount":117660.0,"current_funding":-1.2e-05,"funding_8h":1.742e-05}')


def test_the_ticker_of_a_perpetual_gives_mark_and_open_interest():
    kept = events(notice("ticker.BTC-PERPETUAL.100ms", PERPETUAL))
    mark, = named(kept, "Mark")
    assert (mark.mark_price, mark.index_price, mark.funding_rate) == (92281.78, 92263.55, -1.2e-05)
    assert named(kept, "OpenInterest")[0].qty == 1132329370.0
    assert named(kept, "Ticker")[0].quote_volume == 1092371540.0


def test_an_incremental_ticker_keeps_what_it_does_not_repeat():
    kept = events(notice("incremental_ticker.BTC-PERPETUAL", PERPETUAL),
                  notice("incremental_ticker.BTC-PERPETUAL",
                         '{"timestamp":1765541474100,"type":"change","mark_price":92282.0,'
                         '"instrument_name":"BTC-PERPETUAL"}'))
    last = named(kept, "Ticker")[-1]
    assert (last.mark_price, last.last_price, last.open_interest) == (92282.0, 92283.5, 1132329370.0)


def test_data_may_stand_before_its_channel():
    frame = notice("quote.BTC-PERPETUAL", '{"timestamp":1,"instrument_name":"BTC-PERPETUAL","best_ask_price":2,'
                   '"best_bid_price":1,"best_ask_amount":4,"best_bid_amount":3}')
    message = json.loads(frame)
    turned = {"params": {key: message["params"][key] for key in ("data", "channel")}, "method": "subscription"}
    quote, = events(json.dumps(turned).encode())
    assert (quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) == (1.0, 3.0, 2.0, 4.0)
    trades = json.loads(forced(""))
    turned = {"params": {key: trades["params"][key] for key in ("data", "channel")}, "method": "subscription"}
    assert len(events(json.dumps(turned).encode())) == 2


# ---- the connection

def test_a_test_request_is_answered():
    control = SPEC.read_control(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}')
    assert control.kind == "ping"
    reply = json.loads(control.reply)
    assert (reply["jsonrpc"], reply["method"], reply["params"]) == ("2.0", "public/test", {})


def test_the_greeting_sets_the_heartbeat():
    greeting = json.loads(SPEC.greeting[0])
    assert (greeting["method"], greeting["params"]) == ("public/set_heartbeat", {"interval": 30})


def test_an_ack_names_the_channels_that_are_known_only():
    control = SPEC.read_control(b'{"jsonrpc":"2.0","id":7,"result":["trades.BTC-PERPETUAL.100ms"],"usDiff":1000}')
    assert (control.kind, control.request_id, control.streams) == ("ack", 7, ("trades.BTC-PERPETUAL.100ms",))


def test_the_acks_of_the_recording_are_read(data_dir):
    frames = [line.payload for line in read_capture(data_dir / "deribit/options_20210722.ws.gz") if line.kind == "<"]
    control = SPEC.read_control(frames[0])
    assert (control.kind, control.request_id) == ("ack", 0)
    assert "book.BTC-24SEP21-8000-P.raw" in control.streams


@pytest.mark.parametrize(("typed", "symbol"), [
    ("btc-perpetual", "BTC-PERPETUAL"), ("xrp_usdc-30jun25-0d625-c", "XRP_USDC-30JUN25-0d625-C"),
    ("btc-27dec24-100000-c", "BTC-27DEC24-100000-C"), ("BTC-CS-19MAY26-70000_75000", "BTC-CS-19MAY26-70000_75000"),
])
def test_the_spelling_of_symbols(typed, symbol):
    assert SPEC.symbol(typed) == symbol


@pytest.mark.parametrize("options", [
    {"depth": 5}, {"speed": "10ms"}, {"depth": 10, "speed": "raw"}, {"market": "spot"}])
def test_what_there_is_not_is_listed(options):
    with pytest.raises(UnsupportedChannel, match="it has: "):
        SPEC.streams(["BTC-PERPETUAL"], ["book"], **options)
    with pytest.raises(UnsupportedChannel, match="book, quotes, trades"):
        SPEC.streams(["BTC-PERPETUAL"], ["candles"])


def test_unsubscribing():
    assert SPEC.unsubscribe(["book.BTC-PERPETUAL.100ms"], 2) == [
        '{"jsonrpc":"2.0","id":2,"method":"public/unsubscribe","params":{"channels":["book.BTC-PERPETUAL.100ms"]}}']


# ---- instruments

def test_the_tick_is_the_smallest_one():
    body = (b'{"jsonrpc":"2.0","result":[{"tick_size":0.0005,"tick_size_steps":[{"above_price":0.005,"tick_size":'
            b'0.0005},{"above_price":0.0,"tick_size":1e-4}],"min_trade_amount":0.1,"instrument_name":"BTC-30SEP22-60000-C",'
            b'"kind":"option","base_currency":"BTC","quote_currency":"BTC","counter_currency":"USD","contract_size":1.0,'
            b'"instrument_type":"reversed","strike":60000.0,"option_type":"call","settlement_period":"month",'
            b'"expiration_timestamp":1664524800000,"is_active":true,"state":"open"}]}')
    entry, = SPEC.read_instruments(body)
    assert (entry.name, entry.tick_size, entry.lot_size) == ("BTC-30SEP22-60000-C", "0.0001", "0.1")
    assert [SPEC.read_address(address) for address in SPEC.instruments_addresses[""]] == [Answer("instruments")]
    assert SPEC.read_address("https://www.deribit.com/api/v2/public/get_order_book?instrument_name=X") is None


@pytest.mark.parametrize("body", [b"", b"[]", b'{"result":[{}]}', b'{"result":7}', b"\xff"])
def test_another_answer_is_no_list(body):
    with pytest.raises(ValueError, match="a list of instruments"):
        SPEC.read_instruments(body)


def test_the_recorded_lists_are_read(data_dir):
    found = {}
    hour = 3_600_000_000_000
    for line in read_capture(data_dir / "deribit/instruments.ws.gz"):
        url, _, body = line.payload.partition(b" ")
        assert SPEC.read_address(url.decode()) == Answer("instruments")
        found.update((entry.symbol, entry) for entry in SPEC.read_instruments(body))
    assert len(found) == 398 + 426 + 177 + 16
    assert found["BTC-PERPETUAL"] == Instrument(
        "BTC-PERPETUAL", "0.5", "10", kind="perpetual", base="BTC", quote="USD", settle="BTC", min_qty="10",
        contract_size="10", contract_unit="USD")
    assert found["BTC-25MAR22"] == Instrument(
        "BTC-25MAR22", "0.5", "10", kind="future", base="BTC", quote="USD", settle="BTC", min_qty="10",
        contract_size="10", contract_unit="USD", expiry_ns=1648195200 * 10**9)
    assert found["BTC-24SEP21-40000-P"] == Instrument(
        "BTC-24SEP21-40000-P", "0.0005", "0.1", kind="option", base="BTC", quote="USD", settle="BTC", min_qty="0.1",
        contract_size="1", contract_unit="BTC", expiry_ns=1632470400 * 10**9, strike="40000", option_type="put")
    assert found["SOL-30MAY22-48-C"] == Instrument(
        "SOL-30MAY22-48-C", "0.001", "1", kind="option", base="SOL", quote="USD", settle="SOL", min_qty="1",
        contract_size="1", contract_unit="SOL", expiry_ns=459416 * hour, strike="48", option_type="call")
    assert found["UNI_USDC-PERPETUAL"] == Instrument(
        "UNI_USDC-PERPETUAL", "0.001", "1", kind="perpetual", base="UNI", quote="USDC", settle="USDC", min_qty="1",
        contract_size="1", contract_unit="UNI")
    assert all(entry.name == name for name, entry in found.items() if not name.endswith("PERPETUAL"))
    assert (found["BTC-PERPETUAL"].name, found["BTC-PERPETUAL"].inverse) == ("BTC-USD-PERP", True)
    assert (found["UNI_USDC-PERPETUAL"].name, found["UNI_USDC-PERPETUAL"].inverse) == ("UNI-USDC-PERP", False)


def test_what_the_list_says_today():
    """Shapes of 2025: spot, combos, linear options with a point in the strike, and other states."""
    def body(**entry):
        entry = {"tick_size": 0.01, "min_trade_amount": 0.001, "contract_size": 0.001, "base_currency": "BTC",
                 "quote_currency": "USDC", "counter_currency": "USDC", "expiration_timestamp": 1751011200000,
                 "is_active": True, "state": "open", "instrument_type": "linear", **entry}
        return json.dumps({"jsonrpc": "2.0", "result": [entry]}).encode()

    spot, = SPEC.read_instruments(body(instrument_name="BTC_USDC", kind="spot", expiration_timestamp=32503708800000))
    assert spot == Instrument("BTC_USDC", "0.01", "0.001", base="BTC", quote="USDC", min_qty="0.001")
    option, = SPEC.read_instruments(body(
        instrument_name="XRP_USDC-27JUN25-0d625-C", kind="option", base_currency="XRP", settlement_currency="USDC",
        settlement_period="month", contract_size=1000.0, min_trade_amount=1000.0, strike=0.625, option_type="call",
        state="created"))
    assert option == Instrument(
        "XRP_USDC-27JUN25-0d625-C", "0.01", "1000", kind="option", base="XRP", quote="USDC", settle="USDC",
        min_qty="1000", contract_size="1000", contract_unit="XRP", expiry_ns=1751011200 * 10**9, strike="0.625",
        option_type="call", status="pre")
    assert option.name == "XRP-USDC-27JUN25-0.625-C"
    combo, = SPEC.read_instruments(body(instrument_name="BTC-CS-27JUN25-70000_75000", kind="option_combo",
                                        quote_currency="BTC", counter_currency="USD", settlement_period="month",
                                        instrument_type="reversed", state="closed", is_active=False))
    assert (combo.kind, combo.name, combo.status) == ("combo", "BTC-CS-27JUN25-70000_75000", "closed")


# ---- the simulated venue

def told(wire, text):
    """The answer to a request, as JSON."""
    ask, = wire.speech.read(text, wire.line)
    frames = ask.frames if ask.kind == "reply" else wire.speech.answer(
        ask, [name for name in ask.names if wire.hall.streams(name, "public")], [], wire.line)
    return json.loads(frames[0])


def test_unknown_channels_are_left_out_of_the_answer():
    wire = Wire("deribit", 1)
    assert told(wire, '{"jsonrpc":"2.0","id":7,"method":"public/subscribe","params":{"channels":["book.NOPE.raw",'
                      '"quote.BTC-PERPETUAL"]}}')["result"] == ["quote.BTC-PERPETUAL"]
    assert told(wire, '{"jsonrpc":"2.0","id":8,"method":"private/buy"}')["error"]["code"] == -32601
    assert told(wire, "{")["error"]["code"] == -32700


def test_a_heartbeat_comes_to_those_who_asked_for_it():
    wire = Wire("deribit", 1)
    assert wire.speech.beat(wire.line, 0) == []
    assert told(wire, SPEC.greeting[0])["result"] == "ok"
    frame, = wire.speech.beat(wire.line, 0)
    control = SPEC.read_control(frame.encode())
    assert control.kind == "ping"
    assert SPEC.read_control(json.dumps(told(wire, control.reply)).encode()).kind == "pong"


def test_options_are_told_with_greeks():
    wire = Wire("deribit", 1)
    wire.subscribe(SPEC.streams(["BTC-26MAR27-60000-C"], ["ticker"]))
    while not wire.others:
        wire.step()
    ticker = wire.others[0]
    assert ticker.symbol == "BTC-26MAR27-60000-C"
    assert 0 < ticker.delta < 1
    assert ticker.mark_iv > 0


def test_some_trades_of_the_simulated_market_are_liquidations():
    wire = Wire("deribit", 1)
    wire.subscribe(SPEC.streams(["ETH-PERPETUAL"], ["liquidations"]))
    while not wire.others:
        wire.step()
    forced = wire.others[0]
    trade = next(trade for trade in wire.trades if trade.trade_id % 25 == 0)
    assert (forced.price, forced.qty) == (trade.price, trade.qty)
