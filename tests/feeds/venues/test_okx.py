"""OKX: what its sheet tells beyond the list that every venue meets."""

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
from tests.model import read_capture
from tests.venues import without
from tests.venues.okx import book

SPEC = load("okx")
events = partial(kept.events, "okx")
BIDS, ASKS = [("100", "1"), ("99.5", "2")], [("101", "3")]


def frame(channel, *elements, **argument):
    argument = argument or {"instId": "BTC-USDT"}
    return json.dumps({"arg": {"channel": channel, **argument}, "data": list(elements)}, separators=(",", ":")).encode()


def live(**options):
    pipeline = Pipeline("okx", **options)
    pipeline.feed(book("BTC-USDT", "snapshot", -1, 100, BIDS, ASKS))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    return pipeline


# ---- sequence

def test_ids_are_linked_and_not_consecutive():
    pipeline = live()
    pipeline.feed(book("BTC-USDT", "update", 100, 193, [("100.5", "4")], []))
    pipeline.feed(book("BTC-USDT", "update", 193, 200, [("100", "0")], []))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    assert pipeline.book("BTC-USDT").sequence == 200
    assert pipeline.book("BTC-USDT").best_bid[0] == 100.5


def test_a_keep_alive_changes_nothing():
    pipeline = live()
    pipeline.feed(book("BTC-USDT", "update", 100, 100, [], []))
    pipeline.feed(book("BTC-USDT", "update", 100, 107, [("100.5", "4")], []))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    assert pipeline.book("BTC-USDT").sequence == 107


def test_a_reset_goes_on_from_a_lower_number():
    pipeline = live()
    pipeline.feed(book("BTC-USDT", "update", 100, 3, [("100.5", "4")], []))
    pipeline.feed(book("BTC-USDT", "update", 3, 5, [("100.5", "5")], []))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    assert pipeline.book("BTC-USDT").sequence == 5


def test_a_repeated_update_is_dropped():
    pipeline = live()
    for _ in range(2):
        pipeline.feed(book("BTC-USDT", "update", 100, 110, [("100.5", "4")], []))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    assert pipeline.symbol_stats("BTC-USDT")["stale"] == 1


def test_a_gap_asks_once_for_a_new_subscription_and_waits_for_its_snapshot():
    pipeline = live()
    for previous in (101, 103, 105):
        pipeline.feed(book("BTC-USDT", "update", previous, previous + 2, [("100.5", "4")], []))
    assert pipeline.book("BTC-USDT").status is BookState.STALE
    assert [(want.kind, want.symbol) for want in pipeline.wanted()] == [("resubscribe", "BTC-USDT")]
    pipeline.feed(book("BTC-USDT", "snapshot", -1, 90, BIDS, ASKS))
    pipeline.feed(book("BTC-USDT", "update", 90, 95, [("100.5", "4")], []))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    assert pipeline.wanted() == []


@pytest.mark.parametrize(("action", "key"), [("update", "seqId"), ("update", "prevSeqId"), ("snapshot", "seqId")])
def test_where_books_have_numbers_a_message_without_one_is_bad(action, key):
    for lacking in without(book("BTC-USDT", action, 100, 110, [("100.5", "4")], []), key):
        pipeline = live()
        pipeline.feed(lacking)
        assert pipeline.counters["errors"] == 1
        assert pipeline.book("BTC-USDT").status is BookState.STALE
        assert pipeline.book("BTC-USDT").raw.bids()[0].tolist() == [100, 1]


