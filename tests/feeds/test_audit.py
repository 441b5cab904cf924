"""Live books against snapshots by REST: what is equal is called so, what has drifted is found, named and made good."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import feeds
from feeds.audit import Audit, Drift, History, Moment, compare, read_moment, why_not
from feeds.simulator.faults import Fault, Faults, Script
from feeds.simulator.live import LiveSource
from feeds.simulator.proxy import Proxy
from feeds.simulator.server import Server
from feeds.venues import VENUES, load
from feeds.venues.dialects import speech
from orderbook import Book, BookState
from tests import _probe
from tests.feeds.test_exchange import MARKETS, Serving, looped
from tests.loopback import until

VERIFIABLE = [venue for venue in VENUES if not why_not(load(venue))]
VENUE, SYMBOL = "kucoin", "BTC-USDT"            # the snapshots of its simulated market fall between two messages


class Quick(Audit):
    """An audit in a hurry."""

    pause_s = 0.1
    patience_s = 0.5


@asynccontextmanager
async def feeding(url, venue=VENUE, symbols=(SYMBOL,), **options):
    async with feeds.connect(venue, list(symbols), ("book",), url=url, **options) as feed:
        feed.timing = replace(feed.timing, renew=0.2)
        await feed.wait_live(20)
        yield feed


def spoil(book, price=None, qty="777"):
    """Put a wrong quantity on a bid that is not the best, and changes rarely; gives the price."""
    price = book.price_text(book.raw.bids_int()[60, 0]) if price is None else price
    book.apply_delta([(price, qty)], [], book.sequence, book.exchange_ns, book.receive_ns)
    return price


def tampered(exchange, side, at, qty):
    """Let every REST answer have a level more with this quantity, between two ticks, where nothing rests that could
    change meanwhile; the worst level of its side goes for it."""
    hall = exchange.hall
    plain = type(hall).book
    price = ""

    def book(symbol, count=0, market=""):
        nonlocal price
        event = plain(hall, symbol, count, market)
        levels = event.side(side)
        price = price or levels[at].price + ("5" if "." in levels[at].price else ".5")
        event.levels[event.levels.index(levels[-1])] = levels[-1]._replace(price=price, qty=qty)
        event.levels.sort(key=lambda level: (-level.side, -level.side * Decimal(level.price)))
        return event

    hall.book = book


# ---- the real client with simulated venues

@pytest.mark.parametrize("venue, market", [pair for pair in MARKETS if pair[0] in VERIFIABLE])
@looped
async def test_a_right_book_is_equal_and_a_wrong_one_is_found_and_made_good(venue, market):
    symbol = next(listed.instrument.symbol for listed in speech(venue).listed if listed.market == market)
    async with Serving(venue, [symbol]) as exchange, feeding(exchange.url, venue, [symbol],
                                                             market=market or None) as feed:
        audit = Quick(feed)
        verdict = await audit.check(symbol)
        assert verdict.result == "equal", verdict
        assert min(verdict.levels) >= 50
        book = feed.book(symbol)
        assert book.status is BookState.LIVE
        for _ in range(8):                          # the stream may mend a level before it has been seen twice
            price = spoil(book)
            verdict = await audit.check(symbol)
            if verdict.result == "drift":
                break
        assert verdict.result == "drift", verdict
        assert {(one.side, one.book) for one in verdict.drift} == {("bid", 777)}
        assert Decimal(price) in {one.price for one in verdict.drift}
        assert 777 not in {one.snapshot for one in verdict.drift}
        await until(lambda: book.status is BookState.LIVE and book.bid_qty(price) != 777)
        assert (await audit.check(symbol)).result == "equal"
        assert audit.results["drift"] == 1
        assert feed.pipeline.on_applied is None


@looped
async def test_a_wrong_book_is_stale_with_the_difference_as_its_reason_and_fetched_anew():
    async with Serving(VENUE, [SYMBOL]) as exchange, feeding(exchange.url) as feed:
        book, audit = feed.book(SYMBOL), Quick(feed)
        for resyncs in (1, 2, 3):
            spoil(book)
            while (await audit.check(SYMBOL)).result != "drift":
                spoil(book)
            assert book.status is not BookState.LIVE
            assert "the book is not the venue's: bid" in book.reason
            assert book.reason.endswith("in the snapshot")
            await until(lambda: book.status is BookState.LIVE)
            assert feed.symbol_stats(SYMBOL)["resyncs"] == resyncs


@looped
async def test_a_stream_that_has_fallen_silent_is_told_from_a_wrong_book():
    async with Serving(VENUE, [SYMBOL]) as exchange, feeding(exchange.url) as feed:
        exchange._tell = lambda feed, events: None          # the market goes on, the client is not told
        await asyncio.sleep(0.3)
        verdict = await Quick(feed).check(SYMBOL)
        assert verdict.result == "unknown"
        assert verdict.reason.startswith("the stream stands at ")
        assert ", 0.5 s after a snapshot at " in verdict.reason
        assert feed.book(SYMBOL).status is BookState.LIVE


@looped
async def test_several_may_ask_at_the_same_time():
    async with Serving(VENUE, [SYMBOL]) as exchange, feeding(exchange.url) as feed:
        audit = Quick(feed)
        verdicts = await asyncio.gather(*(audit.check(SYMBOL) for _ in range(3)))
        assert [verdict.result for verdict in verdicts] == ["equal"] * 3


@looped
async def test_without_resync_a_wrong_book_is_only_told():
    async with Serving(VENUE, [SYMBOL]) as exchange, feeding(exchange.url) as feed:
        spoil(feed.book(SYMBOL))
        while (await Quick(feed, resync=False).check(SYMBOL)).result != "drift":
            spoil(feed.book(SYMBOL))
        assert feed.book(SYMBOL).status is BookState.LIVE


@looped
async def test_a_tampered_answer_is_a_difference_with_side_price_and_quantities():
    async with Serving(VENUE, [SYMBOL]) as exchange, feeding(exchange.url) as feed:
        tampered(exchange, -1, 40, "123.456")
        verdict = await Quick(feed, resync=False).check(SYMBOL)
        assert verdict.result == "drift", verdict
        assert {(one.side, one.snapshot) for one in verdict.drift} == {("ask", Decimal("123.456"))}
        held = feed.book(SYMBOL).ask_qty(verdict.drift[0].price)
        assert held != 123.456
        text = str(verdict.drift[0])
        assert text.startswith("ask ")
        assert text.endswith(" 123.456 in the snapshot")


@looped
async def test_a_stale_answer_is_not_taken_for_a_wrong_book():
    async with Serving(VENUE, [SYMBOL]) as exchange:
        proxy = Proxy(exchange.url, Faults(Script((Fault("rest_stale", rate=1.0),))))
        await proxy.start()
        try:
            async with feeding(proxy.url) as feed:
                await asyncio.sleep(0.3)
                first = await Quick(feed).check(SYMBOL)         # the first answer is fresh, the others are it again
                await asyncio.sleep(0.3)
                spoil(feed.book(SYMBOL))
                verdict = await Quick(feed).check(SYMBOL)
                assert first.result in ("equal", "unknown")
                assert verdict.result == "unknown"
                assert "the snapshot is old: it stands at" in verdict.reason
                assert feed.book(SYMBOL).status is BookState.LIVE
        finally:
            await proxy.stop()


@pytest.mark.parametrize("kind, words", [("rest_status", "no snapshot: kucoin: http"), ("rest_garbage", "no snapshot")])
@looped
async def test_an_answer_that_is_none_leaves_the_book_alone(kind, words):
    async with Serving(VENUE, [SYMBOL]) as exchange:
        proxy = Proxy(exchange.url, Faults(Script((Fault(kind, rate=1.0, code=404 if kind == "rest_status" else 0),))))
        await proxy.start()
        try:
            async with feeding(proxy.url) as feed:
                verdict = await Quick(feed).check(SYMBOL)
                assert verdict.result == "unknown"
                assert words in verdict.reason
                assert feed.book(SYMBOL).status is BookState.LIVE
        finally:
            await proxy.stop()


@looped
async def test_a_book_that_is_not_live_is_not_compared():
    async with Serving(VENUE, [SYMBOL]) as exchange, feeding(exchange.url) as feed:
        feed.timing = replace(feed.timing, backoff=60.0)
        await exchange.stop()
        await until(lambda: feed.book(SYMBOL).status is BookState.STALE)
        verdict = await Quick(feed).check(SYMBOL)
        assert (verdict.result, verdict.reason) == ("unknown", "the book is STALE: connection closed")


@looped
async def test_books_joined_to_a_snapshot_by_rest_are_audited_too():
    server = Server(LiveSource("binance_spot", ["BTCUSDT"], seed=3, rate=300.0))
    await server.start()
    task = asyncio.create_task(server.run())
    try:
        async with feeding(server.url, "binance_spot", ["BTCUSDT"]) as feed:
            audit = Quick(feed)
            assert (await audit.check("btcusdt")).result == "equal"
            price = spoil(feed.book("BTCUSDT"))
            verdict = await audit.check("BTCUSDT")
            assert verdict.result == "drift", verdict
            assert {one.price for one in verdict.drift} == {Decimal(price)}
            await until(lambda: feed.book("BTCUSDT").status is BookState.LIVE)
            assert (await audit.check("BTCUSDT")).result == "equal"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@looped
async def test_in_the_background_every_book_has_its_turn():
    symbols = [SYMBOL, "ETH-USDT"]
    async with Serving(VENUE, symbols) as exchange, feeding(exchange.url, symbols=symbols) as feed:
        audit = Quick(feed)
        audit.interval_s = 0.1
        calls = []
        feed.pipeline.on_applied = calls.append         # whoever listened before goes on listening
        price = spoil(feed.book("ETH-USDT"))
        audit.start()
        audit.start()
        await until(lambda: audit.results["drift"] and len(audit.last) == 2)
        await until(lambda: feed.book("ETH-USDT").status is BookState.LIVE)
        assert feed.book("ETH-USDT").bid_qty(price) != 777
        await audit.stop()
        await audit.stop()
        assert calls
        assert feed.pipeline.on_applied == calls.append
        assert audit.stats()["results"]["drift"] == 1
        assert feed.book(SYMBOL).status is BookState.LIVE


@looped
async def test_a_feed_that_verifies_tells_each_wrong_level_and_makes_the_book_good():
    class Told:
        def on_status(self, book, old, new, reason):
            if new is BookState.STALE:
                reasons.append((book.symbol, reason))

    symbols, reasons = [SYMBOL, "ETH-USDT"], []
    async with Serving(VENUE, symbols) as exchange:
        async with feeds.connect(VENUE, symbols, ("book",), Told(), url=exchange.url, verify=True) as feed:
            feed.timing = replace(feed.timing, renew=0.2)
            feed.audit.pause_s, feed.audit.interval_s = 0.1, 0.1
            await feed.wait_live(20)
            await until(lambda: len(feed.stats()["audit"]["last"]) == 2)
            book = feed.book("ETH-USDT")
            price = spoil(book)
            await until(lambda: feed.stats()["audit"]["results"].get("drift"))
            ((symbol, told),) = reasons
            assert symbol == "ETH-USDT"
            assert told.startswith(f"the book is not the venue's: bid {price} is 777 in the book, ")
            assert told.endswith(" in the snapshot")
            await until(lambda: book.status is BookState.LIVE)
            assert book.bid_qty(price) != 777
            assert feed.symbol_stats(SYMBOL)["resyncs"] == 0
        assert feed.audit._task is None             # closed with the feed


def test_only_what_can_be_verified_is():
    assert feeds.connect(VENUE, SYMBOL).audit is None
    with pytest.raises(ValueError, match="kraken: cannot be verified"):
        feeds.connect("kraken", "BTC/USD", verify=True)
    with pytest.raises(ValueError, match="kucoin: verify is about books, and the channels are trades"):
        feeds.connect(VENUE, SYMBOL, "trades", verify=True)


def test_the_document_names_the_venues_that_can_be_verified_and_those_that_cannot():
    document = Path(__file__).resolve().parents[2] / "docs" / "verify.md"
    if not document.is_file():
        pytest.skip("a copy of the sources without docs/")
    row = next(line for line in document.read_text().splitlines() if line.startswith("| binance_spot, "))
    named = [cell.strip().split(", ") for cell in row.strip("|").split("|")]
    assert named == [VERIFIABLE, [venue for venue in VENUES if venue not in VERIFIABLE]]


def test_what_cannot_be_verified_says_why():
    assert set(VERIFIABLE) == {"binance_spot", "binance_usdm", "binance_coinm", "okx", "kucoin", "gateio", "bitstamp",
                               "mexc"}
    for venue in VENUES:
        assert venue in VERIFIABLE or "in the stream" in why_not(load(venue))
    feed = feeds.connect("kraken", "BTC/USD")
    with pytest.raises(ValueError, match="kraken: cannot be verified: no book of kraken is read by REST"):
        Audit(feed)
    with pytest.raises(ValueError, match="it cannot drift"):
        Audit(feed, 20)


# ---- comparing

def book_of(bids, asks, sequence=0, **options):
    book = Book(**options)
    book.apply_snapshot(bids, asks, sequence)
    return book


def test_numbers_of_different_scales_are_compared_exactly():
    one = read_moment(book_of([("100.5", "0.1"), ("99", "2")], [("101", "7")]))
    other = read_moment(book_of([("100.5000", "0.10000000"), ("99", "2")], [("101", "7")], price_scale=9, qty_scale=12))
    assert compare(one, other, other) == ([], (2, 1))
    wrong = read_moment(book_of([("100.5", "0.1000000000000001"), ("99", "2")], [("101", "7")]))
    (drift,), _ = compare(one, wrong, wrong)
    assert drift == Drift("bid", Decimal("100.5"), Decimal("0.1000000000000001"), Decimal("0.1"))
    huge = read_moment(book_of([("100.5", "9000000000000000000")], [("101", "7")], price_scale=1))
    fine = read_moment(book_of([("100.5", "0.000000000000000001")], [("101", "7")]))
    (drift,), _ = compare(huge, fine, fine)
    assert (drift.book, drift.snapshot) == (Decimal("1e-18"), Decimal("9e18"))


def test_quantities_with_decimals_of_their_own_are_compared_by_value():
    def moment(scale, *qtys):
        bids = np.array([(price, qty) for price, qty in zip((12, 11, 10), qtys, strict=True)], np.int64)
        return Moment(1, 0, scale, (bids, np.empty((0, 2), np.int64)), (None, None))

    own, count = _probe.make_own(33079982700421942, 13), _probe.make_own(15, 1)
    one, same = moment(4, own, 1_0000, count), moment(6, own, 1_000000, 1_500000)
    assert compare(one, same, same) == compare(same, one, one) == ([], (3, 0))
    other = moment(6, _probe.make_own(33079982700421943, 13), 1_000000, 1_500000)
    (drift,), _ = compare(one, other, other)
    assert drift == Drift("bid", Decimal(12), Decimal("3307.9982700421943"), Decimal("3307.9982700421942"))


def test_beyond_the_worst_level_told_nothing_is_compared():
    levels = [(100 - i, 1 + i) for i in range(30)]
    book = book_of(levels, [(200 + i, 1 + i) for i in range(30)])
    short = book_of(levels[:10], [(200 + i, 1 + i) for i in range(10)])
    whole = read_moment(book)
    assert compare(read_moment(short, 0, 10), whole, whole) == ([], (10, 10))
    missing, _ = compare(read_moment(short), whole, whole)          # a snapshot that tells all does not have them
    assert len(missing) == 40
    cut = read_moment(book, 5)
    assert [side.shape for side in cut.sides] == [(5, 2), (5, 2)]
    assert compare(read_moment(short, 0, 10), cut, cut) == ([], (5, 5))


def test_an_empty_side_is_compared_like_any_other():
    empty, full = read_moment(book_of([], [])), read_moment(book_of([(1, 2)], [(3, 4)]))
    assert compare(empty, empty, empty) == ([], (0, 0))
    assert [(one.side, one.book, one.snapshot) for one in compare(empty, full, full)[0]] == [
        ("bid", 2, 0), ("ask", 4, 0)]


@pytest.mark.parametrize("seed", range(20))
def test_a_snapshot_between_two_messages_shows_only_what_never_changed(seed):
    """A market of single changes, told in messages of several; a snapshot of any moment; now and then a lost change."""
    dice = random.Random(seed)
    truth = {price: dice.randint(1, 9) for price in range(50, 100)}
    book = book_of(list(truth.items()), [(200, 1)], 1000)
    history = History(book, 0, lambda: 1)
    asked_at = dice.randint(1001, 1400)
    lost = dice.randrange(50, 100) if seed % 2 else None
    pending, asked = {}, None
    for number in range(1001, 1500):
        price = dice.choice([price for price in range(50, 100) if price != lost])
        truth[price] = pending[price] = dice.choice([0, *range(1, 9)])
        if number == 1001 and lost:
            truth[lost] += 5                        # nobody is told
        if number == asked_at:
            asked = dict(truth)
        if dice.random() < 0.2 or number == 1499:
            book.apply_delta(list(pending.items()), [], number)
            pending = {}
            history.note()
    snapshot = read_moment(book_of([pair for pair in asked.items() if pair[1]], [(200, 1)], asked_at))
    before, after = history.around(asked_at)
    assert before.sequence <= asked_at <= after.sequence
    drift, _ = compare(snapshot, before, after)
    found = {int(one.price) for one in drift}
    assert (lost in found) == (lost is not None)
    changed = {price for price in range(50, 100) if dict(before.sides[0].tolist()).get(price, 0)
               != dict(after.sides[0].tolist()).get(price, 0)}
    assert not found & changed


def test_states_are_kept_in_a_row_and_begin_anew_with_a_snapshot():
    book = book_of([(1, 1)], [(2, 2)], 10)
    snapshots = [1]
    history = History(book, 0, lambda: snapshots[0])
    for number in (12, 15):
        book.apply_delta([(1, number)], [], number)
        history.note()
    history.note()                                  # the same state again
    assert [moment.sequence for moment in history.moments] == [10, 12, 15]
    assert history.around(9) is None
    assert history.around(16) is None
    assert [moment.sequence for moment in history.around(13)] == [12, 15]
    assert [moment.sequence for moment in history.around(12)] == [12, 12]
    assert [moment.sequence for moment in history.around(15)] == [15, 15]
    snapshots[0] = 2
    book.apply_delta([(1, 3)], [], 20)
    history.note()
    assert [moment.sequence for moment in history.moments] == [20]
    book.apply_delta([(1, 3)], [], 4)               # the venue numbers anew
    history.note()
    assert [moment.sequence for moment in history.moments] == [4]


def test_old_states_go_when_there_are_too_many(monkeypatch):
    book = book_of([(price, 1) for price in range(1, 101)], [], 1)
    monkeypatch.setattr("feeds.audit.KEPT_BYTES", 10 * 1600)
    history = History(book, 0, lambda: 1)
    for number in range(2, 50):
        book.apply_delta([(1, number)], [], number)
        history.note()
    assert [moment.sequence for moment in history.moments] == list(range(40, 50))


# ---- the command

def run_verify(*arguments):
    from typer.testing import CliRunner

    from feeds.cli import app

    return CliRunner().invoke(app, ["verify", *arguments])


@asynccontextmanager
async def answers(exchange, *arguments):
    """The command against an exchange; it runs an event loop of its own, so in a thread."""
    yield await asyncio.to_thread(run_verify, *arguments, "--url", exchange.url)


@looped
async def test_the_command_prints_a_line_a_book_and_ends_well():
    async with Serving(VENUE, [SYMBOL, "ETH-USDT"]) as exchange:
        async with answers(exchange, VENUE, SYMBOL, "ETH-USDT") as result:
            assert result.exit_code == 0, result.output
            lines = result.stdout.splitlines()
            assert [line.split()[:2] for line in lines] == [[f"{SYMBOL}:", "equal"], ["ETH-USDT:", "equal"]]
            assert lines[0].endswith("100 bids and 100 asks compared")
        tampered(exchange, 1, 50, "4242")
        async with answers(exchange, VENUE, SYMBOL, "--json") as result:
            assert result.exit_code == 1, result.output
            told = json.loads(result.stdout)
            assert (told["venue"], told["market"], told["results"]) == (VENUE, "spot", {"drift": 1})
            (verdict,) = told["verdicts"]
            assert {(one["side"], one["snapshot"]) for one in verdict["drift"]} == {("bid", "4242")}
            assert verdict["sequence"] > 0


@looped
async def test_the_command_goes_on_for_a_while_and_counts():
    async with Serving(VENUE, [SYMBOL]) as exchange, answers(exchange, VENUE, SYMBOL, "--seconds", "4") as result:
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        assert len(lines) >= 3
        assert lines[-1] == f"{len(lines) - 1} equal"


def test_the_command_says_why_a_venue_cannot_be_verified():
    result = run_verify("kraken", "BTC/USD")
    assert result.exit_code == 3
    assert "kraken: cannot be verified" in result.stderr
    assert "What its stream shows by itself: book: " in result.stderr
    assert len(result.stderr.splitlines()) == 1
