"""dYdX: what its sheet warns of. What every venue must do is in tests/feeds/test_venues.py."""

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
from tests.model import read_capture
from tests.venues import without
from tests.venues.dydx import CONNECTION, ROW, changes, frame, whole

SPEC = load("dydx")

TRADE = {"id": "0165e6170000000200000002", "size": "0.0001", "price": "60392", "side": "BUY",
         "createdAt": "2024-08-23T00:00:57.627Z", "type": "LIMIT", "createdAtHeight": "23455255"}


def feed(*frames, **options):
    events = Events()
    return fed("dydx", *frames, handler=events, **options), events


def levels(book):
    return book.raw.bids().tolist(), book.raw.asks().tolist()


def snapshot(number, bids, asks, symbol="BTC-USD"):
    return frame("subscribed", number, "v4_orderbook", symbol, whole(bids, asks))


def delta(number, bids, asks, symbol="BTC-USD"):
    return frame("channel_data", number, "v4_orderbook", symbol, changes(bids, asks))


def trades(number, *listed, kind="channel_data"):
    return frame(kind, number, "v4_trades", "BTC-USD", {"trades": list(listed)})


def test_the_sheets_frames():
    pipeline, _ = feed(
        b'{"type":"connected","connection_id":"e2a6c717-6f77-4c1c-ac22-72ce2b7ed77d","message_id":0}',
        '{"type":"subscribed","connection_id":"…","message_id":1,"channel":"v4_orderbook","id":"BTC-USD","contents":'
        '{"bids":[{"price":"43921","size":"0.01"}],"asks":[{"price":"43922","size":"0.2"}]}}'.encode(),
        '{"type":"channel_data","connection_id":"…","message_id":2,"id":"BTC-USD","channel":"v4_orderbook",'
        '"version":"1.0.0","contents":{"bids":[["43920","2017130"]]}}'.encode(),
        '{"type":"channel_batch_data","connection_id":"…","message_id":3,"id":"BTC-USD","channel":"v4_orderbook",'
        '"version":"1.0.0","contents":[{"bids":[["43921","0"]]},{"asks":[["43925","1.2"]]}]}'.encode(),
    )
    book = pipeline.book("BTC-USD")
    assert book.status is BookState.LIVE
    assert levels(book) == ([[43920, 2017130]], [[43922, 0.2], [43925, 1.2]])
    assert book.raw.exchange_ns == 0                          # frames of the book have no time
    assert pipeline.symbol_stats("BTC-USD")["updates"] == 3   # each part of a batch is one


def test_a_book_without_the_number_of_its_connection_is_bad():
    for made in (snapshot(2, [("9", "1")], []), delta(2, [("9", "1")], [])):
        for lacking in without(made, "message_id"):
            pipeline, _ = feed(snapshot(1, [("10", "1")], [("11", "1")]))
            pipeline.feed(lacking)
            assert pipeline.counters["errors"] == 1
            assert pipeline.book("BTC-USD").status is BookState.STALE
            assert levels(pipeline.book("BTC-USD")) == ([[10, 1]], [[11, 1]])


def test_a_level_of_size_0_in_a_snapshot_is_none():
    pipeline, _ = feed(snapshot(1, [("10", "1"), ("9", "0"), ("8", "0.0")], [("11", "0.00"), ("12", "1")]))
    assert levels(pipeline.book("BTC-USD")) == ([[10, 1]], [[12, 1]])


@pytest.mark.parametrize("zero", ["0", "0.0", "0.000"])
def test_size_0_removes(zero):
    pipeline, _ = feed(snapshot(1, [("10", "1"), ("9", "2")], [("11", "1")]), delta(2, [("10", zero)], []))
    assert levels(pipeline.book("BTC-USD")) == ([[9, 2]], [[11, 1]])


def test_a_batch_of_one_and_of_none():
    pipeline, _ = feed(
        snapshot(1, [("10", "1")], [("11", "1")]),
        frame("channel_batch_data", 2, "v4_orderbook", "BTC-USD", [changes([("9", "2")], [])]),
        frame("channel_batch_data", 3, "v4_orderbook", "BTC-USD", []),
        frame("channel_batch_data", 4, "v4_trades", "BTC-USD", [{"trades": [TRADE, TRADE]}, {}, {"trades": [TRADE]}]),
    )
    assert levels(pipeline.book("BTC-USD")) == ([[10, 1], [9, 2]], [[11, 1]])
    assert (pipeline.counters["trades"], pipeline.counters["ignored"]) == (3, 1)


