"""Gate.io: what its sheet tells beyond the list that every venue meets."""

from __future__ import annotations

import json
from functools import partial
from math import isnan

import pytest

from feeds import Pipeline
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
from tests.venues.gateio import REFUSED, ROW, SPOT_ACK, frame

SPEC = load("gateio")
events = partial(kept.events, "gateio")
fed = partial(kept.fed, "gateio")
BIDS, ASKS = [("100", "1"), ("99.5", "2")], [("101", "3")]
SPOT_URL = "https://api.gateio.ws/api/v4/spot/order_book?currency_pair=HAI_ETH&limit=100&with_id=true"
FUTURES_URL = "https://api.gateio.ws/api/v4/futures/usdt/order_book?contract=RDNT_USDT&limit=100&with_id=true"


def pack(message):
    return json.dumps(message, separators=(",", ":")).encode()


def push(channel, result, **more):
    return {"time": 1619093532, "channel": channel, "event": "update", **more, "result": result}


def change(symbol, first, last, bids=(), asks=(), market="spot"):
    """One frame of order_book_update."""
    def side(pairs):
        return [{"p": price, "s": int(qty)} for price, qty in pairs] if market == "futures" else list(map(list, pairs))

    return push(f"{market}.order_book_update", {"t": 1619093532978, "s": symbol, "U": first, "u": last,
                                                "b": side(bids), "a": side(asks)})


def sides(pipeline, symbol, **where):
    raw = pipeline.book(symbol, **where).raw
    return raw.bids().tolist(), raw.asks().tolist()


# ---- obu

def test_a_delta_may_have_no_levels_and_counts_all_the_same():
    pipeline = fed(frame("BTC_USDT", 10, BIDS, ASKS), frame("BTC_USDT", 17, [], [], first=11),
                   frame("BTC_USDT", 18, [("100.5", "4")], [], first=18))
    assert pipeline.book("BTC_USDT").status is BookState.LIVE
    assert sides(pipeline, "BTC_USDT") == ([[100.5, 4], [100, 1], [99.5, 2]], [[101, 3]])
    assert pipeline.symbol_stats("BTC_USDT")["updates"] == 2


def test_a_whole_book_may_come_again_at_any_time():
    pipeline = fed(frame("BTC_USDT", 10, BIDS, ASKS), frame("BTC_USDT", 900, [("90", "1")], []),
                   frame("BTC_USDT", 901, [], [("91", "2")], first=901))
    assert sides(pipeline, "BTC_USDT") == ([[90, 1]], [[91, 2]])
    assert pipeline.symbol_stats("BTC_USDT")["snapshots"] == 2


def test_a_gap_is_mended_by_subscribing_again():
    pipeline = fed(frame("BTC_USDT", 10, BIDS, ASKS), frame("BTC_USDT", 14, [("100.5", "4")], [], first=12))
    assert pipeline.book("BTC_USDT").status is BookState.STALE
    assert [want.kind for want in pipeline.wanted()] == ["resubscribe"]
    feed(pipeline, frame("BTC_USDT", 20, BIDS, ASKS), frame("BTC_USDT", 21, [], [("101", "0")], first=21))
    assert pipeline.book("BTC_USDT").status is BookState.LIVE
    assert pipeline.wanted() == []


@pytest.mark.parametrize("text", [
    # 2025-08: the result before time_ms and event; an announcement's example without an event; with the second
    '{"channel":"spot.obu","result":{"t":1754006400261,"full":true,"s":"ob.BTC_USDT.400","u":25847113075,'
    '"b":[["115765.1","0.337839"]],"a":[["115765.2","0.631155"]]},"time_ms":1754006400264,"event":"update"}',
    '{"channel":"spot.obu","result":{"t":1754006400261,"full":true,"s":"ob.BTC_USDT.50","u":25847113075,'
    '"b":[["115765.1","0.337839"]],"a":[["115765.2","0.631155"]]}}',
    '{"time":1789456334,"time_ms":1789456334999,"channel":"futures.obu","event":"update","result":{"t":1754006400261,'
    '"full":true,"s":"ob.BTC_USDT.50","u":108552472643,"b":[["115765.1","0.337839"]],"a":[["115765.2","0.631155"]]}}',
    '{"result":{"u":25847113075,"a":[["115765.2","0.631155"]],"s":"ob.BTC_USDT.50","b":[["115765.1","0.337839"]],'
    '"full":true,"t":1754006400261},"event":"update","channel":"spot.obu"}',
])
def test_every_order_of_the_keys(text):
    pipeline = fed(text)
    market = "futures" if "futures" in text else "spot"
    assert sides(pipeline, "BTC_USDT", market=market) == ([[115765.1, 0.337839]], [[115765.2, 0.631155]])
    assert pipeline.book("BTC_USDT", market=market).raw.exchange_ns == 1754006400261000000


