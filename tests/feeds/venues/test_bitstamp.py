"""Bitstamp: what its sheet warns of. What every venue must do is in tests/feeds/test_venues.py."""

from __future__ import annotations

import json

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.simulator.dialect import Line
from feeds.venue import Answer, Link, UnsupportedChannel
from feeds.venues import load
from feeds.venues.dialects import speech
from orderbook import BookState
from tests.dialects import Again
from tests.kept import Events
from tests.model import read_capture
from tests.venues.bitstamp import address, book, pack

SPEC = load("bitstamp")
MICRO = 1641343691244908


def feed(*frames, snapshot=None):
    kept = Events()
    pipeline = Pipeline("bitstamp", kept)
    if snapshot is not None:
        pipeline.rest(address("btcusd"), pack(snapshot))
    for frame in frames:
        pipeline.feed(frame if isinstance(frame, bytes) else pack(frame))
    assert pipeline.last_error is None
    return pipeline, kept


def diff(sequence, bids=(), asks=(), channel="diff_order_book_btcusd"):
    return {"data": book(sequence, bids, asks), "channel": channel, "event": "data"}


def sides(pipeline, symbol="btcusd", depth=None):
    raw = pipeline.book(symbol, depth).raw
    return raw.bids().tolist(), raw.asks().tolist()


def test_the_channel_may_come_last_and_spaces_anywhere():
    spaced = (b'{"event": "data", "data": {"timestamp": "1789456316", "microtimestamp": "1789456316507635", "bids": '
              b'[["77049", "0.00000"], ["77035", "2.45710"]], "asks": [["77409", "0"]]}, '
              b'"channel": "diff_order_book_btcusd-perp"}\n')
    pipeline = Pipeline("bitstamp")
    pipeline.rest(address("btcusd-perp"), pack(book(1789456316507634, [("77049", "1")], [("77409", "1")])))
    pipeline.feed(spaced)
    assert pipeline.last_error is None
    assert sides(pipeline, "btcusd-perp") == ([[77035, 2.4571]], [])
    assert pipeline.book("btcusd-perp").raw.exchange_ns == 1789456316507635000


@pytest.mark.parametrize("zero", ["0", "0.00000", "0.00000000"])
def test_zero_is_a_number_and_not_a_text(zero):
    pipeline, _ = feed(diff(11, [("10", zero)], [("99", zero)]), snapshot=book(10, [("10", "1")], []))
    assert sides(pipeline) == ([], [])
    assert pipeline.symbol_stats("btcusd")["absent"] == 1


@pytest.mark.parametrize(("sequence", "applied"), [(MICRO - 1, False), (MICRO, False), (MICRO + 1, True)])
def test_what_is_not_newer_than_the_snapshot_is_old(sequence, applied):
    pipeline, _ = feed(diff(sequence, [("10", "5")]), snapshot=book(MICRO, [("10", "1")], [("11", "1")]))
    assert pipeline.book("btcusd").raw.bids().tolist() == [[10, 5 if applied else 1]]
    # The stream has not come to the snapshot yet, and so does not prove it.
    assert pipeline.book("btcusd").status is (BookState.LIVE if sequence >= MICRO else BookState.SYNCING)
    assert pipeline.symbol_stats("btcusd")["stale"] == (not applied)


def test_differences_wait_for_the_snapshot():
    pipeline, _ = feed(*(diff(MICRO + i, [("10", str(i + 1))]) for i in range(5)))
    assert pipeline.book("btcusd").status is BookState.SYNCING
    assert [(want.kind, want.symbol) for want in pipeline.wanted()] == [("snapshot", "btcusd")]
    pipeline.rest(address("btcusd"), pack(book(MICRO + 2, [("10", "7"), ("9", "1")], [("11", "1")])))
    assert pipeline.book("btcusd").status is BookState.LIVE
    assert sides(pipeline) == ([[10, 5], [9, 1]], [[11, 1]])
    assert pipeline.book("btcusd").sequence == MICRO + 4
    assert (SPEC.link, SPEC.resync) == (Link.RISES, "rest")


def test_the_microtimestamp_never_falls():
    pipeline, _ = feed(diff(20, [("10", "2")]), diff(15, [("10", "3")]), diff(20, [("10", "4")]),
                       diff(21, [("10", "5")]), snapshot=book(10, [("10", "1")], [("11", "1")]))
    assert sides(pipeline)[0] == [[10, 5]]


def test_the_first_levels_are_a_book_of_their_own():
    first = diff(50, [("10", "3"), ("9", "1")], [("11", "1")], "order_book_btcusd")
    older = diff(49, [("10", "9")], [], "order_book_btcusd")
    pipeline, _ = feed(first, older, snapshot=book(10, [("8", "1")], [("12", "1")]))
    assert sides(pipeline, depth=100) == ([[10, 3], [9, 1]], [[11, 1]])
    assert sides(pipeline) == ([[8, 1]], [[12, 1]])
    stream, = SPEC.streams(["btcusd"], ["book"], depth=100)
    assert (stream.name, stream.depth) == ("order_book_btcusd", 100)


