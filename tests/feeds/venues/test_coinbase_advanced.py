"""Coinbase Advanced Trade: what its sheet warns of. What every venue must do is in tests/feeds/test_venues.py."""

from __future__ import annotations

import json
import math

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.venue import Count, Link, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests.dialects import Again
from tests.kept import Events, fed
from tests.venues.coinbase_advanced import event, frame

SPEC = load("coinbase_advanced")

TRADE = {"product_id": "BTC-USD", "trade_id": "1069726293", "price": "63310.25", "size": "0.00000012",
         "time": "2026-08-12T19:27:48.298771Z", "side": "BUY"}
TICKER = {"type": "ticker", "product_id": "BTC-USD", "price": "63320.73", "volume_24_h": "6629.927726",
          "low_24_h": "63235.88", "high_24_h": "64416.3", "low_52_w": "57717.55", "high_52_w": "126296",
          "price_percent_chg_24_h": "-0.03813791548644", "best_bid": "63320.73", "best_ask": "63320.74",
          "best_bid_quantity": "0.12636254", "best_ask_quantity": "0.49679101"}


def feed(*frames, **options):
    events = Events()
    return fed("coinbase_advanced", *frames, handler=events, **options), events


def trades(sequence, *events):
    return frame(sequence, "market_trades", *({"type": kind, "trades": list(listed)} for kind, *listed in events))


def test_the_sheets_first_frame():
    text = (b'{"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:00.123456789Z","sequence_num":0,'
            b'"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":'
            b'"2026-04-07T14:30:00.123456Z","price_level":"68900.00","new_quantity":"1.5"},{"side":"offer","event_time":'
            b'"1970-01-01T00:00:00Z","price_level":"68901.00","new_quantity":"0.5"}]}]}')
    pipeline, _ = feed(text)
    book = pipeline.book("BTC-USD")
    assert book.status is BookState.LIVE
    assert (book.raw.bids().tolist(), book.raw.asks().tolist()) == ([[68900, 1.5]], [[68901, 0.5]])
    assert book.raw.exchange_ns == 1775572200123456789


def test_the_snapshot_may_come_before_the_ack_and_updates_may_be_empty():
    ack = frame(2, "subscriptions", {"subscriptions": {"level2": ["BTC-USD"]}})
    pipeline, _ = feed(
        frame(0, "l2_data", event("BTC-USD", "snapshot", [("10", "1")], [("11", "2")])),
        frame(1, "l2_data", event("BTC-USD", "update", [], [])),
        ack,
        frame(3, "l2_data", event("BTC-USD", "update", [("10", "0.00000000")], [("11", "0")])),
        frame(4, "l2_data", event("BTC-USD", "update", [("9.5", "3")], [])),
    )
    book = pipeline.book("BTC-USD")
    assert book.status is BookState.LIVE
    assert (book.raw.bids().tolist(), book.raw.asks().tolist()) == ([[9.5, 3]], [])
    assert pipeline.control() == [(0, ack)]
    assert pipeline.symbol_stats("BTC-USD")["updates"] == 3


def test_the_number_counts_all_channels_of_the_connection():
    books = [frame(0, "l2_data", event("BTC-USD", "snapshot", [("10", "1")], [("11", "2")])),
             frame(1, "l2_data", event("ETH-USD", "snapshot", [("20", "1")], [("21", "2")])),
             frame(2, "heartbeats", {"current_time": "2023-06-23 20:31:56 +0000 UTC", "heartbeat_counter": 42}),
             trades(3, ("update", TRADE)), frame(4, "candles"), frame(5, "ticker", {"type": "update", "tickers": []}),
             frame(6, "l2_data", event("BTC-USD", "update", [("10", "5")], []))]
    pipeline, _ = feed(*books)
    assert pipeline.book("BTC-USD").status is pipeline.book("ETH-USD").status is BookState.LIVE
    # One is missing, whatever it was: no book of the connection can be trusted.
    pipeline.feed(frame(8, "heartbeats", {"heartbeat_counter": 43}))
    assert pipeline.book("BTC-USD").status is pipeline.book("ETH-USD").status is BookState.STALE
    assert {want.kind for want in pipeline.wanted()} <= {"reconnect", "resubscribe"}
    assert (SPEC.link, SPEC.count) == (Link.CONNECTION, Count.NEXT)