def test_what_was_learned_of_messages_without_numbers_is_void_when_one_has_them():
    pipeline = live()
    older = [book("BTC-USDT", "update", 0, 1, [("100.5", str(i))], []).replace(b',"seqId":1,"prevSeqId":0', b"")
             for i in range(1, 5)]
    pipeline = Pipeline("okx")
    pipeline.feed(book("BTC-USDT", "snapshot", -1, 1, BIDS, ASKS).replace(b',"seqId":1,"prevSeqId":-1', b""))
    for frame_without in older[:3]:
        pipeline.feed(frame_without)
    assert pipeline.counters["fast"] > 0
    pipeline.feed(book("BTC-USDT", "snapshot", -1, 100, BIDS, ASKS))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    pipeline.feed(older[3])
    assert pipeline.book("BTC-USDT").status is BookState.STALE
    assert pipeline.book("BTC-USDT").raw.bids()[0].tolist() == [100, 1]


@pytest.mark.parametrize("order", [("checksum", "prevSeqId", "seqId"), ("seqId", "checksum", "prevSeqId")])
def test_the_order_of_the_numbers_differs(order):
    pipeline = live()
    numbers = {"seqId": 110, "prevSeqId": 100, "checksum": 0}
    element = {**{key: numbers[key] for key in order}, "bids": [["100.5", "4", "0", "1"]], "asks": [], "ts": "1"}
    head = {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": "update"}
    pipeline.feed(json.dumps({**head, "data": [element]}).encode())
    assert pipeline.book("BTC-USDT").sequence == 110


def test_a_book_update_says_what_it_is():
    pipeline = live()
    pipeline.feed(book("BTC-USDT", "partial", 100, 110, BIDS, ASKS))
    assert pipeline.counters["errors"] == 1


# ---- checksum

# The sheet's arithmetic check: crc32("3366.1:7:3366.8:9:3366:6:3368:8") is -1881014294, read as signed.
CHECKED = [("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")]


def test_a_checksum_that_is_right():
    pipeline = Pipeline("okx")
    pipeline.feed(book("BTC-USDT", "snapshot", -1, 1, *CHECKED, checksum=-1881014294))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    assert pipeline.symbol_stats("BTC-USDT")["crc_ok"] == 1


def test_a_wrong_checksum_is_a_gap_of_that_symbol_alone():
    pipeline = Pipeline("okx")
    pipeline.feed(book("ETH-USDT", "snapshot", -1, 1, *CHECKED))
    pipeline.feed(book("BTC-USDT", "snapshot", -1, 1, *CHECKED, checksum=-1881014294))
    pipeline.feed(book("BTC-USDT", "update", 1, 2, [("3365", "1")], [], checksum=-1881014294))
    assert pipeline.book("BTC-USDT").status is BookState.STALE
    assert pipeline.book("ETH-USDT").status is BookState.LIVE


def test_a_checksum_of_0_is_none():
    pipeline = live()
    pipeline.feed(book("BTC-USDT", "update", 100, 101, [("100.5", "4")], [], checksum=0))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    assert "crc_bad" not in pipeline.symbol_stats("BTC-USDT")


def test_without_seqid_the_checksum_shows_a_loss():
    pipeline = Pipeline("okx")
    older = book("BTC-USDT", "snapshot", -1, 1, *CHECKED, checksum=-1881014294)
    older = older.replace(b',"seqId":1,"prevSeqId":-1', b"")
    pipeline.feed(older)
    pipeline.feed(older.replace(b"snapshot", b"update"))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    pipeline.feed(older.replace(b"snapshot", b"update").replace(b'"3366","6"', b'"3365","6"'))
    assert pipeline.book("BTC-USDT").status is BookState.STALE


# ---- the other channels

def test_books5_fills_a_book_of_its_own():
    pipeline = live()
    pipeline.feed(frame("books5", {"asks": [["63921.5", "790.41", "0", "42"]],
                                   "bids": [["63921.4", "421.93", "0", "28"]], "instId": "BTC-USDT",
                                   "ts": "1786541241106", "seqId": 333794734996}))
    assert pipeline.book("BTC-USDT", 5).best_bid == (63921.4, 421.93)
    assert pipeline.book("BTC-USDT").best_bid[0] == 100.0


@pytest.mark.parametrize("channel", ["books-l2-tbt", "books50-l2-tbt"])
def test_the_faster_books_are_read_too(channel):
    pipeline = Pipeline("okx")
    pipeline.feed(book("BTC-USDT", "snapshot", -1, 1, BIDS, ASKS).replace(b'"books"', f'"{channel}"'.encode()))
    assert pipeline.book("BTC-USDT").status is BookState.LIVE


@pytest.mark.parametrize("channel", ["books-elp", "books-rpi", "candle1m", "price-limit"])
def test_what_is_not_the_book_is_ignored(channel):
    pipeline = Pipeline("okx")
    pipeline.feed(book("BTC-USDT", "snapshot", -1, 1, BIDS, ASKS).replace(b'"books"', f'"{channel}"'.encode()))
    assert pipeline.counters["ignored"] == 1
    assert pipeline.symbols() == []


def test_several_trades_in_one_frame():
    rows = [{"instId": "BTC-USDT", "tradeId": str(number), "px": "100.5", "sz": "2", "side": side,
             "ts": "1789470162718", "count": "3", "source": "0", "seqId": 80274874887}
            for number, side in enumerate(["buy", "sell", "buy"])]
    got = events(frame("trades", *rows))
    assert [(trade.trade_id, trade.aggressor, trade.exchange_ns) for trade in got] == [
        (0, "buy", 1789470162718000000), (1, "sell", 1789470162718000000), (2, "buy", 1789470162718000000)]


def test_no_trades_in_a_frame():
    assert events(frame("trades")) == []


def test_an_unknown_side_is_an_error():
    pipeline = Pipeline("okx")
    pipeline.feed(frame("trades", {"instId": "BTC-USDT", "tradeId": "1", "px": "1", "sz": "2", "side": "?", "ts": "1"}))
    assert pipeline.counters["errors"] == 1
    assert "a side" in str(pipeline.last_error)


DAY = {"last": "29973.6", "lastSz": "1", "askPx": "29973.7", "askSz": "1", "bidPx": "29973.5", "bidSz": "34",
       "open24h": "31666.9", "high24h": "31978.1", "low24h": "29336.7", "sodUtc0": "29839", "sodUtc8": "30788.7",
       "volCcy24h": "3764.42", "vol24h": "376442", "ts": "1654166126913"}


def test_a_ticker_of_spot():
    (ticker,) = events(frame("tickers", {"instType": "SPOT", "instId": "BTC-USDT", **DAY}))
    assert (ticker.last_price, ticker.bid_price, ticker.ask_qty) == (29973.6, 29973.5, 1.0)
    assert (ticker.volume, ticker.quote_volume) == (376442.0, 3764.42)


def test_volccy24h_of_a_derivative_is_coins_and_no_quote_volume():
    (ticker,) = events(frame("tickers", {"instType": "FUTURES", "instId": "BTC-USDT-220624", **DAY},
                             instId="BTC-USDT-220624"))
    assert ticker.volume == 376442.0
    assert isnan(ticker.quote_volume)


OPTION = {"instType": "OPTION", "instId": "ETH-USD-211222-4000-C", "uly": "ETH-USD"}
GREEKS = {"delta": "0.1975745164", "gamma": "4.7290833601", "vega": "0.0002005415", "theta": "-0.004262964",
          "lever": "162.472613953", "markVol": "0.7794507758", "bidVol": "", "askVol": "0.8203208593", "realVol": "",
          "deltaBS": "0.2038286081", "gammaBS": "0.0013437829", "thetaBS": "-16.4798150221", "vegaBS": "0.7647227087",
          "ts": "1640001659301"}


def test_greeks_are_those_in_usd_and_stay_with_the_ticker():
    other = {**OPTION, "instId": "ETH-USD-211231-9600-C"}
    name = OPTION["instId"]
    first, second, third = events(
        frame("opt-summary", {**OPTION, **GREEKS, "fwdPx": "3924.5"}, {**other, **GREEKS}, uly="ETH-USD"),
        frame("tickers", {"instType": "OPTION", "instId": name, **DAY, "bidPx": "", "bidSz": ""}, instId=name))
    assert (first.symbol, first.delta, first.gamma, first.vega) == (name, 0.2038286081, 0.0013437829, 0.7647227087)
    assert (first.theta, first.mark_iv, first.ask_iv) == (-16.4798150221, 0.7794507758, 0.8203208593)
    assert isnan(first.bid_iv)
    assert first.underlying_price == 3924.5
    assert second.symbol == other["instId"]
    assert isnan(second.underlying_price)
    assert (third.symbol, third.last_price, third.delta) == (name, 29973.6, 0.2038286081)
    assert (third.bid_price, third.bid_qty) == (0.0, 0.0)       # "" is no bid, and not the bid of before


def test_mark_price_index_and_funding_come_by_three_channels():
    name = "BTC-USD-SWAP"
    got = events(
        frame("mark-price", {"instId": name, "markPx": "64281.5", "ts": "1640183727000"}, instId=name),
        frame("funding-rate", {"fundingRate": "-0.0004270396398519", "fundingTime": "1785888000000", "instId": name,
                               "nextFundingRate": "", "nextFundingTime": "1785916800000", "ts": "1785870855692"},
              instId=name),
        frame("index-tickers", {"instId": "BTC-USD", "idxPx": "64280", "open24h": "63848.2", "ts": "1785870839964"},
              instId="BTC-USD"))
    assert [(mark.symbol, mark.mark_price) for mark in got[:2]] == [(name, 64281.5), (name, 64281.5)]
    assert isnan(got[0].funding_rate)
    assert (got[1].funding_rate, got[1].next_funding_ns) == (-0.0004270396398519, 1785888000000000000)
    assert (got[2].symbol, got[2].index_price) == ("BTC-USD", 64280.0)


@pytest.mark.parametrize("rate", [{}, {"fundingRate": ""}])
def test_a_funding_rate_may_lack(rate):
    (mark,) = events(frame("funding-rate", {**rate, "fundingTime": "1640851200000", "instId": "SOS-USDT-SWAP",
                                            "instType": "SWAP", "nextFundingRate": "0.0003"}, instId="SOS-USDT-SWAP"))
    assert isnan(mark.funding_rate)
    assert mark.next_funding_ns == 1640851200000000000


def test_open_interest_is_in_contracts():
    (interest,) = events(frame("open-interest", {"instId": "WNCG-USDT-SWAP", "instType": "SWAP", "oi": "644195",
                                                 "oiCcy": "64419.5", "oiUsd": "1234.5", "ts": "1640131258756"},
                               instId="WNCG-USDT-SWAP"))
    assert (interest.qty, interest.value, interest.exchange_ns) == (644195.0, 1234.5, 1640131258756000000)


def test_liquidations_of_several_instruments_in_one_frame():
    def detail(side, size):
        return {"bkLoss": "0", "bkPx": "0.55205", "ccy": "", "posSide": "short", "side": side, "sz": size,
                "ts": "1680173247614"}

    def of(name, *details):
        return {"details": list(details), "instFamily": "XRP-USD", "instId": name, "instType": "FUTURES"}

    got = events(frame("liquidation-orders", of("XRP-USD-230929", detail("buy", "39"), detail("sell", "4")),
                       of("EMPTY-USD-230929"), of("ETH-USD-230929", detail("buy", "7")), instType="FUTURES"))
    assert [(forced.symbol, forced.side, forced.qty) for forced in got] == [
        ("XRP-USD-230929", "buy", 39.0), ("XRP-USD-230929", "sell", 4.0), ("ETH-USD-230929", "buy", 7.0)]
    assert got[0].price == 0.55205


def test_a_liquidation_without_a_name_has_not_the_one_before():
    pipeline = Pipeline("okx")
    detail = {"bkPx": "0.55205", "side": "buy", "sz": "39", "ts": "1680173247614"}
    pipeline.feed(frame("liquidation-orders", {"details": [detail], "instId": "XRP-USD-230929"}, {"details": [detail]},
                        instType="FUTURES"))
    assert pipeline.counters["liquidations"] == 1
    assert pipeline.counters["errors"] == 1


def test_prices_of_13_decimals_and_large_quantities():
    pipeline = Pipeline("okx")
    bids, asks = [("0.0000000000012", "1000000000000")], [("0.0000000000013", "1")]
    pipeline.feed(book("PEPE-USDT", "snapshot", -1, 1, bids, asks))
    assert pipeline.book("PEPE-USDT").best_bid == (1.2e-12, 1e12)


# ---- what is no market data

def test_answers_name_their_stream():
    ack = b'{"event":"subscribe","arg":{"channel":"opt-summary","instFamily":"BTC-USD"},"connId":"bd21fccc"}'
    assert SPEC.read_control(ack).streams == ("opt-summary:BTC-USD",)
    refused = (b'{"event":"error","msg":"Wrong URL or channel:candle1m,instId:BTC-USDT doesn\'t exist. Please use the '
               b'correct URL, channel and parameters referring to API document.","code":"60018","connId":"25ebf8bb"}')
    assert SPEC.read_control(refused).streams == ("candle1m:BTC-USDT",)
    assert SPEC.read_control(b'{"id":"7","event":"error","code":"60012","msg":"Invalid request"}').request_id == 7


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"null", b'{"event":{}}', b'{"event":"error"}', b"[" * 9999,
                                     b'{"event":"subscribe","arg":7}', b'{"event":"subscribe","args":{}}'])
