"""The pipeline on frames made by hand: states and their order, joins, gaps, lines, filters, events, handlers."""

from __future__ import annotations

import json

import pytest

from feeds import UnknownVenue
from feeds.pipeline import Pipeline
from orderbook import Book, BookNotLive, BookState
from tests import frames, own
from tests.frames import delta, quote, rest_url, snapshot, trade

EMPTY, SYNCING, LIVE, STALE = BookState


# ---- states

def test_the_way_to_live_is_told_in_order(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.opened()
    assert log.take() == []
    pipeline.feed(delta(5, 8, 4, [("100", "9")]))
    book = pipeline.book("BTCUSDT")
    assert log.take() == [("status", "BTCUSDT", EMPTY, SYNCING)]
    with pytest.raises(BookNotLive, match="BTCUSDT.*SYNCING"):
        book.best_bid  # noqa: B018
    pipeline.feed(delta(9, 12, 8, [("100", "7")]))
    pipeline.feed(quote())
    assert [told[0] for told in log.take()] == ["quote"]
    pipeline.rest(rest_url(), snapshot(10, [("100", "1"), ("99", "2")], [("101", "3")]), receive_ns=5)
    assert log.take() == [("status", "BTCUSDT", SYNCING, LIVE), ("book", "BTCUSDT", 12, (100.0, 7.0))]
    pipeline.feed(delta(13, 14, 12, [("100", "0")]), receive_ns=77)
    assert log.take() == [("book", "BTCUSDT", 14, (99.0, 2.0))]
    assert (book.sequence, book.exchange_ns, book.receive_ns) == (14, frames.TIME_MS * 10**6, 77)


def test_a_gap_makes_stale_that_symbol_alone(pipeline, log):
    for symbol in ("ETHUSDT", "XRPUSDT"):
        pipeline.feed(delta(1, 2, 0, symbol=symbol))
        pipeline.rest(rest_url(symbol=symbol), snapshot(2, [("5", "5")], [], symbol))
    log.take()
    needs = pipeline.needs
    pipeline.feed(delta(15, 16, 13, [("100", "5")]))
    assert log.take() == [("status", "BTCUSDT", LIVE, STALE)]
    book = pipeline.book("BTCUSDT")
    assert "10" in book.reason
    assert "15" in book.reason
    assert pipeline.needs != needs
    assert [(want.kind, want.symbol, want.line) for want in pipeline.wanted()] == [("snapshot", "BTCUSDT", 0)]
    with pytest.raises(BookNotLive, match="gap"):
        book.bbo()
    assert book.raw.best_bid == (100.0, 1.0)
    pipeline.feed(delta(3, 3, 2, [("6", "1")], symbol="ETHUSDT"))
    assert log.take() == [("book", "ETHUSDT", 3, (6.0, 1.0))]
    pipeline.feed(delta(17, 18, 16, [("100", "6")]))
    assert log.take() == []
    pipeline.rest(rest_url(), snapshot(16, [("98", "1")], [("101", "1")]))
    assert log.take() == [("status", "BTCUSDT", STALE, LIVE), ("book", "BTCUSDT", 18, (100.0, 6.0))]
    assert pipeline.wanted() == []
    assert book.reason == ""
    stats = pipeline.symbol_stats("BTCUSDT")
    assert (stats["gaps"], stats["resyncs"]) == (1, 1)
    assert pipeline.symbol_stats("ETHUSDT")["gaps"] == 0
    assert (pipeline.counters["gaps"], pipeline.counters["resyncs"]) == (1, 1)


def test_a_snapshot_older_than_the_stream_is_asked_for_again(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(100, 110, 95, [("100", "1")]))
    pipeline.rest(rest_url(), snapshot(50, [("1", "1")], []))
    assert pipeline.book("BTCUSDT").status is SYNCING
    assert [want.symbol for want in pipeline.wanted()] == ["BTCUSDT"]
    assert ("book", "BTCUSDT") not in [told[:2] for told in log.take()]
    pipeline.feed(delta(111, 120, 110, [("100", "2")]))
    pipeline.rest(rest_url(), snapshot(105, [("99", "1")], []))
    assert log.take()[-1] == ("book", "BTCUSDT", 120, (100.0, 2.0))
    assert pipeline.wanted() == []


def test_a_snapshot_newer_than_every_kept_delta(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(100, 110, 95, [("100", "1")]))
    pipeline.rest(rest_url(), snapshot(150, [("99", "1")], []))
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence, book.raw.best_bid) == (SYNCING, 150, (99.0, 1.0))
    pipeline.feed(delta(111, 130, 110, [("100", "1")]))
    assert (book.status, book.raw.best_bid) == (SYNCING, (99.0, 1.0))
    pipeline.feed(delta(131, 160, 130, [("98", "4")]))
    assert (book.status, book.sequence, book.bids().tolist()) == (LIVE, 160, [[99.0, 1.0], [98.0, 4.0]])
    assert pipeline.symbol_stats("BTCUSDT")["stale"] == 2


