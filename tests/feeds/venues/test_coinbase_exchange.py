"""Coinbase Exchange: what its sheet warns of. What every venue must do is in tests/feeds/test_venues.py."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.venue import Link, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests.dialects import Again
from tests.kept import Events, fed
from tests.model import read_capture
from tests.venues.coinbase_exchange import ROW, pack

SPEC = load("coinbase_exchange")


def feed(*frames):
    events = Events()
    return fed("coinbase_exchange", *frames, handler=events), events


SNAPSHOT = {"type": "snapshot", "product_id": "BAND-GBP", "asks": [["14.8024", "12.77"]], "bids": [["14.75", "1"]]}


def update(*changes, time="2021-04-17T16:43:37.075687Z"):
    return {"type": "l2update", "product_id": "BAND-GBP", "changes": [list(change) for change in changes], "time": time}


@pytest.mark.parametrize("zero", ["0", "0.0", "0.00", "0.000", "0.000000", "0.00000000"])
def test_zero_is_a_number_and_not_a_text(zero):
    pipeline, _ = feed(SNAPSHOT, update(("buy", "14.7500", zero), ("sell", "14.8024", zero), ("sell", "15", zero)))
    assert (pipeline.book("BAND-GBP").bid_levels, pipeline.book("BAND-GBP").ask_levels) == (0, 0)
    assert pipeline.symbol_stats("BAND-GBP")["absent"] == 1


def test_buy_is_a_bid_and_sell_an_ask():
    pipeline, _ = feed(SNAPSHOT, update(("buy", "14.76", "2"), ("sell", "14.79", "3"), ("buy", "14.75", "4.5")))
    raw = pipeline.book("BAND-GBP").raw
    assert (raw.bids().tolist(), raw.asks().tolist()) == ([[14.76, 2], [14.75, 4.5]], [[14.79, 3], [14.8024, 12.77]])
    assert raw.exchange_ns == 1618677817075687000


def test_a_batch_of_year_1_has_no_time():
    pipeline, _ = feed(SNAPSHOT, update(("buy", "9202.70", "0.58667860"), time="0001-01-01T00:00:00.000000Z"))
    assert pipeline.book("BAND-GBP").raw.exchange_ns == 0
    assert pipeline.book("BAND-GBP").status is BookState.LIVE


def test_a_snapshot_replaces_the_book_at_any_time():
    pipeline, _ = feed(SNAPSHOT, update(("buy", "14.76", "2")), SNAPSHOT | {"bids": [["14.70", "7"]]})
    assert pipeline.book("BAND-GBP").raw.bids().tolist() == [[14.7, 7]]
    assert SPEC.link is Link.NONE


def test_the_side_of_a_match_is_the_makers_and_that_of_a_ticker_the_takers(data_dir):
    """Sheet: for 80 trade ids in both channels the two sides always differ."""
    sides: dict[tuple[str, int], dict[str, str]] = {}
    for line in read_capture(data_dir / f"{ROW.captures[0]}.ws.gz"):
        message = json.loads(line.payload) if line.kind == "<" else {}
        if message.get("type") in ("match", "last_match", "ticker"):
            of = "ticker" if message["type"] == "ticker" else "match"
            sides.setdefault((message["product_id"], message["trade_id"]), {})[of] = message["side"]
    both = Counter((both["match"], both["ticker"]) for both in sides.values() if len(both) == 2)
    assert set(both) == {("buy", "sell"), ("sell", "buy")}
    trade = {"type": "match", "trade_id": 280232, "maker_order_id": "2a0d..", "taker_order_id": "3c82..",
             "side": "sell", "size": "985", "price": "0.00001305", "product_id": "SKL-BTC", "sequence": 177100030,
             "time": "2021-04-17T16:43:37.089723Z"}
    _, kept = feed(trade, trade | {"side": "buy"})
    assert [trade.aggressor for trade in kept.of("Trade")] == ["buy", "sell"]
    assert (kept.of("Trade")[0].trade_id, kept.of("Trade")[0].exchange_ns) == (280232, 1618677817089723000)


def test_the_trade_before_the_subscription_is_not_news():
    _, kept = feed({"type": "last_match", "trade_id": 881613, "maker_order_id": "a", "taker_order_id": "b",
                    "side": "sell", "size": "0.04", "price": "14.7775", "product_id": "BAND-GBP", "sequence": 1,
                    "time": "2021-04-17T16:43:30.244075Z"})
    assert kept.of("Trade") == []


def test_a_ticker_is_a_quote_since_it_has_the_sizes():
    old = {"type": "ticker", "sequence": 333938798, "product_id": "BAND-GBP", "price": "14.7775",
           "open_24h": "14.6647", "volume_24h": "94381.28000000", "low_24h": "14.3691", "high_24h": "16.55",
           "volume_30d": "2295579.57000000", "best_bid": "14.7550", "best_ask": "14.8060", "side": "buy",
           "time": "2021-04-17T16:43:30.244075Z", "trade_id": 881613, "last_size": "0.04"}
    _, kept = feed(old, old | {"best_bid_size": "1.5", "best_ask_size": "2.25"})
    ticker, (quote,) = kept.of("Ticker")[0], kept.of("Quote")
    assert (ticker.last_price, ticker.last_qty, ticker.open, ticker.high, ticker.low, ticker.volume) == (
        14.7775, 0.04, 14.6647, 16.55, 14.3691, 94381.28)
    assert (quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) == (14.755, 1.5, 14.806, 2.25)


@pytest.mark.parametrize(("frame", "control"), [
    ({"type": "open", "product_id": "BTC-USD", "sequence": 10, "side": "sell"}, 0), ({"type": "status"}, 0),
    ({"type": "unknown", "sequence": 50, "product_id": "BTC-USD"}, 0), ({"type": "heartbeat", "sequence": 90}, 1),
    ({"type": "subscriptions", "channels": []}, 1), ({"type": "error", "message": "x"}, 1), ({"message": "x"}, 1),
])
def test_other_frames(frame, control):
    pipeline, _ = feed(frame)
    assert (pipeline.counters["control"], pipeline.counters["ignored"]) == (control, 1 - control)


@pytest.mark.parametrize("broken", [
    [], update(("hold", "1", "1")), update(("buy", "1")), update(("buy", "1", "0.-10000")),
    update(("buy", "1", "-1")), update() | {"changes": {}}, {"type": "l2update", "changes": []},
    SNAPSHOT | {"bids": {}}, {"type": "snapshot", "product_id": "A-B", "bids": []},
    {"type": "match", "product_id": "A-B", "price": "1", "size": "1", "side": "both"},
])
def test_wrong_content_is_an_error(broken):
    pipeline = Pipeline("coinbase_exchange")
    pipeline.feed(pack(SNAPSHOT))
    pipeline.feed(pack(broken))
    assert pipeline.counters["errors"] == 1


def test_the_sheets_request():
    names = ["level2_batch:BTC-USD", "matches:BTC-USD", "heartbeat:BTC-USD", "ticker:ETH-USD"]
    assert SPEC.subscribe(names, 1) == [
        '{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch","matches","heartbeat",'
        '{"name":"ticker","product_ids":["ETH-USD"]}]}']
    assert SPEC.unsubscribe(names[:1], 1) == [
        '{"type":"unsubscribe","product_ids":["BTC-USD"],"channels":["level2_batch"]}']


def test_acks_and_errors():
    ack = SPEC.read_control(pack({"type": "subscriptions", "channels": [
        {"name": "level2_50", "product_ids": ["BTC-USD", "ETH-USD"]}, {"name": "status"},
        {"name": "level2", "product_ids": ["SKL-BTC"]}, {"name": "matches", "product_ids": ["BTC-USD"]}]}))
    assert (ack.kind, ack.streams) == ("ack", ("level2_batch:BTC-USD", "level2_batch:ETH-USD", "level2_batch:SKL-BTC",
                                               "matches:BTC-USD"))
    said = {"FOO-USD is not a valid product": "bad_symbol", " is not a valid product": "bad_symbol",
            "NMR-EUR is delisted": "bad_symbol", "level2 requires authentication": "authorisation",
            "Rate limit exceeded": "rate_limit", "No channels provided": ""}
    for words, reason in said.items():
        error = SPEC.read_control(pack({"type": "error", "message": "Failed to subscribe", "reason": words}))
        assert (error.kind, error.text, error.reason) == ("error", f"Failed to subscribe: {words}", reason)
        named = words.partition(" ")[0] if "-" in words else ""
        assert error.streams == ((f"level2_batch:{named}", f"ticker:{named}", f"matches:{named}") if named else ())


@pytest.mark.parametrize(("channels", "options", "known"), [
    (["liquidations"], {}, "book, quotes, trades, ticker"), (["book"], {"depth": 50}, "whole book"),
    (["book"], {"speed": "0ms"}, "without a login; it has: 50ms"), (["book"], {"market": "spot"}, "one market"),
])
def test_what_there_is_not_says_what_there_is(channels, options, known):
    with pytest.raises(UnsupportedChannel, match=known):
        SPEC.streams(["BTC-USD"], channels, **options)
    assert SPEC.streams(["btc-usd"], ["book"], speed="50ms") == SPEC.streams(["BTC-USD"], ["book"])


def test_instruments(data_dir):
    url, _, body = next(read_capture(data_dir / "coinbase_exchange/instruments.ws.gz")).payload.partition(b" ")
    listed = {item.symbol: item for item in SPEC.read_instruments(body)}
    assert len(listed) == 162
    assert listed["BTC-USD"] == Instrument("BTC-USD", "0.01", "0.00000001", "", "spot", "BTC", "USD", "", "0.0001", "5")
    assert listed["SKL-EUR"] == Instrument("SKL-EUR", "0.0001", "0.1", "", "spot", "SKL", "EUR", "", "5", "5")
    assert listed["LINK-ETH"] == Instrument("LINK-ETH", "0.00000001", "0.01", "", "spot", "LINK", "ETH", "", "0.1",
                                            "0.01")
    assert listed["CGLD-USD"].name == "CELO-USD"
    assert SPEC.symbol("celo-usd") == "CGLD-USD"
    assert listed["WBTC-BTC"].status == "trading"             # limit_only
    assert SPEC.read_address(url.decode()).kind == "instruments"
    assert SPEC.read_address(SPEC.instruments_addresses[""][0]).kind == "instruments"
    assert SPEC.read_address("https://api.exchange.coinbase.com/products/BTC-USD/book?level=2") is None
    for wrong in (b"{}", b'{"message":"NotFound"}', b"[{}]", b"[1]", b"x", b"\xff"):
        with pytest.raises(ValueError, match="a list of products"):
            SPEC.read_instruments(wrong)


@pytest.mark.parametrize(("told", "status"), [
    ({}, "trading"), ({"status": "delisted", "trading_disabled": True}, "closed"), ({"cancel_only": True}, "halted"),
    ({"status": "offline"}, "halted"), ({"auction_mode": True}, "halted")])
def test_the_status_of_an_instrument(told, status):
    entry = {"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "quote_increment": "0.01",
             "base_increment": "0.00000001", "status": "online", "min_market_funds": "1", **told}
    assert SPEC.read_instruments(json.dumps([entry]).encode()) == [
        Instrument("BTC-USD", "0.01", "0.00000001", "", "spot", "BTC", "USD", "", "", "1", status=status)]


def test_the_samples_of_the_sheet_are_written_again():
    samples = (*ROW.trades, *ROW.quotes)
    again = Again("coinbase_exchange")
    for sample in samples:
        again.check(sample.encode())
    assert again.written == len(samples) > 2
