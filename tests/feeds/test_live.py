"""The live client against the simulated venue over a real socket: the right book, and again after every trouble."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import feeds
from feeds.capture import CaptureWriter
from feeds.simulator.live import LiveSource
from feeds.simulator.market import ASK, BID
from feeds.simulator.playback import Playback
from feeds.simulator.server import Server
from feeds.venues.dialects import DIALECTS
from orderbook import BookState
from tests.model import ModelBook

ROOT = Path(__file__).resolve().parents[2]
MS = 1_000_000
REST = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000 "
SNAPSHOT = '{"lastUpdateId":1022,"E":1,"T":1,"bids":[["99.00","1.000"],["98.00","2.000"]],"asks":[["120.00","3.000"]]}'
VENUES = sorted(DIALECTS)


def delta(number):
    last = 1000 + 10 * number
    return {"e": "depthUpdate", "E": number, "T": number, "s": "BTCUSDT", "U": last - 9, "u": last, "pu": last - 10,
            "b": [[f"{100 + number % 7}.00", f"{number % 5}.000"]],
            "a": [[f"{110 + number % 9}.00", f"{number % 4}.000"]]}


COUNT = 3000


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """A capture of 30 seconds, a delta every 10 ms."""
    path = tmp_path_factory.mktemp("captures") / "binance_usdm" / "steady.ws"
    path.parent.mkdir()
    with CaptureWriter(path) as writer:
        for number in range(1, COUNT + 1):
            data = json.dumps(delta(number), separators=(",", ":"))
            writer.write(number * 10 * MS, "<", b'{"stream":"btcusdt@depth@0ms","data":%s}' % data.encode())
            if number == 3:
                writer.write(number * 10 * MS, "h", (REST + SNAPSHOT).encode())
    return path


@pytest.fixture(scope="module")
def states():
    """Sequence -> both sides of the book after that delta."""
    answer = json.loads(SNAPSHOT)
    book = ModelBook()
    book.apply_snapshot(answer["bids"], answer["asks"])
    states = {1022: book.top()}
    for number in range(1, COUNT + 1):
        message = delta(number)
        if message["u"] >= 1022:
            book.apply_delta(message["b"], message["a"])
            states[message["u"]] = book.top()
    return states


class Checker:
    """A handler that compares the whole book with what it must be, after every message."""

    def __init__(self, states):
        self.states = states
        self.checked = 0
        self.wrong = []
        self.changes = []

    def on_book(self, book):
        want = self.states[book.sequence]
        have = tuple([(book.price_decimal(price), book.qty_decimal(qty)) for price, qty in levels.tolist()]
                     for levels in (book.bids_int(), book.asks_int()))
        if have != want:
            self.wrong.append(book.sequence)
        self.checked += 1

    def on_status(self, book, old, new, reason):
        self.changes.append(BookState(new))


@asynccontextmanager
async def serving(source, **options):
    server = Server(source, **options)
    await server.start()
    task = asyncio.create_task(server.run())
    try:
        yield server, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


def run(coroutine):
    """Run a test's coroutine, for 30 s at most."""
    async def limited():
        async with asyncio.timeout(30):
            return await coroutine
    return asyncio.run(limited())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def process(capture, port, speed):
    """`wirebook serve` as a process; gives it once it listens."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "feeds.cli", "serve", str(capture), "--port", str(port), "--speed", str(speed),
        "--until-eof", cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert (await child.stdout.readline()).startswith(b"ws://")
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


def test_every_state_of_the_book_is_right(capture, states):
    async def go():
        checker = Checker(states)
        async with (serving(Playback("binance_usdm", [capture]), speed=20.0) as (server, task),
                    feeds.connect("binance_usdm", ["BTCUSDT"], handler=checker, url=server.url) as feed):
            await feed.wait_live(10)
            await until(lambda: feed.book("BTCUSDT").sequence == 1000 + 10 * COUNT)
            assert feed.pipeline.counters["gaps"] == 0
            assert feed.pipeline.counters["errors"] == 0
        return checker
    checker = run(go())
    assert checker.checked > COUNT // 2
    assert checker.wrong == []


def test_a_killed_and_restarted_server_is_joined_again(capture, states):
    async def go():
        checker = Checker(states)
        port = free_port()
        async with process(capture, port, 1) as child:
            feed = await feeds.connect("binance_usdm", ["BTCUSDT"], handler=checker,
                                       url=f"ws://127.0.0.1:{port}").__aenter__()
            await live_then_killed(feed, checker, child)
        for _ in range(2):
            async with process(capture, port, 1) as child:
                await live_then_killed(feed, checker, child)
        await feed.close()
        return checker, feed.pipeline.counters["errors"]

    async def live_then_killed(feed, checker, child):
        await feed.wait_live(15)
        before = checker.checked
        await until(lambda: checker.checked > before + 20)
        child.send_signal(signal.SIGKILL)
        await until(lambda: feed.book("BTCUSDT").status != BookState.LIVE)

    checker, errors = run(go())
    assert checker.wrong == []
    assert checker.changes.count(BookState.LIVE) == 3
    assert errors == 0


def test_a_capture_that_starts_over_is_joined_again(capture, states, tmp_path):
    short = tmp_path / "short.ws"
    short.write_bytes(b"".join(capture.read_bytes().splitlines(keepends=True)[:100]))

    async def go():
        checker = Checker(states)
        async with (serving(Playback("binance_usdm", [short]), speed=2.0, loop=True) as (server, task),
                    feeds.connect("binance_usdm", ["BTCUSDT"], handler=checker, url=server.url)):
            await until(lambda: checker.changes.count(BookState.LIVE) >= 3)
        return checker
    assert run(go()).wrong == []


class Limited(LiveSource):
    """A simulated market that ends, on a whole second, when every timed stream has just been written."""

    endless = False
    seconds = 1

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.end_ns = (super().next_ns // 1_000_000_000 + 1 + self.seconds) * 1_000_000_000

    @property
    def next_ns(self):
        next_ns = super().next_ns
        return next_ns if next_ns <= self.end_ns else None

    def take(self, until_ns, limit):
        return super().take(min(until_ns, self.end_ns), limit)


def whole_units(book, levels, instrument):
    """Levels of a client's book in units of the last decimals that the venue writes."""
    return [(book.price_decimal(price).scaleb(instrument.price_decimals),
             book.qty_decimal(qty).scaleb(instrument.qty_decimals)) for price, qty in levels.tolist()]