def test_a_snapshot_that_the_stream_has_just_reached(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(100, 110, 95, [("100", "1")]))
    pipeline.rest(rest_url(), snapshot(130, [("99", "1")], []))
    assert pipeline.book("BTCUSDT").status is SYNCING
    pipeline.feed(delta(111, 130, 110, [("99", "1")]))
    assert pipeline.book("BTCUSDT").status is LIVE


def test_a_snapshot_that_the_stream_never_comes_to_is_given_up(log):
    """An answer of another day, from a cache: the book is not LIVE, and after a while asked for anew."""
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(100, 110, 95, [("100", "1")]))
    pipeline.rest(rest_url(), snapshot(10_000_000, [("99", "1")], []))
    book, last = pipeline.book("BTCUSDT"), 110
    while not pipeline.wanted():
        assert book.status is SYNCING
        pipeline.feed(delta(last + 1, last + 1, last, [("100", "1")]))
        last += 1
    assert last < 300
    assert book.status is SYNCING
    pipeline.rest(rest_url(), snapshot(last, [("99", "1")], []))
    pipeline.feed(delta(last + 1, last + 2, last, [("98", "1")]))
    assert book.status is LIVE


def test_any_number_of_old_deltas_may_have_been_kept_for_a_snapshot(log):
    pipeline = Pipeline("binance_usdm", log)
    for last in range(111, 500):
        pipeline.feed(delta(last, last, last - 1, [("100", "1")]))
    pipeline.rest(rest_url(), snapshot(600, [("99", "1")], []))
    assert pipeline.book("BTCUSDT").status is SYNCING
    assert pipeline.wanted() == []
    pipeline.feed(delta(500, 601, 499, [("98", "1")]))
    assert pipeline.book("BTCUSDT").status is LIVE


def test_a_snapshot_that_turns_out_to_be_ahead_is_not_live(log):
    """Nothing was kept when it came, so it is believed; an older delta shows that the stream has not come to it."""
    pipeline = Pipeline("binance_usdm", log)
    pipeline.follow("BTCUSDT")
    pipeline.rest(rest_url(), snapshot(150, [("99", "1")], []))
    book = pipeline.book("BTCUSDT")
    assert book.status is LIVE
    pipeline.feed(delta(111, 130, 110, [("100", "1")]))
    assert book.status is SYNCING
    pipeline.feed(delta(131, 160, 130, [("98", "4")]))
    assert book.status is LIVE


def test_a_late_snapshot_does_not_turn_a_live_book_back(pipeline, log):
    pipeline.feed(delta(11, 20, 10, [("100", "5")]))
    log.take()
    pipeline.rest(rest_url(), snapshot(12, [("1", "1")], []))
    book = pipeline.book("BTCUSDT")
    assert (book.sequence, book.best_bid) == (20, (100.0, 5.0))
    pipeline.rest(rest_url(), snapshot(30, [("97", "1")], []))
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 30, (97.0, 1.0))
    pipeline.feed(delta(21, 31, 20, [("98", "1")]))
    assert (book.status, book.best_bid) == (LIVE, (98.0, 1.0))