def test_a_crossed_book_is_counted_and_stays():
    changed = delta(2, [("12", "1")], []), delta(3, [], [("9", "2")])
    pipeline, _ = feed(snapshot(1, [("10", "1")], [("11", "1")]), *changed)
    book = pipeline.book("BTC-USD")
    assert book.status is BookState.LIVE
    assert levels(book) == ([[12, 1], [10, 1]], [[9, 2], [11, 1]])
    assert pipeline.symbol_stats("BTC-USD")["crossed"] == 2


def test_changes_before_the_snapshot_are_not_of_the_book():
    pipeline, _ = feed(delta(1, [("10", "5")], []), snapshot(2, [("9", "1")], [("11", "1")]))
    assert levels(pipeline.book("BTC-USD")) == ([[9, 1]], [[11, 1]])


def test_isolated_markets_have_commas_in_their_names():
    name = "FARTCOIN,RAYDIUM,9BB6NFECJBCTNNLFKO2FQVQBQ8HHM13KCYYCDQBGPUMP-USD"
    pipeline, _ = feed(snapshot(1, [("10", "1")], [("11", "1")], name), delta(2, [("10", "2")], [], name))
    assert levels(pipeline.book(name)) == ([[10, 2]], [[11, 1]])
    assert SPEC.symbol(name.lower()) == name
    assert SPEC.symbol("btc-usd") == "BTC-USD"


# ---- numbers of the connection

def connected():
    """A pipeline whose connection has sent its numbers 0 and 1."""
    pipeline = Pipeline("dydx")
    pipeline.feed(f'{{"type":"connected","connection_id":"{CONNECTION}","message_id":0}}'.encode())
    pipeline.feed(snapshot(1, [("10", "1")], [("11", "1")]))
    return pipeline


def test_an_answer_may_come_late():
    # In the recording 31 is followed by the answers 19, 12, 14, 11: their numbers were given when the requests came in.
    pipeline = connected()
    for number in range(5, 3000):
        pipeline.feed(delta(number, [("10", "1")], []))
        if number == 200:
            for late in (3, 2, 4):
                pipeline.feed(trades(late, kind="subscribed"))
        assert pipeline.book("BTC-USD").status is BookState.LIVE


def test_a_number_that_never_comes_is_a_loss():
    pipeline = connected()
    for number in range(3, 3000):
        pipeline.feed(delta(number, [("10", "1")], []))
        if pipeline.book("BTC-USD").status is not BookState.LIVE:
            break
    assert 200 < number < 1000


# ---- trades

def test_trades():
    _, kept = feed(trades(1, TRADE, {**TRADE, "side": "SELL", "price": "60391.5"}))
    first, second = kept.kept
    assert (first.symbol, first.price, first.qty, first.aggressor) == ("BTC-USD", 60392, 0.0001, "buy")
    assert first.exchange_ns == 1724371257627000000
    assert first.trade_id == 0                                # 24 hexadecimal digits
    assert (second.symbol, second.price, second.aggressor) == ("BTC-USD", 60391.5, "sell")


@pytest.mark.parametrize("kind", ["LIMIT", "DELEVERAGED", "TWAP_SUBORDER", "NEW_KIND"])
def test_a_kind_of_trade_that_is_only_a_trade(kind):
    _, kept = feed(trades(1, {**TRADE, "type": kind}))
    assert [type(event).__name__ for event in kept.kept] == ["Trade"]


@pytest.mark.parametrize("first", ["type", "side"])
def test_a_liquidation_is_a_trade_and_a_liquidation_of_the_same_side(first):
    forced = {**TRADE, "side": "SELL", "type": "LIQUIDATED", "price": "22.87", "size": "3.9"}
    forced = {first: forced[first], **forced}
    pipeline, kept = feed(trades(1, TRADE, forced, TRADE))
    assert [type(event).__name__ for event in kept.kept] == ["Trade", "Trade", "Liquidation", "Trade"]
    assert (kept.kept[2].side, kept.kept[2].price, kept.kept[2].qty) == ("sell", 22.87, 3.9)
    assert pipeline.counters["trades"] == 3


