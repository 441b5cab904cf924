"""Several lines of a venue of the tests' own: which message counts, line by line, where rules differ."""

from __future__ import annotations

import json

import pytest

from feeds.pipeline import Pipeline
from feeds.venue import Link
from orderbook import BookState
from tests import frames
from tests.log import Log
from tests.own import book_frame, frame

EMPTY, SYNCING, LIVE, STALE = BookState
REST, RESUBSCRIBE, REQUEST = 0, 1, 2


@pytest.fixture
def lined(made):
    """A function that makes a pipeline with open lines that carry the same."""
    def make(*lines, **facts) -> Pipeline:
        facts = {"link": Link.COUNTER, "shared_ids": True, "parser": {"resync": RESUBSCRIBE}} | facts
        pipeline = made(Log(), **facts)
        lines = lines or (0, 1)
        pipeline.share(*lines)
        for line in lines:
            pipeline.opened(line)
        return pipeline

    return make


def tell(pipeline, *numbers, line=0, **more):
    for number in numbers:
        pipeline.feed(book_frame("delta", number, [[1, number]], **more), 0, line)


def begin(pipeline, number, *lines):
    """A snapshot in the stream of each line."""
    for line in lines or (0, 1):
        pipeline.feed(book_frame("snapshot", number, [[2, 2]], [[9, 9]]), 0, line)
    pipeline.handler.take()


def rest(pipeline, number):
    pipeline.rest("https://own.example/snapshot?X", json.dumps({"u": number, "b": [[5, 5]], "a": []}))


def books(pipeline):
    return [told[2] for told in pipeline.handler.take() if told[0] == "book"]


def status(pipeline, symbol="X"):
    return pipeline.book(symbol).status


# ---- books whose numbers can be compared

def test_a_chain_that_says_it_begins_again_goes_on_on_every_line(lined):
    pipeline = lined(link=Link.CHAIN)
    begin(pipeline, 100)
    for number, before in ((101, 100), (5, 101), (6, 5)):
        for line in (0, 1):
            tell(pipeline, number, line=line, v=before)
    assert books(pipeline) == [101, 5, 6]
    assert (status(pipeline), pipeline.counters["gaps"]) == (LIVE, 0)
    assert [pipeline.line_stats(line)["first"] for line in (0, 1)] == [4, 0]
    assert [pipeline.line_stats(line)["copies"] for line in (0, 1)] == [0, 4]
    for line in (0, 1):
        tell(pipeline, 3, line=line, v=2)                   # this one follows nothing
    assert pipeline.counters["depth"] == 3                  # the others were copies


def test_a_chain_that_begins_again_elsewhere_is_a_loss(lined):
    """The line says where its numbers fall from, and it is not where the book stands."""
    pipeline = lined(link=Link.CHAIN)
    begin(pipeline, 100)
    tell(pipeline, 101, line=1, v=100)
    tell(pipeline, 102, line=1, v=101)
    tell(pipeline, 5, line=0, v=100)
    assert status(pipeline) is STALE


def test_a_message_of_one_number_that_is_a_whole_book_is_a_copy_while_another_line_goes_on(lined):
    pipeline = lined(link=Link.OVERLAP_OR_WHOLE)
    for line in (0, 1):
        tell(pipeline, 10, line=line, f=10)
    for line in (0, 1):
        tell(pipeline, 15, line=line, f=11)
    tell(pipeline, 20, line=1, f=20)                        # whole; what lies between comes on the other line
    assert pipeline.line_stats(1) == {"first": 0, "copies": 3, "lead_us": None}
    assert pipeline.book("X").sequence == 15
    tell(pipeline, 20, line=0, f=16)
    tell(pipeline, 25, line=1, f=21)
    assert books(pipeline) == [10, 15, 20, 25]
    assert pipeline.counters["depth"] == 4
    assert pipeline.counters["gaps"] == 0