def test_a_new_listing_answers_minus_one(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(100, 110, 95))
    pipeline.rest(rest_url(), snapshot(-1))
    assert pipeline.book("BTCUSDT").status is LIVE
    pipeline.feed(delta(111, 120, 110, [("5", "5")]))
    assert log.take()[-1] == ("book", "BTCUSDT", 120, (5.0, 5.0))


def test_duplicates_and_old_deltas_change_nothing(pipeline, log):
    pipeline.feed(delta(11, 12, 10, [("100", "5")]))
    log.take()
    before = pipeline.counters["stale"]
    for frame in (delta(11, 12, 10, [("100", "9")]), delta(10, 11, 9, [("1", "1")]), delta(3, 4, 2, [("1", "1")])):
        pipeline.feed(frame)
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 12, (100.0, 5.0))
    assert pipeline.counters["stale"] == before + 3
    assert log.take() == []


def test_numbers_that_began_again_are_not_old_for_ever(pipeline, log):
    for i in range(300):
        pipeline.feed(delta(1 + i % 5, 2 + i % 5, i % 5))
    assert pipeline.book("BTCUSDT").status is STALE
    assert pipeline.wanted()


def test_overlaps_of_spot_are_legal():
    pipeline = Pipeline("binance_spot")
    pipeline.feed(delta(8, 12))
    pipeline.rest(rest_url("binance_spot"), snapshot(10, [("100", "1")], [], futures=False))
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence) == (LIVE, 12)
    pipeline.feed(delta(12, 15, None, [("100", "4")]))
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 15, (100.0, 4.0))
    pipeline.feed(delta(17, 18))
    assert book.status is STALE


def test_partial_books_need_no_snapshot_and_stand_apart(pipeline, log):
    pipeline.feed(delta(20, 30, 15, [("50", "1")], [("51", "1")], stream="depth20@100ms"))
    pipeline.feed(delta(20, 30, 15, [("40", "1")], [], stream="depth5"))
    assert log.take() == [("status", "BTCUSDT", EMPTY, LIVE), ("book", "BTCUSDT", 30, (50.0, 1.0)),
                          ("status", "BTCUSDT", EMPTY, LIVE), ("book", "BTCUSDT", 30, (40.0, 1.0))]
    assert pipeline.book("BTCUSDT").best_bid == (100.0, 1.0)
    assert pipeline.book("BTCUSDT", depth=20).bids().tolist() == [[50.0, 1.0]]
    assert pipeline.book("btcusdt", 5).best_bid == (40.0, 1.0)
    pipeline.feed(delta(31, 40, 30, [("49", "2")], [], stream="depth20@100ms"))
    assert pipeline.book("BTCUSDT", depth=20).bids().tolist() == [[49.0, 2.0]]
    assert pipeline.book("BTCUSDT", depth=20).ask_levels == 0
    assert (list(pipeline.books), pipeline.wanted()) == (["BTCUSDT"], [])
    with pytest.raises(KeyError, match="depth 10"):
        pipeline.book("BTCUSDT", depth=10)


def test_partial_books_of_spot_take_their_symbol_from_the_stream():
    pipeline = Pipeline("binance_spot")
    for i, symbol in enumerate(("btcusdt", "ethusdt") * 4):
        pipeline.feed(frames.pack({"lastUpdateId": i, "bids": [[str(10 + i), "10"]], "asks": []},
                                  f"{symbol}@depth5@100ms"))
        book = pipeline.book(symbol, depth=5)
        assert (book.symbol, book.status, book.sequence, book.best_bid) == (symbol.upper(), LIVE, i, (10.0 + i, 10.0))
    assert pipeline.counters["fast"] >= 4


