"""Gemini: what its sheet warns of. What every venue must do is in tests/feeds/test_venues.py."""

from __future__ import annotations

import json

import pytest

from feeds import Pipeline
from feeds.instruments import Instrument
from feeds.venue import Link, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests.dialects import Again
from tests.kept import Events, fed
from tests.model import read_capture
from tests.venues import without
from tests.venues.gemini import ROW, update

SPEC = load("gemini")


def feed(*frames):
    events = Events()
    return fed("gemini", *frames, handler=events), events


def sides(pipeline, symbol, depth=None):
    raw = pipeline.book(symbol, depth).raw
    return raw.bids().tolist(), raw.asks().tolist()


# ---- the form of 2026

def test_frames_of_a_probe():
    """Sheet: deltas overlap by one (U is the u before), prices are padded with zeros, a quantity of 0.000 removes."""
    pipeline, _ = feed(
        update("ethgusdperp", 1764527605192323, 1764527605192323, [("2482.5500", "1.047")], [("2483.5000", "2.000")]),
        b'{"e":"depthUpdate","E":1789456742337187316,"s":"ethgusdperp","U":1764527605192323,"u":1764527605192686,'
        b'"b":[["2482.5500","0.000"]],"a":[["2483.5000","0.000"],["2483.4500","1.047"]]}',
        b'{"e":"depthUpdate","E":1789456742362015387,"s":"ethgusdperp","U":1764527605192686,"u":1764527605192712,'
        b'"b":[["2482.5500","1.047"]],"a":[]}')
    assert sides(pipeline, "ethgusdperp") == ([[2482.55, 1.047]], [[2483.45, 1.047]])
    book = pipeline.book("ethgusdperp")
    assert (book.status, book.sequence) == (BookState.LIVE, 1764527605192712)
    assert book.raw.exchange_ns == 1789456742362015387            # above 2**53: no double has it


@pytest.mark.parametrize(("first", "last", "applied", "status"), [
    (10, 12, True, BookState.LIVE), (11, 12, True, BookState.LIVE), (8, 12, True, BookState.LIVE),
    (9, 10, False, BookState.LIVE), (5, 7, False, BookState.LIVE), (12, 13, False, BookState.STALE),
])
def test_the_gap_rule(first, last, applied, status):
    """Sheet: apply if U <= last < u, drop if u <= last, U == last + 1 is good too, a gap above that."""
    pipeline, _ = feed(update("btcusd", 10, 10, [("10", "1")], [("11", "1")]),
                       update("btcusd", first, last, [("10", "5")], []))
    assert sides(pipeline, "btcusd")[0] == [[10, 5 if applied else 1]]
    assert pipeline.book("btcusd").status is status


@pytest.mark.parametrize("key", ["U", "u"])
@pytest.mark.parametrize("first", [10, 12], ids=["a delta", "a whole book"])
def test_a_book_without_a_number_is_bad(first, key):
    for lacking in without(update("btcusd", first, 12, [("10", "5")], []), key):
        pipeline, _ = feed(update("btcusd", 10, 10, [("10", "1")], [("11", "1")]))
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("btcusd").status is BookState.STALE
        assert sides(pipeline, "btcusd") == ([[10, 1]], [[11, 1]])


def test_a_partial_book_without_its_number_is_bad():
    whole = b'{"lastUpdateId":7,"symbol":"btcusd","bids":[["10","1"]],"asks":[["11","2"]]}'
    for lacking in without(whole, "lastUpdateId"):
        pipeline, _ = feed(update("btcusd", 10, 10, [("10", "1")], [("11", "1")]), whole)
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("btcusd", 20).status is BookState.STALE


def test_a_whole_book_is_told_by_its_numbers_however_often_deltas_came():
    deltas = [update("btcusd", 10 + i, 11 + i, [("10", str(1 + i))], []) for i in range(20)]
    pipeline, _ = feed(update("btcusd", 10, 10, [("10", "1")], [("11", "1")]), *deltas,
                       update("btcusd", 40, 40, [("9", "2")], [("12", "3")]),
                       update("btcusd", 40, 41, [("9.5", "1")], []))
    assert sides(pipeline, "btcusd") == ([[9.5, 1], [9, 2]], [[12, 3]])
    stats = pipeline.symbol_stats("btcusd")
    assert (stats["snapshots"], stats["updates"], stats["gaps"]) == (2, 21, 0)
    assert SPEC.link is Link.OVERLAP_OR_WHOLE