def test_one_row_an_order_is_no_book():
    frame = {"data": {"timestamp": "1", "microtimestamp": "10", "bids": [["10", "1", "123"], ["10", "2", "124"]],
                      "asks": []}, "channel": "detail_order_book_btcusd", "event": "data"}
    pipeline, _ = feed(frame)
    assert pipeline.counters["ignored"] == 1


TRADE = {"id": 216000477, "timestamp": "1641343699", "amount": 0.0792, "amount_str": "0.07920000", "price": 3805.44,
         "price_str": "3805.44", "type": 0, "microtimestamp": "1641343699596000", "buy_order_id": 1443875737346049,
         "sell_order_id": 1443875731320832}


def traded(**more):
    return {"data": TRADE | more, "channel": "live_trades_ethusd", "event": "trade"}


def test_the_type_of_a_trade_is_the_takers_side():
    """Sheet: 0 buy, 1 sell = aggressor (9 of type 1 at the bid, 1 of type 0 at the ask, 0 against)."""
    _, kept = feed(traded(), traded(type=1), traded())
    assert [trade.aggressor for trade in kept.of("Trade")] == ["buy", "sell", "buy"]
    trade = kept.of("Trade")[0]
    assert (trade.symbol, trade.price, trade.qty, trade.trade_id) == ("ethusd", 3805.44, 0.0792, 216000477)
    assert trade.exchange_ns == 1641343699596000000


def test_numbers_of_trades_are_those_in_quotes():
    noisy = json.dumps(traded(amount_str="0.001643", id=2001939623936278528, timestamp="1789456400586")).replace(
        "0.0792,", "0.0016429999999999999,").encode()
    small = json.dumps(traded(amount_str="1E-8", amount=1e-08)).encode()
    _, kept = feed(noisy, small)
    assert [(trade.qty, trade.trade_id) for trade in kept.of("Trade")] == [(0.001643, 2001939623936278528),
                                                                     (1e-8, 216000477)]
    assert 10.0 ** -kept.of("Trade")[1].qty_scale * kept.of("Trade")[1].qty_int == pytest.approx(1e-8, rel=1e-15)


def test_perpetuals_tell_mark_index_and_funding():
    _, kept = feed({"data": {"market": "btcusd-perp", "mark_price": "77186.81199586", "index_price":
                             "77177.99454545454", "funding_rate": "0.000123", "timestamp": "1789457618",
                             "next_funding_time": "1789459200"},
                    "channel": "funding_rate_btcusd-perp", "event": "funding_rate_saved"})
    mark, = kept.of("Mark")
    assert (mark.symbol, mark.mark_price, mark.index_price, mark.funding_rate) == (
        "btcusd-perp", 77186.81199586, 77177.99454545454, 0.000123)
    assert (mark.exchange_ns, mark.next_funding_ns) == (1789457618000000000, 1789459200000000000)


@pytest.mark.parametrize("broken", [
    diff(10) | {"channel": "diff_order_book_"}, diff(10) | {"channel": "order_book"} | {"data": {"bids": 1}},
    {"data": {"microtimestamp": "10", "bids": []}, "channel": "diff_order_book_btcusd", "event": "data"},
    {"data": {"timestamp": "10", "bids": [], "asks": []}, "channel": "diff_order_book_btcusd", "event": "data"},
    diff(10, [("10", "-1")]), diff(10, [("10",)]), traded(type=2), traded(type="0"), traded(type=10),
    traded(price_str="x"), {"data": {}, "channel": "live_trades_btcusd", "event": "trade"}, [],
])
def test_wrong_content_is_an_error(broken):
    pipeline = Pipeline("bitstamp")
    pipeline.feed(pack(broken))
    assert pipeline.counters["errors"] == 1


@pytest.mark.parametrize("broken", [
    b"", b"[]", b'{"timestamp":"1654243213","bids":[],"asks":[]}', b'{"microtimestamp":"1654243213142992","bids":[]}',
    b'{"error":"x"}', pack(book(10, [("1", "1")], [])) + b"}",
])
def test_a_wrong_snapshot_is_an_error(broken):
    pipeline = Pipeline("bitstamp")
    pipeline.feed(pack(diff(10)))
    pipeline.rest(address("btcusd"), broken)
    assert pipeline.counters["errors"] == 1
    assert pipeline.book("btcusd").status is BookState.SYNCING


def test_addresses():
    assert SPEC.snapshot_url("btcusd") == "https://www.bitstamp.net/api/v2/order_book/btcusd/?group=1"
    for url in (SPEC.snapshot_url("btcusd"), "https://www.bitstamp.net/api/v2/order_book/btcusd",
                "http://127.0.0.1:9/api/v2/order_book/btcusd/"):
        assert SPEC.read_address(url) == Answer("snapshot", "btcusd")
    assert SPEC.read_address(SPEC.instruments_addresses[""][0]) == Answer("instruments")
    assert SPEC.read_address("https://www.bitstamp.net/api/v2/trading-pairs-info/") == Answer("instruments")
    assert SPEC.read_address("https://www.bitstamp.net/api/v2/ticker/btcusd/") is None