@pytest.mark.parametrize(("first", "key"), [(11, "U"), (11, "u"), (None, "u"), (None, "full")])
def test_a_book_without_its_number_is_bad(first, key):
    """Nor is a whole book one that does not say that it is whole."""
    for lacking in without(frame("BTC_USDT", 12, [("100.5", "4")], [], first=first), key):
        pipeline = fed(frame("BTC_USDT", 10, BIDS, ASKS))
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("BTC_USDT").status is BookState.STALE
        assert sides(pipeline, "BTC_USDT") == ([[100, 1], [99.5, 2]], [[101, 3]])


@pytest.mark.parametrize("key", ["U", "u"])
def test_a_change_without_a_number_is_bad(key):
    for lacking in without(pack(change("HAI_ETH", 11, 11, [("5", "4")])), key):
        pipeline = fed(change("HAI_ETH", 10, 10))
        pipeline.rest(SPOT_URL, b'{"id":10,"asks":[["7","1"]],"bids":[["6","1"]]}')
        assert pipeline.book("HAI_ETH").status is BookState.LIVE
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("HAI_ETH").status is BookState.STALE


def test_a_name_that_is_no_stream_of_a_symbol_is_an_error():
    pipeline = Pipeline("gateio")
    pipeline.feed(b'{"channel":"spot.obu","result":{"t":1,"full":true,"s":"BTC_USDT","u":2,"b":[],"a":[]}}')
    assert pipeline.counters["errors"] == 1
    assert "ob.SYMBOL.DEPTH" in str(pipeline.last_error)


def test_many_frames_by_layout_and_by_key():
    """Learned layouts and the careful way give the same book, with and without each side."""
    want, frames, number = {100.0: 1.0, 101.0: -3.0}, [frame("BTC_USDT", 10, [("100", "1")], [("101", "3")])], 10
    for i in range(300):
        bids = [(f"{90 + i % 7}.5", str(i % 4))] if i % 3 else []
        asks = [(f"{110 + i % 5}", f"{i % 3}.25")] if i % 2 else []
        frames.append(frame("BTC_USDT", number + 1 + i % 3, bids, asks, first=number + 1))
        number += 1 + i % 3
        for sign, pairs in ((1, bids), (-1, asks)):
            for price, qty in pairs:
                want[float(price)] = sign * float(qty)
    pipeline = fed(*frames)
    bids, asks = sides(pipeline, "BTC_USDT")
    assert dict(bids) | {price: -qty for price, qty in asks} == {
        price: qty for price, qty in want.items() if qty}
    assert pipeline.counters["fast"] > 200


# ---- order_book_update

def test_changes_are_joined_to_the_answer_of_rest():
    pipeline = fed(change("HAI_ETH", 5, 8, [("1", "1")]), change("HAI_ETH", 9, 11, [("2", "7")], [("3", "1")]))
    assert [want.kind for want in pipeline.wanted()] == ["snapshot"]
    pipeline.rest(SPOT_URL, pack({"id": 9, "asks": [["3", "5"]], "bids": [["2", "5"], ["1", "5"]]}))
    # The first is old (u <= id), the second straddles (U <= id + 1 <= u) and is applied whole.
    assert sides(pipeline, "HAI_ETH") == ([[2, 7], [1, 5]], [[3, 1]])
    feed(pipeline, change("HAI_ETH", 12, 12, [("1", "0")]))
    assert pipeline.book("HAI_ETH").status is BookState.LIVE
    assert (pipeline.symbol_stats("HAI_ETH")["stale"], pipeline.symbol_stats("HAI_ETH")["updates"]) == (1, 2)
    feed(pipeline, change("HAI_ETH", 14, 15, [("1", "4")]))
    assert pipeline.book("HAI_ETH").status is BookState.STALE
    assert [want.kind for want in pipeline.wanted()] == ["snapshot"]


