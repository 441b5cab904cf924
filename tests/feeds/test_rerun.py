"""Replay to a handler or by iteration: every event, at its pace, of the time and symbols asked for; clear errors."""

from __future__ import annotations

import asyncio
import gzip
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

import feeds
from feeds.capture import CaptureError
from feeds.figures import Replay, VenueUnclear, book_sha256
from feeds.readers import StatusChange
from feeds.rerun import RangeError, Rerun, SymbolError, moment_text, read_moment
from orderbook import Book

T0 = 1_700_000_000_000_000_000
REST = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000 "
SNAPSHOT = REST + '{"lastUpdateId":10,"E":1,"T":1,"bids":[["99.00","1.000"]],"asks":[["101.00","2.000"]]}'


def delta(number, symbol="BTCUSDT"):
    last = 10 + number
    return (f'{{"stream":"{symbol.lower()}@depth@0ms","data":{{"e":"depthUpdate","E":{number},"T":{number},"s":'
            f'"{symbol}","U":{last - 1},"u":{last},"pu":{last - 1},"b":[["98.00","{number}.000"]],"a":[]}}}}')


def trade(number, symbol="BTCUSDT"):
    return (f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":1,"T":1,"s":"{symbol}","t":{number},'
            f'"p":"100.50","q":"0.250","X":"MARKET","m":true}}}}')


@pytest.fixture
def capture(tmp_path):
    """A snapshot, then a delta and a trade of it every 10 ms, and a trade of another symbol every 100 ms."""
    lines = [(0, "h", SNAPSHOT)]
    for number in range(1, 101):
        lines += [(number * 10, "<", delta(number)), (number * 10, "<", trade(number))]
        if number % 10 == 0:
            lines.append((number * 10, "<", trade(number, "ETHUSDT")))
    path = tmp_path / "binance_usdm" / "small.ws"
    path.parent.mkdir()
    path.write_text("".join(f"{T0 + ms * 10 ** 6}\t{kind}\t{payload}\n" for ms, kind, payload in lines))
    return path


class Told:
    """A handler that writes down what it was told."""

    def __init__(self):
        self.events = []

    def on_book(self, book):
        self.events.append(("book", book.symbol, book.sequence, book.receive_ns, book_sha256(book)))

    def on_trade(self, trade):
        self.events.append(("trade", trade.symbol, trade.trade_id, trade.receive_ns))

    def on_quote(self, quote):
        self.events.append(("quote", quote.symbol, quote.sequence, quote.receive_ns))

    def on_status(self, book, old, new, reason):
        if book is not None:
            self.events.append(("status", book.symbol, old, new, reason, book.since_ns))


def told(event):
    """An event of an iteration, as `Told` has it."""
    told = Told()
    if isinstance(event, StatusChange):
        told.on_status(event.book, event.old, event.new, event.reason)
    elif isinstance(event, Book):
        told.on_book(event)
    else:
        getattr(told, f"on_{type(event).__name__.lower()}")(event)
    return told.events[0]


async def iterated(rerun):
    return [told(event) async for event in rerun]


def test_a_handler_and_both_iterations_are_told_the_same(capture):
    handler = Told()
    result = feeds.replay(capture, handler)
    assert result.messages == 210
    assert handler.events[0] == ("status", "BTCUSDT", 0, 2, "snapshot applied", T0)
    assert len(handler.events) == 1 + 1 + 100 + 110         # LIVE, the snapshot, deltas, trades
    assert [told(event) for event in feeds.replay(capture)] == handler.events
    assert asyncio.run(iterated(feeds.replay(capture))) == handler.events
    assert result.first_ns == T0
    assert result.last_ns == T0 + 10 ** 9


def test_events_are_copies_and_books_the_live_ones(capture):
    rerun = feeds.replay(capture)
    events = list(rerun)
    trades = [event for event in events if isinstance(event, feeds.Trade) and event.symbol == "BTCUSDT"]
    assert [trade.trade_id for trade in trades] == list(range(1, 101))
    assert {id(event) for event in events if isinstance(event, Book)} == {id(rerun.pipeline.book("BTCUSDT"))}


@pytest.mark.parametrize("name", ["binance_usdm/multi_20210722", "okx/books_20220513", "deribit/book_20210723"])
def test_figures_are_those_of_the_capture(data_dir, name):
    files = sorted(data_dir.glob(f"{name}*.ws.gz"))[:1] or sorted((data_dir / name.split("/")[0]).glob("*.ws.gz"))[:1]
    rerun = Rerun(files, digests=True).run()
    figures = Replay(rerun.pipeline.venue, digests=True)
    figures.run(files)
    document = rerun.document()
    assert document["symbols"] == figures.document()["symbols"]
    assert (document["messages"], document["bytes"]) == (figures.messages, figures.bytes)


def test_several_captures_are_one_stream(capture):
    more = capture.with_name("more.ws.gz")
    more.write_bytes(gzip.compress(f"{T0 + 2 * 10 ** 9}\t<\t{delta(101)}\n".encode()))
    handler = Told()
    feeds.replay([capture, more], handler)
    assert handler.events[-1][:3] == ("book", "BTCUSDT", 111)
    other = capture.parents[1] / "okx" / "small.ws"
    other.parent.mkdir()
    other.write_text(capture.read_text())
    with pytest.raises(VenueUnclear, match="captures of one venue, found binance_usdm, okx"):
        feeds.replay([capture, other], handler)


# ---- a part of it