def test_the_only_line_left_may_be_behind_for_so_long(lined):
    """The other one had brought more before it ended. A hundred copies are that; more are numbers that began again."""
    pipeline = lined()
    begin(pipeline, 10)
    tell(pipeline, *range(11, 1001), line=1)
    pipeline.closed(1)
    assert status(pipeline) is LIVE
    tell(pipeline, *range(11, 111))
    assert status(pipeline) is LIVE
    tell(pipeline, 111)
    assert status(pipeline) is STALE
    assert "old" in pipeline.book("X").reason


def test_a_chain_that_begins_again_ends_a_row_of_copies(lined):
    """The next row may be as long as any other: a hundred, before the only line left is taken to have begun anew."""
    pipeline = lined(link=Link.CHAIN)
    begin(pipeline, 10)
    for number in range(11, 201):
        tell(pipeline, number, v=number - 1)
    for number in range(11, 91):
        tell(pipeline, number, line=1, v=number - 1)        # eighty copies
    tell(pipeline, 150, v=200)                              # begins again, and the book goes on with it
    pipeline.feed(book_frame("snapshot", 20, [[2, 2]], [[9, 9]]), 0, 1)
    pipeline.closed(0)
    for number in range(21, 120):
        tell(pipeline, number, line=1, v=number - 1)
    assert (status(pipeline), pipeline.book("X").sequence) == (LIVE, 150)
    tell(pipeline, 120, line=1, v=119)
    assert status(pipeline) is STALE


def test_copies_of_two_open_lines_are_never_too_many(lined):
    pipeline = lined()
    begin(pipeline, 10)
    tell(pipeline, *range(11, 1001), line=1)
    tell(pipeline, *range(11, 900), line=0)                 # the other is open, and may bring what follows
    assert status(pipeline) is LIVE
    tell(pipeline, 1001, line=1)
    assert pipeline.book("X").sequence == 1001


def test_a_row_of_copies_ends_with_a_message_that_counts(lined):
    pipeline = lined()
    begin(pipeline, 10)
    for start in (10, 70, 130):
        tell(pipeline, *range(start + 1, start + 61), line=1)
        tell(pipeline, *range(start + 1, start + 61), line=0)
    pipeline.closed(1)
    tell(pipeline, 191)
    assert (status(pipeline), pipeline.counters["gaps"]) == (LIVE, 0)


def test_what_waits_is_counted_once(lined):
    pipeline = lined()
    begin(pipeline, 10)
    tell(pipeline, 11, 13, 14)
    assert pipeline.counters["depth"] == 3
    tell(pipeline, 11, 12, line=1)
    assert books(pipeline) == [11, 12, 13, 14]
    assert pipeline.counters["depth"] == 4
    tell(pipeline, 16)
    tell(pipeline, 16, line=1)                              # both lack 15
    assert pipeline.counters["depth"] == 6
    assert status(pipeline) is STALE
    assert "stands at 14, the next message begins at 16" in pipeline.book("X").reason


def test_the_reason_names_the_first_of_those_that_waited(lined):
    pipeline = lined(link=Link.RANGE)
    begin(pipeline, 10)
    tell(pipeline, 11, f=11)
    tell(pipeline, 15, f=14)
    tell(pipeline, 20, f=16)
    pipeline.settle(1.0)
    pipeline.settle(9.0)
    assert "stands at 11, the next message begins at 14" in pipeline.book("X").reason


def test_a_trade_does_not_wait_with_the_book(lined):
    pipeline = lined()
    begin(pipeline, 10)
    tell(pipeline, 12)
    pipeline.feed(frame("trade", p="1", q="2", id=7), 0, 0)
    assert [told[:3] for told in pipeline.handler.take()] == [("trade", "X", 7)]
    tell(pipeline, 11, line=1)
    assert books(pipeline) == [11, 12]