def test_an_answer_older_than_the_first_change_is_fetched_again():
    pipeline = fed(change("HAI_ETH", 52478818813, 52478818820, [("1", "1")]))
    pipeline.rest(SPOT_URL, pack({"id": 52478818286, "asks": [], "bids": [["2", "5"]]}))
    assert pipeline.book("HAI_ETH").status is not BookState.LIVE
    assert [want.kind for want in pipeline.wanted()] == ["snapshot"]


@pytest.mark.parametrize(("name", "sides_of_100"), [("spot_20210422", 10), ("futures_usdt_20230524", 1)])
def test_the_venue_keeps_the_window_of_a_book_of_changes(data_dir, name, sides_of_100):
    """Why nothing is cut here: a recorded side of as many levels as the stream has never has more, or fewer."""
    pipeline = Pipeline("gateio", on_gap="count", market=name.partition("_")[0])
    counts = {}

    def note(book):
        for side, levels in (("bids", book.raw.bids_int()), ("asks", book.raw.asks_int())):
            counts.setdefault((book.symbol, side), []).append(len(levels))

    pipeline.on_applied = note
    for _, kind, payload in read_capture(data_dir / "gateio" / f"{name}.ws.gz"):
        if kind == "h":
            url, body = payload.split(b" ", 1)
            pipeline.rest(url.decode(), body)
        elif kind == "<":
            pipeline.feed(payload)
    full = [found for found in counts.values() if found[0] == 100]
    assert len(full) == sides_of_100
    assert all(set(found) == {100} for found in full)


@pytest.mark.parametrize("market", ["spot", "futures"])
@pytest.mark.parametrize("depth", [100, 20, 50, None])
def test_a_rest_answer_has_no_more_levels_than_the_stream(market, depth):
    stream, = SPEC.streams(["BTC_USDT"], ["book"], depth=depth, market=market)
    assert stream.levels == (depth if depth in (20, 100) else 0)          # obu: the whole book is in the stream
    assert f"&limit={stream.levels or 100}&" in SPEC.snapshot_url("BTC_USDT", None, stream.levels, market)


def test_levels_of_futures_are_objects_with_numbers_or_texts():
    pipeline = fed(change("RDNT_USDT", 203083179, 203083180, [("0.2943", "0")], [("0.3004", "36916")], "futures"))
    pipeline.rest(FUTURES_URL, pack({
        "id": 203083178, "current": 1684930166.384, "update": 1684930166.35,
        "asks": [{"s": 803, "p": "0.2974"}], "bids": [{"s": 5, "p": "0.2943"}, {"p": "0.294", "s": 6}]}))
    assert sides(pipeline, "RDNT_USDT", market="futures") == ([[0.294, 6]], [[0.2974, 803], [0.3004, 36916]])
    feed(pipeline, push("futures.order_book_update", {
        "t": 1684930165459, "s": "RDNT_USDT", "U": 203083181, "u": 203083181, "l": "20",
        "b": [{"p": "0.294", "s": "1053.5"}], "a": [{"s": "0", "p": "0.2974"}]}))
    assert sides(pipeline, "RDNT_USDT", market="futures") == ([[0.294, 1053.5]], [[0.3004, 36916]])


def test_both_markets_may_have_the_same_symbol():
    pipeline = fed(frame("BTC_USDT", 10, [("100", "1")], []),
                   frame("BTC_USDT", 20, [("200", "2")], [], market="futures"),
                   frame("BTC_USDT", 11, [("100.5", "1")], [], first=11),
                   frame("BTC_USDT", 21, [("200", "0")], [("201", "3")], first=21, market="futures"))
    assert sides(pipeline, "BTC_USDT", market="spot") == ([[100.5, 1], [100, 1]], [])
    assert sides(pipeline, "BTC_USDT", market="futures") == ([], [[201, 3]])