def test_a_frame_of_several_messages_is_read_by_what_was_learned_of_each():
    pipeline = Pipeline("okx")
    for first in range(1, 25, 3):
        told = [{"instId": "BTC-USDT", "tradeId": str(number), "px": "5", "sz": "1", "side": "buy",
                 "ts": "1790000000000", "count": "1"} for number in range(first, first + 3)]
        pipeline.feed(frames.pack({"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": told}))
    assert (pipeline.counters["fast"], pipeline.counters["trades"]) == (7, 24)


def test_heartbeats_of_a_book_are_read_by_what_was_learned_of_them(made):
    pipeline = made()
    for number in range(1, 9):
        pipeline.feed(own.book_frame("delta", number, [[1, number]]))
        pipeline.feed(own.frame("beat", n=number))
    assert pipeline.counters["fast"] >= 12                  # of each kind six
    assert pipeline.counters["ignored"] == 8


def test_a_snapshot_of_a_symbol_that_was_given_up_is_ignored(pipeline):
    """It was asked for before, and comes late."""
    book, ignored = pipeline.book("BTCUSDT"), pipeline.counters["ignored"]
    pipeline.forget("BTCUSDT")
    pipeline.rest(rest_url(), snapshot(20, [("99", "1")], [("101", "1")]))
    assert (book.status, pipeline.counters["ignored"]) == (EMPTY, ignored + 1)
    pipeline.follow("BTCUSDT")
    pipeline.rest(rest_url(), snapshot(30, [("98", "1")], []))
    assert (book.status, book.best_bid) == (LIVE, (98.0, 1.0))


# ---- trusted depth

def test_trusted_depth_is_that_of_the_snapshot():
    pipeline = Pipeline("binance_usdm")
    pipeline.feed(delta(1, 2, 0))
    pipeline.rest(rest_url(limit=3), snapshot(2, [("100", "1"), ("99", "1"), ("98.5", "1")],
                                              [("101", "1"), ("102", "1")]))
    book = pipeline.book("BTCUSDT")
    assert (book.trusted_bid, book.trusted_ask) == (98.5, float("inf"))
    assert [book.bid_qty(price) for price in ("98.5", "98.75", "98.4", 50, "98.123456789", "1e-30", -5)] == [
        1.0, 0.0, None, None, None, None, None]
    assert book.bid_qty("1e30") == 0.0
    assert [book.ask_qty(price) for price in (101, "101.5", 5000)] == [1.0, 0.0, 0.0]
    pipeline.feed(delta(3, 4, 2, [("50", "7"), ("98.125", "0")]))
    assert (book.bid_qty(50), book.bid_qty_int(5000 * 10**(book.price_scale - 2))) == (7.0, 7)
    assert (book.trusted_bid, book.bid_levels) == (98.5, 4)
    pipeline.rest(rest_url(limit=1000), snapshot(9, [("100", "1")], []))
    assert book.bid_qty(50) == 0.0
    pipeline.rest(rest_url(limit=2), snapshot(12, [("100", "1")], [("101", "1"), ("102.5", "1")]))
    assert book.trusted_ask == 102.5
    assert [book.ask_qty(price) for price in ("102.25", "102.5", 103)] == [0.0, 1.0, None]
    assert book.bid_qty(50) == 0.0