def test_what_both_lines_lack_waits_for_a_snapshot_by_rest_with_what_follows(lined):
    pipeline = lined(resync="rest", parser={"resync": REST})
    tell(pipeline, 11)
    tell(pipeline, 11, line=1)
    rest(pipeline, 11)
    assert status(pipeline) is LIVE
    tell(pipeline, 13, 14)
    tell(pipeline, 13, line=1)
    assert status(pipeline) is STALE
    tell(pipeline, 15)
    pipeline.handler.take()
    rest(pipeline, 12)
    assert (status(pipeline), pipeline.book("X").sequence) == (LIVE, 15)
    assert pipeline.counters["gaps"] == 1
    tell(pipeline, 14, 15, 16, line=1)
    assert pipeline.book("X").sequence == 16


def test_a_snapshot_that_is_ahead_of_what_was_kept_waits_for_the_stream(lined):
    """Also where a line had brought before the loss what another brings after it."""
    pipeline = lined(resync="rest", parser={"resync": REST})
    tell(pipeline, 11)
    rest(pipeline, 11)
    tell(pipeline, 12, 13)
    pipeline.lose("X")
    tell(pipeline, 12, 13, line=1)
    rest(pipeline, 15)
    assert status(pipeline) is SYNCING
    tell(pipeline, 14, 15, line=1)
    assert (status(pipeline), pipeline.book("X").sequence) == (LIVE, 15)


def test_a_frame_of_several_messages_that_waits_is_told_once():
    """Only its book message is waited for; what else it holds was told as it came."""
    pipeline = Pipeline("binance_usdm", Log())
    pipeline.share(0, 1)
    for line in (0, 1):
        pipeline.opened(line)
        pipeline.feed(frames.delta(9, 10, 8), 0, line)
    pipeline.rest(frames.rest_url(), frames.snapshot(10, [("100", "1")], [("101", "1")]))
    assert status(pipeline, "BTCUSDT") is LIVE
    pipeline.handler.take()
    several = [frames.delta(12, 12, 11, stream=""), frames.mark(symbol="ETHUSDT", stream="")]
    pipeline.feed(b"[" + b",".join(several) + b"]", 0, 0)
    assert pipeline.handler.take() == [("mark", "ETHUSDT")]
    pipeline.feed(frames.delta(11, 11, 10), 0, 1)
    assert [told[:3] for told in pipeline.handler.take()] == [("book", "BTCUSDT", 11), ("book", "BTCUSDT", 12)]


def test_whole_books_without_a_number_count_from_one_line_alone(lined):
    pipeline = lined()
    for price in (1, 2, 3):
        for line in (0, 1):
            pipeline.feed(frame("snapshot", b=[[price, 1]], a=[[9, 9]]), 0, line)
    assert [told[3] for told in pipeline.handler.take() if told[0] == "book"] == [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)]
    assert [pipeline.line_stats(line)[name] for line in (0, 1) for name in ("first", "copies")] == [3, 0, 0, 3]


def test_a_book_that_only_has_a_snapshot_by_rest_stays_while_a_line_is_open(lined):
    pipeline = lined(resync="rest", parser={"resync": REST})
    pipeline.follow("X")
    rest(pipeline, 11)
    assert status(pipeline) is LIVE
    pipeline.closed(1)
    assert status(pipeline) is LIVE
    pipeline.opened(1)
    pipeline.closed(0)
    assert status(pipeline) is LIVE
    pipeline.closed(1)
    assert status(pipeline) is STALE


def test_a_bad_frame_of_one_line_harms_no_book_that_another_brings(lined):
    pipeline = lined()
    begin(pipeline, 10)
    pipeline.feed(b'{"kind":"delta","s":"X","u":11,"b":[[1,', 0, 0)
    assert (status(pipeline), pipeline.counters["errors"]) == (LIVE, 1)
    tell(pipeline, 11, line=1)
    pipeline.closed(1)
    pipeline.feed(b'{"kind":"delta","s":"X","u":12,"b":[[1,', 0, 0)
    assert status(pipeline) is STALE


# ---- lines that come and go