def test_without_a_snapshot_a_book_is_not_live():
    pipeline, _ = feed(update("btcusd", 10, 12, [("10", "1")], [("11", "1")]))
    assert pipeline.book("btcusd").status is BookState.SYNCING
    assert [(want.kind, want.symbol) for want in pipeline.wanted()] == [("resubscribe", "btcusd")]


def test_the_address_asks_for_snapshots():
    assert SPEC.connect_path(()) == SPEC.connect_path(("btcusd@depth@100ms",)) == "/?snapshot=-1"


def test_partial_books_are_books_of_their_own():
    whole = {"lastUpdateId": 1764527605192164, "symbol": "btcusd", "bids": [["62145.38", "0.1"]],
             "asks": [["62146.00", "0.2"]]}
    pipeline, _ = feed(update("btcusd", 10, 10, [("10", "1")], [("11", "1")]), whole, whole,
                       whole | {"lastUpdateId": 1764527605192165, "bids": []})
    assert sides(pipeline, "btcusd", 20) == ([], [[62146, 0.2]])
    assert sides(pipeline, "btcusd") == ([[10, 1]], [[11, 1]])
    for depth in (5, 10, 20):
        stream, = SPEC.streams(["BTCUSD"], ["book"], depth=depth)
        assert (stream.name, stream.symbol, stream.depth) == (f"btcusd@depth{depth}@100ms", "btcusd", 20)


def test_quotes_may_lack_a_side_or_both():
    whole = {"u": 1764549594389752, "E": 1783981140076872200, "s": "xrpgusd", "b": "1.0614900", "B": "958.69148000",
             "a": "1.0615000", "A": "38.39060000", "c": "1.0612500", "C": "4.71027100"}
    no_bid = {key: value for key, value in whole.items() if key not in "bB"}
    neither = {key: whole[key] for key in ("u", "E", "s")}
    _, kept = feed(whole, no_bid, neither, whole)
    assert [(quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) for quote in kept.of("Quote")] == [
        (1.06149, 958.69148, 1.0615, 38.3906), (0, 0, 1.0615, 38.3906), (0, 0, 0, 0),
        (1.06149, 958.69148, 1.0615, 38.3906)]
    assert kept.of("Quote")[0].exchange_ns == 1783981140076872200


def test_m_says_that_the_buyer_was_the_maker():
    trade = {"E": 1783981140076872200, "s": "btcrlusd", "t": 2840141014190422, "p": "62145.38000", "q": "0.0162522200",
             "m": True}
    _, kept = feed(trade, trade | {"m": False})
    assert [trade.aggressor for trade in kept.of("Trade")] == ["sell", "buy"]
    assert (kept.of("Trade")[0].trade_id, kept.of("Trade")[0].qty) == (2840141014190422, 0.01625222)


def test_only_the_price_of_a_mark_is_taken():
    """Sheet: `i` is wrongly scaled by powers of ten, do not use."""
    _, kept = feed(b'{"e":"markPrice","E":1789456746446652397,"s":"btcgusdperp","p":"77303.727","i":"7725880.833"}')
    mark, = kept.of("Mark")
    assert (mark.symbol, mark.mark_price) == ("btcgusdperp", 77303.727)
    assert mark.index_price != mark.index_price


@pytest.mark.parametrize("frame", [
    {"e": "contractStatus", "E": 1784870400000, "s": "gemi-btc15m2607241200-hi100000", "n": "Approved"},
    {"e": "fundingAmount", "E": 1789459200000000000, "s": "btcgusdperp", "f": "7.90688", "p": "77302.223", "R": False},
    {"type": "mark_price_updates", "symbol": "BTCGUSDPERP", "changes": []},
])
def test_events_of_no_use_are_ignored(frame):
    pipeline, _ = feed(frame)
    assert pipeline.counters["ignored"] == 1


