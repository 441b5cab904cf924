"""Wire forms end to end: a simulated venue that speaks the binary one, feeds that ask for it, and the way back."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import random
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import feeds
from feeds.figures import Replay
from feeds.pipeline import Pipeline
from feeds.simulator.live import LiveSource
from feeds.simulator.market import ASK, BID
from feeds.simulator.packed import MARK
from feeds.simulator.server import Server
from feeds.venues.dialects import binance_sbe
from orderbook import BookState
from tests.loopback import until

ROOT = Path(__file__).resolve().parents[2]
VENUE = "binance_spot"
START_NS = 1_790_000_000_000_000_000
CHANNELS = ("book", "trades", "quotes")


@asynccontextmanager
async def served(**options):
    """A simulated venue."""
    source = LiveSource(VENUE, ["BTCUSDT", "ETHUSDT"], seed=3, rate=400.0)
    server = Server(source, **options)
    await server.start()
    task = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(scenario):
    async def main():
        async with asyncio.timeout(30):
            await scenario()
    asyncio.run(main())


# ---- random market -> wire -> book

class Wire:
    """A simulated market of one symbol, and the pipeline that its frames go into."""

    def __init__(self, seed, names, rate=800.0):
        self.source = LiveSource(VENUE, ["BTCUSDT"], seed=seed, rate=rate, start_ns=START_NS)
        self.desk = self.source._floors[0].desk
        self.market = self.desk.market
        self.trades, self.quotes = [], []
        self.pipeline = Pipeline(VENUE, self, wire="sbe")
        for name in names:
            assert self.source.resolve(f"btcusdt@{name}{MARK}") is not None

    def on_trade(self, trade):
        self.trades.append((trade.trade_id, trade.price, trade.qty, trade.aggressor))

    def on_quote(self, quote):
        self.quotes.append((quote.sequence, quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty))

    def step(self):
        """The frames of the next action or timer."""
        return [data for _, data in self.source.take(self.source.next_ns, 1)]

    def sides(self, count=None):
        """Both sides of the market as (price, qty)."""
        return [[self.level(price, qty) for price, qty in self.market.levels(side, count)] for side in (BID, ASK)]

    def level(self, price, qty):
        it = self.market.instrument
        return (round(price * it.tick_units / 10**it.price_decimals, 9),
                round(qty * it.lot_units / 10**it.qty_decimals, 9))


def both(book):
    return [[tuple(level) for level in side.tolist()] for side in (book.raw.bids(), book.raw.asks())]


def test_the_book_is_the_same_after_every_message(seed):
    wire = Wire(seed, ["depth", "depth20"])
    join_after = random.Random(seed).randrange(1, 6)
    compared = sent = 0
    while compared < 60:
        for frame in wire.step():
            wire.pipeline.feed(frame)
            sent += 1
            if sent == join_after:
                spec = wire.pipeline.spec
                wire.pipeline.rest(spec.snapshot_url("BTCUSDT"), wire.source.snapshot("BTCUSDT", 5000))
            elif sent > join_after:
                if frame[2:4] == binance_sbe.DEPTH_DIFF.to_bytes(2, "little"):
                    assert both(wire.pipeline.book("BTCUSDT")) == wire.sides()
                else:
                    assert both(wire.pipeline.book("BTCUSDT", depth=20)) == wire.sides(20)
                compared += 1
    assert wire.pipeline.book("BTCUSDT").status is BookState.LIVE
    counters = wire.pipeline.counters
    assert (counters["errors"], counters["gaps"]) == (0, 0)


def test_trades_and_quotes_arrive_as_they_happened(seed):
    wire = Wire(seed, ["trade", "bestBidAsk"])
    floor = wire.source._floors[0]
    fills, quotes = [], []
    for _ in range(1500):
        action = wire.market.step()
        wire.desk.count(action)
        for _, stream in floor._real_time:
            for frame in stream.take(action):
                wire.pipeline.feed(frame)
        fills += [(fill.trade_id, *wire.level(fill.price, fill.qty), "sell" if fill.buyer_is_maker else "buy")
                  for fill in action.fills]
        best = [wire.level(wire.market.best[side], wire.market.sides[side][wire.market.best[side]])
                for side in (BID, ASK)]
        if not quotes or quotes[-1][1:] != (*best[0], *best[1]):
            quotes.append((action.last_id, *best[0], *best[1]))
    assert len(fills) > 100
    assert wire.trades == fills
    assert wire.quotes == quotes
    assert wire.pipeline.last_error is None


# ---- live

@pytest.mark.parametrize("compression", [False, True])
@pytest.mark.parametrize("wire", ["json", "sbe"])
def test_a_feed_in_every_form(wire, compression):
    async def scenario():
        async with (served(compression=True) as server,
                    feeds.connect(VENUE, ["BTCUSDT", "ETHUSDT"], CHANNELS, url=server.url, wire=wire,
                                  compression=compression) as feed):
            await feed.wait_live(10)
            counters = await until(lambda: (figures := feed.pipeline.counters)["trades"] > 20
                                   and figures["quotes"] > 20 and figures["depth"] > 4 and figures)
            stats = feed.stats()
            assert (stats["wire"], stats["refused"], counters["errors"], counters["gaps"]) == (wire, {}, 0, 0)
            line = stats["lines"][0]
            assert (line["wire_bytes"] < line["bytes"]) == compression
            for symbol in feed.symbols:
                book = feed.book(symbol)
                assert (book.status, book.best_bid[0] < book.best_ask[0]) == (BookState.LIVE, True)
    run(scenario)


def test_both_forms_of_one_market_give_one_book():
    async def scenario():
        async with (served() as server,
                    feeds.connect(VENUE, "BTCUSDT", url=server.url, wire="sbe") as packed,
                    feeds.connect(VENUE, "BTCUSDT", url=server.url, speed="100ms") as text):
            await packed.wait_live(10)
            await text.wait_live(10)
            first, second = packed.book("BTCUSDT"), text.book("BTCUSDT")
            for _ in range(5):
                await until(lambda: first.sequence == second.sequence)
                assert both(first) == both(second)
                await until(lambda stood=second.sequence: second.sequence != stood)
    run(scenario)


def test_a_partial_book():
    async def scenario():
        async with served() as server, feeds.connect(VENUE, "BTCUSDT", url=server.url, wire="sbe", depth=20) as feed:
            await feed.wait_live(10)
            assert feed.book("BTCUSDT").bid_levels == 20
    run(scenario)


class States:
    """A handler that notes what it is told."""

    def __init__(self):
        self.states, self.notes = [], []

    def on_status(self, book, old, new, reason):
        (self.states if new != old else self.notes).append((new, reason))


def test_a_change_of_schema_is_an_alarm_and_the_feed_goes_on_in_json(monkeypatch, caplog):
    async def scenario():
        handler = States()
        async with (served() as server,
                    feeds.connect(VENUE, ["BTCUSDT", "ETHUSDT"], CHANNELS, handler, url=server.url,
                                  wire="sbe") as feed):
            await feed.wait_live(10)
            book = feed.book("BTCUSDT")
            monkeypatch.setattr(binance_sbe, "SCHEMA", 2)
            await until(lambda: book.status is not BookState.LIVE)
            assert (BookState.STALE, "the venue sends a form that is not read") in handler.states
            await until(lambda: feed.stats()["wire"] == "json")
            await feed.wait_live(10)
            assert feed.book("BTCUSDT") is book
            before = feed.pipeline.counters
            await until(lambda: all(feed.pipeline.counters[kind] > before[kind] + 5
                                    for kind in ("trades", "quotes", "depth")))
            assert feed.pipeline.counters["errors"] == before["errors"]
            assert {line["open"] for line in feed.stats()["lines"]} == {False, True}
            assert sum("schema 2" in note and "going back to json" in note for _, note in handler.notes) == 1
            await feed.unsubscribe("ETHUSDT")
            await feed.subscribe("ETHUSDT")
            await feed.wait_live(10)
    with caplog.at_level(logging.ERROR):
        run(scenario)
    assert caplog.text.count("going back from sbe to json") == 1


def test_a_newer_version_is_told_once_and_read_on(monkeypatch, caplog):
    async def scenario():
        handler = States()
        async with (served() as server,
                    feeds.connect(VENUE, "BTCUSDT", CHANNELS, handler, url=server.url, wire="sbe") as feed):
            await feed.wait_live(10)
            monkeypatch.setattr(binance_sbe, "VERSION", 1)
            depth = feed.pipeline.counters["depth"]
            await until(lambda: feed.pipeline.counters["depth"] > depth + 5)
            assert (feed.book("BTCUSDT").status, feed.stats()["wire"]) == (BookState.LIVE, "sbe")
            assert len(handler.notes) == 1
    with caplog.at_level(logging.WARNING):
        run(scenario)
    assert caplog.text.count("is newer than version 0") == 1


# ---- keys

def test_a_key_is_needed_and_told_to_the_venue_alone(monkeypatch):
    monkeypatch.delenv("BINANCE_API_KEY", raising=False)
    with pytest.raises(ValueError, match="needs an API key: give it by the environment variable BINANCE_API_KEY"):
        feeds.connect(VENUE, "BTCUSDT", wire="sbe")
    monkeypatch.setenv("BINANCE_API_KEY", "from-the-environment")
    assert feeds.connect(VENUE, "BTCUSDT", wire="sbe").headers == {"X-MBX-APIKEY": "from-the-environment"}
    assert feeds.connect(VENUE, "BTCUSDT", wire="sbe", api_key="given").headers == {"X-MBX-APIKEY": "given"}
    assert feeds.connect(VENUE, "BTCUSDT").headers is None
    elsewhere = feeds.connect(VENUE, "BTCUSDT", wire="sbe", url="ws://127.0.0.1:1")
    assert "from-the-environment" not in str(elsewhere.headers)
    with pytest.raises(ValueError, match="takes no API key"):
        feeds.connect(VENUE, "BTCUSDT", api_key="x")
    for key in ("with\r\nHeader: x", "with space", "\u00e4"):
        with pytest.raises(ValueError, match="characters") as caught:
            feeds.connect(VENUE, "BTCUSDT", wire="sbe", api_key=key)
        assert key not in str(caught.value)


def test_venues_without_it():
    with pytest.raises(feeds.UnsupportedChannel, match="kraken has no wire form 'sbe'; it has: json"):
        feeds.connect("kraken", "BTC/USD", wire="sbe")
    with pytest.raises(feeds.UnsupportedChannel, match="no wire form 'xml'; it has: json, sbe"):
        feeds.connect(VENUE, "BTCUSDT", wire="xml")
    with pytest.raises(feeds.UnsupportedChannel, match="channel 'ticker'"):
        feeds.connect(VENUE, "BTCUSDT", ("ticker",), wire="sbe", api_key="x")


# ---- recordings and commands

def capture(path, seed):
    """A recording of binary frames, and the market they tell of."""
    wire = Wire(seed, ["depth", "trade"])
    lines = [(START_NS, "=", b"wss://stream-sbe.binance.com:9443/stream")]
    while len(lines) < 400:
        for frame in wire.step():
            lines.append((wire.market.time_ns, "B", base64.b64encode(frame)))
            if len(lines) == 30:
                url = wire.pipeline.spec.snapshot_url("BTCUSDT")
                lines.append((wire.market.time_ns, "h", f"{url} {wire.source.snapshot('BTCUSDT', 5000)}".encode()))
    path.write_bytes(b"".join(b"%d\t%s\t%s\n" % (time, kind.encode(), payload) for time, kind, payload in lines))


def test_a_recording_is_replayed(tmp_path, seed):
    path = tmp_path / "sbe.ws"
    capture(path, seed)
    replay = Replay(VENUE, wire="sbe", digests=True)
    replay.run([path])
    figures = replay.document()["symbols"]["BTCUSDT"]
    assert (replay.errors, figures["status"], figures["gaps"], figures["breaks"]) == (0, "LIVE", 0, 0)
    assert figures["trades"]["count"] > 10
    assert figures["updates"] > 10
    as_json = Replay(VENUE)
    as_json.run([path])
    assert as_json.errors == replay.messages


def command(*args, **more):
    return subprocess.Popen([sys.executable, "-m", "feeds.cli", *args], cwd=ROOT, text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **more})


def test_the_commands(tmp_path, seed):
    path = tmp_path / "sbe.ws"
    capture(path, seed)
    with command("replay", str(path), "--venue", VENUE, "--wire", "sbe", "--json") as replay:
        out, err = replay.communicate(timeout=30)
        assert (replay.returncode, json.loads(out)["errors"]) == (0, 0), err
    with command("watch", "okx", "BTC-USDT", "--wire", "sbe") as watch:
        _, err = watch.communicate(timeout=30)
        assert (watch.returncode, err.strip()) == (1, "wirebook: okx has no wire form 'sbe'; it has: json")
    with command("watch", VENUE, "BTCUSDT", "--wire", "sbe", BINANCE_API_KEY="") as watch:
        _, err = watch.communicate(timeout=30)
        assert watch.returncode == 1
        assert "needs an API key" in err
    with command("serve", "--sim", VENUE, "--compression", "--until-eof") as server:
        url = server.stdout.readline().strip()
        assert url.startswith("ws://"), server.stderr.read()
        with command("watch", VENUE, "BTCUSDT", "--url", url, "--wire", "sbe", "--compression", "--seconds", "2",
                     "--plain") as watch:
            out, err = watch.communicate(timeout=30)
            assert watch.returncode == 0, err
            assert "LIVE" in out or "BTCUSDT" in out
        server.stdin.close()
        assert server.wait(10) == 0
    with command("venues", VENUE) as venues:
        out, _ = venues.communicate(timeout=30)
        assert "wire sbe" in out
        assert "BINANCE_API_KEY" in out