def test_a_line_that_was_alone_is_known_to_carry_its_books(made):
    pipeline = made(Log(), link=Link.COUNTER, shared_ids=True, parser={"resync": RESUBSCRIBE})
    pipeline.opened(0)
    begin(pipeline, 10, 0)
    tell(pipeline, 11)
    pipeline.share(0, 1)
    pipeline.opened(1)
    assert pipeline.brought(0, "X") == 11
    assert pipeline.brought(1, "X") is None
    assert [pipeline.carries(line, "X") for line in (0, 1)] == [True, False]
    begin(pipeline, 11, 1)
    tell(pipeline, 13, line=1)
    assert status(pipeline) is LIVE                         # the first line may still bring 12
    tell(pipeline, 12)
    assert pipeline.book("X").sequence == 13
    tell(pipeline, *range(1, 9))
    assert status(pipeline) is LIVE
    tell(pipeline, 9)                                       # below its own past, which is known, nine times
    assert status(pipeline) is STALE


def test_a_line_whose_book_is_only_to_be_joined_is_not_taken_to_be_anywhere(made):
    pipeline = made(Log(), link=Link.COUNTER, shared_ids=True, resync="rest", parser={"resync": REST})
    pipeline.opened(0)
    tell(pipeline, 11)
    rest(pipeline, 11)
    pipeline.share(0, 1)
    assert pipeline.brought(0, "X") is None
    assert pipeline.carries(0, "X")


def test_trades_that_were_told_before_lines_were_compared_are_not_told_again(made):
    pipeline = made(Log(), shared_ids=True)
    pipeline.opened(0)
    for number in (5, 6, 7):
        pipeline.feed(frame("trade", p="1", q="2", id=number), 0, 0)
    pipeline.handler.take()
    pipeline.share(0, 1)
    pipeline.opened(1)
    for number in (5, 6, 7, 8):
        pipeline.feed(frame("trade", p="1", q="2", id=number), 0, 1)
    assert [told[2] for told in pipeline.handler.take()] == [8]
    assert pipeline.line_stats(1) == {"first": 1, "copies": 3, "lead_us": None}


def test_a_group_that_ends_leaves_the_others_as_they_are(lined):
    pipeline = lined(0, 1)
    pipeline.share(2, 3)
    begin(pipeline, 10)
    for line in (2, 3):
        pipeline.opened(line)
        pipeline.feed(book_frame("snapshot", 20, symbol="Y"), 0, line)
    pipeline.feed(book_frame("snapshot", 5, symbol="Z"), 0, 4)      # of a line that is alone
    for line in (2, 3):
        pipeline.closed(line)
        pipeline.part(line)
    assert [pipeline.brought(line, "X") for line in (0, 1)] == [10, 10]
    assert [pipeline.carries(line, "X") for line in (0, 1)] == [True, True]
    assert [status(pipeline, symbol) for symbol in "XYZ"] == [LIVE, STALE, LIVE]


def test_groups_do_not_mix(lined):
    pipeline = lined(0, 1)
    pipeline.share(2, 3)
    for line in (2, 3):
        pipeline.opened(line)
    with pytest.raises(ValueError, match=r"lines \[1, 2\] belong to different groups"):
        pipeline.share(1, 2)
    pipeline.share(1, 4)                                    # a third of the first group
    pipeline.opened(4)
    begin(pipeline, 10, 0, 1, 4)
    for line in (2, 3):
        pipeline.feed(book_frame("snapshot", 500, symbol="Y"), 0, line)
    tell(pipeline, 11, 13)
    tell(pipeline, 501, line=3, symbol="Y")
    assert [status(pipeline, symbol) for symbol in "XY"] == [LIVE, LIVE]
    pipeline.closed(0)
    pipeline.closed(1)
    assert [status(pipeline, symbol) for symbol in "XY"] == [LIVE, LIVE]    # the third of them has it, and may bring 12
    pipeline.closed(2)
    pipeline.closed(3)
    assert [status(pipeline, symbol) for symbol in "XY"] == [LIVE, STALE]
    tell(pipeline, 11, 12, line=4)
    assert pipeline.book("X").sequence == 13
    pipeline.closed(4)
    assert [status(pipeline, symbol) for symbol in "XY"] == [STALE, STALE]