def test_a_list_of_instruments_refines_a_tick_and_changes_no_level(pipeline):
    """The book of the fixture has seen whole prices alone."""
    book = pipeline.book("BTCUSDT")
    for tick in ("0.50", "0.10", "0", "7"):
        listed = {"symbol": "BTCUSDT", "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": "BTC",
                  "quoteAsset": "USDT", "marginAsset": "USDT", "onboardDate": 1, "deliveryDate": 4133404800000,
                  "filters": [{"filterType": "PRICE_FILTER", "tickSize": tick},
                              {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"}]}
        pipeline.rest("https://fapi.binance.com/fapi/v1/exchangeInfo", json.dumps({"symbols": [listed]}))
        assert pipeline.counters["errors"] == 0
        assert (book.raw.bids().tolist(), book.raw.asks().tolist()) == ([[100.0, 1.0], [99.0, 2.0]], [[101.0, 3.0]])
        assert book.tick_size == (0.5 if tick == "0.50" else 0.1)
    pipeline.feed(delta(11, 12, 10, [("99.9", "4"), ("99", "0")]))
    assert book.raw.bids().tolist() == [[100.0, 1.0], [99.9, 4.0]]


def test_without_a_limit_the_venues_own_is_meant():
    pipeline = Pipeline("binance_spot")
    pipeline.rest("https://api.binance.com/api/v3/depth?symbol=BTCUSDT",
                  snapshot(2, [(str(1000 - i), "1") for i in range(100)], [("2000", "1")], futures=False))
    book = pipeline.book("BTCUSDT")
    assert (book.trusted_bid, book.trusted_ask) == (901.0, float("inf"))


def test_an_answer_may_be_text():
    pipeline = Pipeline("binance_usdm")
    pipeline.rest(rest_url(), snapshot(2, [("100", "1")], [("101", "1")]).decode())
    assert pipeline.book("BTCUSDT").best_bid == (100.0, 1.0)


def test_a_side_that_ran_out_of_known_levels_is_fetched_anew(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(1, 2, 0))
    pipeline.rest(rest_url(limit=2), snapshot(2, [("100", "1"), ("99", "1")], [("101", "1")]))
    book, applied = pipeline.book("BTCUSDT"), []
    log.take()
    pipeline.on_applied = lambda book: applied.append((book.sequence, book.status))
    pipeline.feed(delta(3, 4, 2, [("100", "0")], [("101", "0")]))       # of the asks all are known: there are none
    assert (book.status, book.best_bid, book.best_ask) == (LIVE, (99.0, 1.0), None)
    pipeline.feed(delta(5, 6, 4, [("99", "0")]))
    assert applied == [(4, LIVE)]                                       # what ends a book is no state of it
    pipeline.on_applied = None
    assert log.take() == [("book", "BTCUSDT", 4, (99.0, 1.0)), ("status", "BTCUSDT", LIVE, STALE)]
    assert [want.symbol for want in pipeline.wanted()] == ["BTCUSDT"]
    pipeline.feed(delta(7, 8, 6, [("98", "5")]))
    pipeline.rest(rest_url(limit=2), snapshot(6, [("97", "1"), ("96", "1")], []))
    assert (book.status, book.sequence, book.best_bid) == (LIVE, 8, (98.0, 5.0))


# ---- lines

def test_a_new_connection_starts_its_books_clean(pipeline, log):
    pipeline.feed(delta(1, 2, 0, symbol="ETHUSDT"), line=1)
    pipeline.rest(rest_url(symbol="ETHUSDT"), snapshot(2, [("5", "5")], []))
    log.take()
    pipeline.closed(line=0)
    assert log.take() == [("status", "BTCUSDT", LIVE, STALE)]
    assert pipeline.wanted() == []
    pipeline.opened(line=0)
    assert log.take() == [("status", "BTCUSDT", STALE, EMPTY)]
    book = pipeline.book("BTCUSDT")
    assert (book.bid_levels, book.sequence, book.raw.best_bid) == (0, 0, None)
    assert pipeline.book("ETHUSDT").status is LIVE
    pipeline.feed(delta(11, 12, 10))
    assert log.take() == [("status", "BTCUSDT", EMPTY, SYNCING)]
    pipeline.rest(rest_url(), snapshot(12, [("1", "1")], []))
    assert log.take() == [("status", "BTCUSDT", SYNCING, LIVE), ("book", "BTCUSDT", 12, (1.0, 1.0))]


def test_opened_forgets_what_was_kept(log):
    pipeline = Pipeline("binance_usdm", log)
    pipeline.feed(delta(8, 9, 7))
    assert pipeline.wanted()
    pipeline.opened()
    assert pipeline.wanted() == []
    pipeline.feed(delta(30, 31, 29))
    pipeline.rest(rest_url(), snapshot(30, [("1", "1")], []))
    assert pipeline.book("BTCUSDT").sequence == 31
    assert pipeline.counters["gaps"] == 0


def test_opened_and_closed_of_lines_nobody_uses(pipeline, log):
    pipeline.opened(5)
    pipeline.closed(6)
    assert log.take() == []
    assert pipeline.book("BTCUSDT").status is LIVE


# ---- symbols

def test_every_symbol_gets_a_book_up_to_a_cap():
    pipeline = Pipeline("binance_usdm", max_symbols=3)
    for i in range(6):
        pipeline.feed(trade(symbol=f"S{i}"))
    assert list(pipeline.books) == ["S0", "S1", "S2"]
    assert len(pipeline.books) == 3
    assert pipeline.last_trade("S2").symbol == "S2"
    assert pipeline.last_error.symbol == "S5"
    assert "3 symbols" in pipeline.last_error.expected
    assert pipeline.counters["ignored"] == 3


def test_only_the_symbols_asked_for(log):
    pipeline = Pipeline("binance_usdm", log, symbols=["btcusdt", "ETHUSDT"])
    assert list(pipeline.books) == ["BTCUSDT", "ETHUSDT"]
    assert isinstance(pipeline.books["BTCUSDT"], Book)
    for symbol in ("BTCUSDT", "XRPUSDT", "ETHUSDT"):
        for _ in range(3):
            pipeline.feed(trade(symbol=symbol))
            pipeline.feed(delta(1, 2, 0, symbol=symbol))
            pipeline.feed(delta(1, 2, 0, [("1", "1")], symbol=symbol, stream="depth5"))
    pipeline.rest(rest_url(symbol="XRPUSDT"), snapshot(2))
    assert {told[1] for told in log.take()} == {"BTCUSDT", "ETHUSDT"}
    assert pipeline.counters["ignored"] == 10
    assert "XRPUSDT" not in pipeline.books
    with pytest.raises(KeyError, match="no book of XRPUSDT"):
        pipeline.books["XRPUSDT"]
    with pytest.raises(KeyError, match="near: BTCUSDT"):
        pipeline.book("BTCUSD")


def test_follow_and_forget(pipeline, log):
    pipeline.feed(delta(11, 12, 10))
    pipeline.forget("BTCUSDT")
    assert log.take()[-1] == ("status", "BTCUSDT", LIVE, EMPTY)
    for i in range(13, 20):
        pipeline.feed(delta(i, i, i - 1))
        pipeline.feed(trade())
    assert log.take() == []
    assert pipeline.wanted() == []
    assert pipeline.follow("btcusdt") is pipeline.book("BTCUSDT")
    pipeline.feed(delta(20, 20, 19))
    assert log.take() == [("status", "BTCUSDT", EMPTY, SYNCING)]


# ---- what there is to read

def test_last_trade_and_quote_are_copies(pipeline):
    assert pipeline.last_trade("BTCUSDT") is None
    assert pipeline.last_quote("BTCUSDT") is None
    pipeline.feed(trade("100.50", "0.250", 7, True), receive_ns=9)
    pipeline.feed(quote(("100.00", "1.000"), ("101.00", "2.5"), 30), receive_ns=10)
    first = pipeline.last_trade("BTCUSDT")
    pipeline.feed(trade("100.75", "1", 8, False))
    assert (first.price, first.qty, first.trade_id, first.aggressor) == (100.5, 0.25, 7, "sell")
    assert (first.exchange_ns, first.receive_ns) == (frames.TIME_MS * 10**6, 9)
    assert first.price_int * 10**-first.price_scale == pytest.approx(100.5)
    last = pipeline.last_trade("btcusdt")
    assert (last.price, last.aggressor, last.receive_ns) == (100.75, "buy", 0)
    found = pipeline.last_quote("BTCUSDT")
    assert (found.bid_price, found.bid_qty, found.ask_price, found.ask_qty, found.sequence) == (100.0, 1.0, 101.0, 2.5,
                                                                                                30)
    with pytest.raises(KeyError):
        pipeline.last_trade("NOPE")


def test_symbol_stats(pipeline):
    pipeline.feed(delta(11, 12, 10, [("100", "5"), ("1", "0")], [("99.5", "1")]))
    pipeline.feed(trade("100.5", "0.25"))
    pipeline.feed(trade("100.75", "2"))
    pipeline.feed(quote())
    stats = pipeline.symbol_stats("BTCUSDT")
    assert stats == {"snapshots": 1, "updates": 2, "changes": 3, "absent": 1, "stale": 1, "breaks": 0, "crossed": 1,
                     "gaps": 0,
                     "resyncs": 0, "trades": 2, "trade_qty": 225, "last_trade_price": 10075, "quotes": 1,
                     "price_scale": 2,
                     "qty_scale": 2}


def test_trade_quantities_add_up_past_64_bits(pipeline):
    for _ in range(3):
        pipeline.feed(trade("1", "9000000000000000000"))
    pipeline.feed(trade("1", "1"))
    assert pipeline.symbol_stats("BTCUSDT")["trade_qty"] == 27 * 10**18 + 1


def test_counters_add_up(pipeline):
    before = pipeline.counters
    sent = [delta(11, 12, 10), trade(), quote(), frames.mark(), frames.liquidation(), b'{"result":null,"id":1}', b"{",
            b"",
            frames.pack({"e": "kline", "E": 1, "s": "BTCUSDT", "k": {}}, "btcusdt@kline_1m")]
    pipeline.feed_many(sent)
    after = pipeline.counters
    rise = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert rise.pop("fast", 0) + rise.pop("slow") == len(sent)
    assert rise == {"frames": len(sent), "bytes": sum(map(len, sent)), "depth": 1, "trades": 1, "quotes": 1, "marks": 1,
                    "liquidations": 1, "control": 1, "errors": 2, "ignored": 1}


def test_a_kept_delta_is_counted_once():
    pipeline = Pipeline("binance_usdm")
    for i in range(1, 9):
        pipeline.feed(delta(i, i, i - 1))
    pipeline.rest(rest_url(), snapshot(3))
    counters = pipeline.counters
    assert (counters["depth"], counters["snapshots"], counters["frames"]) == (8, 1, 8)
    assert counters["fast"] + counters["slow"] == 8


# ---- control frames

def test_control_frames_are_kept_for_the_session(pipeline):
    acks = [b'{"result":null,"id":1}', b'{"code":2,"msg":"Invalid request","id":3}',
            b'{"e":"serverShutdown","E":1770123456789}',
            b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}', b'{"id":1,"result":["x"]}',
            b"{}"]
    for i, ack in enumerate(acks):
        pipeline.feed(ack, line=i)
    assert pipeline.control() == list(enumerate(acks))
    assert pipeline.control() == []
    assert (pipeline.counters["control"], pipeline.counters["errors"]) == (len(acks), 0)
    for _ in range(3000):
        pipeline.feed(acks[0])
    assert len(pipeline.control()) <= 1024


# ---- arguments

def test_wrong_arguments_raise():
    with pytest.raises(UnknownVenue, match="binance_usdm"):
        Pipeline("nowhere")
    for options in ({"on_gap": "ignore"}, {"max_symbols": 0}, {"sample_every": 0}):
        with pytest.raises(ValueError, match="is|are"):
            Pipeline("binance_usdm", **options)
    with pytest.raises(TypeError, match="sequence of symbols"):
        Pipeline("binance_usdm", symbols="BTCUSDT")
    pipeline = Pipeline("binance_usdm")
    for arguments in ((None, b""), (rest_url(), None), (rest_url(), 5)):
        with pytest.raises(TypeError):
            pipeline.rest(*arguments)
    assert pipeline.counters["errors"] == 0