# ---- v2

def test_the_first_message_of_v2_is_known_by_its_keys(data_dir):
    """All 7 first messages of the capture have auction_events and trades, none of the 377 later ones has either."""
    seen, first, later = set(), 0, 0
    for line in read_capture(data_dir / f"{ROW.captures[0]}.ws.gz"):
        message = json.loads(line.payload) if line.kind == "<" else {}
        if message.get("type") != "l2_updates":
            continue
        marked = "auction_events" in message and "trades" in message
        assert marked is (message["symbol"] not in seen) or marked == ("auction_events" in message)
        first, later = first + marked, later + (not marked)
        assert marked == (message["symbol"] not in seen)
        seen.add(message["symbol"])
    assert (first, later) == (7, 377)


def test_v2_deltas_before_and_after_the_whole_book():
    whole = {"type": "l2_updates", "symbol": "ALCXUSD", "changes": [["buy", "302.75", "0.00001"],
                                                                  ["sell", "310.1", "1.5"]], "auction_events": []}
    old = {"type": "trade", "symbol": "ALCXUSD", "event_id": 1, "timestamp": 1, "price": "1", "quantity": "1",
           "side": "buy"}
    pipeline, kept = feed(
        whole | {"trades": [old, old]},
        {"type": "l2_updates", "symbol": "ALCXUSD", "changes": [["sell", "310.1", "0"], ["sell", "999", "0"],
                                                              ["buy", "300", "2"]]},
        {"type": "l2_updates", "symbol": "ALCXUSD", "changes": []})
    assert sides(pipeline, "ALCXUSD") == ([[302.75, 0.00001], [300, 2]], [])
    stats = pipeline.symbol_stats("ALCXUSD")
    assert (stats["snapshots"], stats["updates"], stats["changes"], stats["absent"]) == (1, 2, 3, 1)
    assert kept.of("Trade") == []                      # the snapshot's trades were there before
    pipeline.feed(json.dumps(dict(reversed(whole.items()))).encode())       # the key order of 2026
    assert sides(pipeline, "ALCXUSD") == ([[302.75, 0.00001]], [[310.1, 1.5]])


def test_the_side_of_a_v2_trade_is_the_takers():
    """Sheet: 16 of 16 buys at the ask; a block trade has no side."""
    trade = {"type": "trade", "symbol": "ANKRUSD", "event_id": 45465818387, "timestamp": 1624493670759,
             "price": "0.07946", "quantity": "1020.482111", "side": "buy"}
    _, kept = feed(trade, trade | {"side": "sell"}, trade | {"side": "block"})
    assert [trade.aggressor for trade in kept.of("Trade")] == ["buy", "sell"]
    assert kept.of("Trade")[0].exchange_ns == 1624493670759000000


@pytest.mark.parametrize("symbol", ["BTCGBP", "btcgbp"])
def test_a_symbol_is_found_in_either_spelling(symbol):
    pipeline = Pipeline("gemini", symbols=[symbol])
    pipeline.feed(b'{"type":"l2_updates","symbol":"BTCGBP","changes":[["buy","1","1"]],"auction_events":[]}')
    assert pipeline.book("btcgbp").status is BookState.LIVE


# ---- the rest

@pytest.mark.parametrize("broken", [
    update("btcusd", 10, 10, [("10", "-1")], []), update("btcusd", 10, 10, [("x", "1")], []),
    b'{"e":"depthUpdate","E":1,"s":"btcusd","u":10,"b":[],"a":[]}',
    b'{"e":"depthUpdate","E":1,"s":"btcusd","U":9,"u":10,"b":[]}',
    b'{"e":"depthUpdate","E":1,"U":9,"u":10,"b":[],"a":[]}',
    b'{"u":1,"E":1,"s":"btcusd","b":"1","a":"2","A":"1"}',
    b'{"type":"l2_updates","symbol":"BTCUSD","changes":[["hold","1","1"]]}',
    b'{"type":"trade","symbol":"BTCUSD","price":"1","quantity":"1","side":"both"}', b"[]", b"pong",
])
def test_wrong_content_is_an_error(broken):
    pipeline = Pipeline("gemini")
    pipeline.feed(broken)
    assert pipeline.counters["errors"] == 1