def test_so_many_lines_and_no_more(made):
    pipeline = made(shared_ids=True)
    with pytest.raises(ValueError, match="at most 8 lines"):
        pipeline.share(*range(9))
    pipeline.share(*range(8))
    with pytest.raises(ValueError, match="at most 8 lines"):
        pipeline.share(0, 8)
    pipeline.part(3)
    pipeline.share(0, 8)                                    # its place is free
    for line in (-1, 1024):
        with pytest.raises(ValueError, match="a line from 0 to 1023"):
            pipeline.share(0, line)
    pipeline.opened(8)
    with pytest.raises(ValueError, match="line 8 is open"):
        pipeline.part(8)


def test_a_line_left_alone_goes_on_as_such_when_it_has_come_so_far(lined):
    pipeline = lined()
    begin(pipeline, 10)
    tell(pipeline, 11, 12, line=1)
    pipeline.closed(1)
    pipeline.part(1)
    pipeline.settle(100.0)
    tell(pipeline, 11, 12)                                  # copies still, not old deltas of a line that is alone
    assert pipeline.counters["stale"] == 0
    pipeline.settle(100.1)
    tell(pipeline, 13)
    tell(pipeline, 13)
    assert pipeline.counters["stale"] == 1                  # now it is


def test_a_line_left_alone_is_so_after_ten_seconds_whatever_it_has_brought(lined):
    pipeline = lined()
    begin(pipeline, 10)
    tell(pipeline, 11, 12, line=1)
    pipeline.closed(1)
    pipeline.part(1)
    for now in (100.0, 109.9):
        pipeline.settle(now)
        tell(pipeline, 11)
        assert pipeline.counters["stale"] == 0
    pipeline.settle(110.1)
    tell(pipeline, 11)
    assert (pipeline.counters["stale"], pipeline.counters["gaps"]) != (0, 0)


def test_any_number_of_groups_come_and_go(lined):
    pipeline = lined()
    begin(pipeline, 10)
    for number in range(1100):
        pipeline.share(2, 3)
        pipeline.part(2)
        pipeline.part(3)
        if number % 500 == 0:
            tell(pipeline, pipeline.book("X").sequence + 1)
    assert status(pipeline) is LIVE


def test_there_are_numbers_for_a_thousand_groups_at_a_time(made):
    pipeline = made(shared_ids=True)
    for line in range(1023):
        pipeline.share(line)
    with pytest.raises(ValueError, match="at most 1023 groups"):
        pipeline.share(1023)
    for line in range(1023):
        assert pipeline.active(line) == -1
    for now in (1.0, 2.0):                                  # lines that are alone are no groups any more,
        pipeline.settle(now)
        assert [pipeline.active(line) for line in (0, 500, 1022)] == [0, 500, 1022]
        for line in range(1023):                            # and their numbers are free
            pipeline.share(line)


# ---- what is no book

@pytest.mark.parametrize("kind", ["trade", "quote"])
def test_a_line_that_comes_again_does_not_fall_below_itself(lined, kind):
    """It begins with what is known long since: that is old, and not a new beginning."""
    pipeline = lined()

    def send(number, line):
        told = {"id": number, "p": "1", "q": "2"} if kind == "trade" else {
            "u": number, "bp": "1", "bq": "2", "ap": "3", "aq": "4"}
        pipeline.feed(frame(kind, **told), 0, line)

    for number in range(1, 301):
        for line in (0, 1):
            send(number, line)
    assert len(pipeline.handler.take()) == 300
    assert [pipeline.line_stats(line)[name] for line in (0, 1) for name in ("first", "copies")] == [300, 0, 0, 300]
    pipeline.closed(1)
    pipeline.opened(1)
    send(20, 1)
    assert pipeline.handler.take() == []
    send(301, 1)
    assert len(pipeline.handler.take()) == 1
    assert [pipeline.line_stats(line)[name] for line in (0, 1) for name in ("first", "copies")] == [300, 0, 1, 301]


