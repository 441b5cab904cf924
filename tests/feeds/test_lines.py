"""The same streams on two lines: the first copy counts, and losing a line loses nothing."""

from __future__ import annotations

import json
import logging
import random
from dataclasses import replace

import pytest

import feeds
from feeds.pipeline import Pipeline
from orderbook import BookState
from tests.log import Log
from tests.simulation import TIMING, Chain, Counting, Linked, Ranges, Truth, World

EMPTY, SYNCING, LIVE, STALE = BookState
QUICK = replace(TIMING, backoff=0.05, backoff_longest=0.2, look=0.1, check=0.5, steady=0.5)


def book_frame(action, last, prev, price=2, symbol="BTC-USDT"):
    asks = [["500", "1", "0", "1"]] if action == "snapshot" else []
    return json.dumps({"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [{
        "asks": asks, "bids": [[str(price), "1", "0", "1"]], "ts": "1790000000000", "checksum": 0, "seqId": last,
        "prevSeqId": prev}]}, separators=(",", ":")).encode()


def delta(last, prev=None):
    return book_frame("update", last, last - 1 if prev is None else prev, last)


def snapshot(last):
    return book_frame("snapshot", last, -1, 1)


@pytest.fixture
def two():
    """A pipeline with two open lines whose numbers can be compared, and a book at 10 on both."""
    pipeline = Pipeline("okx", Log())
    pipeline.share(0, 1)
    for line in (0, 1):
        pipeline.opened(line)
        pipeline.feed(snapshot(10), 1_000 * line, line)
    pipeline.handler.take()
    return pipeline


def sequences(pipeline):
    """Numbers of the book messages that were delivered since the last look."""
    return [told[2] for told in pipeline.handler.take() if told[0] == "book"]


def test_the_first_copy_of_a_number_counts(two):
    two.feed(delta(11), 1_000, 0)
    two.feed(delta(11), 4_000, 1)
    two.feed(delta(12), 5_000, 1)
    two.feed(delta(12), 6_000, 0)
    assert sequences(two) == [11, 12]
    assert two.line_stats(0) == {"first": 2, "copies": 1, "lead_us": 2.0}      # of the snapshot by 1 us, of 11 by 3
    assert two.line_stats(1) == {"first": 1, "copies": 2, "lead_us": 1.0}
    assert two.counters["stale"] == two.counters["gaps"] == 0


def test_what_one_line_lacks_the_other_brings(two):
    for number in (11, 13, 14):
        two.feed(delta(number), 0, 0)
    assert two.book("BTC-USDT").status is LIVE
    two.feed(delta(11), 0, 1)
    two.feed(delta(12), 0, 1)
    assert sequences(two) == [11, 12, 13, 14]


def test_what_both_lines_lack_is_a_gap(two):
    two.feed(delta(12), 0, 0)
    assert two.book("BTC-USDT").status is LIVE
    two.feed(delta(12), 0, 1)
    assert two.book("BTC-USDT").status is STALE
    assert [want.kind for want in two.wanted()] == ["resubscribe"]


def test_what_the_other_line_does_not_bring_in_time_is_a_gap(two):
    two.feed(delta(12), 0, 0)
    two.settle(100.0)
    two.settle(100.9)
    assert two.book("BTC-USDT").status is LIVE
    two.settle(101.1)
    assert two.book("BTC-USDT").status is STALE


def test_so_many_messages_wait_for_one(two):
    for number in range(12, 12 + 64):
        two.feed(delta(number), 0, 0)
    assert two.book("BTC-USDT").status is LIVE
    two.feed(delta(76), 0, 0)
    assert two.book("BTC-USDT").status is STALE


def test_a_line_that_ends_leaves_books_that_another_carries(two):
    two.feed(delta(11), 0, 0)
    two.closed(0)
    two.feed(delta(11), 0, 1)
    two.feed(delta(12), 0, 1)
    two.opened(0)
    two.feed(snapshot(12), 0, 0)
    two.feed(delta(13), 0, 0)
    assert sequences(two) == [11, 12, 13]
    two.closed(0)
    two.closed(1)
    assert two.book("BTC-USDT").status is STALE


def test_a_line_that_ends_takes_along_what_only_it_could_bring(two):
    two.feed(delta(12), 0, 0)
    two.closed(1)
    assert two.book("BTC-USDT").status is STALE


def test_a_line_whose_numbers_fall_began_anew(two):
    for number in (11, 12, 13):
        two.feed(delta(number), 0, 0)
    for number in range(1, 9):
        two.feed(delta(number), 0, 0)
        assert two.book("BTC-USDT").status is LIVE          # a copy that strayed
    two.feed(delta(9), 0, 0)
    assert two.book("BTC-USDT").status is STALE
    two.feed(delta(14), 0, 1)                               # is of the time before
    assert two.book("BTC-USDT").status is STALE
    two.feed(snapshot(20), 0, 0)
    two.feed(delta(15), 0, 1)
    two.feed(delta(21), 0, 0)
    assert two.book("BTC-USDT").status is LIVE and two.book("BTC-USDT").sequence == 21


