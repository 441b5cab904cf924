"""What a message does to its book, by the rules that a venue declares: with a venue of the tests' own."""

from __future__ import annotations

import contextlib
import json
import zlib
from functools import partial

import pytest

from feeds.pipeline import Pipeline
from feeds.venue import Link
from orderbook import BookState
from tests import _probe
from tests.log import Log
from tests.own import book_frame, frame
from tests.venues.bitmex import rows

EMPTY, SYNCING, LIVE, STALE = BookState
REST, RESUBSCRIBE, REQUEST = 0, 1, 2
PAIRS, DIGITS = 1, 2


def state(pipeline: Pipeline, symbol: str = "X", depth=None):
    book = pipeline.book(symbol, depth)
    return book.status, book.raw.bids().tolist(), book.raw.asks().tolist()


# ---- three ways to a new snapshot

def test_deltas_before_a_snapshot_by_rest_are_kept(made):
    pipeline = made(link=Link.COUNTER, resync="rest", parser={"resync": REST})
    for number in (11, 12, 13):
        pipeline.feed(book_frame("delta", number, [[number, 1]]))
    assert state(pipeline) == (SYNCING, [], [])
    assert [(want.kind, want.symbol) for want in pipeline.wanted()] == [("snapshot", "X")]
    pipeline.rest("https://own.example/snapshot?X", json.dumps({"u": 11, "b": [[1, 5]], "a": [[50, 5]]}))
    assert state(pipeline) == (LIVE, [[13, 1], [12, 1], [1, 5]], [[50, 5]])
    assert pipeline.wanted() == []


def test_deltas_that_a_line_brought_before_it_ended_are_not_joined_to_a_snapshot_of_the_next(made):
    """No number tells that they are of a time before."""
    pipeline = made(link=Link.NONE, resync="rest", parser={"resync": REST})
    pipeline.opened(0)
    pipeline.feed(book_frame("delta", 0, [[11, 1]]))
    pipeline.closed(0)
    pipeline.opened(0)
    pipeline.feed(book_frame("delta", 0, [[12, 1]]))
    pipeline.rest("https://own.example/snapshot?X", json.dumps({"u": 0, "b": [[1, 5]], "a": [[50, 5]]}))
    assert state(pipeline) == (LIVE, [[12, 1], [1, 5]], [[50, 5]])


def test_deltas_before_the_stream_sends_its_snapshot_are_dropped(made):
    pipeline = made(link=Link.COUNTER, parser={"resync": RESUBSCRIBE})
    pipeline.feed(book_frame("delta", 11, [[11, 1]]))
    assert state(pipeline) == (SYNCING, [], [])
    assert [want.kind for want in pipeline.wanted()] == ["resubscribe"]
    pipeline.feed(book_frame("snapshot", 10, [[1, 5]], [[50, 5]]))
    pipeline.feed(book_frame("delta", 11, [[2, 1]]))
    assert state(pipeline) == (LIVE, [[2, 1], [1, 5]], [[50, 5]])
    assert pipeline.symbol_stats("X")["stale"] == 1
    assert pipeline.wanted() == []


def test_deltas_before_a_snapshot_that_was_requested_are_joined(made):
    pipeline = made(link=Link.COUNTER, parser={"resync": REQUEST})
    for number in (11, 12):
        pipeline.feed(book_frame("delta", number, [[number, 1]]))
    assert [want.kind for want in pipeline.wanted()] == ["request"]
    pipeline.feed(book_frame("snapshot", 11, [[1, 5]]))
    assert state(pipeline) == (LIVE, [[12, 1], [1, 5]], [])
    pipeline.feed(book_frame("delta", 14))
    assert (state(pipeline)[0], [want.kind for want in pipeline.wanted()]) == (STALE, ["request"])


def test_the_spec_says_the_way_before_the_first_message(made):
    pipeline = made(symbols=["X"], resync="request")
    book = pipeline.follow("X")
    pipeline.feed(book_frame("snapshot", 1))
    pipeline.lose("X")
    assert [want.kind for want in pipeline.wanted()] == ["request"]
    assert book.status is STALE


# ---- rules