def test_the_whole_books_of_order_book_are_kept_apart():
    pipeline = fed(
        push("spot.order_book", {"t": 1662630117190, "lastUpdateId": 8093065166, "s": "BTC_USDT",
                                 "bids": [["19201.39", "0.0005"]], "asks": [["19201.4", "1.0963"]]}),
        push("futures.order_book", {"t": 0, "id": 0, "contract": "ALICE_USDT", "asks": [], "bids": []}, event="all"))
    assert sides(pipeline, "BTC_USDT", depth=100) == ([[19201.39, 0.0005]], [[19201.4, 1.0963]])
    assert pipeline.book("ALICE_USDT", depth=100, market="futures").status is BookState.LIVE


def test_one_level_updates_of_2020_are_left_out():
    pipeline = fed(push("futures.order_book", [{"p": "223.75", "s": 0, "c": "BCH_USDT", "id": 242529118}], error=None))
    assert pipeline.counters["ignored"] == 1


# ---- trades, tickers

def test_the_sign_of_futures_sizes_is_the_aggressor():
    sizes = [-108, 7, "-0.25", "0.25", 90]
    kept = events(*({"channel": "futures.trades", "event": "update", "result": [
        {"size": size, "id": 27753479, "create_time": 1545136464, "create_time_ms": 1545136464123, "price": "96.4",
         "contract": "BTC_USD"}]} for size in sizes * 3))
    assert [(trade.qty, trade.aggressor) for trade in kept] == [
        (108, "sell"), (7, "buy"), (0.25, "sell"), (0.25, "buy"), (90, "buy")] * 3
    assert (kept[0].trade_id, kept[0].exchange_ns) == (27753479, 1545136464123000000)


def test_every_trade_of_a_frame_comes_with_its_market():
    rows = [{"size": size, "id": 13654526 + i, "create_time": 1614556850, "create_time_ms": 1614556850860 + i,
             "price": "45300", "contract": "BTC_USDT"} for i, size in enumerate((1, -2000, 999))]
    kept = events(push("futures.trades", rows, error=None), push("spot.trades", {
        "id": 309143071, "create_time": 1606292218, "create_time_ms": "1606292218213.4578", "side": "buy",
        "currency_pair": "GT_USDT", "amount": "16.4700000000", "price": "0.4705000000"}))
    assert [(trade.trade_id, trade.qty, trade.aggressor) for trade in kept] == [
        (13654526, 1, "buy"), (13654527, 2000, "sell"), (13654528, 999, "buy"), (309143071, 16.47, "buy")]
    assert [trade.exchange_ns for trade in kept] == [
        1614556850860000000, 1614556850861000000, 1614556850862000000, 1606292218213457800]


def test_a_trade_of_2020_has_its_second_only():
    kept = events(push("futures.trades", [{"size": -22, "id": 1696009, "create_time": 1593561623, "price": "225.5",
                                           "contract": "ETH_USDT"}], error=None))
    assert (kept[0].exchange_ns, kept[0].aggressor) == (1593561623000000000, "sell")


def test_the_finer_time_counts_in_any_order():
    result = {"create_time_ms": "1682689046123.0", "create_time": 1682689046, "id": 1, "side": "sell", "price": "1",
              "currency_pair": "A_B", "amount": "2"}
    assert events(push("spot.trades", result))[0].exchange_ns == 1682689046123000000


TICKER = {"contract": "BTC_USDT", "last": "23160.2", "change_percentage": "-1.3224", "total_size": "153482780",
          "volume_24h": "155496714", "volume_24h_base": "15549", "volume_24h_quote": "360157621",
          "mark_price": "23175.64", "funding_rate": "0.0001", "funding_rate_indicative": "0.0002",
          "index_price": "23173.35", "quanto_base_rate": "", "low_24h": "23018.3", "high_24h": "23589.2"}


@pytest.mark.parametrize("result", [[TICKER], [[TICKER]], TICKER])
def test_tickers_of_futures_are_an_array_an_array_in_one_or_an_object(result):
    kept = events(push("futures.tickers", result, time_ms=1677629168840))
    ticker, mark, interest = (next(event for event in kept if type(event).__name__ == name)
                              for name in ("Ticker", "Mark", "OpenInterest"))
    assert (ticker.last_price, ticker.high, ticker.low, ticker.volume, ticker.quote_volume, ticker.change_pct) == (
        23160.2, 23589.2, 23018.3, 155496714, 360157621, -1.3224)
    assert (mark.mark_price, mark.index_price, mark.funding_rate) == (23175.64, 23173.35, 0.0001)
    assert interest.qty == 153482780
    assert ticker.exchange_ns == 1677629168840000000