def test_a_range_has_the_books_of_then_and_tells_nothing_before(capture):
    whole, part = Told(), Told()
    feeds.replay(capture, whole)
    start, end = T0 + 500 * 10 ** 6, T0 + 700 * 10 ** 6
    result = feeds.replay(capture, part, start=start, end=moment_text(end))
    assert part.events == [event for event in whole.events if start <= event[3] < end and event[0] != "status"]
    figures = result.document()
    assert figures["messages"] == 42
    assert figures["symbols"]["BTCUSDT"]["updates"] == 20
    assert figures["symbols"]["BTCUSDT"]["trades"] == {"count": 20, "qty": "5", "last_price": "100.5"}
    assert figures["symbols"]["BTCUSDT"]["sequence"] == 10 + 69


def test_adjacent_ranges_are_the_whole(capture):
    whole, parts = Told(), Told()
    feeds.replay(capture, whole)
    middle = T0 + 330 * 10 ** 6
    feeds.replay(capture, parts, end=middle)
    feeds.replay(capture, parts, start=middle)
    assert parts.events == whole.events


def test_nothing_but_the_symbols(capture):
    handler = Told()
    result = feeds.replay(capture, handler, symbols="ethusdt")
    assert {event[1] for event in handler.events} == {"ETHUSDT"}
    assert list(result.pipeline.books) == ["ETHUSDT"]
    with pytest.raises(SymbolError, match=r"small\.ws: no ETHUSD; near: ETHUSDT"):
        feeds.replay(capture, handler, symbols=["ETHUSD"])


def test_a_range_without_anything_says_what_there_is(capture):
    there = r"there are records from 2023-11-14T22:13:20\.000000000Z to 2023-11-14T22:13:21\.000000000Z"
    with pytest.raises(RangeError, match=r"small\.ws: nothing from 2024-01-01T00:00:00\.000000000Z; " + there):
        list(feeds.replay(capture, start="2024-01-01"))
    with pytest.raises(RangeError, match="nothing before 2020-01-01.*" + there):
        feeds.replay(capture, Told(), end="2020-01-01T00:00:00Z")
    with pytest.raises(RangeError, match="an end after the start"):
        feeds.replay(capture, start=T0, end=T0)


def test_moments():
    here = datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=2)))
    assert read_moment(here) == read_moment("2026-11-22T08:00:00Z") == read_moment("2026-11-22 08:00") == \
        read_moment(str(read_moment(here))) == read_moment(datetime(2026, 11, 22, 8, tzinfo=UTC))
    assert moment_text(read_moment(here) + 7) == "2026-11-22T08:00:00.000000007Z"
    with pytest.raises(ValueError, match="with its zone"):
        read_moment(datetime(2026, 11, 22))     # noqa: DTZ001
    with pytest.raises(ValueError, match="a time like"):
        read_moment("yesterday")


# ---- its pace

def test_a_pace_is_that_of_the_recording(capture, monkeypatch):
    """By a clock that only passes while somebody waits."""
    now, waits = [0], []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += int(seconds * 1e9) + 1

    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    handler = Told()
    feeds.replay(capture, handler, speed=2)
    assert len(handler.events) == 212
    assert sum(waits) == pytest.approx(0.5, rel=1e-3)
    assert len(waits) == 100
    assert [event.trade_id for event in feeds.replay(capture, symbols="ETHUSDT", speed=2)
            if isinstance(event, feeds.Trade)] == list(range(10, 101, 10))
    assert sum(waits) == pytest.approx(1.0, rel=1e-3)


def test_an_iteration_lets_the_loop_go_on(capture):
    async def both():
        others, done = 0, asyncio.Event()

        async def other():
            nonlocal others
            while not done.is_set():
                await asyncio.sleep(0)
                others += 1

        task = asyncio.create_task(other())
        events = [event async for event in feeds.replay(capture, speed=20)]
        done.set()
        await task
        return len(events), others

    events, others = asyncio.run(both())
    assert events == 212
    assert others > 10


# ---- what is wrong

def test_a_capture_that_is_cut_off_is_told_to_its_end_first(capture):
    cut = capture.with_name("cut.ws.gz")
    packed = gzip.compress(capture.read_bytes())
    cut.write_bytes(packed[:len(packed) // 2])
    after = capture.with_name("after.ws")
    after.write_text(f"{T0 + 2 * 10 ** 9}\t<\t{trade(1000)}\n")
    handler = Told()
    with pytest.raises(CaptureError, match=r"cut\.ws\.gz: line \d+, byte \d+: expected gzip data, found a file that"):
        feeds.replay([cut, after], handler)
    assert len(handler.events) > 20
    assert handler.events[-1][:3] == ("trade", "BTCUSDT", 1000)
    rest = []
    with pytest.raises(CaptureError):
        rest.extend(told(event) for event in feeds.replay([cut, after]))


@pytest.mark.parametrize("content, found", [(b"", "an empty file"), (b"PK\3\4 foreign", "this is not a capture"),
                                            (None, "no such file")])
def test_files_that_are_none(tmp_path, content, found):
    path = tmp_path / "okx" / "x.ws"
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CaptureError, match=found):
        feeds.replay(path, Told())


def test_an_exception_of_a_handler_comes_out_and_the_replay_is_over(capture):
    class Bad:
        def on_trade(self, trade):
            raise ArithmeticError("mine")

    rerun = Rerun(capture, Bad())
    with pytest.raises(ArithmeticError):
        rerun.run()
    with pytest.raises(RuntimeError, match="has run"):
        rerun.run()


def test_wrong_arguments(capture):
    for speed in (0, -1, "fast", float("nan")):
        with pytest.raises(ValueError, match="a speed above 0"):
            feeds.replay(capture, speed=speed)
    with pytest.raises(ValueError, match="not none at all"):
        feeds.replay([])
    with pytest.raises(feeds.UnknownVenue):
        feeds.replay(capture, venue="nowhere")
    with pytest.raises(RuntimeError, match="hands its events to that handler"):
        list(feeds.replay(capture, Told()))