def test_any_mixture_of_two_lines_gives_every_message_once():
    for seed in range(200):
        dice = random.Random(seed)
        pipeline = Pipeline("okx", Log())
        pipeline.share(0, 1)
        for line in (0, 1):
            pipeline.opened(line)
            pipeline.feed(snapshot(10), 0, line)
        pipeline.handler.take()
        lost = [{n for n in range(11, 60) if dice.random() < 0.1} for _ in (0, 1)]
        lost[1] -= lost[0]                                  # one of the two brings each
        lost[1] -= {59}
        lost[0] -= {59}
        queues = [[n for n in range(11, 60) if n not in gone] for gone in lost]
        while queues[0] or queues[1]:
            line = dice.choice([line for line in (0, 1) if queues[line]])
            pipeline.feed(delta(queues[line].pop(0)), 0, line)
        told = sequences(pipeline)
        assert told == list(range(11, 60)), (seed, told)


def trade(number, time=1_790_000_000_000):
    return json.dumps({"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [{
        "instId": "BTC-USDT", "tradeId": str(number), "px": "5", "sz": "1", "side": "buy", "ts": str(time),
        "count": "1"}]}, separators=(",", ":")).encode()


def test_every_trade_once(two):
    for number, line in ((1, 0), (2, 0), (1, 1), (4, 0), (2, 1), (3, 1), (4, 1), (5, 1), (5, 0)):
        two.feed(trade(number), 0, line)
    assert [told[2] for told in two.handler.take() if told[0] == "trade"] == [1, 2, 4, 3, 5]


def test_a_line_alone_is_not_compared():
    pipeline = Pipeline("okx", Log())
    pipeline.opened(0)
    pipeline.feed(trade(1), 0, 0)
    pipeline.feed(trade(1), 0, 0)
    assert len(pipeline.handler.take()) == 2


def test_where_numbers_are_a_lines_own_the_second_stands_by():
    pipeline = Pipeline("bybit", Log(), ["BTCUSDT"])
    family = Counting()
    truth = Truth("BTCUSDT", random.Random(1))
    pipeline.share(0, 1)
    for line in (0, 1):
        pipeline.opened(line)
        pipeline.feed(family.snapshot(truth), 0, line)
    before, first, levels = truth.change()
    pipeline.feed(family.delta(truth, before, first, *levels), 0, 1)
    assert pipeline.book("BTCUSDT").sequence == 7           # of the active line
    pipeline.closed(0)
    assert pipeline.book("BTCUSDT").status is STALE
    assert [(want.kind, want.line) for want in pipeline.wanted()] == [("resubscribe", 1)]
    pipeline.feed(family.snapshot(truth), 0, 1)
    assert pipeline.book("BTCUSDT").status is LIVE


@pytest.mark.parametrize("lines", [0, 5])
def test_one_to_four_lines(lines):
    with pytest.raises(ValueError, match="lines must be 1 to 4"):
        feeds.connect("okx", "BTC-USDT", lines=lines)


def test_lines_are_not_compared_where_gaps_are_counted():
    with pytest.raises(ValueError, match="gaps are counted"):
        Pipeline("okx", on_gap="count").share(0, 1)


# ---- the whole client in a simulated world

@pytest.mark.parametrize("family", [Chain, Ranges, Linked])
def test_a_line_killed_every_second_loses_nothing(family, caplog):
    caplog.set_level(logging.CRITICAL)
    world = World(family, 5, 0.03, 0.1, (), lines=2, kill_s=1.0, timing=QUICK, exact=True)
    figures = world.run()
    assert figures.kills > 60 and figures.messages > 5_000
    assert figures.recoveries == [] and figures.away_s == 0.0
    assert all(line["first"] > 500 and line["lead_us"] > 0 for line in world.line_stats)


@pytest.mark.parametrize("family", [Chain, Counting, Ranges, Linked])
def test_a_rollover_loses_nothing(family, caplog):
    caplog.set_level(logging.CRITICAL)
    world = World(family, 5, 0.3, 0.5, (), lifetime_s=120.0, timing=QUICK, exact=family is not Counting)
    figures = world.run()
    assert figures.opens > 8
    assert figures.recoveries == [] and figures.away_s == 0.0
    assert world.line_stats[0]["opens"] == figures.opens and len(world.line_stats) == 1


@pytest.mark.parametrize("family", [Chain, Counting, Ranges, Linked])
def test_two_lines_with_faults(family, caplog):
    caplog.set_level(logging.CRITICAL)
    figures = World(family, 20261122, 3.0, lines=2).run()
    assert figures.compared > 1_000 and figures.quiet_away_s == 0.0