def test_several_tickers_and_one_of_spot():
    kept = events(push("futures.tickers", [TICKER, TICKER | {"contract": "ETC_USD", "last": "5.67"}]),
                  push("spot.tickers", {
                      "currency_pair": "NEO_BTC", "last": "0.0018716", "lowest_ask": "0.0018734", "highest_bid": "",
                      "change_percentage": "2.9256", "base_volume": "1138.01640718", "high_24h": "0.0018754",
                      "quote_volume": "2.048263365803126", "low_24h": "0.0017148"}))
    tickers = [event for event in kept if type(event).__name__ == "Ticker"]
    assert [(ticker.symbol, ticker.last_price) for ticker in tickers] == [
        ("BTC_USDT", 23160.2), ("ETC_USD", 5.67), ("NEO_BTC", 0.0018716)]
    assert tickers[2].volume == 1138.01640718
    assert isnan(tickers[2].open)


def test_a_quote_without_a_side_has_zeros():
    kept = events(push("futures.book_ticker", {"t": 0, "u": 0, "s": "BSW_USDT", "b": "", "B": 0, "a": "", "A": 0}),
                  push("futures.book_ticker", {"t": 1774443214909, "u": 92738902534, "s": "ETH_USDT", "b": "2172.82",
                                               "B": "0", "a": "2172.85", "A": "1053.5"}))
    assert (kept[0].bid_price, kept[0].bid_qty, kept[0].ask_price, kept[0].ask_qty) == (0, 0, 0, 0)
    assert (kept[1].bid_price, kept[1].bid_qty, kept[1].ask_price, kept[1].ask_qty) == (2172.82, 0, 2172.85, 1053.5)
    assert kept[1].sequence == 92738902534


def test_liquidations():
    kept = events(push("futures.public_liquidates", [
        {"price": "215.1", "size": -124, "time_ms": 1541486601123, "contract": "BTC_USDT"},
        {"price": 215.2, "size": "3", "time_ms": 1541486601124, "contract": "ETH_USDT"}]))
    assert [(event.symbol, event.price, event.qty, event.side) for event in kept] == [
        ("BTC_USDT", 215.1, 124, "sell"), ("ETH_USDT", 215.2, 3, "buy")]


# ---- the connection

def test_answers_are_no_market_data():
    frames = [SPOT_ACK, REFUSED, *ROW.controls, '{"time":1,"channel":"futures.trades","event":"subscribe","error":null,'
              '"result":{"status":"success"}}', '{"time":1,"channel":"spot.obu","event":"update","result":null}']
    pipeline = fed(*frames)
    assert [payload.decode() for _, payload in pipeline.control()] == frames


def test_an_answer_names_the_stream_by_its_payload():
    assert SPEC.read_control(SPOT_ACK.encode()).streams == ("spot.obu:ob.BTC_USDT.50",)
    assert SPEC.read_control(REFUSED.encode()).streams == ("spot.obu:ob.BTC_USDT.50",)
    answer = {"channel": "futures.order_book_update", "event": "subscribe", "payload": ["BTC_USDT", "100ms", "100"],
              "result": {"status": "success"}}
    stream = SPEC.streams(["BTC_USDT"], ["book"], depth=100, market="futures")[0]
    assert SPEC.read_control(pack(answer)).streams == (stream.name,)
    old = SPEC.read_control(b'{"channel":"spot.tickers","event":"subscribe","result":{"status":"success"}}')
    assert (old.kind, old.streams) == ("ack", ())


