"""The live client against a venue on loopback that breaks off, refuses, forgets and lies as the test wants it."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from dataclasses import replace

import pytest

from feeds import rest
from feeds.plan import StatusChange
from feeds.session import SubscribeError, connect
from feeds.venue import UnknownVenue, UnsupportedChannel
from orderbook import BookState
from tests.loopback import PATIENCE, Venue, make_certificate, until
from tests.market import QUICK, Market, States, change_spec, quick, run, streams_of


@pytest.fixture(autouse=True)
def fresh_windows(monkeypatch):
    """A port may be given out again, the window of its last owner must not."""
    monkeypatch.setattr(rest, "_windows", {})


# ---- from nothing to live

def test_books_become_live_and_are_the_markets():
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT", "ethusdt"]) as feed, market.running():
            assert feed.book("BTCUSDT").status != BookState.LIVE        # it is there from the beginning
            await feed.wait_live(PATIENCE)
            await until(lambda: market.agrees(feed.book("btcusdt")))
            await until(lambda: market.agrees(feed.book("ETHUSDT")))
            stats = feed.stats()
            assert stats["lines"][0]["open"]
            assert stats["lines"][0]["messages"] > 0
            assert stats["silent"] == []
            assert stats["rest"]["snapshots"] >= 2
            assert stats["counters"]["depth"] > 0
        await until(lambda: venue.peer.ended)
        assert venue.peer.closes == [1000]
    run(scenario)


def test_each_root_has_its_own_connection_and_keeps_its_path():
    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", ("book", "quotes", "mark")):
            assert sorted(peer.path for peer in venue.peers) == [
                "/market/stream?streams=btcusdt@markPrice@1s",
                "/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker",
            ]
            await asyncio.sleep(0)
    run(scenario)


def test_streams_are_spread_over_connections(monkeypatch):
    change_spec(monkeypatch, {"streams_per_connection": 2})

    async def scenario(venue, market):
        symbols = [f"S{number}USDT" for number in range(5)]
        async with quick(venue, symbols) as feed, market.running():
            assert sorted(len(streams_of(peer)) for peer in venue.peers) == [1, 2, 2]
            await feed.wait_live(PATIENCE)
            venue.peers[0].reset()      # two symbols lose their line, the others notice nothing
            requests = len(venue.requests)
            await until(lambda: len(venue.peers) == 4)
            await until(lambda: not feed._not_live())
            assert len(venue.requests) - requests == len(streams_of(venue.peers[0]))
            for symbol in symbols:
                await until(lambda symbol=symbol: market.agrees(feed.book(symbol)))
    run(scenario)


def test_a_partial_book_needs_no_snapshot():
    async def scenario(venue, market):
        def first(peer):
            assert streams_of(peer) == {"btcusdt@depth20@100ms"}
            message = market.diff("BTCUSDT")
            message["stream"] = "btcusdt@depth20@100ms"
            peer.send(message)

        venue.on_open = first
        async with quick(venue, "BTCUSDT", depth=20) as feed:
            await feed.wait_live(PATIENCE)
            assert feed.book("BTCUSDT").bid_levels == 1
            assert venue.requests == []
    run(scenario)


# ---- lost and found

def test_a_venue_that_is_killed_and_restarted():
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            await venue.stop()
            await until(lambda: feed.stats()["lines"][0]["failures"] >= 2)
            assert feed.book("BTCUSDT").status != BookState.LIVE
            await venue.start()
            await feed.wait_live(PATIENCE)
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
    run(scenario)


def test_a_gap_resyncs_its_symbol_alone():
    async def scenario(venue, market):
        states = States()
        async with quick(venue, ["BTCUSDT", "ETHUSDT"], handler=states) as feed:
            async with market.running():
                await feed.wait_live(PATIENCE)
            del states.changes[:]
            before = len(venue.requests)
            market.diff("BTCUSDT")          # changed, and nobody was told
            async with market.running():
                await until(lambda: ("BTCUSDT", "LIVE") in states.changes)
            market.tick()
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
            await until(lambda: market.agrees(feed.book("ETHUSDT")))
            assert {symbol for symbol, _ in states.changes} == {"BTCUSDT"}
            assert set(venue.requests[before:]) == {"/fapi/v1/depth?symbol=BTCUSDT&limit=1000"}
            assert feed.stats()["counters"]["gaps"] == 1
    run(scenario)


def test_snapshots_keep_away_from_a_venue_that_says_so():
    async def scenario(venue, market):
        times = []

        def get(path):
            times.append(time.monotonic())
            return (429, {"Retry-After": "0.2"}, b"") if len(times) == 1 else market.snapshot(path)

        venue.get = get
        feed = quick(venue, ["BTCUSDT", "ETHUSDT"])
        feed.snapshots.at_once = 1
        async with feed, market.running():
            await feed.wait_live(PATIENCE)
        assert times[1] - times[0] >= 0.19
    run(scenario)


# ---- the first connection

def test_stream_and_rest_over_tls_with_the_callers_trust(tmp_path):
    async def main():
        certificate, key = make_certificate(tmp_path)
        venue = Venue()
        venue.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        venue.tls.load_cert_chain(certificate, key)
        async with venue:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)    # the refused handshakes
            market = Market(venue)
            with pytest.raises(ConnectionError, match="(?i)certificate.verify.failed"):
                async with quick(venue, "BTCUSDT", timing=replace(QUICK, first=1.0)):
                    pass
            trust = ssl.create_default_context(cafile=certificate)
            async with quick(venue, "BTCUSDT", ssl=trust) as feed, market.running():
                await feed.wait_live(PATIENCE)
                await until(lambda: market.agrees(feed.book("BTCUSDT")))
                assert feed.rest.url == venue.url.replace("wss", "https")
    asyncio.run(main())


def test_opening_fails_with_the_reason_when_nobody_is_there(caplog):
    async def scenario(venue, market):
        await venue.stop()
        with pytest.raises(ConnectionError, match=r"^binance_usdm: no connection within 0.5 s: ws://127.*Connect call"):
            async with quick(venue, ["BTCUSDT"], timing=replace(QUICK, first=0.5)):
                pass
        attempts = [record for record in caplog.records if "next try in" in record.getMessage()]
        assert len(attempts) >= 2
        assert all("\n" not in record.getMessage() for record in attempts)
        await venue.start()
    run(scenario)


def test_opening_waits_for_a_venue_that_comes_late():
    async def scenario(venue, market):
        venue.upgrade = False
        asyncio.get_running_loop().call_later(0.1, setattr, venue, "upgrade", True)
        async with quick(venue, ["BTCUSDT"]) as feed:
            assert feed.stats()["lines"][0]["failures"] >= 1
    run(scenario)


# ---- requests and answers

def test_symbols_come_and_go_while_the_feed_runs():
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            await feed.subscribe(["ETHUSDT", "btcusdt"])
            assert [json.loads(text)["params"] for text in venue.peer.texts] == [["ethusdt@depth@100ms"]]
            await feed.wait_live(PATIENCE)
            await until(lambda: market.agrees(feed.book("ETHUSDT")))
            await feed.unsubscribe("ETHUSDT")
            await until(lambda: len(venue.peer.texts) == 2)
            assert streams_of(venue.peer) == {"btcusdt@depth@100ms"}
            assert feed.book("ETHUSDT").status == BookState.EMPTY
            await feed.subscribe("BTCUSDT", "mark")
            assert len(venue.peers) == 2
            assert venue.peer.path == "/market/stream?streams=btcusdt@markPrice@1s"
            for peer in venue.peers:
                peer.hang_up()
            await until(lambda: len(venue.peers) == 4)
            assert sorted(peer.path for peer in venue.peers[2:]) == [
                "/market/stream?streams=btcusdt@markPrice@1s", "/public/stream?streams=btcusdt@depth@100ms"]
    run(scenario)


def test_a_refused_request_is_an_error_and_the_line_goes_on(caplog):
    async def scenario(venue, market):
        def refuse(peer, text):
            peer.send({"code": 2, "msg": "Invalid request: no such stream", "id": json.loads(text)["id"]})

        venue.answer = refuse
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            with pytest.raises(SubscribeError, match="ethusdt@depth@100ms: 2: Invalid request: no such stream"):
                await feed.subscribe("ETHUSDT")
            assert feed.stats()["refused"] == {"ethusdt@depth@100ms": "2: Invalid request: no such stream"}
            venue.answer = venue.acknowledge
            await feed.subscribe("ETHUSDT")             # a second try is not held to the first answer
            assert feed.stats()["refused"] == {}
            assert "Invalid request" in caplog.text
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
            assert len(venue.peers) == 1
    run(scenario)


def test_a_symbol_nothing_comes_for_is_reported(caplog):
    async def scenario(venue, market):
        market.unknown.add("NOPEUSDT")
        async with quick(venue, ["BTCUSDT", "NOPEUSDT"]) as feed, market.running():
            await until(lambda: feed.stats()["silent"] == ["NOPEUSDT"])
            await until(lambda: "nothing came for NOPEUSDT" in caplog.text)
            with pytest.raises(TimeoutError, match=r"NOPEUSDT \(EMPTY\)"):
                await feed.wait_live(0.05)
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
    run(scenario)


# ---- events

def test_iterating_gives_copies_books_and_changes_of_state():
    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", ("book", "trades")) as feed:
            events = []

            async def collect():
                async for event in feed:
                    events.append(event)

            collecting = asyncio.create_task(collect())
            await asyncio.sleep(0)
            async with market.running():
                await feed.wait_live(PATIENCE)
                for number in (1, 2):
                    venue.peer.send({"stream": "btcusdt@trade", "data": {
                        "e": "trade", "E": 1, "T": 1, "s": "BTCUSDT", "t": number, "p": "1000.0", "q": "0.5",
                        "X": "MARKET", "m": False}})
                await until(lambda: feed.book("BTCUSDT") in events)
                await until(lambda: sum(type(event).__name__ == "Trade" for event in events) == 2)
            trades = [event for event in events if type(event).__name__ == "Trade"]
            assert [int(event.trade_id) for event in trades] == [1, 2]
            assert trades[0] is not trades[1]
            changes = [event for event in events if isinstance(event, StatusChange)]
            assert changes[-1].new == BookState.LIVE
            assert changes[-1].symbol == "BTCUSDT"
            await feed.close()
            await asyncio.wait_for(collecting, PATIENCE)       # the end of the feed ends the iteration
    run(scenario)


def test_iterating_a_feed_with_a_handler_is_an_error():
    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", handler=States()) as feed:
            with pytest.raises(RuntimeError, match="handler"):
                aiter(feed)
    run(scenario)


def test_a_handler_that_raises_costs_nothing_but_its_own_call(caplog):
    class Broken:
        def on_book(self, book):
            raise ValueError("broken handler")

    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", handler=Broken()) as feed, market.running():
            await until(lambda: feed.stats()["lines"][0]["handler_errors"] >= 3)
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
            assert len(venue.peers) == 1
            assert "broken handler" in caplog.text
    with caplog.at_level(logging.ERROR):
        run(scenario)


# ---- addresses and arguments

@pytest.mark.parametrize("args, options, error, words", [
    (("nowhere", ["X"]), {}, UnknownVenue, "binance_usdm"),
    (("binance_spot", []), {}, ValueError, "symbols must be"),
    (("binance_spot", [""]), {}, ValueError, "symbols must be"),
    (("binance_spot", [5]), {}, ValueError, "symbols must be"),
    (("binance_spot", ["X"], ()), {}, ValueError, "channels must be one or more of book"),
    (("binance_spot", ["X"], ["mark"]), {}, UnsupportedChannel, "no channel 'mark'; it has: book"),
    (("binance_spot", ["X"]), {"depth": 7}, UnsupportedChannel, "5, 10, 20"),
    (("binance_spot", ["X"]), {"speed": "0ms"}, UnsupportedChannel, "1000ms, 100ms"),
    (("binance_spot", ["X"]), {"url": "http://x"}, ValueError, "url must be ws"),
    (("binance_spot", ["X"]), {"rest_url": "ws://x"}, ValueError, "rest_url must be http"),
    (("binance_spot", ["X"]), {"ssl": False}, ValueError, "SSLContext"),
])
def test_wrong_arguments_are_named_before_anything_is_opened(args, options, error, words):
    with pytest.raises(error, match=words):
        connect(*args, **options)