def test_a_message_that_covers_one_number_can_be_a_whole_book(made):
    pipeline = made(link=Link.OVERLAP_OR_WHOLE)
    pipeline.feed(book_frame("delta", 10, [[1, 1], [2, 2]], [[5, 1]], f=10))
    assert state(pipeline) == (LIVE, [[2, 2], [1, 1]], [[5, 1]])
    for number in (15, 20, 25, 30):
        pipeline.feed(book_frame("delta", number, [[3, number]], f=number - 5))
    assert pipeline.book("X").best_bid == (3, 30)
    pipeline.feed(book_frame("delta", 40, [[7, 7]], f=40))
    assert state(pipeline) == (LIVE, [[7, 7]], [])
    assert pipeline.counters["gaps"] == 0
    pipeline.feed(book_frame("delta", 50, [[8, 8]], f=45))
    assert state(pipeline)[0] is STALE


def test_whole_books_whose_number_falls_are_old(made):
    pipeline = made(link=Link.NOT_BELOW)
    for number in (5, 7, 6, 7, 8, 1):
        pipeline.feed(book_frame("snapshot", number, [[number, 1]]))
    assert state(pipeline) == (LIVE, [[8, 1]], [])
    assert pipeline.symbol_stats("X")["stale"] == 2


def test_many_old_numbers_in_a_row_mean_that_they_began_again(made):
    pipeline = made(link=Link.RISES)
    pipeline.feed(book_frame("snapshot", 1000))
    pipeline.feed(book_frame("delta", 1001))
    for number in range(8):
        pipeline.feed(book_frame("delta", number))
    assert state(pipeline)[0] is LIVE
    pipeline.feed(book_frame("delta", 100))
    assert (state(pipeline)[0], [want.kind for want in pipeline.wanted()]) == (STALE, ["resubscribe"])
    assert "old" in pipeline.book("X").reason


def test_a_book_is_cut_after_each_delta(made):
    pipeline = made(parser={"cut": 3})
    pipeline.feed(book_frame("snapshot", 1, [[p, 1] for p in range(1, 6)], [[p, 1] for p in range(10, 15)]))
    assert pipeline.book("X").bid_levels == 5               # a snapshot has the depth that was asked for
    for number in range(2, 6):
        pipeline.feed(book_frame("delta", number, [[5 + number / 10, number]], [[9.5 - number / 10, 1]]))
        assert (pipeline.book("X").bid_levels, pipeline.book("X").ask_levels) == (3, 3)
    assert pipeline.counters["fast"] > 0
    assert [p for p, _ in state(pipeline)[1]] == [5.5, 5.4, 5.3]


def test_partial_books_have_a_book_of_their_own(made):
    pipeline = made(parser={"depth": 5})
    pipeline.feed(book_frame("snapshot", 1, [[1, 1]]))
    assert list(pipeline.books) == []
    assert state(pipeline, depth=5) == (LIVE, [[1, 1]], [])
    with pytest.raises(KeyError, match="no book of X"):
        pipeline.book("X")


def test_markets_that_share_a_symbol_have_a_book_each(made):
    pipeline = made(markets=("spot", "swap"))
    assert pipeline.market == "spot"
    for _ in range(3):
        pipeline.feed(book_frame("snapshot", 1, [[1, 1]]))
    pipeline.market = "swap"
    for _ in range(3):
        pipeline.feed(book_frame("snapshot", 1, [[2, 2]]))
    assert list(pipeline.books) == ["X", "X@swap"]
    assert pipeline.book("X", market="spot").best_bid == (1, 1)
    assert pipeline.book("X", market="swap").best_bid == (2, 2)
    assert pipeline.books["X@swap"].best_bid == (2, 2)
    assert pipeline.book("X").best_bid == (2, 2)            # the pipeline's own market first
    assert pipeline.counters["fast"] > 0


# ---- checksums

def pairs_sum(*texts: str) -> int:
    """As a venue writes it: signed, or not."""
    crc = zlib.crc32(":".join(texts).encode())
    return crc - (crc >> 31 << 32)