def test_requests_carry_the_second(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1748572393.7)
    names = [stream.name for stream in SPEC.streams(["BTC_USDT", "ETH_USDT"], ["book", "trades"], depth=20)]
    assert SPEC.subscribe(names, 7) == [
        '{"time":1748572393,"channel":"spot.order_book_update","event":"subscribe","payload":["BTC_USDT","20ms"]}',
        '{"time":1748572393,"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT","ETH_USDT"]}',
        '{"time":1748572393,"channel":"spot.order_book_update","event":"subscribe","payload":["ETH_USDT","20ms"]}']
    name = SPEC.streams(["btc-usdt"], ["book"], market="futures")[0].name
    assert SPEC.unsubscribe([name], 8) == [
        '{"time":1748572393,"channel":"futures.obu","event":"unsubscribe","payload":["ob.BTC_USDT.400"]}']
    assert SPEC.pings["spot"]() == '{"time":1748572393,"channel":"spot.ping"}'
    assert SPEC.pings["btc"]() == '{"time":1748572393,"channel":"futures.ping"}'
    assert set(SPEC.pings) == set(SPEC.roots)


@pytest.mark.parametrize(("symbol", "root"), [("BTC_USDT", "usdt"), ("BTC_USD", "btc"), ("BTC_USD1", "usd1")])
def test_futures_are_served_by_the_coin_they_are_settled_in(symbol, root):
    assert SPEC.streams([symbol], ["trades"], market="futures")[0].root == root
    assert f"/futures/{root}/" in SPEC.snapshot_url(symbol, market="futures")


def test_what_there_is_not():
    for options, word in (({"depth": 7}, r"400 \(100ms\), 50 \(20ms\), 100"), ({"speed": "1s"}, "100ms"),
                          ({"market": "x"}, "futures")):
        with pytest.raises(UnsupportedChannel, match=word):
            SPEC.streams(["BTC_USDT"], ["book"], **options)
    with pytest.raises(UnsupportedChannel, match="book, trades, quotes, ticker"):
        SPEC.streams(["BTC_USDT"], ["mark"])
    with pytest.raises(UnsupportedChannel, match="perpetual"):
        SPEC.streams(["BTC_USDT_20261225"], ["book"], market="futures")


def test_addresses():
    assert SPEC.read_address(SPOT_URL) == Answer("snapshot", "HAI_ETH", 100, "spot")
    assert SPEC.read_address(FUTURES_URL) == Answer("snapshot", "RDNT_USDT", 100, "futures")
    assert SPEC.snapshot_url("HAI_ETH", market="spot") == SPOT_URL
    assert SPEC.snapshot_url("RDNT_USDT", market="futures") == FUTURES_URL
    for market, addresses in SPEC.instruments_addresses.items():
        assert {SPEC.read_address(address) for address in addresses} == {Answer("instruments", market=market)}
    assert SPEC.read_address("https://api.gateio.ws/api/v4/spot/time") is None


RECORDED = [
    ("instruments", 1458, Instrument(
        "IHT_ETH", "0.000000001", "0.1", "spot", base="IHT", quote="ETH", min_value="0.001"), "IHT-ETH"),
    ("instruments", 1458, Instrument(
        "BTC_USDT", "0.01", "0.0001", "spot", base="BTC", quote="USDT", min_qty="0.0001", min_value="1"), "BTC-USDT"),
    ("instruments_futures", 302, Instrument(
        "KNC_USDT", "0.0001", "1", "futures", "perpetual", "KNC", "USDT", "USDT", "1", contract_size="1",
        contract_unit="KNC"), "KNC-USDT-PERP"),
    ("instruments_futures", 302, Instrument(
        "BTC_USDT", "0.1", "1", "futures", "perpetual", "BTC", "USDT", "USDT", "1", contract_size="0.0001",
        contract_unit="BTC"), "BTC-USDT-PERP"),
]


@pytest.mark.parametrize(("name", "count", "entry", "called"), RECORDED)
def test_recorded_lists_of_instruments(data_dir, name, count, entry, called):
    line = next(line for line in read_capture(data_dir / f"gateio/{name}.ws.gz") if line.kind == "h")
    url, _, body = line.payload.partition(b" ")
    found = {one.symbol: one for one in SPEC.read_instruments(body)}
    assert len(found) == count
    assert (found[entry.symbol], found[entry.symbol].name) == (entry, called)
    assert SPEC.read_address(url.decode()) == Answer("instruments", market=entry.market)


def contract(**entry):
    """What the list of contracts says of one that is not an ordinary one."""
    given = {"type": "direct", "order_price_round": "0.1", "order_size_min": 1, "quanto_multiplier": "0.0001",
             "in_delisting": False, "position_size": 5, **entry}
    found, = SPEC.read_instruments(json.dumps([given]).encode())
    return found