def test_trades_in_the_answer_to_a_subscription_are_history():
    answer = trades(1, TRADE, kind="subscribed")
    pipeline, kept = feed(answer)
    assert kept.kept == []
    assert pipeline.control() == [(0, answer)]


@pytest.mark.parametrize("side", ["", "SELLX", "B"])
def test_an_unknown_side_is_an_error(side):
    pipeline = Pipeline("dydx")
    pipeline.feed(trades(1, {**TRADE, "side": side}))
    assert (pipeline.counters["trades"], pipeline.counters["errors"]) == (0, 1)


# ---- markets

WHOLE = {"BTC-USD": {"clobPairId": "0", "ticker": "BTC-USD", "status": "ACTIVE", "oraclePrice": "60387.51779",
                     "priceChange24H": "-782.58326", "volume24H": "247515340.0835", "trades24H": 73556,
                     "nextFundingRate": "0.00001351666666666667", "openInterest": "648.2389", "atomicResolution": -10,
                     "tickSize": "1", "stepSize": "0.0001"},
         "NEW-USD": {"oraclePrice": None, "trades24H": 0, "status": "INITIALIZING"},
         "ETH-USD": {"oraclePrice": "2623.2521", "openInterest": "15395.279"}}


def test_the_answer_of_the_markets_is_an_ack_and_their_state():
    answer = frame("subscribed", 1, "v4_markets", "", {"markets": WHOLE})
    pipeline, kept = feed(answer)
    assert pipeline.control() == [(0, answer)]
    ticker = kept.of("Ticker")[0]
    assert (ticker.symbol, ticker.quote_volume, ticker.trades, ticker.change) == (
        "BTC-USD", 247515340.0835, 73556, -782.58326)
    assert math.isnan(ticker.last_price)
    mark = kept.of("Mark")[0]
    assert (mark.mark_price, mark.index_price, mark.funding_rate) == (60387.51779, 60387.51779, 0.00001351666666666667)
    assert [(event.symbol, event.qty) for event in kept.of("OpenInterest")] == [
        ("BTC-USD", 648.2389), ("ETH-USD", 15395.279)]


def test_only_what_has_changed_is_told():
    _, kept = feed(
        frame("subscribed", 1, "v4_markets", "", {"markets": WHOLE}),
        frame("channel_data", 2, "v4_markets", "", {"oraclePrices": {
            "BTC-USD": {"oraclePrice": "60391.9", "effectiveAt": "2024-08-23T00:00:57.627Z",
                        "effectiveAtHeight": "23455255", "marketId": 0}}}),
        frame("channel_data", 3, "v4_markets", "", {"trading": {"ETH-USD": {"id": "1", "openInterest": "15398.406"}}}),
    )
    btc = [event for event in kept.of("Mark") if event.symbol == "BTC-USD"][-1]
    assert (btc.mark_price, btc.index_price, btc.funding_rate) == (60391.9, 60391.9, 0.00001351666666666667)
    assert kept.of("OpenInterest")[-1].qty == 15398.406


def test_batched_markets():
    _, kept = feed(frame("channel_batch_data", 1, "v4_markets", "", [
        {"trading": {"ETH-USD": {"openInterest": "1"}, "BTC-USD": {"openInterest": "2"}}},
        {"oraclePrices": {}, "trading": {"ETH-USD": {"openInterest": "3"}}}, {}]))
    assert [(event.symbol, event.qty) for event in kept.of("OpenInterest")] == [
        ("ETH-USD", 1), ("BTC-USD", 2), ("ETH-USD", 3)]


# ---- v3

def old(kind, number, contents):
    message = {"type": kind, "connection_id": CONNECTION, "message_id": number, "id": "ETH-USD",
               "channel": "v3_orderbook", "contents": contents}
    return json.dumps(message, separators=(",", ":")).encode()