def test_a_checksum_that_does_not_fit_is_a_gap_of_that_book_alone(made):
    pipeline = made(parser={"checksum": PAIRS})
    for symbol in "XY":
        pipeline.feed(book_frame("snapshot", 1, [["1.5", "2"]], [["3", "4"]], symbol,
                                 c=pairs_sum("1.5", "2", "3", "4")))
    pipeline.feed(book_frame("delta", 2, [["1.5", "7"]], c=pairs_sum("1.5", "7", "3", "4")))
    assert [state(pipeline, symbol)[0] for symbol in "XY"] == [LIVE, LIVE]
    pipeline.feed(book_frame("delta", 3, [["1.5", "8"]], c=pairs_sum("1.5", "9", "3", "4")))
    assert [state(pipeline, symbol)[0] for symbol in "XY"] == [STALE, LIVE]
    assert [want.symbol for want in pipeline.wanted()] == ["X"]
    stats = pipeline.symbol_stats("X")
    assert (stats["crc_ok"], stats["crc_bad"], stats["gaps"]) == (2, 1, 1)
    pipeline.feed(book_frame("snapshot", 9, [["1.5", "2"]], c=pairs_sum("1.5", "2")))
    assert state(pipeline)[0] is LIVE


def test_a_checksum_of_zero_is_none(made):
    pipeline = made(parser={"checksum": PAIRS})
    pipeline.feed(book_frame("snapshot", 1, [["1.5", "2"]], c=0))
    assert state(pipeline)[0] is LIVE
    assert "crc_ok" not in pipeline.symbol_stats("X")


def test_checksums_of_a_recording_are_counted(made):
    pipeline = made(on_gap="count", parser={"checksum": PAIRS})
    pipeline.feed(book_frame("snapshot", 1, [["1.5", "2"]], c=1))
    assert state(pipeline)[0] is STALE
    pipeline.feed(book_frame("snapshot", 2, [["1.5", "2"]], c=pairs_sum("1.5", "2")))
    assert state(pipeline)[0] is LIVE
    stats = pipeline.symbol_stats("X")
    assert (stats["crc_ok"], stats["crc_bad"], stats["snapshots"], stats["updates"]) == (1, 1, 2, 0)


@pytest.mark.parametrize("simd", [True, False])
def test_the_first_trailing_zero_shows_how_numbers_are_written(made, simd):
    """A venue that writes fixed decimals, of which no number of the snapshot ended in 0; layouts learned before."""
    pipeline = made(simd=simd, parser={"checksum": PAIRS})
    pipeline.feed(book_frame("snapshot", 1, [["1.55", "2.125"]], c=pairs_sum("1.55", "2.125")))
    for number in range(2, 8):
        pipeline.feed(book_frame("delta", number, [["1.55", f"{number}.125"]], c=pairs_sum("1.55", f"{number}.125")))
    fast = pipeline.counters["fast"]
    assert fast > 2
    pipeline.feed(book_frame("delta", 8, [["1.60", "2.000"]],
                             c=pairs_sum("1.60", "2.000", "1.55", "7.125")))
    assert state(pipeline)[0] is LIVE
    assert pipeline.counters["fast"] == fast + 1
    pipeline.feed(book_frame("delta", 9, [["1.60", "0.000"]], c=pairs_sum("1.55", "7.125")))
    assert state(pipeline)[0] is LIVE
    assert pipeline.symbol_stats("X")["crc_bad"] == 0


def test_digits_are_those_that_the_last_snapshot_was_written_with(made):
    def digits_sum(*texts):
        return zlib.crc32("".join(text.replace(".", "").lstrip("0") for text in texts).encode())

    pipeline = made(parser={"checksum": DIGITS})
    for places in (1, 3, 2):
        price, qty = f"{7:.{places}f}", f"{0.5:.{places + 2}f}"
        pipeline.feed(book_frame("snapshot", 1, [[price, qty]], c=digits_sum(price, qty)))
        for number in range(2, 6):
            other = f"{number}.{'0' * (places + 2)}"
            pipeline.feed(book_frame("delta", number, [[price, other]], c=digits_sum(price, other)))
        assert state(pipeline)[0] is LIVE, places
    assert pipeline.symbol_stats("X")["crc_bad"] == 0
    assert pipeline.counters["fast"] > 0


# ---- quotes of which only a part is told

def test_what_a_partial_quote_does_not_repeat_has_not_changed(made):
    class Quotes:
        def __init__(self):
            self.told = []

        def on_quote(self, quote):
            self.told.append((quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty))

    handler = Quotes()
    pipeline = made(handler)
    pipeline.feed(frame("quote", same=1, bp="1.5", bq="2"))
    assert handler.told == []                               # the other side was never told
    pipeline.feed(frame("quote", same=1, ap="3", aq="4"))
    pipeline.feed(frame("quote", same=1, bq="7"))
    pipeline.feed(frame("quote", same=1, bp="1.25", ap="3.125", aq="1"))
    pipeline.feed(frame("quote", "Y", same=1, bq="9"))      # each instrument has its own
    assert handler.told == [(1.5, 2, 3, 4), (1.5, 7, 3, 4), (1.25, 7, 3.125, 1)]
    pipeline.opened()
    pipeline.feed(frame("quote", same=1, bq="8"))