def test_read_control_never_raises(payload):
    assert SPEC.read_control(payload).kind in ("ack", "error", "other")


@pytest.mark.parametrize("text", [b"pong", b"pong\n", b" pong"])
def test_pong_is_no_json(text):
    pipeline = Pipeline("okx")
    pipeline.feed(text)
    assert pipeline.control() == [(0, text)]


@pytest.mark.parametrize("text", [b"pon", b"ping", b"p"])
def test_other_text_is_an_error(text):
    pipeline = Pipeline("okx")
    pipeline.feed(text)
    assert pipeline.counters["errors"] == 1


# ---- streams and requests

def test_streams_of_an_option():
    streams = SPEC.streams(["btc-usd-240329-60000-c"], ["ticker", "mark", "open_interest", "liquidations"])
    name = "BTC-USD-240329-60000-C"
    assert [(stream.name, stream.symbol) for stream in streams] == [
        (f"tickers:{name}", name), ("opt-summary:BTC-USD", name), (f"mark-price:{name}", name),
        ("index-tickers:BTC-USD", "BTC-USD"), (f"open-interest:{name}", name), ("liquidation-orders:OPTION", name)]


def test_streams_of_swaps_and_futures():
    names = [stream.name for stream in SPEC.streams(["BTC-USDT-SWAP", "BTC-USD_UM_XPERP-310404"], ["mark"])]
    assert names == ["mark-price:BTC-USDT-SWAP", "index-tickers:BTC-USDT", "funding-rate:BTC-USDT-SWAP",
                     "mark-price:BTC-USD_UM_XPERP-310404", "index-tickers:BTC-USD"]
    (stream,) = SPEC.streams(["BTC-USDT"], ["all_trades"])
    assert stream.root == "business"
    (stream,) = SPEC.streams(["BTC-USDT"], ["book"], depth=5)
    assert (stream.name, stream.depth) == ("books5:BTC-USDT", 5)