def test_v3_a_change_counts_only_if_its_offset_is_above_the_levels():
    pipeline, _ = feed(
        old("subscribed", 1, {"bids": [{"price": "10", "offset": "100", "size": "1"},
                                       {"price": "9", "offset": "90", "size": "0"}],
                              "asks": [{"price": "11", "offset": "50", "size": "2"}]}),
        old("channel_data", 2, {"offset": "95", "bids": [["10", "7"], ["9", "3"], ["8", "4"]], "asks": [["11", "0"]]}),
    )
    book = pipeline.book("ETH-USD")
    assert levels(book) == ([[10, 1], [9, 3], [8, 4]], [])
    # Offsets of a market's frames are not in order (604 of 4,687 in the recording fall back); each level has its own.
    pipeline.feed(old("channel_data", 3, {"offset": "94", "bids": [["8", "0"], ["7", "1"]], "asks": [["11", "5"]]}))
    assert levels(book) == ([[10, 1], [9, 3], [8, 4], [7, 1]], [])
    pipeline.feed(old("channel_data", 4, {"offset": "101", "bids": [["10", "0"]], "asks": [["10", "5"]]}))
    assert levels(book) == ([[9, 3], [8, 4], [7, 1]], [[10, 5]])
    assert book.status is BookState.LIVE


def test_v3_of_early_2021_has_no_offsets_in_the_snapshot():
    pipeline, _ = feed(
        old("subscribed", 1, whole([("56489", "1.7088")], [("56490", "1.7415")])),
        old("channel_data", 2, {"offset": "2060907065", "bids": [], "asks": [["56490", "0"], ["56527", "0.0186"]]}))
    assert levels(pipeline.book("ETH-USD")) == ([[56489, 1.7088]], [[56527, 0.0186]])


def test_v3_markets():
    _, kept = feed(
        frame("subscribed", 1, "v3_markets", "", {"markets": {"BTC-USD": {
            "indexPrice": "57794.7000", "oraclePrice": "57880.5200", "nextFundingRate": "0.0000587260",
            "nextFundingAt": "2021-05-01T00:00:00.000Z", "openInterest": "101.2026", "trades24H": "663"}}}),
        frame("channel_data", 2, "v3_markets", "", {"BTC-USD": {"trades24H": "665", "openInterest": "101.2776"}}))
    mark = kept.of("Mark")[0]
    assert (mark.index_price, mark.mark_price, mark.next_funding_ns) == (57794.7, 57880.52, 1619827200000000000)
    assert kept.of("OpenInterest")[-1].qty == 101.2776
    assert kept.of("Ticker")[-1].trades == 665


# ---- what is asked and answered

def test_other_channels_are_known_and_of_no_use():
    pipeline, _ = feed(
        frame("channel_data", 1, "v4_candles", "BTC-USD/1MIN", {"open": "1"}),
        frame("channel_data", 2, "v4_block_height", "", {"blockHeight": "1"}))
    assert pipeline.counters["ignored"] == 2


def test_contents_must_be_there():
    pipeline = Pipeline("dydx")
    pipeline.feed(b'{"type":"channel_data","message_id":1,"id":"BTC-USD","channel":"v4_orderbook"}')
    assert "contents" in str(pipeline.last_error)


def test_the_spec():
    assert (SPEC.link, SPEC.count, SPEC.resync) == (Link.NONE, Count.EACH_ONCE, "resubscribe")
    assert SPEC.limits.streams_per_connection == 32
    assert SPEC.unsubscribe(["v4_orderbook:BTC-USD", "v4_orderbook:ETH-USD:batched", "v4_markets"], 1) == [
        '{"type":"unsubscribe","channel":"v4_orderbook","id":"BTC-USD"}',
        '{"type":"unsubscribe","channel":"v4_orderbook","id":"ETH-USD"}',
        '{"type":"unsubscribe","channel":"v4_markets"}']


def test_streams():
    found = SPEC.streams(["btc-usd", "eth-usd"], ["trades", "liquidations", "mark", "open_interest", "ticker"])
    assert [stream.name for stream in found] == [
        "v4_trades:BTC-USD", "v4_trades:BTC-USD", "v4_markets", "v4_markets", "v4_markets",
        "v4_trades:ETH-USD", "v4_trades:ETH-USD", "v4_markets", "v4_markets", "v4_markets"]
    assert found[2].symbol == "BTC-USD"
    assert found[7].symbol == "ETH-USD"


@pytest.mark.parametrize(("channels", "options", "words"), [
    (("quotes",), {}, "it has: book, trades"), (("book",), {"depth": 5}, "it has: None"),
    (("book",), {"speed": "1ms"}, "batched"), (("book",), {"market": "spot"}, "one market only"),
])
def test_what_the_venue_lacks(channels, options, words):
    with pytest.raises(UnsupportedChannel, match=words):
        SPEC.streams(["BTC-USD"], channels, **options)