def test_a_held_price_that_finer_units_cannot_hold_is_not_told(made):
    """A trade makes the units finer before the quote is whole: the price has to be told again, and is not made up."""
    log = Log()
    pipeline = made(log)
    pipeline.feed(frame("quote", same=1, bp="9000000000000000000", bq="2"))
    pipeline.feed(frame("trade", p="1.5", q="1"))
    log.take()
    pipeline.feed(frame("quote", same=1, ap="3", aq="4"))
    assert log.take() == []
    pipeline.feed(frame("quote", same=1, bp="2.5"))
    quote = pipeline.last_quote("X")
    assert (quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty) == (2.5, 2, 3, 4)


# ---- told from outside

def test_a_book_that_the_venue_has_dropped(made):
    log = Log()
    pipeline = made(log)
    pipeline.feed(book_frame("snapshot", 1, [[1, 1]]))
    log.take()
    pipeline.lose("X", reason="expired")
    assert (pipeline.book("X").status, pipeline.book("X").reason) == (STALE, "expired")
    assert log.take() == [("status", "X", LIVE, STALE)]
    assert [want.symbol for want in pipeline.wanted()] == ["X"]
    pipeline.feed(book_frame("snapshot", 2, [[1, 1]]))
    assert pipeline.book("X").status is LIVE
    with pytest.raises(KeyError):
        pipeline.lose("Y")


def test_a_note_goes_to_the_handler_and_changes_nothing(made):
    log = Log()
    pipeline = made(log)
    pipeline.feed(book_frame("snapshot", 1, [[1, 1]]))
    log.take()
    pipeline.note("rate limit")
    pipeline.note("late", pipeline.book("X"))
    assert log.take() == [("status", None, None, None), ("status", "X", LIVE, LIVE)]
    assert pipeline.last_error is None
    made().note("nobody listens")


# ---- a wrong frame

def test_a_wrong_frame_of_a_known_stream_makes_its_book_stale(made):
    """Which message it would have been is not known: the stream has had books."""
    pipeline = made()
    for _ in range(3):
        pipeline.feed(book_frame("snapshot", 1, [[1, 1]]))
        pipeline.feed(frame("trade", p="1", q="2"))
    pipeline.feed(b'{"kind":"' + b"x" * 20)
    assert pipeline.counters["errors"] == 1
    assert pipeline.book("X").status is STALE


def test_a_wrong_frame_of_a_stream_without_books_leaves_the_book(made):
    pipeline = made(parser={"marks": 4})
    for _ in range(3):
        pipeline.feed(book_frame("snapshot", 1, [[1, 1]]))
        pipeline.feed(frame("trade", p="1", q="2"))
    pipeline.feed(b'{"kind":"trade","s":"X","p":"1","q":}')
    assert pipeline.counters["errors"] == 1
    assert pipeline.book("X").status is LIVE
    _probe.feed_exact(pipeline, b'{"kind":"snapshot","s":"X","p":"1","q":}')
    assert pipeline.book("X").status is STALE


# ---- what is told, counted and asked for

def rest(pipeline, number, bids=(), asks=()):
    """A snapshot by REST."""
    pipeline.rest("https://own.example/snapshot?X", json.dumps({"u": number, "b": list(bids), "a": list(asks)}))


def test_a_change_of_state_is_told_once(made):
    """Whole books that follow each other are no change, nor is a second loss."""
    log = Log()
    pipeline = made(log, link=Link.NOT_BELOW)
    for number in range(1, 6):
        pipeline.feed(book_frame("snapshot", number, [[number, 1]]))
    assert [told for told in log.take() if told[0] == "status"] == [("status", "X", EMPTY, LIVE)]
    for _ in range(3):
        pipeline.lose("X")
    assert [told for told in log.take() if told[0] == "status"] == [("status", "X", LIVE, STALE)]
    assert pipeline.counters["resyncs"] == 0
    pipeline.feed(book_frame("snapshot", 9, [[9, 1]]))
    pipeline.feed(book_frame("snapshot", 10, [[9, 1]]))
    assert (pipeline.counters["resyncs"], pipeline.symbol_stats("X")["resyncs"]) == (1, 1)