def test_contracts_that_are_not_ordinary():
    inverse = contract(name="BTC_USD", type="inverse", quanto_multiplier="0")
    assert inverse == Instrument("BTC_USD", "0.1", "1", "futures", "perpetual", "BTC", "USD", "BTC", "1",
                                 contract_size="1", contract_unit="USD")
    assert inverse.inverse
    quanto = contract(name="ETH_USD", quanto_multiplier="0.000001")
    assert (quanto.settle, quanto.contract_size, quanto.contract_unit) == ("BTC", "0.000001", "BTC")
    dated = contract(name="BTC_USDT_20261225", underlying="BTC_USDT", expire_time=1798185600)
    assert (dated.kind, dated.name, dated.expiry_ns) == ("future", "BTC-USDT-25DEC26", 1798185600 * 10**9)
    parts = contract(name="BTC_USDT", order_size_min="0.10", enable_decimal=True)
    assert (parts.lot_size, parts.min_qty) == ("0.1", "0.1")
    assert contract(name="BTC_USDT", in_delisting=True).status == "halted"
    assert contract(name="BTC_USDT", in_delisting=True, position_size=0).status == "closed"


def test_pairs_that_are_not_traded(data_dir):
    line = next(line for line in read_capture(data_dir / "gateio/instruments.ws.gz") if line.kind == "h")
    states = [entry.status for entry in SPEC.read_instruments(line.payload.partition(b" ")[2])]
    assert (states.count("trading"), states.count("halted")) == (1408, 50)       # 44 untradable, 6 sellable


def test_another_answer_is_no_list():
    with pytest.raises(ValueError, match="expected a list of pairs or contracts"):
        SPEC.read_instruments(b'[{"id":1}]')


# ---- the simulated venue

def test_a_stream_is_taken_once_and_one_that_there_is_not_in_silence():
    wire = Wire("gateio", 1)
    text = '{"time":1,"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.50"]}'
    ask, = wire.speech.read(text, wire.line)
    ack, = wire.speech.answer(ask, ask.names, (), wire.line)
    assert SPEC.read_control(ack.encode()).streams == ("spot.obu:ob.BTC_USDT.50",)
    again, = wire.speech.read(text, wire.line)
    control = SPEC.read_control(again.frames[0].encode())
    assert (control.kind, control.code, control.text, control.reason) == ("error", 2, "Alert sub ob.BTC_USDT.50", "")
    unknown, = wire.speech.read(text.replace("BTC", "NOPE"), wire.line)
    assert [SPEC.read_control(frame.encode()).kind
            for frame in wire.speech.answer(unknown, (), unknown.names, wire.line)] == ["ack"]
    refused, = wire.speech.read('{"channel":"spot.trades","event":"subscribe","payload":["NOPE_USDT"]}', wire.line)
    control = SPEC.read_control(wire.speech.answer(refused, (), refused.names, wire.line)[0].encode())
    assert (control.kind, control.reason, control.streams) == ("error", "bad_symbol", ("spot.trades:NOPE_USDT",))


@pytest.mark.parametrize("root", ["spot", "usdt"])
def test_a_ping_is_answered(root):
    ask, = speech("gateio").read(SPEC.pings[root](), Line())
    assert SPEC.read_control(ask.frames[0].encode()).kind == "pong"


def test_the_rest_answer_is_where_the_stream_goes_on():
    wire = Wire("gateio", 4)
    wire.subscribe(SPEC.streams(["BTC_USDT"], ["book"], depth=100, market="futures"))
    told = 0
    while told < 3:
        told += len(wire.step())
    wire.meet()
    status, body = wire.speech.rest("GET", "/api/v4/futures/usdt/order_book", {
        "contract": "BTC_USDT", "limit": "100", "with_id": "true"}, wire.hall)
    answer = json.loads(body)
    sequence = wire.pipeline.book("BTC_USDT", market="futures").sequence
    assert (status, answer["id"], len(answer["bids"])) == (200, sequence, 100)
    assert wire.speech.rest("GET", "/api/v4/spot/order_book", {"currency_pair": "NOPE"}, wire.hall)[0] == 400
