"""The same streams on two lines: the first copy counts, and losing a line loses nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from dataclasses import replace

import pytest

import feeds
from feeds.pipeline import Pipeline
from orderbook import BookState
from tests import frames
from tests.feeds.test_exchange import Serving, looped, same, told
from tests.log import Log
from tests.loopback import until
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


def test_a_trade_does_not_wait_for_a_book_message(two):
    two.feed(delta(12), 0, 0)                               # 11 is still awaited
    two.feed(trade(1), 0, 0)
    two.feed(trade(2), 0, 1)
    two.feed(trade(1), 0, 1)
    assert [told[2] for told in two.handler.take() if told[0] == "trade"] == [1, 2]
    two.feed(delta(11), 0, 1)
    assert sequences(two) == [11, 12]


def test_a_message_is_counted_once_whether_it_had_to_wait_or_not(two):
    for number, line in ((11, 0), (13, 0), (14, 0), (11, 1), (12, 1), (13, 1), (14, 1)):
        two.feed(delta(number), 0, line)
    assert (sequences(two), two.counters["depth"]) == ([11, 12, 13, 14], 4)
    two.feed(delta(16), 0, 1)                               # waits, and then both lines lack 15
    two.feed(delta(17), 0, 0)
    assert (two.book("BTC-USDT").status, two.counters["depth"]) == (STALE, 6)


def test_what_waited_in_vain_is_kept_for_the_snapshot():
    """Where snapshots come by REST: what came behind the lost message is not asked for again."""
    pipeline = Pipeline("binance_usdm", Log())
    pipeline.share(0, 1)
    for line in (0, 1):
        pipeline.opened(line)
        pipeline.feed(frames.delta(11, 11, 10), 0, line)
    pipeline.rest(frames.rest_url(), frames.snapshot(11, [("100", "1")], [("101", "1")]))
    for number in (13, 14, 15):
        pipeline.feed(frames.delta(number, number, number - 1, [("99", str(number))]), 0, 0)
    for now in (100.0, 101.1):
        assert pipeline.book("BTCUSDT").status is LIVE
        pipeline.settle(now)
    assert pipeline.book("BTCUSDT").status is STALE
    assert [want.kind for want in pipeline.wanted()] == ["snapshot"]
    pipeline.rest(frames.rest_url(), frames.snapshot(13, [("100", "1")], [("101", "1")]))
    book = pipeline.book("BTCUSDT")
    assert (book.status, book.sequence, book.raw.bids().tolist()) == (LIVE, 15, [[100, 1], [99, 15]])


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


# ---- over real sockets

SOON = {"backoff": 0.05, "backoff_longest": 0.2, "look": 0.01, "check": 0.05, "overlap": 0.3, "steady": 0.5,
        "judge": 0.02, "renew": 0.1}


QUICK_PATIENCE = {"least": 0.6, "young": 0.0, "surprise": 8.0, "probe": 1.0, "answer": 4.0, "apart": 60.0}


class Venue:
    """An exchange, what it has told of a symbol since the client's book was LIVE, and a feed whose events are noted."""

    def __init__(self, name, symbol, rate=300.0, lines=1, lifetime_s=0.0, **patience):
        self.name, self.symbol = name, symbol
        self.serving = Serving(name, [symbol], rate=rate)
        self.options = {"lines": lines}
        self.lifetime_s, self.patience = lifetime_s, patience
        self.told, self.told_trades, self.books, self.trades, self.changes = [], [], [], [], []

    async def __aenter__(self):
        self.exchange = await self.serving.__aenter__()
        tell = self.exchange._tell

        def telling(feed, events):
            for event in events:
                if event.kind == "delta":
                    self.told.append(event.values["last_seq"])
                elif event.kind == "trade":
                    self.told_trades.append(event.values["trade_id"])
            tell(feed, events)

        self.exchange._tell = telling
        feed = self.feed = feeds.connect(self.name, self.symbol, ("book", "trades"), self, url=self.exchange.url,
                                         **self.options)
        feed.timing = replace(feed.timing, **SOON)
        feed.patience = replace(feed.patience, **self.patience)
        if self.lifetime_s:
            feed.spec = replace(feed.spec, limits=replace(feed.spec.limits, connection_lifetime_s=self.lifetime_s))
        await feed.__aenter__()
        await feed.wait_live(20)
        await until(lambda: all(connection.line is not None and connection.requests.confirmed
                                for connection in feed.connections))
        for noted in (self.told, self.told_trades, self.books, self.trades, self.changes):
            noted.clear()
        return self

    async def __aexit__(self, *error):
        await self.feed.close()
        await self.serving.__aexit__()

    def on_book(self, book):
        self.books.append(book.sequence)

    def on_trade(self, trade):
        self.trades.append(trade.trade_id)

    def on_status(self, book, old, new, reason):
        if old != new:
            self.changes.append((old, new, reason))

    async def settle(self):
        """Let all that was told arrive; nothing more happens."""
        self.exchange.hall.step = list
        await until(lambda: same(self.feed.book(self.symbol), told(self.exchange, self.symbol, self.feed.market)))
        await asyncio.sleep(0.2)

    def assert_nothing_was_lost(self):
        first = self.told.index(next(number for number in self.told if number in self.books))
        assert self.books[self.books.index(self.told[first]):] == self.told[first:]
        first = self.told_trades.index(next(number for number in self.told_trades if number in self.trades))
        assert sorted(self.trades)[-len(self.told_trades[first:]):] == self.told_trades[first:]
        assert len(set(self.trades)) == len(self.trades)
        assert self.changes == []
        counters = self.feed.pipeline.counters
        assert (counters["gaps"], counters["errors"]) == (0, 0)