def test_what_is_needed_changes_its_number_once(made):
    pipeline = made(link=Link.COUNTER, parser={"resync": RESUBSCRIBE})
    numbers = [pipeline.needs]
    for number in (11, 12):
        pipeline.feed(book_frame("delta", number))
        numbers.append(pipeline.needs)
    assert numbers[0] != numbers[1] == numbers[2]
    pipeline.feed(book_frame("snapshot", 12))
    assert pipeline.needs != numbers[2]
    met = pipeline.needs
    pipeline.feed(book_frame("snapshot", 13))               # nothing was wanted of it
    assert pipeline.needs == met


def test_what_two_books_need_does_not_cancel_out(made):
    """Whoever polls the number after both of them sees that it has changed."""
    pipeline = made(link=Link.COUNTER, parser={"resync": RESUBSCRIBE})
    pipeline.feed(book_frame("snapshot", 1, symbol="Y"))
    before = pipeline.needs
    pipeline.feed(book_frame("delta", 11))
    pipeline.feed(book_frame("delta", 5, symbol="Y"))
    assert [want.symbol for want in pipeline.wanted()] == ["Y", "X"]
    assert pipeline.needs != before


def test_a_whole_quote_takes_nothing_of_the_one_before(made):
    pipeline = made()
    pipeline.feed(frame("quote", u=5, bp="1.5", bq="2", ap="3", aq="4"))
    assert pipeline.last_quote("X").sequence == 5
    pipeline.feed(frame("quote", bp="1.25", bq="2", ap="3", aq="4"))
    assert pipeline.last_quote("X").sequence == 0


def test_an_empty_whole_book_and_then_one_with_levels(made):
    """What differs from nothing is everything, and the first price is yet to choose the tick."""
    pipeline = made(link=Link.NOT_BELOW)
    for number in range(1, 6):
        pipeline.feed(book_frame("snapshot", number))
    for number in range(6, 10):
        pipeline.feed(book_frame("snapshot", number, [["1.5", number]], [["2.5", 1]]))
        assert state(pipeline) == (LIVE, [[1.5, number]], [[2.5, 1]])
    pipeline.feed(book_frame("snapshot", 10))
    assert state(pipeline) == (LIVE, [], [])
    pipeline.feed(book_frame("snapshot", 11, [["1.25", 1]]))
    assert state(pipeline) == (LIVE, [[1.25, 1]], [])


def test_the_first_levels_of_an_empty_book_need_no_finer_scale(made):
    """The scales stay, so what differs from the message before is all that was read; it is all that there is."""
    pipeline = made()
    for number in range(1, 6):
        pipeline.feed(book_frame("snapshot", number))
    pipeline.feed(book_frame("snapshot", 6, [["5", "1"], ["4", "2"]], [["7", "3"]]))
    assert state(pipeline) == (LIVE, [[5, 1], [4, 2]], [[7, 3]])
    assert (pipeline.counters["gaps"], pipeline.counters["errors"]) == (0, 0)


def test_a_recordings_wrong_checksum_is_counted_as_such_alone(made):
    pipeline = made(on_gap="count", parser={"checksum": PAIRS})
    pipeline.feed(book_frame("snapshot", 1, [["1.5", "2"]], c=1))
    pipeline.feed(book_frame("delta", 2, [["1.5", "3"]], c=1))
    stats = pipeline.symbol_stats("X")
    assert (stats["crc_bad"], stats["gaps"], stats["updates"]) == (2, 0, 1)
    assert state(pipeline) == (STALE, [[1.5, 3]], [])


def test_kept_deltas_beyond_the_bound_are_dropped_and_newer_ones_kept(made):
    """64 MiB of them: the book that they were for is fetched by a newer snapshot."""
    pipeline = made(link=Link.COUNTER, resync="rest", parser={"resync": REST})
    padding = "x" * (1 << 20)
    for number in range(11, 11 + 70):
        pipeline.feed(book_frame("delta", number, [[1, number]], pad=padding))
    assert pipeline.symbol_stats("X")["stale"] == 70        # those that are kept, and those that are not
    assert pipeline.symbol_stats("X")["gaps"] == 1
    rest(pipeline, 73, [[5, 5]])
    assert state(pipeline) == (LIVE, [[5, 5], [1, 80]], [])
    assert pipeline.symbol_stats("X")["updates"] == 7