def test_a_frame_may_hold_events_of_several_products():
    pipeline, _ = feed(
        frame(0, "l2_data", event("BTC-USD", "snapshot", [("10", "1")], []),
              event("ETH-USD", "snapshot", [], [("21", "2")]), event("SOL-USD", "snapshot", [], [])),
        frame(1, "l2_data", event("ETH-USD", "update", [("20", "4")], []),
              event("BTC-USD", "update", [], [("11", "5")])))
    assert pipeline.book("BTC-USD").raw.asks().tolist() == [[11, 5]]
    assert pipeline.book("ETH-USD").raw.bids().tolist() == [[20, 4]]
    assert pipeline.book("SOL-USD").status is BookState.LIVE
    assert [pipeline.symbol_stats(symbol)["updates"] for symbol in ("BTC-USD", "ETH-USD", "SOL-USD")] == [1, 1, 0]


def test_the_side_of_a_trade_is_the_makers():
    # Sheet: "Implement maker first (invert), keep it one constant".
    _, kept = feed(trades(0, ("update", TRADE)), trades(1, ("update", TRADE | {"side": "SELL"})))
    assert [trade.aggressor for trade in kept.of("Trade")] == ["sell", "buy"]


def test_every_trade_of_a_frame_comes_and_old_ones_do_not():
    numbered = [TRADE | {"trade_id": str(number)} for number in range(8)]
    _, kept = feed(
        trades(0, ("snapshot", *numbered[:2])),                 # what was traded before the subscription
        trades(1, ("update", *numbered[2:5])),
        trades(2, ("update",), ("snapshot", numbered[0]), ("update", numbered[5]), ("update", *numbered[6:])),
        frame(3, "market_trades"), trades(4, ("update",)))
    assert [trade.trade_id for trade in kept.of("Trade")] == [2, 3, 4, 5, 6, 7]
    assert {trade.exchange_ns for trade in kept.of("Trade")} == {1786562868298771000}


def test_lists_are_found_whatever_the_order_of_keys():
    late = {"sequence_num": 0, "events": [{"trades": [dict(reversed(TRADE.items())), TRADE | {"trade_id": "7"}],
                                           "more": {"trades": [1]}, "type": "update"},
                                          {"trades": [TRADE], "type": "snapshot"},
                                          {"trades": [TRADE | {"trade_id": "8"}], "type": "update"}],
            "timestamp": "2026-08-12T19:27:48Z", "channel": "market_trades"}
    _, kept = feed(json.dumps(late, indent=1).encode())
    assert [trade.trade_id for trade in kept.of("Trade")] == [1069726293, 7, 8]


def test_a_ticker_is_the_quote_too():
    _, kept = feed(frame(0, "ticker", {"type": "snapshot", "tickers": [TICKER, TICKER | {"product_id": "ETH-USD"}]}),
                   frame(1, "ticker_batch", {"type": "update", "tickers": [TICKER]}))
    ticker, quote = kept.of("Ticker")[0], kept.of("Quote")[0]
    assert [ticker.symbol for ticker in kept.of("Ticker")] == ["BTC-USD", "ETH-USD", "BTC-USD"]
    assert (ticker.last_price, ticker.volume, ticker.high, ticker.low) == (63320.73, 6629.927726, 64416.3, 63235.88)
    assert ticker.change_pct == -0.03813791548644
    assert math.isnan(ticker.open)
    assert (quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) == (63320.73, 0.12636254, 63320.74,
                                                                               0.49679101)
    assert quote.exchange_ns == ticker.exchange_ns == 1787610853793075885


def test_without_both_sides_a_ticker_is_no_quote():
    bare = {key: value for key, value in TICKER.items() if not key.startswith("best_ask")}
    _, kept = feed(frame(0, "ticker", {"type": "update", "tickers": [bare]}))
    assert (len(kept.of("Ticker")), len(kept.of("Quote"))) == (1, 0)