@looped
async def test_two_real_lines_of_which_one_is_killed_every_second_lose_nothing():
    async with Venue("okx", "BTC-USDT", lines=2) as venue:
        for _ in range(6):
            await asyncio.sleep(1.0)
            await until(lambda: len(venue.exchange.clients) == 2)
            oldest = min(venue.exchange.clients, key=lambda client: client.heard_s)
            oldest.transport.abort()
            await until(lambda oldest=oldest: oldest not in venue.exchange.clients)
        await venue.settle()
        venue.assert_nothing_was_lost()
        lines = venue.feed.stats()["lines"]
        assert sum(line["opens"] for line in lines) == 2 + 6
        assert len(venue.books) > 40
        assert all(line["first"] > 0 for line in lines)


@pytest.mark.parametrize("name, symbol", [("okx", "BTC-USDT"), ("bybit", "BTCUSDT")])
@looped
async def test_a_rollover_of_a_real_line_loses_nothing(name, symbol):
    async with Venue(name, symbol, lifetime_s=1.5) as venue:
        await until(lambda: venue.feed.stats()["lines"][0]["opens"] >= 4)
        await venue.settle()
        if venue.feed.spec.shared_ids:
            venue.assert_nothing_was_lost()
        assert venue.changes == []                          # where a line's numbers are its own, the book moves over
        assert venue.feed.pipeline.counters["gaps"] == 0
        assert len(venue.books) > 20


@looped
async def test_a_stream_that_a_line_has_lost_is_asked_for_anew_on_that_line_and_nobody_misses_it():
    async with Venue("okx", "BTC-USDT", lines=2, **QUICK_PATIENCE) as venue:
        await asyncio.sleep(1.0)
        dropped = max(venue.exchange.clients, key=id)
        names = [name for name in dropped.names if name.startswith("books")]
        for name in names:
            del dropped.names[name]
        await until(lambda: dropped.names.keys() >= set(names))
        await until(lambda: venue.feed.stats()["silences"]["resubscribe"] == 1)
        before = [line["first"] + line["copies"] for line in venue.feed.stats()["lines"]]
        await asyncio.sleep(1.5)                            # longer than a line may be behind
        await venue.settle()
        venue.assert_nothing_was_lost()
        stats = venue.feed.stats()
        assert stats["silences"]["resubscribe"] == 1
        assert all(line["first"] + line["copies"] > was for line, was in zip(stats["lines"], before, strict=True))
        assert [line["opens"] for line in stats["lines"]] == [1, 1]


@looped
async def test_a_stream_that_both_lines_have_lost_is_asked_for_anew_on_both():
    async with Venue("okx", "BTC-USDT", lines=2, **QUICK_PATIENCE) as venue:
        await asyncio.sleep(2.0)
        clients = list(venue.exchange.clients)
        names = [name for name in clients[0].names if name.startswith("books")]
        for client in clients:
            for name in names:
                del client.names[name]
        before = len(venue.books)
        await until(lambda: all(client.names.keys() >= set(names) for client in clients))
        await until(lambda: venue.feed.book("BTC-USDT").status is LIVE and len(venue.books) > before + 20)
        stats = venue.feed.stats()
        assert stats["silences"]["resubscribe"] >= 2
        assert stats["silences"]["give_up"] == 0
        assert [line["opens"] for line in stats["lines"]] == [1, 1]
        await venue.settle()