def test_deltas_that_just_fill_the_bound_are_all_kept(made):
    """64 MiB, of which each takes 24 bytes besides its own."""
    pipeline = made(link=Link.COUNTER, resync="rest", parser={"resync": REST})
    size = (1 << 20) - 24 - len(book_frame("delta", 101, [[1, 101]], pad=""))
    frames = [book_frame("delta", number, [[1, number]], pad="x" * size) for number in range(101, 101 + 65)]
    for delta in frames[:64]:
        pipeline.feed(delta)
    assert pipeline.symbol_stats("X")["gaps"] == 0
    pipeline.feed(frames[64])
    assert (pipeline.symbol_stats("X")["gaps"], pipeline.symbol_stats("X")["stale"]) == (1, 65)     # and one is kept


def test_deltas_that_were_kept_on_a_line_that_ended_are_gone(made):
    """The venue numbers anew with the connection: what was kept before would be a gap."""
    pipeline = made(link=Link.COUNTER, resync="rest", parser={"resync": REST})
    pipeline.opened()
    for number in (1001, 1002):
        pipeline.feed(book_frame("delta", number))
    pipeline.closed()
    pipeline.opened()
    for number in (51, 52):
        pipeline.feed(book_frame("delta", number, [[1, number]]))
    rest(pipeline, 50, [[5, 5]])
    assert state(pipeline) == (LIVE, [[5, 5], [1, 52]], [])
    assert pipeline.counters["gaps"] == 0


def test_the_sum_of_quantities_grows_with_their_decimals(made):
    """What was traded before the scale widens counts in the finer unit, in the last trade too."""
    pipeline = made()
    pipeline.feed(frame("trade", p="1.5", q="2"))
    pipeline.feed(book_frame("snapshot", 1, [["1.25", "0.125"]]))
    stats = pipeline.symbol_stats("X")
    assert (stats["price_scale"], stats["qty_scale"], stats["trade_qty"]) == (2, 3, 2000)
    assert (pipeline.last_trade("X").price, pipeline.last_trade("X").qty) == (1.5, 2)
    pipeline.feed(frame("trade", p="1.5", q="0.0625"))
    assert pipeline.symbol_stats("X")["trade_qty"] == 20625


@pytest.mark.parametrize(("bid", "ask", "crossed"), [("100", "100.5", 0), ("100", "100", 1), ("101", "100", 1)])
def test_locked_and_crossed_books_are_counted(made, bid, ask, crossed):
    pipeline = made()
    pipeline.feed(book_frame("snapshot", 1, [["99.5", 1]], [["103", 1]]))
    pipeline.feed(book_frame("delta", 2, [[bid, 1]], [[ask, 1]]))
    assert pipeline.symbol_stats("X")["crossed"] == crossed


def test_a_message_of_a_level_that_nobody_has_named_changes_nothing():
    """A row with an id that is not known: not one of its levels is set, and the book is fetched anew."""
    pipeline = Pipeline("bitmex")
    row = '{"symbol":"XBTUSD","id":%d,"side":"%s","size":%d,"price":%d}'
    pipeline.feed(rows("partial", row % (1, "Buy", 5, 100), row % (2, "Sell", 6, 200)))
    before = state(pipeline, "XBTUSD"), pipeline.symbol_stats("XBTUSD")["updates"]
    pipeline.feed(rows("update", '{"symbol":"XBTUSD","id":1,"side":"Buy","size":7}',
                       '{"symbol":"XBTUSD","id":77,"side":"Sell","size":7}'))
    status, bids, asks = state(pipeline, "XBTUSD")
    assert status is STALE
    assert ((LIVE, bids, asks), pipeline.symbol_stats("XBTUSD")["updates"]) == before


# ---- prices with more decimals than any before

def test_named_levels_keep_their_prices_when_a_finer_one_comes():
    pipeline = Pipeline("bitmex")
    named = '{"symbol":"XBTUSD","id":%d,"side":"%s","size":%d,"price":%s}'
    pipeline.feed(rows("partial", named % (1, "Buy", 5, "100"), named % (2, "Sell", 6, "200")))
    pipeline.feed(rows("insert", named % (3, "Buy", 7, "100.25")))
    pipeline.feed(rows("update", '{"symbol":"XBTUSD","id":1,"side":"Buy","size":8}',
                       '{"symbol":"XBTUSD","id":2,"side":"Sell","size":9}'))
    assert state(pipeline, "XBTUSD") == (LIVE, [[100.25, 7], [100, 8]], [[200, 9]])
    pipeline.feed(rows("delete", '{"symbol":"XBTUSD","id":1,"side":"Buy"}'))
    assert state(pipeline, "XBTUSD") == (LIVE, [[100.25, 7]], [[200, 9]])