def test_requests_and_answers():
    names = [stream.name for stream in SPEC.streams(["ETHGUSDPERP"], ["book", "mark"], speed="1000ms")]
    assert names == ["ethgusdperp@depth", "ethgusdperp@markPrice"]
    assert SPEC.unsubscribe(names[:1], 2) == ['{"id":2,"method":"unsubscribe","params":["ethgusdperp@depth"]}']
    assert SPEC.read_control(b'{"id":"7","status":200}').request_id == 7
    refused = SPEC.read_control(
        b'{"id":4,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: nosuchperp@depth@100ms"}}')
    assert (refused.request_id, refused.code, refused.streams) == (4, -1013, ("nosuchperp@depth@100ms",))


@pytest.mark.parametrize(("channels", "options", "known"), [
    (["ticker"], {}, "book, quotes, trades, mark"), (["book"], {"depth": 50}, "5, 10, 20"),
    (["book"], {"speed": "50ms"}, "100ms, 1000ms"), (["mark"], {}, "perpetuals"), (["book"], {"market": "x"}, "one"),
])
def test_what_there_is_not_says_what_there_is(channels, options, known):
    with pytest.raises(UnsupportedChannel, match=known):
        SPEC.streams(["btcusd"], channels, **options)


def test_instruments(data_dir):
    found, pages = {}, []
    for line in read_capture(data_dir / "gemini/instruments.ws.gz"):
        url, _, body = line.payload.partition(b" ")
        assert SPEC.read_address(url.decode()).kind == "instruments"
        pages += SPEC.next_page(url.decode(), body)
        found.update((item.symbol, item) for item in SPEC.read_instruments(body))
    assert len(found) == 71
    assert pages == [f"https://api.gemini.com/v1/symbols/details/{symbol}" for symbol in found]
    assert found["btcusd"] == Instrument("btcusd", "0.01", "0.00000001", "", "spot", "BTC", "USD", "", "0.00001")
    assert found["dogeusd"] == Instrument("dogeusd", "0.00001", "0.000001", "", "spot", "DOGE", "USD", "", "0.1")
    assert found["btcgusd"].status == "closed"
    assert found["ethdai"].status == "trading"                # limit_only
    for wrong in (b"{}", b"[1]", b"x", b"\xff"):
        with pytest.raises(ValueError, match="an instrument with"):
            SPEC.read_instruments(wrong)


def test_a_perpetual_of_today():
    item, = SPEC.read_instruments(
        b'{"symbol":"BTCUSDCPERP","base_currency":"BTC","quote_currency":"USDC","tick_size":0.0001,"quote_increment":'
        b'0.5,"min_order_size":"0.0001","status":"cancel_only","wrap_enabled":false,"product_type":"swap",'
        b'"contract_type":"linear","contract_price_currency":"GUSD"}')
    assert item == Instrument("btcusdcperp", "0.5", "0.0001", "", "perpetual", "BTC", "USDC", "USDC", "0.0001",
                              status="halted")
    assert item.name == "BTC-USDC-PERP"


def test_the_samples_of_the_sheet_are_written_again():
    samples = (
        update("ethgusdperp", 1764527605192323, 1764527605192686, [("2482.5500", "0.000")], [("2483.5000", "0.000")]),
        update("btcusd", 1764527605192323, 1764527605192323, [("62145.38", "0.1")], []),
        b'{"lastUpdateId":1764549594389752,"symbol":"btcusd","bids":[["62145.38","0.1"]],"asks":[["62146.00","0.2"]]}',
        b'{"e":"markPrice","E":1789456746446652397,"s":"btcgusdperp","p":"77303.727","i":"7725880.833"}',
        b'{"u":1764549594389752,"E":1784870400000000000,"s":"btcusd"}',
        *(sample.encode() for sample in (*ROW.trades, *ROW.quotes)))
    again = Again("gemini")
    for sample in samples:
        again.check(sample)
    assert again.written == len(samples)
    assert again.lost == {"mark i", "quote c", "quote C"}