def test_requests_for_other_keys_than_instid():
    assert SPEC.subscribe(["opt-summary:BTC-USD"], 3) == [
        '{"id":"3","op":"subscribe","args":[{"channel":"opt-summary","instFamily":"BTC-USD"}]}']
    assert SPEC.unsubscribe(["books:BTC-USDT"], 4) == [
        '{"op":"unsubscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}']


@pytest.mark.parametrize(("channels", "options", "words"), [
    (["mark"], {}, "spot; it has: book, quotes, trades, all_trades, ticker"),
    (["liquidations"], {}, "spot; it has"),
    (["candles"], {}, "it has: book, quotes, trades"),
    (["book"], {"depth": 10}, "it has: 5, and 400"),
    (["book"], {"speed": "10ms"}, "it has: 100ms"),
    (["book"], {"market": "spot"}, "one market only"),
])
def test_what_it_lacks(channels, options, words):
    with pytest.raises(UnsupportedChannel, match=words):
        SPEC.streams(["BTC-USDT"], channels, **options)


# ---- REST

def test_a_rest_snapshot_can_start_a_book():
    pipeline = Pipeline("okx")
    url = SPEC.snapshot_url("BTC-USDT")
    assert url == "https://www.okx.com/api/v5/market/books?instId=BTC-USDT&sz=400&source=0"
    assert SPEC.read_address(url) == Answer("snapshot", "BTC-USDT", 400)
    pipeline.rest(url, b'{"code":"0","msg":"","data":[{"asks":[["29692.5","0.10951348","0","5"]],"bids":[["29692.4",'
                       b'"0.43986254","0","2"]],"ts":"1654328918680","seqId":77}]}')
    assert pipeline.book("BTC-USDT").status is BookState.LIVE
    pipeline.feed(book("BTC-USDT", "update", 77, 80, [("29692.4", "0")], []))
    assert pipeline.book("BTC-USDT").sequence == 80