@pytest.mark.parametrize("broken", [
    frame(0, "l2_data", event("BTC-USD", "partial", [], [])),
    frame(0, "l2_data", {"type": "snapshot", "product_id": "BTC-USD"}),
    frame(0, "l2_data", {"type": "snapshot", "updates": []}),
    frame(0, "l2_data", {"type": "update", "product_id": "BTC-USD",
                         "updates": [{"side": "ask", "price_level": "1", "new_quantity": "1"}]}),
    frame(0, "l2_data", {"type": "update", "product_id": "BTC-USD", "updates": [{"side": "bid", "price_level": "1"}]}),
    frame(0, "market_trades", {"type": "update", "trades": [TRADE | {"side": "UNKNOWN"}]}),
    frame(0, "market_trades", {"type": "update", "trades": [TRADE | {"price": "1.-1"}]}),
    b'{"channel":"l2_data","events":null}', b"pong", b"[]",
])
def test_wrong_content_is_an_error(broken):
    pipeline = Pipeline("coinbase_advanced")
    pipeline.feed(broken)
    assert pipeline.counters["errors"] == 1
    assert pipeline.last_error is not None


def test_usdc_products_are_those_of_usd():
    assert SPEC.symbol("btc-usdc") == "BTC-USD"
    assert [stream.symbol for stream in SPEC.streams(["BTC-USDC", "eth-usd"], ["book"])] == ["BTC-USD", "ETH-USD"]


def test_requests_are_one_a_channel():
    names = [stream.name for stream in SPEC.streams(["BTC-USD", "ETH-USD"], ["book", "trades"])]
    assert names == ["level2:BTC-USD", "market_trades:BTC-USD", "level2:ETH-USD", "market_trades:ETH-USD"]
    assert [json.loads(text) for text in SPEC.subscribe(names, 1)] == [
        {"type": "subscribe", "product_ids": ["BTC-USD", "ETH-USD"], "channel": "level2"},
        {"type": "subscribe", "product_ids": ["BTC-USD", "ETH-USD"], "channel": "market_trades"}]
    assert SPEC.unsubscribe(names[:1], 1) == [
        '{"type":"unsubscribe","product_ids":["BTC-USD"],"channel":"level2"}']
    assert SPEC.greeting == ('{"type":"subscribe","channel":"heartbeats"}',)


def test_an_ack_lists_what_is_subscribed():
    control = SPEC.read_control(frame(3, "subscriptions", {"subscriptions": {
        "level2": ["BTC-USD", "ETH-USD"], "heartbeats": ["heartbeats"], "ticker": []}}))
    assert (control.kind, control.streams) == ("ack", ("level2:BTC-USD", "level2:ETH-USD"))


def test_errors_are_told_by_their_words():
    said = {"rate limit exceeded": "rate_limit", "authentication failure": "authorisation",
            "FOO-USD is not a valid product": "bad_symbol", "failure to subscribe": ""}
    for words, reason in said.items():
        control = SPEC.read_control(json.dumps({"type": "error", "message": words}).encode())
        assert (control.kind, control.text, control.reason) == ("error", words, reason)


@pytest.mark.parametrize(("channels", "options", "known"), [
    (["mark"], {}, "book, quotes, trades, ticker"), (["book"], {"depth": 50}, "whole book"),
    (["book"], {"speed": "100ms"}, "only one"), (["book"], {"market": "spot"}, "one market"),
])
def test_what_there_is_not_says_what_there_is(channels, options, known):
    with pytest.raises(UnsupportedChannel, match=known):
        SPEC.streams(["BTC-USD"], channels, **options)


# As published in 2026-04, without the fields that say nothing of the instrument.
SPOT = {"product_id": "BTC-USD", "base_increment": "0.00000001", "quote_increment": "0.01", "quote_min_size": "1",
        "base_min_size": "0.00000001", "is_disabled": False, "status": "online", "cancel_only": False,
        "limit_only": False, "post_only": False, "trading_disabled": False, "auction_mode": False,
        "product_type": "SPOT", "quote_currency_id": "USD", "base_currency_id": "BTC", "alias": "",
        "alias_to": ["BTC-USDC"], "price_increment": "0.01", "fcm_trading_session_details": None}
