"""Every venue that has a capture: what `wirebook serve` plays is, in the live client, the book of the reference."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import feeds
from feeds.capture import CaptureReader
from feeds.commands.serve import player_of
from feeds.figures import Replay, book_sha256
from feeds.simulator.player import Player
from feeds.venues import VENUES, load
from feeds.venues.dialects import DIALECTS
from orderbook import BookState
from tests.conftest import find_data

ROOT = Path(__file__).resolve().parents[2]
MOST_SYMBOLS = 3


def read_reference() -> dict[str, dict]:
    path = find_data() / "reference.json"
    return json.loads(path.read_text()) if path.is_file() else {}


# Captures with books, whole: those that go on from another are read after it, and prove nothing more here.
CAPTURES = [name for name, figures in read_reference().items()
            if name.split("/")[0] in VENUES and figures.get("symbols") and "replayed_with" not in figures]


class Watcher:
    """A handler that notes the state every book was last shown in, and the troubles that were told."""

    def __init__(self):
        self.shown = {}
        self.troubles = []

    def on_book(self, book):
        self.shown[book.symbol] = book.status

    def on_status(self, book, old, new, reason):
        if new == BookState.STALE or old == new:
            self.troubles.append((book and book.symbol, new, reason))


def market_of(venue: str, path: Path, symbol: str) -> str | None:
    """The market a capture was taken of, by the address that was connected to; None: the default, or it has one."""
    spec = load(venue)
    address = next(record.payload.decode() for record in CaptureReader(path) if record.kind == "=")
    if spec.market_of is not None:
        return spec.market_of(address)
    for market in spec.markets:
        roots = {stream.root for channel in ("book", "trades")
                 for stream in spec.streams([symbol], [channel], market=market)}
        if address.rstrip("/") in {spec.roots[root].rstrip("/") for root in roots}:
            return market
    return None


def busiest(symbols: dict[str, dict]) -> list[str]:
    """A few symbols of a capture, those with the most updates."""
    return sorted(symbols, key=lambda symbol: (-symbols[symbol]["updates"], -symbols[symbol]["snapshots"]))[
        :MOST_SYMBOLS]


@asynccontextmanager
async def serving(server):
    await server.start()
    task = asyncio.create_task(server.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


def speed_for(venue: str, figures: dict) -> float:
    """How fast a capture is played: where one clock goes for all clients, it has to be heard in 1.5 s."""
    return (figures["last_ns"] - figures["first_ns"]) / 1.5e9 if venue in DIALECTS else math.inf


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


async def played(server, task, feed):
    """Return when everything was played and has arrived."""
    if isinstance(server, Player):
        await until(lambda: any(client.ended for client in server.clients))
    else:
        await asyncio.wait((task,))         # it ends with its capture
    await until(lambda: feed.pipeline.counters["frames"] >= server.sent)


def tops(book) -> list[list]:
    """The best hundred levels of both sides."""
    return [levels[:100].tolist() for levels in (book.raw.bids_int(), book.raw.asks_int())]


def replayed(venue: str, path: Path, symbols: list[str]) -> dict[str, list[list]]:
    """`tops` of the books that a replay ends in."""
    replay = Replay(venue)
    replay.run([path])
    return {symbol: tops(replay.pipeline.book(symbol)) for symbol in symbols}


@pytest.mark.parametrize("name", CAPTURES or ["no recorded captures"])
def test_the_live_book_is_that_of_the_reference(data_dir, reference, name):
    venue, path = name.split("/")[0], data_dir / name
    want = reference[name]["symbols"]
    symbols = busiest(want)

    async def go():
        watcher = Watcher()
        server = player_of(venue, [path], speed=speed_for(venue, reference[name]))
        async with (asyncio.timeout(10), serving(server) as task,
                    feeds.connect(venue, symbols, handler=watcher, url=server.url,
                                  market=market_of(venue, path, symbols[0])) as feed):
            await played(server, task, feed)
            books = {symbol: feed.book(symbol) for symbol in symbols}
            names = {book.symbol for book in books.values()}        # in the spelling of today
            await until(lambda: set(watcher.shown) >= names)
            if isinstance(server, Player):
                assert {symbol: book_sha256(book) for symbol, book in books.items()} == {
                    symbol: want[symbol]["book_sha256"] for symbol in symbols}
                assert {book.status for book in books.values()} == {BookState.LIVE}
                assert watcher.troubles == []
            else:               # its snapshot of the moment does not reach as deep as the recorded one
                assert {symbol: tops(book) for symbol, book in books.items()} == replayed(venue, path, symbols)
            assert watcher.shown == dict.fromkeys(names, BookState.LIVE)
            assert feed.pipeline.counters["errors"] == 0, feed.pipeline.last_error
            assert feed.pipeline.counters["gaps"] == 0
    asyncio.run(go())


@pytest.mark.parametrize("name", ["okx/books_20220513.ws.gz", "bitstamp/multi_20220105.ws.gz"])
def test_a_book_that_was_lost_is_had_again(data_dir, reference, name):
    """By subscribing anew, and by REST: what was recorded does not come again, so the connection begins anew."""
    venue, path = name.split("/")[0], data_dir / name
    if name not in CAPTURES:
        pytest.skip("that capture is not here")
    symbol = busiest(reference[name]["symbols"])[0]

    async def go():
        server = player_of(venue, [path], speed=30.0)
        async with (asyncio.timeout(20), serving(server), feeds.connect(venue, symbol, url=server.url) as feed):
            await feed.wait_live()
            await until(lambda: feed.pipeline.symbol_stats(symbol)["updates"] > 5)
            feed.pipeline.lose(symbol)
            await feed.wait_live()
            await until(lambda: any(client.ended for client in server.clients))
            await until(lambda: book_sha256(feed.book(symbol)) == reference[name]["symbols"][symbol]["book_sha256"])
            assert feed.stats()["lines"][0]["opens"] == 2
            assert feed.book(symbol).status == BookState.LIVE
    asyncio.run(go())


def test_the_commands_show_a_live_book(data_dir, reference):
    name = next((name for name in CAPTURES if name.startswith("okx/books")), None)
    if name is None:
        pytest.skip("that capture is not here")
    symbols = reference[name]["symbols"]
    symbol = busiest(symbols)[0]

    def command(*args):
        return subprocess.Popen([sys.executable, "-m", "feeds.cli", *args], cwd=ROOT, text=True, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    with command("serve", str(data_dir / name), "--speed", "max", "--until-eof") as server:
        url = server.stdout.readline().strip()
        assert url.startswith("ws://"), server.stderr.read()
        with command("watch", name.split("/")[0], symbol, "--url", url, "--seconds", "3", "--plain") as watch:
            out, err = watch.communicate(timeout=30)
            assert watch.returncode == 0, err
        server.stdin.close()
        assert server.wait(10) == 0
    bid, ask = symbols[symbol]["best_bid"], symbols[symbol]["best_ask"]
    last = out.strip().splitlines()[-1]
    assert all(text in last for text in (symbol, bid[0], ask[0])), out