OKX = {
    "tickers": {"last": "5", "bidPx": "4", "bidSz": "1", "askPx": "6", "askSz": "1"},
    "mark-price": {"markPx": "5"},
    "open-interest": {"oi": "7", "oiCcy": "8", "instType": "SWAP"},
}


@pytest.mark.parametrize("channel", OKX)
def test_what_counts_by_time_is_told_once_and_never_backwards(channel):
    name = "BTC-USDT-SWAP"
    pipeline = Pipeline("okx", Everything())
    pipeline.share(0, 1)

    def send(ms, line):
        pipeline.feed(json.dumps({"arg": {"channel": channel, "instId": name}, "data": [
            {"instId": name, "ts": str(1_790_000_000_000 + ms), "instType": "SWAP", **OKX[channel]}]}).encode(),
            0, line)

    for line in (0, 1):
        pipeline.opened(line)
        for ms in (1, 2, 3):
            send(ms, line)
    assert pipeline.handler.count() == 3
    pipeline.closed(1)
    pipeline.opened(1)
    send(2, 1)
    assert pipeline.handler.count() == 0
    send(4, 1)
    send(4, 0)
    assert pipeline.handler.count() == 1


class Everything:
    """Counts tickers, marks and open interest."""

    def __init__(self):
        self.seen = 0

    def count(self):
        seen, self.seen = self.seen, 0
        return seen

    def on_ticker(self, event):
        self.seen += 1

    on_mark = on_open_interest = on_ticker


# ---- lines whose numbers are their own

@pytest.fixture
def apart(lined):
    """Lines of which one counts and the others stand by."""
    return lambda *lines, **facts: lined(*lines, shared_ids=False, **facts)


def test_one_line_counts_until_it_ends(apart):
    pipeline = apart(0, 1, 2)
    pipeline.closed(1)
    begin(pipeline, 10, 0, 2)
    tell(pipeline, 11)
    tell(pipeline, 11, 12, line=2)
    pipeline.feed(frame("trade", p="1", q="2"), 0, 2)
    assert [told[:3] for told in pipeline.handler.take()] == [("book", "X", 11)]
    assert [pipeline.active(line) for line in (0, 1, 2)] == [0, 0, 0]
    pipeline.closed(0)
    assert [pipeline.active(line) for line in (0, 1, 2)] == [2, 2, 2]       # the second one is not open
    assert status(pipeline) is STALE
    assert [(want.kind, want.line) for want in pipeline.wanted()] == [("resubscribe", 2)]
    pipeline.opened(1)
    assert pipeline.active(1) == 2
    begin(pipeline, 20, 1, 2)
    tell(pipeline, 21, line=1)
    tell(pipeline, 22, line=1)
    assert pipeline.book("X").sequence == 20
    tell(pipeline, 21, line=2)
    assert pipeline.book("X").sequence == 21
    assert [pipeline.line_stats(line)[name] for line in (0, 1, 2) for name in ("first", "copies")] == [2, 0, 0, 3, 2, 4]


def test_the_first_of_those_that_are_open_counts_next(apart):
    pipeline = apart(1, 2, 3)
    pipeline.opened(0)                                      # is no line of theirs
    for ended, then in ((1, 2), (2, 3), (3, -1)):
        pipeline.closed(ended)
        assert [pipeline.active(line) for line in (0, 1, 2, 3)] == [0, then, then, then]
    pipeline.opened(2)
    assert pipeline.active(1) == 2