@pytest.mark.parametrize("venue", VENUES)
def test_the_simulated_markets_books_arrive_whole(venue, seed):
    async def go():
        source = Limited(venue, seed=seed, rate=300.0)
        symbols = [instrument.symbol for instrument in DIALECTS[venue].instruments]
        async with (serving(source) as (server, task),
                    feeds.connect(venue, symbols, ("book", "trades", "quotes"), url=server.url) as feed):
            await feed.wait_live(10)
            await task
            await until(lambda: all(feed.book(symbol).status != BookState.LIVE for symbol in symbols))
            return source, feed
    source, feed = run(go())
    assert feed.pipeline.counters["gaps"] == 0
    assert feed.pipeline.counters["errors"] == 0
    for floor in source._floors:
        market, book = floor.desk.market, feed.book(floor.desk.symbol)
        it = market.instrument
        for side, levels in ((BID, book.raw.bids_int(200)), (ASK, book.raw.asks_int(200))):
            assert whole_units(book, levels, it) == [(price * it.tick_units, qty * it.lot_units)
                                                     for price, qty in market.levels(side, 200)]
        assert feed.pipeline.symbol_stats(it.symbol)["trades"] > 0


def test_two_clients_see_the_same_clock(capture, states):
    async def go():
        first, second = Checker(states), Checker(states)
        async with (serving(Playback("binance_usdm", [capture]), speed=5.0) as (server, task),
                    feeds.connect("binance_usdm", ["BTCUSDT"], handler=first, url=server.url) as early):
            await early.wait_live(10)
            await until(lambda: early.book("BTCUSDT").sequence > 5000)
            async with feeds.connect("binance_usdm", ["BTCUSDT"], handler=second, url=server.url) as late:
                await late.wait_live(10)
                assert late.book("BTCUSDT").sequence > 5000
                await until(lambda: second.checked > 100)
                distance = abs(late.book("BTCUSDT").sequence - early.book("BTCUSDT").sequence)
        return first.wrong + second.wrong, distance
    wrong, distance = run(go())
    assert wrong == []
    assert distance < 2000