def test_instruments_of_a_recorded_day(data_dir):
    found = {}
    for line in read_capture(data_dir / "okx" / "instruments.ws.gz"):
        url, _, body = line.payload.partition(b" ")
        assert SPEC.read_address(url.decode()) == Answer("instruments")
        found.update({entry.symbol: entry for entry in SPEC.read_instruments(body)})
    for name, listed in {
        "BTC-USDT": Instrument("BTC-USDT", "0.1", "0.00000001", base="BTC", quote="USDT", min_qty="0.00001"),
        "BTC-USD-PERP": Instrument(
            "BTC-USD-SWAP", "0.1", "1", kind="perpetual", base="BTC", quote="USD", settle="BTC", min_qty="1",
            contract_size="100", contract_unit="USD", multiplier="1"),
        "BTC-USDT-PERP": Instrument(
            "BTC-USDT-SWAP", "0.1", "1", kind="perpetual", base="BTC", quote="USDT", settle="USDT", min_qty="1",
            contract_size="0.01", contract_unit="BTC", multiplier="1"),
        "BTC-27MAY22": Instrument(
            "BTC-USD-220527", "0.1", "1", kind="future", base="BTC", quote="USD", settle="BTC", min_qty="1",
            contract_size="100", contract_unit="USD", multiplier="1", expiry_ns=1653638400000_000000),
        "BTC-14MAY22-22000-C": Instrument(
            "BTC-USD-220514-22000-C", "0.0005", "1", kind="option", base="BTC", quote="USD", settle="BTC", min_qty="1",
            contract_size="1", contract_unit="BTC", multiplier="0.1", expiry_ns=1652515200000_000000, strike="22000",
            option_type="call"),
    }.items():
        assert found[listed.symbol] == listed
        assert listed.name == name
    assert found["BTC-USD-SWAP"].inverse
    assert not found["BTC-USDT-SWAP"].inverse
    with pytest.raises(ValueError, match="instId"):
        SPEC.read_instruments(b'{"code":"50011","data":[{}]}')


def test_every_list_has_an_address_that_is_known():
    assert len(SPEC.instruments_addresses[""]) == 5             # spot, swaps, futures, options on BTC and on ETH
    assert {SPEC.read_address(address) for address in SPEC.instruments_addresses[""]} == {Answer("instruments")}