@pytest.mark.parametrize(("text", "streams"), [
    ("Invalid subscription id for channel: (v4_orderbook-NOPE-USD)",
     ("v4_orderbook:NOPE-USD", "v4_orderbook:NOPE-USD:batched")),
    ("Too many subscribe attempts for channel v4_trades-BTC-USD. Please  reconnect and try again.",
     ("v4_trades:BTC-USD", "v4_trades:BTC-USD:batched")),
    ("Invalid subscribe message: already subscribed (v4_markets-v4_markets)", ("v4_markets",)),
    ("Internal error, could not fetch data for subscription: v4_orderbook.", ()),
    ("something else", ()),
])
def test_an_error_names_its_stream_in_its_text(text, streams):
    control = SPEC.read_control(json.dumps({"type": "error", "message": text, "message_id": 1}).encode())
    assert (control.kind, control.text, control.streams) == ("error", text, streams)


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"1", b"{}", b'{"type":1}', b'{"type":"error"}', b"[" * 9999])
def test_any_control_frame_is_classified(payload):
    assert SPEC.read_control(payload).kind in ("other", "error")


def test_instruments(data_dir):
    url, _, body = next(read_capture(data_dir / "dydx/instruments.ws.gz")).payload.partition(b" ")
    assert SPEC.read_address(url.decode()).kind == "instruments"
    listed = {item.symbol: item for item in SPEC.read_instruments(body)}
    assert len(listed) == 27
    assert listed["BTC-USD"] == Instrument("BTC-USD", "1", "0.0001", "", "perpetual", "BTC", "USD", "USDC", "0.001")
    assert listed["ETH-USD"] == Instrument("ETH-USD", "0.1", "0.001", "", "perpetual", "ETH", "USD", "USDC", "0.01")
    assert listed["DOGE-USD"] == Instrument("DOGE-USD", "0.0001", "10", "", "perpetual", "DOGE", "USD", "USDC", "100")
    assert listed["BTC-USD"].name == "BTC-USD-PERP"


def test_the_list_of_today():
    isolated = "FARTCOIN,RAYDIUM,9BB6NFECJBCTNNLFKO2FQVQBQ8HHM13KCYYCDQBGPUMP-USD"
    body = json.dumps({"markets": {
        "BTC-USD": {"clobPairId": "0", "ticker": "BTC-USD", "status": "ACTIVE", "oraclePrice": "89919.2",
                    "tickSize": "1", "stepSize": "0.0001", "stepBaseQuantums": 1000000, "marketType": "CROSS"},
        isolated: {"ticker": isolated, "status": "FINAL_SETTLEMENT", "tickSize": "0.0001", "stepSize": "1"}}}).encode()
    first, second = SPEC.read_instruments(body)
    assert first == Instrument("BTC-USD", "1", "0.0001", "", "perpetual", "BTC", "USD", "USDC")
    assert second == Instrument(isolated, "0.0001", "1", "", "perpetual", "FARTCOIN", "USD", "USDC", status="closed")
    assert second.name == "FARTCOIN-USD-PERP"
    for url in (SPEC.instruments_addresses[""][0], "https://api.dydx.exchange/v3/markets"):
        assert SPEC.read_address(url).kind == "instruments"
    assert SPEC.read_address("https://indexer.dydx.trade/v4/orderbooks/perpetualMarket/BTC-USD") is None
    for bad in (b"{}", b"[]", b'{"markets":[]}', b'{"markets":{"A":{}}}', b"x"):
        with pytest.raises(ValueError, match="a list of markets"):
            SPEC.read_instruments(bad)


def test_the_samples_of_the_sheet_are_written_again():
    samples = (
        frame("subscribed", 1, "v4_orderbook", "BTC-USD", whole([("43921", "0.01")], [("43922", "0.2")])),
        frame("channel_data", 2, "v4_orderbook", "BTC-USD", changes([("43921", "0")], [])),
        frame("channel_batch_data", 3, "v4_orderbook", "BTC-USD",
              [changes([("43921", "0")], []), changes([], [("43925", "1.2")])]),
        *(sample.replace("…", "x").encode() for sample in ROW.trades))
    again = Again("dydx")
    for sample in samples:
        again.check(sample)
    assert again.written == len(samples)
    assert again.lost <= {"book connection_id", "trade connection_id", "trade contents.trades[].id"}