CONTRACT = {"contract_code": "BIT", "contract_expiry": "2026-04-24T15:00:00Z", "contract_size": "0.01",
            "contract_root_unit": "BTC", "contract_expiry_type": "EXPIRING", "funding_rate": ""}
FUTURE = {**SPOT, "product_id": "BIT-24APR26-CDE", "base_increment": "1", "quote_min_size": "0", "base_min_size": "1",
          "status": "", "product_type": "FUTURE", "base_currency_id": "", "alias_to": [], "price_increment": "5",
          "fcm_trading_session_details": {"is_session_open": True}, "future_product_details": CONTRACT}


def listed(*products):
    return SPEC.read_instruments(json.dumps({"products": products, "num_products": len(products)}).encode())


def test_instruments():
    assert listed(SPOT, {**SPOT, "product_id": "BTC-USDC", "alias": "BTC-USD", "quote_currency_id": "USDC"}) == [
        Instrument("BTC-USD", "0.01", "0.00000001", "", "spot", "BTC", "USD", "", "0.00000001", "1")]
    future, = listed(FUTURE)
    assert future == Instrument("BIT-24APR26-CDE", "5", "1", "", "future", "BTC", "USD", "USD", "1", "", "0.01", "BTC",
                                "", 1777042800 * 10**9)
    assert future.name == "BTC-24APR26"
    assert [SPEC.symbol(text) for text in ("celo-usdc", "bit-24apr26-cde")] == ["CGLD-USD", "BIT-24APR26-CDE"]
    older = {"product_id": "PEPE-USD", "base_increment": "1", "quote_increment": "0.00000001", "price_increment": ""}
    assert listed(older) == [Instrument("PEPE-USD", "0.00000001", "1")]


@pytest.mark.parametrize("details", [
    {"contract_expiry": "2030-12-20T16:00:00Z", "funding_rate": "0.000013"}, {"contract_expiry_type": "PERPETUAL"}])
def test_a_perpetual_is_told_by_its_kind_or_its_funding_rate(details):
    found, = listed({**FUTURE, "product_id": "BIP-20DEC30-CDE", "future_product_details": {**CONTRACT, **details}})
    assert (found.kind, found.expiry_ns, found.name) == ("perpetual", 0, "BTC-USD-PERP")


@pytest.mark.parametrize(("told", "status"), [
    ({}, "trading"), ({"status": "delisted", "trading_disabled": True}, "closed"), ({"limit_only": True}, "trading"),
    ({"post_only": True}, "halted"), ({"fcm_trading_session_details": {"is_session_open": False}}, "halted")])
def test_the_status_of_an_instrument(told, status):
    assert [found.status for found in listed({**SPOT, **told})] == [status]


def test_what_is_no_list_of_products():
    address, = SPEC.instruments_addresses[""]
    assert SPEC.read_address(address).kind == "instruments"
    assert SPEC.read_address("https://api.coinbase.com/api/v3/brokerage/market/product_book?product_id=BTC-USD") is None
    for wrong in (b"{}", b'{"products":[{}]}', b'{"products":[{"product_id":"X","product_type":"FUTURE"}]}', b"[]",
                  b"x", b"\xff"):
        with pytest.raises(ValueError, match="a list of products"):
            SPEC.read_instruments(wrong)


def test_the_samples_of_the_sheet_are_written_again():
    samples = (
        frame(7, "l2_data", event("BTC-USD", "snapshot", [("68900.00", "1.5")], [("68901.00", "0.5")])),
        frame(8, "l2_data", event("BTC-USD", "update", [("68900.00", "0")], []), event("ETH-USD", "update", [], [])),
        frame(9, "market_trades", {"type": "update", "trades": [{**TRADE, "trade_id": "1069726294"}, TRADE]}),
        frame(10, "ticker", {"type": "snapshot", "tickers": [TICKER]}))
    again = Again("coinbase_advanced")
    for sample in samples:
        again.check(sample)
    assert again.written == len(samples)