def test_an_heir_takes_over_book_by_book_with_a_whole_one(apart):
    pipeline = apart()
    for symbol in "XY":
        pipeline.feed(book_frame("snapshot", 10, symbol=symbol), 0, 0)
    pipeline.feed(book_frame("snapshot", 10), 0, 1)         # before it is the heir it says nothing
    assert [pipeline.carries(1, symbol) for symbol in "XY"] == [False, False]
    pipeline.hand_over(1)
    tell(pipeline, 500, line=1)
    assert pipeline.book("X").sequence == 10
    pipeline.feed(book_frame("snapshot", 500), 0, 1)
    assert [pipeline.carries(1, symbol) for symbol in "XY"] == [True, False]
    assert [pipeline.carries(0, symbol) for symbol in "XY"] == [False, True]
    tell(pipeline, 11)
    tell(pipeline, 11, symbol="Y")
    tell(pipeline, 501, line=1)
    assert [pipeline.book(symbol).sequence for symbol in "XY"] == [501, 11]
    pipeline.closed(0)
    assert [status(pipeline, symbol) for symbol in "XY"] == [LIVE, STALE]
    assert pipeline.active(0) == 1
    tell(pipeline, 502, line=1)
    assert pipeline.book("X").sequence == 502
    pipeline.closed(1)
    assert status(pipeline) is STALE


def test_an_heir_whose_whole_books_fall_behind_waits(apart):
    pipeline = apart(link=Link.NOT_BELOW)
    for number in (10, 11):
        pipeline.feed(book_frame("snapshot", number), 0, 0)
    pipeline.hand_over(1)
    pipeline.feed(book_frame("snapshot", 10), 0, 1)
    assert not pipeline.carries(1, "X")
    pipeline.feed(book_frame("snapshot", 11), 0, 1)
    assert pipeline.carries(1, "X")


def test_an_heir_takes_over_where_the_book_stands(apart):
    """Numbers that only rise show no gap: the heir's counts from the moment at which it is not ahead."""
    pipeline = apart(link=Link.RISES, parser={"resync": REST}, resync="rest")
    tell(pipeline, 9)
    rest(pipeline, 9)
    tell(pipeline, 10, 20)
    pipeline.hand_over(1)
    tell(pipeline, 30, line=1)
    assert not pipeline.carries(1, "X")
    tell(pipeline, 20, line=1)
    tell(pipeline, 40, line=1)
    assert pipeline.carries(1, "X")
    tell(pipeline, 50)
    assert pipeline.book("X").sequence == 40


def test_what_a_line_had_told_by_parts_is_not_filled_up_by_the_next_one(apart):
    pipeline = apart()
    pipeline.feed(frame("quote", same=1, bp="1", bq="2", ap="3", aq="4"), 0, 0)
    assert len(pipeline.handler.take()) == 1
    pipeline.closed(1)                                      # the one that stood by: nothing is lost
    pipeline.opened(1)
    pipeline.feed(frame("quote", same=1, bq="6"), 0, 0)
    assert len(pipeline.handler.take()) == 1
    pipeline.closed(0)
    pipeline.feed(frame("quote", same=1, bq="7"), 0, 1)
    assert pipeline.handler.take() == []                    # the rest of it is not known on that line
    pipeline.feed(frame("quote", same=1, bp="1", ap="3", aq="4"), 0, 1)
    assert len(pipeline.handler.take()) == 1


def test_a_partial_book_by_rest_asks_for_nothing_when_another_line_takes_over(apart):
    for depth, wants in ((0, ["snapshot"]), (5, [])):
        pipeline = apart(resync="rest", parser={"resync": REST, "depth": depth})
        for line in (0, 1):
            pipeline.feed(book_frame("snapshot", 10), 0, line)
        pipeline.closed(0)
        assert pipeline.book("X", depth or None).status is STALE
        assert [want.kind for want in pipeline.wanted()] == wants
        pipeline.feed(book_frame("snapshot", 11), 0, 1)
        assert pipeline.book("X", depth or None).status is LIVE