@pytest.fixture
def numbered(made):
    """A function that makes a pipeline of a book of which each level has the number of its last change, 5."""
    def make() -> Pipeline:
        pipeline = made(link=Link.OFFSETS, form=("price", "qty", "seq"))
        pipeline.feed(book_frame("snapshot", 1, [["100", "1", 1]], [["200", "1", 1]]))
        pipeline.feed(book_frame("delta", 5, [["100", "5", 0]], [["200", "5", 0]]))
        return pipeline

    return make


def test_late_changes_are_still_late_when_a_finer_price_has_come(numbered):
    pipeline = numbered()
    pipeline.feed(book_frame("delta", 6, [["99.5", "6", 0]]))
    pipeline.feed(book_frame("delta", 4, [["100", "4", 0], ["99.5", "4", 0], ["99", "4", 0]],
                             [["200", "4", 0], ["201", "4", 0]]))
    assert state(pipeline) == (LIVE, [[100, 5], [99.5, 6], [99, 4]], [[200, 5], [201, 4]])


@pytest.mark.skipif(not _probe.CAN_COUNT_MALLOC, reason="malloc can be taken away on x86-64 Linux only")
def test_a_finer_price_without_memory_for_the_numbers_of_levels(numbered):
    """Nothing has changed then and the book is fetched anew, or all has, and what is late is still known."""
    failures = 0
    for after in range(60):
        pipeline = numbered()
        feed = partial(pipeline.feed, book_frame("delta", 6, [["99.5", "6", 0]]))
        with contextlib.suppress(MemoryError):
            enough = _probe.without_memory(feed, after) <= after
        if state(pipeline)[0] is LIVE:
            pipeline.feed(book_frame("delta", 4, [["100", "4", 0]], [["200", "4", 0]]))
            assert state(pipeline) == (LIVE, [[100, 5], [99.5, 6]], [[200, 5]])
        else:
            assert state(pipeline) == (STALE, [[100, 5]], [[200, 5]])
            assert pipeline.wanted()
        if enough:
            break
        failures += 1
    assert enough and failures > 1
    assert state(pipeline)[0] is LIVE


@pytest.mark.skipif(not _probe.CAN_COUNT_MALLOC, reason="malloc can be taken away on x86-64 Linux only")
def test_a_finer_quantity_without_memory_leaves_what_is_kept_as_it_was(made):
    """The last trade and the quote count in the finer unit, or the message that brings it is not taken."""
    for after in range(20):
        pipeline = made()
        pipeline.feed(frame("trade", p="1", q="2"))
        pipeline.feed(frame("quote", bp="1", bq="3", ap="2", aq="4"))
        feed = partial(pipeline.feed, frame("trade", p="1", q="0.125"))
        with contextlib.suppress(MemoryError):
            enough = _probe.without_memory(feed, after) <= after
        quote = pipeline.last_quote("X")
        assert (quote.bid_qty, quote.ask_qty) == (3, 4), after
        assert pipeline.last_trade("X").qty in (2, 0.125)
        if enough:
            break
    assert enough and pipeline.last_trade("X").qty == 0.125


def test_a_quantity_too_fine_for_the_books_scale_leaves_the_scale(made):
    """It is the fine one that gets decimals of its own, not the huge one that was there."""
    pipeline = made()
    pipeline.feed(book_frame("snapshot", 1, [["2", "100000000000000000"]], [["3", "1"]]))
    pipeline.feed(book_frame("delta", 2, [["1", "0.125"]]))
    assert state(pipeline) == (LIVE, [[2, 1e17], [1, 0.125]], [[3, 1]])
    assert pipeline.symbol_stats("X")["qty_scale"] == 0
    pipeline.feed(frame("trade", p="2", q="0.125"))           # which has no such way: now the huge one gives way
    assert pipeline.last_trade("X").qty == 0.125
    assert state(pipeline) == (LIVE, [[2, 1e17], [1, 0.125]], [[3, 1]])
    assert pipeline.symbol_stats("X")["qty_scale"] == 3