def test_requests_are_one_a_channel_and_short():
    names = [stream.name for stream in SPEC.streams(["BTC/USD-PERP", "ethusd-perp"], ["book", "trades", "mark"])]
    assert names[:3] == ["diff_order_book_btcusd-perp", "live_trades_btcusd-perp", "funding_rate_btcusd-perp"]
    assert len(SPEC.subscribe(names, 1)) == len(names)
    assert max(map(len, SPEC.subscribe(names, 1))) < 512
    assert SPEC.unsubscribe(names[:1], 1) == [
        '{"event":"bts:unsubscribe","data":{"channel":"diff_order_book_btcusd-perp"}}']


def test_answers_name_their_channel():
    assert SPEC.read_control(
        b'{"event":"bts:subscription_succeeded","channel":"live_trades_xrpeur","data":{}}').streams == (
            "live_trades_xrpeur",)
    assert SPEC.read_control(b'{"event":"bts:error","channel":"","data":{"code":null,"message":"x"}}').streams == ()
    assert SPEC.ping == '{"event":"bts:heartbeat"}'


@pytest.mark.parametrize(("channels", "options", "known"), [
    (["ticker"], {}, "book, trades, mark"), (["quotes"], {}, "book, trades, mark"), (["book"], {"depth": 50}, "100"),
    (["book"], {"speed": "100ms"}, "only one"), (["mark"], {}, "perpetuals"), (["book"], {"market": "x"}, "one market"),
])
def test_what_there_is_not_says_what_there_is(channels, options, known):
    with pytest.raises(UnsupportedChannel, match=known):
        SPEC.streams(["btcusd"], channels, **options)


def test_instruments(data_dir):
    url, _, body = next(read_capture(data_dir / "bitstamp/instruments.ws.gz")).payload.partition(b" ")
    assert SPEC.read_address(url.decode()) == Answer("instruments")
    listed = {item.symbol: item for item in SPEC.read_instruments(body)}
    assert len(listed) == 140
    assert listed["btcusd"] == Instrument("btcusd", "0.01", "0.00000001", "", "spot", "BTC", "USD", "", "", "20")
    assert listed["ltcbtc"] == Instrument("ltcbtc", "0.00000001", "0.00000001", "", "spot", "LTC", "BTC", "", "",
                                          "0.0002")
    assert listed["usdtusd"] == Instrument("usdtusd", "0.00001", "0.00001", "", "spot", "USDT", "USD", "", "", "20")
    assert listed["slpeur"].lot_size == "1"


def test_the_list_of_today():
    spot = {"name": "BTC/USD", "market_symbol": "btcusd", "base_currency": "BTC", "base_decimals": 8,
            "counter_currency": "USD", "counter_decimals": 0, "minimum_order_value": "10", "trading": "Enabled",
            "market_type": "SPOT"}
    perpetual = {**spot, "name": "BTC/USD-PERP", "market_symbol": "btcusd-perp", "base_decimals": 5,
                 "market_type": "PERPETUAL", "payoff_type": "Linear", "contract_size": "1.00000000",
                 "trading": "Disabled"}
    first, second = SPEC.read_instruments(json.dumps([spot, perpetual]).encode())
    assert first == Instrument("btcusd", "1", "0.00000001", "", "spot", "BTC", "USD", "", "", "10")
    assert second == Instrument("btcusd-perp", "1", "0.00001", "", "perpetual", "BTC", "USD", "USD", "", "10", "1",
                                "BTC", status="halted")
    assert [first.name, second.name, second.inverse] == ["BTC-USD", "BTC-USD-PERP", False]


@pytest.mark.parametrize("wrong", [b"{}", b'{"status":"error","reason":"x"}', b"[{}]", b"[1]", b"x", b"\xff"])
def test_what_is_no_list_of_markets(wrong):
    with pytest.raises(ValueError, match="a list of markets"):
        SPEC.read_instruments(wrong)


def test_the_samples_of_the_sheet_are_written_again():
    samples = (
        '{"data":{"market":"btcusd-perp","mark_price":"77186.81199586","index_price":"77177.99454545454","funding_rate":'
        '"0.000123","timestamp":"1789457618","next_funding_time":"1789459200"},"channel":"funding_rate_btcusd-perp",'
        '"event":"funding_rate_saved"}',
        pack({"data": book(MICRO, [("1.15979", "993.02588113")], []), "channel": "order_book_bateur",
              "event": "data"}).decode())
    again = Again("bitstamp")
    for sample in samples:
        again.check(sample.encode())
    assert again.written == len(samples)
    assert not again.lost


def test_a_request_of_more_than_512_bytes_ends_the_connection():
    read = speech("bitstamp").read
    assert [ask.kind for ask in read(SPEC.subscribe(["live_trades_btcusd"], 1)[0], Line())] == ["subscribe"]
    assert [ask.kind for ask in read(SPEC.subscribe(["live_trades_" + 500 * "x"], 1)[0], Line())] == ["close"]
